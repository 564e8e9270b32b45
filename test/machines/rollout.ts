/** The rollout of a feature: it grows by the clock while it is healthy, halts where it is, and starts over after an incident. */
import { assign, emit, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

const rolloutMachine = setup({
  types: {
    context: {} as { flag: string; percent: number; incidents: number },
    events: {} as
      | { type: "START" }
      | { type: "HALT" }
      | { type: "GO_ON" }
      | { type: "PROMOTE" }
      | { type: "INCIDENT"; severity: number }
      | { type: "RETRY" }
      | { type: "ARCHIVE" },
    input: {} as { flag: string },
    emitted: {} as { type: "PERCENT"; flag: string; percent: number } | { type: "ALERT"; severity: number },
  },
  guards: {
    isSevere: ({ event }) => event.type === "INCIDENT" && event.severity >= 3,
    isHopeless: ({ context }) => context.incidents >= 2,
  },
  actions: {
    setPercent: assign({ percent: (_, params: { percent: number }) => params.percent }),
    tellPercent: emit(({ context }) => ({ type: "PERCENT", flag: context.flag, percent: context.percent })),
    countIncident: assign({ incidents: ({ context }) => context.incidents + 1 }),
  },
}).createMachine({
  id: "rollout",
  context: ({ input }) => ({ flag: input.flag, percent: 0, incidents: 0 }),
  initial: "planned",
  states: {
    planned: { on: { START: "growing" } },
    growing: {
      initial: { target: "canary", actions: assign({ percent: 0 }) },
      on: {
        HALT: "halted",
        INCIDENT: [
          { guard: "isSevere", target: "rolledBack", actions: "countIncident" },
          { actions: emit(({ event }) => ({ type: "ALERT", severity: event.severity })) },
        ],
      },
      states: {
        canary: {
          entry: [{ type: "setPercent", params: { percent: 1 } }, "tellPercent"],
          after: { [12 * hour]: "early" },
          on: { PROMOTE: "early" },
        },
        early: {
          entry: [{ type: "setPercent", params: { percent: 20 } }, "tellPercent"],
          after: { [24 * hour]: "half" },
          on: { PROMOTE: "half" },
        },
        half: {
          entry: [{ type: "setPercent", params: { percent: 50 } }, "tellPercent"],
          on: { PROMOTE: "#rollout.full" },
        },
        before: { type: "history", history: "shallow", target: "canary" },
      },
    },
    halted: {
      meta: { text: "Nobody is added; those who have it keep it." },
      on: { GO_ON: "growing.before", INCIDENT: { target: "rolledBack", actions: "countIncident" } },
    },
    rolledBack: {
      entry: [{ type: "setPercent", params: { percent: 0 } }, "tellPercent"],
      always: { guard: "isHopeless", target: "archived" },
      on: { RETRY: "growing", GO_ON: "growing.before" },
    },
    full: {
      entry: [{ type: "setPercent", params: { percent: 100 } }, "tellPercent"],
      on: { ARCHIVE: "archived" },
    },
    archived: { type: "final" },
  },
});

const percent = (value: number) => ({ type: "PERCENT", flag: "dark-mode", percent: value });

/** Rollouts that are halted and go on, and that are rolled back for good. */
export const rollout: readonly Scenario[] = [
  {
    name: "a halted rollout goes on at the stage where it was",
    covers: ["history.shallow", "initial.actions", "after.numeric", "target.id", "meta.state", "action.params"],
    machine: () => rolloutMachine,
    input: { flag: "dark-mode" },
    steps: [
      { send: { type: "START" } },
      { hours: 12 },
      { send: { type: "HALT" } },
      { hours: 48 },
      { expect: { value: "halted", contextHas: { percent: 20 } } },
      { send: { type: "GO_ON" } },
      { expect: { value: { growing: "early" } } },
      { hours: 24 },
      { send: { type: "INCIDENT", severity: 1 } },
      { send: { type: "PROMOTE" } },
      { send: { type: "ARCHIVE" } },
      {
        expect: {
          status: "done",
          value: "archived",
          context: { flag: "dark-mode", percent: 100, incidents: 0 },
          emitted: [percent(1), percent(20), percent(20), percent(50), { type: "ALERT", severity: 1 }, percent(100)],
        },
      },
    ],
  },
  {
    name: "a rollout with two severe incidents is archived",
    covers: ["history.shallow", "eventless.guard", "guard.named", "final.machine"],
    machine: () => rolloutMachine,
    input: { flag: "dark-mode" },
    steps: [
      { send: { type: "START" } },
      { send: { type: "PROMOTE" } },
      { send: { type: "PROMOTE" } },
      { send: { type: "INCIDENT", severity: 3 } },
      { expect: { value: "rolledBack", contextHas: { percent: 0, incidents: 1 } } },
      { send: { type: "GO_ON" } },
      { expect: { value: { growing: "half" } } },
      { send: { type: "HALT" } },
      { send: { type: "INCIDENT", severity: 1 } },
      {
        expect: {
          status: "done",
          value: "archived",
          contextHas: { percent: 0, incidents: 2 },
          emitted: [percent(1), percent(20), percent(50), percent(0), percent(50), percent(0)],
        },
      },
    ],
  },
];

/** A lease on something that only one may have: asked for in line, kept alive by its holder, and taken away from who falls silent. */
import { type AnyActorRef, assign, cancel, emit, sendParent, sendTo, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

/** Nudges the holder some time after it got the lease, and counts how often it was nudged in vain. */
const watcherMachine = setup({
  types: {
    context: {} as { manager: AnyActorRef; strikes: number },
    events: {} as { type: "WATCH"; holder: string } | { type: "ALIVE" } | { type: "TICK" } | { type: "FORGET" },
    input: {} as { manager: AnyActorRef },
  },
  actions: {
    tick: sendTo(({ self }) => self, { type: "TICK" }, { id: "tick", delay: 2 * hour }),
    stopTicking: cancel("tick"),
  },
}).createMachine({
  id: "watcher",
  context: ({ input }) => ({ manager: input.manager, strikes: 0 }),
  initial: "resting",
  on: { FORGET: ".resting" },
  states: {
    resting: { on: { WATCH: "watching" } },
    watching: {
      entry: [assign({ strikes: 0 }), "tick"],
      exit: "stopTicking",
      on: {
        WATCH: { target: "watching", reenter: true },
        ALIVE: { target: "watching", reenter: true },
        TICK: [
          {
            guard: ({ context }) => context.strikes >= 1,
            target: "resting",
            actions: sendTo(({ context }) => context.manager, { type: "SILENT" }),
          },
          {
            actions: [assign({ strikes: ({ context }) => context.strikes + 1 }), sendParent({ type: "NUDGE" }), "tick"],
          },
        ],
      },
    },
  },
});

const leaseMachine = setup({
  types: {
    context: {} as { line: readonly string[]; fence: number },
    events: {} as
      | { type: "ASK"; who: string }
      | { type: "RELEASE"; who: string }
      | { type: "ALIVE"; who: string }
      | { type: "NUDGE" }
      | { type: "SILENT" },
    emitted: {} as
      | { type: "GRANTED"; to: string; fence: number }
      | { type: "NUDGED"; who: string }
      | { type: "TAKEN"; from: string },
  },
  actors: { watcher: watcherMachine },
  guards: {
    isHolder: ({ context, event }) => "who" in event && context.line[0] === event.who,
    hasNext: ({ context }) => context.line.length > 1,
  },
  actions: {
    queue: assign({
      line: ({ context, event }) => (event.type === "ASK" ? [...context.line, event.who] : context.line),
    }),
    shift: assign({ line: ({ context }) => context.line.slice(1) }),
    grant: assign({ fence: ({ context }) => context.fence + 1 }),
    tellGrant: emit(({ context }) => ({ type: "GRANTED", to: context.line[0] ?? "", fence: context.fence })),
    watch: sendTo("watcher", ({ context }) => ({ type: "WATCH", holder: context.line[0] ?? "" }), {
      id: "watch",
      delay: hour,
    }),
    forget: sendTo("watcher", { type: "FORGET" }),
  },
}).createMachine({
  id: "lease",
  context: { line: [], fence: 0 },
  invoke: { id: "watcher", src: "watcher", systemId: "watcher", input: ({ self }) => ({ manager: self }) },
  initial: "free",
  states: {
    free: { on: { ASK: { target: "held", actions: "queue" } } },
    held: {
      entry: ["grant", "tellGrant", "watch"],
      exit: cancel("watch"),
      on: {
        ASK: { actions: "queue" },
        ALIVE: { guard: "isHolder", actions: sendTo(({ system }) => system.get("watcher"), { type: "ALIVE" }) },
        NUDGE: { actions: emit(({ context }) => ({ type: "NUDGED", who: context.line[0] ?? "" })) },
        RELEASE: { guard: "isHolder", target: "passing", actions: "forget" },
        SILENT: {
          target: "passing",
          actions: emit(({ context }) => ({ type: "TAKEN", from: context.line[0] ?? "" })),
        },
      },
    },
    passing: {
      always: [
        { guard: "hasNext", target: "held", actions: "shift" },
        { target: "free", actions: "shift" },
      ],
    },
  },
});

const granted = (to: string, fence: number) => ({ type: "GRANTED", to, fence });

/** A lease that goes from hand to hand, and away from who is silent. */
export const lease: readonly Scenario[] = [
  {
    name: "a lease is taken from a silent holder and given to the next in line",
    covers: [
      "sendTo.delay",
      "sendTo.self",
      "cancel.id",
      "refs.context",
      "system.get",
      "send.sendParent",
      "logic.machine",
    ],
    machine: () => leaseMachine,
    steps: [
      { send: { type: "ASK", who: "ada" } },
      { send: { type: "ASK", who: "bob" } },
      { send: { type: "RELEASE", who: "bob" } },
      { hours: 1 },
      { send: { type: "ALIVE", who: "ada" } },
      { send: { type: "ALIVE", who: "bob" } },
      { hours: 2 },
      { expect: { value: "held", emitted: [granted("ada", 1), { type: "NUDGED", who: "ada" }] } },
      { hours: 3 },
      { expect: { value: "held", contextHas: { line: ["bob"], fence: 2 } } },
      { send: { type: "RELEASE", who: "bob" } },
      { hours: 9 },
      { send: { type: "ASK", who: "eve" } },
      {
        expect: {
          value: "held",
          context: { line: ["eve"], fence: 3 },
          emitted: [
            granted("ada", 1),
            { type: "NUDGED", who: "ada" },
            { type: "TAKEN", from: "ada" },
            granted("bob", 2),
            granted("eve", 3),
          ],
        },
      },
    ],
  },
];

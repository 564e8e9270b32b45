/** A thermostat: it heats and cools by itself with a gap between, rests its compressor, and saves at night. */
import { and, assign, emit, not, setup, stateIn } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

const thermostatMachine = setup({
  types: {
    context: {} as { wanted: number; measured: number; night: number; runs: number },
    events: {} as
      | { type: "MEASURED"; celsius: number }
      | { type: "WANT"; celsius: number }
      | { type: "NIGHT" }
      | { type: "DAY" }
      | { type: "WINDOW"; isOpen: boolean },
    input: {} as { wanted: number },
    emitted: {} as { type: "HVAC"; state: "heating" | "cooling" | "off" } | { type: "MODE"; mode: "day" | "night" },
    tags: {} as "consuming",
  },
  guards: {
    isCold: ({ context }) => context.measured < context.wanted - context.night - 1,
    isHot: ({ context }) => context.measured > context.wanted + context.night + 1,
    isFine: ({ context }) => Math.abs(context.measured - context.wanted) <= context.night + 0.5,
    isClosed: stateIn({ window: "closed" }),
  },
  actions: {
    show: emit((_, params: { state: "heating" | "cooling" | "off" }) => ({
      type: "HVAC" as const,
      state: params.state,
    })),
  },
}).createMachine({
  id: "thermostat",
  type: "parallel",
  context: ({ input }) => ({ wanted: input.wanted, measured: input.wanted, night: 0, runs: 0 }),
  on: {
    MEASURED: { actions: assign({ measured: ({ event }) => event.celsius }) },
    WANT: { actions: assign({ wanted: ({ event }) => event.celsius }) },
  },
  states: {
    air: {
      initial: "off",
      states: {
        off: {
          always: [
            { guard: and(["isCold", "isClosed"]), target: "heating" },
            { guard: and(["isHot", "isClosed"]), target: "cooling" },
          ],
        },
        heating: {
          tags: "consuming",
          entry: [{ type: "show", params: { state: "heating" } }, assign({ runs: ({ context }) => context.runs + 1 })],
          exit: { type: "show", params: { state: "off" } },
          always: [
            { guard: "isFine", target: "off" },
            { guard: not("isClosed"), target: "off" },
          ],
        },
        cooling: {
          tags: "consuming",
          entry: [{ type: "show", params: { state: "cooling" } }, assign({ runs: ({ context }) => context.runs + 1 })],
          exit: { type: "show", params: { state: "off" } },
          always: [
            { guard: "isFine", target: "resting" },
            { guard: not("isClosed"), target: "resting" },
          ],
        },
        // A compressor that starts again at once does not live long.
        resting: { after: { [hour]: "off" } },
      },
    },
    window: {
      initial: "closed",
      states: {
        closed: { on: { WINDOW: { guard: ({ event }) => event.isOpen, target: "open" } } },
        open: { on: { WINDOW: { guard: ({ event }) => !event.isOpen, target: "closed" } } },
      },
    },
    clock: {
      initial: "day",
      states: {
        day: {
          entry: [assign({ night: 0 }), emit({ type: "MODE", mode: "day" })],
          on: { NIGHT: "night" },
        },
        night: {
          entry: [assign({ night: 3 }), emit({ type: "MODE", mode: "night" })],
          on: { DAY: "day" },
          after: { [9 * hour]: "day" },
        },
      },
    },
  },
});

const hvac = (state: string) => ({ type: "HVAC", state });
const mode = (name: string) => ({ type: "MODE", mode: name });

/** A hot afternoon, a cold night, and a window that is left open. */
export const thermostat: readonly Scenario[] = [
  {
    name: "a thermostat heats and cools only when it should",
    covers: [
      "eventless.guard",
      "parallel.enter",
      "parallel.independent",
      "guard.stateIn",
      "guard.and",
      "guard.not",
      "after.numeric",
      "tags.state",
    ],
    machine: () => thermostatMachine,
    input: { wanted: 20 },
    steps: [
      { send: { type: "MEASURED", celsius: 24 } },
      { send: { type: "MEASURED", celsius: 20 } },
      { send: { type: "MEASURED", celsius: 25 } },
      { expect: { value: { air: "resting", window: "closed", clock: "day" }, tags: [] } },
      { hours: 1 },
      { expect: { value: { air: "cooling", window: "closed", clock: "day" }, tags: ["consuming"] } },
      { send: { type: "WINDOW", isOpen: true } },
      { hours: 1 },
      { expect: { value: { air: "off", window: "open", clock: "day" } } },
      { send: { type: "NIGHT" } },
      { send: { type: "MEASURED", celsius: 17 } },
      { send: { type: "WINDOW", isOpen: false } },
      { expect: { value: { air: "off", window: "closed", clock: "night" } } },
      { send: { type: "MEASURED", celsius: 15 } },
      { send: { type: "MEASURED", celsius: 17 } },
      { hours: 9 },
      {
        expect: {
          value: { air: "heating", window: "closed", clock: "day" },
          context: { wanted: 20, measured: 17, night: 0, runs: 4 },
          emitted: [
            mode("day"),
            hvac("cooling"),
            hvac("off"),
            hvac("cooling"),
            hvac("off"),
            mode("night"),
            hvac("heating"),
            hvac("off"),
            mode("day"),
            hvac("heating"),
          ],
        },
      },
    ],
  },
];

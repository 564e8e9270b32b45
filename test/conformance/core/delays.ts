/** `after`: delayed transitions, when they come, and what keeps them from coming. */
import { assign, createMachine, raise, setup, stateIn } from "xstate";
import { hour, type Scenario } from "../../scenarios/scenario.ts";
import { noted } from "./noted.ts";

export const delays: readonly Scenario[] = [
  {
    name: "a delayed transition is taken when its time has come, and not before",
    covers: ["after.numeric"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { ...noted(trace, "a"), after: { [2 * hour]: { target: "b", actions: () => trace("after") } } },
          b: noted(trace, "b"),
        },
      }),
    steps: [
      { expect: { value: "a" } },
      { hours: 1 },
      { expect: { value: "a", trace: ["+a"] } },
      { hours: 1 },
      { expect: { value: "b", trace: ["+a", "-a", "after", "+b"] } },
    ],
  },
  {
    name: "a delayed transition in short form names its target",
    covers: ["after.numeric"],
    machine: () => createMachine({ initial: "a", states: { a: { after: { [hour]: "b" } }, b: {} } }),
    steps: [{ hours: 1 }, { expect: { value: "b" } }],
  },
  {
    name: "a state that is left in time is not left again by its delay",
    covers: ["after.cancelled"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { after: { [2 * hour]: { target: "late", actions: () => trace("late") } }, on: { GO: "b" } },
          b: {},
          late: {},
        },
      }),
    steps: [
      { hours: 1 },
      { send: { type: "GO" } },
      { expect: { value: "b" } },
      { hours: 5 },
      { expect: { value: "b", trace: [] } },
    ],
  },
  {
    name: "a state that is left and entered again waits the whole delay again",
    covers: ["after.restart", "after.cancelled"],
    machine: () =>
      createMachine({
        initial: "a",
        states: { a: { after: { [3 * hour]: "late" }, on: { FLIP: "b" } }, b: { on: { FLIP: "a" } }, late: {} },
      }),
    steps: [
      { hours: 2 },
      { send: { type: "FLIP" } },
      { send: { type: "FLIP" } },
      { hours: 2 },
      { expect: { value: "a" } },
      { hours: 1 },
      { expect: { value: "late" } },
    ],
  },
  {
    name: "a reentering self-transition starts the delay again",
    covers: ["after.restart", "transition.reenter"],
    machine: () =>
      createMachine({
        initial: "a",
        states: { a: { after: { [2 * hour]: "late" }, on: { PING: { target: "a", reenter: true } } }, late: {} },
      }),
    steps: [
      { hours: 1 },
      { send: { type: "PING" } },
      { hours: 1 },
      { expect: { value: "a" } },
      { send: { type: "PING" } },
      { hours: 1 },
      { expect: { value: "a" } },
      { hours: 1 },
      { expect: { value: "late" } },
    ],
  },
  {
    name: "a transition that stays in the state leaves the delay running",
    covers: ["after.kept", "transition.targetless", "transition.self"],
    machine: () =>
      createMachine({
        context: { n: 0 },
        initial: "a",
        states: {
          a: {
            after: { [2 * hour]: "late" },
            on: { ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) }, SELF: { target: "a" } },
          },
          late: {},
        },
      }),
    steps: [
      { hours: 1 },
      { send: { type: "ADD" } },
      { send: { type: "SELF" } },
      { hours: 1 },
      { expect: { value: "late", context: { n: 1 } } },
    ],
  },
  {
    name: "of several delays the shortest comes first, and leaving cancels the others",
    covers: ["after.several", "after.cancelled"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: {
            after: {
              [5 * hour]: { target: "slow", actions: () => trace("slow") },
              [2 * hour]: { target: "fast", actions: () => trace("fast") },
              [1 * hour]: { actions: () => trace("reminder") },
            },
          },
          fast: {},
          slow: {},
        },
      }),
    steps: [
      { hours: 1 },
      { expect: { value: "a", trace: ["reminder"] } },
      { hours: 1 },
      { expect: { value: "fast", trace: ["reminder", "fast"] } },
      { hours: 6 },
      { expect: { value: "fast", trace: ["reminder", "fast"] } },
    ],
  },
  {
    name: "delayed transitions without a target happen once each while the state stays",
    covers: ["after.several", "after.targetless"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: {
            ...noted(trace, "a"),
            after: {
              [1 * hour]: { actions: () => trace(1) },
              [3 * hour]: { actions: () => trace(3) },
              [2 * hour]: { actions: () => trace(2) },
            },
          },
        },
      }),
    steps: [{ hours: 9 }, { expect: { value: "a", trace: ["+a", 1, 2, 3] } }],
  },
  {
    name: "a delay with a name takes its length from setup",
    covers: ["after.named"],
    machine: () =>
      setup({ delays: { patience: 3 * hour } }).createMachine({
        initial: "waits",
        states: { waits: { after: { patience: "gaveUp" } }, gaveUp: {} },
      }),
    steps: [{ hours: 2 }, { expect: { value: "waits" } }, { hours: 1 }, { expect: { value: "gaveUp" } }],
  },
  {
    name: "a named delay may be a function of the context at the time of entry",
    covers: ["after.dynamic", "after.named"],
    machine: () =>
      setup({
        types: {} as { context: { tries: number }; events: { type: "FAIL" } },
        delays: { backoff: ({ context }) => 2 ** context.tries * hour },
        actions: { count: assign({ tries: ({ context }) => context.tries + 1 }) },
      }).createMachine({
        context: { tries: 0 },
        initial: "works",
        states: {
          works: { on: { FAIL: "waits" } },
          waits: { after: { backoff: { target: "works", actions: "count" } } },
        },
      }),
    steps: [
      { send: { type: "FAIL" } },
      { hours: 1 },
      { expect: { value: "works", context: { tries: 1 } } },
      { send: { type: "FAIL" } },
      { hours: 1 },
      { expect: { value: "waits" } },
      { hours: 1 },
      { expect: { value: "works", context: { tries: 2 } } },
      { send: { type: "FAIL" } },
      { hours: 3 },
      { expect: { value: "waits" } },
      { hours: 1 },
      { expect: { value: "works", context: { tries: 3 } } },
    ],
  },
  {
    name: "a named delay sees the event with which the state was entered",
    covers: ["after.dynamic"],
    machine: () =>
      setup({
        types: {} as { events: { type: "SNOOZE"; hours: number } },
        delays: { asked: ({ event }) => event.hours * hour },
      }).createMachine({
        initial: "rings",
        states: { rings: { on: { SNOOZE: "sleeps" } }, sleeps: { after: { asked: "rings" } } },
      }),
    steps: [
      { send: { type: "SNOOZE", hours: 2 } },
      { hours: 1 },
      { expect: { value: "sleeps" } },
      { hours: 1 },
      { expect: { value: "rings" } },
      { send: { type: "SNOOZE", hours: 1 } },
      { hours: 1 },
      { expect: { value: "rings" } },
    ],
  },
  {
    name: "a named delay is measured by the context after the entry actions that came before it",
    covers: ["after.dynamic", "assign.sequence"],
    machine: () =>
      setup({
        types: {} as { context: { wait: number }; events: { type: "GO"; wait: number } },
        delays: { wait: ({ context }) => context.wait * hour },
        actions: { set: assign({ wait: ({ event }) => event.wait }) },
      }).createMachine({
        context: { wait: 100 },
        initial: "a",
        states: { a: { on: { GO: "b" } }, b: { entry: "set", after: { wait: "c" } }, c: {} },
      }),
    steps: [
      { send: { type: "GO", wait: 2 } },
      { hours: 1 },
      { expect: { value: "b" } },
      { hours: 1 },
      { expect: { value: "c" } },
    ],
  },
  {
    name: "a context that changes later does not move a delay that is running",
    covers: ["after.dynamic"],
    machine: () =>
      setup({
        types: {} as { context: { wait: number }; events: { type: "SET"; wait: number } },
        delays: { wait: ({ context }) => context.wait * hour },
        actions: { set: assign({ wait: ({ event }) => event.wait }) },
      }).createMachine({
        context: { wait: 3 },
        initial: "a",
        states: { a: { after: { wait: "b" }, on: { SET: { actions: "set" } } }, b: {} },
      }),
    steps: [
      { send: { type: "SET", wait: 1 } },
      { hours: 1 },
      { expect: { value: "a", context: { wait: 1 } } },
      { hours: 2 },
      { expect: { value: "b" } },
    ],
  },
  {
    name: "a guard on a delayed transition is asked when the time has come",
    covers: ["after.guard"],
    machine: () =>
      createMachine({
        context: { paid: false },
        initial: "a",
        states: {
          a: {
            on: { PAY: { actions: assign({ paid: true }) } },
            after: {
              [hour]: [{ guard: ({ context }) => context.paid, target: "shipped" }, { target: "cancelled" }],
            },
          },
          shipped: {},
          cancelled: { on: { AGAIN: "a" } },
        },
      }),
    steps: [
      { hours: 1 },
      { expect: { value: "cancelled" } },
      { send: { type: "AGAIN" } },
      { send: { type: "PAY" } },
      { hours: 1 },
      { expect: { value: "shipped" } },
    ],
  },
  {
    name: "a delayed transition whose guard refuses does not come a second time",
    covers: ["after.guard", "after.once"],
    machine: () =>
      createMachine({
        context: { open: false },
        initial: "a",
        states: {
          a: {
            on: { OPEN: { actions: assign({ open: true }) } },
            after: { [hour]: { guard: ({ context }) => context.open, target: "b" } },
          },
          b: {},
        },
      }),
    steps: [
      { hours: 1 },
      { send: { type: "OPEN" } },
      { hours: 5 },
      { expect: { value: "a", context: { open: true } } },
    ],
  },
  {
    name: "delays form a chain in which each begins when its state is entered",
    covers: ["after.chain"],
    machine: ({ trace }) =>
      createMachine({
        initial: "green",
        states: {
          green: { ...noted(trace, "green"), after: { [2 * hour]: "yellow" } },
          yellow: { ...noted(trace, "yellow"), after: { [1 * hour]: "red" } },
          red: { ...noted(trace, "red"), after: { [3 * hour]: "green" } },
        },
      }),
    steps: [
      { hours: 2 },
      { expect: { value: "yellow" } },
      { hours: 4 },
      { expect: { value: "green", trace: ["+green", "-green", "+yellow", "-yellow", "+red", "-red", "+green"] } },
      { hours: 1 },
      { expect: { value: "yellow" } },
    ],
  },
  {
    name: "a parent's delay goes on while its children change",
    covers: ["after.parent"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            initial: "a",
            states: { a: { on: { NEXT: "b" } }, b: { after: { [hour]: "c" } }, c: noted(trace, "c") },
            after: { [4 * hour]: "timeout" },
          },
          timeout: noted(trace, "timeout"),
        },
      }),
    steps: [
      { hours: 1 },
      { send: { type: "NEXT" } },
      { hours: 1 },
      { expect: { value: { p: "c" } } },
      { hours: 1 },
      { expect: { value: "timeout", trace: ["+c", "-c", "+timeout"] } },
    ],
  },
  {
    name: "a parent that is left takes the delays of its children with it",
    covers: ["after.parent", "after.cancelled"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            initial: "a",
            states: { a: { after: { [2 * hour]: { target: "b", actions: () => trace("child") } } }, b: {} },
            after: { [1 * hour]: "q" },
          },
          q: {},
        },
      }),
    steps: [{ hours: 1 }, { expect: { value: "q" } }, { hours: 3 }, { expect: { value: "q", trace: [] } }],
  },
  {
    name: "delays in parallel regions run side by side",
    covers: ["after.parallel"],
    machine: () =>
      createMachine({
        type: "parallel",
        states: {
          fast: { initial: "a", states: { a: { after: { [hour]: "b" } }, b: { after: { [hour]: "c" } }, c: {} } },
          slow: { initial: "a", states: { a: { after: { [3 * hour]: "b" } }, b: {} } },
        },
      }),
    steps: [
      { hours: 1 },
      { expect: { value: { fast: "b", slow: "a" } } },
      { hours: 2 },
      { expect: { value: { fast: "c", slow: "b" } } },
    ],
  },
  {
    name: "delays that are due at the same time come in the order in which they were set",
    covers: ["after.same-time", "after.parallel"],
    machine: ({ trace }) =>
      createMachine({
        type: "parallel",
        states: {
          one: { initial: "a", states: { a: { after: { [hour]: "b" } }, b: { entry: () => trace("one") } } },
          two: { initial: "a", states: { a: { after: { [hour]: "b" } }, b: { entry: () => trace("two") } } },
          three: { initial: "a", states: { a: { after: { [hour]: "b" } }, b: { entry: () => trace("three") } } },
        },
      }),
    steps: [{ hours: 1 }, { expect: { value: { one: "b", two: "b", three: "b" }, trace: ["one", "two", "three"] } }],
  },
  {
    name: "a delay of zero comes at once, in a step of its own",
    covers: ["after.zero"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { on: { GO: { target: "b", actions: raise({ type: "E" }) } } },
          b: {
            on: { E: { actions: () => trace("raised") } },
            after: { 0: { target: "c", actions: () => trace("after") } },
          },
          c: {},
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "c", trace: ["raised", "after"] } }],
  },
  {
    name: "a delay is set and cancelled within one step when its state is only passed through",
    covers: ["after.cancelled", "after.same-step", "eventless.chain"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { on: { GO: "b" } },
          b: { always: "c", after: { [hour]: { actions: () => trace("never") } } },
          c: { on: { GO: "b" } },
        },
        on: { "xstate.after.*": { actions: () => trace("never either") } },
      }),
    steps: [{ send: { type: "GO" } }, { hours: 2 }, { expect: { value: "c", trace: [] } }],
  },
  {
    name: "a state that is left and entered again within one step has one delay, the new one",
    covers: ["after.restart", "after.same-step"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { on: { BOUNCE: "b" }, after: { [2 * hour]: { actions: () => trace("after") } } },
          b: { always: "a" },
        },
      }),
    steps: [
      { hours: 1 },
      { send: { type: "BOUNCE" } },
      { hours: 1 },
      { expect: { value: "a", trace: [] } },
      { hours: 3 },
      { expect: { value: "a", trace: ["after"] } },
    ],
  },
  {
    name: "a delayed transition may end the machine, and no other delay comes after that",
    covers: ["after.final", "after.cancelled", "final.machine"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: { a: { after: { [hour]: "end" } }, end: { type: "final" } },
        after: { [3 * hour]: { actions: () => trace("root") } },
        output: "over",
      }),
    steps: [
      { hours: 1 },
      { expect: { status: "done", output: "over" } },
      { hours: 4 },
      { expect: { status: "done", trace: [] } },
    ],
  },
  {
    name: "a delay of the root begins with the machine",
    covers: ["after.root"],
    machine: () =>
      createMachine({
        initial: "a",
        states: { a: { on: { NEXT: "b" } }, b: {}, old: {} },
        after: { [4 * hour]: ".old" },
      }),
    steps: [
      { hours: 2 },
      { send: { type: "NEXT" } },
      { expect: { value: "b" } },
      { hours: 2 },
      { expect: { value: "old" } },
    ],
  },
  {
    name: "a delayed transition asks in which state the other region is",
    covers: ["after.guard", "guard.stateIn"],
    machine: () =>
      createMachine({
        type: "parallel",
        states: {
          door: { initial: "open", states: { open: { on: { CLOSE: "closed" } }, closed: {} } },
          alarm: {
            initial: "armed",
            states: {
              armed: { after: { [hour]: [{ guard: stateIn({ door: "open" }), target: "rings" }, { target: "calm" }] } },
              rings: { on: { RESET: "armed" } },
              calm: {},
            },
          },
        },
      }),
    steps: [
      { hours: 1 },
      { expect: { value: { door: "open", alarm: "rings" } } },
      { send: { type: "RESET" } },
      { send: { type: "CLOSE" } },
      { hours: 1 },
      { expect: { value: { door: "closed", alarm: "calm" } } },
    ],
  },
  {
    name: "history that brings a state back starts its delay again",
    covers: ["after.restart", "history.shallow"],
    machine: () =>
      createMachine({
        initial: "p",
        states: {
          p: {
            initial: "a",
            states: { a: { on: { NEXT: "b" } }, b: { after: { [2 * hour]: "c" } }, c: {}, back: { type: "history" } },
            on: { PAUSE: "paused" },
          },
          paused: { on: { RESUME: "p.back" } },
        },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { hours: 1 },
      { send: { type: "PAUSE" } },
      { hours: 8 },
      { expect: { value: "paused" } },
      { send: { type: "RESUME" } },
      { hours: 1 },
      { expect: { value: { p: "b" } } },
      { hours: 1 },
      { expect: { value: { p: "c" } } },
    ],
  },
  {
    name: "a delay of many years comes when they have passed",
    covers: ["after.long"],
    machine: () => createMachine({ initial: "a", states: { a: { after: { [87_600 * hour]: "b" } }, b: {} } }),
    steps: [
      { hours: 1000 },
      { expect: { value: "a" } },
      { hours: 80_000 },
      { expect: { value: "a" } },
      { hours: 7_000 },
      { expect: { value: "b" } },
    ],
  },
  {
    name: "a delayed transition's actions see the event of the delay",
    covers: ["after.event", "action.event"],
    machine: ({ trace }) =>
      setup({ delays: { soon: hour } }).createMachine({
        id: "m",
        initial: "a",
        states: {
          a: { after: { [hour]: { target: "b", actions: ({ event }) => trace(event) } } },
          b: { after: { soon: { target: "c", actions: ({ event }) => trace(event) } } },
          c: { entry: ({ event }) => trace(event.type) },
        },
      }),
    steps: [
      { hours: 2 },
      {
        expect: {
          value: "c",
          trace: [{ type: `xstate.after.${hour}.m.a` }, { type: "xstate.after.soon.m.b" }, "xstate.after.soon.m.b"],
        },
      },
    ],
  },
  {
    name: "a delayed transition raises events and passes through eventless ones like any other",
    covers: ["after.macrostep", "raise.immediate", "eventless.chain"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { after: { [hour]: { target: "b", actions: raise({ type: "E" }) } } },
          b: { always: "c" },
          c: { on: { E: { target: "d", actions: () => trace("e in c") } } },
          d: {},
        },
      }),
    steps: [{ hours: 1 }, { expect: { value: "d", trace: ["e in c"] } }],
  },
  {
    name: "a delay with a name that is a function and a delay in numbers stand side by side",
    covers: ["after.several", "after.named", "after.numeric"],
    machine: ({ trace }) =>
      setup({
        types: {} as { context: { n: number } },
        delays: { long: () => 3 * hour, short: hour },
      }).createMachine({
        context: { n: 0 },
        initial: "a",
        states: {
          a: {
            after: {
              long: { target: "b", actions: () => trace("long") },
              [2 * hour]: { actions: () => trace("two") },
              short: { actions: () => trace("short") },
            },
          },
          b: {},
        },
      }),
    steps: [{ hours: 5 }, { expect: { value: "b", trace: ["short", "two", "long"] } }],
  },
];

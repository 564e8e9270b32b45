/** Delayed `raise` and `sendTo`, and `cancel`. */
import { assign, cancel, createMachine, emit, enqueueActions, raise, sendTo, setup } from "xstate";
import { hour, type Scenario } from "../../scenarios/scenario.ts";
import { noted } from "./noted.ts";

export const timers: readonly Scenario[] = [
  {
    name: "a delayed raise brings its event when its time has come",
    covers: ["raise.delay"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { entry: raise({ type: "TICK" }, { delay: 2 * hour }), on: { TICK: "b" } },
          b: noted(trace, "b"),
        },
      }),
    steps: [{ hours: 1 }, { expect: { value: "a" } }, { hours: 1 }, { expect: { value: "b", trace: ["+b"] } }],
  },
  {
    name: "a delayed raise comes also when the state that set it was left",
    covers: ["raise.delay", "raise.outlives-state"],
    machine: () =>
      createMachine({
        initial: "a",
        states: {
          a: { entry: raise({ type: "TICK" }, { delay: 2 * hour }), on: { NEXT: "b", TICK: "wrong" } },
          b: { on: { TICK: "c" } },
          c: {},
          wrong: {},
        },
      }),
    steps: [{ send: { type: "NEXT" } }, { hours: 2 }, { expect: { value: "c" } }],
  },
  {
    name: "a delayed raise has its event made when it is set",
    covers: ["raise.delay", "raise.expression"],
    machine: () =>
      createMachine({
        context: { n: 1, got: 0 },
        on: {
          SET: {
            actions: [
              raise(({ context }) => ({ type: "TICK", n: context.n }), { delay: hour }),
              assign({ n: ({ context }) => context.n + 10 }),
            ],
          },
          TICK: { actions: assign({ got: ({ event }) => event.n }) },
        },
      }),
    steps: [{ send: { type: "SET" } }, { hours: 1 }, { expect: { context: { n: 11, got: 1 } } }],
  },
  {
    name: "a delayed raise takes its delay from context and event",
    covers: ["raise.delay-dynamic"],
    machine: ({ trace }) =>
      createMachine({
        context: { factor: 2 },
        on: {
          IN: {
            actions: raise(
              { type: "TICK" },
              { delay: ({ context, event }) => context.factor * (event as unknown as { hours: number }).hours * hour },
            ),
          },
          TICK: { actions: () => trace("tick") },
        },
      }),
    steps: [
      { send: { type: "IN", hours: 2 } },
      { hours: 3 },
      { expect: { trace: [] } },
      { hours: 1 },
      { expect: { trace: ["tick"] } },
    ],
  },
  {
    name: "a delayed raise takes its delay by name, fixed or as a function",
    covers: ["raise.delay-named"],
    machine: ({ trace }) =>
      setup({
        types: {} as { context: { n: number }; events: { type: "SET" } | { type: "TICK"; of: string } },
        delays: { fixed: hour, made: ({ context }) => context.n * hour },
      }).createMachine({
        context: { n: 3 },
        on: {
          SET: {
            actions: [
              raise({ type: "TICK", of: "made" }, { delay: "made" }),
              raise({ type: "TICK", of: "fixed" }, { delay: "fixed" }),
            ],
          },
          TICK: { actions: ({ event }) => trace(event.of) },
        },
      }),
    steps: [
      { send: { type: "SET" } },
      { hours: 1 },
      { expect: { trace: ["fixed"] } },
      { hours: 2 },
      { expect: { trace: ["fixed", "made"] } },
    ],
  },
  {
    name: "cancel stops a delayed raise by its id",
    covers: ["cancel.id", "raise.id"],
    machine: ({ trace }) =>
      createMachine({
        on: {
          SET: { actions: raise({ type: "TICK" }, { delay: 2 * hour, id: "tick" }) },
          STOP: { actions: cancel("tick") },
          TICK: { actions: () => trace("tick") },
        },
      }),
    steps: [
      { send: { type: "SET" } },
      { hours: 1 },
      { send: { type: "STOP" } },
      { hours: 4 },
      { expect: { trace: [] } },
      { send: { type: "SET" } },
      { hours: 2 },
      { expect: { trace: ["tick"] } },
    ],
  },
  {
    name: "cancel leaves timers of other ids alone, and those without an id",
    covers: ["cancel.id"],
    machine: ({ trace }) =>
      setup({
        types: {} as { events: { type: "SET" } | { type: "STOP" } | { type: "TICK"; of: string } },
      }).createMachine({
        on: {
          SET: {
            actions: [
              raise({ type: "TICK", of: "a" }, { delay: hour, id: "a" }),
              raise({ type: "TICK", of: "b" }, { delay: hour, id: "b" }),
              raise({ type: "TICK", of: "none" }, { delay: hour }),
            ],
          },
          STOP: { actions: cancel("a") },
          TICK: { actions: ({ event }) => trace(event.of) },
        },
      }),
    steps: [{ send: { type: "SET" } }, { send: { type: "STOP" } }, { hours: 1 }, { expect: { trace: ["b", "none"] } }],
  },
  {
    name: "cancel of an id that nobody has does nothing",
    covers: ["cancel.unknown"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: { a: { on: { STOP: { target: "b", actions: [cancel("nothing"), () => trace("stopped")] } } }, b: {} },
      }),
    steps: [{ send: { type: "STOP" } }, { expect: { value: "b", trace: ["stopped"] } }],
  },
  {
    name: "cancel that comes after its timer does nothing",
    covers: ["cancel.late"],
    machine: ({ trace }) =>
      createMachine({
        entry: raise({ type: "TICK" }, { delay: hour, id: "tick" }),
        on: { STOP: { actions: cancel("tick") }, TICK: { actions: () => trace("tick") } },
      }),
    steps: [{ hours: 1 }, { send: { type: "STOP" } }, { hours: 2 }, { expect: { trace: ["tick"] } }],
  },
  {
    name: "a timer that is set and cancelled in one list of actions never comes",
    covers: ["cancel.same-step"],
    machine: ({ trace }) =>
      createMachine({
        on: {
          GO: { actions: [raise({ type: "TICK" }, { delay: hour, id: "tick" }), cancel("tick"), () => trace("go")] },
          TICK: { actions: () => trace("tick") },
        },
      }),
    steps: [{ send: { type: "GO" } }, { hours: 2 }, { expect: { trace: ["go"] } }],
  },
  {
    name: "a cancel that stands before a timer of the same id leaves the new timer alone",
    covers: ["cancel.same-step", "cancel.restart"],
    machine: ({ trace }) =>
      createMachine({
        on: {
          POKE: { actions: [cancel("idle"), raise({ type: "IDLE" }, { delay: 2 * hour, id: "idle" })] },
          IDLE: { actions: () => trace("idle") },
        },
      }),
    steps: [
      { send: { type: "POKE" } },
      { hours: 1 },
      { send: { type: "POKE" } },
      { hours: 1 },
      { send: { type: "POKE" } },
      { expect: { trace: [] } },
      { hours: 2 },
      { expect: { trace: ["idle"] } },
      { hours: 3 },
      { expect: { trace: ["idle"] } },
    ],
  },
  {
    name: "two timers of one id both come",
    covers: ["raise.same-id"],
    machine: ({ trace }) =>
      setup({ types: {} as { events: { type: "SET"; n: number } | { type: "TICK"; n: number } } }).createMachine({
        on: {
          SET: {
            actions: raise(({ event }) => ({ type: "TICK" as const, n: event.n }), { delay: 2 * hour, id: "same" }),
          },
          TICK: { actions: ({ event }) => trace(event.n) },
        },
      }),
    steps: [
      { send: { type: "SET", n: 1 } },
      { hours: 1 },
      { send: { type: "SET", n: 2 } },
      { hours: 1 },
      { expect: { trace: [1] } },
      { hours: 1 },
      { expect: { trace: [1, 2] } },
    ],
  },
  {
    name: "of two timers of one id cancel stops the newer one",
    covers: ["cancel.same-id", "raise.same-id"],
    machine: ({ trace }) =>
      setup({
        types: {} as { events: { type: "SET"; n: number } | { type: "STOP" } | { type: "TICK"; n: number } },
      }).createMachine({
        on: {
          SET: {
            actions: raise(({ event }) => ({ type: "TICK" as const, n: event.n }), { delay: 3 * hour, id: "same" }),
          },
          STOP: { actions: cancel("same") },
          TICK: { actions: ({ event }) => trace(event.n) },
        },
      }),
    steps: [
      { send: { type: "SET", n: 1 } },
      { hours: 1 },
      { send: { type: "SET", n: 2 } },
      { send: { type: "STOP" } },
      { hours: 9 },
      { expect: { trace: [1] } },
    ],
  },
  {
    name: "the id to cancel may be made of context and event",
    covers: ["cancel.dynamic"],
    machine: ({ trace }) =>
      setup({
        types: {} as { events: { type: "SET" } | { type: "STOP"; which: string } | { type: "TICK"; of: string } },
      }).createMachine({
        on: {
          SET: {
            actions: [
              raise({ type: "TICK", of: "a" }, { delay: hour, id: "a" }),
              raise({ type: "TICK", of: "b" }, { delay: hour, id: "b" }),
            ],
          },
          STOP: { actions: cancel(({ event }) => event.which) },
          TICK: { actions: ({ event }) => trace(event.of) },
        },
      }),
    steps: [
      { send: { type: "SET" } },
      { send: { type: "STOP", which: "b" } },
      { hours: 1 },
      { expect: { trace: ["a"] } },
    ],
  },
  {
    name: "cancel stops the delay of an after transition by the name of its event",
    covers: ["cancel.after"],
    machine: () =>
      createMachine({
        id: "m",
        initial: "a",
        states: {
          a: { after: { [2 * hour]: "late" }, on: { HOLD: { actions: cancel(`xstate.after.${2 * hour}.m.a`) } } },
          late: {},
        },
      }),
    steps: [{ send: { type: "HOLD" } }, { hours: 4 }, { expect: { value: "a" } }],
  },
  {
    name: "an actor sends itself a delayed event",
    covers: ["sendTo.delay", "sendTo.self"],
    machine: ({ trace }) =>
      setup({ types: {} as { events: { type: "TICK"; n: number } } }).createMachine({
        entry: sendTo(({ self }) => self, { type: "TICK", n: 5 }, { delay: 2 * hour }),
        on: { TICK: { actions: ({ event }) => trace(event.n) } },
      }),
    steps: [{ hours: 1 }, { expect: { trace: [] } }, { hours: 1 }, { expect: { trace: [5] } }],
  },
  {
    name: "a delayed send to itself is cancelled by its id",
    covers: ["sendTo.delay", "cancel.id"],
    machine: ({ trace }) =>
      setup({ types: {} as { events: { type: "STOP" } | { type: "TICK"; of: string } } }).createMachine({
        entry: [
          sendTo(({ self }) => self, { type: "TICK", of: "a" }, { delay: 2 * hour, id: "a" }),
          sendTo(({ self }) => self, { type: "TICK", of: "b" }, { delay: 2 * hour, id: "b" }),
        ],
        on: { STOP: { actions: cancel("a") }, TICK: { actions: ({ event }) => trace(event.of) } },
      }),
    steps: [{ send: { type: "STOP" } }, { hours: 2 }, { expect: { trace: ["b"] } }],
  },
  {
    name: "a delayed send to itself takes its delay by name",
    covers: ["sendTo.delay", "after.named"],
    machine: ({ trace }) =>
      setup({
        types: {} as { events: { type: "TICK" } },
        delays: { soon: hour },
      }).createMachine({
        entry: sendTo(({ self }) => self, { type: "TICK" }, { delay: "soon" }),
        on: { TICK: { actions: () => trace("tick") } },
      }),
    steps: [{ hours: 1 }, { expect: { trace: ["tick"] } }],
  },
  {
    name: "a machine that raises a delayed event again and again ticks like a clock",
    covers: ["raise.delay", "raise.periodic"],
    machine: () =>
      createMachine({
        context: { ticks: 0 },
        initial: "runs",
        states: {
          runs: {
            entry: raise({ type: "TICK" }, { delay: hour, id: "tick" }),
            on: {
              TICK: {
                actions: [
                  assign({ ticks: ({ context }) => context.ticks + 1 }),
                  raise({ type: "TICK" }, { delay: hour, id: "tick" }),
                ],
              },
              STOP: "stopped",
            },
            exit: cancel("tick"),
          },
          stopped: {},
        },
      }),
    steps: [
      { hours: 3 },
      { expect: { value: "runs", context: { ticks: 3 } } },
      { send: { type: "STOP" } },
      { hours: 3 },
      { expect: { value: "stopped", context: { ticks: 3 } } },
    ],
  },
  {
    name: "a raise with a delay of zero comes after the step, not in it",
    covers: ["raise.zero-delay"],
    machine: ({ trace }) =>
      createMachine({
        on: {
          GO: {
            actions: [raise({ type: "ZERO" }, { delay: 0 }), raise({ type: "NOW" }), () => trace("go")],
          },
          ZERO: { actions: () => trace("zero") },
          NOW: { actions: () => trace("now") },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { trace: ["go", "now", "zero"] } }],
  },
  {
    name: "enqueue.raise with a delay and enqueue.cancel do what the actions of the same names do",
    covers: ["enqueueActions.raise", "enqueueActions.cancel", "raise.delay"],
    machine: ({ trace }) =>
      setup({
        types: {} as { events: { type: "SET" } | { type: "STOP" } | { type: "TICK"; of: string } },
      }).createMachine({
        on: {
          SET: {
            actions: enqueueActions(({ enqueue }) => {
              enqueue.raise({ type: "TICK", of: "a" }, { delay: hour, id: "a" });
              enqueue.raise({ type: "TICK", of: "b" }, { delay: hour, id: "b" });
            }),
          },
          STOP: { actions: enqueueActions(({ enqueue }) => enqueue.cancel("b")) },
          TICK: { actions: ({ event }) => trace(event.of) },
        },
      }),
    steps: [{ send: { type: "SET" } }, { send: { type: "STOP" } }, { hours: 1 }, { expect: { trace: ["a"] } }],
  },
  {
    name: "a delayed event for which no state has a transition is gone",
    covers: ["raise.delay", "event.unhandled"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { entry: raise({ type: "TICK" }, { delay: hour }), after: { [3 * hour]: "b" } },
          b: { on: { TICK: { actions: () => trace("tick") } } },
        },
      }),
    steps: [{ hours: 5 }, { expect: { value: "b", trace: [] } }],
  },
  {
    name: "delayed events of different lengths come in the order in which they are due",
    covers: ["raise.delay", "raise.order"],
    machine: ({ trace }) =>
      setup({ types: {} as { events: { type: "SET" } | { type: "TICK"; n: number } } }).createMachine({
        on: {
          SET: {
            actions: [3, 1, 2].map((n) => raise({ type: "TICK" as const, n }, { delay: n * hour })),
          },
          TICK: { actions: ({ event }) => trace(event.n) },
        },
      }),
    steps: [{ send: { type: "SET" } }, { hours: 4 }, { expect: { trace: [1, 2, 3] } }],
  },
  {
    name: "what a delayed event emits, logs and assigns is seen like that of any other event",
    covers: ["raise.delay", "emit.event", "assign.object"],
    machine: ({ trace }) =>
      createMachine({
        context: { n: 0 },
        entry: raise({ type: "TICK" }, { delay: hour }),
        on: {
          TICK: {
            actions: [assign({ n: 1 }), emit(({ context }) => ({ type: "ticked", n: context.n })), () => trace("t")],
          },
        },
      }),
    steps: [{ hours: 1 }, { expect: { context: { n: 1 }, emitted: [{ type: "ticked", n: 1 }], trace: ["t"] } }],
  },
  {
    name: "no timer comes after the machine has ended",
    covers: ["raise.delay", "final.ignored"],
    machine: ({ trace }) =>
      createMachine({
        entry: raise({ type: "TICK" }, { delay: 2 * hour }),
        initial: "a",
        states: { a: { on: { END: "end" } }, end: { type: "final" } },
        on: { TICK: { actions: () => trace("tick") } },
      }),
    steps: [{ send: { type: "END" } }, { hours: 4 }, { expect: { status: "done", trace: [] } }],
  },
  {
    name: "a delayed event carries values of all kinds",
    covers: ["raise.delay", "value.timer"],
    machine: () =>
      createMachine({
        context: { got: null as unknown },
        on: {
          SET: {
            actions: raise(
              ({ event }) =>
                ({ type: "TICK", value: (event as unknown as { value: unknown }).value }) as { type: string },
              { delay: hour },
            ),
          },
          TICK: { actions: assign({ got: ({ event }) => event.value }) },
        },
      }),
    steps: [
      { send: { type: "SET", value: { when: new Date(7), big: 5n, none: undefined } } },
      { hours: 1 },
      { expect: { context: { got: { when: new Date(7), big: 5n, none: undefined } } } },
    ],
  },
  {
    name: "an event from outside and a timer of the same type are the same to the machine",
    covers: ["raise.delay", "event.exact"],
    machine: ({ trace }) =>
      createMachine({
        context: { n: 0 },
        entry: raise({ type: "TICK" }, { delay: 2 * hour }),
        on: { TICK: { actions: [assign({ n: ({ context }) => context.n + 1 }), ({ context }) => trace(context.n)] } },
      }),
    steps: [{ hours: 1 }, { send: { type: "TICK" } }, { hours: 1 }, { expect: { context: { n: 2 }, trace: [1, 2] } }],
  },
];

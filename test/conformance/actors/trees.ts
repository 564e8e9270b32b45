/** Children of children: what goes down and up, and what ends with what. */
import { assign, createMachine, forwardTo, sendParent, sendTo, setup, spawnChild, stopChild } from "xstate";
import { hour, type Scenario } from "../../scenarios/scenario.ts";
import { counter, fragile, mortal, ticker } from "./logic.ts";

export const scenarios: readonly Scenario[] = [
  {
    name: "the output of a grandchild becomes the output of the child and comes to the root",
    covers: ["actors.tree", "actors.output"],
    machine: () => {
      const middle = setup({ actors: { mortal } }).createMachine({
        context: { got: "" },
        initial: "waiting",
        states: {
          waiting: {
            invoke: {
              src: "mortal",
              id: "inner",
              onDone: { target: "over", actions: assign({ got: ({ event }) => `${event.output} from inside` }) },
            },
            on: { END: { actions: forwardTo("inner") } },
          },
          over: { type: "final" },
        },
        output: ({ context }) => context.got,
      });
      return setup({ actors: { middle } }).createMachine({
        context: { got: undefined as unknown },
        initial: "waiting",
        states: {
          waiting: {
            invoke: {
              src: "middle",
              id: "middle",
              onDone: { target: "over", actions: assign({ got: ({ event }) => event.output }) },
            },
            on: { END: { actions: forwardTo("middle") } },
          },
          over: {},
        },
      });
    },
    steps: [
      { send: { type: "END", value: "news" } },
      { expect: { value: "over", context: { got: "news from inside" } } },
    ],
  },
  {
    name: "a chain of three machines starts from the top and reports from the bottom",
    covers: ["actors.tree"],
    machine: () => {
      const bottom = setup({
        types: { input: {} as { depth: number }, context: {} as { depth: number } },
      }).createMachine({
        context: ({ input }) => ({ depth: input.depth }),
        entry: sendParent(({ context }) => ({ type: "REPORT", path: [context.depth] })),
      });
      const middle = setup({
        actors: { bottom },
        types: { input: {} as { depth: number }, context: {} as { depth: number } },
      }).createMachine({
        context: ({ input }) => ({ depth: input.depth }),
        invoke: { src: "bottom", input: ({ context }) => ({ depth: context.depth + 1 }) },
        on: {
          REPORT: {
            actions: sendParent(({ context, event }) => ({ type: "REPORT", path: [context.depth, ...event.path] })),
          },
        },
      });
      return setup({ actors: { middle } }).createMachine({
        context: { path: [] as number[] },
        invoke: { src: "middle", input: { depth: 1 } },
        on: { REPORT: { actions: assign({ path: ({ event }) => event.path }) } },
      });
    },
    steps: [{ expect: { context: { path: [1, 2] } } }],
  },
  {
    name: "children of one name below different parents never mix",
    covers: ["actors.tree", "actors.isolated"],
    machine: () => {
      const middle = setup({ actors: { counter } }).createMachine({
        invoke: { src: "counter", id: "inner" },
        on: {
          ADD: { actions: forwardTo("inner") },
          TELL: { actions: forwardTo("inner") },
          COUNT: { actions: sendParent(({ event, self }) => ({ type: "COUNT", from: self.id, n: event.n })) },
        },
      });
      return setup({ actors: { middle } }).createMachine({
        context: { counts: {} as Record<string, number> },
        invoke: [
          { src: "middle", id: "left" },
          { src: "middle", id: "right" },
        ],
        on: {
          ADD: { actions: sendTo(({ event }) => event.to, { type: "ADD" }) },
          ASK: { actions: [sendTo("left", { type: "TELL" }), sendTo("right", { type: "TELL" })] },
          COUNT: {
            actions: assign({ counts: ({ context, event }) => ({ ...context.counts, [event.from]: event.n }) }),
          },
        },
      });
    },
    steps: [
      { send: { type: "ADD", to: "left" } },
      { send: { type: "ADD", to: "left" } },
      { send: { type: "ADD", to: "right" } },
      { send: { type: "ASK" } },
      { expect: { context: { counts: { left: 2, right: 1 } } } },
    ],
  },
  {
    name: "three children with three children each all report",
    covers: ["actors.tree"],
    machine: () => {
      const leaf = setup({}).createMachine({ entry: sendParent(({ self }) => ({ type: "LEAF", id: self.id })) });
      const branch = setup({ actors: { leaf } }).createMachine({
        invoke: [
          { src: "leaf", id: "x" },
          { src: "leaf", id: "y" },
          { src: "leaf", id: "z" },
        ],
        on: { LEAF: { actions: sendParent(({ event, self }) => ({ type: "LEAF", id: `${self.id}.${event.id}` })) } },
      });
      return setup({ actors: { branch } }).createMachine({
        context: { leaves: [] as string[] },
        invoke: [
          { src: "branch", id: "a" },
          { src: "branch", id: "b" },
          { src: "branch", id: "c" },
        ],
        // Sorted: between actors that do not know each other there is no order.
        on: { LEAF: { actions: assign({ leaves: ({ context, event }) => [...context.leaves, event.id].sort() }) } },
      });
    },
    steps: [{ expect: { context: { leaves: ["a.x", "a.y", "a.z", "b.x", "b.y", "b.z", "c.x", "c.y", "c.z"] } } }],
  },
  {
    name: "an error that a child does not handle goes up to whoever does",
    covers: ["actors.tree", "errors.unhandled", "actors.error"],
    machine: () => {
      const middle = setup({ actors: { fragile } }).createMachine({
        invoke: { src: "fragile", id: "inner" },
        on: { FAIL: { actions: forwardTo("inner") } },
      });
      return setup({ actors: { middle } }).createMachine({
        context: { reason: "", from: "" },
        initial: "working",
        states: {
          working: {
            invoke: {
              src: "middle",
              id: "middle",
              onError: {
                target: "failed",
                actions: assign({
                  reason: ({ event }) => (event.error as Error).message,
                  from: ({ event }) => event.actorId,
                }),
              },
            },
            on: { FAIL: { actions: forwardTo("middle") } },
          },
          failed: {},
        },
      });
    },
    steps: [
      { send: { type: "FAIL", reason: "deep down" } },
      { expect: { value: "failed", status: "active", context: { reason: "deep down", from: "middle" } } },
    ],
  },
  {
    name: "an error that a child handles stays with it",
    covers: ["actors.tree", "invoke.onError"],
    machine: () => {
      const middle = setup({ actors: { fragile } }).createMachine({
        initial: "working",
        states: {
          working: {
            invoke: { src: "fragile", id: "inner", onError: "mended" },
            on: { FAIL: { actions: forwardTo("inner") } },
          },
          mended: { entry: sendParent({ type: "MENDED" }) },
        },
      });
      return setup({ actors: { middle } }).createMachine({
        initial: "working",
        invoke: { src: "middle", id: "middle" },
        states: { working: { on: { FAIL: { actions: forwardTo("middle") }, MENDED: "glad" } }, glad: {} },
      });
    },
    steps: [{ send: { type: "FAIL", reason: "deep down" } }, { expect: { value: "glad", status: "active" } }],
  },
  {
    name: "an error that nobody handles ends the whole tree with it",
    covers: ["actors.tree", "errors.unhandled"],
    machine: () => {
      const middle = setup({ actors: { fragile } }).createMachine({
        invoke: { src: "fragile", id: "inner" },
        on: { FAIL: { actions: forwardTo("inner") } },
      });
      return setup({ actors: { middle } }).createMachine({
        invoke: { src: "middle", id: "middle" },
        on: { FAIL: { actions: forwardTo("middle") } },
      });
    },
    steps: [
      { send: { type: "FAIL", reason: "deep down" } },
      { expect: { status: "error", error: { name: "Error", message: "deep down" } } },
    ],
  },
  {
    name: "stopping a child stops its children and their timers",
    covers: ["actors.stop", "actors.tree", "actors.timers"],
    machine: ({ trace }) => {
      const leaf = createMachine({
        initial: "waiting",
        states: { waiting: { after: { [2 * hour]: { actions: () => trace("leaf fired") } } } },
      });
      const middle = setup({ actors: { leaf } }).createMachine({ invoke: { src: "leaf", id: "leaf" } });
      return setup({ actors: { middle } }).createMachine({
        initial: "on",
        states: { on: { invoke: { src: "middle", id: "middle" }, on: { OFF: "off" } }, off: {} },
      });
    },
    steps: [{ hours: 1 }, { send: { type: "OFF" } }, { hours: 5 }, { expect: { value: "off", trace: [] } }],
  },
  {
    name: "a root that ends stops its whole tree",
    covers: ["actors.stop", "actors.tree", "actors.timers"],
    machine: ({ trace }) => {
      const leaf = createMachine({
        initial: "waiting",
        states: { waiting: { after: { [2 * hour]: { actions: () => trace("leaf fired") } } } },
      });
      const middle = setup({ actors: { leaf } }).createMachine({ invoke: { src: "leaf", id: "leaf" } });
      return setup({ actors: { middle } }).createMachine({
        invoke: { src: "middle", id: "middle" },
        initial: "on",
        states: { on: { on: { END: "over" } }, over: { type: "final" } },
        output: { reason: "asked to" },
      });
    },
    steps: [
      { send: { type: "END" } },
      { expect: { status: "done", output: { reason: "asked to" } } },
      { hours: 5 },
      { expect: { status: "done", output: { reason: "asked to" }, trace: [] } },
    ],
  },
  {
    name: "a root that ends with an error stops its other children",
    covers: ["actors.stop", "errors.unhandled"],
    machine: ({ trace }) => {
      const clock = createMachine({
        initial: "waiting",
        states: { waiting: { after: { [hour]: { actions: () => trace("clock fired") } } } },
      });
      return setup({ actors: { clock, fragile } }).createMachine({
        invoke: [
          { src: "clock", id: "clock" },
          { src: "fragile", id: "kid" },
        ],
        on: { FAIL: { actions: forwardTo("kid") } },
      });
    },
    steps: [
      { send: { type: "FAIL", reason: "broken" } },
      { expect: { status: "error", error: { message: "broken" } } },
      { hours: 3 },
      { expect: { status: "error", trace: [] } },
    ],
  },
  {
    name: "a child that ends stops its own children",
    covers: ["actors.stop", "actors.tree"],
    machine: ({ trace }) => {
      const leaf = createMachine({
        initial: "waiting",
        states: { waiting: { after: { [hour]: { actions: () => trace("leaf fired") } } } },
      });
      const middle = setup({ actors: { leaf } }).createMachine({
        invoke: { src: "leaf", id: "leaf" },
        initial: "on",
        states: { on: { on: { END: "over" } }, over: { type: "final" } },
        output: "ended",
      });
      return setup({ actors: { middle } }).createMachine({
        context: { got: undefined as unknown },
        invoke: { src: "middle", id: "middle", onDone: { actions: assign({ got: ({ event }) => event.output }) } },
        on: { END: { actions: forwardTo("middle") } },
      });
    },
    steps: [
      { send: { type: "END" } },
      { hours: 3 },
      { expect: { status: "active", context: { got: "ended" }, trace: [] } },
    ],
  },
  {
    name: "a child's timer fires in the child",
    covers: ["actors.timers"],
    machine: () =>
      setup({ actors: { ticker } }).createMachine({
        context: { ticks: [] as string[] },
        invoke: { src: "ticker", id: "clock" },
        on: { TICK: { actions: assign({ ticks: ({ context, event }) => [...context.ticks, event.from] }) } },
      }),
    steps: [{ hours: 3 }, { expect: { context: { ticks: ["clock", "clock", "clock"] } } }],
  },
  {
    name: "timers of several children fire in the order in which they are due",
    covers: ["actors.timers"],
    machine: () => {
      const alarm = setup({
        types: { input: {} as { hours: number }, context: {} as { hours: number } },
        delays: { wait: ({ context }) => context.hours * hour },
      }).createMachine({
        context: ({ input }) => ({ hours: input.hours }),
        initial: "waiting",
        states: {
          waiting: { after: { wait: "rung" } },
          rung: { entry: sendParent(({ self }) => ({ type: "RING", from: self.id })) },
        },
      });
      return setup({ actors: { alarm } }).createMachine({
        context: { rung: [] as string[] },
        invoke: [
          { src: "alarm", id: "late", input: { hours: 5 } },
          { src: "alarm", id: "soon", input: { hours: 1 } },
          { src: "alarm", id: "middle", input: { hours: 3 } },
        ],
        on: { RING: { actions: assign({ rung: ({ context, event }) => [...context.rung, event.from] }) } },
      });
    },
    steps: [
      { hours: 1 },
      { expect: { context: { rung: ["soon"] } } },
      { hours: 6 },
      { expect: { context: { rung: ["soon", "middle", "late"] } } },
    ],
  },
  {
    name: "a child that is invoked again starts its timer anew",
    covers: ["actors.timers", "invoke.reenter"],
    machine: () => {
      const alarm = createMachine({
        initial: "waiting",
        states: { waiting: { after: { [2 * hour]: "rung" } }, rung: { entry: sendParent({ type: "RING" }) } },
      });
      return setup({ actors: { alarm } }).createMachine({
        context: { rings: 0 },
        initial: "on",
        states: { on: { invoke: { src: "alarm", id: "alarm" }, on: { AGAIN: { target: "on", reenter: true } } } },
        on: { RING: { actions: assign({ rings: ({ context }) => context.rings + 1 }) } },
      });
    },
    steps: [
      { hours: 1 },
      { send: { type: "AGAIN" } },
      { hours: 1 },
      // Three hours after the first alarm was set, one and a half after the second.
      { expect: { context: { rings: 0 } } },
      { hours: 1 },
      { expect: { context: { rings: 1 } } },
    ],
  },
  {
    name: "a child that ends before its timer is due never hears of it",
    covers: ["actors.timers", "actors.output"],
    machine: ({ trace }) => {
      const job = createMachine({
        initial: "working",
        states: {
          working: { after: { [hour]: { target: "late", actions: () => trace("late") } }, on: { FINISH: "finished" } },
          late: { type: "final" },
          finished: { type: "final" },
        },
      });
      return setup({ actors: { job } }).createMachine({
        initial: "waiting",
        states: {
          waiting: {
            invoke: { src: "job", id: "job", onDone: "ready" },
            on: { FINISH: { actions: forwardTo("job") } },
          },
          ready: {},
        },
      });
    },
    steps: [{ send: { type: "FINISH" } }, { hours: 3 }, { expect: { value: "ready", trace: [] } }],
  },
  {
    name: "a machine with children running gives its output when it ends",
    covers: ["actors.output", "actors.stop"],
    machine: () =>
      setup({ actors: { ticker, counter } }).createMachine({
        context: { n: 1 },
        entry: [spawnChild("ticker", { id: "clock" }), spawnChild("counter", { id: "counter" })],
        initial: "on",
        states: { on: { on: { END: { target: "over", actions: assign({ n: 2 }) } } }, over: { type: "final" } },
        output: ({ context }) => ({ n: context.n }),
      }),
    steps: [{ hours: 1 }, { send: { type: "END" } }, { expect: { status: "done", value: "over", output: { n: 2 } } }],
  },
  {
    name: "stopping one child leaves its sisters alive",
    covers: ["actors.stop", "spawn.stopChild"],
    machine: () => {
      const middle = setup({ actors: { ticker } }).createMachine({
        invoke: { src: "ticker", id: "clock" },
        on: { TICK: { actions: sendParent(({ self }) => ({ type: "TICK", from: self.id })) } },
      });
      return setup({ actors: { middle } }).createMachine({
        context: { from: [] as string[] },
        entry: [spawnChild("middle", { id: "a" }), spawnChild("middle", { id: "b" })],
        on: {
          STOP: { actions: stopChild("a") },
          TICK: { actions: assign({ from: ({ context, event }) => [...context.from, event.from] }) },
        },
      });
    },
    steps: [{ send: { type: "STOP" } }, { hours: 2 }, { expect: { context: { from: ["b", "b"] } } }],
  },
];

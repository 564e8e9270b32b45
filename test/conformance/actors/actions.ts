/** Actions that have to do with actors: what runs when, and what enqueueActions can do to them. */
import {
  assertEvent,
  assign,
  createMachine,
  emit,
  enqueueActions,
  forwardTo,
  log,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from "xstate";
import { hour, type Scenario } from "../../scenarios/scenario.ts";
import { counter, echo, ticker } from "./logic.ts";

export const scenarios: readonly Scenario[] = [
  {
    name: "a parent's own actions run before what its messages make a child do",
    covers: ["action.order", "action.context"],
    // The child's actions come after its parent's step on a live actor too: messages leave when the step is over.
    machine: ({ trace }) => {
      const kid = createMachine({ on: { GO: { actions: () => trace("kid") } } });
      return setup({ actors: { kid } }).createMachine({
        invoke: { src: "kid", id: "kid" },
        on: { GO: { actions: [() => trace("before"), sendTo("kid", { type: "GO" }), () => trace("after")] } },
      });
    },
    steps: [{ send: { type: "GO" } }, { expect: { trace: ["before", "after", "kid"] } }],
  },
  {
    name: "a child starts after its parent's entry actions have run",
    covers: ["action.order", "logic.machine"],
    machine: ({ trace }) => {
      const kid = createMachine({ entry: () => trace("kid in") });
      return setup({ actors: { kid } }).createMachine({
        initial: "off",
        states: {
          off: { exit: () => trace("off out"), on: { ON: { target: "on", actions: () => trace("turning on") } } },
          on: { entry: () => trace("on in"), invoke: { src: "kid" } },
        },
      });
    },
    steps: [{ send: { type: "ON" } }, { expect: { value: "on", trace: ["off out", "turning on", "on in", "kid in"] } }],
  },
  {
    name: "a custom action in a child sees the child's context, event and parameters",
    covers: ["action.context", "action.params"],
    machine: ({ trace }) => {
      const kid = setup({
        types: { context: {} as { name: string } },
        actions: {
          note: ({ context, event }, params: { mark: string }) => trace([context.name, event.type, params.mark]),
        },
      }).createMachine({
        context: { name: "kid" },
        on: {
          GO: {
            actions: [
              { type: "note", params: { mark: "!" } },
              assign({ name: "renamed" }),
              { type: "note", params: ({ event }) => ({ mark: event.mark }) },
            ],
          },
        },
      });
      return setup({ actors: { kid } }).createMachine({
        context: { name: "parent" },
        invoke: { src: "kid", id: "kid" },
        on: { GO: { actions: forwardTo("kid") } },
      });
    },
    steps: [
      { send: { type: "GO", mark: "?" } },
      {
        expect: {
          trace: [
            ["kid", "GO", "!"],
            ["renamed", "GO", "?"],
          ],
        },
      },
    ],
  },
  {
    name: "what comes from a promise runs its actions when it comes",
    covers: ["action.order", "invoke.onDone"],
    machine: ({ trace }) =>
      setup({ actors: { load: echo } }).createMachine({
        initial: "loading",
        states: {
          loading: {
            entry: () => trace("loading"),
            exit: () => trace("not loading"),
            invoke: { src: "load", input: 7, onDone: { target: "ready", actions: ({ event }) => trace(event.output) } },
          },
          ready: { entry: () => trace("ready") },
        },
      }),
    steps: [{ expect: { value: "ready", trace: ["loading", "not loading", 7, "ready"] } }],
  },
  {
    name: "log writes values, plain and made from context and event",
    covers: ["log.value", "log.expression", "log.label"],
    machine: () =>
      setup({}).createMachine({
        context: { n: 4 },
        on: {
          GO: {
            actions: [
              log("started"),
              log(({ context, event }) => context.n + event.by),
              log(({ context }) => ({ n: context.n }), "context"),
            ],
          },
        },
      }),
    steps: [{ send: { type: "GO", by: 3 } }, { expect: { logged: ["started", 7, { n: 4 }] } }],
  },
  {
    name: "a child logs like its parent",
    covers: ["log.child"],
    machine: () => {
      const kid = createMachine({ on: { GO: { actions: log("kid") } } });
      return setup({ actors: { kid } }).createMachine({
        invoke: { src: "kid", id: "kid" },
        on: { GO: { actions: [log("parent"), forwardTo("kid")] } },
      });
    },
    steps: [{ send: { type: "GO" } }, { expect: { logged: ["parent", "kid"] } }],
  },
  {
    name: "enqueueActions starts children, sends to them and stops them",
    covers: ["enqueueActions.actors", "spawn.spawnChild", "spawn.stopChild"],
    machine: () =>
      setup({ actors: { ticker, counter } }).createMachine({
        context: { ticks: 0, seen: -1 },
        on: {
          START: {
            actions: enqueueActions(({ enqueue }) => {
              enqueue.spawnChild("ticker", { id: "clock" });
              enqueue.spawnChild("counter", { id: "counter", input: { from: 5 } });
              enqueue.sendTo("counter", { type: "ADD", by: 2 });
            }),
          },
          STOP: {
            actions: enqueueActions(({ enqueue }) => {
              enqueue.sendTo("counter", { type: "TELL" });
              enqueue.stopChild("clock");
            }),
          },
          TICK: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      }),
    steps: [
      { send: { type: "START" } },
      { hours: 1 },
      { send: { type: "STOP" } },
      { hours: 2 },
      { expect: { status: "active", context: { ticks: 1, seen: 7 } } },
    ],
  },
  {
    name: "enqueueActions spawns in assign and sends to what it spawned",
    covers: ["enqueueActions.actors", "spawn.assign"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { kid: undefined as any, seen: -1 },
        on: {
          START: {
            actions: enqueueActions(({ enqueue }) => {
              enqueue.assign({ kid: (args: any) => args.spawn("counter", { id: "kid", input: { from: 1 } }) });
              enqueue.sendTo(
                ({ context }) => context.kid,
                () => ({ type: "ADD", by: 10 }),
              );
              enqueue.sendTo(({ context }) => context.kid, { type: "TELL" });
            }),
          },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      }),
    steps: [{ send: { type: "START" } }, { expect: { context: { kid: { ref: "kid" }, seen: 11 } } }],
  },
  {
    name: "enqueueActions forwards, sends to the parent, emits and cancels",
    covers: ["enqueueActions.actors", "send.forwardTo", "send.sendParent", "enqueueActions.emit", "send.cancel"],
    machine: () => {
      const kid = createMachine({
        entry: sendParent({ type: "RANG" }, { delay: hour, id: "alarm" }),
        on: {
          GO: {
            actions: enqueueActions(({ enqueue, event }) => {
              enqueue.cancel("alarm");
              enqueue.sendParent({ type: "GOT", value: (event as any).value });
            }),
          },
        },
      });
      return setup({ actors: { kid }, types: { emitted: {} as { type: "FORWARDED" } } }).createMachine({
        context: { got: 0, rang: 0 },
        invoke: { src: "kid", id: "kid" },
        on: {
          GO: {
            actions: enqueueActions(({ enqueue }) => {
              enqueue(forwardTo("kid"));
              enqueue.emit({ type: "FORWARDED" });
            }),
          },
          GOT: { actions: assign({ got: ({ event }) => event.value }) },
          RANG: { actions: assign({ rang: ({ context }) => context.rang + 1 }) },
        },
      });
    },
    steps: [
      { send: { type: "GO", value: 3 } },
      { hours: 2 },
      { expect: { context: { got: 3, rang: 0 }, emitted: [{ type: "FORWARDED" }] } },
    ],
  },
  {
    name: "enqueueActions asks guards and decides whom to send to",
    covers: ["enqueueActions.actors", "send.sendTo"],
    machine: () =>
      setup({
        actors: { counter },
        guards: { isLarge: (_, params: { n: number }) => params.n > 10 },
      }).createMachine({
        context: { counts: {} as Record<string, number> },
        invoke: [
          { src: "counter", id: "small" },
          { src: "counter", id: "large" },
        ],
        on: {
          PUT: {
            actions: enqueueActions(({ enqueue, check, event }) => {
              enqueue.sendTo(check({ type: "isLarge", params: { n: event.n } }) ? "large" : "small", { type: "ADD" });
            }),
          },
          ASK: { actions: [sendTo("small", { type: "TELL" }), sendTo("large", { type: "TELL" })] },
          COUNT: {
            actions: assign({ counts: ({ context, event }) => ({ ...context.counts, [event.from]: event.n }) }),
          },
        },
      }),
    steps: [
      { send: { type: "PUT", n: 5 } },
      { send: { type: "PUT", n: 50 } },
      { send: { type: "PUT", n: 500 } },
      { send: { type: "ASK" } },
      { expect: { context: { counts: { small: 1, large: 2 } } } },
    ],
  },
  {
    name: "a named action stops what another named action started",
    covers: ["spawn.spawnChild", "spawn.stopChild"],
    machine: () =>
      setup({
        actors: { ticker },
        actions: { startClock: spawnChild("ticker", { id: "clock" }), stopClock: stopChild("clock") },
      }).createMachine({
        context: { ticks: 0 },
        on: {
          START: { actions: "startClock" },
          STOP: { actions: "stopClock" },
          TICK: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) },
        },
      }),
    steps: [
      { send: { type: "START" } },
      { hours: 1 },
      { send: { type: "STOP" } },
      { hours: 2 },
      { expect: { context: { ticks: 1 } } },
    ],
  },
  {
    name: "assertEvent lets the events pass that it names",
    covers: ["assertEvent.type"],
    machine: () =>
      setup({
        types: {
          context: {} as { values: number[] },
          events: {} as { type: "SET"; value: number } | { type: "set.many"; values: number[] } | { type: "CLEAR" },
        },
        actions: {
          set: assign({
            values: ({ event }) => {
              assertEvent(event, ["SET", "set.many"]);
              return event.type === "SET" ? [event.value] : event.values;
            },
          }),
          clear: assign({
            values: ({ event }) => {
              assertEvent(event, "CLEAR");
              return [];
            },
          }),
        },
      }).createMachine({
        context: { values: [] },
        on: { SET: { actions: "set" }, "set.*": { actions: "set" }, CLEAR: { actions: "clear" } },
      }),
    steps: [
      { send: { type: "SET", value: 1 } },
      { expect: { context: { values: [1] } } },
      { send: { type: "set.many", values: [2, 3] } },
      { expect: { context: { values: [2, 3] } } },
      { send: { type: "CLEAR" } },
      { expect: { context: { values: [] } } },
    ],
  },
  {
    name: "assertEvent that does not hold in a child comes to its parent by onError",
    covers: ["assertEvent.type", "actors.error"],
    machine: () => {
      const kid = createMachine({
        on: {
          "*": {
            actions: assign(({ event }) => {
              assertEvent(event, "EXPECTED");
              return {};
            }),
          },
        },
      });
      return setup({ actors: { kid } }).createMachine({
        context: { reason: "" },
        initial: "on",
        states: {
          on: {
            invoke: {
              src: "kid",
              id: "kid",
              onError: { target: "failed", actions: assign({ reason: ({ event }) => (event.error as Error).message }) },
            },
            on: {
              OTHER: { actions: sendTo("kid", { type: "OTHER" }) },
              EXPECTED: { actions: sendTo("kid", { type: "EXPECTED" }) },
            },
          },
          failed: {},
        },
      });
    },
    steps: [
      { send: { type: "EXPECTED" } },
      { expect: { value: "on" } },
      { send: { type: "OTHER" } },
      {
        expect: {
          value: "failed",
          context: { reason: 'Expected event {"type":"OTHER"} to have type matching "EXPECTED"' },
        },
      },
    ],
  },
  {
    name: "actions, messages and emitted events of one transition all happen",
    covers: ["action.order", "emit.order", "send.order"],
    machine: ({ trace }) =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: -1 },
        invoke: { src: "counter", id: "kid" },
        on: {
          GO: {
            actions: [
              () => trace("one"),
              sendTo("kid", { type: "ADD", by: 3 }),
              emit({ type: "HALF" }),
              log("half"),
              () => trace("two"),
              sendTo("kid", { type: "TELL" }),
              emit({ type: "WHOLE" }),
              log("whole"),
            ],
          },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      }),
    steps: [
      { send: { type: "GO" } },
      {
        expect: {
          context: { seen: 3 },
          trace: ["one", "two"],
          emitted: [{ type: "HALF" }, { type: "WHOLE" }],
          logged: ["half", "whole"],
        },
      },
    ],
  },
];

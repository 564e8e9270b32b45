/** `enqueueActions`: actions that are put together while the machine runs; and `log` and `emit`. */
import { assign, createMachine, emit, enqueueActions, log, raise, sendTo, setup, stateIn } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";

export const enqueued: readonly Scenario[] = [
  {
    name: "enqueued actions run in the order in which they were enqueued",
    covers: ["enqueueActions.order"],
    machine: ({ trace }) =>
      createMachine({
        context: { n: 0 },
        on: {
          GO: {
            actions: [
              () => trace("before"),
              enqueueActions(({ enqueue }) => {
                enqueue(() => trace("one"));
                enqueue.assign({ n: 5 });
                enqueue(({ context }) => trace(`two ${context.n}`));
              }),
              ({ context }) => trace(`after ${context.n}`),
            ],
          },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { context: { n: 5 }, trace: ["before", "one", "two 5", "after 5"] } }],
  },
  {
    name: "enqueueActions decides on the context as it is at its place",
    covers: ["enqueueActions.context", "assign.sequence"],
    machine: ({ trace }) =>
      createMachine({
        context: { n: 0 },
        on: {
          GO: {
            actions: [
              assign({ n: ({ context }) => context.n + 1 }),
              enqueueActions(({ context, enqueue }) => {
                enqueue(assign({ n: ({ context }) => context.n * 10 }));
                // What was enqueued has not been done yet.
                enqueue(() => trace(context.n));
              }),
            ],
          },
        },
      }),
    steps: [
      { send: { type: "GO" } },
      { expect: { context: { n: 10 }, trace: [1] } },
      { send: { type: "GO" } },
      { expect: { context: { n: 110 }, trace: [1, 11] } },
    ],
  },
  {
    name: "check asks an inline guard, a named one, and one with params",
    covers: ["enqueueActions.check", "guard.params"],
    machine: ({ trace }) =>
      setup({
        types: {} as { context: { n: number }; events: { type: "GO"; n: number } },
        guards: {
          isPositive: ({ event }) => event.n > 0,
          isAbove: ({ event }, params: { min: number }) => event.n > params.min,
        },
      }).createMachine({
        context: { n: 0 },
        on: {
          GO: {
            actions: enqueueActions(({ enqueue, check, event }) => {
              if (check("isPositive")) enqueue(() => trace(`${event.n} is positive`));
              if (check({ type: "isAbove", params: { min: 5 } })) enqueue(() => trace(`${event.n} is above 5`));
              if (check(({ event }) => event.n % 2 === 0)) enqueue(() => trace(`${event.n} is even`));
            }),
          },
        },
      }),
    steps: [
      { send: { type: "GO", n: -1 } },
      { expect: { trace: [] } },
      { send: { type: "GO", n: 3 } },
      { send: { type: "GO", n: 8 } },
      { expect: { trace: ["3 is positive", "8 is positive", "8 is above 5", "8 is even"] } },
    ],
  },
  {
    name: "check may ask in which state the machine is",
    covers: ["enqueueActions.check", "guard.stateIn"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: { a: { on: { NEXT: "b" } }, b: {} },
        on: {
          ASK: {
            actions: enqueueActions(({ enqueue, check }) => {
              enqueue(() => trace(check(stateIn("b")) ? "b" : "not b"));
            }),
          },
        },
      }),
    steps: [
      { send: { type: "ASK" } },
      { send: { type: "NEXT" } },
      { send: { type: "ASK" } },
      { expect: { value: "b", trace: ["not b", "b"] } },
    ],
  },
  {
    name: "enqueue takes named actions, with params and without",
    covers: ["enqueueActions.named", "action.params"],
    machine: ({ trace }) =>
      setup({
        types: {} as { context: { n: number }; events: { type: "GO" } },
        actions: {
          plain: () => trace("plain"),
          say: (_, params: { text: string }) => trace(params.text),
          double: assign({ n: ({ context }) => context.n * 2 }),
        },
      }).createMachine({
        context: { n: 21 },
        on: {
          GO: {
            actions: enqueueActions(({ enqueue }) => {
              enqueue("plain");
              enqueue({ type: "say", params: { text: "with params" } });
              enqueue("double");
            }),
          },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { context: { n: 42 }, trace: ["plain", "with params"] } }],
  },
  {
    name: "enqueue.raise raises an event for the same step",
    covers: ["enqueueActions.raise"],
    machine: ({ trace }) =>
      setup({ types: {} as { events: { type: "GO"; times: number } | { type: "TICK"; i: number } } }).createMachine({
        initial: "a",
        states: {
          a: {
            on: {
              GO: {
                actions: enqueueActions(({ enqueue, event }) => {
                  for (let i = 1; i <= event.times; i++) enqueue.raise({ type: "TICK", i });
                  enqueue(() => trace("enqueued"));
                }),
              },
              TICK: { actions: ({ event }) => trace(event.i) },
            },
          },
        },
      }),
    steps: [{ send: { type: "GO", times: 3 } }, { expect: { trace: ["enqueued", 1, 2, 3] } }],
  },
  {
    name: "enqueueActions may be named and take params, and may hold another one",
    covers: ["enqueueActions.named", "enqueueActions.nested"],
    machine: ({ trace }) =>
      setup({
        types: {} as { context: { n: number }; events: { type: "GO" } },
        actions: {
          inner: enqueueActions(({ enqueue }, params: { by: number }) => {
            enqueue.assign({ n: ({ context }) => context.n + params.by });
          }),
          show: ({ context }) => trace(context.n),
        },
      }).createMachine({
        context: { n: 0 },
        on: {
          GO: {
            actions: enqueueActions(({ enqueue }) => {
              enqueue({ type: "inner", params: { by: 2 } });
              enqueue("show");
              enqueue({ type: "inner", params: { by: 3 } });
              enqueue("show");
            }),
          },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { context: { n: 5 }, trace: [2, 5] } }],
  },
  {
    name: "enqueueActions that enqueues nothing does nothing",
    covers: ["enqueueActions.order"],
    machine: ({ trace }) =>
      setup({ types: {} as { events: { type: "GO"; yes: boolean } } }).createMachine({
        context: { n: 1 },
        entry: enqueueActions(() => {}),
        on: {
          GO: { actions: [enqueueActions(({ event, enqueue }) => void (event.yes && enqueue(() => trace("yes"))))] },
        },
      }),
    steps: [
      { send: { type: "GO", yes: false } },
      { expect: { context: { n: 1 }, trace: [] } },
      { send: { type: "GO", yes: true } },
      { expect: { trace: ["yes"] } },
    ],
  },
  {
    name: "enqueueActions works on entry and exit as on transitions",
    covers: ["enqueueActions.order", "action.entry", "action.exit"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: {
            entry: enqueueActions(({ enqueue }) => enqueue(() => trace("+a"))),
            exit: enqueueActions(({ enqueue }) => enqueue(() => trace("-a"))),
            on: { GO: "b" },
          },
          b: { entry: enqueueActions(({ enqueue }) => enqueue.raise({ type: "ON" })), on: { ON: "c" } },
          c: {},
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "c", trace: ["+a", "-a"] } }],
  },
  {
    name: "enqueue.sendTo and enqueue.emit do what the actions of the same names do",
    covers: ["enqueueActions.sendTo", "enqueueActions.emit", "sendTo.self", "emit.event"],
    machine: ({ trace }) =>
      setup({
        types: {} as {
          events: { type: "GO" } | { type: "BACK"; n: number };
          emitted: { type: "told"; n: number };
        },
      }).createMachine({
        on: {
          GO: {
            actions: enqueueActions(({ enqueue, self }) => {
              enqueue.sendTo(self, { type: "BACK", n: 7 });
              enqueue.emit({ type: "told", n: 1 });
            }),
          },
          BACK: { actions: [({ event }) => trace(event.n), emit({ type: "told", n: 2 })] },
        },
      }),
    steps: [
      { send: { type: "GO" } },
      {
        expect: {
          trace: [7],
          emitted: [
            { type: "told", n: 1 },
            { type: "told", n: 2 },
          ],
        },
      },
    ],
  },
  {
    name: "log writes a fixed value, or one made of context and event",
    covers: ["log.value", "log.expression"],
    machine: () =>
      setup({ types: {} as { events: { type: "SAY"; text: string } } }).createMachine({
        context: { n: 4 },
        entry: log("started"),
        on: { SAY: { actions: log(({ context, event }) => `${event.text} ${context.n}`) } },
      }),
    steps: [
      { expect: { logged: ["started"] } },
      { send: { type: "SAY", text: "hello" } },
      { expect: { logged: ["started", "hello 4"] } },
    ],
  },
  {
    name: "log takes a label and writes the context of its place",
    covers: ["log.label", "log.expression", "assign.sequence"],
    machine: () =>
      createMachine({
        context: { n: 0 },
        on: {
          GO: {
            actions: [
              log(({ context }) => context.n, "before"),
              assign({ n: 1 }),
              log(({ context }) => ({ n: context.n }), "after"),
            ],
          },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { logged: [0, { n: 1 }] } }],
  },
  {
    name: "log without a value writes context and event",
    covers: ["log.default"],
    machine: () => createMachine({ context: { n: 1 }, on: { GO: { actions: log() } } }),
    steps: [
      { send: { type: "GO", x: 2 } },
      { expect: { logged: [{ context: { n: 1 }, event: { type: "GO", x: 2 } }] } },
    ],
  },
  {
    name: "emitted events go out in the order in which they were emitted",
    covers: ["emit.event", "emit.order"],
    machine: () =>
      createMachine({
        context: { n: 0 },
        initial: "a",
        states: {
          a: {
            exit: emit({ type: "left a" }),
            on: {
              GO: {
                target: "b",
                actions: [
                  assign({ n: ({ event }) => event.n }),
                  emit(({ context, event }) => ({ type: "went", n: context.n, to: event.type })),
                  raise({ type: "ON" }),
                ],
              },
            },
          },
          b: { entry: emit({ type: "entered b" }), on: { ON: { actions: emit({ type: "on" }) } } },
        },
      }),
    steps: [
      { send: { type: "GO", n: 3 } },
      {
        expect: {
          value: "b",
          emitted: [{ type: "left a" }, { type: "went", n: 3, to: "GO" }, { type: "entered b" }, { type: "on" }],
        },
      },
    ],
  },
  {
    name: "what is emitted on entry of the initial state and at the very end goes out too",
    covers: ["emit.initial", "emit.final"],
    machine: () =>
      createMachine({
        entry: emit({ type: "started" }),
        exit: emit({ type: "ended" }),
        initial: "a",
        states: { a: { on: { END: "z" } }, z: { type: "final", entry: emit({ type: "final" }) } },
      }),
    steps: [
      { expect: { emitted: [{ type: "started" }] } },
      { send: { type: "END" } },
      { expect: { status: "done", emitted: [{ type: "started" }, { type: "final" }, { type: "ended" }] } },
    ],
  },
  {
    name: "an event that an actor emits does not come back to the actor",
    covers: ["emit.event"],
    machine: ({ trace }) =>
      createMachine({ on: { GO: { actions: emit({ type: "ECHO" }) }, ECHO: { actions: () => trace("heard") } } }),
    steps: [{ send: { type: "GO" } }, { expect: { trace: [], emitted: [{ type: "ECHO" }] } }],
  },
  {
    name: "one and the same log action in several places writes once for each",
    covers: ["log.value", "action.named"],
    machine: () =>
      setup({
        types: {} as { context: { n: number }; events: { type: "GO" } },
        actions: {
          write: log(({ context }, params: { at: string }) => `${params.at} ${context.n}`),
          add: assign({ n: ({ context }) => context.n + 1 }),
        },
      }).createMachine({
        context: { n: 0 },
        initial: "a",
        states: {
          a: {
            exit: ["add", { type: "write", params: { at: "exit" } }],
            on: { GO: { target: "b", actions: ["add", { type: "write", params: { at: "go" } }] } },
          },
          b: { entry: ["add", { type: "write", params: { at: "entry" } }] },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { logged: ["exit 1", "go 2", "entry 3"] } }],
  },
  {
    name: "an action that enqueues a send to the actor itself with a later place sends the later context",
    covers: ["enqueueActions.sendTo", "assign.sequence"],
    machine: ({ trace }) =>
      createMachine({
        context: { n: 1 },
        on: {
          GO: {
            actions: enqueueActions(({ enqueue }) => {
              enqueue(
                sendTo(
                  ({ self }) => self,
                  ({ context }) => ({ type: "BACK", n: context.n }),
                ),
              );
              enqueue.assign({ n: 2 });
              enqueue(
                sendTo(
                  ({ self }) => self,
                  ({ context }) => ({ type: "BACK", n: context.n }),
                ),
              );
            }),
          },
          BACK: { actions: ({ context, event }) => trace([event.n, context.n]) },
        },
      }),
    steps: [
      { send: { type: "GO" } },
      {
        expect: {
          context: { n: 2 },
          trace: [
            [1, 2],
            [2, 2],
          ],
        },
      },
    ],
  },
];

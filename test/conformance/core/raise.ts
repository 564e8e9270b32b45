/** Events that a machine raises for itself, and those it sends to itself. */
import { assign, createMachine, raise, sendTo, setup } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";
import { noted } from "./noted.ts";

export const raises: readonly Scenario[] = [
  {
    name: "a raised event is taken in the same step, after the transition that raised it",
    covers: ["raise.immediate"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { ...noted(trace, "a"), on: { GO: { target: "b", actions: raise({ type: "ON" }) } } },
          b: { ...noted(trace, "b"), on: { ON: { target: "c", actions: () => trace("on") } } },
          c: noted(trace, "c"),
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "c", trace: ["+a", "-a", "+b", "-b", "on", "+c"] } }],
  },
  {
    name: "raised events are taken in the order in which they were raised",
    covers: ["raise.order"],
    machine: ({ trace }) =>
      setup({ types: {} as { events: { type: "GO" } | { type: "X"; n: number } | { type: "Y" } } }).createMachine({
        on: {
          GO: {
            actions: [raise({ type: "X", n: 1 }), raise({ type: "Y" }), raise({ type: "X", n: 2 }), () => trace("go")],
          },
          X: { actions: ({ event }) => trace(`x${event.n}`) },
          Y: { actions: () => trace("y") },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { trace: ["go", "x1", "y", "x2"] } }],
  },
  {
    name: "an event raised while a raised event is taken waits behind those already raised",
    covers: ["raise.order", "raise.nested"],
    machine: ({ trace }) =>
      createMachine({
        on: {
          GO: { actions: [raise({ type: "ONE" }), raise({ type: "TWO" })] },
          ONE: { actions: [() => trace("one"), raise({ type: "ONE_AND_A_HALF" })] },
          TWO: { actions: () => trace("two") },
          ONE_AND_A_HALF: { actions: () => trace("one and a half") },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { trace: ["one", "two", "one and a half"] } }],
  },
  {
    name: "what exit, transition and entry raise is taken in this order, in the new state",
    covers: ["raise.order", "action.order"],
    machine: ({ trace }) =>
      setup({ types: {} as { events: { type: "GO" } | { type: "E"; from: string } } }).createMachine({
        initial: "a",
        states: {
          a: {
            exit: raise({ type: "E", from: "exit" }),
            on: { GO: { target: "b", actions: raise({ type: "E", from: "go" }) }, E: { actions: () => trace("in a") } },
          },
          b: { entry: raise({ type: "E", from: "entry" }), on: { E: { actions: ({ event }) => trace(event.from) } } },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "b", trace: ["exit", "go", "entry"] } }],
  },
  {
    name: "a raised event may be made of context and event",
    covers: ["raise.expression"],
    machine: () =>
      setup({ types: {} as { events: { type: "GO"; n: number } | { type: "SUM"; n: number } } }).createMachine({
        context: { base: 10, got: 0 },
        on: {
          GO: { actions: raise(({ context, event }) => ({ type: "SUM", n: context.base + event.n })) },
          SUM: { actions: assign({ got: ({ event }) => event.n }) },
        },
      }),
    steps: [{ send: { type: "GO", n: 5 } }, { expect: { context: { base: 10, got: 15 } } }],
  },
  {
    name: "a raised event is made of the context at the raise's place in the list",
    covers: ["raise.expression", "assign.sequence"],
    machine: ({ trace }) =>
      createMachine({
        context: { n: 1 },
        on: {
          GO: {
            actions: [
              raise(({ context }) => ({ type: "SHOW", n: context.n })),
              assign({ n: 2 }),
              raise(({ context }) => ({ type: "SHOW", n: context.n })),
            ],
          },
          SHOW: { actions: ({ context, event }) => trace([event.n, context.n]) },
        },
      }),
    steps: [
      { send: { type: "GO" } },
      {
        expect: {
          trace: [
            [1, 2],
            [2, 2],
          ],
        },
      },
    ],
  },
  {
    name: "an event raised on entry of the initial state is taken before the actor is seen for the first time",
    covers: ["raise.initial"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { ...noted(trace, "a"), entry: [() => trace("+a"), raise({ type: "ON" })], on: { ON: "b" } },
          b: noted(trace, "b"),
        },
      }),
    steps: [{ expect: { value: "b", trace: ["+a", "-a", "+b"] } }],
  },
  {
    name: "a raised event that nothing takes is gone",
    covers: ["raise.unhandled"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { on: { GO: { target: "b", actions: raise({ type: "LOST" }) } } },
          b: { on: { NEXT: "c" } },
          c: { on: { LOST: { actions: () => trace("came after all") } } },
        },
      }),
    steps: [{ send: { type: "GO" } }, { send: { type: "NEXT" } }, { expect: { value: "c", trace: [] } }],
  },
  {
    name: "a raised event is taken by every region of a parallel state",
    covers: ["raise.immediate", "parallel.select"],
    machine: () =>
      createMachine({
        type: "parallel",
        states: {
          one: { initial: "a", states: { a: { on: { GO: { actions: raise({ type: "ALL" }) }, ALL: "b" } }, b: {} } },
          two: { initial: "a", states: { a: { on: { ALL: "b" } }, b: {} } },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: { one: "b", two: "b" } } }],
  },
  {
    name: "raised events come before the next event from outside",
    covers: ["raise.order", "event.order"],
    machine: ({ trace }) =>
      createMachine({
        on: {
          A: { actions: [() => trace("a"), raise({ type: "INNER" })] },
          INNER: { actions: () => trace("inner") },
          B: { actions: () => trace("b") },
        },
      }),
    steps: [{ send: { type: "A" } }, { send: { type: "B" } }, { expect: { trace: ["a", "inner", "b"] } }],
  },
  {
    name: "a raised event of a name from setup takes params",
    covers: ["raise.expression", "action.params"],
    machine: ({ trace }) =>
      setup({
        types: {} as { events: { type: "GO" } | { type: "SHOW"; text: string } },
        actions: {
          show: raise((_, params: { text: string }) => ({ type: "SHOW" as const, text: params.text })),
        },
      }).createMachine({
        on: {
          GO: {
            actions: [
              { type: "show", params: { text: "first" } },
              { type: "show", params: { text: "second" } },
            ],
          },
          SHOW: { actions: ({ event }) => trace(event.text) },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { trace: ["first", "second"] } }],
  },
  {
    name: "an event that an actor sends to itself is taken after the step that sent it, and after what it raised",
    covers: ["sendTo.self", "raise.order"],
    machine: ({ trace }) =>
      createMachine({
        on: {
          GO: {
            actions: [sendTo(({ self }) => self, { type: "SENT" }), raise({ type: "RAISED" }), () => trace("go")],
          },
          SENT: { actions: () => trace("sent") },
          RAISED: { actions: () => trace("raised") },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { trace: ["go", "raised", "sent"] } }],
  },
  {
    name: "events that an actor sends to itself keep their order",
    covers: ["sendTo.self"],
    machine: ({ trace }) =>
      createMachine({
        context: { n: 0 },
        on: {
          GO: {
            actions: [
              sendTo(
                ({ self }) => self,
                ({ context }) => ({ type: "SENT", text: `first ${context.n}` }),
              ),
              assign({ n: 1 }),
              sendTo(
                ({ self }) => self,
                ({ context }) => ({ type: "SENT", text: `second ${context.n}` }),
              ),
            ],
          },
          SENT: { actions: ({ event }) => trace(event.text) },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { trace: ["first 0", "second 1"] } }],
  },
  {
    name: "an actor that sends itself an event on entry of its initial state takes it next",
    covers: ["sendTo.self", "initial.state"],
    machine: () =>
      createMachine({
        context: { seen: 0 },
        initial: "a",
        states: {
          a: { entry: sendTo(({ self }) => self, { type: "NEXT" }), on: { NEXT: "b" } },
          b: { entry: assign({ seen: ({ context }) => context.seen + 1 }) },
        },
      }),
    steps: [{ expect: { value: "b", context: { seen: 1 } } }],
  },
  {
    name: "an event that an actor sends itself is taken in the state in which the step ended",
    covers: ["sendTo.self", "eventless.chain"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { on: { GO: { target: "b", actions: sendTo(({ self }) => self, { type: "E" }) } } },
          b: { always: "c", on: { E: { actions: () => trace("in b") } } },
          c: { on: { E: { actions: () => trace("in c") } } },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "c", trace: ["in c"] } }],
  },
];

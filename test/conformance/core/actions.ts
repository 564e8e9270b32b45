/** Custom actions and assigns: their order over the hierarchy, their params, and which context each of them sees. */
import { assign, createMachine, setup } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";
import { noted } from "./noted.ts";

export const actions: readonly Scenario[] = [
  {
    name: "entry actions run from the outermost state inwards",
    covers: ["action.entry", "action.order"],
    machine: ({ trace }) =>
      createMachine({
        entry: () => trace("root"),
        initial: "a",
        states: {
          a: {
            entry: () => trace("a"),
            initial: "b",
            states: { b: { entry: () => trace("b"), initial: "c", states: { c: { entry: () => trace("c") } } } },
          },
        },
      }),
    steps: [{ expect: { value: { a: { b: "c" } }, trace: ["root", "a", "b", "c"] } }],
  },
  {
    name: "exit actions run from the innermost state outwards",
    covers: ["action.exit", "action.order"],
    machine: ({ trace }) =>
      createMachine({
        exit: () => trace("root"),
        initial: "a",
        states: {
          a: {
            exit: () => trace("a"),
            initial: "b",
            states: { b: { exit: () => trace("b"), initial: "c", states: { c: { exit: () => trace("c") } } } },
            on: { OUT: "z" },
          },
          z: { exit: () => trace("z") },
        },
      }),
    steps: [{ send: { type: "OUT" } }, { expect: { value: "z", trace: ["c", "b", "a"] } }],
  },
  {
    name: "several actions of one place run in the order of their list",
    covers: ["action.order"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: {
            exit: [() => trace("exit 1"), () => trace("exit 2")],
            on: { GO: { target: "b", actions: [() => trace("go 1"), () => trace("go 2"), () => trace("go 3")] } },
          },
          b: { entry: [() => trace("entry 1"), () => trace("entry 2")] },
        },
      }),
    steps: [
      { send: { type: "GO" } },
      { expect: { trace: ["exit 1", "exit 2", "go 1", "go 2", "go 3", "entry 1", "entry 2"] } },
    ],
  },
  {
    name: "a named action gets its params, fixed or made of context and event",
    covers: ["action.named", "action.params", "action.params-dynamic"],
    machine: ({ trace }) =>
      setup({
        types: {} as { context: { user: string }; events: { type: "GREET"; text: string } },
        actions: {
          note: (_, params: { readonly text: string; readonly to?: string }) => trace(params),
        },
      }).createMachine({
        context: { user: "ada" },
        entry: { type: "note", params: { text: "started" } },
        on: {
          GREET: {
            actions: { type: "note", params: ({ context, event }) => ({ text: event.text, to: context.user }) },
          },
        },
      }),
    steps: [
      { send: { type: "GREET", text: "hello" } },
      { expect: { trace: [{ text: "started" }, { text: "hello", to: "ada" }] } },
    ],
  },
  {
    name: "the params of an action are made of the context as it is at its place in the list",
    covers: ["action.params-dynamic", "assign.sequence"],
    machine: ({ trace }) =>
      setup({
        types: {} as { context: { n: number }; events: { type: "GO" } },
        actions: {
          note: (_, params: { n: number }) => trace(params.n),
          add: assign({ n: ({ context }, params: { by: number }) => context.n + params.by }),
        },
      }).createMachine({
        context: { n: 1 },
        on: {
          GO: {
            actions: [
              { type: "note", params: ({ context }) => ({ n: context.n }) },
              { type: "add", params: { by: 10 } },
              { type: "note", params: ({ context }) => ({ n: context.n }) },
              { type: "add", params: ({ context }) => ({ by: context.n }) },
              { type: "note", params: ({ context }) => ({ n: context.n }) },
            ],
          },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { context: { n: 22 }, trace: [1, 11, 22] } }],
  },
  {
    name: "a custom action sees the context as it was at its place among the assigns",
    covers: ["action.context", "assign.sequence"],
    machine: ({ trace }) =>
      createMachine({
        context: { n: 0 },
        on: {
          GO: {
            actions: [
              ({ context }) => trace(context.n),
              assign({ n: 1 }),
              ({ context }) => trace(context.n),
              assign({ n: ({ context }) => context.n + 1 }),
              ({ context }) => trace(context.n),
            ],
          },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { context: { n: 2 }, trace: [0, 1, 2] } }],
  },
  {
    name: "assigns in exit, transition and entry build on each other in this order",
    covers: ["assign.sequence", "action.order"],
    machine: () =>
      createMachine({
        context: { path: [] as string[] },
        initial: "a",
        states: {
          a: {
            exit: assign({ path: ({ context }) => [...context.path, "exit a"] }),
            on: { GO: { target: "b", actions: assign({ path: ({ context }) => [...context.path, "go"] }) } },
          },
          b: {
            entry: assign({ path: ({ context }) => [...context.path, `entry b after ${context.path.length}`] }),
          },
        },
      }),
    steps: [
      { expect: { context: { path: [] } } },
      { send: { type: "GO" } },
      { expect: { value: "b", context: { path: ["exit a", "go", "entry b after 2"] } } },
    ],
  },
  {
    name: "an assign of several fields evaluates all of them on the context before it",
    covers: ["assign.object"],
    machine: () =>
      createMachine({
        context: { a: 1, b: 2, untouched: "x" },
        on: { SWAP: { actions: assign({ a: ({ context }) => context.b, b: ({ context }) => context.a }) } },
      }),
    steps: [
      { send: { type: "SWAP" } },
      { expect: { context: { a: 2, b: 1, untouched: "x" } } },
      { send: { type: "SWAP" } },
      { expect: { context: { a: 1, b: 2, untouched: "x" } } },
    ],
  },
  {
    name: "an assign may be one function that gives some of the fields",
    covers: ["assign.function"],
    machine: () =>
      createMachine({
        context: { a: 1, b: 2 },
        on: { SET: { actions: assign(({ context, event }) => ({ b: context.a + event.n })) } },
      }),
    steps: [{ send: { type: "SET", n: 40 } }, { expect: { context: { a: 1, b: 41 } } }],
  },
  {
    name: "an assign mixes fixed values and functions",
    covers: ["assign.object"],
    machine: () =>
      createMachine({
        context: { fixed: 0, made: 0, kept: "k" },
        on: { SET: { actions: assign({ fixed: 7, made: ({ event }) => event.n * 2 }) } },
      }),
    steps: [{ send: { type: "SET", n: 4 } }, { expect: { context: { fixed: 7, made: 8, kept: "k" } } }],
  },
  {
    name: "an assign may add fields that the context did not have",
    covers: ["assign.object", "context.shape"],
    machine: () =>
      createMachine({
        types: {} as { context: { a: number; later?: { at: string } } },
        context: { a: 1 },
        on: { ADD: { actions: assign({ later: ({ event }) => ({ at: event.at }) }) } },
      }),
    steps: [
      { expect: { context: { a: 1 } } },
      { send: { type: "ADD", at: "noon" } },
      { expect: { context: { a: 1, later: { at: "noon" } } } },
    ],
  },
  {
    name: "an assign that gives nothing new leaves the context as it is",
    covers: ["assign.function"],
    machine: ({ trace }) =>
      createMachine({
        context: { n: 3 },
        on: { NOP: { actions: [assign({}), assign(() => ({})), ({ context }) => trace(context)] } },
      }),
    steps: [{ send: { type: "NOP" } }, { expect: { context: { n: 3 }, trace: [{ n: 3 }] } }],
  },
  {
    name: "a context set by an assign is never seen by an action that ran before it",
    covers: ["action.context"],
    machine: ({ trace }) =>
      createMachine({
        context: { list: [] as number[] },
        on: {
          PUSH: {
            actions: [
              ({ context }) => trace(context.list),
              assign({ list: ({ context, event }) => [...context.list, event.n] }),
            ],
          },
        },
      }),
    steps: [
      { send: { type: "PUSH", n: 1 } },
      { send: { type: "PUSH", n: 2 } },
      { send: { type: "PUSH", n: 3 } },
      { expect: { context: { list: [1, 2, 3] }, trace: [[], [1], [1, 2]] } },
    ],
  },
  {
    name: "entry and exit actions see the event that caused them",
    covers: ["action.event", "action.entry", "action.exit"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { exit: ({ event }) => trace(["exit", event]), on: { GO: "b" } },
          b: { entry: ({ event }) => trace(["entry", event]) },
        },
      }),
    steps: [
      { send: { type: "GO", why: "because" } },
      {
        expect: {
          trace: [
            ["exit", { type: "GO", why: "because" }],
            ["entry", { type: "GO", why: "because" }],
          ],
        },
      },
    ],
  },
  {
    name: "the actions of the initial state see the event xstate.init with the input",
    covers: ["action.event", "input.action"],
    machine: ({ trace }) =>
      createMachine({
        entry: ({ event }) => trace(event),
        initial: "a",
        states: { a: { entry: ({ event }) => trace(event.type) } },
      }),
    input: { from: "outside" },
    steps: [{ expect: { trace: [{ type: "xstate.init", input: { from: "outside" } }, "xstate.init"] } }],
  },
  {
    name: "the actions on an initial transition run between the entry of the parent and that of the child",
    covers: ["initial.actions", "action.order"],
    machine: ({ trace }) =>
      createMachine({
        context: { n: 0 },
        entry: () => trace("root"),
        initial: { target: "p", actions: [() => trace("initial of root"), assign({ n: 1 })] },
        states: {
          p: {
            entry: ({ context }) => trace(`p ${context.n}`),
            initial: { target: "c", actions: [() => trace("initial of p"), assign({ n: 2 })] },
            states: { c: { entry: ({ context }) => trace(`c ${context.n}`) } },
          },
        },
      }),
    steps: [
      {
        expect: {
          value: { p: "c" },
          context: { n: 2 },
          trace: ["root", "initial of root", "p 1", "initial of p", "c 2"],
        },
      },
    ],
  },
  {
    name: "the same named action may stand in several places and is run at each",
    covers: ["action.named"],
    machine: ({ trace }) =>
      setup({
        types: {} as { context: { n: number }; events: { type: "GO" } },
        actions: { count: assign({ n: ({ context }) => context.n + 1 }), show: ({ context }) => trace(context.n) },
      }).createMachine({
        context: { n: 0 },
        initial: "a",
        states: {
          a: {
            entry: ["count", "show"],
            exit: ["count", "show"],
            on: { GO: { target: "b", actions: ["count", "count"] } },
          },
          b: { entry: ["show", "count"] },
        },
      }),
    steps: [
      { expect: { context: { n: 1 }, trace: [1] } },
      { send: { type: "GO" } },
      { expect: { value: "b", context: { n: 5 }, trace: [1, 2, 4] } },
    ],
  },
  {
    name: "a named assign takes params from its place",
    covers: ["assign.params"],
    machine: () =>
      setup({
        types: {} as { context: { n: number }; events: { type: "UP" } | { type: "DOWN" } },
        actions: { move: assign(({ context }, params: { by: number }) => ({ n: context.n + params.by })) },
      }).createMachine({
        context: { n: 10 },
        on: {
          UP: { actions: { type: "move", params: { by: 5 } } },
          DOWN: { actions: { type: "move", params: ({ context }) => ({ by: -context.n }) } },
        },
      }),
    steps: [
      { send: { type: "UP" } },
      { expect: { context: { n: 15 } } },
      { send: { type: "DOWN" } },
      { expect: { context: { n: 0 } } },
    ],
  },
  {
    name: "a custom action that is slow or gives a promise does not hold the machine up",
    covers: ["action.async"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: {
            on: {
              GO: {
                target: "b",
                actions: async () => {
                  await Promise.resolve();
                  trace("later");
                },
              },
            },
          },
          b: noted(trace, "b"),
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "b", trace: ["+b", "later"] } }],
  },
  {
    name: "the actions of an event that is forbidden or unknown never run",
    covers: ["action.none", "event.forbidden"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { on: { NO: undefined, IF: { guard: () => false, actions: () => trace("never") } } },
        },
        on: { NO: { actions: () => trace("never") } },
      }),
    steps: [{ send: { type: "NO" } }, { send: { type: "IF" } }, { send: { type: "X" } }, { expect: { trace: [] } }],
  },
];

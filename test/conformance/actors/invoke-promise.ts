/** Invoked promise logic: what goes in, what comes out, and when it does not matter any more. */
import { assign, createMachine, fromPromise, setup } from "xstate";
import { hour, type Scenario } from "../../scenarios/scenario.ts";
import { echo, forever, type Input, sum } from "./logic.ts";

export const scenarios: readonly Scenario[] = [
  {
    name: "an invoked promise's output comes by onDone",
    covers: ["logic.promise", "invoke.onDone"],
    machine: () =>
      setup({ actors: { load: fromPromise(async () => "loaded") } }).createMachine({
        context: { got: "" },
        initial: "loading",
        states: {
          loading: {
            invoke: { src: "load", onDone: { target: "ready", actions: assign({ got: ({ event }) => event.output }) } },
          },
          ready: {},
        },
      }),
    steps: [{ expect: { value: "ready", status: "active", context: { got: "loaded" } } }],
  },
  {
    name: "a promise is invoked when its state is entered, not before",
    covers: ["logic.promise"],
    machine: () =>
      setup({ actors: { load: echo } }).createMachine({
        context: { got: [] },
        initial: "idle",
        states: {
          idle: { on: { LOAD: "loading" } },
          loading: {
            invoke: {
              src: "load",
              input: ({ event }) => event.what,
              onDone: {
                target: "idle",
                actions: assign({ got: ({ context, event }) => [...context.got, event.output] }),
              },
            },
          },
        },
      }),
    steps: [
      { expect: { value: "idle", context: { got: [] } } },
      { send: { type: "LOAD", what: "a" } },
      { expect: { value: "idle", context: { got: ["a"] } } },
      { send: { type: "LOAD", what: "b" } },
      { expect: { value: "idle", context: { got: ["a", "b"] } } },
    ],
  },
  {
    name: "onDone goes where the first guard that holds of the output says",
    covers: ["invoke.onDone"],
    machine: () =>
      setup({ actors: { load: echo } }).createMachine({
        initial: "idle",
        states: {
          idle: { on: { LOAD: "loading" } },
          loading: {
            invoke: {
              src: "load",
              input: ({ event }) => event.amount,
              onDone: [
                { guard: ({ event }) => event.output > 100, target: "much" },
                { guard: ({ event }) => event.output > 10, target: "some" },
                { target: "little" },
              ],
            },
          },
          much: { on: { LOAD: "loading" } },
          some: { on: { LOAD: "loading" } },
          little: {},
        },
      }),
    steps: [
      { send: { type: "LOAD", amount: 500 } },
      { expect: { value: "much" } },
      { send: { type: "LOAD", amount: 50 } },
      { expect: { value: "some" } },
      { send: { type: "LOAD", amount: 5 } },
      { expect: { value: "little" } },
    ],
  },
  {
    name: "onDone without a target stays in the state, and the promise is not invoked again",
    covers: ["invoke.onDone"],
    machine: () =>
      setup({ actors: { load: echo } }).createMachine({
        context: { times: 0 },
        initial: "loading",
        states: {
          loading: {
            invoke: { src: "load", onDone: { actions: assign({ times: ({ context }) => context.times + 1 }) } },
            on: { PING: { actions: assign({ pinged: true }) } },
          },
        },
      }),
    steps: [
      { expect: { value: "loading", contextHas: { times: 1 } } },
      { send: { type: "PING" } },
      { expect: { value: "loading", context: { times: 1, pinged: true } } },
    ],
  },
  {
    name: "a promise that resolves with nothing has an undefined output",
    covers: ["invoke.onDone", "logic.promise"],
    machine: () =>
      setup({ actors: { load: fromPromise(async () => {}) } }).createMachine({
        context: { isUndefined: false },
        initial: "loading",
        states: {
          loading: {
            invoke: {
              src: "load",
              onDone: { target: "ready", actions: assign({ isUndefined: ({ event }) => event.output === undefined }) },
            },
          },
          ready: {},
        },
      }),
    steps: [{ expect: { value: "ready", context: { isUndefined: true } } }],
  },
  {
    name: "a function that returns a value at once counts as resolved",
    covers: ["logic.promise"],
    machine: () =>
      setup({ actors: { load: fromPromise(() => 5 as unknown as Promise<number>) } }).createMachine({
        context: { got: 0 },
        initial: "loading",
        states: {
          loading: {
            invoke: { src: "load", onDone: { target: "ready", actions: assign({ got: ({ event }) => event.output }) } },
          },
          ready: {},
        },
      }),
    steps: [{ expect: { value: "ready", context: { got: 5 } } }],
  },
  {
    name: "static input reaches an invoked promise",
    covers: ["invoke.input"],
    machine: () =>
      setup({ actors: { sum } }).createMachine({
        context: { got: 0 },
        initial: "adding",
        states: {
          adding: {
            invoke: {
              src: "sum",
              input: { left: 2, right: 3 },
              onDone: { target: "ready", actions: assign({ got: ({ event }) => event.output }) },
            },
          },
          ready: {},
        },
      }),
    steps: [{ expect: { value: "ready", context: { got: 5 } } }],
  },
  {
    name: "input of an invoked promise is made from the context",
    covers: ["invoke.input"],
    machine: () =>
      setup({ actors: { sum } }).createMachine({
        context: ({ input }) => ({ left: (input as any).left, right: 10, got: 0 }),
        initial: "adding",
        states: {
          adding: {
            invoke: {
              src: "sum",
              input: ({ context }) => ({ left: context.left, right: context.right }),
              onDone: { target: "ready", actions: assign({ got: ({ event }) => event.output }) },
            },
          },
          ready: {},
        },
      }),
    input: { left: 1 },
    steps: [{ expect: { value: "ready", context: { left: 1, right: 10, got: 11 } } }],
  },
  {
    name: "input of an invoked promise is made from the event that entered the state",
    covers: ["invoke.input"],
    machine: () =>
      setup({ actors: { sum } }).createMachine({
        context: { got: 0 },
        initial: "idle",
        states: {
          idle: { on: { ADD: "adding" } },
          adding: {
            invoke: {
              src: "sum",
              input: ({ event }) => ({ left: event.left, right: event.right }),
              onDone: { target: "idle", actions: assign({ got: ({ event }) => event.output }) },
            },
          },
        },
      }),
    steps: [
      { send: { type: "ADD", left: 20, right: 2 } },
      { expect: { value: "idle", context: { got: 22 } } },
      { send: { type: "ADD", left: 30, right: 3 } },
      { expect: { value: "idle", context: { got: 33 } } },
    ],
  },
  {
    name: "input of an invoked promise sees what the entry actions assigned",
    covers: ["invoke.input"],
    machine: () =>
      setup({ actors: { echo } }).createMachine({
        context: { attempt: 0, got: 0 },
        initial: "trying",
        states: {
          trying: {
            entry: assign({ attempt: ({ context }) => context.attempt + 1 }),
            invoke: {
              src: "echo",
              input: ({ context }) => context.attempt,
              onDone: { target: "ready", actions: assign({ got: ({ event }) => event.output }) },
            },
          },
          ready: { on: { AGAIN: "trying" } },
        },
      }),
    steps: [
      { expect: { value: "ready", context: { attempt: 1, got: 1 } } },
      { send: { type: "AGAIN" } },
      { expect: { value: "ready", context: { attempt: 2, got: 2 } } },
    ],
  },
  {
    name: "a promise without input gets undefined",
    covers: ["invoke.input"],
    machine: () =>
      setup({ actors: { load: fromPromise<boolean, Input>(async ({ input }) => input === undefined) } }).createMachine({
        context: { got: false },
        initial: "loading",
        states: {
          loading: {
            invoke: { src: "load", onDone: { target: "ready", actions: assign({ got: ({ event }) => event.output }) } },
          },
          ready: {},
        },
      }),
    steps: [{ expect: { value: "ready", context: { got: true } } }],
  },
  {
    name: "dates, maps, sets, big integers, NaN and undefined come out of a promise as they are",
    covers: ["logic.promise", "value.actors"],
    machine: () => {
      const load = fromPromise(async () => ({
        at: new Date(86_400_000),
        prices: new Map([["tea", { cents: 250 }]]),
        tags: new Set(["a", "b"]),
        big: 2n ** 70n,
        nothing: Number.NaN,
        missing: undefined,
        nested: [{ when: new Date(0) }],
      }));
      return setup({ actors: { load } }).createMachine({
        context: { got: undefined as unknown },
        initial: "loading",
        states: {
          loading: {
            invoke: { src: "load", onDone: { target: "ready", actions: assign({ got: ({ event }) => event.output }) } },
          },
          ready: {},
        },
      });
    },
    steps: [
      {
        expect: {
          value: "ready",
          context: {
            got: {
              at: new Date(86_400_000),
              prices: new Map([["tea", { cents: 250 }]]),
              tags: new Set(["a", "b"]),
              big: 2n ** 70n,
              nothing: Number.NaN,
              missing: undefined,
              nested: [{ when: new Date(0) }],
            },
          },
        },
      },
    ],
  },
  {
    name: "dates, maps, sets and big integers reach a promise as they are",
    covers: ["invoke.input", "value.actors"],
    machine: () => {
      const describe = fromPromise<string, any>(
        async ({ input }) =>
          `${input.at.toISOString()} ${input.prices.get("tea")} ${[...input.tags].join("+")} ${input.big * 2n} ${Number.isNaN(input.nan)}`,
      );
      return setup({ actors: { describe } }).createMachine({
        context: { got: "" },
        initial: "loading",
        states: {
          loading: {
            invoke: {
              src: "describe",
              input: {
                at: new Date(0),
                prices: new Map([["tea", 250]]),
                tags: new Set(["a", "b"]),
                big: 21n,
                nan: Number.NaN,
              },
              onDone: { target: "ready", actions: assign({ got: ({ event }) => event.output }) },
            },
          },
          ready: {},
        },
      });
    },
    steps: [{ expect: { value: "ready", context: { got: "1970-01-01T00:00:00.000Z 250 a+b 42 true" } } }],
  },
  {
    name: "several promises of one state are invoked together, and each reports by its own onDone",
    covers: ["invoke.several"],
    // Which comes first is not said; the outcome does not depend on it.
    machine: () =>
      setup({ actors: { echo } }).createMachine({
        context: { left: "", right: "" },
        initial: "loading",
        states: {
          loading: {
            invoke: [
              {
                src: "echo",
                id: "left",
                input: "l",
                onDone: { actions: assign({ left: ({ event }) => event.output }) },
              },
              {
                src: "echo",
                id: "right",
                input: "r",
                onDone: { actions: assign({ right: ({ event }) => event.output }) },
              },
            ],
            always: { guard: ({ context }) => context.left !== "" && context.right !== "", target: "ready" },
          },
          ready: {},
        },
      }),
    steps: [{ expect: { value: "ready", context: { left: "l", right: "r" } } }],
  },
  {
    name: "several invocations of one state without ids do not mix",
    covers: ["invoke.several", "invoke.id"],
    machine: () =>
      setup({ actors: { echo } }).createMachine({
        context: { first: 0, second: 0 },
        initial: "loading",
        states: {
          loading: {
            invoke: [
              { src: "echo", input: 1, onDone: { actions: assign({ first: ({ event }) => event.output }) } },
              { src: "echo", input: 2, onDone: { actions: assign({ second: ({ event }) => event.output }) } },
            ],
          },
        },
      }),
    steps: [{ expect: { value: "loading", context: { first: 1, second: 2 } } }],
  },
  {
    name: "regions of a parallel state invoke promises of their own, and the state is done when all have resolved",
    covers: ["invoke.several", "invoke.onDone"],
    machine: () =>
      setup({ actors: { echo } }).createMachine({
        context: { stock: "", price: "" },
        initial: "checking",
        states: {
          checking: {
            type: "parallel",
            states: {
              stock: {
                initial: "asking",
                states: {
                  asking: {
                    invoke: {
                      src: "echo",
                      input: "in stock",
                      onDone: { target: "known", actions: assign({ stock: ({ event }) => event.output }) },
                    },
                  },
                  known: { type: "final" },
                },
              },
              price: {
                initial: "asking",
                states: {
                  asking: {
                    invoke: {
                      src: "echo",
                      input: "9.99",
                      onDone: { target: "known", actions: assign({ price: ({ event }) => event.output }) },
                    },
                  },
                  known: { type: "final" },
                },
              },
            },
            onDone: "checked",
          },
          checked: {},
        },
      }),
    steps: [{ expect: { value: "checked", context: { stock: "in stock", price: "9.99" } } }],
  },
  {
    name: "a state can be left while its promise is under way",
    covers: ["invoke.exit"],
    machine: () =>
      setup({ actors: { forever } }).createMachine({
        initial: "waiting",
        states: {
          waiting: { invoke: { src: "forever", onDone: "wrong" }, on: { CANCEL: "cancelled" } },
          cancelled: {},
          wrong: {},
        },
      }),
    steps: [{ expect: { value: "waiting" } }, { send: { type: "CANCEL" } }, { expect: { value: "cancelled" } }],
  },
  {
    name: "events are handled while a promise is under way",
    covers: ["logic.promise"],
    machine: () =>
      setup({ actors: { forever } }).createMachine({
        context: { n: 0 },
        initial: "waiting",
        states: {
          waiting: {
            invoke: { src: "forever" },
            on: { ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
          },
        },
      }),
    steps: [
      { send: { type: "ADD" } },
      { send: { type: "ADD" } },
      { expect: { value: "waiting", status: "active", context: { n: 2 } } },
    ],
  },
  {
    name: "a promise that takes too long is given up by after",
    covers: ["invoke.exit", "logic.promise"],
    machine: () =>
      setup({ actors: { forever } }).createMachine({
        initial: "waiting",
        states: {
          waiting: { invoke: { src: "forever", onDone: "wrong", onError: "wrong" }, after: { [2 * hour]: "late" } },
          late: {},
          wrong: {},
        },
      }),
    steps: [{ hours: 1 }, { expect: { value: "waiting" } }, { hours: 1 }, { expect: { value: "late" } }],
  },
  {
    name: "a state that is left at once by always leaves no result behind",
    covers: ["invoke.exit"],
    machine: () =>
      setup({ actors: { echo } }).createMachine({
        context: { results: 0 },
        initial: "passing",
        states: {
          passing: {
            invoke: {
              src: "echo",
              id: "load",
              onDone: { actions: assign({ results: ({ context }) => context.results + 1 }) },
            },
            always: "passed",
          },
          passed: {},
        },
      }),
    steps: [{ expect: { value: "passed", status: "active", context: { results: 0 } } }],
  },
  {
    name: "reentering a state invokes its promise again",
    covers: ["invoke.reenter"],
    machine: () =>
      setup({ actors: { echo } }).createMachine({
        context: { results: 0 },
        initial: "loading",
        states: {
          loading: {
            invoke: { src: "echo", onDone: { actions: assign({ results: ({ context }) => context.results + 1 }) } },
            on: { AGAIN: { target: "loading", reenter: true } },
          },
        },
      }),
    steps: [
      { expect: { context: { results: 1 } } },
      { send: { type: "AGAIN" } },
      { expect: { context: { results: 2 } } },
      { send: { type: "AGAIN" } },
      { expect: { value: "loading", context: { results: 3 } } },
    ],
  },
  {
    name: "a transition to the same state without reenter does not invoke its promise again",
    covers: ["invoke.reenter"],
    machine: () =>
      setup({ actors: { echo } }).createMachine({
        context: { results: 0 },
        initial: "loading",
        states: {
          loading: {
            initial: "here",
            states: { here: {}, there: {} },
            invoke: { src: "echo", onDone: { actions: assign({ results: ({ context }) => context.results + 1 }) } },
            on: { SAME: { target: "loading" }, THERE: { target: ".there" } },
          },
        },
      }),
    steps: [
      { send: { type: "THERE" } },
      { expect: { value: { loading: "there" }, context: { results: 1 } } },
      { send: { type: "SAME" } },
      { expect: { value: { loading: "here" }, context: { results: 1 } } },
    ],
  },
  {
    name: "a state asks again until the output is good enough",
    covers: ["invoke.onDone", "invoke.reenter"],
    machine: () =>
      setup({ actors: { echo } }).createMachine({
        context: { asked: 0 },
        initial: "asking",
        states: {
          asking: {
            entry: assign({ asked: ({ context }) => context.asked + 1 }),
            invoke: {
              src: "echo",
              input: ({ context }) => context.asked * 10,
              onDone: [
                { guard: ({ event }) => event.output >= 30, target: "content" },
                { target: "asking", reenter: true },
              ],
            },
          },
          content: {},
        },
      }),
    steps: [{ expect: { value: "content", context: { asked: 3 } } }],
  },
  {
    name: "promises of one state after the other hand on what they found",
    covers: ["invoke.onDone", "invoke.input"],
    machine: () =>
      setup({
        actors: {
          user: fromPromise<string, { id: string }>(async ({ input }) => `user ${input.id}`),
          orders: fromPromise<string[], { user: string }>(async ({ input }) => [
            `${input.user}: 1`,
            `${input.user}: 2`,
          ]),
        },
      }).createMachine({
        context: { user: "", orders: [] },
        initial: "user",
        states: {
          user: {
            invoke: {
              src: "user",
              input: { id: "7" },
              onDone: { target: "orders", actions: assign({ user: ({ event }) => event.output }) },
            },
          },
          orders: {
            invoke: {
              src: "orders",
              input: ({ context }) => ({ user: context.user }),
              onDone: { target: "shown", actions: assign({ orders: ({ event }) => event.output }) },
            },
          },
          shown: { type: "final" },
        },
        output: ({ context }) => context.orders,
      }),
    steps: [{ expect: { value: "shown", status: "done", output: ["user 7: 1", "user 7: 2"] } }],
  },
  {
    name: "the input of a second promise is made from the output of the first",
    covers: ["invoke.input"],
    machine: () =>
      setup({ actors: { echo } }).createMachine({
        context: { got: "" },
        initial: "first",
        states: {
          first: { invoke: { src: "echo", input: "one", onDone: "second" } },
          second: {
            invoke: {
              src: "echo",
              // The event that entered the state is the first promise's done event.
              input: ({ event }) => `${event.output} two`,
              onDone: { target: "ready", actions: assign({ got: ({ event }) => event.output }) },
            },
          },
          ready: {},
        },
      }),
    steps: [{ expect: { value: "ready", context: { got: "one two" } } }],
  },
  {
    name: "a promise invoked by the root runs once, whatever states come and go",
    covers: ["invoke.root"],
    machine: () =>
      setup({ actors: { echo } }).createMachine({
        context: { results: 0 },
        invoke: { src: "echo", onDone: { actions: assign({ results: ({ context }) => context.results + 1 }) } },
        initial: "a",
        states: { a: { on: { GO: "b" } }, b: { on: { GO: "a" } } },
      }),
    steps: [
      { expect: { value: "a", context: { results: 1 } } },
      { send: { type: "GO" } },
      { send: { type: "GO" } },
      { send: { type: "GO" } },
      { expect: { value: "b", context: { results: 1 } } },
    ],
  },
  {
    name: "the root's promise moves the machine on from wherever it is",
    covers: ["invoke.root", "invoke.onDone"],
    machine: () =>
      setup({ actors: { echo } }).createMachine({
        id: "shop",
        invoke: { src: "echo", input: "open", onDone: "#shop.open" },
        initial: "closed",
        states: { closed: {}, open: {} },
      }),
    steps: [{ expect: { value: "open" } }],
  },
  {
    name: "without an id an invocation is named after its state",
    covers: ["invoke.id"],
    machine: () =>
      setup({ actors: { echo } }).createMachine({
        id: "shop",
        context: { seen: [] as unknown[] },
        initial: "opening",
        states: {
          opening: {
            initial: "lights",
            states: { lights: { invoke: { src: "echo", input: "on" } } },
          },
          open: {},
        },
        on: {
          "xstate.done.actor.0.shop.opening.lights": {
            target: ".open",
            actions: assign({ seen: ({ event }) => [event.type, event.actorId, event.output] }),
          },
        },
      }),
    steps: [
      {
        expect: {
          value: "open",
          context: { seen: ["xstate.done.actor.0.shop.opening.lights", "0.shop.opening.lights", "on"] },
        },
      },
    ],
  },
  {
    name: "with an id an invocation is named by it",
    covers: ["invoke.id"],
    machine: () =>
      setup({ actors: { echo } }).createMachine({
        context: { seen: [] as unknown[] },
        initial: "loading",
        states: { loading: { invoke: { src: "echo", id: "load", input: 1 } }, ready: {} },
        on: {
          "xstate.done.actor.load": {
            target: ".ready",
            actions: assign({ seen: ({ event }) => [event.type, event.actorId, event.output] }),
          },
        },
      }),
    steps: [{ expect: { value: "ready", context: { seen: ["xstate.done.actor.load", "load", 1] } } }],
  },
  {
    name: "a partial descriptor takes the done events of all invocations",
    covers: ["invoke.id", "invoke.onDone"],
    machine: () =>
      setup({ actors: { echo } }).createMachine({
        context: { seen: [] as unknown[] },
        initial: "loading",
        states: {
          loading: {
            invoke: [
              { src: "echo", id: "a" },
              { src: "echo", id: "b" },
            ],
          },
        },
        on: {
          "xstate.done.actor.*": {
            // Sorted, since which comes first is not said.
            actions: assign({ seen: ({ context, event }) => [...context.seen, event.actorId].sort() }),
          },
        },
      }),
    steps: [{ expect: { value: "loading", context: { seen: ["a", "b"] } } }],
  },
  {
    name: "a promise can be written into the invocation itself",
    covers: ["invoke.inline", "logic.promise"],
    machine: () =>
      createMachine({
        context: { got: 0 },
        initial: "loading",
        states: {
          loading: {
            invoke: {
              src: fromPromise<number, number>(async ({ input }) => input * 2),
              input: 21,
              onDone: { target: "ready", actions: assign({ got: ({ event }) => event.output }) },
            },
          },
          ready: {},
        },
      }),
    steps: [{ expect: { value: "ready", context: { got: 42 } } }],
  },
  {
    name: "several promises written into the invocations of one state do not mix",
    covers: ["invoke.inline", "invoke.several"],
    machine: () =>
      createMachine({
        context: { a: "", b: "" },
        initial: "loading",
        states: {
          loading: {
            invoke: [
              { src: fromPromise(async () => "A"), onDone: { actions: assign({ a: ({ event }) => event.output }) } },
              { src: fromPromise(async () => "B"), onDone: { actions: assign({ b: ({ event }) => event.output }) } },
            ],
          },
        },
      }),
    steps: [{ expect: { value: "loading", context: { a: "A", b: "B" } } }],
  },
  {
    name: "provide puts other promise logic in the place of the first",
    covers: ["provide.actors"],
    machine: () =>
      setup({ actors: { load: fromPromise(async () => "first") } })
        .createMachine({
          context: { got: "" },
          initial: "loading",
          states: {
            loading: {
              invoke: {
                src: "load",
                onDone: { target: "ready", actions: assign({ got: ({ event }) => event.output }) },
              },
            },
            ready: {},
          },
        })
        .provide({ actors: { load: fromPromise(async () => "provided") } }),
    steps: [{ expect: { value: "ready", context: { got: "provided" } } }],
  },
  {
    name: "a promise gets a signal that is not aborted while it is wanted",
    covers: ["logic.promise"],
    machine: () =>
      setup({
        actors: { load: fromPromise(async ({ signal }) => `${signal instanceof AbortSignal} ${signal.aborted}`) },
      }).createMachine({
        context: { got: "" },
        initial: "loading",
        states: {
          loading: {
            invoke: { src: "load", onDone: { target: "ready", actions: assign({ got: ({ event }) => event.output }) } },
          },
          ready: {},
        },
      }),
    steps: [{ expect: { value: "ready", context: { got: "true false" } } }],
  },
];

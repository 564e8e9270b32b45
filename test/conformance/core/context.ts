/** Context and input: where they come from, and that no actor shares them with another. */
import { assign, createMachine, setup } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";

export const contexts: readonly Scenario[] = [
  {
    name: "a fixed context is there from the beginning",
    covers: ["context.static"],
    machine: () => createMachine({ context: { a: 1, list: ["x"], nested: { deep: true } } }),
    steps: [{ expect: { value: {}, context: { a: 1, list: ["x"], nested: { deep: true } }, status: "active" } }],
  },
  {
    name: "a machine without a context has an empty one",
    covers: ["context.static"],
    machine: () => createMachine({ initial: "a", states: { a: {} } }),
    steps: [{ expect: { value: "a", context: {} } }],
  },
  {
    name: "a context made by a function is made once and then only changed by assigns",
    covers: ["context.lazy"],
    machine: () =>
      createMachine({
        context: () => ({ made: { at: 1 }, n: 0 }),
        on: { ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
      }),
    steps: [{ send: { type: "ADD" } }, { send: { type: "ADD" } }, { expect: { context: { made: { at: 1 }, n: 2 } } }],
  },
  {
    name: "the input makes the context",
    covers: ["input.context", "context.lazy"],
    machine: () =>
      setup({
        types: {} as { context: { name: string; items: readonly string[] }; input: { name: string; items: string[] } },
      }).createMachine({
        context: ({ input }) => ({ name: input.name.toUpperCase(), items: [...input.items, "last"] }),
      }),
    input: { name: "ada", items: ["first"] },
    steps: [{ expect: { context: { name: "ADA", items: ["first", "last"] } } }],
  },
  {
    name: "a machine that is given no input sees undefined",
    covers: ["input.absent"],
    machine: () => createMachine({ context: ({ input }: { input: unknown }) => ({ hasInput: input !== undefined }) }),
    steps: [{ expect: { context: { hasInput: false } } }],
  },
  {
    name: "the input may be a plain value",
    covers: ["input.context"],
    machine: () => createMachine({ context: ({ input }: { input: number }) => ({ twice: input * 2 }) }),
    input: 21,
    steps: [{ expect: { context: { twice: 42 } } }],
  },
  {
    name: "an assign on entry of the initial state sees the context that the input made, and the input itself",
    covers: ["input.action", "assign.sequence", "context.lazy"],
    machine: () =>
      createMachine({
        context: ({ input }: { input: { n: number } }) => ({ n: input.n, fromEvent: 0 }),
        entry: assign({
          n: ({ context }) => context.n + 1,
          fromEvent: ({ event }) => (event as unknown as { input: { n: number } }).input.n,
        }),
      }),
    input: { n: 4 },
    steps: [{ expect: { context: { n: 5, fromEvent: 4 } } }],
  },
  {
    name: "a guard in the first step may ask what the input was",
    covers: ["input.guard", "eventless.initial"],
    machine: () =>
      createMachine({
        context: ({ input }: { input: { vip: boolean } }) => ({ vip: input.vip }),
        initial: "check",
        states: {
          check: { always: [{ guard: ({ context }) => context.vip, target: "fast" }, { target: "slow" }] },
          fast: {},
          slow: {},
        },
      }),
    input: { vip: true },
    steps: [{ expect: { value: "fast" } }],
  },
  {
    name: "a nested context is changed by new objects along the way to the change",
    covers: ["assign.nested"],
    machine: () =>
      createMachine({
        context: { user: { name: "ada", address: { city: "london", zip: "1" } }, n: 0 },
        on: {
          MOVE: {
            actions: assign({
              user: ({ context, event }) => ({
                ...context.user,
                address: { ...context.user.address, city: event.city },
              }),
            }),
          },
        },
      }),
    steps: [
      { send: { type: "MOVE", city: "paris" } },
      { expect: { context: { user: { name: "ada", address: { city: "paris", zip: "1" } }, n: 0 } } },
    ],
  },
  {
    name: "a list in the context grows and shrinks",
    covers: ["assign.nested"],
    machine: () =>
      setup({
        types: {} as {
          context: { items: Array<{ id: number; done: boolean }> };
          events: { type: "ADD"; id: number } | { type: "DONE"; id: number } | { type: "CLEAR" };
        },
      }).createMachine({
        context: { items: [] },
        on: {
          ADD: {
            actions: assign({ items: ({ context, event }) => [...context.items, { id: event.id, done: false }] }),
          },
          DONE: {
            actions: assign({
              items: ({ context, event }) =>
                context.items.map((item) => (item.id === event.id ? { ...item, done: true } : item)),
            }),
          },
          CLEAR: { actions: assign({ items: ({ context }) => context.items.filter((item) => !item.done) }) },
        },
      }),
    steps: [
      { send: { type: "ADD", id: 1 } },
      { send: { type: "ADD", id: 2 } },
      { send: { type: "DONE", id: 1 } },
      {
        expect: {
          context: {
            items: [
              { id: 1, done: true },
              { id: 2, done: false },
            ],
          },
        },
      },
      { send: { type: "CLEAR" } },
      { expect: { context: { items: [{ id: 2, done: false }] } } },
    ],
  },
  {
    name: "one object may stand in two places of the context",
    covers: ["context.shape"],
    machine: () =>
      createMachine({
        types: {} as { context: { first: { n: number } | null; second: { n: number } | null } },
        context: { first: null, second: null },
        on: {
          SET: {
            actions: assign(({ event }) => {
              const shared = { n: event.n };
              return { first: shared, second: shared };
            }),
          },
          CHANGE: { actions: assign({ second: ({ context }) => ({ n: (context.second?.n ?? 0) + 1 }) }) },
        },
      }),
    steps: [
      { send: { type: "SET", n: 1 } },
      { expect: { context: { first: { n: 1 }, second: { n: 1 } } } },
      { send: { type: "CHANGE" } },
      { expect: { context: { first: { n: 1 }, second: { n: 2 } } } },
    ],
  },
  {
    name: "a context may hold texts of all the world's letters, and control characters",
    covers: ["context.shape", "event.payload"],
    machine: () =>
      createMachine({
        context: { text: "" },
        on: { SET: { actions: assign({ text: ({ event }) => event.text }) } },
      }),
    steps: [
      { send: { type: "SET", text: 'zażółć 漢字 🦊 \u0000 \n \u2028 " \\ </script>' } },
      { expect: { context: { text: 'zażółć 漢字 🦊 \u0000 \n \u2028 " \\ </script>' } } },
    ],
  },
  {
    name: "a large context stays whole",
    covers: ["context.shape"],
    machine: () =>
      createMachine({
        context: ({ input }: { input: { size: number } }) => ({
          rows: Array.from({ length: input.size }, (_, i) => ({ i, text: `row ${i}`, even: i % 2 === 0 })),
        }),
        on: { CUT: { actions: assign({ rows: ({ context }) => context.rows.slice(0, 2) }) } },
      }),
    input: { size: 500 },
    steps: [
      {
        expect: {
          context: { rows: Array.from({ length: 500 }, (_, i) => ({ i, text: `row ${i}`, even: i % 2 === 0 })) },
        },
      },
      { send: { type: "CUT" } },
      {
        expect: {
          context: {
            rows: [
              { i: 0, text: "row 0", even: true },
              { i: 1, text: "row 1", even: false },
            ],
          },
        },
      },
    ],
  },
];

/** emit: events for whoever listens to the actor. */
import { assign, createMachine, emit, enqueueActions, raise, sendTo, setup } from "xstate";
import { hour, type Scenario } from "../../scenarios/scenario.ts";

export const scenarios: readonly Scenario[] = [
  {
    name: "emit hands out a plain event",
    covers: ["emit.event"],
    machine: () => createMachine({ on: { GO: { actions: emit({ type: "WENT", how: "fast" }) } } }),
    steps: [
      { expect: { emitted: [] } },
      { send: { type: "GO" } },
      { expect: { emitted: [{ type: "WENT", how: "fast" }] } },
    ],
  },
  {
    name: "emit makes its event from context and event",
    covers: ["emit.expression"],
    machine: () =>
      setup({ types: { emitted: {} as { type: "SUM"; sum: number } } }).createMachine({
        context: { sum: 0 },
        on: {
          ADD: {
            actions: [
              assign({ sum: ({ context, event }) => context.sum + event.value }),
              emit(({ context }) => ({ type: "SUM", sum: context.sum })),
            ],
          },
        },
      }),
    steps: [
      { send: { type: "ADD", value: 2 } },
      { send: { type: "ADD", value: 3 } },
      {
        expect: {
          emitted: [
            { type: "SUM", sum: 2 },
            { type: "SUM", sum: 5 },
          ],
        },
      },
    ],
  },
  {
    name: "emit sees the context as it is at its place among the actions",
    covers: ["emit.expression", "emit.order"],
    machine: () =>
      createMachine({
        context: { n: 0 },
        on: {
          GO: {
            actions: [
              emit(({ context }) => ({ type: "N", n: context.n })),
              assign({ n: 1 }),
              emit(({ context }) => ({ type: "N", n: context.n })),
              assign({ n: 2 }),
              emit(({ context }) => ({ type: "N", n: context.n })),
            ],
          },
        },
      }),
    steps: [
      { send: { type: "GO" } },
      {
        expect: {
          emitted: [
            { type: "N", n: 0 },
            { type: "N", n: 1 },
            { type: "N", n: 2 },
          ],
        },
      },
    ],
  },
  {
    name: "enqueue.emit hands out what it is given",
    covers: ["enqueueActions.emit"],
    machine: () =>
      setup({ types: { emitted: {} as { type: "ITEM"; item: string } | { type: "NONE" } } }).createMachine({
        on: {
          GO: {
            actions: enqueueActions(({ enqueue, event }) => {
              for (const item of event.items) enqueue.emit({ type: "ITEM", item });
              if (event.items.length === 0) enqueue.emit({ type: "NONE" });
            }),
          },
        },
      }),
    steps: [
      { send: { type: "GO", items: ["a", "b"] } },
      { send: { type: "GO", items: [] } },
      { expect: { emitted: [{ type: "ITEM", item: "a" }, { type: "ITEM", item: "b" }, { type: "NONE" }] } },
    ],
  },
  {
    name: "what exit, transition and entry emit comes in that order",
    covers: ["emit.order"],
    machine: () =>
      createMachine({
        initial: "a",
        states: {
          a: {
            entry: emit({ type: "A_IN" }),
            exit: emit({ type: "A_OUT" }),
            on: { NEXT: { target: "b", actions: emit({ type: "NEXT" }) } },
          },
          b: { entry: emit({ type: "B_IN" }), always: { target: "c", actions: emit({ type: "ALWAYS" }) } },
          c: { entry: emit({ type: "C_IN" }) },
        },
      }),
    steps: [
      { expect: { emitted: [{ type: "A_IN" }] } },
      { send: { type: "NEXT" } },
      {
        expect: {
          value: "c",
          emitted: ["A_IN", "A_OUT", "NEXT", "B_IN", "ALWAYS", "C_IN"].map((type) => ({ type })),
        },
      },
    ],
  },
  {
    name: "events of several types are handed out in one order to who listens to all",
    covers: ["emit.order", "emit.wildcard"],
    machine: () =>
      createMachine({
        on: { GO: { actions: [emit({ type: "x" }), emit({ type: "y" }), emit({ type: "x" })] } },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { emitted: [{ type: "x" }, { type: "y" }, { type: "x" }] } }],
  },
  {
    name: "what is emitted is no event for the machine itself",
    covers: ["emit.event"],
    machine: () =>
      createMachine({
        context: { own: 0 },
        on: {
          GO: { actions: emit({ type: "WENT" }) },
          WENT: { actions: assign({ own: ({ context }) => context.own + 1 }) },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { context: { own: 0 }, emitted: [{ type: "WENT" }] } }],
  },
  {
    name: "what a child emits is not emitted by its parent",
    covers: ["emit.child"],
    machine: () => {
      const kid = createMachine({ on: { GO: { actions: emit({ type: "KID_WENT" }) } } });
      return setup({ actors: { kid } }).createMachine({
        invoke: { src: "kid", id: "kid" },
        on: { GO: { actions: [sendTo("kid", { type: "GO" }), emit({ type: "PARENT_WENT" })] } },
      });
    },
    steps: [{ send: { type: "GO" } }, { expect: { emitted: [{ type: "PARENT_WENT" }] } }],
  },
  {
    name: "a machine emits when it ends",
    covers: ["emit.order"],
    machine: () =>
      createMachine({
        initial: "on",
        exit: emit({ type: "ROOT_OUT" }),
        states: {
          on: { on: { END: { target: "over", actions: emit({ type: "ENDING" }) } } },
          over: { type: "final", entry: emit({ type: "OVER" }) },
        },
      }),
    steps: [
      { send: { type: "END" } },
      { expect: { status: "done", emitted: [{ type: "ENDING" }, { type: "OVER" }, { type: "ROOT_OUT" }] } },
    ],
  },
  {
    name: "a machine emits when a timer fires",
    covers: ["emit.expression"],
    machine: () =>
      createMachine({
        context: { name: "egg" },
        initial: "boiling",
        states: {
          boiling: {
            after: {
              [hour]: { target: "ready", actions: emit(({ context }) => ({ type: "READY", what: context.name })) },
            },
          },
          ready: {},
        },
      }),
    steps: [{ hours: 1 }, { expect: { value: "ready", emitted: [{ type: "READY", what: "egg" }] } }],
  },
  {
    name: "a named action emits with its parameters",
    covers: ["emit.expression", "action.params"],
    machine: () =>
      setup({
        types: { emitted: {} as { type: "NOTICE"; text: string } },
        actions: { notify: emit((_, params: { text: string }) => ({ type: "NOTICE", text: params.text })) },
      }).createMachine({
        on: {
          GO: {
            actions: [
              { type: "notify", params: { text: "static" } },
              { type: "notify", params: ({ event }) => ({ text: event.text }) },
            ],
          },
        },
      }),
    steps: [
      { send: { type: "GO", text: "dynamic" } },
      {
        expect: {
          emitted: [
            { type: "NOTICE", text: "static" },
            { type: "NOTICE", text: "dynamic" },
          ],
        },
      },
    ],
  },
  {
    name: "raised events emit after what the first transition emitted",
    covers: ["emit.order"],
    machine: () =>
      createMachine({
        on: {
          GO: { actions: [raise({ type: "INNER" }), emit({ type: "outer" })] },
          INNER: { actions: emit({ type: "inner" }) },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { emitted: [{ type: "outer" }, { type: "inner" }] } }],
  },
  {
    name: "dates and maps in an emitted event stay what they are",
    covers: ["emit.event", "value.actors"],
    machine: () =>
      createMachine({
        on: { GO: { actions: emit({ type: "WENT", at: new Date(4), map: new Map([["a", new Set([1])]]) }) } },
      }),
    steps: [
      { send: { type: "GO" } },
      { expect: { emitted: [{ type: "WENT", at: new Date(4), map: new Map([["a", new Set([1])]]) }] } },
    ],
  },
];

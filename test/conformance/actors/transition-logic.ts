/** Transition logic (fromTransition) as children. */
import { assign, forwardTo, fromTransition, sendTo, setup, spawnChild, stopChild } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";

/** Sums what comes by ADD. */
const adder = fromTransition(
  (context: { readonly sum: number }, event: { type: string; value?: any }) =>
    event.type === "ADD" ? { sum: context.sum + event.value } : context,
  { sum: 0 },
);

/** Sums what comes by ADD, starting from its input. */
const adderFrom = fromTransition(
  (context: { readonly sum: number }, event: { type: string; value?: any }) =>
    event.type === "ADD" ? { sum: context.sum + event.value } : context,
  ({ input }: { input: { readonly from: number } }) => ({ sum: input.from }),
);

export const scenarios: readonly Scenario[] = [
  {
    name: "the parent sees what transition logic comes to by onSnapshot",
    covers: ["logic.transition", "invoke.onSnapshot"],
    machine: () =>
      setup({ actors: { adder } }).createMachine({
        context: { sum: -1 },
        invoke: {
          src: "adder",
          id: "adder",
          onSnapshot: { actions: assign({ sum: ({ event }) => event.snapshot.context.sum }) },
        },
        on: { ADD: { actions: forwardTo("adder") } },
      }),
    steps: [
      { expect: { context: { sum: 0 } } },
      { send: { type: "ADD", value: 3 } },
      { send: { type: "ADD", value: 4 } },
      { expect: { context: { sum: 7 } } },
    ],
  },
  {
    name: "transition logic makes its first state from its input",
    covers: ["logic.transition", "invoke.input"],
    machine: () =>
      setup({ actors: { adderFrom } }).createMachine({
        context: { sum: -1, start: 20 },
        invoke: {
          src: "adderFrom",
          id: "adder",
          input: ({ context }) => ({ from: context.start }),
          onSnapshot: { actions: assign({ sum: ({ event }) => event.snapshot.context.sum }) },
        },
        on: { ADD: { actions: forwardTo("adder") } },
      }),
    steps: [
      { expect: { contextHas: { sum: 20 } } },
      { send: { type: "ADD", value: 5 } },
      { expect: { contextHas: { sum: 25 } } },
    ],
  },
  {
    name: "transition logic started by spawnChild shows its states when it is asked to",
    covers: ["logic.transition", "spawn.spawnChild", "spawn.syncSnapshot"],
    machine: () =>
      setup({ actors: { adder } }).createMachine({
        context: { sums: [] as number[] },
        entry: spawnChild("adder", { id: "adder", syncSnapshot: true }),
        on: {
          ADD: { actions: sendTo("adder", ({ event }) => event) },
          "xstate.snapshot.adder": {
            actions: assign({ sums: ({ context, event }) => [...context.sums, event.snapshot.context.sum] }),
          },
        },
      }),
    steps: [
      { send: { type: "ADD", value: 1 } },
      { send: { type: "ADD", value: 2 } },
      { expect: { context: { sums: [0, 1, 3] } } },
    ],
  },
  {
    name: "transition logic takes events in the order in which they were sent",
    covers: ["logic.transition", "send.order"],
    machine: () => {
      const list = fromTransition(
        (context: { readonly seen: readonly string[] }, event: { type: string }) => ({
          seen: [...context.seen, event.type],
        }),
        {
          seen: [],
        },
      );
      return setup({ actors: { list } }).createMachine({
        context: { seen: [] as readonly string[] },
        invoke: {
          src: "list",
          id: "list",
          onSnapshot: { actions: assign({ seen: ({ event }) => event.snapshot.context.seen }) },
        },
        on: {
          GO: {
            actions: [sendTo("list", { type: "A" }), sendTo("list", { type: "B" }), sendTo("list", { type: "C" })],
          },
        },
      });
    },
    steps: [
      { send: { type: "GO" } },
      { send: { type: "GO" } },
      { expect: { context: { seen: ["A", "B", "C", "A", "B", "C"] } } },
    ],
  },
  {
    name: "two children of one transition logic never mix",
    covers: ["logic.transition", "actors.isolated"],
    machine: () =>
      setup({ actors: { adder } }).createMachine({
        context: { a: 0, b: 0 },
        invoke: [
          { src: "adder", id: "a", onSnapshot: { actions: assign({ a: ({ event }) => event.snapshot.context.sum }) } },
          { src: "adder", id: "b", onSnapshot: { actions: assign({ b: ({ event }) => event.snapshot.context.sum }) } },
        ],
        on: {
          ADD: {
            actions: sendTo(
              ({ event }) => event.to,
              ({ event }) => ({ type: "ADD", value: event.value }),
            ),
          },
        },
      }),
    steps: [
      { send: { type: "ADD", to: "a", value: 1 } },
      { send: { type: "ADD", to: "b", value: 10 } },
      { send: { type: "ADD", to: "a", value: 2 } },
      { expect: { context: { a: 3, b: 10 } } },
    ],
  },
  {
    name: "transition logic that is spawned again after a stop starts from the beginning",
    covers: ["logic.transition", "spawn.stopChild"],
    machine: () =>
      setup({ actors: { adder } }).createMachine({
        context: { adder: undefined as any, sum: -1 },
        on: {
          SPAWN: { actions: assign({ adder: ({ spawn }) => spawn("adder", { id: "adder", syncSnapshot: true }) }) },
          STOP: { actions: stopChild(({ context }) => context.adder) },
          ADD: {
            actions: sendTo(
              ({ context }) => context.adder,
              ({ event }) => event,
            ),
          },
          "xstate.snapshot.adder": { actions: assign({ sum: ({ event }) => event.snapshot.context.sum }) },
        },
      }),
    steps: [
      { send: { type: "SPAWN" } },
      { send: { type: "ADD", value: 5 } },
      { expect: { contextHas: { sum: 5 } } },
      { send: { type: "STOP" } },
      { send: { type: "SPAWN" } },
      { send: { type: "ADD", value: 1 } },
      { expect: { contextHas: { sum: 1 } } },
    ],
  },
  {
    name: "transition logic that throws comes by onError",
    covers: ["logic.transition", "invoke.onError"],
    machine: () => {
      const strict = fromTransition(
        (context: { readonly n: number }, event: { type: string }) => {
          if (event.type === "BAD") throw new Error("not taken");
          return { n: context.n + 1 };
        },
        { n: 0 },
      );
      return setup({ actors: { strict } }).createMachine({
        context: { reason: "", n: -1 },
        initial: "on",
        states: {
          on: {
            invoke: {
              src: "strict",
              id: "strict",
              onSnapshot: { actions: assign({ n: ({ event }) => event.snapshot.context.n }) },
              onError: { target: "failed", actions: assign({ reason: ({ event }) => (event.error as Error).message }) },
            },
            on: { GOOD: { actions: forwardTo("strict") }, BAD: { actions: forwardTo("strict") } },
          },
          failed: {},
        },
      });
    },
    steps: [
      { send: { type: "GOOD" } },
      { expect: { value: "on", context: { reason: "", n: 1 } } },
      { send: { type: "BAD" } },
      { expect: { value: "failed", status: "active", context: { reason: "not taken", n: 1 } } },
    ],
  },
  {
    name: "the state of transition logic may hold dates, maps and sets",
    covers: ["logic.transition", "value.actors"],
    machine: () => {
      const shelf = fromTransition(
        (
          context: { readonly at: Date; readonly books: Map<string, Set<string>> },
          event: { type: string; title?: any },
        ) =>
          event.type === "PUT"
            ? { ...context, books: new Map([...context.books, [event.title, new Set([event.title])]]) }
            : context,
        { at: new Date(0), books: new Map<string, Set<string>>() },
      );
      return setup({ actors: { shelf } }).createMachine({
        context: { seen: undefined as unknown },
        invoke: {
          src: "shelf",
          id: "shelf",
          onSnapshot: { actions: assign({ seen: ({ event }) => event.snapshot.context }) },
        },
        on: { PUT: { actions: forwardTo("shelf") } },
      });
    },
    steps: [
      { send: { type: "PUT", title: "Emma" } },
      { send: { type: "PUT", title: "Ulysses" } },
      {
        expect: {
          context: {
            seen: {
              at: new Date(0),
              books: new Map([
                ["Emma", new Set(["Emma"])],
                ["Ulysses", new Set(["Ulysses"])],
              ]),
            },
          },
        },
      },
    ],
  },
];

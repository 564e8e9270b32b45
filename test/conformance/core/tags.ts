/** Tags, meta and descriptions: what a state says of itself. */
import { assign, createMachine, setup } from "xstate";
import { hour, type Scenario } from "../../scenarios/scenario.ts";

export const tags: readonly Scenario[] = [
  {
    name: "the tags of all active states are seen together",
    covers: ["tags.state"],
    machine: () =>
      createMachine({
        tags: "alive",
        initial: "p",
        states: {
          p: {
            tags: ["outer", "shared"],
            initial: "c",
            states: { c: { tags: ["inner", "shared"], on: { UP: "#m.q" } } },
          },
          q: { tags: "elsewhere" },
        },
        id: "m",
      }),
    steps: [
      { expect: { tags: ["alive", "inner", "outer", "shared"] } },
      { send: { type: "UP" } },
      { expect: { value: "q", tags: ["alive", "elsewhere"] } },
    ],
  },
  {
    name: "tags change with the state and stay through targetless transitions",
    covers: ["tags.state", "transition.targetless"],
    machine: () =>
      createMachine({
        context: { n: 0 },
        initial: "loading",
        states: {
          loading: {
            tags: "busy",
            on: { ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) }, DONE: "ready" },
          },
          ready: {},
        },
      }),
    steps: [
      { expect: { tags: ["busy"] } },
      { send: { type: "ADD" } },
      { expect: { tags: ["busy"], context: { n: 1 } } },
      { send: { type: "DONE" } },
      { expect: { tags: [], value: "ready" } },
    ],
  },
  {
    name: "the tags of all regions of a parallel state are seen together",
    covers: ["tags.parallel"],
    machine: () =>
      createMachine({
        type: "parallel",
        states: {
          one: { initial: "a", states: { a: { tags: "one-a", on: { ONE: "b" } }, b: { tags: "b" } } },
          two: { initial: "a", states: { a: { tags: "two-a", on: { TWO: "b" } }, b: { tags: "b" } } },
        },
      }),
    steps: [
      { expect: { tags: ["one-a", "two-a"] } },
      { send: { type: "ONE" } },
      { expect: { tags: ["b", "two-a"] } },
      { send: { type: "TWO" } },
      { expect: { tags: ["b"] } },
    ],
  },
  {
    name: "a delayed transition and an eventless one bring the tags of where they lead",
    covers: ["tags.state", "after.numeric", "eventless.simple"],
    machine: () =>
      createMachine({
        initial: "a",
        states: {
          a: { tags: "waiting", after: { [hour]: "b" } },
          b: { tags: "passing", always: "c" },
          c: { tags: ["there", "at last"] },
        },
      }),
    steps: [{ expect: { tags: ["waiting"] } }, { hours: 1 }, { expect: { value: "c", tags: ["at last", "there"] } }],
  },
  {
    name: "a machine that has ended keeps the tags of its final state",
    covers: ["tags.final", "final.machine"],
    machine: () =>
      createMachine({
        initial: "a",
        states: { a: { tags: "open", on: { END: "end" } }, end: { type: "final", tags: "closed" } },
      }),
    steps: [{ send: { type: "END" } }, { expect: { status: "done", tags: ["closed"] } }],
  },
  {
    name: "history brings the tags of the state back",
    covers: ["tags.state", "history.deep"],
    machine: () =>
      createMachine({
        initial: "p",
        states: {
          p: {
            initial: "a",
            states: { a: { on: { NEXT: "b" } }, b: { tags: "deep" }, back: { type: "history", history: "deep" } },
            on: { OUT: "q" },
          },
          q: { tags: "out", on: { BACK: "p.back" } },
        },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "OUT" } },
      { expect: { tags: ["out"] } },
      { send: { type: "BACK" } },
      { expect: { tags: ["deep"] } },
    ],
  },
  {
    name: "meta and descriptions of states and transitions change nothing of what a machine does",
    covers: ["meta.state", "meta.transition", "description.state"],
    machine: ({ trace }) =>
      setup({
        types: {} as { events: { type: "GO" }; meta: { view: string } },
      }).createMachine({
        description: "A machine that is described.",
        meta: { view: "root" },
        initial: "a",
        states: {
          a: {
            description: "The first state.",
            meta: { view: "first" },
            on: { GO: { target: "b", description: "Goes on.", meta: { view: "going" }, actions: () => trace("go") } },
          },
          b: { meta: { view: "second" }, type: "final", description: "" },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "b", status: "done", trace: ["go"] } }],
  },
];

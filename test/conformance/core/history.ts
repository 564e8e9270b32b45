/** History states: shallow and deep, their defaults, in parallel states, and what of them survives. */
import { assign, createMachine } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";
import { noted } from "./noted.ts";

export const history: readonly Scenario[] = [
  {
    name: "shallow history goes back to the child that was active, and to that child's initial state",
    covers: ["history.shallow"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            initial: "a",
            states: {
              a: { on: { NEXT: "b" } },
              b: {
                ...noted(trace, "b"),
                initial: "b1",
                states: { b1: { ...noted(trace, "b1"), on: { NEXT: "b2" } }, b2: noted(trace, "b2") },
              },
              back: { type: "history" },
            },
            on: { OUT: "q" },
          },
          q: { on: { BACK: "p.back" } },
        },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "NEXT" } },
      { expect: { value: { p: { b: "b2" } } } },
      { send: { type: "OUT" } },
      { send: { type: "BACK" } },
      { expect: { value: { p: { b: "b1" } }, trace: ["+b", "+b1", "-b1", "+b2", "-b2", "-b", "+b", "+b1"] } },
    ],
  },
  {
    name: "deep history goes back to the very atomic state that was active",
    covers: ["history.deep"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            ...noted(trace, "p"),
            initial: "a",
            states: {
              a: { on: { NEXT: "b" } },
              b: {
                ...noted(trace, "b"),
                initial: "b1",
                states: { b1: { on: { NEXT: "b2" } }, b2: noted(trace, "b2") },
              },
              back: { type: "history", history: "deep" },
            },
            on: { OUT: "q" },
          },
          q: { on: { BACK: "p.back" } },
        },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "NEXT" } },
      { send: { type: "OUT" } },
      { send: { type: "BACK" } },
      {
        expect: {
          value: { p: { b: "b2" } },
          trace: ["+p", "+b", "+b2", "-b2", "-b", "-p", "+p", "+b", "+b2"],
        },
      },
    ],
  },
  {
    name: "history that has nothing to go back to takes its default target",
    covers: ["history.default"],
    machine: () =>
      createMachine({
        initial: "q",
        states: {
          p: {
            initial: "a",
            states: { a: {}, b: { on: { NEXT: "c" } }, c: {}, back: { type: "history", target: "b" } },
            on: { OUT: "q" },
          },
          q: { on: { BACK: "p.back" } },
        },
      }),
    steps: [
      { send: { type: "BACK" } },
      { expect: { value: { p: "b" } } },
      { send: { type: "NEXT" } },
      { send: { type: "OUT" } },
      { send: { type: "BACK" } },
      { expect: { value: { p: "c" } } },
    ],
  },
  {
    name: "history without a default takes the parent's initial state with the initial actions",
    covers: ["history.default", "initial.actions"],
    machine: ({ trace }) =>
      createMachine({
        initial: "q",
        states: {
          p: {
            ...noted(trace, "p"),
            initial: { target: "a", actions: () => trace("initial") },
            states: { a: { ...noted(trace, "a"), on: { NEXT: "b" } }, b: noted(trace, "b"), back: { type: "history" } },
            on: { OUT: "q" },
          },
          q: { on: { BACK: "p.back" } },
        },
      }),
    steps: [
      { send: { type: "BACK" } },
      { expect: { value: { p: "a" }, trace: ["+p", "initial", "+a"] } },
      { send: { type: "NEXT" } },
      { send: { type: "OUT" } },
      { send: { type: "BACK" } },
      { expect: { value: { p: "b" }, trace: ["+p", "initial", "+a", "-a", "+b", "-b", "-p", "+p", "+b"] } },
    ],
  },
  {
    name: "history true is shallow history",
    covers: ["history.shallow"],
    machine: () =>
      createMachine({
        initial: "p",
        states: {
          p: {
            initial: "a",
            states: {
              a: { initial: "a1", states: { a1: { on: { NEXT: "a2" } }, a2: {} } },
              back: { history: true },
            },
            on: { OUT: "q" },
          },
          q: { on: { BACK: "p.back" } },
        },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "OUT" } },
      { send: { type: "BACK" } },
      { expect: { value: { p: { a: "a1" } } } },
    ],
  },
  {
    name: "history is what it was when its parent was left last",
    covers: ["history.shallow", "history.update"],
    machine: () =>
      createMachine({
        initial: "p",
        states: {
          p: {
            initial: "a",
            states: { a: { on: { NEXT: "b" } }, b: { on: { NEXT: "c" } }, c: {}, back: { type: "history" } },
            on: { OUT: "q" },
          },
          q: { on: { BACK: "p.back", FRESH: "p" } },
        },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "OUT" } },
      { send: { type: "BACK" } },
      { expect: { value: { p: "b" } } },
      { send: { type: "NEXT" } },
      { send: { type: "OUT" } },
      { send: { type: "BACK" } },
      { expect: { value: { p: "c" } } },
      { send: { type: "OUT" } },
      { send: { type: "FRESH" } },
      { expect: { value: { p: "a" } } },
      { send: { type: "OUT" } },
      { send: { type: "BACK" } },
      { expect: { value: { p: "a" } } },
    ],
  },
  {
    name: "history is remembered over many events in between",
    covers: ["history.update"],
    machine: () =>
      createMachine({
        context: { n: 0 },
        initial: "p",
        states: {
          p: {
            initial: "a",
            states: { a: { on: { NEXT: "b" } }, b: {}, back: { type: "history" } },
            on: { OUT: "q" },
          },
          q: { on: { BACK: "p.back", COUNT: { actions: assign({ n: ({ context }) => context.n + 1 }) } } },
        },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "OUT" } },
      { send: { type: "COUNT" } },
      { send: { type: "COUNT" } },
      { send: { type: "COUNT" } },
      { send: { type: "BACK" } },
      { expect: { value: { p: "b" }, context: { n: 3 } } },
    ],
  },
  {
    name: "deep history of a parallel state brings every region back",
    covers: ["history.deep", "history.parallel"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            type: "parallel",
            states: {
              one: {
                initial: "a",
                states: {
                  a: { on: { ONE: "b" } },
                  b: { initial: "x", states: { x: { on: { ONE: "y" } }, y: noted(trace, "one.b.y") } },
                },
              },
              two: { initial: "a", states: { a: { on: { TWO: "b" } }, b: noted(trace, "two.b") } },
              back: { type: "history", history: "deep" },
            },
            on: { OUT: "q" },
          },
          q: { on: { BACK: "p.back" } },
        },
      }),
    steps: [
      { send: { type: "ONE" } },
      { send: { type: "ONE" } },
      { send: { type: "TWO" } },
      { send: { type: "OUT" } },
      { expect: { value: "q" } },
      { send: { type: "BACK" } },
      {
        expect: {
          value: { p: { one: { b: "y" }, two: "b" } },
          trace: ["+one.b.y", "+two.b", "-two.b", "-one.b.y", "+one.b.y", "+two.b"],
        },
      },
    ],
  },
  {
    name: "shallow history of a parallel state starts every region anew",
    covers: ["history.shallow", "history.parallel"],
    machine: () =>
      createMachine({
        initial: "p",
        states: {
          p: {
            type: "parallel",
            states: {
              one: { initial: "a", states: { a: { on: { ONE: "b" } }, b: {} } },
              two: { initial: "a", states: { a: { on: { TWO: "b" } }, b: {} } },
              back: { type: "history" },
            },
            on: { OUT: "q" },
          },
          q: { on: { BACK: "p.back" } },
        },
      }),
    steps: [
      { send: { type: "ONE" } },
      { send: { type: "OUT" } },
      { send: { type: "BACK" } },
      { expect: { value: { p: { one: "a", two: "a" } } } },
    ],
  },
  {
    name: "the history of one region leaves the others at their beginning",
    covers: ["history.parallel", "history.shallow"],
    machine: () =>
      createMachine({
        id: "m",
        initial: "p",
        states: {
          p: {
            type: "parallel",
            states: {
              one: { initial: "a", states: { a: { on: { ONE: "b" } }, b: {}, back: { type: "history" } } },
              two: { initial: "a", states: { a: { on: { TWO: "b" } }, b: {} } },
            },
            on: { OUT: "q" },
          },
          q: { on: { BACK: "#m.p.one.back" } },
        },
      }),
    steps: [
      { send: { type: "ONE" } },
      { send: { type: "TWO" } },
      { send: { type: "OUT" } },
      { send: { type: "BACK" } },
      { expect: { value: { p: { one: "b", two: "a" } } } },
    ],
  },
  {
    name: "the histories of two regions may be targeted together",
    covers: ["history.parallel", "target.multiple"],
    machine: () =>
      createMachine({
        id: "m",
        initial: "p",
        states: {
          p: {
            type: "parallel",
            states: {
              one: { initial: "a", states: { a: { on: { ONE: "b" } }, b: {}, back: { type: "history" } } },
              two: { initial: "a", states: { a: { on: { TWO: "b" } }, b: {}, back: { type: "history" } } },
              three: { initial: "a", states: { a: { on: { THREE: "b" } }, b: {} } },
            },
            on: { OUT: "q" },
          },
          q: { on: { BACK: { target: ["#m.p.one.back", "#m.p.two.back"] } } },
        },
      }),
    steps: [
      { send: { type: "ONE" } },
      { send: { type: "TWO" } },
      { send: { type: "THREE" } },
      { send: { type: "OUT" } },
      { send: { type: "BACK" } },
      { expect: { value: { p: { one: "b", two: "b", three: "a" } } } },
    ],
  },
  {
    name: "a parent and its child have histories of their own",
    covers: ["history.nested"],
    machine: () =>
      createMachine({
        id: "m",
        initial: "p",
        states: {
          p: {
            initial: "c",
            states: {
              c: {
                initial: "a",
                states: { a: { on: { NEXT: "b" } }, b: {}, back: { type: "history" } },
                on: { SIDE: "d" },
              },
              d: { on: { INNER: "c.back" } },
              back: { type: "history" },
            },
            on: { OUT: "q" },
          },
          q: { on: { OUTER: "p.back", BOTH: "#m.p.c.back" } },
        },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "SIDE" } },
      { send: { type: "OUT" } },
      { send: { type: "OUTER" } },
      { expect: { value: { p: "d" } } },
      { send: { type: "INNER" } },
      { expect: { value: { p: { c: "b" } } } },
      { send: { type: "OUT" } },
      { send: { type: "OUTER" } },
      { expect: { value: { p: { c: "a" } } } },
      { send: { type: "OUT" } },
      { send: { type: "BOTH" } },
      { expect: { value: { p: { c: "a" } } } },
    ],
  },
  {
    name: "a reentering transition to history leaves a state and goes back to where it was",
    covers: ["history.reenter", "transition.reenter"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            ...noted(trace, "p"),
            initial: "a",
            states: { a: { ...noted(trace, "a"), on: { NEXT: "b" } }, b: noted(trace, "b"), back: { type: "history" } },
            on: { AGAIN: { target: ".back", reenter: true } },
          },
        },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "AGAIN" } },
      { expect: { value: { p: "b" }, trace: ["+p", "+a", "-a", "+b", "-b", "-p", "+p", "+b"] } },
    ],
  },
  {
    name: "an initial state may be a history state with a default",
    covers: ["history.initial", "history.default"],
    machine: () =>
      createMachine({
        initial: "p",
        states: {
          p: {
            initial: "back",
            states: { back: { type: "history", target: "a" }, a: { on: { NEXT: "b" } }, b: {} },
            on: { OUT: "q" },
          },
          q: { on: { IN: "p" } },
        },
      }),
    steps: [
      { expect: { value: { p: "a" } } },
      { send: { type: "NEXT" } },
      { send: { type: "OUT" } },
      { send: { type: "IN" } },
      { expect: { value: { p: "b" } } },
    ],
  },
  {
    name: "history remembers a final child too",
    covers: ["history.shallow", "final.done-event"],
    machine: () =>
      createMachine({
        context: { done: 0 },
        initial: "p",
        states: {
          p: {
            initial: "a",
            states: { a: { on: { END: "end" } }, end: { type: "final" }, back: { type: "history" } },
            onDone: { actions: assign({ done: ({ context }) => context.done + 1 }) },
            on: { OUT: "q" },
          },
          q: { on: { BACK: "p.back" } },
        },
      }),
    steps: [
      { send: { type: "END" } },
      { expect: { value: { p: "end" }, context: { done: 1 } } },
      { send: { type: "OUT" } },
      { send: { type: "BACK" } },
      { expect: { value: { p: "end" }, context: { done: 2 } } },
    ],
  },
  {
    name: "history with an id of its own is a target by that id",
    covers: ["history.deep", "target.id"],
    machine: () =>
      createMachine({
        initial: "p",
        states: {
          p: {
            initial: "a",
            states: {
              a: { initial: "x", states: { x: { on: { NEXT: "y" } }, y: {} } },
              hist: { type: "history", history: "deep", id: "where I was" },
            },
            on: { OUT: "q" },
          },
          q: { on: { BACK: "#where I was" } },
        },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "OUT" } },
      { send: { type: "BACK" } },
      { expect: { value: { p: { a: "y" } } } },
    ],
  },
];

/** Which states a transition leaves and enters: internal and external, reentering and targetless. */
import { assign, createMachine } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";
import { noted } from "./noted.ts";

export const transitions: readonly Scenario[] = [
  {
    name: "a transition leaves its source, runs its own actions and enters its target, in this order",
    covers: ["transition.external", "action.order"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { ...noted(trace, "a"), on: { GO: { target: "b", actions: () => trace("go") } } },
          b: noted(trace, "b"),
        },
      }),
    steps: [
      { expect: { value: "a", status: "active", trace: ["+a"] } },
      { send: { type: "GO" } },
      { expect: { value: "b", status: "active", trace: ["+a", "-a", "go", "+b"] } },
    ],
  },
  {
    name: "a transition without a target runs its actions and leaves nothing",
    covers: ["transition.targetless"],
    machine: ({ trace }) =>
      createMachine({
        context: { n: 0 },
        initial: "a",
        states: {
          a: { ...noted(trace, "a"), on: { ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) } } },
        },
      }),
    steps: [
      { send: { type: "ADD" } },
      { send: { type: "ADD" } },
      { expect: { value: "a", context: { n: 2 }, trace: ["+a"] } },
    ],
  },
  {
    name: "a self-transition leaves and enters an atomic state only when it reenters",
    covers: ["transition.self", "transition.reenter"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: {
            ...noted(trace, "a"),
            on: {
              STAY: { target: "a", actions: () => trace("stay") },
              AGAIN: { target: "a", reenter: true, actions: () => trace("again") },
            },
          },
        },
      }),
    steps: [
      { send: { type: "STAY" } },
      { expect: { value: "a", trace: ["+a", "stay"] } },
      { send: { type: "AGAIN" } },
      { expect: { value: "a", trace: ["+a", "stay", "-a", "again", "+a"] } },
    ],
  },
  {
    name: "a self-transition of a compound state goes back to its initial child without leaving the state",
    covers: ["transition.self"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            ...noted(trace, "p"),
            initial: "one",
            states: { one: { ...noted(trace, "one"), on: { NEXT: "two" } }, two: noted(trace, "two") },
            on: { RESET: "p" },
          },
        },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "RESET" } },
      { expect: { value: { p: "one" }, trace: ["+p", "+one", "-one", "+two", "-two", "+one"] } },
    ],
  },
  {
    name: "a reentering self-transition of a compound state leaves and enters the state with all below it",
    covers: ["transition.reenter"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            ...noted(trace, "p"),
            initial: "one",
            states: { one: { ...noted(trace, "one"), on: { NEXT: "two" } }, two: noted(trace, "two") },
            on: { RESET: { target: "p", reenter: true, actions: () => trace("reset") } },
          },
        },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "RESET" } },
      {
        expect: { value: { p: "one" }, trace: ["+p", "+one", "-one", "+two", "-two", "-p", "reset", "+p", "+one"] },
      },
    ],
  },
  {
    name: "a transition to a child stays inside its source unless it reenters",
    covers: ["transition.internal", "transition.reenter"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            ...noted(trace, "p"),
            initial: "one",
            states: { one: noted(trace, "one"), two: noted(trace, "two") },
            on: { IN: ".two", OUT: { target: ".two", reenter: true } },
          },
        },
      }),
    steps: [
      { send: { type: "IN" } },
      { expect: { value: { p: "two" }, trace: ["+p", "+one", "-one", "+two"] } },
      { send: { type: "OUT" } },
      { expect: { value: { p: "two" }, trace: ["+p", "+one", "-one", "+two", "-two", "-p", "+p", "+two"] } },
    ],
  },
  {
    name: "an internal transition to the child that is active leaves and enters the child",
    covers: ["transition.internal"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            ...noted(trace, "p"),
            initial: "one",
            states: { one: noted(trace, "one") },
            on: { ONE: ".one" },
          },
        },
      }),
    steps: [{ send: { type: "ONE" } }, { expect: { value: { p: "one" }, trace: ["+p", "+one", "-one", "+one"] } }],
  },
  {
    name: "a targetless transition that reenters leaves nothing either",
    covers: ["transition.targetless", "transition.reenter"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: { a: { ...noted(trace, "a"), on: { X: { reenter: true, actions: () => trace("x") } } } },
      }),
    steps: [{ send: { type: "X" } }, { expect: { value: "a", trace: ["+a", "x"] } }],
  },
  {
    name: "a transition between siblings deep in a hierarchy leaves no ancestor",
    covers: ["transition.lca"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: {
            ...noted(trace, "a"),
            initial: "b",
            states: {
              b: {
                ...noted(trace, "b"),
                initial: "c",
                states: { c: { ...noted(trace, "c"), on: { GO: "d" } }, d: noted(trace, "d") },
              },
            },
          },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: { a: { b: "d" } }, trace: ["+a", "+b", "+c", "-c", "+d"] } }],
  },
  {
    name: "a transition between cousins leaves and enters up to their least common ancestor",
    covers: ["transition.lca"],
    machine: ({ trace }) =>
      createMachine({
        id: "m",
        initial: "top",
        states: {
          top: {
            ...noted(trace, "top"),
            initial: "left",
            states: {
              left: {
                ...noted(trace, "left"),
                initial: "a",
                states: { a: { ...noted(trace, "a"), on: { GO: "#m.top.right.c" } } },
              },
              right: {
                ...noted(trace, "right"),
                initial: "b",
                states: { b: noted(trace, "b"), c: noted(trace, "c") },
              },
            },
          },
        },
      }),
    steps: [
      { send: { type: "GO" } },
      {
        expect: {
          value: { top: { right: "c" } },
          trace: ["+top", "+left", "+a", "-a", "-left", "+right", "+c"],
        },
      },
    ],
  },
  {
    name: "a transition of an ancestor to its descendant by id keeps the ancestor entered",
    covers: ["transition.internal", "target.id"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            ...noted(trace, "p"),
            initial: "one",
            states: {
              one: noted(trace, "one"),
              two: {
                ...noted(trace, "two"),
                initial: "x",
                states: { x: noted(trace, "x"), y: { id: "deep", ...noted(trace, "y") } },
              },
            },
            on: { GO: "#deep" },
          },
        },
      }),
    steps: [
      { send: { type: "GO" } },
      { expect: { value: { p: { two: "y" } }, trace: ["+p", "+one", "-one", "+two", "+y"] } },
    ],
  },
  {
    name: "a transition of a child to its own parent goes back to the parent's initial child without leaving the parent",
    covers: ["transition.lca"],
    machine: ({ trace }) =>
      createMachine({
        id: "m",
        initial: "p",
        states: {
          p: {
            id: "parent",
            ...noted(trace, "p"),
            initial: "one",
            states: {
              one: { ...noted(trace, "one"), on: { NEXT: "two" } },
              two: { ...noted(trace, "two"), on: { UP: "#parent" } },
            },
          },
        },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "UP" } },
      {
        expect: { value: { p: "one" }, trace: ["+p", "+one", "-one", "+two", "-two", "-p", "+p", "+one"] },
      },
    ],
  },
  {
    name: "a transition of the root to a child leaves the other child and keeps the root",
    covers: ["transition.root"],
    machine: ({ trace }) =>
      createMachine({
        ...noted(trace, "root"),
        initial: "a",
        states: { a: noted(trace, "a"), b: noted(trace, "b") },
        on: { B: ".b", A: { target: ".a", actions: () => trace("to a") } },
      }),
    steps: [
      { send: { type: "B" } },
      { send: { type: "A" } },
      { expect: { value: "a", trace: ["+root", "+a", "-a", "+b", "-b", "to a", "+a"] } },
    ],
  },
  {
    name: "a reentering transition of the root leaves and enters the root too",
    covers: ["transition.root", "transition.reenter"],
    machine: ({ trace }) =>
      createMachine({
        ...noted(trace, "root"),
        initial: "a",
        states: { a: noted(trace, "a"), b: noted(trace, "b") },
        on: { AGAIN: { target: ".b", reenter: true } },
      }),
    steps: [
      { send: { type: "AGAIN" } },
      { expect: { value: "b", trace: ["+root", "+a", "-a", "-root", "+root", "+b"] } },
    ],
  },
  {
    name: "an event for which no state has a transition changes nothing",
    covers: ["event.unhandled"],
    machine: ({ trace }) =>
      createMachine({
        context: { n: 1 },
        initial: "a",
        states: { a: { ...noted(trace, "a"), on: { KNOWN: "b" } }, b: {} },
      }),
    steps: [
      { send: { type: "UNKNOWN", with: "data" } },
      { expect: { value: "a", context: { n: 1 }, status: "active", trace: ["+a"] } },
      { send: { type: "KNOWN" } },
      { expect: { value: "b" } },
    ],
  },
  {
    name: "a transition back and forth enters and leaves each time anew",
    covers: ["transition.external"],
    machine: ({ trace }) =>
      createMachine({
        context: { entered: 0 },
        initial: "a",
        states: {
          a: { entry: assign({ entered: ({ context }) => context.entered + 1 }), on: { FLIP: "b" } },
          b: { ...noted(trace, "b"), on: { FLIP: "a" } },
        },
      }),
    steps: [
      { send: { type: "FLIP" } },
      { send: { type: "FLIP" } },
      { send: { type: "FLIP" } },
      { send: { type: "FLIP" } },
      { expect: { value: "a", context: { entered: 3 }, trace: ["+b", "-b", "+b", "-b"] } },
    ],
  },
];

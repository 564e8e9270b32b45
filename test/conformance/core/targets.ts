/** How transitions name their targets. */
import { createMachine } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";
import { noted } from "./noted.ts";

export const targets: readonly Scenario[] = [
  {
    name: "a bare target names a sibling, even when a child has the same name",
    covers: ["target.sibling"],
    machine: () =>
      createMachine({
        initial: "a",
        states: {
          a: { initial: "b", states: { b: {}, c: {} }, on: { GO: "b", IN: ".c" } },
          b: {},
        },
      }),
    steps: [
      { expect: { value: { a: "b" } } },
      { send: { type: "IN" } },
      { expect: { value: { a: "c" } } },
      { send: { type: "GO" } },
      { expect: { value: "b" } },
    ],
  },
  {
    name: "a target with a leading dot goes down a path from its source",
    covers: ["target.relative"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: {
            ...noted(trace, "a"),
            initial: "x",
            states: { x: {}, y: { initial: "y1", states: { y1: noted(trace, "y1"), y2: noted(trace, "y2") } } },
            on: { DEEP: ".y.y2" },
          },
        },
      }),
    steps: [{ send: { type: "DEEP" } }, { expect: { value: { a: { y: "y2" } }, trace: ["+a", "+y2"] } }],
  },
  {
    name: "a target goes through a sibling down to its descendant",
    covers: ["target.path"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { on: { GO: "b.c.d" } },
          b: {
            ...noted(trace, "b"),
            initial: "x",
            states: {
              x: noted(trace, "x"),
              c: { ...noted(trace, "c"), initial: "x", states: { x: {}, d: noted(trace, "d") } },
            },
          },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: { b: { c: "d" } }, trace: ["+b", "+c", "+d"] } }],
  },
  {
    name: "a target by id is found wherever its state is",
    covers: ["target.id"],
    machine: () =>
      createMachine({
        initial: "a",
        states: {
          a: { on: { GO: "#far" } },
          b: { initial: "x", states: { x: {}, y: { initial: "z", states: { z: {}, far: { id: "far" } } } } },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: { b: { y: "far" } } } }],
  },
  {
    name: "a state without an id of its own is found under the machine's id and its path",
    covers: ["target.absolute", "machine.id"],
    machine: () =>
      createMachine({
        id: "machine",
        initial: "a",
        states: {
          a: { initial: "x", states: { x: { on: { GO: "#machine.b.y" } } } },
          b: { initial: "x", states: { x: {}, y: { on: { HOME: "#machine.a" } } } },
        },
      }),
    steps: [
      { send: { type: "GO" } },
      { expect: { value: { b: "y" } } },
      { send: { type: "HOME" } },
      { expect: { value: { a: "x" } } },
    ],
  },
  {
    name: "a target by the machine's own id enters the root and its initial state again, without leaving the root",
    covers: ["target.absolute", "transition.root"],
    machine: ({ trace }) =>
      createMachine({
        id: "m",
        ...noted(trace, "root"),
        initial: "a",
        states: { a: { ...noted(trace, "a"), on: { NEXT: "b" } }, b: { ...noted(trace, "b"), on: { TOP: "#m" } } },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "TOP" } },
      { expect: { value: "a", trace: ["+root", "+a", "-a", "+b", "-b", "+root", "+a"] } },
    ],
  },
  {
    name: "a target may be given as a list of one",
    covers: ["target.list"],
    machine: () =>
      createMachine({
        initial: "a",
        states: { a: { on: { GO: { target: ["b"] } } }, b: {} },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "b" } }],
  },
  {
    name: "several targets put several regions where they are wanted",
    covers: ["target.multiple", "parallel.enter"],
    machine: ({ trace }) =>
      createMachine({
        id: "m",
        initial: "idle",
        states: {
          idle: { on: { GO: { target: ["#m.work.left.b", "#m.work.right.b"], actions: () => trace("go") } } },
          work: {
            type: "parallel",
            ...noted(trace, "work"),
            states: {
              left: { initial: "a", states: { a: noted(trace, "left a"), b: noted(trace, "left b") } },
              right: { initial: "a", states: { a: noted(trace, "right a"), b: noted(trace, "right b") } },
              rest: { initial: "a", states: { a: noted(trace, "rest a"), b: noted(trace, "rest b") } },
            },
          },
        },
      }),
    steps: [
      { send: { type: "GO" } },
      {
        expect: {
          value: { work: { left: "b", right: "b", rest: "a" } },
          trace: ["go", "+work", "+left b", "+right b", "+rest a"],
        },
      },
    ],
  },
  {
    name: "several relative targets move several regions of the source at once",
    covers: ["target.multiple", "target.relative"],
    machine: ({ trace }) =>
      createMachine({
        initial: "work",
        states: {
          work: {
            type: "parallel",
            ...noted(trace, "work"),
            states: {
              left: { initial: "a", states: { a: noted(trace, "left a"), b: noted(trace, "left b") } },
              right: { initial: "a", states: { a: noted(trace, "right a"), b: noted(trace, "right b") } },
            },
            on: { BOTH: { target: [".left.b", ".right.b"] } },
          },
        },
      }),
    steps: [
      { send: { type: "BOTH" } },
      {
        expect: {
          value: { work: { left: "b", right: "b" } },
          trace: ["+work", "+left a", "+right a", "-right a", "-left a", "+left b", "+right b"],
        },
      },
    ],
  },
  {
    name: "a target that is a compound state enters its initial descendants down to an atomic one",
    covers: ["target.compound", "initial.nested"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { on: { GO: "b" } },
          b: {
            ...noted(trace, "b"),
            initial: "c",
            states: { c: { ...noted(trace, "c"), initial: "d", states: { d: noted(trace, "d") } } },
          },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: { b: { c: "d" } }, trace: ["+b", "+c", "+d"] } }],
  },
  {
    name: "a target that lies deeper passes by the initial states on its way",
    covers: ["target.deep", "initial.actions"],
    machine: ({ trace }) =>
      createMachine({
        id: "m",
        initial: "a",
        states: {
          a: { on: { DEEP: "#m.b.two", SHALLOW: "#m.b" } },
          b: {
            ...noted(trace, "b"),
            initial: { target: "one", actions: () => trace("initial of b") },
            states: { one: noted(trace, "one"), two: noted(trace, "two") },
            on: { BACK: "a" },
          },
        },
      }),
    steps: [
      { send: { type: "DEEP" } },
      { expect: { value: { b: "two" }, trace: ["+b", "+two"] } },
      { send: { type: "BACK" } },
      { send: { type: "SHALLOW" } },
      {
        expect: {
          value: { b: "one" },
          trace: ["+b", "+two", "-two", "-b", "+b", "initial of b", "+one"],
        },
      },
    ],
  },
  {
    name: "dots in an id are written with a backslash where a transition names it",
    covers: ["target.id", "machine.id"],
    machine: () =>
      createMachine({
        id: "shop.order.v2",
        initial: "a",
        states: {
          a: { on: { BY_ID: "#pay\\.by\\.card", BY_PATH: "#shop\\.order\\.v2.c" } },
          b: { id: "pay.by.card", on: { BACK: "#shop\\.order\\.v2.a" } },
          c: {},
        },
      }),
    steps: [
      { send: { type: "BY_ID" } },
      { expect: { value: "b" } },
      { send: { type: "BACK" } },
      { expect: { value: "a" } },
      { send: { type: "BY_PATH" } },
      { expect: { value: "c" } },
    ],
  },
  {
    name: "states may have spaces and other letters in their names",
    covers: ["target.sibling", "state.names"],
    machine: ({ trace }) =>
      createMachine({
        initial: "wartet noch",
        states: {
          "wartet noch": { on: { WEITER: "läuft: ½" } },
          "läuft: ½": { ...noted(trace, "½"), on: { WEITER: "終わり" } },
          終わり: { type: "final" },
        },
      }),
    steps: [
      { expect: { value: "wartet noch" } },
      { send: { type: "WEITER" } },
      { expect: { value: "läuft: ½", trace: ["+½"] } },
      { send: { type: "WEITER" } },
      { expect: { value: "終わり", status: "done" } },
    ],
  },
];

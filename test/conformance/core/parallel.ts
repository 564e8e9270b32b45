/** Parallel states: entering and leaving all regions, events for several of them, and conflicts. */
import { assign, createMachine, raise, stateIn } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";
import { noted } from "./noted.ts";

export const parallel: readonly Scenario[] = [
  {
    name: "a parallel state enters all its regions in document order",
    covers: ["parallel.enter", "action.order"],
    machine: ({ trace }) =>
      createMachine({
        type: "parallel",
        ...noted(trace, "root"),
        states: {
          z: { ...noted(trace, "z"), initial: "z1", states: { z1: noted(trace, "z1") } },
          a: { ...noted(trace, "a"), initial: "a1", states: { a1: noted(trace, "a1") } },
          m: noted(trace, "m"),
        },
      }),
    steps: [{ expect: { value: { z: "z1", a: "a1", m: {} }, trace: ["+root", "+z", "+z1", "+a", "+a1", "+m"] } }],
  },
  {
    name: "a parallel state leaves all its regions in reverse document order",
    covers: ["parallel.exit", "action.order"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            type: "parallel",
            ...noted(trace, "p"),
            states: {
              a: { ...noted(trace, "a"), initial: "a1", states: { a1: noted(trace, "a1") } },
              b: { ...noted(trace, "b"), initial: "b1", states: { b1: noted(trace, "b1") } },
            },
            on: { OUT: "q" },
          },
          q: noted(trace, "q"),
        },
      }),
    steps: [
      { send: { type: "OUT" } },
      {
        expect: {
          value: "q",
          trace: ["+p", "+a", "+a1", "+b", "+b1", "-b1", "-b", "-a1", "-a", "-p", "+q"],
        },
      },
    ],
  },
  {
    name: "one event moves every region that has a transition for it, in document order",
    covers: ["parallel.select", "transition.document-order"],
    machine: ({ trace }) =>
      createMachine({
        type: "parallel",
        states: {
          one: {
            initial: "a",
            states: {
              a: { ...noted(trace, "1a"), on: { GO: { target: "b", actions: () => trace("1") } } },
              b: noted(trace, "1b"),
            },
          },
          two: { initial: "a", states: { a: noted(trace, "2a") } },
          three: {
            initial: "a",
            states: {
              a: { ...noted(trace, "3a"), on: { GO: { target: "b", actions: () => trace("3") } } },
              b: noted(trace, "3b"),
            },
          },
        },
      }),
    steps: [
      { send: { type: "GO" } },
      {
        expect: {
          value: { one: "b", two: "a", three: "b" },
          trace: ["+1a", "+2a", "+3a", "-3a", "-1a", "1", "3", "+1b", "+3b"],
        },
      },
    ],
  },
  {
    name: "regions move on their own when their events differ",
    covers: ["parallel.independent"],
    machine: () =>
      createMachine({
        type: "parallel",
        states: {
          bold: { initial: "off", states: { off: { on: { BOLD: "on" } }, on: { on: { BOLD: "off" } } } },
          italic: { initial: "off", states: { off: { on: { ITALIC: "on" } }, on: { on: { ITALIC: "off" } } } },
        },
      }),
    steps: [
      { send: { type: "BOLD" } },
      { expect: { value: { bold: "on", italic: "off" } } },
      { send: { type: "ITALIC" } },
      { send: { type: "BOLD" } },
      { expect: { value: { bold: "off", italic: "on" } } },
    ],
  },
  {
    name: "the assigns of all regions build on each other in document order",
    covers: ["parallel.select", "assign.sequence"],
    machine: () =>
      createMachine({
        context: { text: "" },
        type: "parallel",
        states: {
          one: { on: { GO: { actions: assign({ text: ({ context }) => `${context.text}1` }) } } },
          two: { on: { GO: { actions: assign({ text: ({ context }) => `${context.text}2` }) } } },
          three: { on: { GO: { actions: assign({ text: ({ context }) => `${context.text}3` }) } } },
        },
      }),
    steps: [{ send: { type: "GO" } }, { send: { type: "GO" } }, { expect: { context: { text: "123123" } } }],
  },
  {
    name: "the parallel state's own transition is taken only when no region has one",
    covers: ["parallel.select", "event.child-first"],
    machine: ({ trace }) =>
      createMachine({
        type: "parallel",
        states: {
          one: { initial: "a", states: { a: { on: { GO: "b" } }, b: {} } },
          two: { initial: "a", states: { a: {} } },
        },
        on: { GO: { actions: () => trace("parallel") } },
      }),
    steps: [
      { send: { type: "GO" } },
      { expect: { value: { one: "b", two: "a" }, trace: [] } },
      { send: { type: "GO" } },
      { expect: { value: { one: "b", two: "a" }, trace: ["parallel"] } },
    ],
  },
  {
    name: "a region that leaves the parallel state takes all other regions with it",
    covers: ["parallel.exit"],
    machine: ({ trace }) =>
      createMachine({
        id: "m",
        initial: "p",
        states: {
          p: {
            type: "parallel",
            ...noted(trace, "p"),
            states: {
              a: { initial: "a1", states: { a1: { ...noted(trace, "a1"), on: { FAIL: "#m.failed" } } } },
              b: { initial: "b1", states: { b1: noted(trace, "b1") } },
            },
          },
          failed: noted(trace, "failed"),
        },
      }),
    steps: [
      { send: { type: "FAIL" } },
      { expect: { value: "failed", trace: ["+p", "+a1", "+b1", "-b1", "-a1", "-p", "+failed"] } },
    ],
  },
  {
    name: "of two regions that would leave in different directions the first in document order wins",
    covers: ["parallel.conflict", "transition.document-order"],
    machine: ({ trace }) =>
      createMachine({
        id: "m",
        initial: "p",
        states: {
          p: {
            type: "parallel",
            states: {
              a: { initial: "x", states: { x: { on: { GO: { target: "#m.left", actions: () => trace("a") } } } } },
              b: { initial: "x", states: { x: { on: { GO: { target: "#m.right", actions: () => trace("b") } } } } },
            },
          },
          left: noted(trace, "left"),
          right: noted(trace, "right"),
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "left", trace: ["a", "+left"] } }],
  },
  {
    name: "a region that moves inside wins over a later region that would leave",
    covers: ["parallel.conflict"],
    machine: ({ trace }) =>
      createMachine({
        id: "m",
        initial: "p",
        states: {
          p: {
            type: "parallel",
            states: {
              a: { initial: "x", states: { x: { on: { GO: { target: "y", actions: () => trace("a") } } }, y: {} } },
              b: { initial: "x", states: { x: { on: { GO: { target: "#m.out", actions: () => trace("b") } } } } },
            },
          },
          out: {},
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: { p: { a: "y", b: "x" } }, trace: ["a"] } }],
  },
  {
    name: "a targetless transition of one region does not keep another one from leaving",
    covers: ["parallel.conflict", "transition.targetless"],
    machine: ({ trace }) =>
      createMachine({
        id: "m",
        initial: "p",
        states: {
          p: {
            type: "parallel",
            states: {
              a: { on: { GO: { actions: () => trace("a") } } },
              b: { on: { GO: { target: "#m.out", actions: () => trace("b") } } },
            },
          },
          out: noted(trace, "out"),
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "out", trace: ["a", "b", "+out"] } }],
  },
  {
    name: "an event raised in one region moves another one in the same step",
    covers: ["parallel.raise", "raise.immediate"],
    machine: () =>
      createMachine({
        type: "parallel",
        states: {
          sender: {
            initial: "a",
            states: { a: { on: { GO: { target: "b", actions: raise({ type: "DONE" }) } } }, b: {} },
          },
          receiver: { initial: "waits", states: { waits: { on: { DONE: "got" } }, got: {} } },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: { sender: "b", receiver: "got" } } }],
  },
  {
    name: "parallel states may lie within parallel states",
    covers: ["parallel.nested"],
    machine: ({ trace }) =>
      createMachine({
        type: "parallel",
        states: {
          outer: {
            type: "parallel",
            states: {
              x: { initial: "a", states: { a: { on: { GO: "b" } }, b: noted(trace, "x.b") } },
              y: { initial: "a", states: { a: { on: { GO: "b" } }, b: noted(trace, "y.b") } },
            },
          },
          plain: { initial: "a", states: { a: { on: { GO: "b" } }, b: noted(trace, "plain.b") } },
        },
      }),
    steps: [
      { expect: { value: { outer: { x: "a", y: "a" }, plain: "a" } } },
      { send: { type: "GO" } },
      { expect: { value: { outer: { x: "b", y: "b" }, plain: "b" }, trace: ["+x.b", "+y.b", "+plain.b"] } },
    ],
  },
  {
    name: "a transition into one region from outside enters the other regions at their beginning",
    covers: ["parallel.enter", "target.deep"],
    machine: ({ trace }) =>
      createMachine({
        initial: "idle",
        states: {
          idle: { on: { GO: "p.b.y" } },
          p: {
            type: "parallel",
            states: {
              a: { initial: "x", states: { x: noted(trace, "a.x"), y: noted(trace, "a.y") } },
              b: { initial: "x", states: { x: noted(trace, "b.x"), y: noted(trace, "b.y") } },
            },
          },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: { p: { a: "x", b: "y" } }, trace: ["+a.x", "+b.y"] } }],
  },
  {
    name: "a transition of the parallel state into one region starts the other regions anew",
    covers: ["parallel.internal", "transition.internal"],
    machine: ({ trace }) =>
      createMachine({
        type: "parallel",
        states: {
          a: { initial: "x", states: { x: noted(trace, "a.x"), y: noted(trace, "a.y") } },
          b: { initial: "x", states: { x: { ...noted(trace, "b.x"), on: { NEXT: "y" } }, y: noted(trace, "b.y") } },
        },
        on: { A: ".a.y" },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "A" } },
      {
        expect: { value: { a: "y", b: "x" }, trace: ["+a.x", "+b.x", "-b.x", "+b.y", "-b.y", "-a.x", "+a.y", "+b.x"] },
      },
    ],
  },
  {
    name: "a parallel state with atomic regions only shows each as empty",
    covers: ["parallel.atomic-regions"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            type: "parallel",
            states: {
              a: noted(trace, "a"),
              b: { ...noted(trace, "b"), on: { PING: { actions: () => trace("pong") } } },
            },
          },
        },
      }),
    steps: [{ send: { type: "PING" } }, { expect: { value: { p: { a: {}, b: {} } }, trace: ["+a", "+b", "pong"] } }],
  },
  {
    name: "a parallel state that is entered again starts all regions anew",
    covers: ["parallel.enter", "transition.reenter"],
    machine: () =>
      createMachine({
        initial: "p",
        states: {
          p: {
            type: "parallel",
            states: {
              a: { initial: "x", states: { x: { on: { A: "y" } }, y: {} } },
              b: { initial: "x", states: { x: { on: { B: "y" } }, y: {} } },
            },
            on: { OUT: "q", AGAIN: { target: "p", reenter: true } },
          },
          q: { on: { IN: "p" } },
        },
      }),
    steps: [
      { send: { type: "A" } },
      { send: { type: "B" } },
      { expect: { value: { p: { a: "y", b: "y" } } } },
      { send: { type: "OUT" } },
      { send: { type: "IN" } },
      { expect: { value: { p: { a: "x", b: "x" } } } },
      { send: { type: "B" } },
      { send: { type: "AGAIN" } },
      { expect: { value: { p: { a: "x", b: "x" } } } },
    ],
  },
  {
    name: "regions that wait for each other with stateIn move in steps of one event",
    covers: ["guard.stateIn", "parallel.select"],
    machine: () =>
      createMachine({
        type: "parallel",
        states: {
          a: {
            initial: "0",
            states: {
              0: { on: { T: { guard: stateIn({ b: "0" }), target: "1" } } },
              1: { on: { T: { guard: stateIn({ b: "1" }), target: "2" } } },
              2: {},
            },
          },
          b: { initial: "0", states: { 0: { on: { T: { guard: stateIn({ a: "1" }), target: "1" } } }, 1: {} } },
        },
      }),
    steps: [
      { send: { type: "T" } },
      { expect: { value: { a: "1", b: "0" } } },
      { send: { type: "T" } },
      { expect: { value: { a: "1", b: "1" } } },
      { send: { type: "T" } },
      { expect: { value: { a: "2", b: "1" } } },
    ],
  },
  {
    name: "a transition of a common ancestor is taken once, though several regions let the event through to it",
    covers: ["parallel.select", "event.child-first"],
    machine: ({ trace }) =>
      createMachine({
        context: { n: 0 },
        initial: "p",
        states: {
          p: {
            type: "parallel",
            states: {
              a: { initial: "x", states: { x: {} } },
              b: { type: "parallel", states: { c: { initial: "x", states: { x: {} } }, d: {} } },
            },
            on: { GO: { actions: [assign({ n: ({ context }) => context.n + 1 }), () => trace("p")] } },
          },
        },
        on: { GO: { actions: () => trace("root") } },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { context: { n: 1 }, trace: ["p"] } }],
  },
  {
    name: "an eventless transition of a common ancestor is taken once for all regions",
    covers: ["eventless.parallel", "parallel.exit"],
    machine: ({ trace }) =>
      createMachine({
        context: { ready: 0 },
        initial: "p",
        states: {
          p: {
            type: "parallel",
            states: {
              a: { on: { READY: { actions: assign({ ready: ({ context }) => context.ready + 1 }) } } },
              b: { on: { READY: { actions: assign({ ready: ({ context }) => context.ready + 1 }) } } },
            },
            always: { guard: ({ context }) => context.ready === 2, target: "q", actions: () => trace("all ready") },
          },
          q: noted(trace, "q"),
        },
      }),
    steps: [{ send: { type: "READY" } }, { expect: { value: "q", context: { ready: 2 }, trace: ["all ready", "+q"] } }],
  },
];

/** Eventless transitions: `always`, its guards, chains, and how it stands to raised events. */
import { assign, createMachine, raise, stateIn } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";
import { noted } from "./noted.ts";

export const eventless: readonly Scenario[] = [
  {
    name: "an always transition is taken as soon as its state is entered",
    covers: ["eventless.simple"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { on: { GO: "b" } },
          b: { ...noted(trace, "b"), always: { target: "c", actions: () => trace("always") } },
          c: noted(trace, "c"),
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "c", trace: ["+b", "-b", "always", "+c"] } }],
  },
  {
    name: "always transitions form a chain that ends where none holds any more",
    covers: ["eventless.chain"],
    machine: ({ trace }) =>
      createMachine({
        context: { n: 0 },
        initial: "idle",
        states: {
          idle: { on: { COUNT: "loop" } },
          loop: {
            entry: assign({ n: ({ context }) => context.n + 1 }),
            always: [{ guard: ({ context }) => context.n >= 5, target: "end" }, { target: "again" }],
          },
          again: { always: { target: "loop", actions: ({ context }) => trace(context.n) } },
          end: {},
        },
      }),
    steps: [{ send: { type: "COUNT" } }, { expect: { value: "end", context: { n: 5 }, trace: [1, 2, 3, 4] } }],
  },
  {
    name: "an always transition in the initial state is taken before the actor is seen for the first time",
    covers: ["eventless.initial"],
    machine: ({ trace }) =>
      createMachine({
        context: ({ input }: { input: { skip: boolean } }) => ({ skip: input.skip }),
        initial: "a",
        states: {
          a: { ...noted(trace, "a"), always: { guard: ({ context }) => context.skip, target: "b" } },
          b: noted(trace, "b"),
        },
      }),
    input: { skip: true },
    steps: [{ expect: { value: "b", trace: ["+a", "-a", "+b"] } }],
  },
  {
    name: "a guard of an always transition is asked again after every event, also one that only assigns",
    covers: ["eventless.guard"],
    machine: () =>
      createMachine({
        context: { n: 0 },
        initial: "a",
        states: {
          a: {
            on: { ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
            always: { guard: ({ context }) => context.n >= 3, target: "b" },
          },
          b: {},
        },
      }),
    steps: [
      { send: { type: "ADD" } },
      { send: { type: "ADD" } },
      { expect: { value: "a", context: { n: 2 } } },
      { send: { type: "ADD" } },
      { expect: { value: "b", context: { n: 3 } } },
    ],
  },
  {
    name: "the first always transition whose guard holds is taken",
    covers: ["eventless.order", "guard.order"],
    machine: () =>
      createMachine({
        initial: "a",
        states: {
          a: { on: { GO: { target: "choice" } } },
          choice: {
            always: [
              { guard: ({ event }) => event.n > 100, target: "large" },
              { guard: ({ event }) => event.n > 10, target: "middle" },
              { target: "small" },
            ],
          },
          large: { on: { BACK: "a" } },
          middle: { on: { BACK: "a" } },
          small: { on: { BACK: "a" } },
        },
      }),
    steps: [
      { send: { type: "GO", n: 50 } },
      { expect: { value: "middle" } },
      { send: { type: "BACK" } },
      { send: { type: "GO", n: 5 } },
      { expect: { value: "small" } },
      { send: { type: "BACK" } },
      { send: { type: "GO", n: 500 } },
      { expect: { value: "large" } },
    ],
  },
  {
    name: "an always transition sees the event that led to its state",
    covers: ["eventless.event"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { on: { GO: "b" } },
          b: { always: { target: "c", actions: ({ event }) => trace(event) } },
          c: { entry: ({ event }) => trace(event.type) },
        },
      }),
    steps: [{ send: { type: "GO", with: 1 } }, { expect: { value: "c", trace: [{ type: "GO", with: 1 }, "GO"] } }],
  },
  {
    name: "always transitions come before raised events",
    covers: ["eventless.before-raise", "raise.order"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { on: { GO: { target: "b", actions: raise({ type: "E" }) } } },
          b: { always: "c", on: { E: { actions: () => trace("in b") } } },
          c: { on: { E: { target: "d", actions: () => trace("in c") } } },
          d: {},
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "d", trace: ["in c"] } }],
  },
  {
    name: "an always transition between two raised events sees what the first one has done",
    covers: ["eventless.before-raise", "raise.nested"],
    machine: ({ trace }) =>
      createMachine({
        context: { n: 0 },
        initial: "a",
        states: {
          a: {
            on: {
              GO: { actions: [raise({ type: "ADD" }), raise({ type: "ADD" })] },
              ADD: { actions: [assign({ n: ({ context }) => context.n + 1 }), () => trace("add in a")] },
            },
            always: { guard: ({ context }) => context.n === 1, target: "b" },
          },
          b: { on: { ADD: { actions: () => trace("add in b") } } },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "b", context: { n: 1 }, trace: ["add in a", "add in b"] } }],
  },
  {
    name: "an always transition without a target runs its actions until its guard refuses",
    covers: ["eventless.targetless"],
    machine: ({ trace }) =>
      createMachine({
        context: { n: 0 },
        initial: "a",
        states: {
          a: {
            ...noted(trace, "a"),
            on: { SET: { actions: assign({ n: ({ event }) => event.n }) } },
            always: {
              guard: ({ context }) => context.n > 0,
              actions: [({ context }) => trace(context.n), assign({ n: ({ context }) => context.n - 1 })],
            },
          },
        },
      }),
    steps: [{ send: { type: "SET", n: 3 } }, { expect: { value: "a", context: { n: 0 }, trace: ["+a", 3, 2, 1] } }],
  },
  {
    name: "an always transition of a child comes before that of its parent",
    covers: ["eventless.child-first"],
    machine: ({ trace }) =>
      createMachine({
        context: { go: false },
        initial: "p",
        states: {
          p: {
            initial: "a",
            states: {
              a: { always: { guard: ({ context }) => context.go, target: "b", actions: () => trace("child") } },
              b: {},
            },
            on: { GO: { actions: assign({ go: true }) } },
            always: { guard: ({ context }) => context.go, target: "q", actions: () => trace("parent") },
          },
          q: {},
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "q", trace: ["child", "parent"] } }],
  },
  {
    name: "an always transition of the root is asked in every state",
    covers: ["eventless.root"],
    machine: () =>
      createMachine({
        context: { alarm: false },
        initial: "a",
        states: { a: { on: { NEXT: "b" } }, b: {}, alarm: { id: "alarm", entry: assign({ alarm: false }) } },
        on: { ALARM: { actions: assign({ alarm: true }) } },
        always: { guard: ({ context }) => context.alarm, target: ".alarm" },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { expect: { value: "b" } },
      { send: { type: "ALARM" } },
      { expect: { value: "alarm", context: { alarm: false } } },
    ],
  },
  {
    name: "always transitions of several regions are taken in one step",
    covers: ["eventless.parallel", "parallel.select"],
    machine: ({ trace }) =>
      createMachine({
        context: { go: false },
        type: "parallel",
        states: {
          one: {
            initial: "a",
            states: {
              a: { ...noted(trace, "one.a"), always: { guard: ({ context }) => context.go, target: "b" } },
              b: noted(trace, "one.b"),
            },
          },
          two: {
            initial: "a",
            states: {
              a: { ...noted(trace, "two.a"), always: { guard: ({ context }) => context.go, target: "b" } },
              b: noted(trace, "two.b"),
            },
          },
        },
        on: { GO: { actions: assign({ go: true }) } },
      }),
    steps: [
      { send: { type: "GO" } },
      {
        expect: {
          value: { one: "b", two: "b" },
          trace: ["+one.a", "+two.a", "-two.a", "-one.a", "+one.b", "+two.b"],
        },
      },
    ],
  },
  {
    name: "an always transition waits with stateIn for another region",
    covers: ["eventless.parallel", "guard.stateIn"],
    machine: () =>
      createMachine({
        type: "parallel",
        states: {
          lead: { initial: "a", states: { a: { on: { GO: "b" } }, b: { on: { GO: "c" } }, c: {} } },
          follow: {
            initial: "a",
            states: {
              a: { always: { guard: stateIn({ lead: "b" }), target: "b" } },
              b: { always: { guard: stateIn({ lead: "c" }), target: "c" } },
              c: {},
            },
          },
        },
      }),
    steps: [
      { expect: { value: { lead: "a", follow: "a" } } },
      { send: { type: "GO" } },
      { expect: { value: { lead: "b", follow: "b" } } },
      { send: { type: "GO" } },
      { expect: { value: { lead: "c", follow: "c" } } },
    ],
  },
  {
    name: "an always transition may lead straight to the end",
    covers: ["eventless.final", "machine.output"],
    machine: () =>
      createMachine({
        context: { n: 2 },
        initial: "a",
        states: {
          a: { on: { GO: "b" } },
          b: { always: { guard: ({ context }) => context.n === 2, target: "end" } },
          end: { type: "final" },
        },
        output: ({ context }) => ({ twice: context.n * 2 }),
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "end", status: "done", output: { twice: 4 } } }],
  },
  {
    name: "an event that no transition names may still let an always transition through",
    covers: ["eventless.guard", "event.unhandled"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: { a: { always: { guard: ({ event }) => event.type === "X", target: "b" } }, b: noted(trace, "b") },
      }),
    steps: [
      { send: { type: "Y" } },
      { expect: { value: "a" } },
      { send: { type: "X" } },
      { expect: { value: "b", trace: ["+b"] } },
    ],
  },
  {
    name: "an always transition by name or list form is the same as one by object",
    covers: ["eventless.simple"],
    machine: () =>
      createMachine({
        id: "m",
        initial: "a",
        states: {
          a: { on: { GO: "b" } },
          b: { always: "c" },
          c: { always: [{ target: "d" }] },
          d: { always: { target: "#m.e" } },
          e: {},
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "e" } }],
  },
];

/** Which transition an event selects: descriptors, forbidden ones, and whose comes first. */
import { assign, createMachine } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";
import { noted } from "./noted.ts";

export const events: readonly Scenario[] = [
  {
    name: "a child's transition comes before its parent's for the same event",
    covers: ["event.child-first"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            initial: "a",
            states: { a: { on: { GO: { target: "b", actions: () => trace("child") } } }, b: {} },
            on: { GO: { target: "q", actions: () => trace("parent") } },
          },
          q: {},
        },
      }),
    steps: [
      { send: { type: "GO" } },
      { expect: { value: { p: "b" }, trace: ["child"] } },
      { send: { type: "GO" } },
      { expect: { value: "q", trace: ["child", "parent"] } },
    ],
  },
  {
    name: "a parent's transition is taken when the child's guards all refuse",
    covers: ["event.child-first", "guard.fallthrough"],
    machine: () =>
      createMachine({
        initial: "p",
        states: {
          p: {
            initial: "a",
            states: { a: { on: { GO: { guard: ({ event }) => event.inside === true, target: "b" } } }, b: {} },
            on: { GO: "q" },
          },
          q: {},
        },
      }),
    steps: [{ send: { type: "GO", inside: false } }, { expect: { value: "q" } }],
  },
  {
    name: "the event climbs through every ancestor up to the root",
    covers: ["event.child-first", "transition.root"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: {
            initial: "b",
            states: {
              b: {
                initial: "c",
                states: { c: { on: { C: { actions: () => trace("c") } } } },
                on: { B: { actions: () => trace("b") } },
              },
            },
            on: { A: { actions: () => trace("a") } },
          },
        },
        on: { ROOT: { actions: () => trace("root") } },
      }),
    steps: [
      { send: { type: "ROOT" } },
      { send: { type: "A" } },
      { send: { type: "B" } },
      { send: { type: "C" } },
      { expect: { value: { a: { b: "c" } }, trace: ["root", "a", "b", "c"] } },
    ],
  },
  {
    name: "an undefined transition forbids the event to climb to the parent",
    covers: ["event.forbidden"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            initial: "locked",
            states: { locked: { on: { GO: undefined, UNLOCK: "open" } }, open: {} },
            on: { GO: { target: "q", actions: () => trace("left") } },
          },
          q: {},
        },
      }),
    steps: [
      { send: { type: "GO" } },
      { expect: { value: { p: "locked" }, trace: [] } },
      { send: { type: "UNLOCK" } },
      { send: { type: "GO" } },
      { expect: { value: "q", trace: ["left"] } },
    ],
  },
  {
    name: "an empty transition forbids the event to climb to the parent",
    covers: ["event.forbidden"],
    machine: () =>
      createMachine({
        initial: "p",
        states: {
          p: { initial: "locked", states: { locked: { on: { GO: {}, UNLOCK: "open" } }, open: {} }, on: { GO: "q" } },
          q: {},
        },
      }),
    steps: [
      { send: { type: "GO" } },
      { expect: { value: { p: "locked" } } },
      { send: { type: "UNLOCK" } },
      { send: { type: "GO" } },
      { expect: { value: "q" } },
    ],
  },
  {
    name: "an empty list of transitions lets the event climb to the parent",
    covers: ["event.forbidden"],
    machine: () =>
      createMachine({
        initial: "p",
        states: { p: { initial: "a", states: { a: { on: { GO: [] } } }, on: { GO: "q" } }, q: {} },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "q" } }],
  },
  {
    name: "a wildcard takes every event that no other descriptor of the state takes",
    covers: ["event.wildcard"],
    machine: () =>
      createMachine({
        context: { known: 0, others: [] as string[] },
        on: {
          KNOWN: { actions: assign({ known: ({ context }) => context.known + 1 }) },
          "*": { actions: assign({ others: ({ context, event }) => [...context.others, event.type] }) },
        },
      }),
    steps: [
      { send: { type: "KNOWN" } },
      { send: { type: "SOME" } },
      { send: { type: "other.one" } },
      { expect: { context: { known: 1, others: ["SOME", "other.one"] } } },
    ],
  },
  {
    name: "a child's wildcard comes before its parent's exact descriptor",
    covers: ["event.wildcard", "event.child-first"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: { a: { on: { "*": { actions: () => trace("wildcard of the child") } } } },
        on: { GO: { actions: () => trace("exact of the parent") } },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { trace: ["wildcard of the child"] } }],
  },
  {
    name: "a wildcard is tried when the guards of the exact descriptor refuse",
    covers: ["event.wildcard", "guard.fallthrough"],
    machine: ({ trace }) =>
      createMachine({
        on: {
          GO: { guard: ({ event }) => event.ok === true, actions: () => trace("exact") },
          "*": { actions: () => trace("any") },
        },
      }),
    steps: [
      { send: { type: "GO", ok: true } },
      { send: { type: "GO", ok: false } },
      { expect: { trace: ["exact", "any"] } },
    ],
  },
  {
    name: "a forbidden exact descriptor shields an event from the wildcard beside it",
    covers: ["event.forbidden", "event.wildcard"],
    machine: ({ trace }) =>
      createMachine({
        on: { QUIET: undefined, "*": { actions: ({ event }) => trace(event.type) } },
      }),
    steps: [{ send: { type: "QUIET" } }, { send: { type: "LOUD" } }, { expect: { trace: ["LOUD"] } }],
  },
  {
    name: "a forbidden wildcard shields the parent from all events but those named",
    covers: ["event.forbidden", "event.wildcard"],
    machine: () =>
      createMachine({
        initial: "p",
        states: {
          p: {
            initial: "modal",
            states: { modal: { on: { CLOSE: "plain", "*": undefined } }, plain: {} },
            on: { OUT: "q" },
          },
          q: {},
        },
      }),
    steps: [
      { send: { type: "OUT" } },
      { expect: { value: { p: "modal" } } },
      { send: { type: "CLOSE" } },
      { send: { type: "OUT" } },
      { expect: { value: "q" } },
    ],
  },
  {
    name: "a partial descriptor takes its own token and all that follow after a dot",
    covers: ["event.partial"],
    machine: ({ trace }) =>
      createMachine({
        on: { "order.*": { actions: ({ event }) => trace(event.type) } },
      }),
    steps: [
      { send: { type: "order.paid" } },
      { send: { type: "order.item.added" } },
      { send: { type: "order" } },
      { send: { type: "orders.paid" } },
      { send: { type: "order.x.y.z" } },
      { expect: { trace: ["order.paid", "order.item.added", "order", "order.x.y.z"] } },
    ],
  },
  {
    name: "the longest partial descriptor that fits comes first, whatever the order in the definition",
    covers: ["event.partial"],
    machine: ({ trace }) =>
      createMachine({
        on: {
          "*": { actions: () => trace("any") },
          "a.*": { actions: () => trace("a") },
          "a.b.*": { actions: () => trace("a.b") },
          "a.b.c": { actions: () => trace("exact") },
        },
      }),
    steps: [
      { send: { type: "a.b.c" } },
      { send: { type: "a.b.d" } },
      { send: { type: "a.c" } },
      { send: { type: "b" } },
      { expect: { trace: ["exact", "a.b", "a", "any"] } },
    ],
  },
  {
    name: "a guard on a longer partial descriptor lets the shorter one take the event",
    covers: ["event.partial", "guard.fallthrough"],
    machine: ({ trace }) =>
      createMachine({
        context: { open: false },
        on: {
          "a.*": { actions: () => trace("a") },
          "a.b.*": { guard: ({ context }) => context.open, actions: () => trace("a.b") },
          OPEN: { actions: assign({ open: true }) },
        },
      }),
    steps: [
      { send: { type: "a.b.c" } },
      { send: { type: "OPEN" } },
      { send: { type: "a.b.c" } },
      { expect: { trace: ["a", "a.b"] } },
    ],
  },
  {
    name: "event types are compared letter by letter",
    covers: ["event.exact"],
    machine: ({ trace }) =>
      createMachine({
        on: {
          Go: { actions: () => trace("Go") },
          GO: { actions: () => trace("GO") },
          "go ": { actions: () => trace("go ") },
        },
      }),
    steps: [
      { send: { type: "GO" } },
      { send: { type: "go" } },
      { send: { type: "Go" } },
      { send: { type: "go " } },
      { send: { type: "GO!" } },
      { expect: { trace: ["GO", "Go", "go "] } },
    ],
  },
  {
    name: "event types may be names that every object of JavaScript has",
    covers: ["event.exact"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { on: { constructor: { actions: () => trace("constructor") }, toString: "b" } },
          b: noted(trace, "b"),
        },
      } as Parameters<typeof createMachine>[0]),
    steps: [
      { send: { type: "hasOwnProperty" } },
      { send: { type: "constructor" } },
      { send: { type: "valueOf" } },
      { send: { type: "toString" } },
      { expect: { value: "b", trace: ["constructor", "+b"] } },
    ],
  },
  {
    name: "the fields of an event reach guards, assigns and actions as they were sent",
    covers: ["event.payload"],
    machine: ({ trace }) =>
      createMachine({
        context: { last: null as unknown },
        on: {
          PUT: {
            guard: ({ event }) => event.list.length === 2,
            actions: [assign({ last: ({ event }) => event.nested }), ({ event }) => trace(event)],
          },
        },
      }),
    steps: [
      { send: { type: "PUT", list: [1, "two"], nested: { deep: [null, true, { x: "ü" }] } } },
      { send: { type: "PUT", list: [] } },
      {
        expect: {
          context: { last: { deep: [null, true, { x: "ü" }] } },
          trace: [{ type: "PUT", list: [1, "two"], nested: { deep: [null, true, { x: "ü" }] } }],
        },
      },
    ],
  },
  {
    name: "several transitions for one event are tried in the order in which they stand",
    covers: ["transition.order", "guard.order"],
    machine: () =>
      createMachine({
        initial: "a",
        states: {
          a: {
            on: {
              GO: [
                { guard: ({ event }) => event.n > 10, target: "large" },
                { guard: ({ event }) => event.n > 5, target: "middle" },
                { target: "small" },
              ],
            },
          },
          large: { on: { BACK: "a" } },
          middle: { on: { BACK: "a" } },
          small: { on: { BACK: "a" } },
        },
      }),
    steps: [
      { send: { type: "GO", n: 11 } },
      { expect: { value: "large" } },
      { send: { type: "BACK" } },
      { send: { type: "GO", n: 6 } },
      { expect: { value: "middle" } },
      { send: { type: "BACK" } },
      { send: { type: "GO", n: 1 } },
      { expect: { value: "small" } },
    ],
  },
];

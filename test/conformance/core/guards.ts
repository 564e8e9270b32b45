/** Guards: inline, named, with params, combined, and those that ask for the state. */
import { and, assign, createMachine, type EventObject, not, or, setup, stateIn } from "xstate";
import type { Scenario, ScenarioEvent } from "../../scenarios/scenario.ts";

/** A guard that holds when the event has something in the field. */
const has =
  (field: string) =>
  ({ event }: { event: EventObject }): boolean =>
    Boolean((event as ScenarioEvent)[field]);

export const guards: readonly Scenario[] = [
  {
    name: "an inline guard sees the context and the event",
    covers: ["guard.inline"],
    machine: () =>
      createMachine({
        context: { limit: 10, sum: 0 },
        on: {
          ADD: {
            guard: ({ context, event }) => context.sum + event.n <= context.limit,
            actions: assign({ sum: ({ context, event }) => context.sum + event.n }),
          },
        },
      }),
    steps: [
      { send: { type: "ADD", n: 7 } },
      { send: { type: "ADD", n: 4 } },
      { send: { type: "ADD", n: 3 } },
      { expect: { context: { limit: 10, sum: 10 } } },
    ],
  },
  {
    name: "a guard by name is looked up in the machine's implementations",
    covers: ["guard.named"],
    machine: () =>
      setup({
        types: {} as { context: { age: number }; events: { type: "BIRTHDAY" } | { type: "ENTER" } },
        guards: { isAdult: ({ context }) => context.age >= 18 },
        actions: { older: assign({ age: ({ context }) => context.age + 1 }) },
      }).createMachine({
        context: { age: 17 },
        initial: "outside",
        states: {
          outside: { on: { BIRTHDAY: { actions: "older" }, ENTER: { guard: "isAdult", target: "inside" } } },
          inside: {},
        },
      }),
    steps: [
      { send: { type: "ENTER" } },
      { expect: { value: "outside" } },
      { send: { type: "BIRTHDAY" } },
      { send: { type: "ENTER" } },
      { expect: { value: "inside", context: { age: 18 } } },
    ],
  },
  {
    name: "a named guard gets the params that stand beside its name",
    covers: ["guard.params"],
    machine: () =>
      setup({
        types: {} as { context: { n: number }; events: { type: "TRY" } | { type: "ADD" } },
        guards: { isAtLeast: ({ context }, params: { min: number }) => context.n >= params.min },
        actions: { add: assign({ n: ({ context }) => context.n + 1 }) },
      }).createMachine({
        context: { n: 0 },
        initial: "a",
        states: {
          a: {
            on: {
              ADD: { actions: "add" },
              TRY: [
                { guard: { type: "isAtLeast", params: { min: 2 } }, target: "two" },
                { guard: { type: "isAtLeast", params: { min: 1 } }, target: "one" },
              ],
            },
          },
          one: { on: { ADD: { target: "a", actions: "add" } } },
          two: {},
        },
      }),
    steps: [
      { send: { type: "TRY" } },
      { expect: { value: "a" } },
      { send: { type: "ADD" } },
      { send: { type: "TRY" } },
      { expect: { value: "one" } },
      { send: { type: "ADD" } },
      { send: { type: "TRY" } },
      { expect: { value: "two", context: { n: 2 } } },
    ],
  },
  {
    name: "the params of a guard may be a function of context and event",
    covers: ["guard.params-dynamic"],
    machine: () =>
      setup({
        types: {} as { context: { limit: number }; events: { type: "GO"; n: number } },
        guards: { isBelow: (_, params: { n: number; limit: number }) => params.n < params.limit },
      }).createMachine({
        context: { limit: 3 },
        initial: "a",
        states: {
          a: {
            on: {
              GO: {
                guard: { type: "isBelow", params: ({ context, event }) => ({ n: event.n, limit: context.limit }) },
                target: "b",
              },
            },
          },
          b: {},
        },
      }),
    steps: [
      { send: { type: "GO", n: 3 } },
      { expect: { value: "a" } },
      { send: { type: "GO", n: 2 } },
      { expect: { value: "b" } },
    ],
  },
  {
    name: "and holds when all its guards hold",
    covers: ["guard.and"],
    machine: () =>
      createMachine({
        initial: "a",
        states: {
          a: { on: { GO: { guard: and([has("x"), has("y")]), target: "b" } } },
          b: {},
        },
      }),
    steps: [
      { send: { type: "GO", x: true, y: false } },
      { send: { type: "GO", x: false, y: true } },
      { expect: { value: "a" } },
      { send: { type: "GO", x: true, y: true } },
      { expect: { value: "b" } },
    ],
  },
  {
    name: "or holds when one of its guards holds",
    covers: ["guard.or"],
    machine: () =>
      createMachine({
        context: { taken: 0 },
        on: {
          GO: {
            guard: or([has("x"), has("y")]),
            actions: assign({ taken: ({ context }) => context.taken + 1 }),
          },
        },
      }),
    steps: [
      { send: { type: "GO", x: true, y: false } },
      { send: { type: "GO", x: false, y: true } },
      { send: { type: "GO", x: false, y: false } },
      { expect: { context: { taken: 2 } } },
    ],
  },
  {
    name: "not holds when its guard does not",
    covers: ["guard.not"],
    machine: () =>
      createMachine({
        initial: "a",
        states: { a: { on: { GO: { guard: not(has("stop")), target: "b" } } }, b: {} },
      }),
    steps: [
      { send: { type: "GO", stop: true } },
      { expect: { value: "a" } },
      { send: { type: "GO", stop: false } },
      { expect: { value: "b" } },
    ],
  },
  {
    name: "and, or and not may be nested, with names and params among them",
    covers: ["guard.and", "guard.or", "guard.not", "guard.params"],
    machine: () =>
      setup({
        types: {} as { context: { n: number }; events: { type: "GO"; n: number; force?: boolean } },
        guards: {
          isForced: ({ event }) => event.force === true,
          isMoreThan: ({ event }, params: { than: number }) => event.n > params.than,
        },
        actions: { count: assign({ n: ({ context }) => context.n + 1 }) },
      }).createMachine({
        context: { n: 0 },
        on: {
          GO: {
            guard: or([
              "isForced",
              and([{ type: "isMoreThan", params: { than: 3 } }, not({ type: "isMoreThan", params: { than: 6 } })]),
            ]),
            actions: "count",
          },
        },
      }),
    steps: [
      { send: { type: "GO", n: 3 } },
      { send: { type: "GO", n: 4 } },
      { send: { type: "GO", n: 7 } },
      { send: { type: "GO", n: 7, force: true } },
      { expect: { context: { n: 2 } } },
    ],
  },
  {
    name: "a combination of guards may itself have a name",
    covers: ["guard.named", "guard.and"],
    machine: () =>
      setup({
        types: {} as { events: { type: "GO"; x: boolean; y: boolean } },
        guards: {
          x: ({ event }) => event.x,
          y: ({ event }) => event.y,
          both: and(["x", "y"]),
          none: not(or(["x", "y"])),
        },
      }).createMachine({
        initial: "a",
        states: {
          a: {
            on: {
              GO: [
                { guard: "both", target: "both" },
                { guard: "none", target: "none" },
              ],
            },
          },
          both: { on: { GO: "a" } },
          none: {},
        },
      }),
    steps: [
      { send: { type: "GO", x: true, y: false } },
      { expect: { value: "a" } },
      { send: { type: "GO", x: true, y: true } },
      { expect: { value: "both" } },
      { send: { type: "GO", x: true, y: true } },
      { send: { type: "GO", x: false, y: false } },
      { expect: { value: "none" } },
    ],
  },
  {
    name: "stateIn asks whether another region is in a state",
    covers: ["guard.stateIn"],
    machine: () =>
      createMachine({
        type: "parallel",
        states: {
          door: { initial: "open", states: { open: { on: { CLOSE: "closed" } }, closed: { on: { OPEN: "open" } } } },
          motor: {
            initial: "off",
            states: { off: { on: { START: { guard: stateIn({ door: "closed" }), target: "on" } } }, on: {} },
          },
        },
      }),
    steps: [
      { send: { type: "START" } },
      { expect: { value: { door: "open", motor: "off" } } },
      { send: { type: "CLOSE" } },
      { send: { type: "START" } },
      { expect: { value: { door: "closed", motor: "on" } } },
    ],
  },
  {
    name: "stateIn finds a state by its id, at any depth",
    covers: ["guard.stateIn"],
    machine: () =>
      createMachine({
        type: "parallel",
        states: {
          one: {
            initial: "a",
            states: {
              a: { on: { DOWN: "b" } },
              b: { initial: "c", states: { c: { on: { DOWN: "d" } }, d: { id: "bottom" } } },
            },
          },
          two: {
            initial: "x",
            states: { x: { on: { ASK: { guard: stateIn("#bottom"), target: "y" } } }, y: {} },
          },
        },
      }),
    steps: [
      { send: { type: "DOWN" } },
      { send: { type: "ASK" } },
      { expect: { value: { one: { b: "c" }, two: "x" } } },
      { send: { type: "DOWN" } },
      { send: { type: "ASK" } },
      { expect: { value: { one: { b: "d" }, two: "y" } } },
    ],
  },
  {
    name: "stateIn with part of a value holds for every state below that part",
    covers: ["guard.stateIn"],
    machine: () =>
      createMachine({
        context: { hits: 0 },
        initial: "p",
        states: {
          p: { initial: "a", states: { a: { on: { NEXT: "b" } }, b: { on: { NEXT: "#q" } } } },
          q: { id: "q" },
        },
        on: { ASK: { guard: stateIn("p"), actions: assign({ hits: ({ context }) => context.hits + 1 }) } },
      }),
    steps: [
      { send: { type: "ASK" } },
      { send: { type: "NEXT" } },
      { send: { type: "ASK" } },
      { send: { type: "NEXT" } },
      { send: { type: "ASK" } },
      { expect: { value: "q", context: { hits: 2 } } },
    ],
  },
  {
    name: "stateIn combines with other guards",
    covers: ["guard.stateIn", "guard.and", "guard.not"],
    machine: () =>
      createMachine({
        type: "parallel",
        states: {
          light: { initial: "red", states: { red: { on: { FLIP: "green" } }, green: { on: { FLIP: "red" } } } },
          car: {
            initial: "waits",
            states: {
              waits: {
                on: {
                  DRIVE: { guard: and([not(stateIn({ light: "red" })), has("awake")]), target: "drives" },
                },
              },
              drives: {},
            },
          },
        },
      }),
    steps: [
      { send: { type: "DRIVE", awake: true } },
      { send: { type: "FLIP" } },
      { send: { type: "DRIVE", awake: false } },
      { expect: { value: { light: "green", car: "waits" } } },
      { send: { type: "DRIVE", awake: true } },
      { expect: { value: { light: "green", car: "drives" } } },
    ],
  },
  {
    name: "a guard sees the context as it was before the transition's own assigns",
    covers: ["guard.context"],
    machine: ({ trace }) =>
      createMachine({
        context: { n: 0 },
        on: {
          STEP: [
            { guard: ({ context }) => context.n === 1, actions: () => trace("one") },
            {
              guard: ({ context }) => context.n === 0,
              actions: [assign({ n: 1 }), () => trace("zero")],
            },
          ],
        },
      }),
    steps: [
      { send: { type: "STEP" } },
      { expect: { context: { n: 1 }, trace: ["zero"] } },
      { send: { type: "STEP" } },
      { expect: { trace: ["zero", "one"] } },
    ],
  },
  {
    name: "the guards of all regions see the same context, before any of them has assigned",
    covers: ["guard.context", "parallel.select"],
    machine: () => {
      const region = {
        initial: "a",
        states: {
          a: {
            on: {
              TAKE: {
                guard: ({ context }: { context: { left: number } }) => context.left > 0,
                target: "b",
                actions: assign({ left: ({ context }: { context: { left: number } }) => context.left - 1 }),
              },
            },
          },
          b: {},
        },
      };
      return createMachine({ context: { left: 1 }, type: "parallel", states: { one: region, two: region } });
    },
    steps: [{ send: { type: "TAKE" } }, { expect: { value: { one: "b", two: "b" }, context: { left: -1 } } }],
  },
  {
    name: "a guard that gives something truthy lets the transition through, something falsy does not",
    covers: ["guard.inline"],
    machine: ({ trace }) =>
      createMachine({
        on: {
          TRY: [
            { guard: ({ event }) => event.value, actions: ({ event }) => trace(["yes", event.value]) },
            { actions: ({ event }) => trace(["no", event.value]) },
          ],
        },
      }),
    steps: [
      { send: { type: "TRY", value: "text" } },
      { send: { type: "TRY", value: "" } },
      { send: { type: "TRY", value: 0 } },
      { send: { type: "TRY", value: null } },
      { send: { type: "TRY", value: {} } },
      {
        expect: {
          trace: [
            ["yes", "text"],
            ["no", ""],
            ["no", 0],
            ["no", null],
            ["yes", {}],
          ],
        },
      },
    ],
  },
  {
    name: "an implementation given with provide takes the place of the one from setup",
    covers: ["guard.named", "machine.provide"],
    machine: ({ trace }) =>
      setup({
        types: {} as { events: { type: "GO" } },
        guards: { allowed: () => false },
        actions: { tell: () => trace("from setup") },
      })
        .createMachine({
          initial: "a",
          states: { a: { on: { GO: { guard: "allowed", target: "b", actions: "tell" } } }, b: {} },
        })
        .provide({ guards: { allowed: () => true }, actions: { tell: () => trace("provided") } }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "b", trace: ["provided"] } }],
  },
];

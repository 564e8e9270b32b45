/** What belongs to a machine as a whole: how it is made, its id and version, and shapes that are out of the ordinary. */
import { assertEvent, assign, createMachine, setup } from "xstate";
import { hour, type Scenario } from "../../scenarios/scenario.ts";
import { noted } from "./noted.ts";

export const machines: readonly Scenario[] = [
  {
    name: "a machine without states handles events at its root",
    covers: ["machine.stateless"],
    machine: () =>
      createMachine({
        context: { n: 0 },
        on: { ADD: { actions: assign({ n: ({ context, event }) => context.n + event.by }) } },
      }),
    steps: [
      { send: { type: "ADD", by: 2 } },
      { send: { type: "ADD", by: 3 } },
      { expect: { value: {}, status: "active", context: { n: 5 } } },
    ],
  },
  {
    name: "an empty machine lives and ignores everything",
    covers: ["machine.stateless", "event.unhandled"],
    machine: () => createMachine({}),
    steps: [{ send: { type: "ANY" } }, { expect: { value: {}, status: "active", context: {} } }],
  },
  {
    name: "a machine made by setup uses its named actions, guards and delays together",
    covers: ["machine.setup", "action.named", "guard.named", "after.named"],
    machine: ({ trace }) =>
      setup({
        types: {} as {
          context: { left: number };
          events: { type: "PRESS" };
          input: { presses: number };
          output: string;
        },
        actions: {
          press: assign({ left: ({ context }) => context.left - 1 }),
          note: ({ context }) => trace(context.left),
        },
        guards: { isLast: ({ context }) => context.left <= 1 },
        delays: { pause: hour },
      }).createMachine({
        context: ({ input }) => ({ left: input.presses }),
        initial: "ready",
        states: {
          ready: {
            on: {
              PRESS: [
                { guard: "isLast", target: "end", actions: ["press", "note"] },
                { target: "pauses", actions: ["press", "note"] },
              ],
            },
          },
          pauses: { after: { pause: "ready" } },
          end: { type: "final" },
        },
        output: "worn out",
      }),
    input: { presses: 2 },
    steps: [
      { send: { type: "PRESS" } },
      { send: { type: "PRESS" } },
      { expect: { value: "pauses", context: { left: 1 }, trace: [1] } },
      { hours: 1 },
      { send: { type: "PRESS" } },
      { expect: { status: "done", output: "worn out", context: { left: 0 }, trace: [1, 0] } },
    ],
  },
  {
    name: "state configs made apart by createStateConfig become states of a machine",
    covers: ["machine.setup", "setup.createStateConfig"],
    machine: ({ trace }) => {
      const light = setup({
        types: {} as { events: { type: "NEXT" } },
        actions: { note: (_, params: { colour: string }) => trace(params.colour) },
      });
      const green = light.createStateConfig({
        entry: { type: "note", params: { colour: "green" } },
        on: { NEXT: "red" },
      });
      const red = light.createStateConfig({
        entry: { type: "note", params: { colour: "red" } },
        on: { NEXT: "green" },
      });
      return light.createMachine({ initial: "green", states: { green, red } });
    },
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "NEXT" } },
      { expect: { value: "green", trace: ["green", "red", "green"] } },
    ],
  },
  {
    name: "actions made by the methods of setup are actions of the machine",
    covers: ["machine.setup", "setup.actions"],
    machine: ({ trace }) => {
      const counter = setup({ types: {} as { context: { n: number }; events: { type: "GO" } | { type: "TICK" } } });
      const count = counter.assign({ n: ({ context }) => context.n + 1 });
      const show = counter.createAction(({ context }) => trace(context.n));
      const tick = counter.raise({ type: "TICK" });
      return counter.createMachine({
        context: { n: 0 },
        on: { GO: { actions: [count, tick, show] }, TICK: { actions: [count, show] } },
      });
    },
    steps: [{ send: { type: "GO" } }, { expect: { context: { n: 2 }, trace: [1, 2] } }],
  },
  {
    name: "a setup that is extended has the implementations of both",
    covers: ["machine.setup", "setup.extend"],
    machine: ({ trace }) =>
      setup({ types: {} as { events: { type: "GO" } }, actions: { one: () => trace("one") } })
        .extend({ actions: { two: () => trace("two") }, guards: { yes: () => true }, delays: { soon: hour } })
        .createMachine({
          initial: "a",
          states: {
            a: { on: { GO: { guard: "yes", target: "b", actions: ["one", "two"] } } },
            b: { after: { soon: "c" } },
            c: {},
          },
        }),
    steps: [{ send: { type: "GO" } }, { hours: 1 }, { expect: { value: "c", trace: ["one", "two"] } }],
  },
  {
    name: "createMachine takes implementations as its second argument",
    covers: ["machine.createMachine", "action.named", "guard.named", "after.named"],
    machine: ({ trace }) =>
      createMachine(
        {
          initial: "a",
          states: {
            a: { on: { GO: { guard: "allowed", target: "b", actions: "note" } } },
            b: { after: { soon: "c" } },
            c: {},
          },
        },
        { actions: { note: () => trace("go") }, guards: { allowed: () => true }, delays: { soon: hour } },
      ),
    steps: [
      { send: { type: "GO" } },
      { expect: { value: "b", trace: ["go"] } },
      { hours: 1 },
      { expect: { value: "c" } },
    ],
  },
  {
    name: "delays given with provide take the place of those from setup",
    covers: ["machine.provide", "after.named"],
    machine: () =>
      setup({ delays: { wait: 100 * hour } })
        .createMachine({ initial: "a", states: { a: { after: { wait: "b" } }, b: {} } })
        .provide({ delays: { wait: hour } }),
    steps: [{ hours: 1 }, { expect: { value: "b" } }],
  },
  {
    name: "a machine's id, version and description change nothing of what it does",
    covers: ["machine.id", "machine.version", "meta.state"],
    machine: () =>
      createMachine({
        id: "orders",
        version: "2.1.0",
        description: "An order.",
        initial: "a",
        states: { a: { on: { GO: "b" } }, b: {} },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "b" } }],
  },
  {
    name: "a machine without an id takes part in targets by path",
    covers: ["machine.id", "target.absolute"],
    machine: () =>
      createMachine({
        initial: "a",
        states: { a: { initial: "x", states: { x: { on: { GO: "#(machine).b" } } } }, b: {} },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { value: "b" } }],
  },
  {
    name: "assertEvent lets the events through that an action is for",
    covers: ["assertEvent.type"],
    machine: ({ trace }) =>
      setup({
        types: {} as { context: { n: number }; events: { type: "SET"; n: number } | { type: "CLEAR" } },
        actions: {
          set: assign(({ event }) => {
            assertEvent(event, "SET");
            return { n: event.n };
          }),
          note: ({ event }) => {
            assertEvent(event, ["SET", "CLEAR"]);
            trace(event.type);
          },
        },
      }).createMachine({
        context: { n: 0 },
        on: { SET: { actions: ["set", "note"] }, CLEAR: { actions: [assign({ n: 0 }), "note"] } },
      }),
    steps: [
      { send: { type: "SET", n: 5 } },
      { expect: { context: { n: 5 } } },
      { send: { type: "CLEAR" } },
      { expect: { context: { n: 0 }, trace: ["SET", "CLEAR"] } },
    ],
  },
  {
    name: "a machine ten states deep enters and leaves all ten",
    covers: ["initial.nested", "action.order"],
    machine: ({ trace }) => {
      let state: any = { ...noted(trace, "10"), on: { OUT: "#m.out" } };
      for (let depth = 9; depth >= 1; depth--) {
        state = { ...noted(trace, `${depth}`), initial: "in", states: { in: state } };
      }
      return createMachine({ id: "m", initial: "in", states: { in: state, out: {} } });
    },
    steps: [
      { send: { type: "OUT" } },
      {
        expect: {
          value: "out",
          trace: [
            ...Array.from({ length: 10 }, (_, i) => `+${i + 1}`),
            ...Array.from({ length: 10 }, (_, i) => `-${10 - i}`),
          ],
        },
      },
    ],
  },
  {
    name: "a machine with many states in a row goes through all of them",
    covers: ["transition.external", "initial.state"],
    machine: () =>
      createMachine({
        context: { steps: 0 },
        initial: "s0",
        states: Object.fromEntries(
          Array.from({ length: 60 }, (_, i) => [
            `s${i}`,
            {
              on: {
                NEXT: { target: `s${(i + 1) % 60}`, actions: assign({ steps: ({ context }) => context.steps + 1 }) },
              },
            },
          ]),
        ),
      }),
    steps: [
      ...Array.from({ length: 7 }, () => ({ send: { type: "NEXT" } })),
      { expect: { value: "s7", context: { steps: 7 } } },
    ],
  },
  {
    name: "states, events and context fields may have the names that machines use themselves",
    covers: ["state.names", "event.exact"],
    machine: () =>
      createMachine({
        context: { states: 1, value: "v", status: "s", children: [], context: { n: 1 } },
        initial: "initial",
        states: {
          initial: { on: { on: "states", target: "initial" } },
          states: { initial: "final", states: { final: { on: { entry: "done" } }, done: { type: "final" } } },
        },
      }),
    steps: [
      { send: { type: "on" } },
      { expect: { value: { states: "final" } } },
      { send: { type: "entry" } },
      {
        expect: {
          value: { states: "done" },
          status: "active",
          context: { states: 1, value: "v", status: "s", children: [], context: { n: 1 } },
        },
      },
    ],
  },
  {
    name: "types in a machine's config are nothing at run time",
    covers: ["machine.types"],
    machine: () =>
      createMachine({
        types: {} as { context: { n: number }; events: { type: "ADD"; by: number }; tags: "odd" | "even" },
        context: { n: 1 },
        initial: "odd",
        states: {
          odd: {
            tags: "odd",
            on: { ADD: { target: "even", actions: assign({ n: ({ context, event }) => context.n + event.by }) } },
          },
          even: { tags: "even" },
        },
      }),
    steps: [{ send: { type: "ADD", by: 1 } }, { expect: { value: "even", tags: ["even"], context: { n: 2 } } }],
  },
  {
    name: "one machine's config may hold the same state object in several places",
    covers: ["machine.createMachine", "parallel.independent"],
    machine: ({ trace }) => {
      const toggle = {
        initial: "off",
        states: { off: { on: { FLIP: "on" } }, on: { entry: () => trace("on"), on: { FLIP: "off" } } },
      };
      return createMachine({ type: "parallel", states: { left: toggle, right: toggle } });
    },
    steps: [{ send: { type: "FLIP" } }, { expect: { value: { left: "on", right: "on" }, trace: ["on", "on"] } }],
  },
];

/** onSnapshot and syncSnapshot: a parent that looks on while a child goes through its states. */
import { assign, createMachine, forwardTo, sendTo, setup, spawnChild } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";

/** Red, green, yellow, and off for good. */
const light = setup({ types: { context: {} as { turns: number }, tags: {} as "stop" | "go" } }).createMachine({
  id: "light",
  context: { turns: 0 },
  initial: "red",
  states: {
    red: { tags: "stop", on: { NEXT: "green" } },
    green: { tags: "go", on: { NEXT: "yellow" } },
    yellow: {
      tags: ["stop", "go"],
      on: { NEXT: { target: "red", actions: assign({ turns: ({ context }) => context.turns + 1 }) } },
    },
    off: { type: "final" },
  },
  on: { OFF: ".off" },
  output: ({ context }) => context.turns,
});

/** A child with regions and nested states. */
const house = createMachine({
  type: "parallel",
  states: {
    door: { initial: "closed", states: { closed: { on: { OPEN: "open" } }, open: {} } },
    heater: {
      initial: "off",
      states: {
        off: { on: { HEAT: "on" } },
        on: { initial: "low", states: { low: { on: { HEAT: "high" } }, high: {} } },
      },
    },
  },
});

export const scenarios: readonly Scenario[] = [
  {
    name: "onSnapshot shows every state of the child, the first included",
    covers: ["invoke.onSnapshot"],
    machine: () =>
      setup({ actors: { light } }).createMachine({
        context: { seen: [] as unknown[] },
        invoke: {
          src: "light",
          id: "light",
          onSnapshot: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.snapshot.value] }) },
        },
        on: { NEXT: { actions: forwardTo("light") } },
      }),
    steps: [
      { expect: { context: { seen: ["red"] } } },
      { send: { type: "NEXT" } },
      { send: { type: "NEXT" } },
      { send: { type: "NEXT" } },
      { expect: { context: { seen: ["red", "green", "yellow", "red"] } } },
    ],
  },
  {
    name: "a snapshot has value, context and status",
    covers: ["invoke.onSnapshot", "snapshot.ofChild"],
    machine: () =>
      setup({ actors: { light } }).createMachine({
        context: { seen: undefined as unknown },
        invoke: {
          src: "light",
          id: "light",
          onSnapshot: {
            actions: assign({
              seen: ({ event }) => ({
                value: event.snapshot.value,
                context: event.snapshot.context,
                status: event.snapshot.status,
                output: event.snapshot.output,
              }),
            }),
          },
        },
        on: { NEXT: { actions: forwardTo("light") } },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "NEXT" } },
      { send: { type: "NEXT" } },
      { expect: { context: { seen: { value: "red", context: { turns: 1 }, status: "active", output: undefined } } } },
    ],
  },
  {
    name: "a snapshot answers matches and hasTag",
    covers: ["invoke.onSnapshot", "snapshot.ofChild"],
    machine: () =>
      setup({ actors: { light } }).createMachine({
        context: { seen: [] as unknown[] },
        invoke: {
          src: "light",
          id: "light",
          onSnapshot: {
            actions: assign({
              seen: ({ event }) => [
                event.snapshot.matches("green"),
                event.snapshot.matches("yellow"),
                event.snapshot.hasTag("stop"),
                event.snapshot.hasTag("go"),
              ],
            }),
          },
        },
        on: { NEXT: { actions: forwardTo("light") } },
      }),
    steps: [
      { expect: { context: { seen: [false, false, true, false] } } },
      { send: { type: "NEXT" } },
      { expect: { context: { seen: [true, false, false, true] } } },
      { send: { type: "NEXT" } },
      { expect: { context: { seen: [false, true, true, true] } } },
    ],
  },
  {
    name: "a snapshot answers can, and has the meta of the child's states",
    covers: ["snapshot.ofChild"],
    machine: () => {
      const door = createMachine({
        id: "door",
        initial: "closed",
        states: { closed: { meta: { sign: "shut" }, on: { OPEN: "open" } }, open: { on: { CLOSE: "closed" } } },
      });
      return setup({ actors: { door } }).createMachine({
        context: { seen: [] as unknown[] },
        invoke: {
          src: "door",
          id: "door",
          onSnapshot: {
            actions: assign({
              seen: ({ event }) => [
                event.snapshot.can({ type: "OPEN" }),
                event.snapshot.can({ type: "CLOSE" }),
                event.snapshot.getMeta(),
              ],
            }),
          },
        },
        on: { OPEN: { actions: forwardTo("door") } },
      });
    },
    steps: [
      { expect: { context: { seen: [true, false, { "door.closed": { sign: "shut" } }] } } },
      { send: { type: "OPEN" } },
      { expect: { context: { seen: [false, true, {}] } } },
    ],
  },
  {
    name: "a snapshot of a child with regions answers matches for nested values",
    covers: ["snapshot.ofChild"],
    machine: () =>
      setup({ actors: { house } }).createMachine({
        context: { value: undefined as unknown, seen: [] as boolean[] },
        invoke: {
          src: "house",
          id: "house",
          onSnapshot: {
            actions: assign({
              value: ({ event }) => event.snapshot.value,
              seen: ({ event }) => [
                event.snapshot.matches({ door: "open" }),
                event.snapshot.matches({ heater: "on" }),
                event.snapshot.matches({ heater: { on: "high" } }),
              ],
            }),
          },
        },
        on: { OPEN: { actions: forwardTo("house") }, HEAT: { actions: forwardTo("house") } },
      }),
    steps: [
      { expect: { context: { value: { door: "closed", heater: "off" }, seen: [false, false, false] } } },
      { send: { type: "HEAT" } },
      { expect: { context: { value: { door: "closed", heater: { on: "low" } }, seen: [false, true, false] } } },
      { send: { type: "OPEN" } },
      { send: { type: "HEAT" } },
      { expect: { context: { value: { door: "open", heater: { on: "high" } }, seen: [true, true, true] } } },
    ],
  },
  {
    name: "onSnapshot moves the parent when its guard holds",
    covers: ["invoke.onSnapshot"],
    machine: () =>
      setup({ actors: { light } }).createMachine({
        initial: "waiting",
        states: {
          waiting: {
            invoke: {
              src: "light",
              id: "light",
              onSnapshot: { guard: ({ event }) => event.snapshot.value === "green", target: "driving" },
            },
            on: { NEXT: { actions: forwardTo("light") } },
          },
          driving: {},
        },
      }),
    steps: [{ expect: { value: "waiting" } }, { send: { type: "NEXT" } }, { expect: { value: "driving" } }],
  },
  {
    name: "the end of a child comes by onDone, not by onSnapshot",
    covers: ["invoke.onSnapshot", "invoke.onDone"],
    machine: () =>
      setup({ actors: { light } }).createMachine({
        context: { seen: [] as unknown[] },
        invoke: {
          src: "light",
          id: "light",
          onSnapshot: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.snapshot.value] }) },
          onDone: { actions: assign({ seen: ({ context, event }) => [...context.seen, `done ${event.output}`] }) },
        },
        on: { NEXT: { actions: forwardTo("light") }, OFF: { actions: forwardTo("light") } },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "OFF" } },
      { expect: { context: { seen: ["red", "green", "done 0"] } } },
    ],
  },
  {
    name: "a machine started by spawnChild with syncSnapshot shows its states",
    covers: ["spawn.syncSnapshot", "spawn.spawnChild"],
    machine: () =>
      setup({ actors: { light } }).createMachine({
        context: { seen: [] as unknown[] },
        entry: spawnChild("light", { id: "light", syncSnapshot: true }),
        on: {
          NEXT: { actions: forwardTo("light") },
          "xstate.snapshot.light": {
            actions: assign({ seen: ({ context, event }) => [...context.seen, event.snapshot.value] }),
          },
        },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "NEXT" } },
      { expect: { context: { seen: ["red", "green", "yellow"] } } },
    ],
  },
  {
    name: "a machine spawned in assign with syncSnapshot shows its states",
    covers: ["spawn.syncSnapshot", "spawn.assign"],
    machine: () =>
      setup({ actors: { light } }).createMachine({
        context: ({ spawn }) => ({
          light: spawn("light", { id: "light", syncSnapshot: true }) as any,
          seen: [] as unknown[],
        }),
        on: {
          NEXT: { actions: sendTo(({ context }) => context.light, { type: "NEXT" }) },
          "xstate.snapshot.light": {
            actions: assign({ seen: ({ context, event }) => [...context.seen, event.snapshot.value] }),
          },
        },
      }),
    steps: [{ send: { type: "NEXT" } }, { expect: { contextHas: { seen: ["red", "green"] } } }],
  },
  {
    name: "a child that is not asked to shows no states",
    covers: ["spawn.syncSnapshot", "invoke.onSnapshot"],
    machine: () =>
      setup({ actors: { light } }).createMachine({
        context: { seen: [] as string[] },
        invoke: { src: "light", id: "a" },
        entry: spawnChild("light", { id: "b" }),
        on: {
          NEXT: { actions: [forwardTo("a"), forwardTo("b")] },
          "*": { actions: assign({ seen: ({ context, event }) => [...context.seen, event.type] }) },
        },
      }),
    steps: [{ send: { type: "NEXT" } }, { expect: { context: { seen: [] } } }],
  },
  {
    name: "two children that are looked at are told apart by their ids",
    covers: ["invoke.onSnapshot", "actors.isolated"],
    machine: () =>
      setup({ actors: { light } }).createMachine({
        context: { a: "" as unknown, b: "" as unknown },
        invoke: [
          { src: "light", id: "a", onSnapshot: { actions: assign({ a: ({ event }) => event.snapshot.value }) } },
          { src: "light", id: "b", onSnapshot: { actions: assign({ b: ({ event }) => event.snapshot.value }) } },
        ],
        on: { NEXT: { actions: sendTo(({ event }) => event.who, { type: "NEXT" }) } },
      }),
    steps: [
      { send: { type: "NEXT", who: "b" } },
      { expect: { context: { a: "red", b: "green" } } },
      { send: { type: "NEXT", who: "a" } },
      { send: { type: "NEXT", who: "b" } },
      { expect: { context: { a: "green", b: "yellow" } } },
    ],
  },
  {
    name: "a parent that has left the state sees no more of its child",
    covers: ["invoke.onSnapshot", "invoke.exit"],
    machine: () =>
      setup({ actors: { light } }).createMachine({
        context: { seen: [] as unknown[] },
        initial: "on",
        states: {
          on: {
            invoke: { src: "light", id: "light" },
            on: { OFF: "off", NEXT: { actions: forwardTo("light") } },
          },
          off: { on: { ON: "on" } },
        },
        on: {
          "xstate.snapshot.light": {
            actions: assign({ seen: ({ context, event }) => [...context.seen, event.snapshot.value] }),
          },
        },
      }),
    steps: [{ send: { type: "NEXT" } }, { send: { type: "OFF" } }, { expect: { value: "off", context: { seen: [] } } }],
  },
  {
    name: "a child that is invoked afresh shows its first state again",
    covers: ["invoke.onSnapshot", "invoke.reenter"],
    machine: () =>
      setup({ actors: { light } }).createMachine({
        context: { seen: [] as unknown[] },
        initial: "on",
        states: {
          on: {
            invoke: {
              src: "light",
              id: "light",
              onSnapshot: {
                actions: assign({ seen: ({ context, event }) => [...context.seen, event.snapshot.value] }),
              },
            },
            on: { NEXT: { actions: forwardTo("light") }, AGAIN: { target: "on", reenter: true } },
          },
        },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "AGAIN" } },
      { send: { type: "NEXT" } },
      { expect: { context: { seen: ["red", "green", "red", "green"] } } },
    ],
  },
  {
    name: "a child shows a snapshot after each macrostep, not after each microstep",
    covers: ["invoke.onSnapshot"],
    machine: () => {
      const hasty = createMachine({
        initial: "a",
        states: { a: { on: { GO: "b" } }, b: { always: "c" }, c: { always: "d" }, d: {} },
      });
      return setup({ actors: { hasty } }).createMachine({
        context: { seen: [] as unknown[] },
        invoke: {
          src: "hasty",
          id: "hasty",
          onSnapshot: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.snapshot.value] }) },
        },
        on: { GO: { actions: forwardTo("hasty") } },
      });
    },
    steps: [{ send: { type: "GO" } }, { expect: { context: { seen: ["a", "d"] } } }],
  },
];

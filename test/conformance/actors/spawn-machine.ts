/** Spawned machines: children that live until they end or are stopped. */
import { assign, createMachine, enqueueActions, sendTo, setup, spawnChild, stopChild } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";
import { collector, counter, fragile, mortal, ticker } from "./logic.ts";

export const scenarios: readonly Scenario[] = [
  {
    name: "a machine spawned in assign is kept in the context",
    covers: ["spawn.assign", "logic.machine", "refs.context"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { kid: undefined as any, seen: 0 },
        on: {
          SPAWN: { actions: assign({ kid: ({ spawn }) => spawn("counter", { id: "kid", input: { from: 3 } }) }) },
          ADD: { actions: sendTo(({ context }) => context.kid, { type: "ADD" }) },
          ASK: { actions: sendTo(({ context }) => context.kid, { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      }),
    steps: [
      { send: { type: "SPAWN" } },
      { expect: { context: { kid: { ref: "kid" }, seen: 0 } } },
      { send: { type: "ADD" } },
      { send: { type: "ASK" } },
      { expect: { context: { kid: { ref: "kid" }, seen: 4 } } },
    ],
  },
  {
    name: "a machine started by spawnChild is reached by its id",
    covers: ["spawn.spawnChild", "logic.machine", "send.sendTo"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: 0 },
        entry: spawnChild("counter", { id: "kid", input: { from: 10 } }),
        on: {
          ADD: { actions: sendTo("kid", { type: "ADD" }) },
          ASK: { actions: sendTo("kid", { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      }),
    steps: [{ send: { type: "ADD" } }, { send: { type: "ASK" } }, { expect: { context: { seen: 11 } } }],
  },
  {
    name: "a machine spawned while the context is made is there from the start",
    covers: ["spawn.assign", "refs.context"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: ({ spawn, input }) => ({
          kid: spawn("counter", { id: "kid", input: { from: (input as { start: number }).start } }) as any,
          seen: 0,
        }),
        on: {
          ASK: { actions: sendTo(({ context }) => context.kid, { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      }),
    input: { start: 9 },
    steps: [{ send: { type: "ASK" } }, { expect: { context: { kid: { ref: "kid" }, seen: 9 } } }],
  },
  {
    name: "a spawned machine lives on when the state that spawned it is left",
    covers: ["spawn.spawnChild", "logic.machine"],
    machine: () =>
      setup({ actors: { ticker } }).createMachine({
        context: { ticks: 0 },
        initial: "a",
        states: {
          a: { entry: spawnChild("ticker", { id: "clock" }), on: { NEXT: "b" } },
          b: { on: { NEXT: "c" } },
          c: {},
        },
        on: { TICK: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) } },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "NEXT" } },
      { hours: 2 },
      { expect: { value: "c", context: { ticks: 2 } } },
    ],
  },
  {
    name: "stopChild stops a spawned machine by its id",
    covers: ["spawn.stopChild", "actors.stop"],
    machine: () =>
      setup({ actors: { ticker } }).createMachine({
        context: { ticks: 0 },
        entry: spawnChild("ticker", { id: "clock" }),
        on: {
          STOP: { actions: stopChild("clock") },
          TICK: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) },
        },
      }),
    steps: [
      { hours: 1 },
      { expect: { context: { ticks: 1 } } },
      { send: { type: "STOP" } },
      { hours: 4 },
      { expect: { status: "active", context: { ticks: 1 } } },
    ],
  },
  {
    name: "stopChild stops a spawned machine by a reference in the context",
    covers: ["spawn.stopChild", "refs.context"],
    machine: () =>
      setup({ actors: { ticker } }).createMachine({
        context: ({ spawn }) => ({ clock: spawn("ticker", { id: "clock" }) as any, ticks: 0 }),
        on: {
          STOP: { actions: [stopChild(({ context }) => context.clock), assign({ clock: undefined })] },
          TICK: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) },
        },
      }),
    steps: [
      { hours: 1 },
      { expect: { context: { clock: { ref: "clock" }, ticks: 1 } } },
      { send: { type: "STOP" } },
      { hours: 4 },
      { expect: { status: "active", context: { clock: undefined, ticks: 1 } } },
    ],
  },
  {
    name: "stopChild takes the id from the event",
    covers: ["spawn.stopChild", "spawn.dynamicId"],
    machine: () =>
      setup({ actors: { ticker } }).createMachine({
        context: { from: [] as string[] },
        entry: [spawnChild("ticker", { id: "a" }), spawnChild("ticker", { id: "b" })],
        on: {
          STOP: { actions: stopChild(({ event }) => event.id) },
          TICK: { actions: assign({ from: ({ context, event }) => [...context.from, event.from].sort() }) },
        },
      }),
    steps: [
      { send: { type: "STOP", id: "a" } },
      { hours: 1 },
      { expect: { context: { from: ["b"] } } },
      { send: { type: "STOP", id: "b" } },
      { hours: 3 },
      { expect: { context: { from: ["b"] } } },
    ],
  },
  {
    name: "stopping a child that does not exist does nothing",
    covers: ["spawn.stopChild"],
    machine: () =>
      createMachine({
        context: { n: 0 },
        on: { STOP: { actions: [stopChild("nobody"), assign({ n: ({ context }) => context.n + 1 })] } },
      }),
    steps: [{ send: { type: "STOP" } }, { expect: { status: "active", context: { n: 1 } } }],
  },
  {
    name: "stopping a child that has ended does nothing",
    covers: ["spawn.stopChild", "send.ended"],
    machine: () =>
      setup({ actors: { mortal } }).createMachine({
        context: { got: "", stopped: false },
        entry: spawnChild("mortal", { id: "kid" }),
        on: {
          END: { actions: sendTo("kid", { type: "END", value: "lived" }) },
          STOP: { actions: [stopChild("kid"), assign({ stopped: true })] },
          "xstate.done.actor.kid": { actions: assign({ got: ({ event }) => event.output }) },
        },
      }),
    steps: [
      { send: { type: "END" } },
      { send: { type: "STOP" } },
      { expect: { status: "active", context: { got: "lived", stopped: true } } },
    ],
  },
  {
    name: "a child that was stopped can be spawned afresh under the same id",
    covers: ["spawn.stopChild", "actors.isolated"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: [] as number[] },
        entry: spawnChild("counter", { id: "kid" }),
        on: {
          STOP: { actions: stopChild("kid") },
          SPAWN: { actions: spawnChild("counter", { id: "kid" }) },
          ADD: { actions: sendTo("kid", { type: "ADD" }) },
          ASK: { actions: sendTo("kid", { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.n] }) },
        },
      }),
    steps: [
      { send: { type: "ADD" } },
      { send: { type: "ADD" } },
      { send: { type: "ASK" } },
      { send: { type: "STOP" } },
      { send: { type: "SPAWN" } },
      { send: { type: "ADD" } },
      { send: { type: "ASK" } },
      { expect: { context: { seen: [2, 1] } } },
    ],
  },
  {
    name: "a child is stopped and spawned afresh in one transition",
    covers: ["spawn.stopChild", "actors.isolated"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: [] as number[] },
        entry: spawnChild("counter", { id: "kid" }),
        on: {
          RENEW: { actions: [stopChild("kid"), spawnChild("counter", { id: "kid", input: { from: 50 } })] },
          ADD: { actions: sendTo("kid", { type: "ADD" }) },
          ASK: { actions: sendTo("kid", { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.n] }) },
        },
      }),
    steps: [
      { send: { type: "ADD" } },
      { send: { type: "ASK" } },
      { send: { type: "RENEW" } },
      { send: { type: "ADD" } },
      { send: { type: "ASK" } },
      { expect: { context: { seen: [1, 51] } } },
    ],
  },
  {
    name: "a child that is spawned and stopped in one transition never starts",
    covers: ["spawn.stopChild"],
    machine: ({ trace }) => {
      const kid = createMachine({ entry: () => trace("started") });
      return setup({ actors: { kid } }).createMachine({
        on: { BOTH: { actions: [spawnChild("kid", { id: "kid" }), stopChild("kid")] } },
      });
    },
    steps: [{ send: { type: "BOTH" } }, { expect: { status: "active", trace: [] } }],
  },
  {
    name: "many children are kept in a list, and each gets what is for it",
    covers: ["refs.context", "actors.isolated", "spawn.assign"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { kids: [] as any[], counts: {} as Record<string, number> },
        on: {
          GROW: {
            actions: assign({
              kids: ({ context, spawn }) => [...context.kids, spawn("counter", { id: `kid-${context.kids.length}` })],
            }),
          },
          ADD: {
            actions: sendTo(
              ({ context, event }) => context.kids[event.index],
              ({ event }) => ({ type: "ADD", by: event.by }),
            ),
          },
          ASK: {
            actions: enqueueActions(({ context, enqueue }) => {
              for (const kid of context.kids) enqueue.sendTo(kid, { type: "TELL" });
            }),
          },
          COUNT: {
            actions: assign({ counts: ({ context, event }) => ({ ...context.counts, [event.from]: event.n }) }),
          },
        },
      }),
    steps: [
      { send: { type: "GROW" } },
      { send: { type: "GROW" } },
      { send: { type: "GROW" } },
      { send: { type: "ADD", index: 0, by: 1 } },
      { send: { type: "ADD", index: 2, by: 20 } },
      { send: { type: "ADD", index: 2, by: 10 } },
      { send: { type: "ASK" } },
      {
        expect: {
          context: {
            kids: [{ ref: "kid-0" }, { ref: "kid-1" }, { ref: "kid-2" }],
            counts: { "kid-0": 1, "kid-1": 0, "kid-2": 30 },
          },
        },
      },
    ],
  },
  {
    name: "children are kept by name in the context, and one of them is stopped and taken out",
    covers: ["refs.context", "spawn.stopChild"],
    machine: () =>
      setup({ actors: { ticker } }).createMachine({
        context: { clocks: {} as Record<string, any>, from: [] as string[] },
        on: {
          SPAWN: {
            actions: assign({
              clocks: ({ context, event, spawn }) => ({
                ...context.clocks,
                [event.name]: spawn("ticker", { id: event.name }),
              }),
            }),
          },
          STOP: {
            actions: [
              stopChild(({ context, event }) => context.clocks[event.name]),
              assign({
                clocks: ({ context, event }) => {
                  const { [event.name]: _, ...others } = context.clocks;
                  return others;
                },
              }),
            ],
          },
          TICK: { actions: assign({ from: ({ context, event }) => [...context.from, event.from].sort() }) },
        },
      }),
    steps: [
      { send: { type: "SPAWN", name: "hall" } },
      { send: { type: "SPAWN", name: "attic" } },
      { send: { type: "STOP", name: "hall" } },
      { hours: 1 },
      { expect: { context: { clocks: { attic: { ref: "attic" } }, from: ["attic"] } } },
    ],
  },
  {
    name: "a reference that is overwritten leaves its child alive",
    covers: ["refs.context", "logic.machine"],
    machine: () =>
      setup({ actors: { ticker } }).createMachine({
        context: { latest: undefined as unknown, from: [] as string[] },
        on: {
          SPAWN: { actions: assign({ latest: ({ event, spawn }) => spawn("ticker", { id: event.name }) }) },
          TICK: { actions: assign({ from: ({ context, event }) => [...context.from, event.from].sort() }) },
        },
      }),
    steps: [
      { send: { type: "SPAWN", name: "a" } },
      { send: { type: "SPAWN", name: "b" } },
      { hours: 1 },
      { expect: { context: { latest: { ref: "b" }, from: ["a", "b"] } } },
    ],
  },
  {
    name: "the output of a spawned machine comes by its done event",
    covers: ["actors.output", "spawn.spawnChild"],
    machine: () =>
      setup({ actors: { mortal } }).createMachine({
        context: { got: undefined as unknown },
        entry: spawnChild("mortal", { id: "kid" }),
        on: {
          END: { actions: sendTo("kid", { type: "END", value: { years: 80, born: new Date(0) } }) },
          "xstate.done.actor.kid": { actions: assign({ got: ({ event }) => event.output }) },
        },
      }),
    steps: [{ send: { type: "END" } }, { expect: { context: { got: { years: 80, born: new Date(0) } } } }],
  },
  {
    name: "the end of a spawned machine is ignored when nothing waits for it",
    covers: ["actors.output"],
    machine: () =>
      setup({ actors: { mortal } }).createMachine({
        context: { n: 0 },
        entry: spawnChild("mortal", { id: "kid" }),
        on: {
          END: { actions: sendTo("kid", { type: "END" }) },
          ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) },
        },
      }),
    steps: [{ send: { type: "END" } }, { send: { type: "ADD" } }, { expect: { status: "active", context: { n: 1 } } }],
  },
  {
    name: "the error of a spawned machine is handled by its id",
    covers: ["errors.spawned", "actors.error"],
    machine: () =>
      setup({ actors: { fragile } }).createMachine({
        context: { reason: "" },
        entry: spawnChild("fragile", { id: "kid" }),
        on: {
          BREAK: { actions: sendTo("kid", { type: "FAIL", reason: "worn out" }) },
          "xstate.error.actor.kid": { actions: assign({ reason: ({ event }) => (event.error as Error).message }) },
        },
      }),
    steps: [{ send: { type: "BREAK" } }, { expect: { status: "active", context: { reason: "worn out" } } }],
  },
  {
    name: "a machine spawned without an id answers by its reference",
    covers: ["spawn.noId", "refs.context"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { kids: [] as any[], seen: [] as number[] },
        on: {
          SPAWN: {
            actions: assign({
              kids: ({ context, event, spawn }) => [...context.kids, spawn("counter", { input: { from: event.from } })],
            }),
          },
          ASK: { actions: sendTo(({ context, event }) => context.kids[event.index], { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.n] }) },
        },
      }),
    steps: [
      { send: { type: "SPAWN", from: 1 } },
      { send: { type: "SPAWN", from: 2 } },
      { send: { type: "ASK", index: 1 } },
      { send: { type: "ASK", index: 0 } },
      { expect: { contextHas: { seen: [2, 1] } } },
    ],
  },
  {
    name: "spawned machines of one kind never mix what they keep",
    covers: ["actors.isolated"],
    machine: () =>
      setup({ actors: { collector } }).createMachine({
        context: { lists: [] as unknown[] },
        entry: [spawnChild("collector", { id: "a" }), spawnChild("collector", { id: "b" })],
        on: {
          PUT: {
            actions: sendTo(
              ({ event }) => event.to,
              ({ event }) => ({ type: "ITEM", item: event.item }),
            ),
          },
          ASK: { actions: sendTo(({ event }) => event.to, { type: "TELL" }) },
          LIST: { actions: assign({ lists: ({ context, event }) => [...context.lists, event.items] }) },
        },
      }),
    steps: [
      { send: { type: "PUT", to: "a", item: 1 } },
      { send: { type: "PUT", to: "b", item: 2 } },
      { send: { type: "PUT", to: "a", item: 3 } },
      { send: { type: "ASK", to: "b" } },
      { send: { type: "ASK", to: "a" } },
      { expect: { context: { lists: [[2], [1, 3]] } } },
    ],
  },
];

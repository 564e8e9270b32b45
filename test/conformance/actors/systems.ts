/** System ids: actors that find each other by a name that holds for the whole tree. */
import {
  assign,
  createMachine,
  enqueueActions,
  forwardTo,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";
import { collector, counter, echo } from "./logic.ts";

export const scenarios: readonly Scenario[] = [
  {
    name: "a parent finds its child by its system id",
    covers: ["system.get", "invoke.systemId"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: -1 },
        invoke: { src: "counter", id: "kid", systemId: "register", input: { from: 5 } },
        on: {
          ADD: { actions: sendTo(({ system }) => system.get("register"), { type: "ADD" }) },
          ASK: { actions: sendTo(({ system }) => system.get("register"), { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      }),
    steps: [{ send: { type: "ADD" } }, { send: { type: "ASK" } }, { expect: { context: { seen: 6 } } }],
  },
  {
    name: "a child started by spawnChild is found by its system id",
    covers: ["system.get", "spawn.spawnChild"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: -1 },
        entry: spawnChild("counter", { id: "kid", systemId: "register", input: { from: 8 } }),
        on: {
          ASK: { actions: sendTo(({ system }) => system.get("register"), { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      }),
    steps: [{ send: { type: "ASK" } }, { expect: { context: { seen: 8 } } }],
  },
  {
    name: "a child spawned in assign is found by its system id",
    covers: ["system.get", "spawn.assign"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: ({ spawn }) => ({
          kid: spawn("counter", { id: "kid", systemId: "register", input: { from: 8 } }) as unknown,
          seen: -1,
        }),
        on: {
          ASK: { actions: sendTo(({ system }) => system.get("register"), { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      }),
    steps: [{ send: { type: "ASK" } }, { expect: { contextHas: { seen: 8 } } }],
  },
  {
    name: "a child sends to its sister by her system id",
    covers: ["system.siblings", "system.get"],
    machine: () => {
      const speaker = setup({}).createMachine({
        on: {
          SPEAK: {
            actions: sendTo(
              ({ system }) => system.get("listener"),
              ({ event }) => ({ type: "ITEM", item: event.words }),
            ),
          },
        },
      });
      return setup({ actors: { speaker, collector } }).createMachine({
        context: { heard: [] as unknown[] },
        invoke: [
          { src: "speaker", id: "speaker" },
          { src: "collector", id: "ear", systemId: "listener" },
        ],
        on: {
          SPEAK: { actions: forwardTo("speaker") },
          ASK: { actions: sendTo("ear", { type: "TELL" }) },
          LIST: { actions: assign({ heard: ({ event }) => event.items }) },
        },
      });
    },
    steps: [
      { send: { type: "SPEAK", words: "one" } },
      { send: { type: "SPEAK", words: "two" } },
      { send: { type: "ASK" } },
      { expect: { context: { heard: ["one", "two"] } } },
    ],
  },
  {
    name: "sisters talk to each other by their system ids",
    covers: ["system.siblings"],
    machine: () => {
      const player = setup({
        types: { input: {} as { other: string }, context: {} as { other: string } },
      }).createMachine({
        context: ({ input }) => ({ other: input.other }),
        on: {
          BALL: [
            {
              guard: ({ event }) => event.hits === 6,
              actions: sendParent(({ event, self }) => ({ type: "DROPPED", by: self.id, hits: event.hits })),
            },
            {
              actions: sendTo(
                ({ context, system }) => system.get(context.other),
                ({ event }) => ({ type: "BALL", hits: event.hits + 1 }),
              ),
            },
          ],
        },
      });
      return setup({ actors: { player } }).createMachine({
        context: { dropped: undefined as unknown },
        invoke: [
          { src: "player", id: "ann", systemId: "first", input: { other: "second" } },
          { src: "player", id: "bob", systemId: "second", input: { other: "first" } },
        ],
        on: {
          SERVE: { actions: sendTo("ann", { type: "BALL", hits: 0 }) },
          DROPPED: { actions: assign({ dropped: ({ event }) => [event.by, event.hits] }) },
        },
      });
    },
    steps: [{ send: { type: "SERVE" } }, { expect: { context: { dropped: ["ann", 6] } } }],
  },
  {
    name: "a grandchild reaches a child of the root by its system id",
    covers: ["system.siblings", "actors.tree"],
    machine: () => {
      const leaf = setup({}).createMachine({
        on: {
          WRITE: {
            actions: sendTo(
              ({ system }) => system.get("journal"),
              ({ event }) => ({ type: "ITEM", item: event.line }),
            ),
          },
        },
      });
      const branch = setup({ actors: { leaf } }).createMachine({
        invoke: { src: "leaf", id: "leaf" },
        on: { WRITE: { actions: forwardTo("leaf") } },
      });
      return setup({ actors: { branch, collector } }).createMachine({
        context: { lines: [] as unknown[] },
        invoke: [
          { src: "collector", id: "journal", systemId: "journal" },
          { src: "branch", id: "branch" },
        ],
        on: {
          WRITE: { actions: forwardTo("branch") },
          READ: { actions: sendTo("journal", { type: "TELL" }) },
          LIST: { actions: assign({ lines: ({ event }) => event.items }) },
        },
      });
    },
    steps: [
      { send: { type: "WRITE", line: "day 1" } },
      { send: { type: "WRITE", line: "day 2" } },
      { send: { type: "READ" } },
      { expect: { context: { lines: ["day 1", "day 2"] } } },
    ],
  },
  {
    name: "the root reaches a grandchild by its system id",
    covers: ["system.get", "actors.tree"],
    machine: () => {
      const leaf = setup({}).createMachine({
        on: { KNOCK: { actions: sendTo(({ system }) => system.get("branch"), { type: "KNOCKED" }) } },
      });
      const branch = setup({ actors: { leaf } }).createMachine({
        invoke: { src: "leaf", id: "leaf", systemId: "leaf" },
        on: { KNOCKED: { actions: sendParent({ type: "KNOCKED" }) } },
      });
      return setup({ actors: { branch } }).createMachine({
        context: { knocks: 0 },
        invoke: { src: "branch", id: "branch", systemId: "branch" },
        on: {
          KNOCK: { actions: sendTo(({ system }) => system.get("leaf"), { type: "KNOCK" }) },
          KNOCKED: { actions: assign({ knocks: ({ context }) => context.knocks + 1 }) },
        },
      });
    },
    steps: [{ send: { type: "KNOCK" } }, { send: { type: "KNOCK" } }, { expect: { context: { knocks: 2 } } }],
  },
  {
    name: "a system id is free again when its actor was stopped",
    covers: ["system.reuse", "spawn.stopChild"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: [] as number[] },
        entry: spawnChild("counter", { id: "first", systemId: "register", input: { from: 1 } }),
        on: {
          STOP: { actions: stopChild("first") },
          REPLACE: { actions: spawnChild("counter", { id: "second", systemId: "register", input: { from: 200 } }) },
          ASK: { actions: sendTo(({ system }) => system.get("register"), { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.n] }) },
        },
      }),
    steps: [
      { send: { type: "ASK" } },
      { send: { type: "STOP" } },
      { send: { type: "REPLACE" } },
      { send: { type: "ASK" } },
      { expect: { context: { seen: [1, 200] } } },
    ],
  },
  {
    name: "reentering a state gives its system id to the fresh child",
    covers: ["system.reuse", "invoke.systemId", "invoke.reenter"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: [] as number[], from: 0 },
        initial: "on",
        states: {
          on: {
            entry: assign({ from: ({ context }) => context.from + 10 }),
            invoke: {
              src: "counter",
              id: "kid",
              systemId: "register",
              input: ({ context }) => ({ from: context.from }),
            },
            on: { AGAIN: { target: "on", reenter: true } },
          },
        },
        on: {
          ASK: { actions: sendTo(({ system }) => system.get("register"), { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.n] }) },
        },
      }),
    steps: [
      { send: { type: "ASK" } },
      { send: { type: "AGAIN" } },
      { send: { type: "ASK" } },
      { expect: { contextHas: { seen: [10, 20] } } },
    ],
  },
  {
    name: "a child of the second parent takes a system id that one of the first had",
    covers: ["system.reuse", "system.siblings"],
    machine: () => {
      const holder = setup({
        actors: { counter },
        types: { input: {} as { from: number }, context: {} as { from: number } },
      }).createMachine({
        context: ({ input }) => ({ from: input.from }),
        invoke: { src: "counter", systemId: "register", input: ({ context }) => ({ from: context.from }) },
        on: { COUNT: { actions: sendParent(({ event }) => ({ type: "COUNT", n: event.n })) } },
      });
      return setup({ actors: { holder } }).createMachine({
        context: { seen: [] as number[] },
        initial: "first",
        states: {
          first: { invoke: { src: "holder", input: { from: 1 } }, on: { NEXT: "between" } },
          between: { on: { NEXT: "second" } },
          second: { invoke: { src: "holder", input: { from: 2 } } },
        },
        on: {
          ASK: { actions: sendTo(({ system }) => system.get("register"), { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.n] }) },
        },
      });
    },
    steps: [
      { send: { type: "ASK" } },
      { send: { type: "NEXT" } },
      { send: { type: "NEXT" } },
      { send: { type: "ASK" } },
      { expect: { value: "second", context: { seen: [1, 2] } } },
    ],
  },
  {
    name: "enqueueActions finds actors by their system ids",
    covers: ["system.get", "enqueueActions.actors"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: {} as Record<string, number> },
        invoke: [
          { src: "counter", id: "a", systemId: "reg-a", input: { from: 1 } },
          { src: "counter", id: "b", systemId: "reg-b", input: { from: 2 } },
        ],
        on: {
          ASK: {
            actions: enqueueActions(({ enqueue, system }) => {
              for (const name of ["reg-a", "reg-b"]) enqueue.sendTo(system.get(name), { type: "TELL" });
            }),
          },
          COUNT: { actions: assign({ seen: ({ context, event }) => ({ ...context.seen, [event.from]: event.n }) }) },
        },
      }),
    steps: [{ send: { type: "ASK" } }, { expect: { context: { seen: { a: 1, b: 2 } } } }],
  },
  {
    name: "a reference that was found by a system id is kept in the context",
    covers: ["system.get", "refs.context"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { register: undefined as any, seen: -1 },
        invoke: { src: "counter", id: "kid", systemId: "register", input: { from: 4 } },
        on: {
          FIND: { actions: assign({ register: ({ system }) => system.get("register") }) },
          ASK: { actions: sendTo(({ context }) => context.register, { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      }),
    steps: [
      { send: { type: "FIND" } },
      { send: { type: "ASK" } },
      { expect: { context: { register: { ref: "kid" }, seen: 4 } } },
    ],
  },
  {
    name: "a promise may have a system id, and gives it back when it is done",
    covers: ["invoke.systemId", "system.reuse", "logic.promise"],
    machine: () =>
      setup({ actors: { echo } }).createMachine({
        context: { results: 0 },
        initial: "asking",
        states: {
          asking: {
            invoke: {
              src: "echo",
              systemId: "question",
              onDone: { target: "idle", actions: assign({ results: ({ context }) => context.results + 1 }) },
            },
          },
          idle: { on: { AGAIN: "asking" } },
        },
      }),
    steps: [
      { send: { type: "AGAIN" } },
      { send: { type: "AGAIN" } },
      { expect: { value: "idle", context: { results: 3 } } },
    ],
  },
  {
    name: "an ended child gives its system id back",
    covers: ["system.reuse"],
    machine: () => {
      const brief = createMachine({
        initial: "on",
        states: { on: { on: { END: "off" } }, off: { type: "final" } },
      });
      return setup({ actors: { brief } }).createMachine({
        context: { ends: 0 },
        on: {
          SPAWN: { actions: spawnChild("brief", { id: ({ event }) => event.id, systemId: "only" }) },
          END: { actions: sendTo(({ system }) => system.get("only"), { type: "END" }) },
          "xstate.done.actor.*": { actions: assign({ ends: ({ context }) => context.ends + 1 }) },
        },
      });
    },
    steps: [
      { send: { type: "SPAWN", id: "a" } },
      { send: { type: "END" } },
      { expect: { context: { ends: 1 } } },
      { send: { type: "SPAWN", id: "b" } },
      { send: { type: "END" } },
      { expect: { status: "active", context: { ends: 2 } } },
    ],
  },
];

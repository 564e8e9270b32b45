/** Spawned promise logic: it belongs to the machine, not to a state. */
import { assign, setup, spawnChild, stopChild } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";
import { echo, failing, forever } from "./logic.ts";

export const scenarios: readonly Scenario[] = [
  {
    name: "a promise spawned in assign reports by its id",
    covers: ["spawn.assign", "logic.promise"],
    machine: () =>
      setup({ actors: { load: echo } }).createMachine({
        context: { ref: undefined as unknown, got: "" },
        on: {
          LOAD: { actions: assign({ ref: ({ spawn }) => spawn("load", { id: "loading", input: "loaded" }) }) },
          "xstate.done.actor.loading": { actions: assign({ got: ({ event }) => event.output }) },
        },
      }),
    steps: [
      { expect: { context: { ref: undefined, got: "" } } },
      { send: { type: "LOAD" } },
      { expect: { status: "active", context: { ref: { ref: "loading" }, got: "loaded" } } },
    ],
  },
  {
    name: "a promise started by spawnChild reports by its id",
    covers: ["spawn.spawnChild", "logic.promise"],
    machine: () =>
      setup({ actors: { load: echo } }).createMachine({
        context: { got: "" },
        entry: spawnChild("load", { id: "loading", input: "loaded" }),
        on: { "xstate.done.actor.loading": { actions: assign({ got: ({ event }) => event.output }) } },
      }),
    steps: [{ expect: { context: { got: "loaded" } } }],
  },
  {
    name: "a promise spawned while the context is made reports like any other",
    covers: ["spawn.assign"],
    machine: () =>
      setup({ actors: { load: echo } }).createMachine({
        context: ({ spawn, input }) => ({
          ref: spawn("load", { id: "loading", input: input as string }),
          got: "",
        }),
        on: { "xstate.done.actor.loading": { actions: assign({ got: ({ event }) => event.output }) } },
      }),
    input: "hello",
    steps: [{ expect: { context: { ref: { ref: "loading" }, got: "hello" } } }],
  },
  {
    name: "input of a spawned promise is made from context and event",
    covers: ["spawn.spawnChild", "spawn.input"],
    machine: () =>
      setup({ actors: { load: echo } }).createMachine({
        context: { prefix: "id-", got: "" },
        on: {
          LOAD: {
            actions: spawnChild("load", {
              id: "loading",
              input: ({ context, event }) => context.prefix + event.number,
            }),
          },
          "xstate.done.actor.loading": { actions: assign({ got: ({ event }) => event.output }) },
        },
      }),
    steps: [{ send: { type: "LOAD", number: 7 } }, { expect: { contextHas: { got: "id-7" } } }],
  },
  {
    name: "a spawned promise goes on when the state that spawned it is left",
    covers: ["spawn.spawnChild", "logic.promise"],
    machine: () =>
      setup({ actors: { load: echo } }).createMachine({
        context: { got: "" },
        initial: "asking",
        states: {
          asking: { entry: spawnChild("load", { id: "loading", input: "loaded" }), always: "waiting" },
          waiting: {
            on: {
              "xstate.done.actor.loading": { target: "ready", actions: assign({ got: ({ event }) => event.output }) },
            },
          },
          ready: {},
        },
      }),
    steps: [{ expect: { value: "ready", context: { got: "loaded" } } }],
  },
  {
    name: "the result of a spawned promise is ignored when nothing waits for it",
    covers: ["spawn.spawnChild"],
    machine: () =>
      setup({ actors: { load: echo } }).createMachine({
        context: { n: 0 },
        entry: spawnChild("load", { id: "loading" }),
        on: { ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
      }),
    steps: [{ send: { type: "ADD" } }, { expect: { status: "active", context: { n: 1 } } }],
  },
  {
    name: "promises spawned in a loop each have their own id and input",
    covers: ["spawn.assign", "spawn.dynamicId"],
    machine: () =>
      setup({ actors: { load: echo } }).createMachine({
        context: { refs: [] as unknown[], got: [] as string[] },
        on: {
          LOAD: {
            actions: assign({
              refs: ({ event, spawn }) =>
                (event.names as string[]).map((name) => spawn("load", { id: `load-${name}`, input: name })),
            }),
          },
          "xstate.done.actor.*": {
            // Sorted, since which comes first is not said.
            actions: assign({
              got: ({ context, event }) => [...context.got, `${event.actorId}=${event.output}`].sort(),
            }),
          },
        },
      }),
    steps: [
      { send: { type: "LOAD", names: ["a", "b", "c"] } },
      {
        expect: {
          context: {
            refs: [{ ref: "load-a" }, { ref: "load-b" }, { ref: "load-c" }],
            got: ["load-a=a", "load-b=b", "load-c=c"],
          },
        },
      },
    ],
  },
  {
    name: "spawnChild makes an id from the event",
    covers: ["spawn.spawnChild", "spawn.dynamicId"],
    machine: () =>
      setup({ actors: { load: echo } }).createMachine({
        context: { got: [] as string[] },
        on: {
          LOAD: {
            actions: spawnChild("load", { id: ({ event }) => `load-${event.name}`, input: ({ event }) => event.name }),
          },
          "xstate.done.actor.*": {
            actions: assign({ got: ({ context, event }) => [...context.got, event.actorId] }),
          },
        },
      }),
    steps: [
      { send: { type: "LOAD", name: "a" } },
      { send: { type: "LOAD", name: "b" } },
      { expect: { context: { got: ["load-a", "load-b"] } } },
    ],
  },
  {
    name: "a spawned promise without an id reports under a name of its own",
    covers: ["spawn.noId"],
    machine: () =>
      setup({ actors: { load: echo } }).createMachine({
        context: { got: [] as string[] },
        on: {
          LOAD: {
            actions: assign(({ spawn, event }) => {
              spawn("load", { input: event.name });
              return {};
            }),
          },
          "xstate.done.actor.*": { actions: assign({ got: ({ context, event }) => [...context.got, event.output] }) },
        },
      }),
    steps: [
      { send: { type: "LOAD", name: "a" } },
      { send: { type: "LOAD", name: "b" } },
      { expect: { context: { got: ["a", "b"] } } },
    ],
  },
  {
    name: "spawnChild without an id starts a promise all the same",
    covers: ["spawn.noId", "spawn.spawnChild"],
    machine: () =>
      setup({ actors: { load: echo } }).createMachine({
        context: { got: [] as string[] },
        entry: spawnChild("load", { input: "loaded" }),
        on: {
          "xstate.done.actor.*": { actions: assign({ got: ({ context, event }) => [...context.got, event.output] }) },
        },
      }),
    steps: [{ expect: { context: { got: ["loaded"] } } }],
  },
  {
    name: "a promise that was stopped can be started again under the same id",
    covers: ["spawn.stopChild", "logic.promise"],
    machine: () =>
      setup({ actors: { forever, load: echo } }).createMachine({
        context: { got: [] as string[] },
        entry: spawnChild("forever", { id: "loading" }),
        on: {
          STOP: { actions: stopChild("loading") },
          LOAD: { actions: spawnChild("load", { id: "loading", input: ({ event }) => event.name }) },
          "xstate.done.actor.loading": {
            actions: assign({ got: ({ context, event }) => [...context.got, event.output] }),
          },
        },
      }),
    steps: [
      { send: { type: "STOP" } },
      { expect: { status: "active", context: { got: [] } } },
      { send: { type: "LOAD", name: "again" } },
      { expect: { context: { got: ["again"] } } },
    ],
  },
  {
    name: "the rejection of a spawned promise is handled by its id",
    covers: ["spawn.spawnChild", "errors.spawned"],
    machine: () =>
      setup({ actors: { load: failing } }).createMachine({
        context: { reason: "" },
        entry: spawnChild("load", { id: "loading", input: "not there" }),
        on: {
          "xstate.error.actor.loading": { actions: assign({ reason: ({ event }) => (event.error as Error).message }) },
        },
      }),
    steps: [{ expect: { status: "active", context: { reason: "not there" } } }],
  },
  {
    name: "the rejection of a spawned promise ends a machine that does not handle it",
    covers: ["errors.spawned", "errors.unhandled"],
    machine: () =>
      setup({ actors: { load: failing } }).createMachine({
        on: { LOAD: { actions: spawnChild("load", { id: "loading", input: "not there" }) } },
      }),
    steps: [
      { expect: { status: "active" } },
      { send: { type: "LOAD" } },
      { expect: { status: "error", error: { message: "not there" } } },
    ],
  },
];

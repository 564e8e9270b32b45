/** Delayed messages between actors, and what cancels them. */
import { assign, cancel, createMachine, forwardTo, sendParent, sendTo, setup, spawnChild, stopChild } from "xstate";
import { hour, type Scenario } from "../../scenarios/scenario.ts";
import { collector, counter } from "./logic.ts";

export const scenarios: readonly Scenario[] = [
  {
    name: "a delayed sendTo reaches the child when it is due",
    covers: ["send.delayed"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: [] as number[] },
        invoke: { src: "counter", id: "kid" },
        on: {
          LATER: { actions: sendTo("kid", { type: "ADD", by: 5 }, { delay: 2 * hour }) },
          ASK: { actions: sendTo("kid", { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.n] }) },
        },
      }),
    steps: [
      { send: { type: "LATER" } },
      { hours: 1 },
      { send: { type: "ASK" } },
      { hours: 1 },
      { send: { type: "ASK" } },
      { expect: { context: { seen: [0, 5] } } },
    ],
  },
  {
    name: "a delayed sendTo is cancelled by its id",
    covers: ["send.delayed", "send.cancel"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: -1 },
        invoke: { src: "counter", id: "kid" },
        on: {
          LATER: { actions: sendTo("kid", { type: "ADD", by: 5 }, { delay: 2 * hour, id: "reminder" }) },
          CANCEL: { actions: cancel("reminder") },
          ASK: { actions: sendTo("kid", { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      }),
    steps: [
      { send: { type: "LATER" } },
      { hours: 1 },
      { send: { type: "CANCEL" } },
      { hours: 2 },
      { send: { type: "ASK" } },
      { expect: { context: { seen: 0 } } },
    ],
  },
  {
    name: "cancel takes an id made from the event and leaves other delayed messages alone",
    covers: ["send.cancel"],
    machine: () =>
      setup({ actors: { collector } }).createMachine({
        context: { items: [] as unknown[] },
        invoke: { src: "collector", id: "kid" },
        on: {
          LATER: {
            actions: [
              sendTo("kid", { type: "ITEM", item: "a" }, { delay: hour, id: "send-a" }),
              sendTo("kid", { type: "ITEM", item: "b" }, { delay: 2 * hour, id: "send-b" }),
              sendTo("kid", { type: "ITEM", item: "c" }, { delay: 3 * hour, id: "send-c" }),
            ],
          },
          CANCEL: { actions: cancel(({ event }) => `send-${event.which}`) },
          ASK: { actions: sendTo("kid", { type: "TELL" }) },
          LIST: { actions: assign({ items: ({ event }) => event.items }) },
        },
      }),
    steps: [
      { send: { type: "LATER" } },
      { send: { type: "CANCEL", which: "b" } },
      { hours: 4 },
      { send: { type: "ASK" } },
      { expect: { context: { items: ["a", "c"] } } },
    ],
  },
  {
    name: "a child sends to its parent after a delay",
    covers: ["send.delayed", "send.sendParent"],
    machine: () => {
      const kid = createMachine({ entry: sendParent({ type: "GROWN" }, { delay: 2 * hour }) });
      return setup({ actors: { kid } }).createMachine({
        initial: "waiting",
        invoke: { src: "kid" },
        states: { waiting: { on: { GROWN: "proud" } }, proud: {} },
      });
    },
    steps: [{ hours: 1 }, { expect: { value: "waiting" } }, { hours: 1 }, { expect: { value: "proud" } }],
  },
  {
    name: "a delayed message of a child that was stopped is never sent",
    covers: ["send.delayed", "actors.stop"],
    machine: () => {
      const kid = createMachine({ entry: sendParent({ type: "GROWN" }, { delay: 2 * hour }) });
      return setup({ actors: { kid } }).createMachine({
        context: { grown: 0 },
        entry: spawnChild("kid", { id: "kid" }),
        on: {
          STOP: { actions: stopChild("kid") },
          GROWN: { actions: assign({ grown: ({ context }) => context.grown + 1 }) },
        },
      });
    },
    steps: [
      { hours: 1 },
      { send: { type: "STOP" } },
      { hours: 3 },
      { expect: { status: "active", context: { grown: 0 } } },
    ],
  },
  {
    name: "a delayed message of a child that has ended is never sent",
    covers: ["send.delayed", "actors.stop"],
    machine: () => {
      const kid = createMachine({
        entry: sendParent({ type: "GROWN" }, { delay: 2 * hour }),
        initial: "on",
        states: { on: { on: { END: "off" } }, off: { type: "final" } },
      });
      return setup({ actors: { kid } }).createMachine({
        context: { grown: 0, ended: 0 },
        invoke: { src: "kid", id: "kid", onDone: { actions: assign({ ended: ({ context }) => context.ended + 1 }) } },
        on: {
          END: { actions: forwardTo("kid") },
          GROWN: { actions: assign({ grown: ({ context }) => context.grown + 1 }) },
        },
      });
    },
    steps: [{ send: { type: "END" } }, { hours: 3 }, { expect: { context: { grown: 0, ended: 1 } } }],
  },
  {
    name: "a delayed message for a child that is gone when it is due is dropped",
    covers: ["send.delayed", "send.ended"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { counts: 0 },
        entry: spawnChild("counter", { id: "kid" }),
        on: {
          LATER: { actions: sendTo("kid", { type: "TELL" }, { delay: 2 * hour }) },
          STOP: { actions: stopChild("kid") },
          COUNT: { actions: assign({ counts: ({ context }) => context.counts + 1 }) },
        },
      }),
    steps: [
      { send: { type: "LATER" } },
      { send: { type: "STOP" } },
      { hours: 3 },
      { expect: { status: "active", context: { counts: 0 } } },
    ],
  },
  {
    name: "a delayed message that an entry action sent is not cancelled by leaving the state",
    covers: ["send.delayed"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: -1 },
        invoke: { src: "counter", id: "kid", input: { from: 1 } },
        initial: "a",
        states: { a: { entry: sendTo("kid", { type: "TELL" }, { delay: 2 * hour }), on: { NEXT: "b" } }, b: {} },
        on: { COUNT: { actions: assign({ seen: ({ event }) => event.n }) } },
      }),
    steps: [{ send: { type: "NEXT" } }, { hours: 3 }, { expect: { value: "b", context: { seen: 1 } } }],
  },
  {
    name: "an actor sends to itself after a delay",
    covers: ["send.delayed", "sendTo.self"],
    machine: () =>
      createMachine({
        context: { rings: 0 },
        on: {
          SET: { actions: sendTo(({ self }) => self, { type: "RING" }, { delay: 2 * hour }) },
          RING: { actions: assign({ rings: ({ context }) => context.rings + 1 }) },
        },
      }),
    steps: [
      { send: { type: "SET" } },
      { hours: 1 },
      { expect: { context: { rings: 0 } } },
      { hours: 1 },
      { expect: { context: { rings: 1 } } },
    ],
  },
  {
    name: "the delay of a message is made from the context, or named",
    covers: ["send.delayed"],
    machine: () =>
      setup({
        actors: { collector },
        delays: { long: 4 * hour, byEvent: ({ event }) => event.hours * hour },
      }).createMachine({
        context: { wait: 1, items: [] as unknown[] },
        invoke: { src: "collector", id: "kid" },
        on: {
          LATER: {
            actions: [
              sendTo("kid", { type: "ITEM", item: "long" }, { delay: "long" }),
              sendTo("kid", { type: "ITEM", item: "event" }, { delay: "byEvent" }),
              sendTo("kid", { type: "ITEM", item: "context" }, { delay: ({ context }) => context.wait * hour }),
            ],
          },
          ASK: { actions: sendTo("kid", { type: "TELL" }) },
          LIST: { actions: assign({ items: ({ event }) => event.items }) },
        },
      }),
    steps: [
      { send: { type: "LATER", hours: 2 } },
      { hours: 1 },
      { send: { type: "ASK" } },
      { expect: { contextHas: { items: ["context"] } } },
      { hours: 3 },
      { send: { type: "ASK" } },
      { expect: { contextHas: { items: ["context", "event", "long"] } } },
    ],
  },
  {
    name: "a delayed message reaches a sister by a system id",
    covers: ["send.delayed", "system.siblings"],
    machine: () => {
      const timer = setup({}).createMachine({
        on: {
          SET: {
            actions: sendTo(
              ({ system }) => system.get("list"),
              () => ({ type: "ITEM", item: "rang" }),
              { delay: hour },
            ),
          },
        },
      });
      return setup({ actors: { timer, collector } }).createMachine({
        context: { items: [] as unknown[] },
        invoke: [
          { src: "timer", id: "timer" },
          { src: "collector", id: "list", systemId: "list" },
        ],
        on: {
          SET: { actions: forwardTo("timer") },
          ASK: { actions: sendTo("list", { type: "TELL" }) },
          LIST: { actions: assign({ items: ({ event }) => event.items }) },
        },
      });
    },
    steps: [
      { send: { type: "SET" } },
      { hours: 1 },
      { send: { type: "ASK" } },
      { expect: { context: { items: ["rang"] } } },
    ],
  },
  {
    name: "timers of parent and child with one id do not cancel each other",
    covers: ["send.cancel", "actors.isolated"],
    machine: () => {
      const kid = createMachine({ entry: sendParent({ type: "KID_RANG" }, { delay: 2 * hour, id: "alarm" }) });
      return setup({ actors: { kid } }).createMachine({
        context: { rang: [] as string[] },
        invoke: { src: "kid" },
        entry: sendTo(({ self }) => self, { type: "OWN_RANG" }, { delay: 2 * hour, id: "alarm" }),
        on: {
          CANCEL: { actions: cancel("alarm") },
          KID_RANG: { actions: assign({ rang: ({ context }) => [...context.rang, "kid"] }) },
          OWN_RANG: { actions: assign({ rang: ({ context }) => [...context.rang, "own"] }) },
        },
      });
    },
    steps: [{ send: { type: "CANCEL" } }, { hours: 3 }, { expect: { context: { rang: ["kid"] } } }],
  },
];

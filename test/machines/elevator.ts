/** A goods elevator: it collects calls, moves by what its sensors say, and holds the door open for a while. */
import { assign, emit, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

const elevatorMachine = setup({
  types: {
    context: {} as { floor: number; calls: readonly number[]; direction: "up" | "down" },
    events: {} as
      | { type: "CALL"; floor: number }
      | { type: "FLOOR"; floor: number }
      | { type: "OBSTACLE" }
      | { type: "STOP" }
      | { type: "GO_ON" },
    emitted: {} as { type: "DOOR"; isOpen: boolean; floor: number } | { type: "MOVING"; direction: "up" | "down" },
    tags: {} as "closed",
  },
  guards: {
    isHere: ({ context }) => context.calls.includes(context.floor),
    hasAhead: ({ context }) =>
      context.calls.some((floor) => (context.direction === "up" ? floor > context.floor : floor < context.floor)),
    hasCalls: ({ context }) => context.calls.length > 0,
  },
  actions: {
    addCall: assign({
      calls: ({ context, event }) =>
        event.type !== "CALL" || context.calls.includes(event.floor) ? context.calls : [...context.calls, event.floor],
    }),
    turn: assign({ direction: ({ context }) => (context.direction === "up" ? "down" : "up") }),
    answer: assign({ calls: ({ context }) => context.calls.filter((floor) => floor !== context.floor) }),
  },
}).createMachine({
  id: "elevator",
  context: { floor: 0, calls: [], direction: "up" },
  initial: "running",
  on: { CALL: { actions: "addCall" } },
  states: {
    running: {
      initial: "idle",
      on: { STOP: "stopped" },
      states: {
        idle: {
          tags: ["closed"],
          always: [
            { guard: "isHere", target: "open" },
            { guard: "hasAhead", target: "moving" },
            { guard: "hasCalls", target: "moving", actions: "turn" },
          ],
        },
        moving: {
          tags: ["closed"],
          entry: emit(({ context }) => ({ type: "MOVING", direction: context.direction })),
          always: { guard: "isHere", target: "open" },
          on: { FLOOR: { actions: assign({ floor: ({ event }) => event.floor }) } },
        },
        open: {
          entry: ["answer", emit(({ context }) => ({ type: "DOOR", isOpen: true, floor: context.floor }))],
          exit: emit(({ context }) => ({ type: "DOOR", isOpen: false, floor: context.floor })),
          on: {
            OBSTACLE: { target: "open", reenter: true },
            CALL: [
              { guard: ({ context, event }) => event.floor === context.floor, target: "open", reenter: true },
              { actions: "addCall" },
            ],
          },
          after: { [hour]: "idle" },
        },
        last: { type: "history" },
      },
    },
    stopped: { on: { GO_ON: "running.last" } },
  },
});

const door = (isOpen: boolean, floor: number) => ({ type: "DOOR", isOpen, floor });
const moving = (direction: string) => ({ type: "MOVING", direction });

/** Rides with calls on the way, and with an emergency stop. */
export const elevator: readonly Scenario[] = [
  {
    name: "an elevator answers the calls ahead before it turns",
    covers: ["eventless.guard", "tags.state", "after.numeric", "action.entry", "action.exit", "transition.reenter"],
    machine: () => elevatorMachine,
    steps: [
      { send: { type: "CALL", floor: 3 } },
      { send: { type: "CALL", floor: 1 } },
      { send: { type: "FLOOR", floor: 1 } },
      { expect: { value: { running: "open" }, contextHas: { calls: [3] }, tags: [] } },
      { send: { type: "CALL", floor: 0 } },
      { hours: 1 },
      { send: { type: "FLOOR", floor: 2 } },
      { send: { type: "FLOOR", floor: 3 } },
      { send: { type: "OBSTACLE" } },
      { hours: 1 },
      { send: { type: "FLOOR", floor: 0 } },
      { hours: 1 },
      {
        expect: {
          value: { running: "idle" },
          tags: ["closed"],
          context: { floor: 0, calls: [], direction: "down" },
          emitted: [
            moving("up"),
            door(true, 1),
            door(false, 1),
            moving("up"),
            door(true, 3),
            door(false, 3),
            door(true, 3),
            door(false, 3),
            moving("down"),
            door(true, 0),
            door(false, 0),
          ],
        },
      },
    ],
  },
  {
    name: "a stopped elevator goes on where it was",
    covers: ["history.shallow", "target.path", "eventless.guard"],
    machine: () => elevatorMachine,
    steps: [
      { send: { type: "CALL", floor: 2 } },
      { send: { type: "STOP" } },
      { send: { type: "CALL", floor: 1 } },
      { hours: 5 },
      { expect: { value: "stopped", contextHas: { calls: [2, 1] } } },
      { send: { type: "GO_ON" } },
      { send: { type: "FLOOR", floor: 1 } },
      {
        expect: {
          value: { running: "open" },
          emitted: [moving("up"), moving("up"), door(true, 1)],
        },
      },
    ],
  },
];

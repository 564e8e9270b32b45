/** A crossing: lights for vehicles by the clock, lights for pedestrians on request, side by side. */
import { assign, emit, raise, setup, stateIn } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

const crossingMachine = setup({
  types: {
    context: {} as { crossings: number },
    events: {} as
      | { type: "REQUEST" }
      | { type: "VEHICLES_STOPPED" }
      | { type: "VEHICLES_START" }
      | { type: "FAIL" }
      | { type: "REPAIRED" },
    emitted: {} as { type: "LIGHT"; of: "vehicles" | "pedestrians"; color: string },
  },
  delays: { GREEN: 3 * hour, YELLOW: hour, RED: 2 * hour, CLEARING: hour },
  guards: { areVehiclesStopped: stateIn({ working: { vehicles: "red" } }) },
  actions: {
    show: emit((_, params: { of: "vehicles" | "pedestrians"; color: string }) => ({
      type: "LIGHT" as const,
      of: params.of,
      color: params.color,
    })),
  },
}).createMachine({
  id: "crossing",
  context: { crossings: 0 },
  initial: "working",
  states: {
    working: {
      type: "parallel",
      on: { FAIL: "blinking" },
      states: {
        vehicles: {
          initial: "green",
          states: {
            green: {
              entry: { type: "show", params: { of: "vehicles", color: "green" } },
              after: { GREEN: "yellow" },
            },
            yellow: {
              entry: { type: "show", params: { of: "vehicles", color: "yellow" } },
              after: { YELLOW: "red" },
            },
            red: {
              entry: [{ type: "show", params: { of: "vehicles", color: "red" } }, raise({ type: "VEHICLES_STOPPED" })],
              after: { RED: "clearing" },
            },
            clearing: { entry: raise({ type: "VEHICLES_START" }), after: { CLEARING: "green" } },
          },
        },
        pedestrians: {
          initial: "stop",
          states: {
            stop: {
              on: {
                REQUEST: [{ guard: "areVehiclesStopped", target: "walk" }, { target: "waiting" }],
              },
            },
            waiting: { on: { VEHICLES_STOPPED: "walk" } },
            walk: {
              entry: [
                assign({ crossings: ({ context }) => context.crossings + 1 }),
                { type: "show", params: { of: "pedestrians", color: "green" } },
              ],
              exit: { type: "show", params: { of: "pedestrians", color: "red" } },
              on: { VEHICLES_START: "stop" },
            },
          },
        },
      },
    },
    blinking: {
      entry: { type: "show", params: { of: "vehicles", color: "blinking" } },
      on: { REPAIRED: { target: ["#crossing.working.vehicles.red", "#crossing.working.pedestrians.waiting"] } },
    },
  },
});

const vehicles = (color: string) => ({ type: "LIGHT", of: "vehicles", color });
const pedestrians = (color: string) => ({ type: "LIGHT", of: "pedestrians", color });

/** Crossings that work, and that fail while somebody walks. */
export const trafficLight: readonly Scenario[] = [
  {
    name: "pedestrians who ask walk while the vehicles stand",
    covers: [
      "parallel.enter",
      "parallel.independent",
      "raise.immediate",
      "after.named",
      "guard.stateIn",
      "action.params",
    ],
    machine: () => crossingMachine,
    steps: [
      { send: { type: "REQUEST" } },
      { expect: { value: { working: { vehicles: "green", pedestrians: "waiting" } } } },
      { hours: 3 },
      { expect: { value: { working: { vehicles: "yellow", pedestrians: "waiting" } } } },
      { hours: 1 },
      { expect: { value: { working: { vehicles: "red", pedestrians: "walk" } } } },
      { hours: 1 },
      { expect: { value: { working: { vehicles: "clearing", pedestrians: "stop" } } } },
      { hours: 1 },
      { expect: { value: { working: { vehicles: "green", pedestrians: "stop" } }, contextHas: { crossings: 1 } } },
      { send: { type: "REQUEST" } },
      { send: { type: "REQUEST" } },
      {
        expect: {
          value: { working: { vehicles: "green", pedestrians: "waiting" } },
          emitted: [
            vehicles("green"),
            vehicles("yellow"),
            vehicles("red"),
            pedestrians("green"),
            pedestrians("red"),
            vehicles("green"),
          ],
        },
      },
    ],
  },
  {
    name: "a crossing that fails forgets its clock and comes back with red",
    covers: ["parallel.enter", "parallel.independent", "target.multiple", "after.named", "guard.stateIn"],
    machine: () => crossingMachine,
    steps: [
      { hours: 2 },
      { send: { type: "FAIL" } },
      { hours: 10 },
      { expect: { value: "blinking" } },
      { send: { type: "REPAIRED" } },
      { expect: { value: { working: { vehicles: "red", pedestrians: "walk" } } } },
      { hours: 2 },
      { send: { type: "REQUEST" } },
      { hours: 1 },
      { hours: 2 },
      {
        expect: {
          value: { working: { vehicles: "yellow", pedestrians: "waiting" } },
          context: { crossings: 1 },
          emitted: [
            vehicles("green"),
            vehicles("blinking"),
            vehicles("red"),
            pedestrians("green"),
            pedestrians("red"),
            vehicles("green"),
            vehicles("yellow"),
          ],
        },
      },
    ],
  },
];

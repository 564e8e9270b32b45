/** A dispatcher who sees every step of its couriers, since they show their state as it changes. */
import { type ActorRefFrom, assign, emit, fromTransition, sendTo, setup, stopChild } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

const courierMachine = setup({
  types: {
    context: {} as { name: string; carried: number },
    events: {} as { type: "PICK_UP" } | { type: "ARRIVE" },
    input: {} as { name: string },
  },
}).createMachine({
  id: "courier",
  context: ({ input }) => ({ name: input.name, carried: 0 }),
  initial: "free",
  states: {
    free: { on: { PICK_UP: "riding" } },
    riding: {
      on: { ARRIVE: { target: "free", actions: assign({ carried: ({ context }) => context.carried + 1 }) } },
      after: { [3 * hour]: "lost" },
    },
    lost: {},
  },
});

/** Kilometres of all couriers together. */
const meter = fromTransition<{ km: number }, { type: "ADD"; km: number }, any, undefined>(
  (state, event) => ({ km: state.km + event.km }),
  { km: 0 },
);

type Courier = ActorRefFrom<typeof courierMachine>;
type Meter = ActorRefFrom<typeof meter>;

const dispatchMachine = setup({
  types: {
    context: {} as {
      couriers: Readonly<Record<string, Courier>>;
      states: Readonly<Record<string, string>>;
      carried: Readonly<Record<string, number>>;
      meter: Meter;
      km: number;
    },
    events: {} as
      | { type: "SIGN_UP"; name: string }
      | { type: "SIGN_OFF"; name: string }
      | { type: "RIDE"; name: string }
      | { type: "DROVE"; km: number }
      | { type: "ARRIVED"; name: string }
      | { type: "xstate.snapshot.meter"; snapshot: { context: { km: number } } }
      | {
          type: `xstate.snapshot.courier.${string}`;
          snapshot: { value: string; context: { name: string; carried: number } };
        },
    emitted: {} as { type: "COURIER"; name: string; state: string } | { type: "KILOMETRES"; km: number },
  },
  actors: { courier: courierMachine, meter },
  guards: {
    isChange: ({ context }, params: { name: string; state: string }) => context.states[params.name] !== params.state,
    isKnown: ({ context }, params: { name: string }) => params.name in context.couriers,
  },
}).createMachine({
  id: "dispatch",
  context: ({ spawn }) => ({
    couriers: {},
    states: {},
    carried: {},
    meter: spawn("meter", { id: "meter", syncSnapshot: true }),
    km: 0,
  }),
  on: {
    SIGN_UP: {
      actions: assign({
        couriers: ({ context, event, spawn }) => ({
          ...context.couriers,
          [event.name]: spawn("courier", {
            id: `courier.${event.name}`,
            input: { name: event.name },
            syncSnapshot: true,
          }),
        }),
      }),
    },
    SIGN_OFF: {
      guard: { type: "isKnown", params: ({ event }) => ({ name: event.name }) },
      actions: [
        stopChild(({ context, event }) => context.couriers[event.name] as Courier),
        assign({
          couriers: ({ context, event }) =>
            Object.fromEntries(Object.entries(context.couriers).filter(([name]) => name !== event.name)),
        }),
      ],
    },
    RIDE: {
      guard: { type: "isKnown", params: ({ event }) => ({ name: event.name }) },
      actions: sendTo(({ context, event }) => context.couriers[event.name] as Courier, { type: "PICK_UP" }),
    },
    DROVE: {
      actions: sendTo(
        ({ context }) => context.meter,
        ({ event }) => ({ type: "ADD", km: event.km }),
      ),
    },
    ARRIVED: {
      guard: { type: "isKnown", params: ({ event }) => ({ name: event.name }) },
      actions: sendTo(({ context, event }) => context.couriers[event.name] as Courier, { type: "ARRIVE" }),
    },
    "xstate.snapshot.courier.*": {
      guard: {
        type: "isChange",
        params: ({ event }) => ({ name: event.snapshot.context.name, state: event.snapshot.value }),
      },
      actions: [
        assign({
          states: ({ context, event }) => ({ ...context.states, [event.snapshot.context.name]: event.snapshot.value }),
          carried: ({ context, event }) => ({
            ...context.carried,
            [event.snapshot.context.name]: event.snapshot.context.carried,
          }),
        }),
        emit(({ event }) => ({ type: "COURIER", name: event.snapshot.context.name, state: event.snapshot.value })),
      ],
    },
    "xstate.snapshot.meter": [
      {
        guard: ({ context, event }) => Math.floor(event.snapshot.context.km / 10) > Math.floor(context.km / 10),
        actions: [
          assign({ km: ({ event }) => event.snapshot.context.km }),
          emit(({ context }) => ({ type: "KILOMETRES", km: context.km })),
        ],
      },
      { actions: assign({ km: ({ event }) => event.snapshot.context.km }) },
    ],
  },
});

const courierIs = (name: string, state: string) => ({ type: "COURIER", name, state });

/** Couriers that ride, arrive, get lost, and sign off on the way. */
export const courier: readonly Scenario[] = [
  {
    name: "a dispatcher sees what its couriers do",
    covers: [
      "spawn.syncSnapshot",
      "snapshot.ofChild",
      "spawn.assign",
      "logic.transition",
      "refs.context",
      "spawn.stopChild",
      "send.sendTo",
    ],
    machine: () => dispatchMachine,
    steps: [
      { send: { type: "SIGN_UP", name: "ada" } },
      { send: { type: "SIGN_UP", name: "bob" } },
      { expect: { contextHas: { states: { ada: "free", bob: "free" }, meter: { ref: "meter" } } } },
      { send: { type: "RIDE", name: "ada" } },
      { send: { type: "DROVE", km: 7 } },
      { send: { type: "ARRIVED", name: "ada" } },
      { send: { type: "RIDE", name: "eve" } },
      { send: { type: "RIDE", name: "bob" } },
      { send: { type: "DROVE", km: 2 } },
      { hours: 3 },
      { expect: { contextHas: { states: { ada: "free", bob: "lost" }, km: 9 } } },
      { send: { type: "RIDE", name: "ada" } },
      { send: { type: "DROVE", km: 4 } },
      { send: { type: "SIGN_OFF", name: "ada" } },
      { hours: 3 },
      {
        expect: {
          context: {
            couriers: { bob: { ref: "courier.bob" } },
            states: { ada: "riding", bob: "lost" },
            carried: { ada: 1, bob: 0 },
            meter: { ref: "meter" },
            km: 13,
          },
          emitted: [
            courierIs("ada", "free"),
            courierIs("bob", "free"),
            courierIs("ada", "riding"),
            courierIs("ada", "free"),
            courierIs("bob", "riding"),
            courierIs("bob", "lost"),
            courierIs("ada", "riding"),
            { type: "KILOMETRES", km: 13 },
          ],
        },
      },
    ],
  },
];

/** The actors of the benchmarks: five states, about 300 bytes of context, one message told for every message. */
import { assign, raise, setup } from "xstate";
import { type AnyActorDefinition, defineActor, reply, saga, tell } from "../index.ts";

const padding = "x".repeat(180);

const counter = setup({
  types: {
    context: {} as { count: number; sum: number; last: string; padding: string },
    events: {} as { type: "ADD"; amount: number; id: string },
  },
  actions: {
    add: assign({
      count: ({ context }) => context.count + 1,
      sum: ({ context, event }) => context.sum + event.amount,
      last: ({ event }) => event.id,
    }),
    tellSink: tell(
      "sink",
      ({ event }) => event.id,
      ({ event }) => ({ type: "ADDED", amount: event.amount }),
    ),
  },
  guards: {
    isPositive: ({ event }) => {
      if (event.amount > 1e9) throw new Error("That is too much.");
      return event.amount > 0;
    },
  },
}).createMachine({
  id: "counter",
  context: { count: 0, sum: 0, last: "", padding },
  initial: "one",
  states: {
    one: { on: { ADD: { guard: "isPositive", target: "two", actions: ["add", "tellSink"] } } },
    two: { on: { ADD: { guard: "isPositive", target: "three", actions: ["add", "tellSink"] } } },
    three: { on: { ADD: { guard: "isPositive", target: "four", actions: ["add", "tellSink"] } } },
    four: { on: { ADD: { guard: "isPositive", target: "five", actions: ["add", "tellSink"] } } },
    five: { on: { ADD: { guard: "isPositive", target: "one", actions: ["add", "tellSink"] } } },
  },
});

const sink = setup({
  types: { context: {} as { sum: number; padding: string }, events: {} as { type: "ADDED"; amount: number } },
}).createMachine({
  id: "sink",
  context: { sum: 0, padding },
  on: { ADDED: { actions: assign({ sum: ({ context, event }) => context.sum + event.amount }) } },
});

const asked = setup({
  types: { context: {} as { count: number; padding: string }, events: {} as { type: "ADD" } },
}).createMachine({
  id: "asked",
  context: { count: 0, padding },
  on: {
    ADD: { actions: [assign({ count: ({ context }) => context.count + 1 }), reply(({ context }) => context.count)] },
  },
});

const timer = setup({
  types: {
    context: {} as { rung: number; padding: string },
    events: {} as { type: "SET"; atMs: number } | { type: "RING" },
  },
  delays: { until: ({ event }) => (event.type === "SET" ? Math.max(0, event.atMs - Date.now()) : 0) },
}).createMachine({
  id: "timer",
  context: { rung: 0, padding },
  on: {
    SET: { actions: raise({ type: "RING" }, { delay: "until" }) },
    RING: { actions: assign({ rung: ({ context }) => context.rung + 1 }) },
  },
});

/** Counts, or throws at every message, which is tried once. */
export function fragileActor(isBroken: boolean): AnyActorDefinition {
  return defineActor("fragile", {
    machine: setup({
      types: { context: {} as { sum: number; padding: string }, events: {} as { type: "ADD"; amount: number } },
    }).createMachine({
      id: "fragile",
      context: { sum: 0, padding },
      on: {
        ADD: {
          actions: assign({
            sum: ({ context, event }) => {
              if (isBroken) throw new Error("The service below is not there.");
              return context.sum + event.amount;
            },
          }),
        },
      },
    }),
    retry: { maxAttempts: 1 },
  });
}

/** Counts, and tells a sink about it. */
export const counterActor = defineActor("counter", { machine: counter });
/** As {@link counterActor}, and parked by what it cannot take. */
export const parkingActor = defineActor("counter", { machine: counter, retry: "never", onExhausted: "park" });
/** Receives what counters tell. */
export const sinkActor = defineActor("sink", { machine: sink });
/** Counts and answers. */
export const askedActor = defineActor("asked", { machine: asked });
/** Sets a timer, and counts when it rings. */
export const timerActor = defineActor("timer", { machine: timer });
/** The same machine, which counts and sends nothing, for either delivery. */
export const readActors = (["effectively-once", "at-most-once"] as const).map((delivery) =>
  defineActor(delivery, { delivery, machine: asked }),
);

/** Three steps whose services answer at once. */
export const bookingSaga = saga<{ readonly n: number }>("booking", { key: ({ n }) => `b${n}` })
  .step("flight", { do: ({ input }) => `flight ${input.n}`, undo: () => undefined })
  .step("hotel", { do: ({ input }) => `hotel ${input.n}`, undo: () => undefined })
  .step("car", { do: ({ input }) => `car ${input.n}` })
  .end(({ results }) => results.car);

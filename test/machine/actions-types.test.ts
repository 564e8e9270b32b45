/** The types of tell, publish and reply in machines as users write them; checked by the compiler, and run so that nothing here is only a type. */

import { test } from "vitest";
import { assign, createMachine, enqueueActions, setup } from "xstate";
import { publish, reply, tell } from "../../runtime/machine/actions.ts";
import { prepareMachine } from "../../runtime/machine/prepare-machine.ts";

type AirportEvent = { type: "LAND"; flight: string } | { type: "LEAVE"; gate: number };
const airport: { readonly type: "airport"; readonly "~event"?: AirportEvent } = { type: "airport" };
const untyped: { readonly type: string } = { type: "airport" };

interface PlaneContext {
  flight: string;
  to: string;
}
type PlaneEvent = { type: "FLY"; to: string } | { type: "TAXI"; gate: number };

const plane = setup({
  types: { context: {} as PlaneContext, events: {} as PlaneEvent },
  actions: {
    announce: tell(
      airport,
      ({ context }) => context.to,
      ({ context }) => ({ type: "LAND", flight: context.flight }),
    ),
    shout: publish("sky", { type: "SHOUT", loud: true }),
    shoutAt: publish(
      (_, params: { topic: string }) => params.topic,
      ({ context }, params: { topic: string }) => ({ type: "SHOUT", from: context.flight, topic: params.topic }),
    ),
    answer: reply(({ context }) => context.to),
  },
}).createMachine({
  id: "plane",
  context: { flight: "SW1", to: "JFK" },
  initial: "ground",
  states: {
    ground: {
      entry: [{ type: "announce" }, "shout", { type: "shoutAt", params: { topic: "sky" } }, "answer"],
      on: {
        FLY: {
          target: "air",
          actions: [
            assign({ to: ({ event }) => event.to }),
            tell(
              airport,
              ({ event }) => event.to,
              ({ context, event }) => ({ type: "LAND", flight: context.flight + event.to }),
            ),
            tell("airport", "JFK", { type: "ANYTHING", at: 1 }),
            tell(untyped, "JFK", { type: "ANYTHING" }),
            tell(
              ({ event }) => event.to,
              "JFK",
              ({ event }) => ({ type: event.type }),
            ),
            publish(
              ({ event }) => event.to,
              ({ event }) => ({ type: "FLOWN", to: event.to }),
            ),
            reply({ ok: true }),
            reply(({ event }) => event.to),
          ],
        },
        TAXI: {
          actions: enqueueActions(({ enqueue, event }) => {
            enqueue(tell(airport, "JFK", { type: "LEAVE", gate: event.gate }));
            enqueue(publish("sky", ({ context }) => ({ type: "TAXIED", by: context.flight })));
            enqueue(reply(event.gate));
            enqueue("shout");
          }),
        },
      },
    },
    air: {
      // @ts-expect-error the airport takes no such event
      entry: tell(airport, "JFK", { type: "CRASH" }),
      exit: [
        // @ts-expect-error the flight is a string
        tell(airport, "JFK", { type: "LAND", flight: 7 }),
        // @ts-expect-error the function's event has no such gate
        tell(airport, "JFK", () => ({ type: "LEAVE", gate: "7" })),
        // @ts-expect-error the context has no such field
        tell("airport", ({ context }) => context.nowhere, { type: "X" }),
        // @ts-expect-error an event has a type
        tell("airport", "JFK", () => ({ kind: "X" })),
      ],
    },
  },
});

const loose = createMachine({
  id: "loose",
  context: { n: 1 },
  entry: tell("other", ({ context }) => String(context.n), { type: "HELLO" }),
  on: {
    "*": {
      actions: [publish("t", ({ event }) => ({ type: "SEEN", what: event.type })), reply(({ context }) => context)],
    },
  },
});

test("durable actions type-check in setup, inline and enqueued, and run", () => {
  const env = { self: { type: "plane", id: "1" }, now: 0 };
  const driver = prepareMachine(plane);
  const { state } = driver.create(undefined, env);
  driver.step(state, { kind: "event", event: { type: "TAXI", gate: 4 } }, env);
  prepareMachine(loose).create(undefined, env);
});

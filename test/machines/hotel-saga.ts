/** A trip booked as a saga: hotel, flight and payment one after the other, and what was booked is undone in reverse when one fails. */
import { assign, emit, fromPromise, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

type Service = "hotel" | "flight" | "payment";

interface Call {
  readonly trip: string;
  readonly service: Service;
  readonly broken: readonly string[];
}

const book = fromPromise<{ service: Service; code: string }, Call>(async ({ input }) => {
  if (input.broken.includes(input.service)) throw new Error(`${input.service} is not available`);
  return { service: input.service, code: `${input.service}-${input.trip}` };
});

const undo = fromPromise<{ service: Service }, Call>(async ({ input }) => {
  if (input.broken.includes(`undo ${input.service}`)) throw new Error(`${input.service} cannot be undone`);
  return { service: input.service };
});

const sagaMachine = setup({
  types: {
    context: {} as {
      trip: string;
      broken: readonly string[];
      booked: ReadonlyArray<{ service: Service; code: string }>;
      reason: string | null;
    },
    events: {} as { type: "SERVICE_REPAIRED" } | { type: "WRITE_OFF" },
    input: {} as { trip: string; broken: readonly string[] },
    output: {} as { isBooked: boolean; codes: readonly string[] },
    emitted: {} as
      | { type: "BOOKED"; code: string }
      | { type: "UNDONE"; service: Service }
      | { type: "STUCK"; service: Service; since: string }
      | { type: "TRIP"; isBooked: boolean },
  },
  actors: { book, undo },
  guards: {
    hasBooked: ({ context }, params: { atLeast: number }) => context.booked.length >= params.atLeast,
    hasFailed: ({ context }) => context.reason !== null,
  },
}).createMachine({
  id: "trip",
  context: ({ input }) => ({ ...input, booked: [], reason: null }),
  initial: "booking",
  states: {
    booking: {
      always: { guard: { type: "hasBooked", params: { atLeast: 3 } }, target: "booked" },
      invoke: {
        id: "book",
        src: "book",
        input: ({ context }) => ({
          trip: context.trip,
          broken: context.broken,
          service: (["hotel", "flight", "payment"] as const)[context.booked.length] ?? "payment",
        }),
        onDone: {
          target: "booking",
          reenter: true,
          actions: [
            assign({ booked: ({ context, event }) => [...context.booked, event.output] }),
            emit(({ event }) => ({ type: "BOOKED", code: event.output.code })),
          ],
        },
        onError: {
          target: "undoing",
          actions: assign({ reason: ({ event }) => (event.error as Error).message }),
        },
      },
    },
    undoing: {
      initial: "next",
      states: {
        next: {
          always: [{ guard: { type: "hasBooked", params: { atLeast: 1 } }, target: "calling" }, { target: "all" }],
        },
        calling: {
          invoke: {
            src: "undo",
            input: ({ context }) => ({
              trip: context.trip,
              broken: context.broken,
              service: context.booked.at(-1)?.service ?? "hotel",
            }),
            onDone: {
              target: "next",
              actions: [
                assign({ booked: ({ context }) => context.booked.slice(0, -1) }),
                emit(({ event }) => ({ type: "UNDONE", service: event.output.service })),
              ],
            },
            onError: "stuck",
          },
        },
        stuck: {
          entry: emit(({ context }) => ({
            type: "STUCK",
            service: context.booked.at(-1)?.service ?? "hotel",
            since: context.reason ?? "",
          })),
          after: { [6 * hour]: "calling" },
          on: {
            SERVICE_REPAIRED: { target: "calling", actions: assign({ broken: [] }) },
            WRITE_OFF: { target: "next", actions: assign({ booked: ({ context }) => context.booked.slice(0, -1) }) },
          },
        },
        all: { type: "final" },
      },
      onDone: "refused",
    },
    booked: { type: "final", entry: emit({ type: "TRIP", isBooked: true }) },
    refused: { type: "final", entry: emit({ type: "TRIP", isBooked: false }) },
  },
  output: ({ context }) => ({ isBooked: context.reason === null, codes: context.booked.map((one) => one.code) }),
});

/** Trips that are booked, undone, and stuck in the middle of being undone. */
export const hotelSaga: readonly Scenario[] = [
  {
    name: "a trip is booked step by step",
    covers: ["logic.promise", "invoke.onDone", "transition.reenter", "eventless.guard"],
    machine: () => sagaMachine,
    input: { trip: "7", broken: [] },
    steps: [
      {
        expect: {
          status: "done",
          value: "booked",
          output: { isBooked: true, codes: ["hotel-7", "flight-7", "payment-7"] },
          emitted: [
            { type: "BOOKED", code: "hotel-7" },
            { type: "BOOKED", code: "flight-7" },
            { type: "BOOKED", code: "payment-7" },
            { type: "TRIP", isBooked: true },
          ],
        },
      },
    ],
  },
  {
    name: "a trip that cannot be paid is undone in reverse, however long it takes",
    covers: ["invoke.onError", "final.on-done", "after.numeric", "eventless.guard"],
    machine: () => sagaMachine,
    input: { trip: "8", broken: ["payment", "undo hotel"] },
    steps: [
      { expect: { value: { undoing: "stuck" }, contextHas: { reason: "payment is not available" } } },
      { hours: 6 },
      { hours: 2 },
      { send: { type: "SERVICE_REPAIRED" } },
      {
        expect: {
          status: "done",
          value: "refused",
          output: { isBooked: false, codes: [] },
          emitted: [
            { type: "BOOKED", code: "hotel-8" },
            { type: "BOOKED", code: "flight-8" },
            { type: "UNDONE", service: "flight" },
            { type: "STUCK", service: "hotel", since: "payment is not available" },
            { type: "STUCK", service: "hotel", since: "payment is not available" },
            { type: "UNDONE", service: "hotel" },
            { type: "TRIP", isBooked: false },
          ],
        },
      },
    ],
  },
];

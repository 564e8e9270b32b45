/**
 * A price feed: quotes come from an observable that tells everything again when it is subscribed to anew, and each is counted once.
 *
 * Ticks are numbered, and the machine takes none that is not newer than the one before.
 */
import { assign, emit, fromEventObservable, fromObservable, setup } from "xstate";
import type { Scenario } from "../scenarios/scenario.ts";

interface Tick {
  readonly seq: number;
  readonly cents: number;
}

/** Gives the values one after the other, at once. */
const inOrder = <A>(values: readonly A[]) => ({
  subscribe(given: unknown) {
    const observer = given as { next?: (value: A) => void; complete?: () => void };
    for (const value of values) observer.next?.(value);
    observer.complete?.();
    return { unsubscribe() {} };
  },
});

const quotes: Readonly<Record<string, readonly number[]>> = {
  ACME: [100, 101, 112, 111, 95],
  DULL: [50, 50, 51],
};

const ticks = fromObservable<Tick, { symbol: string }>(({ input }) =>
  inOrder((quotes[input.symbol] ?? []).map((cents, i) => ({ seq: i + 1, cents }))),
);

const bell = fromEventObservable<{ type: "BELL"; no: number }, undefined>(() =>
  inOrder([
    { type: "BELL" as const, no: 1 },
    { type: "BELL" as const, no: 2 },
  ]),
);

const feedMachine = setup({
  types: {
    context: {} as { symbol: string; seq: number; last: number; bells: number },
    events: {} as { type: "BELL"; no: number } | { type: "FOLLOW"; symbol: string } | { type: "CLOSE" },
    input: {} as { symbol: string },
    output: {} as { seq: number; last: number },
    emitted: {} as
      | { type: "MOVED"; symbol: string; from: number; to: number }
      | { type: "QUIET"; symbol: string }
      | { type: "RANG"; no: number },
  },
  actors: { ticks, bell },
  guards: {
    isNewer: ({ context }, params: { tick: Tick | undefined }) =>
      params.tick !== undefined && params.tick.seq > context.seq,
    isMove: ({ context }, params: { tick: Tick | undefined }) =>
      params.tick !== undefined && params.tick.seq > context.seq && Math.abs(params.tick.cents - context.last) >= 10,
  },
}).createMachine({
  id: "feed",
  context: ({ input }) => ({ symbol: input.symbol, seq: 0, last: 100, bells: 0 }),
  initial: "opening",
  states: {
    opening: {
      invoke: { src: "bell", onDone: "following" },
      on: {
        BELL: {
          guard: ({ context, event }) => event.no > context.bells,
          actions: [assign({ bells: ({ event }) => event.no }), emit(({ event }) => ({ type: "RANG", no: event.no }))],
        },
      },
    },
    following: {
      invoke: {
        id: "ticks",
        src: "ticks",
        input: ({ context }) => ({ symbol: context.symbol }),
        onSnapshot: [
          {
            guard: { type: "isMove", params: ({ event }) => ({ tick: event.snapshot.context }) },
            actions: [
              emit(({ context, event }) => ({
                type: "MOVED",
                symbol: context.symbol,
                from: context.last,
                to: event.snapshot.context?.cents ?? 0,
              })),
              assign(({ event }) => ({
                seq: event.snapshot.context?.seq ?? 0,
                last: event.snapshot.context?.cents ?? 0,
              })),
            ],
          },
          {
            guard: { type: "isNewer", params: ({ event }) => ({ tick: event.snapshot.context }) },
            actions: assign({ seq: ({ event }) => event.snapshot.context?.seq ?? 0 }),
          },
        ],
        onDone: { target: "quiet", actions: emit(({ context }) => ({ type: "QUIET", symbol: context.symbol })) },
      },
    },
    quiet: {
      on: {
        FOLLOW: {
          target: "following",
          actions: assign({ symbol: ({ event }) => event.symbol, seq: 0 }),
        },
        CLOSE: "closed",
      },
    },
    closed: { type: "final" },
  },
  output: ({ context }) => ({ seq: context.seq, last: context.last }),
});

/** A feed of two symbols, one after the other. */
export const priceFeed: readonly Scenario[] = [
  {
    name: "a price feed tells the moves that matter, once each",
    covers: ["logic.observable", "logic.eventObservable", "invoke.onSnapshot", "invoke.onDone", "guard.params"],
    machine: () => feedMachine,
    input: { symbol: "ACME" },
    steps: [
      { expect: { value: "quiet", context: { symbol: "ACME", seq: 5, last: 95, bells: 2 } } },
      { send: { type: "FOLLOW", symbol: "DULL" } },
      { expect: { value: "quiet", context: { symbol: "DULL", seq: 3, last: 50, bells: 2 } } },
      { send: { type: "FOLLOW", symbol: "NONE" } },
      { expect: { value: "quiet", context: { symbol: "NONE", seq: 0, last: 50, bells: 2 } } },
      { send: { type: "CLOSE" } },
      {
        expect: {
          status: "done",
          output: { seq: 0, last: 50 },
          emitted: [
            { type: "RANG", no: 1 },
            { type: "RANG", no: 2 },
            { type: "MOVED", symbol: "ACME", from: 100, to: 112 },
            { type: "MOVED", symbol: "ACME", from: 112, to: 95 },
            { type: "QUIET", symbol: "ACME" },
            { type: "MOVED", symbol: "DULL", from: 95, to: 50 },
            { type: "QUIET", symbol: "DULL" },
            { type: "QUIET", symbol: "NONE" },
          ],
        },
      },
    ],
  },
];

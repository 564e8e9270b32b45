/** An auction: bids move the end, the reserve must be met, and the winner has a time to pay. */
import { assertEvent, assign, cancel, emit, raise, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

interface Bid {
  readonly by: string;
  readonly cents: bigint;
}

const auctionMachine = setup({
  types: {
    context: {} as { reserve: bigint; bids: readonly Bid[] },
    events: {} as { type: "BID"; by: string; cents: bigint } | { type: "CLOSE" } | { type: "PAY"; by: string },
    input: {} as { reserve: bigint },
    output: {} as { winner: string | null; cents: bigint },
    emitted: {} as
      | { type: "OUTBID"; who: string; by: string }
      | { type: "TOO_LOW"; by: string; least: bigint }
      | { type: "HAMMER"; winner: string; cents: bigint }
      | { type: "PASSED" },
  },
  guards: {
    isHigher: ({ context, event }) => {
      assertEvent(event, "BID");
      return event.cents > (context.bids.at(-1)?.cents ?? 0n);
    },
    isReserveMet: ({ context }) => (context.bids.at(-1)?.cents ?? 0n) >= context.reserve,
    isWinner: ({ context, event }) => event.type === "PAY" && event.by === context.bids.at(-1)?.by,
    hasBids: ({ context }) => context.bids.length > 0,
  },
  actions: {
    addBid: assign({
      bids: ({ context, event }) => {
        assertEvent(event, "BID");
        return [...context.bids, { by: event.by, cents: event.cents }];
      },
    }),
    dropBid: assign({ bids: ({ context }) => context.bids.slice(0, -1) }),
    moveEnd: raise({ type: "CLOSE" }, { id: "end", delay: ({ context }) => (context.bids.length > 1 ? 6 : 24) * hour }),
  },
}).createMachine({
  id: "auction",
  context: ({ input }) => ({ reserve: input.reserve, bids: [] }),
  initial: "open",
  states: {
    open: {
      entry: "moveEnd",
      exit: cancel("end"),
      on: {
        BID: [
          {
            guard: "isHigher",
            actions: [
              emit(({ context, event }) => ({
                type: "OUTBID",
                who: context.bids.at(-1)?.by ?? "nobody",
                by: event.by,
              })),
              "addBid",
              cancel("end"),
              "moveEnd",
            ],
          },
          {
            actions: emit(({ context, event }) => ({
              type: "TOO_LOW",
              by: event.by,
              least: (context.bids.at(-1)?.cents ?? 0n) + 1n,
            })),
          },
        ],
        CLOSE: [{ guard: "isReserveMet", target: "paying" }, { target: "passed" }],
      },
    },
    paying: {
      entry: emit(({ context }) => ({
        type: "HAMMER",
        winner: context.bids.at(-1)?.by ?? "",
        cents: context.bids.at(-1)?.cents ?? 0n,
      })),
      on: { PAY: { guard: "isWinner", target: "sold" } },
      after: {
        [12 * hour]: [
          // The one before gets the chance.
          { guard: ({ context }) => context.bids.length > 1, target: "paying", reenter: true, actions: "dropBid" },
          { target: "passed" },
        ],
      },
    },
    sold: { type: "final" },
    passed: { type: "final", entry: [assign({ bids: [] }), emit({ type: "PASSED" })] },
  },
  output: ({ context }) => ({ winner: context.bids.at(-1)?.by ?? null, cents: context.bids.at(-1)?.cents ?? 0n }),
});

/** Auctions that are sold to the second best, and that pass for want of a bid that is high enough. */
export const auction: readonly Scenario[] = [
  {
    name: "an auction moves its end with each bid and goes to who pays",
    covers: ["raise.delay", "cancel.id", "assertEvent.type", "value.bigint", "after.numeric", "transition.reenter"],
    machine: () => auctionMachine,
    input: { reserve: 1000n },
    steps: [
      { hours: 20 },
      { send: { type: "BID", by: "ada", cents: 900n } },
      { send: { type: "BID", by: "bob", cents: 900n } },
      { hours: 20 },
      { send: { type: "BID", by: "bob", cents: 1200n } },
      { hours: 4 },
      { send: { type: "BID", by: "eve", cents: 9_007_199_254_740_993n } },
      { hours: 4 },
      { expect: { value: "open" } },
      { hours: 2 },
      { send: { type: "PAY", by: "bob" } },
      { expect: { value: "paying" } },
      { hours: 12 },
      { send: { type: "PAY", by: "bob" } },
      {
        expect: {
          status: "done",
          value: "sold",
          output: { winner: "bob", cents: 1200n },
          emitted: [
            { type: "OUTBID", who: "nobody", by: "ada" },
            { type: "TOO_LOW", by: "bob", least: 901n },
            { type: "OUTBID", who: "ada", by: "bob" },
            { type: "OUTBID", who: "bob", by: "eve" },
            { type: "HAMMER", winner: "eve", cents: 9_007_199_254_740_993n },
            { type: "HAMMER", winner: "bob", cents: 1200n },
          ],
        },
      },
    ],
  },
  {
    name: "an auction below its reserve passes",
    covers: ["raise.delay", "assertEvent.type", "machine.output"],
    machine: () => auctionMachine,
    input: { reserve: 1000n },
    steps: [
      { send: { type: "BID", by: "ada", cents: 900n } },
      { hours: 20 },
      { expect: { value: "open" } },
      { hours: 4 },
      {
        expect: {
          status: "done",
          value: "passed",
          output: { winner: null, cents: 0n },
          emitted: [{ type: "OUTBID", who: "nobody", by: "ada" }, { type: "PASSED" }],
        },
      },
    ],
  },
];

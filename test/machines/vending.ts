/** A vending machine: it counts coins, gives change from what it has, and keeps its stock. */
import { assign, emit, enqueueActions, raise, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

interface Slot {
  readonly price: number;
  readonly pieces: number;
}

const coins = [100, 50, 20, 10];

/** The coins that make the amount, the large ones first. */
function changeFor(amount: number): readonly number[] {
  const given: number[] = [];
  let left = amount;
  for (const coin of coins) {
    while (left >= coin) {
      given.push(coin);
      left -= coin;
    }
  }
  return given;
}

const vendingMachine = setup({
  types: {
    context: {} as { slots: Readonly<Record<string, Slot>>; credit: number; takings: number },
    events: {} as
      | { type: "COIN"; cents: number }
      | { type: "CHOOSE"; slot: string }
      | { type: "REFUND" }
      | { type: "DISPENSED" }
      | { type: "JAMMED" }
      | { type: "SERVICE"; slots: Readonly<Record<string, Slot>> },
    input: {} as { slots: Readonly<Record<string, Slot>> },
    emitted: {} as
      | { type: "CHANGE"; coins: readonly number[] }
      | { type: "DROP"; slot: string }
      | { type: "DISPLAY"; text: string },
    tags: {} as "sellable",
  },
  guards: {
    isCoin: (_, params: { cents: number }) => coins.includes(params.cents),
    isSoldOut: ({ context }, params: { slot: string }) => (context.slots[params.slot]?.pieces ?? 0) === 0,
    isPaid: ({ context }, params: { slot: string }) =>
      context.credit >= (context.slots[params.slot]?.price ?? Number.POSITIVE_INFINITY),
  },
  actions: {
    giveChange: enqueueActions(({ context, enqueue }) => {
      if (context.credit > 0) enqueue.emit({ type: "CHANGE", coins: changeFor(context.credit) });
      enqueue.assign({ credit: 0 });
    }),
    show: emit((_, params: { text: string }) => ({ type: "DISPLAY" as const, text: params.text })),
  },
}).createMachine({
  id: "vending",
  context: ({ input }) => ({ slots: input.slots, credit: 0, takings: 0 }),
  initial: "selling",
  states: {
    selling: {
      tags: "sellable",
      initial: "idle",
      states: {
        idle: {},
        credit: {
          after: { [hour]: { target: "idle", actions: "giveChange" } },
        },
      },
      on: {
        COIN: [
          {
            guard: { type: "isCoin", params: ({ event }) => ({ cents: event.cents }) },
            target: ".credit",
            actions: assign({ credit: ({ context, event }) => context.credit + event.cents }),
          },
          { actions: emit(({ event }) => ({ type: "CHANGE", coins: [event.cents] })) },
        ],
        CHOOSE: [
          {
            guard: { type: "isSoldOut", params: ({ event }) => ({ slot: event.slot }) },
            actions: { type: "show", params: { text: "sold out" } },
          },
          {
            guard: { type: "isPaid", params: ({ event }) => ({ slot: event.slot }) },
            target: "dropping",
            actions: enqueueActions(({ context, event, enqueue }) => {
              const slot = context.slots[event.slot] as Slot;
              enqueue.assign({
                slots: { ...context.slots, [event.slot]: { ...slot, pieces: slot.pieces - 1 } },
                credit: context.credit - slot.price,
                takings: context.takings + slot.price,
              });
              enqueue.emit({ type: "DROP", slot: event.slot });
            }),
          },
          {
            actions: {
              type: "show",
              params: ({ context, event }) => ({
                text: `pay ${(context.slots[event.slot]?.price ?? 0) - context.credit} more`,
              }),
            },
          },
        ],
        REFUND: { target: ".idle", actions: "giveChange" },
      },
    },
    dropping: {
      on: {
        DISPENSED: { target: "selling", actions: "giveChange" },
        JAMMED: "outOfOrder",
      },
      after: { [2 * hour]: { actions: raise({ type: "JAMMED" }) } },
    },
    outOfOrder: {
      entry: [{ type: "show", params: { text: "out of order" } }, "giveChange"],
      on: { SERVICE: { target: "selling", actions: assign({ slots: ({ event }) => event.slots }) } },
    },
  },
});

const slots = { A1: { price: 120, pieces: 1 }, B2: { price: 80, pieces: 9 } };

/** Sales with change, and a slot that jams. */
export const vending: readonly Scenario[] = [
  {
    name: "a vending machine gives change and says what is missing",
    covers: ["enqueueActions.context", "guard.params", "action.params", "after.numeric", "target.relative"],
    machine: () => vendingMachine,
    input: { slots },
    steps: [
      { send: { type: "COIN", cents: 100 } },
      { send: { type: "COIN", cents: 5 } },
      { send: { type: "CHOOSE", slot: "A1" } },
      { send: { type: "COIN", cents: 100 } },
      { expect: { value: { selling: "credit" }, tags: ["sellable"], contextHas: { credit: 200 } } },
      { send: { type: "CHOOSE", slot: "A1" } },
      { send: { type: "DISPENSED" } },
      { send: { type: "CHOOSE", slot: "A1" } },
      { send: { type: "COIN", cents: 50 } },
      { hours: 1 },
      {
        expect: {
          value: { selling: "idle" },
          context: { slots: { A1: { price: 120, pieces: 0 }, B2: { price: 80, pieces: 9 } }, credit: 0, takings: 120 },
          emitted: [
            { type: "CHANGE", coins: [5] },
            { type: "DISPLAY", text: "pay 20 more" },
            { type: "DROP", slot: "A1" },
            { type: "CHANGE", coins: [50, 20, 10] },
            { type: "DISPLAY", text: "sold out" },
            { type: "CHANGE", coins: [50] },
          ],
        },
      },
    ],
  },
  {
    name: "a vending machine that jams is out of order until it is served",
    covers: ["raise.immediate", "after.numeric", "enqueueActions.context", "input.context"],
    machine: () => vendingMachine,
    input: { slots },
    steps: [
      { send: { type: "COIN", cents: 100 } },
      { send: { type: "CHOOSE", slot: "B2" } },
      { send: { type: "COIN", cents: 100 } },
      { hours: 2 },
      { expect: { value: "outOfOrder", tags: [] } },
      { send: { type: "CHOOSE", slot: "B2" } },
      { send: { type: "SERVICE", slots: { B2: { price: 90, pieces: 10 } } } },
      { send: { type: "COIN", cents: 20 } },
      { send: { type: "REFUND" } },
      {
        expect: {
          value: { selling: "idle" },
          context: { slots: { B2: { price: 90, pieces: 10 } }, credit: 0, takings: 80 },
          emitted: [
            { type: "DROP", slot: "B2" },
            { type: "DISPLAY", text: "out of order" },
            { type: "CHANGE", coins: [20] },
            { type: "CHANGE", coins: [20] },
          ],
        },
      },
    ],
  },
];

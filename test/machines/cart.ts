/** A shopping cart that is reminded of and then given up when nobody touches it: every touch starts the patience anew. */
import { assertEvent, assign, emit, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

interface Item {
  readonly sku: string;
  readonly quantity: number;
}

const cartMachine = setup({
  types: {
    context: {} as { items: readonly Item[]; voucher: string | null },
    events: {} as
      | { type: "item.add"; sku: string; quantity: number }
      | { type: "item.remove"; sku: string }
      | { type: "item.clear" }
      | { type: "VOUCHER"; code: string }
      | { type: "CHECK_OUT" },
    output: {} as { bought: readonly Item[]; voucher: string | null },
    emitted: {} as
      | { type: "CART_CHANGED"; pieces: number }
      | { type: "CART_REMINDER"; pieces: number }
      | { type: "CART_CLOSED"; isBought: boolean },
  },
  delays: { patience: 24 * hour, lastPatience: 48 * hour },
  guards: {
    isEmpty: ({ context }) => context.items.length === 0,
    hasItems: ({ context }) => context.items.length > 0,
  },
  actions: {
    change: assign({
      items: ({ context, event }) => {
        assertEvent(event, ["item.add", "item.remove", "item.clear"]);
        if (event.type === "item.clear") return [];
        const others = context.items.filter((item) => item.sku !== event.sku);
        return event.type === "item.remove" ? others : [...others, { sku: event.sku, quantity: event.quantity }];
      },
    }),
    tellChange: emit(({ context }) => ({
      type: "CART_CHANGED",
      pieces: context.items.reduce((sum, item) => sum + item.quantity, 0),
    })),
    tellReminder: emit(({ context }) => ({
      type: "CART_REMINDER",
      pieces: context.items.reduce((sum, item) => sum + item.quantity, 0),
    })),
  },
}).createMachine({
  id: "cart",
  context: { items: [], voucher: null },
  initial: "empty",
  states: {
    empty: {
      always: { guard: "hasItems", target: "filled" },
      on: { "item.add": { actions: ["change", "tellChange"] } },
    },
    filled: {
      initial: "fresh",
      always: { guard: "isEmpty", target: "empty" },
      on: {
        "item.*": { target: ".fresh", actions: ["change", "tellChange"], reenter: true },
        VOUCHER: { actions: assign({ voucher: ({ event }) => event.code }) },
        CHECK_OUT: "bought",
      },
      states: {
        fresh: { after: { patience: "reminded" } },
        reminded: { entry: "tellReminder", after: { lastPatience: "#cart.abandoned" } },
      },
    },
    bought: { type: "final", entry: emit({ type: "CART_CLOSED", isBought: true }) },
    abandoned: {
      type: "final",
      entry: [assign({ items: [] }), emit({ type: "CART_CLOSED", isBought: false })],
    },
  },
  output: ({ context }) => ({ bought: context.items, voucher: context.voucher }),
});

/** Carts that are bought after a reminder, and abandoned. */
export const cart: readonly Scenario[] = [
  {
    name: "a cart that is touched again and again is not given up",
    covers: ["transition.reenter", "event.partial", "after.named", "assertEvent.type", "eventless.guard"],
    machine: () => cartMachine,
    steps: [
      { send: { type: "item.remove", sku: "tea" } },
      { expect: { value: "empty", emitted: [] } },
      { send: { type: "item.add", sku: "tea", quantity: 2 } },
      { hours: 20 },
      { send: { type: "item.add", sku: "pot", quantity: 1 } },
      { hours: 20 },
      { send: { type: "VOUCHER", code: "SPRING" } },
      { expect: { value: { filled: "fresh" } } },
      { hours: 5 },
      { expect: { value: { filled: "reminded" } } },
      { send: { type: "item.remove", sku: "pot" } },
      { send: { type: "CHECK_OUT" } },
      {
        expect: {
          status: "done",
          output: { bought: [{ sku: "tea", quantity: 2 }], voucher: "SPRING" },
          emitted: [
            { type: "CART_CHANGED", pieces: 2 },
            { type: "CART_CHANGED", pieces: 3 },
            { type: "CART_REMINDER", pieces: 3 },
            { type: "CART_CHANGED", pieces: 2 },
            { type: "CART_CLOSED", isBought: true },
          ],
        },
      },
    ],
  },
  {
    name: "a cart that nobody touches is reminded of once and abandoned",
    covers: ["after.named", "target.id", "action.entry", "action.exit"],
    machine: () => cartMachine,
    steps: [
      { send: { type: "item.add", sku: "tea", quantity: 2 } },
      { send: { type: "item.clear" } },
      { hours: 30 },
      { expect: { value: "empty" } },
      { send: { type: "item.add", sku: "cup", quantity: 6 } },
      { hours: 24 },
      { hours: 48 },
      {
        expect: {
          status: "done",
          value: "abandoned",
          context: { items: [], voucher: null },
          emitted: [
            { type: "CART_CHANGED", pieces: 2 },
            { type: "CART_CHANGED", pieces: 0 },
            { type: "CART_CHANGED", pieces: 6 },
            { type: "CART_REMINDER", pieces: 6 },
            { type: "CART_CLOSED", isBought: false },
          ],
        },
      },
    ],
  },
];

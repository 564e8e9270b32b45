/** An order: paid by an activity, shipped by a child machine, and the customer told of each step. */
import { assign, emit, forwardTo, fromPromise, sendParent, setup } from "xstate";
import { hour, type Scenario, type ScenarioWorld } from "../scenarios/scenario.ts";

interface Line {
  readonly sku: string;
  readonly quantity: number;
  readonly cents: number;
}

const charge = fromPromise<{ receipt: string }, { order: string; cents: number; card: string }>(async ({ input }) => {
  if (input.card === "expired") throw new Error(`the card for ${input.order} was declined`);
  return { receipt: `${input.order}:${input.cents}` };
});

const shipping = setup({
  types: {
    context: {} as { parcel: string; scans: readonly string[]; isLost: boolean },
    events: {} as { type: "PACKED" } | { type: "SCANNED"; depot: string } | { type: "DELIVERED" },
    input: {} as { parcel: string },
    output: {} as { parcel: string; scans: readonly string[]; isLost: boolean },
  },
}).createMachine({
  id: "shipping",
  context: ({ input }) => ({ parcel: input.parcel, scans: [], isLost: false }),
  initial: "packing",
  states: {
    packing: { on: { PACKED: "inTransit" } },
    inTransit: {
      entry: sendParent(({ context }) => ({ type: "SHIPPED", parcel: context.parcel })),
      on: {
        SCANNED: { actions: assign({ scans: ({ context, event }) => [...context.scans, event.depot] }) },
        DELIVERED: "arrived",
      },
      after: { [96 * hour]: { target: "arrived", actions: assign({ isLost: true }) } },
    },
    arrived: { type: "final" },
  },
  output: ({ context }) => context,
});

const createOrder = ({ trace }: ScenarioWorld) =>
  setup({
    types: {
      context: {} as { order: string; lines: readonly Line[]; card: string; receipt: string | null },
      events: {} as
        | { type: "ADD_LINE"; line: Line }
        | { type: "SUBMIT" }
        | { type: "USE_CARD"; card: string }
        | { type: "SHIPPED"; parcel: string }
        | { type: "PACKED" }
        | { type: "SCANNED"; depot: string }
        | { type: "DELIVERED" },
      input: {} as { order: string; card: string },
      output: {} as { order: string; receipt: string | null },
      emitted: {} as
        | { type: "ORDER_PAID"; receipt: string }
        | { type: "ORDER_SHIPPED"; parcel: string }
        | { type: "ORDER_CLOSED"; reason: string },
    },
    actors: { charge, shipping },
    guards: { hasLines: ({ context }) => context.lines.length > 0 },
    actions: { notify: (_, params: { template: string }) => trace(params.template) },
  }).createMachine({
    id: "order",
    context: ({ input }) => ({ order: input.order, lines: [], card: input.card, receipt: null }),
    initial: "draft",
    states: {
      draft: {
        on: {
          ADD_LINE: { actions: assign({ lines: ({ context, event }) => [...context.lines, event.line] }) },
          SUBMIT: { guard: "hasLines", target: "paying" },
        },
      },
      paying: {
        tags: ["busy"],
        invoke: {
          src: "charge",
          input: ({ context }) => ({
            order: context.order,
            card: context.card,
            cents: context.lines.reduce((sum, line) => sum + line.quantity * line.cents, 0),
          }),
          onDone: {
            target: "shipping",
            actions: [
              assign({ receipt: ({ event }) => event.output.receipt }),
              emit(({ event }) => ({ type: "ORDER_PAID", receipt: event.output.receipt })),
              { type: "notify", params: { template: "thank-you" } },
            ],
          },
          onError: { target: "declined", actions: { type: "notify", params: { template: "declined" } } },
        },
      },
      declined: {
        on: { USE_CARD: { target: "paying", actions: assign({ card: ({ event }) => event.card }) } },
        after: {
          [24 * hour]: { target: "closed", actions: emit({ type: "ORDER_CLOSED", reason: "never paid" }) },
        },
      },
      shipping: {
        invoke: {
          id: "shipment",
          src: "shipping",
          input: ({ context }) => ({ parcel: `parcel-${context.order}` }),
          onDone: {
            target: "closed",
            actions: emit(({ event }) => ({
              type: "ORDER_CLOSED",
              reason: event.output.isLost ? "lost" : `delivered by way of ${event.output.scans.join(", ")}`,
            })),
          },
        },
        on: {
          SHIPPED: { actions: emit(({ event }) => ({ type: "ORDER_SHIPPED", parcel: event.parcel })) },
          PACKED: { actions: forwardTo("shipment") },
          SCANNED: { actions: forwardTo("shipment") },
          DELIVERED: { actions: forwardTo("shipment") },
        },
      },
      closed: { type: "final" },
    },
    output: ({ context }) => ({ order: context.order, receipt: context.receipt }),
  });

const input = { order: "A-17", card: "visa" };
const book = { sku: "book", quantity: 2, cents: 1250 };
const pen = { sku: "pen", quantity: 1, cents: 300 };
const paid = { type: "ORDER_PAID", receipt: "A-17:2800" };
const shipped = { type: "ORDER_SHIPPED", parcel: "parcel-A-17" };

/** Orders that are delivered, paid late, never paid, and lost on their way. */
export const order: readonly Scenario[] = [
  {
    name: "an order is paid, shipped and delivered",
    covers: [
      "logic.promise",
      "logic.machine",
      "invoke.onDone",
      "send.forwardTo",
      "send.sendParent",
      "machine.output",
      "emit.event",
    ],
    machine: createOrder,
    input,
    steps: [
      { send: { type: "SUBMIT" } },
      { expect: { value: "draft", emitted: [] } },
      { send: { type: "ADD_LINE", line: book } },
      { send: { type: "ADD_LINE", line: pen } },
      { send: { type: "SUBMIT" } },
      { expect: { value: "shipping", contextHas: { receipt: "A-17:2800" }, trace: ["thank-you"] } },
      { send: { type: "PACKED" } },
      { send: { type: "SCANNED", depot: "Bonn" } },
      { hours: 12 },
      { send: { type: "SCANNED", depot: "Kiel" } },
      { send: { type: "DELIVERED" } },
      {
        expect: {
          status: "done",
          value: "closed",
          output: { order: "A-17", receipt: "A-17:2800" },
          emitted: [paid, shipped, { type: "ORDER_CLOSED", reason: "delivered by way of Bonn, Kiel" }],
        },
      },
    ],
  },
  {
    name: "a declined order is paid with another card and then lost on its way",
    covers: ["invoke.onError", "after.numeric", "tags.state", "action.params"],
    machine: createOrder,
    input: { ...input, card: "expired" },
    steps: [
      { send: { type: "ADD_LINE", line: book } },
      { send: { type: "ADD_LINE", line: pen } },
      { send: { type: "SUBMIT" } },
      { expect: { value: "declined", tags: [], trace: ["declined"], emitted: [] } },
      { hours: 20 },
      { send: { type: "USE_CARD", card: "expired" } },
      { hours: 20 },
      { expect: { value: "declined" } },
      { send: { type: "USE_CARD", card: "visa" } },
      { send: { type: "PACKED" } },
      { hours: 96 },
      { expect: { status: "done", emitted: [paid, shipped, { type: "ORDER_CLOSED", reason: "lost" }] } },
    ],
  },
];

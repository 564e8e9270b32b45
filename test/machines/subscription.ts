/** A subscription: a trial, an invoice each month, and dunning with growing patience when a charge fails. */
import { assign, emit, fromPromise, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

const day = 24 * hour;

const chargeCard = fromPromise<{ invoice: string }, { customer: string; cycle: number; card: string }>(
  async ({ input }) => {
    if (input.card === "empty") throw new Error("insufficient funds");
    return { invoice: `${input.customer}/${input.cycle}` };
  },
);

const subscriptionMachine = setup({
  types: {
    context: {} as { customer: string; card: string; cycle: number; failures: number; isEnding: boolean },
    events: {} as { type: "USE_CARD"; card: string } | { type: "CANCEL" } | { type: "KEEP" },
    input: {} as { customer: string; card: string },
    output: {} as { paidCycles: number },
    emitted: {} as
      | { type: "INVOICED"; invoice: string }
      | { type: "DUNNED"; failures: number; reason: string }
      | { type: "ENDED"; paidCycles: number },
    tags: {} as "entitled",
  },
  actors: { chargeCard },
  delays: {
    trial: 3 * day,
    month: 30 * day,
    patience: ({ context }) => context.failures * day,
  },
  guards: {
    isEnding: ({ context }) => context.isEnding,
    hasFailed: ({ context }, params: { times: number }) => context.failures >= params.times,
  },
  actions: {
    storeCard: assign(({ context, event }) => (event.type === "USE_CARD" ? { ...context, card: event.card } : context)),
  },
}).createMachine({
  id: "subscription",
  context: ({ input }) => ({ ...input, cycle: 0, failures: 0, isEnding: false }),
  initial: "trialing",
  on: {
    USE_CARD: { actions: "storeCard" },
    CANCEL: { actions: assign({ isEnding: true }) },
    KEEP: { actions: assign({ isEnding: false }) },
  },
  states: {
    trialing: { tags: "entitled", after: { trial: [{ guard: "isEnding", target: "ended" }, { target: "billing" }] } },
    billing: {
      tags: "entitled",
      invoke: {
        id: "charge",
        src: "chargeCard",
        input: ({ context }) => ({ customer: context.customer, card: context.card, cycle: context.cycle + 1 }),
        onDone: {
          target: "active",
          actions: [
            assign({ cycle: ({ context }) => context.cycle + 1, failures: 0 }),
            emit(({ event }) => ({ type: "INVOICED", invoice: event.output.invoice })),
          ],
        },
        onError: {
          target: "pastDue",
          actions: [
            assign({ failures: ({ context }) => context.failures + 1 }),
            emit(({ context, event }) => ({
              type: "DUNNED",
              failures: context.failures,
              reason: (event.error as Error).message,
            })),
          ],
        },
      },
    },
    active: { tags: "entitled", after: { month: [{ guard: "isEnding", target: "ended" }, { target: "billing" }] } },
    pastDue: {
      always: { guard: { type: "hasFailed", params: { times: 3 } }, target: "ended" },
      on: { USE_CARD: { target: "billing", actions: "storeCard" } },
      after: { patience: "billing" },
    },
    ended: { type: "final", entry: emit(({ context }) => ({ type: "ENDED", paidCycles: context.cycle })) },
  },
  output: ({ context }) => ({ paidCycles: context.cycle }),
});

const dunned = (failures: number) => ({ type: "DUNNED", failures, reason: "insufficient funds" });

/** Subscriptions that go on after dunning, and end for want of money or by a cancel. */
export const subscription: readonly Scenario[] = [
  {
    name: "a subscription is billed monthly and survives its dunning",
    covers: ["after.named", "after.dynamic", "logic.promise", "invoke.onError", "guard.params"],
    machine: () => subscriptionMachine,
    input: { customer: "ada", card: "visa" },
    steps: [
      { expect: { value: "trialing", tags: ["entitled"] } },
      { hours: 72 },
      { expect: { value: "active", emitted: [{ type: "INVOICED", invoice: "ada/1" }] } },
      { send: { type: "USE_CARD", card: "empty" } },
      { hours: 720 },
      { expect: { value: "pastDue", tags: [], contextHas: { failures: 1 } } },
      { hours: 24 },
      { expect: { value: "pastDue", contextHas: { failures: 2 } } },
      { send: { type: "USE_CARD", card: "visa" } },
      { send: { type: "CANCEL" } },
      { send: { type: "KEEP" } },
      {
        expect: {
          value: "active",
          context: { customer: "ada", card: "visa", cycle: 2, failures: 0, isEnding: false },
          emitted: [
            { type: "INVOICED", invoice: "ada/1" },
            dunned(1),
            dunned(2),
            { type: "INVOICED", invoice: "ada/2" },
          ],
        },
      },
    ],
  },
  {
    name: "a subscription ends when its charge has failed three times",
    covers: ["after.dynamic", "eventless.guard", "machine.output"],
    machine: () => subscriptionMachine,
    input: { customer: "bob", card: "empty" },
    steps: [
      { hours: 72 },
      { expect: { value: "pastDue" } },
      { hours: 24 },
      { hours: 24 },
      { expect: { value: "pastDue", contextHas: { failures: 2 } } },
      { hours: 24 },
      {
        expect: {
          status: "done",
          value: "ended",
          output: { paidCycles: 0 },
          emitted: [dunned(1), dunned(2), dunned(3), { type: "ENDED", paidCycles: 0 }],
        },
      },
    ],
  },
];

/** Actors whose children are begun again when they fail, for tests. */
import { assign, fromTransition, sendParent, setup } from "xstate";
import { type AnyActorDefinition, defineActor } from "../../actors/define-actor.ts";
import type { ChildOptions } from "../../actors/supervision.ts";

/** How often `card`s still fail when they are made. */
export const stillborn = { left: 0, error: () => new Error("no card") };

const card = setup({}).createMachine({
  id: "card",
  context: () => {
    if (stillborn.left > 0) {
      stillborn.left--;
      throw stillborn.error();
    }
    return {};
  },
  on: {
    BREAK: {
      actions: assign(() => {
        throw new Error("card broken");
      }),
    },
  },
});

const tally = fromTransition((n: number, event: { type: string }) => {
  if (event.type === "BREAK") throw new Error("tally broken");
  return n + 1;
}, 40);

type PaymentEvent = { type: "ADD"; item: string } | { type: "BREAK"; why: string } | { type: "SHOW" } | { type: "END" };

const payment = setup({
  types: { context: {} as { items: readonly string[] }, events: {} as PaymentEvent },
  actors: { card, tally },
}).createMachine({
  id: "payment",
  context: ({ input }) => ({ items: [...(input as { items: string[] }).items] }),
  initial: "open",
  invoke: [
    { src: "card", id: "card" },
    { src: "tally", id: "tally" },
  ],
  on: {
    ADD: { actions: assign({ items: ({ context, event }) => [...context.items, event.item] }) },
    BREAK: {
      actions: assign(({ event }) => {
        throw new Error(event.why);
      }),
    },
    SHOW: { actions: sendParent(({ context }) => ({ type: "SHOWN", items: context.items })) },
    END: ".over",
  },
  states: { open: { after: { 1000000: "late" } }, late: {}, over: { type: "final" } },
});

type OrderContext = { shown: unknown[]; errors: string[] };

/** An order that invokes a payment, which invokes a card and a tally. `restarts` are by path, with dots. */
export function orderOf(restarts: Readonly<Record<string, ChildOptions["restart"]>>): AnyActorDefinition {
  return defineActor("order", {
    machine: setup({
      types: {
        context: {} as OrderContext,
        events: {} as { type: "SHOWN"; items: unknown } | { type: "OPEN" } | { type: "AGAIN" } | { type: "SHUT" },
      },
      actors: { payment },
    }).createMachine({
      id: "order",
      context: { shown: [], errors: [] },
      initial: "open",
      on: { SHOWN: { actions: assign({ shown: ({ context, event }) => [...context.shown, event.items] }) } },
      states: {
        open: {
          invoke: {
            src: "payment",
            id: "payment",
            systemId: "till",
            input: { items: ["first"] },
            onDone: "paid",
            onError: {
              target: "failed",
              actions: assign({
                errors: ({ context, event }) => [...context.errors, (event.error as Error).message],
              }),
            },
          },
          on: { AGAIN: { target: "open", reenter: true }, SHUT: "shut" },
        },
        paid: {},
        failed: {},
        shut: {},
      },
    }),
    retry: { maxAttempts: 2, base: 50, jitter: "none" },
    children: Object.fromEntries(Object.entries(restarts).map(([path, restart]) => [path, { restart }])),
  }) as unknown as AnyActorDefinition;
}

/**
 * The order as a saga: pay, book, and everything is taken back when one of them fails. It names activities of the contract; their code is in other processes.
 */
import { z } from "zod";
import { call, saga } from "../../index.ts";
import { bookParcel, cancelParcel, chargeCard, refundPayment } from "./contracts.ts";

/** What an order is made with. */
export const orderInput = z.object({
  id: z.string().min(1),
  card: z.string(),
  cents: z.int().positive(),
  address: z.string(),
});

/** An order, under its id. */
export const order = saga("order", { input: orderInput, key: (input) => input.id })
  .all({
    payment: {
      do: call(chargeCard, ({ input }) => ({ payment: input.id, card: input.card, cents: input.cents })),
      undo: call(refundPayment, ({ input }) => ({ payment: input.id })),
    },
    parcel: {
      do: call(bookParcel, ({ input }) => ({ order: input.id, address: input.address })),
      undo: call(cancelParcel, ({ input }) => ({ order: input.id })),
    },
  })
  .end(({ results }) => ({ charge: results.payment.charge, parcel: results.parcel.parcel }));

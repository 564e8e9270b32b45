/**
 * What the services promise each other: activities by name, with what goes in and comes out. Nobody's code is here.
 *
 * The one who asks names a payment or a parcel by a reference of its own, which exists before the work is done. So it can take back what it does not know to
 * have happened: the refund of a payment that was never charged is remembered, and a charge that comes late is refused.
 */
import { z } from "zod";
import { declareActivity } from "../../index.ts";

/** Work that may be asked for again without harm is tried often: both services know a call that they have seen by its key. */
const often = {
  retry: { base: "100 millis", cap: "2 seconds", maxAttempts: 20 },
  // A worker that was killed is replaced soon.
  heartbeat: "2 seconds",
} as const;

/** Takes money from a card. Declined cards, and payments that were refunded before, are a `TerminalError`. */
export const chargeCard = declareActivity("charge-card", {
  input: z.object({ payment: z.string(), card: z.string(), cents: z.int().positive() }),
  output: z.object({ charge: z.string() }),
  ...often,
  attemptTimeout: "10 seconds",
});

/** Gives back what was taken for a payment. For one that was not charged: sees to it that it never is. */
export const refundPayment = declareActivity("refund-payment", {
  input: z.object({ payment: z.string() }),
  output: z.object({ refundedCents: z.int() }),
  ...often,
  attemptTimeout: "10 seconds",
});

/** Books a parcel with the carrier. An address that the carrier does not serve, and an order that was cancelled before, are a `TerminalError`. */
export const bookParcel = declareActivity("book-parcel", {
  input: z.object({ order: z.string(), address: z.string() }),
  output: z.object({ parcel: z.string() }),
  ...often,
  // The carrier does not always answer.
  attemptTimeout: "2 seconds",
});

/** Cancels the parcel of an order. Where none was booked: sees to it that none ever is. */
export const cancelParcel = declareActivity("cancel-parcel", {
  input: z.object({ order: z.string() }),
  output: z.object({ isCancelled: z.boolean() }),
  ...often,
  attemptTimeout: "2 seconds",
});

/** The message of a delivery as an envelope. */
import { toStored } from "../core/codec.ts";
import { decodeEnvelope, type Envelope, envelopeFormat } from "../core/envelope.ts";
import type { DeadReason } from "../core/records.ts";
import type { RunnableDefinition } from "./definition.ts";
import type { Delivery } from "./delivery.ts";
import type { Head } from "./head.ts";
import { driverOf, storedTimer } from "./logic-of.ts";

/** A failure that is not the user's code: the message is to become a dead letter at once. */
export class Undeliverable extends Error {
  readonly reason: DeadReason;
  constructor(reason: DeadReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** The message as an envelope; a timer has one of the runtime's own, made of what the state says of it. */
export function envelopeOf(
  definition: RunnableDefinition | undefined,
  head: Head,
  delivery: Delivery,
  now: number,
): Envelope {
  if (delivery.timer === undefined) return readEnvelope(delivery);
  // Without the machine the state as it is stored says what comes.
  const event =
    definition === undefined || head.state === undefined
      ? storedTimer(head, delivery.timer)?.event
      : encoded(driverOf(definition, head.birth).timerEvent(head.state, delivery.timer));
  return {
    format: envelopeFormat,
    kind: "event",
    id: `timer-${delivery.timer}`,
    event: (event ?? { type: "statewright.timer" }) as Envelope["event"] & object,
    internal: {},
    sentAt: now,
  };
}

function encoded(event: unknown): unknown {
  return event === undefined ? undefined : toStored(event, "event");
}

function readEnvelope(delivery: Delivery): Envelope {
  if (delivery.unaddressable !== undefined) throw new Undeliverable("malformed", delivery.unaddressable);
  try {
    return decodeEnvelope(delivery.data);
  } catch (error) {
    throw new Undeliverable("malformed", error instanceof Error ? error.message : String(error));
  }
}

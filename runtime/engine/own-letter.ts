/** Letters that an actor leaves about itself: what it cannot go on with unless an operator decides. */
import { createHash } from "node:crypto";
import { formatAddress } from "../core/address.ts";
import { toStored } from "../core/codec.ts";
import { type Envelope, envelopeFormat, type StoredEvent } from "../core/envelope.ts";
import { type LetterRecord, recordFormat, toStoredError } from "../core/records.ts";
import type { Work } from "../machine/driver.ts";
import type { Given } from "./given.ts";
import { letterItems } from "./letter-items.ts";
import type { OutboxItem } from "./outbox.ts";

/** The records of a letter; `index` tells several of one decision apart. `value` is the state that the actor is in then. */
export function ownLetter(
  { head, delivery, env }: Given,
  work: Extract<Work, { readonly kind: "letter" }>,
  value: unknown,
  index: number,
): OutboxItem[] {
  const to = formatAddress(delivery.to);
  const revision = head.revision + 1;
  const letter = `s${createHash("sha256").update(`${to} ${revision} ${index}`).digest("hex").slice(0, 20)}`;
  const envelope: Envelope = {
    format: envelopeFormat,
    kind: "event",
    id: letter,
    event: toStored(work.event, "event") as StoredEvent,
    from: to,
    sentAt: env.now,
  };
  const died: Omit<LetterRecord, "fingerprint"> = {
    format: recordFormat,
    letter,
    to,
    reason: "attempts",
    explanation: work.explanation.slice(0, 4096),
    event: work.event.type,
    attempts: [{ at: env.now, node: env.node, error: toStoredError(work.error) }],
    attemptCount: 1,
    envelope,
    source: { stream: delivery.stream, seq: delivery.seq, subject: delivery.subject },
    state: { revision, ...(value === undefined ? {} : { value }) },
    at: env.now,
    redrives: 0,
    status: "dead",
  };
  return letterItems(died);
}

/**
 * Events about dead letters, on a topic of the runtime's own.
 *
 * 1. Each is in the log if and only if what it tells of is: it is part of the same append.
 * 2. Machines cannot publish to topics of the runtime.
 */
import type { Envelope } from "./envelope.ts";
import type { DeadReason, LetterRecord } from "./records.ts";

/** The topic of {@link DeadLetteredEvent} and {@link DeadLetterExpiredEvent}. */
export const deadLetterTopic = "statewright.deadLettered";

/** True for topics that only the runtime publishes to. */
export function isReservedTopic(topic: string): boolean {
  return topic.startsWith("statewright.");
}

/** A message became a dead letter, or did so again after it was redriven. */
export interface DeadLetteredEvent {
  readonly type: "deadLettered";
  readonly letter: string;
  /** The actor that the message was for, `type/id`. */
  readonly to: string;
  readonly reason: DeadReason;
  /** Why, in words; at most 1024 characters of it. */
  readonly explanation: string;
  /** Event type, or the message's kind; absent when the message could not be read. */
  readonly event?: string;
  /** Letters with the same one died of the same. */
  readonly fingerprint?: string;
  /** How many attempts there were in all. */
  readonly attemptCount: number;
  /** How often it was redriven before. */
  readonly redrives: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Its actor takes no message until the letter is redriven or dropped. */
  readonly parks?: true;
}

/**
 * A letter was closed by the limits of the office. Its record is removed some days later.
 *
 * Gotchas: where `letter.body` is true the message is in a record of its own, which can be read for as long as the letter.
 */
export interface DeadLetterExpiredEvent {
  readonly type: "deadLetterExpired";
  /** The whole letter. What does not fit is left out: attempts but the newest and the snapshot first, then the message, which can be read in the letter itself. */
  readonly letter: LetterRecord;
}

/** Tells of a letter that has just died. */
export function deadLetteredEvent(record: LetterRecord): DeadLetteredEvent {
  const { letter, to, reason, explanation, fingerprint, attemptCount, redrives, at, parks } = record;
  const event = record.event ?? labelOf(record.envelope);
  return {
    type: "deadLettered",
    letter,
    to,
    reason,
    explanation: explanation.slice(0, 1024),
    ...(event === undefined ? {} : { event }),
    ...(fingerprint === undefined ? {} : { fingerprint }),
    attemptCount,
    redrives,
    at,
    ...(parks === undefined ? {} : { parks }),
  };
}

function labelOf(envelope: Envelope | undefined): string | undefined {
  return envelope === undefined ? undefined : (envelope.event?.type ?? envelope.kind);
}

/**
 * The envelope: the form in which every message travels and waits, in INGRESS and in mailboxes of CORE.
 *
 * Stored as JSON in UTF-8. The subject says to whom it goes and, in INGRESS, from whom it comes; the body is never believed about either.
 */
import { CorruptRecordError } from "./errors.ts";

/** The envelope format that this version writes; it reads all formats up to this one. */
export const envelopeFormat = 1;

/** An event as it travels: its `type` and whatever else it carries, encoded for storage. */
export interface StoredEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** True for event types that nobody may send: those of XState and of the runtime, the wildcard, and the empty one. */
export function isReservedEvent(type: string): boolean {
  return type === "" || type === "*" || type.startsWith("xstate.") || type.startsWith("statewright.");
}

/** A message as it travels. */
export interface Envelope {
  readonly format: number;
  /** `event`: for the machine. `create`: makes the actor, with `input`. */
  readonly kind: "event" | "create";
  /** Unique for the message; the same when it is sent again. */
  readonly id: string;
  /** The event, for kind `event`. */
  readonly event?: StoredEvent;
  /** The input, encoded for storage, for kind `create`. */
  readonly input?: unknown;
  /** Idempotency key: applied once per actor and key. */
  readonly key?: string;
  /** Subject for the answer of an `ask`. */
  readonly reply?: string;
  /** The actor that sent it, `type/id`; only in CORE. */
  readonly from?: string;
  /** When it was sent by the sender's clock, milliseconds since 1970. Information only. */
  readonly sentAt: number;
  /** W3C trace context, passed on unread. */
  readonly traceparent?: string;
  /** Set on a redriven message: the letter it comes from. */
  readonly redrive?: { readonly letter: string; readonly attempts: number; readonly redrives: number };
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Encodes an envelope for the log. */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  return Buffer.from(JSON.stringify(envelope));
}

/**
 * Decodes an envelope that anyone may have written.
 *
 * Errors: {@link CorruptRecordError} naming what is wrong (not UTF-8, not JSON, unknown format, missing or wrong field).
 */
export function decodeEnvelope(data: Uint8Array): Envelope {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(data));
  } catch (cause) {
    throw new CorruptRecordError(
      `Cannot read a message of ${data.length} bytes: it is not JSON in UTF-8 (${reasonOf(cause)}).`,
      { cause },
    );
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new CorruptRecordError("Cannot read a message: its JSON is not an object.");
  }
  const envelope = value as Record<string, unknown>;
  const problems: string[] = [];
  if (typeof envelope.format !== "number") problems.push('"format" is missing');
  else if (envelope.format < 1 || envelope.format > envelopeFormat || !Number.isInteger(envelope.format)) {
    throw new CorruptRecordError(
      `Cannot read a message of format ${envelope.format}: this version reads formats 1 to ${envelopeFormat}. Redrive it after an upgrade.`,
      { details: { format: envelope.format } },
    );
  }
  if (typeof envelope.id !== "string" || envelope.id.length === 0 || envelope.id.length > 512)
    problems.push('"id" is not a string of 1 to 512 characters');
  if (typeof envelope.sentAt !== "number") problems.push('"sentAt" is not a number');
  if (envelope.kind === "event") {
    const event = envelope.event as Record<string, unknown> | null | undefined;
    if (typeof event !== "object" || event === null || Array.isArray(event)) problems.push('"event" is not an object');
    else if (typeof event.type !== "string" || event.type.length === 0)
      problems.push('"event.type" is not a non-empty string');
  } else if (envelope.kind !== "create") problems.push('"kind" is neither "event" nor "create"');
  for (const field of ["key", "reply", "from", "traceparent"] as const) {
    if (envelope[field] !== undefined && typeof envelope[field] !== "string")
      problems.push(`"${field}" is not a string`);
  }
  const redrive = envelope.redrive as Record<string, unknown> | undefined;
  if (
    redrive !== undefined &&
    (typeof redrive !== "object" ||
      redrive === null ||
      typeof redrive.letter !== "string" ||
      typeof redrive.attempts !== "number" ||
      typeof redrive.redrives !== "number")
  ) {
    problems.push('"redrive" is not { letter, attempts, redrives }');
  }
  if (problems.length > 0) throw new CorruptRecordError(`Cannot read a message: ${problems.join("; ")}.`);
  return value as Envelope;
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

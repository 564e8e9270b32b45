/** Dead letters as they are stored: found by their id, read, and closed by a fenced write. */
import { type Address, parseAddress } from "../../runtime/core/address.ts";
import { fromStored } from "../../runtime/core/codec.ts";
import { decodeEnvelope, type Envelope } from "../../runtime/core/envelope.ts";
import { LetterNotFoundError } from "../../runtime/core/errors.ts";
import { type DeadReason, decodeRecord, type FailedAttempt, type LetterRecord } from "../../runtime/core/records.ts";
import type { StreamName } from "../../runtime/core/subjects.ts";
import type { LogRecord } from "../../runtime/log/log.ts";
import type { ClientContext } from "./context.ts";

/** What a list says of a letter. */
export interface DeadLetterSummary {
  readonly letter: string;
  /** The actor it was for. */
  readonly to: Address;
  readonly reason: DeadReason;
  /** Why, in words. */
  readonly explanation: string;
  /** Event type, or `create`; undefined when the message could not be read, or is in a record of its own. */
  readonly event: string | undefined;
  /** Id of the message; undefined as for `event`. */
  readonly message: string | undefined;
  readonly attemptCount: number;
  /** When it died, milliseconds since 1970. */
  readonly at: number;
  /** How often it has been redriven. */
  readonly redrives: number;
  /** `dead`, or what an operator did with it. */
  readonly status: LetterRecord["status"];
  /** Why it was dropped, as the operator noted. */
  readonly note: string | undefined;
}

/** A whole letter. */
export interface DeadLetter extends DeadLetterSummary {
  readonly kind: Envelope["kind"] | undefined;
  /** The event or, for `create`, the input, decoded; undefined when the message could not be read. */
  readonly payload: unknown;
  readonly key: string | undefined;
  /** The actor that sent it; undefined for messages of clients. */
  readonly from: string | undefined;
  readonly sentAt: number | undefined;
  /** Every attempt, oldest first; at most the newest 50. */
  readonly attempts: readonly FailedAttempt[];
  /** Where the message was. */
  readonly source: { readonly stream: StreamName; readonly seq: number; readonly subject: string };
  /** The actor as it was when the message died. */
  readonly state: { readonly revision: number; readonly value?: unknown } | undefined;
  /** The bytes as they came, when they could not be read as a message. */
  readonly raw: Uint8Array | undefined;
}

/** A letter with its place in the log. */
export interface StoredLetter {
  readonly subject: string;
  /** Sequence of its record: the fence of every change to it. */
  readonly seq: number;
  readonly partition: number;
  readonly address: Address;
  readonly record: LetterRecord;
}

/** Decodes a letter's record; undefined for a subject that is no letter's. */
export function letterOf(context: ClientContext, record: LogRecord): StoredLetter | undefined {
  const place = context.subjects.parseRecord(record.subject);
  if (place === undefined || place.kind !== "dead") return undefined;
  const { partition, address } = place;
  return {
    subject: record.subject,
    seq: record.seq,
    partition,
    address,
    record: decodeRecord("a dead letter", record.data),
  };
}

/** Finds a letter by its id and reads it from the leader. Errors: `LetterNotFoundError`; `InvalidNameError` for what cannot be an id. */
export async function findLetter(context: ClientContext, letter: string): Promise<StoredLetter> {
  const { log, subjects } = context;
  for await (const { subject } of log.scan("core", subjects.deadLetter(letter), { lastPerSubject: true, limit: 1 })) {
    const record = await log.last("core", subject);
    const found = record === undefined ? undefined : letterOf(context, record);
    if (found !== undefined) return found;
  }
  throw new LetterNotFoundError(
    `Cannot find dead letter ${JSON.stringify(letter)}: the space has none with this id. List the letters to see their ids.`,
    { details: { letter } },
  );
}

/** What a list says of a letter. */
export function summaryOf({ record }: StoredLetter): DeadLetterSummary {
  const { letter, reason, explanation, envelope, attemptCount, at, redrives, status, note } = record;
  return {
    letter,
    to: parseAddressLoosely(record.to),
    reason,
    explanation,
    event: envelope === undefined ? undefined : envelope.kind === "create" ? "create" : envelope.event?.type,
    message: envelope?.id,
    attemptCount,
    at,
    redrives,
    status,
    note,
  };
}

/** The message in a letter: its envelope when it could be read, and else its bytes. */
export type LetterMessage =
  | { readonly envelope: Envelope; readonly raw: undefined }
  | { readonly envelope: undefined; readonly raw: Uint8Array | undefined };

/** Reads the message out of a letter, and out of its body where that is a record of its own (`body`, when it was read already). */
export async function messageIn(
  context: ClientContext,
  stored: StoredLetter,
  body?: LogRecord,
): Promise<LetterMessage> {
  const { record } = stored;
  if (record.envelope !== undefined) return { envelope: record.envelope, raw: undefined };
  const raw =
    record.body === true
      ? (body ?? (await context.log.last("core", bodySubject(context, stored))))?.data
      : record.raw === undefined
        ? undefined
        : new Uint8Array(Buffer.from(record.raw, "base64"));
  if (raw === undefined) return { envelope: undefined, raw: undefined };
  try {
    return { envelope: decodeEnvelope(raw), raw: undefined };
  } catch {
    return { envelope: undefined, raw };
  }
}

/** Where the bytes of a large dead message are. */
function bodySubject(context: ClientContext, { partition, address, record }: StoredLetter): string {
  return context.subjects.body(partition, address, record.letter);
}

/** The whole letter. */
export async function fullLetter(context: ClientContext, stored: StoredLetter): Promise<DeadLetter> {
  const { record } = stored;
  const { envelope, raw } = await messageIn(context, stored);
  return {
    ...summaryOf(stored),
    ...(envelope === undefined
      ? {}
      : { event: envelope.kind === "create" ? "create" : envelope.event?.type, message: envelope.id }),
    kind: envelope?.kind,
    payload: envelope === undefined ? undefined : payloadOf(envelope),
    key: envelope?.key,
    from: record.source.stream === "core" ? envelope?.from : undefined,
    sentAt: envelope?.sentAt,
    attempts: record.attempts,
    source: record.source,
    state: record.state,
    raw,
  };
}

function payloadOf(envelope: Envelope): unknown {
  const stored = envelope.kind === "create" ? envelope.input : envelope.event;
  try {
    return fromStored(stored);
  } catch {
    // Written by others, with tags that mean nothing: shown as it came.
    return stored;
  }
}

/** A message that could not be addressed died for a stand-in whose name need not be a valid one. */
function parseAddressLoosely(text: string): Address {
  try {
    return parseAddress(text);
  } catch {
    const slash = text.indexOf("/");
    return { type: text.slice(0, Math.max(0, slash)), id: text.slice(slash + 1) };
  }
}

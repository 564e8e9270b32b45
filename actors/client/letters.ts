/** Dead letters as they are stored: found by their id, read, and told of. */
import { type Address, parseAddress } from "../../runtime/core/address.ts";
import { fromStored } from "../../runtime/core/codec.ts";
import { decodeEnvelope, type Envelope } from "../../runtime/core/envelope.ts";
import { LetterNotFoundError } from "../../runtime/core/errors.ts";
import { fingerprintOfLetter } from "../../runtime/core/fingerprint-of-letter.ts";
import {
  type DeadReason,
  decodeRecord,
  type FailedAttempt,
  type LetterEvent,
  type LetterRecord,
} from "../../runtime/core/records.ts";
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
  /** Letters that died of the same have the same one: see `DeadLetters.groups`. */
  readonly fingerprint: string;
  /** Event type, or the kind of the message, such as `create`; undefined when it could not be read, or an earlier version has put it into a record of its own. */
  readonly event: string | undefined;
  /** Id of the message; undefined when it could not be read, or is in a record of its own. */
  readonly message: string | undefined;
  readonly attemptCount: number;
  /** When it died, milliseconds since 1970. */
  readonly at: number;
  /** When it died for the first time, milliseconds since 1970. */
  readonly firstAt: number;
  /** How often it has been redriven. */
  readonly redrives: number;
  /** `dead`, or what has closed it: an operator, or (`expired`) the limits of the office. */
  readonly status: LetterRecord["status"];
  /** Why it was dropped, as the operator noted. */
  readonly note: string | undefined;
  /** True when its actor takes no message until the letter is redriven or dropped, or the actor is released. */
  readonly parks: boolean;
  /** True when an operator has changed what the message carries. */
  readonly isEdited: boolean;
}

/** A whole letter. */
export interface DeadLetter extends DeadLetterSummary {
  readonly kind: Envelope["kind"] | undefined;
  /** The event or, for `create`, the input, decoded; undefined when the message could not be read. */
  readonly payload: unknown;
  /** As `payload`, before an operator changed it; undefined when nobody has. */
  readonly originalPayload: unknown;
  readonly key: string | undefined;
  /** The actor that sent it; undefined for messages of clients. */
  readonly from: string | undefined;
  readonly sentAt: number | undefined;
  /** Every attempt, oldest first; at most the newest 50. */
  readonly attempts: readonly FailedAttempt[];
  /** Where the message was. */
  readonly source: { readonly stream: StreamName; readonly seq: number; readonly subject: string };
  /** The actor as it was when the message died; its context, decoded, only when it was small. */
  readonly state: { readonly revision: number; readonly value?: unknown; readonly context?: unknown } | undefined;
  /** What happened to the letter since it died for the first time, oldest first; at most the newest 50. */
  readonly history: readonly LetterEvent[];
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
  /** Of the record as it is stored. */
  readonly sizeBytes: number;
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
    sizeBytes: record.data.length,
  };
}

/** Finds a letter by its id and reads it from the leader. Errors: `LetterNotFoundError`; `InvalidNameError` for what cannot be an id. */
export async function findLetter(context: ClientContext, letter: string): Promise<StoredLetter> {
  const found = await lookUpLetter(context, letter);
  if (found !== undefined) return found;
  throw new LetterNotFoundError(
    `Cannot find dead letter ${JSON.stringify(letter)}: the space has none with this id. List the letters to see their ids.`,
    { details: { letter } },
  );
}

/**
 * As {@link findLetter}; undefined when there is none.
 *
 * *Details*: a letter whose message went to another actor and died there is stored under both: the newest record is the one that counts.
 */
async function lookUpLetter(context: ClientContext, letter: string): Promise<StoredLetter | undefined> {
  const { log, subjects } = context;
  let newest: string | undefined;
  for await (const { subject } of log.scan("core", subjects.deadLetter(letter), { lastPerSubject: true })) {
    newest = subject;
  }
  if (newest === undefined) return undefined;
  const record = await log.last("core", newest);
  return record === undefined ? undefined : letterOf(context, record);
}

/** What a list says of a letter. */
export function summaryOf({ record }: StoredLetter): DeadLetterSummary {
  const { letter, reason, explanation, envelope, attemptCount, at, firstAt, redrives, status, note } = record;
  return {
    letter,
    to: addressIn(record),
    reason,
    explanation,
    fingerprint: fingerprintIn(record),
    event: eventIn(record),
    message: envelope?.id,
    attemptCount,
    at,
    firstAt: firstAt ?? at,
    redrives,
    status,
    note,
    parks: record.parks === true,
    isEdited: record.original !== undefined,
  };
}

/** The actor that a letter was for. A message that could not be addressed died for a stand-in whose name need not be a valid one. */
export function addressIn({ to }: Pick<LetterRecord, "to">): Address {
  try {
    return parseAddress(to);
  } catch {
    const slash = to.indexOf("/");
    return { type: to.slice(0, Math.max(0, slash)), id: to.slice(slash + 1) };
  }
}

/** Event type, or the kind of the message; undefined where it could not be read. */
export function eventIn({ event, envelope }: Pick<LetterRecord, "event" | "envelope">): string | undefined {
  return event ?? (envelope === undefined ? undefined : (envelope.event?.type ?? envelope.kind));
}

/** The fingerprint of a letter, also of one that an earlier version has written without. */
export function fingerprintIn(record: LetterRecord): string {
  if (record.fingerprint !== undefined) return record.fingerprint;
  const event = eventIn(record);
  return fingerprintOfLetter(event === undefined ? record : { ...record, event });
}

/** The message in a letter: its envelope when it could be read, and else its bytes. */
export type LetterMessage =
  | { readonly envelope: Envelope; readonly raw: undefined }
  | { readonly envelope: undefined; readonly raw: Uint8Array | undefined };

/** Reads the message out of a letter, and out of its body where that is a record of its own. */
export async function messageIn(context: ClientContext, stored: StoredLetter): Promise<LetterMessage> {
  const { record } = stored;
  if (record.envelope !== undefined) return { envelope: record.envelope, raw: undefined };
  const raw =
    record.body === true
      ? (await context.log.last("core", bodySubject(context, stored)))?.data
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
export function bodySubject(context: ClientContext, { partition, address, record }: StoredLetter): string {
  return context.subjects.body(partition, address, record.letter);
}

/** The whole letter. */
export async function fullLetter(context: ClientContext, stored: StoredLetter): Promise<DeadLetter> {
  const { record } = stored;
  const { envelope, raw } = await messageIn(context, stored);
  const { original, state } = record;
  return {
    ...summaryOf(stored),
    ...(envelope === undefined ? {} : { event: envelope.event?.type ?? envelope.kind, message: envelope.id }),
    kind: envelope?.kind,
    payload: envelope === undefined ? undefined : payloadOf(envelope),
    originalPayload: original === undefined ? undefined : payloadOf(original),
    key: envelope?.key,
    from: record.source.stream === "core" ? envelope?.from : undefined,
    sentAt: envelope?.sentAt,
    attempts: record.attempts,
    source: record.source,
    state: state === undefined ? undefined : stateOf(state),
    history: record.history ?? [],
    raw,
  };
}

function stateOf({ revision, value, snapshot }: NonNullable<LetterRecord["state"]>): DeadLetter["state"] {
  return {
    revision,
    ...(value === undefined ? {} : { value }),
    ...(snapshot === undefined ? {} : { context: decoded(snapshot.context) }),
  };
}

function payloadOf(envelope: Envelope): unknown {
  return decoded(envelope.event ?? envelope.input);
}

function decoded(stored: unknown): unknown {
  try {
    return fromStored(stored);
  } catch {
    // Written by others, with tags that mean nothing: shown as it came.
    return stored;
  }
}

/**
 * What operators do with letters, planned: the records that redriving, dropping, editing and releasing write.
 *
 * 1. A letter changes only under a fence on its own record, and what goes into a mailbox goes in the same append: however often it is tried, by however many
 *    operators at once, a letter is redriven once for each time that it died.
 * 2. The message goes back with its id and its key. What its sender was not entitled to say (which actor it is) does not go with it.
 * 3. Whatever is done with the letter that an actor is parked by lets the actor go on: its own message does, or a `release` beside it.
 */
import { type Address, formatAddress, partitionOf } from "../../runtime/core/address.ts";
import { type Envelope, encodeEnvelope, envelopeFormat, isReservedEvent } from "../../runtime/core/envelope.ts";
import {
  CorruptRecordError,
  InvalidEventError,
  isStatewrightError,
  PayloadTooLargeError,
} from "../../runtime/core/errors.ts";
import { encodeRecord, type LetterEvent, type LetterRecord } from "../../runtime/core/records.ts";
import { redrivenMessage } from "../../runtime/core/redriven-message.ts";
import { unaddressedType } from "../../runtime/engine/delivery.ts";
import type { AppendRecord } from "../../runtime/log/log.ts";
import type { ClientContext } from "./context.ts";
import type { LetterChange } from "./letter-changes.ts";
import { bodySubject, type LetterMessage, type StoredLetter } from "./letters.ts";

/** How a letter is redriven. */
export interface RedrivePlan {
  /** The actor that gets the message, where it is not the letter's own. */
  readonly to?: Address | undefined;
  readonly note?: string | undefined;
}

/**
 * Plans to put a letter's message back into its actor's mailbox, or into that of another actor.
 *
 * Errors: `CorruptRecordError` for a message that cannot be read; `InvalidEventError` for one that no actor will ever take, or only its own;
 * `PayloadTooLargeError`.
 */
export function planRedrive(
  context: ClientContext,
  letter: StoredLetter,
  message: LetterMessage,
  { to, note }: RedrivePlan = {},
): LetterChange {
  const { record, address } = letter;
  const attempted = `Cannot redrive dead letter ${record.letter}`;
  const details = { letter: record.letter, reason: record.reason };
  const isMoved = to !== undefined && formatAddress(to) !== record.to;
  if (message.envelope === undefined || (address.type === unaddressedType && !isMoved)) {
    const why =
      message.envelope === undefined ? "its bytes are not a message" : "it has no address that a message can go to";
    throw new CorruptRecordError(
      `${attempted}: ${why} (${record.explanation}) Drop it, and have its sender send it right.`,
      { details },
    );
  }
  const { envelope } = message;
  const isReserved =
    envelope.kind === "event" &&
    envelope.internal === undefined &&
    isReservedEvent(envelope.event?.type ?? /* never taken */ "");
  if (record.reason === "reserved" || isReserved) {
    const what = isReserved ? `event ${JSON.stringify(envelope.event?.type)} is` : "a message of its kind is";
    throw new InvalidEventError(`${attempted}: ${what} reserved for the runtime. Drop the letter.`, { details });
  }
  const mail = redrivenMessage(context.subjects, record, envelope, isMoved ? letter.subject : undefined);
  if (mail === undefined) {
    throw new InvalidEventError(
      `${attempted}: only nodes send messages of the kind "${envelope.kind}", and it did not come from one. Drop the letter.`,
      { details },
    );
  }
  if (isMoved && (mail.internal !== undefined || (mail.kind !== "event" && mail.kind !== "create"))) {
    throw new InvalidEventError(
      `${attempted} to ${formatAddress(to)}: it is the runtime's own (${mail.internal === undefined ? mail.kind : "of a child or a timer"}), and means something to ${record.to} only.`,
      { details },
    );
  }
  const redrives = record.redrives + 1;
  const update = changed(context, record, { status: "redriven", redrives }, "redriven", {
    note,
    ...(isMoved ? { to: formatAddress(to) } : {}),
  });
  const target = isMoved ? to : address;
  const partition = isMoved ? partitionOf(to, context.partitions) : letter.partition;
  const subject = context.subjects.mail(partition, target, `${record.letter}-${redrives}`);
  const records: AppendRecord[] = [
    { subject: letter.subject, data: encodeRecord(update), expectLastSeq: letter.seq },
    { subject, data: encodeEnvelope(mail) },
    ...(isMoved ? releaseBeside(context, letter) : []),
  ];
  checkSize(context, `${attempted}: with what redriving adds it takes`, records, details);
  // A letter that was redriven and died again counts as redriven.
  return changeOf(letter, records, (current) => current.redrives >= redrives);
}

/** Plans to close a letter without its message being applied. */
export function planDrop(context: ClientContext, letter: StoredLetter, note: string | undefined): LetterChange {
  const { record } = letter;
  const what = { status: "dropped" as const, ...(note === undefined ? {} : { note }) };
  const update = changed(context, record, what, "dropped", { note });
  return changeOf(
    letter,
    [
      { subject: letter.subject, data: encodeRecord(update), expectLastSeq: letter.seq },
      ...releaseBeside(context, letter),
    ],
    (current) => current.status === "dropped",
  );
}

/**
 * Plans to replace what a letter's message carries; the first message is kept beside it.
 *
 * Errors: `PayloadTooLargeError` when both do not fit.
 */
export function planEdit(
  context: ClientContext,
  letter: StoredLetter,
  before: Envelope,
  after: Envelope,
  note: string | undefined,
): LetterChange {
  const { record } = letter;
  const attempted = `Cannot edit dead letter ${record.letter}`;
  const message = encodeEnvelope(after);
  // As where letters are made: what is large has a record of its own.
  const isLarge = message.length > Math.min(65_536, context.log.limits.maxRecordBytes / 4);
  const { envelope: _, raw: __, body: ___, ...rest } = record;
  const update = changed(
    context,
    {
      ...rest,
      ...(isLarge ? { body: true } : { envelope: after }),
      original: record.original ?? before,
    },
    {},
    "edited",
    { note },
  );
  const records: AppendRecord[] = [
    { subject: letter.subject, data: encodeRecord(update), expectLastSeq: letter.seq },
    ...(isLarge ? [{ subject: bodySubject(context, letter), data: message }] : []),
  ];
  checkSize(context, `${attempted}: with the message as it came, which is kept, it takes`, records, {
    letter: record.letter,
  });
  const written = JSON.stringify([update.envelope, update.history]);
  return changeOf(letter, records, (current) => JSON.stringify([current.envelope, current.history]) === written);
}

/** Plans to let the actor go on that a letter parks, and to leave the letter dead. */
export function planRelease(context: ClientContext, letter: StoredLetter, note: string | undefined): LetterChange {
  const { parks: _, ...rest } = letter.record;
  const update = changed(context, rest, {}, "released", { note });
  return changeOf(
    letter,
    [
      { subject: letter.subject, data: encodeRecord(update), expectLastSeq: letter.seq },
      ...releaseBeside(context, letter),
    ],
    ({ status, redrives, parks }) => status === "dead" && redrives === rest.redrives && parks !== true,
  );
}

/** A message that lets an actor go on that is parked; by whichever letter, unless one is named. */
export function releaseMessage(context: ClientContext, to: Address, id: string, letter?: string): AppendRecord {
  const envelope: Envelope = {
    format: envelopeFormat,
    kind: "release",
    id,
    sentAt: context.time.now(),
    ...(letter === undefined ? {} : { letter }),
  };
  const subject = context.subjects.mail(partitionOf(to, context.partitions), to, id);
  return { subject, data: encodeEnvelope(envelope) };
}

/** True for an error that says that one letter cannot be redriven, and nothing about others. */
export function isRefusal(error: unknown): error is Error {
  return isStatewrightError(error) && refusals.has(error._tag);
}

const refusals = new Set(["CorruptRecordError", "InvalidEventError", "PayloadTooLargeError"]);

function releaseBeside(context: ClientContext, { record, address }: StoredLetter): AppendRecord[] {
  if (record.parks !== true) return [];
  return [releaseMessage(context, address, `release-${record.letter}-${record.redrives}`, record.letter)];
}

function changed(
  context: ClientContext,
  record: LetterRecord,
  what: Partial<LetterRecord>,
  event: LetterEvent["what"],
  { note, to }: { readonly note?: string | undefined; readonly to?: string },
): LetterRecord {
  const entry: LetterEvent = {
    what: event,
    at: context.time.now(),
    by: context.sender,
    ...(note === undefined ? {} : { note }),
    ...(to === undefined ? {} : { to }),
  };
  return { ...record, ...what, history: [...(record.history ?? []), entry].slice(-50) };
}

function checkSize(
  context: ClientContext,
  what: string,
  records: readonly AppendRecord[],
  details: Readonly<Record<string, unknown>>,
): void {
  const { maxRecordBytes } = context.log.limits;
  for (const { data } of records) {
    if (data.length <= maxRecordBytes) continue;
    throw new PayloadTooLargeError(`${what} ${data.length} bytes, the log accepts ${maxRecordBytes}.`, {
      details: { ...details, sizeBytes: data.length, limitBytes: maxRecordBytes },
    });
  }
}

function changeOf(
  letter: StoredLetter,
  records: readonly AppendRecord[],
  isMade: LetterChange["isMade"],
): LetterChange {
  let sizeBytes = 0;
  for (const { subject, data } of records) sizeBytes += subject.length + data.length;
  return { letter, records, sizeBytes, isMade };
}

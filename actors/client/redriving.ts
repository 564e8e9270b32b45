/**
 * Redriving and dropping: how letters are closed.
 *
 * 1. A letter changes only under a fence on its own record, and its message goes back into a mailbox in the same append: however often it is
 *    tried, by however many operators at once, a letter is redriven once for each time that it died.
 * 2. The message goes back with its id and its key. What its sender was not entitled to say (which actor it is) does not go with it.
 */
import { formatAddress } from "../../runtime/core/address.ts";
import { type Envelope, encodeEnvelope, envelopeFormat, isReservedEvent } from "../../runtime/core/envelope.ts";
import {
  CorruptRecordError,
  InvalidEventError,
  isStatewrightError,
  LogUnavailableError,
  PayloadTooLargeError,
  StorageFullError,
} from "../../runtime/core/errors.ts";
import { encodeRecord, type LetterRecord } from "../../runtime/core/records.ts";
import { sleep } from "../../runtime/core/time.ts";
import { unaddressedType } from "../../runtime/engine/delivery.ts";
import type { AppendRecord } from "../../runtime/log/log.ts";
import { backoffMs, type ClientContext, readPatiently, stoppedError } from "./context.ts";
import { type LetterMessage, letterOf, type StoredLetter } from "./letters.ts";

/** A change to a letter, ready to be stored. */
export interface LetterChange {
  readonly letter: StoredLetter;
  readonly status: "redriven" | "dropped";
  /** `redrives` of the letter after the change. */
  readonly redrives: number;
  /** The letter's record first. */
  readonly records: readonly AppendRecord[];
  readonly sizeBytes: number;
}

/** What became of a change. `made`: by this call. `already`: somebody else had made the same. `closed`: somebody else had closed the letter otherwise. */
export type ChangeOutcome = "made" | "already" | "closed";

/**
 * Plans to put a letter's message back into its actor's mailbox.
 *
 * Errors: `CorruptRecordError` for a message that cannot be read; `InvalidEventError` for a reserved event, which no actor will ever take;
 * `PayloadTooLargeError`.
 */
export function planRedrive(context: ClientContext, letter: StoredLetter, message: LetterMessage): LetterChange {
  const { record, partition, address } = letter;
  const attempted = `Cannot redrive dead letter ${record.letter}`;
  const details = { letter: record.letter, reason: record.reason };
  if (message.envelope === undefined || address.type === unaddressedType) {
    const why =
      address.type === unaddressedType ? "it has no address that a message can go to" : "its bytes are not a message";
    throw new CorruptRecordError(
      `${attempted}: ${why} (${record.explanation}) Drop it, and have its sender send it right.`,
      { details },
    );
  }
  const { envelope } = message;
  if (record.reason === "reserved" || (envelope.event !== undefined && isReservedEvent(envelope.event.type))) {
    throw new InvalidEventError(
      `${attempted}: event ${JSON.stringify(envelope.event?.type)} is reserved for the runtime. Drop the letter.`,
      { details },
    );
  }
  const redrives = record.redrives + 1;
  const update: LetterRecord = { ...record, status: "redriven", redrives };
  const mail: Envelope = {
    format: envelopeFormat,
    kind: envelope.kind,
    id: envelope.id,
    ...(envelope.kind === "create"
      ? { input: envelope.input }
      : { event: envelope.event as NonNullable<Envelope["event"]> }),
    ...(envelope.key === undefined ? {} : { key: envelope.key }),
    // In INGRESS anyone can write anything here; in CORE it is believed.
    ...(envelope.from === undefined || record.source.stream === "ingress" ? {} : { from: envelope.from }),
    sentAt: envelope.sentAt,
    ...(envelope.traceparent === undefined ? {} : { traceparent: envelope.traceparent }),
    redrive: { letter: record.letter, attempts: record.attemptCount, redrives },
  };
  const records: AppendRecord[] = [
    { subject: letter.subject, data: encodeRecord(update), expectLastSeq: letter.seq },
    { subject: context.subjects.mail(partition, address, `${record.letter}-${redrives}`), data: encodeEnvelope(mail) },
  ];
  for (const { data } of records) {
    const { maxRecordBytes } = context.log.limits;
    if (data.length <= maxRecordBytes) continue;
    throw new PayloadTooLargeError(
      `${attempted}: with what redriving adds it takes ${data.length} bytes, the log accepts ${maxRecordBytes}.`,
      { details: { ...details, sizeBytes: data.length, limitBytes: maxRecordBytes } },
    );
  }
  return changeOf(letter, "redriven", redrives, records);
}

/** Plans to close a letter without its message being applied. */
export function planDrop(letter: StoredLetter, note: string | undefined): LetterChange {
  const { record } = letter;
  const update = { ...record, status: "dropped" as const, ...(note === undefined ? {} : { note }) };
  return changeOf(letter, "dropped", record.redrives, [
    { subject: letter.subject, data: encodeRecord(update), expectLastSeq: letter.seq },
  ]);
}

function changeOf(
  letter: StoredLetter,
  status: LetterChange["status"],
  redrives: number,
  records: readonly AppendRecord[],
): LetterChange {
  const sizeBytes = records.reduce((sum, { subject, data }) => sum + subject.length + data.length, 0);
  return { letter, status, redrives, records, sizeBytes };
}

/**
 * Stores changes, all that still can be made in one append; resolves with what became of each.
 *
 * Errors: `LogUnavailableError` and `StorageFullError` after `timeoutMs`. Whatever they say, the same call again does nothing twice.
 */
export async function storeChanges(
  context: ClientContext,
  changes: readonly LetterChange[],
  timeoutMs: number,
): Promise<ChangeOutcome[]> {
  const { log, time, random } = context;
  const outcomes = changes.map((): ChangeOutcome => "made");
  const deadlineMs = time.elapsed() + timeoutMs;
  let open = changes.map((change, index) => ({ change, index }));
  let wasUnknown = false;
  for (let attempt = 1; open.length > 0; attempt++) {
    if (context.isStopped) throw stoppedError("change dead letters");
    const result = await log.append(
      "core",
      open.flatMap(({ change }) => change.records),
    );
    if (result._tag === "Appended") break;
    if (result._tag === "TryAgain") wasUnknown ||= result.mayBeStored;
    if (result._tag === "Conflict") {
      const subjects = open.map(({ change }) => change.letter.subject);
      const found = await readPatiently(
        context,
        () => log.lastMany("core", subjects),
        () => time.elapsed() < deadlineMs,
      );
      if (found !== undefined) {
        const before = open.length;
        open = open.filter(({ change, index }, at) => {
          const record = found[at];
          if (record?.seq === change.letter.seq) return true;
          outcomes[index] = outcomeIn(record === undefined ? undefined : letterOf(context, record), change, wasUnknown);
          return false;
        });
        if (open.length < before) continue;
      }
    }
    if (time.elapsed() >= deadlineMs) {
      const what =
        changes.length === 1 ? `dead letter ${changes[0]?.letter.record.letter}` : `${open.length} dead letters`;
      const text = `Cannot change ${what} within ${timeoutMs} ms: ${result.reason}. ${
        wasUnknown ? "Whether it was done is not known; trying again does nothing twice." : "Nothing was changed."
      }`;
      throw result._tag === "Full" ? new StorageFullError(text) : new LogUnavailableError(text);
    }
    await sleep(time, backoffMs(attempt, random));
  }
  return outcomes;
}

/** The letter has changed since it was read: by an earlier try of ours, or by somebody else. */
function outcomeIn(current: StoredLetter | undefined, change: LetterChange, wasUnknown: boolean): ChangeOutcome {
  if (current === undefined) return "closed";
  const { status, redrives } = current.record;
  // A letter that was redriven and died again counts as redriven.
  const isSame = change.status === "dropped" ? status === "dropped" : redrives >= change.redrives;
  if (!isSame) return "closed";
  return wasUnknown ? "made" : "already";
}

/** True for an error that says that one letter cannot be redriven, and nothing about others. */
export function isRefusal(error: unknown): error is Error {
  return isStatewrightError(error) && refusals.has(error._tag);
}

const refusals = new Set(["CorruptRecordError", "InvalidEventError", "PayloadTooLargeError"]);

/** Names the actor of a letter, for grouping. */
export function actorOf({ address, partition }: StoredLetter): string {
  return `${partition}:${formatAddress(address)}`;
}

/** The verdict on a message that has ended one process after the other. */
import { type Address, formatAddress } from "../core/address.ts";
import { decodeEnvelope, type Envelope } from "../core/envelope.ts";
import { ProcessCrashError } from "../core/errors.ts";
import {
  decodeRecord,
  type FailedAttempt,
  type KeyRecord,
  type LetterRecord,
  type OwnerEnd,
  toStoredError,
  type WaitingRecord,
} from "../core/records.ts";
import type { StreamName } from "../core/subjects.ts";
import type { LogRecord } from "../log/log.ts";
import type { NodeContext } from "./context.ts";
import type { Delivery } from "./delivery.ts";
import { numberIn } from "./waiting.ts";

/**
 * Gives a delivery the verdict `crashed`, with one attempt for each owner that ended, and what the log has of its key and of its earlier letter.
 *
 * Details: its machine is not asked, so the verdict holds whatever the actor's state is.
 */
export async function condemn(
  context: NodeContext,
  partition: number,
  delivery: Delivery,
  ends: readonly OwnerEnd[],
): Promise<void> {
  const { log, subjects } = context;
  const { envelope, stream } = await messageOf(context, partition, delivery);
  const redrive = stream === "core" ? envelope?.redrive : undefined;
  const home = redrive?.home !== undefined && subjects.isDeadLetter(redrive.home) ? redrive.home : undefined;
  const letter = redrive === undefined ? undefined : (home ?? subjects.dead(partition, delivery.to, redrive.letter));
  const key = envelope?.key;
  const [keyRecord, letterRecord] = await Promise.all([
    key === undefined ? undefined : log.last("core", subjects.key(partition, delivery.to, key)),
    letter === undefined ? undefined : log.last("core", letter),
  ]);
  if (keyRecord !== undefined) delivery.duplicateOf = decodeRecord<KeyRecord>("a key record", keyRecord.data);
  let earlier: LetterRecord | undefined;
  try {
    if (letterRecord !== undefined) earlier = decodeRecord<LetterRecord>("a dead letter", letterRecord.data);
  } catch {
    earlier = undefined;
  }
  const crashes = ends.map((end) => attemptOf(end, delivery.to));
  delivery.attempts = [...delivery.attempts, ...crashes];
  delivery.attemptCount += crashes.length;
  delivery.verdict = { reason: "crashed", explanation: explanationOf(ends, envelope), earlier, on: undefined };
}

/** The message that the delivery is, or wakes; without envelope when it cannot be read, and for a timer of a machine. */
async function messageOf(
  { log, subjects }: NodeContext,
  partition: number,
  { timer, waiting, stream, data, to }: Delivery,
): Promise<{ readonly envelope: Envelope | undefined; readonly stream: StreamName }> {
  if (timer === undefined) return { envelope: decoded(data), stream };
  if (waiting !== undefined || !timer.startsWith("r")) return { envelope: undefined, stream };
  const n = numberIn(timer);
  const [found, body] = await log.lastMany("core", [
    subjects.wait(partition, to, n),
    subjects.waitBody(partition, to, n),
  ]);
  const record = found === undefined ? undefined : readWaiting(found);
  if (record === undefined) return { envelope: undefined, stream };
  const envelope = record.body === true && body !== undefined ? decoded(body.data) : record.envelope;
  return { envelope, stream: record.source.stream };
}

function readWaiting(found: LogRecord): WaitingRecord | undefined {
  try {
    return decodeRecord<WaitingRecord>("a waiting message", found.data);
  } catch {
    return undefined;
  }
}

function decoded(data: Uint8Array): Envelope | undefined {
  try {
    return decodeEnvelope(data);
  } catch {
    return undefined;
  }
}

function attemptOf({ owner, at }: OwnerEnd, to: Address): FailedAttempt {
  const node = nodeOf(owner);
  const error = new ProcessCrashError(
    `The process of node "${node}" came to its end while it handled the message for ${formatAddress(to)}.`,
  );
  // Where the error was made says nothing about the process that ended.
  delete error.stack;
  return { at, node, error: toStoredError(error) };
}

function explanationOf(ends: readonly OwnerEnd[], envelope: Envelope | undefined): string {
  const first = ends[0] as OwnerEnd;
  const nodes = [...new Set(ends.map(({ owner }) => nodeOf(owner)))].join(", ");
  const event = envelope === undefined ? "" : ` It was ${JSON.stringify(envelope.event?.type ?? envelope.kind)}.`;
  return `${ends.length === 1 ? "1 process" : `${ends.length} processes`} (${nodes}) came to an end while handling the message, since ${new Date(first.at).toISOString()}; the last time it was tried alone.${event} Find out what ends the process before it is redriven: out of memory, an endless loop, or a call that exits.`;
}

/** The node's name in an owner's. */
function nodeOf(owner: string): string {
  const end = owner.lastIndexOf(":");
  return end < 0 ? owner : owner.slice(0, end);
}

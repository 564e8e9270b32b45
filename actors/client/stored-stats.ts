/**
 * What the log itself says of a space, with or without a node: signs of life, owners, how far partitions have come, letters, sizes.
 *
 * Records that this version cannot read are left out: whoever looks at a space in trouble wants to see the rest.
 */
import {
  type CheckpointRecord,
  type Cursor,
  type DeadReason,
  decodeRecord,
  type LeaseRecord,
  type LetterRecord,
  type NodeRecord,
} from "../../runtime/core/records.ts";
import type { StreamName } from "../../runtime/core/subjects.ts";
import type { LogRecord, StreamState } from "../../runtime/log/log.ts";
import type { ClientContext } from "./context.ts";

/** A node's newest sign of life. */
export interface StoredNode {
  readonly record: NodeRecord;
  readonly seq: number;
  /** When the log stored it, milliseconds since 1970. */
  readonly atMs: number;
}

/** What the log says of a partition. */
export interface StoredPartition {
  readonly partition: number;
  /** Name and start token of the owner; empty: nobody's. */
  readonly owner: string;
  /** Everything up to these sequences is handled. */
  readonly cursor: Cursor;
}

/** How many letters there are. */
export interface LetterCounts {
  /** Letters that nobody has closed. */
  readonly dead: number;
  /** Letters that were redriven, dropped or expired and are still kept. */
  readonly closed: number;
  /** Dead letters whose actors take no message until they are redriven, dropped or released. */
  readonly parking: number;
  /** When the oldest dead letter died, milliseconds since 1970; undefined when there is none. */
  readonly oldestAt: number | undefined;
  /** Dead letters by the type of their actor. */
  readonly byType: Readonly<Record<string, number>>;
  /** Dead letters by their reason. */
  readonly byReason: Readonly<Partial<Record<DeadReason, number>>>;
  /** Who has counted: the owners of all partitions, within the last 10 seconds, or the log, which was read now. */
  readonly source: "owners" | "log";
  /** False: the log has so many that only the oldest {@link maxRead} were looked at. */
  readonly isComplete: boolean;
}

/** More records of one kind are not read for a look at the space. */
const maxRead = 10_000;

/** Reads the newest sign of life of every node, by name. */
export async function readNodes({ log, subjects }: ClientContext): Promise<Map<string, StoredNode>> {
  const nodes = new Map<string, StoredNode>();
  for await (const found of log.scan("core", subjects.nodes(), { lastPerSubject: true })) {
    const record = readable<NodeRecord>("a node record", found);
    if (record !== undefined) nodes.set(record.node, { record, seq: found.seq, atMs: found.timeMs });
  }
  return nodes;
}

/** Reads the lease and the checkpoint of every partition. */
export async function readPartitions({ log, subjects, partitions }: ClientContext): Promise<StoredPartition[]> {
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  const records = await log.lastMany("core", [
    ...all.map((partition) => subjects.lease(partition)),
    ...all.map((partition) => subjects.checkpoint(partition)),
  ]);
  return all.map((partition) => ({
    partition,
    owner: readable<LeaseRecord>("a lease", records[partition])?.owner ?? "",
    cursor: readable<CheckpointRecord>("a checkpoint", records[partitions + partition])?.cursor ?? {
      ingress: 0,
      core: 0,
    },
  }));
}

/** Reads the letters, oldest first, as far as {@link maxRead} goes. */
export async function readLetters({ log, subjects }: ClientContext): Promise<LetterCounts> {
  let [dead, closed, parking, read] = [0, 0, 0, 0];
  let oldestAt: number | undefined;
  const byType: Record<string, number> = {};
  const byReason: Partial<Record<DeadReason, number>> = {};
  for await (const found of log.scan("core", subjects.deadLetters(), { lastPerSubject: true, limit: maxRead })) {
    read++;
    const letter = readable<LetterRecord>("a dead letter", found);
    if (letter === undefined) continue;
    if (letter.status !== "dead") {
      closed++;
      continue;
    }
    dead++;
    if (letter.parks === true) parking++;
    oldestAt = Math.min(oldestAt ?? letter.at, letter.at);
    const type = letter.to.slice(0, Math.max(0, letter.to.indexOf("/")));
    byType[type] = (byType[type] ?? 0) + 1;
    byReason[letter.reason] = (byReason[letter.reason] ?? 0) + 1;
  }
  return { dead, closed, parking, oldestAt, byType, byReason, source: "log", isComplete: read < maxRead };
}

/** Counts the messages that wait outside the mailboxes of their actors, as far as {@link maxRead} goes. */
export async function countWaiting({ log, subjects }: ClientContext): Promise<number> {
  // Each may have been written several times: all of that is counted by the log, so only nothing can be taken from it.
  if ((await log.count("core", subjects.waits())) === 0) return 0;
  let count = 0;
  for await (const _ of log.scan("core", subjects.waits(), { lastPerSubject: true, limit: maxRead })) count++;
  return count;
}

/** Reads what the two streams hold. */
export async function readStreams({ log }: ClientContext): Promise<Record<StreamName, StreamState>> {
  const [ingress, core] = await Promise.all([log.state("ingress"), log.state("core")]);
  return { ingress, core };
}

/** What of a mailbox lies from a sequence on: how many messages, and when the first of them was stored. */
export async function readMailbox(
  { log, subjects }: ClientContext,
  partition: number,
  stream: StreamName,
  fromSeq: number,
): Promise<{ readonly count: number; readonly oldestAt: number | undefined }> {
  const filter = stream === "ingress" ? subjects.ingressOfPartition(partition) : subjects.mailOfPartition(partition);
  const count = await log.count(stream, filter, fromSeq);
  if (count === 0) return { count, oldestAt: undefined };
  return { count, oldestAt: (await log.next(stream, filter, fromSeq))?.timeMs };
}

function readable<R extends { readonly format: number }>(what: string, found: LogRecord | undefined): R | undefined {
  if (found === undefined) return undefined;
  try {
    return decodeRecord<R>(what, found.data);
  } catch {
    return undefined;
  }
}

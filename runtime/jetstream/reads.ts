/** Reads without a lasting consumer: the newest record of a subject from the leader, and scans of what is stored now. */
import type { Msg } from "@nats-io/transport-node";
import { LogUnavailableError } from "../core/errors.ts";
import type { LogRecord, ReadOptions } from "../log/log.ts";
import { callApi, type StoredMessage, unanswered } from "./api.ts";
import type { Connection } from "./connection.ts";
import type { StreamReader } from "./reader.ts";
import { serverCodes } from "./server-codes.ts";
import { type StreamBinding, verifyStream } from "./stream-identity.ts";

/** Questions under way at once in {@link readLastMany}. */
const questionsAtOnce = 64;
/** Records per page of a scan. */
const pageRecords = 256;
const pageBytes = 4 * 1024 * 1024;

/** Options of {@link scanStream}. */
export interface ScanOptions {
  readonly fromSeq?: number;
  readonly limit?: number;
  readonly lastPerSubject?: boolean;
}

/** The newest record on a literal subject, from the stream's leader: never stale, unlike a direct get. */
export function readLast(connection: Connection, stream: string, subject: string): Promise<LogRecord | undefined> {
  const what = `read the newest record on ${subject} from ${stream}`;
  return readOne(connection, what, stream, { last_by_subj: subject });
}

/** The first record from a sequence on that matches a filter, from the stream's leader. */
export function readNext(
  connection: Connection,
  stream: string,
  filter: string,
  fromSeq: number,
): Promise<LogRecord | undefined> {
  const what = `read the first record of ${filter} from sequence ${fromSeq} of ${stream}`;
  return readOne(connection, what, stream, { next_by_subj: filter, seq: fromSeq });
}

async function readOne(
  connection: Connection,
  what: string,
  stream: string,
  question: object,
): Promise<LogRecord | undefined> {
  const answer = await callApi<{ readonly message: StoredMessage }>(
    connection,
    what,
    `STREAM.MSG.GET.${stream}`,
    question,
  );
  if (answer.error !== undefined) {
    if (answer.error.err_code === serverCodes.messageNotFound) return undefined;
    throw new LogUnavailableError(`Cannot ${what}: ${answer.error.description} (${answer.error.err_code}).`, {
      details: { code: answer.error.err_code },
    });
  }
  const { message } = answer.value;
  return {
    subject: message.subject,
    seq: message.seq,
    timeMs: Date.parse(message.time),
    data: message.data === undefined ? new Uint8Array(0) : new Uint8Array(Buffer.from(message.data, "base64")),
  };
}

/** As {@link readLast} for many subjects, a bounded number of questions at once; the result has the order of `subjects`. */
export async function readLastMany(
  connection: Connection,
  stream: string,
  subjects: readonly string[],
): Promise<Array<LogRecord | undefined>> {
  const found = new Array<LogRecord | undefined>(subjects.length);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < subjects.length) {
      const i = next++;
      found[i] = await readLast(connection, stream, subjects[i] as string);
    }
  };
  await Promise.all(Array.from({ length: Math.min(questionsAtOnce, subjects.length) }, work));
  return found;
}

/**
 * The records stored now that match, in ascending sequence.
 *
 * *Details*: pages are direct gets, which a replica may answer. `lastPerSubject` over more subjects than the server answers at once (1024) goes through a reader.
 */
export async function* scanStream(
  connection: Connection,
  binding: StreamBinding,
  filter: string,
  options: ScanOptions,
  openReader: (options: ReadOptions) => StreamReader,
): AsyncGenerator<LogRecord, void, undefined> {
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  if (limit < 1) return;
  const what = `scan ${filter} in ${binding.name}`;
  await connection.whenConnected(what);
  const upToSeq = (await verifyStream(connection, binding)).state.last_seq;
  let fromSeq = Math.max(1, options.fromSeq ?? 1);
  let snapshotSeq: number | undefined;
  let count = 0;
  while (fromSeq <= upToSeq && count < limit) {
    const batch = Math.min(pageRecords, limit - count);
    const question =
      options.lastPerSubject === true
        ? {
            multi_last: [filter],
            seq: fromSeq,
            batch,
            max_bytes: pageBytes,
            ...(snapshotSeq === undefined ? {} : { up_to_seq: snapshotSeq }),
          }
        : { next_by_subj: filter, seq: fromSeq, batch, max_bytes: pageBytes };
    const page = await getPage(connection, what, binding.name, question);
    if (page === "too-many") {
      yield* scanWithReader(filter, fromSeq, limit, openReader);
      return;
    }
    for (const record of page.records) {
      if (record.seq > upToSeq && options.lastPerSubject !== true) return;
      if (record.seq < fromSeq) continue;
      yield record;
      count += 1;
      fromSeq = record.seq + 1;
      if (count >= limit) return;
    }
    if (page.records.length === 0 || page.pending === 0) return;
    snapshotSeq ??= page.upToSeq;
  }
}

/**
 * How many records match from a sequence on.
 *
 * *Details*: a page of one record says how many there are behind it, so nothing but that record is read and no consumer is made.
 */
export async function countStream(
  connection: Connection,
  binding: StreamBinding,
  filter: string,
  fromSeq: number,
): Promise<number> {
  const what = `count ${filter} in ${binding.name}`;
  await connection.whenConnected(what);
  const question = { next_by_subj: filter, seq: Math.max(1, fromSeq), batch: 1 };
  const page = await getPage(connection, what, binding.name, question);
  if (page === "too-many") throw new LogUnavailableError(`Cannot ${what}: the server does not answer that. Try again.`);
  if (page.records.length > 0) return page.records.length + page.pending;
  // Also a stream that was deleted has nothing that matches.
  await verifyStream(connection, binding);
  return 0;
}

interface Page {
  readonly records: readonly LogRecord[];
  /** Records that match behind this page. */
  readonly pending: number;
  readonly upToSeq: number | undefined;
}

function getPage(connection: Connection, what: string, stream: string, question: object): Promise<Page | "too-many"> {
  const subject = `${connection.apiPrefix}.DIRECT.GET.${stream}`;
  return new Promise((resolve, reject) => {
    const records: LogRecord[] = [];
    const reply = connection.expectAnswers({ subject }, (answer) => {
      if (answer._tag !== "Answer") {
        reject(unanswered(connection, what, answer));
        return true;
      }
      const { message } = answer;
      const code = message.headers?.code ?? 0;
      if (code === 0) {
        records.push(toRecord(message));
        return false;
      }
      if (code === 204)
        resolve({
          records,
          pending: numberIn(message, "Nats-Num-Pending") ?? 0,
          upToSeq: numberIn(message, "Nats-UpTo-Sequence"),
        });
      else if (code === 404) resolve({ records, pending: 0, upToSeq: undefined });
      else if (code === 413) resolve("too-many");
      else
        reject(
          new LogUnavailableError(`Cannot ${what}: ${message.headers?.description} (${code}).`, { details: { code } }),
        );
      return true;
    });
    try {
      connection.publish(subject, new TextEncoder().encode(JSON.stringify(question)), reply);
    } catch (error) {
      connection.forget(reply);
      reject(error);
    }
  });
}

function toRecord(message: Msg): LogRecord {
  return {
    subject: message.headers?.get("Nats-Subject") ?? "",
    seq: numberIn(message, "Nats-Sequence") ?? 0,
    timeMs: Date.parse(message.headers?.get("Nats-Time-Stamp") ?? ""),
    data: message.data.slice(),
  };
}

function numberIn(message: Msg, header: string): number | undefined {
  const text = message.headers?.get(header) ?? "";
  return text === "" ? undefined : Number(text);
}

async function* scanWithReader(
  filter: string,
  fromSeq: number,
  limit: number,
  openReader: (options: ReadOptions) => StreamReader,
): AsyncGenerator<LogRecord, void, undefined> {
  let records: LogRecord[] = [];
  let isOver = false;
  let failure: Error | undefined;
  let wake: () => void = () => {};
  const reader = openReader({
    filters: [filter],
    from: "last-per-subject",
    onRecord(record) {
      if (!isOver && record.seq >= fromSeq) records.push(record);
      if (records.length >= pageRecords) reader.pause();
      wake();
    },
    onCaughtUp() {
      isOver = true;
      wake();
    },
    onError(error) {
      failure = error;
      wake();
    },
  });
  try {
    let count = 0;
    for (;;) {
      const page = records;
      records = [];
      for (const record of page) {
        yield record;
        count += 1;
        if (count >= limit) return;
      }
      if (records.length > 0) continue;
      if (failure !== undefined) throw failure;
      if (isOver) return;
      const more = new Promise<void>((resolve) => {
        wake = resolve;
      });
      reader.resume();
      await more;
    }
  } finally {
    reader.stop();
  }
}

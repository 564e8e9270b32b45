/**
 * Writes records to a stream: one as a plain publish, several as an atomic batch, with raw headers over the core client.
 *
 * 1. All messages of a batch leave in one go, so batches never interleave on the wire.
 * 2. The first message of a batch asks for an answer too: when the server refuses it, the commit reports only that the
 *    batch is incomplete, and the first answer has the real reason.
 * 3. An explicit refusal is never reported as possibly stored; a missing answer always is.
 *
 * *Source*: ADR-50 of the NATS architecture documents. The library's batch helper drops expectations and hides the error.
 */
import { type Msg, nuid } from "@nats-io/transport-node";
import { PayloadTooLargeError } from "../core/errors.ts";
import { headerLines, type RecordHeaders } from "../log/headers.ts";
import type { AppendRecord, AppendResult, LogLimits } from "../log/log.ts";
import type { Answer, Connection } from "./connection.ts";
import { AppendDefect, readAnswer, serverCodes, toAppendResult } from "./server-codes.ts";

/** Bytes that the headers of the protocol may add to a record. */
export const headerBytes = 256;

/** The server's confirmation. */
interface PublishAck {
  readonly stream: string;
  readonly seq: number;
  readonly batch?: string;
  readonly count?: number;
}

const startOfHeaders = "NATS/1.0\r\n";
const endOfBatch = Buffer.from("Nats-Batch-Commit: 1\r\n\r\n", "latin1");

/** Appends to one stream. */
export class BatchWriter {
  readonly limits: LogLimits;
  readonly #connection: Connection;
  readonly #stream: string;
  readonly #idPrefix = nuid.next().slice(-10);
  #batches = 0;

  constructor(connection: Connection, stream: string, limits: LogLimits) {
    this.#connection = connection;
    this.#stream = stream;
    this.limits = limits;
  }

  /** See `Log.append`. */
  async append(records: readonly AppendRecord[]): Promise<AppendResult> {
    const what = `append ${records.length === 1 ? `a record on ${records[0]?.subject}` : `${records.length} records`} to ${this.#stream}`;
    const lines = this.#check(records, what);
    if (this.#connection.ended !== undefined) throw this.#connection.ended;
    if (!this.#connection.isConnected) {
      return {
        _tag: "TryAgain",
        mayBeStored: false,
        reason: `Cannot ${what}: there is no connection to ${this.#connection.address}.`,
      };
    }
    return records.length === 1
      ? this.#publish(records[0] as AppendRecord, lines[0] ?? "", what)
      : this.#publishBatch(records, lines, what);
  }

  /** Returns the lines of each record's own headers; where there are none the place is empty. */
  #check(records: readonly AppendRecord[], what: string): ReadonlyArray<string | undefined> {
    const { maxRecordBytes, maxRecordsPerAppend, maxBytesPerAppend } = this.limits;
    if (records.length === 0) throw new TypeError(`Cannot ${what}: an append needs at least one record.`);
    if (records.length > maxRecordsPerAppend) {
      const why = maxRecordsPerAppend === 1 ? " (atomic batches are switched off for this stream)" : "";
      throw new PayloadTooLargeError(
        `Cannot ${what}: at most ${maxRecordsPerAppend} are accepted${why}. Append them in parts.`,
        {
          details: { records: records.length, maxRecordsPerAppend },
        },
      );
    }
    const lines: Array<string | undefined> = [];
    let sizeBytes = 0;
    let written: Set<string> | undefined;
    for (let i = 0; i < records.length; i++) {
      const record = records[i] as AppendRecord;
      let recordBytes = record.data.length;
      if (record.headers !== undefined) {
        const ownLines = linesOf(record.headers, what, record.subject);
        lines[i] = ownLines;
        recordBytes += ownLines.length;
      }
      if (recordBytes > maxRecordBytes) {
        throw new PayloadTooLargeError(
          `Cannot ${what}: the record on ${record.subject} has ${recordBytes} bytes, at most ${maxRecordBytes} are accepted.`,
          { details: { subject: record.subject, sizeBytes: recordBytes, maxRecordBytes } },
        );
      }
      sizeBytes += recordBytes;
      if (records.length === 1) continue;
      written ??= new Set();
      if (record.expectLastSeq !== undefined && written.has(record.subject)) {
        throw new TypeError(
          `Cannot ${what}: the record on ${record.subject} expects sequence ${record.expectLastSeq}, but an earlier record of the same append is on that subject. Put the expectation on the first one.`,
        );
      }
      written.add(record.subject);
    }
    if (sizeBytes > maxBytesPerAppend) {
      throw new PayloadTooLargeError(
        `Cannot ${what}: they have ${sizeBytes} bytes, at most ${maxBytesPerAppend} are accepted.`,
        {
          details: { sizeBytes, maxBytesPerAppend },
        },
      );
    }
    return lines;
  }

  async #publish(record: AppendRecord, ownLines: string, what: string): Promise<AppendResult> {
    const text =
      record.expectLastSeq === undefined
        ? ownLines
        : `Nats-Expected-Last-Subject-Sequence: ${record.expectLastSeq}\r\n${ownLines}`;
    const headers = text === "" ? {} : { headers: Buffer.from(`${startOfHeaders}${text}\r\n`, "latin1") };
    const answer = await this.#connection.request(record.subject, record.data, headers);
    if (answer._tag !== "Answer") return this.#unanswered(answer, what);
    const ack = readAnswer<PublishAck>(answer.message);
    if (ack.error !== undefined) return toAppendResult(ack.error, what);
    return { _tag: "Appended", firstSeq: this.#checkAck(ack, what) };
  }

  #publishBatch(
    records: readonly AppendRecord[],
    lines: ReadonlyArray<string | undefined>,
    what: string,
  ): Promise<AppendResult> {
    this.#batches += 1;
    const batch = `${this.#idPrefix}${this.#batches.toString(36)}`;
    return new Promise((resolve, reject) => {
      const first = records[0] as AppendRecord;
      const last = records[records.length - 1] as AppendRecord;
      let firstRefusal: Msg | undefined;
      const firstReply = this.#connection.expectAnswers({ subject: first.subject }, (answer) => {
        if (answer._tag === "Answer" && answer.message.data.length > 0) firstRefusal = answer.message;
        return true;
      });
      const commitReply = this.#connection.expectAnswers({ subject: last.subject, alsoSentTo: records }, (answer) => {
        this.#connection.forget(firstReply);
        try {
          resolve(this.#readCommit(answer, firstRefusal, batch, records.length, what));
        } catch (error) {
          reject(error);
        }
        return true;
      });
      try {
        this.#send(records, lines, batch, firstReply, commitReply);
      } catch (error) {
        this.#connection.forget(firstReply);
        this.#connection.forget(commitReply);
        reject(error);
      }
    });
  }

  #send(
    records: readonly AppendRecord[],
    lines: ReadonlyArray<string | undefined>,
    batch: string,
    firstReply: string,
    commitReply: string,
  ): void {
    const common = `${startOfHeaders}Nats-Batch-Id: ${batch}\r\nNats-Batch-Sequence: `;
    const end = records.length - 1;
    for (let i = 0; i <= end; i++) {
      const record = records[i] as AppendRecord;
      const expectation =
        record.expectLastSeq === undefined
          ? "\r\n"
          : `\r\nNats-Expected-Last-Subject-Sequence: ${record.expectLastSeq}\r\n`;
      const text = `${common}${i + 1}${expectation}${lines[i] ?? ""}`;
      if (i === end) {
        this.#connection.publish(
          record.subject,
          record.data,
          commitReply,
          Buffer.concat([Buffer.from(text, "latin1"), endOfBatch]),
        );
      } else {
        this.#connection.publish(
          record.subject,
          record.data,
          i === 0 ? firstReply : undefined,
          Buffer.from(`${text}\r\n`, "latin1"),
        );
      }
    }
  }

  #readCommit(answer: Answer, firstRefusal: Msg | undefined, batch: string, count: number, what: string): AppendResult {
    if (answer._tag !== "Answer") return this.#unanswered(answer, what);
    const ack = readAnswer<PublishAck>(answer.message);
    if (ack.error !== undefined) {
      const first = firstRefusal === undefined ? undefined : readAnswer<PublishAck>(firstRefusal).error;
      return toAppendResult(
        ack.error.err_code === serverCodes.batchIncomplete ? (first ?? ack.error) : ack.error,
        what,
      );
    }
    const lastSeq = this.#checkAck(ack, what);
    if (ack.batch !== batch || ack.count !== count) {
      throw new AppendDefect(
        `Cannot ${what}: the server confirmed ${ack.count} records of batch ${ack.batch} instead of ${count} of ${batch}. It does not support atomic batches as it should.`,
        0,
      );
    }
    return { _tag: "Appended", firstSeq: lastSeq - count + 1 };
  }

  #checkAck(ack: Partial<PublishAck>, what: string): number {
    if (ack.stream !== this.#stream || typeof ack.seq !== "number" || ack.seq < 1) {
      throw new AppendDefect(
        `Cannot ${what}: the answer came from stream ${JSON.stringify(ack.stream)} with sequence ${ack.seq}. The subject belongs to ${this.#stream} only.`,
        0,
      );
    }
    return ack.seq;
  }

  #unanswered(answer: Exclude<Answer, { _tag: "Answer" }>, what: string): AppendResult {
    switch (answer._tag) {
      case "Refused":
        throw answer.error;
      case "NoResponders":
        return {
          _tag: "TryAgain",
          mayBeStored: false,
          reason: `Cannot ${what}: no stream takes it now. It was deleted or has no leader.`,
        };
      case "NotSent":
        return {
          _tag: "TryAgain",
          mayBeStored: false,
          reason: `Cannot ${what}: there is no connection to ${this.#connection.address}.`,
        };
      case "Timeout":
        return {
          _tag: "TryAgain",
          mayBeStored: true,
          reason: `Cannot say whether it succeeded to ${what}: no confirmation within ${this.#connection.requestTimeoutMs} ms.`,
        };
      case "Disconnected":
        return {
          _tag: "TryAgain",
          mayBeStored: true,
          reason: `Cannot say whether it succeeded to ${what}: the connection was lost before the confirmation.`,
        };
    }
  }
}

function linesOf(headers: RecordHeaders, what: string, subject: string): string {
  try {
    return headerLines(headers);
  } catch (cause) {
    throw new TypeError(`Cannot ${what}: of the record on ${subject}, ${(cause as Error).message}.`, { cause });
  }
}

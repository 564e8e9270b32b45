/**
 * The log port: what the engine needs of a broker.
 *
 * 1. `append` is atomic: all records of a call are stored, next to each other and in order, or none is.
 * 2. Expectations are checked against the log as it was before the append, under the same lock as the write.
 * 3. A reader delivers each stored record of its filter once, in ascending sequence, and then waits for new ones.
 * 4. `last`, `lastMany` and `next` see every append confirmed before the call (they read from the leader).
 * 5. Sequences are per stream, start at 1 and are never reused while the stream lives.
 */
import type { StreamName } from "../core/subjects.ts";
import type { RecordHeaders } from "./headers.ts";

/** A record as stored. */
export interface LogRecord {
  readonly subject: string;
  /** Position in its stream. */
  readonly seq: number;
  /** When the log stored it, milliseconds since 1970. */
  readonly timeMs: number;
  readonly data: Uint8Array;
}

/** A record to be stored. */
export interface AppendRecord {
  readonly subject: string;
  readonly data: Uint8Array;
  /**
   * For other clients of the broker, stored beside the data and counted with them: `content-type` and `ce-*`, nothing else. Readers do not get them.
   *
   * A value may be any text: see `headers.ts` for how it is stored.
   */
  readonly headers?: RecordHeaders;
  /**
   * The append is refused unless the last record on `subject` (a literal subject) has this sequence; 0: there is none.
   *
   * Only the first record of an append on a subject may carry one.
   */
  readonly expectLastSeq?: number;
}

/** How an append ended. */
export type AppendResult =
  /** Stored: record `i` of the call has sequence `firstSeq + i`. */
  | { readonly _tag: "Appended"; readonly firstSeq: number }
  /** An expectation was false; nothing was stored. */
  | { readonly _tag: "Conflict"; readonly reason: string }
  /** Not stored now; the same append may succeed later. With `mayBeStored` it is not known whether it was or will be stored. */
  | { readonly _tag: "TryAgain"; readonly mayBeStored: boolean; readonly reason: string }
  /** A storage limit is reached; nothing was stored. */
  | { readonly _tag: "Full"; readonly reason: string };

/** Where a reader starts. */
export type ReadFrom =
  /** The first record with at least this sequence. */
  | { readonly seq: number }
  /** The newest record of every subject that matches, in ascending sequence, then all that follow. */
  | "last-per-subject"
  /** Only records stored after the reader is open. */
  | "new";

/** What a reader reads. */
export interface ReadOptions {
  /** Subjects, NATS wildcards allowed; they must not overlap. */
  readonly filters: readonly string[];
  readonly from: ReadFrom;
  /** Called for each record, in order, one call at a time. It must not throw. */
  readonly onRecord: (record: LogRecord) => void;
  /** Called once, when all that was stored when the reader opened has been delivered. */
  readonly onCaughtUp?: () => void;
  /** Called when the reader cannot go on (stream deleted or recreated, permission lost); nothing is delivered afterwards. */
  readonly onError: (error: Error) => void;
}

/** An open reader. */
export interface LogReader {
  /** Resolves when records can flow; rejects when the reader could not be opened. */
  readonly ready: Promise<void>;
  /** Stops delivery soon; what is already on its way (at most a few hundred records) may still be delivered. */
  pause(): void;
  resume(): void;
  /** No record is delivered after the call. */
  stop(): void;
}

/** What a stream is and holds. */
export interface StreamState {
  /** Differs for a stream that was deleted and created again. */
  readonly identity: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly records: number;
  readonly sizeBytes: number;
  readonly maxSizeBytes: number;
}

/** What a broker accepts. */
export interface LogLimits {
  /** Of data and headers together. */
  readonly maxRecordBytes: number;
  readonly maxRecordsPerAppend: number;
  readonly maxBytesPerAppend: number;
}

/**
 * The log of one space: its two streams and its signals.
 *
 * Appends that one process makes without waiting are stored in the order of the calls, except one that had to be tried again.
 * After `close`, `read`, `signal` and `listen` throw `SystemStoppedError`, and all other calls reject with it.
 */
export interface Log {
  readonly limits: LogLimits;

  /**
   * Stores records atomically. Never rejects for an expected outcome; rejects with a defect when the call itself is wrong
   * (too many records, an expectation after a write to the same subject, a header that is not accepted) and with `SystemStoppedError` after `close`.
   */
  append(stream: StreamName, records: readonly AppendRecord[]): Promise<AppendResult>;

  read(stream: StreamName, options: ReadOptions): LogReader;

  /** The newest record on a literal subject, from the leader. Rejects with `LogUnavailableError`. */
  last(stream: StreamName, subject: string): Promise<LogRecord | undefined>;

  /** As {@link Log.last}, for many subjects at once; the result has the order of `subjects`. */
  lastMany(stream: StreamName, subjects: readonly string[]): Promise<ReadonlyArray<LogRecord | undefined>>;

  /** The first record that matches `filter` with at least the sequence `fromSeq`, from the leader. Rejects with `LogUnavailableError`. */
  next(stream: StreamName, filter: string, fromSeq: number): Promise<LogRecord | undefined>;

  /**
   * The records stored when the call is made that match `filter`, in ascending sequence, from `fromSeq` (default 1), at most `limit`.
   * `lastPerSubject`: only the newest of each subject. Not for commits: it may be served by a replica.
   */
  scan(
    stream: StreamName,
    filter: string,
    options?: { readonly fromSeq?: number; readonly limit?: number; readonly lastPerSubject?: boolean },
  ): AsyncIterable<LogRecord>;

  /**
   * How many records match `filter` from the sequence `fromSeq` on (default 1), all versions of a subject counted. Not for commits: it may be answered by a
   * replica. Costs about as much as reading one record. Rejects with `LogUnavailableError`.
   */
  count(stream: StreamName, filter: string, fromSeq?: number): Promise<number>;

  /** Removes the records that match `filter`, below `beforeSeq` when given; resolves with how many. */
  purge(stream: StreamName, filter: string, beforeSeq?: number): Promise<number>;

  state(stream: StreamName): Promise<StreamState>;

  /** Sends bytes to whoever listens now; nothing is stored, nothing is confirmed. */
  signal(subject: string, data: Uint8Array): void;

  /** Receives signals on a subject (NATS wildcards allowed) until the returned function is called. */
  listen(subject: string, onSignal: (subject: string, data: Uint8Array) => void): () => void;

  /** Resolves when all that was signalled before has left this process, and the broker answers. Rejects with `LogUnavailableError`. */
  flush(): Promise<void>;

  /** Ends readers and listeners and lets go of the broker. */
  close(): Promise<void>;
}

/**
 * The log and the work queue of a space on NATS JetStream: the adapter that real systems run on.
 *
 * What the server does and does not promise, and how each call copes with it, is told where it is done: appends in
 * `batch-writer.ts`, readers in `reader.ts`, streams and their checks in `space.ts`.
 */
import { setTimeout as delay } from "node:timers/promises";
import { InvalidNameError, LogUnavailableError, PayloadTooLargeError, type StatewrightError } from "../core/errors.ts";
import { checkSpace } from "../core/names.ts";
import type { SpaceRecord } from "../core/records.ts";
import { type StreamName, Subjects } from "../core/subjects.ts";
import type {
  AppendRecord,
  AppendResult,
  Log,
  LogLimits,
  LogReader,
  LogRecord,
  ReadOptions,
  StreamState,
} from "../log/log.ts";
import type { WorkQueue } from "../log/work-queue.ts";
import { callApi } from "./api.ts";
import { BatchWriter, headerBytes } from "./batch-writer.ts";
import { type Connection, type ConnectionOptions, openConnection } from "./connection.ts";
import { StreamReader } from "./reader.ts";
import { countStream, readLast, readLastMany, readNext, type ScanOptions, scanStream } from "./reads.ts";
import { checkServer, describeSyncMode, readSyncMode, type SyncMode } from "./server-facts.ts";
import { type OpenSpace, openSpace } from "./space.ts";
import { type StreamBinding, verifyStream } from "./stream-identity.ts";
import { makeWorkQueue } from "./work-queue.ts";

/** Options of {@link openJetStreamLog}. */
export interface JetStreamLogOptions extends ConnectionOptions {
  /** Name of the space: a lower-case letter, then at most 31 lower-case letters, digits or "-". */
  readonly space: string;
  /** How many partitions a new space gets. Default: 16. An existing space with another number is refused. */
  readonly partitions?: number;
  /** How many states of an actor a new space keeps. Default: 16. An existing space with another number is refused. */
  readonly historyDepth?: number;
  /** How many servers of a cluster keep the records of a new space. Default: 1. */
  readonly replicas?: number;
  /** Most bytes of CORE. Default: 4 GiB, or what the server has room for. Raises the limit of an existing space. */
  readonly maxCoreBytes?: number;
  /** Most bytes of INGRESS. Default: a quarter of CORE. Raises the limit of an existing space. */
  readonly maxIngressBytes?: number;
  /** Lets clients append several messages at once to INGRESS. Default: true; false where clients are hostile. */
  readonly atomicIngress?: boolean;
  /** Creates the space when it does not exist. Default: true. */
  readonly createSpace?: boolean;
  /** The caller knows that the server runs with `sync_interval: always`. */
  readonly assumeSyncAlways?: boolean;
  /** Address of the server's HTTP monitoring, to find out whether it flushes every write. */
  readonly monitorUrl?: string;
  /** Receives a line for everything an operator should know and that does not stop the space. Default: silence. */
  readonly warn?: (line: string) => void;
}

/** What {@link openJetStreamLog} opens. */
export interface JetStreamLog {
  readonly log: Log;
  readonly workQueue: WorkQueue;
  readonly space: SpaceRecord;
  /** Limits of appends to INGRESS: one record at a time when atomic batches are off there. `log.limits` are those of CORE. */
  readonly ingressLimits: LogLimits;
  readonly serverVersion: string;
  readonly syncMode: SyncMode;
  /** True while there is a connection. */
  readonly isConnected: () => boolean;
  /** Resolves when the connection is over for good: with the reason when nobody called `close`. */
  readonly closed: Promise<StatewrightError | undefined>;
  /** As `log.close`. */
  close(): Promise<void>;
}

const maxRecordsPerAppend = 1000;
const maxBytesPerAppend = 8 * 1024 * 1024;

/**
 * Connects, opens or makes the space, and checks that it is safe to work on.
 *
 * *Errors*: `LogUnavailableError` when no server answers, `NotAuthorizedError`, `InvalidNameError`, `SpaceConfigError` when the
 * server or the streams are not fit, `SpaceIdentityError` when the streams are not those of the space.
 */
export async function openJetStreamLog(options: JetStreamLogOptions): Promise<JetStreamLog> {
  checkSpace(options.space);
  const connection = await openConnection(options);
  try {
    checkServer(connection);
    const subjects = new Subjects(options.space);
    const opened = await openSpaceSoon(connection, subjects, options);
    const syncMode = options.assumeSyncAlways === true ? "always" : await readSyncMode(options.monitorUrl);
    const warning = describeSyncMode(syncMode);
    if (warning !== undefined) options.warn?.(warning);
    const log = new StreamsLog(connection, opened, options.atomicIngress ?? true, subjects);
    return {
      log,
      workQueue: makeWorkQueue(connection, opened.core),
      space: opened.record,
      ingressLimits: log.limitsOf("ingress"),
      serverVersion: connection.info.version,
      syncMode,
      isConnected: () => connection.isConnected,
      closed: connection.closed,
      close: () => log.close(),
    };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** A server that has just started, or a cluster without a leader, is asked again for a while. */
async function openSpaceSoon(
  connection: Connection,
  subjects: Subjects,
  options: JetStreamLogOptions,
): Promise<OpenSpace> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await openSpace(connection, subjects, options);
    } catch (error) {
      if (!(error instanceof LogUnavailableError) || attempt >= 5) throw error;
      await delay(200 * attempt);
    }
  }
}

/** The log over two streams and one connection. */
class StreamsLog implements Log {
  readonly limits: LogLimits;
  readonly #connection: Connection;
  readonly #bindings: Readonly<Record<StreamName, StreamBinding>>;
  readonly #writers: Readonly<Record<StreamName, BatchWriter>>;
  readonly #all: Readonly<Record<StreamName, string>>;
  readonly #readers = new Set<StreamReader>();
  readonly #silenceCheck: NodeJS.Timeout;

  constructor(connection: Connection, space: OpenSpace, isIngressAtomic: boolean, subjects: Subjects) {
    this.#connection = connection;
    this.#bindings = { core: space.core, ingress: space.ingress };
    this.#all = { core: subjects.all("core"), ingress: subjects.all("ingress") };
    const writerOf = (role: StreamName, recordsPerAppend: number): BatchWriter =>
      new BatchWriter(connection, space[role].name, {
        maxRecordBytes:
          Math.min(connection.info.max_payload, space.maxRecordBytes[role] ?? Number.POSITIVE_INFINITY) - headerBytes,
        maxRecordsPerAppend: recordsPerAppend,
        maxBytesPerAppend,
      });
    this.#writers = {
      core: writerOf("core", maxRecordsPerAppend),
      ingress: writerOf("ingress", isIngressAtomic ? maxRecordsPerAppend : 1),
    };
    this.limits = this.#writers.core.limits;
    connection.listen({
      onDisconnect: () => this.#eachReader((reader) => reader.disconnected()),
      onReconnect: () => this.#eachReader((reader) => reader.reconnected()),
      onRefusedPublish: (subject, error) => this.#eachReader((reader) => reader.refused(subject, error)),
      onClosed: (reason) => {
        clearInterval(this.#silenceCheck);
        this.#eachReader((reader) => reader.closed(reason));
      },
    });
    this.#silenceCheck = setInterval(() => {
      const nowMs = performance.now();
      for (const reader of this.#readers) reader.checkSilence(nowMs);
    }, 500);
    this.#silenceCheck.unref();
  }

  limitsOf(stream: StreamName): LogLimits {
    return this.#writers[stream].limits;
  }

  append(stream: StreamName, records: readonly AppendRecord[]): Promise<AppendResult> {
    return this.#writers[stream].append(records);
  }

  read(stream: StreamName, options: ReadOptions): LogReader {
    return this.#openReader(stream, options);
  }

  async last(stream: StreamName, subject: string): Promise<LogRecord | undefined> {
    return readLast(this.#connection, this.#bindings[stream].name, subject);
  }

  async lastMany(stream: StreamName, subjects: readonly string[]): Promise<ReadonlyArray<LogRecord | undefined>> {
    return readLastMany(this.#connection, this.#bindings[stream].name, subjects);
  }

  async next(stream: StreamName, filter: string, fromSeq: number): Promise<LogRecord | undefined> {
    return readNext(this.#connection, this.#bindings[stream].name, filter, fromSeq);
  }

  scan(stream: StreamName, filter: string, options: ScanOptions = {}): AsyncIterable<LogRecord> {
    return scanStream(this.#connection, this.#bindings[stream], filter, options, (read) =>
      this.#openReader(stream, read),
    );
  }

  async count(stream: StreamName, filter: string, fromSeq = 1): Promise<number> {
    return countStream(this.#connection, this.#bindings[stream], filter, fromSeq);
  }

  async purge(stream: StreamName, filter: string, beforeSeq?: number): Promise<number> {
    const { name } = this.#bindings[stream];
    if (beforeSeq !== undefined && beforeSeq <= 1) return 0;
    const what = `purge ${filter} in ${name}`;
    const answer = await callApi<{ readonly purged: number }>(this.#connection, what, `STREAM.PURGE.${name}`, {
      // Without a filter the server drops whole blocks in place of record after record.
      ...(filter === this.#all[stream] ? {} : { filter }),
      ...(beforeSeq === undefined ? {} : { seq: beforeSeq }),
    });
    if (answer.error === undefined) return answer.value.purged;
    await verifyStream(this.#connection, this.#bindings[stream]);
    throw new LogUnavailableError(`Cannot ${what}: ${answer.error.description} (${answer.error.err_code}).`);
  }

  async state(stream: StreamName): Promise<StreamState> {
    const info = await verifyStream(this.#connection, this.#bindings[stream]);
    return {
      identity: info.created,
      // The server says 0 while nothing was ever stored.
      firstSeq: Math.max(1, info.state.first_seq),
      lastSeq: info.state.last_seq,
      records: info.state.messages,
      sizeBytes: info.state.bytes,
      maxSizeBytes: info.config.max_bytes as number,
    };
  }

  signal(subject: string, data: Uint8Array): void {
    if (this.#connection.ended !== undefined) throw this.#connection.ended;
    const limit = this.#connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
    if (data.length > limit) {
      throw new PayloadTooLargeError(
        `Cannot signal on ${subject}: ${data.length} bytes, the server accepts ${limit}.`,
        {
          details: { subject, sizeBytes: data.length },
        },
      );
    }
    // Signals are not kept: without a connection there is nobody who listens now.
    if (this.#connection.isConnected) this.#connection.publish(subject, data);
  }

  listen(subject: string, onSignal: (subject: string, data: Uint8Array) => void): () => void {
    if (this.#connection.ended !== undefined) throw this.#connection.ended;
    if (subject.length === 0 || /\s/.test(subject)) {
      throw new InvalidNameError(`Cannot listen on ${JSON.stringify(subject)}: it is not a subject.`);
    }
    const subscription = this.#connection.subscribe(
      subject,
      (message) => {
        try {
          onSignal(message.subject, message.data.slice());
        } catch (error) {
          // An exception here would end the connection's own loop; it is a bug of the listener and must be seen.
          queueMicrotask(() => {
            throw error;
          });
        }
      },
      (error) => {
        queueMicrotask(() => {
          throw error;
        });
      },
    );
    return () => subscription.unsubscribe();
  }

  async flush(): Promise<void> {
    await this.#connection.flush();
  }

  async close(): Promise<void> {
    clearInterval(this.#silenceCheck);
    this.#eachReader((reader) => reader.stop());
    await this.#connection.close();
  }

  #openReader(stream: StreamName, options: ReadOptions): StreamReader {
    if (this.#connection.ended !== undefined) throw this.#connection.ended;
    const reader = new StreamReader(
      {
        connection: this.#connection,
        binding: this.#bindings[stream],
        onEnd: (ended) => this.#readers.delete(ended),
      },
      options,
    );
    this.#readers.add(reader);
    return reader;
  }

  #eachReader(run: (reader: StreamReader) => void): void {
    for (const reader of [...this.#readers]) run(reader);
  }
}

/** The log port of one connection to the memory broker. */
import type { StreamName } from "../core/subjects.ts";
import { encodeHeaderValue, headerLines } from "../log/headers.ts";
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
import type { Fault, Faults } from "./faults.ts";
import { MemoryReader, type ReaderRegistry } from "./memory-reader.ts";
import type { MemoryStream, StoredEntry } from "./memory-stream.ts";
import { type Disturbance, type ProcessLink, stopped, unavailable } from "./process-link.ts";
import { isLiteral, type SubjectIndex, splitSubject } from "./subject-index.ts";
import type { Wire } from "./wire.ts";

/** Who listens to signals. */
export interface Listener {
  readonly link: ProcessLink;
  readonly onSignal: (subject: string, data: Uint8Array) => void;
  isOn: boolean;
}

/** What the connections of a broker share. */
export interface SharedLog {
  readonly wire: Wire;
  readonly faults: Faults;
  readonly limits: LogLimits;
  /** The stream as it is now: it may be deleted and made again. */
  stream(name: StreamName): MemoryStream;
  append(name: StreamName, records: readonly AppendRecord[]): AppendResult;
  readonly registries: Readonly<Record<StreamName, ReaderRegistry>>;
  readonly listeners: SubjectIndex<Listener>;
}

const recordsPerPage = 256;

/** The log of one process: it draws the faults and hands the requests to the link. */
export class MemoryLog implements Log {
  readonly #link: ProcessLink;
  readonly #shared: SharedLog;
  readonly #readers = new Set<MemoryReader>();
  readonly #silences = new Set<() => void>();

  constructor(link: ProcessLink, shared: SharedLog) {
    this.#link = link;
    this.#shared = shared;
  }

  get limits(): LogLimits {
    return this.#shared.limits;
  }

  append(stream: StreamName, records: readonly AppendRecord[]): Promise<AppendResult> {
    const link = this.#link;
    if (link.isClosed) return Promise.reject(stopped());
    const defect = defectOf(records, this.limits);
    if (defect !== undefined) return Promise.reject(new RangeError(`Cannot append to ${stream}: ${defect}.`));
    const fault = this.#shared.faults.choose("append", records, { connection: link.name, stream });
    // The caller may use its bytes for something else as soon as the call returns.
    const copies = records.map(copyOf);
    return link.call<AppendResult>(
      {
        label: `append.${stream}`,
        lane: stream,
        apply: (answer) => answer(this.#shared.append(stream, copies)),
        whenLost: () => ({ _tag: "TryAgain", mayBeStored: true, reason: "the broker did not answer in time" }),
        outlivesSender: true,
      },
      fault && this.#disturbAppend(fault, stream),
    );
  }

  read(stream: StreamName, options: ReadOptions): LogReader {
    if (this.#link.isClosed) throw stopped();
    const shared = this.#shared;
    const registry: ReaderRegistry = {
      add: (reader) => shared.registries[stream].add(reader),
      remove: (reader) => {
        this.#readers.delete(reader);
        shared.registries[stream].remove(reader);
      },
    };
    const reader = new MemoryReader(this.#link, shared.stream(stream), options, { ...shared, registry });
    this.#readers.add(reader);
    return reader;
  }

  async last(stream: StreamName, subject: string): Promise<LogRecord | undefined> {
    return (await this.lastMany(stream, [subject]))[0];
  }

  lastMany(stream: StreamName, subjects: readonly string[]): Promise<ReadonlyArray<LogRecord | undefined>> {
    const { wire, faults } = this.#shared;
    const fault = faults.choose("last", subjects, { connection: this.#link.name, stream });
    const whenLost = (): never => {
      throw unavailable(
        `read the last record on ${subjects.length === 1 ? subjects[0] : `${subjects.length} subjects`}`,
      );
    };
    const lastOf = (subject: string) => this.#shared.stream(stream).last(subject);
    return this.#link.call<ReadonlyArray<LogRecord | undefined>>(
      {
        label: "last",
        whenLost,
        apply: (answer) => {
          if (wire.isDirect || subjects.length < 2) return answer(subjects.map(lastOf));
          // Many subjects are not read at one instant: appends may fall in between.
          const isEarly = subjects.map(() => wire.random.chance(0.5));
          const early = subjects.map((subject, i) => (isEarly[i] === true ? lastOf(subject) : undefined));
          wire.post("last.rest", wire.transitMs(), () => {
            answer(subjects.map((subject, i) => (isEarly[i] === true ? early[i] : lastOf(subject))));
          });
        },
      },
      fault && disturbRead(fault, whenLost),
    );
  }

  next(stream: StreamName, filter: string, fromSeq: number): Promise<LogRecord | undefined> {
    const fault = this.#shared.faults.choose("last", [filter], { connection: this.#link.name, stream });
    const whenLost = (): never => {
      throw unavailable(`read the first record of ${filter} from sequence ${fromSeq}`);
    };
    return this.#link.call<LogRecord | undefined>(
      {
        label: "next",
        whenLost,
        apply: (answer) => answer(this.#shared.stream(stream).select(filter, { fromSeq, limit: 1 })[0]?.record),
      },
      fault && disturbRead(fault, whenLost),
    );
  }

  scan(
    stream: StreamName,
    filter: string,
    options: { readonly fromSeq?: number; readonly limit?: number; readonly lastPerSubject?: boolean } = {},
  ): AsyncIterable<LogRecord> {
    const { wire, faults } = this.#shared;
    const fault = faults.choose("scan", filter, { connection: this.#link.name, stream });
    const whenLost = (): never => {
      throw unavailable(`scan ${filter}`);
    };
    const select = (): StoredEntry[] => {
      const log = this.#shared.stream(stream);
      return fault?.kind === "stale"
        ? log.select(filter, { ...options, upToSeq: log.lastSeqAt(wire.time.now() - fault.ms) })
        : log.select(filter, options);
    };
    const selected = this.#link.call<StoredEntry[]>(
      { label: "scan", apply: (answer) => answer(select()), whenLost },
      fault && fault.kind !== "stale" ? disturbRead({ kind: fault.kind, ms: fault.ms }, whenLost) : undefined,
    );
    selected.catch(() => {});
    const nextPage = () => this.#link.call<void>({ label: "scan.page", apply: (answer) => answer(), whenLost });
    return {
      async *[Symbol.asyncIterator]() {
        let position = 0;
        for (const entry of await selected) {
          if (++position % recordsPerPage === 0) await nextPage();
          if (entry.isStored) yield entry.record;
        }
      },
    };
  }

  count(stream: StreamName, filter: string, fromSeq = 1): Promise<number> {
    const fault = this.#shared.faults.choose("scan", filter, { connection: this.#link.name, stream });
    const whenLost = (): never => {
      throw unavailable(`count ${filter}`);
    };
    const count = (): number => {
      const log = this.#shared.stream(stream);
      const upToSeq =
        fault?.kind === "stale" ? log.lastSeqAt(this.#shared.wire.time.now() - fault.ms) : Number.POSITIVE_INFINITY;
      return log.select(filter, { fromSeq, upToSeq }).length;
    };
    return this.#link.call<number>(
      { label: "count", apply: (answer) => answer(count()), whenLost },
      fault && fault.kind !== "stale" ? disturbRead({ kind: fault.kind, ms: fault.ms }, whenLost) : undefined,
    );
  }

  purge(stream: StreamName, filter: string, beforeSeq?: number): Promise<number> {
    const fault = this.#shared.faults.choose("purge", filter, { connection: this.#link.name, stream });
    const whenLost = (): never => {
      throw unavailable(`purge ${filter}`);
    };
    const disturbance = ((): Disturbance<number> | undefined => {
      if (fault === undefined) return undefined;
      return fault.kind === "lost-answer"
        ? { losesAnswer: true }
        : disturbRead({ kind: fault.kind, ms: fault.ms }, whenLost);
    })();
    return this.#link.call<number>(
      {
        label: "purge",
        lane: stream,
        apply: (answer) => answer(this.#shared.stream(stream).purge(filter, beforeSeq)),
        whenLost,
        outlivesSender: true,
      },
      disturbance,
    );
  }

  state(stream: StreamName): Promise<StreamState> {
    return this.#link.call<StreamState>({
      label: "state",
      apply: (answer) => answer(this.#shared.stream(stream).state()),
      whenLost: () => {
        throw unavailable(`read the state of ${stream}`);
      },
    });
  }

  signal(subject: string, data: Uint8Array): void {
    const link = this.#link;
    if (link.isClosed) throw stopped();
    const copy = new Uint8Array(data);
    link.send("signal", "signal", () => {
      if (link.isReachable) this.#spread(subject, copy);
    });
  }

  listen(subject: string, onSignal: (subject: string, data: Uint8Array) => void): () => void {
    if (this.#link.isClosed) throw stopped();
    const { listeners } = this.#shared;
    const listener: Listener = { link: this.#link, onSignal, isOn: true };
    // A client that could not reach the broker subscribes as soon as it can: that is not simulated apart.
    this.#link.send("listen", "signal", () => {
      if (listener.isOn) listeners.add(subject, listener);
    });
    const silence = (): void => {
      listener.isOn = false;
      listeners.remove(subject, listener);
      this.#silences.delete(silence);
    };
    this.#silences.add(silence);
    return silence;
  }

  flush(): Promise<void> {
    return this.#link.call<void>({
      label: "flush",
      lane: "signal",
      apply: (answer) => answer(),
      whenLost: () => {
        throw unavailable("flush");
      },
    });
  }

  async close(): Promise<void> {
    this.detach();
    this.#link.close();
  }

  /** Ends readers and listeners. */
  detach(): void {
    for (const reader of this.#readers) reader.stop();
    for (const silence of this.#silences) silence();
  }

  #spread(subject: string, data: Uint8Array): void {
    const { listeners, faults, wire } = this.#shared;
    listeners.match(splitSubject(subject), (listener) => {
      const { link } = listener;
      if (!link.isReachable) return;
      const fault = faults.choose("signal", subject, { connection: link.name });
      if (fault?.kind === "lost") return;
      const hear = (): void => {
        if (listener.isOn) listener.onSignal(subject, data);
      };
      if (fault?.kind === "delay") link.receive("signal.delivery", wire.transitMs() + fault.ms, hear);
      else link.receiveInLane("signal.delivery", "signal.delivery", hear);
      if (fault?.kind === "duplicated") link.receiveInLane("signal.delivery", "signal.delivery", hear);
    });
  }

  #disturbAppend(fault: Fault<"append">, stream: StreamName): Disturbance<AppendResult> {
    switch (fault.kind) {
      case "lost-request":
        return { losesRequest: true };
      case "lost-answer":
        return { losesAnswer: true };
      case "late":
        return { lateMs: fault.ms };
      case "refused":
        return { instead: () => ({ _tag: "TryAgain", mayBeStored: false, reason: "the broker is busy" }) };
      case "full":
        return { instead: () => ({ _tag: "Full", reason: `the stream ${stream} has no room` }) };
      case "delay":
        return this.#shared.wire.random.chance(0.5) ? { requestDelayMs: fault.ms } : { answerDelayMs: fault.ms };
    }
  }
}

/** The record as it is stored. */
function copyOf(record: AppendRecord): AppendRecord {
  const data = new Uint8Array(record.data);
  if (record.headers === undefined) return { ...record, data };
  const headers = Object.entries(record.headers).map(
    ([name, value]) => [name, encodeHeaderValue(name, value)] as const,
  );
  return { ...record, data, headers: Object.fromEntries(headers) };
}

function disturbRead<A>(
  fault: { readonly kind: "delay" | "unavailable"; readonly ms: number },
  fail: () => A,
): Disturbance<A> {
  return fault.kind === "delay" ? { answerDelayMs: fault.ms } : { instead: fail };
}

/** What is wrong with an append whatever the log holds. */
function defectOf(records: readonly AppendRecord[], limits: LogLimits): string | undefined {
  if (records.length === 0) return "there are no records";
  if (records.length > limits.maxRecordsPerAppend) {
    return `${records.length} records are more than the ${limits.maxRecordsPerAppend} of one append`;
  }
  let sizeBytes = 0;
  const written = new Set<string>();
  for (const { subject, data, headers, expectLastSeq } of records) {
    let recordBytes = data.length;
    try {
      if (headers !== undefined) recordBytes += headerLines(headers).length;
    } catch (error) {
      return `of the record on ${subject}, ${(error as Error).message}`;
    }
    if (recordBytes > limits.maxRecordBytes) {
      return `the record on ${subject} has ${recordBytes} bytes, at most ${limits.maxRecordBytes} are accepted`;
    }
    if (!isLiteral(subject)) return `${subject} is not a literal subject`;
    if (expectLastSeq !== undefined && written.has(subject)) {
      return `an earlier record of the same append writes ${subject}, so nothing can be expected of it`;
    }
    written.add(subject);
    sizeBytes += recordBytes;
  }
  if (sizeBytes > limits.maxBytesPerAppend) {
    return `${sizeBytes} bytes are more than the ${limits.maxBytesPerAppend} of one append`;
  }
  return undefined;
}

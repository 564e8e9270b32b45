/**
 * A broker in memory: the two streams of one space, for unit tests and for simulation.
 *
 * 1. It keeps every promise of the two ports, and with faults it uses all the freedom that they leave.
 * 2. With {@link VirtualTime} the same seed gives the same run.
 * 3. With the machine's own time, and without faults and latency, requests are applied within the call.
 * 4. Each connection is a process of its own, which can die, freeze, or lose the network.
 *
 * @example
 * ```ts
 * import { createMemoryBroker, VirtualTime } from "statewright/testing";
 *
 * const time = new VirtualTime({ seed: 7 });
 * const broker = createMemoryBroker({ time, faults: { append: { late: 0.05 } } });
 * const { log } = broker.connect("node-1");
 * const appended = log.append("core", [{ subject: "sw.test.core.0.state.order.42", data: new Uint8Array(), expectLastSeq: 0 }]);
 * await time.settle();
 * console.log(await appended);
 * ```
 */
import { SpaceIdentityError } from "../core/errors.ts";
import type { StreamName } from "../core/subjects.ts";
import { systemTime, type Time } from "../core/time.ts";
import type { Log, LogLimits } from "../log/log.ts";
import type { WorkQueue, WorkQueueOptions } from "../log/work-queue.ts";
import { type FaultDurations, type FaultPlan, Faults } from "./faults.ts";
import { type Listener, MemoryLog, type SharedLog } from "./memory-log.ts";
import type { MemoryReader, ReaderRegistry } from "./memory-reader.ts";
import { type MemoryRecord, MemoryStream, type StoredEntry } from "./memory-stream.ts";
import { MemoryWorkQueue, SharedQueue } from "./memory-work-queue.ts";
import { Prng } from "./prng.ts";
import { ProcessLink } from "./process-link.ts";
import { matchesFilter, SubjectIndex, splitSubject } from "./subject-index.ts";
import { VirtualTime } from "./virtual-time.ts";
import { type Latency, Wire } from "./wire.ts";

/** Options of {@link createMemoryBroker}; all have defaults. */
export interface MemoryBrokerOptions {
  /** Default: the machine's own. */
  readonly time?: Time;
  /** Decides latencies and faults. Default: drawn from the virtual time; 1 without it. */
  readonly seed?: number;
  /** Default: nothing goes wrong. */
  readonly faults?: FaultPlan;
  readonly faultDurations?: Partial<FaultDurations>;
  /** Of one way between process and broker. Default: 0.1 to 1 ms of virtual time, none without it. */
  readonly latency?: Latency;
  /** After how long a client gives up waiting for an answer. Default: 5,000 ms. */
  readonly timeoutMs?: number;
  /** Default: 1,000,000 bytes for a record, 1,000 records and 8,000,000 bytes for an append. */
  readonly limits?: Partial<LogLimits>;
  /** Most bytes that a stream holds before it is full. Default: no limit. */
  readonly maxSizeBytes?: Partial<Record<StreamName, number>>;
  /** Most records that a subject of CORE keeps. Default: 64. */
  readonly historyDepth?: number;
  /** Keeps every record ever stored, for {@link MemoryBroker.journal}. Default: true. */
  readonly keepJournal?: boolean;
}

/** One simulated process' connection. */
export interface MemoryConnection {
  readonly name: string;
  readonly log: Log;
  readonly workQueue: WorkQueue;
  /** The time to give to what runs in the process: its timers die with it and freeze with it. */
  readonly time: Time;
  /** Kills the process: no call of its settles, nothing of its is called again; appends on their way are stored or not. */
  sever(): void;
  /** Stops the process, as SIGSTOP does: what it sends and what comes for it waits. */
  freeze(): void;
  /** Lets it go on, as SIGCONT does. */
  thaw(): void;
  /** Cuts the network: what is sent either way is lost; its timers go on. */
  cut(): void;
  /** Ends {@link cut}: readers go on where they were. */
  mend(): void;
}

/** A broker in memory. */
export interface MemoryBroker {
  readonly faults: Faults;
  connect(name?: string): MemoryConnection;
  /** Kills the broker and starts it after `downMs`: all answers on their way are lost, and so are some acknowledgements of tasks. */
  restart(downMs?: number): void;
  /** Deletes a stream and creates it again, empty and with another identity: its readers end with `SpaceIdentityError`. */
  recreate(stream: StreamName): void;
  /** What a stream holds now, ascending; `filter` as for readers. */
  records(stream: StreamName, filter?: string): readonly MemoryRecord[];
  /** Every record ever stored in a stream, ascending, whatever was purged since. */
  journal(stream: StreamName, filter?: string): readonly MemoryRecord[];
}

const defaultLimits: LogLimits = {
  maxRecordBytes: 1_000_000,
  maxRecordsPerAppend: 1_000,
  maxBytesPerAppend: 8_000_000,
};
const streamNames: readonly StreamName[] = ["core", "ingress"];

/** Creates a broker with two empty streams. */
export function createMemoryBroker(options: MemoryBrokerOptions = {}): MemoryBroker {
  return new InMemoryBroker(options);
}

class InMemoryBroker implements MemoryBroker, SharedLog {
  readonly faults: Faults;
  readonly wire: Wire;
  readonly limits: LogLimits;
  readonly listeners = new SubjectIndex<Listener>();
  readonly registries: Readonly<Record<StreamName, ReaderRegistry>>;
  readonly #options: MemoryBrokerOptions;
  readonly #random: Prng;
  readonly #streams: Record<StreamName, MemoryStream>;
  readonly #readers: Record<StreamName, Set<MemoryReader>> = { core: new Set(), ingress: new Set() };
  readonly #readerIndex: Record<StreamName, SubjectIndex<MemoryReader>> = {
    core: new SubjectIndex(),
    ingress: new SubjectIndex(),
  };
  readonly #queues = new Map<string, SharedQueue>();
  #queueIndex = new SubjectIndex<SharedQueue>();
  #connections = 0;

  constructor(options: MemoryBrokerOptions) {
    this.#options = options;
    const { time = systemTime, seed } = options;
    if (seed !== undefined || !(time instanceof VirtualTime)) this.#random = new Prng(seed ?? 1);
    else this.#random = time.random.fork("broker");
    this.faults = new Faults(this.#random.fork("faults"), time, options.faults, options.faultDurations);
    this.wire = new Wire(time, this.#random.fork("wire"), options.timeoutMs ?? 5_000, options.latency);
    this.limits = { ...defaultLimits, ...options.limits };
    this.#streams = { core: this.#makeStream("core"), ingress: this.#makeStream("ingress") };
    this.registries = { core: this.#makeRegistry("core"), ingress: this.#makeRegistry("ingress") };
  }

  connect(name = `process-${this.#connections + 1}`): MemoryConnection {
    this.#connections++;
    const link = new ProcessLink(name, this.wire, () => this.#wakeReaders());
    const log = new MemoryLog(link, this);
    return {
      name,
      log,
      workQueue: new MemoryWorkQueue(link, {
        wire: this.wire,
        faults: this.faults,
        queues: { open: (each) => this.#openQueue(each) },
      }),
      time: link.time,
      sever: () => {
        this.faults.count("process.sever");
        link.sever();
        log.detach();
      },
      freeze: () => {
        this.faults.count("process.freeze");
        link.freeze();
      },
      thaw: () => link.thaw(),
      cut: () => {
        this.faults.count("process.cut");
        link.cut();
      },
      mend: () => link.mend(),
    };
  }

  restart(downMs = 0): void {
    this.faults.count("broker.restart");
    this.wire.epoch++;
    this.wire.isDown = true;
    const { epoch } = this.wire;
    this.wire.post("broker.up", downMs, () => {
      if (this.wire.epoch !== epoch) return;
      this.wire.isDown = false;
      for (const queue of this.#queues.values()) queue.forgetAcks();
      this.#wakeReaders();
    });
  }

  recreate(stream: StreamName): void {
    this.faults.count("broker.recreate");
    const error = new SpaceIdentityError(`Cannot go on reading ${stream}: the stream was deleted and created again.`, {
      details: { stream },
    });
    this.#streams[stream] = this.#makeStream(stream);
    for (const reader of this.#readers[stream]) reader.fail(error);
    if (stream === "core") {
      this.#queues.clear();
      this.#queueIndex = new SubjectIndex();
    }
  }

  records(stream: StreamName, filter = ">"): readonly MemoryRecord[] {
    return this.#streams[stream].select(filter).map((entry) => entry.record);
  }

  journal(stream: StreamName, filter?: string): readonly MemoryRecord[] {
    const { journal } = this.#streams[stream];
    if (filter === undefined) return journal;
    const tokens = splitSubject(filter);
    return journal.filter((record) => matchesFilter(tokens, splitSubject(record.subject)));
  }

  stream(name: StreamName): MemoryStream {
    return this.#streams[name];
  }

  append: SharedLog["append"] = (name, records) =>
    this.#streams[name].append(records, this.wire.time.now(), (entries) => this.#announce(name, entries));

  #announce(stream: StreamName, entries: readonly StoredEntry[]): void {
    for (const entry of entries) {
      const { tokens } = entry.subject;
      this.#readerIndex[stream].match(tokens, (reader) => reader.offer(entry));
      if (stream === "core" && this.#queues.size > 0) this.#queueIndex.match(tokens, (queue) => queue.offer(entry));
    }
    if (stream === "core") for (const queue of this.#queues.values()) queue.serve();
  }

  #openQueue(options: WorkQueueOptions): SharedQueue {
    const existing = this.#queues.get(options.name);
    if (existing !== undefined) {
      existing.configure(options);
      return existing;
    }
    const queue = new SharedQueue(this.wire, options, this.#streams.core.select(options.filter));
    this.#queues.set(options.name, queue);
    this.#queueIndex.add(options.filter, queue);
    return queue;
  }

  #wakeReaders(): void {
    for (const name of streamNames) for (const reader of this.#readers[name]) reader.pump();
  }

  #makeStream(name: StreamName): MemoryStream {
    const { historyDepth = 64, maxSizeBytes, keepJournal = true } = this.#options;
    return new MemoryStream({
      name,
      identity: `memory-${name}-${this.#random.uint32().toString(16)}`,
      historyDepth: name === "core" ? historyDepth : Number.POSITIVE_INFINITY,
      maxSizeBytes: maxSizeBytes?.[name] ?? Number.POSITIVE_INFINITY,
      keepsJournal: keepJournal,
    });
  }

  #makeRegistry(name: StreamName): ReaderRegistry {
    return {
      add: (reader) => {
        this.#readers[name].add(reader);
        for (const filter of reader.filters) this.#readerIndex[name].add(filter, reader);
      },
      remove: (reader) => {
        if (!this.#readers[name].delete(reader)) return;
        for (const filter of reader.filters) this.#readerIndex[name].remove(filter, reader);
      },
    };
  }
}

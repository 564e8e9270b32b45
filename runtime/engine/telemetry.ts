/** What a node counts and tells about itself. */
import type { DeadReason } from "../core/records.ts";

/** Something worth a line in a log. */
export interface NodeEvent {
  readonly level: "debug" | "info" | "warn" | "error";
  /** Stable name, such as `partition.opened`. */
  readonly name: string;
  readonly message: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** Counters of one node since it started; a snapshot is plain data. */
export interface NodeCounters {
  /** Messages whose transition was committed. */
  applied: number;
  /** Messages for which the machine had no transition. */
  ignored: number;
  /** Messages read again after they had been applied, recognised by the cursor. */
  redelivered: number;
  /** Messages with an idempotency key that was applied before. */
  duplicates: number;
  /** Results and messages of work that had been superseded, such as an activity of a state that was left. */
  stale: number;
  /** Failed attempts that were followed by another one. */
  retries: number;
  /** Messages put in line since their actor took nothing: it is parked, or waits for another attempt. */
  waiting: number;
  /** Messages moved to the dead letters. */
  deadLetters: number;
  deadLettersByReason: Partial<Record<DeadReason, number>>;
  /** Commits confirmed by the log. */
  commits: number;
  /** Records in those commits. */
  records: number;
  /** Actors whose commit was refused because another writer had committed. */
  conflicts: number;
  /** Commits that had to be tried again unchanged. */
  commitRetries: number;
  /** State records read from the log. */
  loads: number;
  /** Actors put aside because their stored state cannot be used. */
  parked: number;
  /** Partitions taken over from a node that was still named as their owner. */
  takeovers: number;
  /** Timers that were due and whose decision was committed. */
  timersFired: number;
  /** Timers that were due and not set any more. */
  timersStale: number;
}

/** Counters of the activities that ran in one process since it started. */
export interface ActivityCounters {
  /** Attempts that were started. */
  started: number;
  /** Attempts that returned. */
  done: number;
  /** Attempts that threw, were refused by a schema, or were lost too often. */
  failed: number;
  /** Attempts that were given up at their timeout. */
  timedOut: number;
  /** Attempts that were made again since their worker was gone. */
  lost: number;
  /** Attempts whose result nobody wanted any more. */
  cancelled: number;
  /** Tasks that were given back: the process stopped, or others were to have their turn. */
  returned: number;
}

/** Counts and times of one node. */
export class Telemetry {
  readonly counters: NodeCounters = {
    applied: 0,
    ignored: 0,
    redelivered: 0,
    duplicates: 0,
    stale: 0,
    retries: 0,
    waiting: 0,
    deadLetters: 0,
    deadLettersByReason: {},
    commits: 0,
    records: 0,
    conflicts: 0,
    commitRetries: 0,
    loads: 0,
    parked: 0,
    takeovers: 0,
    timersFired: 0,
    timersStale: 0,
  };
  readonly activities: ActivityCounters = {
    started: 0,
    done: 0,
    failed: 0,
    timedOut: 0,
    lost: 0,
    cancelled: 0,
    returned: 0,
  };
  /** Milliseconds from the moment a message was sent to its commit, as the clocks of sender and node say. */
  readonly sendToCommit: Latencies = new Latencies();
  /** Milliseconds from the moment a timer was due to the commit of its decision. */
  readonly timerLateness: Latencies = new Latencies();
  readonly #onEvent: (event: NodeEvent) => void;

  constructor(onEvent: (event: NodeEvent) => void) {
    this.#onEvent = onEvent;
  }

  tell(level: NodeEvent["level"], name: string, message: string, data?: Readonly<Record<string, unknown>>): void {
    this.#onEvent(data === undefined ? { level, name, message } : { level, name, message, data });
  }

  countDead(reason: DeadReason): void {
    this.counters.deadLetters++;
    this.counters.deadLettersByReason[reason] = (this.counters.deadLettersByReason[reason] ?? 0) + 1;
  }
}

const bucketsPerDoubling = 8;

/** A histogram with buckets of 9 % width, from 0.1 ms up. */
export class Latencies {
  readonly #counts: number[] = [];
  #total = 0;

  add(ms: number): void {
    const bucket = ms <= 0.1 ? 0 : Math.ceil(Math.log2(ms / 0.1) * bucketsPerDoubling);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total++;
  }

  get count(): number {
    return this.#total;
  }

  /** Upper bound, in milliseconds, of the bucket that holds the given share (0 to 1) of all values; 0 when there are none. */
  quantile(share: number): number {
    let left = Math.max(1, Math.ceil(this.#total * share));
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      left -= this.#counts[bucket] ?? 0;
      if (left <= 0) return 0.1 * 2 ** (bucket / bucketsPerDoubling);
    }
    return 0;
  }

  /** Adds the counts of another histogram, given as {@link Latencies.toJSON} makes them. */
  merge(counts: readonly number[]): void {
    counts.forEach((count, bucket) => {
      if (count === 0 || count === null) return;
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
      this.#total += count;
    });
  }

  /** The counts per bucket. */
  toJSON(): number[] {
    return Array.from(this.#counts, (count) => count ?? 0);
  }
}

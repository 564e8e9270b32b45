/** What a node counts and tells about itself. */
import type { DeadReason } from "../core/records.ts";
import { Latencies, Sizes } from "./histogram.ts";

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
  /** Dead letters closed by the limits of the office. */
  lettersExpired: number;
  /** Closed letters that were removed. */
  lettersPurged: number;
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
  /** Partitions whose lease this node got, those it took over included. */
  leasesGained: number;
  /** Partitions that another node took from this one. */
  leasesLost: number;
  /** Partitions that this node handed over. */
  leasesHandedOver: number;
  /** Messages for actors with delivery `at-most-once` that may have been applied by an earlier owner, and were not applied here. */
  skipped: number;
  /** Messages of such actors whose emissions may not have been stored. */
  unconfirmed: number;
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

/** Counters of a node that has done nothing yet. */
export function noCounts(): NodeCounters {
  return {
    applied: 0,
    ignored: 0,
    redelivered: 0,
    duplicates: 0,
    stale: 0,
    retries: 0,
    waiting: 0,
    deadLetters: 0,
    deadLettersByReason: {},
    lettersExpired: 0,
    lettersPurged: 0,
    commits: 0,
    records: 0,
    conflicts: 0,
    commitRetries: 0,
    loads: 0,
    parked: 0,
    takeovers: 0,
    leasesGained: 0,
    leasesLost: 0,
    leasesHandedOver: 0,
    skipped: 0,
    unconfirmed: 0,
    timersFired: 0,
    timersStale: 0,
  };
}

/** Counters of a process that has worked on no activity yet. */
export function noActivities(): ActivityCounters {
  return {
    started: 0,
    done: 0,
    failed: 0,
    timedOut: 0,
    lost: 0,
    cancelled: 0,
    returned: 0,
  };
}

/** Counts and times of one node. */
export class Telemetry {
  readonly counters: NodeCounters = noCounts();
  readonly activities: ActivityCounters = noActivities();
  /** Milliseconds from the moment a message was sent to its commit, as the clocks of sender and node say. */
  readonly sendToCommit: Latencies = new Latencies();
  /** Milliseconds from the moment a timer was due to the commit of its decision. */
  readonly timerLateness: Latencies = new Latencies();
  /** Milliseconds from the first append of a commit to its confirmation, those of further trials included. */
  readonly commitTime: Latencies = new Latencies();
  /** Bytes of the records of a commit, without subjects and headers. */
  readonly commitSize: Sizes = new Sizes();
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

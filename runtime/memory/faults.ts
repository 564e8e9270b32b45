/**
 * The faults of the memory broker: how badly it behaves, by chance and on demand.
 *
 * Each is something that a real broker, its network or its client may do, and that the ports allow. Every fault that
 * happens is counted, so that a test can see that it was not spared.
 */

import type { StreamName } from "../core/subjects.ts";
import type { Time } from "../core/time.ts";
import type { AppendRecord, LogRecord } from "../log/log.ts";
import type { Prng } from "./prng.ts";

/** Every fault, by the operation it happens to. */
export const faultKinds = {
  /**
   * `lost-request`: not stored, and answered `TryAgain` with `mayBeStored` after the timeout. `lost-answer`: the same answer, but it was
   * stored. `late`: the same answer, and it is tried only after it, so that finding nothing in between proves nothing. `refused`:
   * `TryAgain` at once, not stored. `full`: this and all other appends of the stream are refused for a while. `delay`: slow.
   */
  append: ["lost-request", "lost-answer", "late", "refused", "full", "delay"],
  /** Before the next records are delivered to a reader. `delay`: a short pause. `stall`: a long one. */
  read: ["delay", "stall"],
  /** `last` and `lastMany`. `delay`: slow. `unavailable`: rejects with `LogUnavailableError`. */
  last: ["delay", "unavailable"],
  /** `stale`: shows the stream as it was a while ago. */
  scan: ["delay", "unavailable", "stale"],
  /** `lost-answer`: rejects with `LogUnavailableError`, but what matched is gone. */
  purge: ["delay", "unavailable", "lost-answer"],
  /** Each is drawn for one signal and one listener. */
  signal: ["lost", "duplicated", "delay"],
  /** `lost-answer`: tasks were handed out, but the puller gets none; they come back after their visibility. */
  pull: ["delay", "lost-answer"],
  /** `lost`: an acknowledgement that never arrives. */
  ack: ["lost"],
} as const;

/** An operation that faults can happen to. */
export type FaultOperation = keyof typeof faultKinds;

/** A fault that can happen to an operation. */
export type FaultKind<O extends FaultOperation> = (typeof faultKinds)[O][number];

/** What a scripted fault is matched against. */
export interface FaultTarget {
  readonly append: readonly AppendRecord[];
  /** The next record to be delivered. */
  readonly read: LogRecord;
  /** The subjects asked for. */
  readonly last: readonly string[];
  /** The filter. */
  readonly scan: string;
  /** The filter. */
  readonly purge: string;
  /** The subject. */
  readonly signal: string;
  /** Name of the queue. */
  readonly pull: string;
  /** Sequence of the task. */
  readonly ack: number;
}

/** Where an operation happens. */
export interface FaultPlace {
  /** Name of the simulated process: the sender, or for `read` and `signal` the receiver. */
  readonly connection: string;
  readonly stream?: StreamName;
}

/** Probability, from 0 to 1, of every fault for each operation; what is left out does not happen. */
export type FaultPlan = { readonly [O in FaultOperation]?: { readonly [K in FaultKind<O>]?: number } };

/** How long faults last, in milliseconds: from the first number to the second. */
export interface FaultDurations {
  /** Of every `delay`. Default: 1 to 300. */
  readonly delayMs: readonly [number, number];
  /** Of a reader's `stall`. Default: 500 to 5,000. */
  readonly stallMs: readonly [number, number];
  /** Between the timeout's answer and the attempt of a `late` append. Default: 0 to 10,000. */
  readonly lateMs: readonly [number, number];
  /** Default: 100 to 3,000. */
  readonly fullMs: readonly [number, number];
  /** How far behind a `stale` scan is. Default: 10 to 2,000. */
  readonly staleMs: readonly [number, number];
}

const defaultDurations: FaultDurations = {
  delayMs: [1, 300],
  stallMs: [500, 5_000],
  lateMs: [0, 10_000],
  fullMs: [100, 3_000],
  staleMs: [10, 2_000],
};

const durationOf: Readonly<Record<string, keyof FaultDurations>> = {
  delay: "delayMs",
  stall: "stallMs",
  late: "lateMs",
  full: "fullMs",
  stale: "staleMs",
};

/** A fault that happens now. */
export interface Fault<O extends FaultOperation> {
  readonly kind: FaultKind<O>;
  /** Its duration; 0 for faults that have none. */
  readonly ms: number;
}

interface Script {
  readonly matches: (target: never, place: FaultPlace) => boolean;
  readonly kind: string;
  readonly ms: number | undefined;
}

/** The faults of one broker. */
export class Faults {
  readonly #random: Prng;
  readonly #time: Time;
  #plan: FaultPlan;
  #durations: FaultDurations;
  #fullUntilMs: Record<StreamName, number> = { core: Number.NEGATIVE_INFINITY, ingress: Number.NEGATIVE_INFINITY };
  readonly #scripts = new Map<FaultOperation, Script[]>();
  readonly #counts: Record<string, number> = {};

  constructor(random: Prng, time: Time, plan: FaultPlan = {}, durations: Partial<FaultDurations> = {}) {
    this.#random = random;
    this.#time = time;
    this.#durations = { ...defaultDurations, ...durations };
    this.#plan = checkPlan(plan);
    for (const [operation, kinds] of Object.entries(faultKinds)) {
      for (const kind of kinds) this.#counts[`${operation}.${kind}`] = 0;
    }
    for (const event of ["broker.restart", "broker.recreate", "process.sever", "process.freeze", "process.cut"])
      this.#counts[event] = 0;
  }

  /** How often each fault has happened, as `append.late`; those that did not are 0. */
  get counts(): Readonly<Record<string, number>> {
    return this.#counts;
  }

  /** Replaces the probabilities, and the durations that are given. */
  set(plan: FaultPlan, durations: Partial<FaultDurations> = {}): void {
    this.#plan = checkPlan(plan);
    this.#durations = { ...this.#durations, ...durations };
  }

  /** From now on nothing goes wrong: no probabilities, no scripts, no full stream. What has gone wrong takes its course. */
  heal(): void {
    this.#plan = {};
    this.#scripts.clear();
    this.#fullUntilMs = { core: Number.NEGATIVE_INFINITY, ingress: Number.NEGATIVE_INFINITY };
  }

  /**
   * Lets a fault happen once: to the next operation for which `matches` is true. `ms` replaces its duration; a `full` of 0 ms is that
   * append's alone. Several are tried in the order in which they were given.
   */
  next<O extends FaultOperation>(
    operation: O,
    matches: (target: FaultTarget[O], place: FaultPlace) => boolean,
    kind: FaultKind<O>,
    ms?: number,
  ): void {
    const scripts = this.#scripts.get(operation) ?? [];
    scripts.push({ matches, kind, ms });
    this.#scripts.set(operation, scripts);
  }

  /** Decides what goes wrong with an operation, and counts it. */
  choose<O extends FaultOperation>(operation: O, target: FaultTarget[O], place: FaultPlace): Fault<O> | undefined {
    const scripts = this.#scripts.get(operation);
    const at = scripts === undefined ? -1 : scripts.findIndex((each) => each.matches(target as never, place));
    if (scripts !== undefined && at >= 0) {
      const [script] = scripts.splice(at, 1) as [Script];
      return this.#begin(operation, script.kind, script.ms, place);
    }
    if (operation === "append" && this.#time.elapsed() < this.#fullUntilMs[place.stream ?? "core"]) {
      return this.#begin(operation, "full", 0, place);
    }
    const plan = this.#plan[operation] as Readonly<Record<string, number>> | undefined;
    if (plan === undefined) return undefined;
    let draw = this.#random.next();
    for (const kind in plan) {
      draw -= plan[kind] as number;
      if (draw < 0) return this.#begin(operation, kind, undefined, place);
    }
    return undefined;
  }

  /** Counts something that was done to the broker or a process. */
  count(event: string): void {
    this.#counts[event] = (this.#counts[event] ?? 0) + 1;
  }

  #begin<O extends FaultOperation>(
    operation: O,
    kind: string,
    scriptedMs: number | undefined,
    place: FaultPlace,
  ): Fault<O> {
    this.count(`${operation}.${kind}`);
    const duration = durationOf[kind];
    const ms = scriptedMs ?? (duration === undefined ? 0 : this.#random.between(...this.#durations[duration]));
    if (kind === "full" && ms > 0) this.#fullUntilMs[place.stream ?? "core"] = this.#time.elapsed() + ms;
    return { kind: kind as FaultKind<O>, ms };
  }
}

function checkPlan(plan: FaultPlan): FaultPlan {
  for (const [operation, kinds] of Object.entries(plan)) {
    const known: readonly string[] | undefined = (faultKinds as Record<string, readonly string[]>)[operation];
    if (known === undefined) {
      throw new RangeError(
        `Cannot use the faults: "${operation}" is no operation; there are ${Object.keys(faultKinds).join(", ")}.`,
      );
    }
    let sum = 0;
    for (const [kind, probability] of Object.entries(kinds)) {
      if (!known.includes(kind)) {
        throw new RangeError(
          `Cannot use the faults: "${operation}.${kind}" is not known; there are ${known.join(", ")}.`,
        );
      }
      sum += probability;
    }
    if (!(sum >= 0 && sum <= 1)) {
      throw new RangeError(
        `Cannot use the faults: the probabilities of "${operation}" add up to ${sum}, not to a number from 0 to 1.`,
      );
    }
  }
  return plan;
}

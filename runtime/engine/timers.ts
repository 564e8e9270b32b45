/**
 * The timers of one partition: which of their records matter now, what a checkpoint may say of them, and what of them can go.
 *
 * 1. The state's own list of timers is the truth. What stands here is only when to look: firing late or twice is harmless, forgetting is not.
 * 2. Near is what is due within the window, the minutes up to two or three from now. Records that are seen (committed here, or read) are kept if they are
 *    near; all others are found by their bucket when the window comes to them. So timers that are due next year cost nothing today.
 * 3. A timer leaves memory as handled only by what stays true whoever writes to the log: a confirmed commit without it, or a state
 *    that is at least as new as its record and does not have it. Whatever a late owner writes or purges rests on such facts alone.
 * 4. What {@link Timers.marks} says never passes a timer that is not handled: with it in the checkpoint a successor knows where to begin to look.
 * 5. Due is what the owner's wall clock says. A clock that jumps forward fires early, one that jumps back fires late; no timer is lost by either.
 */
import type { Address } from "../core/address.ts";
import { isStatewrightError } from "../core/errors.ts";
import { type CheckpointRecord, decodeRecord, type TimerRecord } from "../core/records.ts";
import { sleep } from "../core/time.ts";
import type { LogRecord } from "../log/log.ts";
import { backoffMs, type NodeContext } from "./context.ts";
import { NearTimers, type TimerHost, type TimerName } from "./near-timers.ts";
import { bucketFrom, closedBuckets, minuteMs, minuteOf, type TimerBucket } from "./timer-buckets.ts";

/** What of a checkpoint is about timers. */
export type TimerMarks = Pick<CheckpointRecord, "timersSeq" | "timersFrom" | "timersKept">;

/** So far ahead buckets are loaded, at least. */
const aheadMs = 2 * minuteMs;
/** While so many timers are near, no more of the past are loaded. */
const maxNear = 100_000;
const maxSettled = 10_000;
const purgesAtOnce = 16;
/** {@link Timers.seenSeq} is moved along when it lies so far behind, or has stood for so long. */
const worthAdvancing = 1024;
const staleMs = 60_000;

/** Finds the timers of a partition, and says what is known of them. */
export class Timers {
  readonly #partition: number;
  readonly #context: NodeContext;
  readonly #near: NearTimers;
  /** Handled before the reader has shown their record. */
  readonly #settled = new Set<string>();
  /** Minutes in which records were seen, with how many of their timers are not handled. */
  readonly #minutes = new Map<number, number>();
  /** Every bucket before is loaded. */
  #fromMs = 0;
  /** What is due before is near. */
  #untilMs = 0;
  #seenSeq = 0;
  #advancedMs = 0;
  /** What the checkpoint said when the partition was opened: timers set up to the sequence and due before are handled. */
  #handled = { seq: 0, beforeMs: 0 };
  /** Minutes whose records an earlier owner has handled, and perhaps not removed. */
  #left = { fromMs: 0, toMs: 0 };
  #purgingMs = Number.POSITIVE_INFINITY;
  #isLoading = false;
  #isPurging = false;
  #isStopped = false;

  constructor(partition: number, context: NodeContext, host: TimerHost) {
    this.#partition = partition;
    this.#context = context;
    this.#near = new NearTimers(context, host, {
      onLook: () => this.#moveWindow(),
      onSettled: ({ subject, minuteMs, isRead }) => {
        this.#touch(minuteMs, -1);
        if (isRead) return;
        // Without this it would be loaded for nothing when the reader comes to it: that is all, so there need not be room for all.
        if (this.#settled.size >= maxSettled) this.#settled.clear();
        this.#settled.add(subject);
      },
    });
  }

  /** How many timers are in memory. */
  get near(): number {
    return this.#near.size;
  }

  /** As {@link NearTimers.nextMs}. */
  get nextMs(): number {
    return this.#near.nextMs;
  }

  /** True while the timer is in memory: due soon, or due and not handled. */
  has(subject: string): boolean {
    return this.#near.get(subject) !== undefined;
  }

  /** When the first of them was or is due; infinity when there are none. */
  get earliestMs(): number {
    return this.#near.earliestMs;
  }

  /** Up to this sequence of CORE all records of timers were seen by the reader. */
  get seenSeq(): number {
    return this.#seenSeq;
  }

  /** What a checkpoint that is written now may say. */
  get marks(): Required<TimerMarks> {
    return { timersSeq: this.#seenSeq, timersFrom: this.#from, timersKept: this.#kept };
  }

  get #from(): number {
    return Math.min(this.#fromMs, this.#near.earliestMs);
  }

  get #kept(): number {
    let kept = Math.min(this.#fromMs, this.#purgingMs);
    if (this.#left.fromMs < this.#left.toMs) kept = Math.min(kept, this.#left.fromMs);
    for (const minute of this.#minutes.keys()) if (minute < kept) kept = minute;
    return kept;
  }

  /**
   * Begins where the checkpoint ends; the reader is to begin behind {@link Timers.seenSeq}. Resolves when all that came due meanwhile is in memory. Nothing is
   * fired before {@link Timers.release}.
   */
  async open(checkpoint: TimerMarks): Promise<void> {
    const nowMs = minuteOf(this.#context.time.now());
    const { timersSeq = 0, timersFrom = nowMs, timersKept = timersFrom } = checkpoint;
    this.#handled = { seq: timersSeq, beforeMs: timersFrom };
    this.#left = { fromMs: minuteOf(timersKept), toMs: minuteOf(timersFrom) };
    this.#seenSeq = timersSeq;
    // The clock of an earlier owner may have been ahead of ours.
    this.#fromMs = Math.min(nowMs, minuteOf(timersFrom));
    this.#untilMs = this.#windowEnd();
    this.#near.start();
    await this.#load();
  }

  /** From now on what is due is fired. */
  release(): void {
    this.#near.release();
  }

  stop(): void {
    this.#isStopped = true;
    this.#near.stop();
  }

  /** A timer was set by a commit that this node has made. */
  set(lane: string, of: Address, timer: string, atMs: number): void {
    if (!(minuteOf(atMs) < this.#untilMs)) return;
    const subject = this.#context.subjects.timer(this.#partition, of, timer, atMs);
    const known = this.#near.get(subject);
    if (known !== undefined) known.setSeq = 0;
    else this.#keep({ subject, of, lane, timer, minuteMs: minuteOf(atMs) }, atMs, 0);
  }

  /** The reader shows a timer's record; it shows all of them, in ascending sequence. */
  seen(record: LogRecord): void {
    this.#seenSeq = Math.max(this.#seenSeq, record.seq);
    const place = this.#placeOf(record);
    if (place === undefined || place.minuteMs >= this.#untilMs) return;
    this.#touch(place.minuteMs, 0);
    const known = this.#near.get(place.subject);
    if (known !== undefined) known.isRead = true;
    else if (!this.#settled.delete(place.subject)) this.#keep(place, this.#dueOf(record, place.minuteMs), record.seq);
  }

  /**
   * Moves {@link Timers.seenSeq} along while no timers are set: between it and `upToSeq` there are no records.
   *
   * `upToSeq` must have been the stream's last sequence some time ago, so that whoever answers now has it.
   */
  async advance(upToSeq: number): Promise<void> {
    const { log, subjects, time } = this.#context;
    const behind = upToSeq - this.#seenSeq;
    if (behind <= 0 || this.#isStopped) return;
    if (behind < worthAdvancing && time.elapsed() - this.#advancedMs < staleMs) return;
    this.#advancedMs = time.elapsed();
    const next = await log.next("core", subjects.timersOfPartition(this.#partition), this.#seenSeq + 1);
    this.#seenSeq = Math.max(this.#seenSeq, next === undefined ? upToSeq : Math.min(upToSeq, next.seq - 1));
  }

  /** As {@link NearTimers.keepOnly}. */
  keepOnly(lane: string, stateSeq: number, isSet: (timer: string) => boolean): void {
    this.#near.keepOnly(lane, stateSeq, isSet);
  }

  /** The timer needs no more handling. */
  handled(subject: string): void {
    const timer = this.#near.get(subject);
    if (timer !== undefined) this.#near.settle(timer);
  }

  /** As {@link NearTimers.postpone}. */
  postpone(subject: string, delayMs?: number): void {
    const timer = this.#near.get(subject);
    if (timer !== undefined) this.#near.postpone(timer, delayMs);
  }

  /** Removes the records of past buckets whose timers are all handled. */
  async purge(): Promise<void> {
    if (this.#isPurging || this.#isStopped) return;
    this.#isPurging = true;
    try {
      for (let count = 0; count < purgesAtOnce && this.#left.fromMs < this.#left.toMs; count++) {
        const bucket = bucketFrom(this.#left.fromMs, this.#left.toMs);
        await this.#remove(bucket, this.#handled.seq);
        this.#left.fromMs = bucket.toMs;
      }
      const pastMs = Math.min(this.#fromMs, minuteOf(this.#context.time.now()));
      for (const bucket of closedBuckets(this.#minutes, pastMs).slice(0, purgesAtOnce)) {
        if (this.#isStopped) return;
        await this.#removeClosed(bucket);
      }
    } finally {
      this.#isPurging = false;
    }
  }

  async #removeClosed(bucket: TimerBucket): Promise<void> {
    const minutes = [...this.#minutes.keys()].filter((minute) => minute >= bucket.fromMs && minute < bucket.toMs);
    // It may have come to life while others were purged.
    if (minutes.some((minute) => this.#minutes.get(minute) !== 0)) return;
    // Records that come from now on are not removed: their minutes must be known again.
    for (const minute of minutes) this.#minutes.delete(minute);
    this.#purgingMs = Math.min(...minutes);
    try {
      await this.#remove(bucket, this.#seenSeq);
    } catch (error) {
      for (const minute of minutes) this.#touch(minute, 0);
      throw error;
    } finally {
      this.#purgingMs = Number.POSITIVE_INFINITY;
    }
  }

  async #remove(bucket: TimerBucket, upToSeq: number): Promise<void> {
    const { log, subjects } = this.#context;
    await log.purge("core", subjects.timersWithin(this.#partition, bucket.unit, bucket.fromMs), upToSeq + 1);
  }

  /** Loads the buckets between what is loaded and the end of the window, oldest first. */
  async #load(): Promise<void> {
    if (this.#isLoading) return;
    this.#isLoading = true;
    for (let failures = 0; !this.#isStopped && this.#fromMs < this.#untilMs; ) {
      const bucket = bucketFrom(this.#fromMs, this.#untilMs);
      try {
        await this.#scan(bucket);
        // What was broken off has not seen all.
        if (!this.#isStopped) this.#fromMs = bucket.toMs;
        failures = 0;
      } catch (error) {
        if (isStatewrightError(error) && error._tag === "SystemStoppedError") break;
        failures++;
        await sleep(this.#context.time, backoffMs(failures, this.#context.random));
      }
    }
    this.#isLoading = false;
  }

  #moveWindow(): void {
    const endMs = this.#windowEnd();
    if (endMs <= this.#untilMs) return;
    this.#untilMs = endMs;
    void this.#load();
  }

  /** Where the window should end by the clock. */
  #windowEnd(): number {
    // Not all partitions in the same second.
    const spreadMs = (this.#partition % 60) * 1000;
    return minuteOf(this.#context.time.now() + aheadMs + spreadMs);
  }

  /** Keeps every timer of a bucket: a scan may be served by a replica that lags behind, so the leader is asked what comes after. */
  async #scan(bucket: TimerBucket): Promise<void> {
    const { log, subjects, time } = this.#context;
    const filter = subjects.timersWithin(this.#partition, bucket.unit, bucket.fromMs);
    for (let fromSeq = 1; !this.#isStopped; ) {
      const first = await log.next("core", filter, fromSeq);
      if (first === undefined) return;
      this.#found(first);
      fromSeq = first.seq + 1;
      for await (const record of log.scan("core", filter, { fromSeq })) {
        this.#found(record);
        fromSeq = record.seq + 1;
        // Of what is due already: the rest of the window must be there when its time comes.
        while (this.#near.size >= maxNear && bucket.toMs <= time.now() && !this.#isStopped) await sleep(time, 50);
        if (this.#isStopped) return;
      }
    }
  }

  #found(record: LogRecord): void {
    const place = this.#placeOf(record);
    if (this.#isStopped || place === undefined) return;
    this.#touch(place.minuteMs, 0);
    if (this.#near.get(place.subject) !== undefined || this.#settled.has(place.subject)) return;
    const atMs = this.#dueOf(record, place.minuteMs);
    if (record.seq > this.#handled.seq || atMs >= this.#handled.beforeMs) this.#keep(place, atMs, record.seq);
  }

  #placeOf(record: LogRecord): TimerName | undefined {
    const parsed = this.#context.subjects.parseTimer(record.subject);
    if (parsed !== undefined) return { subject: record.subject, ...parsed };
    this.#tellUnreadable(record, "its subject is not a timer's");
    return undefined;
  }

  #dueOf(record: LogRecord, minute: number): number {
    try {
      const { at } = decodeRecord<TimerRecord>("a timer", record.data);
      if (Number.isFinite(at)) return at;
      this.#tellUnreadable(record, `its time is ${JSON.stringify(at)}`);
    } catch (error) {
      this.#tellUnreadable(record, error instanceof Error ? error.message : String(error));
    }
    // Late is harmless, early is not.
    return minute + minuteMs;
  }

  #tellUnreadable(record: LogRecord, why: string): void {
    const message = `Cannot read ${record.subject}: ${why}.`;
    this.#context.telemetry.tell("error", "record.unreadable", message);
  }

  #keep(name: TimerName, atMs: number, setSeq: number): void {
    this.#touch(name.minuteMs, 1);
    this.#near.add(name, atMs, setSeq, setSeq > 0 && setSeq <= this.#seenSeq);
  }

  #touch(minute: number, more: number): void {
    this.#minutes.set(minute, (this.#minutes.get(minute) ?? 0) + more);
  }
}

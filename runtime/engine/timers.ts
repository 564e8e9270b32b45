/**
 * The timers of one partition: which are near, when the next one is due, and what of their records can go.
 *
 * 1. The state's own list of timers is the truth. What stands here is only when to look: firing late or twice is harmless, forgetting is not.
 * 2. Near is what is due within the window, the minutes up to about two from now. Records that are seen (committed here, or read) are kept if they are
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
import { bucketFrom, closedBuckets, minuteMs, minuteOf, type TimerBucket } from "./timer-buckets.ts";
import { type HeapItem, TimerHeap } from "./timer-heap.ts";

/** A near timer. */
export interface NearTimer extends HeapItem {
  readonly subject: string;
  readonly of: Address;
  /** What the partition knows the actor's lane by. */
  readonly lane: string;
  /** Its name with the actor. */
  readonly timer: string;
  /** A state of the actor with at least this sequence has been told of the timer; 0: every state that this node knows has. */
  setSeq: number;
}

interface Near extends NearTimer {
  readonly minute: number;
  /** The reader has shown its record, or will not. */
  isRead: boolean;
  /** How often it was looked at and put back. */
  postponed: number;
}

/** What of a checkpoint is about timers. */
export type TimerMarks = Pick<CheckpointRecord, "timersSeq" | "timersFrom" | "timersKept">;

/** What timers ask of their partition. */
export interface TimerHost {
  /** Hands a timer that is due to its actor's lane; false: the lane cannot move and holds enough. */
  deliver(timer: NearTimer): boolean;
  /** False while the node has enough to do. */
  hasRoom(): boolean;
}

/** So far ahead buckets are loaded, at least. */
const aheadMs = 2 * minuteMs;
/** The clock is looked at so often, since it may jump. */
const longestWaitMs = 1000;
const noRoomMs = 20;
/** A timer whose lane cannot move is offered again after the first delay, then after growing ones up to the second. */
const stuckMs = 1000;
const longestStuckMs = 5000;
/** While so many timers are near, no more of the past are loaded. */
const maxNear = 100_000;
/** Of the timers of a lane with more than this, those that were cleared are noticed when they are due. */
const maxSearched = 256;
const maxSettled = 10_000;
const purgesAtOnce = 16;
/** {@link Timers.seenSeq} is moved along when it lies so far behind, or has stood for so long. */
const worthAdvancing = 1024;
const staleMs = 60_000;

/** Keeps the near timers of a partition and fires them. */
export class Timers {
  readonly #partition: number;
  readonly #context: NodeContext;
  readonly #host: TimerHost;
  /** Near timers that are not handled, by subject. */
  readonly #near = new Map<string, Near>();
  readonly #byLane = new Map<string, Set<Near>>();
  /** Near timers that wait to be looked at. */
  readonly #heap = new TimerHeap<Near>();
  /** Near timers that were due and are not handled: they stand in their lane, or were put back. */
  readonly #late = new Set<Near>();
  /** Until when the timers of a lane are not looked at, since an earlier one of it was put back: they come in the order in which they are due. */
  readonly #postponedMs = new Map<string, number>();
  /** Handled before the reader has shown their record. */
  readonly #settled = new Set<string>();
  /** Minutes in which records were seen, with how many of their timers are not handled. */
  readonly #minutes = new Map<number, number>();
  #order = 0;
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
  #isHeld = true;
  #isStopped = false;
  #cancelWake: (() => void) | undefined;
  #wakeAtMs = Number.POSITIVE_INFINITY;

  constructor(partition: number, context: NodeContext, host: TimerHost) {
    this.#partition = partition;
    this.#context = context;
    this.#host = host;
  }

  /** How many timers are in memory. */
  get near(): number {
    return this.#near.size;
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
    let from = Math.min(this.#fromMs, this.#heap.first?.dueMs ?? Number.POSITIVE_INFINITY);
    for (const timer of this.#late) if (timer.atMs < from) from = timer.atMs;
    return from;
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
    this.#wakeAt(Number.POSITIVE_INFINITY);
    await this.#load();
  }

  /** From now on what is due is fired. */
  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#turn();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelWake?.();
    this.#cancelWake = undefined;
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

  /**
   * A commit of the actor was confirmed: forgets its timers that are not set any more.
   *
   * `stateSeq` is the commit's; about timers whose records may be newer nothing is known.
   */
  keepOnly(lane: string, stateSeq: number, isSet: (timer: string) => boolean): void {
    const timers = this.#byLane.get(lane);
    if (timers === undefined) return;
    for (const timer of timers) {
      if (timers.size > maxSearched && !this.#late.has(timer)) continue;
      // Those that stand in the lane are judged there.
      if (timer.heapIndex >= 0 && timer.setSeq <= stateSeq && !isSet(timer.timer)) this.#settle(timer);
    }
  }

  /** The timer needs no more handling. */
  handled(subject: string): void {
    const timer = this.#near.get(subject);
    if (timer !== undefined) this.#settle(timer);
  }

  /** The timer could not be handled: it is looked at again after the delay, or after a growing one from 20 ms to 1 s. */
  postpone(subject: string, delayMs?: number): void {
    const timer = this.#near.get(subject);
    if (timer === undefined || timer.heapIndex >= 0) return;
    const waitMs = delayMs ?? Math.min(1000, 20 * 2 ** Math.min(timer.postponed, 6));
    timer.postponed++;
    this.#putBack(timer, this.#context.time.now() + waitMs);
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
    if (this.#near.has(place.subject) || this.#settled.has(place.subject)) return;
    const atMs = this.#dueOf(record, place.minuteMs);
    if (record.seq > this.#handled.seq || atMs >= this.#handled.beforeMs) this.#keep(place, atMs, record.seq);
  }

  #placeOf(record: LogRecord): Place | undefined {
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

  #keep(place: Place, atMs: number, setSeq: number): void {
    const { subject, of, lane, timer, minuteMs: minute } = place;
    const isRead = setSeq > 0 && setSeq <= this.#seenSeq;
    const near: Near = {
      subject,
      of,
      lane,
      timer,
      minute,
      atMs,
      dueMs: atMs,
      setSeq,
      isRead,
      order: this.#order++,
      heapIndex: -1,
      postponed: 0,
    };
    this.#near.set(subject, near);
    const others = this.#byLane.get(lane);
    if (others === undefined) this.#byLane.set(lane, new Set([near]));
    else others.add(near);
    this.#touch(minute, 1);
    this.#heap.add(near);
    this.#wakeAt(atMs);
    this.#context.fault("timer.armed");
  }

  #settle(timer: Near): void {
    this.#near.delete(timer.subject);
    this.#heap.remove(timer);
    this.#late.delete(timer);
    this.#touch(timer.minute, -1);
    const others = this.#byLane.get(timer.lane);
    others?.delete(timer);
    if (others?.size === 0) {
      this.#byLane.delete(timer.lane);
      this.#postponedMs.delete(timer.lane);
    }
    if (timer.isRead) return;
    // Without this it would be loaded for nothing when the reader comes to it: that is all, so there need not be room for all.
    if (this.#settled.size >= maxSettled) this.#settled.clear();
    this.#settled.add(timer.subject);
  }

  #touch(minute: number, more: number): void {
    this.#minutes.set(minute, (this.#minutes.get(minute) ?? 0) + more);
  }

  #putBack(timer: Near, untilMs: number): void {
    const dueMs = Math.max(untilMs, this.#postponedMs.get(timer.lane) ?? 0);
    this.#postponedMs.set(timer.lane, dueMs);
    timer.dueMs = dueMs;
    this.#heap.add(timer);
    this.#wakeAt(dueMs);
  }

  #turn(): void {
    if (this.#isStopped) return;
    const endMs = this.#windowEnd();
    if (endMs > this.#untilMs) {
      this.#untilMs = endMs;
      void this.#load();
    }
    if (!this.#isHeld) this.#fire();
    const { first } = this.#heap;
    const now = this.#context.time.now();
    if (first === undefined) this.#wakeAt(Number.POSITIVE_INFINITY);
    // What is due and still here waits for room.
    else this.#wakeAt(first.dueMs > now ? first.dueMs : now + noRoomMs);
  }

  #fire(): void {
    const now = this.#context.time.now();
    for (let { first } = this.#heap; first !== undefined && first.dueMs <= now; { first } = this.#heap) {
      if (!this.#host.hasRoom()) return;
      this.#heap.remove(first);
      this.#late.add(first);
      if ((this.#postponedMs.get(first.lane) ?? 0) > now) {
        this.#putBack(first, now);
        continue;
      }
      this.#postponedMs.delete(first.lane);
      if (!this.#host.deliver(first)) {
        this.postpone(first.subject, Math.min(longestStuckMs, stuckMs * 2 ** Math.min(first.postponed, 3)));
      }
      if (this.#isStopped) return;
    }
  }

  /** Looks again at that time, or before: the clock may jump, and the window moves. */
  #wakeAt(atMs: number): void {
    if (this.#isStopped) return;
    const { time } = this.#context;
    const now = time.now();
    const wakeAtMs = this.#isHeld ? now + longestWaitMs : Math.min(now + longestWaitMs, Math.max(now, atMs));
    if (this.#cancelWake !== undefined && this.#wakeAtMs <= wakeAtMs) return;
    this.#cancelWake?.();
    this.#wakeAtMs = wakeAtMs;
    this.#cancelWake = time.after(wakeAtMs - now, () => {
      this.#cancelWake = undefined;
      this.#turn();
    });
  }
}

/** What a timer's subject says. */
interface Place {
  readonly subject: string;
  readonly of: Address;
  readonly lane: string;
  readonly timer: string;
  readonly minuteMs: number;
}

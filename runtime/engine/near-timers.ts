/**
 * The timers of a partition that are due soon, in memory: which comes next, and what becomes of those that cannot be decided now.
 *
 * 1. A timer stays until it is settled: it is delivered again and again, until its decision is committed or it is known not to be set any more.
 * 2. The timers of one actor are delivered in the order in which they are due, also when the first of them has to wait. Those of others do not wait for it.
 * 3. Due is what the wall clock says. It is looked at every second, since it may jump.
 */
import type { Address } from "../core/address.ts";
import type { NodeContext } from "./context.ts";
import { type HeapItem, TimerHeap } from "./timer-heap.ts";

/** Which timer it is, as its record's subject says. */
export interface TimerName {
  readonly subject: string;
  readonly of: Address;
  /** What the partition knows the actor's lane by. */
  readonly lane: string;
  /** Its name with the actor. */
  readonly timer: string;
  /** The beginning of the minute in which it is due. */
  readonly minuteMs: number;
}

/** A timer that is due soon, or was due and is not settled. */
export interface NearTimer extends TimerName, HeapItem {
  /** A state of the actor with at least this sequence has been told of the timer; 0: every state that this node knows has. */
  setSeq: number;
  /** The reader has shown its record, or will not. */
  isRead: boolean;
  /** How often it was delivered in vain. */
  postponed: number;
}

/** What near timers ask of their surroundings. */
export interface TimerHost {
  /** Hands a timer that is due to its actor's lane; false: the lane cannot move and holds enough. */
  deliver(timer: NearTimer): boolean;
  /** False while the node has enough to do. */
  hasRoom(): boolean;
}

/** The clock is looked at so often. */
const longestWaitMs = 1000;
/** As often as this while the node has no room. */
const noRoomMs = 20;
/** A timer whose lane cannot move is delivered again after the first delay, then after growing ones up to the second. */
const stuckMs = 1000;
const longestStuckMs = 5000;
/** No timer waits longer for an earlier one of its actor to be delivered again, but for a clock that was set back. */
const longestPostponedMs = 60_000;
/** Of the timers of a lane with more than this, those that were cleared are noticed when they are due. */
const maxSearched = 256;

/** Keeps near timers and delivers them when they are due. */
export class NearTimers {
  readonly #context: NodeContext;
  readonly #host: TimerHost;
  readonly #onLook: () => void;
  readonly #onSettled: (timer: NearTimer) => void;
  readonly #bySubject = new Map<string, NearTimer>();
  readonly #byLane = new Map<string, Set<NearTimer>>();
  /** Those that wait to be looked at. */
  readonly #heap = new TimerHeap<NearTimer>();
  /** Those that were due: they stand in their lane, or wait to be delivered again. */
  readonly #late = new Set<NearTimer>();
  /** Until when the timers of a lane wait, since an earlier one of it waits to be delivered again. */
  readonly #postponedMs = new Map<string, number>();
  #order = 0;
  #isHeld = true;
  #isStopped = false;
  #cancelWake: (() => void) | undefined;
  #wakeAtMs = Number.POSITIVE_INFINITY;

  /** `onLook` is called whenever the clock is looked at. */
  constructor(
    context: NodeContext,
    host: TimerHost,
    hooks: { readonly onLook: () => void; readonly onSettled: (timer: NearTimer) => void },
  ) {
    this.#context = context;
    this.#host = host;
    this.#onLook = hooks.onLook;
    this.#onSettled = hooks.onSettled;
  }

  get size(): number {
    return this.#bySubject.size;
  }

  /** When the first of them was or is due; infinity when there are none. */
  get earliestMs(): number {
    let earliestMs = this.#heap.first?.dueMs ?? Number.POSITIVE_INFINITY;
    for (const timer of this.#late) if (timer.atMs < earliestMs) earliestMs = timer.atMs;
    return earliestMs;
  }

  /** When the first of those that wait to be delivered is to be; infinity when there are none. */
  get nextMs(): number {
    return this.#heap.first?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  /** Begins to look at the clock; nothing is delivered before {@link NearTimers.release}. */
  start(): void {
    this.#wakeAt(Number.POSITIVE_INFINITY);
  }

  /** From now on what is due is delivered. */
  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelWake?.();
    this.#cancelWake = undefined;
  }

  get(subject: string): NearTimer | undefined {
    return this.#bySubject.get(subject);
  }

  add(name: TimerName, atMs: number, setSeq: number, isRead: boolean): void {
    const { subject, of, lane, timer, minuteMs } = name;
    const order = this.#order++;
    const times = { atMs, dueMs: atMs, order, heapIndex: -1 };
    const near: NearTimer = { subject, of, lane, timer, minuteMs, ...times, setSeq, isRead, postponed: 0 };
    this.#bySubject.set(subject, near);
    const others = this.#byLane.get(lane);
    if (others === undefined) this.#byLane.set(lane, new Set([near]));
    else others.add(near);
    this.#heap.add(near);
    this.#wakeAt(atMs);
    this.#context.fault("timer.armed");
  }

  /** The timer needs no more handling. */
  settle(timer: NearTimer): void {
    this.#bySubject.delete(timer.subject);
    this.#heap.remove(timer);
    this.#late.delete(timer);
    const others = this.#byLane.get(timer.lane);
    others?.delete(timer);
    if (others?.size === 0) {
      this.#byLane.delete(timer.lane);
      this.#postponedMs.delete(timer.lane);
    }
    this.#onSettled(timer);
  }

  /**
   * A commit of the actor was confirmed: settles its timers that are not set any more.
   *
   * `stateSeq` is the commit's; about timers whose records may be newer nothing is known.
   */
  keepOnly(lane: string, stateSeq: number, isSet: (timer: string) => boolean): void {
    const timers = this.#byLane.get(lane);
    if (timers === undefined) return;
    for (const timer of timers) {
      if (timers.size > maxSearched && !this.#late.has(timer)) continue;
      // Those that stand in the lane are judged there.
      if (timer.heapIndex >= 0 && timer.setSeq <= stateSeq && !isSet(timer.timer)) this.settle(timer);
    }
  }

  /** A delivered timer could not be decided: it is delivered again after the delay, or after a growing one from 20 ms to 1 s. */
  postpone(timer: NearTimer, delayMs?: number): void {
    if (timer.heapIndex >= 0) return;
    const waitMs = delayMs ?? Math.min(1000, 20 * 2 ** Math.min(timer.postponed, 6));
    timer.postponed++;
    this.#putBack(timer, this.#context.time.now() + waitMs);
  }

  #putBack(timer: NearTimer, untilMs: number): void {
    this.#postponedMs.set(timer.lane, Math.max(untilMs, this.#blockedUntil(timer.lane)));
    timer.dueMs = this.#blockedUntil(timer.lane);
    this.#heap.add(timer);
    this.#wakeAt(timer.dueMs);
  }

  /** Until when the timers of a lane wait. */
  #blockedUntil(lane: string): number {
    const untilMs = this.#postponedMs.get(lane) ?? 0;
    return untilMs - this.#context.time.now() > longestPostponedMs ? 0 : untilMs;
  }

  #look(): void {
    if (this.#isStopped) return;
    this.#onLook();
    if (!this.#isHeld) this.#deliver();
    const { first } = this.#heap;
    const now = this.#context.time.now();
    if (first === undefined) this.#wakeAt(Number.POSITIVE_INFINITY);
    // What is due and still here waits for room.
    else this.#wakeAt(first.dueMs > now ? first.dueMs : now + noRoomMs);
  }

  #deliver(): void {
    const now = this.#context.time.now();
    for (let { first } = this.#heap; first !== undefined && first.dueMs <= now; { first } = this.#heap) {
      if (!this.#host.hasRoom()) return;
      this.#heap.remove(first);
      this.#late.add(first);
      const untilMs = this.#blockedUntil(first.lane);
      // Also when that time has come: those that were put back are earlier, and to be looked at later.
      if (untilMs > first.dueMs) {
        this.#putBack(first, untilMs);
        continue;
      }
      this.#postponedMs.delete(first.lane);
      if (!this.#host.deliver(first)) {
        this.postpone(first, Math.min(longestStuckMs, stuckMs * 2 ** Math.min(first.postponed, 3)));
      }
      if (this.#isStopped) return;
    }
  }

  /** Looks again at that time, or before. */
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
      this.#look();
    });
  }
}

/**
 * Virtual time: a whole system runs in one thread, and time passes only when nothing is left to do before it.
 *
 * 1. Timers and operations of the memory broker are events; they happen one after the other, in order of time.
 * 2. Events of the same time happen in an order drawn from the seed, so that different seeds try different interleavings.
 * 3. After each event all promise reactions run before the next one.
 * 4. The same seed and the same calls give the same run; {@link VirtualTime.trace} is a hash over every event that happened.
 */
import type { Time } from "../core/time.ts";
import { EventQueue, type SimulatedEvent } from "./event-queue.ts";
import { hashText, Prng } from "./prng.ts";

/** Options of {@link VirtualTime}; all have defaults. */
export interface VirtualTimeOptions {
  /** Decides everything that is left to chance. Default: 1. */
  readonly seed?: number;
  /** What `now()` says at the beginning, milliseconds since 1970. Default: 2026-01-01. */
  readonly startMs?: number;
  /**
   * What must have run before the next event happens. `microtasks` (default): promise reactions, at about 0.3 µs for each event.
   * `immediates`: callbacks of `setImmediate` too, as Effect's default scheduler uses them, at about 1.5 µs.
   */
  readonly drain?: "microtasks" | "immediates";
}

/** When a run gives up; both are counted from its beginning. */
export interface RunLimits {
  /** Most virtual milliseconds. Default: 3,600,000 (one hour). */
  readonly maxMs?: number;
  /** Most events. Default: 1,000,000. */
  readonly maxEvents?: number;
}

const defaultMaxMs = 3_600_000;
const defaultMaxEvents = 1_000_000;
const defaultStartMs = Date.UTC(2026, 0, 1);
const largestBatch = 64;
const afterAllTies = 2 ** 32;

// Taken at load, so that a test runner's fake timers do not replace it.
const hop = setImmediate;

/** Time that passes only by `advance`, `settle` and `runUntil`; one of them at a time. */
export class VirtualTime implements Time {
  readonly seed: number;
  /** The generator of this run: draw from it, or from a fork of it, whatever a test leaves to chance. */
  readonly random: Prng;
  readonly #ties: Prng;
  readonly #startMs: number;
  readonly #waitsForImmediates: boolean;
  readonly #queue = new EventQueue();
  readonly #labels = new Map<string, number>();
  #elapsedMs = 0;
  #operations = 0;
  #events = 0;
  #isRunning = false;
  #traceLow = 0x811c9dc5;
  #traceHigh = 0x2545f491;

  constructor(options: VirtualTimeOptions = {}) {
    this.seed = options.seed ?? 1;
    this.random = new Prng(this.seed);
    this.#ties = this.random.fork("ties");
    this.#startMs = options.startMs ?? defaultStartMs;
    this.#waitsForImmediates = options.drain === "immediates";
  }

  now(): number {
    return Math.floor(this.#startMs + this.#elapsedMs);
  }

  /** Virtual milliseconds since the beginning, with fractions. */
  elapsed(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, run: () => void): () => void {
    return this.#add(delayMs, run, "timer", true, this.#ties.uint32());
  }

  /** Calls `run` when everything else that is due now has happened. */
  soon(run: () => void): void {
    this.#add(0, run, "soon", false, afterAllTies + this.#ties.uint32());
  }

  /** Lets an operation happen after `delayMs`: as {@link after}, but `settle` waits for it, and `label` enters the trace. */
  schedule(delayMs: number, run: () => void, label: string): () => void {
    return this.#add(delayMs, run, label, false, this.#ties.uint32());
  }

  /** How many events have happened. */
  get events(): number {
    return this.#events;
  }

  /** How many timers and operations are still to happen. */
  get pending(): number {
    return this.#queue.size;
  }

  /** A hash over all events that happened, with their times and labels, and all notes: equal for equal runs. */
  get trace(): string {
    return [this.#traceHigh, this.#traceLow].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /** Adds a text to the trace: what a test wants to be part of "the same run". */
  note(text: string): void {
    this.#mix(this.#labelHash(text), this.#elapsedMs);
  }

  /** Lets `ms` pass, with all that happens in it. Rejects with what an event throws. */
  advance(ms: number, limits: Pick<RunLimits, "maxEvents"> = {}): Promise<void> {
    const untilMs = this.#elapsedMs + Math.max(0, ms);
    const isLimit = this.#limit(`let ${ms} ms pass`, { maxMs: Number.POSITIVE_INFINITY, ...limits });
    return this.#run(() => {
      const next = this.#queue.peek();
      if (next === undefined || next.atMs > untilMs) {
        this.#elapsedMs = untilMs;
        return false;
      }
      isLimit(next);
      return true;
    });
  }

  /**
   * Goes on until no operation of the broker is under way. Timers happen only if they are due by then.
   *
   * *Errors*: an `Error` with the seed when a limit is reached.
   */
  settle(limits: RunLimits = {}): Promise<void> {
    const isLimit = this.#limit("settle", limits);
    return this.#run(() => {
      const next = this.#queue.peek();
      if (next === undefined || (this.#operations === 0 && next.atMs > this.#elapsedMs)) return false;
      isLimit(next);
      return true;
    });
  }

  /**
   * Goes on until the predicate, asked after every event, is true; `"idle"`: until no event is left.
   *
   * *Errors*: an `Error` with the seed when a limit is reached, or when nothing is left that could make the predicate true.
   */
  runUntil(condition: (() => boolean) | "idle", limits: RunLimits = {}): Promise<void> {
    const isLimit = this.#limit("reach the condition", limits);
    return this.#run(() => {
      if (condition !== "idle" && condition()) return false;
      const next = this.#queue.peek();
      if (next === undefined) {
        if (condition === "idle") return false;
        throw new Error(`Cannot reach the condition: nothing is left to happen at ${this.#where()}.`);
      }
      isLimit(next);
      return true;
    });
  }

  #add(delayMs: number, run: () => void, label: string, isTimer: boolean, tie: number): () => void {
    const atMs = this.#elapsedMs + Math.max(0, delayMs);
    const event: SimulatedEvent = { atMs, tie, label, isTimer, run };
    if (!isTimer) this.#operations++;
    this.#queue.push(event);
    return () => {
      if (event.run === undefined) return;
      if (!isTimer) this.#operations--;
      this.#queue.cancel(event);
    };
  }

  /** Calls `goesOn` before each event, with everything drained, until it returns false. */
  #run(goesOn: () => boolean): Promise<void> {
    if (this.#isRunning) {
      return Promise.reject(
        new Error("Cannot let virtual time pass: a call that does so is not finished. Await it first."),
      );
    }
    this.#isRunning = true;
    return new Promise((resolve, reject) => {
      // Node runs promise reactions between two callbacks of setImmediate; many callbacks share one turn of its event loop.
      let queued = 0;
      let batch = 1;
      let isOver = false;
      const enqueue = (count: number): void => {
        queued = count;
        for (let i = 0; i < count; i++) hop(turn);
      };
      const end = (settle: () => void): void => {
        isOver = true;
        this.#isRunning = false;
        settle();
      };
      const step = (): void => {
        try {
          if (goesOn()) this.#happen();
          else end(resolve);
        } catch (error) {
          end(() => reject(error));
        }
      };
      const turn = (): void => {
        queued--;
        if (isOver) return;
        if (this.#waitsForImmediates) {
          if (!process.getActiveResourcesInfo().includes("Immediate")) step();
          if (!isOver) enqueue(1);
          return;
        }
        step();
        if (queued > 0 || isOver) return;
        batch = Math.min(2 * batch, largestBatch);
        enqueue(batch);
      };
      enqueue(1);
    });
  }

  #happen(): void {
    const event = this.#queue.pop() as SimulatedEvent;
    const run = event.run as () => void;
    event.run = undefined;
    if (!event.isTimer) this.#operations--;
    if (event.atMs > this.#elapsedMs) this.#elapsedMs = event.atMs;
    this.#events++;
    this.#mix(this.#labelHash(event.label), event.atMs);
    run();
  }

  #limit(what: string, limits: RunLimits): (next: SimulatedEvent) => void {
    const lastMs = this.#elapsedMs + (limits.maxMs ?? defaultMaxMs);
    const lastEvent = this.#events + (limits.maxEvents ?? defaultMaxEvents);
    return (next) => {
      if (next.atMs <= lastMs && this.#events < lastEvent) return;
      const limit =
        this.#events < lastEvent
          ? `${limits.maxMs ?? defaultMaxMs} ms`
          : `${limits.maxEvents ?? defaultMaxEvents} events`;
      throw new Error(`Cannot ${what} within ${limit}: gave up at ${this.#where()}.`);
    };
  }

  #where(): string {
    return `${this.#elapsedMs.toFixed(3)} ms after ${this.#events} events, seed ${this.seed}`;
  }

  #labelHash(label: string): number {
    let hash = this.#labels.get(label);
    if (hash === undefined) {
      hash = hashText(label);
      // Notes may all differ: they must not fill the memory of a long run.
      if (this.#labels.size < 1024) this.#labels.set(label, hash);
    }
    return hash;
  }

  #mix(label: number, atMs: number): void {
    const micros = Math.floor(atMs * 1000) | 0;
    this.#traceLow = Math.imul(this.#traceLow ^ label, 0x01000193) ^ micros;
    this.#traceHigh = Math.imul(this.#traceHigh ^ micros ^ (this.#traceLow >>> 15), 0x85ebca6b) + label;
  }
}

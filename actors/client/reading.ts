/**
 * Readings: what a reader of the log brings, as an async iterator for one consumer.
 *
 * 1. Everything that the reader brings is delivered, in order.
 * 2. A slow consumer makes the reader pause, so that memory is bounded. What waits then waits in the log, for as long as the space keeps it.
 * 3. A reading ends once: with its signal, with its client, with an error of the reader, or when its consumer leaves; the reader is stopped then.
 */
import { SystemStoppedError } from "../../runtime/core/errors.ts";
import type { LogReader } from "../../runtime/log/log.ts";
import { onAbort } from "./aborts.ts";
import { type ClientContext, stoppedError } from "./context.ts";

const pauseAbove = 256;
const resumeAt = 64;

/** Who is told of what a reader brings. */
export interface ReadingListener<T> {
  onItem(item: T): void;
  onError(error: Error): void;
}

/** Opens a reader that tells the listener. */
export type OpenReader<T> = (listener: ReadingListener<T>) => LogReader;

/** The open readings of a client. */
export class Readings {
  readonly #context: ClientContext;
  readonly #open = new Set<Pick<Reading<never>, "attempted" | "end">>();

  constructor(context: ClientContext) {
    this.#context = context;
  }

  /** Starts a reading; `attempted` says what for, in errors. */
  open<T extends object>(attempted: string, signal: AbortSignal | undefined, openReader: OpenReader<T>): Reading<T> {
    const reading = new Reading<T>(attempted, () => this.#open.delete(reading));
    this.#open.add(reading);
    if (this.#context.isStopped) reading.end(stoppedError(attempted));
    else if (signal?.aborted === true) reading.end(signal.reason);
    else reading.start(signal, openReader);
    return reading;
  }

  /** Ends all readings with an error. */
  stop(): void {
    for (const reading of [...this.#open]) reading.end(stoppedError(reading.attempted));
  }
}

/** One open reading. */
export class Reading<T extends object> implements AsyncIterator<T, undefined> {
  readonly attempted: string;
  /** Resolves when items can flow; rejects when the reading ended before that. */
  readonly ready: Promise<void>;
  readonly #onEnd: () => void;
  #becomeReady: () => void = () => {};
  #failReady: (reason: unknown) => void = () => {};
  #unlisten: (() => void) | undefined;
  #reader: LogReader | undefined;
  #items: T[] = [];
  #isPaused = false;
  #isEnded = false;
  #error: { readonly reason: unknown } | undefined;
  #takers: Array<{
    readonly resolve: (result: IteratorResult<T, undefined>) => void;
    readonly reject: (error: unknown) => void;
  }> = [];

  constructor(attempted: string, onEnd: () => void) {
    this.attempted = attempted;
    this.#onEnd = onEnd;
    this.ready = new Promise((resolve, reject) => {
      this.#becomeReady = resolve;
      this.#failReady = reject;
    });
    // Who does not wait for it learns of failures as a consumer.
    this.ready.catch(() => {});
  }

  /** Opens the reader, which ends with the signal. */
  start(signal: AbortSignal | undefined, openReader: OpenReader<T>): void {
    this.#unlisten =
      signal &&
      onAbort(signal, () => {
        this.#items = [];
        this.end(signal.reason);
      });
    try {
      const reader = openReader({ onItem: (item) => this.#onItem(item), onError: (error) => this.end(error) });
      this.#reader = reader;
      reader.ready.then(this.#becomeReady, (error: unknown) => this.end(error));
      if (this.#isEnded) reader.stop();
    } catch (error) {
      this.end(error);
    }
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const value = this.#items.shift();
    if (value !== undefined) {
      if (this.#isPaused && this.#items.length <= resumeAt) {
        this.#isPaused = false;
        this.#reader?.resume();
      }
      return Promise.resolve({ done: false, value });
    }
    if (this.#error !== undefined) {
      const { reason } = this.#error;
      this.#error = undefined;
      return Promise.reject(reason);
    }
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#items = [];
    this.#close(new SystemStoppedError(`Cannot ${this.attempted}: it was ended before it had begun.`));
    this.#error = undefined;
    for (const taker of this.#takers.splice(0)) taker.resolve({ done: true, value: undefined });
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Ends the reading with an error; what was read before it is still delivered. */
  end(reason: unknown): void {
    if (this.#isEnded) return;
    this.#close(reason);
    const [first, ...others] = this.#takers.splice(0);
    if (first === undefined) this.#error = { reason };
    else first.reject(reason);
    for (const taker of others) taker.resolve({ done: true, value: undefined });
  }

  #close(reason: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#failReady(reason);
    this.#unlisten?.();
    this.#reader?.stop();
    this.#onEnd();
  }

  #onItem(item: T): void {
    const taker = this.#takers.shift();
    if (taker !== undefined) {
      taker.resolve({ done: false, value: item });
      return;
    }
    this.#items.push(item);
    if (this.#items.length < pauseAbove || this.#isPaused) return;
    this.#isPaused = true;
    this.#reader?.pause();
  }
}

/**
 * Watching: an actor's committed states as an async iterable.
 *
 * 1. Every committed state record is delivered, in order, from the current one on.
 * 2. A slow consumer makes the reader pause, so that memory is bounded. What waits then waits in the log, which keeps as many states of an actor as the
 *    space was created with: a consumer that is further behind than that misses some, and sees it by the revisions.
 */
import { type Address, formatAddress } from "../../runtime/core/address.ts";
import type { LogReader } from "../../runtime/log/log.ts";
import type { ActorView } from "../view.ts";
import { onAbort } from "./aborts.ts";
import { type ClientContext, stoppedError } from "./context.ts";
import { readStates } from "./state-reader.ts";

const pauseAbove = 256;
const resumeAt = 64;

/** The open watches of a client. */
export class Watches {
  readonly #context: ClientContext;
  readonly #open = new Set<Watch>();

  constructor(context: ClientContext) {
    this.#context = context;
  }

  /** How many watches are open. */
  get size(): number {
    return this.#open.size;
  }

  /** Returns an iterable; each iteration of it reads by itself, from the state that is current when it starts. */
  watch(address: Address, signal: AbortSignal | undefined): AsyncIterable<ActorView> {
    return {
      [Symbol.asyncIterator]: () => {
        const watch = new Watch(this.#context, address, signal, () => this.#open.delete(watch));
        this.#open.add(watch);
        watch.start();
        return watch;
      },
    };
  }

  /** Ends all watches with an error. */
  stop(): void {
    for (const watch of [...this.#open]) watch.end(stoppedError(`watch ${formatAddress(watch.address)}`));
  }
}

class Watch implements AsyncIterator<ActorView, undefined> {
  readonly address: Address;
  readonly #context: ClientContext;
  readonly #signal: AbortSignal | undefined;
  readonly #onEnd: () => void;
  #unlisten: (() => void) | undefined;
  #reader: LogReader | undefined;
  #views: ActorView[] = [];
  #isPaused = false;
  #isEnded = false;
  #error: { readonly reason: unknown } | undefined;
  #takers: Array<{
    readonly resolve: (result: IteratorResult<ActorView, undefined>) => void;
    readonly reject: (error: unknown) => void;
  }> = [];

  constructor(context: ClientContext, address: Address, signal: AbortSignal | undefined, onEnd: () => void) {
    this.#context = context;
    this.address = address;
    this.#signal = signal;
    this.#onEnd = onEnd;
  }

  start(): void {
    if (this.#context.isStopped) this.end(stoppedError(`watch ${formatAddress(this.address)}`));
    else if (this.#signal?.aborted === true) this.end(this.#signal.reason);
    if (this.#isEnded) return;
    const signal = this.#signal;
    this.#unlisten =
      signal &&
      onAbort(signal, () => {
        this.#views = [];
        this.end(signal.reason);
      });
    this.#reader = readStates(this.#context, this.address, {
      onView: (view) => this.#onView(view),
      onError: (error) => this.end(error),
    });
  }

  next(): Promise<IteratorResult<ActorView, undefined>> {
    const view = this.#views.shift();
    if (view !== undefined) {
      if (this.#isPaused && this.#views.length <= resumeAt) {
        this.#isPaused = false;
        this.#reader?.resume();
      }
      return Promise.resolve({ done: false, value: view });
    }
    if (this.#error !== undefined) {
      const { reason } = this.#error;
      this.#error = undefined;
      return Promise.reject(reason);
    }
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<ActorView, undefined>> {
    this.#views = [];
    this.#close();
    this.#error = undefined;
    for (const taker of this.#takers.splice(0)) taker.resolve({ done: true, value: undefined });
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Ends the watch with an error; what was read before it is still delivered. */
  end(reason: unknown): void {
    if (this.#isEnded) return;
    this.#close();
    const [first, ...others] = this.#takers.splice(0);
    if (first === undefined) this.#error = { reason };
    else first.reject(reason);
    for (const taker of others) taker.resolve({ done: true, value: undefined });
  }

  #close(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#unlisten?.();
    this.#reader?.stop();
    this.#onEnd();
  }

  #onView(view: ActorView): void {
    const taker = this.#takers.shift();
    if (taker !== undefined) {
      taker.resolve({ done: false, value: view });
      return;
    }
    this.#views.push(view);
    if (this.#views.length < pauseAbove || this.#isPaused) return;
    this.#isPaused = true;
    this.#reader?.pause();
  }
}

/** One timer for any number of deadlines: what is pending costs a set entry, not a timer of its own. */
import type { Time } from "../../runtime/core/time.ts";

/** Something with a deadline, by `time.elapsed()`; `Infinity`: none. */
export interface WithDeadline {
  readonly deadlineMs: number;
}

/** How close to each other the timer fires, at most. */
const shortestMs = 5;

/** Keeps items until they are deleted or their deadline is over. */
export class Deadlines<T extends WithDeadline> implements Iterable<T> {
  readonly #time: Time;
  readonly #onExpired: (item: T) => void;
  readonly #items = new Set<T>();
  #armedForMs = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | undefined;

  constructor(time: Time, onExpired: (item: T) => void) {
    this.#time = time;
    this.#onExpired = onExpired;
  }

  get size(): number {
    return this.#items.size;
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#items.values();
  }

  add(item: T): void {
    this.#items.add(item);
    if (item.deadlineMs < this.#armedForMs) this.#arm(item.deadlineMs);
  }

  /** Returns true when the item was kept. The timer stays: it finds nothing, or what has come after. */
  delete(item: T): boolean {
    return this.#items.delete(item);
  }

  /** Forgets everything; no item expires afterwards. */
  clear(): void {
    this.#items.clear();
    this.#cancel?.();
    this.#cancel = undefined;
    this.#armedForMs = Number.POSITIVE_INFINITY;
  }

  #arm(atMs: number): void {
    this.#cancel?.();
    this.#armedForMs = atMs;
    this.#cancel = this.#time.after(Math.max(shortestMs, atMs - this.#time.elapsed()), () => this.#sweep());
  }

  #sweep(): void {
    this.#cancel = undefined;
    const nowMs = this.#time.elapsed();
    let nextMs = Number.POSITIVE_INFINITY;
    const expired: T[] = [];
    for (const item of this.#items) {
      if (item.deadlineMs <= nowMs) expired.push(item);
      else if (item.deadlineMs < nextMs) nextMs = item.deadlineMs;
    }
    this.#armedForMs = Number.POSITIVE_INFINITY;
    for (const item of expired) this.#items.delete(item);
    if (nextMs !== Number.POSITIVE_INFINITY) this.#arm(nextMs);
    for (const item of expired) this.#onExpired(item);
  }
}

/** A clock on the wall that can be set forward: what waits for a time of day then comes at once, and nobody waits for real hours. */
import type { Time } from "../../runtime/core/time.ts";

interface Waiting {
  readonly atMs: number;
  readonly base: Time;
  readonly run: () => void;
  cancel: () => void;
}

/** A wall clock that all processes of a test go by. */
export class WallClock {
  #aheadMs = 0;
  readonly #waiting = new Set<Waiting>();

  /** How far it is ahead of the time below. */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  /** The time of a process that goes by this clock. `elapsed` goes on as below: no lease ends because the clock on the wall was set. */
  over(base: Time): Time {
    return {
      now: () => base.now() + this.#aheadMs,
      elapsed: () => base.elapsed(),
      soon: (run) => base.soon(run),
      after: (delayMs, run) => {
        const waiting: Waiting = { atMs: base.now() + this.#aheadMs + delayMs, base, run, cancel: () => {} };
        this.#waiting.add(waiting);
        waiting.cancel = base.after(delayMs, () => this.#wake(waiting));
        return () => {
          this.#waiting.delete(waiting);
          waiting.cancel();
        };
      },
    };
  }

  /** Sets the clock forward. Who waits for a time within the leap is woken at once, in order. */
  leap(ms: number): void {
    this.#aheadMs += ms;
    for (const waiting of [...this.#waiting].sort((one, other) => one.atMs - other.atMs)) {
      waiting.cancel();
      const leftMs = waiting.atMs - waiting.base.now() - this.#aheadMs;
      waiting.cancel = waiting.base.after(Math.max(0, leftMs), () => this.#wake(waiting));
    }
  }

  #wake(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    waiting.run();
  }
}

/** Time as a value that is handed in: the system's clock, or a virtual one in tests. */

/** Wall clock and timers. */
export interface Time {
  /** Milliseconds since 1970, as {@link Date.now}. */
  now(): number;
  /** Milliseconds of a clock that never jumps; only differences mean something. */
  elapsed(): number;
  /** Calls `run` once after `delayMs`; the returned function cancels it. Does not keep the process alive. */
  after(delayMs: number, run: () => void): () => void;
  /** Calls `run` once what is waiting to be read and written now has had its turn. */
  soon(run: () => void): void;
}

/** The machine's own clock. */
export const systemTime: Time = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after(delayMs, run) {
    // setTimeout counts in 32 bits: longer delays are taken in steps.
    const longestMs = 2 ** 31 - 1;
    let timer: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      timer = setTimeout(() => (leftMs > longestMs ? arm(leftMs - longestMs) : run()), Math.min(leftMs, longestMs));
      timer.unref();
    };
    arm(Math.max(0, delayMs));
    return () => clearTimeout(timer);
  },
  soon: (run) => {
    setImmediate(run);
  },
};

/** Resolves after `delayMs` of the given time. */
export function sleep(time: Time, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    time.after(delayMs, resolve);
  });
}

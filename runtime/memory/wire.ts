/** The way between the simulated processes and the memory broker: how long it takes, and whether the broker is there. */
import type { Time } from "../core/time.ts";
import type { Prng } from "./prng.ts";
import { VirtualTime } from "./virtual-time.ts";

/** How long one way takes, in milliseconds. */
export interface Latency {
  readonly minMs: number;
  readonly maxMs: number;
}

// Taken at load, so that a test runner's fake timers do not replace it.
const hop = setImmediate;

/** What all connections of a broker share. */
export class Wire {
  readonly time: Time;
  readonly random: Prng;
  /** After how long a client gives up waiting for an answer, milliseconds. */
  readonly timeoutMs: number;
  /** True when requests take no time at all: they are applied within the call. */
  readonly isDirect: boolean;
  /** Grows with every restart: answers of an earlier epoch are lost. */
  epoch = 0;
  isDown = false;
  readonly #virtual: VirtualTime | undefined;
  readonly #latency: Latency;

  constructor(time: Time, random: Prng, timeoutMs: number, latency: Latency | undefined) {
    this.time = time;
    this.random = random;
    this.timeoutMs = timeoutMs;
    this.#virtual = time instanceof VirtualTime ? time : undefined;
    this.#latency = latency ?? (this.#virtual === undefined ? { minMs: 0, maxMs: 0 } : { minMs: 0.1, maxMs: 1 });
    this.isDirect = this.#virtual === undefined && this.#latency.maxMs <= 0;
  }

  /** How long the next message is on its way. */
  transitMs(): number {
    const { minMs, maxMs } = this.#latency;
    return maxMs > minMs ? this.random.between(minMs, maxMs) : minMs;
  }

  /** Lets something happen at the broker or arrive at a process after `delayMs`, never within the call. */
  post(label: string, delayMs: number, run: () => void): void {
    if (this.#virtual !== undefined) this.#virtual.schedule(delayMs, run, label);
    else if (delayMs > 0) this.time.after(delayMs, run);
    else hop(run);
  }
}

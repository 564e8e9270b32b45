/** How many attempts a process may run at once, shared by its activities in the order in which they ask. */

/** A number of slots. */
export class Slots {
  #free: number;
  readonly #waiting: Array<() => void> = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** True when someone waits for a slot. */
  get isContended(): boolean {
    return this.#waiting.length > 0;
  }

  /** Resolves when the caller has a slot. */
  take(): Promise<void> {
    if (this.tryTake(1) === 1) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Takes up to `max` slots that are free now, none when someone waits already; returns how many. */
  tryTake(max: number): number {
    if (this.#waiting.length > 0) return 0;
    const taken = Math.max(0, Math.min(max, this.#free));
    this.#free -= taken;
    return taken;
  }

  /** Gives slots back. */
  give(count = 1): void {
    for (let i = 0; i < count; i++) {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

/**
 * Histograms with buckets of equal ratio: cheap to add to, exact to merge, and good for a quantile within 9 %.
 *
 * As JSON they are their counts per bucket, so that those of many nodes can be added up anywhere.
 */

const bucketsPerDoubling = 8;

/** A histogram with buckets of 9 % width, from `least` up; what is smaller counts as `least`. */
export class Histogram {
  readonly #least: number;
  readonly #counts: number[] = [];
  #total = 0;
  /** Called with each value that is added; for those who keep histograms of their own. */
  onAdd: ((value: number) => void) | undefined;

  constructor(least: number) {
    this.#least = least;
  }

  add(value: number): void {
    const bucket = value <= this.#least ? 0 : Math.ceil(Math.log2(value / this.#least) * bucketsPerDoubling);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total++;
    this.onAdd?.(value);
  }

  get count(): number {
    return this.#total;
  }

  /** Upper bound of the bucket that holds the given share (0 to 1) of all values; 0 when there are none. */
  quantile(share: number): number {
    let left = Math.max(1, Math.ceil(this.#total * share));
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      left -= this.#counts[bucket] ?? 0;
      if (left <= 0) return this.#least * 2 ** (bucket / bucketsPerDoubling);
    }
    return 0;
  }

  /** Adds the counts of another histogram of the same `least`, given as {@link Histogram.toJSON} makes them. */
  merge(counts: readonly number[]): void {
    counts.forEach((count, bucket) => {
      if (count === 0 || count === null) return;
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
      this.#total += count;
    });
  }

  /** The counts per bucket. */
  toJSON(): number[] {
    return Array.from(this.#counts, (count) => count ?? 0);
  }
}

/** A histogram of milliseconds, from 0.1 ms up. */
export class Latencies extends Histogram {
  constructor() {
    super(0.1);
  }
}

/** A histogram of bytes, from 1 up. */
export class Sizes extends Histogram {
  constructor() {
    super(1);
  }
}

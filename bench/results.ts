/** What a benchmark prints, and the little statistics it needs. */

/** One line of results. */
export interface Result {
  readonly workload: string;
  /** `statewright`, `floor`, or a peer's name. */
  readonly subject: string;
  readonly perSecond?: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  /** Of the same run: rates divided by the floor's rate, times by the floor's time. */
  readonly ratioToFloor?: number;
  readonly bytesPerActor?: number;
  /** The most that the node's process had in memory, and on its heap, MB. */
  readonly peakRssMb?: number;
  readonly peakHeapMb?: number;
}

/** The middle of some values. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which the given share of all values lies; 0 when there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

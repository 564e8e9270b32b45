/** Amounts as the command line shows them: durations and bytes in the unit that fits. */

/** Writes a duration as `0 ms`, `250 ms`, `1.5 s`, `12 min` or `3.5 h`. */
export function shownDuration(ms: number): string {
  if (ms < 1000) return `${short(ms)} ms`;
  if (ms < 120_000) return `${short(ms / 1000)} s`;
  if (ms < 2 * 3_600_000) return `${short(ms / 60_000)} min`;
  if (ms < 48 * 3_600_000) return `${short(ms / 3_600_000)} h`;
  return `${short(ms / 86_400_000)} d`;
}

/** Writes a number of bytes as `900 B`, `1.5 kB`, `12 MB` or `3.5 GB`. */
export function shownBytes(bytes: number): string {
  if (bytes < 1000) return `${short(bytes)} B`;
  if (bytes < 1e6) return `${short(bytes / 1e3)} kB`;
  if (bytes < 1e9) return `${short(bytes / 1e6)} MB`;
  return `${short(bytes / 1e9)} GB`;
}

/** Two digits that say something, or all that stand before the point. */
function short(value: number): string {
  return value >= 10 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}

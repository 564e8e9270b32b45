/**
 * Buckets of timers: the days, hours and minutes (UTC) under which timer records are stored, and how a span of time is covered by few of them.
 *
 * Times are milliseconds since 1970; spans include their beginning and not their end.
 */

/** A whole day, hour or minute. */
export interface TimerBucket {
  readonly unit: "day" | "hour" | "minute";
  readonly fromMs: number;
  readonly toMs: number;
}

/** The length of a minute, the smallest bucket. */
export const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** The beginning of the minute that holds a time. */
export function minuteOf(atMs: number): number {
  return Math.floor(atMs / minuteMs) * minuteMs;
}

/** The largest bucket that begins at `fromMs` and does not go beyond `toMs`; both are beginnings of minutes, `fromMs` the earlier one. */
export function bucketFrom(fromMs: number, toMs: number): TimerBucket {
  if (fromMs % dayMs === 0 && fromMs + dayMs <= toMs) return { unit: "day", fromMs, toMs: fromMs + dayMs };
  if (fromMs % hourMs === 0 && fromMs + hourMs <= toMs) return { unit: "hour", fromMs, toMs: fromMs + hourMs };
  return { unit: "minute", fromMs, toMs: fromMs + minuteMs };
}

/**
 * The fewest buckets that end by `beforeMs` and hold all closed minutes and no open one, oldest first.
 *
 * `minutes` are those with records, in any order, each with the number of its timers that are still to be handled; closed are those without.
 */
export function closedBuckets(minutes: ReadonlyMap<number, number>, beforeMs: number): TimerBucket[] {
  const past = [...minutes.keys()].filter((minute) => minute + minuteMs <= beforeMs).sort((a, b) => a - b);
  const busy = { day: new Set<number>(), hour: new Set<number>(), minute: new Set<number>() };
  for (const [minute, open] of minutes) {
    if (open > 0) for (const unit of units) busy[unit].add(beginningOf(unit, minute));
  }
  const buckets: TimerBucket[] = [];
  let coveredMs = Number.NEGATIVE_INFINITY;
  for (const minute of past) {
    if (minute < coveredMs) continue;
    for (const unit of units) {
      const fromMs = beginningOf(unit, minute);
      const toMs = fromMs + lengths[unit];
      if (toMs > beforeMs || busy[unit].has(fromMs)) continue;
      buckets.push({ unit, fromMs, toMs });
      coveredMs = toMs;
      break;
    }
  }
  return buckets;
}

const lengths = { day: dayMs, hour: hourMs, minute: minuteMs } as const;
/** Largest first. */
const units = ["day", "hour", "minute"] as const;

function beginningOf(unit: TimerBucket["unit"], atMs: number): number {
  return Math.floor(atMs / lengths[unit]) * lengths[unit];
}

/** How spans of time are covered by days, hours and minutes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bucketFrom, closedBuckets, minuteMs, minuteOf, type TimerBucket } from "../../runtime/engine/timer-buckets.ts";

const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const noon = Date.UTC(2026, 2, 1, 12);

function cover(fromMs: number, toMs: number): TimerBucket[] {
  const buckets: TimerBucket[] = [];
  for (let atMs = fromMs; atMs < toMs; ) {
    const bucket = bucketFrom(atMs, toMs);
    buckets.push(bucket);
    atMs = bucket.toMs;
  }
  return buckets;
}

const minutes = fc.integer({ min: -5000, max: 500_000 }).map((minute) => noon + minute * minuteMs);

describe("bucketFrom", () => {
  it("covers a year with whole days, and its ends with hours and minutes", () => {
    const buckets = cover(noon + 34 * minuteMs, noon + 365 * dayMs + 2 * hourMs + 3 * minuteMs);
    const count = (unit: string) => buckets.filter((bucket) => bucket.unit === unit).length;
    expect({ day: count("day"), hour: count("hour"), minute: count("minute") }).toEqual({
      day: 364,
      hour: 11 + 14,
      minute: 26 + 3,
    });
  });

  it("covers every span exactly, each minute once, with a few hundred buckets for a year", () => {
    fc.assert(
      fc.property(minutes, fc.integer({ min: 0, max: 525_600 }), (fromMs, length) => {
        const toMs = fromMs + length * minuteMs;
        let atMs = fromMs;
        const buckets = cover(fromMs, toMs);
        for (const bucket of buckets) {
          expect(bucket.fromMs).toBe(atMs);
          expect(bucket.toMs - bucket.fromMs).toBe({ day: dayMs, hour: hourMs, minute: minuteMs }[bucket.unit]);
          expect(bucket.fromMs % (bucket.toMs - bucket.fromMs)).toBe(0);
          atMs = bucket.toMs;
        }
        expect(atMs).toBe(toMs);
        expect(buckets.length).toBeLessThanOrEqual(365 + 2 * 23 + 2 * 59);
      }),
    );
  });
});

describe("closedBuckets", () => {
  it("takes whole days and hours where nothing is open", () => {
    const day = noon - 12 * hourMs;
    const buckets = closedBuckets(
      new Map([
        [day + 5 * minuteMs, 0],
        [day + 9 * hourMs, 0],
        [day + dayMs, 0],
        [day + dayMs + minuteMs, 1],
        [day + dayMs + hourMs, 0],
        [day + dayMs + 2 * hourMs, 0],
      ]),
      day + dayMs + 2 * hourMs + minuteMs,
    );
    expect(buckets.map(({ unit, fromMs }) => [unit, (fromMs - day) / minuteMs])).toEqual([
      ["day", 0],
      ["minute", 1440],
      ["hour", 1500],
      ["minute", 1560],
    ]);
  });

  it("holds every closed minute that is past, and no open one", () => {
    const known = fc.array(fc.tuple(fc.integer({ min: 0, max: 4000 }), fc.constantFrom(0, 0, 0, 1)), { maxLength: 60 });
    fc.assert(
      fc.property(minutes, known, fc.integer({ min: 0, max: 4200 }), (fromMs, seen, until) => {
        const all = new Map(seen.map(([minute, open]) => [fromMs + minute * minuteMs, open]));
        const beforeMs = fromMs + until * minuteMs;
        const buckets = closedBuckets(all, beforeMs);
        for (const [minute, open] of all) {
          const holding = buckets.filter((bucket) => bucket.fromMs <= minute && minute < bucket.toMs);
          expect(holding.length).toBe(open === 0 && minute < beforeMs ? 1 : 0);
        }
        for (const [i, bucket] of buckets.entries()) {
          expect(bucket.toMs).toBeLessThanOrEqual(beforeMs);
          expect(bucket.fromMs).toBeGreaterThanOrEqual(buckets[i - 1]?.toMs ?? Number.NEGATIVE_INFINITY);
        }
      }),
    );
  });
});

describe("minuteOf", () => {
  it("is the beginning of the minute", () => {
    expect(minuteOf(noon + 59_999.5)).toBe(noon);
    expect(minuteOf(noon)).toBe(noon);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Latencies } from "../../runtime/engine/histogram.ts";
import { LowWater } from "../../runtime/engine/low-water.ts";

describe("LowWater", () => {
  it("stands at the newest sequence before which everything is handled, and knows the oldest that is not, in whatever order that happens", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 60 }),
        fc.infiniteStream(fc.nat()),
        (read, order) => {
          const seqs = [...read].sort((a, b) => a - b);
          const water = new LowWater(0);
          for (const seq of seqs) water.read(seq, 1000 + seq);
          expect(water.readUpTo).toBe(seqs.at(-1));
          const open = [...seqs];
          while (open.length > 0) {
            const [seq] = open.splice((order.next().value as number) % open.length, 1);
            water.handled(seq as number);
            const before = open.length === 0 ? Number.POSITIVE_INFINITY : Math.min(...open);
            expect(water.mark).toBe(seqs.filter((each) => each < before).at(-1) ?? 0);
            expect(water.pending).toBe(open.length);
            expect(water.oldestAtMs).toBe(open.length === 0 ? undefined : 1000 + before);
          }
        },
      ),
    );
  });
});

describe("LowWater over many messages", () => {
  it("still knows the oldest that is not handled", () => {
    const water = new LowWater(0);
    for (let seq = 1; seq <= 5000; seq++) water.read(seq, 1000 + seq);
    for (let seq = 1; seq <= 4000; seq++) {
      water.handled(seq);
      expect([water.mark, water.oldestAtMs]).toEqual([seq, 1001 + seq]);
    }
    expect(water.pending).toBe(1000);
  });
});

describe("Latencies", () => {
  it("names a bound that is at most 9 % above the true quantile", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.2, max: 60_000, noNaN: true }), { minLength: 1, maxLength: 200 }),
        (values) => {
          const latencies = new Latencies();
          for (const value of values) latencies.add(value);
          const sorted = [...values].sort((a, b) => a - b);
          const median = sorted[Math.ceil(sorted.length / 2) - 1] as number;
          expect(latencies.quantile(0.5)).toBeGreaterThanOrEqual(median * 0.999);
          expect(latencies.quantile(0.5)).toBeLessThanOrEqual(median * 1.1);
        },
      ),
    );
  });

  it("adds up the counts of several nodes", () => {
    const [one, two] = [new Latencies(), new Latencies()];
    one.add(1);
    two.add(100);
    two.merge(one.toJSON());
    expect([two.count, two.quantile(1) > 90, two.quantile(0.5) < 2]).toEqual([2, true, true]);
  });
});

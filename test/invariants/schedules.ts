/**
 * The invariants as properties: I1 to I7 and progress hold in every world that fast-check draws.
 *
 * `STATEWRIGHT_SEEDS=200000` sets how many worlds there are in all files together (10,000 unless told); `STATEWRIGHT_SEED=7` where drawing begins.
 */
import { describe, expect, it } from "vitest";
import { checkPlans, schedulesPerFile, type Totals } from "./check-plans.ts";
import { points } from "./plan.ts";

const files = 2;
const usualSchedules = 10_000;

/** Faults of the broker and of processes that every half must have met. Signals, queues and deletion are not part of these worlds. */
const expectedFaults = [
  "append.lost-request",
  "append.lost-answer",
  "append.late",
  "append.refused",
  "append.full",
  "append.delay",
  "read.delay",
  "read.stall",
  "last.delay",
  "last.unavailable",
  "scan.stale",
  "purge.delay",
  "purge.unavailable",
  "purge.lost-answer",
  "broker.restart",
  "process.sever",
  "process.freeze",
  "process.cut",
];

/** What nodes count when the faults come home to them. */
const hardships = ["node.conflicts", "node.commitRetries", "node.redelivered", "node.takeovers", "node.duplicates"];

/** Declares the tests of one half of the schedules. */
export function checkHalf(half: number): void {
  const runs = schedulesPerFile(files, usualSchedules);
  const seed = Number(process.env.STATEWRIGHT_SEED ?? 1) * 1000 + half;

  describe(`${runs} worlds with crashes, zombies and a broker that misbehaves, half ${half}`, () => {
    let totals: Totals | undefined;

    it("lose nothing, apply everything once and in order, and come to rest", { timeout: 3_600_000 }, async () => {
      totals = await checkPlans(runs, seed);
      expect(totals.runs).toBe(runs);
    });

    it("meet every fault of the broker", () => {
      const missing = expectedFaults.filter((name) => (totals?.counts[name] ?? 0) < Math.floor(runs / 2500));
      expect(missing).toEqual([]);
    });

    it("let nodes commit against each other, and be refused", () => {
      const rare = hardships.filter((name) => (totals?.counts[name] ?? 0) < Math.floor(runs / 500));
      expect(rare).toEqual([]);
    });

    it("crash at every named fault point", () => {
      const rare = points.filter((point) => (totals?.counts[`crash.${point}`] ?? 0) < Math.floor(runs / 200));
      expect(rare).toEqual([]);
    });
  });
}

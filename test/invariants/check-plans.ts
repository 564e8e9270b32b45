/** Runs many plans and checks that none breaks a promise; what they went through is counted, so that a test can see that it was hard enough. */
import fc from "fast-check";
import type { Violation } from "./oracle.ts";
import { type Plan, plans } from "./plan.ts";
import type { Sabotage } from "./sim-nodes.ts";
import { report, runPlan } from "./world.ts";

/** How many schedules a test file runs; STATEWRIGHT_SEEDS raises (or lowers) the sum over all files. */
export function schedulesPerFile(files: number, usual: number): number {
  const asked = Number(process.env.STATEWRIGHT_SEEDS ?? Number.NaN);
  return Math.ceil((Number.isFinite(asked) && asked > 0 ? asked : usual) / files);
}

/** What many runs went through. */
export interface Totals {
  runs: number;
  quietAfterMs: number;
  readonly counts: Record<string, number>;
}

/**
 * Runs so many plans, drawn from the seed; rejects with the smallest plan that fast-check can find for a failure, and its story.
 */
export async function checkPlans(runs: number, seed: number): Promise<Totals> {
  const totals: Totals = { runs: 0, quietAfterMs: 0, counts: {} };
  const property = fc.asyncProperty(plans, async (plan) => {
    const outcome = await runPlan(plan);
    totals.runs++;
    totals.quietAfterMs = Math.max(totals.quietAfterMs, outcome.quietAfterMs);
    for (const [name, count] of Object.entries(outcome.counts))
      totals.counts[name] = (totals.counts[name] ?? 0) + count;
    if (outcome.violations.length > 0) throw new Error(report(plan, outcome));
  });
  await withoutStacks(() => fc.assert(property, { numRuns: runs, seed }));
  return totals;
}

/** Runs plans against sabotaged nodes until the checks find something; undefined when they find nothing in so many. */
export async function findViolation(
  sabotage: Sabotage,
  runs: number,
  seed: number,
): Promise<{ readonly plan: Plan; readonly violations: readonly Violation[]; readonly runs: number } | undefined> {
  return withoutStacks(async () => {
    let count = 0;
    for (const plan of fc.sample(plans, { numRuns: runs, seed })) {
      count++;
      const { violations } = await runPlan(plan, sabotage);
      if (violations.length > 0) return { plan, violations, runs: count };
    }
    return undefined;
  });
}

/** Machines of these worlds throw all the time: their stacks would cost more than everything else. */
async function withoutStacks<A>(run: () => Promise<A>): Promise<A> {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return await run();
  } finally {
    Error.stackTraceLimit = before;
  }
}

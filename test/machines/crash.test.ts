/**
 * The machines on the log in memory: each script straight, and with a node that dies at every fault point that the script comes to (I1 to I4, I6).
 *
 * A crash may not show: the same final state, and the same events emitted, once each and in the same order.
 */
import { describe, expect, test } from "vitest";
import { type FaultPoint, faultPoints } from "../../runtime/engine/faults.ts";
import { judge, type Observation } from "../scenarios/compare.ts";
import type { Scenario } from "../scenarios/scenario.ts";
import { machines } from "./catalog.ts";
import { memoryPlace } from "./memory-place.ts";
import { compareEnds, type Disturbance, play, provoked, roleOf, withoutActions } from "./play.ts";
import { type Crash, MachineSpace } from "./space.ts";

interface Run {
  readonly seen: readonly Observation[];
  readonly passages: ReadonlyMap<FaultPoint, number>;
  readonly crashed: readonly Crash[];
  readonly letters: number;
}

async function run(scenario: Scenario, disturbances: readonly Disturbance[], crash?: Crash): Promise<Run> {
  const role = roleOf(scenario, "machine");
  const space = new MachineSpace(memoryPlace(1), [role.definition], crash === undefined ? [] : [crash]);
  try {
    await space.open();
    const seen = await play(space, role, "1", disturbances);
    return { seen, passages: new Map(space.passages), crashed: space.crashed, letters: space.witness.letters.length };
  } finally {
    await space.close();
  }
}

/** In how many cells (script x point x passage) a node was to die, and in how many it did. */
const cells = new Map(faultPoints.map((point) => [point, { planned: 0, died: 0 }]));

/** Where every script comes by. */
const pointsOfAll = [
  "read",
  "loaded",
  "decided",
  "commit.before",
  "commit.after",
  "answered",
  "lease.taken",
  "drained",
  "letter.before",
] as const satisfies readonly FaultPoint[];

describe.each(Object.entries(machines))("%s", (_name, scenarios) => {
  describe.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", (_title, scenario) => {
    const straight = run(scenario, []);

    test("straight, as on live XState", async () => {
      const { seen, letters } = await straight;
      expect(judge(scenario, seen.slice(0, -1))).toEqual([]);
      expect(letters).toBe(0);
    });

    test.each(faultPoints)("with a crash at %s", async (point) => {
      const disturbance = provoked[point];
      const disturbances = disturbance === undefined ? [] : [disturbance];
      const { seen, passages } = await straight;
      const cell = cells.get(point) as { planned: number; died: number };
      for (const passage of passagesToDieAt(scenario, point, passages)) {
        cell.planned++;
        const again = await run(scenario, disturbances, { point, passage });
        cell.died += again.crashed.length;
        expect(again.crashed).toEqual([{ point, passage }]);
        expect(judge(withoutActions(scenario), again.seen.slice(0, -1))).toEqual([]);
        expect(compareEnds(seen.at(-1) as Observation, again.seen.at(-1) as Observation)).toEqual([]);
        expect(again.letters).toBe(disturbance === "litter" ? 1 : 0);
      }
    });
  });
});

/** The first passage and a later one; all of them where live children are, which only their owner's memory knows. */
function passagesToDieAt(
  scenario: Scenario,
  point: FaultPoint,
  passages: ReadonlyMap<FaultPoint, number>,
): Iterable<number> {
  if (point === "retry") return scenario.steps.some((step) => "send" in step) ? [1] : [];
  if (provoked[point] !== undefined) return [1];
  const last = passages.get(point) ?? 0;
  if (hasLive(scenario)) return Array.from({ length: last }, (_, i) => i + 1);
  return last === 0 ? [] : new Set([1, Math.ceil((2 * last) / 3)]);
}

function hasLive({ covers }: Scenario): boolean {
  return covers.some((row) => row === "logic.callback" || row === "logic.observable");
}

test("a node died in every cell, and at every fault point", () => {
  const lines = [...cells].map(([point, { planned, died }]) => `${point}: ${died} of ${planned}`);
  const all = [...cells.values()].reduce((sum, { died }) => sum + died, 0);
  process.stdout.write(`Nodes that died, by fault point:\n${lines.join("\n")}\nin all: ${all}\n`);
  for (const [point, { planned, died }] of cells) {
    expect(died, point).toBe(planned);
    expect(died, point).toBeGreaterThan(0);
  }
  const scripts = Object.values(machines).flat().length;
  for (const point of pointsOfAll) expect(cells.get(point)?.died, point).toBeGreaterThanOrEqual(scripts);
});

/**
 * The machines on a real server: each script straight, and then again and again while node after node dies at every fault point (I1 to I4, I6).
 *
 * A node dies as a process does that is killed: from one instant on nothing goes out of it or comes in. What it had sent may still be stored.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type EmbeddedServer, startEmbeddedServer } from "../../index.ts";
import { type FaultPoint, faultPoints } from "../../runtime/engine/faults.ts";
import { judge, type Observation } from "../scenarios/compare.ts";
import type { Scenario } from "../scenarios/scenario.ts";
import { machines } from "./catalog.ts";
import { jetStreamPlace } from "./jetstream-place.ts";
import { compareEnds, type Disturbance, play, provoked, type Role, roleOf, withoutActions } from "./play.ts";
import { MachineSpace, type Place } from "./space.ts";

/** What was seen of one machine. */
interface Report {
  /** In words, what was otherwise than it should be. */
  readonly problems: readonly string[];
  readonly died: ReadonlySet<FaultPoint>;
  /** Where a node was to die and did not come to. */
  readonly missed: ReadonlySet<FaultPoint>;
}

const disturbances: readonly Disturbance[] = ["hand-over", "litter", "flaky-door"];
/** Most of the time is spent waiting for leases to end: so many machines wait side by side. */
const concurrency = 12;
/** So often a machine's scripts are played for the points that depend on how long something takes, and at most so often for those that a node must come to. */
const plays = 8;
const maxPlays = 24;

let server: EmbeddedServer;
const reports = new Map<string, Promise<Report>>();

beforeAll(async () => {
  server = await startEmbeddedServer();
  const inTurn = limited(concurrency);
  for (const [name, scenarios] of Object.entries(machines)) {
    const report = inTurn(() => examine(name, scenarios));
    // Its test awaits it, but perhaps not yet.
    report.catch(() => {});
    reports.set(name, report);
  }
});
afterAll(() => server.stop("kill"));

describe("on a real server", { timeout: 180_000 }, () => {
  test.each(Object.keys(machines))("%s goes as on live XState, whoever dies", async (name) => {
    const { problems, died } = (await reports.get(name)) as Report;
    expect(problems).toEqual([]);
    expect(died.size).toBeGreaterThan(0);
  });

  test("nodes died at every fault point: of every machine where all come to it, of many where some do", async () => {
    const all = await Promise.all(reports.values());
    const count = (point: FaultPoint, of: "died" | "missed") => all.filter((report) => report[of].has(point)).length;
    const cells = faultPoints.map((point) => `${point}: ${count(point, "died")} of ${all.length} machines`);
    process.stdout.write(`${cells.join("\n")}\n`);
    for (const point of faultPoints) {
      const [died, missed] = [count(point, "died"), count(point, "missed")];
      if (isMetByChance(point)) expect(died, point).toBeGreaterThan(missed);
      else expect([died, missed], point).toEqual([all.length, 0]);
    }
  });
});

/** Lets at most so many run at a time; the others wait in line. */
function limited(most: number): <A>(run: () => Promise<A>) => Promise<A> {
  let running = 0;
  const waiting: Array<() => void> = [];
  return async (run) => {
    if (running < most) running++;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}

/** Points that depend on how long something takes. */
function isMetByChance(point: FaultPoint): boolean {
  return /^(timer|checkpoint|purged)/.test(point);
}

async function examine(name: string, scenarios: readonly Scenario[]): Promise<Report> {
  const place = await jetStreamPlace(server.url, `m-${name.toLowerCase()}`);
  try {
    const roles = scenarios.map((scenario, i) => roleOf(scenario, `script${i}`));
    const { problems, ends, passed } = await playStraight(place, roles);
    const points = faultPoints.filter((point) => passed.has(point) || provoked[point] !== undefined);
    const crashes = points.map((point, i) => ({ point, passage: isMetOnce(point) ? 1 : 1 + (i % 2) }));
    const space = spaceOf(place, roles, crashes);
    try {
      await space.open();
      // A node may live through a play when what it is to die of came while another one was the owner: then a later play has it die.
      const isOver = (i: number): boolean =>
        i >= maxPlays || space.planned.every(({ point }) => i >= plays && isMetByChance(point));
      for (let i = 0; !isOver(i); i++) {
        const role = roles[i % roles.length] as Role;
        const seen = await play(space, role, `crash-${i}`, disturbances);
        problems.push(...judge(withoutActions(role.scenario), seen.slice(0, -1)));
        problems.push(...compareEnds(ends[i % roles.length] as Observation, seen.at(-1) as Observation));
      }
      problems.push(...space.witness.letters.filter(({ reason }) => reason !== "malformed").map(String));
      return {
        problems,
        died: new Set(space.crashed.map(({ point }) => point)),
        missed: new Set(space.planned.map(({ point }) => point)),
      };
    } finally {
      await space.close();
    }
  } finally {
    await place.close();
  }
}

/** A node comes to some points only once. */
function isMetOnce(point: FaultPoint): boolean {
  return point === "lease.taken" || provoked[point] !== undefined;
}

function spaceOf(place: Place, roles: readonly Role[], crashes: ConstructorParameters<typeof MachineSpace>[2] = []) {
  return new MachineSpace(
    place,
    roles.map(({ definition }) => definition),
    crashes,
  );
}

/** Plays each script once without a crash. */
async function playStraight(
  place: Place,
  roles: readonly Role[],
): Promise<{ problems: string[]; ends: readonly Observation[]; passed: ReadonlySet<FaultPoint> }> {
  const space = spaceOf(place, roles);
  const problems: string[] = [];
  const ends: Observation[] = [];
  try {
    await space.open();
    for (const role of roles) {
      space.logged.length = 0;
      const seen = await play(space, role, "straight");
      problems.push(...judge(role.scenario, seen.slice(0, -1)));
      ends.push(seen.at(-1) as Observation);
    }
    problems.push(...space.witness.letters.map(({ explanation }) => explanation));
  } finally {
    await space.close();
  }
  return { problems, ends, passed: new Set([...space.passages].flatMap(([point, n]) => (n > 0 ? [point] : []))) };
}

import { afterEach, describe, expect, test } from "vitest";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";
import { defineSchedule, type ScheduleDefinition } from "../../workflows/schedules/define-schedule.ts";
import { advanceTo, day, hour, type JobInput, job, minute, runsOf, timesOf } from "./schedule-world.ts";

let system: TestSystem | undefined;
afterEach(async () => {
  await system?.stop();
  system = undefined;
});

const input = ({ at }: { readonly at: Date }): JobInput => ({ day: at.toISOString() });

async function begin(schedule: ScheduleDefinition, at: string): Promise<TestSystem> {
  system = await createTestSystem({ actors: [schedule, job] });
  await advanceTo(system, at);
  await system.run(schedule.start(system.client));
  return system;
}

const minutes = (runs: ReadonlyArray<{ readonly key: string }>) => timesOf(runs).map((time) => time.slice(5, 16));

describe("clocks that are put forward and back", () => {
  const nightly = defineSchedule("nightly", { workflow: job, cron: "30 2 * * *", timeZone: "Europe/Berlin", input });

  test("neither lose nor double a daily tick in spring, in the zone of the schedule", async () => {
    const { advance } = await begin(nightly, "2027-03-26T12:00:00Z");
    await advance(4 * day); // 02:30 of 28 March does not exist
    expect(minutes(await runsOf(system as TestSystem))).toEqual([
      "03-27T01:30",
      "03-28T01:30",
      "03-29T00:30",
      "03-30T00:30",
    ]);
  });

  test("neither lose nor double it in autumn", async () => {
    const { advance } = await begin(nightly, "2027-10-29T12:00:00Z");
    await advance(4 * day); // 02:30 of 31 October is there twice
    const autumn = await runsOf(system as TestSystem);
    expect(minutes(autumn)).toEqual(["10-30T00:30", "10-31T00:30", "11-01T01:30", "11-02T01:30"]);
  });

  test("change nothing for ticks of every hour", async () => {
    const hourly = defineSchedule("hourly", { workflow: job, cron: "0 * * * *", timeZone: "Europe/Berlin", input });
    const { advance } = await begin(hourly, "2027-10-30T22:30:00Z");
    await advance(5 * hour);
    expect(minutes(await runsOf(system as TestSystem))).toEqual([
      "10-30T23:00",
      "10-31T00:00",
      "10-31T01:00",
      "10-31T02:00",
      "10-31T03:00",
    ]);
  });
});

test("two years of a monthly cron pass in a moment", async () => {
  const monthly = defineSchedule("monthly", { workflow: job, cron: "0 9 1 * *", timeZone: "America/New_York", input });
  const { advance, client, run } = await begin(monthly, "2027-01-15T00:00:00Z");
  await advance(730 * day);
  const runs = await runsOf(system as TestSystem);
  expect(runs).toHaveLength(24);
  expect(new Set(runs.map(({ status }) => status))).toEqual(new Set(["completed"]));
  expect(minutes(runs).slice(0, 4)).toEqual(["02-01T14:00", "03-01T14:00", "04-01T13:00", "05-01T13:00"]);
  expect(await run(monthly.describe(client))).toMatchObject({ started: 24, missed: 0, skipped: 0 });
});

describe("after a time in which no node ran", () => {
  const every = (catchUp: `${number} minutes` | undefined) =>
    defineSchedule("often", {
      workflow: job,
      cron: "*/5 * * * *",
      overlap: "allow",
      input,
      ...(catchUp === undefined ? {} : { catchUp }),
    });

  async function down(schedule: ScheduleDefinition, ms: number): Promise<TestSystem> {
    const it = await begin(schedule, "2027-03-01T11:59:00Z");
    await it.advance(2 * minute);
    await it.run((it.nodes[0] as { stop(): Promise<void> }).stop());
    await it.advance(ms);
    await it.startNode();
    return it;
  }

  test("ticks that are not too old are started, each once and in order, and the others are missed", async () => {
    const schedule = every("12 minutes");
    const it = await down(schedule, 3 * hour); // from 12:01 to 15:01
    await it.advance(minute);
    expect(minutes(await runsOf(it))).toEqual(["03-01T12:00", "03-01T14:50", "03-01T14:55", "03-01T15:00"]);
    expect(await it.run(schedule.describe(it.client))).toMatchObject({ started: 4, missed: 33 });
    await it.advance(4 * minute);
    expect(minutes(await runsOf(it)).at(-1)).toBe("03-01T15:05");
  });

  test("only those of the last minute are by default", async () => {
    const schedule = every(undefined);
    const it = await down(schedule, 3 * hour + 2 * minute);
    await it.advance(minute);
    expect(minutes(await runsOf(it))).toEqual(["03-01T12:00"]);
    expect(await it.run(schedule.describe(it.client))).toMatchObject({ started: 1, missed: 36 });
  });

  test("more of them than one commit takes are started all the same", async () => {
    const schedule = every("1440 minutes");
    const it = await down(schedule, 20 * hour);
    await it.advance(2 * minute);
    const runs = await runsOf(it);
    expect(runs).toHaveLength(1 + 240);
    expect(new Set(minutes(runs)).size).toBe(241);
    expect(await it.run(schedule.describe(it.client))).toMatchObject({ started: 241, missed: 0 });
  });

  test("those that nobody could count one by one cost no time", async () => {
    const schedule = defineSchedule("often", { workflow: job, every: "1 second", input });
    const it = await begin(schedule, "2027-03-01T12:00:00Z");
    await it.advance(500);
    await it.run((it.nodes[0] as { stop(): Promise<void> }).stop());
    await it.advance(365 * day);
    await it.startNode();
    await it.advance(5_000);
    const { missed, started, skipped } = await it.run(schedule.describe(it.client));
    expect(missed).toBeGreaterThan(365 * 86_400 - 70);
    expect(missed).toBeLessThan(365 * 86_400 + 10);
    expect(started + skipped).toBeGreaterThanOrEqual(60);
  });
});

test("a definition with other times is followed as soon as the schedule is started with it", async () => {
  const yearly = defineSchedule("changing", { workflow: job, cron: "0 0 1 1 *", input });
  const hourly = defineSchedule("changing", { workflow: job, cron: "0 * * * *", input });
  const it = await begin(yearly, "2027-03-01T11:59:00Z");
  await it.run((it.nodes[0] as { stop(): Promise<void> }).stop());
  await it.startNode({ actors: [hourly, job] });
  expect(await it.run(hourly.start(it.client))).toEqual({ isNew: false });
  await it.advance(2 * minute);
  expect(minutes(await runsOf(it))).toEqual(["03-01T12:00"]);
});

describe("a crash of the node at any point around a tick", () => {
  test.each([
    "read",
    "timer.armed",
    "timer.before",
    "loaded",
    "decided",
    "commit.before",
    "commit.after",
    "answered",
  ] as const)("starts every run once: %s", async (point) => {
    const schedule = defineSchedule("often", {
      workflow: job,
      cron: "* * * * *",
      overlap: "terminate",
      catchUp: "10 minutes",
      input: ({ at }): JobInput => ({ day: at.toISOString(), takesMs: 65_000 }),
    });
    for (const count of [1, 2, 3, 5, 8]) {
      system = await createTestSystem({ actors: [schedule, job], nodes: 3, seed: count });
      const it = system;
      await advanceTo(it, "2027-03-01T12:00:30Z");
      await it.run(schedule.start(it.client));
      for (const node of it.nodes.slice(0, 2)) node.crashAt(point, count);
      await it.advance(6 * minute);
      const runs = await runsOf(it);
      expect(minutes(runs).map((time) => time.slice(9))).toEqual(["01", "02", "03", "04", "05", "06"]);
      const { recent, started, missed, skipped } = await it.run(schedule.describe(it.client));
      expect({ missed, all: started + skipped }).toEqual({ missed: 0, all: 6 });
      for (const { key, status } of recent) {
        if (status === "skipped") continue;
        expect(runs.find((each) => each.key === key)?.status).toBe(status);
      }
      await it.stop();
    }
    system = undefined;
  });
});

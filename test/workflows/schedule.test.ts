import { afterEach, describe, expect, test } from "vitest";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";
import { defineSchedule } from "../../workflows/schedules/define-schedule.ts";
import type { ScheduleOptions } from "../../workflows/schedules/schedule-options.ts";
import { advanceTo, day, hour, type JobInput, job, minute, runsOf, timesOf } from "./schedule-world.ts";

let system: TestSystem | undefined;
afterEach(async () => {
  await system?.stop();
  system = undefined;
});

const hourly = defineSchedule("hourly", {
  workflow: job,
  every: "1 hour",
  input: ({ at }): JobInput => ({ day: at.toISOString() }),
});

async function begin(schedule: typeof hourly, at = "2027-03-01T00:30:00Z"): Promise<TestSystem> {
  system = await createTestSystem({ actors: [schedule, job] });
  await advanceTo(system, at);
  await system.run(schedule.start(system.client));
  return system;
}

describe("a schedule", () => {
  test("starts a run at every tick, with the tick's time as key and input", async () => {
    const { run, client, advance } = await begin(hourly);
    await advance(3 * hour);
    const runs = await runsOf(system as TestSystem);
    expect(runs.map(({ key, status }) => [key, status])).toEqual([
      ["hourly/default/2027-03-01T01:00:00.000Z", "completed"],
      ["hourly/default/2027-03-01T02:00:00.000Z", "completed"],
      ["hourly/default/2027-03-01T03:00:00.000Z", "completed"],
    ]);
    expect(await run(job.run(client, runs[1]?.key as string).result())).toBe("2027-03-01T02:00:00.000Z");
  });

  test("is described: its next ticks, what runs, what has run", async () => {
    const slow = defineSchedule("slow", {
      workflow: job,
      every: "15 minutes",
      offset: "2 minutes",
      input: ({ at, id }): JobInput => ({ day: `${id} ${at.toISOString()}`, takesMs: 20 * minute }),
      key: ({ at, id }) => `${id}-${at.getTime() / minute}`,
    });
    const { run, client, advance } = await begin(slow, "2027-03-01T00:00:00Z");
    await advance(20 * minute);
    const first = new Date("2027-03-01T00:02:00Z").getTime() / minute;
    expect(await run(slow.describe(client))).toEqual({
      id: "default",
      isPaused: false,
      note: undefined,
      next: ["00:32", "00:47", "01:02", "01:17", "01:32"].map((time) => new Date(`2027-03-01T${time}:00Z`)),
      running: [`default-${first}`],
      queued: 0,
      backfills: 0,
      recent: [
        { at: new Date("2027-03-01T00:17:00Z"), key: `default-${first + 15}`, status: "skipped", error: undefined },
        { at: new Date("2027-03-01T00:02:00Z"), key: `default-${first}`, status: "running", error: undefined },
      ],
      started: 1,
      missed: 0,
      skipped: 1,
    });
    await advance(10 * hour);
    const later = await run(slow.describe(client));
    expect(later.recent).toHaveLength(20);
    expect(later.recent.at(-1)?.status).toBe("completed");
  });

  test("is there many times, by id, and listed", async () => {
    const { run, client, advance } = await begin(hourly);
    expect(await run(hourly.start(client, { id: "berlin/ü .*" }))).toEqual({ isNew: true });
    expect(await run(hourly.start(client, { id: "berlin/ü .*" }))).toEqual({ isNew: false });
    await run(hourly.pause(client, { note: "holidays" }));
    await advance(hour);
    expect(await run(hourly.list(client))).toEqual([
      expect.objectContaining({
        id: "berlin/ü .*",
        isPaused: false,
        next: new Date("2027-03-01T02:00:00Z"),
        started: 1,
      }),
      expect.objectContaining({ id: "default", isPaused: true, note: "holidays", next: undefined, started: 0 }),
    ]);
    expect((await runsOf(system as TestSystem)).map(({ key }) => key)).toEqual([
      "hourly/berlin/ü .*/2027-03-01T01:00:00.000Z",
    ]);
  });

  test("does not start the ticks of the time in which it was paused", async () => {
    const { run, client, advance } = await begin(hourly);
    await advance(hour);
    await run(hourly.pause(client, { note: "a test" }));
    await advance(3 * hour);
    expect(await run(hourly.describe(client))).toMatchObject({ isPaused: true, note: "a test", next: [], missed: 0 });
    await run(hourly.resume(client));
    await advance(hour);
    expect(await run(hourly.describe(client))).toMatchObject({ isPaused: false, note: undefined, missed: 0 });
    expect(timesOf(await runsOf(system as TestSystem))).toEqual([
      "2027-03-01T01:00:00.000Z",
      "2027-03-01T05:00:00.000Z",
    ]);
  });

  test("is triggered, also while it is paused, and once for a key", async () => {
    const { run, client, advance } = await begin(hourly);
    await run(hourly.pause(client));
    const first = await run(hourly.trigger(client, { key: "once" }));
    expect(first.status).toBe("running");
    await advance(1000);
    expect(await run(hourly.trigger(client, { key: "once" }))).toEqual(first);
    const [second, third] = await run(
      Promise.all([hourly.trigger(client, { overlap: "allow" }), hourly.trigger(client, { overlap: "allow" })]),
    );
    await advance(1000);
    expect((await runsOf(system as TestSystem)).map(({ key }) => key)).toEqual(
      [first.key, second?.key, third?.key].sort(),
    );
    expect((await run(hourly.describe(client))).recent.map(({ status }) => status)).toEqual(Array(3).fill("completed"));
    await expect(run(hourly.trigger(client, { overlap: "cancel" }))).rejects.toMatchObject({
      _tag: "InvalidOptionsError",
      message: expect.stringMatching(/overlap is "cancel": this schedule can do "skip", "queue" or "allow"/),
    });
  });

  test("fills back a time that is past, one run after the other, and no run twice", async () => {
    const { run, client, advance } = await begin(hourly);
    await advance(2 * hour);
    const from = new Date("2027-02-26T00:00:00Z");
    await run(hourly.backfill(client, { from, to: new Date("2028-01-01T00:00:00Z") }));
    await advance(minute);
    const runs = await runsOf(system as TestSystem);
    expect(runs).toHaveLength(3 * 24 + 3);
    expect(new Set(timesOf(runs)).size).toBe(runs.length);
    expect(runs.every(({ status }) => status === "completed")).toBe(true);
    expect(await run(hourly.describe(client))).toMatchObject({ running: [], backfills: 0, started: 3 * 24 + 3 + 2 });
  });

  test("fills back side by side in windows, as many as there is room for", async () => {
    const slow = defineSchedule("slow", {
      workflow: job,
      every: "1 minute",
      input: ({ at }): JobInput => ({ day: at.toISOString(), takesMs: 30_000 }),
    });
    const { run, client, advance } = await begin(slow, "2027-03-01T00:00:10Z");
    await run(
      slow.backfill(client, {
        from: new Date("2027-02-28T00:00:00Z"),
        to: new Date("2027-02-28T08:19:00Z"),
        overlap: "allow",
      }),
    );
    await advance(10_000);
    expect((await run(slow.describe(client))).running).toHaveLength(200);
    await advance(10 * minute);
    const filled = (await runsOf(system as TestSystem)).filter(({ key }) => key.includes("2027-02-28"));
    expect(filled).toHaveLength(500);
    expect(filled.every(({ status }) => status === "completed")).toBe(true);
  });

  test("is removed while what runs goes on, and begins anew when it is started again", async () => {
    const slow = defineSchedule("slow", {
      workflow: job,
      every: "1 hour",
      overlap: "cancel",
      input: ({ at }): JobInput => ({ day: at.toISOString(), takesMs: 30 * minute }),
    });
    const { run, client, advance } = await begin(slow);
    await advance(35 * minute);
    await run(slow.remove(client));
    for (const call of ["describe", "pause", "resume", "trigger", "remove"] as const) {
      await expect(run(slow[call](client) as Promise<unknown>)).rejects.toMatchObject({ _tag: "ActorNotFoundError" });
    }
    expect(await run(slow.list(client))).toEqual([]);
    await advance(3 * hour);
    expect((await runsOf(system as TestSystem)).map(({ status }) => status)).toEqual(["completed"]);
    expect(await run(slow.start(client))).toEqual({ isNew: true });
    await advance(hour);
    expect(await run(slow.describe(client))).toMatchObject({ started: 1, missed: 0 });
    expect(await runsOf(system as TestSystem)).toHaveLength(2);
  });

  test("comes to its end by a time or a number of runs", async () => {
    const until = new Date("2027-03-01T03:00:00Z");
    const timed = defineSchedule("timed", {
      workflow: job,
      every: "1 hour",
      until,
      input: (): JobInput => ({ day: "" }),
    });
    const counted = defineSchedule("counted", {
      workflow: job,
      cron: "0 * * * *",
      maxRuns: 2,
      input: (): JobInput => ({ day: "" }),
    });
    system = await createTestSystem({ actors: [timed, counted, job] });
    const { client, run, advance } = system;
    await advanceTo(system, "2027-03-01T00:30:00Z");
    for (const schedule of [timed, counted]) await run(schedule.start(client));
    expect((await run(counted.describe(client))).next).toHaveLength(2);
    await advance(day);
    expect(await run(timed.describe(client))).toMatchObject({ started: 3, next: [], missed: 0 });
    expect(await run(counted.describe(client))).toMatchObject({ started: 2, next: [], missed: 0 });
    expect((await run(counted.trigger(client))).status).toBe("running");
  });

  test("goes on when its own functions throw, and tells what they threw", async () => {
    const broken = defineSchedule("broken", {
      workflow: job,
      every: "1 hour",
      input: ({ at }): JobInput => {
        if (at.getUTCHours() === 1) throw new RangeError("no data at one");
        return { day: "" };
      },
      key: ({ at }) => (at.getUTCHours() === 2 ? "x".repeat(300) : at.toISOString()),
    });
    const { client, run, advance } = await begin(broken);
    await advance(3 * hour);
    const { recent, started } = await run(broken.describe(client));
    expect(started).toBe(1);
    expect(recent.map(({ status }) => status)).toEqual(["completed", "failed", "failed"]);
    expect(recent.at(-1)?.error).toBe("no data at one");
    expect(recent.at(-2)?.error).toMatch(/256/);
  });

  test("refuses options that it does not know, all at once", () => {
    const define = (options: object) => () => defineSchedule("s", options as ScheduleOptions<unknown>);
    expect(
      define({
        cron: "61 * * * *",
        timeZone: "Europe/Nowhere",
        overlpa: 1,
        input: 1,
        overlap: "stop",
        maxRuns: 0,
        until: 1,
      }),
    ).toThrow(
      /overlpa.*overlap.*workflow is undefined.*timeZone is "Europe\/Nowhere".*cron is "61 \* \* \* \*": its minute is "61".*input is 1.*overlap is "stop".*until is 1.*maxRuns is 0/s,
    );
    const withJob = (options: object) => define({ workflow: job, ...options });
    expect(withJob({})).toThrow(/cron and every are missing/);
    expect(withJob({ cron: "* * * * *", every: 1000 })).toThrow(/both given/);
    expect(withJob({ cron: "0 0 30 2 *" })).toThrow(/no date fits/);
    expect(withJob({ cron: "* *" })).toThrow(/it has 2 fields/);
    expect(withJob({ every: 10 })).toThrow(/every is 10: use at least/);
    expect(withJob({ every: "1 minute", offset: "2 minutes" })).toThrow(/offset is "2 minutes"/);
    expect(withJob({ every: "1 minute", timeZone: "UTC" })).toThrow(/timeZone has no effect/);
    expect(withJob({ every: "1 minute", maxQueued: 2 })).toThrow(/maxQueued has no effect/);
  });

  test("is refused an id that is too long, calls that make no sense, and events that are not its own", async () => {
    const { client, run } = await begin(hourly);
    await expect(run(hourly.start(client, { id: "x".repeat(240) }))).rejects.toMatchObject({
      _tag: "InvalidNameError",
    });
    await expect(run(hourly.pause(client, { id: "nobody" }))).rejects.toMatchObject({ _tag: "ActorNotFoundError" });
    await expect(
      run(hourly.backfill(client, { from: new Date(2), to: new Date(1), form: 1 } as never)),
    ).rejects.toThrow(/form.*from.*from is after to/s);
    for (const event of [{ type: "schedule.tick" }, { type: "schedule.trigger", overlap: "terminate" }]) {
      await expect(run(client.ask(hourly.ref("default"), event as never))).rejects.toMatchObject({
        _tag: "InvalidEventError",
      });
    }
  });
});

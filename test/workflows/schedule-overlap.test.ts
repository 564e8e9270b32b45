import { afterEach, describe, expect, test } from "vitest";
import { assign, setup } from "xstate";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";
import { defineWorkflow } from "../../workflows/define-workflow.ts";
import { defineSchedule, type ScheduleDefinition } from "../../workflows/schedules/define-schedule.ts";
import type { OverlapPolicy } from "../../workflows/schedules/schedule-options.ts";
import { advanceTo, hour, type JobInput, job, minute, runsOf, timesOf } from "./schedule-world.ts";

let system: TestSystem | undefined;
afterEach(async () => {
  await system?.stop();
  system = undefined;
});

/** Every 10 minutes a run of 25 minutes. */
function slow(overlap: OverlapPolicy, options: { readonly maxQueued?: number } = {}): ScheduleDefinition {
  return defineSchedule("slow", {
    workflow: job,
    cron: "*/10 * * * *",
    overlap,
    input: ({ at }): JobInput => ({ day: at.toISOString(), takesMs: 25 * minute }),
    ...options,
  });
}

async function begin(schedule: ScheduleDefinition): Promise<TestSystem> {
  system = await createTestSystem({ actors: [schedule, job] });
  await advanceTo(system, "2027-03-01T11:55:00Z");
  await system.run(schedule.start(system.client));
  return system;
}

/** Minutes after twelve at which runs began, with the minute of their ticks. */
async function timetable(): Promise<Array<[begun: number, tick: number, status: string]>> {
  const noon = Date.UTC(2027, 2, 1, 12);
  const runs = await runsOf(system as TestSystem);
  const times = timesOf(runs);
  return runs.map(({ startedAt, status }, at) => [
    Math.floor((startedAt - noon) / minute),
    (new Date(times[at] as string).getTime() - noon) / minute,
    status,
  ]);
}

describe("a tick while a run is under way", () => {
  test("is left out with skip", async () => {
    const schedule = slow("skip");
    const { advance, run, client } = await begin(schedule);
    await advance(50 * minute);
    expect(await timetable()).toEqual([
      [0, 0, "completed"],
      [30, 30, "running"],
    ]);
    expect(await run(schedule.describe(client))).toMatchObject({ skipped: 3, started: 2, queued: 0 });
  });

  test("waits for its turn with queue, as many as there is room for", async () => {
    const schedule = slow("queue", { maxQueued: 2 });
    const { advance, run, client } = await begin(schedule);
    await advance(46 * minute);
    const { recent, ...info } = await run(schedule.describe(client));
    expect(info).toMatchObject({ queued: 2, skipped: 1, started: 2 });
    expect(recent.map(({ at, status }) => [at.getUTCMinutes(), status])).toEqual([
      [40, "skipped"],
      [30, "queued"],
      [20, "queued"],
      [10, "running"],
      [0, "completed"],
    ]);
    await run(schedule.pause(client));
    await advance(2 * hour);
    expect(await timetable()).toEqual([
      [0, 0, "completed"],
      [25, 10, "completed"],
      [50, 20, "completed"],
      [75, 30, "completed"],
    ]);
    expect(await run(schedule.describe(client))).toMatchObject({ queued: 0, running: [] });
  });

  test("starts beside it with allow", async () => {
    const schedule = slow("allow");
    const { advance, run, client } = await begin(schedule);
    await advance(36 * minute);
    expect(await timetable()).toEqual([
      [0, 0, "completed"],
      [10, 10, "running"],
      [20, 20, "running"],
      [30, 30, "running"],
    ]);
    expect((await run(schedule.describe(client))).running).toHaveLength(3);
  });

  test.each([
    ["cancel", "cancelled"],
    ["terminate", "terminated"],
  ] as const)("ends it with %s, and starts when it has ended", async (overlap, status) => {
    const schedule = slow(overlap);
    const { advance, run, client } = await begin(schedule);
    await advance(26 * minute);
    expect(await timetable()).toEqual([
      [0, 0, status],
      [10, 10, status],
      [20, 20, "running"],
    ]);
    const { recent, running } = await run(schedule.describe(client));
    expect(recent.map((each) => each.status)).toEqual(["running", status, status]);
    expect(recent[1]?.error).toMatch(/was (cancelled|terminated) by slow\/default/);
    expect(running).toHaveLength(1);
    // Nobody is left behind of those that were stopped.
    const view = await run(client.get(schedule.ref("default")));
    expect(view?.children.filter(({ ended }) => !ended)).toHaveLength(1);
  });

  test("waits for a run that cleans up first, and only the newest one waits", async () => {
    const careful = defineWorkflow("careful", {
      machine: setup({
        types: { context: {} as { done: string }, input: {} as { day: string } },
        delays: { long: 35 * minute },
      }).createMachine({
        context: { done: "" },
        initial: "working",
        states: {
          working: {
            after: { 3600000: "over" },
            on: { "workflow.cancel": { target: "cleaning", actions: assign({ done: "cleaned" }) } },
          },
          cleaning: { on: { "workflow.cancel": {} }, after: { long: "over" } },
          over: { type: "final" },
        },
        output: ({ context }) => context.done,
      }),
    });
    const schedule = defineSchedule("careful-one", {
      workflow: careful,
      cron: "*/10 * * * *",
      overlap: "cancel",
      input: ({ at }) => ({ day: at.toISOString() }),
    });
    system = await createTestSystem({ actors: [schedule, careful] });
    const { run, client, advance } = system;
    await advanceTo(system, "2027-03-01T11:55:00Z");
    await run(schedule.start(client));
    await advance(41 * minute); // told at 12:10, done at 12:45
    const before = await run(schedule.describe(client));
    expect(before).toMatchObject({ queued: 1, started: 1, skipped: 2 });
    expect(before.recent.map(({ status }) => status)).toEqual(["queued", "skipped", "skipped", "running"]);
    await advance(12 * minute);
    const after = await run(schedule.describe(client));
    expect(after).toMatchObject({ queued: 0, started: 2 });
    expect(after.running).toEqual(["careful-one/default/2027-03-01T12:40:00.000Z"]);
    expect(after.recent.at(-1)).toMatchObject({ status: "completed" });
  });

  test("does not end a run that somebody else has started under the key", async () => {
    const schedule = slow("terminate");
    const { run, client, advance } = await begin(schedule);
    const day = "2027-03-01T12:00:00.000Z";
    await advance(2 * minute);
    await run(job.start(client, { day, takesMs: 25 * minute }, { key: `slow/default/${day}` }));
    await advance(24 * minute);
    expect((await run(schedule.describe(client))).queued).toBe(1);
    await advance(3 * minute);
    expect((await timetable()).map(([, tick, status]) => [tick, status])).toEqual([
      [0, "completed"],
      [20, "running"],
    ]);
  });
});

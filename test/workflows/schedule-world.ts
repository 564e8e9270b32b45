/** Schedules under virtual time: a workflow that takes as long as its input says, and how far a clock is from a time. */
import { setup } from "xstate";
import type { TestSystem } from "../../actors/test-system.ts";
import { defineWorkflow } from "../../workflows/define-workflow.ts";

export interface JobInput {
  readonly day: string;
  readonly takesMs?: number;
}

/** Runs for `takesMs`, a millisecond by default. */
export const job = defineWorkflow("job", {
  machine: setup({
    types: { context: {} as JobInput, input: {} as JobInput, output: {} as string },
    delays: { work: ({ context }) => context.takesMs ?? 1 },
  }).createMachine({
    context: ({ input }) => input,
    initial: "working",
    states: { working: { after: { work: "over" } }, over: { type: "final" } },
    output: ({ context }) => context.day,
  }),
});

export const minute = 60_000;
export const hour = 60 * minute;
export const day = 24 * hour;

/** Lets time pass until a time. */
export async function advanceTo(system: TestSystem, time: string): Promise<void> {
  await system.advance(new Date(time).getTime() - system.time.now());
}

/** Every run of the workflow, the oldest first. */
export async function runsOf(system: TestSystem): Promise<Array<{ key: string; status: string; startedAt: number }>> {
  const runs = await system.run(job.list(system.client, { limit: 10_000 }));
  return runs
    .map(({ key, status, startedAt }) => ({ key, status, startedAt }))
    .sort((one, other) => one.startedAt - other.startedAt || (one.key < other.key ? -1 : 1));
}

/** The part of a default key that says the time. */
export function timesOf(runs: ReadonlyArray<{ readonly key: string }>): string[] {
  return runs.map(({ key }) => key.split("/").at(-1) as string);
}

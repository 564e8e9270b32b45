/** A scheduler of jobs: each job is a child with steps that are children of its own, and what they give goes up the tree. */
import { assertEvent, assign, emit, fromPromise, sendParent, setup, spawnChild, stopChild } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

const runTask = fromPromise<{ rows: number }, { job: string; step: string }>(async ({ input }) => {
  if (input.step === "explode") throw new Error(`${input.job}: step ${input.step} failed`);
  return { rows: input.step.length };
});

const stepMachine = setup({
  types: {
    context: {} as { job: string; step: string; rows: number; error: string | null },
    input: {} as { job: string; step: string },
    output: {} as { rows: number; error: string | null },
  },
  actors: { runTask },
}).createMachine({
  id: "step",
  context: ({ input }) => ({ ...input, rows: 0, error: null }),
  initial: "running",
  states: {
    running: {
      invoke: {
        src: "runTask",
        input: ({ context }) => ({ job: context.job, step: context.step }),
        onDone: { target: "ended", actions: assign({ rows: ({ event }) => event.output.rows }) },
        onError: {
          target: "ended",
          actions: assign({ error: ({ event }) => (event.error as Error).message }),
        },
      },
    },
    ended: { type: "final" },
  },
  output: ({ context }) => ({ rows: context.rows, error: context.error }),
});

const jobMachine = setup({
  types: {
    context: {} as { job: string; left: readonly string[]; rows: number },
    events: {} as { type: "PAUSE" } | { type: "RESUME" },
    input: {} as { job: string; steps: readonly string[] },
    output: {} as { job: string; rows: number },
  },
  actors: { step: stepMachine },
  guards: { isDone: ({ context }) => context.left.length === 0 },
}).createMachine({
  id: "job",
  context: ({ input }) => ({ job: input.job, left: input.steps, rows: 0 }),
  initial: "choosing",
  states: {
    choosing: {
      entry: sendParent(({ context }) => ({ type: "PROGRESS", job: context.job, left: context.left.length })),
      always: [{ guard: "isDone", target: "complete" }, { target: "stepping" }],
    },
    stepping: {
      invoke: {
        id: "step",
        src: "step",
        input: ({ context }) => ({ job: context.job, step: context.left[0] ?? "" }),
        onDone: [
          {
            guard: ({ event }) => event.output.error === null,
            target: "resting",
            actions: assign({
              left: ({ context }) => context.left.slice(1),
              rows: ({ context, event }) => context.rows + event.output.rows,
            }),
          },
          {
            target: "failed",
            actions: sendParent(({ context, event }) => ({
              type: "PROBLEM",
              job: context.job,
              reason: event.output.error,
            })),
          },
        ],
      },
    },
    resting: { on: { PAUSE: "paused" }, after: { [2 * hour]: "choosing" } },
    paused: { on: { RESUME: "choosing" } },
    failed: { after: { [hour]: "stepping" } },
    complete: { type: "final" },
  },
  output: ({ context }) => ({ job: context.job, rows: context.rows }),
});

const schedulerMachine = setup({
  types: {
    context: {} as { done: Readonly<Record<string, number>> },
    events: {} as
      | { type: "START"; job: string; steps: readonly string[] }
      | { type: "KILL"; job: string }
      | { type: "PROGRESS"; job: string; left: number }
      | { type: "PROBLEM"; job: string; reason: string }
      | { type: "xstate.done.actor.job"; output: { job: string; rows: number } },
    emitted: {} as
      | { type: "PROGRESS"; job: string; left: number }
      | { type: "PROBLEM"; job: string; reason: string }
      | { type: "COMPLETE"; job: string; rows: number },
  },
  actors: { job: jobMachine },
}).createMachine({
  id: "scheduler",
  context: { done: {} },
  on: {
    START: {
      actions: spawnChild("job", {
        id: ({ event }) => `job-${event.job}`,
        input: ({ event }) => {
          assertEvent(event, "START");
          return { job: event.job, steps: event.steps };
        },
      }),
    },
    KILL: { actions: stopChild(({ event }) => `job-${event.job}`) },
    PROGRESS: { actions: emit(({ event }) => event) },
    PROBLEM: { actions: emit(({ event }) => event) },
    "xstate.done.actor.*": {
      actions: [
        assign({ done: ({ context, event }) => ({ ...context.done, [event.output.job]: event.output.rows }) }),
        emit(({ event }) => ({ type: "COMPLETE", job: event.output.job, rows: event.output.rows })),
      ],
    },
  },
});

const progress = (job: string, left: number) => ({ type: "PROGRESS", job, left });
const problem = (job: string) => ({ type: "PROBLEM", job, reason: `${job}: step explode failed` });

/** Jobs that run through, that fail over and over, and that are killed with all below them. */
export const scheduler: readonly Scenario[] = [
  {
    name: "a job runs its steps one after the other and tells its rows",
    covers: ["spawn.spawnChild", "logic.machine", "actors.tree", "actors.output", "machine.output", "after.numeric"],
    machine: () => schedulerMachine,
    steps: [
      { send: { type: "START", job: "etl", steps: ["extract", "load"] } },
      { expect: { emitted: [progress("etl", 2)] } },
      { hours: 2 },
      { hours: 2 },
      { send: { type: "START", job: "noop", steps: [] } },
      {
        expect: {
          context: { done: { etl: 11, noop: 0 } },
          emitted: [
            progress("etl", 2),
            progress("etl", 1),
            progress("etl", 0),
            { type: "COMPLETE", job: "etl", rows: 11 },
            progress("noop", 0),
            { type: "COMPLETE", job: "noop", rows: 0 },
          ],
        },
      },
    ],
  },
  {
    name: "a job that is killed stops with its step and its timers",
    covers: ["spawn.stopChild", "actors.tree", "invoke.onError", "after.numeric"],
    machine: () => schedulerMachine,
    steps: [
      { send: { type: "START", job: "bad", steps: ["explode"] } },
      { hours: 1 },
      { expect: { emitted: [progress("bad", 1), problem("bad"), problem("bad")] } },
      { send: { type: "KILL", job: "bad" } },
      { hours: 10 },
      { send: { type: "START", job: "bad", steps: ["good"] } },
      { hours: 2 },
      {
        expect: {
          context: { done: { bad: 4 } },
          emitted: [
            progress("bad", 1),
            problem("bad"),
            problem("bad"),
            progress("bad", 1),
            progress("bad", 0),
            { type: "COMPLETE", job: "bad", rows: 4 },
          ],
        },
      },
    ],
  },
];

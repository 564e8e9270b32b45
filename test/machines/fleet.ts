/** A fleet of workers: tasks are forwarded in turn, and who is let go is stopped and their tasks are given to the next one. */
import { assertEvent, assign, emit, enqueueActions, forwardTo, sendParent, setup, spawnChild, stopChild } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

interface Task {
  readonly task: string;
  readonly size: number;
}

const workerMachine = setup({
  types: {
    context: {} as { name: string; queue: readonly Task[] },
    events: {} as { type: "TASK" } & Task,
    input: {} as { name: string },
  },
  delays: { work: ({ context }) => (context.queue[0]?.size ?? 0) * hour },
  guards: { hasWork: ({ context }) => context.queue.length > 0 },
}).createMachine({
  id: "worker",
  context: ({ input }) => ({ name: input.name, queue: [] }),
  initial: "resting",
  on: {
    TASK: {
      actions: assign({ queue: ({ context, event }) => [...context.queue, { task: event.task, size: event.size }] }),
    },
  },
  states: {
    resting: { always: { guard: "hasWork", target: "working" } },
    working: {
      after: {
        work: {
          target: "resting",
          actions: [
            sendParent(({ context }) => ({ type: "FINISHED", by: context.name, task: context.queue[0]?.task ?? "" })),
            assign({ queue: ({ context }) => context.queue.slice(1) }),
          ],
        },
      },
    },
  },
});

const fleetMachine = setup({
  types: {
    context: {} as {
      workers: readonly string[];
      open: ReadonlyArray<Task & { readonly by: string }>;
      finished: Readonly<Record<string, number>>;
    },
    events: {} as
      | { type: "HIRE"; name: string }
      | { type: "LET_GO"; name: string }
      | ({ type: "TASK" } & Task)
      | { type: "FINISHED"; by: string; task: string },
    emitted: {} as
      | { type: "ASSIGNED"; task: string; to: string }
      | { type: "FINISHED"; by: string; task: string }
      | { type: "NOBODY"; task: string },
  },
  actors: { worker: workerMachine },
  guards: {
    hasWorkers: ({ context }) => context.workers.length > 0,
    isWorker: ({ context }, params: { name: string }) => context.workers.includes(params.name),
  },
  actions: {
    // The first in line takes the task and goes to the end of the line.
    turn: assign({ workers: ({ context }) => [...context.workers.slice(1), ...context.workers.slice(0, 1)] }),
  },
}).createMachine({
  id: "fleet",
  context: { workers: [], open: [], finished: {} },
  on: {
    HIRE: {
      actions: [
        spawnChild("worker", {
          id: ({ event }) => `worker-${event.name}`,
          input: ({ event }) => {
            assertEvent(event, "HIRE");
            return { name: event.name };
          },
        }),
        assign({ workers: ({ context, event }) => [...context.workers, event.name] }),
      ],
    },
    TASK: [
      {
        guard: "hasWorkers",
        actions: [
          forwardTo(({ context }) => `worker-${context.workers[0]}`),
          assign({
            open: ({ context, event }) => [
              ...context.open,
              { task: event.task, size: event.size, by: context.workers[0] ?? "" },
            ],
          }),
          emit(({ context, event }) => ({ type: "ASSIGNED", task: event.task, to: context.workers[0] ?? "" })),
          "turn",
        ],
      },
      { actions: emit(({ event }) => ({ type: "NOBODY", task: event.task })) },
    ],
    FINISHED: {
      actions: [
        assign({
          open: ({ context, event }) => context.open.filter((one) => one.task !== event.task),
          finished: ({ context, event }) => ({
            ...context.finished,
            [event.by]: (context.finished[event.by] ?? 0) + 1,
          }),
        }),
        emit(({ event }) => event),
      ],
    },
    LET_GO: {
      guard: { type: "isWorker", params: ({ event }) => ({ name: event.name }) },
      actions: [
        stopChild(({ event }) => `worker-${event.name}`),
        assign({
          workers: ({ context, event }) => context.workers.filter((name) => name !== event.name),
        }),
        enqueueActions(({ context, event, enqueue }) => {
          const orphans = context.open.filter((one) => one.by === event.name);
          enqueue.assign({ open: context.open.filter((one) => one.by !== event.name) });
          for (const { task, size } of orphans) enqueue.raise({ type: "TASK", task, size });
        }),
      ],
    },
  },
});

const assigned = (task: string, to: string) => ({ type: "ASSIGNED", task, to });
const finished = (task: string, by: string) => ({ type: "FINISHED", by, task });

/** A fleet in which one leaves with work undone. */
export const fleet: readonly Scenario[] = [
  {
    name: "a fleet gives the tasks of who leaves to the others",
    covers: [
      "send.forwardTo",
      "spawn.stopChild",
      "spawn.spawnChild",
      "enqueueActions.context",
      "raise.immediate",
      "after.dynamic",
    ],
    machine: () => fleetMachine,
    steps: [
      { send: { type: "TASK", task: "early", size: 1 } },
      { send: { type: "HIRE", name: "ada" } },
      { send: { type: "HIRE", name: "bob" } },
      { send: { type: "TASK", task: "dig", size: 2 } },
      { send: { type: "TASK", task: "saw", size: 4 } },
      { send: { type: "TASK", task: "mow", size: 8 } },
      { hours: 2 },
      { expect: { contextHas: { finished: { ada: 1 }, workers: ["bob", "ada"] } } },
      { send: { type: "LET_GO", name: "ada" } },
      { hours: 4 },
      { send: { type: "LET_GO", name: "ada" } },
      { hours: 12 },
      {
        expect: {
          context: { workers: ["bob"], open: [], finished: { ada: 1, bob: 2 } },
          emitted: [
            { type: "NOBODY", task: "early" },
            assigned("dig", "ada"),
            assigned("saw", "bob"),
            assigned("mow", "ada"),
            finished("dig", "ada"),
            assigned("mow", "bob"),
            finished("saw", "bob"),
            finished("mow", "bob"),
          ],
        },
      },
    ],
  },
];

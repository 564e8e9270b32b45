/**
 * The worker of a process: runs activities that actors ask for, wherever these actors are.
 *
 * 1. At most `maxActivities` attempts run at once in the process, whatever the limits of each activity are.
 * 2. A graceful stop lets attempts end; what has not ended in time is interrupted, and given back for others to take at once.
 */
import { sleep } from "../core/time.ts";
import type { LogLimits } from "../log/log.ts";
import type { WorkQueue } from "../log/work-queue.ts";
import { ActivityQueue } from "./activity-queue.ts";
import type { NodeContext } from "./context.ts";
import type { RunnableActivity } from "./definition.ts";
import { needsLimiter } from "./limiter.ts";
import { PatientAppender } from "./patient-appender.ts";
import { Slots } from "./slots.ts";
import type { WorkerShared } from "./task-attempt.ts";
import type { ActivityCounters } from "./telemetry.ts";
import { WorkerLife } from "./worker-life.ts";

/** What a worker is made of. */
export interface WorkerParts {
  readonly context: NodeContext;
  readonly workQueue: WorkQueue;
  /** What INGRESS accepts. */
  readonly ingressLimits: LogLimits;
  readonly activities: readonly RunnableActivity[];
  readonly onFailed: (error: Error) => void;
}

/** What a worker says of itself. */
export interface WorkerStats extends ActivityCounters {
  /** Attempts that run now. */
  readonly running: number;
  /** Tasks that were taken and are held back by a limit. */
  readonly held: number;
  /** By activity: tasks that nobody has taken yet, as they were when last looked at. */
  readonly waiting: Readonly<Record<string, number>>;
}

const tidyMs = 10_000;

/** How long interrupted attempts have to be given back. */
const handBackMs = 3000;

/** Runs activities. */
export class ActivityWorker {
  readonly #context: NodeContext;
  readonly #queues: readonly ActivityQueue[];
  readonly #life: WorkerLife;
  readonly #appenders: readonly PatientAppender[];
  readonly #isLimited: boolean;
  #cancelTidy: () => void = () => {};
  #isStopped = false;

  constructor({ context, workQueue, ingressLimits, activities, onFailed }: WorkerParts) {
    this.#context = context;
    this.#life = new WorkerLife(
      context,
      () => {
        for (const queue of this.#queues) queue.losePlaces();
      },
      onFailed,
    );
    const results = new PatientAppender(context, "ingress", ingressLimits);
    const tasks = new PatientAppender(context, "core", context.log.limits);
    this.#appenders = [results, tasks];
    const slots = new Slots(context.settings.maxActivities);
    const shared: WorkerShared = {
      context,
      workQueue,
      ingressLimits,
      slots,
      life: this.#life,
      results,
      tasks,
      lastChance: new Slots(1),
      onFailed,
    };
    this.#queues = activities.map((activity) => new ActivityQueue(shared, activity));
    this.#isLimited = activities.some(needsLimiter);
  }

  /** Begins to take tasks. */
  start(): void {
    if (this.#isLimited) this.#life.start();
    for (const queue of this.#queues) queue.start();
    this.#tidyLater();
  }

  /** Takes no more tasks, lets what runs end for at most `drainMs`, and gives the rest back. */
  async stop(drainMs: number): Promise<void> {
    const { time } = this.#context;
    const within = (ms: number, done: Promise<unknown>): Promise<boolean> =>
      Promise.race([done.then(() => true), sleep(time, ms).then(() => false)]);
    const isDrained = await within(drainMs, Promise.all(this.#queues.map((queue) => queue.stop())));
    if (!isDrained) await within(handBackMs, Promise.all(this.#queues.map((queue) => queue.interrupt())));
    if (this.#isLimited) await within(handBackMs, this.#life.leave());
    this.abandon();
  }

  /** Tells all handlers to stop. */
  interrupt(): void {
    for (const queue of this.#queues) void queue.interrupt();
  }

  /** Lets go of everything at once, as a crash would; nothing more is written. */
  abandon(): void {
    this.#isStopped = true;
    this.#cancelTidy();
    this.#life.stop();
    for (const queue of this.#queues) queue.abandon();
    for (const appender of this.#appenders) appender.stop();
  }

  stats(): WorkerStats {
    const sum = (of: (queue: ActivityQueue) => number): number =>
      this.#queues.reduce((total, queue) => total + of(queue), 0);
    const waiting = this.#queues.flatMap(({ activity, lastState }) =>
      lastState === undefined ? [] : [[activity.name, lastState.waiting] as const],
    );
    return {
      ...this.#context.telemetry.activities,
      running: sum((queue) => queue.running),
      held: sum((queue) => queue.held),
      waiting: Object.fromEntries(waiting),
    };
  }

  #tidyLater(): void {
    this.#cancelTidy = this.#context.time.after(tidyMs, () => {
      void this.#tidy().finally(() => {
        if (!this.#isStopped) this.#tidyLater();
      });
    });
  }

  async #tidy(): Promise<void> {
    for (const queue of this.#queues) {
      if (this.#isStopped) return;
      // Housekeeping that fails is done next time.
      await queue.tidy().catch(() => {});
    }
  }
}

/**
 * The tasks of one activity in one process: which are taken, kept and let go.
 *
 * 1. As many tasks are taken as can run. Only where some of them may have to wait for a limit of their key, more are taken, a bounded number; what has
 *    waited for long goes back to the end of the queue, so that no key holds up the others.
 * 2. While a task is here it is extended. One that the actor does not want any more is aborted: by a signal of the owner, by the missing record of the
 *    task, and, should the owner have died before it could do either, by the actor's state.
 */
import { type Address, parseAddress } from "../core/address.ts";
import { decodeRecord, type TaskRecord } from "../core/records.ts";
import { sleep } from "../core/time.ts";
import type { LogRecord } from "../log/log.ts";
import type { OpenWorkQueue, QueueState, Task } from "../log/work-queue.ts";
import { backoffMs } from "./context.ts";
import type { RunnableActivity } from "./definition.ts";
import { Limiter, needsLimiter } from "./limiter.ts";
import { TaskAttempt, type WorkerShared } from "./task-attempt.ts";
import { queueName } from "./task-names.ts";

/** Most tasks that are taken at once. */
const maxPull = 32;
const pullWaitMs = 10_000;
/** Where more activities than slots take turns. */
const shortPullWaitMs = 500;
/** Most tasks that wait here for a limit, when others behind them may be free to start. */
const maxHeld = 256;
/** How long a task waits here before it may go back to the end of the queue. */
const heldMs = 1000;
const unreadableDelayMs = 30_000;
/** How long no task is taken after one was declined, which others are to take. */
const declinedPauseMs = 500;
const maxChecked = 200;
/** Once in so many beats the states of the actors are looked at, too. */
const beatsPerLook = 4;
/** More than all processes together take: what each takes is bounded by its slots, or by {@link maxHeld}. */
const noLimit = 100_000;

/** Works on one activity. */
export class ActivityQueue {
  readonly activity: RunnableActivity;
  readonly #shared: WorkerShared;
  readonly #limiter: Limiter | undefined;
  /** By the sequence of the task: one that was given back has a new one. */
  readonly #attempts = new Map<number, TaskAttempt>();
  readonly #cancels = new Set<() => void>();
  #queue: OpenWorkQueue | undefined;
  #isStopping = false;
  #isStopped = false;
  /** Tasks were done since the last purge. */
  #isDirty = false;
  #purgedUpTo = 0;
  #beats = 0;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #pulling: Promise<void> = Promise.resolve();
  #onDrained: (() => void) | undefined;
  #onRoom: (() => void) | undefined;
  /** How the queue stood when it was last looked at. */
  lastState: QueueState | undefined;

  constructor(shared: WorkerShared, activity: RunnableActivity) {
    const { context, life, slots } = shared;
    this.#shared = shared;
    this.activity = activity;
    this.#limiter = needsLimiter(activity) ? new Limiter(context, activity, life, slots) : undefined;
  }

  /** How many attempts run. */
  get running(): number {
    return this.#attempts.size - this.held;
  }
  /** How many wait for a limit. */
  get held(): number {
    let count = 0;
    for (const attempt of this.#attempts.values()) if (attempt.isWaiting) count++;
    return count;
  }

  /** Begins to take tasks. */
  start(): void {
    const { context, onFailed } = this.#shared;
    const subject = context.subjects.cancelled(this.activity.name);
    this.#cancels.add(context.log.listen(subject, (_, data) => this.#onCancelled(data)));
    this.#limiter?.start(onFailed);
    this.#pulling = this.#pull().catch((error) => {
      if (!this.#isStopping) onFailed(error instanceof Error ? error : new Error(String(error)));
    });
    this.#beatLater();
  }

  /** Takes no more tasks, and gives back what has not started; resolves when no attempt runs any more. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#onRoom?.();
    await this.#queue?.close().catch(() => {});
    await this.#pulling;
    for (const attempt of [...this.#attempts.values()]) if (attempt.isWaiting) void attempt.giveBack();
    await this.#drained();
    await this.#limiter?.settled();
  }

  /** Tells the handlers to stop; resolves when what they did not end is given back. */
  async interrupt(): Promise<void> {
    for (const attempt of this.#attempts.values()) attempt.interrupt();
    await this.#drained();
    await this.#limiter?.settled();
  }

  /** Lets go of everything at once. */
  abandon(): void {
    this.#isStopping = true;
    this.#isStopped = true;
    this.#onRoom?.();
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    for (const attempt of this.#attempts.values()) attempt.abandon();
    this.#limiter?.stop();
    this.#queue?.close().catch(() => {});
    this.#onDrained?.();
  }

  /** Others take this process for gone: the places of its attempts are not theirs any more. */
  losePlaces(): void {
    for (const attempt of this.#attempts.values()) attempt.losePlace();
    this.#limiter?.forgetPlaces();
  }

  /** Looks at how far the queue has come, and removes tasks that are done. */
  async tidy(): Promise<void> {
    if (this.#queue === undefined || this.#isStopping) return;
    const { log, subjects } = this.#shared.context;
    this.lastState = await this.#queue.state();
    const { floor } = this.lastState;
    if (!this.#isDirty || floor <= this.#purgedUpTo) return;
    this.#isDirty = false;
    await log.purge("core", subjects.tasksOf(this.activity.name), floor + 1);
    this.#purgedUpTo = floor;
  }

  #drained(): Promise<void> {
    if (this.#attempts.size === 0 || this.#isStopped) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onDrained = resolve;
    });
  }

  async #pull(): Promise<void> {
    const { time, random, telemetry } = this.#shared.context;
    let wanted = 1;
    let failures = 0;
    while (!this.#isStopping) {
      try {
        this.#queue ??= await this.#open();
        const pauseMs = this.#pausedUntilMs - time.elapsed();
        if (pauseMs > 0) await sleep(time, pauseMs);
        const isFull = await this.#pullOnce(this.#queue, wanted);
        wanted = isFull ? Math.min(2 * wanted, maxPull) : 1;
        failures = 0;
      } catch (error) {
        if (this.#isStopping) break;
        if (isFatal(error)) throw error;
        if (++failures === 3) {
          const why = error instanceof Error ? error.message : String(error);
          telemetry.tell("warn", "activity.pull", `Cannot take tasks of activity "${this.activity.name}": ${why}`);
        }
        await sleep(time, backoffMs(failures, random));
      }
    }
    // It may have been opened while the process began to stop.
    await this.#queue?.close().catch(() => {});
  }

  #open(): Promise<OpenWorkQueue> {
    const { name, heartbeatMs, limits, perKey } = this.activity;
    const { context, workQueue } = this.#shared;
    return workQueue.open({
      name: queueName(name),
      filter: context.subjects.tasksOf(name),
      visibilityMs: heartbeatMs,
      // By key, tasks wait here for their turn: they are out, and do not run.
      maxInFlight: perKey === undefined ? (limits.concurrency ?? noLimit) : noLimit,
    });
  }

  /** Takes up to `wanted` tasks, when there is room for them; resolves with true when there may be more than were taken. */
  async #pullOnce(queue: OpenWorkQueue, wanted: number): Promise<boolean> {
    const { slots } = this.#shared;
    let room = await this.#reserve(wanted);
    try {
      if (this.#isStopping) return false;
      const tasks = await queue.pull(room, slots.isContended ? shortPullWaitMs : pullWaitMs);
      room -= tasks.length;
      for (const task of tasks) this.#take(task);
      return room === 0;
    } finally {
      if (this.#limiter === undefined) slots.give(room);
    }
  }

  /** Resolves with how many tasks may be taken; without a limiter so many slots are taken for them. */
  async #reserve(wanted: number): Promise<number> {
    const { slots } = this.#shared;
    if (this.#limiter === undefined) {
      await slots.take();
      return 1 + slots.tryTake(wanted - 1);
    }
    const { limits, perKey } = this.activity;
    // Where only the activity as a whole is limited, what is behind has to wait as well.
    const room = perKey === undefined ? Math.min(limits.rate?.count ?? 1, maxPull) : maxHeld;
    for (;;) {
      const free = room - this.held;
      if (free > 0 || this.#isStopping) return Math.max(0, Math.min(free, wanted));
      const isFreed = await this.#whenRoom();
      if (!isFreed && perKey !== undefined) await this.#rotate();
    }
  }

  /** Resolves with true when an attempt waits no more, with false after a while. */
  #whenRoom(): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (isFreed: boolean): void => {
        cancel();
        this.#onRoom = undefined;
        resolve(isFreed);
      };
      const cancel = this.#shared.context.time.after(heldMs, () => settle(false));
      this.#onRoom = () => settle(true);
    });
  }

  /** Sends what has waited longest to the end of the queue. */
  async #rotate(): Promise<void> {
    const nowMs = this.#shared.context.time.elapsed();
    const oldest = [...this.#attempts.values()].filter(
      (attempt) => attempt.isWaiting && nowMs - attempt.sinceMs >= heldMs,
    );
    await Promise.all(oldest.slice(0, maxPull).map((attempt) => attempt.giveBack()));
  }

  #take(task: Task): void {
    const { context, slots } = this.#shared;
    const known = this.#attempts.get(task.seq);
    if (known !== undefined) {
      // It has come again to where it is: extending it came too late. The attempt goes on with the new delivery.
      known.task = task;
      if (this.#limiter === undefined) slots.give();
      return;
    }
    let record: TaskRecord;
    let actor: Address;
    try {
      record = decodeRecord<TaskRecord>("a task", task.data);
      actor = parseAddress(record.actor);
    } catch (error) {
      // Perhaps a newer version can read it.
      const why = error instanceof Error ? error.message : String(error);
      context.telemetry.tell("error", "record.unreadable", `Cannot read the task ${task.subject}: ${why}`);
      task.nak(unreadableDelayMs);
      if (this.#limiter === undefined) slots.give();
      return;
    }
    const onMoved = (moved: TaskAttempt, isOver: boolean): void => this.#onMoved(moved, isOver);
    const attempt = new TaskAttempt(this.#shared, this.activity, this.#limiter, task, record, actor, onMoved);
    this.#attempts.set(task.seq, attempt);
    if (this.#isStopping) void attempt.giveBack();
    else
      attempt.work().catch((error) => {
        const why = error instanceof Error ? error.message : String(error);
        context.telemetry.tell("error", "activity.defect", `Cannot work on the task ${task.subject}: ${why}`);
      });
  }

  #onMoved(attempt: TaskAttempt, isOver: boolean): void {
    if (isOver) {
      this.#attempts.delete(attempt.task.seq);
      if (attempt.wasDeclined) this.#pausedUntilMs = this.#shared.context.time.elapsed() + declinedPauseMs;
      this.#isDirty = true;
      if (this.#attempts.size === 0) this.#onDrained?.();
    }
    this.#onRoom?.();
  }

  #beatLater(): void {
    const cancel = this.#shared.context.time.after(this.activity.heartbeatMs / 3, () => {
      this.#cancels.delete(cancel);
      // What cannot be found out now is found out at the next beat.
      this.#beat()
        .catch(() => {})
        .finally(() => {
          if (!this.#isStopped) this.#beatLater();
        });
    });
    this.#cancels.add(cancel);
  }

  /** Keeps the tasks, and finds out which of them nobody wants any more. */
  async #beat(): Promise<void> {
    const attempts = [...this.#attempts.values()];
    for (const { task } of attempts) task.extend();
    await this.#look(
      attempts,
      ({ task }) => task.subject,
      (attempt, record) => record?.seq === attempt.task.seq,
    );
    if (++this.#beats % beatsPerLook > 0) return;
    await this.#look(
      attempts,
      ({ stateSubject }) => stateSubject,
      (attempt, record) => record === undefined || attempt.isWantedBy(record.data),
    );
  }

  /** Reads what stands in the log for each attempt, and cancels those that are not wanted. */
  async #look(
    attempts: readonly TaskAttempt[],
    subjectOf: (attempt: TaskAttempt) => string,
    isWanted: (attempt: TaskAttempt, record: LogRecord | undefined) => boolean,
  ): Promise<void> {
    for (let i = 0; i < attempts.length; i += maxChecked) {
      const some = attempts.slice(i, i + maxChecked);
      const records = await this.#shared.context.log.lastMany("core", some.map(subjectOf));
      some.forEach((attempt, at) => {
        if (!isWanted(attempt, records[at])) attempt.cancel();
      });
    }
  }

  #onCancelled(data: Uint8Array): void {
    let cancelled: { readonly actor?: unknown; readonly n?: unknown };
    try {
      cancelled = JSON.parse(Buffer.from(data).toString());
    } catch {
      // Anyone may signal anything.
      return;
    }
    for (const attempt of [...this.#attempts.values()]) {
      const { actor, n } = attempt.record;
      if (actor === cancelled?.actor && n === cancelled.n) attempt.cancel();
    }
  }
}

function isFatal(error: unknown): boolean {
  const tag = (error as { readonly _tag?: unknown } | null)?._tag;
  return tag === "SpaceIdentityError" || tag === "NotAuthorizedError" || tag === "SpaceConfigError";
}

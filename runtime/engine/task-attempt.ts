/**
 * One task of an activity that a process has taken: from the delivery to its result.
 *
 * 1. The task is acknowledged when its result is in INGRESS, when it was given back, or when nobody wants it any more; until then it comes again.
 * 2. A result has a subject of its own for every attempt, and is only stored where none is: a second result of an attempt is refused by the log.
 * 3. A task that is given back is written anew with the number of its losses, so that only workers that were gone count as losses.
 * 4. An attempt that would be reported as lost if its worker died once more runs with no other such attempt in its process: what kills its workers
 *    takes those that happened to run beside it down with it, but not each time.
 */
import { type Address, partitionOf } from "../core/address.ts";
import { fromStored } from "../core/codec.ts";
import { type ActivityOutcome, workerSender } from "../core/envelope.ts";
import { ActivityCancelledError, ActivityLostError, ActivityValueError, SystemStoppedError } from "../core/errors.ts";
import { toToken } from "../core/names.ts";
import { decodeRecord, encodeRecord, type StateRecord, type TaskRecord } from "../core/records.ts";
import { sleep } from "../core/time.ts";
import type { LogLimits } from "../log/log.ts";
import type { Task, WorkQueue } from "../log/work-queue.ts";
import { errorOutcome, outputOutcome, resultBytes } from "./activity-result.ts";
import { backoffMs, type NodeContext } from "./context.ts";
import type { RunnableActivity } from "./definition.ts";
import type { Limiter } from "./limiter.ts";
import type { PatientAppender } from "./patient-appender.ts";
import { type AttemptEnd, refusedValue, runAttempt } from "./run-attempt.ts";
import type { Slots } from "./slots.ts";
import { idempotencyKey, resultName, taskName } from "./task-names.ts";
import type { WorkerLife } from "./worker-life.ts";

/** What all activities of one process share. */
export interface WorkerShared {
  readonly context: NodeContext;
  readonly workQueue: WorkQueue;
  readonly ingressLimits: LogLimits;
  readonly slots: Slots;
  readonly life: WorkerLife;
  readonly results: PatientAppender;
  readonly tasks: PatientAppender;
  /** One at a time: attempts that have their last chance. */
  readonly lastChance: Slots;
  readonly onFailed: (error: Error) => void;
}

/** An attempt that kills its worker is made at least so often. */
const leastLosses = 3;
/** How long an attempt that has its last chance lets those be given back that came with it. */
const lastChanceDelayMs = 100;

/** A task at work. */
export class TaskAttempt {
  /** The newest delivery of it. */
  task: Task;
  readonly record: TaskRecord;
  /** When it was taken. */
  readonly sinceMs: number;
  readonly #shared: WorkerShared;
  readonly #activity: RunnableActivity;
  readonly #limiter: Limiter | undefined;
  readonly #actor: Address;
  readonly #onMoved: (attempt: TaskAttempt, isOver: boolean) => void;
  readonly #controller = new AbortController();
  #phase: "waiting" | "running" | "ending" | "over";
  /** `unwanted`: nobody waits for its result. `lost`: others make it again. */
  #fate: "wanted" | "unwanted" | "lost" = "wanted";
  /** How many workers were gone before it ended. */
  #lost: number;
  #hasPlace = false;
  #hasLastChance = false;
  /** It was given back, since another attempt has its last chance here. */
  wasDeclined = false;
  #stopWaiting: (() => void) | undefined;
  #isStopped = false;

  /**
   * Without a limiter the attempt has a slot of the process already. `onMoved` is called when it has begun after waiting, and when it is over: its slot
   * and its places are given back then.
   */
  constructor(
    shared: WorkerShared,
    activity: RunnableActivity,
    limiter: Limiter | undefined,
    task: Task,
    record: TaskRecord,
    actor: Address,
    onMoved: (attempt: TaskAttempt, isOver: boolean) => void,
  ) {
    this.#shared = shared;
    this.#activity = activity;
    this.#limiter = limiter;
    this.task = task;
    this.record = record;
    this.#actor = actor;
    this.#onMoved = onMoved;
    this.sinceMs = shared.context.time.elapsed();
    this.#phase = limiter === undefined ? "running" : "waiting";
    // Where places are counted, their records say whether a delivery was ever started.
    this.#lost = (record.lost ?? 0) + (countsPlaces(activity) ? 0 : task.delivery - 1);
  }

  /** True while it waits for a limit: its code has not been called. */
  get isWaiting(): boolean {
    return this.#phase === "waiting";
  }

  /** Where the state of the actor is. */
  get stateSubject(): string {
    const { subjects, partitions } = this.#shared.context;
    return subjects.state(partitionOf(this.#actor, partitions), this.#actor);
  }

  /** False when a stored state shows that the actor does not wait for the attempt any more. */
  isWantedBy(state: Uint8Array): boolean {
    const { snapshot } = decodeRecord<StateRecord>("a state", state);
    const { n, attempt } = this.record;
    // By its generation: a state of another version may give it another name.
    const child = Object.values(snapshot?.children ?? {}).find((each) => each.n === n);
    return child?.ended !== true && child?.task?.attempt === attempt;
  }

  /** Does all that is to be done about the task; rejects only with a defect. */
  async work(): Promise<void> {
    if ((this.task.delivery > 1 || this.record.lost !== undefined) && (await this.#isSettled())) {
      if (this.#isEnding) return;
      this.task.ack();
      this.#end();
      return;
    }
    let end: AttemptEnd;
    try {
      const checked = this.#activity.checkInput(fromStored(this.record.input));
      if ("problems" in checked) throw refusedValue(this.#activity.name, "its input", checked.problems);
      if (this.#phase === "waiting") await this.#wait(checked.input);
      if (this.#isEnding) return;
      if (!(await this.#mayRun())) {
        this.wasDeclined = true;
        return this.giveBack();
      }
      end = await this.#run(checked.input);
    } catch (error) {
      end = { kind: "failed", error };
    }
    await this.#conclude(end);
  }

  /** Nobody waits for the result any more. */
  cancel(): void {
    if (this.#fate !== "wanted" || this.#isEnding) return;
    this.#fate = "unwanted";
    const { name } = this.#activity;
    const { actor } = this.record;
    this.#shared.context.telemetry.activities.cancelled++;
    this.#controller.abort(
      new ActivityCancelledError(
        `Activity "${name}" of ${actor} is cancelled: the state that asked for it was left, or its time is over.`,
        { details: { activity: name, actor } },
      ),
    );
    if (this.#phase !== "waiting") return;
    this.#phase = "ending";
    this.#stopWaiting?.();
    this.task.ack();
    this.#end();
  }

  /** Others take this process for gone, and give the place of the attempt away. */
  losePlace(): void {
    if (!this.#hasPlace || this.#isEnding) return;
    this.#fate = "lost";
    const { name } = this.#activity;
    this.#controller.abort(
      new ActivityLostError(
        `Activity "${name}" of ${this.record.actor} is interrupted: this process was not heard for too long, and the place under the limit is given to others.`,
        { details: { activity: name, actor: this.record.actor } },
      ),
    );
  }

  /** The process stops: what the handler does not end now, another worker makes again. */
  interrupt(): void {
    this.#controller.abort(
      new SystemStoppedError(
        `Activity "${this.#activity.name}" is interrupted: the process stops. Another worker makes the attempt again.`,
      ),
    );
  }

  /** Writes the task anew, for any worker to take; one that was purged meanwhile is refused. */
  async giveBack(): Promise<void> {
    this.#phase = "ending";
    this.#stopWaiting?.();
    const { context, tasks } = this.#shared;
    const { lost: _, ...record } = this.record;
    const again: TaskRecord = this.#lost > 0 ? { ...record, lost: this.#lost } : record;
    const how = await tasks.append({
      subject: this.task.subject,
      data: encodeRecord(again),
      expectLastSeq: this.task.seq,
    });
    if (how === "stopped") return;
    this.task.ack();
    context.telemetry.activities.returned++;
    this.#end();
  }

  /** Lets go of it at once, as a crash would. */
  abandon(): void {
    this.#isStopped = true;
    this.#stopWaiting?.();
  }

  get #isEnding(): boolean {
    return this.#phase === "ending" || this.#phase === "over" || this.#isStopped;
  }

  /** True when there is a result, or the task was removed or written anew: asked where a task has come before. */
  async #isSettled(): Promise<boolean> {
    const { log, time, random } = this.#shared.context;
    for (let trial = 1; trial <= 5 && !this.#isStopped; trial++) {
      try {
        const [task, result] = await Promise.all([
          log.last("core", this.task.subject),
          log.last("ingress", this.#resultSubject()),
        ]);
        return task?.seq !== this.task.seq || result !== undefined;
      } catch {
        await sleep(time, backoffMs(trial, random));
      }
    }
    return false;
  }

  /** Resolves when the limits let it start, or when it is not to start any more. */
  #wait(input: unknown): Promise<void> {
    const key = checkedKey(this.#activity, input);
    return new Promise((resolve) => {
      const takeBack = this.#limiter?.request(taskName(this.task.subject), key, (lost = 0) => {
        this.#stopWaiting = undefined;
        this.#hasPlace = true;
        this.#lost += lost;
        this.#phase = "running";
        this.#onMoved(this, false);
        resolve();
      });
      this.#stopWaiting = () => {
        takeBack?.();
        resolve();
      };
    });
  }

  get #mostLosses(): number {
    return Math.max(leastLosses, this.#activity.retry.maxAttempts);
  }

  /** False when it would have its last chance beside another attempt that has it. */
  async #mayRun(): Promise<boolean> {
    if (this.#lost !== this.#mostLosses - 1) return true;
    const { lastChance, context } = this.#shared;
    if (lastChance.tryTake(1) === 0) return false;
    this.#hasLastChance = true;
    await sleep(context.time, lastChanceDelayMs);
    return true;
  }

  async #run(input: unknown): Promise<AttemptEnd> {
    const { time, telemetry, spaceName } = this.#shared.context;
    const { record } = this;
    if (this.#controller.signal.aborted) return { kind: "aborted" };
    if (this.#lost > 0) telemetry.activities.lost++;
    if (this.#lost >= this.#mostLosses) return { kind: "failed", error: lostTooOften(record, this.#lost) };
    telemetry.activities.started++;
    const args = {
      input,
      signal: this.#controller.signal,
      idempotencyKey: idempotencyKey(spaceName, this.#actor, record.n, record.key),
      attempt: record.attempt + this.#lost,
      actor: this.#actor,
      id: record.id,
    };
    return runAttempt(this.#activity, args, time);
  }

  async #conclude(end: AttemptEnd): Promise<void> {
    if (this.#isEnding) return;
    this.#phase = "ending";
    if (this.#fate !== "wanted") {
      if (this.#fate === "unwanted") this.task.ack();
      else this.task.nak();
      this.#end();
      return;
    }
    if (end.kind === "aborted") return this.giveBack();
    const { telemetry } = this.#shared.context;
    if (end.kind === "done") {
      const outcome = outputOutcome(end.output);
      if ("output" in outcome) telemetry.activities.done++;
      else telemetry.activities.failed++;
      return this.#finish(outcome);
    }
    if (end.kind === "timed-out") telemetry.activities.timedOut++;
    else telemetry.activities.failed++;
    const { activity, actor, attempt } = this.record;
    const why = end.error instanceof Error ? `${end.error.name}: ${end.error.message}` : String(end.error);
    telemetry.tell(
      end.error instanceof ActivityLostError ? "warn" : "info",
      end.kind === "timed-out" ? "activity.timeout" : "activity.failed",
      `Attempt ${attempt} of activity "${activity}" of ${actor} failed: ${why}`,
      { activity, actor, attempt },
    );
    const outcome = errorOutcome(end.error, (error) => this.#activity.isWorthRetrying(error));
    return this.#finish({ ...outcome, attempts: attempt + this.#lost });
  }

  /** Sends what came of it, and acknowledges the task. */
  async #finish(outcome: ActivityOutcome): Promise<void> {
    const { context, results, ingressLimits } = this.#shared;
    const how = await results.append({
      subject: this.#resultSubject(),
      data: resultBytes(this.record, outcome, context.time.now(), ingressLimits.maxRecordBytes),
      expectLastSeq: 0,
    });
    if (how === "stopped") return;
    this.task.ack();
    this.#end();
  }

  #end(): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    if (this.#hasPlace) this.#limiter?.release(taskName(this.task.subject));
    if (this.#hasPlace || this.#limiter === undefined) this.#shared.slots.give();
    if (this.#hasLastChance) this.#shared.lastChance.give();
    this.#onMoved(this, true);
  }

  #resultSubject(): string {
    const { subjects, partitions } = this.#shared.context;
    return subjects.ingress(workerSender, partitionOf(this.#actor, partitions), this.#actor, resultName(this.record));
  }
}

/** True when the places of attempts are written down, so that it is known which were started. */
function countsPlaces({ limits, perKey }: RunnableActivity): boolean {
  return perKey !== undefined && (perKey.concurrency !== undefined || limits.concurrency !== undefined);
}

function checkedKey({ name, perKey }: RunnableActivity, input: unknown): string | undefined {
  if (perKey === undefined) return undefined;
  const key = perKey.keyOf(input);
  if (typeof key === "string" && key !== "") {
    toToken(key, "an activity key");
    return key;
  }
  throw new ActivityValueError(
    `Activity "${name}" cannot start: its key is ${typeof key === "string" ? "empty" : `a ${typeof key}`}. The function "key" must return a string that is not empty.`,
    { details: { activity: name } },
  );
}

function lostTooOften({ activity, actor, attempt }: TaskRecord, lost: number): ActivityLostError {
  return new ActivityLostError(
    `Attempt ${attempt} of activity "${activity}" of ${actor} was started ${lost} times, and each time its worker was gone before it ended. It is not started again.`,
    { details: { activity, actor, attempt, lost } },
  );
}

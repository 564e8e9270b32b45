/** An actor node: puts ownership, partitions, lanes and commits together and keeps the house. */

import type { DeadLetteredEvent } from "../core/dead-letter-events.ts";
import { SystemStoppedError } from "../core/errors.ts";
import type { SpaceRecord } from "../core/records.ts";
import { Subjects } from "../core/subjects.ts";
import { sleep, systemTime, type Time } from "../core/time.ts";
import type { Log, LogLimits } from "../log/log.ts";
import type { WorkQueue } from "../log/work-queue.ts";
import { backoffMs, type NodeContext, type NodeSettings } from "./context.ts";
import type { RunnableActivity, RunnableDefinition } from "./definition.ts";
import { Dispatcher } from "./dispatcher.ts";
import { type FaultHook, noFaults } from "./faults.ts";
import { LiveChildren } from "./live.ts";
import { type LetterStats, Office } from "./office.ts";
import { Ownership } from "./ownership.ts";
import { Partition, type PartitionStats } from "./partition.ts";
import { Post } from "./post.ts";
import { Purge } from "./purge.ts";
import { Queries } from "./queries.ts";
import { registerTypes } from "./registry.ts";
import { type NodeCounters, type NodeEvent, Telemetry } from "./telemetry.ts";
import { TrialTurns } from "./trial-turns.ts";
import { type DecisionWatch, noWatch } from "./watchdog.ts";
import { ActivityWorker, type WorkerStats } from "./worker.ts";

/** Default settings of a node; durations in milliseconds. */
export const defaultSettings: NodeSettings = {
  heartbeatMs: 600,
  leaseMs: 2500,
  checkpointMs: 1000,
  purgeMs: 2_000,
  timerPurgeMs: 60_000,
  ingressGraceMs: 30_000,
  keyRetentionMs: 7 * 24 * 3_600_000,
  topicRetentionMs: 7 * 24 * 3_600_000,
  officeMs: 10_000,
  letterMaxAgeMs: Number.POSITIVE_INFINITY,
  letterMaxCount: Number.POSITIVE_INFINITY,
  letterMaxBytes: Number.POSITIVE_INFINITY,
  closedLettersMs: 7 * 24 * 3_600_000,
  maxQueued: 20_000,
  maxQueuedBytes: 64 * 1024 * 1024,
  cacheBytes: 64 * 1024 * 1024,
  passivateMs: 300_000,
  drainMs: 15_000,
  maxActivities: 100,
  workerLeaseMs: 15_000,
  maxCrashes: 3,
  maxRecordsPerCommit: 1000,
  maxBytesPerCommit: 4 * 1024 * 1024,
};

/** What a node is made of. */
export interface NodeParts {
  readonly log: Log;
  readonly spaceName: string;
  readonly space: SpaceRecord;
  /** A node without definitions takes no partitions. */
  readonly definitions: readonly RunnableDefinition[];
  /** What the node needs to work on activities, and which; absent: on none. */
  readonly work?: {
    readonly activities: readonly RunnableActivity[];
    readonly workQueue: WorkQueue;
    /** What INGRESS accepts; CORE's limits are the log's. */
    readonly ingressLimits: LogLimits;
  };
  /** Unique name of the node in its space. */
  readonly node: string;
  readonly settings?: Partial<NodeSettings>;
  readonly time?: Time;
  /** Random numbers in [0, 1). */
  readonly random?: () => number;
  readonly fault?: FaultHook;
  /** Is told what is being decided. */
  readonly watch?: DecisionWatch;
  readonly onEvent?: (event: NodeEvent) => void;
  /** Called for each message that this node has made a dead letter of, after the commit. */
  readonly onDeadLetter?: (event: DeadLetteredEvent) => unknown;
}

/** What a node says of itself. */
export interface NodeStats {
  readonly node: string;
  readonly counters: NodeCounters;
  readonly partitions: readonly number[];
  readonly aliveNodes: readonly string[];
  /** Messages in memory that are not committed. */
  readonly queued: number;
  /** Messages read and not handled, over all partitions. */
  readonly pending: number;
  readonly idleActors: number;
  readonly idleBytes: number;
  /** How far each of the node's partitions has come. */
  readonly mailboxes: readonly PartitionStats[];
  /** Send-to-commit latency as histogram counts; `Latencies.merge` reads them. */
  readonly sendToCommit: readonly number[];
  /** Milliseconds that commits took, as {@link NodeStats.sendToCommit}. */
  readonly commitTime: readonly number[];
  /** Bytes of commits as histogram counts; `Sizes.merge` reads them. */
  readonly commitSize: readonly number[];
  /** Actors that are put aside now, since their stored state cannot be used. */
  readonly unusableActors: number;
  /** The activities that the node works on; undefined when there are none. */
  readonly activities: WorkerStats | undefined;
  /** Timers that are due within the next minutes, or were due and are not handled. */
  readonly nearTimers: number;
  /** Due-to-commit latency of timers, as {@link NodeStats.sendToCommit}. */
  readonly timerLateness: readonly number[];
  /** The dead letters of its partitions, as they were within the last seconds. */
  readonly letters: Omit<LetterStats, "parkedActors">;
  /** Actors of its partitions with a dead letter that parks them. */
  readonly parkedActors: number;
}

const goneNodeMs = 600_000;

/** A running node. */
export class ActorNode {
  readonly #context: NodeContext;
  readonly #ownership: Ownership;
  readonly #dispatcher: Dispatcher;
  readonly #partitions = new Map<number, Partition>();
  readonly #turns = new TrialTurns();
  readonly #purge: Purge;
  readonly #post: Post;
  readonly #queries: Queries;
  readonly #office: Office;
  readonly #live: LiveChildren;
  readonly #worker: ActivityWorker | undefined;
  readonly #cancels = new Set<() => void>();
  /** Last sequences of the streams as they were one round of tidying ago. */
  readonly #lastSeqs = { ingress: 0, core: 0 };
  readonly #onFailed: (error: Error) => void;
  #state: "new" | "running" | "stopping" | "stopped" = "new";
  #isFull = false;
  /** Rejects when the node cannot go on by itself: the space is gone or is not the one it was. */
  readonly failed: Promise<never>;

  constructor(parts: NodeParts) {
    const random = parts.random ?? Math.random;
    const token = Array.from({ length: 12 }, () => Math.floor(random() * 36).toString(36)).join("");
    const settings: NodeSettings = { ...defaultSettings, ...parts.settings };
    this.#context = {
      node: parts.node,
      owner: `${parts.node}:${token}`,
      spaceName: parts.spaceName,
      partitions: parts.space.partitions,
      subjects: new Subjects(parts.spaceName),
      log: parts.log,
      time: parts.time ?? systemTime,
      random,
      definitions: new Map(parts.definitions.map((definition) => [definition.type, definition])),
      settings: {
        ...settings,
        maxRecordsPerCommit: Math.min(settings.maxRecordsPerCommit, parts.log.limits.maxRecordsPerAppend),
        maxBytesPerCommit: Math.min(settings.maxBytesPerCommit, parts.log.limits.maxBytesPerAppend),
      },
      telemetry: new Telemetry(parts.onEvent ?? (() => {})),
      fault: parts.fault ?? noFaults,
      ...(parts.onDeadLetter === undefined ? {} : { onDeadLetter: parts.onDeadLetter }),
    };
    let fail: (error: Error) => void = () => {};
    this.failed = new Promise((_, reject) => {
      fail = reject;
    });
    this.failed.catch(() => {});
    this.#onFailed = (error) => {
      if (this.#state === "stopping" || this.#state === "stopped") return;
      this.#context.telemetry.tell("error", "node.failed", `Node ${parts.node} stops: ${error.message}`, { error });
      this.#worker?.interrupt();
      this.abandon();
      fail(error);
    };
    this.#ownership = new Ownership(this.#context, {
      onGained: (partition, from) => this.#open(partition, from),
      onLost: (partition) => this.#close(partition),
      onHandOver: (partition) => this.#drain(partition),
      onFailed: this.#onFailed,
    });
    this.#purge = new Purge(this.#context);
    this.#post = new Post(this.#context);
    this.#office = new Office(this.#context);
    this.#queries = new Queries(this.#context, () => this.stats());
    this.#live = new LiveChildren(this.#context, this.#post);
    if (parts.work !== undefined && parts.work.activities.length > 0)
      this.#worker = new ActivityWorker({ ...parts.work, context: this.#context, onFailed: this.#onFailed });
    this.#dispatcher = new Dispatcher(this.#context, this.#partitions, this.#live, {
      watch: parts.watch ?? noWatch,
      mayCommit: () => this.#ownership.mayCommit(),
      onFenced: () => {
        this.#ownership.revalidate().catch(() => {});
      },
      onFailed: this.#onFailed,
      onPressure: (isFull) => {
        this.#isFull = isFull;
        for (const partition of this.#partitions.values()) {
          if (isFull) partition.pause();
          else partition.resume();
        }
      },
    });
  }

  /** Registers the actor types, and begins to take partitions and tasks of activities; resolves when the node takes part. */
  async start(): Promise<void> {
    if (this.#state !== "new")
      throw new SystemStoppedError(`Cannot start node ${this.#context.node}: it was started before.`);
    this.#state = "running";
    if (this.#hasActors) await this.#startActors();
    this.#worker?.start();
    this.#queries.start();
  }

  get #hasActors(): boolean {
    return this.#context.definitions.size > 0;
  }

  async #startActors(): Promise<void> {
    await registerTypes(this.#context);
    await this.#ownership.start();
    const { checkpointMs, purgeMs, timerPurgeMs, officeMs, passivateMs } = this.#context.settings;
    this.#every(checkpointMs, () => this.#checkpoint());
    this.#every(purgeMs, () => this.#tidy());
    this.#every(officeMs, () =>
      this.#office.round(() => this.#state === "running" && this.#ownership.mayCommit() === undefined),
    );
    this.#every(timerPurgeMs, () => this.#purgeTimers());
    this.#every(Math.max(1000, passivateMs / 4), async () =>
      this.#dispatcher.passivate(this.#context.time.elapsed() - passivateMs),
    );
  }

  /**
   * Stops reading, commits what is decided, writes the checkpoints and hands the partitions over; attempts of activities may end meanwhile, and are given
   * back when they do not.
   */
  async stop(): Promise<void> {
    if (this.#state === "stopped") return;
    this.#state = "stopping";
    this.#cancelTimers();
    const { time, settings, telemetry } = this.#context;
    const worked = this.#worker?.stop(settings.drainMs);
    const isDone = await Promise.race([
      (this.#hasActors ? this.#ownership.leave() : Promise.resolve()).then(() => true),
      sleep(time, settings.drainMs).then(() => false),
    ]);
    if (!isDone) {
      telemetry.tell(
        "warn",
        "node.drain",
        `Node ${this.#context.node} stops before all was handed over: the log did not answer within ${settings.drainMs} ms. Nothing is lost.`,
      );
    }
    await worked;
    this.abandon();
  }

  /** Lets go of everything at once, as a crash would; nothing more is written. */
  abandon(): void {
    this.#state = "stopped";
    this.#cancelTimers();
    this.#worker?.abandon();
    this.#ownership.stop();
    this.#dispatcher.stop();
    this.#live.stop();
    this.#post.stop();
    this.#queries.stop();
    for (const partition of this.#partitions.values()) partition.close();
    this.#partitions.clear();
  }

  /** What the node counts and measures, for those who want to hear of each value. */
  get telemetry(): Telemetry {
    return this.#context.telemetry;
  }

  stats(): NodeStats {
    const { telemetry, node } = this.#context;
    let nearTimers = 0;
    let unusableActors = 0;
    const mailboxes: PartitionStats[] = [];
    for (const partition of this.#partitions.values()) {
      mailboxes.push(partition.stats);
      nearTimers += partition.nearTimers;
      for (const lane of partition.lanes) if (lane.phase === "parked") unusableActors++;
    }
    mailboxes.sort((a, b) => a.partition - b.partition);
    const { parkedActors, ...letters } = this.#office.stats();
    return {
      node,
      counters: structuredClone(telemetry.counters),
      partitions: mailboxes.map(({ partition }) => partition),
      aliveNodes: this.#ownership.alive,
      queued: this.#dispatcher.queued,
      pending: mailboxes.reduce((sum, { pending }) => sum + pending, 0),
      mailboxes,
      idleActors: this.#dispatcher.idle.actors,
      idleBytes: this.#dispatcher.idle.bytes,
      sendToCommit: telemetry.sendToCommit.toJSON(),
      commitTime: telemetry.commitTime.toJSON(),
      commitSize: telemetry.commitSize.toJSON(),
      unusableActors,
      activities: this.#worker?.stats(),
      nearTimers,
      timerLateness: telemetry.timerLateness.toJSON(),
      letters,
      parkedActors,
    };
  }

  #open(id: number, from: string, attempt = 1): void {
    const taken = { from, turns: this.#turns, isWell: (owner: string) => this.#ownership.isWell(owner) };
    const partition = new Partition(id, this.#context, this.#dispatcher, taken, this.#onFailed);
    this.#partitions.set(id, partition);
    this.#queries.open(id);
    this.#office.open(id);
    if (this.#isFull) partition.pause();
    const { telemetry, time, random } = this.#context;
    partition.open().then(
      () =>
        telemetry.tell(
          "info",
          "partition.opened",
          `Partition ${id} is open${from === "" ? "" : `, taken over from ${from}`}.`,
          { partition: id, from },
        ),
      (error) => {
        if (this.#partitions.get(id) !== partition) return;
        const why = error instanceof Error ? error.message : String(error);
        telemetry.tell("warn", "partition.failed", `Cannot open partition ${id}: ${why} Trying again.`);
        // What was opened half is closed whole before the next trial.
        partition.close();
        const cancel = time.after(backoffMs(attempt, random), () => {
          this.#cancels.delete(cancel);
          if (this.#partitions.get(id) === partition) this.#open(id, from, attempt + 1);
        });
        this.#cancels.add(cancel);
      },
    );
  }

  #close(id: number): void {
    this.#live.stop(id);
    this.#queries.close(id);
    this.#office.close(id);
    this.#partitions.get(id)?.close();
    this.#partitions.delete(id);
  }

  async #drain(id: number): Promise<void> {
    const partition = this.#partitions.get(id);
    if (partition === undefined) return;
    await partition.drain();
    if (this.#partitions.get(id) !== partition) return;
    await this.#writeCheckpoints([partition]).catch(() => {});
    this.#close(id);
    this.#context.telemetry.tell("info", "partition.handed-over", `Partition ${id} is handed over.`, { partition: id });
  }

  async #checkpoint(): Promise<void> {
    if (this.#ownership.mayCommit() !== undefined) return;
    await this.#writeCheckpoints([...this.#partitions.values()]);
  }

  async #writeCheckpoints(partitions: readonly Partition[]): Promise<void> {
    const { log, fault, settings } = this.#context;
    const due = partitions.flatMap((partition) => {
      const checkpoint = partition.checkpoint();
      return checkpoint === undefined ? [] : [{ partition, ...checkpoint }];
    });
    for (let i = 0; i < due.length; i += settings.maxRecordsPerCommit) {
      const some = due.slice(i, i + settings.maxRecordsPerCommit);
      fault("checkpoint.before");
      const result = await log.append(
        "core",
        some.map(({ record }) => record),
      );
      if (result._tag !== "Appended") return;
      for (const [at, { partition, progress }] of some.entries())
        partition.checkpointed(progress, result.firstSeq + at);
      fault("checkpoint.after");
    }
  }

  async #tidy(): Promise<void> {
    if (this.#ownership.mayCommit() !== undefined) return;
    const { log, subjects, fault } = this.#context;
    for (const stream of ["ingress", "core"] as const) {
      const { lastSeq } = await log.state(stream);
      for (const partition of this.#partitions.values()) {
        await partition.advance(stream, this.#lastSeqs[stream]);
        if (stream === "core") await partition.advanceTimers(this.#lastSeqs.core);
        if (this.#state !== "running") return;
      }
      this.#lastSeqs[stream] = lastSeq;
    }
    for (const partition of this.#partitions.values()) {
      await partition.purge();
      if (this.#state !== "running") return;
    }
    if (this.#partitions.has(0)) await this.#purge.run();
    for (const node of this.#ownership.gone(goneNodeMs)) {
      await log.purge("core", subjects.node(node));
      this.#ownership.forget(node);
    }
    fault("purged");
  }

  async #purgeTimers(): Promise<void> {
    for (const partition of [...this.#partitions.values()]) {
      if (this.#state !== "running" || this.#ownership.mayCommit() !== undefined) return;
      await partition.purgeTimers();
    }
  }

  #every(delayMs: number, run: () => Promise<void>): void {
    const arm = (): void => {
      const cancel = this.#context.time.after(delayMs, () => {
        this.#cancels.delete(cancel);
        if (this.#state !== "running") return;
        run()
          .catch((error) => {
            if (this.#state === "running") {
              this.#context.telemetry.tell(
                "warn",
                "housekeeping.failed",
                `Housekeeping failed and is tried again: ${error instanceof Error ? error.message : String(error)}`,
              );
            }
          })
          .finally(() => {
            if (this.#state === "running") arm();
          });
      });
      this.#cancels.add(cancel);
    };
    arm();
  }

  #cancelTimers(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }
}

/** Workers over a broker in memory, with tasks written by hand: what the owner of an actor would do is done here. */
import { defineActivity } from "../../actors/define-activity.ts";
import { makeAddress, partitionOf } from "../../runtime/core/address.ts";
import { fromStored, toStored } from "../../runtime/core/codec.ts";
import { type ActivityOutcome, decodeEnvelope } from "../../runtime/core/envelope.ts";
import { encodeRecord, recordFormat, type TaskRecord } from "../../runtime/core/records.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import { runnableOf } from "../../runtime/engine/activities.ts";
import type { NodeSettings } from "../../runtime/engine/context.ts";
import { defaultSettings } from "../../runtime/engine/node.ts";
import { type NodeEvent, Telemetry } from "../../runtime/engine/telemetry.ts";
import { ActivityWorker } from "../../runtime/engine/worker.ts";
import type { FaultPlan } from "../../runtime/memory/faults.ts";
import { createMemoryBroker, type MemoryConnection } from "../../runtime/memory/memory-broker.ts";
import { VirtualTime } from "../../runtime/memory/virtual-time.ts";

const partitions = 4;
const subjects = new Subjects("test");

/** A result as the owner reads it. */
export interface SeenResult {
  readonly actor: string;
  readonly n: number;
  readonly attempt: number;
  readonly outcome: ActivityOutcome;
}

/** Any logic that `defineActivity` made. */
type AnyActivity = Parameters<typeof runnableOf>[0];

export class WorkerWorld {
  readonly time: VirtualTime;
  readonly broker;
  readonly events: NodeEvent[] = [];
  readonly #owner: MemoryConnection;
  #workers = 0;

  constructor(options: { readonly seed?: number; readonly faults?: FaultPlan } = {}) {
    this.time = new VirtualTime({ seed: options.seed ?? 1 });
    this.broker = createMemoryBroker({
      time: this.time,
      ...(options.faults === undefined ? {} : { faults: options.faults }),
    });
    this.#owner = this.broker.connect("owner");
  }

  /** Starts a worker in a process of its own. */
  start(activities: readonly AnyActivity[], settings: Partial<NodeSettings> = {}) {
    const name = `worker-${++this.#workers}`;
    const connection = this.broker.connect(name);
    const random = this.time.random.fork(name);
    const telemetry = new Telemetry((event) => this.events.push(event));
    const worker = new ActivityWorker({
      context: {
        node: name,
        owner: `${name}:token`,
        spaceName: "test",
        partitions,
        subjects,
        log: connection.log,
        time: connection.time,
        random: () => random.next(),
        definitions: new Map(),
        settings: { ...defaultSettings, ...settings },
        telemetry,
        fault: () => {},
      },
      workQueue: connection.workQueue,
      ingressLimits: connection.log.limits,
      activities: activities.map((activity) => {
        const runnable = runnableOf(activity);
        if (runnable === undefined) throw new Error("That is no activity.");
        return runnable;
      }),
      onFailed: (error) => {
        throw error;
      },
    });
    worker.start();
    return {
      name,
      stats: () => worker.stats(),
      stop: (drainMs = 15_000) => this.run(worker.stop(drainMs)),
      stopping: (drainMs: number) => worker.stop(drainMs),
      crash: () => {
        connection.sever();
        worker.abandon();
      },
      freeze: () => connection.freeze(),
      thaw: () => connection.thaw(),
      cut: () => connection.cut(),
      mend: () => connection.mend(),
    };
  }

  /** Writes the task of an attempt, as the commit of an actor does. */
  async ask(activity: string, given: Partial<TaskRecord> & { readonly data?: unknown } = {}): Promise<string> {
    const { data, ...rest } = given;
    const record: TaskRecord = {
      format: recordFormat,
      activity,
      actor: "order/1",
      id: "work",
      n: 1,
      attempt: 1,
      input: toStored(data),
      since: this.time.now(),
      ...rest,
    };
    const subject = this.taskSubject(record);
    for (;;) {
      const task = { subject, data: encodeRecord(record), expectLastSeq: 0 };
      const { _tag } = await this.run(this.#owner.log.append("core", [task]));
      // A conflict: an earlier trial was stored after all.
      if (_tag === "Appended" || _tag === "Conflict") return subject;
    }
  }

  taskSubject({ activity, actor, n, attempt }: Pick<TaskRecord, "activity" | "actor" | "n" | "attempt">): string {
    const [type, ...id] = actor.split("/");
    const address = makeAddress(type as string, id.join("/"));
    return subjects.task(partitionOf(address, partitions), activity, address, n, attempt);
  }

  /** Tells workers that an attempt is not wanted; the record stays. */
  signalCancelled(activity: string, given: { readonly actor?: string; readonly n?: number } = {}): void {
    const cancelled = { actor: "order/1", n: 1, attempt: 1, ...given };
    this.#owner.log.signal(subjects.cancelled(activity), Buffer.from(JSON.stringify(cancelled)));
  }

  /** Writes an actor's state with the generations of the activities that it waits for, each in its first attempt. */
  async wait(actor: string, ...generations: readonly number[]): Promise<void> {
    const [type, id] = actor.split("/") as [string, string];
    const children = Object.fromEntries(
      generations.map((n) => [`c${n}`, { kind: "activity", src: "work", n, task: { attempt: 1, since: 0 } }]),
    );
    const state = { format: recordFormat, status: "active", snapshot: { value: "x", context: {}, children } };
    const subject = subjects.state(partitionOf({ type, id }, partitions), { type, id });
    await this.run(this.#owner.log.append("core", [{ subject, data: encodeRecord(state) }]));
  }

  /** Removes the task, as the owner does when it is not wanted any more. */
  purge(subject: string): Promise<number> {
    return this.run(this.#owner.log.purge("core", subject));
  }

  /** All results that ever came to INGRESS. */
  results(): SeenResult[] {
    return this.broker.journal("ingress").map((record) => {
      const mailbox = subjects.parseMailbox("ingress", record.subject);
      const { kind, result } = decodeEnvelope(record.data);
      if (mailbox?.sender !== "statewright.worker" || kind !== "result" || result === undefined)
        throw new Error(`Not a result: ${record.subject}`);
      return { actor: `${mailbox.to.type}/${mailbox.to.id}`, ...result };
    });
  }

  outputs(): unknown[] {
    return this.results().map(({ outcome }) => ("output" in outcome ? fromStored(outcome.output) : outcome));
  }

  errors(): Error[] {
    return this.results().flatMap(({ outcome }) => ("error" in outcome ? [fromStored(outcome.error) as Error] : []));
  }

  tasks(activity: string): string[] {
    return this.broker.records("core", subjects.tasksOf(activity)).map((record) => record.subject);
  }

  records(filter: string) {
    return this.broker.records("core", filter);
  }

  async run<A>(promise: Promise<A>): Promise<A> {
    let isSettled = false;
    const settle = () => {
      isSettled = true;
    };
    promise.then(settle, settle);
    await this.time.runUntil(() => isSettled);
    return promise;
  }

  until(condition: () => boolean, maxMs = 3_600_000): Promise<void> {
    return this.time.runUntil(condition, { maxMs });
  }

  advance(ms: number): Promise<void> {
    return this.time.advance(ms);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.time.after(ms, resolve);
      signal?.addEventListener("abort", () => {
        cancel();
        reject(signal.reason);
      });
    });
  }
}

export { defineActivity };

/**
 * Work queues of the memory broker, with the habits of a JetStream consumer.
 *
 * 1. A queue lives in the broker under its name: it outlives those who pull from it.
 * 2. An acknowledgement counts whoever sends it and whenever: a late one takes the task from its new holder.
 * 3. Tasks that come back are handed out before or after new ones, as chance has it (without virtual time: before).
 */
import type { OpenWorkQueue, QueueState, Task, WorkQueue, WorkQueueOptions } from "../log/work-queue.ts";
import type { Faults } from "./faults.ts";
import type { StoredEntry } from "./memory-stream.ts";
import { type ProcessLink, stopped, unavailable } from "./process-link.ts";
import type { Wire } from "./wire.ts";

interface HeldTask {
  readonly entry: StoredEntry;
  delivery: number;
  phase: "waiting" | "out" | "done";
  /** Stops the timer of its visibility or of its delay. */
  stopTimer: () => void;
}

interface Pull {
  readonly max: number;
  readonly give: (tasks: readonly HeldTask[]) => void;
  readonly isGone: () => boolean;
}

const noTimer = (): void => {};

/** How many acknowledgements a restart of the broker may forget. */
const rememberedAcks = 32;

/** The broker's side of a queue. */
export class SharedQueue {
  readonly filter: string;
  readonly #wire: Wire;
  #visibilityMs: number;
  #maxInFlight: number;
  #fresh: StoredEntry[];
  #again: HeldTask[] = [];
  #out = new Set<HeldTask>();
  /** All that were handed out and are not done. */
  #undone = new Set<HeldTask>();
  #lastSeq: number;
  #pulls: Pull[] = [];
  #acked: HeldTask[] = [];

  constructor(wire: Wire, options: WorkQueueOptions, stored: StoredEntry[]) {
    this.#wire = wire;
    this.filter = options.filter;
    this.#visibilityMs = visibilityOf(options);
    this.#maxInFlight = maxInFlightOf(options);
    this.#fresh = stored;
    this.#lastSeq = stored.at(-1)?.record.seq ?? 0;
  }

  /** Takes over the settings of whoever opens the queue again. */
  configure(options: WorkQueueOptions): void {
    if (options.filter !== this.filter) {
      throw new RangeError(
        `Cannot open the work queue ${options.name} with the filter ${options.filter}: it exists with ${this.filter}.`,
      );
    }
    this.#visibilityMs = visibilityOf(options);
    this.#maxInFlight = maxInFlightOf(options);
  }

  offer(entry: StoredEntry): void {
    this.#fresh.push(entry);
    this.#lastSeq = entry.record.seq;
  }

  state(): QueueState {
    const fresh = this.#fresh.filter((entry) => entry.isStored);
    const undone = [...this.#undone].filter((task) => task.entry.isStored);
    const open = [...fresh, ...undone.map((task) => task.entry)].map((entry) => entry.record.seq);
    return { floor: Math.min(this.#lastSeq, ...open.map((seq) => seq - 1)), waiting: fresh.length, out: undone.length };
  }

  pull(pull: Pull): void {
    this.#pulls.push(pull);
    this.serve();
  }

  /** Takes back a pull that got nothing; returns false when it was served. */
  withdraw(pull: Pull): boolean {
    const at = this.#pulls.indexOf(pull);
    if (at >= 0) this.#pulls.splice(at, 1);
    return at >= 0;
  }

  ack(task: HeldTask): void {
    if (task.phase === "done") return;
    this.#stop(task);
    task.phase = "done";
    this.#undone.delete(task);
    this.#acked.push(task);
    if (this.#acked.length > rememberedAcks) this.#acked.shift();
    this.serve();
  }

  nak(task: HeldTask, delayMs: number): void {
    if (task.phase !== "out") return;
    this.#stop(task);
    task.phase = "waiting";
    if (delayMs > 0) task.stopTimer = this.#wire.time.after(delayMs, () => this.#comeBack(task));
    else this.#comeBack(task);
  }

  extend(task: HeldTask): void {
    if (task.phase !== "out") return;
    task.stopTimer();
    this.#startVisibility(task);
  }

  /** Forgets some of the latest acknowledgements, as a broker may that was killed. */
  forgetAcks(): void {
    for (const task of this.#acked) {
      if (!this.#wire.random.chance(0.5)) continue;
      task.phase = "waiting";
      this.#undone.add(task);
      this.#again.push(task);
    }
    this.#acked = [];
    this.serve();
  }

  /** Hands out what there is to those who wait. */
  serve(): void {
    while (this.#pulls.length > 0) {
      const pull = this.#pulls[0] as Pull;
      if (!pull.isGone()) {
        const tasks = this.#take(pull.max);
        if (tasks.length === 0) return;
        this.#pulls.shift();
        pull.give(tasks);
      } else this.#pulls.shift();
    }
  }

  #take(max: number): HeldTask[] {
    const tasks: HeldTask[] = [];
    while (tasks.length < max && this.#out.size < this.#maxInFlight) {
      const task = this.#nextTask();
      if (task === undefined) break;
      task.phase = "out";
      task.delivery++;
      this.#out.add(task);
      this.#undone.add(task);
      this.#startVisibility(task);
      tasks.push(task);
    }
    return tasks;
  }

  #nextTask(): HeldTask | undefined {
    while (
      this.#again.length > 0 &&
      (this.#wire.isDirect || this.#fresh.length === 0 || this.#wire.random.chance(0.5))
    ) {
      const at = this.#wire.isDirect ? 0 : this.#wire.random.int(this.#again.length);
      const [task] = this.#again.splice(at, 1) as [HeldTask];
      if (task.phase === "waiting" && task.entry.isStored) return task;
    }
    for (;;) {
      const entry = this.#fresh.shift();
      if (entry === undefined) return undefined;
      if (entry.isStored) return { entry, delivery: 0, phase: "waiting", stopTimer: noTimer };
    }
  }

  #startVisibility(task: HeldTask): void {
    task.stopTimer = this.#wire.time.after(this.#visibilityMs, () => {
      task.phase = "waiting";
      this.#comeBack(task);
    });
  }

  #comeBack(task: HeldTask): void {
    this.#out.delete(task);
    task.stopTimer = noTimer;
    this.#again.push(task);
    this.serve();
  }

  #stop(task: HeldTask): void {
    task.stopTimer();
    task.stopTimer = noTimer;
    this.#out.delete(task);
  }
}

/** Where queues live, by name. */
export interface QueueRegistry {
  open(options: WorkQueueOptions): SharedQueue;
}

/** One open queue of a process. */
interface Puller {
  readonly name: string;
  readonly queue: SharedQueue;
  /** Ends the pulls that wait at the broker. */
  readonly waiting: Set<() => void>;
  isClosed: boolean;
}

/** The work queue port of one connection. */
export class MemoryWorkQueue implements WorkQueue {
  readonly #link: ProcessLink;
  readonly #wire: Wire;
  readonly #faults: Faults;
  readonly #registry: QueueRegistry;

  constructor(
    link: ProcessLink,
    shared: { readonly wire: Wire; readonly faults: Faults; readonly queues: QueueRegistry },
  ) {
    this.#link = link;
    this.#wire = shared.wire;
    this.#faults = shared.faults;
    this.#registry = shared.queues;
  }

  async open(options: WorkQueueOptions): Promise<OpenWorkQueue> {
    const link = this.#link;
    const queue = await link.call<SharedQueue>({
      label: "queue.open",
      apply: (answer) => answer(this.#registry.open(options)),
      whenLost: () => {
        throw unavailable(`open the work queue ${options.name}`);
      },
    });
    const puller: Puller = { name: options.name, queue, waiting: new Set(), isClosed: false };
    return {
      pull: (max, waitMs) => (puller.isClosed ? Promise.reject(stopped()) : this.#pull(puller, max, waitMs)),
      state: () =>
        puller.isClosed
          ? Promise.reject(stopped())
          : link.call<QueueState>({
              label: "queue.state",
              apply: (answer) => answer(queue.state()),
              whenLost: () => {
                throw unavailable(`look at the work queue ${options.name}`);
              },
            }),
      close: async () => {
        puller.isClosed = true;
        for (const end of puller.waiting) end();
      },
    };
  }

  #pull(puller: Puller, max: number, waitMs: number): Promise<readonly Task[]> {
    const link = this.#link;
    const { name, queue, waiting } = puller;
    const fault = this.#faults.choose("pull", name, { connection: link.name, stream: "core" });
    const apply = (answer: (tasks: readonly Task[]) => void): void => {
      let stopTimer = noTimer;
      const end = (tasks: readonly HeldTask[]): void => {
        stopTimer();
        waiting.delete(stop);
        answer(tasks.map((task) => this.#toTask(queue, task)));
      };
      const pull: Pull = { max, isGone: () => link.isDead || link.isClosed, give: end };
      const stop = (): void => {
        if (queue.withdraw(pull)) end([]);
      };
      waiting.add(stop);
      if (!puller.isClosed && waitMs > 0) stopTimer = this.#wire.time.after(waitMs, stop);
      queue.pull(pull);
      if (puller.isClosed || !(waitMs > 0)) stop();
    };
    return link.call<readonly Task[]>(
      { label: "queue.pull", apply, whenLost: () => [], timeoutMs: Math.max(0, waitMs) + this.#wire.timeoutMs },
      fault === undefined ? undefined : fault.kind === "delay" ? { answerDelayMs: fault.ms } : { losesAnswer: true },
    );
  }

  #toTask(queue: SharedQueue, held: HeldTask): Task {
    const link = this.#link;
    const { subject, seq, data } = held.entry.record;
    const tell = (label: string, run: () => void): void => {
      if (link.isClosed) return;
      link.send(label, undefined, () => {
        if (link.isReachable) run();
      });
    };
    return {
      subject,
      seq,
      data,
      delivery: held.delivery,
      ack: () => {
        if (this.#faults.choose("ack", seq, { connection: link.name, stream: "core" }) !== undefined) return;
        tell("queue.ack", () => queue.ack(held));
      },
      nak: (delayMs = 0) => tell("queue.nak", () => queue.nak(held, delayMs)),
      extend: () => tell("queue.extend", () => queue.extend(held)),
    };
  }
}

function visibilityOf(options: WorkQueueOptions): number {
  return options.visibilityMs ?? 30_000;
}

function maxInFlightOf(options: WorkQueueOptions): number {
  return options.maxInFlight ?? 1_000;
}

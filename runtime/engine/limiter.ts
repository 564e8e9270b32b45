/**
 * Keeps the limits of one activity that the work queue cannot keep by itself: rates, and what is counted by key.
 *
 * 1. An attempt starts after it has taken its place and its start in all limits that apply to it, in one atomic append (compare-and-set).
 * 2. An append whose outcome is not known is tried again unchanged until it is known.
 * 3. A place in this worker's name that no attempt of it has is given back, however it came to be.
 * 4. Attempts that wait get their turn in the order in which they came, except for those that are held up by another limit. A worker that gives a place
 *    back leaves others a moment to take it.
 */
import { decodeRecord, encodeRecord, type LimitRecord } from "../core/records.ts";
import { sleep } from "../core/time.ts";
import type { AppendRecord, LogRecord } from "../log/log.ts";
import { backoffMs, type NodeContext } from "./context.ts";
import type { RunnableActivity } from "./definition.ts";
import { LimitCell, type LimitDraft } from "./limit-cell.ts";
import { readPatiently } from "./patient-reader.ts";
import type { Slots } from "./slots.ts";
import type { WorkerLife } from "./worker-life.ts";

const maxCellsPerAppend = 50;
/** A place that is held by others is looked at again after this time at the latest, should its worker have died. */
const lookAgainMs = 1000;
/** The same while this worker has not been heard. */
const unheardMs = 50;
const sweepMs = 30_000;

/** An attempt that wants to start. */
interface Waiter {
  readonly task: string;
  readonly cells: readonly LimitCell[];
  readonly grant: (lost: number | undefined) => void;
}

/** True when an activity has limits that need records. */
export function needsLimiter({ limits, perKey }: RunnableActivity): boolean {
  return limits.rate !== undefined || perKey !== undefined;
}

/** Lets attempts of one activity start. */
export class Limiter {
  readonly #context: NodeContext;
  readonly #activity: RunnableActivity;
  readonly #life: WorkerLife;
  readonly #slots: Slots;
  readonly #cells = new Map<string, LimitCell>();
  readonly #waiters = new Set<Waiter>();
  /** The places that attempts of this worker have, by task. */
  readonly #places = new Map<string, readonly LimitCell[]>();
  /** Attempts of this worker that others take for lost. */
  readonly #lost = new Set<string>();
  readonly #untidy = new Set<LimitCell>();
  #stopReading: () => void = () => {};
  #isCaughtUp = false;
  #isBusy = false;
  #isStopped = false;
  #spareSlots = 0;
  #wantsSlot = false;
  #writes = 0;
  #cancelWake: () => void = () => {};
  #cancelSweep: () => void = () => {};
  #onIdle: (() => void) | undefined;

  constructor(context: NodeContext, activity: RunnableActivity, life: WorkerLife, slots: Slots) {
    this.#context = context;
    this.#activity = activity;
    this.#life = life;
    this.#slots = slots;
  }

  /** Begins to watch the records. */
  start(onFailed: (error: Error) => void): void {
    this.#stopReading = readPatiently(this.#context, "core", {
      filters: [this.#context.subjects.limitsOf(this.#activity.name)],
      from: "last-per-subject",
      onRecord: (record) => this.#onRecord(record),
      onCaughtUp: () => {
        this.#isCaughtUp = true;
        this.#pump();
      },
      onError: onFailed,
    });
    this.#sweepLater();
  }

  /**
   * Asks for a start; `grant` is called when the attempt has its places and a slot of the process. It is told how often the attempt was lost before,
   * undefined where only its deliveries say so. The returned function takes the request back.
   *
   * Errors: `InvalidNameError` for a key that cannot be used.
   */
  request(task: string, key: string | undefined, grant: Waiter["grant"]): () => void {
    const waiter: Waiter = { task, cells: this.#cellsOf(key), grant };
    this.#waiters.add(waiter);
    for (const cell of waiter.cells) cell.waiting++;
    this.#pump();
    return () => this.#forget(waiter);
  }

  /** Gives the places of an attempt back. */
  release(task: string): void {
    const cells = this.#places.get(task);
    if (cells === undefined) {
      // Its places were taken for lost meanwhile: nobody else gives them back once this worker is heard again.
      this.#pump();
      return;
    }
    this.#places.delete(task);
    const { time, random } = this.#context;
    for (const cell of cells) {
      if (cell.limits.concurrency === undefined) continue;
      this.#untidy.add(cell);
      if (cell.record.holders.length >= cell.limits.concurrency) cell.yieldUntilMs = time.elapsed() + 2 + random() * 8;
    }
    this.#pump();
  }

  /** Takes the places of this worker for lost, as others do when it was not heard for too long. */
  forgetPlaces(): void {
    for (const task of this.#places.keys()) this.#lost.add(task);
    this.#places.clear();
    for (const cell of this.#cells.values()) this.#untidy.add(cell);
  }

  /** Resolves when everything that was released is given back in the log, or cannot be. */
  async settled(): Promise<void> {
    if (this.#isStopped || (!this.#isBusy && this.#untidy.size === 0)) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      this.#pump();
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopReading();
    this.#cancelWake();
    this.#cancelSweep();
    this.#slots.give(this.#spareSlots);
    this.#spareSlots = 0;
    this.#onIdle?.();
  }

  #cellsOf(key: string | undefined): LimitCell[] {
    const { name, limits, perKey } = this.#activity;
    const cells: LimitCell[] = [];
    // Without keys the work queue itself limits how many are out.
    const concurrency = perKey === undefined ? undefined : limits.concurrency;
    if (concurrency !== undefined || limits.rate !== undefined)
      cells.push(this.#cell(this.#context.subjects.limit(name, ""), { ...limits, concurrency }));
    if (perKey !== undefined && key !== undefined)
      cells.push(this.#cell(this.#context.subjects.limit(name, key), perKey));
    return cells;
  }

  #cell(subject: string, limits: LimitCell["limits"]): LimitCell {
    let cell = this.#cells.get(subject);
    if (cell === undefined) {
      cell = new LimitCell(subject, limits);
      this.#cells.set(subject, cell);
    }
    return cell;
  }

  #onRecord(record: LogRecord): void {
    if (this.#isStopped) return;
    const { time, subjects } = this.#context;
    const { limits, perKey, name } = this.#activity;
    const isWhole = record.subject === subjects.limit(name, "");
    const cell = this.#cell(
      record.subject,
      isWhole
        ? { ...limits, concurrency: perKey === undefined ? undefined : limits.concurrency }
        : (perKey ?? { concurrency: undefined, rate: undefined }),
    );
    // What was stored before this worker started is as old as the log's own clock says.
    const seenMs = time.elapsed() - (this.#isCaughtUp ? 0 : this.#life.ageMs(record));
    this.#note(cell, record, seenMs);
    this.#pump();
  }

  #note(cell: LimitCell, record: LogRecord | undefined, seenMs: number): void {
    if (record === undefined) {
      cell.observeNone(seenMs);
      return;
    }
    try {
      cell.observe(decodeRecord<LimitRecord>("the use of a limit", record.data), record.seq, seenMs);
    } catch (error) {
      this.#context.telemetry.tell("error", "record.unreadable", `Cannot read ${record.subject}: ${String(error)}`);
      return;
    }
    const isOurs = (task: string): boolean => this.#places.get(task)?.includes(cell) === true;
    if (cell.record.holders.some(({ task, worker }) => worker === this.#context.owner && !isOurs(task)))
      this.#untidy.add(cell);
  }

  #forget(waiter: Waiter): void {
    if (!this.#waiters.delete(waiter)) return;
    for (const cell of waiter.cells) cell.waiting--;
  }

  /** Gives back what is to be given back, and lets start what may start. */
  #pump(): void {
    if (this.#isBusy || !this.#isCaughtUp || this.#isStopped) return;
    this.#cancelWake();
    const nowMs = this.#context.time.elapsed();
    const drafts = new Map<LimitCell, LimitDraft>();
    const draftOf = (cell: LimitCell): LimitDraft => {
      let draft = drafts.get(cell);
      if (draft === undefined) {
        draft = cell.draft(nowMs, (worker) => this.#life.isAlive(worker));
        drafts.set(cell, draft);
      }
      return draft;
    };
    this.#tidy(draftOf);
    const taken: Array<{ readonly waiter: Waiter; readonly lost: number | undefined }> = [];
    let wakeMs = Number.POSITIVE_INFINITY;
    if (this.#life.isHeard) {
      for (const waiter of this.#waiters) {
        const changed = [...drafts.values()].filter((draft) => draft.isChanged).length;
        if (changed + waiter.cells.length > maxCellsPerAppend) break;
        const freeAtMs = Math.max(...waiter.cells.map((cell) => draftOf(cell).freeAtMs()));
        if (freeAtMs > nowMs) {
          wakeMs = Math.min(wakeMs, freeAtMs);
          continue;
        }
        if (!this.#hasSlot()) break;
        this.#spareSlots--;
        const losses = waiter.cells.map((cell) => draftOf(cell).take(waiter.task, this.#context.owner));
        taken.push({ waiter, lost: losses.find((lost) => lost !== undefined) });
      }
    }
    const changed = [...drafts.values()].filter((draft) => draft.isChanged);
    if (changed.length > 0) {
      void this.#write(changed, taken);
      return;
    }
    this.#slots.give(this.#spareSlots);
    this.#spareSlots = 0;
    this.#onIdle?.();
    this.#onIdle = undefined;
    if (this.#waiters.size > 0) this.#wakeAt(nowMs, wakeMs);
  }

  #tidy(draftOf: (cell: LimitCell) => LimitDraft): void {
    const { owner } = this.#context;
    let count = 0;
    for (const cell of this.#untidy) {
      if (count++ >= maxCellsPerAppend) break;
      this.#untidy.delete(cell);
      for (const { task, worker } of cell.record.holders) {
        if (worker !== owner || this.#places.get(task)?.includes(cell) === true) continue;
        draftOf(cell).give(task, owner, this.#lost.has(task) ? "lost" : "ended");
      }
    }
  }

  #wakeAt(nowMs: number, wakeMs: number): void {
    const { time, random } = this.#context;
    // All who wait for the same moment would wake at once: chance gives each its turn.
    const delayMs = Math.min(wakeMs - nowMs + random() * 5, this.#life.isHeard ? lookAgainMs : unheardMs);
    this.#cancelWake = time.after(Math.max(1, delayMs), () => this.#pump());
  }

  /** True when there is a slot to start an attempt in; otherwise one is asked for. */
  #hasSlot(): boolean {
    if (this.#spareSlots > 0) return true;
    this.#spareSlots = this.#slots.tryTake(1);
    if (this.#spareSlots > 0) return true;
    if (!this.#wantsSlot) {
      this.#wantsSlot = true;
      void this.#slots.take().then(() => {
        this.#wantsSlot = false;
        if (this.#isStopped) return this.#slots.give();
        this.#spareSlots++;
        this.#pump();
      });
    }
    return false;
  }

  async #write(
    drafts: readonly LimitDraft[],
    taken: ReadonlyArray<{ readonly waiter: Waiter; readonly lost: number | undefined }>,
  ): Promise<void> {
    this.#isBusy = true;
    const { time, owner } = this.#context;
    const write = `${owner}.${(this.#writes++).toString(36)}`;
    for (const { waiter } of taken) {
      this.#lost.delete(waiter.task);
      this.#places.set(waiter.task, waiter.cells);
    }
    const records = drafts.map((draft) => draft.toRecord(owner, write));
    const isStored = await this.#settle(drafts, records, write, taken);
    this.#isBusy = false;
    if (this.#isStopped) return;
    // A worker that slept meanwhile has lost what it took.
    if (isStored && this.#life.isHeard) {
      for (const { waiter, lost } of taken) {
        // One that was taken back meanwhile does not need its places.
        if (this.#waiters.has(waiter)) {
          this.#forget(waiter);
          waiter.grant(lost);
        } else {
          this.#slots.give();
          this.release(waiter.task);
        }
      }
    } else {
      this.#spareSlots += taken.length;
      for (const { waiter } of taken) this.#places.delete(waiter.task);
      for (const { cell } of drafts) this.#untidy.add(cell);
      await sleep(time, 1 + this.#context.random() * 4);
    }
    this.#pump();
  }

  /** Appends until the outcome is known. */
  async #settle(
    drafts: readonly LimitDraft[],
    records: readonly LimitRecord[],
    write: string,
    taken: ReadonlyArray<{ readonly waiter: Waiter }>,
  ): Promise<boolean> {
    const { log, time, random, owner } = this.#context;
    const appended: AppendRecord[] = drafts.map(({ cell }, i) => ({
      subject: cell.subject,
      data: encodeRecord(records[i] as LimitRecord),
      expectLastSeq: cell.seq,
    }));
    for (let attempt = 1; !this.#isStopped; attempt++) {
      const result = await log.append("core", appended).catch(() => undefined);
      if (result === undefined) return false;
      if (result._tag === "Appended") {
        const nowMs = time.elapsed();
        drafts.forEach(({ cell }, i) => {
          cell.observe(records[i] as LimitRecord, result.firstSeq + i, nowMs);
        });
        return true;
      }
      if (result._tag === "Conflict") {
        await this.#readAgain(drafts.map(({ cell }) => cell));
        // A trial before this one may have been stored after all.
        const tasks = new Set(taken.map(({ waiter }) => waiter.task));
        return drafts.some(
          ({ cell: { record } }) =>
            record.write === write ||
            record.holders.some((holder) => holder.worker === owner && tasks.has(holder.task)),
        );
      }
      await sleep(time, backoffMs(attempt, random));
    }
    return false;
  }

  async #readAgain(cells: readonly LimitCell[]): Promise<void> {
    const { log, time, random } = this.#context;
    for (let attempt = 1; !this.#isStopped; attempt++) {
      try {
        const found = await log.lastMany(
          "core",
          cells.map(({ subject }) => subject),
        );
        cells.forEach((cell, i) => {
          this.#note(cell, found[i], time.elapsed());
        });
        return;
      } catch {
        await sleep(time, backoffMs(attempt, random));
      }
    }
  }

  /** Removes records that say nothing any more, so that keys that are not used do not stay for ever. */
  #sweepLater(): void {
    this.#cancelSweep = this.#context.time.after(sweepMs, () => {
      void this.#sweep()
        .catch(() => {})
        .finally(() => {
          if (!this.#isStopped) this.#sweepLater();
        });
    });
  }

  async #sweep(): Promise<void> {
    const { log, time, owner } = this.#context;
    for (const [subject, cell] of this.#cells) {
      if (this.#isStopped) return;
      // Its last writer does it, or whoever is left.
      const isCharged = cell.record.by === owner || !this.#life.isAlive(cell.record.by);
      if (this.#isBusy || !isCharged || !cell.isIdle(time.elapsed(), sweepMs, (worker) => this.#life.isAlive(worker)))
        continue;
      this.#cells.delete(subject);
      await log.purge("core", subject, cell.seq + 1);
    }
  }
}

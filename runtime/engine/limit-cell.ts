/**
 * What one worker knows of the use of a limit, and what it may add to it.
 *
 * 1. A start counts for as long as the rate says from the moment at which the observer saw it, by the observer's own monotonic clock. So no clocks are
 *    compared, and whoever thinks that a start does not count any more is right.
 * 2. A holder whose worker shows no sign of life is taken off by whoever needs the place, and it is kept in mind that its attempt was lost.
 * 3. Nothing here writes: a draft becomes the record by compare-and-set, see limiter.ts.
 */
import { type LimitHolder, type LimitRecord, recordFormat } from "../core/records.ts";
import type { ActivityLimits } from "./definition.ts";

/** More entries of starts than this are not kept: later ones are added to the newest. */
const maxStartEntries = 32;
const maxLost = 256;

interface Seen {
  readonly count: number;
  readonly atMs: number;
}

/** The record of a limit as a worker knows it. */
export class LimitCell {
  readonly subject: string;
  readonly limits: ActivityLimits;
  /** Sequence of the record; 0: there is none. */
  seq = 0;
  record: LimitRecord = emptyRecord;
  /** When the record was seen, by the observer's monotonic clock. */
  seenMs = Number.NEGATIVE_INFINITY;
  /** Before this the observer does not take what it has just given, so that others get their turn. */
  yieldUntilMs = Number.NEGATIVE_INFINITY;
  /** How many attempts wait for it in this process. */
  waiting = 0;
  readonly #starts = new Map<string, Seen[]>();

  constructor(subject: string, limits: ActivityLimits) {
    this.subject = subject;
    this.limits = limits;
  }

  /** Takes note of the record as it stands in the log. */
  observe(record: LimitRecord, seq: number, seenMs: number): void {
    if (seq <= this.seq) return;
    this.#set(record, seq, seenMs);
  }

  /** Takes note that there is no record. */
  observeNone(seenMs: number): void {
    this.#set(emptyRecord, 0, seenMs);
  }

  #set(record: LimitRecord, seq: number, seenMs: number): void {
    this.seq = seq;
    this.record = record;
    this.seenMs = seenMs;
    const ids = new Set(record.starts.map(({ id }) => id));
    for (const id of this.#starts.keys()) if (!ids.has(id)) this.#starts.delete(id);
    for (const { id, count } of record.starts) {
      const seen = this.#starts.get(id) ?? [];
      const more = count - seen.reduce((sum, each) => sum + each.count, 0);
      if (more > 0) seen.push({ count: more, atMs: seenMs });
      this.#starts.set(id, seen);
    }
  }

  /** What of the record still counts. */
  draft(nowMs: number, isAlive: (worker: string) => boolean): LimitDraft {
    const { rate } = this.limits;
    const counting = (id: string): readonly Seen[] =>
      rate === undefined ? [] : (this.#starts.get(id) ?? []).filter(({ atMs }) => atMs + rate.perMs > nowMs);
    const starts = this.record.starts.filter(({ id }) => counting(id).length > 0);
    const seen = starts.flatMap(({ id }) => counting(id));
    return new LimitDraft(this, {
      starts,
      startCount: seen.reduce((sum, { count }) => sum + count, 0),
      nextExpiryMs: Math.min(...seen.map(({ atMs }) => atMs + (rate?.perMs ?? 0))),
      nowMs,
      isAlive,
    });
  }

  /** True when the record says nothing that anyone needs, and has not for `idleMs`. */
  isIdle(nowMs: number, idleMs: number, isAlive: (worker: string) => boolean): boolean {
    if (this.seq === 0 || this.waiting > 0 || nowMs - this.seenMs < idleMs) return false;
    const draft = this.draft(nowMs, isAlive);
    return draft.isEmpty || (draft.holds === 0 && draft.startCount === 0 && nowMs - this.seenMs > 20 * idleMs);
  }
}

const emptyRecord: LimitRecord = { format: recordFormat, holders: [], starts: [], lost: {}, by: "", write: "" };

/** A change of a limit's record that is being put together. */
export class LimitDraft {
  readonly cell: LimitCell;
  readonly #nowMs: number;
  readonly #nextExpiryMs: number;
  readonly #starts: Array<{ readonly id: string; readonly count: number }>;
  readonly #lost: Map<string, number>;
  #holders: LimitHolder[];
  #startCount: number;
  #taken = 0;
  #isChanged = false;

  constructor(
    cell: LimitCell,
    known: {
      readonly starts: ReadonlyArray<{ readonly id: string; readonly count: number }>;
      readonly startCount: number;
      readonly nextExpiryMs: number;
      readonly nowMs: number;
      readonly isAlive: (worker: string) => boolean;
    },
  ) {
    this.cell = cell;
    this.#nowMs = known.nowMs;
    this.#nextExpiryMs = known.nextExpiryMs;
    this.#starts = [...known.starts];
    this.#startCount = known.startCount;
    this.#lost = new Map(Object.entries(cell.record.lost));
    this.#holders = [];
    for (const holder of cell.record.holders) {
      if (known.isAlive(holder.worker)) this.#holders.push(holder);
      else this.#lost.set(holder.task, Math.max(this.#lost.get(holder.task) ?? 0, (holder.lost ?? 0) + 1));
    }
  }

  /** True when something was taken or given: what merely does not count any more is not worth a write. */
  get isChanged(): boolean {
    return this.#isChanged;
  }
  get isEmpty(): boolean {
    return this.#holders.length === 0 && this.#startCount === 0 && this.#lost.size === 0;
  }
  get holds(): number {
    return this.#holders.length;
  }
  get startCount(): number {
    return this.#startCount;
  }

  /** When an attempt may start: now or earlier, at a later time, or (`Infinity`) when a holder gives its place back. */
  freeAtMs(): number {
    const { concurrency, rate } = this.cell.limits;
    if (concurrency !== undefined && this.#holders.length >= concurrency) return Number.POSITIVE_INFINITY;
    if (rate !== undefined && this.#startCount >= rate.count) return this.#nextExpiryMs;
    return Math.max(this.cell.yieldUntilMs, this.#nowMs);
  }

  /** Takes a place and a start; returns how often the attempt was lost before, or undefined where nobody counts that. */
  take(task: string, worker: string): number | undefined {
    this.#isChanged = true;
    this.#taken++;
    this.#startCount++;
    if (this.cell.limits.concurrency === undefined) return undefined;
    const lost = this.#lost.get(task) ?? 0;
    this.#lost.delete(task);
    this.#holders.push({ task, worker, ...(lost === 0 ? {} : { lost }) });
    return lost;
  }

  /** Gives a place back; `lost` when the attempt that had it did not come to its end. */
  give(task: string, worker: string, how: "ended" | "lost"): void {
    const holder = this.#holders.find((each) => each.task === task && each.worker === worker);
    if (holder === undefined) return;
    this.#holders = this.#holders.filter((each) => each !== holder);
    if (how === "lost") this.#lost.set(task, (holder.lost ?? 0) + 1);
    this.#isChanged = true;
  }

  /** The record that the draft makes. */
  toRecord(by: string, write: string): LimitRecord {
    const starts = [...this.#starts];
    if (this.cell.limits.rate !== undefined && this.#taken > 0) {
      const newest = starts.at(-1);
      if (newest === undefined || starts.length < maxStartEntries) starts.push({ id: write, count: this.#taken });
      else starts[starts.length - 1] = { id: newest.id, count: newest.count + this.#taken };
    }
    const lost = Object.fromEntries([...this.#lost].slice(-maxLost));
    return { format: recordFormat, holders: this.#holders, starts, lost, by, write };
  }
}

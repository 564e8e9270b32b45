/**
 * Changes to many letters: found, put in order, changed by large appends.
 *
 * 1. The letters' own status is the memory of what was done: after any interruption the same call again goes on, and does nothing twice.
 * 2. An actor's letters are changed in order, one append after the other; when a later letter of an actor is changed, all before it are, were refused, or were closed by
 *    somebody else. That holds across interruptions.
 * 3. A letter that dies again meanwhile is not changed a second time.
 */
import { formatAddress } from "../../runtime/core/address.ts";
import { sleep } from "../../runtime/core/time.ts";
import type { CompiledFilter } from "../letter-filter.ts";
import { untilAborted } from "./aborts.ts";
import { type ClientContext, stoppedError } from "./context.ts";
import { type LetterChange, type Replan, storeChanges } from "./letter-changes.ts";
import { firstOf, inOrder, type Placed, placeOf } from "./letter-order.ts";
import { scanLetters } from "./letter-scan.ts";
import { letterOf, type StoredLetter } from "./letters.ts";

/** Where work on many letters stands. */
export interface LettersProgress {
  readonly total: number;
  /** Changed by this call; in a dry run, those that would be. */
  readonly done: number;
  /** Closed or changed by somebody else meanwhile. */
  readonly skipped: number;
  /** Those that cannot be changed, and why; they are left as they are. */
  readonly refused: ReadonlyArray<{ readonly letter: string; readonly why: string }>;
  /** How many are still to come. */
  readonly rest: number;
  /** How many per second, on average so far. */
  readonly perSecond: number;
  /** How long the rest will take at this speed, in milliseconds; undefined before anything is done. */
  readonly remainingMs: number | undefined;
}

/** How the work is done. */
export interface ManyLetters {
  readonly filter: CompiledFilter;
  /** Plans the change of one letter; a text says why it cannot be changed. */
  readonly plan: Replan;
  readonly timeoutMs: number;
  readonly limit: number | undefined;
  readonly dryRun: boolean;
  /** Letters per second at most. */
  readonly rate: number | undefined;
  /** How many appends may be under way: letters of one actor are never in two of them. */
  readonly lanes: number;
  readonly onProgress: ((progress: LettersProgress) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** A letter that waits for its turn. */
interface Waiting extends Placed {
  readonly subject: string;
  readonly redrives: number;
  /** The letter as it was found, while there is room for it. */
  found: StoredLetter | undefined;
}

/** How many bytes of letters are kept in memory, beside their places; the others are read again. */
const keptBytes = 128 * 1024 * 1024;
const lettersPerRead = 256;
const maxBatchBytes = 4 * 1024 * 1024;

/** Changes all letters that match. Errors: `LogUnavailableError`, `StorageFullError`, the signal's reason; what was changed before stays so. */
export async function changeMany(context: ClientContext, work: ManyLetters): Promise<LettersProgress> {
  const { limit, signal, lanes, dryRun } = work;
  signal?.throwIfAborted();
  const actors = await findAll(context, work);
  const chosen = limit === undefined ? actors : firstOf(actors, limit);
  const run = new Run(
    context,
    work,
    chosen.reduce((sum, { length }) => sum + length, 0),
  );
  // An actor is in one lane with all of its letters.
  const queues: Waiting[][] = Array.from({ length: dryRun ? 1 : lanes }, () => []);
  for (const [at, letters] of chosen.entries()) {
    const queue = queues[at % queues.length] as Waiting[];
    for (const letter of letters) queue.push(letter);
  }
  await run.all(queues);
  return run.progress();
}

/** The letters by actor, in order. */
async function findAll(context: ClientContext, { filter, signal }: ManyLetters): Promise<Waiting[][]> {
  const actors = new Map<string, Waiting[]>();
  let freeBytes = keptBytes;
  for await (const found of scanLetters(context, filter)) {
    signal?.throwIfAborted();
    const { record, partition, address, subject } = found;
    if (record.status !== "dead") continue;
    const actor = `${partition}:${formatAddress(address)}`;
    const { letter, firstAt, stream, seq } = placeOf(record);
    freeBytes -= found.sizeBytes;
    const waiting: Waiting = {
      letter,
      firstAt,
      stream,
      seq,
      subject,
      redrives: record.redrives,
      found: freeBytes > 0 ? found : undefined,
    };
    const group = actors.get(actor);
    if (group === undefined) actors.set(actor, [waiting]);
    else group.push(waiting);
  }
  return [...actors.values()].map((letters) => inOrder(letters));
}

/** One call under way. */
class Run {
  readonly #context: ClientContext;
  readonly #work: ManyLetters;
  readonly #total: number;
  readonly #beganMs: number;
  readonly #refused: Array<{ readonly letter: string; readonly why: string }> = [];
  #done = 0;
  #skipped = 0;
  #nextAtMs: number;
  /** Why the call is over before its end: the first thing that failed. */
  #failure: { readonly reason: unknown } | undefined;

  constructor(context: ClientContext, work: ManyLetters, total: number) {
    this.#context = context;
    this.#work = work;
    this.#total = total;
    this.#beganMs = context.time.elapsed();
    this.#nextAtMs = this.#beganMs;
  }

  progress(): LettersProgress {
    const seconds = (this.#context.time.elapsed() - this.#beganMs) / 1000;
    const handled = this.#done + this.#skipped + this.#refused.length;
    const rest = this.#total - handled;
    const perSecond = seconds > 0 ? this.#done / seconds : 0;
    return {
      total: this.#total,
      done: this.#done,
      skipped: this.#skipped,
      refused: [...this.#refused],
      rest,
      perSecond: Math.round(perSecond * 10) / 10,
      remainingMs: perSecond > 0 ? Math.round((rest / perSecond) * 1000) : undefined,
    };
  }

  async all(queues: ReadonlyArray<readonly Waiting[]>): Promise<void> {
    await Promise.all(
      queues.map(async (queue) => {
        try {
          await this.#lane(queue);
        } catch (reason) {
          // The other lanes stop before their next append.
          this.#failure ??= { reason };
        }
      }),
    );
    if (this.#failure !== undefined) throw this.#failure.reason;
  }

  async #lane(queue: readonly Waiting[]): Promise<void> {
    const { plan, dryRun } = this.#work;
    const { maxRecordsPerAppend, maxBytesPerAppend } = this.#context.log.limits;
    const maxBytes = Math.min(maxBatchBytes, maxBytesPerAppend);
    const maxLetters = this.#batchLimit();
    let batch: LetterChange[] = [];
    let records = 0;
    let bytes = 0;
    const flush = async (): Promise<void> => {
      const full = batch;
      batch = [];
      records = 0;
      bytes = 0;
      await this.#store(full);
    };
    let page = this.#read(queue, 0);
    for (let from = 0; from < queue.length; from += lettersPerRead) {
      const letters = await page;
      // What comes next is read while this is appended.
      page = this.#read(queue, from + lettersPerRead);
      page.catch(() => {});
      for (const [at, stored] of letters.entries()) {
        this.#checkOpen();
        const waiting = queue[from + at] as Waiting;
        if (stored?.record.status !== "dead" || stored.record.redrives !== waiting.redrives) {
          this.#skipped++;
          continue;
        }
        const change = await plan(stored);
        if (typeof change === "string") {
          this.#refused.push({ letter: waiting.letter, why: change });
          continue;
        }
        if (dryRun) {
          this.#done++;
          continue;
        }
        const isFull =
          batch.length >= maxLetters ||
          records + change.records.length > maxRecordsPerAppend ||
          bytes + change.sizeBytes > maxBytes;
        if (isFull) await flush();
        batch.push(change);
        records += change.records.length;
        bytes += change.sizeBytes;
      }
    }
    await flush();
  }

  async #store(batch: readonly LetterChange[]): Promise<void> {
    const { plan, signal, timeoutMs, onProgress } = this.#work;
    if (batch.length === 0) return;
    await this.#takeTurn(batch.length);
    this.#checkOpen();
    signal?.throwIfAborted();
    const outcomes = await storeChanges(this.#context, batch, timeoutMs, plan);
    for (const [at, outcome] of outcomes.entries()) {
      if (outcome === "made") this.#done++;
      else if (typeof outcome === "string") this.#skipped++;
      else this.#refused.push({ letter: batch[at]?.letter.record.letter as string, why: outcome.refused });
    }
    onProgress?.(this.progress());
  }

  /** With a rate, appends hold what a quarter of a second allows, so that the letters come evenly. */
  #batchLimit(): number {
    const { rate } = this.#work;
    return rate === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(rate / 4));
  }

  async #takeTurn(letters: number): Promise<void> {
    const { rate, signal } = this.#work;
    if (rate === undefined) return;
    const { time } = this.#context;
    const turnMs = Math.max(this.#nextAtMs, time.elapsed());
    this.#nextAtMs = turnMs + (letters / rate) * 1000;
    const waitMs = turnMs - time.elapsed();
    if (waitMs > 0) await untilAborted(sleep(time, waitMs), signal);
  }

  /** The letters from a place on, as they were found or read again. */
  async #read(queue: readonly Waiting[], from: number): Promise<Array<StoredLetter | undefined>> {
    const page = queue.slice(from, from + lettersPerRead);
    const missing = page.filter(({ found }) => found === undefined).map(({ subject }) => subject);
    const read = new Map<string, StoredLetter | undefined>();
    if (missing.length > 0) {
      for (const record of await this.#context.log.lastMany("core", missing)) {
        if (record !== undefined) read.set(record.subject, letterOf(this.#context, record));
      }
    }
    return page.map((waiting) => {
      const stored = waiting.found ?? read.get(waiting.subject);
      // Its turn has come: it is not needed afterwards.
      waiting.found = undefined;
      return stored;
    });
  }

  #checkOpen(): void {
    if (this.#context.isStopped) throw stoppedError("change dead letters");
    if (this.#failure !== undefined) throw this.#failure.reason;
  }
}

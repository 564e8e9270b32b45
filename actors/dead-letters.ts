/**
 * Dead letters: the messages that could not be applied, for operators to look at, redrive and drop.
 *
 * 1. A letter is `dead` until an operator closes it; closed letters stay readable for as long as the space keeps them.
 * 2. Redriving puts the message back into its actor's mailbox. When it dies again its letter is `dead` again, with all attempts in it.
 * 3. One actor's letters are redriven in the order in which their messages came.
 */
import { formatAddress } from "../runtime/core/address.ts";
import { InvalidOptionsError, LetterNotFoundError } from "../runtime/core/errors.ts";
import type { DeadReason } from "../runtime/core/records.ts";
import type { StreamName } from "../runtime/core/subjects.ts";
import { durationMs, listed, refuseProblems, shown, unknownOptions } from "../runtime/supervise/check-options.ts";
import { type ClientContext, type DurationInput, stoppedError } from "./client/context.ts";
import type { Emitted, EmittedInfo, EmittedOptions, OnOptions, Subscription } from "./client/emitted.ts";
import {
  type DeadLetterExpiredEvent,
  type DeadLetteredEvent,
  iterateDeadLettered,
  onLetterEvent,
} from "./client/letter-events.ts";
import {
  type DeadLetter,
  type DeadLetterSummary,
  findLetter,
  fullLetter,
  letterOf,
  messageIn,
  type StoredLetter,
  summaryOf,
} from "./client/letters.ts";
import type { Readings } from "./client/reading.ts";
import { actorOf, isRefusal, type LetterChange, planDrop, planRedrive, storeChanges } from "./client/redriving.ts";

export type { DeadLetter, DeadLetterExpiredEvent, DeadLetteredEvent, DeadLetterSummary };

/** Which letters are meant. */
export interface DeadLetterFilter {
  /** Letters for actors of this type. */
  readonly type?: string;
  /** Letters for this one actor; with `type`. */
  readonly id?: string;
  readonly reason?: DeadReason;
}

/** Options of {@link DeadLetters.list}. */
export interface ListDeadLetters extends DeadLetterFilter {
  /** How many at most, oldest first; default 1000. */
  readonly limit?: number;
  /** Also those that were redriven or dropped; default false. */
  readonly includeClosed?: boolean;
}

/** What became of a letter that was to be redriven. */
export interface RedriveResult {
  readonly letter: string;
  /** The actor whose mailbox the message is in, `type/id`. */
  readonly to: string;
  /** False when it had been redriven before: nothing was done now. */
  readonly redriven: boolean;
  /** How often the letter has been redriven in all. */
  readonly redrives: number;
}

/** Where {@link DeadLetters.redriveAll} stands. */
export interface RedriveProgress {
  readonly total: number;
  readonly redriven: number;
  /** Closed by somebody else meanwhile. */
  readonly skipped: number;
  /** Those that cannot be redriven, and why. */
  readonly refused: ReadonlyArray<{ readonly letter: string; readonly why: string }>;
}

/** Options of {@link DeadLetters.redriveAll}. */
export interface RedriveAllOptions {
  /** Called after each append. */
  readonly onProgress?: (progress: RedriveProgress) => void;
  /** Ends the work between two appends: the call rejects with the signal's reason, and what was redriven stays so. */
  readonly signal?: AbortSignal;
  /** How long to try each append; default 30 s. */
  readonly timeout?: DurationInput;
}

// As a record, so that the compiler misses none.
const reasons: Readonly<Record<DeadReason, true>> = {
  malformed: true,
  schema: true,
  reserved: true,
  "unknown-type": true,
  "not-created": true,
  attempts: true,
  terminal: true,
  "too-large": true,
  crashed: true,
};
const defaultTimeoutMs = 30_000;
const lettersPerRead = 200;
const maxBatchBytes = 1_000_000;

/** What {@link DeadLetters.redriveAll} remembers of a letter until its turn. */
interface Listed {
  readonly letter: string;
  readonly subject: string;
  readonly redrives: number;
  readonly actor: string;
  readonly stream: StreamName;
  readonly sourceSeq: number;
  readonly at: number;
}

/** The dead letters of a space. */
export class DeadLetters {
  readonly #context: ClientContext;
  readonly #readings: Readings;

  constructor(context: ClientContext, readings: Readings) {
    this.#context = context;
    this.#readings = readings;
  }

  /**
   * Calls a handler with an event for each message that becomes a dead letter, once it is committed: of letters that match, or of all (`{}`).
   *
   * *Details* As {@link Client.on}: one event at a time, in the order of the commits, each once; `{ from }` also those that the space still keeps
   * (`topicRetention`), or those behind a known one. A letter that died again after it was redriven has another event.
   *
   * *Errors* `InvalidOptionsError`. `ready` rejects with the signal's reason, `SystemStoppedError` or `NotAuthorizedError`.
   */
  on(
    filter: DeadLetterFilter,
    handler: (event: DeadLetteredEvent, info: EmittedInfo) => unknown,
    options?: OnOptions,
  ): Subscription {
    const attempted = "listen to dead letters";
    this.#checkOpen(attempted);
    checkFilter(`Cannot ${attempted}`, filter, []);
    return onLetterEvent(this.#context, this.#readings, "deadLettered", wanted(filter), handler, options);
  }

  /** Iterates over the events that {@link DeadLetters.on} delivers. Leaving the loop ends the reading. */
  follow(filter: DeadLetterFilter = {}, options?: EmittedOptions): AsyncIterable<Emitted<DeadLetteredEvent>> {
    const attempted = "listen to dead letters";
    this.#checkOpen(attempted);
    checkFilter(`Cannot ${attempted}`, filter, []);
    return iterateDeadLettered(this.#context, this.#readings, wanted(filter), options);
  }

  /**
   * Calls a handler with each letter that the office's limits close (`startNode({ deadLetters })`), the whole of it: for an archive.
   *
   * *Errors* As {@link DeadLetters.on}.
   */
  onExpired(handler: (event: DeadLetterExpiredEvent, info: EmittedInfo) => unknown, options?: OnOptions): Subscription {
    this.#checkOpen("listen to dead letters");
    return onLetterEvent(this.#context, this.#readings, "deadLetterExpired", () => true, handler, options);
  }

  /** Lists letters, oldest first; by default those that nobody has closed. Errors: `InvalidOptionsError`, `LogUnavailableError`. */
  async list(options: ListDeadLetters = {}): Promise<DeadLetterSummary[]> {
    this.#checkOpen("list dead letters");
    checkFilter("Cannot list dead letters", options, ["limit", "includeClosed"]);
    const { limit = 1000, includeClosed = false } = options;
    const summaries: DeadLetterSummary[] = [];
    for await (const letter of this.#scan(options)) {
      if (letter.record.status !== "dead" && !includeClosed) continue;
      if (summaries.length >= limit) break;
      summaries.push(summaryOf(letter));
    }
    return summaries;
  }

  /** Reads a whole letter: its message decoded, or its bytes where they are no message. Errors: `LetterNotFoundError`. */
  async get(letter: string): Promise<DeadLetter> {
    this.#checkOpen("read a dead letter");
    return fullLetter(this.#context, await findLetter(this.#context, letter));
  }

  /**
   * Puts a letter's message back into its actor's mailbox, with its id and its key. Repeating it does nothing: `redriven` is false then.
   *
   * Errors: `LetterNotFoundError` when there is none, or it was dropped; `CorruptRecordError` when its bytes are no message; `InvalidEventError` when
   * its event is reserved; `PayloadTooLargeError`; `LogUnavailableError`, `StorageFullError` (safe to repeat).
   */
  async redrive(letter: string, options: { readonly timeout?: DurationInput } = {}): Promise<RedriveResult> {
    this.#checkOpen("redrive a dead letter");
    const timeoutMs = readTimeout("Cannot redrive a dead letter", options, []);
    const stored = await findLetter(this.#context, letter);
    const { status, redrives } = stored.record;
    const to = formatAddress(stored.address);
    if (status === "dropped") throw closed("redrive", letter, "it was dropped");
    if (status === "redriven") return { letter, to, redriven: false, redrives };
    const change = planRedrive(this.#context, stored, await messageIn(this.#context, stored));
    const [outcome] = await storeChanges(this.#context, [change], timeoutMs);
    if (outcome === "closed") throw closed("redrive", letter, "it was dropped meanwhile");
    return { letter, to, redriven: outcome === "made", redrives: change.redrives };
  }

  /**
   * Redrives all letters that match, many in one append, each actor's in the order in which their messages came.
   *
   * *Details* What dies again meanwhile is not redriven a second time. Letters that cannot be redriven are reported and left as they are.
   *
   * Errors: `InvalidOptionsError`; `LogUnavailableError`, `StorageFullError` (what was redriven before stays so, and repeating the call goes on).
   */
  async redriveAll(filter: DeadLetterFilter = {}, options: RedriveAllOptions = {}): Promise<RedriveProgress> {
    this.#checkOpen("redrive dead letters");
    const attempted = "Cannot redrive dead letters";
    checkFilter(attempted, filter, []);
    const timeoutMs = readTimeout(attempted, options, ["onProgress", "signal"]);
    options.signal?.throwIfAborted();
    const letters = await this.#inOrder(filter);
    const refused: Array<{ readonly letter: string; readonly why: string }> = [];
    let redriven = 0;
    let skipped = 0;
    let batch: LetterChange[] = [];
    let batchBytes = 0;
    const { maxRecordsPerAppend, maxBytesPerAppend } = this.#context.log.limits;
    const progress = (): RedriveProgress => ({ total: letters.length, redriven, skipped, refused: [...refused] });
    const flush = async () => {
      if (batch.length === 0) return;
      options.signal?.throwIfAborted();
      for (const outcome of await storeChanges(this.#context, batch, timeoutMs)) {
        if (outcome === "made") redriven++;
        else skipped++;
      }
      batch = [];
      batchBytes = 0;
      options.onProgress?.(progress());
    };
    for (let i = 0; i < letters.length; i += lettersPerRead) {
      const page = letters.slice(i, i + lettersPerRead);
      const subjects = page.map(({ subject }) => subject);
      const records = await this.#context.log.lastMany("core", subjects);
      for (const [at, wanted] of page.entries()) {
        const record = records[at];
        const stored = record === undefined ? undefined : letterOf(this.#context, record);
        if (stored === undefined || stored.record.status !== "dead" || stored.record.redrives !== wanted.redrives) {
          skipped++;
          continue;
        }
        let change: LetterChange;
        try {
          change = planRedrive(this.#context, stored, await messageIn(this.#context, stored));
        } catch (error) {
          if (!isRefusal(error)) throw error;
          refused.push({ letter: wanted.letter, why: error.message });
          continue;
        }
        const isFull =
          (batch.length + 1) * 2 > maxRecordsPerAppend ||
          batchBytes + change.sizeBytes > Math.min(maxBatchBytes, maxBytesPerAppend);
        if (isFull) await flush();
        batch.push(change);
        batchBytes += change.sizeBytes;
      }
      await flush();
    }
    return progress();
  }

  /**
   * Closes a letter without its message being applied; `note` says why. Repeating it does nothing: `dropped` is false then.
   *
   * Errors: `LetterNotFoundError` when there is none, or it was redriven; `LogUnavailableError`, `StorageFullError` (safe to repeat).
   */
  async drop(
    letter: string,
    options: { readonly note?: string; readonly timeout?: DurationInput } = {},
  ): Promise<{ readonly letter: string; readonly dropped: boolean }> {
    this.#checkOpen("drop a dead letter");
    const timeoutMs = readTimeout("Cannot drop a dead letter", options, ["note"]);
    const stored = await findLetter(this.#context, letter);
    if (stored.record.status === "redriven") throw closed("drop", letter, "it was redriven");
    if (stored.record.status === "dropped") return { letter, dropped: false };
    const [outcome] = await storeChanges(this.#context, [planDrop(stored, options.note)], timeoutMs);
    if (outcome === "closed") throw closed("drop", letter, "it was redriven meanwhile");
    return { letter, dropped: outcome === "made" };
  }

  async *#scan(filter: DeadLetterFilter): AsyncGenerator<StoredLetter> {
    const { log, subjects } = this.#context;
    const { type, id, reason } = filter;
    const of = { ...(type === undefined ? {} : { type }), ...(id === undefined ? {} : { id }) };
    for await (const record of log.scan("core", subjects.deadLetters(of), { lastPerSubject: true })) {
      const letter = letterOf(this.#context, record);
      if (letter !== undefined && (reason === undefined || letter.record.reason === reason)) yield letter;
    }
  }

  /** The letters to redrive: actor by actor, and within one actor as their messages came. */
  async #inOrder(filter: DeadLetterFilter): Promise<Listed[]> {
    const byActor = new Map<string, Listed[]>();
    for await (const stored of this.#scan(filter)) {
      const { letter, status, redrives, source, at } = stored.record;
      if (status !== "dead") continue;
      const actor = actorOf(stored);
      const entry: Listed = {
        letter,
        subject: stored.subject,
        redrives,
        actor,
        stream: source.stream,
        sourceSeq: source.seq,
        at,
      };
      const group = byActor.get(actor);
      if (group === undefined) byActor.set(actor, [entry]);
      else group.push(entry);
    }
    return [...byActor.values()].flatMap(asTheyCame);
  }

  #checkOpen(attempted: string): void {
    if (this.#context.isStopped) throw stoppedError(attempted);
  }
}

/** Within a stream the sequence tells the order; the two streams are put together by the time at which the messages died. */
function asTheyCame(letters: readonly Listed[]): Listed[] {
  const of = (stream: StreamName) =>
    letters.filter((letter) => letter.stream === stream).sort((a, b) => a.sourceSeq - b.sourceSeq);
  const ingress = of("ingress");
  const core = of("core");
  const merged: Listed[] = [];
  let next = 0;
  for (const letter of ingress) {
    for (let other = core[next]; other !== undefined && other.at < letter.at; other = core[next]) {
      merged.push(other);
      next++;
    }
    merged.push(letter);
  }
  return merged.concat(core.slice(next));
}

/** Says whether the letter of an event is meant. */
function wanted({ type, id, reason }: DeadLetterFilter): (event: DeadLetteredEvent) => boolean {
  return ({ to, reason: died }) => {
    const slash = to.indexOf("/");
    return (
      (type === undefined || to.slice(0, slash) === type) &&
      (id === undefined || to.slice(slash + 1) === id) &&
      (reason === undefined || died === reason)
    );
  };
}

function checkFilter(attempted: string, filter: ListDeadLetters, more: readonly string[]): void {
  const problems = unknownOptions(filter, ["type", "id", "reason", ...more], "");
  if (filter.id !== undefined && filter.type === undefined) problems.push("id needs the type beside it");
  if (filter.reason !== undefined && !Object.hasOwn(reasons, filter.reason)) {
    problems.push(`reason is ${shown(filter.reason)}: use ${listed(Object.keys(reasons))}`);
  }
  if (filter.limit !== undefined && !(Number.isInteger(filter.limit) && filter.limit > 0)) {
    problems.push(`limit is ${shown(filter.limit)}: use a whole number from 1`);
  }
  refuseProblems(attempted, problems);
}

function readTimeout(
  attempted: string,
  options: { readonly timeout?: DurationInput },
  more: readonly string[],
): number {
  if (typeof options !== "object" || options === null) {
    throw new InvalidOptionsError(`${attempted}: the options are ${shown(options)}: use an object.`);
  }
  const problems = unknownOptions(options, ["timeout", ...more], "");
  const timeoutMs = options.timeout === undefined ? defaultTimeoutMs : durationMs(options.timeout, "timeout", problems);
  refuseProblems(attempted, problems);
  return timeoutMs ?? defaultTimeoutMs;
}

function closed(verb: string, letter: string, why: string): LetterNotFoundError {
  return new LetterNotFoundError(`Cannot ${verb} dead letter ${JSON.stringify(letter)}: ${why}.`, {
    details: { letter },
  });
}

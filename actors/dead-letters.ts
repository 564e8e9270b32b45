/**
 * Dead letters: the messages that could not be applied, for operators to look at, repair, redrive and drop.
 *
 * 1. A letter is `dead` until an operator closes it; closed letters stay readable for as long as the space keeps them.
 * 2. Redriving puts the message back into its actor's mailbox. When it dies again its letter is `dead` again, with all attempts in it.
 * 3. One actor's letters are redriven in the order in which their messages came, however often the work is interrupted.
 * 4. Every change is one append together with what it puts into a mailbox, fenced by the letter's record: done once, by however many it is tried.
 */
import { type Address, formatAddress, isChildAddress } from "../runtime/core/address.ts";
import { toStored } from "../runtime/core/codec.ts";
import type { Envelope } from "../runtime/core/envelope.ts";
import {
  CorruptRecordError,
  InvalidEventError,
  InvalidOptionsError,
  isStatewrightError,
  LetterNotFoundError,
  UnknownActorTypeError,
} from "../runtime/core/errors.ts";
import { recordFormat } from "../runtime/core/records.ts";
import {
  durationMs,
  listed,
  nearestName,
  refuseProblems,
  shown,
  unknownOptions,
} from "../runtime/supervise/check-options.ts";
import { type ClientContext, type DurationInput, stoppedError } from "./client/context.ts";
import type { Door } from "./client/door.ts";
import type { Emitted, EmittedInfo, EmittedOptions, OnOptions, Subscription } from "./client/emitted.ts";
import { type LetterChange, storeChanges } from "./client/letter-changes.ts";
import {
  type DeadLetterExpiredEvent,
  type DeadLetteredEvent,
  iterateDeadLettered,
  onLetterEvent,
} from "./client/letter-events.ts";
import { type DeadLetterGroup, groupLetters } from "./client/letter-groups.ts";
import { newestOfEach } from "./client/letter-scan.ts";
import { type ExportedLetter, exportLetters, type ImportReport, importLetters } from "./client/letter-transfer.ts";
import {
  type DeadLetter,
  type DeadLetterSummary,
  findLetter,
  fullLetter,
  messageIn,
  type StoredLetter,
  summaryOf,
} from "./client/letters.ts";
import { changeMany, type LettersProgress } from "./client/many-letters.ts";
import type { Preview } from "./client/previews.ts";
import { check, preview } from "./client/queries.ts";
import type { Readings } from "./client/reading.ts";
import { isRefusal, planDrop, planEdit, planRedrive } from "./client/redriving.ts";
import { type ReleaseResult, releaseActor } from "./client/releasing.ts";
import type { ActorRef } from "./define-actor.ts";
import { type CompiledFilter, compileFilter, type DeadLetterFilter } from "./letter-filter.ts";
import type { UntypedTarget } from "./references.ts";

export type {
  DeadLetter,
  DeadLetterExpiredEvent,
  DeadLetteredEvent,
  DeadLetterFilter,
  DeadLetterGroup,
  DeadLetterSummary,
  ExportedLetter,
  ImportReport,
  ReleaseResult,
};

/** Options of {@link DeadLetters.list}. */
export interface ListDeadLetters {
  /** How many at most; default 1000. */
  readonly limit?: number;
  /** Default: `oldest` first. */
  readonly order?: "oldest" | "newest";
  /** Also those that were redriven, dropped or have expired; default false, unless the filter names a status. */
  readonly includeClosed?: boolean;
}

/** Options of {@link DeadLetters.redrive}. */
export interface RedriveOptions {
  /** The actor that gets the message; default: the one it was for. */
  readonly to?: ActorRef | UntypedTarget;
  /** For those who look at the letter's history. */
  readonly note?: string;
  /** How long to try; default 30 s. */
  readonly timeout?: DurationInput;
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
export interface RedriveProgress extends Omit<LettersProgress, "done"> {
  /** In a dry run, those that would be. */
  readonly redriven: number;
}

/** Where {@link DeadLetters.dropAll} stands. */
export interface DropProgress extends Omit<LettersProgress, "done"> {
  /** In a dry run, those that would be. */
  readonly dropped: number;
}

/** Options of calls that change all letters that match. */
export interface ChangeAllOptions<Progress> {
  /** How many at most, those that died first; of each actor in order. Default: all. */
  readonly limit?: number;
  /** Says what would be done, and changes nothing; default false. */
  readonly dryRun?: boolean;
  /** For those who look at the letters' history. */
  readonly note?: string;
  /** Called after each append. */
  readonly onProgress?: (progress: Progress) => void;
  /** Ends the work between two appends: the call rejects with the signal's reason, and what was done stays so. */
  readonly signal?: AbortSignal;
  /** How long to try each append; default 30 s. */
  readonly timeout?: DurationInput;
}

/** Options of {@link DeadLetters.redriveAll}. */
export interface RedriveAllOptions extends ChangeAllOptions<RedriveProgress> {
  /** The actor that gets all of the messages; default: each goes to the actor that it was for. */
  readonly to?: ActorRef | UntypedTarget;
  /** Letters per second at most; default: as fast as the log takes them. */
  readonly rate?: number;
  /** Letters that have been redriven so often are refused, so that nothing goes round for ever; default 10. */
  readonly maxRedrives?: number;
}

/** Options of {@link DeadLetters.release}. */
export interface ReleaseOptions {
  /** The letter by which the actor is parked; default: whichever it is. */
  readonly letter?: string;
  /** For those who look at the letter's history. */
  readonly note?: string;
  /** How long to try; default 30 s. */
  readonly timeout?: DurationInput;
}

/** Options of calls that ask the owner of an actor. */
export interface AskOwnerOptions {
  /** How long to wait for the owner's answer; default 10 s. */
  readonly timeout?: DurationInput;
  readonly signal?: AbortSignal;
}

/** Options of {@link DeadLetters.edit}. */
export interface EditOptions extends AskOwnerOptions {
  /** For those who look at the letter's history. */
  readonly note?: string;
  /** False: the payload is taken as it is, also where it cannot be checked since no node is there. Default true. */
  readonly check?: boolean;
}

/** Options of {@link DeadLetters.preview}. */
export interface PreviewLetterOptions extends AskOwnerOptions {
  /** What the message would carry, as for {@link DeadLetters.edit}; default: what the letter has. */
  readonly payload?: unknown;
  /** The actor that would get it; default: the letter's own. */
  readonly to?: ActorRef | UntypedTarget;
  /** Also for a letter whose message ended processes: the owner may be ended too. Default false. */
  readonly force?: boolean;
}

const defaultTimeoutMs = 30_000;
const defaultAskMs = 10_000;
const defaultMaxRedrives = 10;
/** Appends under way at once: more do not make the log faster, and take from nodes that write at the same time. */
const lanes = 3;

/** The dead letters of a space. */
export class DeadLetters {
  readonly #context: ClientContext;
  readonly #door: Door;
  readonly #readings: Readings;

  constructor(context: ClientContext, door: Door, readings: Readings) {
    this.#context = context;
    this.#door = door;
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
    filter: DeadLetterFilter | string,
    handler: (event: DeadLetteredEvent, info: EmittedInfo) => unknown,
    options?: OnOptions,
  ): Subscription {
    this.#checkOpen("listen to dead letters");
    const isWanted = eventFilter(filter, this.#context.time.now());
    return onLetterEvent(this.#context, this.#readings, "deadLettered", isWanted, handler, options);
  }

  /** Iterates over the events that {@link DeadLetters.on} delivers. Leaving the loop ends the reading. */
  follow(filter: DeadLetterFilter | string = {}, options?: EmittedOptions): AsyncIterable<Emitted<DeadLetteredEvent>> {
    this.#checkOpen("listen to dead letters");
    const isWanted = eventFilter(filter, this.#context.time.now());
    return iterateDeadLettered(this.#context, this.#readings, isWanted, options);
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

  /** Lists letters that match; by default those that nobody has closed, oldest first. Errors: `InvalidOptionsError`, `LogUnavailableError`. */
  async list(filter: DeadLetterFilter | string = {}, options: ListDeadLetters = {}): Promise<DeadLetterSummary[]> {
    const attempted = "Cannot list dead letters";
    this.#checkOpen("list dead letters");
    const { limit = 1000, order = "oldest", includeClosed = false } = readList(attempted, options);
    const compiled = this.#compile(attempted, filter, includeClosed);
    const summaries: DeadLetterSummary[] = [];
    for await (const letter of newestOfEach(this.#context, compiled)) {
      if (order === "oldest" && summaries.length >= limit) break;
      summaries.push(summaryOf(letter));
    }
    return order === "oldest" ? summaries : summaries.slice(-limit).reverse();
  }

  /** Groups the letters that match by what they died of; the largest group first. Errors: `InvalidOptionsError`, `LogUnavailableError`. */
  async groups(filter: DeadLetterFilter | string = {}): Promise<DeadLetterGroup[]> {
    this.#checkOpen("group dead letters");
    return groupLetters(newestOfEach(this.#context, this.#compile("Cannot group dead letters", filter)));
  }

  /** Reads a whole letter: its message decoded, or its bytes where they are no message. Errors: `LetterNotFoundError`. */
  async get(letter: string): Promise<DeadLetter> {
    this.#checkOpen("read a dead letter");
    return fullLetter(this.#context, await findLetter(this.#context, letter));
  }

  /**
   * Replaces what a letter's message carries; its id, its key and its event type stay, and what it carried first is kept beside it.
   *
   * *Details*: `payload` is what the event carries, with or without its type; for the kind `create`, the input. It is checked by the definition that the client has
   * (`actors`), and else by the node that owns the actor. Repeating the call does nothing: `edited` is false then.
   *
   * Errors: `LetterNotFoundError` when there is none, or it is closed; `InvalidEventError` for what the actor does not take, and for messages of the runtime's own;
   * `NotStorableError`; `CorruptRecordError` when the letter holds no message; `PayloadTooLargeError`; `NoOwnerError` or `QueryTimeoutError` when nobody can check it;
   * `LogUnavailableError`, `StorageFullError` (safe to repeat).
   */
  async edit(
    letter: string,
    payload: unknown,
    options: EditOptions = {},
  ): Promise<{ readonly letter: string; readonly edited: boolean }> {
    const attempted = `Cannot edit dead letter ${JSON.stringify(letter)}`;
    this.#checkOpen("edit a dead letter");
    const timeoutMs = readTimeout(attempted, options, ["note", "check", "signal"], defaultAskMs);
    const stored = await findLetter(this.#context, letter);
    const { status } = stored.record;
    if (status !== "dead") throw closed("edit", letter, status);
    const { envelope } = await messageIn(this.#context, stored);
    const edited = this.#withPayload(attempted, stored, envelope, payload);
    if (JSON.stringify([edited.event, edited.input]) === JSON.stringify([envelope?.event, envelope?.input])) {
      return { letter, edited: false };
    }
    const { signal } = options;
    if (options.check !== false) {
      await this.#check(attempted, stored.address, edited, { timeoutMs, ...(signal === undefined ? {} : { signal }) });
    }
    signal?.throwIfAborted();
    const change = planEdit(this.#context, stored, envelope as Envelope, edited, options.note);
    const [outcome] = await storeChanges(this.#context, [change], timeoutMs);
    if (outcome === "closed") throw closed("edit", letter, "changed");
    return { letter, edited: true };
  }

  /**
   * Asks the owner of the actor what redriving a letter would come to now. Nothing of it is done.
   *
   * Errors: `LetterNotFoundError` when there is none; `InvalidEventError` and `CorruptRecordError` for what cannot be redriven; `QueryRefusedError` for a
   * message that ended processes, unless forced; `NoOwnerError`, `QueryTimeoutError`; the signal's reason.
   */
  async preview(letter: string, options: PreviewLetterOptions = {}): Promise<Preview> {
    const attempted = `Cannot preview dead letter ${JSON.stringify(letter)}`;
    this.#checkOpen("preview a dead letter");
    const timeoutMs = readTimeout(attempted, options, ["payload", "to", "force", "signal"], defaultAskMs);
    const stored = await findLetter(this.#context, letter);
    const { envelope } = await messageIn(this.#context, stored);
    const to = options.to === undefined ? stored.address : this.#door.target(options.to).address;
    const edited = "payload" in options ? this.#withPayload(attempted, stored, envelope, options.payload) : undefined;
    return preview(this.#context, to, edited, {
      letter: { id: letter, of: stored.address },
      timeoutMs,
      ...(options.force === true ? { force: true } : {}),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  }

  /**
   * Puts a letter's message back into its actor's mailbox, or into that of another actor, with its id and its key. Repeating it does nothing: `redriven` is false
   * then.
   *
   * *Details*: what dies at another actor (`to`) comes back as the same letter, under that actor. How often a letter has been redriven does not matter here, as it
   * does for `redriveAll`: whoever names a letter means it. `redrives` says how often it was.
   *
   * Errors: `LetterNotFoundError` when there is none, or it was dropped or has expired; `CorruptRecordError` when its bytes are no message; `InvalidEventError` when
   * no actor takes it, or only its own; `UnknownActorTypeError` for `to`; `PayloadTooLargeError`; `LogUnavailableError`, `StorageFullError` (safe to repeat).
   */
  async redrive(letter: string, options: RedriveOptions = {}): Promise<RedriveResult> {
    const attempted = "Cannot redrive a dead letter";
    this.#checkOpen("redrive a dead letter");
    const timeoutMs = readTimeout(attempted, options, ["to", "note"]);
    const to = await this.#target(attempted, options.to);
    const stored = await findLetter(this.#context, letter);
    const { status, redrives, history } = stored.record;
    if (status === "redriven") {
      const moved = history?.findLast(({ what }) => what === "redriven")?.to;
      return { letter, to: moved ?? formatAddress(stored.address), redriven: false, redrives };
    }
    if (status !== "dead") throw closed("redrive", letter, status);
    const message = await messageIn(this.#context, stored);
    const change = planRedrive(this.#context, stored, message, { to, note: options.note });
    const [outcome] = await storeChanges(this.#context, [change], timeoutMs);
    if (outcome === "closed") throw closed("redrive", letter, "changed");
    const target = formatAddress(to ?? stored.address);
    return { letter, to: target, redriven: outcome === "made", redrives: redrives + 1 };
  }

  /**
   * Redrives all letters that match, many in one append, each actor's in the order in which their messages came.
   *
   * *Details*: the letters' own status is the memory of what was done: after an interruption, also one by SIGKILL, the same call goes on with the rest. What dies
   * again meanwhile is not redriven a second time by the same call. Letters that cannot be redriven are reported and left as they are.
   *
   * Errors: `InvalidOptionsError`; `UnknownActorTypeError` for `to`; `LogUnavailableError`, `StorageFullError` (what was redriven before stays so); the signal's reason.
   */
  async redriveAll(filter: DeadLetterFilter | string = {}, options: RedriveAllOptions = {}): Promise<RedriveProgress> {
    const attempted = "Cannot redrive dead letters";
    this.#checkOpen("redrive dead letters");
    const work = readChangeAll(attempted, options, ["to", "rate", "maxRedrives"]);
    const { rate, note, maxRedrives = defaultMaxRedrives, onProgress } = options;
    const compiled = this.#compile(attempted, filter);
    const to = await this.#target(attempted, options.to);
    const told = ({ done, ...progress }: LettersProgress): RedriveProgress => ({ ...progress, redriven: done });
    const end = await changeMany(this.#context, {
      ...work,
      onProgress: onProgress && ((progress) => onProgress(told(progress))),
      filter: compiled,
      rate,
      // All messages for one actor go one after the other.
      lanes: to === undefined ? lanes : 1,
      plan: async (stored) => {
        const { redrives } = stored.record;
        if (redrives >= maxRedrives) {
          return `It has been redriven ${redrives === 1 ? "once" : `${redrives} times`} already, and died again: see what is wrong with it, or redrive it by itself.`;
        }
        try {
          return planRedrive(this.#context, stored, await messageIn(this.#context, stored), { to, note });
        } catch (error) {
          if (!isRefusal(error)) throw error;
          return error.message;
        }
      },
    });
    return told(end);
  }

  /**
   * Closes a letter without its message being applied; `note` says why. Repeating it does nothing: `dropped` is false then.
   *
   * *Details*: an actor that is parked by the letter takes messages again.
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
    const { status } = stored.record;
    if (status === "dropped") return { letter, dropped: false };
    if (status !== "dead") throw closed("drop", letter, status);
    const [outcome] = await storeChanges(this.#context, [planDrop(this.#context, stored, options.note)], timeoutMs);
    if (outcome === "closed") throw closed("drop", letter, "changed");
    return { letter, dropped: outcome === "made" };
  }

  /** Drops all letters that match, many in one append. Interruptions and errors: as {@link DeadLetters.redriveAll}. */
  async dropAll(
    filter: DeadLetterFilter | string = {},
    options: ChangeAllOptions<DropProgress> = {},
  ): Promise<DropProgress> {
    const attempted = "Cannot drop dead letters";
    this.#checkOpen("drop dead letters");
    const work = readChangeAll(attempted, options, []);
    const { note, onProgress } = options;
    const told = ({ done, ...progress }: LettersProgress): DropProgress => ({ ...progress, dropped: done });
    const end = await changeMany(this.#context, {
      ...work,
      onProgress: onProgress && ((progress) => onProgress(told(progress))),
      filter: this.#compile(attempted, filter),
      rate: undefined,
      lanes,
      plan: async (stored): Promise<LetterChange> => planDrop(this.#context, stored, note),
    });
    return told(end);
  }

  /**
   * Lets an actor take messages again that is parked by a letter, which stays dead and says no longer that it parks. For one that is not parked it does nothing:
   * `released` is false then.
   *
   * *Details*: `letter` names the letter by which it is parked; default: whichever it is. The release is put into the actor's mailbox: what waits there before it
   * stays before it. The letter's history says who has released the actor, and `note` why.
   *
   * Errors: `InvalidNameError`, `UnknownActorTypeError`; `LogUnavailableError`, `StorageFullError` (safe to repeat).
   */
  async release(actor: ActorRef | UntypedTarget, options: ReleaseOptions = {}): Promise<ReleaseResult> {
    const attempted = "Cannot release an actor";
    this.#checkOpen("release an actor");
    const timeoutMs = readTimeout(attempted, options, ["letter", "note"]);
    const to = (await this.#target(attempted, actor)) as Address;
    return releaseActor(this.#context, to, { letter: options.letter, note: options.note, timeoutMs });
  }

  /**
   * The letters that match as plain objects, for a file of lines of JSON: everything that is stored of them, their messages included.
   *
   * Errors: `InvalidOptionsError`, `LogUnavailableError`.
   */
  export(filter: DeadLetterFilter | string = {}): AsyncIterable<ExportedLetter> {
    this.#checkOpen("export dead letters");
    return exportLetters(this.#context, this.#compile("Cannot export dead letters", filter));
  }

  /**
   * Stores exported letters, given as objects or as lines of JSON, that are not there; importing them again adds nothing.
   *
   * *Details*: letters of another space get ids of their own here, and their actors are those of this space. Closed letters come as closed ones.
   *
   * Errors: `LogUnavailableError`, `StorageFullError` (what was stored before stays so, and the same call again goes on); the signal's reason.
   */
  async import(
    letters: Iterable<string | ExportedLetter> | AsyncIterable<string | ExportedLetter>,
    options: { readonly timeout?: DurationInput; readonly signal?: AbortSignal } = {},
  ): Promise<ImportReport> {
    this.#checkOpen("import dead letters");
    const timeoutMs = readTimeout("Cannot import dead letters", options, ["signal"]);
    return importLetters(this.#context, letters, { timeoutMs, signal: options.signal });
  }

  #compile(attempted: string, filter: DeadLetterFilter | string, includeClosed = false): CompiledFilter {
    return compileFilter(attempted, filter, this.#context.time.now(), includeClosed ? "any" : "dead");
  }

  /** Another actor that is to get messages: its type must be known. */
  async #target(attempted: string, to: ActorRef | UntypedTarget | undefined): Promise<Address | undefined> {
    if (to === undefined) return undefined;
    const target = this.#door.target(to);
    try {
      await this.#door.whenRegistered(target, { kind: "create", input: undefined });
    } catch (error) {
      if (!isStatewrightError(error) || error._tag !== "UnknownActorTypeError") throw error;
      const { type } = target.address;
      const near = nearestName(type, error.details.known as string[]);
      const hint = near === undefined ? "Start a node that runs it." : `Did you mean "${near}"?`;
      throw new UnknownActorTypeError(
        `${attempted}: ${formatAddress(target.address)} is of type "${type}", which no node has registered. ${hint}`,
        { cause: error, details: error.details },
      );
    }
    return target.address;
  }

  /** The message of a letter with something else in it. */
  #withPayload(
    attempted: string,
    { record, address }: StoredLetter,
    envelope: Envelope | undefined,
    payload: unknown,
  ): Envelope {
    const details = { letter: record.letter };
    if (envelope === undefined) {
      throw new CorruptRecordError(`${attempted}: its bytes are not a message. Drop it, and send what was meant.`, {
        details,
      });
    }
    const { kind, event, internal } = envelope;
    if ((kind !== "event" && kind !== "create") || internal !== undefined || record.reason === "reserved") {
      throw new InvalidEventError(
        `${attempted}: it holds a message of the runtime's own (${internal === undefined ? kind : `of a child or a timer`}). Only events and inputs of create can be edited.`,
        { details },
      );
    }
    if (kind === "create") return { ...envelope, input: toStored(payload, "input") };
    if (typeof payload !== "object" || payload === null || Array.isArray(payload)) {
      throw new InvalidEventError(`${attempted}: what an event carries is an object, this is ${shown(payload)}.`, {
        details,
      });
    }
    const type = (payload as { readonly type?: unknown }).type ?? event?.type;
    if (type !== event?.type) {
      throw new InvalidEventError(
        `${attempted}: its event is ${JSON.stringify(event?.type)}, and stays so; this is ${shown(type)}. Drop the letter and send another event to ${formatAddress(address)}, if that is what is meant.`,
        { details },
      );
    }
    const stored = toStored({ type, ...payload }, "event") as NonNullable<Envelope["event"]>;
    if (typeof stored.type !== "string") {
      throw new InvalidEventError(`${attempted}: an event cannot have a field "~", which marks encoded values.`, {
        details,
      });
    }
    return { ...envelope, event: stored };
  }

  /** Asks who knows the type whether it takes a message. */
  async #check(
    attempted: string,
    to: Address,
    envelope: Envelope,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<void> {
    const problems = this.#door.problemsWith(to, envelope) ?? (await askProblems(this.#context, to, envelope, options));
    if (problems.length === 0) return;
    throw new InvalidEventError(`${attempted}: ${formatAddress(to)} does not take it: ${problems.join("; ")}.`, {
      details: { actor: formatAddress(to), problems },
    });
  }

  #checkOpen(attempted: string): void {
    if (this.#context.isStopped) throw stoppedError(attempted);
  }
}

async function askProblems(
  context: ClientContext,
  to: Address,
  envelope: Envelope,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<readonly string[]> {
  // The door is for the world outside: within a tree the machines have written what they send each other.
  if (isChildAddress(to)) return [];
  const result = await check(context, to, envelope, options);
  return result.ok ? [] : result.problems;
}

/** Says whether the letter of an event is meant. Fields that events do not tell are refused. */
function eventFilter(filter: DeadLetterFilter | string, now: number): (event: DeadLetteredEvent) => boolean {
  const { matches } = compileFilter("Cannot listen to dead letters", filter, now, "dead", untold);
  return ({ letter, to, reason, explanation, event, fingerprint, attemptCount, redrives, at }) =>
    matches({
      format: recordFormat,
      letter,
      to,
      reason,
      explanation,
      ...(event === undefined ? {} : { event }),
      ...(fingerprint === undefined ? {} : { fingerprint }),
      attempts: [],
      attemptCount,
      source: { stream: "ingress", seq: 0, subject: "" },
      at,
      redrives,
      status: "dead",
    });
}

/** What events of letters do not tell. */
const untold = ["state", "status"] as const;

function readList(attempted: string, options: ListDeadLetters): ListDeadLetters {
  checkObject(attempted, options);
  const problems = unknownOptions(options, ["limit", "order", "includeClosed"], "");
  const { order } = options;
  checkCount(options.limit, "limit", problems);
  if (order !== undefined && order !== "oldest" && order !== "newest") {
    problems.push(`order is ${shown(order)}: use ${listed(["oldest", "newest"])}`);
  }
  refuseProblems(attempted, problems);
  return options;
}

function readChangeAll(
  attempted: string,
  options: Omit<RedriveAllOptions, "onProgress"> & { readonly onProgress?: unknown },
  more: readonly string[],
): {
  readonly limit: number | undefined;
  readonly dryRun: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
} {
  checkObject(attempted, options);
  const known = ["limit", "dryRun", "note", "onProgress", "signal", "timeout", ...more];
  const problems = unknownOptions(options, known, "");
  const { limit, dryRun = false, signal, rate, maxRedrives, timeout } = options;
  checkCount(limit, "limit", problems);
  checkCount(maxRedrives, "maxRedrives", problems);
  if (rate !== undefined && !(typeof rate === "number" && Number.isFinite(rate) && rate > 0)) {
    problems.push(`rate is ${shown(rate)}: use letters per second, more than 0`);
  }
  const timeoutMs = timeout === undefined ? defaultTimeoutMs : durationMs(timeout, "timeout", problems);
  refuseProblems(attempted, problems);
  return { limit, dryRun, timeoutMs: timeoutMs ?? defaultTimeoutMs, signal };
}

function checkCount(value: unknown, path: string, problems: string[]): void {
  if (value !== undefined && !(typeof value === "number" && Number.isInteger(value) && value > 0)) {
    problems.push(`${path} is ${shown(value)}: use a whole number from 1`);
  }
}

function checkObject(attempted: string, options: unknown): void {
  if (typeof options === "object" && options !== null) return;
  throw new InvalidOptionsError(`${attempted}: the options are ${shown(options)}: use an object.`);
}

function readTimeout(
  attempted: string,
  options: { readonly timeout?: DurationInput },
  more: readonly string[],
  defaultMs = defaultTimeoutMs,
): number {
  checkObject(attempted, options);
  const problems = unknownOptions(options, ["timeout", ...more], "");
  const timeoutMs = options.timeout === undefined ? defaultMs : durationMs(options.timeout, "timeout", problems);
  refuseProblems(attempted, problems);
  return timeoutMs ?? defaultMs;
}

function closed(verb: string, letter: string, status: string): LetterNotFoundError {
  const why =
    status === "expired"
      ? "it has expired"
      : status === "changed"
        ? "somebody else has changed it meanwhile"
        : `it was ${status}`;
  return new LetterNotFoundError(`Cannot ${verb} dead letter ${JSON.stringify(letter)}: ${why}.`, {
    details: { letter },
  });
}

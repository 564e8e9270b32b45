/** Views: what readers see of an actor's committed state, decoded from its state records and from answers. */
import type { Address } from "../runtime/core/address.ts";
import { childAddress, formatAddress, parseAddress } from "../runtime/core/address.ts";
import { fromStored } from "../runtime/core/codec.ts";
import { CorruptRecordError } from "../runtime/core/errors.ts";
import {
  type ActorStatus,
  type DeadReason,
  decodeRecord,
  type HandledMessage,
  type Outcome,
  type StateRecord,
  type StoredSnapshot,
  type Waiting,
} from "../runtime/core/records.ts";
import type { LogRecord } from "../runtime/log/log.ts";

/** A child of an actor, as its parent knows it. */
export interface ChildView {
  /** Its name with its parent: the `id` of the invoke or spawn. */
  readonly id: string;
  /** Where an actor of its own, or one that was asked, can be read and sent to; undefined for activities and live children. */
  readonly address: Address | undefined;
  /** `actor`: a machine or transition logic. `activity`: promise logic. `ask`: another actor that was asked, or a workflow. `live`: callback or observable logic. */
  readonly kind: "actor" | "activity" | "ask" | "live";
  /** The name of its logic in the parent's machine. */
  readonly src: string;
  /** It has come to its end by itself. */
  readonly ended: boolean;
  /** The attempt that is under way or waited for; only for activities that have not ended. */
  readonly attempt: number | undefined;
}

/** A timer that an actor has set. */
export interface TimerView {
  /** When it is due, milliseconds since 1970. */
  readonly at: number;
  /** The type of the event that it brings; for the timers of activities `retry <child>` and `deadline <child>`. */
  readonly event: string;
}

/** A run of a workflow. */
export interface RunView {
  /** 1 for the first; each `continueAs` makes another one. */
  readonly n: number;
  /** When the workflow was started, milliseconds since 1970. */
  readonly since: number;
  /** When this run began, milliseconds since 1970. */
  readonly at: number;
  /** When it came to its end, milliseconds since 1970; undefined while it has not. */
  readonly endedAt?: number;
  /** Tells inputs apart: the digest of the one that the workflow was started with. */
  readonly input: string;
}

/** A message that failed and is tried again. */
export interface RetryView {
  /** When, milliseconds since 1970. */
  readonly at: number;
  /** Which attempt it will be, from 2. */
  readonly attempt: number;
  /** The actor takes no other message before. */
  readonly holds: boolean;
}

/** The committed state of one actor at one revision. */
export class ActorView<Context = unknown> {
  readonly address: Address;
  /** How many messages the actor has handled up to this state. */
  readonly revision: number;
  readonly status: "active" | "done" | "error" | "stopped";
  /** The state value, as XState writes it. */
  readonly value: unknown;
  readonly context: Context;
  readonly tags: readonly string[];
  /** The machine's output, when `status` is `done`. */
  readonly output: unknown;
  /** What the machine failed with, when `status` is `error`. */
  readonly error: unknown;
  /** In the order in which they were started. */
  readonly children: readonly ChildView[];
  /** The earliest first. */
  readonly timers: readonly TimerView[];
  /** The dead letter that keeps the actor from taking messages, and since when, milliseconds since 1970. Undefined in an answer too, which does not tell. */
  readonly parked: { readonly letter: string; readonly at: number } | undefined;
  /** How many messages wait outside the mailbox: those in `retries`, and those in line behind them or behind the letter. 0 in an answer, which does not tell. */
  readonly waiting: number;
  /** Messages that failed and are tried again, the earliest first. */
  readonly retries: readonly RetryView[];
  /** For a child actor that has failed: when it is begun again, milliseconds since 1970; it takes no message before. */
  readonly restartAt: number | undefined;
  /** What is kept of a workflow's run; undefined for other actors. */
  readonly run: RunView | undefined;
  /** When it was committed, by the log's clock, milliseconds since 1970. In an answer: when it arrived, by this process's clock. */
  readonly at: number;

  constructor(fields: {
    readonly address: Address;
    readonly revision: number;
    readonly status: ActorStatus;
    readonly snapshot: StoredSnapshot;
    readonly at: number;
    /** What the state record says of messages that wait. */
    readonly waiting?: Waiting | undefined;
  }) {
    const { snapshot, status, waiting } = fields;
    this.address = fields.address;
    this.revision = fields.revision;
    this.status = status === "new" ? "active" : status;
    this.value = snapshot.value;
    this.context = fromStored(snapshot.context) as Context;
    this.tags = snapshot.tags ?? [];
    this.output = fromStored(snapshot.output);
    this.error = fromStored(snapshot.error);
    this.children = childrenOf(fields.address, snapshot);
    this.timers = timersOf(snapshot);
    this.parked = waiting?.parked;
    this.retries = retriesOf(waiting);
    this.waiting = this.retries.length + lengthOfLine(waiting);
    this.restartAt = waiting?.restart?.at;
    this.run = snapshot.run;
    this.at = fields.at;
  }

  /** True when the actor is in the given state: a state value or a path such as `"paid.shipping"`, matched as XState's `matches` does. */
  matches(value: unknown): boolean {
    return matchesState(value, this.value);
  }

  hasTag(tag: string): boolean {
    return this.tags.includes(tag);
  }
}

function childrenOf(parent: Address, { children }: StoredSnapshot): ChildView[] {
  if (children === undefined) return [];
  return Object.entries(children)
    .sort(([, one], [, other]) => one.n - other.n)
    .map(([id, { kind, src, ended, task, asked }]) => ({
      id,
      address: kind === "actor" ? childAddress(parent, id) : asked === undefined ? undefined : parseAddress(asked.to),
      kind,
      src,
      ended: ended === true,
      attempt: task?.attempt,
    }));
}

function timersOf({ timers }: StoredSnapshot): TimerView[] {
  if (timers === undefined) return [];
  return Object.values(timers)
    .map(({ at, event, task }) => ({
      at,
      event: task === undefined ? (event as { type: string }).type : `${task.kind} ${task.child}`,
    }))
    .sort((one, other) => one.at - other.at);
}

function retriesOf(waiting: Waiting | undefined): RetryView[] {
  return Object.values(waiting?.retries ?? {})
    .map(({ at, attempt, hold }) => ({ at, attempt, holds: hold === true }))
    .sort((one, other) => one.at - other.at);
}

/** A line can be very long: its numbers are not gone through. */
function lengthOfLine(waiting: Waiting | undefined): number {
  if (waiting === undefined) return 0;
  const { from, next, retries = {}, gone = [] } = waiting;
  const others = new Set([...Object.keys(retries).map(Number), ...gone]);
  return next - from - [...others].filter((n) => n >= from && n < next).length;
}

/** One handled message in an actor's history. */
export interface HistoryEntry {
  /** Counts the messages that the actor has handled, this one included. */
  readonly revision: number;
  readonly message: string;
  /** Event type, or `create`; empty when the message could not be read. */
  readonly event: string;
  readonly outcome: Outcome;
  /** State value before; undefined when there was none. */
  readonly from: unknown;
  /** State value after; undefined when there is none. */
  readonly to: unknown;
  /** When it was decided, milliseconds since 1970. */
  readonly at: number;
  /** The actor that sent it, `type/id`, or the sender's name. */
  readonly by: string | undefined;
  /** For `dead`: the letter. */
  readonly letter?: string;
  readonly reason?: DeadReason;
  /** For `failed`: which attempt it was, from 1, what it failed with, and when the next one is made, milliseconds since 1970. */
  readonly failure?: { readonly attempt: number; readonly error: string; readonly retryAt: number };
}

/** Decodes a state record. Errors: `CorruptRecordError` naming the actor. */
export function readState(address: Address, record: LogRecord): StateRecord {
  return decodeRecord<StateRecord>(`the state of ${formatAddress(address)} at sequence ${record.seq}`, record.data);
}

/** The view in a state record; undefined while the actor is not created. */
export function viewOfState<C>(address: Address, state: StateRecord, at: number): ActorView<C> | undefined {
  if (state.status === "new") return undefined;
  if (state.snapshot === undefined) {
    throw new CorruptRecordError(
      `Cannot read the state of ${formatAddress(address)} at revision ${state.revision}: it holds no snapshot.`,
      {
        details: { actor: formatAddress(address), revision: state.revision },
      },
    );
  }
  const { revision, status, snapshot, waiting } = state;
  return new ActorView<C>({ address, revision, status, snapshot, at, waiting });
}

/** Reads and decodes in one step. */
export function viewOfRecord<C>(address: Address, record: LogRecord): ActorView<C> | undefined {
  return viewOfState<C>(address, readState(address, record), record.timeMs);
}

/** A state's handled messages as history, oldest first. */
export function historyOf(state: StateRecord): HistoryEntry[] {
  return state.handled.map(entryOf);
}

function entryOf(handled: HandledMessage): HistoryEntry {
  return {
    revision: handled.revision,
    message: handled.message,
    event: handled.event,
    outcome: handled.outcome,
    from: handled.from,
    to: handled.to,
    at: handled.at,
    by: handled.by,
    ...(handled.letter === undefined ? {} : { letter: handled.letter }),
    ...(handled.reason === undefined ? {} : { reason: handled.reason }),
    ...(handled.failure === undefined ? {} : { failure: handled.failure }),
  };
}

/**
 * True when `actual` is in the state that `expected` describes, which may say less than `actual` does.
 *
 * *Source*: XState 5 `matchesState`; a dotted string is a path.
 */
export function matchesState(expected: unknown, actual: unknown): boolean {
  const wanted = typeof expected === "string" ? pathToValue(expected) : expected;
  const found = typeof actual === "string" ? pathToValue(actual) : actual;
  if (typeof wanted === "string")
    return typeof found === "string" ? wanted === found : isObject(found) && Object.hasOwn(found, wanted);
  if (!isObject(wanted) || !isObject(found)) return false;
  return Object.keys(wanted).every((key) => Object.hasOwn(found, key) && matchesState(wanted[key], found[key]));
}

/** A backslash takes the next character as it is, so that a key may hold a dot. */
function pathToValue(path: string): unknown {
  const keys = (path.match(/(?:\\.|[^.\\])+/gs) ?? [path]).map((key) => key.replace(/\\(.)/gs, "$1"));
  let value: unknown = keys[keys.length - 1];
  for (let i = keys.length - 2; i >= 0; i--) value = { [keys[i] as string]: value };
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

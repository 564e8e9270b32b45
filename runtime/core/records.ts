/**
 * What nodes store in CORE besides envelopes, with the format version of each.
 *
 * 1. Every record is JSON in UTF-8 with a `format`; this version writes format 1 and refuses others by name.
 * 2. A format only changes in two releases: first read both, then write the new one.
 */
import { fromStored, toStored } from "./codec.ts";
import type { Birth, Envelope } from "./envelope.ts";
import { CorruptRecordError } from "./errors.ts";
import type { MachineShape } from "./shape.ts";
import type { StreamName } from "./subjects.ts";

/** The format of all records that this version writes. */
export const recordFormat = 1;

/** Last sequences of the two streams that were applied to an actor. */
export interface Cursor {
  readonly ingress: number;
  readonly core: number;
}

/** What became of one message. */
export type Outcome =
  /** It made the actor. */
  | "created"
  /** A transition was taken. */
  | "applied"
  /** The machine has no transition for it in this state; nothing changed. */
  | "ignored"
  /** It was moved to the dead letters; nothing changed. */
  | "dead"
  /** A message with the same key was applied before; nothing changed. */
  | "duplicate"
  /** It came from work that has been superseded, such as an activity of a state that was left; nothing changed. */
  | "stale"
  /** The stored state was brought to the machine's version. */
  | "migrated"
  /** An attempt failed, and another will be made; nothing changed. */
  | "failed"
  /** It was put at the end of those that wait for the actor; nothing changed. */
  | "waiting"
  /** An operator let the actor take messages again. */
  | "released";

/** One handled message, as kept in the state record that its commit wrote. */
export interface HandledMessage {
  /** The actor's revision that it made. */
  readonly revision: number;
  readonly message: string;
  /** Event type, or `create`; empty when the message could not be read. */
  readonly event: string;
  readonly outcome: Outcome;
  /** State value before; absent when there was none. */
  readonly from?: unknown;
  /** State value after; absent when there is none. */
  readonly to?: unknown;
  /** When it was decided, milliseconds since 1970. */
  readonly at: number;
  /** The actor that sent it, `type/id`, or the sender's name for messages of clients. */
  readonly by?: string;
  /** What the machine answered with `reply`, encoded for storage. */
  readonly reply?: unknown;
  /** For `dead`: the letter. */
  readonly letter?: string;
  readonly reason?: DeadReason;
  /** For `failed`: which attempt it was, from 1, why it failed, and when the next one is made, milliseconds since 1970. */
  readonly failure?: { readonly attempt: number; readonly error: string; readonly retryAt: number };
  /**
   * What the event carried besides its type, encoded for storage, so that the message can be replayed. Neither this nor `frame` is there when a message of the same
   * commit is large, or when there are many.
   */
  readonly data?: Readonly<Record<string, unknown>>;
  /** What else is needed to replay it, unless it is a plain event of a client. */
  readonly frame?: MessageFrame;
}

/** How a handled message came, as far as that is not said elsewhere. */
export interface MessageFrame
  extends Partial<
    Pick<Envelope, "kind" | "input" | "internal" | "birth" | "n" | "result" | "systemId" | "holder" | "ask" | "reason">
  > {
  /** It was read from CORE: `by` is an actor. */
  readonly core?: true;
  /** It was a dead letter before. */
  readonly redriven?: true;
  /** It was a timer; the state before has its event. */
  readonly timer?: string;
}

/** The machine that wrote a snapshot. */
export interface MachineIdentity {
  readonly id: string;
  readonly version?: string;
  readonly fingerprint: string;
  /** The versions whose states it takes over by migration, `none` for having none: a node with one of these leaves a state of this version alone. */
  readonly supersedes?: readonly string[];
}

/** A child of an actor, as its parent remembers it. */
export interface StoredChild {
  /**
   * `actor`: durable, with an address of its own. `activity`: a task for a worker. `ask`: another actor that was asked. `live`: runs in the owner's process while the state
   * is active.
   */
  readonly kind: "actor" | "activity" | "ask" | "live";
  /** The name of its logic in the parent's machine. */
  readonly src: string;
  /** The generation: unique among all children that the actor ever had. */
  readonly n: number;
  readonly systemId?: string;
  /** The parent wants to see every state of the child. */
  readonly sync?: true;
  /** It has come to its end by itself. */
  readonly ended?: true;
  /** Encoded for storage; for the kinds `activity` and `live`, while they have not ended. */
  readonly input?: unknown;
  /** For the kind `activity`. */
  readonly task?: StoredTask;
  /** For the kind `ask`: who was asked, `type/id`, and what becomes of a run when it is not wanted any more. */
  readonly asked?: { readonly to: string; readonly onParentClose?: "cancel" | "terminate" | "abandon" };
}

/** How far an activity has come. */
export interface StoredTask {
  /** The attempt that is under way or waited for, from 1. */
  readonly attempt: number;
  /** When the activity was asked for, milliseconds since 1970. */
  readonly since: number;
  /** What the retry policy remembers between attempts. */
  readonly retry?: unknown;
  /** The idempotency key that the actor has given it. */
  readonly key?: string;
}

/** Who waits for the end of a run: a child of an actor, of kind `ask`. */
export interface RunWatcher {
  /** `type/id`. */
  readonly actor: string;
  /** The child's name and generation. */
  readonly id: string;
  readonly n: number;
}

/** What is kept of a workflow's run. */
export interface StoredRun {
  /** 1 for the first; each `continueAs` makes another one. */
  readonly n: number;
  /** When the workflow was started, and when this run began, milliseconds since 1970. */
  readonly since: number;
  readonly at: number;
  /** When it came to its end, milliseconds since 1970; absent while it has not. */
  readonly endedAt?: number;
  /** Tells inputs apart: of the one that the workflow was started with. */
  readonly input: string;
  /** Who started it, when that was an actor. */
  readonly parent?: RunWatcher;
  readonly watchers?: readonly RunWatcher[];
}

/** A timer that an actor has set. */
export interface StoredTimer {
  /** When it is due, milliseconds since 1970. */
  readonly at: number;
  /** What `cancel` knows it by. */
  readonly id?: string;
  /** The event that comes when it is due, encoded for storage. */
  readonly event?: unknown;
  /** Who gets the event; absent: the actor itself. `child` names a live child, `system` a system id. */
  readonly to?:
    | { readonly actor: string }
    | { readonly child: string; readonly n: number }
    | { readonly system: string };
  /** Instead of an event: the next attempt of an activity, or the end of its patience. */
  readonly task?: { readonly kind: "retry" | "deadline"; readonly child: string; readonly n: number };
}

/** What is needed to begin a child actor again. */
export interface StoredRestart {
  /** What it began with, encoded for storage. */
  readonly input?: unknown;
  /** Its failures in a row; absent: it has not failed yet. */
  readonly series?: FailureSeries;
  /** It has failed, and this timer begins it again: until then it takes nothing. */
  readonly timer?: string;
}

/** Failures of a child actor that came one soon after the other. */
export interface FailureSeries {
  readonly count: number;
  /** When the first one was, milliseconds since 1970. */
  readonly since: number;
  /** How long the child waits, or has waited, after the newest one. */
  readonly delayMs: number;
  /** When it was begun again after the newest one, milliseconds since 1970; absent: it was not yet. */
  readonly begunAt?: number;
  /** What the restart policy remembers between failures. */
  readonly memory?: unknown;
}

/** A machine's state in a form that survives JSON. */
export interface StoredSnapshot {
  readonly value: unknown;
  readonly context: unknown;
  /** How many names the actor has given to children and timers. */
  readonly n?: number;
  readonly children?: Readonly<Record<string, StoredChild>>;
  /** By the name of the timer, which is a number that is never given again. */
  readonly timers?: Readonly<Record<string, StoredTimer>>;
  /** For a child actor. */
  readonly birth?: Birth;
  /** For a child actor that is begun again when it fails. */
  readonly restart?: StoredRestart;
  /** For a workflow. */
  readonly run?: StoredRun;
  /** For a root: who has which system id. */
  readonly system?: Readonly<Record<string, { readonly holder: string; readonly n: number }>>;
  readonly history?: Readonly<Record<string, readonly string[]>>;
  readonly output?: unknown;
  readonly error?: unknown;
  readonly tags?: readonly string[];
}

/** `new`: messages were handled (dead-lettered), but the actor was not created yet. `stopped`: a child that its parent stopped. */
export type ActorStatus = "new" | "active" | "done" | "error" | "stopped";

/** The state of one actor: fence, cursor and snapshot in one record. */
export interface StateRecord {
  readonly format: number;
  /** How many messages have been handled, this one included. */
  readonly revision: number;
  readonly status: ActorStatus;
  readonly cursor: Cursor;
  readonly machine?: MachineIdentity;
  readonly snapshot?: StoredSnapshot;
  /** The messages handled by this commit, oldest first; of a long run the newest 64 and those that were asked for an answer. */
  readonly handled: readonly HandledMessage[];
  /** Unique for the commit. */
  readonly commit: string;
  /** Sequence of the actor's state record before this one; 0: there was none. */
  readonly previous: number;
  /** How many records of this actor follow in the same commit. */
  readonly outbox: number;
  /** The messages that were taken out of the mailbox and are not handled; absent when there are none and the actor is not parked. */
  readonly waiting?: Waiting;
}

/**
 * What waits for an actor outside its mailbox. Each message has a {@link WaitingRecord} under a number.
 *
 * Those from `from` up to `next` that are neither in `retries` nor in `gone` stand in line, in order.
 */
export interface Waiting {
  /** The first number that may stand in line. */
  readonly from: number;
  /** The number that the next message gets. */
  readonly next: number;
  /** Messages that failed and wait for another attempt. */
  readonly retries?: Readonly<Record<string, WaitingRetry>>;
  /** Numbers of messages that were handled before those in front of them. */
  readonly gone?: readonly number[];
  /** The actor takes no message until an operator redrives or drops the letter, or releases the actor. */
  readonly parked?: { readonly letter: string /** Milliseconds since 1970. */; readonly at: number };
  /** A child that has failed takes nothing until this timer of its own begins it again. */
  readonly restart?: { readonly timer: string /** Milliseconds since 1970. */; readonly at: number };
}

/** When a message that failed is tried again. */
export interface WaitingRetry {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Which attempt it will be, from 2. */
  readonly attempt: number;
  /** No other message is taken before. */
  readonly hold?: true;
  /** Of a timer of the actor whose event failed: its name. */
  readonly timer?: string;
}

/** A message that waits for its actor outside the mailbox. */
export interface WaitingRecord {
  readonly format: number;
  /** The message as it came, when it could be read and is small. */
  readonly envelope?: Envelope;
  /** The bytes as they came, base64, when they could not be read and are few. */
  readonly raw?: string;
  /** True when the bytes as they came are in a record of their own, since they are many. */
  readonly body?: boolean;
  readonly source: { readonly stream: StreamName; readonly seq: number; readonly subject: string };
  /** Failed attempts, oldest first, at most the newest 50. */
  readonly attempts: readonly FailedAttempt[];
  readonly attemptCount: number;
  /** When the first attempt was made, milliseconds since 1970; 0: none was. */
  readonly firstAt: number;
  /** What the retry policy remembers between attempts. */
  readonly retry?: unknown;
  /** Of a timer of the actor: its name, and when it was due, milliseconds since 1970. The state has its event. */
  readonly timer?: { readonly name: string; readonly at: number };
}

/** Why a message became a dead letter. */
export type DeadReason =
  /** The bytes are not a message: truncated, wrong format version, fields missing, subject not readable. */
  | "malformed"
  /** The schema refused the payload, or the event type is not one the actor declares. */
  | "schema"
  /** The event name is reserved for the runtime. */
  | "reserved"
  /** No definition for the actor's type on the node. */
  | "unknown-type"
  /** The actor takes a `create` first. */
  | "not-created"
  /** All attempts failed. */
  | "attempts"
  /** A `TerminalError` was thrown, or the policy says not to retry the error. */
  | "terminal"
  /** State or emissions are larger than the log accepts. */
  | "too-large"
  /** The process that handled it came to its end, again and again. */
  | "crashed";

/** An error in a form that survives JSON. */
export interface StoredError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: StoredError;
  /** The error's `data`, or what was thrown instead of an error, encoded for storage; absent when it cannot be stored or is large. */
  readonly data?: unknown;
}

/** One failed attempt. */
export interface FailedAttempt {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly node: string;
  readonly error: StoredError;
  /** The version of the machine, or its fingerprint where it has none; absent where there was no machine. */
  readonly version?: string;
}

/** What an operator did with a letter, or what became of it. */
export interface LetterEvent {
  readonly what: "redriven" | "dropped" | "edited" | "released" | "died-again" | "imported" | "expired";
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Who did it: the sender's name of the client. */
  readonly by?: string;
  readonly note?: string;
  /** For `redriven`: the actor that the message went to, where it is not the letter's own, `type/id`. */
  readonly to?: string;
}

/** A dead letter: a message that could not be applied, with everything needed to understand and redrive it. */
export interface LetterRecord {
  readonly format: number;
  readonly letter: string;
  /** `type/id`. */
  readonly to: string;
  readonly reason: DeadReason;
  /** Why, in words. */
  readonly explanation: string;
  /** Groups letters that died of the same: of error, state and event. Absent in letters of earlier versions. */
  readonly fingerprint?: string;
  /** Event type, or the envelope's kind; absent when the message could not be read. */
  readonly event?: string;
  /** Every attempt, oldest first; those of earlier lives of the letter included, at most the newest 50. */
  readonly attempts: readonly FailedAttempt[];
  /** How many attempts there were in all. */
  readonly attemptCount: number;
  /** The message, when it could be read and is small: as it came, or as an operator has edited it. */
  readonly envelope?: Envelope;
  /** The message as it came, when an operator has edited it. */
  readonly original?: Envelope;
  /** The bytes as they came, base64, when they could not be read and are few. */
  readonly raw?: string;
  /** True when the bytes as they came are in a record of their own, since they are many. */
  readonly body?: boolean;
  /** How many bytes those are. Absent in letters of earlier versions. */
  readonly bodyBytes?: number;
  readonly source: { readonly stream: StreamName; readonly seq: number; readonly subject: string };
  /** The actor as it was when the message died; the snapshot only when it is small. */
  readonly state?: { readonly revision: number; readonly value?: unknown; readonly snapshot?: StoredSnapshot };
  /** When it died, milliseconds since 1970. */
  readonly at: number;
  /** When it died for the first time, milliseconds since 1970; absent: it has died once. */
  readonly firstAt?: number;
  readonly redrives: number;
  /** `dead`, or what an operator did with it; `expired`: the office's limits have closed it. */
  readonly status: "dead" | "redriven" | "dropped" | "expired";
  /** What the operator who dropped it had to say. */
  readonly note?: string;
  /** True when its actor takes no message until the letter is redriven or dropped, or the actor is released. */
  readonly parks?: true;
  /** What happened to it since it died for the first time, oldest first, at most the newest 50. */
  readonly history?: readonly LetterEvent[];
}

/** An owner of a partition that came to its end while it handled messages. */
export interface OwnerEnd {
  /** Node name and token, as in the lease. */
  readonly owner: string;
  /** When the next owner found out, milliseconds since 1970. */
  readonly at: number;
}

/**
 * Which messages are being handled in a partition whose owners came to their ends: written before they are handled, while the partition is suspect.
 *
 * Messages go by names: `i:` and `c:` with the sequence in INGRESS and CORE, `t:` with the subject of a timer, `w:` with actor and number of one that stands in
 * line outside the mailbox. With each stand the owners, as places in `ends`, that came to their ends while it was being handled.
 */
export interface TrialRecord {
  readonly format: number;
  /** The owner that wrote it. */
  readonly owner: string;
  /** The last sequences that were stored when the partition was taken over: what came later is not suspect, unless it stands here. */
  readonly until: Cursor;
  readonly ends: readonly OwnerEnd[];
  /** The messages that are being handled. */
  readonly suspects: Readonly<Record<string, readonly number[]>>;
  /** Those that are not, and were when an owner came to its end. */
  readonly others?: Readonly<Record<string, readonly number[]>>;
  /** The suspect that is handled with no other one of the node under way. */
  readonly alone?: string;
  /** The messages that are to become dead letters without being handled again. */
  readonly condemned?: readonly string[];
}

/** Low-water mark of a partition: everything up to these sequences is handled. */
export interface CheckpointRecord {
  readonly format: number;
  readonly cursor: Cursor;
  /** Up to this sequence of CORE all timers that were set are known; absent: 0. */
  readonly timersSeq?: number;
  /** No timer that was set up to `timersSeq` and is due before this time, milliseconds since 1970, is left to fire; absent: none was ever seen. */
  readonly timersFrom?: number;
  /** The records of all timers that are due before this time, milliseconds since 1970, have been removed; not later than `timersFrom`. */
  readonly timersKept?: number;
  /** Time marks, oldest first: at `at` (milliseconds since 1970) the last CORE sequence was `core`. They tell what is old enough to purge. */
  readonly marks: ReadonlyArray<{ readonly at: number; readonly core: number }>;
}

/** Who owns a partition. */
export interface LeaseRecord {
  readonly format: number;
  /** Empty: given back. */
  readonly owner: string;
  readonly epoch: number;
}

/** A node's sign of life. */
export interface NodeRecord {
  readonly format: number;
  readonly node: string;
  /** Name and start token: what leases name as the owner. */
  readonly owner: string;
  readonly beat: number;
  readonly status: "up" | "leaving" | "gone";
  /** Heartbeat interval, milliseconds. */
  readonly everyMs: number;
  /** Without a heartbeat for so long the node has lost its leases, milliseconds. */
  readonly leaseMs: number;
  readonly types: readonly string[];
}

/** What a space was created with. */
export interface SpaceRecord {
  readonly format: number;
  readonly partitions: number;
  readonly hash: "fnv1a-mix32";
  readonly historyDepth: number;
  readonly identity: { readonly core: string; readonly ingress: string };
}

/** An actor type that nodes of the space handle. */
export interface ActorTypeRecord {
  readonly format: number;
  readonly type: string;
  readonly machine: MachineIdentity;
  /** What the machine looks like; absent where an earlier version of Statewright registered the type. */
  readonly shape?: MachineShape;
  /** Event types that the schemas declare; absent when there are no schemas. */
  readonly events?: readonly string[];
  /** True when actors of the type need a `create` first. */
  readonly needsCreate: boolean;
}

/** An idempotency key that was applied, and the outcome to repeat. */
export interface KeyRecord {
  readonly format: number;
  readonly message: string;
  readonly source: { readonly stream: StreamName; readonly seq: number };
  readonly answer: Answer;
}

/** The answer to an `ask`, as published to its reply subject and kept under its key. */
export interface Answer {
  readonly message: string;
  readonly outcome: Outcome;
  readonly revision: number;
  readonly status: ActorStatus;
  /** Committed state after the message. */
  readonly snapshot?: StoredSnapshot;
  readonly reply?: unknown;
  readonly letter?: string;
  readonly reason?: DeadReason;
  readonly explanation?: string;
}

/** A timer that is due at some time; which event it brings stands in the actor's state. */
export interface TimerRecord {
  readonly format: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** One attempt of an activity, for any worker that knows the activity. */
export interface TaskRecord {
  readonly format: number;
  readonly activity: string;
  /** The actor that asked for it, `type/id`. */
  readonly actor: string;
  /** The activity's name with its actor. */
  readonly id: string;
  readonly n: number;
  /** From 1. */
  readonly attempt: number;
  /** Encoded for storage. */
  readonly input: unknown;
  /** When the activity was asked for, milliseconds since 1970. */
  readonly since: number;
  /** How many workers were gone before it ended; set when a worker gives it back. */
  readonly lost?: number;
  /** The idempotency key that the actor has given it. */
  readonly key?: string;
}

/** How much of an activity's limits is used, as a whole or for one key. */
export interface LimitRecord {
  readonly format: number;
  /** The attempts that are under way, where their number is limited. */
  readonly holders: readonly LimitHolder[];
  /** Starts that may still count, oldest first, where their rate is limited. `id` is that of the write that began the entry. */
  readonly starts: ReadonlyArray<{ readonly id: string; readonly count: number }>;
  /** Holders that were taken off since their worker was gone: how often, by task. */
  readonly lost: Readonly<Record<string, number>>;
  /** The worker that wrote it. */
  readonly by: string;
  /** Unique for the write. */
  readonly write: string;
}

/** One attempt that is under way. */
export interface LimitHolder {
  readonly task: string;
  /** As in {@link WorkerRecord}. */
  readonly worker: string;
  /** How often a worker was gone before it ended. */
  readonly lost?: number;
}

/** A sign of life of a process whose activities hold places under a limit. */
export interface WorkerRecord {
  readonly format: number;
  /** Name and start token. */
  readonly worker: string;
  readonly beat: number;
  /** Without a sign of life for so long its places are given to others, milliseconds. */
  readonly leaseMs: number;
}

/** Says that an actor has live children, which its owner is to start again after a takeover. */
export interface LiveRecord {
  readonly format: number;
  /** False: not any more. */
  readonly isLive: boolean;
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Encodes a record for the log. */
export function encodeRecord<R extends { readonly format: number }>(record: R): Uint8Array {
  return Buffer.from(JSON.stringify(record));
}

/**
 * Decodes a record that a node wrote.
 *
 * Errors: `CorruptRecordError` when it is not JSON or has a format that this version does not read; `what` names it in the message.
 */
export function decodeRecord<R extends { readonly format: number }>(what: string, data: Uint8Array): R {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(data));
  } catch (cause) {
    throw new CorruptRecordError(`Cannot read ${what}: ${data.length} bytes that are not JSON in UTF-8.`, { cause });
  }
  const format = typeof value === "object" && value !== null ? (value as { format?: unknown }).format : undefined;
  if (format !== recordFormat) {
    throw new CorruptRecordError(
      `Cannot read ${what}: it has format ${JSON.stringify(format)}, this version reads format ${recordFormat}.`,
      { details: { format } },
    );
  }
  return value as R;
}

/** Turns anything thrown into a form that survives JSON; texts are cut at 4 KB. */
export function toStoredError(thrown: unknown, depth = 0): StoredError {
  if (!(thrown instanceof Error)) {
    const message = typeof thrown === "string" ? thrown : safeJson(thrown);
    return { name: nonError, message: cut(message), ...dataOf(thrown) };
  }
  const code = (thrown as { code?: unknown }).code;
  return {
    name: cut(String(thrown.name)),
    message: cut(String(thrown.message)),
    ...(typeof code === "string" || typeof code === "number" ? { code: String(code).slice(0, 200) } : {}),
    ...(thrown.stack === undefined || depth > 0 ? {} : { stack: cut(String(thrown.stack)) }),
    ...(thrown.cause === undefined || depth >= 3 ? {} : { cause: toStoredError(thrown.cause, depth + 1) }),
    ...dataOf((thrown as { data?: unknown }).data),
  };
}

/** Makes of a stored error what was thrown, as far as it was kept: an error, of the built-in class of its name if there is one. */
export function fromStoredError(stored: StoredError): unknown {
  if (stored.name === nonError && stored.data !== undefined) return fromStored(stored.data);
  const { name, message, code, stack, cause, data } = stored;
  const error = fromStored({ "~": "error", v: { name, message, ...(stack === undefined ? {} : { stack }) } }) as Error;
  const keep = (key: string, value: unknown, enumerable: boolean): void => {
    Object.defineProperty(error, key, { value, enumerable, configurable: true, writable: true });
  };
  if (code !== undefined) keep("code", code, true);
  if (cause !== undefined) keep("cause", fromStoredError(cause), false);
  if (data !== undefined) keep("data", fromStored(data), true);
  return error;
}

/** The name of what was thrown and is no error. */
const nonError = "NonError";

function dataOf(data: unknown): { readonly data?: unknown } {
  if (data === undefined) return {};
  try {
    const stored = toStored(data);
    return JSON.stringify(stored).length > 4096 ? {} : { data: stored };
  } catch {
    return {};
  }
}

function cut(text: string): string {
  return text.length > 4096 ? `${text.slice(0, 4095)}…` : text;
}

function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

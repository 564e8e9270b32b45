/**
 * Every error a caller can meet, as a class with a stable code.
 *
 * 1. `_tag` equals `name` and never changes meaning; a retired tag is not used again (docs/errors.md lists them all).
 * 2. `retry` says what trying the same call again can do: `transient` may succeed, `terminal` will not, `conflict` lost a race.
 * 3. Identity survives package copies and JSON: use {@link isStatewrightError} or `_tag`, not `instanceof`.
 */

import { type DurationInput, type EffectDuration, readDurationMs } from "./duration.ts";

/** Says what trying the same call again can do. */
export type RetryClass = "transient" | "terminal" | "conflict";

const brand = Symbol.for("statewright.error");

/** Options that every error of Statewright accepts: the cause, and plain data fields shown to the caller. */
export interface StatewrightErrorOptions {
  readonly cause?: unknown;
  /** Plain data about what was attempted: ids, sequences, option paths, sizes. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Base of all errors thrown by Statewright. */
export abstract class StatewrightError extends Error {
  abstract readonly _tag: string;
  abstract readonly retry: RetryClass;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(message: string, options: StatewrightErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.details = options.details ?? {};
    this.name = new.target.name;
    Object.defineProperty(this, brand, { value: true, enumerable: false });
  }
}

/** True for any error of Statewright, also one made by another copy of the package. */
export function isStatewrightError(value: unknown): value is StatewrightError {
  return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[brand] === true;
}

/** An actor type, id, key, topic or space name that cannot be used, with the reason. */
export class InvalidNameError extends StatewrightError {
  readonly _tag = "InvalidNameError";
  readonly retry = "terminal";
}

/** Options that are refused at the door; lists every problem at once. */
export class InvalidOptionsError extends StatewrightError {
  readonly _tag = "InvalidOptionsError";
  readonly retry = "terminal";
}

/** An actor definition that cannot be run durably, with the place in the machine. */
export class InvalidDefinitionError extends StatewrightError {
  readonly _tag = "InvalidDefinitionError";
  readonly retry = "terminal";
}

/** An event that was refused before it was sent: reserved name, unknown type, or refused by the schema. */
export class InvalidEventError extends StatewrightError {
  readonly _tag = "InvalidEventError";
  readonly retry = "terminal";
}

/** The actor type is registered by no node of the space. */
export class UnknownActorTypeError extends StatewrightError {
  readonly _tag = "UnknownActorTypeError";
  readonly retry = "terminal";
}

/** A message, state or batch that is larger than the space accepts. */
export class PayloadTooLargeError extends StatewrightError {
  readonly _tag = "PayloadTooLargeError";
  readonly retry = "terminal";
}

/** The actor has no committed state. */
export class ActorNotFoundError extends StatewrightError {
  readonly _tag = "ActorNotFoundError";
  readonly retry = "terminal";
}

/** The dead letter does not exist, or is closed already (redriven, dropped or expired). */
export class LetterNotFoundError extends StatewrightError {
  readonly _tag = "LetterNotFoundError";
  readonly retry = "terminal";
}

/** The message of an `ask` was dead-lettered instead of applied; `details.reason` and `details.letter` say why and where. */
export class DeadLetteredError extends StatewrightError {
  readonly _tag = "DeadLetteredError";
  readonly retry = "terminal";
}

/** No answer within the time given; the message may still be applied, and asking again with the same key is safe. */
export class AskTimeoutError extends StatewrightError {
  readonly _tag = "AskTimeoutError";
  readonly retry = "transient";
}

/** The awaited condition did not hold within the time given. */
export class WaitTimeoutError extends StatewrightError {
  readonly _tag = "WaitTimeoutError";
  readonly retry = "transient";
}

/** No node answered a question within the time given. Nothing was done. */
export class QueryTimeoutError extends StatewrightError {
  readonly _tag = "QueryTimeoutError";
  readonly retry = "transient";
}

/** Nobody owns the partition whose owner was asked a question. */
export class NoOwnerError extends StatewrightError {
  readonly _tag = "NoOwnerError";
  readonly retry = "transient";
}

/** The owner of the partition does not answer the question, and says why. */
export class QueryRefusedError extends StatewrightError {
  readonly _tag = "QueryRefusedError";
  readonly retry = "terminal";
}

/** Whether the message was stored is not known; sending again with the same key is safe. */
export class SendUnknownError extends StatewrightError {
  readonly _tag = "SendUnknownError";
  readonly retry = "transient";
}

/** The log cannot be reached or did not answer. */
export class LogUnavailableError extends StatewrightError {
  readonly _tag = "LogUnavailableError";
  readonly retry = "transient";
}

/** A stream has reached a storage limit and refuses new records; nothing was stored. */
export class StorageFullError extends StatewrightError {
  readonly _tag = "StorageFullError";
  readonly retry = "transient";
}

/** Another writer committed first. */
export class ConflictError extends StatewrightError {
  readonly _tag = "ConflictError";
  readonly retry = "conflict";
}

/** The space exists with settings that differ from what was asked for, or that are not safe to run on. */
export class SpaceConfigError extends StatewrightError {
  readonly _tag = "SpaceConfigError";
  readonly retry = "terminal";
}

/** The streams behind a space are not the ones it was created with (deleted, recreated or restored). */
export class SpaceIdentityError extends StatewrightError {
  readonly _tag = "SpaceIdentityError";
  readonly retry = "terminal";
}

/** A stored record that cannot be read: truncated, of an unknown format version, or not of the expected shape. */
export class CorruptRecordError extends StatewrightError {
  readonly _tag = "CorruptRecordError";
  readonly retry = "terminal";
}

/** A stored state that cannot be brought to the version of the machine at hand: its migration failed, or there is none and it does not fit as it is. */
export class MigrationError extends StatewrightError {
  readonly _tag = "MigrationError";
  readonly retry = "terminal";
}

/** A value that cannot be stored (function, symbol, cycle, class instance), with its path. */
export class NotStorableError extends StatewrightError {
  readonly _tag = "NotStorableError";
  readonly retry = "terminal";
}

/** No nats-server could be found, fetched or started. */
export class ServerUnavailableError extends StatewrightError {
  readonly _tag = "ServerUnavailableError";
  readonly retry = "transient";
}

/** The server refused the credentials or a permission is missing. */
export class NotAuthorizedError extends StatewrightError {
  readonly _tag = "NotAuthorizedError";
  readonly retry = "terminal";
}

/** The client or node was stopped while the call was under way. */
export class SystemStoppedError extends StatewrightError {
  readonly _tag = "SystemStoppedError";
  readonly retry = "transient";
}

/** An attempt of an activity did not end within its `attemptTimeout`, or the activity not within its `timeout`. */
export class ActivityTimeoutError extends StatewrightError {
  readonly _tag = "ActivityTimeoutError";
  readonly retry = "transient";
}

/** An attempt of an activity was started again and again, and each time its worker was gone before it ended. */
export class ActivityLostError extends StatewrightError {
  readonly _tag = "ActivityLostError";
  readonly retry = "terminal";
}

/** The reason with which the signal of an activity is aborted whose result nobody waits for any more. */
export class ActivityCancelledError extends StatewrightError {
  readonly _tag = "ActivityCancelledError";
  readonly retry = "terminal";
}

/** What an activity was given, or what it returned, was refused by its schema. */
export class ActivityValueError extends StatewrightError {
  readonly _tag = "ActivityValueError";
  readonly retry = "terminal";
}

/** Stands in a dead letter for an attempt in which the process that handled the message came to its end. */
export class ProcessCrashError extends StatewrightError {
  readonly _tag = "ProcessCrashError";
  readonly retry = "terminal";
}

/** An actor that was asked by another one took no transition for the event. */
export class EventIgnoredError extends StatewrightError {
  readonly _tag = "EventIgnoredError";
  readonly retry = "terminal";
}

/** An actor that was asked by another one has refused, as the asker reads its reply; `details.reply` has it. */
export class AskRefusedError extends StatewrightError {
  readonly _tag = "AskRefusedError";
  readonly retry = "terminal";
}

/** There is no run of the workflow under the key. */
export class WorkflowNotFoundError extends StatewrightError {
  readonly _tag = "WorkflowNotFoundError";
  readonly retry = "terminal";
}

/** A run of the workflow under the same key was started with another input. */
export class WorkflowConflictError extends StatewrightError {
  readonly _tag = "WorkflowConflictError";
  readonly retry = "terminal";
}

/** The run has failed; `cause` is what with. */
export class WorkflowFailedError extends StatewrightError {
  readonly _tag = "WorkflowFailedError";
  readonly retry = "terminal";
}

/** The run was cancelled, and has undone what it had done, if it knows how. */
export class WorkflowCancelledError extends StatewrightError {
  readonly _tag = "WorkflowCancelledError";
  readonly retry = "terminal";
}

/** The run was ended at once by an operator, and has undone nothing. */
export class WorkflowTerminatedError extends StatewrightError {
  readonly _tag = "WorkflowTerminatedError";
  readonly retry = "terminal";
}

/** The run took longer than its `timeout`, and has undone what it had done, if it knows how. */
export class WorkflowTimeoutError extends StatewrightError {
  readonly _tag = "WorkflowTimeoutError";
  readonly retry = "terminal";
}

/** A step of the saga has failed, and the steps before it were undone; `cause` is what it failed with. */
export class SagaCompensatedError extends StatewrightError {
  readonly _tag = "SagaCompensatedError";
  readonly retry = "terminal";
}

/** Throw it from a machine to dead-letter the message at once, without further attempts; from an activity to fail it without further attempts. */
export class TerminalError extends StatewrightError {
  readonly _tag = "TerminalError";
  readonly retry = "terminal";
}

/** Throw it from a machine or an activity to have it tried again; `retryAfter` replaces the policy's delay. */
export class RetryableError extends StatewrightError {
  readonly _tag = "RetryableError";
  readonly retry = "transient";
  /** Delay before the next attempt, in milliseconds; undefined: as the policy says. */
  readonly retryAfterMs: number | undefined;

  /** `retryAfter`: a delay that cannot be read, is negative or endless leaves it to the policy, so that nothing hides the error itself. */
  constructor(
    message: string,
    options: StatewrightErrorOptions & { readonly retryAfter?: DurationInput | EffectDuration } = {},
  ) {
    super(message, options);
    this.retryAfterMs = readDurationMs(options.retryAfter);
  }
}

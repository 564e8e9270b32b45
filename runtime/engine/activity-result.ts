/**
 * What came of an attempt, as it travels to the actor.
 *
 * 1. Errors keep name, message, code, data and cause; what cannot be stored of an error is told in words.
 * 2. There is always a result: one that cannot be stored, or is too large, becomes an error that says so.
 */
import { toStored } from "../core/codec.ts";
import { type ActivityOutcome, type Envelope, encodeEnvelope, envelopeFormat } from "../core/envelope.ts";
import { PayloadTooLargeError } from "../core/errors.ts";
import { type TaskRecord, toStoredError } from "../core/records.ts";
import { asksForRetry, classifyFailure, requestedDelayMs } from "../supervise/classify-failure.ts";
import { resultId } from "./task-names.ts";

/** What a record takes in the log besides its data, at most. */
const overheadBytes = 4096;

/** Encodes the message that tells an actor what came of an attempt. */
export function resultBytes(
  task: TaskRecord,
  outcome: ActivityOutcome,
  sentAt: number,
  maxRecordBytes: number,
): Uint8Array {
  const { id, n, attempt, activity } = task;
  const encode = (result: ActivityOutcome): Uint8Array => {
    const envelope: Envelope = {
      format: envelopeFormat,
      kind: "result",
      id: resultId(task),
      result: { id, n, attempt, outcome: result },
      sentAt,
    };
    return encodeEnvelope(envelope);
  };
  const bytes = encode(outcome);
  const limitBytes = maxRecordBytes - overheadBytes;
  if (bytes.length <= limitBytes) return bytes;
  const error = new PayloadTooLargeError(
    `Cannot send the result of activity "${activity}": it takes ${bytes.length} bytes, the log accepts ${limitBytes}. Store it elsewhere, and return where.`,
    { details: { activity, sizeBytes: bytes.length, limitBytes } },
  );
  return encode(errorOutcome(error));
}

/** Encodes what a handler returned; what cannot be stored is a terminal error that names the place. */
export function outputOutcome(output: unknown): ActivityOutcome {
  try {
    return { output: toStored(output, "output") };
  } catch (error) {
    return errorOutcome(error);
  }
}

/** Encodes what a handler threw: name, message, code, data and cause, as far as they can be stored. */
export function errorOutcome(
  error: unknown,
  isWorthRetrying: (error: unknown) => boolean = () => true,
): ActivityOutcome {
  const isTerminal = classifyFailure(error) === "terminal" || (!asksForRetry(error) && !isWorthRetrying(error));
  const retryAfterMs = requestedDelayMs(error);
  return {
    error: storedError(error),
    ...(isTerminal ? { isTerminal } : {}),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

function storedError(error: unknown): unknown {
  try {
    return toStored(error, "error");
  } catch {
    // Something in it cannot be stored: what can be told in words is.
    return toStored(toPlainError(error, 0), "error");
  }
}

const maxCauses = 5;

/** An error with only what can be stored: data or a cause that cannot be is left out, or told in words. */
function toPlainError(thrown: unknown, depth: number): Error {
  if (!(thrown instanceof Error)) return new Error(toStoredError(thrown).message);
  const plain = new Error(String(thrown.message));
  plain.name = String(thrown.name);
  plain.stack = typeof thrown.stack === "string" ? thrown.stack : "";
  for (const key of ["code", "data"] as const) {
    const value = (thrown as unknown as Readonly<Record<string, unknown>>)[key];
    if (value !== undefined && isStorable(value)) Object.assign(plain, { [key]: value });
  }
  const { cause } = thrown;
  if (cause !== undefined && depth < maxCauses)
    plain.cause = cause instanceof Error || !isStorable(cause) ? toPlainError(cause, depth + 1) : cause;
  return plain;
}

function isStorable(value: unknown): boolean {
  try {
    toStored(value);
    return true;
  } catch {
    return false;
  }
}

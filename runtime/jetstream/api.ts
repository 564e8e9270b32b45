/** Calls of the JetStream API: one JSON question, one JSON answer. */
import { LogUnavailableError, type StatewrightError } from "../core/errors.ts";
import type { Connection, NoAnswer } from "./connection.ts";
import { isPassing, readAnswer, type ServerError } from "./server-codes.ts";

/** What the API says of a stream, as far as it is used here. */
export interface StreamInfo {
  readonly config: StreamConfig;
  /** When it was created: its identity. */
  readonly created: string;
  readonly state: {
    readonly messages: number;
    readonly bytes: number;
    readonly first_seq: number;
    readonly last_seq: number;
  };
}

/** Configuration of a stream as JSON; durations are nanoseconds. */
export interface StreamConfig {
  readonly name: string;
  readonly [field: string]: unknown;
}

/** What the API says of a consumer, as far as it is used here. */
export interface ConsumerInfo {
  readonly name: string;
  readonly num_pending: number;
  readonly num_ack_pending: number;
  /** Everything up to it is acknowledged. */
  readonly ack_floor: { readonly consumer_seq: number; readonly stream_seq: number };
  readonly delivered: { readonly consumer_seq: number; readonly stream_seq: number };
  readonly config: Readonly<Record<string, unknown>>;
}

/** Usage and limits of the account. */
export interface AccountInfo {
  readonly storage: number;
  readonly reserved_storage?: number;
  readonly limits: { readonly max_storage: number; readonly storage_max_stream_bytes?: number };
  readonly tiers?: Readonly<
    Record<
      string,
      {
        readonly storage: number;
        readonly reserved_storage?: number;
        readonly limits: { readonly max_storage: number };
      }
    >
  >;
}

/** A message as the API returns it; data and headers are base64. */
export interface StoredMessage {
  readonly subject: string;
  readonly seq: number;
  readonly data?: string;
  readonly time: string;
}

/** An answer of the API: a value, or the server's refusal. */
export type ApiAnswer<T> =
  | { readonly value: T; readonly error?: never }
  | { readonly value?: never; readonly error: ServerError };

/**
 * Asks the API; `what` says what is attempted, for messages.
 *
 * *Errors*: `LogUnavailableError` when there is no answer or the server cannot answer now, `NotAuthorizedError`, and
 * `SystemStoppedError` after the connection was closed. Every other refusal is returned.
 */
export async function callApi<T>(
  connection: Connection,
  what: string,
  subject: string,
  body: object | "" = "",
  timeoutMs?: number,
): Promise<ApiAnswer<T>> {
  await connection.whenConnected(what, timeoutMs);
  const answer = await connection.request(
    `${connection.apiPrefix}.${subject}`,
    body === "" ? "" : JSON.stringify(body),
    timeoutMs === undefined ? {} : { timeoutMs },
  );
  if (answer._tag !== "Answer") throw unanswered(connection, what, answer);
  const value = readAnswer<T>(answer.message);
  if (value.error === undefined) return { value: value as T };
  if (isPassing(value.error)) {
    throw new LogUnavailableError(
      `Cannot ${what} now: ${value.error.description} (${value.error.err_code}). Try again.`,
      {
        details: { code: value.error.err_code },
      },
    );
  }
  return { error: value.error };
}

/** The error for a request without an answer. */
export function unanswered(connection: Connection, what: string, answer: NoAnswer): StatewrightError {
  switch (answer._tag) {
    case "Refused":
      return answer.error;
    case "NoResponders":
      return new LogUnavailableError(
        `Cannot ${what}: nothing answers at ${connection.address}. JetStream is not enabled there for this account, or its stream has no leader now.`,
        { details: { noResponders: true } },
      );
    case "Timeout":
      return new LogUnavailableError(`Cannot ${what}: ${connection.address} did not answer in time. Try again.`);
    case "Disconnected":
      return new LogUnavailableError(`Cannot ${what}: the connection to ${connection.address} was lost. Try again.`);
    case "NotSent":
      return new LogUnavailableError(`Cannot ${what}: there is no connection to ${connection.address}. Try again.`);
  }
}

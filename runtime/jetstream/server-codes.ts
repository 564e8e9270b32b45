/**
 * What the server's error codes mean for an append, in one table.
 *
 * The code decides, never the text: texts change between versions of the server.
 */
import type { Msg } from "@nats-io/transport-node";
import type { AppendResult } from "../log/log.ts";

/** An error in a JetStream answer. */
export interface ServerError {
  /** As in HTTP. */
  readonly code: number;
  /** The precise code. */
  readonly err_code: number;
  readonly description: string;
}

/** Codes that the adapter asks about by name. */
export const serverCodes = {
  accountFull: 10002,
  serverFull: 10023,
  messageNotFound: 10037,
  notEnabledForAccount: 10039,
  insufficientStorage: 10047,
  streamNameInUse: 10058,
  streamNotFound: 10059,
  notEnabled: 10076,
  batchIncomplete: 10176,
} as const;

/**
 * `conflict`: an expectation was false. `again`: refused for now, nothing was stored. `full`: a storage limit.
 * `defect`: the call or the stream's configuration is wrong.
 */
type Meaning = "conflict" | "again" | "full" | "defect";

const meanings: Readonly<Record<number, Meaning>> = {
  10002: "full", // account's storage limit
  10023: "full", // server's storage limit
  10047: "full", // insufficient storage resources
  10077: "full", // stream's own limit with discard new, or its disk
  10071: "conflict", // wrong last sequence: N
  10164: "again", // wrong last sequence, unknown which: a write to the subject is in flight
  10163: "again", // the expectation cannot be checked now
  10158: "again", // the same message id is in process
  10210: "again", // too many open batches
  10176: "again", // batch incomplete: the leader changed, or its first message was refused
  10167: "again", // too many requests
  10006: "again", // cluster not active
  10007: "again", // cluster not assigned
  10008: "again", // temporarily unavailable
  10009: "again", // not the leader
  10074: "again", // cannot answer in time
  10118: "again", // stream is offline
  10054: "defect", // larger than the stream accepts
  10060: "defect", // another stream than expected
  10070: "defect", // expected last message id: never sent
  10097: "defect", // headers too large
  10109: "defect", // stream is sealed
  10174: "defect", // atomic batches are off
  10175: "defect", // batch sequence missing
  10177: "defect", // header not allowed in a batch
  10179: "defect", // batch id too long
  10193: "defect", // expectation header without a sequence
  10198: "defect", // mirror
  10199: "defect", // batch too large
  10200: "defect", // bad commit value
  10201: "defect", // message id in a batch: never sent
};

/** A refusal that no retry can change: a bug here, or a stream that was reconfigured while in use. */
export class AppendDefect extends Error {
  override readonly name = "AppendDefect";
  readonly code: number;
  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}

/** Turns the server's refusal of an append into its result; throws {@link AppendDefect} for what no retry can change. */
export function toAppendResult(error: ServerError, what: string): Exclude<AppendResult, { _tag: "Appended" }> {
  const said = `${error.description} (${error.err_code})`;
  switch (meaningOf(error)) {
    case "conflict":
      return { _tag: "Conflict", reason: `Cannot ${what}: ${said}.` };
    case "again":
      return { _tag: "TryAgain", mayBeStored: false, reason: `Cannot ${what} now: ${said}.` };
    case "full":
      return {
        _tag: "Full",
        reason: `Cannot ${what}: the server has no room, ${said}. Raise the stream's max_bytes, or free space in it.`,
      };
    case "defect":
      throw new AppendDefect(
        `Cannot ${what}: the server refused the append itself, ${said}. Check that the stream's configuration was not changed while in use.`,
        error.err_code,
      );
  }
}

function meaningOf(error: ServerError): Meaning {
  const known = meanings[error.err_code];
  if (known !== undefined) return known;
  return error.code === 429 || error.code === 408 || error.code >= 500 ? "again" : "defect";
}

/** True when the same request may succeed a little later. */
export function isPassing(error: ServerError): boolean {
  return meaningOf(error) === "again";
}

/** A JetStream answer: the value's fields, or an error. */
export type ServerAnswer<T> = { readonly error?: ServerError } & Partial<T>;

/** Reads a JetStream answer: JSON, or a bare status in the headers. */
export function readAnswer<T>(message: Msg): ServerAnswer<T> {
  return parseAnswer(message) as ServerAnswer<T>;
}

function parseAnswer(message: Msg): object {
  if (message.data.length === 0) {
    const code = message.headers?.code ?? 0;
    return code >= 300 ? { error: { code, err_code: code, description: message.headers?.description ?? "" } } : {};
  }
  try {
    const value = message.json<unknown>();
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return { error: { code: 500, err_code: 0, description: "an answer that is not JSON" } };
  }
}

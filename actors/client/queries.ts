/**
 * Questions to nodes: asked by a signal, answered by a signal, and asked again until there is an answer.
 *
 * 1. Nothing is stored, and nothing is done: a question that gets lost is only asked again.
 * 2. A question ends once: with an answer, with its timeout, by its signal, or with the client.
 */
import { type Address, formatAddress, partitionOf } from "../../runtime/core/address.ts";
import type { Envelope } from "../../runtime/core/envelope.ts";
import {
  CorruptRecordError,
  InvalidNameError,
  LetterNotFoundError,
  MigrationError,
  NoOwnerError,
  PayloadTooLargeError,
  QueryRefusedError,
  QueryTimeoutError,
  type StatewrightError,
  UnknownActorTypeError,
} from "../../runtime/core/errors.ts";
import {
  type CheckResult,
  decodeQueryAnswer,
  encodeQuery,
  type PreviewQuery,
  type PreviewResult,
  type Query,
  type QueryAnswer,
} from "../../runtime/core/queries.ts";
import { decodeRecord, type LeaseRecord } from "../../runtime/core/records.ts";
import type { NodeStats } from "../../runtime/engine/node.ts";
import { onAbort } from "./aborts.ts";
import { type ClientContext, stoppedError } from "./context.ts";
import { type Preview, previewFrom } from "./previews.ts";

/** How long to wait, and until when. */
export interface QueryOptions {
  /** Default 10 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Options of {@link preview}. */
export interface PreviewOptions extends QueryOptions {
  /** The letter whose message it is: it is decided as if it had been redriven. `of`: the actor under which it is stored, where that is not the one asked about. */
  readonly letter?: { readonly id: string; readonly of?: Address };
  /** Also where the letter says that its message ended processes: the owner may be ended too. */
  readonly force?: boolean;
}

const defaultTimeoutMs = 10_000;
const firstPauseMs = 250;
const longestPauseMs = 2000;
/** That nobody owns a partition is believed when it is so this long after the question: leases change hands in less. */
const noOwnerMs = 3000;

/**
 * Asks the owner of an actor whether the door of its type takes a message.
 *
 * Errors: `UnknownActorTypeError` when the owner has no definition of the type; `NoOwnerError`, `QueryTimeoutError`; `PayloadTooLargeError`; `SystemStoppedError`;
 * the signal's reason.
 */
export function check(
  context: ClientContext,
  to: Address,
  envelope: Envelope,
  options: QueryOptions = {},
): Promise<CheckResult> {
  const query: Query = { kind: "check", to: formatAddress(to), envelope };
  return askOwner(context, to, query, "check a message for", options) as Promise<CheckResult>;
}

/**
 * Asks the owner of an actor what a message would do to it now. Nothing of it is done.
 *
 * `envelope`: the message; undefined: that of the letter in the options.
 *
 * Errors: as {@link check}; `LetterNotFoundError`; `QueryRefusedError` for a letter whose message ended processes, unless forced; `MigrationError` and
 * `CorruptRecordError` when the actor's stored state cannot be used.
 */
export async function preview(
  context: ClientContext,
  to: Address,
  envelope: Envelope | undefined,
  options: PreviewOptions = {},
): Promise<Preview> {
  const { letter, force } = options;
  const query: PreviewQuery = {
    kind: "preview",
    to: formatAddress(to),
    ...(envelope === undefined ? {} : { envelope }),
    ...(letter === undefined ? {} : { letter: { id: letter.id, of: formatAddress(letter.of ?? to) } }),
    ...(force === true ? { force } : {}),
    sender: context.sender,
  };
  return previewFrom(to, (await askOwner(context, to, query, "preview a message for", options)) as PreviewResult);
}

/**
 * Asks all nodes what they say of themselves; resolves with what came within `waitMs` (default 1 s), one of each node, or as soon as `isEnough` says so.
 *
 * Errors: `SystemStoppedError`, the signal's reason. No node: an empty list.
 */
export async function askNodes(
  context: ClientContext,
  options: {
    readonly waitMs?: number;
    readonly signal?: AbortSignal;
    readonly isEnough?: (answers: readonly NodeStats[]) => boolean;
  } = {},
): Promise<NodeStats[]> {
  const { waitMs = 1000, signal, isEnough = () => false } = options;
  const answers = new Map<string, NodeStats>();
  await ask(context, {
    subject: context.subjects.queryNodes(),
    query: { kind: "stats" },
    attempted: "ask the nodes",
    timeoutMs: waitMs,
    signal,
    onAnswer: (answer) => {
      if ("result" in answer) answers.set(answer.node, answer.result as NodeStats);
      return isEnough([...answers.values()]);
    },
    isHopeless: async () => false,
  });
  return [...answers].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, stats]) => stats);
}

async function askOwner(
  context: ClientContext,
  to: Address,
  query: Query,
  verb: string,
  { timeoutMs = defaultTimeoutMs, signal }: QueryOptions,
): Promise<unknown> {
  const { subjects, partitions, log, time } = context;
  const partition = partitionOf(to, partitions);
  const actor = formatAddress(to);
  const attempted = `${verb} ${actor}`;
  let answer: QueryAnswer | undefined;
  let owner = "whether a node owns it could not be read";
  let isOwned = true;
  const startedMs = time.elapsed();
  await ask(context, {
    subject: subjects.query(partition),
    query,
    attempted,
    timeoutMs,
    signal,
    onAnswer: (given) => {
      answer = given;
      return true;
    },
    isHopeless: async () => {
      try {
        const lease = await log.last("core", subjects.lease(partition));
        isOwned = lease !== undefined && ownerIn(lease.data) !== "";
        owner = !isOwned ? "no node owns it" : `its owner is ${JSON.stringify(ownerIn(lease?.data))}`;
      } catch {
        return false;
      }
      return !isOwned && time.elapsed() - startedMs >= noOwnerMs;
    },
  });
  const details = { actor, partition, timeoutMs };
  if (answer === undefined) {
    if (!isOwned) {
      throw new NoOwnerError(
        `Cannot ${attempted}: no node owns partition ${partition}, so nobody can answer. Start a node that runs actor type "${to.type}".`,
        { details },
      );
    }
    throw new QueryTimeoutError(
      `Cannot ${attempted}: no answer within ${timeoutMs} ms. Partition ${partition}: ${owner}; it is busy, or gone, or of an earlier version. Nothing was done: ask again.`,
      { details },
    );
  }
  if ("result" in answer) return answer.result;
  throw errorFrom(answer.error, { ...answer.error.details, node: answer.node });
}

interface Asking {
  readonly subject: string;
  readonly query: Query;
  readonly attempted: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** True: that is all. */
  readonly onAnswer: (answer: QueryAnswer) => boolean;
  /** Called whenever the question was asked again; never rejects. True: it is given up. */
  readonly isHopeless: () => Promise<boolean>;
}

/** How many questions a client has asked: each has a reply subject of its own. */
const counts = new WeakMap<ClientContext, number>();

/** Asks again and again until there is an answer, or the time is over; resolves in either case. */
async function ask(context: ClientContext, asking: Asking): Promise<void> {
  const { log, subjects, clientId, time, random } = context;
  const { subject, query, attempted, timeoutMs, signal, onAnswer, isHopeless } = asking;
  const count = (counts.get(context) ?? 0) + 1;
  counts.set(context, count);
  // With a hyphen: no token of an `ask` has one.
  const reply = subjects.reply(clientId, `q-${count.toString(36)}`);
  const data = encodeQuery({ query, reply });
  if (data.length > log.limits.maxRecordBytes) {
    throw new PayloadTooLargeError(
      `Cannot ${attempted}: the question takes ${data.length} bytes, a signal at most ${log.limits.maxRecordBytes}.`,
      { details: { sizeBytes: data.length } },
    );
  }
  signal?.throwIfAborted();
  const deadlineMs = time.elapsed() + timeoutMs;
  let isOver = false;
  let wake = (): void => {};
  const end = (): void => {
    isOver = true;
    wake();
  };
  const unlisten = log.listen(reply, (_, bytes) => {
    if (isOver) return;
    try {
      if (onAnswer(decodeQueryAnswer(bytes))) end();
    } catch {
      // Not from a node: the question stands.
    }
  });
  const unabort = signal === undefined ? undefined : onAbort(signal, end);
  try {
    for (let pauseMs = firstPauseMs; !isOver; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
      if (context.isStopped) throw stoppedError(attempted);
      const leftMs = deadlineMs - time.elapsed();
      if (leftMs <= 0) return;
      log.signal(subject, data);
      if (pauseMs > firstPauseMs) {
        void isHopeless().then((hopeless) => {
          if (hopeless) end();
        });
      }
      await new Promise<void>((resolve) => {
        const cancel = time.after(Math.min(leftMs, pauseMs * (0.75 + random() / 2)), resolve);
        wake = () => {
          cancel();
          resolve();
        };
      });
    }
    signal?.throwIfAborted();
  } finally {
    isOver = true;
    unlisten();
    unabort?.();
  }
}

function ownerIn(data: Uint8Array | undefined): string {
  return data === undefined ? "" : decodeRecord<LeaseRecord>("a lease", data).owner;
}

type ErrorClass = new (
  message: string,
  options: { readonly details: Readonly<Record<string, unknown>> },
) => StatewrightError;

const errorClasses: Readonly<Record<string, ErrorClass>> = {
  CorruptRecordError,
  InvalidNameError,
  LetterNotFoundError,
  MigrationError,
  PayloadTooLargeError,
  UnknownActorTypeError,
};

function errorFrom(
  { tag, message }: { readonly tag: string; readonly message: string },
  details: Readonly<Record<string, unknown>>,
): StatewrightError {
  const Class = (Object.hasOwn(errorClasses, tag) ? errorClasses[tag] : undefined) ?? QueryRefusedError;
  return new Class(message, { details });
}

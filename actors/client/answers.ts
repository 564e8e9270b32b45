/**
 * Answers: what became of a message, from the node's answer or, when that was lost, from what the log holds.
 *
 * 1. The log is the truth: the record of a key holds the answer for all messages with that key, and an actor's state records tell what each commit handled.
 * 2. An answer found later is the one that was lost, with one difference: where the state right after the message is no longer kept, the view is a later one,
 *    and its revision says so.
 */
import { type Address, formatAddress } from "../../runtime/core/address.ts";
import { fromStored } from "../../runtime/core/codec.ts";
import { CorruptRecordError, DeadLetteredError } from "../../runtime/core/errors.ts";
import {
  type Answer,
  decodeRecord,
  type KeyRecord,
  type LetterRecord,
  type Outcome,
  type StateRecord,
} from "../../runtime/core/records.ts";
import { ActorView, historyOf, readState, viewOfState } from "../view.ts";
import type { ClientContext } from "./context.ts";

/** What an `ask` resolves with. */
export interface AskResult<Context = unknown> {
  readonly outcome: Exclude<Outcome, "dead">;
  /** How many messages the actor had handled with this one. */
  readonly revision: number;
  /** The committed state after the message. Where that is no longer kept: a later one, as its `revision` says. */
  readonly view: ActorView<Context>;
  /** What the machine answered with `reply`; undefined when it did not. */
  readonly reply: unknown;
  /** True when an earlier message with the same key was applied: this is its outcome, and nothing was applied again. */
  readonly duplicate: boolean;
  /** Id of the message whose outcome this is. */
  readonly message: string;
}

/** What is looked for. */
export interface Question {
  readonly to: Address;
  readonly partition: number;
  /** The id of the message that was sent. */
  readonly id: string;
  /** The id of the message that stands for it in the log, when that is another. */
  readonly storedId: string | undefined;
  readonly keySubject: string | undefined;
}

/** Reads an answer that a node has sent; undefined when it is none. */
export function readAnswer(data: Uint8Array): Answer | undefined {
  try {
    const value = JSON.parse(
      Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString(),
    ) as Partial<Answer> | null;
    const isAnswer =
      typeof value?.message === "string" && typeof value.outcome === "string" && typeof value.revision === "number";
    return isAnswer ? (value as Answer) : undefined;
  } catch {
    return undefined;
  }
}

/** Looks for the answer to a question in the log; undefined when there is none yet. Rejects with `LogUnavailableError`. */
export async function findAnswer(context: ClientContext, question: Question): Promise<Answer | undefined> {
  if (question.keySubject !== undefined) {
    const record = await context.log.last("core", question.keySubject);
    if (record !== undefined) return decodeRecord<KeyRecord>("a key record", record.data).answer;
  }
  for await (const { state } of statesOf(context, question)) {
    const at = state.handled.findIndex(
      ({ message, outcome }) =>
        outcome !== "failed" && outcome !== "waiting" && (message === question.id || message === question.storedId),
    );
    if (at >= 0) return answerIn(state, at);
  }
  return undefined;
}

function answerIn(state: StateRecord, at: number): Answer {
  const entry = historyOf(state)[at] as ReturnType<typeof historyOf>[number];
  const isLast = at === state.handled.length - 1;
  const reply = state.handled[at]?.reply;
  return {
    message: entry.message,
    outcome: entry.outcome,
    revision: entry.revision,
    status: state.status,
    ...(isLast && state.snapshot !== undefined ? { snapshot: state.snapshot } : {}),
    ...(reply === undefined ? {} : { reply }),
    ...(entry.letter === undefined ? {} : { letter: entry.letter }),
    ...(entry.reason === undefined ? {} : { reason: entry.reason }),
  };
}

async function* statesOf(
  context: ClientContext,
  { to, partition }: Pick<Question, "to" | "partition">,
): AsyncGenerator<{ readonly state: StateRecord; readonly timeMs: number }> {
  for await (const record of context.log.scan("core", context.subjects.state(partition, to))) {
    yield { state: readState(to, record), timeMs: record.timeMs };
  }
}

/**
 * Makes the result of an ask from its answer.
 *
 * Errors: `DeadLetteredError` for a message that became a dead letter; `LogUnavailableError` when what the answer leaves out cannot be read.
 */
export async function resultOf(context: ClientContext, question: Question, answer: Answer): Promise<AskResult> {
  if (answer.outcome === "dead") throw await deadLettered(context, question, answer);
  return {
    outcome: answer.outcome,
    revision: answer.revision,
    view: await viewAfter(context, question, answer),
    reply: fromStored(answer.reply),
    duplicate: answer.message !== question.id || answer.outcome === "duplicate",
    message: answer.message,
  };
}

/** The state that the answer brings, or else the first one kept that has the message in it. */
async function viewAfter(context: ClientContext, question: Question, answer: Answer): Promise<ActorView> {
  const { to } = question;
  if (answer.snapshot !== undefined) {
    const { revision, status, snapshot } = answer;
    return new ActorView({ address: to, revision, status, snapshot, at: context.time.now() });
  }
  for await (const { state, timeMs } of statesOf(context, question)) {
    const view = state.revision >= answer.revision ? viewOfState(to, state, timeMs) : undefined;
    if (view !== undefined) return view;
  }
  throw new CorruptRecordError(
    `Cannot read the state of ${formatAddress(to)} after message ${answer.message}: the answer holds none, and neither does the log.`,
    { details: { actor: formatAddress(to), message: answer.message, revision: answer.revision } },
  );
}

async function deadLettered(context: ClientContext, question: Question, answer: Answer): Promise<DeadLetteredError> {
  let { explanation, reason } = answer;
  if (explanation === undefined && answer.letter !== undefined) {
    const record = await context.log.last(
      "core",
      context.subjects.dead(question.partition, question.to, answer.letter),
    );
    if (record !== undefined) ({ explanation, reason } = decodeRecord<LetterRecord>("a dead letter", record.data));
  }
  const actor = formatAddress(question.to);
  return new DeadLetteredError(
    `Cannot apply the message to ${actor}: it became dead letter ${answer.letter ?? "(unnamed)"} (${reason ?? "unknown reason"}). ${
      explanation ?? "The letter says why."
    }`,
    {
      details: {
        actor,
        message: answer.message,
        letter: answer.letter,
        reason,
        explanation,
        revision: answer.revision,
      },
    },
  );
}

/**
 * What operators decide about steps that are stuck.
 *
 * 1. A decision is a message to the saga: it is applied once, and stands in its history with who has decided.
 * 2. The letter that the step has left is closed once the saga has taken the decision, so that nobody decides a second time.
 */
import type { AskOptions, AskResult, Client } from "../../actors/client.ts";
import { type Address, formatAddress } from "../../runtime/core/address.ts";
import { retryDecision, type SagaDecision } from "./progress.ts";

/** What came of a decision. */
export interface DecisionResult {
  /** False when the step is not stuck: nothing has changed. */
  readonly isTaken: boolean;
  /** The letters about the step that were closed. */
  readonly closed: readonly string[];
}

/** A letter about a step that is stuck. */
export interface StepLetter {
  readonly letter: string;
  readonly step: string;
  /** When it was left, milliseconds since 1970. */
  readonly at: number;
}

/** What came of bringing a decision to a saga. */
export interface BroughtDecision extends DecisionResult {
  readonly result: AskResult;
  /** Letters that could not be closed, and why: the decision stands. */
  readonly left: ReadonlyArray<{ readonly letter: string; readonly error: unknown }>;
}

/**
 * Tells a saga what was decided about a step that is stuck, and closes its letter.
 *
 * *Errors* As `client.ask` and `deadLetters.drop`.
 */
export async function decideStuck(
  client: Client,
  saga: Address,
  decision: SagaDecision,
  options?: Omit<AskOptions, "key">,
): Promise<DecisionResult> {
  const note = decision.note ?? `The operator's decision: ${decision.type}.`;
  const { isTaken, closed, left } = await bringDecision(client, saga, decision, note, options);
  for (const { error } of left) {
    // Somebody else has closed it meanwhile.
    if ((error as { readonly _tag?: unknown })._tag !== "LetterNotFoundError") throw error;
  }
  return { isTaken, closed };
}

/** As {@link decideStuck}, telling all that came of it; `note` is what the letters are closed with. Errors: as `client.ask`. */
export async function bringDecision(
  client: Client,
  saga: Address,
  decision: SagaDecision,
  note: string,
  options?: Omit<AskOptions, "key">,
): Promise<BroughtDecision> {
  // Before the decision: what asks for one after it asks for another.
  const letters = (await stepLetters(client, saga)).filter(({ step }) => step === decision.step);
  const result = await client.ask(formatAddress(saga), decision, options);
  const isTaken = result.outcome !== "ignored";
  const closed: string[] = [];
  const left: Array<{ readonly letter: string; readonly error: unknown }> = [];
  for (const { letter } of isTaken ? letters : []) {
    try {
      await client.deadLetters.drop(letter, { note });
      closed.push(letter);
    } catch (error) {
      left.push({ letter, error });
    }
  }
  return { isTaken, closed, left, result };
}

/** The open letters about stuck steps of a saga, oldest first. */
export async function stepLetters(client: Client, { type, id }: Address): Promise<StepLetter[]> {
  const found = await client.deadLetters.list({ type, id, event: retryDecision });
  const letters = await Promise.all(found.map(({ letter }) => client.deadLetters.get(letter)));
  return letters.flatMap(({ letter, payload, at }) => {
    const { step } = (payload ?? {}) as { readonly step?: unknown };
    return typeof step === "string" ? [{ letter, step, at }] : [];
  });
}

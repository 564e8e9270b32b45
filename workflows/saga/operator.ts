/**
 * What operators decide about steps that are stuck.
 *
 * 1. A decision is a message to the saga: it is applied once, and stands in its history with who has decided.
 * 2. The letter that the step has left is closed once the saga has taken the decision, so that nobody decides a second time.
 */
import type { AskOptions, Client } from "../../actors/client.ts";
import type { Address } from "../../runtime/core/address.ts";
import type { SagaDecision } from "./progress.ts";

/** What came of a decision. */
export interface DecisionResult {
  /** False when the step is not stuck: nothing has changed. */
  readonly isTaken: boolean;
  /** The letters about the step that were closed. */
  readonly closed: readonly string[];
}

/**
 * Tells a saga what was decided about a step that is stuck, and closes its letter.
 *
 * *Errors* As `client.ask`.
 */
export async function decideStuck(
  client: Client,
  saga: Address,
  decision: SagaDecision,
  options?: Omit<AskOptions, "key">,
): Promise<DecisionResult> {
  const address: Address = { type: saga.type, id: saga.id };
  const letters = await lettersAbout(client, address, decision.step);
  const { outcome } = await client.ask(address, decision, options);
  const isTaken = outcome === "applied";
  if (!isTaken) return { isTaken, closed: [] };
  const closed: string[] = [];
  const note = decision.note ?? `The operator's decision: ${decision.type}.`;
  for (const letter of letters) {
    try {
      await client.deadLetters.drop(letter, { note });
      closed.push(letter);
    } catch (error) {
      // Somebody else has closed it meanwhile.
      if ((error as { readonly _tag?: unknown })._tag !== "LetterNotFoundError") throw error;
    }
  }
  return { isTaken, closed };
}

/** The letters that a step of a saga has left, and that are open. */
async function lettersAbout(client: Client, { type, id }: Address, step: string): Promise<string[]> {
  const found: string[] = [];
  for (const { letter } of await client.deadLetters.list({ type, id, event: "saga.retry" })) {
    const { payload } = (await client.deadLetters.get(letter)) ?? {};
    if ((payload as { readonly step?: unknown } | undefined)?.step === step) found.push(letter);
  }
  return found;
}

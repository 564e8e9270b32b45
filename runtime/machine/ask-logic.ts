/**
 * Asking another actor from a machine: an event whose reply is awaited, or a workflow run whose end is.
 *
 * 1. What is asked leaves with the commit of the transition that asks, and the answer comes with the commit that gives it: neither is lost or doubled.
 * 2. An answer to what was asked before, in a state that was left, is not taken.
 */
import { fromPromise, type PromiseActorLogic } from "xstate";
import { type Address, makeAddress } from "../core/address.ts";
import { AskRefusedError, TerminalError } from "../core/errors.ts";
import type { ActorTypeLike } from "./actions.ts";
import type { MachineEvent } from "./driver.ts";
import { checkSendable } from "./events.ts";

const askKey = Symbol.for("statewright.ask");

/** What becomes of a run when the state that waits for it is left, or its asker ends. */
export type ParentClosePolicy = "cancel" | "terminate" | "abandon";

/** What a machine asks for. */
export type AskRequest =
  | { readonly kind: "event"; readonly to: Address; readonly event: MachineEvent }
  | { readonly kind: "run"; readonly to: Address; readonly input: unknown; readonly onParentClose: ParentClosePolicy };

/** What the driver knows of logic that asks. */
export interface AskMeta {
  /** Pure. Throws `TerminalError` for what cannot be asked. */
  request(input: unknown): AskRequest;
  /** The error that an answer stands for; undefined: it is a result. */
  refusal(answer: unknown): Error | undefined;
}

/** What asking an actor takes as its input. */
export interface AskInput<Event> {
  /** The id of the actor. */
  readonly id: string;
  readonly event: Event;
}

/** Options of {@link askActor}. */
export interface AskActorOptions<Reply> {
  /** Says of a reply that the actor has refused what was asked: true, or why. Then `onError` gets an `AskRefusedError` with it. Default: none is. */
  readonly refused?: (reply: Reply) => boolean | string;
}

/**
 * Actor logic to be invoked: sends an event to an actor and is done with what that actor's machine answers by `reply` in the transition that takes the event.
 *
 * Details: the event is delivered once, in order with all that the asking actor tells the other one. `onDone` has the reply, undefined where there was none. `onError` has
 * `EventIgnoredError` when the machine took no transition, `DeadLetteredError` when the message became a dead letter (it may be redriven later, and then be applied),
 * `AskRefusedError`.
 *
 * Gotchas: there is no timeout but the one that the invoking state has: `after`. An event that waits there is applied all the same. Under a plain live `createActor` it fails.
 *
 * ```ts
 * actors: { reserve: askActor<Reserve, "reserved" | "sold out">(stock, { refused: (reply) => reply === "sold out" }) }
 * invoke: { src: "reserve", input: ({ context }) => ({ id: context.sku, event: { type: "RESERVE" } }), onDone: "reserved", onError: "soldOut" }
 * ```
 */
export function askActor<Event extends { readonly type: string }, Reply = unknown>(
  actor: string | ActorTypeLike<Event>,
  options: AskActorOptions<Reply> = {},
): PromiseActorLogic<Reply, AskInput<Event>> {
  const type = typeof actor === "string" ? actor : actor.type;
  const { refused } = options;
  return makeAskLogic<Reply, AskInput<Event>>({
    request(input) {
      const { id, event } = (input ?? {}) as { readonly id?: unknown; readonly event?: unknown };
      return {
        kind: "event",
        to: terminal(() => makeAddress(type, id as string)),
        event: checkSendable(event, () => `ask ${type}/${String(id)}`),
      };
    },
    refusal(answer) {
      const why = refused?.(answer as Reply) ?? false;
      if (why === false) return undefined;
      return new AskRefusedError(
        `An actor of type "${type}" has refused what it was asked${why === true ? "" : `: ${why}`}.`,
        { details: { type, reply: answer } },
      );
    },
  });
}

/** Makes logic that asks; what its input may be is for `meta` to say. */
export function makeAskLogic<Output, Input>(meta: AskMeta): PromiseActorLogic<Output, Input> {
  const logic = fromPromise<Output, Input>(() =>
    Promise.reject(
      new TerminalError(
        "Cannot ask another actor from a live machine: only a durable one, run by a node, has others to ask.",
      ),
    ),
  );
  return Object.defineProperty(logic, askKey, { value: meta, enumerable: false });
}

/** What logic asks; undefined for logic that does not. */
export function askMetaOf(logic: unknown): AskMeta | undefined {
  return typeof logic === "object" && logic !== null ? (logic as { [askKey]?: AskMeta })[askKey] : undefined;
}

function terminal<R>(check: () => R): R {
  try {
    return check();
  } catch (cause) {
    throw new TerminalError(`Cannot ask: ${(cause as Error).message}`, { cause });
  }
}

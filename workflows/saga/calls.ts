/** What a step can do besides running a function: `call` an activity, `ask` an actor, `startWorkflow`. The same for its undo. */
import type { ActivityDefinition } from "../../actors/define-activity.ts";
import type { WorkflowDefinition } from "../workflow-definition.ts";
import type { Doing } from "./model.ts";

const brand = Symbol.for("statewright.saga.doing");

/** Something that a step does, which is made of the scope and comes to an output. */
export interface TypedDoing<in Scope, out Output> {
  /** Only a type, never a value. */
  readonly "~scope"?: (scope: Scope) => void;
  /** Only a type, never a value. */
  readonly "~output"?: Output;
}

/**
 * Runs an activity. `input` makes its input of the scope; it is pure.
 *
 * ```ts
 * .step("charge", { do: call(charge, ({ input }) => ({ card: input.card, amount: input.amount })), undo: call(refund, ({ result }) => ({ charge: result?.id })) })
 * ```
 */
export function call<Scope, Input, Output>(
  activity: ActivityDefinition<Input, Output>,
  input: (scope: Scope) => Input,
): TypedDoing<Scope, Output> {
  return typed({ kind: "activity", activity, input: input as never });
}

/** Options of {@link ask}. */
export interface AskStepOptions<Reply> {
  /** Says of a reply that the actor has done nothing: true, or why. The step has failed then, and is not undone. Default: no reply says so. */
  readonly refused?: (reply: Reply) => boolean | string;
}

/**
 * Sends an event to an actor and waits for the reply of its machine. `message` names the actor and makes the event of the scope; it is pure.
 *
 * ```ts
 * .step("reserve", { do: ask(stock, ({ input }) => ({ id: input.sku, event: { type: "RESERVE" } }), { refused: (reply) => reply === "sold out" }) })
 * ```
 */
export function ask<Scope, Event extends { readonly type: string }, Reply = unknown>(
  actor: string | { readonly type: string; readonly "~event"?: Event },
  message: (scope: Scope) => { readonly id: string; readonly event: Event },
  options: AskStepOptions<Reply> = {},
): TypedDoing<Scope, Reply> {
  const type = typeof actor === "string" ? actor : actor.type;
  return typed({ kind: "ask", actor: type, message: message as never, refused: options.refused as never });
}

/**
 * Starts a workflow and waits for its end. `input` makes its input of the scope; it is pure. Its key is what its definition makes of the input, else one that the step has for itself.
 * It is cancelled when the saga does not want it any more.
 */
export function startWorkflow<Scope, Input, Output>(
  // biome-ignore lint/suspicious/noExplicitAny: any events, context and queries; input and output are all that is of interest here.
  workflow: WorkflowDefinition<any, any, Input, Output, any, any>,
  input: (scope: Scope) => Input,
): TypedDoing<Scope, Output> {
  return typed({ kind: "workflow", workflow, input: input as never });
}

/** What stands behind {@link TypedDoing}: undefined for anything else. */
export function doingOf(value: unknown): Doing | undefined {
  return typeof value === "object" && value !== null ? (value as { [brand]?: Doing })[brand] : undefined;
}

function typed<Scope, Output>(doing: Doing): TypedDoing<Scope, Output> {
  return Object.defineProperty({}, brand, { value: doing, enumerable: false });
}

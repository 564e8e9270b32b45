/**
 * Actions that a durable machine has beside XState's own: `tell`, `publish` and `reply`.
 *
 * 1. They are data: what they say is evaluated at their place in the list of actions, with the context as it is there, and leaves the node only
 *    with the commit of the new state. A crash or a redelivery neither loses nor repeats it.
 * 2. They go wherever XState takes an action: inline, under a name in `setup({ actions })`, and in `enqueueActions` through `enqueue(tell(…))`.
 * 3. Under a plain live `createActor` they do nothing: nothing is evaluated, nothing is sent.
 */
import type {
  ActionArgs,
  AnyEventObject,
  DoNotInfer,
  EventObject,
  InferEvent,
  MachineContext,
  NonReducibleUnknown,
  ParameterizedObject,
} from "xstate";
import { type Address, makeAddress } from "../core/address.ts";
import { isReservedTopic } from "../core/dead-letter-events.ts";
import { TerminalError } from "../core/errors.ts";
import { toToken } from "../core/names.ts";
import type { MachineEvent, Work } from "./driver.ts";
import { checkPublishable, checkSendable } from "./events.ts";

type Params = ParameterizedObject["params"] | undefined;

/** Anything that names an actor type and may carry the type of its events, as an actor definition does. */
export interface ActorTypeLike<TEvent> {
  readonly type: string;
  /** Never set; carries the type of the events that the actor takes. */
  readonly "~event"?: TEvent;
}

/** A value, or a function of context, event and the action's params. */
export type Expression<
  TValue,
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
> = TValue | ((args: ActionArgs<TContext, TExpressionEvent, TEvent>, params: TParams) => TValue);

/** An action for a machine that runs durably; to be put where XState takes an action, not to be called. */
export type DurableAction<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
> = (args: ActionArgs<TContext, TExpressionEvent, TEvent>, params: TParams) => void;

/**
 * Sends an event to another actor, which is found by type and id; `type` may also be an actor definition, which then types the event.
 *
 * Details: committed together with the new state, and delivered after the commit, in the order in which one actor told another.
 *
 * Errors: a type, id or event that cannot be used (reserved: names that start with `xstate.`) is a `TerminalError` of the message being handled. What is wrong
 * in a static argument is reported when the machine is registered.
 *
 * ```ts
 * tell("warehouse", ({ context }) => context.warehouse, ({ context }) => ({ type: "RESERVE", sku: context.sku }))
 * ```
 */
export function tell<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
  TTold extends EventObject = AnyEventObject,
>(
  type: Expression<string | ActorTypeLike<TTold>, TContext, TExpressionEvent, TParams, TEvent>,
  id: Expression<string, TContext, TExpressionEvent, TParams, TEvent>,
  event: Expression<InferEvent<DoNotInfer<TTold>>, TContext, TExpressionEvent, TParams, TEvent>,
): DurableAction<TContext, TExpressionEvent, TParams, TEvent> {
  return durable({ kind: "tell", type, id, event });
}

/**
 * Publishes an event for whoever listens to a topic.
 *
 * Details: committed together with the new state.
 *
 * Errors: as {@link tell}.
 */
export function publish<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
>(
  topic: Expression<string, TContext, TExpressionEvent, TParams, TEvent>,
  event: Expression<AnyEventObject, TContext, TExpressionEvent, TParams, TEvent>,
): DurableAction<TContext, TExpressionEvent, TParams, TEvent> {
  return durable({ kind: "publish", topic, event });
}

/**
 * Answers the `ask` whose message is being handled; it does nothing when the message was sent without asking.
 *
 * Details: the value is kept with the commit, so that asking again with the same key gives the same answer. The last reply of a message counts.
 */
export function reply<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
>(
  value: Expression<NonReducibleUnknown, TContext, TExpressionEvent, TParams, TEvent>,
): DurableAction<TContext, TExpressionEvent, TParams, TEvent> {
  return durable({ kind: "reply", value });
}

/** What a letter says that an actor leaves itself. */
export interface OwnLetter {
  /** What comes to the actor when the letter is redriven. */
  readonly event: AnyEventObject;
  /** Why it is there, in words. */
  readonly explanation: string;
  readonly error: unknown;
}

/**
 * Leaves a dead letter about the actor itself: something that it cannot go on with unless an operator decides. Redriving it brings `event` to the actor; the actor goes on meanwhile.
 *
 * Details: committed together with the new state.
 */
export function leaveLetter<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
>(
  letter: Expression<OwnLetter, TContext, TExpressionEvent, TParams, TEvent>,
): DurableAction<TContext, TExpressionEvent, TParams, TEvent> {
  return durable({ kind: "letter", letter });
}

/** What a durable action says, not evaluated yet. */
export type Told =
  | { readonly kind: "letter"; readonly letter: unknown }
  | { readonly kind: "tell"; readonly type: unknown; readonly id: unknown; readonly event: unknown }
  | { readonly kind: "publish"; readonly topic: unknown; readonly event: unknown }
  | { readonly kind: "reply"; readonly value: unknown };

// A symbol of the registry: a machine may come from another copy of the package.
const toldKey = Symbol.for("statewright.told");

function durable(told: Told): () => void {
  const action = () => {};
  Object.defineProperty(action, "name", { value: told.kind });
  Object.defineProperty(action, toldKey, { value: told });
  return action;
}

/** Returns what a durable action says; undefined for any other action. */
export function toldOf(action: unknown): Told | undefined {
  return typeof action === "function" ? (action as { [toldKey]?: Told })[toldKey] : undefined;
}

/**
 * Evaluates a durable action at its place in the list of actions.
 *
 * Errors: `TerminalError` naming what cannot be used; whatever the machine's own functions throw.
 */
export function evaluate(told: Told, args: unknown, params: unknown): Work {
  const resolve = (expression: unknown): unknown =>
    typeof expression === "function" ? expression(args, params) : expression;
  switch (told.kind) {
    case "tell": {
      const to = checkAddress(resolve(told.type), resolve(told.id));
      return { kind: "tell", to, event: checkEvent(resolve(told.event), `tell ${to.type}/${to.id}`) };
    }
    case "publish": {
      const topic = checkTopic(resolve(told.topic));
      return { kind: "publish", topic, event: checkPublishable(resolve(told.event), () => `publish to ${topic}`) };
    }
    case "reply":
      return { kind: "reply", value: resolve(told.value) };
    case "letter": {
      const { event, explanation, error } = resolve(told.letter) as OwnLetter;
      return { kind: "letter", event: checkEvent(event, "leave a letter"), explanation, error };
    }
  }
}

/** Lists what is wrong with the static arguments of a durable action, in words. */
export function problemsOf(told: Told): string[] {
  const checks: Array<() => void> = [];
  if (told.kind === "tell") {
    if (typeof told.type !== "function") {
      checks.push(() => checkAddress(told.type, typeof told.id === "function" ? "any" : told.id));
    }
    if (typeof told.event !== "function") checks.push(() => checkEvent(told.event, "tell"));
  }
  if (told.kind === "publish") {
    if (typeof told.topic !== "function") checks.push(() => checkTopic(told.topic));
    if (typeof told.event !== "function") checks.push(() => checkPublishable(told.event, () => "publish"));
  }
  return checks.flatMap((check) => {
    try {
      check();
      return [];
    } catch (error) {
      return [(error as Error).message];
    }
  });
}

function checkAddress(target: unknown, id: unknown): Address {
  const type = typeof target === "object" && target !== null ? (target as { type?: unknown }).type : target;
  return terminal("tell", () => makeAddress(type as string, id as string));
}

function checkTopic(topic: unknown): string {
  terminal("publish", () => toToken(topic as string, "a topic"));
  if (isReservedTopic(topic as string)) {
    throw new TerminalError(
      `Cannot publish: the topic ${JSON.stringify(topic)} is reserved for the runtime, as all that begin with "statewright." are.`,
    );
  }
  return topic as string;
}

/** Runs a check of a name; what it throws becomes terminal for the message, since trying again cannot help. */
function terminal<R>(attempt: string, check: () => R): R {
  try {
    return check();
  } catch (cause) {
    throw new TerminalError(`Cannot ${attempt}: ${(cause as Error).message}`, { cause });
  }
}

function checkEvent(event: unknown, attempt: string): MachineEvent {
  return checkSendable(event, () => attempt);
}

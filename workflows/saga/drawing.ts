/** What the states of a saga's machine are drawn with: places, logic by name, and what they have in common. */
import { leaveLetter } from "../../runtime/machine/actions.ts";
import { stuckTag } from "../workflow-status.ts";
import { change, type SagaEvent, stuck } from "./changes.ts";
import { type DoingRules, inputOfDoing, logicOfDoing } from "./doings.ts";
import type { AnyScope, Doing, SagaModel, StepNode } from "./model.ts";
import { retryDecision, type SagaContext } from "./progress.ts";

/** The configuration of a state, as XState takes it. */
export type StateConfig = Readonly<Record<string, unknown>>;

/** Reads the context and an event. */
export interface Moment {
  readonly context: SagaContext;
  readonly event: SagaEvent;
}

/** A machine being drawn. */
export interface Drawing {
  readonly model: SagaModel;
  readonly pivot: StepNode | undefined;
  /** Logic by the name under which states invoke it. */
  readonly actors: Record<string, object>;
}

/** Where a node stands. */
export interface Place {
  /** The path of its state, from the root. */
  readonly path: readonly string[];
  /** Where its result goes. */
  readonly result: readonly string[];
  /** The target when it is done. */
  readonly next: string;
  /** The target when the saga is turned round; undefined past the pivot. */
  readonly halt: string | undefined;
}

/** A target: the state at a path from the root. */
export function at({ model }: Drawing, path: readonly string[]): string {
  return `#${[model.name, ...path].map((name) => name.replaceAll(/[\\.]/g, "\\$&")).join(".")}`;
}

/** Adds the logic of a doing, and returns what invokes it. `name` is also the id of the invoke. */
export function invokeOf(
  { actors }: Drawing,
  name: string,
  doing: Doing,
  rules: DoingRules,
  scope: (context: SagaContext) => AnyScope,
  then: { readonly onDone: unknown; readonly onError: unknown },
): StateConfig {
  actors[name] = logicOfDoing(doing, rules);
  const input = ({ context }: Moment) => inputOfDoing(doing, scope(context), context, rules.tail);
  return { id: name, src: name, input, ...then };
}

/** What functions of a saga are given. Within a branch (`within` is the way to it in the results) its own results stand beside those around. */
export function scopeOf({ input, results }: SagaContext, within: readonly string[]): AnyScope {
  let seen = results;
  let place: unknown = results;
  for (const name of within) {
    place = (place as Readonly<Record<string, unknown>> | undefined)?.[name];
    if (typeof place === "object" && place !== null) seen = { ...seen, ...place };
  }
  return { input, results: seen };
}

/** True once the saga was turned round: nothing new is begun. */
export function isTurning({ context }: Moment): boolean {
  return context.direction === "undoing";
}

/** The state of something that cannot go on without an operator. */
export function stuckState(
  name: string,
  explanation: string,
  error: (context: SagaContext) => unknown,
  on: { readonly retry: StateConfig; readonly done: StateConfig; readonly skip: StateConfig },
  entry: readonly unknown[] = [change((context) => stuck(context, name))],
): StateConfig {
  const isMeant = ({ event }: Moment): boolean => event.step === name;
  return {
    description: "An operator has to decide: saga.retry, saga.done or saga.skip.",
    tags: [stuckTag],
    entry: [
      ...entry,
      leaveLetter<SagaContext, SagaEvent, undefined, SagaEvent>(({ context }) => ({
        event: { type: retryDecision, step: name },
        explanation,
        error: error(context),
      })),
    ],
    on: {
      "saga.retry": { guard: isMeant, ...on.retry },
      "saga.done": { guard: isMeant, ...on.done },
      "saga.skip": { guard: isMeant, ...on.skip },
    },
  };
}

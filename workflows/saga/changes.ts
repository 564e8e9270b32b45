/**
 * How the context of a saga changes: pure functions, each of which returns the fields that are new.
 *
 * Nothing is changed in place, and what caused a saga to turn round first stays its cause.
 */
import { assign } from "xstate";
import type { SagaCause, SagaContext, SagaDecision, StepProgress } from "./progress.ts";

/** An event as the machine of a saga reads it. */
export interface SagaEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Fields of a context that are new. */
export type Changes = Partial<SagaContext>;

/** An action that changes the context. */
export function change(changes: (context: SagaContext, event: SagaEvent) => Changes): unknown {
  return assign<SagaContext, SagaEvent, undefined, SagaEvent, never>(({ context, event }) => changes(context, event));
}

/** Puts a step on record as begun. One that is tried anew keeps its place in the order, and what was said about it. */
export function begin(context: SagaContext, name: string): Changes {
  const before = context.steps[name];
  const n = before?.n ?? Object.keys(context.steps).length + 1;
  return put(context, name, { state: "begun", n, ...saidAbout(before) });
}

/** The step has come to its end, with a result. */
export function succeed(context: SagaContext, name: string, path: readonly string[], result: unknown): Changes {
  const { n, note, by } = recordOf(context, name);
  return { ...put(context, name, { state: "done", n, ...saidAbout({ note, by }) }), ...keep(context, path, result) };
}

/** Puts a result where the path says. */
export function keep(context: SagaContext, path: readonly string[], result: unknown): Changes {
  return { results: placed(context.results, path, result) };
}

/** The result at a path; undefined where there is none. */
export function resultAt(context: SagaContext, path: readonly string[]): unknown {
  return path.reduce<unknown>((place, name) => (place as Record<string, unknown> | undefined)?.[name], context.results);
}

/** True where there is a result at a path, be it undefined. */
export function hasResult(context: SagaContext, path: readonly string[]): boolean {
  const place = resultAt(context, path.slice(0, -1));
  return typeof place === "object" && place !== null && Object.hasOwn(place, path.at(-1) ?? "");
}

/** The step has failed for good, or is left while it is under way. */
export function failed(context: SagaContext, name: string, state: "unknown" | "refused", error?: unknown): Changes {
  return put(context, name, { ...recordOf(context, name), state, ...(error === undefined ? undefined : { error }) });
}

/** Marks a part of the saga that cannot go on without an operator. */
export function stuck(context: SagaContext, name: string): Changes {
  return put(context, name, { ...recordOf(context, name), isStuck: true });
}

/** Notes an operator's decision about a part that was stuck. */
export function decided(context: SagaContext, name: string, event: SagaEvent, state?: StepProgress["state"]): Changes {
  const { isStuck: _, ...before } = recordOf(context, name);
  return put(context, name, { ...before, ...(state === undefined ? undefined : { state }), ...saidAbout(event) });
}

/** Something about the undoing of a step. */
export function undoing(context: SagaContext, name: string, undo: NonNullable<StepProgress["undo"]>): Changes {
  return put(context, name, { ...recordOf(context, name), undo });
}

/** The undoing of a step has failed for good. */
export function undoStuck(context: SagaContext, name: string, undoError: unknown): Changes {
  return put(context, name, { ...recordOf(context, name), undo: "stuck", undoError });
}

/** Turns the saga round. */
export function turn(context: SagaContext, cause: SagaCause): Changes {
  return { direction: "undoing", cause: context.cause ?? cause };
}

/** Makes one change after the other. */
export function both(context: SagaContext, first: Changes, second: (context: SagaContext) => Changes): Changes {
  return { ...first, ...second({ ...context, ...first }) };
}

/** The cause that a `workflow.cancel` is. */
export function cancelCause(event: SagaEvent): Extract<SagaCause, { kind: "cancel" }> {
  return { kind: "cancel", ...textOf(event, "reason"), ...textOf(event, "by") };
}

function put(context: SagaContext, name: string, progress: StepProgress): Changes {
  return { steps: { ...context.steps, [name]: progress } };
}

function recordOf(context: SagaContext, name: string): StepProgress {
  return context.steps[name] ?? { state: "unknown", n: Object.keys(context.steps).length + 1 };
}

function saidAbout(event: object | undefined): Pick<SagaDecision, "note" | "by"> {
  return { ...textOf(event, "note"), ...textOf(event, "by") };
}

// Fields that are not there are left out: the context is read by people.
function textOf<Name extends string>(from: object | undefined, name: Name): { readonly [Key in Name]?: string } {
  const value = (from as Record<string, unknown> | undefined)?.[name];
  return typeof value === "string" ? ({ [name]: value } as { [Key in Name]?: string }) : {};
}

function placed(
  results: Readonly<Record<string, unknown>>,
  [name, ...deeper]: readonly string[],
  result: unknown,
): Readonly<Record<string, unknown>> {
  if (name === undefined) return results;
  const below = (results[name] ?? {}) as Readonly<Record<string, unknown>>;
  return { ...results, [name]: deeper.length === 0 ? result : placed(below, deeper, result) };
}

/**
 * Which kind of logic a child runs, found by what it does: XState gives its kinds of logic no names.
 *
 * Source: `fromPromise`, `fromCallback`, `fromObservable`, `fromEventObservable` and `fromTransition` of XState 5.33.
 */
import { activityMetaOf } from "./activity-meta.ts";
import { askMetaOf } from "./ask-logic.ts";

/** Logic as XState defines it, seen from outside. */
export interface RawLogic {
  readonly config?: unknown;
  readonly getInitialSnapshot: (scope: never, input: unknown) => unknown;
  readonly transition: (snapshot: never, event: never, scope: never) => unknown;
  readonly start?: (snapshot: never, scope: never) => void;
}

/** What a value is that stands where a machine names an actor. */
export type LogicKind = "machine" | "transition" | "promise" | "ask" | "live" | "unknown";

/** Finds out what kind of actor logic a value is; `unknown` when it is none, or one whose state could not be kept. */
export function kindOf(value: unknown): LogicKind {
  if (typeof value !== "object" || value === null) return "unknown";
  if ((value as { __xstatenode?: unknown }).__xstatenode === true) return "machine";
  const logic = value as Partial<RawLogic>;
  if (typeof logic.transition !== "function" || typeof logic.getInitialSnapshot !== "function") return "unknown";
  if (askMetaOf(value) !== undefined) return "ask";
  if (activityMetaOf(value) !== undefined) return "promise";
  const hasConfig = typeof logic.config === "function";
  if (typeof logic.start !== "function") return hasConfig ? "transition" : "unknown";
  return hasConfig && resolves(logic as RawLogic) ? "promise" : "live";
}

/** Only promise logic comes to its end by XState's own event for a resolved promise. */
function resolves(logic: RawLogic): boolean {
  try {
    const before = { status: "active", output: undefined, error: undefined, input: undefined };
    const after = logic.transition(before as never, { type: "xstate.promise.resolve", data: 1 } as never, {} as never);
    return (after as { status?: unknown } | undefined)?.status === "done";
  } catch {
    return false;
  }
}

/** Stands in for the logic of every child while XState takes a step: a child is an actor of its own, and nothing of it runs within its parent's step. */
export const stubLogic = {
  transition: (snapshot: unknown): unknown => snapshot,
  getInitialSnapshot: (): unknown => ({ status: "active", output: undefined, error: undefined }),
  getPersistedSnapshot: (snapshot: unknown): unknown => snapshot,
};

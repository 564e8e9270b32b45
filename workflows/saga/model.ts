/**
 * What a saga is, as data: the builder makes it, and machine, plan and check are made of it.
 *
 * 1. Names of steps, branches, choices and awaited events are unique within a saga: each names its state, its result and its record.
 * 2. Functions in it are pure, but for handlers: those run in workers, as activities.
 */
import type { AnyActivityDefinition } from "../../actors/define-activity.ts";
import type { AnyActorDefinition } from "../../actors/define-actor.ts";
import type { Schema } from "../../actors/schema.ts";
import type { RetryPolicyInput } from "../../runtime/supervise/retry-policy.ts";
import type { AnyWorkflowDefinition } from "../workflow-definition.ts";

/** What the functions of a saga are given: its input, and the results of the steps before, by name. */
export interface AnyScope {
  readonly input: unknown;
  readonly results: Readonly<Record<string, unknown>>;
}

/** What an undo knows of the step that it undoes, besides the scope. */
export interface AnyUndoScope extends AnyScope {
  /** What the step came to; undefined when that is not known. */
  readonly result: unknown;
  /** `done`: it came to its end. `unknown`: it was begun, and whether it happened is not known. `refused`: it said that it did not happen. */
  readonly outcome: StepOutcome;
}

/** What is known of a step that was begun. */
export type StepOutcome = "done" | "unknown" | "refused";

/** When a step is undone that has not come to its end: `attempted` when it may have happened, `done` never, `always` also when it said that it did not happen. */
export type UndoOn = "done" | "attempted" | "always";

/** Something that a step does, or that undoes it. */
export type Doing =
  /** A function of the saga's own, run by a worker. */
  | { readonly kind: "handler"; readonly run: (run: never) => unknown }
  | {
      readonly kind: "activity";
      readonly activity: AnyActivityDefinition;
      readonly input: (scope: AnyScope) => unknown;
    }
  /** An event for another actor, whose reply is awaited. `refused` says of a reply that it means that nothing was done. */
  | {
      readonly kind: "ask";
      readonly actor: string | AnyActorDefinition;
      readonly message: (scope: AnyScope) => {
        readonly id: string;
        readonly event: { readonly type: string; readonly [field: string]: unknown };
      };
      readonly refused: ((reply: unknown) => boolean | string) | undefined;
    }
  /** A workflow, whose end is awaited. */
  | {
      readonly kind: "workflow";
      readonly workflow: AnyWorkflowDefinition;
      readonly input: (scope: AnyScope) => unknown;
    };

/** One step. */
export interface StepNode {
  readonly kind: "step";
  readonly name: string;
  readonly do: Doing;
  readonly undo: Doing | undefined;
  /** There is nothing to undo about it, or nothing that could be. */
  readonly isIrreversible: boolean;
  /** Once it is done there is no way back. */
  readonly isPivot: boolean;
  readonly undoOn: UndoOn;
  /** For handlers, and in the place of an activity's own. Undefined: the saga's. */
  readonly retry: RetryPolicyInput | undefined;
  readonly undoRetry: RetryPolicyInput | undefined;
  /** For one attempt of a handler, in milliseconds. */
  readonly attemptTimeoutMs: number | undefined;
  /** For all of it, in milliseconds: then its outcome is unknown. */
  readonly timeoutMs: number | undefined;
  readonly undoTimeoutMs: number | undefined;
  /** True for an error that says that nothing was done, and that trying again is of no use. */
  readonly isFatal: (error: unknown) => boolean;
}

/** Branches that run side by side. */
export interface AllNode {
  readonly kind: "all";
  /** The names of the branches, joined by `+`. */
  readonly name: string;
  readonly branches: readonly Branch[];
}

/** One of several branches runs. */
export interface ChooseNode {
  readonly kind: "choose";
  readonly name: string;
  /** Returns the name of a branch. */
  readonly pick: (scope: AnyScope) => string;
  readonly branches: readonly Branch[];
}

/** A branch: `isSingle` when it was given as one step, whose result is the branch's. */
export interface Branch {
  readonly name: string;
  readonly isSingle: boolean;
  readonly nodes: readonly SagaNode[];
}

/** Waits for an event. One that comes early is kept. */
export interface WaitNode {
  readonly kind: "wait";
  /** The type of the event; also the name of the node, and of the result: what the event carries. */
  readonly name: string;
  readonly schema: Schema | null | undefined;
  /** How long, in milliseconds; undefined: for ever. */
  readonly withinMs: number | undefined;
  /** What happens when the time is over: the saga fails here, or goes on with a result. */
  readonly otherwise:
    | { readonly kind: "fail" }
    | { readonly kind: "go-on"; readonly result: (scope: AnyScope) => unknown };
  /** What is done while it waits, after so many milliseconds. An escalation that fails is noted, and nothing else. */
  readonly escalations: ReadonlyArray<{ readonly afterMs: number; readonly do: Doing }>;
}

/** A part of a saga. */
export type SagaNode = StepNode | AllNode | ChooseNode | WaitNode;

/** A whole saga. */
export interface SagaModel {
  readonly name: string;
  readonly nodes: readonly SagaNode[];
  readonly end: ((scope: AnyScope) => unknown) | undefined;
  /** For all of it up to the pivot, in milliseconds; then it is undone. */
  readonly timeoutMs: number | undefined;
  /** How long steps that are under way may still come to their end before they are undone, in milliseconds. */
  readonly settleMs: number;
  readonly retry: RetryPolicyInput | undefined;
  readonly undoRetry: RetryPolicyInput | undefined;
}

/** How often undoing is tried when a saga does not say. */
export const defaultUndoRetry: RetryPolicyInput = { base: "1 second", cap: "1 minute", maxAttempts: 12 };

/** Every step of a saga, in the order in which they stand; those of branches too. */
export function stepsOf(nodes: readonly SagaNode[]): StepNode[] {
  return nodes.flatMap((node) => {
    if (node.kind === "step") return [node];
    return node.kind === "wait" ? [] : node.branches.flatMap((branch) => stepsOf(branch.nodes));
  });
}

/** Every wait of a saga, those of branches too. */
export function waitsIn(nodes: readonly SagaNode[]): WaitNode[] {
  return nodes.flatMap((node) => {
    if (node.kind === "wait") return [node];
    return node.kind === "step" ? [] : node.branches.flatMap((branch) => waitsIn(branch.nodes));
  });
}

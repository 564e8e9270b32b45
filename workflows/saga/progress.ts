/**
 * How far a saga has come: the context of its machine.
 *
 * 1. A step is recorded as `begun` in the commit that asks for it, so that it is undone whatever becomes of its worker.
 * 2. All of it is plain data, to be read with `client.get`.
 */
import type { RunFacts } from "../../runtime/machine/driver.ts";

/** Why a saga was turned round, or ends as it does. */
export type SagaCause =
  | { readonly kind: "failure"; readonly step: string; readonly error: unknown }
  | { readonly kind: "cancel"; readonly reason?: string; readonly by?: string }
  | { readonly kind: "timeout" };

/** What is known of a step that was begun. */
export interface StepProgress {
  /**
   * `begun`: it is under way. `unknown`: it is not, and whether it happened is not known. `refused`: it did not happen.
   * `skipped`: an operator let the saga go on without it.
   */
  readonly state: "begun" | "done" | "unknown" | "refused" | "skipped";
  /** The order in which steps were begun, from 1. */
  readonly n: number;
  /** What it failed with. */
  readonly error?: unknown;
  /** What became of undoing it; `stuck`: all attempts have failed, and an operator has to decide. `noted`: an operator said that it is undone. */
  readonly undo?: "begun" | "done" | "stuck" | "noted" | "skipped";
  readonly undoError?: unknown;
  /** A step past the pivot, or the pivot itself, that cannot go on without an operator. */
  readonly isStuck?: boolean;
  /** What an operator has said about it. */
  readonly note?: string;
  /** Who. */
  readonly by?: string;
}

/** The context of a saga's machine. */
export interface SagaContext {
  readonly input: unknown;
  readonly run: RunFacts;
  /** By name; those of branches below the name of the branch, unless it is a single step. */
  readonly results: Readonly<Record<string, unknown>>;
  readonly steps: Readonly<Record<string, StepProgress>>;
  /** Events that were waited for, or that came early, by type: what they carried. */
  readonly received: Readonly<Record<string, unknown>>;
  readonly direction: "forward" | "undoing";
  /** The pivot is done. */
  readonly isPastPivot: boolean;
  readonly cause?: SagaCause;
  /** A cancel that came while the pivot was under way: it counts only if the pivot turns out not to have happened. */
  readonly wish?: Extract<SagaCause, { readonly kind: "cancel" }>;
}

/** The decision that a letter about a stuck step brings when it is redriven. */
export const retryDecision = "saga.retry";

/** What an operator decides about a step that is stuck. `retry`: it is tried anew. `done`: it is taken for done, with a result. `skip`: the saga goes on without. */
export type SagaDecision =
  | { readonly type: "saga.retry"; readonly step: string; readonly note?: string; readonly by?: string }
  | {
      readonly type: "saga.done";
      readonly step: string;
      readonly result?: unknown;
      readonly note?: string;
      readonly by?: string;
    }
  | { readonly type: "saga.skip"; readonly step: string; readonly note?: string; readonly by?: string };

/**
 * What steps do, as logic that machines invoke: handlers become activities, and everything is asked with the scope of the saga.
 *
 * 1. A doing has one idempotency key for each run of the saga, whoever tries it again (rule S8).
 * 2. An error that `fatal` knows is told apart in the worker, where it still is as it was thrown.
 */
import { createHash } from "node:crypto";
import { withRetry } from "../../actors/declare-activity.ts";
import { type ActivityRun, asPromise, defineActivity } from "../../actors/define-activity.ts";
import { TerminalError } from "../../runtime/core/errors.ts";
import { maxNameBytes } from "../../runtime/core/names.ts";
import { askActor } from "../../runtime/machine/ask-logic.ts";
import { withIdempotencyKey } from "../../runtime/machine/keyed-input.ts";
import type { RetryPolicyInput } from "../../runtime/supervise/retry-policy.ts";
import { runWorkflow } from "../run-workflow.ts";
import type { AnyScope, Doing } from "./model.ts";
import { saysFatal } from "./outcome.ts";
import type { SagaContext } from "./progress.ts";

/** What is said about a doing besides what it does. */
export interface DoingRules {
  /** The name of the activity that a handler becomes. */
  readonly activity: string;
  /** Its key within a run: `do.<step>` or `undo.<step>`. */
  readonly tail: string;
  /** For a handler. */
  readonly retry: RetryPolicyInput | undefined;
  /** For an activity, in the place of its own; what the saga says for all does not count there. */
  readonly ownRetry: RetryPolicyInput | undefined;
  readonly attemptTimeoutMs: number | undefined;
  readonly isFatal: (error: unknown) => boolean;
}

/** Makes the logic of a doing. */
export function logicOfDoing(doing: Doing, rules: DoingRules): object {
  switch (doing.kind) {
    case "handler":
      return handlerLogic(doing.run, rules);
    case "activity":
      return rules.ownRetry === undefined ? doing.activity : withRetry(doing.activity, rules.ownRetry);
    case "ask":
      return askActor(
        typeof doing.actor === "string" ? doing.actor : doing.actor.type,
        doing.refused === undefined ? {} : { refused: doing.refused },
      );
    case "workflow":
      // One that nobody waits for any more is told to undo what it did.
      return runWorkflow(doing.workflow, { onParentClose: "cancel" });
  }
}

/** What the logic of a doing is given. */
export function inputOfDoing(doing: Doing, scope: AnyScope, { run }: SagaContext, tail: string): unknown {
  const key = `${run.n}.${tail}`;
  switch (doing.kind) {
    case "handler":
      return withIdempotencyKey(key, scope);
    case "activity":
      return withIdempotencyKey(key, doing.input(scope));
    case "ask":
      return doing.message(scope);
    case "workflow": {
      const input = doing.input(scope);
      return { key: doing.workflow.keyOf(input) ?? keyBelow(`${run.type}.${run.id}.${key}`), input };
    }
  }
}

type Handler = (run: object) => unknown;

function handlerLogic(run: (run: never) => unknown, rules: DoingRules): object {
  const { activity, tail, retry, attemptTimeoutMs, isFatal } = rules;
  return defineActivity<unknown, AnyScope>(activity, {
    ...(retry === undefined ? undefined : { retry }),
    ...(attemptTimeoutMs === undefined ? undefined : { attemptTimeout: attemptTimeoutMs }),
    run: ({ input: scope, ...attempt }) => handle(run as Handler, { ...scope, ...attempt, ...doKey(tail, attempt) }),
  });

  async function handle(handler: Handler, given: Omit<ActivityRun, "input">): Promise<unknown> {
    try {
      return await asPromise(handler(given), given.signal);
    } catch (error) {
      if (error instanceof TerminalError || !saysFatal(isFatal, error)) throw error;
      throw new TerminalError(error instanceof Error ? error.message : String(error), { cause: error });
    }
  }
}

/** The key of what an undo undoes: it differs from its own in the tail alone. */
function doKey(tail: string, { idempotencyKey }: { readonly idempotencyKey: string }): { readonly doKey?: string } {
  if (!tail.startsWith("undo.")) return {};
  const isOfSaga = idempotencyKey.endsWith(`.${tail}`);
  return { doKey: isOfSaga ? `${idempotencyKey.slice(0, -tail.length)}${tail.slice(2)}` : idempotencyKey };
}

function keyBelow(key: string): string {
  return Buffer.byteLength(key) <= maxNameBytes ? key : createHash("sha256").update(key).digest("base64url");
}

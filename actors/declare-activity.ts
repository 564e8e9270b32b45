/**
 * Activities in parts: declared where all can read it, implemented where the work is done, and retried as its caller wants.
 *
 * 1. A declaration says everything of an activity but its code. A service that only orchestrates imports it, and does without what the code needs.
 * 2. All forms of an activity are one activity: the same name, the same limits, the same tasks. Workers do not see which of them a machine names.
 * 3. A form is a logic of its own, so that the owner of an actor can tell by the logic which policy is meant.
 */
import { InvalidOptionsError, TerminalError } from "../runtime/core/errors.ts";
import { checkActivityName } from "../runtime/core/names.ts";
import { attachOwned, runnableOf } from "../runtime/engine/activities.ts";
import type { RunnableActivity } from "../runtime/engine/definition.ts";
import { refuseProblems, shown } from "../runtime/supervise/check-options.ts";
import { compileRetryPolicy, type RetryPolicyInput, readRetryPolicy } from "../runtime/supervise/retry-policy.ts";
import { readActivity } from "./activity-options.ts";
import {
  type ActivityDeclaration,
  type ActivityDefinition,
  type ActivityReturn,
  type ActivityRun,
  type AnyActivityDefinition,
  type AnyHandler,
  toDefinition,
  withCode,
} from "./define-activity.ts";
import type { InferInput, InferOutput, Schema } from "./schema.ts";

/** An activity without its code. `Given` is what its handler gets, and `Result` what that returns, where schemas make a difference. */
export type DeclaredActivity<Input = unknown, Output = unknown, Given = Input, Result = Output> = ActivityDefinition<
  Input,
  Output
> & {
  /** Carries the types of the handler; there is no such value. */
  readonly "~handler"?: { readonly given: Given; readonly result: Result };
};

/**
 * Declares an activity: all that `defineActivity` takes, but its code.
 *
 * Details: `name` and options are as there. The declaration goes wherever a machine names an actor. A node whose actors name it does not work on it, unless
 * it also has what {@link implementActivity} made of it; until some process does, tasks wait.
 *
 * Gotchas: under a plain live `createActor` it is rejected with a `TerminalError`, since there is no code to run.
 *
 * Errors: `InvalidNameError` for the name; `InvalidOptionsError` naming every option that is wrong.
 *
 * ```ts
 * // contracts.ts, which both services import
 * export const chargeCard = declareActivity("charge-card", {
 *   input: z.object({ card: z.string(), amount: z.number() }),
 *   output: z.object({ charge: z.string() }),
 *   retry: { maxAttempts: 8, cap: "1 minute" },
 * });
 * ```
 */
export function declareActivity<
  Input = unknown,
  Output = unknown,
  InputSchema extends Schema | undefined = undefined,
  OutputSchema extends Schema | undefined = undefined,
>(
  name: string,
  options: ActivityDeclaration<InputSchema, OutputSchema, Input> = {},
): DeclaredActivity<
  InputSchema extends Schema ? InferInput<InputSchema> : Input,
  OutputSchema extends Schema ? InferOutput<OutputSchema> : Output,
  InputSchema extends Schema ? InferOutput<InputSchema> : Input,
  OutputSchema extends Schema ? InferInput<OutputSchema> : Output
> {
  checkActivityName(name);
  const activity: RunnableActivity = {
    ...readActivity(`Cannot declare activity "${name}"`, name, options, false),
    origin: {},
    code: undefined,
    run() {
      throw new TerminalError(
        `Cannot run activity "${name}" here: it is declared, and its code is elsewhere. Run the actor on a node, and list what implementActivity makes of the declaration in startNode({ activities }) of a worker; or name that in the machine.`,
        { details: { activity: name } },
      );
    },
  };
  // The types are those that the options declare: that is what the cast repeats.
  return toDefinition(activity) as never;
}

/**
 * Gives a declared activity its code: returns the definition that workers list in `startNode({ activities })`.
 *
 * Details: a machine may name it, too. It is the same activity as the declaration, and its options are those of the declaration.
 *
 * Errors: `InvalidOptionsError` when `declared` is none, or `run` is no function.
 *
 * ```ts
 * const charge = implementActivity(chargeCard, async ({ input, idempotencyKey }) => ({ charge: await bank.charge(input, idempotencyKey) }));
 * await startNode({ url, space, actors: [], activities: [charge] });
 * ```
 */
export function implementActivity<Input, Output, Given, Result>(
  declared: DeclaredActivity<Input, Output, Given, Result>,
  run: (run: ActivityRun<NoInfer<Given>>) => ActivityReturn<NoInfer<Result>>,
): ActivityDefinition<Input, Output> {
  const activity = runnableOf(declared);
  if (activity === undefined) {
    throw new InvalidOptionsError(
      `Cannot implement an activity: ${shown(declared)} is not a declaration made by declareActivity.`,
    );
  }
  const attempted = `Cannot implement activity "${activity.name}"`;
  if (activity.code !== undefined) {
    throw new InvalidOptionsError(
      `${attempted}: it has its code already. Declare it with declareActivity, and implement the declaration.`,
      { details: { activity: activity.name } },
    );
  }
  if (typeof run !== "function")
    refuseProblems(attempted, [`run is ${shown(run)}: use the function that does the work`]);
  // What the schemas make of input and output is what the types of the declaration say.
  return toDefinition(withCode(activity, activity.origin, run as unknown as AnyHandler)) as never;
}

/**
 * Returns the same activity with another retry policy, for a machine that wants its own: `setup({ actors: { charge: withRetry(chargeCard, "never") } })`.
 *
 * Details: attempts of the one and the other wait in the same queue, under the same limits, and are run by the same workers. The policy is the owner's.
 *
 * Gotchas: a `retryIf` of this policy sees the error as it arrives, with name, message, code and data, but not its class; what the activity's own `retryIf`
 * has refused, in the worker, it is not asked about. How often an attempt may lose its worker is said by the activity's own policy.
 *
 * Errors: `InvalidOptionsError` when `activity` is none, or for a policy that is wrong.
 */
export function withRetry<Activity extends AnyActivityDefinition>(
  activity: Activity,
  retry: RetryPolicyInput,
): Activity {
  const runnable = runnableOf(activity);
  if (runnable === undefined) {
    throw new InvalidOptionsError(
      `Cannot set a retry policy: ${shown(activity)} is not an activity made by defineActivity, declareActivity or implementActivity.`,
    );
  }
  const problems: string[] = [];
  const policy = readRetryPolicy(retry, "retry", problems) ?? compileRetryPolicy();
  refuseProblems(`Cannot set the retry policy of activity "${runnable.name}"`, problems);
  // It is what was given in all but the policy, of which the types say nothing.
  return attachOwned(toDefinition(runnable), { name: runnable.name, retry: policy }) as Activity;
}

/**
 * Activities: work outside of machines, such as a call of another service, run by workers under a retry policy and limits of its own.
 *
 * 1. A definition is XState promise logic: it goes wherever a machine names an actor, and runs under a plain `createActor` too.
 * 2. A definition is complete when it exists: all problems of its options are thrown here, at once.
 * 3. What the schemas make of input and output is what handler and machine get; both are checked by the worker.
 */
import * as Effect from "effect/Effect";
import { formatAddress } from "../runtime/core/address.ts";
import { checkActivityName } from "../runtime/core/names.ts";
import { systemTime } from "../runtime/core/time.ts";
import { attachRunnable, runnableOf } from "../runtime/engine/activities.ts";
import type { RunnableActivity } from "../runtime/engine/definition.ts";
import { refusedValue, runAttempt } from "../runtime/engine/run-attempt.ts";
import { type ActivityLogic, type LiveRun, makeActivityLogic } from "../runtime/machine/activity-logic.ts";
import { unkeyed } from "../runtime/machine/keyed-input.ts";
import type { RetryPolicyInput } from "../runtime/supervise/retry-policy.ts";
import { type ReadActivity, readActivity } from "./activity-options.ts";
import type { DurationInput } from "./client/context.ts";
import type { InferInput, InferOutput, Schema } from "./schema.ts";

/** What a handler is given. */
export interface ActivityRun<Input = unknown> {
  /** As the schema gave it. */
  readonly input: Input;
  /**
   * Aborted when nobody waits for the attempt any more: the state was left, the time is over, or the process stops. Its `reason` is an error that says
   * which. Hand it on to whatever can be cancelled: `fetch(url, { signal })`.
   */
  readonly signal: AbortSignal;
  /** The same for all attempts of one invocation, and for no other: what a service needs to recognise a call that it has seen before. */
  readonly idempotencyKey: string;
  /** From 1. An attempt whose worker died counts too. */
  readonly attempt: number;
  /** The actor that asked for it, as `type/id`. */
  readonly actor: string;
  /** The activity's name with its actor: the `id` of the invoke. */
  readonly id: string;
}

/** What a handler may return: a value, a promise of it, or an Effect that needs no services. */
export type ActivityReturn<Value> = Value | PromiseLike<Value> | EffectOf<Value>;

/** What an Effect that needs no services looks like. */
export interface EffectOf<out Value> {
  readonly "~effect/Effect": {
    readonly _A: (_: never) => Value;
    readonly _E: unknown;
    readonly _R: (_: never) => never;
  };
}

/** Not more than `count` starts within `per`. */
export interface ActivityRate {
  readonly count: number;
  readonly per: DurationInput;
}

/** What is said of an activity besides its code; everything has a default. */
export interface ActivityDeclaration<InputSchema, OutputSchema, Input> {
  /** Checks what the machine hands in: any Standard Schema v1 or Effect Schema. Default: everything is taken. */
  readonly input?: InputSchema;
  /** Checks what the handler returns, which must be the schema's input; the machine gets its output. Default: everything is taken. */
  readonly output?: OutputSchema;
  /** When a failed attempt is followed by another one. Default: see `RetryPolicy`. A `TerminalError` is never tried again. */
  readonly retry?: RetryPolicyInput;
  /** An attempt that takes longer fails with `ActivityTimeoutError`, also when the handler never returns. Default: no limit. */
  readonly attemptTimeout?: DurationInput;
  /** All attempts together, and the waiting between them; then the activity fails with `ActivityTimeoutError`. Default: no limit. */
  readonly timeout?: DurationInput;
  /**
   * An attempt whose worker has shown no sign of life for so long is given to another worker. Workers show it by themselves; one that blocks its event
   * loop for longer is taken for dead. Default: 15 seconds; at least 1 second.
   */
  readonly heartbeat?: DurationInput;
  /** How many attempts may be under way at once, over all processes. Default: no limit. */
  readonly concurrency?: number;
  /** How many attempts may start within some time, over all processes. Default: no limit. */
  readonly rate?: ActivityRate;
  /** What the limits of `perKey` are counted by, such as the customer's id. */
  readonly key?: (input: InputSchema extends Schema ? InferOutput<InputSchema> : Input) => string;
  /** Limits for each key. */
  readonly perKey?: { readonly concurrency?: number; readonly rate?: ActivityRate };
}

/** Options of {@link defineActivity}; all but `run` have defaults. */
export interface ActivityOptions<InputSchema, OutputSchema, Input, Result>
  extends ActivityDeclaration<InputSchema, OutputSchema, Input> {
  /** Does the work. */
  readonly run: (
    run: ActivityRun<InputSchema extends Schema ? InferOutput<InputSchema> : Input>,
  ) => ActivityReturn<OutputSchema extends Schema ? InferInput<OutputSchema> : Result>;
}

/** What a machine hands to the activity, and what it gets from it. */
export type ActivityDefinition<Input = unknown, Output = unknown> = ActivityLogic<Output, Input> & {
  /** The activity's name. */
  readonly activity: string;
};

/** Any activity definition. */
// biome-ignore lint/suspicious/noExplicitAny: XState's logic takes its input contravariantly; only `any` stands for all of them.
export type AnyActivityDefinition = ActivityDefinition<any, any>;

/**
 * Defines an activity.
 *
 * Details: `name` begins with a letter and holds at most 64 letters, digits, `-` or `_`. Tasks wait under it: a definition that is renamed leaves those
 * behind that were asked for before. Use the definition wherever a machine names an actor; every node whose actors use it works on it, and so does every
 * process that lists it in `startNode({ activities })`.
 *
 * An attempt runs at least once, and its result is applied once. Hand `idempotencyKey` to whatever must not do the work twice.
 *
 * Gotchas: under a plain live `createActor` there is one attempt, in this process, with `attemptTimeout` but without limits.
 *
 * Errors: `InvalidNameError` for the name; `InvalidOptionsError` naming every option that is wrong.
 *
 * ```ts
 * const chargeCard = defineActivity("charge-card", {
 *   input: z.object({ card: z.string(), amount: z.number() }),
 *   retry: { maxAttempts: 8, cap: "1 minute" },
 *   attemptTimeout: "10 seconds",
 *   run: async ({ input, signal, idempotencyKey }) => {
 *     const headers = { "Idempotency-Key": idempotencyKey };
 *     const response = await fetch("https://payments.example/charges", { method: "POST", body: JSON.stringify(input), headers, signal });
 *     return (await response.json()) as { charge: string };
 *   },
 * });
 * ```
 */
export function defineActivity<
  Result = unknown,
  Input = unknown,
  InputSchema extends Schema | undefined = undefined,
  OutputSchema extends Schema | undefined = undefined,
>(
  name: string,
  options: ActivityOptions<InputSchema, OutputSchema, Input, Result>,
): ActivityDefinition<
  InputSchema extends Schema ? InferInput<InputSchema> : Input,
  OutputSchema extends Schema ? InferOutput<OutputSchema> : Result
> {
  checkActivityName(name);
  const { run } = options ?? {};
  const read = readActivity(`Cannot define activity "${name}"`, name, options, true);
  // The types of input and output are those that the options declare: that is what the cast repeats.
  return toDefinition(withCode(read, {}, run as AnyHandler)) as never;
}

/** True for what {@link defineActivity} returned, also in another copy of the package, and for all that is made of declarations. */
export function isActivityDefinition(value: unknown): value is AnyActivityDefinition {
  return runnableOf(value) !== undefined;
}

/** Any function that does the work of an activity. */
export type AnyHandler = (run: ActivityRun<never>) => unknown;

/** Adds the code to what is said of an activity. `origin` is the same for all that is one activity. */
export function withCode(read: ReadActivity, origin: object, code: AnyHandler): RunnableActivity {
  return {
    ...read,
    origin,
    code,
    // The schema has made of the input what the handler takes.
    run: ({ actor, ...attempt }) =>
      asPromise(code({ ...attempt, actor: formatAddress(actor) } as ActivityRun<never>), attempt.signal),
  };
}

/** Makes the logic that machines name. */
export function toDefinition(activity: RunnableActivity): AnyActivityDefinition {
  const { name, timeoutMs } = activity;
  const logic = makeActivityLogic<unknown, unknown>({ name, timeoutMs }, (given) => runLive(activity, given));
  Object.defineProperty(logic, "activity", { value: name, enumerable: false });
  return attachRunnable(logic, activity) as AnyActivityDefinition;
}

async function runLive(activity: RunnableActivity, { input, signal, parent, id }: LiveRun<unknown>): Promise<unknown> {
  const checked = activity.checkInput(unkeyed(input).input);
  if ("problems" in checked) throw refusedValue(activity.name, "its input", checked.problems);
  const idempotencyKey = `live.${crypto.randomUUID()}`;
  const args = { input: checked.input, signal, idempotencyKey, attempt: 1, actor: { type: "live", id: parent }, id };
  const end = await runAttempt(activity, args, systemTime);
  if (end.kind === "done") return end.output;
  throw end.kind === "aborted" ? signal.reason : end.error;
}

/** What a handler has returned, as a value or a promise: an Effect is run. */
export function asPromise(returned: unknown, signal: AbortSignal): unknown {
  return Effect.isEffect(returned)
    ? // What it needs besides is not there: that is what the type of a handler says.
      Effect.runPromise(returned as Effect.Effect<unknown, unknown>, { signal })
    : returned;
}

/**
 * Reads the options of activities: what is wrong with them is told at once, and all of it.
 *
 * Input and output are checked by the worker, and so is whether an error is worth another attempt: only there it is as it was thrown. The rest of the
 * retry policy is for the owner of the actor that asks.
 */

import { defaultHeartbeatMs } from "../runtime/engine/activities.ts";
import type { ActivityLimits, RunnableActivity } from "../runtime/engine/definition.ts";
import { durationMs, refuseProblems, shown, unknownOptions } from "../runtime/supervise/check-options.ts";
import { compileRetryPolicy, type RetryPolicyInput, readRetryPolicy } from "../runtime/supervise/retry-policy.ts";
import { isSchema, type Schema, validate } from "./schema.ts";

/** All but `run`. */
const optionNames = [
  "input",
  "output",
  "retry",
  "attemptTimeout",
  "timeout",
  "heartbeat",
  "concurrency",
  "rate",
  "key",
  "perKey",
];

/** What the options say of an activity, but its code. */
export type ReadActivity = Omit<RunnableActivity, "run" | "code" | "origin">;

/**
 * Reads the options of a definition, which has a `run`, or of a declaration, which has none.
 *
 * Errors: `InvalidOptionsError` that begins with `attempted` and names every option that is wrong.
 */
export function readActivity(attempted: string, name: string, given: unknown, hasRun: boolean): ReadActivity {
  if (typeof given !== "object" || given === null) {
    const advice = hasRun ? "use { run } and what else it needs" : "use an object, or leave them out";
    refuseProblems(attempted, [`the options are ${shown(given)}: ${advice}`]);
  }
  // Read as unknown throughout: JavaScript callers hand in what they like.
  const options = given as Readonly<Record<string, unknown>>;
  const { run, ...said } = options;
  const { key } = said;
  const problems = unknownOptions(said, optionNames, "");
  if (hasRun && typeof run !== "function") problems.push(`run is ${shown(run)}: use the function that does the work`);
  if (!hasRun && run !== undefined)
    problems.push("run has no place in a declaration: hand it to implementActivity, or use defineActivity");
  const input = readSchema(options.input, "input", problems);
  const output = readSchema(options.output, "output", problems);
  const retry = readRetry(options.retry as RetryPolicyInput | undefined, problems);
  const duration = (option: string, leastMs: number): number | undefined => {
    if (options[option] === undefined) return undefined;
    const ms = durationMs(options[option], option, problems);
    if (ms !== undefined && ms < leastMs) problems.push(`${option} is ${ms} ms: use at least ${leastMs} ms`);
    return ms;
  };
  const attemptTimeoutMs = duration("attemptTimeout", 1);
  const timeoutMs = duration("timeout", 1);
  const heartbeatMs = duration("heartbeat", 1000) ?? defaultHeartbeatMs;
  const limits = readLimits(options, "", problems);
  const perKey = readPerKey(options.perKey, problems);
  if (key !== undefined && typeof key !== "function")
    problems.push(`key is ${shown(key)}: use a function of the input`);
  if (key !== undefined && options.perKey === undefined)
    problems.push("key has no effect without perKey: leave it out");
  if (perKey !== undefined && key === undefined)
    problems.push("perKey has no effect without key: add key, a function of the input");
  refuseProblems(attempted, problems);
  return {
    name,
    ...retry,
    attemptTimeoutMs,
    timeoutMs,
    heartbeatMs,
    limits,
    perKey: perKey === undefined ? undefined : { ...perKey, keyOf: key as (input: unknown) => unknown },
    checkInput: (value) => {
      const checked = check(input, value, `the input of activity "${name}"`);
      return "value" in checked ? { input: checked.value } : checked;
    },
    checkOutput: (value) => {
      const checked = check(output, value, `the output of activity "${name}"`);
      return "value" in checked ? { output: checked.value } : checked;
    },
  };
}

function readSchema(value: unknown, option: string, problems: string[]): Schema | undefined {
  if (value === undefined || isSchema(value)) return value;
  problems.push(`${option} is ${shown(value)}: use a Standard Schema or an Effect Schema`);
  return undefined;
}

function check(
  schema: Schema | undefined,
  value: unknown,
  what: string,
): { readonly value: unknown } | { readonly reason: "schema"; readonly problems: readonly string[] } {
  if (schema === undefined) return { value };
  const checked = validate(schema, value, what);
  return "value" in checked ? checked : { reason: "schema", problems: checked.problems };
}

/** Compiles the policy twice: its `retryIf` is for the worker, which has the error as it was thrown. */
function readRetry(
  input: RetryPolicyInput | undefined,
  problems: string[],
): Pick<RunnableActivity, "retry" | "isWorthRetrying"> {
  let retry = readRetryPolicy(input, "retry", problems) ?? compileRetryPolicy();
  let retryIf: ((error: unknown) => boolean) | undefined;
  if (typeof input === "object" && input !== null && "retryIf" in input && typeof input.retryIf === "function") {
    const { retryIf: given, ...rest } = input;
    retryIf = given;
    retry = readRetryPolicy(rest, "retry", []) ?? retry;
  }
  return {
    retry,
    isWorthRetrying(error) {
      try {
        return retryIf === undefined || retryIf(error);
      } catch {
        // It has met an error that it was not written for: the attempts are limited, so such an error is tried again.
        return true;
      }
    },
  };
}

function readLimits(options: Readonly<Record<string, unknown>>, path: string, problems: string[]): ActivityLimits {
  const { concurrency, rate } = options;
  if (concurrency !== undefined && !isCount(concurrency))
    problems.push(`${path}concurrency is ${shown(concurrency)}: use a whole number from 1`);
  return { concurrency: concurrency as number | undefined, rate: readRate(rate, `${path}rate`, problems) };
}

function readRate(rate: unknown, path: string, problems: string[]): ActivityLimits["rate"] {
  if (rate === undefined) return undefined;
  if (typeof rate !== "object" || rate === null) {
    problems.push(`${path} is ${shown(rate)}: use { count, per }`);
    return undefined;
  }
  problems.push(...unknownOptions(rate, ["count", "per"], path));
  const { count, per } = rate as Readonly<Record<string, unknown>>;
  if (!isCount(count)) problems.push(`${path}.count is ${shown(count)}: use a whole number from 1`);
  const perMs = durationMs(per, `${path}.per`, problems);
  if (perMs === 0) problems.push(`${path}.per is 0 ms: use at least 1 ms`);
  return { count: count as number, perMs: perMs ?? 0 };
}

function readPerKey(perKey: unknown, problems: string[]): ActivityLimits | undefined {
  if (perKey === undefined) return undefined;
  if (typeof perKey !== "object" || perKey === null) {
    problems.push(`perKey is ${shown(perKey)}: use { concurrency, rate }`);
    return undefined;
  }
  problems.push(...unknownOptions(perKey, ["concurrency", "rate"], "perKey"));
  const limits = readLimits(perKey as Readonly<Record<string, unknown>>, "perKey.", problems);
  if (limits.concurrency === undefined && limits.rate === undefined)
    problems.push("perKey limits nothing: give it a concurrency or a rate");
  return limits;
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1;
}

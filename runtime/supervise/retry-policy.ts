/**
 * Retry policies: how often and when a failed delivery is tried again, and when it becomes a dead letter instead.
 *
 * 1. A policy is checked when it is compiled; afterwards every failure gets an answer, whatever was thrown.
 * 2. Every "no" carries an explanation in words, which goes into the dead letter.
 */
import type * as Duration from "effect/Duration";
import { isSchedule } from "effect/Schedule";
import { durationMs, listed, nearestName, refuseProblems, shown, unknownOptions } from "./check-options.ts";
import { asksForRetry, classifyFailure, requestedDelayMs } from "./classify-failure.ts";
import {
  computedDelays,
  type Delays,
  type Failure,
  type Jitter,
  jitters,
  type RetrySchedule,
  type RetryState,
  scheduledDelays,
} from "./retry-delays.ts";

/** When any retry policy ends, whatever its delays. */
export interface RetryLimits {
  /** How many attempts there are in all, the first included. `Infinity`: no limit. Default 5; with a schedule: as many as it allows. */
  readonly maxAttempts?: number;
  /** No attempt starts later than this after the first one. Default: no limit. */
  readonly maxElapsed?: Duration.Input;
  /** Says whether an error is worth another attempt. Asked for every error but those that say so themselves. Default: every error is. */
  readonly retryIf?: (error: unknown) => boolean;
}

/**
 * A retry policy as plain data, whose delays grow; `{}` is a good one.
 *
 * Details: With the defaults and `jitter: "none"` the delays are 200, 400, 800 and 1600 ms, and the fifth failure is the last. What each
 * jitter makes of them is at `computedDelays`.
 */
export interface RetryPolicy extends RetryLimits {
  /** Default. */
  readonly backoff?: "exponential";
  /** The first delay, before jitter. Default 200 ms. */
  readonly base?: Duration.Input;
  /** What each delay is multiplied by for the next, from 1. Default 2. Not with `jitter: "decorrelated"`, which has a rule of its own. */
  readonly factor?: number;
  /** The longest delay. Default 30 s, or `base` when that is longer. */
  readonly cap?: Duration.Input;
  /** Default `full`, which spreads the retries of many actors best. */
  readonly jitter?: Jitter;
}

/** A retry policy with the same delay before every attempt. */
export interface FixedRetryPolicy extends RetryLimits {
  readonly backoff: "fixed";
  /** The delay. Default 200 ms. */
  readonly base?: Duration.Input;
  /** Default `none`: exactly the delay. `full`: at most the delay. `equal`: between half of it and all of it. */
  readonly jitter?: Exclude<Jitter, "decorrelated">;
}

/** A retry policy that tries again at once; only a `RetryableError` with a delay of its own waits. */
export interface ImmediateRetryPolicy extends RetryLimits {
  readonly backoff: "immediate";
}

/** A retry policy whose delays come from an Effect Schedule, which also says when to stop. */
export interface ScheduledRetryPolicy extends RetryLimits {
  readonly schedule: RetrySchedule;
}

/** What is taken wherever a retry policy is asked for. `immediate`: up to 5 attempts without a pause. `never`: there is one attempt. */
export type RetryPolicyInput =
  | RetryPolicy
  | FixedRetryPolicy
  | ImmediateRetryPolicy
  | ScheduledRetryPolicy
  | RetrySchedule
  | "immediate"
  | "never";

/** What to do about a failed attempt. */
export type RetryDecision =
  /** Try again after `delayMs`; hand `state` in with the next failure of the same message. */
  | { readonly retry: true; readonly delayMs: number; readonly state: RetryState }
  /** Dead-letter: the policy is exhausted (`attempts`), or trying again cannot help (`terminal`). */
  | { readonly retry: false; readonly reason: "attempts" | "terminal"; readonly explanation: string };

/** A policy that was checked and is ready to decide. */
export interface CompiledRetryPolicy {
  /** How many attempts there are in all; `Infinity` when only a schedule ends them. */
  readonly maxAttempts: number;

  /**
   * Decides about a failed attempt; never throws.
   *
   * Details: `state` is what the decision before returned, undefined at the first failure. It may be lost in a restart: the series then goes on from
   * `failure.attempt`. It may be used twice, when a decision is made anew.
   *
   * A `TerminalError`, and errors that the same message must meet again (`classifyFailure`), end the retries at once. A `RetryableError` is never
   * asked about with `retryIf`, and its `retryAfterMs` replaces the delay, `cap` included; the attempt counts like any other.
   */
  next(state: RetryState | undefined, failure: Failure): RetryDecision;
}

const limitOptions = ["maxAttempts", "maxElapsed", "retryIf"];
const policyOptions = ["backoff", "base", "factor", "cap", "jitter", ...limitOptions];
const defaults = { baseMs: 200, factor: 2, capMs: 30_000, maxAttempts: 5 } as const;

type Backoff = "exponential" | "fixed" | "immediate";

/** What each kind of backoff reads of the options, and its jitter when none is given. */
const backoffs: Readonly<Record<Backoff, { readonly reads: readonly string[]; readonly jitter: Jitter }>> = {
  exponential: { reads: ["base", "factor", "cap", "jitter"], jitter: "full" },
  fixed: { reads: ["base", "jitter"], jitter: "none" },
  immediate: { reads: [], jitter: "none" },
};
const words: Readonly<Record<"immediate" | "never", RetryPolicyInput>> = {
  immediate: { backoff: "immediate" },
  never: { backoff: "immediate", maxAttempts: 1 },
};

/**
 * Checks a policy and makes it ready to decide.
 *
 * Errors: `InvalidOptionsError` naming every problem at once; `details.problems` has them as a list. `path` is the option that holds the policy.
 */
export function compileRetryPolicy(input: RetryPolicyInput = {}, path = "retry"): CompiledRetryPolicy {
  const problems: string[] = [];
  const policy = readRetryPolicy(input, path, problems);
  refuseProblems("Cannot use the retry policy", problems);
  return policy as CompiledRetryPolicy;
}

/** As {@link compileRetryPolicy}, with the problems added to a list; undefined when there is nothing to read. */
export function readRetryPolicy(
  input: RetryPolicyInput | undefined,
  path: string,
  problems: string[],
): CompiledRetryPolicy | undefined {
  if (isSchedule(input)) return compiled(scheduledDelays(input), { maxAttempts: Number.POSITIVE_INFINITY });
  const given: unknown = typeof input === "string" && Object.hasOwn(words, input) ? words[input] : (input ?? {});
  if (input === null || typeof given !== "object" || given === null || Array.isArray(given)) {
    const near = typeof input === "string" ? nearestName(input, Object.keys(words)) : undefined;
    problems.push(
      `${path} is ${shown(input)}: ${near === undefined ? 'use { base, factor, cap, jitter, maxAttempts }, "immediate", "never" or an Effect Schedule' : `did you mean "${near}"?`}`,
    );
    return undefined;
  }
  // Read as unknown throughout: JavaScript callers hand in what they like.
  const options = given as Readonly<Record<string, unknown>>;
  return "schedule" in options ? readScheduled(options, path, problems) : readPlain(options, path, problems);
}

function readScheduled(
  options: Readonly<Record<string, unknown>>,
  path: string,
  problems: string[],
): CompiledRetryPolicy {
  for (const key of policyOptions) {
    if (key in options && !limitOptions.includes(key))
      problems.push(`${path}.${key} has no effect beside ${path}.schedule: leave one out`);
  }
  problems.push(...unknownOptions(options, ["schedule", ...policyOptions], path));
  if (!isSchedule(options.schedule))
    problems.push(`${path}.schedule is ${shown(options.schedule)}: use an Effect Schedule`);
  const limits = readLimits(options, Number.POSITIVE_INFINITY, path, problems);
  return compiled(scheduledDelays(options.schedule as RetrySchedule), limits);
}

function readPlain(options: Readonly<Record<string, unknown>>, path: string, problems: string[]): CompiledRetryPolicy {
  problems.push(...unknownOptions(options, [...policyOptions, "schedule"], path));
  const backoff = readName(options.backoff ?? "exponential", Object.keys(backoffs), `${path}.backoff`, problems);
  // What a backoff reads that nobody knows cannot be said.
  const kind = backoffs[(backoff ?? "exponential") as Backoff];
  for (const key of backoffs.exponential.reads) {
    if (options[key] !== undefined && !kind.reads.includes(key))
      problems.push(`${path}.${key} has no effect with backoff "${backoff}": leave it out`);
  }
  const duration = (name: string): number | undefined =>
    options[name] === undefined ? undefined : durationMs(options[name], `${path}.${name}`, problems);
  const baseMs = duration("base") ?? defaults.baseMs;
  const capMs = duration("cap") ?? Math.max(defaults.capMs, baseMs);
  if (capMs < baseMs)
    problems.push(`${path}.cap of ${capMs} ms is below the base of ${baseMs} ms: raise the cap or lower ${path}.base`);

  const jitter = readName(options.jitter ?? kind.jitter, jitters, `${path}.jitter`, problems);
  const factor = options.factor ?? defaults.factor;
  if (typeof factor !== "number" || !(factor >= 1) || !Number.isFinite(factor)) {
    problems.push(`${path}.factor is ${shown(factor)}: use a number from 1`);
  } else if (jitter === "decorrelated" && options.factor !== undefined && backoff === "exponential") {
    problems.push(
      `${path}.factor has no effect with jitter "decorrelated", whose delays grow at most threefold: leave it out`,
    );
  }
  if (backoff === "fixed" && jitter === "decorrelated")
    problems.push(`${path}.jitter is "decorrelated", whose delays grow: use another one with backoff "fixed"`);
  const limits = readLimits(options, defaults.maxAttempts, path, problems);
  const numbers =
    backoff === "immediate"
      ? { baseMs: 0, factor: 1, capMs: 0 }
      : backoff === "fixed"
        ? { baseMs, factor: 1, capMs: baseMs }
        : { baseMs, factor: factor as number, capMs };
  return compiled(computedDelays({ ...numbers, jitter: (jitter ?? kind.jitter) as Jitter }), limits);
}

/** One of some names, or undefined after adding to `problems` that it is none of them. */
function readName(value: unknown, names: readonly string[], path: string, problems: string[]): string | undefined {
  if (names.includes(value as string)) return value as string;
  const near = typeof value === "string" ? nearestName(value, names) : undefined;
  problems.push(
    `${path} is ${shown(value)}: ${near === undefined ? `use ${listed(names)}` : `did you mean "${near}"?`}`,
  );
  return undefined;
}

function readLimits(
  options: Readonly<Record<string, unknown>>,
  maxAttempts: number,
  path: string,
  problems: string[],
): Limits {
  return {
    maxElapsedMs:
      options.maxElapsed === undefined ? undefined : durationMs(options.maxElapsed, `${path}.maxElapsed`, problems),
    maxAttempts: readMaxAttempts(options.maxAttempts ?? maxAttempts, path, problems),
    retryIf: readRetryIf(options.retryIf, path, problems),
  };
}

function readMaxAttempts(value: unknown, path: string, problems: string[]): number {
  if (typeof value === "number" && value >= 1 && (Number.isInteger(value) || value === Number.POSITIVE_INFINITY))
    return value;
  problems.push(
    `${path}.maxAttempts is ${shown(value)}: use a whole number from 1 (the first attempt counts), or Infinity`,
  );
  return 1;
}

function readRetryIf(value: unknown, path: string, problems: string[]): RetryLimits["retryIf"] | undefined {
  if (value === undefined || typeof value === "function") return value as RetryLimits["retryIf"];
  problems.push(`${path}.retryIf is ${shown(value)}: use a function of the error that returns true or false`);
  return undefined;
}

interface Limits {
  readonly maxAttempts: number;
  readonly maxElapsedMs?: number | undefined;
  readonly retryIf?: RetryLimits["retryIf"] | undefined;
}

function compiled(
  delays: Delays,
  { maxAttempts, maxElapsedMs = Number.POSITIVE_INFINITY, retryIf }: Limits,
): CompiledRetryPolicy {
  return {
    maxAttempts,
    next(state, failure) {
      const { error, attempt, elapsedMs } = failure;
      if (classifyFailure(error) === "terminal")
        return refused("terminal", `Trying again cannot help: ${described(error)}`);
      if (retryIf !== undefined && !asksForRetry(error) && !isWorthRetrying(retryIf, error)) {
        return refused("terminal", `The policy's retryIf says not to try again: ${described(error)}`);
      }
      if (attempt >= maxAttempts) {
        const spent =
          maxAttempts === 1
            ? "The only attempt that the policy allows"
            : `All ${maxAttempts} attempts that the policy allows`;
        return refused("attempts", `${spent} failed; the last: ${described(error)}`);
      }
      const next = delays(state, failure);
      if (next.ended) return refused(next.reason, `${next.explanation} The last error: ${described(error)}`);
      const delayMs = requestedDelayMs(error) ?? next.delayMs;
      if (elapsedMs + delayMs > maxElapsedMs) {
        const when = `Attempt ${attempt} failed ${Math.round(elapsedMs)} ms after the first began, and another ${delayMs} ms later`;
        return refused(
          "attempts",
          `${when} would pass the policy's maxElapsed of ${maxElapsedMs} ms; the last error: ${described(error)}`,
        );
      }
      return { retry: true, delayMs, state: next.state };
    },
  };
}

/** A predicate that throws has met an error it was not written for: the attempts are limited, so such an error is tried again. */
function isWorthRetrying(retryIf: (error: unknown) => boolean, error: unknown): boolean {
  try {
    return retryIf(error);
  } catch {
    return true;
  }
}

function refused(reason: "attempts" | "terminal", explanation: string): RetryDecision {
  return { retry: false, reason, explanation };
}

function described(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : shown(error);
  return text.length > 300 ? `${text.slice(0, 299)}…` : text;
}

/**
 * What a run of a scenario has shown, beside what the scenario expects: one judge for all runners.
 *
 * Values are compared strictly: `undefined` is not a missing key, `-0` is not `0`, `NaN` is `NaN`. Errors are compared by what they carry across a wire
 * (name, message, code, cause, data), not by class or stack.
 */
import { inspect, isDeepStrictEqual } from "node:util";
import type { Expectation, Scenario, ScenarioEvent } from "./scenario.ts";

/** All that an expectation may name, as it was when the expectation's turn came. */
export interface Observation {
  readonly value: unknown;
  readonly status: string;
  readonly context: unknown;
  readonly output: unknown;
  readonly error: unknown;
  readonly tags: readonly string[];
  readonly emitted: readonly ScenarioEvent[];
  readonly trace: readonly unknown[];
  readonly logged: readonly unknown[];
}

/** Returns in words where a run is not as its scenario expects; empty when it is. `observations`: one for each `expect`, in order. */
export function judge(scenario: Scenario, observations: readonly Observation[]): string[] {
  const expected = scenario.steps.flatMap((step, i) => ("expect" in step ? [{ i, expectation: step.expect }] : []));
  if (expected.length !== observations.length) {
    return [`${expected.length} steps expect something, but ${observations.length} observations were made`];
  }
  return expected.flatMap(({ i, expectation }, which) =>
    compare(expectation, observations[which] as Observation).map((difference) => `steps[${i}] ${difference}`),
  );
}

/** Returns in words where an observation is not as expected; empty when it is. */
export function compare(expectation: Expectation, seen: Observation): string[] {
  const differences: string[] = [];
  const check = (what: string, expected: unknown, actual: unknown): void => {
    const [one, other] = [shown(expected), shown(actual)];
    if (!isDeepStrictEqual(one, other)) differences.push(`${what}: expected ${inText(one)}, saw ${inText(other)}`);
  };
  for (const field of ["value", "status", "context", "output", "tags", "emitted", "trace", "logged"] as const) {
    if (field in expectation) check(field, expectation[field], seen[field]);
  }
  for (const [key, expected] of Object.entries(expectation.contextHas ?? {})) {
    check(`context.${key}`, expected, (seen.context as Record<string, unknown> | null)?.[key]);
  }
  for (const [key, expected] of Object.entries(expectation.error ?? {})) {
    check(`error.${key}`, expected, (seen.error as Record<string, unknown> | null | undefined)?.[key]);
  }
  return differences;
}

function inText(value: unknown): string {
  return inspect(value, { depth: 12, breakLength: Number.POSITIVE_INFINITY });
}

/** Brings a value into a form in which equal contents are equal: errors, dates and URLs as fields, actor references by their id. */
function shown(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Error) {
    const { name, message, code, cause, data } = value as Error & { readonly code?: unknown; readonly data?: unknown };
    return { $error: { name, message, code, cause: shown(cause), data: shown(data) } };
  }
  // Not even to itself an invalid date is equal, once it is another object.
  if (value instanceof Date) return { $date: value.getTime() };
  if (value instanceof URL) return { $url: value.href };
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [shown(key), shown(item)]));
  if (value instanceof Set) return new Set([...value].map(shown));
  if (Array.isArray(value)) return value.map(shown);
  if (isReference(value)) return { ref: value.id };
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const fields: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(value)) {
    // Assigning would set the prototype where the key is `__proto__`.
    Object.defineProperty(fields, key, { value: shown(field), enumerable: true });
  }
  return fields;
}

/** True for whatever can be sent to as an actor of XState: it has an id and a `send` of its own. */
function isReference(value: object): value is { readonly id: string } {
  const { id, send } = value as { readonly id?: unknown; readonly send?: unknown };
  return typeof id === "string" && typeof send === "function";
}

/**
 * How options are checked at a door.
 *
 * 1. Every problem is collected as a sentence that names the option's path; the caller throws them together.
 * 2. Names that no one reads are refused, with the nearest name that is known: a mistyped option never becomes a default in silence.
 */
import * as Duration from "effect/Duration";
import { InvalidOptionsError } from "../core/errors.ts";

/** Names, for every key of `options` that is not in `known`, the key and the nearest known name. */
export function unknownOptions(options: object, known: readonly string[], path: string): string[] {
  return Object.keys(options)
    .filter((key) => !known.includes(key))
    .map((key) => {
      const near = nearestName(key, known);
      return `${joinPath(path, key)} is not an option${near === undefined ? `: use ${listed(known)}` : `: did you mean "${near}"?`}`;
    });
}

/** Returns the known name that differs least from `name`, or undefined when none is near. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  // Names come from outside, too, and the comparison takes the product of the lengths.
  if (name.length > 100) return undefined;
  const letters = normalized(name);
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const distance = editDistance(letters, normalized(candidate));
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return bestDistance <= Math.max(2, Math.floor(letters.length / 3)) ? best : undefined;
}

/**
 * Returns a duration in whole milliseconds, or undefined after adding to `problems` why it is none.
 *
 * Details: Takes Effect's `Duration.Input`; a number is milliseconds. Must be finite and not negative.
 */
export function durationMs(value: unknown, path: string, problems: string[]): number | undefined {
  const ms = isReadable(value) ? parsedMs(value) : undefined;
  if (ms !== undefined && Number.isFinite(ms) && ms >= 0) return Math.round(ms);
  problems.push(`${path} is ${shown(value)}: use milliseconds from 0, or a duration such as "5 seconds"`);
  return undefined;
}

/** Throws {@link InvalidOptionsError} when there are problems; `attempted` begins the message, as in `Cannot use the retry policy`. */
export function refuseProblems(attempted: string, problems: readonly string[]): void {
  if (problems.length > 0)
    throw new InvalidOptionsError(`${attempted}: ${problems.join("; ")}.`, { details: { problems } });
}

/** Writes a value of any kind for an error message, cut at 60 characters. */
export function shown(value: unknown): string {
  let text: string;
  try {
    text =
      (typeof value === "function" ? undefined : JSON.stringify(value)) ??
      (typeof value === "function" ? "a function" : String(value));
  } catch {
    text = Object.prototype.toString.call(value);
  }
  if (typeof value === "number" || typeof value === "bigint") text = String(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** Writes a list of names as `"a", "b" or "c"`. */
export function listed(names: readonly string[]): string {
  const quoted = names.map((name) => JSON.stringify(name));
  return quoted.length < 2 ? quoted.join("") : `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
}

const durationUnits = ["weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"];

// Effect reads NaN and objects without a known unit as zero: a wrong value would become a busy loop.
function isReadable(value: unknown): boolean {
  if (typeof value === "number") return !Number.isNaN(value);
  if (typeof value !== "object" || value === null || Array.isArray(value) || Duration.isDuration(value)) return true;
  const keys = Object.keys(value);
  return keys.length > 0 && keys.every((key) => durationUnits.includes(key));
}

function parsedMs(value: unknown): number | undefined {
  try {
    return Duration.toMillis(Duration.fromInputUnsafe(value as Duration.Input));
  } catch {
    return undefined;
  }
}

/** Writes the path of an option below another one: `a.b`, or `a["b.c"]` for what is no name. */
export function joinPath(path: string, key: string): string {
  if (!/^[A-Za-z_$][\w$]*$/.test(key)) return path === "" ? JSON.stringify(key) : `${path}[${JSON.stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}

function normalized(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** Values as the command line shows them: plain JSON that other programs can read, however rich the stored value is. */
import { printable } from "./terminal.ts";

const maxDepth = 100;

/**
 * Turns any value into one that JSON can hold.
 *
 * Details: dates and URLs become text, maps with text keys become objects and other maps lists of pairs, sets become lists, big integers and numbers
 * that JSON does not have become text, bytes become base64, errors become their name, message and cause. What is undefined is left out of objects.
 */
export function toPlain(value: unknown, depth = 0): unknown {
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "function" || typeof value === "symbol") return String(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth > maxDepth) return "…";
  const inner = (each: unknown) => toPlain(each, depth + 1);
  if (Array.isArray(value)) return value.map((each) => inner(each) ?? null);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (value instanceof Map) {
    const isNamed = [...value.keys()].every((key) => typeof key === "string");
    return isNamed ? fromEntries([...value], inner) : [...value].map((pair) => pair.map((each) => inner(each) ?? null));
  }
  if (value instanceof Set) return [...value].map((each) => inner(each) ?? null);
  if (ArrayBuffer.isView(value))
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString("base64");
  if (value instanceof Error) {
    return {
      name: value.name,
      message: value.message,
      ...(value.cause === undefined ? {} : { cause: inner(value.cause) }),
    };
  }
  if (value instanceof RegExp || value instanceof URL) return String(value);
  return fromEntries(Object.entries(value), inner);
}

function fromEntries(entries: ReadonlyArray<readonly [string, unknown]>, inner: (value: unknown) => unknown): unknown {
  const plain: Record<string, unknown> = {};
  for (const [key, value] of entries) {
    const shown = inner(value);
    // Defined, not assigned: a key may be "__proto__".
    if (shown !== undefined) {
      Object.defineProperty(plain, key, { value: shown, enumerable: true, writable: true, configurable: true });
    }
  }
  return plain;
}

/** Writes any value as JSON on one line; `-` when it is undefined. */
export function shownJson(value: unknown): string {
  const plain = toPlain(value);
  return plain === undefined ? "-" : printable(JSON.stringify(plain));
}

/** Writes any value as JSON over several lines. */
export function shownJsonLines(value: unknown): string[] {
  const plain = toPlain(value);
  return plain === undefined ? ["-"] : JSON.stringify(plain, undefined, 2).split("\n").map(printable);
}

/** Writes a state value: `paid.shipping` for nested states, `a.on, b.off` for parallel ones, `-` for none. */
export function shownState(value: unknown): string {
  const paths = pathsOf(value);
  return paths.length === 0 ? "-" : printable(paths.join(", "));
}

function pathsOf(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (typeof value !== "object") return [String(value)];
  return Object.entries(value).flatMap(([key, inner]) => {
    const paths = pathsOf(inner);
    return paths.length === 0 ? [key] : paths.map((path) => `${key}.${path}`);
  });
}

/** Writes a time as ISO 8601 in UTC. */
export function shownTime(at: number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? String(at) : date.toISOString();
}

/** Where two stored values differ, place by place. */
import { fromStored } from "../core/codec.ts";

/** A place in which two stored values differ. */
export interface Difference {
  /** `value`, `status`, `context.items[3].price`, `output`, `children`, `timers`, `outcome`, `reply`, … */
  readonly path: string;
  /** Decoded; undefined where there was nothing. */
  readonly before: unknown;
  readonly now: unknown;
}

/** How many places are told. */
const maxDifferences = 20;

/** The places in which two stored values differ, decoded. Where an error was thrown (its stack) is no difference. */
export function differing(path: string, before: unknown, now: unknown): Difference[] {
  const found: Difference[] = [];
  collect(path, before, now, found);
  return found;
}

function collect(path: string, before: unknown, now: unknown, found: Difference[]): void {
  if (found.length >= maxDifferences) return;
  if (isPlain(before) && isPlain(now)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
      const step = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
      collect(path === "" ? key : `${path}${step}`, own(before, key), own(now, key), found);
    }
  } else if (Array.isArray(before) && Array.isArray(now)) {
    for (let i = 0; i < Math.max(before.length, now.length); i++) collect(`${path}[${i}]`, before[i], now[i], found);
  } else if (textOf(before) !== textOf(now)) {
    found.push({ path, before: decoded(before), now: decoded(now) });
  }
}

/** True for an object that is no array, and that is not a value of another kind in its encoded form. */
function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !Object.hasOwn(value, "~");
}

function own(value: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

function textOf(value: unknown): string | undefined {
  return JSON.stringify(value, (_, inner: unknown) => {
    const error = inner as { "~"?: unknown; v?: object } | null | undefined;
    return error?.["~"] === "error" ? { ...error, v: { ...error.v, stack: undefined } } : inner;
  });
}

function decoded(value: unknown): unknown {
  try {
    return fromStored(value);
  } catch {
    return value;
  }
}

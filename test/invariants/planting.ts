/**
 * How bugs are planted without touching the product's files: in the log that nodes are given (what they write is changed on the way), in the prototype of a part of
 * the engine, or in what a module exports.
 */
import { encodeRecord } from "../../runtime/core/records.ts";
import type { AppendRecord, AppendResult, Log } from "../../runtime/log/log.ts";
import { findViolation } from "./check-plans.ts";
import { kindOf, type Violation } from "./oracle.ts";
import type { Sabotage } from "./sim-nodes.ts";
import { wrapLog } from "./wrap-log.ts";

/** Within so many worlds a planted bug must be found. */
const mostWorlds = 10_000;
/** Where drawing begins. */
export const seed = 4711;

const undo: (() => void)[] = [];

/** Takes out all that was planted. */
export function uproot(): void {
  for (const restore of undo.splice(0)) restore();
}

/** Says how something that was planted is taken out. */
export function onUproot(restore: () => void): void {
  undo.push(restore);
}

/** Replaces a method of the engine until the bug is taken out. */
export function patch<T extends object, K extends keyof T>(target: T, name: K, make: (original: T[K]) => T[K]): void {
  const descriptor = Object.getOwnPropertyDescriptor(target, name) as PropertyDescriptor;
  Object.defineProperty(target, name, { ...descriptor, value: make(target[name]) });
  undo.push(() => Object.defineProperty(target, name, descriptor));
}

type Append = (stream: "core" | "ingress", records: readonly AppendRecord[]) => Promise<AppendResult>;

/** Replaces what a module exports, for all that import it, until the bug is taken out: a replay decides by it too. */
export function patchExport<T extends object, K extends keyof T>(
  module: T,
  name: K,
  make: (original: T[K]) => T[K],
): void {
  const descriptor = Object.getOwnPropertyDescriptor(module, name) as PropertyDescriptor;
  const made = make(module[name]);
  Object.defineProperty(module, name, { ...descriptor, get: () => made });
  undo.push(() => Object.defineProperty(module, name, descriptor));
}

/** A log whose appends to CORE are done otherwise. */
export function withAppend(
  make: (append: Append, log: Log) => (records: readonly AppendRecord[]) => Promise<AppendResult>,
): Sabotage {
  return {
    wrap: (log) => {
      const append: Append = (stream, records) => log.append(stream, records);
      const changed = make(append, log);
      return wrapLog(log, {
        append: (stream, records) => (stream === "core" ? changed(records) : log.append(stream, records)),
      });
    },
  };
}

/** A log that changes every record of a kind on its way; undefined drops it. */
export function withRecords(kind: string, change: (record: AppendRecord) => AppendRecord | undefined): Sabotage {
  return withAppend((append) => (records) => {
    const changed = records.flatMap((record) => {
      const made = kindOf(record as never) === kind ? change(record) : record;
      return made === undefined ? [] : [made];
    });
    // An append of nothing is refused by the log; nothing is what was asked for.
    return changed.length === 0 ? Promise.resolve({ _tag: "Appended", firstSeq: 1 } as const) : append("core", changed);
  });
}

/** A log that stores records of the kinds after the others, in an append of their own. */
export function apart(kinds: ReadonlySet<string>): Sabotage {
  return withAppend((append) => async (records) => {
    const late = records.filter((record) => kinds.has(kindOf(record as never)));
    const soon = records.filter((record) => !kinds.has(kindOf(record as never)));
    const result = soon.length === 0 ? undefined : await append("core", soon);
    if (late.length === 0 || (result !== undefined && result._tag !== "Appended")) return result as AppendResult;
    const second = await append("core", late);
    return result ?? second;
  });
}

/** The record as it is written over whatever is there. */
export function withoutFence({ subject, data }: AppendRecord): AppendRecord {
  return { subject, data };
}

/** The record with another content. */
export function edited<R extends { readonly format: number }>(
  record: AppendRecord,
  edit: (value: R) => R,
): AppendRecord {
  const value = edit(JSON.parse(Buffer.from(record.data).toString()) as R);
  return { ...record, data: encodeRecord(value) };
}

/** The last sequences of what an append expects: to write over whatever is there. */
export async function refenced(log: Log, records: readonly AppendRecord[]): Promise<AppendRecord[]> {
  const fenced = records.filter((record) => record.expectLastSeq !== undefined);
  const found = await log.lastMany(
    "core",
    fenced.map((record) => record.subject),
  );
  return records.map((record) => {
    const at = fenced.indexOf(record);
    return at < 0 ? record : { ...record, expectLastSeq: found[at]?.seq ?? 0 };
  });
}

/** A bug, and what should be found. */
export interface PlantedBug {
  readonly name: string;
  /** Where it may show itself. */
  readonly breaks: readonly Violation["invariant"][];
  /** Plants it. */
  readonly plant: () => Sabotage;
}

/** Plants a bug and looks for it; says what was found of what should be, and what else was. */
export async function hunt({ breaks, plant }: PlantedBug): Promise<{
  readonly worlds: number;
  readonly expected: readonly Violation[];
  readonly found: readonly Violation[];
}> {
  const result = await findViolation(plant(), mostWorlds, seed);
  const found = result?.violations ?? [];
  const expected = found.filter(({ invariant }) => breaks.includes(invariant));
  return { worlds: result?.runs ?? mostWorlds, expected, found: found.slice(0, 3) };
}

/** Groups of dead letters: those that died of the same. */
import type { DeadReason } from "../../runtime/core/records.ts";
import { addressIn, eventIn, fingerprintIn, type StoredLetter } from "./letters.ts";

/** Letters that died of the same. */
export interface DeadLetterGroup {
  /** Names the group: the filter `fingerprint:…` means its letters. */
  readonly fingerprint: string;
  readonly count: number;
  readonly reason: DeadReason;
  /** When the first of them died for the first time, milliseconds since 1970. */
  readonly firstAt: number;
  /** When the last of them died, milliseconds since 1970. */
  readonly lastAt: number;
  /** Why the one that died last did, in words. */
  readonly explanation: string;
  /** The one that died last. */
  readonly letter: string;
  /** Actor types, with how many letters each has. */
  readonly types: Readonly<Record<string, number>>;
  /** Event types or kinds of messages, with how many letters each has; those that could not be read are not in it. */
  readonly events: Readonly<Record<string, number>>;
  /** State values as JSON, with how many letters each has; actors that did not exist are not in it. */
  readonly states: Readonly<Record<string, number>>;
  /** How many actors take no message until letters of the group are redriven or dropped. */
  readonly parks: number;
}

interface Growing {
  count: number;
  firstAt: number;
  last: StoredLetter;
  parks: number;
  readonly types: Map<string, number>;
  readonly events: Map<string, number>;
  readonly states: Map<string, number>;
}

/** Groups letters; the largest group first, and of groups of the same size that with the newest letter. */
export async function groupLetters(letters: AsyncIterable<StoredLetter>): Promise<DeadLetterGroup[]> {
  const groups = new Map<string, Growing>();
  for await (const letter of letters) {
    const { record } = letter;
    const fingerprint = fingerprintIn(record);
    let group = groups.get(fingerprint);
    if (group === undefined) {
      group = {
        count: 0,
        firstAt: Number.POSITIVE_INFINITY,
        last: letter,
        parks: 0,
        types: new Map(),
        events: new Map(),
        states: new Map(),
      };
      groups.set(fingerprint, group);
    }
    group.count++;
    group.firstAt = Math.min(group.firstAt, record.firstAt ?? record.at);
    if (record.at >= group.last.record.at) group.last = letter;
    if (record.parks === true && record.status === "dead") group.parks++;
    count(group.types, addressIn(record).type);
    count(group.events, eventIn(record));
    count(group.states, record.state?.value === undefined ? undefined : JSON.stringify(record.state.value));
  }
  return [...groups]
    .map(([fingerprint, group]) => ({
      fingerprint,
      count: group.count,
      reason: group.last.record.reason,
      firstAt: group.firstAt,
      lastAt: group.last.record.at,
      explanation: group.last.record.explanation,
      letter: group.last.record.letter,
      types: counted(group.types),
      events: counted(group.events),
      states: counted(group.states),
      parks: group.parks,
    }))
    .sort((a, b) => b.count - a.count || b.lastAt - a.lastAt);
}

function count(into: Map<string, number>, name: string | undefined): void {
  if (name !== undefined) into.set(name, (into.get(name) ?? 0) + 1);
}

function counted(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([, a], [, b]) => b - a));
}

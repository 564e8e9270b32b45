/**
 * What is known of the messages that may have ended a partition's owners: counted when an owner has crashed, kept while they are not handled.
 *
 * 1. An owner's end counts against the messages that it had named in its record, and only if it was the record's owner that ended.
 * 2. An owner that shows up again has not ended: what was counted because of it is taken back.
 * 3. A message is condemned when enough owners have ended while it was handled, the last of them while it was tried alone.
 */
import { type Cursor, type OwnerEnd, recordFormat, type TrialRecord } from "../core/records.ts";

/** What a new owner makes of the record that it finds. */
export interface Findings {
  /** By message: the owners that ended while it was being handled. */
  readonly counted: Map<string, readonly OwnerEnd[]>;
  readonly condemned: Set<string>;
  /** True when the record that was found says less. */
  readonly isNews: boolean;
}

/** Reads a record for an owner that took the partition over from `from`; empty: it was given back. */
export function findingsOf(
  record: TrialRecord | undefined,
  from: string,
  now: number,
  maxCrashes: number,
  isWell: (owner: string) => boolean,
): Findings {
  const counted = new Map<string, readonly OwnerEnd[]>();
  const condemned = new Set<string>();
  if (record === undefined) return { counted, condemned, isNews: false };
  const isCrash = from !== "" && record.owner === from && !isWell(from);
  const count = (name: string, places: readonly number[], more: readonly OwnerEnd[]): void => {
    const ends = places.flatMap((place) => record.ends[place] ?? []).filter(({ owner }) => !isWell(owner));
    if (ends.length + more.length > 0) counted.set(name, [...ends, ...more]);
  };
  for (const [name, places] of Object.entries(record.others ?? {})) count(name, places, []);
  const more = isCrash ? [{ owner: from, at: now }] : [];
  for (const [name, places] of Object.entries(record.suspects)) count(name, places, more);
  const enough = (name: string): boolean => (counted.get(name)?.length ?? 0) >= maxCrashes;
  for (const name of record.condemned ?? []) if (enough(name)) condemned.add(name);
  if (isCrash && record.alone !== undefined && enough(record.alone)) condemned.add(record.alone);
  return { counted, condemned, isNews: isCrash && counted.size > 0 };
}

/** Puts together what a record says: `handling` are the messages that are being handled. */
export function trialRecord(
  owner: string,
  until: Cursor,
  { counted, condemned }: Pick<Findings, "counted" | "condemned">,
  handling: Iterable<string>,
  alone: string | undefined,
): TrialRecord {
  const ends: OwnerEnd[] = [];
  const places = new Map<string, number>();
  const placesOf = (name: string): number[] =>
    (counted.get(name) ?? []).map((end) => {
      let place = places.get(end.owner);
      if (place === undefined) {
        place = ends.push(end) - 1;
        places.set(end.owner, place);
      }
      return place;
    });
  const suspects: Record<string, number[]> = {};
  for (const name of handling) suspects[name] = placesOf(name);
  const others: Record<string, number[]> = {};
  for (const name of counted.keys()) if (suspects[name] === undefined) others[name] = placesOf(name);
  return {
    format: recordFormat,
    owner,
    until,
    ends,
    suspects,
    ...(Object.keys(others).length === 0 ? {} : { others }),
    ...(alone === undefined ? {} : { alone }),
    ...(condemned.size === 0 ? {} : { condemned: [...condemned] }),
  };
}

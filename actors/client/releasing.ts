/**
 * Letting a parked actor go on while its letter stays dead.
 *
 * 1. A letter says that it parks its actor exactly for as long as nothing is on its way that lets the actor go on: both are written in one append.
 * 2. What is released is named by its letter: a release that comes late does not lift what parks the actor by then.
 */
import { type Address, formatAddress, partitionOf } from "../../runtime/core/address.ts";
import { LogUnavailableError, StorageFullError } from "../../runtime/core/errors.ts";
import { sleep } from "../../runtime/core/time.ts";
import { readState } from "../view.ts";
import { backoffMs, type ClientContext, stoppedError } from "./context.ts";
import { storeChanges } from "./letter-changes.ts";
import { letterOf, type StoredLetter } from "./letters.ts";
import { planRelease, releaseMessage } from "./redriving.ts";

/** What became of an actor that was to be released. */
export interface ReleaseResult {
  /** `type/id`. */
  readonly actor: string;
  /** False when nothing parks the actor: nothing was done. True: a release is in its mailbox. */
  readonly released: boolean;
  /** The letters that parked it. */
  readonly letters: readonly string[];
}

/** How an actor is released. */
export interface ReleasePlan {
  /** Only what this letter parks; undefined: whatever parks it. */
  readonly letter: string | undefined;
  readonly note: string | undefined;
  readonly timeoutMs: number;
}

/** Counts the releases of a client whose letter is not there, so that each has an id of its own. */
const counts = new WeakMap<ClientContext, number>();

/** Releases an actor. Errors: `LogUnavailableError`, `StorageFullError` (safe to repeat). */
export async function releaseActor(context: ClientContext, to: Address, plan: ReleasePlan): Promise<ReleaseResult> {
  const { note, timeoutMs } = plan;
  // The letters first: one that is fenced, and whose actor's state read later is not parked by it, parks nothing any more.
  const letters = await parkingLetters(context, to, plan.letter);
  const named = plan.letter ?? (await parkedBy(context, to));
  if (named !== undefined && !letters.some(({ record }) => record.letter === named)) {
    // What a replica that lags behind has left out is known to the leader.
    const { log, subjects, partitions } = context;
    const record = await log.last("core", subjects.dead(partitionOf(to, partitions), to, named));
    const letter = record === undefined ? undefined : letterOf(context, record);
    if (letter !== undefined && isParking(letter)) letters.push(letter);
  }
  const released: string[] = [];
  for (const letter of letters) {
    const [outcome] = await storeChanges(context, [planRelease(context, letter, note)], timeoutMs, async (current) =>
      planRelease(context, current, note),
    );
    if (outcome === "made") released.push(letter.record.letter);
  }
  if (named !== undefined && !letters.some(({ record }) => record.letter === named)) {
    // The letter is not there, or something lets the actor go on already: once more does no harm.
    await sendRelease(context, to, named, timeoutMs);
    released.push(named);
  }
  return { actor: formatAddress(to), released: released.length > 0, letters: released };
}

async function parkingLetters(context: ClientContext, to: Address, only: string | undefined): Promise<StoredLetter[]> {
  const { log, subjects } = context;
  const letters: StoredLetter[] = [];
  for await (const found of log.scan("core", subjects.deadLetters(to), { lastPerSubject: true })) {
    const letter = letterOf(context, found);
    if (letter === undefined || !isParking(letter)) continue;
    if (only === undefined || letter.record.letter === only) letters.push(letter);
  }
  return letters;
}

function isParking({ record }: StoredLetter): boolean {
  return record.status === "dead" && record.parks === true;
}

async function parkedBy({ log, subjects, partitions }: ClientContext, to: Address): Promise<string | undefined> {
  const record = await log.last("core", subjects.state(partitionOf(to, partitions), to));
  return record === undefined ? undefined : readState(to, record).waiting?.parked?.letter;
}

async function sendRelease(context: ClientContext, to: Address, letter: string, timeoutMs: number): Promise<void> {
  const { log, time, random, clientId } = context;
  const count = (counts.get(context) ?? 0) + 1;
  counts.set(context, count);
  const record = { ...releaseMessage(context, to, `release-${clientId}-${count}`, letter), expectLastSeq: 0 };
  const deadlineMs = time.elapsed() + timeoutMs;
  for (let attempt = 1; ; attempt++) {
    if (context.isStopped) throw stoppedError("release an actor");
    const result = await log.append("core", [record]);
    // A conflict: an earlier try has stored it.
    if (result._tag === "Appended" || result._tag === "Conflict") return;
    if (time.elapsed() >= deadlineMs) {
      const text = `Cannot release ${formatAddress(to)} within ${timeoutMs} ms: ${result.reason}. Trying again does nothing twice.`;
      throw result._tag === "Full" ? new StorageFullError(text) : new LogUnavailableError(text);
    }
    await sleep(time, backoffMs(attempt, random));
  }
}

/**
 * Changes to letters, stored: all that still can be made in one append.
 *
 * A change is made once, however often it is tried: its first record is fenced, and what is found instead says whether it was made before.
 */
import { LogUnavailableError, StorageFullError } from "../../runtime/core/errors.ts";
import type { LetterRecord } from "../../runtime/core/records.ts";
import { sleep } from "../../runtime/core/time.ts";
import type { AppendRecord } from "../../runtime/log/log.ts";
import { backoffMs, type ClientContext, readPatiently, stoppedError } from "./context.ts";
import { letterOf, type StoredLetter } from "./letters.ts";

/** A change to a letter, ready to be stored. */
export interface LetterChange {
  readonly letter: StoredLetter;
  /** The letter's record first, with its fence. */
  readonly records: readonly AppendRecord[];
  readonly sizeBytes: number;
  /** True when the letter, found changed, was changed in this way. */
  readonly isMade: (current: LetterRecord) => boolean;
}

/** What became of a change. `made`: by this call. `already`: somebody else had made the same. `closed`: somebody else had changed the letter otherwise. `refused`: what the letter holds now cannot be changed in this way. */
export type ChangeOutcome = "made" | "already" | "closed" | { readonly refused: string };

/** Plans the change of a letter that is still dead, but has been edited since; a text says why it cannot be changed. */
export type Replan = (letter: StoredLetter) => Promise<LetterChange | string>;

/**
 * Stores changes, all that still can be made in one append; resolves with what became of each.
 *
 * *Details*: with `replan` a letter that somebody has edited meanwhile keeps its place among the others: those behind it must not go before it.
 *
 * Errors: `LogUnavailableError` and `StorageFullError` after `timeoutMs`. Whatever they say, the same call again does nothing twice.
 */
export async function storeChanges(
  context: ClientContext,
  changes: readonly LetterChange[],
  timeoutMs: number,
  replan?: Replan,
): Promise<ChangeOutcome[]> {
  const { log, time, random } = context;
  const outcomes = changes.map((): ChangeOutcome => "made");
  const deadlineMs = time.elapsed() + timeoutMs;
  let open = changes.map((change, index) => ({ change, index }));
  let wasUnknown = false;
  for (let attempt = 1; open.length > 0; attempt++) {
    if (context.isStopped) throw stoppedError("change dead letters");
    const result = await log.append(
      "core",
      open.flatMap(({ change }) => change.records),
    );
    if (result._tag === "Appended") break;
    if (result._tag === "TryAgain") wasUnknown ||= result.mayBeStored;
    if (result._tag === "Conflict") {
      const subjects = open.map(({ change }) => change.letter.subject);
      const found = await readPatiently(
        context,
        () => log.lastMany("core", subjects),
        () => time.elapsed() < deadlineMs,
      );
      if (found !== undefined) {
        let isOther = false;
        const still: typeof open = [];
        for (const [at, { change, index }] of open.entries()) {
          const record = found[at];
          if ((record?.seq ?? 0) === change.letter.seq) {
            still.push({ change, index });
            continue;
          }
          isOther = true;
          const current = record === undefined ? undefined : letterOf(context, record);
          const isMade = current !== undefined && change.isMade(current.record);
          if (!isMade && replan !== undefined && current !== undefined && isEdited(current.record, change)) {
            const planned = await replan(current);
            if (typeof planned === "string") outcomes[index] = { refused: planned };
            else still.push({ change: planned, index });
          } else outcomes[index] = !isMade ? "closed" : wasUnknown ? "made" : "already";
        }
        open = still;
        if (isOther) continue;
      }
    }
    if (time.elapsed() >= deadlineMs) {
      const what =
        changes.length === 1 ? `dead letter ${changes[0]?.letter.record.letter}` : `${open.length} dead letters`;
      const text = `Cannot change ${what} within ${timeoutMs} ms: ${result.reason}. ${
        wasUnknown ? "Whether it was done is not known; trying again does nothing twice." : "Nothing was changed."
      }`;
      throw result._tag === "Full" ? new StorageFullError(text) : new LogUnavailableError(text);
    }
    await sleep(time, backoffMs(attempt, random));
  }
  return outcomes;
}

/** True for a letter that is as dead as it was. */
function isEdited({ status, redrives }: LetterRecord, { letter }: LetterChange): boolean {
  return status === "dead" && redrives === letter.record.redrives;
}

/** Letters that match a filter, as the log has them. */
import type { CompiledFilter } from "../letter-filter.ts";
import type { ClientContext } from "./context.ts";
import { findLetter, letterOf, type StoredLetter } from "./letters.ts";

/**
 * The letters that match, in the order in which their records were written: oldest first.
 *
 * *Details*: it may be served by a replica that is behind: what is changed by what was found here is fenced. A letter whose message went to another actor and died
 * there is stored under both; the record it left behind matches only while it is asked for closed letters, before the newer one.
 *
 * Errors: `LogUnavailableError`; `LetterNotFoundError` for a letter that is named and does not exist.
 */
export async function* scanLetters(context: ClientContext, filter: CompiledFilter): AsyncGenerator<StoredLetter> {
  const { log, subjects } = context;
  if (filter.letters !== undefined) {
    for (const letter of new Set(filter.letters)) {
      const found = await findLetter(context, letter);
      if (filter.matches(found.record)) yield found;
    }
    return;
  }
  for await (const record of log.scan("core", subjects.deadLetters(filter.of), { lastPerSubject: true })) {
    const letter = letterOf(context, record);
    if (letter !== undefined && filter.matches(letter.record)) yield letter;
  }
}

/**
 * As {@link scanLetters}, each letter once: of one that moved, the record that counts.
 *
 * *Details*: only closed letters leave such records behind; while none is asked for, nothing is kept in memory.
 */
export async function* newestOfEach(context: ClientContext, filter: CompiledFilter): AsyncGenerator<StoredLetter> {
  if (!filter.wantsClosed) {
    yield* scanLetters(context, filter);
    return;
  }
  const letters = new Map<string, StoredLetter>();
  for await (const letter of scanLetters(context, filter)) {
    // Set anew, so that it stands where the newer record does.
    letters.delete(letter.record.letter);
    letters.set(letter.record.letter, letter);
  }
  yield* letters.values();
}

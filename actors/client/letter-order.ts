/**
 * The order in which letters are redriven: within an actor, that in which their messages came first.
 *
 * 1. A letter keeps its id while it lives, and the id says where its message came from: one that was redriven and died again keeps its place before those behind it.
 * 2. Sequences of one stream tell the order; several streams are put together by the time at which the messages died first.
 */
import type { LetterRecord } from "../../runtime/core/records.ts";

/** What the order depends on. */
export interface Placed {
  readonly letter: string;
  /** When its message died first, milliseconds since 1970. */
  readonly firstAt: number;
  /** Sequences of the same stream can be compared. */
  readonly stream: string;
  readonly seq: number;
}

/** The place of a letter. */
export function placeOf({ letter, firstAt, at, source }: LetterRecord): Placed {
  const named = /^(.*-)?([ic])(\d+)$/.exec(letter);
  return named === null
    ? { letter, firstAt: firstAt ?? at, stream: source.stream, seq: source.seq }
    : {
        letter,
        firstAt: firstAt ?? at,
        // Of another space: its sequences say nothing about ours.
        stream: `${named[1] ?? ""}${named[2] === "i" ? "ingress" : "core"}`,
        seq: Number(named[3]),
      };
}

/** Puts the letters of one actor into the order in which their messages came. */
export function inOrder<Letter extends Placed>(letters: readonly Letter[]): Letter[] {
  if (letters.length < 2) return [...letters];
  const streams = new Map<string, Letter[]>();
  for (const letter of letters) {
    const of = streams.get(letter.stream);
    if (of === undefined) streams.set(letter.stream, [letter]);
    else of.push(letter);
  }
  const sorted = [...streams.values()].map((of) => of.sort((a, b) => a.seq - b.seq));
  if (sorted.length === 1) return sorted[0] as Letter[];
  const merged: Letter[] = [];
  // From the ends on, which are cheap to take away.
  let rest = sorted.map((stream) => stream.reverse());
  while (rest.length > 0) {
    const first = rest.reduce((best, stream) => (headOf(stream).firstAt < headOf(best).firstAt ? stream : best));
    merged.push(first.pop() as Letter);
    if (first.length === 0) rest = rest.filter((stream) => stream !== first);
  }
  return merged;
}

function headOf<Letter extends Placed>(stream: readonly Letter[]): Letter {
  return stream[stream.length - 1] as Letter;
}

/** The first letters of all actors by time, at most `limit`: of each actor those that come first. */
export function firstOf<Letter extends Placed>(actors: ReadonlyArray<readonly Letter[]>, limit: number): Letter[][] {
  const turns = actors.flatMap((letters, actor) => {
    // A letter is not taken before one of its actor that stands before it.
    let latest = 0;
    return letters.map((letter) => {
      latest = Math.max(latest, letter.firstAt);
      return { actor, at: latest };
    });
  });
  turns.sort((a, b) => a.at - b.at);
  const counts = actors.map(() => 0);
  for (const { actor } of turns.slice(0, limit)) counts[actor] = (counts[actor] as number) + 1;
  return actors.map((letters, actor) => letters.slice(0, counts[actor])).filter((letters) => letters.length > 0);
}

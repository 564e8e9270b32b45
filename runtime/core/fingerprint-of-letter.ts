/**
 * Fingerprints of dead letters: letters that died of the same have the same one.
 *
 * 1. A fingerprint depends on what the letter says, never on when, where or for which actor of the type it was written: nodes and clients come to the same one.
 * 2. Numbers, and words that hold digits (ids, keys, dates), do not count. Nor do stacks: frames differ from build to build, and one fault would become many groups.
 */
import { createHash } from "node:crypto";
import type { LetterRecord } from "./records.ts";

/** What of a letter its fingerprint is made of. */
export type FingerprintSource = Pick<LetterRecord, "to" | "reason" | "explanation" | "attempts" | "state" | "event">;

const length = 12;

/**
 * Returns the fingerprint of a letter, 12 hexadecimal digits.
 *
 * *Details*: of actor type, reason, event type, state value, and the name and message of the newest error; where no attempt was made, of the explanation.
 */
export function fingerprintOfLetter(letter: FingerprintSource): string {
  const { to, reason, explanation, attempts, state, event } = letter;
  const slash = to.indexOf("/");
  const type = slash < 0 ? to : to.slice(0, slash);
  const error = attempts[attempts.length - 1]?.error;
  const parts = [
    type,
    reason,
    event ?? "",
    state?.value ?? "",
    error?.name ?? "",
    normalized(error?.message ?? explanation, to),
  ];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, length);
}

/** A message without what differs between occurrences of one fault. */
function normalized(message: string, to: string): string {
  const id = to.slice(to.indexOf("/") + 1);
  return (
    message
      .slice(0, 2000)
      .replaceAll(to, "#")
      // A short id may be part of any word.
      .replaceAll(JSON.stringify(id), "#")
      .replaceAll(/[\w.:@+-]*\d[\w.:@+-]*/g, "#")
      .replaceAll(/\s+/g, " ")
      .trim()
  );
}

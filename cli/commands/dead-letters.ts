/** `statewright dlq ls` and `dlq show`: the messages that could not be applied, and how letters are printed and named. */
import type { DeadLetter, DeadLetterFilter, DeadLetterSummary } from "../../actors/dead-letters.ts";
import { isStatewrightError } from "../../runtime/core/errors.ts";
import type { DeadReason, StoredError } from "../../runtime/core/records.ts";
import type { ConnectionFlags } from "../connection-flags.ts";
import { readLines } from "../event-argument.ts";
import { type ExitCode, exitCodeOf, exitCodes } from "../exit-codes.ts";
import { tellFailure } from "../failure.ts";
import { withClient } from "../open-client.ts";
import { type Field, type FullKind, fitJson, type Kind, type OutputFormat, printItem, printList } from "../printer.ts";
import { shownJsonLines, shownState, shownTime } from "../shown-values.ts";
import type { Io } from "../terminal.ts";

/** Options that say which letters are meant. */
export interface LetterFlags extends ConnectionFlags {
  readonly output: OutputFormat;
  readonly type?: string;
  readonly id?: string;
  readonly reason?: DeadReason;
  readonly limit?: number;
}

const defaultLimit = 1000;

/** A letter in a list. */
export const letterKind: Kind<DeadLetterSummary> = {
  id: ({ letter }) => letter,
  json: (letter) => ({ ...letter, to: addressOf(letter), at: shownTime(letter.at) }),
  columns: [
    { header: "letter", cell: ({ letter }) => letter },
    { header: "actor", cell: addressOf, isFlexible: true },
    { header: "event", cell: ({ event }) => event ?? "-", isFlexible: true },
    { header: "reason", cell: ({ reason }) => reason, style: () => "red" },
    { header: "died", cell: ({ at }) => shownTime(at), isMinor: true },
    { header: "attempts", cell: ({ attemptCount }) => String(attemptCount), isMinor: true },
    { header: "redrives", cell: ({ redrives }) => String(redrives), isMinor: true },
    { header: "status", cell: ({ status }) => status, style: ({ status }) => (status === "dead" ? undefined : "dim") },
    { header: "explanation", cell: ({ explanation }) => explanation, isFlexible: true },
  ],
};

/** A letter with everything in it. */
export const fullLetterKind: FullKind<DeadLetter> = {
  id: ({ letter }) => letter,
  json: (letter) => ({
    ...letter,
    to: addressOf(letter),
    at: shownTime(letter.at),
    sentAt: letter.sentAt === undefined ? undefined : shownTime(letter.sentAt),
    attempts: letter.attempts.map((attempt) => ({ ...attempt, at: shownTime(attempt.at) })),
  }),
  fields: (letter, width) => [
    { label: "letter", text: letter.letter, style: "bold" },
    { label: "actor", text: addressOf(letter) },
    { label: "reason", text: letter.reason, style: "red" },
    { label: "explanation", text: letter.explanation },
    { label: "status", text: shownStatus(letter) },
    ...(letter.note === undefined ? [] : [{ label: "note", text: letter.note }]),
    { label: "died", text: shownTime(letter.at) },
    { label: "event", text: letter.event ?? "unreadable" },
    ...payloadFields(letter, width),
    { label: "message", text: letter.message ?? "-" },
    ...(letter.key === undefined ? [] : [{ label: "key", text: letter.key }]),
    ...(letter.from === undefined ? [] : [{ label: "from", text: letter.from }]),
    ...(letter.sentAt === undefined ? [] : [{ label: "sent", text: shownTime(letter.sentAt) }]),
    {
      label: "state before",
      text:
        letter.state === undefined ? "none" : `${shownState(letter.state.value)} at revision ${letter.state.revision}`,
    },
    { label: "source", text: `${letter.source.stream} ${letter.source.seq}` },
    { label: "attempts", text: attemptLines(letter) },
  ],
};

/** Prints the letters that match, oldest first. */
export async function listLetters(flags: LetterFlags & { readonly closed?: boolean }, io: Io): Promise<ExitCode> {
  const limit = flags.limit ?? defaultLimit;
  const letters = await withClient(flags, io, (client) =>
    client.deadLetters.list({ ...filterOf(flags), limit: limit + 1, includeClosed: flags.closed ?? false }),
  );
  if (letters.length === 0) tellNone(flags, io);
  // What is the same for all letters is not worth a column.
  const same = new Set([
    ...(flags.closed === true ? [] : ["status"]),
    ...(letters.every(({ redrives }) => redrives === 0) ? ["redrives"] : []),
  ]);
  const columns = letterKind.columns.filter(({ header }) => !same.has(header));
  printList(io.out, flags.output, { ...letterKind, columns }, letters.slice(0, limit));
  if (letters.length > limit) io.err.write(`There are more than ${limit}: --limit shows more of them.\n`);
  return exitCodes.ok;
}

/** Prints letters in full. */
export async function showLetters(
  letters: readonly string[],
  flags: ConnectionFlags & { readonly output: OutputFormat },
  io: Io,
): Promise<ExitCode> {
  const wanted = await readLetters(letters, io);
  return withClient(flags, io, (client) =>
    eachLetter(wanted, flags, io, async (letter, at) => {
      const found = await client.deadLetters.get(letter);
      if (at > 0 && flags.output === "table") io.out.write("\n");
      printItem(io.out, flags.output, fullLetterKind, found);
    }),
  );
}

/** Says that there is nothing to do. */
export function tellNone(flags: LetterFlags, io: Io): void {
  io.err.write(`No dead letters${isFiltered(flags) ? " that match" : ""}.\n`);
}

/** Does something to each letter; what fails is told, the others go on, and the first failure decides the exit code. */
export async function eachLetter(
  letters: readonly string[],
  flags: { readonly output: OutputFormat; readonly verbose?: boolean },
  io: Io,
  perform: (letter: string, at: number) => Promise<void>,
): Promise<ExitCode> {
  let code: ExitCode = exitCodes.ok;
  for (const [at, letter] of letters.entries()) {
    try {
      await perform(letter, at);
    } catch (error) {
      // What says nothing about one letter would fail for the others too.
      if (!isStatewrightError(error) || error.retry === "transient") throw error;
      tellFailure(io.err, error, { format: flags.output, isVerbose: flags.verbose ?? false });
      if (code === exitCodes.ok) code = exitCodeOf(error);
    }
  }
  return code;
}

/** The letters that were named; `-` stands for those on standard input, one a line. */
export async function readLetters(letters: readonly string[], io: Io): Promise<string[]> {
  const wanted: string[] = [];
  for (const letter of letters) {
    if (letter !== "-") wanted.push(letter);
    else for await (const { text } of readLines(io.stdin)) wanted.push(text.trim());
  }
  return wanted;
}

/** What the flags say about which letters are meant. */
export function filterOf({ type, id, reason }: LetterFlags): DeadLetterFilter {
  return {
    ...(type === undefined ? {} : { type }),
    ...(id === undefined ? {} : { id }),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** True when the flags leave letters out. */
export function isFiltered({ type, id, reason }: LetterFlags): boolean {
  return type !== undefined || id !== undefined || reason !== undefined;
}

/** The actor of a letter. */
export function addressOf({ to }: DeadLetterSummary): string {
  return `${to.type}/${to.id}`;
}

function shownStatus({ status, redrives }: DeadLetterSummary): string {
  return redrives === 0 ? status : `${status} (redriven ${redrives === 1 ? "once" : `${redrives} times`})`;
}

function payloadFields(letter: DeadLetter, width: number): Field[] {
  if (letter.payload !== undefined) return [{ label: "payload", text: fitJson(letter.payload, shownJsonLines, width) }];
  if (letter.raw === undefined) return [];
  const shown = new TextDecoder().decode(letter.raw.subarray(0, 400));
  const rest = letter.raw.length > 400 ? ` … (${letter.raw.length} bytes)` : "";
  return [{ label: "bytes", text: `${shown}${rest}` }];
}

function attemptLines(letter: DeadLetter): string | string[] {
  const { attempts, attemptCount } = letter;
  if (attemptCount === 0 || attempts.length === 0) return String(attemptCount);
  const kept = attempts.length < attemptCount ? ` (the newest ${attempts.length} are kept)` : "";
  return [
    `${attemptCount}${kept}`,
    ...attempts.flatMap(({ at, node, error }) => [`${shownTime(at)} on ${node}`, ...errorLines(error, "  ")]),
  ];
}

function errorLines(error: StoredError, indent: string): string[] {
  const code = error.code === undefined ? "" : ` (${error.code})`;
  const cause = error.cause === undefined ? [] : errorLines(error.cause, `${indent}  `);
  const [first = ""] = cause;
  return [
    `${indent}${error.name}${code}: ${error.message}`,
    ...(cause.length === 0 ? [] : [`${indent}  caused by ${first.trimStart()}`, ...cause.slice(1)]),
  ];
}

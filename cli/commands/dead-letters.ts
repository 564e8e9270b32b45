/** `statewright dlq ls`, `dlq groups` and `dlq show`: the messages that could not be applied, and how letters are printed and named. */
import { quotedValue } from "../../actors/client/filter-text.ts";
import type { DeadLetter, DeadLetterGroup, DeadLetterSummary } from "../../actors/dead-letters.ts";
import { isStatewrightError } from "../../runtime/core/errors.ts";
import type { DeadReason, LetterEvent, StoredError } from "../../runtime/core/records.ts";
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
  /** A fingerprint. */
  readonly group?: string;
  readonly limit?: number;
}

const defaultLimit = 1000;

/** A letter in a list. */
export const letterKind: Kind<DeadLetterSummary> = {
  id: ({ letter }) => letter,
  json: (letter) => ({
    ...letter,
    to: addressOf(letter),
    at: shownTime(letter.at),
    firstAt: shownTime(letter.firstAt),
  }),
  columns: [
    { header: "letter", cell: ({ letter }) => letter },
    { header: "actor", cell: addressOf, isFlexible: true },
    { header: "event", cell: ({ event }) => event ?? "-", isFlexible: true },
    { header: "reason", cell: ({ reason }) => reason, style: () => "red" },
    { header: "died", cell: ({ at }) => shownTime(at), isMinor: true },
    { header: "attempts", cell: ({ attemptCount }) => String(attemptCount), isMinor: true },
    { header: "redrives", cell: ({ redrives }) => String(redrives), isMinor: true },
    { header: "status", cell: ({ status }) => status, style: ({ status }) => (status === "dead" ? undefined : "dim") },
    { header: "parked", cell: (letter) => (isParking(letter) ? "yes" : "-"), style: () => "yellow" },
    { header: "explanation", cell: ({ explanation }) => explanation, isFlexible: true },
  ],
};

/** How a list of letters is printed: without the columns of what is the same for all of them. */
export function letterKindOf(letters: readonly DeadLetterSummary[]): Kind<DeadLetterSummary> {
  const same = new Set([
    ...(letters.every(({ status }) => status === "dead") ? ["status"] : []),
    ...(letters.every(({ redrives }) => redrives === 0) ? ["redrives"] : []),
    ...(letters.some(isParking) ? [] : ["parked"]),
  ]);
  return { ...letterKind, columns: letterKind.columns.filter(({ header }) => !same.has(header)) };
}

/** A letter with everything in it. */
export const fullLetterKind: FullKind<DeadLetter> = fullLetterWith(() => []);

/** As {@link fullLetterKind}; `more` is said of each error besides. */
function fullLetterWith(more: (error: StoredError) => readonly string[]): FullKind<DeadLetter> {
  return {
    id: ({ letter }) => letter,
    json: (letter) => ({
      ...letter,
      to: addressOf(letter),
      at: shownTime(letter.at),
      firstAt: shownTime(letter.firstAt),
      sentAt: letter.sentAt === undefined ? undefined : shownTime(letter.sentAt),
      attempts: letter.attempts.map((attempt) => ({ ...attempt, at: shownTime(attempt.at) })),
      history: letter.history.map((event) => ({ ...event, at: shownTime(event.at) })),
    }),
    fields: (letter, width) => [
      { label: "letter", text: letter.letter, style: "bold" },
      { label: "actor", text: addressOf(letter) },
      { label: "reason", text: letter.reason, style: "red" },
      { label: "explanation", text: letter.explanation },
      { label: "group", text: letter.fingerprint },
      { label: "status", text: shownStatus(letter) },
      ...(isParking(letter)
        ? [
            {
              label: "parked",
              text: `${addressOf(letter)} takes no message until this letter is redriven or dropped, or the actor is released`,
              style: "yellow" as const,
            },
          ]
        : []),
      ...(letter.note === undefined ? [] : [{ label: "note", text: letter.note }]),
      ...(letter.firstAt === letter.at ? [] : [{ label: "first died", text: shownTime(letter.firstAt) }]),
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
          letter.state?.value === undefined
            ? "none"
            : `${shownState(letter.state.value)} at revision ${letter.state.revision}`,
      },
      ...(letter.state?.context === undefined
        ? []
        : [{ label: "context", text: fitJson(letter.state.context, shownJsonLines, width) }]),
      { label: "source", text: `${letter.source.stream} ${letter.source.seq}` },
      { label: "attempts", text: attemptLines(letter, more) },
      ...(letter.history.length === 0 ? [] : [{ label: "history", text: letter.history.map(historyLine) }]),
    ],
  };
}

function historyLine({ what, at, by, to, note }: LetterEvent): string {
  const target = to === undefined ? "" : ` to ${to}`;
  const who = by === undefined ? "" : ` by ${by}`;
  return `${shownTime(at)} ${what.replace("-", " ")}${target}${who}${note === undefined ? "" : `: ${note}`}`;
}

/** Letters that died of the same. */
const groupKind: Kind<DeadLetterGroup> = {
  id: ({ fingerprint }) => fingerprint,
  json: (group) => ({ ...group, firstAt: shownTime(group.firstAt), lastAt: shownTime(group.lastAt) }),
  columns: [
    { header: "group", cell: ({ fingerprint }) => fingerprint },
    { header: "letters", cell: ({ count }) => String(count) },
    { header: "types", cell: ({ types }) => shownCounts(types) },
    { header: "events", cell: ({ events }) => shownCounts(events), isFlexible: true },
    {
      header: "states",
      cell: ({ states }) => shownCounts(states, (json) => shownState(JSON.parse(json))),
      isMinor: true,
    },
    { header: "reason", cell: ({ reason }) => reason, style: () => "red" },
    { header: "first", cell: ({ firstAt }) => shownTime(firstAt), isMinor: true },
    { header: "last", cell: ({ lastAt }) => shownTime(lastAt), isMinor: true },
    { header: "parked", cell: ({ parks }) => String(parks), style: ({ parks }) => (parks > 0 ? "yellow" : undefined) },
    { header: "explanation", cell: ({ explanation }) => explanation, isFlexible: true },
  ],
};

function shownCounts(counts: Readonly<Record<string, number>>, shown = (name: string) => name): string {
  const names = Object.entries(counts);
  if (names.length === 0) return "-";
  return names.map(([name, count]) => (names.length === 1 ? shown(name) : `${shown(name)} (${count})`)).join(", ");
}

/** Prints the letters that match. */
export async function listLetters(
  words: readonly string[],
  flags: LetterFlags & { readonly closed?: boolean; readonly order?: "oldest" | "newest" },
  io: Io,
): Promise<ExitCode> {
  const limit = flags.limit ?? defaultLimit;
  const letters = await withClient(flags, io, (client) =>
    client.deadLetters.list(filterOf(words, flags), {
      limit: limit + 1,
      includeClosed: flags.closed ?? false,
      ...(flags.order === undefined ? {} : { order: flags.order }),
    }),
  );
  if (letters.length === 0) tellNone(words, flags, io);
  printList(io.out, flags.output, letterKindOf(letters), letters.slice(0, limit));
  if (letters.length > limit) io.err.write(`There are more than ${limit}: --limit shows more of them.\n`);
  return exitCodes.ok;
}

/** Prints the groups of the letters that match, the largest first. */
export async function listGroups(words: readonly string[], flags: LetterFlags, io: Io): Promise<ExitCode> {
  const groups = await withClient(flags, io, (client) => client.deadLetters.groups(filterOf(words, flags)));
  if (groups.length === 0) tellNone(words, flags, io);
  const columns = groupKind.columns.filter(
    ({ header }) => header !== "parked" || groups.some(({ parks }) => parks > 0),
  );
  printList(io.out, flags.output, { ...groupKind, columns }, groups);
  return exitCodes.ok;
}

/** Prints letters in full. */
export async function showLetters(
  letters: readonly string[],
  flags: ConnectionFlags & { readonly output: OutputFormat; readonly stack?: boolean },
  io: Io,
): Promise<ExitCode> {
  const wanted = await readLetters(letters, io);
  const kind = flags.stack === true ? fullLetterWith(stackLines) : fullLetterKind;
  return withClient(flags, io, (client) =>
    eachLetter(wanted, flags, io, async (letter, at) => {
      const found = await client.deadLetters.get(letter);
      if (at > 0 && flags.output === "table") io.out.write("\n");
      printItem(io.out, flags.output, kind, found);
    }),
  );
}

/** Says that there is nothing to do. */
export function tellNone(words: readonly string[], flags: LetterFlags, io: Io): void {
  io.err.write(`No dead letters${isFiltered(words, flags) ? " that match" : ""}.\n`);
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

/** Which letters the words and the flags mean, as the text of a filter. */
export function filterOf(words: readonly string[], flags: LetterFlags): string {
  const { type, id, reason, group } = flags;
  const fields = Object.entries({ type, id, reason, fingerprint: group });
  return [
    // The shell has taken the quotes away from a word with spaces.
    ...words.map((word) => (/^[^":]*\s[^":]*$/.test(word) ? quotedValue(word) : word)),
    ...fields.flatMap(([field, value]) => (value === undefined ? [] : [`${field}:${quotedValue(value)}`])),
  ].join(" ");
}

/** True when words or flags leave letters out. */
export function isFiltered(words: readonly string[], { type, id, reason, group }: LetterFlags): boolean {
  return words.length > 0 || [type, id, reason, group].some((flag) => flag !== undefined);
}

/** The actor of a letter. */
function addressOf({ to }: DeadLetterSummary): string {
  return `${to.type}/${to.id}`;
}

/** True for a letter whose actor takes no message for as long as it stays so. */
function isParking({ parks, status }: DeadLetterSummary): boolean {
  return parks && status === "dead";
}

function shownStatus({ status, redrives }: DeadLetterSummary): string {
  return redrives === 0 ? status : `${status} (redriven ${redrives === 1 ? "once" : `${redrives} times`})`;
}

function payloadFields(letter: DeadLetter, width: number): Field[] {
  if (letter.payload !== undefined) {
    return [
      { label: "payload", text: fitJson(letter.payload, shownJsonLines, width) },
      ...(letter.originalPayload === undefined
        ? []
        : [{ label: "as it came", text: fitJson(letter.originalPayload, shownJsonLines, width) }]),
    ];
  }
  if (letter.raw === undefined) return [];
  const shown = new TextDecoder().decode(letter.raw.subarray(0, 400));
  const rest = letter.raw.length > 400 ? ` … (${letter.raw.length} bytes)` : "";
  return [{ label: "bytes", text: `${shown}${rest}` }];
}

function attemptLines(letter: DeadLetter, more: (error: StoredError) => readonly string[]): string | string[] {
  const { attempts, attemptCount } = letter;
  if (attemptCount === 0 || attempts.length === 0) return String(attemptCount);
  const kept = attempts.length < attemptCount ? ` (the newest ${attempts.length} are kept)` : "";
  return [
    `${attemptCount}${kept}`,
    ...attempts.flatMap(({ at, node, error, version }) => [
      `${shownTime(at)} on ${node}${version === undefined ? "" : `, version ${version}`}`,
      ...errorLines(error, "  ", more),
    ]),
  ];
}

function errorLines(error: StoredError, indent: string, more: (error: StoredError) => readonly string[]): string[] {
  const code = error.code === undefined ? "" : ` (${error.code})`;
  const cause = error.cause === undefined ? [] : errorLines(error.cause, `${indent}  `, more);
  const [first = ""] = cause;
  return [
    `${indent}${error.name}${code}: ${error.message}`,
    ...more(error).map((line) => `${indent}  ${line}`),
    ...(cause.length === 0 ? [] : [`${indent}  caused by ${first.trimStart()}`, ...cause.slice(1)]),
  ];
}

/** The frames of an error's stack. */
function stackLines({ stack }: StoredError): string[] {
  return (stack ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.startsWith("at "));
}

/** `statewright dlq redrive`, `dlq drop` and `dlq release`: letters are closed, one by one or all that match, and actors let go on. */
import type { Client } from "../../actors/client.ts";
import type { DeadLetterSummary, DropProgress, RedriveProgress, ReleaseResult } from "../../actors/dead-letters.ts";
import { InvalidOptionsError } from "../../runtime/core/errors.ts";
import type { ConnectionFlags } from "../connection-flags.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { tellFailure } from "../failure.ts";
import { withClient } from "../open-client.ts";
import { type Kind, type OutputFormat, printList } from "../printer.ts";
import type { Io } from "../terminal.ts";
import {
  eachLetter,
  filterOf,
  isFiltered,
  type LetterFlags,
  letterKind,
  letterKindOf,
  readLetters,
  tellNone,
} from "./dead-letters.ts";

/** Options of the commands that change letters. */
export interface ChangeFlags extends LetterFlags {
  readonly all?: boolean;
  readonly dryRun?: boolean;
  readonly note?: string;
  readonly to?: string;
  readonly rate?: number;
  readonly maxRedrives?: number;
}

interface Done {
  readonly letter: string;
  readonly to?: string;
  readonly done: string;
  readonly json: Readonly<Record<string, unknown>>;
}

const doneKind: Kind<Done> = {
  id: ({ letter }) => letter,
  json: ({ json }) => json,
  columns: [
    { header: "letter", cell: ({ letter }) => letter },
    { header: "actor", cell: ({ to }) => to ?? "-", isFlexible: true },
    { header: "result", cell: ({ done }) => done, isFlexible: true },
  ],
};

/** Puts messages back into their actors' mailboxes, or into that of another actor. */
export async function redriveLetters(words: readonly string[], flags: ChangeFlags, io: Io): Promise<ExitCode> {
  const isMany = checkChoice("redrive", words, flags);
  const note = flags.note === undefined ? {} : { note: flags.note };
  const to = flags.to === undefined ? {} : { to: flags.to };
  const named = isMany ? [] : await readLetters(words, io);
  return withClient(flags, io, async (client) => {
    if (flags.dryRun === true) return tellPlan(client, isMany, words, named, flags, io, "redriven");
    if (!isMany) {
      return changeEach(named, flags, io, doneKind, async (letter) => {
        const result = await client.deadLetters.redrive(letter, { ...note, ...to });
        const often = result.redrives > 1 ? `, ${result.redrives} times in all` : "";
        const said = `${result.redriven ? "redriven" : "had been redriven before"}${often}`;
        return { letter, to: result.to, done: said, json: { ...result } };
      });
    }
    const { rate, maxRedrives } = flags;
    return changeAll(client, words, flags, io, "redriven", (filter, limit, onProgress) =>
      client.deadLetters
        .redriveAll(filter, {
          ...note,
          ...to,
          ...limit,
          ...(rate === undefined ? {} : { rate }),
          ...(maxRedrives === undefined ? {} : { maxRedrives }),
          onProgress: (progress) => onProgress(progress, progress.redriven),
        })
        .then((end) => [end, end.redriven]),
    );
  });
}

/** Closes letters without their messages being applied. */
export async function dropLetters(words: readonly string[], flags: ChangeFlags, io: Io): Promise<ExitCode> {
  const isMany = checkChoice("drop", words, flags);
  const note = flags.note === undefined ? {} : { note: flags.note };
  const named = isMany ? [] : await readLetters(words, io);
  return withClient(flags, io, async (client) => {
    if (flags.dryRun === true) return tellPlan(client, isMany, words, named, flags, io, "dropped");
    if (!isMany) {
      const columns = doneKind.columns.filter(({ header }) => header !== "actor");
      return changeEach(named, flags, io, { ...doneKind, columns }, async (letter) => {
        const result = await client.deadLetters.drop(letter, note);
        return { letter, done: result.dropped ? "dropped" : "had been dropped before", json: { ...result } };
      });
    }
    return changeAll(client, words, flags, io, "dropped", (filter, limit, onProgress) =>
      client.deadLetters
        .dropAll(filter, {
          ...note,
          ...limit,
          onProgress: (progress) => onProgress(progress, progress.dropped),
        })
        .then((end) => [end, end.dropped]),
    );
  });
}

/** Lets actors take messages again that are parked. */
export async function releaseActors(
  actors: readonly string[],
  flags: ConnectionFlags & { readonly output: OutputFormat; readonly note?: string },
  io: Io,
): Promise<ExitCode> {
  const note = flags.note === undefined ? {} : { note: flags.note };
  return withClient(flags, io, async (client) => {
    const kind: Kind<ReleaseResult> = {
      id: ({ actor }) => actor,
      json: (done) => ({ ...done }),
      columns: [
        { header: "actor", cell: ({ actor }) => actor, isFlexible: true },
        { header: "letter", cell: ({ letters }) => letters.join(" ") || "-" },
        { header: "result", cell: ({ released }) => (released ? "release is in its mailbox" : "is not parked") },
      ],
    };
    const done: ReleaseResult[] = [];
    try {
      return await eachLetter(
        actors,
        flags,
        io,
        async (actor) => void done.push(await client.deadLetters.release(actor, note)),
      );
    } finally {
      printList(io.out, flags.output, kind, done);
    }
  });
}

type Progress = RedriveProgress | DropProgress;

/** Changes all letters that match, and says how many. */
async function changeAll(
  client: Client,
  words: readonly string[],
  flags: ChangeFlags,
  io: Io,
  participle: "redriven" | "dropped",
  change: (
    filter: string | { readonly letter: readonly string[] },
    limit: { readonly limit?: number },
    onProgress: (progress: Progress, done: number) => void,
  ) => Promise<readonly [Progress, number]>,
): Promise<ExitCode> {
  const filter = filterOf(words, flags);
  // Ids are to be printed: the letters are chosen here, and then named.
  const chosen = flags.output === "ids" ? await listAll(client, filter, flags.limit) : undefined;
  if (chosen?.length === 0) {
    tellNone(words, flags, io);
    return exitCodes.ok;
  }
  const showsProgress = io.err.width !== undefined && flags.output === "table";
  const [end, done] = await change(
    chosen === undefined ? filter : { letter: chosen.map(({ letter }) => letter) },
    flags.limit === undefined ? {} : { limit: flags.limit },
    (progress, count) => {
      if (showsProgress) io.err.write(`\r\u001b[K${progressLine(progress, count, participle)}`);
    },
  );
  const { total, skipped, refused } = end;
  if (showsProgress && total > 0) io.err.write("\r\u001b[K");
  if (flags.output === "json") {
    io.out.write(`${JSON.stringify({ total, [participle]: done, skipped, refused })}\n`);
  } else if (chosen !== undefined) {
    const isRefused = new Set(refused.map(({ letter }) => letter));
    printList(
      io.out,
      "ids",
      letterKind,
      chosen.filter(({ letter }) => !isRefused.has(letter)),
    );
  } else if (total === 0) tellNone(words, flags, io);
  else {
    const closed = skipped === 0 ? "" : `, ${skipped} had been closed meanwhile`;
    const left = refused.length === 0 ? "" : `, ${refused.length} refused`;
    io.out.write(`${participle === "redriven" ? "Redriven" : "Dropped"}: ${done} of ${total}${closed}${left}.\n`);
  }
  if (flags.output !== "json") tellRefused(refused, flags, io);
  return refused.length === 0 ? exitCodes.ok : exitCodes.failed;
}

function progressLine({ total, rest, perSecond, remainingMs }: Progress, done: number, participle: string): string {
  const left = remainingMs === undefined || rest === 0 ? "" : `, ${Math.ceil(remainingMs / 1000)} s left`;
  return `${done} of ${total} ${participle}, ${Math.round(perSecond)}/s${left}`;
}

const maxTold = 20;

/** Says of each letter why it was left as it is; of many, of the first. */
function tellRefused(refused: Progress["refused"], flags: ChangeFlags, io: Io): void {
  for (const { letter, why } of refused.slice(0, maxTold)) {
    tellFailure(io.err, new Error(`${letter}: ${why}`), { format: flags.output, isVerbose: false });
  }
  if (refused.length > maxTold)
    io.err.write(`${refused.length - maxTold} more were refused: -o json names them all.\n`);
}

/** Changes letter by letter; what was done is printed also when the rest cannot be. */
async function changeEach(
  letters: readonly string[],
  flags: ChangeFlags,
  io: Io,
  kind: Kind<Done>,
  change: (letter: string) => Promise<Done>,
): Promise<ExitCode> {
  const done: Done[] = [];
  try {
    return await eachLetter(letters, flags, io, async (letter) => void done.push(await change(letter)));
  } finally {
    printList(io.out, flags.output, kind, done);
  }
}

/** Prints what a change would be made to, and changes nothing. */
async function tellPlan(
  client: Client,
  isMany: boolean,
  words: readonly string[],
  letters: readonly string[],
  flags: ChangeFlags,
  io: Io,
  participle: string,
): Promise<ExitCode> {
  const planned: DeadLetterSummary[] = isMany ? await listAll(client, filterOf(words, flags), flags.limit) : [];
  const code = await eachLetter(letters, flags, io, async (letter) => {
    const [found] = await client.deadLetters.list({ letter, status: "any" });
    if (found !== undefined) planned.push(found);
  });
  const open = planned.filter(({ status }) => status === "dead");
  printList(io.out, flags.output, letterKindOf(open), open);
  const closed = planned.length === open.length ? "" : ` ${planned.length - open.length} are closed already.`;
  const count = open.length === 1 ? "1 letter" : `${open.length} letters`;
  io.err.write(`Dry run: ${count} would be ${participle}.${closed} Nothing was changed.\n`);
  return code;
}

/** True when all that match are meant; letters are named otherwise. */
function checkChoice(verb: string, words: readonly string[], flags: ChangeFlags): boolean {
  const attempted = `Cannot ${verb} dead letters`;
  if (flags.all === true || flags.group !== undefined) {
    if (!words.includes("-")) return true;
    throw new InvalidOptionsError(`${attempted}: name letters, or use --all with a filter, but not both.`);
  }
  if (words.length === 0) {
    throw new InvalidOptionsError(
      isFiltered(words, flags)
        ? `${attempted}: add --all to ${verb} all letters that match.`
        : `${attempted}: name the letters, or use --all.`,
    );
  }
  const term = words.find((word) => /[:"\s]/.test(word) || word.startsWith("!"));
  if (term !== undefined) {
    throw new InvalidOptionsError(
      `${attempted}: ${JSON.stringify(term)} is a filter, not a letter: add --all to ${verb} all letters that match.`,
    );
  }
  const given = (["limit", "rate", "maxRedrives"] as const).filter((flag) => flags[flag] !== undefined);
  if (isFiltered([], flags) || given.length > 0) {
    throw new InvalidOptionsError(`${attempted}: name letters, or use --all with a filter, but not both.`);
  }
  return false;
}

function listAll(client: Client, filter: string, limit?: number): Promise<DeadLetterSummary[]> {
  return client.deadLetters.list(filter, { limit: limit ?? Number.MAX_SAFE_INTEGER });
}

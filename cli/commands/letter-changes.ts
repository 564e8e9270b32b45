/** `statewright dlq redrive` and `dlq drop`: letters are closed, one by one or all that match. */
import type { Client } from "../../actors/client.ts";
import type { DeadLetter, DeadLetterFilter, DeadLetterSummary } from "../../actors/dead-letters.ts";
import { InvalidOptionsError } from "../../runtime/core/errors.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { tellFailure } from "../failure.ts";
import { withClient } from "../open-client.ts";
import { type Kind, printList } from "../printer.ts";
import type { Io } from "../terminal.ts";
import {
  addressOf,
  eachLetter,
  filterOf,
  isFiltered,
  type LetterFlags,
  letterKind,
  readLetters,
  tellNone,
} from "./dead-letters.ts";

/** Options of the commands that change letters. */
export interface ChangeFlags extends LetterFlags {
  readonly all?: boolean;
  readonly dryRun?: boolean;
  readonly note?: string;
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

/** Puts messages back into their actors' mailboxes. */
export async function redriveLetters(letters: readonly string[], flags: ChangeFlags, io: Io): Promise<ExitCode> {
  checkChoice("redrive", letters, flags);
  const named = await readLetters(letters, io);
  return withClient(flags, io, async (client) => {
    if (flags.dryRun === true) return tellPlan(client, named, flags, io, "redriven");
    if (flags.all === true && flags.limit === undefined) return redriveAll(client, flags, io);
    const wanted = flags.all === true ? await firstInOrder(client, filterOf(flags), flags.limit) : named;
    if (wanted.length === 0) tellNone(flags, io);
    return changeEach(wanted, flags, io, doneKind, async (letter) => {
      const result = await client.deadLetters.redrive(letter);
      const said = result.redriven ? "redriven" : "had been redriven before";
      return { letter, to: result.to, done: said, json: { ...result } };
    });
  });
}

async function redriveAll(client: Client, flags: ChangeFlags, io: Io): Promise<ExitCode> {
  const filter = filterOf(flags);
  // Their ids are known only beforehand: the redriving itself counts.
  const before = flags.output === "ids" ? await listAll(client, filter) : [];
  const showsProgress = io.err.width !== undefined && flags.output === "table";
  const result = await client.deadLetters.redriveAll(filter, {
    onProgress: ({ redriven, total }) => {
      if (showsProgress) io.err.write(`\r${redriven} of ${total} redriven`);
    },
  });
  if (showsProgress && result.total > 0) io.err.write("\r\u001b[K");
  const { total, redriven, skipped, refused } = result;
  const refusedIds = new Set(refused.map(({ letter }) => letter));
  if (flags.output === "json") io.out.write(`${JSON.stringify({ total, redriven, skipped, refused })}\n`);
  else if (flags.output === "ids") {
    printList(
      io.out,
      "ids",
      letterKind,
      before.filter(({ letter }) => !refusedIds.has(letter)),
    );
  } else {
    const closed = skipped === 0 ? "" : `, ${skipped} had been closed meanwhile`;
    io.out.write(
      total === 0
        ? `No dead letters${isFiltered(flags) ? " that match" : ""}.\n`
        : `Redriven: ${redriven} of ${total}${closed}.\n`,
    );
  }
  for (const { letter, why } of refused) {
    if (flags.output !== "json")
      tellFailure(io.err, new Error(`${letter}: ${why}`), { format: flags.output, isVerbose: false });
  }
  return refused.length === 0 ? exitCodes.ok : exitCodes.failed;
}

/** Closes letters without their messages being applied. */
export async function dropLetters(letters: readonly string[], flags: ChangeFlags, io: Io): Promise<ExitCode> {
  checkChoice("drop", letters, flags);
  const named = await readLetters(letters, io);
  return withClient(flags, io, async (client) => {
    if (flags.dryRun === true) return tellPlan(client, named, flags, io, "dropped");
    const wanted =
      flags.all === true ? (await listAll(client, filterOf(flags), flags.limit)).map(({ letter }) => letter) : named;
    const note = flags.note === undefined ? {} : { note: flags.note };
    if (wanted.length === 0) tellNone(flags, io);
    const columns = doneKind.columns.filter(({ header }) => header !== "actor");
    return changeEach(wanted, flags, io, { ...doneKind, columns }, async (letter) => {
      const result = await client.deadLetters.drop(letter, note);
      return { letter, done: result.dropped ? "dropped" : "had been dropped before", json: { ...result } };
    });
  });
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

/** The oldest letters that match, each actor's in the order in which their messages came. */
async function firstInOrder(client: Client, filter: DeadLetterFilter, limit: number | undefined): Promise<string[]> {
  const letters: DeadLetter[] = [];
  for (const { letter } of await listAll(client, filter, limit)) letters.push(await client.deadLetters.get(letter));
  return [...groupByActor(letters).values()].flatMap((group) => group.sort(asTheyCame).map(({ letter }) => letter));
}

function groupByActor(letters: readonly DeadLetter[]): ReadonlyMap<string, DeadLetter[]> {
  const groups = new Map<string, DeadLetter[]>();
  for (const letter of letters) {
    const group = groups.get(addressOf(letter));
    if (group === undefined) groups.set(addressOf(letter), [letter]);
    else group.push(letter);
  }
  return groups;
}

/** Sequences of different streams cannot be compared: the times at which the messages died stand in. */
function asTheyCame(a: DeadLetter, b: DeadLetter): number {
  return a.source.stream === b.source.stream ? a.source.seq - b.source.seq : a.at - b.at;
}

/** Prints what a change would be made to, and changes nothing. */
async function tellPlan(
  client: Client,
  letters: readonly string[],
  flags: ChangeFlags,
  io: Io,
  participle: string,
): Promise<ExitCode> {
  const planned: DeadLetterSummary[] = flags.all === true ? await listAll(client, filterOf(flags), flags.limit) : [];
  const code = await eachLetter(letters, flags, io, async (letter) => {
    planned.push(await client.deadLetters.get(letter));
  });
  const open = planned.filter(({ status }) => status === "dead");
  printList(io.out, flags.output, { ...letterKind, json: (letter) => letterKind.json(summaryOnly(letter)) }, open);
  const closed = planned.length === open.length ? "" : ` ${planned.length - open.length} are closed already.`;
  const count = open.length === 1 ? "1 letter" : `${open.length} letters`;
  io.err.write(`Dry run: ${count} would be ${participle}.${closed} Nothing was changed.\n`);
  return code;
}

function summaryOnly(letter: DeadLetterSummary): DeadLetterSummary {
  const { letter: id, to, reason, explanation, event, message, attemptCount, at, redrives, status, note } = letter;
  return { letter: id, to, reason, explanation, event, message, attemptCount, at, redrives, status, note };
}

function checkChoice(verb: string, letters: readonly string[], flags: ChangeFlags): void {
  const attempted = `Cannot ${verb} dead letters`;
  if (letters.length > 0 && (flags.all === true || isFiltered(flags) || flags.limit !== undefined)) {
    throw new InvalidOptionsError(`${attempted}: name letters, or use --all with filters, but not both.`);
  }
  if (letters.length === 0 && flags.all !== true) {
    throw new InvalidOptionsError(
      isFiltered(flags)
        ? `${attempted}: add --all to ${verb} all letters that match.`
        : `${attempted}: name the letters, or use --all.`,
    );
  }
}

function listAll(client: Client, filter: DeadLetterFilter, limit?: number): Promise<DeadLetterSummary[]> {
  return client.deadLetters.list({ ...filter, limit: limit ?? Number.MAX_SAFE_INTEGER });
}

/** `statewright dlq follow`: letters as their messages die. */
import type { Client, Emitted, EmittedOptions } from "../../actors/client.ts";
import type { DeadLetteredEvent } from "../../actors/dead-letters.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { withClient } from "../open-client.ts";
import { type Kind, ListPrinter } from "../printer.ts";
import { shownTime } from "../shown-values.ts";
import type { Io } from "../terminal.ts";
import { filterOf, type LetterFlags } from "./dead-letters.ts";

/** What the options of `dlq follow` hold. */
export interface FollowFlags extends LetterFlags {
  readonly from: NonNullable<EmittedOptions["from"]>;
  readonly count?: number;
}

/** A message that has died. */
const deadKind: Kind<Emitted<DeadLetteredEvent>> = {
  id: ({ event }) => event.letter,
  json: ({ seq, event: { type, ...event } }) => ({ seq, ...event, at: shownTime(event.at) }),
  columns: [
    { header: "letter", cell: ({ event }) => event.letter.padEnd(8) },
    { header: "died", cell: ({ event }) => shownTime(event.at), isMinor: true },
    { header: "actor", cell: ({ event }) => event.to },
    { header: "event", cell: ({ event }) => event.event ?? "-" },
    { header: "reason", cell: ({ event }) => event.reason, style: () => "red" },
    { header: "explanation", cell: ({ event }) => event.explanation, isFlexible: true },
  ],
};

/** Prints letters as their messages die, until there were as many as asked for, or until SIGINT or SIGTERM. */
export async function followLetters(words: readonly string[], flags: FollowFlags, io: Io): Promise<ExitCode> {
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  try {
    await withClient(flags, io, (client) => printDying(client, words, flags, io, interrupt.signal));
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
  return exitCodes.ok;
}

/** Prints letters until there were as many as asked for, or until the signal is aborted. */
export async function printDying(
  client: Pick<Client, "deadLetters">,
  words: readonly string[],
  flags: FollowFlags,
  io: Pick<Io, "out">,
  signal: AbortSignal,
): Promise<void> {
  const printer = new ListPrinter(io.out, flags.output, deadKind);
  let left = flags.count ?? Number.POSITIVE_INFINITY;
  try {
    for await (const died of client.deadLetters.follow(filterOf(words, flags), { from: flags.from, signal })) {
      printer.print([died]);
      left -= 1;
      if (left === 0) return;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

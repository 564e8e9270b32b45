/** `statewright history`: the newest messages that an actor has handled. */
import type { HistoryEntry } from "../../actors/view.ts";
import { parseAddress } from "../../runtime/core/address.ts";
import { ActorNotFoundError } from "../../runtime/core/errors.ts";
import type { Outcome } from "../../runtime/core/records.ts";
import type { ConnectionFlags } from "../connection-flags.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { withClient } from "../open-client.ts";
import { type Kind, type OutputFormat, printList } from "../printer.ts";
import { shownState, shownTime } from "../shown-values.ts";
import type { Io, Style } from "../terminal.ts";

const styles: Readonly<Partial<Record<Outcome, Style>>> = {
  dead: "red",
  failed: "red",
  waiting: "yellow",
  ignored: "yellow",
  duplicate: "dim",
};

/** A handled message. */
const historyKind: Kind<HistoryEntry> = {
  id: (entry) => entry.message,
  json: (entry) => ({
    ...entry,
    at: shownTime(entry.at),
    ...(entry.failure === undefined
      ? {}
      : { failure: { ...entry.failure, retryAt: shownTime(entry.failure.retryAt) } }),
  }),
  columns: [
    { header: "revision", cell: (entry) => String(entry.revision) },
    { header: "when", cell: (entry) => shownTime(entry.at), isMinor: true },
    { header: "event", cell: (entry) => entry.event || "-", isFlexible: true },
    {
      header: "outcome",
      cell: shownOutcome,
      style: (entry) => styles[entry.outcome],
    },
    { header: "from", cell: (entry) => shownState(entry.from), isFlexible: true },
    { header: "to", cell: (entry) => shownState(entry.to), isFlexible: true },
    { header: "letter", cell: (entry) => entry.letter ?? "" },
    { header: "error", cell: (entry) => entry.failure?.error ?? "", isFlexible: true },
    {
      header: "again",
      cell: ({ failure }) => (failure === undefined ? "" : shownTime(failure.retryAt)),
      isMinor: true,
    },
    { header: "by", cell: (entry) => entry.by ?? "-", isFlexible: true, isMinor: true },
    { header: "message", cell: (entry) => entry.message, isMinor: true },
  ],
};

/** How a history is printed: without the columns for what none of its messages has. */
export function historyKindOf(entries: readonly HistoryEntry[]): Kind<HistoryEntry> {
  const absent = new Set([
    ...(entries.some(({ letter }) => letter !== undefined) ? [] : ["letter"]),
    ...(entries.some(({ failure }) => failure !== undefined) ? [] : ["error", "again"]),
  ]);
  return { ...historyKind, columns: historyKind.columns.filter(({ header }) => !absent.has(header)) };
}

function shownOutcome({ outcome, reason, failure }: HistoryEntry): string {
  if (failure !== undefined) return `${outcome} (attempt ${failure.attempt})`;
  return reason === undefined ? outcome : `${outcome} (${reason})`;
}

/** Prints an actor's history, oldest first. Errors: `ActorNotFoundError` when it has handled nothing. */
export async function history(
  actor: string,
  options: ConnectionFlags & { readonly output: OutputFormat; readonly last: number },
  io: Io,
): Promise<ExitCode> {
  parseAddress(actor);
  const entries = await withClient(options, io, (client) => client.history(actor, { last: options.last }));
  if (entries.length === 0) {
    throw new ActorNotFoundError(`Cannot show the history of ${actor}: it has not handled any message yet.`, {
      details: { actor },
    });
  }
  printList(io.out, options.output, historyKindOf(entries), entries);
  return exitCodes.ok;
}

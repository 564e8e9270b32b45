/** `statewright events`: what an actor emits, as it is committed. */
import type { Client, Emitted, EmittedOptions, UntypedEvent } from "../../actors/client.ts";
import { parseAddress } from "../../runtime/core/address.ts";
import type { ConnectionFlags } from "../connection-flags.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { withClient } from "../open-client.ts";
import { type Kind, ListPrinter, type OutputFormat } from "../printer.ts";
import { shownJson, shownTime } from "../shown-values.ts";
import type { Io } from "../terminal.ts";

/** What the options of `events` hold. */
export interface EventsFlags extends ConnectionFlags {
  readonly output: OutputFormat;
  readonly type?: string;
  readonly from: EmittedOptions["from"];
  readonly count?: number;
}

/** Wide enough for the sequences of most spaces: rows are printed one by one, and their columns stay where they are. */
const seqWidth = 9;

/** An emitted event. */
export const emittedKind: Kind<Emitted<UntypedEvent>> = {
  id: ({ id }) => id,
  json: ({ id, seq, at, event }) => ({ id, seq, at: shownTime(at), event }),
  columns: [
    { header: "seq", cell: ({ seq }) => String(seq).padEnd(seqWidth) },
    { header: "when", cell: ({ at }) => shownTime(at), isMinor: true },
    { header: "event", cell: ({ event }) => shownJson(event), isFlexible: true },
  ],
};

/** Prints events until there were as many as asked for, or until SIGINT or SIGTERM. */
export async function events(actor: string, flags: EventsFlags, io: Io): Promise<ExitCode> {
  parseAddress(actor);
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  try {
    await withClient(flags, io, (client) => printEvents(client, actor, flags, io, interrupt.signal));
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
  return exitCodes.ok;
}

/** Prints events until there were as many as asked for, or until the signal is aborted. */
export async function printEvents(
  client: Pick<Client, "emitted">,
  actor: string,
  { type = "*", from = "new", count = Number.POSITIVE_INFINITY, output }: EventsFlags,
  io: Pick<Io, "out">,
  signal: AbortSignal,
): Promise<void> {
  const printer = new ListPrinter(io.out, output, emittedKind);
  let left = count;
  try {
    for await (const emitted of client.emitted(actor, type, { from, signal })) {
      printer.print([emitted]);
      left -= 1;
      if (left === 0) return;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

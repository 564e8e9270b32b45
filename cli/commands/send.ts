/** `statewright send`: sends events, and prints the receipts. */
import type { Client, SendReceipt } from "../../actors/client.ts";
import { parseAddress } from "../../runtime/core/address.ts";
import { InvalidOptionsError } from "../../runtime/core/errors.ts";
import type { ConnectionFlags } from "../connection-flags.ts";
import { type GivenEvent, parseEvent, readAll, readEvent, readLines } from "../event-argument.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { messageOf } from "../failure.ts";
import { withClient } from "../open-client.ts";
import { type Kind, ListPrinter, type OutputFormat, printList } from "../printer.ts";
import type { Io } from "../terminal.ts";

/** What the options of `send` hold. */
export interface SendFlags extends ConnectionFlags {
  readonly output: OutputFormat;
  readonly data?: string;
  readonly key?: string;
  readonly timeout?: number;
  readonly lines?: boolean;
  readonly sender?: string;
  readonly allowUnknown?: boolean;
}

/** A receipt, with what was sent. */
export interface Sent {
  readonly actor: string;
  readonly event: string;
  readonly receipt: SendReceipt;
  /** Line of standard input that held the event. */
  readonly line?: number;
}

/** A confirmed send. */
export const sentKind: Kind<Sent> = {
  id: ({ receipt }) => receipt.message,
  json: ({ actor, event, receipt, line }) => ({ actor, event, ...receipt, ...(line === undefined ? {} : { line }) }),
  columns: [
    { header: "message", cell: ({ receipt }) => receipt.message },
    { header: "actor", cell: ({ actor }) => actor, isFlexible: true },
    { header: "event", cell: ({ event }) => event, isFlexible: true },
    { header: "partition", cell: ({ receipt }) => String(receipt.partition), isMinor: true },
    { header: "sequence", cell: ({ receipt }) => String(receipt.seq), isMinor: true },
    {
      header: "stored",
      cell: ({ receipt }) => (receipt.duplicate ? "before (duplicate)" : "yes"),
      style: ({ receipt }) => (receipt.duplicate ? "yellow" : "green"),
    },
  ],
};

/** How many lines may be under way at once. */
const maxUnderWay = 1000;

/** Sends one event, or with `--lines` one for each line of standard input. */
export async function send(actor: string, event: string | undefined, flags: SendFlags, io: Io): Promise<ExitCode> {
  parseAddress(actor);
  if (flags.lines === true) {
    if ((event ?? "-") !== "-" || flags.data !== undefined) {
      throw new InvalidOptionsError(
        "Cannot send: --lines reads the events from standard input, so leave out the event and --data.",
      );
    }
    return withClient(flags, io, (client) => sendLines(client, actor, flags, io), wishesOf(flags));
  }
  const given = await readGivenEvent(event, flags.data, io);
  const receipt = await withClient(
    flags,
    io,
    (client) => client.send(actor, given, callOptions(flags)),
    wishesOf(flags),
  );
  printList(io.out, flags.output, sentKind, [{ actor, event: given.type, receipt }]);
  return exitCodes.ok;
}

/** Reads the event and data arguments; either may be `-` for standard input. */
export async function readGivenEvent(event: string | undefined, data: string | undefined, io: Io): Promise<GivenEvent> {
  if (event === undefined)
    throw new InvalidOptionsError(
      "Cannot send: the event is missing. Use an event type, JSON, or - for standard input.",
    );
  if (event === "-" && data === "-")
    throw new InvalidOptionsError("Cannot send: only one of event and --data can come from standard input.");
  const givenData = data === "-" ? await readAll(io.stdin) : data;
  if (event !== "-") return readEvent(event, givenData);
  const text = (await readAll(io.stdin)).trim();
  // JSON only, so that an empty or broken file is not sent as the name of an event.
  return readEvent(JSON.stringify(parseEvent(text, "standard input")), givenData);
}

/** What the flags say about a call. */
export function callOptions(flags: { readonly key?: string; readonly timeout?: number }): {
  readonly key?: string;
  readonly timeout?: number;
} {
  return {
    ...(flags.key === undefined ? {} : { key: flags.key }),
    ...(flags.timeout === undefined ? {} : { timeout: flags.timeout }),
  };
}

/** What the flags say about the client. */
export function wishesOf(flags: { readonly sender?: string; readonly allowUnknown?: boolean }): {
  readonly sender?: string;
  readonly allowUnknownTypes?: boolean;
} {
  return {
    ...(flags.sender === undefined ? {} : { sender: flags.sender }),
    ...(flags.allowUnknown === undefined ? {} : { allowUnknownTypes: flags.allowUnknown }),
  };
}

/**
 * Sends line by line, many at once and in order, and prints the receipts in the order of the lines.
 *
 * *Details* The first line that fails ends the reading. What is under way then is still confirmed and printed, so that the receipts name all that is stored.
 */
async function sendLines(client: Client, actor: string, flags: SendFlags, io: Io): Promise<ExitCode> {
  const printer = new ListPrinter(io.out, flags.output, sentKind);
  const underWay: Array<Promise<void>> = [];
  const sent: Sent[] = [];
  const failures: Array<{ readonly line: number; readonly error: unknown }> = [];
  const drain = async () => {
    await Promise.all(underWay.splice(0));
    printer.print(sent.splice(0).sort((a, b) => (a.line as number) - (b.line as number)));
  };
  for await (const { text, number } of readLines(io.stdin)) {
    if (failures.length > 0) break;
    try {
      const event = parseEvent(text, "the event");
      const key = flags.key === undefined ? undefined : `${flags.key}:${number}`;
      const options = callOptions({ ...flags, ...(key === undefined ? {} : { key }) });
      underWay.push(
        client.send(actor, event, options).then(
          (receipt) => void sent.push({ actor, event: event.type, receipt, line: number }),
          (error: unknown) => void failures.push({ line: number, error }),
        ),
      );
    } catch (error) {
      failures.push({ line: number, error });
    }
    if (underWay.length >= maxUnderWay) await drain();
  }
  await drain();
  const first = failures.sort((a, b) => a.line - b.line)[0];
  if (first === undefined) return exitCodes.ok;
  const more = failures.length > 1 ? ` ${failures.length - 1} more lines failed.` : "";
  io.err.write(`Stopped at line ${first.line}; the receipts name what was stored.${more}\n`);
  if (!(first.error instanceof Error)) throw first.error;
  first.error.message = messageOf(first.error).replace(/^/, `Line ${first.line}: `);
  throw first.error;
}

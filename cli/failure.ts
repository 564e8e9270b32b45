/** Failures as the command line tells them: one or two sentences on standard error, or one JSON document. */
import { isStatewrightError } from "../runtime/core/errors.ts";
import type { OutputFormat } from "./printer.ts";
import { toPlain } from "./shown-values.ts";
import { paint, printable, type Terminal } from "./terminal.ts";

/** How a failure is told. */
export interface FailureStyle {
  readonly format: OutputFormat;
  /** Adds the stack and every cause. */
  readonly isVerbose: boolean;
}

/** Tells of a failure. */
export function tellFailure(err: Terminal, error: unknown, { format, isVerbose }: FailureStyle): void {
  const message = messageOf(error);
  if (format === "json") {
    const { tag, details } = isStatewrightError(error)
      ? { tag: error._tag, details: error.details }
      : { tag: error instanceof Error ? error.name : "NonError", details: {} };
    const stack = isVerbose && error instanceof Error ? { stack: error.stack } : {};
    err.write(`${JSON.stringify(toPlain({ error: { tag, message, details, ...stack } }))}\n`);
    return;
  }
  err.write(`${paint(err, "red", "error:")} ${linesOf(message)}\n`);
  if (isVerbose) err.write(`${paint(err, "dim", linesOf(stackOf(error)))}\n`);
}

// Some messages speak to those who write programs: what to do about it is another thing at the command line.
const inWordsOfTheCommandLine: ReadonlyArray<readonly [string, string]> = [
  ["or create the client with allowUnknownTypes to send ahead of it", "or send ahead of it with --allow-unknown"],
  ["Check that a nats-server runs there.", "Check that a nats-server runs there, or name another with --nats."],
];

/** What a failure says, in words that fit the command line. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return `Something failed with ${String(error)}.`;
  if (!isStatewrightError(error)) return error.message === "" ? error.name : error.message;
  return inWordsOfTheCommandLine.reduce((message, [from, to]) => message.replace(from, to), error.message);
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const cause = error.cause === undefined ? "" : `\ncaused by ${stackOf(error.cause) || String(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}

function linesOf(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

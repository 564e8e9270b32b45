/** `statewright dlq export` and `dlq import`: letters as lines of JSON. */
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { InvalidOptionsError } from "../../runtime/core/errors.ts";
import type { ConnectionFlags } from "../connection-flags.ts";
import { readLines } from "../event-argument.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { withClient } from "../open-client.ts";
import type { OutputFormat } from "../printer.ts";
import type { Io } from "../terminal.ts";
import { filterOf, type LetterFlags, tellNone } from "./dead-letters.ts";

/** Writes the letters that match to standard output, one a line. */
export async function exportLetters(words: readonly string[], flags: LetterFlags, io: Io): Promise<ExitCode> {
  let count = 0;
  await withClient(flags, io, async (client) => {
    for await (const letter of client.deadLetters.export(filterOf(words, flags))) {
      io.out.write(`${JSON.stringify(letter)}\n`);
      count++;
    }
  });
  if (count === 0) tellNone(words, flags, io);
  else io.err.write(`${count === 1 ? "1 letter" : `${count} letters`} exported.\n`);
  return exitCodes.ok;
}

/** Stores the letters of a file that are not there. */
export async function importLetters(
  file: string,
  flags: ConnectionFlags & { readonly output: OutputFormat },
  io: Io,
): Promise<ExitCode> {
  const lines = file === "-" ? io.stdin : await openFile(resolve(io.cwd, file));
  return withClient(flags, io, async (client) => {
    const report = await client.deadLetters.import(numbered(lines));
    const { added, skipped, refused } = report;
    if (flags.output === "json") io.out.write(`${JSON.stringify(report)}\n`);
    else {
      const there = skipped === 0 ? "" : `, ${skipped} had been there before`;
      const wrong = refused.length === 0 ? "" : `, ${refused.length} refused`;
      io.out.write(`Imported: ${added} added${there}${wrong}.\n`);
      for (const { line, why } of refused) io.err.write(`line ${line}: ${why}\n`);
    }
    return refused.length === 0 ? exitCodes.ok : exitCodes.failed;
  });
}

/** Opens a file before anything else is done. Errors: `InvalidOptionsError`. */
async function openFile(path: string): Promise<AsyncIterable<Uint8Array>> {
  try {
    const handle = await open(path);
    if ((await handle.stat()).isFile()) return handle.createReadStream();
    await handle.close();
  } catch (cause) {
    throw new InvalidOptionsError(`Cannot import dead letters: ${(cause as Error).message}.`, { cause });
  }
  throw new InvalidOptionsError(`Cannot import dead letters: ${path} is no file.`);
}

/** All lines, those that are empty too: the numbers of lines are told. */
async function* numbered(input: AsyncIterable<string | Uint8Array>): AsyncGenerator<string> {
  let next = 1;
  for await (const { text, number } of readLines(input)) {
    for (; next < number; next++) yield "";
    yield text;
    next++;
  }
}

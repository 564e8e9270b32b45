/** `statewright version`. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import type { OutputFormat } from "../printer.ts";
import type { Io } from "../terminal.ts";

/** Prints the versions of Statewright and Node. */
export async function version(options: { readonly output: OutputFormat }, io: Io): Promise<ExitCode> {
  const own = ownVersion();
  const node = process.version.slice(1);
  if (options.output === "json")
    io.out.write(`${JSON.stringify({ statewright: own, node, platform: `${process.platform}-${process.arch}` })}\n`);
  else if (options.output === "ids") io.out.write(`${own}\n`);
  else io.out.write(`statewright ${own} (node ${node}, ${process.platform}-${process.arch})\n`);
  return exitCodes.ok;
}

/** Reads the version from the package that this file belongs to, built or not. */
function ownVersion(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== dirname(folder); folder = dirname(folder)) {
    const path = join(folder, "package.json");
    if (!existsSync(path)) continue;
    const { name, version: found } = JSON.parse(readFileSync(path, "utf8")) as { name?: string; version?: string };
    if (name === "statewright" && found !== undefined) return found;
  }
  return "unknown";
}

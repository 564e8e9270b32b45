/**
 * Script: makes sure that a usable nats-server is on this machine, and says what it does.
 *
 * The last line of stdout is the path of the binary; progress goes to stderr. Exits with 1 and the reasons when no
 * server can be had.
 */
import { isStatewrightError } from "../core/errors.ts";
import { ensureServer } from "./fetch-server.ts";

try {
  const server = await ensureServer({ progress: (line) => process.stderr.write(`${line}\n`) });
  process.stdout.write(`${server.path}\n`);
} catch (error) {
  process.stderr.write(`${isStatewrightError(error) ? error.message : (error as Error).stack}\n`);
  process.exitCode = 1;
}

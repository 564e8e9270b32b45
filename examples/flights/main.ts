/**
 * The demo: `npm run demo`, or `npm run demo -- --help`. This file starts it and ends what it has started; the story is in demo.ts.
 *
 * Exit code 0: everything was proven. 1: something was not, and the output says what. 2: the options cannot be used.
 */
import { runDemo } from "./demo.ts";
import { readOptions } from "./options.ts";
import { Progress } from "./progress.ts";

const options = readOptions(process.argv.slice(2));
const progress = new Progress();
const cleanUps: Array<() => Promise<unknown>> = [];
let ending: Promise<void> | undefined;

for (const [signal, exitCode] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  process.on(signal, () => {
    progress.end();
    progress.say("Stopping nodes and server");
    void end(exitCode);
  });
}

try {
  const isProven = await runDemo(options, progress, (cleanUp) => cleanUps.push(cleanUp));
  await end(isProven ? 0 : 1);
} catch (error) {
  // What fails while everything is being stopped is no news.
  if (ending === undefined)
    progress.say(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
  await end(1);
}

/** Ends everything that was started, newest first, and then this process. */
function end(exitCode: number): Promise<void> {
  ending ??= (async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp().catch(() => {});
    process.exit(exitCode);
  })();
  return ending;
}

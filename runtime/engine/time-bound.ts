/**
 * Runs what may not come to an end.
 *
 * The only way to end code that never returns, from within its own thread, is a script with a timeout: it ends whatever the script has called. What is ended
 * so does not even get to its `finally`: only for code that leaves nothing half done behind that others see.
 */
import { type Context, createContext, Script } from "node:vm";

/** Thrown when the time is over. */
export class TimeOver extends Error {
  constructor(limitMs: number) {
    super(`It did not come to its end within ${limitMs} ms.`);
    this.name = "TimeOver";
  }
}

const script = new Script("run()");
let sandbox: (Context & { run?: () => void }) | undefined;

/** Runs a synchronous function for so long at most, and returns what it returns. Throws what it throws, or {@link TimeOver}. */
export function timeBound<R>(limitMs: number, run: () => R): R {
  sandbox ??= createContext({});
  let result: { readonly value: R } | undefined;
  sandbox.run = () => {
    result = { value: run() };
  };
  try {
    script.runInContext(sandbox, { timeout: limitMs });
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code === "ERR_SCRIPT_EXECUTION_TIMEOUT") throw new TimeOver(limitMs);
    throw error;
  } finally {
    sandbox.run = undefined as never;
  }
  return (result as { readonly value: R }).value;
}

/**
 * A node that runs sagas, as a process of its own: `saga-process.ts <NodeOptions as JSON> <Trouble as JSON> <file>`.
 *
 * What its services do is in the file, a line for each call, on disk before the call returns. With `SAGA_KILL=<n>` it kills itself at the n-th instant around a call.
 */
import { appendFileSync, closeSync, fsyncSync, openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { startNode } from "../../index.ts";
import type { ServiceCall } from "../workflows/saga-ledger.ts";
import { orderSaga, type Trouble } from "../workflows/saga-order.ts";

/** A line of the file. */
export type LedgerLine = ServiceCall & { readonly doKey: string };

const [options, trouble, file] = process.argv.slice(2) as [string, string, string];

function write(line: LedgerLine): void {
  const handle = openSync(file, "a");
  appendFileSync(handle, `${JSON.stringify(line)}\n`);
  fsyncSync(handle);
  closeSync(handle);
}

let left = Number(process.env.SAGA_KILL ?? Number.POSITIVE_INFINITY);
const order = orderSaga(
  {
    do(step, key) {
      write({ step, what: "do", key, doKey: key });
      return `${step} done`;
    },
    undo: (step, key, doKey) => write({ step, what: "undo", key, doKey }),
  },
  JSON.parse(trouble) as Trouble,
  (ms) => sleep(ms),
  () => {
    if (--left === 0) process.kill(process.pid, "SIGKILL");
  },
);
const node = await startNode({ ...JSON.parse(options), actors: [order], onEvent: () => {} });
process.send?.("ready");
process.on("disconnect", () => process.exit(0));
node.failed.catch(() => process.exit(1));

/**
 * One node process of the demo: `node.ts <name> <version> <servers> <space>`. It runs the airports of its share of the partitions.
 *
 * The rest of this file is for the demo's numbers: the node reports to the process that started it, and ends with it.
 */
import { type NodeEvent, type NodeStats, startNode } from "../../index.ts";
import { defineAirport, type Version } from "./airport.ts";

/** What a node process tells the runner. */
export type NodeReport =
  | { readonly kind: "stats"; readonly stats: NodeStats }
  | { readonly kind: "event"; readonly event: NodeEvent; readonly at: number }
  | { readonly kind: "failed"; readonly message: string };

/** What the runner tells a node process. `stay`: run on when the runner ends. */
export type NodeOrder = "stop" | "stay";

const [name, version, servers, space] = process.argv.slice(2) as [string, Version, string, string];
const report = (message: NodeReport) => {
  if (process.connected) process.send?.(message);
};

const node = await startNode({
  name,
  servers,
  space,
  actors: [defineAirport(version)],
  // The runner says what there is to say about the server.
  assumeSyncAlways: true,
  onEvent: ({ level, name, message, data }) => {
    // Errors inside `data` do not survive the way to the runner.
    const event = { level, name, message, ...(name === "partition.opened" && data !== undefined ? { data } : {}) };
    if (level !== "debug" && name !== "message.dead") report({ kind: "event", event, at: Date.now() });
  },
}).catch(fail);

const reportStats = () => report({ kind: "stats", stats: node.stats() });
const reporting = setInterval(reportStats, 100);
reportStats();

let mayStay = false;
let isStopping = false;
process.on("message", (order: NodeOrder) => {
  if (order === "stop") void stop();
  else mayStay = true;
});
process.on("disconnect", () => {
  if (mayStay) clearInterval(reporting);
  else void stop();
});
process.on("SIGTERM", () => void stop());
process.on("SIGINT", () => void stop());
node.failed.catch(fail);

async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  // When the server went away together with the runner, there is nothing to hand over to.
  setTimeout(() => process.exit(1), 15_000).unref();
  await node.stop();
  clearInterval(reporting);
  reportStats();
  if (process.connected) process.disconnect();
}

function fail(error: unknown): never {
  report({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
  process.exit(1);
}

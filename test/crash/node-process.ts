/**
 * One node of a crash test, as a process of its own: `node-process.ts <NodeOptions as JSON> <Flaws as JSON>`.
 *
 * It tells the process that started it what happens, answers when it is asked for its numbers, stops in good order on SIGTERM, and ends with it.
 */
import { type NodeEvent, type NodeOptions, type NodeStats, startNode } from "../../index.ts";
import { ActorNode } from "../../runtime/engine/node.ts";
import { openJetStreamLog } from "../../runtime/jetstream/jetstream-log.ts";
import { actors } from "./actors.ts";
import { deafen } from "./deaf-log.ts";

/** What a node process tells. */
export type Told =
  | { readonly kind: "ready" }
  | { readonly kind: "stats"; readonly stats: NodeStats }
  | {
      readonly kind: "event";
      readonly level: string;
      readonly name: string;
      readonly message: string;
      readonly partition: number | undefined;
      readonly from: string | undefined;
    }
  | { readonly kind: "failed"; readonly message: string };

/** What is wrong with a node. */
export interface Flaws {
  /** Added to the time of day. */
  readonly skewMs?: number;
  /** How fast the monotonic clock runs, compared with a right one. */
  readonly rate?: number;
  /** It learns so much later than others who owns which partition. */
  readonly deafMs?: number;
}

const flaws = JSON.parse(process.argv[3] ?? "{}") as Flaws;
setClock(flaws);
const options = JSON.parse(process.argv[2] as string) as Omit<NodeOptions, "actors">;
const say = (told: Told) => {
  if (process.connected) process.send?.(told);
};
const fail = (error: unknown): never => {
  say({ kind: "failed", message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  process.exit(1);
};
process.on("unhandledRejection", fail);

const onEvent = ({ level, name, message, data }: NodeEvent) => {
  if (level === "debug") return;
  const { partition, from } = (data ?? {}) as { partition?: number; from?: string };
  say({ kind: "event", level, name, message, partition, from });
};
const node = await (flaws.deafMs === undefined
  ? startNode({ ...options, actors, assumeSyncAlways: true, onEvent })
  : startDeafNode(flaws.deafMs)
).catch(fail);
node.failed.catch(fail);

process.on("message", () => say({ kind: "stats", stats: node.stats() }));
process.on("disconnect", () => process.exit(1));
process.on("SIGTERM", () => {
  node.stop().then(() => {
    say({ kind: "stats", stats: node.stats() });
    process.disconnect();
    process.exit(0);
  }, fail);
});
say({ kind: "ready" });

async function startDeafNode(deafMs: number): Promise<ActorNode> {
  const { servers, space = "", name = "", lease } = options;
  const opened = await openJetStreamLog({ servers: servers as string, space, name, assumeSyncAlways: true });
  const deaf = new ActorNode({
    log: deafen(opened.log, space, deafMs),
    spaceName: space,
    space: opened.space,
    definitions: actors,
    node: name,
    settings: { leaseMs: lease as number, heartbeatMs: (lease as number) / 4 },
    onEvent,
  });
  await deaf.start();
  return deaf;
}

function setClock({ skewMs = 0, rate = 1 }: Flaws): void {
  const timeOfDay = Date.now;
  const elapsed = performance.now.bind(performance);
  Date.now = () => timeOfDay() + skewMs;
  performance.now = () => elapsed() * rate;
}

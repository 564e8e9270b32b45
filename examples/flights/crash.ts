/** The crash in the middle of the run: a node is killed, and started again. */
import { setTimeout as delay } from "node:timers/promises";
import type { Fleet } from "./fleet.ts";

/** What the crash looked like from outside. */
export interface Crash {
  readonly node: string;
  /** How many partitions the node had. */
  readonly partitions: number;
  /** From the signal until the last of them was served again, by another node where there is one. */
  readonly takeoverMs: number;
}

const patienceMs = 60_000;

/** Kills the last node, waits until its partitions are served again, and starts it again. */
export async function killOneNode(fleet: Fleet, say: (line: string) => void): Promise<Crash> {
  const node = fleet.names.at(-1) as string;
  const partitions = fleet.partitionsOf(node);
  const isAlone = fleet.names.length === 1;
  const killedAt = Date.now();
  await fleet.kill(node);
  say(`  ${node} is killed (SIGKILL): ${partitions.length} partitions have no owner`);
  if (isAlone) await fleet.start(node, "before");
  let servedAt: number | undefined;
  while (servedAt === undefined) {
    if (Date.now() - killedAt > patienceMs) throw new Error(`nobody took over the partitions of ${node}`);
    await Promise.race([delay(20), fleet.failed]);
    servedAt = fleet.takenOver(node, partitions);
  }
  const takeoverMs = servedAt - killedAt;
  say(
    `  All of them are served again after ${(takeoverMs / 1000).toFixed(1)} s, by ${isAlone ? "the same node, started again" : "other nodes"}`,
  );
  if (!isAlone) {
    await fleet.start(node, "before");
    say(`  ${node} takes part again`);
  }
  return { node, partitions: partitions.length, takeoverMs };
}

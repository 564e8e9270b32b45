/** What a passivated actor costs in a node's memory. */
import { fork } from "node:child_process";
import { connect } from "../index.ts";
import { askedActor } from "./actors.ts";
import type { Result } from "./results.ts";

const actors = 20_000;

/** Creates actors, lets them leave memory, and compares the heap before and after. */
export async function measureMemory(url: string, _runs: number, note: (line: string) => void): Promise<Result[]> {
  const space = "bench-memory";
  const child = fork(new URL("./worker.ts", import.meta.url), ["memory", url, space, String(actors)], {
    execArgv: ["--expose-gc", "--import", "tsx"],
  });
  const reports: Array<{ readonly heapBytes: number; readonly idleActors: number }> = [];
  const report = () =>
    new Promise<void>((resolve, reject) => {
      child.once("message", (message) => {
        reports.push(message as (typeof reports)[number]);
        resolve();
      });
      child.once("exit", () => reject(new Error("The node process ended before it had reported.")));
    });
  await report();
  const client = await connect({ servers: url, space, assumeSyncAlways: true, actors: [askedActor] });
  const sends: Promise<unknown>[] = [];
  for (let i = 0; i < actors; i++) sends.push(client.send(askedActor.ref(`a${i}`), { type: "ADD" }));
  await Promise.all(sends);
  await report();
  await report();
  await client.close();
  child.kill();
  const [before, active, after] = reports as [(typeof reports)[0], (typeof reports)[0], (typeof reports)[0]];
  note(`memory: ${active.idleActors} actors in memory, then ${after.idleActors}`);
  const perActor = (bytes: number): number => Math.round((bytes - before.heapBytes) / actors);
  return [
    { workload: "memory-cached", subject: "statewright", bytesPerActor: perActor(active.heapBytes) },
    { workload: "memory-passivated", subject: "statewright", bytesPerActor: perActor(after.heapBytes) },
  ];
}

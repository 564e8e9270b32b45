/** How long an `ask` takes with one in flight, beside one bare publish that the server flushes to disk, in the same run. */
import { fork } from "node:child_process";
import { connect } from "../index.ts";
import { openJetStreamLog } from "../runtime/jetstream/jetstream-log.ts";
import { askedActor } from "./actors.ts";
import { median, quantile, type Result } from "./results.ts";

const round = 200;

/** Measures rounds of asks and of publishes in turn. */
export async function measureAsk(url: string, runs: number, note: (line: string) => void): Promise<Result[]> {
  const space = "bench-ask";
  const opened = await openJetStreamLog({
    servers: url,
    space,
    assumeSyncAlways: true,
    maxCoreBytes: 2 ** 30,
    maxIngressBytes: 2 ** 28,
  });
  const child = fork(new URL("./worker.ts", import.meta.url), ["ask", url, space, "0"], {
    execArgv: ["--import", "tsx"],
  });
  await new Promise((resolve, reject) => {
    child.once("message", resolve);
    child.once("exit", () => reject(new Error("The node process ended before it was ready.")));
  });
  const client = await connect({ servers: url, space, assumeSyncAlways: true, actors: [askedActor] });
  const bare = Buffer.alloc(300, "x");
  const asks: number[] = [];
  const publishes: number[] = [];
  const ratios: number[] = [];
  for (let run = 0; run <= runs; run++) {
    const asked: number[] = [];
    const published: number[] = [];
    for (let i = 0; i < round; i++) {
      const startMs = performance.now();
      await client.ask(askedActor.ref(`a${i % 10}`), { type: "ADD" });
      asked.push(performance.now() - startMs);
    }
    for (let i = 0; i < round; i++) {
      const startMs = performance.now();
      const result = await opened.log.append("core", [{ subject: `sw.${space}.core.bench.${i % 10}`, data: bare }]);
      if (result._tag !== "Appended") throw new Error(`A bare publish ended with ${result._tag}.`);
      published.push(performance.now() - startMs);
    }
    note(
      `ask ${run === 0 ? "warm-up" : `run ${run}`}: ask p50 ${quantile(asked, 0.5).toFixed(2)} ms, bare publish p50 ${quantile(published, 0.5).toFixed(2)} ms`,
    );
    if (run === 0) continue;
    asks.push(...asked);
    publishes.push(...published);
    ratios.push(quantile(asked, 0.5) / quantile(published, 0.5));
  }
  await client.close();
  child.send("stop");
  await new Promise((resolve) => child.once("exit", resolve));
  await opened.close();
  const figures = (values: number[]) => ({
    p50Ms: Number(quantile(values, 0.5).toFixed(2)),
    p99Ms: Number(quantile(values, 0.99).toFixed(2)),
  });
  return [
    { workload: "ask", subject: "floor", ...figures(publishes) },
    { workload: "ask", subject: "statewright", ...figures(asks), ratioToFloor: Number(median(ratios).toFixed(2)) },
  ];
}

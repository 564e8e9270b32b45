/** Messages per second of actors without a state record, beside the same actors with one. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { partitionOf } from "../runtime/core/address.ts";
import { encodeEnvelope } from "../runtime/core/envelope.ts";
import { Subjects } from "../runtime/core/subjects.ts";
import { openJetStreamLog } from "../runtime/jetstream/jetstream-log.ts";
import { median, type Result } from "./results.ts";

const messages = 40_000;
const keys = 10_000;
const perAppend = 500;
const deliveries = ["effectively-once", "at-most-once"] as const;

/**
 * Runs a node for the one type and the other in turn. It is stopped (SIGSTOP) while it is sent to, for what was stored before it began would be skipped; the time is
 * from its waking to the last message handled.
 */
export async function measureVolatile(url: string, runs: number, note: (line: string) => void): Promise<Result[]> {
  const rates = new Map<string, number[]>(deliveries.map((delivery) => [delivery, []]));
  for (let run = 0; run <= runs; run++) {
    for (const delivery of run % 2 === 0 ? deliveries : [...deliveries].reverse()) {
      const { rate, cpuMicros } = await measureOnce(url, `bench-v${run}-${delivery.slice(0, 2)}`, delivery);
      note(
        `volatile ${run === 0 ? "warm-up" : `run ${run}`}: ${delivery} ${rate.toFixed(0)}/s, ${cpuMicros.toFixed(0)} µs of the node's processor for each`,
      );
      if (run > 0) rates.get(delivery)?.push(rate);
    }
  }
  return deliveries.map((delivery) => ({
    workload: "volatile",
    subject: delivery,
    perSecond: Math.round(median(rates.get(delivery) as number[])),
  }));
}

async function measureOnce(url: string, space: string, delivery: string): Promise<{ rate: number; cpuMicros: number }> {
  const opened = await openJetStreamLog({
    servers: url,
    space,
    assumeSyncAlways: true,
    maxCoreBytes: 2 ** 30,
    maxIngressBytes: 2 ** 28,
  });
  const worker = fork(new URL("./worker.ts", import.meta.url), ["read", url, space, String(messages)], {
    execArgv: ["--import", "tsx"],
  });
  await once(worker, "message");
  const done = once(worker, "message");
  worker.kill("SIGSTOP");
  const subjects = new Subjects(space);
  const sentAt = Date.now();
  const appends: Array<Promise<void>> = [];
  for (let from = 0; from < messages; from += perAppend) {
    const records = Array.from({ length: perAppend }, (_, i) => {
      const n = from + i;
      const to = { type: delivery, id: `k${n % keys}` };
      return {
        subject: subjects.ingress("bench", partitionOf(to, opened.space.partitions), to, `m${n}`),
        data: encodeEnvelope({ format: 1, kind: "event", id: `m${n}`, event: { type: "ADD" }, sentAt }),
      };
    });
    appends.push(
      opened.log.append("ingress", records).then((result) => {
        if (result._tag !== "Appended") throw new Error(`Loading messages ended with ${result._tag}.`);
      }),
    );
    if (appends.length % 4 === 0) await Promise.all(appends.splice(0));
  }
  await Promise.all(appends);
  const startedMs = performance.now();
  worker.kill("SIGCONT");
  const [{ cpuMs }] = (await done) as [{ readonly cpuMs: number }];
  const tookMs = performance.now() - startedMs;
  await once(worker, "exit");
  await opened.log.purge("core", subjects.all("core"));
  await opened.log.purge("ingress", subjects.all("ingress"));
  await opened.close();
  return { rate: messages / (tookMs / 1000), cpuMicros: (cpuMs * 1000) / messages };
}

/** Messages per second of one node process, beside the floor in the same run. */
import { fork } from "node:child_process";
import type { NodeStats } from "../index.ts";
import { partitionOf } from "../runtime/core/address.ts";
import { encodeEnvelope } from "../runtime/core/envelope.ts";
import { Subjects } from "../runtime/core/subjects.ts";
import { openJetStreamLog } from "../runtime/jetstream/jetstream-log.ts";
import { median, type Result } from "./results.ts";

/** What a throughput workload is like. */
export interface ThroughputWorkload {
  readonly workload: string;
  readonly keys: number;
  readonly messages: number;
  readonly runs: number;
}

/** Runs the node and the floor in turn, each on a fresh space with the same messages waiting. */
export async function measureThroughput(
  url: string,
  workload: ThroughputWorkload,
  note: (line: string) => void,
): Promise<Result[]> {
  const { keys, messages, runs } = workload;
  const nodeRates: number[] = [];
  const floorRates: number[] = [];
  const ratios: number[] = [];
  // The first round warms up server and disk and does not count.
  for (let run = 0; run <= runs; run++) {
    const rates: Record<string, number> = {};
    for (const mode of run % 2 === 0 ? ["floor", "node"] : ["node", "floor"]) {
      const space = `bench-${workload.workload}-${run}-${mode}`;
      const opened = await openJetStreamLog({
        servers: url,
        space,
        assumeSyncAlways: true,
        maxCoreBytes: 2 ** 30,
        maxIngressBytes: 2 ** 28,
      });
      await load(opened, space, keys, messages);
      const { tookMs } = await runWorker(mode, url, space, messages * 2);
      rates[mode] = (messages * 2) / (tookMs / 1000);
      await opened.log.purge("core", new Subjects(space).all("core"));
      await opened.log.purge("ingress", new Subjects(space).all("ingress"));
      await opened.close();
    }
    note(
      `${workload.workload} ${run === 0 ? "warm-up" : `run ${run}`}: statewright ${rates.node?.toFixed(0)}/s, floor ${rates.floor?.toFixed(0)}/s`,
    );
    if (run === 0) continue;
    nodeRates.push(rates.node as number);
    floorRates.push(rates.floor as number);
    ratios.push((rates.node as number) / (rates.floor as number));
  }
  return [
    { workload: workload.workload, subject: "floor", perSecond: Math.round(median(floorRates)) },
    {
      workload: workload.workload,
      subject: "statewright",
      perSecond: Math.round(median(nodeRates)),
      ratioToFloor: Number(median(ratios).toFixed(2)),
    },
  ];
}

/** Stores messages for so many counters; `amount` for all of them, or one that differs from message to message. */
export async function load(
  opened: Awaited<ReturnType<typeof openJetStreamLog>>,
  space: string,
  keys: number,
  messages: number,
  amount?: number,
): Promise<void> {
  const name = amount === undefined ? "m" : "first";
  const subjects = new Subjects(space);
  const { partitions } = opened.space;
  const sentAt = Date.now();
  for (let from = 0; from < messages; from += 500) {
    const records = Array.from({ length: Math.min(500, messages - from) }, (_, i) => {
      const n = from + i;
      const to = { type: "counter", id: `k${n % keys}` };
      const event = { type: "ADD", amount: amount ?? 1 + (n % 7), id: `s${n % keys}` };
      return {
        subject: subjects.ingress("bench", partitionOf(to, partitions), to, `${name}${n}`),
        data: encodeEnvelope({ format: 1, kind: "event", id: `${name}${n}`, event, sentAt }),
      };
    });
    const result = await opened.log.append("ingress", records);
    if (result._tag !== "Appended") throw new Error(`Loading messages ended with ${result._tag}.`);
  }
}

/** What a worker tells when it has handled all. */
interface WorkerReport {
  readonly tookMs: number;
  readonly counters?: NodeStats["counters"];
}

/** Runs a worker process until it has handled what is expected. */
export function runWorker(mode: string, url: string, space: string, expected: number): Promise<WorkerReport> {
  return new Promise((resolve, reject) => {
    const child = fork(new URL("./worker.ts", import.meta.url), [mode, url, space, String(expected)], {
      execArgv: ["--import", "tsx", ...(process.env.PROF ? ["--cpu-prof", "--cpu-prof-dir=/tmp/prof"] : [])],
    });
    let report: WorkerReport | undefined;
    child.on("message", (message) => {
      report = message as WorkerReport;
    });
    child.on("exit", (code) => {
      if (report === undefined) reject(new Error(`The ${mode} process ended with code ${code} and no report.`));
      else resolve(report);
    });
  });
}

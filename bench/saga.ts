/** Sagas of three steps: how many a second one node brings to their end, how long each takes, and what 10,000 at once take in memory. */
import { type ChildProcess, fork } from "node:child_process";
import { connect } from "../index.ts";
import { decodeRecord, type StateRecord } from "../runtime/core/records.ts";
import { Subjects } from "../runtime/core/subjects.ts";
import { type JetStreamLog, openJetStreamLog } from "../runtime/jetstream/jetstream-log.ts";
import type { AppendRecord } from "../runtime/log/log.ts";
import { bookingSaga } from "./actors.ts";
import { median, quantile, type Result } from "./results.ts";

const sagas = 10_000;
/** How many are under way at once where latencies are measured. */
const windowed = 100;
const windowedSagas = 2000;
/** What one saga writes: its start, three tasks, three results, and a state for each message. */
const recordsPerSaga = 11;

interface Run {
  readonly perSecond: number;
  readonly latenciesMs: readonly number[];
  readonly peakRssMb: number;
  readonly peakHeapMb: number;
  readonly floorPerSecond: number;
}

/** Each run has a space of its own; the node is a process of its own, the sagas are started by this one. */
export async function measureSaga(url: string, runs: number, note: (line: string) => void): Promise<Result[]> {
  const crowds: Run[] = [];
  const windows: Run[] = [];
  for (let run = 0; run <= runs; run++) {
    const crowd = await runSagas(url, `bench-saga-${run}`, sagas, sagas);
    const some = await runSagas(url, `bench-saga-w${run}`, windowedSagas, windowed);
    note(
      `saga ${run === 0 ? "warm-up" : `run ${run}`}: ${crowd.perSecond.toFixed(0)}/s with ${sagas} at once (floor ${crowd.floorPerSecond.toFixed(0)}/s, peak ${crowd.peakRssMb.toFixed(0)} MB resident, ${crowd.peakHeapMb.toFixed(0)} MB of heap), ${some.perSecond.toFixed(0)}/s with ${windowed} at once`,
    );
    if (run === 0) continue;
    crowds.push(crowd);
    windows.push(some);
  }
  return [floorOf(crowds), resultOf(`${sagas} at once`, crowds), resultOf(`${windowed} at once`, windows)];
}

function floorOf(runs: readonly Run[]): Result {
  const perSecond = Math.round(median(runs.map((run) => run.floorPerSecond)));
  return { workload: "saga", subject: "floor", perSecond };
}

function resultOf(subject: string, runs: readonly Run[]): Result {
  const over = (share: number): number =>
    Number(median(runs.map(({ latenciesMs }) => quantile(latenciesMs, share))).toFixed(0));
  return {
    workload: "saga",
    subject,
    perSecond: Math.round(median(runs.map(({ perSecond }) => perSecond))),
    p50Ms: over(0.5),
    p99Ms: over(0.99),
    ratioToFloor: Number(median(runs.map((run) => run.perSecond / run.floorPerSecond)).toFixed(2)),
    peakRssMb: Math.round(median(runs.map(({ peakRssMb }) => peakRssMb))),
    peakHeapMb: Math.round(median(runs.map(({ peakHeapMb }) => peakHeapMb))),
  };
}

async function runSagas(url: string, space: string, count: number, atOnce: number): Promise<Run> {
  const opened = await openJetStreamLog({
    servers: url,
    space,
    assumeSyncAlways: true,
    maxCoreBytes: 2 ** 30,
    maxIngressBytes: 2 ** 28,
  });
  const node = runNode(url, space);
  await node.next();
  const client = await connect({ servers: url, space, assumeSyncAlways: true, actors: [bookingSaga] });
  const begun = new Map<string, number>();
  const latenciesMs: number[] = [];
  let onEnd = (): void => {};
  const watching = watchEnds(opened, space, (key) => {
    const sinceMs = begun.get(key);
    if (sinceMs === undefined) return;
    begun.delete(key);
    latenciesMs.push(performance.now() - sinceMs);
    onEnd();
  });
  await watching.ready;
  const startedMs = performance.now();
  for (let n = 0; n < count; n++) {
    while (begun.size >= atOnce) {
      await new Promise<void>((resolve) => {
        onEnd = resolve;
      });
    }
    begun.set(`b${n}`, performance.now());
    void bookingSaga.start(client, { n }, { timeout: "5 minutes" }).catch((error) => watching.fail(error));
  }
  while (latenciesMs.length < count) {
    await Promise.race([
      watching.failed,
      new Promise<void>((resolve) => {
        onEnd = resolve;
      }),
    ]);
  }
  const tookMs = performance.now() - startedMs;
  watching.stop();
  const { peakRssMb, peakHeapMb } = (await node.end()) as { readonly peakRssMb: number; readonly peakHeapMb: number };
  await client.close();
  const floorMs = await floor(opened, space, count);
  const subjects = new Subjects(space);
  await opened.log.purge("core", subjects.all("core"));
  await opened.log.purge("ingress", subjects.all("ingress"));
  await opened.close();
  const perSecond = (ms: number): number => (count * 1000) / ms;
  return { perSecond: perSecond(tookMs), latenciesMs, peakRssMb, peakHeapMb, floorPerSecond: perSecond(floorMs) };
}

/** Tells of every saga that has ended, by one reader of all states. */
function watchEnds({ log }: JetStreamLog, space: string, onEnd: (key: string) => void) {
  const subjects = new Subjects(space);
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {});
  const reader = log.read("core", {
    filters: [subjects.states("booking")],
    from: "new",
    onRecord: ({ subject, data }) => {
      const { status } = decodeRecord<StateRecord>("a state", data);
      if (status === "error") fail(new Error(`A saga has failed: ${Buffer.from(data).toString()}`));
      const key = subjects.parseRecord(subject)?.address.id;
      if (status === "done" && key !== undefined) onEnd(key);
    },
    onError: (error) => fail(error),
  });
  return { ready: reader.ready, stop: () => reader.stop(), failed, fail: (error: unknown) => fail(error) };
}

/** As many records as the sagas have written, with the size of their last states, one batch after the other: no reading, no fences, no workers. */
async function floor({ log }: JetStreamLog, space: string, count: number): Promise<number> {
  const subjects = new Subjects(space);
  let data: Uint8Array = Buffer.alloc(1000);
  for await (const record of log.scan("core", subjects.states("booking"), { lastPerSubject: true })) {
    ({ data } = record);
    break;
  }
  const startedMs = performance.now();
  const total = count * recordsPerSaga;
  for (let from = 0; from < total; from += 1000) {
    const records: AppendRecord[] = Array.from({ length: Math.min(1000, total - from) }, (_, i) => ({
      subject: `${subjects.root}.core.0.topic.floor.${from + i}`,
      data,
    }));
    const result = await log.append("core", records);
    if (result._tag !== "Appended") throw new Error(`The floor's batch ended with ${result._tag}.`);
  }
  return performance.now() - startedMs;
}

function runNode(url: string, space: string): { readonly next: () => Promise<unknown>; end(): Promise<unknown> } {
  const child: ChildProcess = fork(new URL("./worker.ts", import.meta.url), ["saga", url, space, "0"], {
    execArgv: ["--import", "tsx"],
  });
  const next = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      child.once("message", resolve);
      child.once("exit", (code) => reject(new Error(`The node's process ended with code ${code} and no report.`)));
    });
  return {
    next,
    end: async () => {
      const told = next();
      child.send("end");
      const report = await told;
      await new Promise((resolve) => child.once("exit", resolve));
      return report;
    },
  };
}

/** How late timers are, and what a takeover costs when many more are stored that are due in a year. */
import { type ChildProcess, fork } from "node:child_process";
import { connect } from "../index.ts";
import { partitionOf } from "../runtime/core/address.ts";
import { type CheckpointRecord, encodeRecord, recordFormat, type TimerRecord } from "../runtime/core/records.ts";
import { Subjects } from "../runtime/core/subjects.ts";
import { Latencies } from "../runtime/engine/histogram.ts";
import { type JetStreamLog, openJetStreamLog } from "../runtime/jetstream/jetstream-log.ts";
import { timerActor } from "./actors.ts";
import { median, type Result } from "./results.ts";

const timers = 2000;
const spreadMs = 10_000;
const headStartMs = 3000;
const yearMs = 365 * 24 * 3_600_000;
const farCounts = [0, 100_000, 1_000_000];

/** 2,000 timers over 10 s, then takeovers with none, 100,000 and 1,000,000 far timers stored. */
export async function measureTimers(url: string, runs: number, note: (line: string) => void): Promise<Result[]> {
  const results = [await measureLateness(url, runs, note)];
  for (const far of farCounts) results.push(await measureTakeover(url, far, runs, note));
  return results;
}

async function measureLateness(url: string, runs: number, note: (line: string) => void): Promise<Result> {
  const space = "bench-timers";
  const node = startWorker("timers", url, space);
  await node.next();
  const client = await connect({ servers: url, space, assumeSyncAlways: true, actors: [timerActor] });
  const p50s: number[] = [];
  const p99s: number[] = [];
  let before: readonly number[] = [];
  for (let run = 0; run <= runs; run++) {
    const startMs = Date.now() + headStartMs;
    await Promise.all(
      Array.from({ length: timers }, (_, i) =>
        client.send(timerActor.ref(`t${i}`), { type: "SET", atMs: startMs + (i * spreadMs) / timers }),
      ),
    );
    const { lateness } = (await node.ask({ fired: (run + 1) * timers })) as { readonly lateness: readonly number[] };
    const latencies = new Latencies();
    latencies.merge(lateness.map((count, bucket) => count - (before[bucket] ?? 0)));
    before = lateness;
    const [p50, p99] = [latencies.quantile(0.5), latencies.quantile(0.99)];
    note(`timers ${run === 0 ? "warm-up" : `run ${run}`}: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms late`);
    if (run === 0) continue;
    p50s.push(p50);
    p99s.push(p99);
  }
  await client.close();
  await node.end();
  return {
    workload: "timers",
    subject: "statewright",
    p50Ms: Number(median(p50s).toFixed(1)),
    p99Ms: Number(median(p99s).toFixed(1)),
  };
}

/** From the start of a node to the first of the timers that came due while nobody was there; its predecessor was killed some seconds before. */
async function measureTakeover(url: string, far: number, runs: number, note: (line: string) => void): Promise<Result> {
  const space = `bench-far-${far}`;
  const opened = await openJetStreamLog({
    servers: url,
    space,
    assumeSyncAlways: true,
    maxCoreBytes: 2 ** 31,
    maxIngressBytes: 2 ** 26,
  });
  await storeFar(opened, space, far);
  const tookMs: number[] = [];
  for (let run = 0; run <= runs; run++) {
    const before = startWorker("timers", url, space);
    await before.next();
    const client = await connect({ servers: url, space, assumeSyncAlways: true, actors: [timerActor] });
    const sends = Array.from({ length: 16 }, (_, i) =>
      client.send(timerActor.ref(`near-${run}-${i}`), { type: "SET", atMs: Date.now() + 6000 }),
    );
    await Promise.all(sends);
    await client.close();
    await before.kill();
    // Longer than the lease, and until they are due.
    await new Promise((resolve) => setTimeout(resolve, 7000));
    const after = startWorker("timers-takeover", url, space);
    const report = (await after.next()) as { readonly tookMs: number; readonly nearTimers: number };
    await after.kill();
    note(
      `timers, ${far} far ones ${run === 0 ? "warm-up" : `run ${run}`}: the first fires after ${report.tookMs.toFixed(0)} ms, ${report.nearTimers} in memory`,
    );
    if (run > 0) tookMs.push(report.tookMs);
  }
  await opened.log.purge("core", new Subjects(space).all("core"));
  await opened.close();
  return { workload: `timers-far-${far}`, subject: "statewright", p50Ms: Number(median(tookMs).toFixed(0)) };
}

/** Stores actors with a timer each, as nodes do: the state, the timer's record behind it, and at the end checkpoints that know them. */
async function storeFar({ log, space: { partitions } }: JetStreamLog, space: string, count: number): Promise<void> {
  const subjects = new Subjects(space);
  const state = Buffer.alloc(300, "x");
  const now = Date.now();
  const underWay: Promise<void>[] = [];
  for (let from = 0; from < count; from += 400) {
    const records = Array.from({ length: Math.min(400, count - from) }, (_, i) => {
      const of = { type: "timer", id: `far-${from + i}` };
      const partition = partitionOf(of, partitions);
      const at = now + yearMs + (from + i) * 100;
      return [
        { subject: subjects.state(partition, of), data: state },
        {
          subject: subjects.timer(partition, of, "1", at),
          data: encodeRecord<TimerRecord>({ format: recordFormat, at }),
        },
      ];
    }).flat();
    underWay.push(
      log.append("core", records).then((result) => {
        if (result._tag !== "Appended") throw new Error(`Storing timers ended with ${result._tag}.`);
      }),
    );
    if (underWay.length > 2) await underWay.shift();
  }
  await Promise.all(underWay);
  const { lastSeq } = await log.state("core");
  const checkpoint: CheckpointRecord = {
    format: recordFormat,
    cursor: { ingress: 0, core: lastSeq },
    timersSeq: lastSeq,
    timersFrom: now,
    timersKept: now,
    marks: [],
  };
  await log.append(
    "core",
    Array.from({ length: partitions }, (_, partition) => ({
      subject: subjects.checkpoint(partition),
      data: encodeRecord(checkpoint),
    })),
  );
}

interface Worker {
  /** What the process tells next. */
  next(): Promise<unknown>;
  ask(question: object): Promise<unknown>;
  /** SIGKILL. */
  kill(): Promise<void>;
  end(): Promise<void>;
}

function startWorker(mode: string, url: string, space: string): Worker {
  const child: ChildProcess = fork(new URL("./worker.ts", import.meta.url), [mode, url, space, "16"], {
    execArgv: ["--import", "tsx"],
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const next = () =>
    new Promise<unknown>((resolve, reject) => {
      child.once("message", resolve);
      child.once("exit", () => reject(new Error("The node process ended before it had reported.")));
    });
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await exited;
  };
  return {
    next,
    ask: (question) => {
      child.send(question);
      return next();
    },
    kill: () => kill("SIGKILL"),
    end: () => kill("SIGTERM"),
  };
}

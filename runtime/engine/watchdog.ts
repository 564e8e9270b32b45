/**
 * A thread that watches the event loop of a node: when it has stood still for too long, the thread says so, and what was being handled.
 *
 * 1. What stands still cannot speak for itself: the thread writes to standard error, and ends the process if it is to.
 * 2. A process that was suspended (SIGSTOP, a closed lid) has not stood still: the thread was suspended too, and sees it by its own clock.
 * 3. The thread neither keeps the process alive nor costs the loop more than a few stores to memory for each message.
 */
import { Worker } from "node:worker_threads";
import type { Delivery } from "./delivery.ts";
import type { NodeEvent } from "./telemetry.ts";

/** Is told what is being decided, so that it can be named should the loop never come back from it. */
export interface DecisionWatch {
  begin(partition: number, delivery: Delivery): void;
  end(): void;
}

/** Watches nothing. */
export const noWatch: DecisionWatch = { begin: () => {}, end: () => {} };

/** What a watchdog is made of. */
export interface WatchdogParts {
  readonly node: string;
  /** The loop may stand still for so long. */
  readonly afterMs: number;
  /** `kill`: ends the process with SIGKILL, so that its partitions go on elsewhere. */
  readonly then: "tell" | "kill";
  readonly onEvent: (event: NodeEvent) => void;
}

/** Places in the memory that both threads see, all of them numbers: times are milliseconds of the process-wide monotonic clock. */
const places = { beatMs: 0, partition: 1, stream: 2, seq: 3, toldMs: 4, toldPartition: 5, toldStream: 6, toldSeq: 7 };
const streams = ["INGRESS", "CORE", "a timer"];
const nobody = -1;

// Written out, since it must run from source and from the built package alike.
const threadSource = `
const { workerData } = require("node:worker_threads");
const { writeSync } = require("node:fs");
const { shared, node, afterMs, then, places, streams } = workerData;
const seen = new Float64Array(shared);
const sleeper = new Int32Array(new SharedArrayBuffer(4));
const now = () => Number(process.hrtime.bigint()) / 1e6;
const everyMs = Math.max(10, Math.min(500, afterMs / 5));
let lastMs = now();
let aliveMs = lastMs;
for (;;) {
  Atomics.wait(sleeper, 0, 0, everyMs);
  const atMs = now();
  // This thread has not run either: the process was suspended, or the machine was.
  if (atMs - lastMs > everyMs + Math.min(1000, afterMs / 2)) aliveMs = atMs;
  lastMs = atMs;
  const sinceMs = Math.max(aliveMs, seen[places.beatMs]);
  if (atMs - sinceMs < afterMs || seen[places.toldMs] !== 0) continue;
  const partition = seen[places.partition];
  seen[places.toldPartition] = partition;
  seen[places.toldStream] = seen[places.stream];
  seen[places.toldSeq] = seen[places.seq];
  seen[places.toldMs] = sinceMs;
  const since = new Date(Date.now() - (atMs - sinceMs)).toISOString();
  const stream = streams[seen[places.stream]];
  const what = partition < 0
    ? "what it does is no message"
    : seen[places.seq] === 0
      ? "it handles a timer of partition " + partition
      : "it handles the message with sequence " + seen[places.seq] + " of " + stream + " in partition " + partition;
  const end = then === "kill" ? "The process is ended, so that its partitions go on elsewhere." : "Its partitions go on elsewhere when its lease is over.";
  try {
    writeSync(2, "error loop.blocked: The event loop of node " + node + " has stood still since " + since + ": " + what + ". " + end + "\\n");
  } catch {
    // Nobody reads it, or not fast enough: what stands still is ended all the same.
  }
  if (then === "kill") process.kill(process.pid, "SIGKILL");
}
`;

/** A watchdog that runs. */
export interface Watchdog {
  readonly watch: DecisionWatch;
  stop(): void;
}

/** Starts to watch the event loop of this process. */
export function startWatchdog({ node, afterMs, then, onEvent }: WatchdogParts): Watchdog {
  const shared = new SharedArrayBuffer(8 * Object.keys(places).length);
  const told = new Float64Array(shared);
  const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
  told[places.partition] = nobody;
  const beat = (): void => {
    const atMs = nowMs();
    const sinceMs = told[places.toldMs] as number;
    told[places.beatMs] = atMs;
    if (sinceMs === 0) return;
    const blockedMs = Math.round(atMs - sinceMs);
    const partition = told[places.toldPartition] as number;
    const stream = streams[told[places.toldStream] as number];
    const seq = told[places.toldSeq] as number;
    told[places.toldMs] = 0;
    const message = partition === nobody ? undefined : { partition, stream, seq };
    const what =
      message === undefined
        ? "by something that is no message"
        : seq === 0
          ? `by a timer of partition ${partition}`
          : `by the message with sequence ${seq} of ${stream} in partition ${partition}`;
    onEvent({
      level: "error",
      name: "loop.blocked",
      message: `The event loop of node ${node} stood still for ${blockedMs} ms, ${what}.`,
      data: { blockedMs, ...message },
    });
  };
  beat();
  const timer = setInterval(beat, Math.max(5, Math.min(500, afterMs / 5)));
  timer.unref();
  const thread = new Worker(threadSource, {
    eval: true,
    execArgv: [],
    workerData: { shared, node, afterMs, then, places, streams },
  });
  thread.unref();
  // Without it the node works on, unwatched.
  thread.on("error", (error) =>
    onEvent({ level: "warn", name: "watchdog.failed", message: `Nobody watches the event loop: ${error.message}.` }),
  );
  return {
    watch: {
      begin: (partition, { stream, seq, timer: due }) => {
        told[places.seq] = seq;
        told[places.stream] = due !== undefined ? 2 : stream === "ingress" ? 0 : 1;
        told[places.partition] = partition;
      },
      end: () => {
        told[places.partition] = nobody;
      },
    },
    stop: () => {
      clearInterval(timer);
      void thread.terminate();
    },
  };
}

/** The node processes of the demo: started, killed and stopped as real processes, their numbers added up. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { NodeEvent, NodeStats } from "../../index.ts";
import { Latencies } from "../../index.ts";
import type { Version } from "./airport.ts";
import type { NodeOrder, NodeReport } from "./node.ts";

interface NodeProcess {
  readonly name: string;
  readonly child: ChildProcess;
  stats: NodeStats | undefined;
  /** True when its end is no surprise. */
  mayEnd: boolean;
}

/** A partition that a node has taken over from another one. */
interface Takeover {
  readonly partition: number;
  /** Name of the node that had it before. */
  readonly from: string;
  readonly at: number;
}

/** How long a node may take to start. */
const patienceMs = 60_000;

/** All nodes of one run. */
export class Fleet {
  /** Rejects when a node ends by itself. */
  readonly failed: Promise<never>;
  readonly #servers: string;
  readonly #space: string;
  readonly #onTrouble: (line: string) => void;
  /** Processes that have ended are kept for their numbers. */
  readonly #processes: NodeProcess[] = [];
  readonly #takeovers: Takeover[] = [];
  #fail: (error: Error) => void = () => {};

  /** `onTrouble` receives a line for every error that a node tells of. */
  constructor(servers: string, space: string, onTrouble: (line: string) => void) {
    this.#servers = servers;
    this.#space = space;
    this.#onTrouble = onTrouble;
    this.failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => {});
  }

  /** Starts a node; resolves when it takes part. */
  async start(name: string, version: Version): Promise<void> {
    const child = fork(
      fileURLToPath(new URL("node.ts", import.meta.url)),
      [name, version, this.#servers, this.#space],
      {
        execArgv: ["--import", import.meta.resolve("tsx")],
        // A group of its own: Ctrl-C reaches the runner only, which then stops the nodes in good order.
        detached: true,
        stdio: ["ignore", "ignore", "pipe", "ipc"],
      },
    );
    const node: NodeProcess = { name, child, stats: undefined, mayEnd: false };
    this.#processes.push(node);
    let words = "";
    let onTakesPart = () => {};
    const takesPart = new Promise<void>((resolve) => {
      onTakesPart = resolve;
    });
    child.stderr?.on("data", (chunk) => {
      words = (words + chunk).slice(-4_000);
    });
    child.on("message", (report: NodeReport) => {
      if (report.kind === "stats") {
        node.stats = report.stats;
        onTakesPart();
      } else if (report.kind === "event") this.#onEvent(report.event, report.at);
      else words = report.message;
    });
    child.once("exit", (code, signal) => {
      if (!node.mayEnd) this.#fail(new Error(`${name} ended by itself (${signal ?? `exit code ${code}`}): ${words}`));
    });
    const patience = new AbortController();
    const tooLong = delay(patienceMs, undefined, { signal: patience.signal }).then(() => {
      throw new Error(`${name} did not start within ${patienceMs / 1000} s: ${words}`);
    });
    // Aborted below, when nobody waits for it any more.
    tooLong.catch(() => {});
    await Promise.race([takesPart, this.failed, tooLong]).finally(() => patience.abort());
  }

  /** Ends a node with SIGKILL: it has no chance to say or write anything more. */
  async kill(name: string): Promise<void> {
    const node = this.#running(name);
    node.mayEnd = true;
    const ended = once(node.child, "exit");
    node.child.kill("SIGKILL");
    await ended;
  }

  /** Has a node finish what it does and hand over its partitions; resolves when its process has ended. */
  async stop(name: string): Promise<void> {
    const node = this.#running(name);
    node.mayEnd = true;
    const ended = once(node.child, "exit");
    node.child.send("stop" satisfies NodeOrder);
    const [code, signal] = await ended;
    if (code !== 0) throw new Error(`${name} did not stop in good order (${signal ?? `exit code ${code}`})`);
  }

  /** Ends all nodes, in good order or, after a while, not. */
  async end(): Promise<void> {
    const left = this.#processes.filter(isRunning);
    for (const node of left) node.mayEnd = true;
    const patience = setTimeout(() => {
      for (const { child } of left) child.kill("SIGKILL");
    }, 10_000);
    await Promise.all(
      left.map(async ({ child }) => {
        const ended = once(child, "exit");
        child.kill("SIGTERM");
        await ended;
      }),
    );
    clearTimeout(patience);
  }

  /** Lets the nodes run on when this process ends. */
  async letStay(): Promise<void> {
    for (const { child } of this.#processes.filter(isRunning)) {
      await new Promise<void>((resolve) => child.send("stay" satisfies NodeOrder, () => resolve()));
      child.disconnect();
      child.stderr?.destroy();
      child.unref();
    }
  }

  /** Process ids of the nodes that run. */
  get pids(): number[] {
    return this.#processes.filter(isRunning).map(({ child }) => child.pid as number);
  }

  /** Names of the nodes that run. */
  get names(): string[] {
    return this.#processes.filter(isRunning).map(({ name }) => name);
  }

  /** Partitions that a node owns, as it said last. */
  partitionsOf(name: string): readonly number[] {
    return this.#running(name).stats?.partitions ?? [];
  }

  /** How many partitions are owned by the nodes that run. */
  get owned(): number {
    return new Set(this.#processes.filter(isRunning).flatMap(({ stats }) => stats?.partitions ?? [])).size;
  }

  /** When the last of the partitions was opened by a node that took it over from `name`; undefined while one is missing. */
  takenOver(name: string, partitions: readonly number[]): number | undefined {
    const times = partitions.map(
      (wanted) => this.#takeovers.find(({ partition, from }) => partition === wanted && from === name)?.at,
    );
    return times.includes(undefined) ? undefined : Math.max(...(times as number[]));
  }

  /** A number of all nodes together, those that have ended included. What a killed node had not reported is missing. */
  count(counter: "applied" | "retries" | "deadLetters" | "duplicates"): number {
    return this.#processes.reduce((sum, { stats }) => sum + (stats?.counters[counter] ?? 0), 0);
  }

  /** Send-to-commit latencies of all nodes together. */
  latencies(): Latencies {
    const all = new Latencies();
    for (const { stats } of this.#processes) all.merge(stats?.sendToCommit ?? []);
    return all;
  }

  #running(name: string): NodeProcess {
    const node = this.#processes.find((process) => process.name === name && isRunning(process));
    if (node === undefined) throw new Error(`${name} does not run`);
    return node;
  }

  #onEvent({ level, name, message, data }: NodeEvent, at: number): void {
    if (level === "error") this.#onTrouble(message);
    if (name !== "partition.opened" || data === undefined) return;
    // An owner is a node's name and a token of this start of it.
    const [from = ""] = String(data.from).split(":");
    this.#takeovers.push({ partition: data.partition as number, from, at });
  }
}

function isRunning({ child }: NodeProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

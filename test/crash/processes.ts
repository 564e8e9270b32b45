/**
 * Real node processes, to be killed, frozen and stopped.
 *
 * Nothing here sleeps for a fixed time: whatever another process brings about is waited for with `eventually`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import type { NodeOptions, NodeStats } from "../../index.ts";
import type { FaultPoint } from "../../runtime/engine/faults.ts";
import { eventually } from "../contract/eventually.ts";
import type { Flaws, Told } from "./node-process.ts";

export { eventually };

/** What a crash test may take at the very most; failing is quick where something is known to be wrong. */
export const longMs = 45_000;

/** Which node, where, and how it dies. */
export interface NodeProcessOptions extends Omit<NodeOptions, "actors" | "onEvent" | "warn" | "tls"> {
  readonly name: string;
  /** Kills itself at a fault point, `point` or `point:n`. */
  readonly fault?: FaultPoint | `${FaultPoint}:${number}`;
  /** Default: none. */
  readonly flaws?: Flaws;
  /** What the process may have on its heap, megabytes. Default: what Node gives it. */
  readonly heapMb?: number;
}

type Happening = Extract<Told, { kind: "event" }> & { readonly atMs: number };

/** Ends whatever a failed test has left running. */
const running = new Set<NodeProcess>();

/** A node process. */
export class NodeProcess {
  readonly name: string;
  /** What it told, oldest first; times are of `performance.now()` here. */
  readonly happenings: Happening[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #onStats = new Set<(stats: NodeStats) => void>();
  #words = "";
  #lastStats: NodeStats | undefined;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    this.#ended = once(child, "exit").finally(() => running.delete(this));
    const hear = (chunk: Buffer) => {
      this.#words = (this.#words + chunk.toString()).slice(-4_000);
    };
    child.stdout?.on("data", hear);
    child.stderr?.on("data", hear);
    child.on("message", (told: Told) => {
      if (told.kind === "event") this.happenings.push({ ...told, atMs: performance.now() });
      else if (told.kind === "failed") this.#words += told.message;
      else if (told.kind === "stats") {
        this.#lastStats = told.stats;
        for (const hearStats of this.#onStats) hearStats(told.stats);
        this.#onStats.clear();
      }
    });
    running.add(this);
  }

  /** Starts a node; resolves when it takes part. One that is to die at a fault point may die before. */
  static async start(options: NodeProcessOptions): Promise<NodeProcess> {
    const { fault, flaws = {}, heapMb, ...given } = options;
    const child = spawn(
      process.execPath,
      [
        ...(heapMb === undefined ? [] : [`--max-old-space-size=${heapMb}`]),
        "--import",
        import.meta.resolve("tsx"),
        fileURLToPath(new URL("node-process.ts", import.meta.url)),
        JSON.stringify(given),
        JSON.stringify(flaws),
      ],
      {
        stdio: ["ignore", "pipe", "pipe", "ipc"],
        env: { ...process.env, ...(fault === undefined ? {} : { STATEWRIGHT_FAULT: fault }) },
      },
    );
    const node = new NodeProcess(options.name, child);
    const ready = new Promise<void>((resolve) => {
      child.on("message", (told: Told) => {
        if (told.kind === "ready") resolve();
      });
    });
    await Promise.race([ready, node.#ended]);
    if (!node.isRunning && fault === undefined) {
      throw new Error(`Node ${options.name} ended at its start: ${node.#words}`);
    }
    return node;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The numbers that it gave last. */
  get lastStats(): NodeStats | undefined {
    return this.#lastStats;
  }

  /** Asks the node for its numbers. */
  async stats(): Promise<NodeStats> {
    if (!this.isRunning) throw new Error(`Node ${this.name} has ended (${this.end}): ${this.#words}`);
    return new Promise((resolve) => {
      this.#onStats.add(resolve);
      this.#child.send("stats", () => {});
    });
  }

  /** How it ended. */
  get end(): string {
    return this.#child.signalCode ?? `exit code ${this.#child.exitCode}`;
  }

  /** What it wrote, for messages. */
  get words(): string {
    return [
      this.#words,
      ...this.happenings.filter(({ level }) => level !== "info").map(({ name, message }) => `${name}: ${message}`),
    ].join("\n");
  }

  /** SIGKILL: it has no chance to say or write anything more. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  freeze(): void {
    this.#child.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child.kill("SIGCONT");
  }

  /** SIGTERM: it hands over and ends; resolves when it has. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#ended;
    if (this.end !== "exit code 0") throw new Error(`Node ${this.name} ended with ${this.end}: ${this.words}`);
  }

  /** Resolves when it has ended by itself. */
  async ended(limitMs: number = longMs): Promise<void> {
    await eventually(() => {
      if (this.isRunning) throw new Error(`Node ${this.name} still runs: ${this.words}`);
    }, limitMs);
  }
}

/** Ends all node processes that still run: for `afterEach`. */
export async function killAll(): Promise<void> {
  await Promise.all([...running].map((node) => node.kill()));
}

/** Resolves with the nodes' partitions when each owns its fair share of all. */
export async function balanced(nodes: readonly NodeProcess[], partitions: number): Promise<Map<string, number[]>> {
  return eventually(async () => {
    const shares = new Map<string, number[]>();
    for (const node of nodes) shares.set(node.name, [...(await node.stats()).partitions]);
    const all = [...shares.values()].flat();
    const least = Math.floor(partitions / nodes.length);
    const isFair = [...shares.values()].every(({ length }) => length >= least && length <= least + 1);
    if (!isFair || new Set(all).size !== partitions || all.length !== partitions) {
      const told = nodes.map(({ name, words }) => `${name}: ${words}`).join("\n");
      throw new Error(`The shares are ${JSON.stringify([...shares])}.\n${told}`);
    }
    return shares;
  }, longMs);
}

/** When `node` had opened all the partitions, counted from `sinceMs`. */
export async function openedAll(node: NodeProcess, partitions: readonly number[], sinceMs: number): Promise<number> {
  return eventually(() => {
    const times = partitions.map((wanted) => {
      const opened = node.happenings.find(
        ({ name, partition, atMs }) => name === "partition.opened" && partition === wanted && atMs >= sinceMs,
      );
      if (opened === undefined) throw new Error(`Node ${node.name} has not opened partition ${wanted}: ${node.words}`);
      return opened.atMs;
    });
    return Math.max(...times) - sinceMs;
  }, longMs);
}

/** Writes a measured time beside the test's result. */
export function tell(what: string, ms: number): void {
  process.stdout.write(`  measured: ${what} ${Math.round(ms)} ms\n`);
}

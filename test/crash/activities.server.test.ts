/** Workers that are processes of their own: killed, blocked, stopped and told to stop while they work. */
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Client, connect, type EmbeddedServer, startEmbeddedServer } from "../../index.ts";
import { type Running, startCli } from "../cli/arrange.ts";
import { eventually } from "../contract/eventually.ts";
import { job, type ToldRun } from "./activity-actors.ts";
import { tell } from "./processes.ts";

const module = fileURLToPath(new URL("./activity-actors.ts", import.meta.url));
const space = "work";

class Worker {
  readonly running: Running;

  constructor(...flags: readonly string[]) {
    this.running = startCli(["run", module, "--nats", server.url, "-s", space, "--sync-always", ...flags]);
  }

  get runs(): ToldRun[] {
    const lines = this.running.out().split("\n");
    return lines.filter((line) => line.startsWith("@")).map((line) => JSON.parse(line.slice(1)));
  }

  async up(): Promise<this> {
    await eventually(() => expect(this.running.out() + this.running.err()).toContain("is up in space"));
    return this;
  }

  get isAlive(): boolean {
    return this.running.child.exitCode === null && this.running.child.signalCode === null;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    this.running.child.kill(signal);
    await this.running.ended;
  }
}

let server: EmbeddedServer;
let client: Client;
let owner: Worker;
let workers: Worker[] = [];

beforeAll(async () => {
  server = await startEmbeddedServer();
  owner = new Worker("--no-activities", "--name", "owner", "--partitions", "4");
  await owner.up();
  client = await connect({ servers: server.url, space, assumeSyncAlways: true, actors: [job] });
});
beforeEach(async () => {
  workers = workers.filter((worker) => worker.isAlive);
  while (workers.length < 2) workers.push(new Worker("--activities", "--drain", "1s"));
  await Promise.all(workers.map((worker) => worker.up()));
});
afterAll(async () => {
  await client.close();
  await Promise.all([owner, ...workers].map((worker) => worker.end("SIGKILL")));
  await server.stop();
});

const log = async (id: string) => (await client.get(job.ref(id)))?.context.log;
const logged = async (id: string) =>
  (await client.waitFor(job.ref(id), (view) => view.context.log.length > 0, { timeout: 30_000 })).context.log;

/** The worker that has started the activity of an actor, and another one. */
async function started(id: string): Promise<{ worker: Worker; other: Worker; startedMs: number }> {
  return eventually(() => {
    const worker = workers.find(({ runs }) => runs.some(({ key }) => key.startsWith(`${space}.job.${id}.`)));
    const other = workers.find((each) => each !== worker);
    if (worker === undefined || other === undefined) throw new Error("Nobody has started it yet.");
    return { worker, other, startedMs: performance.now() };
  });
}

const runsOf = (worker: Worker, id: string) => worker.runs.filter(({ key }) => key.startsWith(`${space}.job.${id}.`));

/** Nothing more comes of it: as long as a second result would have taken, and longer. */
async function staysOnce(id: string, expected: readonly string[]): Promise<void> {
  await client.ask(job.ref(id), { type: "STOP" });
  const history = await client.history(job.ref(id), { last: 64 });
  expect(await log(id)).toEqual(expected);
  const { deadLetters } = client;
  expect(await deadLetters.list()).toEqual([]);
  // However often it was done, the actor was changed by one result.
  expect(history.filter(({ by, outcome }) => by === "statewright.worker" && outcome === "applied")).toHaveLength(1);
}

describe("an activity", () => {
  it("whose worker is killed by SIGKILL is done by another one, and its result is applied once", async () => {
    await client.send(job.ref("killed"), { type: "SLOW", ms: 4000 });
    const { worker, other } = await started("killed");
    await worker.end("SIGKILL");
    const diedMs = performance.now();
    await eventually(() => expect(runsOf(other, "killed")).not.toEqual([]));
    tell("from the death of a worker to the next attempt (heartbeat 2000 ms)", performance.now() - diedMs);
    expect(performance.now() - diedMs).toBeLessThan(6000);
    expect(await logged("killed")).toEqual(["slow 2"]);
    const keys = [...runsOf(worker, "killed"), ...runsOf(other, "killed")].map(({ key }) => key);
    expect(new Set(keys).size).toBe(1);
    await staysOnce("killed", ["slow 2"]);
  });

  it("that never returns is given up at its timeout, tried again, and fails", async () => {
    await client.send(job.ref("never"), { type: "NEVER" });
    expect(await logged("never")).toEqual(["ActivityTimeoutError"]);
    const attempts = workers.flatMap((worker) => runsOf(worker, "never")).map(({ attempt }) => attempt);
    expect(attempts.sort()).toEqual([1, 2]);
  });

  it("that blocks the event loop of its worker is done by another one, and what comes late changes nothing", async () => {
    await client.send(job.ref("blocked"), { type: "BLOCKING", ms: 6000 });
    const { worker, other } = await started("blocked");
    expect(await logged("blocked")).toEqual(["blocking 2"]);
    expect(runsOf(other, "blocked").map(({ attempt }) => attempt)).toEqual([2, 2]);
    // The worker comes back, and has its own result to send.
    await eventually(() => expect(runsOf(worker, "blocked").map(({ what }) => what)).toEqual(["started", "returns"]));
    await client.send(job.ref("after"), { type: "SLOW", ms: 1 });
    expect(await logged("after")).toEqual(["slow 1"]);
    await staysOnce("blocked", ["blocking 2"]);
  });

  it("is aborted when the state is left, and nothing comes of it", async () => {
    await client.send(job.ref("left"), { type: "SLOW", ms: 3000 });
    const { worker } = await started("left");
    const leftMs = performance.now();
    await client.ask(job.ref("left"), { type: "STOP" });
    await eventually(() => expect(runsOf(worker, "left").map(({ what }) => what)).toContain("aborted"));
    tell("from leaving the state to the abort", performance.now() - leftMs);
    expect(performance.now() - leftMs).toBeLessThan(2000);
    expect(runsOf(worker, "left").find(({ what }) => what === "aborted")?.reason).toBe("ActivityCancelledError");
    await eventually(() => expect(runsOf(worker, "left").map(({ what }) => what)).toContain("returns"));
    expect(await log("left")).toEqual([]);
    const history = await client.history(job.ref("left"));
    expect(history.filter(({ by }) => by === "statewright.worker")).toEqual([]);
  });

  it("goes back at once when its worker is stopped by SIGTERM, and no attempt is counted", async () => {
    await client.send(job.ref("stopped"), { type: "SLOW", ms: 5000 });
    const { worker, other } = await started("stopped");
    const stoppedMs = performance.now();
    const ended = worker.end("SIGTERM");
    await eventually(() => expect(runsOf(other, "stopped")).not.toEqual([]));
    tell("from SIGTERM (drain 1000 ms) to the next attempt", performance.now() - stoppedMs);
    await ended;
    expect(worker.running.child.exitCode).toBe(0);
    expect(runsOf(worker, "stopped").find(({ what }) => what === "aborted")?.reason).toBe("SystemStoppedError");
    expect(await logged("stopped")).toEqual(["slow 1"]);
    await staysOnce("stopped", ["slow 1"]);
  });

  it("goes on while the server is killed and comes back, and its result is applied once", async () => {
    await client.send(job.ref("broker"), { type: "SLOW", ms: 2500 });
    await started("broker");
    await server.kill("SIGKILL");
    await server.restart();
    const outcome = await logged("broker");
    expect(outcome).toHaveLength(1);
    await staysOnce("broker", outcome);
  });
});

/** `statewright run --workers` with real processes: they share the partitions, are started again, and end together. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Client, connect, type EmbeddedServer, startEmbeddedServer, startNode } from "../../index.ts";
import { eventually } from "../contract/eventually.ts";
import { type Running, startCli } from "./arrange.ts";
import { victim } from "./fixtures/victim.ts";

const victimModule = join(import.meta.dirname, "fixtures", "victim.ts");
const longMs = 40_000;

const cleanups: Array<() => Promise<unknown>> = [];
let folder: string;
let server: EmbeddedServer;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "statewright-workers-"));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  server = await startEmbeddedServer();
  cleanups.push(() => server.stop("kill"));
});
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** Two workers, with the log as documents. */
class Fleet {
  readonly running: Running;
  readonly #pidsPath = join(folder, "pids");

  constructor(modules: readonly string[], more: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
    const where = ["--nats", server.url, "--partitions", "4", "--sync-always"];
    const how = ["--workers", "2", "--name", "shop", "--log-format", "json"];
    this.running = startCli(["run", ...modules, ...where, ...how, ...more], {
      env: { ...env, VICTIM_PIDS: this.#pidsPath },
    });
    cleanups.push(async () => {
      this.running.child.kill("SIGKILL");
      await this.running.ended;
      for (const pid of await this.pids()) if (isAlive(pid)) process.kill(pid, "SIGKILL");
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.running.child.kill(signal);
  }

  /** What is in the log, and of whom. */
  get events(): ReadonlyArray<{ readonly worker?: string; readonly name?: string; readonly partition?: number }> {
    const lines = this.running.out().split("\n").slice(0, -1);
    return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  }

  /** Who has opened each partition last. */
  get owners(): ReadonlyMap<number, string> {
    const opened = this.events.filter(({ name }) => name === "partition.opened");
    return new Map(opened.map(({ partition, worker }) => [partition as number, worker as string]));
  }

  /** The processes that a worker has had, oldest first: what it writes besides its log has its name before it. */
  pidsOf(worker: string): number[] {
    const lines = this.running.out().matchAll(/^(\S+) The actors are loaded by process (\d+)\.$/gm);
    return [...lines].filter(([, name]) => name === worker).map(([, , pid]) => Number(pid));
  }

  /** All processes that have loaded the module, told by themselves. */
  async pids(): Promise<number[]> {
    const text = await readFile(this.#pidsPath, "utf8").catch(() => "");
    return text.split("\n").filter(Boolean).map(Number);
  }

  /** Resolves when each worker has half of the partitions. */
  shared(): Promise<void> {
    const shares = ["shop-1", "shop-1", "shop-2", "shop-2"];
    return eventually(() => {
      expect([...this.owners.values()].sort(), this.running.out() + this.running.err()).toEqual(shares);
    }, longMs);
  }

  /** Resolves when none of its processes is left. */
  async gone(): Promise<void> {
    await eventually(async () => expect((await this.pids()).filter(isAlive)).toEqual([]), longMs);
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function openClient(): Promise<Client> {
  const client = await connect({ servers: server.url, actors: [victim], assumeSyncAlways: true });
  cleanups.push(() => client.close());
  return client;
}

describe("statewright run --workers", () => {
  test("shares the partitions; a worker that is killed is started again while the other goes on", async () => {
    const fleet = new Fleet([victimModule], ["--lease", "1s"]);
    await fleet.shared();
    const client = await openClient();
    const who = async (id: number): Promise<number> =>
      (await client.ask(victim.ref(`v${id}`), { type: "WHO" }, { timeout: longMs })).reply as number;
    const ids = Array.from({ length: 12 }, (_, i) => i);
    const [first] = fleet.pidsOf("shop-1") as [number];
    const [second] = fleet.pidsOf("shop-2") as [number];
    const before = await Promise.all(ids.map(who));
    expect(new Set(before)).toEqual(new Set([first, second]));

    process.kill(first, "SIGKILL");
    expect(await who(before.indexOf(second))).toBe(second);
    await eventually(() => expect(fleet.pidsOf("shop-1")).toHaveLength(2), longMs);
    await eventually(async () => {
      expect(new Set(await Promise.all(ids.map(who)))).toEqual(new Set([second, fleet.pidsOf("shop-1")[1]]));
    }, longMs);
    expect(fleet.pidsOf("shop-2")).toEqual([second]);
    expect(fleet.events.filter(({ name }) => name === "worker.ended")).toMatchObject([
      { worker: "shop-1", exitCode: null, signal: "SIGKILL" },
    ]);

    fleet.signal("SIGTERM");
    expect(await fleet.running.ended).toMatchObject({ code: 0, err: "" });
    const stopped = fleet.events.filter(({ name }) => name === "node.stopped").map(({ worker }) => worker);
    expect(stopped.sort()).toEqual(["shop-1", "shop-2"]);
    expect(fleet.events.at(-1)).toMatchObject({ name: "workers.stopped" });
    await fleet.gone();
  });

  test("ends in order at a signal that finds the workers still starting", async () => {
    const fleet = new Fleet([victimModule]);
    await eventually(() => expect(fleet.events).toMatchObject([{ name: "workers.starting" }]));
    fleet.signal("SIGTERM");
    expect(await fleet.running.ended).toMatchObject({ code: 0, err: "" });
    await fleet.gone();
  });

  test("ends all at once at the second signal", async () => {
    const fleet = new Fleet([victimModule]);
    await fleet.shared();
    // Frozen: no worker can hand its partitions over, and all wait.
    await server.kill("SIGSTOP");
    fleet.signal("SIGTERM");
    await eventually(() => expect(fleet.running.out()).toContain("Another signal ends them at once."));
    fleet.signal("SIGINT");
    expect(await fleet.running.ended).toMatchObject({ code: 130 });
    await fleet.gone();
  });

  test("leaves no worker behind when it is killed: they hand their partitions over and end", async () => {
    const fleet = new Fleet([victimModule], ["--lease", "10m"]);
    await fleet.shared();
    fleet.signal("SIGKILL");
    await fleet.running.ended;
    await fleet.gone();
    // With such a lease nobody gets a partition that was not handed over.
    const next = await startNode({
      servers: server.url,
      actors: [victim],
      assumeSyncAlways: true,
      lease: "10 minutes",
    });
    cleanups.push(() => next.stop());
    await eventually(() => expect(next.stats().partitions).toHaveLength(4), longMs);
  });

  test("leaves no worker behind when it is killed while they start", async () => {
    // Loaded before all else: a worker comes no further as long as its parent is there.
    const brake = join(folder, "brake.mjs");
    await writeFile(
      brake,
      `import { appendFileSync } from "node:fs";
       import { setTimeout } from "node:timers/promises";
       if (process.env.STATEWRIGHT_WORKER === "1") {
         const parent = process.ppid;
         appendFileSync(process.env.VICTIM_PIDS, process.pid + "\\n");
         while (process.ppid === parent) await setTimeout(10);
       }`,
    );
    const fleet = new Fleet([victimModule], [], { NODE_OPTIONS: `--import ${pathToFileURL(brake).href}` });
    await eventually(async () => expect(await fleet.pids()).toHaveLength(2), longMs);
    fleet.signal("SIGKILL");
    await fleet.gone();
    await fleet.running.ended;
  });

  test.each([
    ["throws", "broken.ts", 1, /^shop-[12] error: Cannot load .*broken\.ts: not today/m],
    ["is not there", "nothing.ts", 2, /^shop-[12] error: Cannot find the module .*nothing\.ts/m],
  ])("ends with the exit code of a worker whose module %s", async (_, name, code, said) => {
    await writeFile(join(folder, "broken.ts"), 'throw new Error("not today");');
    const fleet = new Fleet([join(folder, name)]);
    const ended = await fleet.running.ended;
    expect(ended.code).toBe(code);
    expect(ended.err).toMatch(said);
    expect(fleet.events.map((event) => event.name)).toEqual(["workers.starting", "worker.failed", "workers.stopped"]);
  });

  test("outlives a message that kills whoever handles it: it becomes a dead letter, and the others are applied", async () => {
    const fleet = new Fleet([victimModule], ["--lease", "1s", "--max-crashes", "2"]);
    await fleet.shared();
    const client = await openClient();
    const actors = 8;
    const sends: Promise<unknown>[] = [];
    for (let n = 0; n < 400; n++) {
      const to = victim.ref(`v${n % actors}`);
      if (n === 200) sends.push(client.send(to, { type: "TAKE", n: -1, isDeadly: true }));
      sends.push(client.send(to, { type: "TAKE", n }));
    }
    await Promise.all(sends);
    await eventually(async () => {
      for (let actor = 0; actor < actors; actor++) {
        const wanted = Array.from({ length: 400 / actors }, (_, i) => i * actors + actor);
        const view = await client.get(victim.ref(`v${actor}`));
        expect(view?.context.applied, `v${actor}`).toEqual(wanted);
      }
    }, longMs);
    expect(await client.deadLetters.list()).toMatchObject([
      { reason: "crashed", to: { type: "victim", id: "v0" }, attemptCount: 2 },
    ]);
    expect(fleet.running.child.exitCode).toBeNull();
    // The first end makes it suspect; a process may come to its end before it has said so.
    const ends = fleet.events.filter(({ name }) => name === "worker.ended");
    expect(ends.length).toBeGreaterThanOrEqual(3);
    await fleet.shared();
    fleet.signal("SIGTERM");
    expect(await fleet.running.ended).toMatchObject({ code: 0 });
    await fleet.gone();
  });
});

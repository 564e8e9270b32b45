/** A broker that is killed or frozen under nodes and clients that go on (I1 to I4). */
import { performance } from "node:perf_hooks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type EmbeddedServer, startEmbeddedServer } from "../../index.ts";
import { Journal } from "./journal.ts";
import { Load } from "./load.ts";
import { balanced, eventually, killAll, longMs, NodeProcess, tell } from "./processes.ts";

let server: EmbeddedServer;
beforeEach(async () => {
  server = await startEmbeddedServer();
});
afterEach(async () => {
  await killAll();
  await server.stop("kill");
});

async function arrange(space: string, sendTimeoutMs: number) {
  const where = { servers: server.url, space, partitions: 8 };
  const journal = await Journal.open(where);
  const options = { ...where, historyDepth: 64, purgeEvery: "1 hour" } as const;
  const nodes = await Promise.all(["first", "second"].map((name) => NodeProcess.start({ ...options, name })));
  await balanced(nodes, where.partitions);
  const load = await Load.connect(where, { sendTimeoutMs });
  return { journal, nodes, load, where };
}

type Arranged = Awaited<ReturnType<typeof arrange>>;

/** Everything is as it should be, without anyone's help. */
async function assertWhole({ journal, nodes, load, where }: Arranged): Promise<void> {
  await journal.settled();
  expect(load.check(journal)).toEqual([]);
  expect(journal.check()).toEqual([]);
  await balanced(nodes, where.partitions);
  await Promise.all(nodes.map((node) => node.stop()));
  await load.close();
  await journal.close();
}

/** How long after `sinceMs` the next message was applied. */
async function appliedAgain({ journal }: Arranged, sinceMs: number): Promise<number> {
  const before = journal.handled;
  await eventually(() => {
    if (journal.handled <= before) throw new Error(`Nothing is applied since ${before}.`);
  }, longMs);
  return performance.now() - sinceMs;
}

describe("a broker that is killed under load", () => {
  it("is followed by nodes and clients that go on by themselves; what was confirmed is applied once, in order", async () => {
    const world = await arrange("broker-kill", 40_000);
    const running = world.load.run(3_000);

    for (const count of [600, 1_500]) {
      await world.load.reached(count);
      await server.kill("SIGKILL");
      await server.restart();
      tell("from the broker's restart to the next message applied", await appliedAgain(world, performance.now()));
    }
    await running;

    await assertWhole(world);
  });

  it("is found again by clients that give up early: what they were not told is applied once or never", async () => {
    const world = await arrange("broker-kill-unknown", 300);
    const running = world.load.run(3_000);

    await world.load.reached(500);
    await server.kill("SIGKILL");
    // They give up while there is no broker.
    await eventually(
      () => expect([...world.load.errors.values()].reduce((a, b) => a + b, 0)).toBeGreaterThan(20),
      longMs,
    );
    await server.restart();
    await running;

    await assertWhole(world);
  });
});

describe("a broker that is frozen for 8 seconds under load", () => {
  it("leaves outcomes unknown, and every message is applied once or never, those that are confirmed once", async () => {
    const world = await arrange("broker-freeze", 3_000);
    const running = world.load.run(3_000);

    await world.load.reached(500);
    await server.kill("SIGSTOP");
    const frozenMs = performance.now();
    await eventually(() => expect(performance.now() - frozenMs).toBeGreaterThan(8_000), longMs);
    await server.kill("SIGCONT");
    const thawedMs = performance.now();
    tell("from the broker's thaw to the next message applied", await appliedAgain(world, thawedMs));
    await running;

    expect(world.load.errors.get("SendUnknownError") ?? 0).toBeGreaterThan(0);
    await assertWhole(world);
  });
});

describe("a broker that is killed while partitions change hands", () => {
  it("leaves no partition behind: every node has its share when the broker is back", async () => {
    const space = { servers: server.url, space: "broker-hand-over", partitions: 8 };
    const journal = await Journal.open(space);
    const options = { ...space, historyDepth: 64, purgeEvery: "1 hour", lease: "30 seconds" } as const;
    const first = await NodeProcess.start({ ...options, name: "first" });
    await balanced([first], space.partitions);
    // It learns of the other node when there is no broker any more, and cannot hand over what it lets go of.
    first.freeze();
    const second = await NodeProcess.start({ ...options, name: "second" });
    await server.kill("SIGKILL");
    first.thaw();
    // Longer than a hand-over is tried without a pause.
    const thawedMs = performance.now();
    await eventually(() => expect(performance.now() - thawedMs).toBeGreaterThan(2_000), longMs);
    await server.restart();

    const shares = await balanced([first, second], space.partitions);

    expect([...shares.values()].map(({ length }) => length)).toEqual([4, 4]);
    const load = await Load.connect(space);
    await load.run(200);
    await journal.settled();
    expect(load.check(journal)).toEqual([]);
    expect(journal.check()).toEqual([]);
    await Promise.all([first.stop(), second.stop()]);
    await load.close();
    await journal.close();
  });
});

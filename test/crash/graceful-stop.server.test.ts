/** A node that is asked to stop while it works (I1, I2, I4). */
import { performance } from "node:perf_hooks";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type EmbeddedServer, startEmbeddedServer } from "../../index.ts";
import { Journal } from "./journal.ts";
import { Load } from "./load.ts";
import { balanced, killAll, NodeProcess, openedAll, tell } from "./processes.ts";

let server: EmbeddedServer;
beforeAll(async () => {
  server = await startEmbeddedServer();
});
afterEach(killAll);
afterAll(() => server.stop());

describe("a node that is stopped by SIGTERM under load", () => {
  it("finishes and hands over what it has, and nothing of it is read a second time", async () => {
    const space = { servers: server.url, space: "graceful", partitions: 8 };
    const journal = await Journal.open(space);
    const options = { ...space, historyDepth: 64, purgeEvery: "1 hour", lease: "20 seconds" } as const;
    const [leaving, staying] = await Promise.all([
      NodeProcess.start({ ...options, name: "leaving" }),
      NodeProcess.start({ ...options, name: "staying" }),
    ]);
    const shares = await balanced([leaving, staying], space.partitions);
    const load = await Load.connect(space);
    const running = load.run(1_500);

    await load.reached(500);
    const askedMs = performance.now();
    const stopped = leaving.stop();
    // The lease is so long that only a hand-over can bring this about in time.
    const takenMs = await openedAll(staying, shares.get("leaving") ?? [], askedMs);
    tell("from SIGTERM to the last partition opened by the other node", takenMs);
    await stopped;
    tell("from SIGTERM to the end of the process", performance.now() - askedMs);
    await running;
    await journal.settled();

    expect(takenMs).toBeLessThan(10_000);
    expect(load.check(journal)).toEqual([]);
    expect(journal.check()).toEqual([]);
    const { counters } = await staying.stats();
    expect({ redelivered: counters.redelivered, conflicts: counters.conflicts }).toEqual({
      redelivered: 0,
      conflicts: 0,
    });
    expect(leaving.lastStats?.counters.conflicts).toBe(0);
    await staying.stop();
    await load.close();
    await journal.close();
  });
});

/** Nodes whose clocks say different things: no lease is decided by comparing them (I1 to I5). */
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

const hourMs = 3_600_000;

describe("two nodes with an hour before and an hour behind the right time, one running 10 % fast", () => {
  it("keep their shares, take over from each other as others do, and apply everything once", async () => {
    const space = { servers: server.url, space: "clocks", partitions: 8 };
    const journal = await Journal.open(space);
    const options = { ...space, historyDepth: 64, purgeEvery: "1 hour", lease: "2 seconds" } as const;
    const [early, late] = await Promise.all([
      NodeProcess.start({ ...options, name: "early", flaws: { skewMs: -hourMs } }),
      NodeProcess.start({ ...options, name: "late", flaws: { skewMs: hourMs, rate: 1.1 } }),
    ]);
    const shares = await balanced([early, late], space.partitions);
    const load = await Load.connect(space);
    const running = load.run(1_200);
    await load.reached(400);
    const conflicts = (await late.stats()).counters.conflicts + (await early.stats()).counters.conflicts;
    expect(conflicts).toBe(0);

    const killedMs = performance.now();
    await early.kill();
    tell("from SIGKILL to the last partition taken over", await openedAll(late, shares.get("early") ?? [], killedMs));
    const again = await NodeProcess.start({ ...options, name: "early", flaws: { skewMs: 2 * hourMs } });
    await running;
    expect(await balanced([again, late], space.partitions)).toEqual(shares);
    await journal.settled();

    expect(load.check(journal)).toEqual([]);
    expect(journal.check()).toEqual([]);
    await Promise.all([again.stop(), late.stop()]);
    await load.close();
    await journal.close();
  });
});

/** A node that is killed while it works (I1, I2, I3, I4, I7). */
import { performance } from "node:perf_hooks";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type EmbeddedServer, startEmbeddedServer } from "../../index.ts";
import { decideAgain } from "./again.ts";
import { Journal } from "./journal.ts";
import { Load } from "./load.ts";
import { balanced, killAll, NodeProcess, openedAll, tell } from "./processes.ts";

let server: EmbeddedServer;
beforeAll(async () => {
  server = await startEmbeddedServer();
});
afterEach(killAll);
afterAll(() => server.stop());

describe("a node that is killed in the middle of 2,000 messages", () => {
  it("loses nothing, applies nothing twice, and has its share again when it is back", async () => {
    const space = { servers: server.url, space: "node-kill", partitions: 16 };
    const journal = await Journal.open(space);
    const options = { ...space, historyDepth: 64, purgeEvery: "1 hour" } as const;
    const [first, second] = await Promise.all([
      NodeProcess.start({ ...options, name: "first" }),
      NodeProcess.start({ ...options, name: "second" }),
    ]);
    const shares = await balanced([first, second], space.partitions);
    const load = await Load.connect(space);
    const running = load.run(2_000);

    await load.reached(700);
    const killedMs = performance.now();
    await first.kill();
    tell("from SIGKILL to the last partition taken over", await openedAll(second, shares.get("first") ?? [], killedMs));
    await running;
    const again = await NodeProcess.start({ ...options, name: "first" });
    const after = await balanced([again, second], space.partitions);
    await journal.settled();

    expect(load.check(journal)).toEqual([]);
    expect(journal.check()).toEqual([]);
    // Two nodes, and one of them in two lives, have decided all this.
    expect(decideAgain(journal)).toEqual([]);
    expect(load.sent.every(({ known }) => known === "ok")).toBe(true);
    expect(after.get("first")).toEqual(shares.get("first"));
    expect((await second.stats()).counters.takeovers).toBeGreaterThanOrEqual(shares.get("first")?.length ?? 0);
    await Promise.all([again.stop(), second.stop()]);
    await load.close();
    await journal.close();
  });
});

/** A node that is killed while it works for actors whose messages are delivered at most once (of I2 that nothing is applied twice; I4). */
import { performance } from "node:perf_hooks";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { connect, type EmbeddedServer, startEmbeddedServer } from "../../index.ts";
import { partitionOf } from "../../runtime/core/address.ts";
import { gauge, ledger } from "./actors.ts";
import { small } from "./journal.ts";
import { balanced, killAll, NodeProcess, openedAll } from "./processes.ts";

let server: EmbeddedServer;
beforeAll(async () => {
  server = await startEmbeddedServer();
});
afterEach(killAll);
afterAll(() => server.stop());

const partitions = 8;
const ids = Array.from({ length: 16 }, (_, i) => `g${i}`);
/** The number of the message at which the node is killed, and how many are sent once its partitions are taken over. */
const killAt = 2_000;
const afterwards = 500;
const window = 30;

describe("a node that is killed in the middle of messages that are delivered at most once", () => {
  it("applies none twice, and its successor counts what it skips", async () => {
    const space = { servers: server.url, space: "gauges-kill", partitions };
    const options = { ...space, historyDepth: 64, lease: "1 second" } as const;
    const client = await connect({ ...space, ...small, assumeSyncAlways: true, sender: "meter" });
    const [first, second] = await Promise.all([
      NodeProcess.start({ ...options, name: "first" }),
      NodeProcess.start({ ...options, name: "second" }),
    ]);
    const lost = (await balanced([first, second], partitions)).get("first") ?? [];
    const idle = await second.stats();

    const sentTo = new Map<string, number[]>(ids.map((id) => [id, []]));
    const read = async (id: string, n: number): Promise<void> => {
      sentTo.get(id)?.push(n);
      await client.send(gauge.ref(id), { type: "READ", n });
    };
    const underWay = new Set<Promise<void>>();
    let taken: Promise<void> | undefined;
    let count = 0;
    let last = Number.POSITIVE_INFINITY;
    for (; count < last; count++) {
      const n = count;
      const sent = read(ids[n % ids.length] as string, n);
      underWay.add(sent);
      void sent.finally(() => underWay.delete(sent));
      if (n === killAt) {
        // The load goes on through the takeover, and beyond it. The other node may have had the partitions before this one started.
        const sinceMs = performance.now();
        taken = first
          .kill()
          .then(() => openedAll(second, lost, sinceMs))
          .then(() => {
            last = count + afterwards;
          });
        taken.catch(() => {
          last = 0;
        });
      }
      while (underWay.size >= window) await Promise.race(underWay);
    }
    await taken;
    await Promise.all(underWay);
    // What comes now is applied, and in order: when the last one has come, all have that will.
    await Promise.all(ids.map((id, i) => read(id, count + i)));

    const missing: number[] = [];
    let sentToLost = 0;
    for (const [i, id] of ids.entries()) {
      const sent = sentTo.get(id) as number[];
      const { context } = await client.waitFor(ledger.ref(id), ({ context: { lines } }) =>
        lines.includes(String(count + i)),
      );
      const applied = context.lines.map(Number);
      expect(new Set(applied).size, id).toBe(applied.length);
      expect(applied, id).toEqual([...applied].sort((a, b) => a - b));
      const wasApplied = new Set(applied);
      const notApplied = sent.filter((n) => !wasApplied.has(n));
      if (lost.includes(partitionOf({ type: gauge.type, id }, partitions))) sentToLost += sent.length;
      else expect(notApplied, id).toEqual([]);
      missing.push(...notApplied);
    }
    const { counters } = await second.stats();
    const skipped = counters.skipped - idle.counters.skipped;
    // What stood in the mailboxes at the takeover is skipped, whether the killed node had applied it or not.
    expect(missing.length).toBeGreaterThan(0);
    expect(skipped).toBeGreaterThanOrEqual(missing.length);
    expect(skipped).toBeLessThan(sentToLost);
    expect(counters.unconfirmed).toBe(0);
    await client.close();
    await second.stop();
  });
});

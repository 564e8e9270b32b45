/** A node that dies at every named instant between a message and its commit, once (I1 to I4, I6, I7). */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type EmbeddedServer, startEmbeddedServer } from "../../index.ts";
import { type FaultPoint, faultPoints } from "../../runtime/engine/faults.ts";
import { decideAgain } from "./again.ts";
import { Journal } from "./journal.ts";
import { Load } from "./load.ts";
import { balanced, killAll, longMs, NodeProcess } from "./processes.ts";
import { WorkLoad } from "./work.ts";

let server: EmbeddedServer;
beforeAll(async () => {
  server = await startEmbeddedServer();
});
afterEach(killAll);
afterAll(() => server.stop());

/** Which time counts: somewhere in the middle of the work. */
const times: Readonly<Record<Exclude<FaultPoint, `timer.${string}`>, number>> = {
  read: 120,
  loaded: 6,
  decided: 100,
  "commit.before": 12,
  "commit.after": 12,
  answered: 30,
  "letter.before": 1,
  retry: 3,
  "checkpoint.before": 2,
  "checkpoint.after": 2,
  purged: 2,
  "lease.taken": 3,
  drained: 2,
};

/** This workload sets no timers: the machines of test/machines come past those instants. */
const points = faultPoints.filter(
  (point): point is Exclude<FaultPoint, `timer.${string}`> => !point.startsWith("timer."),
);

describe("a node that dies once", () => {
  it.each(points)("at %s has lost nothing and applied nothing twice when it is back", async (point) => {
    const space = { servers: server.url, space: `at-${point.replace(".", "-")}`, partitions: 4 };
    const journal = await Journal.open(space);
    const options = {
      ...space,
      historyDepth: 64,
      name: "node",
      checkpointEvery: "150 millis",
      purgeEvery: point === "purged" ? "200 millis" : "1 hour",
    } as const;
    const load = await Load.connect(space, { sequencers: 6, accounts: 4, window: 3 });
    const work = await WorkLoad.connect(space, "w", 18);
    // A third waits when the node starts, the rest comes while it works.
    await load.run(50);

    const node = await NodeProcess.start({ ...options, fault: `${point}:${times[point]}` });
    const sending = async () => {
      await load.run(100);
      while (node.isRunning) await load.run(10);
    };
    const running = Promise.all([sending(), work.run()]);
    // The only instant that a node does not come to by itself.
    if (point === "drained") {
      await balanced([node], space.partitions);
      await node.stop().catch(() => {});
    }
    await node.ended(longMs);
    expect(node.end).toBe("SIGKILL");
    const again = await NodeProcess.start(options);
    await running;
    await journal.settled();

    expect(load.check(journal)).toEqual([]);
    expect(work.check(journal)).toEqual([]);
    expect(journal.check()).toEqual([]);
    expect(decideAgain(journal)).toEqual([]);
    await again.stop();
    await Promise.all([load.close(), work.close(), journal.close()]);
  });
});

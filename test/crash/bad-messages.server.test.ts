/** Poison and flaky messages among good ones, on actors whose node dies again and again (I4, I6). */
import { performance } from "node:perf_hooks";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { connect, type EmbeddedServer, startEmbeddedServer } from "../../index.ts";
import { account, ledger, sequencer, slowMs, worker } from "./actors.ts";
import { Journal, small } from "./journal.ts";
import { balanced, eventually, killAll, longMs, NodeProcess, tell } from "./processes.ts";
import { WorkLoad } from "./work.ts";

let server: EmbeddedServer;
beforeAll(async () => {
  server = await startEmbeddedServer();
});
afterEach(killAll);
afterAll(() => server.stop());

describe("bad messages among good ones, with nodes that are killed", () => {
  it("hold back only what is behind them, and each poison has one letter with all its attempts", async () => {
    const space = { servers: server.url, space: "bad", partitions: 4 };
    const journal = await Journal.open(space);
    const options = { ...space, historyDepth: 64, purgeEvery: "1 hour", lease: "1 second" } as const;
    let first = await NodeProcess.start({ ...options, name: "first" });
    const second = await NodeProcess.start({ ...options, name: "second" });
    await balanced([first, second], space.partitions);
    const loads = await Promise.all(["w0", "w1", "w2"].map((id) => WorkLoad.connect(space, id, 80)));
    const running = Promise.all(loads.map((load) => load.run()));

    for (let round = 1; round <= 2; round++) {
      const goal = journal.handled + 20;
      await eventually(() => expect(journal.handled).toBeGreaterThan(goal), longMs);
      await first.kill();
      first = await NodeProcess.start({ ...options, name: "first" });
    }
    await running;
    await journal.settled();

    for (const load of loads) expect(load.check(journal)).toEqual([]);
    expect(journal.check()).toEqual([]);
    await Promise.all([first.stop(), second.stop()]);
    await Promise.all([...loads.map((load) => load.close()), journal.close()]);
  });
});

describe("messages that change nothing, with a node that is killed", () => {
  it("are each found in the history with what became of them: ignored, refused by the schema, or reserved", async () => {
    const space = { servers: server.url, space: "nothing", partitions: 2 };
    const journal = await Journal.open(space);
    const options = { ...space, historyDepth: 64, purgeEvery: "1 hour", name: "node" } as const;
    const node = await NodeProcess.start(options);
    const client = await connect({ ...space, ...small, assumeSyncAlways: true, sender: "careless" });
    const sendAll = async (from: number, to: number) => {
      for (let n = from; n < to; n++) {
        await Promise.all([
          client.send(sequencer.ref("s"), { type: "UNKNOWN_HERE" }),
          // By address: the client has no schema to refuse it with.
          client.send({ type: account.type, id: "a" }, { type: "CREDIT", amount: "much" }),
          client.send(account.ref("b"), { type: "TRANSFER", to: "a", amount: 1_000_000 }),
        ]);
      }
    };
    await sendAll(0, 20);
    await node.kill();
    await sendAll(20, 30);
    const again = await NodeProcess.start(options);
    await journal.settled();

    const outcomes = (actor: string) =>
      journal.commitsOf(actor).flatMap(({ state }) => state.handled.map(({ outcome, reason }) => reason ?? outcome));
    expect(outcomes("sequencer/s")).toEqual(["created", ...new Array(29).fill("ignored")]);
    expect(outcomes("account/a")).toEqual(new Array(30).fill("schema"));
    expect(outcomes("account/b")).toEqual(["created", ...new Array(29).fill("ignored")]);
    expect(journal.records.core.filter(({ subject }) => subject.includes(".dead."))).toHaveLength(30);
    expect(journal.check()).toEqual([]);
    await again.stop();
    await client.close();
    await journal.close();
  });
});

describe("a message that waits long, with more behind it than the node may hold", () => {
  it("does not keep the messages of other actors from being read", async () => {
    const space = { servers: server.url, space: "crowded", partitions: 1 };
    const journal = await Journal.open(space);
    const client = await connect({ ...space, ...small, assumeSyncAlways: true, sender: "boss" });
    const numbers = Array.from({ length: 400 }, (_, n) => n);
    await Promise.all(
      numbers.map((n) => client.send(worker.ref("w"), { type: "WORK", n, ...(n === 0 ? { flaw: "slow" } : {}) })),
    );
    // All of it is there when the node starts, and comes faster than the actor can be loaded.
    const node = await NodeProcess.start({ ...space, historyDepth: 64, name: "node", maxQueued: 100 });
    const startedMs = performance.now();
    await client.ask(ledger.ref("l"), { type: "ASK_IN", line: "next" }, { timeout: "40 seconds" });
    const waitedMs = performance.now() - startedMs;
    tell("from the node's start to another actor's answer", waitedMs);
    expect(waitedMs).toBeLessThan(slowMs * 0.8);

    await journal.settled();
    expect(journal.contextOf<{ done: number[] }>("worker/w")?.done).toEqual(numbers);
    expect(journal.check()).toEqual([]);
    await node.stop();
    await client.close();
    await journal.close();
  });
});

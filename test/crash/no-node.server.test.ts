/** Messages for which there is no node, or none that lives to answer (I1, I2). */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { connect, type EmbeddedServer, startEmbeddedServer } from "../../index.ts";
import { ledger } from "./actors.ts";
import { Journal, small } from "./journal.ts";
import { Load, linesOf } from "./load.ts";
import { balanced, killAll, NodeProcess } from "./processes.ts";

let server: EmbeddedServer;
beforeAll(async () => {
  server = await startEmbeddedServer();
});
afterEach(killAll);
afterAll(() => server.stop());

describe("messages that are sent while no node lives", () => {
  it("are all applied by the node that comes later", async () => {
    const space = { servers: server.url, space: "no-node", partitions: 8 };
    const journal = await Journal.open(space);
    const options = { ...space, historyDepth: 64, purgeEvery: "1 hour" } as const;
    const nodes = await Promise.all(["first", "second"].map((name) => NodeProcess.start({ ...options, name })));
    await balanced(nodes, space.partitions);
    const load = await Load.connect(space);
    const running = load.run(1_200);
    await load.reached(300);
    await Promise.all(nodes.map((node) => node.kill()));
    const handled = journal.handled;
    await running;
    expect(load.settled).toBe(1_200);
    expect(load.sent.every(({ known }) => known === "ok")).toBe(true);

    const later = await NodeProcess.start({ ...options, name: "third" });
    await journal.settled();

    expect(journal.handled).toBeGreaterThan(handled);
    expect(load.check(journal)).toEqual([]);
    expect(journal.check()).toEqual([]);
    await later.stop();
    await load.close();
    await journal.close();
  });
});

describe("an ask whose node died between its commit and its answer", () => {
  it("has the same outcome when it is asked again with its key, and is applied once", async () => {
    const space = { servers: server.url, space: "ask-again", partitions: 2 };
    const journal = await Journal.open(space);
    const options = { ...space, historyDepth: 64, name: "node" } as const;
    const client = await connect({ ...space, ...small, assumeSyncAlways: true, sender: "asker" });
    for (const number of [1, 2, 3]) {
      const key = `question-${number}`;
      const line = `line ${number}`;
      const node = await NodeProcess.start({ ...options, fault: "commit.after" });
      const asked = client.ask(ledger.ref("asked"), { type: "ASK_IN", line }, { key, timeout: "30 seconds" });
      await node.ended();
      expect(node.end).toBe("SIGKILL");

      // Nobody lives who could answer: the log does.
      const first = await asked;
      const again = await NodeProcess.start(options);
      const second = await client.ask(ledger.ref("asked"), { type: "ASK_IN", line }, { key, timeout: "30 seconds" });
      const stranger = await connect({ ...space, ...small, assumeSyncAlways: true, sender: "stranger" });
      const third = await stranger.ask(ledger.ref("asked"), { type: "ASK_IN", line }, { key, timeout: "30 seconds" });

      expect(first).toMatchObject({ outcome: "applied", reply: number });
      for (const repeated of [second, third]) {
        expect(repeated.reply).toBe(first.reply);
        expect(repeated.duplicate).toBe(true);
        expect(repeated.message).toBe(first.message);
        expect(repeated.outcome).toBe(first.outcome);
      }
      // The log answers the stranger before the node has come to its message.
      await journal.settled();
      await stranger.close();
      await again.stop();
    }
    expect(linesOf(journal, "asked")).toEqual(["line 1", "line 2", "line 3"]);
    expect(journal.check()).toEqual([]);
    await client.close();
    await journal.close();
  });
});

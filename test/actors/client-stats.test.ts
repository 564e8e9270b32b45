/** What a client says of a whole space, with nodes and without. */
import { afterEach, describe, expect, it } from "vitest";
import { assign, setup } from "xstate";
import { createClient } from "../../actors/client.ts";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestNode, type TestSystem, type TestSystemOptions } from "../../actors/test-system.ts";
import { partitionOf } from "../../runtime/core/address.ts";
import { TerminalError } from "../../runtime/core/errors.ts";
import { decodeQuery, encodeQueryAnswer } from "../../runtime/core/queries.ts";
import { encodeRecord, type LetterRecord, recordFormat, type WaitingRecord } from "../../runtime/core/records.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import { space as memorySpace, World } from "./client-world.ts";

const order = defineActor("order", {
  machine: setup({
    types: { context: {} as { notes: string[] }, events: {} as { type: "NOTE"; text: string } | { type: "PLACE" } },
  }).createMachine({
    id: "order",
    initial: "draft",
    context: { notes: [] },
    on: {
      NOTE: {
        actions: assign({
          notes: ({ context, event }) => {
            if (event.text === "bad") throw new TerminalError("It is bad.");
            return [...context.notes, event.text];
          },
        }),
      },
    },
    states: { draft: { on: { PLACE: "placed" } }, placed: { after: { 5000: "expired" } }, expired: {} },
  }),
});

const subjects = new Subjects("test");
const partitions = 4;
let system: TestSystem;

async function start(options: Partial<TestSystemOptions> = {}): Promise<TestSystem> {
  system = await createTestSystem({ actors: [order], partitions, ...options });
  await system.advance(3000);
  return system;
}

afterEach(() => system?.stop());

const stats = () => system.run(system.client.stats());
const send = (id: string, text: string) => system.run(system.client.send(order.ref(id), { type: "NOTE", text }));

/** Sends so many notes, to as many orders. */
async function sendMany(count: number): Promise<void> {
  await system.run(
    Promise.all(
      Array.from({ length: count }, (_, i) => system.client.send(order.ref(`o${i}`), { type: "NOTE", text: "n" })),
    ),
  );
}

describe("the stats of a space", () => {
  it("add up what all nodes say", async () => {
    const { nodes, advance } = await start({ nodes: 3 });
    await sendMany(60);
    await send("a", "bad");
    // Owners count letters every 10 s.
    await advance(11_000);
    const seen = await stats();
    const own = nodes.map((node) => node.stats());
    expect(seen.counters).toMatchObject({ applied: 60, deadLetters: 1, deadLettersByReason: { terminal: 1 } });
    expect(seen.counters.commits).toBe(own.reduce((sum, { counters }) => sum + counters.commits, 0));
    expect(own.filter(({ counters }) => counters.commits > 0).length).toBeGreaterThan(1);
    expect(seen.commitMs.count).toBe(seen.counters.commits);
    expect(seen.commitBytes.count).toBe(seen.counters.commits);
    expect(seen.sendToCommitMs.count).toBe(61);
    expect(seen.sendToCommitMs.p50).toBeGreaterThan(0);
    expect(seen.sendToCommitMs.p99).toBeGreaterThanOrEqual(seen.sendToCommitMs.p50);
    expect(seen.nodes.map(({ node, isAlive, answers }) => [node, isAlive, answers])).toEqual(
      ["node-1", "node-2", "node-3"].map((node) => [node, true, true]),
    );
    expect(seen.nodes.flatMap((node) => node.partitions).sort()).toEqual([0, 1, 2, 3]);
    expect(seen.mailboxes).toEqual({ depth: 0, oldestMs: 0, silent: 0 });
    expect(seen.letters).toMatchObject({ dead: 1, byType: { order: 1 }, byReason: { terminal: 1 }, source: "owners" });
    expect(seen.streams.core.lastSeq).toBeGreaterThan(0);
  });

  it("say what waits, and since when, when no node runs", async () => {
    const { nodes, advance, time } = await start();
    await sendMany(8);
    await advance(3000);
    (nodes[0] as TestNode).crash();
    const sentMs = time.now();
    await sendMany(20);
    await advance(60_000);
    const seen = await stats();
    expect(seen.nodes).toMatchObject([{ node: "node-1", isAlive: false, answers: false, status: "up" }]);
    expect(seen.mailboxes).toMatchObject({ depth: 20, silent: partitions });
    expect(seen.mailboxes.oldestMs).toBeGreaterThan(60_000);
    expect(seen.mailboxes.oldestMs).toBeLessThanOrEqual(time.now() - sentMs);
    expect(seen.partitions.map(({ source, overdueMs }) => [source, overdueMs])).toEqual(
      Array.from({ length: partitions }, () => ["log", undefined]),
    );
    const byPartition = Array.from({ length: partitions }, () => 0);
    for (let i = 0; i < 20; i++) {
      const partition = partitionOf({ type: "order", id: `o${i}` }, partitions);
      byPartition[partition] = (byPartition[partition] ?? 0) + 1;
    }
    expect(seen.partitions.map(({ depth }) => depth)).toEqual(byPartition);
    expect([seen.counters.applied, seen.sendToCommitMs]).toEqual([0, { count: 0, p50: 0, p99: 0 }]);
  });

  it("count what an owner has read and not handled, and what it has not read yet, once", async () => {
    const { time, nodes, broker } = await start({ settings: { maxQueued: 8 } });
    const node = nodes[0] as TestNode;
    // Nothing is committed for long, while messages are read and come in; a node that holds as much as it may reads no more.
    for (let i = 0; i < 100; i++)
      broker.faults.next("append", ([first]) => first?.subject.includes(".state.") === true, "delay", 60_000);
    await sendMany(40);
    await time.runUntil(() => node.stats().pending > 0);
    const seen = await stats();
    expect(node.stats().counters.commits).toBe(0);
    expect(node.stats().pending).toBeLessThan(40);
    expect(seen.mailboxes).toMatchObject({ depth: 40, silent: 0 });
    broker.faults.heal();
  });

  it("count all letters as their owners know them, and the oldest in the log where a partition has no owner who knows", async () => {
    const { nodes, advance, broker, run } = await start({ nodes: 2 });
    const { log } = broker.connect("writer");
    const letterOf = (n: number): LetterRecord => ({
      format: recordFormat,
      letter: `l${n}`,
      to: `order/o${n % 50}`,
      reason: n % 2 === 0 ? "attempts" : "schema",
      explanation: "It is bad.",
      attempts: [],
      attemptCount: 1,
      source: { stream: "ingress", seq: 1, subject: "s" },
      at: 5000 - n,
      redrives: 0,
      status: n < 20 ? "dropped" : "dead",
      ...(n >= 10_060 ? { parks: true } : {}),
    });
    for (let from = 0; from < 10_070; from += 190) {
      const records = Array.from({ length: 190 }, (_, i) => {
        const of = { type: "order", id: `o${(from + i) % 50}` };
        const subject = subjects.dead(partitionOf(of, partitions), of, `l${from + i}`);
        return { subject, data: encodeRecord(letterOf(from + i)) };
      });
      expect((await run(log.append("core", records)))._tag).toBe("Appended");
    }
    // No owner has looked yet.
    expect((await stats()).letters).toMatchObject({ dead: 9980, closed: 20, source: "log", isComplete: false });
    await advance(11_000);
    const seen = await stats();
    expect(seen.letters).toEqual({
      dead: 10_050,
      closed: 20,
      parking: 10,
      oldestAt: 5000 - 10_069,
      byType: { order: 10_050 },
      byReason: { attempts: 5025, schema: 5025 },
      source: "owners",
      isComplete: true,
    });
    expect(seen.parkedActors).toBe(10);
    // Its partitions are nobody's until they are taken over, and their letters are read with the next look of the new owner.
    (nodes[0] as TestNode).crash();
    expect((await stats()).letters).toMatchObject({ dead: 9980, closed: 20, source: "log", isComplete: false });
    await advance(40_000);
    expect((await stats()).letters).toMatchObject({ dead: 10_050, source: "owners" });
  });

  it("tell a node that died from one that is silent and lives", async () => {
    const { nodes, advance, run, client } = await start({ nodes: 2 });
    (nodes[0] as TestNode).crash();
    expect((await stats()).nodes.map(({ node, answers }) => [node, answers])).toEqual([
      ["node-1", false],
      ["node-2", true],
    ]);
    await advance(20_000);
    const later = await stats();
    expect(later.nodes.map(({ isAlive }) => isAlive)).toEqual([false, true]);
    expect(later.mailboxes.silent).toBe(0);
    // Whoever hears no question still shows signs of life.
    system.broker.faults.set({ signal: { lost: 1 } });
    const deaf = await run(client.stats({ wait: "2 seconds" }));
    expect(deaf.nodes.map(({ isAlive, answers }) => [isAlive, answers])).toEqual([
      [false, false],
      [true, false],
    ]);
    expect(deaf.mailboxes.silent).toBe(partitions);
    // Signs that are seen to come need no clock that is right.
    const { log, time } = system.broker.connect();
    const ahead = Object.assign(Object.create(time), { now: () => time.now() + 3_600_000 });
    const space = { ...memorySpace, partitions };
    const wrong = await run(createClient({ log, time: ahead, space, spaceName: "test" }).stats({ wait: "2 seconds" }));
    expect(wrong.nodes.map(({ isAlive }) => isAlive)).toEqual([false, true]);
  });

  it("say for how long a timer has been overdue, until it has fired", async () => {
    const { client, run, broker, advance } = await start();
    await run(client.ask(order.ref("a"), { type: "PLACE" }));
    broker.faults.next("append", ([first]) => first?.subject.includes(".state.order.") === true, "delay", 4500);
    await advance(7000);
    const seen = await stats();
    expect(seen.timers.overdueMs).toBeGreaterThan(1900);
    expect(seen.timers.overdueMs).toBeLessThan(3000);
    const partition = partitionOf({ type: "order", id: "a" }, partitions);
    expect(seen.partitions.filter(({ overdueMs }) => overdueMs !== 0).map((each) => each.partition)).toEqual([
      partition,
    ]);
    await advance(4000);
    expect((await stats()).timers.overdueMs).toBe(0);
  });

  it("pass over answers that no node has written", async () => {
    const { broker, advance } = await start();
    await sendMany(3);
    await advance(1000);
    const liar = broker.connect("liar").log;
    const said = [null, "x", {}, { node: "liar", counters: null }, { node: "liar", counters: {}, mailboxes: [null] }];
    liar.listen(subjects.queryNodes(), (_, data) => {
      const { reply } = decodeQuery(data);
      for (const [i, result] of said.entries()) liar.signal(reply, encodeQueryAnswer({ node: `liar-${i}`, result }));
      liar.signal(
        reply,
        encodeQueryAnswer({
          node: "liar-9",
          result: {
            node: "liar",
            counters: { applied: "many", commits: -7, retries: Number.NaN, bogus: 3, deadLettersByReason: [1] },
            mailboxes: [{ partition: 0, isOpen: true, pending: "all" }],
            sendToCommit: [null, "1", -4],
            activities: { waiting: { mail: "x" } },
          },
        }),
      );
      liar.signal(reply, Buffer.from("{"));
    });
    const seen = await stats();
    expect(seen.counters).toMatchObject({ applied: 3, retries: 0 });
    expect(seen.counters).not.toHaveProperty("bogus");
    expect(seen.sendToCommitMs.count).toBe(3);
    expect(seen.mailboxes).toMatchObject({ depth: 0, silent: 0 });
  });

  it("refuse options that are none", async () => {
    await start();
    await expect(system.client.stats({ wait: "soon" as never })).rejects.toMatchObject({ _tag: "InvalidOptionsError" });
    await expect(system.client.stats({ patience: 1 } as never)).rejects.toThrow("patience is not an option");
    const over = new AbortController();
    over.abort(new Error("enough"));
    await expect(system.run(system.client.stats({ signal: over.signal }))).rejects.toThrow("enough");
  });
});

describe("the stats of a space that no node has ever run in", () => {
  it("are all there, and 0", async () => {
    const world = new World();
    const seen = await world.run(world.client.stats());
    expect(seen.nodes).toEqual([]);
    expect(seen.partitions.every(({ owner, depth }) => owner === undefined && depth === 0)).toBe(true);
    expect([seen.mailboxes.depth, seen.waiting, seen.letters.dead, seen.parkedActors]).toEqual([0, 0, 0, 0]);
  });

  it("count letters by what became of them, and messages that wait", async () => {
    const world = new World();
    const letter = (id: string, more: Partial<LetterRecord> = {}) =>
      world.writeLetter({ type: id.startsWith("p") ? "payment" : "order", id }, `l-${id}`, more);
    await letter("o1", { at: 500 });
    await letter("o2", { at: 300, parks: true });
    await letter("p1", { reason: "schema" });
    await letter("p1", { status: "redriven", redrives: 1 });
    await letter("o3", { status: "dropped", at: 100 });
    await letter("p2", { reason: "malformed", at: 400 });
    const waiting: WaitingRecord = {
      format: recordFormat,
      source: { stream: "ingress", seq: 1, subject: "s" },
      attempts: [],
      attemptCount: 0,
      firstAt: 0,
    };
    for (const n of [1, 2, 2, 2])
      await world.write([{ subject: subjects.wait(0, { type: "order", id: "o1" }, n), data: encodeRecord(waiting) }]);
    await world.write([{ subject: subjects.dead(0, { type: "x", id: "y" }, "l-z"), data: Buffer.from("{") }]);
    const seen = await world.run(world.client.stats());
    expect(seen.letters).toEqual({
      dead: 3,
      closed: 2,
      parking: 1,
      oldestAt: 300,
      byType: { order: 2, payment: 1 },
      byReason: { attempts: 2, malformed: 1 },
      source: "log",
      isComplete: true,
    });
    expect([seen.waiting, seen.parkedActors]).toEqual([2, 1]);
  });

  it("are not to be had from a client that is closed", async () => {
    const world = new World();
    const { log, time } = world.broker.connect();
    const client = createClient({ log, time, spaceName: "test", space: memorySpace });
    await world.run(client.close());
    await expect(client.stats()).rejects.toMatchObject({ _tag: "SystemStoppedError" });
  });
});

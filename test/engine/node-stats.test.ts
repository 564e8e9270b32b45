/** What a node says of itself while it works. */
import { afterEach, describe, expect, it } from "vitest";
import { assign, setup } from "xstate";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestNode, type TestSystem, type TestSystemOptions } from "../../actors/test-system.ts";
import { Latencies, Sizes } from "../../runtime/engine/histogram.ts";
import type { PartitionStats } from "../../runtime/engine/partition.ts";

const order = defineActor("order", {
  machine: setup({
    types: { context: {} as { notes: string[] }, events: {} as { type: "NOTE"; text: string } | { type: "PLACE" } },
  }).createMachine({
    id: "order",
    initial: "draft",
    context: { notes: [] },
    on: { NOTE: { actions: assign({ notes: ({ context, event }) => [...context.notes, event.text] }) } },
    states: { draft: { on: { PLACE: "placed" } }, placed: { after: { 5000: "expired" } }, expired: {} },
  }),
});

let system: TestSystem | undefined;

async function start(options: Partial<TestSystemOptions> = {}): Promise<TestSystem> {
  system = await createTestSystem({ actors: [order], partitions: 4, ...options });
  await system.advance(1000);
  return system;
}

afterEach(async () => {
  await system?.stop();
  system = undefined;
});

const found = (node: TestNode, has: (mailbox: PartitionStats) => boolean) => node.stats().mailboxes.find(has);

describe("the stats of a node", () => {
  it("count every commit in the histograms of time and size", async () => {
    const { run, client, nodes } = await start();
    await run(Promise.all(Array.from({ length: 40 }, (_, i) => client.ask(order.ref(`o${i}`), { type: "PLACE" }))));
    const large = { type: "NOTE", text: "x".repeat(50_000) } as const;
    await run(client.ask(order.ref("large"), large));
    const { counters, commitTime, commitSize } = (nodes[0] as TestNode).stats();
    const [time, size] = [new Latencies(), new Sizes()];
    time.merge(commitTime);
    size.merge(commitSize);
    expect([time.count, size.count]).toEqual([counters.commits, counters.commits]);
    expect(counters.commits).toBeGreaterThan(1);
    // An append travels to the broker and back, 0.1 to 1 ms each way.
    expect(time.quantile(0)).toBeGreaterThanOrEqual(0.2);
    expect(time.quantile(1)).toBeLessThan(10);
    expect(size.quantile(1)).toBeGreaterThan(50_000);
    expect(size.quantile(1)).toBeLessThan(56_000);
  });

  it("count what a commit takes in trials whose outcome was unknown", async () => {
    const { run, client, nodes, broker } = await start();
    broker.faults.next("append", ([first]) => first?.subject.includes(".state.") === true, "lost-answer");
    await run(client.send(order.ref("a"), { type: "PLACE" }));
    await system?.time.runUntil(() => nodes[0]?.stats().counters.commits === 1);
    const time = new Latencies();
    time.merge((nodes[0] as TestNode).stats().commitTime);
    expect(time.count).toBe(1);
    expect(time.quantile(1)).toBeGreaterThan(1000);
  });

  it("say in which partition the oldest message waits that is not handled, and since when", async () => {
    const { run, client, nodes, broker, time } = await start();
    const node = nodes[0] as TestNode;
    expect(node.stats().mailboxes.map(({ partition, isOpen, oldestAt }) => [partition, isOpen, oldestAt])).toEqual(
      [0, 1, 2, 3].map((partition) => [partition, true, undefined]),
    );
    const sent = client.send(order.ref("a"), { type: "NOTE", text: "1" });
    await time.runUntil(() => node.stats().pending > 0);
    await run(sent);
    const [record] = broker.journal("ingress");
    const waiting = found(node, ({ pending }) => pending > 0);
    expect(waiting).toMatchObject({ pending: 1, oldestAt: record?.timeMs, readUpTo: { ingress: record?.seq } });
    await time.runUntil(() => node.stats().pending === 0);
    expect(found(node, ({ oldestAt }) => oldestAt !== undefined)).toBeUndefined();
  });

  it("say since when a timer is overdue, until it has fired", async () => {
    const { run, client, nodes, time } = await start();
    const node = nodes[0] as TestNode;
    await run(client.ask(order.ref("a"), { type: "PLACE" }));
    const placedMs = time.now();
    await time.runUntil(() => found(node, ({ overdueSince }) => overdueSince !== undefined) !== undefined);
    const since = found(node, ({ overdueSince }) => overdueSince !== undefined)?.overdueSince as number;
    expect(since - placedMs).toBeGreaterThan(4900);
    expect(since - placedMs).toBeLessThanOrEqual(5000);
    await run(client.waitFor(order.ref("a"), { value: "expired" }));
    await time.runUntil(() => node.stats().counters.timersFired === 1);
    expect(found(node, ({ overdueSince }) => overdueSince !== undefined)).toBeUndefined();
  });

  it("count where leases have gone: handed over in order, and taken after a death", async () => {
    const { nodes, startNode, advance } = await start();
    const first = nodes[0] as TestNode;
    const second = await startNode();
    await advance(3000);
    expect(first.stats().counters).toMatchObject({ leasesGained: 4, leasesHandedOver: 2, leasesLost: 0, takeovers: 0 });
    expect(second.stats().counters).toMatchObject({ leasesGained: 2, leasesHandedOver: 0, takeovers: 0 });
    first.crash();
    await advance(6000);
    expect(second.stats().counters).toMatchObject({ leasesGained: 4, leasesLost: 0, takeovers: 2 });
  });

  it("count leases that were taken away while the node was frozen", async () => {
    const { nodes, startNode, advance } = await start();
    await startNode();
    await advance(3000);
    const first = nodes[0] as TestNode;
    first.freeze();
    await advance(6000);
    first.thaw();
    await advance(100);
    expect(first.stats().counters.leasesLost).toBe(2);
  });
});

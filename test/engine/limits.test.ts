/** What a node does when there is much of something: memory stays bounded, order stays, nothing is lost. */

import { afterEach, describe, expect, it } from "vitest";
import { assign, setup } from "xstate";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem, type TestSystemOptions } from "../../actors/test-system.ts";
import { RetryableError } from "../../runtime/core/errors.ts";
import { publish, tell } from "../../runtime/machine/actions.ts";

let isBroken = false;

const list = defineActor("list", {
  machine: setup({
    types: {
      context: {} as { items: number[] },
      events: {} as { type: "PUT"; item: number } | { type: "STICKY"; item: number },
    },
  }).createMachine({
    id: "list",
    context: { items: [] },
    on: {
      PUT: { actions: assign({ items: ({ context, event }) => [...context.items, event.item] }) },
      STICKY: {
        actions: assign({
          items: ({ context, event }) => {
            if (isBroken) throw new RetryableError("Not yet.");
            return [...context.items, event.item];
          },
        }),
      },
    },
  }),
  retry: { base: 1000, factor: 1, jitter: "none", maxAttempts: 1000 },
});

let system: TestSystem | undefined;

async function start(options: Partial<TestSystemOptions> = {}): Promise<TestSystem> {
  system = await createTestSystem({ actors: [list], ...options });
  return system;
}

afterEach(async () => {
  isBroken = false;
  await system?.stop();
  system = undefined;
});

describe("a lane that cannot move", () => {
  it("keeps a bounded number of messages in memory, lets other actors go on, and applies all in order afterwards", async () => {
    const { run, client, nodes, advance } = await start({ settings: { maxQueued: 400 }, partitions: 1 });
    isBroken = true;
    const sends = [client.send(list.ref("stuck"), { type: "STICKY", item: -1 })];
    for (let item = 0; item < 2000; item++) {
      sends.push(client.send(list.ref("stuck"), { type: "PUT", item }));
      if (item % 10 === 0) sends.push(client.send(list.ref("free"), { type: "PUT", item }));
    }
    await run(Promise.all(sends));
    const free = await run(client.waitFor(list.ref("free"), (view) => view.context.items.length === 200));
    expect(free.context.items).toEqual(Array.from({ length: 200 }, (_, i) => i * 10));
    await advance(100);
    expect(nodes[0]?.stats().queued).toBeLessThan(400);
    // The first one failed, and waits in a record of its own.
    expect(nodes[0]?.stats().pending).toBe(2000);
    isBroken = false;
    const stuck = await run(client.waitFor(list.ref("stuck"), (view) => view.context.items.length === 2001));
    expect(stuck.context.items).toEqual([-1, ...Array.from({ length: 2000 }, (_, i) => i)]);
    await advance(3000);
    expect(nodes[0]?.stats()).toMatchObject({ pending: 0, queued: 0 });
  });

  it("loses nothing when its node dies meanwhile", async () => {
    const { run, client, nodes, startNode } = await start({ settings: { maxQueued: 100 }, partitions: 1 });
    isBroken = true;
    const sends = [client.send(list.ref("stuck"), { type: "STICKY", item: -1 })];
    for (let item = 0; item < 500; item++) sends.push(client.send(list.ref("stuck"), { type: "PUT", item }));
    await run(Promise.all(sends));
    await system?.advance(2500);
    nodes[0]?.crash();
    await startNode();
    isBroken = false;
    const stuck = await run(
      client.waitFor(list.ref("stuck"), (view) => view.context.items.length === 501, { timeout: "2 minutes" }),
    );
    expect(stuck.context.items).toEqual([-1, ...Array.from({ length: 500 }, (_, i) => i)]);
  });
});

describe("idle actors", () => {
  it("leave memory when they have been idle for long, and come back as they were", async () => {
    const { run, client, nodes, advance } = await start({ settings: { passivateMs: 5000 } });
    await run(
      Promise.all(Array.from({ length: 300 }, (_, i) => client.send(list.ref(`l${i}`), { type: "PUT", item: i }))),
    );
    await advance(1000);
    expect(nodes[0]?.stats().idleActors).toBe(300);
    await advance(10_000);
    expect(nodes[0]?.stats()).toMatchObject({ idleActors: 0, idleBytes: 0 });
    await run(client.send(list.ref("l7"), { type: "PUT", item: 8 }));
    const view = await run(client.waitFor(list.ref("l7"), (seen) => seen.context.items.length === 2));
    expect(view.context.items).toEqual([7, 8]);
  });

  it("leave memory when their states take more than the budget", async () => {
    const { run, client, nodes, advance } = await start({ settings: { cacheBytes: 50_000 } });
    await run(
      Promise.all(Array.from({ length: 300 }, (_, i) => client.send(list.ref(`l${i}`), { type: "PUT", item: i }))),
    );
    await advance(1000);
    expect(nodes[0]?.stats().idleBytes).toBeLessThanOrEqual(50_000);
    expect(nodes[0]?.stats().idleActors).toBeGreaterThan(10);
  });
});

describe("a transition that is too large", () => {
  const many = defineActor("many", {
    machine: setup({ types: { context: {} as { n: number }, events: {} as { type: "GO" } } }).createMachine({
      id: "many",
      context: { n: 0 },
      on: { GO: { actions: Array.from({ length: 1000 }, (_, i) => tell("list", `l${i}`, { type: "PUT", item: i })) } },
    }),
  });
  const grow = defineActor("grow", {
    machine: setup({
      types: { context: {} as { text: string }, events: {} as { type: "GROW"; bytes: number } },
    }).createMachine({
      id: "grow",
      context: { text: "" },
      on: { GROW: { actions: assign({ text: ({ event }) => "x".repeat(event.bytes) }) } },
    }),
  });

  it("is a small dead letter when it emits more than a commit holds, and the actor goes on", async () => {
    const { run, client } = await start({ actors: [many, list] });
    await run(client.send(many.ref("m"), { type: "GO" }));
    await system?.advance(1000);
    const letters = await run(client.deadLetters.list({}));
    expect(letters).toMatchObject([{ reason: "too-large" }]);
    expect(system?.broker.records("core", "sw.test.core.*.mail.>")).toEqual([]);
  });

  it("is a dead letter when the state outgrows a record, and the state stays", async () => {
    const { run, client } = await start({ actors: [grow] });
    await run(client.ask(grow.ref("g"), { type: "GROW", bytes: 900_000 }));
    await expect(run(client.ask(grow.ref("g"), { type: "GROW", bytes: 1_100_000 }))).rejects.toMatchObject({
      _tag: "DeadLetteredError",
      details: { reason: "too-large" },
    });
    const view = await run(client.get(grow.ref("g")));
    expect(view?.context.text.length).toBe(900_000);
    expect((await run(client.ask(grow.ref("g"), { type: "GROW", bytes: 5 }))).view?.context.text).toBe("xxxxx");
  });
});

describe("what is handled", () => {
  const news = defineActor("news", {
    machine: setup({ types: { events: {} as { type: "SAY"; text: string } } }).createMachine({
      id: "news",
      on: { SAY: { actions: publish("headlines", ({ event }) => ({ type: "SAID", text: event.text })) } },
    }),
  });

  it("is purged from the mailboxes, from INGRESS only after the grace for resends", async () => {
    const { run, client, broker, advance } = await start();
    await run(Promise.all(Array.from({ length: 50 }, (_, item) => client.send(list.ref("a"), { type: "PUT", item }))));
    await advance(15_000);
    expect(broker.records("ingress")).toHaveLength(50);
    await advance(120_000);
    expect(broker.records("ingress")).toHaveLength(0);
    expect((await run(client.get(list.ref("a"))))?.context.items).toHaveLength(50);
  });

  it("is remembered by its key for the retention, and not longer", async () => {
    const hour = 3_600_000;
    // Nodes must keep house all the time: this is not a time to be slept through.
    const { run, client, broker, time } = await start({
      settings: { keyRetentionMs: 3 * hour, heartbeatMs: 60_000, leaseMs: 240_000 },
    });
    const put = () => run(client.send(list.ref("a"), { type: "PUT", item: 1 }, { key: "once" }));
    expect((await put()).duplicate).toBe(false);
    await time.advance(2 * hour);
    expect((await put()).duplicate).toBe(true);
    await time.advance(2000);
    expect((await run(client.get(list.ref("a"))))?.context.items).toEqual([1]);
    expect(broker.records("core", "sw.test.core.*.key.>")).toHaveLength(1);
    await time.advance(2 * hour);
    expect(broker.records("core", "sw.test.core.*.key.>")).toEqual([]);
  });

  it("is published as a CloudEvent in the same commit", async () => {
    const { run, client, broker } = await start({ actors: [news] });
    await run(client.ask(news.ref("desk"), { type: "SAY", text: "hello" }));
    const [record] = broker.records("core", "sw.test.core.*.topic.headlines.>");
    expect(JSON.parse(Buffer.from(record?.data as Uint8Array).toString())).toMatchObject({
      specversion: "1.0",
      type: "SAID",
      source: "/test/news/desk",
      data: { type: "SAID", text: "hello" },
    });
  });
});

/** Timers of real machines: when they fire, what they survive, and what becomes of those that are not wanted any more. */
import { afterEach, describe, expect, it } from "vitest";
import { assign, cancel, raise, setup } from "xstate";
import { defineActor, type MigrateOption } from "../../actors/define-actor.ts";
import { createTestSystem, type TestNode, type TestSystem, type TestSystemOptions } from "../../actors/test-system.ts";
import { partitionOf } from "../../runtime/core/address.ts";
import { encodeRecord, type StateRecord } from "../../runtime/core/records.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import { Latencies } from "../../runtime/engine/histogram.ts";

const second = 1000;
const minute = 60 * second;
const day = 24 * 60 * minute;

/** Waits for a payment; how long is said by the order. */
const order = defineActor("order", {
  machine: setup({
    types: {
      context: {} as { waitMs: number; log: string[] },
      events: {} as { type: "PLACE"; waitMs: number } | { type: "PAY" } | { type: "NOTE"; text: string },
    },
    delays: { patience: ({ context }) => context.waitMs },
    actions: {
      note: assign({ log: ({ context, event }) => [...context.log, event.type === "NOTE" ? event.text : event.type] }),
      expire: assign({ log: ({ context }) => [...context.log, "expired"] }),
    },
  }).createMachine({
    id: "order",
    initial: "draft",
    context: { waitMs: 0, log: [] },
    on: { NOTE: { actions: "note" } },
    states: {
      draft: { on: { PLACE: { target: "placed", actions: assign({ waitMs: ({ event }) => event.waitMs }) } } },
      placed: {
        on: { PAY: { target: "paid", actions: "note" } },
        after: { patience: { target: "expired", actions: "expire" } },
      },
      paid: { on: { PLACE: { target: "placed", actions: assign({ waitMs: ({ event }) => event.waitMs }) } } },
      expired: {},
    },
  }),
});

let isBroken = false;

/** Its timer fails while something outside is broken. */
const fragile = defineActor("fragile", {
  machine: setup({
    types: {
      context: {} as { log: string[] },
      events: {} as { type: "START" } | { type: "ADD" } | { type: "TICK"; n: number },
    },
  }).createMachine({
    id: "fragile",
    context: { log: [] },
    on: {
      START: { actions: [0, 1, 2].map((n) => raise({ type: "TICK", n }, { delay: 100 + n, id: `t${n}` })) },
      ADD: { actions: assign({ log: ({ context }) => [...context.log, "added"] }) },
      TICK: {
        actions: assign({
          log: ({ context, event }) => {
            if (isBroken && event.n === 1) throw new Error("The shop is closed.");
            return [...context.log, `tick ${event.n}`];
          },
        }),
      },
    },
  }),
  retry: { base: 100, factor: 1, jitter: "none", maxAttempts: 3 },
});

const subjects = new Subjects("test");
let system: TestSystem | undefined;

async function start(options: Partial<TestSystemOptions> = {}): Promise<TestSystem> {
  system = await createTestSystem({ actors: [order, fragile], partitions: 2, ...options });
  return system;
}

afterEach(async () => {
  isBroken = false;
  await system?.stop();
  system = undefined;
});

const logOf = async ({ run, client }: TestSystem, id: string): Promise<readonly string[]> =>
  (await run(client.get(order.ref(id))))?.context.log ?? [];

function countersOf(nodes: readonly TestNode[], name: "timersFired" | "timersStale" | "loads" | "deadLetters"): number {
  return nodes.reduce((sum, node) => sum + node.stats().counters[name], 0);
}

describe("a timer of a machine", () => {
  it("fires within 50 ms of being due, for 500 of them over 10 s", async () => {
    const { run, client, advance, nodes } = await start();
    const all = Array.from({ length: 500 }, (_, i) =>
      client.send(order.ref(`o${i}`), { type: "PLACE", waitMs: 5000 + i * 20 }),
    );
    await run(Promise.all(all));
    await advance(20_000);
    const stats = (nodes[0] as TestNode).stats();
    expect(stats.counters).toMatchObject({ timersFired: 500, timersStale: 0 });
    const lateness = new Latencies();
    lateness.merge(stats.timerLateness);
    expect(lateness.quantile(0.99)).toBeLessThan(50);
    expect(stats.nearTimers).toBe(0);
  });

  it("does not act when its state was left, and costs nothing then", async () => {
    const { run, client, advance, nodes } = await start({ settings: { passivateMs: 2000 } });
    await run(client.send(order.ref("a"), { type: "PLACE", waitMs: 20_000 }));
    await run(client.ask(order.ref("a"), { type: "PAY" }));
    await advance(10_000);
    expect(nodes[0]?.stats().nearTimers).toBe(0);
    await advance(20_000);
    expect(await logOf(system as TestSystem, "a")).toEqual(["PAY"]);
    expect([countersOf(nodes, "timersFired"), countersOf(nodes, "timersStale"), countersOf(nodes, "loads")]).toEqual([
      0, 0, 1,
    ]);
  });

  it("of an earlier visit to the same state does not act on a later one", async () => {
    const { run, client, advance } = await start();
    await run(client.send(order.ref("a"), { type: "PLACE", waitMs: 3000 }));
    await advance(2000);
    await run(client.send(order.ref("a"), { type: "PAY" }));
    await run(client.send(order.ref("a"), { type: "PLACE", waitMs: 3000 }));
    await advance(2000);
    expect(await logOf(system as TestSystem, "a")).toEqual(["PAY"]);
    await advance(1500);
    expect(await logOf(system as TestSystem, "a")).toEqual(["PAY", "expired"]);
  });

  it("fires although its actor has left memory meanwhile", async () => {
    const { run, client, advance, nodes } = await start({ settings: { passivateMs: 2000 } });
    await run(client.send(order.ref("a"), { type: "PLACE", waitMs: 10 * minute }));
    await advance(5 * minute);
    expect(nodes[0]?.stats()).toMatchObject({ idleActors: 0, nearTimers: 0 });
    await advance(5 * minute + 100);
    expect(await logOf(system as TestSystem, "a")).toEqual(["expired"]);
  });
});

describe("while everything is down", () => {
  it("timers come due, and fire within a second of the return, years later too", async () => {
    const { run, client, advance, nodes, time, startNode } = await start();
    await run(client.send(order.ref("soon"), { type: "PLACE", waitMs: 5000 }));
    await run(client.send(order.ref("years"), { type: "PLACE", waitMs: 3 * 365 * day }));
    await run(client.send(order.ref("later"), { type: "PLACE", waitMs: 4 * 365 * day }));
    await advance(100);
    nodes[0]?.crash();
    await advance(3 * 365 * day + 1000);
    const node = await startNode();
    const since = time.now();
    await run(client.waitFor(order.ref("years"), (view) => view.value === "expired"));
    expect(time.now() - since).toBeLessThan(1000);
    expect(await logOf(system as TestSystem, "soon")).toEqual(["expired"]);
    expect(await logOf(system as TestSystem, "later")).toEqual([]);
    expect(node.stats().counters).toMatchObject({ timersFired: 2, timersStale: 0 });
    node.crash();
    await advance(365 * day - 20_000);
    await startNode();
    await advance(10_000);
    expect(await logOf(system as TestSystem, "later")).toEqual([]);
    await advance(10_000);
    expect(await logOf(system as TestSystem, "later")).toEqual(["expired"]);
  });

  it("a message that was sent before a timer was due comes before it", async () => {
    const { run, client, advance, nodes, startNode } = await start();
    const ids = Array.from({ length: 50 }, (_, i) => `o${i}`);
    await run(Promise.all(ids.map((id) => client.send(order.ref(id), { type: "PLACE", waitMs: 60_000 }))));
    await advance(2000);
    nodes[0]?.crash();
    await advance(10_000);
    await run(Promise.all(ids.map((id) => client.send(order.ref(id), { type: "PAY" }))));
    await advance(120_000);
    await startNode();
    await advance(3000);
    for (const id of ids) expect(await logOf(system as TestSystem, id)).toEqual(["PAY"]);
  });
});

describe("a takeover", () => {
  it("fires what came due meanwhile within a second, and each timer once", async () => {
    const { run, client, advance, nodes, startNode, time } = await start();
    const ids = Array.from({ length: 500 }, (_, i) => `o${i}`);
    await run(Promise.all(ids.map((id, i) => client.send(order.ref(id), { type: "PLACE", waitMs: 3000 + i * 20 }))));
    await advance(6000);
    const before = countersOf(nodes, "timersFired");
    expect(before).toBeGreaterThan(50);
    expect(before).toBeLessThan(300);
    nodes[0]?.crash();
    let openedMs = 0;
    const next = await startNode();
    await run(
      (async () => {
        while (next.stats().partitions.length < 2) await new Promise<void>((resolve) => time.after(5, resolve));
        openedMs = time.now();
      })(),
    );
    const due = ids.filter((_, i) => 3000 + i * 20 < openedMs - Date.UTC(2026, 0, 1) - 1000).length;
    expect(due).toBeGreaterThan(before + 50);
    await advance(1000);
    expect(before + next.stats().counters.timersFired).toBeGreaterThanOrEqual(due);
    await advance(20_000);
    for (const id of ids) expect(await logOf(system as TestSystem, id)).toEqual(["expired"]);
  });

  it("costs by the near timers, not by all of them", async () => {
    const { run, client, advance, nodes, startNode } = await start();
    const ids = Array.from({ length: 1000 }, (_, i) => `o${i}`);
    await run(
      Promise.all(ids.map((id, i) => client.send(order.ref(id), { type: "PLACE", waitMs: 365 * day + i * 1000 }))),
    );
    await run(client.send(order.ref("near"), { type: "PLACE", waitMs: 20_000 }));
    await advance(3000);
    nodes[0]?.crash();
    const next = await startNode();
    await advance(10_000);
    expect(next.stats().nearTimers).toBe(1);
    expect(next.stats().counters.loads).toBe(0);
    await advance(15_000);
    expect(await logOf(system as TestSystem, "near")).toEqual(["expired"]);
    expect(next.stats().counters.loads).toBe(1);
  });

  it("drops a timer that was cancelled by someone else, after one look at its actor, and counts it", async () => {
    const { run, client, advance, nodes, startNode } = await start();
    await run(client.send(order.ref("a"), { type: "PLACE", waitMs: 30_000 }));
    await run(client.ask(order.ref("a"), { type: "PAY" }));
    // Before its owner has written that it knows.
    nodes[0]?.crash();
    const next = await startNode();
    await advance(60_000);
    expect(await logOf(system as TestSystem, "a")).toEqual(["PAY"]);
    expect(next.stats().counters).toMatchObject({ timersFired: 0, timersStale: 1 });
    expect(next.stats().nearTimers).toBe(0);
  });

  it("at the fault points of timers loses none and fires none twice", async () => {
    for (const point of ["timer.armed", "timer.before"] as const) {
      const { run, client, advance, nodes, startNode, stop } = await start();
      nodes[0]?.crashAt(point, 3);
      const ids = ["a", "b", "c", "d", "e"];
      await run(Promise.all(ids.map((id, i) => client.send(order.ref(id), { type: "PLACE", waitMs: 200 * i }))));
      await advance(2000);
      expect(await run(client.get(order.ref("e")))).not.toMatchObject({ value: "expired" });
      await startNode();
      await advance(10_000);
      for (const id of ids) expect(await logOf(system as TestSystem, id)).toEqual(["expired"]);
      await stop();
    }
    system = undefined;
  });
});

describe("a timer that another owner has set late", () => {
  /** Commits a state with a timer behind the node's back, as a late append of an earlier owner does; it is due after the delay. */
  async function setLate({ run, broker, time }: TestSystem, id: string, delayMs = 50): Promise<void> {
    const ref = order.ref(id);
    const partition = partitionOf(ref, 2);
    const subject = subjects.state(partition, ref);
    const last = broker.records("core", subject).at(-1);
    const state = JSON.parse(Buffer.from(last?.data ?? []).toString()) as StateRecord;
    const atMs = time.now() + delayMs;
    const event = { type: "NOTE", text: "from another life" };
    const newer = {
      ...state,
      revision: state.revision + 1,
      previous: last?.seq,
      commit: "other-1",
      outbox: 1,
      handled: [],
      snapshot: { ...state.snapshot, n: 1, timers: { "1": { at: atMs, id: "x", event } } },
    };
    const appended = await run(
      broker.connect("earlier-owner").log.append("core", [
        { subject, data: encodeRecord(newer), expectLastSeq: last?.seq ?? 0 },
        { subject: subjects.timer(partition, ref, "1", atMs), data: encodeRecord({ format: 1, at: atMs }) },
      ]),
    );
    expect(appended._tag).toBe("Appended");
  }

  it("fires although its actor is in memory in an older state", async () => {
    const { run, client, advance } = await start();
    await run(client.ask(order.ref("a"), { type: "NOTE", text: "here" }));
    await advance(1000);
    await setLate(system as TestSystem, "a");
    await advance(1000);
    expect(await logOf(system as TestSystem, "a")).toEqual(["here", "from another life"]);
  });

  it("fires although a commit on the older state is under way, which is refused then", async () => {
    const { run, client, advance, broker, nodes } = await start();
    await run(client.ask(order.ref("a"), { type: "NOTE", text: "here" }));
    await advance(1000);
    broker.faults.next("append", (records) => records[0]?.subject.includes(".state.order.a") === true, "lost-request");
    await run(client.send(order.ref("a"), { type: "NOTE", text: "more" }));
    await advance(20);
    await setLate(system as TestSystem, "a");
    await advance(8000);
    expect(nodes[0]?.stats().counters.conflicts).toBe(1);
    expect([...(await logOf(system as TestSystem, "a"))].sort()).toEqual(["from another life", "here", "more"]);
  });

  it("is found by the next owner when the one before had not read of it, however long nothing happened", async () => {
    const { run, client, advance, broker, nodes, startNode } = await start({ settings: { purgeMs: 500 } });
    await run(client.ask(order.ref("a"), { type: "NOTE", text: "here" }));
    await advance(1000);
    broker.faults.next("read", (record) => record.subject.includes(".timer."), "stall", 10 * minute);
    await setLate(system as TestSystem, "a", 20_000);
    await advance(5 * minute);
    expect(await logOf(system as TestSystem, "a")).toEqual(["here"]);
    nodes[0]?.crash();
    await startNode();
    await advance(10_000);
    expect(await logOf(system as TestSystem, "a")).toEqual(["here", "from another life"]);
  });
});

describe("a timer that a migration leaves out", () => {
  const versionOf = (version: string, reminds: boolean, migrate?: MigrateOption) =>
    defineActor("task", {
      ...(migrate === undefined ? {} : { migrate }),
      machine: setup({
        types: { context: {} as { log: string[] }, events: {} as { type: "START" } | { type: "REMIND" } },
      }).createMachine({
        id: "task",
        version,
        context: { log: [] },
        on: {
          ...(reminds ? { START: { actions: raise({ type: "REMIND" }, { delay: 60_000, id: "r" }) } } : {}),
          REMIND: { actions: assign({ log: ({ context }) => [...context.log, "reminded"] }) },
        },
      }),
    });

  it("does not fire, and is forgotten by the commit of the migration", async () => {
    const before = versionOf("1", true);
    const after = versionOf("2", false, {
      "1->2": ({ value, context }) => ({ value, context: context as { log: string[] }, timers: {} }),
    });
    const { run, client, advance, nodes, broker, startNode } = await start({ actors: [before] });
    await run(client.send(before.ref("a"), { type: "START" }));
    await advance(2000);
    await run((nodes[0] as TestNode).stop());
    const node = await startNode({ actors: [after] });
    await advance(90_000);
    expect(node.stats()).toMatchObject({ nearTimers: 0, counters: { timersFired: 0, timersStale: 1 } });
    const state = broker.records("core", subjects.state(partitionOf(before.ref("a"), 2), before.ref("a"))).at(-1);
    const { machine, snapshot } = JSON.parse(Buffer.from(state?.data ?? []).toString()) as StateRecord;
    expect([machine?.version, snapshot?.timers ?? {}]).toEqual(["2", {}]);
  });
});

describe("a timer that fails", () => {
  it("is tried again, holds back the actor's other messages, and fires once what was broken is repaired", async () => {
    const { run, client, advance } = await start();
    isBroken = true;
    await run(client.send(fragile.ref("a"), { type: "START" }));
    await advance(220);
    await run(client.send(fragile.ref("a"), { type: "ADD" }));
    isBroken = false;
    await advance(1000);
    const view = await run(client.get(fragile.ref("a")));
    expect(view?.context.log).toEqual(["tick 0", "tick 1", "tick 2", "added"]);
  });

  it("becomes a dead letter when its attempts are spent, does not come again after a takeover, and can be redriven", async () => {
    const { run, client, advance, nodes, startNode } = await start();
    isBroken = true;
    await run(client.send(fragile.ref("a"), { type: "START" }));
    await advance(2000);
    const letters = await run(client.deadLetters.list({ type: "fragile" }));
    expect(letters).toMatchObject([{ reason: "attempts", to: { type: "fragile", id: "a" } }]);
    expect((await run(client.get(fragile.ref("a"))))?.context.log).toEqual(["tick 0", "tick 2"]);
    nodes[0]?.crash();
    const next = await startNode();
    await advance(10_000);
    expect(next.stats().counters).toMatchObject({ deadLetters: 0, timersFired: 0 });
    isBroken = false;
    await run(client.deadLetters.redrive(letters[0]?.letter as string));
    await advance(1000);
    expect((await run(client.get(fragile.ref("a"))))?.context.log).toEqual(["tick 0", "tick 2", "tick 1"]);
  });
});

describe("dead letters of timers", () => {
  it("have names of their own, also of actors that are alike, so that each can be redriven alone", async () => {
    const { run, client, advance } = await start();
    isBroken = true;
    for (const id of ["a", "b", "c"]) await run(client.send(fragile.ref(id), { type: "START" }));
    await advance(3000);
    const letters = await run(client.deadLetters.list({ type: "fragile" }));
    expect(new Set(letters.map(({ letter }) => letter)).size).toBe(3);
    isBroken = false;
    const chosen = letters.find(({ to }) => to.id === "b");
    await run(client.deadLetters.redrive(chosen?.letter as string));
    await advance(2000);
    const rung: unknown[] = [];
    for (const id of ["a", "b", "c"]) rung.push((await run(client.get(fragile.ref(id))))?.context.log);
    expect(rung).toEqual([
      ["tick 0", "tick 2"],
      ["tick 0", "tick 2", "tick 1"],
      ["tick 0", "tick 2"],
    ]);
  });
});

describe("an actor that cannot move", () => {
  const many = defineActor("many", {
    machine: setup({
      types: {
        context: {} as { log: number[] },
        events: {} as { type: "START" } | { type: "BURST" } | { type: "BLOCK" } | { type: "TICK"; n: number },
      },
    }).createMachine({
      id: "many",
      context: { log: [] },
      on: {
        START: {
          actions: Array.from({ length: 60 }, (_, n) =>
            raise({ type: "TICK", n }, { delay: 1000 + n * 7, id: `t${n}` }),
          ),
        },
        BURST: {
          actions: Array.from({ length: 60 }, (_, n) => raise({ type: "TICK", n }, { delay: 1000, id: `t${n}` })),
        },
        BLOCK: {
          actions: assign({
            log: ({ context }) => {
              if (isBroken) throw new Error("Not now.");
              return [...context.log, -1];
            },
          }),
        },
        TICK: {
          actions: assign({
            log: ({ context, event }) => {
              if (isBroken && event.n === 0) throw new Error("Not now.");
              return [...context.log, event.n];
            },
          }),
        },
      },
    }),
    retry: { base: 2000, factor: 1, jitter: "none", maxAttempts: 100 },
  });

  it("is not flooded with its timers, which come in their order afterwards", async () => {
    const { run, client, advance, nodes } = await start({
      actors: [order, many],
      partitions: 1,
      settings: { maxQueued: 40 },
    });
    isBroken = true;
    await run(client.send(many.ref("a"), { type: "START" }));
    await run(client.send(many.ref("a"), { type: "BLOCK" }));
    await run(client.send(order.ref("free"), { type: "PLACE", waitMs: 10_000 }));
    await advance(9000);
    expect(nodes[0]?.stats()).toMatchObject({ nearTimers: 62 });
    expect(nodes[0]?.stats().queued).toBeLessThan(20);
    await advance(2000);
    expect(await logOf(system as TestSystem, "free")).toEqual(["expired"]);
    isBroken = false;
    await advance(8000);
    const view = await run(client.get(many.ref("a")));
    expect(view?.context.log).toEqual([-1, ...Array.from({ length: 60 }, (_, n) => n)]);
    expect(nodes[0]?.stats()).toMatchObject({ nearTimers: 0, queued: 0 });
  });

  it("takes timers that were set aside in their order, also when its node was full meanwhile", async () => {
    const { run, client, advance, nodes } = await start({ actors: [many], partitions: 1, settings: { maxQueued: 40 } });
    isBroken = true;
    await run(client.send(many.ref("a"), { type: "BURST" }));
    await advance(1500);
    // The first of them is tried again; the others are set aside.
    expect(nodes[0]?.stats()).toMatchObject({ queued: 0, counters: { timersFired: 0, retries: 1 } });
    const others = Array.from({ length: 40 }, () => client.send(many.ref("b"), { type: "BLOCK" }));
    await run(Promise.all(others));
    await advance(500);
    expect(nodes[0]?.stats().queued).toBeLessThan(40);
    isBroken = false;
    await advance(15_000);
    const view = await run(client.get(many.ref("a")));
    expect(view?.context.log).toEqual(Array.from({ length: 60 }, (_, n) => n));
    expect((await run(client.get(many.ref("b"))))?.context.log).toHaveLength(40);
  });
});

describe("an actor whose stored state cannot be used", () => {
  it("keeps its timers waiting without holding up others, and they fire when it can be used again", async () => {
    const { run, client, advance, broker, nodes } = await start({ settings: { passivateMs: 2000 } });
    const ids = ["a", "b"];
    await run(Promise.all(ids.map((id) => client.send(order.ref(id), { type: "PLACE", waitMs: 60_000 }))));
    await advance(10_000);
    const subject = subjects.state(partitionOf(order.ref("a"), 2), order.ref("a"));
    const good = broker.records("core", subject).at(-1);
    const { log } = broker.connect("operator");
    await run(log.append("core", [{ subject, data: Buffer.from('{"format":99}') }]));
    await advance(60_000);
    expect(nodes[0]?.stats()).toMatchObject({ nearTimers: 1, queued: 0, counters: { parked: 1, timersFired: 1 } });
    await run(log.append("core", [{ subject, data: good?.data ?? new Uint8Array() }]));
    await advance(40_000);
    for (const id of ids) expect(await logOf(system as TestSystem, id)).toEqual(["expired"]);
  });
});

describe("a node that does not know an actor's type", () => {
  it("leaves its timers to one that does", async () => {
    const events: string[] = [];
    const { run, client, advance, nodes, startNode } = await start({ onEvent: (event) => events.push(event.name) });
    await run(client.send(order.ref("a"), { type: "PLACE", waitMs: 5000 }));
    await advance(1500);
    nodes[0]?.crash();
    const stranger = await startNode({ actors: [fragile] });
    await advance(2 * minute);
    expect(stranger.stats()).toMatchObject({ nearTimers: 1 });
    expect(events).toContain("timer.waits");
    await run(stranger.stop());
    await startNode();
    await advance(5000);
    expect(await logOf(system as TestSystem, "a")).toEqual(["expired"]);
  });
});

describe("records of timers", () => {
  it("are gone some minutes after they were handled, and the checkpoint says so", async () => {
    const { run, client, time, broker } = await start({ settings: { timerPurgeMs: 10_000 } });
    for (let i = 0; i < 20; i++) await run(client.send(order.ref(`o${i}`), { type: "PLACE", waitMs: 1000 + i * 5000 }));
    await run(client.send(order.ref("paid"), { type: "PLACE", waitMs: 5000 }));
    await run(client.send(order.ref("paid"), { type: "PAY" }));
    await run(client.send(order.ref("far"), { type: "PLACE", waitMs: day }));
    await time.advance(4 * minute);
    const records = broker.records("core", "sw.test.core.*.timer.>");
    expect(records.map((record) => record.subject.split(".").at(-2))).toEqual(["far"]);
  });
});

describe("an own cancel", () => {
  const alarm = defineActor("alarm", {
    machine: setup({
      types: { context: {} as { rung: number }, events: {} as { type: "SET" } | { type: "STOP" } | { type: "RING" } },
    }).createMachine({
      id: "alarm",
      context: { rung: 0 },
      on: {
        SET: { actions: raise({ type: "RING" }, { delay: 1000, id: "ring" }) },
        STOP: { actions: cancel("ring") },
        RING: { actions: assign({ rung: ({ context }) => context.rung + 1 }) },
      },
    }),
  });

  it("in the commit that set it leaves nothing to fire", async () => {
    const { run, client, advance, nodes } = await start({ actors: [alarm] });
    await run(
      Promise.all([client.send(alarm.ref("a"), { type: "SET" }), client.send(alarm.ref("a"), { type: "STOP" })]),
    );
    await advance(5000);
    expect((await run(client.get(alarm.ref("a"))))?.context.rung).toBe(0);
    expect(nodes[0]?.stats()).toMatchObject({ nearTimers: 0 });
    expect(countersOf(nodes, "timersFired")).toBe(0);
  });
});

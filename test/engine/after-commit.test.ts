/** Custom actions and log lines: after the commit, in order, once, never for a commit that was refused. */
import { afterEach, describe, expect, it } from "vitest";
import { assign, emit, enqueueActions, log, setup } from "xstate";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem, type TestSystemOptions } from "../../actors/test-system.ts";
import { readCloudEvent } from "../../runtime/core/cloud-events.ts";
import { decodeRecord, encodeRecord, type StateRecord } from "../../runtime/core/records.ts";
import type { NodeEvent } from "../../runtime/engine/telemetry.ts";
import type { AppendRecord } from "../../runtime/log/log.ts";

/** What custom actions noted, and what nodes said, in the order in which it happened. */
let trace: string[] = [];
let told: Array<NodeEvent & { readonly node: string }> = [];
let system: TestSystem | undefined;

const note = (text: string): void => {
  trace.push(text);
};

const cycle: Record<string, unknown> = {};
cycle.self = cycle;
/** Values that cannot be stored, and of which one even refuses to become text. */
const unspeakable = [
  cycle,
  () => "a function",
  Symbol("s"),
  {
    toJSON: () => {
      throw new Error("no");
    },
  },
];

const desk = defineActor("desk", {
  machine: setup({
    types: {
      context: {} as { n: number },
      events: {} as
        | { type: "ADD" }
        | { type: "SHOW"; value: unknown }
        | { type: "MUMBLE" }
        | { type: "FAIL"; how: "throw" | "reject" | "odd" },
      emitted: {} as { type: "ADDED"; n: number },
    },
    actions: {
      before: ({ context }, params: { readonly at: string }) => note(`${params.at} before ${context.n}`),
      after: ({ context, event, self }) => note(`${self.id} after ${context.n} by ${event.type}`),
      fail: ({ event }) => {
        if (event.type !== "FAIL") return;
        note("failing");
        if (event.how === "throw") throw new Error("out of paper");
        if (event.how === "odd") throw null;
        return Promise.reject(new Error("out of ink")) as never;
      },
    },
  }).createMachine({
    context: { n: 0 },
    on: {
      ADD: {
        actions: [
          { type: "before", params: { at: "desk" } },
          assign({ n: ({ context }) => context.n + 1 }),
          log(({ context }) => `at ${context.n}`, "count"),
          emit(({ context }) => ({ type: "ADDED" as const, n: context.n })),
          "after",
        ],
      },
      SHOW: { actions: [log(({ event }) => event.value), "after"] },
      MUMBLE: {
        actions: [
          enqueueActions(({ enqueue }) => {
            for (const value of unspeakable) enqueue(log(() => value));
          }),
          "after",
        ],
      },
      FAIL: { actions: ["fail", "after"] },
    },
  }),
});

async function start(options: Partial<TestSystemOptions> = {}): Promise<TestSystem> {
  system = await createTestSystem({
    actors: [desk],
    partitions: 1,
    onEvent: (event, node) => {
      told.push({ ...event, node });
      if (event.name === "actor.log") note(event.message);
    },
    ...options,
  });
  return system;
}

afterEach(async () => {
  await system?.stop();
  system = undefined;
  trace = [];
  told = [];
});

/** The trace of so many additions to `desk/a`, each once. */
function addedTo(n: number): string[] {
  return Array.from({ length: n }, (_, i) => [
    `desk before ${i}`,
    `desk/a count: at ${i + 1}`,
    `desk/a after ${i + 1} by ADD`,
  ]).flat();
}

function emitted({ broker }: TestSystem): unknown[] {
  const records = broker.journal("core", "sw.test.core.*.emit.desk.a.>");
  return records.map(({ data }) => (readCloudEvent("an event", data).event as { n?: number }).n);
}

/** How many messages each commit of `desk/a` held. */
function commits({ broker }: TestSystem): number[] {
  const records = broker.journal("core", "sw.test.core.*.state.desk.a");
  return records.map(({ data }) => decodeRecord<StateRecord>("a state", data).handled.length);
}

const numbers = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

describe("after a commit of several messages", () => {
  it("actions run and lines are logged in the order of the messages and of their actions, with the context at their place", async () => {
    const world = await start();
    const { run, client } = world;
    await run(client.ask(desk.ref("a"), { type: "ADD" }));
    await run(Promise.all(numbers(39).map(() => client.send(desk.ref("a"), { type: "ADD" }))));
    await run(client.waitFor(desk.ref("a"), ({ context }) => context.n === 40));
    await world.advance(100);
    expect(trace).toEqual(addedTo(40));
    expect(emitted(world)).toEqual(numbers(40));
    expect(Math.max(...commits(world))).toBeGreaterThan(1);
  });

  it("nothing is done before it is in the log", async () => {
    const world = await start();
    const { run, client, broker, advance } = world;
    await run(client.ask(desk.ref("a"), { type: "ADD" }));
    const isCommit = (records: readonly AppendRecord[]) => records[0]?.subject.includes(".state.desk.") === true;
    for (const kind of ["refused", "refused", "full", "delay"] as const)
      broker.faults.next("append", isCommit, kind, 500);
    await run(client.send(desk.ref("a"), { type: "ADD" }));
    for (let waitedMs = 0; waitedMs < 10_000 && emitted(world).length < 2; waitedMs += 10) {
      expect(trace).toEqual(addedTo(1));
      await advance(10);
    }
    await advance(2000);
    expect(trace).toEqual(addedTo(2));
    expect(commits(world)).toEqual([1, 1]);
  });
});

describe("a log line", () => {
  it("has the actor's address and its label, and is told as information", async () => {
    const { run, client } = await start();
    await run(client.ask(desk.ref("a"), { type: "ADD" }));
    expect(told.filter(({ name }) => name === "actor.log")).toMatchObject([
      { level: "info", message: "desk/a count: at 1", node: "node-1" },
    ]);
  });

  it("shows any value that an event can bring, and never stops the node", async () => {
    const { run, client } = await start();
    const values = [
      { a: [1] },
      12n,
      new Map([["k", 1]]),
      new Error("no paper"),
      undefined,
      "text",
      Number.NaN,
      new Date(0),
    ];
    for (const value of values) await run(client.ask(desk.ref("a"), { type: "SHOW", value }));
    const lines = told.filter(({ name }) => name === "actor.log").map(({ message }) => message);
    expect(lines).toHaveLength(values.length);
    for (const line of lines) expect(line).toMatch(/^desk\/a: ./);
    expect(lines[0]).toBe('desk/a: {"a":[1]}');
    expect(lines[1]).toContain("12");
    expect(lines[3]).toContain("no paper");
    expect(trace.filter((line) => line === "desk/a after 0 by SHOW")).toHaveLength(values.length);
  });
});

describe("a log line of what cannot be written down", () => {
  it("is there all the same, and the actions behind it run", async () => {
    const { run, client } = await start();
    await run(client.ask(desk.ref("a"), { type: "MUMBLE" }));
    expect(told.filter(({ name }) => name === "actor.log")).toHaveLength(unspeakable.length);
    expect(trace.at(-1)).toBe("desk/a after 0 by MUMBLE");
    await run(client.ask(desk.ref("a"), { type: "ADD" }));
  });
});

describe("a custom action that fails", () => {
  it.each(["throw", "reject", "odd"] as const)("by %s is told, is not run again, and holds up nothing", async (how) => {
    const { run, client, advance } = await start();
    await run(client.ask(desk.ref("a"), { type: "FAIL", how }));
    await run(client.ask(desk.ref("a"), { type: "ADD" }));
    await advance(1000);
    expect(trace).toEqual(["failing", "desk/a after 0 by FAIL", ...addedTo(1)]);
    expect(told.filter(({ level }) => level === "error")).toMatchObject([
      { name: "action.failed", message: expect.stringContaining('Action "fail" of desk/a') },
    ]);
    expect(await run(client.deadLetters.list())).toEqual([]);
  });
});

describe("a crash", () => {
  it("right after the commit loses its actions and log lines, and no emitted event", async () => {
    const world = await start();
    const { run, client, nodes, startNode } = world;
    await run(client.ask(desk.ref("a"), { type: "ADD" }));
    nodes[0]?.crashAt("commit.after");
    await run(client.send(desk.ref("a"), { type: "ADD" }));
    await startNode();
    await run(client.waitFor(desk.ref("a"), ({ context }) => context.n === 2, { timeout: "1 minute" }));
    await run(client.ask(desk.ref("a"), { type: "ADD" }, { timeout: "1 minute" }));
    expect(emitted(world)).toEqual([1, 2, 3]);
    expect(trace).toEqual([...addedTo(1), ...addedTo(3).slice(6)]);
  });

  it("right before the commit loses nothing: the successor does it all, once", async () => {
    const world = await start();
    const { run, client, nodes, startNode } = world;
    await run(client.ask(desk.ref("a"), { type: "ADD" }));
    nodes[0]?.crashAt("commit.before");
    await run(client.send(desk.ref("a"), { type: "ADD" }));
    await startNode();
    await run(client.ask(desk.ref("a"), { type: "ADD" }, { timeout: "1 minute" }));
    expect(emitted(world)).toEqual([1, 2, 3]);
    expect(trace).toEqual(addedTo(3));
  });

  it("when all is done repeats nothing, though the checkpoint does not know of it", async () => {
    const world = await start({ settings: { checkpointMs: 60_000 } });
    const { run, client, nodes, startNode } = world;
    nodes[0]?.crashAt("answered", 3);
    for (let n = 1; n <= 3; n++) {
      await run(client.send(desk.ref("a"), { type: "ADD" }));
      await run(client.waitFor(desk.ref("a"), ({ context }) => context.n === n));
    }
    await startNode();
    await run(client.ask(desk.ref("a"), { type: "ADD" }, { timeout: "1 minute" }));
    expect(emitted(world)).toEqual([1, 2, 3, 4]);
    expect(trace).toEqual(addedTo(4));
  });
});

describe("a commit that is refused", () => {
  it("runs no action; decided again on the state that was committed meanwhile, the message runs them once", async () => {
    const world = await start();
    const { run, client, broker } = world;
    await run(client.ask(desk.ref("a"), { type: "ADD" }));
    // Another writer commits to the actor, as a successor would.
    const [record] = broker.records("core", "sw.test.core.*.state.desk.a");
    const before = decodeRecord<StateRecord>("a state", record?.data as Uint8Array);
    const foreign = {
      ...before,
      revision: before.revision + 1,
      commit: "foreign-1",
      previous: record?.seq as number,
      outbox: 0,
      snapshot: { ...before.snapshot, value: before.snapshot?.value, context: { n: 10 } },
    };
    const { log: rival } = broker.connect("rival");
    const data = encodeRecord(foreign);
    await run(rival.append("core", [{ subject: record?.subject as string, data }]));
    await run(client.ask(desk.ref("a"), { type: "ADD" }, { timeout: "1 minute" }));
    expect(told.map(({ name }) => name)).toContain("commit.fenced");
    expect(emitted(world)).toEqual([1, 11]);
    expect(trace).toEqual([...addedTo(1), "desk before 10", "desk/a count: at 11", "desk/a after 11 by ADD"]);
  });

  it("runs nothing on a node that wakes up after its successor has committed the same message", async () => {
    const world = await start({ nodes: 2 });
    const { run, client, nodes, advance } = world;
    await run(client.ask(desk.ref("a"), { type: "ADD" }));
    const owner = nodes.find((node) => node.stats().partitions.length > 0);
    owner?.freeze();
    for (let i = 0; i < 5; i++) await run(client.send(desk.ref("a"), { type: "ADD" }));
    await run(client.waitFor(desk.ref("a"), ({ context }) => context.n === 6, { timeout: "1 minute" }));
    owner?.thaw();
    await advance(10_000);
    await run(client.ask(desk.ref("a"), { type: "ADD" }, { timeout: "1 minute" }));
    expect(emitted(world)).toEqual(numbers(7));
    expect(trace).toEqual(addedTo(7));
  });

  it("whose answer was lost was made: its actions run once", async () => {
    const faults = { append: { "lost-answer": 0.2, late: 0.1, refused: 0.1 } };
    const world = await start({ faults, seed: 3 });
    const { run, client, advance } = world;
    for (let i = 1; i <= 60; i++) {
      const ask = () => client.ask(desk.ref("a"), { type: "ADD" }, { key: `k${i}`, timeout: "5 minutes" });
      await run(ask().catch(ask).catch(ask));
    }
    await advance(10_000);
    expect(emitted(world)).toEqual(numbers(60));
    expect(trace).toEqual(addedTo(60));
    expect(world.nodes[0]?.stats().counters.commitRetries).toBeGreaterThan(5);
  });
});

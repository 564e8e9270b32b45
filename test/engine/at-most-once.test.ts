/** Actors without a state record: what they are handed is applied once or not at all, whatever happens to their owner. */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { assign, emit, enqueueActions, setup } from "xstate";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem, type TestSystemOptions } from "../../actors/test-system.ts";
import { TerminalError } from "../../runtime/core/errors.ts";
import type { FaultPoint } from "../../runtime/engine/faults.ts";
import { reply, tell } from "../../runtime/machine/actions.ts";

/** What the actions of gauges have done, over all processes. */
let acted: number[] = [];
let failuresLeft = 0;

const book = defineActor("book", {
  machine: setup({
    types: { context: {} as { got: number[] }, events: {} as { type: "GOT"; n: number } },
  }).createMachine({
    context: { got: [] },
    on: { GOT: { actions: assign({ got: ({ context, event }) => [...context.got, event.n] }) } },
  }),
});

const gauge = defineActor("gauge", {
  delivery: "at-most-once",
  machine: setup({
    types: {
      context: {} as { id: string; seen: number[] },
      input: {} as { id: string },
      events: {} as
        | { type: "READ"; n: number }
        | { type: "PASS"; n: number }
        | { type: "FAIL"; n: number }
        | { type: "DIE"; n: number }
        | { type: "SPAWN"; n: number },
    },
    actions: {
      see: assign({ seen: ({ context, event }) => [...context.seen, event.n] }),
      act: ({ event }) => {
        acted.push(event.n);
      },
      fail: assign(() => {
        if (failuresLeft-- > 0) throw new Error("The gauge is stuck.");
        return {};
      }),
    },
  }).createMachine({
    context: ({ input }) => ({ id: input.id, seen: [] }),
    on: {
      READ: { actions: ["see", "act", reply(({ context }) => context.seen)] },
      PASS: {
        actions: [
          "see",
          "act",
          tell(
            book,
            ({ context }) => context.id,
            ({ event }) => ({ type: "GOT", n: event.n }),
          ),
          emit(({ event }) => ({ type: "PASSED", n: event.n })),
        ],
      },
      FAIL: { actions: ["fail", "see", "act", reply(({ context }) => context.seen)] },
      DIE: {
        actions: assign(() => {
          throw new TerminalError("It is broken.");
        }),
      },
      SPAWN: { actions: enqueueActions(({ enqueue }) => enqueue.raise({ type: "READ", n: 0 }, { delay: 10 })) },
    },
  }),
  overrides: { FAIL: { retry: { backoff: "fixed", base: "1 second", maxAttempts: 3 } } },
});

let system: TestSystem | undefined;

async function start(options: Partial<TestSystemOptions> = {}): Promise<TestSystem> {
  system = await createTestSystem({ actors: [gauge, book], partitions: 2, ...options });
  await system.advance(1000);
  return system;
}

afterEach(async () => {
  acted = [];
  failuresLeft = 0;
  await system?.stop();
  system = undefined;
});

describe("an actor with delivery at-most-once", () => {
  it("takes messages in order and answers, and nothing is stored of it", async () => {
    const { run, client, broker } = await start();
    const { log } = broker.connect("looker");
    for (let n = 1; n <= 50; n++) void client.send(gauge.ref("g"), { type: "READ", n });
    const { reply: seen, view } = await run(client.ask(gauge.ref("g"), { type: "READ", n: 51 }));
    const all = Array.from({ length: 51 }, (_, i) => i + 1);
    expect(seen).toEqual(all);
    expect(view.context.seen).toEqual(all);
    expect(acted).toEqual(all);
    const stored = async (): Promise<string[]> => {
      const subjects: string[] = [];
      for await (const { subject } of log.scan("core", "sw.test.core.*.*.gauge.>")) subjects.push(subject);
      return subjects;
    };
    expect(await run(stored())).toEqual([]);
    expect(system?.nodes[0]?.stats()).toMatchObject({ counters: { applied: 51 }, pending: 0 });
  });

  it("sends what its machine sends, and others hear of it", async () => {
    const { run, client } = await start();
    for (let n = 1; n <= 20; n++) void client.send(gauge.ref("g"), { type: "PASS", n });
    const heard: unknown[] = [];
    const listening = client.on(gauge.ref("g"), "PASSED", (event) => heard.push((event as unknown as { n: number }).n));
    const view = await run(client.waitFor(book.ref("g"), ({ context }) => context.got.length === 20));
    const all = Array.from({ length: 20 }, (_, i) => i + 1);
    expect(view.context.got).toEqual(all);
    await system?.advance(100);
    expect(heard.length).toBeGreaterThan(0);
    expect(all.slice(-heard.length)).toEqual(heard);
    listening.unsubscribe();
  });

  it("takes what other actors tell it", async () => {
    const teller = defineActor("teller", {
      machine: setup({ types: { events: {} as { type: "GO"; n: number } } }).createMachine({
        on: { GO: { actions: tell(gauge, "g", ({ event }) => ({ type: "READ", n: event.n })) } },
      }),
    });
    const { run, client, advance } = await start({ actors: [gauge, book, teller] });
    for (let n = 1; n <= 3; n++) await run(client.send(teller.ref("t"), { type: "GO", n }));
    await advance(200);
    expect(acted).toEqual([1, 2, 3]);
  });

  it("begins anew after a takeover, which skips what may have been applied", async () => {
    const { run, client, nodes, startNode, advance } = await start();
    await run(client.ask(gauge.ref("g"), { type: "READ", n: 1 }));
    nodes[0]?.crash();
    await run(client.send(gauge.ref("g"), { type: "READ", n: 2 }));
    const next = await startNode();
    await advance(6000);
    const { reply: seen } = await run(client.ask(gauge.ref("g"), { type: "READ", n: 3 }));
    expect(seen).toEqual([3]);
    expect(acted).toEqual([1, 3]);
    expect(next.stats().counters.skipped).toBeGreaterThanOrEqual(1);
    await advance(2000);
    expect(next.stats().pending).toBe(0);
  });

  it("has what was read when its owner leaves handled before", async () => {
    const { run, client, nodes, startNode } = await start({ partitions: 1 });
    for (let n = 1; n <= 2000; n++) void client.send(gauge.ref("g"), { type: "PASS", n });
    await run(client.send(gauge.ref("g"), { type: "PASS", n: 2001 }));
    await run(nodes[0]?.stop() as Promise<void>);
    const told = acted.length;
    expect(acted).toEqual(Array.from({ length: told }, (_, i) => i + 1));
    await startNode();
    const { context } = await run(client.waitFor(book.ref("g"), (view) => view.context.got.length === told));
    expect(context.got).toEqual(acted);
  });

  it("begins anew when it has left memory", async () => {
    const { run, client, advance } = await start({ settings: { passivateMs: 5000 } });
    await run(client.ask(gauge.ref("g"), { type: "READ", n: 1 }));
    await advance(1000);
    expect((await run(client.ask(gauge.ref("g"), { type: "READ", n: 2 }))).reply).toEqual([1, 2]);
    await advance(60_000);
    expect((await run(client.ask(gauge.ref("g"), { type: "READ", n: 3 }))).reply).toEqual([3]);
  });

  it("is not applied to again when an answer of the log is lost: what it sent may be lost, and nothing comes twice", async () => {
    const { run, client, advance, nodes } = await start({
      partitions: 1,
      seed: 7,
      faults: { append: { "lost-request": 0.05, "lost-answer": 0.05, late: 0.05, refused: 0.1 } },
    });
    // Some of the sends are of unknown outcome themselves.
    for (let n = 1; n <= 200; n++) await run(client.send(gauge.ref("g"), { type: "PASS", n }).catch(() => {}));
    await advance(30_000);
    const got = (await run(client.get(book.ref("g"))))?.context.got ?? [];
    expect(new Set(got).size).toBe(got.length);
    const unconfirmed = nodes[0]?.stats().counters.unconfirmed ?? 0;
    expect(unconfirmed).toBeGreaterThan(0);
    // Whoever could not be sure has not acted either.
    expect(acted.length).toBeLessThanOrEqual(200 - unconfirmed);
    expect(acted.length).toBeGreaterThan(100);
    expect(acted.filter((n) => !got.includes(n))).toEqual([]);
  });
});

describe("a message that fails for an actor with delivery at-most-once", () => {
  it("is a dead letter at once, and the actor goes on", async () => {
    const { run, client } = await start();
    failuresLeft = 0;
    await expect(run(client.ask(gauge.ref("g"), { type: "DIE", n: 1 }))).rejects.toMatchObject({
      _tag: "DeadLetteredError",
      details: { reason: "terminal" },
    });
    expect((await run(client.ask(gauge.ref("g"), { type: "READ", n: 2 }))).reply).toEqual([2]);
    const [letter] = await run(client.deadLetters.list());
    expect(letter).toMatchObject({ reason: "terminal", attemptCount: 1 });
  });

  it("is tried again in memory where a policy says so, and holds those behind it", async () => {
    const { run, client, time } = await start();
    failuresLeft = 2;
    const startedMs = time.now();
    void client.send(gauge.ref("g"), { type: "FAIL", n: 1 });
    const { reply: seen } = await run(client.ask(gauge.ref("g"), { type: "READ", n: 2 }));
    expect(seen).toEqual([1, 2]);
    expect(time.now() - startedMs).toBeGreaterThanOrEqual(2000);
    failuresLeft = 3;
    await expect(run(client.ask(gauge.ref("g"), { type: "FAIL", n: 3 }))).rejects.toMatchObject({
      details: { reason: "attempts" },
    });
    expect(system?.nodes[0]?.stats()).toMatchObject({ counters: { retries: 4, deadLetters: 1 } });
    const [letter] = await run(client.deadLetters.list());
    expect(letter).toMatchObject({ reason: "attempts", attemptCount: 3 });
    await run(client.deadLetters.redrive(letter?.letter as string));
    expect((await run(client.ask(gauge.ref("g"), { type: "READ", n: 4 }))).reply).toEqual([1, 2, 3, 4]);
  });

  it("may be one that does what needs a state record, and says so", async () => {
    const { run, client } = await start();
    await expect(run(client.ask(gauge.ref("g"), { type: "SPAWN", n: 1 }))).rejects.toThrow(
      /it sets a timer, which needs a state record, and its delivery is "at-most-once"/,
    );
    expect((await run(client.ask(gauge.ref("g"), { type: "READ", n: 2 }))).reply).toEqual([2]);
  });
});

describe("what needs something stored", () => {
  it("is refused by the client: keys, and reading", async () => {
    const { run, client } = await start();
    const refused = { _tag: "InvalidOptionsError", message: expect.stringContaining("remember no keys") };
    await expect(run(client.send(gauge.ref("g"), { type: "READ", n: 1 }, { key: "k" }))).rejects.toMatchObject(refused);
    await expect(run(client.ask("gauge/g", { type: "READ", n: 1 }, { key: "k" }))).rejects.toMatchObject(refused);
    for (const reading of [
      () => client.get(gauge.ref("g")),
      () => client.waitFor("gauge/g", "done"),
      () => client.history(gauge.ref("g")),
      () => client.migrate(gauge.ref("g")),
      async () => client.watch(gauge.ref("g")),
    ]) {
      await expect(run(reading() as Promise<unknown>)).rejects.toMatchObject({
        _tag: "ActorNotFoundError",
        message: expect.stringContaining("nothing is stored of actors"),
      });
    }
    expect(acted).toEqual([]);
  });

  it("is refused by the owner, when the sender did not know: a key makes a dead letter", async () => {
    const { run, client, advance } = await start({
      actors: [gauge, book, defineActor("relay", { machine: setup({}).createMachine({}) })],
    });
    const unknowing = await knowingNothing();
    await run(unknowing.send("gauge/g", { type: "READ", n: 1 }, { key: "k" }));
    await advance(500);
    const [letter] = await run(client.deadLetters.list());
    expect(letter).toMatchObject({ reason: "schema", explanation: expect.stringContaining("idempotency key") });
    expect(acted).toEqual([]);
  });
});

async function knowingNothing() {
  const { createClient } = await import("../../actors/client.ts");
  const { broker, time } = system as TestSystem;
  const connection = broker.connect("unknowing");
  const random = time.random.fork("unknowing");
  return createClient({
    log: connection.log,
    space: {
      format: 1,
      partitions: 2,
      hash: "fnv1a-mix32",
      historyDepth: 64,
      identity: { core: "memory", ingress: "memory" },
    },
    spaceName: "test",
    time: connection.time,
    random: () => random.next(),
    clientId: "unknowing",
  });
}

type Move =
  | { readonly kind: "send"; readonly count: number }
  | { readonly kind: "crashAt"; readonly node: number; readonly point: FaultPoint; readonly count: number }
  | { readonly kind: "crash" | "freeze" | "thaw" | "stop"; readonly node: number }
  | { readonly kind: "start" }
  | { readonly kind: "wait"; readonly ms: number };

const node = fc.nat(3);
const point = fc.constantFrom<FaultPoint>(
  "read",
  "decided",
  "commit.before",
  "commit.after",
  "answered",
  "drained",
  "checkpoint.after",
  "lease.taken",
);
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("send" as const), count: fc.integer({ min: 1, max: 12 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(1, 20, 400, 3000, 8000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("crashAt" as const), node, point, count: fc.integer({ min: 1, max: 5 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom("crash" as const, "freeze" as const, "thaw" as const, "stop" as const),
      node,
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: "start" as const }) },
);

/** Plays a plan, and returns what was sent for each actor in the order of its storing, and what has come of it. */
async function play(seed: number, moves: readonly Move[], isCalm: boolean) {
  acted = [];
  const shaky: Partial<TestSystemOptions> = {
    faults: {
      append: { "lost-request": 0.02, "lost-answer": 0.04, late: 0.02, refused: 0.05, delay: 0.1 },
      read: { delay: 0.1, stall: 0.01 },
    },
  };
  const made = await start({ nodes: 2, seed, ...(isCalm ? {} : shaky) });
  const sent = new Map<string, number[]>();
  const ended = new Set<number>();
  const crashed = new Set<number>();
  let n = 0;
  for (const each of moves) {
    const at = "node" in each ? each.node % made.nodes.length : 0;
    const one = made.nodes[at];
    if ("node" in each && (ended.has(at) || one === undefined)) continue;
    if (each.kind === "send") {
      for (let i = 0; i < each.count; i++) {
        const id = `g${n % 3}`;
        n++;
        sent.set(id, [...(sent.get(id) ?? []), n]);
        made.client.send(gauge.ref(id), { type: n % 4 === 0 ? "READ" : "PASS", n }).catch(() => {});
      }
    } else if (each.kind === "wait") await made.advance(each.ms);
    else if (each.kind === "start") {
      if (made.nodes.length < 6) await made.startNode();
    } else if (each.kind === "crashAt") {
      one?.crashAt(each.point, each.count);
    } else if (each.kind === "stop") {
      ended.add(at);
      void one?.stop();
    } else {
      one?.[each.kind]();
      if (each.kind === "crash") {
        ended.add(at);
        crashed.add(at);
      }
    }
  }
  for (const [i, one] of made.nodes.entries()) if (!crashed.has(i)) one.thaw();
  await made.startNode();
  await made.advance(60_000);
  const got = new Map<string, readonly number[]>();
  for (const id of sent.keys()) got.set(id, (await made.run(made.client.get(book.ref(id))))?.context.got ?? []);
  const outcome = { sent, got, acted, stats: made.nodes.map((one) => one.stats()) };
  // A node that is to die while it leaves would never have left.
  for (const one of made.nodes) one.crash();
  await made.run(made.client.close());
  system = undefined;
  return outcome;
}

const isRising = (numbers: readonly number[]): boolean =>
  numbers.every((n, i) => i === 0 || n > (numbers[i - 1] as number));

describe("under any crash and redelivery", () => {
  const runs = Number(process.env.STATEWRIGHT_SEEDS ?? 0) > 0 ? 2000 : 120;

  it("nothing is applied twice, and what one actor does comes in order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.array(move, { maxLength: 25 }),
        async (seed, moves) => {
          const { got, acted: done } = await play(seed, moves, false);
          expect(new Set(done).size).toBe(done.length);
          for (const [, numbers] of got) expect(new Set(numbers).size).toBe(numbers.length);
        },
      ),
      { numRuns: runs, endOnFailure: process.env.CI !== undefined },
    );
  }, 300_000);

  it("an owner that was frozen through a takeover does nothing about what came after it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), fc.nat(1), async (seed, node) => {
        const { acted: done, stats } = await play(
          seed,
          [
            { kind: "send", count: 6 },
            { kind: "wait", ms: 400 },
            { kind: "freeze", node },
            { kind: "wait", ms: 8000 },
            { kind: "send", count: 12 },
            { kind: "wait", ms: 20 },
            { kind: "thaw", node },
            { kind: "wait", ms: 400 },
          ],
          true,
        );
        // All were sent while a node owned their partitions, so that nothing is lost either.
        expect([...done].sort((a, b) => a - b)).toEqual(Array.from({ length: 18 }, (_, i) => i + 1));
        expect(stats.reduce((sum, { counters }) => sum + counters.takeovers, 0)).toBeGreaterThan(0);
      }),
      { numRuns: runs / 4 },
    );
  }, 300_000);

  it("what is told arrives in the order in which it was sent, when only processes end and the log is calm", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.array(move, { maxLength: 15 }),
        async (seed, moves) => {
          const { got } = await play(seed, moves, true);
          for (const [, numbers] of got) expect(isRising(numbers)).toBe(true);
        },
      ),
      { numRuns: runs / 4 },
    );
  }, 300_000);
});

/** Actors move from one version of their machine to the next, one by one, without a stop of the system. */
import { afterEach, describe, expect, test } from "vitest";
import { assign, createMachine, fromCallback, sendTo, setup } from "xstate";
import { defineActor, type MigrateOption } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";
import { type Address, parseAddress, partitionOf } from "../../runtime/core/address.ts";
import { AskTimeoutError } from "../../runtime/core/errors.ts";
import { decodeRecord, type StateRecord } from "../../runtime/core/records.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import type { StateToMigrate } from "../../runtime/engine/migration.ts";
import type { NodeEvent } from "../../runtime/engine/telemetry.ts";

type Add = { type: "ADD"; amount: number };

/** Version 1, or the one before there were versions: a sum in the state "draft". */
const sumOf = (version?: string, migrate?: MigrateOption) =>
  defineActor("order", {
    ...(migrate === undefined ? {} : { migrate }),
    machine: setup({ types: { context: {} as { sum: number }, events: {} as Add } }).createMachine({
      id: "order",
      ...(version === undefined ? {} : { version }),
      context: { sum: 0 },
      initial: "draft",
      states: {
        draft: { on: { ADD: { actions: assign({ sum: ({ context, event }) => context.sum + event.amount }) } } },
      },
    }),
  });

const pack = createMachine({ id: "pack", initial: "packing", states: { packing: { on: { GO: "gone" } }, gone: {} } });

/** Version 2: a total in the state "open", where something is packed. */
const totalOf = (migrate: MigrateOption, version = "2") =>
  defineActor("order", {
    machine: setup({
      types: { context: {} as { total: number }, events: {} as Add | { type: "GO" } | { type: "BREAK" } },
      actors: { pack },
    }).createMachine({
      id: "order",
      version,
      context: { total: 0 },
      initial: "open",
      states: {
        open: {
          invoke: { id: "pack", src: "pack" },
          on: {
            ADD: { actions: assign({ total: ({ context, event }) => context.total + event.amount }) },
            GO: { actions: sendTo("pack", { type: "GO" }) },
            BREAK: {
              actions: assign(() => {
                throw new Error("broken");
              }),
            },
          },
        },
      },
    }),
    migrate,
    retry: { maxAttempts: 1 },
  });

const toTotal = ({ context }: StateToMigrate<{ sum: number }>) => ({
  value: "open",
  context: { total: context.sum * 100 },
});

let system: TestSystem;
let events: NodeEvent[] = [];

async function start(definition: ReturnType<typeof sumOf>): Promise<void> {
  events = [];
  system = await createTestSystem({ actors: [definition], partitions: 2, onEvent: (event) => events.push(event) });
}

/** Stops all nodes and starts one with another definition. */
async function deploy(definition: { readonly type: string }) {
  for (const node of system.nodes) await system.run(node.stop());
  return system.startNode({ actors: [definition as ReturnType<typeof sumOf>] });
}

/** What is stored of an actor. */
async function stored(actor: string): Promise<StateRecord | undefined> {
  const address: Address = parseAddress(actor);
  const { log } = system.broker.connect(`reader of ${actor} ${Math.random()}`);
  const record = await system.run(log.last("core", new Subjects("test").state(partitionOf(address, 2), address)));
  return record === undefined ? undefined : decodeRecord<StateRecord>(actor, record.data);
}

const add = (actor: string, amount: number) => system.run(system.client.ask(actor, { type: "ADD", amount }));

afterEach(async () => {
  await system.stop();
});

describe("an actor of an older version", () => {
  test("is brought along with its next message, in the commit of that message", async () => {
    await start(sumOf());
    await add("order/a", 5);
    await add("order/b", 7);
    await deploy(totalOf({ "none->1": (state) => state, "1->2": toTotal as never }));
    const { view, outcome } = await add("order/a", 1);
    expect([outcome, view.value, view.context]).toEqual(["applied", "open", { total: 501 }]);
    expect(await stored("order/a")).toMatchObject({
      revision: 2,
      machine: { id: "order", version: "2", supersedes: ["1", "none"] },
      handled: [{ event: "ADD", outcome: "applied", from: "open", to: "open" }],
      // What the state of the new version invokes has begun in the same commit.
      snapshot: { children: { pack: { kind: "actor", src: "pack" } } },
    });
    expect((await system.run(system.client.ask("order/a", { type: "GO" }))).outcome).toBe("applied");
    await system.advance(1000);
    expect((await stored("order/a/~pack"))?.snapshot?.value).toBe("gone");
    // Nobody has sent to the other one.
    const other = await stored("order/b");
    expect(other).toMatchObject({ revision: 1, snapshot: { value: "draft", context: { sum: 7 } } });
    expect(other?.machine).not.toHaveProperty("version");
  });

  test("also when the message changes nothing, or dies", async () => {
    await start(sumOf("1"));
    await add("order/a", 5);
    await add("order/b", 5);
    await deploy(totalOf({ "1->2": toTotal as never }));
    const ignored = await system.run(system.client.ask("order/a", { type: "NOBODY KNOWS" }));
    expect([ignored.outcome, ignored.view.context]).toEqual(["ignored", { total: 500 }]);
    await expect(system.run(system.client.ask("order/b", { type: "BREAK" }))).rejects.toThrow("broken");
    await system.advance(1000);
    for (const actor of ["order/a", "order/b"]) {
      expect(await stored(actor)).toMatchObject({ machine: { version: "2" }, snapshot: { context: { total: 500 } } });
      expect((await stored(`${actor}/~pack`))?.snapshot?.value).toBe("packing");
    }
  });

  test("is brought along by itself when it is asked to be, once", async () => {
    await start(sumOf("1"));
    await add("order/a", 5);
    await deploy(totalOf({ "1->2": toTotal as never }));
    const { client, run } = system;
    const first = await run(client.migrate("order/a"));
    expect(first).toMatchObject({
      migrated: true,
      outcome: "migrated",
      revision: 2,
      view: { context: { total: 500 } },
    });
    expect(await run(client.migrate("order/a"))).toMatchObject({ migrated: false, outcome: "ignored" });
    expect(
      (await run(client.history("order/a"))).map(({ event, outcome, from, to }) => [event, outcome, from, to]),
    ).toEqual([
      ["ADD", "applied", "draft", "draft"],
      ["migrate", "migrated", "draft", "open"],
      ["migrate", "ignored", "open", "open"],
    ]);
    await expect(run(client.migrate("order/nobody"))).rejects.toMatchObject({ _tag: "ActorNotFoundError" });
  });

  test.each(["loaded", "decided", "commit.before", "commit.after"] as const)(
    "is brought along once when its node dies at %s",
    async (point) => {
      await start(sumOf("1"));
      await add("order/a", 5);
      const definition = totalOf({ "1->2": toTotal as never });
      const node = await deploy(definition);
      node.crashAt(point);
      const asked = system.client.ask("order/a", { type: "ADD", amount: 1 });
      await system.advance(1000);
      await system.startNode({ actors: [definition as never] });
      const { view } = await system.run(asked);
      expect(view.context).toEqual({ total: 501 });
      // Where the commit was made, the rest of it waits for the node that takes over.
      await system.advance(5000);
      expect((await stored("order/a/~pack"))?.handled).toHaveLength(1);
    },
  );

  test("is parked when its migration fails, and goes on when one that works is deployed", async () => {
    await start(sumOf("1"));
    await add("order/a", 5);
    await deploy(
      totalOf({
        "1->2": () => {
          throw new Error("not today");
        },
      }),
    );
    const asked = system.client.ask("order/a", { type: "ADD", amount: 1 }, { timeout: 5000 });
    await expect(system.run(asked)).rejects.toBeInstanceOf(AskTimeoutError);
    expect(events.find(({ name }) => name === "actor.parked")?.message).toContain(
      'order/a is put aside and its messages wait: Cannot bring order/a from version 1 to version 2: migration "1->2" failed: Error: not today.',
    );
    expect(await stored("order/a")).toMatchObject({
      revision: 1,
      machine: { version: "1" },
      snapshot: { value: "draft" },
    });
    await deploy(totalOf({ "1->2": toTotal as never }));
    await system.advance(1000);
    expect(await stored("order/a")).toMatchObject({ revision: 2, snapshot: { context: { total: 501 } } });
  });

  test("is parked where nothing leads from its version and it does not fit, with the migration that is missing", async () => {
    await start(sumOf("1"));
    await add("order/a", 5);
    await deploy(totalOf({ "1.5->2": toTotal as never }));
    const asked = system.client.ask("order/a", { type: "ADD", amount: 1 }, { timeout: 5000 });
    await expect(system.run(asked)).rejects.toBeInstanceOf(AskTimeoutError);
    expect(events.find(({ name }) => name === "actor.parked")?.message).toContain(
      'Give the definition migrate: { "1->2": … }.',
    );
  });

  test("goes on as it is where nothing leads from its version and it fits", async () => {
    await start(sumOf("1"));
    await add("order/a", 5);
    await deploy(sumOf("1.1"));
    expect((await add("order/a", 1)).view.context).toEqual({ sum: 6 });
    expect((await stored("order/a"))?.machine?.version).toBe("1.1");
  });
});

test("an actor whose machine has changed without a version is parked where it does not fit, with the reason", async () => {
  await start(sumOf());
  await add("order/a", 5);
  await deploy(
    defineActor("order", { machine: createMachine({ id: "order", initial: "open", states: { open: {} } }) }),
  );
  await expect(
    system.run(system.client.ask("order/a", { type: "ADD", amount: 1 }, { timeout: 5000 })),
  ).rejects.toBeInstanceOf(AskTimeoutError);
  expect(events.find(({ name }) => name === "machine.changed")?.message).toContain(
    "state order.draft is gone; state order.open is new",
  );
  expect(events.find(({ name }) => name === "actor.parked")?.message).toContain(
    "Cannot use the state of order/a: the machine has changed since, and it has no version. ",
  );
});

test("a node that still runs the old version leaves actors of the new one alone, and a new node goes on with them", async () => {
  const old = sumOf("1");
  // Its states fit the old machine: nothing but what they replace keeps them from being changed there, and migrated a second time.
  const next = sumOf("2", {
    "1->2": (state) => ({ ...state, context: { sum: (state.context.sum as number) * 2 } }),
  });
  await start(old);
  await add("order/a", 5);
  await deploy(next);
  expect((await add("order/a", 1)).view.context).toEqual({ sum: 11 });
  await deploy(old);
  await expect(
    system.run(system.client.ask("order/a", { type: "ADD", amount: 1 }, { timeout: 5000 })),
  ).rejects.toBeInstanceOf(AskTimeoutError);
  expect(events.filter(({ name }) => name === "machine.older")).toHaveLength(1);
  expect(events.find(({ name }) => name === "actor.parked")?.message).toContain(
    "Cannot use the state of order/a: it is of version 2, which replaces version 1 that this node runs.",
  );
  // Others it takes.
  expect((await add("order/new", 1)).view.context).toEqual({ sum: 1 });
  await deploy(next);
  await system.advance(1000);
  expect(await stored("order/a")).toMatchObject({ revision: 3, snapshot: { context: { sum: 12 } } });
});

test("children of machines are brought along by the migrations under their name", async () => {
  const parentOf = (child: ReturnType<typeof createMachine>, migrate?: MigrateOption) =>
    defineActor("order", {
      machine: setup({ actors: { pay: child } }).createMachine({
        id: "order",
        invoke: { id: "p", src: "pay" },
        on: { NEXT: { actions: sendTo("p", { type: "NEXT" }) } },
      }),
      ...(migrate === undefined ? {} : { migrate }),
    });
  const before = createMachine({
    id: "pay",
    context: { tries: 1 },
    initial: "asking",
    states: { asking: { on: { NEXT: "asked" } }, asked: {} },
  });
  const after = createMachine({
    id: "pay",
    version: "2",
    context: { count: 0 },
    initial: "waiting",
    states: { waiting: { on: { NEXT: "paid" } }, paid: {} },
  });
  await start(parentOf(before as never) as never);
  await system.run(system.client.ask("order/a", { type: "NEXT" }));
  await system.advance(500);
  expect((await stored("order/a/~p"))?.snapshot?.value).toBe("asked");
  const toCount = ({ context }: StateToMigrate) => ({ value: "waiting", context: { count: context.tries } });
  await deploy(parentOf(after as never, { pay: { "none->2": toCount } }));
  await system.run(system.client.ask("order/a", { type: "NEXT" }));
  await system.advance(500);
  expect(await stored("order/a/~p")).toMatchObject({
    machine: { id: "pay", version: "2", supersedes: ["none"] },
    snapshot: { value: "paid", context: { count: 1 } },
  });
});

describe("what a state waits for", () => {
  const ticking = (config: object, migrate?: MigrateOption) =>
    defineActor("order", {
      machine: setup({
        types: { context: {} as { ticks: number } },
        actors: {
          ticker: fromCallback(({ sendBack }) => {
            const timer = setTimeout(() => sendBack({ type: "TICK" }), 0);
            return () => clearTimeout(timer);
          }),
        },
      }).createMachine({
        id: "order",
        context: { ticks: 0 },
        initial: "a",
        ...config,
      } as never) as unknown as ReturnType<typeof createMachine>,
      ...(migrate === undefined ? {} : { migrate }),
    }) as never as ReturnType<typeof sumOf>;
  const to = (value: string): MigrateOption => ({ "none->2": ({ context }) => ({ value, context }) });
  const settle = async (ms: number) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    await system.advance(ms);
  };

  test("is waited for from the migration on, and a delay of a state that was left never acts", async () => {
    await start(ticking({ states: { a: { after: { 50000: "late" } }, late: {} } }));
    await system.run(system.client.create("order/a"));
    const states = {
      a: { after: { 50000: "late" } },
      b: { after: { 20000: "c" } },
      c: { on: { BACK: "a" } },
      late: {},
    };
    await deploy(ticking({ version: "2", states }, to("b")));
    expect((await system.run(system.client.migrate("order/a"))).view.value).toBe("b");
    await system.advance(25_000);
    expect((await system.run(system.client.ask("order/a", { type: "BACK" }))).view.value).toBe("a");
    // When the first delay would have been due.
    await system.advance(30_000);
    expect((await stored("order/a"))?.snapshot?.value).toBe("a");
    await system.advance(25_000);
    expect((await stored("order/a"))?.snapshot?.value).toBe("late");
  });

  test("includes live children, which begin again after a deploy without any message", async () => {
    const on = { TICK: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) } } as never;
    await start(ticking({ states: { a: { invoke: { id: "t", src: "ticker" }, on } } }));
    await system.run(system.client.create("order/a"));
    await settle(500);
    expect((await stored("order/a"))?.snapshot?.context).toEqual({ ticks: 1 });
    await deploy(
      ticking({ version: "2", states: { b: { invoke: { id: "t", src: "ticker" }, on } }, initial: "b" }, to("b")),
    );
    await settle(500);
    await settle(500);
    expect(await stored("order/a")).toMatchObject({
      machine: { version: "2" },
      snapshot: { value: "b", context: { ticks: 2 } },
    });
  });

  test("ends where the migration leaves it out: nothing more comes of a live child", async () => {
    const on = { TICK: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) } } as never;
    await start(ticking({ states: { a: { invoke: { id: "t", src: "ticker" }, on } } }));
    await system.run(system.client.create("order/a"));
    await settle(500);
    await deploy(
      ticking(
        { version: "2", states: { b: { on } }, initial: "b" },
        { "none->2": ({ context }) => ({ value: "b", context, children: {} }) },
      ),
    );
    await system.run(system.client.migrate("order/a"));
    expect((await stored("order/a"))?.snapshot).not.toHaveProperty("children");
    const restarted = await deploy(ticking({ version: "2", states: { b: { on } }, initial: "b" }));
    await settle(500);
    expect((await stored("order/a"))?.snapshot?.context).toEqual({ ticks: 1 });
    expect(restarted.stats().counters.loads).toBe(0);
  });
});

test.each(Array.from({ length: 25 }, (_, i) => i + 1))(
  "old and new nodes side by side, dying as they go, migrate every actor once and lose nothing (seed %i)",
  async (seed) => {
    const counting = (version?: string): MigrateOption | undefined =>
      version === undefined
        ? undefined
        : {
            "none->2": (state) => ({
              ...state,
              // Old nodes would keep it, and a second migration would show.
              context: { ...state.context, migrations: ((state.context.migrations as number | undefined) ?? 0) + 1 },
            }),
          };
    const [old, next] = [sumOf(undefined, counting()), sumOf("2", counting("2"))];
    // So many nodes die that a message may be blamed by chance.
    system = await createTestSystem({ actors: [old], partitions: 2, nodes: 2, seed, settings: { maxCrashes: 1000 } });
    const random = system.time.random.fork("deploy");
    const actors = Array.from({ length: 6 }, (_, i) => `order/${i}`);
    const sent = new Map<string, number>();
    const sendSome = async () => {
      const sends = Array.from({ length: 10 }, () => {
        const actor = actors[Math.floor(random.next() * actors.length)] as string;
        sent.set(actor, (sent.get(actor) ?? 0) + 1);
        return system.client.send(actor, { type: "ADD", amount: 1 });
      });
      await system.run(Promise.all(sends));
      await system.advance(random.next() * 3000);
    };
    for (const actor of actors) sent.set(actor, 1);
    await system.run(Promise.all(actors.map((actor) => system.client.ask(actor, { type: "ADD", amount: 1 }))));
    const points = ["loaded", "decided", "commit.before", "commit.after", "read"] as const;
    // A rolling deploy that is taken back and forth: each round starts one node and lets one die on its way.
    for (let round = 0; round < 6; round++) {
      const node = await system.startNode({ actors: [random.next() < 0.5 ? old : next] });
      node.crashAt(
        points[Math.floor(random.next() * points.length)] as (typeof points)[number],
        1 + Math.floor(random.next() * 5),
      );
      await sendSome();
      if (random.next() < 0.5) system.nodes[Math.floor(random.next() * system.nodes.length)]?.crash();
      await sendSome();
    }
    const last = await system.startNode({ actors: [next] });
    for (const node of system.nodes) if (node !== last) node.crash();
    await system.advance(60_000);
    for (const actor of actors) {
      await system.run(system.client.migrate(actor));
      expect((await system.run(system.client.get(actor)))?.context).toEqual({ sum: sent.get(actor), migrations: 1 });
    }
  },
);

/** What machines emit: committed with the state, once each, whatever happens to the nodes. */
import { afterEach, describe, expect, it } from "vitest";
import { assign, emit, fromTransition, sendTo, setup } from "xstate";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem, type TestSystemOptions } from "../../actors/test-system.ts";
import { formatAddress } from "../../runtime/core/address.ts";
import { readCloudEvent } from "../../runtime/core/cloud-events.ts";
import { TerminalError } from "../../runtime/core/errors.ts";
import { decodeRecord, type StateRecord, type StoredSnapshot } from "../../runtime/core/records.ts";
import { type FaultPoint, faultPoints } from "../../runtime/engine/faults.ts";
import { publish, tell } from "../../runtime/machine/actions.ts";

type Emitted = { type: "COUNTED"; n: number } | { type: "EVEN" } | { type: "BEGUN"; on: Date };

const meter = defineActor("meter", {
  machine: setup({
    types: {
      context: {} as { n: number },
      events: {} as
        | { type: "ADD" }
        | { type: "BREAK" }
        | { type: "ODD" | "ANNOUNCE"; name: string }
        | { type: "SPILL"; name: string; bytes: number },
      emitted: {} as Emitted,
    },
    actions: {
      count: assign({ n: ({ context }) => context.n + 1 }),
      tellCount: emit(({ context }) => ({ type: "COUNTED" as const, n: context.n })),
    },
    guards: { isEven: ({ context }) => context.n % 2 === 0 },
  }).createMachine({
    context: { n: 0 },
    initial: "counting",
    entry: emit({ type: "BEGUN", on: new Date(0) }),
    states: {
      counting: {
        on: {
          ADD: { target: "checking", actions: ["count", "tellCount"] },
          BREAK: {
            actions: [
              "tellCount",
              () => {},
              assign(() => {
                throw new TerminalError("It is broken.");
              }),
            ],
          },
          ODD: { actions: emit(({ event }) => ({ type: event.name }) as never) },
          ANNOUNCE: { actions: publish("names", ({ event }) => ({ type: event.name })) },
          SPILL: { actions: emit(({ event }) => ({ type: event.name, text: "x".repeat(event.bytes) }) as never) },
        },
      },
      checking: {
        always: [{ guard: "isEven", target: "counting", actions: emit({ type: "EVEN" }) }, { target: "counting" }],
      },
    },
  }),
});

const relay = defineActor("relay", {
  machine: setup({}).createMachine({
    on: {
      GO: {
        actions: [tell("meter", "m", { type: "ADD" }), publish("going", { type: "WENT" }), emit({ type: "GONE" })],
      },
    },
  }),
});

/** A parent with a child that emits while it works, and whose logic is a transition function. */
const courier = defineActor("courier", {
  machine: setup({
    actors: {
      trip: setup({ types: { events: {} as { type: "ARRIVE" } } }).createMachine({
        initial: "driving",
        states: {
          driving: { entry: emit({ type: "LEFT" }), on: { ARRIVE: "there" } },
          there: { entry: emit({ type: "ARRIVED" }), type: "final" },
        },
      }),
      odometer: fromTransition((km: number, event: { type: "DRIVE" }, { emit }) => {
        emit({ type: "DROVE", km: km + 1 } as never);
        return event.type === "DRIVE" ? km + 1 : km;
      }, 0),
    },
  }).createMachine({
    initial: "out",
    states: {
      out: {
        invoke: [
          { src: "trip", id: "trip", onDone: "back" },
          { src: "odometer", id: "odometer" },
        ],
        on: {
          DRIVE: { actions: sendTo("odometer", { type: "DRIVE" }) },
          ARRIVE: { actions: sendTo("trip", { type: "ARRIVE" }) },
        },
      },
      back: { entry: emit({ type: "BACK" }), type: "final" },
    },
  }),
});

let system: TestSystem | undefined;

async function start(options: Partial<TestSystemOptions> = {}): Promise<TestSystem> {
  system = await createTestSystem({ actors: [meter, relay, courier], ...options });
  return system;
}

afterEach(async () => {
  await system?.stop();
  system = undefined;
});

/** Everything that an actor has ever emitted, from the log. */
function emittedBy({ broker }: TestSystem, actor: { readonly type: string; readonly id: string }) {
  return broker.journal("core", `sw.test.core.*.emit.${actor.type}.${actor.id}.>`).map((record) => ({
    ...readCloudEvent(formatAddress(actor), record.data),
    seq: record.seq,
    headers: record.headers,
  }));
}

/** What a meter emits that has counted so far. */
function countedTo(n: number): unknown[] {
  const events: unknown[] = [{ type: "BEGUN", on: new Date(0) }];
  for (let i = 1; i <= n; i++) events.push({ type: "COUNTED", n: i }, ...(i % 2 === 0 ? [{ type: "EVEN" }] : []));
  return events;
}

describe("what a machine emits", () => {
  it("is in the commit of its transition, as a CloudEvent with headers, in the order of its actions", async () => {
    const world = await start();
    const { run, client, broker } = world;
    await run(client.ask(meter.ref("a"), { type: "ADD" }));
    await run(client.ask(meter.ref("a"), { type: "ADD" }));
    const emitted = emittedBy(world, meter.ref("a"));
    expect(emitted.map(({ event }) => event)).toEqual(countedTo(2));
    const states = broker.journal("core", "sw.test.core.*.state.meter.a");
    expect(emitted.map(({ seq }) => seq)).toEqual(
      [1, 2].map((i) => (states[0]?.seq as number) + i).concat([1, 2].map((i) => (states[1]?.seq as number) + i)),
    );
    expect(new Set(emitted.map(({ id }) => id)).size).toBe(4);
    expect(emitted[1]?.headers).toMatchObject({
      "content-type": "application/cloudevents+json",
      "ce-id": emitted[1]?.id,
      "ce-source": "/test/meter/a",
      "ce-type": "COUNTED",
    });
  });

  it("stands with what the transition tells and publishes, and a published event has headers too", async () => {
    const { run, client, broker } = await start();
    await run(client.ask(relay.ref("r"), { type: "GO" }));
    const [state] = broker.journal("core", "sw.test.core.*.state.relay.r");
    const { seq } = state as { seq: number };
    const commit = broker.journal("core").filter((record) => record.seq > seq && record.seq <= seq + 3);
    expect(commit.map(({ subject, headers }) => [subject.split(".")[4], headers?.["ce-type"]])).toEqual([
      ["mail", undefined],
      ["topic", "WENT"],
      ["emit", "GONE"],
    ]);
  });

  it("comes to who listens, while it happens and afterwards", async () => {
    const { run, client, advance } = await start();
    const counted: number[] = [];
    const all: unknown[] = [];
    const subscriptions = [
      client.on(meter.ref("a"), "COUNTED", ({ n }) => counted.push(n)),
      client.on(meter.ref("a"), "*", (event) => all.push(event)),
    ];
    await run(Promise.all(subscriptions.map(({ ready }) => ready)));
    await run(Promise.all(Array.from({ length: 50 }, () => client.send(meter.ref("a"), { type: "ADD" }))));
    await run(client.waitFor(meter.ref("a"), ({ context }) => context.n === 50));
    await advance(100);
    expect(counted).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    expect(all).toEqual(countedTo(50));
    const later: unknown[] = [];
    const reading = async () => {
      for await (const { event } of client.emitted(meter.ref("a"), "*", { from: "start" })) {
        if (later.push(event) === all.length) return;
      }
    };
    await run(reading());
    expect(later).toEqual(all);
  });

  it("is the child's own when a child emits it, be it a machine or transition logic", async () => {
    const { run, client, advance } = await start();
    const names = ["courier/c", "courier/c/~trip", "courier/c/~odometer"];
    const got = names.map((): unknown[] => []);
    const subscriptions = names.map((name, i) => client.on(name, "*", (event) => got[i]?.push(event)));
    await run(Promise.all(subscriptions.map(({ ready }) => ready)));
    for (const type of ["DRIVE", "DRIVE", "ARRIVE"]) await run(client.send("courier/c", { type }));
    await run(client.waitFor("courier/c", "done"));
    await advance(1000);
    expect(got).toEqual([
      [{ type: "BACK" }],
      [{ type: "LEFT" }, { type: "ARRIVED" }],
      [
        { type: "DROVE", km: 1 },
        { type: "DROVE", km: 2 },
      ],
    ]);
  });

  it("is nothing when the transition fails after it", async () => {
    const world = await start();
    const { run, client } = world;
    await run(client.ask(meter.ref("a"), { type: "ADD" }));
    await expect(run(client.ask(meter.ref("a"), { type: "BREAK" }))).rejects.toMatchObject({
      _tag: "DeadLetteredError",
    });
    await run(client.ask(meter.ref("a"), { type: "ADD" }));
    expect(emittedBy(world, meter.ref("a")).map(({ event }) => event)).toEqual(countedTo(2));
  });

  it("may have any name that a subject can carry, and is a dead letter where none can", async () => {
    const world = await start();
    const { run, client } = world;
    const names = ["order.paid", "a b > *", "Zoë 🙂", "é".repeat(128)];
    for (const name of names) await run(client.ask(meter.ref("a"), { type: "ODD", name }));
    for (const name of ["", "*", "é".repeat(129), "\ud800", undefined as unknown as string]) {
      for (const type of ["ODD", "ANNOUNCE"] as const) {
        const asking = run(client.ask(meter.ref("a"), { type, name }));
        await expect(asking).rejects.toMatchObject({ _tag: "DeadLetteredError", details: { reason: "terminal" } });
      }
    }
    await run(client.ask(meter.ref("a"), { type: "ADD" }));
    const types = emittedBy(world, meter.ref("a")).map(({ event }) => event.type);
    expect(types).toEqual(["BEGUN", ...names, "COUNTED"]);
  });

  it.each([
    ["a short name", "a", "SPILT", 3000],
    ["a long name of an actor with a long id", "é".repeat(128), "é".repeat(128), 12_000],
  ])(
    "is a dead letter when it is larger than the log accepts with its headers: %s",
    async (_, id, name, marginBytes) => {
      const { run, client, broker } = await start();
      await run(client.ask(meter.ref(id), { type: "ADD" }));
      const limit = broker.connect().log.limits.maxRecordBytes;
      const outcomes: string[] = [];
      for (let bytes = limit - marginBytes; bytes <= limit; bytes += marginBytes / 60) {
        outcomes.push(
          await run(
            client.ask(meter.ref(id), { type: "SPILL", name, bytes }).then(
              () => "emitted",
              (error) => error.details.reason ?? error.message,
            ),
          ),
        );
      }
      expect(outcomes[0]).toBe("emitted");
      expect(outcomes.at(-1)).toBe("too-large");
      expect(outcomes).toEqual([...outcomes].sort());
      expect(await run(client.ask(meter.ref(id), { type: "ADD" }))).toMatchObject({ view: { context: { n: 2 } } });
    },
  );

  it("is kept for as long as published events are", async () => {
    const hour = 3_600_000;
    const world = await start({ settings: { topicRetentionMs: 3 * hour, purgeMs: 60_000, checkpointMs: 60_000 } });
    const { run, client, time, broker } = world;
    const kept = () => broker.records("core", "sw.test.core.*.emit.>").length;
    await run(client.ask(meter.ref("a"), { type: "ADD" }));
    for (let i = 0; i < 4; i++) {
      // Nodes keep house meanwhile, which they do not in `advance`.
      await time.advance(0.5 * hour);
      await run(client.ask(meter.ref("b"), { type: "ADD" }));
    }
    expect(kept()).toBe(9);
    for (let i = 0; i < 12; i++) {
      await time.advance(0.5 * hour);
      await run(client.ask(meter.ref("a"), { type: "SPILL", name: "LATER", bytes: 1 }));
    }
    expect(kept()).toBeLessThan(15);
    expect(broker.records("core", "sw.test.core.*.emit.meter.a.BEGUN.>")).toEqual([]);
  });
});

describe("what a machine emits while nodes die", () => {
  /** Points that a node with one partition's messages comes to while it handles them. */
  const points: readonly FaultPoint[] = faultPoints.filter(
    (point) => !["letter.before", "retry", "lease.taken", "drained"].includes(point),
  );

  it.each(points.flatMap((point) => [1, 3, 8].map((count) => [point, count] as const)))(
    "is in the log once each, in order, after a crash at %s number %i",
    async (point, count) => {
      const world = await start({ seed: count, nodes: 1, partitions: 1, settings: { checkpointMs: 20, purgeMs: 40 } });
      const { run, client, nodes, startNode, advance } = world;
      nodes[0]?.crashAt(point, count);
      await startNode();
      const counted: number[] = [];
      const listening = client.on(meter.ref("a"), "COUNTED", ({ n }) => counted.push(n));
      await run(listening.ready);
      for (let i = 0; i < 20; i++) {
        await run(client.send(meter.ref("a"), { type: "ADD" }));
        await advance(i % 4 === 0 ? 100 : 1);
      }
      await run(client.waitFor(meter.ref("a"), ({ context }) => context.n === 20, { timeout: "2 minutes" }));
      await advance(1000);
      expect(emittedBy(world, meter.ref("a")).map(({ event }) => event)).toEqual(countedTo(20));
      expect(counted).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    },
  );

  it("is in the log once each when a frozen node wakes up and meets its successor's commits", async () => {
    const world = await start({ nodes: 2, partitions: 1, seed: 5 });
    const { run, client, nodes, advance } = world;
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 5; i++) {
        const sending = client.send(meter.ref("a"), { type: "ADD" });
        await advance(1);
        nodes[round % 2]?.freeze();
        await run(sending);
        await advance(i === 4 ? 5000 : 2);
        nodes[round % 2]?.thaw();
      }
      await advance(3000);
    }
    await run(client.waitFor(meter.ref("a"), ({ context }) => context.n === 20, { timeout: "2 minutes" }));
    expect(emittedBy(world, meter.ref("a")).map(({ event }) => event)).toEqual(countedTo(20));
  });

  it("matches the state at every commit, whatever the broker loses", async () => {
    const faults = { append: { "lost-answer": 0.2, late: 0.1, refused: 0.1, "lost-request": 0.1 } };
    const world = await start({ nodes: 2, partitions: 2, seed: 11, faults });
    const { run, client, advance, broker } = world;
    const ids = ["a", "b", "c"];
    const send = async (id: string, key: string): Promise<void> => {
      try {
        await client.send(meter.ref(id), { type: "ADD" }, { key });
      } catch (error) {
        if (!["SendUnknownError", "LogUnavailableError"].includes((error as Error).name)) throw error;
        await send(id, key);
      }
    };
    for (let i = 0; i < 30; i++) await run(Promise.all(ids.map((id) => send(id, `k${i}`))));
    for (const id of ids) {
      await run(client.waitFor(meter.ref(id), ({ context }) => context.n === 30, { timeout: "5 minutes" }));
    }
    await advance(10_000);
    for (const id of ids) {
      const emitted = emittedBy(world, meter.ref(id));
      expect(emitted.map(({ event }) => event)).toEqual(countedTo(30));
      let next = 0;
      for (const { data, seq } of broker.journal("core", `sw.test.core.*.state.meter.${id}`)) {
        const state = decodeRecord<StateRecord>("a state", data);
        const { context } = state.snapshot as StoredSnapshot;
        const upTo = countedTo((context as { n: number }).n).length;
        for (; next < upTo; next++) {
          expect(emitted[next]?.seq).toBeGreaterThan(seq);
          expect(emitted[next]?.seq).toBeLessThanOrEqual(seq + state.outbox);
        }
      }
      expect(next).toBe(emitted.length);
    }
  });
});

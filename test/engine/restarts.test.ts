/** Children that fail are begun again, with backoff, before their parent hears of it. */
import { afterEach, describe, expect, test } from "vitest";
import type { AnyActorDefinition } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem, type TestSystemOptions } from "../../actors/test-system.ts";
import { parseAddress, partitionOf } from "../../runtime/core/address.ts";
import { TerminalError } from "../../runtime/core/errors.ts";
import { decodeRecord, type StateRecord } from "../../runtime/core/records.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import { type Delivery, untried } from "../../runtime/engine/delivery.ts";
import { absentHead } from "../../runtime/engine/head.ts";
import { Lane } from "../../runtime/engine/lane.ts";
import { ActorReplay } from "../../runtime/engine/replay.ts";
import { WaitingRoom } from "../../runtime/engine/waiting-room.ts";
import { blame } from "./deadly-world.ts";
import { orderOf, stillborn } from "./restart-actors.ts";

const child = "order/1/~payment";
const subjects = new Subjects("test");
const patient = { base: "10 seconds", factor: 2, cap: "5 minutes", jitter: "none", maxAttempts: 3 } as const;

let system: TestSystem;
let definition: AnyActorDefinition;

async function start(restarts: Parameters<typeof orderOf>[0], options: Partial<TestSystemOptions> = {}): Promise<void> {
  definition = orderOf(restarts);
  system = await createTestSystem({ actors: [definition], partitions: 1, settings: { checkpointMs: 100 }, ...options });
  await send("order/1", { type: "OPEN" });
}

afterEach(async () => {
  stillborn.left = 0;
  stillborn.error = () => new Error("no card");
  await system.stop();
});

async function send(actor: string, ...events: Array<{ type: string; [field: string]: unknown }>): Promise<void> {
  for (const event of events) await system.run(system.client.send(actor, event));
  await system.advance(1000);
}

const view = (actor: string) => system.run(system.client.get(actor));
const breaks = (why: string) => ({ type: "BREAK", why });
const add = (item: string) => ({ type: "ADD", item });

async function letters(): Promise<string[]> {
  const found = await system.run(system.client.deadLetters.list());
  return found.map(({ to, reason }) => `${to.type}/${to.id} ${reason}`);
}

async function statesOf(actor: string) {
  const { log } = system.broker.connect(`reader ${Math.random()}`);
  const address = parseAddress(actor);
  const read = async () => {
    const records = [];
    for await (const record of log.scan("core", subjects.state(partitionOf(address, 1), address))) {
      records.push(record);
    }
    return records;
  };
  return system.run(read());
}

/** Every step of the actor's history comes out as it did. */
async function replays(actor: string): Promise<void> {
  const replay = new ActorReplay(definition, parseAddress(actor));
  for (const record of await statesOf(actor)) replay.add(record);
  expect(replay.end()).toMatchObject({ result: "same", notReplayable: 0, first: undefined });
}

describe("a child whose message fails for good", () => {
  test("waits to be begun again with what it had to show, and its parent does not hear of it", async () => {
    await start({ payment: patient });
    await send(child, add("a"), breaks("one"));
    expect(await letters()).toEqual([`${child} attempts`]);
    const failed = await view(child);
    expect(failed).toMatchObject({ status: "error", context: { items: ["first", "a"] }, error: { message: "one" } });
    expect(failed?.timers.map(({ event }) => event)).toEqual(["statewright.restart"]);
    expect(failed?.children).toEqual([]);
    expect(await view("order/1")).toMatchObject({ value: "open", context: { errors: [] } });
    expect((await view("order/1/~payment/~card"))?.status).toBe("stopped");
    await replays(child);
  });

  test("begins anew after the delay, and takes what came meanwhile in order", async () => {
    await start({ payment: patient });
    await send(child, add("a"), breaks("one"), add("b"), add("c"));
    await system.advance(5000);
    expect((await view(child))?.context).toEqual({ items: ["first", "a"] });
    await system.advance(5000);
    const again = await view(child);
    expect(again).toMatchObject({ status: "active", value: "open", context: { items: ["first", "b", "c"] } });
    expect(again?.children.map(({ id, ended }) => [id, ended])).toEqual([
      ["card", false],
      ["tally", false],
    ]);
    expect((await view("order/1/~payment/~card"))?.status).toBe("active");
    await send(child, { type: "SHOW" });
    expect((await view("order/1"))?.context).toEqual({ shown: [["first", "b", "c"]], errors: [] });
    await replays(child);
    await replays("order/1");
  });

  test("keeps more than memory holds for it in order", async () => {
    await start({ payment: patient }, { settings: { checkpointMs: 100, maxQueued: 64 } });
    await send(child, breaks("one"));
    const items = Array.from({ length: 200 }, (_, i) => `${i}`);
    await send(child, ...items.map(add));
    await send("order/2", { type: "OPEN" });
    expect((await view("order/2"))?.value).toBe("open");
    await system.advance(12_000);
    expect((await view(child))?.context).toEqual({ items: ["first", ...items] });
  });

  test("ends with the error of its last failure when the policy is exhausted", async () => {
    await start({ payment: patient });
    await send(child, breaks("one"));
    await system.advance(11_000);
    await send(child, breaks("two"));
    await system.advance(21_000);
    expect((await view(child))?.status).toBe("active");
    await send(child, breaks("three"));
    expect(await view("order/1")).toMatchObject({ value: "failed", context: { errors: ["three"] } });
    expect(await view(child)).toMatchObject({ status: "error", timers: [] });
    expect(await letters()).toHaveLength(3);
    await replays(child);
  });

  test("counts its failures over crashes", async () => {
    await start({ payment: patient });
    await send(child, breaks("one"), breaks("two"), add("a"));
    system.nodes[0]?.crash();
    await system.startNode();
    await system.advance(15_000);
    // The second failure came with the second message, at once.
    const waiting = await view(child);
    expect(waiting?.status).toBe("error");
    system.nodes[1]?.crash();
    await system.startNode();
    await system.advance(35_000);
    expect((await view(child))?.context).toEqual({ items: ["first", "a"] });
    await send(child, breaks("three"));
    expect(await view("order/1")).toMatchObject({ value: "failed", context: { errors: ["three"] } });
  });

  test("that has done well for a minute counts anew", async () => {
    await start({ payment: patient });
    for (let i = 0; i < 5; i++) {
      await send(child, breaks(`failure ${i}`));
      await system.advance(10_000 + 61_000);
    }
    expect(await view(child)).toMatchObject({ status: "active" });
    expect((await view("order/1"))?.value).toBe("open");
  });

  test("is begun again while nobody sends anything, after all nodes were gone", async () => {
    await start({ payment: patient });
    await send(child, breaks("one"));
    await system.advance(2000);
    system.nodes[0]?.crash();
    await system.advance(60_000);
    await system.startNode();
    await system.advance(5000);
    expect((await view(child))?.status).toBe("active");
  });

  test("takes what came while all nodes were gone after it was begun again", async () => {
    await start({ payment: patient });
    await send(child, add("a"), breaks("one"));
    system.nodes[0]?.crash();
    for (const item of ["b", "c"]) await system.run(system.client.send(child, add(item)));
    await system.advance(60_000);
    await system.startNode();
    await system.advance(5000);
    expect(await view(child)).toMatchObject({ status: "active", context: { items: ["first", "b", "c"] } });
  });

  test("is still who has its system id, and ends when its parent ends it", async () => {
    await start({ payment: patient });
    await send(child, breaks("one"));
    const [record] = (await statesOf("order/1")).slice(-1);
    const state = decodeRecord<StateRecord>("a state", record?.data as Uint8Array);
    expect(state.snapshot?.system?.till?.holder).toBe(child);
    await send("order/1", { type: "SHUT" });
    await system.advance(11_000);
    expect((await view(child))?.status).toBe("stopped");
  });

  test("gives way to the next one of its name", async () => {
    await start({ payment: patient });
    await send(child, add("a"), breaks("one"));
    await send("order/1", { type: "AGAIN" });
    await system.advance(11_000);
    await send(child, breaks("two"));
    // The new one's first failure.
    await system.advance(11_000);
    expect(await view(child)).toMatchObject({ status: "active", context: { items: ["first"] } });
    await replays(child);
  });
});

describe("a child that cannot be made", () => {
  test("is made later", async () => {
    // Two attempts for the start, and two for the first restart.
    stillborn.left = 4;
    await start({ "payment.card": patient });
    const card = `${child}/~card`;
    expect((await view(card))?.status).toBe("error");
    await system.advance(11_000);
    expect((await view(card))?.status).toBe("error");
    await system.advance(21_000);
    expect((await view(card))?.status).toBe("active");
    expect((await view("order/1"))?.value).toBe("open");
    expect(await letters()).toEqual([`${card} attempts`, `${card} attempts`]);
  });

  test("ends at once when its machine says that trying again cannot help", async () => {
    stillborn.left = 1;
    stillborn.error = () => new TerminalError("never a card");
    await start({ "payment.card": patient });
    expect((await view(`${child}/~card`))?.status).toBe("error");
    expect((await view("order/1"))?.context).toMatchObject({ errors: ["never a card"] });
  });
});

describe("a child that waits to be begun again", () => {
  const fragile = { settings: { checkpointMs: 100, maxCrashes: 1 } };

  test("goes on waiting when a message for it is given up that has ended processes", async () => {
    await start({ payment: patient }, fragile);
    await send(child, breaks("one"));
    system.nodes[0]?.crash();
    await send(child, add("bad"));
    await blame(system, 0, `i:${system.broker.records("ingress", subjects.all("ingress")).at(-1)?.seq}`);
    await send(child, add("b"));
    await system.startNode();
    await system.advance(20_000);
    expect(await letters()).toEqual([`${child} attempts`, `${child} crashed`]);
    expect(await view(child)).toMatchObject({ status: "active", context: { items: ["first", "b"] } });
  });

  test("ends, and its parent is told, when its beginning has ended processes", async () => {
    await start({ payment: patient }, fragile);
    await send(child, breaks("one"));
    const timers = system.broker.records("core", subjects.timersOfPartition(0)).map(({ subject }) => subject);
    const restart = timers.filter((subject) => subjects.parseTimer(subject)?.of.id === "1/~payment").at(-1);
    system.nodes[0]?.crash();
    await blame(system, 0, `t:${restart}`);
    await system.startNode();
    await system.advance(20_000);
    expect(await letters()).toEqual([`${child} attempts`, `${child} crashed`]);
    expect(await view(child)).toMatchObject({ status: "error", timers: [] });
    const parent = await view("order/1");
    expect(parent).toMatchObject({ value: "failed", context: { errors: [expect.stringMatching(/came to its end/)] } });
    await send(child, add("late"));
    expect(system.nodes.at(-1)?.stats()).toMatchObject({ pending: 0, counters: { waiting: 0, ignored: 1 } });
  });
});

test("a child below a child is begun again by a policy of its own, and one of transition logic, too", async () => {
  await start({ "payment.card": patient, "payment.tally": patient });
  await send(`${child}/~card`, { type: "BREAK" });
  await send(`${child}/~tally`, { type: "COUNT" }, { type: "BREAK" }, { type: "COUNT" });
  expect(await view(`${child}/~tally`)).toMatchObject({ status: "error", context: 41 });
  await system.advance(11_000);
  expect((await view(`${child}/~card`))?.status).toBe("active");
  expect(await view(`${child}/~tally`)).toMatchObject({ status: "active", context: 41 });
  expect((await view(child))?.status).toBe("active");
  await replays(`${child}/~tally`);
});

test("a child that fails because its own child has failed is begun again with it", async () => {
  await start({ payment: patient });
  await send(`${child}/~card`, { type: "BREAK" });
  expect(await view(child)).toMatchObject({ status: "error", error: { message: "card broken" } });
  await system.advance(11_000);
  expect((await view(child))?.status).toBe("active");
  expect((await view(`${child}/~card`))?.status).toBe("active");
  expect((await view("order/1"))?.value).toBe("open");
});

test("a child without a policy ends with its first failure", async () => {
  await start({});
  await send(child, breaks("one"));
  expect(await view("order/1")).toMatchObject({ value: "failed", context: { errors: ["one"] } });
  await replays(child);
});

test("what begins a child again comes first, wherever it stands in the queue of its lane", () => {
  const self = { type: "order", id: "1/~payment" };
  const lane = new Lane("l", self, 0, "s", undefined);
  const delivery: Delivery = {
    ...untried,
    stream: "core",
    seq: 5,
    subject: "",
    to: self,
    sender: undefined,
    data: new Uint8Array(),
    unaddressable: undefined,
  };
  const timer: Delivery = { ...delivery, seq: 0, timer: "4" };
  lane.phase = "ready";
  lane.head = { ...absentHead, waiting: { from: 9, next: 9, restart: { timer: "4", at: 0 } } };
  lane.queue = [delivery, timer];
  const room = new WaitingRoom({ time: { now: () => 10 } } as never, { backlog: { hasRoomForTimers: true } } as never);
  expect(room.turn(lane, delivery)).toBe("next");
  expect(lane.queue).toEqual([timer, delivery]);
  expect(room.turn(lane, timer)).toBe("decide");
});

/** Messages that end the process: they are found, tried alone, and become dead letters; everything else goes on. */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { Subjects } from "../../runtime/core/subjects.ts";
import { blame, DeadlyWorld, victim } from "./deadly-world.ts";

const subjects = new Subjects("test");

let world: DeadlyWorld | undefined;
afterEach(async () => {
  await world?.stop();
  world = undefined;
});

const add = (uid: string, more: object = {}) => ({ type: "ADD" as const, uid, ...more });

describe("a message that ends the process", () => {
  it("becomes a dead letter when three owners have ended since it was suspect, and the others are applied in order", async () => {
    world = await DeadlyWorld.start();
    for (const uid of ["1", "2"]) await world.send("a", add(uid));
    await world.send("a", add("bad", { deadly: true }));
    for (const uid of ["3", "4"]) await world.send("a", add(uid));
    for (const uid of ["5", "6"]) await world.send("b", add(uid));
    await world.advance(60_000);

    expect(await world.logOf("a")).toEqual(["1", "2", "3", "4"]);
    expect(await world.logOf("b")).toEqual(["5", "6"]);
    const [letter, ...others] = await world.letters();
    expect(others).toEqual([]);
    expect(letter).toMatchObject({ reason: "crashed", to: { type: "victim", id: "a" } });
    expect(letter?.explanation).toMatch(
      /^3 processes \(node-2, node-3, node-4\) came to an end .* tried alone\. It was "ADD"/,
    );
    const { attempts } = (await world.system.run(world.system.client.deadLetters.get(letter?.letter ?? ""))) as {
      attempts: readonly { node: string; error: { name: string } }[];
    };
    expect(attempts.map(({ node, error }) => [node, error.name])).toEqual(
      ["node-2", "node-3", "node-4"].map((node) => [node, "ProcessCrashError"]),
    );
    // The first owner was not suspected yet.
    expect(world.deaths).toBe(4);
    expect(world.alive[0]?.stats().counters.deadLettersByReason).toEqual({ crashed: 1 });
    expect(world.trials).toEqual([]);
  });

  it("is handled so often as the setting says", async () => {
    world = await DeadlyWorld.start({ settings: { maxCrashes: 1 } });
    await world.send("a", add("bad", { deadly: true }));
    await world.advance(60_000);
    expect(world.deaths).toBe(3);
    expect(await world.letters()).toMatchObject([{ reason: "crashed" }]);
  });

  it("is handled again and again when the setting is infinite", async () => {
    world = await DeadlyWorld.start({ settings: { maxCrashes: Number.POSITIVE_INFINITY } });
    await world.send("a", add("bad", { deadly: true }));
    await world.advance(60_000);
    expect(world.deaths).toBeGreaterThan(20);
    expect(await world.letters()).toEqual([]);
    expect(world.system.broker.journal("core", "sw.test.core.*.trial")).toEqual([]);
  });

  it("is found among hundreds on several partitions and nodes", async () => {
    world = await DeadlyWorld.start({ nodes: 2, partitions: 4 });
    for (const node of world.alive) node.freeze();
    for (let i = 0; i < 300; i++) {
      const deadly = i === 40 || i === 170;
      await world.send(String(i % 7), add(String(i), deadly ? { deadly } : {}));
    }
    for (const node of world.alive) node.thaw();
    await world.advance(120_000);
    expect((await world.letters()).map(({ reason }) => reason)).toEqual(["crashed", "crashed"]);
    for (let actor = 0; actor < 7; actor++) {
      const wanted = Array.from({ length: 300 }, (_, i) => i).filter((i) => i % 7 === actor && i !== 40 && i !== 170);
      expect(await world.logOf(String(actor))).toEqual(wanted.map(String));
    }
    expect(world.trials).toEqual([]);
  });

  it("may be a timer: it is not set any more, and the actor goes on", async () => {
    world = await DeadlyWorld.start();
    await world.send("a", { type: "SET", uid: "bad", delay: 500, deadly: true });
    await world.send("a", { type: "SET", uid: "good", delay: 900 });
    await world.advance(60_000);
    expect(await world.logOf("a")).toEqual(["good"]);
    expect(await world.letters()).toMatchObject([{ reason: "crashed" }]);
    const { deaths } = world;
    // The next owner reads the timers again.
    world.crash(world.alive[0] as never);
    await world.advance(30_000);
    await world.send("a", add("more"));
    await world.advance(30_000);
    expect(world.deaths).toBe(deaths);
    expect(await world.logOf("a")).toEqual(["good", "more"]);
  });

  it("may be one that failed before and is tried again", async () => {
    world = await DeadlyWorld.start({ define: (hook) => victim(hook, { retry: { base: 3000, jitter: "none" } }) });
    await world.send("a", add("bad", { deadly: true, fails: true }));
    await world.send("a", add("1"));
    await world.advance(60_000);
    expect(await world.logOf("a")).toEqual(["1"]);
    const [letter] = await world.letters();
    expect(letter).toMatchObject({ reason: "crashed", attemptCount: 4 });
    expect(world.trials).toEqual([]);
  });

  it("may stand in line behind one that is tried again", async () => {
    world = await DeadlyWorld.start({ define: (hook) => victim(hook, { retry: { base: 10_000, jitter: "none" } }) });
    await world.send("a", add("late", { fails: true }));
    await world.send("a", add("1"));
    await world.send("a", add("bad", { deadly: true }));
    await world.send("a", add("2"));
    await world.advance(90_000);
    expect(await world.logOf("a")).toEqual(["late", "1", "2"]);
    expect(await world.letters()).toMatchObject([{ reason: "crashed" }]);
    expect(world.deaths).toBe(4);
    expect(world.trials).toEqual([]);
  });

  it("parks its actor where the policy says so, and where it says stop", async () => {
    for (const onExhausted of ["park", "stop"] as const) {
      world = await DeadlyWorld.start({ define: (hook) => victim(hook, { onExhausted }) });
      await world.send("a", add("bad", { deadly: true }));
      await world.send("a", add("1"));
      await world.advance(60_000);
      expect(await world.logOf("a")).toEqual([]);
      const [letter] = await world.letters();
      expect(letter).toMatchObject({ reason: "crashed" });
      await world.stop();
    }
    world = undefined;
  });
});

it("a message in line that has ended processes is found though its actor was parked while the partition was suspect", async () => {
  world = await DeadlyWorld.start({
    partitions: 1,
    settings: { maxCrashes: 1 },
    define: (hook) => victim(hook, { onExhausted: "park" }),
  });
  const { system } = world;
  await world.send("a", add("worse", { fatal: true }));
  await world.send("a", add("1"));
  await world.send("a", add("bad", { deadly: true }));
  await world.send("a", add("2"));
  await world.advance(500);
  const waits = subjects.waitsOf(0, { type: "victim", id: "a" });
  const n = system.broker.records("core", waits)[1]?.subject.split(".").at(-1);
  world.crash(world.alive[0] as never);
  await blame(system, 0, `w:victim/a:${n}`);
  await world.advance(10_000);
  await system.run(system.client.deadLetters.release("victim/a"));
  await world.advance(10_000);
  expect(world.deaths).toBe(0);
  expect(await world.letters()).toMatchObject([{ reason: "terminal" }, { reason: "crashed" }]);
  expect(await world.logOf("a")).toEqual(["1"]);
  await system.run(system.client.deadLetters.release("victim/a"));
  await world.advance(3000);
  expect(await world.logOf("a")).toEqual(["1", "2"]);
  expect(world.trials).toEqual([]);
});

describe("a timer of what waits that has ended processes", () => {
  const retry = { base: 3000, jitter: "none" } as const;
  const settings = { maxCrashes: 1 };
  const timerOf = (name: RegExp) =>
    world?.system.broker
      .records("core", subjects.all("core"))
      .map(({ subject }) => subject)
      .filter((subject) => name.test(subjects.parseTimer(subject)?.timer ?? ""))
      .at(-1);

  it("takes its message along at once, also while the actor is parked by another", async () => {
    world = await DeadlyWorld.start({
      partitions: 1,
      settings,
      define: (hook) => victim(hook, { retry, order: "overtake", onExhausted: "park" }),
    });
    const { system } = world;
    await world.send("a", add("poison", { fails: true }));
    await world.advance(200);
    const [node] = world.alive;
    const timer = timerOf(/^r/);
    await blame(system, 0, `t:${timer}`);
    // Between its first attempt and its second one another message parks the actor.
    await world.send("a", add("worse", { fatal: true }));
    await world.advance(200);
    world.crash(node as never);
    await world.advance(30_000);
    await world.send("a", add("1"));
    await world.advance(10_000);
    expect(await world.letters()).toMatchObject([{ reason: "terminal" }, { reason: "crashed" }]);
    const loads = () => world?.alive[0]?.stats().counters.loads ?? 0;
    const before = loads();
    await world.advance(10_000);
    expect(loads()).toBe(before);
    await system.run(system.client.deadLetters.release("victim/a"));
    await world.advance(1000);
    expect(await world.logOf("a")).toEqual(["1"]);
  });

  it("leaves the letter of a redriven message with all that it had", async () => {
    world = await DeadlyWorld.start({ partitions: 1, settings, define: (hook) => victim(hook, { retry }) });
    const { deadLetters } = world.system.client;
    await world.send("a", add("x", { fatal: true }));
    await world.advance(200);
    const [letter] = await world.letters();
    const id = letter?.letter ?? "";
    await world.system.run(deadLetters.edit(id, { uid: "x", fails: true }));
    await world.system.run(deadLetters.redrive(id));
    await world.advance(200);
    await blame(world.system, 0, `t:${timerOf(/^r/)}`);
    world.crash(world.alive[0] as never);
    await world.advance(20_000);
    const again = await world.system.run(deadLetters.get(id));
    expect(again).toMatchObject({ reason: "crashed", isEdited: true, originalPayload: { fatal: true } });
    expect(again?.history.map(({ what }) => what)).toEqual(["edited", "redriven", "died-again"]);
    expect(again?.attempts.map(({ error }) => error.message.slice(0, 11))).toEqual([
      "Never.",
      "Not yet.",
      "The process",
    ]);
    expect(again?.explanation).toContain('It was "ADD"');
  });

  it("does not keep the line from being taken where it says that it can be", async () => {
    world = await DeadlyWorld.start({
      partitions: 1,
      settings,
      define: (hook) => victim(hook, { retry: { base: 10_000, jitter: "none" } }),
    });
    await world.send("a", add("late", { fails: true }));
    await world.send("a", add("1"));
    await world.send("a", add("2"));
    await world.advance(9900);
    const [node] = world.alive;
    // The owner ends just when the line has become free.
    for (let i = 0; i < 200 && timerOf(/^l/) === undefined; i++) await world.system.advance(1);
    world.crash(node as never);
    await blame(world.system, 0, `t:${timerOf(/^l/)}`);
    await world.advance(30_000);
    expect(await world.logOf("a")).toEqual(["late", "1", "2"]);
    expect(await world.letters()).toEqual([]);
    expect(world.trials).toEqual([]);
  });
});

describe("an end of a process that no message is to blame for", () => {
  it("is not counted when the node stops in order in the middle of a trial", async () => {
    world = await DeadlyWorld.start({ partitions: 1, settings: { maxCrashes: 1 } });
    await world.send("a", add("1"));
    world.crash(world.alive[0] as never);
    for (let i = 0; i < 6; i++) {
      await world.advance(400);
      await world.send("a", add(`x${i}`));
      const [node] = world.alive;
      await world.startNode();
      if (node !== undefined) await world.stopNode(node);
    }
    await world.advance(20_000);
    expect(await world.letters()).toEqual([]);
    expect(world.trials).toEqual([]);
  });
});

describe("several messages that end the process, among good ones, while nodes die for other reasons", () => {
  it("are the only ones that die, and all others are applied once and in order", { timeout: 120_000 }, async () => {
    const plan = fc.record({
      seed: fc.integer({ min: 1, max: 1_000_000 }),
      nodes: fc.integer({ min: 1, max: 3 }),
      partitions: fc.integer({ min: 1, max: 4 }),
      messages: fc.array(
        fc.record({
          actor: fc.integer({ min: 0, max: 4 }),
          kind: fc.constantFrom("good", "good", "good", "good", "good", "fails", "timer", "deadly", "deadly timer"),
          waitMs: fc.constantFrom(0, 0, 0, 40, 700),
        }),
        { minLength: 1, maxLength: 40 },
      ),
      // As many as cannot condemn by chance: each can blame a message once.
      crashes: fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ seed, nodes, partitions, messages, crashes }) => {
        world = await DeadlyWorld.start({
          nodes,
          partitions,
          seed,
          settings: { maxCrashes: 4 },
          define: (hook) => victim(hook, { retry: { base: 100, jitter: "none" } }),
        });
        const good = new Map<number, string[]>();
        const timers = new Map<number, string[]>();
        let deadly = 0;
        for (const [i, { actor, kind, waitMs }] of messages.entries()) {
          const uid = `m${i}`;
          const isDeadly = kind.startsWith("deadly");
          if (isDeadly) deadly++;
          if (kind.endsWith("timer"))
            await world.send(String(actor), { type: "SET", uid, delay: 300, ...(isDeadly ? { deadly: true } : {}) });
          else
            await world.send(
              String(actor),
              add(uid, isDeadly ? { deadly: true } : kind === "fails" ? { fails: true } : {}),
            );
          if (!isDeadly) {
            const of = kind === "timer" ? timers : good;
            of.set(actor, [...(of.get(actor) ?? []), uid]);
          }
          const [node] = world.alive;
          if (crashes.includes(i) && node !== undefined) world.crash(node);
          await world.advance(waitMs);
        }
        await world.advance(20_000 * (deadly + 2));
        const letters = await world.letters();
        expect(letters.map(({ reason }) => reason)).toEqual(Array.from({ length: deadly }, () => "crashed"));
        for (let actor = 0; actor < 5; actor++) {
          const log = await world.logOf(String(actor));
          const rung = timers.get(actor) ?? [];
          expect(log.filter((uid) => !rung.includes(uid))).toEqual(good.get(actor) ?? []);
          expect(log.filter((uid) => rung.includes(uid)).sort()).toEqual([...rung].sort());
        }
        expect(world.trials).toEqual([]);
        await world.stop();
        world = undefined;
      }),
      { numRuns: 150, seed: 7 },
    );
  });
});

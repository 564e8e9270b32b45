import { describe, expect, it } from "vitest";
import { partitionOf } from "../../runtime/core/address.ts";
import { encodeRecord, type LeaseRecord, recordFormat } from "../../runtime/core/records.ts";
import { CountingNode, handled, partitions, World } from "./client-world.ts";

const add = { type: "ADD", n: 1 };
const to = { type: "cart", id: "1" };
const partition = partitionOf(to, partitions);

describe("asking", () => {
  it("resolves with the committed state and the reply", async () => {
    const world = new World();
    new CountingNode(world);
    const result = await world.run(world.client.ask("cart/1", add));
    expect(result).toMatchObject({ outcome: "applied", revision: 1, reply: { count: 1 }, duplicate: false });
    expect(result.view).toMatchObject({
      address: to,
      revision: 1,
      status: "active",
      value: "idle",
      context: { count: 1 },
    });
    expect(world.time.elapsed()).toBeLessThan(100);
    expect((await world.run(world.client.ask("cart/1", { type: "NOP" }))).outcome).toBe("ignored");
  });

  it("resolves concurrent asks each with its own outcome", async () => {
    const world = new World();
    new CountingNode(world);
    const asks = Array.from({ length: 100 }, () => world.client.ask("cart/1", add));
    const results = await world.run(Promise.all(asks));
    expect(results.map(({ view }) => view.context)).toEqual(results.map((_, i) => ({ count: i + 1 })));
  });

  it("rejects when the message became a dead letter, with the letter and why", async () => {
    const world = new World();
    new CountingNode(world);
    const error = await world.failure(world.client.ask("cart/1", { type: "BAD" }));
    expect(error).toMatchObject({
      _tag: "DeadLetteredError",
      details: { letter: "i1", reason: "attempts", explanation: "It is bad." },
    });
  });

  it("finds the outcome in the log when the answer is lost", async () => {
    const world = new World();
    const node = new CountingNode(world);
    node.answers = false;
    const [plain, keyed] = await world.run(
      Promise.all([world.client.ask("cart/1", add), world.client.ask("cart/2", add, { key: "k" })]),
    );
    expect(plain).toMatchObject({ outcome: "applied", revision: 1, reply: { count: 1 }, duplicate: false });
    expect(plain.view.context).toEqual({ count: 1 });
    expect(keyed).toMatchObject({ outcome: "applied", revision: 1, reply: { count: 1 }, duplicate: false });
    expect(world.time.elapsed()).toBeGreaterThan(500);
    expect(world.time.elapsed()).toBeLessThan(700);
  });

  it("keeps looking while the log cannot be read", async () => {
    const world = new World();
    new CountingNode(world).answers = false;
    for (let i = 0; i < 2; i++) {
      world.broker.faults.next("scan", () => true, "unavailable");
      world.broker.faults.next("last", (_, { connection }) => connection === "client-1", "unavailable");
    }
    const results = await world.run(
      Promise.all([world.client.ask("cart/1", add), world.client.ask("cart/2", add, { key: "k" })]),
    );
    expect(results.map(({ outcome }) => outcome)).toEqual(["applied", "applied"]);
  });

  it("takes a later state for the view when the one right after the message is not kept", async () => {
    const world = new World();
    const asked = world.client.ask("cart/1", add);
    await world.time.advance(100);
    const message = `m${"1".padStart(21, "0")}0`;
    await world.writeState(to, 5, { handled: [handled("other"), handled(message, { reply: 7 }), handled("another")] });
    const result = await world.run(asked);
    expect(result).toMatchObject({ outcome: "applied", revision: 4, reply: 7, message });
    expect(result.view).toMatchObject({ revision: 5, context: { count: 5 } });
  });

  it("finds the explanation in the letter when the answer of a dead message is lost", async () => {
    const world = new World();
    const asked = world.client.ask("cart/1", { type: "BAD" }).catch((error) => error);
    await world.time.advance(100);
    const message = `m${"1".padStart(21, "0")}0`;
    await world.writeLetter(to, "i1", { explanation: "The letter knows.", reason: "terminal" });
    await world.writeState(to, 1, { handled: [handled(message, { outcome: "dead", letter: "i1" })] });
    const error = await world.run(asked);
    expect(error).toMatchObject({ _tag: "DeadLetteredError", details: { letter: "i1", reason: "terminal" } });
    expect(error.message).toContain("The letter knows.");
  });

  it("answers a repeat with the same key with the outcome of the first time, and applies nothing", async () => {
    const world = new World();
    const node = new CountingNode(world);
    const first = await world.run(world.client.ask("cart/1", add, { key: "k" }));
    await world.run(world.client.ask("cart/1", add));
    const again = await world.run(world.client.ask("cart/1", add, { key: "k" }));
    expect(again).toMatchObject({
      outcome: "applied",
      revision: 1,
      reply: { count: 1 },
      duplicate: true,
      message: first.message,
    });
    // From another service: its message is stored, and recognised by the node.
    const other = await world.run(world.connect({ sender: "other" }).ask("cart/1", add, { key: "k" }));
    expect(other).toMatchObject({ outcome: "applied", revision: 1, duplicate: true, message: first.message });
    // After the messages have left INGRESS, and without answers.
    node.answers = false;
    await world.run(world.log.purge("ingress", world.subjects.all("ingress")));
    const late = await world.run(world.connect({ sender: "third" }).ask("cart/1", add, { key: "k" }));
    expect(late).toMatchObject({ outcome: "applied", revision: 1, duplicate: true });
    expect((await world.run(world.client.get("cart/1")))?.context).toEqual({ count: 2 });
  });

  it("shows the state after the message when the key's answer holds none", async () => {
    const world = new World();
    new CountingNode(world);
    await world.run(world.client.send("cart/1", add, { key: "k" }));
    await world.run(world.client.ask("cart/1", add));
    const result = await world.run(world.client.ask("cart/1", add, { key: "k" }));
    expect(result).toMatchObject({ outcome: "applied", revision: 1, duplicate: true });
    expect(result.view).toMatchObject({ revision: 1, context: { count: 1 } });
  });

  it("repeats a key safely while the first message waits for its outcome", async () => {
    const world = new World();
    const first = world.client.ask("cart/1", add, { key: "k" });
    const second = world.client.ask("cart/1", add, { key: "k" });
    await world.time.advance(1000);
    new CountingNode(world).answers = false;
    const results = await world.run(Promise.all([first, second]));
    expect(results.map(({ duplicate }) => duplicate)).toEqual([false, true]);
    expect(results.map(({ revision }) => revision)).toEqual([1, 1]);
  });

  it("says at the timeout whether the message is stored, and who owns its partition", async () => {
    const world = new World();
    const alone = await world.failure(world.client.ask("cart/1", add, { timeout: "3 seconds" }));
    expect(alone).toMatchObject({ _tag: "AskTimeoutError", retry: "transient", details: { seq: 1, partition } });
    expect(alone.message).toContain("stored (sequence 1)");
    expect(alone.message).toContain("no node has ever owned it");
    const lease: LeaseRecord = { format: recordFormat, owner: "node-7:x", epoch: 3 };
    await world.write([{ subject: world.subjects.lease(partition), data: encodeRecord(lease) }]);
    const owned = await world.failure(world.client.ask("cart/1", add, { timeout: 3000, key: "k" }));
    expect(owned.message).toContain('its owner is "node-7:x"');
    expect(owned.message).toContain("same key");
    world.broker.faults.set({ append: { refused: 1 } });
    const refused = await world.failure(world.client.ask("cart/1", add, { timeout: 3000 }));
    expect(refused).toMatchObject({ _tag: "AskTimeoutError", details: { seq: undefined } });
    expect(refused.message).toContain("Nothing of it was stored");
  });

  it("ends with its signal", async () => {
    const world = new World();
    const abort = new AbortController();
    const asked = world.client.ask("cart/1", add, { signal: abort.signal }).catch((reason) => reason);
    await world.time.advance(100);
    abort.abort("enough");
    expect(await world.run(asked)).toBe("enough");
    expect(await world.run(world.client.ask("cart/1", add, { signal: abort.signal }).catch((reason) => reason))).toBe(
      "enough",
    );
  });

  it("ignores answers that are none", async () => {
    const world = new World();
    const asked = world.client.ask("cart/1", add);
    await world.time.advance(100);
    const reply = world.subjects.reply(`m${"1".padStart(21, "0")}`, "0");
    for (const text of ["", "null", "[]", "{}", '{"message":1}', "\xff"])
      world.log.signal(reply, Buffer.from(text, "latin1"));
    await world.time.advance(100);
    new CountingNode(world);
    expect((await world.run(asked)).outcome).toBe("applied");
  });

  it("gets every outcome right under any faults", async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const world = new World({
        seed,
        timeoutMs: 300,
        faults: {
          append: { delay: 0.2 },
          last: { unavailable: 0.05, delay: 0.1 },
          scan: { unavailable: 0.1, stale: 0.2 },
          signal: { lost: 0.4, duplicated: 0.2, delay: 0.2 },
        },
      });
      world.broker.faults.next(
        "append",
        (records, { stream }) => stream === "ingress" && records.length > 1,
        "lost-answer",
      );
      const keys = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? { key: `k${i % 6}` } : {}));
      const asks = keys.map((options) => world.client.ask("cart/1", add, options));
      const node = new CountingNode(world);
      node.answers = seed % 3 !== 0;
      const results = await world.run(Promise.all(asks).catch((error) => error));
      expect(results, `seed ${seed}`).toHaveLength(20);
      const fresh = results.filter(({ duplicate }: { duplicate: boolean }) => !duplicate);
      expect(
        fresh.map(({ reply }: { reply: unknown }) => reply),
        `seed ${seed}`,
      ).toEqual(fresh.map((_: unknown, i: number) => ({ count: i + 1 })));
      expect(fresh).toHaveLength(13);
    }
  });
});

describe("creating", () => {
  it("makes an actor, and leaves one that exists as it is", async () => {
    const world = new World();
    new CountingNode(world);
    const first = await world.run(world.client.create("cart/1", { owner: "me" }));
    expect(first).toMatchObject({ created: true, outcome: "created", revision: 1 });
    await world.run(world.client.ask("cart/1", add));
    const second = await world.run(world.client.create("cart/1", { owner: "you" }));
    expect(second).toMatchObject({ created: false, outcome: "ignored" });
    expect(second.view.context).toEqual({ count: 1 });
    const again = await world.run(world.client.create("cart/2", {}, { key: "k" }));
    const repeat = await world.run(world.client.create("cart/2", {}, { key: "k" }));
    expect([again.created, repeat.created, repeat.duplicate]).toEqual([true, true, true]);
  });
});

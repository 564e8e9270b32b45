import { describe, expect, it } from "vitest";
import type { ActorView } from "../../actors/view.ts";
import { matchesState } from "../../actors/view.ts";
import { partitionOf } from "../../runtime/core/address.ts";
import { encodeRecord } from "../../runtime/core/records.ts";
import { countReaders, handled, partitions, state, World } from "./client-world.ts";

const cart = { type: "cart", id: "1" };

describe("getting", () => {
  it("reads the newest committed state, decoded", async () => {
    const world = new World();
    expect(await world.run(world.client.get("cart/1"))).toBeUndefined();
    await world.writeState(cart, 1, { status: "new" });
    expect(await world.run(world.client.get("cart/1"))).toBeUndefined();
    await world.writeState(cart, 4, {
      status: "done",
      snapshot: {
        value: { a: "b" },
        context: { at: { "~": "date", v: "1970-01-01T00:00:00.000Z" } },
        tags: ["paid"],
        output: { "~": "bigint", v: "7" },
      },
    });
    const view = await world.run(world.client.get({ type: "cart", id: "1" }));
    expect(view).toMatchObject({
      address: cart,
      revision: 4,
      status: "done",
      value: { a: "b" },
      output: 7n,
      tags: ["paid"],
    });
    expect(view?.context).toEqual({ at: new Date(0) });
    expect(view?.at).toBeGreaterThan(world.time.now() - 1000);
    expect([view?.matches("a"), view?.matches("a.b"), view?.matches({ a: "c" }), view?.hasTag("paid")]).toEqual([
      true,
      true,
      false,
      true,
    ]);
  });

  it("says which actor's state cannot be read", async () => {
    const world = new World();
    const subject = world.subjects.state(partitionOf(cart, partitions), cart);
    await world.write([{ subject, data: Buffer.from("{") }]);
    const error = await world.failure(world.client.get("cart/1"));
    expect(error).toMatchObject({ _tag: "CorruptRecordError", message: expect.stringContaining("cart/1") });
    expect(await world.failure(world.client.waitFor("cart/1", "done"))).toMatchObject({ _tag: "CorruptRecordError" });
  });
});

describe("matching", () => {
  it.each([
    ["a", "a", true],
    ["a", "b", false],
    ["a", { a: "b" }, true],
    ["a.b", { a: "b" }, true],
    ["a.c", { a: "b" }, false],
    ["a.b", "a", false],
    [{ a: "b" }, { a: { b: "c" } }, true],
    [{ a: {} }, { a: { b: "c" } }, true],
    [{ a: "b" }, { a: "b", x: "y" }, true],
    [{ a: "b", x: "z" }, { a: "b", x: "y" }, false],
    ["a\\.b", "a\\.b", true],
    ["constructor", { a: "b" }, false],
    [undefined, "a", false],
  ])("says of %j and %j: %j", (expected, actual, result) => {
    expect(matchesState(expected, actual)).toBe(result);
  });
});

describe("waiting", () => {
  it("resolves at once when the condition holds already, and else with the first state that fulfils it", async () => {
    const world = new World();
    await world.writeState(cart, 1);
    expect((await world.run(world.client.waitFor("cart/1", { value: "idle" }))).revision).toBe(1);
    const waits = [
      world.client.waitFor("cart/1", (view) => (view.context as { count: number }).count >= 3),
      world.client.waitFor("cart/1", { tag: "paid" }),
      world.client.waitFor("cart/1", { value: "shop.open" }),
      world.client.waitFor("cart/1", "done"),
    ];
    for (let revision = 2; revision <= 6; revision++) {
      await world.writeState(cart, revision, {
        status: revision === 6 ? "done" : "active",
        snapshot: {
          value: revision === 5 ? { shop: "open" } : "idle",
          context: { count: revision },
          tags: revision === 4 ? ["paid"] : [],
        },
      });
    }
    expect((await world.run(Promise.all(waits))).map(({ revision }) => revision)).toEqual([3, 4, 5, 6]);
  });

  it("shares one reader per actor, and closes it when the last wait leaves", async () => {
    const world = new World();
    const counts = countReaders(world);
    await world.writeState(cart, 1);
    const abort = new AbortController();
    const early = [1, 2, 3].map((count) => counts.client.waitFor("cart/1", ({ revision }) => revision > count));
    const aborted = counts.client.waitFor("cart/1", "done", { signal: abort.signal }).catch((reason) => reason);
    const other = counts.client.waitFor("cart/2", "done", { timeout: 1000 }).catch((error) => error);
    await world.time.advance(100);
    expect(counts).toMatchObject({ opened: 2, open: 2 });
    await world.writeState(cart, 2);
    const late = counts.client.waitFor("cart/1", ({ revision }) => revision === 2);
    expect((await world.run(late)).revision).toBe(2);
    await world.writeState(cart, 4);
    await world.run(Promise.all(early));
    expect(counts).toMatchObject({ opened: 2, open: 2 });
    abort.abort("enough");
    expect(await aborted).toBe("enough");
    expect(counts).toMatchObject({ opened: 2, open: 1 });
    await world.run(other);
    expect(counts.open).toBe(0);
  });

  it("says at the timeout what it has seen last", async () => {
    const world = new World();
    const nothing = await world.failure(world.client.waitFor("cart/1", "done", { timeout: 500 }));
    expect(nothing).toMatchObject({ _tag: "WaitTimeoutError", message: expect.stringContaining("no committed state") });
    await world.writeState(cart, 7);
    const error = await world.failure(world.client.waitFor("cart/1", { tag: "paid" }, { timeout: "1 second" }));
    expect(error).toMatchObject({ details: { actor: "cart/1", value: "idle", revision: 7, timeoutMs: 1000 } });
  });

  it("rejects with what the predicate throws, and for a condition that is none", async () => {
    const world = new World();
    await world.writeState(cart, 1);
    const boom = new Error("boom");
    const wait = world.client.waitFor("cart/1", () => {
      throw boom;
    });
    expect(await world.failure(wait)).toBe(boom);
    expect(await world.failure(world.client.waitFor("cart/1", { tags: "x" } as never))).toMatchObject({
      _tag: "InvalidOptionsError",
    });
  });
});

describe("watching", () => {
  it("delivers every committed state from the current one on", async () => {
    const world = new World();
    await world.writeState(cart, 1);
    await world.writeState(cart, 2);
    const seen: number[] = [];
    const watching = (async () => {
      for await (const view of world.client.watch("cart/1")) {
        seen.push(view.revision);
        if (view.revision === 5) break;
      }
    })();
    await world.time.advance(50);
    for (let revision = 3; revision <= 6; revision++) await world.writeState(cart, revision);
    await world.run(watching);
    expect(seen).toEqual([2, 3, 4, 5]);
  });

  it("pauses the reader for a slow consumer and loses nothing that the space keeps", async () => {
    const world = new World({ historyDepth: 1000 });
    const counts = countReaders(world);
    const iterator = counts.client.watch("cart/1")[Symbol.asyncIterator]();
    await world.writeState(cart, 1);
    await world.time.advance(50);
    const subject = world.subjects.state(partitionOf(cart, partitions), cart);
    for (let from = 2; from <= 901; from += 100) {
      const states = Array.from({ length: 100 }, (_, i) => ({ subject, data: encodeRecord(state(from + i)) }));
      await world.write(states);
    }
    await world.time.advance(1000);
    expect(counts.paused).toBe(1);
    const seen: number[] = [];
    while (seen.length < 901) {
      const result = await world.run(iterator.next());
      if (!result.done) seen.push((result.value as ActorView).revision);
    }
    expect(seen).toEqual(Array.from({ length: 901 }, (_, i) => i + 1));
    await iterator.return?.();
    expect(counts.open).toBe(0);
  });

  it("ends with its signal, and without an error when the consumer leaves", async () => {
    const world = new World();
    await world.writeState(cart, 1);
    const abort = new AbortController();
    const watching = (async () => {
      for await (const _ of world.client.watch("cart/1", { signal: abort.signal })) {
        // Goes on until it is aborted.
      }
    })().catch((reason) => reason);
    await world.time.advance(100);
    abort.abort("enough");
    expect(await world.run(watching)).toBe("enough");
    const iterator = world.client.watch("cart/1")[Symbol.asyncIterator]();
    await world.run(iterator.next());
    const pending = iterator.next();
    await iterator.return?.();
    expect(await pending).toEqual({ done: true, value: undefined });
  });
});

describe("history", () => {
  it("tells the newest messages with their revisions, oldest first", async () => {
    const world = new World();
    await world.writeState(cart, 1, { handled: [handled("m1", { event: "create", outcome: "created" })] });
    await world.writeState(cart, 4, {
      handled: [
        handled("m2"),
        handled("m3", { outcome: "dead", letter: "i3", reason: "schema" }),
        handled("m4", { by: "shop/1" }),
      ],
    });
    const entries = await world.run(world.client.history("cart/1"));
    expect(entries.map(({ revision, message }) => [revision, message])).toEqual([
      [1, "m1"],
      [2, "m2"],
      [3, "m3"],
      [4, "m4"],
    ]);
    expect(entries[2]).toMatchObject({ outcome: "dead", letter: "i3", reason: "schema", from: "idle", to: "idle" });
    expect(entries[3]?.by).toBe("shop/1");
    expect((await world.run(world.client.history("cart/1", { last: 2 }))).map(({ revision }) => revision)).toEqual([
      3, 4,
    ]);
    expect(await world.run(world.client.history("cart/none"))).toEqual([]);
    expect(await world.failure(world.client.history("cart/1", { last: 0 }))).toMatchObject({
      _tag: "InvalidOptionsError",
    });
  });
});

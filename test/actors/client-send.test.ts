import { describe, expect, it } from "vitest";
import { tokenOfKey } from "../../actors/client/outgoing.ts";
import type { SendReceipt } from "../../actors/client.ts";
import { partitionOf } from "../../runtime/core/address.ts";
import { encodeRecord, type KeyRecord, recordFormat } from "../../runtime/core/records.ts";
import { partitions, World } from "./client-world.ts";

const add = (n: number) => ({ type: "ADD", n });
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

/** Counts the appends to INGRESS and their sizes. */
function appendsOf(world: World): number[] {
  const sizes: number[] = [];
  world.broker.faults.next(
    "append",
    (records, { stream }) => stream === "ingress" && sizes.push(records.length) < 0,
    "refused",
  );
  return sizes;
}

describe("sending", () => {
  it("confirms a message with the place where it is stored", async () => {
    const world = new World();
    const receipt = await world.run(world.client.send("cart/7", { type: "ADD", n: 1 }));
    const [record] = world.broker.records("ingress");
    expect(receipt).toEqual({
      message: expect.stringMatching(/^m/),
      partition: partitionOf({ type: "cart", id: "7" }, partitions),
      seq: record?.seq,
      duplicate: false,
    });
    expect(record?.subject).toBe(
      world.subjects.ingress("client", receipt.partition, { type: "cart", id: "7" }, receipt.message),
    );
  });

  it("sends the first message at once and collects the others while it is under way", async () => {
    const world = new World();
    const sizes = appendsOf(world);
    await world.run(Promise.all(numbers(1200).map((n) => world.client.send("cart/1", add(n)))));
    expect(sizes).toEqual([1, 500, 500, 199]);
    expect(world.stored("cart/1")).toEqual(numbers(1200));
  });

  it("keeps a batch within its bytes", async () => {
    const world = new World();
    const sizes = appendsOf(world);
    const text = "x".repeat(300_000);
    await world.run(Promise.all(numbers(8).map((n) => world.client.send("cart/1", { type: "ADD", n, text }))));
    expect(sizes).toEqual([1, 3, 3, 1]);
  });

  it("keeps each actor's order where every append holds one message", async () => {
    const world = new World();
    const client = world.connect({ ingressLimits: { ...world.log.limits, maxRecordsPerAppend: 1 } });
    world.broker.faults.set({ append: { "lost-answer": 0.05, refused: 0.2, delay: 0.3 } });
    const actors = numbers(40).map((id) => `cart/${id}`);
    const sends = numbers(400).map((n) => client.send(actors[n % 40] as string, add(n), { timeout: "2 minutes" }));
    await world.run(Promise.all(sends));
    for (const [i, actor] of actors.entries()) expect(world.stored(actor)).toEqual(numbers(10).map((n) => n * 40 + i));
  });

  it.each(["lost-answer", "lost-request", "late", "refused"] as const)(
    "stores every message once and in order after %s",
    async (fault) => {
      const world = new World({ faultDurations: { lateMs: [0, 6000] } });
      for (let i = 0; i < 3; i++) world.broker.faults.next("append", (records) => records.length > 1, fault);
      const receipts = await world.run(
        Promise.all(numbers(1000).map((n) => world.client.send("cart/1", add(n), { timeout: 60_000 }))),
      );
      await world.time.advance(20_000);
      expect(world.stored("cart/1")).toEqual(numbers(1000));
      expect(receipts.map(({ seq }) => seq)).toEqual(world.broker.records("ingress").map(({ seq }) => seq));
      expect(receipts.every(({ duplicate }) => !duplicate)).toBe(true);
    },
  );

  it("keeps each actor's order and stores nothing twice under any faults", async () => {
    const faults = new Map<string, number>();
    let given = 0;
    for (let seed = 1; seed <= 150; seed++) {
      const world = new World({
        seed,
        faults: {
          append: { "lost-answer": 0.1, "lost-request": 0.1, late: 0.1, refused: 0.1, full: 0.05, delay: 0.1 },
          last: { unavailable: 0.2, delay: 0.1 },
        },
        faultDurations: { lateMs: [0, 4000] },
        timeoutMs: 300,
      });
      const actors = ["a/1", "a/2", "a/3", "b/1"];
      const sends: Array<Promise<SendReceipt | undefined>> = [];
      for (let n = 0; n < 40; n++) {
        for (const actor of actors) {
          sends.push(
            world.client
              .send(actor, add(n), { timeout: 18_000, ...(n % 3 === 0 ? { key: `k${n}` } : {}) })
              .catch((error) => {
                if (
                  error._tag !== "SendUnknownError" &&
                  error._tag !== "LogUnavailableError" &&
                  error._tag !== "StorageFullError"
                )
                  throw error;
                return undefined;
              }),
          );
        }
        if (n % 5 === 0) await world.time.advance(1);
      }
      const receipts = await world.run(Promise.all(sends));
      world.broker.faults.heal();
      await world.time.advance(30_000);
      for (const actor of actors) {
        const stored = world.stored(actor) as number[];
        expect(stored, `seed ${seed}`).toEqual([...new Set(stored)].sort((a, b) => a - b));
      }
      const subjects = world.broker.journal("ingress").map(({ subject }) => subject);
      expect(new Set(subjects).size, `seed ${seed}`).toBe(subjects.length);
      const confirmed = receipts.filter((receipt) => receipt !== undefined);
      const bySeq = new Set(world.broker.journal("ingress").map(({ seq }) => seq));
      expect(confirmed.every(({ seq }) => bySeq.has(seq))).toBe(true);
      expect(confirmed.every(({ duplicate }) => !duplicate)).toBe(true);
      for (const [fault, count] of Object.entries(world.broker.faults.counts))
        faults.set(fault, (faults.get(fault) ?? 0) + count);
      given += confirmed.length;
    }
    for (const fault of ["lost-answer", "lost-request", "late", "refused", "full"])
      expect(faults.get(`append.${fault}`)).toBeGreaterThan(100);
    expect(given).toBeGreaterThan(150 * 160 * 0.9);
  });

  it("gives up with an unknown outcome when the nodes may have removed what it would look for", async () => {
    const world = new World();
    world.broker.faults.set({ append: { "lost-request": 1 } });
    const error = await world.failure(world.client.send("cart/1", add(1), { timeout: 60_000 }));
    expect(error).toMatchObject({ _tag: "SendUnknownError", retry: "transient" });
    expect(error.message).toContain("a key");
    expect(world.time.elapsed()).toBeGreaterThan(20_000);
    expect(world.time.elapsed()).toBeLessThan(30_000);
  });

  it.each([
    ["refused", "LogUnavailableError", "Nothing of it was stored"],
    ["lost-request", "SendUnknownError", "has not answered"],
    ["full", "StorageFullError", "INGRESS is full"],
  ] as const)("says at the timeout what is known when appends end with %s", async (fault, tag, text) => {
    const world = new World();
    world.broker.faults.set({ append: { [fault]: 1 } }, { fullMs: [60_000, 60_000] });
    const sends = [1, 2].map((n) => world.client.send("cart/1", add(n), { timeout: 700 }).catch((error) => error));
    const [first, second] = await world.run(Promise.all(sends));
    expect(first).toMatchObject({ _tag: tag, message: expect.stringContaining(text), details: { actor: "cart/1" } });
    // Of the second nothing has left the client.
    expect(second._tag).toBe(fault === "full" ? "StorageFullError" : "LogUnavailableError");
    expect(second.message).toContain("Nothing of it was stored");
  });

  it("withdraws a queued send when its signal is aborted, and leaves one under way to the log", async () => {
    const world = new World();
    const [first, second, before] = [new AbortController(), new AbortController(), AbortSignal.abort("early")];
    const sends = [
      world.client.send("cart/1", add(1), { signal: first.signal }),
      world.client.send("cart/1", add(2), { signal: second.signal }),
      world.client.send("cart/1", add(3)),
      world.client.send("cart/1", add(4), { signal: before }),
    ].map((send) => send.catch((reason) => reason));
    first.abort("one");
    second.abort("two");
    const results = await world.run(Promise.all(sends));
    expect(results).toEqual(["one", "two", expect.objectContaining({ duplicate: false }), "early"]);
    expect(world.stored("cart/1")).toEqual([1, 3]);
  });

  it("lets sends beyond the bounds wait for their turn, in order, with their timeout from then on", async () => {
    const world = new World({ client: { maxQueued: 10, sendTimeout: 1000 } });
    const sizes = appendsOf(world);
    world.broker.faults.set({ append: { delay: 1 } }, { delayMs: [400, 400] });
    await world.run(Promise.all(numbers(100).map((n) => world.client.send("cart/1", add(n)))));
    expect(world.stored("cart/1")).toEqual(numbers(100));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(10);
    expect(world.time.elapsed()).toBeGreaterThan(4000);
  });

  it("does not hold withdrawn messages in memory while the log is away", async () => {
    const world = new World({ client: { sendTimeout: 100 } });
    world.broker.faults.set({ append: { refused: 1 } });
    for (let round = 0; round < 5; round++) {
      await world.run(Promise.allSettled(numbers(3000).map((n) => world.client.send("cart/1", add(n)))));
    }
    world.broker.faults.heal();
    await world.run(world.client.send("cart/1", add(-1)));
    expect(world.stored("cart/1")).toEqual([-1]);
  });
});

describe("sending with a key", () => {
  it("stores the same key once and says that the second is a duplicate", async () => {
    const world = new World();
    const [first, second] = await world.run(
      Promise.all([
        world.client.send("cart/1", add(1), { key: "k" }),
        world.client.send("cart/1", add(2), { key: "k" }),
      ]),
    );
    expect(first?.duplicate).toBe(false);
    expect(second).toEqual({ ...first, duplicate: true });
    expect(world.stored("cart/1")).toEqual([1]);
    const other = await world.run(world.client.send("cart/2", add(3), { key: "k" }));
    expect(other.duplicate).toBe(false);
  });

  it("recognises its own message after a lost answer", async () => {
    const world = new World();
    world.broker.faults.next("append", () => true, "lost-answer");
    const receipt = await world.run(world.client.send("cart/1", add(1), { key: "k" }));
    expect(receipt.duplicate).toBe(false);
    expect(world.stored("cart/1")).toEqual([1]);
  });

  it("is a duplicate when the key was applied so long ago that the first message is gone", async () => {
    const world = new World();
    const to = { type: "cart", id: "1" };
    const keyRecord: KeyRecord = {
      format: recordFormat,
      message: "long-ago",
      source: { stream: "ingress", seq: 5 },
      answer: { message: "long-ago", outcome: "applied", revision: 1, status: "active" },
    };
    await world.write([
      { subject: world.subjects.key(partitionOf(to, partitions), to, "k"), data: encodeRecord(keyRecord) },
    ]);
    world.broker.faults.next("last", () => true, "unavailable");
    const receipt = await world.run(world.client.send("cart/1", add(1), { key: "k" }));
    expect(receipt).toMatchObject({ message: "long-ago", duplicate: true });
  });

  it("settles the others of a batch in which one key was used before", async () => {
    const world = new World();
    await world.run(world.client.send("cart/1", add(0), { key: "k" }));
    const receipts = await world.run(
      Promise.all([
        world.client.send("cart/1", add(1)),
        world.client.send("cart/1", add(2)),
        world.client.send("cart/1", add(3), { key: "k" }),
        world.client.send("cart/1", add(4)),
      ]),
    );
    expect(receipts.map(({ duplicate }) => duplicate)).toEqual([false, false, true, false]);
    expect(world.stored("cart/1")).toEqual([0, 1, 2, 4]);
  });

  it("gives every key a subject token of its own that is never a generated id", async () => {
    const long = ["a".repeat(256), "a".repeat(255), "ä".repeat(128), "😀".repeat(64)];
    const tokens = ["a", "m0", "k-a", "h-a", ...long].map(tokenOfKey);
    expect(new Set(tokens).size).toBe(tokens.length);
    expect(tokens.every((token) => /^[kh]-/.test(token) && Buffer.byteLength(token) <= 256)).toBe(true);
    const world = new World();
    for (const key of long) await world.run(world.client.send("cart/1", add(1), { key }));
    expect(world.broker.records("ingress")).toHaveLength(4);
  });
});

describe("closing", () => {
  it("waits for sends under way and refuses later ones", async () => {
    const world = new World();
    const sends = numbers(100).map((n) => world.client.send("cart/1", add(n)));
    const closed = world.client.close();
    const late = world.failure(world.client.send("cart/1", add(100)));
    expect(await late).toMatchObject({ _tag: "SystemStoppedError" });
    await world.run(Promise.all([closed, ...sends]));
    expect(world.stored("cart/1")).toEqual(numbers(100));
  });

  it("rejects what is pending at its timeout, saying what is known of it", async () => {
    let isReleased = false;
    const world = new World({
      client: {
        onClose: async () => {
          isReleased = true;
        },
      },
    });
    world.broker.faults.set({ append: { "lost-request": 1 } });
    const sends = [1, 2].map((n) => world.client.send("cart/1", add(n)).catch((error) => error));
    const ask = world.client.ask("cart/2", add(1)).catch((error) => error);
    const wait = world.client.waitFor("cart/1", "done").catch((error) => error);
    const watch = (async () => {
      for await (const _ of world.client.watch("cart/1")) expect.unreachable();
    })().catch((error) => error);
    await world.run(world.client.close({ timeout: "2 seconds" }));
    const errors = await world.run(Promise.all([...sends, ask, wait, watch]));
    expect(errors.map((error) => error._tag)).toEqual(Array(5).fill("SystemStoppedError"));
    expect(errors[0].message).toContain("not known");
    expect(errors[1].message).toContain("Nothing of it was stored");
    expect(isReleased).toBe(true);
    expect(world.time.elapsed()).toBeGreaterThanOrEqual(2000);
    await world.client.close();
  });
});

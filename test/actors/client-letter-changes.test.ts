/** What operators do with dead letters besides redriving them as they are: editing, other actors, releasing, limits of speed and number. */
import { describe, expect, it } from "vitest";
import { assign, setup } from "xstate";
import { z } from "zod";
import { defineActor } from "../../actors/define-actor.ts";
import { partitionOf } from "../../runtime/core/address.ts";
import { decodeEnvelope, type Envelope, encodeEnvelope } from "../../runtime/core/envelope.ts";
import { decodeRecord, type LetterRecord } from "../../runtime/core/records.ts";
import { partitions, World } from "./client-world.ts";

const cart = { type: "cart", id: "1" };
const other = { type: "cart", id: "2" };
const event = (more: Partial<Envelope> = {}): Envelope => ({
  format: 1,
  kind: "event",
  id: "m1",
  event: { type: "ADD", n: 1 },
  sentAt: 7,
  ...more,
});

function mails(world: World) {
  return world.broker
    .journal("core", `${world.subjects.root}.core.*.mail.>`)
    .map(({ subject, data }) => ({ to: world.subjects.parseMailbox("core", subject)?.to, ...decodeEnvelope(data) }));
}

async function recordOf(world: World, letter: string, of = cart): Promise<LetterRecord> {
  const subject = world.subjects.dead(partitionOf(of, partitions), of, letter);
  const found = await world.run(world.log.last("core", subject));
  return decodeRecord<LetterRecord>("a letter", found?.data as Uint8Array);
}

const checked = defineActor("cart", {
  machine: setup({
    types: { context: {} as { n: number }, events: {} as { type: "ADD"; n: number } },
  }).createMachine({
    id: "cart",
    context: { n: 0 },
    on: { ADD: { actions: assign({ n: ({ context, event }) => context.n + event.n }) } },
  }),
  events: { ADD: z.object({ n: z.number().positive() }) },
});

describe("editing a dead letter", () => {
  it("replaces what the message carries, keeps what it carried first, and says who did it", async () => {
    const world = new World();
    const { deadLetters } = world.client;
    await world.writeLetter(cart, "i1", { envelope: event({ key: "k" }) });
    expect(await world.run(deadLetters.edit("i1", { n: 2 }, { check: false, note: "typo" }))).toEqual({
      letter: "i1",
      edited: true,
    });
    await world.run(deadLetters.edit("i1", { type: "ADD", n: 3, at: new Date(0) }, { check: false }));
    expect(await world.run(deadLetters.get("i1"))).toMatchObject({
      status: "dead",
      message: "m1",
      key: "k",
      isEdited: true,
      payload: { type: "ADD", n: 3, at: new Date(0) },
      originalPayload: { type: "ADD", n: 1 },
      history: [{ what: "edited", by: "client", note: "typo" }, { what: "edited" }],
    });
    await world.run(deadLetters.redrive("i1"));
    expect(mails(world)).toMatchObject([{ id: "m1", key: "k", event: { type: "ADD", n: 3 } }]);
  });

  it("does nothing when it is repeated", async () => {
    const world = new World();
    const { deadLetters } = world.client;
    await world.writeLetter(cart, "i1");
    await world.run(deadLetters.edit("i1", { n: 2 }, { check: false }));
    expect(await world.run(deadLetters.edit("i1", { n: 2 }, { check: false }))).toMatchObject({ edited: false });
    expect((await recordOf(world, "i1")).history).toHaveLength(1);
  });

  it("is checked by the definition that the client has", async () => {
    const world = new World();
    const { deadLetters } = world.connect({ actors: [checked] });
    await world.writeLetter(cart, "i1", { reason: "schema" });
    const error = await world.failure(deadLetters.edit("i1", { n: -1 }));
    expect(error).toMatchObject({
      _tag: "InvalidEventError",
      message: expect.stringContaining("cart/1 does not take it"),
    });
    expect(await world.run(deadLetters.edit("i1", { n: 4 }))).toMatchObject({ edited: true });
  });

  it("replaces the input of a create", async () => {
    const world = new World();
    const { event: _, ...create } = event({ kind: "create", input: { limit: 1 } });
    await world.writeLetter(cart, "i1", { envelope: create });
    await world.run(world.client.deadLetters.edit("i1", { limit: 2 }, { check: false }));
    await world.run(world.client.deadLetters.redrive("i1"));
    expect(mails(world)).toMatchObject([{ kind: "create", input: { limit: 2 } }]);
  });

  it("puts what is large into a record of its own, and what was there beside it", async () => {
    const world = new World();
    const { deadLetters } = world.client;
    await world.writeLetter(cart, "i1");
    const text = "x".repeat(70_000);
    await world.run(deadLetters.edit("i1", { text }, { check: false }));
    expect(await recordOf(world, "i1")).toMatchObject({ body: true, original: { event: { n: 1 } } });
    expect(await world.run(deadLetters.get("i1"))).toMatchObject({ payload: { type: "ADD", text } });
    await world.run(deadLetters.edit("i1", { n: 5 }, { check: false }));
    expect(await world.run(deadLetters.get("i1"))).toMatchObject({ payload: { n: 5 }, originalPayload: { n: 1 } });
  });

  it("is refused for another event, for what is no event, for closed letters and for messages of the runtime's own", async () => {
    const world = new World();
    const { deadLetters } = world.client;
    const core = { stream: "core", seq: 3, subject: "s" } as const;
    await world.writeLetter(cart, "i1");
    await world.writeLetter(cart, "i2", { status: "dropped" });
    await world.writeLetter(cart, "i3", { envelope: undefined as never, raw: "ew==" });
    await world.writeLetter(cart, "c4", { envelope: event({ internal: {} }), source: core });
    const refused = [
      ["i1", { type: "REMOVE" }],
      ["i1", 5],
      ["i2", { n: 2 }],
      ["i3", { n: 2 }],
      ["c4", { n: 2 }],
    ] as const;
    const tags = [];
    for (const [letter, payload] of refused) tags.push((await world.failure(deadLetters.edit(letter, payload)))._tag);
    expect(tags).toEqual([
      "InvalidEventError",
      "InvalidEventError",
      "LetterNotFoundError",
      "CorruptRecordError",
      "InvalidEventError",
    ]);
    expect(await recordOf(world, "i1")).not.toHaveProperty("history");
  });

  it("loses to whoever redrives the letter meanwhile, and then changes nothing", async () => {
    const world = new World();
    const rival = world.connect();
    await world.writeLetter(cart, "i1");
    const [edit] = await world.run(
      Promise.allSettled([
        world.client.deadLetters.edit("i1", { n: 2 }, { check: false }),
        rival.deadLetters.redrive("i1"),
      ]),
    );
    const { status } = await recordOf(world, "i1");
    const carried = mails(world).map((mail) => mail.event?.n);
    // Whichever was first: what is in the mailbox is what the letter says, or the redrive has lost.
    if (edit?.status === "fulfilled") expect([status, carried]).toEqual(["dead", []]);
    else expect([status, carried]).toEqual(["redriven", [1]]);
  });
});

describe("redriving to another actor", () => {
  it("puts the message into that actor's mailbox and closes the letter, in one append", async () => {
    const world = new World();
    const { deadLetters } = world.client;
    await world.writeLetter(cart, "i1", { envelope: event({ key: "k" }) });
    expect(await world.run(deadLetters.redrive("i1", { to: other, note: "moved" }))).toEqual({
      letter: "i1",
      to: "cart/2",
      redriven: true,
      redrives: 1,
    });
    const home = world.subjects.dead(partitionOf(cart, partitions), cart, "i1");
    expect(mails(world)).toMatchObject([{ to: other, id: "m1", key: "k", redrive: { letter: "i1", home } }]);
    expect(await recordOf(world, "i1")).toMatchObject({
      status: "redriven",
      history: [{ what: "redriven", to: "cart/2", note: "moved" }],
    });
    expect(await world.run(deadLetters.redrive("i1", { to: other }))).toMatchObject({ to: "cart/2", redriven: false });
  });

  it("is the same letter when it dies there: found, listed and redriven once", async () => {
    const world = new World();
    const { deadLetters } = world.client;
    await world.writeLetter(cart, "i1");
    await world.run(deadLetters.redrive("i1", { to: other }));
    await world.writeLetter(other, "i1", { redrives: 1 });
    expect(await world.run(deadLetters.get("i1"))).toMatchObject({ to: other, status: "dead" });
    for (const status of ["dead", "any"]) {
      expect(await world.run(deadLetters.list(`status:${status}`))).toMatchObject([{ letter: "i1", to: other }]);
    }
    await world.run(deadLetters.redrive("i1", { to: cart }));
    await world.writeLetter(cart, "i1", { redrives: 2 });
    expect(await world.run(deadLetters.get("i1"))).toMatchObject({ to: cart, redrives: 2 });
    expect(mails(world).map(({ to }) => to?.id)).toEqual(["2", "1"]);
  });

  it("is refused for what means something to its own actor only", async () => {
    const world = new World();
    const core = { stream: "core", seq: 3, subject: "s" } as const;
    await world.writeLetter(cart, "c1", { envelope: event({ internal: {} }), source: core });
    const error = await world.failure(world.client.deadLetters.redrive("c1", { to: other }));
    expect(error).toMatchObject({
      _tag: "InvalidEventError",
      message: expect.stringContaining("means something to cart/1"),
    });
    expect(await world.run(world.client.deadLetters.redrive("c1"))).toMatchObject({ redriven: true });
    expect(mails(world)).toMatchObject([{ internal: {} }]);
  });

  it("is refused when no node runs the type", async () => {
    const world = new World({ client: { allowUnknownTypes: false } });
    await world.register("cart");
    await world.writeLetter(cart, "i1");
    const error = await world.failure(world.client.deadLetters.redrive("i1", { to: "car/2" }));
    expect(error).toMatchObject({ _tag: "UnknownActorTypeError", message: expect.stringContaining('"cart"') });
    expect(mails(world)).toEqual([]);
  });
});

describe("a letter that parks its actor", () => {
  it("lets it go on when it is dropped or goes to another actor, in the same append", async () => {
    const world = new World();
    const { deadLetters } = world.client;
    await world.writeLetter(cart, "i1", { parks: true });
    await world.writeLetter(cart, "i2", { parks: true });
    await world.writeLetter(cart, "i3", { parks: true });
    await world.run(deadLetters.drop("i1"));
    await world.run(deadLetters.redrive("i2", { to: other }));
    await world.run(deadLetters.redrive("i3"));
    expect(mails(world).map(({ to, kind, letter, redrive }) => [to?.id, kind, letter ?? redrive?.letter])).toEqual([
      ["1", "release", "i1"],
      ["2", "event", "i2"],
      ["1", "release", "i2"],
      ["1", "event", "i3"],
    ]);
  });

  it("lets it go on in the same append in which it says no longer that it parks, once however often it is tried", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = new World({ seed });
      await world.writeLetter(cart, "i1", { parks: true });
      await world.writeLetter(cart, "i2");
      await world.writeLetter(cart, "i3", { parks: true, status: "redriven", redrives: 1 });
      await world.writeLetter(other, "i4", { parks: true });
      world.broker.faults.set({ append: { "lost-answer": 0.4, late: 0.2 } });
      const timeout = "10 minutes";
      const results = await world.run(
        Promise.all([
          world.client.deadLetters.release(cart, { timeout }),
          world.connect({ sender: "second" }).deadLetters.release(cart, { timeout }),
        ]),
      );
      world.broker.faults.set({});
      expect(results.filter(({ released }) => released).length).toBeGreaterThan(0);
      expect(mails(world).map(({ to, kind, letter }) => [to?.id, kind, letter])).toEqual([["1", "release", "i1"]]);
      const letters = await world.run(world.client.deadLetters.list({ status: "any" }));
      expect(letters.map(({ letter, parks }) => [letter, parks]).sort()).toEqual([
        ["i1", false],
        ["i2", false],
        ["i3", true],
        ["i4", true],
      ]);
      expect((await world.run(world.client.deadLetters.get("i1"))).history.map(({ what }) => what)).toEqual([
        "released",
      ]);
    }
  });

  it("is left to whoever redrives it while its actor is released", async () => {
    const world = new World();
    await world.writeLetter(cart, "i1", { parks: true });
    const second = world.connect();
    const [released] = await world.run(
      Promise.all([world.client.deadLetters.release(cart), second.deadLetters.redrive("i1")]),
    );
    const { status, history } = await world.run(world.client.deadLetters.get("i1"));
    expect([released.released, status, history.map(({ what }) => what)]).toEqual(
      released.released ? [true, "redriven", ["released", "redriven"]] : [false, "redriven", ["redriven"]],
    );
  });

  it("need not be there to let its actor go on", async () => {
    const world = new World({ seed: 3 });
    world.broker.faults.set({ append: { "lost-answer": 0.5 } });
    for (let n = 0; n < 5; n++) await world.run(world.client.deadLetters.release(cart, { letter: "i1" }));
    expect(mails(world).map(({ to, kind, letter }) => [to?.id, kind, letter])).toEqual(
      Array.from({ length: 5 }, () => ["1", "release", "i1"]),
    );
  });
});

describe("many letters", () => {
  async function worldWith(count: number): Promise<World> {
    const world = new World();
    for (let n = 1; n <= count; n++) {
      await world.writeLetter({ type: "cart", id: `${n % 3}` }, `i${n}`, {
        envelope: event({ id: `m${n}` }),
        source: { stream: "ingress", seq: n, subject: "s" },
        at: n,
      });
    }
    return world;
  }

  it("are redriven at the rate that is given", async () => {
    const world = await worldWith(40);
    const began = world.time.elapsed();
    const done = await world.run(world.client.deadLetters.redriveAll("", { rate: 10 }));
    expect(done).toMatchObject({ redriven: 40, rest: 0 });
    expect(world.time.elapsed() - began).toBeGreaterThanOrEqual(3500);
    expect(world.time.elapsed() - began).toBeLessThan(5000);
  });

  it("are left as they are in a dry run", async () => {
    const world = await worldWith(5);
    const { deadLetters } = world.client;
    const before = world.broker.journal("core").length;
    expect(await world.run(deadLetters.redriveAll("", { dryRun: true }))).toMatchObject({ total: 5, redriven: 5 });
    expect(await world.run(deadLetters.dropAll("", { dryRun: true }))).toMatchObject({ total: 5, dropped: 5 });
    expect(world.broker.journal("core")).toHaveLength(before);
  });

  it("are taken in the order of their deaths up to a limit, and the rest by the next call", async () => {
    const world = await worldWith(10);
    const { deadLetters } = world.client;
    expect(await world.run(deadLetters.redriveAll("", { limit: 4 }))).toMatchObject({ total: 4, redriven: 4 });
    expect(
      mails(world)
        .map(({ id }) => id)
        .sort(),
    ).toEqual(["m1", "m2", "m3", "m4"]);
    expect(await world.run(deadLetters.dropAll("", { limit: 4, note: "enough" }))).toMatchObject({ dropped: 4 });
    const left = await world.run(deadLetters.list());
    expect(left.map(({ letter }) => letter)).toEqual(["i9", "i10"]);
  });

  it("that went round too often are refused, and stay", async () => {
    const world = await worldWith(2);
    await world.writeLetter(cart, "i90", { redrives: 10 });
    const { deadLetters } = world.client;
    expect(await world.run(deadLetters.redriveAll())).toMatchObject({
      redriven: 2,
      refused: [{ letter: "i90", why: expect.stringContaining("10 times") }],
    });
    expect(await world.run(deadLetters.redriveAll("", { maxRedrives: 11 }))).toMatchObject({ redriven: 1 });
  });

  it("keep their place in their actor's order when they were redriven and died again", async () => {
    const world = await worldWith(6);
    const { deadLetters } = world.client;
    await world.run(deadLetters.redriveAll("letter:i1"));
    await world.writeLetter({ type: "cart", id: "1" }, "i1", {
      envelope: event({ id: "m1" }),
      redrives: 1,
      source: { stream: "core", seq: 99, subject: "s" },
      at: 5000,
      firstAt: 1,
    });
    await world.run(deadLetters.redriveAll("id:1"));
    expect(mails(world).map(({ id }) => id)).toEqual(["m1", "m1", "m4"]);
  });

  it("keep their order when one of them is edited before its turn has come", async () => {
    const world = new World();
    for (let n = 1; n <= 5; n++) {
      const source = { stream: "ingress", seq: n, subject: "s" } as const;
      await world.writeLetter(cart, `i${n}`, { envelope: event({ id: `m${n}` }), source, at: n });
    }
    const rival = world.connect();
    // One letter in each quarter of a second.
    const all = world.client.deadLetters.redriveAll("", { rate: 4 });
    await world.time.advance(100);
    expect(mails(world)).toHaveLength(1);
    await world.run(rival.deadLetters.edit("i3", { n: 2 }, { check: false }));
    expect(await world.run(all)).toMatchObject({ redriven: 5, skipped: 0 });
    expect(mails(world).map((mail) => [mail.id, mail.event?.n])).toEqual([
      ["m1", 1],
      ["m2", 1],
      ["m3", 2],
      ["m4", 1],
      ["m5", 1],
    ]);
  });

  it("are not touched any more once the signal is aborted", async () => {
    const world = await worldWith(40);
    const controller = new AbortController();
    const call = world.client.deadLetters.redriveAll("", {
      rate: 4,
      signal: controller.signal,
      onProgress: ({ redriven }) => {
        if (redriven >= 8) controller.abort(new Error("enough"));
      },
    });
    expect((await world.failure(call)).message).toBe("enough");
    const stored = mails(world).length;
    await world.time.advance(20_000);
    expect(mails(world)).toHaveLength(stored);
    expect(await world.run(world.client.deadLetters.redriveAll())).toMatchObject({ redriven: 40 - stored });
    expect(new Set(mails(world).map(({ id }) => id)).size).toBe(40);
  });

  it("are grouped by what they died of", async () => {
    const world = await worldWith(3);
    const error = { name: "CardError", message: "declined" };
    await world.writeLetter(cart, "i50", {
      attempts: [{ at: 1, node: "n", error }],
      state: { revision: 1, value: "paying" },
      at: 70,
      firstAt: 0,
      parks: true,
    });
    const groups = await world.run(world.client.deadLetters.groups("type:cart"));
    expect(groups).toMatchObject([
      { count: 3, types: { cart: 3 }, events: { ADD: 3 }, states: {}, letter: "i3", firstAt: 1, lastAt: 3, parks: 0 },
      { count: 1, states: { '"paying"': 1 }, letter: "i50", firstAt: 0, lastAt: 70, parks: 1 },
    ]);
    const [first] = groups;
    expect(await world.run(world.client.deadLetters.list({ fingerprint: first?.fingerprint as string }))).toHaveLength(
      3,
    );
  });
});

describe("the message of a large letter", () => {
  it("is redriven out of its own record", async () => {
    const world = new World();
    await world.writeLetter(cart, "i1", { envelope: undefined as never, body: true });
    const subject = world.subjects.body(partitionOf(cart, partitions), cart, "i1");
    await world.write([{ subject, data: encodeEnvelope(event()) }]);
    expect(await world.run(world.client.deadLetters.redriveAll())).toMatchObject({ redriven: 1 });
    expect(mails(world)).toMatchObject([{ id: "m1" }]);
  });
});

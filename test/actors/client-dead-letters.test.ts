import { describe, expect, it } from "vitest";
import type { RedriveProgress } from "../../actors/dead-letters.ts";
import { partitionOf } from "../../runtime/core/address.ts";
import { decodeEnvelope, type Envelope, encodeEnvelope } from "../../runtime/core/envelope.ts";
import { partitions, World } from "./client-world.ts";

const cart = { type: "cart", id: "1" };
const envelope: Envelope = { format: 1, kind: "event", id: "m1", event: { type: "ADD", n: 1 }, sentAt: 7 };

function mails(world: World): Array<{ readonly subject: string; readonly envelope: Envelope }> {
  return world.broker
    .journal("core", `${world.subjects.root}.core.*.mail.>`)
    .map(({ subject, data }) => ({ subject, envelope: decodeEnvelope(data) }));
}

describe("listing dead letters", () => {
  it("shows the open ones, oldest first, by type, actor and reason", async () => {
    const world = new World();
    await world.writeLetter(cart, "i1");
    await world.writeLetter({ type: "cart", id: "2" }, "i2", { reason: "schema" });
    await world.writeLetter({ type: "order", id: "1" }, "i3", {
      envelope: undefined as never,
      raw: "ew==",
      reason: "malformed",
    });
    await world.writeLetter(cart, "i4", { status: "redriven" });
    const { deadLetters } = world.client;
    const ids = async (...call: Parameters<typeof deadLetters.list>) =>
      (await world.run(deadLetters.list(...call))).map(({ letter }) => letter);
    expect(await ids({})).toEqual(["i1", "i2", "i3"]);
    expect(await ids({ type: "cart" })).toEqual(["i1", "i2"]);
    expect(await ids({ type: "cart", id: "2" })).toEqual(["i2"]);
    expect(await ids({ reason: "malformed" })).toEqual(["i3"]);
    expect(await ids({}, { limit: 1 })).toEqual(["i1"]);
    expect(await ids({}, { includeClosed: true })).toEqual(["i1", "i2", "i3", "i4"]);
    expect(await ids("", { order: "newest" })).toEqual(["i3", "i2", "i1"]);
    expect(await ids("type:cart", { order: "newest", includeClosed: true, limit: 2 })).toEqual(["i4", "i2"]);
    expect(await ids("status:redriven")).toEqual(["i4"]);
    expect(await ids("letter:i2,i3 -reason:schema")).toEqual(["i3"]);
    expect(await world.run(deadLetters.list({ type: "cart", id: "1" }))).toEqual([
      {
        letter: "i1",
        to: cart,
        reason: "attempts",
        explanation: "All attempts failed.",
        fingerprint: expect.stringMatching(/^[0-9a-f]{12}$/),
        event: "ADD",
        message: "message-i1",
        attemptCount: 3,
        at: 1,
        firstAt: 1,
        redrives: 0,
        status: "dead",
        note: undefined,
        parks: false,
        isEdited: false,
      },
    ]);
    const error = await world.failure(deadLetters.list({ reason: "shema", stat: "x" } as never));
    expect(error).toMatchObject({
      _tag: "InvalidOptionsError",
      message: expect.stringMatching(
        /"stat" is no field.*did you mean "state".*reason is "shema": did you mean "schema"/,
      ),
    });
    const options = await world.failure(deadLetters.list({}, { limit: 0, order: "new" as never }));
    expect(options.message).toMatch(/limit is 0.*order is "new"/);
  });

  it("reads a whole letter, also where the message is in a record of its own or cannot be read", async () => {
    const world = new World();
    const { deadLetters } = world.client;
    const body = (letter: string) => world.subjects.body(partitionOf(cart, partitions), cart, letter);
    await world.writeLetter(cart, "i1", {
      envelope: {
        ...envelope,
        event: { type: "ADD", at: { "~": "date", v: "1970-01-01T00:00:00.000Z" } },
        key: "k",
        from: "forged/1",
      },
    });
    expect(await world.run(deadLetters.get("i1"))).toMatchObject({
      kind: "event",
      event: "ADD",
      payload: { type: "ADD", at: new Date(0) },
      key: "k",
      from: undefined,
      sentAt: 7,
      raw: undefined,
    });
    const none = { envelope: undefined as never };
    await world.writeLetter(cart, "i2", { ...none, body: true });
    await world.write([{ subject: body("i2"), data: encodeEnvelope(envelope) }]);
    expect(await world.run(deadLetters.get("i2"))).toMatchObject({
      payload: { type: "ADD", n: 1 },
      message: "m1",
      raw: undefined,
    });
    await world.writeLetter(cart, "i3", { ...none, raw: Buffer.from("{oops").toString("base64") });
    expect(await world.run(deadLetters.get("i3"))).toMatchObject({
      payload: undefined,
      raw: new Uint8Array(Buffer.from("{oops")),
    });
    expect(await world.failure(deadLetters.get("i9"))).toMatchObject({
      _tag: "LetterNotFoundError",
      details: { letter: "i9" },
    });
  });
});

describe("redriving a dead letter", () => {
  it("puts the message back with its id and key, and closes the letter, in one append", async () => {
    const world = new World();
    await world.writeLetter(cart, "i1", {
      envelope: { ...envelope, key: "k", from: "forged/1", reply: "sw.test.reply.a.b" },
    });
    const result = await world.run(world.client.deadLetters.redrive("i1"));
    expect(result).toEqual({ letter: "i1", to: "cart/1", redriven: true, redrives: 1 });
    expect(mails(world)).toEqual([
      {
        subject: world.subjects.mail(partitionOf(cart, partitions), cart, "i1-1"),
        envelope: { ...envelope, key: "k", redrive: { letter: "i1", attempts: 3, redrives: 1 } },
      },
    ]);
    expect(await world.run(world.client.deadLetters.list({}, { includeClosed: true }))).toMatchObject([
      { status: "redriven", redrives: 1 },
    ]);
  });

  it("keeps the sending actor of a message that came from one", async () => {
    const world = new World();
    const source = { stream: "core", seq: 3, subject: "s" } as const;
    await world.writeLetter(cart, "c3", { envelope: { ...envelope, from: "shop/1" }, source });
    await world.run(world.client.deadLetters.redrive("c3"));
    expect(mails(world)[0]?.envelope.from).toBe("shop/1");
  });

  it("happens once, however often and by however many it is asked for, under any faults", async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const world = new World({ seed, timeoutMs: 300, faultDurations: { lateMs: [0, 2000] } });
      await world.writeLetter(cart, "i1");
      const clients = [1, 2, 3].map(() => world.connect());
      world.broker.faults.set({
        append: { "lost-answer": 0.2, "lost-request": 0.2, late: 0.2, refused: 0.1 },
        last: { unavailable: 0.1 },
      });
      const results = await world.run(
        Promise.all(
          clients.map(async (client) => {
            for (;;) {
              try {
                return await client.deadLetters.redrive("i1");
              } catch (error) {
                if ((error as { _tag?: string })._tag !== "LogUnavailableError") throw error;
              }
            }
          }),
        ),
      );
      await world.time.advance(5000);
      expect(mails(world), `seed ${seed}`).toHaveLength(1);
      expect(results.every(({ redrives }) => redrives === 1)).toBe(true);
      expect(results.some(({ redriven }) => redriven)).toBe(true);
    }
  });

  it("redrives a letter again after its message died again", async () => {
    const world = new World();
    await world.writeLetter(cart, "i1");
    await world.run(world.client.deadLetters.redrive("i1"));
    expect(await world.run(world.client.deadLetters.redrive("i1"))).toMatchObject({ redriven: false, redrives: 1 });
    await world.writeLetter(cart, "i1", { redrives: 1, attemptCount: 6 });
    expect(await world.run(world.client.deadLetters.redrive("i1"))).toMatchObject({ redriven: true, redrives: 2 });
    expect(mails(world).map(({ envelope }) => envelope.redrive)).toEqual([
      { letter: "i1", attempts: 3, redrives: 1 },
      { letter: "i1", attempts: 6, redrives: 2 },
    ]);
  });

  it("refuses what no actor can ever take", async () => {
    const world = new World();
    const none = { envelope: undefined as never };
    const { deadLetters } = world.client;
    await world.writeLetter(cart, "i1", { ...none, raw: "ew==", reason: "malformed" });
    await world.writeLetter(cart, "i2", {
      envelope: { ...envelope, event: { type: "xstate.init" } },
      reason: "reserved",
    });
    await world.writeLetter({ type: "_", id: "3" }, "i3", { reason: "malformed" });
    const errors = [];
    for (const letter of ["i1", "i2", "i3"]) errors.push(await world.failure(deadLetters.redrive(letter)));
    expect(errors.map(({ _tag }) => _tag)).toEqual(["CorruptRecordError", "InvalidEventError", "CorruptRecordError"]);
    expect(errors.every(({ message }) => message.includes("Drop"))).toBe(true);
    expect(mails(world)).toHaveLength(0);
  });

  it("reads a message that an earlier version could not read", async () => {
    const world = new World();
    const none = { envelope: undefined as never };
    await world.writeLetter(cart, "i1", {
      ...none,
      raw: Buffer.from(encodeEnvelope(envelope)).toString("base64"),
      reason: "malformed",
    });
    expect(await world.run(world.client.deadLetters.redrive("i1"))).toMatchObject({ redriven: true });
    expect(mails(world)[0]?.envelope).toMatchObject(envelope);
  });
});

describe("redriving many dead letters", () => {
  it("takes each actor's in the order in which their messages came, many in one append", async () => {
    const world = new World();
    const actors = ["1", "2", "3"].map((id) => ({ type: "cart", id }));
    // Letters are stored in another order than their messages came in.
    for (let seq = 200; seq >= 1; seq--) {
      const actor = actors[seq % 3] as (typeof actors)[number];
      await world.writeLetter(actor, `i${seq}`, {
        envelope: { ...envelope, id: `m${seq}` },
        source: { stream: "ingress", seq, subject: "s" },
      });
    }
    await world.writeLetter({ type: "order", id: "1" }, "i900");
    const progress: RedriveProgress[] = [];
    const before = world.broker.journal("core").length;
    const done = await world.run(
      world.client.deadLetters.redriveAll({ type: "cart" }, { onProgress: (each) => progress.push(each) }),
    );
    expect(done).toMatchObject({ total: 200, redriven: 200, skipped: 0, refused: [], rest: 0 });
    expect(progress.at(-1)).toMatchObject({ redriven: 200, rest: 0 });
    expect(progress).toHaveLength(3);
    expect(world.broker.journal("core").length - before).toBe(400);
    for (const actor of actors) {
      const ids = mails(world)
        .filter(({ subject }) => world.subjects.parseMailbox("core", subject)?.to.id === actor.id)
        .map((mail) => Number(mail.envelope.id.slice(1)));
      expect(ids).toEqual([...ids].sort((a, b) => a - b));
    }
    expect(await world.run(world.client.deadLetters.redriveAll({ type: "cart" }))).toMatchObject({
      total: 0,
      redriven: 0,
    });
  });

  it("puts the letters of both streams together by the time at which they died", async () => {
    const world = new World();
    const letters = [
      ["ingress", 9, 40],
      ["core", 2, 10],
      ["ingress", 3, 20],
      ["core", 7, 30],
    ] as const;
    for (const [stream, seq, at] of letters) {
      await world.writeLetter(cart, `${stream[0]}${seq}`, { source: { stream, seq, subject: "s" }, at });
    }
    await world.run(world.client.deadLetters.redriveAll());
    expect(mails(world).map(({ envelope: { redrive } }) => redrive?.letter)).toEqual(["c2", "i3", "c7", "i9"]);
  });

  it("leaves what cannot be redriven, and what others have closed meanwhile", async () => {
    const world = new World();
    for (let n = 1; n <= 30; n++) await world.writeLetter({ type: "cart", id: `${n}` }, `i${n}`);
    await world.writeLetter(cart, "i99", { envelope: undefined as never, raw: "ew==", reason: "malformed" });
    const other = world.connect();
    const [all] = await world.run(
      Promise.all([
        world.client.deadLetters.redriveAll(),
        ...[3, 4, 5].map((n) => other.deadLetters.redrive(`i${n}`)),
        other.deadLetters.drop("i7").catch(() => {}),
      ]),
    );
    expect(all.total).toBe(31);
    expect(all.redriven + all.skipped).toBe(30);
    expect(all.refused).toEqual([{ letter: "i99", why: expect.stringContaining("not a message") }]);
    const redriven = mails(world).map(({ envelope: { redrive } }) => redrive?.letter);
    expect(new Set(redriven).size).toBe(redriven.length);
    const open = await world.run(world.client.deadLetters.list());
    expect(open.map(({ letter }) => letter)).toEqual(["i99"]);
  });
});

describe("dropping a dead letter", () => {
  it("closes it with a note, once", async () => {
    const world = new World();
    const { deadLetters } = world.client;
    await world.writeLetter(cart, "i1");
    await world.writeLetter(cart, "i2", { status: "redriven", redrives: 1 });
    expect(await world.run(deadLetters.drop("i1", { note: "a test" }))).toEqual({ letter: "i1", dropped: true });
    expect(await world.run(deadLetters.drop("i1"))).toEqual({ letter: "i1", dropped: false });
    expect(await world.run(deadLetters.get("i1"))).toMatchObject({ status: "dropped", note: "a test" });
    expect(await world.failure(deadLetters.redrive("i1"))).toMatchObject({ _tag: "LetterNotFoundError" });
    expect(await world.failure(deadLetters.drop("i2"))).toMatchObject({ _tag: "LetterNotFoundError" });
    expect(mails(world)).toHaveLength(0);
  });
});

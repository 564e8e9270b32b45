import { describe, expect, it } from "vitest";
import type { ExportedLetter } from "../../actors/dead-letters.ts";
import { partitionOf } from "../../runtime/core/address.ts";
import { decodeEnvelope, encodeEnvelope } from "../../runtime/core/envelope.ts";
import { partitions, space, World } from "./client-world.ts";

const cart = { type: "cart", id: "1" };
const message = { format: 1, kind: "event", id: "m1", event: { type: "ADD", n: 1 }, sentAt: 7 } as const;
const elsewhere = { ...space, partitions: 3, identity: { core: "other", ingress: "i" } };

async function exported(world: World, filter = ""): Promise<string[]> {
  const lines: string[] = [];
  const read = async () => {
    for await (const letter of world.client.deadLetters.export(filter)) lines.push(JSON.stringify(letter));
  };
  await world.run(read());
  return lines;
}

async function filled(): Promise<World> {
  const world = new World();
  await world.writeLetter(cart, "i1", { parks: true });
  await world.writeLetter({ type: "cart", id: "2" }, "i2", { envelope: undefined as never, body: true });
  const subject = world.subjects.body(
    partitionOf({ type: "cart", id: "2" }, partitions),
    { type: "cart", id: "2" },
    "i2",
  );
  await world.write([{ subject, data: encodeEnvelope(message) }]);
  await world.writeLetter({ type: "order", id: "1" }, "c3", { status: "dropped" });
  await world.writeLetter({ type: "_", id: "5" }, "i4", { envelope: undefined as never, raw: "ew==" });
  return world;
}

describe("exported letters", () => {
  it("hold what is stored of them, their messages, and where they come from", async () => {
    const world = await filled();
    const letters = (await exported(world, "type:cart")).map((line) => JSON.parse(line) as ExportedLetter);
    expect(letters).toMatchObject([
      { format: 1, space: "test", identity: space.identity, record: { letter: "i1", envelope: { id: "message-i1" } } },
      { record: { letter: "i2", body: true }, body: expect.any(String) },
    ]);
    expect(decodeEnvelope(Buffer.from(letters[1]?.body as string, "base64"))).toEqual(message);
  });

  it("come back as they were where they are missing, and add nothing where they are", async () => {
    const world = await filled();
    const { deadLetters } = world.client;
    const lines = await exported(world, "status:any");
    expect(lines).toHaveLength(4);
    expect(await world.run(deadLetters.import(lines))).toEqual({ added: 0, skipped: 4, refused: [] });
    await world.run(world.log.purge("core", world.subjects.deadLetters()));
    await world.run(world.log.purge("core", `${world.subjects.root}.core.*.body.>`));
    expect(await world.run(deadLetters.import(lines))).toEqual({ added: 4, skipped: 0, refused: [] });
    const back = (await exported(world, "status:any")).map((line) => JSON.parse(line) as ExportedLetter);
    expect(back.map(({ record: { history, ...record }, ...rest }) => ({ ...rest, record }))).toEqual(
      lines.map((line) => JSON.parse(line)),
    );
    expect(back.every(({ record }) => record.history?.at(-1)?.what === "imported")).toBe(true);
    expect(await world.run(deadLetters.redrive("i2"))).toMatchObject({ redriven: true });
  });

  it("are letters of their own in another space, once, and have their own names again when they come home", async () => {
    const home = await filled();
    const away = new World({ client: { space: elsewhere, spaceName: "away" } });
    const lines = await exported(home, "type:cart");
    expect(await away.run(away.client.deadLetters.import(lines))).toMatchObject({ added: 2 });
    expect(await away.run(away.client.deadLetters.import(lines))).toMatchObject({ added: 0, skipped: 2 });
    const there = await away.run(away.client.deadLetters.list());
    expect(there.map(({ letter }) => letter)).toEqual([
      expect.stringMatching(/^x[0-9a-f]{8}-i1$/),
      expect.stringMatching(/^x[0-9a-f]{8}-i2$/),
    ]);
    // Nothing waits for it there.
    expect(there[0]?.parks).toBe(false);
    expect(await away.run(away.client.deadLetters.get(there[1]?.letter as string))).toMatchObject({ message: "m1" });
    const returning = await exported(away);
    expect(await home.run(home.client.deadLetters.import(returning))).toMatchObject({ added: 0, skipped: 2 });
  });

  it("are stored once under any faults", async () => {
    const lines = await exported(await filled(), "status:any");
    for (let seed = 1; seed <= 30; seed++) {
      const world = new World({ seed, timeoutMs: 300, faultDurations: { lateMs: [0, 2000] } });
      world.broker.faults.set({ append: { "lost-answer": 0.3, "lost-request": 0.2, late: 0.2, refused: 0.1 } });
      const rival = world.connect();
      const reports = await world.run(
        Promise.all([world.client, rival].map((client) => client.deadLetters.import(lines))),
      );
      await world.time.advance(5000);
      expect(reports.every(({ added, skipped }) => added + skipped === 4)).toBe(true);
      expect(world.broker.journal("core", world.subjects.deadLetters()), `seed ${seed}`).toHaveLength(4);
    }
  });

  it("are refused by their line when they cannot be read, and the others are stored", async () => {
    const [good] = await exported(await filled(), "letter:i1");
    const letter = JSON.parse(good as string) as ExportedLetter;
    const world = new World();
    const report = await world.run(
      world.client.deadLetters.import([
        "{oops",
        "",
        good as string,
        '{"some":"thing"}',
        { ...letter, format: 2 },
        { ...letter, record: { ...letter.record, letter: "i7", attempts: undefined as never } },
        { ...letter, record: { ...letter.record, letter: "i8", envelope: { format: 1 } as never } },
        { ...letter, record: { ...letter.record, letter: "i9", body: true } },
        { ...letter, identity: undefined as never },
      ]),
    );
    expect(report).toEqual({
      added: 1,
      skipped: 0,
      refused: [
        { line: 1, why: expect.stringContaining("not JSON") },
        { line: 4, why: expect.stringContaining("no exported letter") },
        { line: 5, why: expect.stringContaining("format 2") },
        { line: 6, why: expect.stringContaining('"attempts" is no list') },
        { line: 7, why: expect.stringContaining("message cannot be used") },
        { line: 8, why: expect.stringContaining('"body" is missing') },
        { line: 9, why: expect.stringContaining("which space") },
      ],
    });
  });
});

/** The dead-letter office of nodes: what it counts, closes, removes and warns of. */
import { afterEach, describe, expect, it } from "vitest";
import { createMachine } from "xstate";
import { createClient } from "../../actors/client.ts";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem, type TestSystemOptions } from "../../actors/test-system.ts";
import { formatAddress, parseAddress, partitionOf } from "../../runtime/core/address.ts";
import type { DeadLetterExpiredEvent } from "../../runtime/core/dead-letter-events.ts";
import { TerminalError } from "../../runtime/core/errors.ts";
import { decodeRecord, encodeRecord, type LetterRecord } from "../../runtime/core/records.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import type { NodeContext, NodeSettings } from "../../runtime/engine/context.ts";
import { LetterIndex } from "../../runtime/engine/letter-index.ts";
import { defaultSettings } from "../../runtime/engine/node.ts";
import { Office } from "../../runtime/engine/office.ts";
import { type NodeEvent, Telemetry } from "../../runtime/engine/telemetry.ts";

const dayMs = 24 * 3_600_000;
const subjects = new Subjects("test");
let isBroken = true;
const order = defineActor("order", {
  machine: createMachine({
    on: {
      BAD: {
        guard: () => {
          if (isBroken) throw new TerminalError("No such luck.");
          return true;
        },
        actions: () => {},
      },
    },
  }),
});
let system: TestSystem;
let told: NodeEvent[];
afterEach(() => system?.stop());

async function start(settings: Partial<NodeSettings> = {}, more: Partial<TestSystemOptions> = {}): Promise<void> {
  isBroken = true;
  told = [];
  system = await createTestSystem({
    actors: [order],
    partitions: 1,
    settings: { officeMs: 1000, ...settings },
    onEvent: (event) => told.push(event),
    ...more,
  });
  await system.advance(3000);
}

/** Writes letters as nodes do, the first the oldest. */
async function write(
  to: string,
  letters: ReadonlyArray<Partial<LetterRecord> & { readonly letter: string }>,
): Promise<void> {
  const of = parseAddress(to);
  const records = letters.map((more, i) => {
    const record: LetterRecord = {
      format: 1,
      to: formatAddress(of),
      reason: "attempts",
      explanation: "All attempts failed.",
      attempts: [],
      attemptCount: 3,
      envelope: { format: 1, kind: "event", id: `m-${more.letter}`, event: { type: "BAD" }, sentAt: 1 },
      source: { stream: "ingress", seq: 1, subject: "s" },
      at: system.time.now() + i,
      redrives: 0,
      status: "dead",
      ...more,
    };
    return { subject: subjects.dead(partitionOf(of, 1), of, more.letter), data: encodeRecord(record) };
  });
  const { log } = system.broker.connect(`writer ${Math.random()}`);
  expect(await system.run(log.append("core", records))).toMatchObject({ _tag: "Appended" });
}

/** The letters that are in the log now, and how they stand. */
async function stored(): Promise<Record<string, string>> {
  const { log } = system.broker.connect(`reader ${Math.random()}`);
  const read = async () => {
    const letters: Record<string, string> = {};
    for await (const { data } of log.scan("core", subjects.deadLetters(), { lastPerSubject: true })) {
      const { letter, status } = decodeRecord<LetterRecord>("a letter", data);
      letters[letter] = status;
    }
    return letters;
  };
  return system.run(read());
}

async function expiredLetters(): Promise<LetterRecord[]> {
  const heard: LetterRecord[] = [];
  const { ready } = system.client.deadLetters.onExpired(({ letter }: DeadLetterExpiredEvent) => heard.push(letter), {
    from: "start",
  });
  await system.run(ready);
  await system.advance(100);
  return heard;
}

const toldOf = (name: string): NodeEvent[] => told.filter((event) => event.name === name);

describe("a node's count of letters", () => {
  it("is that of its partitions, also of those that clients have changed", async () => {
    await start({}, { partitions: 4, nodes: 2 });
    await system.advance(5000);
    await system.run(system.client.send("order/1", { type: "BAD" }));
    await system.run(system.client.send("order/2", { type: "BAD" }));
    await system.run(system.client.send("order/3", { type: "BAD" }));
    await system.advance(3000);
    const [first] = await system.run(system.client.deadLetters.list());
    await system.run(system.client.deadLetters.drop(first?.letter as string));
    await system.advance(3000);
    const letters = system.nodes.map((node) => node.stats().letters);
    const sum = (of: (one: (typeof letters)[number]) => number) => letters.reduce((total, one) => total + of(one), 0);
    expect([sum(({ dead }) => dead), sum(({ closed }) => closed)]).toEqual([2, 1]);
    expect(sum(({ byType }) => byType.order ?? 0)).toBe(2);
    expect(sum(({ bytes }) => bytes)).toBeGreaterThan(1000);
    expect(letters.map(({ oldestAt }) => oldestAt).filter((at) => at !== undefined)).not.toEqual([]);
  });

  it("counts the actors that are parked, each once", async () => {
    await start();
    await write("order/1", [{ letter: "a", parks: true }, { letter: "b", parks: true }, { letter: "c" }]);
    await system.advance(3000);
    expect(system.nodes[0]?.stats()).toMatchObject({ parkedActors: 1, letters: { dead: 3 } });
  });

  it("reads each record once", async () => {
    await start();
    await write("order/1", [{ letter: "a" }, { letter: "b" }]);
    const { log } = system.broker.connect("reader");
    let read = 0;
    const scan = log.scan.bind(log);
    log.scan = async function* (...args) {
      for await (const record of scan(...args)) {
        read++;
        yield record;
      }
    };
    const index = new LetterIndex(0, { log, subjects } as unknown as NodeContext);
    const look = async () => {
      await system.run((async () => index.look((await log.state("core")).lastSeq))());
      return [read, [...index.letters].map(({ letter, status }) => `${letter} ${status}`).sort()];
    };
    expect(await look()).toEqual([2, ["a dead", "b dead"]]);
    expect(await look()).toEqual([2, ["a dead", "b dead"]]);
    await write("order/1", [{ letter: "b", status: "dropped" }]);
    await write("order/2", [{ letter: "c" }]);
    expect(await look()).toEqual([4, ["a dead", "b dropped", "c dead"]]);
  });
});

describe("closed letters", () => {
  it("are removed with their messages after the time they are kept, and dead ones never", async () => {
    await start();
    const body = subjects.body(0, parseAddress("order/1"), "b");
    const { log } = system.broker.connect("writer");
    await system.run(log.append("core", [{ subject: body, data: Buffer.from("{}") }]));
    await write("order/1", [
      { letter: "a", status: "redriven" },
      { letter: "b", status: "dropped", body: true },
      { letter: "c" },
    ]);
    await system.advance(6.9 * dayMs);
    await system.advance(10_000);
    expect(await stored()).toEqual({ a: "redriven", b: "dropped", c: "dead" });
    await system.advance(0.2 * dayMs);
    await system.advance(10_000);
    expect(await stored()).toEqual({ c: "dead" });
    expect(await system.run(log.last("core", body))).toBeUndefined();
    await system.advance(4000 * dayMs);
    await system.advance(10_000);
    expect(await stored()).toEqual({ c: "dead" });
    expect(system.nodes[0]?.stats()).toMatchObject({
      counters: { lettersPurged: 2, lettersExpired: 0 },
      letters: { dead: 1, closed: 0 },
    });
  });
});

describe("a limit", () => {
  it("of age is warned of, closes with an event that has the whole letter, and says so", async () => {
    await start({ letterMaxAgeMs: dayMs });
    await write("order/1", [{ letter: "a", note: "n" }]);
    await system.advance(0.79 * dayMs);
    await system.advance(5000);
    expect([toldOf("letters.filling"), await stored()]).toEqual([[], { a: "dead" }]);
    await system.advance(0.02 * dayMs);
    await system.advance(5000);
    expect(toldOf("letters.filling")).toMatchObject([
      { level: "warn", message: expect.stringContaining("for their age") },
    ]);
    expect(toldOf("letters.expired")).toEqual([]);
    await system.advance(0.2 * dayMs);
    await system.advance(5000);
    expect(toldOf("letters.expired")).toMatchObject([{ level: "error", data: { expired: 1 } }]);
    expect(await expiredLetters()).toEqual([
      expect.objectContaining({
        letter: "a",
        note: "n",
        status: "expired",
        envelope: expect.objectContaining({ event: { type: "BAD" } }),
        history: [expect.objectContaining({ what: "expired" })],
      }),
    ]);
    expect(await stored()).toEqual({ a: "expired" });
    expect(system.nodes[0]?.stats().counters).toMatchObject({ lettersExpired: 1 });
    await system.advance(7.1 * dayMs);
    await system.advance(5000);
    expect(await stored()).toEqual({});
  });

  it.each([
    ["number", { letterMaxCount: 3 }],
    ["bytes", { letterMaxBytes: 1000 }],
  ])("of %s closes the oldest, and no more than it must", async (_, limit) => {
    await start(limit);
    await write("order/1", [{ letter: "a" }, { letter: "b" }, { letter: "c" }]);
    await system.advance(3000);
    expect(toldOf("letters.filling")).toHaveLength(1);
    expect(await stored()).toEqual({ a: "dead", b: "dead", c: "dead" });
    await write("order/2", [{ letter: "d" }, { letter: "e" }]);
    await system.advance(3000);
    expect(await stored()).toEqual({ a: "expired", b: "expired", c: "dead", d: "dead", e: "dead" });
    expect((await expiredLetters()).map(({ letter }) => letter)).toEqual(["a", "b"]);
    await system.advance(30_000);
    expect(toldOf("letters.expired")).toHaveLength(1);
    expect(toldOf("letters.filling")).toHaveLength(1);
    await system.advance(3_600_000);
    await system.advance(5000);
    expect(toldOf("letters.filling")).toHaveLength(2);
  });

  it("leaves each partition at least one letter", async () => {
    await start({ letterMaxCount: 2 }, { partitions: 4 });
    await system.run(system.client.send("order/1", { type: "BAD" }));
    await system.advance(5000);
    expect(Object.values(await stored())).toEqual(["dead"]);
  });

  it("closes a letter also where all of it does not fit into an event", async () => {
    await start({ letterMaxCount: 1 });
    const { log } = system.broker.connect("reader");
    const text = "x".repeat(log.limits.maxRecordBytes - 2500);
    await write("order/1", [
      { letter: "a", original: { format: 1, kind: "create", id: "m", input: text, sentAt: 1 } },
      { letter: "b" },
    ]);
    await system.advance(3000);
    expect(await stored()).toEqual({ a: "expired", b: "dead" });
    const [letter] = await expiredLetters();
    expect(letter).toMatchObject({ letter: "a", envelope: { event: { type: "BAD" } } });
    expect(letter).not.toHaveProperty("original");
  });

  it("closes many letters in steps, each once, also when its owner dies in between", async () => {
    await start({ letterMaxCount: 10 }, { nodes: 2 });
    for (let i = 0; i < 10; i++) {
      await write(
        "order/1",
        Array.from({ length: 30 }, (_, at) => ({ letter: `l${i}-${at}` })),
      );
    }
    const owner = system.nodes.find((node) => node.stats().partitions.length > 0);
    await system.time.runUntil(() => (owner?.stats().counters.lettersExpired ?? 0) > 0);
    owner?.crash();
    await system.advance(20_000);
    const statuses = Object.values(await stored());
    expect([statuses.length, statuses.filter((status) => status === "dead").length]).toEqual([300, 10]);
    const events = (await expiredLetters()).map(({ letter }) => letter);
    expect([events.length, new Set(events).size]).toEqual([290, 290]);
  });

  it("never closes a letter that parks its actor, and warns instead", async () => {
    await start({ letterMaxAgeMs: dayMs, letterMaxCount: 2 });
    await write("order/1", [{ letter: "a", parks: true }, { letter: "b" }, { letter: "c" }]);
    await system.advance(3000);
    expect(await stored()).toEqual({ a: "dead", b: "expired", c: "dead" });
    await system.advance(2 * dayMs);
    await system.advance(5000);
    expect(await stored()).toEqual({ a: "dead", b: "expired", c: "expired" });
    expect(toldOf("letters.parked").length).toBeGreaterThan(0);
  });
});

/** An office by itself, on a log of its own before whose calls something else can happen. */
function officeAlone(settings: Partial<NodeSettings>) {
  const { log } = system.broker.connect(`office ${Math.random()}`);
  const telemetry = new Telemetry(() => {});
  const context = {
    log,
    subjects,
    settings: { ...defaultSettings, ...settings },
    time: system.time,
    telemetry,
    partitions: 1,
    spaceName: "test",
    owner: "node:token",
  } as unknown as NodeContext;
  const office = new Office(context);
  office.open(0);
  return {
    log,
    counters: telemetry.counters,
    /** To be awaited by what lets time pass already. */
    look: () => office.round(() => true),
    round: () => system.run(office.round(() => true)),
    /** Something happens between what the office has read and its next call. */
    before(call: "lastMany" | "append" | "purge", happens: () => Promise<unknown>): void {
      const original = log[call].bind(log) as (...args: unknown[]) => unknown;
      Object.assign(log, {
        [call]: async (...args: unknown[]) => {
          Object.assign(log, { [call]: original });
          await happens();
          return original(...args);
        },
      });
    },
  };
}

describe("at the same instant", () => {
  it.each(["lastMany", "append"] as const)(
    "as an operator redrives a letter (before %s) the limit leaves it alone, and closes the others",
    async (call) => {
      await start({ officeMs: 10 * dayMs });
      await write("order/1", [{ letter: "a" }, { letter: "b" }, { letter: "c" }]);
      isBroken = false;
      const office = officeAlone({ letterMaxCount: 1 });
      office.before(call, () => system.client.deadLetters.redrive("a"));
      await office.round();
      await system.advance(1000);
      expect(await stored()).toEqual({ a: "redriven", b: "expired", c: "dead" });
      expect((await expiredLetters()).map(({ letter }) => letter)).toEqual(["b"]);
      expect(office.counters.lettersExpired).toBe(1);
      const applied = await system.run(system.client.history("order/1"));
      expect(applied.map(({ outcome, message }) => [outcome, message])).toEqual([["applied", "m-a"]]);
      await office.round();
      expect(await stored()).toEqual({ a: "redriven", b: "expired", c: "dead" });
    },
  );

  it("as the answer to its append is lost, what was closed is counted all the same, once", async () => {
    await start({ officeMs: 10 * dayMs });
    await write("order/1", [{ letter: "a" }, { letter: "b" }]);
    const office = officeAlone({ letterMaxCount: 1 });
    const append = office.log.append.bind(office.log);
    office.log.append = async (...args) => {
      office.log.append = append;
      await append(...args);
      return { _tag: "TryAgain", mayBeStored: true, reason: "no answer" };
    };
    await office.round();
    expect(office.counters.lettersExpired).toBe(0);
    await office.round();
    await office.round();
    expect([office.counters.lettersExpired, (await expiredLetters()).length]).toEqual([1, 1]);
  });

  it("as a limit closes a letter its redrive is refused, and nothing is sent", async () => {
    await start({ officeMs: 10 * dayMs });
    await write("order/1", [{ letter: "a" }, { letter: "b" }]);
    const office = officeAlone({ letterMaxCount: 1 });
    const { log, time } = system.broker.connect("operator");
    const append = log.append.bind(log);
    let isFirst = true;
    log.append = async (...args) => {
      if (isFirst) {
        isFirst = false;
        await office.look();
      }
      return append(...args);
    };
    const space = {
      format: 1,
      partitions: 1,
      hash: "fnv1a-mix32",
      historyDepth: 64,
      identity: { core: "c", ingress: "i" },
    } as const;
    const client = createClient({ log, time, space, spaceName: "test" });
    const error = await system.run(
      client.deadLetters.redrive("a").then(
        () => undefined,
        (reason) => reason,
      ),
    );
    expect(error).toMatchObject({ _tag: "LetterNotFoundError" });
    expect(await stored()).toEqual({ a: "expired", b: "dead" });
    expect(system.broker.journal("core", subjects.mails())).toEqual([]);
  });

  it("as a closed letter is removed its message dies again: the new letter stays, with its message", async () => {
    await start({ officeMs: 10 * dayMs });
    const body = subjects.body(0, parseAddress("order/1"), "a");
    const { log } = system.broker.connect("writer");
    const writeBody = () => log.append("core", [{ subject: body, data: Buffer.from("{}") }]);
    await system.run(writeBody());
    await write("order/1", [
      { letter: "a", status: "redriven", body: true },
      { letter: "b", status: "dropped" },
    ]);
    await system.advance(8 * dayMs);
    const office = officeAlone({});
    const again = encodeRecord<LetterRecord>({
      ...decodeRecord<LetterRecord>(
        "a letter",
        system.broker.journal("core", subjects.deadLetter("a"))[0]?.data as Uint8Array,
      ),
      status: "dead",
    });
    const subject = subjects.dead(0, parseAddress("order/1"), "a");
    office.before("purge", async () => {
      await log.append("core", [{ subject, data: again }]);
      await writeBody();
    });
    await office.round();
    expect(await stored()).toEqual({ a: "dead" });
    expect(await system.run(log.last("core", body))).toBeDefined();
    await office.round();
    expect(await stored()).toEqual({ a: "dead" });
  });
});

it("letters that take more than a quarter of what CORE may hold are warned of, limits or not", async () => {
  await start({ officeMs: 10 * dayMs });
  await write("order/1", [{ letter: "a" }, { letter: "b" }]);
  for (const [maxSizeBytes, warnings] of [
    [10_000, 0],
    [1000, 1],
    [-1, 0],
  ] as const) {
    const { log } = system.broker.connect(`office ${maxSizeBytes}`);
    const heard: string[] = [];
    const state = log.state.bind(log);
    log.state = async (stream) => ({ ...(await state(stream)), maxSizeBytes });
    const telemetry = new Telemetry(({ message }) => heard.push(message));
    const parts = { log, subjects, settings: defaultSettings, time: system.time, telemetry, partitions: 1 };
    const office = new Office(parts as unknown as NodeContext);
    office.open(0);
    await system.run(office.round(() => true));
    await system.run(office.round(() => true));
    expect(heard).toHaveLength(warnings);
  }
});

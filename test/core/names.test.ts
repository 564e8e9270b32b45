import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAddress, makeAddress, parseAddress, partitionOf } from "../../runtime/core/address.ts";
import { InvalidNameError } from "../../runtime/core/errors.ts";
import { checkSpace, checkType, fromToken, maxNameBytes, toToken } from "../../runtime/core/names.ts";
import { Subjects } from "../../runtime/core/subjects.ts";

const anyName = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 40 }),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }),
    fc.string({ unit: "binary", minLength: 1, maxLength: 40 }),
  )
  .filter((name) => name.isWellFormed() && Buffer.byteLength(name) <= maxNameBytes);

describe("a name as a subject token", () => {
  it("comes back as it was, and holds nothing that a subject gives a meaning to", () => {
    fc.assert(
      fc.property(anyName, (name) => {
        const token = toToken(name);
        expect(token).toMatch(/^[A-Za-z0-9_=-]+$/);
        expect(fromToken(token)).toBe(name);
      }),
      { numRuns: 20_000 },
    );
  });

  it("is different for different names, also for those that only look alike", () => {
    fc.assert(
      fc.property(anyName, anyName, (one, two) => {
        expect(toToken(one) === toToken(two)).toBe(one === two);
      }),
      { numRuns: 20_000 },
    );
    expect(toToken("é".normalize("NFC"))).not.toBe(toToken("é".normalize("NFD")));
  });

  it("has one spelling only: other texts are no tokens", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 30 }), (text) => {
        const name = fromToken(text);
        if (name !== undefined) expect(toToken(name)).toBe(text);
      }),
      { numRuns: 20_000 },
    );
    expect(["", "a.b", "=61", "=g1", "=", "=C3", "a*", "a b"].map(fromToken)).toEqual(Array(8).fill(undefined));
  });

  it.each([
    ["", "non-empty"],
    ["\ud800", "lone surrogate"],
    ["x".repeat(257), "257 bytes"],
    ["ä".repeat(129), "258 bytes"],
  ])("is refused in words: %j", (name, words) => {
    expect(() => toToken(name)).toThrow(InvalidNameError);
    expect(() => toToken(name)).toThrow(words);
  });

  it("may be longer for the id of a child, and for nothing else", () => {
    const path = `a/~${"é".repeat(510)}`;
    expect(fromToken(toToken(path))).toBe(path);
    expect(() => toToken(`${path}b€`)).toThrow("1027 bytes of UTF-8, at most 1024");
    expect(() => toToken(path, "an event type")).toThrow("1023 bytes of UTF-8, at most 256");
  });

  it("leaves the longest subjects short enough for the server's control line of 4096 bytes", () => {
    const child = { type: "t".repeat(64), id: `${"é".repeat(128)}/~${"é".repeat(383)}` };
    const name = "é".repeat(128);
    const subjects = new Subjects("s".repeat(32));
    const longest = [
      subjects.emitted(65_535, child, name, "a".repeat(40)),
      subjects.ingress(name, 65_535, child, "a".repeat(40)),
      subjects.key(65_535, child, name),
      subjects.dead(65_535, child, "i".repeat(40)),
      subjects.task(65_535, name, child, 2 ** 53 - 1, 9999),
    ];
    // The rest of the line: the verb, a reply subject, the sizes.
    for (const subject of longest) expect(subject.length).toBeLessThan(4096 - 90);
  });
});

describe("types and spaces", () => {
  it.each(["", "9a", "a.b", "a b", "-a", "x".repeat(65), "_"])("refuses %j as a type", (type) => {
    expect(() => checkType(type)).toThrow(InvalidNameError);
  });
  it.each(["", "A", "a.b", "a_b", "x".repeat(33)])("refuses %j as a space", (space) => {
    expect(() => checkSpace(space)).toThrow(InvalidNameError);
  });
});

describe("an address", () => {
  it("is written and read back, slashes in the id included", () => {
    expect(parseAddress("order/a/b")).toEqual({ type: "order", id: "a/b" });
    expect(formatAddress(makeAddress("order", "a/b"))).toBe("order/a/b");
    expect(() => parseAddress("order")).toThrow('"type/id"');
    expect(() => parseAddress("/x")).toThrow(InvalidNameError);
  });

  it("belongs to the same partition for ever", () => {
    // Part of the stored format: these numbers must never change.
    const partitions = ["a", "b", "order-42", "ä", "🙂", "JFK"].map((id) => partitionOf({ type: "airport", id }, 16));
    expect(partitions).toEqual([2, 10, 6, 8, 3, 7]);
  });

  it("is spread evenly", () => {
    const counts = new Array<number>(16).fill(0);
    for (let i = 0; i < 16_000; i++) (counts[partitionOf({ type: "order", id: String(i) }, 16)] as number)++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});

describe("subjects", () => {
  const subjects = new Subjects("shop");
  it("are taken apart into what they were put together from", () => {
    fc.assert(
      fc.property(anyName, anyName, anyName, fc.integer({ min: 0, max: 1023 }), (id, message, sender, partition) => {
        const to = { type: "order", id };
        expect(subjects.parseMailbox("ingress", subjects.ingress(sender, partition, to, message))).toEqual({
          partition,
          to,
          message,
          sender,
        });
        expect(subjects.parseMailbox("core", subjects.mail(partition, to, message))).toEqual({
          partition,
          to,
          message,
          sender: undefined,
        });
        expect(subjects.parseRecord(subjects.dead(partition, to, message))).toEqual({
          kind: "dead",
          partition,
          address: to,
          rest: message,
        });
      }),
    );
  });

  it("let a node answer to reply subjects of its own space only", () => {
    expect(subjects.isReply(subjects.reply("client1", "a1"))).toBe(true);
    for (const subject of [
      "sw.shop.reply.a.*",
      "sw.shop.reply.a.>",
      "sw.shop.reply.a",
      "sw.shop.reply.a.b.c",
      "sw.shop.reply..b",
      "sw.shop.reply.a.",
      "sw.other.reply.a.b",
      "sw.shop.core.0.state.a.b",
      "",
      7,
      undefined,
    ]) {
      expect(subjects.isReply(subject)).toBe(false);
    }
  });
});

import { isDeepStrictEqual } from "node:util";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromStored, toStored } from "../../runtime/core/codec.ts";
import { CorruptRecordError, NotStorableError } from "../../runtime/core/errors.ts";

const roundTrip = (value: unknown): unknown => fromStored(JSON.parse(JSON.stringify(toStored(value))));

const special = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0),
  fc.bigInt(),
  fc.date({ noInvalidDate: false }),
  fc.uint8Array(),
  fc.int16Array(),
  fc.float64Array(),
  fc.uint8Array().map((bytes) => Uint8Array.from(bytes).buffer),
  fc.constantFrom(/a+b/giu, new URL("https://example.com/a?b=c#d")),
  fc
    .record({ message: fc.string(), code: fc.string(), data: fc.jsonValue() })
    .map(({ message, code, data }) => Object.assign(new RangeError(message, { cause: data }), { code, data })),
);

const keys = fc.oneof(fc.string(), fc.constantFrom("~", "v", "__proto__", "constructor", "toJSON", "type", "0"));

/** Anything that can be stored: nested, with hostile keys, and with every kind that gets a tag. */
const storable = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "medium" },
    fc.jsonValue(),
    fc.string({ unit: "binary" }),
    special,
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(keys, tie("value"), { maxKeys: 5, noNullPrototype: true }),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 3 }).map((entries) => new Map(entries)),
    fc.array(tie("value"), { maxLength: 3 }).map((items) => new Set(items)),
  ),
})).value;

describe("what can be stored", () => {
  test("comes back as it was, through JSON", () => {
    fc.assert(
      fc.property(storable, (value) => {
        const decoded = roundTrip(value);
        if (!isDeepStrictEqual(decoded, value)) expect(decoded).toStrictEqual(value);
      }),
      { numRuns: 2000 },
    );
  });

  test("comes back without JSON between, and is not changed by being encoded", () => {
    fc.assert(
      fc.property(storable, (value) => {
        const before = JSON.stringify(toStored(value));
        expect(isDeepStrictEqual(fromStored(toStored(value)), value)).toBe(true);
        expect(JSON.stringify(toStored(value))).toBe(before);
      }),
    );
  });

  test("is returned as it is when it is plain JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const plain: unknown = JSON.parse(JSON.stringify(value).replaceAll('"~"', '"tilde"'));
        expect(toStored(plain)).toBe(plain);
        expect(fromStored(plain)).toBe(plain);
      }),
    );
  });

  test("never changes Object.prototype", () => {
    const before = Reflect.ownKeys(Object.prototype);
    fc.assert(fc.property(storable, (value) => void roundTrip(value)));
    expect(Reflect.ownKeys(Object.prototype)).toEqual(before);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test("keeps undefined in objects and arrays", () => {
    expect(roundTrip({ a: undefined, b: [undefined, 1] })).toStrictEqual({ a: undefined, b: [undefined, 1] });
    expect(roundTrip(undefined)).toBe(undefined);
  });

  test("keeps objects that look like tags", () => {
    for (const value of [
      { "~": "date", v: "2024-01-01T00:00:00.000Z" },
      { "~": "object", v: { "~": "undefined" } },
      { "~": { "~": "unknown" } },
      { a: [{ "~": 1, v: new Date(0) }] },
    ]) {
      expect(roundTrip(value)).toStrictEqual(value);
    }
  });

  test("keeps an error's name, message, code, cause, data and stack", () => {
    class PaymentError extends Error {
      override readonly name = "PaymentError";
      readonly code = "E_CARD";
      readonly data = { at: new Date(5) };
    }
    const error = new PaymentError("declined", { cause: new TypeError("inner") });
    const decoded = roundTrip({ error }) as { error: PaymentError };
    expect(decoded.error).toBeInstanceOf(Error);
    expect(decoded.error).toMatchObject({ name: "PaymentError", message: "declined", code: "E_CARD" });
    expect(decoded.error.data).toEqual({ at: new Date(5) });
    expect(decoded.error.cause).toBeInstanceOf(TypeError);
    expect(decoded.error.stack).toBe(error.stack);
  });

  test("keeps values of another realm and objects without prototype", () => {
    const foreign: unknown = runInNewContext("({ at: new Date(5), list: [new Map([[1, new Set([2])]])] })");
    expect(roundTrip(foreign)).toEqual({ at: new Date(5), list: [new Map([[1, new Set([2])]])] });
    expect(roundTrip(Object.assign(Object.create(null), { a: 1n }))).toEqual({ a: 1n });
  });

  test("keeps a Buffer as a Uint8Array", () => {
    expect(roundTrip(Buffer.from("hello"))).toStrictEqual(new Uint8Array(Buffer.from("hello")));
  });
});

describe("what cannot be stored", () => {
  class Cart {
    items = [];
  }
  class Index extends Map<string, string> {}
  const cycle: { list: unknown[] } = { list: [] };
  cycle.list.push(cycle);
  const throwing = Object.defineProperty({}, "total", {
    enumerable: true,
    get: () => {
      throw new Error("not yet");
    },
  });
  const deep = (levels: number) => {
    let value: unknown = 1;
    for (let level = 0; level < levels; level++) value = { a: value };
    return value;
  };

  test.each([
    ["a function", { items: [0, 1, 2, { onDone: () => {} }] }, "context.items[3].onDone: it is a function"],
    ["a symbol", { "a b": Symbol("x") }, 'context["a b"]: it is a symbol'],
    ["an instance of a class", { cart: new Cart() }, "context.cart: it is an instance of Cart"],
    ["an instance of a class that has toJSON", { at: { toJSON: () => 1 } }, "context.at.toJSON: it is a function"],
    ["an instance of a subclass of Map", { index: new Index() }, "context.index: it is an instance of Index"],
    ["a promise", { result: Promise.resolve() }, "context.result: it is an instance of Promise"],
    ["a boxed number", { n: Object(1) }, "context.n: it is an instance of Number"],
    ["a cycle", cycle, "(a cycle)"],
    ["a property that throws", { a: throwing }, "context.a.total: reading it failed: not yet"],
    ["a value in a map", new Map([["k", { f: () => {} }]]), "context.entries()[0][1].f: it is a function"],
    ["an item of a set", new Set([() => {}]), "context.values()[0]: it is a function"],
    ["the cause of an error", { e: new Error("x", { cause: () => {} }) }, "context.e.cause: it is a function"],
    ["what is nested too deeply", deep(201), "it is nested in more than 200 levels"],
  ])("is refused with its path: %s", (_, value, words) => {
    expect(() => toStored(value, "context")).toThrow(NotStorableError);
    expect(() => toStored(value, "context")).toThrow(words);
  });

  test("is anything but what 200 levels hold", () => {
    expect(roundTrip(deep(200))).toEqual(deep(200));
  });

  test("is refused with no other error, whatever the value is", () => {
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withBoxedValues: true,
          withDate: true,
          withMap: true,
          withNullPrototype: true,
          withObjectString: true,
          withSet: true,
          withSparseArray: true,
          withTypedArray: true,
          withUnicodeString: true,
        }),
        (value) => {
          try {
            roundTrip(value);
          } catch (error) {
            expect(error).toBeInstanceOf(NotStorableError);
          }
        },
      ),
    );
  });

  test("is refused with no other error when it is a hostile object", () => {
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const detached = new ArrayBuffer(8);
    structuredClone(detached, { transfer: [detached] });
    const nameless = Object.assign(new Error("x"), { name: Symbol("x") });
    const impostor = Object.create({ [Symbol.toStringTag]: "Map" }) as object;
    for (const value of [revoked.proxy, nameless, impostor, { a: revoked.proxy }]) {
      expect(() => toStored(value)).toThrow(NotStorableError);
    }
  });
});

describe("decoding", () => {
  test("gives hostile keys as own properties", () => {
    const text =
      '{"__proto__":{"polluted":{"~":"bigint","v":"1"}},"constructor":{"prototype":{"polluted":true}},"at":{"~":"date","v":null}}';
    const decoded = fromStored(JSON.parse(text)) as Record<string, unknown>;
    expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
    expect(Object.keys(decoded)).toEqual(["__proto__", "constructor", "at"]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(decoded.polluted).toBeUndefined();
  });

  test.each([
    { "~": "toString" },
    { "~": "__proto__", v: 1 },
    { "~": 5 },
    { "~": "date", v: "yesterday" },
    { "~": "date" },
    { "~": "bigint", v: "1.5" },
    { "~": "number", v: "7" },
    { "~": "map", v: [[1]] },
    { "~": "set", v: {} },
    { "~": "regexp", v: ["(", ""] },
    { "~": "url", v: "nowhere" },
    { "~": "bytes", v: ["Float64Array", "AAAA"] },
    { "~": "bytes", v: ["Uint8Array", "***"] },
    { "~": "bytes", v: ["constructor", ""] },
    { "~": "error", v: { name: 1, message: "" } },
    { "~": "object", v: [] },
  ])("refuses a tag that it does not know or cannot read: %j", (stored) => {
    expect(() => fromStored({ a: [stored] })).toThrow(CorruptRecordError);
  });

  test("throws no other error, whatever was stored", () => {
    const kinds = fc.constantFrom(
      "undefined",
      "object",
      "number",
      "bigint",
      "date",
      "map",
      "set",
      "regexp",
      "url",
      "bytes",
      "error",
      "x",
    );
    const hostile = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        fc.jsonValue(),
        fc.record({ "~": kinds, v: tie("value") }, { requiredKeys: ["~"], noNullPrototype: true }),
        fc.array(tie("value"), { maxLength: 3 }),
      ),
    })).value;
    fc.assert(
      fc.property(hostile, (stored) => {
        try {
          fromStored(stored);
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptRecordError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("refuses what is nested so deeply that it would exhaust the stack", () => {
    expect(() => fromStored(JSON.parse("[".repeat(50_000) + "]".repeat(50_000)))).toThrow(CorruptRecordError);
  });
});

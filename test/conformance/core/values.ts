/** Values that plain JSON does not have, in contexts, events, inputs and outputs. */
import { assign, createMachine, emit, log } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";

/** A machine that keeps what it is sent, and asks the same of it in the next step as in this one. */
function keeper(ask: (kept: any) => unknown): Scenario["machine"] {
  return ({ trace }) =>
    createMachine({
      context: { kept: null as unknown },
      on: {
        KEEP: { actions: [assign({ kept: ({ event }) => event.value }), ({ event }) => trace(ask(event.value))] },
        ASK: { actions: ({ context }) => trace(ask(context.kept)) },
        PASS: { guard: ({ context }) => ask(context.kept) === true, actions: () => trace("passed") },
      },
    });
}

/** Keeps the value, sees it, and asks twice for what it is: as it came, and as it was kept. */
function kept(what: string, row: string, value: unknown, ask: (kept: any) => unknown, answer: unknown): Scenario {
  return {
    name: `${what} in an event and in the context stays what it is`,
    covers: [row],
    machine: keeper(ask),
    steps: [
      { send: { type: "KEEP", value } },
      { expect: { context: { kept: value }, trace: [answer] } },
      { send: { type: "ASK" } },
      { expect: { context: { kept: value }, trace: [answer, answer] } },
    ],
  };
}

/** An error with fields that travel. */
function failure(): Error {
  const cause = Object.assign(new TypeError("the cause"), { code: "E_CAUSE" });
  return Object.assign(new RangeError("out of stock", { cause }), {
    code: "E_STOCK",
    data: { left: 0, of: ["a", 1n] },
  });
}

/** An object with keys that mean something to JavaScript itself. */
function oddKeys(): Record<string, unknown> {
  return JSON.parse('{"__proto__":{"admin":true},"constructor":1,"toString":"x","~":"tag","":"empty","a.b":[1]}');
}

export const values: readonly Scenario[] = [
  kept("a date", "value.date", new Date("2024-02-29T12:34:56.789Z"), (date) => [date instanceof Date, date.getTime()], [
    true,
    1_709_210_096_789,
  ]),
  kept("an invalid date", "value.date", new Date(Number.NaN), (date) => String(date), "Invalid Date"),
  kept(
    "a map",
    "value.map",
    new Map<unknown, unknown>([
      ["a", 1],
      [2, new Date(0)],
      [null, undefined],
    ]),
    (map) => [map instanceof Map, map.size, map.get("a"), map.get(2).getTime(), map.has(null), [...map.keys()]],
    [true, 3, 1, 0, true, ["a", 2, null]],
  ),
  kept(
    "a map of maps",
    "value.map",
    new Map([["outer", new Map([["inner", new Set([1, 2])]])]]),
    (map) => map.get("outer").get("inner").has(2),
    true,
  ),
  kept("a set", "value.set", new Set<unknown>(["b", "a", 3n, undefined]), (set) => [set instanceof Set, [...set]], [
    true,
    ["b", "a", 3n, undefined],
  ]),
  kept(
    "a big integer",
    "value.bigint",
    -123_456_789_012_345_678_901_234_567_890n,
    (n) => n + 1n,
    -123_456_789_012_345_678_901_234_567_889n,
  ),
  kept("NaN", "value.nan", Number.NaN, (n) => Number.isNaN(n), true),
  kept("minus zero", "value.minus-zero", -0, (n) => Object.is(n, -0), true),
  kept("infinity", "value.infinity", Number.POSITIVE_INFINITY, (n) => n > Number.MAX_VALUE, true),
  kept("minus infinity", "value.infinity", Number.NEGATIVE_INFINITY, (n) => n < -Number.MAX_VALUE, true),
  kept(
    "undefined beside null and what is missing",
    "value.undefined",
    { a: undefined, b: null },
    (value) => ["a" in value, value.a === undefined, value.b === null, "c" in value],
    [true, true, true, false],
  ),
  kept(
    "undefined in a list",
    "value.undefined",
    [1, undefined, null, 4],
    (list) => [list.length, list[1] === undefined, list[2] === null],
    [4, true, true],
  ),
  kept(
    "an error with code, cause and data",
    "value.error",
    failure(),
    (error) => [
      error instanceof Error,
      error.name,
      error.message,
      error.code,
      error.data,
      error.cause.message,
      error.cause.code,
    ],
    [true, "RangeError", "out of stock", "E_STOCK", { left: 0, of: ["a", 1n] }, "the cause", "E_CAUSE"],
  ),
  kept(
    "a regular expression",
    "value.regexp",
    /^(a|b)+\/$/giu,
    (pattern) => [pattern instanceof RegExp, pattern.source, pattern.flags],
    [true, "^(a|b)+\\/$", "giu"],
  ),
  kept(
    "a URL",
    "value.url",
    new URL("https://user@example.com:8443/a%20b?q=1#x"),
    (url) => [url instanceof URL, url.port, url.searchParams.get("q")],
    [true, "8443", "1"],
  ),
  kept(
    "an array of bytes",
    "value.typed-array",
    new Uint8Array([0, 1, 127, 128, 255]),
    (bytes) => [bytes instanceof Uint8Array, bytes.length, bytes[4]],
    [true, 5, 255],
  ),
  kept(
    "an array of floating-point numbers",
    "value.typed-array",
    new Float64Array([0.1, Number.NaN, -0, Number.POSITIVE_INFINITY]),
    (numbers) => [numbers instanceof Float64Array, numbers[0], Number.isNaN(numbers[1]), Object.is(numbers[2], -0)],
    [true, 0.1, true, true],
  ),
  kept(
    "a buffer of bytes",
    "value.array-buffer",
    new Uint8Array([9, 8, 7]).buffer,
    (buffer) => [buffer instanceof ArrayBuffer, buffer.byteLength, new Uint8Array(buffer)[2]],
    [true, 3, 7],
  ),
  kept(
    "an object with keys such as __proto__, constructor and ~",
    "value.keys",
    oddKeys(),
    (value) => [
      Object.keys(value),
      Object.hasOwn(value, "__proto__"),
      Object.getPrototypeOf(value) === Object.prototype,
      ({} as { admin?: boolean }).admin,
    ],
    [["__proto__", "constructor", "toString", "~", "", "a.b"], true, true, undefined],
  ),
  kept(
    "an object that looks like an encoded value",
    "value.keys",
    { "~": "date", v: "2024-01-01T00:00:00.000Z" },
    (value) => [value instanceof Date, value.v],
    [false, "2024-01-01T00:00:00.000Z"],
  ),
  kept(
    "the smallest and the largest numbers",
    "value.number",
    [Number.MIN_VALUE, Number.MAX_SAFE_INTEGER, -Number.MAX_VALUE, 0.1 + 0.2],
    (numbers) => numbers[3] === 0.1 + 0.2 && numbers[0] > 0,
    true,
  ),
  {
    name: "a guard may ask what a date of an earlier event was",
    covers: ["value.date", "guard.context"],
    machine: keeper((date) => date instanceof Date && date.getUTCFullYear() === 2024),
    steps: [
      { send: { type: "KEEP", value: new Date("2023-12-31T23:59:59Z") } },
      { send: { type: "PASS" } },
      { send: { type: "KEEP", value: new Date("2024-01-01T00:00:00Z") } },
      { send: { type: "PASS" } },
      { expect: { trace: [false, true, "passed"] } },
    ],
  },
  {
    name: "a map in the context is replaced by a new one with each change",
    covers: ["value.map", "assign.nested"],
    machine: () =>
      createMachine({
        context: () => ({ stock: new Map([["apple", 2]]) }),
        on: {
          ADD: {
            actions: assign({
              stock: ({ context, event }) =>
                new Map([...context.stock, [event.what, (context.stock.get(event.what) ?? 0) + 1]]),
            }),
          },
        },
      }),
    steps: [
      { send: { type: "ADD", what: "pear" } },
      { send: { type: "ADD", what: "apple" } },
      {
        expect: {
          context: {
            stock: new Map([
              ["apple", 3],
              ["pear", 1],
            ]),
          },
        },
      },
    ],
  },
  {
    name: "a fixed context with values of its own kinds belongs to each actor alone",
    covers: ["value.set", "value.date", "context.static"],
    machine: () =>
      createMachine({
        context: { seen: new Set(["first"]), since: new Date(0), big: 2n ** 70n, none: undefined },
        on: { SEE: { actions: assign({ seen: ({ context, event }) => new Set([...context.seen, event.who]) }) } },
      }),
    steps: [
      { send: { type: "SEE", who: "second" } },
      {
        expect: {
          context: { seen: new Set(["first", "second"]), since: new Date(0), big: 2n ** 70n, none: undefined },
        },
      },
    ],
  },
  {
    name: "input and output carry values of all kinds",
    covers: ["value.input", "value.output", "input.context", "machine.output"],
    machine: () =>
      createMachine({
        context: ({ input }: { input: { when: Date; tags: Set<string> } }) => ({ when: input.when, tags: input.tags }),
        initial: "a",
        states: { a: { on: { END: "end" } }, end: { type: "final" } },
        output: ({ context }) => ({
          year: context.when.getUTCFullYear(),
          tags: context.tags,
          none: undefined,
          big: 10n,
        }),
      }),
    input: { when: new Date("2021-06-01T00:00:00Z"), tags: new Set(["x"]) },
    steps: [
      { expect: { context: { when: new Date("2021-06-01T00:00:00Z"), tags: new Set(["x"]) } } },
      { send: { type: "END" } },
      { expect: { status: "done", output: { year: 2021, tags: new Set(["x"]), none: undefined, big: 10n } } },
    ],
  },
  {
    name: "emitted events and log lines carry values of all kinds",
    covers: ["value.emitted", "emit.event", "log.expression"],
    machine: () =>
      createMachine({
        on: {
          GO: {
            actions: [
              emit(({ event }) => ({ type: "told", value: (event as unknown as { value: unknown }).value, n: -0 })),
              log(({ event }) => (event as unknown as { value: unknown }).value),
            ],
          },
        },
      }),
    steps: [
      { send: { type: "GO", value: new Map([["d", new Date(5)]]) } },
      {
        expect: {
          emitted: [{ type: "told", value: new Map([["d", new Date(5)]]), n: -0 }],
          logged: [new Map([["d", new Date(5)]])],
        },
      },
    ],
  },
];

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quotedValue, termsOf } from "../../actors/client/filter-text.ts";
import { compileFilter, type DeadLetterFilter } from "../../actors/letter-filter.ts";
import { type LetterRecord, recordFormat } from "../../runtime/core/records.ts";

const now = Date.parse("2026-03-01T12:00:00Z");
const hour = 3_600_000;

function letter(more: Partial<LetterRecord> = {}): LetterRecord {
  return {
    format: recordFormat,
    letter: "i1",
    to: "order/42",
    reason: "attempts",
    explanation: "All 3 attempts failed.",
    event: "PAY",
    attempts: [{ at: 1, node: "n", error: { name: "CardError", message: "Card declined" } }],
    attemptCount: 1,
    source: { stream: "ingress", seq: 1, subject: "s" },
    state: { revision: 3, value: { paying: { card: "checking" }, mail: "off" } },
    at: now - hour,
    redrives: 2,
    status: "dead",
    ...more,
  };
}

function matches(filter: DeadLetterFilter | string, more: Partial<LetterRecord> = {}): boolean {
  return compileFilter("Cannot test", filter, now).matches(letter(more));
}

function problem(filter: unknown): string {
  try {
    compileFilter("Cannot test", filter as string, now);
  } catch (error) {
    return (error as Error).message;
  }
  return "none";
}

const fingerprint = "0123456789ab";

describe("a filter of dead letters", () => {
  const pairs: ReadonlyArray<readonly [string, DeadLetterFilter, boolean]> = [
    ["", {}, true],
    ["type:order", { type: "order" }, true],
    ["type:cart", { type: "cart" }, false],
    ["type:cart,order", { type: ["cart", "order"] }, true],
    ["type:cart type:order", { type: ["cart", "order"] }, true],
    ["id:42 reason:attempts", { id: "42", reason: "attempts" }, true],
    ["id:4", { id: "4" }, false],
    ["letter:i1", { letter: "i1" }, true],
    ["event:PAY", { event: "PAY" }, true],
    ["-event:PAY", { not: { event: "PAY" } }, false],
    ["!event:CANCEL,REFUND", { not: { event: ["CANCEL", "REFUND"] } }, true],
    ["state:paying", { state: "paying" }, true],
    ["state:paying.card", { state: "paying.card" }, true],
    ["state:pay", { state: "pay" }, false],
    ["state:mail.on,mail.off", { state: ["mail.on", "mail.off"] }, true],
    ["since:2h", { since: "2 hours" }, true],
    ["since:30m", { since: now - hour / 2 }, false],
    ["until:2026-03-01T11:30:00Z", { until: new Date("2026-03-01T11:30:00Z") }, true],
    ['since:"1.5 hours" until:30m', { since: "90 minutes", until: "30m" }, true],
    ["redrives:2", { redrives: 2 }, true],
    ["redrives:>2", { redrives: { min: 3 } }, false],
    ["redrives:<=2", { redrives: { max: 2 } }, true],
    ["status:dropped", { status: "dropped" }, false],
    ["status:any", { status: "any" }, true],
    ['"card declined"', { text: "card declined" }, true],
    ["declined carderror", { text: ["declined", "carderror"] }, true],
    ["declined -card", { text: "declined", not: { text: "card" } }, false],
    ["-expired -stolen", { not: { text: ["expired", "stolen"] } }, true],
    ["-expired -declined", { not: { text: ["expired", "declined"] } }, false],
    [
      'type:order reason:attempts state:paying since:2h -event:CANCEL "card declined"',
      {
        type: "order",
        reason: "attempts",
        state: "paying",
        since: "2h",
        not: { event: "CANCEL" },
        text: "card declined",
      },
      true,
    ],
  ];

  it.each(pairs)("%s says the same as text and as an object", (text, object, expected) => {
    expect(matches(text)).toBe(expected);
    expect(matches(object)).toBe(expected);
  });

  it("takes a state value as an object, of which every part must be as it says", () => {
    expect(matches({ state: { paying: { card: "checking" } } })).toBe(true);
    expect(matches({ state: { paying: "card", mail: "off" } })).toBe(true);
    expect(matches({ state: { paying: "card", mail: "on" } })).toBe(false);
  });

  it("means letters that are dead, unless a status is named", () => {
    expect(matches({}, { status: "redriven" })).toBe(false);
    expect(matches("status:redriven,dropped", { status: "dropped" })).toBe(true);
  });

  it("finds letters of a group, also those that earlier versions have written without a fingerprint", () => {
    expect(matches(`fingerprint:${fingerprint}`, { fingerprint })).toBe(true);
    expect(matches(`fingerprint:${fingerprint}`)).toBe(false);
  });

  it("holds a comma, a colon, spaces and quotes in quotes together", () => {
    expect(matches('id:"a, b:c"', { to: "order/a, b:c" })).toBe(true);
    expect(matches('id:"say \\"hi\\" \\\\"', { to: 'order/say "hi" \\' })).toBe(true);
    expect(matches('"type:cart"', { explanation: "It said type:cart." })).toBe(true);
    expect(matches("id:42/~payment", { to: "order/42/~payment" })).toBe(true);
  });

  it("hands the log what the log can filter by", () => {
    const of = (filter: DeadLetterFilter | string) => compileFilter("Cannot test", filter, now).of;
    expect(of("type:order id:42")).toEqual({ type: "order", id: "42" });
    expect(of("type:order,cart id:42")).toEqual({ id: "42" });
    expect(of({ type: "not a type" })).toEqual({});
    expect(of("-type:order")).toEqual({});
  });

  it("is refused with every problem and the nearest known name", () => {
    expect(problem("typ:order reson:x")).toMatch(
      /^Cannot test: "typ" is no field.*"type"\?.*"reson" is no field.*"reason"\?/,
    );
    expect(problem({ typ: "order", limit: 3 })).toMatch(
      /"typ" is no field of a filter: did you mean "type"\?.*"limit" is no field/,
    );
    expect(problem({ not: { since: "2h" } })).toMatch(/not: "since" is no field/);
    expect(problem("reason:attempt")).toMatch(/reason is "attempt": did you mean "attempts"\?/);
    expect(problem('type:order "card decl')).toMatch(/"card decl has a quote that is not closed/);
    expect(problem("type: order")).toMatch(/type: has no value/);
    expect(problem("type:a,,b")).toMatch(/type:a,,b has no value/);
    expect(problem("since:yesterday")).toMatch(/since is "yesterday": use how long ago/);
    expect(problem("since:1h since:2h")).toMatch(/since:2h: "since" takes one value/);
    expect(problem("-since:1h")).toMatch(/-since:1h cannot be negated/);
    expect(problem("redrives:many")).toMatch(/redrives:many: use a whole number/);
    expect(problem("http://a")).toMatch(/"http" is no field.*To look for it as text, quote it: "http:\/\/a"/);
    expect(problem({ type: [] })).toMatch(/type is an empty list/);
    expect(problem(7)).toMatch(/the filter is 7/);
  });

  it("is never read with an error that is not told, whatever the text", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'ab:,"\\ -!>2hstaeidypno'.split("")), maxLength: 40 }),
        (text) => {
          const told = problem(text);
          expect(told === "none" || told.startsWith("Cannot test: ")).toBe(true);
        },
      ),
    );
  });

  it("reads back any value that was quoted", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.boolean(), (value, isNegated) => {
        const problems: string[] = [];
        const terms = termsOf(` ${isNegated ? "-" : ""}id:${quotedValue(value)} `, problems);
        expect(problems).toEqual([]);
        expect(terms).toMatchObject([{ field: "id", values: [value], isNegated }]);
      }),
    );
  });
});

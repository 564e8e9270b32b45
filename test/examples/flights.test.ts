import { describe, expect, test } from "vitest";
import type { Totals } from "../../examples/flights/airport.ts";
import { isDeadBeforeFix, planOf, repeatedBy, troubleOf } from "../../examples/flights/bad-messages.ts";
import { readFlights, totalsOf } from "../../examples/flights/data.ts";
import { compare, drawTable } from "../../examples/flights/table.ts";

const expected: ReadonlyMap<string, Totals> = new Map([
  ["ATL", { departures: 2, arrivals: 1, delay: 30 }],
  ["ORD", { departures: 1, arrivals: 2, delay: -5 }],
]);

describe("the comparison", () => {
  test("says EXACT when every airport agrees in every number", () => {
    const comparison = compare(expected, new Map(expected));
    expect(comparison.isExact).toBe(true);
    expect(drawTable(comparison)).toContain("EXACT: all 2 airports agree");
  });

  test.each<[string, ReadonlyMap<string, Totals>]>([
    ["a departure too many", new Map([...expected, ["ATL", { departures: 3, arrivals: 1, delay: 30 }]])],
    ["an arrival is missing", new Map([...expected, ["ORD", { departures: 1, arrivals: 1, delay: -5 }]])],
    ["a minute of delay is missing", new Map([...expected, ["ORD", { departures: 1, arrivals: 2, delay: -6 }]])],
    ["an airport is missing", new Map([...expected].slice(1))],
    ["an airport is too many", new Map([...expected, ["XXX", { departures: 0, arrivals: 1, delay: 0 }]])],
    [
      "two errors make up for each other",
      new Map([
        ["ATL", { departures: 1, arrivals: 1, delay: 30 }],
        ["ORD", { departures: 2, arrivals: 2, delay: -5 }],
      ]),
    ],
    ["nothing is held", new Map()],
  ])("does not say EXACT when %s", (_, held) => {
    const comparison = compare(expected, held);
    expect(comparison.isExact).toBe(false);
    expect(drawTable(comparison)).not.toContain("EXACT");
    expect(drawTable(comparison)).toMatch(/DIFFERENT: [12] of [23] airports do not agree/);
  });

  test("does not say EXACT when there is nothing to compare", () => {
    expect(drawTable(compare(new Map(), new Map()))).not.toContain("EXACT");
  });

  test("shows the airports that differ first", async () => {
    const totals = totalsOf(await readFlights(2_000));
    const quiet = [...totals].sort(([, a], [, b]) => a.departures - b.departures)[0]?.[0] as string;
    const held = new Map([...totals, [quiet, { departures: 99, arrivals: 99, delay: 99 }]]);
    expect(drawTable(compare(totals, held)).split("\n")[2]).toMatch(new RegExp(`^ *${quiet} .*≠$`));
  });
});

describe("the plan for what goes wrong", () => {
  test("makes 1 % of the messages bad in three ways and repeats 2 %", async () => {
    const plan = planOf(await readFlights(10_000));
    expect(plan.schema + plan.poison + plan.flaky).toBe(100);
    expect(Math.min(plan.schema, plan.poison, plan.flaky)).toBe(33);
    expect(plan.dead).toBe(plan.schema + plan.poison);
    expect(plan.repeated).toBe(200);
  });

  test("repeats no message that cannot be applied before the fix", async () => {
    const flights = await readFlights(20_000);
    expect(flights.filter((flight) => troubleOf(flight) !== undefined && repeatedBy(flight) !== undefined)).toEqual([]);
    expect(flights.filter(isDeadBeforeFix)).toHaveLength(134);
  });
});

import { describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { saga } from "../../workflows/saga/saga.ts";

const act = { do: () => 1, undo: () => {} };

describe("a plan", () => {
  test("has a row for each step, with what is undone in the order of undoing", () => {
    const { rows } = saga("s")
      .step("a", act)
      .all({ b: act, c: (chain) => chain.step("c1", act).step("c2", { do: () => 1, irreversible: true }) })
      .waitFor("GO", { within: 1000 })
      .pivot("p", { do: () => 1 })
      .step("z", { do: () => 1 })
      .end()
      .plan();
    const step = (name: string, more: object = {}) => ({
      kind: "step",
      step: name,
      isLeft: false,
      isUncertain: false,
      ...more,
    });
    const both = { kind: "all", branches: [[step("b")], [step("c2", { isLeft: true }), step("c1")]] };
    expect(rows.map(({ fails, ends, undone }) => [fails, ends, undone])).toEqual([
      ["a", "compensated", [step("a", { isUncertain: true })]],
      [
        "b",
        "compensated",
        [{ kind: "all", branches: [[step("b", { isUncertain: true })], both.branches[1]] }, step("a")],
      ],
      ["c1", "compensated", [{ kind: "all", branches: [[step("c1", { isUncertain: true })], [step("b")]] }, step("a")]],
      [
        "c2",
        "compensated",
        [
          { kind: "all", branches: [[step("c2", { isUncertain: true, isLeft: true }), step("c1")], [step("b")]] },
          step("a"),
        ],
      ],
      ["GO", "compensated", [both, step("a")]],
      ["p", "stuck-if-unknown", [both, step("a")]],
      ["z", "stuck", []],
    ]);
  });

  test("is a table of a hundred columns, however many steps there are", () => {
    let chain = saga("many").step("step-number-0", act);
    for (let n = 1; n < 12; n++) chain = chain.step(`step-number-${n}`, act) as never;
    const text = String(
      chain
        .pivot("last", { do: () => 1 })
        .end()
        .plan(),
    );
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(text).toContain("Saga many: 13 steps");
    expect(text).toMatch(/step-number-11\?[\s\S]*-> step-number-0/);
  });
});

test("names that would lose their place, or are taken, are refused, all at once", () => {
  const wrong = () =>
    saga("s", { key: 1, input: 2, setle: 3 } as never)
      .step("1", act)
      .step("__proto__", act)
      .all({ input: act, "2": act })
      .waitFor("__proto__")
      .end();
  expect(wrong).toThrow(
    /setle[\s\S]*settle[\s\S]*step "1" must begin with a letter[\s\S]*"__proto__" must begin[\s\S]*"2" must begin[\s\S]*"input" has a name that states of every saga have[\s\S]*event "__proto__" cannot be awaited[\s\S]*input is 2[\s\S]*key is 1/,
  );
  expect(() => saga("s", { settle: "0 seconds" }).step("a", act).end()).not.toThrow();
});

test("results that look like a chain's types, and results of any type, stay what they are", () => {
  const odd = saga("odd")
    .all({ one: { do: () => ({ own: 1, event: "x" }) }, two: { do: () => JSON.parse("1") } })
    .waitFor("GO", { event: z.object({ by: z.string() }) })
    .end(({ results }) => results.one);
  expectTypeOf(odd.start)
    .returns.resolves.toHaveProperty("result")
    .returns.resolves.toEqualTypeOf<{ own: number; event: string }>();
  expectTypeOf(odd["~event"]).toEqualTypeOf<{ type: "GO"; by: string } | undefined>();
  expect(odd.model.nodes).toHaveLength(2);
});

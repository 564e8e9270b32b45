import fc from "fast-check";
import { expect, test } from "vitest";
import { isLiteral, matchesFilter, SubjectIndex, splitSubject } from "../../runtime/memory/subject-index.ts";

const anySubject = fc
  .array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 5 })
  .map((tokens) => tokens.join("."));
const anyFilter = fc
  .tuple(fc.array(fc.constantFrom("a", "b", "c", "*", "*"), { minLength: 1, maxLength: 5 }), fc.boolean())
  .map(([tokens, hasRest]) => [...tokens, ...(hasRest ? [">"] : [])].join("."));

/** The rule as a regular expression. */
const rule = (filter: string): RegExp =>
  new RegExp(`^${filter.replaceAll(".", "\\.").replaceAll("*", "[^.]+").replace(/>$/, ".+")}$`);

test("a filter matches what the rule of NATS says", () => {
  fc.assert(
    fc.property(anyFilter, anySubject, (filter, subject) => {
      expect(matchesFilter(splitSubject(filter), splitSubject(subject))).toBe(rule(filter).test(subject));
    }),
    { numRuns: 2_000 },
  );
});

test("an index finds exactly the values whose filter matches, also after some were removed", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyFilter, fc.boolean()), { maxLength: 12 }), anySubject, (filters, subject) => {
      const index = new SubjectIndex<number>();
      for (const [i, [filter]] of filters.entries()) index.add(filter, i);
      for (const [i, [filter, isRemoved]] of filters.entries()) if (isRemoved) index.remove(filter, i);
      const found: number[] = [];
      index.match(splitSubject(subject), (value) => found.push(value));
      const expected = filters.flatMap(([filter, isRemoved], i) =>
        !isRemoved && rule(filter).test(subject) ? [i] : [],
      );
      expect(found.sort((a, b) => a - b)).toEqual(expected);
    }),
    { numRuns: 2_000 },
  );
});

test("a filter is literal when no token is a wildcard", () => {
  expect(["a.b", "a.*b", "a.>.b", "*", "a.*.b", ">", "a.>"].map(isLiteral)).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
    false,
  ]);
});

import { describe, expect, it } from "vitest";
import { type FingerprintSource, fingerprintOfLetter } from "../../runtime/core/fingerprint-of-letter.ts";

const base: FingerprintSource = {
  to: "order/42",
  reason: "attempts",
  explanation: "All 3 attempts failed.",
  event: "PAY",
  attempts: [{ at: 1, node: "n", error: { name: "Error", message: 'No stock of "A-17" for order/42 (7 of 12)' } }],
  state: { revision: 4, value: { paying: "card" } },
};

function failing(message: string, name = "Error"): FingerprintSource {
  return { ...base, attempts: [{ at: 9, node: "other", error: { name, message } }] };
}

describe("the fingerprint of a letter", () => {
  const of = fingerprintOfLetter(base);

  it("is the same for other actors, numbers, ids, times, nodes and revisions", () => {
    expect(of).toMatch(/^[0-9a-f]{12}$/);
    expect(
      fingerprintOfLetter({
        ...failing('No stock of "B-2" for order/alice (1 of 2)'),
        to: "order/alice",
        state: { revision: 900, value: { paying: "card" } },
        explanation: "All 5 attempts failed.",
      }),
    ).toBe(of);
  });

  it("differs by type, reason, event, state, error and words", () => {
    const others = [
      { ...base, to: "cart/42" },
      { ...base, reason: "terminal" as const },
      { ...base, event: "CANCEL" },
      { ...base, state: { revision: 4, value: "paying" } },
      failing('No stock of "A-17" for order/42 (7 of 12)', "TypeError"),
      failing("No room left"),
    ].map(fingerprintOfLetter);
    expect(new Set([of, ...others]).size).toBe(7);
  });

  it("is made of the explanation where no attempt was made", () => {
    const refused = (explanation: string, to = "order/1"): string =>
      fingerprintOfLetter({ to, reason: "schema", explanation, attempts: [], event: "PAY" });
    expect(refused('Event "PAY" for order/1 was refused: amount.')).toBe(
      refused('Event "PAY" for order/2 was refused: amount.', "order/2"),
    );
    expect(refused("amount is missing.")).not.toBe(refused("card is missing."));
  });
});

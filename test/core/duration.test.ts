import * as Duration from "effect/Duration";
import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import { type DurationInput, type EffectDuration, readDurationMs } from "../../runtime/core/duration.ts";
import { RetryableError } from "../../runtime/core/errors.ts";

const units = ["milli", "millis", "second", "seconds", "minute", "minutes", "hour", "hours", "day", "days"] as const;

describe("a duration in the lowest floor", () => {
  it("is read as Effect reads it", () => {
    const number = fc.integer({ min: -1000, max: 100_000 }).map((n) => n / 8);
    fc.assert(
      fc.property(number, fc.constantFrom(...units, "week", "weeks"), (n, unit) => {
        const ms = Duration.toMillis(Duration.fromInputUnsafe(`${n} ${unit}`));
        expect(readDurationMs(`${n} ${unit}`)).toBe(n < 0 ? undefined : Math.round(ms));
      }),
    );
  });

  it.each([
    [0, 0],
    [1.4, 1],
    [Duration.seconds(3), 3000],
    [Duration.nanos(2_000_000n), 2],
    ["90  seconds", 90_000],
  ])("%o is %o ms", (value, ms) => {
    expect(readDurationMs(value)).toBe(ms);
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, Duration.infinity, "soon", "5", "5 parsecs", null, undefined, {}])(
    "%o is none",
    (value) => {
      expect(readDurationMs(value)).toBeUndefined();
    },
  );

  it("is typed", () => {
    expectTypeOf<DurationInput>().toExtend<Duration.Input>();
    expectTypeOf<Duration.Duration>().toExtend<EffectDuration>();
    // @ts-expect-error there is no such unit
    const error = new RetryableError("busy", { retryAfter: "5 parsecs" });
    expect(error.retryAfterMs).toBeUndefined();
  });
});

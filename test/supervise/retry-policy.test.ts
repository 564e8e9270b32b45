import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Schedule from "effect/Schedule";
import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import {
  CorruptRecordError,
  InvalidEventError,
  InvalidOptionsError,
  LogUnavailableError,
  NotStorableError,
  PayloadTooLargeError,
  RetryableError,
  TerminalError,
} from "../../runtime/core/errors.ts";
import { classifyFailure } from "../../runtime/supervise/classify-failure.ts";
import type { Failure, Jitter, RetryState } from "../../runtime/supervise/retry-delays.ts";
import {
  type CompiledRetryPolicy,
  compileRetryPolicy,
  type RetryDecision,
  type RetryPolicyInput,
} from "../../runtime/supervise/retry-policy.ts";

const broken = new Error("the warehouse does not answer");

function failure(parts: Partial<Failure> = {}): Failure {
  return { error: broken, attempt: 1, nowMs: 1_000_000, elapsedMs: 0, random: () => 0.5, ...parts };
}

/** Fails again and again as a message would, until the policy gives up; returns the delays and the last word. */
function series(policy: CompiledRetryPolicy, parts: Partial<Failure> = {}, atMost = 20) {
  const delays: number[] = [];
  let state: RetryState | undefined;
  let elapsedMs = 0;
  for (let attempt = 1; attempt <= atMost; attempt++) {
    const nowMs = 1_000_000 + elapsedMs;
    const decision = policy.next(state, failure({ ...parts, attempt, nowMs, elapsedMs }));
    if (!decision.retry) return { delays, end: decision };
    delays.push(decision.delayMs);
    elapsedMs += decision.delayMs;
    state = decision.state;
  }
  return { delays, end: undefined };
}

const delaysOf = (input: RetryPolicyInput, parts: Partial<Failure> = {}) =>
  series(compileRetryPolicy(input), parts).delays;

function problemsOf(input: unknown): readonly string[] {
  try {
    compileRetryPolicy(input as RetryPolicyInput);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidOptionsError);
    return (error as InvalidOptionsError).details.problems as readonly string[];
  }
  return [];
}

describe("a policy as plain data", () => {
  it.each<[string, RetryPolicyInput, number, number[]]>([
    ["the defaults without jitter", { jitter: "none" }, 0, [200, 400, 800, 1600]],
    ["the defaults, whose jitter is full, in the middle", {}, 0.5, [100, 200, 400, 800]],
    ["full jitter at its lowest", { jitter: "full" }, 0, [0, 0, 0, 0]],
    ["equal jitter at its lowest", { jitter: "equal" }, 0, [100, 200, 400, 800]],
    ["equal jitter in the middle", { jitter: "equal" }, 0.5, [150, 300, 600, 1200]],
    ["decorrelated jitter at its lowest", { jitter: "decorrelated" }, 0, [200, 200, 200, 200]],
    ["decorrelated jitter in the middle", { jitter: "decorrelated" }, 0.5, [400, 700, 1150, 1825]],
    [
      "a series that meets its cap",
      { base: "1 second", factor: 3, cap: "10 seconds", jitter: "none", maxAttempts: 6 },
      0,
      [1000, 3000, 9000, 10_000, 10_000],
    ],
    ["a base above the default cap", { base: "1 minute", jitter: "none", maxAttempts: 4 }, 0, [60_000, 60_000, 60_000]],
    ["one attempt", { maxAttempts: 1 }, 0, []],
    ["a fixed backoff", { backoff: "fixed", base: "1 second" }, 0, [1000, 1000, 1000, 1000]],
    ["a fixed backoff with full jitter", { backoff: "fixed", jitter: "full" }, 0.25, [50, 50, 50, 50]],
    ["a fixed backoff above the default cap", { backoff: "fixed", base: "1 minute", maxAttempts: 2 }, 0, [60_000]],
    ["an immediate backoff", { backoff: "immediate", maxAttempts: 3 }, 0.9, [0, 0]],
    ["immediate, in a word", "immediate", 0.9, [0, 0, 0, 0]],
    ["never, in a word", "never", 0.9, []],
    ["an exponential backoff, named", { backoff: "exponential", jitter: "none" }, 0, [200, 400, 800, 1600]],
    ["a base of nothing", { base: 0, jitter: "none", maxAttempts: 4 }, 0, [0, 0, 0]],
  ])("gives the delays of %s", (_, input, drawn, delays) => {
    expect(delaysOf(input, { random: () => drawn })).toEqual(delays);
  });

  it("gives up after as many attempts as it allows, the first included", () => {
    const { end } = series(compileRetryPolicy({ maxAttempts: 3 }));
    expect(end).toEqual({
      retry: false,
      reason: "attempts",
      explanation: "All 3 attempts that the policy allows failed; the last: Error: the warehouse does not answer",
    });
  });

  it("never gives up with endless attempts", () => {
    const policy = compileRetryPolicy({ maxAttempts: Number.POSITIVE_INFINITY, jitter: "none" });
    expect(policy.next(undefined, failure({ attempt: 1e9 }))).toMatchObject({ retry: true, delayMs: 30_000 });
  });

  it("starts no attempt later than maxElapsed after the first", () => {
    const policy = compileRetryPolicy({ jitter: "none", maxElapsed: "1 second", maxAttempts: 99 });
    const { delays, end } = series(policy);
    expect(delays).toEqual([200, 400]);
    expect(end).toMatchObject({ retry: false, reason: "attempts" });
    expect(end?.explanation).toContain("maxElapsed of 1000 ms");
  });

  it("goes on from the number of the attempt when its state is lost", () => {
    const policy = compileRetryPolicy({ jitter: "none" });
    expect(policy.next(undefined, failure({ attempt: 4 }))).toMatchObject({ delayMs: 1600 });
    const decorrelated = compileRetryPolicy({ jitter: "decorrelated" });
    expect(decorrelated.next(undefined, failure({ attempt: 4 }))).toMatchObject({ delayMs: 1825 });
  });
});

describe("jitter", () => {
  const numbers = fc.record({
    base: fc.integer({ min: 0, max: 100_000 }),
    factor: fc.double({ min: 1, max: 10, noNaN: true }),
    more: fc.integer({ min: 0, max: 1_000_000 }),
    draws: fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 12, maxLength: 12 }),
  });

  function bounded(
    jitter: Jitter,
    bounds: (grownMs: number, previousMs: number, base: number, cap: number) => [number, number],
  ) {
    fc.assert(
      fc.property(numbers, ({ base, factor, more, draws }) => {
        const cap = base + more;
        let drawn = 0;
        const policy = compileRetryPolicy({
          base,
          cap,
          jitter,
          maxAttempts: 13,
          ...(jitter === "decorrelated" ? {} : { factor }),
        });
        const { delays } = series(policy, { random: () => draws[drawn++] as number });
        expect(delays).toHaveLength(12);
        let previousMs = base;
        delays.forEach((delayMs, i) => {
          const [low, high] = bounds(Math.min(cap, base * factor ** i), previousMs, base, cap);
          expect(delayMs).toBeGreaterThanOrEqual(Math.round(low));
          expect(delayMs).toBeLessThanOrEqual(Math.round(high));
          expect(delayMs).toBeLessThanOrEqual(cap);
          previousMs = delayMs;
        });
      }),
    );
  }

  it("none: every delay is the grown one", () => bounded("none", (grown) => [grown, grown]));
  it("full: between nothing and the grown delay", () => bounded("full", (grown) => [0, grown]));
  it("equal: between half of the grown delay and all of it", () => bounded("equal", (grown) => [grown / 2, grown]));
  it("decorrelated: between the base and three times the delay before, and never above the cap", () =>
    bounded("decorrelated", (_, previous, base, cap) => [
      Math.min(base, cap),
      Math.min(cap, Math.max(base, previous * 3)),
    ]));

  it("gives the same delays for the same draws", () => {
    fc.assert(
      fc.property(numbers, fc.constantFrom<Jitter>("full", "equal", "decorrelated"), ({ base, draws }, jitter) => {
        const once = () => {
          let drawn = 0;
          return delaysOf({ base, jitter, maxAttempts: 9 }, { random: () => draws[drawn++] as number });
        };
        expect(once()).toEqual(once());
      }),
    );
  });
});

describe("a policy as an Effect Schedule", () => {
  it("takes delays and end from the schedule", () => {
    const { delays, end } = series(
      compileRetryPolicy(Schedule.exponential("100 millis").pipe(Schedule.upTo({ times: 4 }))),
    );
    expect(delays).toEqual([100, 200, 400, 800]);
    expect(end).toMatchObject({
      reason: "attempts",
      explanation: expect.stringContaining("schedule ended after attempt 5"),
    });
  });

  it("lets the schedule limit the time, by the time of the failures", () => {
    expect(delaysOf(Schedule.spaced("10 seconds").pipe(Schedule.upTo({ duration: "30 seconds" })))).toEqual([
      10_000, 10_000, 10_000, 10_000,
    ]);
  });

  it("limits the attempts besides", () => {
    const policy = compileRetryPolicy({ schedule: Schedule.spaced("1 second"), maxAttempts: 3 });
    expect(policy.maxAttempts).toBe(3);
    expect(series(policy).delays).toEqual([1000, 1000]);
  });

  it("limits the time besides, from the first attempt", () => {
    const policy = compileRetryPolicy({ schedule: Schedule.spaced("1 second"), maxElapsed: "2500 millis" });
    const { delays, end } = series(policy);
    expect(delays).toEqual([1000, 1000]);
    expect(end?.explanation).toContain("maxElapsed of 2500 ms");
  });

  it("draws the schedule's own jitter from the randomness that is handed in", () => {
    const schedule = Schedule.spaced("1 second").pipe(Schedule.jittered, Schedule.upTo({ times: 2 }));
    expect(delaysOf(schedule, { random: () => 0 })).toEqual([800, 800]);
    expect(delaysOf(schedule, { random: () => 0.75 })).toEqual([1100, 1100]);
  });

  it("steps the schedule with the error", () => {
    const schedule = Schedule.spaced("1 second").pipe(Schedule.while(({ input }) => Effect.succeed(input === broken)));
    const policy = compileRetryPolicy(schedule);
    expect(policy.next(undefined, failure())).toMatchObject({ retry: true, delayMs: 1000 });
    expect(policy.next(undefined, failure({ error: "else" }))).toMatchObject({ retry: false, reason: "attempts" });
  });

  it("gives the same answer when a decision is made anew", () => {
    const policy = compileRetryPolicy(Schedule.exponential(100).pipe(Schedule.jittered, Schedule.upTo({ times: 5 })));
    const first = policy.next(undefined, failure({ random: () => 0.2 })) as RetryDecision & { retry: true };
    const second = () =>
      policy.next(first.state, failure({ attempt: 2, random: () => 0.5 })) as RetryDecision & { retry: true };
    const [a, b] = [second(), second()];
    expect(a.delayMs).toBe(200);
    expect(b.delayMs).toBe(200);
    for (const { state } of [b, a, b]) {
      expect(policy.next(state, failure({ attempt: 3, random: () => 0.5 }))).toMatchObject({
        retry: true,
        delayMs: 400,
      });
    }
  });

  it("goes on from the number of the attempt when its state is lost", () => {
    const policy = compileRetryPolicy(Schedule.exponential(100).pipe(Schedule.upTo({ times: 4 })));
    expect(policy.next(undefined, failure({ attempt: 4 }))).toMatchObject({ retry: true, delayMs: 800 });
    expect(policy.next(undefined, failure({ attempt: 5 }))).toMatchObject({ retry: false, reason: "attempts" });
    const timed = compileRetryPolicy(Schedule.spaced(10).pipe(Schedule.upTo({ duration: "1 minute" })));
    expect(timed.next(undefined, failure({ attempt: 3, elapsedMs: 59_000 }))).toMatchObject({ retry: true });
    expect(timed.next(undefined, failure({ attempt: 3, elapsedMs: 61_000 }))).toMatchObject({ retry: false });
  });

  it("ends the retries, in words, when the schedule itself fails, waits or asks for an endless delay", () => {
    const spaced = Schedule.spaced(10);
    const throwing = Schedule.modifyDelay(spaced, () => {
      throw new Error("a bug in the schedule");
    });
    const waiting = Schedule.modifyDelay(spaced, () => Effect.promise(async () => Duration.millis(1)));
    const endless = Schedule.spaced("Infinity");
    expect(series(compileRetryPolicy(throwing)).end).toMatchObject({
      reason: "terminal",
      explanation: expect.stringContaining("a bug in the schedule"),
    });
    expect(series(compileRetryPolicy(waiting)).end).toMatchObject({ reason: "terminal" });
    expect(series(compileRetryPolicy(endless)).end).toMatchObject({
      reason: "attempts",
      explanation: expect.stringContaining("endless delay"),
    });
  });

  it("is typed: a schedule that needs services or can fail is not taken", () => {
    expectTypeOf(Schedule.exponential(10)).toExtend<RetryPolicyInput>();
    expectTypeOf<Schedule.Schedule<number, unknown, Error>>().not.toExtend<RetryPolicyInput>();
    expectTypeOf<Schedule.Schedule<number, unknown, never, "service">>().not.toExtend<RetryPolicyInput>();
  });
});

describe("what an error says about itself", () => {
  it.each([
    new TerminalError("sold out"),
    new NotStorableError("a function"),
    new PayloadTooLargeError("too much"),
    new CorruptRecordError("cut off"),
    new InvalidEventError("no type"),
  ])("ends the retries at once: $_tag", (error) => {
    const policy = compileRetryPolicy({ retryIf: () => true });
    expect(policy.next(undefined, failure({ error }))).toEqual({
      retry: false,
      reason: "terminal",
      explanation: `Trying again cannot help: ${error._tag}: ${error.message}`,
    });
  });

  it("goes by the tag, so that an error revived from JSON counts as well", () => {
    expect(classifyFailure({ _tag: "TerminalError", message: "sold out" })).toBe("terminal");
    expect(
      compileRetryPolicy().next(undefined, failure({ error: { _tag: "RetryableError", retryAfterMs: 7 } })),
    ).toMatchObject({ delayMs: 7 });
  });

  it.each([
    broken,
    "a string",
    undefined,
    null,
    { _tag: 3 },
    new LogUnavailableError("gone"),
    new RetryableError("busy"),
  ])("leaves everything else to the policy: %s", (error) => {
    expect(classifyFailure(error)).toBe("transient");
    expect(compileRetryPolicy().next(undefined, failure({ error }))).toMatchObject({ retry: true });
  });

  it("takes the delay that a RetryableError asks for, and counts the attempt", () => {
    const error = new RetryableError("busy", { retryAfter: 90_000 });
    const { delays, end } = series(compileRetryPolicy({ cap: "1 second", maxAttempts: 3 }), { error });
    expect(delays).toEqual([90_000, 90_000]);
    expect(end).toMatchObject({ reason: "attempts" });
    expect(delaysOf(Schedule.recurs(2), { error })).toEqual([90_000, 90_000]);
  });

  it("keeps the policy's delay when the delay asked for is not one", () => {
    for (const retryAfterMs of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      const error = new RetryableError("busy", { retryAfter: retryAfterMs });
      expect(delaysOf({ jitter: "none", maxAttempts: 2 }, { error })).toEqual([200]);
    }
  });
});

describe("retryIf", () => {
  const policy = compileRetryPolicy({ retryIf: (error) => !(error instanceof TypeError) });

  it("ends the retries for errors that it refuses", () => {
    expect(policy.next(undefined, failure({ error: new TypeError("x is not a function") }))).toEqual({
      retry: false,
      reason: "terminal",
      explanation: "The policy's retryIf says not to try again: TypeError: x is not a function",
    });
    expect(policy.next(undefined, failure())).toMatchObject({ retry: true });
  });

  it("is not asked about an error that asks for the retry itself", () => {
    const never = compileRetryPolicy({ schedule: Schedule.spaced(10), retryIf: () => false });
    expect(never.next(undefined, failure({ error: new RetryableError("busy") }))).toMatchObject({ retry: true });
  });

  it("counts as a yes when it throws", () => {
    const throwing = compileRetryPolicy({ retryIf: (error) => (error as { response: { ok: boolean } }).response.ok });
    expect(throwing.next(undefined, failure())).toMatchObject({ retry: true });
  });
});

describe("a policy that cannot be used", () => {
  it("is refused with all its problems at once", () => {
    const input = {
      base: "5 parsecs",
      factor: 0.5,
      cap: -1,
      jitter: "ful",
      maxAttempts: 0,
      maxElapsed: Number.NaN,
      retryIf: true,
      maxAtempts: 3,
    };
    expect(problemsOf(input)).toEqual([
      'retry.maxAtempts is not an option: did you mean "maxAttempts"?',
      'retry.base is "5 parsecs": use milliseconds from 0, or a duration such as "5 seconds"',
      'retry.cap is -1: use milliseconds from 0, or a duration such as "5 seconds"',
      'retry.jitter is "ful": did you mean "full"?',
      "retry.factor is 0.5: use a number from 1",
      'retry.maxElapsed is NaN: use milliseconds from 0, or a duration such as "5 seconds"',
      "retry.maxAttempts is 0: use a whole number from 1 (the first attempt counts), or Infinity",
      "retry.retryIf is true: use a function of the error that returns true or false",
    ]);
  });

  it.each<[unknown, string]>([
    [{ base: { secs: 1 } }, "retry.base"],
    [{ cap: "Infinity" }, "retry.cap"],
    [{ base: 500, cap: 100 }, "retry.cap of 100 ms is below the base of 500 ms"],
    [{ jitter: "decorrelated", factor: 2 }, "retry.factor has no effect"],
    [{ backoff: "fixed", factor: 2 }, 'retry.factor has no effect with backoff "fixed": leave it out'],
    [{ backoff: "fixed", cap: 500 }, 'retry.cap has no effect with backoff "fixed"'],
    [{ backoff: "fixed", jitter: "decorrelated" }, 'retry.jitter is "decorrelated", whose delays grow'],
    [{ backoff: "immediate", base: 5 }, 'retry.base has no effect with backoff "immediate"'],
    [{ backoff: "immediate", jitter: "none" }, 'retry.jitter has no effect with backoff "immediate"'],
    [{ backoff: "linear" }, 'retry.backoff is "linear": use "exponential", "fixed" or "immediate"'],
    [{ backoff: "exponental" }, 'retry.backoff is "exponental": did you mean "exponential"?'],
    [{ schedule: Schedule.spaced(1), backoff: "fixed" }, "retry.backoff has no effect beside retry.schedule"],
    [{ schedule: Schedule.spaced(1), maxElapsed: -1 }, "retry.maxElapsed is -1"],
    ["immediatly", 'retry is "immediatly": did you mean "immediate"?'],
    ["toString", 'retry is "toString": use'],
    [{ schedule: 3 }, "retry.schedule is 3"],
    [{ schedule: Schedule.spaced(1), base: 1 }, "retry.base has no effect beside retry.schedule"],
    [{ somethingElseAltogether: 1 }, "retry.somethingElseAltogether is not an option: use"],
    [{ maxAttempts: 2.5 }, "retry.maxAttempts is 2.5"],
    ["often", 'retry is "often"'],
    [null, "retry is null"],
  ])("names what is wrong with %o", (input, problem) => {
    expect(problemsOf(input).join("; ")).toContain(problem);
  });

  it("is typed: what has no effect is not taken", () => {
    // @ts-expect-error the delay does not grow
    const fixed: RetryPolicyInput = { backoff: "fixed", factor: 2 };
    // @ts-expect-error there is no delay
    const immediate: RetryPolicyInput = { backoff: "immediate", base: 5 };
    for (const input of [fixed, immediate]) expect(problemsOf(input)).toHaveLength(1);
    expectTypeOf<"often">().not.toExtend<RetryPolicyInput>();
  });

  it("names the option by the path that it has", () => {
    expect(() => compileRetryPolicy({ maxAttempts: 0 }, "activities.charge.retry")).toThrow(
      "activities.charge.retry.maxAttempts is 0",
    );
  });
});

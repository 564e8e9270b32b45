/**
 * The series of delays between attempts: computed from plain numbers, or taken from an Effect Schedule.
 *
 * 1. Nothing here reads a clock or a source of randomness: both come with the failure, so the same arguments give the same delay.
 * 2. A state may be used again: a decision that is thrown away and made anew continues from the same place in the series.
 * 3. A state is kept in memory only. When it is lost, the series goes on from the number of the attempt.
 */
import * as Cause from "effect/Cause";
import * as Clock from "effect/Clock";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Pull from "effect/Pull";
import * as Random from "effect/Random";
import * as Schedule from "effect/Schedule";

/** How much of a computed delay is left to chance; the formulas are at {@link computedDelays}. */
export type Jitter = "full" | "equal" | "decorrelated" | "none";

/** All kinds of {@link Jitter}. */
export const jitters: readonly Jitter[] = ["full", "equal", "decorrelated", "none"];

/** A failed attempt, with everything that a policy may look at. */
export interface Failure {
  readonly error: unknown;
  /** Number of the attempt that failed; the first is 1. */
  readonly attempt: number;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** Since the first attempt began. */
  readonly elapsedMs: number;
  /** Uniform in [0, 1), as `Math.random`; a seeded one makes the delays repeatable. */
  readonly random: () => number;
}

/** Where a series of delays stands; opaque, in memory only. */
export type RetryState = { readonly __retryState: never };

/** The next delay, or why there is none. */
export type NextDelay =
  | { readonly ended: false; readonly delayMs: number; readonly state: RetryState }
  | { readonly ended: true; readonly reason: "attempts" | "terminal"; readonly explanation: string };

/** Gives the delay after a failure; `state` is what it returned for the failure before, undefined at the first or after a restart. */
export type Delays = (state: RetryState | undefined, failure: Failure) => NextDelay;

/** The numbers of a computed series, in milliseconds. */
export interface DelayNumbers {
  readonly baseMs: number;
  readonly factor: number;
  readonly capMs: number;
  readonly jitter: Jitter;
}

/**
 * Makes a series that grows from `baseMs` by `factor` up to `capMs`.
 *
 * Details: With `d(n) = min(cap, base * factor^(n-1))` after attempt n, and `random(a, b)` uniform:
 *
 * | jitter | delay after attempt n |
 * |---|---|
 * | `none` | `d(n)` |
 * | `full` | `random(0, d(n))` |
 * | `equal` | `d(n) / 2 + random(0, d(n) / 2)` |
 * | `decorrelated` | `min(cap, random(base, 3 * previous))`, the first `previous` being `base`; `factor` plays no part |
 *
 * Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015; there attempts count from 0.
 */
export function computedDelays({ baseMs, factor, capMs, jitter }: DelayNumbers): Delays {
  const grown = (attempt: number): number => (baseMs === 0 ? 0 : Math.min(capMs, baseMs * factor ** (attempt - 1)));
  const decorrelated = (previousMs: number, random: () => number): number =>
    Math.min(capMs, baseMs + random() * (previousMs * 3 - baseMs));
  const after = (state: number | undefined, { attempt, random }: Failure): number => {
    switch (jitter) {
      case "none":
        return grown(attempt);
      case "full":
        return random() * grown(attempt);
      case "equal":
        return grown(attempt) / 2 + (random() * grown(attempt)) / 2;
      case "decorrelated": {
        let previousMs = state ?? baseMs;
        // A lost state is drawn again; the chain forgets where it began within a few steps.
        if (state === undefined)
          for (let n = Math.min(attempt, 32); n > 1; n--) previousMs = decorrelated(previousMs, random);
        return decorrelated(previousMs, random);
      }
    }
  };
  return (state, failure) => {
    const delayMs = Math.round(after(state as number | undefined, failure));
    // The state of a computed series is the delay before; callers see it as opaque.
    return { ended: false, delayMs, state: delayMs as unknown as RetryState };
  };
}

/** A schedule that any error may drive, without services and without failures of its own. */
export type RetrySchedule = Schedule.Schedule<unknown>;

/** What a schedule was stepped with, so that it can be stepped again in the same way. */
interface ScheduleInput {
  readonly nowMs: number;
  readonly error: unknown;
  readonly draws: number[];
}

interface ScheduleRun {
  readonly step: ScheduleStep;
  /** All steps taken, oldest first. */
  readonly inputs: ScheduleInput[];
}

interface ScheduleState {
  readonly run: ScheduleRun;
  readonly position: number;
}

type ScheduleStep = (nowMs: number, error: unknown) => Pull.Pull<[unknown, Duration.Duration], unknown, unknown>;

/**
 * Makes a series from an Effect Schedule, which is stepped with the error of every failure.
 *
 * Details: Time and randomness that the schedule reads through Effect are those of the failure. A schedule measures from the first failure,
 * not from the first attempt.
 *
 * Gotchas: A schedule that fails, throws, waits for something asynchronous, or gives an endless delay ends the series, and the explanation
 * says so. After a restart the schedule is stepped through the attempts that were lost, with the error at hand.
 */
export function scheduledDelays(schedule: RetrySchedule): Delays {
  const start = (): ScheduleRun => ({ step: Effect.runSync(Schedule.toStep(schedule)), inputs: [] });
  return (state, failure) => {
    try {
      const run =
        state === undefined ? caughtUp(start(), failure) : continued(state as unknown as ScheduleState, start);
      const input: ScheduleInput = { nowMs: failure.nowMs, error: failure.error, draws: [] };
      const exit = takeStep(run, input, failure.random);
      if (Exit.isSuccess(exit)) {
        const delayMs = Duration.toMillis(exit.value[1]);
        if (!Number.isFinite(delayMs))
          return ended("attempts", `The retry schedule asks for an endless delay after attempt ${failure.attempt}.`);
        const next: ScheduleState = { run, position: run.inputs.length };
        return { ended: false, delayMs: Math.max(0, Math.round(delayMs)), state: next as unknown as RetryState };
      }
      if (Pull.isDoneCause(exit.cause))
        return ended("attempts", `The retry schedule ended after attempt ${failure.attempt}.`);
      throw Cause.squash(exit.cause);
    } catch (error) {
      return ended(
        "terminal",
        `The retry schedule itself failed after attempt ${failure.attempt}: ${messageOf(error)}`,
      );
    }
  };
}

/** Steps a new run through the attempts before this one; the times are spread evenly over what has elapsed. */
function caughtUp(run: ScheduleRun, { attempt, nowMs, elapsedMs, error, random }: Failure): ScheduleRun {
  for (let n = 1; n < attempt; n++) {
    const exit = takeStep(run, { nowMs: nowMs - elapsedMs * (1 - (n - 1) / (attempt - 1)), error, draws: [] }, random);
    if (Exit.isFailure(exit)) break;
  }
  return run;
}

/** A run that stands at the state's position. A step function is mutable: when it has gone on already, its past is stepped again. */
function continued({ run, position }: ScheduleState, start: () => ScheduleRun): ScheduleRun {
  if (run.inputs.length === position) return run;
  const again = start();
  for (const input of run.inputs.slice(0, position)) {
    const draws = [...input.draws];
    takeStep(again, { ...input, draws: [] }, () => draws.shift() ?? 0);
  }
  return again;
}

function takeStep(
  run: ScheduleRun,
  input: ScheduleInput,
  random: () => number,
): Exit.Exit<[unknown, Duration.Duration], unknown> {
  run.inputs.push(input);
  const draw = (): number => {
    const drawn = random();
    input.draws.push(drawn);
    return drawn;
  };
  return Effect.runSyncExit(
    Effect.suspend(() => run.step(input.nowMs, input.error)).pipe(
      Effect.provideService(Random.Random, {
        nextDoubleUnsafe: draw,
        nextIntUnsafe: () =>
          Math.floor(draw() * (Number.MAX_SAFE_INTEGER - Number.MIN_SAFE_INTEGER + 1)) + Number.MIN_SAFE_INTEGER,
      }),
      Effect.provideService(Clock.Clock, stoppedClock(input.nowMs)),
    ),
  );
}

/** A clock that stands still. */
function stoppedClock(nowMs: number): Clock.Clock {
  const nanos = BigInt(Math.round(nowMs)) * 1_000_000n;
  return {
    currentTimeMillisUnsafe: () => nowMs,
    currentTimeMillis: Effect.succeed(nowMs),
    currentTimeNanosUnsafe: () => nanos,
    currentTimeNanos: Effect.succeed(nanos),
    monotonicTimeNanosUnsafe: () => nanos,
    monotonicTimeNanos: Effect.succeed(nanos),
    sleep: () => Effect.die(new Error("it sleeps between its steps, where it must return a delay")),
  };
}

function ended(reason: "attempts" | "terminal", explanation: string): NextDelay {
  return { ended: true, reason, explanation };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

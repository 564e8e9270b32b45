import * as Effect from "effect/Effect";
import * as Schedule from "effect/Schedule";
import * as EffectSchema from "effect/Schema";
import { describe, expect, expectTypeOf, it } from "vitest";
import { assign, createActor, fromPromise, setup, toPromise, waitFor } from "xstate";
import { z } from "zod";
import {
  type ActivityDefinition,
  type ActivityRun,
  defineActivity,
  isActivityDefinition,
} from "../../actors/define-activity.ts";
import { RetryableError, TerminalError } from "../../runtime/core/errors.ts";
import { defaultHeartbeatMs, runnableOf } from "../../runtime/engine/activities.ts";
import { activityMetaOf } from "../../runtime/machine/activity-meta.ts";
import { withIdempotencyKey } from "../../runtime/machine/keyed-input.ts";
import type { RetryPolicyInput } from "../../runtime/supervise/retry-policy.ts";

const run = async () => {};

describe("defineActivity", () => {
  it("keeps what was defined, with defaults for the rest", () => {
    const plain = runnableOf(defineActivity("plain", { run }));
    expect(plain).toMatchObject({
      name: "plain",
      attemptTimeoutMs: undefined,
      timeoutMs: undefined,
      heartbeatMs: defaultHeartbeatMs,
      limits: { concurrency: undefined, rate: undefined },
      perKey: undefined,
      retry: { maxAttempts: 5 },
    });
    const full = defineActivity("full", {
      retry: { maxAttempts: 2 },
      attemptTimeout: "10 seconds",
      timeout: "1 minute",
      heartbeat: 5000,
      concurrency: 10,
      rate: { count: 100, per: "1 second" },
      key: () => "k",
      perKey: { concurrency: 1 },
      run,
    });
    expect(runnableOf(full)).toMatchObject({
      attemptTimeoutMs: 10_000,
      timeoutMs: 60_000,
      heartbeatMs: 5000,
      limits: { concurrency: 10, rate: { count: 100, perMs: 1000 } },
      perKey: { concurrency: 1, rate: undefined },
      retry: { maxAttempts: 2 },
    });
    expect(activityMetaOf(full)).toEqual({ name: "full", timeoutMs: 60_000 });
    expect([full.activity, isActivityDefinition(full), isActivityDefinition(fromPromise(run))]).toEqual([
      "full",
      true,
      false,
    ]);
  });

  it("reports all problems of its options at once, and the nearest name of what is no option", () => {
    const wrong = {
      inputs: z.string(),
      output: "text",
      retry: { maxAttempt: 3 },
      attemptTimeout: "soon",
      heartbeat: 10,
      concurrency: 0,
      rate: { count: 1.5, per: 0, burst: 2 },
      perKey: {},
      run: "fetch",
    };
    expect(() => defineActivity("wrong", wrong as never)).toThrowError(
      expect.objectContaining({
        _tag: "InvalidOptionsError",
        details: {
          problems: [
            'inputs is not an option: did you mean "input"?',
            'run is "fetch": use the function that does the work',
            'output is "text": use a Standard Schema or an Effect Schema',
            'retry.maxAttempt is not an option: did you mean "maxAttempts"?',
            'attemptTimeout is "soon": use milliseconds from 0, or a duration such as "5 seconds"',
            "heartbeat is 10 ms: use at least 1000 ms",
            "concurrency is 0: use a whole number from 1",
            'rate.burst is not an option: use "count" or "per"',
            "rate.count is 1.5: use a whole number from 1",
            "rate.per is 0 ms: use at least 1 ms",
            "perKey limits nothing: give it a concurrency or a rate",
            "perKey has no effect without key: add key, a function of the input",
          ],
        },
      }),
    );
    expect(() => defineActivity("alone", { run, key: () => "k" })).toThrowError(/key has no effect without perKey/);
    expect(() => defineActivity("none", undefined as never)).toThrowError(/the options are undefined/);
  });

  it.each(["", "1st", "charge card", "a.b", "x".repeat(65)])("refuses the name %j", (name) => {
    expect(() => defineActivity(name, { run })).toThrowError(expect.objectContaining({ _tag: "InvalidNameError" }));
  });

  it("takes every kind of retry policy", () => {
    const attempts = (retry: RetryPolicyInput) =>
      runnableOf(defineActivity("charge", { retry, run }))?.retry.maxAttempts;
    expect(attempts("never")).toBe(1);
    expect(attempts("immediate")).toBe(5);
    expect(attempts({ backoff: "fixed", base: "1 second", maxAttempts: 3 })).toBe(3);
    expect(attempts(Schedule.spaced("1 second"))).toBe(Number.POSITIVE_INFINITY);
    expect(() => attempts("nevr" as never)).toThrow('retry is "nevr": did you mean "never"?');
  });

  it("leaves the policy's retryIf to the worker, which has the error as it was thrown", () => {
    class Declined extends Error {}
    const activity = runnableOf(
      defineActivity("charge", { retry: { maxAttempts: 3, retryIf: (error) => !(error instanceof Declined) }, run }),
    );
    expect(activity?.isWorthRetrying(new Error("timeout"))).toBe(true);
    expect(activity?.isWorthRetrying(new Declined("no"))).toBe(false);
    const failure = { error: new Error("no"), attempt: 1, nowMs: 0, elapsedMs: 0, random: () => 0 };
    expect(activity?.retry.next(undefined, failure)).toMatchObject({ retry: true });
    const odd = runnableOf(
      defineActivity("odd", {
        retry: {
          retryIf: () => {
            throw new Error("not written for this");
          },
        },
        run,
      }),
    );
    expect(odd?.isWorthRetrying(new Error("x"))).toBe(true);
  });

  it("has the types of its handler, or of its schemas", () => {
    const inferred = defineActivity("inferred", {
      run: async ({ input }: { input: { id: string } }) => input.id.length,
    });
    expectTypeOf(inferred).toEqualTypeOf<ActivityDefinition<{ id: string }, number>>();
    const checked = defineActivity("checked", {
      input: z.object({ amount: z.string().transform(Number) }),
      output: z.string().transform((text) => text.length),
      run: async ({ input }) => {
        expectTypeOf(input).toEqualTypeOf<{ amount: number }>();
        return "charged";
      },
    });
    expectTypeOf(checked).toEqualTypeOf<ActivityDefinition<{ amount: string }, number>>();
    const effectful = defineActivity("effectful", {
      input: EffectSchema.Struct({ n: EffectSchema.NumberFromString }),
      key: (input) => String(input.n + 1),
      perKey: { concurrency: 1 },
      run: ({ input }) => Effect.succeed(input.n * 2),
    });
    expectTypeOf(effectful).toEqualTypeOf<ActivityDefinition<{ readonly n: string }, number>>();
    defineActivity("wrong-output", {
      output: z.string(),
      // @ts-expect-error the schema takes strings
      run: async () => 1,
    });
    defineActivity("needs-services", {
      // @ts-expect-error nobody gives the Effect what it needs
      run: () => Effect.succeed(1) as Effect.Effect<number, never, { readonly db: string }>,
    });
  });
});

describe("an activity under a plain createActor", () => {
  type Work = ActivityDefinition<any, string>;
  const machineWith = (logic: Work) =>
    setup({
      types: { context: {} as { got: unknown } },
      actors: { work: logic },
    }).createMachine({
      context: { got: undefined },
      initial: "working",
      states: {
        working: {
          invoke: {
            src: "work",
            input: { amount: 5 },
            onDone: { target: "done", actions: assign({ got: ({ event }) => event.output }) },
            onError: { target: "failed", actions: assign({ got: ({ event }) => event.error }) },
          },
          on: { LEAVE: "left" },
        },
        done: {},
        failed: {},
        left: {},
      },
    });
  const outcomeOf = async (logic: Work) => {
    const actor = createActor(machineWith(logic)).start();
    const { value, context } = await waitFor(actor, (snapshot) => snapshot.value !== "working");
    return [value, context.got] as const;
  };

  it("runs once, with what it needs", async () => {
    const seen: unknown[] = [];
    const logic = defineActivity("work", {
      run: async ({ input, idempotencyKey, attempt, id }: ActivityRun<{ amount: number }>) => {
        seen.push([input, typeof idempotencyKey, attempt, id]);
        return `charged ${input.amount}`;
      },
    });
    expect(await outcomeOf(logic)).toEqual(["done", "charged 5"]);
    expect(seen).toEqual([[{ amount: 5 }, "string", 1, expect.any(String)]]);
  });

  it("takes a value, a promise or an Effect from the handler", async () => {
    const given = [() => "a", async () => "a", () => Effect.succeed("a"), () => Effect.delay(Effect.succeed("a"), 5)];
    for (const each of given) expect(await outcomeOf(defineActivity("work", { run: each }))).toEqual(["done", "a"]);
  });

  it("fails with the very error of the handler, or of its Effect", async () => {
    const error = new TerminalError("declined");
    const given = [
      () => {
        throw error;
      },
      () => Promise.reject(error),
      () => Effect.fail(error),
      () => Effect.die(error),
    ];
    for (const each of given) {
      const [value, got] = await outcomeOf(defineActivity("work", { run: each as () => Promise<string> }));
      expect([value, got]).toEqual(["failed", error]);
      expect(got).toBe(error);
    }
  });

  it("checks input and output", async () => {
    const strict = defineActivity("work", { input: z.object({ amount: z.number().max(3) }), run: async () => "x" });
    expect(await outcomeOf(strict)).toEqual([
      "failed",
      expect.objectContaining({ _tag: "ActivityValueError", message: expect.stringContaining("amount: ") }),
    ]);
    const wrong = defineActivity("work", { output: z.string().max(2), run: async () => "long" });
    expect(await outcomeOf(wrong)).toEqual([
      "failed",
      expect.objectContaining({ _tag: "ActivityValueError", message: expect.stringContaining("what it returned") }),
    ]);
  });

  it("is given up at its attempt timeout, and aborted when the state is left", async () => {
    const reasons: unknown[] = [];
    const never = defineActivity("work", {
      attemptTimeout: 20,
      run: ({ signal }) =>
        new Promise<string>((_, reject) =>
          signal.addEventListener("abort", () => {
            reasons.push(signal.reason);
            reject(signal.reason);
          }),
        ),
    });
    expect(await outcomeOf(never)).toEqual(["failed", expect.objectContaining({ _tag: "ActivityTimeoutError" })]);
    expect(reasons).toEqual([expect.objectContaining({ _tag: "ActivityTimeoutError" })]);
    const actor = createActor(machineWith(never)).start();
    actor.send({ type: "LEAVE" } as never);
    await waitFor(actor, () => reasons.length === 2);
    expect(actor.getSnapshot().value).toBe("left");
  });

  it("can be an actor of its own", async () => {
    const logic = defineActivity("double", { run: async ({ input }: { input: number }) => input * 2 });
    expect(await toPromise(createActor(logic, { input: 21 }).start())).toBe(42);
    const failing = defineActivity("fails", { run: async () => Promise.reject(new RetryableError("busy")) });
    await expect(toPromise(createActor(failing).start())).rejects.toThrow("busy");
  });
});

it("takes an input with a key of the actor's own apart under a live actor too", async () => {
  const seen: unknown[] = [];
  const look = defineActivity<void, number>("look", { run: ({ input }) => void seen.push(input) });
  const actor = createActor(look, { input: withIdempotencyKey("my.key", 7) });
  actor.start();
  await toPromise(actor);
  expect(seen).toEqual([7]);
});

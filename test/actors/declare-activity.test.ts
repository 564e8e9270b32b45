/** Activities that are declared in one place, implemented in another, and retried otherwise. */
import { describe, expect, expectTypeOf, it } from "vitest";
import { assign, createActor, setup, toPromise } from "xstate";
import { z } from "zod";
import { declareActivity, implementActivity, withRetry } from "../../actors/declare-activity.ts";
import { type ActivityDefinition, defineActivity, isActivityDefinition } from "../../actors/define-activity.ts";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem } from "../../actors/test-system.ts";
import { TerminalError } from "../../runtime/core/errors.ts";
import { runnableOf } from "../../runtime/engine/activities.ts";

// Fits every place of every machine here.
const note = assign({
  log: ({ context, event }: any) => [...context.log, event.output ?? event.error ?? event.type],
}) as never;

/** An actor that calls `first`, then `second`, and notes what comes of them. */
function caller(first: any, second: any = first, type = "caller") {
  const step = (src: "first" | "second", target: string) =>
    ({ invoke: { src, input: 7, onDone: { target, actions: note }, onError: { target, actions: note } } }) as never;
  const machine = setup({
    types: { context: {} as { readonly log: readonly any[] }, events: {} as { type: "GO" } },
    actors: { first, second },
  }).createMachine({
    context: { log: [] },
    initial: "idle",
    states: { idle: { on: { GO: "one" } }, one: step("first", "two"), two: step("second", "idle") },
  });
  return defineActor(type, { machine });
}

async function logOf(actor: ReturnType<typeof caller>, system: Awaited<ReturnType<typeof createTestSystem>>) {
  const ref = actor.ref("a");
  await system.run(system.client.send(ref, { type: "GO" }));
  const done = system.client.waitFor(ref, ({ context }) => context.log.length === 2, { timeout: "1 hour" });
  return (await system.run(done)).context.log;
}

describe("a declared activity", () => {
  it("is left to a worker that has its code, while the node works on the others of its actors", async () => {
    const price = declareActivity<number, string>("price");
    const local = defineActivity("local", { run: ({ input }: { input: number }) => `local ${input}` });
    const actor = caller(local, price);
    const system = await createTestSystem({ actors: [actor] });
    await system.run(system.client.send(actor.ref("a"), { type: "GO" }));
    await system.advance(60_000);
    const view = await system.run(system.client.get(actor.ref("a")));
    expect([view?.value, view?.context.log]).toEqual(["two", ["local 7"]]);
    const priced = implementActivity(price, ({ input }) => `price ${input}`);
    const worker = await system.startNode({ name: "worker", actors: [], activities: [priced] });
    const done = system.client.waitFor(actor.ref("a"), ({ context }) => context.log.length === 2);
    expect((await system.run(done)).context.log).toEqual(["local 7", "price 7"]);
    expect(worker.stats().activities).toMatchObject({ done: 1 });
    await system.stop();
  });

  it("is worked on as it is implemented where both are there, in whatever order", async () => {
    const price = declareActivity<number, string>("price");
    const priced = implementActivity(price, async () => "priced");
    const systems = [
      { actors: [caller(price)], activities: [priced] },
      { actors: [caller(price)], activities: [price, priced] },
      { actors: [caller(price)], activities: [priced, price] },
      { actors: [caller(price), caller(priced, price, "other")] },
      { actors: [caller(price)], activities: [defineActivity("price", { run: () => "priced" })] },
      { actors: [caller(priced, withRetry(price, "never"))] },
      { actors: [caller(price, priced)] },
    ];
    for (const given of systems) {
      const system = await createTestSystem(given);
      expect(await logOf(given.actors[0] as never, system)).toEqual(["priced", "priced"]);
      await system.stop();
    }
  });

  it("is refused where it is named as work without its code, and where it is implemented twice", async () => {
    const price = declareActivity("price");
    await expect(createTestSystem({ actors: [caller(price)], activities: [price] })).rejects.toMatchObject({
      _tag: "InvalidOptionsError",
      message: expect.stringContaining('activities[0] declares "price" without its code: name what implementActivity'),
    });
    const twice = [implementActivity(price, () => 1), implementActivity(price, () => 2)] as const;
    await expect(createTestSystem({ actors: [], activities: twice })).rejects.toThrowError(
      /activities\[1\] has an activity "price", and another one has that name already/,
    );
    expect(() => caller(...twice)).toThrowError(/two activities of it have the name "price"/);
    expect(() => caller(price, declareActivity("price"))).toThrowError(/two activities of it have the name "price"/);
  });

  it("has its values checked by the declaration's schemas, and its policy obeyed", async () => {
    const price = declareActivity("price", {
      input: z.number().transform((amount) => `€${amount}`),
      output: z.string().transform((text) => text.length),
      retry: { maxAttempts: 2, retryIf: (error) => !(error instanceof RangeError) },
    });
    const attempts: number[] = [];
    const system = await createTestSystem({
      actors: [caller(price)],
      activities: [
        implementActivity(price, ({ input, attempt }) => {
          attempts.push(attempt);
          if (attempts.length === 1) throw new Error("busy");
          if (attempts.length === 3) throw new RangeError("no such price");
          return `${input}!`;
        }),
      ],
    });
    expect(await logOf(caller(price), system)).toEqual([3, expect.objectContaining({ name: "RangeError" })]);
    expect(attempts).toEqual([1, 2, 1]);
    await system.stop();
  });

  it("is rejected by a live actor, in words; what it is implemented as runs there", async () => {
    const price = declareActivity<number, string>("price");
    const rejected = toPromise(createActor(price, { input: 1 }).start());
    await expect(rejected).rejects.toBeInstanceOf(TerminalError);
    await expect(rejected).rejects.toThrow(/Cannot run activity "price" here: .* implementActivity/);
    const priced = implementActivity(price, async ({ input }) => `price ${input}`);
    expect(await toPromise(createActor(priced, { input: 1 }).start())).toBe("price 1");
    expect([price, priced].map((each) => [isActivityDefinition(each), each.activity])).toEqual([
      [true, "price"],
      [true, "price"],
    ]);
  });

  it("reports what is wrong with its options, and what cannot be implemented", () => {
    const run = () => {};
    expect(() => declareActivity("a", { run, retry_: 3, timeout: "soon" } as never)).toThrowError(
      expect.objectContaining({
        _tag: "InvalidOptionsError",
        details: {
          problems: [
            expect.stringMatching(/^retry_ is not an option: did you mean "retry"/),
            expect.stringMatching(/^run has no place in a declaration: hand it to implementActivity/),
            expect.stringMatching(/^timeout is "soon"/),
          ],
        },
      }),
    );
    expect(() => declareActivity("a", null as never)).toThrowError(/Cannot declare activity "a": the options are null/);
    expect(() => declareActivity("no name")).toThrowError(expect.objectContaining({ _tag: "InvalidNameError" }));
    const refused: ReadonlyArray<[unknown, unknown, RegExp]> = [
      [{}, run, /\{\} is not a declaration made by declareActivity/],
      [undefined, run, /undefined is not a declaration/],
      [declareActivity("a"), undefined, /Cannot implement activity "a": run is undefined/],
      [defineActivity("a", { run }), run, /Cannot implement activity "a": it has its code already/],
    ];
    for (const [declared, code, message] of refused) {
      const implement = () => implementActivity(declared as never, code as never);
      expect(implement).toThrowError(expect.objectContaining({ _tag: "InvalidOptionsError" }));
      expect(implement).toThrowError(message);
    }
  });

  it("types its handler by the schemas, or by what is said of it", () => {
    const checked = declareActivity("checked", {
      input: z.object({ amount: z.string().transform(Number) }),
      output: z.number().transform(String),
      key: ({ amount }) => amount.toFixed(),
      perKey: { concurrency: 1 },
    });
    const implemented = implementActivity(checked, ({ input }) => {
      expectTypeOf(input).toEqualTypeOf<{ amount: number }>();
      return input.amount;
    });
    expectTypeOf(implemented).toEqualTypeOf<ActivityDefinition<{ amount: string }, string>>();
    // @ts-expect-error -- the output schema takes a number
    implementActivity(checked, async () => "1");
    const said = declareActivity<{ id: string }, number>("said");
    expectTypeOf(implementActivity(said, async ({ input }) => input.id.length)).toEqualTypeOf<
      ActivityDefinition<{ id: string }, number>
    >();
    // @ts-expect-error -- the declaration says a number
    implementActivity(said, ({ input }) => input.id);
    expectTypeOf(withRetry(said, "never")).toEqualTypeOf<typeof said>();
    setup({ actors: { checked, said } }).createMachine({
      invoke: [
        { src: "checked", input: { amount: "1" } },
        { src: "said", input: { id: "1" } },
      ],
    });
  });
});

describe("withRetry", () => {
  it("gives one call of an activity a policy of its own, with the same workers and limits", async () => {
    const attempts: number[] = [];
    const busy = defineActivity("busy", {
      retry: { maxAttempts: 3 },
      concurrency: 1,
      run: ({ attempt }): string => {
        attempts.push(attempt);
        throw new Error("busy");
      },
    });
    const actor = caller(withRetry(busy, "never"), busy);
    expect(actor.activities).toEqual([runnableOf(busy)]);
    const system = await createTestSystem({ actors: [actor] });
    await logOf(actor, system);
    expect(attempts).toEqual([1, 1, 2, 3]);
    expect(system.nodes[0]?.stats().activities).toMatchObject({ failed: 4 });
    await system.stop();
  });

  it("asks its retryIf by name, and only about errors that the activity would try again", async () => {
    const attempts: string[] = [];
    let isSecond = false;
    const work = defineActivity("work", {
      retry: { retryIf: (error) => !(error instanceof RangeError) },
      run: ({ attempt }): string => {
        attempts.push(`${isSecond ? "second" : "first"} ${attempt}`);
        if (isSecond) throw new RangeError("no");
        if (attempt === 3) isSecond = true;
        throw attempt < 3 ? new Error("busy") : new SyntaxError("no");
      },
    });
    const asked: string[] = [];
    const policy = {
      maxAttempts: 9,
      retryIf: (error: unknown) => {
        asked.push((error as Error).name);
        return (error as Error).name !== "SyntaxError";
      },
    };
    const actor = caller(withRetry(work, policy));
    const system = await createTestSystem({ actors: [actor] });
    expect(await logOf(actor, system)).toEqual([
      expect.objectContaining({ name: "SyntaxError" }),
      expect.objectContaining({ name: "RangeError" }),
    ]);
    expect(attempts).toEqual(["first 1", "first 2", "first 3", "second 1"]);
    expect(new Set(asked)).toEqual(new Set(["Error", "SyntaxError"]));
    await system.stop();
  });

  it("can be given to a declaration, and what comes of it be implemented", async () => {
    const price = declareActivity<number, string>("price", { retry: "never" });
    const attempts: number[] = [];
    const patient = withRetry(price, { maxAttempts: 2 });
    const priced = implementActivity(patient, ({ attempt }) => {
      attempts.push(attempt);
      throw new Error("busy");
    });
    const actor = caller(patient, price);
    const system = await createTestSystem({ actors: [actor], activities: [withRetry(priced, "immediate")] });
    await logOf(actor, system);
    expect(attempts).toEqual([1, 2, 1]);
    await system.stop();
  });

  it("refuses what is no activity, and a policy that is wrong", () => {
    expect(() => withRetry({} as never, "never")).toThrowError(
      expect.objectContaining({
        _tag: "InvalidOptionsError",
        message: expect.stringContaining("{} is not an activity"),
      }),
    );
    const work = declareActivity("work");
    expect(() => withRetry(work, { maxAttempt: 3 } as never)).toThrowError(
      /Cannot set the retry policy of activity "work": retry.maxAttempt is not an option: did you mean "maxAttempts"/,
    );
  });
});

import * as Effect from "effect/Effect";
import { describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { defineActivity } from "../../actors/define-activity.ts";
import { createTestSystem } from "../../actors/test-system.ts";
import { call } from "../../workflows/saga/calls.ts";
import { saga } from "../../workflows/saga/saga.ts";

const authorize = defineActivity("authorize", {
  input: z.object({ amount: z.number() }),
  run: ({ input }) => ({ hold: `h${input.amount}` }),
});
const release = defineActivity("release", { input: z.object({ hold: z.string() }), run: () => undefined });

const trip = saga("trip", {
  input: z.object({ id: z.string(), amount: z.number().default(5) }),
  key: (input) => {
    expectTypeOf(input).toEqualTypeOf<{ id: string; amount?: number | undefined }>();
    return input.id;
  },
  queries: { steps: (view) => Object.keys(view.context.steps).length },
})
  .step("reserve", {
    do: ({ input, results, idempotencyKey, signal, attempt }) => {
      expectTypeOf(input).toEqualTypeOf<{ id: string; amount: number }>();
      // biome-ignore lint/complexity/noBannedTypes: the type that is meant.
      expectTypeOf(results).toMatchTypeOf<{}>();
      expectTypeOf(idempotencyKey).toBeString();
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
      expectTypeOf(attempt).toBeNumber();
      // @ts-expect-error: nothing has come before
      void results.card;
      return Promise.resolve({ seat: 7 });
    },
    undo: ({ result, outcome, doKey }) => {
      expectTypeOf(result).toEqualTypeOf<{ seat: number } | undefined>();
      expectTypeOf(outcome).toEqualTypeOf<"done" | "unknown" | "refused">();
      expectTypeOf(doKey).toBeString();
    },
  })
  .all({
    card: {
      do: call(authorize, ({ input, results }) => {
        expectTypeOf(results.reserve).toEqualTypeOf<{ seat: number }>();
        return { amount: input.amount };
      }),
      undo: call(release, ({ result }: { result?: { hold: string } }) => ({ hold: result?.hold ?? "" })),
    },
    parcel: (branch) =>
      branch.step("pack", { do: () => Effect.succeed(3), undo: () => Effect.void }).step("label", {
        do: ({ results }) => {
          expectTypeOf(results.pack).toEqualTypeOf<number>();
          // @ts-expect-error: a branch does not see the one beside it
          void results.card;
          return `label ${results.pack} ${results.reserve.seat}`;
        },
        irreversible: true,
      }),
  })
  .choose(
    "method",
    ({ results }) => {
      expectTypeOf(results.card).toEqualTypeOf<{ hold: string }>();
      expectTypeOf(results.parcel).toEqualTypeOf<{ readonly pack: number; readonly label: string }>();
      return "courier";
    },
    {
      courier: (branch) => branch.step("book", { do: () => "booked", undo: () => {} }),
      post: { do: () => 5, undo: () => {} },
    },
  )
  .waitFor("APPROVED", { event: z.object({ by: z.string() }), within: "2 days", else: () => "nobody" as const })
  .pivot("capture", {
    do: ({ results }) => {
      expectTypeOf(results.courier).toEqualTypeOf<{ readonly book: string } | undefined>();
      expectTypeOf(results.post).toEqualTypeOf<number | undefined>();
      expectTypeOf(results.APPROVED).toEqualTypeOf<{ by: string } | "nobody">();
      return true;
    },
  })
  .step("send", { do: ({ results }) => ({ sent: results.capture }) })
  .end(({ results }) => `${results.parcel.label} ${results.send.sent}`);

test("types what is started, signalled, queried and given back", async () => {
  const system = await createTestSystem({ actors: [trip] });
  const { client, run } = system;
  const started = await run(trip.start(client, { id: "t1" }));
  await run(started.signal({ type: "APPROVED", by: "ada" }));
  // @ts-expect-error: the schema wants to know by whom
  await expect(run(started.signal({ type: "APPROVED" }))).rejects.toMatchObject({ _tag: "InvalidEventError" });
  const output = await run(started.result());
  expectTypeOf(output).toEqualTypeOf<string>();
  expect(output).toBe("label 3 7 true");
  const count = await run(started.query("steps"));
  expectTypeOf(count).toEqualTypeOf<number>();
  expect(count).toBe(7);
  // @ts-expect-error: it has no such query
  await expect(run(started.query("stepz"))).rejects.toThrow('did you mean "steps"');
  const view = await run(started.view());
  expect(view?.context.results).toEqual({
    reserve: { seat: 7 },
    card: { hold: "h5" },
    parcel: { pack: 3, label: "label 3 7" },
    courier: { book: "booked" },
    APPROVED: { by: "ada" },
    capture: true,
    send: { sent: true },
  });
  await system.stop();
});

describe("the builder", () => {
  test("refuses at compile time what makes no sense", () => {
    const chain = saga<{ n: number }>("s").step("one", { do: ({ input }) => input.n, undo: () => {} });
    const two = { a: { do: () => 1 }, b: { do: () => 2 } };
    // @ts-expect-error: pick returns one of the branches
    chain.choose("which", () => "neither", two);
    const late = chain.pivot("two", { do: () => 2 });
    // @ts-expect-error: there is one pivot
    expect(() => late.pivot("three", { do: () => 3 }).end()).toThrow(/second one/);
    // @ts-expect-error: nothing is undone behind the pivot
    expect(() => late.step("three", { do: () => 3, undo: () => {} }).end()).toThrow(/behind the pivot/);
    expectTypeOf(chain.end().start).parameter(1).toEqualTypeOf<{ n: number }>();
  });

  test("lists all that is wrong, by step", () => {
    const wrong = saga("s", { tiemout: 5 } as never)
      .step("a", { do: 5, undo: () => {}, irreversible: true, undoOn: "sometimes", fatal: 3, timeout: 0 } as never)
      .all({} as never)
      .waitFor("E", { else: () => 1, escalate: [{ after: 0, do: () => 1 }], within: undefined } as never)
      .choose("c", undefined as never, { x: () => undefined } as never);
    expect(() => wrong.end()).toThrow(
      /tiemout[\s\S]*timeout[\s\S]*step "a"[\s\S]*undoOn is "sometimes"[\s\S]*irreversible and has an undo[\s\S]*do is 5[\s\S]*timeout is 0[\s\S]*fatal is 3[\s\S]*no branches[\s\S]*else has no effect[\s\S]*after is 0[\s\S]*branch "x" returns no chain[\s\S]*no function that picks/,
    );
    expect(() => saga("s").end()).toThrow(/no steps/);
    expect(() =>
      saga("s")
        .step("a", { do: () => 1 })
        .step("a", { do: () => 2 })
        .step("undoing", { do: () => 3 })
        .end(),
    ).toThrow(/"a" has a name that another part has too; .*"undoing" has a name that states of every saga have/);
  });
});

test("the plan says of every step what is undone, in order, and the check what lacks an undo", () => {
  expect(`\n${trip.plan()}\n`).toMatchInlineSnapshot(`
    "
    Saga trip: 8 steps

    when this fails  this is undone, in this order            and the saga is
    ---------------  ---------------------------------------  ------------------------------------------
    reserve          reserve?                                 compensated
    card             {card? | label! -> pack} -> reserve      compensated
    pack             {pack? | card} -> reserve                compensated
    label            {label?! -> pack | card} -> reserve      compensated
    book             book? -> {card | label! -> pack}         compensated
                     -> reserve
    post             post? -> {card | label! -> pack}         compensated
                     -> reserve
    capture (pivot)  <book / post> -> {card | label!          compensated; stuck if it may have happened
                     -> pack} -> reserve
    send             nothing: it only goes forward            stuck: an operator decides

    "?": when it may have happened
    "!": stays as it is
    "{a | b}": side by side, as far as they have come
    "<a / b>": the one that was chosen
    "
  `);
  expect(trip.check().problems).toEqual([]);
  expect(trip.check().notes).toEqual([expect.stringContaining('the pivot "capture" has no undo')]);
  const bare = saga("bare")
    .step("a", { do: () => 1 })
    .all({ b: { do: () => 1 }, c: { do: () => 1, irreversible: true } })
    .step("d", { do: () => 1 })
    .end();
  expect(bare.check().problems).toEqual([
    expect.stringContaining('step "a" has neither an undo nor irreversible: true'),
    expect.stringContaining('step "b"'),
  ]);
  expect(
    saga("one")
      .all({ b: { do: () => 1 }, c: { do: () => 1 } })
      .end()
      .check().problems,
  ).toHaveLength(2);
});

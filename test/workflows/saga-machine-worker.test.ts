/** What the machine of a saga learns from workers: how many attempts there were, and under which keys. */
import * as Effect from "effect/Effect";
import { expect, it } from "vitest";
import { TerminalError } from "../../runtime/core/errors.ts";
import { model, step, wait } from "./saga-play.ts";
import { handled, never, started } from "./saga-system.ts";

it("undoes what was done, and ends with the error that says so", async () => {
  const calls: unknown[] = [];
  const { ended } = await started(
    model([
      step("a", {
        do: handled(() => "A"),
        undo: handled(({ result, outcome }) => void calls.push(["a", result, outcome])),
      }),
      step("b", {
        do: handled(() => {
          throw new TerminalError("no more b");
        }),
        undo: handled(() => void calls.push("b")),
      }),
    ]),
  );
  const { status, error } = await ended();
  expect(calls).toEqual([["a", "A", "done"]]);
  expect([status, error.name, error.details]).toEqual([
    "error",
    "SagaCompensatedError",
    { saga: "order", step: "b", undone: ["a"], skipped: [] },
  ]);
  expect(error.cause.message).toBe("no more b");
});

it("takes a fatal error as it was thrown, and does not try again", async () => {
  class SoldOut extends Error {}
  let attempts = 0;
  const { ended } = await started(
    model([
      step("a", {
        isFatal: (error) => error instanceof SoldOut,
        do: handled(() => {
          attempts++;
          return Effect.fail(new SoldOut("sold out"));
        }),
      }),
    ]),
  );
  expect((await ended()).error.details).toMatchObject({ step: "a", undone: [] });
  expect(attempts).toBe(1);
});

it("gives an undo the key of what it undoes, and an operator's retry the same key", async () => {
  const keys: Record<string, unknown[]> = { do: [], undo: [] };
  const { client, run, ref, until, ended } = await started(
    model([
      step("a", {
        undoRetry: never,
        do: handled(({ idempotencyKey }) => void keys.do?.push(idempotencyKey)),
        undo: handled(({ doKey, idempotencyKey }) => {
          keys.undo?.push([doKey, idempotencyKey]);
          if (keys.undo?.length === 1) throw new Error("broken");
        }),
      }),
      wait("OK", { withinMs: 10 }),
    ]),
  );
  await until((view) => view.hasTag("stuck"));
  await run(client.send(ref, { type: "saga.retry", step: "a" } as never));
  await ended();
  const [doKey] = keys.do as string[];
  expect(doKey).toMatch(/\.1\.do\.a$/);
  const undoKey = (doKey as string).replace(/do\.a$/, "undo.a");
  expect(keys.undo).toEqual([
    [doKey, undoKey],
    [doKey, undoKey],
  ]);
});

/** The machine of a saga under the engine: steps are activities, actors that are asked, and other workflows. */
import * as Effect from "effect/Effect";
import { expect, it } from "vitest";
import { setup } from "xstate";
import { defineActivity } from "../../actors/define-activity.ts";
import { type AnyActorDefinition, defineActor } from "../../actors/define-actor.ts";
import { TerminalError } from "../../runtime/core/errors.ts";
import { faultPoints } from "../../runtime/engine/faults.ts";
import { reply } from "../../runtime/machine/actions.ts";
import { defineWorkflow } from "../../workflows/define-workflow.ts";
import type { Doing } from "../../workflows/saga/model.ts";
import type { AnyWorkflowDefinition } from "../../workflows/workflow-definition.ts";
import { all, branch, model, pivot, step, wait } from "./saga-play.ts";
import { handled, never, started } from "./saga-system.ts";

it("runs handlers, activities and Effects to the end", async () => {
  const price = defineActivity("price", { run: async ({ input }) => (input as { n: number }).n * 10 });
  const { ended } = await started(
    model(
      [
        step("reserve", { do: handled(({ input, attempt }) => [input.n, attempt]) }),
        all(
          branch("price", step("price", { do: { kind: "activity", activity: price, input: ({ input }) => input } })),
          branch("ship", step("pack", { do: handled(() => Effect.succeed("packed")) })),
        ),
        pivot("capture", { do: handled(({ results }) => results.price + 1) }),
      ],
      { end: ({ results }) => results },
    ),
  );
  expect(await ended()).toMatchObject({
    status: "done",
    output: { reserve: [1, 1], price: 10, ship: { pack: "packed" }, capture: 11 },
  });
});

it("undoes a step whose error leaves open whether it happened", async () => {
  const calls: unknown[] = [];
  const { ended } = await started(
    model([
      step("a", {
        retry: { maxAttempts: 2, base: 1 },
        do: handled(({ attempt }) => {
          if (attempt === 1) throw new Error("lost");
          throw new TerminalError("no");
        }),
        undo: handled(({ outcome }) => void calls.push(outcome)),
      }),
    ]),
  );
  await ended();
  expect(calls).toEqual(["unknown"]);
});

it("asks an actor, whose refusal means that nothing was done", async () => {
  const stock = defineActor("stock", {
    machine: setup({}).createMachine({ on: { RESERVE: { actions: reply("sold out") } } }),
  });
  const ask: Doing = {
    kind: "ask",
    actor: "stock",
    message: () => ({ id: "book", event: { type: "RESERVE" } }),
    refused: (answer) => answer === "sold out",
  };
  const { ended } = await started(model([step("a", { do: ask })]), [stock as AnyActorDefinition]);
  expect((await ended()).context.steps.a).toMatchObject({ state: "refused", error: { name: "AskRefusedError" } });
});

it("is cancelled while it waits", async () => {
  const { client, run, ref, until, ended } = await started(
    model([step("a", { do: handled(() => 1), undo: handled(() => 2) }), wait("OK")]),
  );
  await until((view) => view.value === "OK");
  const { reply: answer } = await run(client.cancel(ref as never, { reason: "no need" }));
  expect(answer).toEqual({ isRefused: false });
  expect((await ended()).error).toMatchObject({
    name: "WorkflowCancelledError",
    details: { reason: "no need", undone: ["a"] },
  });
});

it("leaves a letter for an undo that has failed, whose redriving tries it again", async () => {
  let isBroken = true;
  const { client, run, until, ended } = await started(
    model([
      step("a", {
        undoRetry: never,
        do: handled(() => 1),
        undo: handled(() => {
          if (isBroken) throw new Error("undo broken");
        }),
      }),
      step("b", {
        undo: undefined,
        do: handled(() => {
          throw new TerminalError("no");
        }),
      }),
    ]),
  );
  const stuck = await until((view) => view.hasTag("stuck"));
  expect(stuck.value).toEqual({ undoing: { a: "stuck" } });
  const letters = await run(client.deadLetters.list());
  expect(letters).toHaveLength(1);
  isBroken = false;
  await run(client.deadLetters.redrive(letters[0]?.letter as string));
  expect((await ended()).error.details).toMatchObject({ undone: ["a"] });
});

it.each(faultPoints.slice(0, 6))("comes to the same end when its node is killed at %s", async (point) => {
  const undone: string[] = [];
  const given = model(
    [
      step("a", { do: handled(() => 1), undo: handled(() => void undone.push("a")) }),
      step("b", {
        do: handled(() => {
          throw new TerminalError("no");
        }),
        undo: handled(() => void undone.push("b")),
      }),
    ],
    { name: "order" },
  );
  const { ended } = await started(given, [], point);
  const view = await ended();
  expect(view.error).toMatchObject({ name: "SagaCompensatedError" });
  expect(view.error.details.undone).toContain("a");
});

it("runs another workflow, and goes on with its output", async () => {
  const machine = setup({}).createMachine({
    context: ({ input }) => input as unknown as object,
    initial: "sent",
    states: { sent: { type: "final" } },
    output: ({ context }) => ({ sent: context }),
  });
  const shipping = defineWorkflow("shipping", { machine });
  const ship: Doing = { kind: "workflow", workflow: shipping as AnyWorkflowDefinition, input: ({ input }) => input };
  const { ended } = await started(model([step("ship", { do: ship })]), [shipping as AnyActorDefinition]);
  expect((await ended()).output).toEqual({ ship: { sent: { n: 1 } } });
});

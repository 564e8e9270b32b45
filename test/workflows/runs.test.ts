import { afterEach, expect, test } from "vitest";
import { assign, setup } from "xstate";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";
import { inputDigest } from "../../runtime/core/input-digest.ts";
import { leaveLetter, reply } from "../../runtime/machine/actions.ts";
import { askActor, makeAskLogic } from "../../runtime/machine/ask-logic.ts";
import { continueAs, fail } from "../../runtime/machine/endings.ts";

let system: TestSystem | undefined;
afterEach(async () => {
  await system?.stop();
  system = undefined;
});

/** A definition whose actors are workflows. */
function asWorkflow<D extends object>(definition: D, makeInput = (input: unknown): unknown => input): D {
  return { ...definition, runs: { makeInput } };
}

const countdown = asWorkflow(
  defineActor("countdown", {
    machine: setup({
      types: {
        context: {} as { left: number; seen: unknown[] },
        input: {} as { left: number },
        events: {} as { type: "DOWN" } | { type: "FAIL" } | { type: "workflow.cancel"; reason?: string },
      },
    }).createMachine({
      context: ({ input }) => ({ left: input.left, seen: [] }),
      initial: "open",
      states: {
        open: { on: { DOWN: "down", FAIL: "failed" } },
        down: { type: "final" },
        failed: { type: "final" },
      },
      output: ({ context, self: _ }) => (context.left > 1 ? continueAs({ left: context.left - 1 }) : { left: 0 }),
    }),
    input: () => ({ left: 1 }),
  }),
);

test("goes on with another input under the same key, and counts its runs", async () => {
  system = await createTestSystem({ actors: [countdown] });
  const { client, run } = system;
  const made = await run(client.create(countdown.ref("a"), { left: 3 }));
  expect(made.created).toBe(true);
  expect(made.view.run).toMatchObject({ n: 1, input: inputDigest({ left: 3 }) });
  const { view } = await run(client.ask(countdown.ref("a"), { type: "DOWN" }));
  expect(view).toMatchObject({ status: "active", value: "open", context: { left: 2 }, run: { n: 2 } });
  await run(client.ask(countdown.ref("a"), { type: "DOWN" }));
  const last = await run(client.ask(countdown.ref("a"), { type: "DOWN" }));
  expect(last.view).toMatchObject({
    status: "done",
    output: { left: 0 },
    run: { n: 3, input: inputDigest({ left: 3 }) },
  });
});

test("ends a workflow whose machine does not care to be cancelled, and one that is terminated", async () => {
  system = await createTestSystem({ actors: [countdown] });
  const { client, run } = system;
  for (const id of ["a", "b"]) await run(client.create(countdown.ref(id), { left: 3 }));
  const cancelled = await run(client.cancel(countdown.ref("a"), { reason: "no need" }));
  expect(cancelled.view).toMatchObject({ status: "error", error: { name: "WorkflowCancelledError" } });
  expect(String(cancelled.view.error)).toContain("no need");
  expect((await run(client.cancel(countdown.ref("a")))).outcome).toBe("ignored");
  const terminated = await run(client.terminate(countdown.ref("b")));
  expect(terminated.view).toMatchObject({ status: "error", error: { name: "WorkflowTerminatedError" } });
  await expect(run(client.cancel(countdown.ref("c")))).rejects.toMatchObject({ _tag: "ActorNotFoundError" });
});

const stock = defineActor("stock", {
  machine: setup({
    types: { context: {} as { left: number }, events: {} as { type: "RESERVE" } },
    guards: { isLeft: ({ context }) => context.left > 0 },
  }).createMachine({
    context: { left: 1 },
    on: {
      RESERVE: [
        { guard: "isLeft", actions: [assign({ left: ({ context }) => context.left - 1 }), reply("reserved")] },
        { actions: reply("sold out") },
      ],
    },
  }),
});

const order = asWorkflow(
  defineActor("order", {
    machine: setup({
      types: {
        context: {} as { sku: string; told: unknown; event: string },
        input: {} as { sku: string; event?: string },
      },
      actors: {
        reserve: askActor<{ type: string }, string>("stock", {
          refused: (answer) => answer === "sold out" && "nothing left",
        }),
      },
    }).createMachine({
      context: ({ input }) => ({ sku: input.sku, event: input.event ?? "RESERVE", told: undefined }),
      initial: "reserving",
      states: {
        reserving: {
          invoke: {
            src: "reserve",
            input: ({ context }) => ({ id: context.sku, event: { type: context.event } }),
            onDone: { target: "reserved", actions: assign({ told: ({ event }) => event.output }) },
            onError: { target: "refused", actions: assign({ told: ({ event }) => event.error }) },
          },
        },
        reserved: { type: "final" },
        refused: { type: "final" },
      },
      output: ({ context }) => (context.told === "reserved" ? context.told : fail(context.told)),
    }),
    input: () => ({ sku: "lamp" }),
  }),
);

test("asks another actor, and takes its reply, its refusal, and that it does not listen", async () => {
  system = await createTestSystem({ actors: [order, stock] });
  const { client, run } = system;
  await run(client.create(order.ref("1"), { sku: "lamp" }));
  expect(await run(client.waitFor(order.ref("1"), "done"))).toMatchObject({ output: "reserved" });
  await run(client.create(order.ref("2"), { sku: "lamp" }));
  const refused = await run(client.waitFor(order.ref("2"), (view) => view.status === "error"));
  expect(refused.error).toMatchObject({ name: "AskRefusedError", details: { reply: "sold out" } });
  await run(client.create(order.ref("3"), { sku: "lamp", event: "DANCE" }));
  const ignored = await run(client.waitFor(order.ref("3"), (view) => view.status === "error"));
  expect(ignored.error).toMatchObject({ name: "EventIgnoredError" });
});

const job = asWorkflow(
  defineActor("job", {
    machine: setup({
      types: { context: {} as { n: number }, input: {} as { n: number }, events: {} as { type: "END" } },
    }).createMachine({
      context: ({ input }) => ({ n: input.n }),
      initial: "working",
      states: { working: { on: { END: "ended" } }, ended: { type: "final" } },
      output: ({ context }) => (context.n < 0 ? fail(new Error("negative")) : context.n * 2),
    }),
    input: () => ({ n: 0 }),
  }),
);

const jobs = (onParentClose: "cancel" | "terminate" | "abandon") =>
  makeAskLogic<number, { key: string; input: unknown }>({
    request: (given) => {
      const { key, input } = given as { key: string; input: unknown };
      return { kind: "run", to: { type: "job", id: key }, input, onParentClose };
    },
    refusal: () => undefined,
  });

const bossSetup = setup({
  types: {
    context: {} as { told: unknown; n: number; policy: string },
    input: {} as { n: number; policy?: string },
    events: {} as { type: "LEAVE" },
  },
  actors: { cancel: jobs("cancel"), abandon: jobs("abandon"), terminate: jobs("terminate") },
  actions: { keep: assign({ told: (_, params: { readonly told: unknown }) => params.told }) },
});

const waitingBy = (src: "cancel" | "abandon" | "terminate") =>
  bossSetup.createStateConfig({
    invoke: {
      src,
      input: ({ context }) => ({ key: "j", input: { n: context.n } }),
      onDone: { target: "over", actions: { type: "keep", params: ({ event }) => ({ told: event.output }) } },
      onError: { target: "over", actions: { type: "keep", params: ({ event }) => ({ told: event.error }) } },
    },
    on: { LEAVE: "left" },
  });

const boss = asWorkflow(
  defineActor("boss", {
    machine: bossSetup.createMachine({
      context: ({ input }) => ({ told: undefined, n: input.n, policy: input.policy ?? "cancel" }),
      initial: "choosing",
      states: {
        choosing: {
          always: [
            { guard: ({ context }) => context.policy === "cancel", target: "cancel" },
            { guard: ({ context }) => context.policy === "abandon", target: "abandon" },
            { target: "terminate" },
          ],
        },
        cancel: waitingBy("cancel"),
        abandon: waitingBy("abandon"),
        terminate: waitingBy("terminate"),
        left: {},
        over: { type: "final" },
      },
    }),
    input: () => ({ n: 0 }),
  }),
);

test("waits for the end of a run, one that it finds too, and is told of another input", async () => {
  system = await createTestSystem({ actors: [boss, job], nodes: 2 });
  const { client, run } = system;
  for (const id of ["1", "2"]) await run(client.create(`boss/${id}`, { n: 4 }));
  await run(client.create("boss/3", { n: 5 }));
  const conflict = await run(client.waitFor("boss/3", "done"));
  expect(conflict.context).toMatchObject({ told: { name: "WorkflowConflictError" } });
  await run(client.send("job/j", { type: "END" }));
  for (const id of ["1", "2"])
    expect((await run(client.waitFor(`boss/${id}`, "done"))).context).toMatchObject({ told: 8 });
  await run(client.create("boss/4", { n: 4 }));
  expect((await run(client.waitFor("boss/4", "done"))).context).toMatchObject({ told: 8 });
});

test.each([
  ["cancel", "WorkflowCancelledError"],
  ["terminate", "WorkflowTerminatedError"],
])("ends the run that it has begun when its state is left: %s", async (policy, name) => {
  system = await createTestSystem({ actors: [boss, job] });
  const { client, run } = system;
  await run(client.create("boss/1", { n: 4, policy }));
  await run(client.create("boss/2", { n: 4, policy }));
  await system.advance(1000);
  await run(client.ask("boss/2", { type: "LEAVE" })); // has not begun it
  await system.advance(1000);
  expect((await run(client.get("job/j")))?.status).toBe("active");
  await run(client.ask("boss/1", { type: "LEAVE" }));
  const ended = await run(client.waitFor("job/j", (view) => view.status !== "active"));
  expect(ended.error).toMatchObject({ name });
});

test("leaves a run alone that is abandoned", async () => {
  system = await createTestSystem({ actors: [boss, job] });
  const { client, run } = system;
  await run(client.create("boss/1", { n: 4, policy: "abandon" }));
  await system.advance(1000);
  await run(client.ask("boss/1", { type: "LEAVE" }));
  await system.advance(1000);
  expect((await run(client.get("job/j")))?.status).toBe("active");
});

const slow = asWorkflow(
  defineActor("slow", {
    machine: setup({ types: { events: {} as { type: "workflow.timeout" } | { type: "AGAIN" } } }).createMachine({
      initial: "stuck",
      states: {
        stuck: {
          entry: leaveLetter({ event: { type: "AGAIN" }, explanation: "it cannot go on", error: new Error("no way") }),
          after: { 1000: "waiting" },
          on: { AGAIN: "again" },
        },
        waiting: { on: { AGAIN: "again" } },
        again: {},
      },
    }),
  }),
);

test("leaves a letter about itself, which brings it further when it is redriven", async () => {
  system = await createTestSystem({ actors: [slow] });
  const { client, run } = system;
  await run(client.create("slow/1", {}));
  const [letter] = await run(client.deadLetters.list());
  expect(letter).toMatchObject({
    to: { type: "slow", id: "1" },
    reason: "attempts",
    event: "AGAIN",
    explanation: "it cannot go on",
  });
  expect((await run(client.get("slow/1")))?.parked).toBeUndefined();
  await system.advance(2000);
  expect((await run(client.get("slow/1")))?.value).toBe("waiting");
  await run(client.deadLetters.redrive(letter?.letter as string));
  expect(await run(client.waitFor("slow/1", { value: "again" }))).toBeDefined();
});

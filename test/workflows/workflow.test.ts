import { afterEach, describe, expect, expectTypeOf, test } from "vitest";
import { assign, setup } from "xstate";
import { z } from "zod";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";
import { fail } from "../../runtime/machine/endings.ts";
import { defineWorkflow, isWorkflowDefinition } from "../../workflows/define-workflow.ts";
import { listWorkflows } from "../../workflows/list-workflows.ts";
import { runWorkflow } from "../../workflows/run-workflow.ts";

let system: TestSystem | undefined;
afterEach(async () => {
  await system?.stop();
  system = undefined;
});

interface Context {
  readonly customer: string;
  readonly documents: readonly string[];
  readonly cause: string;
}

const onboardingMachine = setup({
  types: {
    context: {} as Context,
    input: {} as { customer: string },
    output: {} as { documents: number },
    events: {} as
      | { type: "DOCUMENT"; name: string }
      | { type: "REFUSE" }
      | { type: "CLEANED" }
      | { type: "workflow.cancel"; reason?: string }
      | { type: "workflow.timeout" },
  },
}).createMachine({
  context: ({ input }) => ({ customer: input.customer, documents: [], cause: "" }),
  initial: "collecting",
  states: {
    collecting: {
      on: {
        DOCUMENT: [
          {
            guard: ({ context }) => context.documents.length === 1,
            target: "done",
            actions: assign({ documents: ({ context, event }) => [...context.documents, event.name] }),
          },
          { actions: assign({ documents: ({ context, event }) => [...context.documents, event.name] }) },
        ],
        REFUSE: "refused",
        "workflow.cancel": { target: "cleaning", actions: assign({ cause: ({ event }) => event.reason ?? "" }) },
      },
    },
    cleaning: { tags: "compensating", on: { CLEANED: "refused" } },
    refused: { type: "final" },
    done: { type: "final" },
  },
  output: ({ context }) =>
    context.documents.length === 2 ? { documents: 2 } : fail(new RangeError(`refused ${context.cause}`)),
});

const onboarding = defineWorkflow("onboarding", {
  machine: onboardingMachine,
  input: z.object({ customer: z.string() }),
  key: (input) => input.customer,
  timeout: "30 days",
  queries: { progress: (view) => view.context.documents.length },
});

describe("a workflow", () => {
  test("is started once for its key, and gives its result to all who wait", async () => {
    system = await createTestSystem({ actors: [onboarding], nodes: 2 });
    const { client, run } = system;
    const first = await run(onboarding.start(client, { customer: "ada/ü .*" }));
    expect(first).toMatchObject({ key: "ada/ü .*", isNew: true });
    const second = await run(onboarding.start(client, { customer: "ada/ü .*" }));
    expect(second.isNew).toBe(false);
    const results = [first.result(), second.result(), onboarding.run(client, "ada/ü .*").result()];
    for (const name of ["passport", "bill"]) await run(first.signal({ type: "DOCUMENT", name }, { key: name }));
    await run(first.signal({ type: "DOCUMENT", name: "bill" }, { key: "bill" }));
    for (const result of results) expect(await run(result)).toEqual({ documents: 2 });
    expectTypeOf(await run(first.result())).toEqualTypeOf<{ documents: number }>();
    expectTypeOf(await run(first.query("progress"))).toEqualTypeOf<number>();
    expect(await run(first.query("progress"))).toBe(2);
    expect(await run(first.status())).toBe("completed");
    expect((await run(onboarding.start(client, { customer: "ada/ü .*" }))).isNew).toBe(false);
  });

  test("tells that it was started with another input", async () => {
    const open = defineWorkflow("open", { machine: onboardingMachine });
    system = await createTestSystem({ actors: [open] });
    const { client, run } = system;
    await run(open.start(client, { customer: "ada" }, { key: "k" }));
    await expect(run(open.start(client, { customer: "bob" }, { key: "k" }))).rejects.toMatchObject({
      _tag: "WorkflowConflictError",
      message: expect.stringMatching(/^Cannot start workflow open\/k: it was started at .* with another input\. Use/),
    });
    const random = await run(open.start(client, { customer: "ada" }));
    expect(random.key).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("is refused a key that its definition makes otherwise, an input that its schema refuses, and an event before its start", async () => {
    system = await createTestSystem({ actors: [onboarding] });
    const { client, run } = system;
    await expect(run(onboarding.start(client, { customer: "ada" }, { key: "bob" }))).rejects.toMatchObject({
      _tag: "InvalidOptionsError",
    });
    await expect(run(onboarding.start(client, { customer: 1 as never }, { key: "1" }))).rejects.toMatchObject({
      _tag: expect.stringMatching(/Invalid(Event|Options)Error/),
    });
    await expect(run(onboarding.run(client, "eve").ask({ type: "REFUSE" }))).rejects.toMatchObject({
      _tag: "DeadLetteredError",
    });
    for (const call of ["result", "status", "cancel", "terminate"] as const)
      await expect(run(onboarding.run(client, "eve")[call]() as Promise<unknown>)).rejects.toMatchObject({
        _tag: "WorkflowNotFoundError",
      });
  });

  test("fails with what its machine fails with", async () => {
    system = await createTestSystem({ actors: [onboarding] });
    const { client, run } = system;
    const started = await run(onboarding.start(client, { customer: "ada" }));
    await run(started.signal({ type: "REFUSE" }));
    await expect(run(started.result())).rejects.toMatchObject({
      _tag: "WorkflowFailedError",
      cause: { name: "RangeError", message: "refused " },
    });
    expect(await run(started.status())).toBe("failed");
  });

  test("is cancelled by its own machine where that takes the event, and at once where not", async () => {
    system = await createTestSystem({ actors: [onboarding] });
    const { client, run } = system;
    const started = await run(onboarding.start(client, { customer: "ada" }));
    expect(await run(started.cancel({ reason: "moved away" }))).toEqual({ isAccepted: true, why: undefined });
    expect(await run(started.status())).toBe("compensating");
    expect((await run(started.view()))?.context.cause).toBe("moved away");
    await run(started.cancel({ reason: "now" })); // not taken while it cleans: it is ended
    await expect(run(started.result())).rejects.toMatchObject({ _tag: "WorkflowCancelledError" });
    expect(await run(started.status())).toBe("cancelled");
    expect(await run(started.cancel())).toEqual({ isAccepted: false, why: "it has ended before" });
  });

  test("is terminated, and says by whom and why", async () => {
    system = await createTestSystem({ actors: [onboarding] });
    const { client, run } = system;
    const started = await run(onboarding.start(client, { customer: "ada" }));
    expect(await run(started.terminate({ reason: "a test" }))).toBe(true);
    await expect(run(started.result())).rejects.toMatchObject({
      _tag: "WorkflowTerminatedError",
      details: { reason: "a test", by: "client" },
    });
    expect(await run(started.terminate())).toBe(false);
  });

  test("ends when its time is over, and sets no timer that outlives it", async () => {
    system = await createTestSystem({ actors: [onboarding] });
    const { client, run } = system;
    const started = await run(onboarding.start(client, { customer: "ada" }));
    await system.advance(31 * 86_400_000);
    await expect(run(started.result())).rejects.toMatchObject({ _tag: "WorkflowTimeoutError" });
    expect(await run(started.status())).toBe("timed-out");
    expect((await run(started.view()))?.timers).toEqual([]);
  });

  test("is listed by status and time, the newest first", async () => {
    system = await createTestSystem({ actors: [onboarding] });
    const { client, run } = system;
    for (const customer of ["a", "b", "c"]) {
      await run(onboarding.start(client, { customer }));
      await system.advance(1000);
    }
    await run(onboarding.run(client, "b").signal({ type: "REFUSE" }));
    await system.advance(1000);
    const all = await run(onboarding.list(client));
    expect(all.map(({ key, status }) => [key, status])).toEqual([
      ["c", "running"],
      ["b", "failed"],
      ["a", "running"],
    ]);
    expect(all[1]).toMatchObject({ type: "onboarding", run: 1, error: "RangeError: refused ", parkedBy: undefined });
    const running = await run(onboarding.list(client, { status: ["running"], limit: 1 }));
    expect(running.map(({ key }) => key)).toEqual(["c"]);
    const since = new Date(all[1]?.startedAt ?? 0);
    expect((await run(listWorkflows(client, ["onboarding"], { since }))).map(({ key }) => key)).toEqual(["c", "b"]);
    await expect(run(onboarding.list(client, { status: "gone" as never, limt: 1 } as never))).rejects.toMatchObject({
      message: expect.stringMatching(/limt.*limit[\s\S]*status is "gone"/),
    });
  });

  test("refuses options that it does not know, all at once", () => {
    expect(() =>
      defineWorkflow("w", { machine: onboardingMachine, timeuot: 1, key: "id", queries: { q: 1 } } as never),
    ).toThrow(/timeuot[\s\S]*timeout[\s\S]*key is "id"[\s\S]*queries\.q is 1/);
    expect(isWorkflowDefinition(onboarding)).toBe(true);
  });
});

test("a child workflow survives the crash of the node at every point, and is run once", async () => {
  const child = defineWorkflow("child", {
    machine: setup({ types: { context: {} as { n: number }, input: {} as { n: number } } }).createMachine({
      context: ({ input }) => ({ n: input.n }),
      initial: "working",
      states: { working: { after: { 1000: "over" } }, over: { type: "final" } },
      output: ({ context }) => context.n * 2,
    }),
  });
  const parent = defineWorkflow("parent", {
    machine: setup({
      types: { context: {} as { sum: number; n: number }, output: {} as number },
      actors: { double: runWorkflow(child) },
    }).createMachine({
      context: { sum: 0, n: 1 },
      initial: "calling",
      states: {
        calling: {
          invoke: {
            src: "double",
            input: ({ context }) => ({ key: `c${context.n}`, input: { n: context.n } }) as never,
            onDone: {
              target: "deciding",
              actions: assign({
                sum: ({ context, event }) => context.sum + (event.output as number),
                n: ({ context }) => context.n + 1,
              }),
            },
          },
        },
        deciding: { always: [{ guard: ({ context }) => context.n > 3, target: "over" }, { target: "calling" }] },
        over: { type: "final" },
      },
      output: ({ context }) => context.sum,
    }),
  });
  for (const point of ["read", "decided", "commit.before", "commit.after", "timer.before", "answered"] as const) {
    for (let count = 1; count <= 8; count += 2) {
      system = await createTestSystem({ actors: [parent, child], nodes: 2, seed: count });
      const { client, run, nodes } = system;
      await system.advance(500);
      for (const node of nodes.slice(0, 1)) node.crashAt(point, count);
      const started = await run(parent.start(client, {} as never, { key: "p" }));
      expect(await run(started.result())).toBe(12);
      const children = await run(child.list(client));
      expect(children.map(({ status, run: n }) => [status, n])).toEqual(Array(3).fill(["completed", 1]));
      await system.stop();
    }
  }
  system = undefined;
});

test("a timeout is set once for a run, also when the root is entered again", async () => {
  const again = defineWorkflow("again", {
    machine: setup({ types: { events: {} as { type: "AGAIN" } } }).createMachine({
      id: "root",
      initial: "a",
      on: { AGAIN: { target: "#root", reenter: true } },
      states: { a: {} },
    }),
    timeout: "1 hour",
  });
  system = await createTestSystem({ actors: [again] });
  const { client, run } = system;
  const started = await run(again.start(client, {} as never, { key: "k" }));
  await run(started.ask({ type: "AGAIN" }));
  expect((await run(started.view()))?.timers).toHaveLength(1);
  await system.advance(3_600_000);
  expect(await run(started.status())).toBe("timed-out");
  const [listed] = await run(again.list(client));
  await run(started.signal({ type: "AGAIN" }));
  expect((await run(again.list(client)))[0]?.endedAt).toBe(listed?.endedAt);
});

test("a child workflow whose input or output its schemas refuse is an error of the parent's", async () => {
  const child = defineWorkflow("strict", {
    machine: setup({ types: { context: {} as { n: number }, input: {} as { n: number } } }).createMachine({
      context: ({ input }) => ({ n: input.n }),
      initial: "over",
      states: { over: { type: "final" } },
      output: ({ context }) => context.n,
    }),
    input: z.object({ n: z.number() }),
    output: z.number().max(10),
  });
  const parent = defineWorkflow("strict-parent", {
    machine: setup({
      types: { context: {} as { n: number; told: unknown }, input: {} as { n: number } },
      actors: { child: runWorkflow(child) },
    }).createMachine({
      context: ({ input }) => ({ n: input.n, told: undefined }),
      initial: "calling",
      states: {
        calling: {
          invoke: {
            src: "child",
            input: ({ context }) => ({ key: `k${context.n}`, input: { n: context.n } }),
            onDone: { target: "over", actions: assign({ told: ({ event }) => event.output }) },
            onError: { target: "over", actions: assign({ told: ({ event }) => event.error }) },
          },
        },
        over: { type: "final" },
      },
      output: ({ context }) => context.told,
    }),
  });
  system = await createTestSystem({ actors: [parent, child] });
  const { client, run } = system;
  for (const [n, told] of [
    [5, 5],
    [50, { name: "WorkflowFailedError" }],
  ] as const) {
    const started = await run(parent.start(client, { n }, { key: `p${n}` }));
    expect(await run(started.result())).toEqual(typeof told === "number" ? told : expect.objectContaining(told));
  }
  await expect(run(parent.start(client, { n: "x" as never }, { key: "px" }))).rejects.toMatchObject({
    _tag: "DeadLetteredError",
    message: expect.stringContaining('Cannot start workflow "strict"'),
  });
  expect(() => runWorkflow({ type: "x" } as never)).toThrow(/is no workflow/);
});

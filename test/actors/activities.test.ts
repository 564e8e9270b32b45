/** Activities from end to end: a machine asks, a worker does, the machine goes on. */
import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import { assign, fromPromise, setup } from "xstate";
import { z } from "zod";
import { type ActivityRun, defineActivity } from "../../actors/define-activity.ts";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem, type TestSystemOptions } from "../../actors/test-system.ts";
import { RetryableError, TerminalError } from "../../runtime/core/errors.ts";
import { faultPoints } from "../../runtime/engine/faults.ts";

interface Context {
  readonly log: readonly unknown[];
}

// Fits every place of every machine here.
const note = assign({
  log: ({ context, event }: any) => [...context.log, event.output ?? event.error ?? event.type],
}) as never;

/** A machine that works when told to, notes what comes of it, and can be told to stop. */
function worker(work: any, invoke: object = {}) {
  return setup({
    types: { context: {} as Context, events: {} as { type: "GO" | "STOP"; n?: number } },
    actors: { work },
  }).createMachine({
    context: { log: [] },
    initial: "idle",
    states: {
      idle: { on: { GO: "working" } },
      working: {
        on: { STOP: { target: "idle", actions: note }, GO: { target: "working", reenter: true } },
        invoke: {
          src: "work",
          input: ({ event }: any) => ({ n: event.n ?? 0 }),
          onDone: { target: "idle", actions: note },
          onError: { target: "idle", actions: note },
          ...invoke,
        } as never,
      },
    },
  });
}

async function systemWith(work: unknown, options: Partial<TestSystemOptions> = {}) {
  const job = defineActor("job", { machine: worker(work) });
  const system = await createTestSystem({ actors: [job], partitions: 2, ...options });
  const ref = job.ref("a");
  return {
    ...system,
    system,
    job,
    send: (event: { type: "GO" | "STOP"; n?: number }) => system.run(system.client.send(ref, event)),
    log: async () => (await system.run(system.client.get(ref)))?.context.log,
    logged: async (count: number, timeout = 600_000) =>
      (await system.run(system.client.waitFor(ref, (view) => view.context.log.length >= count, { timeout }))).context
        .log,
  };
}

const total = (system: TestSystem, counter: "started" | "lost" | "cancelled"): number =>
  system.nodes.reduce((sum, node) => sum + (node.stats().activities?.[counter] ?? 0), 0);

describe("promise logic of a machine", () => {
  it("runs in a worker, and its value comes as it was returned", async () => {
    const value = { at: new Date(5), big: 7n, none: undefined, tags: new Set(["a"]) };
    const seen: unknown[] = [];
    const { send, logged, stop } = await systemWith(
      fromPromise(async ({ input, self, system, signal }) => {
        seen.push(input, typeof self.id, typeof system, signal.aborted);
        return value;
      }),
    );
    await send({ type: "GO", n: 3 });
    expect(await logged(1)).toEqual([value]);
    expect(seen).toEqual([{ n: 3 }, "string", "object", false]);
    await stop();
  });

  it("goes to onError with the first rejection, and the error keeps what it says", async () => {
    let runs = 0;
    const { send, logged, stop } = await systemWith(
      fromPromise(async () => {
        runs++;
        throw Object.assign(new TypeError("no route", { cause: new Error("socket closed") }), {
          code: "E_ROUTE",
          data: { hop: 3n },
        });
      }),
    );
    await send({ type: "GO" });
    const [error] = (await logged(1)) as [Error];
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({ message: "no route", code: "E_ROUTE", data: { hop: 3n } });
    expect(error.cause).toMatchObject({ message: "socket closed" });
    expect(runs).toBe(1);
    await stop();
  });

  it("is told clearly that a worker is not where the actor is", async () => {
    const { send, logged, stop } = await systemWith(fromPromise(async ({ system }) => system.get("someone")));
    await send({ type: "GO" });
    expect(await logged(1)).toEqual([
      expect.objectContaining({
        name: "TerminalError",
        message: expect.stringContaining('Cannot use system.get in the promise logic "job.work"'),
      }),
    ]);
    await stop();
  });

  it("is aborted when its state is left, and what it still returns is dropped", async () => {
    const reasons: unknown[] = [];
    const held = await systemWith(
      fromPromise(async ({ input, signal }) => {
        signal.addEventListener("abort", () => reasons.push(signal.reason));
        await held.sleep(5000);
        return `late ${(input as { n: number }).n}`;
      }),
    );
    await held.send({ type: "GO", n: 1 });
    await held.advance(1000);
    await held.send({ type: "STOP" });
    await held.advance(100);
    expect(reasons).toEqual([expect.objectContaining({ _tag: "ActivityCancelledError" })]);
    await held.send({ type: "GO", n: 2 });
    expect(await held.logged(2)).toEqual(["STOP", "late 2"]);
    await held.advance(60_000);
    expect(await held.log()).toEqual(["STOP", "late 2"]);
    expect(total(held.system, "cancelled")).toBe(1);
    await held.stop();
  });

  it("is another invocation each time its state is entered, with another key", async () => {
    const keys: string[] = [];
    const again = await systemWith(
      defineActivity("keyed", {
        run: async ({ idempotencyKey, input }: ActivityRun<{ n: number }>) => {
          keys.push(idempotencyKey);
          await again.sleep(1000);
          return input.n;
        },
      }),
    );
    await again.send({ type: "GO", n: 1 });
    await again.advance(500);
    await again.send({ type: "GO", n: 2 });
    expect(await again.logged(1)).toEqual([2]);
    await again.advance(10_000);
    expect(await again.log()).toEqual([2]);
    expect(new Set(keys).size).toBe(2);
    await again.stop();
  });

  it("may be spawned, and may belong to a child machine, each under its own name", async () => {
    const inner = fromPromise(async ({ input }) => `inner ${input}`);
    const outer = fromPromise(async ({ input }) => `outer ${input}`);
    const child = setup({
      types: { output: {} as unknown, context: {} as { got: unknown } },
      actors: { fetch: inner },
    }).createMachine({
      context: { got: undefined },
      initial: "fetching",
      states: {
        fetching: {
          invoke: {
            src: "fetch",
            input: 7,
            onDone: { target: "done", actions: assign({ got: ({ event }) => event.output }) },
          },
        },
        done: { type: "final" },
      },
      output: ({ context }: any) => context.got,
    });
    const parent = defineActor("family", {
      machine: setup({
        types: { context: {} as Context, events: {} as { type: "GO" } },
        actors: { child, fetch: outer },
      }).createMachine({
        context: { log: [] },
        on: {
          GO: {
            actions: [
              ({ self }: any) => self,
              assign(({ spawn }: any) => void spawn("fetch", { id: "f", input: 1 })),
            ] as never,
          },
          "xstate.done.actor.f": { actions: note },
        },
        invoke: { src: "child", id: "c", onDone: { actions: note } },
      }),
    });
    expect(parent.activities.map(({ name }) => name).sort()).toEqual(["family.child.fetch", "family.fetch"]);
    const system = await createTestSystem({ actors: [parent] });
    await system.run(system.client.send(parent.ref("x"), { type: "GO" }));
    const { context } = await system.run(
      system.client.waitFor(parent.ref("x"), (view) => view.context.log.length === 2, { timeout: 60_000 }),
    );
    expect([...context.log].sort()).toEqual(["inner 7", "outer 1"]);
    await system.stop();
  });
});

describe("an activity", () => {
  it("is tried again as its policy says, with the same key", async () => {
    const runs: Array<[number, string, number]> = [];
    const retried = await systemWith(
      defineActivity("flaky", {
        retry: { base: 1000, jitter: "none", maxAttempts: 4 },
        run: async ({ attempt, idempotencyKey }) => {
          runs.push([attempt, idempotencyKey, retried.time.elapsed()]);
          if (attempt < 4) throw new Error(`no ${attempt}`);
          return "yes";
        },
      }),
    );
    await retried.send({ type: "GO" });
    expect(await retried.logged(1)).toEqual(["yes"]);
    expect(runs.map(([attempt]) => attempt)).toEqual([1, 2, 3, 4]);
    expect(new Set(runs.map(([, key]) => key)).size).toBe(1);
    const delays = runs.slice(1).map(([, , at], i) => at - (runs[i] as [number, string, number])[2]);
    for (const [i, expected] of [1000, 2000, 4000].entries()) {
      expect(delays[i]).toBeGreaterThanOrEqual(expected);
      expect(delays[i]).toBeLessThan(expected + 100);
    }
    await retried.stop();
  });

  it("fails with its last error when the attempts are used up, and at once for a TerminalError", async () => {
    const attempts: number[] = [];
    const spent = await systemWith(
      defineActivity("spent", {
        retry: { base: 10, maxAttempts: 3 },
        run: async ({ attempt, input }: ActivityRun<{ n: number }>) => {
          attempts.push(attempt);
          throw input.n === 0 ? new Error(`no ${attempt}`) : new TerminalError("never");
        },
      }),
    );
    await spent.send({ type: "GO" });
    expect(await spent.logged(1)).toEqual([expect.objectContaining({ message: "no 3" })]);
    await spent.send({ type: "GO", n: 1 });
    expect(await spent.logged(2)).toEqual([
      expect.anything(),
      expect.objectContaining({ name: "TerminalError", message: "never" }),
    ]);
    expect(attempts).toEqual([1, 2, 3, 1]);
    await spent.stop();
  });

  it("waits as long as a RetryableError asks for", async () => {
    const at: number[] = [];
    const asked = await systemWith(
      defineActivity("busy", {
        retry: { maxAttempts: 2 },
        run: async ({ attempt }) => {
          at.push(asked.time.elapsed());
          if (attempt === 1) throw new RetryableError("busy", { retryAfter: 90_000 });
          return "ok";
        },
      }),
    );
    await asked.send({ type: "GO" });
    expect(await asked.logged(1)).toEqual(["ok"]);
    expect((at[1] as number) - (at[0] as number)).toBeGreaterThanOrEqual(90_000);
    await asked.stop();
  });

  it("that never returns is given up at its attempt timeout, again and again, and at its overall timeout for good", async () => {
    const runs: unknown[] = [];
    const never = await systemWith(
      defineActivity("never", {
        attemptTimeout: 2000,
        timeout: 12_000,
        retry: { base: 1000, jitter: "none", factor: 1, maxAttempts: 100 },
        run: ({ signal }) =>
          new Promise(() => {
            signal.addEventListener("abort", () => runs.push(signal.reason));
          }),
      }),
    );
    const startMs = never.time.elapsed();
    await never.send({ type: "GO" });
    expect(await never.logged(1)).toEqual([expect.objectContaining({ name: "ActivityTimeoutError" })]);
    const tookMs = never.time.elapsed() - startMs;
    expect(tookMs).toBeGreaterThanOrEqual(12_000);
    expect(tookMs).toBeLessThan(12_500);
    await never.advance(60_000);
    expect(runs.map((reason) => (reason as { _tag: string })._tag)).toEqual([
      "ActivityTimeoutError",
      "ActivityTimeoutError",
      "ActivityTimeoutError",
    ]);
    expect(total(never.system, "started")).toBe(3);
    await never.stop();
  });

  it("checks its input and its output", async () => {
    const checked = await systemWith(
      defineActivity("checked", {
        input: z.object({ n: z.number().min(1) }),
        output: z.number().transform((n) => `n${n}`),
        run: ({ input }) => (input.n === 1 ? 1 : ("text" as never)),
      }),
    );
    for (const n of [0, 1, 2]) {
      await checked.send({ type: "GO", n });
      await checked.logged(n + 1);
    }
    expect(await checked.log()).toEqual([
      expect.objectContaining({ name: "ActivityValueError", message: expect.stringContaining("its input") }),
      "n1",
      expect.objectContaining({ name: "ActivityValueError", message: expect.stringContaining("what it returned") }),
    ]);
    await checked.stop();
  });

  it("may be an Effect, whose typed failure arrives", async () => {
    const effectful = await systemWith(
      defineActivity("effectful", {
        retry: { maxAttempts: 1 },
        run: ({ input }: ActivityRun<{ n: number }>) =>
          input.n === 0 ? Effect.succeed("fine") : Effect.fail(new RangeError("typed")),
      }),
    );
    await effectful.send({ type: "GO" });
    await effectful.logged(1);
    await effectful.send({ type: "GO", n: 1 });
    expect(await effectful.logged(2)).toEqual(["fine", expect.objectContaining({ name: "RangeError" })]);
    await effectful.stop();
  });

  it("is done by nodes that only work on activities, when the actors' nodes leave it to them", async () => {
    const ran: string[] = [];
    const shared = defineActivity("shared", {
      run: async () => {
        ran.push("shared");
        return "done";
      },
    });
    const split = await systemWith(shared, { activities: "none" });
    await split.send({ type: "GO" });
    await split.advance(30_000);
    expect([ran, await split.log(), split.nodes[0]?.stats().activities]).toEqual([[], [], undefined]);
    const helper = await split.startNode({ name: "helper", actors: [], activities: [shared] });
    expect(await split.logged(1)).toEqual(["done"]);
    expect(helper.stats()).toMatchObject({ partitions: [], activities: { done: 1 } });
    expect(split.nodes[0]?.stats().aliveNodes).toEqual(["node-1"]);
    await split.run(helper.stop());
    // The activities of an actor by the actor's definition.
    const second = await split.startNode({ name: "second", actors: [], activities: [split.job] });
    await split.send({ type: "GO" });
    await split.logged(2);
    expect(second.stats().activities).toMatchObject({ done: 1 });
    await split.stop();
  });

  it("is refused where another one has its name", async () => {
    const one = defineActivity("same", { run: async () => 1 });
    const two = defineActivity("same", { run: async () => 2 });
    const machine = setup({ actors: { one, two } }).createMachine({ invoke: [{ src: "one" }, { src: "two" }] });
    expect(() => defineActor("twins", { machine })).toThrowError(/two activities of it have the name "same"/);
    await expect(createTestSystem({ actors: [], activities: [one, two] })).rejects.toThrowError(
      /activities\[1\] has an activity "same", and another one has that name already/,
    );
    await expect(createTestSystem({ actors: [], activities: [{} as never] })).rejects.toThrowError(
      /activities\[0\] is not a definition made by defineActivity or defineActor/,
    );
  });
});

describe("after a crash", () => {
  it("an attempt whose node died is made by another node, and its result is applied once", async () => {
    const runs: number[] = [];
    const lost = await systemWith(
      defineActivity("slow", {
        heartbeat: 3000,
        run: async ({ attempt }) => {
          runs.push(attempt);
          await lost.sleep(5000);
          return attempt;
        },
      }),
      { nodes: 3 },
    );
    await lost.send({ type: "GO" });
    await lost.time.runUntil(() => runs.length === 1);
    lost.nodes.find((node) => node.stats().activities?.running === 1)?.crash();
    expect(await lost.logged(1)).toEqual([2]);
    await lost.advance(60_000);
    expect(await lost.log()).toEqual([2]);
    expect(runs).toEqual([1, 2]);
    await lost.stop();
  });

  it.each(faultPoints)("at %s, activities come to the same end, each applied once", async (point) => {
    for (const count of [1, 2, 4]) {
      const flaky = defineActivity("work", {
        heartbeat: 2000,
        retry: { base: 300, jitter: "none", maxAttempts: 3 },
        run: async ({ input, attempt }: ActivityRun<{ n: number }>) => {
          await crashed.sleep(200);
          if (input.n % 3 === 1 && attempt === 1) throw new Error("once");
          if (input.n % 3 === 2) throw new TerminalError(`never ${input.n}`);
          return input.n;
        },
      });
      const crashed = await systemWith(flaky, { nodes: 2, seed: count });
      crashed.nodes[0]?.crashAt(point, count);
      for (let n = 0; n < 6; n++) {
        if (point === "drained" && n === 3) void crashed.nodes[0]?.stop();
        await crashed.send({ type: "GO", n });
        await crashed.logged(n + 1);
      }
      const told = (await crashed.log())?.map((entry) => (entry instanceof Error ? entry.message : entry));
      expect(told).toEqual([0, 1, "never 2", 3, 4, "never 5"]);
      await crashed.advance(30_000);
      expect(await crashed.log()).toHaveLength(6);
    }
  });
});

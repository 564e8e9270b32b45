import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { ActivityRun } from "../../actors/define-activity.ts";
import { RetryableError, TerminalError } from "../../runtime/core/errors.ts";
import { defineActivity, WorkerWorld } from "./worker-world.ts";

describe("a worker", () => {
  it("runs a task, sends its result once, acknowledges and removes it", async () => {
    const world = new WorkerWorld();
    const seen: unknown[] = [];
    const activity = defineActivity("charge", {
      run: ({ signal, ...run }: ActivityRun<{ amount: number }>) => {
        seen.push(run);
        return { charged: run.input.amount, at: new Date(5) };
      },
    });
    const worker = world.start([activity]);
    await world.ask("charge", { data: { amount: 7 } });
    await world.until(() => world.results().length > 0);
    expect(seen).toEqual([
      {
        input: { amount: 7 },
        idempotencyKey: "test.order.1.1",
        attempt: 1,
        actor: "order/1",
        id: "work",
      },
    ]);
    expect(world.results()).toMatchObject([{ actor: "order/1", id: "work", n: 1, attempt: 1 }]);
    expect(world.outputs()).toEqual([{ charged: 7, at: new Date(5) }]);
    await world.advance(120_000);
    expect(seen).toHaveLength(1);
    expect(world.tasks("charge")).toEqual([]);
    expect(worker.stats()).toMatchObject({
      started: 1,
      done: 1,
      failed: 0,
      lost: 0,
      running: 0,
      waiting: { charge: 0 },
    });
    await worker.stop();
  });

  it("works on tasks that were there before it, and only on those of its activities", async () => {
    const world = new WorkerWorld();
    await world.ask("known", { data: 1 });
    await world.ask("unknown", { data: 2, n: 2 });
    const worker = world.start([defineActivity("known", { run: ({ input }: ActivityRun<number>) => input })]);
    await world.until(() => world.results().length > 0);
    await world.advance(60_000);
    expect(world.outputs()).toEqual([1]);
    expect(world.tasks("unknown")).toHaveLength(1);
    await worker.stop();
  });

  it("keeps name, message, code, data and cause of what a handler throws", async () => {
    const world = new WorkerWorld();
    class CardError extends Error {
      override readonly name = "CardError";
      readonly code = "declined";
      readonly data = { limit: 100n, at: new Date(1) };
    }
    const worker = world.start([
      defineActivity("fails", {
        run: () => {
          throw new CardError("no money", { cause: new TypeError("socket") });
        },
      }),
    ]);
    await world.ask("fails");
    await world.until(() => world.results().length > 0);
    const [error] = world.errors();
    expect(error).toMatchObject({
      name: "CardError",
      message: "no money",
      code: "declined",
      data: { limit: 100n, at: new Date(1) },
    });
    expect(error?.cause).toBeInstanceOf(TypeError);
    expect(world.results()[0]?.outcome).not.toHaveProperty("isTerminal");
    await worker.stop();
  });

  it.each<[string, unknown, object]>([
    ["a TerminalError", new TerminalError("never"), { isTerminal: true }],
    ["a RetryableError", new RetryableError("busy", { retryAfter: 5000 }), { retryAfterMs: 5000 }],
    ["what retryIf refuses", new RangeError("odd"), { isTerminal: true }],
    ["any other error", new Error("some"), {}],
    ["a text", "just a text", {}],
  ])("says of %s whether to try again", async (_, thrown, expected) => {
    const world = new WorkerWorld();
    const run = () => {
      throw thrown;
    };
    const retry = { retryIf: (error: unknown) => !(error instanceof RangeError) };
    const worker = world.start([defineActivity("fails", { retry, run })]);
    await world.ask("fails");
    await world.until(() => world.results().length > 0);
    const { error, ...rest } = world.results().map(({ outcome }) => outcome)[0] as { error: unknown };
    expect(rest).toEqual({ ...expected, attempts: 1 });
    expect(error).toBeDefined();
    await worker.stop();
  });

  it.each<[string, () => unknown, string]>([
    ["cannot be stored", () => ({ items: [{ onDone: () => {} }] }), "Cannot store output.items[0].onDone"],
    ["is too large", () => "x".repeat(2_000_000), "Cannot send the result of activity"],
    ["the schema refuses", () => ({ items: 1 }), "what it returned was refused by its schema: items"],
  ])("turns a result that %s into an error that says so, and is not tried again", async (_, run, message) => {
    const world = new WorkerWorld();
    const output = message.includes("schema") ? { output: z.object({ items: z.array(z.any()) }) } : {};
    const worker = world.start([defineActivity("odd", { ...output, run: run as () => never })]);
    await world.ask("odd");
    await world.until(() => world.results().length > 0);
    expect(world.results()[0]?.outcome).toMatchObject({ isTerminal: true });
    expect(world.errors()[0]?.message).toContain(message);
    await worker.stop();
  });

  it("tells what can be told of an error that cannot be stored", async () => {
    const world = new WorkerWorld();
    const cause = Object.assign(new Error("inner"), { data: () => {} });
    const error = Object.assign(new Error("outer", { cause }), { code: 7, data: { socket: new (class Socket {})() } });
    const worker = world.start([defineActivity("odd", { run: () => Promise.reject(error) })]);
    await world.ask("odd");
    await world.until(() => world.results().length > 0);
    expect(world.errors()[0]).toMatchObject({ message: "outer", code: 7, cause: { message: "inner" } });
    expect(world.errors()[0]).not.toHaveProperty("data");
    await worker.stop();
  });

  it("refuses an input that the schema refuses, and gives the handler what the schema makes of it", async () => {
    const world = new WorkerWorld();
    const run = ({ input }: ActivityRun<{ amount: number }>) => input.amount + 1;
    const input = z.object({ amount: z.string().transform(Number) });
    const worker = world.start([defineActivity("charge", { input, run })]);
    await world.ask("charge", { data: { amount: "41" } });
    await world.ask("charge", { data: { amount: 41 }, n: 2 });
    await world.until(() => world.results().length === 2);
    expect(world.outputs()).toContain(42);
    expect(world.errors()[0]).toMatchObject({ name: "ActivityValueError", message: expect.stringContaining("amount") });
    await worker.stop();
  });

  it("takes values, promises and Effects from handlers", async () => {
    const world = new WorkerWorld();
    const worker = world.start([
      defineActivity("value", { run: () => 1 }),
      defineActivity("promise", { run: async () => 2 }),
      defineActivity("effect", { run: () => Effect.succeed(3) }),
      defineActivity("failing", { run: () => Effect.fail(new TerminalError("typed")) }),
    ]);
    for (const [n, name] of ["value", "promise", "effect", "failing"].entries()) await world.ask(name, { n });
    await world.until(() => world.results().length === 4);
    expect(new Set(world.outputs().slice(0))).toEqual(
      new Set([1, 2, 3, expect.objectContaining({ isTerminal: true })]),
    );
    await worker.stop();
  });

  it("gives up an attempt that does not end in time, whether or not its handler listens", async () => {
    const world = new WorkerWorld();
    const reasons: unknown[] = [];
    const worker = world.start(
      [
        defineActivity("deaf", { attemptTimeout: 5000, run: () => new Promise(() => {}) }),
        defineActivity("polite", {
          attemptTimeout: 5000,
          run: ({ signal }) => world.sleep(60_000, signal).catch((reason) => reasons.push(reason)),
        }),
      ],
      { maxActivities: 2 },
    );
    const startMs = world.time.elapsed();
    await world.ask("deaf");
    await world.ask("polite", { n: 2 });
    await world.until(() => world.results().length === 2);
    expect(world.time.elapsed() - startMs).toBeLessThan(6200);
    expect(world.errors().map(({ name }) => name)).toEqual(["ActivityTimeoutError", "ActivityTimeoutError"]);
    expect(world.results().map(({ outcome }) => "isTerminal" in outcome)).toEqual([false, false]);
    expect(reasons).toEqual([expect.objectContaining({ _tag: "ActivityTimeoutError" })]);
    // Their slots are free again.
    await world.ask("deaf", { n: 3 });
    await world.until(() => worker.stats().timedOut === 3 && worker.stats().running === 0);
    expect(worker.stats()).toMatchObject({ started: 3, timedOut: 3, failed: 0, running: 0 });
    await worker.stop();
  });

  it("runs no more attempts at once than the process may", async () => {
    const world = new WorkerWorld();
    let running = 0;
    let most = 0;
    const run = async () => {
      most = Math.max(most, ++running);
      await world.sleep(100);
      running--;
    };
    const names = ["a", "b", "c", "d", "e", "f", "g"];
    const worker = world.start(
      names.map((name) => defineActivity(name, { run })),
      { maxActivities: 3 },
    );
    for (let n = 0; n < 42; n++) await world.ask(names[n % 7] as string, { n });
    await world.until(() => world.results().length === 42);
    expect(most).toBe(3);
    await worker.stop();
  });

  it("keeps a long attempt to itself, and results coming when the broker loses answers", async () => {
    const world = new WorkerWorld({
      faults: { append: { "lost-answer": 0.2, late: 0.1 }, pull: { "lost-answer": 0.1 } },
    });
    let runs = 0;
    const activity = defineActivity("long", {
      heartbeat: 2000,
      run: async () => {
        runs++;
        await world.sleep(20_000);
        return "done";
      },
    });
    const workers = [world.start([activity]), world.start([activity])];
    await world.ask("long");
    await world.until(() => world.results().length > 0);
    await world.advance(60_000);
    expect(world.outputs()).toEqual(["done"]);
    expect(runs).toBe(1);
    for (const worker of workers) await worker.stop();
  });
});

describe("an attempt", () => {
  const hanging = (world: WorkerWorld, runs: Array<{ attempt: number; key: string; reason?: unknown }>) =>
    defineActivity("work", {
      heartbeat: 3000,
      run: async ({ attempt, idempotencyKey, signal, input }: ActivityRun<number>) => {
        const run: (typeof runs)[number] = { attempt, key: idempotencyKey };
        runs.push(run);
        signal.addEventListener("abort", () => {
          run.reason = signal.reason;
        });
        await world.sleep(input);
        return attempt;
      },
    });

  it("of a worker that died is made again by another, and has one result", async () => {
    const world = new WorkerWorld();
    const runs: Array<{ attempt: number; key: string }> = [];
    const activity = hanging(world, runs);
    const first = world.start([activity]);
    await world.ask("work", { data: 5000 });
    await world.until(() => runs.length === 1);
    const second = world.start([activity]);
    first.crash();
    const deathMs = world.time.elapsed();
    await world.until(() => runs.length === 2);
    expect(world.time.elapsed() - deathMs).toBeLessThan(3100);
    await world.until(() => world.results().length === 1);
    await world.advance(60_000);
    // The number of the attempt tells the code that it may have been called before; the key is the same.
    expect(runs).toEqual([
      { attempt: 1, key: "test.order.1.1" },
      { attempt: 2, key: "test.order.1.1" },
    ]);
    expect(world.outputs()).toEqual([2]);
    expect(world.tasks("work")).toEqual([]);
    expect(second.stats()).toMatchObject({ started: 1, done: 1, lost: 1 });
    await second.stop();
  });

  it("that kills its worker every time is reported as lost, and not made again", async () => {
    const world = new WorkerWorld();
    const runs: Array<{ attempt: number; key: string }> = [];
    const activity = hanging(world, runs);
    await world.ask("work", { data: 5000 });
    for (let round = 1; round <= 5; round++) {
      const worker = world.start([activity]);
      await world.until(() => runs.length === round);
      worker.crash();
    }
    const last = world.start([activity]);
    await world.until(() => world.results().length === 1);
    expect(runs.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5]);
    expect(world.results()[0]?.outcome).toMatchObject({ isTerminal: true });
    expect(world.errors()[0]).toMatchObject({
      name: "ActivityLostError",
      message: expect.stringContaining("was started 5 times"),
    });
    await last.stop();
  });

  it("that kills its workers does not take those down that run beside it", async () => {
    const world = new WorkerWorld();
    let worker: ReturnType<typeof world.start> | undefined;
    const activity = defineActivity("work", {
      heartbeat: 3000,
      retry: { maxAttempts: 3 },
      run: async ({ input }: ActivityRun<{ poison: boolean }>) => {
        await world.sleep(input.poison ? 500 : 2000);
        if (input.poison) {
          worker?.crash();
          worker = undefined;
        }
        return "fine";
      },
    });
    for (let n = 0; n < 20; n++) await world.ask("work", { n, data: { poison: n === 7 } });
    for (let round = 0; round < 400 && world.results().length < 20; round++) {
      worker ??= world.start([activity]);
      await world.advance(500);
    }
    expect(world.results().filter(({ outcome }) => "error" in outcome)).toMatchObject([{ n: 7 }]);
    expect(world.errors()).toMatchObject([{ name: "ActivityLostError" }]);
    await worker?.stop();
  });

  it("whose result was stored before the worker died is not made again", async () => {
    const world = new WorkerWorld();
    let runs = 0;
    const activity = defineActivity("work", {
      heartbeat: 3000,
      run: () => {
        runs++;
      },
    });
    const first = world.start([activity]);
    world.broker.faults.next("ack", () => true, "lost");
    await world.ask("work");
    await world.until(() => world.results().length === 1);
    first.crash();
    const second = world.start([activity]);
    await world.advance(30_000);
    expect([runs, world.results().length, world.tasks("work")]).toEqual([1, 1, []]);
    await second.stop();
  });

  it("is aborted by a signal when it is not wanted any more, and has no result", async () => {
    const world = new WorkerWorld();
    const runs: Array<{ attempt: number; key: string; reason?: unknown }> = [];
    const worker = world.start([hanging(world, runs)]);
    await world.ask("work", { data: 60_000 });
    await world.ask("work", { data: 5000, n: 2 });
    await world.until(() => runs.length === 2);
    world.signalCancelled("work");
    await world.until(() => runs.some(({ reason }) => reason !== undefined), 100);
    expect(runs[0]?.reason).toMatchObject({ _tag: "ActivityCancelledError" });
    await world.advance(120_000);
    expect(world.results()).toMatchObject([{ n: 2 }]);
    expect(world.tasks("work")).toEqual([]);
    expect(worker.stats()).toMatchObject({ cancelled: 1, done: 1, running: 0 });
    await worker.stop();
  });

  it("is aborted when its task is gone, though no signal came", async () => {
    const world = new WorkerWorld();
    const runs: Array<{ attempt: number; key: string; reason?: unknown }> = [];
    const worker = world.start([hanging(world, runs)]);
    const subject = await world.ask("work", { data: 60_000 });
    await world.until(() => runs.length === 1);
    await world.purge(subject);
    await world.until(() => runs[0]?.reason !== undefined, 1500);
    await world.advance(120_000);
    expect(world.results()).toEqual([]);
    expect(runs).toHaveLength(1);
    await worker.stop();
  });

  it("is aborted when the actor's state does not wait for it, though its owner could not say so", async () => {
    const world = new WorkerWorld();
    const runs: Array<{ attempt: number; key: string; reason?: unknown }> = [];
    const worker = world.start([hanging(world, runs)]);
    await world.wait("order/1", 1, 2);
    await world.ask("work", { data: 60_000, n: 1 });
    await world.ask("work", { data: 30_000, n: 2 });
    await world.until(() => runs.length === 2);
    await world.advance(10_000);
    expect(runs.map(({ reason }) => reason)).toEqual([undefined, undefined]);
    await world.wait("order/1", 2);
    await world.advance(5000);
    expect(runs.map(({ reason }) => reason)).toEqual([
      expect.objectContaining({ _tag: "ActivityCancelledError" }),
      undefined,
    ]);
    await world.until(() => world.results().length === 1);
    expect(world.results()).toMatchObject([{ n: 2, outcome: { output: 1 } }]);
    await worker.stop();
  });

  it("may end while its process stops, and is given back uncounted when it does not", async () => {
    const world = new WorkerWorld();
    const runs: Array<{ attempt: number; key: string; reason?: unknown }> = [];
    const activity = hanging(world, runs);
    const first = world.start([activity]);
    await world.ask("work", { data: 4000 });
    await world.ask("work", { data: 60_000, n: 2 });
    await world.until(() => runs.length === 2);
    await world.ask("work", { data: 1, n: 3 }).then(() => world.until(() => runs.length === 3));
    const startMs = world.time.elapsed();
    await first.stop(5000);
    expect(world.time.elapsed() - startMs).toBeLessThan(7000);
    expect(world.results().map(({ n }) => n)).toEqual([3, 1]);
    expect(runs[1]?.reason).toMatchObject({ _tag: "SystemStoppedError" });
    // Another one has it at once, however often that happens, and no attempt is counted.
    for (let round = 4; round <= 9; round++) {
      const worker = world.start([activity]);
      await world.until(() => runs.length === round, 100);
      await worker.stop(10);
    }
    expect(new Set(runs.map(({ attempt }) => attempt))).toEqual(new Set([1]));
    expect(world.tasks("work").filter((subject) => subject.endsWith(".2-1"))).not.toEqual([]);
  });

  it("goes on in a worker that was frozen, and one of the results counts", async () => {
    const world = new WorkerWorld();
    const runs: Array<{ attempt: number; key: string }> = [];
    const activity = hanging(world, runs);
    const first = world.start([activity]);
    await world.ask("work", { data: 8000 });
    await world.until(() => runs.length === 1);
    first.freeze();
    const second = world.start([activity]);
    await world.until(() => runs.length === 2);
    first.thaw();
    await world.until(() => world.results().length > 0);
    await world.advance(60_000);
    expect(world.results()).toHaveLength(1);
    await first.stop();
    await second.stop();
  });
});

import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Stream from "effect/Stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { assign, setup } from "xstate";
import { z } from "zod";
import { defineActor } from "../../actors/define-actor.ts";
import { type EffectClient, toEffectClient } from "../../actors/effect-door.ts";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";
import { partitionOf } from "../../runtime/core/address.ts";
import { cloudEvent, eventSource } from "../../runtime/core/cloud-events.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import { reply } from "../../runtime/machine/actions.ts";

const counter = defineActor("counter", {
  machine: setup({
    types: { context: {} as { sum: number }, events: {} as { type: "ADD"; amount: number } },
  }).createMachine({
    context: { sum: 0 },
    on: {
      ADD: {
        actions: [
          assign({ sum: ({ context, event }) => context.sum + event.amount }),
          reply(({ context }) => context.sum),
        ],
      },
    },
  }),
  events: { ADD: z.object({ amount: z.number() }) },
});

/** Fails at whatever comes. */
const raw = defineActor("raw", {
  machine: setup({ types: { events: {} as { type: "ADD"; amount: number } } }).createMachine({
    on: {
      ADD: {
        actions: assign(() => {
          throw new Error("It is broken.");
        }),
      },
    },
  }),
  retry: "never",
});

let system: TestSystem;
let client: EffectClient;
const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => system.run(Effect.runPromise(effect));

beforeEach(async () => {
  system = await createTestSystem({ actors: [counter, raw] });
  client = toEffectClient(system.client);
});
afterEach(() => system.stop());

describe("the Effect door", () => {
  it("does what the Promise door does, under the same names", async () => {
    const program = Effect.gen(function* () {
      yield* client.send(counter.ref("a"), { type: "ADD", amount: 2 }, { key: "k" });
      const again = yield* client.send(counter.ref("a"), { type: "ADD", amount: 2 }, { key: "k" });
      const asked = yield* client.ask(counter.ref("a"), { type: "ADD", amount: 3 });
      const seen = yield* client.waitFor(counter.ref("a"), (view) => view.context.sum === 5);
      const history = yield* client.history(counter.ref("a"));
      const letters = yield* client.deadLetters((office) => office.list());
      const stats = yield* client.stats({ wait: "1 second" });
      return {
        again: again.duplicate,
        reply: asked.reply,
        sum: seen.context.sum,
        events: history.map((entry) => entry.event),
        letters,
        applied: stats.counters.applied,
      };
    });
    expect(await run(program)).toEqual({
      again: true,
      reply: 5,
      sum: 5,
      events: ["ADD", "ADD"],
      letters: [],
      applied: 2,
    });
  });

  it("fails with the very error, typed by its tag", async () => {
    const program = client
      .send(counter.ref("a"), { type: "ADD", amount: "2" } as never)
      .pipe(Effect.catchTag("InvalidEventError", (error) => Effect.succeed(error.retry)));
    expect(await run(program as Effect.Effect<unknown>)).toBe("terminal");
  });

  it("dies of what is no error of Statewright", async () => {
    const exit = await run(
      Effect.exit(
        client.send(counter.ref("a"), { type: "ADD", amount: 1 }).pipe(
          Effect.andThen(
            client.waitFor(counter.ref("a"), () => {
              throw new RangeError("a bug in the predicate");
            }),
          ),
        ),
      ),
    );
    expect(exit._tag).toBe("Failure");
    expect(String(exit)).toContain("Die");
  });

  it("aborts the call when the Effect is interrupted", async () => {
    const program = Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(
        client.waitFor(counter.ref("never"), { tag: "nowhere" }, { timeout: "1 hour" }),
      );
      yield* Effect.yieldNow;
      yield* Fiber.interrupt(fiber);
      return "interrupted";
    });
    const before = system.time.elapsed();
    expect(await run(program)).toBe("interrupted");
    expect(system.time.elapsed() - before).toBeLessThan(60_000);
  });

  it("redrives until the Effect is interrupted, and exports letters as a stream", async () => {
    const amounts = Array.from({ length: 20 }, (_, n) => n);
    await run(Effect.all(amounts.map((amount) => client.send(raw.ref("a"), { type: "ADD", amount }))));
    await system.advance(1000);
    const program = Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(
        client.deadLetters((office, signal) => office.redriveAll("type:raw", { rate: 4, signal })),
      );
      yield* Effect.promise(() => system.sleep(1100));
      yield* Fiber.interrupt(fiber);
      return yield* Stream.runCollect(client.exportDeadLetters("type:raw redrives:0"));
    });
    const left = [...(await run(program))].length;
    expect(left).toBeGreaterThan(10);
    expect(left).toBeLessThan(20);
    await system.advance(20_000);
    expect(await run(client.deadLetters((office) => office.list("type:raw redrives:0")))).toHaveLength(left);
  });

  it("reads nothing for a call that was aborted", async () => {
    const signal = AbortSignal.abort(new Error("not any more"));
    await expect(system.client.get(counter.ref("a"), { signal })).rejects.toThrow("not any more");
    await expect(system.client.history(counter.ref("a"), { signal })).rejects.toThrow("not any more");
    expect(await run(client.get(counter.ref("a")))).toBeUndefined();
  });

  it("streams committed states", async () => {
    const program = Effect.gen(function* () {
      yield* client.ask(counter.ref("s"), { type: "ADD", amount: 1 });
      const again = client.ask(counter.ref("s"), { type: "ADD", amount: 1 });
      const seen = yield* client.watch(counter.ref("s")).pipe(
        Stream.tap((view) => (view.context.sum === 1 ? again : Effect.void)),
        Stream.take(2),
        Stream.runCollect,
      );
      return seen.map((view) => view.context.sum);
    });
    expect(await run(program)).toEqual([1, 2]);
  });

  it("streams emitted events, and fails with the very error", async () => {
    const { subjects, by, log } = {
      subjects: new Subjects("test"),
      by: counter.ref("e"),
      log: system.broker.connect().log,
    };
    const emit = (id: string, type: string) =>
      log.append("core", [
        {
          subject: subjects.emitted(partitionOf(by, 4), by, type, id),
          ...cloudEvent(id, eventSource("test", by), type, 1, JSON.stringify({ type, id })),
        },
      ]);
    await system.run(Promise.all([emit("1", "PAID"), emit("2", "SHIPPED"), emit("3", "PAID")]));
    const program = Effect.gen(function* () {
      const seen = yield* client.emitted(by, "PAID", { from: "start" }).pipe(Stream.take(2), Stream.runCollect);
      const refused = yield* Stream.runCollect(client.emitted("counter", "PAID")).pipe(
        Effect.catchTag("InvalidNameError", (error) => Effect.succeed(error.retry)),
      );
      return [seen.map(({ event, id }) => [event.id, id]), refused];
    });
    expect(await run(program)).toEqual([
      [
        ["1", "1"],
        ["3", "3"],
      ],
      "terminal",
    ]);
  });
});

import { afterEach, beforeEach, expect, test } from "vitest";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";
import { expense, times, world } from "../../examples/human-approval/main.ts";

let system: TestSystem;
beforeEach(async () => {
  world.told.length = 0;
  world.paid.length = 0;
  world.blocked.clear();
  system = await createTestSystem({ actors: [expense], nodes: 2 });
});
afterEach(() => system.stop());

test("an expense that is approved is paid, whoever runs it when the answer comes", async () => {
  const { client, run, nodes } = system;
  const started = await run(expense.start(client, { id: "hotel", euros: 120 }));
  await run(
    client.waitFor(started.ref, ({ context }) => context.results.ask === undefined && "ask" in context.results),
  );
  nodes[0]?.crash();
  await run(started.signal({ type: "ANSWER", by: "ada", isApproved: true }));
  expect(await run(started.result())).toBe("120 euros for hotel, approved by ada");
  expect([world.paid, [...world.blocked]]).toEqual([["hotel"], []]);
});

test("one that is refused, and one that is not answered, leave nothing behind", async () => {
  const { client, run } = system;
  const yacht = await run(expense.start(client, { id: "yacht", euros: 90_000 }));
  const train = await run(expense.start(client, { id: "train", euros: 60 }));
  await run(yacht.signal({ type: "ANSWER", by: "ada", isApproved: false }));
  await expect(run(yacht.result())).rejects.toMatchObject({ cause: { message: "refused by ada" } });
  await system.advance(times.reminder + 100);
  expect(world.told).toContain("director: the manager has not answered about train");
  await system.advance(times.deadline);
  await expect(run(train.result())).rejects.toMatchObject({
    _tag: "SagaCompensatedError",
    details: { step: "ANSWER" },
  });
  expect([world.paid, [...world.blocked]]).toEqual([[], []]);
  expect(world.told).toContain("manager: train needs no answer any more");
});

import { afterEach, expect, test } from "vitest";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";
import { makeSubscription } from "../../examples/subscription-billing/main.ts";

const dayMs = 86_400_000;
const subscription = makeSubscription(dayMs);
const started = { customer: "ada", card: "gold", period: 0 };
let system: TestSystem | undefined;
afterEach(() => system?.stop());

test("a subscription is charged each month, tries again after 1, 3 and 5 days, and gives up", async () => {
  system = await createTestSystem({ actors: [subscription] });
  const { client, run } = system;
  const ada = await run(subscription.start(client, started, { key: "ada" }));
  expect(await run(ada.query("state"))).toBe("trial, period 0, failures 0");
  await system.advance(14.5 * dayMs);
  expect(await run(ada.query("state"))).toBe("active, period 1, failures 0");
  await system.advance(30 * dayMs);
  expect(await run(ada.query("state"))).toBe("active, period 2, failures 0");
  expect((await run(ada.view()))?.run?.n).toBe(3);

  await run(ada.signal({ type: "CARD", card: "empty" }));
  await system.advance(30 * dayMs);
  expect(await run(ada.query("state"))).toBe("overdue, period 3, failures 1");
  await system.advance(dayMs);
  expect(await run(ada.query("state"))).toBe("overdue, period 3, failures 2");
  await system.advance(3 * dayMs);
  expect(await run(ada.query("state"))).toBe("overdue, period 3, failures 3");
  await system.advance(5 * dayMs);
  expect(await run(ada.result())).toEqual({ periods: 3, why: "unpaid" });
});

test("a new card is charged at once, and a cancelled subscription ends", async () => {
  system = await createTestSystem({ actors: [subscription], nodes: 2 });
  const { client, run, nodes } = system;
  const bob = await run(subscription.start(client, { ...started, card: "empty" }, { key: "bob" }));
  for (const node of nodes) node.crashAt("timer.before");
  await system.startNode();
  await system.advance(14.5 * dayMs);
  expect(nodes.some(({ isCrashed }) => isCrashed)).toBe(true);
  expect(await run(bob.query("state"))).toBe("overdue, period 1, failures 1");
  await run(bob.signal({ type: "CARD", card: "gold" }));
  await system.advance(60_000);
  expect(await run(bob.query("state"))).toBe("active, period 1, failures 1");
  await run(bob.signal({ type: "CANCEL" }));
  expect(await run(bob.result())).toEqual({ periods: 1, why: "cancelled" });
});

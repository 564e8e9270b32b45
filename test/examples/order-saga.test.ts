import { afterEach, expect, test } from "vitest";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";
import { order, stock } from "../../examples/order-saga/main.ts";

let system: TestSystem | undefined;
afterEach(() => system?.stop());

test("an order is completed, one is compensated, and one is refused when nothing is left", async () => {
  system = await createTestSystem({ actors: [order, stock] });
  const { client, run } = system;
  const start = (id: string, card: string) => run(order.start(client, { id, article: "lamp", card, amount: 30 }));
  const left = async () => (await run(client.get(stock.ref("lamp"))))?.context;

  expect(await run((await start("1", "ada")).result())).toEqual({
    receipt: "30 from ada",
    parcel: "parcel of lamp for order 1",
  });
  const declined = await start("2", "empty");
  await expect(run(declined.result())).rejects.toMatchObject({
    _tag: "SagaCompensatedError",
    details: { step: "charge", undone: ["reserve"] },
  });
  expect(await run(declined.status())).toBe("compensated");
  expect(await left()).toEqual({ left: 1, held: ["1"] });

  await run((await start("3", "bob")).result());
  await expect(run((await start("4", "eve")).result())).rejects.toMatchObject({ _tag: "SagaCompensatedError" });
  expect(await left()).toEqual({ left: 0, held: ["1", "3"] });
});

test("an order gives its stock back though nodes crash on the way", async () => {
  for (const point of ["decided", "commit.before", "commit.after", "answered"] as const) {
    const crashing = await createTestSystem({ actors: [order, stock], nodes: 2 });
    const { client, run, nodes } = crashing;
    for (const node of nodes) node.crashAt(point, 2);
    await crashing.startNode();
    const started = await run(order.start(client, { id: "1", article: "lamp", card: "empty", amount: 30 }));
    await expect(run(started.result())).rejects.toMatchObject({ _tag: "SagaCompensatedError" });
    expect((await run(client.get(stock.ref("lamp"))))?.context).toEqual({ left: 2, held: [] });
    expect(nodes.some(({ isCrashed }) => isCrashed)).toBe(true);
    await crashing.stop();
  }
});

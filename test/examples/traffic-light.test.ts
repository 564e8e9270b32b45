import { afterEach, expect, test } from "vitest";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";
import { lasts, light } from "../../examples/traffic-light/main.ts";

let system: TestSystem | undefined;
afterEach(() => system?.stop());

const round = lasts.red + lasts.green + lasts.yellow;

test("a light goes round by its timers, and a push makes green yellow", async () => {
  system = await createTestSystem({ actors: [light] });
  const { client, run } = system;
  const ref = light.ref("a");
  await run(client.ask(ref, { type: "PUSH" }));
  const green = await run(client.waitFor(ref, (view) => view.value === "green"));
  expect(green.context).toEqual({ waiting: 0, rounds: 0 });
  const { view } = await run(client.ask(ref, { type: "PUSH" }));
  expect([view.value, view.context.waiting]).toEqual(["yellow", 1]);
  const red = await run(client.waitFor(ref, (next) => next.value === "red"));
  expect(red.context.rounds).toBe(1);
});

test("a light goes on when the node that ran it has crashed", async () => {
  system = await createTestSystem({ actors: [light], nodes: 2 });
  const { client, run, nodes } = system;
  const ref = light.ref("a");
  await run(client.ask(ref, { type: "PUSH" }));
  await system.advance(20 * round);
  for (const node of nodes) node.crash();
  await system.startNode();
  await system.advance(40 * round);
  const rounds = (await run(client.get(ref)))?.context.rounds ?? 0;
  expect(rounds).toBeGreaterThan(40);
  expect(rounds).toBeLessThanOrEqual(60);
});

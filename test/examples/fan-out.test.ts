import { expect, test } from "vitest";
import { createTestSystem } from "../../actors/test-system.ts";
import { batch } from "../../examples/fan-out/main.ts";

test("each of 1,000 items is counted once, though a node crashes", async () => {
  const system = await createTestSystem({ actors: [batch], nodes: 2 });
  const { client, run, nodes } = system;
  const started = await run(batch.start(client, { count: 1000 }, { key: "b" }));
  await run(client.waitFor(started.ref, ({ context }) => context.done >= 300));
  for (const node of nodes) node.crash();
  await system.startNode();
  expect(await run(started.result())).toEqual({ done: 1000, failed: 0, sum: 333_833_500 });
  const none = await run(batch.start(client, { count: 0 }, { key: "none" }));
  expect(await run(none.result())).toEqual({ done: 0, failed: 0, sum: 0 });
  await system.stop();
}, 60_000);

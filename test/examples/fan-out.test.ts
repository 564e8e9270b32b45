import { expect, test } from "vitest";
import { createTestSystem } from "../../actors/test-system.ts";
import { atOnce, census, someTexts } from "../../examples/fan-out/main.ts";

test("a thousand items are counted once each, though a node crashes in the middle", async () => {
  const system = await createTestSystem({ actors: [census], nodes: 2, partitions: 1 });
  const { client, run } = system;
  const { texts, words } = someTexts();
  const started = await run(census.start(client, { texts }, { key: "k" }));
  const middle = await run(client.waitFor(started.ref, ({ context }) => context.done >= 300, { timeout: 600_000 }));
  expect(middle.context.next - middle.context.done).toBeLessThanOrEqual(atOnce);
  system.nodes[0]?.crash();
  expect(await run(started.result())).toEqual({ words, texts: 1000 });
  expect(await run(started.query("progress"))).toBe("1000 of 1000");
  await system.stop();
}, 60_000);

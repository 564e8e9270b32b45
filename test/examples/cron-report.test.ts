import { expect, test } from "vitest";
import { createTestSystem } from "../../actors/test-system.ts";
import { nightly, report } from "../../examples/cron-report/main.ts";

const day = 86_400_000;

test("a report is made every night at two in Berlin, once each, though a node crashes at a tick", async () => {
  const system = await createTestSystem({ actors: [report, nightly], nodes: 2, partitions: 1 });
  const { client, run, nodes } = system;
  await run(nightly.start(client));
  nodes[0]?.crashAt("timer.before", 2);
  await system.advance(5 * day);
  expect(nodes[0]?.isCrashed).toBe(true);
  const reports = await run(report.list(client));
  expect(reports.map(({ status }) => status)).toEqual(Array(5).fill("completed"));
  expect(new Set(reports.map(({ key }) => key)).size).toBe(5);
  for (const { key } of reports) expect(key).toMatch(/T0[01]:00:00/);
  const { next, isPaused } = await run(nightly.describe(client));
  expect([next.length > 0, isPaused]).toEqual([true, false]);
  await run(nightly.pause(client));
  await system.advance(3 * day);
  expect(await run(report.list(client))).toHaveLength(5);
  await system.stop();
});

/** Limits over several nodes on a real server. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { assign, setup } from "xstate";
import {
  type ActivityRun,
  connect,
  defineActivity,
  defineActor,
  type EmbeddedServer,
  startEmbeddedServer,
  startNode,
} from "../../index.ts";

let server: EmbeddedServer;
beforeAll(async () => {
  server = await startEmbeddedServer();
});
afterAll(() => server.stop());

it("hold over all nodes", async () => {
  const starts: number[] = [];
  const running = new Map<string, number>();
  const most = new Map<string, number>();
  const limited = defineActivity("limited", {
    rate: { count: 25, per: 1000 },
    key: (input) => input.key,
    perKey: { concurrency: 2 },
    run: async ({ input }: ActivityRun<{ key: string }>) => {
      starts.push(performance.now());
      const now = (running.get(input.key) ?? 0) + 1;
      running.set(input.key, now);
      most.set(input.key, Math.max(most.get(input.key) ?? 0, now));
      await new Promise((resolve) => setTimeout(resolve, 40));
      running.set(input.key, (running.get(input.key) ?? 0) - 1);
      return input.key;
    },
  });
  const worker = defineActor("worker", {
    machine: setup({
      types: { context: {} as { key: string; got: string }, input: {} as { id: string }, events: {} as { type: "GO" } },
      actors: { limited },
    }).createMachine({
      context: ({ input }) => ({ key: `k${input.id.length % 3}`, got: "" }),
      initial: "idle",
      states: {
        idle: { on: { GO: "working" } },
        working: {
          invoke: {
            src: "limited",
            input: ({ context }) => ({ key: context.key }),
            onDone: { target: "done", actions: assign({ got: ({ event }) => event.output }) },
          },
        },
        done: { type: "final" },
      },
    }),
  });
  const where = { servers: server.url, space: "limited", assumeSyncAlways: true };
  const nodes = await Promise.all(
    ["one", "two", "three"].map((name) => startNode({ ...where, name, partitions: 4, actors: [worker] })),
  );
  const client = await connect({ ...where, actors: [worker] });
  const ids = Array.from({ length: 100 }, (_, n) => `${"x".repeat(n % 3)}${n + 100}`);
  await Promise.all(ids.map((id) => client.send(worker.ref(id), { type: "GO" })));
  await Promise.all(ids.map((id) => client.waitFor(worker.ref(id), "done", { timeout: 40_000 })));
  expect(starts).toHaveLength(100);
  expect([...most.values()]).toEqual([2, 2, 2]);
  // A rate holds where the log confirms starts. From there to here it takes as long as this process has other things to do.
  expect(Math.max(...starts) - Math.min(...starts)).toBeGreaterThan(2750);
  const mostStarts = Math.max(...starts.map((one) => starts.filter((each) => each >= one && each < one + 750).length));
  expect(mostStarts).toBeLessThanOrEqual(25);
  const done = nodes.map((node) => node.stats().activities?.done ?? 0);
  expect(done.reduce((sum, count) => sum + count, 0)).toBe(100);
  expect(Math.min(...done)).toBeGreaterThan(0);
  await client.close();
  await Promise.all(nodes.map((node) => node.stop()));
}, 60_000);

/** A report that is made by the clock: every night in earnest, every second here. Each is made once, whatever crashes. */
import { pathToFileURL } from "node:url";
import { assign, setup } from "xstate";
import { z } from "zod";
import {
  connect,
  defineActivity,
  defineSchedule,
  defineWorkflow,
  startEmbeddedServer,
  startNode,
} from "../../index.ts";

/** Adds up what was sold before a time. A real one would ask a database. */
export const addUp = defineActivity("add-up", {
  input: z.object({ until: z.string() }),
  run: ({ input }) => ({ until: input.until, sold: Math.floor(Date.parse(input.until) / 1000) % 1000 }),
});

/** One report. */
export const report = defineWorkflow("report", {
  machine: setup({
    types: {
      context: {} as { until: string; sold: number },
      input: {} as { until: string },
      output: {} as string,
    },
    actors: { addUp },
  }).createMachine({
    context: ({ input }) => ({ until: input.until, sold: 0 }),
    initial: "adding",
    states: {
      adding: {
        invoke: {
          src: "addUp",
          input: ({ context }) => ({ until: context.until }),
          onDone: { target: "made", actions: assign({ sold: ({ event }) => event.output.sold }) },
        },
      },
      made: { type: "final" },
    },
    output: ({ context }) => `${context.sold} sold until ${context.until}`,
  }),
});

const made = { workflow: report, input: ({ at }: { at: Date }) => ({ until: at.toISOString() }) };

/** Every night at two, by the clocks of Berlin. */
export const nightly = defineSchedule("nightly", { ...made, cron: "0 2 * * *", timeZone: "Europe/Berlin" });

/** Every second, so that there is something to see; no more than three. */
export const often = defineSchedule("often", { ...made, every: "1 second", maxRuns: 3 });

async function main(): Promise<void> {
  const actors = [report, nightly, often];
  const server = await startEmbeddedServer();
  const node = await startNode({ servers: server.url, actors });
  const client = await connect({ servers: server.url, actors });

  await nightly.start(client);
  const { next } = await nightly.describe(client);
  console.log(
    "The next nights:",
    next
      .slice(0, 3)
      .map((at) => at.toISOString())
      .join(", "),
  );
  await nightly.trigger(client); // one now, besides
  await often.start(client);
  await client.waitFor(often.ref("default"), () => false, { timeout: "4 seconds" }).catch(() => {});
  for (const { key, status } of await report.list(client)) {
    console.log(key, status, await report.run(client, key).result());
  }

  await client.close();
  await node.stop();
  await server.stop();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main();

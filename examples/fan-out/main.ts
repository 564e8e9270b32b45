/** A workflow that gives 1,000 items to activities, a window of 100 at a time, and sums up what comes of them. */
import { pathToFileURL } from "node:url";
import { assign, enqueueActions, setup, stopChild } from "xstate";
import { z } from "zod";
import { connect, defineActivity, defineWorkflow, startEmbeddedServer, startNode } from "../../index.ts";

/** How many are under way at once. One commit takes at most 999 records, and each activity that is begun is one. */
export const windowSize = 100;

/** What is done with an item. */
export const square = defineActivity("square", {
  input: z.object({ item: z.number() }),
  run: ({ input }) => input.item ** 2,
});

type Done = { type: `xstate.done.actor.item-${number}`; output: number };

const machine = setup({
  types: {
    context: {} as { count: number; begun: number; done: number; failed: number; sum: number },
    input: {} as { count: number },
    output: {} as { done: number; failed: number; sum: number },
    events: {} as Done | { type: `xstate.error.actor.item-${number}`; error: unknown },
  },
  actors: { square },
  guards: { isOver: ({ context }) => context.done + context.failed === context.count },
  actions: {
    // What is done need not be carried along in the state.
    forget: stopChild(({ event }) => event.type.split(".").at(-1) as string),
    fill: enqueueActions(({ context, enqueue }) => {
      const { count, begun, done, failed } = context;
      const end = Math.min(count, done + failed + windowSize);
      for (let item = begun + 1; item <= end; item += 1) {
        enqueue.spawnChild("square", { id: `item-${item}`, input: { item } });
      }
      enqueue.assign({ begun: Math.max(begun, end) });
    }),
  },
}).createMachine({
  context: ({ input }) => ({ count: input.count, begun: 0, done: 0, failed: 0, sum: 0 }),
  initial: "working",
  states: {
    working: {
      entry: "fill",
      always: { guard: "isOver", target: "over" },
      on: {
        // Each result makes room for the next item.
        "xstate.done.actor.*": {
          actions: [
            assign({
              done: ({ context }) => context.done + 1,
              sum: ({ context, event }) => context.sum + (event as Done).output,
            }),
            "forget",
            "fill",
          ],
        },
        "xstate.error.actor.*": {
          actions: [assign({ failed: ({ context }) => context.failed + 1 }), "forget", "fill"],
        },
      },
    },
    over: { type: "final" },
  },
  output: ({ context: { done, failed, sum } }) => ({ done, failed, sum }),
});

/** The workflow. */
export const batch = defineWorkflow("batch", {
  machine,
  input: z.object({ count: z.number().int().nonnegative() }),
  queries: { progress: ({ context }) => `${context.done} of ${context.count} are done, ${context.begun} are begun` },
});

async function main(): Promise<void> {
  const server = await startEmbeddedServer();
  const node = await startNode({ servers: server.url, actors: [batch] });
  const client = await connect({ servers: server.url, actors: [batch] });

  const run = await batch.start(client, { count: 1000 }, { key: "squares" });
  let next = 0;
  for await (const { context } of run.watch()) {
    if (context.done < next) continue;
    console.log(`${context.done} done, ${context.begun} begun, sum ${context.sum}`);
    next = context.done + 100;
  }
  console.log(await run.result());

  await client.close();
  await node.stop();
  await server.stop();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main();

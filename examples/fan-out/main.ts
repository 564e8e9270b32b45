/** A thousand items, worked on side by side by any number of processes, and put together at the end. */
import { pathToFileURL } from "node:url";
import { assign, enqueueActions, setup } from "xstate";
import { z } from "zod";
import { connect, defineActivity, defineWorkflow, startEmbeddedServer, startNode } from "../../index.ts";

/** How many items are under way at once: one commit asks for at most 999. */
export const atOnce = 100;

/** The work on one item. */
export const countWords = defineActivity("count-words", {
  input: z.object({ text: z.string() }),
  retry: { base: 50, maxAttempts: 5 },
  run: ({ input, attempt }) => {
    if (attempt === 1 && input.text.startsWith("flaky")) throw new Error("not today");
    return input.text.split(" ").length;
  },
});

interface Counting {
  readonly texts: readonly string[];
  /** The item that is begun next. */
  readonly next: number;
  readonly done: number;
  readonly words: number;
}

/** Begins items until so many are under way, or none is left. */
const fillUp = enqueueActions<
  Counting,
  { type: string },
  undefined,
  { type: string },
  never,
  never,
  never,
  never,
  never
>(({ context, enqueue }) => {
  let { next } = context;
  for (; next < context.texts.length && next - context.done < atOnce; next++) {
    // The actor's name tells the items apart: each has an idempotency key of its own.
    enqueue.spawnChild("countWords" as never, { id: `item-${next}`, input: { text: context.texts[next] } } as never);
  }
  enqueue.assign({ next } as never);
});

/** Counts the words of many texts. */
export const census = defineWorkflow("census", {
  machine: setup({
    types: {
      context: {} as Counting,
      input: {} as { texts: readonly string[] },
      output: {} as { words: number; texts: number },
      events: {} as { type: "xstate.done.actor.*"; output: number } | { type: "xstate.error.actor.*"; error: unknown },
    },
    actors: { countWords },
  }).createMachine({
    context: ({ input }) => ({ texts: input.texts, next: 0, done: 0, words: 0 }),
    initial: "counting",
    states: {
      counting: {
        entry: fillUp as never,
        always: { guard: ({ context }) => context.done === context.texts.length, target: "counted" },
        on: {
          "xstate.done.actor.*": {
            actions: [
              assign({
                done: ({ context }) => context.done + 1,
                words: ({ context, event }) => context.words + event.output,
              }),
              fillUp as never,
            ],
          },
        },
      },
      counted: { type: "final" },
    },
    output: ({ context }) => ({ words: context.words, texts: context.texts.length }),
  }),
  input: z.object({ texts: z.array(z.string()) }),
  queries: { progress: (view) => `${view.context.done} of ${view.context.texts.length}` },
});

/** A thousand texts, and how many words they have. */
export function someTexts(): { readonly texts: string[]; readonly words: number } {
  const texts = Array.from(
    { length: 1000 },
    (_, i) => `${i % 50 === 0 ? "flaky " : ""}${"word ".repeat((i % 7) + 1).trim()}`,
  );
  return { texts, words: texts.reduce((sum, text) => sum + text.split(" ").length, 0) };
}

async function main(): Promise<void> {
  const server = await startEmbeddedServer();
  // Two processes would be started like this; here both nodes are in one.
  const nodes = await Promise.all([0, 1].map(() => startNode({ servers: server.url, actors: [census] })));
  const client = await connect({ servers: server.url, actors: [census] });

  const { texts, words } = someTexts();
  const run = await census.start(client, { texts }, { key: "today" });
  const asking = setInterval(async () => console.log(await run.query("progress")), 250);
  console.log(await run.result(), `expected: ${words} words`);
  clearInterval(asking);

  await client.close();
  for (const node of nodes) await node.stop();
  await server.stop();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main();

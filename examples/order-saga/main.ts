/** An order as a saga: reserve stock, charge the card, ship. When the card is declined, the stock is given back. */
import { pathToFileURL } from "node:url";
import { assign, setup } from "xstate";
import { z } from "zod";
import {
  ask,
  call,
  connect,
  defineActivity,
  defineActor,
  reply,
  SagaCompensatedError,
  saga,
  startEmbeddedServer,
  startNode,
  TerminalError,
} from "../../index.ts";

type StockEvent = { type: "RESERVE"; order: string } | { type: "RELEASE"; order: string };

/** The stock of one article. Both events may come again, for the same order, and change nothing then. */
export const stock = defineActor("stock", {
  machine: setup({
    types: { context: {} as { left: number; held: readonly string[] }, events: {} as StockEvent },
    guards: {
      isHeld: ({ context, event }) => context.held.includes(event.order),
      isLeft: ({ context }) => context.left > 0,
    },
  }).createMachine({
    context: { left: 2, held: [] },
    on: {
      RESERVE: [
        { guard: "isHeld", actions: reply("reserved") },
        {
          guard: "isLeft",
          actions: [
            assign({
              left: ({ context }) => context.left - 1,
              held: ({ context, event }) => [...context.held, event.order],
            }),
            reply("reserved"),
          ],
        },
        { actions: reply("sold out") },
      ],
      RELEASE: [
        {
          guard: "isHeld",
          actions: [
            assign({
              left: ({ context }) => context.left + 1,
              held: ({ context, event }) => context.held.filter((order) => order !== event.order),
            }),
            reply("released"),
          ],
        },
        { actions: reply("was not held") },
      ],
    },
  }),
});

/** Charges a card. A real one would send the idempotency key to the bank. */
export const charge = defineActivity("charge", {
  input: z.object({ card: z.string(), amount: z.number() }),
  retry: { base: 100, maxAttempts: 3 },
  run: ({ input, attempt }) => {
    if (input.card === "empty") throw new TerminalError("the card is declined");
    if (attempt === 1) throw new Error("the bank does not answer");
    return { receipt: `${input.amount} from ${input.card}` };
  },
});

/** The order. */
export const order = saga("order", {
  input: z.object({ id: z.string(), article: z.string(), card: z.string(), amount: z.number() }),
  key: (input) => input.id,
})
  .step("reserve", {
    do: ask(
      stock,
      ({ input }: { input: { id: string; article: string } }) => ({
        id: input.article,
        event: { type: "RESERVE", order: input.id },
      }),
      { refused: (answer) => answer === "sold out" && "sold out" },
    ),
    undo: ask(stock, ({ input }: { input: { id: string; article: string } }) => ({
      id: input.article,
      event: { type: "RELEASE", order: input.id },
    })),
  })
  .pivot("charge", { do: call(charge, ({ input }) => ({ card: input.card, amount: input.amount })) })
  .step("ship", { do: ({ input }) => ({ parcel: `parcel of ${input.article} for order ${input.id}` }) })
  .end(({ results }) => ({ receipt: results.charge.receipt, parcel: results.ship.parcel }));

async function main(): Promise<void> {
  const actors = [order, stock];
  const server = await startEmbeddedServer();
  const node = await startNode({ servers: server.url, actors });
  const client = await connect({ servers: server.url, actors });

  console.log(`${order.plan()}\n`);
  for (const [id, card] of [
    ["1", "ada"],
    ["2", "empty"],
  ] as const) {
    const run = await order.start(client, { id, article: "lamp", card, amount: 30 });
    try {
      console.log(`order ${id}:`, await run.result());
    } catch (error) {
      if (!(error instanceof SagaCompensatedError)) throw error;
      console.log(`order ${id}:`, error.message, error.details);
    }
    console.log("  status:", await run.status(), " lamps left:", (await client.get(stock.ref("lamp")))?.context.left);
  }

  await client.close();
  await node.stop();
  await server.stop();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main();

/** An expense that somebody has to approve: within a deadline, with a reminder before, and nothing is left behind when nobody does. */
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { connect, SagaCompensatedError, saga, startEmbeddedServer, startNode } from "../../index.ts";

/** How long things take; short, so that the program ends soon. */
export const times = { reminder: 300, deadline: 1000 };

/** What the people are told, and what the books hold. Real services would be called here, with the idempotency key. */
export const world = { told: [] as string[], blocked: new Map<string, number>(), paid: [] as string[] };

/** The expense. */
export const expense = saga("expense", {
  input: z.object({ id: z.string(), euros: z.number() }),
  key: (input) => input.id,
})
  .step("block", {
    do: ({ input }) => {
      world.blocked.set(input.id, input.euros);
      return { budget: "travel" };
    },
    undo: ({ input }) => {
      world.blocked.delete(input.id);
    },
  })
  .step("ask", {
    do: ({ input }) => {
      world.told.push(`manager: please approve ${input.euros} euros for ${input.id}`);
    },
    undo: ({ input }) => {
      world.told.push(`manager: ${input.id} needs no answer any more`);
    },
  })
  .waitFor("ANSWER", {
    event: z.object({ by: z.string(), isApproved: z.boolean() }),
    within: times.deadline,
    else: "fail",
    escalate: [
      {
        after: times.reminder,
        do: ({ input }) => {
          world.told.push(`director: the manager has not answered about ${input.id}`);
        },
      },
    ],
  })
  .step("decide", {
    do: ({ results }) => {
      if (!results.ANSWER.isApproved) throw new Error(`refused by ${results.ANSWER.by}`);
      return results.ANSWER.by;
    },
    retry: "never",
    irreversible: true,
  })
  .pivot("pay", {
    do: ({ input }) => {
      world.blocked.delete(input.id);
      if (!world.paid.includes(input.id)) world.paid.push(input.id);
    },
  })
  .end(({ input, results }) => `${input.euros} euros for ${input.id}, approved by ${results.decide}`);

async function main(): Promise<void> {
  const server = await startEmbeddedServer();
  const node = await startNode({ servers: server.url, actors: [expense] });
  const client = await connect({ servers: server.url, actors: [expense] });

  const start = (id: string, euros: number) => expense.start(client, { id, euros });
  const [hotel, yacht, train] = await Promise.all([start("hotel", 120), start("yacht", 90_000), start("train", 60)]);
  await hotel.signal({ type: "ANSWER", by: "ada", isApproved: true });
  await yacht.signal({ type: "ANSWER", by: "ada", isApproved: false });
  for (const run of [hotel, yacht, train]) {
    try {
      console.log(`${run.key}: ${await run.result()}`);
    } catch (error) {
      if (!(error instanceof SagaCompensatedError)) throw error;
      console.log(`${run.key}: not paid, since ${(error.cause as Error).message}`);
    }
  }
  console.log(`blocked: ${[...world.blocked.keys()].join(", ") || "nothing"}; paid: ${world.paid.join(", ")}`);
  for (const line of world.told) console.log(`  ${line}`);

  await client.close();
  await node.stop();
  await server.stop();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main();

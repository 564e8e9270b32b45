/** Money moves between two actors by a saga: it is taken from one and given to the other, or given back. */
import { pathToFileURL } from "node:url";
import { assign, setup } from "xstate";
import { z } from "zod";
import { ask, connect, defineActor, reply, saga, startEmbeddedServer, startNode } from "../../index.ts";

type AccountEvent =
  | { type: "WITHDRAW"; transfer: string; amount: number }
  | { type: "REFUND"; transfer: string }
  | { type: "DEPOSIT"; amount: number }
  | { type: "CLOSE" };

/** What an account answers. */
export type AccountReply = { isRefused: false; balance: number } | { isRefused: true; why: string };

const accountMachine = setup({
  types: {
    context: {} as { balance: number; taken: Readonly<Record<string, number>> },
    input: {} as { balance: number },
    events: {} as AccountEvent,
  },
  guards: {
    isCovered: ({ context, event }) => event.type === "WITHDRAW" && event.amount <= context.balance,
  },
}).createMachine({
  context: ({ input }) => ({ balance: input.balance, taken: {} }),
  initial: "open",
  // Gives back what the transfer has taken, and nothing when that is nothing; also when the account is closed.
  on: {
    REFUND: {
      actions: assign(({ context, event }) => {
        const { [event.transfer]: amount = 0, ...taken } = context.taken;
        return { balance: context.balance + amount, taken };
      }),
    },
  },
  states: {
    open: {
      on: {
        WITHDRAW: [
          {
            guard: "isCovered",
            actions: [
              assign(({ context, event }) => ({
                balance: context.balance - event.amount,
                taken: { ...context.taken, [event.transfer]: event.amount },
              })),
              reply(({ context }) => ({ isRefused: false, balance: context.balance })),
            ],
          },
          { actions: reply({ isRefused: true, why: "not enough money" }) },
        ],
        DEPOSIT: {
          actions: [
            assign({ balance: ({ context, event }) => context.balance + event.amount }),
            reply(({ context }) => ({ isRefused: false, balance: context.balance })),
          ],
        },
        CLOSE: "closed",
      },
    },
    closed: {
      on: {
        WITHDRAW: { actions: reply({ isRefused: true, why: "the account is closed" }) },
        DEPOSIT: { actions: reply({ isRefused: true, why: "the account is closed" }) },
      },
    },
  },
});

/** An account, which has to be opened with a balance. */
export const account = defineActor("account", {
  machine: accountMachine,
  input: z.object({ balance: z.number().int().nonnegative() }),
});

type Scope = { input: { id: string; from: string; to: string; amount: number } };
const refused = (answer: AccountReply) => answer.isRefused && answer.why;

/** A transfer. What was taken is given back when the other account does not take it. */
export const transfer = saga("transfer", {
  input: z.object({ id: z.string(), from: z.string(), to: z.string(), amount: z.number().int().positive() }),
  key: (input) => input.id,
})
  .step("withdraw", {
    do: ask(
      account,
      ({ input }: Scope) => ({
        id: input.from,
        event: { type: "WITHDRAW" as const, transfer: input.id, amount: input.amount },
      }),
      { refused },
    ),
    // It follows the withdrawal, for one actor's messages to another keep their order, and bears that there was none.
    undo: ask(account, ({ input }: Scope) => ({
      id: input.from,
      event: { type: "REFUND" as const, transfer: input.id },
    })),
  })
  .step("deposit", {
    do: ask(
      account,
      ({ input }: Scope) => ({ id: input.to, event: { type: "DEPOSIT" as const, amount: input.amount } }),
      { refused },
    ),
    irreversible: true,
  })
  .end(({ input }) => `${input.amount} from ${input.from} to ${input.to}`);

async function main(): Promise<void> {
  const actors = [account, transfer];
  const server = await startEmbeddedServer();
  const node = await startNode({ servers: server.url, actors });
  const client = await connect({ servers: server.url, actors });

  for (const name of ["ada", "bob", "eve"]) await client.create(account.ref(name), { balance: 100 });
  await client.ask(account.ref("eve"), { type: "CLOSE" });

  const transfers = [
    { id: "1", from: "ada", to: "bob", amount: 70 },
    { id: "2", from: "ada", to: "bob", amount: 70 }, // not covered: nothing happens
    { id: "3", from: "bob", to: "eve", amount: 50 }, // closed: bob gets it back
  ];
  for (const input of transfers) {
    const run = await transfer.start(client, input);
    const outcome = await run.result().catch((error: Error) => `${error.name}: ${error.message}`);
    console.log(`${input.id} ${await run.status()}: ${outcome}`);
  }
  let total = 0;
  for (const name of ["ada", "bob", "eve"]) {
    const view = await client.get(account.ref(name));
    total += view?.context.balance ?? 0;
    console.log(name, view?.value, view?.context.balance);
  }
  console.log("total", total);

  await client.close();
  await node.stop();
  await server.stop();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main();

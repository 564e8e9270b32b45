/** A subscription as a workflow without an end: a trial, a charge each period, reminders when the card fails, and a run for each period. */
import { pathToFileURL } from "node:url";
import { assign, setup } from "xstate";
import { z } from "zod";
import {
  connect,
  continueAs,
  defineActivity,
  defineWorkflow,
  startEmbeddedServer,
  startNode,
  TerminalError,
} from "../../index.ts";

/** What a run of the subscription is started with; period 0 is the trial. */
export interface Period {
  readonly customer: string;
  readonly card: string;
  readonly period: number;
}

type Context = Period & { readonly failures: number; readonly end: "over" | "unpaid" | "cancelled" };

/** Charges a card for a period. It is not tried again at once: the subscription itself waits for days. */
export const charge = defineActivity("charge", {
  input: z.object({ card: z.string(), period: z.number() }),
  run: ({ input }) => {
    if (input.card === "empty") throw new TerminalError("the card is declined");
    return `period ${input.period} from ${input.card}`;
  },
});

/** Makes the workflow; `dayMs` is how long a day lasts. */
export function makeSubscription(dayMs: number) {
  const machine = setup({
    types: {
      context: {} as Context,
      input: {} as Period,
      output: {} as { readonly periods: number; readonly why: string },
      events: {} as { type: "CARD"; card: string } | { type: "CANCEL" },
    },
    actors: { charge },
    guards: {
      isTrial: ({ context }) => context.period === 0,
      isTooOften: ({ context }) => context.failures > 3,
    },
    delays: {
      trial: 14 * dayMs,
      month: 30 * dayMs,
      // One day after the first failure, three after the second, five after the third.
      dunning: ({ context }) => ([1, 3, 5][context.failures - 1] ?? 5) * dayMs,
    },
  }).createMachine({
    context: ({ input }) => ({ ...input, failures: 0, end: "over" }),
    initial: "starting",
    on: { CARD: { actions: assign({ card: ({ event }) => event.card }) }, CANCEL: ".cancelled" },
    states: {
      starting: { always: [{ guard: "isTrial", target: "trial" }, { target: "charging" }] },
      trial: { after: { trial: "over" } },
      charging: {
        invoke: {
          src: "charge",
          input: ({ context }) => ({ card: context.card, period: context.period }),
          onDone: "active",
          onError: { target: "overdue", actions: assign({ failures: ({ context }) => context.failures + 1 }) },
        },
      },
      active: { after: { month: "over" } },
      overdue: {
        always: { guard: "isTooOften", target: "unpaid" },
        after: { dunning: "charging" },
        // A new card is tried at once.
        on: { CARD: { target: "charging", actions: assign({ card: ({ event }) => event.card }) } },
      },
      over: { type: "final" },
      unpaid: { type: "final", entry: assign({ end: "unpaid" }) },
      cancelled: { type: "final", entry: assign({ end: "cancelled" }) },
    },
    // The next period is a run of its own, so that no history is carried along for years.
    output: ({ context: { customer, card, period, end } }) =>
      end === "over" ? continueAs({ customer, card, period: period + 1 }) : { periods: period, why: end },
  });
  return defineWorkflow("subscription", {
    machine,
    input: z.object({ customer: z.string(), card: z.string(), period: z.number().int() }),
    queries: {
      state: ({ value, context }) => `${String(value)}, period ${context.period}, failures ${context.failures}`,
    },
  });
}

async function main(): Promise<void> {
  const subscription = makeSubscription(20); // a day lasts 20 ms here
  const server = await startEmbeddedServer();
  const node = await startNode({ servers: server.url, actors: [subscription] });
  const client = await connect({ servers: server.url, actors: [subscription] });

  const run = await subscription.start(client, { customer: "ada", card: "gold", period: 0 }, { key: "ada" });
  let last = "";
  for await (const { value, context } of run.watch()) {
    const line = `${String(value)}, period ${context.period}, failures ${context.failures}`;
    if (line !== last) console.log(line);
    last = line;
    if (value === "active" && context.period === 2 && context.card === "gold") {
      console.log("... the card is empty from now on");
      await run.signal({ type: "CARD", card: "empty" });
    }
  }
  console.log(await run.status(), await run.result());

  await client.close();
  await node.stop();
  await server.stop();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main();

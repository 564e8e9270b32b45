/** An actor that keeps what it takes, for a test that redrives; while KEEPER_IS_BROKEN is set it fails at every message. */
import { assign, setup } from "xstate";
import { defineActor } from "../../index.ts";

export const keeper = defineActor("keeper", {
  machine: setup({
    types: { context: {} as { taken: number[] }, events: {} as { type: "TAKE"; n: number } },
  }).createMachine({
    id: "keeper",
    context: { taken: [] },
    on: {
      TAKE: {
        actions: assign({
          taken: ({ context, event }) => {
            if (process.env.KEEPER_IS_BROKEN !== undefined) throw new Error("The shelf is broken.");
            return [...context.taken, event.n];
          },
        }),
      },
    },
  }),
  retry: { maxAttempts: 1 },
});

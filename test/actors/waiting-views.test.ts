/** What a view and the history say of an actor while messages wait for it. */
import { afterEach, describe, expect, it } from "vitest";
import { assign, setup } from "xstate";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";

let isBroken = true;
const machine = setup({
  types: { context: {} as { taken: number[] }, events: {} as { type: "TAKE"; n: number } },
}).createMachine({
  context: { taken: [] },
  on: {
    TAKE: {
      actions: assign({
        taken: ({ context, event }) => {
          if (event.n < 0 && isBroken) throw new Error(`It cannot take ${event.n}.`);
          return [...context.taken, event.n];
        },
      }),
    },
  },
});
const retry = { base: "1 minute", factor: 1, jitter: "none", maxAttempts: 2 } as const;
const hold = defineActor("hold", { machine, retry, onExhausted: "park" });
const overtake = defineActor("overtake", { machine, retry, order: "overtake" });

let system: TestSystem;
afterEach(() => system?.stop());

/** Sends numbers one after the other; negative ones fail while the machine is broken. */
async function sendAll(actor: typeof hold | typeof overtake, ...numbers: number[]): Promise<void> {
  isBroken = true;
  system = await createTestSystem({ actors: [hold, overtake] });
  for (const n of numbers) {
    await system.run(system.client.send(actor.ref("a"), { type: "TAKE", n }));
    await system.advance(200);
  }
}

describe("an actor whose message is tried again", () => {
  it("says when, and how many wait behind it", async () => {
    await sendAll(hold, 1, -2, 3, 4);
    const { client, run, advance, time } = system;
    await advance(5000);
    const view = await run(client.get(hold.ref("a")));
    expect(view).toMatchObject({
      context: { taken: [1] },
      parked: undefined,
      waiting: 3,
      retries: [{ attempt: 2, holds: true }],
    });
    const leftMs = (view?.retries[0]?.at ?? 0) - time.now();
    expect(leftMs).toBeGreaterThan(50_000);
    expect(leftMs).toBeLessThan(60_000);
    isBroken = false;
    await advance(60_000);
    expect(await run(client.get(hold.ref("a")))).toMatchObject({
      context: { taken: [1, -2, 3, 4] },
      waiting: 0,
      retries: [],
    });
  });

  it("says which are tried again while others go on", async () => {
    await sendAll(overtake, -1, 2, -3, 4);
    const view = await system.run(system.client.get(overtake.ref("a")));
    expect(view).toMatchObject({ context: { taken: [2, 4] }, waiting: 2 });
    expect(view?.retries.map(({ attempt, holds }) => [attempt, holds])).toEqual([
      [2, false],
      [2, false],
    ]);
    expect(view?.retries[0]?.at).toBeLessThan(view?.retries[1]?.at ?? 0);
  });
});

describe("an actor that a letter parks", () => {
  it("says by which and since when, and how many wait, until it is released", async () => {
    await sendAll(hold, 1, -2, 3, 4);
    const { client, run, advance } = system;
    await advance(70_000);
    const [letter] = await run(client.deadLetters.list());
    expect(await run(client.get(hold.ref("a")))).toMatchObject({
      parked: { letter: letter?.letter, at: letter?.at },
      waiting: 2,
      retries: [],
    });
    await run(client.deadLetters.release(hold.ref("a")));
    await advance(5000);
    expect(await run(client.get(hold.ref("a")))).toMatchObject({ parked: undefined, waiting: 0 });
    const entries = await run(client.history(hold.ref("a"), { last: 20 }));
    expect(entries.map(({ event, outcome }) => `${event} ${outcome}`)).toEqual([
      "TAKE applied",
      "TAKE failed",
      "TAKE waiting",
      "TAKE waiting",
      "TAKE dead",
      "release released",
      "TAKE applied",
      "TAKE applied",
    ]);
    const failed = entries.find(({ outcome }) => outcome === "failed");
    expect(failed?.failure).toEqual({
      attempt: 1,
      error: "It cannot take -2.",
      retryAt: (failed?.at ?? 0) + 60_000,
    });
    expect(entries.filter(({ failure }) => failure !== undefined)).toEqual([failed]);
  });
});

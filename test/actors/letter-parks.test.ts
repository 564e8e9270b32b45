/** Actors that are parked by a letter, and what lets them go on. */
import { afterEach, describe, expect, it } from "vitest";
import { assign, setup } from "xstate";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";

let isBroken = true;
const desk = defineActor("desk", {
  machine: setup({
    types: { context: {} as { taken: number[] }, events: {} as { type: "TAKE"; n: number; isBad?: boolean } },
  }).createMachine({
    id: "desk",
    context: { taken: [] },
    on: {
      TAKE: {
        actions: assign({
          taken: ({ context, event }) => {
            if (event.isBad === true && isBroken) throw new Error("It cannot be taken.");
            return [...context.taken, event.n];
          },
        }),
      },
    },
  }),
  retry: { maxAttempts: 1 },
  onExhausted: "park",
});

let system: TestSystem;
afterEach(() => system?.stop());

/** An actor that has taken 0, is parked by 1, and has 2 and 3 waiting. */
async function parked(): Promise<{ readonly letter: string; readonly taken: (id?: string) => Promise<unknown> }> {
  isBroken = true;
  system = await createTestSystem({ actors: [desk] });
  const { client, run, advance } = system;
  for (let n = 0; n < 4; n++) {
    await run(client.send(desk.ref("a"), { type: "TAKE", n, ...(n === 1 ? { isBad: true } : {}) }));
    await advance(200);
  }
  await advance(5000);
  const letters = await run(client.deadLetters.list());
  expect(letters).toMatchObject([{ parks: true, status: "dead" }]);
  const taken = async (id = "a") => (await run(client.get(desk.ref(id))))?.context.taken;
  expect(await taken()).toEqual([0]);
  return { letter: letters[0]?.letter as string, taken };
}

describe("an actor that is parked by a letter", () => {
  it("takes the redriven message first, and then what has waited", async () => {
    const { letter, taken } = await parked();
    const { client, run, advance } = system;
    isBroken = false;
    await run(client.deadLetters.redrive(letter));
    await advance(5000);
    expect(await taken()).toEqual([0, 1, 2, 3]);
  });

  it("is parked by the same letter again when its message dies again", async () => {
    const { letter, taken } = await parked();
    const { client, run, advance } = system;
    await run(client.deadLetters.redriveAll("type:desk"));
    await advance(5000);
    expect(await run(client.deadLetters.list())).toMatchObject([{ letter, parks: true, redrives: 1 }]);
    expect(await taken()).toEqual([0]);
    await run(client.deadLetters.drop(letter));
    await advance(5000);
    expect(await taken()).toEqual([0, 2, 3]);
  });

  it("goes on without the message when the letter is dropped", async () => {
    const { taken } = await parked();
    const { client, run, advance } = system;
    await run(client.deadLetters.dropAll("type:desk"));
    await advance(5000);
    expect(await taken()).toEqual([0, 2, 3]);
  });

  it("goes on without the message when the letter is redriven to another actor", async () => {
    const { letter, taken } = await parked();
    const { client, run, advance } = system;
    isBroken = false;
    await run(client.deadLetters.redrive(letter, { to: desk.ref("b") }));
    await advance(5000);
    expect([await taken(), await taken("b")]).toEqual([[0, 2, 3], [1]]);
  });

  it("takes the message as it was edited", async () => {
    const { letter, taken } = await parked();
    const { client, run, advance } = system;
    await run(client.deadLetters.edit(letter, { n: 100 }));
    await run(client.deadLetters.redrive(letter));
    await advance(5000);
    expect(await taken()).toEqual([0, 100, 2, 3]);
  });

  it("goes on when it is released, and its letter stays dead and parks nothing", async () => {
    const { letter, taken } = await parked();
    const { client, nodes, run, advance } = system;
    // The owner's office looks at its letters every now and then.
    await advance(60_000);
    expect(nodes[0]?.stats().parkedActors).toBe(1);
    const released = await run(client.deadLetters.release(desk.ref("a"), { note: "booked by hand" }));
    expect(released).toEqual({ actor: "desk/a", released: true, letters: [letter] });
    await advance(5000);
    expect(await taken()).toEqual([0, 2, 3]);
    expect(await run(client.deadLetters.list())).toMatchObject([{ letter, status: "dead", parks: false }]);
    expect(await run(client.deadLetters.groups())).toMatchObject([{ count: 1, parks: 0 }]);
    expect((await run(client.deadLetters.get(letter))).history).toEqual([
      expect.objectContaining({ what: "released", by: "client", note: "booked by hand" }),
    ]);
    await advance(60_000);
    expect(nodes[0]?.stats()).toMatchObject({ parkedActors: 0, letters: { dead: 1 } });
    expect((await run(client.stats())).parkedActors).toBe(0);
    isBroken = false;
    await run(client.deadLetters.redrive(letter));
    await advance(5000);
    expect(await taken()).toEqual([0, 2, 3, 1]);
  });

  it("is not released a second time, and neither is one that nothing parks", async () => {
    await parked();
    const { client, run, advance } = system;
    await run(client.deadLetters.release(desk.ref("a")));
    await advance(5000);
    for (const id of ["a", "never-seen"]) {
      const again = await run(client.deadLetters.release(desk.ref(id)));
      expect(again).toEqual({ actor: `desk/${id}`, released: false, letters: [] });
    }
  });

  it("is parked by its released letter again when that is redriven and dies again", async () => {
    const { letter, taken } = await parked();
    const { client, run, advance } = system;
    await run(client.deadLetters.release(desk.ref("a"), { letter }));
    await advance(5000);
    await run(client.deadLetters.redrive(letter));
    await advance(5000);
    const found = await run(client.deadLetters.get(letter));
    expect(found).toMatchObject({ status: "dead", parks: true });
    expect(found.history.map(({ what }) => what)).toEqual(["released", "redriven", "died-again"]);
    await run(client.send(desk.ref("a"), { type: "TAKE", n: 4 }));
    await advance(5000);
    expect(await taken()).toEqual([0, 2, 3]);
    await run(client.deadLetters.release(desk.ref("a")));
    await advance(5000);
    expect(await taken()).toEqual([0, 2, 3, 4]);
  });

  it("goes on at another actor's death without losing the attempts made before", async () => {
    const { letter } = await parked();
    const { client, run, advance } = system;
    await run(client.deadLetters.redrive(letter, { to: desk.ref("b") }));
    await advance(5000);
    const found = await run(client.deadLetters.get(letter));
    expect(found).toMatchObject({ to: { id: "b" }, status: "dead", redrives: 1, attemptCount: 2 });
    expect(found.attempts).toHaveLength(2);
    expect(found.history.map(({ what }) => what)).toEqual(["redriven", "died-again"]);
    expect(found.firstAt).toBeLessThan(found.at);
  });
});

/** What the engine writes into dead letters for those who look at them. */
import { describe, expect, it } from "vitest";
import { assign, setup } from "xstate";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem } from "../../actors/test-system.ts";
import { decodeRecord, type LetterRecord } from "../../runtime/core/records.ts";
import { Subjects } from "../../runtime/core/subjects.ts";

const machine = setup({
  types: {
    context: {} as { sum: number; filling: string },
    events: {} as { type: "ADD"; by: number } | { type: "FILL"; size: number },
  },
}).createMachine({
  id: "sum",
  version: "7",
  context: { sum: 0, filling: "" },
  initial: "open",
  states: {
    open: {
      on: {
        ADD: {
          actions: assign({
            sum: ({ context, event }) => {
              if (event.by < 0) throw new RangeError(`Cannot add ${event.by}`);
              return context.sum + event.by;
            },
          }),
        },
        FILL: { actions: assign({ filling: ({ event }) => "x".repeat(event.size) }) },
      },
    },
  },
});
const sum = defineActor("sum", { machine, retry: { maxAttempts: 1 } });

async function start() {
  const system = await createTestSystem({ actors: [sum] });
  const { broker, client, run } = system;
  const subjects = new Subjects("test");
  const letters = (): LetterRecord[] => {
    const newest = new Map<string, LetterRecord>();
    for (const { subject, data } of broker.journal("core")) {
      if (subjects.isDeadLetter(subject)) newest.set(subject, decodeRecord<LetterRecord>("a letter", data));
    }
    return [...newest.values()];
  };
  return { ...system, client, run, letters };
}

describe("a dead letter", () => {
  it("says of which event and by which code it died, has the state before, and a fingerprint", async () => {
    const { run, client, letters, advance, stop } = await start();
    for (const by of [4, -1, 5, -2]) await run(client.send(sum.ref("a"), { type: "ADD", by }));
    await advance(1000);
    const [first, second] = letters();
    expect(first).toMatchObject({
      event: "ADD",
      state: { revision: 1, value: "open", snapshot: { value: "open", context: { sum: 4 } } },
      attempts: [{ version: "7", error: { name: "RangeError", message: "Cannot add -1" } }],
    });
    expect(first?.fingerprint).toMatch(/^[0-9a-f]{12}$/);
    expect(second?.fingerprint).toBe(first?.fingerprint);
    expect(first).not.toHaveProperty("history");
    await stop();
  });

  it("leaves a large state out, but for its value", async () => {
    const { run, client, letters, advance, stop } = await start();
    await run(client.send(sum.ref("a"), { type: "FILL", size: 5000 }));
    await run(client.send(sum.ref("a"), { type: "ADD", by: -1 }));
    await advance(1000);
    expect(letters()[0]?.state).toEqual({ revision: 1, value: "open" });
    await stop();
  });

  it("knows when it died first, and what has happened to it since", async () => {
    const { run, client, letters, advance, stop } = await start();
    await run(client.send(sum.ref("a"), { type: "ADD", by: -1 }));
    await advance(1000);
    const [first] = letters();
    await run(client.deadLetters.redrive(first?.letter as string));
    await advance(1000);
    const [again] = letters();
    expect(again).toMatchObject({ status: "dead", redrives: 1, firstAt: first?.at, attemptCount: 2 });
    expect(again?.attempts).toHaveLength(2);
    expect(again?.fingerprint).toBe(first?.fingerprint);
    expect(again?.history?.at(-1)).toEqual({ what: "died-again", at: again?.at });
    await stop();
  });
});

/**
 * Random operators at work on the letters of a running system: none is lost, none is applied twice, each actor's are applied in order.
 *
 * The messages fail while the machine is broken. Operators redrive, drop, edit and send letters elsewhere, in calls that end in the middle as a killed process does, on a
 * log that loses answers; nodes crash. When everything is repaired the rest is redriven, and what every actor has applied is counted.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assign, setup } from "xstate";
import { createClient } from "../../actors/client.ts";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem } from "../../actors/test-system.ts";
import { recordFormat, type SpaceRecord } from "../../runtime/core/records.ts";

let isBroken = true;
const note = defineActor("note", {
  machine: setup({
    types: {
      context: {} as { taken: Array<{ readonly n: number; readonly edited: boolean }> },
      events: {} as { type: "TAKE"; n: number; edited?: boolean },
    },
  }).createMachine({
    id: "note",
    context: { taken: [] },
    on: {
      TAKE: {
        actions: assign({
          taken: ({ context, event }) => {
            if (isBroken) throw new Error("It is broken.");
            return [...context.taken, { n: event.n, edited: event.edited === true }];
          },
        }),
      },
    },
  }),
  retry: { maxAttempts: 1 },
});

const space: SpaceRecord = {
  format: recordFormat,
  partitions: 4,
  hash: "fnv1a-mix32",
  historyDepth: 16,
  identity: { core: "memory", ingress: "memory" },
};
const actors = 4;
const messages = 24;
const act = fc.oneof(
  { weight: 3, arbitrary: fc.record({ what: fc.constant("redriveAll" as const), id: fc.nat(actors - 1) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant("redrive" as const), n: fc.nat(messages - 1) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("drop" as const), n: fc.nat(messages - 1) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("edit" as const), n: fc.nat(messages - 1) }) },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant("to" as const), n: fc.nat(messages - 1), id: fc.nat(actors - 1) }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("crash" as const) }) },
);
const plans = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  // Each act is given up after so long, as when its process is killed.
  // The machine is repaired before this act.
  repairedAt: fc.nat(4),
  acts: fc.array(fc.tuple(act, fc.integer({ min: 1, max: 600 })), { maxLength: 12 }),
});

describe("letters under random operators", () => {
  it("are each applied once, dropped, or still dead, and in order where nobody has sent them elsewhere", async () => {
    await fc.assert(
      fc.asyncProperty(plans, async ({ seed, repairedAt, acts }) => {
        isBroken = true;
        const system = await createTestSystem({ actors: [note], seed, nodes: 2 });
        const { broker, client, run, advance, time } = system;
        const sent = Array.from({ length: messages }, (_, n) =>
          client.send(note.ref(`a${n % actors}`), { type: "TAKE", n }, { key: `k${n}` }),
        );
        await run(Promise.all(sent));
        await advance(1000);
        const letters = await run(client.deadLetters.list());
        expect(letters).toHaveLength(messages);
        const idOf = new Map<number, string>();
        for (const { letter } of letters) {
          const { payload } = await run(client.deadLetters.get(letter));
          idOf.set((payload as { n: number }).n, letter);
        }
        let isMixed = false;
        let crashed = 0;
        for (const [at, [{ what, ...more }, patienceMs]] of acts.entries()) {
          if (at === repairedAt) isBroken = false;
          const { n = 0, id = 0 } = more as { n?: number; id?: number };
          const letter = idOf.get(n) as string;
          if (what === "crash") {
            system.nodes.at(-1)?.crash();
            await system.startNode({ name: `again-${++crashed}` });
            continue;
          }
          const connection = broker.connect(`operator-${at}`);
          const operator = createClient({
            log: connection.log,
            time: connection.time,
            space,
            spaceName: "test",
            clientId: `operator${at}`.padEnd(22, "x"),
            random: () => 0.5,
          });
          broker.faults.set({ append: { "lost-answer": 0.2, late: 0.1 } });
          const { deadLetters } = operator;
          const call =
            what === "redriveAll"
              ? deadLetters.redriveAll(`type:note id:a${id}`)
              : what === "redrive"
                ? deadLetters.redrive(letter)
                : what === "drop"
                  ? deadLetters.drop(letter)
                  : what === "edit"
                    ? deadLetters.edit(letter, { n, edited: true }, { check: false })
                    : deadLetters.redrive(letter, { to: note.ref(`a${id}`) });
          // What dies again comes after those that did not; what is redriven by itself comes before those before it.
          if (what === "to" || what === "redrive" || (what === "redriveAll" && isBroken)) isMixed = true;
          call.catch(() => {});
          await time.advance(patienceMs);
          // As SIGKILL does: what was not answered stays unknown.
          connection.sever();
          broker.faults.set({});
        }
        isBroken = false;
        await advance(20_000);
        await run(client.deadLetters.redriveAll("type:note", { maxRedrives: 1000 }));
        await advance(20_000);

        const end = await run(client.deadLetters.list({ status: "any" }));
        expect(end.filter(({ status }) => status === "dead")).toEqual([]);
        const dropped = new Set(end.filter(({ status }) => status === "dropped").map(({ letter }) => letter));
        const applied: number[] = [];
        for (let a = 0; a < actors; a++) {
          const view = await run(client.get(note.ref(`a${a}`)));
          const taken = (view?.context.taken ?? []).map((each) => each.n);
          applied.push(...taken);
          if (!isMixed) expect(taken).toEqual([...taken].sort((x, y) => x - y));
        }
        expect([...applied].sort((a, b) => a - b)).toEqual(
          [...idOf]
            .filter(([, letter]) => !dropped.has(letter))
            .map(([n]) => n)
            .sort((a, b) => a - b),
        );
        expect(end).toHaveLength(messages);
        await system.stop();
      }),
      { numRuns: 60 },
    );
  });
});

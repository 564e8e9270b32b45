import { afterEach, expect, test } from "vitest";
import { createMachine } from "xstate";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";
import { type FollowFlags, printDying } from "../../cli/commands/follow-letters.ts";
import { TerminalError } from "../../runtime/core/errors.ts";
import { documentsIn, fakeTerminal } from "./arrange.ts";

const machine = createMachine({
  on: {
    BAD: {
      guard: () => {
        throw new TerminalError("No such luck.");
      },
    },
  },
});
let system: TestSystem;
afterEach(() => system?.stop());

async function print(words: string[], flags: FollowFlags, signal = new AbortController().signal): Promise<string[]> {
  system = await createTestSystem({ actors: [defineActor("order", { machine }), defineActor("cart", { machine })] });
  for (const actor of ["order/1", "cart/1", "order/2"]) await system.run(system.client.send(actor, { type: "BAD" }));
  await system.advance(5000);
  const out = fakeTerminal();
  await system.run(printDying(system.client, words, flags, { out }, signal));
  return out.lines();
}

test("letters that match are printed as they died, and no more than asked for", async () => {
  const lines = await print(["type:order"], { output: "table", from: "start", count: 2 });
  expect(lines[0]).toMatch(/^LETTER +DIED +ACTOR +EVENT +REASON +EXPLANATION$/);
  expect(lines.slice(1)).toEqual([
    expect.stringMatching(/order\/1 +BAD +terminal +.*No such luck/),
    expect.stringMatching(/order\/2 +BAD +terminal +.*No such luck/),
  ]);
});

test("as JSON each has the seq to go on from", async () => {
  const [document] = documentsIn(`${(await print([], { output: "json", from: "start", count: 1 })).join("\n")}\n`);
  expect(document).toMatchObject({ seq: expect.any(Number), to: "order/1", reason: "terminal", event: "BAD" });
  expect(document).not.toHaveProperty("type");
});

test("an interruption is a good end", async () => {
  const aborter = new AbortController();
  aborter.abort();
  expect(await print([], { output: "table", from: "start" }, aborter.signal)).toEqual([]);
});

/** The events that tell of dead letters: for clients, and in the node. */
import { afterEach, describe, expect, it } from "vitest";
import { createMachine } from "xstate";
import type { DeadLetteredEvent } from "../../actors/dead-letters.ts";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem, type TestSystemOptions } from "../../actors/test-system.ts";
import { deadLetterTopic } from "../../runtime/core/dead-letter-events.ts";
import { TerminalError } from "../../runtime/core/errors.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import { publish } from "../../runtime/machine/actions.ts";

const subjects = new Subjects("test");
const machine = createMachine({
  on: {
    GOOD: {},
    BAD: {
      guard: () => {
        throw new TerminalError("No such luck.");
      },
    },
    SLOW: {
      guard: () => {
        throw new Error("Again.");
      },
    },
    FORGE: { actions: publish(() => deadLetterTopic, { type: "deadLettered" }) },
  },
});
const order = defineActor("order", { machine, retry: { maxAttempts: 2 } });
const cart = defineActor("cart", { machine });
let system: TestSystem;
afterEach(() => system?.stop());

async function start(options: Partial<TestSystemOptions> = {}): Promise<void> {
  system = await createTestSystem({ actors: [order, cart], ...options });
}

async function send(actor: string, ...types: string[]): Promise<void> {
  for (const type of types) await system.run(system.client.send(actor, { type }));
  await system.advance(5000);
}

async function listening(
  ...args: Parameters<typeof system.client.deadLetters.on> extends [infer F, unknown, (infer O)?] ? [F, O?] : never
): Promise<DeadLetteredEvent[]> {
  const heard: DeadLetteredEvent[] = [];
  const [filter, options] = args;
  const { ready } = system.client.deadLetters.on(filter, (event) => heard.push(event), options);
  await system.run(ready);
  return heard;
}

describe("a listener to dead letters", () => {
  it("gets an event for each message that dies, once it is committed", async () => {
    await start();
    const heard = await listening({});
    await send("order/1", "GOOD", "BAD", "SLOW");
    const [bad, slow] = await system.run(system.client.deadLetters.list());
    expect(heard).toEqual([
      expect.objectContaining({
        type: "deadLettered",
        letter: bad?.letter,
        to: "order/1",
        reason: "terminal",
        explanation: bad?.explanation,
        event: "BAD",
        attemptCount: 1,
        redrives: 0,
        at: bad?.at,
      }),
      expect.objectContaining({ letter: slow?.letter, reason: "attempts", event: "SLOW", attemptCount: 2 }),
    ]);
  });

  it("gets another one when a letter that was redriven dies again", async () => {
    await start();
    const heard = await listening({});
    await send("order/1", "BAD");
    await system.run(system.client.deadLetters.redrive(heard[0]?.letter as string));
    await system.advance(5000);
    expect(heard.map(({ letter, redrives, attemptCount }) => [letter, redrives, attemptCount])).toEqual([
      [heard[0]?.letter, 0, 1],
      [heard[0]?.letter, 1, 2],
    ]);
  });

  it("gets those that match, and from the start what died before", async () => {
    await start();
    await send("order/1", "BAD", "SLOW");
    await send("order/2", "BAD");
    await send("cart/1", "BAD");
    const all = await listening({}, { from: "start" });
    const some = await listening({ type: "order", reason: "terminal" }, { from: "start" });
    const one = await listening({ type: "order", id: "2" }, { from: "start" });
    const none = await listening({});
    await system.advance(100);
    expect([all.length, some.map(({ to }) => to), one.map(({ to }) => to), none]).toEqual([
      4,
      ["order/1", "order/2"],
      ["order/2"],
      [],
    ]);
  });

  it("may iterate, and is told what is wrong with its filter", async () => {
    await start();
    await send("order/1", "BAD");
    await send("cart/1", "BAD");
    const first = async (): Promise<string> => {
      for await (const { event } of system.client.deadLetters.follow({ type: "cart" }, { from: "start" }))
        return event.to;
      return "none";
    };
    expect(await system.run(first())).toBe("cart/1");
    expect(() => system.client.deadLetters.on({ reson: "terminal" } as never, () => {})).toThrow(/reson/);
    expect(() => system.client.deadLetters.on({}, "no" as never)).toThrow(/handler/);
  });
});

describe("the event of a dead letter", () => {
  it("is in the log if and only if the letter is, wherever its owner dies", async () => {
    for (const point of ["letter.before", "commit.before", "commit.after", "answered"] as const) {
      await start({ nodes: 2 });
      for (const node of system.nodes) node.crashAt(point);
      await send("order/1", "GOOD", "BAD", "GOOD", "BAD");
      await system.startNode();
      await system.advance(10_000);
      expect(system.nodes.some((node) => node.stats().partitions.length === 0)).toBe(true);
      const letters = await system.run(system.client.deadLetters.list());
      const events = system.broker.journal("core", subjects.topicEvents(deadLetterTopic));
      expect([point, letters.length, events.length]).toEqual([point, 2, 2]);
      await system.stop();
    }
  });

  it("cannot be forged by a machine", async () => {
    await start();
    const heard = await listening({});
    await send("order/1", "FORGE");
    expect(heard).toEqual([
      expect.objectContaining({
        event: "FORGE",
        reason: "terminal",
        explanation: expect.stringContaining("reserved for the runtime"),
      }),
    ]);
    const forged = createMachine({ entry: publish(deadLetterTopic, { type: "deadLettered" }) });
    expect(() => defineActor("forger", { machine: forged })).toThrow(/reserved for the runtime/);
  });
});

describe("the node's handler of dead letters", () => {
  it("is called after the commit; what it throws is told, and the node goes on", async () => {
    const heard: string[] = [];
    const told: string[] = [];
    await start({
      onDeadLetter: async (event) => {
        const committed = system.broker.journal("core", subjects.deadLetter(event.letter));
        heard.push(`${event.to} ${event.event} ${committed.length}`);
        throw new Error("No mail.");
      },
      onEvent: ({ name, message }) => {
        if (name === "deadLetter.handler") told.push(message);
      },
    });
    await send("order/1", "BAD", "GOOD", "BAD");
    expect(heard).toEqual(["order/1 BAD 1", "order/1 BAD 1"]);
    expect(told).toEqual(Array(2).fill("The handler of dead letters failed: No mail."));
    expect((await system.run(system.client.get("order/1")))?.revision).toBe(3);
  });
});

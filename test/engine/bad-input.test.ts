/** What strangers may write into INGRESS: nothing of it stops a partition, and everything of it is found again. */

import { afterEach, describe, expect, it } from "vitest";
import { assign, setup } from "xstate";
import { z } from "zod";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";
import { type Address, partitionOf } from "../../runtime/core/address.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import type { LogRecord } from "../../runtime/log/log.ts";

const counter = defineActor("counter", {
  machine: setup({
    types: { context: {} as { sum: number }, events: {} as { type: "ADD"; amount: number } },
  }).createMachine({
    id: "counter",
    context: { sum: 0 },
    on: { ADD: { actions: assign({ sum: ({ context, event }) => context.sum + event.amount }) } },
  }),
  events: { ADD: z.object({ amount: z.number() }) },
});

const subjects = new Subjects("test");
let system: TestSystem | undefined;

afterEach(async () => {
  await system?.stop();
  system = undefined;
});

async function write(subject: string, body: string | Uint8Array): Promise<void> {
  const { log } = (system as TestSystem).broker.connect("stranger");
  const data = typeof body === "string" ? Buffer.from(body) : body;
  const result = await (system as TestSystem).run(log.append("ingress", [{ subject, data }]));
  expect(result._tag).toBe("Appended");
}

function mailboxOf(to: Address, message = "m1"): string {
  return subjects.ingress("stranger", partitionOf(to, 4), to, message);
}

const good = (over: object = {}) =>
  JSON.stringify({ format: 1, kind: "event", id: "x1", sentAt: 0, event: { type: "ADD", amount: 1 }, ...over });

const target: Address = { type: "counter", id: "a" };
const malformed: ReadonlyArray<readonly [string, string | Uint8Array]> = [
  ["truncated JSON", good().slice(0, 40)],
  ["an empty body", ""],
  ["bytes that are not UTF-8", Uint8Array.from([0xff, 0xfe, 0x00, 0x80])],
  ["JSON that is no object", "[1,2,3]"],
  ["null", "null"],
  ["an unknown format version", good({ format: 99 })],
  ["a format that is no number", good({ format: "1" })],
  ["no id", good({ id: undefined })],
  ["an id that is too long", good({ id: "x".repeat(600) })],
  ["an unknown kind", good({ kind: "command" })],
  ["no event", good({ event: undefined })],
  ["an event without a type", good({ event: { amount: 1 } })],
  ["an event that is a list", good({ event: [] })],
  ["a reply that is no string", good({ reply: { to: "x" } })],
  ["a redrive that is nonsense", good({ redrive: 7 })],
];

describe("a record that is no message", () => {
  it.each(malformed)("becomes a dead letter of its actor: %s", async (_, body) => {
    system = await createTestSystem({ actors: [counter] });
    await write(mailboxOf(target), body);
    await write(mailboxOf(target, "m2"), good({ id: "x2" }));
    await system.advance(2000);
    const letters = await system.run(system.client.deadLetters.list({ type: "counter" }));
    expect(letters).toMatchObject([{ reason: "malformed", to: target }]);
    const view = await system.run(system.client.get(counter.ref("a")));
    expect(view?.context).toEqual({ sum: 1 });
  });

  it("becomes a dead letter with all its bytes when it is 900 KB long", async () => {
    system = await createTestSystem({ actors: [counter] });
    const bytes = Buffer.alloc(900_000, "{");
    await write(mailboxOf(target), bytes);
    await write(mailboxOf(target, "m2"), good());
    await system.advance(2000);
    const [letter] = await system.run(system.client.deadLetters.list({}));
    expect(letter).toMatchObject({ reason: "malformed" });
    const body = system.broker.records("core", "sw.test.core.*.body.>");
    expect(body.map((record: LogRecord) => Buffer.from(record.data).equals(bytes))).toEqual([true]);
    expect((await system.run(system.client.get(counter.ref("a"))))?.context).toEqual({ sum: 1 });
  });
});

describe("a subject that is no mailbox", () => {
  const bad = [
    [
      "a partition that the actor does not belong to",
      () => subjects.ingress("stranger", (partitionOf(target, 4) + 1) % 4, target, "m1"),
    ],
    ["too few tokens", () => "sw.test.in.stranger.1.counter"],
    ["too many tokens", () => `${mailboxOf(target)}.more`],
    ["a type that no definition can have", () => "sw.test.in.stranger.1.9nine.a.m1"],
    ["an id with a broken escape", () => "sw.test.in.stranger.1.counter.a=G1.m1"],
    ["an id in a second spelling", () => "sw.test.in.stranger.1.counter.=61.m1"],
  ] as const;
  it.each(bad)("leads to the dead letters of its partition: %s", async (_, subjectOf) => {
    system = await createTestSystem({ actors: [counter] });
    await write(subjectOf(), good());
    await write(mailboxOf(target, "m2"), good());
    await system.advance(2000);
    const letters = await system.run(system.client.deadLetters.list({}));
    expect(letters).toHaveLength(1);
    expect(letters[0]).toMatchObject({ reason: "malformed" });
    expect(letters[0]?.to).toMatchObject({ type: "_" });
    expect((await system.run(system.client.get(counter.ref("a"))))?.context).toEqual({ sum: 1 });
  });
});

describe("a message that cannot be applied", () => {
  it.each([
    ["the schema refuses it", "schema", { event: { type: "ADD", amount: "7" } }],
    ["its event type is not declared", "schema", { event: { type: "STEAL" } }],
    ["its event is reserved", "reserved", { event: { type: "xstate.done.actor.x" } }],
    ["its event is reserved for the runtime", "reserved", { event: { type: "statewright.timer" } }],
  ])("is a dead letter that says so: %s", async (_, reason, over) => {
    system = await createTestSystem({ actors: [counter] });
    await write(mailboxOf(target), good(over));
    await system.advance(1000);
    const letters = await system.run(system.client.deadLetters.list({}));
    expect(letters).toMatchObject([{ reason, to: target }]);
    expect(system.nodes[0]?.stats().counters.deadLettersByReason).toEqual({ [reason]: 1 });
  });

  it("is a dead letter when no node knows its type", async () => {
    system = await createTestSystem({ actors: [counter] });
    const stranger: Address = { type: "stranger", id: "a" };
    await write(mailboxOf(stranger), good());
    await system.advance(1000);
    expect(await system.run(system.client.deadLetters.list({}))).toMatchObject([
      { reason: "unknown-type", to: stranger },
    ]);
  });
});

describe("a hostile message", () => {
  it("cannot pollute prototypes", async () => {
    system = await createTestSystem({ actors: [counter] });
    await write(
      mailboxOf(target),
      '{"format":1,"kind":"event","id":"x","sentAt":0,"__proto__":{"polluted":1},"event":{"type":"ADD","amount":1,"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}',
    );
    await system.advance(1000);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect((await system.run(system.client.get(counter.ref("a"))))?.context).toEqual({ sum: 1 });
  });

  it("cannot make a node answer into a stream", async () => {
    system = await createTestSystem({ actors: [counter] });
    for (const [i, reply] of [
      "sw.test.core.0.state.counter.a",
      "sw.test.reply.>",
      "sw.test.reply.a.b c",
      "$JS.API.STREAM.DELETE.X",
    ].entries()) {
      await write(mailboxOf(target, `m${i}`), good({ id: `x${i}`, reply }));
    }
    const heard: string[] = [];
    system.broker.connect("spy").log.listen(">", (subject) => heard.push(subject));
    await system.advance(1000);
    expect(heard).toEqual([]);
    expect((await system.run(system.client.get(counter.ref("a"))))?.context).toEqual({ sum: 4 });
  });

  it.each(["a.b", "*", ">", "a b", "🙂", "\u0000", "é", "$JS", "_INBOX", "ä".repeat(128), "x".repeat(256)])(
    "reaches exactly the actor with the id %j",
    async (id) => {
      system = await createTestSystem({ actors: [counter] });
      const ref = counter.ref(id);
      await system.run(system.client.send(ref, { type: "ADD", amount: 5 }));
      const view = await system.run(system.client.waitFor(ref, (seen) => seen.context.sum === 5));
      expect(view.address).toEqual({ type: "counter", id });
      expect(system.broker.records("core", "sw.test.core.*.state.>")).toHaveLength(1);
    },
  );
});

describe("an actor whose type the node does not know", () => {
  it("keeps its state and the machine that made it, and the letter can be redriven", async () => {
    system = await createTestSystem({ actors: [counter] });
    await system.run(system.client.ask(counter.ref("a"), { type: "ADD", amount: 1 }));
    await system.run((system.nodes[0] as (typeof system.nodes)[0]).stop());
    const other = defineActor("other", { machine: setup({}).createMachine({}) });
    const stranger = await system.startNode({ actors: [other] });
    await system.run(system.client.send(counter.ref("a"), { type: "ADD", amount: 2 }));
    await system.advance(5000);
    const [letter] = await system.run(system.client.deadLetters.list({}));
    expect(letter?.reason).toBe("unknown-type");
    await system.run(stranger.stop());
    await system.startNode();
    await system.run(system.client.deadLetters.redrive(letter?.letter as string));
    const view = await system.run(system.client.waitFor(counter.ref("a"), (seen) => seen.context.sum === 3));
    expect(view.revision).toBe(3);
    const states = system.broker.records("core", "sw.test.core.*.state.counter.>");
    const machines = states.map((record) => JSON.parse(Buffer.from(record.data).toString()).machine);
    expect(machines).toEqual(machines.map(() => counter.driver.identity));
  });
});

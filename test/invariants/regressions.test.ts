/** What the worlds of the properties have found, each as one example. */
import { describe, expect, it } from "vitest";
import { encodeRecord } from "../../runtime/core/records.ts";
import { retryTimer } from "../../runtime/engine/waiting.ts";
import { definitions } from "./actors.ts";
import { smallWorld } from "./small-world.ts";

const relay = { type: "relay", id: "a" } as const;
const say = (uid: string) => ({ type: "SAY", uid }) as const;

describe("an idempotency key", () => {
  it("of a message that died is free for the next message, also within the same commit", async () => {
    const world = smallWorld();
    await world.send(relay, [{ type: "REFUSE", uid: "bad" }], {
      sender: "one",
      key: "k",
      reply: "sw.small.reply.one.1",
    });
    await world.send(relay, [say("good")], { sender: "two", key: "k" });
    await world.startNode("n1");
    await world.advance(500);
    expect(world.logOf(relay)).toEqual(["good"]);
    expect(world.letters()).toMatchObject([{ reason: "terminal" }]);
    expect(world.verdict().violations).toEqual([]);
  });

  it("that another node has applied makes a duplicate of a message on which the machine would fail", async () => {
    const world = smallWorld();
    const first = await world.startNode("n1");
    await world.send(relay, [say("first")], { sender: "one", key: "k" });
    await world.advance(100);
    first.crash();
    await world.startNode("n2");
    await world.send(relay, [{ type: "GATE", uid: "again", isTerminal: true }], { sender: "two", key: "k" });
    await world.advance(1000);
    expect(world.letters()).toEqual([]);
    expect(world.stateOf(relay)?.handled).toMatchObject([{ outcome: "duplicate" }]);
    expect(world.verdict().violations).toEqual([]);
  });
});

describe("a client that claims to redrive a letter", () => {
  it("does not write over the letter of another message", async () => {
    const world = smallWorld();
    await world.startNode("n1");
    await world.send(relay, [{ type: "REFUSE", uid: "one" }]);
    await world.advance(100);
    const [letter] = world.letters();
    const redrive = { letter: letter?.letter ?? "", attempts: 40, redrives: 7 };
    await world.send(relay, [{ type: "REFUSE", uid: "two" }], { forged: { redrive } });
    await world.advance(100);
    expect(world.letters()).toMatchObject([
      { envelope: { event: { uid: "one" } }, attemptCount: 1, redrives: 0 },
      { envelope: { event: { uid: "two" } }, attemptCount: 1, redrives: 0 },
    ]);
    expect(world.verdict().violations).toEqual([]);
  });
});

describe("a node that does not know an actor's type", () => {
  it("lets a message die whose key another node has applied", async () => {
    const world = smallWorld();
    const first = await world.startNode("n1");
    await world.send(relay, [say("first")], { sender: "one", key: "k" });
    await world.advance(100);
    first.crash();
    await world.startNode("n2", { definitions: definitions.filter(({ type }) => type === "sink") });
    await world.send(relay, [say("again")], { sender: "two", key: "k" });
    await world.advance(1000);
    expect(world.letters()).toMatchObject([{ reason: "unknown-type" }]);
  });
});

describe("a decision on a state that was not committed", () => {
  it.each([true, false])("does not let a message die (terminal: %s)", async (isTerminal) => {
    const world = smallWorld();
    const first = await world.startNode("n1");
    await world.send(relay, [say("zero")]);
    await world.send(relay, [say("one")], { sender: "one", key: "k" });
    await world.advance(100);
    first.crash();
    // Its node does not know the key: on the state that it assumes the gate is closed, on the one that is committed it is open.
    await world.send(relay, [say("again")], { sender: "two", key: "k" });
    await world.send(relay, [{ type: "GATE", uid: "gate", isTerminal }]);
    await world.startNode("n2");
    await world.advance(2000);
    expect(world.letters()).toEqual([]);
    expect(world.logOf(relay)).toEqual(["zero", "one", "gate"]);
    expect(world.verdict().violations).toEqual([]);
  });
});

describe("messages that a lane has no room for", () => {
  const settings = { maxQueued: 20 };
  const slow = { type: "TRY", uid: "slow", sink: "s", failures: 1, afterMs: 300 } as const;
  const many = Array.from({ length: 40 }, (_, i) => say(`say${i}`));
  const uids = ["slow", ...many.map(({ uid }) => uid)];

  it("are not lost when a replica that lags behind is asked for them", async () => {
    const world = smallWorld();
    await world.startNode("n1", { settings });
    world.broker.faults.set({ scan: { stale: 1 } }, { staleMs: [3000, 3000] });
    await world.send(relay, [slow, ...many]);
    await world.advance(2500);
    world.broker.faults.heal();
    await world.advance(5000);
    expect(world.logOf(relay)).toEqual(uids);
    expect(world.verdict().violations).toEqual([]);
  });

  it("are read again when the log was away meanwhile", async () => {
    const world = smallWorld();
    await world.startNode("n1", { settings });
    world.broker.faults.set({ scan: { unavailable: 1 } });
    await world.send(relay, [slow, ...many]);
    await world.advance(1500);
    world.broker.faults.heal();
    await world.advance(5000);
    expect(world.logOf(relay)).toEqual(uids);
  });
});

describe("a timer that wakes a failed message before its time", () => {
  it("is put off, and keeps neither its actor nor the node from going on", async () => {
    const loose = { type: "loose", id: "a" } as const;
    const world = smallWorld();
    await world.startNode("n1");
    await world.send(loose, [{ type: "TRY", uid: "slow", sink: "s", failures: 1, afterMs: 130_000 }]);
    await world.advance(100);
    // Another node has decided the same on the same state, and its clock or its chance was another: its record has the same name.
    const [n] = Object.keys(world.stateOf(loose)?.waiting?.retries ?? {});
    const at = world.time.now();
    const subject = world.subjects.timer(0, loose, retryTimer(Number(n), 2), at);
    const stranger = world.broker.connect("n0");
    void stranger.log.append("core", [{ subject, data: encodeRecord({ format: 1, at }) }]);
    await world.time.advance(500, { maxEvents: 2000 });
    await world.send(loose, [say("next")]);
    await world.advance(100);
    expect(world.logOf(loose)).toEqual(["next"]);
    await world.advance(140_000);
    expect(world.logOf(loose)).toEqual(["next", "slow"]);
  });
});

describe("a partition", () => {
  it("is taken again when the answer to its release comes after the next owner's lease", async () => {
    const world = smallWorld({ partitions: 4 });
    const one = await world.startNode("n1");
    // Of a delay, chance makes one of the request or of the answer: here it is the answer's at least once.
    for (let i = 0; i < 4; i++) world.broker.faults.next("append", ([record]) => isRelease(record), "delay", 30);
    const two = await world.startNode("n2");
    await world.advance(1000);
    expect(two.node.stats().partitions.length).toBe(2);
    two.crash();
    await world.advance(2000);
    expect(one.node.stats().partitions).toEqual([0, 1, 2, 3]);
  });

  it("goes to the node it should belong to although the release of its lease failed again and again", async () => {
    const world = smallWorld({ partitions: 4 });
    const one = await world.startNode("n1");
    for (let i = 0; i < 40; i++) world.broker.faults.next("append", ([record]) => isRelease(record), "refused");
    const two = await world.startNode("n2");
    await world.advance(10_000);
    const partitions = [one, two].flatMap(({ node }) => node.stats().partitions).sort();
    expect(partitions).toEqual([0, 1, 2, 3]);
  });
});

function isRelease(record: { readonly subject: string; readonly data: Uint8Array } | undefined): boolean {
  if (record === undefined || !record.subject.endsWith(".lease")) return false;
  return (JSON.parse(Buffer.from(record.data).toString()) as { owner: string }).owner === "";
}

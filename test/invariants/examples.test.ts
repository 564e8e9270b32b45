/** Each invariant of DESIGN.md as one example that can be read. */
import { describe, expect, it } from "vitest";
import type { CheckpointRecord, KeyRecord } from "../../runtime/core/records.ts";
import { kindOf, readJson } from "./oracle.ts";
import { type SmallNode, smallWorld } from "./small-world.ts";

const relay = { type: "relay", id: "a" } as const;
const sink = { type: "sink", id: "s" } as const;
const say = (uid: string) => ({ type: "SAY", uid }) as const;
const add = (uid: string) => ({ type: "ADD", uid, sink: "s" }) as const;

/** Until a node has taken over from one that died. */
const takeoverMs = 1000;

describe("I1, nothing is lost", () => {
  it("a message that was stored before its node died is applied by the next node", async () => {
    const world = smallWorld();
    let node: SmallNode | undefined;
    // It dies with the message in its hands, decided and not committed.
    node = await world.startNode("n1", { fault: (point) => point === "decided" && node?.crash() });
    await world.send(relay, [say("one")]);
    await world.advance(50);
    expect(world.stateOf(relay)).toBeUndefined();
    await world.startNode("n2");
    await world.advance(takeoverMs);
    expect(world.logOf(relay)).toEqual(["one"]);
    expect(world.verdict().violations).toEqual([]);
  });

  it("a message that waits for its retry has a record of its own, which stays until it is handled, and the checkpoint goes on", async () => {
    const world = smallWorld();
    await world.startNode("n1");
    await world.send(relay, [
      say("one"),
      { type: "TRY", uid: "two", sink: "s", failures: 1, afterMs: 2000 },
      say("three"),
    ]);
    await world.advance(1500);
    const checkpoint = world.broker.records("core", world.subjects.checkpoint(0)).at(-1);
    expect(checkpoint && readJson<CheckpointRecord>(checkpoint)?.cursor.ingress).toBe(3);
    expect(world.broker.records("ingress")).toEqual([]);
    const waiting = (): unknown[] => world.broker.records("core", world.subjects.waitsOf(0, relay)).map(readJson);
    expect(waiting()).toMatchObject([
      { envelope: { event: { uid: "two" } }, attemptCount: 1, attempts: [{ error: { name: "RetryableError" } }] },
      { envelope: { event: { uid: "three" } }, attemptCount: 0, attempts: [] },
    ]);
    await world.advance(5000);
    expect(waiting()).toEqual([]);
    expect(world.logOf(relay)).toEqual(["one", "two", "three"]);
  });
});

describe("I2, applied once", () => {
  it("a message that is read again after its commit changes nothing", async () => {
    const world = smallWorld();
    let node: SmallNode | undefined;
    // The commit is in the log; the node dies before it has heard so much as a word of it.
    node = await world.startNode("n1", { fault: (point) => point === "commit.after" && node?.crash() });
    await world.send(relay, [say("one")]);
    await world.advance(50);
    const second = await world.startNode("n2");
    await world.advance(takeoverMs);
    expect(second.node.stats().counters).toMatchObject({ redelivered: 1, applied: 0 });
    expect(world.logOf(relay)).toEqual(["one"]);
    expect(world.stateOf(relay)?.revision).toBe(1);
  });

  it("a key that two clients use is applied once, on whichever node it arrives", async () => {
    const world = smallWorld();
    const first = await world.startNode("n1");
    await world.send(relay, [say("one")], { sender: "alice", key: "k" });
    await world.advance(50);
    first.crash();
    await world.startNode("n2");
    await world.send(relay, [say("again")], { sender: "bob", key: "k" });
    await world.advance(takeoverMs);
    expect(world.logOf(relay)).toEqual(["one"]);
    expect(world.verdict().mails.map((mail) => mail.handled?.said.outcome)).toEqual(["applied", "duplicate"]);
  });

  it("a commit whose answer was lost is in the log once", async () => {
    const world = smallWorld();
    const { node } = await world.startNode("n1");
    world.broker.faults.next("append", ([record]) => isState(record), "lost-answer");
    await world.send(relay, [add("one")]);
    await world.advance(1000);
    expect(node.stats().counters).toMatchObject({ commitRetries: 1, applied: 2 });
    expect(world.broker.journal("core", world.subjects.states("relay"))).toHaveLength(1);
    expect(world.stateOf(sink)?.snapshot?.context).toEqual({ seen: { "relay/a": [1] } });
  });

  it("a commit that is stored long after its node gave up waiting is in the log once", async () => {
    const world = smallWorld();
    const { node } = await world.startNode("n1");
    world.broker.faults.next("append", ([record]) => isState(record), "late", 150);
    await world.send(relay, [add("one")]);
    await world.advance(1000);
    expect(node.stats().counters.applied).toBe(2);
    expect(world.broker.journal("core", world.subjects.states("relay"))).toHaveLength(1);
    expect(world.verdict().violations).toEqual([]);
  });
});

describe("I3, emitted with its cause", () => {
  it("what a transition publishes and emits, and the key it answers to, stand behind its state in one append", async () => {
    const world = smallWorld();
    await world.startNode("n1");
    await world.send(relay, [say("one")], { key: "k" });
    await world.advance(50);
    const core = world.broker.journal("core");
    const at = core.findIndex((record) => kindOf(record) === "state");
    expect(core.slice(at, at + 4).map(kindOf)).toEqual(["state", "topic", "emit", "key"]);
    expect(world.stateOf(relay)?.outbox).toBe(3);
    expect(readJson<KeyRecord>(core[at + 3] as never)?.answer).toMatchObject({ outcome: "applied", reply: 1 });
  });

  it("a commit that is refused leaves nothing behind", async () => {
    const world = smallWorld();
    await world.startNode("n1");
    world.broker.faults.next("append", ([record]) => isState(record), "full", 300);
    await world.send(relay, [add("one")]);
    await world.advance(200);
    expect(world.broker.journal("core").filter((record) => /\.(state|mail)\./.test(record.subject))).toEqual([]);
    await world.advance(2000);
    expect(world.stateOf(sink)?.snapshot?.context).toEqual({ seen: { "relay/a": [1] } });
  });
});

describe("I4, in order", () => {
  it("a message that waits for its retry is not overtaken", async () => {
    const world = smallWorld();
    await world.startNode("n1");
    await world.send(relay, [{ type: "TRY", uid: "first", sink: "s", failures: 2 }, say("second")]);
    await world.send(relay, [say("third")]);
    await world.advance(1000);
    expect(world.logOf(relay)).toEqual(["first", "second", "third"]);
  });

  it("a message that was dead-lettered lets the next one pass, and other actors never wait for it", async () => {
    const world = smallWorld();
    await world.startNode("n1");
    await world.send(relay, [{ type: "POISON", uid: "bad" }, say("next")]);
    await world.send({ type: "relay", id: "other" }, [say("elsewhere")]);
    await world.advance(15);
    expect(world.logOf({ type: "relay", id: "other" })).toEqual(["elsewhere"]);
    expect(world.logOf(relay)).toEqual([]);
    await world.advance(2000);
    expect(world.logOf(relay)).toEqual(["next"]);
    expect(world.letters()).toMatchObject([{ reason: "attempts", attemptCount: 4 }]);
  });
});

describe("I5, fenced", () => {
  it("a node that was frozen through a takeover commits nothing of what it had begun", async () => {
    const world = smallWorld();
    const zombie = await world.startNode("n1");
    await world.send(relay, [say("one")]);
    await world.advance(50);
    // Its next commit is on the way when it freezes, and is tried again when it wakes up.
    world.broker.faults.next("append", ([record]) => isState(record), "lost-request");
    await world.send(relay, [say("two")]);
    await world.advance(20);
    zombie.connection.freeze();
    await world.startNode("n2");
    await world.advance(1500);
    await world.send(relay, [say("three")]);
    await world.advance(100);
    expect(world.logOf(relay)).toEqual(["one", "two", "three"]);
    zombie.connection.thaw();
    await world.advance(2000);
    expect(world.logOf(relay)).toEqual(["one", "two", "three"]);
    expect(world.broker.journal("core", world.subjects.states())).toHaveLength(3);
    expect(world.verdict().violations).toEqual([]);
  });
});

describe("I6, no silent drop", () => {
  it("what a machine ignores, refuses or cannot read is counted, and told by the state or a letter", async () => {
    const world = smallWorld();
    const { node } = await world.startNode("n1");
    await world.send(relay, [say("one")]);
    await world.send(relay, [{ type: "ACK", n: 1, from: "sink/s" }], { forged: { event: { type: "UNHEARD-OF" } } });
    await world.send(relay, [say("two")], { forged: { event: { type: "xstate.stop" } } });
    await world.send(relay, [say("three")], { forged: { format: 99 } });
    await world.send({ type: "nobody", id: "x" }, [say("four")]);
    await world.advance(100);
    const { counters } = node.stats();
    expect(counters).toMatchObject({ applied: 1, ignored: 1, deadLetters: 3 });
    expect(counters.deadLettersByReason).toEqual({ reserved: 1, malformed: 1, "unknown-type": 1 });
    expect(
      world
        .letters()
        .map(({ reason }) => reason)
        .sort(),
    ).toEqual(["malformed", "reserved", "unknown-type"]);
    expect(world.verdict().mails.map((mail) => mail.handled?.said.outcome)).toEqual([
      "applied",
      "ignored",
      "dead",
      "dead",
      "dead",
    ]);
  });
});

describe("I7, a decision is reproducible", () => {
  it("deciding all messages of the journal again gives the same states, emissions and letters to the byte", async () => {
    const world = smallWorld();
    await world.startNode("n1");
    await world.send(relay, [add("one"), { type: "TRY", uid: "two", sink: "s", failures: 2 }, add("three")]);
    await world.send(relay, [
      { type: "POISON", uid: "four" },
      { type: "GATE", uid: "five", isTerminal: true },
    ]);
    await world.send(relay, [say("six"), { type: "CLOSE", uid: "seven" }, add("eight")], { sender: "other" });
    await world.advance(3000);
    expect(world.stateOf(relay)).toMatchObject({ status: "done", revision: 14 });
    // The oracle replays what is in the journal; it says what it finds.
    expect(world.verdict().violations).toEqual([]);
  });
});

function isState(record: { readonly subject: string } | undefined): boolean {
  return record?.subject.includes(".state.relay.") === true;
}

/** What happens to an actor while one of its messages is tried again, and when its attempts are spent. */
import { afterEach, describe, expect, it } from "vitest";
import { assign, setup } from "xstate";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestNode, type TestSystem, type TestSystemOptions } from "../../actors/test-system.ts";
import { partitionOf } from "../../runtime/core/address.ts";
import { type Envelope, encodeEnvelope, envelopeFormat } from "../../runtime/core/envelope.ts";
import { RetryableError, TerminalError } from "../../runtime/core/errors.ts";
import { decodeRecord, type StateRecord, type WaitingRecord } from "../../runtime/core/records.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import type { Decision } from "../../runtime/engine/decision.ts";
import { type Delivery, untried } from "../../runtime/engine/delivery.ts";
import { Failures } from "../../runtime/engine/failures.ts";
import { absentHead } from "../../runtime/engine/head.ts";
import { Lane } from "../../runtime/engine/lane.ts";
import type { StateToMigrate } from "../../runtime/engine/migration.ts";
import { WaitingRoom } from "../../runtime/engine/waiting-room.ts";

/** Which items fail, whoever takes them. */
const broken = new Set<string>();
const delay = { base: "1 minute", factor: 1, cap: "1 minute", jitter: "none", maxAttempts: 5 } as const;

type ListEvent =
  | { readonly type: "PUT" | "LATE"; readonly item: string; readonly ballast?: string }
  | { readonly type: "REMIND"; readonly ms: number };

const made = setup({
  types: { context: {} as { items: string[] }, events: {} as ListEvent },
  actions: {
    put: assign({
      items: ({ context, event }) => {
        const item = event.type === "REMIND" ? "reminded" : event.item;
        if (broken.has(item)) throw new Error(`${item} is broken.`);
        return [...context.items, item];
      },
    }),
  },
  delays: { given: ({ event }) => (event.type === "REMIND" ? event.ms : 0) },
});

const versioned = (version?: string) =>
  made.createMachine({
    id: "list",
    ...(version === undefined ? {} : { version }),
    context: { items: [] },
    initial: "open",
    states: {
      open: { on: { PUT: { actions: "put" }, LATE: { actions: "put" }, REMIND: "reminding" } },
      reminding: {
        on: { PUT: { actions: "put" }, LATE: { actions: "put" } },
        after: {
          given: { target: "open", actions: assign({ items: ({ context }) => [...context.items, "reminded"] }) },
        },
      },
    },
  });

const machine = versioned();

const hold = defineActor("hold", { machine, retry: delay });
const overtake = defineActor("overtake", { machine, retry: delay, order: "overtake" });
const park = defineActor("park", { machine, retry: { ...delay, maxAttempts: 2 }, onExhausted: "park" });
const stop = defineActor("stop", { machine, retry: { maxAttempts: 1 }, onExhausted: "stop" });
const mixed = defineActor("mixed", {
  machine,
  retry: delay,
  overrides: { LATE: { retry: "never", onExhausted: "park" } },
});
const brief = defineActor("brief", { machine, retry: { base: 500, factor: 1, jitter: "none", maxAttempts: 5 } });
const actors = [hold, overtake, park, stop, mixed, brief];

const subjects = new Subjects("test");
const partitions = 2;
const minute = 60_000;

let system: TestSystem;

async function start(options: Partial<TestSystemOptions> = {}): Promise<void> {
  system = await createTestSystem({ actors, partitions, settings: { purgeMs: 500, checkpointMs: 200 }, ...options });
}

afterEach(async () => {
  broken.clear();
  await system.stop();
});

type Definition = (typeof actors)[number];

async function put(definition: Definition, ...items: string[]): Promise<void> {
  for (const item of items) await system.run(system.client.send(definition.ref("a"), { type: "PUT", item }));
  await system.advance(300);
}

async function itemsOf(definition: Definition): Promise<readonly string[] | undefined> {
  const view = await system.run(system.client.get(definition.ref("a")));
  return view?.context.items;
}

function stateOf(definition: Definition): StateRecord {
  const to = definition.ref("a");
  const record = system.broker.records("core", subjects.state(partitionOf(to, partitions), to)).at(-1);
  return decodeRecord<StateRecord>("a state", record?.data ?? new Uint8Array());
}

function waitingOf(definition: Definition): WaitingRecord[] {
  const to = definition.ref("a");
  const newest = new Map(
    system.broker
      .records("core", subjects.waitsOf(partitionOf(to, partitions), to))
      .map((record) => [record.subject, record] as const),
  );
  return [...newest.values()]
    .filter(({ subject }) => !subject.endsWith(".body"))
    .map(({ data }) => decodeRecord<WaitingRecord>("a waiting message", data));
}

const letters = () => system.run(system.client.deadLetters.list());

async function replaceNode(): Promise<TestNode> {
  system.nodes.at(-1)?.crash();
  const node = await system.startNode();
  await system.advance(4000);
  return node;
}

describe("order: hold", () => {
  it("keeps what comes behind a failed message waiting in order, outside the mailbox", async () => {
    await start();
    broken.add("one");
    await put(hold, "zero", "one", "two", "three");
    expect(await itemsOf(hold)).toEqual(["zero"]);
    await system.advance(2000);
    expect(system.broker.records("ingress", subjects.all("ingress"))).toHaveLength(4);
    expect(system.nodes[0]?.stats()).toMatchObject({ pending: 0, queued: 0, counters: { retries: 1, waiting: 2 } });
    broken.clear();
    await system.advance(minute);
    expect(await itemsOf(hold)).toEqual(["zero", "one", "two", "three"]);
    await put(hold, "four");
    expect(await itemsOf(hold)).toEqual(["zero", "one", "two", "three", "four"]);
    await system.advance(5000);
    expect(waitingOf(hold)).toEqual([]);
    expect(stateOf(hold).waiting).toBeUndefined();
  });

  it("counts attempts across crashes of the owner, and makes no more than the policy allows", async () => {
    await start();
    broken.add("one");
    await put(hold, "one", "two");
    for (let attempt = 2; attempt < 5; attempt++) {
      await replaceNode();
      await system.advance(minute - 4000);
      expect(waitingOf(hold)[0]).toMatchObject({ attemptCount: attempt });
    }
    await replaceNode();
    await system.advance(2 * minute);
    const [letter] = await letters();
    expect(letter).toMatchObject({ reason: "attempts", attemptCount: 5, event: "PUT" });
    const full = await system.run(system.client.deadLetters.get(letter?.letter as string));
    expect(full.attempts.map(({ node }) => node)).toHaveLength(5);
    expect(new Set(full.attempts.map(({ node }) => node)).size).toBeGreaterThan(2);
    expect(await itemsOf(hold)).toEqual(["two"]);
  });

  it("tells the attempts that failed in the actor's history", async () => {
    await start();
    broken.add("one");
    await put(hold, "one");
    const history = await system.run(system.client.history(hold.ref("a")));
    expect(history).toMatchObject([{ outcome: "failed", event: "PUT" }]);
  });

  it("fires timers that came due meanwhile after the messages that were sent before", async () => {
    await start();
    broken.add("one");
    await system.run(system.client.send(hold.ref("a"), { type: "REMIND", ms: 10_000 }));
    await put(hold, "one", "two");
    await system.advance(20_000);
    expect(await itemsOf(hold)).toEqual([]);
    broken.clear();
    await system.advance(minute);
    expect(await itemsOf(hold)).toEqual(["one", "two", "reminded"]);
  });

  it("keeps large messages whole", async () => {
    await start();
    broken.add("one");
    const ballast = "x".repeat(300_000);
    for (const item of ["one", "two"])
      await system.run(system.client.send(hold.ref("a"), { type: "PUT", item, ballast }));
    await system.advance(3000);
    expect(waitingOf(hold)).toMatchObject([{ body: true, attemptCount: 1 }, { body: true }]);
    await replaceNode();
    broken.clear();
    await system.advance(minute);
    expect(await itemsOf(hold)).toEqual(["one", "two"]);
    await system.advance(5000);
    expect(system.broker.records("core", "sw.test.core.*.wait.>")).toEqual([]);
  });

  it("waits for a short delay in memory, and writes nothing for what stands behind", async () => {
    await start();
    broken.add("one");
    await put(brief, "one", "two", "three");
    broken.clear();
    await system.advance(1000);
    expect(await itemsOf(brief)).toEqual(["one", "two", "three"]);
    expect(system.nodes[0]?.stats().counters).toMatchObject({ retries: 1, waiting: 0 });
  });

  it("asks for an answer by who waits for it, however long it takes", async () => {
    await start();
    broken.add("one");
    await put(hold, "one");
    const answer = system.client.ask(hold.ref("a"), { type: "PUT", item: "two" }, { timeout: "5 minutes" });
    answer.catch(() => {});
    await system.advance(3000);
    broken.clear();
    const { outcome, view } = await system.run(answer);
    expect([outcome, view.context.items]).toEqual(["applied", ["one", "two"]]);
  });
});

describe("order: overtake", () => {
  it("lets later messages go on while one waits for its next attempt", async () => {
    await start();
    broken.add("one").add("three");
    await put(overtake, "zero", "one", "two", "three", "four");
    expect(await itemsOf(overtake)).toEqual(["zero", "two", "four"]);
    expect(Object.keys(stateOf(overtake).waiting?.retries ?? {})).toHaveLength(2);
    broken.delete("three");
    await replaceNode();
    await system.advance(minute);
    expect(await itemsOf(overtake)).toEqual(["zero", "two", "four", "three"]);
    broken.clear();
    await system.advance(minute);
    expect(await itemsOf(overtake)).toEqual(["zero", "two", "four", "three", "one"]);
    expect(stateOf(overtake).waiting).toBeUndefined();
  });

  it("holds the others when very many of its messages fail, so that its state does not grow without end", async () => {
    await start();
    const bad = Array.from({ length: 230 }, (_, i) => `bad ${i}`);
    for (const item of bad) broken.add(item);
    await put(overtake, ...bad, "good");
    await system.advance(2000);
    expect(await itemsOf(overtake)).toBeUndefined();
    expect(Object.keys(stateOf(overtake).waiting?.retries ?? {})).toHaveLength(201);
    broken.clear();
    await system.advance(3 * minute);
    expect([...((await itemsOf(overtake)) ?? [])].sort()).toEqual([...bad, "good"].sort());
  });
});

describe("records of messages that have waited", () => {
  it("go while others of the same actor wait still", async () => {
    await start();
    broken.add("long").add("one").add("two");
    await put(overtake, "long", "one", "two");
    broken.delete("one");
    broken.delete("two");
    await system.advance(minute);
    expect([...((await itemsOf(overtake)) ?? [])].sort()).toEqual(["one", "two"]);
    await system.advance(3000);
    expect(waitingOf(overtake)).toMatchObject([{ envelope: { event: { item: "long" } } }]);
  });

  it("go when the owner died before it could remove them", async () => {
    await start({ settings: { purgeMs: 5 * minute } });
    broken.add("one");
    await put(hold, "one");
    broken.clear();
    await system.advance(minute);
    expect(await itemsOf(hold)).toEqual(["one"]);
    system.nodes.at(-1)?.crash();
    expect(waitingOf(hold)).toHaveLength(1);
    await system.startNode();
    await system.advance(6 * minute);
    expect(waitingOf(hold)).toEqual([]);
  });
});

describe("onExhausted: park", () => {
  async function parked(): Promise<string> {
    await start();
    broken.add("one");
    await put(park, "zero", "one", "two");
    await system.advance(minute);
    await put(park, "three");
    const [letter] = await letters();
    return letter?.letter as string;
  }

  it("takes no further message until the letter is redriven, and then all in order", async () => {
    const letter = await parked();
    expect(await itemsOf(park)).toEqual(["zero"]);
    await replaceNode();
    await put(park, "four");
    await system.advance(3 * minute);
    expect(await itemsOf(park)).toEqual(["zero"]);
    expect(stateOf(park).waiting?.parked).toMatchObject({ letter });
    broken.clear();
    await system.run(system.client.deadLetters.redrive(letter));
    await system.advance(2000);
    expect(await itemsOf(park)).toEqual(["zero", "one", "two", "three", "four"]);
    await system.advance(5000);
    expect(stateOf(park).waiting).toBeUndefined();
    expect(waitingOf(park)).toEqual([]);
  });

  it("is parked again by the same letter when it fails again", async () => {
    const letter = await parked();
    await system.run(system.client.deadLetters.redrive(letter));
    await system.advance(2 * minute);
    expect(await letters()).toMatchObject([{ letter, attemptCount: 4, redrives: 1 }]);
    expect(await itemsOf(park)).toEqual(["zero"]);
    expect(stateOf(park).waiting?.parked).toMatchObject({ letter });
  });

  it("stays parked when what is to let it go on dies of whatever, such as on a node that does not know its type", async () => {
    await start();
    broken.add("one");
    await put(park, "zero", "one", "two");
    await system.advance(2 * minute);
    const [letter] = await letters();
    system.nodes.at(-1)?.crash();
    const stranger = await system.startNode({ actors: [brief] });
    await system.advance(5000);
    await system.run(system.client.deadLetters.redrive(letter?.letter ?? ""));
    await system.advance(2000);
    expect(await letters()).toMatchObject([{ letter: letter?.letter, reason: "unknown-type", parks: true }]);
    broken.clear();
    stranger.crash();
    await system.startNode();
    await system.advance(5000);
    await system.run(system.client.deadLetters.redrive(letter?.letter ?? ""));
    await system.advance(1000);
    expect(await itemsOf(park)).toEqual(["zero", "one", "two"]);
  });

  it("goes on without the message when the letter is dropped", async () => {
    const letter = await parked();
    await system.run(system.client.deadLetters.drop(letter, { note: "not worth it" }));
    await system.advance(2000);
    expect(await itemsOf(park)).toEqual(["zero", "two", "three"]);
  });

  it("goes on when its line is interrupted by crashes at any time", async () => {
    const letter = await parked();
    const more = Array.from({ length: 300 }, (_, i) => `more ${i}`);
    await put(park, ...more);
    broken.clear();
    await system.run(system.client.deadLetters.redrive(letter));
    for (let count = 1; count <= 3; count++) {
      system.nodes.at(-1)?.crashAt("commit.after", count);
      await system.startNode();
      await system.advance(4000);
    }
    await system.advance(minute);
    expect(await itemsOf(park)).toEqual(["zero", "one", "two", "three", ...more]);
  });

  it("leaves other actors alone", async () => {
    await parked();
    await put(hold, "free");
    expect(await itemsOf(hold)).toEqual(["free"]);
  });

  it("is chosen by event type", async () => {
    await start();
    broken.add("one");
    await system.run(system.client.send(mixed.ref("a"), { type: "LATE", item: "one" }));
    await put(mixed, "two");
    expect(await itemsOf(mixed)).toBeUndefined();
    expect(await letters()).toMatchObject([{ attemptCount: 1 }]);
    expect(stateOf(mixed).waiting?.parked).toBeDefined();
  });
});

describe("onExhausted: stop", () => {
  it("ends the actor with the error, and its later messages are ignored", async () => {
    await start();
    broken.add("one");
    await put(stop, "zero", "one", "two");
    const view = await system.run(system.client.get(stop.ref("a")));
    expect(view).toMatchObject({ status: "error", context: { items: ["zero"] } });
    expect((await system.run(system.client.history(stop.ref("a")))).map(({ outcome }) => outcome)).toEqual([
      "applied",
      "dead",
      "ignored",
    ]);
  });
});

describe("errors that say themselves when to try again", () => {
  it("are followed: a delay of their own, and none at all", async () => {
    const told = { after: 0, isTerminal: false, count: 0 };
    const fussy = defineActor("fussy", {
      machine: setup({ types: { context: {} as { items: string[] }, events: {} as ListEvent } }).createMachine({
        context: { items: [] },
        on: {
          PUT: {
            actions: assign(() => {
              told.count++;
              if (told.isTerminal) throw new TerminalError("Never.");
              if (told.count === 1) throw new RetryableError("Later.", { retryAfter: told.after });
              return { items: ["put"] };
            }),
          },
        },
      }),
      retry: delay,
    });
    await start({ actors: [fussy] });
    told.after = 10 * minute;
    await system.run(system.client.send(fussy.ref("a"), { type: "PUT", item: "x" }));
    await system.advance(9 * minute);
    expect(told.count).toBe(1);
    await system.advance(2 * minute);
    expect(told.count).toBe(2);
    told.isTerminal = true;
    await system.run(system.client.send(fussy.ref("a"), { type: "PUT", item: "y" }));
    await system.advance(1000);
    expect(await letters()).toMatchObject([{ reason: "terminal", attemptCount: 1 }]);
  });
});

it("an answer to a key is remembered until its own commit, whatever became of an earlier message with the key", () => {
  const lane = new Lane("l", { type: "overtake", id: "a" }, 0, "s", undefined);
  const decision = (outcome: Decision["outcome"], more: object) =>
    ({ outcome, key: "k", head: absentHead, ...more }) as Decision;
  lane.push(decision("failed", {}));
  lane.inFlight = lane.decided.splice(0);
  lane.push(decision("applied", { answerJson: "yes" }));
  lane.confirm(7);
  expect(lane.pendingKeys.get("k")).toBe("yes");
  lane.inFlight = lane.decided.splice(0);
  lane.confirm(8);
  expect(lane.pendingKeys.size).toBe(0);
});

it("a redriven message whose state is loaded again while its letter is read is not judged by the state before", async () => {
  const lane = new Lane("l", { type: "hold", id: "a" }, 0, "s", hold);
  const envelope: Envelope = {
    format: envelopeFormat,
    kind: "event",
    id: "m",
    event: { type: "PUT" },
    sentAt: 0,
    redrive: { letter: "c5", attempts: 1, redrives: 1 },
  };
  const delivery: Delivery = {
    ...untried,
    stream: "core",
    seq: 9,
    subject: "",
    to: lane.address,
    sender: undefined,
    data: encodeEnvelope(envelope),
    unaddressable: undefined,
  };
  let answer = (): void => {};
  const read = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const woken: Lane[] = [];
  const context = { log: { last: () => read }, subjects, time: { now: () => 0 }, telemetry: { tell() {} } };
  const failures = new Failures(
    context as never,
    (each) => woken.push(each),
    () => {},
  );
  lane.phase = "ready";
  lane.head = { ...absentHead, snapshotJson: "before" };
  lane.queue = [delivery];
  expect(failures.failed(lane, delivery, new TerminalError("never"))).toBe("wait");
  lane.invalidate();
  lane.head = { ...absentHead, snapshotJson: "after" };
  // It waits again, for something else.
  lane.phase = "waiting";
  answer();
  await read;
  expect([delivery.verdict, lane.phase, woken]).toEqual([undefined, "waiting", []]);
});

describe("a timer of what waits that comes late", () => {
  it("is dropped also where the actor's state is of an earlier version of its machine", async () => {
    const older = defineActor("aged", { machine: versioned("1"), retry: delay });
    await start({ actors: [older], nodes: 0, settings: { checkpointMs: 600_000 } });
    await system.startNode({ actors: [older] });
    broken.add("one");
    await put(older, "one");
    broken.clear();
    await system.advance(minute);
    expect(await itemsOf(older)).toEqual(["one"]);
    // No checkpoint says that the timer was handled.
    system.nodes.at(-1)?.crash();
    const migrate = { "1->2": ({ value, context }: StateToMigrate) => ({ value, context }) };
    await system.startNode({ actors: [defineActor("aged", { machine: versioned("2"), retry: delay, migrate })] });
    await system.advance(5000);
    await put(older, "two");
    expect(await itemsOf(older)).toEqual(["one", "two"]);
    expect(stateOf(older).machine).toMatchObject({ version: "2" });
  });

  it("is dropped also on a node that does not know the actor's type", async () => {
    const events: string[] = [];
    await start({ settings: { checkpointMs: 600_000 }, onEvent: ({ name }) => events.push(name) });
    broken.add("one");
    await put(hold, "one");
    broken.clear();
    await system.advance(minute);
    system.nodes.at(-1)?.crash();
    const node = await system.startNode({ actors: [brief] });
    await system.advance(5000);
    expect(events).not.toContain("timer.waits");
    expect(node.stats().counters.timersStale).toBe(1);
  });

  it("comes again when the clock was set back after it had come, for a message that holds the others, too", () => {
    const lane = new Lane("l", { type: "hold", id: "a" }, 0, "s", undefined);
    const timer: Delivery = {
      ...untried,
      stream: "core",
      seq: 0,
      timer: "r9-2",
      subject: "",
      to: lane.address,
      sender: undefined,
      data: new Uint8Array(),
      unaddressable: undefined,
    };
    lane.phase = "ready";
    lane.head = {
      ...absentHead,
      waiting: { from: 10, next: 10, retries: { 9: { at: 5000, attempt: 2, hold: true } } },
    };
    lane.queue = [timer];
    const again: number[] = [];
    const backlog = { letGo: () => {}, hold: () => {} };
    const host = { backlog, postpone: (_: Lane, _timer: Delivery, ms: number) => again.push(ms), rested: () => {} };
    const room = new WaitingRoom({ time: { now: () => 4400, after: () => () => {} } } as never, host as never);
    expect(room.turn(lane, timer)).toBe("next");
    room.moved(lane);
    expect([lane.queue, lane.aside, again]).toEqual([[], [], [600]]);
  });
});

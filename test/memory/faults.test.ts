import { describe, expect, test } from "vitest";
import { faultKinds } from "../../runtime/memory/faults.ts";
import { createMemoryBroker } from "../../runtime/memory/memory-broker.ts";
import { VirtualTime } from "../../runtime/memory/virtual-time.ts";
import { all, bytes, firstSeqOf, observe, record, text } from "../contract/observe.ts";
import { letter, mail, mails, simulate, state } from "./simulate.ts";

const always = () => true;
const timeoutMs = 5_000;
const unavailable = { _tag: "LogUnavailableError" };

describe("an append can", () => {
  test("be stored although its answer is lost", async () => {
    const { time, broker, ended } = simulate();
    const { log } = broker.connect();
    broker.faults.next("append", always, "lost-answer");
    expect(await ended(log.append("core", [letter("m")]))).toMatchObject({ _tag: "TryAgain", mayBeStored: true });
    expect(time.elapsed()).toBeGreaterThanOrEqual(timeoutMs);
    expect(broker.records("core").map(text)).toEqual(["m"]);
    expect(broker.faults.counts["append.lost-answer"]).toBe(1);
  });

  test("be lost on its way, with the same answer", async () => {
    const { time, broker, ended } = simulate();
    const { log } = broker.connect();
    broker.faults.next("append", always, "lost-request");
    expect(await ended(log.append("core", [letter("m")]))).toMatchObject({ _tag: "TryAgain", mayBeStored: true });
    await time.advance(100_000);
    expect(broker.records("core")).toEqual([]);
  });

  test("be stored after its timeout was answered, so that not finding it proves nothing", async () => {
    const { time, broker, ended } = simulate();
    const { log } = broker.connect();
    broker.faults.next("append", always, "late", 3_000);
    expect(await ended(log.append("core", [letter("m")]))).toMatchObject({ _tag: "TryAgain", mayBeStored: true });
    expect(await ended(log.last("core", mail("m")))).toBeUndefined();
    await time.advance(3_000);
    expect(text(await ended(log.last("core", mail("m"))))).toBe("m");
  });

  test("come too late for its expectation", async () => {
    const { time, broker, ended } = simulate();
    const { log } = broker.connect();
    broker.faults.next("append", always, "late", 3_000);
    await ended(log.append("core", [record(state("a"), "late", 0), letter("late")]));
    firstSeqOf(await ended(log.append("core", [record(state("a"), "again", 0)])));
    await time.advance(10_000);
    expect(broker.journal("core").map(text)).toEqual(["again"]);
  });

  test("be refused for no reason, and is not stored then", async () => {
    const { time, broker, ended } = simulate();
    const { log } = broker.connect();
    broker.faults.next("append", (records) => records[0]?.subject === mail("n"), "refused");
    firstSeqOf(await ended(log.append("core", [letter("m")])));
    expect(await ended(log.append("core", [letter("n")]))).toMatchObject({ _tag: "TryAgain", mayBeStored: false });
    expect(time.elapsed()).toBeLessThan(100);
    firstSeqOf(await ended(log.append("core", [letter("n")])));
    expect(broker.records("core").map(text)).toEqual(["m", "n"]);
  });

  test("find the stream full for a while", async () => {
    const { time, broker, ended } = simulate();
    const [{ log }, { log: other }] = [broker.connect(), broker.connect()];
    broker.faults.next("append", always, "full", 1_000);
    expect(await ended(log.append("core", [letter("m")]))).toMatchObject({ _tag: "Full" });
    expect(await ended(other.append("core", [letter("m")]))).toMatchObject({ _tag: "Full" });
    firstSeqOf(await ended(log.append("ingress", [letter("m")])));
    await time.advance(1_000);
    firstSeqOf(await ended(log.append("core", [letter("m")])));
    expect(broker.faults.counts["append.full"]).toBe(2);
  });

  test("be slow without being overtaken by the next of its process", async () => {
    let delayed = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const { time, broker } = simulate({ seed });
      const { log } = broker.connect();
      broker.faults.next("append", (records) => records.length === 2, "delay", 200);
      void log.append("core", [letter("m"), letter("n")]);
      void log.append("core", [letter("o")]);
      await time.advance(100);
      if (broker.records("core").length === 0) delayed++;
      await time.settle();
      expect(broker.records("core").map(text)).toEqual(["m", "n", "o"]);
    }
    // Half of the delays are on the way there, half on the way back.
    expect(delayed).toBeGreaterThan(3);
    expect(delayed).toBeLessThan(17);
  });

  test("be refused whole by a stream that is really full, until something is purged", async () => {
    const { broker, ended } = simulate({ maxSizeBytes: { core: 1_000 } });
    const { log } = broker.connect();
    const large = (message: string) => record(mail(message), "x".repeat(300));
    firstSeqOf(await ended(log.append("core", [large("m"), large("n")])));
    expect(await ended(log.append("core", [record(mail("small"), ""), large("o")]))).toMatchObject({ _tag: "Full" });
    expect(broker.records("core")).toHaveLength(2);
    await ended(log.purge("core", mail("m")));
    expect(firstSeqOf(await ended(log.append("core", [large("o")])))).toBe(3);
  });
});

describe("a read can", () => {
  test("stall, and then deliver everything in order", async () => {
    const { time, broker } = simulate();
    const { log } = broker.connect();
    broker.faults.next("read", (next) => next.subject === mail("m2"), "stall", 2_000);
    const seen = observe(log, "core", [mails]);
    for (let i = 1; i <= 4; i++) {
      void log.append("core", [letter(`m${i}`)]);
      await time.advance(10);
    }
    await time.advance(1_000);
    expect(seen.texts()).toEqual(["m1"]);
    await time.advance(2_000);
    expect(seen.texts()).toEqual(["m1", "m2", "m3", "m4"]);
    expect(broker.faults.counts["read.stall"]).toBe(1);
  });

  test("show the first records of an append before the rest", async () => {
    let prefixes = 0;
    for (let seed = 1; seed <= 30; seed++) {
      const { time, broker } = simulate({ seed });
      const { log } = broker.connect();
      const seen = observe(log, "core", [mails]);
      await time.settle();
      void log.append("core", [letter("a"), letter("b"), letter("c"), letter("d")]);
      await time.runUntil(() => seen.records.length > 0);
      if (seen.records.length < 4) prefixes++;
      await time.settle();
      expect(seen.texts()).toEqual(["a", "b", "c", "d"]);
    }
    expect(prefixes).toBeGreaterThan(5);
  });

  test("be late or fail when it asks for the last record", async () => {
    const { time, broker, ended } = simulate();
    const { log } = broker.connect();
    broker.faults.next("last", (subjects) => subjects.length === 2, "unavailable");
    broker.faults.next("last", always, "delay", 700);
    expect(await ended(log.last("core", state("a")))).toBeUndefined();
    expect(time.elapsed()).toBeGreaterThan(700);
    await expect(ended(log.lastMany("core", [state("a"), state("b")]))).rejects.toMatchObject(unavailable);
  });

  test("see many last records at different instants", async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 60; seed++) {
      const { broker, ended } = simulate({ seed });
      const { log } = broker.connect();
      void broker.connect().log.append("core", [record(state("a"), "1"), record(state("b"), "1")]);
      const found = await ended(log.lastMany("core", [state("a"), state("b")]));
      seen.add(found.map((each) => text(each) ?? "-").join(""));
    }
    expect([...seen].sort()).toEqual(["--", "-1", "1-", "11"]);
  });

  test("miss the newest records in a scan, or fail", async () => {
    const { time, broker, ended } = simulate();
    const { log } = broker.connect();
    await ended(log.append("core", [letter("old")]));
    await time.advance(1_000);
    await ended(log.append("core", [letter("new")]));
    const scan = () => ended(all(log.scan("core", mails)));
    broker.faults.next("scan", always, "stale", 500);
    expect((await scan()).map(text)).toEqual(["old"]);
    expect((await scan()).map(text)).toEqual(["old", "new"]);
    broker.faults.next("scan", always, "unavailable");
    await expect(scan()).rejects.toMatchObject(unavailable);
  });
});

test("a purge can be done although its answer is lost, be slow, or fail", async () => {
  const { time, broker, ended } = simulate();
  const { log } = broker.connect();
  await ended(log.append("core", [letter("a"), letter("b")]));
  broker.faults.next("purge", always, "unavailable");
  await expect(ended(log.purge("core", mail("a")))).rejects.toMatchObject(unavailable);
  expect(broker.records("core")).toHaveLength(2);
  broker.faults.next("purge", always, "lost-answer");
  await expect(ended(log.purge("core", mail("a")))).rejects.toMatchObject(unavailable);
  expect(broker.records("core").map(text)).toEqual(["b"]);
  broker.faults.next("purge", always, "delay", 900);
  const startMs = time.elapsed();
  expect(await ended(log.purge("core", mails))).toBe(1);
  expect(time.elapsed() - startMs).toBeGreaterThan(900);
  expect(broker.journal("core").map(text)).toEqual(["a", "b"]);
});

test("a signal can be lost, duplicated or late", async () => {
  const { time, broker } = simulate();
  const { log } = broker.connect();
  const got: string[] = [];
  log.listen("s.*", (_, data) => got.push(text({ data }) as string));
  broker.faults.next("signal", always, "lost");
  broker.faults.next("signal", always, "duplicated");
  broker.faults.next("signal", always, "delay", 400);
  for (const name of ["lost", "twice", "late", "last"]) log.signal("s.1", bytes(name));
  await time.settle();
  expect(got).toEqual(["twice", "twice", "last", "late"]);
});

test("a pull can lose its tasks, and an acknowledgement be lost: both come back after their visibility", async () => {
  const { broker, ended } = simulate();
  const { log, workQueue } = broker.connect();
  const queue = await ended(workQueue.open({ name: "q", filter: mails, visibilityMs: 1_000 }));
  await ended(log.append("core", [letter("a")]));
  broker.faults.next("pull", always, "lost-answer");
  expect(await ended(queue.pull(1, 100))).toEqual([]);
  const [second] = await ended(queue.pull(1, 2_000));
  expect(second?.delivery).toBe(2);
  broker.faults.next("ack", always, "lost");
  second?.ack();
  const [third] = await ended(queue.pull(1, 2_000));
  expect(third?.delivery).toBe(3);
  third?.ack();
  expect(await ended(queue.pull(1, 5_000))).toEqual([]);
});

test("tasks come back out of order", async () => {
  const orders = new Set<string>();
  for (let seed = 1; seed <= 20; seed++) {
    const { broker, ended } = simulate({ seed });
    const { log, workQueue } = broker.connect();
    const queue = await ended(workQueue.open({ name: "q", filter: mails }));
    await ended(log.append("core", ["a", "b", "c", "d"].map(letter)));
    for (const task of await ended(queue.pull(2, 100))) task.nak();
    await ended(log.flush());
    orders.add((await ended(queue.pull(4, 100))).map(text).join(""));
  }
  expect(orders.size).toBeGreaterThan(3);
});

test("a late acknowledgement takes the task from its new holder", async () => {
  const { time, broker, ended } = simulate();
  const { log, workQueue } = broker.connect();
  const queue = await ended(workQueue.open({ name: "q", filter: mails, visibilityMs: 1_000 }));
  await ended(log.append("core", [letter("a")]));
  const [first] = await ended(queue.pull(1, 100));
  const [second] = await ended(queue.pull(1, 2_000));
  first?.ack();
  await time.settle();
  second?.nak();
  expect(await ended(queue.pull(1, 5_000))).toEqual([]);
});

describe("faults by chance", () => {
  test("all happen, and are counted, until they are healed", async () => {
    const plan = Object.fromEntries(
      Object.entries(faultKinds).map(([operation, kinds]) => [
        operation,
        Object.fromEntries(kinds.map((kind) => [kind, 0.08])),
      ]),
    );
    const { time, broker } = simulate({
      faults: plan,
      faultDurations: { fullMs: [1, 2], stallMs: [1, 20], delayMs: [1, 20] },
    });
    const { log, workQueue } = broker.connect();
    observe(log, "core", [mails]);
    log.listen("s.>", () => {});
    const ignore = () => {};
    const opened = workQueue.open({ name: "q", filter: mails });
    await time.settle();
    const queue = await opened;
    for (let i = 0; i < 400; i++) {
      log.append("core", [letter(`m${i}`)]).then(ignore, ignore);
      log.last("core", state("a")).then(ignore, ignore);
      all(log.scan("core", mail("m1"))).then(ignore, ignore);
      log.purge("core", mail("none")).then(ignore, ignore);
      log.signal("s.1", bytes("s"));
      queue.pull(1, 10).then((tasks) => {
        for (const task of tasks) task.ack();
      }, ignore);
      await time.advance(20);
    }
    await time.advance(60_000);
    for (const [operation, kinds] of Object.entries(faultKinds)) {
      for (const kind of kinds)
        expect(broker.faults.counts[`${operation}.${kind}`], `${operation}.${kind}`).toBeGreaterThan(5);
    }
    expect(broker.faults.counts["append.late"]).toBeLessThan(64);
    broker.faults.heal();
    const before = { ...broker.faults.counts };
    for (let i = 0; i < 50; i++) void log.append("core", [letter(`n${i}`)]);
    await time.advance(1_000);
    expect(broker.faults.counts).toEqual(before);
  });

  test("are refused when they are unknown or add up to more than one", () => {
    const create = (faults: object) => () => createMemoryBroker({ faults });
    expect(create({ append: { late: 0.6, refused: 0.6 } })).toThrow(/"append" add up to 1.2/);
    expect(create({ append: { never: 0.1 } })).toThrow(/"append.never" is not known/);
    expect(create({ write: {} })).toThrow(/"write" is no operation/);
  });
});

describe("a run", () => {
  /** Two processes that count up the same subjects, with everything going wrong. */
  const run = async (seed: number) => {
    const time = new VirtualTime({ seed });
    const faults = {
      append: { late: 0.05, "lost-answer": 0.05, "lost-request": 0.05, refused: 0.1, delay: 0.1 },
      read: { stall: 0.05, delay: 0.1 },
      last: { delay: 0.1, unavailable: 0.1 },
    };
    const broker = createMemoryBroker({ time, faults });
    const seen = ["one", "two"].map((name) => {
      const { log } = broker.connect(name);
      void (async () => {
        for (let i = 0; i < 15; i++) {
          const subject = state(`${i % 3}`);
          const last = await log.last("core", subject).catch(() => undefined);
          await log.append("core", [record(subject, `${name}${i}`, last?.seq ?? 0), letter(`${name}${i}`)]);
        }
      })();
      return observe(log, "core", ["sw.sim.core.>"]);
    });
    await time.advance(60_000);
    const journal = broker.journal("core").map((each) => `${each.seq} ${each.subject} ${text(each)} ${each.timeMs}`);
    return { trace: time.trace, events: time.events, journal, seen, counts: broker.faults.counts };
  };

  test("is the same for the same seed, and another for another", async () => {
    const traces = new Set<string>();
    for (let seed = 1; seed <= 25; seed++) {
      const [first, second] = [await run(seed), await run(seed)];
      expect([second.trace, second.events, second.counts]).toEqual([first.trace, first.events, first.counts]);
      expect(second.journal).toEqual(first.journal);
      traces.add(first.trace);
    }
    expect(traces.size).toBe(25);
  });

  test("keeps what the log promises, whatever goes wrong", async () => {
    for (let seed = 100; seed < 150; seed++) {
      const { journal, seen, counts } = await run(seed);
      const expected = journal.map((line) => Number(line.split(" ")[0]));
      expect(expected).toEqual(expected.map((_, i) => i + 1));
      // Every state record is followed by the letter of its append.
      for (let i = 0; i < journal.length; i += 2) {
        expect(journal[i + 1]?.split(" ")[2]).toBe(journal[i]?.split(" ")[2]);
      }
      for (const each of seen) expect(each.records.map((one) => one.seq)).toEqual(expected);
      expect(Object.values(counts).reduce((sum, count) => sum + count)).toBeGreaterThan(5);
    }
  });
});

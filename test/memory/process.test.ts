import { describe, expect, test } from "vitest";
import { createMemoryBroker } from "../../runtime/memory/memory-broker.ts";
import { eventually } from "../contract/eventually.ts";
import { all, bytes, firstSeqOf, observe, record, text } from "../contract/observe.ts";
import { letter, mail, mails, simulate, state } from "./simulate.ts";

describe("a process that dies", () => {
  test("gets no answer, no record, no signal and no timer any more", async () => {
    const { time, broker, settles } = simulate();
    const doomed = broker.connect("doomed");
    const { log } = broker.connect("witness");
    const seen = observe(doomed.log, "core", [mails]);
    const heard: string[] = [];
    doomed.log.listen("s", () => heard.push("signal"));
    doomed.time.after(50, () => heard.push("timer"));
    await time.settle();
    const calls = [
      doomed.log.append("core", [letter("mine")]),
      doomed.log.last("core", state("a")),
      doomed.log.purge("core", mail("none")),
      doomed.log.flush(),
      all(doomed.log.scan("core", mails)),
    ];
    doomed.sever();
    void log.append("core", [letter("theirs")]);
    log.signal("s", bytes("s"));
    calls.push(doomed.log.last("core", state("a")));
    for (const call of calls) expect(await settles(call)).toBe(false);
    expect([seen.records, heard]).toEqual([[], []]);
    expect(broker.records("core").map(text)).toContain("theirs");
    expect(broker.faults.counts["process.sever"]).toBe(1);
  });

  test("leaves an append on its way that is stored whole or not at all", async () => {
    const sizes = new Set<number>();
    for (let seed = 1; seed <= 30; seed++) {
      const { time, broker } = simulate({ seed });
      const doomed = broker.connect();
      void doomed.log.append("core", [letter("a"), letter("b"), letter("c")]);
      doomed.sever();
      await time.settle();
      sizes.add(broker.records("core").length);
    }
    expect([...sizes].sort()).toEqual([0, 3]);
  });

  test("sends nothing afterwards", async () => {
    const { time, broker } = simulate();
    const doomed = broker.connect();
    doomed.sever();
    void doomed.log.append("core", [letter("a")]);
    await time.advance(100_000);
    expect(broker.journal("core")).toEqual([]);
  });

  test("leaves its tasks to others after their visibility", async () => {
    const { time, broker, ended } = simulate();
    const [doomed, other] = [broker.connect(), broker.connect()];
    const options = { name: "q", filter: mails, visibilityMs: 1_000 };
    const dying = await ended(doomed.workQueue.open(options));
    const queue = await ended(other.workQueue.open(options));
    await ended(other.log.append("core", [letter("a")]));
    const [held] = await ended(dying.pull(1, 100));
    doomed.sever();
    held?.ack();
    const startMs = time.elapsed();
    const [task] = await ended(queue.pull(1, 10_000));
    expect([text(task), task?.delivery]).toEqual(["a", 2]);
    expect(time.elapsed() - startMs).toBeGreaterThan(900);
  });
});

describe("a frozen process", () => {
  test("hears nothing until it is thawed, and then everything in order", async () => {
    const { time, broker } = simulate();
    const sleeper = broker.connect("sleeper");
    const { log } = broker.connect();
    const heard: string[] = [];
    const seen = observe(sleeper.log, "core", [mails], { seq: 1 }, (each) => heard.push(`record ${text(each)}`));
    sleeper.log.listen("s", (_, data) => heard.push(`signal ${text({ data })}`));
    await time.settle();
    void sleeper.log.last("core", state("a")).then(() => heard.push("answer"));
    await time.advance(0.5);
    sleeper.freeze();
    sleeper.time.after(100, () => heard.push("timer"));
    for (let i = 0; i < 5; i++) {
      void log.append("core", [letter(`m${i}`)]);
      log.signal("s", bytes(`${i}`));
    }
    await time.advance(2_000);
    expect(heard).toEqual([]);
    const thawedMs = time.elapsed();
    sleeper.thaw();
    await time.settle();
    const of = (kind: string) => heard.filter((each) => each.startsWith(kind));
    expect(seen.texts()).toEqual(["m0", "m1", "m2", "m3", "m4"]);
    expect(of("signal")).toEqual(["signal 0", "signal 1", "signal 2", "signal 3", "signal 4"]);
    expect([of("timer").length, of("answer").length]).toEqual([1, 1]);
    expect(time.elapsed() - thawedMs).toBeLessThan(20);
  });

  test("sends what it had to send when it is thawed, and loses to whoever was faster", async () => {
    const { time, broker, ended } = simulate();
    const [zombie, heir] = [broker.connect(), broker.connect()];
    zombie.freeze();
    const late = zombie.log.append("core", [record(state("a"), "zombie", 0)]);
    firstSeqOf(await ended(heir.log.append("core", [record(state("a"), "heir", 0)])));
    await time.advance(1_000);
    expect(broker.records("core").map(text)).toEqual(["heir"]);
    zombie.thaw();
    expect(await ended(late)).toMatchObject({ _tag: "Conflict" });
  });

  test("may take an answer that waited longer than its timeout either way", async () => {
    const answers = new Set<string>();
    for (let seed = 1; seed <= 20; seed++) {
      const { time, broker, ended } = simulate({ seed });
      const sleeper = broker.connect();
      const call = sleeper.log.append("core", [letter("a")]);
      await time.runUntil(() => broker.records("core").length === 1);
      sleeper.freeze();
      await time.advance(30_000);
      sleeper.thaw();
      answers.add((await ended(call))._tag);
    }
    expect([...answers].sort()).toEqual(["Appended", "TryAgain"]);
  });
});

describe("a process without network", () => {
  test("knows nothing about its appends, reads nothing, and goes on where it was when the network is back", async () => {
    const { time, broker, ended } = simulate();
    const island = broker.connect("island");
    const { log } = broker.connect();
    const seen = observe(island.log, "core", [mails]);
    await time.settle();
    island.cut();
    let rung = 0;
    island.time.after(10, () => rung++);
    await ended(log.append("core", [letter("a")]));
    expect(await ended(island.log.append("core", [letter("b")]))).toMatchObject({
      _tag: "TryAgain",
      mayBeStored: true,
    });
    await expect(ended(island.log.last("core", mail("a")))).rejects.toMatchObject({ _tag: "LogUnavailableError" });
    await expect(ended(island.log.flush())).rejects.toMatchObject({ _tag: "LogUnavailableError" });
    expect([seen.texts(), rung]).toEqual([[], 1]);
    island.mend();
    await ended(log.append("core", [letter("c")]));
    await time.settle();
    expect(seen.texts()).toEqual(["a", "c"]);
  });
});

describe("a restart of the broker", () => {
  test("loses the answers on their way, keeps what is stored, and readers go on", async () => {
    const tags = new Set<string>();
    for (let seed = 1; seed <= 20; seed++) {
      const { time, broker, ended } = simulate({ seed });
      const { log } = broker.connect();
      const seen = observe(log, "core", [mails]);
      await time.settle();
      const call = log.append("core", [letter("a")]);
      await time.runUntil(() => broker.records("core").length === 1);
      broker.restart(3_000);
      tags.add((await ended(call))._tag);
      firstSeqOf(await ended(log.append("core", [letter("b")])));
      await time.settle();
      expect(seen.texts()).toEqual(["a", "b"]);
      expect(seen.errors).toEqual([]);
    }
    expect([...tags]).toEqual(["TryAgain"]);
  });

  test("may forget acknowledgements", async () => {
    let forgotten = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const { time, broker, ended } = simulate({ seed });
      const { log, workQueue } = broker.connect();
      const queue = await ended(workQueue.open({ name: "q", filter: mails }));
      await ended(log.append("core", [letter("a")]));
      for (const task of await ended(queue.pull(1, 100))) task.ack();
      await time.settle();
      broker.restart();
      await time.settle();
      forgotten += (await ended(queue.pull(1, 100))).length;
    }
    expect(forgotten).toBeGreaterThan(3);
    expect(forgotten).toBeLessThan(17);
  });
});

test("a stream that was deleted and created again ends its readers and has another identity", async () => {
  const { time, broker, ended } = simulate();
  const { log } = broker.connect();
  const seen = observe(log, "core", [mails]);
  await ended(log.append("core", [letter("a")]));
  const before = await ended(log.state("core"));
  await time.settle();
  broker.recreate("core");
  await ended(log.append("core", [letter("b")]));
  await time.settle();
  const after = await ended(log.state("core"));
  expect(after.identity).not.toBe(before.identity);
  expect([after.lastSeq, seen.texts()]).toEqual([1, ["a"]]);
  expect(seen.errors).toMatchObject([{ _tag: "SpaceIdentityError" }]);
});

describe("the books of the broker", () => {
  test("tell what is stored now and what ever was", async () => {
    const { broker, ended } = simulate({ historyDepth: 1 });
    const { log } = broker.connect();
    for (const id of ["1", "2", "3"]) await ended(log.append("core", [record(state("a"), id), letter(id)]));
    await ended(log.purge("core", mails, 5));
    expect(broker.records("core").map(text)).toEqual(["3", "3"]);
    expect(broker.records("core", mails).map((each) => each.seq)).toEqual([6]);
    expect(broker.journal("core").map((each) => each.seq)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(broker.journal("core", "sw.*.core.0.state.>").map(text)).toEqual(["1", "2", "3"]);
    expect(broker.journal("ingress")).toEqual([]);
  });

  test("are not kept when told so", async () => {
    const broker = createMemoryBroker({ keepJournal: false });
    await broker.connect().log.append("core", [letter("a")]);
    expect(broker.journal("core")).toEqual([]);
    expect(broker.records("core")).toHaveLength(1);
  });
});

describe("in real time", () => {
  test("an append that nobody waits for is stored within the call", () => {
    const broker = createMemoryBroker();
    void broker.connect().log.append("core", [letter("a")]);
    expect(broker.records("core")).toHaveLength(1);
  });

  test("a loop of awaited appends leaves readers their turn", async () => {
    const { log } = createMemoryBroker().connect();
    const seen = observe(log, "core", [mails]);
    for (let i = 0; i < 50; i++) await log.append("core", [letter(`m${i}`)]);
    expect(seen.records.length).toBeGreaterThan(40);
    await eventually(() => expect(seen.records).toHaveLength(50));
  });

  test("no timer is left over", async () => {
    const timers = () => process.getActiveResourcesInfo().filter((each) => each === "Timeout").length;
    const before = timers();
    const { log, workQueue } = createMemoryBroker().connect();
    observe(log, "core", [mails]);
    const queue = await workQueue.open({ name: "q", filter: mails });
    await log.append("core", [letter("a")]);
    for (const task of await queue.pull(1, 1_000)) task.ack();
    await log.purge("core", mails);
    await log.close();
    expect(timers()).toBeLessThanOrEqual(before);
  });
});

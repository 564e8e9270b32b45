/** What a partition keeps of its timers, when it fires them, and which records it removes. */
import { describe, expect, it } from "vitest";
import { encodeRecord, recordFormat } from "../../runtime/core/records.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import type { Time } from "../../runtime/core/time.ts";
import type { NodeContext } from "../../runtime/engine/context.ts";
import { noFaults } from "../../runtime/engine/faults.ts";
import type { NearTimer } from "../../runtime/engine/near-timers.ts";
import { type NodeEvent, Telemetry } from "../../runtime/engine/telemetry.ts";
import { type TimerMarks, Timers } from "../../runtime/engine/timers.ts";
import { createMemoryBroker } from "../../runtime/memory/memory-broker.ts";
import { VirtualTime } from "../../runtime/memory/virtual-time.ts";

const subjects = new Subjects("test");
const partition = 3;
const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** A broker, and owners of one partition that note what they deliver. */
function world(seed = 1) {
  const time = new VirtualTime({ seed });
  const broker = createMemoryBroker({ time });
  const start = time.now();
  const connection = broker.connect("owner");
  const events: NodeEvent[] = [];

  const store = async (id: string, timer: string, atMs: number, data?: Uint8Array): Promise<number> => {
    const subject = subjects.timer(partition, { type: "order", id }, timer, atMs);
    const appended = connection.log.append("core", [
      { subject, data: data ?? encodeRecord({ format: recordFormat, at: atMs } as { format: number }) },
    ]);
    await time.settle();
    const result = await appended;
    return result._tag === "Appended" ? result.firstSeq : 0;
  };

  const own = async (
    options: {
      readonly checkpoint?: TimerMarks;
      readonly skewMs?: () => number;
      readonly deliver?: (timer: NearTimer) => boolean;
      readonly hasRoom?: () => boolean;
      readonly isHeld?: boolean;
      readonly stopAfterMs?: number;
    } = {},
  ) => {
    const fired: Array<{ readonly id: string; readonly timer: string; readonly atMs: number }> = [];
    const filters: string[] = [];
    const skewed: Time = { ...connection.time, now: () => connection.time.now() + (options.skewMs?.() ?? 0) };
    const log = new Proxy(connection.log, {
      get: (target, name) => {
        const member = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        return (...given: unknown[]) => {
          if (name === "next" || name === "purge") filters.push(`${name} ${String(given[1])}`);
          return member.apply(target, given);
        };
      },
    });
    const context: NodeContext = {
      node: "owner",
      owner: "owner:1",
      spaceName: "test",
      partitions: 4,
      subjects,
      log,
      time: skewed,
      random: () => time.random.next(),
      definitions: new Map(),
      settings: {} as NodeContext["settings"],
      telemetry: new Telemetry((event) => events.push(event)),
      fault: noFaults,
    };
    const timers: Timers = new Timers(partition, context, {
      deliver: (timer) => {
        fired.push({ id: timer.of.id, timer: timer.timer, atMs: skewed.now() });
        return options.deliver?.(timer) ?? true;
      },
      hasRoom: options.hasRoom ?? (() => true),
    });
    const opened = timers.open(options.checkpoint ?? {});
    const reader = log.read("core", {
      filters: [subjects.timersOfPartition(partition)],
      from: { seq: timers.seenSeq + 1 },
      onRecord: (record) => timers.seen(record),
      onError: () => {},
    });
    if (options.stopAfterMs !== undefined) time.after(options.stopAfterMs, () => timers.stop());
    let isOpen = false;
    void opened.then(() => {
      isOpen = true;
    });
    await time.runUntil(() => isOpen);
    await time.advance(20);
    if (options.isHeld !== true) timers.release();
    await time.advance(1);
    const handle = (id: string, timer: string, atMs: number): void =>
      timers.handled(subjects.timer(partition, { type: "order", id }, timer, atMs));
    return { timers, fired, filters, reader, handle };
  };
  const stored = (): string[] =>
    broker.records("core", subjects.timersOfPartition(partition)).map((record) => record.subject);
  return { time, broker, start, store, own, stored, events };
}

const names = (fired: ReadonlyArray<{ readonly id: string; readonly timer: string }>): string[] =>
  fired.map(({ id, timer }) => `${id}.${timer}`);

describe("a timer that is set while its partition is owned", () => {
  it("fires when it is due, whether it was committed here or read", async () => {
    const { time, store, own, start } = world();
    const { timers, fired } = await own();
    timers.set("order.a", { type: "order", id: "a" }, "1", start + 5000);
    await store("b", "1", start + 7000);
    await time.advance(10_000);
    expect(fired).toEqual([
      { id: "a", timer: "1", atMs: start + 5000 },
      { id: "b", timer: "1", atMs: start + 7000 },
    ]);
  });

  it("is kept once when it is both committed here and read, and costs nothing when it was handled before it is read", async () => {
    const { time, store, own, start } = world();
    const { timers, fired, handle, reader } = await own();
    timers.set("order.a", { type: "order", id: "a" }, "1", start + 1000);
    await store("a", "1", start + 1000);
    await time.advance(1500);
    reader.pause();
    timers.set("order.a", { type: "order", id: "a" }, "2", start + 2000);
    await time.advance(1000);
    handle("a", "1", start + 1000);
    handle("a", "2", start + 2000);
    await store("a", "2", start + 2000);
    reader.resume();
    await time.advance(1000);
    expect(names(fired)).toEqual(["a.1", "a.2"]);
    expect(timers.near).toBe(0);
  });

  it("is not in memory while it is far, and fires all the same", async () => {
    const { time, store, own, start } = world();
    const { timers, fired } = await own();
    const atMs = start + 3 * hour + 500;
    timers.set("order.a", { type: "order", id: "a" }, "1", atMs);
    await store("a", "1", atMs);
    await time.advance(hour);
    expect(timers.near).toBe(0);
    await time.advance(2 * hour + 1000);
    expect(fired).toEqual([{ id: "a", timer: "1", atMs }]);
  });

  it("leaves memory when a commit has cleared it, but not by a state that may be older than it", async () => {
    const { time, store, own, start } = world();
    const { timers, fired } = await own();
    const seq = await store("a", "1", start + 5000);
    await store("a", "2", start + 5000);
    await time.advance(10);
    timers.keepOnly("order.a", seq, (timer) => timer === "3");
    await time.advance(10_000);
    expect(names(fired)).toEqual(["a.2"]);
  });
});

describe("timers of one actor", () => {
  it("come in the order in which they are due, and in that of their setting when that is the same", async () => {
    const { time, own, store, start } = world();
    for (const [timer, atMs] of [
      ["3", start - 1000],
      ["9", start - 5000],
      ["4", start - 1000],
      ["1", start - 2 * hour],
    ] as const) {
      await store("a", timer, atMs);
    }
    const { fired } = await own({ checkpoint: { timersFrom: start - day } });
    await time.advance(100);
    expect(names(fired)).toEqual(["a.1", "a.9", "a.3", "a.4"]);
  });

  it("do not overtake one that was put back, and do not hold back other actors", async () => {
    const { time, own, start } = world();
    const { timers, fired } = await own();
    for (const [id, timer, atMs] of [
      ["a", "1", 1000],
      ["a", "2", 1005],
      ["b", "1", 1005],
    ] as const) {
      timers.set(`order.${id}`, { type: "order", id }, timer, start + atMs);
    }
    await time.advance(start + 1002 - time.now());
    const subject = subjects.timer(partition, { type: "order", id: "a" }, "1", start + 1000);
    expect(names(fired)).toEqual(["a.1"]);
    timers.postpone(subject);
    await time.advance(10);
    expect(names(fired)).toEqual(["a.1", "b.1"]);
    await time.advance(20);
    expect(names(fired)).toEqual(["a.1", "b.1", "a.1", "a.2"]);
  });

  it("wait in memory while their lane holds enough, and while the node has enough to do", async () => {
    const { time, own, start } = world();
    let isStuck = true;
    let hasRoom = false;
    const { timers, fired } = await own({ deliver: () => !isStuck, hasRoom: () => hasRoom });
    timers.set("order.a", { type: "order", id: "a" }, "1", start + 1000);
    await time.advance(1500);
    expect(fired).toEqual([]);
    hasRoom = true;
    await time.advance(30);
    expect(fired.length).toBe(1);
    await time.advance(3000);
    expect(fired.length).toBeGreaterThan(2);
    expect(fired.length).toBeLessThan(6);
    isStuck = false;
    await time.advance(6000);
    const before = fired.length;
    await time.advance(10_000);
    expect(fired.length).toBe(before);
    expect(timers.near).toBe(1);
    expect(timers.marks.timersFrom).toBe(start + 1000);
  });
});

describe("a takeover", () => {
  it("finds what came due in a year without an owner with a few hundred questions, in the order in which it was due", async () => {
    const { time, store, own, start } = world();
    const due = [
      start - 364 * day,
      start - 100 * day - 5,
      start - 5 * hour,
      start - 3 * minute,
      start - 1,
      start + 900,
    ];
    for (const [i, atMs] of [...due].reverse().entries()) await store(`o${due.length - 1 - i}`, "1", atMs);
    for (let i = 0; i < 50; i++) await store(`far${i}`, "1", start + 300 * day);
    const { fired, filters, timers } = await own({ checkpoint: { timersFrom: start - 365 * day, timersSeq: 56 } });
    await time.advance(5000);
    expect(names(fired)).toEqual(due.map((_, i) => `o${i}.1`));
    expect(filters.length).toBeLessThan(500);
    expect(timers.near).toBe(due.length);
  });

  it("does not look again at what the checkpoint says is handled", async () => {
    const { time, store, own, start } = world();
    await store("handled", "1", start - 2000);
    const seq = await store("open", "1", start - 1000);
    await store("late", "1", start - 3000);
    const { fired } = await own({ checkpoint: { timersFrom: start - 1000, timersSeq: seq } });
    await time.advance(100);
    expect(names(fired).sort()).toEqual(["late.1", "open.1"]);
  });

  it("fires nothing before it is released, and all of it then", async () => {
    const { time, store, own, start } = world();
    await store("a", "1", start - 1000);
    const { fired, timers } = await own({ checkpoint: { timersFrom: start - hour }, isHeld: true });
    await time.advance(20_000);
    expect(fired).toEqual([]);
    timers.release();
    expect(names(fired)).toEqual(["a.1"]);
  });

  it("finds timers that a lagging replica does not show", async () => {
    const { time, store, own, broker, start } = world();
    await store("a", "1", start - 2000);
    await time.advance(5000);
    await store("b", "1", start - 2000);
    await store("c", "1", start - 2000);
    // Only those that were stored long ago, and nothing behind them.
    broker.faults.next("scan", (filter) => filter.includes(".timer."), "stale", 4000);
    const { fired } = await own({ checkpoint: { timersFrom: start - hour, timersSeq: 3 } });
    await time.advance(100);
    expect(broker.faults.counts["scan.stale"]).toBe(1);
    expect(names(fired).sort()).toEqual(["a.1", "b.1", "c.1"]);
  });

  it("goes on when the log cannot be reached for a while", async () => {
    const { time, store, own, broker, start } = world();
    await store("a", "1", start - 2 * hour);
    for (let i = 0; i < 3; i++) broker.faults.next("last", () => true, "unavailable");
    const owned = own({ checkpoint: { timersFrom: start - 3 * hour, timersSeq: 1 }, isHeld: true });
    const { fired, timers } = await owned;
    await time.advance(3000);
    timers.release();
    await time.advance(10);
    expect(names(fired)).toEqual(["a.1"]);
  });
});

describe("a clock that jumps", () => {
  it("forward fires early within a second, also what was far", async () => {
    const { time, store, own, start } = world();
    let skewMs = 0;
    const { fired } = await own({ skewMs: () => skewMs });
    await store("near", "1", start + minute);
    await store("far", "1", start + 30 * day);
    await time.advance(100);
    skewMs = 31 * day;
    await time.advance(1500);
    expect(names(fired)).toEqual(["near.1", "far.1"]);
  });

  it("backward loses nothing: what is near stays near, and all fire when the clock is there", async () => {
    const { time, store, own, start } = world();
    let skewMs = 0;
    const { fired, timers } = await own({ skewMs: () => skewMs });
    await store("near", "1", start + minute);
    await time.advance(100);
    skewMs = -hour;
    await store("soon", "1", start - hour + 10_000);
    await store("later", "1", start + 2 * hour);
    await time.advance(11_000);
    expect(names(fired)).toEqual(["soon.1"]);
    expect(timers.marks.timersFrom).toBeLessThanOrEqual(start - hour + 10_000);
    await time.advance(hour + minute);
    expect(names(fired)).toEqual(["soon.1", "near.1"]);
    await time.advance(2 * hour);
    expect(names(fired)).toEqual(["soon.1", "near.1", "later.1"]);
  });

  it("backward does not hold back timers that are set afterwards, of an actor whose earlier one waits to be delivered again", async () => {
    const { time, own, start } = world();
    let skewMs = 0;
    const { fired, timers } = await own({ skewMs: () => skewMs });
    timers.set("order.a", { type: "order", id: "a" }, "1", start + 1000);
    await time.advance(1500);
    timers.postpone(subjects.timer(partition, { type: "order", id: "a" }, "1", start + 1000));
    skewMs = -hour;
    timers.set("order.a", { type: "order", id: "a" }, "2", start - hour + 5000);
    await time.advance(10_000);
    expect(names(fired)).toEqual(["a.1", "a.2"]);
  });

  it("of the next owner, far behind that of the last one, neither loses timers nor keeps all that is set in memory", async () => {
    const { time, store, own, start } = world();
    await store("a", "1", start + 10 * day);
    // The last owner's clock was a month ahead, so it has fired this one.
    const { fired, timers } = await own({ checkpoint: { timersFrom: start + 30 * day, timersSeq: 1 } });
    await store("b", "1", start + 10_000);
    await store("c", "1", start + 5 * day);
    await time.advance(minute);
    expect(names(fired)).toEqual(["b.1"]);
    expect(timers.near).toBe(1);
    await time.advance(6 * day, { maxEvents: 10_000_000 });
    expect(names(fired)).toEqual(["b.1", "c.1"]);
  });
});

describe("the checkpoint's time", () => {
  it("never passes a timer that is not handled, and moves on with those that are", async () => {
    const { time, own, start } = world();
    const { timers, handle } = await own();
    timers.set("order.a", { type: "order", id: "a" }, "1", start + 10_000);
    timers.set("order.b", { type: "order", id: "b" }, "1", start + 20_000);
    expect(timers.marks.timersFrom).toBe(start + 10_000);
    await time.advance(15_000);
    expect(timers.marks.timersFrom).toBe(start + 10_000);
    timers.postpone(subjects.timer(partition, { type: "order", id: "a" }, "1", start + 10_000), 30_000);
    await time.advance(10_000);
    expect(timers.marks.timersFrom).toBe(start + 10_000);
    handle("a", "1", start + 10_000);
    expect(timers.marks.timersFrom).toBe(start + 20_000);
    handle("b", "1", start + 20_000);
    expect(timers.marks.timersFrom).toBeGreaterThan(start + minute);
  });

  it("stays where loading has come while the log cannot be read", async () => {
    const { time, own, broker, start, store } = world();
    const { timers } = await own();
    broker.faults.set({ last: { unavailable: 1 } });
    await time.advance(10 * minute);
    const from = timers.marks.timersFrom;
    expect(from).toBeLessThanOrEqual(start + 3 * minute);
    await store("a", "1", start + 5 * minute);
    broker.faults.heal();
    await time.advance(minute);
    expect(timers.marks.timersFrom).toBe(start + 5 * minute);
  });
});

describe("an owner that lets go in the middle of loading", () => {
  it("does not say that it knows what it has not seen", async () => {
    const { time, own, store, start, broker } = world();
    await store("a", "1", start - hour);
    broker.faults.set({ last: { delay: 1 } });
    const { timers } = await own({ checkpoint: { timersSeq: 1, timersFrom: start - 2 * hour }, stopAfterMs: 3 });
    await time.advance(10_000);
    expect(timers.marks.timersFrom).toBe(start - 2 * hour);
  });
});

describe("records of past timers", () => {
  it("are removed by bucket when all of it is handled, and not before", async () => {
    const { time, own, store, stored, start } = world();
    const { timers, handle, filters } = await own();
    const at = (n: number): number => start + n * minute + 1000;
    for (const n of [0, 1, 1, 2]) await store(`o${n}`, n === 1 ? String(time.events) : "1", at(n));
    await store("far", "1", start + 10 * day);
    await time.advance(4 * minute);
    handle("o0", "1", at(0));
    handle("o2", "1", at(2));
    const purging = timers.purge();
    await time.advance(100);
    await purging;
    expect(filters.filter((line) => line.startsWith("purge")).length).toBe(2);
    expect(stored().length).toBe(3);
    expect(timers.marks.timersKept).toBe(start + minute);
    for (const subject of stored().filter((each) => each.includes(".o1."))) timers.handled(subject);
    const again = timers.purge();
    await time.advance(100);
    await again;
    expect(stored().length).toBe(1);
    expect(timers.marks.timersKept).toBeGreaterThan(start + 3 * minute);
    expect(timers.marks.timersKept).toBeLessThanOrEqual(timers.marks.timersFrom);
  });

  it("that an owner has not read are not removed by it, and their bucket is removed later", async () => {
    const { time, own, store, stored, start } = world();
    const { timers, handle, reader, fired } = await own();
    await store("a", "1", start + 1000);
    await time.advance(5000);
    handle("a", "1", start + 1000);
    reader.pause();
    await store("late", "1", start + 2000);
    await time.advance(2 * minute);
    const purging = timers.purge();
    await time.advance(100);
    await purging;
    expect(stored()).toHaveLength(1);
    reader.resume();
    await time.advance(100);
    expect(names(fired)).toEqual(["a.1", "late.1"]);
    handle("late", "1", start + 2000);
    const again = timers.purge();
    await time.advance(100);
    await again;
    expect(stored()).toEqual([]);
  });

  it("stay when one of their bucket comes to life while others are removed", async () => {
    const { time, own, store, stored, start, broker } = world();
    const { timers, handle, fired } = await own();
    for (const [id, atMs] of [
      ["a", start + 1000],
      ["open", start + minute + 500],
      ["b", start + 2 * minute + 1000],
    ] as const) {
      await store(id, "1", atMs);
    }
    await time.advance(4 * minute);
    handle("a", "1", start + 1000);
    handle("b", "1", start + 2 * minute + 1000);
    broker.faults.next("purge", () => true, "delay", 300);
    const purging = timers.purge();
    await time.advance(100);
    await store("late", "1", start + 2 * minute + 2000);
    await time.advance(1000);
    await purging;
    expect(names(fired)).toContain("late.1");
    expect(stored()).toEqual(expect.arrayContaining([expect.stringContaining(".late.")]));
    handle("late", "1", start + 2 * minute + 2000);
    handle("open", "1", start + minute + 500);
    const again = timers.purge();
    await time.advance(1000);
    await again;
    expect(stored()).toEqual([]);
  });

  it("that an earlier owner has handled and not removed are removed by the next", async () => {
    const { time, own, store, stored, start } = world();
    for (const atMs of [start - 2 * day, start - 3 * hour, start - 5 * minute]) await store("old", String(atMs), atMs);
    const { timers, fired } = await own({
      checkpoint: { timersSeq: 3, timersFrom: start, timersKept: start - 2 * day - minute },
    });
    for (let i = 0; i < 12; i++) {
      const purging = timers.purge();
      await time.advance(100);
      await purging;
    }
    expect(stored()).toEqual([]);
    expect(fired).toEqual([]);
  });

  it("stay known when removing them failed", async () => {
    const { time, own, store, stored, start, broker } = world();
    const { timers, handle } = await own();
    await store("a", "1", start + 1000);
    await time.advance(2 * minute);
    handle("a", "1", start + 1000);
    broker.faults.next("purge", () => true, "unavailable");
    const failing = timers.purge();
    failing.catch(() => {});
    await time.advance(6000);
    await expect(failing).rejects.toThrow();
    expect(timers.marks.timersKept).toBe(start);
    const purging = timers.purge();
    await time.advance(100);
    await purging;
    expect(stored()).toEqual([]);
  });
});

describe("a record that cannot be read", () => {
  it("fires at the end of its minute, and is told", async () => {
    const { time, own, store, events, start } = world();
    const { fired } = await own();
    await store("a", "1", start + 1000, Buffer.from('{"format":99}'));
    await store("b", "1", start + 1000, Buffer.from('{"format":1,"at":"soon"}'));
    await time.advance(59_000);
    expect(fired).toEqual([]);
    await time.advance(2000);
    expect(names(fired)).toEqual(["a.1", "b.1"]);
    expect(events.map((event) => event.name)).toEqual(["record.unreadable", "record.unreadable"]);
  });
});

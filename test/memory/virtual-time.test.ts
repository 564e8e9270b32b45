import { setImmediate as immediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { sleep } from "../../runtime/core/time.ts";
import { VirtualTime } from "../../runtime/memory/virtual-time.ts";

describe("virtual time", () => {
  test("passes only as far as it is told, and rings every timer at its time", async () => {
    const time = new VirtualTime({ startMs: 1_000 });
    const rung: string[] = [];
    for (const ms of [30, 10, 20, 50]) time.after(ms, () => rung.push(`${ms}@${time.now()}`));
    await time.advance(30);
    expect(rung).toEqual(["10@1010", "20@1020", "30@1030"]);
    expect([time.now(), time.elapsed(), time.pending]).toEqual([1_030, 30, 1]);
    await time.advance(100);
    expect(rung.at(-1)).toBe("50@1050");
    expect(time.now()).toBe(1_130);
  });

  test("runs every promise reaction of an event before the next event", async () => {
    const time = new VirtualTime();
    const steps: string[] = [];
    const walk = async (name: string) => {
      for (let i = 0; i < 30; i++) await Promise.resolve();
      steps.push(name);
    };
    for (let i = 0; i < 200; i++) {
      time.after(i, () => {
        steps.push(`event ${i}`);
        void walk(`reaction ${i}`);
      });
    }
    await time.runUntil("idle");
    expect(steps).toEqual(Array.from({ length: 200 }, (_, i) => [`event ${i}`, `reaction ${i}`]).flat());
  });

  test("waits for callbacks of setImmediate too when told so", async () => {
    const time = new VirtualTime({ drain: "immediates" });
    const steps: string[] = [];
    for (let i = 0; i < 20; i++) {
      time.after(i, async () => {
        for (let hop = 0; hop < 3; hop++) await immediate();
        steps.push(`reaction ${i}`);
      });
      time.after(i + 0.5, () => steps.push(`event ${i}`));
    }
    await time.runUntil("idle");
    expect(steps).toEqual(Array.from({ length: 20 }, (_, i) => [`reaction ${i}`, `event ${i}`]).flat());
  });

  test("lets what is due at the same time happen in an order that the seed decides", async () => {
    const orderOf = async (seed: number) => {
      const time = new VirtualTime({ seed });
      const order: number[] = [];
      for (let i = 0; i < 8; i++) time.after(5, () => order.push(i));
      await time.advance(5);
      return order.join("");
    };
    const orders = await Promise.all([1, 2, 3, 4, 5, 1].map(orderOf));
    expect(orders[5]).toBe(orders[0]);
    expect(new Set(orders).size).toBe(5);
  });

  test("calls what is to come soon after everything else that is due", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const time = new VirtualTime({ seed });
      const order: string[] = [];
      time.soon(() => order.push("soon"));
      for (let i = 0; i < 3; i++) time.after(0, () => order.push("due"));
      await time.settle();
      expect(order).toEqual(["due", "due", "due", "soon"]);
    }
  });

  test("does not ring a cancelled timer, however many there are", async () => {
    const time = new VirtualTime();
    let rung = 0;
    const cancels = Array.from({ length: 2_000 }, (_, i) => time.after(i % 97, () => rung++));
    for (const [i, cancel] of cancels.entries()) if (i % 10 !== 0) cancel();
    cancels[1]?.();
    expect(time.pending).toBe(200);
    await time.runUntil("idle");
    expect([rung, time.pending]).toEqual([200, 0]);
  });

  test("settles when no operation is under way, without ringing later timers", async () => {
    const time = new VirtualTime();
    const happened: string[] = [];
    time.schedule(3, () => happened.push("operation"), "operation");
    time.after(2, () => happened.push("due"));
    time.after(1_000, () => happened.push("late"));
    await time.settle();
    expect(happened).toEqual(["due", "operation"]);
    expect(time.elapsed()).toBe(3);
  });

  test("goes on until a condition holds", async () => {
    const time = new VirtualTime();
    let done = false;
    void sleep(time, 40)
      .then(() => sleep(time, 2))
      .then(() => {
        done = true;
      });
    await time.runUntil(() => done);
    expect(time.elapsed()).toBe(42);
  });

  test("gives up with the seed when nothing is left to happen, or a limit is reached", async () => {
    const time = new VirtualTime({ seed: 77 });
    await expect(time.runUntil(() => false)).rejects.toThrow(/nothing is left to happen .* seed 77/);
    const again = () => time.after(10, again);
    again();
    await expect(time.runUntil("idle", { maxMs: 100 })).rejects.toThrow(/within 100 ms/);
    await expect(time.runUntil("idle", { maxEvents: 5 })).rejects.toThrow(/within 5 events/);
    await expect(time.advance(1_000, { maxEvents: 5 })).rejects.toThrow(/within 5 events/);
  });

  test("rejects with what an event throws, and can go on", async () => {
    const time = new VirtualTime();
    time.after(1, () => {
      throw new Error("broken");
    });
    time.after(2, () => {});
    await expect(time.advance(5)).rejects.toThrow("broken");
    await time.advance(5);
    expect(time.pending).toBe(0);
  });

  test("refuses to pass twice at once", async () => {
    const time = new VirtualTime();
    const first = time.advance(5);
    await expect(time.advance(5)).rejects.toThrow(/Await it first/);
    await first;
  });

  test("has a trace that tells runs apart by events, times and notes", async () => {
    const traceOf = async (delays: number[], note = "") => {
      const time = new VirtualTime();
      for (const ms of delays) time.after(ms, () => {});
      if (note !== "") time.note(note);
      await time.runUntil("idle");
      return time.trace;
    };
    expect(await traceOf([1, 2])).toBe(await traceOf([1, 2]));
    const traces = await Promise.all([
      traceOf([1, 2]),
      traceOf([1, 3]),
      traceOf([1]),
      traceOf([1, 2], "a"),
      traceOf([1, 2], "b"),
    ]);
    expect(new Set(traces).size).toBe(5);
  });
});

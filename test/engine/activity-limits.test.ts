/** Limits of activities hold over all workers, whatever becomes of some of them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ActivityRate, ActivityRun } from "../../actors/define-activity.ts";
import { decodeRecord, type LimitRecord } from "../../runtime/core/records.ts";
import { defineActivity, WorkerWorld } from "./worker-world.ts";

interface Span {
  readonly worker: number;
  readonly key: string;
  readonly startMs: number;
  endMs: number;
  aborted: boolean;
}

interface Limits {
  readonly concurrency?: number;
  readonly rate?: ActivityRate;
  readonly perKey?: { readonly concurrency?: number; readonly rate?: ActivityRate };
}

/** An activity that writes down when its attempts ran; `ms` of the input is how long one takes. */
function recorded(world: WorkerWorld, limits: Limits, spans: Span[], worker = 0) {
  return defineActivity("limited", {
    ...limits,
    ...(limits.perKey === undefined ? {} : { key: (input: { key: string }) => input.key }),
    heartbeat: 2000,
    retry: { maxAttempts: 100 },
    run: async ({ input, signal }: ActivityRun<{ key: string; ms: number }>) => {
      const span: Span = {
        worker,
        key: input.key,
        startMs: world.time.elapsed(),
        endMs: Number.POSITIVE_INFINITY,
        aborted: false,
      };
      spans.push(span);
      signal.addEventListener("abort", () => {
        span.endMs = Math.min(span.endMs, world.time.elapsed());
        span.aborted = true;
      });
      await world.sleep(input.ms);
      span.endMs = Math.min(span.endMs, world.time.elapsed());
      return input.key;
    },
  } as never);
}

/** The most spans that overlap. */
function mostAtOnce(spans: readonly Span[]): number {
  return Math.max(
    0,
    ...spans.map((one) => spans.filter((each) => each.startMs <= one.startMs && each.endMs > one.startMs).length),
  );
}

/** The most spans that start within any `perMs`. */
function mostStarts(spans: readonly Span[], perMs: number): number {
  return Math.max(
    0,
    ...spans.map(
      (one) => spans.filter((each) => each.startMs >= one.startMs && each.startMs < one.startMs + perMs).length,
    ),
  );
}

/** When starts were stored in the log, by limit: `=` is the activity as a whole. */
function storedStarts(world: WorkerWorld): Map<string, number[]> {
  const times = new Map<string, number[]>();
  const before = new Map<string, LimitRecord>();
  for (const { subject, data, timeMs } of world.broker.journal("core", "sw.test.core.space.limit.limited.*")) {
    const record = decodeRecord<LimitRecord>("a limit", data);
    const known = new Map(before.get(subject)?.starts.map(({ id, count }) => [id, count]));
    before.set(subject, record);
    const added = record.starts.reduce((sum, { id, count }) => sum + count - (known.get(id) ?? 0), 0);
    const key = subject.slice(subject.lastIndexOf(".") + 1);
    times.set(key, [...(times.get(key) ?? []), ...Array.from({ length: added }, () => timeMs)]);
  }
  return times;
}

function mostStored(times: readonly number[], perMs: number): number {
  return Math.max(0, ...times.map((one) => times.filter((each) => each >= one && each < one + perMs).length));
}

/** A rate holds where the log confirms starts: the way from there to the handler takes a few milliseconds, never the same. */
const wayMs = 10;

describe("the limits of an activity", () => {
  it("bound how many attempts run at once over all workers", async () => {
    const world = new WorkerWorld();
    const spans: Span[] = [];
    const activity = recorded(world, { concurrency: 3 }, spans);
    const workers = [world.start([activity]), world.start([activity])];
    for (let n = 0; n < 30; n++) await world.ask("limited", { n, data: { key: "k", ms: 100 } });
    await world.until(() => world.results().length === 30);
    expect(mostAtOnce(spans)).toBe(3);
    for (const worker of workers) await worker.stop();
  });

  it("bound how many attempts start within some time over all workers", async () => {
    const world = new WorkerWorld();
    const spans: Span[] = [];
    const activity = recorded(world, { rate: { count: 5, per: 1000 } }, spans);
    const workers = [world.start([activity]), world.start([activity])];
    await world.advance(500);
    const startMs = world.time.elapsed();
    for (let n = 0; n < 40; n++) await world.ask("limited", { n, data: { key: "k", ms: 10 } });
    await world.until(() => world.results().length === 40);
    expect(mostStarts(spans, 1000 - wayMs)).toBe(5);
    // Not more, and not much less either: the 40th starts 7 windows after the first.
    const tookMs = world.time.elapsed() - startMs;
    expect(tookMs).toBeGreaterThan(6900);
    expect(tookMs).toBeLessThan(8500);
    for (const worker of workers) await worker.stop();
  });

  it("are counted by key where a key is given, and one key does not hold up the others", async () => {
    const world = new WorkerWorld();
    const spans: Span[] = [];
    const activity = recorded(world, { perKey: { concurrency: 1 } }, spans);
    const workers = [world.start([activity]), world.start([activity])];
    // More of one key than a worker holds back.
    for (let n = 0; n < 700; n++) await world.ask("limited", { n, data: { key: "busy", ms: 1000 } });
    const startMs = world.time.elapsed();
    for (let n = 700; n < 705; n++) await world.ask("limited", { n, data: { key: `other-${n}`, ms: 10 } });
    await world.until(() => spans.filter(({ key }) => key !== "busy").length === 5);
    expect(world.time.elapsed() - startMs).toBeLessThan(30_000);
    expect(mostAtOnce(spans.filter(({ key }) => key === "busy"))).toBe(1);
    await Promise.all(workers.map((worker) => worker.crash()));
  });

  it("take turns among workers that all have work for the same key", async () => {
    const world = new WorkerWorld();
    const ran = new Map<string, number>();
    const activityOf = (worker: string) =>
      defineActivity("limited", {
        key: () => "k",
        perKey: { concurrency: 1 },
        run: async () => {
          ran.set(worker, (ran.get(worker) ?? 0) + 1);
          await world.sleep(20);
        },
      });
    const workers = ["a", "b", "c"].map((name) => world.start([activityOf(name)]));
    for (let n = 0; n < 120; n++) await world.ask("limited", { n });
    await world.until(() => world.results().length >= 90);
    expect([...ran.keys()].sort()).toEqual(["a", "b", "c"]);
    expect(Math.min(...ran.values())).toBeGreaterThan(5);
    for (const worker of workers) await worker.stop();
  });

  it("give the place of a worker that died to others within its lease, and count its attempt as lost", async () => {
    const world = new WorkerWorld();
    const attempts: number[] = [];
    const activity = defineActivity("limited", {
      heartbeat: 2000,
      key: () => "k",
      perKey: { concurrency: 1 },
      run: async ({ attempt }) => {
        attempts.push(attempt);
        await world.sleep(1000);
      },
    });
    const first = world.start([activity], { workerLeaseMs: 4000 });
    await world.advance(100);
    const second = world.start([activity], { workerLeaseMs: 4000 });
    for (let n = 0; n < 4; n++) await world.ask("limited", { n });
    await world.until(() => attempts.length === 1);
    const victim = first.stats().running === 1 ? first : second;
    const survivor = victim === first ? second : first;
    victim.crash();
    const deathMs = world.time.elapsed();
    await world.until(() => attempts.length === 2);
    expect(world.time.elapsed() - deathMs).toBeLessThan(5500);
    await world.until(() => world.results().length === 4);
    // Tasks that only waited with the dead worker have lost nothing.
    expect(attempts.sort()).toEqual([1, 1, 1, 1, 2]);
    expect(survivor.stats().lost).toBe(1);
    await survivor.stop();
  });

  it("are left by a worker that stops", async () => {
    const world = new WorkerWorld();
    const spans: Span[] = [];
    const activity = recorded(world, { perKey: { concurrency: 1 } }, spans);
    const first = world.start([activity]);
    await world.ask("limited", { n: 1, data: { key: "k", ms: 60_000 } });
    await world.until(() => spans.length === 1);
    await first.stop(10);
    const stoppedMs = world.time.elapsed();
    const second = world.start([activity]);
    await world.until(() => spans.length === 2);
    expect(world.time.elapsed() - stoppedMs).toBeLessThan(500);
    second.crash();
  });

  it("leave nothing behind for keys that are not used any more", async () => {
    const world = new WorkerWorld();
    const spans: Span[] = [];
    const activity = recorded(world, { perKey: { concurrency: 1, rate: { count: 2, per: 5000 } } }, spans);
    const worker = world.start([activity]);
    for (let n = 0; n < 20; n++) await world.ask("limited", { n, data: { key: `k${n}`, ms: 10 } });
    await world.until(() => world.results().length === 20);
    expect(world.records("sw.test.core.space.limit.>").length).toBeGreaterThan(0);
    await world.advance(120_000);
    expect(world.records("sw.test.core.space.limit.>")).toEqual([]);
    // And the next one finds its way again.
    await world.ask("limited", { n: 99, data: { key: "k1", ms: 10 } });
    await world.until(() => world.results().length === 21);
    await worker.stop();
    expect(world.records("sw.test.core.space.worker.>")).toEqual([]);
  });

  it("refuse an attempt whose key is none", async () => {
    const world = new WorkerWorld();
    const worker = world.start([
      defineActivity("limited", {
        key: ({ key }: { key: string }) => key,
        perKey: { concurrency: 1 },
        run: async () => {},
      } as never),
    ]);
    await world.ask("limited", { n: 1, data: { key: 7 } });
    await world.ask("limited", { n: 2, data: null });
    await world.ask("limited", { n: 3, data: { key: "x".repeat(300) } });
    await world.until(() => world.results().length === 3);
    expect(world.results().every(({ outcome }) => "error" in outcome)).toBe(true);
    expect(
      world
        .errors()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(["ActivityValueError", "InvalidNameError", "TypeError"]);
    await worker.stop();
  });

  it("hold in every run, with workers that die, freeze, are cut off or stop, and a broker that misbehaves", async () => {
    const limit = fc.record({
      concurrency: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
      keyed: fc.option(fc.integer({ min: 1, max: 2 }), { nil: undefined }),
      rate: fc.option(fc.record({ count: fc.integer({ min: 1, max: 5 }), per: fc.integer({ min: 100, max: 3000 }) }), {
        nil: undefined,
      }),
      keyedRate: fc.option(
        fc.record({ count: fc.integer({ min: 1, max: 3 }), per: fc.integer({ min: 100, max: 2000 }) }),
        {
          nil: undefined,
        },
      ),
    });
    const event = fc.record({
      afterMs: fc.integer({ min: 0, max: 3000 }),
      kind: fc.constantFrom("crash", "freeze", "cut", "stop", "start", "broker"),
      which: fc.nat(5),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1_000_000),
        limit,
        fc.array(fc.record({ key: fc.constantFrom("a", "b", "c"), ms: fc.integer({ min: 0, max: 1500 }) }), {
          minLength: 1,
          maxLength: 25,
        }),
        fc.array(event, { maxLength: 6 }),
        fc.boolean(),
        async (seed, { concurrency, keyed, rate, keyedRate }, work, events, isFaulty) => {
          const world = new WorkerWorld({
            seed,
            faults: isFaulty
              ? {
                  append: { "lost-answer": 0.03, "lost-request": 0.03, late: 0.02, delay: 0.05 },
                  pull: { "lost-answer": 0.05 },
                  ack: { lost: 0.05 },
                  last: { unavailable: 0.05 },
                }
              : {},
          });
          const spans: Span[] = [];
          const perKey =
            keyed === undefined && keyedRate === undefined
              ? undefined
              : {
                  ...(keyed === undefined ? {} : { concurrency: keyed }),
                  ...(keyedRate === undefined ? {} : { rate: keyedRate }),
                };
          const limits: Limits = {
            ...(concurrency === undefined ? {} : { concurrency }),
            ...(rate === undefined ? {} : { rate }),
            ...(perKey === undefined ? {} : { perKey }),
          };
          const settings = { workerLeaseMs: 3000 };
          let started = 0;
          const workers = new Set<ReturnType<typeof startWorker>>();
          const startWorker = () => {
            const number = ++started;
            const worker = world.start([recorded(world, limits, spans, number)], settings);
            // The handlers of a process that is dead run on in this one: what they do does not count.
            const crash = () => {
              worker.crash();
              for (const span of spans)
                if (span.worker === number) span.endMs = Math.min(span.endMs, world.time.elapsed());
            };
            return { ...worker, crash };
          };
          for (let i = 0; i < 2; i++) workers.add(startWorker());
          for (const [n, data] of work.entries()) await world.ask("limited", { n, data });
          const troubled: Array<() => void> = [];
          // An answer that comes late makes a start late. A process that is frozen or cut off runs what it runs until it finds out.
          let isExempt = isFaulty;
          // The log has a start's time; the handler begins when the answer is there, which takes longer when the broker restarts in between.
          let areStartsLate = false;
          for (const { afterMs, kind, which } of events) {
            await world.advance(afterMs);
            const worker = [...workers][which % workers.size];
            if (kind === "broker") {
              areStartsLate = true;
              world.broker.restart(200);
            } else if (kind === "start" || worker === undefined) workers.add(startWorker());
            else if (kind === "crash") {
              worker.crash();
              workers.delete(worker);
            } else if (kind === "stop") {
              workers.delete(worker);
              // One that is frozen stops when it is thawed.
              worker.stopping(500).catch(() => {});
            } else {
              isExempt = true;
              if (kind === "freeze") worker.freeze();
              else worker.cut();
              troubled.push(() => (kind === "freeze" ? worker.thaw() : worker.mend()));
            }
          }
          await world.advance(5000);
          for (const heal of troubled) heal();
          if (workers.size === 0) workers.add(startWorker());
          world.broker.faults.heal();
          await world.until(() => new Set(world.results().map(({ n }) => n)).size === work.length, 600_000);
          expect(world.results()).toHaveLength(work.length);
          for (const [key, times] of storedStarts(world)) {
            const limit = key === "=" ? rate : keyedRate;
            // The log's times are whole milliseconds.
            if (limit !== undefined) expect(mostStored(times, limit.per - 1)).toBeLessThanOrEqual(limit.count);
          }
          if (!isExempt) {
            if (rate !== undefined && !areStartsLate)
              expect(mostStarts(spans, rate.per - wayMs)).toBeLessThanOrEqual(rate.count);
            if (concurrency !== undefined) expect(mostAtOnce(spans)).toBeLessThanOrEqual(concurrency);
            for (const key of ["a", "b", "c"]) {
              const ofKey = spans.filter((span) => span.key === key);
              if (keyed !== undefined) expect(mostAtOnce(ofKey)).toBeLessThanOrEqual(keyed);
              if (keyedRate !== undefined && !areStartsLate)
                expect(mostStarts(ofKey, keyedRate.per - wayMs)).toBeLessThanOrEqual(keyedRate.count);
            }
          }
          for (const worker of workers) worker.crash();
        },
      ),
      // The same runs every time; more of them, and others each time, with STATEWRIGHT_SEEDS.
      process.env.STATEWRIGHT_SEEDS === undefined
        ? { numRuns: 150, seed: 1 }
        : { numRuns: Number(process.env.STATEWRIGHT_SEEDS), endOnFailure: true },
    );
  }, 120_000);
});

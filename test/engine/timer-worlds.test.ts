/**
 * Timers in random worlds: set, cancelled, chained and failing, while nodes crash, freeze, lose the network, own one partition together and have
 * clocks that jump, and the broker does what it may. Judged from what is in the log, against the plainest model: every timer that was set and not
 * cancelled before rings exactly once, not before it is due; every other one never.
 *
 * `STATEWRIGHT_SEEDS` sets how many worlds there are (a two-hundredth of it), `STATEWRIGHT_SEED` where drawing begins.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assign, cancel, enqueueActions, setup } from "xstate";
import { defineActor } from "../../actors/define-actor.ts";
import { formatAddress, partitionOf } from "../../runtime/core/address.ts";
import { encodeEnvelope, envelopeFormat } from "../../runtime/core/envelope.ts";
import { decodeRecord, type SpaceRecord, type StateRecord } from "../../runtime/core/records.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import { ActorNode } from "../../runtime/engine/node.ts";
import type { Log } from "../../runtime/log/log.ts";
import { createMemoryBroker, type MemoryConnection } from "../../runtime/memory/memory-broker.ts";
import { VirtualTime } from "../../runtime/memory/virtual-time.ts";
import { faultDurations, timeoutMs, weathers } from "../invariants/weather.ts";
import { wrapLog } from "../invariants/wrap-log.ts";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

type Ring = { readonly type: "RING"; readonly uid: string; readonly left: number; readonly delay: number };
type Events =
  | Ring
  | { readonly type: "SET"; readonly uid: string; readonly left: number; readonly delay: number }
  | { readonly type: "STOP"; readonly uid: string }
  | { readonly type: "NOTE" };

/** How often a timer fails before it can ring, by the end of its uid; the machine's own memory would be thrown away with the attempt. */
const failures = new Map<string, number>();
const maxAttempts = 4;

function failing(uid: string): void {
  const planned = /f(\d+)\+*$/.exec(uid)?.[1];
  if (planned === undefined) return;
  const failed = failures.get(uid) ?? 0;
  if (failed >= Number(planned)) return;
  failures.set(uid, failed + 1);
  throw new Error("Not yet.");
}

const alarm = defineActor("alarm", {
  machine: setup({
    types: { context: {} as { readonly log: readonly string[] }, events: {} as Events },
  }).createMachine({
    id: "alarm",
    context: { log: [] },
    on: {
      SET: {
        actions: [
          assign({ log: ({ context, event }) => [...context.log, `set ${event.uid} ${event.delay}`] }),
          enqueueActions(({ enqueue, event: { uid, left, delay } }) => {
            enqueue.raise({ type: "RING", uid, left, delay }, { id: uid, delay });
          }),
        ],
      },
      STOP: {
        actions: [
          assign({ log: ({ context, event }) => [...context.log, `stop ${event.uid}`] }),
          cancel(({ event }) => event.uid),
        ],
      },
      NOTE: { actions: assign({ log: ({ context }) => [...context.log, "note"] }) },
      RING: {
        actions: [
          assign({
            log: ({ context, event }) => {
              failing(event.uid);
              const next = event.left > 0 ? ` ${event.delay}` : "";
              return [...context.log, `rung ${event.uid}${next}`];
            },
          }),
          enqueueActions(({ enqueue, event: { uid, left, delay } }) => {
            if (left > 0) {
              enqueue.raise({ type: "RING", uid: `${uid}+`, left: left - 1, delay }, { id: `${uid}+`, delay });
            }
          }),
        ],
      },
    },
  }),
  retry: { base: 50, factor: 2, jitter: "none", maxAttempts },
});

type Step =
  | { readonly do: "set"; readonly to: number; readonly delay: number; readonly left: number; readonly fails: number }
  | { readonly do: "stop"; readonly nth: number }
  | { readonly do: "note"; readonly to: number; readonly count: number }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "crash" | "start" | "leave"; readonly node: number }
  | { readonly do: "freeze" | "cut" | "deafen"; readonly node: number; readonly ms: number }
  | { readonly do: "clock"; readonly node: number; readonly ms: number }
  /** All nodes crash, and nobody is there for so long. */
  | { readonly do: "night"; readonly ms: number }
  | { readonly do: "restartBroker"; readonly ms: number };

interface Plan {
  readonly seed: number;
  readonly nodes: number;
  readonly actors: number;
  readonly weather: keyof typeof weathers;
  readonly isTight: boolean;
  /** How late nodes hear of the leases of others: so long two may work on one partition. */
  readonly lateMs: number;
  /** Between timers that are set beside those of the steps; 0: none. */
  readonly drizzleMs: number;
  readonly steps: readonly Step[];
}

const small = fc.nat({ max: 5 });
const delays = fc.constantFrom(
  0,
  1,
  30,
  300,
  300,
  2 * second,
  20 * second,
  50 * second,
  3 * minute,
  5 * hour,
  40 * day,
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant("set" as const),
      to: small,
      delay: delays,
      left: fc.constantFrom(0, 0, 0, 2),
      fails: fc.constantFrom(0, 0, 0, 0, 0, 1, 2, 99),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("stop" as const), nth: fc.nat({ max: 30 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("note" as const), to: small, count: fc.constantFrom(1, 3, 12) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(3, 40, 300, 1500, 20_000) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("crash" as const, "leave" as const), node: small }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("start" as const), node: small }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom("freeze" as const, "cut" as const, "deafen" as const),
      node: small,
      ms: fc.constantFrom(300, 2500),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("clock" as const),
      node: small,
      ms: fc.constantFrom(-3 * hour, -5 * minute, -10 * second, 10 * second, 5 * minute, 3 * hour),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("night" as const),
      ms: fc.constantFrom(second, 2 * minute, 6 * hour, 50 * day),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restartBroker" as const), ms: fc.constantFrom(20, 400) }) },
);

const plans: fc.Arbitrary<Plan> = fc.record({
  seed: fc.noShrink(fc.integer({ min: 1, max: 0x7fffffff })),
  nodes: fc.integer({ min: 1, max: 3 }),
  actors: fc.integer({ min: 1, max: 4 }),
  weather: fc.constantFrom("calm" as const, "rough" as const, "rough" as const, "storm" as const),
  isTight: fc.boolean(),
  lateMs: fc.constantFrom(0, 50, 400),
  drizzleMs: fc.constantFrom(0, 60, 150),
  steps: fc.array(step, { minLength: 3, maxLength: 20, size: "max" }),
});

const spaceName = "world";
const subjects = new Subjects(spaceName);
const partitions = 2;
const space: SpaceRecord = {
  format: 1,
  partitions,
  hash: "fnv1a-mix32",
  historyDepth: 16,
  identity: { core: "core", ingress: "ingress" },
};

interface SimNode {
  readonly name: string;
  readonly connection: MemoryConnection;
  readonly node: ActorNode;
  skewMs: number;
  deafUntilMs: number;
  isGone: boolean;
}

/** What a world came to. */
interface Outcome {
  readonly problems: readonly string[];
  readonly counts: Record<string, number>;
}

async function run(plan: Plan): Promise<Outcome> {
  failures.clear();
  const time = new VirtualTime({ seed: plan.seed });
  const broker = createMemoryBroker({
    time,
    historyDepth: space.historyDepth,
    faults: weathers[plan.weather],
    faultDurations,
    timeoutMs,
  });
  const counts: Record<string, number> = {};
  const problems: string[] = [];
  const nodes: SimNode[] = [];
  const client = broker.connect("client");
  const there = (): SimNode[] => nodes.filter((node) => !node.isGone);
  let isNight = false;

  const start = (): void => {
    if (there().length >= 3) return;
    const name = `n${nodes.length}`;
    const connection = broker.connect(name);
    const random = time.random.fork(name);
    const sim: SimNode = {
      name,
      connection,
      skewMs: 0,
      deafUntilMs: 0,
      isGone: false,
      node: new ActorNode({
        log: hearing(() => sim, connection.log),
        spaceName,
        space,
        definitions: [alarm],
        node: name,
        time: { ...connection.time, now: () => connection.time.now() + sim.skewMs },
        random: () => random.next(),
        settings: {
          heartbeatMs: 150,
          leaseMs: 500,
          checkpointMs: plan.isTight ? 60 : 250,
          purgeMs: 400,
          timerPurgeMs: 700,
          ingressGraceMs: 900,
          passivateMs: 4000,
          ...(plan.isTight ? { cacheBytes: 0, maxQueued: 18, maxRecordsPerCommit: 4 } : {}),
        },
        onEvent: (event) => {
          if (["node.failed", "commit.defect", "actor.parked", "record.unreadable"].includes(event.name)) {
            if (!sim.isGone) problems.push(`${name} says ${event.name}: ${event.message}`);
          }
        },
      }),
    };
    nodes.push(sim);
    sim.node.start().catch(() => {
      if (sim.isGone) return;
      crash(sim);
      time.after(100, () => {
        if (!isNight) start();
      });
    });
  };
  const crash = (sim: SimNode): void => {
    if (sim.isGone) return;
    for (const [name, count] of Object.entries(sim.node.stats().counters)) {
      if (typeof count === "number") counts[name] = (counts[name] ?? 0) + count;
    }
    sim.isGone = true;
    sim.connection.sever();
    sim.node.abandon();
  };
  const night = async (ms: number): Promise<void> => {
    isNight = true;
    for (const sim of there()) crash(sim);
    await time.advance(ms);
    isNight = false;
  };

  let sent = 0;
  const send = (to: number, event: object): void => {
    const address = { type: "alarm", id: `a${to % plan.actors}` };
    const id = `m${sent++}`;
    const data = encodeEnvelope({
      format: envelopeFormat,
      kind: "event",
      id,
      event: event as { type: string },
      sentAt: time.now(),
    });
    const subject = subjects.ingress("client", partitionOf(address, partitions), address, id);
    void client.log.append("ingress", [{ subject, data }]);
  };

  const set: Array<{ readonly to: number; readonly uid: string }> = [];
  let isDrizzling = plan.drizzleMs > 0;
  const random = time.random.fork("drizzle");
  let drizzled = 0;
  const drizzle = (): void => {
    if (!isDrizzling || isNight) return;
    const to = random.int(plan.actors);
    const earlier = Math.max(0, drizzled - random.int(8));
    if (random.chance(0.3)) send(to, { type: "STOP", uid: `d${earlier}` });
    else send(to, { type: "SET", uid: `d${drizzled++}`, left: random.int(2), delay: random.int(400) });
    time.after(plan.drizzleMs, drizzle);
  };

  for (let i = 0; i < plan.nodes; i++) start();
  await time.advance(1000);
  drizzle();
  for (const each of plan.steps) {
    switch (each.do) {
      case "set": {
        const uid = `t${set.length}${each.fails > 0 ? `f${each.fails}` : ""}`;
        set.push({ to: each.to, uid });
        send(each.to, { type: "SET", uid, left: each.left, delay: each.delay });
        break;
      }
      case "stop": {
        const timer = set[each.nth % Math.max(1, set.length)];
        if (timer !== undefined) send(timer.to, { type: "STOP", uid: timer.uid });
        break;
      }
      case "note":
        for (let i = 0; i < each.count; i++) send(each.to, { type: "NOTE" });
        break;
      case "wait":
        await time.advance(each.ms);
        break;
      case "start":
        start();
        break;
      case "night":
        await night(each.ms);
        start();
        drizzle();
        break;
      case "restartBroker":
        broker.restart(each.ms);
        break;
      default: {
        const all = there();
        const sim = all[each.node % Math.max(1, all.length)];
        if (sim === undefined) break;
        if (each.do === "crash") crash(sim);
        else if (each.do === "leave") {
          void sim.node.stop().then(() => crash(sim));
        } else if (each.do === "clock") sim.skewMs += each.ms;
        else if (each.do === "deafen") sim.deafUntilMs = time.elapsed() + each.ms;
        else if (each.do === "freeze") {
          sim.connection.freeze();
          time.after(each.ms, () => sim.connection.thaw());
        } else if (each.do === "cut") {
          sim.connection.cut();
          time.after(each.ms, () => sim.connection.mend());
        }
      }
    }
  }
  isDrizzling = false;
  // Once all is well, a single node with a right clock brings it to rest: what is due in days, after days without anyone.
  broker.faults.heal();
  for (let round = 0; round < 4; round++) {
    await time.advance(3000);
    await night(round === 0 ? 0 : 41 * day);
    start();
    await time.advance(round === 3 ? 4 * minute : 6 * second);
  }
  for (const sim of there()) {
    const { pending, queued, nearTimers } = sim.node.stats();
    if (pending + queued + nearTimers > 0) {
      problems.push(`${sim.name} has not come to rest: ${JSON.stringify({ pending, queued, nearTimers })}`);
    }
    crash(sim);
  }
  await time.advance(1000);
  judge(plan, broker.journal("core", subjects.states()), problems);
  for (const { subject } of broker.records("core", "*.*.core.*.timer.>")) problems.push(`${subject} is left over`);
  for (const [name, count] of Object.entries(broker.faults.counts)) counts[name] = count;
  return { problems, counts };

  /** The log of a node: while the node is deaf it hears nothing of the others, and it always hears late of their leases. */
  function hearing(simOf: () => SimNode, log: Log): Log {
    return wrapLog(log, {
      read: (stream, options) => {
        if (!options.filters.includes(subjects.nodes())) return log.read(stream, options);
        const late: (() => void)[] = [];
        let isCaughtUp = false;
        return log.read(stream, {
          ...options,
          onRecord: (record) => {
            const { name, deafUntilMs, connection } = simOf();
            const hear = (): void => options.onRecord(record);
            if (!record.subject.endsWith(".lease")) {
              if (record.subject === subjects.node(name) || connection.time.elapsed() >= deafUntilMs) hear();
            } else if (!isCaughtUp || plan.lateMs === 0) hear();
            else {
              late.push(hear);
              connection.time.after(plan.lateMs, () => late.shift()?.());
            }
          },
          onCaughtUp: () => {
            isCaughtUp = true;
            options.onCaughtUp?.();
          },
        });
      },
    });
  }
}

/** Reads what every actor did from its states, and compares it with what it should have done. */
function judge(
  plan: Plan,
  states: ReturnType<ReturnType<typeof createMemoryBroker>["journal"]>,
  problems: string[],
): void {
  const actors = new Map<string, StateRecord[]>();
  for (const record of states) {
    const address = subjects.parseRecord(record.subject)?.address;
    const name = address === undefined ? record.subject : formatAddress(address);
    const all = actors.get(name) ?? [];
    all.push(decodeRecord<StateRecord>("a state", record.data));
    actors.set(name, all);
  }
  // With one owner at a time that sees everything at once, the timers of an actor come in the order in which they are due.
  const isOrdered =
    plan.weather === "calm" &&
    plan.lateMs === 0 &&
    plan.steps.every(({ do: what }) => !["clock", "cut", "freeze", "deafen", "restartBroker"].includes(what));
  const mayJumpBack = plan.steps.some((each) => each.do === "clock" && each.ms < 0);
  for (const [actor, all] of actors) {
    const last = all[all.length - 1] as StateRecord;
    const { log } = (last.snapshot?.context ?? { log: [] }) as { readonly log: readonly string[] };
    const handled = all.flatMap((record) => record.handled);
    const applied = handled.filter((each) => each.outcome === "applied" || each.outcome === "created");
    const dead = handled.filter((each) => each.outcome === "dead");
    // Of a long commit only the newest are told.
    if (all.some((record) => record.handled.length >= 64)) continue;
    if (applied.length !== log.length) {
      problems.push(`${actor} has applied ${applied.length} messages and logged ${log.length}`);
      continue;
    }
    /** What should still ring, and when it is due. */
    const waiting = new Map<string, number>();
    let hopeless = 0;
    for (const [i, line] of log.entries()) {
      const [verb, uid, delay] = line.split(" ") as [string, string, string | undefined];
      const at = applied[i]?.at ?? 0;
      if (verb === "set") waiting.set(uid, at + Number(delay));
      else if (verb === "stop") waiting.delete(uid);
      else if (verb === "rung") {
        const due = waiting.get(uid);
        if (due === undefined) problems.push(`${actor}: ${uid} has rung although it was not set, or a second time`);
        else if (at < due && !mayJumpBack) problems.push(`${actor}: ${uid} has rung ${due - at} ms early`);
        waiting.delete(uid);
        const earlier = [...waiting].find(([other, otherDue]) => otherDue < (due ?? 0) && !/f99\+*$/.test(other));
        if (isOrdered && earlier !== undefined)
          problems.push(`${actor}: ${uid} has rung before ${earlier[0]}, which was due earlier`);
        if (delay !== undefined) waiting.set(`${uid}+`, at + Number(delay));
      }
    }
    for (const [uid, due] of waiting) {
      // Those that always fail become dead letters.
      if (/f99\+*$/.test(uid)) hopeless++;
      else problems.push(`${actor}: ${uid}, due at ${due}, has never rung`);
    }
    const deadTimers = dead.filter((each) => each.event === "RING").length;
    if (deadTimers < hopeless) problems.push(`${actor}: ${hopeless} timers can never ring, and ${deadTimers} are dead`);
  }
}

describe("timers in random worlds", () => {
  const runs = Math.ceil(Number(process.env.STATEWRIGHT_SEEDS ?? 10_000) / 200);
  const totals: Record<string, number> = {};

  it("ring once, in time, and never when they are cancelled", { timeout: 3_600_000 }, async () => {
    const stack = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    try {
      await fc.assert(
        fc.asyncProperty(plans, async (plan) => {
          const { problems, counts } = await run(plan);
          for (const [name, count] of Object.entries(counts)) totals[name] = (totals[name] ?? 0) + count;
          expect(problems).toEqual([]);
        }),
        { numRuns: runs, seed: Number(process.env.STATEWRIGHT_SEED ?? 1) },
      );
    } finally {
      Error.stackTraceLimit = stack;
    }
  });

  it("meet what can happen to them", () => {
    const rare = [
      "timersFired",
      "timersStale",
      "deadLetters",
      "retries",
      "conflicts",
      "takeovers",
      "scan.stale",
    ].filter((name) => (totals[name] ?? 0) < runs / 20);
    expect(rare).toEqual([]);
  });
});

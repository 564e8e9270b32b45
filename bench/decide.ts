/** What a transition costs without any broker: deciding alone, and with a state that has to be read from storage first. */
import { assign, createActor, setup } from "xstate";
import { defineActor } from "../index.ts";
import { encodeEnvelope } from "../runtime/core/envelope.ts";
import { decide } from "../runtime/engine/decide.ts";
import type { Delivery } from "../runtime/engine/delivery.ts";
import { absentHead, type Head } from "../runtime/engine/head.ts";
import { median, type Result } from "./results.ts";

const transitions = 20_000;

/** Five states, a guard, an assign and a timer; a context of about 1 KB in 14 items. */
const orderMachine = setup({
  types: {
    context: {} as {
      readonly count: number;
      readonly items: ReadonlyArray<{ readonly sku: string; readonly name: string; readonly price: number }>;
    },
    events: {} as { type: "NEXT"; by: number } | { type: "STAY" },
  },
  guards: { isPositive: ({ event }) => event.type === "NEXT" && event.by > 0 },
  actions: { count: assign({ count: ({ context }) => context.count + 1 }) },
}).createMachine({
  id: "order",
  context: {
    count: 0,
    items: Array.from({ length: 14 }, (_, i) => ({
      sku: `sku-${1000 + i}`,
      name: `an item with a longer name ${i}`,
      price: i * 1.5,
    })),
  },
  initial: "open",
  states: {
    open: { on: { NEXT: { guard: "isPositive", target: "placed", actions: "count" } } },
    placed: { on: { NEXT: { guard: "isPositive", target: "paid", actions: "count" } } },
    paid: { on: { NEXT: { guard: "isPositive", target: "shipped", actions: "count" } } },
    shipped: {
      after: { 86400000: "closed" },
      on: { NEXT: { guard: "isPositive", target: "closed", actions: "count" } },
    },
    closed: { on: { NEXT: { guard: "isPositive", target: "open", actions: "count" } } },
  },
});

/** Measures transitions per second of one core; the floor is a live actor of XState that keeps everything in memory. */
export async function measureDecide(_url: string, runs: number, note: (line: string) => void): Promise<Result[]> {
  const rates: Record<"floor" | "cached" | "rehydrated", number[]> = { floor: [], cached: [], rehydrated: [] };
  for (let run = 0; run <= runs; run++) {
    const now = { floor: runLive(), cached: runDecide(false), rehydrated: runDecide(true) };
    note(
      `decide ${run === 0 ? "warm-up" : `run ${run}`}: ${Object.entries(now)
        .map(([name, rate]) => `${name} ${rate.toFixed(0)}/s`)
        .join(", ")}`,
    );
    if (run > 0) for (const name of ["floor", "cached", "rehydrated"] as const) rates[name].push(now[name]);
  }
  const result = (workload: string, name: "cached" | "rehydrated"): Result => ({
    workload,
    subject: "statewright",
    perSecond: Math.round(median(rates[name])),
    ratioToFloor: Number(median(rates[name].map((rate, i) => rate / (rates.floor[i] as number))).toFixed(2)),
  });
  return [
    { workload: "decide", subject: "floor", perSecond: Math.round(median(rates.floor)) },
    result("decide", "cached"),
    result("decide-rehydrate", "rehydrated"),
  ];
}

function runLive(): number {
  const actor = createActor(orderMachine).start();
  const tookMs = cpuMs(() => {
    for (let i = 0; i < transitions; i++) actor.send({ type: "NEXT", by: 1 });
  });
  actor.stop();
  return transitions / (tookMs / 1000);
}

/** Everything that a node does for a message between reading and writing: envelope, state, transition, encoding. */
function runDecide(isRehydrated: boolean): number {
  const definition = defineActor("order", { machine: orderMachine });
  const env = {
    now: 1_700_000_000_000,
    node: "bench",
    space: "bench",
    limits: { maxRecordBytes: 1_000_000, maxRecordsPerAppend: 1000, maxBytesPerAppend: 4_000_000 },
    isReply: () => false,
    pendingKey: () => undefined,
  };
  const to = { type: "order", id: "1" };
  const data = encodeEnvelope({
    format: 1,
    kind: "event",
    id: "m1",
    sentAt: env.now,
    event: { type: "NEXT", by: 1 },
  });
  let head: Head = absentHead;
  const tookMs = cpuMs(() => {
    for (let seq = 1; seq <= transitions; seq++) {
      const delivery = { stream: "ingress", seq, subject: "in", to, sender: "bench", data } as Delivery;
      if (isRehydrated && head.snapshotJson !== undefined && head.status !== "new") {
        head = { ...head, state: definition.driver.fromStored(JSON.parse(head.snapshotJson), head.status) };
      }
      head = decide(definition, head, delivery, env).head;
    }
  });
  return transitions / (tookMs / 1000);
}

/** Time of this process's own, so that what else the machine does is not counted: transitions per second and core. */
function cpuMs(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

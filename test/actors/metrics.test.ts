/** A node's metrics as an OpenTelemetry SDK collects them. */
import { AggregationTemporality, DataPointType, MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { afterEach, describe, expect, it } from "vitest";
import { assign, setup } from "xstate";
import { activitiesFor } from "../../actors/activity-choice.ts";
import { defineActor } from "../../actors/define-actor.ts";
import { globalProvider, type MeasuredNode, metricTable, registerMetrics } from "../../actors/metrics.ts";
import { startNode } from "../../actors/start-node.ts";
import { TerminalError } from "../../runtime/core/errors.ts";
import { ActorNode } from "../../runtime/engine/node.ts";
import { space, World } from "./client-world.ts";

const counter = defineActor("counter", {
  machine: setup({
    types: { context: {} as { sum: number }, events: {} as { type: "ADD"; n: number } },
  }).createMachine({
    id: "counter",
    context: { sum: 0 },
    on: {
      ADD: {
        actions: assign({
          sum: ({ context, event }) => {
            if (event.n < 0) throw new TerminalError("It does not count down.");
            return context.sum + event.n;
          },
        }),
      },
    },
  }),
});

class Collector extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

interface Point {
  readonly value: unknown;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** A provider, and what it has collected by the names of the metrics. */
function makeProvider() {
  const reader = new Collector({
    aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE,
  });
  const provider = new MeterProvider({ readers: [reader] });
  return {
    provider,
    collect: async () => {
      const { resourceMetrics, errors } = await reader.collect();
      expect(errors).toEqual([]);
      const scope = resourceMetrics.scopeMetrics.find((each) => each.scope.name === "statewright");
      return new Map((scope?.metrics ?? []).map((metric) => [metric.descriptor.name, metric]));
    },
  };
}

type Collected = Awaited<ReturnType<ReturnType<typeof makeProvider>["collect"]>>;

function points(collected: Collected, name: string): Point[] {
  return (collected.get(name)?.dataPoints ?? []) as unknown as Point[];
}

/** The value of a metric whose points have an attribute of this value, or of the only point. */
function measured(collected: Collected, name: string, attribute?: unknown): unknown {
  const own = points(collected, name).filter(
    ({ attributes }) => attribute === undefined || Object.values(attributes).includes(attribute as never),
  );
  return own.length === 1 ? own[0]?.value : own.map(({ value }) => value);
}

const cleanups: Array<() => unknown> = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** A node on a log in memory. */
async function startMeasured() {
  const world = new World();
  const { log, time, workQueue } = world.broker.connect("node-1");
  const node = new ActorNode({
    log,
    time,
    spaceName: "test",
    space,
    definitions: [counter],
    work: { activities: activitiesFor([counter], undefined, []), workQueue, ingressLimits: log.limits },
    node: "node-1",
    random: () => 0.5,
  });
  await world.run(node.start());
  cleanups.push(() => node.abandon());

  return { world, node };
}

describe("the metrics of a node", () => {
  it("say what the node has done, each with its name, unit and attributes", async () => {
    const { world, node } = await startMeasured();
    const { provider, collect } = makeProvider();
    registerMetrics(node, provider, { space: "test", node: "node-1" });
    for (const n of [1, 2, 3]) await world.run(world.client.ask(`counter/${n}`, { type: "ADD", n }));
    await world.run(world.client.send("counter/1", { type: "ADD", n: -1 }));
    await world.time.runUntil(() => node.stats().counters.deadLetters === 1);
    const collected = await collect();
    expect(measured(collected, "statewright.messages", "applied")).toBe(3);
    expect(measured(collected, "statewright.messages", "ignored")).toBe(0);
    expect(measured(collected, "statewright.dead_letters", "terminal")).toBe(1);
    expect(measured(collected, "statewright.commits")).toBe(node.stats().counters.commits);
    expect(measured(collected, "statewright.partitions.owned")).toBe(space.partitions);
    expect(
      points(collected, "statewright.mailbox.pending").map(({ attributes }) => attributes["statewright.partition"]),
    ).toEqual(Array.from({ length: space.partitions }, (_, partition) => partition));
    for (const metric of collected.values()) {
      for (const { attributes } of metric.dataPoints)
        expect(attributes).toMatchObject({ "statewright.space": "test", "statewright.node": "node-1" });
    }
    const known = new Map(metricTable.map((entry) => [entry.name, entry]));
    for (const [name, { descriptor, dataPointType, dataPoints }] of collected) {
      const entry = known.get(name);
      expect(descriptor).toMatchObject({ unit: entry?.unit, description: entry?.description });
      const kind = { counter: DataPointType.SUM, gauge: DataPointType.GAUGE, histogram: DataPointType.HISTOGRAM };
      expect([name, dataPointType]).toEqual([name, kind[entry?.kind as "counter"]]);
      const own = new Set(dataPoints.flatMap(({ attributes }) => Object.keys(attributes)));
      const named = ["statewright.space", "statewright.node", ...(entry?.attributes ?? [])];
      expect([...own].sort()).toEqual([...named].sort());
    }
  });

  it("have histograms of every message, commit and size, in seconds and bytes", async () => {
    const { world, node } = await startMeasured();
    const { provider, collect } = makeProvider();
    registerMetrics(node, provider, { space: "test", node: "node-1" });
    for (const n of [1, 2, 3]) await world.run(world.client.ask(`counter/${n}`, { type: "ADD", n }));
    await world.time.runUntil(() => node.stats().counters.applied === 3);
    const collected = await collect();
    const { commits } = node.stats().counters;
    expect(measured(collected, "statewright.message.duration")).toMatchObject({ count: 3 });
    expect(measured(collected, "statewright.commit.size")).toMatchObject({ count: commits });
    const took = measured(collected, "statewright.commit.duration") as { count: number; max: number; min: number };
    expect(took.count).toBe(commits);
    // An append takes 0.2 to 2 ms there and back.
    expect(took.min).toBeGreaterThan(0.0001);
    expect(took.max).toBeLessThan(0.01);
  });

  it("end when they are taken back", async () => {
    const { world, node } = await startMeasured();
    const { provider, collect } = makeProvider();
    const unregister = registerMetrics(node, provider, { space: "test", node: "node-1" });
    await world.run(world.client.ask("counter/1", { type: "ADD", n: 1 }));
    unregister();
    await world.run(world.client.ask("counter/1", { type: "ADD", n: 1 }));
    await world.time.runUntil(() => node.stats().counters.applied === 2);
    const collected = await collect();
    expect(measured(collected, "statewright.message.duration")).toMatchObject({ count: 1 });
    expect(points(collected, "statewright.partitions.owned")).toEqual([]);
  });

  it("cost nothing without a provider: nobody listens to the histograms", () => {
    const telemetry = { sendToCommit: {}, timerLateness: {}, commitTime: {}, commitSize: {} };
    const node = { stats: () => expect.unreachable("nobody asks"), telemetry } as unknown as MeasuredNode;
    registerMetrics(node, globalProvider(), { space: "test", node: "node-1" });
    expect(Object.values(telemetry).every((histogram) => !("onAdd" in histogram))).toBe(true);
  });

  it("go to a provider or nowhere: anything else is refused before the node starts", async () => {
    const starting = startNode({ actors: [counter], metrics: "on" as never });
    await expect(starting).rejects.toThrow('metrics is "on": use a MeterProvider of OpenTelemetry, or "off"');
  });
});

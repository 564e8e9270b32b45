/** Where the metrics of a started node go. */
import { metrics } from "@opentelemetry/api";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createMachine } from "xstate";
import { defineActor } from "../../actors/define-actor.ts";
import { startNode } from "../../actors/start-node.ts";
import { type EmbeddedServer, startEmbeddedServer } from "../../runtime/server/embedded-server.ts";
import { eventually } from "../contract/eventually.ts";

const light = defineActor("light", { machine: createMachine({ id: "light", on: { PRESS: {} } }) });

class Collector extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

let server: EmbeddedServer;
beforeAll(async () => {
  server = await startEmbeddedServer();
});
afterAll(async () => {
  metrics.disable();
  await server?.stop("kill");
});

/** How many partitions the nodes that a reader sees own, by node. */
async function ownedIn(reader: MetricReader): Promise<Record<string, unknown>> {
  const { resourceMetrics } = await reader.collect();
  const all = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  const owned = all.find(({ descriptor }) => descriptor.name === "statewright.partitions.owned");
  return Object.fromEntries((owned?.dataPoints ?? []).map((p) => [p.attributes["statewright.node"], p.value]));
}

const start = (name: string, more: object = {}) =>
  startNode({ servers: server.url, actors: [light], partitions: 2, space: name, name, onEvent: () => {}, ...more });

test("a node gives its metrics to the provider it is given, or else to the global one, until it stops", async () => {
  const [own, global] = [new Collector(), new Collector()];
  const [ownProvider, globalProvider] = [own, global].map((reader) => new MeterProvider({ readers: [reader] }));
  metrics.setGlobalMeterProvider(globalProvider as MeterProvider);
  const nodes = [
    await start("given", { metrics: ownProvider }),
    await start("default"),
    await start("silent", { metrics: "off" }),
  ];
  await eventually(async () => {
    expect(await ownedIn(own)).toEqual({ given: 2 });
    expect(await ownedIn(global)).toEqual({ default: 2 });
  });
  const takenBack = [ownProvider, globalProvider].map((provider) =>
    vi.spyOn((provider as MeterProvider).getMeter("statewright"), "removeBatchObservableCallback"),
  );
  await Promise.all(nodes.map((node) => node.stop()));
  expect(takenBack.map((spy) => spy.mock.calls.length)).toEqual([1, 1]);
});

/**
 * The metrics of a node, for whatever OpenTelemetry provider the process has.
 *
 * 1. One table says what there is; docs/metrics.md shows it.
 * 2. Counters and gauges are read when they are collected, all from one look at the node. Histograms are recorded as things happen, and only into a provider
 *    that does something: without one a node does nothing for its metrics.
 * 3. Attributes have few values: partitions, reasons, outcomes and activities, never actors or messages.
 */
import {
  type Attributes,
  type BatchObservableCallback,
  createNoopMeter,
  type MeterProvider,
  metrics,
  type Observable,
} from "@opentelemetry/api";
import type { ActorNode, NodeStats } from "../runtime/engine/node.ts";
import type { Telemetry } from "../runtime/engine/telemetry.ts";

/** Name of the meter. */
const meterName = "statewright";

/** The histograms of a node by the names of their metrics. */
type HistogramName = "sendToCommit" | "timerLateness" | "commitTime" | "commitSize";

/** A value, with the attributes that tell it from others of the same metric. */
type Observation = readonly [value: number, attributes?: Attributes];

/** A metric. */
export type MetricEntry = {
  readonly name: string;
  /** As UCUM writes it. */
  readonly unit: string;
  readonly description: string;
  /** Beside `statewright.space` and `statewright.node`, which all have. */
  readonly attributes: readonly string[];
} & (
  | { readonly kind: "counter" | "gauge"; readonly read: (stats: NodeStats, nowMs: number) => readonly Observation[] }
  | {
      readonly kind: "histogram";
      readonly of: HistogramName;
      /** What one unit of the node's histogram is in the metric's. */
      readonly scale: number;
      readonly boundaries: readonly number[];
    }
);

const outcome = "statewright.outcome";
const partition = "statewright.partition";
const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const bytes = [256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304];

function counter(
  name: string,
  unit: string,
  description: string,
  read: (counters: NodeStats["counters"]) => readonly Observation[],
  attributes: readonly string[] = [],
): MetricEntry {
  return { kind: "counter", name, unit, description, attributes, read: ({ counters }) => read(counters) };
}

function gauge(
  name: string,
  unit: string,
  description: string,
  read: (stats: NodeStats, nowMs: number) => readonly Observation[],
  attributes: readonly string[] = [],
): MetricEntry {
  return { kind: "gauge", name, unit, description, attributes, read };
}

/** One observation for each name of an object's fields, under an attribute. */
function named<Fields extends object>(
  attribute: string,
  fields: Fields,
  names: Readonly<Partial<Record<keyof Fields, string>>>,
): Observation[] {
  return Object.entries(names).map(([field, name]) => [
    (fields as Readonly<Record<string, number>>)[field] ?? 0,
    { [attribute]: name as string },
  ]);
}

/** All metrics, in the order of docs/metrics.md. */
export const metricTable: readonly MetricEntry[] = [
  counter(
    "statewright.messages",
    "{message}",
    "Messages taken, by outcome. `redelivered`: had been handled before. `waiting`: put in line, and counted again when they are handled. `skipped`: may have been applied by an earlier owner, for an actor that is delivered to at most once.",
    (counters) =>
      named(outcome, counters, {
        applied: "applied",
        ignored: "ignored",
        duplicates: "duplicate",
        redelivered: "redelivered",
        stale: "stale",
        waiting: "waiting",
        skipped: "skipped",
      }),
    [outcome],
  ),
  counter("statewright.retries", "{attempt}", "Failed attempts that were followed by another one.", ({ retries }) => [
    [retries],
  ]),
  counter(
    "statewright.dead_letters",
    "{letter}",
    "Messages that became dead letters, by reason.",
    ({ deadLettersByReason }) =>
      Object.entries(deadLettersByReason).map(([reason, count]) => [count, { "statewright.reason": reason }]),
    ["statewright.reason"],
  ),
  counter("statewright.commits", "{commit}", "Commits that the log has confirmed.", ({ commits }) => [[commits]]),
  counter("statewright.commit.records", "{record}", "Records in those commits.", ({ records }) => [[records]]),
  counter(
    "statewright.commit.retries",
    "{commit}",
    "Commits that were tried again, since their outcome was unknown or the log did not take them.",
    ({ commitRetries }) => [[commitRetries]],
  ),
  counter(
    "statewright.commit.conflicts",
    "{actor}",
    "Actors whose commit was refused since another node had committed: writes of a node that had lost them.",
    ({ conflicts }) => [[conflicts]],
  ),
  counter(
    "statewright.unconfirmed",
    "{message}",
    "Messages of actors that are delivered to at most once, whose append has an unknown outcome.",
    ({ unconfirmed }) => [[unconfirmed]],
  ),
  counter("statewright.state.loads", "{record}", "State records read from the log.", ({ loads }) => [[loads]]),
  counter(
    "statewright.leases",
    "{lease}",
    "Moves of leases of partitions, as this node saw them.",
    (counters) =>
      named("statewright.change", counters, {
        leasesGained: "gained",
        leasesLost: "lost",
        leasesHandedOver: "handed_over",
      }),
    ["statewright.change"],
  ),
  counter(
    "statewright.takeovers",
    "{lease}",
    "Partitions taken over from a node that was still named as their owner.",
    ({ takeovers }) => [[takeovers]],
  ),
  counter(
    "statewright.timers",
    "{timer}",
    "Timers that were due: fired, or not set any more.",
    (counters) => named(outcome, counters, { timersFired: "fired", timersStale: "stale" }),
    [outcome],
  ),
  gauge(
    "statewright.mailbox.pending",
    "{message}",
    "Messages read from the mailboxes of a partition and not handled.",
    ({ mailboxes }) => mailboxes.map((each) => [each.pending, { [partition]: each.partition }]),
    [partition],
  ),
  gauge(
    "statewright.mailbox.oldest_age",
    "s",
    "Since when the oldest of them has been stored; 0 when there is none.",
    ({ mailboxes }, nowMs) =>
      mailboxes.map((each) => [sinceSeconds(each.oldestAt, nowMs), { [partition]: each.partition }]),
    [partition],
  ),
  gauge(
    "statewright.timer.overdue",
    "s",
    "How long a timer of a partition has been overdue; 0 when none is.",
    ({ mailboxes }, nowMs) =>
      mailboxes.map((each) => [sinceSeconds(each.overdueSince, nowMs), { [partition]: each.partition }]),
    [partition],
  ),
  gauge("statewright.timer.near", "{timer}", "Timers that are due within minutes, or overdue.", ({ nearTimers }) => [
    [nearTimers],
  ]),
  gauge("statewright.queued", "{message}", "Messages in memory that are not committed.", ({ queued }) => [[queued]]),
  gauge("statewright.actors.idle", "{actor}", "Actors that are in memory and have nothing to do.", ({ idleActors }) => [
    [idleActors],
  ]),
  gauge("statewright.actors.idle.size", "By", "What their states take.", ({ idleBytes }) => [[idleBytes]]),
  gauge(
    "statewright.actors.unusable",
    "{actor}",
    "Actors that are put aside, since their stored state cannot be used.",
    ({ unusableActors }) => [[unusableActors]],
  ),
  gauge(
    "statewright.actors.parked",
    "{actor}",
    "Actors of the node's partitions that a dead letter parks, as within the last seconds.",
    ({ parkedActors }) => [[parkedActors]],
  ),
  gauge(
    "statewright.letters",
    "{letter}",
    "Dead letters of the node's partitions, and those that are closed and still kept, as within the last seconds.",
    ({ letters }) => named("statewright.status", letters, { dead: "dead", closed: "closed" }),
    ["statewright.status"],
  ),
  gauge("statewright.letters.size", "By", "What they take in the log.", ({ letters }) => [[letters.bytes]]),
  gauge(
    "statewright.letters.oldest_age",
    "s",
    "Since when the oldest dead one has been dead; 0 when there is none.",
    ({ letters }, nowMs) => [[sinceSeconds(letters.oldestAt, nowMs)]],
  ),
  gauge("statewright.partitions.owned", "{partition}", "Partitions that the node owns.", ({ partitions }) => [
    [partitions.length],
  ]),
  gauge(
    "statewright.nodes.alive",
    "{node}",
    "Nodes with actors that show signs of life, as this one sees them.",
    ({ aliveNodes }) => [[aliveNodes.length]],
  ),
  {
    kind: "counter",
    name: "statewright.activity.attempts",
    unit: "{attempt}",
    description: "Attempts of activities, by what became of them; all are `started` first.",
    attributes: [outcome],
    read: ({ activities }) =>
      activities === undefined
        ? []
        : named(outcome, activities, {
            started: "started",
            done: "done",
            failed: "failed",
            timedOut: "timed_out",
            lost: "lost",
            cancelled: "cancelled",
            returned: "returned",
          }),
  },
  gauge("statewright.activity.running", "{attempt}", "Attempts of activities that run now.", ({ activities }) =>
    activities === undefined ? [] : [[activities.running]],
  ),
  gauge("statewright.activity.held", "{task}", "Tasks that were taken and wait for a limit.", ({ activities }) =>
    activities === undefined ? [] : [[activities.held]],
  ),
  gauge(
    "statewright.activity.waiting",
    "{task}",
    "Tasks that no worker has taken yet; the same for all workers of an activity, within ten seconds.",
    ({ activities }) =>
      Object.entries(activities?.waiting ?? {}).map(([activity, tasks]) => [
        tasks,
        { "statewright.activity": activity },
      ]),
    ["statewright.activity"],
  ),
  {
    kind: "histogram",
    name: "statewright.message.duration",
    unit: "s",
    description: "From sending a message to its commit, by the clocks of sender and node.",
    attributes: [],
    of: "sendToCommit",
    scale: 0.001,
    boundaries: seconds,
  },
  {
    kind: "histogram",
    name: "statewright.commit.duration",
    unit: "s",
    description: "From the first append of a commit to its confirmation.",
    attributes: [],
    of: "commitTime",
    scale: 0.001,
    boundaries: seconds,
  },
  {
    kind: "histogram",
    name: "statewright.commit.size",
    unit: "By",
    description: "Bytes of the records of a commit, without subjects and headers.",
    attributes: [],
    of: "commitSize",
    scale: 1,
    boundaries: bytes,
  },
  {
    kind: "histogram",
    name: "statewright.timer.lateness",
    unit: "s",
    description: "From the moment a timer was due to the commit of its decision.",
    attributes: [],
    of: "timerLateness",
    scale: 0.001,
    boundaries: seconds,
  },
];

/** The provider that the process has registered, or one that does nothing. */
export function globalProvider(): MeterProvider {
  return metrics.getMeterProvider();
}

/** A node, as far as its metrics need it. */
export interface MeasuredNode extends Pick<ActorNode, "stats"> {
  readonly telemetry: Pick<Telemetry, HistogramName>;
}

/**
 * Registers a node's metrics with a provider; the returned function takes them back.
 *
 * Gotchas: a provider that is registered globally later does not get them: the API hands out no meters that change. What was collected last stays with
 * some SDKs when it is taken back, until the process ends.
 */
export function registerMetrics(
  node: MeasuredNode,
  provider: MeterProvider,
  attributes: { readonly space: string; readonly node: string },
): () => void {
  const meter = provider.getMeter(meterName);
  if (meter === createNoopMeter()) return () => {};
  const common: Attributes = { "statewright.space": attributes.space, "statewright.node": attributes.node };
  const observed: Array<{
    readonly observable: Observable;
    readonly read: Extract<MetricEntry, { readonly kind: "gauge" | "counter" }>["read"];
  }> = [];
  for (const entry of metricTable) {
    const { name, unit, description } = entry;
    if (entry.kind === "histogram") {
      const { of, scale, boundaries } = entry;
      const advice = { explicitBucketBoundaries: [...boundaries] };
      const histogram = meter.createHistogram(name, { unit, description, advice });
      node.telemetry[of].onAdd = (value) => histogram.record(value * scale, common);
    } else {
      const make = entry.kind === "counter" ? meter.createObservableCounter : meter.createObservableGauge;
      observed.push({ observable: make.call(meter, name, { unit, description }), read: entry.read });
    }
  }
  const observe: BatchObservableCallback = (result) => {
    const stats = node.stats();
    const nowMs = Date.now();
    for (const { observable, read } of observed) {
      for (const [value, own] of read(stats, nowMs)) result.observe(observable, value, { ...common, ...own });
    }
  };
  const observables = observed.map(({ observable }) => observable);
  meter.addBatchObservableCallback(observe, observables);
  return () => {
    meter.removeBatchObservableCallback(observe, observables);
    for (const entry of metricTable) if (entry.kind === "histogram") node.telemetry[entry.of].onAdd = undefined;
  };
}

function sinceSeconds(atMs: number | undefined, nowMs: number): number {
  return atMs === undefined ? 0 : Math.max(0, nowMs - atMs) / 1000;
}

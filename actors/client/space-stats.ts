/**
 * How a whole space is doing: what all nodes say of themselves, put together with what the log says.
 *
 * 1. Nothing is written, and no node is needed: what only a node can know is then said to be unknown.
 * 2. The parts are read one after another while the space works on: each is right, together they are of no single moment.
 * 3. Nodes are asked by signals, which anyone with the permission may answer: what is no number is passed over.
 */

import type { StreamName } from "../../runtime/core/subjects.ts";
import { type Histogram, Latencies, Sizes } from "../../runtime/engine/histogram.ts";
import type { NodeStats } from "../../runtime/engine/node.ts";
import type { PartitionStats } from "../../runtime/engine/partition.ts";
import { type ActivityCounters, type NodeCounters, noActivities, noCounts } from "../../runtime/engine/telemetry.ts";
import type { StreamState } from "../../runtime/log/log.ts";
import { durationMs, refuseProblems, unknownOptions } from "../../runtime/supervise/check-options.ts";
import { untilAborted } from "./aborts.ts";
import type { ClientContext, DurationInput } from "./context.ts";
import { askNodes } from "./queries.ts";
import {
  countWaiting,
  type LetterCounts,
  readLetters,
  readMailbox,
  readNodes,
  readPartitions,
  readStreams,
  type StoredNode,
  type StoredPartition,
} from "./stored-stats.ts";

/** Options of `stats`. */
export interface StatsOptions {
  /** How long nodes have to answer; all of it is waited, since nobody knows how many there are. Default: 500 ms. */
  readonly wait?: DurationInput;
  readonly signal?: AbortSignal;
}

/** A node as the space sees it. */
export interface NodeSummary {
  readonly node: string;
  /** It has answered, or shown a sign of life within its lease. */
  readonly isAlive: boolean;
  /** It has answered. One that is alive and does not answer is busy, of an earlier version, or may not listen to questions. */
  readonly answers: boolean;
  /** What its last sign of life says; undefined for one that only works on activities, which shows none. */
  readonly status: "up" | "leaving" | "gone" | undefined;
  /** When the log stored its last sign of life, milliseconds since 1970. */
  readonly lastSeenAt: number | undefined;
  /** The actor types that it runs. */
  readonly types: readonly string[];
  /** The partitions whose leases name it. */
  readonly partitions: readonly number[];
  /** Messages that it holds in memory and that are not committed. */
  readonly queued: number;
}

/** How far a partition has come. */
export interface PartitionSummary {
  readonly partition: number;
  /** The node that its lease names; undefined: nobody owns it. */
  readonly owner: string | undefined;
  /** Who says so: its owner, or the checkpoint in the log, which is up to a second old and does not know what was handled out of order. */
  readonly source: "owner" | "log";
  /** Messages in its mailbox that are not handled; with the source `log`, at most. */
  readonly depth: number;
  /** How long the oldest of them has been stored, milliseconds; 0 when there is none. */
  readonly oldestMs: number;
  /** How long a timer has been overdue, milliseconds; 0 when none is; undefined when only an owner could know. */
  readonly overdueMs: number | undefined;
}

/** A histogram in three numbers. The quantiles are at most 9 % too high; 0 when there is nothing. */
export interface Quantiles {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
}

/** How a space is doing. Counters and histograms are of the nodes that have answered, since each of them started. */
export interface SpaceStats {
  /** When it was asked for, by the clock of the client, milliseconds since 1970. */
  readonly at: number;
  /** By name, those that are gone included for as long as the space remembers them. */
  readonly nodes: readonly NodeSummary[];
  readonly partitions: readonly PartitionSummary[];
  /** The messages that are in mailboxes and not handled. */
  readonly mailboxes: {
    readonly depth: number;
    /** How long the oldest of them has been stored, milliseconds by the clocks of server and client; 0 when there is none. */
    readonly oldestMs: number;
    /** Partitions whose owner has not answered: their depths are from the log. */
    readonly silent: number;
  };
  /** Messages that wait outside the mailboxes: for another attempt, or for an actor that is parked. At most: those that were handled count until they are removed. Counted up to 10,000. */
  readonly waiting: number;
  readonly letters: LetterCounts;
  /** Actors that take no messages: a dead letter parks them, or their stored state cannot be used (as far as nodes have answered). */
  readonly parkedActors: number;
  readonly timers: {
    /** Timers that are due within minutes, or were and are not handled. */
    readonly near: number;
    /** How long a timer has been overdue, milliseconds; 0 when none is. Of partitions whose owners have answered. */
    readonly overdueMs: number;
  };
  /** Tasks that no worker has taken yet, by activity, as workers that answered have last seen it (within 10 s). */
  readonly activities: Readonly<Record<string, number>>;
  /** Attempts of activities that run now. */
  readonly running: number;
  readonly counters: NodeCounters;
  readonly activityCounters: ActivityCounters;
  /** Milliseconds from sending to the commit. */
  readonly sendToCommitMs: Quantiles;
  /** Milliseconds that a timer's decision was committed after it was due. */
  readonly timerLatenessMs: Quantiles;
  /** Milliseconds that a commit takes. */
  readonly commitMs: Quantiles;
  /** Bytes of a commit. */
  readonly commitBytes: Quantiles;
  readonly streams: Readonly<Record<StreamName, StreamState>>;
}

const defaultWaitMs = 500;
const partitionsAtOnce = 32;

/**
 * Looks at a whole space.
 *
 * Errors: `InvalidOptionsError`, `LogUnavailableError`, `SystemStoppedError`; the signal's reason.
 */
export async function spaceStats(context: ClientContext, options: StatsOptions = {}): Promise<SpaceStats> {
  const problems = unknownOptions(options, ["wait", "signal"], "");
  const { wait = defaultWaitMs, signal } = options;
  const waitMs = durationMs(wait, "wait", problems) ?? defaultWaitMs;
  refuseProblems("Cannot look at the space", problems);
  return untilAborted(gather(context, waitMs, signal), signal);
}

async function gather(context: ClientContext, waitMs: number, signal: AbortSignal | undefined): Promise<SpaceStats> {
  const before = await readNodes(context);
  const [told, waiting] = await Promise.all([
    askNodes(context, { waitMs, ...(signal === undefined ? {} : { signal }) }),
    countWaiting(context),
  ]);
  const answers = told.filter(isUsable);
  const [after, stored, streams] = await Promise.all([
    readNodes(context),
    readPartitions(context),
    readStreams(context),
  ]);
  const letters = lettersOf(answers, stored) ?? (await readLetters(context));
  const at = context.time.now();
  const partitions: PartitionSummary[] = [];
  for (let i = 0; i < stored.length; i += partitionsAtOnce) {
    const some = stored.slice(i, i + partitionsAtOnce);
    partitions.push(...(await Promise.all(some.map((place) => partitionSummary(context, place, answers, at)))));
  }
  const total = (of: (stats: NodeStats) => number | undefined): number =>
    answers.reduce((sum, stats) => sum + count(of(stats)), 0);
  return {
    at,
    nodes: nodeSummaries({ before, after, answers, partitions, at }),
    partitions,
    mailboxes: {
      depth: partitions.reduce((sum, { depth }) => sum + depth, 0),
      oldestMs: Math.max(0, ...partitions.map(({ oldestMs }) => oldestMs)),
      silent: partitions.filter(({ source }) => source === "log").length,
    },
    waiting,
    letters,
    parkedActors: letters.parking + total(({ unusableActors }) => unusableActors),
    timers: {
      near: total(({ nearTimers }) => nearTimers),
      overdueMs: Math.max(0, ...partitions.map(({ overdueMs }) => overdueMs ?? 0)),
    },
    activities: waitingTasks(answers),
    running: total(({ activities }) => activities?.running),
    counters: summed(
      noCounts(),
      answers.map(({ counters }) => counters),
    ),
    activityCounters: summed(
      noActivities(),
      answers.flatMap(({ activities }) => activities ?? []),
    ),
    sendToCommitMs: quantiles(
      new Latencies(),
      answers.map(({ sendToCommit }) => sendToCommit),
    ),
    timerLatenessMs: quantiles(
      new Latencies(),
      answers.map(({ timerLateness }) => timerLateness),
    ),
    commitMs: quantiles(
      new Latencies(),
      answers.map(({ commitTime }) => commitTime),
    ),
    commitBytes: quantiles(
      new Sizes(),
      answers.map(({ commitSize }) => commitSize),
    ),
    streams,
  };
}

/** The letters as the owners have counted them; undefined where those of a partition are counted by nobody, or not by its owner alone. */
function lettersOf(answers: readonly NodeStats[], stored: readonly StoredPartition[]): LetterCounts | undefined {
  const counted = new Map<number, string>();
  for (const { node, letters } of answers) {
    if (!Array.isArray(letters?.partitions)) continue;
    for (const partition of letters.partitions) {
      if (counted.has(partition)) return undefined;
      counted.set(partition, node);
    }
  }
  if (counted.size !== stored.length) return undefined;
  if (stored.some(({ partition, owner }) => counted.get(partition) !== nodeIn(owner))) return undefined;
  const all = answers.flatMap(({ letters }) => (Array.isArray(letters?.partitions) ? [letters] : []));
  const oldest = all.map(({ oldestAt }) => oldestAt).filter((at) => typeof at === "number");
  const zero = { dead: 0, closed: 0, parking: 0, byType: {}, byReason: {} };
  return {
    ...summed(zero, all),
    oldestAt: oldest.length === 0 ? undefined : Math.min(...oldest),
    source: "owners",
    isComplete: true,
  };
}

/** The node in the owner that a lease names. */
function nodeIn(owner: string): string | undefined {
  return owner === "" ? undefined : owner.slice(0, Math.max(0, owner.lastIndexOf(":")));
}

async function partitionSummary(
  context: ClientContext,
  { partition, owner: ownerToken, cursor }: StoredPartition,
  answers: readonly NodeStats[],
  at: number,
): Promise<PartitionSummary> {
  const owner = nodeIn(ownerToken);
  const said = mailboxOf(
    answers.find(({ node }) => node === owner),
    partition,
  );
  const from = said?.readUpTo ?? cursor;
  const [ingress, core] = await Promise.all([
    readMailbox(context, partition, "ingress", from.ingress + 1),
    readMailbox(context, partition, "core", from.core + 1),
  ]);
  const since = [said?.oldestAt, ingress.oldestAt, core.oldestAt].filter((each) => each !== undefined);
  return {
    partition,
    owner,
    source: said === undefined ? "log" : "owner",
    depth: (said?.pending ?? 0) + ingress.count + core.count,
    oldestMs: since.length === 0 ? 0 : Math.max(0, at - Math.min(...since)),
    overdueMs: said === undefined ? undefined : Math.max(0, at - (said.overdueSince ?? at)),
  };
}

/** What a node says of a partition that it owns. */
function mailboxOf(stats: NodeStats | undefined, partition: number): PartitionStats | undefined {
  const said = stats?.mailboxes.find((each) => each?.partition === partition);
  const isKnown =
    said?.isOpen === true &&
    Number.isFinite(said.pending) &&
    Number.isFinite(said.readUpTo?.ingress) &&
    Number.isFinite(said.readUpTo?.core);
  return isKnown ? said : undefined;
}

function nodeSummaries(known: {
  readonly before: ReadonlyMap<string, StoredNode>;
  readonly after: ReadonlyMap<string, StoredNode>;
  readonly answers: readonly NodeStats[];
  readonly partitions: readonly PartitionSummary[];
  readonly at: number;
}): NodeSummary[] {
  const { before, after, answers, partitions, at } = known;
  const names = new Set([...after.keys(), ...answers.map(({ node }) => node)]);
  return [...names].sort().map((node) => {
    const stored = after.get(node);
    const said = answers.find((each) => each.node === node);
    const hasMoved = stored !== undefined && stored.seq !== before.get(node)?.seq;
    // The clock of the client may be another one than the log's: what was seen to move has no need of it.
    const isRecent = stored !== undefined && (hasMoved || at - stored.atMs < stored.record.leaseMs);
    return {
      node,
      isAlive: said !== undefined || (isRecent && stored?.record.status === "up"),
      answers: said !== undefined,
      status: stored?.record.status,
      lastSeenAt: stored?.atMs,
      types: stored?.record.types ?? [],
      partitions: partitions.filter(({ owner }) => owner === node).map(({ partition }) => partition),
      queued: count(said?.queued),
    };
  });
}

/** Every worker sees the same queue, at another time: the largest number is the careful one. */
function waitingTasks(answers: readonly NodeStats[]): Record<string, number> {
  const waiting: Record<string, number> = {};
  for (const { activities } of answers) {
    for (const [activity, tasks] of Object.entries(activities?.waiting ?? {}))
      waiting[activity] = Math.max(waiting[activity] ?? 0, count(tasks));
  }
  return waiting;
}

function quantiles(histogram: Histogram, all: ReadonlyArray<readonly number[] | undefined>): Quantiles {
  for (const counts of all) if (Array.isArray(counts)) histogram.merge(counts.map(count));
  return { count: histogram.count, p50: histogram.quantile(0.5), p99: histogram.quantile(0.99) };
}

/** Adds up records of numbers, one level deep where they hold records of numbers. */
function summed<Counts extends object>(zero: Counts, all: readonly object[]): Counts {
  const sum = { ...zero } as Record<string, unknown>;
  for (const counts of all) {
    for (const [name, value] of Object.entries(counts)) {
      if (!Object.hasOwn(zero, name)) continue;
      if (typeof value !== "object" || value === null) sum[name] = count(sum[name]) + count(value);
      else sum[name] = addedUp(sum[name] as Record<string, number>, value);
    }
  }
  return sum as Counts;
}

function addedUp(one: Readonly<Record<string, number>>, other: object): Record<string, number> {
  const sum = { ...one };
  for (const [name, value] of Object.entries(other)) sum[name] = (sum[name] ?? 0) + count(value);
  return sum;
}

function count(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : 0;
}

function isUsable(stats: NodeStats): boolean {
  return (
    typeof stats?.node === "string" &&
    typeof stats.counters === "object" &&
    stats.counters !== null &&
    Array.isArray(stats.mailboxes)
  );
}

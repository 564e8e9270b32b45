/** `statewright stats`: how a whole space is doing. */
import type { Quantiles, SpaceStats } from "../../actors/client/space-stats.ts";
import type { ConnectionFlags } from "../connection-flags.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { withClient } from "../open-client.ts";
import { type Field, type FullKind, type OutputFormat, printItem } from "../printer.ts";
import { shownBytes, shownDuration } from "../shown-amounts.ts";
import { shownTime } from "../shown-values.ts";
import type { Io } from "../terminal.ts";

/** What the options of `stats` hold. */
export interface StatsFlags extends ConnectionFlags {
  readonly output: OutputFormat;
  /** Milliseconds between two looks; absent: one look. */
  readonly watch?: number;
  /** How many looks; with `watch`. */
  readonly count?: number;
  readonly wait?: number;
}

/** A look at a space. */
export const statsKind: FullKind<SpaceStats> = {
  id: ({ nodes }) => nodes.flatMap(({ node, isAlive }) => (isAlive ? [node] : [])).join(" "),
  json: (stats) => ({ ...stats, at: shownTime(stats.at) }),
  fields: (stats) => [
    { label: "nodes", text: nodeLines(stats) },
    { label: "mailboxes", text: mailboxLine(stats), ...alarm(stats.mailboxes.silent > 0) },
    ...partitionFields(stats),
    { label: "waiting", text: `${stats.waiting} outside the mailboxes, for another attempt or a parked actor` },
    { label: "parked", text: actors(stats.parkedActors), ...alarm(stats.parkedActors > 0) },
    { label: "dead letters", text: letterLine(stats), ...alarm(stats.letters.dead > 0) },
    {
      label: "timers",
      text: `${stats.timers.near} near, ${stats.timers.overdueMs === 0 ? "none overdue" : `overdue by ${shownDuration(stats.timers.overdueMs)}`}`,
    },
    { label: "activities", text: activityLines(stats) },
    { label: "handled", text: handledLine(stats) },
    {
      label: "commits",
      text: `${stats.counters.commits} of ${stats.counters.records} records, ${stats.counters.commitRetries} tried again, ${stats.counters.conflicts} refused to who had lost the actor`,
    },
    {
      label: "leases",
      text: `${stats.counters.leasesGained} gained, ${stats.counters.leasesHandedOver} handed over, ${stats.counters.leasesLost} lost, ${stats.counters.takeovers} taken over`,
    },
    { label: "send to commit", text: quantileLine(stats.sendToCommitMs, shownDuration) },
    { label: "commit time", text: quantileLine(stats.commitMs, shownDuration) },
    { label: "commit size", text: quantileLine(stats.commitBytes, shownBytes) },
    { label: "timer lateness", text: quantileLine(stats.timerLatenessMs, shownDuration) },
    {
      label: "storage",
      text: (["ingress", "core"] as const).map((stream) => {
        const { records, sizeBytes, maxSizeBytes } = stats.streams[stream];
        const limit = maxSizeBytes > 0 && Number.isFinite(maxSizeBytes) ? ` of ${shownBytes(maxSizeBytes)}` : "";
        return `${stream.toUpperCase()} ${records} records, ${shownBytes(sizeBytes)}${limit}`;
      }),
    },
  ],
};

/** Prints how the space is doing: once, or again and again until SIGINT or SIGTERM. */
export async function stats(flags: StatsFlags, io: Io): Promise<ExitCode> {
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  const { signal } = interrupt;
  try {
    await withClient(flags, io, async (client) => {
      const looks = flags.watch === undefined ? 1 : (flags.count ?? Number.POSITIVE_INFINITY);
      for (let look = 1; ; look++) {
        const seen = await client.stats({ signal, ...(flags.wait === undefined ? {} : { wait: flags.wait }) });
        if (look > 1 && flags.output === "table") io.out.write(`\n${shownTime(seen.at)}\n`);
        printItem(io.out, flags.output, statsKind, seen);
        if (look >= looks) return;
        await pause(flags.watch ?? 0, signal);
      }
    });
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
  return exitCodes.ok;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

function alarm(isBad: boolean): Pick<Field, "style"> {
  return isBad ? { style: "red" } : {};
}

function nodeLines({ nodes }: SpaceStats): string[] {
  if (nodes.length === 0) return ["none has ever run"];
  return nodes.map(({ node, isAlive, answers, status, partitions, queued, lastSeenAt }) => {
    const seen = lastSeenAt === undefined ? "" : `, last seen ${shownTime(lastSeenAt)}`;
    if (!isAlive) return `${node}: ${status === "gone" || status === "leaving" ? "stopped" : "dead"}${seen}`;
    const owned = `${partitions.length} ${partitions.length === 1 ? "partition" : "partitions"}`;
    return answers ? `${node}: ${owned}, ${queued} messages in memory` : `${node}: ${owned}, alive but does not answer`;
  });
}

function mailboxLine({ mailboxes, partitions }: SpaceStats): string {
  const { depth, oldestMs, silent } = mailboxes;
  const oldest = depth === 0 ? "" : `, the oldest for ${shownDuration(oldestMs)}`;
  const told =
    silent === 0
      ? ""
      : `; as the log says for ${silent} of ${partitions.length} partitions, whose owners do not answer`;
  return `${depth} not handled${oldest}${told}`;
}

function partitionFields({ partitions }: SpaceStats): Field[] {
  const busy = partitions.filter(({ depth, owner }) => depth > 0 || owner === undefined);
  if (busy.length === 0) return [];
  const lines = busy.map(
    ({ partition, owner, depth, oldestMs }) =>
      `${partition}: ${depth} not handled${depth === 0 ? "" : `, the oldest for ${shownDuration(oldestMs)}`}, ${owner === undefined ? "nobody owns it" : `of ${owner}`}`,
  );
  return [{ label: "partitions", text: lines }];
}

function actors(count: number): string {
  return `${count} ${count === 1 ? "actor" : "actors"}`;
}

function letterLine({ letters }: SpaceStats): string {
  const { dead, closed, byType, byReason, oldestAt, source, isComplete } = letters;
  const listed = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ");
  const more = isComplete ? "" : " at least";
  const why = dead === 0 ? "" : ` (${listed(byType)}; ${listed(byReason)}), the oldest of ${shownTime(oldestAt ?? 0)}`;
  const when = source === "owners" ? ", as their owners knew within the last 10 s" : "";
  return `${dead} dead${more}${why}, ${closed} closed${when}`;
}

function activityLines({ activities, running }: SpaceStats): string[] {
  const waiting = Object.entries(activities).map(([activity, tasks]) => `${activity}: ${tasks} tasks wait`);
  return [`${running} ${running === 1 ? "attempt runs" : "attempts run"}`, ...waiting];
}

function handledLine({ counters }: SpaceStats): string {
  const { applied, ignored, duplicates, redelivered, stale, retries, deadLetters } = counters;
  return `${applied} applied, ${ignored} ignored, ${duplicates} duplicates, ${redelivered} redelivered, ${stale} stale, ${retries} retries, ${deadLetters} dead-lettered`;
}

function quantileLine({ count, p50, p99 }: Quantiles, shown: (value: number) => string): string {
  return count === 0 ? "-" : `p50 ${shown(p50)}, p99 ${shown(p99)} of ${count}`;
}

/**
 * `statewright probe`: whether a space is as it should be, for monitors and deploy scripts.
 *
 * 1. Exit code 0: every check holds. 1: one does not. 6: none is known to fail, but one could not be made.
 * 2. A check is made where it is asked for; that nodes are alive is always asked.
 * 3. What only owners know is unknown where one does not answer, unless what is known is over the limit already.
 */
import type { SpaceStats } from "../../actors/client/space-stats.ts";
import { isStatewrightError } from "../../runtime/core/errors.ts";
import type { ConnectionFlags } from "../connection-flags.ts";
import { type ExitCode, exitCodeOf, exitCodes } from "../exit-codes.ts";
import { tellFailure } from "../failure.ts";
import { withClient } from "../open-client.ts";
import { type Kind, type OutputFormat, printList } from "../printer.ts";
import { shownDuration } from "../shown-amounts.ts";
import type { Io } from "../terminal.ts";

/** The limits that can be given; counts, and durations in milliseconds. */
export interface ProbeLimits {
  readonly nodesMin: number;
  readonly dlqMax?: number;
  readonly lagMax?: number;
  readonly depthMax?: number;
  readonly waitingMax?: number;
  readonly parkedMax?: number;
  readonly timerLatenessMax?: number;
  readonly tasksMax?: number;
}

/** What the options of `probe` hold. */
export interface ProbeFlags extends ConnectionFlags, ProbeLimits {
  readonly output: OutputFormat;
  readonly wait?: number;
}

/** How a check ended. */
export interface CheckOutcome {
  readonly check: string;
  /** As far as it is known. */
  readonly measured: number;
  /** The least for `nodes`, and the most for all others. */
  readonly limit: number;
  readonly unit: "count" | "ms";
  readonly status: "ok" | "failed" | "unknown";
  /** Why it is unknown. */
  readonly note?: string;
}

/** A check in a list. */
export const checkKind: Kind<CheckOutcome> = {
  id: ({ check }) => check,
  json: (outcome) => outcome,
  columns: [
    { header: "check", cell: ({ check }) => check },
    { header: "measured", cell: ({ measured, unit }) => shown(measured, unit) },
    { header: "limit", cell: ({ check, limit, unit }) => `${check === "nodes" ? ">=" : "<="} ${shown(limit, unit)}` },
    {
      header: "status",
      cell: ({ status }) => status,
      style: ({ status }) => (status === "ok" ? "green" : status === "failed" ? "red" : "yellow"),
    },
    { header: "note", cell: ({ note }) => note ?? "", isFlexible: true },
  ],
};

/** Looks at the space once and prints a line for each check; `-o ids` prints those that do not hold. */
export async function probe(flags: ProbeFlags, io: Io): Promise<ExitCode> {
  let stats: SpaceStats;
  try {
    stats = await withClient(flags, io, (client) => client.stats(flags.wait === undefined ? {} : { wait: flags.wait }));
  } catch (error) {
    // No answer says nothing about what was asked; a name or a password that is wrong is told as ever.
    if (!isStatewrightError(error) || exitCodeOf(error) !== exitCodes.failed) throw error;
    tellFailure(io.err, error, { format: flags.output, isVerbose: flags.verbose ?? false });
    return exitCodes.unknown;
  }
  const outcomes = judge(stats, flags);
  printList(
    io.out,
    flags.output,
    checkKind,
    flags.output === "ids" ? outcomes.filter(({ status }) => status !== "ok") : outcomes,
  );
  return codeOf(outcomes);
}

/** Compares a look at a space with limits. */
export function judge(stats: SpaceStats, limits: ProbeLimits): CheckOutcome[] {
  const { nodesMin, dlqMax, lagMax, depthMax, waitingMax, parkedMax, timerLatenessMax, tasksMax } = limits;
  const { mailboxes, letters, partitions } = stats;
  const silent =
    mailboxes.silent === 0
      ? undefined
      : `of ${mailboxes.silent} of ${partitions.length} partitions only the owner could know, and does not answer`;
  const alive = stats.nodes.filter(({ isAlive }) => isAlive).length;
  const answering = stats.nodes.some(({ answers }) => answers);
  const outcomes: CheckOutcome[] = [
    { check: "nodes", measured: alive, limit: nodesMin, unit: "count", status: alive >= nodesMin ? "ok" : "failed" },
  ];
  const atMost = (
    check: string,
    unit: CheckOutcome["unit"],
    measured: number,
    limit: number | undefined,
    /** Why more than was measured is possible. */
    doubt?: string,
  ): void => {
    if (limit === undefined) return;
    const status = measured > limit ? "failed" : doubt === undefined ? "ok" : "unknown";
    outcomes.push({
      check,
      measured,
      limit,
      unit,
      status,
      ...(status === "unknown" && doubt !== undefined ? { note: doubt } : {}),
    });
  };
  const uncounted = "there are more than were counted";
  atMost("dlq", "count", letters.dead, dlqMax, letters.isComplete ? undefined : uncounted);
  atMost("lag", "ms", mailboxes.oldestMs, lagMax);
  atMost("depth", "count", mailboxes.depth, depthMax);
  atMost("waiting", "count", stats.waiting, waitingMax, stats.waiting < 10_000 ? undefined : uncounted);
  atMost("parked", "count", stats.parkedActors, parkedMax, letters.isComplete ? silent : uncounted);
  atMost("timer lateness", "ms", stats.timers.overdueMs, timerLatenessMax, silent);
  const tasks = Math.max(0, ...Object.values(stats.activities));
  atMost("tasks", "count", tasks, tasksMax, answering ? undefined : "only workers could know, and none answers");
  return outcomes;
}

/** What the outcomes say together. */
export function codeOf(outcomes: readonly CheckOutcome[]): ExitCode {
  if (outcomes.some(({ status }) => status === "failed")) return exitCodes.failed;
  return outcomes.some(({ status }) => status === "unknown") ? exitCodes.unknown : exitCodes.ok;
}

function shown(value: number, unit: CheckOutcome["unit"]): string {
  return unit === "ms" ? shownDuration(value) : String(value);
}

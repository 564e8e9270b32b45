/** What readers see of schedules, off their committed states: nobody is asked. */
import type { Client, ReadOptions } from "../../actors/client.ts";
import type { ActorView } from "../../actors/view.ts";
import type { ScheduleRules } from "./schedule-options.ts";
import { nextTick, type ScheduleContext, type TickStatus } from "./schedule-turns.ts";

/** What a schedule does, has done and will do. */
export interface ScheduleInfo {
  readonly id: string;
  readonly isPaused: boolean;
  /** What was said when it was paused. */
  readonly note: string | undefined;
  /** The next five ticks, fewer when it comes to its end; none while it is paused. */
  readonly next: readonly Date[];
  /** The keys of the runs that are under way. */
  readonly running: readonly string[];
  /** How many ticks wait for their turn. */
  readonly queued: number;
  /** How many backfills are under way. */
  readonly backfills: number;
  /** The last 20 ticks, triggers and backfilled ticks, the newest first. */
  readonly recent: ReadonlyArray<{
    readonly at: Date;
    readonly key: string;
    readonly status: TickStatus;
    readonly error: string | undefined;
  }>;
  /** How many runs it has started. */
  readonly started: number;
  /** How many ticks were too old when a node took them. Of one gap of a cron at most 500 are counted. */
  readonly missed: number;
  /** How many ticks were left out because a run was under way. */
  readonly skipped: number;
}

/** A schedule in a list. */
export interface ScheduleSummary {
  readonly id: string;
  readonly isPaused: boolean;
  readonly note: string | undefined;
  readonly next: Date | undefined;
  /** How many runs are under way. */
  readonly running: number;
  readonly started: number;
  readonly missed: number;
}

const shownTicks = 5;

/** True for the view of a schedule that was started, and not removed. */
export function isThere<Context>(view: ActorView<Context> | undefined): view is ActorView<Context> {
  return view !== undefined && view.status === "active" && view.value !== "removed";
}

/** Reads what there is to know off a schedule's state. */
export function describeSchedule(rules: ScheduleRules, view: ActorView<ScheduleContext>): ScheduleInfo {
  const { id, note, running, queue, backfills, recent, started, missed, skipped } = view.context;
  return {
    id,
    isPaused: isPaused(view),
    note,
    next: nextDates(rules, view, shownTicks),
    running: running.map(({ key }) => key),
    queued: queue.length,
    backfills: backfills.length,
    recent: recent.map(({ at, key, status, error }) => ({ at: new Date(at), key, status, error })).reverse(),
    started,
    missed,
    skipped,
  };
}

/** Lists the schedules of a definition by their ids. */
export async function listSchedules(
  rules: ScheduleRules,
  client: Client,
  options?: ReadOptions,
): Promise<ScheduleSummary[]> {
  const found: ScheduleSummary[] = [];
  for await (const each of client.views(rules.name, options)) {
    // All actors of the type run the machine of this definition.
    const view = each as ActorView<ScheduleContext>;
    if (!isThere(view)) continue;
    const { id, note, running, started, missed } = view.context;
    const [next] = nextDates(rules, view, 1);
    found.push({ id, isPaused: isPaused(view), note, next, running: running.length, started, missed });
  }
  return found.sort((one, other) => (one.id < other.id ? -1 : 1));
}

function isPaused(view: ActorView): boolean {
  return view.value === "paused";
}

function nextDates(rules: ScheduleRules, view: ActorView<ScheduleContext>, most: number): Date[] {
  const dates: Date[] = [];
  if (isPaused(view)) return dates;
  let { after, runs } = view.context;
  while (dates.length < most) {
    const at = nextTick(rules, { after, runs });
    if (at === undefined) break;
    dates.push(new Date(at));
    after = at;
    runs++;
  }
  return dates;
}

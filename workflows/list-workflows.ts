/** Lists of workflows: read from their newest states, however many there are. */
import type { Client, DurationInput } from "../actors/client.ts";
import type { ActorView } from "../actors/view.ts";
import { durationMs, refuseProblems, shown, unknownOptions } from "../runtime/supervise/check-options.ts";
import { statusOf, type WorkflowStatus, workflowStatuses } from "./workflow-status.ts";

/** Which workflows a list has. */
export interface ListWorkflows {
  /** Default: any. */
  readonly status?: WorkflowStatus | readonly WorkflowStatus[];
  /** Started at this time or later; a duration counts back from now. Default: any time. */
  readonly since?: Date | DurationInput;
  /** Started before this time; a duration counts back from now. Default: any time. */
  readonly until?: Date | DurationInput;
  /** At most so many, those that were started last. Default: 100. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
}

/** A workflow in a list. */
export interface WorkflowSummary {
  readonly type: string;
  /** Its business key. */
  readonly key: string;
  readonly status: WorkflowStatus;
  /** When it was started, milliseconds since 1970. */
  readonly startedAt: number;
  /** When it ended, milliseconds since 1970; undefined while it has not. */
  readonly endedAt: number | undefined;
  /** When its state was last written, milliseconds since 1970. */
  readonly changedAt: number;
  /** The number of its run. */
  readonly run: number;
  /** The state value. */
  readonly state: unknown;
  /** The error that it ended with, in words. */
  readonly error: string | undefined;
  /** The dead letter that keeps it from taking messages. */
  readonly parkedBy: string | undefined;
}

const optionNames = ["status", "since", "until", "limit", "signal"];
const defaultLimit = 100;

/**
 * Lists workflows of some types, those that were started last first. Actors that are no workflows are left out.
 *
 * *Details* The states of all actors of the types are read, one after the other, and only what is listed is kept.
 *
 * *Errors* `InvalidOptionsError`, `InvalidNameError`, `LogUnavailableError`; the signal's reason.
 */
export async function listWorkflows(
  client: Client,
  types: readonly string[],
  options: ListWorkflows = {},
): Promise<WorkflowSummary[]> {
  const { isWanted, limit } = readOptions(options);
  let found: WorkflowSummary[] = [];
  const newestFirst = () =>
    found.sort((one, other) => other.startedAt - one.startedAt || (nameOf(one) < nameOf(other) ? -1 : 1));
  for (const type of types) {
    for await (const view of client.views(type, options.signal === undefined ? {} : { signal: options.signal })) {
      const summary = summaryOf(view);
      if (summary === undefined || !isWanted(summary)) continue;
      found.push(summary);
      if (found.length >= 2 * limit + 100) found = newestFirst().slice(0, limit);
    }
  }
  return newestFirst().slice(0, limit);
}

function nameOf({ type, key }: WorkflowSummary): string {
  return `${type}/${key}`;
}

/** What a list says of a workflow; undefined for an actor that is none. */
export function summaryOf(view: ActorView): WorkflowSummary | undefined {
  const { run, address, at, value, error, parked } = view;
  if (run === undefined) return undefined;
  return {
    type: address.type,
    key: address.id,
    status: statusOf(view),
    startedAt: run.since,
    endedAt: run.endedAt,
    changedAt: at,
    run: run.n,
    state: value,
    error: error === undefined ? undefined : error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    parkedBy: parked?.letter,
  };
}

function readOptions(options: ListWorkflows): {
  readonly isWanted: (summary: WorkflowSummary) => boolean;
  readonly limit: number;
} {
  const problems = unknownOptions(options, optionNames, "");
  const { status, limit = defaultLimit } = options;
  const statuses = status === undefined ? undefined : [status].flat();
  for (const each of statuses ?? []) {
    if (!workflowStatuses.includes(each))
      problems.push(`status is ${shown(each)}: use one of ${workflowStatuses.join(", ")}`);
  }
  const since = readTime(options.since, "since", problems);
  const until = readTime(options.until, "until", problems);
  if (!Number.isSafeInteger(limit) || limit < 1) problems.push(`limit is ${shown(limit)}: use a whole number from 1`);
  refuseProblems("Cannot list workflows", problems);
  return {
    limit,
    isWanted: (summary) =>
      (statuses === undefined || statuses.includes(summary.status)) &&
      (since === undefined || summary.startedAt >= since) &&
      (until === undefined || summary.startedAt < until),
  };
}

function readTime(value: Date | DurationInput | undefined, option: string, problems: string[]): number | undefined {
  if (value === undefined) return undefined;
  if (!(value instanceof Date)) {
    const ms = durationMs(value, option, problems);
    return ms === undefined ? undefined : Date.now() - ms;
  }
  if (Number.isNaN(value.getTime())) problems.push(`${option} is an invalid date: use a valid one, or a duration`);
  return value.getTime();
}

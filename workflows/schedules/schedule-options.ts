/** The options of a schedule, and the rules that they are checked into: all problems at once, before anything is made of them. */
import type { DurationInput } from "../../actors/client.ts";
import { makeAddress } from "../../runtime/core/address.ts";
import { toStored } from "../../runtime/core/codec.ts";
import { durationMs, listed, refuseProblems, shown, unknownOptions } from "../../runtime/supervise/check-options.ts";
import { isWorkflowDefinition } from "../define-workflow.ts";
import type { AnyWorkflowDefinition, WorkflowDefinition } from "../workflow-definition.ts";
import { type Cadence, readCadence } from "./cadence.ts";

/**
 * What becomes of a tick while a run of the schedule is still under way: it is left out (`skip`), waits for its turn (`queue`), starts beside it (`allow`), or the run is told to
 * cancel or is terminated, and the tick starts when it has ended.
 */
export type OverlapPolicy = "skip" | "queue" | "allow" | "cancel" | "terminate";

/** A tick: what the functions of a schedule are given. */
export interface Tick {
  /** When the tick is due, however late it is taken. */
  readonly at: Date;
  /** The id of the schedule. */
  readonly id: string;
}

/** When ticks come. */
export type ScheduleTimes =
  | {
      /** Minute, hour, day of the month, month, weekday; with six fields the first is the second. Names such as `MON` and `JAN`, lists, ranges and steps are read. */
      readonly cron: string;
      /** The time zone that the expression is read in. Default `UTC`. */
      readonly timeZone?: string;
      readonly every?: never;
      readonly offset?: never;
    }
  | {
      /** How far ticks are apart, at least a second. They are counted from 1970: `15 minutes` is at 0, 15, 30 and 45 past. */
      readonly every: DurationInput;
      /** How much later than that. Default 0. */
      readonly offset?: DurationInput;
      readonly cron?: never;
      readonly timeZone?: never;
    };

/** Options of {@link defineSchedule}. */
export type ScheduleOptions<Input> = ScheduleTimes & {
  /** What every tick starts. A node of the space runs it: the schedule only starts it. */
  // biome-ignore lint/suspicious/noExplicitAny: any events, context, output and queries; only the input is of interest here.
  readonly workflow: WorkflowDefinition<any, any, Input, any, any, any>;
  /** The workflow's input, pure: it may be made again. Default: undefined. */
  readonly input?: (tick: Tick) => Input;
  /** The workflow's business key, pure. One key is one run. Default `<schedule>/<id>/<time of the tick>`. */
  readonly key?: (tick: Tick) => string;
  /** Default `skip`. */
  readonly overlap?: OverlapPolicy;
  /** With `queue`: how many ticks wait at most; others are left out. Default 1. */
  readonly maxQueued?: number;
  /** A tick that is taken later than this after it was due, because no node ran, is not started, and counted as missed. Default 1 minute. */
  readonly catchUp?: DurationInput;
  /** No tick comes after this time. Default: no end. */
  readonly until?: Date;
  /** So many runs are started by ticks, and then no tick comes any more. Default: no limit. */
  readonly maxRuns?: number;
};

/** What a tick starts, or why it cannot. */
export type Made = { readonly key: string; readonly input: unknown } | { readonly key: string; readonly error: string };

/** Checked options. */
export interface ScheduleRules {
  readonly name: string;
  readonly workflow: AnyWorkflowDefinition;
  readonly cadence: Cadence;
  readonly overlap: OverlapPolicy;
  readonly maxQueued: number;
  readonly catchUpMs: number;
  /** Infinity: no end. */
  readonly untilMs: number;
  readonly maxRuns: number;
  /** Key and input of the tick's run; what the functions throw is told and not thrown. */
  make(at: number, id: string): Made;
}

const policies: readonly OverlapPolicy[] = ["skip", "queue", "allow", "cancel", "terminate"];
const optionNames = [
  "workflow",
  "cron",
  "timeZone",
  "every",
  "offset",
  "input",
  "key",
  "overlap",
  "maxQueued",
  "catchUp",
  "until",
  "maxRuns",
];
const mostQueued = 1000;

/** Checks options that nobody has checked. Errors: `InvalidOptionsError`. */
export function readRules(name: string, options: Readonly<Record<string, unknown>>): ScheduleRules {
  const attempted = `Cannot define schedule "${name}"`;
  if (typeof options !== "object" || options === null) {
    refuseProblems(attempted, [`the options are ${shown(options)}: use { workflow, cron } and what else it needs`]);
  }
  const problems = unknownOptions(options, optionNames, "");
  const { workflow, input, key, overlap = "skip", maxQueued, catchUp = 60_000, until, maxRuns } = options;
  if (!isWorkflowDefinition(workflow))
    problems.push(`workflow is ${shown(workflow)}: use what defineWorkflow or saga returns`);
  const cadence = readCadence(options, problems);
  for (const [option, given] of Object.entries({ input, key })) {
    if (given !== undefined && typeof given !== "function")
      problems.push(`${option} is ${shown(given)}: use a function of the tick, ({ at, id }) => …`);
  }
  if (!isOverlap(overlap)) problems.push(`overlap is ${shown(overlap)}: use ${listed(policies)}`);
  if (maxQueued !== undefined) {
    if (!isCount(maxQueued) || maxQueued > mostQueued)
      problems.push(`maxQueued is ${shown(maxQueued)}: use a whole number from 1 to ${mostQueued}`);
    else if (overlap !== "queue") problems.push('maxQueued has no effect without overlap: "queue"');
  }
  const catchUpMs = durationMs(catchUp, "catchUp", problems);
  if (until !== undefined && !(until instanceof Date && Number.isFinite(until.getTime())))
    problems.push(`until is ${shown(until)}: use a Date`);
  if (maxRuns !== undefined && !isCount(maxRuns))
    problems.push(`maxRuns is ${shown(maxRuns)}: use a whole number from 1`);
  refuseProblems(attempted, problems);
  return {
    name,
    // All of it was checked above.
    workflow: workflow as AnyWorkflowDefinition,
    cadence: cadence as Cadence,
    overlap: overlap as OverlapPolicy,
    maxQueued: (maxQueued as number | undefined) ?? 1,
    catchUpMs: catchUpMs as number,
    untilMs: (until as Date | undefined)?.getTime() ?? Number.POSITIVE_INFINITY,
    maxRuns: (maxRuns as number | undefined) ?? Number.POSITIVE_INFINITY,
    make: maker(name, options as unknown as Functions),
  };
}

interface Functions {
  readonly workflow: AnyWorkflowDefinition;
  readonly input?: (tick: Tick) => unknown;
  readonly key?: (tick: Tick) => unknown;
}

function maker(name: string, { workflow, input, key }: Functions): ScheduleRules["make"] {
  return (at, id) => {
    let made = `${name}/${id}/${new Date(at).toISOString()}`;
    try {
      // A date of its own for each: they can be changed.
      if (key !== undefined) made = key({ at: new Date(at), id }) as string;
      makeAddress(workflow.type, made);
      const given = input?.({ at: new Date(at), id });
      toStored(given, "input");
      return { key: made, input: given };
    } catch (error) {
      return { key: String(made), error: error instanceof Error ? error.message : String(error) };
    }
  };
}

/** True for the name of an overlap policy. */
function isOverlap(value: unknown): value is OverlapPolicy {
  return policies.includes(value as OverlapPolicy);
}

/** The policies that a trigger or backfill may use: how a run can be ended is decided when it is started. */
export function usablePolicies(own: OverlapPolicy): OverlapPolicy[] {
  return policies.filter((policy) => (policy !== "cancel" && policy !== "terminate") || policy === own);
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0;
}

/** `statewright workflow show`: everything that is known of a workflow, for who looks after it. */
import type { Client } from "../../actors/client.ts";
import type { DeadLetterSummary } from "../../actors/dead-letters.ts";
import type { ActorView, HistoryEntry } from "../../actors/view.ts";
import { formatAddress } from "../../runtime/core/address.ts";
import type { SagaContext } from "../../workflows/saga/progress.ts";
import { statusOf } from "../../workflows/workflow-status.ts";
import type { ConnectionFlags } from "../connection-flags.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { withClient } from "../open-client.ts";
import { type Field, type FullKind, fitJson, type OutputFormat, printItem } from "../printer.ts";
import { shownDuration } from "../shown-amounts.ts";
import { shownJsonLines, shownState, shownTime } from "../shown-values.ts";
import type { Io } from "../terminal.ts";
import { sagaIn, shownError, stepLines, stepsIn, stuckPart } from "./saga-progress.ts";
import { jsonOfView, pendingFields, waitingFields } from "./state-view.ts";
import { neverStarted, readWorkflow, statusStyles } from "./workflow-list.ts";

/** What the options of `workflow show` hold. */
export interface WorkflowShowFlags extends ConnectionFlags {
  readonly output: OutputFormat;
  /** How many of the newest messages of the history. */
  readonly last: number;
}

/** A workflow with what is around it. */
export interface WorkflowDetails {
  readonly view: ActorView;
  readonly history: readonly HistoryEntry[];
  /** The open dead letters of the workflow. */
  readonly letters: readonly DeadLetterSummary[];
  readonly now: number;
}

/** A workflow in full. */
const workflowDetailsKind: FullKind<WorkflowDetails> = {
  id: ({ view }) => formatAddress(view.address),
  json: ({ view, history, letters }) => {
    const { actor, status, at, ...state } = jsonOfView(view);
    return {
      workflow: actor,
      status: statusOf(view),
      ...(view.run === undefined
        ? {}
        : {
            run: {
              n: view.run.n,
              since: shownTime(view.run.since),
              at: shownTime(view.run.at),
              input: view.run.input,
            },
          }),
      ...state,
      at,
      history: history.map((entry) => ({ ...entry, at: shownTime(entry.at) })),
      letters: letters.map(({ letter, event, reason, explanation, at }) => ({
        letter,
        event,
        reason,
        explanation,
        at: shownTime(at),
      })),
    };
  },
  fields: ({ view, history, letters, now }, width) => {
    const status = statusOf(view);
    const saga = sagaIn(view);
    return [
      { label: "workflow", text: formatAddress(view.address), style: "bold" },
      { label: "status", text: status, style: statusStyles[status] },
      ...runFields(view, now),
      ...waitingFields(view),
      { label: "state", text: shownState(view.value) },
      ...(saga === undefined
        ? [{ label: "context", text: fitJson(view.context, shownJsonLines, width) }]
        : sagaFields(saga, formatAddress(view.address), width)),
      ...(view.output === undefined ? [] : [{ label: "output", text: fitJson(view.output, shownJsonLines, width) }]),
      ...(view.error === undefined ? [] : [{ label: "error", text: errorLines(view.error), style: "red" as const }]),
      ...pendingFields(view),
      ...(letters.length === 0
        ? []
        : [{ label: "dead letters", text: letters.map(letterLine), style: "red" as const } satisfies Field]),
      ...(history.length === 0 ? [] : [{ label: "history", text: history.map(historyLine) }]),
    ];
  },
};

function runFields(view: ActorView, now: number): Field[] {
  const { run } = view;
  if (run === undefined) return [];
  const endedAt = view.status === "active" ? undefined : view.at;
  const took = shownDuration(Math.max(0, (endedAt ?? now) - run.since));
  return [
    {
      label: "started",
      text: endedAt === undefined ? `${shownTime(run.since)}, ${took} ago` : shownTime(run.since),
    },
    ...(endedAt === undefined ? [] : [{ label: "ended", text: `${shownTime(endedAt)}, after ${took}` }]),
    { label: "run", text: run.n === 1 ? "1" : `${run.n}, since ${shownTime(run.at)}` },
    { label: "input digest", text: run.input },
  ];
}

function sagaFields(saga: SagaContext, name: string, width: number): Field[] {
  const { input, results, received, direction, isPastPivot, cause } = saga;
  const stuck = stepsIn(saga).flatMap(([step, progress]) => (stuckPart(progress) === undefined ? [] : [step]));
  const has = (value: object): boolean => Object.keys(value).length > 0;
  return [
    {
      label: "direction",
      text: `${direction}${isPastPivot ? ", past the pivot: there is no way back" : ""}`,
    },
    ...(cause === undefined ? [] : [{ label: "turned round", text: shownCause(cause), style: "yellow" as const }]),
    ...(has(saga.steps) ? [{ label: "steps", text: stepLines(saga) }] : []),
    ...(stuck.length === 0
      ? []
      : [
          {
            label: "to decide",
            text: stuck.map((step) => `statewright saga retry, done or skip ${name} ${step}`),
            style: "red" as const,
          },
        ]),
    { label: "input", text: fitJson(input, shownJsonLines, width) },
    ...(has(results) ? [{ label: "results", text: fitJson(results, shownJsonLines, width) }] : []),
    ...(has(received) ? [{ label: "received", text: fitJson(received, shownJsonLines, width) }] : []),
  ];
}

function shownCause(cause: NonNullable<SagaContext["cause"]>): string {
  if (cause.kind === "timeout") return "it took too long";
  if (cause.kind === "failure") return `step ${cause.step} failed: ${shownError(cause.error)}`;
  const by = cause.by === undefined ? "" : ` by ${cause.by}`;
  return `it was cancelled${by}${cause.reason === undefined ? "" : `: ${cause.reason}`}`;
}

/** An error and what caused it, one a line. */
function errorLines(error: unknown, depth = 0): string[] {
  const cause = error instanceof Error ? error.cause : undefined;
  const line = `${"  ".repeat(depth)}${depth === 0 ? "" : "caused by "}${shownError(error)}`;
  return cause === undefined || depth >= 10 ? [line] : [line, ...errorLines(cause, depth + 1)];
}

function letterLine({ letter, event, at, explanation }: DeadLetterSummary): string {
  return `${letter}  ${shownTime(at)}  ${event ?? "-"}: ${explanation}`;
}

function historyLine({ at, event, outcome, from, to, letter }: HistoryEntry): string {
  const [before, after] = [shownState(from), shownState(to)];
  const states = before === after || outcome === "ignored" ? after : `${before} -> ${after}`;
  const died = letter === undefined ? "" : ` (letter ${letter})`;
  return `${shownTime(at)}  ${event || "-"} ${outcome}${died}: ${states}`;
}

/** Prints workflows in full. Errors: `WorkflowNotFoundError`. */
export async function showWorkflows(workflows: readonly string[], flags: WorkflowShowFlags, io: Io): Promise<ExitCode> {
  for (const workflow of workflows) readWorkflow(workflow);
  await withClient(flags, io, (client) => printDetails(client, workflows, flags, io, Date.now()));
  return exitCodes.ok;
}

/** As {@link showWorkflows}, with a client that is open. */
export async function printDetails(
  client: Client,
  workflows: readonly string[],
  flags: Pick<WorkflowShowFlags, "output" | "last">,
  io: Pick<Io, "out">,
  now: number,
): Promise<void> {
  for (const [at, workflow] of workflows.entries()) {
    const view = await client.get(workflow);
    if (view === undefined) throw neverStarted("show", workflow);
    const { type, id } = view.address;
    const [history, letters] = await Promise.all([
      client.history(workflow, { last: flags.last }),
      client.deadLetters.list({ type, id }),
    ]);
    if (at > 0 && flags.output === "table") io.out.write("\n");
    printItem(io.out, flags.output, workflowDetailsKind, { view, history, letters, now });
  }
}

/** `statewright saga ls`: sagas by how far they have come, and with `--stuck` the steps that wait for an operator. */
import type { Client } from "../../actors/client.ts";
import { summaryOf, type WorkflowSummary } from "../../workflows/list-workflows.ts";
import type { WorkflowStatus } from "../../workflows/workflow-status.ts";
import type { ConnectionFlags } from "../connection-flags.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { withClient } from "../open-client.ts";
import { type Column, type Kind, type OutputFormat, printList } from "../printer.ts";
import { shownTime } from "../shown-values.ts";
import type { Io } from "../terminal.ts";
import { type StuckStep, sagaIn, shownCounts, shownError, stepsIn, stuckPart, stuckSteps } from "./saga-progress.ts";
import { nameOf, typesFor, workflowColumnsOf, workflowKind } from "./workflow-list.ts";

/** What the options of `saga ls` hold. */
export interface SagaListFlags extends ConnectionFlags {
  readonly output: OutputFormat;
  readonly stuck?: boolean;
  readonly status?: readonly WorkflowStatus[];
  readonly limit: number;
}

interface SagaSummary extends WorkflowSummary {
  /** How many steps are in which state, in words. */
  readonly counts: string;
  readonly steps: Readonly<Record<string, string>>;
}

function sagaKind(now: number, sagas: readonly SagaSummary[]): Kind<SagaSummary> {
  const { columns, json } = workflowKind(now);
  const [name, status, state, ...rest] = workflowColumnsOf(columns, sagas) as ReadonlyArray<Column<SagaSummary>>;
  const shown = [
    { ...(name as Column<SagaSummary>), header: "saga" },
    status as Column<SagaSummary>,
    { header: "steps", cell: ({ counts }: SagaSummary) => counts, isFlexible: true },
    { ...(state as Column<SagaSummary>), isMinor: true },
    ...rest,
  ];
  return {
    id: nameOf,
    json: ({ counts: _, ...saga }) => json(saga as SagaSummary),
    columns: shown,
  };
}

const stuckKind: Kind<StuckStep> = {
  id: ({ saga, step }) => `${saga} ${step}`,
  json: ({ since, part, ...stuck }) => ({ ...stuck, what: part, since: shownTime(since) }),
  columns: [
    { header: "saga", cell: ({ saga }) => saga, isFlexible: true },
    { header: "step", cell: ({ step }) => step, style: () => "bold" },
    { header: "what", cell: ({ part }) => part },
    { header: "since", cell: ({ since }) => shownTime(since), isMinor: true },
    { header: "letter", cell: ({ letter }) => letter ?? "-" },
    {
      header: "error",
      cell: ({ error }) => (error === undefined ? "-" : shownError(error)),
      style: () => "red",
      isFlexible: true,
    },
  ],
};

/** Prints sagas, those that were started last first; or the steps that are stuck. */
export async function listSagas(type: string | undefined, flags: SagaListFlags, io: Io): Promise<ExitCode> {
  await withClient(flags, io, (client) => printSagas(client, type, flags, io, Date.now()));
  return exitCodes.ok;
}

/** As {@link listSagas}, with a client that is open. */
export async function printSagas(
  client: Client,
  type: string | undefined,
  flags: SagaListFlags,
  io: Pick<Io, "out" | "err">,
  now: number,
): Promise<void> {
  const { status, limit, stuck: wantsStuck = false } = flags;
  const sagas: SagaSummary[] = [];
  const stuck: StuckStep[] = [];
  for (const each of await typesFor(client, type)) {
    for await (const view of client.views(each)) {
      const [summary, saga] = [summaryOf(view), sagaIn(view)];
      if (summary === undefined || saga === undefined) continue;
      if (status !== undefined && !status.includes(summary.status)) continue;
      if (!wantsStuck) {
        const steps = Object.fromEntries(
          stepsIn(saga).map(([name, step]) => [name, stuckPart(step) === undefined ? step.state : "stuck"]),
        );
        sagas.push({ ...summary, counts: shownCounts(saga), steps });
      } else if (view.status === "active") stuck.push(...(await stuckSteps(client, view, saga)));
    }
  }
  const isFiltered = type !== undefined || status !== undefined;
  const count = wantsStuck ? stuck.length : sagas.length;
  if (count === 0) io.err.write(`No ${wantsStuck ? "steps are stuck" : `sagas${isFiltered ? " that match" : ""}`}.\n`);
  if (wantsStuck) {
    stuck.sort((one, other) => one.since - other.since);
    printList(io.out, flags.output, stuckKind, stuck.slice(0, limit));
  } else {
    sagas.sort((one, other) => other.startedAt - one.startedAt || (nameOf(one) < nameOf(other) ? -1 : 1));
    const shown = sagas.slice(0, limit);
    printList(io.out, flags.output, sagaKind(now, shown), shown);
  }
  if (count > limit) io.err.write(`There are more than ${limit}: --limit shows more of them.\n`);
}

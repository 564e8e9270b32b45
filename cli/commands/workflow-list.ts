/** `statewright workflow ls`: workflows by how far they have come, and how workflows are named and printed in lists. */
import type { Client } from "../../actors/client.ts";
import { type Address, parseAddress } from "../../runtime/core/address.ts";
import { UnknownActorTypeError, WorkflowNotFoundError } from "../../runtime/core/errors.ts";
import { nearestName } from "../../runtime/supervise/check-options.ts";
import { listWorkflows, type WorkflowSummary } from "../../workflows/list-workflows.ts";
import type { WorkflowStatus } from "../../workflows/workflow-status.ts";
import type { ConnectionFlags } from "../connection-flags.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { withClient } from "../open-client.ts";
import { type Column, type Kind, type OutputFormat, printList } from "../printer.ts";
import { shownDuration } from "../shown-amounts.ts";
import { shownState, shownTime } from "../shown-values.ts";
import type { Io, Style } from "../terminal.ts";

/** What the options of `workflow ls` hold. */
export interface WorkflowListFlags extends ConnectionFlags {
  readonly output: OutputFormat;
  readonly status?: readonly WorkflowStatus[];
  readonly since?: Date | number;
  readonly until?: Date | number;
  readonly limit: number;
}

/** How a status is coloured. */
export const statusStyles: Readonly<Record<WorkflowStatus, Style>> = {
  running: "green",
  compensating: "yellow",
  stuck: "red",
  completed: "dim",
  compensated: "yellow",
  failed: "red",
  cancelled: "dim",
  "timed-out": "red",
  terminated: "dim",
};

/** A workflow in a list; `now` is what the age of a running one is counted to. */
export function workflowKind(now: number): Kind<WorkflowSummary> {
  return {
    id: nameOf,
    json: (workflow) => ({
      workflow: nameOf(workflow),
      ...workflow,
      startedAt: shownTime(workflow.startedAt),
      endedAt: workflow.endedAt === undefined ? undefined : shownTime(workflow.endedAt),
      changedAt: shownTime(workflow.changedAt),
    }),
    columns: [
      { header: "workflow", cell: nameOf, isFlexible: true },
      { header: "status", cell: ({ status }) => status, style: ({ status }) => statusStyles[status] },
      { header: "state", cell: ({ state }) => shownState(state), isFlexible: true },
      { header: "run", cell: ({ run }) => String(run) },
      { header: "started", cell: ({ startedAt }) => shownTime(startedAt), isMinor: true },
      { header: "took", cell: (workflow) => shownAge(workflow, now) },
      { header: "parked", cell: ({ parkedBy }) => parkedBy ?? "-", style: () => "yellow" },
      { header: "error", cell: ({ error }) => error ?? "-", isFlexible: true },
    ],
  };
}

/** How a list of workflows is printed: without the columns of what none of them has. */
export function workflowColumnsOf<Item extends WorkflowSummary>(
  columns: readonly Column<Item>[],
  workflows: readonly Item[],
): readonly Column<Item>[] {
  const absent = new Set([
    ...(workflows.some(({ run }) => run > 1) ? [] : ["run"]),
    ...(workflows.some(({ parkedBy }) => parkedBy !== undefined) ? [] : ["parked"]),
    ...(workflows.some(({ error }) => error !== undefined) ? [] : ["error"]),
  ]);
  return columns.filter(({ header }) => !absent.has(header));
}

/** Writes how long a workflow took; with `so far` when it has not ended. */
function shownAge({ startedAt, endedAt }: Pick<WorkflowSummary, "startedAt" | "endedAt">, now: number): string {
  return `${shownDuration(Math.max(0, (endedAt ?? now) - startedAt))}${endedAt === undefined ? " so far" : ""}`;
}

/** A workflow, as commands take it. */
export function nameOf({ type, key }: { readonly type: string; readonly key: string }): string {
  return `${type}/${key}`;
}

/** Prints workflows, those that were started last first. */
export async function listRuns(type: string | undefined, flags: WorkflowListFlags, io: Io): Promise<ExitCode> {
  await withClient(flags, io, (client) => printWorkflows(client, type, flags, io, Date.now()));
  return exitCodes.ok;
}

/** As {@link listRuns}, with a client that is open. */
export async function printWorkflows(
  client: Client,
  type: string | undefined,
  flags: WorkflowListFlags,
  io: Pick<Io, "out" | "err">,
  now: number,
): Promise<void> {
  const { status, since, until, limit } = flags;
  const found = await listWorkflows(client, await typesFor(client, type), {
    ...(status === undefined ? {} : { status }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    limit: limit + 1,
  });
  if (found.length === 0) {
    const isFiltered = [type, status, since, until].some((each) => each !== undefined);
    io.err.write(`No workflows${isFiltered ? " that match" : ""}.\n`);
  }
  const shown = found.slice(0, limit);
  const kind = workflowKind(now);
  printList(io.out, flags.output, { ...kind, columns: workflowColumnsOf(kind.columns, shown) }, shown);
  if (found.length > limit) io.err.write(`There are more than ${limit}: --limit shows more of them.\n`);
}

/** The types among whose actors workflows are looked for. Errors: `UnknownActorTypeError` for one that no node has registered. */
export async function typesFor(client: Client, type: string | undefined): Promise<readonly string[]> {
  const known = await client.types();
  if (type === undefined) return known.filter(({ needsCreate }) => needsCreate).map((info) => info.type);
  if (known.some((info) => info.type === type)) return [type];
  const names = known.map((info) => info.type);
  const near = nearestName(type, names);
  const hint = near === undefined ? `the space has ${names.join(", ") || "none"}` : `did you mean "${near}"?`;
  throw new UnknownActorTypeError(`Cannot list workflows of type "${type}": no node has registered it; ${hint}`, {
    details: { type, known: names },
  });
}

/** Reads `type/key`. Errors: `InvalidNameError`. */
export function readWorkflow(text: string): { readonly address: Address; readonly name: string } {
  const address = parseAddress(text);
  return { address, name: text };
}

/** What is thrown about a workflow that was never started. */
export function neverStarted(attempt: string, name: string): WorkflowNotFoundError {
  return new WorkflowNotFoundError(
    `Cannot ${attempt} ${name}: it was never started. Correct the key; statewright workflow ls lists those that were.`,
    { details: { workflow: name } },
  );
}

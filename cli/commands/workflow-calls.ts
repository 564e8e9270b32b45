/** `statewright workflow start`, `signal`, `result`, `cancel` and `terminate`. None needs the modules of the workflow: they work on its address. */
import type { AskResult, Client } from "../../actors/client.ts";
import type { AnyActorDefinition } from "../../actors/define-actor.ts";
import { formatAddress, makeAddress } from "../../runtime/core/address.ts";
import { InvalidOptionsError, isStatewrightError } from "../../runtime/core/errors.ts";
import { refuseConflict } from "../../workflows/define-workflow.ts";
import { createRun } from "../../workflows/workflow-run.ts";
import { statusOf, type WorkflowStatus } from "../../workflows/workflow-status.ts";
import type { ConnectionFlags } from "../connection-flags.ts";
import { parseJson, readJsonText } from "../event-argument.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { tellFailure } from "../failure.ts";
import { withClient } from "../open-client.ts";
import { type Kind, ListPrinter, type OutputFormat, printList } from "../printer.ts";
import { shownJsonLines, toPlain } from "../shown-values.ts";
import type { Io } from "../terminal.ts";
import { eachLetter, readLetters } from "./dead-letters.ts";
import { callOptions, readGivenEvent, sentKind, wishesOf } from "./send.ts";
import { neverStarted, readWorkflow, statusStyles } from "./workflow-list.ts";

/** What the options of commands that call workflows hold. */
export interface WorkflowCallFlags extends ConnectionFlags {
  readonly output: OutputFormat;
  readonly timeout?: number;
  readonly sender?: string;
}

interface Started {
  readonly workflow: string;
  readonly isNew: boolean;
  readonly status: WorkflowStatus;
  readonly run: number | undefined;
}

const startedKind: Kind<Started> = {
  id: ({ workflow }) => workflow,
  json: (started) => started,
  columns: [
    { header: "workflow", cell: ({ workflow }) => workflow, isFlexible: true },
    { header: "started", cell: ({ isNew }) => (isNew ? "now" : "before, with the same input") },
    { header: "status", cell: ({ status }) => status, style: ({ status }) => statusStyles[status] },
  ],
};

/** Starts a workflow, or finds the one that was started with the same input. Errors: `WorkflowConflictError` for another one. */
export async function startRun(
  workflow: string,
  flags: WorkflowCallFlags & { readonly key?: string; readonly input?: string; readonly allowUnknown?: boolean },
  io: Io,
): Promise<ExitCode> {
  const { type, id } = readStarted(workflow, flags.key);
  const input = flags.input === undefined ? undefined : parseJson(await readJsonText(flags.input, io), "--input");
  const started = await withClient(
    flags,
    io,
    (client) => startWorkflow(client, type, id, input, timeoutOf(flags)),
    wishesOf(flags),
  );
  printList(io.out, flags.output, startedKind, [started]);
  return exitCodes.ok;
}

/** As {@link startRun}, with a client that is open. */
export async function startWorkflow(
  client: Client,
  type: string,
  key: string,
  input: unknown,
  options: { readonly timeout?: number } = {},
): Promise<Started> {
  const { created, view } = await client.create({ type, id: key }, input, options);
  if (!created) refuseConflict(type, key, view, input);
  return { workflow: `${type}/${key}`, isNew: created, status: statusOf(view), run: view.run?.n };
}

function readStarted(workflow: string, key: string | undefined): { readonly type: string; readonly id: string } {
  if (key !== undefined) return makeAddress(workflow, key);
  if (workflow.includes("/")) return readWorkflow(workflow).address;
  throw new InvalidOptionsError(
    `Cannot start a workflow of type "${workflow}": its key is missing. Use --key; a workflow that was started with the same key and input is found, not started again.`,
    { details: { workflow } },
  );
}

/** Sends a workflow an event, and prints the receipt. Errors: `WorkflowNotFoundError` when it was never started. */
export async function signalRun(
  workflow: string,
  event: string | undefined,
  flags: WorkflowCallFlags & { readonly data?: string; readonly key?: string },
  io: Io,
): Promise<ExitCode> {
  readWorkflow(workflow);
  const given = await readGivenEvent(event, flags.data, io);
  return withClient(
    flags,
    io,
    async (client) => {
      const view = await client.get(workflow);
      if (view === undefined) throw neverStarted("signal", workflow);
      const receipt = await client.send(workflow, given, callOptions(flags));
      printList(io.out, flags.output, sentKind, [{ actor: workflow, event: given.type, receipt }]);
      if (view.status !== "active") {
        io.err.write(`${workflow} has ended before (${statusOf(view)}): the event changes nothing.\n`);
      }
      return exitCodes.ok;
    },
    wishesOf(flags),
  );
}

/** Waits for the end of a workflow, and prints its output as JSON. Errors: what it has ended with; `WaitTimeoutError`. */
export async function printResult(workflow: string, flags: WorkflowCallFlags, io: Io): Promise<ExitCode> {
  readWorkflow(workflow);
  const output = await withClient(flags, io, (client) => resultOf(client, workflow, flags.timeout));
  // What a pipe reads is JSON whatever the output is.
  const plain = toPlain(output) ?? null;
  io.out.write(`${flags.output === "json" ? JSON.stringify(plain) : shownJsonLines(plain).join("\n")}\n`);
  return exitCodes.ok;
}

/** As {@link printResult}: resolves with the output. */
export async function resultOf(client: Client, workflow: string, timeout?: number): Promise<unknown> {
  const { address } = readWorkflow(workflow);
  const { type, id } = address;
  // A handle asks a definition for references, and for nothing else.
  const definition = { type, ref: (key: string) => ({ type, id: key }) } as unknown as AnyActorDefinition;
  const run = createRun({ client, definition, key: id, queries: {}, checkOutput: (output) => output });
  return run.result(timeout === undefined ? {} : { timeout });
}

function timeoutOf({ timeout }: WorkflowCallFlags): { readonly timeout?: number } {
  return timeout === undefined ? {} : { timeout };
}

interface Told {
  readonly workflow: string;
  readonly isAccepted: boolean;
  readonly status: WorkflowStatus;
  readonly result: string;
}

const toldKind: Kind<Told> = {
  id: ({ workflow }) => workflow,
  json: ({ workflow, isAccepted, status }) => ({ workflow, isAccepted, status }),
  columns: [
    { header: "workflow", cell: ({ workflow }) => workflow, isFlexible: true },
    { header: "status", cell: ({ status }) => status, style: ({ status }) => statusStyles[status] },
    { header: "result", cell: ({ result }) => result, isFlexible: true },
  ],
};

/** Tells workflows to come to their end, or ends them at once. Exit code 1 when one has ended before, or refuses. */
export async function endRuns(
  verb: "cancel" | "terminate",
  workflows: readonly string[],
  flags: WorkflowCallFlags & { readonly reason?: string },
  io: Io,
): Promise<ExitCode> {
  const named = await readLetters(workflows, io);
  for (const workflow of named) readWorkflow(workflow);
  return withClient(flags, io, (client) => endEach(client, verb, named, flags, io), wishesOf(flags));
}

/** As {@link endRuns}, with a client that is open. */
export async function endEach(
  client: Client,
  verb: "cancel" | "terminate",
  workflows: readonly string[],
  flags: Pick<WorkflowCallFlags, "output" | "verbose" | "timeout"> & { readonly reason?: string },
  io: Io,
): Promise<ExitCode> {
  const printer = new ListPrinter(io.out, flags.output, toldKind);
  let isRefused = false;
  const code = await eachLetter(workflows, flags, io, async (workflow) => {
    const answer = await endOne(client, verb, workflow, flags);
    const refused = refusalOf(answer);
    if (refused === undefined) {
      const status = statusOf(answer.view);
      const isOver = answer.view.status !== "active";
      const result = isOver ? "has ended" : "is on its way to its end";
      printer.print([{ workflow, isAccepted: true, status, result }]);
      return;
    }
    isRefused = true;
    const message = `Cannot ${verb} ${workflow}: ${refused.replace(/\.$/, "")}. Nothing was changed.`;
    tellFailure(io.err, new Error(message), { format: flags.output, isVerbose: false });
  });
  return code === exitCodes.ok && isRefused ? exitCodes.failed : code;
}

async function endOne(
  client: Client,
  verb: "cancel" | "terminate",
  workflow: string,
  { reason, timeout }: { readonly reason?: string; readonly timeout?: number },
): Promise<AskResult> {
  const options = { ...(reason === undefined ? {} : { reason }), ...(timeout === undefined ? {} : { timeout }) };
  try {
    return await client[verb](workflow, options);
  } catch (error) {
    if (isStatewrightError(error) && error._tag === "ActorNotFoundError") throw neverStarted(verb, workflow);
    throw error;
  }
}

/** Why nothing was changed; undefined when something was. */
function refusalOf({ outcome, reply, view }: AskResult): string | undefined {
  if (view.run === undefined) return `${formatAddress(view.address)} is an actor, but no workflow`;
  if (outcome === "ignored") return `it has ended before (${statusOf(view)})`;
  const { isRefused, why } = (reply ?? {}) as { readonly isRefused?: unknown; readonly why?: unknown };
  return isRefused === true ? String(why ?? "it refuses") : undefined;
}

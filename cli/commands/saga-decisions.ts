/**
 * `statewright saga retry`, `done` and `skip`: what an operator decides about a step that cannot go on.
 *
 * The letters that asked for the decision are closed once the saga has taken it: what is open in the list of letters waits for somebody.
 */
import type { Client } from "../../actors/client.ts";
import type { ActorView } from "../../actors/view.ts";
import { InvalidOptionsError } from "../../runtime/core/errors.ts";
import { nearestName } from "../../runtime/supervise/check-options.ts";
import { bringDecision } from "../../workflows/saga/operator.ts";
import type { SagaContext, SagaDecision } from "../../workflows/saga/progress.ts";
import { statusOf } from "../../workflows/workflow-status.ts";
import type { ConnectionFlags } from "../connection-flags.ts";
import { parseJson, readJsonText } from "../event-argument.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { messageOf, tellFailure } from "../failure.ts";
import { withClient } from "../open-client.ts";
import { type FullKind, type OutputFormat, printItem } from "../printer.ts";
import { shownState } from "../shown-values.ts";
import type { Io } from "../terminal.ts";
import { sagaIn, shownUndo, stuckPart } from "./saga-progress.ts";
import { wishesOf } from "./send.ts";
import { neverStarted, readWorkflow, statusStyles } from "./workflow-list.ts";

/** What an operator may decide. */
export type Decision = "retry" | "done" | "skip";

/** What the options of a decision hold. */
export interface DecisionFlags extends ConnectionFlags {
  readonly output: OutputFormat;
  readonly timeout?: number;
  readonly note?: string;
  readonly by?: string;
  /** Of `done`: JSON, `@file`, or `-`. */
  readonly result?: string;
  readonly sender?: string;
}

interface Decided {
  readonly view: ActorView;
  readonly name: string;
  readonly step: string;
  readonly decision: Decision;
  readonly letters: readonly string[];
}

const meanings: Readonly<Record<Decision, string>> = {
  retry: "is tried again",
  done: "is taken for done",
  skip: "is skipped",
};

const decidedKind: FullKind<Decided> = {
  id: ({ name }) => name,
  json: ({ view, name, step, decision, letters }) => ({
    saga: name,
    step,
    decision,
    status: statusOf(view),
    state: view.value,
    lettersClosed: letters,
  }),
  fields: ({ view, name, step, decision, letters }) => {
    const status = statusOf(view);
    return [
      { label: "saga", text: name, style: "bold" },
      { label: "step", text: `${step} ${meanings[decision]}` },
      ...(letters.length === 0 ? [] : [{ label: "closed", text: `dead letter ${letters.join(", ")}` }]),
      { label: "status", text: status, style: statusStyles[status] },
      { label: "state", text: shownState(view.value) },
    ];
  },
};

/** Brings a decision to a saga. Exit code 1 when the step does not wait for one. Errors: `WorkflowNotFoundError`. */
export async function decide(
  decision: Decision,
  name: string,
  step: string,
  flags: DecisionFlags,
  io: Io,
): Promise<ExitCode> {
  readWorkflow(name);
  const result = flags.result === undefined ? undefined : parseJson(await readJsonText(flags.result, io), "--result");
  const by = flags.by ?? (io.env.USER || "cli");
  return withClient(
    flags,
    io,
    (client) => decideOpen(client, name, eventOf(decision, step, { result, by, note: flags.note }), flags, io),
    wishesOf(flags),
  );
}

function eventOf(
  decision: Decision,
  step: string,
  { result, by, note }: { readonly result: unknown; readonly by: string; readonly note: string | undefined },
): SagaDecision {
  return {
    type: `saga.${decision}`,
    step,
    by,
    ...(note === undefined ? {} : { note }),
    ...(decision !== "done" || result === undefined ? {} : { result }),
  };
}

/** As {@link decide}, with a client that is open. */
export async function decideOpen(
  client: Client,
  name: string,
  event: SagaDecision,
  flags: Pick<DecisionFlags, "output" | "timeout">,
  io: Pick<Io, "out" | "err">,
): Promise<ExitCode> {
  const { type, step, note } = event;
  const decision = type.replace("saga.", "") as Decision;
  const before = await client.get(name);
  if (before === undefined) throw neverStarted(decision, name);
  if (sagaIn(before) === undefined) {
    throw new InvalidOptionsError(`Cannot ${decision} step "${step}" of ${name}: it is no saga.`, {
      details: { saga: name, step },
    });
  }
  const asking = flags.timeout === undefined ? {} : { timeout: flags.timeout };
  const closing = `saga ${decision}${note === undefined ? "" : `: ${note}`}`;
  const { isTaken, result, closed, left } = await bringDecision(client, before.address, event, closing, asking);
  const { view } = result;
  if (!isTaken) {
    const why = whyIgnored(view, step);
    const message = `Cannot ${decision} step "${step}" of ${name}: ${why}. Nothing was changed.`;
    tellFailure(io.err, new Error(message), { format: flags.output, isVerbose: false });
    return exitCodes.failed;
  }
  for (const { letter, error } of left) {
    // The decision is taken whatever becomes of the letter, which may have been redriven meanwhile.
    io.err.write(`The decision is taken, but dead letter ${letter} stays as it is: ${messageOf(error)}\n`);
  }
  printItem(io.out, flags.output, decidedKind, {
    view,
    name,
    step,
    decision,
    letters: closed,
  });
  return exitCodes.ok;
}

/** Why a saga takes no decision about a step, in words. */
function whyIgnored(view: ActorView, step: string): string {
  if (view.status !== "active") return `the saga has ended before (${statusOf(view)})`;
  // The caller has looked: it is a saga.
  const { steps } = sagaIn(view) as SagaContext;
  const progress = Object.hasOwn(steps, step) ? steps[step] : undefined;
  const stuck = Object.entries(steps).flatMap(([each, of]) => (stuckPart(of) === undefined ? [] : [each]));
  const instead = stuck.length === 0 ? "no step of it is" : `stuck is ${stuck.join(", ")}`;
  if (progress === undefined) {
    const near = nearestName(step, Object.keys(steps));
    return `the step is not stuck, since none of this name was begun; ${near === undefined ? instead : `did you mean "${near}"?`}`;
  }
  const undo = progress.undo === undefined ? "" : `, ${shownUndo(progress.undo)}`;
  return `the step is not stuck (it is ${progress.state}${undo}); ${instead}`;
}

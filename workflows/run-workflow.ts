/** Child workflows: a machine starts a workflow of its own key and waits for its end. */
import { makeAddress } from "../runtime/core/address.ts";
import { TerminalError } from "../runtime/core/errors.ts";
import { makeAskLogic, type ParentClosePolicy } from "../runtime/machine/ask-logic.ts";
import { refuseProblems, shown, unknownOptions } from "../runtime/supervise/check-options.ts";
import { isWorkflowDefinition } from "./define-workflow.ts";
import type { AnyWorkflowDefinition, WorkflowDefinition } from "./workflow-definition.ts";

export type { ParentClosePolicy };

/** Options of {@link runWorkflow}. */
export interface RunWorkflowOptions {
  /**
   * What becomes of the workflow when the state that waits for it is left, or its parent ends: it is told to `cancel`, it is `terminate`d, or goes on alone (`abandon`).
   * Only of one that was started here: one that was found under its key goes on. Default: `cancel`.
   */
  readonly onParentClose?: ParentClosePolicy;
}

/** What a child workflow is started with. */
export interface RunWorkflowInput<Input> {
  /** The business key. Default: what the definition makes of the input. */
  readonly key?: string;
  readonly input: Input;
}

// What the actor logic of a child workflow looks like to XState.
type WorkflowLogic<Output, Input> = ReturnType<typeof makeAskLogic<Output, RunWorkflowInput<Input>>>;

const policies: readonly unknown[] = ["cancel", "terminate", "abandon"] satisfies ParentClosePolicy[];

/**
 * Actor logic to be invoked or spawned: starts a workflow, or finds the one under the key, and is done with its output, which is checked by the workflow's schema and taken as it is. `onError` has the error that it ended with;
 * `WorkflowConflictError` when the key's workflow was started with another input.
 *
 * ```ts
 * actors: { ship: runWorkflow(shipping) }
 * invoke: { src: "ship", input: ({ context }) => ({ key: context.order, input: { address: context.address } }), onDone: "shipped", onError: "lost" }
 * ```
 */
export function runWorkflow<Input, Output>(
  // biome-ignore lint/suspicious/noExplicitAny: any events, context and queries; the inferred ones are all that is of interest here.
  workflow: WorkflowDefinition<any, any, Input, Output, any, any>,
  options: RunWorkflowOptions = {},
): WorkflowLogic<Output, Input> {
  if (!isWorkflowDefinition(workflow))
    refuseProblems("Cannot run a workflow", [
      `${shown(workflow)} is no workflow: use what defineWorkflow or saga(…).end() returns`,
    ]);
  const { onParentClose = "cancel" } = options;
  const problems = unknownOptions(options, ["onParentClose"], "");
  if (!policies.includes(onParentClose))
    problems.push(`onParentClose is ${shown(onParentClose)}: use ${policies.map(shown).join(", ")}`);
  refuseProblems(`Cannot run workflow "${workflow.type}"`, problems);
  return makeAskLogic<Output, RunWorkflowInput<Input>>({
    request(given) {
      const { key, input } = (given ?? {}) as { readonly key?: unknown; readonly input?: unknown };
      const checked = workflow.checkInput(input);
      if ("reason" in checked) {
        throw new TerminalError(`Cannot start workflow "${workflow.type}": ${checked.problems.join("; ")}.`, {
          details: { workflow: workflow.type, problems: checked.problems },
        });
      }
      return { kind: "run", to: addressOf(workflow, key, input), input, onParentClose };
    },
    refusal(answer) {
      try {
        workflow.checkOutput(answer);
        return undefined;
      } catch (error) {
        return error as Error;
      }
    },
  });
}

function addressOf(workflow: AnyWorkflowDefinition, key: unknown, input: unknown): ReturnType<typeof makeAddress> {
  const { type } = workflow;
  let id: unknown;
  try {
    const own = workflow.keyOf(input);
    if (own !== undefined && key !== undefined && own !== key)
      throw new Error(`its definition makes the key ${shown(own)} of the input, and it is given ${shown(key)}.`);
    id = own ?? key;
    if (id !== undefined) return makeAddress(type, id as string);
  } catch (cause) {
    throw new TerminalError(
      `Cannot start workflow "${type}": ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        cause,
      },
    );
  }
  throw new TerminalError(
    `Cannot start workflow "${type}": it has no key. Say it in the input of the invoke, { key, input }, or in defineWorkflow({ key }).`,
  );
}

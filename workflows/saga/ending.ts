/** How a saga ends: with its output, or with the error that says why it was turned round and what was undone. */
import {
  SagaCompensatedError,
  type StatewrightErrorOptions,
  WorkflowCancelledError,
  WorkflowTimeoutError,
} from "../../runtime/core/errors.ts";
import { fail } from "../../runtime/machine/endings.ts";
import type { SagaModel } from "./model.ts";
import type { SagaContext, StepProgress } from "./progress.ts";

/** The output of a saga's machine at its end. */
export function outputOf(model: SagaModel, context: SagaContext): unknown {
  if (context.direction === "undoing") return fail(errorOf(model.name, context));
  const { input, results } = context;
  return model.end === undefined ? results : model.end({ input, results });
}

function errorOf(saga: string, context: SagaContext): Error {
  const undone = undoneAs(context, ["done", "noted"]);
  const skipped = undoneAs(context, ["skipped"]);
  const what = `Saga "${saga}" under the key ${JSON.stringify(context.run.id)}`;
  const after = `${undone.length === 0 ? "there was nothing to undo" : `undone: ${undone.join(", ")}`}${
    skipped.length === 0 ? "" : `; not undone, as an operator decided: ${skipped.join(", ")}`
  }`;
  const { cause } = context;
  const details = { saga, undone, skipped };
  switch (cause?.kind) {
    case "cancel": {
      const { kind: _, ...said } = cause;
      return new WorkflowCancelledError(
        `${what} was cancelled${said.reason === undefined ? "" : `: ${said.reason}`}; ${after}.`,
        { details: { ...details, ...said } },
      );
    }
    case "timeout":
      return new WorkflowTimeoutError(`${what} took longer than its timeout, and was turned round; ${after}.`, {
        details,
      });
    default: {
      const { step, error } = cause ?? { step: undefined, error: undefined };
      const options: StatewrightErrorOptions = { cause: error, details: { ...details, step } };
      return new SagaCompensatedError(
        `${what} was turned round: "${step}" has failed: ${error instanceof Error ? error.message : String(error)}; ${after}.`,
        options,
      );
    }
  }
}

/** The steps whose undoing ended so, in the order of undoing: the last begun first. */
function undoneAs({ steps }: SagaContext, ends: ReadonlyArray<StepProgress["undo"]>): string[] {
  return Object.entries(steps)
    .filter(([, { undo }]) => undo !== undefined && ends.includes(undo))
    .sort(([, one], [, other]) => other.n - one.n)
    .map(([name]) => name);
}

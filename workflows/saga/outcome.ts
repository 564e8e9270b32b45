/**
 * What the failure of a step says about whether the step happened (rule S3), and which steps there is something to undo about (S2).
 *
 * In doubt it may have happened.
 */
import type { SagaEvent } from "./changes.ts";
import type { StepNode, StepOutcome } from "./model.ts";
import type { StepProgress } from "./progress.ts";

/** Errors of something that was asked and says, or of which it is known, that it did nothing. */
const refusals = ["AskRefusedError", "EventIgnoredError", "WorkflowConflictError"];

/** Reads the error event of a step. */
export function outcomeOf(event: SagaEvent, isFatal: (error: unknown) => boolean): "refused" | "unknown" {
  const { error } = event;
  const { name, message } = (error ?? {}) as { readonly name?: unknown; readonly message?: unknown };
  if (refusals.includes(name as string)) return "refused";
  // A value is refused before the handler is called, or after: the error is the same, but for its words.
  if (name === "ActivityValueError") return String(message).includes(": its input was refused") ? "refused" : "unknown";
  // An attempt before, of which nothing is known, may have done the work.
  return event.attempts === 1 && (name === "TerminalError" || saysFatal(isFatal, error)) ? "refused" : "unknown";
}

/** Asks a predicate that may meet an error which it was not written for. */
export function saysFatal(isFatal: (error: unknown) => boolean, error: unknown): boolean {
  try {
    return isFatal(error) === true;
  } catch {
    return false;
  }
}

/** True while there is something to undo about a step. */
export function isToUndo({ undo, undoOn }: StepNode, progress: StepProgress | undefined): boolean {
  if (undo === undefined || progress === undefined || progress.state === "skipped") return false;
  if (progress.undo !== undefined && progress.undo !== "begun" && progress.undo !== "stuck") return false;
  const outcome = undoOutcome(progress);
  if (outcome === "done") return true;
  return outcome === "unknown" ? undoOn !== "done" : undoOn === "always";
}

/** What an undo is told of its step. */
export function undoOutcome({ state }: StepProgress): StepOutcome {
  return state === "done" || state === "refused" ? state : "unknown";
}

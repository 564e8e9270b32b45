/** How far a workflow has come, in one word. */
import type { ActorView } from "../actors/view.ts";

/**
 * How far a workflow has come.
 *
 * *Details* While it is active: `running`; `compensating` while it undoes what it has done; `stuck` when it waits for an operator. When it has ended: `completed`;
 * `compensated`, it has failed and undone what it had done; `failed`; `cancelled`, `timed-out`, `terminated`.
 */
export type WorkflowStatus =
  | "running"
  | "compensating"
  | "stuck"
  | "completed"
  | "compensated"
  | "failed"
  | "cancelled"
  | "timed-out"
  | "terminated";

/** Every status, in the order in which a workflow may come to them. */
export const workflowStatuses: readonly WorkflowStatus[] = [
  "running",
  "compensating",
  "stuck",
  "completed",
  "compensated",
  "failed",
  "cancelled",
  "timed-out",
  "terminated",
];

const endings: ReadonlyMap<unknown, WorkflowStatus> = new Map([
  ["SagaCompensatedError", "compensated"],
  ["WorkflowCancelledError", "cancelled"],
  ["WorkflowTimeoutError", "timed-out"],
  ["WorkflowTerminatedError", "terminated"],
]);

/** The tag of states in which a workflow undoes what it has done. */
export const compensatingTag = "compensating";
/** The tag of states in which a workflow waits for an operator. */
export const stuckTag = "stuck";

/** Reads the status of a workflow off its state. */
export function statusOf(view: ActorView): WorkflowStatus {
  if (view.status === "done") return "completed";
  if (view.status === "active") {
    return view.hasTag(stuckTag) ? "stuck" : view.hasTag(compensatingTag) ? "compensating" : "running";
  }
  return statusOfError(view.error);
}

/** Reads the status of a workflow off the error that it ended with. */
export function statusOfError(error: unknown): WorkflowStatus {
  return endings.get((error as { name?: unknown } | undefined)?.name) ?? "failed";
}

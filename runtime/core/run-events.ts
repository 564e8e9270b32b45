/** Events of the runtime's own that the machine of a workflow may take. */

/** Tells it to come to its end: `{ reason?, by? }`. */
export const cancelEvent = "workflow.cancel";
/** Says that its time is over. Also the id of the timer that brings it. */
export const timeoutEvent = "workflow.timeout";

/** Named instants of the way from message to commit, at which tests let a process die. */

/** Every fault point, in the order in which a message meets them. */
export const faultPoints = [
  /** A record was read and stands in its lane. */
  "read",
  /** A timer that is due soon is in memory. */
  "timer.armed",
  /** A timer is due and stands in its lane. */
  "timer.before",
  /** An actor's state was loaded. */
  "loaded",
  /** A message was decided; nothing is written. */
  "decided",
  /** The commit is put together and not yet handed to the log. */
  "commit.before",
  /** The log has confirmed the commit; nothing was done about it. */
  "commit.after",
  /** Actions and answers of a commit are done. */
  "answered",
  /** A dead letter is part of the next commit. */
  "letter.before",
  /** A retry was scheduled. */
  "retry",
  /** The checkpoint is about to be written. */
  "checkpoint.before",
  /** The checkpoint is written and nothing is purged. */
  "checkpoint.after",
  /** Handled messages were purged. */
  "purged",
  /** A partition's lease was taken and its readers are not open. */
  "lease.taken",
  /** A partition was drained and its lease is still held. */
  "drained",
] as const;

/** The name of a fault point. */
export type FaultPoint = (typeof faultPoints)[number];

/** Called at every fault point; it may throw or end the process to simulate a crash there. */
export type FaultHook = (point: FaultPoint) => void;

/** Does nothing. */
export const noFaults: FaultHook = () => {};

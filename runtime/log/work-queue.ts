/**
 * The work queue port: records of CORE handed out one by one to whoever pulls, with redelivery.
 *
 * 1. A task is delivered at least once; order is not promised.
 * 2. A task that is neither acknowledged nor extended within `visibilityMs` is delivered again, with `delivery` one higher.
 * 3. Acknowledging is a hint, as everywhere: after a crash an acknowledged task may be delivered again.
 * 4. Acknowledged tasks stay in the log: whoever works on them purges what lies below the floor.
 */

/** A queue over the records that match a filter. */
export interface WorkQueueOptions {
  /** Name of the queue; pullers with the same name share its tasks. Letters, digits, "-" and "_". */
  readonly name: string;
  /** Subjects of CORE, NATS wildcards allowed. */
  readonly filter: string;
  /** How long a task stays with the one who pulled it, in milliseconds; default 30000. */
  readonly visibilityMs?: number;
  /** How many tasks may be out at once over all pullers; default 1000. */
  readonly maxInFlight?: number;
}

/** A task that was pulled. */
export interface Task {
  readonly subject: string;
  readonly seq: number;
  readonly data: Uint8Array;
  /** 1 for the first delivery. */
  readonly delivery: number;
  /** Marks it done. */
  ack(): void;
  /** Gives it back, to be delivered again after `delayMs` (default 0). */
  nak(delayMs?: number): void;
  /** Keeps it for another `visibilityMs`. */
  extend(): void;
}

/** How far the work on a queue has come. */
export interface QueueState {
  /** Every task of the queue with at most this sequence is acknowledged, or was purged; tasks that are acknowledged now may lie above it. */
  readonly floor: number;
  /** Tasks that have never been handed out. */
  readonly waiting: number;
  /** Tasks that were handed out, or given back, and are not acknowledged. */
  readonly out: number;
}

/** An open queue. */
export interface OpenWorkQueue {
  /** Takes up to `max` tasks; waits up to `waitMs` for the first. Resolves with none when the time is over. */
  pull(max: number, waitMs: number): Promise<readonly Task[]>;
  /** Rejects with `LogUnavailableError`. */
  state(): Promise<QueueState>;
  close(): Promise<void>;
}

/** Opens work queues on the CORE stream of a space. */
export interface WorkQueue {
  open(options: WorkQueueOptions): Promise<OpenWorkQueue>;
}

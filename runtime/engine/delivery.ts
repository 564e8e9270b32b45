/** A message on its way through a lane. */
import type { Address } from "../core/address.ts";
import type { DeadReason, FailedAttempt, KeyRecord, LetterRecord } from "../core/records.ts";
import type { StreamName } from "../core/subjects.ts";
import type { RetryState } from "../supervise/retry-delays.ts";

/** A stored message that a partition has read, or a timer that is due, with what has been tried so far. */
export interface Delivery {
  readonly stream: StreamName;
  /** 0 for a timer. */
  readonly seq: number;
  /** The name of the timer with its actor, when this is a timer that is due. */
  readonly timer?: string;
  /** Of a timer: when it was due, milliseconds since 1970. */
  readonly atMs?: number;
  /** Of a timer: a state with at least this sequence has been told of it; 0: every state that is in memory has. */
  setSeq?: number;
  readonly subject: string;
  readonly to: Address;
  /** Who sent it by its subject; undefined in CORE, where the envelope says it. */
  readonly sender: string | undefined;
  readonly data: Uint8Array;
  /** Set when the subject itself is not one that can be delivered: why. */
  readonly unaddressable: string | undefined;
  /** The number under which it waits outside the mailbox; undefined: it is in the mailbox, or a timer. */
  readonly waiting?: number;
  /** Of a message that waits: the timer that woke it for its next attempt. */
  readonly wokenBy?: Delivery;
  /** Failed attempts so far, oldest first, at most the newest 50. */
  attempts: readonly FailedAttempt[];
  attemptCount: number;
  /** When the first attempt was made, milliseconds since 1970; 0: none was. */
  firstAt: number;
  /** The retry policy's own state between attempts. */
  retryState: RetryState | undefined;
  /** Set when the message has failed and is to wait for its next attempt. */
  next: NextAttempt | undefined;
  /** Set when the log showed that its key was applied before. */
  duplicateOf: KeyRecord | undefined;
  /** True when the log was asked for its key since the actor was loaded, and had none. */
  isKeyNew: boolean;
  /** Set when the message is to die. */
  verdict:
    | {
        readonly reason: DeadReason;
        readonly explanation: string;
        readonly earlier: LetterRecord | undefined;
        /** The stored snapshot of the state on which it failed: on another one it may not. */
        readonly on: string | undefined;
      }
    | undefined;
}

/** When a message that has failed is tried again. */
export interface NextAttempt {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** No other message is taken before. */
  readonly isHold: boolean;
  /** What went wrong. */
  readonly error: string;
  /** The stored snapshot of the state on which it failed. */
  readonly on: string | undefined;
}

/** What is known of a delivery that nothing was tried with. */
export const untried: Pick<
  Delivery,
  "attempts" | "attemptCount" | "firstAt" | "retryState" | "next" | "duplicateOf" | "isKeyNew" | "verdict"
> = {
  attempts: [],
  attemptCount: 0,
  firstAt: 0,
  retryState: undefined,
  next: undefined,
  duplicateOf: undefined,
  isKeyNew: false,
  verdict: undefined,
};

/** The actor type that stands for messages without a usable address, one actor per partition; no definition can have this name. */
export const unaddressedType = "_";

/** How many bytes a delivery counts for in the node's budget. */
export function deliveryBytes(delivery: Delivery): number {
  return delivery.data.length + 256;
}

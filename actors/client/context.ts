/** What all parts of one client share. */
import type { DurationInput } from "../../runtime/core/duration.ts";
import { isStatewrightError, SystemStoppedError } from "../../runtime/core/errors.ts";
import type { SpaceRecord } from "../../runtime/core/records.ts";
import type { Subjects } from "../../runtime/core/subjects.ts";
import { sleep, type Time } from "../../runtime/core/time.ts";
import type { Log, LogLimits } from "../../runtime/log/log.ts";

export type { DurationInput };

/** What all parts of one client share. */
export interface ClientContext {
  readonly log: Log;
  /** Limits of appends to INGRESS; those of CORE are the log's. */
  readonly ingressLimits: LogLimits;
  readonly subjects: Subjects;
  readonly partitions: number;
  readonly spaceName: string;
  /** Tells the space from others, also of the same name. */
  readonly identity: SpaceRecord["identity"];
  readonly time: Time;
  /** Random numbers in [0, 1). */
  readonly random: () => number;
  /** Stable name of the service; a subject token that permissions can pin. */
  readonly sender: string;
  /** Unique for this client: the root of its message ids and of its reply subjects. */
  readonly clientId: string;
  /** True from the moment at which everything pending was rejected. */
  isStopped: boolean;
}

/** Delay before trial number `attempt` (from 1) of something that failed for reasons outside: 10 ms doubling up to 1 s, half of it random. */
export function backoffMs(attempt: number, random: () => number): number {
  const ceiling = Math.min(1000, 10 * 2 ** Math.min(attempt - 1, 10));
  return ceiling / 2 + (random() * ceiling) / 2;
}

/** What calls reject with once the client is closed. */
export function stoppedError(attempted: string, known = ""): SystemStoppedError {
  return new SystemStoppedError(`Cannot ${attempted}: the client is closed.${known}`);
}

/**
 * Reads, again and again while the log is not to be reached, until `isNeeded` says that nobody waits any more (then undefined).
 *
 * Errors: whatever else the read rejects with.
 */
export async function readPatiently<T>(
  context: ClientContext,
  read: () => Promise<T>,
  isNeeded: () => boolean,
): Promise<T | undefined> {
  for (let attempt = 1; isNeeded() && !context.isStopped; attempt++) {
    try {
      return await read();
    } catch (error) {
      if (!isStatewrightError(error) || error._tag !== "LogUnavailableError") throw error;
      await sleep(context.time, backoffMs(attempt, context.random));
    }
  }
  return undefined;
}

/** What all parts of one node share. */
import type { DeadLetteredEvent } from "../core/dead-letter-events.ts";
import type { Subjects } from "../core/subjects.ts";
import type { Time } from "../core/time.ts";
import type { Log } from "../log/log.ts";
import type { RunnableDefinition } from "./definition.ts";
import type { FaultHook } from "./faults.ts";
import type { Telemetry } from "./telemetry.ts";

/** Settings of a node, all resolved; durations in milliseconds. */
export interface NodeSettings {
  readonly heartbeatMs: number;
  /** A node that has shown no sign of life for so long has lost its partitions. */
  readonly leaseMs: number;
  readonly checkpointMs: number;
  readonly purgeMs: number;
  /** How often records of past timers are removed. */
  readonly timerPurgeMs: number;
  /** Handled messages stay in INGRESS for at least so long: within it a client may try an unknown send again. */
  readonly ingressGraceMs: number;
  /** How long idempotency keys are remembered. */
  readonly keyRetentionMs: number;
  /** How long published and emitted events are kept. */
  readonly topicRetentionMs: number;
  /** How often the dead-letter office looks at its letters. */
  readonly officeMs: number;
  /** Limits of the dead letters of the space; `Infinity`: none. */
  readonly letterMaxAgeMs: number;
  readonly letterMaxCount: number;
  readonly letterMaxBytes: number;
  /** How long closed letters can be read. */
  readonly closedLettersMs: number;
  /** Deliveries in memory before reading pauses. */
  readonly maxQueued: number;
  readonly maxQueuedBytes: number;
  /** States of idle actors kept in memory, in bytes. */
  readonly cacheBytes: number;
  /** Idle actors leave memory after this time. */
  readonly passivateMs: number;
  /** A graceful stop that is not finished after this time becomes an abrupt one. */
  readonly drainMs: number;
  /** How many attempts of activities run at once. */
  readonly maxActivities: number;
  /** A process without a sign of life for so long loses the places that its activities hold under limits. */
  readonly workerLeaseMs: number;
  /** A message is dead when so many owners of its partition came to their ends while it was handled, the last one while it was tried alone; infinity: never. */
  readonly maxCrashes: number;
  readonly maxRecordsPerCommit: number;
  readonly maxBytesPerCommit: number;
}

/** What all parts of one node share. */
export interface NodeContext {
  readonly node: string;
  /** Node name and a token of this start of it: the owner in leases. */
  readonly owner: string;
  readonly spaceName: string;
  readonly partitions: number;
  readonly subjects: Subjects;
  readonly log: Log;
  readonly time: Time;
  /** Random numbers in [0, 1). */
  readonly random: () => number;
  readonly definitions: ReadonlyMap<string, RunnableDefinition>;
  readonly settings: NodeSettings;
  readonly telemetry: Telemetry;
  readonly fault: FaultHook;
  /** Called for each message that this node has made a dead letter of, after the commit. */
  readonly onDeadLetter?: (event: DeadLetteredEvent) => unknown;
}

/** Delay before trial number `attempt` (from 1) of something that failed for reasons outside: full jitter, 20 ms doubling up to 1 s. */
export function backoffMs(attempt: number, random: () => number): number {
  const ceiling = Math.min(1000, 20 * 2 ** Math.min(attempt - 1, 10));
  return ceiling / 2 + (random() * ceiling) / 2;
}

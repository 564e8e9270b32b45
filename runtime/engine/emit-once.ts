/** Appends what actors without a state record send: at most once. */
import { sleep } from "../core/time.ts";
import type { AppendRecord } from "../log/log.ts";
import { backoffMs, type NodeContext } from "./context.ts";
import type { Decision } from "./decision.ts";

/** `unknown`: the records may be stored or not. `over`: they were not handed to the log, and are not to be. */
export type EmitEnd = "stored" | "unknown" | "over";

/** What is asked before every trial. */
export interface EmitChecks {
  /** Resolves when the node is sure to hold its leases; undefined: it is. */
  mayCommit(): Promise<void> | undefined;
  /** True when the records are not the node's to write any more. */
  isOver(): boolean;
}

/**
 * Appends records that nothing fences. What is certain not to be stored is tried again; an append of unknown outcome never is.
 */
export async function emitOnce(
  context: Pick<NodeContext, "log" | "telemetry" | "fault" | "time" | "random">,
  records: readonly AppendRecord[],
  checks: EmitChecks,
): Promise<EmitEnd> {
  const { log, telemetry, fault, time, random } = context;
  for (let attempt = 1; ; attempt++) {
    const allowed = checks.mayCommit();
    if (allowed !== undefined) await allowed;
    if (checks.isOver()) return "over";
    fault("commit.before");
    const result = await log.append("core", records);
    if (result._tag === "Appended") {
      fault("commit.after");
      return "stored";
    }
    if (result._tag === "Conflict" || (result._tag === "TryAgain" && result.mayBeStored)) {
      telemetry.tell(
        "warn",
        "commit.unconfirmed",
        `${records.length} records of actors that are delivered to at most once may not have been stored: they are not sent again.`,
      );
      return "unknown";
    }
    if (result._tag === "Full")
      telemetry.tell(
        "error",
        "storage.full",
        `Cannot store ${records.length} records: the storage is full (${result.reason}). Trying again.`,
      );
    await sleep(time, result._tag === "Full" ? 1000 : backoffMs(attempt, random));
  }
}

/** A decision of which it is not known whether what it sends is stored: what would come after its commit is left undone, the answer too. */
export function asUnconfirmed(decision: Decision): Decision {
  return decision.outbox.length === 0 ? decision : { ...decision, after: [], replyTo: undefined };
}

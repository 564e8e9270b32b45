/**
 * Stores records of which each is complete in itself, and keeps trying until the log has said what became of them.
 *
 * 1. Every record has an expectation, so that it is stored at most once, however often it is tried.
 * 2. Records that come together share an append; one that is refused does not hold back the others.
 */
import type { StreamName } from "../core/subjects.ts";
import { sleep } from "../core/time.ts";
import type { AppendRecord, LogLimits } from "../log/log.ts";
import type { NodeContext } from "./context.ts";
import { backoffMs } from "./context.ts";

/** What became of a record. `refused`: its expectation was false; it may have been stored by an earlier trial. */
export type Settled = "stored" | "refused" | "stopped";

interface Entry {
  readonly record: AppendRecord;
  readonly settle: (how: Settled) => void;
}

const maxBatchRecords = 200;
const maxBatchBytes = 1_000_000;

/** Appends to one stream. */
export class PatientAppender {
  readonly #context: Pick<NodeContext, "log" | "time" | "random">;
  readonly #stream: StreamName;
  readonly #limits: LogLimits;
  readonly #lanes: number;
  #queue: Entry[] = [];
  #active = 0;
  #isStopped = false;

  constructor(context: Pick<NodeContext, "log" | "time" | "random">, stream: StreamName, limits: LogLimits) {
    this.#context = context;
    this.#stream = stream;
    this.#limits = limits;
    // Where every append holds one record, only concurrency gives speed.
    this.#lanes = limits.maxRecordsPerAppend > 1 ? 2 : 32;
  }

  /** Resolves when the record is settled; the record must have an expectation, and be no larger than the log accepts. */
  append(record: AppendRecord & { readonly expectLastSeq: number }): Promise<Settled> {
    return new Promise((settle) => {
      if (this.#isStopped) return settle("stopped");
      this.#queue.push({ record, settle });
      // What is asked for in the same turn goes together.
      if (this.#queue.length === 1) queueMicrotask(() => this.#work());
    });
  }

  /** Settles everything as `stopped`; appends under way may still be stored. */
  stop(): void {
    this.#isStopped = true;
    for (const { settle } of this.#queue) settle("stopped");
    this.#queue = [];
  }

  #work(): void {
    while (this.#active < this.#lanes && this.#queue.length > 0) {
      const batch = this.#nextBatch();
      this.#active++;
      void this.#store(batch).finally(() => {
        this.#active--;
        this.#work();
      });
    }
  }

  #nextBatch(): Entry[] {
    const maxRecords = Math.min(maxBatchRecords, this.#limits.maxRecordsPerAppend);
    const maxBytes = Math.min(maxBatchBytes, this.#limits.maxBytesPerAppend);
    const subjects = new Set<string>();
    let bytes = 0;
    let count = 0;
    for (const { record } of this.#queue) {
      // Two records for one subject exclude each other.
      if (count >= maxRecords || subjects.has(record.subject)) break;
      bytes += record.data.length + record.subject.length;
      if (count > 0 && bytes > maxBytes) break;
      subjects.add(record.subject);
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #store(batch: readonly Entry[]): Promise<void> {
    const { log, time, random } = this.#context;
    const records = batch.map(({ record }) => record);
    for (let attempt = 1; !this.#isStopped; attempt++) {
      const result = await log.append(this.#stream, records).catch(() => undefined);
      // Only a log that was closed rejects.
      if (result === undefined) break;
      if (result._tag === "Appended") return settleAll(batch, "stored");
      if (result._tag === "Conflict") {
        if (batch.length === 1) return settleAll(batch, "refused");
        const half = Math.ceil(batch.length / 2);
        await this.#store(batch.slice(0, half));
        return this.#store(batch.slice(half));
      }
      await sleep(time, backoffMs(attempt, random));
    }
    settleAll(batch, "stopped");
  }
}

function settleAll(batch: readonly Entry[], how: Settled): void {
  for (const { settle } of batch) settle(how);
}

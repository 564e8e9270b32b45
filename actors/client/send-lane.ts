/**
 * A send lane: messages of some partitions, stored in order as atomic batches, one batch in flight.
 *
 * 1. A batch whose outcome is not known is tried again unchanged; the log refuses what it holds already, and then the log is asked.
 * 2. Nothing of the lane is sent before the batch in front of it is settled: one actor's messages keep their order under every retry (I4).
 * 3. Nodes remove handled messages from INGRESS after a grace. After `resendWindowMs` a message that is not there may have been there:
 *    it is not sent again, and its sender learns that the outcome is unknown.
 */
import { formatAddress } from "../../runtime/core/address.ts";
import { decodeEnvelope } from "../../runtime/core/envelope.ts";
import { SendUnknownError } from "../../runtime/core/errors.ts";
import { sleep } from "../../runtime/core/time.ts";
import type { AppendResult, LogRecord } from "../../runtime/log/log.ts";
import { backoffMs, type ClientContext, readPatiently } from "./context.ts";
import type { Outgoing } from "./outgoing.ts";

/** How long after the first try a message of unknown outcome may be sent again; less than the nodes' grace of 30 s. */
const resendWindowMs = 20_000;

const maxBatchRecords = 500;
const maxBatchBytes = 1_000_000;

/** Whom a lane tells what became of its messages. */
export interface LaneListener {
  /** The subject of the message holds the message with the given id, which is another one's when the key was used before. */
  onStored(message: Outgoing, seq: number, storedId: string): void;
  onFailed(message: Outgoing, error: unknown): void;
}

/** Why a lane makes no progress. */
export interface Trouble {
  readonly kind: "full" | "unavailable";
  readonly reason: string;
}

/** Stores messages in order. */
export class SendLane {
  readonly #context: ClientContext;
  readonly #listener: LaneListener;
  readonly #maxRecords: number;
  readonly #maxBytes: number;
  #queue: Outgoing[] = [];
  #next = 0;
  #withdrawn = 0;
  #isRunning = false;
  #isAppending = false;
  #unknownSinceMs: number | undefined;
  #trouble: Trouble | undefined;

  constructor(context: ClientContext, listener: LaneListener) {
    this.#context = context;
    this.#listener = listener;
    this.#maxRecords = Math.min(maxBatchRecords, context.ingressLimits.maxRecordsPerAppend);
    this.#maxBytes = Math.min(maxBatchBytes, context.ingressLimits.maxBytesPerAppend);
  }

  /** Why nothing of the lane gets stored at the moment. */
  get trouble(): Trouble | undefined {
    return this.#trouble;
  }

  /** True while messages of the batch under way may be in the log, or may still get there. */
  get isUnknown(): boolean {
    return this.#isAppending || this.#unknownSinceMs !== undefined;
  }

  /** How many messages wait for the batch under way. */
  get waiting(): number {
    return this.#queue.length - this.#next - this.#withdrawn;
  }

  push(message: Outgoing): void {
    message.phase = "queued";
    this.#queue.push(message);
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  /** A message that was queued has been settled otherwise. */
  withdrew(): void {
    this.#withdrawn++;
    if (this.#withdrawn < 1000 || this.#withdrawn * 2 < this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#next).filter((message) => message.phase === "queued");
    this.#next = 0;
    this.#withdrawn = 0;
  }

  async #run(): Promise<void> {
    for (let batch = this.#take(); batch.length > 0; batch = this.#take()) {
      try {
        await this.#store(batch);
      } catch (error) {
        // A defect, or the log was closed: what is behind gets its own answer.
        this.#fail(batch, error);
      }
      this.#isAppending = false;
      this.#unknownSinceMs = undefined;
      this.#trouble = undefined;
    }
    this.#isRunning = false;
  }

  #take(): Outgoing[] {
    const batch: Outgoing[] = [];
    const keyed = new Set<string>();
    let bytes = 0;
    while (this.#next < this.#queue.length && batch.length < this.#maxRecords) {
      const message = this.#queue[this.#next] as Outgoing;
      if (message.phase === "queued") {
        bytes += message.data.length + message.subject.length;
        if (batch.length > 0 && bytes > this.#maxBytes) break;
        // One batch cannot expect a subject to be empty twice: the second message with the key waits for the first.
        if (message.keySubject !== undefined) {
          if (keyed.has(message.subject)) break;
          keyed.add(message.subject);
        }
        message.phase = "sending";
        batch.push(message);
      } else this.#withdrawn--;
      this.#next++;
    }
    if (this.#next === this.#queue.length) {
      this.#queue = [];
      this.#next = 0;
    } else if (this.#next > 4096 && this.#next * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#next);
      this.#next = 0;
    }
    return batch;
  }

  async #store(batch: Outgoing[]): Promise<void> {
    const { log, time, random } = this.#context;
    let left = batch;
    let attempt = 1;
    while (!this.#context.isStopped) {
      // What is known not to be stored, and nobody waits for, need not be sent. A batch that may be stored stays as it is.
      if (this.#unknownSinceMs === undefined) left = left.filter(isOpen);
      else if (time.elapsed() - this.#unknownSinceMs > resendWindowMs) {
        for (const message of left) if (isOpen(message)) this.#listener.onFailed(message, tooLate(message));
        return;
      }
      if (left.length === 0) return;
      const startedMs = time.elapsed();
      this.#isAppending = true;
      const result: AppendResult = await log.append("ingress", left);
      this.#isAppending = false;
      switch (result._tag) {
        case "Appended":
          for (let i = 0; i < left.length; i++) {
            const message = left[i] as Outgoing;
            this.#listener.onStored(message, result.firstSeq + i, message.id);
          }
          return;
        case "Conflict": {
          const rest = await this.#settle(left);
          if (rest === undefined) return;
          if (rest.length < left.length) {
            left = rest;
            attempt = 1;
            continue;
          }
          // Refused, and yet nobody's message is there: a write to the same subject is under way.
          this.#trouble = { kind: "unavailable", reason: result.reason };
          break;
        }
        case "TryAgain":
          if (result.mayBeStored) this.#unknownSinceMs ??= startedMs;
          this.#trouble = { kind: "unavailable", reason: result.reason };
          break;
        case "Full":
          this.#trouble = { kind: "full", reason: result.reason };
          break;
      }
      await sleep(time, backoffMs(attempt++, random));
    }
  }

  /** Asks the log which messages of a refused batch it holds; resolves with the others, or with undefined when nobody waits any more. */
  async #settle(batch: readonly Outgoing[]): Promise<Outgoing[] | undefined> {
    const subjects = batch.map((message) => message.subject);
    const found = await readPatiently(
      this.#context,
      () => this.#context.log.lastMany("ingress", subjects),
      () => batch.some(isOpen),
    );
    if (found === undefined) return undefined;
    return batch.filter((message, i) => {
      const record = found[i];
      if (record === undefined) return true;
      this.#listener.onStored(message, record.seq, idIn(record, message));
      return false;
    });
  }

  #fail(batch: readonly Outgoing[], error: unknown): void {
    for (const message of batch) if (isOpen(message)) this.#listener.onFailed(message, error);
  }
}

function isOpen(message: Outgoing): boolean {
  return message.phase === "sending";
}

/** The id of the message that a record holds; empty when it is not readable, and then it is not ours. */
function idIn(record: LogRecord, ours: Outgoing): string {
  if (record.data.length === ours.data.length && Buffer.compare(record.data, ours.data) === 0) return ours.id;
  try {
    return decodeEnvelope(record.data).id;
  } catch {
    return "";
  }
}

function tooLate(message: Outgoing): SendUnknownError {
  return new SendUnknownError(
    `Cannot tell whether the message for ${formatAddress(message.to)} was stored: the log did not answer for ${resendWindowMs / 1000} s. ${
      message.keySubject === undefined
        ? "Give sends that must not happen twice a key: then they are safe to send again."
        : "Send again with the same key: it is applied once."
    }`,
    { details: { actor: formatAddress(message.to), message: message.id, subject: message.subject } },
  );
}

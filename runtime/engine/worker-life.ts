/**
 * Signs of life of processes whose activities hold places under limits.
 *
 * 1. Who is alive is judged by each observer's own monotonic clock, from the signs that it sees; clocks are never compared.
 * 2. A worker that could not show a sign of life for too long takes its places for lost, as the others do: its attempts are aborted, and it takes no new
 *    place before it is heard again.
 */
import { decodeRecord, encodeRecord, recordFormat, type WorkerRecord } from "../core/records.ts";
import type { LogRecord } from "../log/log.ts";
import type { NodeContext } from "./context.ts";
import { readPatiently } from "./patient-reader.ts";

/** Records of workers that have been silent for so long are removed. */
const forgottenMs = 600_000;

interface Peer {
  seenMs: number;
  leaseMs: number;
}

/** Keeps this worker's sign of life, and watches those of others. */
export class WorkerLife {
  readonly #context: NodeContext;
  readonly #onSilent: () => void;
  readonly #onFailed: (error: Error) => void;
  readonly #peers = new Map<string, Peer>();
  #stopReading: () => void = () => {};
  #offsetMs = Number.NEGATIVE_INFINITY;
  #lastBeatMs = Number.NEGATIVE_INFINITY;
  #beat = 0;
  #cancel: () => void = () => {};
  #isStopped = false;

  /** `onSilent`: this worker's places are lost. */
  constructor(context: NodeContext, onSilent: () => void, onFailed: (error: Error) => void) {
    this.#context = context;
    this.#onSilent = onSilent;
    this.#onFailed = onFailed;
  }

  /** Shows the first sign of life and begins to watch. */
  start(): void {
    this.#stopReading = readPatiently(this.#context, "core", {
      filters: [this.#context.subjects.workers()],
      from: "last-per-subject",
      onRecord: (record) => this.#onRecord(record),
      onError: (error) => this.#onFailed(error),
    });
    this.#keepBeating();
  }

  /** True while others take this worker for alive. */
  get isHeard(): boolean {
    const { time, settings } = this.#context;
    return time.elapsed() - this.#lastBeatMs < settings.workerLeaseMs;
  }

  /** True while a worker shows signs of life; one that was never seen gets the time to be seen. */
  isAlive(worker: string): boolean {
    const { time, settings, owner } = this.#context;
    if (worker === owner) return true;
    const nowMs = time.elapsed();
    let peer = this.#peers.get(worker);
    if (peer === undefined) {
      peer = { seenMs: nowMs, leaseMs: settings.workerLeaseMs };
      this.#peers.set(worker, peer);
    }
    return nowMs - peer.seenMs < peer.leaseMs;
  }

  /** How old a stored record is at least, by the log's own clock, as far as it can be told; 0 when it cannot. */
  ageMs(record: LogRecord): number {
    return Math.max(0, this.#context.time.elapsed() + this.#offsetMs - record.timeMs);
  }

  /** Stops without a word. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel();
    this.#stopReading();
  }

  /** Stops and takes the sign of life away: nobody has to wait for it to grow old. */
  async leave(): Promise<void> {
    this.stop();
    const { log, subjects, owner } = this.#context;
    await log.purge("core", subjects.worker(owner)).catch(() => {});
  }

  #onRecord(record: LogRecord): void {
    if (this.#isStopped) return;
    const nowMs = this.#context.time.elapsed();
    // The log's clock is at least so far ahead of ours: the record was stored before it was seen.
    this.#offsetMs = Math.max(this.#offsetMs, record.timeMs - nowMs);
    try {
      const { worker, leaseMs } = decodeRecord<WorkerRecord>("a worker record", record.data);
      this.#peers.set(worker, { seenMs: nowMs, leaseMs });
    } catch (error) {
      this.#context.telemetry.tell("error", "record.unreadable", `Cannot read ${record.subject}: ${String(error)}`);
    }
  }

  #keepBeating(): void {
    const { time, settings } = this.#context;
    if (this.#lastBeatMs !== Number.NEGATIVE_INFINITY && !this.isHeard) this.#onSilent();
    const next = (): void => {
      if (this.#isStopped) return;
      this.#cancel = time.after(settings.workerLeaseMs / 4, () => this.#keepBeating());
    };
    this.#show().then(next, next);
  }

  async #show(): Promise<void> {
    const { log, subjects, owner, settings, time } = this.#context;
    const startedMs = time.elapsed();
    const record: WorkerRecord = {
      format: recordFormat,
      worker: owner,
      beat: this.#beat++,
      leaseMs: settings.workerLeaseMs,
    };
    const result = await log.append("core", [{ subject: subjects.worker(owner), data: encodeRecord(record) }]);
    if (result._tag === "Appended") this.#lastBeatMs = Math.max(this.#lastBeatMs, startedMs);
    for (const [worker, { seenMs }] of this.#peers) {
      if (time.elapsed() - seenMs < forgottenMs || this.#isStopped) continue;
      this.#peers.delete(worker);
      await log.purge("core", subjects.worker(worker)).catch(() => {});
    }
  }
}

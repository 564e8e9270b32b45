/**
 * The send queue: every message of a client passes here, from the call to the receipt.
 *
 * 1. Concurrent sends share atomic batches, in a few lanes, so that one actor's messages are stored in the order of their calls.
 * 2. A receipt is only given for what is durably in INGRESS.
 * 3. The queue is bounded in count and bytes; a send beyond it waits for its turn, and its default timeout starts with its turn.
 * 4. A send that is given up while it waits has stored nothing; one that is given up while its batch is under way may be stored.
 */
import { formatAddress, partitionOf } from "../../runtime/core/address.ts";
import { LogUnavailableError, SendUnknownError, StorageFullError } from "../../runtime/core/errors.ts";
import { decodeRecord, type KeyRecord } from "../../runtime/core/records.ts";
import { onAbort } from "./aborts.ts";
import { type ClientContext, readPatiently, stoppedError } from "./context.ts";
import { Deadlines } from "./deadlines.ts";
import type { Outgoing, SendReceipt } from "./outgoing.ts";
import { type LaneListener, SendLane } from "./send-lane.ts";

/** Settings of a send queue, all resolved. */
export interface SendQueueSettings {
  readonly timeoutMs: number;
  readonly maxQueued: number;
  readonly maxQueuedBytes: number;
}

/** Enough to keep the disk busy, few enough to keep the batches large. */
const batchLanes = 2;

/** Where every append holds one message, only lanes give concurrency. */
const plainLanes = 64;

const maxKeysPerRead = 500;

/** Stores messages in INGRESS and confirms them. */
export class SendQueue implements LaneListener {
  readonly #context: ClientContext;
  readonly #settings: SendQueueSettings;
  readonly #lanes: readonly SendLane[];
  readonly #pending: Deadlines<Outgoing>;
  /** Sends beyond the bounds, oldest first. */
  #waiting: Outgoing[] = [];
  #nextWaiting = 0;
  #admitted = 0;
  #admittedBytes = 0;
  #keyed: Outgoing[] = [];
  #onEmpty: (() => void) | undefined;

  constructor(context: ClientContext, settings: SendQueueSettings) {
    this.#context = context;
    this.#settings = settings;
    const count = context.ingressLimits.maxRecordsPerAppend > 1 ? batchLanes : plainLanes;
    this.#lanes = Array.from({ length: count }, () => new SendLane(context, this));
    this.#pending = new Deadlines(context.time, (message) => this.#expire(message));
  }

  /** How many sends have no receipt yet. */
  get pending(): number {
    return this.#pending.size;
  }

  /**
   * Stores a message and resolves with its receipt.
   *
   * Errors: `SendUnknownError`, `StorageFullError`, `LogUnavailableError` as said at `Client.send`; the signal's reason.
   */
  send(message: Outgoing, timeoutMs: number | undefined, signal: AbortSignal | undefined): Promise<SendReceipt> {
    return new Promise((resolve, reject) => {
      message.resolve = resolve;
      message.reject = reject;
      message.timeoutMs = timeoutMs ?? this.#settings.timeoutMs;
      if (signal !== undefined) {
        if (signal.aborted) return reject(signal.reason);
        message.unlisten = onAbort(signal, () => this.#settle(message, () => message.reject(signal.reason)));
      }
      const isFull = this.#nextWaiting < this.#waiting.length || !this.#hasRoomFor(message);
      if (!isFull || timeoutMs !== undefined) message.deadlineMs = this.#context.time.elapsed() + message.timeoutMs;
      this.#pending.add(message);
      if (isFull) this.#waiting.push(message);
      else this.#admit(message);
    });
  }

  /** Resolves when all sends are settled, or after `timeoutMs`. */
  drain(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#pending.size === 0) return resolve();
      const cancel = this.#context.time.after(timeoutMs, resolve);
      this.#onEmpty = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Rejects whatever is still pending. */
  stop(): void {
    for (const message of [...this.#pending]) {
      const known =
        message.phase === "stored"
          ? ` It is stored (sequence ${message.seq}).`
          : message.phase === "sending"
            ? " Whether it was stored is not known."
            : " Nothing of it was stored.";
      this.#settle(message, () =>
        message.reject(stoppedError(`finish the send to ${formatAddress(message.to)}`, known)),
      );
    }
    this.#pending.clear();
  }

  onStored(message: Outgoing, seq: number, storedId: string): void {
    if (message.phase === "settled") return;
    message.seq = seq;
    if (storedId !== message.id) {
      this.#confirm(message, storedId, true);
    } else if (message.keySubject === undefined) {
      this.#confirm(message, storedId, false);
    } else {
      message.phase = "stored";
      this.#keyed.push(message);
      if (this.#keyed.length === 1) queueMicrotask(() => void this.#checkKeys());
    }
  }

  onFailed(message: Outgoing, error: unknown): void {
    this.#settle(message, () => message.reject(error));
  }

  /** All messages to one actor have the same. */
  #laneOf({ partition, to }: Outgoing): SendLane {
    const { length } = this.#lanes;
    return this.#lanes[length === batchLanes ? partition % length : partitionOf(to, length)] as SendLane;
  }

  #hasRoomFor(message: Outgoing): boolean {
    return (
      this.#admitted === 0 ||
      (this.#admitted < this.#settings.maxQueued &&
        this.#admittedBytes + message.data.length <= this.#settings.maxQueuedBytes)
    );
  }

  #admit(message: Outgoing): void {
    this.#admitted++;
    this.#admittedBytes += message.data.length;
    this.#laneOf(message).push(message);
  }

  #admitWaiting(): void {
    while (this.#nextWaiting < this.#waiting.length) {
      const message = this.#waiting[this.#nextWaiting] as Outgoing;
      if (message.phase === "waiting") {
        if (!this.#hasRoomFor(message)) return;
        if (message.deadlineMs === Number.POSITIVE_INFINITY) {
          message.deadlineMs = this.#context.time.elapsed() + message.timeoutMs;
          this.#pending.add(message);
        }
        this.#admit(message);
      }
      this.#nextWaiting++;
      if (this.#nextWaiting > 4096 && this.#nextWaiting * 2 > this.#waiting.length) {
        this.#waiting = this.#waiting.slice(this.#nextWaiting);
        this.#nextWaiting = 0;
      }
    }
    this.#waiting = [];
    this.#nextWaiting = 0;
  }

  #confirm(message: Outgoing, id: string, duplicate: boolean): void {
    this.#settle(message, () =>
      message.resolve({ message: id, partition: message.partition, seq: message.seq, duplicate }),
    );
  }

  #settle(message: Outgoing, tell: () => void): void {
    const { phase } = message;
    if (phase === "settled") return;
    message.phase = "settled";
    message.unlisten?.();
    this.#pending.delete(message);
    if (phase !== "waiting") {
      this.#admitted--;
      this.#admittedBytes -= message.data.length;
      if (phase === "queued") this.#laneOf(message).withdrew();
    }
    tell();
    if (this.#context.isStopped) return;
    if (this.#nextWaiting < this.#waiting.length) this.#admitWaiting();
    if (this.#pending.size === 0) this.#onEmpty?.();
  }

  /** The message is stored; it is a duplicate all the same when its key was applied so long ago that the first one has left INGRESS. */
  async #checkKeys(): Promise<void> {
    const keyed = this.#keyed;
    this.#keyed = [];
    for (let i = 0; i < keyed.length; i += maxKeysPerRead) {
      const messages = keyed.slice(i, i + maxKeysPerRead);
      try {
        const records = await readPatiently(
          this.#context,
          () =>
            this.#context.log.lastMany(
              "core",
              messages.map((message) => message.keySubject as string),
            ),
          () => messages.some((message) => message.phase === "stored"),
        );
        if (records === undefined) continue;
        messages.forEach((message, at) => {
          const record = records[at];
          const first =
            record === undefined ? message.id : decodeRecord<KeyRecord>("a key record", record.data).message;
          this.#confirm(message, first, first !== message.id);
        });
      } catch (error) {
        for (const message of messages) this.onFailed(message, error);
      }
    }
  }

  #expire(message: Outgoing): void {
    const lane = this.#laneOf(message);
    const who = formatAddress(message.to);
    const details = { actor: who, message: message.id, timeoutMs: message.timeoutMs };
    const again =
      message.keySubject === undefined
        ? "Give sends that must not happen twice a key: then they are safe to send again."
        : "Send again with the same key: it is applied once.";
    const attempted = `the send to ${who} within ${message.timeoutMs} ms`;
    this.onFailed(
      message,
      ((): Error => {
        if (message.phase === "stored") {
          return new SendUnknownError(
            `Cannot finish ${attempted}: the message is stored (sequence ${message.seq}), but whether its key was applied before could not be read. ${again}`,
            { details: { ...details, seq: message.seq } },
          );
        }
        if (message.phase === "sending" && lane.isUnknown) {
          const why = lane.trouble === undefined ? "" : ` (${lane.trouble.reason})`;
          return new SendUnknownError(
            `Cannot tell whether ${attempted} was stored: the log has not answered${why}. ${again}`,
            { details },
          );
        }
        const { trouble } = lane;
        if (trouble?.kind === "full") {
          return new StorageFullError(
            `Cannot store ${attempted}: INGRESS is full (${trouble.reason}). Nothing of it was stored. Let the nodes catch up, or give the space more storage.`,
            { details },
          );
        }
        const why = trouble === undefined ? `${lane.waiting} more wait in the same lane` : trouble.reason;
        return new LogUnavailableError(
          `Cannot store ${attempted}: ${why}. Nothing of it was stored: it is safe to send again.`,
          { details },
        );
      })(),
    );
  }
}

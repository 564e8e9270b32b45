/**
 * A client of the simulated worlds: sends in order, and writes down what it was told (the oracle reads it).
 *
 * 1. One append is in flight; what was not stored goes again before anything behind it (I4).
 * 2. A send of unknown outcome is repeated under the same subject, which must be empty; after a window, shorter than the nodes' grace, it is given up.
 */
import { type Address, formatAddress, partitionOf } from "../../runtime/core/address.ts";
import { decodeEnvelope, type Envelope, encodeEnvelope } from "../../runtime/core/envelope.ts";
import type { Subjects } from "../../runtime/core/subjects.ts";
import { sleep } from "../../runtime/core/time.ts";
import type { AppendRecord } from "../../runtime/log/log.ts";
import type { MemoryConnection } from "../../runtime/memory/memory-broker.ts";
import type { Prng } from "../../runtime/memory/prng.ts";
import type { SendEntry } from "./oracle.ts";

/** How long after its first try a message may be stored again; with the broker's timeout and delays less than the nodes' grace. */
const resendWindowMs = 300;

/** Most messages of one append, usually; now and then it is all that there are. */
const usualBatch = 6;

interface Sending {
  readonly entry: SendEntry;
  readonly record: AppendRecord;
}

/** A client that sends by itself what it is given. */
export class SimClient {
  readonly name: string;
  readonly #connection: MemoryConnection;
  readonly #subjects: Subjects;
  readonly #partitions: number;
  readonly #random: Prng;
  readonly #sends: SendEntry[];
  #queue: Sending[] = [];
  #isRunning = false;
  #count = 0;

  /** `sends` is the log that all clients write. */
  constructor(connection: MemoryConnection, subjects: Subjects, partitions: number, random: Prng, sends: SendEntry[]) {
    this.name = connection.name;
    this.#connection = connection;
    this.#subjects = subjects;
    this.#partitions = partitions;
    this.#random = random;
    this.#sends = sends;
  }

  /** True when every send is settled. */
  get isIdle(): boolean {
    return !this.#isRunning;
  }

  /** A new message id. */
  nextId(): string {
    return `${this.name}-${this.#count++}`;
  }

  /** Sends a message; what becomes of it is seen in the log of sends. */
  send(
    to: Address,
    id: string,
    content: Pick<Envelope, "kind" | "event" | "input">,
    options: { readonly key?: string; readonly reply?: string } = {},
  ): void {
    const { key, reply } = options;
    const envelope: Envelope = {
      format: 1,
      ...content,
      id,
      ...(key === undefined ? {} : { key }),
      ...(reply === undefined ? {} : { reply }),
      sentAt: this.#connection.time.now(),
    };
    const token = key === undefined ? id : `k-${key}`;
    const subject = this.#subjects.ingress(this.name, partitionOf(to, this.#partitions), to, token);
    const entry: SendEntry = {
      sender: this.name,
      to: formatAddress(to),
      message: id,
      subject,
      key,
      status: "open",
      seq: 0,
    };
    this.#sends.push(entry);
    this.#queue.push({ entry, record: { subject, data: encodeEnvelope(envelope), expectLastSeq: 0 } });
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const subjects = new Set<string>();
      let size = 0;
      const most = this.#random.chance(0.3) ? 100 : 1 + this.#random.int(usualBatch);
      while (size < most && size < this.#queue.length) {
        const { subject } = (this.#queue[size] as Sending).record;
        if (subjects.has(subject)) break;
        subjects.add(subject);
        size++;
      }
      await this.#store(this.#queue.splice(0, size));
    }
    this.#isRunning = false;
  }

  async #store(batch: Sending[]): Promise<void> {
    const { log, time } = this.#connection;
    let left = batch;
    let unknownSinceMs: number | undefined;
    while (left.length > 0) {
      const startedMs = time.elapsed();
      const result = await log.append(
        "ingress",
        left.map((sending) => sending.record),
      );
      if (result._tag === "Appended") {
        for (const [i, { entry }] of left.entries()) settle(entry, "confirmed", result.firstSeq + i);
        return;
      }
      if (result._tag === "Conflict") left = await this.#whatIsNotThere(left);
      else if (result._tag === "TryAgain" && result.mayBeStored) unknownSinceMs ??= startedMs;
      if (unknownSinceMs !== undefined && time.elapsed() - unknownSinceMs > resendWindowMs) {
        for (const { entry } of left) settle(entry, "unknown", 0);
        return;
      }
      if (left.length > 0) await sleep(time, this.#random.between(5, 60));
    }
  }

  async #whatIsNotThere(batch: Sending[]): Promise<Sending[]> {
    const { log, time } = this.#connection;
    for (;;) {
      try {
        const found = await log.lastMany(
          "ingress",
          batch.map(({ record }) => record.subject),
        );
        return batch.filter(({ entry }, i) => {
          const record = found[i];
          if (record === undefined) return true;
          const isOurs = decodeEnvelope(record.data).id === entry.message;
          settle(entry, isOurs || entry.key !== undefined ? "confirmed" : "unknown", record.seq);
          return false;
        });
      } catch {
        await sleep(time, this.#random.between(5, 60));
      }
    }
  }
}

function settle(entry: SendEntry, status: "confirmed" | "unknown", seq: number): void {
  entry.status = status;
  entry.seq = seq;
}

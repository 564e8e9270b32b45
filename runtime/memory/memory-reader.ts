/**
 * A reader of the memory broker.
 *
 * Records come in order, a random number of them at a time: a reader may see the first records of a batch long before the rest.
 * What is purged while it is on its way is delivered or not, as chance has it (without virtual time: not).
 */
import type { LogReader, ReadOptions } from "../log/log.ts";
import type { Faults } from "./faults.ts";
import type { MemoryStream, StoredEntry } from "./memory-stream.ts";
import { type ProcessLink, unavailable } from "./process-link.ts";
import type { Wire } from "./wire.ts";

/** Where readers announce themselves to get the records of a stream. */
export interface ReaderRegistry {
  add(reader: MemoryReader): void;
  remove(reader: MemoryReader): void;
}

/** Most records at a time, with and without virtual time. */
const largestBurst = 8;
const largestDirectBurst = 256;

/** An open reader, the process' side and the broker's in one. */
export class MemoryReader implements LogReader {
  readonly ready: Promise<void>;
  readonly filters: readonly string[];
  readonly link: ProcessLink;
  readonly #stream: MemoryStream;
  readonly #options: ReadOptions;
  readonly #wire: Wire;
  readonly #faults: Faults;
  readonly #registry: ReaderRegistry;
  #queue: StoredEntry[] = [];
  #head = 0;
  /** Records that were stored when the reader opened and are not delivered; undefined: not open yet, or caught up. */
  #backlog: number | undefined;
  #isOnItsWay = false;
  #isPaused = false;
  #isStopped = false;

  constructor(
    link: ProcessLink,
    stream: MemoryStream,
    options: ReadOptions,
    shared: { readonly wire: Wire; readonly faults: Faults; readonly registry: ReaderRegistry },
  ) {
    this.link = link;
    this.#stream = stream;
    this.#options = options;
    this.#wire = shared.wire;
    this.#faults = shared.faults;
    this.#registry = shared.registry;
    this.filters = options.filters;
    this.ready = link.call<void>({
      label: "read",
      apply: (answer) => {
        this.#open();
        answer();
      },
      whenLost: () => {
        this.stop();
        throw unavailable(`read ${this.filters.join(", ")}`);
      },
    });
    // Whoever does not wait for it must not be ended by it.
    this.ready.catch(() => {});
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.pump();
  }

  stop(): void {
    this.#isStopped = true;
    this.#queue = [];
    this.#registry.remove(this);
  }

  /** A record was stored that the reader reads. */
  offer(entry: StoredEntry): void {
    this.#queue.push(entry);
    if (!this.#isOnItsWay) this.pump();
  }

  /** Ends the reader with an error. */
  fail(error: Error): void {
    if (this.#isStopped) return;
    this.stop();
    this.link.receive("read.error", this.#wire.transitMs(), () => this.#options.onError(error));
  }

  /** Sends the next records on their way, if there are any and nothing speaks against it. */
  pump(): void {
    if (this.#isOnItsWay || this.#isPaused || this.#isStopped || !this.link.isReachable) return;
    const next = this.#queue[this.#head];
    if (next === undefined && this.#backlog !== 0) return;
    this.#isOnItsWay = true;
    let delayMs = this.#wire.transitMs();
    if (next !== undefined) {
      const place = { connection: this.link.name, stream: this.#stream.name };
      delayMs += this.#faults.choose("read", next.record, place)?.ms ?? 0;
    }
    this.link.receive("read.records", delayMs, this.#deliver);
  }

  #open(): void {
    if (this.#isStopped) return;
    const { from } = this.#options;
    if (from === "new") this.#queue = [];
    else if (from === "last-per-subject") this.#queue = this.#stream.selectAny(this.filters, { lastPerSubject: true });
    else this.#queue = this.#stream.selectAny(this.filters, { fromSeq: from.seq });
    this.#backlog = this.#queue.length;
    this.#registry.add(this);
    this.pump();
  }

  readonly #deliver = (): void => {
    this.#isOnItsWay = false;
    // What was lost on the way is sent again when the process can be reached.
    if (!this.link.isReachable) return;
    const { isDirect, random } = this.#wire;
    let left = isDirect ? largestDirectBurst : 1 + random.int(largestBurst);
    // Nothing was stored when it opened: what is delivered now is new.
    if (this.#backlog === 0) this.#catchUp();
    while (left-- > 0 && !this.#isStopped && !(isDirect && this.#isPaused)) {
      const entry = this.#queue[this.#head];
      if (entry === undefined) break;
      this.#head++;
      const isCaughtUp = this.#backlog !== undefined && --this.#backlog === 0;
      if (entry.isStored || (!isDirect && random.chance(0.5))) this.#options.onRecord(entry.record);
      if (isCaughtUp) this.#catchUp();
    }
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    } else if (this.#head > 1024) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.pump();
  };

  #catchUp(): void {
    this.#backlog = undefined;
    if (!this.#isStopped) this.#options.onCaughtUp?.();
  }
}

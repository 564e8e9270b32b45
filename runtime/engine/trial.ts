/**
 * The trial of a suspect partition: after its owner has crashed, what it may have crashed by is handled under watch.
 *
 * 1. Before messages are handed to their lanes, their names are in the log. If the process ends, the next owner knows which it was handling.
 * 2. A message that was being handled when an owner ended is tried alone: no other suspect message of the node is under way.
 * 3. A message that was named when `maxCrashes` owners ended, the last time alone, becomes a dead letter; its state is loaded without its machine, which is not run.
 * 4. Messages leave the trial in the order in which they were read (I4). What was stored when the partition was taken over passes it, and what is read
 *    meanwhile; then the partition is as any other. Messages whose actor has to wait do not hold it up: they have not ended the process, and
 *    ask again when they can go on.
 */
import { type Address, formatAddress } from "../core/address.ts";
import { type Cursor, decodeRecord, encodeRecord, type LeaseRecord, type TrialRecord } from "../core/records.ts";
import { sleep } from "../core/time.ts";
import type { LogRecord } from "../log/log.ts";
import { condemn } from "./condemn.ts";
import { backoffMs, type NodeContext } from "./context.ts";
import type { Delivery } from "./delivery.ts";
import { findingsOf, trialRecord } from "./trial-record.ts";
import type { TrialTurns } from "./trial-turns.ts";

/** A message on its way into its lane. */
export interface TrialItem {
  /** Its name in the record. */
  readonly name: string;
  readonly lane: string;
  readonly address: Address;
  readonly delivery: Delivery;
  /** Set for what waited outside the mailbox: puts it into the lane; false when it is to be read again. */
  readonly enter?: () => boolean;
  /** True for a message that stands in its lane already, and had to wait there. */
  readonly isHeld?: true;
  /** Set for what was read again: told whether it stands in the lane. */
  readonly onTaken?: (isTaken: boolean) => void;
}

/** What a trial asks of its partition. */
export interface TrialHost {
  /** Hands the message to its lane; false: the lane could not take it. */
  deliver(item: TrialItem): boolean;
  /** The lane cannot move: the message is read or due again later. */
  putAside(item: TrialItem): void;
  /** True while the lane waits for a retry, or for a state that can be used, and the message is not what it waits for. */
  isResting(item: TrialItem): boolean;
  /** True when all that was stored at the takeover, and all timers that are due until then, have come to the trial. */
  isAllRead(untilMs: number): boolean;
  /** False when the message is handled, or gone. */
  mayCome(name: string): boolean;
  /** The trial holds enough messages, or has room again. */
  onFull(isFull: boolean): void;
  /** What was stored at the takeover has been tried. */
  onThrough(): void;
  /** Nothing is counted or named any more. */
  onOver(): void;
  onFailed(error: Error): void;
}

/** What a trial begins with. */
export interface TrialStart {
  /** The owner that did not give the partition back; empty: it was given back, in the middle of a trial. */
  readonly from: string;
  readonly record: LogRecord | undefined;
  /** The last sequences stored now. */
  readonly last: Cursor;
  readonly isWell: (owner: string) => boolean;
}

/** So many messages are named at first, and as many as that when it goes well. */
const firstBatch = 64;
const largestBatch = 256;
/** Names of timers may be long. */
const maxNameChars = 65_536;
const maxQueued = 1024;
const lookMs = 50;
const pruneMs = 1000;

/** Lets the messages of one partition through, a few at a time. */
export class Trial {
  readonly #partition: number;
  readonly #context: NodeContext;
  readonly #turns: TrialTurns;
  readonly #host: TrialHost;
  readonly #until: Cursor;
  /** Timers that are due later have not come due yet by any clock that is not far off. */
  readonly #untilMs: number;
  readonly #counted: ReturnType<typeof findingsOf>["counted"];
  readonly #condemned: Set<string>;
  #queue: TrialItem[] = [];
  /** The lanes of messages that are being handled, by message. */
  readonly #inFlight = new Map<string, string>();
  /** As {@link Trial.#inFlight}, while the lane waits. */
  readonly #resting = new Map<string, string>();
  #seq: number;
  #batchSize = firstBatch;
  #isFull = false;
  #isThrough = false;
  #isClosed = false;
  #onSettled: (() => void) | undefined;
  #onNews: (() => void) | undefined;

  constructor(partition: number, context: NodeContext, turns: TrialTurns, host: TrialHost, start: TrialStart) {
    this.#partition = partition;
    this.#context = context;
    this.#turns = turns;
    this.#host = host;
    const { settings, time, telemetry } = context;
    const now = time.now();
    const found = readRecord(start.record, context);
    this.#seq = start.record?.seq ?? 0;
    this.#until = start.from === "" ? (found?.until ?? start.last) : start.last;
    this.#untilMs = now + settings.leaseMs;
    const findings = findingsOf(found, start.from, now, settings.maxCrashes, start.isWell);
    this.#counted = findings.counted;
    this.#condemned = findings.condemned;
    if (this.#counted.size > 0) {
      telemetry.tell(
        "warn",
        "partition.suspect",
        `${this.#counted.size} messages of partition ${partition} were being handled when a process came to its end: they are tried one by one.`,
        { partition, messages: this.#counted.size },
      );
    }
    void this.#run(findings.isNews);
  }

  /** True when a message must pass the trial. */
  holds(name: string): boolean {
    return !this.#isThrough || this.#queue.length > 0 || this.#counted.has(name);
  }

  /** True when a message that had to wait in its lane is to ask before it goes on there: what ends the process must not do so in the turn of another one. */
  asksAgain(name: string): boolean {
    return this.#resting.has(name) && (!this.#isThrough || this.#counted.has(name));
  }

  /** Takes a message; it comes to its lane in its turn. */
  offer(item: TrialItem): void {
    if (this.#isClosed) {
      item.onTaken?.(false);
      return;
    }
    this.#queue.push(item);
    this.#tellRoom();
    this.#onNews?.();
  }

  /** The message needs no more handling. */
  handled(name: string): void {
    this.#counted.delete(name);
    this.#condemned.delete(name);
    this.left(name);
  }

  /** The message is not being handled any more, and comes again. */
  left(name: string): void {
    this.#resting.delete(name);
    if (this.#inFlight.delete(name)) this.#lookSettled();
    if (this.#isThrough) this.#onNews?.();
  }

  /** The lane has come to wait: its messages have not ended the process. */
  rested(lane: string): void {
    for (const [name, of] of this.#inFlight) {
      if (of !== lane) continue;
      this.#inFlight.delete(name);
      this.#resting.set(name, of);
    }
    this.#lookSettled();
  }

  /** The message has to wait in its lane: it has not ended the process. */
  setAside(name: string): void {
    const lane = this.#inFlight.get(name);
    if (lane === undefined) return;
    this.#inFlight.delete(name);
    this.#resting.set(name, lane);
    this.#lookSettled();
  }

  /** Lets go at once. */
  close(): void {
    this.#isClosed = true;
    for (const { onTaken } of this.#queue) onTaken?.(false);
    this.#queue = [];
    this.#inFlight.clear();
    this.#lookSettled();
    this.#onNews?.();
  }

  /** After {@link Trial.close}: writes what the next owner should know, to whom the partition is handed over in order. */
  async leave(): Promise<void> {
    if (this.#isThrough && this.#counted.size === 0) await this.#clear().catch(() => {});
    else if (this.#seq > 0 || this.#counted.size > 0) {
      const record = trialRecord(this.#context.owner, this.#until, this.#findings, [], undefined);
      const subject = this.#context.subjects.trial(this.#partition);
      // Without it the next owner still sees that the partition was given back.
      await this.#context.log
        .append("core", [{ subject, data: encodeRecord(record), expectLastSeq: this.#seq }])
        .catch(() => {});
    }
  }

  get #findings() {
    return { counted: this.#counted, condemned: this.#condemned };
  }

  async #run(isNews: boolean): Promise<void> {
    try {
      if (isNews) await this.#write(undefined);
      while (!this.#isClosed) {
        const [first] = this.#queue;
        if (!this.#isThrough && this.#isAllTried()) this.#pass();
        else if (first === undefined) {
          if (this.#isThrough && this.#counted.size === 0 && this.#resting.size === 0) return await this.#end();
          await this.#news();
        } else if (first.onTaken === undefined && this.#host.isResting(first)) {
          this.#shift();
          this.#host.putAside(first);
        } else if (this.#counted.has(first.name)) await this.#tryOne();
        else if (this.#isThrough) this.#deliver(this.#shift());
        else await this.#trySome();
      }
    } catch (error) {
      // Only a log that was closed rejects.
      if (!this.#isClosed) this.#host.onFailed(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async #end(): Promise<void> {
    await this.#clear();
    this.#isClosed = true;
    this.#host.onOver();
  }

  /** True when nothing is left of what was there at the takeover. */
  #isAllTried(): boolean {
    if (!this.#host.isAllRead(this.#untilMs)) return false;
    return !this.#queue.some(({ delivery }) =>
      delivery.waiting !== undefined
        ? true
        : delivery.timer === undefined
          ? delivery.seq <= this.#until[delivery.stream]
          : (delivery.atMs ?? 0) <= this.#untilMs,
    );
  }

  #pass(): void {
    this.#isThrough = true;
    this.#prune();
    this.#host.onThrough();
  }

  /** Forgets what is handled or gone without having come here. */
  #prune(): void {
    for (const name of [...this.#counted.keys(), ...this.#resting.keys()]) {
      if (!this.#host.mayCome(name)) this.handled(name);
    }
  }

  async #trySome(): Promise<void> {
    const end = await this.#turns.take("together");
    try {
      const batch: TrialItem[] = [];
      let chars = 0;
      while (!this.#isClosed && batch.length < this.#batchSize && chars < maxNameChars) {
        const [item] = this.#queue;
        if (item === undefined || this.#counted.has(item.name)) break;
        this.#shift();
        if (item.onTaken === undefined && this.#host.isResting(item)) this.#host.putAside(item);
        else {
          batch.push(item);
          chars += item.name.length;
        }
      }
      if (batch.length === 0) return;
      await this.#handle(batch, undefined);
      if (this.#batchSize < largestBatch) this.#batchSize *= 2;
    } finally {
      end();
    }
  }

  async #tryOne(): Promise<void> {
    const end = await this.#turns.take("alone");
    try {
      const [item] = this.#queue;
      if (this.#isClosed || item === undefined) return;
      // Its lane may have come to wait meanwhile.
      if (item.onTaken === undefined && this.#host.isResting(item)) return;
      if (this.#condemned.has(item.name)) await this.#condemn(item);
      if (this.#isClosed) return;
      this.#shift();
      await this.#handle([item], item.name);
      // While it waits for another attempt it is not alone.
      if (this.#resting.has(item.name)) await this.#write(undefined);
    } finally {
      end();
    }
  }

  async #condemn({ name, delivery }: TrialItem): Promise<void> {
    const { time, random } = this.#context;
    for (let attempt = 1; !this.#isClosed; attempt++) {
      try {
        return await condemn(this.#context, this.#partition, delivery, this.#counted.get(name) ?? []);
      } catch {
        await sleep(time, backoffMs(attempt, random));
      }
    }
  }

  /** Names the messages, hands them over and waits until each is handled, or its lane waits. */
  async #handle(batch: readonly TrialItem[], alone: string | undefined): Promise<void> {
    for (const { name, lane } of batch) {
      this.#resting.delete(name);
      this.#inFlight.set(name, lane);
    }
    const isWritten = await this.#write(alone);
    if (!isWritten || this.#isClosed) {
      for (const { onTaken } of batch) onTaken?.(false);
      return;
    }
    for (const item of batch) {
      if (this.#deliver(item)) continue;
      if (item.isHeld === true) this.setAside(item.name);
      else this.left(item.name);
    }
    if (this.#inFlight.size > 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#onSettled = resolve;
      });
    }
  }

  #deliver(item: TrialItem): boolean {
    const isTaken = this.#host.deliver(item);
    item.onTaken?.(isTaken);
    return isTaken;
  }

  #shift(): TrialItem {
    const item = this.#queue.shift() as TrialItem;
    this.#tellRoom();
    return item;
  }

  #tellRoom(): void {
    const isFull = this.#isFull ? this.#queue.length > maxQueued / 2 : this.#queue.length >= maxQueued;
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    this.#host.onFull(isFull);
  }

  #lookSettled(): void {
    if (this.#inFlight.size > 0) return;
    this.#onSettled?.();
    this.#onSettled = undefined;
  }

  /** Resolves when something has come or gone; also soon, since what is read is not told. */
  async #news(): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#context.time.after(this.#isThrough ? pruneMs : lookMs, resolve);
      this.#onNews = () => {
        cancel();
        resolve();
      };
    });
    this.#onNews = undefined;
    if (this.#isThrough && !this.#isClosed) this.#prune();
  }

  /** Writes the record; false when the partition is another owner's, or was let go of. */
  async #write(alone: string | undefined): Promise<boolean> {
    const { log, subjects, owner, time, random } = this.#context;
    const subject = subjects.trial(this.#partition);
    const handling = [...this.#inFlight.keys(), ...this.#resting.keys()];
    const data = encodeRecord(trialRecord(owner, this.#until, this.#findings, handling, alone));
    for (let attempt = 1; !this.#isClosed; attempt++) {
      const result = await log.append("core", [{ subject, data, expectLastSeq: this.#seq }]);
      if (result._tag === "Appended") {
        this.#seq = result.firstSeq;
        return true;
      }
      if (result._tag === "Conflict") {
        try {
          const [record, lease] = await log.lastMany("core", [subject, subjects.lease(this.#partition)]);
          const isOurs = record !== undefined && Buffer.compare(record.data, data) === 0;
          this.#seq = record?.seq ?? 0;
          if (isOurs) return true;
          // A late word of an earlier owner is written over; a later owner's is not.
          if (lease === undefined || decodeRecord<LeaseRecord>("a lease", lease.data).owner !== owner) this.close();
        } catch {
          // Asked again below.
        }
      }
      await sleep(time, backoffMs(attempt, random));
    }
    return false;
  }

  async #clear(): Promise<void> {
    const { log, subjects, time, random } = this.#context;
    for (let attempt = 1; this.#seq > 0; attempt++) {
      try {
        await log.purge("core", subjects.trial(this.#partition), this.#seq + 1);
        this.#seq = 0;
      } catch (error) {
        if (this.#isClosed) throw error;
        await sleep(time, backoffMs(attempt, random));
      }
    }
  }
}

function readRecord(record: LogRecord | undefined, { telemetry }: NodeContext): TrialRecord | undefined {
  if (record === undefined) return undefined;
  try {
    return decodeRecord<TrialRecord>("a trial record", record.data);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    telemetry.tell("error", "record.unreadable", `Cannot read ${record.subject}: ${why}.`);
    return undefined;
  }
}

/** What a message is called in the record. */
export function trialName(delivery: Delivery): string {
  if (delivery.waiting !== undefined && delivery.wokenBy === undefined)
    return `w:${formatAddress(delivery.to)}:${delivery.waiting}`;
  if (delivery.wokenBy !== undefined) return trialName(delivery.wokenBy);
  if (delivery.timer !== undefined) return `t:${delivery.subject}`;
  return `${delivery.stream === "ingress" ? "i" : "c"}:${delivery.seq}`;
}

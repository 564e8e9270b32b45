/**
 * One partition in the hands of its owner: reading in order, one lane per actor, the low-water mark, the timers.
 *
 * 1. Both mailboxes are read from the checkpoint in ascending sequence; what was handled before is recognised by the actor's cursor (I2).
 * 2. The checkpoint only ever names what is handled: committed as applied, ignored, duplicate or dead (I1).
 * 3. Timer records are read too, by a reader of their own, from where the checkpoint says that all are known: what late owners set is found by it.
 * 4. After a takeover, messages that are stored are read before the first timer fires, if that takes no longer than half a second.
 * 5. After a takeover from an owner that crashed, what it may have crashed by is handled under watch: see `trial.ts`.
 */
import { type Address, formatAddress, partitionOf } from "../core/address.ts";
import { fromToken } from "../core/names.ts";
import {
  type CheckpointRecord,
  type Cursor,
  decodeRecord,
  encodeRecord,
  type LiveRecord,
  recordFormat,
} from "../core/records.ts";
import type { MailboxSubject, StreamName } from "../core/subjects.ts";
import { sleep } from "../core/time.ts";
import type { AppendRecord, LogReader, LogRecord } from "../log/log.ts";
import { backoffMs, type NodeContext } from "./context.ts";
import type { Decision } from "./decision.ts";
import { type Delivery, unaddressedType, untried } from "./delivery.ts";
import type { Dispatcher, LaneOwner } from "./dispatcher.ts";
import { Lane } from "./lane.ts";
import { Leftovers } from "./leftovers.ts";
import { hasTimer } from "./logic-of.ts";
import { LowWater } from "./low-water.ts";
import type { NearTimer } from "./near-timers.ts";
import { refill } from "./refill.ts";
import { type TimerMarks, Timers } from "./timers.ts";
import { Trial, type TrialHost, type TrialItem, trialName } from "./trial.ts";
import type { TrialTurns } from "./trial-turns.ts";
import { hasVolatile } from "./volatile.ts";
import { isWaitingTimer } from "./waiting.ts";

const maxSenders = 1000;
/** A quiet partition's mark is moved when it lies so far behind, or has stood for so long. */
const worthAdvancing = 1024;
const staleMs = 60_000;
/** Timers that came due before a takeover wait so long, at most, for messages that were sent before. */
const longestHoldMs = 500;
/** The checkpoint of a partition in which nothing happens is written again so often, so that a successor need not look for timers far back. */
const timersFromStepMs = 5 * 60_000;
/** As {@link longestHoldMs}, for a timer whose lane cannot take it when it has passed the trial. */
const shedTimerMs = 1000;
/** How often it is looked whether the readers have come to where the log ended at the takeover. */
const lookMs = 50;
const noAttempts: Delivery["attempts"] = [];
const noData = new Uint8Array(0);

/** How far a partition has come when a checkpoint is written. */
export interface Progress extends Pick<CheckpointRecord, "cursor" | "timersSeq" | "timersFrom"> {
  /** Timers that were handled by this owner. */
  readonly fired: number;
}

/** How a partition came to its owner. */
export interface TakenOver {
  /** The owner that did not give it back; empty: it was given back, or is new. */
  readonly from: string;
  /** True for an owner that is known not to have crashed. */
  readonly isWell: (owner: string) => boolean;
  /** Whose turn it is to handle suspect messages. */
  readonly turns: TrialTurns;
}

/** How far a partition has come, as its owner says. */
export interface PartitionStats {
  readonly partition: number;
  /** False while it is being opened: nothing else is known then. */
  readonly isOpen: boolean;
  /** Messages that were read and are not handled. */
  readonly pending: number;
  /** The last sequences of both streams that were read; what lies behind them in the log is not in `pending`. */
  readonly readUpTo: Cursor;
  /** When the oldest message that was read and is not handled was stored, milliseconds since 1970; absent: there is none. */
  readonly oldestAt?: number;
  /** When the first timer that is not handled was due, milliseconds since 1970; absent: none is due. */
  readonly overdueSince?: number;
}

/** A partition that this node owns. */
export class Partition implements LaneOwner {
  readonly id: number;
  readonly #context: NodeContext;
  readonly #dispatcher: Dispatcher;
  readonly #onLost: (error: Error) => void;
  readonly #lanes = new Map<string, Lane>();
  /** Sender names by token: few send much. */
  readonly #senders = new Map<string, string>();
  readonly #taken: TakenOver;
  readonly #readers: LogReader[] = [];
  readonly #mailReaders: LogReader[] = [];
  #water: Record<StreamName, LowWater> = { ingress: new LowWater(0), core: new LowWater(0) };
  #written: Progress = { cursor: { ingress: 0, core: 0 }, fired: 0 };
  readonly #timers: Timers;
  /** Timers that were handled here. */
  #fired = 0;
  #cancelHold: (() => void) | undefined;
  readonly #leftovers: Leftovers;
  readonly #advancedMs: Record<StreamName, number> = { ingress: 0, core: 0 };
  /** What was stored when the partition was opened: an earlier owner may have applied it to actors that leave no trace of it. */
  #before: Cursor = { ingress: 0, core: 0 };
  #isClosed = false;
  #isDraining = false;
  #isPaused = false;
  /** While the partition is suspect. */
  #trial: Trial | undefined;
  #isTrialFull = false;
  /** True when the readers have come to where the log ended at the takeover; looked at while the partition is suspect. */
  #isAllRead = false;

  constructor(
    id: number,
    context: NodeContext,
    dispatcher: Dispatcher,
    taken: TakenOver,
    onLost: (error: Error) => void,
  ) {
    this.id = id;
    this.#taken = taken;
    this.#context = context;
    this.#dispatcher = dispatcher;
    this.#onLost = onLost;
    this.#leftovers = new Leftovers(id, context);
    this.#timers = new Timers(id, context, {
      deliver: (timer) => this.#fire(timer),
      hasRoom: () => dispatcher.hasRoomForTimers,
    });
  }

  get lanes(): Iterable<Lane> {
    return this.#lanes.values();
  }

  /** Messages that were read and are not handled. */
  get pending(): number {
    return this.#water.ingress.pending + this.#water.core.pending;
  }

  /** How far the partition has come, for whoever asks. */
  get stats(): PartitionStats {
    const { ingress, core } = this.#water;
    const oldest = [ingress.oldestAtMs, core.oldestAtMs].filter((atMs) => atMs !== undefined);
    const dueMs = this.#timers.earliestMs;
    return {
      partition: this.id,
      isOpen: this.#readers.length > 0,
      pending: ingress.pending + core.pending,
      readUpTo: { ingress: ingress.readUpTo, core: core.readUpTo },
      ...(oldest.length === 0 ? {} : { oldestAt: Math.min(...oldest) }),
      ...(dueMs <= this.#context.time.now() ? { overdueSince: dueMs } : {}),
    };
  }

  /** How many timers are due soon. */
  get nearTimers(): number {
    return this.#timers.near;
  }

  /** Reads the checkpoint and opens both mailboxes; resolves when messages flow. */
  async open(): Promise<void> {
    const { log, subjects, time } = this.#context;
    const [record, trial] = await log.lastMany("core", [subjects.checkpoint(this.id), subjects.trial(this.id)]);
    const isSuspect = this.#isSuspect(trial);
    const isVolatile = hasVolatile(this.#context.definitions.values());
    const [ingress, core] = isSuspect || isVolatile ? await Promise.all([log.state("ingress"), log.state("core")]) : [];
    if (this.#isClosed) return;
    let checkpoint: TimerMarks = {};
    if (record !== undefined) {
      const stored = decodeRecord<CheckpointRecord>(`the checkpoint of partition ${this.id}`, record.data);
      this.#water = { ingress: new LowWater(stored.cursor.ingress), core: new LowWater(stored.cursor.core) };
      this.#written = { ...stored, fired: 0 };
      this.#leftovers.marks = stored.marks;
      checkpoint = stored;
    }
    const last = { ingress: ingress?.lastSeq ?? 0, core: core?.lastSeq ?? 0 };
    if (isVolatile) this.#before = last;
    if (isSuspect) this.#beginTrial(trial, last);
    // All readers, and what is due by the clock.
    let isBehind = 4;
    const caughtUp = (): void => {
      if (--isBehind > 0) return;
      this.#timers.release();
      if (this.#trial !== undefined) void this.#watchReaders(last);
    };
    this.#cancelHold = time.after(longestHoldMs, () => this.#timers.release());
    void this.#timers.open(checkpoint).then(caughtUp);
    const read = (
      stream: StreamName,
      filter: string,
      afterSeq: number,
      onRecord: (found: LogRecord) => void,
    ): LogReader => {
      const reader = log.read(stream, {
        filters: [filter],
        from: { seq: afterSeq + 1 },
        onRecord: (found) => {
          if (!this.#isClosed && !this.#isDraining) onRecord(found);
        },
        onCaughtUp: caughtUp,
        onError: (error) => {
          if (!this.#isClosed) this.#onLost(error);
        },
      });
      this.#readers.push(reader);
      return reader;
    };
    for (const stream of ["ingress", "core"] as const) {
      const { mark } = this.#water[stream];
      const reader = read(stream, this.#mailboxOf(stream), mark, (found) => this.#onRecord(stream, found));
      this.#mailReaders.push(reader);
    }
    // One reader with two filters would do, but costs the server several times as much.
    read("core", subjects.timersOfPartition(this.id), this.#timers.seenSeq, (found) => this.#timers.seen(found));
    if (this.#isPaused) for (const reader of this.#readers) reader.pause();
    await Promise.all(this.#readers.map((reader) => reader.ready));
    // A suspect partition's are woken when it has stood its trial.
    if (this.#trial === undefined) await this.#wakeLive();
  }

  #isSuspect(record: LogRecord | undefined): boolean {
    const { from, isWell } = this.#taken;
    if (this.#context.settings.maxCrashes === Number.POSITIVE_INFINITY) return false;
    return record !== undefined || (from !== "" && !isWell(from));
  }

  #beginTrial(record: LogRecord | undefined, last: Record<StreamName, number>): void {
    const { from, isWell, turns } = this.#taken;
    const host: TrialHost = {
      deliver: (item) => this.#deliver(item),
      putAside: ({ lane, address, delivery }) => {
        if (delivery.timer === undefined) this.#laneOf(lane, address).overflow[delivery.stream].push(delivery.seq);
        else this.#timers.postpone(delivery.subject, shedTimerMs);
      },
      isResting: ({ lane, delivery: { timer } }) => {
        const phase = this.#lanes.get(lane)?.phase;
        return phase === "parked" || (phase === "waiting" && (timer === undefined || !isWaitingTimer(timer)));
      },
      isAllRead: (untilMs) => {
        if (!this.#isAllRead || this.#timers.nextMs <= untilMs) return false;
        for (const { isLineWanted, isLineRead } of this.#lanes.values()) if (isLineWanted || isLineRead) return false;
        return true;
      },
      mayCome: (name) => this.#mayCome(name),
      onFull: (isFull) => {
        this.#isTrialFull = isFull;
        if (this.#isPaused) return;
        for (const reader of this.#mailReaders) {
          if (isFull) reader.pause();
          else reader.resume();
        }
      },
      onThrough: () => void this.#wakeLiveSurely(),
      onOver: () => {
        this.#trial = undefined;
        this.#dispatcher.trials--;
      },
      onFailed: (error) => {
        if (!this.#isClosed && !this.#isDraining) this.#onLost(error);
      },
    };
    this.#dispatcher.trials++;
    this.#trial = new Trial(this.id, this.#context, turns, host, { from, record, last, isWell });
  }

  /** Notes when the readers have shown all that was stored at the takeover. */
  async #watchReaders(last: Record<StreamName, number>): Promise<void> {
    const { log, time } = this.#context;
    for (const stream of ["ingress", "core"] as const) {
      while (!this.#isClosed) {
        try {
          // Only the leader knows what there is.
          const next = await log.next(stream, this.#mailboxOf(stream), this.#water[stream].readUpTo + 1);
          if (next === undefined || next.seq > last[stream]) break;
        } catch {
          // Asked again below.
        }
        await sleep(time, lookMs);
      }
    }
    this.#isAllRead = true;
  }

  /** False when the message with the name is handled, or gone. */
  #mayCome(name: string): boolean {
    const rest = name.slice(2);
    switch (name[0]) {
      case "i":
        return this.#water.ingress.has(Number(rest));
      case "c":
        return this.#water.core.has(Number(rest));
      case "t":
        return this.#timers.has(rest);
      default:
        return true;
    }
  }

  async #wakeLiveSurely(): Promise<void> {
    const { time, random } = this.#context;
    for (let attempt = 1; !this.#isClosed && !this.#isDraining; attempt++) {
      try {
        return await this.#wakeLive();
      } catch {
        await sleep(time, backoffMs(attempt, random));
      }
    }
  }

  /** Loads the actors that have live children, so that these are started. */
  async #wakeLive(): Promise<void> {
    const { log, subjects } = this.#context;
    for await (const record of log.scan("core", subjects.livesOfPartition(this.id), { lastPerSubject: true })) {
      if (this.#isClosed) return;
      const parsed = subjects.parseRecord(record.subject);
      const name = subjects.actorOf(record.subject);
      if (parsed === undefined || name === undefined) continue;
      const { isLive } = decodeRecord<LiveRecord>("the mark of an actor with live children", record.data);
      if (isLive) this.#dispatcher.load(this.#laneOf(name, parsed.address));
      else await log.purge("core", record.subject, record.seq + 1);
    }
  }

  pause(): void {
    this.#isPaused = true;
    for (const reader of this.#readers) reader.pause();
  }

  resume(): void {
    this.#isPaused = false;
    for (const reader of this.#readers) {
      if (!this.#isTrialFull || !this.#mailReaders.includes(reader)) reader.resume();
    }
  }

  /** Stops reading and lets what is decided be committed; what is not decided is left to the next owner. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    this.#trial?.close();
    this.#stopTimers();
    for (const reader of this.#readers) reader.stop();
    this.#dropUndecided();
    this.#dispatcher.committer.kick();
    while (
      !this.#isClosed &&
      [...this.#lanes.values()].some(
        (lane) => lane.decided.length > 0 || lane.inFlight.length > 0 || lane.queue.length > 0,
      )
    ) {
      await sleep(this.#context.time, 5);
      // A commit that was put back stands in its lane again, decided; a fenced one stands in the queue and is the next owner's.
      this.#dropUndecided();
      this.#dispatcher.committer.kick();
    }
    if (!this.#isClosed) await this.#trial?.leave();
  }

  /** But for what the next owner would skip, as long as it can be decided here. */
  #dropUndecided(): void {
    for (const lane of this.#lanes.values()) {
      if (!lane.isVolatile || lane.phase !== "ready") this.#dispatcher.dropUndecided(lane);
    }
  }

  /** Lets go at once: nothing of this partition is committed any more, but for what is on its way. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#trial !== undefined) this.#dispatcher.trials--;
    this.#trial?.close();
    this.#stopTimers();
    for (const reader of this.#readers) reader.stop();
    for (const lane of this.#lanes.values()) this.#dispatcher.release(lane);
    this.#lanes.clear();
  }

  handled(delivery: Delivery): void {
    if (delivery.waiting !== undefined) {
      if (delivery.wokenBy !== undefined) this.handled(delivery.wokenBy);
    } else if (delivery.timer === undefined) this.#water[delivery.stream].handled(delivery.seq);
    else {
      this.#fired++;
      this.#timers.handled(delivery.subject);
    }
    this.#trial?.handled(trialName(delivery));
  }

  stillWaits(lane: Lane, settled: number): void {
    this.#leftovers.settled(lane, settled);
  }

  nothingWaits(lane: Lane): void {
    this.#leftovers.waited(lane);
  }

  postpone(delivery: Delivery, delayMs?: number): void {
    this.#timers.postpone(delivery.subject, delayMs);
    this.#trial?.left(trialName(delivery));
  }

  putBack(delivery: Delivery): void {
    this.#trial?.left(trialName(delivery));
  }

  rested(lane: Lane, delivery?: Delivery): void {
    if (delivery === undefined) this.#trial?.rested(lane.name);
    else this.#trial?.setAside(trialName(delivery));
  }

  asks(lane: Lane, delivery: Delivery, goOn: () => boolean): boolean {
    if (this.#trial?.asksAgain(trialName(delivery)) !== true) return false;
    // Those that stand behind it in the lane wait with it.
    this.#trial.rested(lane.name);
    this.#trial.offer({ ...itemOf(lane, delivery), enter: goOn, isHeld: true, onTaken: () => {} });
    return true;
  }

  admit(lane: Lane, delivery: Delivery, enter: () => boolean): boolean {
    if (!this.isOnTrial(delivery)) return false;
    this.#trial?.offer({ ...itemOf(lane, delivery), enter, onTaken: () => {} });
    return true;
  }

  timersChanged(lane: Lane, decisions: readonly Decision[]): void {
    for (const { outbox } of decisions) {
      for (const item of outbox) {
        if (item.kind === "timer") this.#timers.set(lane.name, lane.address, item.timer, item.atMs);
      }
    }
    const { head } = decisions[decisions.length - 1] as Decision;
    if (lane.definition === undefined || lane.isBare) return;
    this.#timers.keepOnly(lane.name, lane.seq, (timer) => hasTimer(lane.definition, head, timer));
  }

  forget(lane: Lane): void {
    this.#lanes.delete(lane.name);
    lane.close();
  }

  /** The checkpoint to be written, when there is anything new to say. */
  checkpoint(): { readonly record: AppendRecord; readonly progress: Progress } | undefined {
    // Before it is opened, nothing is known.
    if (this.#readers.length === 0) return undefined;
    const cursor = { ingress: this.#water.ingress.mark, core: this.#water.core.mark };
    const { timersSeq, timersFrom, timersKept } = this.#timers.marks;
    const before = this.#written;
    const forwardMs = timersFrom - (before.timersFrom ?? timersFrom);
    const isNew =
      cursor.ingress !== before.cursor.ingress ||
      cursor.core !== before.cursor.core ||
      timersSeq !== (before.timersSeq ?? 0) ||
      forwardMs >= timersFromStepMs ||
      (forwardMs > 0 && this.#fired !== before.fired);
    if (!isNew) return undefined;
    const progress: Progress = { cursor, timersSeq, timersFrom, fired: this.#fired };
    const record: CheckpointRecord = {
      format: recordFormat,
      cursor,
      timersSeq,
      timersFrom,
      timersKept,
      marks: this.#leftovers.marks,
    };
    return { record: { subject: this.#context.subjects.checkpoint(this.id), data: encodeRecord(record) }, progress };
  }

  /** The checkpoint is in the log, at this sequence of CORE. */
  checkpointed(progress: Progress, seq: number): void {
    this.#written = progress;
    this.#leftovers.mark(seq);
  }

  /**
   * Moves the low-water mark of a quiet partition along: between it and `upToSeq` nothing of the partition is stored.
   *
   * `upToSeq` must have been the stream's last sequence some time ago, so that whoever answers now has it.
   */
  async advance(stream: StreamName, upToSeq: number): Promise<void> {
    const water = this.#water[stream];
    const { log, time } = this.#context;
    const behind = upToSeq - water.mark;
    if (water.pending > 0 || behind <= 0 || this.#isDraining) return;
    if (behind < worthAdvancing && time.elapsed() - this.#advancedMs[stream] < staleMs) return;
    this.#advancedMs[stream] = time.elapsed();
    const next = await log.next(stream, this.#mailboxOf(stream), water.mark + 1);
    if (!this.#isClosed) water.advance(next === undefined ? upToSeq : Math.min(upToSeq, next.seq - 1));
  }

  /** As {@link Partition.advance}, for the timers. */
  advanceTimers(upToSeq: number): Promise<void> {
    return this.#timers.advance(upToSeq);
  }

  /** Removes the records of timers that are past and handled. */
  purgeTimers(): Promise<void> {
    return this.#timers.purge();
  }

  /** Removes what is not needed any more: records of messages that have waited, and what is older than its retention. */
  async purge(): Promise<void> {
    await this.#leftovers.purgeAged();
    await this.#leftovers.purgeWaited(() => this.#isClosed);
  }

  refill(lane: Lane): void {
    if (lane.refilling || this.#isClosed || this.#isDraining) return;
    lane.refilling = true;
    void refill(this.#context, this.id, lane, {
      isClosed: () => this.#isClosed,
      take: (stream, record) => this.#takeAgain(lane, this.#delivery(stream, record, lane.address)),
      handled: (stream, seq) => this.#water[stream].handled(seq),
    }).finally(() => {
      lane.refilling = false;
      // What it read may have been decided before it came to its end.
      this.#dispatcher.settled(lane);
    });
  }

  #onRecord(stream: StreamName, record: LogRecord): void {
    this.#water[stream].read(record.seq, record.timeMs);
    const name = this.#context.subjects.laneOf(record.subject);
    // An actor that is known has a subject that was checked when its lane was made.
    const known = name === undefined ? undefined : this.#lanes.get(name);
    let delivery: Delivery;
    let lane: Lane;
    if (known !== undefined) {
      lane = known;
      delivery = this.#delivery(stream, record, lane.address);
    } else {
      const parsed = this.#context.subjects.parseMailbox(stream, record.subject);
      const problem = this.#problemOf(record.subject, parsed);
      const isAddressed = parsed !== undefined && name !== undefined && problem === undefined;
      const address = isAddressed ? parsed.to : { type: unaddressedType, id: String(this.id) };
      lane = this.#laneOf(isAddressed ? name : `${unaddressedType}.${this.id}`, address);
      delivery = this.#delivery(stream, record, address, problem);
    }
    if (lane.isVolatile && record.seq <= this.#before[stream]) {
      this.#context.telemetry.counters.skipped++;
      this.#water[stream].handled(record.seq);
      return;
    }
    if (this.isOnTrial(delivery)) this.#trial?.offer(itemOf(lane, delivery));
    else if (!this.#dispatcher.accept(lane, delivery, false)) lane.overflow[stream].push(record.seq);
  }

  isOnTrial(delivery: Delivery): boolean {
    return this.#trial?.holds(trialName(delivery)) ?? false;
  }

  /** Takes a message that was read again; undefined when it stands in its lane, otherwise told later whether it does. */
  #takeAgain(lane: Lane, delivery: Delivery): Promise<boolean> | undefined {
    if (!this.isOnTrial(delivery)) {
      this.#dispatcher.accept(lane, delivery, true);
      return undefined;
    }
    return new Promise((onTaken) => this.#trial?.offer({ ...itemOf(lane, delivery), onTaken }));
  }

  /** A message has its turn in the trial; false when its lane cannot take it. */
  #deliver({ lane: name, address, delivery, enter, onTaken }: TrialItem): boolean {
    if (enter !== undefined) return enter();
    // The lane may have left memory meanwhile.
    const lane = this.#laneOf(name, address);
    if (this.#dispatcher.accept(lane, delivery, onTaken !== undefined)) {
      if (lane.phase === "waiting" || lane.phase === "parked") this.rested(lane);
      return true;
    }
    if (delivery.timer === undefined) lane.overflow[delivery.stream].push(delivery.seq);
    else this.#timers.postpone(delivery.subject, shedTimerMs);
    return false;
  }

  #mailboxOf(stream: StreamName): string {
    const { subjects } = this.#context;
    return stream === "ingress" ? subjects.ingressOfPartition(this.id) : subjects.mailOfPartition(this.id);
  }

  #stopTimers(): void {
    this.#timers.stop();
    this.#cancelHold?.();
  }

  #fire(timer: NearTimer): boolean {
    const lane = this.#laneOf(timer.lane, timer.of);
    const delivery: Delivery = {
      ...untried,
      stream: "core",
      seq: 0,
      timer: timer.timer,
      atMs: timer.atMs,
      setSeq: timer.setSeq,
      subject: timer.subject,
      to: timer.of,
      sender: undefined,
      data: noData,
      unaddressable: undefined,
    };
    if (!this.isOnTrial(delivery)) return this.#dispatcher.accept(lane, delivery, false);
    this.#trial?.offer(itemOf(lane, delivery));
    return true;
  }

  /** Why a message cannot be delivered by its subject; undefined when it can. */
  #problemOf(subject: string, parsed: MailboxSubject | undefined): string | undefined {
    if (parsed === undefined) return `Subject "${subject}" is not a mailbox that a message can be delivered from.`;
    const partition = partitionOf(parsed.to, this.#context.partitions);
    if (partition === this.id) return undefined;
    return `Subject "${subject}" names partition ${this.id}, but ${formatAddress(parsed.to)} belongs to partition ${partition} of ${this.#context.partitions}.`;
  }

  #delivery(stream: StreamName, record: LogRecord, to: Address, unaddressable?: string): Delivery {
    return {
      stream,
      seq: record.seq,
      subject: record.subject,
      to,
      sender: stream === "ingress" ? this.#senderOf(record.subject) : undefined,
      data: record.data,
      unaddressable,
      // As in `untried`; spelled out, since this is made for every message, and a spread costs several times as much.
      attempts: noAttempts,
      attemptCount: 0,
      firstAt: 0,
      retryState: undefined,
      next: undefined,
      duplicateOf: undefined,
      isKeyNew: false,
      verdict: undefined,
    };
  }

  #senderOf(subject: string): string | undefined {
    const token = this.#context.subjects.senderToken(subject);
    let sender = this.#senders.get(token);
    if (sender === undefined) {
      sender = fromToken(token);
      if (this.#senders.size >= maxSenders) this.#senders.clear();
      if (sender !== undefined) this.#senders.set(token, sender);
    }
    return sender;
  }

  #laneOf(name: string, address: Address): Lane {
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      const subject = this.#context.subjects.state(this.id, address);
      lane = new Lane(name, address, this.id, subject, this.#context.definitions.get(address.type));
      this.#lanes.set(name, lane);
    }
    return lane;
  }
}

function itemOf({ name, address }: Lane, delivery: Delivery): TrialItem {
  return { name: trialName(delivery), lane: name, address, delivery };
}

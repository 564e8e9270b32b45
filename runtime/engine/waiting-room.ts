/**
 * What a lane does about messages that wait outside the mailbox: whose turn it is, reading them back, and when they are done with.
 *
 * 1. Nothing but the message that holds, the letter that parks, or the timer that begins a failed child again is decided while an actor is blocked. What must wait for long goes into line by commit;
 *    for a short hold it stays in memory.
 * 2. Those in line are read from the leader, once nothing of the actor is uncommitted: then the log has all of them.
 * 3. Timers of a blocked actor are set aside in memory; their records keep them.
 */
import { formatAddress } from "../core/address.ts";
import { decodeEnvelope, encodeEnvelope } from "../core/envelope.ts";
import { CorruptRecordError, isStatewrightError } from "../core/errors.ts";
import { fromToken } from "../core/names.ts";
import { decodeRecord, type Waiting, type WaitingRecord } from "../core/records.ts";
import type { LogRecord } from "../log/log.ts";
import type { RetryState } from "../supervise/retry-delays.ts";
import type { Backlog } from "./backlog.ts";
import { backoffMs, type NodeContext } from "./context.ts";
import { lifts } from "./decision.ts";
import { type Delivery, untried } from "./delivery.ts";
import type { Lane } from "./lane.ts";
import {
  firstInLine,
  holdOf,
  isBlocked,
  isInLine,
  isLineOpen,
  isRetriedTimer,
  isWaiting,
  isWaitingTimer,
  numberIn,
} from "./waiting.ts";

/** `decide`: now. `line`: it goes to the end of the line. `next`: it was taken out of the queue. `stop`: the lane waits. */
export type Turn = "decide" | "line" | "next" | "stop";

/** What the room asks of the dispatcher. */
export interface WaitingHost {
  readonly backlog: Backlog;
  /** The delivery needs no more handling. */
  handled(lane: Lane, delivery: Delivery): void;
  /** The lane waits for so long. */
  wait(lane: Lane, delayMs: number): void;
  /** The lane has something to do. */
  wake(lane: Lane): void;
  /** As for the lane's owner. */
  postpone(lane: Lane, timer: Delivery, delayMs?: number): void;
  rested(lane: Lane, delivery?: Delivery): void;
  putBack(lane: Lane, delivery: Delivery): void;
  admit(lane: Lane, delivery: Delivery, enter: () => boolean): boolean;
  isOnTrial(lane: Lane, delivery: Delivery): boolean;
}

/** A hold that ends so soon is waited for in memory, by so many messages. */
const shortHoldMs = 1000;
const maxHeldInMemory = 1000;
/** How long after its time a held lane looks again; its timer wakes it before. */
const graceMs = 100;
const linePerRead = 128;
/** A timer that comes before its time comes again after so long, at most: clocks that are set back are set forward, too. */
const longestPostponedMs = 1000;

/** Sees to the lanes that something waits for. */
export class WaitingRoom {
  readonly #context: NodeContext;
  readonly #host: WaitingHost;

  constructor(context: NodeContext, host: WaitingHost) {
    this.#context = context;
    this.#host = host;
  }

  /** True when {@link WaitingRoom.turn} has to be asked. */
  concerns(lane: Lane, delivery: Delivery): boolean {
    return (
      lane.head.waiting !== undefined ||
      delivery.waiting !== undefined ||
      (delivery.timer !== undefined && isWaitingTimer(delivery.timer))
    );
  }

  /** Whether the first delivery of the lane is decided now. A timer must be one that is set. */
  turn(lane: Lane, delivery: Delivery): Turn {
    lane.isHeld = false;
    const { waiting } = lane.head;
    if (delivery.waiting !== undefined) return this.#turnOfWaiting(lane, delivery, delivery.waiting);
    if (delivery.timer !== undefined) {
      if (isWaitingTimer(delivery.timer)) return this.#woken(lane, delivery, delivery.timer, waiting as Waiting);
      if (isRetriedTimer(waiting, delivery.timer)) return this.#drop(lane, delivery);
      if (waiting?.restart?.timer === delivery.timer || isGivenUp(delivery)) return "decide";
      return isBlocked(waiting) || firstInLine(waiting) !== undefined ? this.#setAside(lane, delivery) : "decide";
    }
    if (waiting === undefined) return "decide";
    if (!isBlocked(waiting)) return firstInLine(waiting) === undefined ? "decide" : this.#wantLine(lane);
    if (bringForward(lane, waiting.restart?.timer)) return "next";
    if (waiting.parked === undefined) {
      // Without room, the timer that ends the hold would not come.
      const hold = holdOf(waiting);
      const leftMs = (hold?.retry.at ?? waiting.restart?.at ?? 0) - this.#context.time.now();
      if (leftMs <= shortHoldMs && lane.queue.length <= maxHeldInMemory && this.#host.backlog.hasRoomForTimers) {
        lane.isHeld = true;
        this.#host.wait(lane, Math.max(0, leftMs) + graceMs);
        return "stop";
      }
    } else if (liftsPark(waiting, delivery)) return "decide";
    return "line";
  }

  /** A timer of the room's own has come: a lane that waits for it goes on. */
  arrived(lane: Lane): void {
    if (lane.phase !== "waiting" || !lane.isHeld) return;
    lane.isHeld = false;
    lane.cancelTimer?.();
    lane.cancelTimer = undefined;
    lane.phase = "ready";
    this.#host.wake(lane);
  }

  /** Decisions of the lane were committed, or pushed: what waits for that goes on. */
  moved(lane: Lane): void {
    if (lane.isLineWanted && lane.phase === "waiting" && lane.decided.length === 0 && lane.inFlight.length === 0) {
      lane.isLineWanted = false;
      this.#readLine(lane);
    }
    if (lane.phase !== "ready") return;
    const { waiting } = lane.head;
    if (isLineOpen(waiting)) {
      if (lane.queue.length === 0) this.#wantLine(lane);
      return;
    }
    if (lane.aside.length === 0 || isBlocked(waiting)) return;
    const back = lane.aside;
    lane.aside = [];
    lane.queue = back.concat(lane.queue);
    for (const delivery of back) this.#host.backlog.hold(delivery);
    this.#host.wake(lane);
  }

  #turnOfWaiting(lane: Lane, delivery: Delivery, n: number): Turn {
    const { waiting } = lane.head;
    if (!isWaiting(waiting, n)) return this.#drop(lane, delivery);
    const hold = holdOf(waiting);
    const isFree =
      isGivenUp(delivery) ||
      (waiting?.parked === undefined &&
        (hold === undefined || hold.n === n) &&
        (waiting?.restart === undefined || waiting.restart.timer === delivery.timer));
    if (delivery.wokenBy !== undefined) return isFree ? "decide" : this.#setAside(lane, delivery);
    if (isFree && hold === undefined && firstInLine(waiting) === n) return "decide";
    // It is read again when the line is.
    lane.queue.shift();
    this.#host.backlog.letGo(delivery);
    this.#host.putBack(lane, delivery);
    return "next";
  }

  #woken(lane: Lane, delivery: Delivery, timer: string, waiting: Waiting): Turn {
    if (timer.startsWith("l")) {
      // What the line holds may have ended processes; that it can be taken is nothing to give up.
      delivery.verdict = undefined;
      lane.queue.shift();
      this.#host.backlog.letGo(delivery);
      lane.aside.push(delivery);
      return this.#wantLine(lane);
    }
    const n = numberIn(timer);
    const retry = waiting.retries?.[n];
    const leftMs = (retry?.at ?? 0) - this.#context.time.now();
    if (leftMs > 0 && !isGivenUp(delivery)) {
      // The clock was set back, or it is the timer of another node's commit, on which what is decided here will be refused. Back in the queue it would be
      // looked at again at once.
      lane.queue.shift();
      this.#host.backlog.letGo(delivery);
      this.#later(lane, delivery, Math.min(leftMs, longestPostponedMs));
      return "next";
    }
    const kept = lane.kept.get(n);
    if (kept !== undefined && kept.attemptCount + 1 === retry?.attempt) {
      this.#replace(lane, delivery, {
        ...kept,
        duplicateOf: lane.duplicates.get(n),
        waiting: n,
        wokenBy: delivery,
        isKeyNew: false,
        verdict: undefined,
        next: undefined,
        ...condemned(delivery, kept),
      });
      return this.#turnOfWaiting(lane, lane.queue[0] as Delivery, n);
    }
    lane.phase = "waiting";
    this.#read(lane, [n], ([found]) => {
      if (found === undefined) return;
      this.#replace(lane, delivery, { ...found, wokenBy: delivery, ...condemned(delivery, found) });
      this.#goOn(lane);
    });
    return "stop";
  }

  #replace(lane: Lane, delivery: Delivery, by: Delivery): void {
    const at = lane.queue.indexOf(delivery);
    if (at < 0) return;
    this.#host.backlog.letGo(delivery);
    lane.queue[at] = by;
    this.#host.backlog.hold(by);
  }

  #drop(lane: Lane, delivery: Delivery): Turn {
    lane.queue.shift();
    this.#host.backlog.letGo(delivery);
    // What settled it may be thrown away yet.
    if (lane.decided.length > 0 || lane.inFlight.length > 0) this.#later(lane, delivery);
    else this.#host.handled(lane, delivery);
    return "next";
  }

  /** Until the actor takes messages. */
  #setAside(lane: Lane, delivery: Delivery): Turn {
    lane.queue.shift();
    this.#host.backlog.letGo(delivery);
    lane.aside.push(delivery.wokenBy ?? delivery);
    this.#host.rested(lane, delivery);
    return "next";
  }

  /** It has left the lane, and comes again when it is due again, or the line is read. */
  #later(lane: Lane, delivery: Delivery, delayMs?: number): void {
    const { waiting, wokenBy } = delivery;
    if (waiting !== undefined && wokenBy === undefined) this.#host.putBack(lane, delivery);
    else this.#host.postpone(lane, wokenBy ?? delivery, delayMs);
  }

  /** The lane waits until those in line are read; that begins when nothing of it is uncommitted. */
  #wantLine(lane: Lane): Turn {
    lane.phase = "waiting";
    lane.isLineWanted = true;
    this.moved(lane);
    return "stop";
  }

  #readLine(lane: Lane): void {
    const waiting = lane.head.waiting as Waiting;
    const wanted: number[] = [];
    for (let n = waiting.from; n < waiting.next && wanted.length < linePerRead; n++)
      if (isInLine(waiting, n)) wanted.push(n);
    const { head } = lane;
    lane.isLineRead = true;
    this.#read(lane, wanted, (found) => {
      lane.isLineRead = false;
      const line = found.filter((each) => each !== undefined);
      const enter = (some: readonly Delivery[]): boolean => {
        // As long as it waited to enter the lane may have moved on.
        if (lane.phase !== "waiting" || lane.head !== head) return false;
        lane.queue = some.concat(lane.queue);
        for (const delivery of some) this.#host.backlog.hold(delivery);
        this.#goOn(lane);
        return true;
      };
      const [first] = line;
      // While the partition is suspect they enter one by one.
      if (first !== undefined && this.#host.admit(lane, first, () => enter([first]))) this.#host.rested(lane);
      else {
        // The partition may be past its trial but for some messages that come late: each enters first of those that are read.
        const held = line.findIndex((delivery) => this.#host.isOnTrial(lane, delivery));
        enter(held < 0 ? line : line.slice(0, held));
      }
    });
  }

  #goOn(lane: Lane): void {
    if (lane.phase !== "waiting") return;
    lane.phase = "ready";
    this.#host.wake(lane);
  }

  /** Reads messages that wait, in the order of the numbers, from the leader; nothing is told when the lane has moved on meanwhile. */
  #read(lane: Lane, numbers: readonly number[], onRead: (found: ReadonlyArray<Delivery | undefined>) => void): void {
    const { log, subjects, time, random, telemetry } = this.#context;
    const { head, partition, address } = lane;
    const isOver = (): boolean => lane.phase !== "waiting" || lane.head !== head;
    const read = async (): Promise<Array<Delivery | undefined>> => {
      const found = await log.lastMany(
        "core",
        numbers.map((n) => subjects.wait(partition, address, n)),
      );
      const deliveries: Delivery[] = [];
      for (const [i, record] of found.entries()) {
        const n = numbers[i] as number;
        const stored = record === undefined ? undefined : readWaiting(record);
        const body =
          stored?.body === true ? await log.last("core", subjects.waitBody(partition, address, n)) : undefined;
        deliveries.push(
          deliveryOf(lane, n, stored, body?.data, stored === undefined ? undefined : this.#senderOf(stored)),
        );
      }
      return deliveries;
    };
    const attempt = (count: number): void => {
      read().then(
        (found) => {
          if (!isOver()) onRead(found);
        },
        (error) => {
          if (isOver() || (isStatewrightError(error) && error._tag === "SystemStoppedError")) return;
          if (count === 1) {
            const why = error instanceof Error ? error.message : String(error);
            const actor = formatAddress(address);
            telemetry.tell("warn", "waiting.failed", `Cannot read what waits for ${actor}: ${why} Trying again.`, {
              actor,
            });
          }
          lane.cancelTimer = time.after(backoffMs(count, random), () => {
            if (!isOver()) attempt(count + 1);
          });
        },
      );
    };
    attempt(1);
  }

  #senderOf({ source }: WaitingRecord): string | undefined {
    return source.stream === "ingress" ? fromToken(this.#context.subjects.senderToken(source.subject)) : undefined;
  }
}

/** True for what dies without being handled, since it has ended one process after the other: it waits for nobody. */
function isGivenUp({ verdict }: Delivery): boolean {
  return verdict?.reason === "crashed";
}

/** What a message is given by the timer that wakes it, when it has ended one process after the other. */
function condemned({ verdict, attempts, duplicateOf }: Delivery, found: Delivery): Partial<Delivery> {
  if (verdict?.reason !== "crashed") return {};
  const all = [...found.attempts, ...attempts];
  const duplicate = duplicateOf === undefined ? {} : { duplicateOf };
  return { verdict, attempts: all, attemptCount: found.attemptCount + attempts.length, ...duplicate };
}

/** A timer that is in memory and that all others wait for comes first; false when it is not there. */
function bringForward(lane: Lane, timer: string | undefined): boolean {
  const at = timer === undefined ? -1 : lane.queue.findIndex((delivery) => delivery.timer === timer);
  if (at > 0) lane.queue.unshift(...lane.queue.splice(at, 1));
  return at > 0;
}

function liftsPark(waiting: Waiting, delivery: Delivery): boolean {
  if (delivery.stream !== "core") return false;
  try {
    return lifts(waiting, delivery, decodeEnvelope(delivery.data));
  } catch {
    return false;
  }
}

/** What cannot be read is undefined: the message becomes a dead letter that says so. */
function readWaiting(record: LogRecord): WaitingRecord | undefined {
  try {
    return decodeRecord<WaitingRecord>("a waiting message", record.data);
  } catch (error) {
    if (error instanceof CorruptRecordError) return undefined;
    throw error;
  }
}

function deliveryOf(
  lane: Lane,
  n: number,
  record: WaitingRecord | undefined,
  body: Uint8Array | undefined,
  sender: string | undefined,
): Delivery {
  const {
    envelope,
    raw,
    source,
    attempts = [],
    attemptCount = 0,
    firstAt = 0,
    retry,
    timer,
  }: Partial<WaitingRecord> = record ?? {};
  const data = body ?? (envelope === undefined ? Buffer.from(raw ?? "", "base64") : encodeEnvelope(envelope));
  return {
    ...untried,
    stream: source?.stream ?? "core",
    seq: source?.seq ?? n,
    subject: source?.subject ?? "",
    to: lane.address,
    sender,
    data: timer === undefined ? data : new Uint8Array(0),
    ...(timer === undefined ? {} : { timer: timer.name, atMs: timer.at }),
    unaddressable:
      record === undefined
        ? `The record of message ${n} that waited for ${formatAddress(lane.address)} is gone or cannot be read.`
        : undefined,
    waiting: n,
    duplicateOf: lane.duplicates.get(n),
    attempts,
    attemptCount,
    firstAt,
    retryState: retry as RetryState | undefined,
  };
}

/**
 * How much a node holds in memory that is not committed, and what it does when that is too much.
 *
 * 1. Reading pauses at the limit and goes on at half of it.
 * 2. Messages behind lanes that cannot move leave memory then, to be read again later: they do not keep the others from being read.
 *    Timers cannot be read again: they go back to where they came from.
 */
import type { NodeContext } from "./context.ts";
import { type Delivery, deliveryBytes } from "./delivery.ts";
import type { Lane } from "./lane.ts";

/** A lane that cannot move keeps so many deliveries, or fewer when the node is full. */
const maxHeld = 1000;
const maxHeldWhenFull = 16;

/** Counts the deliveries in memory. */
export class Backlog {
  readonly #context: NodeContext;
  readonly #lanes: () => Iterable<Lane>;
  readonly #onPressure: (isFull: boolean) => void;
  readonly #onShed: (lane: Lane, delivery: Delivery) => void;
  #queued = 0;
  #queuedBytes = 0;
  #isFull = false;

  /** `onShed` receives what leaves memory: timers, which have another place to wait in, and messages, which are read again. */
  constructor(
    context: NodeContext,
    lanes: () => Iterable<Lane>,
    onPressure: (isFull: boolean) => void,
    onShed: (lane: Lane, delivery: Delivery) => void,
  ) {
    this.#context = context;
    this.#lanes = lanes;
    this.#onPressure = onPressure;
    this.#onShed = onShed;
  }

  /** Deliveries in memory that are not committed. */
  get queued(): number {
    return this.#queued;
  }

  /** False while the node holds so much that timers had better wait where they are. */
  get hasRoomForTimers(): boolean {
    return this.#queued < this.#context.settings.maxQueued / 2;
  }

  /** False when the lane holds as much as it may. */
  hasRoom(lane: Lane): boolean {
    return !isStuck(lane) || lane.queue.length < (this.#isFull ? maxHeldWhenFull : maxHeld);
  }

  /** As {@link Backlog.hasRoom}, for a timer of a lane: those that a lane cannot take are not read again but offered again, so few will do. */
  hasRoomForTimerOf(lane: Lane): boolean {
    return lane.phase !== "parked" && (lane.phase !== "waiting" || lane.queue.length < maxHeldWhenFull);
  }

  hold(delivery: Delivery): void {
    this.#queued++;
    this.#queuedBytes += deliveryBytes(delivery);
    const { maxQueued, maxQueuedBytes } = this.#context.settings;
    if (this.#isFull || (this.#queued < maxQueued && this.#queuedBytes < maxQueuedBytes)) return;
    this.#isFull = true;
    this.#onPressure(true);
    for (const lane of this.#lanes()) this.#shed(lane);
  }

  letGo(delivery: Delivery): void {
    this.#queued--;
    this.#queuedBytes -= deliveryBytes(delivery);
    const { maxQueued, maxQueuedBytes } = this.#context.settings;
    if (this.#isFull && this.#queued <= maxQueued / 2 && this.#queuedBytes <= maxQueuedBytes / 2) {
      this.#isFull = false;
      this.#onPressure(false);
    }
  }

  /** A lane cannot move any more; reading may have paused because of it while it still could. */
  stuck(lane: Lane): void {
    if (lane.phase === "parked") {
      // It may be so for long, and its timers have another place to wait in.
      const timers = lane.queue.filter((delivery) => timerOf(delivery) !== undefined);
      lane.queue = lane.queue.filter((delivery) => timerOf(delivery) === undefined);
      for (const delivery of timers) this.#shedOne(lane, delivery);
      // Those in line are read again.
      for (const delivery of lane.queue) if (delivery.waiting !== undefined) this.#shedOne(lane, delivery);
      lane.queue = lane.queue.filter((delivery) => delivery.waiting === undefined);
    }
    if (this.#isFull) this.#shed(lane);
  }

  /** Takes the messages behind a lane that cannot move out of memory. */
  #shed(lane: Lane): void {
    if (!isStuck(lane) || lane.refilling || lane.queue.length <= maxHeldWhenFull) return;
    const shed = lane.queue.splice(maxHeldWhenFull);
    for (const stream of ["ingress", "core"] as const) {
      const seqs = shed
        .filter(({ stream: from, timer, waiting }) => from === stream && timer === undefined && waiting === undefined)
        .map((delivery) => delivery.seq);
      lane.overflow[stream] = seqs.concat(lane.overflow[stream]);
    }
    for (const delivery of shed) this.#shedOne(lane, delivery);
  }

  #shedOne(lane: Lane, delivery: Delivery): void {
    this.letGo(delivery);
    this.#onShed(lane, timerOf(delivery) ?? delivery);
  }
}

/** The timer that a delivery is, or came by. */
function timerOf(delivery: Delivery): Delivery | undefined {
  if (delivery.waiting !== undefined) return delivery.wokenBy;
  return delivery.timer === undefined ? undefined : delivery;
}

function isStuck(lane: Lane): boolean {
  return lane.phase === "waiting" || lane.phase === "parked";
}

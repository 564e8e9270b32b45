/**
 * What stands between one simulated process and the broker; everything goes through it, in both directions.
 *
 * 1. Requests of one lane arrive in the order in which they were made, as over one TCP connection.
 * 2. After `sever` nothing reaches the process any more: no answer, no record, no signal, no timer of its `time`.
 * 3. While frozen, everything waits in front of the process, and in it; after `thaw` it comes in order, at once.
 * 4. While cut off, what is sent is lost, and what would be received is lost or waits, as with a broken network.
 */
import { LogUnavailableError, SystemStoppedError } from "../core/errors.ts";
import type { Time } from "../core/time.ts";
import type { Wire } from "./wire.ts";

/** A request to the broker. */
export interface Request<A> {
  readonly label: string;
  /** Requests of the same lane do not overtake each other; undefined: this one may. */
  readonly lane?: string;
  /** Does it, at the broker; what it throws is the answer too. It may answer later. */
  readonly apply: (answer: (value: A) => void) => void;
  /** What the caller gets when no answer came in time; may throw. */
  readonly whenLost: () => A;
  /** Default: the timeout of the wire. */
  readonly timeoutMs?: number;
  /** True when the broker may still do it although the process has died meanwhile. */
  readonly outlivesSender?: boolean;
}

/** What goes wrong with a request. */
export interface Disturbance<A> {
  readonly requestDelayMs?: number;
  readonly answerDelayMs?: number;
  /** Answered so, and not applied. */
  readonly instead?: () => A;
  readonly losesRequest?: boolean;
  readonly losesAnswer?: boolean;
  /** Applied this long after the timeout. */
  readonly lateMs?: number;
}

/** A request whose answer is awaited. */
interface Call<A> {
  readonly reject: (error: Error) => void;
  readonly settle: (outcome: () => A) => void;
  /** Settles it as lost when its time is over. */
  readonly giveUp: () => void;
  readonly leftMs: () => number;
}

/** Messages that do not overtake each other. */
interface Lane {
  lastArrivalMs: number;
  readonly onTheWay: (() => void)[];
}

/** The connection of one simulated process. */
export class ProcessLink {
  readonly name: string;
  /** The process' own view of time: its timers stop with `sever` and wait with `freeze`. */
  readonly time: Time;
  readonly #wire: Wire;
  readonly #lanes = new Map<string, Lane>();
  readonly #calls = new Set<Pick<Call<never>, "reject">>();
  readonly #whenReachable: () => void;
  #outbox: (() => void)[] = [];
  #inbox: (() => void)[] = [];
  #isDead = false;
  #isFrozen = false;
  #isCut = false;
  #isClosed = false;

  /** `whenReachable` is called when the process can be reached again after it was cut off. */
  constructor(name: string, wire: Wire, whenReachable: () => void) {
    this.name = name;
    this.#wire = wire;
    this.#whenReachable = whenReachable;
    this.time = {
      now: () => wire.time.now(),
      elapsed: () => wire.time.elapsed(),
      after: (delayMs, run) => this.#after(delayMs, run),
      soon: (run) => wire.time.soon(() => this.#enter(run)),
    };
  }

  get isDead(): boolean {
    return this.#isDead;
  }
  get isClosed(): boolean {
    return this.#isClosed;
  }
  /** True when process and broker can reach each other. */
  get isReachable(): boolean {
    return !this.#isDead && !this.#isCut && !this.#wire.isDown;
  }

  sever(): void {
    this.#isDead = true;
    this.#calls.clear();
    this.#outbox = [];
    this.#inbox = [];
  }

  freeze(): void {
    this.#isFrozen = true;
  }

  thaw(): void {
    if (!this.#isFrozen) return;
    this.#isFrozen = false;
    const outbox = this.#outbox;
    this.#outbox = [];
    for (const send of outbox) send();
    if (this.#inbox.length > 0) this.#wire.post("thaw", 0, this.#drainInbox);
  }

  cut(): void {
    this.#isCut = true;
  }

  mend(): void {
    this.#isCut = false;
    if (this.isReachable) this.#whenReachable();
  }

  /** All that waits for an answer, and all that is asked later, rejects with `SystemStoppedError`. */
  close(): void {
    this.#isClosed = true;
    for (const call of this.#calls) call.reject(stopped());
    this.#calls.clear();
  }

  /** Lets `run` happen at the broker, after the way there; it must look itself whether the sender is still there. */
  send(label: string, lane: string | undefined, run: () => void, extraMs = 0): void {
    if (this.#isDead) return;
    if (this.#isFrozen) this.#outbox.push(() => this.send(label, lane, run, extraMs));
    else if (this.#wire.isDirect && extraMs <= 0) run();
    else if (lane !== undefined) this.#postInLane(label, lane, extraMs, run);
    else this.#wire.post(label, this.#wire.transitMs() + extraMs, run);
  }

  /** Lets `run` happen in the process, after the way there. */
  receive(label: string, delayMs: number, run: () => void): void {
    this.#wire.post(label, delayMs, () => this.#enter(run));
  }

  /** As {@link receive}, after everything that was sent to the process in this lane before. */
  receiveInLane(label: string, lane: string, run: () => void): void {
    this.#postInLane(label, lane, 0, () => this.#enter(run));
  }

  #postInLane(label: string, name: string, extraMs: number, run: () => void): void {
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = { lastArrivalMs: 0, onTheWay: [] };
      this.#lanes.set(name, lane);
    }
    const { onTheWay } = lane;
    const nowMs = this.#wire.time.elapsed();
    lane.lastArrivalMs = Math.max(nowMs + this.#wire.transitMs() + extraMs, lane.lastArrivalMs + 0.001);
    // The machine's own timers may ring in another order: whichever rings, the oldest arrives.
    onTheWay.push(run);
    this.#wire.post(label, lane.lastArrivalMs - nowMs, () => onTheWay.shift()?.());
  }

  /** Asks the broker; the promise stays pending for ever when the process dies. */
  call<A>(request: Request<A>, disturbance: Disturbance<A> = {}): Promise<A> {
    if (this.#isClosed) return Promise.reject(stopped());
    return new Promise<A>((resolve, reject) => {
      const wire = this.#wire;
      const deadlineMs = wire.time.elapsed() + (request.timeoutMs ?? wire.timeoutMs);
      const call: Call<A> = {
        reject,
        leftMs: () => Math.max(0, deadlineMs - wire.time.elapsed()),
        giveUp: () => {
          wire.post(`${request.label}.timeout`, call.leftMs(), () => this.#enter(() => call.settle(request.whenLost)));
        },
        settle: (outcome) => {
          if (!this.#calls.delete(call)) return;
          try {
            resolve(outcome());
          } catch (error) {
            reject(error);
          }
        },
      };
      this.#calls.add(call);
      const arrive = (): void => this.#arrive(request, disturbance, call);
      this.send(request.label, request.lane, arrive, disturbance.requestDelayMs);
    });
  }

  #arrive<A>(request: Request<A>, disturbance: Disturbance<A>, call: Call<A>): void {
    const wire = this.#wire;
    if (this.#isDead) {
      if (request.outlivesSender === true && !wire.isDown && wire.random.chance(0.5)) applyUnheard(request);
    } else if (!this.isReachable || disturbance.losesRequest === true) {
      call.giveUp();
    } else if (disturbance.lateMs !== undefined) {
      wire.post(`${request.label}.late`, call.leftMs() + disturbance.lateMs, () => applyUnheard(request));
      call.giveUp();
    } else {
      const answer = (outcome: () => A): void => this.#answer(request, disturbance, call, outcome);
      try {
        if (disturbance.instead !== undefined) answer(disturbance.instead);
        else request.apply((value) => answer(() => value));
      } catch (error) {
        answer(() => {
          throw error;
        });
      }
    }
  }

  #answer<A>(request: Request<A>, disturbance: Disturbance<A>, call: Call<A>, outcome: () => A): void {
    const wire = this.#wire;
    const { epoch } = wire;
    const delayMs = wire.transitMs() + (disturbance.answerDelayMs ?? 0);
    if (disturbance.losesAnswer === true || delayMs > call.leftMs()) {
      call.giveUp();
    } else {
      // Never within the call, however fast: a loop of awaited calls must leave readers and timers their turn.
      wire.post(`${request.label}.answer`, delayMs, () => {
        if (wire.epoch !== epoch || !this.isReachable) call.giveUp();
        // An answer and the end of the wait for it may both have passed while the process was frozen.
        else
          this.#enter(() => call.settle(call.leftMs() === 0 && wire.random.chance(0.5) ? request.whenLost : outcome));
      });
    }
  }

  #after(delayMs: number, run: () => void): () => void {
    let isCancelled = false;
    const cancel = this.#wire.time.after(delayMs, () =>
      this.#enter(() => {
        if (!isCancelled) run();
      }),
    );
    return () => {
      isCancelled = true;
      cancel();
    };
  }

  /** Runs in the process: now, when it is thawed, or never. */
  #enter(run: () => void): void {
    if (this.#isDead) return;
    if (this.#isFrozen || this.#inbox.length > 0) this.#inbox.push(run);
    else run();
  }

  readonly #drainInbox = (): void => {
    if (this.#isFrozen) return;
    const run = this.#inbox[0];
    if (run === undefined) return;
    try {
      run();
    } finally {
      this.#inbox.shift();
      if (this.#inbox.length > 0) this.#wire.post("thaw", 0, this.#drainInbox);
    }
  };
}

/** The error of a call that got no answer. */
export function unavailable(what: string): LogUnavailableError {
  return new LogUnavailableError(`Cannot ${what}: the broker did not answer in time. Try again.`);
}

/** The error of a call after `close`. */
export function stopped(): SystemStoppedError {
  return new SystemStoppedError("Cannot use the log: it was closed.");
}

function applyUnheard<A>(request: Request<A>): void {
  try {
    request.apply(() => {});
  } catch {
    // Nobody is left to hear it.
  }
}

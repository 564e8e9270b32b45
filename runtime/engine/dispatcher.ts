/**
 * The node's line of flow: deliveries -> lanes -> decisions -> commit -> what comes after.
 *
 * 1. Decides in turns, so that one busy actor does not keep the others waiting and reading goes on in between.
 * 2. What happens after a commit (actions, answers, counts, low-water marks) happens in the order of the decisions, once.
 * 3. A failing message holds back its own lane only; too many messages behind it leave memory and are read again later.
 */
import { formatAddress } from "../core/address.ts";
import { decodeEnvelope } from "../core/envelope.ts";
import { isStatewrightError } from "../core/errors.ts";
import { type DeadReason, decodeRecord, type KeyRecord, type LetterRecord, type StateRecord } from "../core/records.ts";
import type { Work } from "../machine/driver.ts";
import { type CommitListener, Committer } from "./committer.ts";
import { backoffMs, type NodeContext } from "./context.ts";
import { type DecideEnv, type Decision, decide, decideDead, failedAttempt, Undeliverable } from "./decide.ts";
import { type Delivery, deliveryBytes } from "./delivery.ts";
import type { Lane } from "./lane.ts";

/** What the dispatcher asks of the partition that a lane belongs to. */
export interface LaneOwner {
  /** The delivery needs no more handling. */
  handled(delivery: Delivery): void;
  /** Reads again what left memory. */
  refill(lane: Lane): void;
  readonly lanes: Iterable<Lane>;
  forget(lane: Lane): void;
}

/** Why a message is to die. */
interface Verdict {
  readonly reason: DeadReason;
  readonly explanation: string;
}

/** Deciding goes on in turns of so many messages. */
const turnSize = 256;
/** No more is decided while so many decisions wait for a commit. */
const maxWaitingDecisions = 2048;
/** A lane that cannot move keeps so many deliveries, or fewer when the node is full. */
const maxHeld = 1000;
const maxHeldWhenFull = 16;
const parkedRetryMs = 30_000;
const loadChunk = 128;
const maxLoads = 4;
const maxRecentKeys = 10_000;

/** Decides what is ready and sees it through its commit. */
export class Dispatcher {
  readonly committer: Committer;
  readonly #context: NodeContext;
  readonly #owners: ReadonlyMap<number, LaneOwner>;
  readonly #onPressure: (isFull: boolean) => void;
  /** One for all decisions: only `now` changes, and which lane is being decided. */
  readonly #env: DecideEnv & { now: number };
  #deciding: Lane | undefined;
  #ready: Lane[] = [];
  #isPumping = false;
  #isPumpDue = false;
  #isStopped = false;
  #toLoad: Lane[] = [];
  #loads = 0;
  #queued = 0;
  #queuedBytes = 0;
  #isFull = false;
  readonly #idle = new Map<Lane, number>();
  #idleBytes = 0;
  readonly #recentKeys = new Map<string, string>();

  constructor(
    context: NodeContext,
    owners: ReadonlyMap<number, LaneOwner>,
    hooks: {
      readonly mayCommit: () => Promise<void> | undefined;
      readonly onFenced: () => void;
      readonly onFailed: (error: Error) => void;
      readonly onPressure: (isFull: boolean) => void;
    },
  ) {
    this.#context = context;
    this.#owners = owners;
    this.#onPressure = hooks.onPressure;
    this.#env = {
      now: 0,
      node: context.node,
      limits: context.log.limits,
      isReply: (subject) => context.subjects.isReply(subject),
      pendingKey: (key) => {
        const lane = this.#deciding as Lane;
        return lane.pendingKeys.get(key) ?? this.#recentKeys.get(keyName(lane, key));
      },
    };
    const listener: CommitListener = {
      onCommitted: (lane, decisions) => this.#committed(lane, decisions),
      onRefused: (lane, by) => {
        if (lane.phase === "closed") {
          for (const decision of lane.inFlight) this.#letGo(decision.delivery);
          lane.inFlight = [];
          return;
        }
        if (by === "fence") {
          context.telemetry.counters.conflicts++;
          context.telemetry.tell(
            "warn",
            "commit.fenced",
            `Another node has committed to ${formatAddress(lane.address)}: its messages are decided again.`,
          );
          hooks.onFenced();
        }
        this.committer.dropped(lane.decided.length);
        lane.invalidate();
        if (lane.phase === "cold") this.#wake(lane);
      },
      mayCommit: hooks.mayCommit,
      onRoom: () => this.#schedule(),
      onDefect: hooks.onFailed,
    };
    this.committer = new Committer(context, listener);
  }

  /** Deliveries in memory that are not committed. */
  get queued(): number {
    return this.#queued;
  }

  /** Actors whose state is in memory and that have nothing to do, and what they cost. */
  get idle(): { readonly actors: number; readonly bytes: number } {
    return { actors: this.#idle.size, bytes: this.#idleBytes };
  }

  /** Takes a delivery that was read; false when the lane holds enough and it must be read again later. */
  accept(lane: Lane, delivery: Delivery, isRefill: boolean): boolean {
    if (!isRefill) {
      if (lane.overflow[delivery.stream].length > 0) return false;
      if (isStuck(lane) && lane.queue.length >= (this.#isFull ? maxHeldWhenFull : maxHeld)) return false;
    }
    this.#unidle(lane);
    lane.queue.push(delivery);
    this.#hold(delivery);
    this.#context.fault("read");
    if (lane.phase === "ready" || lane.phase === "cold") this.#wake(lane);
    return true;
  }

  /** Counts a lane's deliveries out of the node's budget; it is being closed. */
  release(lane: Lane): void {
    this.#unidle(lane);
    for (const delivery of lane.queue) this.#letGo(delivery);
    for (const decision of lane.decided) this.#letGo(decision.delivery);
    this.committer.dropped(lane.decided.length);
    lane.close();
  }

  /** Forgets the undecided messages of a lane: whoever owns the partition next reads them again. */
  dropUndecided(lane: Lane): void {
    for (const delivery of lane.queue) this.#letGo(delivery);
    lane.queue = [];
    lane.overflow.ingress = [];
    lane.overflow.core = [];
    lane.cancelTimer?.();
    lane.cancelTimer = undefined;
  }

  /** Sends idle actors out of memory: those beyond the byte budget, and with `idleSince` those that have been idle longer. */
  passivate(idleSinceMs?: number): void {
    for (const [lane, since] of this.#idle) {
      const isOld = idleSinceMs !== undefined && since < idleSinceMs;
      if (!isOld && this.#idleBytes <= this.#context.settings.cacheBytes) break;
      this.#unidle(lane);
      this.#owners.get(lane.partition)?.forget(lane);
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.committer.stop();
  }

  // --- deciding

  #wake(lane: Lane): void {
    if (lane.phase === "cold") {
      lane.phase = "loading";
      this.#toLoad.push(lane);
    } else this.#makeReady(lane);
    this.#schedule();
  }

  #makeReady(lane: Lane): void {
    if (lane.isReady) return;
    lane.isReady = true;
    this.#ready.push(lane);
  }

  #schedule(): void {
    if (this.#isPumpDue || this.#isStopped) return;
    this.#isPumpDue = true;
    queueMicrotask(() => {
      this.#isPumpDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#isStopped || this.#isPumping) return;
    this.#isPumping = true;
    this.#load();
    let left = turnSize;
    while (left > 0 && this.#ready.length > 0 && this.committer.waiting < maxWaitingDecisions) {
      const lanes = this.#ready;
      this.#ready = [];
      const share = Math.max(8, Math.ceil(turnSize / lanes.length));
      for (let i = 0; i < lanes.length; i++) {
        const lane = lanes[i] as Lane;
        if (left <= 0 || this.committer.waiting >= maxWaitingDecisions) {
          this.#ready.push(...lanes.slice(i));
          break;
        }
        lane.isReady = false;
        left -= this.#decideSome(lane, Math.min(share, left));
        if (lane.phase === "ready" && lane.queue.length > 0) this.#makeReady(lane);
      }
    }
    this.#isPumping = false;
    this.committer.kick();
    // What is left waits for the commit's end when enough is decided; otherwise reading and writing get their turn first.
    if (this.#ready.length > 0 && this.committer.waiting < maxWaitingDecisions) {
      this.#isPumpDue = true;
      this.#context.time.soon(() => {
        this.#isPumpDue = false;
        this.#pump();
      });
    }
  }

  /** Decides up to `most` messages of a lane; returns how many it looked at. */
  #decideSome(lane: Lane, most: number): number {
    let count = 0;
    while (count < most && lane.phase === "ready" && lane.queue.length > 0) {
      count++;
      const delivery = lane.queue[0] as Delivery;
      if (delivery.seq <= lane.head.cursor[delivery.stream]) {
        lane.queue.shift();
        this.#letGo(delivery);
        // Between the committed and the decided cursor stands a delivery of our own that will be confirmed: only older ones are settled.
        if (delivery.seq <= lane.committed[delivery.stream]) {
          this.#context.telemetry.counters.redelivered++;
          this.#owners.get(lane.partition)?.handled(delivery);
        }
        continue;
      }
      const waitMs = delivery.notBeforeMs - this.#context.time.elapsed();
      if (waitMs > 0) {
        this.#hibernate(lane, waitMs);
        return count;
      }
      const decision = this.#decideOne(lane, delivery);
      if (decision === undefined) return count;
      lane.queue.shift();
      lane.push(decision);
      this.committer.added(lane);
      this.#context.fault(decision.outcome === "dead" ? "letter.before" : "decided");
    }
    if (lane.phase === "ready" && lane.queue.length === 0) this.#settled(lane);
    return count;
  }

  #decideOne(lane: Lane, delivery: Delivery): Decision | undefined {
    const { time } = this.#context;
    const now = time.now();
    const env = this.#env;
    env.now = now;
    this.#deciding = lane;
    // The state on which it failed may never have been committed, and its key may have been applied elsewhere meanwhile.
    if (delivery.verdict !== undefined && !holds(lane, delivery)) delivery.verdict = undefined;
    if (delivery.verdict !== undefined) {
      const { reason, explanation, earlier } = delivery.verdict;
      // Spent attempts stay spent, should the commit be refused; everything else is looked at again then.
      if (reason !== "attempts" && reason !== "terminal") delivery.verdict = undefined;
      return decideDead(lane.head, delivery, env, reason, explanation, delivery.attempts, earlier);
    }
    try {
      return decide(lane.definition, lane.head, delivery, env);
    } catch (error) {
      // The machine may have changed its context before it threw.
      lane.refreshHead();
      const judge = () => this.#judge(lane, delivery, error, now);
      return this.#looksUpKey(lane, delivery, judge) || judge() === "wait"
        ? undefined
        : this.#decideOne(lane, delivery);
    }
  }

  /** What a failure leads to: the lane waits for what comes next, or the delivery has a verdict and is to be decided again with it. */
  #judge(lane: Lane, delivery: Delivery, error: unknown, now: number): "wait" | "decide" {
    let verdict: Verdict | undefined;
    if (error instanceof Undeliverable) verdict = { reason: error.reason, explanation: error.message };
    else {
      delivery.attempts = [...delivery.attempts, failedAttempt(error, now, this.#context.node)];
      verdict = this.#supervise(lane, delivery, error);
    }
    if (verdict === undefined) return "wait";
    const letter = redrivenLetter(delivery);
    if (letter === undefined) {
      delivery.verdict = { ...verdict, earlier: undefined, on: lane.head.snapshotJson };
      return "decide";
    }
    this.#readLetter(lane, delivery, letter, verdict);
    return "wait";
  }

  /**
   * Before a keyed message counts as failed, the log is asked for its key: what was applied on another node before is a duplicate, and how it
   * fares the second time says nothing. True when the lane waits for the answer.
   */
  #looksUpKey(lane: Lane, delivery: Delivery, judge: () => "wait" | "decide"): boolean {
    const key = delivery.isKeyNew ? undefined : keyOf(delivery);
    if (key === undefined || delivery.duplicateOf !== undefined) return false;
    lane.phase = "waiting";
    const { log, subjects, time, random } = this.#context;
    const { head } = lane;
    const read = (attempt: number): void => {
      // The lane may have been loaded again meanwhile: what was asked before says nothing then.
      const isOver = (): boolean => lane.phase !== "waiting" || lane.head !== head || delivery.isKeyNew;
      log.last("core", subjects.key(lane.partition, lane.address, key)).then(
        (record) => {
          if (isOver()) return;
          if (record !== undefined) delivery.duplicateOf = decodeRecord<KeyRecord>("a key record", record.data);
          else {
            delivery.isKeyNew = true;
            if (judge() === "wait") return;
          }
          lane.phase = "ready";
          this.#wake(lane);
        },
        () => {
          if (!isOver()) lane.cancelTimer = time.after(backoffMs(attempt, random), () => read(attempt + 1));
        },
      );
    };
    read(1);
    return true;
  }

  /** Sets the lane to wait for the next attempt, or says why there is none. */
  #supervise(lane: Lane, delivery: Delivery, error: unknown): Verdict | undefined {
    const { time, random, telemetry, fault } = this.#context;
    const message = error instanceof Error ? error.message : String(error);
    if (isStatewrightError(error) && error._tag === "PayloadTooLargeError")
      return { reason: "too-large", explanation: message };
    if (delivery.attempts.length === 1) delivery.firstTriedMs = time.elapsed();
    const attempt = delivery.attempts.length;
    const next = (lane.definition as NonNullable<Lane["definition"]>).retry.next(delivery.retryState, {
      error,
      attempt,
      nowMs: time.now(),
      elapsedMs: time.elapsed() - delivery.firstTriedMs,
      random,
    });
    if (!next.retry) return { reason: next.reason, explanation: next.explanation };
    telemetry.counters.retries++;
    telemetry.tell(
      "debug",
      "message.retry",
      `Attempt ${attempt} of a message for ${formatAddress(lane.address)} failed: ${message}. Trying again in ${Math.round(next.delayMs)} ms.`,
      {
        actor: formatAddress(lane.address),
        attempt,
        delayMs: next.delayMs,
      },
    );
    delivery.retryState = next.state;
    delivery.notBeforeMs = time.elapsed() + next.delayMs;
    this.#hibernate(lane, next.delayMs);
    fault("retry");
    return undefined;
  }

  #hibernate(lane: Lane, delayMs: number): void {
    lane.phase = "waiting";
    lane.cancelTimer?.();
    lane.cancelTimer = this.#context.time.after(delayMs, () => {
      lane.cancelTimer = undefined;
      if (lane.phase !== "waiting") return;
      lane.phase = "ready";
      this.#wake(lane);
    });
    // Reading may have paused because of this lane while it could still move.
    if (this.#isFull) this.#shed();
  }

  /** A redriven message that is to die waits for its earlier letter, so that no attempt is forgotten. */
  #readLetter(lane: Lane, delivery: Delivery, letter: string, verdict: Verdict): void {
    lane.phase = "waiting";
    const { log, subjects, time, random } = this.#context;
    const read = (attempt: number): void => {
      log.last("core", subjects.dead(lane.partition, lane.address, letter)).then(
        (record) => {
          if (lane.phase !== "waiting") return;
          let earlier: LetterRecord | undefined;
          try {
            earlier = record === undefined ? undefined : decodeRecord<LetterRecord>("a dead letter", record.data);
          } catch {
            earlier = undefined;
          }
          delivery.verdict = { ...verdict, earlier, on: lane.head.snapshotJson };
          lane.phase = "ready";
          this.#wake(lane);
        },
        () => {
          if (lane.phase === "waiting")
            lane.cancelTimer = time.after(backoffMs(attempt, random), () => read(attempt + 1));
        },
      );
    };
    read(1);
  }

  // --- loading

  #load(): void {
    while (this.#toLoad.length > 0 && this.#loads < maxLoads) {
      const lanes = this.#toLoad.splice(0, loadChunk).filter((lane) => lane.phase === "loading");
      if (lanes.length > 0) void this.#loadSome(lanes);
    }
  }

  async #loadSome(lanes: readonly Lane[]): Promise<void> {
    const { log, time, random, telemetry, fault } = this.#context;
    this.#loads++;
    for (let attempt = 1; !this.#isStopped; attempt++) {
      try {
        const records = await log.lastMany(
          "core",
          lanes.map((lane) => lane.subject),
        );
        if (this.#isStopped) return;
        lanes.forEach((lane, i) => {
          if (lane.phase !== "loading") return;
          telemetry.counters.loads++;
          const record = records[i];
          try {
            lane.load(
              record?.seq ?? 0,
              record === undefined
                ? undefined
                : decodeRecord<StateRecord>(`the state of ${formatAddress(lane.address)}`, record.data),
            );
          } catch (error) {
            this.#park(lane, error);
            return;
          }
          fault("loaded");
          this.#makeReady(lane);
        });
        break;
      } catch (error) {
        if (isStatewrightError(error) && error._tag === "SystemStoppedError") return;
        if (attempt === 1)
          telemetry.tell(
            "warn",
            "load.failed",
            `Cannot load ${lanes.length} actors: ${error instanceof Error ? error.message : String(error)}. Trying again.`,
          );
        await new Promise<void>((resolve) => {
          time.after(backoffMs(attempt, random), resolve);
        });
      }
    }
    this.#loads--;
    this.#schedule();
  }

  /** Puts an actor aside whose stored state cannot be used: nothing of it is changed, its messages wait. */
  #park(lane: Lane, error: unknown): void {
    const { telemetry, time } = this.#context;
    telemetry.counters.parked++;
    telemetry.tell(
      "error",
      "actor.parked",
      `${formatAddress(lane.address)} is put aside and its messages wait: ${error instanceof Error ? error.message : String(error)} It is tried again every ${parkedRetryMs / 1000} s and when a node starts.`,
      { actor: formatAddress(lane.address), error },
    );
    lane.phase = "parked";
    lane.cancelTimer = time.after(parkedRetryMs, () => {
      lane.cancelTimer = undefined;
      if (lane.phase !== "parked") return;
      lane.phase = "cold";
      this.#wake(lane);
    });
    if (this.#isFull) this.#shed();
  }

  // --- after a commit

  #committed(lane: Lane, decisions: readonly Decision[]): void {
    const { telemetry, log, time, fault } = this.#context;
    const { counters } = telemetry;
    const owner = this.#owners.get(lane.partition);
    const now = time.now();
    for (const decision of decisions) {
      this.#letGo(decision.delivery);
      if (lane.phase !== "closed") owner?.handled(decision.delivery);
      switch (decision.outcome) {
        case "ignored":
          counters.ignored++;
          break;
        case "duplicate":
          counters.duplicates++;
          break;
        case "dead": {
          telemetry.countDead(decision.reason as DeadReason);
          telemetry.tell(
            "warn",
            "message.dead",
            `A message for ${formatAddress(lane.address)} became a dead letter (${decision.reason}).`,
            {
              actor: formatAddress(lane.address),
              reason: decision.reason,
            },
          );
          break;
        }
        default:
          counters.applied++;
      }
      if (decision.sentAt !== undefined) telemetry.sendToCommit.add(Math.max(0, now - decision.sentAt));
      if (decision.key !== undefined && decision.answerJson !== undefined && decision.outcome !== "dead") {
        this.#rememberKey(keyName(lane, decision.key), decision.answerJson);
      }
      for (const work of decision.after) this.#perform(lane, work);
      if (decision.replyTo !== undefined && decision.answerJson !== undefined) {
        try {
          log.signal(decision.replyTo, Buffer.from(decision.answerJson));
        } catch {
          // Too large for a signal, or the connection is over: who asked finds the answer in the log.
        }
      }
    }
    fault("answered");
    if (lane.phase === "ready" && lane.queue.length === 0) this.#settled(lane);
  }

  #perform(lane: Lane, work: Work): void {
    try {
      if (work.kind === "run") work.run();
      else if (work.kind === "log") {
        const text = typeof work.value === "string" ? work.value : JSON.stringify(work.value);
        this.#context.telemetry.tell(
          "info",
          "actor.log",
          work.label === undefined
            ? `${formatAddress(lane.address)}: ${text}`
            : `${formatAddress(lane.address)} ${work.label}: ${text}`,
        );
      }
    } catch (error) {
      this.#context.telemetry.tell(
        "error",
        "action.failed",
        `Action ${work.kind === "run" ? `"${work.name}"` : work.kind} of ${formatAddress(lane.address)} failed after its commit: ${error instanceof Error ? error.message : String(error)}. It is not run again.`,
        { error },
      );
    }
  }

  #rememberKey(name: string, answerJson: string): void {
    this.#recentKeys.delete(name);
    this.#recentKeys.set(name, answerJson.length > 65_536 ? "" : answerJson);
    if (answerJson.length > 65_536) this.#recentKeys.delete(name);
    if (this.#recentKeys.size > maxRecentKeys) this.#recentKeys.delete(this.#recentKeys.keys().next().value as string);
  }

  /** The lane has nothing queued. */
  #settled(lane: Lane): void {
    if (lane.overflow.ingress.length > 0 || lane.overflow.core.length > 0) {
      if (!lane.refilling) this.#owners.get(lane.partition)?.refill(lane);
    } else if (lane.isIdle && !this.#idle.has(lane)) {
      this.#idle.set(lane, this.#context.time.elapsed());
      this.#idleBytes += lane.cachedBytes;
      if (this.#idleBytes > this.#context.settings.cacheBytes) this.passivate();
    }
  }

  #unidle(lane: Lane): void {
    if (this.#idle.delete(lane)) this.#idleBytes -= lane.cachedBytes;
  }

  // --- budget

  #hold(delivery: Delivery): void {
    this.#queued++;
    this.#queuedBytes += deliveryBytes(delivery);
    const { maxQueued, maxQueuedBytes } = this.#context.settings;
    if (!this.#isFull && (this.#queued >= maxQueued || this.#queuedBytes >= maxQueuedBytes)) {
      this.#isFull = true;
      this.#onPressure(true);
      this.#shed();
    }
  }

  /** Takes messages behind lanes that cannot move out of memory, so that they do not keep the others from being read. */
  #shed(): void {
    for (const owner of this.#owners.values()) {
      for (const lane of owner.lanes) {
        if (!isStuck(lane) || lane.refilling || lane.queue.length <= maxHeldWhenFull) continue;
        const shed = lane.queue.splice(maxHeldWhenFull);
        for (const stream of ["ingress", "core"] as const) {
          const seqs = shed.filter((delivery) => delivery.stream === stream).map((delivery) => delivery.seq);
          lane.overflow[stream] = seqs.concat(lane.overflow[stream]);
        }
        for (const delivery of shed) this.#letGo(delivery);
      }
    }
  }

  #letGo(delivery: Delivery): void {
    this.#queued--;
    this.#queuedBytes -= deliveryBytes(delivery);
    const { maxQueued, maxQueuedBytes } = this.#context.settings;
    if (this.#isFull && this.#queued <= maxQueued / 2 && this.#queuedBytes <= maxQueuedBytes / 2) {
      this.#isFull = false;
      this.#onPressure(false);
    }
  }
}

function isStuck(lane: Lane): boolean {
  return lane.phase === "waiting" || lane.phase === "parked";
}

function keyName(lane: Lane, key: string): string {
  return `${lane.subject} ${key}`;
}

/** True when a verdict was reached on the state and with the knowledge that the lane has now. */
function holds(lane: Lane, delivery: Delivery): boolean {
  return (
    delivery.verdict?.on === lane.head.snapshotJson &&
    (delivery.isKeyNew || delivery.duplicateOf !== undefined || keyOf(delivery) === undefined)
  );
}

function keyOf(delivery: Delivery): string | undefined {
  try {
    return decodeEnvelope(delivery.data).key;
  } catch {
    return undefined;
  }
}

function redrivenLetter(delivery: Delivery): string | undefined {
  if (delivery.stream !== "core") return undefined;
  try {
    return decodeEnvelope(delivery.data).redrive?.letter;
  } catch {
    return undefined;
  }
}

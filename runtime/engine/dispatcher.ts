/**
 * The node's line of flow: deliveries -> lanes -> decisions -> commit -> what comes after.
 *
 * 1. Decides in turns, so that one busy actor does not keep the others waiting and reading goes on in between.
 * 2. What happens after a commit (actions, answers, counts, low-water marks) happens in the order of the decisions, once.
 * 3. A failing message holds back its own lane only; too many messages behind it leave memory and are read again later.
 * 4. Messages that wait outside the mailbox are decided when the waiting room says that it is their turn.
 * 5. A timer is decided if the actor's state says that it is set, whoever says that it is due. It is dropped for good only if a state that must have heard
 *    of it says that it is not.
 */
import { formatAddress } from "../core/address.ts";
import { AfterCommit } from "./after-commit.ts";
import { Backlog } from "./backlog.ts";
import { type CommitListener, Committer } from "./committer.ts";
import { backoffMs, type NodeContext } from "./context.ts";
import { decide, decideDuplicate } from "./decide.ts";
import { decideDead } from "./decide-dead.ts";
import { decideLine, decideRetry } from "./decide-waiting.ts";
import type { Decision } from "./decision.ts";
import type { Delivery } from "./delivery.ts";
import { Failures, holds } from "./failures.ts";
import type { FaultPoint } from "./faults.ts";
import type { DecideEnv } from "./given.ts";
import type { Lane } from "./lane.ts";
import type { LiveChildren } from "./live.ts";
import { Loader } from "./loader.ts";
import { hasTimer, storedTimer } from "./logic-of.ts";
import { isWaitingTimer } from "./waiting.ts";
import { WaitingRoom } from "./waiting-room.ts";
import type { DecisionWatch } from "./watchdog.ts";

/** What the dispatcher asks of the partition that a lane belongs to. */
export interface LaneOwner {
  /** The delivery needs no more handling. */
  handled(delivery: Delivery): void;
  /** The timer could not be handled and has left memory: it is delivered again later. */
  postpone(delivery: Delivery, delayMs?: number): void;
  /** Decisions of the lane were committed: timers were set or cleared by them. */
  timersChanged(lane: Lane, decisions: readonly Decision[]): void;
  /** The lane waits for a retry, or for a state that can be used; with a delivery: that one alone has to wait. */
  rested(lane: Lane, delivery?: Delivery): void;
  /** The message has left the lane without being handled: it comes again. */
  putBack(delivery: Delivery): void;
  /** True when a message of a suspect partition has to wait for its turn, although it is the first of its lane; `goOn` is called then, false: it is not any more. */
  asks(lane: Lane, delivery: Delivery, goOn: () => boolean): boolean;
  /** Lets a message that waited outside the mailbox enter its lane later, in its turn; false: it may enter now. */
  admit(lane: Lane, delivery: Delivery, enter: () => boolean): boolean;
  /** True for a message that {@link LaneOwner.admit} would let in later. */
  isOnTrial(delivery: Delivery): boolean;
  /** A message that waited was handled, and others wait still: its records can go. */
  stillWaits(lane: Lane, settled: number): void;
  /** Nothing waits for the actor outside its mailbox any more: the records of what did can go. */
  nothingWaits(lane: Lane): void;
  /** Reads again what left memory. */
  refill(lane: Lane): void;
  readonly lanes: Iterable<Lane>;
  forget(lane: Lane): void;
}

/** Deciding goes on in turns of so many messages. */
const turnSize = 256;
/** No more is decided while so many decisions wait for a commit. */
const maxWaitingDecisions = 2048;
/** A timer that a lane had no room for is delivered again after this time. */
const shedTimerMs = 1000;
/** As {@link shedTimerMs}, when this node does not know the actor's type: only another node can help. */
const unknownTypeMs = 30_000;

/** Decides what is ready and sees it through its commit. */
export class Dispatcher {
  readonly committer: Committer;
  readonly #context: NodeContext;
  readonly #owners: ReadonlyMap<number, LaneOwner>;
  readonly #backlog: Backlog;
  readonly #loader: Loader;
  readonly #failures: Failures;
  readonly #after: AfterCommit;
  readonly #waiting: WaitingRoom;
  /** One for all decisions: only `now` changes, and which lane is being decided. */
  readonly #env: DecideEnv & { now: number };
  readonly #watch: DecisionWatch;
  #deciding: Lane | undefined;
  /** How many partitions are suspect. */
  trials = 0;
  #ready: Lane[] = [];
  #isPumping = false;
  #isPumpDue = false;
  #isStopped = false;
  readonly #idle = new Map<Lane, number>();
  #idleBytes = 0;

  constructor(
    context: NodeContext,
    owners: ReadonlyMap<number, LaneOwner>,
    live: LiveChildren,
    hooks: {
      readonly watch: DecisionWatch;
      readonly mayCommit: () => Promise<void> | undefined;
      readonly onFenced: () => void;
      readonly onFailed: (error: Error) => void;
      readonly onPressure: (isFull: boolean) => void;
    },
  ) {
    this.#context = context;
    this.#owners = owners;
    this.#watch = hooks.watch;
    this.#backlog = new Backlog(
      context,
      () => lanesOf(owners),
      hooks.onPressure,
      (lane, delivery) => {
        const owner = owners.get(lane.partition);
        if (delivery.timer === undefined || delivery.waiting !== undefined) owner?.putBack(delivery);
        else owner?.postpone(delivery, shedTimerMs);
      },
    );
    this.#loader = new Loader(context, {
      onLoaded: (lane) => {
        // After a takeover live children are started again.
        if (!lane.isBare) live.reconcile(lane, lane.live);
        this.#makeReady(lane);
      },
      onParked: (lane) => this.#rested(lane),
      onUnparked: (lane) => this.#wake(lane),
      onDone: () => this.#schedule(),
    });
    this.#failures = new Failures(
      context,
      (lane) => this.#wake(lane),
      (lane) => this.#rested(lane),
    );
    this.#after = new AfterCommit(context, live);
    this.#waiting = new WaitingRoom(context, {
      backlog: this.#backlog,
      handled: (lane, delivery) => owners.get(lane.partition)?.handled(delivery),
      wait: (lane, delayMs) => this.#failures.wait(lane, delayMs),
      wake: (lane) => this.#wake(lane),
      rested: (lane, delivery) => owners.get(lane.partition)?.rested(lane, delivery),
      putBack: (lane, delivery) => owners.get(lane.partition)?.putBack(delivery),
      postpone: (lane, timer, delayMs) => owners.get(lane.partition)?.postpone(timer, delayMs),
      admit: (lane, delivery, enter) => owners.get(lane.partition)?.admit(lane, delivery, enter) ?? false,
      isOnTrial: (lane, delivery) => owners.get(lane.partition)?.isOnTrial(delivery) ?? false,
    });
    this.#env = {
      now: 0,
      node: context.node,
      space: context.spaceName,
      limits: context.log.limits,
      isReply: (subject) => context.subjects.isReply(subject),
      pendingKey: (key) => {
        const lane = this.#deciding as Lane;
        return lane.pendingKeys.get(key) ?? this.#after.recentKeys.find(lane, key);
      },
    };
    const listener: CommitListener = {
      onCommitted: (lane, decisions) => this.#committed(lane, decisions),
      onRefused: (lane, by) => {
        if (lane.phase === "closed") {
          for (const decision of lane.inFlight) this.#backlog.letGo(decision.delivery);
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
        this.#invalidate(lane);
      },
      mayCommit: hooks.mayCommit,
      onRoom: () => this.#schedule(),
      onDefect: hooks.onFailed,
    };
    this.committer = new Committer(context, listener);
  }

  /** Deliveries in memory that are not committed. */
  get queued(): number {
    return this.#backlog.queued;
  }

  /** Actors whose state is in memory and that have nothing to do, and what they cost. */
  get idle(): { readonly actors: number; readonly bytes: number } {
    return { actors: this.#idle.size, bytes: this.#idleBytes };
  }

  /** False while the node holds so much that timers had better wait where they are. */
  get hasRoomForTimers(): boolean {
    return this.#backlog.hasRoomForTimers;
  }

  /** Takes a delivery that was read, or a timer; false when the lane holds enough and it must be read again later. */
  accept(lane: Lane, delivery: Delivery, isRefill: boolean): boolean {
    const isWake =
      delivery.timer !== undefined &&
      (isWaitingTimer(delivery.timer) || lane.head.waiting?.restart?.timer === delivery.timer);
    if (delivery.timer !== undefined) {
      if (isWake ? lane.phase === "parked" : !this.#backlog.hasRoomForTimerOf(lane)) return false;
    } else if (!isRefill) {
      if (lane.overflow[delivery.stream].length > 0) return false;
      if (!this.#backlog.hasRoom(lane)) return false;
    }
    this.#unidle(lane);
    if (isWake) lane.queue.unshift(delivery);
    else lane.queue.push(delivery);
    this.#backlog.hold(delivery);
    if (isWake) this.#waiting.arrived(lane);
    this.#context.fault(delivery.timer === undefined ? "read" : "timer.before");
    if (lane.phase === "ready" || lane.phase === "cold") this.#wake(lane);
    return true;
  }

  /** Loads an actor that has nothing to do: its live children are started. */
  load(lane: Lane): void {
    if (lane.isBare && lane.phase === "ready") this.#loadAgain(lane);
    else if (lane.phase === "cold") this.#wake(lane);
  }

  /** Counts a lane's deliveries out of the node's budget; it is being closed. */
  release(lane: Lane): void {
    this.#unidle(lane);
    for (const delivery of lane.queue) this.#backlog.letGo(delivery);
    for (const decision of lane.decided) this.#backlog.letGo(decision.delivery);
    this.committer.dropped(lane.decided.length);
    lane.close();
  }

  /** Forgets the undecided messages of a lane: whoever owns the partition next reads them again. */
  dropUndecided(lane: Lane): void {
    for (const delivery of lane.queue) this.#backlog.letGo(delivery);
    lane.queue = [];
    lane.aside = [];
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
    this.#loader.stop();
    this.committer.stop();
  }

  #rested(lane: Lane): void {
    this.#backlog.stuck(lane);
    this.#owners.get(lane.partition)?.rested(lane);
  }

  #wake(lane: Lane): void {
    if (lane.phase === "cold" && !lane.isVolatile) this.#loader.want(lane);
    else {
      if (lane.phase === "cold") lane.load(0, undefined, this.#context.time.now());
      this.#makeReady(lane);
    }
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
    this.#loader.run();
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
        if (lane.phase === "ready" && lane.queue.length > 0 && !lane.isReloadDue) this.#makeReady(lane);
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
      const isCondemned = delivery.verdict?.reason === "crashed";
      const isMail = delivery.timer === undefined && delivery.waiting === undefined;
      if (isCondemned !== lane.isBare && !(isMail && delivery.seq <= lane.head.cursor[delivery.stream])) {
        this.#loadAgain(lane);
        return count;
      }
      if (delivery.waiting !== undefined) {
        // Whether it waits still is for the waiting room to say.
      } else if (delivery.timer !== undefined) {
        // That a migration has left it out is true only once the migration is committed: the timer's own decision does that. What waits no migration touches.
        const isSet = isWaitingTimer(delivery.timer)
          ? hasTimer(undefined, lane.head, delivery.timer)
          : isCondemned
            ? storedTimer(lane.head, delivery.timer) !== undefined
            : lane.head.migrated !== undefined || hasTimer(lane.definition, lane.head, delivery.timer);
        if (!isSet) {
          this.#unset(lane, delivery);
          continue;
        }
      } else if (delivery.seq <= lane.head.cursor[delivery.stream]) {
        lane.queue.shift();
        this.#backlog.letGo(delivery);
        // Between the committed and the decided cursor stands a delivery of our own that will be confirmed: only older ones are settled.
        if (delivery.seq <= lane.committed[delivery.stream]) {
          this.#context.telemetry.counters.redelivered++;
          this.#owners.get(lane.partition)?.handled(delivery);
        }
        continue;
      }
      // What dies without being handled waits for nobody.
      const asks = !(isCondemned && isMail) && this.#waiting.concerns(lane, delivery);
      const turn = asks ? this.#waiting.turn(lane, delivery) : "decide";
      if (turn === "next") continue;
      if (turn === "stop") return count;
      // The waiting room may have put what it is about in its place.
      const first = lane.queue[0] as Delivery;
      if (this.trials > 0 && turn === "decide" && this.#asks(lane, first)) return count;
      const decision = turn === "line" ? this.#lineUp(lane, first) : this.#decideOne(lane, first);
      if (decision === undefined) return count;
      lane.queue.shift();
      lane.push(decision);
      this.committer.added(lane);
      this.#context.fault(pointOf(decision));
      // Timers that were due while the actor took nothing come before what is in the mailbox.
      if (lane.aside.length > 0) this.#waiting.moved(lane);
    }
    this.#waiting.moved(lane);
    this.settled(lane);
    return count;
  }

  /** True when the lane waits for the turn of its first message in the trial of its partition. */
  #asks(lane: Lane, delivery: Delivery): boolean {
    const goOn = (): boolean => {
      if (lane.phase !== "waiting" || !lane.queue.includes(delivery)) return false;
      lane.phase = "ready";
      this.#wake(lane);
      return true;
    };
    if (this.#owners.get(lane.partition)?.asks(lane, delivery, goOn) !== true) return false;
    lane.phase = "waiting";
    return true;
  }

  /** The next message needs the state with its machine, or without it: it is loaded again when nothing of the lane is under way. */
  #loadAgain(lane: Lane): void {
    lane.isReloadDue = lane.decided.length > 0 || lane.inFlight.length > 0;
    if (!lane.isReloadDue) this.#invalidate(lane);
  }

  /** The timer at the head of the queue is due, and the actor's state has none of the name. */
  #unset(lane: Lane, delivery: Delivery): void {
    const { telemetry } = this.#context;
    const owner = this.#owners.get(lane.partition);
    const isOpen = lane.decided.length > 0 || lane.inFlight.length > 0;
    // What waits is known without the definition.
    const isKnown = lane.definition !== undefined || isWaitingTimer(delivery.timer ?? "");
    if (!isOpen && isKnown && (delivery.setSeq ?? 0) > lane.seq) {
      this.#doubt(lane, delivery);
      return;
    }
    lane.queue.shift();
    this.#backlog.letGo(delivery);
    if (!isKnown) {
      const actor = formatAddress(lane.address);
      const message = `A timer of ${actor} is due, and no definition for actor type "${lane.address.type}" is on node ${this.#context.node}: it waits.`;
      telemetry.tell("warn", "timer.waits", message, { actor });
      owner?.postpone(delivery, unknownTypeMs);
    } else if (isOpen) {
      // What cleared it, or has not set it yet, may be thrown away.
      owner?.postpone(delivery);
    } else {
      telemetry.counters.timersStale++;
      owner?.handled(delivery);
    }
  }

  /**
   * The timer's record may be newer than the state in memory: it may have been set by a late commit of an earlier owner. Whoever leads the log has the state that
   * belongs to the record as soon as it has the record, so the state is loaded again then.
   */
  #doubt(lane: Lane, delivery: Delivery): void {
    const { log, time, random } = this.#context;
    lane.phase = "waiting";
    const ask = (attempt: number): void => {
      const again = (): void => {
        if (lane.phase === "waiting") lane.cancelTimer = time.after(backoffMs(attempt, random), () => ask(attempt + 1));
      };
      log.state("core").then(({ lastSeq }) => {
        if (lane.phase !== "waiting") return;
        if (lastSeq < (delivery.setSeq ?? 0)) again();
        else {
          delivery.setSeq = 0;
          this.#invalidate(lane);
        }
      }, again);
    };
    ask(1);
  }

  /** Throws away what is not committed; the state is loaded again. */
  #invalidate(lane: Lane): void {
    lane.invalidate();
    const again: Delivery[] = [];
    for (const delivery of lane.queue) {
      // What waits is read again when the state says that it still does.
      const isCondemned = delivery.verdict?.reason === "crashed";
      const back = delivery.waiting === undefined || isCondemned ? delivery : delivery.wokenBy;
      if (back === delivery) again.push(delivery);
      else {
        this.#backlog.letGo(delivery);
        if (back === undefined) this.#owners.get(lane.partition)?.putBack(delivery);
        if (delivery.duplicateOf !== undefined && delivery.waiting !== undefined)
          lane.duplicates.set(delivery.waiting, delivery.duplicateOf);
        if (back !== undefined) {
          this.#backlog.hold(back);
          again.push(back);
        }
      }
    }
    for (const delivery of lane.aside) {
      this.#backlog.hold(delivery);
      again.push(delivery);
    }
    lane.aside = [];
    // What wakes a message that others wait for must not stand behind them.
    const isWake = ({ timer }: Delivery): boolean => timer !== undefined && isWaitingTimer(timer);
    const [first] = again;
    // What the state is loaded for without its machine comes before all.
    const head = first?.verdict?.reason === "crashed" ? again.splice(0, 1) : [];
    lane.queue = [...head, ...again.filter(isWake), ...again.filter((delivery) => !isWake(delivery))];
    if (lane.phase === "cold") this.#wake(lane);
  }

  #lineUp(lane: Lane, delivery: Delivery): Decision | undefined {
    const env = this.#env;
    env.now = this.#context.time.now();
    return decideLine(lane.definition, lane.head, delivery, env);
  }

  #decideOne(lane: Lane, delivery: Delivery): Decision | undefined {
    const { time } = this.#context;
    const now = time.now();
    const env = this.#env;
    env.now = now;
    this.#deciding = lane;
    const { next } = delivery;
    delivery.next = undefined;
    if (next !== undefined && next.on === lane.head.snapshotJson) {
      return decideRetry(lane.definition, lane.head, delivery, env, next);
    }
    // The state on which it failed may never have been committed, and its key may have been applied elsewhere meanwhile.
    if (delivery.verdict !== undefined && !holds(lane, delivery)) delivery.verdict = undefined;
    if (delivery.verdict !== undefined) {
      const { reason, explanation, earlier } = delivery.verdict;
      const isCrashed = reason === "crashed";
      if (isCrashed && delivery.duplicateOf !== undefined) return decideDuplicate(lane.head, delivery, env);
      // Spent attempts stay spent, should the commit be refused; everything else is looked at again then.
      if (reason !== "attempts" && reason !== "terminal" && !isCrashed) delivery.verdict = undefined;
      return decideDead(lane.definition, lane.head, delivery, env, reason, explanation, delivery.attempts, earlier);
    }
    this.#watch.begin(lane.partition, delivery);
    try {
      return decide(lane.definition, lane.head, delivery, env);
    } catch (error) {
      // The machine may have changed its context before it threw.
      lane.refreshHead();
      return this.#failures.failed(lane, delivery, error) === "wait" ? undefined : this.#decideOne(lane, delivery);
    } finally {
      this.#watch.end();
    }
  }

  #committed(lane: Lane, decisions: readonly Decision[]): void {
    const { telemetry, time } = this.#context;
    const owner = lane.phase === "closed" ? undefined : this.#owners.get(lane.partition);
    const settled: number[] = [];
    for (const { delivery, outcome, outbox } of decisions) {
      this.#backlog.letGo(delivery);
      owner?.handled(delivery);
      if (delivery.waiting !== undefined) {
        if (outcome !== "failed") settled.push(delivery.waiting);
        lane.kept.delete(delivery.waiting);
        lane.duplicates.delete(delivery.waiting);
      }
      if (outcome === "failed") {
        for (const item of outbox) if (item.kind === "wait") lane.kept.set(item.n, delivery);
        continue;
      }
      if (delivery.timer === undefined || outcome === "dead") continue;
      if (outcome === "stale") {
        telemetry.counters.timersStale++;
        continue;
      }
      telemetry.counters.timersFired++;
      telemetry.timerLateness.add(Math.max(0, time.now() - (delivery.atMs ?? 0)));
    }
    owner?.timersChanged(lane, decisions);
    if (settled.length > 0) {
      if ((decisions[decisions.length - 1] as Decision).head.waiting === undefined) owner?.nothingWaits(lane);
      else for (const n of settled) owner?.stillWaits(lane, n);
    }
    this.#after.run(lane, decisions);
    if (lane.isReloadDue && lane.phase === "ready") this.#loadAgain(lane);
    this.#waiting.moved(lane);
    this.settled(lane);
  }

  /** Sees to a lane that has nothing queued: what left memory is read again, or the lane is idle. */
  settled(lane: Lane): void {
    if (lane.phase !== "ready" || lane.queue.length > 0) return;
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
}

function pointOf({ outcome }: Decision): FaultPoint {
  if (outcome === "dead") return "letter.before";
  return outcome === "failed" ? "retry" : "decided";
}

function* lanesOf(owners: ReadonlyMap<number, LaneOwner>): Generator<Lane> {
  for (const owner of owners.values()) yield* owner.lanes;
}

/**
 * The turns of a schedule: what it does at a tick, when a run ends, and when it is told something.
 *
 * 1. A turn is a function of context, rules and time: it changes a draft, and lists what is to be done besides.
 * 2. A tick is dealt with once: `after` has the last one, and moves in the commit that starts its run. The run's key comes from the tick.
 * 3. All that is kept is bounded, and a turn starts at most 50 runs: what is left goes on with the next turn.
 */
import { statusOfError, type WorkflowStatus } from "../workflow-status.ts";
import type { OverlapPolicy, ScheduleRules } from "./schedule-options.ts";

/** What became of a tick: its run's status, or that it waits or was left out. */
export type TickStatus = WorkflowStatus | "queued" | "skipped";

/** A tick in the list of the last ones. */
export interface RecentTick {
  readonly at: number;
  readonly key: string;
  readonly status: TickStatus;
  /** Why it could not be started, or what its run ended with. */
  readonly error?: string;
  /** The child that waits for its run. */
  readonly child?: string;
}

interface RunningTick {
  readonly child: string;
  readonly at: number;
  readonly key: string;
  /** Kept where the run may have to be watched anew. */
  readonly input?: unknown;
  /** It was told to end. */
  readonly isEnding?: true;
}

interface QueuedTick {
  readonly at: number;
  /** It is one of those that `maxRuns` counts. */
  readonly counts: boolean;
}

interface Backfill {
  readonly after: number;
  readonly to: number;
  readonly overlap: OverlapPolicy;
}

/** What a schedule keeps. */
export interface ScheduleContext {
  readonly id: string;
  /** Ticks up to this time are dealt with. */
  readonly after: number;
  /** While late ticks are dealt with in several turns: those before it are missed. */
  readonly floor?: number | undefined;
  readonly note?: string | undefined;
  /** How many children were named. */
  readonly named: number;
  readonly running: readonly RunningTick[];
  readonly queue: readonly QueuedTick[];
  readonly backfills: readonly Backfill[];
  /** The newest last. */
  readonly recent: readonly RecentTick[];
  /** Runs begun, of ticks and others. */
  readonly started: number;
  readonly missed: number;
  readonly skipped: number;
  /** Runs that ticks have begun or queued. */
  readonly runs: number;
  /** The time of the last trigger: each has one of its own. */
  readonly triggered: number;
}

/** What is to be done besides changing the context. */
export type Effect =
  /** `isHeir`: the run is under way, and the child only waits for its end. */
  | {
      readonly do: "spawn";
      readonly child: string;
      readonly key: string;
      readonly input: unknown;
      readonly isHeir?: true;
    }
  | { readonly do: "stop"; readonly child: string }
  /** Without a delay no tick comes. */
  | { readonly do: "wake"; readonly delayMs: number | undefined }
  /** Another turn is needed for the backfills. */
  | { readonly do: "window" }
  | { readonly do: "reply"; readonly value: unknown };

/** The child logic that starts runs, by how they can be ended. */
export const childPolicy = (overlap: OverlapPolicy): "cancel" | "terminate" | "abandon" =>
  overlap === "cancel" || overlap === "terminate" ? overlap : "abandon";

const mostRecent = 20;
const mostStarts = 50;
const mostCounted = 500;
const mostBackfills = 20;
/** So many runs are under way at once at most, with `allow`; further ticks come as much later, and further triggers are left out. */
const mostRunning = 200;

/** A schedule that was just started: ticks come from now on. */
export function newContext(id: string, now: number): ScheduleContext {
  return {
    id,
    after: now,
    named: 0,
    running: [],
    queue: [],
    backfills: [],
    recent: [],
    started: 0,
    missed: 0,
    skipped: 0,
    runs: 0,
    triggered: 0,
  };
}

/** The first tick that is not dealt with; undefined when none comes any more. */
export function nextTick(
  { cadence, untilMs, maxRuns }: ScheduleRules,
  { after, runs }: Pick<ScheduleContext, "after" | "runs">,
): number | undefined {
  if (runs >= maxRuns) return undefined;
  const at = cadence.next(after);
  return at === undefined || at > untilMs ? undefined : at;
}

/** One turn. */
export class Turn {
  readonly effects: Effect[] = [];
  #context: ScheduleContext;
  #starts = mostStarts;
  readonly #rules: ScheduleRules;
  readonly #now: number;

  constructor(context: ScheduleContext, rules: ScheduleRules, now: number) {
    this.#context = context;
    this.#rules = rules;
    this.#now = now;
  }

  get context(): ScheduleContext {
    return this.#context;
  }

  /** Deals with the ticks that are due, and sets the timer for the next one. */
  tick(): void {
    const { cadence, catchUpMs, overlap, untilMs } = this.#rules;
    const floor = this.#context.floor ?? this.#now - catchUpMs;
    let at = this.#next();
    if (at !== undefined && at < floor) {
      const missed = cadence.count(this.#context.after, Math.min(floor, untilMs + 1), mostCounted);
      this.#set({ missed: this.#context.missed + missed, after: floor - 1 });
      at = this.#next();
    }
    while (at !== undefined && at <= this.#now && this.#starts > 0 && !this.#isFull(overlap)) {
      this.#starts--;
      this.#set({ after: at });
      this.#admit(at, overlap, true);
      at = this.#next();
    }
    const isLate = at !== undefined && at <= this.#now;
    this.#set({ floor: isLate ? floor : undefined });
    // A run that ends brings the next turn.
    if (isLate && this.#isFull(overlap)) this.effects.push({ do: "wake", delayMs: undefined });
    else this.arm();
    this.pump();
  }

  /** Sets the timer for the next tick. */
  arm(): void {
    const at = this.#next();
    this.effects.push({ do: "wake", delayMs: at === undefined ? undefined : Math.max(0, at - this.#now) });
  }

  pause(note: string | undefined): void {
    this.#set({ note, floor: undefined });
    this.effects.push({ do: "wake", delayMs: undefined });
  }

  /** Ticks of the time in which it was paused are neither started nor missed. */
  resume(): void {
    this.#set({ note: undefined, after: this.#now });
  }

  /** Begins as a new one, but for runs that are still under way, and the times that triggers have had. */
  restart(): void {
    const { id, running, named, triggered } = this.#context;
    this.#set({ ...newContext(id, this.#now), running, named, triggered });
  }

  remove(): void {
    this.#set({ queue: [], backfills: [], floor: undefined });
    this.effects.push({ do: "wake", delayMs: undefined });
  }

  trigger(overlap: OverlapPolicy | undefined): void {
    const { cadence, overlap: own } = this.#rules;
    // The key comes from the time: another one than that of any tick, and of the trigger before.
    let at = Math.max(this.#now, this.#context.triggered + 1);
    if (cadence.next(at - 1) === at) at++;
    this.#set({ triggered: at });
    this.#admit(at, overlap ?? own, false);
    const { key, status, error } = this.#context.recent.at(-1) as RecentTick;
    this.effects.push({ do: "reply", value: { key, status, ...(error === undefined ? {} : { error }) } });
    this.pump();
  }

  backfill(from: number, to: number, overlap: OverlapPolicy): void {
    const { backfills } = this.#context;
    if (backfills.length >= mostBackfills) {
      const refused = `${backfills.length} backfills are under way: wait until one is done`;
      this.effects.push({ do: "reply", value: { refused } });
      return;
    }
    // What is still to come is not filled back.
    this.#set({ backfills: [...backfills, { after: from - 1, to: Math.min(to, this.#now), overlap }] });
    this.effects.push({ do: "reply", value: {} });
    this.pump();
  }

  /** A run has ended. */
  ended(child: string, end: { readonly error?: unknown }): void {
    const { running, recent } = this.#context;
    if (!running.some((each) => each.child === child)) return;
    this.effects.push({ do: "stop", child });
    const status = "error" in end ? statusOfError(end.error) : "completed";
    const error = "error" in end ? messageOf(end.error) : undefined;
    this.#set({
      running: running.filter((each) => each.child !== child),
      recent: recent.map((each) =>
        each.child === child ? { at: each.at, key: each.key, status, ...(error === undefined ? {} : { error }) } : each,
      ),
    });
    if (this.#context.floor !== undefined) this.arm();
    this.pump();
  }

  /** Starts what waits, as far as there is room. */
  pump(): void {
    for (;;) {
      const [first, ...queue] = this.#context.queue;
      if (first === undefined || this.#context.running.length > 0) break;
      this.#set({ queue });
      this.#begin(first.at);
    }
    for (;;) {
      const { backfills, running, queue } = this.#context;
      const [backfill, ...others] = backfills;
      if (backfill === undefined) return;
      const { after, to, overlap } = backfill;
      const at = this.#rules.cadence.next(after);
      if (at === undefined || at > to) {
        this.#set({ backfills: others });
        continue;
      }
      // A run that ends brings the next turn.
      if (running.length >= mostRunning || queue.length > 0 || (overlap === "queue" && running.length > 0)) return;
      if (this.#starts <= 0) break;
      this.#starts--;
      this.#set({ backfills: [{ ...backfill, after: at }, ...others] });
      this.#admit(at, overlap, false);
    }
    this.effects.push({ do: "window" });
  }

  /** Starts a tick, or does as the policy says while a run is under way. */
  #admit(at: number, overlap: OverlapPolicy, counts: boolean): void {
    const isTaken = this.#take({ at, counts }, overlap);
    if (isTaken && counts) this.#set({ runs: this.#context.runs + 1 });
  }

  /** False when it was left out. */
  #take(tick: QueuedTick, overlap: OverlapPolicy): boolean {
    const { running, queue } = this.#context;
    if (running.length === 0 && queue.length === 0) return this.#begin(tick.at);
    switch (overlap) {
      case "allow":
        return this.#isFull(overlap) ? this.#skip(tick.at) : this.#begin(tick.at);
      case "skip":
        return this.#skip(tick.at);
      case "queue":
        return queue.length < this.#rules.maxQueued ? this.#queue(tick) : this.#skip(tick.at);
      case "cancel":
      case "terminate":
        this.#endRunning();
        for (const waiting of queue) this.#drop(waiting);
        return this.#queue(tick);
    }
  }

  #isFull(overlap: OverlapPolicy): boolean {
    return overlap === "allow" && this.#context.running.length >= mostRunning;
  }

  #begin(at: number): true {
    const made = this.#rules.make(at, this.#context.id);
    if ("error" in made) {
      this.#remember({ at, key: made.key, status: "failed", error: made.error });
      return true;
    }
    const { key, input } = made;
    const child = this.#name();
    const hasOwner = childPolicy(this.#rules.overlap) !== "abandon";
    this.#set({
      running: [...this.#context.running, { child, at, key, ...(hasOwner ? { input } : {}) }],
      started: this.#context.started + 1,
    });
    this.#remember({ at, key, status: "running", child });
    this.effects.push({ do: "spawn", child, key, input });
    return true;
  }

  #queue(tick: QueuedTick): true {
    const { at } = tick;
    this.#set({ queue: [...this.#context.queue, tick] });
    this.#remember({ at, key: this.#rules.make(at, this.#context.id).key, status: "queued" });
    return true;
  }

  #skip(at: number): false {
    this.#set({ skipped: this.#context.skipped + 1 });
    this.#remember({ at, key: this.#rules.make(at, this.#context.id).key, status: "skipped" });
    return false;
  }

  /** A tick that waited is left out for a newer one. */
  #drop(tick: QueuedTick): void {
    const { at, counts } = tick;
    const { queue, recent, skipped, runs } = this.#context;
    this.#set({
      queue: queue.filter((each) => each !== tick),
      skipped: skipped + 1,
      runs: counts ? runs - 1 : runs,
      recent: recent.map((each) =>
        each.at === at && each.status === "queued" ? { ...each, status: "skipped" } : each,
      ),
    });
  }

  /**
   * Ends what is under way. Who stops a child is not told of the end of its run: another child of the same key is spawned before, which finds the run and is told.
   */
  #endRunning(): void {
    const { running, recent } = this.#context;
    const heirs = new Map<string, string>();
    const after = running.map((each): RunningTick => {
      // One that another policy has started is not this one's to end.
      if (each.isEnding || !("input" in each)) return each;
      const child = this.#name();
      heirs.set(each.child, child);
      this.effects.push({ do: "spawn", child, key: each.key, input: each.input, isHeir: true });
      this.effects.push({ do: "stop", child: each.child });
      return { child, at: each.at, key: each.key, isEnding: true };
    });
    this.#set({
      running: after,
      recent: recent.map((each) => {
        const heir = each.child === undefined ? undefined : heirs.get(each.child);
        return heir === undefined ? each : { ...each, child: heir };
      }),
    });
  }

  #name(): string {
    const named = this.#context.named + 1;
    this.#set({ named });
    return `r${named}`;
  }

  #remember(tick: RecentTick): void {
    const { recent } = this.#context;
    // One that has waited keeps its place.
    const at = recent.findIndex((each) => each.at === tick.at && each.status === "queued");
    this.#set({ recent: (at < 0 ? [...recent, tick] : recent.with(at, tick)).slice(-mostRecent) });
  }

  #next(): number | undefined {
    return nextTick(this.#rules, this.#context);
  }

  #set(changed: Partial<ScheduleContext>): void {
    this.#context = { ...this.#context, ...changed };
  }
}

const longestMessage = 500;

function messageOf(error: unknown): string {
  const { name, message } = (error ?? {}) as { readonly name?: unknown; readonly message?: unknown };
  const text = typeof message === "string" ? `${String(name ?? "Error")}: ${message}` : String(error);
  return text.length > longestMessage ? `${text.slice(0, longestMessage - 1)}…` : text;
}

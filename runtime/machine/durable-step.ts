/**
 * What the steps of all logic have in common: what comes is checked against the actor's children and timers, handed to the logic when it is for it, and
 * what the logic did is entered into the ledger.
 */
import { formatAddress, parseAddress } from "../core/address.ts";
import { fromStored, toStored } from "../core/codec.ts";
import type { Birth } from "../core/envelope.ts";
import { ActivityTimeoutError } from "../core/errors.ts";
import type { FailureSeries, RunWatcher, StoredRun } from "../core/records.ts";
import type { Arrival, LiveChild, MachineEvent, MachineState, Step, StepEnv, Work } from "./driver.ts";
import { continuationOf, failureOf } from "./endings.ts";
import { type ChildKinds, completed, failed, Ledger } from "./ledger.ts";
import { StepScope } from "./scope.ts";
import {
  type AnySnapshot,
  asState,
  type Child,
  DurableState,
  insideOf,
  noSurroundings,
  type Restart,
  type Surroundings,
} from "./state.ts";
import { atStepTime } from "./step-time.ts";

/** How a logic takes an event; what is different between machines and transition logic. */
export interface Stepper<Snapshot extends AnySnapshot> {
  readonly machineId: string;
  readonly maxMicrosteps: number;
  readonly kinds: ChildKinds;
  initial(scope: StepScope, input: unknown): Snapshot;
  /** Returns the given snapshot when nothing has changed. */
  next(snapshot: Snapshot, event: MachineEvent, scope: StepScope): Snapshot;
  /** Puts what a step made into the form in which it may be kept. */
  settle(snapshot: Snapshot, around: Surroundings, env: StepEnv, hasMade: boolean): Snapshot;
  /** The snapshot with another status. */
  ended(snapshot: Snapshot, status: "error" | "stopped", error: unknown): Snapshot;
  /** The snapshot of an actor that failed while it was made. */
  stillborn(error: unknown): Snapshot;
  /** The error that the answer of an actor that was asked stands for; `src` is the logic that asked. */
  refusal(src: string, answer: unknown): Error | undefined;
  /** What a child shows of itself, as its parent's machine takes it. */
  reviveSnapshot(src: string, shown: unknown): unknown;
}

const stale: Pick<Step, "outcome" | "work"> = { outcome: "stale", work: [] };

/** The input of a child that may be begun again, in a form that the machine cannot change. */
function restartOf(input: unknown, env: StepEnv, birth: Birth | undefined): Restart | undefined {
  if (env.restart === undefined || birth === undefined) return undefined;
  return {
    input: input === undefined ? undefined : copyOf(toStored(input, "input")),
    series: undefined,
    timer: undefined,
  };
}

function copyOf(stored: unknown): unknown {
  return JSON.parse(JSON.stringify(stored));
}

/** Makes the first state of an actor. */
export function create<Snapshot extends AnySnapshot>(
  stepper: Stepper<Snapshot>,
  input: unknown,
  env: StepEnv,
  birth: Birth | undefined,
  before: MachineState | undefined,
): Step {
  return atStepTime(env.now, () => begin(stepper, input, env, birth, restartOf(input, env, birth), before));
}

function begin<Snapshot extends AnySnapshot>(
  stepper: Stepper<Snapshot>,
  input: unknown,
  env: StepEnv,
  birth: Birth | undefined,
  restart: Restart | undefined,
  before: MachineState | undefined,
): Step {
  const { around, ledger } = beginning(stepper, env, birth, restart, before);
  const scope = scopeOf(stepper, env, "create", around);
  const snapshot = stepper.initial(scope, input);
  ledger.take(scope, stepper.kinds);
  return finish(stepper, env, ledger, snapshot, scope, "taken");
}

/** Begins a child anew that has failed: the same child in the eyes of its parent, with its initial state. */
function beginAgain<Snapshot extends AnySnapshot>(
  stepper: Stepper<Snapshot>,
  state: MachineState,
  { input, series }: Restart,
  env: StepEnv,
): Step {
  const { birth } = insideOf<Snapshot>(state).around;
  const restart: Restart | undefined =
    env.restart === undefined || series === undefined
      ? undefined
      : { input, series: { ...series, begunAt: env.now }, timer: undefined };
  const given = input === undefined ? undefined : fromStored(copyOf(input));
  return begin(stepper, given, env, birth, restart, state);
}

/** Makes the state of a child that could not be made. */
export function createFailed<Snapshot extends AnySnapshot>(
  stepper: Stepper<Snapshot>,
  error: unknown,
  input: unknown,
  env: StepEnv,
  birth: Birth,
  before: MachineState | undefined,
): Step {
  const { ledger } = beginning(stepper, env, birth, restartOf(input, env, birth), before);
  return finish(stepper, env, ledger, stepper.stillborn(error), undefined, "taken");
}

/** Names go on where an earlier actor of the same address left off, and what is left of that one is ended. */
function beginning<Snapshot extends AnySnapshot>(
  stepper: Stepper<Snapshot>,
  env: StepEnv,
  birth: Birth | undefined,
  restart: Restart | undefined,
  before: MachineState | undefined,
): { readonly around: Surroundings; readonly ledger: Ledger } {
  if (birth === undefined && before === undefined) {
    const around = env.run === undefined ? noSurroundings : { ...noSurroundings, run: env.run };
    return { around, ledger: new Ledger(env.self, env.now, stepper.machineId, around) };
  }
  const old = before === undefined ? noSurroundings : insideOf(before).around;
  const end = new Ledger(env.self, env.now, stepper.machineId, old);
  end.endAll();
  const around: Surroundings = { ...noSurroundings, n: old.n, birth, restart, run: env.run };
  const ledger = new Ledger(env.self, env.now, stepper.machineId, around);
  for (const work of end.work) ledger.add(work);
  return { around, ledger };
}

/** Takes what comes to an actor. */
export function step<Snapshot extends AnySnapshot>(
  stepper: Stepper<Snapshot>,
  state: MachineState,
  arrival: Arrival,
  env: StepEnv,
): Step {
  return atStepTime(env.now, () => take(stepper, state, arrival, env));
}

function take<Snapshot extends AnySnapshot>(
  stepper: Stepper<Snapshot>,
  state: MachineState,
  arrival: Arrival,
  env: StepEnv,
): Step {
  const { snapshot, around } = insideOf<Snapshot>(state);
  if (arrival.kind === "alias") {
    const ledger = new Ledger(env.self, env.now, stepper.machineId, around);
    ledger.setAlias(arrival.systemId, arrival.holder, arrival.n);
    return finish(stepper, env, ledger, snapshot, undefined, "taken");
  }
  const waiting = around.restart?.timer === undefined ? undefined : around.restart;
  if (waiting !== undefined && arrival.kind === "timer" && arrival.timer === waiting.timer) {
    return beginAgain(stepper, state, waiting, env);
  }
  const isForWaiting = waiting !== undefined && (arrival.kind === "fail" || arrival.kind === "stop");
  if (snapshot.status !== "active" && !isForWaiting) {
    // Who asks for a run that has ended is told how at once.
    if (arrival.kind === "watch") return { state, outcome: "ignored", work: endOfRun(snapshot, arrival.watcher) };
    const isLate = arrival.kind !== "event" && arrival.kind !== "relay";
    return { state, outcome: isLate ? "stale" : "ignored", work: [] };
  }
  const ledger = new Ledger(env.self, env.now, stepper.machineId, around);
  switch (arrival.kind) {
    case "event":
      return takeEvent(stepper, env, ledger, state, arrival.event);
    case "child":
      return takeChild(stepper, env, ledger, state, arrival);
    case "timer":
      return takeTimer(stepper, env, ledger, state, arrival.timer);
    case "forget":
      ledger.clearTimer(arrival.timer);
      return finish(stepper, env, ledger, snapshot, undefined, "taken");
    case "result": {
      const child = ledger.children.get(arrival.id);
      if (child === undefined || child.n !== arrival.n || child.ended || child.kind !== "activity") {
        return { state, ...stale };
      }
      const { outcome } = arrival;
      const event =
        "error" in outcome
          ? { ...errorEvent(arrival.id, fromStored(outcome.error)), ...attemptsOf(outcome) }
          : doneEvent(arrival.id, fromStored(outcome.output));
      ledger.ended(arrival.id, child);
      return takeEvent(stepper, env, ledger, state, event);
    }
    case "retry": {
      const child = ledger.children.get(arrival.id);
      if (child?.task === undefined || child.n !== arrival.n) return { state, ...stale };
      const task = { ...child.task, retry: arrival.memory };
      ledger.setChild(arrival.id, { ...child, task });
      if (arrival.delayMs <= 0) tryAgain(ledger, arrival.id, { ...child, task });
      else {
        ledger.setTimer(env.now + arrival.delayMs, { task: { kind: "retry", child: arrival.id, n: arrival.n } });
      }
      return finish(stepper, env, ledger, snapshot, undefined, "taken");
    }
    case "stop":
      return end(stepper, env, ledger, state, "stopped", undefined);
    case "fail":
      return end(stepper, env, ledger, state, "error", arrival.error);
    case "watch":
      ledger.watch(arrival.watcher);
      return finish(stepper, env, ledger, snapshot, undefined, "taken");
    case "relay":
      ledger.relay(arrival.systemId, arrival.event);
      return finish(stepper, env, ledger, snapshot, undefined, "taken");
  }
}

/** How often the activity was begun, for who has to know whether anything can have happened. */
function attemptsOf({ attempts }: { readonly attempts?: number }): { readonly attempts?: number } {
  return attempts === undefined ? {} : { attempts };
}

function doneEvent(id: string, output: unknown): MachineEvent {
  return { type: `xstate.done.actor.${id}`, output, actorId: id };
}

function errorEvent(id: string, error: unknown): MachineEvent {
  return { type: `xstate.error.actor.${id}`, error, actorId: id };
}

function takeEvent<Snapshot extends AnySnapshot>(
  stepper: Stepper<Snapshot>,
  env: StepEnv,
  ledger: Ledger,
  state: MachineState,
  event: MachineEvent,
): Step {
  const { snapshot } = insideOf<Snapshot>(state);
  const around = ledger.surroundings();
  const scope = scopeOf(stepper, env, `"${event.type}"`, around);
  const after = stepper.next(snapshot, event, scope);
  ledger.take(scope, stepper.kinds);
  return finish(stepper, env, ledger, after, scope, after !== snapshot || scope.isHandled ? "taken" : "ignored", state);
}

function takeChild<Snapshot extends AnySnapshot>(
  stepper: Stepper<Snapshot>,
  env: StepEnv,
  ledger: Ledger,
  state: MachineState,
  { id, n, event }: Extract<Arrival, { kind: "child" }>,
): Step {
  const child = ledger.children.get(id);
  const isDone = event.type.startsWith("xstate.done.actor.");
  if (child === undefined) {
    // A child that had come to its end before it was stopped still says so, as in XState; a failure that nobody waits for any more ends nobody.
    return isDone ? takeEvent(stepper, env, ledger, state, event) : { state, ...stale };
  }
  if (child.n !== n || child.ended) return { state, ...stale };
  if (isDone || event.type.startsWith("xstate.error.actor.")) {
    ledger.ended(id, child);
    const refusal = isDone && child.kind === "ask" ? stepper.refusal(child.src, event.output) : undefined;
    // As it will be read from a stored context.
    const taken = refusal === undefined ? event : errorEvent(id, fromStored(toStored(refusal)));
    return takeEvent(stepper, env, ledger, state, taken);
  }
  if (!event.type.startsWith("xstate.snapshot.")) return takeEvent(stepper, env, ledger, state, event);
  const shown = stepper.reviveSnapshot(child.src, (event as { snapshot?: unknown }).snapshot);
  return takeEvent(stepper, env, ledger, state, { ...event, snapshot: shown });
}

function takeTimer<Snapshot extends AnySnapshot>(
  stepper: Stepper<Snapshot>,
  env: StepEnv,
  ledger: Ledger,
  state: MachineState,
  name: string,
): Step {
  const timer = ledger.clearTimer(name);
  if (timer === undefined) return { state, ...stale };
  const { snapshot } = insideOf<Snapshot>(state);
  const { task, to, event } = timer;
  if (task !== undefined) {
    const child = ledger.children.get(task.child);
    if (child === undefined || child.n !== task.n || child.task === undefined) {
      return finish(stepper, env, ledger, snapshot, undefined, "stale");
    }
    if (task.kind === "retry") {
      tryAgain(ledger, task.child, child);
      return finish(stepper, env, ledger, snapshot, undefined, "taken");
    }
    ledger.add({ kind: "cancel", id: task.child, n: child.n, attempt: child.task.attempt, src: child.src });
    ledger.ended(task.child, child);
    const error = new ActivityTimeoutError(
      `Activity "${task.child}" of ${formatAddress(env.self)} is given up: it was not done ${env.now - child.task.since} ms after it was asked for, at attempt ${child.task.attempt}.`,
      { details: { actor: formatAddress(env.self), activity: task.child, attempt: child.task.attempt } },
    );
    // As it will be read from a stored context.
    return takeEvent(stepper, env, ledger, state, errorEvent(task.child, fromStored(toStored(error))));
  }
  if (to !== undefined) {
    ledger.deliverStored(to, event as MachineEvent);
    return finish(stepper, env, ledger, snapshot, undefined, "taken");
  }
  return takeEvent(stepper, env, ledger, state, event as MachineEvent);
}

/** The next attempt of an activity begins. */
function tryAgain(ledger: Ledger, id: string, child: Child): void {
  const task = child.task as NonNullable<Child["task"]>;
  const attempt = task.attempt + 1;
  ledger.setChild(id, { ...child, task: { ...task, attempt } });
  const { since, key } = task;
  ledger.add({ kind: "task", id, n: child.n, src: child.src, attempt, since, input: child.input, key });
}

/** Ends an actor from outside: nothing of its logic runs but, when it is stopped, what XState runs then. One that fails may wait to be begun again instead. */
function end<Snapshot extends AnySnapshot>(
  stepper: Stepper<Snapshot>,
  env: StepEnv,
  ledger: Ledger,
  state: MachineState,
  status: "error" | "stopped",
  error: unknown,
): Step {
  const { snapshot } = insideOf<Snapshot>(state);
  return finish(stepper, env, ledger, stepper.ended(snapshot, status, error), undefined, "taken");
}

/** The scope of a step. */
export function scopeOf<Snapshot extends AnySnapshot>(
  stepper: Stepper<Snapshot>,
  env: StepEnv,
  event: string,
  around: Surroundings,
): StepScope {
  return new StepScope({
    machineId: stepper.machineId,
    maxMicrosteps: stepper.maxMicrosteps,
    self: env.self,
    event,
    around,
  });
}

/** Puts the next state together, and tells the parent what it is to know. */
export function finish<Snapshot extends AnySnapshot>(
  stepper: Stepper<Snapshot>,
  env: StepEnv,
  ledger: Ledger,
  snapshot: Snapshot,
  scope: StepScope | undefined,
  outcome: Step["outcome"],
  before?: MachineState,
): Step {
  const failure = snapshot.status === "done" ? failureOf(snapshot.output) : undefined;
  if (failure !== undefined) {
    const error = fromStored(toStored(failure.error, "error"));
    return finish(
      stepper,
      env,
      ledger,
      stepper.ended({ ...snapshot, output: undefined }, "error", error),
      scope,
      outcome,
      before,
    );
  }
  const isOver = snapshot.status !== "active";
  const again = snapshot.status === "done" ? continuationOf(snapshot.output) : undefined;
  if (isOver) {
    ledger.endAll();
    ledger.clearTimers();
    if (again === undefined) ledger.endRun();
    ledger.close(snapshot.status === "error" ? againOf(ledger, env, snapshot.error) : undefined);
  }
  const around = ledger.surroundings();
  if (before !== undefined) {
    const inside = insideOf<Snapshot>(before);
    if (inside.snapshot === snapshot && inside.around === around) return { state: before, outcome, work: ledger.work };
  }
  const settled = stepper.settle(snapshot, around, env, scope?.hasMade === true || ledger.hasChangedChildren);
  const state = asState(new DurableState(settled, around));
  if (again !== undefined) return { state, outcome, work: ledger.work, again };
  const { birth, restart, run } = around;
  if (birth !== undefined && restart?.timer === undefined) tellParent(ledger, birth, settled, outcome);
  if (isOver)
    for (const watcher of run?.watchers ?? []) for (const work of endOfRun(settled, watcher)) ledger.add(work);
  return { state, outcome, work: ledger.work };
}

/** The failures of a child that is begun again; undefined when it has ended. */
function againOf(ledger: Ledger, env: StepEnv, error: unknown): FailureSeries | undefined {
  const { birth, restart } = ledger.surroundings();
  if (birth === undefined || restart === undefined) return undefined;
  return env.restart?.(error, env.now, restart.series);
}

/** What somebody who waits for the end of a run is told. */
function endOfRun({ status, output, error }: AnySnapshot, { actor, id, n }: RunWatcher): Work[] {
  const to = parseAddress(actor);
  return [status === "done" ? completed(to, { id, n }, output) : failed(to, { id, n }, error)];
}

function tellParent(ledger: Ledger, birth: Birth, snapshot: AnySnapshot, outcome: Step["outcome"]): void {
  const parent = parseAddress(birth.parent);
  if (snapshot.status === "done") ledger.add(completed(parent, birth, snapshot.output));
  else if (snapshot.status === "error") ledger.add(failed(parent, birth, snapshot.error));
  else if (snapshot.status === "active" && birth.sync === true && outcome === "taken") {
    ledger.add({
      kind: "tell",
      to: parent,
      event: { type: `xstate.snapshot.${birth.id}`, snapshot: shownOf(snapshot) },
      internal: { child: birth.id, n: birth.n },
    });
  }
}

/** What a child shows of itself. */
function shownOf(snapshot: AnySnapshot): unknown {
  const { status, output, error } = snapshot;
  const { value, context, tags, historyValue } = snapshot as {
    value?: unknown;
    context?: unknown;
    tags?: ReadonlySet<string>;
    historyValue?: Record<string, ReadonlyArray<{ readonly id: string }>>;
  };
  return {
    status,
    output,
    error,
    value: value ?? null,
    context,
    ...(tags === undefined ? {} : { tags: [...tags] }),
    ...(historyValue === undefined
      ? {}
      : {
          history: Object.fromEntries(
            Object.entries(historyValue).map(([id, nodes]) => [id, nodes.map((node) => node.id)]),
          ),
        }),
  };
}

/** What is kept of the run of a workflow. */
export function runOf(state: MachineState): StoredRun | undefined {
  return insideOf(state).around.run;
}

/** The live children that should run. */
export function liveOf(state: MachineState): readonly LiveChild[] {
  const { snapshot, around } = insideOf(state);
  if (around.children.size === 0 || snapshot.status !== "active") return none;
  const live: LiveChild[] = [];
  for (const [id, child] of around.children) {
    if (child.kind === "live" && !child.ended) {
      live.push({ id, n: child.n, src: child.src, sync: child.sync, input: child.input });
    }
  }
  return live;
}

const none: readonly LiveChild[] = [];

/** The timer that begins a failed child again. */
export function restartTimerOf(state: MachineState): { readonly timer: string; readonly at: number } | undefined {
  const { restart, timers } = insideOf(state).around;
  if (restart?.timer === undefined) return undefined;
  return { timer: restart.timer, at: timers.get(restart.timer)?.at ?? 0 };
}

/**
 * Makes a machine ready to run durably: the driver of the engine's steps.
 *
 * 1. A step is a function of its arguments: the machine's own `getInitialSnapshot` and `transition` are called with a scope made for that step
 *    (scope.ts); no live actor, no shared counter, no clock.
 * 2. A state is never changed once it was returned: its context is frozen, and no two actors share a context. Taking the same event twice on
 *    the same state gives equal results.
 * 3. The machine that was handed in is left as it is; the driver works on a copy of its own, in which a stub stands for the logic of every child.
 *
 * Source: XState's exported `transition()` runs the initial transition anew for every event and knows no self: statelyai/xstate#4774.
 */
import type { AnyMachineSnapshot, AnyStateMachine, AnyStateNode } from "xstate";
import { fromStored, toStored } from "../core/codec.ts";
import { type Birth, isReservedEvent } from "../core/envelope.ts";
import { InvalidDefinitionError, TerminalError } from "../core/errors.ts";
import type { MachineIdentity, StoredSnapshot } from "../core/records.ts";
import type { MachineShape } from "../core/shape.ts";
import { activityMetaOf } from "./activity-meta.ts";
import { type AskMeta, askMetaOf } from "./ask-logic.ts";
import { checkDefinition, listNodes } from "./definition.ts";
import type {
  Arrival,
  ChildLogic,
  LiveChild,
  LiveLogic,
  MachineDriver,
  MachineEvent,
  MachineState,
  StateView,
  Step,
  StepEnv,
} from "./driver.ts";
import { create, createFailed, liveOf, restartTimerOf, runOf, type Stepper, step } from "./durable-step.ts";
import { identify } from "./fingerprint.ts";
import { type Inlined, inlineLogic } from "./inline-logic.ts";
import { type ChildKinds, referencesTo } from "./ledger.ts";
import { kindOf, type RawLogic, stubLogic } from "./logic.ts";
import { needsRecord } from "./needs-record.ts";
import { resume } from "./resume.ts";
import type { StepScope } from "./scope.ts";
import { installSelector } from "./select.ts";
import { shapeOf } from "./shape.ts";
import { decodeSnapshot, encodeSnapshot, endedSnapshot, settle } from "./snapshot.ts";
import { asState, DurableState, insideOf, type Surroundings } from "./state.ts";
import { atStepTime } from "./step-time.ts";
import { decodeSurroundings, encodeSurroundings } from "./surroundings.ts";
import { TransitionDriver } from "./transition-driver.ts";

/** Options of {@link prepareMachine}. */
export interface PrepareOptions {
  /** Where the machine is used, for error messages: `actor "order"`. */
  readonly where?: string;
}

/** Microsteps that one event may cause, when the machine's `options.maxIterations` does not say. */
const defaultMaxMicrosteps = 1000;

/**
 * Returns the driver of a machine.
 *
 * Details: a step is `ignored` exactly when no transition is selected. A forbidden transition (`EVENT: undefined`, `EVENT: {}`) is selected and does nothing, so it
 * counts as taken: it is how a machine says that it means to ignore an event. An eventless transition that an event lets through counts too.
 *
 * Gotchas: contexts are frozen deeply, in production too, with all that an assign puts into them. An assign that changes its context in place throws a
 * TypeError; dates and typed arrays cannot be frozen and must not be changed in place either.
 *
 * Errors: `InvalidDefinitionError` when it is not an XState 5 machine, or holds what cannot run durably, all problems at once.
 */
export function prepareMachine(machine: AnyStateMachine, options: PrepareOptions = {}): MachineDriver {
  return prepare(machine, options.where, new Map());
}

type Drivers = Map<unknown, MachineDriver>;

function prepare(machine: AnyStateMachine, where: string | undefined, drivers: Drivers): MachineDriver {
  if (typeof machine !== "object" || machine === null || typeof machine.provide !== "function") {
    throw new InvalidDefinitionError(
      `Cannot run ${where ?? "an actor"} durably: its machine is not made by XState 5 (createMachine or setup).`,
    );
  }
  const known = drivers.get(machine);
  if (known !== undefined) return known;
  checkDefinition(machine, where);
  return new XStateDriver(machine, drivers);
}

class XStateDriver implements MachineDriver, Stepper<AnyMachineSnapshot> {
  readonly identity: MachineIdentity;
  readonly shape: MachineShape;
  readonly children = new Map<string, ChildLogic>();
  readonly events: ReadonlySet<string>;
  readonly machineId: string;
  readonly maxMicrosteps: number;
  readonly kinds: ChildKinds = { identify: (src) => this.#identify(src) };
  readonly #machine: AnyStateMachine;
  readonly #nodes: ReadonlyMap<string, AnyStateNode>;
  /** The names of logic that stands inline in the machine. */
  readonly #names = new Map<unknown, string>();

  constructor(machine: AnyStateMachine, drivers: Drivers) {
    // A machine may, by way of others, invoke itself.
    drivers.set(machine, this);
    this.identity = identify(machine);
    this.shape = shapeOf(machine);
    this.machineId = machine.id;
    const { maxIterations } = machine.options;
    this.maxMicrosteps = Number.isFinite(maxIterations) ? (maxIterations as number) : defaultMaxMicrosteps;
    const inlined = inlineLogic(machine);
    this.#machine = copyOf(machine, this.maxMicrosteps, inlined);
    const nodes = listNodes(this.#machine.root);
    this.#nodes = new Map(nodes.map((node) => [node.id, node]));
    // XState's own list leaves out what atomic states take.
    this.events = new Set(nodes.flatMap((node) => [...node.transitions.keys()]));
    for (const node of nodes) installSelector(node);
    for (const [name, logic] of Object.entries(machine.implementations.actors as Record<string, unknown>)) {
      this.#addLogic(name, logic, drivers);
    }
    for (const { name, logic } of inlined) this.#addLogic(name, logic, drivers);
  }

  needsRecord(): readonly string[] {
    return [...needsRecord(this.#machine)];
  }

  create(input: unknown, env: StepEnv, birth?: Birth, before?: MachineState): Step {
    return create(this, input, env, birth, before);
  }

  createFailed(error: unknown, input: unknown, env: StepEnv, birth: Birth, before?: MachineState): Step {
    return createFailed(this, error, input, env, birth, before);
  }

  step(state: MachineState, arrival: Arrival, env: StepEnv): Step {
    if (arrival.kind === "event" && arrival.isInternal !== true) checkEvent(arrival.event, this.machineId);
    return step(this, state, arrival, env);
  }

  resume(state: MachineState, drop: readonly string[], env: StepEnv): Step {
    return atStepTime(env.now, () => resume(this, this.#nodes.values(), state, drop, env));
  }

  view(state: MachineState): StateView {
    const { status, value } = insideOf<AnyMachineSnapshot>(state).snapshot;
    return { status, value };
  }

  hasTimer(state: MachineState, timer: string): boolean {
    return insideOf(state).around.timers.has(timer);
  }

  timerEvent(state: MachineState, timer: string): MachineEvent | undefined {
    const set = insideOf(state).around.timers.get(timer);
    return set?.task === undefined ? set?.event : { type: `statewright.${set.task.kind}.${set.task.child}` };
  }

  activity(state: MachineState, id: string, n: number): ReturnType<MachineDriver["activity"]> {
    const child = insideOf(state).around.children.get(id);
    return child?.task === undefined || child.n !== n ? undefined : { src: child.src, task: child.task };
  }

  restartTimer(state: MachineState): ReturnType<MachineDriver["restartTimer"]> {
    return restartTimerOf(state);
  }

  runOf(state: MachineState): ReturnType<MachineDriver["runOf"]> {
    return runOf(state);
  }

  live(state: MachineState): readonly LiveChild[] {
    return liveOf(state);
  }

  show(told: unknown): unknown {
    const { status, value, context, output, error, tags } = told as Record<string, unknown>;
    const snapshot: AnyMachineSnapshot = this.#machine.resolveState({ value: value as never, context });
    return Object.assign(snapshot, { status, output, error, tags: new Set(tags as string[]) });
  }

  toStored(state: MachineState): StoredSnapshot {
    const { snapshot, around } = insideOf<AnyMachineSnapshot>(state);
    const stored = encodeSnapshot(snapshot);
    encodeSurroundings(stored, around);
    return stored;
  }

  fromStored(stored: StoredSnapshot, status: StateView["status"]): MachineState {
    const around = decodeSurroundings(stored);
    const snapshot = decodeSnapshot(this.#machine, this.#nodes, stored, status);
    return asState(new DurableState(snapshot, around));
  }

  // --- what its steps are made of

  initial(scope: StepScope, input: unknown): AnyMachineSnapshot {
    const snapshot: AnyMachineSnapshot = this.#machine.getInitialSnapshot(scope as never, input);
    // XState catches what guards, assigns and expressions throw here.
    if (snapshot.status === "error") throw named(snapshot.error, scope);
    return snapshot;
  }

  next(snapshot: AnyMachineSnapshot, event: MachineEvent, scope: StepScope): AnyMachineSnapshot {
    const { children } = scope.subject.around;
    if (children.size > 0 && !hasAll(snapshot.children, children)) {
      // A state from storage gets references to its children with its first step: storage does not say whose they are.
      snapshot.children = referencesTo(scope.subject.self, children);
    }
    try {
      return this.#machine.transition(snapshot, event, scope as never);
    } catch (error) {
      throw named(error, scope);
    }
  }

  settle(snapshot: AnyMachineSnapshot, around: Surroundings, env: StepEnv, hasChanged: boolean): AnyMachineSnapshot {
    if (!hasChanged) return settle(snapshot);
    const copy: AnyMachineSnapshot = { ...snapshot, children: referencesTo(env.self, around.children) };
    // XState's objects of the children that this step made become references, as a stored state would have them.
    copy.context = fromStored(toStored(snapshot.context, "context"));
    return settle(copy);
  }

  ended(snapshot: AnyMachineSnapshot, status: "error" | "stopped", error: unknown): AnyMachineSnapshot {
    return { ...snapshot, status, error, children: {} } as AnyMachineSnapshot;
  }

  stillborn(error: unknown): AnyMachineSnapshot {
    return endedSnapshot(this.#machine, "error", { context: {}, error: toStored(error, "error") });
  }

  reviveSnapshot(src: string, told: unknown): unknown {
    const logic = this.children.get(src);
    return logic?.kind === "actor" ? logic.driver.show(told) : told;
  }

  refusal(src: string, answer: unknown): Error | undefined {
    const logic = this.children.get(src);
    return logic?.kind === "ask" ? logic.meta.refusal(answer) : undefined;
  }

  #addLogic(name: string, logic: unknown, drivers: Drivers): void {
    const kind = kindOf(logic);
    if (!this.#names.has(logic)) this.#names.set(logic, name);
    switch (kind) {
      case "machine": {
        const driver = prepare(logic as AnyStateMachine, `"${name}" in machine "${this.machineId}"`, drivers);
        this.children.set(name, { kind: "actor", driver });
        break;
      }
      case "transition": {
        const driver = new TransitionDriver(logic as RawLogic, name);
        this.children.set(name, { kind: "actor", driver });
        break;
      }
      case "promise": {
        const { config } = logic as { config: (args: never) => unknown };
        this.children.set(name, { kind: "activity", logic: logic as object, run: config });
        break;
      }
      case "ask":
        this.children.set(name, { kind: "ask", meta: askMetaOf(logic) as AskMeta });
        break;
      case "live":
        this.children.set(name, { kind: "live", logic: logic as LiveLogic });
        break;
      case "unknown":
      // Reported by checkDefinition.
    }
  }

  #identify(src: unknown): ReturnType<ChildKinds["identify"]> {
    const name = typeof src === "string" ? src : this.#names.get(src);
    const logic = name === undefined ? undefined : this.children.get(name);
    if (name === undefined || logic === undefined) {
      const what =
        typeof src === "string" ? `the actor "${src}", which is not implemented` : "actor logic that has no name";
      throw new TerminalError(
        `Cannot go on in machine "${this.machineId}": it starts ${what}. Name it in setup({ actors }), so that it is found again after a restart.`,
        { details: { machine: this.machineId, construct: "spawn" } },
      );
    }
    const timeoutMs = logic.kind === "activity" ? activityMetaOf(logic.logic)?.timeoutMs : undefined;
    return { src: name, kind: logic.kind, timeoutMs, ask: logic.kind === "ask" ? logic.meta : undefined };
  }
}

function hasAll(references: object, children: ReadonlyMap<string, unknown>): boolean {
  for (const id of children.keys()) if (!Object.hasOwn(references, id)) return false;
  return true;
}

/** Refuses events that are the runtime's own. */
function checkEvent(event: MachineEvent, machineId: string): void {
  if (typeof event.type === "string" && !isReservedEvent(event.type)) return;
  throw new TerminalError(
    `Cannot take ${JSON.stringify(event.type)} in machine "${machineId}": the event type is reserved for the runtime.`,
    { details: { machine: machineId, event: event.type } },
  );
}

/** Copies a machine, so that every actor gets a context of its own and children are only noted, not made. */
function copyOf(machine: AnyStateMachine, maxMicrosteps: number, inlined: readonly Inlined[]): AnyStateMachine {
  const actors = Object.fromEntries(
    Object.keys(machine.implementations.actors as object).map((name) => [name, stubLogic]),
  );
  const copy: AnyStateMachine = machine.provide({ actors: actors as never });
  const context: unknown = machine.config.context;
  if (typeof context === "object" && context !== null) {
    const text = JSON.stringify(toStored(context, "context"));
    copy.config = { ...copy.config, context: () => fromStored(JSON.parse(text)) };
  }
  for (const { invokedBy } of inlined) {
    if (invokedBy === undefined) continue;
    const node = listNodes(copy.root).find(({ id }) => id === invokedBy) as AnyStateNode;
    const { invoke } = node.config as { invoke?: unknown };
    const stubbed = (Array.isArray(invoke) ? invoke : [invoke]).map((each: { src?: unknown }) =>
      typeof each.src === "string" ? each : { ...each, src: stubLogic },
    );
    node.config = { ...node.config, invoke: stubbed as never };
  }
  // The scope counts microsteps and names the machine; XState's own limit stands behind it.
  copy.options = { ...copy.options, maxIterations: 2 * maxMicrosteps };
  return copy;
}

/** XState looks up the target of a `sendTo` before the scope sees the action; everything else is passed on as it was thrown. */
function named(error: unknown, scope: StepScope): unknown {
  const match =
    error instanceof Error ? /^Unable to send event to actor '(.*)' from machine/.exec(error.message) : null;
  if (match === null) return error;
  const { event, machineId } = scope.subject;
  const why =
    match[1] === "#_parent"
      ? "it sends to its parent, and has none"
      : `it sends to its child "${match[1]}", and has no child of that name`;
  return new TerminalError(`Cannot take ${event} in machine "${machineId}": ${why}.`, {
    cause: error,
    details: { machine: machineId, to: match[1] },
  });
}

/**
 * What the engine asks of a machine: pure and synchronous steps.
 *
 * A step reads nothing but its arguments, and does nothing but return: the same arguments give the same result (I7), as far as the machine's
 * own guards and assigns are pure.
 */
import type { Address } from "../core/address.ts";
import type { ActivityOutcome, Birth } from "../core/envelope.ts";
import type {
  FailureSeries,
  MachineIdentity,
  RunWatcher,
  StoredRun,
  StoredSnapshot,
  StoredTask,
} from "../core/records.ts";
import type { ReferencePort } from "../core/reference.ts";
import type { MachineShape } from "../core/shape.ts";
import type { AskMeta, AskRequest } from "./ask-logic.ts";

/** A machine's state in memory; opaque to everyone but its driver. */
export type MachineState = { readonly __machineState: never };

/** What the step is told of the world. */
export interface StepEnv {
  /** The actor that steps. */
  readonly self: Address;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** For a child actor that may be begun again when it fails; undefined: it ends. */
  readonly restart?: RestartRule | undefined;
  /** For a workflow that is begun: what is kept of the run. */
  readonly run?: StoredRun | undefined;
}

/** What a workflow is told of its run when it begins. */
export interface RunFacts {
  readonly space: string;
  /** The workflow's name. */
  readonly type: string;
  /** The business key. */
  readonly id: string;
  /** 1 for the first run; each `continueAs` makes another one. */
  readonly n: number;
}

/**
 * Says whether a child that has failed is begun again, and when: the failures in a row, this one included; undefined: it ends.
 *
 * Details: the same for the same arguments. `earlier` are the failures before this one.
 */
export type RestartRule = (
  error: unknown,
  now: number,
  earlier: FailureSeries | undefined,
) => FailureSeries | undefined;

/** An event as machines take it. */
export interface MachineEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** What comes to an actor. */
export type Arrival =
  /** `isInternal`: an event of the runtime's own, such as that of a timer. */
  | { readonly kind: "event"; readonly event: MachineEvent; readonly isInternal?: true }
  /** From a child: it has ended, or shows its state. */
  | { readonly kind: "child"; readonly id: string; readonly n: number; readonly event: MachineEvent }
  /** A timer that the actor has set is due. */
  | { readonly kind: "timer"; readonly timer: string }
  /** A timer is to be off the list, and nothing else. */
  | { readonly kind: "forget"; readonly timer: string }
  /** An activity has come to its end; an error here is not tried again. */
  | { readonly kind: "result"; readonly id: string; readonly n: number; readonly outcome: ActivityOutcome }
  /** An attempt of an activity has failed, and the next one comes after a delay. */
  | {
      readonly kind: "retry";
      readonly id: string;
      readonly n: number;
      readonly delayMs: number;
      readonly memory: unknown;
    }
  /** The parent stops the actor. */
  | { readonly kind: "stop" }
  /** The actor cannot go on: its machine threw, and trying again was of no use. It ends, or is begun again. */
  | { readonly kind: "fail"; readonly error: unknown }
  /** Somebody wants to be told of the end of the run; only to workflows. */
  | { readonly kind: "watch"; readonly watcher: RunWatcher }
  /** For whoever has a system id; only to roots. */
  | { readonly kind: "relay"; readonly systemId: string; readonly event: MachineEvent }
  /** A system id has a new holder, or none; only to roots. */
  | { readonly kind: "alias"; readonly systemId: string; readonly holder: Address | undefined; readonly n: number };

/** What a transition wants done besides changing the state. */
export type Work =
  /** A message to another actor, committed with the state. `internal`: an event of the runtime's own, from a child to its parent. */
  | {
      readonly kind: "tell";
      readonly to: Address;
      readonly event: MachineEvent;
      readonly internal?: { readonly child: string; readonly n: number };
    }
  /** An event for the actor with a system id, by way of the root; committed with the state. */
  | { readonly kind: "relay"; readonly to: Address; readonly systemId: string; readonly event: MachineEvent }
  /** Tells the root who has a system id; committed with the state. */
  | {
      readonly kind: "alias";
      readonly to: Address;
      readonly systemId: string;
      readonly holder: Address | undefined;
      readonly n: number;
    }
  /** A child actor is to come into being; committed with the state. */
  | { readonly kind: "start"; readonly to: Address; readonly birth: Birth; readonly input: unknown }
  /** A child actor is to stop; committed with the state. */
  | { readonly kind: "stop"; readonly to: Address; readonly n: number }
  /** A timer was set; committed with the state. Timers that are not wanted any more are just not in the state. */
  | { readonly kind: "timer"; readonly timer: string; readonly atMs: number }
  /** An attempt of an activity; committed with the state. */
  | {
      readonly kind: "task";
      readonly id: string;
      readonly n: number;
      readonly src: string;
      readonly attempt: number;
      readonly since: number;
      readonly input: unknown;
      /** The idempotency key that the actor has given it. */
      readonly key: string | undefined;
    }
  /** Another actor is asked, with an event or for a run; committed with the state. */
  | { readonly kind: "ask"; readonly id: string; readonly n: number; readonly request: AskRequest }
  /** A run that the actor has asked for is not wanted any more; committed with the state. */
  | {
      readonly kind: "end-run";
      readonly to: Address;
      readonly id: string;
      readonly n: number;
      readonly how: "cancel" | "terminate";
    }
  /** A dead letter whose redriving brings an event to the actor; committed with the state. */
  | { readonly kind: "letter"; readonly event: MachineEvent; readonly explanation: string; readonly error: unknown }
  /** An activity is not wanted any more: told to its worker after the commit. */
  | { readonly kind: "cancel"; readonly id: string; readonly n: number; readonly attempt: number; readonly src: string }
  /** An event for a live child, handed over after the commit. */
  | { readonly kind: "deliver"; readonly child: string; readonly n: number; readonly event: MachineEvent }
  /** An event for a topic, committed with the state. */
  | { readonly kind: "publish"; readonly topic: string; readonly event: MachineEvent }
  /** An event for whoever listens to the actor, committed with the state. */
  | { readonly kind: "emit"; readonly event: MachineEvent }
  /** The answer to an `ask`. */
  | { readonly kind: "reply"; readonly value: unknown }
  /** A custom action, run after the commit. */
  | { readonly kind: "run"; readonly name: string; readonly run: (port: ReferencePort) => unknown }
  /** A line for the log, written after the commit. */
  | { readonly kind: "log"; readonly label: string | undefined; readonly value: unknown };

/** The result of a step. */
export interface Step {
  readonly state: MachineState;
  /**
   * `taken`: the state may have changed. `ignored`: the machine has no transition for it; state and work are as if it had not come.
   * `stale`: it came from work that was superseded.
   */
  readonly outcome: "taken" | "ignored" | "stale";
  readonly work: readonly Work[];
  /** It has come to its end, and goes on from the beginning with this input. */
  readonly again?: { readonly input: unknown };
}

/** What can be seen of a state without knowing the machine. */
export interface StateView {
  readonly status: "active" | "done" | "error" | "stopped";
  readonly value: unknown;
}

/** The logic of a child, as its parent's machine names it. */
export type ChildLogic =
  /** A machine or transition logic: a durable actor. */
  | { readonly kind: "actor"; readonly driver: MachineDriver }
  /** Promise logic, as it was given. `run` is the function that makes the promise. */
  | { readonly kind: "activity"; readonly logic: object; readonly run: (args: never) => unknown }
  /** Asks another actor. */
  | { readonly kind: "ask"; readonly meta: AskMeta }
  /** Callback, observable or other logic with a life of its own. */
  | { readonly kind: "live"; readonly logic: LiveLogic };

/** Logic that runs while a state is active, as XState defines it. */
export interface LiveLogic {
  readonly getInitialSnapshot: (scope: never, input: unknown) => unknown;
  readonly transition: (snapshot: never, event: never, scope: never) => unknown;
  readonly start?: (snapshot: never, scope: never) => void;
}

/** A live child that should run now. */
export interface LiveChild {
  readonly id: string;
  readonly n: number;
  readonly src: string;
  readonly sync: boolean;
  /** Decoded. */
  readonly input: unknown;
}

/** A machine made ready to run durably. */
export interface MachineDriver {
  readonly identity: MachineIdentity;
  readonly shape: MachineShape;
  /** The logic of children by name. */
  readonly children: ReadonlyMap<string, ChildLogic>;
  /** Descriptors of the events that it has transitions for; `*` stands for all types, `a.*` for all that begin with `a.`. */
  readonly events: ReadonlySet<string>;
  /** What in it needs a state record, by place; found anew with every call. */
  needsRecord(): readonly string[];

  /**
   * Makes the initial state. `birth`: of a child. `before`: the state of an earlier child with the same address, whose names are not given again.
   * With {@link StepEnv.restart} the input is kept, so that the child can begin again.
   * Throws what the machine throws; throws `TerminalError` naming the construct when the machine does at run time what cannot be made durable.
   */
  create(input: unknown, env: StepEnv, birth?: Birth, before?: MachineState): Step;

  /** Takes what comes. Throws as {@link MachineDriver.create}; the given state is not changed. */
  step(state: MachineState, arrival: Arrival, env: StepEnv): Step;

  view(state: MachineState): StateView;

  /** True while the timer is set. */
  hasTimer(state: MachineState, timer: string): boolean;

  /** The event that a timer brings, or what it is called that a timer does for an activity; undefined when it is not set. */
  timerEvent(state: MachineState, timer: string): MachineEvent | undefined;

  /** An activity of the actor that is under way; undefined when it is not, or is of another generation. */
  activity(state: MachineState, id: string, n: number): { readonly src: string; readonly task: StoredTask } | undefined;

  /** For a child that has failed and is begun again: the timer that does it, and when it is due. Undefined: it takes what comes. */
  restartTimer(state: MachineState): { readonly timer: string; readonly at: number } | undefined;

  /** What is kept of the run; undefined for what is no workflow. */
  runOf(state: MachineState): StoredRun | undefined;

  /** The live children that should run; most actors have none. */
  live(state: MachineState): readonly LiveChild[];

  /**
   * Begins and ends children and timers of a state from another version, so that they are those of the states that it is in. `drop` names children that end in any
   * case. Throws as {@link MachineDriver.create}.
   */
  resume(state: MachineState, drop: readonly string[], env: StepEnv): Step;

  /** Encodes a state for storage. Throws `NotStorableError` with the path of what cannot be stored. */
  toStored(state: MachineState): StoredSnapshot;

  /** The snapshot that a parent gets with `onSnapshot`, made of what the child has told of itself. */
  show(told: unknown): unknown;

  /**
   * The state of a child that could not even be made. `error` is what its machine threw; `input` is what it began with.
   */
  createFailed(error: unknown, input: unknown, env: StepEnv, birth: Birth, before?: MachineState): Step;

  /** Decodes a stored state. Throws `CorruptRecordError` when it does not fit the machine. */
  fromStored(stored: StoredSnapshot, status: StateView["status"]): MachineState;
}

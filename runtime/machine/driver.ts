/**
 * What the engine asks of a machine: pure and synchronous steps.
 *
 * A step reads nothing but its arguments, and does nothing but return: the same arguments give the same result (I7), as far as the machine's
 * own guards and assigns are pure.
 */
import type { Address } from "../core/address.ts";
import type { MachineIdentity, StoredSnapshot } from "../core/records.ts";

/** A machine's state in memory; opaque to everyone but its driver. */
export type MachineState = { readonly __machineState: never };

/** What the step is told of the world. */
export interface StepEnv {
  /** The actor that steps. */
  readonly self: Address;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** An event as machines take it. */
export interface MachineEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** What a transition wants done besides changing the state. */
export type Work =
  /** A message to another actor, committed with the state. */
  | { readonly kind: "tell"; readonly to: Address; readonly event: MachineEvent }
  /** An event for a topic, committed with the state. */
  | { readonly kind: "publish"; readonly topic: string; readonly event: MachineEvent }
  /** The answer to an `ask`. */
  | { readonly kind: "reply"; readonly value: unknown }
  /** A custom action, run after the commit. */
  | { readonly kind: "run"; readonly name: string; readonly run: () => void }
  /** A line for the log, written after the commit. */
  | { readonly kind: "log"; readonly label: string | undefined; readonly value: unknown };

/** The result of a step. */
export interface Step {
  readonly state: MachineState;
  /** False when the machine has no transition for the event: state and work are as if it had not come. */
  readonly handled: boolean;
  readonly work: readonly Work[];
}

/** What can be seen of a state without knowing the machine. */
export interface StateView {
  readonly status: "active" | "done" | "error";
  readonly value: unknown;
}

/** A machine made ready to run durably. */
export interface MachineDriver {
  readonly identity: MachineIdentity;

  /**
   * Makes the initial state. Throws what the machine throws; throws `TerminalError` naming the construct when the machine
   * does at run time what cannot be made durable.
   */
  create(input: unknown, env: StepEnv): Step;

  /** Takes one event. Throws as {@link MachineDriver.create}; the given state is not changed. */
  step(state: MachineState, event: MachineEvent, env: StepEnv): Step;

  view(state: MachineState): StateView;

  /** Encodes a state for storage. Throws `NotStorableError` with the path of what cannot be stored. */
  toStored(state: MachineState): StoredSnapshot;

  /** Decodes a stored state. Throws `CorruptRecordError` when it does not fit the machine. */
  fromStored(stored: StoredSnapshot, status: "active" | "done" | "error"): MachineState;
}

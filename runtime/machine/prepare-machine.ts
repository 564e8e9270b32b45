/**
 * Makes a machine ready to run durably: the driver of the engine's steps.
 *
 * 1. A step is a function of its arguments: the machine's own `getInitialSnapshot` and `transition` are called with a scope made for that step
 *    (scope.ts); no live actor, no shared counter, no clock.
 * 2. A state is never changed once it was returned: its context is frozen, and no two actors share a context. Taking the same event twice on
 *    the same state gives equal results.
 * 3. The machine that was handed in is left as it is; the driver works on a copy of its own.
 *
 * Source: XState's exported `transition()` runs the initial transition anew for every event and knows no self: statelyai/xstate#4774.
 */
import type { AnyMachineSnapshot, AnyStateMachine, AnyStateNode } from "xstate";
import type { Address } from "../core/address.ts";
import { fromStored, toStored } from "../core/codec.ts";
import { isReservedEvent } from "../core/envelope.ts";
import { InvalidDefinitionError, TerminalError } from "../core/errors.ts";
import type { MachineIdentity, StoredSnapshot } from "../core/records.ts";
import { checkDefinition, listNodes } from "./definition.ts";
import type { MachineDriver, MachineEvent, MachineState, StateView, Step, StepEnv } from "./driver.ts";
import { identify } from "./fingerprint.ts";
import { StepScope } from "./scope.ts";
import { installSelector } from "./select.ts";
import { decodeSnapshot, encodeSnapshot, settle } from "./snapshot.ts";

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
 * Details: `handled` is false exactly when no transition is selected. A forbidden transition (`EVENT: undefined`, `EVENT: {}`) is selected and does nothing, so it
 * counts as handled: it is how a machine says that it means to ignore an event. An eventless transition that an event lets through counts too.
 *
 * Gotchas: contexts are frozen deeply, in production too, with all that an assign puts into them. An assign that changes its context in place throws a
 * TypeError; dates and typed arrays cannot be frozen and must not be changed in place either.
 *
 * Errors: `InvalidDefinitionError` when it is not an XState 5 machine, or holds what cannot run durably, all problems at once.
 */
export function prepareMachine(machine: AnyStateMachine, options: PrepareOptions = {}): MachineDriver {
  if (typeof machine !== "object" || machine === null || typeof machine.provide !== "function") {
    throw new InvalidDefinitionError(
      `Cannot run ${options.where ?? "an actor"} durably: its machine is not made by XState 5 (createMachine or setup).`,
    );
  }
  checkDefinition(machine, options.where);
  return new XStateDriver(machine);
}

class XStateDriver implements MachineDriver {
  readonly identity: MachineIdentity;
  readonly #machine: AnyStateMachine;
  readonly #maxMicrosteps: number;
  readonly #nodes: ReadonlyMap<string, AnyStateNode>;

  constructor(machine: AnyStateMachine) {
    this.identity = identify(machine);
    const { maxIterations } = machine.options;
    this.#maxMicrosteps = Number.isFinite(maxIterations) ? (maxIterations as number) : defaultMaxMicrosteps;
    this.#machine = copyOf(machine, this.#maxMicrosteps);
    const nodes = listNodes(this.#machine.root);
    this.#nodes = new Map(nodes.map((node) => [node.id, node]));
    for (const node of nodes) installSelector(node);
  }

  create(input: unknown, env: StepEnv): Step {
    const scope = this.#scope(env.self, "create");
    const snapshot: AnyMachineSnapshot = this.#machine.getInitialSnapshot(scope as never, input);
    // XState catches what guards, assigns and expressions throw here.
    if (snapshot.status === "error") throw named(snapshot.error, scope);
    return { state: asState(settle(snapshot)), handled: true, work: scope.work };
  }

  step(state: MachineState, event: MachineEvent, env: StepEnv): Step {
    const before = asSnapshot(state);
    if (before.status !== "active") return { state, handled: false, work: [] };
    if (typeof event.type !== "string" || event.type === "" || isReservedEvent(event.type)) {
      const type = JSON.stringify(event.type);
      throw new TerminalError(
        `Cannot take ${type} in machine "${this.identity.id}": the event type is reserved for the runtime.`,
        {
          details: { machine: this.identity.id, event: event.type },
        },
      );
    }
    const scope = this.#scope(env.self, `"${event.type}"`);
    let after: AnyMachineSnapshot;
    try {
      after = this.#machine.transition(before, event, scope as never);
    } catch (error) {
      throw named(error, scope);
    }
    if (after === before) return { state, handled: scope.isHandled, work: scope.work };
    return { state: asState(settle(after)), handled: true, work: scope.work };
  }

  view(state: MachineState): StateView {
    const { status, value } = asSnapshot(state);
    // A snapshot is only ever `stopped` by an event that steps refuse.
    return { status: status as StateView["status"], value };
  }

  toStored(state: MachineState): StoredSnapshot {
    return encodeSnapshot(asSnapshot(state));
  }

  fromStored(stored: StoredSnapshot, status: "active" | "done" | "error"): MachineState {
    return asState(decodeSnapshot(this.#machine, this.#nodes, stored, status));
  }

  #scope(self: Address, event: string): StepScope {
    return new StepScope(this.identity.id, this.#maxMicrosteps, self, event);
  }
}

// The two names of one thing: only this file knows that a machine state is a snapshot of XState.
function asState(snapshot: AnyMachineSnapshot): MachineState {
  return snapshot as unknown as MachineState;
}

function asSnapshot(state: MachineState): AnyMachineSnapshot {
  return state as unknown as AnyMachineSnapshot;
}

/** Copies a machine, so that every actor gets a context of its own and nothing can be spawned. */
function copyOf(machine: AnyStateMachine, maxMicrosteps: number): AnyStateMachine {
  const copy: AnyStateMachine = machine.provide({});
  const context: unknown = machine.config.context;
  if (typeof context === "object" && context !== null) {
    const text = JSON.stringify(toStored(context, "context"));
    copy.config = { ...copy.config, context: () => fromStored(JSON.parse(text)) };
  }
  const actors = new Proxy(copy.implementations.actors, {
    get: (_, source) => {
      throw new TerminalError(
        `Cannot go on in machine "${machine.id}": it spawns "${String(source)}" (spawn is not supported yet).`,
        { details: { machine: machine.id, construct: "spawn" } },
      );
    },
  });
  copy.implementations = { ...copy.implementations, actors };
  // The scope counts microsteps and names the machine; XState's own limit stands behind it.
  copy.options = { ...copy.options, maxIterations: 2 * maxMicrosteps };
  return copy;
}

/** XState looks up the target of a `sendTo` before the scope sees the action; everything else is passed on as it was thrown. */
function named(error: unknown, scope: StepScope): unknown {
  if (error instanceof Error && error.message.startsWith("Unable to send event to actor '"))
    return scope.refusal("sendTo");
  return error;
}

/**
 * What XState is given to stand on during one step, instead of a live actor.
 *
 * 1. Nothing in it acts: no timer, no mailbox, no counter shared between steps. What the machine wants done is collected as {@link Work}, in order.
 * 2. What cannot be made durable is refused at the moment the machine does it, by a `TerminalError` that names it: the step is abandoned, the state stays.
 *
 * Source: XState calls these members of an actor scope in 5.33: `self` (`_parent`, `system`), `system` (`_bookId`, `_sendInspectionEvent`), `actionExecutor`.
 */
import { type Address, formatAddress } from "../core/address.ts";
import { TerminalError } from "../core/errors.ts";
import { evaluate, toldOf } from "./actions.ts";
import type { MachineEvent, Work } from "./driver.ts";

/** An action as XState hands it to the executor of a scope. */
interface ExecutableAction {
  readonly type: string;
  readonly info: object;
  readonly params: unknown;
  readonly exec: ((info: object, params: unknown) => void) | undefined;
}

/** Names a construct of a built-in action of XState as users write it; undefined for those that a step takes. */
export function unsupportedAction(
  type: string,
  params: { readonly delay?: unknown; readonly to?: unknown },
): string | undefined {
  switch (type) {
    case "xstate.assign":
    case "xstate.log":
    case "xstate.enqueueActions":
      return undefined;
    case "xstate.raise":
      return params.delay === undefined ? undefined : "raise with a delay";
    case "xstate.sendTo":
      return params.to === "#_parent" ? "sendParent" : "sendTo";
    default:
      return type.startsWith("xstate.") ? type.slice("xstate.".length) : undefined;
  }
}

/** The scope of one step. */
export class StepScope {
  readonly id: string;
  readonly sessionId: string;
  readonly self: InertRef;
  readonly system: InertSystem;
  readonly work: Work[] = [];
  /** True as soon as XState selected a transition in this step. */
  isHandled = false;
  /** How many microsteps the step has taken, and how many it may take. */
  microsteps = 0;
  readonly maxMicrosteps: number;
  readonly machineId: string;
  readonly eventType: string;
  /** XState replaces it for the time of a microstep. */
  actionExecutor: (action: ExecutableAction) => void = (action) => this.#take(action);

  constructor(machineId: string, maxMicrosteps: number, self: Address, eventType: string) {
    this.machineId = machineId;
    this.maxMicrosteps = maxMicrosteps;
    this.eventType = eventType;
    this.id = this.sessionId = formatAddress(self);
    this.system = new InertSystem(this);
    this.self = new InertRef(this);
  }

  // XState defers only what built-in actions do when executed, and none is executed here.
  defer(): void {}
  logger(): void {}
  emit(): void {}
  stopChild(): void {}

  /** Makes the error for what cannot be made durable. */
  refusal(construct: string): TerminalError {
    return new TerminalError(
      `Cannot take ${this.eventType} in machine "${this.machineId}": it uses ${construct}, which is not supported yet.`,
      { details: { machine: this.machineId, construct } },
    );
  }

  #take(action: ExecutableAction): void {
    const { type, exec } = action;
    const told = toldOf(exec);
    if (told !== undefined) {
      this.work.push(evaluate(told, action.info, action.params));
      return;
    }
    if (type === "xstate.log") {
      const { label, value } = action.params as { label: string | undefined; value: unknown };
      this.work.push({ kind: "log", label, value });
      return;
    }
    if (type.startsWith("xstate.")) {
      const params = (action.params ?? {}) as { delay?: unknown; to?: unknown };
      const construct = unsupportedAction(type, params);
      // A raised event was taken within the step.
      if (construct === undefined) return;
      throw this.refusal(construct);
    }
    if (typeof exec !== "function") {
      throw new TerminalError(
        `Cannot take ${this.eventType} in machine "${this.machineId}": its action "${type}" is not implemented.`,
        { details: { machine: this.machineId, action: type } },
      );
    }
    const { info, params } = action;
    this.work.push({ kind: "run", name: type, run: () => exec(info, params) });
  }
}

/** The actor's reference to itself, as guards, assigns and actions get it. */
class InertRef {
  readonly #scope: StepScope;
  readonly id: string;
  readonly sessionId: string;
  readonly system: InertSystem;

  constructor(scope: StepScope) {
    this.#scope = scope;
    this.id = scope.id;
    this.sessionId = scope.sessionId;
    this.system = scope.system;
  }

  get _parent(): never {
    throw this.#scope.refusal("sendParent");
  }
  get ref(): this {
    return this;
  }
  send(event?: MachineEvent): never {
    throw this.#scope.refusal(`self.send(${JSON.stringify(event?.type)})`);
  }
  getSnapshot(): never {
    throw this.#scope.refusal("self.getSnapshot()");
  }
  subscribe(): never {
    throw this.#scope.refusal("self.subscribe()");
  }
  on(): never {
    throw this.#scope.refusal("self.on()");
  }
}

/** The actor system of one step; it knows no other actors. */
class InertSystem {
  readonly #scope: StepScope;

  constructor(scope: StepScope) {
    this.#scope = scope;
  }

  /** XState books an id first thing when it makes an actor. */
  _bookId(): never {
    throw this.#scope.refusal("spawn");
  }

  /** XState reports every microstep here, with the transitions it selected. */
  _sendInspectionEvent(event: { readonly type: string; readonly _transitions?: readonly unknown[] }): void {
    if (event.type !== "@xstate.microstep") return;
    const scope = this.#scope;
    if (event._transitions !== undefined && event._transitions.length > 0) scope.isHandled = true;
    if (++scope.microsteps > scope.maxMicrosteps) {
      throw new TerminalError(
        `Cannot take ${scope.eventType} in machine "${scope.machineId}": it does not come to rest within ${scope.maxMicrosteps} microsteps. ` +
          'Look for "always" transitions or raised events that follow each other in a circle, or set options.maxIterations in the machine.',
        { details: { machine: scope.machineId, maxIterations: scope.maxMicrosteps } },
      );
    }
  }

  get(systemId: string): never {
    throw this.#scope.refusal(`system.get(${JSON.stringify(systemId)})`);
  }
  inspect(): never {
    throw this.#scope.refusal("system.inspect()");
  }
}

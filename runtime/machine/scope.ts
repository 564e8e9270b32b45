/**
 * What XState is given to stand on during one step, instead of a live actor.
 *
 * 1. Nothing in it acts: no timer, no mailbox, no counter shared between steps. What the machine wants done is noted, in order, and made into work by
 *    the ledger when the step is over.
 * 2. What cannot be made durable is refused at the moment the machine does it, by a `TerminalError` that names it: the step is abandoned, the state stays.
 *
 * Source: XState calls these members in 5.33: of an actor scope `self` (`_parent`, `system`), `system`, `actionExecutor`, `emit`; of a system `_bookId`, `_set`,
 * `_sendInspectionEvent`, `_logger`, `_clock`, `get`.
 */
import { type Address, childAddress, formatAddress, parseAddress, rootOf } from "../core/address.ts";
import type { Birth } from "../core/envelope.ts";
import { TerminalError } from "../core/errors.ts";
import { ActorReference, markReference, type ReferenceTarget, targetOf, withPort } from "../core/reference.ts";
import { evaluate, toldOf } from "./actions.ts";
import type { MachineEvent, Work } from "./driver.ts";
import { checkPublishable } from "./events.ts";
import type { Surroundings } from "./state.ts";

/** An action as XState hands it to the executor of a scope. */
interface ExecutableAction {
  readonly type: string;
  readonly info: object;
  readonly params: unknown;
  readonly exec: ((info: object, params: unknown) => void) | undefined;
}

/** XState's object of a child that the step makes. */
export interface MadeActor {
  readonly id: string;
  readonly src: unknown;
  readonly systemId: string | undefined;
  readonly _syncSnapshot: boolean | undefined;
  readonly options: { readonly input?: unknown };
}

/** What a step notes, in order; the ledger makes work of it. */
export type Note =
  | { readonly note: "work"; readonly work: Work }
  | { readonly note: "made"; readonly actor: MadeActor; readonly n: number }
  /** `to` is filled in by XState when the target is made later in the same step. */
  | { readonly note: "send"; readonly params: SendParams }
  | { readonly note: "raise"; readonly event: MachineEvent; readonly delay: number; readonly id: string | undefined }
  | { readonly note: "cancel"; readonly id: string }
  | { readonly note: "stop"; readonly actor: object };

/** What XState says of a `sendTo`. */
export interface SendParams {
  readonly to: object | string | undefined;
  readonly event: MachineEvent;
  readonly id?: string;
  readonly delay?: unknown;
}

/** What a step is about, for its scope. */
export interface StepSubject {
  readonly machineId: string;
  readonly maxMicrosteps: number;
  readonly self: Address;
  /** The event, in words. */
  readonly event: string;
  readonly around: Surroundings;
}

/** The scope of one step. */
export class StepScope {
  readonly system: StepSystem;
  readonly notes: Note[] = [];
  readonly subject: StepSubject;
  /** True as soon as XState selected a transition in this step. */
  isHandled = false;
  /** True when the step makes a child: its context may hold XState's object of it. */
  hasMade = false;
  /** How many microsteps the step has taken. */
  microsteps = 0;
  /** How many names were given to children and timers. */
  n: number;
  /** XState replaces it for the time of a microstep, and calls it without its scope. */
  actionExecutor: (action: ExecutableAction) => void;
  #self: StepSelf | undefined;

  constructor(subject: StepSubject) {
    this.subject = subject;
    this.n = subject.around.n;
    this.system = new StepSystem(this);
    this.actionExecutor = (action) => this.#take(action);
  }

  get self(): StepSelf {
    this.#self ??= new StepSelf(this);
    return this.#self;
  }
  get sessionId(): string {
    return formatAddress(this.subject.self);
  }
  get id(): string {
    return this.subject.around.birth?.id ?? this.sessionId;
  }

  // XState defers only what built-in actions do when executed, and none is executed here.
  defer(): void {}
  logger(...line: unknown[]): void {
    this.notes.push({ note: "work", work: { kind: "log", label: undefined, value: line.length > 1 ? line : line[0] } });
  }
  /** Machines emit by an action; transition logic calls this. */
  emit(event: unknown): void {
    const checked = checkPublishable(event, () => `emit from machine "${this.subject.machineId}"`);
    this.notes.push({ note: "work", work: { kind: "emit", event: checked } });
  }
  stopChild(): void {}

  /** Makes the error for what cannot be made durable. */
  refusal(construct: string, instead?: string): TerminalError {
    const { event, machineId } = this.subject;
    return new TerminalError(
      `Cannot take ${event} in machine "${machineId}": it uses ${construct}, which cannot be made durable.${instead === undefined ? "" : ` ${instead}`}`,
      { details: { machine: machineId, construct } },
    );
  }

  #take(action: ExecutableAction): void {
    const { type, exec } = action;
    const told = toldOf(exec);
    if (told !== undefined) {
      this.notes.push({ note: "work", work: evaluate(told, action.info, action.params) });
      return;
    }
    if (type.startsWith("xstate.")) {
      this.#takeBuiltIn(type, (action.params ?? {}) as Record<string, unknown>);
      return;
    }
    if (typeof exec !== "function") {
      const { event, machineId } = this.subject;
      throw new TerminalError(
        `Cannot take ${event} in machine "${machineId}": its action "${type}" is not implemented.`,
        { details: { machine: machineId, action: type } },
      );
    }
    const { info, params } = action;
    this.notes.push({
      note: "work",
      work: { kind: "run", name: type, run: (port) => withPort(port, () => exec(info, params)) },
    });
  }

  #takeBuiltIn(type: string, params: Record<string, unknown>): void {
    switch (type) {
      case "xstate.assign":
      case "xstate.enqueueActions":
        return;
      case "xstate.log": {
        const { label, value } = params as { label: string | undefined; value: unknown };
        this.notes.push({ note: "work", work: { kind: "log", label, value } });
        return;
      }
      case "xstate.emit":
        this.emit(params.event);
        return;
      case "xstate.raise": {
        // Without a delay it was taken within the step.
        if (typeof params.delay !== "number") return;
        const { event, delay, id } = params as { event: MachineEvent; delay: number; id: string | undefined };
        this.notes.push({ note: "raise", event, delay, id });
        return;
      }
      case "xstate.sendTo":
        this.notes.push({ note: "send", params: params as unknown as SendParams });
        return;
      case "xstate.cancel":
        if (params.sendId !== undefined) this.notes.push({ note: "cancel", id: params.sendId as string });
        return;
      case "xstate.spawnChild":
        // The child itself was noted when XState made it.
        if (params.actorRef !== undefined) return;
        throw new TerminalError(
          `Cannot take ${this.subject.event} in machine "${this.subject.machineId}": it starts the actor "${String(params.src)}", which is not implemented.`,
          { details: { machine: this.subject.machineId, actor: String(params.src) } },
        );
      case "xstate.stopChild":
        // An action without params: there was nothing to stop.
        if (!("id" in params)) return;
        this.system.release(params);
        this.notes.push({ note: "stop", actor: params });
        return;
      default:
        throw this.refusal(type.slice("xstate.".length));
    }
  }
}

/** The actor's reference to itself, as guards, assigns and actions get it. */
class StepSelf extends ActorReference {
  readonly system: StepSystem;
  readonly #scope: StepScope;

  constructor(scope: StepScope) {
    const { self, around } = scope.subject;
    const { birth } = around;
    super({ actor: self, id: scope.id, ...(birth === undefined ? {} : { n: birth.n }) });
    this.#scope = scope;
    this.system = scope.system;
  }

  get _parent(): ActorReference | undefined {
    const { birth } = this.#scope.subject.around;
    return birth === undefined ? undefined : parentOf(birth);
  }
}

/** A reference to the parent of a child. */
function parentOf(birth: Birth): ActorReference {
  return new ActorReference({ actor: parseAddress(birth.parent), id: birth.parent });
}

const deadClock = { setTimeout: () => 0, clearTimeout: () => {} };

/** The actor system of one step. */
class StepSystem {
  readonly #scope: StepScope;
  /** System ids of children that this step made, and those it has stopped. */
  #made: Map<string, object> | undefined;
  #released: Set<string> | undefined;

  constructor(scope: StepScope) {
    this.#scope = scope;
  }

  /** XState books a name for every actor it makes, and uses it for children without an id. */
  _bookId(): string {
    return `c${this.#scope.n}`;
  }
  _logger(): void {}
  get _clock(): object {
    return deadClock;
  }

  /** XState reports actors that it makes here, and every microstep with the transitions it selected. */
  _sendInspectionEvent(event: {
    readonly type: string;
    readonly actorRef?: unknown;
    readonly _transitions?: readonly unknown[];
  }): void {
    const scope = this.#scope;
    if (event.type === "@xstate.actor") {
      const actor = event.actorRef as MadeActor;
      const n = scope.n++;
      scope.hasMade = true;
      markReference(actor, { actor: childAddress(scope.subject.self, actor.id), id: actor.id, n });
      scope.notes.push({ note: "made", actor, n });
      return;
    }
    if (event.type !== "@xstate.microstep") return;
    if (event._transitions !== undefined && event._transitions.length > 0) scope.isHandled = true;
    const { maxMicrosteps, machineId, event: taken } = scope.subject;
    if (++scope.microsteps > maxMicrosteps) {
      throw new TerminalError(
        `Cannot take ${taken} in machine "${machineId}": it does not come to rest within ${maxMicrosteps} microsteps. ` +
          'Look for "always" transitions or raised events that follow each other in a circle, or set options.maxIterations in the machine.',
        { details: { machine: machineId, maxIterations: maxMicrosteps } },
      );
    }
  }

  _set(systemId: string, actor: object): void {
    if (this.#made?.has(systemId) || this.#known(systemId) !== undefined) {
      const { event, machineId } = this.#scope.subject;
      throw new TerminalError(
        `Cannot take ${event} in machine "${machineId}": another actor has the system id "${systemId}" already. Stop it first, or use another id.`,
        { details: { machine: machineId, systemId } },
      );
    }
    this.#made ??= new Map();
    this.#made.set(systemId, actor);
  }
  _unregister(): void {}

  /** The actor was stopped: its system id is free again within the same step. */
  release(actor: object): void {
    const target = targetOf(actor);
    const child =
      target !== undefined && "id" in target ? this.#scope.subject.around.children.get(target.id) : undefined;
    const systemId = (actor as { systemId?: string }).systemId ?? child?.systemId;
    if (systemId === undefined) return;
    if (this.#made?.delete(systemId)) return;
    this.#released ??= new Set();
    this.#released.add(systemId);
  }

  /**
   * The actor with a system id. Only the root knows them all: elsewhere the reference leads by way of the root, and an id that nobody has is found out there.
   */
  get(systemId: string): object {
    const made = this.#made?.get(systemId);
    if (made !== undefined) return made;
    const known = this.#known(systemId);
    if (known !== undefined) return new ActorReference(known);
    const { self, event, machineId, around } = this.#scope.subject;
    if (around.birth !== undefined) return new ActorReference({ root: rootOf(self), system: systemId });
    throw new TerminalError(
      `Cannot take ${event} in machine "${machineId}": no actor has the system id "${systemId}".`,
      { details: { machine: machineId, systemId } },
    );
  }
  inspect(): never {
    throw this.#scope.refusal("system.inspect()", "Use a client's watch or history.");
  }
  getAll(): never {
    throw this.#scope.refusal("system.getAll()", "Get actors by their system ids.");
  }

  #known(systemId: string): ReferenceTarget | undefined {
    if (this.#released?.has(systemId)) return undefined;
    const { around, self } = this.#scope.subject;
    for (const [id, child] of around.children) {
      if (child.systemId === systemId && !child.ended) return { actor: childAddress(self, id), id, n: child.n };
    }
    const alias = around.system.get(systemId);
    if (alias === undefined) return undefined;
    const actor = parseAddress(alias.holder);
    return { actor, id: systemId, n: alias.n };
  }
}

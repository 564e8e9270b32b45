/**
 * The ledger of one step: which children and timers an actor has, and what has to be done about them.
 *
 * 1. A child is known by its name and its generation: what comes from an earlier generation is never taken for the present one.
 * 2. What begins and ends within one step leaves nothing behind: neither a child nor a timer nor a message to it.
 * 3. A message to a child never leaves before the child's own beginning, wherever the machine lists it.
 */
import {
  type Address,
  childAddress,
  formatAddress,
  isChildAddress,
  isSameAddress,
  parseAddress,
  rootOf,
} from "../core/address.ts";
import { TerminalError } from "../core/errors.ts";
import type { FailureSeries, RunWatcher, StoredRun } from "../core/records.ts";
import { ActorReference, type ReferenceTarget, targetOf } from "../core/reference.ts";
import type { AskMeta } from "./ask-logic.ts";
import type { MachineEvent, Work } from "./driver.ts";
import { checkSendable } from "./events.ts";
import { unkeyed } from "./keyed-input.ts";
import type { MadeActor, Note, SendParams, StepScope } from "./scope.ts";
import type { Alias, Child, Restart, Surroundings, Timer } from "./state.ts";

/** What the ledger must know of the logic that children run. */
export interface ChildKinds {
  /** The name and kind of a child's logic; throws `TerminalError` when it has no name that would be found again. */
  readonly identify: (src: unknown) => {
    readonly src: string;
    readonly kind: Child["kind"];
    /** For activities with an overall limit. */
    readonly timeoutMs: number | undefined;
    /** For logic that asks another actor. */
    readonly ask: AskMeta | undefined;
  };
}

/** Work in the making: a place in the list can be emptied again. */
type Slot = { work: Work | undefined };

/** Keeps children and timers while the notes of a step are made into work. */
export class Ledger {
  readonly #self: Address;
  readonly #now: number;
  readonly #before: Surroundings;
  readonly #machineId: string;
  #n: number;
  #children: Map<string, Child> | undefined;
  #timers: Map<string, Timer> | undefined;
  #system: Map<string, Alias> | undefined;
  #restart: Restart | undefined;
  #run: StoredRun | undefined;
  readonly #slots: Slot[] = [];
  /** What this step began, by child generation: it is taken back when the step ends it, too. */
  #begun: Map<number, Slot[]> | undefined;
  #timerSlots: Map<string, Slot> | undefined;
  /** Messages to children that the step makes further on. */
  #early: Map<object, SendParams[]> | undefined;

  constructor(self: Address, now: number, machineId: string, before: Surroundings) {
    this.#self = self;
    this.#now = now;
    this.#machineId = machineId;
    this.#before = before;
    this.#n = before.n;
    this.#restart = before.restart;
    this.#run = before.run;
  }

  get children(): ReadonlyMap<string, Child> {
    return this.#children ?? this.#before.children;
  }
  get timers(): ReadonlyMap<string, Timer> {
    return this.#timers ?? this.#before.timers;
  }
  get hasChangedChildren(): boolean {
    return this.#children !== undefined;
  }

  /** The work, in order. */
  get work(): Work[] {
    const all: Work[] = [];
    for (const { work } of this.#slots) if (work !== undefined) all.push(work);
    return all;
  }

  /** What is kept beside the next snapshot. */
  surroundings(): Surroundings {
    const before = this.#before;
    if (
      this.#children === undefined &&
      this.#timers === undefined &&
      this.#system === undefined &&
      this.#restart === before.restart &&
      this.#run === before.run &&
      this.#n === before.n
    ) {
      return before;
    }
    return {
      n: this.#n,
      children: this.children,
      timers: this.timers,
      birth: before.birth,
      restart: this.#restart,
      run: this.#run,
      system: this.#system ?? before.system,
    };
  }

  /** Takes what a step has noted. */
  take(scope: StepScope, kinds: ChildKinds): void {
    this.#n = Math.max(this.#n, scope.n);
    const { notes } = scope;
    if (notes.length === 0) return;
    let unmade: Set<object> | undefined;
    if (scope.hasMade) unmade = new Set(notes.flatMap((note) => (note.note === "made" ? [note.actor] : [])));
    for (const note of notes) this.#takeNote(note, kinds, unmade);
  }

  #takeNote(note: Note, kinds: ChildKinds, unmade: Set<object> | undefined): void {
    switch (note.note) {
      case "work":
        this.add(note.work);
        break;
      case "made": {
        unmade?.delete(note.actor);
        this.#begin(note.actor, note.n, kinds);
        for (const params of this.#early?.get(note.actor) ?? []) this.#send(params);
        break;
      }
      case "send": {
        const { to } = note.params;
        if (typeof to === "object" && unmade?.has(to)) {
          this.#early ??= new Map();
          const early = this.#early.get(to);
          if (early === undefined) this.#early.set(to, [note.params]);
          else early.push(note.params);
        } else this.#send(note.params);
        break;
      }
      case "raise":
        this.setTimer(this.#due(note.delay), { id: note.id, event: note.event });
        break;
      case "cancel":
        this.#cancel(note.id);
        break;
      case "stop":
        this.#stop(targetOf(note.actor));
        break;
    }
  }

  add(work: Work): void {
    this.#slots.push({ work });
  }

  /** When something is due that is asked for now. */
  #due(delay: number): number {
    if (!Number.isFinite(delay)) {
      throw new TerminalError(
        `Cannot set a timer in machine "${this.#machineId}": its delay is ${delay}. Use milliseconds as a finite number.`,
        { details: { machine: this.#machineId, delay } },
      );
    }
    return this.#now + Math.max(0, delay);
  }

  /** The actor goes on no more: with failures it is begun again after their delay, without it has ended. */
  close(series: FailureSeries | undefined): void {
    if (this.#restart === undefined || series === undefined) {
      this.#restart = undefined;
      return;
    }
    const timer = this.setTimer(this.#now + series.delayMs, { event: { type: "statewright.restart" } });
    this.#restart = { input: this.#restart.input, series, timer };
  }

  /** Returns the timer's name. */
  setTimer(at: number, timer: Partial<Timer>): string {
    this.#timers ??= new Map(this.#before.timers);
    const name = String(this.#n++);
    const { id, event, to, task } = timer;
    this.#timers.set(name, { at, id, event, to, task });
    const slot: Slot = { work: { kind: "timer", timer: name, atMs: at } };
    this.#slots.push(slot);
    this.#timerSlots ??= new Map();
    this.#timerSlots.set(name, slot);
    return name;
  }

  /** Takes a timer off the list; undefined when it is not there. */
  clearTimer(name: string): Timer | undefined {
    const timer = this.timers.get(name);
    if (timer === undefined) return undefined;
    this.#timers ??= new Map(this.#before.timers);
    this.#timers.delete(name);
    const slot = this.#timerSlots?.get(name);
    if (slot !== undefined) slot.work = undefined;
    return timer;
  }

  clearTimers(): void {
    for (const name of [...this.timers.keys()]) this.clearTimer(name);
  }

  /** Takes the timers of a child's activity off the list. */
  clearTimersOf(child: string, n: number): void {
    for (const [name, { task }] of this.timers) {
      if (task !== undefined && task.child === child && task.n === n) this.clearTimer(name);
    }
  }

  /** As XState does: the newest timer with the id. */
  #cancel(id: string): void {
    let newest: string | undefined;
    for (const [name, timer] of this.timers) if (timer.id === id) newest = name;
    if (newest !== undefined) this.clearTimer(newest);
  }

  #begin(actor: MadeActor, n: number, kinds: ChildKinds): void {
    const { src, kind, timeoutMs, ask } = kinds.identify(actor.src);
    const { id, systemId } = actor;
    const earlier = this.children.get(id);
    if (earlier !== undefined) this.#end(id, earlier);
    const { input, key } = unkeyed(actor.options.input);
    const sync = actor._syncSnapshot === true;
    const task =
      kind === "activity" ? { attempt: 1, since: this.#now, ...(key === undefined ? {} : { key }) } : undefined;
    const request = ask?.request(input);
    const asked =
      request === undefined
        ? undefined
        : {
            to: formatAddress(request.to),
            ...(request.kind === "run" ? { onParentClose: request.onParentClose } : {}),
          };
    const slots: Slot[] = [];
    const put = (work: Work): void => {
      const slot = { work };
      slots.push(slot);
      this.#slots.push(slot);
    };
    this.#begun ??= new Map();
    this.#begun.set(n, slots);
    this.setChild(id, {
      kind,
      src,
      n,
      systemId,
      sync,
      ended: false,
      input: kind === "actor" || kind === "ask" ? undefined : input,
      task,
      asked,
    });
    const to = childAddress(this.#self, id);
    if (kind === "actor") {
      const birth = {
        parent: formatAddress(this.#self),
        id,
        n,
        src: [...(this.#before.birth?.src ?? []), src],
        ...(sync ? { sync: true as const } : {}),
        ...(systemId === undefined ? {} : { systemId }),
      };
      put({ kind: "start", to, birth, input });
    } else if (kind === "activity") {
      put({ kind: "task", id, n, src, attempt: 1, since: this.#now, input, key });
      if (timeoutMs !== undefined) this.setTimer(this.#now + timeoutMs, { task: { kind: "deadline", child: id, n } });
    } else if (request !== undefined) put({ kind: "ask", id, n, request });
    if (systemId !== undefined) this.#name(systemId, to, n, slots);
  }

  setChild(id: string, child: Child): void {
    this.#children ??= new Map(this.#before.children);
    this.#children.set(id, child);
  }

  /** Marks a child as ended by itself. */
  ended(id: string, child: Child): void {
    this.setChild(id, { ...child, ended: true, input: undefined, task: undefined });
    this.clearTimersOf(id, child.n);
    if (child.systemId !== undefined) this.#unname(child.systemId, child.n);
  }

  #stop(target: ReferenceTarget | undefined): void {
    if (target === undefined || !("actor" in target)) return;
    const child = this.children.get(target.id);
    if (child === undefined || !isSameAddress(target.actor, childAddress(this.#self, target.id))) return;
    if (target.n !== undefined && target.n !== child.n) return;
    this.#end(target.id, child);
    this.#children?.delete(target.id);
  }

  /** Ends all children, and says so to those that do not end by themselves. */
  endAll(): void {
    for (const [id, child] of [...this.children]) this.#end(id, child);
    if (this.children.size > 0) this.#children = new Map();
  }

  #end(id: string, child: Child): void {
    this.#children ??= new Map(this.#before.children);
    if (child.ended) return;
    this.clearTimersOf(id, child.n);
    const begun = this.#begun?.get(child.n);
    if (begun !== undefined) {
      for (const slot of begun) slot.work = undefined;
      this.#begun?.delete(child.n);
    } else if (child.kind === "actor") this.add({ kind: "stop", to: childAddress(this.#self, id), n: child.n });
    else if (child.kind === "activity") {
      this.add({ kind: "cancel", id, n: child.n, attempt: child.task?.attempt ?? 1, src: child.src });
    } else if (child.asked !== undefined) this.#unask(id, child.n, child.asked);
    if (child.systemId !== undefined) this.#unname(child.systemId, child.n);
  }

  #unask(id: string, n: number, { to, onParentClose = "abandon" }: NonNullable<Child["asked"]>): void {
    if (onParentClose !== "abandon") this.add({ kind: "end-run", to: parseAddress(to), id, n, how: onParentClose });
  }

  /** The run has come to its end. */
  endRun(): void {
    if (this.#run !== undefined) this.#run = { ...this.#run, endedAt: this.#now };
  }

  /** Somebody else is told of the end of the run. */
  watch(watcher: RunWatcher): void {
    if (this.#run === undefined) return;
    const { watchers = [] } = this.#run;
    const isKnown = watchers.some(({ actor, n }) => actor === watcher.actor && n === watcher.n);
    if (!isKnown) this.#run = { ...this.#run, watchers: [...watchers, watcher] };
  }

  #name(systemId: string, holder: Address, n: number, slots: Slot[]): void {
    if (!isChildAddress(this.#self)) {
      this.setAlias(systemId, holder, n);
      return;
    }
    const slot: Slot = { work: { kind: "alias", to: rootOf(this.#self), systemId, holder, n } };
    slots.push(slot);
    this.#slots.push(slot);
  }

  #unname(systemId: string, n: number): void {
    if (!isChildAddress(this.#self)) this.setAlias(systemId, undefined, n);
    else this.add({ kind: "alias", to: rootOf(this.#self), systemId, holder: undefined, n });
  }

  /** At a root: a system id has a new holder; without one it is free again, unless somebody else has it by now. */
  setAlias(systemId: string, holder: Address | undefined, n: number): void {
    const system = this.#system ?? this.#before.system;
    if (holder === undefined && system.get(systemId)?.n !== n) return;
    this.#system ??= new Map(this.#before.system);
    if (holder === undefined) this.#system.delete(systemId);
    else this.#system.set(systemId, { holder: formatAddress(holder), n });
  }

  #send(params: SendParams): void {
    const { to, delay, id } = params;
    let { event } = params;
    const target = targetOf(to);
    if (target === undefined) throw this.#lost(params, "the target is no actor");
    if (event?.type === "xstate.error") {
      // What SCXML's platforms raise: XState turns it into the error of the child that sends it.
      const { birth } = this.#before;
      if (birth !== undefined && "actor" in target && formatAddress(target.actor) === birth.parent) {
        this.add(failed(target.actor, birth, (event as { data?: unknown }).data));
        return;
      }
    }
    event = checkSendable(event, () => this.#describe(params));
    if (typeof delay !== "number") {
      this.deliver(target, event, to);
      return;
    }
    this.setTimer(this.#due(delay), { id, event, to: this.#stored(target) });
  }

  /** How a timer remembers whom its event is for. */
  #stored(target: ReferenceTarget): Timer["to"] {
    if ("system" in target) return { system: target.system };
    if (isSameAddress(target.actor, this.#self)) return undefined;
    const child = this.#childAt(target);
    if (child !== undefined && child.kind !== "actor") return { child: target.id, n: child.n };
    return { actor: formatAddress(target.actor) };
  }

  #childAt(target: Extract<ReferenceTarget, { actor: Address }>): Child | undefined {
    const child = this.children.get(target.id);
    return child !== undefined && isSameAddress(target.actor, childAddress(this.#self, target.id)) ? child : undefined;
  }

  /** Sends an event to whom a reference leads. */
  deliver(target: ReferenceTarget, event: MachineEvent, made?: unknown): void {
    if ("system" in target) {
      this.add({ kind: "relay", to: target.root, systemId: target.system, event });
      return;
    }
    const child = this.#childAt(target);
    if (child === undefined) {
      this.add({ kind: "tell", to: target.actor, event });
      return;
    }
    // What is for an earlier child of the same name, or for one that has ended, has nobody to take it; promises take no events.
    if (
      child.ended ||
      (target.n !== undefined && target.n !== child.n) ||
      child.kind === "activity" ||
      child.kind === "ask"
    )
      return;
    const work: Work =
      child.kind === "live"
        ? { kind: "deliver", child: target.id, n: child.n, event }
        : { kind: "tell", to: target.actor, event };
    const slot: Slot = { work };
    this.#slots.push(slot);
    if (made !== undefined) this.#begun?.get(child.n)?.push(slot);
  }

  /** Sends the event of a timer that has fired. */
  deliverStored(to: NonNullable<Timer["to"]>, event: MachineEvent): void {
    if ("actor" in to) {
      const actor = parseAddress(to.actor);
      this.deliver({ actor, id: this.#childName(actor) }, event);
    } else if ("system" in to) this.relay(to.system, event);
    else {
      const child = this.children.get(to.child);
      if (child?.n === to.n) this.deliver({ actor: childAddress(this.#self, to.child), id: to.child, n: to.n }, event);
    }
  }

  /** Sends an event to whoever has a system id now. At a root an id without a holder is an error. */
  relay(systemId: string, event: MachineEvent): void {
    if (isChildAddress(this.#self)) {
      this.add({ kind: "relay", to: rootOf(this.#self), systemId, event });
      return;
    }
    const alias = (this.#system ?? this.#before.system).get(systemId);
    if (alias === undefined) {
      throw new TerminalError(
        `Cannot pass "${event.type}" on in ${formatAddress(this.#self)}: no actor has the system id "${systemId}".`,
        { details: { actor: formatAddress(this.#self), systemId } },
      );
    }
    const actor = parseAddress(alias.holder);
    this.deliver({ actor, id: this.#childName(actor) }, event);
  }

  #childName(actor: Address): string {
    for (const id of this.children.keys()) if (isSameAddress(actor, childAddress(this.#self, id))) return id;
    return formatAddress(actor);
  }

  #describe(params: SendParams): string {
    return `send to ${targetOf(params.to) === undefined ? "an actor" : (params.to as ActorReference).sessionId} from machine "${this.#machineId}"`;
  }

  #lost(params: SendParams, why: string): TerminalError {
    return new TerminalError(`Cannot ${this.#describe(params)}: ${why}.`, { details: { machine: this.#machineId } });
  }
}

/** References to children, as XState's snapshots hold them. */
export function referencesTo(self: Address, children: ReadonlyMap<string, Child>): Record<string, ActorReference> {
  const references: Record<string, ActorReference> = {};
  for (const [id, { n }] of children) {
    references[id] = new ActorReference({ actor: childAddress(self, id), id, n });
  }
  return references;
}

/** What a parent is told when its child has failed. */
export function failed(to: Address, birth: { readonly id: string; readonly n: number }, error: unknown): Work {
  const event = { type: `xstate.error.actor.${birth.id}`, error, actorId: birth.id };
  return { kind: "tell", to, event, internal: { child: birth.id, n: birth.n } };
}

/** What a parent is told when its child has come to its end. */
export function completed(to: Address, birth: { readonly id: string; readonly n: number }, output: unknown): Work {
  const event = { type: `xstate.done.actor.${birth.id}`, output, actorId: birth.id };
  return { kind: "tell", to, event, internal: { child: birth.id, n: birth.n } };
}

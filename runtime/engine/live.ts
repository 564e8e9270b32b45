/**
 * Live children: callback and observable logic, which runs in the process of the actor's owner while the state that invoked it is active.
 *
 * 1. Which should run is said by the committed state alone: after a commit, and when an actor is loaded after a takeover, what is missing is
 *    started and what is left over is stopped.
 * 2. What they send goes through the mailbox, with the child's generation: what comes from a child that is not wanted any more is dropped.
 * 3. Nothing of them is stored. After a takeover they start again from their input.
 */
import { type Address, childAddress, formatAddress, isSameAddress, partitionOf, rootOf } from "../core/address.ts";
import { cloudEvent, eventSource } from "../core/cloud-events.ts";
import { toStored } from "../core/codec.ts";
import { ActorReference, type ReferenceTarget, targetOf, withPort } from "../core/reference.ts";
import type { LiveChild, LiveLogic, MachineEvent } from "../machine/driver.ts";
import type { NodeContext } from "./context.ts";
import type { Lane } from "./lane.ts";
import { driverOf } from "./logic-of.ts";
import { mailBytes } from "./outbox.ts";
import type { Post } from "./post.ts";

/** The live children of all actors of a node. */
export class LiveChildren {
  readonly #context: NodeContext;
  readonly #post: Post;
  /** By state subject of the actor, then by name of the child. */
  readonly #running = new Map<string, { readonly partition: number; readonly children: Map<string, Attachment> }>();

  constructor(context: NodeContext, post: Post) {
    this.#context = context;
    this.#post = post;
  }

  /** How many run now. */
  get size(): number {
    let size = 0;
    for (const { children } of this.#running.values()) size += children.size;
    return size;
  }

  /** The children that a committed state wants: starts those that are missing, stops the others. */
  reconcile(lane: Lane, wanted: readonly LiveChild[]): void {
    const running = this.#running.get(lane.subject)?.children ?? new Map<string, Attachment>();
    for (const [id, attachment] of running) {
      if (wanted.some((child) => child.id === id && child.n === attachment.child.n)) continue;
      running.delete(id);
      attachment.stop();
    }
    const missing = wanted.filter(({ id }) => !running.has(id));
    if (running.size === 0 && missing.length === 0) {
      this.#running.delete(lane.subject);
      return;
    }
    if (!this.#running.has(lane.subject))
      this.#running.set(lane.subject, { partition: lane.partition, children: running });
    for (const child of missing) {
      const logic = lane.definition && driverOf(lane.definition, lane.head.birth).children.get(child.src);
      if (logic?.kind !== "live") continue;
      const attachment = new Attachment(this.#context, this.#post, lane.address, child, logic.logic);
      running.set(child.id, attachment);
      attachment.start();
    }
  }

  /** Hands an event to a live child. */
  deliver(lane: Lane, child: string, n: number, event: MachineEvent): void {
    const attachment = this.#running.get(lane.subject)?.children.get(child);
    if (attachment?.child.n === n) attachment.receive(event);
  }

  /** Sends what a custom action or a live child says through a reference. */
  send(from: Address, target: ReferenceTarget, event: { readonly type: string }): void {
    this.#post.send(mailTo(this.#context, this.#post.nextId(), formatAddress(from), target, event));
  }

  /** The partition is not ours any more: all that runs for it ends. */
  stop(partition?: number): void {
    for (const [subject, running] of this.#running) {
      if (partition !== undefined && running.partition !== partition) continue;
      this.#running.delete(subject);
      for (const attachment of running.children.values()) attachment.stop();
    }
  }
}

function mailTo(
  { subjects, partitions, time }: NodeContext,
  id: string,
  from: string,
  target: ReferenceTarget,
  event: { readonly type: string },
  internal?: { readonly child: string; readonly n: number },
): { readonly subject: string; readonly data: Uint8Array } {
  const to = "actor" in target ? target.actor : target.root;
  const eventJson = JSON.stringify(toStored(event, "event"));
  const fields =
    "actor" in target
      ? `"kind":"event","event":${eventJson}${internal === undefined ? "" : `,"internal":${JSON.stringify(internal)}`}`
      : `"kind":"relay","systemId":${JSON.stringify(target.system)},"event":${eventJson}`;
  return {
    subject: subjects.mail(partitionOf(to, partitions), to, id),
    data: mailBytes(id, from, time.now(), fields),
  };
}

interface LiveSnapshot {
  readonly status: "active" | "done" | "error" | "stopped";
  readonly output?: unknown;
  readonly error?: unknown;
  readonly context?: unknown;
}

/** One live child that runs. */
class Attachment {
  readonly child: LiveChild;
  readonly #context: NodeContext;
  readonly #post: Post;
  readonly #parent: ActorReference;
  readonly #address: Address;
  readonly #logic: LiveLogic;
  readonly #self: LiveSelf;
  readonly #scope: object;
  #snapshot: LiveSnapshot = { status: "active" };
  #isOver = false;
  /** What the logic says to itself while it starts; undefined as soon as it has started. */
  #early: MachineEvent[] | undefined = [];

  constructor(context: NodeContext, post: Post, parent: Address, child: LiveChild, logic: LiveLogic) {
    this.#context = context;
    this.#post = post;
    this.child = child;
    this.#logic = logic;
    this.#address = childAddress(parent, child.id);
    this.#parent = new ActorReference({ actor: parent, id: formatAddress(parent) });
    const system = {
      get: (systemId: string) => {
        const root = rootOf(parent);
        return new BoundReference({ root, system: systemId }, (target, event) => this.#send(target, event));
      },
      _relay: (_source: unknown, target: object, event: MachineEvent) => this.#relay(target, event),
    };
    this.#self = new LiveSelf(this.#address, child, this.#parent, system, () => this.#snapshot);
    this.#scope = {
      self: this.#self,
      id: child.id,
      sessionId: formatAddress(this.#address),
      system,
      logger: () => {},
      defer: () => {},
      stopChild: () => {},
      actionExecutor: () => {},
      emit: (event: MachineEvent) => this.#emit(event),
    };
  }

  start(): void {
    this.#try(() => {
      this.#snapshot = this.#logic.getInitialSnapshot(this.#scope as never, this.child.input) as LiveSnapshot;
      this.#logic.start?.(this.#snapshot as never, this.#scope as never);
    });
    // As in XState: an observable that has values at once shows before them that it has none yet, and must not lose its subscription to them.
    const early = this.#early ?? [];
    this.#early = undefined;
    if (this.#isOver) return;
    if (this.child.sync && this.#snapshot.status === "active") this.#showParent();
    for (const event of early) this.receive(event);
  }

  receive(event: MachineEvent): void {
    if (this.#isOver) return;
    this.#try(() => this.#take(event));
  }

  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    try {
      this.#logic.transition(this.#snapshot as never, { type: "xstate.stop" } as never, this.#scope as never);
    } catch (error) {
      this.#context.telemetry.tell(
        "error",
        "live.failed",
        `Live child "${this.child.id}" of ${this.#parent.sessionId} failed while it was stopped: ${messageOf(error)}`,
        { error },
      );
    }
    this.#snapshot = { ...this.#snapshot, status: "stopped" };
  }

  #try(run: () => void): void {
    try {
      withPort((target, event) => this.#send(target, event), run);
    } catch (error) {
      this.#end({ type: `xstate.error.actor.${this.child.id}`, error, actorId: this.child.id });
    }
  }

  /** What XState's own logic says: to itself, or to its parent. */
  #relay(target: object, event: MachineEvent): void {
    if (this.#isOver) return;
    if (target === this.#self) {
      if (this.#early !== undefined) this.#early.push(event);
      else this.#try(() => this.#take(event));
      return;
    }
    const to = targetOf(target);
    if (to !== undefined) this.#send(to, event);
  }

  #take(event: MachineEvent): void {
    const before = this.#snapshot;
    this.#snapshot = this.#logic.transition(before as never, event as never, this.#scope as never) as LiveSnapshot;
    const { status, output, error } = this.#snapshot;
    const { id, sync } = this.child;
    if (status === "done") this.#end({ type: `xstate.done.actor.${id}`, output, actorId: id });
    else if (status === "error") this.#end({ type: `xstate.error.actor.${id}`, error, actorId: id });
    else if (sync && this.#snapshot !== before) this.#showParent();
  }

  #showParent(): void {
    const { status, output, error, context } = this.#snapshot;
    this.#tellParent({ type: `xstate.snapshot.${this.child.id}`, snapshot: { status, context, output, error } });
  }

  #end(event: MachineEvent): void {
    if (this.#isOver) return;
    this.#tellParent(event);
    this.#isOver = true;
  }

  #send(target: ReferenceTarget, event: { readonly type: string }): void {
    if (this.#isOver) return;
    const parent = targetOf(this.#parent);
    const isParent =
      parent !== undefined && "actor" in target && "actor" in parent && isSameAddress(target.actor, parent.actor);
    if (isParent) this.#tellParent(event);
    else this.#postMail(target, event, undefined);
  }

  #tellParent(event: MachineEvent | { readonly type: string }): void {
    const { id, n } = this.child;
    this.#postMail(targetOf(this.#parent) as ReferenceTarget, event, { child: id, n });
  }

  #postMail(
    target: ReferenceTarget,
    event: { readonly type: string },
    internal: { readonly child: string; readonly n: number } | undefined,
  ): void {
    try {
      const record = mailTo(this.#context, this.#post.nextId(), formatAddress(this.#address), target, event, internal);
      this.#post.send(record);
    } catch (error) {
      this.#context.telemetry.tell(
        "error",
        "live.failed",
        `Live child "${this.child.id}" of ${this.#parent.sessionId} sent what cannot be stored: ${messageOf(error)}`,
        { error },
      );
    }
  }

  #emit(event: MachineEvent): void {
    if (this.#isOver) return;
    const { subjects, partitions, spaceName, time } = this.#context;
    const id = this.#post.nextId();
    const json = JSON.stringify(toStored(event, "event"));
    const source = eventSource(spaceName, this.#address);
    const subject = subjects.emitted(partitionOf(this.#address, partitions), this.#address, event.type, id);
    this.#post.send({ subject, ...cloudEvent(id, source, event.type, time.now(), json) });
  }
}

/** A reference that can be sent to at any time. */
class BoundReference extends ActorReference {
  readonly #send: (target: ReferenceTarget, event: { readonly type: string }) => void;

  constructor(target: ReferenceTarget, send: (target: ReferenceTarget, event: { readonly type: string }) => void) {
    super(target);
    this.#send = send;
  }

  override send(event: { readonly type: string }): void {
    this.#send(targetOf(this) as ReferenceTarget, event);
  }
}

/** The reference of a live child to itself, as XState's logic takes it. */
class LiveSelf extends ActorReference {
  readonly system: object;
  readonly _parent: ActorReference;
  readonly #snapshotOf: () => object;

  constructor(address: Address, child: LiveChild, parent: ActorReference, system: object, snapshotOf: () => object) {
    super({ actor: address, id: child.id, n: child.n });
    this._parent = parent;
    this.system = system;
    this.#snapshotOf = snapshotOf;
  }

  override getSnapshot(): never {
    // XState's logic asks whether it was stopped.
    return this.#snapshotOf() as never;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * References to actors, as they stand in contexts, events and inputs.
 *
 * 1. A reference is an address, and nothing else: it can be stored, sent and kept for ever, and says nothing about whether the actor is alive.
 * 2. Within a step it can be sent to by `sendTo` and stopped by `stopChild`. Calling `send` on it is for what runs after the commit: custom
 *    actions and live children; it is refused elsewhere, since a step has no effects.
 * 3. References are recognised by a mark, not by their class: XState's own actor objects carry it too while a step makes them.
 */
import { type Address, formatAddress, parseAddress } from "./address.ts";
import { TerminalError } from "./errors.ts";

const mark = Symbol.for("statewright.reference");

/** What a reference leads to: an actor, or whoever has a system id in the tree of a root. */
export type ReferenceTarget =
  | {
      readonly actor: Address;
      /** The name of a child with its parent; the address of a root. */
      readonly id: string;
      /** The generation of a child: a later child of the same name is another actor. */
      readonly n?: number;
    }
  | { readonly root: Address; readonly system: string };

/** Takes an event that something which runs after the commit sends through a reference. */
export type ReferencePort = (to: ReferenceTarget, event: { readonly type: string }) => void;

let port: ReferencePort | undefined;

/** Runs something in which references can be sent to. */
export function withPort<R>(taken: ReferencePort, run: () => R): R {
  const before = port;
  port = taken;
  try {
    return run();
  } finally {
    port = before;
  }
}

/** Returns what a value refers to; undefined when it is no reference. */
export function targetOf(value: unknown): ReferenceTarget | undefined {
  return typeof value === "object" && value !== null ? (value as { [mark]?: ReferenceTarget })[mark] : undefined;
}

/** Makes an object of another library count as a reference. */
export function markReference(object: object, target: ReferenceTarget): void {
  Object.defineProperty(object, mark, { value: target, enumerable: false });
}

/** A reference to an actor, in the form in which XState takes one. */
export class ActorReference {
  readonly [mark]: ReferenceTarget;

  constructor(target: ReferenceTarget) {
    this[mark] = target;
  }

  get id(): string {
    const target = this[mark];
    return "actor" in target ? target.id : target.system;
  }
  /** The address, `type/id`. */
  get sessionId(): string {
    const target = this[mark];
    return "actor" in target ? formatAddress(target.actor) : `${formatAddress(target.root)}#${target.system}`;
  }

  get ref(): this {
    return this;
  }

  send(event: { readonly type: string }): void {
    if (port === undefined) {
      throw new TerminalError(
        `Cannot send ${JSON.stringify(event?.type)} to ${this.sessionId} here: within a step use sendTo, and outside of one a client.`,
        { details: { actor: this.sessionId } },
      );
    }
    port(this[mark], event);
  }

  getSnapshot(): never {
    throw this.#refusal("read the snapshot of", "use onSnapshot of its parent, or a client");
  }
  subscribe(): never {
    throw this.#refusal("subscribe to", "use onSnapshot of its parent, or a client's watch");
  }
  on(): never {
    throw this.#refusal("listen to", "use a client's on");
  }

  toJSON(): unknown {
    return toStoredReference(this[mark]);
  }

  #refusal(attempt: string, instead: string): TerminalError {
    return new TerminalError(
      `Cannot ${attempt} ${this.sessionId}: it is an actor of its own, whose state is not at hand. Instead ${instead}.`,
      { details: { actor: this.sessionId } },
    );
  }
}

/** What a reference is stored as. */
export function toStoredReference(target: ReferenceTarget): Record<string, unknown> {
  if ("system" in target) return { root: formatAddress(target.root), system: target.system };
  return {
    actor: formatAddress(target.actor),
    id: target.id,
    ...(target.n === undefined ? {} : { n: target.n }),
  };
}

/** Reads what {@link toStoredReference} wrote; undefined for anything else. */
export function fromStoredReference(stored: unknown): ActorReference | undefined {
  if (typeof stored !== "object" || stored === null) return undefined;
  const { actor, id, n, root, system } = stored as Record<string, unknown>;
  try {
    if (typeof root === "string" && typeof system === "string") {
      return new ActorReference({ root: parseAddress(root), system });
    }
    if (typeof actor !== "string" || typeof id !== "string" || (n !== undefined && typeof n !== "number")) {
      return undefined;
    }
    return new ActorReference({ actor: parseAddress(actor), id, ...(n === undefined ? {} : { n }) });
  } catch {
    return undefined;
  }
}

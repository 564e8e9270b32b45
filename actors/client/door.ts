/**
 * The door: what is checked before anything is sent.
 *
 * 1. What the door refuses has not left the process. What it lets through may still be refused by a node, which knows the type better.
 * 2. With a definition at hand its schema decides, and the event travels as it was given: the node applies the schema's defaults and transformations.
 * 3. Without one the space's registry decides. It is read once, and again when it does not know a type or an event.
 */
import { type Address, formatAddress, isChildAddress } from "../../runtime/core/address.ts";
import { fromStored, toStored } from "../../runtime/core/codec.ts";
import { type Envelope, isReservedEvent, type StoredEvent } from "../../runtime/core/envelope.ts";
import {
  ActorNotFoundError,
  InvalidEventError,
  InvalidOptionsError,
  PayloadTooLargeError,
  UnknownActorTypeError,
} from "../../runtime/core/errors.ts";
import { listed, nearestName, shown } from "../../runtime/supervise/check-options.ts";
import type { ActorRef, AnyActorDefinition } from "../define-actor.ts";
import { type ResolvedTarget, resolveTarget, type UntypedTarget } from "../references.ts";
import type { ActorTypes } from "./actor-types.ts";
import type { ClientContext } from "./context.ts";
import type { Content, Outgoing } from "./outgoing.ts";

/** What a record leaves free for headers, and for what redriving a letter adds to its message. */
const marginBytes = 2048;

/** Checks targets, events, inputs and sizes. */
export class Door {
  readonly #definitions: ReadonlyMap<string, AnyActorDefinition>;
  readonly #types: ActorTypes;
  readonly #allowUnknownTypes: boolean;
  readonly #maxBytes: number;

  constructor(
    context: ClientContext,
    types: ActorTypes,
    definitions: ReadonlyMap<string, AnyActorDefinition>,
    allowUnknownTypes: boolean,
  ) {
    this.#types = types;
    this.#definitions = definitions;
    this.#allowUnknownTypes = allowUnknownTypes;
    // Its node may have to move it to CORE.
    const { ingressLimits, log } = context;
    this.#maxBytes = Math.min(ingressLimits.maxRecordBytes, log.limits.maxRecordBytes) - marginBytes;
  }

  /** Reads a target, with the definition that the client knows for its type. */
  target(target: ActorRef | UntypedTarget): ResolvedTarget {
    const { address, definition } = resolveTarget(target);
    return { address, definition: definition ?? this.#definitions.get(address.type) };
  }

  /** Checks that keys are remembered, when there is one. Errors: `InvalidOptionsError`. */
  key({ address, definition }: ResolvedTarget, key: string | undefined): void {
    if (key === undefined || definition?.delivery !== "at-most-once") return;
    throw new InvalidOptionsError(
      `Cannot send to ${formatAddress(address)} with the key ${shown(key)}: actors with delivery "at-most-once" remember no keys. Leave it out; a message is never applied twice.`,
      { details: { actor: formatAddress(address), key } },
    );
  }

  /** Reads a target of which something is stored. Errors: `ActorNotFoundError`. */
  stored(target: ActorRef | UntypedTarget): ResolvedTarget {
    const resolved = this.target(target);
    if (resolved.definition?.delivery !== "at-most-once") return resolved;
    const actor = formatAddress(resolved.address);
    throw new ActorNotFoundError(
      `Cannot read ${actor}: nothing is stored of actors with delivery "at-most-once". Ask it, or listen to what it emits.`,
      { details: { actor } },
    );
  }

  /** Checks an event and encodes it. Errors: `InvalidEventError`, `NotStorableError`. */
  event({ address, definition }: ResolvedTarget, event: unknown): Content {
    const attempted = `Cannot send ${shownEvent(event)} to ${formatAddress(address)}`;
    if (definition !== undefined) {
      const checked = definition.checkEvent(event);
      if ("reason" in checked) throw refused(`${attempted}: ${checked.problems.join("; ")}.`, address, event, checked);
    }
    if (!isEvent(event)) {
      throw refused(`${attempted}: an event is an object with a non-empty string as its "type".`, address, event);
    }
    if (isReservedEvent(event.type)) {
      throw refused(
        `${attempted}: "*" and types that begin with "xstate." or "statewright." are reserved for the runtime.`,
        address,
        event,
        { reason: "reserved" },
      );
    }
    const stored = toStored(event, "event") as StoredEvent;
    if (typeof stored.type !== "string") {
      throw refused(`${attempted}: an event cannot have a field "~", which marks encoded values.`, address, event);
    }
    return { kind: "event", event: stored };
  }

  /** Checks the input of a `create` and encodes it. Errors: `InvalidEventError`, `NotStorableError`. */
  input({ address, definition }: ResolvedTarget, input: unknown): Content {
    const checked = definition?.checkInput(input);
    if (checked !== undefined && "reason" in checked) {
      throw new InvalidEventError(`Cannot create ${formatAddress(address)}: ${checked.problems.join("; ")}.`, {
        details: { actor: formatAddress(address), ...checked },
      });
    }
    return { kind: "create", input: toStored(input, "input") };
  }

  /** Errors: `PayloadTooLargeError`. */
  size(message: Outgoing): void {
    if (message.data.length <= this.#maxBytes) return;
    throw new PayloadTooLargeError(
      `Cannot send a message of ${message.data.length} bytes to ${formatAddress(message.to)}: at most ${this.#maxBytes} fit into one. Keep large content elsewhere, and send what finds it.`,
      {
        details: { actor: formatAddress(message.to), sizeBytes: message.data.length, limitBytes: this.#maxBytes },
      },
    );
  }

  /**
   * Checks that nodes take the message, as far as the registry tells. `known`: they do. `waiting`: the registry has to be read, and `then` is
   * called afterwards, in the order of the calls, with the reason to refuse the message or with undefined.
   */
  registered(
    { address, definition }: ResolvedTarget,
    content: Content,
    then: (error: unknown) => void,
  ): "known" | "waiting" {
    if (definition !== undefined || this.#allowUnknownTypes) return "known";
    if (!this.#types.isLoading && this.#refusal(address, content) === undefined) return "known";
    this.#types.load().then(
      () => then(this.#refusal(address, content)),
      (error: unknown) => then(this.#refusal(address, content) === undefined ? undefined : error),
    );
    return "waiting";
  }

  /** As {@link Door.registered}: resolves when nodes take the message, and rejects with the reason when they do not. */
  whenRegistered(target: ResolvedTarget, content: Content): Promise<void> {
    return new Promise((resolve, reject) => {
      const then = (error: unknown): void => (error === undefined ? resolve() : reject(error));
      if (this.registered(target, content, then) === "known") resolve();
    });
  }

  /** What the definition that the client has says against a message of a letter; undefined when there is none. */
  problemsWith(to: Address, { kind, event, input }: Envelope): readonly string[] | undefined {
    const definition = this.#definitions.get(to.type);
    if (definition === undefined || isChildAddress(to)) return undefined;
    const checked =
      kind === "create" ? definition.checkInput(fromStored(input)) : definition.checkEvent(fromStored(event));
    return "reason" in checked ? checked.problems : [];
  }

  #refusal(address: Address, content: Content): Error | undefined {
    const { known } = this.#types;
    const info = known.get(address.type);
    if (info === undefined) {
      const near = nearestName(address.type, [...known.keys()]);
      const what =
        known.size === 0
          ? "no node has registered any type in this space yet. Start a node that runs it"
          : near === undefined
            ? `no node has registered it; the space knows ${listed([...known.keys()].sort())}. Start a node that runs it`
            : `no node has registered it: did you mean "${near}"? If not, start a node that runs it`;
      return new UnknownActorTypeError(
        `Cannot send to ${formatAddress(address)}: ${what}, or create the client with allowUnknownTypes to send ahead of it.`,
        { details: { actor: formatAddress(address), type: address.type, known: [...known.keys()] } },
      );
    }
    if (content.kind !== "event" || info.events === undefined || info.events.includes(content.event.type))
      return undefined;
    const near = nearestName(content.event.type, info.events);
    const instead = near === undefined ? `; it takes ${listed(info.events)}.` : `: did you mean "${near}"?`;
    return refused(
      `Cannot send ${shownEvent(content.event)} to ${formatAddress(address)}: actor type "${address.type}" takes no such event${instead}`,
      address,
      content.event,
    );
  }
}

function isEvent(event: unknown): event is { readonly type: string } {
  return (
    typeof event === "object" &&
    event !== null &&
    !Array.isArray(event) &&
    typeof (event as { type?: unknown }).type === "string" &&
    (event as { type: string }).type !== ""
  );
}

function shownEvent(event: unknown): string {
  return isEvent(event) ? `event ${shown(event.type)}` : shown(event);
}

function refused(
  message: string,
  address: Address,
  event: unknown,
  why: { readonly reason: string; readonly problems?: readonly string[] } = { reason: "schema" },
): InvalidEventError {
  return new InvalidEventError(message, {
    details: { actor: formatAddress(address), ...(isEvent(event) ? { event: event.type } : {}), ...why },
  });
}

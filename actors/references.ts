/** References: how a call says which actor it means. */
import { type Address, makeAddress, parseAddress } from "../runtime/core/address.ts";
import { InvalidNameError } from "../runtime/core/errors.ts";
import type { ActorRef, AnyActorDefinition } from "./define-actor.ts";

/** What calls take for an actor whose definition is not at hand: `"type/id"` (the id may hold slashes), or a plain address. */
export type UntypedTarget = string | (Address & { readonly definition?: undefined });

/** What a target says: where to, and the definition that it carries, if any. */
export interface ResolvedTarget {
  readonly address: Address;
  readonly definition: AnyActorDefinition | undefined;
}

/** Reads a target given by a caller. Errors: `InvalidNameError` for anything that is no usable address. */
export function resolveTarget(target: ActorRef | UntypedTarget): ResolvedTarget {
  if (typeof target === "string") return { address: parseAddress(target), definition: undefined };
  if (typeof target !== "object" || target === null) {
    throw new InvalidNameError(
      `Cannot use ${String(target)} as an actor: give a reference, { type, id }, or "type/id".`,
      { details: { target } },
    );
  }
  const { definition } = target;
  const isFitting = definition?.type === target.type && typeof definition.checkEvent === "function";
  return { address: makeAddress(target.type, target.id), definition: isFitting ? definition : undefined };
}

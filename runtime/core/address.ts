/** Actor addresses: a type and an id, written `type/id`, and the partition they belong to. */
import { InvalidNameError } from "./errors.ts";
import { checkType, toToken } from "./names.ts";

/** Where a message goes: an actor type and the id of one actor of that type. */
export interface Address {
  readonly type: string;
  /** Any non-empty Unicode string of at most 256 bytes. */
  readonly id: string;
}

/** Returns the address after checking both parts; throws `InvalidNameError`. */
export function makeAddress(type: string, id: string): Address {
  checkType(type);
  toToken(id, "an actor id");
  return { type, id };
}

/** Writes an address as `type/id`. */
export function formatAddress(address: Address): string {
  return `${address.type}/${address.id}`;
}

/** Reads `type/id` (the id may itself hold slashes); throws `InvalidNameError`. */
export function parseAddress(text: string): Address {
  const slash = typeof text === "string" ? text.indexOf("/") : -1;
  if (slash < 1) {
    throw new InvalidNameError(
      `Cannot read ${JSON.stringify(text)} as an actor address: it must look like "type/id".`,
      {
        details: { address: text },
      },
    );
  }
  return makeAddress(text.slice(0, slash), text.slice(slash + 1));
}

const encoder = new TextEncoder();

/**
 * Returns the partition of an actor: FNV-1a over `type/id` in UTF-8 with a final mix, modulo the number of partitions.
 *
 * Part of the stored format: every client and node of a space must compute the same number for ever.
 */
export function partitionOf(address: Address, partitions: number): number {
  let hash = 0x811c9dc5;
  for (const byte of encoder.encode(`${address.type}/${address.id}`)) hash = Math.imul(hash ^ byte, 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return (hash >>> 0) % partitions;
}

/**
 * Actor addresses: a type and an id, written `type/id`, and the partition they belong to.
 *
 * A child actor's address is its parent's with the child's name behind it: `order/42/~payment`, and below that `order/42/~payment/~fraud`. A child has its
 * root's type and partition.
 */
import { InvalidNameError } from "./errors.ts";
import { checkType, childMark, toToken } from "./names.ts";

/** Where a message goes: an actor type and the id of one actor of that type. */
export interface Address {
  readonly type: string;
  /** Any non-empty Unicode string of at most 256 bytes. */
  readonly id: string;
}

/** Returns the address after checking both parts; throws `InvalidNameError`. */
export function makeAddress(type: string, id: string): Address {
  checkType(type);
  toToken(id);
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

/** Returns the address of an actor's child with the given name; throws `InvalidNameError` when it is too long. */
export function childAddress(parent: Address, name: string): Address {
  const id = `${parent.id}${childMark}${name.replaceAll("%", "%25").replaceAll("/", "%2F")}`;
  toToken(id);
  return { type: parent.type, id };
}

/** True for the address of a child actor. */
export function isChildAddress(address: Address): boolean {
  return address.id.includes(childMark);
}

/** The address at the top of a child's tree; the address itself when it is no child's. */
export function rootOf(address: Address): Address {
  const mark = address.id.indexOf(childMark);
  return mark < 0 ? address : { type: address.type, id: address.id.slice(0, mark) };
}

/** True when both addresses name the same actor. */
export function isSameAddress(one: Address, other: Address): boolean {
  return one.id === other.id && one.type === other.type;
}

const encoder = new TextEncoder();

/**
 * Returns the partition of an actor: FNV-1a over `type/id` of its root in UTF-8 with a final mix, modulo the number of partitions.
 *
 * Part of the stored format: every client and node of a space must compute the same number for ever.
 */
export function partitionOf(address: Address, partitions: number): number {
  let hash = 0x811c9dc5;
  const { type, id } = rootOf(address);
  for (const byte of encoder.encode(`${type}/${id}`)) hash = Math.imul(hash ^ byte, 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return (hash >>> 0) % partitions;
}

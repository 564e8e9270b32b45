/**
 * Names and how they become subject tokens: the only way a name enters a subject.
 *
 * 1. Encoding is injective: two ids never share a token, and a token decodes to exactly one id.
 * 2. A token holds only `A-Z a-z 0-9 - _` and `=XX` escapes: no dot, wildcard, space or control character can get in.
 */
import { InvalidNameError } from "./errors.ts";

/** Longest id, key or topic in bytes of UTF-8. */
export const maxNameBytes = 256;

/** Longest id of a child actor, which holds the ids of all above it. */
const maxPathBytes = 1024;

/** Stands in a child actor's id between its parent's id and its own name. */
export const childMark = "/~";

const typePattern = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
const spacePattern = /^[a-z][a-z0-9-]{0,31}$/;
const plainToken = /^[A-Za-z0-9_-]+$/;
const anId = "an actor id";
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Returns the actor type when it is a valid name; throws {@link InvalidNameError} otherwise. */
export function checkType(type: string): string {
  if (typeof type !== "string" || !typePattern.test(type)) {
    throw new InvalidNameError(
      `Cannot use ${quote(type)} as an actor type: it must start with a letter and hold at most 64 letters, digits, "-" or "_".`,
      { details: { type } },
    );
  }
  return type;
}

/** Returns the activity name when it can be given to an activity; throws {@link InvalidNameError} otherwise. */
export function checkActivityName(name: string): string {
  if (typeof name !== "string" || !typePattern.test(name)) {
    throw new InvalidNameError(
      `Cannot use ${quote(name)} as an activity name: it must start with a letter and hold at most 64 letters, digits, "-" or "_".`,
      { details: { name } },
    );
  }
  return name;
}

/** Returns the space name when it is valid; throws {@link InvalidNameError} otherwise. */
export function checkSpace(space: string): string {
  if (typeof space !== "string" || !spacePattern.test(space)) {
    throw new InvalidNameError(
      `Cannot use ${quote(space)} as a space name: it must start with a lower-case letter and hold at most 32 lower-case letters, digits or "-".`,
      { details: { space } },
    );
  }
  return space;
}

/**
 * Encodes any non-empty Unicode string of at most {@link maxNameBytes} bytes as one subject token.
 *
 * Details: `what` names the value in the message. Without it, it is an actor's id, and that of a child may have 1024 bytes. (A subject that holds an id
 * and another name must stay within 4096 bytes: for more, the server ends the connection.)
 *
 * Errors: {@link InvalidNameError} for an empty string, a lone surrogate, or more than the allowed bytes.
 */
export function toToken(name: string, what?: string): string {
  if (typeof name !== "string" || name.length === 0) {
    throw new InvalidNameError(`Cannot use ${quote(name)} as ${what ?? anId}: it must be a non-empty string.`, {
      details: { name },
    });
  }
  if (name.length <= maxNameBytes && plainToken.test(name)) return name;
  if (!name.isWellFormed()) {
    throw new InvalidNameError(
      `Cannot use ${quote(name)} as ${what ?? anId}: it holds a lone surrogate, which has no UTF-8 form.`,
      {
        details: { name },
      },
    );
  }
  const bytes = encoder.encode(name);
  const limit = what === undefined && name.includes(childMark) ? maxPathBytes : maxNameBytes;
  if (bytes.length > limit) {
    throw new InvalidNameError(
      `Cannot use ${quote(name)} as ${what ?? anId}: it has ${bytes.length} bytes of UTF-8, at most ${limit} are allowed.`,
      { details: { sizeBytes: bytes.length } },
    );
  }
  let token = "";
  for (const byte of bytes) {
    const isPlain =
      (byte >= 48 && byte <= 57) ||
      (byte >= 65 && byte <= 90) ||
      (byte >= 97 && byte <= 122) ||
      byte === 45 ||
      byte === 95;
    token += isPlain ? String.fromCharCode(byte) : `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return token;
}

/** Decodes a token made by {@link toToken}; returns undefined for anything that {@link toToken} does not produce. */
export function fromToken(token: string): string | undefined {
  if (plainToken.test(token)) return token.length <= maxNameBytes ? token : undefined;
  const bytes: number[] = [];
  for (let i = 0; i < token.length; i++) {
    if (token[i] !== "=") {
      bytes.push(token.charCodeAt(i));
      continue;
    }
    const hex = token.slice(i + 1, i + 3);
    if (!/^[0-9A-F]{2}$/.test(hex)) return undefined;
    bytes.push(Number.parseInt(hex, 16));
    i += 2;
  }
  try {
    const name = decoder.decode(Uint8Array.from(bytes));
    return toToken(name) === token ? name : undefined;
  } catch {
    return undefined;
  }
}

function quote(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

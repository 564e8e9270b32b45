/** Digests of inputs: by them it is told whether a workflow was started with the same input, without keeping the input. */
import { createHash } from "node:crypto";
import { toStored } from "./codec.ts";

/** Returns the digest of an input as it is given. Two that differ only in the order of their fields have the same. Errors: `NotStorableError`. */
export function inputDigest(input: unknown): string {
  return digestOfStored(input === undefined ? undefined : toStored(input, "input"));
}

/** Returns the digest of an input that is encoded for storage. */
export function digestOfStored(stored: unknown): string {
  return createHash("sha256")
    .update(stored === undefined ? "" : JSON.stringify(ordered(stored)))
    .digest("base64url")
    .slice(0, 22);
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, each]) => each !== undefined)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, each]) => [key, ordered(each)]),
  );
}

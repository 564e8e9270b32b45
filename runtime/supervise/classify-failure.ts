/** What an error thrown while a message is handled says about trying again. */

/** `transient`: the retry policy decides. `terminal`: trying again cannot help, the message is dead-lettered now. */
export type FailureClass = "transient" | "terminal";

// The machine asks for it, or the same message on the same state fails in the same way for ever.
const terminalTags: ReadonlySet<string> = new Set([
  "TerminalError",
  "NotStorableError",
  "PayloadTooLargeError",
  "CorruptRecordError",
  "InvalidEventError",
  "InvalidNameError",
  "InvalidDefinitionError",
  "ActivityValueError",
  "ActivityLostError",
]);

/**
 * Classifies anything thrown.
 *
 * Details: Goes by `_tag`, so an error made by another copy of the package, or revived from JSON, is classified as well. Whatever is not known
 * here, a plain `Error` or a thrown string, is `transient`.
 */
export function classifyFailure(error: unknown): FailureClass {
  const tag = tagOf(error);
  return tag !== undefined && terminalTags.has(tag) ? "terminal" : "transient";
}

/** True when the machine itself asks for another attempt, by throwing a `RetryableError`. */
export function asksForRetry(error: unknown): boolean {
  return tagOf(error) === "RetryableError";
}

/** Returns the delay that a `RetryableError` asks for, in milliseconds, or undefined when the policy's delay holds. */
export function requestedDelayMs(error: unknown): number | undefined {
  if (!asksForRetry(error)) return undefined;
  const delayMs = (error as { retryAfterMs?: unknown }).retryAfterMs;
  return typeof delayMs === "number" && Number.isFinite(delayMs) && delayMs >= 0 ? Math.round(delayMs) : undefined;
}

function tagOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const tag = (error as { _tag?: unknown })._tag;
  return typeof tag === "string" ? tag : undefined;
}

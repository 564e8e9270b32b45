/** Inputs of activities that bring an idempotency key of their own. */
import { TerminalError } from "../core/errors.ts";

const keyedKey = Symbol.for("statewright.keyed");

/**
 * As the input of an invoked activity: the handler's `idempotencyKey` is made of the actor's address and this key, and not of the invocation. It is the same
 * whenever the actor asks for the work again under the key.
 *
 * Details: `key` is 1 to 150 letters, digits, `.`, `-`, `_` or `=`, not digits alone.
 *
 * Errors: `TerminalError` for any other key.
 */
export function withIdempotencyKey<Input>(key: string, input: Input): Input {
  if (typeof key !== "string" || !/^(?!\d+$)[A-Za-z0-9._=-]{1,150}$/.test(key)) {
    throw new TerminalError(
      `Cannot use ${JSON.stringify(key)} as an idempotency key: it must hold 1 to 150 letters, digits, ".", "-", "_" or "=", and not digits alone.`,
      { details: { key } },
    );
  }
  // The runtime takes it apart before anybody sees it.
  return { [keyedKey]: true, key, input } as never;
}

/** Takes an input apart. */
export function unkeyed(given: unknown): { readonly input: unknown; readonly key: string | undefined } {
  if (typeof given !== "object" || given === null || (given as Record<symbol, unknown>)[keyedKey] !== true)
    return { input: given, key: undefined };
  const { key, input } = given as unknown as { readonly key: string; readonly input: unknown };
  return { input, key };
}

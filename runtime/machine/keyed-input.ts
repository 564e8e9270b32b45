/** Inputs of activities that bring an idempotency key of their own. */

const keyedKey = Symbol.for("statewright.keyed");

/**
 * As the input of an invoked activity: the handler's `idempotencyKey` is made of the actor's address and this key, and not of the invocation. It is the same
 * whenever the actor asks for the work again under the key.
 *
 * Details: `key` is at most 100 letters, digits, `.`, `-`, `_` or `=`.
 */
export function withIdempotencyKey<Input>(key: string, input: Input): Input {
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

/**
 * Outputs that end an actor otherwise than with a result: `fail` and `continueAs`.
 *
 * They are the output of a machine that has come to its final state, at its top: what they say becomes part of the same commit.
 */

const failKey = Symbol.for("statewright.fail");
const continueKey = Symbol.for("statewright.continue");

/**
 * As a machine's output: the actor ends with status `error` and this error, as if its machine had failed. A parent gets it as `onError`.
 *
 * ```ts
 * output: ({ context }) => (context.paid ? { receipt: context.receipt } : fail(new Error("not paid")))
 * ```
 */
export function fail(error: unknown): never {
  // Never a value of the output's type: what is returned is taken by the runtime, and seen by nobody else.
  return { [failKey]: true, error } as never;
}

/**
 * As a machine's output: the actor does not end, and begins anew with another input, with the same address, under the same mailbox, with no trace of the state before.
 * For work without an end, whose context would grow for ever.
 *
 * Details: children, timers and activities of the state before end. The input is checked by the schema of the definition.
 */
export function continueAs(input: unknown): never {
  return { [continueKey]: true, input } as never;
}

/** What `fail` says; undefined for any other output. */
export function failureOf(output: unknown): { readonly error: unknown } | undefined {
  return isMarked(output, failKey) ? (output as { readonly error: unknown }) : undefined;
}

/** What `continueAs` says; undefined for any other output. */
export function continuationOf(output: unknown): { readonly input: unknown } | undefined {
  return isMarked(output, continueKey) ? (output as { readonly input: unknown }) : undefined;
}

function isMarked(output: unknown, key: symbol): boolean {
  return typeof output === "object" && output !== null && (output as Record<symbol, unknown>)[key] === true;
}

/**
 * One attempt of an activity: calls the handler, and says how it ended.
 *
 * 1. The attempt always comes to an end, whatever the handler does: one that does not return after its signal was aborted is given up.
 * 2. What comes from a handler that was given up is dropped.
 */
import { ActivityTimeoutError, ActivityValueError } from "../core/errors.ts";
import type { Time } from "../core/time.ts";
import type { AttemptArgs, RunnableActivity } from "./definition.ts";

/** How long a handler has to return after its signal was aborted. */
const graceMs = 1000;

/** How an attempt ended. */
export type AttemptEnd =
  | { readonly kind: "done"; readonly output: unknown }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "timed-out"; readonly error: ActivityTimeoutError }
  /** The signal from outside was aborted, and nothing came of the attempt. */
  | { readonly kind: "aborted" };

/**
 * Runs an attempt; never rejects.
 *
 * Details: `args.input` has been checked. When `args.signal` is aborted, the handler's is, with the same reason; what the handler still returns within the
 * grace counts.
 */
export async function runAttempt(activity: RunnableActivity, args: AttemptArgs, time: Time): Promise<AttemptEnd> {
  const controller = new AbortController();
  const { signal } = controller;
  const outer = args.signal;
  let timeout: ActivityTimeoutError | undefined;

  const handler = attempt(() => activity.run({ ...args, signal })).then(
    (output) => checkedOutput(activity, output),
    (error): AttemptEnd => ({ kind: "failed", error }),
  );
  const end = await new Promise<AttemptEnd>((resolve) => {
    const cancels: Array<() => void> = [];
    const settle = (ended: AttemptEnd): void => {
      for (const cancel of cancels) cancel();
      resolve(ended);
    };
    const abort = (reason: unknown): void => {
      if (signal.aborted) return;
      controller.abort(reason);
      cancels.push(time.after(graceMs, () => settle({ kind: "aborted" })));
    };
    const { attemptTimeoutMs } = activity;
    if (attemptTimeoutMs !== undefined) {
      cancels.push(
        time.after(attemptTimeoutMs, () => {
          timeout = tooLate(activity.name, args.attempt, attemptTimeoutMs);
          abort(timeout);
        }),
      );
    }
    const onAbort = (): void => abort(outer.reason);
    outer.addEventListener("abort", onAbort);
    cancels.push(() => outer.removeEventListener("abort", onAbort));
    if (outer.aborted) onAbort();
    void handler.then(settle);
  });
  if (timeout !== undefined && !outer.aborted) return { kind: "timed-out", error: timeout };
  // What a handler throws when it is told to stop says nothing about its work.
  return end.kind === "failed" && signal.aborted ? { kind: "aborted" } : end;
}

function tooLate(activity: string, attempt: number, timeoutMs: number): ActivityTimeoutError {
  return new ActivityTimeoutError(
    `Attempt ${attempt} of activity "${activity}" did not end within ${timeoutMs} ms: it was given up.`,
    { details: { activity, attempt, timeoutMs } },
  );
}

async function attempt(run: () => unknown): Promise<unknown> {
  return run();
}

function checkedOutput(activity: RunnableActivity, output: unknown): AttemptEnd {
  try {
    const checked = activity.checkOutput(output);
    if (!("problems" in checked)) return { kind: "done", output: checked.output };
    return { kind: "failed", error: refusedValue(activity.name, "what it returned", checked.problems) };
  } catch (error) {
    return { kind: "failed", error };
  }
}

/** The error for a value that a schema of an activity refuses. */
export function refusedValue(activity: string, what: string, problems: readonly string[]): ActivityValueError {
  return new ActivityValueError(
    `Activity "${activity}" cannot go on: ${what} was refused by its schema: ${problems.join("; ")}.`,
    { details: { activity, problems } },
  );
}

/**
 * Waits: calls that resolve when an actor's committed state fulfils a condition.
 *
 * 1. The current state counts: a condition that holds already resolves at once.
 * 2. Every committed state record is looked at, also those that are replaced soon after. What a commit passes through between two messages that it
 *    holds together is not seen.
 */
import { type Address, formatAddress } from "../../runtime/core/address.ts";
import { InvalidOptionsError, WaitTimeoutError } from "../../runtime/core/errors.ts";
import { shown } from "../../runtime/supervise/check-options.ts";
import type { ActorView } from "../view.ts";
import { onAbort } from "./aborts.ts";
import { type ClientContext, stoppedError } from "./context.ts";
import { Deadlines } from "./deadlines.ts";
import { StateReaders } from "./state-reader.ts";

/** What `waitFor` waits for: a predicate, a tag, a state value or path (matched as XState's `matches` does), or the machine's end. */
export type WaitCondition<Context = unknown> =
  | ((view: ActorView<Context>) => boolean)
  | { readonly tag: string }
  | { readonly value: string | object }
  | "done";

interface Waiting {
  readonly address: Address;
  readonly deadlineMs: number;
  readonly timeoutMs: number;
  readonly inWords: string;
  readonly reject: (error: unknown) => void;
  last: ActorView | undefined;
  leave: () => void;
}

/** Waits that are pending. */
export class Waits {
  readonly #context: ClientContext;
  readonly #readers: StateReaders;
  readonly #pending: Deadlines<Waiting>;

  constructor(context: ClientContext) {
    this.#context = context;
    this.#readers = new StateReaders(context);
    this.#pending = new Deadlines(context.time, (waiting) => {
      waiting.leave();
      waiting.reject(timedOut(waiting));
    });
  }

  /** How many readers are open. */
  get readers(): number {
    return this.#readers.size;
  }

  /** Errors: `WaitTimeoutError`; what the predicate throws; the signal's reason; `SystemStoppedError`; what the reader fails with. */
  wait(
    address: Address,
    condition: WaitCondition<never>,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<ActorView> {
    const { holds, inWords } = readCondition(condition);
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      const deadlineMs = this.#context.time.elapsed() + timeoutMs;
      const waiting: Waiting = { address, deadlineMs, timeoutMs, inWords, reject, last: undefined, leave: () => {} };
      let isOpen = true;
      let leaveReader: (() => void) | undefined;
      waiting.leave = () => {
        isOpen = false;
        this.#pending.delete(waiting);
        unlisten?.();
        leaveReader?.();
      };
      const settle = (tell: () => void) => {
        if (!isOpen) return;
        waiting.leave();
        tell();
      };
      const unlisten = signal && onAbort(signal, () => settle(() => reject(signal.reason)));
      this.#pending.add(waiting);
      leaveReader = this.#readers.join(address, {
        onView: (view) => {
          waiting.last = view;
          try {
            if (holds(view)) settle(() => resolve(view));
          } catch (error) {
            settle(() => reject(error));
          }
        },
        onError: (error) => settle(() => reject(error)),
      });
      // The first view may have come, and have settled it, while joining.
      if (!isOpen) leaveReader();
    });
  }

  /** Rejects all waits. */
  stop(): void {
    for (const waiting of [...this.#pending]) {
      waiting.leave();
      waiting.reject(stoppedError(`wait for ${formatAddress(waiting.address)}`));
    }
    this.#pending.clear();
  }
}

function readCondition(condition: WaitCondition<never>): {
  readonly holds: (view: ActorView) => boolean;
  readonly inWords: string;
} {
  if (condition === "done") return { holds: (view) => view.status === "done", inWords: "to be done" };
  if (typeof condition === "function") {
    // The caller knows the context of the actor that it waits for: that is what the cast repeats.
    const predicate = condition as (view: ActorView) => boolean;
    return { holds: (view) => predicate(view) === true, inWords: "to fulfil the predicate" };
  }
  if (typeof condition === "object" && condition !== null) {
    if ("tag" in condition && typeof condition.tag === "string") {
      return { holds: (view) => view.hasTag(condition.tag), inWords: `to have the tag ${shown(condition.tag)}` };
    }
    if ("value" in condition && (typeof condition.value === "string" || typeof condition.value === "object")) {
      return { holds: (view) => view.matches(condition.value), inWords: `to be in state ${shown(condition.value)}` };
    }
  }
  throw new InvalidOptionsError(
    `Cannot wait for ${shown(condition)}: use a predicate, { tag: "…" }, { value: … } or "done".`,
    { details: { condition } },
  );
}

function timedOut({ address, timeoutMs, inWords, last }: Waiting): WaitTimeoutError {
  const actor = formatAddress(address);
  const seen =
    last === undefined
      ? "it has no committed state"
      : `it was last seen in state ${shown(last.value)}, ${last.status}, at revision ${last.revision}`;
  return new WaitTimeoutError(`Cannot wait any longer for ${actor} ${inWords}: after ${timeoutMs} ms ${seen}.`, {
    details: { actor, timeoutMs, value: last?.value, status: last?.status, revision: last?.revision },
  });
}

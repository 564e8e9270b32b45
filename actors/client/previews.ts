/** Previews as their readers see them: decoded, and with the places in which the state would change. */
import type { Address } from "../../runtime/core/address.ts";
import { fromStored } from "../../runtime/core/codec.ts";
import type { PreviewedFailure, PreviewedState, PreviewedWork, PreviewResult } from "../../runtime/core/queries.ts";
import type { Outcome, StoredSnapshot } from "../../runtime/core/records.ts";
import { type Difference, differing } from "../../runtime/engine/differences.ts";
import { ActorView } from "../view.ts";

/** What a message would do to an actor; nothing of it was done. */
export interface Preview {
  readonly to: Address;
  /** When it was looked at, by the node's clock, milliseconds since 1970. */
  readonly at: number;
  /** The version of the machine that decided, or its fingerprint where it has none. */
  readonly version: string;
  /** What would become of the message; undefined when it would fail. */
  readonly outcome: Outcome | undefined;
  /** The actor as it is now; undefined while it does not exist. */
  readonly before: ActorView | undefined;
  /** The actor as it would be; undefined when the message would fail, or there would still be no actor. */
  readonly after: ActorView | undefined;
  /** Where the two differ, at most 20 places: `status`, `value`, `context.items[3].price`, `children`, … */
  readonly changes: readonly Difference[];
  /** What else would be done, in order; events and inputs are decoded. */
  readonly work: readonly PreviewedWork[];
  /** What the machine would answer to an `ask`. */
  readonly reply: unknown;
  /** Why it would fail, and whether another attempt would follow. */
  readonly failed: PreviewedFailure | undefined;
  /** The letter by which the actor is parked: the message would have to wait. */
  readonly parkedBy: string | undefined;
  /**
   * What was left out of the answer, since it was too large for one: `work`, or the contexts of the state `before` and `after`. What was left out is
   * not among the changes.
   */
  readonly cut: readonly string[];
}

/** Decodes what a node has answered. */
export function previewFrom(to: Address, result: PreviewResult): Preview {
  const { at, version, before, done, failed, parkedBy, cut = [] } = result;
  return {
    to,
    at,
    version,
    outcome: done?.outcome,
    before: viewOf(to, before, at),
    after: done === undefined ? undefined : viewOf(to, done.after, at),
    changes: done === undefined ? [] : changesOf(before, done.after, cut),
    work: (done?.work ?? []).map(decodedWork),
    reply: fromStored(done?.reply),
    failed,
    parkedBy,
    cut,
  };
}

function viewOf(address: Address, { status, revision, snapshot }: PreviewedState, at: number): ActorView | undefined {
  return snapshot === undefined ? undefined : new ActorView({ address, revision, status, snapshot, at });
}

function changesOf(before: PreviewedState, after: PreviewedState, cut: readonly string[]): Difference[] {
  const parts = cut.some((part) => part === "before" || part === "after") ? ["value"] : shownParts;
  const of = ({ snapshot }: PreviewedState) =>
    Object.fromEntries(
      parts.flatMap((part) => {
        const value = snapshot?.[part as keyof StoredSnapshot];
        return value === undefined ? [] : [[part, value]];
      }),
    );
  return [...differing("status", before.status, after.status), ...differing("", of(before), of(after))];
}

const shownParts = ["value", "context", "output", "error", "tags", "children", "timers"];

function decodedWork(work: PreviewedWork): PreviewedWork {
  return {
    ...work,
    ...("event" in work && typeof work.event === "object" ? { event: fromStored(work.event) } : {}),
    ...("input" in work ? { input: fromStored(work.input) } : {}),
  } as PreviewedWork;
}

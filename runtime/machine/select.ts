/**
 * Selects the transition of one state node, in place of XState's own `StateNode.next`.
 *
 * It selects the same transition, and differs in three things: an error thrown by a guard arrives as the very instance (XState throws another error with its
 * text); the transitions found for event types that only a wildcard matches are remembered in bounded number (XState keeps one entry for every event type it ever
 * met, which whoever sends events could grow without end); and it is faster.
 */
import { type AnyStateNode, and } from "xstate";

type Args = { readonly context: unknown; readonly event: { readonly type: string } };
type Check = (snapshot: object, args: Args) => boolean;

interface Candidate {
  /** Undefined: always. */
  readonly check: Check | undefined;
  /** The transition, in the list that XState wants. */
  readonly selected: readonly object[];
}

interface TransitionLike {
  readonly guard?: unknown;
}

const none: readonly Candidate[] = [];
const maxRemembered = 200;

/** Makes a state node select its transitions with {@link Selector}. */
export function installSelector(node: AnyStateNode): void {
  const selector = new Selector(node.transitions);
  // `next` is internal to XState and not in its types.
  (node as unknown as { next: Selector["next"] }).next = (snapshot, event) => selector.next(snapshot, event);
}

class Selector {
  /** By exact event type; wildcards that match it too come after. */
  readonly #exact = new Map<string, readonly Candidate[]>();
  /** For event types without an exact descriptor. */
  readonly #remembered = new Map<string, readonly Candidate[]>();
  readonly #wildcards: ReadonlyArray<readonly [descriptor: string, candidates: readonly Candidate[]]>;

  constructor(transitions: ReadonlyMap<string, readonly TransitionLike[]>) {
    const all = [...transitions].map(([descriptor, list]) => [descriptor, list.map(toCandidate)] as const);
    this.#wildcards = all
      .filter(([descriptor]) => descriptor === "*" || descriptor.endsWith(".*"))
      .sort(([one], [other]) => other.length - one.length);
    for (const [descriptor, candidates] of all) {
      this.#exact.set(descriptor, [...candidates, ...this.#matching(descriptor, descriptor)]);
    }
  }

  next(snapshot: { readonly context: unknown }, event: { readonly type: string }): readonly object[] | undefined {
    for (const { check, selected } of this.#candidates(event.type)) {
      if (check === undefined || check(snapshot, { context: snapshot.context, event })) return selected;
    }
    return undefined;
  }

  #candidates(eventType: string): readonly Candidate[] {
    const exact = this.#exact.get(eventType);
    if (exact !== undefined) return exact;
    if (this.#wildcards.length === 0) return none;
    let candidates = this.#remembered.get(eventType);
    if (candidates === undefined) {
      candidates = this.#matching(eventType, undefined);
      if (this.#remembered.size >= maxRemembered) this.#remembered.clear();
      this.#remembered.set(eventType, candidates);
    }
    return candidates;
  }

  #matching(eventType: string, except: string | undefined): readonly Candidate[] {
    return this.#wildcards.flatMap(([descriptor, candidates]) =>
      descriptor !== except && matches(eventType, descriptor) ? candidates : [],
    );
  }
}

/** True when a wildcard descriptor (`*`, `payment.*`) matches an event type: `payment.*` matches `payment`, `payment.failed` and `payment.card.failed`. */
function matches(eventType: string, descriptor: string): boolean {
  if (descriptor === "*") return true;
  const tokens = eventType.split(".");
  const wanted = descriptor.split(".");
  // A star anywhere but at the end matches nothing.
  return wanted.every((token, index) => (token === "*" ? index === wanted.length - 1 : token === tokens[index]));
}

function toCandidate(transition: TransitionLike): Candidate {
  const selected = Object.freeze([transition]);
  const { guard } = transition;
  if (!guard) return { check: undefined, selected };
  if (typeof guard === "function" && !("check" in guard)) {
    return { check: (_, args) => (guard as (args: Args, params: undefined) => boolean)(args, undefined), selected };
  }
  // XState does not export its evaluation of guards, but `and` of a single guard is just that.
  const single = and([guard as never]) as unknown as {
    check: (snapshot: object, args: Args, self: unknown) => boolean;
  };
  return { check: (snapshot, args) => single.check(snapshot, args, single), selected };
}

/**
 * The shape of a machine: its state tree as plain data, stored with the actor type, so that a later start can say in words what has changed.
 *
 * Names of state nodes are their way from the root, as in `order.paying.card`; a dot in a key is written `\.`. Everything is in the order of its names, so that
 * the same tree always has the same JSON.
 */
import type { MachineIdentity } from "./records.ts";

/** The state tree of a machine. */
export interface MachineShape {
  /** By name. */
  readonly states: Readonly<Record<string, StateShape>>;
  /** Actor logic that the machine names, by that name; `null` when it is no machine. */
  readonly actors?: Readonly<Record<string, ActorShape | null>>;
  /** How many states there are beyond those listed, which are the first ones by name: a shape is of bounded size. */
  readonly leftOut?: number;
}

/** A machine among the actor logic of another one; without `shape` where that would be too large, or is described around it already. */
export interface ActorShape {
  readonly machine: MachineIdentity;
  readonly shape?: MachineShape;
}

/** One state node. */
export interface StateShape {
  /** Absent: atomic. */
  readonly type?: "compound" | "parallel" | "final" | "history";
  /** Where it is not the name. */
  readonly id?: string;
  /** Names of the initial states of a compound state. */
  readonly initial?: readonly string[];
  readonly history?: "shallow" | "deep";
  /** Where a history state leads to while nothing is remembered, as the machine writes it. */
  readonly fallback?: readonly string[];
  /** By event descriptor, in the order in which they are tried. */
  readonly on?: Readonly<Record<string, readonly TransitionShape[]>>;
  /** By delay: milliseconds or a name. */
  readonly after?: Readonly<Record<string, readonly TransitionShape[]>>;
  readonly always?: readonly TransitionShape[];
  readonly invoke?: ReadonlyArray<{ readonly id: string; readonly src: string }>;
}

/** One transition. */
export interface TransitionShape {
  /** Names of its targets; absent: it stays where it is. */
  readonly to?: readonly string[];
  readonly reenter?: true;
}

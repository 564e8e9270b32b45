/** A machine's state in memory: XState's snapshot, and what Statewright keeps beside it. */
import type { Birth } from "../core/envelope.ts";
import type { FailureSeries, StoredChild, StoredRun, StoredTask, StoredTimer } from "../core/records.ts";
import type { MachineEvent, MachineState } from "./driver.ts";

/** A child, as its parent knows it. */
export interface Child {
  readonly kind: StoredChild["kind"];
  readonly src: string;
  readonly n: number;
  readonly systemId: string | undefined;
  readonly sync: boolean;
  /** It has come to its end by itself. */
  readonly ended: boolean;
  /** For activities and live children that have not ended. */
  readonly input: unknown;
  readonly task: StoredTask | undefined;
  /** For the kind `ask`. */
  readonly asked: StoredChild["asked"];
}

/** A timer that is set. */
export interface Timer {
  readonly at: number;
  readonly id: string | undefined;
  readonly event: MachineEvent | undefined;
  readonly to: StoredTimer["to"];
  readonly task: StoredTimer["task"];
}

/** What is needed to begin a child again. */
export interface Restart {
  /** What it began with, encoded for storage: the machine may have kept what it was given, and changed it. */
  readonly input: unknown;
  readonly series: FailureSeries | undefined;
  /** Set while the child has failed and waits to be begun again. */
  readonly timer: string | undefined;
}

/** Who has a system id, at a root. */
export interface Alias {
  readonly holder: string;
  readonly n: number;
}

/** What is kept beside the snapshot; shared between states where it does not change. */
export interface Surroundings {
  /** How many names were given to children and timers. */
  readonly n: number;
  readonly children: ReadonlyMap<string, Child>;
  readonly timers: ReadonlyMap<string, Timer>;
  readonly birth: Birth | undefined;
  /** Of a child that is begun again when it fails. */
  readonly restart: Restart | undefined;
  /** Of a workflow. */
  readonly run: StoredRun | undefined;
  readonly system: ReadonlyMap<string, Alias>;
}

/** The surroundings of an actor that has no children, no timers and no parent. */
export const noSurroundings: Surroundings = {
  n: 0,
  children: new Map(),
  timers: new Map(),
  birth: undefined,
  restart: undefined,
  run: undefined,
  system: new Map(),
};

/** What every snapshot of XState shows. */
export interface AnySnapshot {
  readonly status: "active" | "done" | "error" | "stopped";
  readonly output?: unknown;
  readonly error?: unknown;
}

/** A state; `Snapshot` is XState's snapshot of the logic. */
export class DurableState<Snapshot extends AnySnapshot> {
  readonly snapshot: Snapshot;
  readonly around: Surroundings;

  constructor(snapshot: Snapshot, around: Surroundings) {
    this.snapshot = snapshot;
    this.around = around;
  }
}

// The two names of one thing: only drivers know what a machine state is.
export function asState<Snapshot extends AnySnapshot>(state: DurableState<Snapshot>): MachineState {
  return state as unknown as MachineState;
}

export function insideOf<Snapshot extends AnySnapshot>(state: MachineState): DurableState<Snapshot> {
  return state as unknown as DurableState<Snapshot>;
}

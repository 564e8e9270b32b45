/** An actor as the next message finds it. */
import type { Birth } from "../core/envelope.ts";
import type { ActorStatus, Cursor, Waiting } from "../core/records.ts";
import type { MachineState, Work } from "../machine/driver.ts";

/** An actor as the next message finds it: committed, or decided and not yet committed. */
export interface Head {
  readonly revision: number;
  readonly status: ActorStatus;
  readonly cursor: Cursor;
  readonly state: MachineState | undefined;
  readonly value: unknown;
  /** The stored snapshot as JSON; undefined while the actor is new. */
  readonly snapshotJson: string | undefined;
  /** Identity of the machine that made the snapshot, as JSON. */
  readonly machineJson: string | undefined;
  /** Of a child actor that was made. */
  readonly birth: Birth | undefined;
  /** What waits for it outside its mailbox. */
  readonly waiting: Waiting | undefined;
  /** Set while the state was brought here from another version, in memory alone: every decision commits it. */
  readonly migrated: MigratedHead | undefined;
}

/** What is stored of an actor whose state was brought to another version, and what has to be done with the commit of it. */
export interface MigratedHead {
  /** The state value as it is stored. */
  readonly value: unknown;
  /** True when the stored state has live children. */
  readonly wasLive: boolean;
  /** About its children and timers. */
  readonly work: readonly Work[];
}

/** The head of an actor that nothing is stored of. */
export const absentHead: Head = {
  revision: 0,
  status: "new",
  cursor: { ingress: 0, core: 0 },
  state: undefined,
  value: undefined,
  snapshotJson: undefined,
  machineJson: undefined,
  birth: undefined,
  waiting: undefined,
  migrated: undefined,
};

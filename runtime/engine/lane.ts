/**
 * A lane: the serial queue of one actor, and what is known of its state.
 *
 * 1. Deliveries are decided in the order in which they were read; a delivery that must wait holds back those behind it (I4).
 * 2. `head` may be ahead of the log; when a commit fails, everything decided on top of it is thrown away and decided again.
 * 3. A lane has at most one commit in flight.
 */
import type { Address } from "../core/address.ts";
import type { Cursor, KeyRecord, Outcome, StateRecord } from "../core/records.ts";
import type { StreamName } from "../core/subjects.ts";
import type { LiveChild } from "../machine/driver.ts";
import type { Decision } from "./decision.ts";
import type { RunnableDefinition } from "./definition.ts";
import type { Delivery } from "./delivery.ts";
import { absentHead, type Head } from "./head.ts";
import { driverOf } from "./logic-of.ts";
import { migrationsFor, useStored } from "./migration.ts";

/** Where a lane stands. `cold`: state not loaded. `waiting`: its first delivery waits for a retry. `parked`: its stored state cannot be used. */
export type LanePhase = "cold" | "loading" | "ready" | "waiting" | "parked" | "closed";

/** What a partition keeps per actor while it is in memory. */
export class Lane {
  /** What the partition knows the lane by. */
  readonly name: string;
  readonly address: Address;
  readonly partition: number;
  /** Subject of the state record: the fence. */
  readonly subject: string;
  readonly definition: RunnableDefinition | undefined;
  /** There is no state record: the actor lives here, as long as the lane does. */
  readonly isVolatile: boolean;

  phase: LanePhase = "cold";
  /** Sequence of the committed state record; 0: none. */
  seq = 0;
  head: Head = absentHead;
  /** What the log is known to hold of the actor. */
  committed: Cursor = absentHead.cursor;
  queue: Delivery[] = [];
  /** Decided and not yet handed to the log. */
  decided: Decision[] = [];
  /** Handed to the log and not settled. */
  inFlight: Decision[] = [];
  /** Answers of uncommitted messages by idempotency key. */
  readonly pendingKeys = new Map<string, string>();
  /** Sequences per stream that were read and not kept, because the lane holds enough: read again later, in order. */
  readonly overflow: Record<StreamName, number[]> = { ingress: [], core: [] };
  refilling = false;
  /** True while the state was loaded without its machine, for a message that ends the process when it is handled. */
  isBare = false;
  /** True while the state is to be loaded again, with its machine or without, as soon as nothing of the lane is under way. */
  isReloadDue = false;
  /** Timers that were due while the actor took nothing: they are queued again when it does. */
  aside: Delivery[] = [];
  /** Messages that failed and wait for another attempt, as long as they are in memory. */
  readonly kept = new Map<number, Delivery>();
  /** Of messages that wait: those whose key the log has, by number. It refused to have them applied. */
  readonly duplicates = new Map<number, KeyRecord>();
  /** In the phase `waiting`: until the next attempt of a message that holds the others. */
  isHeld = false;
  /** In the phase `waiting`: until those that stand in line have been read. */
  isLineWanted = false;
  /** While those that stand in line are being read. */
  isLineRead = false;
  cancelTimer: (() => void) | undefined;
  /** True while the lane stands in the committer's list. */
  isDirty = false;
  /** True while the lane stands in the dispatcher's list. */
  isReady = false;

  constructor(
    name: string,
    address: Address,
    partition: number,
    subject: string,
    definition: RunnableDefinition | undefined,
  ) {
    this.name = name;
    this.address = address;
    this.partition = partition;
    this.subject = subject;
    this.definition = definition;
    this.isVolatile = definition?.delivery === "at-most-once";
  }

  /** Nothing to do and nothing under way: the lane may be forgotten. */
  get isIdle(): boolean {
    return (
      this.queue.length === 0 &&
      this.aside.length === 0 &&
      this.decided.length === 0 &&
      this.inFlight.length === 0 &&
      this.overflow.ingress.length === 0 &&
      this.overflow.core.length === 0 &&
      !this.refilling &&
      (this.phase === "ready" || this.phase === "cold")
    );
  }

  /** Roughly what the lane costs while it is idle. */
  get cachedBytes(): number {
    return 1024 + (this.head.snapshotJson?.length ?? 0) * 4;
  }

  /** The live children that its state wants. */
  get live(): readonly LiveChild[] {
    const { state, birth } = this.head;
    return state === undefined || this.definition === undefined ? [] : driverOf(this.definition, birth).live(state);
  }

  /** The partition was lost while something was under way. */
  get isClosed(): boolean {
    return this.phase === "closed";
  }

  /** Takes over the loaded state, brought to the version of the machine; throws `MigrationError` and `CorruptRecordError` when it cannot be used. */
  load(seq: number, record: StateRecord | undefined, now: number): void {
    this.isBare = this.queue[0]?.verdict?.reason === "crashed";
    const definition = this.isBare ? undefined : this.definition;
    this.head = record === undefined ? absentHead : headOf(this.address, record, definition, now);
    this.committed = this.head.cursor;
    this.seq = seq;
    this.phase = "ready";
  }

  /** Restores the machine state from its encoded form: what a failing step may have changed in memory is gone. */
  refreshHead(): void {
    const { snapshotJson, status, birth } = this.head;
    if (snapshotJson === undefined || this.definition === undefined || status === "new") return;
    const state = driverOf(this.definition, birth).fromStored(JSON.parse(snapshotJson), status);
    this.head = { ...this.head, state };
  }

  /** Adds a decision on top of the head. */
  push(decision: Decision): void {
    this.head = decision.head;
    this.decided.push(decision);
    const { key, answerJson } = decision;
    if (key !== undefined && answerJson !== undefined && isFirst(decision)) this.pendingKeys.set(key, answerJson);
  }

  /** The commit in flight is in the log; returns what it held. */
  confirm(seq: number): Decision[] {
    const confirmed = this.inFlight;
    this.inFlight = [];
    this.seq = seq;
    this.committed = (confirmed[confirmed.length - 1] as Decision).head.cursor;
    for (const decision of confirmed) {
      // One that failed says nothing about a later one with its key, which may be uncommitted yet.
      if (decision.key !== undefined && isFirst(decision)) this.pendingKeys.delete(decision.key);
    }
    return confirmed;
  }

  /** The commit in flight was not made and the fence still stands: its decisions wait for the next one. */
  putBack(): void {
    this.decided = this.inFlight.concat(this.decided);
    this.inFlight = [];
  }

  /** Throws away all that is not committed; the deliveries stand in the queue again and the state must be loaded. */
  invalidate(): void {
    const undone = [...this.inFlight, ...this.decided].map((decision) => decision.delivery);
    this.queue = undone.concat(this.queue);
    for (const delivery of this.queue) delivery.isKeyNew = false;
    this.kept.clear();
    this.isHeld = false;
    this.isLineWanted = false;
    this.isLineRead = false;
    this.inFlight = [];
    this.decided = [];
    this.pendingKeys.clear();
    this.isBare = false;
    this.isReloadDue = false;
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.head = absentHead;
    this.committed = absentHead.cursor;
    this.seq = 0;
    if (this.phase !== "closed") this.phase = "cold";
  }

  /** Lets go of everything; what is in flight is settled by whoever looks at the log next. */
  close(): void {
    this.phase = "closed";
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.queue = [];
    this.aside = [];
    this.decided = [];
  }
}

/** True where the key of a message counts as applied from now on. What died was not applied: the next one with its key is tried. */
function isFirst({ outcome }: Decision): boolean {
  return isHandled(outcome) && outcome !== "duplicate";
}

/** False for the outcomes after which a message is tried again, or may be. */
function isHandled(outcome: Outcome): boolean {
  return outcome !== "dead" && outcome !== "failed" && outcome !== "waiting";
}

/** The head that a stored state makes, brought to the version of the machine; throws as {@link Lane.load}. */
export function headOf(
  address: Address,
  record: StateRecord,
  definition: RunnableDefinition | undefined,
  now: number,
): Head {
  const { revision, status, cursor, machine, snapshot, waiting } = record;
  const snapshotJson = snapshot === undefined ? undefined : JSON.stringify(snapshot);
  const birth = snapshot?.birth;
  const stored: Head = {
    revision,
    status,
    cursor,
    state: undefined,
    value: snapshot?.value,
    birth,
    snapshotJson,
    machineJson: machine === undefined ? undefined : JSON.stringify(machine),
    waiting,
    migrated: undefined,
  };
  if (snapshotJson === undefined || definition === undefined || status === "new") return stored;
  const driver = driverOf(definition, birth);
  const migrations = migrationsFor(definition.migrations, birth?.src ?? []);
  const { state, migrated } = useStored(driver, migrations, { address, status, machine, snapshotJson }, now);
  if (migrated === undefined) return { ...stored, state };
  const wasLive = Object.values(snapshot?.children ?? {}).some(({ kind, ended }) => kind === "live" && ended !== true);
  return {
    ...stored,
    state,
    value: driver.view(state).value,
    snapshotJson: migrated.snapshotJson,
    migrated: { value: snapshot?.value, wasLive, work: migrated.work },
  };
}

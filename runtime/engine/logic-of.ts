/** Which logic an actor runs: its type's machine, or, for a child, what its ancestors' machines name. */
import type { Birth } from "../core/envelope.ts";
import { CorruptRecordError } from "../core/errors.ts";
import type { StoredSnapshot, StoredTimer } from "../core/records.ts";
import type { MachineDriver } from "../machine/driver.ts";
import type { RunnableDefinition } from "./definition.ts";
import type { Head } from "./head.ts";
import { hasWaitingTimer, isWaitingTimer } from "./waiting.ts";

/**
 * The driver of an actor.
 *
 * *Errors* `CorruptRecordError` when the definition has no logic for the child (any more): its state stays, and waits for a definition that has.
 */
export function driverOf(definition: RunnableDefinition, birth: Birth | undefined): MachineDriver {
  let { driver } = definition;
  for (const name of birth?.src ?? []) {
    const logic = driver.children.get(name);
    if (logic?.kind !== "actor") {
      throw new CorruptRecordError(
        `Actor type "${definition.type}" has no logic "${birth?.src.join(".")}" for a child actor (any more). Bring it back, or stop its parent.`,
        { details: { type: definition.type, src: birth?.src } },
      );
    }
    driver = logic.driver;
  }
  return driver;
}

/** True while a timer of the actor is set; false without a definition, which nothing can be said without. */
export function hasTimer(definition: RunnableDefinition | undefined, head: Head, timer: string): boolean {
  const { state, birth, waiting } = head;
  if (isWaitingTimer(timer)) return hasWaitingTimer(waiting, timer);
  return definition !== undefined && state !== undefined && driverOf(definition, birth).hasTimer(state, timer);
}

/** A timer as the stored state has it: for a machine that is not to be loaded. */
export function storedTimer({ snapshotJson }: Head, timer: string): StoredTimer | undefined {
  if (snapshotJson === undefined) return undefined;
  const { timers } = JSON.parse(snapshotJson) as StoredSnapshot;
  return timers !== undefined && Object.hasOwn(timers, timer) ? timers[timer] : undefined;
}

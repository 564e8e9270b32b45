/** Looks through the stored states of an actor type: of which versions they are, and what the machine at hand would make of them. */
import { type Address, formatAddress, partitionOf } from "../runtime/core/address.ts";
import { isStatewrightError, type MigrationError } from "../runtime/core/errors.ts";
import { decodeRecord, type StateRecord } from "../runtime/core/records.ts";
import type { Subjects } from "../runtime/core/subjects.ts";
import { driverOf } from "../runtime/engine/logic-of.ts";
import { migrationsFor, unversioned, useStored } from "../runtime/engine/migration.ts";
import type { Log, LogRecord } from "../runtime/log/log.ts";
import type { AnyActorDefinition } from "./define-actor.ts";

/**
 * Where an actor stands. `current`: at the machine's version. `behind`: a migration leads from its version, and works. `fits`: none does, and the
 * state fits as it is. `fails`: the actor would be parked.
 */
export type Standing = "current" | "behind" | "fits" | "fails";

/** One actor in a survey. */
export interface SurveyedActor {
  /** `type/id`; children are among them. */
  readonly actor: string;
  /** Version of its state, `none` for none. */
  readonly from: string;
  /** Version of the machine at hand. */
  readonly to: string;
  readonly standing: Standing;
  /** Why, for `fails`. */
  readonly problem: string | undefined;
}

/** Where a definition's actors are to be looked for. */
export interface SurveyedSpace {
  readonly log: Log;
  readonly subjects: Subjects;
}

/** Goes over the newest states of a definition's actors. Migrations are applied to copies; nothing is written. Rejects with `LogUnavailableError`. */
export async function* surveyVersions(
  { log, subjects }: SurveyedSpace,
  definition: AnyActorDefinition,
  now: number,
): AsyncGenerator<SurveyedActor> {
  for await (const record of log.scan("core", subjects.states(definition.type), { lastPerSubject: true })) {
    const surveyed = survey(subjects, definition, record, now);
    if (surveyed !== undefined) yield surveyed;
  }
}

/** The version of an actor's newest state, `none` for none; undefined when there is no state. Rejects with `LogUnavailableError`. */
export async function storedVersion(
  { log, subjects }: SurveyedSpace,
  partitions: number,
  address: Address,
): Promise<string | undefined> {
  const record = await log.last("core", subjects.state(partitionOf(address, partitions), address));
  if (record === undefined) return undefined;
  const { machine } = decodeRecord<StateRecord>(`the state of ${formatAddress(address)}`, record.data);
  return machine?.version ?? unversioned;
}

function survey(
  subjects: Subjects,
  definition: AnyActorDefinition,
  record: LogRecord,
  now: number,
): SurveyedActor | undefined {
  const address = subjects.parseRecord(record.subject)?.address;
  if (address === undefined) return undefined;
  const actor = formatAddress(address);
  let from = "?";
  let to = definition.driver.identity.version ?? unversioned;
  try {
    const { status, machine, snapshot } = decodeRecord<StateRecord>(`the state of ${actor}`, record.data);
    // Only dead letters so far: there is no state that could be of a version.
    if (status === "new" || snapshot === undefined) return undefined;
    from = machine?.version ?? unversioned;
    const src = snapshot.birth?.src ?? [];
    const driver = driverOf(definition, snapshot.birth);
    to = driver.identity.version ?? unversioned;
    const given = { address, status, machine, snapshotJson: JSON.stringify(snapshot) };
    const { migrated } = useStored(driver, migrationsFor(definition.migrations, src), given, now);
    const standing = migrated !== undefined ? "behind" : from === to ? "current" : "fits";
    return { actor, from, to, standing, problem: undefined };
  } catch (error) {
    if (!isStatewrightError(error)) throw error;
    return { actor, from, to, standing: "fails", problem: (error as MigrationError).message };
  }
}

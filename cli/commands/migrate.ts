/**
 * `statewright migrate`: brings the stored states of actors to the version of the machines in modules, all at once.
 *
 * 1. The migrations are applied here first, to copies. What fails here is told and not sent: its actor would be parked.
 * 2. The nodes do the work, in the order of each actor's messages. They must run the version that the modules have.
 */
import type { AnyActorDefinition } from "../../actors/define-actor.ts";
import { type SurveyedActor, storedVersion, surveyVersions } from "../../actors/version-survey.ts";
import { parseAddress } from "../../runtime/core/address.ts";
import { isStatewrightError, MigrationError } from "../../runtime/core/errors.ts";
import { unversioned } from "../../runtime/engine/migration.ts";
import { chooseActors } from "../chosen-actors.ts";
import type { ConnectionFlags } from "../connection-flags.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { messageOf, tellFailure } from "../failure.ts";
import { type OpenSpace, withSpace } from "../open-client.ts";
import { type Kind, type OutputFormat, printList } from "../printer.ts";
import { type Io, printable, type Style } from "../terminal.ts";

/** What the options of `migrate` hold. */
export interface MigrateFlags extends ConnectionFlags {
  readonly output: OutputFormat;
  readonly type?: string;
  readonly dryRun?: boolean;
  readonly timeout: number;
}

/** What became of an actor, or would. */
type Result = "current" | "fits" | "would migrate" | "would fail" | "migrated" | "failed" | "left";

/** Actors of one version that all fared alike. */
interface Group {
  readonly type: string;
  readonly from: string;
  readonly to: string;
  readonly result: Result;
  actors: number;
  readonly problems: Array<{ readonly actor: string; readonly problem: string }>;
}

const meanings: Readonly<Record<Result, (group: Group) => string>> = {
  current: () => "up to date",
  fits: () => "no migration, and the state fits as it is",
  "would migrate": ({ to }) => `would be migrated to ${to}`,
  "would fail": () => "would fail",
  migrated: ({ to }) => `migrated to ${to}`,
  failed: () => "failed",
  left: () => "left alone: its node runs another version",
};

const styles: Readonly<Record<Result, Style | undefined>> = {
  current: "dim",
  fits: "yellow",
  "would migrate": "green",
  "would fail": "red",
  migrated: "green",
  failed: "red",
  left: "red",
};

const groupKind: Kind<Group> = {
  id: ({ type, from }) => `${type} ${from}`,
  json: ({ type, from, to, result, actors, problems }) => ({ type, from, to, result, actors, problems }),
  columns: [
    { header: "type", cell: ({ type }) => type, isFlexible: true },
    { header: "version", cell: ({ from }) => from },
    { header: "actors", cell: ({ actors }) => String(actors) },
    { header: "result", cell: (group) => meanings[group.result](group), style: ({ result }) => styles[result] },
  ],
};

/** How many migrations may be under way at once. */
const maxUnderWay = 200;
/** How many failures are kept of one group, and how many are told beside the table. */
const maxKept = 1000;
const maxTold = 10;

/** Migrates the actors of the modules' types, or says what would become of them. */
export async function migrate(modules: readonly string[], flags: MigrateFlags, io: Io): Promise<ExitCode> {
  const definitions = await chooseActors(modules, flags.type, io.cwd);
  return withSpace(flags, io, async (space) => {
    const groups = new Groups();
    for (const definition of definitions) {
      if (flags.dryRun !== true) await checkNodes(space, definition);
      await migrateType(space, definition, flags, groups, io);
    }
    return tell(groups, flags, io);
  });
}

class Groups {
  readonly #groups = new Map<string, Group>();

  get all(): Group[] {
    return [...this.#groups.values()].sort(
      (a, b) => compare(a.type, b.type) || compare(a.from, b.from) || compare(a.result, b.result),
    );
  }

  add(type: string, { actor, from, to }: SurveyedActor, result: Result, problem?: string): void {
    const name = JSON.stringify([type, from, to, result]);
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { type, from, to, result, actors: 0, problems: [] };
      this.#groups.set(name, group);
    }
    group.actors++;
    if (problem !== undefined && group.problems.length < maxKept) group.problems.push({ actor, problem });
  }

  count(...results: readonly Result[]): number {
    return this.all.reduce((sum, { result, actors }) => (results.includes(result) ? sum + actors : sum), 0);
  }
}

function compare(one: string, other: string): number {
  return one.localeCompare(other, "en", { numeric: true });
}

/** Nodes that run another version would answer, and do nothing. Errors: `MigrationError`. */
async function checkNodes({ client }: OpenSpace, { type, driver }: AnyActorDefinition): Promise<void> {
  const registered = (await client.types()).find((info) => info.type === type);
  if (registered === undefined) return;
  const [running, wanted] = [registered.machine.version ?? unversioned, driver.identity.version ?? unversioned];
  if (running === wanted) return;
  throw new MigrationError(
    `Cannot migrate actors of type "${type}": the node that was started last runs version ${running} of its machine, the modules have version ${wanted}. Start nodes with version ${wanted} first; --dry-run says what they will do.`,
    { details: { type, running, wanted } },
  );
}

async function migrateType(
  space: OpenSpace,
  definition: AnyActorDefinition,
  flags: MigrateFlags,
  groups: Groups,
  io: Io,
): Promise<void> {
  const { type } = definition;
  const underWay = new Set<Promise<void>>();
  for await (const actor of surveyVersions(space, definition, Date.now())) {
    if (actor.standing === "fails")
      groups.add(type, actor, flags.dryRun === true ? "would fail" : "failed", actor.problem);
    else if (actor.standing !== "behind") groups.add(type, actor, actor.standing);
    else if (flags.dryRun === true) {
      if (flags.output === "ids") io.out.write(`${printable(actor.actor)}\n`);
      groups.add(type, actor, "would migrate");
    } else {
      const run = migrateOne(space, type, actor, flags, groups, io).finally(() => underWay.delete(run));
      underWay.add(run);
      if (underWay.size >= maxUnderWay) await Promise.race(underWay);
    }
  }
  await Promise.all(underWay);
}

async function migrateOne(
  space: OpenSpace,
  type: string,
  actor: SurveyedActor,
  { timeout, output }: MigrateFlags,
  groups: Groups,
  io: Io,
): Promise<void> {
  try {
    const { migrated } = await space.client.migrate(actor.actor, { timeout });
    // Its own messages may have brought it along meanwhile: then there was nothing left to be done.
    const isDone = migrated || (await storedVersion(space, space.partitions, parseAddress(actor.actor))) === actor.to;
    if (!isDone) groups.add(type, actor, "left", "The node that owns it runs another version.");
    else {
      groups.add(type, actor, "migrated");
      if (output === "ids") io.out.write(`${printable(actor.actor)}\n`);
    }
  } catch (error) {
    if (!isStatewrightError(error)) throw error;
    groups.add(type, actor, "failed", messageOf(error));
  }
}

function tell(groups: Groups, flags: MigrateFlags, io: Io): ExitCode {
  const { all } = groups;
  if (flags.output !== "ids") printList(io.out, flags.output, groupKind, all);
  if (all.length === 0) io.err.write("There are no actors of these types in the space.\n");
  const failed = groups.count("failed", "left", "would fail");
  if (flags.output !== "json") {
    const problems = all.flatMap((group) => group.problems);
    for (const { problem } of problems.slice(0, maxTold))
      tellFailure(io.err, new Error(problem), { format: flags.output, isVerbose: false });
    const more = failed - Math.min(failed, maxTold);
    if (more > 0) io.err.write(`${more} more failed: -o json names them.\n`);
  }
  if (flags.dryRun === true) {
    const count = groups.count("would migrate");
    const fail = failed === 0 ? "" : `, ${failed} would fail`;
    io.err.write(
      `Dry run: ${count === 1 ? "1 actor" : `${count} actors`} would be migrated${fail}. Nothing was changed.\n`,
    );
  }
  return failed === 0 ? exitCodes.ok : exitCodes.failed;
}

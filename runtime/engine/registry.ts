/**
 * The registry of actor types: what nodes say they run, and what a node that starts finds changed since another one said so.
 *
 * What was started last is what the registry says. A machine of another shape under the same version is a warning, with the difference in words: nothing else
 * would tell, since its states are of no version that a migration could lead from.
 */
import { isStatewrightError } from "../core/errors.ts";
import {
  type ActorTypeRecord,
  decodeRecord,
  encodeRecord,
  type MachineIdentity,
  recordFormat,
} from "../core/records.ts";
import type { MachineShape } from "../core/shape.ts";
import { sleep } from "../core/time.ts";
import { describeChanges } from "../machine/shape-changes.ts";
import { backoffMs, type NodeContext } from "./context.ts";
import type { RunnableDefinition } from "./definition.ts";
import { identityWith, type Migrations, migrationsFor, unversioned } from "./migration.ts";
import type { NodeEvent } from "./telemetry.ts";

/** How many differences a line of the log names; its data has them all. */
const maxNamed = 8;

/** Says in the registry what the node runs, and tells what has changed. Rejects with `LogUnavailableError` when the log is not to be reached for long. */
export async function registerTypes(context: NodeContext): Promise<void> {
  const { log, subjects, definitions, time, random, telemetry } = context;
  const all = [...definitions.values()];
  const found = await patiently(context, () =>
    log.lastMany(
      "core",
      all.map((definition) => subjects.actorType(definition.type)),
    ),
  );
  for (const [i, definition] of all.entries()) {
    const record = recordOf(definition);
    const known = found[i] === undefined ? undefined : read(found[i].data);
    if (known !== undefined) {
      if (JSON.stringify(known) === JSON.stringify(record)) continue;
      for (const { level, name, message, data } of changesSince(known, definition)) {
        telemetry.tell(level, name, message, data);
      }
    }
    for (let attempt = 1; ; attempt++) {
      const result = await log.append("core", [
        { subject: subjects.actorType(definition.type), data: encodeRecord(record) },
      ]);
      if (result._tag === "Appended") break;
      await sleep(time, backoffMs(attempt, random));
    }
  }
}

function recordOf(definition: RunnableDefinition): ActorTypeRecord {
  const { type, driver, migrations, eventTypes, needsCreate } = definition;
  return {
    format: recordFormat,
    type,
    machine: identityWith(driver.identity, migrations?.own),
    shape: driver.shape,
    ...(eventTypes === undefined ? {} : { events: eventTypes }),
    needsCreate,
  };
}

/** What cannot be read is written anew. */
function read(data: Uint8Array): ActorTypeRecord | undefined {
  try {
    return decodeRecord<ActorTypeRecord>("an actor type", data);
  } catch {
    return undefined;
  }
}

/** Tries a read again a few times while the log is not to be reached. */
async function patiently<A>({ time, random }: NodeContext, read: () => Promise<A>): Promise<A> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await read();
    } catch (error) {
      if (attempt >= 5 || !isStatewrightError(error) || error._tag !== "LogUnavailableError") throw error;
      await sleep(time, backoffMs(attempt, random));
    }
  }
}

/** A machine as the registry has it. */
interface Registered {
  readonly machine: MachineIdentity;
  readonly shape: MachineShape | undefined;
}

/** What is to be told of a definition that is started after another one of its type was registered. */
export function changesSince(known: ActorTypeRecord, definition: RunnableDefinition): NodeEvent[] {
  const { type, driver, migrations } = definition;
  const now: Registered = { machine: driver.identity, shape: driver.shape };
  const before: Registered = { machine: known.machine, shape: known.shape };
  return compare(type, [], before, now, (path) => migrationsFor(migrations, path));
}

/** `path` leads to the machine of a child: names of actor logic, from the root's machine down. */
function compare(
  type: string,
  path: readonly string[],
  before: Registered,
  now: Registered,
  migrations: (path: readonly string[]) => Migrations | undefined,
): NodeEvent[] {
  const events: NodeEvent[] = [];
  const from = before.machine.version ?? unversioned;
  const to = now.machine.version ?? unversioned;
  const subject = { type, path, from, to, what: nameOf(type, path) };
  if (from !== to) events.push(otherVersion(subject, before.machine, migrations(path)));
  else if (before.machine.fingerprint !== now.machine.fingerprint) events.push(sameVersion(subject, before, now));
  const [were, are] = [before.shape?.actors ?? {}, now.shape?.actors ?? {}];
  for (const [name, child] of Object.entries(are)) {
    const was = Object.hasOwn(were, name) ? were[name] : undefined;
    if (child === null || was === null || was === undefined) continue;
    events.push(...compare(type, [...path, name], registered(was), registered(child), migrations));
  }
  return events;
}

function registered({
  machine,
  shape,
}: {
  readonly machine: MachineIdentity;
  readonly shape?: MachineShape;
}): Registered {
  return { machine, shape };
}

interface Subject {
  readonly type: string;
  readonly path: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly what: string;
}

function nameOf(type: string, path: readonly string[]): string {
  const children = path.map((name) => `child "${name}" of `).reverse();
  return `${children.join("")}actor type "${type}"`;
}

function sameVersion({ type, path, from, what }: Subject, before: Registered, now: Registered): NodeEvent {
  const differences =
    before.shape === undefined || now.shape === undefined ? undefined : describeChanges(before.shape, now.shape);
  const named = differences?.slice(0, maxNamed) ?? [];
  const more = (differences?.length ?? 0) - named.length;
  const said =
    differences === undefined
      ? "what is different is not known, since the space does not hold what it looked like"
      : named.length === 0
        ? "what is different is in a part that is not described"
        : `${named.join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
  const version = from === unversioned ? "it has no version" : `its version is still ${from}`;
  const migration = [...path.map((name) => `${name}: { `), `"${from}->${from === unversioned ? "1" : "…"}": … `].join(
    "",
  );
  return {
    level: "warn",
    name: "machine.changed",
    message:
      `The machine of ${what} has changed, and ${version}: ${said}. ` +
      "Its actors go on where their states fit the machine, and are parked where they do not. " +
      `Give the machine a ${from === unversioned ? "" : "new "}version and the definition a migration (migrate: { ${migration}}${" }".repeat(path.length)}), or see with "statewright check" what it does to the actors that there are.`,
    data: {
      type,
      ...(path.length === 0 ? {} : { child: path }),
      ...(from === unversioned ? {} : { version: from }),
      differences: differences ?? [],
    },
  };
}

function otherVersion(
  { type, path, from, to, what }: Subject,
  before: MachineIdentity,
  migrations: Migrations | undefined,
): NodeEvent {
  const data = { type, ...(path.length === 0 ? {} : { child: path }), from, to };
  const [was, is] = [versionInWords(from), versionInWords(to)];
  if (migrations?.chainFrom(from) !== undefined) {
    return {
      level: "info",
      name: "machine.version",
      message: `The machine of ${what} has ${is} now, it had ${was}. States are brought along with the next message of their actors, or all at once by "statewright migrate".`,
      data,
    };
  }
  if (before.supersedes?.includes(to) === true) {
    return {
      level: "warn",
      name: "machine.older",
      message: `This node runs the machine of ${what} with ${is}, and ${was}, which replaces it, was started before. Actors whose states have been brought to ${was} wait for a node that runs it.`,
      data,
    };
  }
  const fits = `There is no migration from ${was}: states that fit go on as they are, and the actors of others are parked.`;
  return isOlder(to, from)
    ? {
        level: "warn",
        name: "machine.older",
        message: `This node runs the machine of ${what} with ${is}, and ${was} was started before. ${fits}`,
        data,
      }
    : {
        level: "info",
        name: "machine.version",
        message: `The machine of ${what} has ${is} now, it had ${was}. ${fits}`,
        data,
      };
}

function versionInWords(version: string): string {
  return version === unversioned ? "no version" : `version ${version}`;
}

/** Compares versions as people number them: `2` before `10`, `1.9` before `1.10`, and none before any. */
function isOlder(one: string, other: string): boolean {
  if (one === unversioned || other === unversioned) return one === unversioned;
  return one.localeCompare(other, "en", { numeric: true }) < 0;
}

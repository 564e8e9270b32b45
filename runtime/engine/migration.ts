/**
 * Migrations: how the stored state of an older version of a machine becomes one of the version at hand.
 *
 * 1. They are applied in memory when a state is loaded. Nothing is written before a message of the actor is committed, in the same atomic write as what that
 *    message does: a crash in between only means that they are applied again.
 * 2. A migration gets a copy of its own and is trusted with nothing: what it returns is encoded, restored under the machine, and encoded again.
 * 3. A state that cannot be brought along is left as it is, and its actor is parked.
 * 4. A state that was brought along says which versions its own replaces, so that a node with one of these does not touch it.
 */
import { type Address, formatAddress } from "../core/address.ts";
import { fromStored, toStored } from "../core/codec.ts";
import { isStatewrightError, MigrationError } from "../core/errors.ts";
import type { ActorStatus, MachineIdentity, StoredChild, StoredSnapshot, StoredTimer } from "../core/records.ts";
import type { MachineDriver, MachineState, Work } from "../machine/driver.ts";
import { listed, nearestName, shown } from "../supervise/check-options.ts";

/** The word that stands for having no version in the key of a migration, as in `none->1`. */
export const unversioned = "none";

/** A child of an actor, as a migration sees it. */
export interface ChildToMigrate {
  readonly kind: StoredChild["kind"];
  /** The name of its logic in the old machine. */
  readonly src: string;
}

/** A timer of an actor, as a migration sees it. */
export interface TimerToMigrate {
  /** When it is due, milliseconds since 1970. */
  readonly at: number;
  /** The event that comes then; undefined for a timer of the runtime's own. That of `after` is `xstate.after.<delay>.<id of the state>`. */
  readonly event: { readonly type: string; readonly [field: string]: unknown } | undefined;
}

/** A stored state of an older version, decoded: a copy that the migration may change. */
export interface StateToMigrate<Context = Record<string, unknown>> {
  /** Id of the actor. */
  readonly id: string;
  /** Version of the state; `none` when its machine had no version. */
  readonly from: string;
  readonly to: string;
  readonly status: "active" | "done" | "error" | "stopped";
  /** The state value, as XState writes it. */
  value: unknown;
  context: Context;
  /** Ids of the states that history states remember, by id of the history state. */
  history: Record<string, string[]>;
  /** By id. One that is left out of the result is stopped. */
  children: Record<string, ChildToMigrate>;
  /** By name. One that is left out of the result does not fire; its event may be changed, when it is due may not. */
  timers: Record<string, TimerToMigrate>;
}

/** What a migration returns. What it leaves out (`history`, `children`, `timers`) stays as it was. */
export interface MigratedState {
  readonly value: unknown;
  readonly context: object;
  readonly history?: Readonly<Record<string, readonly string[]>>;
  readonly children?: Readonly<Record<string, ChildToMigrate>>;
  readonly timers?: Readonly<Record<string, TimerToMigrate>>;
}

/**
 * Turns a state of one version into one of the next: synchronously, and from nothing but its argument, since it may be applied more than once.
 *
 * A method in its type, so that the argument may be annotated with the context that the old version had: `(state: StateToMigrate<{ sum: number }>) => …`.
 */
export type Migration = { migrate(state: StateToMigrate): MigratedState }["migrate"];

/** One step of a chain. */
interface MigrationStep {
  readonly from: string;
  readonly to: string;
  readonly run: Migration;
}

/** The migrations of one machine, checked. */
export class Migrations {
  readonly #byFrom: ReadonlyMap<string, readonly MigrationStep[]>;
  /** The version that they all lead to. */
  readonly to: string;
  /** Every version from which they lead there. */
  readonly supersedes: readonly string[];
  readonly #chains = new Map<string, readonly MigrationStep[] | undefined>();

  constructor(to: string, steps: readonly MigrationStep[]) {
    this.to = to;
    const byFrom = new Map<string, MigrationStep[]>();
    for (const step of steps) byFrom.set(step.from, [...(byFrom.get(step.from) ?? []), step]);
    this.#byFrom = byFrom;
    this.supersedes = [...byFrom.keys()].filter((from) => from !== to && this.chainFrom(from) !== undefined).sort();
  }

  /** The shortest chain from a version, in the order of its steps; of equally short ones the first as they were given. Undefined when there is none. */
  chainFrom(version: string): readonly MigrationStep[] | undefined {
    if (this.#chains.has(version)) return this.#chains.get(version);
    const found = this.#search(version);
    // Versions come from stored records: only those that have a migration are worth remembering.
    if (this.#byFrom.has(version)) this.#chains.set(version, found);
    return found;
  }

  #search(version: string): readonly MigrationStep[] | undefined {
    const seen = new Set([version]);
    let ways: Array<{ readonly at: string; readonly steps: readonly MigrationStep[] }> = [{ at: version, steps: [] }];
    while (ways.length > 0) {
      const there = ways.find(({ at }) => at === this.to);
      if (there !== undefined) return there.steps;
      const next: typeof ways = [];
      for (const { at, steps } of ways) {
        for (const step of this.#byFrom.get(at) ?? []) {
          if (seen.has(step.to)) continue;
          seen.add(step.to);
          next.push({ at: step.to, steps: [...steps, step] });
        }
      }
      ways = next;
    }
    return undefined;
  }
}

/** The migrations of a machine and of the machines that it names as actors. */
export interface MigrationTree {
  readonly own: Migrations | undefined;
  /** By the name of the actor logic. */
  readonly children: ReadonlyMap<string, MigrationTree>;
}

/** What the door must know of a machine. */
export interface VersionedMachine {
  readonly version: string | undefined;
  /** The machines that it names as actors. */
  readonly children: ReadonlyMap<string, VersionedMachine>;
}

/** The migrations for the child that is found by these names of actor logic, from the root's machine down; for the root itself there are none. */
export function migrationsFor(tree: MigrationTree | undefined, src: readonly string[]): Migrations | undefined {
  return src.reduce<MigrationTree | undefined>((at, name) => at?.children.get(name), tree)?.own;
}

/** Who the machine is, as states that it writes say it: with the versions that it takes over. */
export function identityWith(identity: MachineIdentity, migrations: Migrations | undefined): MachineIdentity {
  return migrations === undefined ? identity : { ...identity, supersedes: migrations.supersedes };
}

/** Reads the `migrate` option of a definition; what is wrong with it is added to `problems`. */
export function readMigrations(
  migrate: unknown,
  machine: VersionedMachine,
  problems: string[],
  path = "migrate",
): MigrationTree | undefined {
  if (migrate === undefined) return undefined;
  if (typeof migrate !== "object" || migrate === null || Array.isArray(migrate)) {
    problems.push(
      `${path} is ${shown(migrate)}: use functions by the versions they lead from and to, as in { "1->2": … }`,
    );
    return undefined;
  }
  const steps: MigrationStep[] = [];
  const children = new Map<string, MigrationTree>();
  const before = problems.length;
  for (const [key, given] of Object.entries(migrate)) {
    const at = `${path}[${JSON.stringify(key)}]`;
    if (key.includes("->")) readStep(key, given, at, steps, problems);
    else if (typeof given !== "object") {
      problems.push(`${at} does not name two versions: use "from->to", as in "1->2" or "${unversioned}->1"`);
    } else {
      const child = machine.children.get(key);
      if (child === undefined) {
        const near = nearestName(key, [...machine.children.keys()]);
        problems.push(
          `${at} names no machine among the actors of the machine${near === undefined ? "" : `: did you mean "${near}"?`}`,
        );
      } else {
        const tree = readMigrations(given, child, problems, at);
        if (tree !== undefined) children.set(key, tree);
      }
    }
  }
  if (steps.length === 0) return { own: undefined, children };
  const { version } = machine;
  if (version === undefined) {
    problems.push(`${path} leads to versions, and the machine has none: give it one (version in createMachine)`);
  } else if (version === unversioned || version.includes("->") || version !== version.trim() || version === "") {
    problems.push(`the version ${shown(version)} of a machine cannot be named in ${path}: use another, such as "2"`);
  }
  if (problems.length > before || version === undefined) return undefined;
  const own = new Migrations(version, steps);
  for (const { from, to } of steps) {
    if (own.chainFrom(to) !== undefined) continue;
    problems.push(
      `${path}["${from}->${to}"] leads to version ${shown(to)}, from which nothing leads on to the machine's version ${shown(version)}`,
    );
  }
  return { own, children };
}

function readStep(key: string, run: unknown, at: string, steps: MigrationStep[], problems: string[]): void {
  const [from = "", to = "", ...more] = key.split("->").map((part) => part.trim());
  if (from === "" || to === "" || more.length > 0)
    problems.push(`${at} does not name two versions: use "from->to", as in "1->2" or "${unversioned}->1"`);
  else if (from === to) problems.push(`${at} leads from a version to itself`);
  else if (to === unversioned) problems.push(`${at} leads to no version: give the machine one`);
  else if (typeof run !== "function") problems.push(`${at} is ${shown(run)}: use a function`);
  else if (steps.some((step) => step.from === from && step.to === to))
    problems.push(`${at} is there twice, written differently`);
  else steps.push({ from, to, run: run as Migration });
}

/** A stored state that is to be used under the machine at hand. */
export interface StateToUse {
  readonly address: Address;
  readonly status: Exclude<ActorStatus, "new">;
  readonly machine: MachineIdentity | undefined;
  readonly snapshotJson: string;
}

/** A state under the machine at hand. */
export interface UsableState {
  readonly state: MachineState;
  /** Set when it was brought along: from which version, what it is now, and what is to be done about its children and timers with the next commit. */
  readonly migrated:
    | { readonly from: string; readonly snapshotJson: string; readonly work: readonly Work[] }
    | undefined;
}

/**
 * Restores a stored state under the machine at hand, bringing it along where it is of an older version.
 *
 * Details: of the same version, it is restored as it is. Of another one: the migrations are applied where they lead from it. Where they do not, a state
 * whose own version replaces the machine's is refused, and any other one is restored as it is if it fits. A state that was brought along then gets the children
 * and timers of the states that it is in (`MachineDriver.resume`).
 *
 * Errors: `MigrationError` naming actor, versions and reason; `CorruptRecordError` for a state that does not fit the very machine that wrote it. The stored state is not
 * changed.
 */
export function useStored(
  driver: MachineDriver,
  migrations: Migrations | undefined,
  given: StateToUse,
  now: number,
): UsableState {
  const { snapshotJson, status } = given;
  const actor = formatAddress(given.address);
  const from = given.machine?.version ?? unversioned;
  const to = driver.identity.version ?? unversioned;
  if (from === to || given.machine === undefined) {
    try {
      return { state: driver.fromStored(JSON.parse(snapshotJson), status), migrated: undefined };
    } catch (cause) {
      if (given.machine === undefined || given.machine.fingerprint === driver.identity.fingerprint) throw cause;
      const version = from === unversioned ? "it has no version" : `its version is still ${from}`;
      throw new MigrationError(
        `Cannot use the state of ${actor}: the machine has changed since, and ${version}. ${messageOf(cause)} Give the machine a ${from === unversioned ? "" : "new "}version and the definition a migration that leads to it.`,
        { cause, details: { actor, from, to } },
      );
    }
  }
  const attempted = `Cannot bring ${actor} from ${named(from)} to ${named(to)}`;
  const details = { actor, from, to };
  const chain = migrations?.chainFrom(from);
  if (chain !== undefined) return migrate(driver, given, now, chain, attempted, details);
  if (given.machine.supersedes?.includes(to) === true) {
    throw new MigrationError(
      `Cannot use the state of ${actor}: it is of ${named(from)}, which replaces ${named(to)} that this node runs. A node with ${named(from)} goes on with it; to go back, give this machine a new version and a migration that leads to it from ${named(from)}.`,
      { details },
    );
  }
  try {
    return { state: driver.fromStored(JSON.parse(snapshotJson), status), migrated: undefined };
  } catch (cause) {
    throw new MigrationError(
      `${attempted}: there is no migration that leads from one to the other, and as it is the state does not fit. ${messageOf(cause)} Give the definition migrate: { "${from}->${to}": … }.`,
      { cause, details },
    );
  }
}

function migrate(
  driver: MachineDriver,
  given: StateToUse,
  now: number,
  chain: readonly MigrationStep[],
  attempted: string,
  details: Readonly<Record<string, unknown>>,
): UsableState {
  let { snapshotJson } = given;
  const dropped = new Set<string>();
  for (const step of chain) {
    try {
      snapshotJson = JSON.stringify(takeStep(step, given, JSON.parse(snapshotJson), dropped));
    } catch (cause) {
      throw new MigrationError(`${attempted}: migration "${step.from}->${step.to}" ${reasonOf(cause)}`, {
        cause,
        details: { ...details, migration: `${step.from}->${step.to}` },
      });
    }
  }
  let restored: MachineState;
  try {
    restored = driver.fromStored(JSON.parse(snapshotJson), given.status);
  } catch (cause) {
    throw new MigrationError(`${attempted}: what the migration made does not fit the machine. ${messageOf(cause)}`, {
      cause,
      details,
    });
  }
  try {
    const { state, work } = driver.resume(restored, [...dropped], { self: given.address, now });
    const made = JSON.stringify(driver.toStored(state));
    return { state, migrated: { from: details.from as string, snapshotJson: made, work } };
  } catch (cause) {
    throw new MigrationError(`${attempted}: beginning what its states wait for ${reasonOf(cause)}`, { cause, details });
  }
}

/** Why a result cannot be used. */
class Unusable extends Error {}

/** Applies one step to a stored state that nobody else holds, and encodes what it makes. Children that it leaves out stay until the end, when they are stopped. */
function takeStep(
  { from, to, run }: MigrationStep,
  { address, status }: StateToUse,
  stored: StoredSnapshot,
  dropped: Set<string>,
): StoredSnapshot {
  const { value, context, history, timers: all = {}, ...rest } = stored;
  // A child that waits to be begun again has no timer but the one that does it, which is no matter of its machine.
  const [fixed, timers] = rest.restart?.timer === undefined ? [{}, all] : [all, {}];
  const children = Object.fromEntries(
    Object.entries(rest.children ?? {}).flatMap(([id, { kind, src }]) =>
      dropped.has(id) ? [] : [[id, { kind, src }]],
    ),
  );
  const result: unknown = run({
    id: address.id,
    from,
    to,
    status,
    value,
    context: fromStored(context) as Record<string, unknown>,
    history: { ...(history as Record<string, string[]> | undefined) },
    children: { ...children },
    timers: Object.fromEntries(Object.entries(timers).map(([name, timer]) => [name, seenTimer(timer)])),
  });
  const made = checkResult(result);
  if (made.children !== undefined) {
    checkNames("children", made.children, children);
    for (const id of Object.keys(children)) if (!Object.hasOwn(made.children, id)) dropped.add(id);
  }
  const snapshot: { -readonly [Field in keyof StoredSnapshot]: StoredSnapshot[Field] } = {
    ...rest,
    // A value that is none is found when it is restored.
    value: toStored(made.value, "value"),
    context: toStored(made.context, "context"),
  };
  const remembered = made.history ?? history;
  if (remembered !== undefined && Object.keys(remembered).length > 0) snapshot.history = checkHistory(remembered);
  const pending = { ...fixed, ...(made.timers === undefined ? timers : changedTimers(timers, made.timers)) };
  if (Object.keys(pending).length > 0) snapshot.timers = pending;
  return snapshot;
}

const resultNames = ["value", "context", "history", "children", "timers"];
/** What a result may have because it was made from what was given. */
const givenNames = ["id", "from", "to", "status"];

function checkResult(result: unknown): MigratedState {
  if (typeof result !== "object" || result === null) {
    throw new Unusable(`returned ${shown(result)}: return { value, context }.`);
  }
  if (typeof (result as { then?: unknown }).then === "function") {
    // What it comes to is of no interest, and must not end the process.
    (result as PromiseLike<unknown>).then(undefined, () => {});
    throw new Unusable("returned a promise: it must return the state at once.");
  }
  const unknown = Object.keys(result).find((name) => !resultNames.includes(name) && !givenNames.includes(name));
  if (unknown !== undefined) {
    const near = nearestName(unknown, resultNames);
    throw new Unusable(
      `returned a ${JSON.stringify(unknown)}, which no state has${near === undefined ? `: use ${listed(resultNames)}` : `: did you mean "${near}"?`}`,
    );
  }
  const { value, context, children, timers, history } = result as Record<string, unknown>;
  if (value === undefined) throw new Unusable("returned no value: return { value, context }.");
  if (!isFields(context)) throw new Unusable(`returned ${shown(context)} as the context: it must be an object.`);
  for (const [name, part] of Object.entries({ history, children, timers })) {
    if (part !== undefined && !isFields(part))
      throw new Unusable(`returned ${shown(part)} as ${name}: it must be an object.`);
  }
  return result as MigratedState;
}

function checkNames(what: string, made: object, known: object): void {
  const added = Object.keys(made).find((name) => !Object.hasOwn(known, name));
  if (added !== undefined) {
    throw new Unusable(
      `returned ${what} with ${JSON.stringify(added)}, which the actor does not have: it can only leave some out.`,
    );
  }
}

function checkHistory(history: Readonly<Record<string, unknown>>): Record<string, readonly string[]> {
  for (const [id, remembered] of Object.entries(history)) {
    if (!Array.isArray(remembered) || remembered.some((each) => typeof each !== "string"))
      throw new Unusable(`returned ${shown(remembered)} as the history of ${JSON.stringify(id)}: use ids of states.`);
  }
  return history as Record<string, readonly string[]>;
}

function seenTimer({ at, event }: StoredTimer): TimerToMigrate {
  return { at, event: event === undefined ? undefined : (fromStored(event) as TimerToMigrate["event"]) };
}

function changedTimers(
  timers: Readonly<Record<string, StoredTimer>>,
  made: Readonly<Record<string, TimerToMigrate>>,
): Record<string, StoredTimer> {
  checkNames("timers", made, timers);
  return Object.fromEntries(
    Object.entries(made).map(([name, { at, event }]) => {
      const timer = timers[name] as StoredTimer;
      if (at !== timer.at) throw new Unusable(`changed when timer ${name} is due: only its event may be changed.`);
      if (
        (event === undefined) !== (timer.event === undefined) ||
        (event !== undefined && typeof event.type !== "string")
      )
        throw new Unusable(`returned ${shown(event)} as the event of timer ${name}: use an object with a "type".`);
      return [name, event === undefined ? timer : { ...timer, event: toStored(event, `timers[${name}].event`) }];
    }),
  );
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function named(version: string): string {
  return version === unversioned ? "no version" : `version ${version}`;
}

function reasonOf(cause: unknown): string {
  if (cause instanceof Unusable) return cause.message;
  if (isStatewrightError(cause) && cause._tag === "NotStorableError")
    return `made what cannot be kept. ${cause.message}`;
  return `failed: ${cause instanceof Error ? `${cause.name}: ${cause.message}` : shown(cause)}`.replace(/[^.]$/, "$&.");
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

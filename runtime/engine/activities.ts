/**
 * The activities of an actor type: which promise logic its machines name, and how workers run it.
 *
 * 1. An activity made by `defineActivity` keeps its own name wherever it is used; plain promise logic is named by the actor type and the way to it,
 *    `order.payment.charge`. All processes come to the same names.
 * 2. Plain promise logic has one attempt for every rejection, as in XState; an attempt whose worker died is made again.
 * 3. One activity may be named by several logics: as it was declared, as it is implemented, with other retry policies. Workers have it once, and the owner
 *    retries as that logic says which the machine names.
 */
import { formatAddress } from "../core/address.ts";
import { InvalidDefinitionError, TerminalError } from "../core/errors.ts";
import { toToken } from "../core/names.ts";
import { activityMetaOf } from "../machine/activity-meta.ts";
import type { ChildLogic, MachineDriver } from "../machine/driver.ts";
import { compileRetryPolicy } from "../supervise/retry-policy.ts";
import type { AttemptArgs, OwnedActivity, RunnableActivity, RunnableDefinition } from "./definition.ts";
import { followPath, logicBelow } from "./logic-below.ts";

/** How long an attempt may be without a sign of life of its worker, when the activity does not say. */
export const defaultHeartbeatMs = 15_000;

const runnableKey = Symbol.for("statewright.activity.runnable");
const ownedKey = Symbol.for("statewright.activity.owned");

/** Puts what workers run beside the logic that machines name. */
export function attachRunnable<Logic extends object>(logic: Logic, runnable: RunnableActivity): Logic {
  return Object.defineProperty(logic, runnableKey, { value: runnable, enumerable: false });
}

/** What workers run of logic that `defineActivity` made; undefined for anything else. */
export function runnableOf(logic: unknown): RunnableActivity | undefined {
  return typeof logic === "object" && logic !== null
    ? (logic as { [runnableKey]?: RunnableActivity })[runnableKey]
    : undefined;
}

/** Puts beside the logic what the owner is to know in the place of what the runnable says: another retry policy. */
export function attachOwned<Logic extends object>(logic: Logic, owned: OwnedActivity): Logic {
  return Object.defineProperty(logic, ownedKey, { value: owned, enumerable: false });
}

/**
 * Of two that have one name, returns the one that workers run: the implemented one, where the other is declared. Undefined when they are two activities,
 * or one that is implemented twice.
 */
export function sameActivity(one: RunnableActivity, other: RunnableActivity): RunnableActivity | undefined {
  if (one.origin !== other.origin) return undefined;
  if (one.code === undefined) return other;
  return other.code === undefined || other.code === one.code ? one : undefined;
}

/**
 * Finds the activities of a machine and of all machines below it.
 *
 * Errors: `InvalidDefinitionError` when two activities would have the same name; `InvalidNameError` for a name that is too long.
 */
export function activitiesOf(type: string, driver: MachineDriver): Pick<RunnableDefinition, "activities" | "activity"> {
  const byName = new Map<string, RunnableActivity>();
  const add = (path: readonly string[], child: ActivityChild): RunnableActivity => {
    const activity = runnableOf(child.logic) ?? plainActivity(nameOf(type, path), child);
    const known = byName.get(activity.name);
    const kept = known === undefined ? activity : sameActivity(known, activity);
    if (kept === undefined) {
      throw new InvalidDefinitionError(
        `Cannot run actor type "${type}": two activities of it have the name "${activity.name}". Give one of them another name.`,
        { details: { type, activity: activity.name } },
      );
    }
    byName.set(kept.name, kept);
    return kept;
  };
  for (const { path, child } of logicBelow(driver)) if (child.kind === "activity") add(path, child);
  return {
    activities: [...byName.values()],
    activity(path) {
      const found = followPath(driver, path);
      if (found?.child.kind !== "activity") return undefined;
      return ownedOf(found.child.logic) ?? runnableOf(found.child.logic) ?? add(found.path, found.child);
    },
  };
}

function ownedOf(logic: object): OwnedActivity | undefined {
  return (logic as { [ownedKey]?: OwnedActivity })[ownedKey];
}

type ActivityChild = ChildLogic & { readonly kind: "activity" };

function nameOf(type: string, path: readonly string[]): string {
  const name = [type, ...path].join(".");
  toToken(name, "an activity name");
  return name;
}

function plainActivity(name: string, child: ActivityChild): RunnableActivity {
  return {
    name,
    retry: compileRetryPolicy({ maxAttempts: 1 }),
    isWorthRetrying: () => true,
    attemptTimeoutMs: undefined,
    timeoutMs: activityMetaOf(child.logic)?.timeoutMs,
    heartbeatMs: defaultHeartbeatMs,
    limits: { concurrency: undefined, rate: undefined },
    perKey: undefined,
    checkInput: (input) => ({ input }),
    checkOutput: (output) => ({ output }),
    origin: child.logic,
    code: child.logic,
    run: (attempt) => child.run(asXState(name, attempt) as never),
  };
}

/** What XState's own promise logic is given: the input and the signal as ever, and ids in the place of actors. */
function asXState(name: string, { input, signal, idempotencyKey, actor, id }: AttemptArgs): object {
  const refuse = (what: string) => (): never => {
    throw new TerminalError(
      `Cannot use ${what} in the promise logic "${name}": it runs in a worker, which is not where the actor is. Return a value, and let the machine act on it.`,
      { details: { activity: name, construct: what } },
    );
  };
  const parent = { id: actor.id, sessionId: formatAddress(actor), send: refuse("self._parent.send") };
  return {
    input,
    signal,
    emit: refuse("emit"),
    self: {
      id,
      sessionId: idempotencyKey,
      _parent: parent,
      send: refuse("self.send"),
      getSnapshot: () => ({ status: "active", input, output: undefined, error: undefined }),
    },
    system: { get: refuse("system.get"), getAll: refuse("system.getAll") },
  };
}

/**
 * Brings the children and timers of a state that came from another version of its machine in line with the states that it is in now.
 *
 * 1. What an active state has and the actor lacks begins as if the state had just been entered: its delays, and what it invokes. What is there stays as it is, with
 *    the time that has passed and with results that are in already.
 * 2. What nothing waits for any more ends: delays of states that are not active or do not exist, invocations of states that are not active, children whose logic
 *    the machine does not name any more or names for another kind of logic.
 * 3. Other children (spawned ones, and those whose invocation has gone from the machine) and other timers (delayed events) go on.
 *
 * No action of the machine runs, and no transition is taken.
 */
import type { AnyMachineSnapshot, AnyStateNode } from "xstate";
import { childAddress } from "../core/address.ts";
import { ActorReference } from "../core/reference.ts";
import type { MachineState, Step, StepEnv } from "./driver.ts";
import { finish, type Stepper, scopeOf } from "./durable-step.ts";
import { Ledger } from "./ledger.ts";
import type { MadeActor, StepScope } from "./scope.ts";
import { type Child, insideOf } from "./state.ts";

/** What XState keeps of an `invoke`. */
interface Invocation {
  readonly id: string;
  readonly src: string;
  readonly input?: unknown;
  readonly systemId?: string;
  readonly onSnapshot?: unknown;
}

/** What XState keeps of an `after`. */
interface Delayed {
  readonly eventType: string;
  readonly delay: unknown;
}

const event = { type: "xstate.init" };

/** `drop` names children that are to end, whatever they are. Throws what delays and inputs of the machine throw. */
export function resume(
  stepper: Stepper<AnyMachineSnapshot>,
  nodes: Iterable<AnyStateNode>,
  state: MachineState,
  drop: readonly string[],
  env: StepEnv,
): Step {
  const { snapshot, around } = insideOf<AnyMachineSnapshot>(state);
  if (snapshot.status !== "active") return { state, outcome: "ignored", work: [] };
  const ledger = new Ledger(env.self, env.now, stepper.machineId, around);
  const scope = scopeOf(stepper, env, "a migration", around);
  const active: readonly AnyStateNode[] = snapshot._nodes;
  const wanted = new Map(active.flatMap((node) => invocationsOf(node).map((each) => [each.id, each] as const)));
  const known = new Set([...nodes].flatMap((node) => invocationsOf(node).map(({ id }) => id)));
  const kept = new Set<string>();
  for (const [id, child] of around.children) {
    const isIdle = known.has(id) && !wanted.has(id);
    if (!drop.includes(id) && !isIdle && (child.ended || canGoOn(stepper, child))) kept.add(id);
    else scope.notes.push({ note: "stop", actor: referenceTo(env, id, child) });
  }
  const delays = new Map(active.flatMap((node) => delaysOf(node).map((each) => [each.eventType, each] as const)));
  for (const [name, { event, to }] of around.timers) {
    if (to !== undefined || event?.type.startsWith("xstate.after.") !== true) continue;
    // Of two with the same event, which no machine sets, the first one counts.
    if (!delays.delete(event.type)) ledger.clearTimer(name);
  }
  for (const delayed of delays.values()) setDelay(snapshot, scope, delayed);
  for (const invocation of wanted.values()) if (!kept.has(invocation.id)) begin(snapshot, scope, invocation);
  ledger.take(scope, stepper.kinds);
  return finish(stepper, env, ledger, snapshot, scope, "taken", state);
}

function invocationsOf(node: AnyStateNode): readonly Invocation[] {
  return node.invoke as readonly unknown[] as readonly Invocation[];
}

function delaysOf(node: AnyStateNode): readonly Delayed[] {
  return node.after as readonly unknown[] as readonly Delayed[];
}

/** True when the machine still has the child's logic, and it is of the same kind. */
function canGoOn(stepper: Stepper<AnyMachineSnapshot>, child: Child): boolean {
  try {
    return stepper.kinds.identify(child.src).kind === child.kind;
  } catch {
    return false;
  }
}

function referenceTo({ self }: StepEnv, id: string, { n }: Child): ActorReference {
  return new ActorReference({ actor: childAddress(self, id), id, n });
}

function begin(
  { context }: AnyMachineSnapshot,
  scope: StepScope,
  { id, src, input, systemId, onSnapshot }: Invocation,
): void {
  const actor: MadeActor = {
    id,
    src,
    systemId,
    _syncSnapshot: onSnapshot !== undefined,
    options: { input: typeof input === "function" ? input({ context, event, self: scope.self }) : input },
  };
  scope.notes.push({ note: "made", actor, n: scope.n++ });
}

function setDelay(snapshot: AnyMachineSnapshot, scope: StepScope, { eventType, delay }: Delayed): void {
  const named = snapshot.machine.implementations.delays as Record<string, unknown>;
  const expression = typeof delay === "string" && Object.hasOwn(named, delay) ? named[delay] : delay;
  const { context } = snapshot;
  const value: unknown =
    typeof expression === "function"
      ? expression({ context, event, self: scope.self, system: scope.system }, undefined)
      : expression;
  // XState takes a delay that is no number for none at all, and goes on at once; here nothing is taken.
  scope.notes.push({ note: "raise", event: { type: eventType }, delay: Number(value), id: eventType });
}

/**
 * What a machine may not contain, found by walking its definition: all of it is reported at once, by name and place.
 *
 * What only shows at run time (`spawn` in an assign, what `enqueueActions` enqueues) is refused by the step: see scope.ts and ledger.ts.
 */
import type { AnyStateMachine, AnyStateNode } from "xstate";
import { toStored } from "../core/codec.ts";
import { InvalidDefinitionError } from "../core/errors.ts";
import { problemsOf, toldOf } from "./actions.ts";
import { kindOf } from "./logic.ts";
import { asList, implementationOf, placesOf } from "./node-actions.ts";

/**
 * Checks that every construct of a machine can be run durably.
 *
 * Errors: `InvalidDefinitionError` listing all problems, in its message and in `details.problems`.
 */
export function checkDefinition(machine: AnyStateMachine, where: string | undefined): void {
  const problems = [...new Set(findProblems(machine))];
  if (problems.length === 0) return;
  throw new InvalidDefinitionError(
    `Cannot run machine "${machine.id}"${where === undefined ? "" : ` (${where})`} durably: ${problems.join("; ")}.`,
    { details: { machine: machine.id, problems, ...(where === undefined ? {} : { where }) } },
  );
}

/** Lists a state node and all below it, in document order. */
export function listNodes(root: AnyStateNode): AnyStateNode[] {
  return [root, ...Object.values(root.states as Record<string, AnyStateNode>).flatMap(listNodes)];
}

/** Names a state node by its way from the root. */
export function nameOf(node: AnyStateNode): string {
  return [node.machine.id, ...node.path].join(".");
}

function* findProblems(machine: AnyStateMachine): Generator<string> {
  const ids = new Set<string>();
  for (const node of listNodes(machine.root)) {
    if (ids.has(node.id)) yield `state "${nameOf(node)}" has the id "${node.id}", which another state has too`;
    ids.add(node.id);
    yield* findInNode(node);
  }
  const context: unknown = machine.config.context;
  if (typeof context === "function") return;
  try {
    toStored(context, "context");
  } catch (error) {
    yield `its context cannot be stored (${(error as Error).message})`;
  }
}

function* findInNode(node: AnyStateNode): Generator<string> {
  const state = `state "${nameOf(node)}"`;
  const config = node.config as { after?: object; route?: unknown; invoke?: unknown };
  for (const [i, { src }] of (asList(config.invoke) as Array<{ src?: unknown }>).entries()) {
    yield* findInLogic(src, node, `${state} invokes`, `actor ${i + 1} of its invoke`);
  }
  for (const delay of Object.keys(config.after ?? {})) {
    if (Number.isNaN(Number(delay))) yield* findInDelay(delay, node, `${state} has a transition after`);
  }
  if (config.route) yield `${state} has a route, which is taken by an event of XState's own that nobody may send`;
  for (const { actions, place, guard } of placesOf(node, state)) {
    for (const action of actions) {
      const { name, run } = implementationOf(action, node);
      if (run === undefined) yield `${place} names the action "${name}", which is not implemented`;
      else yield* findInAction(run, node, name === undefined ? place : `${place}, in action "${name}",`);
    }
    yield* findInGuard(guard, node, place, new Set());
  }
}

function* findInLogic(src: unknown, node: AnyStateNode, place: string, inline: string): Generator<string> {
  const known = node.machine.implementations.actors as Record<string, unknown>;
  const isNamed = typeof src === "string";
  if (isNamed && !Object.hasOwn(known, src)) {
    yield `${place} the actor "${src}", which is not implemented`;
    return;
  }
  if (kindOf(isNamed ? known[src] : src) === "unknown") {
    yield `${place} ${isNamed ? `the actor "${src}"` : inline}, whose logic is none that could be kept: use a machine, fromPromise, fromTransition, fromCallback or fromObservable`;
  }
}

function* findInDelay(delay: string, node: AnyStateNode, place: string): Generator<string> {
  const known = node.machine.implementations.delays as Record<string, unknown>;
  if (!Object.hasOwn(known, delay)) yield `${place} the delay "${delay}", which is not implemented`;
}

function* findInAction(action: object, node: AnyStateNode, place: string): Generator<string> {
  const told = toldOf(action);
  if (told !== undefined)
    for (const problem of problemsOf(told)) yield `${place} has a problem: ${problem.replace(/\.$/, "")}`;
  // Built-in actions of XState are functions with a type and what they were made with.
  if (!("resolve" in action)) return;
  const { type, delay, src } = action as { type?: unknown; delay?: unknown; src?: unknown };
  if (typeof delay === "string") yield* findInDelay(delay, node, `${place} names`);
  if (type === "xstate.spawnChild") yield* findInLogic(src, node, `${place} spawns`, "an actor");
}

function* findInGuard(guard: unknown, node: AnyStateNode, place: string, seen: Set<unknown>): Generator<string> {
  if (guard === undefined || guard === null || seen.has(guard)) return;
  seen.add(guard);
  if (typeof guard === "function") {
    for (const part of asList((guard as { guards?: unknown }).guards)) yield* findInGuard(part, node, place, seen);
    return;
  }
  const name = typeof guard === "string" ? guard : (guard as { type?: unknown }).type;
  const implementations = node.machine.implementations.guards as Record<string, unknown>;
  const implementation =
    typeof name === "string" && Object.hasOwn(implementations, name) ? implementations[name] : undefined;
  if (implementation === undefined) yield `${place} names the guard "${String(name)}", which is not implemented`;
  else yield* findInGuard(implementation, node, place, seen);
}

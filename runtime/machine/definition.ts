/**
 * What a machine may not contain, found by walking its definition: all of it is reported at once, by name and place.
 *
 * What only shows at run time (`spawn` in an assign, what `enqueueActions` enqueues) is refused by the step: see scope.ts.
 */
import type { AnyStateMachine, AnyStateNode } from "xstate";
import { toStored } from "../core/codec.ts";
import { InvalidDefinitionError } from "../core/errors.ts";
import { problemsOf, toldOf } from "./actions.ts";
import { unsupportedAction } from "./scope.ts";

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
  const config = node.config as { after?: object; route?: unknown; entry?: unknown; exit?: unknown; invoke?: unknown };
  for (const { src, id } of asList(config.invoke) as Array<{ src?: unknown; id?: unknown }>) {
    const name = typeof src === "string" ? src : id;
    const named = typeof name === "string" ? `"${name}"` : "an actor that is defined inline";
    yield `${state} invokes ${named} (invoke is not supported yet)`;
  }
  for (const delay of Object.keys(config.after ?? {})) {
    yield `${state} has a transition after "${delay}" (after is not supported yet)`;
  }
  if (config.route) yield `${state} has a route (route is not supported yet)`;
  // Not `node.entry`: XState adds to it what `after` needs.
  yield* findInActions(asList(config.entry), node, `${state} on entry`);
  yield* findInActions(asList(config.exit), node, `${state} on exit`);
  if (node.type === "compound") yield* findInActions(node.initial.actions, node, `${state} on its initial transition`);
  for (const transitions of [...node.transitions.values(), node.always ?? []]) {
    for (const { eventType, actions, guard } of transitions) {
      const place = `${state} ${(eventType as string) === "" ? 'in "always"' : `on "${eventType}"`}`;
      yield* findInActions(actions, node, place);
      yield* findInGuard(guard, node, place, new Set());
    }
  }
}

function asList(value: unknown): unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}

function* findInActions(actions: readonly unknown[], node: AnyStateNode, place: string): Generator<string> {
  const implementations = node.machine.implementations.actions as Record<string, unknown>;
  for (const action of actions) {
    if (typeof action === "function") {
      yield* findInAction(action, place);
      continue;
    }
    const name = typeof action === "string" ? action : (action as { type?: unknown } | null)?.type;
    const implementation =
      typeof name === "string" && Object.hasOwn(implementations, name) ? implementations[name] : undefined;
    if (typeof implementation === "function") yield* findInAction(implementation, `${place}, in action "${name}",`);
    else yield `${place} names the action "${String(name)}", which is not implemented`;
  }
}

function* findInAction(action: object, place: string): Generator<string> {
  const told = toldOf(action);
  if (told !== undefined)
    for (const problem of problemsOf(told)) yield `${place} has a problem: ${problem.replace(/\.$/, "")}`;
  // Built-in actions of XState are functions with a type and what they were made with.
  if (!("resolve" in action)) return;
  const builtIn = action as { type?: unknown; delay?: unknown; to?: unknown };
  const construct = unsupportedAction(String(builtIn.type), builtIn);
  if (construct !== undefined) yield `${place} uses ${construct} (${construct} is not supported yet)`;
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

/** Where actions stand in a state of a machine. */
import type { AnyStateNode } from "xstate";

/** A list of actions, and the place in words. */
export interface ActionPlace {
  readonly actions: readonly unknown[];
  readonly place: string;
  readonly guard: unknown;
}

/** Lists the places of a state that have actions or a guard; `state` names the state in words. */
export function* placesOf(node: AnyStateNode, state: string): Generator<ActionPlace> {
  const config = node.config as { entry?: unknown; exit?: unknown };
  // Not `node.entry`: XState adds to it what `after` needs.
  yield { actions: asList(config.entry), place: `${state} on entry`, guard: undefined };
  yield { actions: asList(config.exit), place: `${state} on exit`, guard: undefined };
  if (node.type === "compound") {
    yield { actions: node.initial.actions, place: `${state} on its initial transition`, guard: undefined };
  }
  for (const transitions of [...node.transitions.values(), node.always ?? []]) {
    for (const { eventType, actions, guard } of transitions) {
      const place = `${state} ${(eventType as string) === "" ? 'in "always"' : `on "${eventType}"`}`;
      yield { actions, place, guard };
    }
  }
}

/** The implementation of an action, and the name under which it is known; undefined when there is none. */
export function implementationOf(
  action: unknown,
  node: AnyStateNode,
): { readonly name: string | undefined; readonly run: object | undefined } {
  if (typeof action === "function") return { name: undefined, run: action };
  const name = typeof action === "string" ? action : (action as { type?: unknown } | null)?.type;
  const known = node.machine.implementations.actions as Record<string, unknown>;
  const found = typeof name === "string" && Object.hasOwn(known, name) ? known[name] : undefined;
  return { name: String(name), run: typeof found === "function" ? found : undefined };
}

/** The implementations of all actions of a state, in document order. */
export function* actionsOf(node: AnyStateNode): Generator<object> {
  for (const { actions } of placesOf(node, "")) {
    for (const action of actions) {
      const { run } = implementationOf(action, node);
      if (run !== undefined) yield run;
    }
  }
}

/** One value, several, or none, as a list. */
export function asList(value: unknown): unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}

/** What in a machine needs a state record: whatever comes back to a state later, and must find it there. */
import type { AnyStateMachine } from "xstate";
import { listNodes, nameOf } from "./definition.ts";
import { asList, implementationOf, placesOf } from "./node-actions.ts";

/**
 * Lists, by place, the invocations, spawned actors and delays of a machine.
 *
 * Gotchas: what only shows at run time is not found: `spawn` in an assign, and what `enqueueActions` enqueues.
 */
export function* needsRecord(machine: AnyStateMachine): Generator<string> {
  for (const node of listNodes(machine.root)) {
    const state = `state "${nameOf(node)}"`;
    const { invoke, after } = node.config as { invoke?: unknown; after?: object };
    if (asList(invoke).length > 0) yield `${state} invokes an actor`;
    for (const delay of Object.keys(after ?? {})) yield `${state} has a transition after ${delay}`;
    for (const { actions, place } of placesOf(node, state)) {
      for (const action of actions) {
        const { type, delay } = (implementationOf(action, node).run ?? {}) as { type?: unknown; delay?: unknown };
        if (type === "xstate.spawnChild") yield `${place} spawns an actor`;
        else if (delay !== undefined) yield `${place} sends an event with a delay`;
      }
    }
  }
}

/**
 * Actor logic that stands inline in a machine, with the names by which it is found again after a restart.
 *
 * XState names inline logic of an `invoke` by its state and place; inline logic of a `spawnChild` action gets its name in the same manner here.
 */
import type { AnyStateMachine } from "xstate";
import { listNodes } from "./definition.ts";
import { actionsOf } from "./node-actions.ts";

/** A piece of inline logic. */
export interface Inlined {
  readonly name: string;
  readonly logic: unknown;
  /** The id of the state that invokes it; undefined for logic of a `spawnChild`. */
  readonly invokedBy: string | undefined;
}

/** Lists the inline logic of a machine, in document order. */
export function inlineLogic(machine: AnyStateMachine): Inlined[] {
  const found: Inlined[] = [];
  for (const node of listNodes(machine.root)) {
    const { invoke } = node.config as { invoke?: unknown };
    const invokes = invoke === undefined ? [] : Array.isArray(invoke) ? invoke : [invoke];
    for (const [i, { src }] of (invokes as Array<{ src?: unknown }>).entries()) {
      if (typeof src === "object" && src !== null) {
        found.push({ name: `xstate.invoke.${i}.${node.id}`, logic: src, invokedBy: node.id });
      }
    }
    let spawns = 0;
    for (const action of actionsOf(node)) {
      const src: unknown =
        (action as { type?: unknown; src?: unknown }).type === "xstate.spawnChild"
          ? (action as { src?: unknown }).src
          : undefined;
      if (typeof src === "object" && src !== null) {
        found.push({ name: `spawn.${spawns++}.${node.id}`, logic: src, invokedBy: undefined });
      }
    }
  }
  return found;
}

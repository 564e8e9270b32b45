/** Reads the shape off a machine. */
import type { AnyStateMachine, AnyStateNode } from "xstate";
import type { ActorShape, MachineShape, StateShape, TransitionShape } from "../core/shape.ts";
import { listNodes } from "./definition.ts";
import { identify, invocationsOf } from "./fingerprint.ts";
import { inlineLogic } from "./inline-logic.ts";
import { kindOf } from "./logic.ts";

/** What a shape may take as JSON, its children's shapes included. */
const maxShapeChars = 65_536;
/** What a shape takes besides its entries. */
const frameChars = 80;

/**
 * Returns the shape of a machine, with those of the machines that it names as actors.
 *
 * Details: at most 64 KB of JSON. States that do not fit are counted in `leftOut`; shapes of children that do not fit are left out.
 */
export function shapeOf(machine: AnyStateMachine): MachineShape {
  return describe(machine, { left: maxShapeChars }, new Set());
}

interface Budget {
  left: number;
}

function describe(machine: AnyStateMachine, budget: Budget, around: ReadonlySet<AnyStateMachine>): MachineShape {
  const named = listNodes(machine.root)
    .map((node) => [stateName(node), node] as const)
    .sort(byName);
  const states: Record<string, StateShape> = {};
  let listed = 0;
  budget.left -= frameChars;
  for (const [name, node] of named) {
    const state = describeState(node, name);
    if (!pays(budget, name, state)) break;
    states[name] = state;
    listed++;
  }
  const actors = describeActors(machine, budget, new Set([...around, machine]));
  return {
    states,
    ...(Object.keys(actors).length === 0 ? {} : { actors }),
    ...(listed === named.length ? {} : { leftOut: named.length - listed }),
  };
}

function describeActors(
  machine: AnyStateMachine,
  budget: Budget,
  around: ReadonlySet<AnyStateMachine>,
): Record<string, ActorShape | null> {
  const actors: Record<string, ActorShape | null> = {};
  const named = Object.entries(machine.implementations.actors as Record<string, unknown>);
  const inline = inlineLogic(machine).map(({ name, logic }): [string, unknown] => [name, logic]);
  const all = [...named, ...inline].sort(byName);
  for (const [name, logic] of all) {
    if (kindOf(logic) !== "machine") {
      if (pays(budget, name, null)) actors[name] = null;
      continue;
    }
    const child = logic as AnyStateMachine;
    const identity = identify(child);
    if (!pays(budget, name, identity)) continue;
    const inner = { left: budget.left };
    const shape = around.has(child) ? undefined : describe(child, inner, around);
    const isWhole = shape !== undefined && shape.leftOut === undefined;
    if (isWhole) budget.left = inner.left;
    actors[name] = { machine: identity, ...(isWhole ? { shape } : {}) };
  }
  return actors;
}

/** Takes what an entry costs from the budget; false when it is not left. */
function pays(budget: Budget, name: string, entry: unknown): boolean {
  const cost = JSON.stringify(name).length + JSON.stringify(entry).length + 2;
  if (cost > budget.left) return false;
  budget.left -= cost;
  return true;
}

/** Names a state node by its way from the root; no two nodes of a machine have the same name. */
function stateName(node: AnyStateNode): string {
  return [node.machine.id, ...node.path.map((key) => key.replaceAll(".", "\\."))].join(".");
}

interface TransitionLike {
  readonly target: readonly AnyStateNode[] | undefined;
  readonly reenter: boolean;
}

function describeState(node: AnyStateNode, name: string): StateShape {
  const state: { -readonly [Field in keyof StateShape]: StateShape[Field] } = {};
  if (node.type !== "atomic") state.type = node.type;
  if (node.id !== name) state.id = node.id;
  if (node.type === "compound") state.initial = node.initial.target.map(stateName);
  if (node.type === "history") {
    state.history = node.history === "deep" ? "deep" : "shallow";
    const { target } = node.config as { readonly target?: string | readonly string[] };
    if (target !== undefined) state.fallback = typeof target === "string" ? [target] : target;
  }
  const on: Array<[string, TransitionShape[]]> = [];
  const after: Array<[string, TransitionShape[]]> = [];
  const transitions = node.transitions as ReadonlyMap<string, readonly TransitionLike[]>;
  for (const [descriptor, list] of [...transitions].sort(byName)) {
    const delay = delayIn(descriptor, node.id);
    (delay === undefined ? on : after).push([delay ?? descriptor, list.map(describeTransition)]);
  }
  if (on.length > 0) state.on = Object.fromEntries(on);
  if (after.length > 0) state.after = Object.fromEntries(after);
  if (node.always !== undefined) state.always = (node.always as readonly TransitionLike[]).map(describeTransition);
  const invocations = invocationsOf(node);
  if (invocations.length > 0) state.invoke = invocations;
  return state;
}

/** The delay in the event type by which XState ends a delay of a state node. */
function delayIn(descriptor: string, id: string): string | undefined {
  const [before, behind] = ["xstate.after.", `.${id}`];
  return descriptor.startsWith(before) && descriptor.endsWith(behind)
    ? descriptor.slice(before.length, -behind.length)
    : undefined;
}

function describeTransition({ target, reenter }: TransitionLike): TransitionShape {
  return {
    ...(target === undefined ? {} : { to: target.map(stateName) }),
    ...(reenter ? { reenter: true } : {}),
  };
}

function byName(one: readonly [string, unknown], other: readonly [string, unknown]): number {
  return one[0] < other[0] ? -1 : one[0] > other[0] ? 1 : 0;
}

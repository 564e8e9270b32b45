/**
 * XState's snapshots as machine states: put in order after a step, encoded for storage, and restored.
 *
 * A snapshot remembers in which order its states were entered, and competing transitions of parallel regions are taken in that order. Storage does not
 * keep it, so that a state would go on differently from memory than from storage. Therefore states always are in document order, as after a restore.
 */
import type { AnyMachineSnapshot, AnyStateMachine, AnyStateNode } from "xstate";
import { fromStored as decode, toStored as encode } from "../core/codec.ts";
import { CorruptRecordError } from "../core/errors.ts";
import type { StoredSnapshot } from "../core/records.ts";
import { nameOf } from "./definition.ts";
import { freezeDeep } from "./freeze.ts";

type Value = AnyMachineSnapshot["value"];

/** Puts a snapshot that a step made into the form in which it may be kept: in document order, its context frozen. */
export function settle(snapshot: AnyMachineSnapshot): AnyMachineSnapshot {
  freezeDeep(snapshot.context);
  const nodes: readonly AnyStateNode[] = snapshot._nodes;
  for (let index = 1; index < nodes.length; index++) {
    if ((nodes[index - 1] as AnyStateNode).order < (nodes[index] as AnyStateNode).order) continue;
    // The snapshot was made by this step, since a settled one is in order: nobody else holds it.
    snapshot._nodes = nodes.toSorted((one, other) => one.order - other.order);
    snapshot.value = stateValue(snapshot.machine.root, new Set(nodes));
    snapshot.tags = new Set(snapshot._nodes.flatMap((node) => node.tags));
    return snapshot;
  }
  return snapshot;
}

/** Returns the value of a state node whose active descendants are given, with the regions of parallel states in document order. */
function stateValue(node: AnyStateNode, active: ReadonlySet<AnyStateNode>): Value {
  const value: Record<string, Value> = {};
  for (const child of Object.values(node.states as Record<string, AnyStateNode>)) {
    if (!active.has(child)) continue;
    if (node.type === "compound" && isLeaf(child)) return child.key;
    value[child.key] = stateValue(child, active);
  }
  return value;
}

function isLeaf(node: AnyStateNode): boolean {
  return node.type === "atomic" || node.type === "final";
}

/** A stored snapshot in the making. */
export type Storing = { -readonly [K in keyof StoredSnapshot]: StoredSnapshot[K] };

/** Encodes a snapshot for storage. */
export function encodeSnapshot(snapshot: AnyMachineSnapshot): Storing {
  const stored: Storing = {
    value: snapshot.value,
    context: encode(snapshot.context, "context"),
  };
  const history = Object.entries(snapshot.historyValue as Record<string, readonly AnyStateNode[]>);
  if (history.length > 0)
    stored.history = Object.fromEntries(history.map(([id, nodes]) => [id, nodes.map((node) => node.id)]));
  if (snapshot.output !== undefined) stored.output = encode(snapshot.output, "output");
  if (snapshot.error !== undefined) stored.error = encode(snapshot.error, "error");
  if (snapshot.tags.size > 0) stored.tags = [...snapshot.tags];
  return stored;
}

/**
 * Restores a snapshot.
 *
 * Gotchas: parts of `stored` become parts of the state, and are frozen.
 *
 * Errors: `CorruptRecordError` when the record is damaged, or names states that the machine does not have (any more).
 */
export function decodeSnapshot(
  machine: AnyStateMachine,
  nodes: ReadonlyMap<string, AnyStateNode>,
  stored: StoredSnapshot,
  status: "active" | "done" | "error" | "stopped",
): AnyMachineSnapshot {
  const refuse = (reason: string): never => {
    const value = JSON.stringify(stored.value);
    throw new CorruptRecordError(`Cannot restore a state of machine "${machine.id}" at ${value}: ${reason}.`, {
      details: { machine: machine.id, value: stored.value },
    });
  };
  // An actor that failed before it was in any state.
  if (status !== "active" && isEmpty(stored.value) && !isLeaf(machine.root)) {
    return endedSnapshot(machine, status, stored);
  }
  const template = templateFor(machine, stored.value as Value, refuse);
  const context = decode(stored.context);
  if (typeof context !== "object" || context === null) refuse("its context is not an object");
  const historyValue: Record<string, AnyStateNode[]> = {};
  for (const [id, ids] of Object.entries(stored.history ?? {})) {
    // What nothing can return to any more is forgotten.
    if (nodes.get(id)?.type !== "history") continue;
    historyValue[id] = ids.map(
      (remembered) =>
        nodes.get(remembered) ?? refuse(`its history remembers state "${remembered}", which does not exist any more`),
    );
  }
  freezeDeep(context);
  const output = stored.output === undefined ? undefined : decode(stored.output);
  const error = stored.error === undefined ? undefined : decode(stored.error);
  // A copy of a snapshot of XState's, whose methods read from where they are called.
  return { ...template, context, historyValue, status, output, error } as AnyMachineSnapshot;
}

const templates = new WeakMap<AnyStateMachine, Map<string, AnyMachineSnapshot>>();
const maxTemplates = 1000;

/** A snapshot with a state value and nothing else: to find the active states of a value costs more than all other decoding, and few values recur often. */
function templateFor(machine: AnyStateMachine, value: Value, refuse: (reason: string) => never): AnyMachineSnapshot {
  let known = templates.get(machine);
  if (known === undefined) {
    known = new Map();
    templates.set(machine, known);
  }
  const key = typeof value === "string" ? value : JSON.stringify(value);
  let template = known.get(key);
  if (template === undefined) {
    const misfit = findMisfit(machine.root, value);
    if (misfit !== undefined) refuse(misfit);
    template = settle(machine.resolveState({ value, context: {} }));
    if (known.size >= maxTemplates) known.clear();
    known.set(key, template);
  }
  return template;
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** The snapshot of an actor that has ended without having been in any state. */
export function endedSnapshot(
  machine: AnyStateMachine,
  status: "done" | "error" | "stopped",
  stored: Pick<StoredSnapshot, "context" | "error">,
): AnyMachineSnapshot {
  const { root } = machine;
  const snapshot: AnyMachineSnapshot = machine.resolveState({
    value: initialValue(root),
    context: decode(stored.context),
  });
  snapshot._nodes = [root];
  snapshot.value = {};
  snapshot.tags = new Set();
  snapshot.status = status;
  snapshot.error = decode(stored.error);
  return snapshot;
}

/** Any complete value. */
function initialValue(node: AnyStateNode): Value {
  if (node.type !== "compound" && node.type !== "parallel") return {};
  const children = Object.values(node.states as Record<string, AnyStateNode>).filter(({ type }) => type !== "history");
  const entered = node.type === "compound" ? children.slice(0, 1) : children;
  return Object.fromEntries(entered.map((child) => [child.key, initialValue(child)]));
}

/** Says in words why a state node cannot have a value; undefined when it can. Only complete values fit, as they are stored. */
function findMisfit(node: AnyStateNode, value: unknown): string | undefined {
  const states = node.states as Record<string, AnyStateNode>;
  const state = `state "${nameOf(node)}"`;
  const childOf = (key: string): AnyStateNode | undefined => {
    const child = Object.hasOwn(states, key) ? states[key] : undefined;
    return child?.type === "history" ? undefined : child;
  };
  const missing = (key: string) => `${state} has no state ${JSON.stringify(key)} any more`;
  if (node.type === "compound" && typeof value === "string") {
    const child = childOf(value);
    if (child === undefined) return missing(value);
    return isLeaf(child)
      ? undefined
      : `state "${nameOf(child)}" has nested states now, and which of them is active is not known`;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return `${state} cannot have the value ${JSON.stringify(value)}`;
  }
  const keys = Object.keys(value);
  for (const key of keys) {
    const child = childOf(key);
    if (child === undefined) return missing(key);
    if (node.type === "compound" && isLeaf(child)) return `state "${nameOf(child)}" has no nested states any more`;
    const misfit = findMisfit(child, (value as Record<string, unknown>)[key]);
    if (misfit !== undefined) return misfit;
  }
  if (node.type === "compound" && keys.length !== 1) return `${state} must have exactly one active state`;
  if (node.type === "parallel") {
    const added = Object.values(states).find((child) => child.type !== "history" && !Object.hasOwn(value, child.key));
    if (added !== undefined)
      return `${state} has a region "${added.key}" now, and which of its states is active is not known`;
  }
  return undefined;
}

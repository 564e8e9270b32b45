/** A short name for the structure of a machine: two machines with the same fingerprint agree on which states exist and where events lead. */
import { createHash } from "node:crypto";
import type { AnyStateMachine, AnyStateNode } from "xstate";
import type { MachineIdentity } from "../core/records.ts";

/**
 * Returns who a machine is, as stored with every state that it wrote.
 *
 * Details: the fingerprint covers the state tree: ids, types, initial states, kinds of history, and for every event descriptor the targets in their order,
 * and what is invoked under which id; not guards, actions, context, tags, meta and descriptions. It does not depend on the order of keys, nor on process or platform.
 */
export function identify(machine: AnyStateMachine): MachineIdentity {
  const version: unknown = machine.config.version;
  return {
    id: machine.id,
    ...(version === undefined ? {} : { version: String(version) }),
    fingerprint: createHash("sha256")
      .update(JSON.stringify(structureOf(machine.root)))
      .digest("hex")
      .slice(0, 16),
  };
}

interface TransitionLike {
  readonly target: readonly AnyStateNode[] | undefined;
  readonly reenter: boolean;
}

/** What a state node invokes, in the order of the machine. */
export function invocationsOf(node: AnyStateNode): Array<{ readonly id: string; readonly src: string }> {
  return (node.invoke as ReadonlyArray<{ readonly id: string; readonly src: unknown }>).map(({ id, src }) => ({
    id,
    src: String(src),
  }));
}

function structureOf(node: AnyStateNode): unknown[] {
  const children = Object.values(node.states as Record<string, AnyStateNode>);
  const transitions = [...(node.transitions as ReadonlyMap<string, readonly TransitionLike[]>)];
  return [
    node.id,
    node.key,
    node.type,
    node.type === "compound" ? idsOf(node.initial.target) : [],
    node.type === "history" ? [node.history, asTargets((node.config as { target?: unknown }).target)] : [],
    transitions.map(([descriptor, list]) => [descriptor, list.map(leadsTo)] as const).sort(byName),
    (node.always ?? []).map(leadsTo),
    children.map((child) => [child.key, structureOf(child)] as const).sort(byName),
    // At the end, and only where there is any: machines that invoke nothing keep the fingerprint that they have always had.
    ...invocationsOf(node).map(({ id, src }) => [id, src]),
  ];
}

function leadsTo({ target, reenter }: TransitionLike): unknown {
  return [target === undefined ? null : idsOf(target), reenter];
}

function idsOf(nodes: readonly AnyStateNode[]): string[] {
  return nodes.map((node) => node.id);
}

function asTargets(target: unknown): unknown[] {
  return target === undefined ? [] : Array.isArray(target) ? target : [target];
}

function byName(one: readonly [string, unknown], other: readonly [string, unknown]): number {
  return one[0] < other[0] ? -1 : one[0] > other[0] ? 1 : 0;
}

/**
 * The states of a saga on its way forward: one for each node, named by it.
 *
 * 1. Before the pivot every state leaves for `halt` when the saga is turned round: at once where it waits, and after settling where a step is under way (S4).
 * 2. Past the pivot nothing turns round: what fails for good is stuck (S6).
 */
import { TerminalError } from "../../runtime/core/errors.ts";
import { change, decided, failed, turn } from "./changes.ts";
import {
  at,
  type Drawing,
  isTurning,
  type Moment,
  type Place,
  type StateConfig,
  scopeOf,
  stuckState,
} from "./drawing.ts";
import type { Branch, ChooseNode, SagaNode } from "./model.ts";
import type { SagaContext } from "./progress.ts";
import { stepState } from "./steps.ts";
import { waitState } from "./waiting.ts";

/** States that follow each other. */
export interface Chain {
  readonly initial: string;
  readonly states: Readonly<Record<string, StateConfig>>;
}

/** Draws nodes one after the other. `done` is the state after the last one, and `halt` where the chain is left when the saga turns round. */
export function chainOf(
  drawing: Drawing,
  nodes: readonly SagaNode[],
  path: readonly string[],
  resultOf: (node: SagaNode) => readonly string[],
  done: string,
  halt: string | undefined,
): Chain {
  const states: Record<string, StateConfig> = {};
  let isAfter = halt === undefined;
  for (const [i, node] of nodes.entries()) {
    const next = at(drawing, [...path, nodes[i + 1]?.name ?? done]);
    const place = { path: [...path, node.name], result: resultOf(node), next, halt: isAfter ? undefined : halt };
    states[node.name] = stateOf(drawing, node, place);
    isAfter ||= node === drawing.pivot;
  }
  return { initial: nodes[0]?.name ?? done, states };
}

function stateOf(drawing: Drawing, node: SagaNode, place: Place): StateConfig {
  switch (node.kind) {
    case "step":
      return stepState(drawing, node, place);
    case "wait":
      return waitState(drawing, node, place);
    case "choose":
      return chooseState(drawing, node, place);
    case "all":
      return {
        description: `Branches that run side by side: ${node.branches.map(({ name }) => name).join(", ")}.`,
        meta: { step: node.name, kind: "all" },
        type: "parallel",
        states: Object.fromEntries(node.branches.map((branch) => [branch.name, branchState(drawing, branch, place)])),
        onDone: onward(place),
      };
  }
}

/** Goes on, unless the saga was turned round. */
function onward({ next, halt }: Place): StateConfig[] {
  return [...(halt === undefined ? [] : [{ guard: isTurning, target: halt }]), { target: next }];
}

function branchState(drawing: Drawing, branch: Branch, place: Place, more: StateConfig = {}): StateConfig {
  const path = [...place.path, branch.name];
  const result = [...place.result, branch.name];
  const halt = place.halt === undefined ? undefined : at(drawing, [...path, "halted"]);
  const resultOf = (node: SagaNode): readonly string[] => (branch.isSingle ? result : resultPath(node, result));
  const chain = chainOf(drawing, branch.nodes, path, resultOf, "done", halt);
  return {
    description: `Branch "${branch.name}".`,
    meta: { step: branch.name, kind: "branch" },
    initial: chain.initial,
    states: {
      ...chain.states,
      done: { type: "final" },
      ...(halt === undefined ? undefined : { halted: { type: "final", description: "The saga was turned round." } }),
    },
    ...more,
  };
}

/** Groups have no result of their own: what is in them stands beside that of the nodes around. */
export function resultPath(node: SagaNode, below: readonly string[]): readonly string[] {
  return node.kind === "step" || node.kind === "wait" ? [...below, node.name] : below;
}

function chooseState(drawing: Drawing, node: ChooseNode, place: Place): StateConfig {
  const { name, branches } = node;
  const picks = (branch: string) => {
    return ({ context }: Moment): boolean => picked(node, context, place.result).branch === branch;
  };
  const toBranches = branches.map((branch) => ({
    guard: picks(branch.name),
    target: at(drawing, [...place.path, branch.name]),
  }));
  const errorOf = (context: SagaContext): unknown => picked(node, context, place.result).error;
  const { halt } = place;
  const otherwise =
    halt === undefined
      ? {
          target: at(drawing, [...place.path, "stuck"]),
          actions: change((c) => failed(c, name, "refused", errorOf(c))),
        }
      : {
          target: halt,
          actions: change((context) => turn(context, { kind: "failure", step: name, error: errorOf(context) })),
        };
  const turned = halt === undefined ? [] : [{ guard: isTurning, target: halt }];
  const stuck =
    halt === undefined
      ? {
          stuck: stuckState(name, `The choice "${name}" cannot be made.`, errorOf, {
            retry: { target: "choosing" },
            done: { target: place.next, actions: change((context, event) => decided(context, name, event, "done")) },
            skip: { target: place.next, actions: change((context, event) => decided(context, name, event, "skipped")) },
          }),
        }
      : {};
  return {
    description: `One of these runs: ${branches.map((branch) => branch.name).join(", ")}.`,
    meta: { step: name, kind: "choose" },
    initial: "choosing",
    states: {
      choosing: { always: [...turned, ...toBranches, otherwise] },
      ...Object.fromEntries(
        branches.map((branch) => [branch.name, branchState(drawing, branch, place, { onDone: onward(place) })]),
      ),
      ...stuck,
    },
  };
}

function picked(
  { name, pick, branches }: ChooseNode,
  context: SagaContext,
  within: readonly string[],
): { branch?: string; error?: unknown } {
  try {
    const branch = pick(scopeOf(context, within));
    if (branches.some((known) => known.name === branch)) return { branch };
    const known = branches.map((one) => `"${one.name}"`).join(", ");
    return { error: new TerminalError(`Cannot choose "${name}": ${JSON.stringify(branch)} is none of ${known}.`) };
  } catch (error) {
    return { error };
  }
}

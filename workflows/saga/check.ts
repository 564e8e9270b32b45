/** Checks of sagas, made before they run: whether each can be undone where it may have to be. */
import type { Branch, SagaModel, SagaNode, StepNode } from "./model.ts";

/** What a check has found. */
export interface SagaCheck {
  /** What is to be corrected, in words. */
  readonly problems: readonly string[];
  /** What is worth knowing, in words. */
  readonly notes: readonly string[];
}

/**
 * Checks a saga. A step that something can fail after needs an `undo`, or `irreversible: true`.
 */
export function checkSaga({ name, nodes }: SagaModel): SagaCheck {
  const pivotAt = nodes.findIndex((node) => node.kind === "step" && node.isPivot);
  const before = pivotAt < 0 ? nodes : nodes.slice(0, pivotAt);
  const bare = bareSteps(before, pivotAt < 0);
  const problems = bare.map(
    ({ name: step }) =>
      `saga "${name}": step "${step}" has neither an undo nor irreversible: true, and what comes after it can fail. Add one of them.`,
  );
  const notes: string[] = [];
  const pivot = pivotAt < 0 ? undefined : (nodes[pivotAt] as StepNode);
  if (pivot !== undefined && pivot.undo === undefined) {
    notes.push(
      `saga "${name}": the pivot "${pivot.name}" has no undo. When it is not known whether it has happened, the saga is stuck until an operator decides.`,
    );
  }
  if (pivotAt === 0)
    notes.push(`saga "${name}": there is nothing before the pivot "${pivot?.name}" that could be undone.`);
  return { problems, notes };
}

/** The steps that lack an undo; `canEnd`: the last one ends the saga, and nothing can fail after it. */
function bareSteps(nodes: readonly SagaNode[], canEnd: boolean): StepNode[] {
  return nodes.flatMap((node, i) => {
    const isLast = canEnd && i === nodes.length - 1;
    if (node.kind === "step") return isLast || node.isIrreversible || node.undo !== undefined ? [] : [node];
    if (node.kind === "wait") return [];
    // A branch that is done is undone when another one fails.
    return below(node.branches, isLast && (node.kind === "choose" || node.branches.length === 1));
  });
}

function below(branches: readonly Branch[], canEnd: boolean): StepNode[] {
  return branches.flatMap(({ nodes }) => bareSteps(nodes, canEnd));
}

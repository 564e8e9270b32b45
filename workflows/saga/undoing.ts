/**
 * The states of a saga that was turned round: those of steps that can be undone, in reverse order; branches side by side, each in reverse (S2).
 *
 * 1. A step about which there is nothing to undo is passed at once.
 * 2. An undo that has failed for good is stuck, and holds up only what comes after it in its own branch (S5).
 */
import { WaitTimeoutError } from "../../runtime/core/errors.ts";
import { both, change, decided, resultAt, type SagaEvent, undoing, undoStuck } from "./changes.ts";
import { at, type Drawing, invokeOf, type Moment, type StateConfig, scopeOf, stuckState } from "./drawing.ts";
import { type Chain, resultPath } from "./forward.ts";
import { type AnyUndoScope, type Doing, defaultUndoRetry, type SagaNode, type StepNode, stepsOf } from "./model.ts";
import { isToUndo, undoOutcome } from "./outcome.ts";
import type { SagaContext } from "./progress.ts";

/** Draws the undoing of nodes; `done` is the state after the last one. */
export function undoChain(
  drawing: Drawing,
  nodes: readonly SagaNode[],
  path: readonly string[],
  resultOf: (node: SagaNode) => readonly string[],
  below: readonly string[],
  done: string,
): Chain {
  const undoable = nodes.filter((node) => stepsOf([node]).some((step) => step.undo !== undefined)).reverse();
  const states: Record<string, StateConfig> = {};
  for (const [i, node] of undoable.entries()) {
    const next = at(drawing, [...path, undoable[i + 1]?.name ?? done]);
    states[node.name] = stateOf(drawing, node, [...path, node.name], resultOf(node), below, next);
  }
  return { initial: undoable[0]?.name ?? done, states };
}

function stateOf(
  drawing: Drawing,
  node: SagaNode,
  path: readonly string[],
  result: readonly string[],
  below: readonly string[],
  next: string,
): StateConfig {
  if (node.kind === "step") return undoState(drawing, node, node.undo as Doing, path, result, next);
  const branches = (node as Extract<SagaNode, { branches: unknown }>).branches
    .filter((branch) => stepsOf(branch.nodes).some((step) => step.undo !== undefined))
    .map((branch) => {
      const here = [...below, branch.name];
      const resultOf = (inner: SagaNode) => (branch.isSingle ? here : resultPath(inner, here));
      const chain = undoChain(drawing, branch.nodes, [...path, branch.name], resultOf, here, "done");
      const state = { initial: chain.initial, states: { ...chain.states, done: { type: "final" } } };
      return [branch.name, { ...state, description: `Undoes branch "${branch.name}".` }] as const;
    });
  return {
    description: `Undoes ${node.kind === "all" ? "the branches side by side" : "the branch that was chosen"}.`,
    meta: { step: node.name, kind: node.kind },
    type: "parallel",
    states: Object.fromEntries(branches),
    onDone: { target: next },
  };
}

function undoState(
  drawing: Drawing,
  step: StepNode,
  undo: Doing,
  path: readonly string[],
  result: readonly string[],
  next: string,
): StateConfig {
  const { name, undoTimeoutMs } = step;
  const { model } = drawing;
  const scope = (context: SagaContext): AnyUndoScope => {
    const progress = context.steps[name];
    const outcome = progress === undefined ? "unknown" : undoOutcome(progress);
    return {
      ...scopeOf(context, result.slice(0, -1)),
      result: outcome === "done" ? resultAt(context, result) : undefined,
      outcome,
    };
  };
  const rules = {
    activity: `${model.name}-${name}-undo`,
    tail: `undo.${name}`,
    retry: step.undoRetry ?? model.undoRetry ?? defaultUndoRetry,
    ownRetry: step.undoRetry ?? model.undoRetry ?? defaultUndoRetry,
    attemptTimeoutMs: step.attemptTimeoutMs,
    isFatal: () => false,
  };
  const fails = (error: (event: SagaEvent) => unknown): StateConfig => ({
    target: at(drawing, [...path, "stuck"]),
    actions: change((context, event) => undoStuck(context, name, error(event))),
  });
  const late = () =>
    new WaitTimeoutError(
      `Undoing step "${name}" of saga "${model.name}" did not end within ${undoTimeoutMs} ms: it was left.`,
      {
        details: { saga: model.name, step: name, undoTimeoutMs },
      },
    );
  const says = (end: "noted" | "skipped"): StateConfig => ({
    target: next,
    actions: change((context, event) =>
      both(context, decided(context, name, event), (after) => undoing(after, name, end)),
    ),
  });
  return {
    description: `Undoes step "${name}".`,
    meta: { step: name, kind: "undo" },
    initial: "due",
    states: {
      due: {
        always: [
          { guard: ({ context }: Moment) => isToUndo(step, context.steps[name]), target: "running" },
          { target: next },
        ],
      },
      running: {
        entry: change((context) => undoing(context, name, "begun")),
        invoke: invokeOf(drawing, `undo ${name}`, undo, rules, scope, {
          onDone: { target: next, actions: change((context) => undoing(context, name, "done")) },
          onError: fails((event) => event.error),
        }),
        ...(undoTimeoutMs === undefined ? undefined : { after: { [undoTimeoutMs]: fails(late) } }),
      },
      stuck: stuckState(
        name,
        `Step "${name}" cannot be undone. saga.retry tries it again, saga.done says that it is undone, saga.skip leaves it as it is.`,
        (context) => context.steps[name]?.undoError,
        {
          retry: { target: "running", actions: change((context, event) => decided(context, name, event)) },
          done: says("noted"),
          skip: says("skipped"),
        },
        [],
      ),
    },
  };
}

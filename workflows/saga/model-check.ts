/** What is wrong with a model, before a machine is made of it: names that cannot be names of states, of activities or of keys. */
import { InvalidDefinitionError } from "../../runtime/core/errors.ts";
import { type SagaModel, type SagaNode, stepsOf, waitsIn } from "./model.ts";

/** States that every saga has, beside those that are named by its parts. */
const reserved = [
  "input",
  "results",
  "constructor",
  "prototype",
  "completed",
  "undoing",
  "undone",
  "done",
  "halted",
  "choosing",
  "stuck",
];

/** Lists every problem, in words. */
export function modelProblems(model: SagaModel): string[] {
  return [...problemsOf(model)];
}

/** Throws `InvalidDefinitionError` naming every problem. */
export function checkModel(model: SagaModel): void {
  const problems = modelProblems(model);
  if (problems.length === 0) return;
  throw new InvalidDefinitionError(`Cannot make saga ${JSON.stringify(model.name)}: ${problems.join("; ")}.`, {
    details: { saga: model.name, problems },
  });
}

function* problemsOf(model: SagaModel): Generator<string> {
  if (!/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(model.name)) {
    yield 'its name must start with a letter and hold at most 64 letters, digits, "-" or "_"';
  }
  const names = [...nameProblems(model.nodes, new Set())];
  yield* names;
  // Names that stand twice would be activities that stand twice.
  if (names.length === 0) yield* activityProblems(model);
  const pivots = stepsOf(model.nodes).filter(({ isPivot }) => isPivot);
  if (pivots.length > 1) yield `it has ${pivots.length} pivots: there is one at most`;
  for (const pivot of pivots) {
    if (!model.nodes.includes(pivot)) yield `the pivot "${pivot.name}" stands in a branch: it must stand at the top`;
  }
}

function* nameProblems(nodes: readonly SagaNode[], known: Set<string>): Generator<string> {
  for (const node of nodes) {
    // The name of a group with `all` is made of those of its branches.
    if (node.kind !== "all") yield* nameProblem(node.name, node.kind, known);
    if (node.kind === "step" || node.kind === "wait") continue;
    for (const branch of node.branches) {
      const isNamedByStep = branch.isSingle && branch.nodes[0]?.name === branch.name;
      if (!isNamedByStep) yield* nameProblem(branch.name, "branch", known);
      yield* nameProblems(branch.nodes, known);
    }
  }
}

function* nameProblem(name: string, kind: string, known: Set<string>): Generator<string> {
  const what = `the ${kind === "wait" ? "event" : kind} ${JSON.stringify(name)}`;
  if (known.has(name)) yield `${what} has a name that another part has too`;
  known.add(name);
  if (reserved.includes(name)) yield `${what} has a name that states of every saga have: use another one`;
  if (kind === "wait") {
    if (/^$|\*|^__|^\d+$|^(xstate|statewright|workflow|saga)\./.test(name))
      yield `${what} cannot be awaited: its type is reserved`;
  } else if (!/^[A-Za-z][A-Za-z0-9_-]{0,59}$/.test(name)) {
    yield `${what} must begin with a letter and hold at most 60 letters, digits, "-" or "_"`;
  }
}

/** Handlers become activities, whose names hold 64 letters at most and are one each. */
function* activityProblems(model: SagaModel): Generator<string> {
  const users = new Map<string, string>();
  for (const [activity, user] of activitiesOf(model)) {
    if (activity.length > 64) {
      yield `${user} would be the activity "${activity}", whose name has more than 64 letters: use a shorter name`;
    }
    const other = users.get(activity);
    if (other !== undefined) yield `${user} and ${other} would both be the activity "${activity}": use another name`;
    users.set(activity, user);
  }
}

function* activitiesOf(model: SagaModel): Generator<readonly [activity: string, user: string]> {
  for (const step of stepsOf(model.nodes)) {
    if (step.do.kind === "handler") yield [`${model.name}-${step.name}`, `step "${step.name}"`];
    if (step.undo?.kind === "handler") yield [`${model.name}-${step.name}-undo`, `the undo of step "${step.name}"`];
  }
  for (const { name, escalations } of waitsIn(model.nodes)) {
    for (const [i, { do: doing }] of escalations.entries()) {
      const word = name.replaceAll(/[^A-Za-z0-9_-]/g, "-");
      if (doing.kind === "handler") {
        yield [`${model.name}-${word}-escalate-${i + 1}`, `escalation ${i + 1} of "${name}"`];
      }
    }
  }
}

/** Plans: what is undone, and in which order, when a step fails; for every step, without running any. */
import {
  type AllNode,
  type Branch,
  type ChooseNode,
  type SagaModel,
  type SagaNode,
  type StepNode,
  stepsOf,
} from "./model.ts";

/** Something that is undone, or left. */
export type PlannedUndo =
  /** `isLeft`: it was done and stays, since it is irreversible or has no undo. `isUncertain`: it has failed, and is undone only when it may have happened. */
  | { readonly kind: "step"; readonly step: string; readonly isLeft: boolean; readonly isUncertain: boolean }
  /** Branches that are undone side by side, each as far as it has come. */
  | { readonly kind: "all"; readonly branches: ReadonlyArray<readonly PlannedUndo[]> }
  /** The branch that was chosen. */
  | { readonly kind: "choose"; readonly branches: ReadonlyArray<readonly PlannedUndo[]> };

/** What happens when one step fails for good. */
export interface PlanRow {
  /** The step, or the event that does not come in time. */
  readonly fails: string;
  readonly kind: "step" | "pivot" | "wait";
  /**
   * `compensated`: what was done is undone. `stuck`: an operator decides, there is no way back. `stuck-if-unknown`: stuck when it is not known whether it has happened, compensated
   * when it certainly has not.
   */
  readonly ends: "compensated" | "stuck" | "stuck-if-unknown";
  /** What is undone, in this order: the step itself, if it may have happened, and all that was done before. */
  readonly undone: readonly PlannedUndo[];
}

/** The undo matrix of a saga. `String(plan)` is a table. */
export interface SagaPlan {
  readonly saga: string;
  readonly rows: readonly PlanRow[];
  toString(): string;
}

/** Makes the plan of a saga. */
export function planOf(model: SagaModel): SagaPlan {
  const rows = rowsOf(model.nodes, []);
  return { saga: model.name, rows, toString: () => tableOf(model, rows) };
}

/** `before` is what is undone of the nodes around, in the order of undoing. */
function rowsOf(nodes: readonly SagaNode[], before: readonly PlannedUndo[], isLateAround = false): PlanRow[] {
  const rows: PlanRow[] = [];
  let undone = before;
  let isLate = isLateAround;
  for (const node of nodes) {
    switch (node.kind) {
      case "step":
        rows.push(rowOf(node, undone, isLate));
        isLate ||= node.isPivot;
        break;
      case "wait":
        if (node.withinMs !== undefined && node.otherwise.kind === "fail") {
          const ends = isLate ? "stuck" : "compensated";
          rows.push({ fails: node.name, kind: "wait", ends, undone: isLate ? [] : undone });
        }
        break;
      default:
        rows.push(...rowsOfGroup(node, undone, isLate));
    }
    undone = [...undoOf(node), ...undone];
  }
  return rows;
}

function rowOf(step: StepNode, undone: readonly PlannedUndo[], isLate: boolean): PlanRow {
  const kind = step.isPivot ? "pivot" : "step";
  if (isLate) return { fails: step.name, kind, ends: "stuck", undone: [] };
  const undoesItself = step.undo !== undefined && step.undoOn !== "done";
  const ends = step.isPivot && !undoesItself ? "stuck-if-unknown" : "compensated";
  // One that is only undone when it was done has failed, and is left.
  const isLeft = !undoesItself;
  const itself: PlannedUndo = { kind: "step", step: step.name, isLeft, isUncertain: step.undoOn !== "always" };
  return { fails: step.name, kind, ends, undone: step.isPivot && isLeft ? undone : [itself, ...undone] };
}

function rowsOfGroup(node: AllNode | ChooseNode, undone: readonly PlannedUndo[], isLate: boolean): PlanRow[] {
  return node.branches.flatMap((branch) => {
    const others = node.kind === "all" ? node.branches.filter((each) => each !== branch) : [];
    const beside = others.map((each) => undoOfBranch(each)).filter((each) => each.length > 0);
    return rowsOf(branch.nodes, [], isLate).map((row): PlanRow => {
      if (row.ends === "stuck") return row;
      const own = row.undone;
      const here: readonly PlannedUndo[] =
        beside.length === 0 ? own : [{ kind: "all", branches: [...(own.length === 0 ? [] : [own]), ...beside] }];
      return { ...row, undone: [...here, ...undone] };
    });
  });
}

function undoOf(node: SagaNode): PlannedUndo[] {
  if (node.kind === "wait") return [];
  if (node.kind === "step") {
    return [{ kind: "step", step: node.name, isLeft: node.undo === undefined, isUncertain: false }];
  }
  const branches = node.branches.map(undoOfBranch).filter((branch) => branch.length > 0);
  return branches.length === 0 ? [] : [{ kind: node.kind, branches }];
}

function undoOfBranch({ nodes }: Branch): PlannedUndo[] {
  return nodes.flatMap(undoOf).length === 0 ? [] : [...nodes].reverse().flatMap(undoOf);
}

const tableWidth = 100;

const legend = {
  itself: '"?": when it may have happened',
  left: '"!": stays as it is',
  beside: '"{a | b}": side by side, as far as they have come',
  either: '"<a / b>": the one that was chosen',
};

function tableOf({ name, nodes }: SagaModel, rows: readonly PlanRow[]): string {
  const used = new Set<keyof typeof legend>();
  const lines = rows.map((row) => [
    row.kind === "pivot" ? `${row.fails} (pivot)` : row.kind === "wait" ? `${row.fails} (does not come)` : row.fails,
    undoneText(row, used),
    endText(row),
  ]);
  const heads = ["when this fails", "this is undone, in this order", "and the saga is"];
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...lines.map((line) => (line[column] ?? "").length)),
  );
  // What is undone is broken into lines where the table would be too wide.
  const [fails = 0, , ends = 0] = widths;
  widths[1] = Math.min(widths[1] ?? 0, Math.max(heads[1]?.length ?? 0, tableWidth - fails - ends - 4));
  const write = ([first = "", second = "", third = ""]: readonly string[]): string => {
    const [line = "", ...more] = broken(second, widths[1] ?? 0);
    return [row([first, line, third]), ...more.map((each) => row(["", each, ""]))].join("\n");
  };
  const row = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "-".repeat(width));
  const count = stepsOf(nodes).length;
  const steps = count === 1 ? "1 step" : `${count} steps`;
  const notes = (Object.keys(legend) as Array<keyof typeof legend>).filter((each) => used.has(each));
  return [
    `Saga ${name}: ${steps}`,
    "",
    write(heads),
    write(rule),
    ...lines.map(write),
    ...(notes.length === 0 ? [] : ["", ...notes.map((note) => legend[note])]),
  ].join("\n");
}

/** Breaks a text at its arrows, so that its lines are not wider than they may be where that can be helped. */
function broken(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const part of text.split(" -> ")) {
    const last = lines.at(-1);
    const joined = last === undefined ? part : `${last} -> ${part}`;
    if (last === undefined) lines.push(part);
    else if (joined.length <= width) lines[lines.length - 1] = joined;
    else lines.push(`-> ${part}`);
  }
  return lines;
}

function undoneText(row: PlanRow, used: Set<keyof typeof legend>): string {
  if (row.ends === "stuck") return "nothing: it only goes forward";
  return row.undone.length === 0 ? "nothing" : row.undone.map((undo) => textOf(undo, used)).join(" -> ");
}

function textOf(undo: PlannedUndo, used: Set<keyof typeof legend>): string {
  if (undo.kind === "step") {
    if (undo.isLeft) used.add("left");
    if (undo.isUncertain) used.add("itself");
    return `${undo.step}${undo.isUncertain ? "?" : ""}${undo.isLeft ? "!" : ""}`;
  }
  const branches = undo.branches.map((branch) => branch.map((each) => textOf(each, used)).join(" -> "));
  if (branches.length === 1 && undo.kind === "all") return branches[0] as string;
  used.add(undo.kind === "all" ? "beside" : "either");
  return undo.kind === "all" ? `{${branches.join(" | ")}}` : `<${branches.join(" / ")}>`;
}

function endText({ ends }: PlanRow): string {
  switch (ends) {
    case "compensated":
      return "compensated";
    case "stuck":
      return "stuck: an operator decides";
    case "stuck-if-unknown":
      return "compensated; stuck if it may have happened";
  }
}

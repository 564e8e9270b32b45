/** What the context of a saga says of its steps, and which dead letters ask for a decision about them. */
import type { Client } from "../../actors/client.ts";
import type { ActorView } from "../../actors/view.ts";
import { formatAddress } from "../../runtime/core/address.ts";
import { stepLetters } from "../../workflows/saga/operator.ts";
import type { SagaContext, StepProgress } from "../../workflows/saga/progress.ts";
import { shownJson } from "../shown-values.ts";
import { pad, printable, widthOf } from "../terminal.ts";

/** How far a saga has come; undefined for a workflow that is none. */
export function sagaIn({ context }: Pick<ActorView, "context">): SagaContext | undefined {
  if (typeof context !== "object" || context === null) return undefined;
  const { steps, direction, received } = context as Partial<SagaContext>;
  const isSaga = isObject(steps) && isObject(received) && (direction === "forward" || direction === "undoing");
  // Nothing else looks like this; what is in it is read with care.
  return isSaga ? (context as SagaContext) : undefined;
}

/** The steps that were begun, in this order. */
export function stepsIn({ steps }: SagaContext): ReadonlyArray<readonly [string, StepProgress]> {
  return Object.entries(steps).sort(([, one], [, other]) => one.n - other.n);
}

/** What of a step waits for an operator: doing it, or undoing it; undefined when it does not. */
export function stuckPart({ undo, isStuck }: StepProgress): "do" | "undo" | undefined {
  if (undo === "stuck") return "undo";
  return isStuck === true ? "do" : undefined;
}

/** Counts steps: `2 done, 1 begun`; those that are undone, and those that are stuck, are counted as that. */
export function shownCounts(saga: SagaContext): string {
  const counts = new Map<string, number>();
  for (const [, step] of stepsIn(saga)) {
    const part = stuckPart(step);
    const undo = step.undo === undefined ? undefined : shownUndo(step.undo);
    const what = part !== undefined ? "stuck" : (undo ?? step.state);
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return [...counts].map(([what, count]) => `${count} ${what}`).join(", ") || "-";
}

const undos: Readonly<Record<NonNullable<StepProgress["undo"]>, string>> = {
  begun: "being undone",
  done: "undone",
  stuck: "stuck",
  noted: "said to be undone",
  skipped: "left as it is",
};

/** What became of undoing a step, in words. */
export function shownUndo(undo: NonNullable<StepProgress["undo"]>): string {
  return undos[undo] ?? String(undo);
}

/** The steps as lines of a table. */
export function stepLines(saga: SagaContext): string[] {
  const rows = stepsIn(saga).map(([name, step]) => {
    const { state, undo, error, undoError, note, by } = step;
    const failed = undoError ?? error;
    const said = note === undefined ? (by === undefined ? "" : `by ${by}`) : by === undefined ? note : `${by}: ${note}`;
    return [
      name,
      step.isStuck === true ? `${state}, stuck` : state,
      undo === undefined ? "-" : shownUndo(undo),
      failed === undefined ? "-" : shownError(failed),
      said === "" ? "-" : said,
    ];
  });
  const table = [["step", "state", "undo", "error", "note"], ...rows];
  // Columns in which nothing is said are left out.
  const kept = [0, 1, 2, 3, 4].filter((at) => at < 2 || rows.some((row) => row[at] !== "-"));
  const widths = kept.map((at) => Math.max(...table.map((row) => widthOf(printable(row[at] as string)))));
  return table.map((row) =>
    kept
      .map((at, i) =>
        i === kept.length - 1 ? printable(row[at] as string) : pad(printable(row[at] as string), widths[i] as number),
      )
      .join("  ")
      .trimEnd(),
  );
}

/** Writes an error as its name and message. */
export function shownError(error: unknown): string {
  if (error instanceof Error) return `${error.name}: ${error.message}`;
  return typeof error === "string" ? error : shownJson(error);
}

/** A step that waits for an operator. */
export interface StuckStep {
  readonly saga: string;
  readonly step: string;
  readonly part: "do" | "undo";
  /** Since when, milliseconds since 1970: as its letter says; without one, when the saga's state was last written. */
  readonly since: number;
  readonly error: unknown;
  readonly letter: string | undefined;
}

/** The steps of a saga that wait for an operator. */
export async function stuckSteps(client: Client, view: ActorView, saga: SagaContext): Promise<StuckStep[]> {
  const stuck = stepsIn(saga).flatMap(([step, progress]) => {
    const part = stuckPart(progress);
    return part === undefined ? [] : [{ step, progress, part }];
  });
  if (stuck.length === 0) return [];
  const letters = await stepLetters(client, view.address);
  return stuck.map(({ step, progress, part }) => {
    const letter = letters.findLast((each) => each.step === step);
    return {
      saga: formatAddress(view.address),
      step,
      part,
      since: letter?.at ?? view.at,
      error: part === "undo" ? progress.undoError : progress.error,
      letter: letter?.letter,
    };
  });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * `statewright check`: looks at the sagas in modules, replays what the actors of a space have handled against the code, and says what is wrong and what would be different.
 *
 * It only reads: it can be run against a space whose nodes are at work, before anything is deployed.
 */
import { type CheckedActor, checkHistories } from "../../actors/history-check.ts";
import { InvalidOptionsError } from "../../runtime/core/errors.ts";
import { chooseActors } from "../chosen-actors.ts";
import type { ConnectionFlags } from "../connection-flags.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { withSpace } from "../open-client.ts";
import { type Kind, type OutputFormat, printList } from "../printer.ts";
import { shownJson, toPlain } from "../shown-values.ts";
import { cut, type Io, paint, printable, type Terminal } from "../terminal.ts";
import { findingsOf, printFindings, sagasAmong } from "./saga-plan.ts";

/** What the options of `check` hold. */
export interface CheckFlags extends ConnectionFlags {
  readonly output: OutputFormat;
  readonly type?: string;
  readonly id?: string;
  readonly limit: number;
  /** Nothing is replayed: only what the modules say themselves is looked at. */
  readonly static?: boolean;
}

type Result = CheckedActor["result"];

/** What came of the actors of one type. */
interface TypeReport {
  readonly type: string;
  readonly counts: Record<Result, number>;
  steps: number;
  notReplayable: number;
}

const results: readonly Result[] = ["same", "differs", "fails", "not replayable"];

const typeKind: Kind<TypeReport> = {
  id: ({ type }) => type,
  json: ({ type, counts, steps, notReplayable }) => ({
    type,
    actors: actorsIn(counts),
    same: counts.same,
    differs: counts.differs,
    fails: counts.fails,
    notReplayable: counts["not replayable"],
    steps,
    stepsNotReplayable: notReplayable,
  }),
  columns: [
    { header: "type", cell: ({ type }) => type, isFlexible: true },
    { header: "actors", cell: ({ counts }) => String(actorsIn(counts)) },
    { header: "same", cell: ({ counts }) => String(counts.same) },
    { header: "differ", cell: ({ counts }) => String(counts.differs), style: redIf("differs") },
    { header: "fail", cell: ({ counts }) => String(counts.fails), style: redIf("fails") },
    { header: "not replayable", cell: ({ counts }) => String(counts["not replayable"]) },
    { header: "steps replayed", cell: ({ steps, notReplayable }) => `${steps - notReplayable} of ${steps}` },
  ],
};

function redIf(result: Result): (report: TypeReport) => "red" | undefined {
  return ({ counts }) => (counts[result] > 0 ? "red" : undefined);
}

function actorsIn(counts: TypeReport["counts"]): number {
  return results.reduce((sum, result) => sum + counts[result], 0);
}

/** How many reasons are told for which steps could not be replayed. */
const maxReasons = 5;

/** Checks sagas, replays histories, and prints what is wrong or different. Exit code 1 when a saga has problems, or an actor differs or fails. */
export async function check(modules: readonly string[], flags: CheckFlags, io: Io): Promise<ExitCode> {
  const definitions = await chooseActors(modules, flags.type, io.cwd);
  if (flags.id !== undefined && flags.type === undefined && definitions.length > 1) {
    throw new InvalidOptionsError("Cannot check one actor: --id needs --type, since the modules define several types.");
  }
  if (flags.id !== undefined && flags.static === true) {
    throw new InvalidOptionsError("Cannot check one actor: --static replays nothing, so leave out one of it and --id.");
  }
  const sagas = sagasAmong(definitions);
  const findings = findingsOf(sagas);
  const hasProblems = printFindings(findings, flags.output, io) > 0;
  const sagaCode = hasProblems ? exitCodes.failed : exitCodes.ok;
  if (flags.static === true) {
    if (findings.length === 0 && flags.output === "table") {
      const good = sagas.length === 1 ? "1 saga is" : `${sagas.length} sagas are`;
      io.err.write(sagas.length === 0 ? "The modules define no sagas.\n" : `${good} in order.\n`);
    }
    return sagaCode;
  }
  if (findings.length > 0 && flags.output === "table") io.out.write("\n");
  const reports: TypeReport[] = [];
  const bad: CheckedActor[] = [];
  const reasons = new Map<string, number>();
  await withSpace(flags, io, async (space) => {
    for (const definition of definitions) {
      const counts = { same: 0, differs: 0, fails: 0, "not replayable": 0 };
      const report: TypeReport = { type: definition.type, counts, steps: 0, notReplayable: 0 };
      reports.push(report);
      for await (const checked of checkHistories(space, space.partitions, definition, flags.id)) {
        counts[checked.result]++;
        report.steps += checked.steps;
        report.notReplayable += checked.notReplayable;
        for (const [reason, count] of checked.unknown) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
        if (checked.result !== "differs" && checked.result !== "fails") continue;
        // What a script reads is all of it, as it is found.
        if (flags.output === "json") io.out.write(`${JSON.stringify(jsonOfActor(checked))}\n`);
        else if (flags.output === "ids") io.out.write(`${printable(checked.actor)}\n`);
        else if (bad.length < flags.limit) bad.push(checked);
      }
    }
  });
  if (flags.output !== "ids") printList(io.out, flags.output, typeKind, reports);
  for (const checked of bad) io.out.write(`\n${linesOf(checked, io.out).join("\n")}\n`);
  const isBad = reports.some(({ counts }) => counts.differs + counts.fails > 0);
  const count = reports.reduce((sum, { counts }) => sum + counts.differs + counts.fails, 0);
  if (flags.output === "table") {
    if (count > bad.length) io.err.write(`${count - bad.length} more: --limit shows more of them, -o ids names all.\n`);
    tellReasons(reasons, io.err);
    if (reports.every(({ counts }) => actorsIn(counts) === 0)) io.err.write("There are no such actors in the space.\n");
  }
  return isBad ? exitCodes.failed : sagaCode;
}

function tellReasons(reasons: ReadonlyMap<string, number>, err: Terminal): void {
  const sorted = [...reasons].sort(([, one], [, other]) => other - one);
  for (const [reason, count] of sorted.slice(0, maxReasons)) {
    err.write(`Not replayable, ${count === 1 ? "1 step" : `${count} steps`}: ${printable(reason)}\n`);
  }
  if (sorted.length > maxReasons) err.write(`Not replayable for ${sorted.length - maxReasons} more reasons.\n`);
}

function jsonOfActor({ actor, result, steps, notReplayable, first }: CheckedActor): unknown {
  return toPlain({
    actor,
    result,
    steps,
    stepsNotReplayable: notReplayable,
    revision: first?.revision,
    events: first?.events,
    differences: first?.differences,
    reason: first?.reason,
  });
}

/** What is said of an actor that differs or fails: where, with which event, and what. */
function linesOf({ actor, result, first }: CheckedActor, out: Terminal): string[] {
  const { revision = 0, events = [], differences = [], reason } = first ?? {};
  const event = events.at(-1);
  const where = revision === 0 ? "" : ` at revision ${revision}${event === undefined ? "" : `, with ${event}`}`;
  const title = `${paint(out, "bold", printable(actor))} ${paint(out, "red", result)}${printable(where)}`;
  const width = Math.max(...differences.map(({ path }) => path.length), 0);
  const changes = differences.map(({ path, before, now }) => {
    const line = `  ${path.padEnd(width)}  ${shownJson(before)} -> ${shownJson(now)}`;
    return out.width === undefined ? printable(line) : cut(printable(line), out.width);
  });
  return [title, ...changes, ...(reason === undefined ? [] : [`  ${printable(reason)}`])];
}

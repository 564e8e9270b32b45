/** `statewright saga plan`, and what `statewright check` says of sagas: both read the definitions in modules, and need no server. */
import type { AnyActorDefinition } from "../../actors/define-actor.ts";
import { InvalidOptionsError } from "../../runtime/core/errors.ts";
import { chooseActors } from "../chosen-actors.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { type Kind, type OutputFormat, printList } from "../printer.ts";
import { type Io, printable } from "../terminal.ts";

/** A definition that can tell its plan, and what is wrong with it. */
export interface PlannedDefinition {
  readonly type: string;
  plan(): { toString(): string };
  check(): { readonly problems: readonly string[]; readonly notes: readonly string[] };
}

/** Something that is to be said of a saga. */
export interface SagaFinding {
  readonly saga: string;
  readonly kind: "problem" | "note";
  readonly text: string;
}

const findingKind: Kind<SagaFinding> = {
  id: ({ saga }) => saga,
  json: (finding) => finding,
  columns: [
    { header: "saga", cell: ({ saga }) => saga },
    { header: "what", cell: ({ kind }) => kind, style: ({ kind }) => (kind === "problem" ? "red" : "yellow") },
    { header: "text", cell: ({ text }) => text },
  ],
};

/** The sagas among definitions. */
export function sagasAmong(definitions: readonly AnyActorDefinition[]): PlannedDefinition[] {
  return definitions.flatMap((definition) => {
    const { plan, check } = definition as Partial<PlannedDefinition>;
    // Looked at just now: a saga is what has both.
    return typeof plan === "function" && typeof check === "function"
      ? [definition as unknown as PlannedDefinition]
      : [];
  });
}

/** What is to be said of sagas, problems first. */
export function findingsOf(sagas: readonly PlannedDefinition[]): SagaFinding[] {
  return sagas.flatMap((saga) => {
    const { problems, notes } = saga.check();
    return [
      ...problems.map((text): SagaFinding => ({ saga: saga.type, kind: "problem", text })),
      ...notes.map((text): SagaFinding => ({ saga: saga.type, kind: "note", text })),
    ];
  });
}

/** Prints what is to be said of sagas, and tells how many problems there are. As ids, the sagas that have problems. */
export function printFindings(findings: readonly SagaFinding[], output: OutputFormat, io: Pick<Io, "out">): number {
  const problems = findings.filter(({ kind }) => kind === "problem");
  if (output === "ids") {
    for (const saga of new Set(problems.map((problem) => problem.saga))) io.out.write(`${printable(saga)}\n`);
  } else printList(io.out, output, findingKind, findings);
  return problems.length;
}

/** Prints the plans of the sagas in a module, or of the one that is named. */
export async function printPlans(
  module: string,
  name: string | undefined,
  { output }: { readonly output: OutputFormat },
  io: Pick<Io, "out" | "cwd">,
): Promise<ExitCode> {
  const sagas = sagasAmong(await chooseActors([module], name, io.cwd));
  if (sagas.length === 0) {
    const what = name === undefined ? "the module defines none" : `"${name}" is none`;
    throw new InvalidOptionsError(`Cannot show the plan of a saga: ${what}.`, { details: { module, name } });
  }
  for (const [at, saga] of sagas.entries()) {
    if (output === "ids") io.out.write(`${printable(saga.type)}\n`);
    else if (output === "json") io.out.write(`${JSON.stringify({ saga: saga.type, plan: String(saga.plan()) })}\n`);
    else {
      // Its own lines stay lines.
      const lines = String(saga.plan()).trimEnd().split("\n").map(printable);
      io.out.write(`${at === 0 ? "" : "\n"}${lines.join("\n")}\n`);
    }
  }
  return exitCodes.ok;
}

/** An import of a table: each row is checked in turn, and a table that cannot be read ends the import with its error. */
import { assign, emit, fromPromise, setup } from "xstate";
import type { Scenario } from "../scenarios/scenario.ts";

class TableError extends Error {
  override readonly name = "TableError";
}

const readTable = fromPromise<{ rows: readonly string[][] }, { text: string }>(async ({ input }) => {
  const rows = input.text.split("\n").map((line) => line.split(","));
  const width = rows[0]?.length ?? 0;
  rows.forEach((row, i) => {
    if (row.length !== width) throw new TableError(`line ${i + 1} has ${row.length} columns and not ${width}`);
  });
  return { rows };
});

const importMachine = setup({
  types: {
    context: {} as { text: string; rows: readonly string[][]; at: number; refused: readonly number[] },
    events: {} as { type: "CHOOSE"; text: string } | { type: "NEXT" } | { type: "REFUSE"; row: number },
    output: {} as { rows: number; refused: readonly number[] },
    emitted: {} as
      | { type: "READING"; bytes: number }
      | { type: "ROW"; row: number; cells: readonly string[] }
      | { type: "IMPORTED"; rows: number },
  },
  actors: { readTable },
  guards: { isLast: ({ context }) => context.at >= context.rows.length },
}).createMachine({
  id: "import",
  context: { text: "", rows: [], at: 0, refused: [] },
  initial: "choosing",
  states: {
    choosing: { on: { CHOOSE: { target: "reading", actions: assign({ text: ({ event }) => event.text }) } } },
    reading: {
      entry: emit(({ context }) => ({ type: "READING", bytes: context.text.length })),
      invoke: {
        src: "readTable",
        input: ({ context }) => ({ text: context.text }),
        onDone: { target: "importing", actions: assign({ rows: ({ event }) => event.output.rows, text: "" }) },
      },
    },
    importing: {
      always: { guard: "isLast", target: "imported" },
      on: {
        NEXT: {
          actions: [
            emit(({ context }) => ({ type: "ROW", row: context.at + 1, cells: context.rows[context.at] ?? [] })),
            assign({ at: ({ context }) => context.at + 1 }),
          ],
        },
        REFUSE: {
          guard: ({ context, event }) => event.row === context.at + 1,
          actions: assign({
            at: ({ context }) => context.at + 1,
            refused: ({ context, event }) => [...context.refused, event.row],
          }),
        },
      },
    },
    imported: {
      type: "final",
      entry: emit(({ context }) => ({ type: "IMPORTED", rows: context.rows.length - context.refused.length })),
    },
  },
  output: ({ context }) => ({ rows: context.rows.length, refused: context.refused }),
});

/** A table that is imported, and one that cannot be read. */
export const importJob: readonly Scenario[] = [
  {
    name: "a table is imported row by row",
    covers: ["logic.promise", "eventless.guard", "emit.event", "machine.output"],
    machine: () => importMachine,
    steps: [
      { send: { type: "CHOOSE", text: "id,name\n1,Ada\n2,Bob" } },
      { send: { type: "NEXT" } },
      { send: { type: "NEXT" } },
      { send: { type: "REFUSE", row: 1 } },
      { send: { type: "REFUSE", row: 3 } },
      {
        expect: {
          status: "done",
          output: { rows: 3, refused: [3] },
          emitted: [
            { type: "READING", bytes: 19 },
            { type: "ROW", row: 1, cells: ["id", "name"] },
            { type: "ROW", row: 2, cells: ["1", "Ada"] },
            { type: "IMPORTED", rows: 2 },
          ],
        },
      },
    ],
  },
  {
    name: "an import that nobody handles the error of ends with it",
    covers: ["errors.unhandled", "logic.promise"],
    machine: () => importMachine,
    steps: [
      { send: { type: "NEXT" } },
      { send: { type: "CHOOSE", text: "id,name\n1" } },
      {
        expect: {
          status: "error",
          error: { name: "TableError", message: "line 2 has 1 columns and not 2" },
          emitted: [{ type: "READING", bytes: 9 }],
        },
      },
    ],
  },
];

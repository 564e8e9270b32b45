/** A form in steps that keeps everything people put into forms: dates, amounts without limit, sets of choices, and fields that are left out. */
import { assertEvent, assign, emit, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

type Value = string | number | bigint | Date | ReadonlySet<string> | undefined;

const wizardMachine = setup({
  types: {
    context: {} as {
      fields: ReadonlyMap<string, Value>;
      visited: ReadonlySet<string>;
      problems: ReadonlyMap<string, Error>;
      score: number;
      draft: { readonly savedAt: Date | undefined };
    },
    events: {} as
      | { type: "SET"; field: string; value: Value }
      | { type: "CHECK"; score: number }
      | { type: "NEXT" }
      | { type: "BACK" }
      | { type: "GO_TO"; step: "person" | "money" }
      | { type: "SAVE"; at: Date }
      | { type: "SUBMIT" },
    output: {} as { fields: ReadonlyMap<string, Value> },
    emitted: {} as
      | { type: "PROBLEM"; field: string; error: Error }
      | { type: "SAVED"; at: Date | undefined }
      | { type: "SUBMITTED"; fields: ReadonlyMap<string, Value> },
  },
  guards: {
    has: ({ context }, params: { fields: readonly string[] }) =>
      params.fields.every((field) => context.fields.has(field)),
    isScored: ({ context }) => !Number.isNaN(context.score),
    isStep: ({ event }, params: { step: string }) => event.type === "GO_TO" && event.step === params.step,
  },
  actions: {
    visit: assign({ visited: ({ context }, params: { step: string }) => new Set([...context.visited, params.step]) }),
    complain: assign({
      problems: ({ context }, params: { field: string }) =>
        new Map([...context.problems, [params.field, new RangeError(`${params.field} is missing`)]]),
    }),
    tellProblem: emit((_, params: { field: string }) => ({
      type: "PROBLEM" as const,
      field: params.field,
      error: new RangeError(`${params.field} is missing`),
    })),
    store: assign({
      fields: ({ context, event }) => {
        assertEvent(event, "SET");
        return new Map([...context.fields, [event.field, event.value]]);
      },
      problems: ({ context, event }) => {
        assertEvent(event, "SET");
        return new Map([...context.problems].filter(([field]) => field !== event.field));
      },
    }),
  },
}).createMachine({
  id: "wizard",
  context: {
    fields: new Map(),
    visited: new Set(),
    problems: new Map(),
    score: Number.NaN,
    draft: { savedAt: undefined },
  },
  initial: "person",
  on: {
    SET: { actions: "store" },
    SAVE: {
      actions: [
        assign({ draft: ({ event }) => ({ savedAt: event.at }) }),
        emit(({ context }) => ({ type: "SAVED", at: context.draft.savedAt })),
      ],
    },
    GO_TO: [
      { guard: { type: "isStep", params: { step: "person" } }, target: ".person" },
      { guard: { type: "isStep", params: { step: "money" } }, target: ".money" },
    ],
  },
  states: {
    person: {
      entry: { type: "visit", params: { step: "person" } },
      on: {
        NEXT: [
          { guard: { type: "has", params: { fields: ["name", "born"] } }, target: "money" },
          {
            actions: [
              { type: "complain", params: { field: "born" } },
              { type: "tellProblem", params: { field: "born" } },
            ],
          },
        ],
      },
    },
    money: {
      entry: { type: "visit", params: { step: "money" } },
      on: {
        BACK: "person",
        CHECK: { actions: assign({ score: ({ event }) => event.score }) },
        NEXT: { guard: "isScored", target: "review" },
      },
    },
    review: {
      entry: { type: "visit", params: { step: "review" } },
      on: { BACK: "money", SUBMIT: "submitted" },
      after: { [24 * hour]: "money" },
    },
    submitted: {
      type: "final",
      entry: emit(({ context }) => ({ type: "SUBMITTED", fields: context.fields })),
    },
  },
  output: ({ context }) => ({ fields: context.fields }),
});

const born = new Date(Date.UTC(1988, 1, 29));
const savedAt = new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678));
const all = new Map<string, Value>([
  ["name", "Ada 🚀"],
  ["middleName", undefined],
  ["born", born],
  ["wealth", 123_456_789_012_345_678_901n],
  ["hobbies", new Set(["chess", "tea"])],
]);

/** A form that is filled in with all kinds of values, and never mind the order. */
export const wizard: readonly Scenario[] = [
  {
    name: "a form keeps maps, sets, dates, big numbers, errors and what is undefined",
    covers: [
      "value.map",
      "value.set",
      "value.date",
      "value.bigint",
      "value.error",
      "value.undefined",
      "value.nan",
      "value.infinity",
      "assertEvent.type",
      "guard.params",
      "action.params",
      "target.relative",
      "after.numeric",
    ],
    machine: () => wizardMachine,
    steps: [
      { send: { type: "SET", field: "name", value: "Ada 🚀" } },
      { send: { type: "SET", field: "middleName", value: undefined } },
      { send: { type: "NEXT" } },
      { expect: { value: "person", contextHas: { problems: new Map([["born", new RangeError("born is missing")]]) } } },
      { send: { type: "SET", field: "born", value: born } },
      { send: { type: "NEXT" } },
      { send: { type: "SET", field: "wealth", value: 123_456_789_012_345_678_901n } },
      { send: { type: "NEXT" } },
      { expect: { value: "money", contextHas: { score: Number.NaN, problems: new Map() } } },
      { send: { type: "CHECK", score: Number.POSITIVE_INFINITY } },
      { send: { type: "NEXT" } },
      { hours: 24 },
      { send: { type: "SET", field: "hobbies", value: new Set(["chess", "tea"]) } },
      { send: { type: "SAVE", at: savedAt } },
      { send: { type: "GO_TO", step: "person" } },
      { send: { type: "NEXT" } },
      { send: { type: "NEXT" } },
      { send: { type: "SUBMIT" } },
      {
        expect: {
          status: "done",
          output: { fields: all },
          context: {
            fields: all,
            visited: new Set(["person", "money", "review"]),
            problems: new Map(),
            score: Number.POSITIVE_INFINITY,
            draft: { savedAt },
          },
          emitted: [
            { type: "PROBLEM", field: "born", error: new RangeError("born is missing") },
            { type: "SAVED", at: savedAt },
            { type: "SUBMITTED", fields: all },
          ],
        },
      },
    ],
  },
];

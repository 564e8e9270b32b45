/** Know your customer: three checks side by side, each with its own way to fail, and one answer when all are through. */
import { assign, emit, fromPromise, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

interface Person {
  readonly name: string;
  readonly born: Date;
  readonly street: string;
}

const readPassport = fromPromise<{ isAdult: boolean }, Person>(async ({ input }) => ({
  isAdult: input.born.getUTCFullYear() <= 2000,
}));

const findAddress = fromPromise<{ postcode: string }, { street: string; isLenient: boolean }>(async ({ input }) => {
  if (input.street === "") throw new TypeError("the street is empty");
  if (input.street === "Nowhere 1" && !input.isLenient) throw new Error("the street is not in the register");
  return { postcode: input.street.length.toString().padStart(5, "0") };
});

const searchLists = fromPromise<{ hits: number }, { name: string }>(async ({ input }) => {
  if (input.name === "Mallory") throw new Error("the lists are not available");
  return { hits: input.name === "Trudy" ? 1 : 0 };
});

/** Ends in an error when the lists cannot be searched: nothing here handles that. */
const sanctionsMachine = setup({
  types: { context: {} as { name: string; hits: number }, input: {} as { name: string }, output: {} as number },
  actors: { searchLists },
}).createMachine({
  id: "sanctions",
  context: ({ input }) => ({ name: input.name, hits: 0 }),
  initial: "searching",
  states: {
    searching: {
      invoke: {
        src: "searchLists",
        input: ({ context }) => ({ name: context.name }),
        onDone: { target: "searched", actions: assign({ hits: ({ event }) => event.output.hits }) },
      },
    },
    searched: { type: "final" },
  },
  output: ({ context }) => context.hits,
});

const kycMachine = setup({
  types: {
    context: {} as { person: Person; findings: Readonly<Record<string, string>>; isLenient: boolean },
    events: {} as { type: "CORRECT"; street: string } | { type: "OVERRULE"; by: string },
    input: {} as Person,
    output: {} as Readonly<Record<string, string>>,
    emitted: {} as { type: "KYC"; result: "clear" | "refused"; findings: Readonly<Record<string, string>> },
  },
  actors: { readPassport, findAddress, sanctions: sanctionsMachine },
  guards: {
    isClear: ({ context }) =>
      Object.values(context.findings).every((finding) => finding === "clear" || finding.startsWith("overruled")),
  },
  actions: {
    note: assign({
      findings: ({ context }, params: { check: string; finding: string }) => ({
        ...context.findings,
        [params.check]: params.finding,
      }),
    }),
  },
}).createMachine({
  id: "kyc",
  context: ({ input }) => ({ person: input, findings: {}, isLenient: false }),
  initial: "checking",
  states: {
    checking: {
      type: "parallel",
      states: {
        identity: {
          initial: "reading",
          states: {
            reading: {
              invoke: {
                src: "readPassport",
                input: ({ context }) => context.person,
                onDone: {
                  target: "known",
                  actions: {
                    type: "note",
                    params: ({ event }) => ({ check: "identity", finding: event.output.isAdult ? "clear" : "a minor" }),
                  },
                },
              },
            },
            known: { type: "final" },
          },
        },
        address: {
          initial: "finding",
          states: {
            finding: {
              invoke: {
                src: "findAddress",
                input: ({ context }) => ({ street: context.person.street, isLenient: context.isLenient }),
                onDone: {
                  target: "known",
                  actions: { type: "note", params: { check: "address", finding: "clear" } },
                },
                onError: [
                  { guard: ({ event }) => event.error instanceof TypeError, target: "asking" },
                  { target: "doubtful" },
                ],
              },
            },
            asking: {
              on: {
                CORRECT: {
                  target: "finding",
                  actions: assign({ person: ({ context, event }) => ({ ...context.person, street: event.street }) }),
                },
              },
            },
            doubtful: { after: { [12 * hour]: { target: "finding", actions: assign({ isLenient: true }) } } },
            known: { type: "final" },
          },
        },
        sanctions: {
          initial: "searching",
          states: {
            searching: {
              invoke: {
                id: "sanctions",
                src: "sanctions",
                input: ({ context }) => ({ name: context.person.name }),
                onDone: {
                  target: "known",
                  actions: {
                    type: "note",
                    params: ({ event }) => ({
                      check: "sanctions",
                      finding: event.output === 0 ? "clear" : `${event.output} hit`,
                    }),
                  },
                },
                onError: {
                  target: "unknown",
                  actions: {
                    type: "note",
                    params: ({ event }) => ({ check: "sanctions", finding: (event.error as Error).message }),
                  },
                },
              },
            },
            unknown: {
              on: {
                OVERRULE: {
                  target: "known",
                  actions: {
                    type: "note",
                    params: ({ event }) => ({ check: "sanctions", finding: `overruled by ${event.by}` }),
                  },
                },
              },
            },
            known: { type: "final" },
          },
        },
      },
      onDone: [{ guard: "isClear", target: "clear" }, { target: "refused" }],
    },
    clear: {
      type: "final",
      entry: emit(({ context }) => ({ type: "KYC", result: "clear", findings: context.findings })),
    },
    refused: {
      type: "final",
      entry: emit(({ context }) => ({ type: "KYC", result: "refused", findings: context.findings })),
    },
  },
  output: ({ context }) => context.findings,
});

const born = new Date(Date.UTC(1990, 4, 17));

/** A customer with a wrong address whom the lists fail on, and one who is on them. */
export const kyc: readonly Scenario[] = [
  {
    name: "a customer is cleared after a correction and an overruled failure",
    covers: [
      "final.parallel",
      "logic.promise",
      "invoke.onError",
      "actors.error",
      "value.date",
      "value.input",
      "action.params",
    ],
    machine: () => kycMachine,
    input: { name: "Mallory", born, street: "" },
    steps: [
      { expect: { value: { checking: { identity: "known", address: "asking", sanctions: "unknown" } } } },
      { send: { type: "CORRECT", street: "Nowhere 1" } },
      { expect: { value: { checking: { identity: "known", address: "doubtful", sanctions: "unknown" } } } },
      { hours: 12 },
      {
        expect: {
          value: { checking: { identity: "known", address: "known", sanctions: "unknown" } },
          contextHas: { person: { name: "Mallory", born, street: "Nowhere 1" } },
        },
      },
      { send: { type: "OVERRULE", by: "Grace" } },
      {
        expect: {
          status: "done",
          value: "clear",
          emitted: [
            {
              type: "KYC",
              result: "clear",
              findings: { identity: "clear", address: "clear", sanctions: "overruled by Grace" },
            },
          ],
        },
      },
    ],
  },
  {
    name: "a customer on a list is refused",
    covers: ["final.parallel", "machine.output", "logic.machine"],
    machine: () => kycMachine,
    input: { name: "Trudy", born, street: "Main 5" },
    steps: [
      {
        expect: {
          status: "done",
          value: "refused",
          output: { identity: "clear", address: "clear", sanctions: "1 hit" },
          emitted: [
            {
              type: "KYC",
              result: "refused",
              findings: { identity: "clear", address: "clear", sanctions: "1 hit" },
            },
          ],
        },
      },
    ],
  },
];

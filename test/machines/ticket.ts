/** A support ticket with two clocks, for the first answer and for the solution; both depend on the priority, and one rests while the customer is asked. */
import { assign, emit, setup, stateIn } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

type Priority = "low" | "high";

const limits = { low: { answer: 24, solution: 96 }, high: { answer: 4, solution: 12 } };

const ticketMachine = setup({
  types: {
    context: {} as { id: string; priority: Priority; breaches: readonly string[]; reopened: number },
    events: {} as
      | { type: "ANSWER"; text: string }
      | { type: "ASK_CUSTOMER" }
      | { type: "CUSTOMER_REPLY" }
      | { type: "SOLVE" }
      | { type: "REOPEN" }
      | { type: "RAISE_PRIORITY" },
    input: {} as { id: string; priority: Priority },
    output: {} as { breaches: readonly string[] },
    emitted: {} as
      | { type: "BREACH"; clock: "answer" | "solution"; priority: Priority }
      | { type: "TICKET"; state: "solved" | "closed" | "reopened" },
  },
  delays: {
    answerLimit: ({ context }) => limits[context.priority].answer * hour,
    solutionLimit: ({ context }) => limits[context.priority].solution * hour,
    closing: 72 * hour,
  },
  guards: { isAnswered: stateIn({ open: { answer: "given" } }) },
  actions: {
    breach: assign({
      breaches: ({ context }, params: { clock: "answer" | "solution" }) => [...context.breaches, params.clock],
    }),
    tellBreach: emit(({ context }, params: { clock: "answer" | "solution" }) => ({
      type: "BREACH" as const,
      clock: params.clock,
      priority: context.priority,
    })),
  },
}).createMachine({
  id: "ticket",
  context: ({ input }) => ({ ...input, breaches: [], reopened: 0 }),
  initial: "open",
  states: {
    open: {
      type: "parallel",
      on: { SOLVE: { guard: "isAnswered", target: "solved" } },
      states: {
        answer: {
          initial: "due",
          states: {
            due: {
              on: {
                ANSWER: "given",
                RAISE_PRIORITY: { target: "due", reenter: true, actions: assign({ priority: "high" }) },
              },
              after: {
                answerLimit: {
                  target: "late",
                  actions: [
                    { type: "breach", params: { clock: "answer" } },
                    { type: "tellBreach", params: { clock: "answer" } },
                  ],
                },
              },
            },
            late: { on: { ANSWER: "given" } },
            given: {},
          },
        },
        solution: {
          initial: "due",
          states: {
            due: {
              on: { ASK_CUSTOMER: "resting" },
              after: {
                solutionLimit: {
                  target: "late",
                  actions: [
                    { type: "breach", params: { clock: "solution" } },
                    { type: "tellBreach", params: { clock: "solution" } },
                  ],
                },
              },
            },
            resting: { tags: ["waiting"], on: { CUSTOMER_REPLY: "due" } },
            late: {},
          },
        },
      },
    },
    solved: {
      entry: emit({ type: "TICKET", state: "solved" }),
      on: {
        REOPEN: {
          target: "open",
          actions: [
            assign({ reopened: ({ context }) => context.reopened + 1 }),
            emit({ type: "TICKET", state: "reopened" }),
          ],
        },
      },
      after: { closing: "closed" },
    },
    closed: { type: "final", entry: emit({ type: "TICKET", state: "closed" }) },
  },
  output: ({ context }) => ({ breaches: context.breaches }),
});

const breach = (clock: string, priority: string) => ({ type: "BREACH", clock, priority });
const state = (name: string) => ({ type: "TICKET", state: name });

/** Tickets that breach one limit, and whose clock rests in time. */
export const ticket: readonly Scenario[] = [
  {
    name: "a ticket of raised priority breaches its new limit",
    covers: [
      "parallel.enter",
      "parallel.independent",
      "after.dynamic",
      "transition.reenter",
      "guard.stateIn",
      "action.params",
    ],
    machine: () => ticketMachine,
    input: { id: "T-1", priority: "low" },
    steps: [
      { hours: 20 },
      { send: { type: "SOLVE" } },
      { send: { type: "RAISE_PRIORITY" } },
      { hours: 4 },
      { expect: { value: { open: { answer: "late", solution: "due" } }, contextHas: { breaches: ["answer"] } } },
      { send: { type: "ANSWER", text: "try again" } },
      { send: { type: "SOLVE" } },
      { hours: 72 },
      {
        expect: {
          status: "done",
          output: { breaches: ["answer"] },
          emitted: [breach("answer", "high"), state("solved"), state("closed")],
        },
      },
    ],
  },
  {
    name: "a ticket rests while the customer is asked, and starts anew when it is reopened",
    covers: ["parallel.enter", "parallel.independent", "after.dynamic", "tags.state"],
    machine: () => ticketMachine,
    input: { id: "T-2", priority: "high" },
    steps: [
      { send: { type: "ANSWER", text: "which version?" } },
      { hours: 8 },
      { send: { type: "ASK_CUSTOMER" } },
      { hours: 48 },
      { expect: { value: { open: { answer: "given", solution: "resting" } }, tags: ["waiting"] } },
      { send: { type: "CUSTOMER_REPLY" } },
      { hours: 8 },
      { send: { type: "SOLVE" } },
      { hours: 48 },
      { send: { type: "REOPEN" } },
      { expect: { value: { open: { answer: "due", solution: "due" } }, tags: [] } },
      { hours: 4 },
      { hours: 6 },
      {
        expect: {
          status: "active",
          value: { open: { answer: "late", solution: "due" } },
          contextHas: { reopened: 1, breaches: ["answer"] },
          emitted: [state("solved"), state("reopened"), breach("answer", "high")],
        },
      },
    ],
  },
];

/** A loan: a credit check by an activity, an automatic answer for the clear cases, and people with escalation for the rest. */
import { and, assign, emit, fromPromise, not, or, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

const checkCredit = fromPromise<{ score: number; flags: readonly string[] }, { applicant: string; amount: number }>(
  async ({ input }) => {
    if (input.applicant === "nobody") throw new RangeError(`no file for ${input.applicant}`);
    return { score: 800 - input.amount / 100, flags: input.applicant === "mallory" ? ["fraud"] : [] };
  },
);

const loanMachine = setup({
  types: {
    context: {} as {
      applicant: string;
      amount: number;
      score: number;
      flags: readonly string[];
      decidedBy: string | null;
    },
    events: {} as { type: "APPROVE"; by: string } | { type: "REJECT"; by: string } | { type: "TAKE_OVER"; by: string },
    input: {} as { applicant: string; amount: number },
    output: {} as { isApproved: boolean; decidedBy: string | null },
    emitted: {} as { type: "ESCALATED"; to: string } | { type: "DECIDED"; isApproved: boolean; by: string | null },
  },
  actors: { checkCredit },
  guards: {
    hasScore: ({ context }, params: { atLeast: number }) => context.score >= params.atLeast,
    isSmall: ({ context }) => context.amount <= 10_000,
    isFlagged: ({ context }) => context.flags.length > 0,
  },
  actions: {
    decide: assign({ decidedBy: (_, params: { by: string }) => params.by }),
    escalate: emit((_, params: { to: string }) => ({ type: "ESCALATED" as const, to: params.to })),
  },
}).createMachine({
  id: "loan",
  description: "One application for a loan, from the credit check to the decision.",
  context: ({ input }) => ({ ...input, score: 0, flags: [], decidedBy: null }),
  initial: "checking",
  states: {
    checking: {
      invoke: {
        src: "checkCredit",
        input: ({ context }) => ({ applicant: context.applicant, amount: context.amount }),
        onDone: { target: "sorting", actions: assign(({ event }) => event.output) },
        onError: {
          target: "reviewing",
          actions: assign({ flags: ({ event }) => [(event.error as Error).name] }),
        },
      },
    },
    sorting: {
      always: [
        { guard: "isFlagged", target: "rejected", actions: { type: "decide", params: { by: "fraud rules" } } },
        {
          guard: and([{ type: "hasScore", params: { atLeast: 700 } }, "isSmall"]),
          target: "approved",
          actions: { type: "decide", params: { by: "score" } },
        },
        {
          guard: not(or([{ type: "hasScore", params: { atLeast: 500 } }, "isSmall"])),
          target: "rejected",
          actions: { type: "decide", params: { by: "score" } },
        },
        { target: "reviewing" },
      ],
    },
    reviewing: {
      meta: { role: "credit officer" },
      initial: "officer",
      states: {
        officer: {
          after: { [48 * hour]: { target: "manager", actions: { type: "escalate", params: { to: "manager" } } } },
        },
        manager: {
          after: { [72 * hour]: { target: "board", actions: { type: "escalate", params: { to: "board" } } } },
        },
        board: {},
      },
      on: {
        APPROVE: {
          target: "approved",
          actions: { type: "decide", params: ({ event }) => ({ by: event.by }) },
        },
        REJECT: {
          target: "rejected",
          actions: { type: "decide", params: ({ event }) => ({ by: event.by }) },
        },
        TAKE_OVER: { target: ".manager", actions: { type: "escalate", params: ({ event }) => ({ to: event.by }) } },
      },
    },
    approved: {
      type: "final",
      entry: emit(({ context }) => ({ type: "DECIDED", isApproved: true, by: context.decidedBy })),
      output: true,
    },
    rejected: {
      type: "final",
      entry: emit(({ context }) => ({ type: "DECIDED", isApproved: false, by: context.decidedBy })),
      output: false,
    },
  },
  output: ({ context, event }) => ({
    isApproved: (event as unknown as { output: boolean }).output,
    decidedBy: context.decidedBy,
  }),
});

const decided = (isApproved: boolean, by: string) => ({ type: "DECIDED", isApproved, by });

/** Loans decided by rules, by people, and by the board after everybody else was too slow. */
export const loan: readonly Scenario[] = [
  {
    name: "a small loan with a good score is approved without a person",
    covers: ["guard.and", "guard.or", "guard.not", "eventless.guard", "machine.output", "logic.promise"],
    machine: () => loanMachine,
    input: { applicant: "ada", amount: 5000 },
    steps: [
      {
        expect: {
          status: "done",
          value: "approved",
          output: { isApproved: true, decidedBy: "score" },
          emitted: [decided(true, "score")],
        },
      },
    ],
  },
  {
    name: "a loan without a credit file escalates until the board rejects it",
    covers: ["invoke.onError", "after.numeric", "meta.state", "description.state", "target.relative", "action.params"],
    machine: () => loanMachine,
    input: { applicant: "nobody", amount: 90_000 },
    steps: [
      { expect: { value: { reviewing: "officer" }, contextHas: { flags: ["RangeError"] } } },
      { hours: 24 },
      { send: { type: "TAKE_OVER", by: "Grace" } },
      { hours: 48 },
      { expect: { value: { reviewing: "manager" }, emitted: [{ type: "ESCALATED", to: "Grace" }] } },
      { hours: 24 },
      { expect: { value: { reviewing: "board" } } },
      { send: { type: "REJECT", by: "board" } },
      {
        expect: {
          status: "done",
          output: { isApproved: false, decidedBy: "board" },
          emitted: [{ type: "ESCALATED", to: "Grace" }, { type: "ESCALATED", to: "board" }, decided(false, "board")],
        },
      },
    ],
  },
];

/** A document under review: its reviewers are children that are spawned side by side, kept in the context, and stopped when it is decided. */
import { type ActorRefFrom, assign, emit, enqueueActions, sendParent, sendTo, setup, stopChild } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

type Verdict = "accept" | "reject";

const reviewerMachine = setup({
  types: {
    context: {} as { name: string; comments: readonly string[] },
    events: {} as { type: "COMMENT"; text: string } | { type: "JUDGE"; verdict: Verdict },
    input: {} as { name: string },
  },
}).createMachine({
  id: "reviewer",
  context: ({ input }) => ({ name: input.name, comments: [] }),
  initial: "reading",
  states: {
    reading: {
      on: {
        COMMENT: { actions: assign({ comments: ({ context, event }) => [...context.comments, event.text] }) },
        JUDGE: {
          target: "judged",
          actions: sendParent(({ context, event }) => ({
            type: "VERDICT",
            name: context.name,
            verdict: event.verdict,
            comments: context.comments.length,
          })),
        },
      },
      after: { [48 * hour]: { actions: sendParent(({ context }) => ({ type: "LATE", name: context.name })) } },
    },
    judged: {},
  },
});

type Reviewer = ActorRefFrom<typeof reviewerMachine>;

const documentMachine = setup({
  types: {
    context: {} as { reviewers: Readonly<Record<string, Reviewer>>; verdicts: Readonly<Record<string, Verdict>> },
    events: {} as
      | { type: "ASSIGN"; to: string }
      | { type: "COMMENT"; as: string; text: string }
      | { type: "JUDGE"; as: string; verdict: Verdict }
      | { type: "VERDICT"; name: string; verdict: Verdict; comments: number }
      | { type: "LATE"; name: string }
      | { type: "PUBLISH" },
    input: {} as { reviewers: readonly string[] },
    emitted: {} as
      | { type: "JUDGED"; by: string; verdict: Verdict; comments: number }
      | { type: "OVERDUE"; by: string }
      | { type: "CLOSED"; verdict: Verdict },
  },
  actors: { reviewer: reviewerMachine },
  guards: {
    isReviewer: ({ context }, params: { name: string }) => params.name in context.reviewers,
    isAccepted: ({ context }) => {
      const verdicts = Object.values(context.verdicts);
      return verdicts.length === Object.keys(context.reviewers).length && verdicts.every((one) => one === "accept");
    },
    isRejected: ({ context }) => Object.values(context.verdicts).includes("reject"),
  },
}).createMachine({
  id: "document",
  context: ({ input, spawn }) => ({
    reviewers: Object.fromEntries(
      input.reviewers.map((name) => [name, spawn("reviewer", { id: `reviewer-${name}`, input: { name } })]),
    ),
    verdicts: {},
  }),
  initial: "inReview",
  states: {
    inReview: {
      always: [
        { guard: "isRejected", target: "rejected" },
        { guard: "isAccepted", target: "accepted" },
      ],
      on: {
        ASSIGN: {
          actions: assign({
            reviewers: ({ context, event, spawn }) => ({
              ...context.reviewers,
              [event.to]: spawn("reviewer", { id: `reviewer-${event.to}`, input: { name: event.to } }),
            }),
          }),
        },
        COMMENT: {
          guard: { type: "isReviewer", params: ({ event }) => ({ name: event.as }) },
          actions: sendTo(
            ({ context, event }) => context.reviewers[event.as] as Reviewer,
            ({ event }) => ({ type: "COMMENT", text: event.text }),
          ),
        },
        JUDGE: {
          guard: { type: "isReviewer", params: ({ event }) => ({ name: event.as }) },
          actions: sendTo(
            ({ context, event }) => context.reviewers[event.as] as Reviewer,
            ({ event }) => ({ type: "JUDGE", verdict: event.verdict }),
          ),
        },
        VERDICT: {
          actions: [
            assign({ verdicts: ({ context, event }) => ({ ...context.verdicts, [event.name]: event.verdict }) }),
            emit(({ event }) => ({
              type: "JUDGED",
              by: event.name,
              verdict: event.verdict,
              comments: event.comments,
            })),
          ],
        },
        LATE: { actions: emit(({ event }) => ({ type: "OVERDUE", by: event.name })) },
      },
    },
    accepted: {
      entry: emit({ type: "CLOSED", verdict: "accept" }),
      on: { PUBLISH: "published" },
    },
    rejected: {
      entry: [
        enqueueActions(({ context, enqueue }) => {
          for (const reviewer of Object.values(context.reviewers)) enqueue(stopChild(reviewer));
        }),
        emit({ type: "CLOSED", verdict: "reject" }),
      ],
    },
    published: { type: "final" },
  },
});

/** Documents that all reviewers accept, and that one rejects while another is late. */
export const documentReview: readonly Scenario[] = [
  {
    name: "a document is published when every reviewer has accepted it",
    covers: ["spawn.assign", "refs.context", "send.sendTo", "send.sendParent", "eventless.guard"],
    machine: () => documentMachine,
    input: { reviewers: ["ada", "bob"] },
    steps: [
      {
        expect: {
          context: { reviewers: { ada: { ref: "reviewer-ada" }, bob: { ref: "reviewer-bob" } }, verdicts: {} },
        },
      },
      { send: { type: "ASSIGN", to: "eve" } },
      { send: { type: "COMMENT", as: "eve", text: "who wrote this?" } },
      { send: { type: "COMMENT", as: "eve", text: "fine otherwise" } },
      { send: { type: "JUDGE", as: "eve", verdict: "accept" } },
      { send: { type: "JUDGE", as: "mallory", verdict: "reject" } },
      { send: { type: "JUDGE", as: "ada", verdict: "accept" } },
      { expect: { value: "inReview", contextHas: { verdicts: { eve: "accept", ada: "accept" } } } },
      { send: { type: "JUDGE", as: "bob", verdict: "accept" } },
      { expect: { value: "accepted" } },
      { send: { type: "PUBLISH" } },
      {
        expect: {
          status: "done",
          emitted: [
            { type: "JUDGED", by: "eve", verdict: "accept", comments: 2 },
            { type: "JUDGED", by: "ada", verdict: "accept", comments: 0 },
            { type: "JUDGED", by: "bob", verdict: "accept", comments: 0 },
            { type: "CLOSED", verdict: "accept" },
          ],
        },
      },
    ],
  },
  {
    name: "a rejected document stops its late reviewers",
    covers: ["spawn.stopChild", "enqueueActions.context", "after.numeric", "guard.params"],
    machine: () => documentMachine,
    input: { reviewers: ["ada"] },
    steps: [
      { hours: 24 },
      { send: { type: "ASSIGN", to: "bob" } },
      { hours: 24 },
      { expect: { emitted: [{ type: "OVERDUE", by: "ada" }] } },
      { send: { type: "JUDGE", as: "ada", verdict: "reject" } },
      { hours: 96 },
      {
        expect: {
          value: "rejected",
          status: "active",
          emitted: [
            { type: "OVERDUE", by: "ada" },
            { type: "JUDGED", by: "ada", verdict: "reject", comments: 0 },
            { type: "CLOSED", verdict: "reject" },
          ],
        },
      },
    ],
  },
];

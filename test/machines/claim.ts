/** An insurance claim: the damage and the cover are judged side by side, the payout needs a second pair of eyes, and papers may be missing. */
import { and, assign, emit, fromPromise, not, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

const estimateDamage = fromPromise<{ cents: number }, { photos: readonly string[] }>(async ({ input }) => {
  if (input.photos.length === 0) throw new Error("there are no photos");
  return { cents: input.photos.length * 50_000 };
});

const payOut = fromPromise<{ transfer: string }, { claim: string; cents: number }>(async ({ input }) => ({
  transfer: `${input.claim}/${input.cents}`,
}));

const claimMachine = setup({
  types: {
    context: {} as {
      claim: string;
      photos: readonly string[];
      damage: number;
      isCovered: boolean | null;
      approvals: readonly string[];
    },
    events: {} as
      | { type: "papers.photo"; name: string }
      | { type: "papers.complete" }
      | { type: "COVER"; isCovered: boolean }
      | { type: "APPROVE"; by: string }
      | { type: "OBJECT"; text: string },
    input: {} as { claim: string; photos: readonly string[] },
    output: {} as { claim: string; cents: number },
    emitted: {} as
      | { type: "MISSING"; what: string }
      | { type: "PAID"; transfer: string }
      | { type: "CLOSED"; how: "paid" | "refused" | "abandoned" },
  },
  actors: { estimateDamage, payOut },
  guards: {
    isCovered: ({ context }) => context.isCovered === true,
    isLarge: ({ context }) => context.damage > 100_000,
    hasTwoApprovals: ({ context }) => context.approvals.length >= 2,
    isSecond: ({ context, event }) => event.type === "APPROVE" && !context.approvals.includes(event.by),
  },
}).createMachine({
  id: "claim",
  context: ({ input }) => ({ ...input, damage: 0, isCovered: null, approvals: [] }),
  initial: "assessing",
  states: {
    assessing: {
      type: "parallel",
      states: {
        damage: {
          initial: "estimating",
          states: {
            estimating: {
              invoke: {
                id: "estimate",
                src: "estimateDamage",
                input: ({ context }) => ({ photos: context.photos }),
                onDone: { target: "known", actions: assign({ damage: ({ event }) => event.output.cents }) },
                onError: { target: "incomplete" },
              },
            },
            incomplete: {
              entry: emit({ type: "MISSING", what: "photos" }),
              on: {
                "papers.photo": {
                  actions: assign({ photos: ({ context, event }) => [...context.photos, event.name] }),
                },
                "papers.*": "estimating",
              },
              after: { [336 * hour]: "#claim.abandoned" },
            },
            known: { type: "final" },
          },
        },
        cover: {
          initial: "reading",
          states: {
            reading: {
              on: {
                COVER: { target: "known", actions: assign({ isCovered: ({ event }) => event.isCovered }) },
              },
            },
            known: { type: "final" },
          },
        },
      },
      onDone: [{ guard: "isCovered", target: "approving" }, { target: "refused" }],
    },
    approving: {
      initial: "first",
      states: {
        first: {
          always: { guard: not("isLarge"), target: "enough" },
          on: { APPROVE: { target: "second", actions: assign({ approvals: ({ event }) => [event.by] }) } },
        },
        second: {
          always: { guard: and(["isLarge", "hasTwoApprovals"]), target: "enough" },
          on: {
            APPROVE: {
              guard: "isSecond",
              actions: assign({ approvals: ({ context, event }) => [...context.approvals, event.by] }),
            },
          },
        },
        enough: { type: "final" },
      },
      onDone: "paying",
      on: { OBJECT: { target: "assessing", actions: assign({ approvals: [], isCovered: null }) } },
    },
    paying: {
      invoke: {
        src: "payOut",
        input: ({ context }) => ({ claim: context.claim, cents: context.damage }),
        onDone: {
          target: "paid",
          actions: emit(({ event }) => ({ type: "PAID", transfer: event.output.transfer })),
        },
      },
    },
    paid: { type: "final", entry: emit({ type: "CLOSED", how: "paid" }) },
    refused: { type: "final", entry: [assign({ damage: 0 }), emit({ type: "CLOSED", how: "refused" })] },
    abandoned: { type: "final", entry: emit({ type: "CLOSED", how: "abandoned" }) },
  },
  output: ({ context }) => ({ claim: context.claim, cents: context.damage }),
});

/** Claims that are paid after an objection, refused, and abandoned for want of photos. */
export const claim: readonly Scenario[] = [
  {
    name: "a large claim is paid after an objection and two approvals",
    covers: ["final.parallel", "final.on-done", "guard.and", "guard.not", "event.partial", "invoke.reenter"],
    machine: () => claimMachine,
    input: { claim: "K-9", photos: [] },
    steps: [
      { send: { type: "papers.photo", name: "front" } },
      { send: { type: "papers.complete" } },
      { send: { type: "COVER", isCovered: true } },
      { expect: { value: "paid", status: "done" } },
      {
        expect: {
          output: { claim: "K-9", cents: 50_000 },
          emitted: [
            { type: "MISSING", what: "photos" },
            { type: "PAID", transfer: "K-9/50000" },
            { type: "CLOSED", how: "paid" },
          ],
        },
      },
    ],
  },
  {
    name: "an objection sends a large claim back to its assessment",
    covers: ["final.parallel", "final.on-done", "guard.and", "guard.not", "invoke.reenter"],
    machine: () => claimMachine,
    input: { claim: "K-10", photos: ["front", "back", "roof"] },
    steps: [
      { expect: { value: { assessing: { damage: "known", cover: "reading" } } } },
      { send: { type: "COVER", isCovered: true } },
      { send: { type: "APPROVE", by: "ada" } },
      { send: { type: "APPROVE", by: "ada" } },
      { expect: { value: { approving: "second" }, contextHas: { damage: 150_000, approvals: ["ada"] } } },
      { send: { type: "OBJECT", text: "the roof is old" } },
      { send: { type: "COVER", isCovered: true } },
      { send: { type: "APPROVE", by: "ada" } },
      { send: { type: "APPROVE", by: "bob" } },
      {
        expect: {
          status: "done",
          output: { claim: "K-10", cents: 150_000 },
          emitted: [
            { type: "PAID", transfer: "K-10/150000" },
            { type: "CLOSED", how: "paid" },
          ],
        },
      },
    ],
  },
  {
    name: "a claim whose photos never come is abandoned",
    covers: ["invoke.onError", "after.numeric", "target.id", "parallel.enter", "parallel.independent"],
    machine: () => claimMachine,
    input: { claim: "K-11", photos: [] },
    steps: [
      { send: { type: "COVER", isCovered: true } },
      { hours: 300 },
      { expect: { value: { assessing: { damage: "incomplete", cover: "known" } } } },
      { hours: 36 },
      {
        expect: {
          status: "done",
          value: "abandoned",
          emitted: [
            { type: "MISSING", what: "photos" },
            { type: "CLOSED", how: "abandoned" },
          ],
        },
      },
    ],
  },
];

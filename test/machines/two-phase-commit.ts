/** Two-phase commit: a coordinator, participants that vote, and a decision that everyone confirms. */
import { type ActorRefFrom, assign, emit, enqueueActions, sendParent, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

type Mood = "willing" | "unwilling" | "silent";

const participantMachine = setup({
  types: {
    context: {} as { name: string; mood: Mood },
    events: {} as { type: "PREPARE" } | { type: "COMMIT" } | { type: "ABORT" },
    input: {} as { name: string; mood: Mood },
    output: {} as { name: string },
  },
  guards: {
    isWilling: ({ context }) => context.mood === "willing",
    isUnwilling: ({ context }) => context.mood === "unwilling",
  },
  actions: {
    vote: sendParent(({ context }, params: { isYes: boolean }) => ({
      type: "VOTE",
      name: context.name,
      isYes: params.isYes,
    })),
    confirm: sendParent(({ context }) => ({ type: "CONFIRMED", name: context.name })),
  },
}).createMachine({
  id: "participant",
  context: ({ input }) => input,
  initial: "working",
  states: {
    working: {
      on: {
        PREPARE: [
          { guard: "isWilling", target: "prepared", actions: { type: "vote", params: { isYes: true } } },
          { guard: "isUnwilling", actions: { type: "vote", params: { isYes: false } } },
        ],
        ABORT: "ended",
      },
    },
    prepared: { on: { COMMIT: "ended", ABORT: "ended" } },
    ended: { type: "final", entry: "confirm" },
  },
  output: ({ context }) => ({ name: context.name }),
});

type Participant = ActorRefFrom<typeof participantMachine>;

const coordinatorMachine = setup({
  types: {
    context: {} as {
      participants: Readonly<Record<string, Participant>>;
      votes: Readonly<Record<string, boolean>>;
      confirmed: readonly string[];
      decision: "commit" | "abort" | null;
    },
    events: {} as
      | { type: "BEGIN"; moods: Readonly<Record<string, Mood>> }
      | { type: "VOTE"; name: string; isYes: boolean }
      | { type: "CONFIRMED"; name: string },
    output: {} as { decision: "commit" | "abort" | null; confirmed: readonly string[] },
    emitted: {} as
      | { type: "DECIDED"; decision: "commit" | "abort"; by: "votes" | "timeout" }
      | { type: "ENDED"; confirmed: readonly string[] },
  },
  actors: { participant: participantMachine },
  guards: {
    isUnanimous: ({ context }) => Object.keys(context.participants).every((name) => context.votes[name] === true),
    isVetoed: ({ context }) => Object.values(context.votes).includes(false),
    isConfirmed: ({ context }) => context.confirmed.length === Object.keys(context.participants).length,
  },
  actions: {
    tellAll: enqueueActions(
      ({ context, enqueue }, params: { type: "PREPARE" } | { type: "COMMIT" } | { type: "ABORT" }) => {
        for (const participant of Object.values(context.participants)) enqueue.sendTo(participant, params);
      },
    ),
  },
}).createMachine({
  id: "coordinator",
  context: { participants: {}, votes: {}, confirmed: [], decision: null },
  initial: "idle",
  on: {
    VOTE: {
      actions: assign({ votes: ({ context, event }) => ({ ...context.votes, [event.name]: event.isYes }) }),
    },
    CONFIRMED: {
      actions: assign({ confirmed: ({ context, event }) => [...context.confirmed, event.name].sort() }),
    },
  },
  states: {
    idle: {
      on: {
        BEGIN: {
          target: "voting",
          actions: assign({
            participants: ({ event, spawn }) =>
              Object.fromEntries(
                Object.entries(event.moods).map(([name, mood]) => [
                  name,
                  spawn("participant", { id: name, input: { name, mood } }),
                ]),
              ),
          }),
        },
      },
    },
    voting: {
      entry: { type: "tellAll", params: { type: "PREPARE" } },
      always: [
        {
          guard: "isUnanimous",
          target: "deciding.commit",
          actions: emit({ type: "DECIDED", decision: "commit", by: "votes" }),
        },
        {
          guard: "isVetoed",
          target: "deciding.abort",
          actions: emit({ type: "DECIDED", decision: "abort", by: "votes" }),
        },
      ],
      after: {
        [2 * hour]: {
          target: "deciding.abort",
          actions: emit({ type: "DECIDED", decision: "abort", by: "timeout" }),
        },
      },
    },
    deciding: {
      initial: "abort",
      always: { guard: "isConfirmed", target: "ended" },
      states: {
        commit: { entry: [{ type: "tellAll", params: { type: "COMMIT" } }, assign({ decision: "commit" })] },
        abort: { entry: [{ type: "tellAll", params: { type: "ABORT" } }, assign({ decision: "abort" })] },
      },
    },
    ended: {
      type: "final",
      entry: emit(({ context }) => ({ type: "ENDED", confirmed: context.confirmed })),
    },
  },
  output: ({ context }) => ({ decision: context.decision, confirmed: context.confirmed }),
});

const decided = (decision: string, by: string) => ({ type: "DECIDED", decision, by });
const ended = (...confirmed: string[]) => ({ type: "ENDED", confirmed });

/** A commit, a veto, and a participant that never answers. */
export const twoPhaseCommit: readonly Scenario[] = [
  {
    name: "a coordinator commits when everyone is willing",
    covers: [
      "spawn.assign",
      "refs.context",
      "enqueueActions.context",
      "action.params",
      "send.sendParent",
      "eventless.guard",
    ],
    machine: () => coordinatorMachine,
    steps: [
      { expect: { value: "idle" } },
      { send: { type: "BEGIN", moods: { ledger: "willing", stock: "willing", mail: "willing" } } },
      {
        expect: {
          status: "done",
          output: { decision: "commit", confirmed: ["ledger", "mail", "stock"] },
          contextHas: { votes: { ledger: true, stock: true, mail: true } },
          emitted: [decided("commit", "votes"), ended("ledger", "mail", "stock")],
        },
      },
    ],
  },
  {
    name: "a coordinator aborts on a veto",
    covers: ["spawn.assign", "guard.named", "machine.output"],
    machine: () => coordinatorMachine,
    steps: [
      { send: { type: "BEGIN", moods: { ledger: "willing", stock: "unwilling", mail: "silent" } } },
      {
        expect: {
          status: "done",
          output: { decision: "abort", confirmed: ["ledger", "mail", "stock"] },
          contextHas: { votes: { ledger: true, stock: false } },
          emitted: [decided("abort", "votes"), ended("ledger", "mail", "stock")],
        },
      },
    ],
  },
  {
    name: "a coordinator aborts when a vote does not come in time",
    covers: ["after.numeric", "refs.context", "spawn.assign"],
    machine: () => coordinatorMachine,
    steps: [
      { send: { type: "BEGIN", moods: { ledger: "willing", mail: "silent" } } },
      {
        expect: {
          value: "voting",
          context: {
            participants: { ledger: { ref: "ledger" }, mail: { ref: "mail" } },
            votes: { ledger: true },
            confirmed: [],
            decision: null,
          },
        },
      },
      { hours: 2 },
      { expect: { status: "done", emitted: [decided("abort", "timeout"), ended("ledger", "mail")] } },
    ],
  },
];

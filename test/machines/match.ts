/** A football match: the score is kept by transition logic beside the clock of the halves, and every change of it is told. */
import { assign, emit, fromTransition, sendTo, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

interface Score {
  readonly home: number;
  readonly away: number;
}

type ScoreEvent = { type: "GOAL"; by: "home" | "away" } | { type: "ANNUL"; by: "home" | "away" };

const score = fromTransition<Score, ScoreEvent, any, { lead: number }>(
  (state, event) => ({ ...state, [event.by]: Math.max(0, state[event.by] + (event.type === "GOAL" ? 1 : -1)) }),
  ({ input }) => ({ home: input.lead, away: 0 }),
);

const matchMachine = setup({
  types: {
    context: {} as { score: Score; lead: number; cards: Readonly<Record<string, number>> },
    events: {} as
      | { type: "KICK_OFF" }
      | { type: "GOAL"; by: "home" | "away" }
      | { type: "ANNUL"; by: "home" | "away" }
      | { type: "CARD"; player: string }
      | { type: "ABANDON" },
    input: {} as { lead: number },
    output: {} as Score,
    emitted: {} as
      | { type: "SCORE"; home: number; away: number }
      | { type: "WHISTLE"; at: "half" | "full" }
      | { type: "SENT_OFF"; player: string },
    tags: {} as "playing",
  },
  actors: { score },
  delays: { half: 3 * hour, rest: hour },
  guards: {
    isSecondCard: ({ context }, params: { player: string }) => (context.cards[params.player] ?? 0) > 0,
    isChange: ({ context }, params: { score: Score }) =>
      params.score.home !== context.score.home || params.score.away !== context.score.away,
  },
}).createMachine({
  id: "match",
  context: ({ input }) => ({ score: { home: input.lead, away: 0 }, lead: input.lead, cards: {} }),
  initial: "waiting",
  states: {
    waiting: { on: { KICK_OFF: "match" } },
    match: {
      invoke: {
        id: "score",
        src: "score",
        input: ({ context }) => ({ lead: context.lead }),
        onSnapshot: {
          guard: { type: "isChange", params: ({ event }) => ({ score: event.snapshot.context }) },
          actions: [
            assign({ score: ({ event }) => event.snapshot.context }),
            emit(({ context }) => ({ type: "SCORE", ...context.score })),
          ],
        },
      },
      initial: "first",
      states: {
        first: { tags: "playing", after: { half: "pause" } },
        pause: {
          entry: emit({ type: "WHISTLE", at: "half" }),
          // No goals while nobody plays.
          on: { GOAL: undefined, ANNUL: undefined },
          after: { rest: "second" },
        },
        second: { tags: "playing", after: { half: "over" } },
        over: { type: "final", entry: emit({ type: "WHISTLE", at: "full" }) },
      },
      onDone: "over",
      on: {
        GOAL: { actions: sendTo("score", ({ event }) => event) },
        ANNUL: { actions: sendTo("score", ({ event }) => event) },
        CARD: [
          {
            guard: { type: "isSecondCard", params: ({ event }) => ({ player: event.player }) },
            actions: emit(({ event }) => ({ type: "SENT_OFF", player: event.player })),
          },
          { actions: assign({ cards: ({ context, event }) => ({ ...context.cards, [event.player]: 1 }) }) },
        ],
        ABANDON: { target: "waiting", actions: assign({ score: { home: 0, away: 0 }, lead: 0, cards: {} }) },
      },
    },
    over: { type: "final" },
  },
  output: ({ context }) => context.score,
});

/** A match that is played to the end, and one that is abandoned and begins again. */
export const match: readonly Scenario[] = [
  {
    name: "a match is won by the goals that count",
    covers: [
      "logic.transition",
      "invoke.onSnapshot",
      "send.sendTo",
      "final.on-done",
      "after.named",
      "event.forbidden",
      "tags.state",
    ],
    machine: () => matchMachine,
    input: { lead: 0 },
    steps: [
      { send: { type: "GOAL", by: "home" } },
      { send: { type: "KICK_OFF" } },
      { send: { type: "GOAL", by: "home" } },
      { send: { type: "GOAL", by: "away" } },
      { send: { type: "ANNUL", by: "away" } },
      { send: { type: "CARD", player: "Zed" } },
      { hours: 3 },
      { expect: { value: { match: "pause" }, tags: [], contextHas: { score: { home: 1, away: 0 } } } },
      { send: { type: "ANNUL", by: "home" } },
      { hours: 1 },
      { send: { type: "CARD", player: "Zed" } },
      { send: { type: "GOAL", by: "home" } },
      { expect: { value: { match: "second" }, tags: ["playing"] } },
      { hours: 3 },
      {
        expect: {
          status: "done",
          output: { home: 2, away: 0 },
          emitted: [
            { type: "SCORE", home: 1, away: 0 },
            { type: "SCORE", home: 1, away: 1 },
            { type: "SCORE", home: 1, away: 0 },
            { type: "WHISTLE", at: "half" },
            { type: "SENT_OFF", player: "Zed" },
            { type: "SCORE", home: 2, away: 0 },
            { type: "WHISTLE", at: "full" },
          ],
        },
      },
    ],
  },
  {
    name: "an abandoned match begins again at nil",
    covers: ["logic.transition", "invoke.reenter", "input.context"],
    machine: () => matchMachine,
    input: { lead: 2 },
    steps: [
      { send: { type: "KICK_OFF" } },
      { send: { type: "GOAL", by: "away" } },
      { expect: { contextHas: { score: { home: 2, away: 1 } } } },
      { hours: 2 },
      { send: { type: "ABANDON" } },
      { hours: 5 },
      { expect: { value: "waiting" } },
      { send: { type: "KICK_OFF" } },
      { send: { type: "GOAL", by: "away" } },
      {
        expect: {
          value: { match: "first" },
          context: { score: { home: 0, away: 1 }, lead: 0, cards: {} },
          emitted: [
            { type: "SCORE", home: 2, away: 1 },
            { type: "SCORE", home: 0, away: 1 },
          ],
        },
      },
    ],
  },
];

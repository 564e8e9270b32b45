/** A media player: it wakes up exactly as it fell asleep, down to the song, the mode and the subtitles. */
import { assign, emit, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

const playerMachine = setup({
  types: {
    context: {} as { track: number; tracks: number; volume: number },
    events: {} as
      | { type: "PLAY" }
      | { type: "PAUSE" }
      | { type: "NEXT" }
      | { type: "FAST" }
      | { type: "SUBTITLES" }
      | { type: "VOLUME"; by: number }
      | { type: "SLEEP" }
      | { type: "WAKE" }
      | { type: "RESET" },
    input: {} as { tracks: number },
    emitted: {} as
      | { type: "TRACK"; no: number }
      | { type: "SPEED"; speed: "normal" | "double" }
      | { type: "POWER"; isOn: boolean },
  },
  guards: { isLast: ({ context }) => context.track >= context.tracks },
}).createMachine({
  id: "player",
  context: ({ input }) => ({ track: 1, tracks: input.tracks, volume: 5 }),
  initial: "on",
  states: {
    on: {
      type: "parallel",
      entry: emit({ type: "POWER", isOn: true }),
      exit: emit({ type: "POWER", isOn: false }),
      on: {
        SLEEP: "asleep",
        VOLUME: { actions: assign({ volume: ({ context, event }) => Math.max(0, context.volume + event.by) }) },
      },
      states: {
        sound: {
          initial: "stopped",
          states: {
            stopped: { on: { PLAY: "playing" } },
            playing: {
              initial: "normal",
              on: {
                PAUSE: "paused",
                NEXT: [
                  { guard: "isLast", target: "stopped", actions: assign({ track: 1 }) },
                  { target: "playing", reenter: true, actions: assign({ track: ({ context }) => context.track + 1 }) },
                ],
              },
              entry: emit(({ context }) => ({ type: "TRACK", no: context.track })),
              states: {
                normal: { entry: emit({ type: "SPEED", speed: "normal" }), on: { FAST: "fast" } },
                fast: {
                  entry: emit({ type: "SPEED", speed: "double" }),
                  on: { FAST: "normal" },
                  after: { [3 * hour]: "normal" },
                },
                before: { type: "history" },
              },
            },
            paused: { on: { PLAY: "playing.before" } },
          },
        },
        picture: {
          initial: "plain",
          states: {
            plain: { on: { SUBTITLES: "subtitled" } },
            subtitled: { on: { SUBTITLES: "plain" } },
          },
        },
        before: { type: "history", history: "deep" },
      },
    },
    asleep: {
      on: { WAKE: "on.before", RESET: { target: "on", actions: assign({ track: 1 }) } },
      after: { [72 * hour]: "off" },
    },
    off: { type: "final" },
  },
});

const speed = (name: string) => ({ type: "SPEED", speed: name });
const track = (no: number) => ({ type: "TRACK", no });
const power = (isOn: boolean) => ({ type: "POWER", isOn });

/** A player that sleeps and wakes, and one that is never woken. */
export const player: readonly Scenario[] = [
  {
    name: "a player wakes up as it fell asleep, and goes off when nobody wakes it",
    covers: [
      "history.deep",
      "parallel.enter",
      "parallel.independent",
      "action.entry",
      "action.exit",
      "after.numeric",
      "transition.reenter",
      "final.machine",
    ],
    machine: () => playerMachine,
    input: { tracks: 2 },
    steps: [
      { send: { type: "PLAY" } },
      { send: { type: "NEXT" } },
      { send: { type: "FAST" } },
      { send: { type: "SUBTITLES" } },
      { send: { type: "SLEEP" } },
      { hours: 24 },
      { send: { type: "WAKE" } },
      { expect: { value: { on: { sound: { playing: "fast" }, picture: "subtitled" } }, contextHas: { track: 2 } } },
      { send: { type: "SLEEP" } },
      { send: { type: "RESET" } },
      { expect: { value: { on: { sound: "stopped", picture: "plain" } }, contextHas: { track: 1 } } },
      { hours: 5 },
      { send: { type: "SLEEP" } },
      { hours: 72 },
      {
        expect: {
          status: "done",
          value: "off",
          emitted: [
            power(true),
            track(1),
            speed("normal"),
            track(2),
            speed("normal"),
            speed("double"),
            power(false),
            power(true),
            track(2),
            speed("double"),
            power(false),
            power(true),
            power(false),
          ],
        },
      },
    ],
  },
  {
    name: "a player that is paused goes on at its speed",
    covers: ["history.shallow", "parallel.enter", "parallel.independent", "transition.reenter", "after.numeric"],
    machine: () => playerMachine,
    input: { tracks: 1 },
    steps: [
      { send: { type: "VOLUME", by: -2 } },
      { send: { type: "SUBTITLES" } },
      { send: { type: "PLAY" } },
      { send: { type: "FAST" } },
      { send: { type: "PAUSE" } },
      { hours: 6 },
      { send: { type: "PLAY" } },
      { expect: { value: { on: { sound: { playing: "fast" }, picture: "subtitled" } } } },
      { hours: 3 },
      { send: { type: "NEXT" } },
      {
        expect: {
          value: { on: { sound: "stopped", picture: "subtitled" } },
          context: { track: 1, tracks: 1, volume: 3 },
          emitted: [
            power(true),
            track(1),
            speed("normal"),
            speed("double"),
            track(1),
            speed("double"),
            speed("normal"),
          ],
        },
      },
    ],
  },
];

/**
 * A device in the field behind a live link: the link lives as long as its state, and may be cut and opened again at any time.
 *
 * What goes over the link is a request that is repeated until it is confirmed, so that a link that is opened anew loses nothing.
 */
import { type AnyEventObject, assign, emit, fromCallback, sendTo, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

const link = fromCallback<AnyEventObject, { serial: string; latest: number }>(({ input, sendBack, receive }) => {
  sendBack({ type: "LINK_UP", serial: input.serial });
  receive((event) => {
    if (event.type !== "SET") return;
    if (event.level > input.latest) sendBack({ type: "REFUSED", level: event.level });
    else sendBack({ type: "CONFIRMED", level: event.level });
  });
  return () => {};
});

const deviceMachine = setup({
  types: {
    context: {} as { serial: string; wanted: number; level: number; latest: number },
    events: {} as
      | { type: "TURN_ON" }
      | { type: "TURN_OFF" }
      | { type: "WANT"; level: number }
      | { type: "LINK_UP"; serial: string }
      | { type: "CONFIRMED"; level: number }
      | { type: "REFUSED"; level: number },
    input: {} as { serial: string; latest: number },
    emitted: {} as
      | { type: "ONLINE"; serial: string }
      | { type: "LEVEL"; level: number }
      | { type: "ALARM"; level: number }
      | { type: "OFFLINE"; level: number },
  },
  actors: { link },
  guards: {
    isWanted: ({ context, event }) => "level" in event && event.level === context.wanted,
    isBehind: ({ context }) => context.level !== context.wanted,
  },
  actions: {
    request: sendTo("link", ({ context }) => ({ type: "SET", level: context.wanted })),
    storeWanted: assign({ wanted: ({ context, event }) => (event.type === "WANT" ? event.level : context.wanted) }),
  },
}).createMachine({
  id: "device",
  context: ({ input }) => ({ ...input, wanted: 0, level: 0 }),
  initial: "off",
  on: { WANT: { actions: "storeWanted" } },
  states: {
    off: { on: { TURN_ON: "linked" } },
    linked: {
      invoke: {
        id: "link",
        src: "link",
        input: ({ context }) => ({ serial: context.serial, latest: context.latest }),
      },
      exit: emit(({ context }) => ({ type: "OFFLINE", level: context.level })),
      initial: "connecting",
      on: { TURN_OFF: "off" },
      states: {
        connecting: {
          on: {
            LINK_UP: [
              {
                guard: "isBehind",
                target: "adjusting",
                actions: emit(({ event }) => ({ type: "ONLINE", serial: event.serial })),
              },
              { target: "steady", actions: emit(({ event }) => ({ type: "ONLINE", serial: event.serial })) },
            ],
          },
        },
        steady: {
          on: { WANT: { target: "adjusting", actions: "storeWanted" } },
        },
        adjusting: {
          entry: "request",
          on: {
            // The link is new: it may not have heard the request.
            LINK_UP: { actions: "request" },
            WANT: { target: "adjusting", reenter: true, actions: "storeWanted" },
            CONFIRMED: {
              guard: "isWanted",
              target: "steady",
              actions: [
                assign({ level: ({ event }) => event.level }),
                emit(({ event }) => ({ type: "LEVEL", level: event.level })),
              ],
            },
            REFUSED: {
              guard: "isWanted",
              target: "steady",
              actions: [
                assign({ wanted: ({ context }) => context.level }),
                emit(({ event }) => ({ type: "ALARM", level: event.level })),
              ],
            },
          },
          after: { [hour]: { target: "adjusting", reenter: true } },
        },
      },
    },
  },
});

/** A device that is adjusted, refuses too much, and is turned off and on. */
export const device: readonly Scenario[] = [
  {
    name: "a device is brought to the wanted level over its live link",
    covers: ["logic.callback", "send.sendTo", "transition.reenter", "after.numeric", "guard.named"],
    machine: () => deviceMachine,
    input: { serial: "SN-1", latest: 50 },
    steps: [
      { send: { type: "WANT", level: 20 } },
      { expect: { value: "off" } },
      { send: { type: "TURN_ON" } },
      { hours: 2 },
      { expect: { value: { linked: "steady" }, contextHas: { level: 20, wanted: 20 } } },
      { send: { type: "WANT", level: 80 } },
      { hours: 2 },
      { send: { type: "WANT", level: 40 } },
      { hours: 2 },
      { send: { type: "TURN_OFF" } },
      { send: { type: "TURN_ON" } },
      { hours: 2 },
      {
        expect: {
          value: { linked: "steady" },
          context: { serial: "SN-1", latest: 50, wanted: 40, level: 40 },
          emitted: [
            { type: "ONLINE", serial: "SN-1" },
            { type: "LEVEL", level: 20 },
            { type: "ALARM", level: 80 },
            { type: "LEVEL", level: 40 },
            { type: "OFFLINE", level: 40 },
            { type: "ONLINE", serial: "SN-1" },
          ],
        },
      },
    ],
  },
];

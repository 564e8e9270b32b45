/** A chat room: its participants are spawned as they come, and a moderator who is known by a system id mutes the loud ones. */
import {
  type ActorRefFrom,
  type AnyActorRef,
  assign,
  emit,
  enqueueActions,
  log,
  sendParent,
  sendTo,
  setup,
} from "xstate";
import type { Scenario } from "../scenarios/scenario.ts";

const moderatorMachine = setup({
  types: {
    context: {} as { warnings: Readonly<Record<string, number>> },
    events: {} as { type: "REPORT"; name: string },
  },
  guards: { isRepeated: ({ context, event }) => (context.warnings[event.name] ?? 0) >= 1 },
}).createMachine({
  id: "moderator",
  context: { warnings: {} },
  on: {
    REPORT: [
      { guard: "isRepeated", actions: sendParent(({ event }) => ({ type: "MUTE", name: event.name })) },
      {
        actions: [
          assign({ warnings: ({ context, event }) => ({ ...context.warnings, [event.name]: 1 }) }),
          sendParent(({ event }) => ({ type: "WARN", name: event.name })),
        ],
      },
    ],
  },
});

type Moderator = ActorRefFrom<typeof moderatorMachine>;

const participantMachine = setup({
  types: {
    context: {} as { name: string; room: AnyActorRef; heard: number },
    events: {} as { type: "HEAR"; from: string; text: string } | { type: "COUNT" },
    input: {} as { name: string; room: AnyActorRef },
  },
  guards: { isLoud: ({ event }) => event.type === "HEAR" && event.text === event.text.toUpperCase() },
}).createMachine({
  id: "participant",
  context: ({ input }) => ({ ...input, heard: 0 }),
  on: {
    HEAR: {
      actions: [
        assign({ heard: ({ context }) => context.heard + 1 }),
        enqueueActions(({ check, enqueue, system, event }) => {
          if (event.type === "HEAR" && check({ type: "isLoud" }))
            enqueue.sendTo(system.get("moderator") as Moderator, { type: "REPORT", name: event.from });
        }),
      ],
    },
    COUNT: {
      actions: sendTo(
        ({ context }) => context.room,
        ({ context }) => ({ type: "HEARD", name: context.name, messages: context.heard }),
      ),
    },
  },
});

type Participant = ActorRefFrom<typeof participantMachine>;

const roomMachine = setup({
  types: {
    context: {} as { people: Readonly<Record<string, Participant>>; muted: readonly string[] },
    events: {} as
      | { type: "JOIN"; name: string }
      | { type: "LEAVE"; name: string }
      | { type: "SAY"; from: string; text: string }
      | { type: "ASK"; name: string }
      | { type: "HEARD"; name: string; messages: number }
      | { type: "WARN"; name: string }
      | { type: "MUTE"; name: string },
    emitted: {} as
      | { type: "SAID"; from: string; to: readonly string[] }
      | { type: "HEARD"; name: string; messages: number }
      | { type: "WARNED" | "MUTED"; name: string },
  },
  actors: { participant: participantMachine, moderator: moderatorMachine },
  guards: {
    isPresent: ({ context }, params: { name: string }) => params.name in context.people,
    isMuted: ({ context }, params: { name: string }) => context.muted.includes(params.name),
  },
}).createMachine({
  id: "room",
  context: { people: {}, muted: [] },
  invoke: { id: "moderation", src: "moderator", systemId: "moderator" },
  on: {
    JOIN: {
      guard: ({ context, event }) => !(event.name in context.people),
      actions: assign({
        people: ({ context, event, spawn, self }) => ({
          ...context.people,
          [event.name]: spawn("participant", {
            id: `person-${event.name}`,
            systemId: `person-${event.name}`,
            input: { name: event.name, room: self },
          }),
        }),
      }),
    },
    LEAVE: {
      guard: { type: "isPresent", params: ({ event }) => ({ name: event.name }) },
      actions: [
        enqueueActions(({ context, event, enqueue }) => {
          const person = context.people[event.name];
          if (person !== undefined) enqueue.stopChild(person);
        }),
        assign({
          people: ({ context, event }) =>
            Object.fromEntries(Object.entries(context.people).filter(([name]) => name !== event.name)),
        }),
      ],
    },
    SAY: [
      {
        guard: { type: "isMuted", params: ({ event }) => ({ name: event.from }) },
        actions: log(({ event }) => `${event.from} is muted`),
      },
      {
        guard: { type: "isPresent", params: ({ event }) => ({ name: event.from }) },
        actions: enqueueActions(({ context, event, enqueue }) => {
          const others = Object.entries(context.people).filter(([name]) => name !== event.from);
          for (const [, person] of others) enqueue.sendTo(person, { type: "HEAR", from: event.from, text: event.text });
          enqueue.emit({ type: "SAID", from: event.from, to: others.map(([name]) => name).sort() });
        }),
      },
    ],
    ASK: {
      actions: sendTo(({ system, event }) => system.get(`person-${event.name}`), { type: "COUNT" }),
    },
    HEARD: { actions: emit(({ event }) => event) },
    WARN: { actions: emit(({ event }) => ({ type: "WARNED", name: event.name })) },
    MUTE: {
      actions: [
        assign({ muted: ({ context, event }) => [...context.muted, event.name] }),
        emit(({ event }) => ({ type: "MUTED", name: event.name })),
      ],
    },
  },
});

/** A room with a loud guest. */
export const chatRoom: readonly Scenario[] = [
  {
    name: "a loud guest is warned and then muted by the moderator",
    covers: [
      "spawn.assign",
      "spawn.dynamicId",
      "system.get",
      "invoke.systemId",
      "refs.context",
      "send.sendTo",
      "enqueueActions.context",
      "spawn.stopChild",
      "log.value",
    ],
    machine: () => roomMachine,
    steps: [
      { send: { type: "JOIN", name: "ada" } },
      { send: { type: "JOIN", name: "bob" } },
      { send: { type: "SAY", from: "ada", text: "hello" } },
      { send: { type: "SAY", from: "bob", text: "HELLO" } },
      { expect: { contextHas: { muted: [], people: { ada: { ref: "person-ada" }, bob: { ref: "person-bob" } } } } },
      { send: { type: "SAY", from: "bob", text: "ANYBODY THERE" } },
      { send: { type: "SAY", from: "bob", text: "???" } },
      { expect: { contextHas: { muted: ["bob"] }, logged: ["bob is muted"] } },
      { send: { type: "JOIN", name: "eve" } },
      { send: { type: "LEAVE", name: "bob" } },
      { send: { type: "SAY", from: "eve", text: "who was that" } },
      { send: { type: "ASK", name: "ada" } },
      { send: { type: "ASK", name: "eve" } },
      {
        expect: {
          context: { people: { ada: { ref: "person-ada" }, eve: { ref: "person-eve" } }, muted: ["bob"] },
          emitted: [
            { type: "SAID", from: "ada", to: ["bob"] },
            { type: "SAID", from: "bob", to: ["ada"] },
            { type: "WARNED", name: "bob" },
            { type: "SAID", from: "bob", to: ["ada"] },
            { type: "MUTED", name: "bob" },
            { type: "SAID", from: "eve", to: ["ada"] },
            { type: "HEARD", name: "ada", messages: 3 },
            { type: "HEARD", name: "eve", messages: 0 },
          ],
        },
      },
    ],
  },
];

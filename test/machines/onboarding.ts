/** A new user: reminded until the address is confirmed, and no more once it is. */
import { assign, cancel, emit, log, raise, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

const onboardingMachine = setup({
  types: {
    context: {} as { email: string; reminders: number; name: string | null },
    events: {} as
      | { type: "CONFIRM"; code: string }
      | { type: "FILL_IN"; name: string }
      | { type: "REMIND" }
      | { type: "GIVE_UP" }
      | { type: "LEAVE" },
    input: {} as { email: string },
    emitted: {} as
      | { type: "MAIL"; template: "welcome" | "reminder" | "goodbye"; to: string; count: number }
      | { type: "ONBOARDED"; name: string },
  },
  guards: {
    isCode: (_, params: { code: string }) => params.code === "1234",
    isPatient: ({ context }) => context.reminders < 2,
  },
  delays: { reminderDelay: ({ context }) => (context.reminders + 1) * 24 * hour },
  actions: {
    mailWelcome: emit(({ context }) => ({ type: "MAIL", template: "welcome", to: context.email, count: 0 })),
    mailReminder: emit(({ context }) => ({
      type: "MAIL",
      template: "reminder",
      to: context.email,
      count: context.reminders,
    })),
    scheduleReminder: raise({ type: "REMIND" }, { id: "reminder", delay: "reminderDelay" }),
    scheduleEnd: raise({ type: "GIVE_UP" }, { id: "end", delay: 168 * hour }),
    stopReminders: cancel("reminder"),
    countReminder: assign({ reminders: ({ context }) => context.reminders + 1 }),
  },
}).createMachine({
  id: "onboarding",
  context: ({ input }) => ({ email: input.email, reminders: 0, name: null }),
  initial: "confirming",
  entry: "scheduleEnd",
  on: { GIVE_UP: ".left", LEAVE: ".left" },
  states: {
    confirming: {
      entry: ["mailWelcome", "scheduleReminder"],
      exit: "stopReminders",
      on: {
        REMIND: [
          {
            guard: "isPatient",
            actions: ["countReminder", "mailReminder", "scheduleReminder", log(({ context }) => context.reminders)],
          },
          { actions: log("no more reminders") },
        ],
        CONFIRM: {
          guard: { type: "isCode", params: ({ event }) => ({ code: event.code }) },
          target: "profile",
        },
      },
    },
    profile: {
      on: { FILL_IN: { target: "ready", actions: assign({ name: ({ event }) => event.name }) } },
    },
    ready: {
      entry: [cancel("end"), emit(({ context }) => ({ type: "ONBOARDED", name: context.name ?? "" }))],
    },
    left: {
      type: "final",
      entry: emit(({ context }) => ({
        type: "MAIL",
        template: "goodbye",
        to: context.email,
        count: context.reminders,
      })),
    },
  },
});

const mail = (template: string, count: number) => ({ type: "MAIL", template, to: "eve@example.org", count });

/** Users that confirm after a reminder, and that never do. */
export const onboarding: readonly Scenario[] = [
  {
    name: "a user who confirms is not reminded again",
    covers: ["raise.delay", "cancel.id", "after.dynamic", "guard.params", "log.value"],
    machine: () => onboardingMachine,
    input: { email: "eve@example.org" },
    steps: [
      { hours: 24 },
      { send: { type: "CONFIRM", code: "0000" } },
      { expect: { value: "confirming", contextHas: { reminders: 1 }, logged: [1] } },
      { send: { type: "CONFIRM", code: "1234" } },
      { hours: 72 },
      { expect: { value: "profile", emitted: [mail("welcome", 0), mail("reminder", 1)] } },
      { send: { type: "FILL_IN", name: "Eve" } },
      { hours: 168 },
      {
        expect: {
          status: "active",
          value: "ready",
          context: { email: "eve@example.org", reminders: 1, name: "Eve" },
          emitted: [mail("welcome", 0), mail("reminder", 1), { type: "ONBOARDED", name: "Eve" }],
        },
      },
    ],
  },
  {
    name: "a user who never confirms is reminded twice and let go",
    covers: ["raise.delay", "log.value", "target.relative"],
    machine: () => onboardingMachine,
    input: { email: "eve@example.org" },
    steps: [
      { hours: 24 },
      { expect: { emitted: [mail("welcome", 0), mail("reminder", 1)] } },
      { hours: 48 },
      { hours: 72 },
      { expect: { value: "confirming", logged: [1, 2, "no more reminders"] } },
      { hours: 24 },
      {
        expect: {
          status: "done",
          value: "left",
          emitted: [mail("welcome", 0), mail("reminder", 1), mail("reminder", 2), mail("goodbye", 2)],
        },
      },
    ],
  },
];

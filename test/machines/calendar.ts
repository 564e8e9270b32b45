/** A calendar: each appointment has reminders of its own, which move with it and go with it. */
import { assertEvent, assign, cancel, emit, enqueueActions, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

interface Appointment {
  readonly title: string;
  readonly moves: number;
}

const calendarMachine = setup({
  types: {
    context: {} as { appointments: Readonly<Record<string, Appointment>>; past: readonly string[] },
    events: {} as
      | { type: "PLAN"; id: string; title: string; inHours: number; remindHours: readonly number[] }
      | { type: "MOVE"; id: string; inHours: number }
      | { type: "DROP"; id: string }
      | { type: "REMIND"; id: string; hours: number }
      | { type: "BEGINS"; id: string }
      | { type: "HOLIDAY"; hours: number }
      | { type: "CLOSE" },
    output: {} as { past: readonly string[] },
    emitted: {} as
      | { type: "REMINDER"; title: string; hours: number }
      | { type: "NOW"; title: string; moves: number }
      | { type: "OUT_OF_OFFICE"; isOut: boolean },
  },
  guards: {
    isPlanned: ({ context }, params: { id: string }) => params.id in context.appointments,
  },
  actions: {
    begin: enqueueActions(({ event, enqueue }) => {
      assertEvent(event, ["PLAN", "MOVE"]);
      enqueue.raise({ type: "BEGINS", id: event.id }, { id: `begin ${event.id}`, delay: event.inHours * hour });
    }),
  },
  delays: {
    holiday: ({ event }) => (event.type === "HOLIDAY" ? event.hours : 0) * hour,
  },
}).createMachine({
  id: "calendar",
  context: { appointments: {}, past: [] },
  initial: "office",
  on: {
    PLAN: {
      actions: [
        assign({
          appointments: ({ context, event }) => ({
            ...context.appointments,
            [event.id]: { title: event.title, moves: 0 },
          }),
        }),
        enqueueActions(({ event, enqueue }) => {
          for (const hours of event.remindHours) {
            enqueue.raise(
              { type: "REMIND", id: event.id, hours },
              { id: `remind ${event.id}`, delay: (event.inHours - hours) * hour },
            );
          }
        }),
        "begin",
      ],
    },
    MOVE: {
      guard: { type: "isPlanned", params: ({ event }) => ({ id: event.id }) },
      actions: [
        cancel(({ event }) => `begin ${event.id}`),
        cancel(({ event }) => `remind ${event.id}`),
        assign({
          appointments: ({ context, event }) => {
            const { title, moves } = context.appointments[event.id] as Appointment;
            return { ...context.appointments, [event.id]: { title, moves: moves + 1 } };
          },
        }),
        "begin",
      ],
    },
    DROP: {
      guard: { type: "isPlanned", params: ({ event }) => ({ id: event.id }) },
      actions: [
        cancel(({ event }) => `begin ${event.id}`),
        cancel(({ event }) => `remind ${event.id}`),
        assign({
          appointments: ({ context, event }) =>
            Object.fromEntries(Object.entries(context.appointments).filter(([id]) => id !== event.id)),
        }),
      ],
    },
    REMIND: {
      actions: emit(({ context, event }) => ({
        type: "REMINDER",
        title: context.appointments[event.id]?.title ?? "",
        hours: event.hours,
      })),
    },
    BEGINS: {
      actions: [
        emit(({ context, event }) => ({
          type: "NOW",
          title: context.appointments[event.id]?.title ?? "",
          moves: context.appointments[event.id]?.moves ?? 0,
        })),
        assign({
          past: ({ context, event }) => [...context.past, context.appointments[event.id]?.title ?? ""],
          appointments: ({ context, event }) =>
            Object.fromEntries(Object.entries(context.appointments).filter(([id]) => id !== event.id)),
        }),
      ],
    },
  },
  states: {
    office: { on: { HOLIDAY: "holiday", CLOSE: "closed" } },
    holiday: {
      entry: emit({ type: "OUT_OF_OFFICE", isOut: true }),
      exit: emit({ type: "OUT_OF_OFFICE", isOut: false }),
      after: { holiday: "office" },
    },
    closed: { type: "final" },
  },
  output: ({ context }) => ({ past: context.past }),
});

const reminder = (title: string, hours: number) => ({ type: "REMINDER", title, hours });

/** A week with appointments that stay, move and are dropped. */
export const calendar: readonly Scenario[] = [
  {
    name: "a calendar reminds of what is planned, as it is planned now",
    covers: [
      "raise.delay",
      "cancel.dynamic",
      "after.dynamic",
      "enqueueActions.context",
      "guard.params",
      "machine.output",
    ],
    machine: () => calendarMachine,
    steps: [
      { send: { type: "PLAN", id: "1", title: "dentist", inHours: 24, remindHours: [20, 2] } },
      { send: { type: "PLAN", id: "2", title: "review", inHours: 30, remindHours: [12] } },
      { send: { type: "PLAN", id: "3", title: "party", inHours: 40, remindHours: [10] } },
      { hours: 6 },
      { expect: { emitted: [reminder("dentist", 20)] } },
      { send: { type: "MOVE", id: "2", inHours: 50 } },
      { send: { type: "DROP", id: "3" } },
      { send: { type: "MOVE", id: "4", inHours: 1 } },
      { send: { type: "HOLIDAY", hours: 36 } },
      { hours: 16 },
      { hours: 1 },
      { send: { type: "CLOSE" } },
      { expect: { value: "holiday", contextHas: { past: ["dentist"] } } },
      { hours: 18 },
      { expect: { value: "office" } },
      { hours: 14 },
      { send: { type: "CLOSE" } },
      {
        expect: {
          status: "done",
          value: "closed",
          output: { past: ["dentist", "review"] },
          context: { appointments: {}, past: ["dentist", "review"] },
          emitted: [
            reminder("dentist", 20),
            { type: "OUT_OF_OFFICE", isOut: true },
            reminder("dentist", 2),
            { type: "NOW", title: "dentist", moves: 0 },
            { type: "OUT_OF_OFFICE", isOut: false },
            { type: "NOW", title: "review", moves: 1 },
          ],
        },
      },
    ],
  },
];

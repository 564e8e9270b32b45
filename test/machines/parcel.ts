/** A parcel that is tracked by scans of many kinds, of which the machine knows some by name, some by family, and the rest not at all. */
import { assign, emit, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

interface Scan {
  readonly place: string;
  readonly at: Date;
}

const parcelMachine = setup({
  types: {
    context: {} as { scans: ReadonlyMap<string, Date>; strange: readonly string[]; tries: number },
    events: {} as
      | ({ type: "scan.depot.in" } & Scan)
      | ({ type: "scan.depot.out" } & Scan)
      | ({ type: "scan.customs.held" } & Scan)
      | ({ type: "scan.customs.released" } & Scan)
      | ({ type: "scan.door.failed" } & Scan)
      | ({ type: "scan.door.handed.over" } & Scan)
      | { type: "label.printed" }
      | { type: "weather.storm" },
    output: {} as { places: readonly string[] },
    emitted: {} as
      | { type: "WHERE"; place: string; how: string }
      | { type: "LATE"; last: string }
      | { type: "STRANGE"; what: string },
  },
  guards: { isLastTry: ({ context }) => context.tries >= 2 },
  actions: {
    note: assign({
      scans: ({ context, event }) =>
        "place" in event ? new Map([...context.scans, [event.place, event.at]]) : context.scans,
    }),
    tellWhere: emit(({ event }) => ({
      type: "WHERE",
      place: "place" in event ? event.place : "?",
      how: event.type.split(".").slice(1).join(" "),
    })),
  },
}).createMachine({
  id: "parcel",
  context: { scans: new Map(), strange: [], tries: 0 },
  initial: "moving",
  on: {
    "*": {
      actions: [
        assign({ strange: ({ context, event }) => [...context.strange, event.type] }),
        emit(({ event }) => ({ type: "STRANGE", what: event.type })),
      ],
    },
  },
  states: {
    moving: {
      on: {
        "scan.depot.*": { target: "moving", reenter: true, actions: ["note", "tellWhere"] },
        "scan.customs.held": { target: "held", actions: ["note", "tellWhere"] },
        "scan.door.failed": [
          { guard: "isLastTry", target: "returned", actions: "tellWhere" },
          { actions: [assign({ tries: ({ context }) => context.tries + 1 }), "tellWhere"] },
        ],
        "scan.door.*": { target: "delivered", actions: ["note", "tellWhere"] },
        "scan.*": { actions: "tellWhere" },
      },
      after: {
        [48 * hour]: {
          target: "moving",
          reenter: true,
          actions: emit(({ context }) => ({ type: "LATE", last: [...context.scans.keys()].at(-1) ?? "nowhere" })),
        },
      },
    },
    held: {
      on: {
        "scan.customs.*": { target: "moving", actions: ["note", "tellWhere"] },
        "weather.*": {},
      },
    },
    delivered: { type: "final" },
    returned: { type: "final" },
  },
  output: ({ context }) => ({ places: [...context.scans.keys()] }),
});

const at = (day: number) => new Date(Date.UTC(2026, 2, day));
const where = (place: string, how: string) => ({ type: "WHERE", place, how });

/** Parcels that arrive by way of the customs, and that go back. */
export const parcel: readonly Scenario[] = [
  {
    name: "a parcel is followed through scans known by name and by family",
    covers: [
      "event.wildcard",
      "event.partial",
      "event.forbidden",
      "after.numeric",
      "transition.reenter",
      "value.map",
      "value.date",
    ],
    machine: () => parcelMachine,
    steps: [
      { send: { type: "label.printed" } },
      { send: { type: "scan.depot.in", place: "Riga", at: at(1) } },
      { hours: 40 },
      { send: { type: "scan.depot.out", place: "Riga", at: at(2) } },
      { hours: 40 },
      { send: { type: "scan.customs.released", place: "Kiel", at: at(3) } },
      { send: { type: "scan.customs.held", place: "Kiel", at: at(4) } },
      { send: { type: "weather.storm" } },
      { hours: 60 },
      { send: { type: "scan.customs.released", place: "Kiel", at: at(6) } },
      { hours: 48 },
      { send: { type: "scan.door.handed.over", place: "Bonn", at: at(9) } },
      {
        expect: {
          status: "done",
          value: "delivered",
          output: { places: ["Riga", "Kiel", "Bonn"] },
          contextHas: {
            scans: new Map([
              ["Riga", at(2)],
              ["Kiel", at(6)],
              ["Bonn", at(9)],
            ]),
            strange: ["label.printed"],
          },
          emitted: [
            { type: "STRANGE", what: "label.printed" },
            where("Riga", "depot in"),
            where("Riga", "depot out"),
            where("Kiel", "customs released"),
            where("Kiel", "customs held"),
            where("Kiel", "customs released"),
            { type: "LATE", last: "Kiel" },
            where("Bonn", "door handed over"),
          ],
        },
      },
    ],
  },
  {
    name: "a parcel that nobody takes goes back",
    covers: ["event.wildcard", "event.partial", "guard.named"],
    machine: () => parcelMachine,
    steps: [
      { send: { type: "scan.door.failed", place: "Bonn", at: at(1) } },
      { send: { type: "scan.door.failed", place: "Bonn", at: at(2) } },
      { send: { type: "scan.bike.bell", place: "Bonn", at: at(3) } },
      { expect: { value: "moving", contextHas: { tries: 2, strange: [] } } },
      { send: { type: "scan.door.failed", place: "Bonn", at: at(3) } },
      {
        expect: {
          status: "done",
          value: "returned",
          output: { places: [] },
          emitted: [
            where("Bonn", "door failed"),
            where("Bonn", "door failed"),
            where("Bonn", "bike bell"),
            where("Bonn", "door failed"),
          ],
        },
      },
    ],
  },
];

/** An audit log: every event is an entry in a chain of hashes, and entries go out in batches, when there are enough or after a while. */
import { cancel, emit, enqueueActions, raise, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

interface Entry {
  readonly no: number;
  readonly what: string;
  readonly hash: number;
}

/** The hash of a text after what came before it: FNV-1a. */
function chained(before: number, text: string): number {
  let hash = before ^ 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return hash >>> 0;
}

const auditMachine = setup({
  types: {
    context: {} as { entries: readonly Entry[]; last: Entry; batches: number },
    events: {} as
      | { type: "user.login"; who: string }
      | { type: "user.logout"; who: string }
      | { type: "secret.read"; who: string; name: string }
      | { type: "FLUSH" }
      | { type: "SEAL" },
    output: {} as { entries: number; hash: number },
    emitted: {} as
      | { type: "ENTRY"; no: number; what: string }
      | { type: "ALERT"; what: string }
      | { type: "BATCH"; no: number; from: number; to: number }
      | { type: "SEALED"; entries: number },
  },
  guards: {
    isFull: ({ context }) => context.entries.length >= 3,
    isEmpty: ({ context }) => context.entries.length === 0,
  },
  actions: {
    append: enqueueActions(({ context, event, enqueue }) => {
      const who = "who" in event ? event.who : "nobody";
      const no = context.last.no + 1;
      const what = `${event.type} by ${who}`;
      const entry = { no, what, hash: chained(context.last.hash, what) };
      enqueue.assign({ entries: [...context.entries, entry], last: entry });
      enqueue.emit({ type: "ENTRY", no, what });
    }),
    flush: enqueueActions(({ context, enqueue }) => {
      const [first] = context.entries;
      if (first === undefined) return;
      enqueue.emit({ type: "BATCH", no: context.batches + 1, from: first.no, to: context.last.no });
      enqueue.assign({ entries: [], batches: context.batches + 1 });
    }),
  },
}).createMachine({
  id: "audit",
  context: { entries: [], last: { no: 0, what: "", hash: 0 }, batches: 0 },
  initial: "open",
  states: {
    open: {
      initial: "clean",
      exit: "flush",
      on: {
        FLUSH: { target: ".clean", actions: "flush" },
        SEAL: "sealed",
        "secret.*": {
          target: ".dirty",
          actions: ["append", emit(({ event }) => ({ type: "ALERT", what: event.type })), raise({ type: "FLUSH" })],
        },
        "*": { target: ".dirty", actions: "append" },
      },
      states: {
        clean: {},
        dirty: {
          always: { guard: "isFull", target: "clean", actions: "flush" },
          entry: raise({ type: "FLUSH" }, { id: "flush", delay: 4 * hour }),
          exit: cancel("flush"),
          on: { "user.*": { actions: "append" } },
        },
      },
    },
    sealed: {
      type: "final",
      entry: emit(({ context }) => ({ type: "SEALED", entries: context.last.no })),
    },
  },
  output: ({ context }) => ({ entries: context.last.no, hash: context.last.hash }),
});

const entry = (no: number, what: string) => ({ type: "ENTRY", no, what });
const batch = (no: number, from: number, to: number) => ({ type: "BATCH", no, from, to });
const whole = [
  "user.login by ada",
  "user.login by bob",
  "user.logout by ada",
  "secret.read by bob",
  "user.logout by bob",
];

/** A log that flushes by number, by time, at once, and at its end. */
export const auditLog: readonly Scenario[] = [
  {
    name: "an audit log emits every entry and every batch once and in order",
    covers: [
      "emit.event",
      "emit.order",
      "event.wildcard",
      "event.partial",
      "enqueueActions.context",
      "raise.delay",
      "cancel.id",
    ],
    machine: () => auditMachine,
    steps: [
      { send: { type: "user.login", who: "ada" } },
      { send: { type: "user.login", who: "bob" } },
      { send: { type: "user.logout", who: "ada" } },
      { expect: { value: { open: "clean" }, contextHas: { batches: 1, entries: [] } } },
      { hours: 8 },
      { send: { type: "secret.read", who: "bob", name: "root" } },
      { expect: { value: { open: "clean" }, contextHas: { batches: 2 } } },
      { send: { type: "user.logout", who: "bob" } },
      { hours: 2 },
      { expect: { value: { open: "dirty" } } },
      { hours: 2 },
      { send: { type: "FLUSH" } },
      { expect: { value: { open: "clean" }, contextHas: { batches: 3 } } },
      { send: { type: "SEAL" } },
      {
        expect: {
          status: "done",
          output: { entries: 5, hash: whole.reduce(chained, 0) },
          emitted: [
            entry(1, "user.login by ada"),
            entry(2, "user.login by bob"),
            entry(3, "user.logout by ada"),
            batch(1, 1, 3),
            entry(4, "secret.read by bob"),
            { type: "ALERT", what: "secret.read" },
            batch(2, 4, 4),
            entry(5, "user.logout by bob"),
            batch(3, 5, 5),
            { type: "SEALED", entries: 5 },
          ],
        },
      },
    ],
  },
  {
    name: "an audit log that is sealed writes out what it holds",
    covers: ["action.entry", "action.exit", "emit.event", "machine.output"],
    machine: () => auditMachine,
    steps: [
      { send: { type: "user.login", who: "ada" } },
      { send: { type: "SEAL" } },
      {
        expect: {
          status: "done",
          context: {
            entries: [],
            batches: 1,
            last: { no: 1, what: "user.login by ada", hash: chained(0, "user.login by ada") },
          },
          emitted: [entry(1, "user.login by ada"), batch(1, 1, 1), { type: "SEALED", entries: 1 }],
        },
      },
    ],
  },
];

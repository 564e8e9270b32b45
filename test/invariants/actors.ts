/**
 * The actors of the simulated worlds: they write down what they take, and tell each other, so that a lost, doubled or
 * overtaken message is seen in what they hold.
 *
 * `relay` and `order` log the uid of every event they take and tell a `sink` their own running number; the sink keeps the numbers by teller
 * and acknowledges every second one, so that messages go in both directions.
 */
import { assign, emit, log, setup } from "xstate";
import { type ActorDefinition, defineActor } from "../../actors/define-actor.ts";
import { RetryableError, TerminalError } from "../../runtime/core/errors.ts";
import type { RunnableDefinition } from "../../runtime/engine/definition.ts";
import { publish, reply, tell } from "../../runtime/machine/actions.ts";

/** What a client may send to a `relay` or `order`; `uid` is the message's own name in the actor's log. */
export type RelayEvent =
  /** Logged, and told to a sink. */
  | { readonly type: "ADD"; readonly uid: string; readonly sink: string }
  /** Fails on its first attempts, as a dependency that is down; `afterMs` asks for a delay of its own. */
  | {
      readonly type: "TRY";
      readonly uid: string;
      readonly sink: string;
      readonly failures: number;
      readonly afterMs?: number;
    }
  /** Fails on every attempt. */
  | { readonly type: "POISON"; readonly uid: string }
  /** Asks for a dead letter at once. */
  | { readonly type: "REFUSE"; readonly uid: string }
  /** Refused at once, or failed, as long as the log's length is odd: what becomes of it depends on the state. */
  | { readonly type: "GATE"; readonly uid: string; readonly isTerminal: boolean }
  /** Logged, published, emitted, logged by XState's `log` after the commit, and answered. */
  | { readonly type: "SAY"; readonly uid: string }
  /** Ends the actor: what comes later is ignored. */
  | { readonly type: "CLOSE"; readonly uid: string }
  /** A sink's acknowledgement. */
  | { readonly type: "ACK"; readonly n: number; readonly from: string };

/** What a relay holds. */
export interface RelayContext {
  readonly log: readonly string[];
  /** How many notes each sink was told. */
  readonly told: Readonly<Record<string, number>>;
  /** Acknowledged numbers by sink. */
  readonly acks: Readonly<Record<string, readonly number[]>>;
}

/** What a sink holds: the numbers by teller. */
export interface SinkContext {
  readonly seen: Readonly<Record<string, readonly number[]>>;
}

/** The world's side of a flaky dependency: says whether this attempt fails. */
export interface Dependency {
  fails(uid: string, failures: number): boolean;
}

let dependency: Dependency = { fails: () => false };

/** Sets what TRY and POISON depend on; machines are shared by all worlds, which run one after the other. */
export function depend(on: Dependency): void {
  dependency = on;
}

/** A dependency that fails so many times for each uid, whoever asks. */
export function countingDependency(): Dependency {
  const tried = new Map<string, number>();
  return {
    fails(uid, failures) {
      const count = (tried.get(uid) ?? 0) + 1;
      tried.set(uid, count);
      return count <= failures;
    },
  };
}

/** What is wrong with the machine in a planted bug: `random` is drawn in an assign. */
export const impurity = { isOn: false };

function appended<T>(lists: Readonly<Record<string, readonly T[]>>, name: string, item: T) {
  return { ...lists, [name]: [...(lists[name] ?? []), item] };
}

const relaySetup = setup({
  types: { context: {} as RelayContext, events: {} as RelayEvent, input: {} as { id: string } },
  actions: {
    logUid: assign({
      log: ({ context, event }) => [
        ...context.log,
        event.type === "ACK" ? "" : impurity.isOn ? `${event.uid}?${Math.random()}` : event.uid,
      ],
    }),
    countTold: assign({
      told: ({ context, event }) =>
        "sink" in event ? { ...context.told, [event.sink]: (context.told[event.sink] ?? 0) + 1 } : context.told,
    }),
  },
});

const relayMachine = relaySetup.createMachine({
  id: "relay",
  context: { log: [], told: {}, acks: {} },
  initial: "open",
  states: {
    open: {
      on: {
        ADD: { actions: ["logUid", "countTold", note()] },
        TRY: {
          actions: [
            assign(({ event }) => {
              if (dependency.fails(event.uid, event.failures)) {
                throw new RetryableError("The dependency is down.", {
                  ...(event.afterMs === undefined ? {} : { retryAfter: event.afterMs }),
                });
              }
              return {};
            }),
            "logUid",
            "countTold",
            note(),
          ],
        },
        POISON: {
          actions: assign(({ event }) => {
            if (dependency.fails(event.uid, Number.POSITIVE_INFINITY)) throw new Error("Poison.");
            return {};
          }),
        },
        REFUSE: {
          actions: assign(() => {
            throw new TerminalError("Refused.");
          }),
        },
        GATE: {
          actions: [
            assign(({ context, event }) => {
              if (context.log.length % 2 === 1) throw event.isTerminal ? new TerminalError("Odd.") : new Error("Odd.");
              return {};
            }),
            "logUid",
          ],
        },
        SAY: {
          actions: [
            "logUid",
            publish("said", ({ event }) => ({ type: "SAID", uid: event.uid })),
            emit(({ event }) => ({ type: "SAID", uid: event.uid })),
            log(({ event }) => event.uid),
            reply(({ context }) => context.log.length),
          ],
        },
        CLOSE: { target: "closed", actions: "logUid" },
        ACK: { actions: assign({ acks: ({ context, event }) => appended(context.acks, event.from, event.n) }) },
      },
    },
    closed: { type: "final" },
  },
});

function note() {
  return tell<RelayContext, Extract<RelayEvent, { type: "ADD" | "TRY" }>, undefined, RelayEvent>(
    "sink",
    ({ event }) => event.sink,
    ({ context, event, self }) => ({ type: "NOTE", from: self.id, n: context.told[event.sink] as number }),
  );
}

type SinkEvent = { readonly type: "NOTE"; readonly from: string; readonly n: number };

const sinkMachine = setup({
  types: { context: {} as SinkContext, events: {} as SinkEvent },
}).createMachine({
  id: "sink",
  context: { seen: {} },
  on: {
    NOTE: [
      {
        guard: ({ event }) => event.n % 2 === 0,
        actions: [
          assign({ seen: ({ context, event }) => appended(context.seen, event.from, event.n) }),
          tell(
            ({ event }) => event.from.slice(0, event.from.indexOf("/")),
            ({ event }) => event.from.slice(event.from.indexOf("/") + 1),
            ({ event, self }) => ({ type: "ACK", n: event.n, from: self.id }),
          ),
        ],
      },
      { actions: assign({ seen: ({ context, event }) => appended(context.seen, event.from, event.n) }) },
    ],
  },
});

/** Accepts objects with a title; written by hand, since a schema library would cost more than the rest of a world. */
const titleSchema = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value: unknown) =>
      typeof (value as { title?: unknown } | null)?.title === "string"
        ? { value: { id: (value as { title: string }).title } }
        : { issues: [{ message: "there is no title" }] },
  },
} as const;

const retry = { base: 30, cap: 200, maxAttempts: 4 } as const;

/** All actor types of the worlds. `order` takes a `create` first, the others differ in what is done about failures. */
export const definitions: readonly RunnableDefinition[] = [
  defineActor("relay", { machine: relayMachine, retry }),
  defineActor("order", { machine: relayMachine, input: titleSchema as never, retry }) as ActorDefinition,
  // Takes no message after one that died, until an operator has seen to the letter.
  defineActor("strict", { machine: relayMachine, retry, onExhausted: "park" }),
  // What fails is overtaken; some of what fails for good ends the actor.
  defineActor("loose", {
    machine: relayMachine,
    retry,
    order: "overtake",
    overrides: { REFUSE: { onExhausted: "stop" } },
  }),
  defineActor("sink", { machine: sinkMachine, retry }),
];

/** A circuit breaker before a service: it opens after failures in a row, lets one call through after a while, and closes when that succeeds. */
import { assign, emit, fromPromise, raise, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

const callService = fromPromise<{ body: string }, { path: string; isUp: boolean }>(async ({ input }) => {
  if (!input.isUp) throw Object.assign(new Error("service unavailable"), { code: 503 });
  return { body: `content of ${input.path}` };
});

const breakerMachine = setup({
  types: {
    context: {} as { isUp: boolean; path: string; failures: number; opened: number },
    events: {} as { type: "CALL"; path: string } | { type: "SERVICE"; isUp: boolean } | { type: "TRIP" },
    input: {} as { isUp: boolean },
    emitted: {} as
      | { type: "ANSWER"; body: string }
      | { type: "FAILURE"; path: string; code: number }
      | { type: "REJECTED"; path: string }
      | { type: "BREAKER"; state: "open" | "half-open" | "closed" },
  },
  actors: { callService },
  guards: { isTooMany: ({ context }) => context.failures >= 2 },
  delays: { coolDown: ({ context }) => context.opened * 2 * hour },
  actions: {
    reject: emit(({ context, event }) => ({
      type: "REJECTED",
      path: event.type === "CALL" ? event.path : context.path,
    })),
    answer: emit((_, params: { body: string }) => ({ type: "ANSWER" as const, body: params.body })),
    fail: emit(({ context }, params: { error: unknown }) => ({
      type: "FAILURE" as const,
      path: context.path,
      code: (params.error as { code: number }).code,
    })),
  },
}).createMachine({
  id: "breaker",
  context: ({ input }) => ({ isUp: input.isUp, path: "", failures: 0, opened: 0 }),
  initial: "closed",
  on: {
    SERVICE: { actions: assign({ isUp: ({ event }) => event.isUp }) },
    CALL: { actions: "reject" },
    TRIP: ".open",
  },
  states: {
    closed: {
      entry: assign({ failures: 0 }),
      initial: "idle",
      states: {
        idle: {
          always: { guard: "isTooMany", actions: raise({ type: "TRIP" }), target: "tripped" },
          on: { CALL: { target: "calling", actions: assign({ path: ({ event }) => event.path }) } },
        },
        calling: {
          invoke: {
            src: "callService",
            input: ({ context }) => ({ path: context.path, isUp: context.isUp }),
            onDone: {
              target: "idle",
              actions: [
                assign({ failures: 0 }),
                { type: "answer", params: ({ event }) => ({ body: event.output.body }) },
              ],
            },
            onError: {
              target: "idle",
              actions: [
                assign({ failures: ({ context }) => context.failures + 1 }),
                { type: "fail", params: ({ event }) => ({ error: event.error }) },
              ],
            },
          },
        },
        tripped: {},
      },
    },
    open: {
      entry: [assign({ opened: ({ context }) => context.opened + 1 }), emit({ type: "BREAKER", state: "open" })],
      after: { coolDown: "halfOpen" },
    },
    halfOpen: {
      entry: emit({ type: "BREAKER", state: "half-open" }),
      initial: "idle",
      states: {
        idle: { on: { CALL: { target: "trying", actions: assign({ path: ({ event }) => event.path }) } } },
        trying: {
          invoke: {
            src: "callService",
            input: ({ context }) => ({ path: context.path, isUp: context.isUp }),
            onDone: {
              target: "#breaker.closed",
              actions: [
                assign({ opened: 0 }),
                { type: "answer", params: ({ event }) => ({ body: event.output.body }) },
                emit({ type: "BREAKER", state: "closed" }),
              ],
            },
            onError: {
              target: "#breaker.open",
              actions: { type: "fail", params: ({ event }) => ({ error: event.error }) },
            },
          },
        },
      },
    },
  },
});

const breaker = (state: string) => ({ type: "BREAKER", state });
const failure = (path: string) => ({ type: "FAILURE", path, code: 503 });

/** A service that goes down for a while. */
export const circuitBreaker: readonly Scenario[] = [
  {
    name: "a circuit breaker opens, tries, opens for longer and closes again",
    covers: [
      "logic.promise",
      "invoke.onError",
      "errors.fields",
      "after.dynamic",
      "raise.immediate",
      "target.id",
      "eventless.guard",
    ],
    machine: () => breakerMachine,
    input: { isUp: true },
    steps: [
      { send: { type: "CALL", path: "/a" } },
      { send: { type: "SERVICE", isUp: false } },
      { send: { type: "CALL", path: "/b" } },
      { send: { type: "CALL", path: "/c" } },
      { send: { type: "CALL", path: "/d" } },
      { expect: { value: "open" } },
      { hours: 2 },
      { send: { type: "CALL", path: "/e" } },
      { hours: 2 },
      { expect: { value: "open", contextHas: { opened: 2 } } },
      { hours: 2 },
      { send: { type: "SERVICE", isUp: true } },
      { send: { type: "CALL", path: "/f" } },
      {
        expect: {
          value: { closed: "idle" },
          context: { isUp: true, path: "/f", failures: 0, opened: 0 },
          emitted: [
            { type: "ANSWER", body: "content of /a" },
            failure("/b"),
            failure("/c"),
            breaker("open"),
            { type: "REJECTED", path: "/d" },
            breaker("half-open"),
            failure("/e"),
            breaker("open"),
            breaker("half-open"),
            { type: "ANSWER", body: "content of /f" },
            breaker("closed"),
          ],
        },
      },
    ],
  },
];

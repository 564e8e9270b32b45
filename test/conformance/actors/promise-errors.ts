/** Promises that reject: what onError gets, and what becomes of a machine that does not say. */
import { assign, fromPromise, setup } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";
import { echo, failing, type Input } from "./logic.ts";

/** An error as applications make them, with fields of its own. */
class PaymentError extends Error {
  override readonly name = "PaymentError";
  readonly code = "E_FUNDS";
  readonly data = { missing: 12, currency: "EUR" };
}

export const scenarios: readonly Scenario[] = [
  {
    name: "a promise's rejection comes by onError",
    covers: ["invoke.onError", "logic.promise"],
    machine: () =>
      setup({ actors: { pay: failing } }).createMachine({
        context: { reason: "" },
        initial: "paying",
        states: {
          paying: {
            invoke: {
              src: "pay",
              input: "no money",
              onDone: "paid",
              onError: {
                target: "refused",
                actions: assign({ reason: ({ event }) => (event.error as Error).message }),
              },
            },
          },
          paid: {},
          refused: {},
        },
      }),
    steps: [{ expect: { value: "refused", status: "active", context: { reason: "no money" } } }],
  },
  {
    name: "an error keeps its name, message, code, data and cause",
    covers: ["invoke.onError", "errors.fields"],
    machine: () => {
      const pay = fromPromise(async () => {
        throw new PaymentError("not enough", { cause: new RangeError("12 is missing") });
      });
      return setup({ actors: { pay } }).createMachine({
        context: { seen: undefined as unknown },
        initial: "paying",
        states: {
          paying: {
            invoke: {
              src: "pay",
              onError: {
                target: "refused",
                actions: assign({
                  seen: ({ event }) => {
                    const { name, message, code, data, cause } = event.error as PaymentError;
                    const { name: causeName, message: causeMessage } = cause as Error;
                    return { name, message, code, data, causeName, causeMessage };
                  },
                }),
              },
            },
          },
          refused: {},
        },
      });
    },
    steps: [
      {
        expect: {
          value: "refused",
          context: {
            seen: {
              name: "PaymentError",
              message: "not enough",
              code: "E_FUNDS",
              data: { missing: 12, currency: "EUR" },
              causeName: "RangeError",
              causeMessage: "12 is missing",
            },
          },
        },
      },
    ],
  },
  {
    name: "what onError gets of an error is an Error",
    covers: ["invoke.onError", "errors.fields"],
    machine: () =>
      setup({ actors: { pay: failing } }).createMachine({
        context: { isError: false },
        initial: "paying",
        states: {
          paying: {
            invoke: {
              src: "pay",
              onError: { target: "refused", actions: assign({ isError: ({ event }) => event.error instanceof Error }) },
            },
          },
          refused: {},
        },
      }),
    steps: [{ expect: { value: "refused", context: { isError: true } } }],
  },
  {
    name: "an error's causes are kept down to the first",
    covers: ["errors.fields"],
    machine: () => {
      const pay = fromPromise(async () => {
        throw new Error("outer", { cause: new Error("middle", { cause: new Error("inner") }) });
      });
      return setup({ actors: { pay } }).createMachine({
        context: { messages: [] as string[] },
        initial: "paying",
        states: {
          paying: {
            invoke: {
              src: "pay",
              onError: {
                target: "refused",
                actions: assign({
                  messages: ({ event }) => {
                    const outer = event.error as Error;
                    const middle = outer.cause as Error;
                    return [outer.message, middle.message, (middle.cause as Error).message];
                  },
                }),
              },
            },
          },
          refused: {},
        },
      });
    },
    steps: [{ expect: { value: "refused", context: { messages: ["outer", "middle", "inner"] } } }],
  },
  {
    name: "an error can be kept in the context",
    covers: ["errors.fields", "value.actors"],
    machine: () => {
      const pay = fromPromise(async () => {
        throw new PaymentError("not enough");
      });
      return setup({ actors: { pay } }).createMachine({
        context: { error: undefined as unknown, told: "" },
        initial: "paying",
        states: {
          paying: {
            invoke: {
              src: "pay",
              onError: { target: "refused", actions: assign({ error: ({ event }) => event.error }) },
            },
          },
          refused: {
            on: {
              TELL: {
                actions: assign({
                  told: ({ context }) => {
                    const { name, message, code } = context.error as PaymentError;
                    return `${name} ${message} ${code} ${context.error instanceof Error}`;
                  },
                }),
              },
            },
          },
        },
      });
    },
    steps: [{ send: { type: "TELL" } }, { expect: { contextHas: { told: "PaymentError not enough E_FUNDS true" } } }],
  },
  {
    name: "a promise can reject with a string",
    covers: ["invoke.onError"],
    machine: () => {
      const pay = fromPromise(() => Promise.reject("no"));
      return setup({ actors: { pay } }).createMachine({
        context: { error: undefined as unknown },
        initial: "paying",
        states: {
          paying: {
            invoke: {
              src: "pay",
              onError: { target: "refused", actions: assign({ error: ({ event }) => event.error }) },
            },
          },
          refused: {},
        },
      });
    },
    steps: [{ expect: { value: "refused", context: { error: "no" } } }],
  },
  {
    name: "a promise can reject with a plain object",
    covers: ["invoke.onError"],
    machine: () => {
      const pay = fromPromise(() => Promise.reject({ status: 402, at: new Date(0) }));
      return setup({ actors: { pay } }).createMachine({
        context: { error: undefined as unknown },
        initial: "paying",
        states: {
          paying: {
            invoke: {
              src: "pay",
              onError: { target: "refused", actions: assign({ error: ({ event }) => event.error }) },
            },
          },
          refused: {},
        },
      });
    },
    steps: [{ expect: { value: "refused", context: { error: { status: 402, at: new Date(0) } } } }],
  },
  {
    name: "a promise can reject with nothing",
    covers: ["invoke.onError"],
    machine: () => {
      const pay = fromPromise(() => Promise.reject());
      return setup({ actors: { pay } }).createMachine({
        context: { isUndefined: false },
        initial: "paying",
        states: {
          paying: {
            invoke: {
              src: "pay",
              onError: {
                target: "refused",
                actions: assign({ isUndefined: ({ event }) => event.error === undefined }),
              },
            },
          },
          refused: {},
        },
      });
    },
    steps: [{ expect: { value: "refused", context: { isUndefined: true } } }],
  },
  {
    name: "a function that throws before it returns a promise counts as a rejection",
    covers: ["invoke.onError", "logic.promise"],
    machine: () => {
      const pay = fromPromise((): Promise<never> => {
        throw new TypeError("not callable");
      });
      return setup({ actors: { pay } }).createMachine({
        context: { error: "" },
        initial: "paying",
        states: {
          paying: {
            invoke: {
              src: "pay",
              onError: {
                target: "refused",
                actions: assign({
                  error: ({ event }) => `${(event.error as Error).name}: ${(event.error as Error).message}`,
                }),
              },
            },
          },
          refused: {},
        },
      });
    },
    steps: [{ expect: { value: "refused", context: { error: "TypeError: not callable" } } }],
  },
  {
    name: "onError goes where the first guard that holds of the error says",
    covers: ["invoke.onError"],
    machine: () => {
      const pay = fromPromise<never, Input>(async ({ input }) => {
        throw Object.assign(new Error("refused"), { code: input });
      });
      return setup({ actors: { pay } }).createMachine({
        initial: "idle",
        states: {
          idle: { on: { PAY: "paying" } },
          paying: {
            invoke: {
              src: "pay",
              input: ({ event }) => event.code,
              onError: [
                { guard: ({ event }) => (event.error as { code?: string }).code === "E_FUNDS", target: "poor" },
                { guard: ({ event }) => (event.error as { code?: string }).code === "E_BLOCKED", target: "blocked" },
                { target: "broken" },
              ],
            },
          },
          poor: { on: { PAY: "paying" } },
          blocked: { on: { PAY: "paying" } },
          broken: {},
        },
      });
    },
    steps: [
      { send: { type: "PAY", code: "E_FUNDS" } },
      { expect: { value: "poor" } },
      { send: { type: "PAY", code: "E_BLOCKED" } },
      { expect: { value: "blocked" } },
      { send: { type: "PAY", code: "E_OTHER" } },
      { expect: { value: "broken" } },
    ],
  },
  {
    name: "onError without a target stays in the state",
    covers: ["invoke.onError"],
    machine: () =>
      setup({ actors: { pay: failing } }).createMachine({
        context: { failures: 0 },
        initial: "paying",
        states: {
          paying: {
            invoke: { src: "pay", onError: { actions: assign({ failures: ({ context }) => context.failures + 1 }) } },
            on: { AGAIN: { target: "paying", reenter: true } },
          },
        },
      }),
    steps: [
      { expect: { value: "paying", status: "active", context: { failures: 1 } } },
      { send: { type: "AGAIN" } },
      { expect: { value: "paying", context: { failures: 2 } } },
    ],
  },
  {
    name: "a rejection is not tried again unless the machine says so",
    covers: ["invoke.onError", "promise.attempts"],
    machine: ({ trace }) => {
      const pay = fromPromise(async () => {
        trace("attempt");
        throw new Error("no");
      });
      return setup({ actors: { pay } }).createMachine({
        initial: "paying",
        states: { paying: { invoke: { src: "pay", onError: "refused" } }, refused: {} },
      });
    },
    steps: [{ hours: 1 }, { expect: { value: "refused", trace: ["attempt"] } }],
  },
  {
    name: "a machine tries a promise again by going back to its state",
    covers: ["invoke.onError", "invoke.reenter"],
    machine: () => {
      const pay = fromPromise<string, { attempt: number }>(async ({ input }) => {
        if (input.attempt < 3) throw new Error(`attempt ${input.attempt}`);
        return `attempt ${input.attempt}`;
      });
      return setup({ actors: { pay } }).createMachine({
        context: { attempt: 0, got: "", last: "" },
        initial: "paying",
        states: {
          paying: {
            entry: assign({ attempt: ({ context }) => context.attempt + 1 }),
            invoke: {
              src: "pay",
              input: ({ context }) => ({ attempt: context.attempt }),
              onDone: { target: "paid", actions: assign({ got: ({ event }) => event.output }) },
              onError: { target: "waiting", actions: assign({ last: ({ event }) => (event.error as Error).message }) },
            },
          },
          waiting: { always: "paying" },
          paid: {},
        },
      });
    },
    steps: [{ expect: { value: "paid", context: { attempt: 3, got: "attempt 3", last: "attempt 2" } } }],
  },
  {
    name: "a rejection that nothing handles ends the machine with its error",
    covers: ["errors.unhandled", "logic.promise"],
    machine: () =>
      setup({ actors: { pay: failing } }).createMachine({
        initial: "paying",
        states: { paying: { invoke: { src: "pay", input: "no money", onDone: "paid" } }, paid: {} },
      }),
    steps: [{ expect: { status: "error", error: { name: "Error", message: "no money" } } }],
  },
  {
    name: "a rejection is handled by an ancestor of the invoking state",
    covers: ["invoke.onError"],
    machine: () =>
      setup({ actors: { pay: failing } }).createMachine({
        context: { reason: "" },
        initial: "open",
        states: {
          open: {
            initial: "paying",
            states: { paying: { invoke: { src: "pay", id: "pay", input: "no money" } } },
            on: {
              "xstate.error.actor.pay": {
                target: "refused",
                actions: assign({ reason: ({ event }) => (event.error as Error).message }),
              },
            },
          },
          refused: {},
        },
      }),
    steps: [{ expect: { value: "refused", status: "active", context: { reason: "no money" } } }],
  },
  {
    name: "a wildcard takes a rejection that nothing else does",
    covers: ["invoke.onError", "errors.unhandled"],
    machine: () =>
      setup({ actors: { pay: failing } }).createMachine({
        context: { seen: [] as string[] },
        initial: "paying",
        states: { paying: { invoke: { src: "pay", id: "pay" } } },
        on: { "*": { actions: assign({ seen: ({ context, event }) => [...context.seen, event.type] }) } },
      }),
    steps: [{ expect: { value: "paying", status: "active", context: { seen: ["xstate.error.actor.pay"] } } }],
  },
  {
    name: "one promise's rejection leaves the other promise of the state alone when it is handled",
    covers: ["invoke.several", "invoke.onError"],
    machine: () =>
      setup({ actors: { pay: failing, load: echo } }).createMachine({
        context: { failed: false, got: "" },
        initial: "working",
        states: {
          working: {
            invoke: [
              { src: "pay", onError: { actions: assign({ failed: true }) } },
              { src: "load", input: "loaded", onDone: { actions: assign({ got: ({ event }) => event.output }) } },
            ],
            always: { guard: ({ context }) => context.failed && context.got !== "", target: "ready" },
          },
          ready: {},
        },
      }),
    steps: [{ expect: { value: "ready", status: "active", context: { failed: true, got: "loaded" } } }],
  },
  {
    name: "the error event names the promise that rejected",
    covers: ["invoke.onError", "invoke.id"],
    machine: () =>
      setup({ actors: { pay: failing } }).createMachine({
        context: { seen: [] as string[] },
        initial: "paying",
        states: {
          paying: {
            invoke: {
              src: "pay",
              id: "payment",
              onError: { target: "refused", actions: assign({ seen: ({ event }) => [event.type, event.actorId] }) },
            },
          },
          refused: {},
        },
      }),
    steps: [{ expect: { value: "refused", context: { seen: ["xstate.error.actor.payment", "payment"] } } }],
  },
];

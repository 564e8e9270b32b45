/** Observable logic (fromObservable, fromEventObservable): live attachments of a state, like callbacks. */
import { assign, createMachine, fromEventObservable, fromObservable, setup, spawnChild, stopChild } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";
import { observableOf } from "./logic.ts";

export const scenarios: readonly Scenario[] = [
  {
    name: "the values of an observable come by onSnapshot",
    covers: ["logic.observable", "invoke.onSnapshot"],
    machine: () => {
      const prices = fromObservable<number, undefined>(() => observableOf([10, 20, 30]));
      return setup({ actors: { prices } }).createMachine({
        context: { latest: 0 as number | undefined },
        invoke: { src: "prices", onSnapshot: { actions: assign({ latest: ({ event }) => event.snapshot.context }) } },
      });
    },
    steps: [{ expect: { status: "active", context: { latest: 30 } } }],
  },
  {
    name: "every value of an observable is seen, and before them that there is none yet",
    covers: ["logic.observable", "invoke.onSnapshot"],
    machine: () => {
      const prices = fromObservable<number, undefined>(() => observableOf([10, 20, 30], "complete"));
      return setup({ actors: { prices } }).createMachine({
        context: { seen: [] as unknown[] },
        initial: "on",
        states: {
          on: {
            invoke: {
              src: "prices",
              onSnapshot: {
                actions: assign({ seen: ({ context, event }) => [...context.seen, event.snapshot.context] }),
              },
              onDone: "off",
            },
          },
          off: {},
        },
      });
    },
    steps: [{ expect: { value: "off", context: { seen: [undefined, 10, 20, 30] } } }],
  },
  {
    name: "an observable that completes is done without output",
    covers: ["logic.observable", "invoke.onDone"],
    machine: () => {
      const prices = fromObservable<number, undefined>(() => observableOf([1], "complete"));
      return setup({ actors: { prices } }).createMachine({
        context: { isUndefined: false },
        initial: "on",
        states: {
          on: {
            invoke: {
              src: "prices",
              onDone: { target: "off", actions: assign({ isUndefined: ({ event }) => event.output === undefined }) },
            },
          },
          off: {},
        },
      });
    },
    steps: [{ expect: { value: "off", context: { isUndefined: true } } }],
  },
  {
    name: "an observable that fails comes by onError",
    covers: ["logic.observable", "invoke.onError"],
    machine: () => {
      const prices = fromObservable<number, undefined>(() =>
        observableOf([1], { error: new RangeError("out of range") }),
      );
      return setup({ actors: { prices } }).createMachine({
        context: { reason: "" },
        initial: "on",
        states: {
          on: {
            invoke: {
              src: "prices",
              onError: {
                target: "failed",
                actions: assign({
                  reason: ({ event }) => `${(event.error as Error).name}: ${(event.error as Error).message}`,
                }),
              },
            },
          },
          failed: {},
        },
      });
    },
    steps: [{ expect: { value: "failed", status: "active", context: { reason: "RangeError: out of range" } } }],
  },
  {
    name: "an observable whose failure nothing handles ends the machine",
    covers: ["logic.observable", "errors.unhandled"],
    machine: () => {
      const prices = fromObservable<number, undefined>(() => observableOf([], { error: new Error("cut off") }));
      return setup({ actors: { prices } }).createMachine({ invoke: { src: "prices" } });
    },
    steps: [{ expect: { status: "error", error: { message: "cut off" } } }],
  },
  {
    name: "an observable is made from its input",
    covers: ["logic.observable", "invoke.input"],
    machine: () => {
      const upTo = fromObservable<number, { readonly limit: number }>(({ input }) =>
        observableOf(
          Array.from({ length: input.limit }, (_, i) => i + 1),
          "complete",
        ),
      );
      return setup({ actors: { upTo } }).createMachine({
        context: { limit: 4, sum: 0 },
        initial: "on",
        states: {
          on: {
            invoke: {
              src: "upTo",
              input: ({ context }) => ({ limit: context.limit }),
              onSnapshot: {
                actions: assign({ sum: ({ context, event }) => context.sum + (event.snapshot.context ?? 0) }),
              },
              onDone: "off",
            },
          },
          off: {},
        },
      });
    },
    steps: [{ expect: { value: "off", context: { limit: 4, sum: 10 } } }],
  },
  {
    name: "an observable is unsubscribed when its state is left",
    covers: ["logic.observable", "invoke.exit"],
    restarts: true,
    machine: ({ trace }) => {
      const prices = fromObservable<number, undefined>(() => observableOf([1], "open", () => trace("unsubscribed")));
      return setup({ actors: { prices } }).createMachine({
        initial: "on",
        states: { on: { invoke: { src: "prices" }, on: { OFF: "off" } }, off: {} },
      });
    },
    steps: [
      { expect: { value: "on", trace: [] } },
      { send: { type: "OFF" } },
      { expect: { value: "off", trace: ["unsubscribed"] } },
    ],
  },
  {
    name: "an observable started by spawnChild shows its values when it is asked to",
    covers: ["logic.observable", "spawn.syncSnapshot", "spawn.spawnChild"],
    machine: () => {
      const prices = fromObservable<number, undefined>(() => observableOf([1, 2]));
      return setup({ actors: { prices } }).createMachine({
        context: { latest: 0 as number | undefined },
        entry: spawnChild("prices", { id: "prices", syncSnapshot: true }),
        on: { "xstate.snapshot.prices": { actions: assign({ latest: ({ event }) => event.snapshot.context }) } },
      });
    },
    steps: [{ expect: { context: { latest: 2 } } }],
  },
  {
    name: "the values of an observable move the parent",
    covers: ["logic.observable", "invoke.onSnapshot"],
    machine: () => {
      const prices = fromObservable<number, undefined>(() => observableOf([5, 50, 500]));
      return setup({ actors: { prices } }).createMachine({
        initial: "low",
        states: {
          low: {
            invoke: {
              src: "prices",
              onSnapshot: { guard: ({ event }) => (event.snapshot.context ?? 0) > 10, target: "high" },
            },
          },
          high: {},
        },
      });
    },
    steps: [{ expect: { value: "high" } }],
  },
  {
    name: "the events of an event observable come to the parent as they are",
    covers: ["logic.eventObservable"],
    machine: () => {
      const clicks = fromEventObservable(() =>
        observableOf([{ type: "CLICK", x: 1 }, { type: "CLICK", x: 2 }, { type: "END" }]),
      );
      return setup({ actors: { clicks } }).createMachine({
        context: { xs: [] as number[] },
        initial: "on",
        states: {
          on: {
            invoke: { src: "clicks" },
            on: { CLICK: { actions: assign({ xs: ({ context, event }) => [...context.xs, event.x] }) }, END: "off" },
          },
          off: {},
        },
      });
    },
    steps: [{ expect: { value: "off", context: { xs: [1, 2] } } }],
  },
  {
    name: "an event observable that completes is done",
    covers: ["logic.eventObservable", "invoke.onDone"],
    machine: () => {
      const clicks = fromEventObservable(() => observableOf([{ type: "CLICK" }], "complete"));
      return setup({ actors: { clicks } }).createMachine({
        context: { clicks: 0 },
        initial: "on",
        states: {
          on: {
            invoke: { src: "clicks", onDone: "off" },
            on: { CLICK: { actions: assign({ clicks: ({ context }) => context.clicks + 1 }) } },
          },
          off: {},
        },
      });
    },
    steps: [{ expect: { value: "off", context: { clicks: 1 } } }],
  },
  {
    name: "an event observable that fails comes by onError",
    covers: ["logic.eventObservable", "invoke.onError"],
    machine: () => {
      const clicks = fromEventObservable(() => observableOf([], { error: new Error("no mouse") }));
      return setup({ actors: { clicks } }).createMachine({
        context: { reason: "" },
        initial: "on",
        states: {
          on: {
            invoke: {
              src: "clicks",
              onError: { target: "failed", actions: assign({ reason: ({ event }) => (event.error as Error).message }) },
            },
          },
          failed: {},
        },
      });
    },
    steps: [{ expect: { value: "failed", context: { reason: "no mouse" } } }],
  },
  {
    name: "an event observable gets its input",
    covers: ["logic.eventObservable", "invoke.input"],
    machine: () => {
      const say = fromEventObservable<any, { readonly words: readonly string[] }>(({ input }) =>
        observableOf([...input.words.map((word) => ({ type: "WORD", word })), { type: "END" }]),
      );
      return setup({ actors: { say } }).createMachine({
        context: { words: [] as string[] },
        initial: "on",
        states: {
          on: {
            invoke: { src: "say", input: { words: ["to", "be"] } },
            on: {
              WORD: { actions: assign({ words: ({ context, event }) => [...context.words, event.word] }) },
              END: "off",
            },
          },
          off: {},
        },
      });
    },
    steps: [{ expect: { value: "off", context: { words: ["to", "be"] } } }],
  },
  {
    name: "a spawned event observable is unsubscribed by stopChild",
    covers: ["logic.eventObservable", "spawn.stopChild", "spawn.assign"],
    restarts: true,
    machine: ({ trace }) => {
      const clicks = fromEventObservable(() => observableOf([], "open", () => trace("unsubscribed")));
      return setup({ actors: { clicks } }).createMachine({
        context: ({ spawn }) => ({ clicks: spawn("clicks", { id: "clicks" }) as any }),
        on: { STOP: { actions: stopChild(({ context }) => context.clicks) } },
      });
    },
    steps: [{ send: { type: "STOP" } }, { expect: { status: "active", trace: ["unsubscribed"] } }],
  },
  {
    name: "dates and maps of an observable come as they are",
    covers: ["logic.observable", "value.actors"],
    machine: () => {
      const prices = fromObservable<unknown, undefined>(() =>
        observableOf([{ at: new Date(1), map: new Map([["a", 1n]]) }]),
      );
      return setup({ actors: { prices } }).createMachine({
        context: { latest: undefined as unknown },
        invoke: { src: "prices", onSnapshot: { actions: assign({ latest: ({ event }) => event.snapshot.context }) } },
      });
    },
    steps: [{ expect: { context: { latest: { at: new Date(1), map: new Map([["a", 1n]]) } } } }],
  },
  {
    name: "an observable can be written into the invocation itself",
    covers: ["logic.observable", "invoke.inline"],
    machine: () =>
      createMachine({
        initial: "on",
        states: {
          on: {
            invoke: { src: fromObservable<number, undefined>(() => observableOf([1], "complete")), onDone: "off" },
          },
          off: {},
        },
      }),
    steps: [{ expect: { value: "off" } }],
  },
];

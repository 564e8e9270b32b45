/** Invoked machines: children that live as long as the state that invokes them. */
import { assign, createMachine, sendParent, sendTo, setup } from "xstate";
import { hour, type Scenario } from "../../scenarios/scenario.ts";
import { counter, fragile, mortal, ticker } from "./logic.ts";

export const scenarios: readonly Scenario[] = [
  {
    name: "an invoked machine's output comes by onDone when it reaches its final state",
    covers: ["logic.machine", "invoke.onDone", "actors.output"],
    machine: () =>
      setup({ actors: { mortal } }).createMachine({
        context: { got: "" },
        initial: "waiting",
        states: {
          waiting: {
            invoke: {
              src: "mortal",
              id: "kid",
              onDone: { target: "ready", actions: assign({ got: ({ event }) => event.output }) },
            },
            on: { GO: { actions: sendTo("kid", { type: "END", value: "lived" }) } },
          },
          ready: {},
        },
      }),
    steps: [
      { expect: { value: "waiting" } },
      { send: { type: "GO" } },
      { expect: { value: "ready", status: "active", context: { got: "lived" } } },
    ],
  },
  {
    name: "an invoked machine that is final from the start is done at once",
    covers: ["logic.machine", "invoke.onDone"],
    machine: () =>
      setup({
        actors: {
          brief: createMachine({ initial: "over", states: { over: { type: "final" } }, output: { took: "no time" } }),
        },
      }).createMachine({
        context: { got: undefined as unknown },
        initial: "waiting",
        states: {
          waiting: {
            invoke: {
              src: "brief",
              onDone: { target: "ready", actions: assign({ got: ({ event }) => event.output }) },
            },
          },
          ready: {},
        },
      }),
    steps: [{ expect: { value: "ready", context: { got: { took: "no time" } } } }],
  },
  {
    name: "an invoked machine makes its context from its input",
    covers: ["logic.machine", "invoke.input"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: 0 },
        invoke: { src: "counter", id: "kid", input: { from: 40 } },
        on: {
          ADD: { actions: sendTo("kid", { type: "ADD", by: 2 }) },
          ASK: { actions: sendTo("kid", { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      }),
    steps: [{ send: { type: "ADD" } }, { send: { type: "ASK" } }, { expect: { context: { seen: 42 } } }],
  },
  {
    name: "input of an invoked machine is made from context and event",
    covers: ["invoke.input"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { base: 100, seen: 0 },
        initial: "idle",
        states: {
          idle: { on: { START: "counting" } },
          counting: {
            invoke: {
              src: "counter",
              id: "kid",
              input: ({ context, event }) => ({ from: context.base + event.extra }),
            },
            on: {
              ASK: { actions: sendTo("kid", { type: "TELL" }) },
              COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
            },
          },
        },
      }),
    steps: [
      { send: { type: "START", extra: 5 } },
      { send: { type: "ASK" } },
      { expect: { contextHas: { seen: 105 } } },
    ],
  },
  {
    name: "dates, maps and sets in the input of a machine stay what they are",
    covers: ["invoke.input", "value.actors"],
    machine: () => {
      const keeper = setup({ types: { context: {} as { input: any } } }).createMachine({
        context: ({ input }) => ({ input }),
        initial: "over",
        states: { over: { type: "final" } },
        output: ({ context }) =>
          `${context.input.at.toISOString()} ${context.input.prices.get("tea")} ${context.input.tags.has("a")}`,
      });
      return setup({ actors: { keeper } }).createMachine({
        context: { got: "" },
        initial: "waiting",
        states: {
          waiting: {
            invoke: {
              src: "keeper",
              input: { at: new Date(0), prices: new Map([["tea", 250]]), tags: new Set(["a"]) },
              onDone: { target: "ready", actions: assign({ got: ({ event }) => event.output as string }) },
            },
          },
          ready: {},
        },
      });
    },
    steps: [{ expect: { value: "ready", context: { got: "1970-01-01T00:00:00.000Z 250 true" } } }],
  },
  {
    name: "a machine's output is made from its context and from the output of its final state",
    covers: ["actors.output"],
    machine: () => {
      const vote = createMachine({
        context: { voters: 3 },
        initial: "open",
        states: {
          open: { on: { YES: "accepted", NO: "rejected" } },
          accepted: { type: "final", output: { verdict: "yes" } },
          rejected: { type: "final", output: ({ context }) => ({ verdict: "no", of: context.voters }) },
        },
        output: ({ context, event }) => ({ ...(event as any).output, voters: context.voters }),
      });
      return setup({ actors: { vote } }).createMachine({
        context: { results: [] as unknown[] },
        initial: "voting",
        states: {
          voting: {
            invoke: {
              src: "vote",
              id: "vote",
              onDone: {
                target: "idle",
                actions: assign({ results: ({ context, event }) => [...context.results, event.output] }),
              },
            },
            on: { YES: { actions: sendTo("vote", { type: "YES" }) }, NO: { actions: sendTo("vote", { type: "NO" }) } },
          },
          idle: { on: { AGAIN: "voting" } },
        },
      });
    },
    steps: [
      { send: { type: "YES" } },
      { send: { type: "AGAIN" } },
      { send: { type: "NO" } },
      {
        expect: {
          value: "idle",
          context: {
            results: [
              { verdict: "yes", voters: 3 },
              { verdict: "no", of: 3, voters: 3 },
            ],
          },
        },
      },
    ],
  },
  {
    name: "onDone goes where the first guard that holds of a machine's output says",
    covers: ["invoke.onDone"],
    machine: () =>
      setup({ actors: { mortal } }).createMachine({
        initial: "waiting",
        states: {
          waiting: {
            invoke: {
              src: "mortal",
              id: "kid",
              onDone: [{ guard: ({ event }) => event.output === "won", target: "glad" }, { target: "sad" }],
            },
            on: { GO: { actions: sendTo("kid", ({ event }) => ({ type: "END", value: event.value })) } },
          },
          glad: { on: { AGAIN: "waiting" } },
          sad: {},
        },
      }),
    steps: [
      { send: { type: "GO", value: "won" } },
      { expect: { value: "glad" } },
      { send: { type: "AGAIN" } },
      { send: { type: "GO", value: "lost" } },
      { expect: { value: "sad" } },
    ],
  },
  {
    name: "an invoked machine that throws while it starts comes by onError",
    covers: ["invoke.onError", "actors.error"],
    machine: () => {
      const broken = createMachine({
        entry: assign(() => {
          throw new Error("will not start");
        }),
      });
      return setup({ actors: { broken } }).createMachine({
        context: { reason: "" },
        initial: "starting",
        states: {
          starting: {
            invoke: {
              src: "broken",
              onError: { target: "failed", actions: assign({ reason: ({ event }) => (event.error as Error).message }) },
            },
          },
          failed: {},
        },
      });
    },
    steps: [{ expect: { value: "failed", status: "active", context: { reason: "will not start" } } }],
  },
  {
    name: "an invoked machine that throws while it makes its context comes by onError",
    covers: ["invoke.onError", "actors.error"],
    machine: () => {
      const picky = setup({ types: { input: {} as { amount: number } } }).createMachine({
        context: ({ input }) => {
          if (input.amount < 0) throw new RangeError("amount is negative");
          return {};
        },
      });
      return setup({ actors: { picky } }).createMachine({
        context: { reason: "" },
        initial: "idle",
        states: {
          idle: { on: { START: "starting" } },
          starting: {
            invoke: {
              src: "picky",
              input: ({ event }) => ({ amount: event.amount }),
              onError: {
                target: "idle",
                actions: assign({
                  reason: ({ event }) => `${(event.error as Error).name}: ${(event.error as Error).message}`,
                }),
              },
            },
          },
        },
      });
    },
    steps: [
      { send: { type: "START", amount: -1 } },
      { expect: { value: "idle", context: { reason: "RangeError: amount is negative" } } },
      { send: { type: "START", amount: 1 } },
      { expect: { value: "starting", status: "active" } },
    ],
  },
  {
    name: "an invoked machine that throws at an event comes by onError",
    covers: ["invoke.onError", "actors.error"],
    machine: () =>
      setup({ actors: { fragile } }).createMachine({
        context: { reason: "" },
        initial: "working",
        states: {
          working: {
            invoke: {
              src: "fragile",
              id: "kid",
              onError: { target: "failed", actions: assign({ reason: ({ event }) => (event.error as Error).message }) },
            },
            on: {
              ADD: { actions: sendTo("kid", { type: "ADD" }) },
              BREAK: { actions: sendTo("kid", { type: "FAIL", reason: "worn out" }) },
            },
          },
          failed: {},
        },
      }),
    steps: [
      { send: { type: "ADD" } },
      { expect: { value: "working" } },
      { send: { type: "BREAK" } },
      { expect: { value: "failed", status: "active", context: { reason: "worn out" } } },
    ],
  },
  {
    name: "a guard that throws in an invoked machine comes by onError",
    covers: ["invoke.onError", "actors.error"],
    machine: () => {
      const unsure = setup({
        guards: {
          isSure: (): boolean => {
            throw new Error("cannot tell");
          },
        },
      }).createMachine({ id: "unsure", on: { ASK: { guard: "isSure", actions: [] } } });
      return setup({ actors: { unsure } }).createMachine({
        context: { isTold: false },
        initial: "working",
        states: {
          working: {
            entry: sendTo("kid", { type: "ASK" }),
            invoke: {
              src: "unsure",
              id: "kid",
              onError: {
                target: "failed",
                // XState wraps the error, Statewright hands it on as it was thrown: both hold its message.
                actions: assign({ isTold: ({ event }) => (event.error as Error).message.includes("cannot tell") }),
              },
            },
          },
          failed: {},
        },
      });
    },
    steps: [{ expect: { value: "failed", status: "active", context: { isTold: true } } }],
  },
  {
    name: "a failing machine's error keeps name, code, data and cause on the way to its parent",
    covers: ["actors.error", "errors.fields"],
    machine: () => {
      const broken = createMachine({
        on: {
          FAIL: {
            actions: assign(() => {
              throw Object.assign(new TypeError("bad", { cause: new Error("root cause") }), {
                code: "E_BAD",
                data: { at: new Date(7) },
              });
            }),
          },
        },
      });
      return setup({ actors: { broken } }).createMachine({
        context: { seen: [] as unknown[] },
        initial: "working",
        states: {
          working: {
            invoke: {
              src: "broken",
              id: "kid",
              onError: {
                target: "failed",
                actions: assign({
                  seen: ({ event }) => {
                    const error = event.error as Error & { code: string; data: unknown };
                    const { name, message, code, data, cause } = error;
                    return [
                      name,
                      message,
                      code,
                      data,
                      (cause as Error).message,
                      error instanceof TypeError,
                      event.actorId,
                    ];
                  },
                }),
              },
            },
            on: { BREAK: { actions: sendTo("kid", { type: "FAIL" }) } },
          },
          failed: {},
        },
      });
    },
    steps: [
      { send: { type: "BREAK" } },
      {
        expect: {
          value: "failed",
          context: { seen: ["TypeError", "bad", "E_BAD", { at: new Date(7) }, "root cause", true, "kid"] },
        },
      },
    ],
  },
  {
    name: "a failing machine hands on what it threw, also when that is no error",
    covers: ["actors.error", "errors.fields"],
    machine: () => {
      const broken = createMachine({
        on: {
          FAIL: {
            actions: assign(({ event }) => {
              throw (event as any).what;
            }),
          },
        },
      });
      return setup({ actors: { broken } }).createMachine({
        context: { seen: [] as unknown[] },
        initial: "idle",
        states: {
          idle: { on: { START: "working" } },
          working: {
            invoke: {
              src: "broken",
              id: "kid",
              onError: {
                target: "idle",
                actions: assign({ seen: ({ context, event }) => [...context.seen, event.error] }),
              },
            },
            on: { FAIL: { actions: sendTo("kid", ({ event }) => event) } },
          },
        },
      });
    },
    steps: [
      { send: { type: "START" } },
      { send: { type: "FAIL", what: "no" } },
      { send: { type: "START" } },
      { send: { type: "FAIL", what: { status: 402, at: new Date(1) } } },
      { expect: { value: "idle", context: { seen: ["no", { status: 402, at: new Date(1) }] } } },
    ],
  },
  {
    name: "leaving the invoking state stops the machine",
    covers: ["invoke.exit", "actors.stop"],
    machine: () =>
      setup({ actors: { ticker } }).createMachine({
        context: { ticks: 0 },
        initial: "on",
        states: { on: { invoke: { src: "ticker", id: "clock" }, on: { OFF: "off" } }, off: { on: { ON: "on" } } },
        on: { TICK: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) } },
      }),
    steps: [
      { hours: 1 },
      { expect: { value: "on", context: { ticks: 1 } } },
      { send: { type: "OFF" } },
      { hours: 3 },
      { expect: { value: "off", context: { ticks: 1 } } },
    ],
  },
  {
    name: "entering the invoking state again makes a fresh machine",
    covers: ["invoke.reenter", "actors.isolated"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: [] as number[] },
        initial: "on",
        states: {
          on: {
            invoke: { src: "counter", id: "kid" },
            on: {
              OFF: "off",
              ADD: { actions: sendTo("kid", { type: "ADD" }) },
              ASK: { actions: sendTo("kid", { type: "TELL" }) },
            },
          },
          off: { on: { ON: "on" } },
        },
        on: { COUNT: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.n] }) } },
      }),
    steps: [
      { send: { type: "ADD" } },
      { send: { type: "ADD" } },
      { send: { type: "ASK" } },
      { expect: { context: { seen: [2] } } },
      { send: { type: "OFF" } },
      { send: { type: "ON" } },
      { send: { type: "ADD" } },
      { send: { type: "ASK" } },
      { expect: { value: "on", context: { seen: [2, 1] } } },
    ],
  },
  {
    name: "reentering the invoking state replaces the machine by a fresh one",
    covers: ["invoke.reenter", "actors.isolated"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: [] as number[] },
        initial: "on",
        states: {
          on: {
            invoke: { src: "counter", id: "kid" },
            on: {
              RESET: { target: "on", reenter: true },
              ADD: { actions: sendTo("kid", { type: "ADD" }) },
              ASK: { actions: sendTo("kid", { type: "TELL" }) },
            },
          },
        },
        on: { COUNT: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.n] }) } },
      }),
    steps: [
      { send: { type: "ADD" } },
      { send: { type: "ADD" } },
      { send: { type: "ADD" } },
      { send: { type: "ASK" } },
      { send: { type: "RESET" } },
      { send: { type: "ADD" } },
      { send: { type: "ASK" } },
      { expect: { context: { seen: [3, 1] } } },
    ],
  },
  {
    name: "an invoked machine lives on while transitions stay inside its state",
    covers: ["logic.machine", "invoke.reenter"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: 0 },
        initial: "on",
        states: {
          on: {
            invoke: { src: "counter", id: "kid" },
            initial: "a",
            states: { a: { on: { NEXT: "b" } }, b: { on: { NEXT: "a" } } },
            on: {
              ADD: { actions: sendTo("kid", { type: "ADD" }) },
              ASK: { actions: sendTo("kid", { type: "TELL" }) },
              COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
            },
          },
        },
      }),
    steps: [
      { send: { type: "ADD" } },
      { send: { type: "NEXT" } },
      { send: { type: "ADD" } },
      { send: { type: "NEXT" } },
      { send: { type: "ASK" } },
      { expect: { value: { on: "a" }, context: { seen: 2 } } },
    ],
  },
  {
    name: "two invocations of one machine never mix",
    covers: ["invoke.several", "actors.isolated"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { left: -1, right: -1 },
        invoke: [
          { src: "counter", id: "left" },
          { src: "counter", id: "right", input: { from: 100 } },
        ],
        on: {
          ADD: { actions: sendTo(({ event }) => event.to, { type: "ADD" }) },
          ASK: { actions: [sendTo("left", { type: "TELL" }), sendTo("right", { type: "TELL" })] },
          COUNT: [
            { guard: ({ event }) => event.from === "left", actions: assign({ left: ({ event }) => event.n }) },
            { actions: assign({ right: ({ event }) => event.n }) },
          ],
        },
      }),
    steps: [
      { send: { type: "ADD", to: "left" } },
      { send: { type: "ADD", to: "right" } },
      { send: { type: "ADD", to: "left" } },
      { send: { type: "ASK" } },
      { expect: { context: { left: 2, right: 101 } } },
    ],
  },
  {
    name: "regions of a parallel state invoke machines of their own",
    covers: ["invoke.several", "logic.machine"],
    machine: () =>
      setup({ actors: { mortal } }).createMachine({
        context: { got: [] as string[] },
        type: "parallel",
        states: {
          one: {
            initial: "waiting",
            states: {
              waiting: {
                invoke: {
                  src: "mortal",
                  id: "first",
                  onDone: {
                    target: "over",
                    actions: assign({ got: ({ context, event }) => [...context.got, event.output] }),
                  },
                },
              },
              over: { type: "final" },
            },
          },
          two: {
            initial: "waiting",
            states: {
              waiting: {
                invoke: {
                  src: "mortal",
                  id: "second",
                  onDone: {
                    target: "over",
                    actions: assign({ got: ({ context, event }) => [...context.got, event.output] }),
                  },
                },
              },
              over: { type: "final" },
            },
          },
        },
        on: {
          END: {
            actions: sendTo(
              ({ event }) => event.who,
              ({ event }) => ({ type: "END", value: event.who }),
            ),
          },
        },
      }),
    steps: [
      { send: { type: "END", who: "second" } },
      { expect: { value: { one: "waiting", two: "over" }, status: "active" } },
      { send: { type: "END", who: "first" } },
      { expect: { status: "done", context: { got: ["second", "first"] } } },
    ],
  },
  {
    name: "an event sent by an entry action reaches the machine that the same state invokes",
    covers: ["send.sendTo", "logic.machine"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: 0 },
        initial: "on",
        states: {
          on: {
            entry: [sendTo("kid", { type: "ADD", by: 5 }), sendTo("kid", { type: "TELL" })],
            invoke: { src: "counter", id: "kid" },
            on: { COUNT: { actions: assign({ seen: ({ event }) => event.n }) } },
          },
        },
      }),
    steps: [{ expect: { value: "on", context: { seen: 5 } } }],
  },
  {
    name: "an event sent by an exit action reaches the machine before it is stopped",
    covers: ["invoke.exit", "send.sendTo"],
    machine: () => {
      const kid = createMachine({ on: { LEAVING: { actions: sendParent({ type: "FAREWELL" }) } } });
      return setup({ actors: { kid } }).createMachine({
        context: { heard: false },
        initial: "on",
        states: {
          on: { exit: sendTo("kid", { type: "LEAVING" }), invoke: { src: "kid", id: "kid" }, on: { OFF: "off" } },
          off: {},
        },
        on: { FAREWELL: { actions: assign({ heard: true }) } },
      });
    },
    steps: [{ send: { type: "OFF" } }, { expect: { value: "off", context: { heard: true } } }],
  },
  {
    name: "a state that is left at once by always starts no machine",
    covers: ["invoke.exit"],
    machine: ({ trace }) => {
      const kid = createMachine({ entry: () => trace("started") });
      return setup({ actors: { kid } }).createMachine({
        initial: "passing",
        states: { passing: { invoke: { src: "kid", id: "kid" }, always: "passed" }, passed: {} },
      });
    },
    steps: [{ expect: { value: "passed", status: "active", trace: [] } }],
  },
  {
    name: "an invoked machine goes through entry, transition and exit like any other",
    covers: ["logic.machine", "action.order"],
    machine: ({ trace }) => {
      const kid = createMachine({
        initial: "a",
        entry: () => trace("kid in"),
        exit: () => trace("kid out"),
        states: {
          a: {
            entry: () => trace("a in"),
            exit: () => trace("a out"),
            on: { NEXT: { target: "b", actions: () => trace("next") } },
          },
          b: { type: "final", entry: () => trace("b in") },
        },
      });
      return setup({ actors: { kid } }).createMachine({
        initial: "waiting",
        states: {
          waiting: {
            invoke: { src: "kid", id: "kid", onDone: { target: "over", actions: () => trace("done") } },
            on: { NEXT: { actions: sendTo("kid", { type: "NEXT" }) } },
          },
          over: {},
        },
      });
    },
    steps: [
      { expect: { trace: ["kid in", "a in"] } },
      { send: { type: "NEXT" } },
      { expect: { value: "over", trace: ["kid in", "a in", "a out", "next", "b in", "kid out", "done"] } },
    ],
  },
  {
    name: "a stopped machine runs no exit actions",
    covers: ["actors.stop", "invoke.exit"],
    machine: ({ trace }) => {
      const kid = createMachine({
        initial: "a",
        exit: () => trace("kid out"),
        states: { a: { entry: () => trace("a in"), exit: () => trace("a out") } },
      });
      return setup({ actors: { kid } }).createMachine({
        initial: "on",
        states: { on: { invoke: { src: "kid", id: "kid" }, on: { OFF: "off" } }, off: {} },
      });
    },
    steps: [{ send: { type: "OFF" } }, { expect: { value: "off", trace: ["a in"] } }],
  },
  {
    name: "an invoked machine that ends by its own timer is done then",
    covers: ["logic.machine", "actors.timers"],
    machine: () => {
      const egg = createMachine({
        initial: "boiling",
        states: { boiling: { after: { [2 * hour]: "hard" } }, hard: { type: "final" } },
        output: "hard",
      });
      return setup({ actors: { egg } }).createMachine({
        context: { got: "" },
        initial: "cooking",
        states: {
          cooking: {
            invoke: {
              src: "egg",
              onDone: { target: "eating", actions: assign({ got: ({ event }) => event.output as string }) },
            },
          },
          eating: {},
        },
      });
    },
    steps: [
      { hours: 1 },
      { expect: { value: "cooking" } },
      { hours: 1 },
      { expect: { value: "eating", context: { got: "hard" } } },
    ],
  },
  {
    name: "a machine can be written into the invocation itself",
    covers: ["invoke.inline", "logic.machine"],
    machine: () =>
      createMachine({
        context: { got: 0 },
        initial: "waiting",
        states: {
          waiting: {
            invoke: {
              id: "kid",
              src: createMachine({
                context: { n: 0 },
                initial: "counting",
                states: {
                  counting: {
                    on: {
                      ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) },
                      STOP: "over",
                    },
                  },
                  over: { type: "final" },
                },
                output: ({ context }) => context.n,
              }),
              onDone: { target: "ready", actions: assign({ got: ({ event }) => event.output as number }) },
            },
            on: {
              ADD: { actions: sendTo("kid", { type: "ADD" }) },
              STOP: { actions: sendTo("kid", { type: "STOP" }) },
            },
          },
          ready: {},
        },
      }),
    steps: [
      { send: { type: "ADD" } },
      { send: { type: "ADD" } },
      { send: { type: "STOP" } },
      { expect: { value: "ready", context: { got: 2 } } },
    ],
  },
  {
    name: "a nested state of the parent invokes its machine for as long as it is active",
    covers: ["logic.machine", "invoke.exit"],
    machine: () =>
      setup({ actors: { ticker } }).createMachine({
        context: { ticks: 0 },
        initial: "house",
        states: {
          house: {
            initial: "kitchen",
            states: {
              kitchen: { invoke: { src: "ticker", id: "clock" }, on: { NEXT: "hall" } },
              hall: { on: { NEXT: "kitchen" } },
            },
          },
        },
        on: { TICK: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) } },
      }),
    steps: [
      { hours: 1 },
      { expect: { context: { ticks: 1 } } },
      { send: { type: "NEXT" } },
      { hours: 2 },
      { expect: { value: { house: "hall" }, context: { ticks: 1 } } },
      { send: { type: "NEXT" } },
      { hours: 1 },
      { expect: { value: { house: "kitchen" }, context: { ticks: 2 } } },
    ],
  },
  {
    name: "provide gives an invoked machine other implementations",
    covers: ["provide.actors", "logic.machine"],
    machine: () => {
      const greeter = setup({ actions: { greet: sendParent({ type: "GREETED", text: "hello" }) } }).createMachine({
        entry: "greet",
      });
      return setup({ actors: { greeter } })
        .createMachine({
          context: { text: "" },
          invoke: { src: "greeter" },
          on: { GREETED: { actions: assign({ text: ({ event }) => event.text }) } },
        })
        .provide({
          actors: {
            greeter: greeter.provide({ actions: { greet: sendParent({ type: "GREETED", text: "good evening" }) } }),
          },
        });
    },
    steps: [{ expect: { context: { text: "good evening" } } }],
  },
];

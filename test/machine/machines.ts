/** Machines for the differential tests: between them they use every construct that a durable machine may contain. */

import type { AnyStateMachine } from "xstate";
import { and, assign, createMachine, enqueueActions, log, not, or, raise, setup, stateIn } from "xstate";

/** What custom actions leave behind when they run; the tests compare it, and empty it between events. */
export const trace: unknown[] = [];

/** A custom action that notes its name, params and the context as it was at its place. */
const note =
  (name: string) =>
  ({ context, event }: { context: unknown; event: { type: string } }, params?: unknown): void => {
    trace.push([name, event.type, structuredClone(context), params]);
  };

interface Specimen {
  readonly name: string;
  readonly machine: AnyStateMachine;
  readonly events: ReadonlyArray<{ readonly type: string; readonly [field: string]: unknown }>;
  readonly input?: unknown;
}

/** For keys that XState's types do not expect, as `constructor`. */
const untyped = (config: any): AnyStateMachine => createMachine(config);

const counter = (amount: number) => assign(({ context }) => ({ n: (context as { n: number }).n + amount }));

export const specimens: readonly Specimen[] = [
  {
    name: "guards and assigns",
    machine: createMachine({
      id: "guards",
      context: { n: 0, last: null },
      initial: "off",
      states: {
        off: {
          entry: note("off"),
          on: {
            ADD: [
              { guard: ({ context, event }) => context.n + event.by > 5, target: "on", actions: assign({ n: 0 }) },
              {
                guard: ({ event }) => event.by > 0,
                actions: [note("before"), assign({ n: ({ context, event }) => context.n + event.by }), note("after")],
              },
            ],
          },
        },
        on: { exit: [counter(1), note("left")], on: { OFF: "off", ADD: { target: "on" } } },
      },
    }),
    events: [
      { type: "ADD", by: 1 },
      { type: "ADD", by: 3 },
      { type: "ADD", by: -1 },
      { type: "OFF" },
      { type: "NOISE" },
    ],
  },
  {
    name: "hierarchy with initial actions and done events",
    machine: createMachine({
      id: "hierarchy",
      context: { n: 0 },
      initial: "outer",
      states: {
        outer: {
          entry: note("outer in"),
          exit: note("outer out"),
          initial: { target: "one", actions: [counter(10), note("initial")] },
          states: {
            one: { entry: note("one in"), exit: note("one out"), on: { NEXT: "two" } },
            two: {
              initial: "deep",
              states: { deep: { on: { NEXT: "end" } }, end: { type: "final" } },
              onDone: "three",
            },
            three: { type: "final", output: ({ context }) => ({ n: context.n }) },
          },
          onDone: { target: "rest", actions: assign({ n: ({ event, context }) => context.n + event.output.n }) },
          on: { UP: { actions: counter(1) }, RESET: { target: ".one" } },
        },
        rest: { entry: note("rest"), on: { AGAIN: "outer" } },
      },
    }),
    events: [{ type: "NEXT" }, { type: "UP" }, { type: "RESET" }, { type: "AGAIN" }],
  },
  {
    name: "parallel regions",
    machine: createMachine({
      id: "parallel",
      context: { n: 0, seen: [] as string[] },
      initial: "work",
      states: {
        work: {
          type: "parallel",
          states: {
            left: {
              initial: "a",
              states: {
                a: {
                  on: {
                    L: "b",
                    BOTH: { target: "b", actions: assign({ seen: ({ context }) => [...context.seen, "left"] }) },
                  },
                },
                b: { on: { L: "end" } },
                end: { type: "final" },
              },
            },
            right: {
              initial: "a",
              states: {
                a: {
                  on: {
                    R: "end",
                    BOTH: { target: "end", actions: assign({ seen: ({ context }) => [...context.seen, "right"] }) },
                  },
                },
                end: { type: "final" },
              },
            },
            plain: { entry: note("plain"), on: { P: { actions: counter(1) } } },
            last: { initial: "end", states: { end: { type: "final" } } },
          },
          on: { OUT: "done" },
        },
        done: { entry: note("done"), on: { IN: "work" } },
      },
    }),
    events: [{ type: "L" }, { type: "R" }, { type: "BOTH" }, { type: "P" }, { type: "OUT" }, { type: "IN" }],
  },
  {
    name: "parallel regions that are all done",
    machine: createMachine({
      id: "joined",
      context: { joins: 0 },
      initial: "fork",
      states: {
        fork: {
          type: "parallel",
          states: {
            one: {
              initial: "go",
              states: { go: { on: { ONE: "end" } }, end: { type: "final" } },
              onDone: { actions: note("one") },
            },
            two: {
              type: "parallel",
              states: {
                x: { initial: "go", states: { go: { on: { X: "end" } }, end: { type: "final" } } },
                y: { initial: "go", states: { go: { on: { Y: "end", X: "end" } }, end: { type: "final" } } },
              },
              onDone: { actions: note("two") },
            },
          },
          onDone: { target: "join", actions: assign({ joins: ({ context }) => context.joins + 1 }) },
        },
        join: { on: { AGAIN: [{ guard: ({ context }) => context.joins < 3, target: "fork" }, { target: "over" }] } },
        over: { type: "final" },
      },
      output: ({ context }) => context.joins,
    }),
    events: [{ type: "ONE" }, { type: "X" }, { type: "Y" }, { type: "AGAIN" }],
  },
  {
    name: "a parallel root",
    machine: createMachine({
      id: "root",
      type: "parallel",
      context: { n: 0 },
      states: {
        a: {
          initial: "on",
          states: { on: { on: { A: "off" } }, off: { on: { A: "on" }, type: "atomic" }, end: { type: "final" } },
          on: { END: ".end" },
        },
        b: {
          initial: "on",
          states: { on: { on: { B: "off", END: "end" } }, off: { on: { B: "on" } }, end: { type: "final" } },
        },
      },
      on: { TICK: { actions: counter(1) }, RESET: { target: [".a.off", ".b.off"] } },
      output: ({ context }) => ({ n: context.n }),
    }),
    events: [{ type: "A" }, { type: "B" }, { type: "END" }, { type: "TICK" }, { type: "RESET" }],
  },
  {
    name: "shallow history",
    machine: createMachine({
      id: "shallow",
      initial: "tape",
      states: {
        tape: {
          initial: "one",
          states: {
            one: { on: { NEXT: "two" } },
            two: { initial: "x", states: { x: { on: { NEXT: "y" } }, y: { on: { NEXT: "x" } } }, on: { JUMP: "one" } },
            hist: { type: "history", history: "shallow" },
            elsewhere: { type: "history", target: "two" },
          },
          on: { OFF: "off" },
        },
        off: { on: { ON: "tape", RESUME: "tape.hist", OTHER: "tape.elsewhere" } },
      },
    }),
    events: [
      { type: "NEXT" },
      { type: "JUMP" },
      { type: "OFF" },
      { type: "ON" },
      { type: "RESUME" },
      { type: "OTHER" },
    ],
  },
  {
    name: "deep history over parallel regions",
    machine: createMachine({
      id: "deep",
      initial: "player",
      states: {
        player: {
          type: "parallel",
          states: {
            sound: {
              initial: "low",
              states: { low: { on: { VOL: "high" } }, high: { entry: note("loud"), on: { VOL: "low" } } },
            },
            track: {
              initial: "first",
              states: {
                first: {
                  initial: "intro",
                  states: { intro: { on: { NEXT: "verse" } }, verse: { on: { NEXT: "#deep.player.track.second" } } },
                },
                second: { on: { NEXT: "first" } },
              },
            },
            memory: { type: "history", history: "deep" },
          },
          on: { STOP: "stopped" },
        },
        stopped: { on: { RESUME: "player.memory", PLAY: "player" } },
      },
    }),
    events: [{ type: "VOL" }, { type: "NEXT" }, { type: "STOP" }, { type: "RESUME" }, { type: "PLAY" }],
  },
  {
    name: "eventless transitions and composite guards",
    machine: setup({
      types: { context: {} as { n: number; hot: boolean } },
      guards: {
        big: ({ context }) => context.n > 3,
        over: ({ context }, params: { limit: number }) => context.n > params.limit,
        bigAndHot: and(["big", "hot"]),
        hot: ({ context }: any) => context.hot,
      },
      actions: {
        inc: assign({ n: ({ context }) => context.n + 1 }),
        heat: assign({ hot: ({ context }) => !context.hot }),
      },
    }).createMachine({
      id: "always",
      context: { n: 0, hot: false },
      initial: "idle",
      states: {
        idle: {
          always: { guard: "bigAndHot", target: "busy" },
          on: { INC: { actions: "inc" }, HEAT: { actions: "heat" } },
        },
        busy: {
          entry: note("busy"),
          always: [
            { guard: { type: "over", params: ({ context }) => ({ limit: context.hot ? 6 : 1 }) }, target: "full" },
            { guard: and([not("big"), or([stateIn("busy"), "hot"])]), target: "idle" },
          ],
          on: { INC: { actions: ["inc", "inc"] }, DEC: { actions: assign({ n: 0 }) } },
        },
        full: { always: "drained", exit: note("full") },
        drained: { entry: assign({ n: 0 }), always: "idle" },
      },
    }),
    events: [{ type: "INC" }, { type: "HEAT" }, { type: "DEC" }],
  },
  {
    name: "raised events and enqueued actions",
    machine: setup({
      types: { context: {} as { n: number; words: string[] } },
      actions: {
        say: (args, params: { word: string }) => note("say")(args, params),
        twice: enqueueActions(({ enqueue }: any) => {
          enqueue({ type: "say", params: { word: "twice" } });
          enqueue.assign({ n: ({ context }: any) => context.n * 2 });
        }),
      },
      guards: { odd: ({ context }) => context.n % 2 === 1 },
    }).createMachine({
      id: "raise",
      context: { n: 1, words: [] },
      initial: "a",
      states: {
        a: {
          on: {
            GO: {
              actions: [
                raise({ type: "STEP" }),
                note("before step"),
                raise(({ context }) => ({ type: "STEP", n: context.n })),
              ],
            },
            STEP: { target: "b", actions: assign({ n: ({ context }) => context.n + 1 }) },
          },
        },
        b: {
          on: {
            STEP: { target: "a", actions: note("second step") },
            GO: {
              actions: enqueueActions(({ context, event, enqueue, check }) => {
                if (check("odd")) enqueue.raise({ type: "STEP" });
                enqueue("twice");
                enqueue.assign({ words: [...context.words.slice(-2), event.type] });
                enqueue(note("inline"));
                enqueue({ type: "say", params: { word: "end" } });
              }),
            },
            RESET: { actions: assign({ n: 1 }) },
          },
        },
      },
    }),
    events: [{ type: "GO" }, { type: "STEP" }, { type: "RESET" }],
  },
  {
    name: "final states with output",
    machine: createMachine({
      id: "output",
      context: ({ input }: { input: any }) => ({ left: input.rounds, sum: 0 }),
      initial: "run",
      exit: note("root out"),
      states: {
        run: {
          exit: note("run out"),
          on: {
            PAY: [
              { guard: ({ context }) => context.left <= 1, target: "end" },
              {
                actions: assign({
                  left: ({ context }) => context.left - 1,
                  sum: ({ context, event }) => context.sum + event.by,
                }),
              },
            ],
            FAIL: "failed",
          },
        },
        end: { type: "final", entry: counter(0), output: ({ context }) => ({ paid: context.sum }) },
        failed: { type: "final", exit: note("failed out") },
      },
      output: ({ context, event }) => ({ sum: context.sum, from: event.output }),
    }),
    events: [{ type: "PAY", by: 2 }, { type: "PAY", by: 5 }, { type: "FAIL" }],
    input: { rounds: 3 },
  },
  {
    name: "tags and meta",
    machine: createMachine({
      id: "tags",
      tags: ["root"],
      initial: "a",
      states: {
        a: { tags: "first", meta: { title: "A" }, on: { GO: "b" } },
        b: {
          tags: ["second", "shared"],
          type: "parallel",
          states: {
            x: {
              tags: ["x", "shared"],
              initial: "p",
              states: { p: { on: { P: "q" } }, q: { tags: "q", on: { P: "p" } } },
            },
            y: { tags: "y" },
          },
          on: { GO: { target: "a", meta: { why: "go" } } },
        },
      },
    }),
    events: [{ type: "GO" }, { type: "P" }],
  },
  {
    name: "wildcards, partial descriptors and forbidden events",
    machine: createMachine({
      id: "wild",
      context: { log: [] as string[] },
      initial: "a",
      on: { "*": { actions: note("root any") }, "pay.*": { actions: note("root pay") } },
      states: {
        a: {
          on: {
            "pay.*": { actions: note("pay any") },
            "pay.card.*": [
              { guard: ({ event }) => event.ok, target: "b" },
              { guard: ({ event }) => event.maybe, actions: note("maybe") },
            ],
            "pay.card.visa": { guard: ({ event }) => event.ok === false, actions: note("visa") },
            SECRET: undefined,
            QUIET: {},
          },
        },
        b: { on: { "*": "a", "pay.card": { actions: note("exact") }, NONE: { guard: () => false, target: "a" } } },
      },
    }),
    events: [
      { type: "pay" },
      { type: "pay.card" },
      { type: "pay.card.visa" },
      { type: "pay.card.visa", ok: false },
      { type: "pay.card.visa", ok: true },
      { type: "pay.card.amex", maybe: true },
      { type: "payment" },
      { type: "SECRET" },
      { type: "QUIET" },
      { type: "NONE" },
      { type: "toString" },
    ],
  },
  {
    name: "reentry, internal and sibling targets",
    machine: createMachine({
      id: "reenter",
      context: { n: 0 },
      initial: "p",
      entry: note("root in"),
      on: { ROOT: { target: ".q" }, ROOT_AGAIN: { target: ".p", reenter: true } },
      states: {
        p: {
          id: "pee",
          entry: [note("p in"), counter(1)],
          exit: note("p out"),
          initial: "x",
          states: {
            x: { entry: note("x in"), exit: note("x out"), on: { SIB: "y" } },
            y: { entry: note("y in"), on: { SIB: "x", SELF: "y" } },
          },
          on: {
            IN: { target: ".y" },
            IN_AGAIN: { target: ".y", reenter: true },
            SELF: { target: "p" },
            SELF_AGAIN: { target: "p", reenter: true },
            OUT: "#reenter.q",
          },
        },
        q: { on: { BACK: "#pee", DEEP: "#reenter.p.y" } },
      },
    }),
    events: ["ROOT", "ROOT_AGAIN", "SIB", "SELF", "IN", "IN_AGAIN", "SELF_AGAIN", "OUT", "BACK", "DEEP"].map(
      (type) => ({ type }),
    ),
  },
  {
    name: "parameterised actions and log",
    machine: setup({
      types: { context: {} as { n: number }, events: {} as { type: "SET"; to: number } | { type: "LOG" } },
      actions: {
        record: (args, params: { value: number }) => note("record")(args, params),
        put: assign((_, params: { value: number }) => ({ n: params.value })),
        tellLog: log(({ context }) => `n is ${context.n}`, "named"),
      },
      guards: { differs: ({ context }, params: { from: number }) => context.n !== params.from },
    }).createMachine({
      id: "params",
      context: { n: 0 },
      on: {
        SET: {
          guard: { type: "differs", params: ({ event }) => ({ from: event.to }) },
          actions: [
            { type: "record", params: ({ context }) => ({ value: context.n }) },
            { type: "put", params: ({ event }) => ({ value: event.to }) },
            { type: "record", params: ({ context }) => ({ value: context.n }) },
            { type: "record", params: { value: 42 } },
          ],
        },
        LOG: { actions: [log("static"), log(({ event }) => event.type), "tellLog", log()] },
      },
    }),
    events: [{ type: "SET", to: 1 }, { type: "SET", to: 2 }, { type: "LOG" }],
  },
  {
    name: "values that JSON does not know",
    machine: createMachine({
      id: "values",
      context: ({ input }: { input: any }) => ({
        at: new Date(input.at),
        byId: new Map<string, number>(),
        seen: new Set<number>([1]),
        total: 1n,
        nothing: undefined as unknown,
        ratio: Number.NaN,
        error: null as unknown,
        bytes: new Uint8Array([1, 2]),
      }),
      on: {
        PUT: {
          actions: assign({
            byId: ({ context, event }) => new Map(context.byId).set(event.key, context.byId.size),
            seen: ({ context, event }) => new Set([...context.seen, event.key.length]),
            total: ({ context }) => context.total * 3n,
            at: ({ context }) => new Date(context.at.getTime() + 1),
            nothing: ({ context }) => (context.nothing === undefined ? "something" : undefined),
            ratio: ({ context }) => -context.byId.size,
            bytes: ({ context }) => Uint8Array.from([...context.bytes, 9].slice(-3)),
          }),
        },
        FAIL: {
          actions: assign({ error: () => Object.assign(new RangeError("out of range"), { stack: "here", code: "E" }) }),
        },
      },
    }),
    events: [{ type: "PUT", key: "a" }, { type: "PUT", key: "__proto__" }, { type: "FAIL" }],
    input: { at: 1000 },
  },
  {
    name: "cross-region guards and transitions",
    machine: createMachine({
      id: "cross",
      context: { n: 0 },
      type: "parallel",
      states: {
        door: {
          initial: "closed",
          states: {
            closed: { on: { OPEN: { guard: not(stateIn({ lock: "locked" })), target: "open" } } },
            open: { on: { CLOSE: "closed" } },
          },
        },
        lock: {
          initial: "unlocked",
          states: {
            unlocked: { on: { LOCK: { guard: stateIn("#cross.door.closed"), target: "locked" } } },
            locked: {
              on: {
                UNLOCK: "unlocked",
                FORCE: { target: ["#cross.door.open", "#cross.lock.unlocked"], actions: note("forced") },
              },
            },
          },
        },
      },
    }),
    events: ["OPEN", "CLOSE", "LOCK", "UNLOCK", "FORCE"].map((type) => ({ type })),
  },
  {
    name: "custom ids, keys with dots and numeric keys",
    machine: untyped({
      id: "ids",
      initial: "a.b",
      states: {
        "a.b": { id: "dotted.id", on: { GO: "1" } },
        1: { id: "number", initial: "2", states: { 2: { on: { GO: "0" } }, 0: { on: { GO: "#last" } } } },
        constructor: {
          id: "last",
          initial: "hist",
          states: { hist: { type: "history", target: "toString" }, toString: { on: { GO: "#number", BACK: "#ids" } } },
        },
      },
    }),
    events: [{ type: "GO" }, { type: "BACK" }],
  },
  {
    name: "a machine without states",
    machine: createMachine({
      id: "flat",
      context: { n: 0 },
      on: { INC: { actions: counter(1) }, NOP: {} },
      always: { guard: ({ context }) => context.n > 2, actions: assign({ n: 0 }) },
    }),
    events: [{ type: "INC" }, { type: "NOP" }, { type: "OTHER" }],
  },
];

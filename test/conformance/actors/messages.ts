/** Messages between parent and child: who gets what, and in which order. */
import { assign, createMachine, enqueueActions, forwardTo, raise, sendParent, sendTo, setup, spawnChild } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";
import { collector, counter, mortal } from "./logic.ts";

/** Answers PING by PONG with the number that came, until it was `limit` times. */
const pong = setup({
  types: { context: {} as { hits: number; limit: number }, input: {} as { limit: number } },
}).createMachine({
  context: ({ input }) => ({ hits: 0, limit: input.limit }),
  initial: "playing",
  states: {
    playing: {
      on: {
        PING: {
          actions: [
            assign({ hits: ({ context }) => context.hits + 1 }),
            sendParent(({ event }) => ({ type: "PONG", number: event.number })),
          ],
        },
      },
      always: { guard: ({ context }) => context.hits >= context.limit, target: "tired" },
    },
    tired: { type: "final" },
  },
  output: ({ context }) => context.hits,
});

export const scenarios: readonly Scenario[] = [
  {
    name: "sendTo makes the event from context and event",
    covers: ["send.sendTo"],
    machine: () =>
      setup({ actors: { collector } }).createMachine({
        context: { prefix: "no. ", items: [] as unknown[] },
        invoke: { src: "collector", id: "kid" },
        on: {
          PUT: {
            actions: sendTo("kid", ({ context, event }) => ({ type: "ITEM", item: context.prefix + event.number })),
          },
          ASK: { actions: sendTo("kid", { type: "TELL" }) },
          LIST: { actions: assign({ items: ({ event }) => event.items }) },
        },
      }),
    steps: [
      { send: { type: "PUT", number: 5 } },
      { send: { type: "ASK" } },
      { expect: { contextHas: { items: ["no. 5"] } } },
    ],
  },
  {
    name: "sendTo finds the child by a name made from the event",
    covers: ["send.sendTo"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { from: "" },
        invoke: [
          { src: "counter", id: "a" },
          { src: "counter", id: "b" },
        ],
        on: {
          ASK: { actions: sendTo(({ event }) => event.who, { type: "TELL" }) },
          COUNT: { actions: assign({ from: ({ event }) => event.from }) },
        },
      }),
    steps: [
      { send: { type: "ASK", who: "b" } },
      { expect: { context: { from: "b" } } },
      { send: { type: "ASK", who: "a" } },
      { expect: { context: { from: "a" } } },
    ],
  },
  {
    name: "sendTo with parameters of a named action",
    covers: ["send.sendTo", "action.params"],
    machine: () =>
      setup({
        actors: { collector },
        actions: {
          put: sendTo("kid", (_, params: { item: string }) => ({ type: "ITEM", item: params.item })),
          ask: sendTo("kid", { type: "TELL" }),
        },
      }).createMachine({
        context: { items: [] as unknown[] },
        invoke: { src: "collector", id: "kid" },
        on: {
          PUT: {
            actions: [
              { type: "put", params: { item: "fixed" } },
              { type: "put", params: ({ event }) => ({ item: event.item }) },
            ],
          },
          ASK: { actions: "ask" },
          LIST: { actions: assign({ items: ({ event }) => event.items }) },
        },
      }),
    steps: [
      { send: { type: "PUT", item: "given" } },
      { send: { type: "ASK" } },
      { expect: { context: { items: ["fixed", "given"] } } },
    ],
  },
  {
    name: "a child that does not know an event goes on as if it had not come",
    covers: ["send.sendTo"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: -1 },
        invoke: { src: "counter", id: "kid" },
        on: {
          TEASE: { actions: sendTo("kid", { type: "UNKNOWN" }) },
          ASK: { actions: sendTo("kid", { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      }),
    steps: [
      { send: { type: "TEASE" } },
      { send: { type: "ASK" } },
      { expect: { status: "active", context: { seen: 0 } } },
    ],
  },
  {
    name: "sendParent sends a plain event to the parent",
    covers: ["send.sendParent"],
    machine: () => {
      const kid = createMachine({ entry: sendParent({ type: "BORN" }) });
      return setup({ actors: { kid } }).createMachine({
        initial: "expecting",
        invoke: { src: "kid" },
        states: { expecting: { on: { BORN: "happy" } }, happy: {} },
      });
    },
    steps: [{ expect: { value: "happy" } }],
  },
  {
    name: "sendParent makes the event from the child's context and event",
    covers: ["send.sendParent"],
    machine: () => {
      const kid = setup({}).createMachine({
        context: { factor: 3 },
        on: {
          MULTIPLY: {
            actions: sendParent(({ context, event }) => ({ type: "PRODUCT", value: context.factor * event.value })),
          },
        },
      });
      return setup({ actors: { kid } }).createMachine({
        context: { value: 0 },
        invoke: { src: "kid", id: "kid" },
        on: {
          MULTIPLY: { actions: sendTo("kid", ({ event }) => event) },
          PRODUCT: { actions: assign({ value: ({ event }) => event.value }) },
        },
      });
    },
    steps: [{ send: { type: "MULTIPLY", value: 14 } }, { expect: { context: { value: 42 } } }],
  },
  {
    name: "dates, maps, sets and big integers pass between actors as they are",
    covers: ["send.sendTo", "send.sendParent", "value.actors"],
    machine: () => {
      const kid = setup({}).createMachine({
        on: { VALUE: { actions: sendParent(({ event }) => ({ type: "ECHO", value: event.value })) } },
      });
      return setup({ actors: { kid } }).createMachine({
        context: { value: undefined as unknown },
        invoke: { src: "kid", id: "kid" },
        on: {
          GO: {
            actions: sendTo("kid", {
              type: "VALUE",
              value: {
                at: new Date(5),
                map: new Map([[1, new Set(["x"])]]),
                big: 7n,
                nan: Number.NaN,
                gone: undefined,
              },
            }),
          },
          ECHO: { actions: assign({ value: ({ event }) => event.value }) },
        },
      });
    },
    steps: [
      { send: { type: "GO" } },
      {
        expect: {
          context: {
            value: { at: new Date(5), map: new Map([[1, new Set(["x"])]]), big: 7n, nan: Number.NaN, gone: undefined },
          },
        },
      },
    ],
  },
  {
    name: "forwardTo hands an event on to a child by its id",
    covers: ["send.forwardTo"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: 0 },
        invoke: { src: "counter", id: "kid" },
        on: {
          ADD: { actions: forwardTo("kid") },
          TELL: { actions: forwardTo("kid") },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      }),
    steps: [{ send: { type: "ADD", by: 8 } }, { send: { type: "TELL" } }, { expect: { context: { seen: 8 } } }],
  },
  {
    name: "forwardTo hands an event on to a child by a reference in the context",
    covers: ["send.forwardTo", "refs.context"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: ({ spawn }) => ({ kid: spawn("counter", { id: "kid" }) as any, seen: 0 }),
        on: {
          ADD: { actions: forwardTo(({ context }) => context.kid) },
          TELL: { actions: forwardTo(({ context }) => context.kid) },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      }),
    steps: [{ send: { type: "ADD", by: 8 } }, { send: { type: "TELL" } }, { expect: { contextHas: { seen: 8 } } }],
  },
  {
    name: "a wildcard forwards all that the parent does not handle itself",
    covers: ["send.forwardTo"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: 0, own: 0 },
        invoke: { src: "counter", id: "kid" },
        on: {
          OWN: { actions: assign({ own: ({ context }) => context.own + 1 }) },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
          "*": { actions: forwardTo("kid") },
        },
      }),
    steps: [
      { send: { type: "ADD" } },
      { send: { type: "OWN" } },
      { send: { type: "ADD" } },
      { send: { type: "TELL" } },
      { expect: { context: { seen: 2, own: 1 } } },
    ],
  },
  {
    name: "a parent handles an event itself and forwards it as well",
    covers: ["send.forwardTo"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: 0, own: 0 },
        invoke: { src: "counter", id: "kid" },
        on: {
          ADD: { actions: [assign({ own: ({ context, event }) => context.own + event.by }), forwardTo("kid")] },
          TELL: { actions: forwardTo("kid") },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      }),
    steps: [{ send: { type: "ADD", by: 4 } }, { send: { type: "TELL" } }, { expect: { context: { seen: 4, own: 4 } } }],
  },
  {
    name: "events are forwarded through two levels and answered back through both",
    covers: ["send.forwardTo", "actors.tree"],
    machine: () => {
      const middle = setup({ actors: { counter } }).createMachine({
        invoke: { src: "counter", id: "inner" },
        on: {
          ADD: { actions: forwardTo("inner") },
          TELL: { actions: forwardTo("inner") },
          COUNT: { actions: sendParent(({ event }) => event) },
        },
      });
      return setup({ actors: { middle } }).createMachine({
        context: { seen: 0, from: "" },
        invoke: { src: "middle", id: "middle" },
        on: {
          ADD: { actions: forwardTo("middle") },
          TELL: { actions: forwardTo("middle") },
          COUNT: { actions: assign({ seen: ({ event }) => event.n, from: ({ event }) => event.from }) },
        },
      });
    },
    steps: [
      { send: { type: "ADD", by: 6 } },
      { send: { type: "TELL" } },
      { expect: { context: { seen: 6, from: "inner" } } },
    ],
  },
  {
    name: "parent and child answer each other until one has had enough",
    covers: ["send.sendTo", "send.sendParent", "actors.output"],
    machine: () =>
      setup({ actors: { pong } }).createMachine({
        context: { last: 0, hits: 0 },
        initial: "idle",
        states: {
          idle: { on: { START: "playing" } },
          playing: {
            entry: sendTo("pong", { type: "PING", number: 1 }),
            invoke: {
              src: "pong",
              id: "pong",
              input: { limit: 10 },
              onDone: { target: "over", actions: assign({ hits: ({ event }) => event.output }) },
            },
            on: {
              PONG: {
                actions: [
                  assign({ last: ({ event }) => event.number }),
                  sendTo("pong", ({ event }) => ({ type: "PING", number: event.number + 1 })),
                ],
              },
            },
          },
          over: {},
        },
      }),
    // The eleventh PING finds the child ended, and is dropped.
    steps: [{ send: { type: "START" } }, { expect: { value: "over", context: { last: 10, hits: 10 } } }],
  },
  {
    name: "what one transition sends to a child arrives in the order of its actions",
    covers: ["send.order"],
    machine: () =>
      setup({ actors: { collector } }).createMachine({
        context: { items: [] as unknown[] },
        invoke: { src: "collector", id: "kid" },
        on: {
          GO: {
            actions: [
              sendTo("kid", { type: "ITEM", item: 1 }),
              sendTo("kid", { type: "ITEM", item: 2 }),
              sendTo("kid", { type: "ITEM", item: 3 }),
              sendTo("kid", { type: "TELL" }),
              sendTo("kid", { type: "ITEM", item: 4 }),
            ],
          },
          LIST: { actions: assign({ items: ({ event }) => event.items }) },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { context: { items: [1, 2, 3] } } }],
  },
  {
    name: "what exit, transition and entry send to a child arrives in that order",
    covers: ["send.order"],
    machine: () =>
      setup({ actors: { collector } }).createMachine({
        context: { items: [] as unknown[] },
        invoke: { src: "collector", id: "kid" },
        initial: "a",
        states: {
          a: {
            exit: sendTo("kid", { type: "ITEM", item: "exit" }),
            on: { NEXT: { target: "b", actions: sendTo("kid", { type: "ITEM", item: "transition" }) } },
          },
          b: { entry: [sendTo("kid", { type: "ITEM", item: "entry" }), sendTo("kid", { type: "TELL" })] },
        },
        on: { LIST: { actions: assign({ items: ({ event }) => event.items }) } },
      }),
    steps: [
      { send: { type: "NEXT" } },
      { expect: { value: "b", context: { items: ["exit", "transition", "entry"] } } },
    ],
  },
  {
    name: "what a child sends to its parent arrives in the order of its actions",
    covers: ["send.order", "send.sendParent"],
    machine: () => {
      const kid = createMachine({
        on: {
          GO: {
            actions: [
              sendParent({ type: "ITEM", item: 1 }),
              sendParent({ type: "ITEM", item: 2 }),
              sendParent({ type: "ITEM", item: 3 }),
            ],
          },
        },
      });
      return setup({ actors: { kid } }).createMachine({
        context: { items: [] as number[] },
        invoke: { src: "kid", id: "kid" },
        on: {
          GO: { actions: sendTo("kid", { type: "GO" }) },
          ITEM: { actions: assign({ items: ({ context, event }) => [...context.items, event.item] }) },
        },
      });
    },
    steps: [{ send: { type: "GO" } }, { expect: { context: { items: [1, 2, 3] } } }],
  },
  {
    name: "what a child sends before it ends arrives before its done event",
    covers: ["send.order", "actors.output"],
    machine: () => {
      const kid = createMachine({
        initial: "working",
        states: {
          working: { on: { GO: { target: "over", actions: sendParent({ type: "LAST", word: "bye" }) } } },
          over: { type: "final" },
        },
        output: "over",
      });
      return setup({ actors: { kid } }).createMachine({
        context: { seen: [] as unknown[] },
        initial: "on",
        states: {
          on: {
            invoke: {
              src: "kid",
              id: "kid",
              onDone: {
                target: "off",
                actions: assign({ seen: ({ context, event }) => [...context.seen, event.output] }),
              },
            },
            on: {
              GO: { actions: sendTo("kid", { type: "GO" }) },
              LAST: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.word] }) },
            },
          },
          off: {},
        },
      });
    },
    steps: [{ send: { type: "GO" } }, { expect: { value: "off", context: { seen: ["bye", "over"] } } }],
  },
  {
    name: "what two events of the world make a parent send arrives in the order of the events",
    covers: ["send.order"],
    machine: () =>
      setup({ actors: { collector } }).createMachine({
        context: { items: [] as unknown[] },
        invoke: { src: "collector", id: "kid" },
        on: {
          PUT: { actions: sendTo("kid", ({ event }) => ({ type: "ITEM", item: event.item })) },
          ASK: { actions: sendTo("kid", { type: "TELL" }) },
          LIST: { actions: assign({ items: ({ event }) => event.items }) },
        },
      }),
    steps: [
      ...[1, 2, 3, 4, 5, 6, 7, 8].map((item) => ({ send: { type: "PUT", item } })),
      { send: { type: "ASK" } },
      { expect: { context: { items: [1, 2, 3, 4, 5, 6, 7, 8] } } },
    ],
  },
  {
    name: "an actor can send to itself, and gets it after the transition",
    covers: ["sendTo.self"],
    // Both keep to it: raised events belong to the transition, sent ones come after it.
    machine: () =>
      createMachine({
        context: { seen: [] as string[] },
        on: {
          GO: { actions: [sendTo(({ self }) => self, { type: "SENT" }), raise({ type: "RAISED" })] },
          SENT: { actions: assign({ seen: ({ context }) => [...context.seen, "sent"] }) },
          RAISED: { actions: assign({ seen: ({ context }) => [...context.seen, "raised"] }) },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { context: { seen: ["raised", "sent"] } } }],
  },
  {
    name: "a child can send to itself",
    covers: ["sendTo.self"],
    machine: () => {
      const kid = createMachine({
        context: { left: 3 },
        entry: sendTo(({ self }) => self, { type: "STEP" }),
        on: {
          STEP: [
            { guard: ({ context }) => context.left === 0, actions: sendParent({ type: "LANDED" }) },
            {
              actions: [
                assign({ left: ({ context }) => context.left - 1 }),
                sendTo(({ self }) => self, { type: "STEP" }),
              ],
            },
          ],
        },
      });
      return setup({ actors: { kid } }).createMachine({
        initial: "waiting",
        invoke: { src: "kid" },
        states: { waiting: { on: { LANDED: "there" } }, there: {} },
      });
    },
    steps: [{ expect: { value: "there" } }],
  },
  {
    name: "an event that a child raises stays in the child",
    covers: ["logic.machine"],
    machine: () => {
      const kid = createMachine({
        initial: "a",
        states: {
          a: { on: { GO: { actions: raise({ type: "INNER" }) }, INNER: "b" } },
          b: { entry: sendParent({ type: "IN_B" }) },
        },
      });
      return setup({ actors: { kid } }).createMachine({
        context: { seen: [] as string[] },
        invoke: { src: "kid", id: "kid" },
        on: {
          GO: { actions: sendTo("kid", { type: "GO" }) },
          "*": { actions: assign({ seen: ({ context, event }) => [...context.seen, event.type] }) },
        },
      });
    },
    steps: [{ send: { type: "GO" } }, { expect: { context: { seen: ["IN_B"] } } }],
  },
  {
    name: "an event for a child that has ended is dropped",
    covers: ["send.ended"],
    machine: () =>
      setup({ actors: { mortal } }).createMachine({
        context: { ends: 0, poked: 0 },
        entry: spawnChild("mortal", { id: "kid" }),
        on: {
          END: { actions: sendTo("kid", { type: "END" }) },
          POKE: { actions: [sendTo("kid", { type: "END" }), assign({ poked: ({ context }) => context.poked + 1 })] },
          "xstate.done.actor.kid": { actions: assign({ ends: ({ context }) => context.ends + 1 }) },
        },
      }),
    steps: [
      { send: { type: "END" } },
      { send: { type: "POKE" } },
      { send: { type: "POKE" } },
      { expect: { status: "active", context: { ends: 1, poked: 2 } } },
    ],
  },
  {
    name: "an event for a stopped child that the context still names is dropped",
    covers: ["send.ended", "refs.context"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { kid: undefined as any, counts: 0, poked: 0 },
        initial: "on",
        states: {
          on: {
            entry: assign({ kid: ({ spawn }) => spawn("counter", { id: "kid" }) }),
            on: {
              OFF: { target: "off", actions: enqueueActions(({ context, enqueue }) => enqueue.stopChild(context.kid)) },
            },
          },
          off: {},
        },
        on: {
          POKE: {
            actions: [
              sendTo(({ context }) => context.kid, { type: "TELL" }),
              assign({ poked: ({ context }) => context.poked + 1 }),
            ],
          },
          COUNT: { actions: assign({ counts: ({ context }) => context.counts + 1 }) },
        },
      }),
    steps: [
      { send: { type: "POKE" } },
      { send: { type: "OFF" } },
      { send: { type: "POKE" } },
      { expect: { value: "off", status: "active", contextHas: { counts: 1, poked: 2 } } },
    ],
  },
  {
    name: "a parent passes what one child says on to another",
    covers: ["send.sendTo", "send.sendParent"],
    machine: () => {
      const speaker = setup({}).createMachine({
        on: { SPEAK: { actions: sendParent(({ event }) => ({ type: "SAID", words: event.words })) } },
      });
      return setup({ actors: { speaker, collector } }).createMachine({
        context: { heard: [] as unknown[] },
        invoke: [
          { src: "speaker", id: "speaker" },
          { src: "collector", id: "listener" },
        ],
        on: {
          SPEAK: { actions: forwardTo("speaker") },
          SAID: { actions: sendTo("listener", ({ event }) => ({ type: "ITEM", item: event.words })) },
          ASK: { actions: sendTo("listener", { type: "TELL" }) },
          LIST: { actions: assign({ heard: ({ event }) => event.items }) },
        },
      });
    },
    steps: [
      { send: { type: "SPEAK", words: "hear" } },
      { send: { type: "SPEAK", words: "hear!" } },
      { send: { type: "ASK" } },
      { expect: { context: { heard: ["hear", "hear!"] } } },
    ],
  },
  {
    name: "a child is asked and answers while the parent waits in a state",
    covers: ["send.sendTo", "send.sendParent"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { answer: -1 },
        invoke: { src: "counter", id: "kid", input: { from: 7 } },
        initial: "idle",
        states: {
          idle: { on: { ASK: "asking" } },
          asking: {
            entry: sendTo("kid", { type: "TELL" }),
            on: { COUNT: { target: "idle", actions: assign({ answer: ({ event }) => event.n }) } },
          },
        },
      }),
    steps: [{ send: { type: "ASK" } }, { expect: { value: "idle", context: { answer: 7 } } }],
  },
  {
    name: "the names of SCXML reach a child and the actor itself",
    covers: ["send.sendTo"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: { seen: -1, own: 0 },
        invoke: { src: "counter", id: "kid", input: { from: 2 } },
        on: {
          ASK: { actions: [sendTo("#_kid", { type: "TELL" }), sendTo("#_internal", { type: "OWN" })] },
          OWN: { actions: assign({ own: ({ context }) => context.own + 1 }) },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      }),
    steps: [{ send: { type: "ASK" } }, { expect: { context: { seen: 2, own: 1 } } }],
  },
];

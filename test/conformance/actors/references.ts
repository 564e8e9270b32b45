/** Actor references that travel: in events, in input, in contexts of others. */
import { assign, createMachine, forwardTo, sendParent, sendTo, setup } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";
import { counter } from "./logic.ts";

/** Answers ASK to whoever the event names. */
const oracle = setup({}).createMachine({
  on: {
    ASK: {
      actions: sendTo(
        ({ event }) => event.replyTo,
        ({ event }) => ({ type: "ANSWER", text: `${event.question}? 42` }),
      ),
    },
  },
});

export const scenarios: readonly Scenario[] = [
  {
    name: "a child answers whoever the event names as the one to reply to",
    covers: ["refs.events"],
    machine: () =>
      setup({ actors: { oracle } }).createMachine({
        context: { answer: "" },
        invoke: { src: "oracle", id: "oracle" },
        on: {
          GO: { actions: sendTo("oracle", ({ self }) => ({ type: "ASK", question: "why", replyTo: self })) },
          ANSWER: { actions: assign({ answer: ({ event }) => event.text }) },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { context: { answer: "why? 42" } } }],
  },
  {
    name: "a child answers its sister, whose reference came through the parent",
    covers: ["refs.events", "actors.tree"],
    machine: () => {
      const asker = setup({ types: { context: {} as { answer: string } } }).createMachine({
        context: { answer: "" },
        on: {
          MEET: {
            actions: sendTo(
              ({ event }) => event.peer,
              ({ self }) => ({ type: "ASK", question: "how", replyTo: self }),
            ),
          },
          ANSWER: { actions: sendParent(({ event }) => ({ type: "HEARD", text: event.text })) },
        },
      });
      return setup({ actors: { oracle, asker } }).createMachine({
        context: ({ spawn }) => ({
          oracle: spawn("oracle", { id: "oracle" }) as any,
          asker: spawn("asker", { id: "asker" }) as any,
          heard: "",
        }),
        on: {
          GO: {
            actions: sendTo(
              ({ context }) => context.asker,
              ({ context }) => ({ type: "MEET", peer: context.oracle }),
            ),
          },
          HEARD: { actions: assign({ heard: ({ event }) => event.text }) },
        },
      });
    },
    steps: [{ send: { type: "GO" } }, { expect: { contextHas: { heard: "how? 42" } } }],
  },
  {
    name: "a child keeps the reference of its sister and uses it later",
    covers: ["refs.context", "refs.events"],
    machine: () => {
      const friend = setup({ types: { context: {} as { peer: any } } }).createMachine({
        context: { peer: undefined },
        on: {
          MEET: { actions: assign({ peer: ({ event }) => event.peer }) },
          CALL: {
            actions: sendTo(
              ({ context }) => context.peer,
              () => ({ type: "ADD", by: 3 }),
            ),
          },
        },
      });
      return setup({ actors: { counter, friend } }).createMachine({
        context: ({ spawn }) => ({
          counter: spawn("counter", { id: "counter" }) as any,
          friend: spawn("friend", { id: "friend" }) as any,
          seen: -1,
        }),
        on: {
          MEET: {
            actions: sendTo(
              ({ context }) => context.friend,
              ({ context }) => ({ type: "MEET", peer: context.counter }),
            ),
          },
          CALL: { actions: sendTo(({ context }) => context.friend, { type: "CALL" }) },
          ASK: { actions: sendTo(({ context }) => context.counter, { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      });
    },
    steps: [
      { send: { type: "MEET" } },
      { send: { type: "CALL" } },
      { send: { type: "CALL" } },
      { send: { type: "ASK" } },
      { expect: { contextHas: { seen: 6 } } },
    ],
  },
  {
    name: "a child gets its parent's reference as input",
    covers: ["refs.input", "invoke.input"],
    machine: () => {
      const kid = setup({ types: { input: {} as { boss: any }, context: {} as { boss: any } } }).createMachine({
        context: ({ input }) => ({ boss: input.boss }),
        on: { WORK: { actions: sendTo(({ context }) => context.boss, { type: "WORKED" }) } },
      });
      return setup({ actors: { kid } }).createMachine({
        context: { worked: 0 },
        invoke: { src: "kid", id: "kid", input: ({ self }) => ({ boss: self }) },
        on: {
          WORK: { actions: forwardTo("kid") },
          WORKED: { actions: assign({ worked: ({ context }) => context.worked + 1 }) },
        },
      });
    },
    steps: [{ send: { type: "WORK" } }, { send: { type: "WORK" } }, { expect: { context: { worked: 2 } } }],
  },
  {
    name: "a child gets its sister's reference as input",
    covers: ["refs.input", "refs.context"],
    machine: () => {
      const kid = setup({ types: { input: {} as { counter: any }, context: {} as { counter: any } } }).createMachine({
        context: ({ input }) => ({ counter: input.counter }),
        on: { WORK: { actions: sendTo(({ context }) => context.counter, { type: "ADD" }) } },
      });
      return setup({ actors: { kid, counter } }).createMachine({
        context: ({ spawn }) => ({ counter: spawn("counter", { id: "counter" }) as any, seen: -1 }),
        invoke: { src: "kid", id: "kid", input: ({ context }) => ({ counter: context.counter }) },
        on: {
          WORK: { actions: forwardTo("kid") },
          ASK: { actions: sendTo("counter", { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      });
    },
    steps: [
      { send: { type: "WORK" } },
      { send: { type: "WORK" } },
      { send: { type: "ASK" } },
      { expect: { contextHas: { seen: 2 } } },
    ],
  },
  {
    name: "a grandchild sends straight to the root by a reference that was handed down",
    covers: ["refs.input", "actors.tree"],
    machine: () => {
      const leaf = setup({ types: { input: {} as { root: any }, context: {} as { root: any } } }).createMachine({
        context: ({ input }) => ({ root: input.root }),
        entry: sendTo(
          ({ context }) => context.root,
          ({ self }) => ({ type: "HELLO", from: self.id }),
        ),
      });
      const branch = setup({
        actors: { leaf },
        types: { input: {} as { root: any }, context: {} as { root: any } },
      }).createMachine({
        context: ({ input }) => ({ root: input.root }),
        invoke: { src: "leaf", id: "leaf", input: ({ context }) => ({ root: context.root }) },
      });
      return setup({ actors: { branch } }).createMachine({
        context: { from: "" },
        invoke: { src: "branch", input: ({ self }) => ({ root: self }) },
        on: { HELLO: { actions: assign({ from: ({ event }) => event.from }) } },
      });
    },
    steps: [{ expect: { context: { from: "leaf" } } }],
  },
  {
    name: "a reference sent up by a child lets the root reach its grandchild",
    covers: ["refs.events", "actors.tree"],
    machine: () => {
      const branch = setup({ actors: { counter } }).createMachine({
        context: ({ spawn }) => ({ leaf: spawn("counter", { id: "leaf", input: { from: 30 } }) as any }),
        entry: sendParent(({ context }) => ({ type: "LEAF", ref: context.leaf })),
        on: { COUNT: { actions: sendParent(({ event }) => event) } },
      });
      return setup({ actors: { branch } }).createMachine({
        context: { leaf: undefined as any, seen: -1 },
        invoke: { src: "branch", id: "branch" },
        on: {
          LEAF: { actions: assign({ leaf: ({ event }) => event.ref }) },
          GO: {
            actions: [
              sendTo(({ context }) => context.leaf, { type: "ADD" }),
              sendTo(({ context }) => context.leaf, { type: "TELL" }),
            ],
          },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      });
    },
    steps: [{ send: { type: "GO" } }, { expect: { context: { leaf: { ref: "leaf" }, seen: 31 } } }],
  },
  {
    name: "references deep in the context stay references",
    covers: ["refs.context"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: ({ spawn }) => ({
          rooms: [{ name: "hall", sensor: { inner: spawn("counter", { id: "hall" }) as any } }],
          seen: -1,
        }),
        on: {
          ADD: { actions: sendTo(({ context }) => context.rooms[0]?.sensor.inner, { type: "ADD" }) },
          ASK: { actions: sendTo(({ context }) => context.rooms[0]?.sensor.inner, { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      }),
    steps: [
      { send: { type: "ADD" } },
      { send: { type: "ASK" } },
      { expect: { context: { rooms: [{ name: "hall", sensor: { inner: { ref: "hall" } } }], seen: 1 } } },
    ],
  },
  {
    name: "references in a map in the context stay references",
    covers: ["refs.context", "value.actors"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: ({ spawn }) => ({
          sensors: new Map([["hall", spawn("counter", { id: "hall", input: { from: 6 } }) as any]]),
          seen: -1,
        }),
        on: {
          ASK: { actions: sendTo(({ context }) => context.sensors.get("hall"), { type: "TELL" }) },
          COUNT: { actions: assign({ seen: ({ event }) => event.n }) },
        },
      }),
    steps: [
      { send: { type: "ASK" } },
      { expect: { context: { sensors: new Map([["hall", { ref: "hall" }]]), seen: 6 } } },
    ],
  },
  {
    name: "a reference knows its id",
    covers: ["refs.context"],
    machine: () =>
      setup({ actors: { counter } }).createMachine({
        context: ({ spawn }) => ({ kid: spawn("counter", { id: "kid" }) as any, id: "" }),
        on: { ASK: { actions: assign({ id: ({ context }) => context.kid.id }) } },
      }),
    steps: [{ send: { type: "ASK" } }, { expect: { contextHas: { id: "kid" } } }],
  },
  {
    name: "a child sends to its own reference, which came back to it from outside",
    covers: ["refs.events", "sendTo.self"],
    machine: () => {
      const kid = createMachine({
        on: {
          START: { actions: sendParent(({ self }) => ({ type: "ME", ref: self })) },
          BACK: { actions: sendTo(({ event }) => (event as any).ref, { type: "SELF" }) },
          SELF: { actions: sendParent({ type: "REACHED" }) },
        },
      });
      return setup({ actors: { kid } }).createMachine({
        initial: "waiting",
        invoke: { src: "kid", id: "kid" },
        on: {
          START: { actions: forwardTo("kid") },
          ME: { actions: sendTo("kid", ({ event }) => ({ type: "BACK", ref: event.ref })) },
        },
        states: { waiting: { on: { REACHED: "there" } }, there: {} },
      });
    },
    steps: [{ send: { type: "START" } }, { expect: { value: "there" } }],
  },
  {
    name: "a reference in the output of a child is a reference for its parent",
    covers: ["refs.output", "actors.output"],
    machine: () => {
      const chooser = setup({
        types: { input: {} as { options: any[] }, context: {} as { options: any[] } },
      }).createMachine({
        context: ({ input }) => ({ options: input.options }),
        initial: "over",
        states: { over: { type: "final" } },
        output: ({ context }) => ({ chosen: context.options[1] }),
      });
      return setup({ actors: { chooser, counter } }).createMachine({
        context: ({ spawn }) => ({
          options: [spawn("counter", { id: "a" }), spawn("counter", { id: "b", input: { from: 9 } })] as any[],
          chosen: undefined as any,
          seen: -1,
        }),
        initial: "choosing",
        states: {
          choosing: {
            invoke: {
              src: "chooser",
              input: ({ context }) => ({ options: context.options }),
              onDone: { target: "chosen", actions: assign({ chosen: ({ event }) => (event.output as any).chosen }) },
            },
          },
          chosen: {
            entry: sendTo(({ context }) => context.chosen, { type: "TELL" }),
            on: { COUNT: { actions: assign({ seen: ({ event }) => event.n }) } },
          },
        },
      });
    },
    steps: [{ expect: { value: "chosen", contextHas: { chosen: { ref: "b" }, seen: 9 } } }],
  },
  {
    name: "an ended sister whose reference was kept gets nothing, and nobody is hurt",
    covers: ["send.ended", "refs.context"],
    machine: () => {
      const brief = createMachine({ initial: "over", states: { over: { type: "final" } } });
      const friend = setup({ types: { context: {} as { peer: any; calls: number } } }).createMachine({
        context: { peer: undefined, calls: 0 },
        on: {
          MEET: { actions: assign({ peer: ({ event }) => event.peer }) },
          CALL: {
            actions: [
              sendTo(({ context }) => context.peer, { type: "HELLO" }),
              assign({ calls: ({ context }) => context.calls + 1 }),
              sendParent(({ context }) => ({ type: "CALLED", calls: context.calls })),
            ],
          },
        },
      });
      return setup({ actors: { brief, friend } }).createMachine({
        context: ({ spawn }) => ({ brief: spawn("brief", { id: "brief" }) as any, calls: 0 }),
        invoke: { src: "friend", id: "friend" },
        on: {
          MEET: { actions: sendTo("friend", ({ context }) => ({ type: "MEET", peer: context.brief })) },
          CALL: { actions: sendTo("friend", { type: "CALL" }) },
          CALLED: { actions: assign({ calls: ({ event }) => event.calls }) },
        },
      });
    },
    steps: [
      { send: { type: "MEET" } },
      { send: { type: "CALL" } },
      { send: { type: "CALL" } },
      { expect: { status: "active", contextHas: { calls: 2 } } },
    ],
  },
];

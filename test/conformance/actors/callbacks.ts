/**
 * Callback logic (fromCallback): live attachments of a state.
 *
 * On Statewright what a callback sends goes through its parent's mailbox, and a callback is started again when another node takes its actor over.
 */
import {
  assign,
  createMachine,
  forwardTo,
  fromCallback,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";

/** Says HELLO to its parent when it starts. */
const hello = fromCallback(({ sendBack }) => sendBack({ type: "HELLO" }));

/** Answers each event of its parent by ECHO. */
const echoing = fromCallback<{ type: string; value?: any }>(({ sendBack, receive }) => {
  receive((event) => sendBack({ type: "ECHO", value: event.value }));
});

export const scenarios: readonly Scenario[] = [
  {
    name: "a callback sends to its parent as soon as it starts",
    covers: ["logic.callback"],
    machine: () =>
      setup({ actors: { hello } }).createMachine({
        initial: "waiting",
        states: { waiting: { invoke: { src: "hello" }, on: { HELLO: "greeted" } }, greeted: {} },
      }),
    steps: [{ expect: { value: "greeted", status: "active" } }],
  },
  {
    name: "a callback receives what its parent sends and answers",
    covers: ["logic.callback", "send.sendTo"],
    machine: () =>
      setup({ actors: { echoing } }).createMachine({
        context: { heard: [] as unknown[] },
        invoke: { src: "echoing", id: "echo" },
        on: {
          CALL: { actions: sendTo("echo", ({ event }) => ({ type: "CALL", value: event.value })) },
          ECHO: { actions: assign({ heard: ({ context, event }) => [...context.heard, event.value] }) },
        },
      }),
    steps: [
      { send: { type: "CALL", value: 1 } },
      { send: { type: "CALL", value: 2 } },
      { expect: { context: { heard: [1, 2] } } },
    ],
  },
  {
    name: "events are forwarded to a callback",
    covers: ["logic.callback", "send.forwardTo"],
    machine: () =>
      setup({ actors: { echoing } }).createMachine({
        context: { heard: [] as unknown[] },
        invoke: { src: "echoing", id: "echo" },
        on: {
          CALL: { actions: forwardTo("echo") },
          ECHO: { actions: assign({ heard: ({ context, event }) => [...context.heard, event.value] }) },
        },
      }),
    steps: [{ send: { type: "CALL", value: "x" } }, { expect: { context: { heard: ["x"] } } }],
  },
  {
    name: "a callback takes what one transition sends in order",
    covers: ["logic.callback", "send.order"],
    machine: () =>
      setup({ actors: { echoing } }).createMachine({
        context: { heard: [] as unknown[] },
        invoke: { src: "echoing", id: "echo" },
        on: {
          GO: {
            actions: [
              sendTo("echo", { type: "CALL", value: 1 }),
              sendTo("echo", { type: "CALL", value: 2 }),
              sendTo("echo", { type: "CALL", value: 3 }),
            ],
          },
          ECHO: { actions: assign({ heard: ({ context, event }) => [...context.heard, event.value] }) },
        },
      }),
    steps: [{ send: { type: "GO" } }, { expect: { context: { heard: [1, 2, 3] } } }],
  },
  {
    name: "what a callback sends at its start arrives in order",
    covers: ["logic.callback", "send.order"],
    machine: () => {
      const count = fromCallback(({ sendBack }) => {
        for (const n of [1, 2, 3]) sendBack({ type: "N", n });
        sendBack({ type: "END" });
      });
      return setup({ actors: { count } }).createMachine({
        context: { seen: [] as number[] },
        initial: "counting",
        states: {
          counting: {
            invoke: { src: "count" },
            on: {
              N: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.n] }) },
              END: "counted",
            },
          },
          counted: {},
        },
      });
    },
    steps: [{ expect: { value: "counted", context: { seen: [1, 2, 3] } } }],
  },
  {
    name: "a callback gets its input",
    covers: ["logic.callback", "invoke.input"],
    machine: () => {
      const tell = fromCallback<{ type: string }, { text: string; at: Date }>(({ sendBack, input }) =>
        sendBack({ type: "TOLD", text: `${input.text} ${input.at.getTime()}` }),
      );
      return setup({ actors: { tell } }).createMachine({
        context: { text: "" },
        initial: "idle",
        states: {
          idle: { on: { GO: "telling" } },
          telling: {
            invoke: { src: "tell", input: ({ event }) => ({ text: event.text, at: new Date(9) }) },
            on: { TOLD: { target: "idle", actions: assign({ text: ({ event }) => event.text }) } },
          },
        },
      });
    },
    steps: [{ send: { type: "GO", text: "now" } }, { expect: { value: "idle", context: { text: "now 9" } } }],
  },
  {
    name: "a callback is cleaned up when its state is left",
    covers: ["logic.callback", "invoke.exit"],
    restarts: true,
    machine: ({ trace }) => {
      const attach = fromCallback(() => {
        trace("attached");
        return () => trace("detached");
      });
      return setup({ actors: { attach } }).createMachine({
        initial: "on",
        states: { on: { invoke: { src: "attach" }, on: { OFF: "off" } }, off: { on: { ON: "on" } } },
      });
    },
    steps: [
      { expect: { trace: ["attached"] } },
      { send: { type: "OFF" } },
      { expect: { trace: ["attached", "detached"] } },
      { send: { type: "ON" } },
      { expect: { value: "on", trace: ["attached", "detached", "attached"] } },
    ],
  },
  {
    name: "a callback is cleaned up when its machine ends",
    covers: ["logic.callback", "actors.stop"],
    restarts: true,
    machine: ({ trace }) => {
      const attach = fromCallback(() => () => trace("detached"));
      return setup({ actors: { attach } }).createMachine({
        invoke: { src: "attach" },
        initial: "on",
        states: { on: { on: { END: "over" } }, over: { type: "final" } },
      });
    },
    steps: [{ send: { type: "END" } }, { expect: { status: "done", trace: ["detached"] } }],
  },
  {
    name: "a callback that was started by spawnChild is cleaned up by stopChild",
    covers: ["logic.callback", "spawn.stopChild", "spawn.spawnChild"],
    restarts: true,
    machine: ({ trace }) => {
      const attach = fromCallback(() => () => trace("detached"));
      return setup({ actors: { attach } }).createMachine({
        entry: spawnChild("attach", { id: "attach" }),
        on: { STOP: { actions: stopChild("attach") } },
      });
    },
    steps: [
      { expect: { trace: [] } },
      { send: { type: "STOP" } },
      { expect: { status: "active", trace: ["detached"] } },
    ],
  },
  {
    name: "a callback spawned in assign is reached by its reference",
    covers: ["logic.callback", "spawn.assign", "refs.context"],
    machine: () =>
      setup({ actors: { echoing } }).createMachine({
        context: ({ spawn }) => ({ echo: spawn("echoing", { id: "echo" }) as any, heard: [] as unknown[] }),
        on: {
          CALL: {
            actions: sendTo(
              ({ context }) => context.echo,
              ({ event }) => event,
            ),
          },
          ECHO: { actions: assign({ heard: ({ context, event }) => [...context.heard, event.value] }) },
        },
      }),
    steps: [{ send: { type: "CALL", value: "y" } }, { expect: { context: { echo: { ref: "echo" }, heard: ["y"] } } }],
  },
  {
    name: "a callback is reached by its system id",
    covers: ["logic.callback", "system.get"],
    machine: () =>
      setup({ actors: { echoing } }).createMachine({
        context: { heard: [] as unknown[] },
        invoke: { src: "echoing", systemId: "echo" },
        on: {
          CALL: {
            actions: sendTo(
              ({ system }) => system.get("echo"),
              ({ event }) => event,
            ),
          },
          ECHO: { actions: assign({ heard: ({ context, event }) => [...context.heard, event.value] }) },
        },
      }),
    steps: [{ send: { type: "CALL", value: "z" } }, { expect: { context: { heard: ["z"] } } }],
  },
  {
    name: "a callback that throws while it starts comes by onError",
    covers: ["logic.callback", "invoke.onError"],
    machine: () => {
      const broken = fromCallback(() => {
        throw Object.assign(new Error("no socket"), { code: "E_SOCKET" });
      });
      return setup({ actors: { broken } }).createMachine({
        context: { reason: "" },
        initial: "on",
        states: {
          on: {
            invoke: {
              src: "broken",
              onError: {
                target: "failed",
                actions: assign({
                  reason: ({ event }) => `${(event.error as any).code}: ${(event.error as Error).message}`,
                }),
              },
            },
          },
          failed: {},
        },
      });
    },
    steps: [{ expect: { value: "failed", status: "active", context: { reason: "E_SOCKET: no socket" } } }],
  },
  {
    name: "a callback that throws at an event comes by onError",
    covers: ["logic.callback", "invoke.onError"],
    machine: () => {
      const broken = fromCallback(({ receive }) => {
        receive(() => {
          throw new Error("not that");
        });
      });
      return setup({ actors: { broken } }).createMachine({
        context: { reason: "" },
        initial: "on",
        states: {
          on: {
            invoke: {
              src: "broken",
              id: "broken",
              onError: { target: "failed", actions: assign({ reason: ({ event }) => (event.error as Error).message }) },
            },
            on: { CALL: { actions: forwardTo("broken") } },
          },
          failed: {},
        },
      });
    },
    steps: [
      { expect: { value: "on" } },
      { send: { type: "CALL" } },
      { expect: { value: "failed", status: "active", context: { reason: "not that" } } },
    ],
  },
  {
    name: "an error of a callback that nothing handles ends the machine",
    covers: ["logic.callback", "errors.unhandled"],
    machine: () => {
      const broken = fromCallback(() => {
        throw new Error("no socket");
      });
      return setup({ actors: { broken } }).createMachine({
        initial: "off",
        states: { off: { on: { ON: "on" } }, on: { invoke: { src: "broken" } } },
      });
    },
    steps: [
      { expect: { status: "active" } },
      { send: { type: "ON" } },
      { expect: { status: "error", error: { message: "no socket" } } },
    ],
  },
  {
    name: "regions have callbacks of their own",
    covers: ["logic.callback", "invoke.several"],
    machine: () => {
      const say = fromCallback<{ type: string }, string>(({ sendBack, input }) =>
        sendBack({ type: "SAID", word: input }),
      );
      return setup({ actors: { say } }).createMachine({
        context: { words: [] as string[] },
        type: "parallel",
        states: {
          one: { invoke: { src: "say", input: "one" } },
          two: { invoke: { src: "say", input: "two" } },
        },
        // As a set: a callback that is started again says its word again.
        on: {
          SAID: {
            actions: assign({ words: ({ context, event }) => [...new Set([...context.words, event.word])].sort() }),
          },
        },
      });
    },
    steps: [{ expect: { context: { words: ["one", "two"] } } }],
  },
  {
    name: "a child machine has callbacks of its own",
    covers: ["logic.callback", "actors.tree"],
    machine: () => {
      const kid = setup({ actors: { echoing } }).createMachine({
        invoke: { src: "echoing", id: "echo" },
        on: { CALL: { actions: forwardTo("echo") }, ECHO: { actions: sendParent(({ event }) => event) } },
      });
      return setup({ actors: { kid } }).createMachine({
        context: { heard: [] as unknown[] },
        invoke: { src: "kid", id: "kid" },
        on: {
          CALL: { actions: forwardTo("kid") },
          ECHO: { actions: assign({ heard: ({ context, event }) => [...context.heard, event.value] }) },
        },
      });
    },
    steps: [{ send: { type: "CALL", value: 5 } }, { expect: { context: { heard: [5] } } }],
  },
  {
    name: "stopping a child machine cleans up its callbacks",
    covers: ["logic.callback", "actors.stop", "actors.tree"],
    restarts: true,
    machine: ({ trace }) => {
      const attach = fromCallback(() => () => trace("detached"));
      const kid = setup({ actors: { attach } }).createMachine({ invoke: { src: "attach" } });
      return setup({ actors: { kid } }).createMachine({
        initial: "on",
        states: { on: { invoke: { src: "kid" }, on: { OFF: "off" } }, off: {} },
      });
    },
    steps: [{ send: { type: "OFF" } }, { expect: { value: "off", trace: ["detached"] } }],
  },
  {
    name: "a callback can be written into the invocation itself",
    covers: ["logic.callback", "invoke.inline"],
    machine: () =>
      createMachine({
        initial: "waiting",
        states: {
          waiting: {
            invoke: { src: fromCallback(({ sendBack }) => sendBack({ type: "HELLO" })) },
            on: { HELLO: "greeted" },
          },
          greeted: {},
        },
      }),
    steps: [{ expect: { value: "greeted" } }],
  },
  {
    name: "dates, maps and sets pass to a callback and back as they are",
    covers: ["logic.callback", "value.actors"],
    machine: () =>
      setup({ actors: { echoing } }).createMachine({
        context: { got: undefined as unknown },
        invoke: { src: "echoing", id: "echo" },
        on: {
          CALL: {
            actions: sendTo("echo", { type: "CALL", value: { at: new Date(3), map: new Map([["k", new Set([1])]]) } }),
          },
          ECHO: { actions: assign({ got: ({ event }) => event.value }) },
        },
      }),
    steps: [
      { send: { type: "CALL" } },
      { expect: { context: { got: { at: new Date(3), map: new Map([["k", new Set([1])]]) } } } },
    ],
  },
];

/** Final states: done events, outputs, and the end of the machine. */
import { assign, createMachine, raise, setup } from "xstate";
import type { Scenario } from "../../scenarios/scenario.ts";
import { noted } from "./noted.ts";

export const final: readonly Scenario[] = [
  {
    name: "a final child makes its parent take onDone",
    covers: ["final.done-event", "final.on-done"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            ...noted(trace, "p"),
            initial: "a",
            states: { a: { on: { END: "end" } }, end: { type: "final", ...noted(trace, "end") } },
            onDone: { target: "q", actions: ({ event }) => trace(event.type) },
          },
          q: noted(trace, "q"),
        },
      }),
    steps: [
      { send: { type: "END" } },
      {
        expect: {
          value: "q",
          status: "active",
          trace: ["+p", "+end", "-end", "-p", "xstate.done.state.(machine).p", "+q"],
        },
      },
    ],
  },
  {
    name: "the output of a final state comes with the done event",
    covers: ["final.output", "final.on-done"],
    machine: () =>
      createMachine({
        context: { n: 20, got: null as unknown },
        initial: "p",
        states: {
          p: {
            initial: "a",
            states: {
              a: { on: { END: "end" } },
              end: { type: "final", output: ({ context, event }) => ({ sum: context.n + event.n }) },
            },
            onDone: { target: "q", actions: assign({ got: ({ event }) => event.output }) },
          },
          q: {},
        },
      }),
    steps: [{ send: { type: "END", n: 22 } }, { expect: { value: "q", context: { n: 20, got: { sum: 42 } } } }],
  },
  {
    name: "a final state without an output brings a done event without one",
    covers: ["final.output"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            initial: "end",
            states: { end: { type: "final" } },
            onDone: { target: "q", actions: ({ event }) => trace(event.output === undefined) },
          },
          q: {},
        },
      }),
    steps: [{ expect: { value: "q", trace: [true] } }],
  },
  {
    name: "different final states bring different outputs, and onDone chooses by them",
    covers: ["final.output", "final.on-done", "guard.order"],
    machine: () =>
      setup({
        types: {} as { events: { type: "YES" } | { type: "NO" } },
      }).createMachine({
        initial: "ask",
        states: {
          ask: {
            initial: "open",
            states: {
              open: { on: { YES: "yes", NO: "no" } },
              yes: { type: "final", output: { answer: "yes" } },
              no: { type: "final", output: { answer: "no" } },
            },
            onDone: [
              { guard: ({ event }) => (event.output as { answer: string }).answer === "yes", target: "accepted" },
              { target: "refused" },
            ],
          },
          accepted: { on: { NO: "ask" } },
          refused: {},
        },
      }),
    steps: [
      { send: { type: "YES" } },
      { expect: { value: "accepted" } },
      { send: { type: "NO" } },
      { send: { type: "NO" } },
      { expect: { value: "refused" } },
    ],
  },
  {
    name: "done goes up one level at a time",
    covers: ["final.nested", "final.on-done"],
    machine: ({ trace }) =>
      createMachine({
        initial: "outer",
        states: {
          outer: {
            initial: "inner",
            states: {
              inner: {
                initial: "a",
                states: { a: { on: { END: "end" } }, end: { type: "final", output: "inner output" } },
                onDone: { target: "finished", actions: ({ event }) => trace(event.output) },
              },
              finished: { type: "final", output: "outer output" },
            },
            onDone: { target: "rest", actions: ({ event }) => trace(event.output) },
          },
          rest: {},
        },
      }),
    steps: [{ send: { type: "END" } }, { expect: { value: "rest", trace: ["inner output", "outer output"] } }],
  },
  {
    name: "a compound state that is done without onDone stays where it is",
    covers: ["final.done-event"],
    machine: () =>
      createMachine({
        initial: "p",
        states: {
          p: { initial: "a", states: { a: { on: { END: "end" } }, end: { type: "final" } }, on: { LATER: "q" } },
          q: {},
        },
      }),
    steps: [
      { send: { type: "END" } },
      { expect: { value: { p: "end" }, status: "active" } },
      { send: { type: "LATER" } },
      { expect: { value: "q" } },
    ],
  },
  {
    name: "a done event may be taken by its name further up",
    covers: ["final.done-event"],
    machine: ({ trace }) =>
      createMachine({
        id: "m",
        initial: "p",
        states: {
          p: { initial: "a", states: { a: { on: { END: "end" } }, end: { type: "final", output: 5 } } },
          q: {},
        },
        on: { "xstate.done.state.m.p": { target: ".q", actions: ({ event }) => trace(event) } },
      }),
    steps: [
      { send: { type: "END" } },
      { expect: { value: "q", trace: [{ type: "xstate.done.state.m.p", output: 5 }] } },
    ],
  },
  {
    name: "a state with an id of its own has a done event of that name",
    covers: ["final.done-event", "target.id"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            id: "payment",
            initial: "end",
            states: { end: { type: "final" } },
            onDone: { target: "q", actions: ({ event }) => trace(event.type) },
          },
          q: {},
        },
      }),
    steps: [{ expect: { value: "q", trace: ["xstate.done.state.payment"] } }],
  },
  {
    name: "the done event comes after what was raised before it",
    covers: ["final.done-event", "raise.order"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            initial: "a",
            states: {
              a: { on: { END: { target: "end", actions: raise({ type: "RAISED" }) } } },
              end: { type: "final", entry: raise({ type: "ON_ENTRY" }) },
            },
            on: { RAISED: { actions: () => trace("raised") }, ON_ENTRY: { actions: () => trace("on entry") } },
            onDone: { target: "q", actions: () => trace("done") },
          },
          q: {},
        },
      }),
    steps: [{ send: { type: "END" } }, { expect: { value: "q", trace: ["raised", "on entry", "done"] } }],
  },
  {
    name: "a top-level final state ends the machine, with the machine's output",
    covers: ["final.machine", "machine.output"],
    machine: () =>
      createMachine({
        context: { n: 0 },
        initial: "a",
        states: {
          a: { on: { ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) }, END: "end" } },
          end: { type: "final" },
        },
        output: ({ context }) => ({ count: context.n }),
      }),
    steps: [
      { send: { type: "ADD" } },
      { send: { type: "ADD" } },
      { expect: { status: "active", output: undefined } },
      { send: { type: "END" } },
      { expect: { value: "end", status: "done", context: { n: 2 }, output: { count: 2 } } },
    ],
  },
  {
    name: "the machine's output may be made of the final state's own output",
    covers: ["machine.output", "final.output"],
    machine: () =>
      createMachine({
        initial: "a",
        states: {
          a: { on: { WIN: "won", LOSE: "lost" } },
          won: { type: "final", output: { by: 3 } },
          lost: { type: "final", output: { by: -1 } },
        },
        output: ({ event }) => ({ result: event.output }),
      }),
    steps: [{ send: { type: "LOSE" } }, { expect: { value: "lost", status: "done", output: { result: { by: -1 } } } }],
  },
  {
    name: "the machine's output may be a fixed value",
    covers: ["machine.output"],
    machine: () =>
      createMachine({
        initial: "a",
        states: { a: { on: { END: "end" } }, end: { type: "final" } },
        output: ["fixed", 1],
      }),
    steps: [{ send: { type: "END" } }, { expect: { status: "done", output: ["fixed", 1] } }],
  },
  {
    name: "a machine that ends without an output has none",
    covers: ["machine.output", "final.machine"],
    machine: () => createMachine({ initial: "a", states: { a: { on: { END: "end" } }, end: { type: "final" } } }),
    steps: [{ send: { type: "END" } }, { expect: { status: "done", output: undefined } }],
  },
  {
    name: "when the machine ends all active states run their exit actions from the inside out",
    covers: ["final.machine", "final.exit", "action.exit"],
    machine: ({ trace }) =>
      createMachine({
        ...noted(trace, "root"),
        initial: "a",
        states: {
          a: { ...noted(trace, "a"), on: { END: { target: "end", actions: () => trace("ending") } } },
          end: { type: "final", ...noted(trace, "end") },
        },
      }),
    steps: [
      { send: { type: "END" } },
      { expect: { status: "done", trace: ["+root", "+a", "-a", "ending", "+end", "-end", "-root"] } },
    ],
  },
  {
    name: "a machine that has ended takes no more events",
    covers: ["final.ignored"],
    machine: ({ trace }) =>
      createMachine({
        context: { n: 0 },
        initial: "a",
        states: { a: { on: { END: "end" } }, end: { type: "final" } },
        on: { ADD: { actions: [assign({ n: ({ context }) => context.n + 1 }), () => trace("add")] } },
      }),
    steps: [
      { send: { type: "ADD" } },
      { send: { type: "END" } },
      { send: { type: "ADD" } },
      { send: { type: "END" } },
      { expect: { value: "end", status: "done", context: { n: 1 }, trace: ["add"] } },
    ],
  },
  {
    name: "what is raised on the way to the end is not taken any more",
    covers: ["final.machine", "raise.unhandled"],
    machine: ({ trace }) =>
      createMachine({
        initial: "a",
        states: {
          a: { on: { END: { target: "end", actions: raise({ type: "LATE" }) } } },
          end: { type: "final", entry: [raise({ type: "LATE" }), () => trace("+end")] },
        },
        on: { LATE: { actions: () => trace("late") } },
      }),
    steps: [{ send: { type: "END" } }, { expect: { status: "done", trace: ["+end"] } }],
  },
  {
    name: "a machine may end in its very first step",
    covers: ["final.machine", "initial.state", "machine.output"],
    machine: ({ trace }) =>
      createMachine({
        context: ({ input }: { input: { n: number } }) => ({ n: input.n }),
        initial: "end",
        states: { end: { type: "final", ...noted(trace, "end") } },
        output: ({ context }) => context.n,
      }),
    input: { n: 9 },
    steps: [{ expect: { value: "end", status: "done", output: 9, trace: ["+end", "-end"] } }],
  },
  {
    name: "a parallel state is done when all its regions are",
    covers: ["final.parallel", "final.on-done"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            type: "parallel",
            states: {
              a: { initial: "x", states: { x: { on: { A: "end" } }, end: { type: "final" } } },
              b: { initial: "x", states: { x: { on: { B: "end" } }, end: { type: "final" } } },
            },
            onDone: { target: "q", actions: () => trace("all done") },
          },
          q: {},
        },
      }),
    steps: [
      { send: { type: "B" } },
      { expect: { value: { p: { a: "x", b: "end" } }, trace: [] } },
      { send: { type: "A" } },
      { expect: { value: "q", trace: ["all done"] } },
    ],
  },
  {
    name: "regions that end in one step bring their own done events before that of the parallel state",
    covers: ["final.parallel", "final.done-event"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            type: "parallel",
            states: {
              a: {
                initial: "x",
                states: { x: { on: { END: "end" } }, end: { type: "final" } },
                onDone: { actions: () => trace("a") },
              },
              b: {
                initial: "x",
                states: { x: { on: { END: "end" } }, end: { type: "final" } },
                onDone: { actions: () => trace("b") },
              },
            },
            onDone: { target: "q", actions: () => trace("p") },
          },
          q: {},
        },
      }),
    steps: [{ send: { type: "END" } }, { expect: { value: "q", trace: ["a", "b", "p"] } }],
  },
  {
    name: "a region that is done may be left again before the others are",
    covers: ["final.parallel"],
    machine: () =>
      createMachine({
        initial: "p",
        states: {
          p: {
            type: "parallel",
            states: {
              a: { initial: "x", states: { x: { on: { A: "end" } }, end: { type: "final" } }, on: { UNDO: ".x" } },
              b: { initial: "x", states: { x: { on: { B: "end" } }, end: { type: "final" } } },
            },
            onDone: "q",
          },
          q: {},
        },
      }),
    steps: [
      { send: { type: "A" } },
      { send: { type: "UNDO" } },
      { send: { type: "B" } },
      { expect: { value: { p: { a: "x", b: "end" } } } },
      { send: { type: "A" } },
      { expect: { value: "q" } },
    ],
  },
  {
    name: "a machine whose root is parallel ends when all its regions are done",
    covers: ["final.parallel", "final.machine", "machine.output"],
    machine: ({ trace }) =>
      createMachine({
        context: { order: [] as string[] },
        type: "parallel",
        states: {
          a: {
            initial: "x",
            states: {
              x: { on: { A: { target: "end", actions: assign({ order: ({ context }) => [...context.order, "a"] }) } } },
              end: { type: "final" },
            },
            exit: () => trace("-a"),
          },
          b: {
            initial: "x",
            states: {
              x: { on: { B: { target: "end", actions: assign({ order: ({ context }) => [...context.order, "b"] }) } } },
              end: { type: "final" },
            },
            exit: () => trace("-b"),
          },
        },
        output: ({ context }) => context.order,
      }),
    steps: [
      { send: { type: "B" } },
      { expect: { status: "active" } },
      { send: { type: "A" } },
      {
        expect: { value: { a: "end", b: "end" }, status: "done", output: ["b", "a"], trace: ["-b", "-a"] },
      },
    ],
  },
  {
    name: "a parallel state within a parallel one is done first",
    covers: ["final.parallel", "final.nested"],
    machine: ({ trace }) =>
      createMachine({
        initial: "p",
        states: {
          p: {
            type: "parallel",
            states: {
              inner: {
                type: "parallel",
                states: {
                  x: { initial: "a", states: { a: { on: { X: "end" } }, end: { type: "final" } } },
                  y: { initial: "a", states: { a: { on: { Y: "end" } }, end: { type: "final" } } },
                },
                onDone: { actions: () => trace("inner") },
              },
              z: { initial: "a", states: { a: { on: { Z: "end" } }, end: { type: "final" } } },
            },
            onDone: { target: "q", actions: () => trace("outer") },
          },
          q: {},
        },
      }),
    steps: [
      { send: { type: "Z" } },
      { send: { type: "X" } },
      { expect: { trace: [] } },
      { send: { type: "Y" } },
      { expect: { value: "q", trace: ["inner", "outer"] } },
    ],
  },
  {
    name: "onDone without a target reacts and stays",
    covers: ["final.on-done", "transition.targetless"],
    machine: () =>
      createMachine({
        context: { finished: 0 },
        initial: "p",
        states: {
          p: {
            initial: "a",
            states: { a: { on: { END: "end" } }, end: { type: "final" } },
            onDone: { actions: assign({ finished: ({ context }) => context.finished + 1 }) },
            on: { AGAIN: ".a" },
          },
        },
      }),
    steps: [
      { send: { type: "END" } },
      { expect: { value: { p: "end" }, context: { finished: 1 } } },
      { send: { type: "AGAIN" } },
      { send: { type: "END" } },
      { expect: { value: { p: "end" }, context: { finished: 2 } } },
    ],
  },
  {
    name: "an output of a final state may be any value, also an empty one",
    covers: ["final.output"],
    machine: ({ trace }) =>
      createMachine({
        initial: "null",
        states: {
          null: {
            initial: "end",
            states: { end: { type: "final", output: null } },
            onDone: { target: "zero", actions: ({ event }) => trace(event.output) },
          },
          zero: {
            initial: "end",
            states: { end: { type: "final", output: 0 } },
            onDone: { target: "text", actions: ({ event }) => trace(event.output) },
          },
          text: {
            initial: "end",
            states: { end: { type: "final", output: () => "" } },
            onDone: { target: "list", actions: ({ event }) => trace(event.output) },
          },
          list: {
            initial: "end",
            states: { end: { type: "final", output: () => [] } },
            onDone: { target: "rest", actions: ({ event }) => trace(event.output) },
          },
          rest: {},
        },
      }),
    steps: [{ expect: { value: "rest", trace: [null, 0, "", []] } }],
  },
];

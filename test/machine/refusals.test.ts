/** What a machine may not contain is refused by name and place when it is prepared, or at the step that does it. */
import { describe, expect, test } from "vitest";
import {
  type AnyStateMachine,
  assign,
  cancel,
  createMachine,
  emit,
  enqueueActions,
  forwardTo,
  fromPromise,
  not,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from "xstate";
import { InvalidDefinitionError, InvalidNameError, TerminalError } from "../../runtime/core/errors.ts";
import { publish, tell } from "../../runtime/machine/actions.ts";
import { prepareMachine } from "../../runtime/machine/prepare-machine.ts";

const env = { self: { type: "order", id: "42" }, now: 0 };
const work = fromPromise(async () => 1);

/** A machine with the given piece of config in its state `paying`. */
const orderWith = (paying: object, implementations?: object): AnyStateMachine =>
  createMachine(
    { id: "order", initial: "paying", states: { paying: { ...paying }, paid: {} } } as never,
    implementations as never,
  );

function refusalOf(machine: AnyStateMachine): string {
  try {
    prepareMachine(machine);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidDefinitionError);
    return (error as Error).message;
  }
  return "";
}

describe("the definition", () => {
  test.each([
    [
      "invoke by name",
      { invoke: { src: "charge" } },
      'state "order.paying" invokes "charge" (invoke is not supported yet)',
    ],
    ["invoke inline", { invoke: [{ src: work }] }, 'state "order.paying" invokes an actor that is defined inline'],
    [
      "after",
      { after: { 1000: "paid" } },
      'state "order.paying" has a transition after "1000" (after is not supported yet)',
    ],
    ["after by name", { after: { soon: "paid" } }, 'has a transition after "soon"'],
    ["route", { id: "pay", route: {} }, 'state "order.paying" has a route'],
    [
      "delayed raise",
      { entry: raise({ type: "X" }, { delay: 5 }) },
      'state "order.paying" on entry uses raise with a delay',
    ],
    [
      "sendTo",
      { exit: sendTo("x", { type: "X" }) },
      'state "order.paying" on exit uses sendTo (sendTo is not supported yet)',
    ],
    [
      "sendParent",
      { on: { A: { actions: sendParent({ type: "X" }) } } },
      'state "order.paying" on "A" uses sendParent',
    ],
    ["forwardTo", { on: { A: [{ guard: () => false }, { actions: forwardTo("x") }] } }, 'on "A" uses sendTo'],
    [
      "cancel",
      { always: { guard: () => false, actions: cancel("x") } },
      'state "order.paying" in "always" uses cancel',
    ],
    ["emit", { onDone: { actions: emit({ type: "X" }) } }, 'on "xstate.done.state.order.paying" uses emit'],
    ["spawnChild", { entry: [() => {}, spawnChild("x")] }, "on entry uses spawnChild"],
    ["stopChild", { entry: stopChild("x") }, "on entry uses stopChild"],
    [
      "nested",
      { initial: "card", states: { card: { entry: emit({ type: "X" }) } } },
      'state "order.paying.card" on entry uses emit',
    ],
    [
      "initial transition",
      { initial: { target: "card", actions: spawnChild("x") }, states: { card: {} } },
      "on its initial transition uses spawnChild",
    ],
    [
      "an unknown action",
      { entry: "charge" },
      'state "order.paying" on entry names the action "charge", which is not implemented',
    ],
    ["an inherited name", { entry: "toString" }, 'names the action "toString", which is not implemented'],
    [
      "an unknown guard",
      { on: { A: { guard: not({ type: "ok" } as never) } } },
      'on "A" names the guard "ok", which is not implemented',
    ],
    ["a bad actor type", { entry: tell("no type", "1", { type: "X" }) }, 'Cannot use "no type" as an actor type'],
    ["a bad actor id", { entry: tell("order", "", { type: "X" }) }, "as an actor id: it must be a non-empty string"],
    [
      "a reserved event",
      { entry: tell("order", "1", { type: "xstate.stop" }) },
      'the event type "xstate.stop" is reserved',
    ],
    ["a bad topic", { entry: publish("", { type: "X" }) }, "as a topic"],
  ])("is refused for %s", (_, paying, words) => {
    expect(refusalOf(orderWith(paying))).toContain(words);
  });

  test("is refused for a duplicate id", () => {
    expect(
      refusalOf(createMachine({ id: "order", states: { a: { id: "x" }, b: { id: "x" } }, initial: "a" })),
    ).toContain('state "order.b" has the id "x", which another state has too');
  });

  test("is refused for a named action that does what is not supported, at each place that names it", () => {
    const machine = setup({ actions: { shout: emit({ type: "X" }), unused: sendParent({ type: "Y" }) } }).createMachine(
      {
        id: "order",
        entry: "shout",
        on: { A: { actions: "shout" } },
      },
    );
    const message = refusalOf(machine);
    expect(message).toContain('state "order" on entry, in action "shout", uses emit');
    expect(message).toContain('state "order" on "A", in action "shout", uses emit');
    expect(message).not.toContain("sendParent");
  });

  test("is refused for a static context that cannot be stored", () => {
    expect(refusalOf(createMachine({ id: "order", context: { items: [{ onDone: () => {} }] } }))).toContain(
      "Cannot store context.items[0].onDone: it is a function",
    );
  });

  test("is refused with all problems at once, and says where it is used", () => {
    const machine = orderWith({ invoke: { src: "charge" }, after: { 5: "paid" }, entry: emit({ type: "X" }) });
    expect(() => prepareMachine(machine, { where: 'actor "order"' })).toThrow(
      'Cannot run machine "order" (actor "order") durably: state "order.paying" invokes "charge" (invoke is not supported yet); ' +
        'state "order.paying" has a transition after "5" (after is not supported yet); state "order.paying" on entry uses emit (emit is not supported yet).',
    );
  });

  test("is refused when it is not a machine", () => {
    for (const value of [undefined, null, {}, () => {}, work]) {
      expect(() => prepareMachine(value as never, { where: 'actor "order"' })).toThrow(InvalidDefinitionError);
    }
  });

  test("is taken without an id, under XState's default", () => {
    expect(prepareMachine(createMachine({})).identity.id).toBe("(machine)");
  });
});

describe("a step", () => {
  const enqueueing = (act: (enqueue: any, args: any) => void) =>
    setup({ types: { context: {} as any }, actors: { known: work } }).createMachine({
      id: "order",
      context: { n: 0 },
      on: {
        GO: { actions: [assign({ n: 1 }), enqueueActions((args: any) => act(args.enqueue, args))] },
      },
    });

  const steps: ReadonlyArray<[string, AnyStateMachine, string]> = [
    ["emit", enqueueing((enqueue) => enqueue.emit({ type: "X" })), "it uses emit"],
    [
      "a delayed raise",
      enqueueing((enqueue) => enqueue.raise({ type: "X" }, { delay: 0 })),
      "it uses raise with a delay",
    ],
    ["cancel", enqueueing((enqueue) => enqueue.cancel("x")), "it uses cancel"],
    ["sendTo an id", enqueueing((enqueue) => enqueue.sendTo("x", { type: "X" })), "it uses sendTo"],
    ["sendTo itself", enqueueing((enqueue, { self }) => enqueue.sendTo(self, { type: "X" })), "it uses sendTo"],
    ["sendTo nobody", enqueueing((enqueue) => enqueue.sendTo(() => undefined, { type: "X" })), "it uses sendTo"],
    ["sendParent", enqueueing((enqueue) => enqueue.sendParent({ type: "X" })), "it uses sendParent"],
    ["spawnChild by name", enqueueing((enqueue) => enqueue.spawnChild("known")), 'it spawns "known"'],
    ["spawnChild by an unknown name", enqueueing((enqueue) => enqueue.spawnChild("unknown")), 'it spawns "unknown"'],
    ["spawnChild inline", enqueueing((enqueue) => enqueue.spawnChild(work)), "it uses spawn,"],
    ["stopChild", enqueueing((enqueue) => enqueue.stopChild("x")), "it uses stopChild"],
    ["an unknown action", enqueueing((enqueue) => enqueue("charge")), 'its action "charge" is not implemented'],
    [
      "spawn in an assign",
      createMachine({ id: "order", on: { GO: { actions: assign(({ spawn }) => ({ x: spawn(work) })) } } }),
      "it uses spawn,",
    ],
    [
      "self.send",
      createMachine({ id: "order", on: { GO: { actions: assign(({ self }: any) => self.send({ type: "X" })) } } }),
      'it uses self.send("X")',
    ],
    [
      "system.get",
      createMachine({ id: "order", on: { GO: { actions: assign(({ system }: any) => ({ x: system.get("x") })) } } }),
      'it uses system.get("x")',
    ],
    [
      "an endless loop of always",
      createMachine({
        id: "order",
        initial: "a",
        states: { a: { on: { GO: "b" } }, b: { always: "c" }, c: { always: "b" } },
      }),
      "does not come to rest within 1000 microsteps",
    ],
    [
      "an endless loop of raise",
      createMachine({ id: "order", on: { GO: { actions: raise({ type: "GO" }) } } }),
      "does not come to rest within 1000 microsteps",
    ],
    [
      "fewer microsteps, as the machine says",
      createMachine({ id: "order", options: { maxIterations: 7 }, on: { GO: { actions: raise({ type: "GO" }) } } }),
      "within 7 microsteps",
    ],
    [
      "a reserved event",
      createMachine({ id: "order", on: { GO: { actions: tell("x", "1", () => ({ type: "xstate.done" })) } } }),
      'Cannot tell x/1: the event type "xstate.done" is reserved',
    ],
    [
      "a bad address",
      createMachine({ id: "order", on: { GO: { actions: tell("x", () => "", { type: "X" }) } } }),
      "Cannot tell: Cannot use",
    ],
    [
      "an event without a type",
      createMachine({ id: "order", on: { GO: { actions: publish("x", () => "X" as never) } } }),
      "Cannot publish to x: the event must be an object",
    ],
  ];

  test.each(steps)("that uses %s is refused, and the state stays", (_, machine, words) => {
    const driver = prepareMachine(machine);
    const { state } = driver.create(undefined, env);
    const before = JSON.stringify(driver.toStored(state));
    expect(() => driver.step(state, { kind: "event", event: { type: "GO" } }, env)).toThrow(TerminalError);
    expect(() => driver.step(state, { kind: "event", event: { type: "GO" } }, env)).toThrow(words);
    expect(JSON.stringify(driver.toStored(state))).toBe(before);
  });

  test.each(steps)("of a new actor that uses %s is refused too", (_, machine, words) => {
    const actions: unknown = (machine.config as any).on?.GO?.actions;
    if (actions === undefined) return;
    const entering = createMachine(
      {
        id: "order",
        context: { n: 0 },
        entry: actions,
        on: machine.config.on,
        options: machine.config.options,
      } as never,
      machine.implementations as never,
    );
    const driver = prepareMachine(entering);
    expect(() => driver.create(undefined, env)).toThrow(TerminalError);
    expect(() => driver.create(undefined, env)).toThrow(words);
  });

  test("that spawns in the context function is refused", () => {
    const machine = createMachine({ id: "order", context: ({ spawn }) => ({ child: spawn(work) }) });
    expect(() => prepareMachine(machine).create(undefined, env)).toThrow("it uses spawn,");
  });

  test("keeps the reason of a refused name as its cause", () => {
    const driver = prepareMachine(createMachine({ id: "order", entry: tell(() => "no type", "1", { type: "X" }) }));
    expect(() => driver.create(undefined, env)).toThrow(
      expect.objectContaining({ cause: expect.any(InvalidNameError) }),
    );
  });

  test.each(["xstate.init", "xstate.stop", "xstate.error.actor.x", "xstate.done.state.order", "*", ""])(
    "does not take the reserved event %j",
    (type) => {
      const driver = prepareMachine(createMachine({ id: "order", on: { "*": { actions: () => {} } } }));
      const { state } = driver.create(undefined, env);
      expect(() => driver.step(state, { kind: "event", event: { type } }, env)).toThrow(TerminalError);
    },
  );
});

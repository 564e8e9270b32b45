/** What a machine may not contain is refused by name and place when it is prepared, or at the step that does it. */
import { describe, expect, test } from "vitest";
import {
  type AnyStateMachine,
  assign,
  createMachine,
  enqueueActions,
  fromPromise,
  not,
  raise,
  sendTo,
  setup,
  spawnChild,
} from "xstate";
import { InvalidDefinitionError, InvalidNameError, TerminalError } from "../../runtime/core/errors.ts";
import { publish, tell } from "../../runtime/machine/actions.ts";
import { prepareMachine } from "../../runtime/machine/prepare-machine.ts";

const env = { self: { type: "order", id: "42" }, now: 0 };
const work = fromPromise(async () => 1);
const unnamed = fromPromise(async () => 2);

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
      "invoke of an unknown name",
      { invoke: { src: "charge" } },
      'state "order.paying" invokes the actor "charge", which is not implemented',
    ],
    [
      "invoke of what is no logic",
      { invoke: [{ src: work }, { src: { transition: () => ({}) } }] },
      'state "order.paying" invokes actor 2 of its invoke, whose logic is none that could be kept',
    ],
    ["after an unknown delay", { after: { soon: "paid" } }, 'has a transition after the delay "soon", which is not'],
    ["route", { id: "pay", route: {} }, 'state "order.paying" has a route'],
    [
      "raise after an unknown delay",
      { entry: raise({ type: "X" }, { delay: "soon" } as never) },
      'state "order.paying" on entry names the delay "soon", which is not implemented',
    ],
    [
      "sendTo after an unknown delay",
      { exit: sendTo("x", { type: "X" }, { delay: "soon" } as never) },
      'state "order.paying" on exit names the delay "soon"',
    ],
    [
      "spawnChild of an unknown name",
      { entry: [() => {}, spawnChild("x")] },
      'on entry spawns the actor "x", which is',
    ],
    [
      "an initial transition that spawns an unknown name",
      { initial: { target: "card", actions: spawnChild("x") }, states: { card: {} } },
      "on its initial transition spawns the actor",
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

  test("is refused for a named action that does what cannot be done, at each place that names it", () => {
    const machine = setup({
      actions: { start: spawnChild("nobody" as never), unused: spawnChild("nothing" as never) },
    }).createMachine({ id: "order", entry: "start", on: { A: { actions: "start" } } });
    const message = refusalOf(machine);
    expect(message).toContain('state "order" on entry, in action "start", spawns the actor "nobody"');
    expect(message).toContain('state "order" on "A", in action "start", spawns the actor "nobody"');
    expect(message).not.toContain("nothing");
  });

  test("is refused for what is wrong in the machine of a child, and says which child", () => {
    const child = createMachine({ id: "child", entry: "missing" });
    expect(refusalOf(orderWith({ invoke: { src: "pay" } }, { actors: { pay: child } }))).toContain(
      'Cannot run machine "child" ("pay" in machine "order") durably: state "child" on entry names the action "missing"',
    );
  });

  test("is refused for a static context that cannot be stored", () => {
    expect(refusalOf(createMachine({ id: "order", context: { items: [{ onDone: () => {} }] } }))).toContain(
      "Cannot store context.items[0].onDone: it is a function",
    );
  });

  test("is refused with all problems at once, and says where it is used", () => {
    const machine = orderWith({ invoke: { src: "charge" }, after: { soon: "paid" }, entry: "shout" });
    expect(() => prepareMachine(machine, { where: 'actor "order"' })).toThrow(
      'Cannot run machine "order" (actor "order") durably: state "order.paying" invokes the actor "charge", which is not implemented; ' +
        'state "order.paying" has a transition after the delay "soon", which is not implemented; ' +
        'state "order.paying" on entry names the action "shout", which is not implemented.',
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
    ["emit without a type", enqueueing((enqueue) => enqueue.emit({})), "the event must be an object"],
    [
      "an endless delay",
      enqueueing((enqueue) => enqueue.raise({ type: "X" }, { delay: Number.POSITIVE_INFINITY })),
      "its delay is Infinity",
    ],
    ["sendTo an id", enqueueing((enqueue) => enqueue.sendTo("x", { type: "X" })), 'it sends to its child "x"'],
    ["sendTo what is no actor", enqueueing((enqueue) => enqueue.sendTo({}, { type: "X" })), "the target is no actor"],
    [
      "a reserved event for itself",
      enqueueing((enqueue, { self }) => enqueue.sendTo(self, { type: "xstate.x" })),
      "is reserved",
    ],
    ["sendParent", enqueueing((enqueue) => enqueue.sendParent({ type: "X" })), "it sends to its parent, and has none"],
    [
      "spawnChild by an unknown name",
      enqueueing((enqueue) => enqueue.spawnChild("unknown")),
      'it starts the actor "unknown"',
    ],
    ["spawnChild inline", enqueueing((enqueue) => enqueue.spawnChild(unnamed)), "actor logic that has no name"],
    ["an unknown action", enqueueing((enqueue) => enqueue("charge")), 'its action "charge" is not implemented'],
    [
      "spawn in an assign",
      createMachine({ id: "order", on: { GO: { actions: assign(({ spawn }) => ({ x: spawn(unnamed) })) } } }),
      "actor logic that has no name",
    ],
    [
      "self.send",
      createMachine({ id: "order", on: { GO: { actions: assign(({ self }: any) => self.send({ type: "X" })) } } }),
      'Cannot send "X" to order/42 here',
    ],
    [
      "self.getSnapshot",
      createMachine({ id: "order", on: { GO: { actions: assign(({ self }: any) => self.getSnapshot()) } } }),
      "Cannot read the snapshot of order/42",
    ],
    [
      "system.get of nobody",
      createMachine({ id: "order", on: { GO: { actions: assign(({ system }: any) => ({ x: system.get("x") })) } } }),
      'no actor has the system id "x"',
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

  test("that spawns what has no name in the context function is refused", () => {
    const machine = createMachine({ id: "order", context: ({ spawn }) => ({ child: spawn(unnamed) }) });
    expect(() => prepareMachine(machine).create(undefined, env)).toThrow("actor logic that has no name");
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

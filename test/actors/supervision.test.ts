import { describe, expect, it } from "vitest";
import { createMachine, fromCallback, fromPromise, fromTransition, raise, sendTo, setup, spawnChild } from "xstate";
import { z } from "zod";
import { defineActor } from "../../actors/define-actor.ts";
import type { InvalidOptionsError } from "../../runtime/core/errors.ts";
import { activitiesOf } from "../../runtime/engine/activities.ts";
import { prepareMachine } from "../../runtime/machine/prepare-machine.ts";

const card = createMachine({ id: "card", initial: "idle", states: { idle: { on: { CHARGE: "busy" } }, busy: {} } });
const payment = setup({ actors: { card, call: fromPromise(async () => 1) } }).createMachine({
  id: "payment",
  on: { "*": {} },
});
const order = setup({
  types: {} as { events: { type: "PAY"; sum: number } | { type: "CANCEL" } },
  actors: {
    payment,
    count: fromTransition((n: number) => n, 0),
    charge: fromPromise(async () => 1),
    ticker: fromCallback(() => {}),
  },
}).createMachine({
  id: "order",
  initial: "open",
  states: { open: { after: { 1000: "late" }, on: { PAY: "late" } }, late: { on: { CANCEL: {} } } },
});

const payload = { PAY: z.object({ sum: z.number() }), CANCEL: null };

function problemsOf(options: object): readonly string[] {
  try {
    defineActor("order", { machine: order, ...options } as never);
  } catch (error) {
    return (error as InvalidOptionsError).details.problems as readonly string[];
  }
  return [];
}

describe("supervision of messages", () => {
  it("is the default where nothing is said", () => {
    const { supervision, restart } = defineActor("order", { machine: order });
    expect(supervision("PAY")).toEqual({ retry: supervision(undefined).retry, order: "hold", onExhausted: "skip" });
    expect(supervision(undefined).retry.maxAttempts).toBe(5);
    expect(restart(["payment"])).toBeUndefined();
  });

  it("is overridden by event type, and what an override leaves out is the actor's", () => {
    const { supervision } = defineActor("order", {
      machine: order,
      events: payload,
      retry: { maxAttempts: 7 },
      onExhausted: "park",
      overrides: { PAY: { retry: "never", order: "overtake" }, CANCEL: { onExhausted: "stop" } },
    });
    const own = supervision(undefined);
    expect(own).toMatchObject({ retry: { maxAttempts: 7 }, order: "hold", onExhausted: "park" });
    expect(supervision("PAY")).toMatchObject({ retry: { maxAttempts: 1 }, order: "overtake", onExhausted: "park" });
    expect(supervision("CANCEL")).toEqual({ ...own, onExhausted: "stop" });
    for (const other of ["toString", "xstate.after.1000.order.open"]) expect(supervision(other)).toBe(own);
  });

  it("may be that of a timer's event, and of events that children take", () => {
    const overrides = {
      "xstate.after.1000.order.open": { retry: "never" },
      CHARGE: { retry: "never" },
    } as const;
    expect(problemsOf({ overrides, events: payload })).toEqual([]);
    const { supervision } = defineActor("order", { machine: order, overrides: overrides as object });
    for (const event of Object.keys(overrides)) expect(supervision(event).retry.maxAttempts).toBe(1);
  });

  it("is refused for events that the actor never takes, with the nearest that it takes", () => {
    const machine = createMachine({ on: { PAY: {}, "money.*": {} } });
    const overrides = { PAYS: { retry: "never" }, "money.in": { retry: "never" }, "money.*": { retry: "never" } };
    expect(problemsOf({ machine, overrides })).toEqual([
      'overrides.PAYS is for an event that the actor never takes: did you mean "PAY"?',
    ]);
    expect(problemsOf({ machine, events: { PAY: z.object({}) }, overrides })).toEqual([
      'overrides.PAYS is for an event that the actor never takes: did you mean "PAY"?',
      'overrides["money.in"] is for an event that the actor never takes: use "PAY"',
      'overrides["money.*"] is for an event that the actor never takes: use "PAY"',
    ]);
    expect(problemsOf({ machine: createMachine({ on: { "*": {} } }), overrides })).toEqual([]);
    expect(problemsOf({ machine: createMachine({}), overrides: { PAY: { retry: "never" } } })).toEqual([
      "overrides.PAY is for an event that the actor never takes: it takes none",
    ]);
  });

  it("is refused with all problems at once", () => {
    expect(
      problemsOf({
        retry: "nevr",
        order: "hld",
        onExhausted: true,
        overrides: { PAY: {}, CANCEL: { order: "overtak", rety: 3, retry: { maxAttempts: 0 } }, CANCELED: 3 },
        children: [],
        migrate: 3,
      }),
    ).toEqual([
      'retry is "nevr": did you mean "never"?',
      'order is "hld": did you mean "hold"?',
      'onExhausted is true: use "skip", "park" or "stop"',
      "overrides.PAY has no effect: give it retry, order or onExhausted, or leave it out",
      'overrides.CANCEL.rety is not an option: did you mean "retry"?',
      "overrides.CANCEL.retry.maxAttempts is 0: use a whole number from 1 (the first attempt counts), or Infinity",
      'overrides.CANCEL.order is "overtak": did you mean "overtake"?',
      'overrides.CANCELED is for an event that the actor never takes: did you mean "CANCEL"?',
      "overrides.CANCELED is 3: use { retry, order, onExhausted }",
      "children is []: use { restart } by the name of actor logic",
      expect.stringMatching(/^migrate is 3: use functions/),
    ]);
    expect(problemsOf({ overrides: "PAY" })).toEqual([
      'overrides is "PAY": use { retry, order, onExhausted } by event type',
    ]);
  });

  it("is typed by the machine's events", () => {
    // @ts-expect-error there is no such event
    expect(() => defineActor("order", { machine: order, overrides: { PAYS: { retry: "never" } } })).toThrow();
    // @ts-expect-error there is no such event, with schemas
    expect(() => defineActor("order", { machine: order, events: payload, overrides: { PAYS: {} } })).toThrow();
    // @ts-expect-error there is no such order
    expect(() => defineActor("order", { machine: order, overrides: { PAY: { order: "later" } } })).toThrow();
    defineActor("loose", { machine: createMachine({ on: { ANY: {} } }), overrides: { ANY: { order: "overtake" } } });
  });
});

describe("restart of children", () => {
  const children = {
    payment: { restart: { maxAttempts: 3 } },
    "payment.card": { restart: "immediate" },
    count: { restart: "never" },
  } as const;

  it("is found by the names that lead to the child", () => {
    const { restart } = defineActor("order", { machine: order, children });
    expect(restart(["payment"])?.maxAttempts).toBe(3);
    expect(restart(["payment", "card"])?.maxAttempts).toBe(5);
    for (const path of [[], ["count"], ["card"], ["payment", "call"], ["charge"], ["nobody"]]) {
      expect(restart(path)).toBeUndefined();
    }
  });

  it("is the same however often a machine stands among its own children", () => {
    const looped: Record<string, unknown> = {};
    const machine = createMachine({ id: "task" }, { actors: looped as never });
    const inner = createMachine({ id: "step" }, { actors: { task: machine } });
    Object.assign(machine.implementations.actors, { step: inner });
    const { restart } = defineActor("task", { machine, children: { step: { restart: { maxAttempts: 9 } } } });
    expect(restart(["step"])?.maxAttempts).toBe(9);
    expect(restart(["step", "task", "step"])?.maxAttempts).toBe(9);
    expect(restart(["step", "task"])).toBeUndefined();
  });

  it("is refused for what is no child actor, with the reason or the nearest name", () => {
    const restart = { restart: "immediate" };
    expect(
      problemsOf({
        children: {
          paymnt: restart,
          "payment.cards": restart,
          zebra: restart,
          charge: restart,
          "payment.call": restart,
          ticker: restart,
          payment: { restart: "immediatly" },
          count: {},
          "payment.card": "immediate",
        },
      }),
    ).toEqual([
      'children.paymnt names no actor logic of the machine: did you mean "payment"?',
      'children["payment.cards"] names no actor logic of the machine: did you mean "payment.card"?',
      'children.zebra names no actor logic of the machine: use "payment", "payment.card" or "count"',
      expect.stringMatching(/^children.charge is promise logic, which is an activity: .* retry of its defineActivity$/),
      expect.stringMatching(/^children\["payment.call"\] is promise logic/),
      expect.stringMatching(/^children.ticker is callback or observable logic/),
      'children.payment.restart is "immediatly": did you mean "immediate"?',
      "children.count has no effect: give it restart, or leave it out",
      'children["payment.card"] is "immediate": use { restart }',
    ]);
    expect(problemsOf({ machine: card, children: { any: restart } })).toEqual([
      "children.any names no actor logic of the machine: the machine has no child actors",
    ]);
  });
});

describe("delivery", () => {
  const plain = createMachine({ on: { READ: {}, LOG: {} } });

  it("is effectively-once by default, and at-most-once has one attempt unless a policy says more", () => {
    expect(defineActor("gauge", { machine: plain }).delivery).toBe("effectively-once");
    const { delivery, supervision } = defineActor("gauge", {
      machine: plain,
      delivery: "at-most-once",
      order: "hold",
      onExhausted: "skip",
      overrides: { LOG: { retry: "immediate" } },
    });
    expect(delivery).toBe("at-most-once");
    expect(supervision("READ").retry.maxAttempts).toBe(1);
    expect(supervision("LOG").retry.maxAttempts).toBe(5);
    expect(problemsOf({ delivery: "at-most-onec" })).toEqual([
      'delivery is "at-most-onec": did you mean "at-most-once"?',
    ]);
    // @ts-expect-error there is no such delivery
    expect(() => defineActor("gauge", { machine: plain, delivery: "exactly-once" })).toThrow();
  });

  it("at-most-once refuses options that need something stored", () => {
    const why = 'needs a state record, which there is none of with delivery "at-most-once"';
    expect(
      problemsOf({
        machine: plain,
        delivery: "at-most-once",
        order: "overtake",
        overrides: { LOG: { onExhausted: "park" }, READ: { onExhausted: "stop", order: "overtake" } },
        children: {},
        input: z.object({}),
        migrate: {},
      }),
    ).toEqual([
      `children ${why}: leave it out`,
      `order "overtake" ${why}: leave it out`,
      `overrides.LOG.onExhausted "park" ${why}: leave it out`,
      `overrides.READ.order "overtake" ${why}: leave it out`,
      `overrides.READ.onExhausted "stop" ${why}: leave it out`,
      'input is a schema, and what a create makes is forgotten with delivery "at-most-once": use a function of the id',
      'migrate has no effect with delivery "at-most-once": leave it out',
    ]);
  });

  it("at-most-once refuses machines with invocations, spawned actors and delays, and names the places", () => {
    const machine = setup({
      actors: { card },
      actions: { later: raise({ type: "TICK" }, { delay: 100 }), now: raise({ type: "TICK" }) },
    }).createMachine({
      id: "gauge",
      initial: "idle",
      states: {
        idle: { after: { 1000: "busy" }, exit: "later", entry: "now" },
        busy: {
          invoke: { src: "card" },
          on: {
            GO: { actions: sendTo("card", { type: "CHARGE" }, { delay: 5 }) },
            SPAWN: { actions: spawnChild("card") },
          },
        },
      },
    });
    const why = 'which needs a state record, which there is none of with delivery "at-most-once"';
    expect(problemsOf({ machine, delivery: "at-most-once" })).toEqual([
      `state "gauge.idle" has a transition after 1000, ${why}`,
      `state "gauge.idle" on exit sends an event with a delay, ${why}`,
      `state "gauge.busy" invokes an actor, ${why}`,
      `state "gauge.busy" on "GO" sends an event with a delay, ${why}`,
      `state "gauge.busy" on "SPAWN" spawns an actor, ${why}`,
    ]);
    expect(problemsOf({ machine })).toEqual([]);
  });
});

it("options are told before what the machine cannot do durably, and names are not looked at in a machine that cannot run", () => {
  const machine = createMachine({ invoke: { src: "nobody" } });
  expect(problemsOf({ machine, retry: 3, children: { any: { restart: "never" } } })).toEqual([
    expect.stringMatching(/^retry is 3/),
  ]);
  expect(() => defineActor("order", { machine, children: { any: { restart: "never" } } })).toThrow(
    expect.objectContaining({ _tag: "InvalidDefinitionError" }),
  );
});

it("a way through a machine that stands among its own children leads to the same activity each time", () => {
  const call = fromPromise(async () => 1);
  const machine = setup({ actors: { call, inner: createMachine({}) } }).createMachine({ id: "outer" });
  Object.assign(machine.implementations.actors, { inner: machine });
  const { activity } = activitiesOf("order", prepareMachine(machine));
  expect(activity(["inner", "inner", "call"])?.name).toBe("order.call");
  expect(activity(["inner"])).toBeUndefined();
});

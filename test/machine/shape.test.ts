/** A machine's shape is plain data of bounded size, and what changes from one to the next is said in words. */
import { describe, expect, test } from "vitest";
import { createMachine, fromPromise, setup } from "xstate";
import { identify } from "../../runtime/machine/fingerprint.ts";
import { shapeOf } from "../../runtime/machine/shape.ts";
import { describeChanges } from "../../runtime/machine/shape-changes.ts";

const machineOf = (config: object) => createMachine({ id: "order", ...config } as never);
const order = {
  initial: "open",
  states: {
    open: { on: { PAY: "paying", CANCEL: "cancelled" }, after: { 60000: "cancelled" } },
    paying: {
      initial: "card",
      states: { card: { on: { NEXT: "cash" } }, cash: {}, back: { type: "history" } },
      onDone: "paid",
    },
    paid: { type: "final" },
    cancelled: { type: "final" },
  },
};

/** What is said when a change is made to a copy of the order machine. */
function changesAfter(change: (config: any) => void): string[] {
  const config = structuredClone(order);
  change(config);
  return describeChanges(shapeOf(machineOf(order)), shapeOf(machineOf(config)));
}

describe("a shape", () => {
  test("says of each state what the fingerprint covers, and survives JSON", () => {
    const shape = shapeOf(machineOf(order));
    expect(JSON.parse(JSON.stringify(shape))).toEqual(shape);
    expect(shape.states).toEqual({
      order: { type: "compound", initial: ["order.open"] },
      "order.open": {
        on: { CANCEL: [{ to: ["order.cancelled"] }], PAY: [{ to: ["order.paying"] }] },
        after: { 60000: [{ to: ["order.cancelled"] }] },
      },
      "order.paying": {
        type: "compound",
        initial: ["order.paying.card"],
        on: { "xstate.done.state.order.paying": [{ to: ["order.paid"] }] },
      },
      "order.paying.card": { on: { NEXT: [{ to: ["order.paying.cash"] }] } },
      "order.paying.cash": {},
      "order.paying.back": { type: "history", history: "shallow" },
      "order.paid": { type: "final" },
      "order.cancelled": { type: "final" },
    });
  });

  test("is the same for the same tree, in whatever order it is written", () => {
    const reordered = {
      states: Object.fromEntries(Object.entries(order.states).reverse()),
      initial: "open",
    };
    expect(JSON.stringify(shapeOf(machineOf(reordered)))).toBe(JSON.stringify(shapeOf(machineOf(order))));
  });

  test("names two states apart whose keys would give the same way", () => {
    const shape = shapeOf(
      machineOf({ type: "parallel", states: { "a.b": { id: "x" }, a: { initial: "b", states: { b: {} } } } }),
    );
    expect(Object.keys(shape.states)).toEqual(["order", "order.a", "order.a.b", "order.a\\.b"]);
    expect(shape.states["order.a\\.b"]).toEqual({ id: "x" });
  });

  test("holds the machines among the actor logic, also where they name each other", () => {
    const kid = createMachine({ id: "kid", version: "3", initial: "x", states: { x: {} } });
    const parent: any = setup({ actors: { kid, load: fromPromise(async () => 1) } }).createMachine({ id: "parent" });
    kid.implementations.actors = { parent } as never;
    const { actors } = shapeOf(parent);
    expect(actors?.load).toBeNull();
    expect(actors?.kid?.machine).toEqual(identify(kid));
    expect(actors?.kid?.shape?.states["kid.x"]).toEqual({});
    expect(actors?.kid?.shape?.actors).toEqual({ parent: { machine: identify(parent) } });
  });

  test("takes at most 64 KB, and counts what it leaves out", () => {
    const many = (count: number) =>
      machineOf({
        type: "parallel",
        states: Object.fromEntries(Array.from({ length: count }, (_, i) => [`s${i}`, {}])),
      });
    const shape = shapeOf(many(10_000));
    expect(JSON.stringify(shape).length).toBeLessThanOrEqual(65_536);
    expect(Object.keys(shape.states).length + (shape.leftOut as number)).toBe(10_001);
    expect(shapeOf(many(100)).leftOut).toBeUndefined();
  });
});

describe("changes are told in words:", () => {
  test("none for the same machine", () => {
    expect(changesAfter(() => {})).toEqual([]);
  });

  test.each<[string, (config: any) => void, string[]]>([
    [
      "a state that is gone, with what led there",
      ({ states }) => {
        delete states.cancelled;
        delete states.open.after;
        delete states.open.on.CANCEL;
      },
      [
        "state order.cancelled is gone",
        "event CANCEL in order.open is gone, it led to order.cancelled",
        "the delay of 60000 ms in order.open is gone, it led to order.cancelled",
      ],
    ],
    [
      "the outermost of nested states that are new",
      ({ states }) => {
        states.shipping = { initial: "a", states: { a: {}, b: {} } };
      },
      ["state order.shipping is new"],
    ],
    [
      "an event that leads elsewhere",
      ({ states }) => {
        states.open.on.CANCEL = "paid";
      },
      ["event CANCEL in order.open leads to order.paid now, it led to order.cancelled"],
    ],
    [
      "an event that is new, with guards and without a target",
      ({ states }) => {
        states.open.on["pay.*"] = [{ guard: () => true, target: "paid" }, { reenter: true, target: "open" }, {}];
      },
      ["event pay.* in order.open is new, and leads to order.paid or order.open (entered anew) or stays there"],
    ],
    [
      "the end of a state",
      ({ states }) => {
        states.paying.onDone = "cancelled";
      },
      ["the end of order.paying leads to order.cancelled now, it led to order.paid"],
    ],
    [
      "a delay",
      ({ states }) => {
        states.open.after = { TOO_LONG: "cancelled" };
      },
      [
        "the delay of 60000 ms in order.open is gone, it led to order.cancelled",
        "the delay TOO_LONG in order.open is new, and leads to order.cancelled",
      ],
    ],
    [
      "a transition without an event",
      ({ states }) => {
        states.paying.states.cash.always = { target: "#order.paid" };
      },
      ["the transition without an event of order.paying.cash is new, and leads to order.paid"],
    ],
    [
      "the first state",
      ({ states }) => {
        states.paying.initial = "cash";
      },
      ["state order.paying begins in order.paying.cash now, it began in order.paying.card"],
    ],
    [
      "the type, and all that was in it",
      ({ states }) => {
        states.paying = { type: "final" };
      },
      [
        "state order.paying is final now, it was compound",
        "the end of order.paying is gone, it led to order.paid",
        "state order.paying.back is gone",
        "state order.paying.card is gone",
        "state order.paying.cash is gone",
      ],
    ],
    [
      "history",
      ({ states }) => {
        Object.assign(states.paying.states.back, { history: "deep", target: "cash" });
      },
      [
        "history state order.paying.back is deep now, it was shallow",
        "history state order.paying.back leads to cash when nothing is remembered, it led to nothing",
      ],
    ],
    [
      "an id",
      ({ states }) => {
        states.cancelled.id = "off";
      },
      ['state order.cancelled has the id "off" now, it had "order.cancelled"'],
    ],
    [
      "what is invoked",
      ({ states }) => {
        states.open.invoke = [
          { src: "load", onDone: "paid" },
          { src: "watch", id: "w", onError: {} },
          { src: () => {} },
        ];
      },
      [
        'a failure of "w" in order.open is new, and stays there',
        "the end of invocation 1 in order.open is new, and leads to order.paid",
        'state order.open invokes "load" now',
        'state order.open invokes "watch" as "w" now',
        "state order.open invokes logic that is defined inline now",
      ],
    ],
  ])("%s", (_, change, words) => {
    expect([...changesAfter(change)].sort()).toEqual([...words].sort());
  });

  test("an invocation that has other logic, or is gone", () => {
    const invoking = (...invoke: object[]) => shapeOf(machineOf({ invoke }));
    expect(describeChanges(invoking({ id: "a", src: "x" }, { src: "b" }), invoking({ id: "a", src: "y" }))).toEqual([
      'state order invokes "y" as "a" now, it invoked "x" as "a"',
      'state order does not invoke "b" any more',
    ]);
  });

  test("actor logic that came, went, or is a machine now", () => {
    const naming = (actors: object) => shapeOf(setup({ actors: actors as never }).createMachine({ id: "order" }));
    const [promise, machine] = [fromPromise(async () => 1), createMachine({ id: "kid" })];
    expect(
      describeChanges(naming({ a: promise, b: promise, d: machine }), naming({ b: machine, c: promise, d: promise })),
    ).toEqual([
      'actor logic "a" is gone',
      'actor logic "b" is a machine now',
      'actor logic "c" is new',
      'actor logic "d" is no machine any more',
    ]);
  });

  test("what was too large to be kept, and nothing about it", () => {
    const large = (count: number, last: string) =>
      shapeOf(
        machineOf({
          type: "parallel",
          states: Object.fromEntries([
            ...Array.from({ length: count }, (_, i) => [`s${i}`.padEnd(40, "x"), {}]),
            [last, {}],
          ]),
        }),
      );
    const changes = describeChanges(large(3000, "zzz"), large(3001, "zzy"));
    expect(changes.filter((text) => text.startsWith("state "))).toEqual([]);
    expect(changes.at(-1)).toMatch(/^states behind order\.s\S+ are too many to be compared$/);
    expect(describeChanges(large(2, "zzz"), large(2, "zzy"))).toEqual([
      "state order.zzy is new",
      "state order.zzz is gone",
    ]);
  });
});

test("the fingerprint covers what is invoked", () => {
  const of = (invoke: object[]) => identify(machineOf({ invoke })).fingerprint;
  expect(new Set([of([]), of([{ src: "a" }]), of([{ src: "b" }]), of([{ src: "a", id: "x" }])]).size).toBe(4);
  expect(of([])).toBe(identify(machineOf({})).fingerprint);
});

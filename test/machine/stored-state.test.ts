/** A stored state comes back as it was, or is refused in words that say what does not fit. */
import { describe, expect, test } from "vitest";
import { assign, createMachine } from "xstate";
import { CorruptRecordError, NotStorableError } from "../../runtime/core/errors.ts";
import { prepareMachine } from "../../runtime/machine/prepare-machine.ts";

const env = { self: { type: "order", id: "42" }, now: 0 };

const order = createMachine({
  id: "order",
  context: { n: 0 },
  initial: "open",
  states: {
    open: { tags: "editable", on: { PAY: "paying", BREAK: { actions: assign({ n: (() => () => {}) as never }) } } },
    paying: {
      initial: "card",
      states: { card: { on: { NEXT: "cash" } }, cash: {}, back: { type: "history" } },
      on: { STOP: "open", DONE: "paid" },
    },
    both: { type: "parallel", states: { x: { initial: "p", states: { p: {} } }, y: {} } },
    paid: { type: "final" },
  },
  output: { ok: true, at: new Date(5) },
});
const driver = prepareMachine(order);

function play(...types: string[]) {
  let { state } = driver.create(undefined, env);
  for (const type of types) state = driver.step(state, { kind: "event", event: { type } }, env).state;
  return state;
}

describe("storing", () => {
  test("keeps value, context and tags, and nothing that is empty", () => {
    expect(driver.toStored(play())).toEqual({ value: "open", context: { n: 0 }, tags: ["editable"] });
  });

  test("keeps what history remembers", () => {
    const stored = driver.toStored(play("PAY", "NEXT", "STOP"));
    expect(stored.history).toEqual({ "order.paying.back": ["order.paying.cash"] });
    const restored = driver.fromStored(JSON.parse(JSON.stringify(stored)), "active");
    expect(driver.toStored(restored)).toEqual(stored);
  });

  test("keeps status and output of a machine that is done", () => {
    const state = play("PAY", "DONE");
    const stored = driver.toStored(state);
    const restored = driver.fromStored(JSON.parse(JSON.stringify(stored)), "done");
    expect(driver.view(restored)).toEqual({ status: "done", value: "paid" });
    expect(driver.toStored(restored)).toEqual(stored);
    expect((restored as unknown as { snapshot: { output: unknown } }).snapshot.output).toEqual({
      ok: true,
      at: new Date(5),
    });
  });

  test("keeps the error of a machine that has failed", () => {
    const restored = driver.fromStored(
      { ...driver.toStored(play()), error: { "~": "error", v: { name: "Error", message: "x" } } },
      "error",
    );
    expect(driver.view(restored).status).toBe("error");
    expect((restored as unknown as { snapshot: { error: Error } }).snapshot.error.message).toBe("x");
    expect(driver.step(restored, { kind: "event", event: { type: "PAY" } }, env).outcome).toBe("ignored");
  });

  test("refuses a context that cannot be stored, with the path", () => {
    expect(() => driver.toStored(play("BREAK"))).toThrow(NotStorableError);
    expect(() => driver.toStored(play("BREAK"))).toThrow("Cannot store context.n: it is a function");
  });
});

describe("restoring", () => {
  test.each([
    [
      "a state that is gone",
      { value: "shipped" },
      'Cannot restore a state of machine "order" at "shipped": state "order" has no state "shipped" any more.',
    ],
    [
      "a nested state that is gone",
      { value: { paying: "cheque" } },
      'state "order.paying" has no state "cheque" any more',
    ],
    [
      "a region that is gone",
      { value: { both: { x: "p", y: {}, z: {} } } },
      'state "order.both" has no state "z" any more',
    ],
    ["a region that is new", { value: { both: { x: "p" } } }, 'state "order.both" has a region "y" now'],
    ["nested states that are new", { value: "paying" }, 'state "order.paying" has nested states now'],
    ["nested states that are gone", { value: { open: "draft" } }, 'state "order.open" has no nested states any more'],
    ["a history state", { value: { paying: "back" } }, 'has no state "back" any more'],
    ["an inherited name", { value: "constructor" }, 'has no state "constructor" any more'],
    [
      "two states at once",
      { value: { both: { x: "p", y: {} }, paying: "card" } },
      "must have exactly one active state",
    ],
    ["no value", { value: null }, 'state "order" cannot have the value null'],
    ["a context that is none", { context: "n" }, "its context is not an object"],
    ["a damaged context", { context: { at: { "~": "date", v: "?" } } }, 'the tag "date" does not fit its content'],
    [
      "a history that is gone",
      { history: { "order.paying.back": ["order.paying.cheque"] } },
      'its history remembers state "order.paying.cheque", which does not exist any more',
    ],
  ])("refuses %s", (_, change, words) => {
    const stored = { ...driver.toStored(play()), ...change };
    expect(() => driver.fromStored(stored as never, "active")).toThrow(CorruptRecordError);
    expect(() => driver.fromStored(stored as never, "active")).toThrow(words);
  });

  test("forgets the history of a history state that is gone", () => {
    const stored = { ...driver.toStored(play()), history: { "order.gone": ["order.open"], __proto__x: ["order"] } };
    expect(driver.toStored(driver.fromStored(stored, "active")).history).toBeUndefined();
  });

  test("keeps an actor active where its state has become final", () => {
    expect(driver.view(driver.fromStored({ value: "paid", context: {} }, "active")).status).toBe("active");
  });
});

describe("the identity", () => {
  const base = {
    id: "order",
    version: "2",
    initial: "a",
    states: { a: { on: { GO: "b", BACK: "a" } }, b: {} },
  } as const;
  const identityOf = (config: object) => prepareMachine(createMachine(config as never)).identity;

  test("names the machine and its version", () => {
    expect(identityOf(base)).toMatchObject({ id: "order", version: "2" });
    expect(identityOf({ id: "x" })).not.toHaveProperty("version");
  });

  test("stays the same for ever for the same structure", () => {
    // Stored with every state: this literal may only change together with a way to read old records.
    expect(identityOf(base).fingerprint).toBe("623eb845abc6f6a3");
  });

  test("does not depend on the order of keys, nor on actions, guards, context, tags and meta", () => {
    const same = {
      states: {
        b: { tags: "x", meta: { a: 1 } },
        a: {
          entry: () => {},
          on: { BACK: { target: "a", guard: () => true }, GO: { target: "b", actions: () => {} } },
        },
      },
      context: { n: 1 },
      initial: "a",
      id: "order",
    };
    expect(identityOf(same).fingerprint).toBe(identityOf(base).fingerprint);
  });

  test.each([
    ["a state is added", { ...base, states: { ...base.states, c: {} } }],
    ["a state is renamed", { ...base, states: { a: { on: { GO: "c", BACK: "a" } }, c: {} } }],
    ["a state becomes final", { ...base, states: { ...base.states, b: { type: "final" } } }],
    ["the initial state changes", { ...base, initial: "b" }],
    ["an event is renamed", { ...base, states: { ...base.states, a: { on: { RUN: "b", BACK: "a" } } } }],
    ["a target changes", { ...base, states: { ...base.states, a: { on: { GO: "a", BACK: "a" } } } }],
    [
      "a transition becomes reentering",
      { ...base, states: { ...base.states, a: { on: { GO: "b", BACK: { target: "a", reenter: true } } } } },
    ],
    [
      "an eventless transition is added",
      { ...base, states: { ...base.states, b: { always: { target: "a", guard: () => false } } } },
    ],
    ["a history state is added", { ...base, states: { ...base.states, h: { type: "history" } } }],
    ["an id changes", { ...base, states: { ...base.states, b: { id: "bee" } } }],
  ])("changes when %s", (_, config) => {
    expect(identityOf(config).fingerprint).not.toBe(identityOf(base).fingerprint);
  });
});

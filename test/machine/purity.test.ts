/** A step is a function of its arguments: the state given to it stays as it is, and no two actors share anything. */
import { describe, expect, test } from "vitest";
import { assign, createActor, createMachine, enqueueActions, raise, setup } from "xstate";
import { RetryableError } from "../../runtime/core/errors.ts";
import type { MachineState } from "../../runtime/machine/driver.ts";
import { prepareMachine } from "../../runtime/machine/prepare-machine.ts";
import { specimens } from "./machines.ts";

const env = { self: { type: "order", id: "42" }, now: 0 };
const contextOf = (state: MachineState): any =>
  (state as unknown as { snapshot: { context: unknown } }).snapshot.context;

describe.each(specimens)("$name", ({ machine, events, input }) => {
  test("gives equal results when a step is taken twice, and leaves its state unchanged", () => {
    const driver = prepareMachine(machine);
    let { state } = driver.create(input, env);
    for (let round = 0; round < 40; round++) {
      const event = events[(round * 7) % events.length] as { type: string };
      const before = JSON.stringify(driver.toStored(state));
      const first = driver.step(state, { kind: "event", event }, env);
      const second = driver.step(state, { kind: "event", event }, env);
      expect(driver.toStored(first.state)).toStrictEqual(driver.toStored(second.state));
      expect(first.work.map(({ kind }) => kind)).toEqual(second.work.map(({ kind }) => kind));
      expect(JSON.stringify(driver.toStored(state))).toBe(before);
      state = first.state;
    }
  });
});

describe("a context", () => {
  test("is not shared between actors, though the machine gives it as an object", () => {
    const shared = { list: [] as number[], map: new Map<string, number>() };
    const machine = createMachine({
      id: "order",
      context: shared,
      entry: ({ context }) => context.list.length,
      on: { ADD: { actions: assign({ list: ({ context }) => [...context.list, 1] }) } },
    });
    const driver = prepareMachine(machine);
    const one = driver.create(undefined, env).state;
    const other = driver.create(undefined, env).state;
    expect(contextOf(one)).toStrictEqual(contextOf(other));
    expect(contextOf(one).list).not.toBe(contextOf(other).list);
    expect(Object.isFrozen(shared.list)).toBe(false);
  });

  test("cannot be changed in place by an assign, which fails instead of leaking", () => {
    const machine = createMachine({
      id: "order",
      context: { n: 0, deep: { list: [1] }, map: new Map([["a", { b: 1 }]]), set: new Set([1]) },
      on: {
        FIELD: {
          actions: assign(({ context }) => {
            context.n++;
            return {};
          }),
        },
        ITEM: {
          actions: assign(({ context }) => {
            context.deep.list.push(2);
            return {};
          }),
        },
        MAP: {
          actions: assign(({ context }) => {
            context.map.set("x", { b: 2 });
            return {};
          }),
        },
        IN_MAP: {
          actions: assign(({ context }) => {
            (context.map.get("a") as { b: number }).b = 2;
            return {};
          }),
        },
        SET: {
          actions: assign(({ context }) => {
            context.set.clear();
            return {};
          }),
        },
      },
    });
    const driver = prepareMachine(machine);
    const made = driver.create(undefined, env).state;
    const restored = driver.fromStored(JSON.parse(JSON.stringify(driver.toStored(made))), "active");
    for (const state of [made, restored]) {
      for (const type of ["FIELD", "ITEM", "MAP", "IN_MAP", "SET"]) {
        expect(() => driver.step(state, { kind: "event", event: { type } }, env)).toThrow(TypeError);
      }
    }
    expect(driver.toStored(restored)).toStrictEqual(driver.toStored(made));
  });

  test("does not keep hold of what an event brought: the parts are frozen with it", () => {
    const machine = createMachine({
      id: "order",
      context: { cart: null as unknown },
      on: { PUT: { actions: assign({ cart: ({ event }) => event.cart }) } },
    });
    const driver = prepareMachine(machine);
    const cart = { items: [{ sku: "a" }] };
    const { state } = driver.step(
      driver.create(undefined, env).state,
      { kind: "event", event: { type: "PUT", cart } },
      env,
    );
    expect(Object.isFrozen(contextOf(state).cart.items[0])).toBe(true);
  });

  test("takes hostile keys from events without touching any prototype", () => {
    const machine = createMachine({
      id: "order",
      context: { data: {} as object },
      on: { PUT: { actions: assign({ data: ({ event, context }) => ({ ...context.data, ...event.data }) }) } },
    });
    const driver = prepareMachine(machine);
    const data: unknown = JSON.parse(
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"~":"date"}',
    );
    const { state } = driver.step(
      driver.create(undefined, env).state,
      { kind: "event", event: { type: "PUT", data } },
      env,
    );
    const restored = driver.fromStored(JSON.parse(JSON.stringify(driver.toStored(state))), "active");
    expect(Object.keys(contextOf(restored).data)).toEqual(["__proto__", "constructor", "~"]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(Object.getPrototypeOf(contextOf(restored).data)).toBe(Object.prototype);
  });
});

describe("a machine", () => {
  test("that was handed in is left as it was", () => {
    const machine = createMachine({ id: "order", context: { n: 0 }, on: { GO: { guard: () => true } } });
    const { config, implementations } = machine;
    const before = JSON.stringify(machine.definition);
    const driver = prepareMachine(machine);
    driver.step(driver.create(undefined, env).state, { kind: "event", event: { type: "GO" } }, env);
    expect(machine.config).toBe(config);
    expect(machine.implementations).toBe(implementations);
    expect(machine.options.maxIterations).toBe(Number.POSITIVE_INFINITY);
    expect(JSON.stringify(machine.definition)).toBe(before);
  });

  test("that competes between regions goes on from storage as from memory", () => {
    // Once `a` has moved, a live actor takes b before a, and a restored one a before b.
    const says = (word: string) => assign({ said: ({ context }: any) => [...context.said, word] });
    const region = (name: string) => ({
      initial: "x",
      states: { x: { on: { [`MOVE_${name}`]: "y" } }, y: {} },
      always: { guard: ({ context }: any) => context.go && !context.said.includes(name), actions: says(name) },
    });
    const machine = createMachine({
      id: "order",
      type: "parallel",
      context: { said: [], go: false },
      states: { a: region("a"), b: region("b") },
      on: { SAY: { actions: assign({ go: true }) } },
    } as never);
    const driver = prepareMachine(machine);
    const live = createActor(machine).start();
    for (const type of ["MOVE_a", "SAY"]) live.send({ type });
    expect(live.getSnapshot().context.said).toEqual(["b", "a"]);
    const moved = driver.step(
      driver.create(undefined, env).state,
      { kind: "event", event: { type: "MOVE_a" } },
      env,
    ).state;
    const restored = driver.fromStored(JSON.parse(JSON.stringify(driver.toStored(moved))), "active");
    for (const state of [moved, restored]) {
      expect(contextOf(driver.step(state, { kind: "event", event: { type: "SAY" } }, env).state).said).toEqual([
        "a",
        "b",
      ]);
    }
  });
});

describe("an error", () => {
  const thrown = new RetryableError("later", { retryAfter: 5 });
  const fail = (): never => {
    throw thrown;
  };
  const failing: ReadonlyArray<[string, object]> = [
    ["a guard", { guard: fail }],
    ["a named guard", { guard: "failing" }],
    ["a composite guard", { guard: { type: "composite" } }],
    ["the params of a guard", { guard: { type: "failing", params: fail } }],
    ["an assign", { actions: assign(fail) }],
    ["a property of an assign", { actions: assign({ n: fail }) }],
    ["the params of an action", { actions: { type: "noop", params: fail } }],
    ["a raise", { actions: raise(fail) }],
    ["enqueueActions", { actions: enqueueActions(fail) }],
    ["a guard in enqueueActions", { actions: enqueueActions(({ check }) => void check("failing" as never)) }],
  ];
  const implementations = {
    guards: { failing: fail, composite: (args: unknown) => fail.call(args) },
    actions: { noop: () => {} },
  };

  test.each(failing)("thrown by %s arrives as the very instance, and the state stays", (_, transition) => {
    const machine = createMachine(
      { id: "order", context: { n: 0 }, on: { GO: transition } } as never,
      implementations as never,
    );
    const driver = prepareMachine(machine);
    const { state } = driver.create(undefined, env);
    expect(caught(() => driver.step(state, { kind: "event", event: { type: "GO" } }, env))).toBe(thrown);
    expect(contextOf(state)).toEqual({ n: 0 });
  });

  test.each(failing)("thrown by %s while an actor is made arrives as the very instance", (_, transition) => {
    const machine = createMachine(
      { id: "order", context: { n: 0 }, always: transition } as never,
      implementations as never,
    );
    expect(caught(() => prepareMachine(machine).create(undefined, env))).toBe(thrown);
  });

  test.each([
    ["the context function", { context: fail }],
    ["the output", { context: {}, initial: "end", states: { end: { type: "final" } }, output: fail }],
  ])("thrown by %s arrives as the very instance", (_, config) => {
    const machine = createMachine({ id: "order", ...config } as never);
    expect(caught(() => prepareMachine(machine).create(undefined, env))).toBe(thrown);
  });

  test("thrown by a custom action does not fail the step, since it runs after the commit", () => {
    const driver = prepareMachine(createMachine({ id: "order", entry: fail }));
    const [item] = driver.create(undefined, env).work;
    expect(item).toMatchObject({ kind: "run" });
    expect(caught(() => (item as { run: (port: () => void) => void }).run(() => {}))).toBe(thrown);
  });

  test("does not disturb the next step of the same driver", () => {
    const machine = setup({ types: { context: {} as { n: number } } }).createMachine({
      id: "order",
      context: { n: 0 },
      on: {
        GO: { guard: ({ event }: any) => event.ok || fail(), actions: assign({ n: ({ context }) => context.n + 1 }) },
      },
    });
    const driver = prepareMachine(machine);
    const { state } = driver.create(undefined, env);
    expect(caught(() => driver.step(state, { kind: "event", event: { type: "GO" } }, env))).toBe(thrown);
    expect(contextOf(driver.step(state, { kind: "event", event: { type: "GO", ok: true } }, env).state)).toEqual({
      n: 1,
    });
  });
});

function caught(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

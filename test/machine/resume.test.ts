/** After a migration an actor has the children and timers of the states that it is in: what lacks begins, what nothing waits for ends. */
import { describe, expect, test } from "vitest";
import { createMachine, fromPromise, fromTransition, setup } from "xstate";
import type { StoredSnapshot } from "../../runtime/core/records.ts";
import { prepareMachine } from "../../runtime/machine/prepare-machine.ts";

const self = { type: "order", id: "42" };
const env = { self, now: 1000 };

const machine = setup({
  actors: {
    charge: fromPromise(async () => 1),
    watch: fromTransition((seen: number) => seen + 1, 0),
    packer: createMachine({ id: "packer" }),
  },
  delays: {
    SLOW: ({ context }) => (context as { slowMs: number }).slowMs,
    BROKEN: () => {
      throw new Error("no delay today");
    },
  },
}).createMachine({
  id: "order",
  context: { slowMs: 500, name: "ada" },
  initial: "open",
  states: {
    open: { after: { 100: "paying" }, invoke: { id: "watcher", src: "watch" } },
    paying: {
      after: { SLOW: "open", 50: {} },
      invoke: [
        { id: "card", src: "charge", input: ({ context }) => context.name, onDone: "open" },
        { id: "pack", src: "packer", systemId: "packing", onSnapshot: {} },
      ],
    },
    broken: { after: { BROKEN: "open" } },
    still: {},
  },
});
const driver = prepareMachine(machine);

/** Resumes a stored state, and shows the state and the work that it leads to. */
function resumed(stored: Partial<StoredSnapshot>, drop: readonly string[] = []) {
  const state = driver.fromStored({ context: { slowMs: 500, name: "ada" }, value: "still", n: 9, ...stored }, "active");
  const step = driver.resume(state, drop, env);
  const { children, timers, n, system } = driver.toStored(step.state);
  return { isSame: step.state === state, children, timers, n, system, work: step.work };
}

describe("what an active state has and the actor lacks begins:", () => {
  test("delays, counted from now, and what is invoked, as when the state is entered", () => {
    const { children, timers, n, system, work } = resumed({ value: "paying" });
    expect(Object.values(timers ?? {}).sort((one, other) => other.at - one.at)).toEqual([
      { at: 1500, id: "xstate.after.SLOW.order.paying", event: { type: "xstate.after.SLOW.order.paying" } },
      { at: 1050, id: "xstate.after.50.order.paying", event: { type: "xstate.after.50.order.paying" } },
    ]);
    expect(children).toEqual({
      card: { kind: "activity", src: "charge", n: 9, input: "ada", task: { attempt: 1, since: 1000 } },
      pack: { kind: "actor", src: "packer", n: 10, systemId: "packing", sync: true },
    });
    expect(system).toEqual({ packing: { holder: "order/42/~pack", n: 10 } });
    expect(work.map(({ kind }) => kind).sort()).toEqual(["start", "task", "timer", "timer"]);
    expect(work).toContainEqual({
      kind: "task",
      id: "card",
      n: 9,
      src: "charge",
      attempt: 1,
      since: 1000,
      input: "ada",
    });
    expect(n).toBe(13);
  });

  test("and the same work is made of the same state at the same time", () => {
    expect(resumed({ value: "paying" })).toEqual(resumed({ value: "paying" }));
  });

  test("what a delay throws is thrown", () => {
    expect(() => resumed({ value: "broken" })).toThrow("no delay today");
  });
});

describe("what is there stays:", () => {
  const timers = {
    3: { at: 1010, id: "xstate.after.SLOW.order.paying", event: { type: "xstate.after.SLOW.order.paying" } },
  };
  const children = {
    card: { kind: "activity", src: "charge", n: 1, input: "bob", task: { attempt: 3, since: 5 } },
    pack: { kind: "actor", src: "packer", n: 2, ended: true },
  } as const;

  test("delays with the time that has passed, work with its attempts, results that are in", () => {
    const found = resumed({ value: "paying", timers, children });
    expect(found.children).toEqual(children);
    expect(found.timers).toMatchObject(timers);
    expect(found.work).toEqual([{ kind: "timer", timer: "9", atMs: 1050 }]);
  });

  test("spawned children, delayed events, and the timers of activities", () => {
    const others = {
      children: {
        spawned: { kind: "actor", src: "packer", n: 1 },
        mine: { kind: "activity", src: "charge", n: 2, task: { attempt: 1, since: 5 } },
      },
      timers: {
        3: { at: 5, event: { type: "LATER" } },
        4: { at: 6, event: { type: "xstate.after.9.x" }, to: { actor: "x/1" } },
        5: { at: 7, task: { kind: "deadline", child: "mine", n: 2 } },
      },
    } as const;
    expect(resumed(others)).toEqual({ isSame: true, ...others, n: 9, system: undefined, work: [] });
  });

  test("an actor that has ended", () => {
    const state = driver.fromStored({ value: "paying", context: {}, n: 1 }, "done");
    expect(driver.resume(state, [], env)).toEqual({ state, outcome: "ignored", work: [] });
  });
});

describe("what nothing waits for any more ends:", () => {
  test("delays of states that are left or gone", () => {
    const { timers, work } = resumed({
      timers: {
        3: { at: 5, event: { type: "xstate.after.100.order.open" } },
        4: { at: 6, event: { type: "xstate.after.77.order.gone" } },
        5: { at: 7, event: { type: "LATER" } },
      },
    });
    expect(timers).toEqual({ 5: { at: 7, event: { type: "LATER" } } });
    expect(work).toEqual([]);
  });

  test("invocations of states that are left: each as its kind wants it", () => {
    const { children, system, work } = resumed({
      children: {
        card: { kind: "activity", src: "charge", n: 1, task: { attempt: 2, since: 5 } },
        pack: { kind: "actor", src: "packer", n: 2, systemId: "packing" },
        watcher: { kind: "actor", src: "watch", n: 3, ended: true },
      },
      system: { packing: { holder: "order/42/~pack", n: 2 } },
      timers: { 5: { at: 7, task: { kind: "deadline", child: "card", n: 1 } } },
    });
    expect({ children, system }).toEqual({ children: undefined, system: undefined });
    expect(work).toEqual([
      { kind: "cancel", id: "card", n: 1, attempt: 2, src: "charge" },
      { kind: "stop", to: { type: "order", id: "42/~pack" }, n: 2 },
    ]);
  });

  test("children whose logic is gone, or is of another kind", () => {
    const { children, work } = resumed({
      children: {
        a: { kind: "actor", src: "mailer", n: 1 },
        b: { kind: "actor", src: "charge", n: 2 },
        c: { kind: "live", src: "ticker", n: 3 },
      },
    });
    expect(children).toBeUndefined();
    expect(work.map(({ kind }) => kind)).toEqual(["stop", "stop"]);
  });

  test("children that the migration drops, spawned ones too", () => {
    const { children, work } = resumed({ children: { spawned: { kind: "actor", src: "packer", n: 1 } } }, ["spawned"]);
    expect(children).toBeUndefined();
    expect(work).toEqual([{ kind: "stop", to: { type: "order", id: "42/~spawned" }, n: 1 }]);
  });

  test("and begin anew where an active state invokes them with other logic", () => {
    const { children, work } = resumed({
      value: "paying",
      children: { card: { kind: "actor", src: "oldCharge", n: 1 }, pack: { kind: "actor", src: "packer", n: 2 } },
    });
    expect(children?.card).toEqual({
      kind: "activity",
      src: "charge",
      n: 9,
      input: "ada",
      task: { attempt: 1, since: 1000 },
    });
    expect(children?.pack?.n).toBe(2);
    expect(work.map(({ kind }) => kind).sort()).toEqual(["stop", "task", "timer", "timer"]);
  });
});

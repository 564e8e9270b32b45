/** A child that has failed and is begun again: what ends with the failed run, and what the new one begins with. */
import { describe, expect, test } from "vitest";
import { assign, createMachine, fromCallback, fromPromise, fromTransition, setup } from "xstate";
import type { Birth } from "../../runtime/core/envelope.ts";
import type { Arrival, MachineDriver, RestartRule, Step, StepEnv, Work } from "../../runtime/machine/driver.ts";
import { prepareMachine } from "../../runtime/machine/prepare-machine.ts";

const self = { type: "order", id: "1/~payment" };
const birth: Birth = { parent: "order/1", id: "payment", n: 3, src: ["payment"], systemId: "till" };

/** Twice, after 100 ms and after 200 ms. */
const twice: RestartRule = (_, now, earlier) => {
  const count = (earlier?.count ?? 0) + 1;
  return count > 2 ? undefined : { count, since: earlier?.since ?? now, delayMs: 100 * count };
};

const at = (now: number, restart: RestartRule | undefined = twice): StepEnv => ({ self, now, restart });

const gate = createMachine({ id: "gate", initial: "open", states: { open: {} } });
const payment = setup({
  types: { context: {} as { amount: number; tries: number[] } },
  actors: { gate, charge: fromPromise(async () => 1), screen: fromCallback(() => {}) },
}).createMachine({
  id: "payment",
  context: ({ input }) => {
    const given = input as { amount: number; tries: number[] };
    // A machine may do with its input what it likes.
    given.tries.push(given.tries.length);
    return given;
  },
  initial: "open",
  invoke: [
    { src: "gate", id: "gate", systemId: "gate" },
    { src: "charge", id: "charge" },
    { src: "screen", id: "screen" },
  ],
  states: { open: { after: { 5000: "late" }, on: { ADD: { actions: assign({ amount: 99 }) } } }, late: {} },
});

const driver = prepareMachine(payment);
const fail: Arrival = { kind: "fail", error: new Error("broken") };

/** The state as it comes back from storage. */
function stored(of: MachineDriver, { state }: Step) {
  return of.fromStored(JSON.parse(JSON.stringify(of.toStored(state))), of.view(state).status);
}

function made(): Step {
  return driver.create({ amount: 5, tries: [] }, at(0), birth);
}

const kinds = (work: readonly Work[]) => work.map(({ kind }) => kind);

describe("a child with a restart rule", () => {
  test("that fails says nothing to its parent, and ends all that it had", () => {
    const { state } = driver.step(made().state, { kind: "event", event: { type: "ADD" } }, at(10));
    const failed = driver.step(state, fail, at(1000));
    const own = { type: "order", id: "1/~payment/~gate" };
    expect(failed.outcome).toBe("taken");
    expect(failed.work).toEqual([
      { kind: "stop", to: own, n: 0 },
      { kind: "alias", to: { type: "order", id: "1" }, systemId: "gate", holder: undefined, n: 0 },
      { kind: "cancel", id: "charge", n: 1, attempt: 1, src: "charge" },
      { kind: "timer", timer: "4", atMs: 1100 },
    ]);
    expect(driver.view(failed.state)).toEqual({ status: "error", value: "open" });
    expect(driver.live(failed.state)).toEqual([]);
    expect(driver.toStored(failed.state)).toMatchObject({
      context: { amount: 99 },
      birth,
      timers: { 4: { at: 1100, event: { type: "statewright.restart" } } },
      restart: { series: { count: 1, since: 1000, delayMs: 100 }, timer: "4" },
    });
    expect(Object.keys(driver.toStored(failed.state).timers ?? {})).toEqual(["4"]);
  });

  test("is begun again by its timer, from its input as it came, as the same child with new children", () => {
    const first = made();
    const failed = driver.step(stored(driver, first), fail, at(1000));
    const again = driver.step(stored(driver, failed), { kind: "timer", timer: "4" }, at(1100));
    expect(driver.view(again.state)).toEqual({ status: "active", value: "open" });
    const { context, children, restart, ...rest } = driver.toStored(again.state);
    expect(context).toEqual({ amount: 5, tries: [0] });
    expect(rest.birth).toEqual(birth);
    expect(Object.values(children ?? {}).map(({ n }) => n)).toEqual([5, 6, 7]);
    expect(restart).toEqual({
      input: { amount: 5, tries: [] },
      series: { count: 1, since: 1000, delayMs: 100, begunAt: 1100 },
    });
    expect(kinds(again.work)).toEqual(kinds(first.work));
    // What the failed run had asked for comes late.
    const late: Arrival = { kind: "result", id: "charge", n: 1, outcome: { output: 1 } };
    expect(driver.step(again.state, late, at(1200)).outcome).toBe("stale");
    expect(driver.step(again.state, { kind: "timer", timer: "3" }, at(1200)).outcome).toBe("stale");
  });

  test("takes nothing but its timer meanwhile, and a stop", () => {
    const { state } = driver.step(made().state, fail, at(0));
    expect(driver.restartTimer(state)).toEqual({ timer: "4", at: 100 });
    expect(driver.step(state, { kind: "event", event: { type: "ADD" } }, at(1)).outcome).toBe("ignored");
    expect(driver.step(state, { kind: "timer", timer: "3" }, at(1)).outcome).toBe("stale");
    const stopped = driver.step(state, { kind: "stop" }, at(1));
    expect(driver.view(stopped.state).status).toBe("stopped");
    expect(driver.restartTimer(stopped.state)).toBeUndefined();
    expect(stopped.work).toEqual([]);
  });

  test("ends with its error when the rule says so, and its parent is told once", () => {
    let { state } = made();
    const told: Work[] = [];
    for (const now of [1000, 2000, 3000]) {
      const failed = driver.step(state, fail, at(now));
      told.push(...failed.work.filter(({ kind }) => kind === "tell"));
      const timer = driver.restartTimer(failed.state)?.timer;
      if (timer === undefined) {
        state = failed.state;
        break;
      }
      ({ state } = driver.step(failed.state, { kind: "timer", timer }, at(now + 100)));
    }
    expect(driver.view(state).status).toBe("error");
    expect(driver.toStored(state)).not.toHaveProperty("restart");
    expect(told).toMatchObject([
      { to: { type: "order", id: "1" }, event: { type: "xstate.error.actor.payment" }, internal: { n: 3 } },
    ]);
  });

  test("that fails while it begins again waits once more", () => {
    const { state } = driver.step(made().state, fail, at(0));
    const again = driver.step(state, fail, at(100));
    expect(driver.restartTimer(again.state)).toEqual({ timer: "5", at: 300 });
    expect(again.work).toEqual([{ kind: "timer", timer: "5", atMs: 300 }]);
    expect(driver.hasTimer(again.state, "4")).toBe(false);
  });

  test("that could not be made at all is begun by its timer", () => {
    const stillborn = driver.createFailed(new Error("no"), { amount: 7, tries: [] }, at(0), birth);
    expect(stillborn.work).toEqual([{ kind: "timer", timer: "0", atMs: 100 }]);
    const again = driver.step(stored(driver, stillborn), { kind: "timer", timer: "0" }, at(100));
    expect(driver.view(again.state).status).toBe("active");
    expect(driver.toStored(again.state).context).toEqual({ amount: 7, tries: [0] });
  });

  test("whose own child fails with nobody to care is begun again, too", () => {
    const carer = setup({ actors: { gate } }).createMachine({ id: "carer", invoke: { src: "gate", id: "gate" } });
    const careful = prepareMachine(carer);
    const { state } = careful.create(undefined, at(0), birth);
    const event = { type: "xstate.error.actor.gate", error: new Error("gate"), actorId: "gate" };
    const failed = careful.step(state, { kind: "child", id: "gate", n: 0, event }, at(10));
    expect(careful.view(failed.state).status).toBe("error");
    expect(careful.restartTimer(failed.state)).toBeDefined();
    expect(kinds(failed.work)).toEqual(["timer"]);
  });

  test("is begun again though the rule has gone meanwhile, and ends with its next error", () => {
    const { state } = driver.step(made().state, fail, at(0));
    const again = driver.step(state, { kind: "timer", timer: "4" }, { self, now: 100 });
    expect(driver.view(again.state).status).toBe("active");
    const failed = driver.step(again.state, fail, at(200));
    expect(driver.restartTimer(failed.state)).toBeUndefined();
    expect(failed.work.at(-1)).toMatchObject({ kind: "tell", event: { type: "xstate.error.actor.payment" } });
  });

  test("of transition logic is begun again from its input", () => {
    const counter = fromTransition(
      (n: number) => n + 1,
      ({ input }: { input: number }) => input,
    );
    const parent = prepareMachine(
      setup({ actors: { counter } }).createMachine({ invoke: { src: "counter", input: 40 } }),
    );
    const logic = parent.children.get("counter");
    if (logic?.kind !== "actor") throw new Error("It is an actor.");
    const child = logic.driver;
    const begun = child.create(40, at(0), birth);
    const counted = child.step(begun.state, { kind: "event", event: { type: "X" } }, at(1));
    const failed = child.step(stored(child, counted), fail, at(2));
    const timer = child.restartTimer(failed.state)?.timer as string;
    expect(child.hasTimer(failed.state, timer)).toBe(true);
    expect(child.timerEvent(failed.state, timer)).toEqual({ type: "statewright.restart" });
    const again = child.step(stored(child, failed), { kind: "timer", timer }, at(102));
    expect(child.toStored(again.state)).toMatchObject({ context: 40, restart: { input: 40 } });
    expect(child.view(again.state).status).toBe("active");
  });
});

test("a child without a restart rule ends with its error, and nothing is kept for another run", () => {
  const begun = driver.create({ amount: 5, tries: [] }, { self, now: 0 }, birth);
  expect(driver.toStored(begun.state)).not.toHaveProperty("restart");
  const failed = driver.step(begun.state, fail, { self, now: 1 });
  expect(driver.restartTimer(failed.state)).toBeUndefined();
  expect(failed.work.at(-1)).toMatchObject({ kind: "tell", event: { type: "xstate.error.actor.payment" } });
});

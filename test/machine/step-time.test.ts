/** The functions of a machine see the time of their step, and nothing else does. */
import { describe, expect, test } from "vitest";
import { assign, raise, setup } from "xstate";
import { prepareMachine } from "../../runtime/machine/prepare-machine.ts";
import { atStepTime, now } from "../../runtime/machine/step-time.ts";

const env = (at: number) => ({ self: { type: "watch", id: "1" }, now: at });

const machine = setup({ types: { context: {} as { seen: readonly number[] } } }).createMachine({
  context: () => ({ seen: [now()] }),
  on: {
    LOOK: {
      guard: () => now() > 1000,
      actions: [
        assign({ seen: ({ context }) => [...context.seen, now()] }),
        raise({ type: "LATER" }, { delay: () => now() }),
      ],
    },
    BREAK: {
      actions: assign(() => {
        throw new RangeError(String(now()));
      }),
    },
  },
});

describe("now", () => {
  test("is the time of the step in contexts, guards, assigns and delays, however often the step is taken", () => {
    const driver = prepareMachine(machine);
    const { state } = driver.create(undefined, env(500));
    const look = (at: number) => driver.step(state, { kind: "event", event: { type: "LOOK" } }, env(at));
    expect(look(1000).outcome).toBe("ignored");
    const first = look(2000);
    expect(driver.toStored(first.state).context).toEqual({ seen: [500, 2000] });
    expect(first.work).toEqual([expect.objectContaining({ kind: "timer", atMs: 4000 })]);
    expect(driver.toStored(look(2000).state)).toEqual(driver.toStored(first.state));
  });

  test("is the clock's outside of steps, and again after one that failed", () => {
    const driver = prepareMachine(machine);
    const { state } = driver.create(undefined, env(500));
    const broken = () => driver.step(state, { kind: "event", event: { type: "BREAK" } }, env(7));
    expect(broken).toThrow("7");
    expect(Math.abs(now() - Date.now())).toBeLessThan(60_000);
  });

  test("is the outer step's again after a step within it", () => {
    const seen = atStepTime(1, () => [now(), atStepTime(2, now), now()]);
    expect(seen).toEqual([1, 2, 1]);
  });
});

/**
 * The driver beside a live actor of XState: the same events give the same state, and the same actions in the same order.
 *
 * The stored state goes through JSON between every two events, and a second line goes on from memory: both must agree.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createActor } from "xstate";
import type { MachineDriver, MachineState, Step } from "../../runtime/machine/driver.ts";
import { prepareMachine } from "../../runtime/machine/prepare-machine.ts";
import { specimens, trace } from "./machines.ts";

const env = { self: { type: "specimen", id: "1" }, now: 0 };

/** Returns what has been traced since the last call. */
function traced(): unknown[] {
  return trace.splice(0);
}

/** Runs the work of a step, as the engine does after the commit, and returns what it left behind. */
function perform(step: Step): unknown[] {
  for (const item of step.work) {
    if (item.kind === "run") item.run(() => {});
    else if (item.kind === "log")
      trace.push(item.label === undefined ? ["log", item.value] : ["log", item.label, item.value]);
  }
  return traced();
}

function throughJson(driver: MachineDriver, state: MachineState): MachineState {
  const { status } = driver.view(state);
  return driver.fromStored(JSON.parse(JSON.stringify(driver.toStored(state))), status);
}

// The driver's states are snapshots; the tests look inside to compare what `view` does not show.
function inside(state: MachineState): any {
  return (state as any).snapshot;
}

describe.each(specimens)("$name", ({ machine, events, input }) => {
  test("goes as in a live actor, from memory as from storage", () => {
    const driver = prepareMachine(machine);
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...events), { maxLength: 25 }), (sequence) => {
        traced();
        const live = createActor(machine, { input, logger: (...line) => void trace.push(["log", ...line]) });
        live.start();
        const liveTrace = traced();
        const made = driver.create(input, env);
        expect(perform(made)).toStrictEqual(liveTrace);
        let stored = throughJson(driver, made.state);
        let cached = made.state;
        for (const event of [undefined, ...sequence]) {
          if (event !== undefined && driver.view(stored).status === "active") {
            const selected = live.getSnapshot().machine.getTransitionData(live.getSnapshot(), event);
            const before = live.getSnapshot();
            live.send(event);
            const expected = traced();
            const step = driver.step(stored, { kind: "event", event }, env);
            expect(perform(step)).toStrictEqual(expected);
            expect(step.outcome === "taken").toBe(selected.length > 0 || live.getSnapshot() !== before);
            const twin = driver.step(cached, { kind: "event", event }, env);
            expect(perform(twin)).toStrictEqual(expected);
            expect(driver.toStored(twin.state)).toStrictEqual(driver.toStored(step.state));
            stored = throughJson(driver, step.state);
            cached = twin.state;
          }
          const snapshot = live.getSnapshot();
          expect(driver.view(stored)).toEqual({ status: snapshot.status, value: snapshot.value });
          const { context, output, tags } = inside(stored);
          expect(context).toStrictEqual(snapshot.context);
          expect(output).toStrictEqual(snapshot.output);
          expect([...tags].sort()).toEqual([...snapshot.tags].sort());
        }
      }),
      { numRuns: 150 },
    );
  });
});

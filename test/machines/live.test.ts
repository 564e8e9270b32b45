/** The machines on live actors of XState: what their scripts expect is what XState does. */
import { describe, expect, test } from "vitest";
import { matrix } from "../conformance/matrix.ts";
import { judge } from "../scenarios/compare.ts";
import { runLive } from "../scenarios/live.ts";
import { machines } from "./catalog.ts";

describe.each(Object.entries(machines))("%s", (_name, scenarios) => {
  test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", async (_title, scenario) => {
    expect(judge(scenario, await runLive(scenario))).toEqual([]);
  });
});

/** What no catalog of machines may be without. */
const constructs = [
  "after.numeric",
  "after.named",
  "after.dynamic",
  "raise.delay",
  "sendTo.delay",
  "cancel.id",
  "logic.promise",
  "logic.machine",
  "logic.transition",
  "logic.callback",
  "logic.observable",
  "logic.eventObservable",
  "invoke.onDone",
  "invoke.onError",
  "invoke.onSnapshot",
  "spawn.assign",
  "spawn.spawnChild",
  "spawn.stopChild",
  "spawn.syncSnapshot",
  "send.sendTo",
  "send.sendParent",
  "send.forwardTo",
  "system.get",
  "refs.context",
  "emit.event",
  "log.value",
  "action.params",
  "enqueueActions.context",
  "assertEvent.type",
  "guard.stateIn",
  "guard.and",
  "event.wildcard",
  "event.partial",
  "event.forbidden",
  "transition.reenter",
  "history.shallow",
  "history.deep",
  "meta.state",
  "description.state",
  "machine.provide",
  "machine.output",
  "errors.unhandled",
  "value.date",
  "value.map",
  "value.set",
  "value.bigint",
  "value.nan",
  "value.error",
];

describe("the catalog", () => {
  const scenarios = Object.values(machines).flat();

  test("has thirty machines and more, whose scripts have names of their own", () => {
    expect(Object.keys(machines).length).toBeGreaterThanOrEqual(30);
    expect(new Set(scenarios.map((scenario) => scenario.name)).size).toBe(scenarios.length);
  });

  test("covers rows of the matrix, and every kind of logic, delay, message and value", () => {
    const covered = new Set(scenarios.flatMap(({ covers }) => covers));
    const rows = new Set(matrix.flatMap((section) => section.rows.map(({ id }) => id)));
    expect([...covered].filter((id) => !rows.has(id))).toEqual([]);
    expect(constructs.filter((id) => !covered.has(id))).toEqual([]);
  });

  test.each(Object.entries(machines))(
    "%s emits, and ends with an expectation of its emissions",
    (_name, [...scripts]) => {
      const last = scripts.map((scenario) => scenario.steps.at(-1));
      const emitted = last.map((step) => (step !== undefined && "expect" in step ? step.expect.emitted : undefined));
      expect(emitted.every((events) => events !== undefined && events.length > 0)).toBe(true);
    },
  );
});

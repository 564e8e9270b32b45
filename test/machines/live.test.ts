/** The machines on live actors of XState: what their scripts expect is what XState does. */
import { describe, expect, test } from "vitest";
import { judge } from "../scenarios/compare.ts";
import { runLive } from "../scenarios/live.ts";
import { machines } from "./catalog.ts";

describe.each(Object.entries(machines))("%s", (_name, scenarios) => {
  test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", async (_title, scenario) => {
    expect(judge(scenario, await runLive(scenario))).toEqual([]);
  });
});

describe("the catalog", () => {
  const scenarios = Object.values(machines).flat();

  test("has thirty machines and more, whose scripts have names of their own", () => {
    expect(Object.keys(machines).length).toBeGreaterThanOrEqual(30);
    expect(new Set(scenarios.map((scenario) => scenario.name)).size).toBe(scenarios.length);
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

/** The scenarios of actors on Statewright, with a crash of the node between every two steps. */
import { expect, test } from "vitest";
import { judge } from "../scenarios/compare.ts";
import { runDurable } from "../scenarios/durable.ts";
import type { Scenario } from "../scenarios/scenario.ts";
import { actorScenarios } from "./actors/all.ts";

/** Without what it expects of the trace, when something in it starts again after a crash. */
function crashing(scenario: Scenario): Scenario {
  if (scenario.restarts !== true) return scenario;
  const steps = scenario.steps.map((step) => {
    if (!("expect" in step)) return step;
    const { trace: _, ...expectation } = step.expect;
    return { expect: expectation };
  });
  return { ...scenario, steps };
}

for (const scenario of actorScenarios) {
  test(scenario.name, async () => {
    expect(judge(crashing(scenario), await runDurable(scenario, "crash"))).toEqual([]);
  });
}

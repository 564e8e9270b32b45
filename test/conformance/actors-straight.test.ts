/** The scenarios of actors on Statewright, with nothing going wrong. */
import { expect, test } from "vitest";
import { judge } from "../scenarios/compare.ts";
import { runDurable } from "../scenarios/durable.ts";
import { actorScenarios } from "./actors/all.ts";

for (const scenario of actorScenarios) {
  test(scenario.name, async () => {
    expect(judge(scenario, await runDurable(scenario, "straight"))).toEqual([]);
  });
}

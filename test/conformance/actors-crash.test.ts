/** The scenarios of actors on Statewright, with a crash of the node between every two steps. */
import { expect, test } from "vitest";
import { judge } from "../scenarios/compare.ts";
import { runDurable } from "../scenarios/durable.ts";
import { actorScenarios } from "./actors/all.ts";

for (const scenario of actorScenarios) {
  test(scenario.name, async () => {
    expect(judge(scenario, await runDurable(scenario, "crash"))).toEqual([]);
  });
}

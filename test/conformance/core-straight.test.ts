/** Every scenario of the suite on Statewright, with nothing going wrong. */
import { expect, test } from "vitest";
import { judge } from "../scenarios/compare.ts";
import { runDurable } from "../scenarios/durable.ts";
import { coreScenarios } from "./core/all.ts";

test.each(coreScenarios)("$name", async (scenario) => {
  expect(judge(scenario, await runDurable(scenario, "straight"))).toEqual([]);
});

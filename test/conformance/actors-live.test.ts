/** The scenarios of actors, on live actors of XState: what they expect is what XState does. */
import { expect, test, vi } from "vitest";
import { judge } from "../scenarios/compare.ts";
import { runLive } from "../scenarios/live.ts";
import { actorScenarios } from "./actors/all.ts";

// XState's development build comments on events that come to an actor that has ended.
vi.spyOn(console, "warn").mockImplementation(() => {});

test("no two scenarios have the same name", () => {
  const names = actorScenarios.map(({ name }) => name);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

for (const scenario of actorScenarios) {
  test(scenario.name, async () => {
    expect(judge(scenario, await runLive(scenario))).toEqual([]);
  });
}

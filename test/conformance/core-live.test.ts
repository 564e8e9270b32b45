/** Every scenario of the suite on a live actor of XState: this is what proves that the suite expects what XState does. */
import { expect, test, vi } from "vitest";
import { judge } from "../scenarios/compare.ts";
import { runLive } from "../scenarios/live.ts";
import { coreScenarios } from "./core/all.ts";

// XState's development build comments on events that come to an actor that has ended.
vi.spyOn(console, "warn").mockImplementation(() => {});

test.each(coreScenarios)("$name", async (scenario) => {
  expect(judge(scenario, await runLive(scenario))).toEqual([]);
});

test("no two scenarios have the same name, and all say what they cover", () => {
  const names = coreScenarios.map(({ name }) => name);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  expect(
    coreScenarios.filter(({ covers }) => covers.length === 0 || covers.some((row) => !/^\w+\.[\w-]+$/.test(row))),
  ).toEqual([]);
});

/** The matrix, its page and the tests agree: nothing is said to work that is not shown, and nothing is left out. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as xstate from "xstate";
import * as actions from "xstate/actions";
import * as actors from "xstate/actors";
import * as dev from "xstate/dev";
import * as graph from "xstate/graph";
import * as guards from "xstate/guards";
import { actorScenarios } from "./actors/all.ts";
import { coreScenarios } from "./core/all.ts";
import { matrix } from "./matrix.ts";
import { pagePath, renderPage } from "./page.ts";
import { rowTests } from "./rows.ts";

const rows = matrix.flatMap((section) => section.rows);
const scenarios = [...coreScenarios, ...actorScenarios];
const shownByScenarios = new Set(scenarios.flatMap(({ covers }) => covers));
const shownByTests = new Set(rowTests.flatMap(({ covers }) => covers));

/** Those that stand in the list more than once. */
function doubles(list: readonly string[]): string[] {
  return list.filter((item, i) => list.indexOf(item) !== i);
}

test("each row and each scenario has a name of its own", () => {
  expect(doubles(rows.map(({ id }) => id))).toEqual([]);
  for (const section of matrix) expect(doubles(section.rows.map(({ feature }) => feature))).toEqual([]);
  expect(doubles(scenarios.map(({ name }) => name))).toEqual([]);
});

test("what scenarios and tests cover is in the matrix", () => {
  const ids = new Set(rows.map(({ id }) => id));
  expect([...shownByScenarios, ...shownByTests].filter((id) => !ids.has(id))).toEqual([]);
});

test("each row that works is shown by a scenario or by a test", () => {
  const unshown = rows.filter(({ id, works }) => works !== "no" && !shownByScenarios.has(id) && !shownByTests.has(id));
  expect(unshown.map(({ id }) => id)).toEqual([]);
});

test("no scenario covers what does not work", () => {
  expect(rows.filter(({ id, works }) => works === "no" && shownByScenarios.has(id)).map(({ id }) => id)).toEqual([]);
});

test("a row says how wherever it is not quite as in XState", () => {
  expect(rows.filter(({ works, how }) => works !== "yes" && how === "").map(({ id }) => id)).toEqual([]);
});

test("all that XState exports is named in some row", () => {
  const text = rows.map(({ feature, how }) => `${feature} ${how}`).join("\n");
  const names = [xstate, actions, actors, dev, graph, guards].flatMap((module) => Object.keys(module));
  expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
});

test("the page is as the rows are: npm run docs:xstate writes it anew", () => {
  expect(readFileSync(pagePath, "utf8")).toBe(renderPage());
});

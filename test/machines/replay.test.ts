/** What the machines and their children have handled is replayed by the same code with the same results: events, timers, results of activities, messages of children. */
import { describe, expect, test } from "vitest";
import { type CheckedActor, checkHistories } from "../../actors/history-check.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import { machines } from "./catalog.ts";
import { memoryPlace } from "./memory-place.ts";
import { play, roleOf } from "./play.ts";
import { MachineSpace } from "./space.ts";

let steps = 0;
let notReplayable = 0;
const reasons = new Set<string>();

describe.each(Object.entries(machines))("%s", (_name, scenarios) => {
  test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", async (_title, scenario) => {
    const place = memoryPlace(1);
    const role = roleOf(scenario, "machine");
    const space = new MachineSpace(place, [role.definition]);
    const checked: CheckedActor[] = [];
    try {
      await space.open();
      await play(space, role, "1");
      const { log } = place.connect("checker");
      const again = roleOf(scenario, "machine");
      const check = async () => {
        const where = { log, subjects: new Subjects(place.spaceName) };
        for await (const actor of checkHistories(where, 1, again.definition)) checked.push(actor);
      };
      await place.run(check());
    } finally {
      await space.close();
    }
    expect(checked.length).toBeGreaterThan(0);
    for (const actor of checked) {
      expect(actor).not.toMatchObject({ result: expect.stringMatching(/^(differs|fails)$/) });
      steps += actor.steps;
      notReplayable += actor.notReplayable;
      for (const reason of actor.unknown.keys()) reasons.add(reason);
    }
  });
});

test("nearly every step could be replayed", () => {
  expect([...reasons].filter((reason) => !reason.startsWith("What "))).toEqual([]);
  expect(steps).toBeGreaterThan(500);
  expect(notReplayable / steps).toBeLessThan(0.02);
});

/** The second half of the story: the fixed definitions are deployed, and the dead letters are redriven. */
import type { Plan } from "./bad-messages.ts";
import { airportsOf } from "./data.ts";
import { appliedIn, lookUntilDone, readTotals, stallMs } from "./observe.ts";
import type { Progress } from "./progress.ts";
import { allOwned, type Stage } from "./stage.ts";
import { failuresIn } from "./summary.ts";

/** Restarts the nodes one after the other, redrives, and waits until the actors have applied everything; true when it went as it must. */
export async function redrive(plan: Plan, { senders, fleet, airport }: Stage, progress: Progress): Promise<boolean> {
  const airports = airportsOf(plan.flights);
  const { deadLetters } = senders.timetable;
  for (const name of fleet.names) {
    await fleet.stop(name);
    await fleet.start(name, "fixed");
    progress.say(`  ${name} has handed over its partitions, and runs the fixed definitions now`);
  }
  await allOwned(fleet);

  const { redriven, refused } = await deadLetters.redriveAll();
  progress.say(`  ${redriven} dead letters are redriven`);
  const expected = 2 * plan.flights.length;
  let applied = 0;
  let left = 0;
  const isDone = await lookUntilDone(async () => {
    applied = appliedIn(await readTotals(senders.timetable, airport, airports));
    left = (await deadLetters.list()).length;
    progress.show(applied / expected, [`dead letters ${left}`]);
    return { isDone: applied >= expected && left === 0, mark: `${applied} ${left}` };
  });
  progress.clear();
  if (!isDone) progress.say(`  WRONG: nothing has changed for ${stallMs / 1000} s`);

  const failures = failuresIn([
    { what: "letters that were redriven", found: redriven, expected: plan.dead },
    { what: "letters that could not be redriven", found: refused.length, expected: 0 },
    { what: "dead letters left", found: left, expected: 0 },
    { what: "messages applied", found: applied, expected },
  ]);
  for (const line of [...failures, ""]) progress.say(line);
  return isDone && failures.length === 0;
}

/** The first half of the story: all flights are sent, and in the middle a node is killed. */
import type { Plan } from "./bad-messages.ts";
import { type Crash, killOneNode } from "./crash.ts";
import { airportsOf } from "./data.ts";
import { appliedIn, lookUntilDone, readTotals, stallMs } from "./observe.ts";
import { Pace, type Progress } from "./progress.ts";
import { FlightSender } from "./send-flights.ts";
import type { Stage } from "./stage.ts";
import { checksOf, drawSummary, type Figures, failuresIn } from "./summary.ts";
import { grouped } from "./table.ts";

/** Replays the flights until the actors have applied what can be applied before the fix; true when everything went as it must. */
export async function replay(plan: Plan, { senders, fleet, airport }: Stage, progress: Progress): Promise<boolean> {
  const airports = airportsOf(plan.flights);
  const expected = 2 * (plan.flights.length - plan.dead);
  const pace = new Pace();
  const sender = new FlightSender(plan.flights, airport, senders);
  let onHalfTime = () => {};
  const halfTime = new Promise<void>((resolve) => {
    onHalfTime = resolve;
  });
  let crash: Crash | undefined;
  let perSecondBeforeCrash = 0;
  let applied = 0;
  let seconds: number | undefined;

  const crashed = halfTime.then(async () => {
    perSecondBeforeCrash = pace.sinceStart(applied);
    crash = await killOneNode(fleet, (line) => progress.say(line));
  });
  let isSent = false;
  const sent = sender.run(halfTime).then(() => {
    isSent = true;
  });
  const looked = lookUntilDone(async () => {
    applied = appliedIn(await readTotals(senders.timetable, airport, airports));
    if (applied >= expected / 2) onHalfTime();
    progress.show(applied / expected, [
      `${grouped(pace.now(applied)).padStart(6)} messages/s`,
      // Every confirmed flight is two messages in the end: one for each airport.
      `backlog ${grouped(Math.max(0, 2 * sender.confirmed - applied)).padStart(6)}`,
      `retries ${fleet.count("retries")}`,
      `dead letters ${fleet.count("deadLetters")}`,
    ]);
    if (applied >= expected) seconds ??= pace.seconds;
    const isDone = isSent && crash !== undefined && applied >= expected;
    return { isDone, mark: `${applied} ${sender.confirmed} ${fleet.count("deadLetters")}` };
  });
  // Sending and crash are part of what is looked at; awaited here, they only bring their errors.
  const isDone = await Promise.race([looked, Promise.all([sent, crashed]).then(() => looked)]);
  seconds ??= pace.seconds;
  progress.clear();
  if (!isDone) {
    progress.say(
      `  WRONG: nothing has changed for ${stallMs / 1000} s, ${grouped(applied)} of ${grouped(expected)} messages are applied`,
    );
  }

  const letters = await senders.timetable.deadLetters.list({}, { limit: plan.flights.length });
  const figures: Figures = { plan, sender, fleet, crash, letters, applied, seconds, perSecondBeforeCrash };
  const failures = failuresIn(checksOf(figures));
  for (const line of ["", ...drawSummary(figures), ...failures, ""]) progress.say(line);
  return isDone && failures.length === 0;
}

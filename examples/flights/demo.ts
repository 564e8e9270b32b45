/**
 * The story of the demo.
 *
 * 1. All flights are sent: good messages, bad ones, some twice. In the middle a node is killed, and started again.
 * 2. What the actors hold is compared with what the data file says: all flights but those whose messages cannot be applied yet.
 * 3. The nodes are restarted with the fixed definitions, the dead letters are redriven, and now the actors must hold all flights.
 */
import { isDeadBeforeFix, type Plan, planOf } from "./bad-messages.ts";
import { airportsOf, type Flight, readFlights, totalsOf } from "./data.ts";
import { readTotals } from "./observe.ts";
import type { Options } from "./options.ts";
import type { Progress } from "./progress.ts";
import { redrive } from "./redrive.ts";
import { replay } from "./replay.ts";
import { type OnEnd, type Stage, setStage } from "./stage.ts";
import { compare, drawTable, grouped } from "./table.ts";

/** Runs the demo; true when everything was proven. `onEnd` is given what ends the things that were started. */
export async function runDemo(options: Options, progress: Progress, onEnd: OnEnd): Promise<boolean> {
  const startedAt = Date.now();
  const plan = planOf(await readFlights(options.flights));
  const { flights, schema, poison, flaky, repeated } = plan;
  const airports = airportsOf(flights);
  progress.say(`Replaying ${grouped(flights.length)} flights between ${airports.length} airports`);
  progress.say();
  progress.say("  actors      one per airport; a flight is DEPARTED to its origin, which tells ARRIVED to the other");
  progress.say(
    `  trouble     ${schema} messages the schema refuses, ${poison} poison, ${flaky} flaky, ${repeated} sent twice`,
  );
  const stage = await setStage(options, progress, onEnd);
  const isProven = await Promise.race([prove(plan, stage, progress), stage.fleet.failed]);
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(0);
  progress.say();
  progress.say(isProven ? `Proven in ${seconds} s` : "Not proven: see above");
  if (options.keep) for (const line of ["", ...stage.leaveRunning()]) progress.say(line);
  return isProven;
}

async function prove(plan: Plan, stage: Stage, progress: Progress): Promise<boolean> {
  progress.say("\nThe replay, with a crash in the middle");
  const isReplayed = await replay(plan, stage, progress);
  const applicable = plan.flights.filter((flight) => !isDeadBeforeFix(flight));
  progress.say(`  All flights but the ${plan.dead} that cannot be applied yet:\n`);
  if (!(await show(applicable, plan, stage, progress)) || !isReplayed) return false;

  progress.say("\nThe fix");
  const isRedriven = await redrive(plan, stage, progress);
  progress.say("  All flights:\n");
  return (await show(plan.flights, plan, stage, progress)) && isRedriven;
}

/** Compares what the actors hold with what these flights say, and shows it; true when they agree. */
async function show(
  flights: readonly Flight[],
  plan: Plan,
  { senders, airport }: Stage,
  progress: Progress,
): Promise<boolean> {
  const held = await readTotals(senders.timetable, airport, airportsOf(plan.flights));
  const comparison = compare(totalsOf(flights), held);
  progress.say(drawTable(comparison));
  return comparison.isExact;
}

/** What the replay has shown, in figures; and which of them are not as they must be. */
import type { DeadLetterSummary } from "../../index.ts";
import { maxAttempts } from "./airport.ts";
import type { Plan } from "./bad-messages.ts";
import type { Crash } from "./crash.ts";
import type { Fleet } from "./fleet.ts";
import type { FlightSender } from "./send-flights.ts";
import { grouped } from "./table.ts";

/** What was counted during the replay. */
export interface Figures {
  readonly plan: Plan;
  readonly sender: FlightSender;
  readonly fleet: Fleet;
  readonly crash: Crash | undefined;
  readonly letters: readonly DeadLetterSummary[];
  /** Messages that the actors have applied. */
  readonly applied: number;
  readonly seconds: number;
  readonly perSecondBeforeCrash: number;
}

/** Draws the summary, a line for each figure. */
export function drawSummary(figures: Figures): string[] {
  const { plan, sender, fleet, crash, letters, applied, seconds, perSecondBeforeCrash } = figures;
  const latencies = fleet.latencies();
  const reasons = [...new Set(letters.map(({ reason }) => reason))].sort();
  const line = (name: string, value: string) => `  ${name.padEnd(22)}${value}`;
  return [
    line(
      "throughput",
      `${grouped(perSecondBeforeCrash)} messages/s before the crash, ${grouped(applied / seconds)}/s over all (${grouped(applied)} in ${seconds.toFixed(1)} s)`,
    ),
    line(
      "from send to commit",
      `p50 ${shortTime(latencies.quantile(0.5))}, p99 ${shortTime(latencies.quantile(0.99))} (p99: what waited for the takeover)`,
    ),
    line("retries", grouped(fleet.count("retries"))),
    line(
      "duplicates recognised",
      `${grouped(recognised(sender))} of ${grouped(plan.repeated)} messages sent twice (${sender.recognisedByLog} by the log, ${sender.recognisedByActor} by the actors)`,
    ),
    ...(crash === undefined
      ? []
      : [
          line(
            "takeover",
            `${shortTime(crash.takeoverMs)} after the SIGKILL of ${crash.node}, for all of its ${crash.partitions} partitions`,
          ),
        ]),
    line("dead letters", grouped(letters.length)),
    ...reasons.map((reason) => {
      const some = letters.filter((letter) => letter.reason === reason);
      return line(`  ${some.length} ${reason}`, wrap((some[0] as DeadLetterSummary).explanation));
    }),
  ];
}

/** A number that must be another one. */
export interface Check {
  readonly what: string;
  readonly found: number;
  readonly expected: number;
}

/** What must be true of the replay beside the totals of the airports. */
export function checksOf({ plan, sender, letters }: Figures): Check[] {
  const count = (isMeant: (letter: DeadLetterSummary) => boolean) => letters.filter(isMeant).length;
  return [
    {
      what: "messages refused by the schema",
      found: count(({ reason }) => reason === "schema"),
      expected: plan.schema,
    },
    {
      // Exactly so many, whoever dies: the attempts before the last one are committed, and while the message holds the others back its actor's state stays as it is.
      what: `messages given up after ${maxAttempts} attempts`,
      found: count(({ reason, attemptCount }) => reason === "attempts" && attemptCount === maxAttempts),
      expected: plan.poison,
    },
    { what: "dead letters in all", found: letters.length, expected: plan.dead },
    { what: "duplicates recognised", found: recognised(sender), expected: plan.repeated },
  ];
}

/** Says which checks have failed, a line for each. */
export function failuresIn(checks: readonly Check[]): string[] {
  return checks
    .filter(({ found, expected }) => found !== expected)
    .map(({ what, found, expected }) => `  WRONG: ${what}: ${grouped(found)}, expected ${grouped(expected)}`);
}

function recognised({ recognisedByLog, recognisedByActor }: FlightSender): number {
  return recognisedByLog + recognisedByActor;
}

/** Breaks a text into lines that stand below each other in the second column. */
function wrap(text: string): string {
  const lines = text.match(/.{1,74}(\s|$)|\S+/g) ?? [];
  return lines.map((line) => line.trimEnd()).join(`\n${" ".repeat(24)}`);
}

function shortTime(ms: number): string {
  return ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
}

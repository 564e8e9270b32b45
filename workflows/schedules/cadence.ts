/**
 * Cadences: when the ticks of a schedule come, by a cron expression or an interval.
 *
 * 1. A cadence is a function of its expression: the same time has the same next tick in every process.
 * 2. An interval is counted from 1970, so that its ticks do not depend on when it was started.
 * 3. When clocks are put forward, a tick in the hour that does not exist comes as much later; when they are put back, one at a fixed hour comes once, and one of every hour in both.
 */
import * as Cron from "effect/Cron";
import * as Result from "effect/Result";
import { durationMs, shown } from "../../runtime/supervise/check-options.ts";

/** When ticks come; times are milliseconds since 1970. */
export interface Cadence {
  /** The first tick after a time; undefined when none comes any more. */
  next(after: number): number | undefined;
  /** How many ticks there are after one time and before another; those of a cron are counted up to `most`. */
  count(after: number, before: number, most: number): number;
}

const leastEveryMs = 1000;

/** Reads the options that make a cadence; what is wrong with them goes into `problems`. */
export function readCadence(options: Readonly<Record<string, unknown>>, problems: string[]): Cadence | undefined {
  const { cron, timeZone, every, offset } = options;
  if ((cron === undefined) === (every === undefined)) {
    problems.push(
      cron === undefined
        ? 'cron and every are missing: use cron: "0 2 * * *" or every: "15 minutes"'
        : "cron and every are both given: use one of them",
    );
    return undefined;
  }
  if (cron !== undefined) {
    if (offset !== undefined) problems.push("offset has no effect with cron: leave it out, or use every");
    return readCron(cron, timeZone, problems);
  }
  if (timeZone !== undefined) problems.push("timeZone has no effect with every: leave it out, or use cron");
  const everyMs = durationMs(every, "every", problems);
  const offsetMs = offset === undefined ? 0 : durationMs(offset, "offset", problems);
  if (everyMs === undefined || offsetMs === undefined) return undefined;
  if (everyMs < leastEveryMs) problems.push(`every is ${shown(every)}: use at least "1 second"`);
  else if (offsetMs >= everyMs)
    problems.push(`offset is ${shown(offset)}: use less than every, which is ${shown(every)}`);
  else return interval(everyMs, offsetMs);
  return undefined;
}

function interval(everyMs: number, offsetMs: number): Cadence {
  const next = (after: number): number => (Math.floor((after - offsetMs) / everyMs) + 1) * everyMs + offsetMs;
  return {
    next,
    count: (after, before) => Math.max(0, Math.ceil((before - next(after)) / everyMs)),
  };
}

function readCron(cron: unknown, timeZone: unknown, problems: string[]): Cadence | undefined {
  const found = problems.length;
  if (typeof cron !== "string") {
    problems.push(`cron is ${shown(cron)}: use five fields, minute hour day month weekday, as in "0 2 * * *"`);
  }
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    problems.push(`timeZone is ${shown(timeZone)}: use a name such as "Europe/Berlin" or "UTC"`);
  }
  if (typeof cron !== "string") return undefined;
  const fields = cron.trim().split(/\s+/);
  // A fixed hour is meant once a day; of every hour the one that comes twice is meant twice.
  const onDstOverlap = fields.at(-4) === "*" ? "both" : "earlier";
  const zone = isTimeZone(timeZone) ? (timeZone as string) : "UTC";
  const parsed = Cron.parse(cron, zone, { onDstOverlap });
  if (Result.isFailure(parsed)) {
    problems.push(`cron is ${shown(cron)}: ${whatIsWrong(fields, parsed.failure.message)}`);
    return undefined;
  }
  const next = (after: number): number | undefined => {
    try {
      return Cron.next(parsed.success, new Date(after)).getTime();
    } catch {
      // It throws when it finds no date within many years.
      return undefined;
    }
  };
  if (next(0) === undefined) problems.push(`cron is ${shown(cron)}: no date fits it`);
  if (problems.length > found) return undefined;
  return {
    next,
    count(after, before, most) {
      let counted = 0;
      let at = next(after);
      while (at !== undefined && at < before && counted < most) {
        counted++;
        at = next(at);
      }
      return counted;
    },
  };
}

const fieldNames = ["second", "minute", "hour", "day", "month", "weekday"];

/** Says which field is wrong: each one is tried alone. */
function whatIsWrong(fields: readonly string[], why: string): string {
  if (fields.length !== 5 && fields.length !== 6) {
    return `it has ${fields.join("") === "" ? 0 : fields.length} fields: use five, minute hour day month weekday, or six with the second before them`;
  }
  const names = fieldNames.slice(6 - fields.length);
  const wrong = fields.flatMap((field, at) => {
    const alone = Cron.parse(fields.map((_, other) => (other === at ? field : "*")).join(" "));
    return Result.isFailure(alone) ? [`its ${names[at]} is ${shown(field)} (${lower(alone.failure.message)})`] : [];
  });
  return wrong.length === 0 ? lower(why) : wrong.join(", ");
}

function lower(text: string): string {
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}

function isTimeZone(name: unknown): boolean {
  if (typeof name !== "string") return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

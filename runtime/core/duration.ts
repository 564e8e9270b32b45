/** Durations where no library is at hand: what an error carries from a machine or an activity. */

/** A duration: milliseconds, or a number with its unit, as Effect's `Duration.Input` reads them. */
export type DurationInput =
  | number
  | `${number} ${"milli" | "millis" | "second" | "seconds" | "minute" | "minutes" | "hour" | "hours" | "day" | "days"}`;

/** What a `Duration` of Effect looks like. */
export interface EffectDuration {
  readonly "~effect/Duration": "~effect/Duration";
  readonly value: { readonly _tag: string; readonly millis?: number; readonly nanos?: bigint };
}

const unitsMs: Readonly<Record<string, number>> = {
  milli: 1,
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
};

/** Reads a duration as whole milliseconds; undefined when it is none, is negative, or has no end. */
export function readDurationMs(value: unknown): number | undefined {
  const ms = typeof value === "string" ? textMs(value) : isEffectDuration(value) ? effectMs(value) : value;
  return typeof ms === "number" && Number.isFinite(ms) && ms >= 0 ? Math.round(ms) : undefined;
}

function textMs(text: string): number | undefined {
  const match = /^(-?\d+(?:\.\d+)?)\s+(milli|second|minute|hour|day|week)s?$/.exec(text);
  return match === null ? undefined : Number(match[1]) * (unitsMs[match[2] as string] as number);
}

function isEffectDuration(value: unknown): value is EffectDuration {
  return typeof value === "object" && value !== null && "~effect/Duration" in value;
}

function effectMs({ value }: EffectDuration): number | undefined {
  return value._tag === "Nanos" ? Number(value.nanos) / 1e6 : value.millis;
}

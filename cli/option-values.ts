/** Values of options: texts of the command line, read into what the library takes. Each throws an error whose message says what to use. */

import { availableParallelism } from "node:os";
import { nearestName } from "../runtime/supervise/check-options.ts";
import { type WorkflowStatus, workflowStatuses } from "../workflows/workflow-status.ts";

const unitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  milli: 1,
  millis: 1,
  millisecond: 1,
  milliseconds: 1,
  s: 1000,
  sec: 1000,
  second: 1000,
  seconds: 1000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  minutes: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  hours: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  days: 86_400_000,
};

/** Reads `500ms`, `5s`, `2 minutes`, or a bare number of milliseconds. */
export function readDuration(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text);
  const unit = match?.[2]?.toLowerCase() ?? "";
  const factor = unit === "" ? 1 : Object.hasOwn(unitsMs, unit) ? unitsMs[unit] : undefined;
  if (match === null || factor === undefined) throw new Error('Use a duration such as "500ms", "5s" or "2m".');
  return Math.round(Number(match[1]) * factor);
}

/** Reads a whole number from `least` on. */
export function readCount(text: string, least = 1): number {
  const count = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(count) || count < least) throw new Error(`Use a whole number from ${least}.`);
  return count;
}

/** Reads how many workers there are; `auto` is one for each core that the process may use. */
export function readWorkers(text: string): number {
  if (text.trim() === "auto") return availableParallelism();
  try {
    return readCount(text);
  } catch {
    throw new Error('Use a whole number from 1, or "auto".');
  }
}

/** Reads a duration of at least 50 ms, or `off`. */
export function readWatchdog(text: string): number | "off" {
  if (text.trim() === "off") return "off";
  const ms = readDuration(text);
  if (ms < 50) throw new Error('Use at least 50ms, or "off".');
  return ms;
}

/** Reads where to begin among events: `new`, `start`, or the sequence of the last event that is not wanted. */
export function readPlace(text: string): "new" | "start" | { readonly after: number } {
  if (text === "new" || text === "start") return text;
  try {
    return { after: readCount(text, 0) };
  } catch {
    throw new Error('Use "new", "start", or the seq of an event.');
  }
}

/** Reads a port; 0 is any free one. */
export function readPort(text: string): number {
  const port = readCount(text, 0);
  if (port > 65_535) throw new Error("Use a port from 0 to 65535.");
  return port;
}

/** Reads a time: a date, or how long ago in milliseconds. */
export function readMoment(text: string): Date | number {
  const date = /^\d{4}-\d\d/.test(text.trim()) ? new Date(text.trim()) : undefined;
  if (date !== undefined && !Number.isNaN(date.getTime())) return date;
  try {
    return readDuration(text);
  } catch {
    throw new Error('Use how long ago, such as "2h", or a date, such as "2026-01-31".');
  }
}

/** Reads the statuses of workflows, with commas between. */
export function readStatuses(text: string): readonly WorkflowStatus[] {
  return text.split(",").map((part) => {
    const status = workflowStatuses.find((each) => each === part.trim());
    if (status !== undefined) return status;
    const near = nearestName(part.trim(), workflowStatuses);
    throw new Error(near === undefined ? `Use ${workflowStatuses.join(", ")}.` : `Did you mean ${near}?`);
  });
}

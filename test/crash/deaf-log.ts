/** A log that tells its node late who owns what: such a node believes for a while to own what it has lost. */
import { Subjects } from "../../runtime/core/subjects.ts";
import type { Log, ReadOptions } from "../../runtime/log/log.ts";

/** Delays leases and signs of life by `deafMs`, and finds no leases when it is asked for them; all else is as the given log does it. */
export function deafen(log: Log, space: string, deafMs: number): Log {
  const leases = new Subjects(space).leases();
  const isLease = (subject: string) => subject.endsWith(".lease");
  const changed: Partial<Log> = {
    read: (stream, options) => log.read(stream, options.filters.includes(leases) ? late(options, deafMs) : options),
    lastMany: async (stream, subjects) =>
      subjects.some(isLease) ? subjects.map(() => undefined) : log.lastMany(stream, subjects),
  };
  return new Proxy(log, {
    get(target, name) {
      const own = changed[name as keyof Log];
      if (own !== undefined) return own;
      const value = Reflect.get(target, name, target) as unknown;
      // The log's own methods need its private fields.
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function late(options: ReadOptions, delayMs: number): ReadOptions {
  return {
    ...options,
    onRecord: (record) => setTimeout(() => options.onRecord(record), delayMs),
    onCaughtUp: () => setTimeout(() => options.onCaughtUp?.(), delayMs),
  };
}

/**
 * The time of the durable step that is being taken, for the functions of a machine: guards, assigns and expressions.
 *
 * 1. Within a step it is the step's own time, the same at every attempt: what is made of it is reproducible (I7). The clock is not.
 * 2. It is gone when the step is over, also when the step throws, and a step within a step gives it back.
 */

interface StepClock {
  at: number | undefined;
}

// A symbol of the registry: a machine may come from another copy of the package, and asks that one.
const clockKey = Symbol.for("statewright.step-time");
const holder = globalThis as { [clockKey]?: StepClock };
holder[clockKey] ??= { at: undefined };
const clock: StepClock = holder[clockKey];

/**
 * Returns the time, milliseconds since 1970: within a step of a durable machine that of the step, and elsewhere that of the clock.
 *
 * *Details* For guards, assigns, delays and other functions of a machine that must give the same when they are run again, as they are after a crash. In custom actions, activities and
 * live children, which run after the step, it is `Date.now()`.
 *
 * ```ts
 * assign({ askedAt: () => now() })
 * ```
 */
export function now(): number {
  return clock.at ?? Date.now();
}

/** Runs a step at a time. */
export function atStepTime<R>(at: number, take: () => R): R {
  const before = clock.at;
  clock.at = at;
  try {
    return take();
  } finally {
    clock.at = before;
  }
}

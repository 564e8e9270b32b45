/** What `defineActivity` leaves on the promise logic that it makes, for the driver and the engine to find. */

const metaKey = Symbol.for("statewright.activity");

/** What is known of an activity without running it. */
export interface ActivityMeta {
  /** The name under which workers take its tasks. */
  readonly name: string;
  /** From the first attempt's task to the end of the last attempt, in milliseconds; undefined: no limit. */
  readonly timeoutMs: number | undefined;
}

/** Marks promise logic as an activity. */
export function markActivity<Logic extends object>(logic: Logic, meta: ActivityMeta): Logic {
  return Object.defineProperty(logic, metaKey, { value: meta, enumerable: false });
}

/** What is known of an activity; undefined for promise logic that was made by `fromPromise`. */
export function activityMetaOf(logic: object): ActivityMeta | undefined {
  return (logic as { [metaKey]?: ActivityMeta })[metaKey];
}

/**
 * Long times in tests: a year passes in a moment.
 *
 * A node that is awake does a hundred thousand things in an hour. So while no timer is due all nodes are stopped, as by SIGSTOP, and are awake again in good time
 * before the next one.
 */

import { decodeRecord, type TimerRecord } from "../runtime/core/records.ts";
import { Subjects } from "../runtime/core/subjects.ts";
import type { MemoryBroker } from "../runtime/memory/memory-broker.ts";
import type { VirtualTime } from "../runtime/memory/virtual-time.ts";

/** What {@link passTime} needs of a node. */
export interface Sleeper {
  readonly isFrozen: boolean;
  freeze(): void;
  thaw(): void;
}

/** After a message or a timer nodes stay awake for so long: what follows from it comes to an end. */
const awakeMs = 15_000;
/** So long before a timer is due they are awake again: they have to find out what is theirs. */
const aheadMs = 5_000;
/** Shorter sleeps are not worth it. */
const leastSleepMs = 600_000;

/** Lets so much time pass, in milliseconds. */
export async function passTime(
  ms: number,
  time: VirtualTime,
  broker: MemoryBroker,
  spaceName: string,
  nodes: () => readonly Sleeper[],
): Promise<void> {
  const timers = new Subjects(spaceName).timers();
  const endMs = time.elapsed() + ms;
  while (endMs - time.elapsed() > awakeMs + leastSleepMs) {
    const dueMs = nextDueMs(broker, timers, time.now());
    await time.advance(awakeMs);
    // What follows from a timer that was just due is under way.
    if (dueMs <= time.now()) continue;
    const offsetMs = time.now() - time.elapsed();
    const wakeMs = Math.min(endMs, nextDueMs(broker, timers, time.now()) - offsetMs - aheadMs);
    if (wakeMs - time.elapsed() < leastSleepMs) continue;
    const asleep = nodes().filter((node) => !node.isFrozen);
    for (const node of asleep) node.freeze();
    await time.advance(wakeMs - time.elapsed());
    for (const node of asleep) node.thaw();
  }
  await time.advance(endMs - time.elapsed());
}

/** When the next timer is due that is in the log, whether or not it is still wanted. */
function nextDueMs(broker: MemoryBroker, timers: string, nowMs: number): number {
  let nextMs = Number.POSITIVE_INFINITY;
  for (const record of broker.records("core", timers)) {
    const { at } = decodeRecord<TimerRecord>("a timer", record.data);
    if (at > nowMs && at < nextMs) nextMs = at;
  }
  return nextMs;
}

/**
 * When a child actor that has failed is begun again, and when it ends with its error.
 *
 * 1. Failures count as long as they come one soon after the other: a child that goes on for {@link healthyMs} without one, or for its last delay when that is longer,
 *    starts to count anew.
 * 2. Everything that the rule looks at is in the child's stored state, so the count survives crashes and the answer is the same whenever it is given (I7).
 */
import { type Address, formatAddress } from "../core/address.ts";
import type { Birth } from "../core/envelope.ts";
import type { FailureSeries, Waiting } from "../core/records.ts";
import type { RestartRule } from "../machine/driver.ts";
import type { RetryState } from "../supervise/retry-delays.ts";
import type { RunnableDefinition } from "./definition.ts";
import { drawsFor } from "./draws.ts";
import type { Head } from "./head.ts";
import { driverOf } from "./logic-of.ts";

/** A child that went on for so long after it was begun again has done well. */
const healthyMs = 60_000;

/** The rule for a child; undefined when its failures end it. */
export function restartRule(
  definition: RunnableDefinition | undefined,
  child: Address,
  birth: Birth | undefined,
): RestartRule | undefined {
  const policy = birth === undefined ? undefined : definition?.restart(birth.src);
  if (birth === undefined || policy === undefined) return undefined;
  return (error, now, earlier): FailureSeries | undefined => {
    const series = earlier === undefined || hasDoneWell(earlier, now) ? undefined : earlier;
    const count = (series?.count ?? 0) + 1;
    const since = series?.since ?? now;
    const next = policy.next(series?.memory as RetryState | undefined, {
      error,
      attempt: count,
      nowMs: now,
      elapsedMs: now - since,
      random: drawsFor(`${formatAddress(child)} ${birth.n} ${since} ${count}`),
    });
    if (!next.retry) return undefined;
    // What a schedule remembers cannot be stored: it goes on from the count.
    const memory = typeof next.state === "number" ? { memory: next.state } : {};
    return { count, since, delayMs: Math.round(next.delayMs), ...memory };
  };
}

function hasDoneWell({ begunAt, delayMs }: FailureSeries, now: number): boolean {
  return begunAt !== undefined && now - begunAt >= Math.max(healthyMs, delayMs);
}

/** What an actor waits for before it takes anything else: to be begun again. Undefined for nearly all. */
export function awaitedRestart(
  definition: RunnableDefinition | undefined,
  { status, state, birth }: Pick<Head, "status" | "state" | "birth">,
): Waiting["restart"] {
  if (status !== "error" || birth === undefined || state === undefined || definition === undefined) return undefined;
  return driverOf(definition, birth).restartTimer(state);
}

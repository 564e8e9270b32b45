/**
 * What waits for an actor outside its mailbox: messages that failed and are tried again, and those that stand in line behind them, behind a dead letter, or
 * for a child that has failed and is to be begun again.
 *
 * 1. Every message that waits has a number that no other message of the actor ever has, and a record under it that was written with the state that says so.
 * 2. A message is in one place: in the mailbox (behind the cursor), among the retries, or in line. The commit that moves it is the one that says so.
 * 3. Those in line are taken in the order of their numbers, and before everything in the mailbox (I4).
 *
 * All functions are pure; `undefined` stands for an actor that nothing waits for.
 */
import type { Waiting, WaitingRetry } from "../core/records.ts";

/** So many messages of an actor wait for another attempt beside each other; the next that fails holds the others. */
export const maxRetries = 200;

/** True for the names of the timers that wake what waits; those of machines are numbers. */
export function isWaitingTimer(timer: string): boolean {
  return timer.startsWith("r") || timer.startsWith("l");
}

/** The name of the timer that wakes a message for its next attempt. */
export function retryTimer(n: number, attempt: number): string {
  return `r${n}-${attempt}`;
}

/** The name of the timer that says that a line can be taken. */
export function lineTimer(first: number): string {
  return `l${first}`;
}

/** The number in the name of a timer that wakes a message. */
export function numberIn(timer: string): number {
  return Number.parseInt(timer.slice(1), 10);
}

/** True while one of the timers that wake what waits is set. */
export function hasWaitingTimer(waiting: Waiting | undefined, timer: string): boolean {
  if (waiting === undefined) return false;
  if (timer.startsWith("l")) return isLineOpen(waiting);
  const n = numberIn(timer);
  const retry = waiting.retries?.[n];
  return retry !== undefined && timer === retryTimer(n, retry.attempt);
}

/** True for a timer of the actor's machine whose event failed: it comes again as a retry. */
export function isRetriedTimer(waiting: Waiting | undefined, timer: string): boolean {
  return Object.values(waiting?.retries ?? {}).some((retry) => retry.timer === timer);
}

/** The retry that no other message is taken before; undefined: there is none. */
export function holdOf(waiting: Waiting | undefined): { readonly n: number; readonly retry: WaitingRetry } | undefined {
  for (const [n, retry] of Object.entries(waiting?.retries ?? {})) {
    if (retry.hold === true) return { n: Number(n), retry };
  }
  return undefined;
}

/** True while the actor takes no message from its mailbox and none of those in line. */
export function isBlocked(waiting: Waiting | undefined): boolean {
  if (waiting === undefined) return false;
  return waiting.parked !== undefined || waiting.restart !== undefined || holdOf(waiting) !== undefined;
}

/** The number of the message that stands first in line; undefined: there is none. */
export function firstInLine(waiting: Waiting | undefined): number | undefined {
  if (waiting === undefined) return undefined;
  for (let n = waiting.from; n < waiting.next; n++) if (isInLine(waiting, n)) return n;
  return undefined;
}

/** True for a number that stands in line. */
export function isInLine(waiting: Waiting, n: number): boolean {
  return (
    n >= waiting.from && n < waiting.next && waiting.retries?.[n] === undefined && waiting.gone?.includes(n) !== true
  );
}

/** True when messages stand in line and can be taken. */
export function isLineOpen(waiting: Waiting | undefined): boolean {
  return firstInLine(waiting) !== undefined && !isBlocked(waiting);
}

/** True while the message waits. */
export function isWaiting(waiting: Waiting | undefined, n: number): boolean {
  return waiting !== undefined && (waiting.retries?.[n] !== undefined || isInLine(waiting, n));
}

/** The number that the next message gets. `revision` is that of the commit: larger than every number before. */
export function nextNumber(waiting: Waiting | undefined, revision: number): number {
  return waiting?.next ?? revision;
}

/** A message was put at the end of the line. */
export function lined(waiting: Waiting | undefined, revision: number): Waiting {
  const n = nextNumber(waiting, revision);
  return { ...(waiting ?? { from: n }), next: n + 1 };
}

/** A message, waiting already or not, waits for its next attempt. */
export function retried(waiting: Waiting | undefined, n: number, retry: WaitingRetry): Waiting {
  const { from, next } = waiting ?? { from: n, next: n };
  return trimmed({
    ...waiting,
    from,
    next: Math.max(next, n + 1),
    retries: { ...waiting?.retries, [n]: retry },
  });
}

/** A message that waited was handled. */
export function settled(waiting: Waiting | undefined, n: number): Waiting | undefined {
  if (waiting === undefined) return undefined;
  const { retries = {}, gone = [], ...rest } = waiting;
  const { [n]: _, ...others } = retries;
  return emptied({
    ...rest,
    ...(Object.keys(others).length === 0 ? {} : { retries: others }),
    gone: [...gone, n],
  });
}

/** The actor takes no message until the letter is redriven or dropped, or the actor is released. */
export function parked(waiting: Waiting | undefined, revision: number, letter: string, at: number): Waiting {
  return { ...(waiting ?? { from: revision, next: revision }), parked: { letter, at } };
}

/** The actor takes messages again. */
export function released(waiting: Waiting | undefined): Waiting | undefined {
  if (waiting === undefined) return undefined;
  const { parked: _, ...rest } = waiting;
  return emptied(rest);
}

/** The actor takes no message until it is begun again; undefined: it takes messages. */
export function restarting(
  waiting: Waiting | undefined,
  revision: number,
  restart: Waiting["restart"],
): Waiting | undefined {
  if (waiting?.restart?.timer === restart?.timer) return waiting;
  if (restart !== undefined) return { ...(waiting ?? { from: revision, next: revision }), restart };
  const { restart: _, ...rest } = waiting as Waiting;
  return emptied(rest);
}

/** Begins with the first that stands in line. */
function trimmed({ gone, ...waiting }: Waiting): Waiting {
  const all = { ...waiting, ...(gone === undefined ? {} : { gone }) };
  const from = firstInLine(all) ?? waiting.next;
  const left = gone?.filter((n) => n > from) ?? [];
  return { ...waiting, from, ...(left.length === 0 ? {} : { gone: left }) };
}

/** Undefined when nothing waits any more. */
function emptied(waiting: Waiting): Waiting | undefined {
  const rest = trimmed(waiting);
  const isEmpty = rest.parked === undefined && rest.restart === undefined && rest.retries === undefined;
  return isEmpty && rest.from === rest.next ? undefined : rest;
}

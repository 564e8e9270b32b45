/** The names that tasks of activities go by: each the same in every process, for ever. */
import { createHash } from "node:crypto";
import { type Address, formatAddress } from "../core/address.ts";
import { toToken } from "../core/names.ts";
import type { TaskRecord } from "../core/records.ts";

/** Names the work queue of an activity. */
export function queueName(activity: string): string {
  return /^[A-Za-z0-9_-]{1,60}$/.test(activity) ? `a-${activity}` : `h-${hashOf(activity)}`;
}

/** Names a task among those of its activity, in the records of limits. */
export function taskName(subject: string): string {
  // sw space core partition task activity type id n-attempt
  const name = subject.split(".").slice(6).join(".");
  return name.length <= 100 ? name : `h-${hashOf(name)}`;
}

/** What is left for the tail of a key of the actor's own, however long it is. */
const ownKeyReserve = 10;

/** The same for all attempts of one invocation, fit for a header. With a `key` of the actor's own it is the same for all invocations that have it. */
export function idempotencyKey(space: string, actor: Address, n: number, key?: string): string {
  const readable = `${space}.${actor.type}.${toToken(actor.id)}`;
  const tail = `.${key ?? n}`;
  // A key of the actor's own does not make its address be told otherwise: a handler may take the key apart.
  const length = readable.length + (key === undefined ? tail.length : ownKeyReserve);
  return `${length <= 200 ? readable : `${space}.${hashOf(formatAddress(actor))}`}${tail}`;
}

/** Names the result of an attempt within the mailbox of its actor: there is one at most. */
export function resultName({ n, attempt }: TaskRecord): string {
  return `r${n}-${attempt}`;
}

/** The message id of an attempt's result. */
export function resultId(task: TaskRecord): string {
  return `${hashOf(task.actor)}.${resultName(task)}`;
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

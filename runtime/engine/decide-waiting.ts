/** What becomes of a message that is to be handled later: it moves from the mailbox into a record of its own, in the commit that says so in the state. */
import type { Envelope } from "../core/envelope.ts";
import { recordFormat, type WaitingRecord } from "../core/records.ts";
import { fittingAttempts } from "./decide-dead.ts";
import { type Decision, kept } from "./decision.ts";
import type { RunnableDefinition } from "./definition.ts";
import type { Delivery, NextAttempt } from "./delivery.ts";
import type { DecideEnv, Given } from "./given.ts";
import type { Head } from "./head.ts";
import { envelopeOf } from "./message.ts";
import type { OutboxItem, SizeLimits } from "./outbox.ts";
import { lined, nextNumber, retried, retryTimer } from "./waiting.ts";

/** An attempt failed, and another is made when its time has come. */
export function decideRetry(
  definition: RunnableDefinition | undefined,
  head: Head,
  delivery: Delivery,
  env: DecideEnv,
  next: NextAttempt,
): Decision {
  const n = delivery.waiting ?? nextNumber(head.waiting, head.revision + 1);
  const attempt = delivery.attemptCount + 1;
  const retry = {
    at: next.at,
    attempt,
    ...(next.isHold ? { hold: true as const } : {}),
    ...(delivery.timer === undefined ? {} : { timer: delivery.timer }),
  };
  const given = givenOf(definition, head, delivery, env);
  return kept(given, "failed", head.value, {
    outbox: [
      ...waitingItems(given.envelope, delivery, n, env.limits),
      { kind: "timer", timer: retryTimer(n, attempt), atMs: next.at },
    ],
    waiting: (before) => retried(before, n, retry),
    failure: { attempt: delivery.attemptCount, error: next.error, retryAt: next.at },
  });
}

/** The actor takes nothing now: the message is put at the end of those that stand in line. */
export function decideLine(
  definition: RunnableDefinition | undefined,
  head: Head,
  delivery: Delivery,
  env: DecideEnv,
): Decision {
  const given = givenOf(definition, head, delivery, env);
  const n = nextNumber(head.waiting, head.revision + 1);
  return kept(given, "waiting", head.value, {
    outbox: waitingItems(given.envelope, delivery, n, env.limits),
    waiting: (before, revision) => lined(before, revision),
  });
}

function givenOf(definition: RunnableDefinition | undefined, head: Head, delivery: Delivery, env: DecideEnv): Given {
  let envelope: Envelope | undefined;
  try {
    envelope = envelopeOf(definition, head, delivery, env.now);
  } catch {
    // What cannot be read is found out when its turn has come.
    envelope = undefined;
  }
  return { definition, head, delivery, env, envelope };
}

function waitingItems(envelope: Envelope | undefined, delivery: Delivery, n: number, limits: SizeLimits): OutboxItem[] {
  const { stream, seq, subject, data, attempts, attemptCount, firstAt, retryState, timer, atMs = 0 } = delivery;
  const isLarge = data.length > Math.min(65_536, limits.maxRecordBytes / 4);
  const record: WaitingRecord = {
    format: recordFormat,
    ...(timer === undefined ? messageIn(envelope, data, isLarge) : { timer: { name: timer, at: atMs } }),
    source: { stream, seq, subject },
    attempts: fittingAttempts(attempts, limits.maxRecordBytes / 4),
    attemptCount,
    firstAt,
    // A schedule's memory cannot be stored: it is stepped again.
    ...(typeof retryState === "number" ? { retry: retryState } : {}),
  };
  const items: OutboxItem[] = [{ kind: "wait", n, json: JSON.stringify(record) }];
  // The body of a message that waits already is stored.
  if (isLarge && delivery.waiting === undefined) items.push({ kind: "wait-body", n, data });
  return items;
}

function messageIn(
  envelope: Envelope | undefined,
  data: Uint8Array,
  isLarge: boolean,
): Pick<WaitingRecord, "envelope" | "raw" | "body"> {
  if (isLarge) return { body: true };
  return envelope === undefined ? { raw: Buffer.from(data).toString("base64") } : { envelope };
}

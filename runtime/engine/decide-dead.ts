/** What becomes of a message that cannot be applied. */
import { createHash } from "node:crypto";
import { formatAddress, parseAddress } from "../core/address.ts";
import { fromStored, toStored } from "../core/codec.ts";
import type { Birth, Envelope } from "../core/envelope.ts";
import {
  type DeadReason,
  type FailedAttempt,
  fromStoredError,
  type LetterEvent,
  type LetterRecord,
  recordFormat,
  type StoredSnapshot,
  toStoredError,
} from "../core/records.ts";
import type { MachineDriver, Step, StepEnv } from "../machine/driver.ts";
import { failed } from "../machine/ledger.ts";
import { type Beside, type Decision, kept, lifts, stepped } from "./decision.ts";
import type { RunnableDefinition } from "./definition.ts";
import type { Delivery } from "./delivery.ts";
import { type DecideEnv, type Given, stepEnvOf } from "./given.ts";
import type { Head } from "./head.ts";
import { letterItems } from "./letter-items.ts";
import { driverOf } from "./logic-of.ts";
import { envelopeOf } from "./message.ts";
import { type OutboxItem, type OutboxWork, outboxItem } from "./outbox.ts";
import { awaitedRestart } from "./restarts.ts";
import { parked, restarting } from "./waiting.ts";

/** How many characters of JSON a snapshot may have that a letter keeps. */
const largestSnapshot = 4096;

/**
 * Decides that a message is dead: the letter is committed with the cursor that marks the message as handled.
 *
 * Details: the state stays, but for two things. A timer that is dead is not set any more. A child whose logic failed for good ends with an error, and its
 * parent is told, as in XState; or it waits to be begun again, if its definition says so. Of a message
 * that ended the process (`crashed`) the machine is not asked: only its timer is taken off, in the stored state. A child that ended the process when it was
 * begun again ends.
 */
export function decideDead(
  type: RunnableDefinition | undefined,
  head: Head,
  delivery: Delivery,
  env: DecideEnv,
  reason: DeadReason,
  explanation: string,
  attempts: readonly FailedAttempt[],
  earlier: LetterRecord | undefined,
): Decision {
  // What ended the process is not shown to its machine again.
  const definition = reason === "crashed" ? undefined : type;
  let envelope: Envelope | undefined;
  try {
    envelope = envelopeOf(definition, head, delivery, env.now);
  } catch {
    envelope = undefined;
  }
  // In INGRESS anyone can write anything: only in CORE it is believed that a message was redriven.
  const redrive = delivery.stream === "core" ? envelope?.redrive : undefined;
  const letter = redrive?.letter ?? letterOf(delivery, head);
  const isFailure = failures.has(reason);
  const isChild = (envelope?.kind === "start" ? envelope.birth : head.birth) !== undefined;
  const policy = isFailure && !isChild ? type?.supervision(envelope?.event?.type).onExhausted : undefined;
  // What would let a parked actor go on, and dies of whatever, has not settled what it is parked for.
  const isLifting = envelope !== undefined && lifts(head.waiting, delivery, envelope);
  // Without the machine an actor cannot end: it waits for an operator.
  const after = (policy === "stop" && reason === "crashed") || (isLifting && policy === undefined) ? "park" : policy;
  const isLarge = delivery.data.length > Math.min(65_536, env.limits.maxRecordBytes / 4);
  const all = [...(earlier?.attempts ?? []), ...attempts];
  const event = envelope === undefined ? undefined : (envelope.event?.type ?? envelope.kind);
  const died: Omit<LetterRecord, "fingerprint"> = {
    format: recordFormat,
    letter,
    to: formatAddress(delivery.to),
    reason,
    explanation: explanation.slice(0, 4096),
    ...(event === undefined ? {} : { event }),
    attempts: fittingAttempts(all, env.limits.maxRecordBytes / 4),
    attemptCount: (redrive?.attempts ?? 0) + delivery.attemptCount,
    ...(isLarge
      ? { body: true, bodyBytes: delivery.data.length }
      : envelope === undefined
        ? { raw: Buffer.from(delivery.data).toString("base64") }
        : { envelope }),
    source: { stream: delivery.stream, seq: delivery.seq, subject: delivery.subject },
    ...(head.revision > 0 ? { state: stateBefore(head) } : {}),
    at: env.now,
    ...lifeBefore(earlier, redrive !== undefined, env.now),
    redrives: redrive?.redrives ?? 0,
    status: "dead",
    ...(after === "park" ? { parks: true as const } : {}),
  };
  const [item, told] = letterItems(died);
  const outbox: OutboxItem[] = [item];
  if (isLarge) outbox.push({ kind: "body", letter, data: delivery.data });
  outbox.push(told);
  const isLastBeginning =
    reason === "crashed" && delivery.timer !== undefined && delivery.timer === head.waiting?.restart?.timer;
  let left = reason === "crashed" ? withoutTimer(head, delivery.timer) : head;
  if (isLastBeginning && head.birth !== undefined) {
    const error = errorOf(attempts, explanation);
    left = withoutRestart(left, error);
    const failure = failed(parseAddress(head.birth.parent), head.birth, error);
    outbox.push(outboxItem(delivery.to, failure as OutboxWork, () => undefined));
  }
  const given: Given = { definition, head: left, delivery, env, envelope };
  const dead = { letter, reason, explanation };
  const beside: Beside = {
    outbox,
    dead,
    ...(after === "park" ? { waiting: (before, revision) => parked(before, revision, letter, env.now) } : {}),
    ...(isLastBeginning ? { waiting: (before, revision) => restarting(before, revision, undefined) } : {}),
  };
  const isEnd = isFailure && (isChild || after === "stop");
  const end = definition === undefined ? undefined : endOfDead(given, isEnd, reason, errorOf(attempts, explanation));
  if (end === undefined) return kept(given, "dead", head.value, beside);
  const { driver, step } = end;
  return stepped(given, driver, "dead", head.value, step, [], beside);
}

/** The actor as the message found it. */
function stateBefore(head: Head): NonNullable<LetterRecord["state"]> {
  const { revision, value, snapshotJson } = head;
  return {
    revision,
    ...(value === undefined ? {} : { value }),
    ...(snapshotJson === undefined || snapshotJson.length > largestSnapshot
      ? {}
      : { snapshot: JSON.parse(snapshotJson) }),
  };
}

/** What the letter of a redriven message goes on with. */
function lifeBefore(earlier: LetterRecord | undefined, isRedriven: boolean, now: number): Partial<LetterRecord> {
  if (!isRedriven) return {};
  const died: LetterEvent = { what: "died-again", at: now };
  return {
    ...(earlier === undefined ? {} : { firstAt: earlier.firstAt ?? earlier.at }),
    ...(earlier?.original === undefined ? {} : { original: earlier.original }),
    history: [...(earlier?.history ?? []), died].slice(-50),
  };
}

/** The reasons that say that the handling failed; the others say that the message is not one that can be handled. */
export const failures: ReadonlySet<DeadReason> = new Set(["attempts", "terminal", "too-large", "crashed"]);

/** The name of a letter, unique in the space. */
function letterOf(delivery: Delivery, head: Head): string {
  if (delivery.timer !== undefined) {
    // The subject names actor and timer, and may be longer than a letter's name.
    const hash = createHash("sha256").update(`${delivery.subject} ${head.revision}`).digest("hex");
    return `t${hash.slice(0, 20)}`;
  }
  return `${delivery.stream === "ingress" ? "i" : "c"}${delivery.seq}`;
}

/** What an actor that has a dead message besides does about it; undefined when its state stays as it is. */
function endOfDead(
  given: Given,
  isEnd: boolean,
  reason: DeadReason,
  error: unknown,
): { readonly driver: MachineDriver; readonly step: Step } | undefined {
  const { definition, head, delivery, envelope } = given;
  const birth = envelope?.kind === "start" ? envelope.birth : head.birth;
  try {
    const awaited = awaitedRestart(definition, head);
    const isStart = delivery.stream === "core" && envelope?.kind === "start";
    const begins = isStart || (awaited !== undefined && delivery.timer === awaited.timer);
    const { restart, ...rest } = stepEnvOf(given, birth);
    // That trying it again cannot help is said of the very thing that a restart does.
    const env: StepEnv = begins && reason !== "attempts" && reason !== "crashed" ? rest : { ...rest, restart };
    const driver = driverOf(definition as RunnableDefinition, birth);
    if (isEnd && birth !== undefined && isStart) {
      return { driver, step: driver.createFailed(error, fromStored(envelope?.input), env, birth, head.state) };
    }
    if (head.state === undefined || (driver.view(head.state).status !== "active" && awaited === undefined))
      return undefined;
    if (isEnd) return { driver, step: driver.step(head.state, { kind: "fail", error }, env) };
    if (delivery.timer === undefined) return undefined;
    return { driver, step: driver.step(head.state, { kind: "forget", timer: delivery.timer }, env) };
  } catch {
    // Without the logic nothing can be said of the state: it stays.
    return undefined;
  }
}

/** The head without a timer in its stored state: for a machine that is not to be loaded. */
function withoutTimer(head: Head, timer: string | undefined): Head {
  if (timer === undefined || head.snapshotJson === undefined) return head;
  const { timers, ...snapshot } = JSON.parse(head.snapshotJson) as StoredSnapshot;
  const left = Object.entries(timers ?? {}).filter(([name]) => name !== timer);
  const kept: StoredSnapshot = left.length === 0 ? snapshot : { ...snapshot, timers: Object.fromEntries(left) };
  return { ...head, snapshotJson: JSON.stringify(kept) };
}

/** The head of a child that was to be begun again, and has ended instead: for a machine that is not to be loaded. */
function withoutRestart(head: Head, error: unknown): Head {
  if (head.snapshotJson === undefined) return head;
  const { restart: _, ...snapshot } = JSON.parse(head.snapshotJson) as StoredSnapshot;
  const ended: StoredSnapshot = { ...snapshot, error: toStored(error, "error") };
  return { ...head, snapshotJson: JSON.stringify(ended) };
}

/** What was thrown last, as far as the letter keeps it. */
function errorOf(attempts: readonly FailedAttempt[], explanation: string): unknown {
  const last = attempts[attempts.length - 1];
  return last === undefined ? new Error(explanation) : fromStoredError(last.error);
}

/** The newest attempts that fit into a record: at most 50, at most `maxBytes` of JSON. */
export function fittingAttempts(attempts: readonly FailedAttempt[], maxBytes: number): FailedAttempt[] {
  const kept: FailedAttempt[] = [];
  let bytes = 0;
  for (let i = attempts.length - 1; i >= 0 && kept.length < 50; i--) {
    const attempt = attempts[i] as FailedAttempt;
    bytes += JSON.stringify(attempt).length * 2;
    if (bytes > maxBytes) break;
    kept.unshift(attempt);
  }
  return kept;
}

/** A failed attempt in the form in which letters keep it. */
export function failedAttempt(
  error: unknown,
  now: number,
  node: string,
  definition: RunnableDefinition | undefined,
  birth: Birth | undefined,
): FailedAttempt {
  const version = versionOf(definition, birth);
  return { at: now, node, error: toStoredError(error), ...(version === undefined ? {} : { version }) };
}

/** The version of the machine that failed, or its fingerprint; undefined where there is no machine. */
function versionOf(definition: RunnableDefinition | undefined, birth: Birth | undefined): string | undefined {
  if (definition === undefined) return undefined;
  try {
    const { version, fingerprint } = driverOf(definition, birth).identity;
    return version ?? fingerprint;
  } catch {
    return undefined;
  }
}

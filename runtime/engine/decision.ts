/**
 * Decisions: what becomes of one message, put together from what the machine did.
 *
 * The next state is encoded here, so that what cannot be stored is blamed on the message that brought it.
 */
import { formatAddress } from "../core/address.ts";
import { toStored } from "../core/codec.ts";
import type { Birth, Envelope } from "../core/envelope.ts";
import { isStatewrightError, NotStorableError } from "../core/errors.ts";
import {
  type Cursor,
  type DeadReason,
  type HandledMessage,
  type KeyRecord,
  type Outcome,
  recordFormat,
  type Waiting,
} from "../core/records.ts";
import type { LiveChild, MachineDriver, Step, Work } from "../machine/driver.ts";
import type { RunnableDefinition } from "./definition.ts";
import type { Delivery } from "./delivery.ts";
import { driverFor, type Given } from "./given.ts";
import type { Head } from "./head.ts";
import { driverOf } from "./logic-of.ts";
import { identityWith, type Migrations, migrationsFor } from "./migration.ts";
import { checkSizes, type OutboxItem, outboxItem, reserveForLettersBytes } from "./outbox.ts";
import { ownLetter } from "./own-letter.ts";
import { awaitedRestart } from "./restarts.ts";
import { answerFor, goOn } from "./run-outcomes.ts";
import { checkVolatile } from "./volatile.ts";
import { firstInLine, isLineOpen, lineTimer, released, restarting, settled } from "./waiting.ts";

/** What is done once the commit is in the log. */
export type AfterWork =
  | Extract<Work, { readonly kind: "run" | "log" | "deliver" }>
  /** An attempt of an activity is not wanted any more. */
  | { readonly kind: "cancel"; readonly activity: string; readonly n: number; readonly attempt: number };

/** What becomes of one message. */
export interface Decision {
  readonly delivery: Delivery;
  readonly outcome: Outcome;
  readonly head: Head;
  readonly handledJson: string;
  /** The message, where it could be read. */
  readonly envelope: Envelope | undefined;
  readonly outbox: readonly OutboxItem[];
  /** What is done after the commit. */
  readonly after: readonly AfterWork[];
  /** The live children that should run from now on; undefined when there are none and were none. */
  readonly live: readonly LiveChild[] | undefined;
  /** Where the answer goes, and the answer. */
  readonly replyTo: string | undefined;
  readonly answerJson: string | undefined;
  readonly key: string | undefined;
  readonly sentAt: number | undefined;
  readonly reason: DeadReason | undefined;
  /** Estimate of what it adds to a commit. */
  readonly sizeBytes: number;
}

/** What a decision comes to. */
interface Verdict {
  readonly outcome: Outcome;
  /** State value before. */
  readonly from: unknown;
  readonly next: Omit<Head, "revision" | "cursor" | "waiting">;
  readonly outbox: OutboxItem[];
  readonly after?: readonly AfterWork[];
  readonly live?: readonly LiveChild[] | undefined;
  readonly reply?: { readonly value: unknown };
  readonly dead?: { readonly letter: string; readonly reason: DeadReason; readonly explanation: string };
  /** The answer of the first message with the same key. */
  readonly answerJson?: string;
  /** What becomes of what waits, when that is more than that a message was handled. */
  readonly waiting?: (before: Waiting | undefined, revision: number) => Waiting | undefined;
  readonly failure?: HandledMessage["failure"];
}

/** What a decision comes to besides the step of the machine. */
export interface Beside extends Partial<Pick<Verdict, "outbox" | "dead" | "answerJson" | "waiting" | "failure">> {}

/** The message is handled, and the actor stays as it is. */
export function unchanged(given: Given, outcome: Outcome, answerJson?: string): Decision {
  return kept(given, outcome, given.head.value, answerJson === undefined ? {} : { answerJson });
}

/** The machine takes no step. A state that was brought here from another version is written all the same. */
export function kept(given: Given, outcome: Outcome, from: unknown, beside: Beside = {}): Decision {
  const { head } = given;
  if (head.migrated !== undefined && head.state !== undefined) {
    const step: Step = { state: head.state, outcome: "ignored", work: [] };
    return stepped(given, driverFor(given), outcome, from, step, [], beside);
  }
  const { outbox = [], ...rest } = beside;
  return finish(given, { outcome, from, next: head, outbox, ...rest });
}

/** The machine took a step: its state is encoded, its work sorted. `before` is work that comes first. */
export function stepped(
  given: Given,
  driver: MachineDriver,
  outcome: Outcome,
  from: unknown,
  made: Step,
  before: readonly Work[] = [],
  { outbox = [], ...beside }: Beside = {},
): Decision {
  const { head, delivery, envelope } = given;
  const step = made.again === undefined ? made : goOn(given, driver, made);
  if (given.definition?.delivery === "at-most-once") checkVolatile(delivery.to, driver, step);
  const view = driver.view(step.state);
  let letters = 0;
  const stored = storable(given, driver, "its state", () => driver.toStored(step.state));
  const after: AfterWork[] = [];
  let reply: { readonly value: unknown } | undefined;
  const { migrated } = head;
  for (const work of [...(migrated?.work ?? []), ...before, ...step.work]) {
    if (work.kind === "reply")
      reply = { value: storable(given, driver, "a reply", () => toStored(work.value, "reply")) };
    else if (work.kind === "letter")
      outbox.push(...storable(given, driver, "a letter", () => ownLetter(given, work, view.value, letters++)));
    else if (work.kind === "run" || work.kind === "log" || work.kind === "deliver") after.push(work);
    else if (work.kind === "cancel") {
      const activity = activityName(given, stored.birth, work.src);
      if (activity !== undefined) after.push({ kind: "cancel", activity, n: work.n, attempt: work.attempt });
    } else
      outbox.push(
        storable(given, driver, "what it sends", () =>
          outboxItem(delivery.to, work, (src) => activityName(given, stored.birth, src)),
        ),
      );
  }
  const live = driver.live(step.state);
  const wasLive =
    migrated?.wasLive ??
    (head.state !== undefined &&
      driverOf(given.definition as RunnableDefinition, head.birth).live(head.state).length > 0);
  if (live.length > 0 !== wasLive) outbox.push({ kind: "live", isLive: live.length > 0 });
  const birth =
    stored.birth ?? (delivery.stream === "core" && envelope?.kind === "start" ? envelope.birth : head.birth);
  const next = {
    status: view.status,
    state: step.state,
    value: view.value,
    snapshotJson: JSON.stringify(stored),
    machineJson: identityJson(driver, migrationsFor(given.definition?.migrations, birth?.src ?? [])),
    birth,
    migrated: undefined,
  };
  const verdict: Verdict = {
    outcome,
    from,
    next,
    outbox,
    after,
    ...(live.length > 0 || wasLive ? { live } : {}),
    ...(reply === undefined ? {} : { reply }),
    ...beside,
  };
  return finish(given, verdict);
}

/** The name under which workers take an activity; `src` is its name in the actor's own machine. */
function activityName({ definition }: Given, birth: Birth | undefined, src: string): string | undefined {
  return definition?.activity([...(birth?.src ?? []), src])?.name;
}

/** Runs an encoding, and says of what cannot be stored where it comes from. */
function storable<R>(given: Given, driver: MachineDriver, what: string, encode: () => R): R {
  try {
    return encode();
  } catch (error) {
    if (!isStatewrightError(error) || error._tag !== "NotStorableError") throw error;
    const { head, delivery, envelope } = given;
    const event = envelope?.event?.type ?? envelope?.kind ?? "a timer";
    const state = head.value === undefined ? "" : ` in state ${JSON.stringify(head.value)}`;
    throw new NotStorableError(
      `Cannot take "${event}" in machine "${driver.identity.id}" (${formatAddress(delivery.to)})${state}: ${what} cannot be stored. ${error.message}`,
      {
        cause: error,
        details: {
          ...error.details,
          machine: driver.identity.id,
          actor: formatAddress(delivery.to),
          state: head.value,
          event,
        },
      },
    );
  }
}

const identities = new WeakMap<object, string>();

function identityJson(driver: MachineDriver, migrations: Migrations | undefined): string {
  // Migrations belong to one driver; two names of one child machine may have different ones.
  let json = identities.get(migrations ?? driver);
  if (json === undefined) {
    json = JSON.stringify(identityWith(driver.identity, migrations));
    identities.set(migrations ?? driver, json);
  }
  return json;
}

const nothing: readonly AfterWork[] = [];

function finish(given: Given, verdict: Verdict): Decision {
  const { head, delivery, env, envelope } = given;
  const { outcome, from, next, outbox, reply, dead, failure } = verdict;
  const told = envelope?.ask === undefined ? undefined : answerFor(given, outcome, reply, dead);
  if (told !== undefined) outbox.push(told);
  const revision = head.revision + 1;
  const waiting = waitingAfter(given, verdict, revision);
  if (waiting !== head.waiting && isLineOpen(waiting) && !isLineOpen(head.waiting)) {
    // Whoever owns the actor when this is committed, and may have died since, is told that there is something to do.
    outbox.push({ kind: "timer", timer: lineTimer(firstInLine(waiting) as number), atMs: env.now });
  }
  const by = delivery.sender ?? envelope?.from;
  const handled: HandledMessage = {
    revision,
    message: envelope?.id ?? "",
    event: envelope === undefined ? "" : labelOf(envelope),
    outcome,
    ...(from === undefined ? {} : { from }),
    ...(next.value === undefined ? {} : { to: next.value }),
    at: env.now,
    ...(by === undefined ? {} : { by }),
    ...(reply === undefined ? {} : { reply: reply.value }),
    ...(dead === undefined ? {} : { letter: dead.letter, reason: dead.reason }),
    ...(failure === undefined ? {} : { failure }),
  };
  const handledJson = JSON.stringify(handled);
  const isOpen = outcome === "failed" || outcome === "waiting";
  const replyTo = !isOpen && env.isReply(envelope?.reply) ? envelope?.reply : undefined;
  const isKeyed = envelope?.key !== undefined && outcome !== "duplicate" && outcome !== "dead" && !isOpen;
  let { answerJson } = verdict;
  if (answerJson === undefined && (replyTo !== undefined || isKeyed)) {
    const answer = {
      message: handled.message,
      outcome,
      revision,
      status: next.status,
      ...(reply === undefined ? {} : { reply: reply.value }),
      ...(dead ?? {}),
    };
    answerJson = JSON.stringify(answer);
    if (replyTo !== undefined && next.snapshotJson !== undefined)
      answerJson = `${answerJson.slice(0, -1)},"snapshot":${next.snapshotJson}}`;
  }
  if (isKeyed) {
    const source = { stream: delivery.stream, seq: delivery.seq };
    const fixed: Omit<KeyRecord, "answer"> = { format: recordFormat, message: handled.message, source };
    outbox.push({
      kind: "key",
      key: envelope.key as string,
      json: `${JSON.stringify(fixed).slice(0, -1)},"answer":${answerJson}}`,
    });
  }
  const cursor: Cursor =
    delivery.timer !== undefined || delivery.waiting !== undefined
      ? head.cursor
      : delivery.stream === "ingress"
        ? { ingress: delivery.seq, core: head.cursor.core }
        : { ingress: head.cursor.ingress, core: delivery.seq };
  const sizeBytes = checkSizes(
    delivery.to,
    env.limits,
    next.snapshotJson,
    handledJson,
    outbox,
    outcome === "dead" || isOpen ? 0 : reserveForLettersBytes,
  );
  return {
    delivery,
    outcome,
    head: {
      revision,
      cursor,
      status: next.status,
      state: next.state,
      value: next.value,
      snapshotJson: next.snapshotJson,
      machineJson: next.machineJson,
      birth: next.birth,
      waiting,
      migrated: undefined,
    },
    handledJson,
    envelope,
    outbox,
    after: verdict.after ?? nothing,
    live: verdict.live,
    replyTo,
    answerJson: replyTo === undefined && !isKeyed ? undefined : answerJson,
    key: envelope?.key,
    sentAt: isOpen ? undefined : envelope?.sentAt,
    reason: dead?.reason,
    sizeBytes,
  };
}

/** What waits for the actor once the message is decided. */
function waitingAfter(given: Given, verdict: Verdict, revision: number): Waiting | undefined {
  const { definition, head, delivery, envelope } = given;
  let { waiting } = head;
  if (waiting !== undefined) {
    // What is tried again keeps its number: given up, another message might get it.
    if (delivery.waiting !== undefined && verdict.failure === undefined) waiting = settled(waiting, delivery.waiting);
    if (envelope !== undefined && lifts(waiting, delivery, envelope)) waiting = released(waiting);
  }
  if (verdict.waiting !== undefined) waiting = verdict.waiting(waiting, revision);
  // Without the definition nobody can say what the child waits for: it goes on waiting.
  if (definition === undefined) return waiting;
  return restarting(waiting, revision, awaitedRestart(definition, verdict.next));
}

/** True for a message that lets a parked actor go on: the dead letter that it is parked by, redriven, or an operator's release. */
export function lifts(waiting: Waiting | undefined, { stream }: Delivery, envelope: Envelope): boolean {
  // In INGRESS anyone can write anything.
  if (waiting?.parked === undefined || stream !== "core") return false;
  const { letter } = waiting.parked;
  if (envelope.kind === "release") return envelope.letter === undefined || envelope.letter === letter;
  return envelope.redrive?.letter === letter;
}

/** What a handled message is called in the history. */
function labelOf(envelope: Envelope): string {
  if (envelope.event !== undefined) return envelope.event.type;
  if (envelope.result === undefined) return envelope.kind;
  return `xstate.${"error" in envelope.result.outcome ? "error" : "done"}.actor.${envelope.result.id}`;
}

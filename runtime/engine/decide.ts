/**
 * What one message does to one actor: the pure middle of the engine.
 *
 * 1. A decision depends on the actor's head, the message, the definition and the time given, and on nothing else (I7).
 * 2. The next state is encoded here, so that what cannot be stored is blamed on the message that brought it.
 * 3. What the user's code throws leaves this function as it was thrown; everything else that is wrong with a message becomes a `dead` decision.
 */
import { type Address, formatAddress, isChildAddress, isSameAddress, parseAddress, rootOf } from "../core/address.ts";
import { cloudEventOverheadBytes } from "../core/cloud-events.ts";
import { fromStored, toStored } from "../core/codec.ts";
import {
  type ActivityResult,
  type Birth,
  decodeEnvelope,
  type Envelope,
  envelopeFormat,
  isReservedEvent,
  workerSender,
} from "../core/envelope.ts";
import { isStatewrightError, NotStorableError, PayloadTooLargeError } from "../core/errors.ts";
import type {
  ActorStatus,
  Cursor,
  DeadReason,
  FailedAttempt,
  HandledMessage,
  KeyRecord,
  LetterRecord,
  MessageFrame,
  Outcome,
  StateRecord,
  TaskRecord,
} from "../core/records.ts";
import { fromStoredError, recordFormat, toStoredError } from "../core/records.ts";
import type {
  Arrival,
  LiveChild,
  MachineDriver,
  MachineEvent,
  MachineState,
  Step,
  StepEnv,
  Work,
} from "../machine/driver.ts";
import type { RetryState } from "../supervise/retry-delays.ts";
import type { RunnableDefinition } from "./definition.ts";
import type { Delivery } from "./delivery.ts";
import { driverOf } from "./logic-of.ts";
import { identityWith, type Migrations, migrationsFor } from "./migration.ts";

/** An actor as the next message finds it: committed, or decided and not yet committed. */
export interface Head {
  readonly revision: number;
  readonly status: ActorStatus;
  readonly cursor: Cursor;
  readonly state: MachineState | undefined;
  readonly value: unknown;
  /** The stored snapshot as JSON; undefined while the actor is new. */
  readonly snapshotJson: string | undefined;
  /** Identity of the machine that made the snapshot, as JSON. */
  readonly machineJson: string | undefined;
  /** Of a child actor that was made. */
  readonly birth: Birth | undefined;
  /** Set while the state was brought here from another version, in memory alone: every decision commits it. */
  readonly migrated: MigratedHead | undefined;
}

/** What is stored of an actor whose state was brought to another version, and what has to be done with the commit of it. */
export interface MigratedHead {
  /** The state value as it is stored. */
  readonly value: unknown;
  /** True when the stored state has live children. */
  readonly wasLive: boolean;
  /** About its children and timers. */
  readonly work: readonly Work[];
}

/** The head of an actor that nothing is stored of. */
export const absentHead: Head = {
  revision: 0,
  status: "new",
  cursor: { ingress: 0, core: 0 },
  state: undefined,
  value: undefined,
  snapshotJson: undefined,
  machineJson: undefined,
  birth: undefined,
  migrated: undefined,
};

/** A record that goes with the state; ids are given when the commit is put together. */
export type OutboxItem =
  /** `fields` are the envelope's own, as JSON without braces: everything but format, id, sender and time. */
  | { readonly kind: "mail"; readonly to: Address; readonly fields: string }
  | { readonly kind: "emit"; readonly type: string; readonly eventJson: string }
  | { readonly kind: "timer"; readonly timer: string; readonly atMs: number }
  | {
      readonly kind: "task";
      readonly activity: string;
      readonly n: number;
      readonly attempt: number;
      readonly json: string;
    }
  | { readonly kind: "live"; readonly isLive: boolean }
  | { readonly kind: "topic"; readonly topic: string; readonly type: string; readonly eventJson: string }
  | { readonly kind: "key"; readonly key: string; readonly json: string }
  | { readonly kind: "dead"; readonly letter: string; readonly json: string }
  | { readonly kind: "body"; readonly letter: string; readonly data: Uint8Array };

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

/** What a decision is made from, besides head and message. */
export interface DecideEnv {
  readonly now: number;
  readonly node: string;
  readonly limits: {
    readonly maxRecordBytes: number;
    readonly maxRecordsPerAppend: number;
    readonly maxBytesPerAppend: number;
  };
  readonly isReply: (subject: unknown) => boolean;
  /** The answer of an earlier, still uncommitted message with the same key. */
  readonly pendingKey: (key: string) => string | undefined;
}

/** A failure that is not the user's code: the message is to become a dead letter at once. */
export class Undeliverable extends Error {
  readonly reason: DeadReason;
  constructor(reason: DeadReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/**
 * Decides one message.
 *
 * Errors: {@link Undeliverable} when the message can never be applied; otherwise whatever the machine or a schema threw.
 */
export function decide(
  definition: RunnableDefinition | undefined,
  head: Head,
  delivery: Delivery,
  env: DecideEnv,
): Decision {
  const envelope = envelopeOf(definition, head, delivery, env.now);
  if (definition === undefined) {
    throw new Undeliverable(
      "unknown-type",
      `No definition for actor type "${delivery.to.type}" on node ${env.node}: start the node with it and redrive the letter.`,
    );
  }
  const given: Given = { definition, head, delivery, env, envelope };
  if (envelope.key !== undefined) {
    const answerJson =
      delivery.duplicateOf === undefined ? env.pendingKey(envelope.key) : JSON.stringify(delivery.duplicateOf.answer);
    if (answerJson !== undefined) return unchanged(given, "duplicate", answerJson);
  }
  checkOrigin(delivery, envelope);
  if (delivery.timer !== undefined) return take(given, { kind: "timer", timer: delivery.timer });
  switch (envelope.kind) {
    case "create":
      return decideCreate(given);
    case "start":
      return decideStart(given, envelope.birth as Birth);
    case "stop":
      return head.birth?.n === envelope.n ? take(given, { kind: "stop" }) : unchanged(given, "stale");
    case "result":
      return decideResult(given, envelope.result as ActivityResult);
    case "relay":
      return take(given, { kind: "relay", systemId: envelope.systemId as string, event: eventOf(envelope) });
    case "alias": {
      const holder = envelope.holder === undefined ? undefined : parseAddress(envelope.holder);
      const { systemId, n } = envelope as { systemId: string; n: number };
      return take(given, { kind: "alias", systemId, holder, n });
    }
    case "migrate":
      return head.migrated === undefined ? unchanged(given, "ignored") : kept(given, "migrated", head.migrated.value);
    case "event":
      return decideEvent(given);
  }
}

/** The logic of the actor that is decided for. */
function driverFor({ definition, head }: Given): MachineDriver {
  return driverOf(definition as RunnableDefinition, head.birth);
}

function stepEnvOf({ delivery, env }: Given): StepEnv {
  return { self: delivery.to, now: env.now };
}

function eventOf(envelope: Envelope): MachineEvent {
  return fromStored(envelope.event) as MachineEvent;
}

/** In INGRESS anyone can write anything: what only nodes and workers may say is believed in CORE, and of results in the name of workers. */
function checkOrigin(delivery: Delivery, envelope: Envelope): void {
  if (delivery.stream === "core") return;
  const { kind } = envelope;
  const isFree = kind === "event" || kind === "create" || kind === "migrate";
  const isResult = kind === "result" && delivery.sender === workerSender;
  if ((isFree && envelope.internal === undefined) || isResult) return;
  throw new Undeliverable(
    "reserved",
    `A message of the kind "${kind}"${envelope.internal === undefined ? "" : " with marks of the runtime"} for ${formatAddress(delivery.to)} came from "${delivery.sender ?? ""}": only ${kind === "result" ? "workers" : "nodes"} may send it.`,
  );
}

function decideCreate(given: Given): Decision {
  const { definition, head, delivery, envelope } = given;
  const to = formatAddress(delivery.to);
  if (isChildAddress(delivery.to)) {
    throw new Undeliverable("reserved", `${to} is the address of a child actor: only its parent makes it.`);
  }
  if (head.status !== "new") return unchanged(given, "ignored");
  const checked = (definition as RunnableDefinition).checkInput(fromStored(envelope?.input));
  if ("reason" in checked) {
    throw new Undeliverable("schema", `The input for ${to} was refused: ${checked.problems.join("; ")}.`);
  }
  const driver = driverFor(given);
  return stepped(given, driver, "created", undefined, driver.create(checked.input, stepEnvOf(given)));
}

function decideStart(given: Given, birth: Birth): Decision {
  const { definition, head, delivery, envelope } = given;
  if (!isChildAddress(delivery.to)) {
    throw new Undeliverable(
      "malformed",
      `${formatAddress(delivery.to)} is no address of a child actor: it is not started.`,
    );
  }
  // Of an earlier generation: a later one was started since.
  if (head.birth !== undefined && head.birth.n >= birth.n) return unchanged(given, "stale");
  const driver = driverOf(definition as RunnableDefinition, birth);
  const made = driver.create(fromStored(envelope?.input), stepEnvOf(given), birth, head.state);
  return stepped(given, driver, "created", undefined, made);
}

function decideEvent(given: Given): Decision {
  const { definition, head, delivery, envelope } = given;
  const to = formatAddress(delivery.to);
  const sent = eventOf(envelope as Envelope);
  const internal = envelope?.internal;
  if (internal !== undefined) {
    const { child, n } = internal;
    return child === undefined || n === undefined
      ? take(given, { kind: "event", event: sent, isInternal: true })
      : take(given, { kind: "child", id: child, n, event: sent });
  }
  if (isReservedEvent(sent.type)) {
    throw new Undeliverable(
      "reserved",
      `Event "${sent.type}" is reserved for the runtime and cannot be sent to ${to}.`,
    );
  }
  const isChild = isChildAddress(delivery.to);
  let event = sent;
  // The door is for the world outside: within a tree the machines have written what they send each other.
  if (!isChild && !isOfFamily(delivery, envelope as Envelope)) {
    const checked = (definition as RunnableDefinition).checkEvent(sent);
    if ("reason" in checked) {
      throw new Undeliverable(
        checked.reason,
        `Event "${sent.type}" for ${to} was refused: ${checked.problems.join("; ")}.`,
      );
    }
    ({ event } = checked);
  }
  if (head.state !== undefined) return take(given, { kind: "event", event });
  if (isChild) {
    throw new Undeliverable(
      "not-created",
      `${to} does not exist: it is a child actor, which its parent has not started.`,
    );
  }
  if (definition?.needsCreate === true) {
    throw new Undeliverable("not-created", `${to} does not exist: actors of this type take a create first.`);
  }
  const driver = driverFor(given);
  const env = stepEnvOf(given);
  const made = driver.create(definition?.inputFor(delivery.to.id), env);
  const view = driver.view(made.state);
  if (view.status !== "active") return stepped(given, driver, "created", undefined, made);
  const step = driver.step(made.state, { kind: "event", event }, env);
  return step.outcome === "taken"
    ? stepped(given, driver, "applied", view.value, step, made.work)
    : stepped(given, driver, "created", undefined, made);
}

/** True for what an actor gets from itself, its children and all below. */
function isOfFamily(delivery: Delivery, envelope: Envelope): boolean {
  if (delivery.stream !== "core" || envelope.from === undefined || envelope.redrive !== undefined) return false;
  try {
    return isSameAddress(rootOf(parseAddress(envelope.from)), delivery.to);
  } catch {
    return false;
  }
}

/** The result of an activity: its owner decides whether a failed attempt is followed by another. */
function decideResult(given: Given, result: ActivityResult): Decision {
  const { definition, head, env, delivery } = given;
  if (head.state === undefined) return unchanged(given, "stale");
  const driver = driverFor(given);
  const { id, n, attempt, outcome } = result;
  const activity = driver.activity(head.state, id, n);
  if (activity === undefined || activity.task.attempt !== attempt) return unchanged(given, "stale");
  if ("error" in outcome && outcome.isTerminal !== true) {
    const path = [...(head.birth?.src ?? []), activity.src];
    const next = (definition as RunnableDefinition).activity(path)?.retry.next(activity.task.retry as RetryState, {
      error: fromStored(outcome.error),
      attempt,
      nowMs: env.now,
      elapsedMs: env.now - activity.task.since,
      random: drawsFor(`${formatAddress(delivery.to)} ${n} ${attempt}`),
    });
    if (next?.retry === true) {
      const memory = typeof next.state === "number" ? next.state : undefined;
      return take(given, { kind: "retry", id, n, delayMs: outcome.retryAfterMs ?? next.delayMs, memory });
    }
  }
  return take(given, { kind: "result", id, n, outcome });
}

/** Numbers in [0, 1) that are the same whenever the same thing is decided (I7). */
function drawsFor(seed: string): () => number {
  let state = 0x811c9dc5;
  for (let i = 0; i < seed.length; i++) state = Math.imul(state ^ seed.charCodeAt(i), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Lets the machine take what came. */
function take(given: Given, arrival: Arrival): Decision {
  const { head } = given;
  if (head.state === undefined) {
    return unchanged(given, arrival.kind === "event" || arrival.kind === "relay" ? "ignored" : "stale");
  }
  const driver = driverFor(given);
  const step = driver.step(head.state, arrival, stepEnvOf(given));
  const outcome = step.outcome === "taken" ? "applied" : step.outcome;
  return step.state === head.state && step.outcome !== "taken"
    ? unchanged(given, outcome)
    : stepped(given, driver, outcome, head.value, step);
}

/**
 * Decides that a message is dead: the letter is committed with the cursor that marks the message as handled.
 *
 * Details: the state stays, but for two things. A timer that is dead is not set any more. A child whose logic failed for good ends with an error, and its
 * parent is told, as in XState.
 */
export function decideDead(
  definition: RunnableDefinition | undefined,
  head: Head,
  delivery: Delivery,
  env: DecideEnv,
  reason: DeadReason,
  explanation: string,
  attempts: readonly FailedAttempt[],
  earlier: LetterRecord | undefined,
): Decision {
  let envelope: Envelope | undefined;
  try {
    envelope = envelopeOf(definition, head, delivery, env.now);
  } catch {
    envelope = undefined;
  }
  // In INGRESS anyone can write anything: only in CORE it is believed that a message was redriven.
  const redrive = delivery.stream === "core" ? envelope?.redrive : undefined;
  const letter = redrive?.letter ?? letterOf(delivery, head);
  const isLarge = delivery.data.length > Math.min(65_536, env.limits.maxRecordBytes / 4);
  const all = [...(earlier?.attempts ?? []), ...attempts];
  const record: LetterRecord = {
    format: recordFormat,
    letter,
    to: formatAddress(delivery.to),
    reason,
    explanation: explanation.slice(0, 4096),
    attempts: fitting(all, env.limits.maxRecordBytes / 4),
    attemptCount: (redrive?.attempts ?? 0) + attempts.length,
    ...(isLarge
      ? { body: true }
      : envelope === undefined
        ? { raw: Buffer.from(delivery.data).toString("base64") }
        : { envelope }),
    source: { stream: delivery.stream, seq: delivery.seq, subject: delivery.subject },
    ...(head.revision > 0
      ? { state: { revision: head.revision, ...(head.value === undefined ? {} : { value: head.value }) } }
      : {}),
    at: env.now,
    redrives: redrive?.redrives ?? 0,
    status: "dead",
  };
  const outbox: OutboxItem[] = [{ kind: "dead", letter, json: JSON.stringify(record) }];
  if (isLarge) outbox.push({ kind: "body", letter, data: delivery.data });
  const given: Given = { definition, head, delivery, env, envelope };
  const dead = { letter, reason, explanation };
  const isFailure = reason === "attempts" || reason === "terminal" || reason === "too-large";
  const end = definition === undefined ? undefined : endOfDead(given, isFailure, errorOf(attempts, explanation));
  if (end === undefined) return kept(given, "dead", head.value, { outbox, dead });
  const { driver, step } = end;
  return stepped(given, driver, "dead", head.value, step, [], { outbox, dead });
}

function letterOf(delivery: Delivery, head: Head): string {
  if (delivery.timer !== undefined) return `t${delivery.timer}-${head.revision}`;
  return `${delivery.stream === "ingress" ? "i" : "c"}${delivery.seq}`;
}

/** What an actor that has a dead message besides does about it; undefined when its state stays as it is. */
function endOfDead(
  given: Given,
  isFailure: boolean,
  error: unknown,
): { readonly driver: MachineDriver; readonly step: Step } | undefined {
  const { definition, head, delivery, envelope } = given;
  const env = stepEnvOf(given);
  const birth = envelope?.kind === "start" ? envelope.birth : head.birth;
  try {
    const driver = driverOf(definition as RunnableDefinition, birth);
    if (isFailure && birth !== undefined && delivery.stream === "core" && envelope?.kind === "start") {
      return { driver, step: driver.createFailed(error, env, birth, head.state) };
    }
    if (head.state === undefined || driver.view(head.state).status !== "active") return undefined;
    if (isFailure && birth !== undefined)
      return { driver, step: driver.step(head.state, { kind: "fail", error }, env) };
    if (delivery.timer === undefined) return undefined;
    return { driver, step: driver.step(head.state, { kind: "forget", timer: delivery.timer }, env) };
  } catch {
    // Without the logic nothing can be said of the state: it stays.
    return undefined;
  }
}

/** What was thrown last, as far as the letter keeps it. */
function errorOf(attempts: readonly FailedAttempt[], explanation: string): unknown {
  const last = attempts[attempts.length - 1];
  return last === undefined ? new Error(explanation) : fromStoredError(last.error);
}

/** The message as an envelope; a timer has one of the runtime's own, made of what the state says of it. */
function envelopeOf(definition: RunnableDefinition | undefined, head: Head, delivery: Delivery, now: number): Envelope {
  if (delivery.timer === undefined) return readEnvelope(delivery);
  const event =
    definition === undefined || head.state === undefined
      ? undefined
      : driverOf(definition, head.birth).timerEvent(head.state, delivery.timer);
  return {
    format: envelopeFormat,
    kind: "event",
    id: `timer-${delivery.timer}`,
    event: toStored(event ?? { type: "statewright.timer" }, "event") as Envelope["event"] & object,
    internal: {},
    sentAt: now,
  };
}

function readEnvelope(delivery: Delivery): Envelope {
  if (delivery.unaddressable !== undefined) throw new Undeliverable("malformed", delivery.unaddressable);
  try {
    return decodeEnvelope(delivery.data);
  } catch (error) {
    throw new Undeliverable("malformed", error instanceof Error ? error.message : String(error));
  }
}

/** The newest attempts that fit into a letter: at most 50, at most `maxBytes` of JSON. */
function fitting(attempts: readonly FailedAttempt[], maxBytes: number): FailedAttempt[] {
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

/** What every decision is made about. */
interface Given {
  readonly definition: RunnableDefinition | undefined;
  readonly head: Head;
  readonly delivery: Delivery;
  readonly env: DecideEnv;
  /** Undefined when the message cannot be read. */
  readonly envelope: Envelope | undefined;
}

/** What a decision comes to. */
interface Verdict {
  readonly outcome: Outcome;
  /** State value before. */
  readonly from: unknown;
  readonly next: Omit<Head, "revision" | "cursor">;
  readonly outbox: OutboxItem[];
  readonly after?: readonly AfterWork[];
  readonly live?: readonly LiveChild[] | undefined;
  readonly reply?: { readonly value: unknown };
  readonly dead?: { readonly letter: string; readonly reason: DeadReason; readonly explanation: string };
  /** The answer of the first message with the same key. */
  readonly answerJson?: string;
}

/** What a decision comes to besides the step of the machine. */
interface Beside {
  readonly outbox?: OutboxItem[];
  readonly dead?: NonNullable<Verdict["dead"]>;
  readonly answerJson?: string;
}

/** The message is handled, and the actor stays as it is. */
function unchanged(given: Given, outcome: Outcome, answerJson?: string): Decision {
  return kept(given, outcome, given.head.value, answerJson === undefined ? {} : { answerJson });
}

/** The machine takes no step. A state that was brought here from another version is written all the same. */
function kept(given: Given, outcome: Outcome, from: unknown, beside: Beside = {}): Decision {
  const { head } = given;
  if (head.migrated !== undefined && head.state !== undefined) {
    const step: Step = { state: head.state, outcome: "ignored", work: [] };
    return stepped(given, driverFor(given), outcome, from, step, [], beside);
  }
  const { outbox = [], ...rest } = beside;
  return finish(given, { outcome, from, next: head, outbox, ...rest });
}

/** The machine took a step: its state is encoded, its work sorted. `before` is work that comes first. */
function stepped(
  given: Given,
  driver: MachineDriver,
  outcome: Outcome,
  from: unknown,
  step: Step,
  before: readonly Work[] = [],
  { outbox = [], ...beside }: Beside = {},
): Decision {
  const { head, delivery, envelope } = given;
  const view = driver.view(step.state);
  const stored = storable(given, driver, "its state", () => driver.toStored(step.state));
  const after: AfterWork[] = [];
  let reply: { readonly value: unknown } | undefined;
  const { migrated } = head;
  for (const work of [...(migrated?.work ?? []), ...before, ...step.work]) {
    if (work.kind === "reply")
      reply = { value: storable(given, driver, "a reply", () => toStored(work.value, "reply")) };
    else if (work.kind === "run" || work.kind === "log" || work.kind === "deliver") after.push(work);
    else if (work.kind === "cancel") {
      const activity = activityName(given, stored.birth, work.src);
      if (activity !== undefined) after.push({ kind: "cancel", activity, n: work.n, attempt: work.attempt });
    } else outbox.push(storable(given, driver, "what it sends", () => outboxItem(given, stored.birth, work)));
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

type OutboxWork = Exclude<Work, { readonly kind: "reply" | "run" | "log" | "deliver" | "cancel" }>;

function outboxItem(given: Given, birth: Birth | undefined, work: OutboxWork): OutboxItem {
  switch (work.kind) {
    case "tell": {
      const internal = work.internal === undefined ? "" : `,"internal":${JSON.stringify(work.internal)}`;
      return mail(work.to, "event", `"event":${JSON.stringify(toStored(work.event, "event"))}${internal}`);
    }
    case "relay": {
      const event = JSON.stringify(toStored(work.event, "event"));
      return mail(work.to, "relay", `"systemId":${JSON.stringify(work.systemId)},"event":${event}`);
    }
    case "alias": {
      const holder = work.holder === undefined ? "" : `,"holder":${JSON.stringify(formatAddress(work.holder))}`;
      return mail(work.to, "alias", `"systemId":${JSON.stringify(work.systemId)},"n":${work.n}${holder}`);
    }
    case "start": {
      const input = work.input === undefined ? "" : `,"input":${JSON.stringify(toStored(work.input, "input"))}`;
      return mail(work.to, "start", `"birth":${JSON.stringify(work.birth)}${input}`);
    }
    case "stop":
      return mail(work.to, "stop", `"n":${work.n}`);
    case "timer":
      return { kind: "timer", timer: work.timer, atMs: work.atMs };
    case "task": {
      const { id, n, attempt, since } = work;
      const activity = activityName(given, birth, work.src) ?? work.src;
      const actor = formatAddress(given.delivery.to);
      const input = toStored(work.input, "input");
      const record: TaskRecord = { format: recordFormat, activity, actor, id, n, attempt, since, input };
      return { kind: "task", activity, n, attempt, json: JSON.stringify(record) };
    }
    case "publish":
    case "emit": {
      const { type } = work.event;
      const eventJson = JSON.stringify(toStored(work.event, "event"));
      return work.kind === "emit"
        ? { kind: "emit", type, eventJson }
        : { kind: "topic", topic: work.topic, type, eventJson };
    }
  }
}

function mail(to: Address, kind: Envelope["kind"], fields: string): OutboxItem {
  return { kind: "mail", to, fields: `"kind":"${kind}",${fields}` };
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
  const { outcome, from, next, outbox, reply, dead } = verdict;
  const revision = head.revision + 1;
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
  };
  const handledJson = JSON.stringify(handled);
  const replyTo = env.isReply(envelope?.reply) ? envelope?.reply : undefined;
  const isKeyed = envelope?.key !== undefined && outcome !== "duplicate" && outcome !== "dead";
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
    delivery.timer !== undefined
      ? head.cursor
      : delivery.stream === "ingress"
        ? { ingress: delivery.seq, core: head.cursor.core }
        : { ingress: head.cursor.ingress, core: delivery.seq };
  const sizeBytes = checkSizes(
    delivery,
    env,
    next.snapshotJson,
    handledJson,
    outbox,
    outcome === "dead" ? 0 : reserveForLettersBytes,
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
    sentAt: envelope?.sentAt,
    reason: dead?.reason,
    sizeBytes,
  };
}

/** What a handled message is called in the history. */
function labelOf(envelope: Envelope): string {
  if (envelope.event !== undefined) return envelope.event.type;
  if (envelope.result === undefined) return envelope.kind;
  return `xstate.${"error" in envelope.result.outcome ? "error" : "done"}.actor.${envelope.result.id}`;
}

const recordOverheadBytes = 1024;

/** What a state leaves free, so that a later message can still be marked as dead beside it. */
const reserveForLettersBytes = 32_768;

/** Adds up what the decision writes; throws `PayloadTooLargeError` when the log would not take it. */
function checkSizes(
  delivery: Delivery,
  env: DecideEnv,
  snapshotJson: string | undefined,
  handledJson: string,
  outbox: readonly OutboxItem[],
  reserveBytes: number,
): number {
  const { maxRecordBytes, maxRecordsPerAppend, maxBytesPerAppend } = env.limits;
  const maxStateBytes = maxRecordBytes - reserveBytes;
  const who = formatAddress(delivery.to);
  const stateBytes =
    jsonBytes(snapshotJson ?? "", maxRecordBytes) + jsonBytes(handledJson, maxRecordBytes) + recordOverheadBytes;
  if (stateBytes > maxStateBytes) throw tooLarge(`the state of ${who}`, stateBytes, maxStateBytes);
  let total = stateBytes;
  for (const item of outbox) {
    const bytes = bytesOf(item, delivery.to, maxRecordBytes);
    if (bytes > maxRecordBytes) {
      throw tooLarge(
        item.kind === "mail"
          ? `a message for ${formatAddress(item.to)} from ${who}`
          : `a ${item.kind} record of ${who}`,
        bytes,
        maxRecordBytes,
      );
    }
    total += bytes;
  }
  if (outbox.length + 1 > maxRecordsPerAppend) {
    throw new PayloadTooLargeError(
      `Cannot commit one transition of ${who}: it emits ${outbox.length} records, at most ${maxRecordsPerAppend - 1} fit into one commit. Emit fewer per transition.`,
      { details: { records: outbox.length } },
    );
  }
  if (total > maxBytesPerAppend) throw tooLarge(`all records of one transition of ${who}`, total, maxBytesPerAppend);
  return total;
}

function bytesOf(item: OutboxItem, by: Address, maxRecordBytes: number): number {
  switch (item.kind) {
    case "body":
      return item.data.length;
    case "timer":
    case "live":
      return recordOverheadBytes;
    case "mail":
      // The sender is told in it; a unit of an id takes up to six bytes in JSON.
      return jsonBytes(item.fields, maxRecordBytes) + recordOverheadBytes + 6 * by.id.length;
    case "topic":
    case "emit":
      return jsonBytes(item.eventJson, maxRecordBytes) + cloudEventOverheadBytes(by, item.type);
    default:
      return jsonBytes(item.json, maxRecordBytes) + recordOverheadBytes;
  }
}

function jsonBytes(json: string, limit: number): number {
  // A UTF-16 unit takes at most three bytes: only what could be too large is measured exactly.
  return json.length * 3 < limit ? json.length : Buffer.byteLength(json);
}

function tooLarge(what: string, sizeBytes: number, limitBytes: number): PayloadTooLargeError {
  return new PayloadTooLargeError(
    `Cannot commit ${what}: it takes ${sizeBytes} bytes, the log accepts ${limitBytes}.`,
    {
      details: { sizeBytes, limitBytes },
    },
  );
}

const maxHandledPerRecord = 64;
/** What one message may take in the state record so that it can be replayed, and what all of one commit may. */
const maxReplayChars = 1024;
const maxReplayCharsPerRecord = 8192;

/** Puts the state record together from the decisions of one commit. */
export function stateRecordBytes(
  decisions: readonly Decision[],
  commit: string,
  previous: number,
  outbox: number,
): Uint8Array {
  const { head } = decisions[decisions.length - 1] as Decision;
  const fixed: Omit<StateRecord, "machine" | "snapshot" | "handled"> = {
    format: recordFormat,
    revision: head.revision,
    status: head.status,
    cursor: head.cursor,
    commit,
    previous,
    outbox,
  };
  let json = JSON.stringify(fixed).slice(0, -1);
  if (head.machineJson !== undefined) json += `,"machine":${head.machineJson}`;
  if (head.snapshotJson !== undefined) json += `,"snapshot":${head.snapshotJson}`;
  // A commit of a busy actor holds hundreds of messages: the newest are told, and those whose sender may come to ask.
  const told = decisions.filter(
    (decision, i) => i >= decisions.length - maxHandledPerRecord || decision.replyTo !== undefined,
  );
  const handled = told.length === decisions.length ? replayable(told) : undefined;
  json += `,"handled":[${(handled ?? told.map((decision) => decision.handledJson)).join(",")}]}`;
  return Buffer.from(json);
}

/** The handled messages with what they carried; undefined when that is too much to be kept. */
function replayable(decisions: readonly Decision[]): string[] | undefined {
  if (decisions.length > maxHandledPerRecord) return undefined;
  const handled: string[] = [];
  let chars = 0;
  for (const { handledJson, envelope, delivery } of decisions) {
    // What cannot be read has no effect that could be replayed.
    const carried = envelope === undefined ? "" : carriedJson(envelope, delivery);
    if (carried === undefined || carried.length > maxReplayChars) return undefined;
    chars += carried.length;
    if (chars > maxReplayCharsPerRecord) return undefined;
    handled.push(carried === "" ? handledJson : `${handledJson.slice(0, -1)},${carried}}`);
  }
  return handled;
}

/** The fields `data` and `frame` of a handled message, as JSON without braces; undefined when the message is clearly too large. */
function carriedJson(envelope: Envelope, delivery: Delivery): string | undefined {
  if (delivery.timer !== undefined) return `"frame":{"timer":"${delivery.timer}"}`;
  if (delivery.data.length > 2 * maxReplayChars) return undefined;
  const { kind, event, input, internal, birth, n, result, systemId, holder, redrive } = envelope;
  const { type: _, ...data } = event ?? { type: "" };
  const json = event === undefined ? "" : `"data":${JSON.stringify(data)}`;
  if (kind === "event" && delivery.stream === "ingress") return json;
  const frame: MessageFrame = {
    ...(kind === "event" ? {} : { kind, input, birth, n, result, systemId, holder }),
    ...(internal === undefined ? {} : { internal }),
    ...(delivery.stream === "core" ? { core: true } : {}),
    ...(redrive === undefined ? {} : { redriven: true }),
  };
  return `${json}${json === "" ? "" : ","}"frame":${JSON.stringify(frame)}`;
}

/** The bytes of a message from one actor to another. */
export function mailBytes(id: string, from: string, sentAt: number, fields: string): Uint8Array {
  return Buffer.from(
    `{"format":${envelopeFormat},"id":"${id}","from":${JSON.stringify(from)},"sentAt":${sentAt},${fields}}`,
  );
}

/** A failed attempt in the form in which letters keep it. */
export function failedAttempt(error: unknown, now: number, node: string): FailedAttempt {
  return { at: now, node, error: toStoredError(error) };
}

/**
 * What one message does to one actor: the pure middle of the engine.
 *
 * 1. A decision depends on the actor's head, the message, the definition and the time given, and on nothing else (I7).
 * 2. The next state is encoded here, so that what cannot be stored is blamed on the message that brought it.
 * 3. What the user's code throws leaves this function as it was thrown; everything else that is wrong with a message becomes a `dead` decision.
 */
import type { Address } from "../core/address.ts";
import { formatAddress } from "../core/address.ts";
import { fromStored, toStored } from "../core/codec.ts";
import { decodeEnvelope, type Envelope, envelopeFormat, isReservedEvent } from "../core/envelope.ts";
import { PayloadTooLargeError } from "../core/errors.ts";
import type {
  ActorStatus,
  Cursor,
  DeadReason,
  FailedAttempt,
  HandledMessage,
  KeyRecord,
  LetterRecord,
  Outcome,
  StateRecord,
} from "../core/records.ts";
import { recordFormat, toStoredError } from "../core/records.ts";
import type { MachineEvent, MachineState, Step, Work } from "../machine/driver.ts";
import type { RunnableDefinition } from "./definition.ts";
import type { Delivery } from "./delivery.ts";

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
};

/** A record that goes with the state; ids are given when the commit is put together. */
export type OutboxItem =
  | { readonly kind: "mail"; readonly to: Address; readonly eventJson: string }
  | { readonly kind: "topic"; readonly topic: string; readonly type: string; readonly eventJson: string }
  | { readonly kind: "key"; readonly key: string; readonly json: string }
  | { readonly kind: "dead"; readonly letter: string; readonly json: string }
  | { readonly kind: "body"; readonly letter: string; readonly data: Uint8Array };

/** What becomes of one message. */
export interface Decision {
  readonly delivery: Delivery;
  readonly outcome: Outcome;
  readonly head: Head;
  readonly handledJson: string;
  readonly outbox: readonly OutboxItem[];
  /** Actions and log lines for after the commit. */
  readonly after: readonly Work[];
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
  const envelope = readEnvelope(delivery);
  const to = formatAddress(delivery.to);
  if (definition === undefined) {
    throw new Undeliverable(
      "unknown-type",
      `No definition for actor type "${delivery.to.type}" on node ${env.node}: start the node with it and redrive the letter.`,
    );
  }
  const given: Given = { head, delivery, env, envelope };
  const stepEnv = { self: delivery.to, now: env.now };
  if (envelope.key !== undefined) {
    const answerJson =
      delivery.duplicateOf === undefined ? env.pendingKey(envelope.key) : JSON.stringify(delivery.duplicateOf.answer);
    if (answerJson !== undefined) return unchanged(given, "duplicate", answerJson);
  }
  if (envelope.kind === "create") {
    if (head.status !== "new") return unchanged(given, "ignored");
    const checked = definition.checkInput(fromStored(envelope.input));
    if ("reason" in checked) {
      throw new Undeliverable("schema", `The input for ${to} was refused: ${checked.problems.join("; ")}.`);
    }
    const made = definition.driver.create(checked.input, stepEnv);
    return stepped(given, definition, "created", undefined, made, made.work);
  }
  const sent = fromStored(envelope.event) as MachineEvent;
  if (isReservedEvent(sent.type)) {
    throw new Undeliverable(
      "reserved",
      `Event "${sent.type}" is reserved for the runtime and cannot be sent to ${to}.`,
    );
  }
  const checked = definition.checkEvent(sent);
  if ("reason" in checked) {
    throw new Undeliverable(
      checked.reason,
      `Event "${sent.type}" for ${to} was refused: ${checked.problems.join("; ")}.`,
    );
  }
  if (head.status === "done" || head.status === "error") return unchanged(given, "ignored");
  if (head.state !== undefined) {
    const step = definition.driver.step(head.state, checked.event, stepEnv);
    return step.handled
      ? stepped(given, definition, "applied", head.value, step, step.work)
      : unchanged(given, "ignored");
  }
  if (definition.needsCreate) {
    throw new Undeliverable("not-created", `${to} does not exist: actors of this type take a create first.`);
  }
  const made = definition.driver.create(definition.inputFor(delivery.to.id), stepEnv);
  const view = definition.driver.view(made.state);
  if (view.status !== "active") return stepped(given, definition, "created", undefined, made, made.work);
  const step = definition.driver.step(made.state, checked.event, stepEnv);
  return step.handled
    ? stepped(given, definition, "applied", view.value, step, [...made.work, ...step.work])
    : stepped(given, definition, "created", undefined, step, made.work);
}

/** Decides that a message is dead: the state stays, the letter is committed with the cursor that marks the message as handled. */
export function decideDead(
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
    envelope = readEnvelope(delivery);
  } catch {
    envelope = undefined;
  }
  // In INGRESS anyone can write anything: only in CORE it is believed that a message was redriven.
  const redrive = delivery.stream === "core" ? envelope?.redrive : undefined;
  const letter = redrive?.letter ?? `${delivery.stream === "ingress" ? "i" : "c"}${delivery.seq}`;
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
  return finish(
    { head, delivery, env, envelope },
    { outcome: "dead", from: head.value, next: head, outbox, dead: { letter, reason, explanation } },
  );
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
  readonly after?: readonly Work[];
  readonly reply?: { readonly value: unknown };
  readonly dead?: { readonly letter: string; readonly reason: DeadReason; readonly explanation: string };
  /** The answer of the first message with the same key. */
  readonly answerJson?: string;
}

/** The message is handled, and the actor stays as it is. */
function unchanged(given: Given, outcome: Outcome, answerJson?: string): Decision {
  const verdict: Verdict = { outcome, from: given.head.value, next: given.head, outbox: [] };
  return finish(given, answerJson === undefined ? verdict : { ...verdict, answerJson });
}

/** The machine took a step: its state is encoded, its work sorted. */
function stepped(
  given: Given,
  definition: RunnableDefinition,
  outcome: Outcome,
  from: unknown,
  step: Step,
  work: readonly Work[],
): Decision {
  const view = definition.driver.view(step.state);
  const snapshotJson = JSON.stringify(definition.driver.toStored(step.state));
  const outbox: OutboxItem[] = [];
  const after: Work[] = [];
  let reply: { readonly value: unknown } | undefined;
  for (const item of work) {
    if (item.kind === "tell") {
      outbox.push({ kind: "mail", to: item.to, eventJson: JSON.stringify(toStored(item.event, "event")) });
    } else if (item.kind === "publish") {
      const eventJson = JSON.stringify(toStored(item.event, "event"));
      outbox.push({ kind: "topic", topic: item.topic, type: item.event.type, eventJson });
    } else if (item.kind === "reply") reply = { value: toStored(item.value, "reply") };
    else after.push(item);
  }
  const next = {
    status: view.status,
    state: step.state,
    value: view.value,
    snapshotJson,
    machineJson: identityJson(definition),
  };
  const verdict: Verdict = { outcome, from, next, outbox, after };
  return finish(given, reply === undefined ? verdict : { ...verdict, reply });
}

const identities = new WeakMap<RunnableDefinition, string>();

function identityJson(definition: RunnableDefinition): string {
  let json = identities.get(definition);
  if (json === undefined) {
    json = JSON.stringify(definition.driver.identity);
    identities.set(definition, json);
  }
  return json;
}

const nothing: readonly Work[] = [];

function finish(given: Given, verdict: Verdict): Decision {
  const { head, delivery, env, envelope } = given;
  const { outcome, from, next, outbox, reply, dead } = verdict;
  const revision = head.revision + 1;
  const by = delivery.sender ?? envelope?.from;
  const handled: HandledMessage = {
    revision,
    message: envelope?.id ?? "",
    event: envelope === undefined ? "" : envelope.kind === "create" ? "create" : (envelope.event?.type ?? ""),
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
    delivery.stream === "ingress"
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
    },
    handledJson,
    outbox,
    after: verdict.after ?? nothing,
    replyTo,
    answerJson: replyTo === undefined && !isKeyed ? undefined : answerJson,
    key: envelope?.key,
    sentAt: envelope?.sentAt,
    reason: dead?.reason,
    sizeBytes,
  };
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
    const bytes =
      item.kind === "body"
        ? item.data.length
        : jsonBytes(item.kind === "key" || item.kind === "dead" ? item.json : item.eventJson, maxRecordBytes) +
          recordOverheadBytes;
    if (bytes > maxRecordBytes) {
      throw tooLarge(
        item.kind === "mail"
          ? `the event for ${formatAddress(item.to)} told by ${who}`
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
  json += `,"handled":[${told.map((decision) => decision.handledJson).join(",")}]}`;
  return Buffer.from(json);
}

/** The bytes of a message from one actor to another. */
export function mailBytes(id: string, from: string, sentAt: number, eventJson: string): Uint8Array {
  return Buffer.from(
    `{"format":${envelopeFormat},"kind":"event","id":"${id}","from":${JSON.stringify(from)},"sentAt":${sentAt},"event":${eventJson}}`,
  );
}

/** The bytes of a published event: a CloudEvents 1.0 JSON document. */
export function topicBytes(id: string, source: string, type: string, atMs: number, eventJson: string): Uint8Array {
  const time = new Date(atMs).toISOString();
  return Buffer.from(
    `{"specversion":"1.0","id":"${id}","source":${JSON.stringify(source)},"type":${JSON.stringify(type)},"time":"${time}","datacontenttype":"application/json","data":${eventJson}}`,
  );
}

/** A failed attempt in the form in which letters keep it. */
export function failedAttempt(error: unknown, now: number, node: string): FailedAttempt {
  return { at: now, node, error: toStoredError(error) };
}

/**
 * Previews: what a message would do to an actor as it is stored now.
 *
 * 1. The message is decided as a node would decide it, and nothing comes of it: nothing is written, no action of the machine runs, no lane is touched.
 * 2. A machine that does not come to its end is stopped after a second. It has a state of its own: nobody else sees what it leaves half done.
 */
import type { Address } from "../core/address.ts";
import { formatAddress } from "../core/address.ts";
import { toStored } from "../core/codec.ts";
import type { Envelope, StoredEvent } from "../core/envelope.ts";
import { encodeEnvelope } from "../core/envelope.ts";
import { isStatewrightError } from "../core/errors.ts";
import type { PreviewedFailure, PreviewedState, PreviewedWork, PreviewResult } from "../core/queries.ts";
import {
  type HandledMessage,
  type KeyRecord,
  type StateRecord,
  type StoredSnapshot,
  type TaskRecord,
  toStoredError,
} from "../core/records.ts";
import { decide } from "./decide.ts";
import type { AfterWork, Decision } from "./decision.ts";
import type { RunnableDefinition } from "./definition.ts";
import { type Delivery, untried } from "./delivery.ts";
import type { DecideEnv } from "./given.ts";
import { absentHead, type Head } from "./head.ts";
import { headOf } from "./lane.ts";
import { driverOf } from "./logic-of.ts";
import { Undeliverable } from "./message.ts";
import type { OutboxItem } from "./outbox.ts";
import { TimeOver, timeBound } from "./time-bound.ts";

/** A machine that takes longer than this for one message is not waited for. */
const longestMs = 1000;

/** What a preview is made of. */
export interface PreviewInput {
  readonly definition: RunnableDefinition;
  readonly to: Address;
  /** The actor's state record; undefined while there is none. */
  readonly record: StateRecord | undefined;
  readonly envelope: Envelope;
  /** The message is read from CORE, as a redriven letter is; else it is one of a client with this name. */
  readonly from: "core" | { readonly sender: string };
  /** Under which the message's key was applied before. */
  readonly duplicateOf: KeyRecord | undefined;
  readonly now: number;
  readonly node: string;
  readonly space: string;
  readonly limits: DecideEnv["limits"];
  readonly random: () => number;
}

/**
 * Decides a message, and tells what came of it.
 *
 * Errors: `MigrationError`, `CorruptRecordError` when the stored state cannot be used: its actor takes no message at all then. {@link TimeOver} when that takes too
 * long.
 */
export function previewOf(input: PreviewInput): PreviewResult {
  const { definition, to, record, now } = input;
  const head = record === undefined ? absentHead : timeBound(longestMs, () => headOf(to, record, definition, now));
  const parkedBy = record?.waiting?.parked?.letter;
  const birth = input.envelope.kind === "start" ? input.envelope.birth : head.birth;
  const fixed = { at: now, before: stateOf(head), ...(parkedBy === undefined ? {} : { parkedBy }) };
  let version = versionOf(definition, undefined);
  try {
    version = versionOf(definition, birth);
    const decision = timeBound(longestMs, () =>
      decide(definition, head, deliveryOf(input, head), {
        now,
        node: input.node,
        space: input.space,
        limits: input.limits,
        isReply: () => false,
        pendingKey: () => undefined,
      }),
    );
    return { ...fixed, version, done: doneBy(decision, head) };
  } catch (error) {
    return { ...fixed, version, failed: failureOf(input, error) };
  }
}

function versionOf(definition: RunnableDefinition, birth: Head["birth"]): string {
  const { version, fingerprint } = driverOf(definition, birth).identity;
  return version ?? fingerprint;
}

function deliveryOf({ to, envelope, from, duplicateOf }: PreviewInput, head: Head): Delivery {
  const stream = from === "core" ? "core" : "ingress";
  return {
    ...untried,
    stream,
    seq: head.cursor[stream] + 1,
    subject: "",
    to,
    sender: from === "core" ? undefined : from.sender,
    data: encodeEnvelope(envelope),
    unaddressable: undefined,
    duplicateOf,
    isKeyNew: true,
  };
}

function stateOf({ status, revision, snapshotJson }: Head): PreviewedState {
  return {
    status,
    revision,
    ...(snapshotJson === undefined ? {} : { snapshot: JSON.parse(snapshotJson) as StoredSnapshot }),
  };
}

function doneBy(decision: Decision, head: Head): NonNullable<PreviewResult["done"]> {
  const after = stateOf(decision.head);
  const { reply } = JSON.parse(decision.handledJson) as HandledMessage;
  return {
    outcome: decision.outcome,
    after,
    work: [
      ...decision.outbox.flatMap((item) => inOutbox(item, after.snapshot)),
      ...liveChanges(stateOf(head).snapshot, after.snapshot),
      ...decision.after.flatMap(afterCommit),
    ],
    ...(reply === undefined ? {} : { reply }),
  };
}

function inOutbox(item: OutboxItem, after: StoredSnapshot | undefined): PreviewedWork[] {
  switch (item.kind) {
    case "mail": {
      const { kind, event, input } = JSON.parse(`{${item.fields}}`) as Envelope;
      return [
        {
          kind: "mail",
          to: formatAddress(item.to),
          what: kind,
          ...(event === undefined ? {} : { event }),
          ...(input === undefined ? {} : { input }),
        },
      ];
    }
    case "emit":
      return [{ kind: "emit", event: JSON.parse(item.eventJson) as StoredEvent }];
    case "topic":
      return [{ kind: "publish", topic: item.topic, event: JSON.parse(item.eventJson) as StoredEvent }];
    case "timer": {
      const { event, task } = after?.timers?.[item.timer] ?? {};
      const type = task === undefined ? (event as StoredEvent | undefined)?.type : `${task.kind} ${task.child}`;
      return [{ kind: "timer", at: item.atMs, event: type ?? "" }];
    }
    case "task": {
      const { activity, id, attempt, input } = JSON.parse(item.json) as TaskRecord;
      return [{ kind: "task", activity, id, attempt, ...(input === undefined ? {} : { input }) }];
    }
    default:
      // Records that the runtime keeps for itself.
      return [];
  }
}

function liveChanges(before: StoredSnapshot | undefined, after: StoredSnapshot | undefined): PreviewedWork[] {
  const running = (snapshot: StoredSnapshot | undefined) =>
    new Map(
      Object.entries(snapshot?.children ?? {})
        .filter(([, { kind, ended }]) => kind === "live" && ended !== true)
        .map(([id, { n, src }]) => [n, { id, src }]),
    );
  const [was, is] = [running(before), running(after)];
  const work: PreviewedWork[] = [];
  for (const [n, child] of was) if (!is.has(n)) work.push({ kind: "live", ...child, what: "stops" });
  for (const [n, child] of is) if (!was.has(n)) work.push({ kind: "live", ...child, what: "starts" });
  return work;
}

function afterCommit(work: AfterWork): PreviewedWork[] {
  switch (work.kind) {
    case "run":
      return [{ kind: "action", name: work.name }];
    case "log": {
      const { label, value } = work;
      return [{ kind: "log", ...(label === undefined ? {} : { label }), text: textOf(value) }];
    }
    case "deliver":
      return [{ kind: "deliver", child: work.child, event: toStored(work.event, "event") as StoredEvent }];
    case "cancel":
      return [{ kind: "cancel", activity: work.activity }];
  }
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    return JSON.stringify(toStored(value, "value")) ?? "undefined";
  } catch {
    return String(value);
  }
}

/** What a node would do about the failure of a first attempt. */
function failureOf({ definition, envelope, now, random }: PreviewInput, error: unknown): PreviewedFailure {
  const stored = toStoredError(error);
  if (error instanceof TimeOver) {
    const explanation = `${error.message} A node that handles it is blocked by it.`;
    return { error: stored, next: { retry: false, reason: "crashed", explanation } };
  }
  if (error instanceof Undeliverable) {
    const { reason, message } = error;
    return { error: { name: "Undeliverable", message }, next: { retry: false, reason, explanation: message } };
  }
  if (isStatewrightError(error) && error._tag === "PayloadTooLargeError")
    return { error: stored, next: { retry: false, reason: "too-large", explanation: error.message } };
  const { retry } = definition.supervision(envelope.event?.type);
  const next = retry.next(undefined, { error, attempt: 1, nowMs: now, elapsedMs: 0, random });
  return {
    error: stored,
    next: next.retry
      ? { retry: true, delayMs: next.delayMs }
      : { retry: false, reason: next.reason, explanation: next.explanation },
  };
}

/** The records that go with a state in one commit: made of what a transition wants done, and measured, since the log takes only so much. */
import { type Address, formatAddress } from "../core/address.ts";
import { cloudEventOverheadBytes } from "../core/cloud-events.ts";
import { toStored } from "../core/codec.ts";
import { type Envelope, envelopeFormat } from "../core/envelope.ts";
import { PayloadTooLargeError } from "../core/errors.ts";
import { recordFormat, type TaskRecord } from "../core/records.ts";
import type { Work } from "../machine/driver.ts";

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
  | { readonly kind: "body"; readonly letter: string; readonly data: Uint8Array }
  /** A message that waits outside the mailbox. */
  | { readonly kind: "wait"; readonly n: number; readonly json: string }
  | { readonly kind: "wait-body"; readonly n: number; readonly data: Uint8Array };

/** Work that becomes a record. */
export type OutboxWork = Exclude<Work, { readonly kind: "reply" | "run" | "log" | "deliver" | "cancel" | "letter" }>;

/** The record that a piece of work becomes. `activityNameOf` gives the name under which workers take an activity. */
export function outboxItem(
  actor: Address,
  work: OutboxWork,
  activityNameOf: (src: string) => string | undefined,
): OutboxItem {
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
    case "ask": {
      const { request, id, n } = work;
      const ask = `"ask":${JSON.stringify({ id, n })}`;
      if (request.kind === "event")
        return mail(request.to, "event", `"event":${JSON.stringify(toStored(request.event, "event"))},${ask}`);
      const input = request.input === undefined ? "" : `"input":${JSON.stringify(toStored(request.input, "input"))},`;
      return mail(request.to, "create", `${input}${ask}`);
    }
    case "end-run": {
      const reason = `The state of ${formatAddress(actor)} that waited for it was left.`;
      const ask = { id: work.id, n: work.n };
      return mail(work.to, work.how, `"ask":${JSON.stringify(ask)},"reason":${JSON.stringify(reason)}`);
    }
    case "timer":
      return { kind: "timer", timer: work.timer, atMs: work.atMs };
    case "task": {
      const { id, n, attempt, since, key } = work;
      const activity = activityNameOf(work.src) ?? work.src;
      const input = toStored(work.input, "input");
      const record: TaskRecord = {
        format: recordFormat,
        activity,
        actor: formatAddress(actor),
        id,
        n,
        attempt,
        since,
        input,
        ...(key === undefined ? {} : { key }),
      };
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

const recordOverheadBytes = 1024;

/** What a state leaves free, so that a later message can still be marked as dead beside it. */
export const reserveForLettersBytes = 32_768;

/** What the log takes. */
export interface SizeLimits {
  readonly maxRecordBytes: number;
  readonly maxRecordsPerAppend: number;
  readonly maxBytesPerAppend: number;
}

/** Adds up what the decision writes; throws `PayloadTooLargeError` when the log would not take it. */
export function checkSizes(
  of: Address,
  limits: SizeLimits,
  snapshotJson: string | undefined,
  handledJson: string,
  outbox: readonly OutboxItem[],
  reserveBytes: number,
): number {
  const { maxRecordBytes, maxRecordsPerAppend, maxBytesPerAppend } = limits;
  const maxStateBytes = maxRecordBytes - reserveBytes;
  const who = formatAddress(of);
  const stateBytes =
    jsonBytes(snapshotJson ?? "", maxRecordBytes) + jsonBytes(handledJson, maxRecordBytes) + recordOverheadBytes;
  if (stateBytes > maxStateBytes) throw tooLarge(`the state of ${who}`, stateBytes, maxStateBytes);
  let total = stateBytes;
  for (const item of outbox) {
    const bytes = bytesOf(item, of, maxRecordBytes);
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
    case "wait-body":
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

/** The bytes of a message from one actor to another. */
export function mailBytes(id: string, from: string, sentAt: number, fields: string): Uint8Array {
  return Buffer.from(
    `{"format":${envelopeFormat},"id":"${id}","from":${JSON.stringify(from)},"sentAt":${sentAt},${fields}}`,
  );
}

/**
 * CloudEvents 1.0: the form of all events that are for the world outside, published to topics or emitted.
 *
 * 1. The record is a whole CloudEvent in JSON (structured mode). The headers say the same of it again, for who sorts messages without reading them.
 * 2. `data` is the event as the machine gave it, with its `type`, encoded for storage: plain JSON stays plain JSON.
 */
import type { Address } from "./address.ts";
import { fromStored } from "./codec.ts";
import { CorruptRecordError } from "./errors.ts";

/** An event as it is stored. */
export interface CloudEvent {
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** Most bytes of an event, besides its payload, for an id and type of no length: two ids of up to 64 characters and the name of a space are in it. */
const fixedBytes = 1024;

let timeMs = Number.NaN;
let time = "";

/** Writes a time as CloudEvents have it. All events of one commit have the same. */
function timeOf(atMs: number): string {
  if (atMs !== timeMs) {
    time = new Date(atMs).toISOString();
    timeMs = atMs;
  }
  return time;
}

/** The `source` of an actor's events, `/<space>/<type>/<id>`: a URI path, in which what cannot stand there is percent-encoded. */
export function eventSource(spaceName: string, { type, id }: Address): string {
  const path = /^[A-Za-z0-9/_.~-]*$/.test(id) ? id : encodeURIComponent(id).replaceAll("%2F", "/");
  return `/${spaceName}/${type}/${path}`;
}

/**
 * Makes an event. `id` is unique among the events of the source; `eventJson` is the machine's event, encoded for storage.
 *
 * *Gotchas*: `id` is put in as it is, and must not hold what JSON escapes.
 */
export function cloudEvent(id: string, source: string, type: string, atMs: number, eventJson: string): CloudEvent {
  const at = timeOf(atMs);
  const json = `{"specversion":"1.0","id":"${id}","source":${JSON.stringify(source)},"type":${JSON.stringify(type)},"time":"${at}","datacontenttype":"application/json","data":${eventJson}}`;
  return {
    data: Buffer.from(json),
    headers: {
      "content-type": "application/cloudevents+json",
      "ce-specversion": "1.0",
      "ce-id": id,
      "ce-source": source,
      "ce-type": type,
      "ce-time": at,
    },
  };
}

/** The most bytes that an event of an actor takes besides its payload, headers included. */
export function cloudEventOverheadBytes(by: Address, type: string): number {
  // A source is ASCII: one byte in JSON, up to three in a header. A unit of a type takes up to six bytes in JSON and nine in a header.
  return fixedBytes + 4 * eventSource("", by).length + 15 * type.length;
}

/** What a stored event says. */
export interface ReadEvent {
  readonly id: string;
  /** The machine's event, decoded. */
  readonly event: { readonly type: string; readonly [field: string]: unknown };
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Reads an event. Errors: `CorruptRecordError` when it is none; `what` names it in the message. */
export function readCloudEvent(what: string, data: Uint8Array): ReadEvent {
  let read: { readonly id: unknown; readonly event: unknown };
  try {
    const { specversion, id, data: payload } = JSON.parse(decoder.decode(data));
    read = { id, event: specversion === "1.0" ? fromStored(payload) : undefined };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CorruptRecordError(`Cannot read ${what}: ${reason}`, { cause });
  }
  const { id, event } = read;
  if (typeof id === "string" && isEvent(event)) return { id, event };
  throw new CorruptRecordError(
    `Cannot read ${what}: it is not a CloudEvent of version 1.0 with an id and an event as its data.`,
  );
}

function isEvent(value: unknown): value is ReadEvent["event"] {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}

/**
 * A message on its way into INGRESS: its ids, its subject, its bytes.
 *
 * 1. Every message has a subject of its own, and is only ever stored where none is: storing it twice is refused by the log itself.
 * 2. Without a key the subject ends in the message's id, which no other message has. With a key it ends in a token that only this key has:
 *    the same key of the same sender to the same actor is the same subject.
 */
import { createHash } from "node:crypto";
import { type Address, partitionOf } from "../../runtime/core/address.ts";
import { type Envelope, encodeEnvelope, envelopeFormat, type StoredEvent } from "../../runtime/core/envelope.ts";
import { maxNameBytes, toToken } from "../../runtime/core/names.ts";
import type { AppendRecord } from "../../runtime/log/log.ts";
import type { ClientContext } from "./context.ts";

/** What a confirmed send says. */
export interface SendReceipt {
  /** Id of the message that stands in the log: for a duplicate, that of the first one, where it is still to be seen. */
  readonly message: string;
  readonly partition: number;
  /** Its sequence in INGRESS. */
  readonly seq: number;
  /** True when a message with the same key was stored or applied before: this one changes nothing. */
  readonly duplicate: boolean;
}

/**
 * Where a message stands. `waiting`: the queue is full. `queued`: nothing of it has left. `sending`: it belongs to the batch under way.
 * `stored`: its key is being looked up. `settled`: the caller knows.
 */
export type Phase = "waiting" | "queued" | "sending" | "stored" | "settled";

/** What a message carries. */
export type Content =
  | { readonly kind: "event"; readonly event: StoredEvent }
  | { readonly kind: "create"; readonly input: unknown }
  | { readonly kind: "migrate" }
  | { readonly kind: "cancel" | "terminate"; readonly reason?: string };

/** A message on its way; it is itself the record to append. */
export class Outgoing implements AppendRecord {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly expectLastSeq = 0;
  readonly id: string;
  readonly to: Address;
  readonly partition: number;
  /** Subject of the record that its key will have in CORE; undefined without a key. */
  readonly keySubject: string | undefined;

  phase: Phase = "waiting";
  deadlineMs = Number.POSITIVE_INFINITY;
  timeoutMs = 0;
  /** Sequence in INGRESS, once known. */
  seq = 0;
  resolve!: (receipt: SendReceipt) => void;
  reject!: (error: unknown) => void;
  /** Stops listening to the caller's signal. */
  unlisten: (() => void) | undefined;

  constructor(
    subject: string,
    data: Uint8Array,
    id: string,
    to: Address,
    partition: number,
    keySubject: string | undefined,
  ) {
    this.subject = subject;
    this.data = data;
    this.id = id;
    this.to = to;
    this.partition = partition;
    this.keySubject = keySubject;
  }
}

/** Makes messages for one client. */
export class MessageFactory {
  readonly #context: ClientContext;
  #counter = 0;

  constructor(context: ClientContext) {
    this.#context = context;
  }

  /** Encodes a message. Errors: `InvalidNameError` for a key that cannot be used. */
  make(to: Address, content: Content, key: string | undefined, reply: string | undefined): Outgoing {
    const { subjects, partitions, sender, clientId, time } = this.#context;
    const id = clientId + (this.#counter++).toString(36);
    const partition = partitionOf(to, partitions);
    const envelope: Envelope = {
      format: envelopeFormat,
      ...content,
      id,
      ...(key === undefined ? undefined : { key }),
      ...(reply === undefined ? undefined : { reply }),
      sentAt: time.now(),
    };
    const keySubject = key === undefined ? undefined : subjects.key(partition, to, key);
    const subject = subjects.ingress(sender, partition, to, key === undefined ? id : tokenOfKey(key));
    return new Outgoing(subject, encodeEnvelope(envelope), id, to, partition, keySubject);
  }
}

/** A new client id: `m` and 126 random bits. The first letter keeps message ids apart from the tokens of keys. */
export function newClientId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `m${Buffer.from(bytes).toString("base64url").slice(0, 21)}`;
}

/** Names a key in a subject: `k-` and the key where that fits, else `h-` and its SHA-256. Neither is ever a generated id. */
export function tokenOfKey(key: string): string {
  toToken(key, "an idempotency key");
  const token = `k-${key}`;
  return Buffer.byteLength(token) <= maxNameBytes ? token : `h-${createHash("sha256").update(key).digest("base64url")}`;
}

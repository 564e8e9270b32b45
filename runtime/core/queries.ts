/**
 * Questions to nodes, and their answers: what a client asks the owner of a partition, or all nodes.
 *
 * 1. Neither is stored. A question may get lost, or be answered more than once: it is asked again until there is an answer.
 * 2. A question changes nothing. Anyone who may publish on its subject may have written it: it is believed in nothing.
 */
import type { Envelope, EnvelopeKind, StoredEvent } from "./envelope.ts";
import { CorruptRecordError } from "./errors.ts";
import type { ActorStatus, DeadReason, Outcome, StoredError, StoredSnapshot } from "./records.ts";

/** The format of questions and answers that this version writes; it reads no other. */
const queryFormat = 1;

/** What is asked. */
export type Query =
  /** Does the door of the actor's type take the message? To the owner of the partition. */
  | { readonly kind: "check"; readonly to: string; readonly envelope: Envelope }
  /** What would the message do to the actor as it is now? To the owner of the partition. */
  | PreviewQuery
  /** What does each node say of itself? To all nodes. */
  | { readonly kind: "stats" };

/** What would a message do? Nothing of it is done. */
export interface PreviewQuery {
  readonly kind: "preview";
  /** The actor, `type/id`. */
  readonly to: string;
  /** The message; absent: the letter's own. */
  readonly envelope?: Envelope;
  /** Whose message it is: it is decided as if it had been redriven. `of`: the actor under which the letter is stored, `type/id`. */
  readonly letter?: { readonly id: string; readonly of: string };
  /** Also where the letter says that its message ended processes: this one may be ended too. */
  readonly force?: true;
  /** Who asks: stands for the sender of a message that is no letter's. */
  readonly sender?: string;
}

/** A question as it travels: with the subject for the answer. */
export interface AskedQuery {
  readonly query: Query;
  readonly reply: string;
}

/** Says whether the door takes a message. */
export type CheckResult = { readonly ok: true } | { readonly ok: false; readonly problems: readonly string[] };

/** An actor before or after a message. */
export interface PreviewedState {
  readonly status: ActorStatus;
  readonly revision: number;
  /** Absent while the actor does not exist. */
  readonly snapshot?: StoredSnapshot;
}

/** Something that a message has done besides changing the state; events and inputs are encoded for storage. */
export type PreviewedWork =
  /** To an actor. `what` other than `event` is the runtime's own: a child that starts or stops, the way to a system id. */
  | {
      readonly kind: "mail";
      readonly to: string;
      readonly what: EnvelopeKind;
      readonly event?: StoredEvent;
      readonly input?: unknown;
    }
  | { readonly kind: "emit"; readonly event: StoredEvent }
  | { readonly kind: "publish"; readonly topic: string; readonly event: StoredEvent }
  /** `event` is the type of what it brings; `at` is in milliseconds since 1970. */
  | { readonly kind: "timer"; readonly at: number; readonly event: string }
  | {
      readonly kind: "task";
      readonly activity: string;
      readonly id: string;
      readonly attempt: number;
      readonly input?: unknown;
    }
  /** An activity is not wanted any more. */
  | { readonly kind: "cancel"; readonly activity: string }
  /** A live child begins or ends. */
  | { readonly kind: "live"; readonly id: string; readonly src: string; readonly what: "starts" | "stops" }
  /** An event for a live child. */
  | { readonly kind: "deliver"; readonly child: string; readonly event: StoredEvent }
  /** A custom action, which would run after the commit. */
  | { readonly kind: "action"; readonly name: string }
  | { readonly kind: "log"; readonly label?: string; readonly text: string };

/** Why a message would fail, and what would be done about it. */
export interface PreviewedFailure {
  readonly error: StoredError;
  /** Another attempt would follow after `delayMs`, or none would: the message would become a dead letter. */
  readonly next:
    | { readonly retry: true; readonly delayMs: number }
    | { readonly retry: false; readonly reason: DeadReason; readonly explanation: string };
}

/** What a message would do. */
export interface PreviewResult {
  /** When it was looked at, by the node's clock, milliseconds since 1970. */
  readonly at: number;
  /** The version of the machine, or its fingerprint where it has none. */
  readonly version: string;
  readonly before: PreviewedState;
  /** Set when it would be handled. */
  readonly done?: {
    readonly outcome: Outcome;
    readonly after: PreviewedState;
    readonly work: readonly PreviewedWork[];
    /** What the machine would answer, encoded for storage. */
    readonly reply?: unknown;
  };
  /** Set when it would fail. */
  readonly failed?: PreviewedFailure;
  /** The actor takes no message at the moment: it is parked by this letter. */
  readonly parkedBy?: string;
  /** What was left out, since an answer must not be larger than the log's records: `work`, `before`, `after`. State values are always there. */
  readonly cut?: readonly string[];
}

/** A node's answer. */
export type QueryAnswer<Result = unknown> = { readonly node: string } & (
  | { readonly result: Result }
  /** `tag` is that of an error class. */
  | {
      readonly error: {
        readonly tag: string;
        readonly message: string;
        readonly details?: Readonly<Record<string, unknown>>;
      };
    }
);

/** Encodes a question. */
export function encodeQuery(asked: AskedQuery): Uint8Array {
  return Buffer.from(JSON.stringify({ format: queryFormat, ...asked }));
}

/**
 * Decodes a question that anyone may have written. Whether envelope and addresses can be used is for whoever answers to find out.
 *
 * Errors: `CorruptRecordError`.
 */
export function decodeQuery(data: Uint8Array): AskedQuery {
  const { query, reply } = readFields("a question", data);
  if (typeof reply !== "string" || !isFields(query)) throw new CorruptRecordError("Cannot read a question.");
  const { kind, to, envelope, letter } = query;
  const isKnown =
    kind === "stats" ||
    (kind === "check" && typeof to === "string" && isFields(envelope)) ||
    (kind === "preview" &&
      typeof to === "string" &&
      (envelope === undefined ? letter !== undefined : isFields(envelope)) &&
      (letter === undefined || (isFields(letter) && typeof letter.id === "string" && typeof letter.of === "string")));
  if (!isKnown) throw new CorruptRecordError(`Cannot read a question of the kind ${JSON.stringify(kind)}.`);
  return { query: query as unknown as Query, reply };
}

/** Encodes an answer. */
export function encodeQueryAnswer(answer: QueryAnswer): Uint8Array {
  return Buffer.from(JSON.stringify({ format: queryFormat, ...answer }));
}

/** Decodes an answer. Errors: `CorruptRecordError`. */
export function decodeQueryAnswer(data: Uint8Array): QueryAnswer {
  const answer = readFields("an answer", data);
  const { node, error } = answer;
  const isError = isFields(error) && typeof error.tag === "string" && typeof error.message === "string";
  if (typeof node !== "string" || !(isError || (error === undefined && "result" in answer)))
    throw new CorruptRecordError("Cannot read an answer.");
  return answer as unknown as QueryAnswer;
}

function readFields(what: string, data: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString());
  } catch (cause) {
    throw new CorruptRecordError(`Cannot read ${what}: ${data.length} bytes that are not JSON.`, { cause });
  }
  if (!isFields(value) || value.format !== queryFormat) {
    throw new CorruptRecordError(`Cannot read ${what}: it is not of format ${queryFormat}.`);
  }
  return value;
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

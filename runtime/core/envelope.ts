/**
 * The envelope: the form in which every message travels and waits, in INGRESS and in mailboxes of CORE.
 *
 * Stored as JSON in UTF-8. The subject says to whom it goes and, in INGRESS, from whom it comes; the body is never believed about either.
 */
import { CorruptRecordError } from "./errors.ts";

/** The envelope format that this version writes; it reads all formats up to this one. */
export const envelopeFormat = 1;

/** An event as it travels: its `type` and whatever else it carries, encoded for storage. */
export interface StoredEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** True for event types that nobody may send: those of XState and of the runtime, the wildcard, and the empty one. */
export function isReservedEvent(type: string): boolean {
  return type === "" || type === "*" || type.startsWith("xstate.") || type.startsWith("statewright.");
}

/** Who brought a child actor into being, as what. */
export interface Birth {
  /** The parent, `type/id`. */
  readonly parent: string;
  /** The child's name with its parent. */
  readonly id: string;
  /** The generation: unique among all children that the parent ever had. */
  readonly n: number;
  /** The names of actor logic on the way from the root's machine to the child's logic. */
  readonly src: readonly string[];
  /** The parent wants to see every state of the child. */
  readonly sync?: true;
  readonly systemId?: string;
}

/** How an attempt of an activity ended; values are encoded for storage. */
export type ActivityOutcome =
  | { readonly output: unknown }
  | {
      readonly error: unknown /** The error cannot be helped by another attempt. */;
      readonly isTerminal?: true;
      /** How many attempts were begun, those of workers that were gone included. */
      readonly attempts?: number;
      readonly retryAfterMs?: number;
    };

/** What an attempt of an activity came to. */
export interface ActivityResult {
  /** The activity's name with its actor. */
  readonly id: string;
  readonly n: number;
  /** From 1. */
  readonly attempt: number;
  readonly outcome: ActivityOutcome;
}

/**
 * What a message is for. Anyone may send `event`, `create`, `migrate`, `cancel` and `terminate`; a `result` is only taken from {@link workerSender}, the rest only from nodes, in CORE.
 *
 * `event`: for the machine. `create`: makes the actor, with `input`. `start`, `stop`: from a parent to its child. `result`: of an activity. `relay`: for the
 * actor that has a system id, by way of the root, which knows it. `alias`: tells the root who has a system id. `migrate`: brings a stored state to the machine's version.
 * `release`: lets a parked actor take messages again; in CORE. `cancel`: a workflow is to come to its end. `terminate`: a workflow ends at once.
 */
export type EnvelopeKind =
  | "event"
  | "create"
  | "start"
  | "stop"
  | "result"
  | "relay"
  | "alias"
  | "migrate"
  | "release"
  | "cancel"
  | "terminate";

const kinds: ReadonlySet<unknown> = new Set([
  "event",
  "create",
  "start",
  "stop",
  "result",
  "relay",
  "alias",
  "migrate",
  "release",
  "cancel",
  "terminate",
] satisfies EnvelopeKind[]);

const openKinds: ReadonlySet<EnvelopeKind> = new Set(["event", "create", "migrate", "cancel", "terminate"]);

/** True for the kinds of messages that anyone may send. */
export function isOpenKind(kind: EnvelopeKind): boolean {
  return openKinds.has(kind);
}

/** The sender in whose name results of activities come. */
export const workerSender = "statewright.worker";

/** A message as it travels. */
export interface Envelope {
  readonly format: number;
  readonly kind: EnvelopeKind;
  /** Unique for the message; the same when it is sent again. */
  readonly id: string;
  /** The event, for the kinds `event` and `relay`. */
  readonly event?: StoredEvent;
  /** The input, encoded for storage, for the kinds `create` and `start`. */
  readonly input?: unknown;
  /** On an `event` of the runtime's own, from a child to its parent or from a letter of a timer; only in CORE. */
  readonly internal?: { readonly child?: string; readonly n?: number };
  /** For kind `start`. */
  readonly birth?: Birth;
  /** For kind `stop`: the generation that is to stop. For kind `alias`: of the actor named. */
  readonly n?: number;
  /** For kind `result`. */
  readonly result?: ActivityResult;
  /** For the kinds `relay` and `alias`. */
  readonly systemId?: string;
  /** For kind `alias`: who has the system id, `type/id`; absent: nobody any more. */
  readonly holder?: string;
  /** Idempotency key: applied once per actor and key. */
  readonly key?: string;
  /** Subject for the answer of an `ask`. */
  readonly reply?: string;
  /** The actor that sent it, `type/id`; only in CORE. */
  readonly from?: string;
  /** When it was sent by the sender's clock, milliseconds since 1970. Information only. */
  readonly sentAt: number;
  /** W3C trace context, passed on unread. */
  readonly traceparent?: string;
  /** The child of the sender that waits for what comes of it: the reply to an event, the end of a run. In CORE. */
  readonly ask?: { readonly id: string; readonly n: number };
  /** For the kinds `cancel` and `terminate`: why, in words. */
  readonly reason?: string;
  /** For kind `release`: the letter that the actor is parked by; absent: whatever it is parked by. */
  readonly letter?: string;
  /** Set on a redriven message: the letter it comes from. `home`: the subject of the letter, when it is not that of the actor that gets the message. */
  readonly redrive?: {
    readonly letter: string;
    readonly attempts: number;
    readonly redrives: number;
    readonly home?: string;
  };
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Encodes an envelope for the log. */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  return Buffer.from(JSON.stringify(envelope));
}

/**
 * Decodes an envelope that anyone may have written.
 *
 * Errors: {@link CorruptRecordError} naming what is wrong (not UTF-8, not JSON, unknown format, missing or wrong field).
 */
export function decodeEnvelope(data: Uint8Array): Envelope {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(data));
  } catch (cause) {
    throw new CorruptRecordError(
      `Cannot read a message of ${data.length} bytes: it is not JSON in UTF-8 (${reasonOf(cause)}).`,
      { cause },
    );
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new CorruptRecordError("Cannot read a message: its JSON is not an object.");
  }
  const envelope = value as Record<string, unknown>;
  const problems: string[] = [];
  if (typeof envelope.format !== "number") problems.push('"format" is missing');
  else if (envelope.format < 1 || envelope.format > envelopeFormat || !Number.isInteger(envelope.format)) {
    throw new CorruptRecordError(
      `Cannot read a message of format ${envelope.format}: this version reads formats 1 to ${envelopeFormat}. Redrive it after an upgrade.`,
      { details: { format: envelope.format } },
    );
  }
  if (typeof envelope.id !== "string" || envelope.id.length === 0 || envelope.id.length > 512)
    problems.push('"id" is not a string of 1 to 512 characters');
  if (typeof envelope.sentAt !== "number") problems.push('"sentAt" is not a number');
  if (envelope.kind === "event" || envelope.kind === "relay") {
    const event = envelope.event as Record<string, unknown> | null | undefined;
    if (typeof event !== "object" || event === null || Array.isArray(event)) problems.push('"event" is not an object');
    else if (typeof event.type !== "string" || event.type.length === 0)
      problems.push('"event.type" is not a non-empty string');
  } else if (!kinds.has(envelope.kind)) problems.push(`"kind" is none of ${[...kinds].join(", ")}`);
  if (!plainKinds.has(envelope.kind)) problems.push(...problemsOfKind(envelope));
  for (const field of textFields) {
    if (envelope[field] !== undefined && typeof envelope[field] !== "string")
      problems.push(`"${field}" is not a string`);
  }
  const ask = envelope.ask as Record<string, unknown> | undefined;
  if (ask !== undefined && !(isFields(ask) && typeof ask.id === "string" && typeof ask.n === "number"))
    problems.push('"ask" is not { id, n }');
  const redrive = envelope.redrive as Record<string, unknown> | undefined;
  if (
    redrive !== undefined &&
    (typeof redrive !== "object" ||
      redrive === null ||
      typeof redrive.letter !== "string" ||
      typeof redrive.attempts !== "number" ||
      typeof redrive.redrives !== "number" ||
      (redrive.home !== undefined && typeof redrive.home !== "string"))
  ) {
    problems.push('"redrive" is not { letter, attempts, redrives }');
  }
  if (problems.length > 0) throw new CorruptRecordError(`Cannot read a message: ${problems.join("; ")}.`);
  return value as Envelope;
}

const textFields = ["key", "reply", "from", "traceparent", "letter", "reason"] as const;

/** Kinds without fields of their own beside those that are looked at for all. */
const plainKinds: ReadonlySet<unknown> = new Set([
  "event",
  "create",
  "migrate",
  "release",
  "cancel",
  "terminate",
] satisfies EnvelopeKind[]);

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function problemsOfKind(envelope: Record<string, unknown>): string[] {
  switch (envelope.kind) {
    case "start": {
      const { birth } = envelope;
      const isBirth =
        isFields(birth) &&
        typeof birth.parent === "string" &&
        typeof birth.id === "string" &&
        typeof birth.n === "number" &&
        Array.isArray(birth.src) &&
        birth.src.every((name) => typeof name === "string");
      return isBirth ? [] : ['"birth" is not { parent, id, n, src }'];
    }
    case "stop":
      return typeof envelope.n === "number" ? [] : ['"n" is not a number'];
    case "relay":
    case "alias":
      return typeof envelope.systemId === "string" ? [] : ['"systemId" is not a string'];
    case "result": {
      const { result } = envelope;
      const isResult =
        isFields(result) &&
        typeof result.id === "string" &&
        typeof result.n === "number" &&
        typeof result.attempt === "number" &&
        isFields(result.outcome);
      return isResult ? [] : ['"result" is not { id, n, attempt, outcome }'];
    }
    default:
      return [];
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/**
 * Replays: what the code at hand makes of the messages that an actor has handled, beside what was made of them then.
 *
 * 1. From every kept state the messages of the next one are decided as a node would decide them. Nothing is written, and no action of the machine runs.
 * 2. Each step begins from the state that is stored, not from the one that was replayed: one difference does not lead to another.
 * 3. States of other versions are migrated first, those that are compared with too. That a state cannot be used counts for the newest one only: it is the one that
 *    the actor goes on from.
 * 4. A message that does not say any more what it carried makes its step not replayable, and is not guessed at.
 */
import type { Address } from "../core/address.ts";
import { fromStored } from "../core/codec.ts";
import { type Envelope, encodeEnvelope, envelopeFormat } from "../core/envelope.ts";
import { isStatewrightError } from "../core/errors.ts";
import { decodeRecord, type HandledMessage, type StateRecord, type StoredSnapshot } from "../core/records.ts";
import type { LogRecord } from "../log/log.ts";
import { decide } from "./decide.ts";
import { decideDead, failedAttempt, failures } from "./decide-dead.ts";
import type { Decision } from "./decision.ts";
import type { RunnableDefinition } from "./definition.ts";
import { type Delivery, untried } from "./delivery.ts";
import { type Difference, differing } from "./differences.ts";
import type { DecideEnv } from "./given.ts";
import { absentHead, type Head } from "./head.ts";
import { headOf } from "./lane.ts";

/** What came of the messages of one kept state. */
export interface ReplayedStep {
  /** The actor's revision after it. */
  readonly revision: number;
  /** Its messages in the order in which they were handled; the last one is the one that was replayed last. */
  readonly events: readonly string[];
  readonly result: "same" | "differs" | "fails" | "not replayable";
  readonly differences: readonly Difference[];
  /** Why it fails or cannot be replayed. */
  readonly reason: string | undefined;
}

/** What came of all that is kept of one actor. */
export interface ReplayedActor {
  /** `fails` before `differs` before `same`; `not replayable` when no step could be replayed. */
  readonly result: ReplayedStep["result"];
  readonly steps: number;
  readonly notReplayable: number;
  /** Why steps could not be replayed, and how many for each reason. */
  readonly unknown: ReadonlyMap<string, number>;
  /** What has the actor parked; else the first step that fails, differs, or cannot be replayed, in this order. */
  readonly first: ReplayedStep | undefined;
}

/** Replays the kept states of one actor, which it is given one by one, oldest first. */
export class ActorReplay {
  readonly #definition: RunnableDefinition;
  readonly #address: Address;
  readonly #space: string;
  #last: { readonly seq: number; readonly state: StateRecord } | undefined;
  #steps = 0;
  #notReplayable = 0;
  #bad: ReplayedStep | undefined;
  #unknown: ReplayedStep | undefined;
  readonly #reasons = new Map<string, number>();

  /** `space` is the name of the space, which workflows are told. */
  constructor(definition: RunnableDefinition, address: Address, space = "") {
    this.#definition = definition;
    this.#address = address;
    this.#space = space;
  }

  /** Takes the next kept state. Throws `CorruptRecordError` when it cannot be read at all. */
  add(record: LogRecord): void {
    const state = decodeRecord<StateRecord>("a state", record.data);
    const before = this.#last;
    this.#last = { seq: record.seq, state };
    // What came before the oldest kept state is not known; only a first one begins with nothing.
    if (before === undefined && state.previous !== 0) return;
    this.#note(this.#step(before, state));
  }

  /** What came of it, once all states were given. */
  end(): ReplayedActor {
    const first = this.#tryNewest() ?? this.#bad;
    return {
      result: first?.result ?? (this.#steps === this.#notReplayable && this.#steps > 0 ? "not replayable" : "same"),
      steps: this.#steps,
      notReplayable: this.#notReplayable,
      unknown: this.#reasons,
      first: first ?? this.#unknown,
    };
  }

  #note(step: ReplayedStep): void {
    this.#steps++;
    if (step.result === "not replayable") {
      this.#notReplayable++;
      this.#unknown ??= step;
      // What follows the first sentence is of this one actor.
      const reason = (step.reason ?? "").replace(/\. .*$/s, ".");
      this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
    }
    if (step.result === "fails" && this.#bad?.result !== "fails") this.#bad = step;
    if (step.result === "differs") this.#bad ??= step;
  }

  /** The actor goes on from its newest state: one that cannot be used will have it parked. */
  #tryNewest(): ReplayedStep | undefined {
    if (this.#last === undefined) return undefined;
    const { state } = this.#last;
    try {
      this.#headOf(state, lastOf(state)?.at ?? 0);
      return undefined;
    } catch (error) {
      const reason = `The actor will be parked with its next message. ${messageOf(error)}`;
      return { revision: state.revision, events: [], result: "fails", differences: [], reason };
    }
  }

  #headOf(state: StateRecord, now: number): Head {
    return headOf(this.#address, state, this.#definition, now);
  }

  #step(before: { readonly seq: number; readonly state: StateRecord } | undefined, after: StateRecord): ReplayedStep {
    const { revision, handled } = after;
    const events: string[] = [];
    const end = (
      result: ReplayedStep["result"],
      given: { readonly reason?: string; readonly differences?: readonly Difference[] } = {},
    ): ReplayedStep => ({
      revision,
      events,
      result,
      differences: given.differences ?? [],
      reason: given.reason,
    });
    const missing = whyNotReplayable(before, after);
    if (missing !== undefined) return end("not replayable", { reason: missing });
    const now = handled[0]?.at ?? 0;
    let head: Head;
    let expected: Head;
    try {
      head = before === undefined ? absentHead : this.#headOf(before.state, now);
      expected = this.#headOf(after, now);
    } catch (error) {
      return end("not replayable", { reason: `A state of it cannot be used any more. ${messageOf(error)}` });
    }
    const isMigrated = head.migrated !== undefined || expected.migrated !== undefined;
    for (const message of handled) {
      events.push(message.event);
      if (message.outcome === "dead" && isFailureOfChild(head, message)) {
        const died = dieAgain(this.#definition, this.#address, head, message, expected);
        if (died === undefined) {
          return end("not replayable", { reason: `With what ${message.event} failed is not kept.` });
        }
        head = died.head;
        continue;
      }
      if (isWithoutEffect(message)) {
        head = { ...head, revision: message.revision };
        continue;
      }
      let decision: Decision;
      try {
        decision = decideAgain(this.#definition, this.#address, this.#space, head, message);
      } catch (error) {
        return end("fails", { reason: `${message.event} cannot be applied. ${messageOf(error)}` });
      }
      const differences = inMessage(message, decision);
      // In the words of another version the value after a message says nothing.
      if (!isMigrated && message.to !== undefined)
        differences.push(...differing("value", message.to, decision.head.value));
      if (differences.length > 0) return end("differs", { differences });
      head = decision.head;
    }
    const differences = inState(head, expected, isMigrated);
    return differences.length > 0 ? end("differs", { differences }) : end("same");
  }
}

function lastOf(state: StateRecord): HandledMessage | undefined {
  return state.handled[state.handled.length - 1];
}

function whyNotReplayable(
  before: { readonly seq: number; readonly state: StateRecord } | undefined,
  after: StateRecord,
): string | undefined {
  if ((before?.seq ?? 0) !== after.previous) return "The state before it is not kept any more.";
  if (after.revision - (before?.state.revision ?? 0) !== after.handled.length) {
    return "It came of so many messages at once that not all of them are kept.";
  }
  for (const message of after.handled) {
    const { outcome, event, data, frame } = message;
    if (outcome === "dead" && frame?.timer !== undefined)
      return `${event} was a timer that died, and what came of it is not told.`;
    if (isWithoutEffect(message)) continue;
    if (data === undefined && frame === undefined) {
      return `What ${event === "" ? "a message" : event} carried is not kept: it was large, came with many others, or was handled by an earlier version of Statewright.`;
    }
  }
  return undefined;
}

/** What died or waits has changed nothing, and what was recognised as a repetition was applied before. */
function isWithoutEffect({ outcome }: HandledMessage): boolean {
  return (
    outcome === "dead" ||
    outcome === "duplicate" ||
    outcome === "failed" ||
    outcome === "waiting" ||
    outcome === "released"
  );
}

const unlimited: DecideEnv["limits"] = {
  maxRecordBytes: Number.MAX_SAFE_INTEGER,
  maxRecordsPerAppend: Number.MAX_SAFE_INTEGER,
  maxBytesPerAppend: Number.MAX_SAFE_INTEGER,
};

/** What nodes know besides the message. */
function envAt(now: number, space = ""): DecideEnv {
  return { now, node: "replay", space, limits: unlimited, isReply: () => false, pendingKey: () => undefined };
}

/** Decides a message that was handled before. */
function decideAgain(
  definition: RunnableDefinition,
  to: Address,
  space: string,
  head: Head,
  message: HandledMessage,
): Decision {
  return decide(definition, head, deliveryOf(to, head, message), envAt(message.at, space));
}

/** True for what a child dies of, or is begun again for. */
function isFailureOfChild({ birth }: Head, { reason, event }: HandledMessage): boolean {
  return reason !== undefined && failures.has(reason) && (birth !== undefined || event === "start");
}

/** Decides again that a message has failed for good. With what it did is only known of the child that still shows it. */
function dieAgain(
  definition: RunnableDefinition,
  to: Address,
  head: Head,
  message: HandledMessage,
  expected: Head,
): Decision | undefined {
  const { status, snapshotJson } = expected;
  if (status !== "error" || snapshotJson === undefined || message.reason === undefined) return undefined;
  const error = fromStored((JSON.parse(snapshotJson) as StoredSnapshot).error);
  const attempts = [failedAttempt(error, message.at, "replay", definition, head.birth)];
  const delivery = deliveryOf(to, head, message);
  return decideDead(definition, head, delivery, envAt(message.at), message.reason, "", attempts, undefined);
}

/** A message that was handled before, made again of what its actor's state says of it. */
function deliveryOf(to: Address, head: Head, message: HandledMessage): Delivery {
  const { event, data, frame = {}, by, at } = message;
  const { core, redriven, timer, ...fields } = frame;
  const stream = core === true || timer !== undefined ? "core" : "ingress";
  const envelope: Envelope = {
    format: envelopeFormat,
    kind: "event",
    id: message.message === "" ? "replayed" : message.message,
    ...fields,
    ...(data === undefined ? {} : { event: { ...data, type: event } }),
    ...(stream === "core" && by !== undefined ? { from: by } : {}),
    ...(redriven === true ? { redrive: { letter: "replayed", attempts: 0, redrives: 1 } } : {}),
    sentAt: at,
  };
  return {
    stream,
    seq: head.cursor[stream] + 1,
    ...(timer === undefined ? {} : { timer }),
    subject: "",
    to,
    sender: stream === "ingress" ? by : undefined,
    data: timer === undefined ? encodeEnvelope(envelope) : new Uint8Array(),
    unaddressable: undefined,
    ...untried,
    isKeyNew: true,
  };
}

/** What is told of a message itself. */
function inMessage(message: HandledMessage, decision: Decision): Difference[] {
  const now = JSON.parse(decision.handledJson) as HandledMessage;
  return [...differing("outcome", message.outcome, decision.outcome), ...differing("reply", message.reply, now.reply)];
}

function inState(now: Head, expected: Head, isMigrated: boolean): Difference[] {
  return [
    ...differing("status", expected.status, now.status),
    ...differing("", partsOf(expected, isMigrated), partsOf(now, isMigrated)),
  ];
}

/** The parts of a state that can be compared. When children and timers of a migrated state began is left to chance. */
function partsOf({ snapshotJson }: Head, isMigrated: boolean): Record<string, unknown> {
  if (snapshotJson === undefined) return {};
  const { value, context, history, output, error, children, timers } = JSON.parse(snapshotJson) as StoredSnapshot;
  const parts: Record<string, unknown> = { value, context };
  if (history !== undefined) parts.history = history;
  if (output !== undefined) parts.output = output;
  if (error !== undefined) parts.error = error;
  if (isMigrated) return parts;
  parts.children = Object.fromEntries(
    Object.entries(children ?? {}).map(([id, { kind, src, ended, input }]) => [id, { kind, src, ended, input }]),
  );
  // Under what they wait for: their names are only numbers.
  const named = Object.values(timers ?? {}).map(({ at, event, task }): [string, number] => [
    task === undefined ? String((event as { type?: unknown } | undefined)?.type) : `${task.kind} of ${task.child}`,
    at,
  ]);
  parts.timers = Object.fromEntries(named);
  return parts;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return `Something was thrown: ${String(error)}.`;
  const text = isStatewrightError(error) ? error.message : `${error.name}: ${error.message}`;
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

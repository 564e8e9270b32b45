/**
 * What becomes of a message that failed: another attempt, or a verdict to die by.
 *
 * 1. Both are decided and committed like everything else: a crash between two attempts forgets none.
 * 2. Spent attempts stay spent when a commit is refused and the message is decided again.
 * 3. A message whose key was applied before is a duplicate, however it fares the second time.
 */
import { formatAddress } from "../core/address.ts";
import { decodeEnvelope, type Envelope } from "../core/envelope.ts";
import { isStatewrightError } from "../core/errors.ts";
import { type DeadReason, decodeRecord, type KeyRecord, type LetterRecord } from "../core/records.ts";
import { backoffMs, type NodeContext } from "./context.ts";
import { failedAttempt } from "./decide-dead.ts";
import type { Delivery } from "./delivery.ts";
import type { Lane } from "./lane.ts";
import { driverOf } from "./logic-of.ts";
import { envelopeOf, Undeliverable } from "./message.ts";
import { maxRetries } from "./waiting.ts";

/** So many attempts of a message are kept. */
const maxKept = 50;

/** Why a message is to die. */
interface Verdict {
  readonly reason: DeadReason;
  readonly explanation: string;
}

/** Judges failures, and wakes lanes that have waited. */
export class Failures {
  readonly #context: NodeContext;
  readonly #onReady: (lane: Lane) => void;
  readonly #onStuck: (lane: Lane) => void;

  constructor(context: NodeContext, onReady: (lane: Lane) => void, onStuck: (lane: Lane) => void) {
    this.#context = context;
    this.#onReady = onReady;
    this.#onStuck = onStuck;
  }

  /** `wait`: the lane waits for what comes next. `decide`: the delivery has a verdict or a next attempt, and is to be decided with it. */
  failed(lane: Lane, delivery: Delivery, error: unknown): "wait" | "decide" {
    const now = this.#context.time.now();
    const judge = () => this.#judge(lane, delivery, error, now);
    return this.#looksUpKey(lane, delivery, judge) ? "wait" : judge();
  }

  /** The lane waits for so long. */
  wait(lane: Lane, delayMs: number): void {
    lane.phase = "waiting";
    lane.cancelTimer?.();
    lane.cancelTimer = this.#context.time.after(delayMs, () => {
      lane.cancelTimer = undefined;
      if (lane.phase === "waiting") this.#goOn(lane);
    });
    this.#onStuck(lane);
  }

  #goOn(lane: Lane): void {
    lane.phase = "ready";
    this.#onReady(lane);
  }

  #judge(lane: Lane, delivery: Delivery, error: unknown, now: number): "wait" | "decide" {
    let verdict: Verdict | undefined;
    if (error instanceof Undeliverable) verdict = { reason: error.reason, explanation: error.message };
    else {
      delivery.attempts = [
        ...delivery.attempts,
        failedAttempt(error, now, this.#context.node, lane.definition, lane.head.birth),
      ].slice(-maxKept);
      delivery.attemptCount++;
      verdict = this.#supervise(lane, delivery, error, now);
      if (verdict !== undefined) verdict = { ...verdict, explanation: placed(verdict.explanation, lane, delivery) };
    }
    // Where there is no state record, the next attempt is remembered by the lane alone.
    if (verdict === undefined) return lane.isVolatile ? "wait" : "decide";
    const redrive = redriveOf(delivery);
    if (redrive === undefined) {
      delivery.verdict = { ...verdict, earlier: undefined, on: lane.head.snapshotJson };
      return "decide";
    }
    this.#readLetter(lane, delivery, redrive, verdict);
    return "wait";
  }

  /**
   * Before a keyed message counts as failed, the log is asked for its key: what was applied on another node before is a duplicate, and how it
   * fares the second time says nothing. True when the lane waits for the answer.
   */
  #looksUpKey(lane: Lane, delivery: Delivery, judge: () => "wait" | "decide"): boolean {
    const key = delivery.isKeyNew ? undefined : keyOf(delivery);
    if (key === undefined || delivery.duplicateOf !== undefined) return false;
    lane.phase = "waiting";
    const { log, subjects, time, random } = this.#context;
    const { head } = lane;
    const read = (attempt: number): void => {
      // The lane may have been loaded again meanwhile: what was asked before says nothing then.
      const isOver = (): boolean => lane.phase !== "waiting" || lane.head !== head || delivery.isKeyNew;
      log.last("core", subjects.key(lane.partition, lane.address, key)).then(
        (record) => {
          if (isOver()) return;
          if (record !== undefined) delivery.duplicateOf = decodeRecord<KeyRecord>("a key record", record.data);
          else {
            delivery.isKeyNew = true;
            if (judge() === "wait") return;
          }
          this.#goOn(lane);
        },
        () => {
          if (!isOver()) lane.cancelTimer = time.after(backoffMs(attempt, random), () => read(attempt + 1));
        },
      );
    };
    read(1);
    return true;
  }

  /** Gives the delivery its next attempt, or says why there is none. */
  #supervise(lane: Lane, delivery: Delivery, error: unknown, now: number): Verdict | undefined {
    const { random, telemetry } = this.#context;
    const message = error instanceof Error ? error.message : String(error);
    if (isStatewrightError(error) && error._tag === "PayloadTooLargeError")
      return { reason: "too-large", explanation: message };
    if (delivery.firstAt === 0) delivery.firstAt = now;
    const attempt = delivery.attemptCount;
    const { definition, head } = lane;
    const { retry, order } = (definition as NonNullable<Lane["definition"]>).supervision(eventOf(lane, delivery));
    const next = retry.next(delivery.retryState, {
      error,
      attempt,
      nowMs: now,
      elapsedMs: Math.max(0, now - delivery.firstAt),
      random,
    });
    if (!next.retry) return { reason: next.reason, explanation: next.explanation };
    telemetry.tell(
      "debug",
      "message.retry",
      `Attempt ${attempt} of a message for ${formatAddress(lane.address)} failed: ${message}. Trying again in ${Math.round(next.delayMs)} ms.`,
      {
        actor: formatAddress(lane.address),
        attempt,
        delayMs: next.delayMs,
      },
    );
    delivery.retryState = next.state;
    if (lane.isVolatile) {
      telemetry.counters.retries++;
      this.wait(lane, next.delayMs);
      return undefined;
    }
    delivery.next = {
      at: now + next.delayMs,
      isHold: order === "hold" || Object.keys(head.waiting?.retries ?? {}).length >= maxRetries,
      error: message.length > 500 ? `${message.slice(0, 499)}…` : message,
      on: head.snapshotJson,
    };
    return undefined;
  }

  /** A redriven message that is to die waits for its earlier letter, so that no attempt is forgotten. */
  #readLetter(lane: Lane, delivery: Delivery, redrive: Redrive, verdict: Verdict): void {
    lane.phase = "waiting";
    const { log, subjects, time, random } = this.#context;
    const { head } = lane;
    // As above: loaded again, the lane knows nothing of the failure.
    const isOver = (): boolean => lane.phase !== "waiting" || lane.head !== head;
    const home = redrive.home !== undefined && subjects.isDeadLetter(redrive.home) ? redrive.home : undefined;
    const read = (attempt: number): void => {
      log.last("core", home ?? subjects.dead(lane.partition, lane.address, redrive.letter)).then(
        (record) => {
          if (isOver()) return;
          let earlier: LetterRecord | undefined;
          try {
            earlier = record === undefined ? undefined : decodeRecord<LetterRecord>("a dead letter", record.data);
          } catch {
            earlier = undefined;
          }
          delivery.verdict = { ...verdict, earlier, on: head.snapshotJson };
          this.#goOn(lane);
        },
        () => {
          if (!isOver()) lane.cancelTimer = time.after(backoffMs(attempt, random), () => read(attempt + 1));
        },
      );
    };
    read(1);
  }
}

/** True when a verdict or a next attempt was reached on the state and with the knowledge that the lane has now. */
export function holds(lane: Lane, delivery: Delivery): boolean {
  // What ends the process was not judged by a state.
  if (delivery.verdict?.reason === "crashed") return true;
  return (
    (delivery.verdict ?? delivery.next)?.on === lane.head.snapshotJson &&
    (delivery.isKeyNew || delivery.duplicateOf !== undefined || keyOf(delivery) === undefined)
  );
}

/** Says after an explanation what was being handled, and where. */
function placed(explanation: string, lane: Lane, delivery: Delivery): string {
  const { definition, head } = lane;
  let event = "a message that cannot be read";
  let machine = "";
  try {
    const envelope = envelopeOf(definition, head, delivery, 0);
    event = JSON.stringify(envelope.event?.type ?? envelope.kind);
    const birth = envelope.kind === "start" ? envelope.birth : head.birth;
    if (definition !== undefined) machine = `, the machine ${JSON.stringify(driverOf(definition, birth).identity.id)}`;
  } catch {
    // What can be said of it is said.
  }
  const state = head.value === undefined ? "" : ` in state ${JSON.stringify(head.value)}`;
  return `${explanation.replace(/\.?$/, ".")} It was ${event}${machine}${state}.`;
}

/** The type of the message's event, where it has one. */
function eventOf({ definition, head }: Lane, delivery: Delivery): string | undefined {
  try {
    return envelopeOf(definition, head, delivery, 0).event?.type;
  } catch {
    return undefined;
  }
}

function keyOf(delivery: Delivery): string | undefined {
  if (delivery.timer !== undefined) return undefined;
  try {
    return decodeEnvelope(delivery.data).key;
  } catch {
    return undefined;
  }
}

type Redrive = NonNullable<Envelope["redrive"]>;

function redriveOf(delivery: Delivery): Redrive | undefined {
  if (delivery.stream !== "core" || delivery.timer !== undefined) return undefined;
  try {
    return decodeEnvelope(delivery.data).redrive;
  } catch {
    return undefined;
  }
}

/** What happens once a commit is in the log: counts, actions, answers, in the order of the decisions, once. */
import { inspect } from "node:util";
import { formatAddress } from "../core/address.ts";
import { fromStored, toStored } from "../core/codec.ts";
import { type DeadLetteredEvent, deadLetterTopic } from "../core/dead-letter-events.ts";
import type { DeadReason } from "../core/records.ts";
import type { NodeContext } from "./context.ts";
import type { AfterWork, Decision } from "./decision.ts";
import type { Lane } from "./lane.ts";
import type { LiveChildren } from "./live.ts";

/** Does what comes after commits, and remembers the answers to keys for a while. */
export class AfterCommit {
  readonly recentKeys = new RecentKeys();
  readonly #context: NodeContext;
  readonly #live: LiveChildren;

  constructor(context: NodeContext, live: LiveChildren) {
    this.#context = context;
    this.#live = live;
  }

  run(lane: Lane, decisions: readonly Decision[]): void {
    const { telemetry, log, time, fault } = this.#context;
    const now = time.now();
    for (const decision of decisions) {
      this.#count(lane, decision);
      if (decision.sentAt !== undefined) telemetry.sendToCommit.add(Math.max(0, now - decision.sentAt));
      if (decision.key !== undefined && decision.answerJson !== undefined && decision.outcome !== "dead") {
        this.recentKeys.remember(lane, decision.key, decision.answerJson);
      }
      if (decision.live !== undefined) this.#live.reconcile(lane, decision.live);
      for (const work of decision.after) this.#perform(lane, work);
      if (decision.replyTo !== undefined && decision.answerJson !== undefined) {
        try {
          log.signal(decision.replyTo, Buffer.from(decision.answerJson));
        } catch {
          // Too large for a signal, or the connection is over: who asked finds the answer in the log.
        }
      }
    }
    fault("answered");
  }

  #count(lane: Lane, decision: Decision): void {
    const { telemetry } = this.#context;
    const { counters } = telemetry;
    if (decision.outcome === "ignored") counters.ignored++;
    else if (decision.outcome === "duplicate") counters.duplicates++;
    else if (decision.outcome === "stale") counters.stale++;
    else if (decision.outcome === "failed") counters.retries++;
    else if (decision.outcome === "waiting") counters.waiting++;
    else if (decision.outcome !== "dead") counters.applied++;
    else {
      const actor = formatAddress(lane.address);
      telemetry.countDead(decision.reason as DeadReason);
      telemetry.tell("warn", "message.dead", `A message for ${actor} became a dead letter (${decision.reason}).`, {
        actor,
        reason: decision.reason,
      });
      this.#tellDead(decision);
    }
  }

  /** Nobody waits for the handler, but its failure is told. */
  #tellDead({ outbox }: Decision): void {
    const { onDeadLetter, telemetry } = this.#context;
    const item = outbox.find((one) => one.kind === "topic" && one.topic === deadLetterTopic);
    if (onDeadLetter === undefined || item?.kind !== "topic") return;
    const onFailed = (error: unknown): void => {
      const why = error instanceof Error ? error.message : String(error);
      telemetry.tell("error", "deadLetter.handler", `The handler of dead letters failed: ${why}`, { error });
    };
    try {
      const result = onDeadLetter(fromStored(JSON.parse(item.eventJson)) as DeadLetteredEvent);
      if (result instanceof Promise) result.catch(onFailed);
    } catch (error) {
      onFailed(error);
    }
  }

  #perform(lane: Lane, work: AfterWork): void {
    switch (work.kind) {
      case "log":
        this.#writeLine(lane, work);
        break;
      case "run":
        this.#act(lane, work);
        break;
      case "deliver":
        this.#live.deliver(lane, work.child, work.n, work.event);
        break;
      case "cancel":
        this.#cancel(lane, work);
        break;
    }
  }

  #writeLine(lane: Lane, { label, value }: Extract<AfterWork, { kind: "log" }>): void {
    const actor = formatAddress(lane.address);
    const { text, data } = written(value);
    this.#context.telemetry.tell("info", "actor.log", `${actor}${label === undefined ? "" : ` ${label}`}: ${text}`, {
      actor,
      ...(label === undefined ? {} : { label }),
      value: data,
    });
  }

  #act(lane: Lane, work: Extract<AfterWork, { kind: "run" }>): void {
    const actor = formatAddress(lane.address);
    const onFailed = (error: unknown): void => {
      this.#context.telemetry.tell(
        "error",
        "action.failed",
        `Action "${work.name}" of ${actor} failed after its commit: ${error instanceof Error ? error.message : String(error)}. It is not run again.`,
        { error },
      );
    };
    try {
      const result = work.run((target, event) => this.#live.send(lane.address, target, event));
      // Nobody waits for an action, but its failure is told.
      if (result instanceof Promise) result.catch(onFailed);
    } catch (error) {
      onFailed(error);
    }
  }

  /** Tells the worker of an activity that its result is not wanted, and takes the task away from those who may come to take it. */
  #cancel(lane: Lane, { activity, n, attempt }: Extract<AfterWork, { kind: "cancel" }>): void {
    const { log, subjects } = this.#context;
    const actor = formatAddress(lane.address);
    try {
      log.signal(subjects.cancelled(activity), Buffer.from(JSON.stringify({ actor, n, attempt })));
    } catch {
      // The connection is over: the worker finds out when its result is not taken.
    }
    log.purge("core", subjects.task(lane.partition, activity, lane.address, n, attempt)).catch(() => {});
  }
}

/** A value of any kind as text, and as data: what could not be stored is told as its text, since whoever collects lines could not write it either. */
function written(value: unknown): { readonly text: string; readonly data: unknown } {
  if (typeof value === "string") return { text: value, data: value };
  try {
    const stored = toStored(value, "value");
    // Plain JSON is left as it is.
    if (stored === value) return { text: JSON.stringify(value), data: value };
    return {
      text: value instanceof Error ? `${value.name}: ${value.message}` : inspect(value, onOneLine),
      data: value,
    };
  } catch {
    const text = shownSafely(value);
    return { text, data: text };
  }
}

const onOneLine = { breakLength: Number.POSITIVE_INFINITY, compact: true };

function shownSafely(value: unknown): string {
  try {
    return inspect(value, onOneLine);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

const maxRecentBytes = 16 * 1024 * 1024;
const maxAnswerBytes = 65_536;

/** The newest applied keys of a node with their answers: most repeats come soon, and need not be found out by a refused commit. */
class RecentKeys {
  readonly #answers = new Map<string, string>();
  #bytes = 0;

  find(lane: Lane, key: string): string | undefined {
    return this.#answers.get(nameOf(lane, key));
  }

  remember(lane: Lane, key: string, answerJson: string): void {
    if (answerJson.length > maxAnswerBytes) return;
    const name = nameOf(lane, key);
    if (this.#answers.has(name)) return;
    this.#answers.set(name, answerJson);
    this.#bytes += costOf(name, answerJson);
    for (const [oldest, answer] of this.#answers) {
      if (this.#bytes <= maxRecentBytes) break;
      this.#answers.delete(oldest);
      this.#bytes -= costOf(oldest, answer);
    }
  }
}

function nameOf(lane: Lane, key: string): string {
  return `${lane.subject} ${key}`;
}

function costOf(name: string, answerJson: string): number {
  return (name.length + answerJson.length) * 2 + 100;
}

/** What happens once a commit is in the log: counts, actions, answers, in the order of the decisions, once. */
import { formatAddress } from "../core/address.ts";
import type { DeadReason } from "../core/records.ts";
import type { Work } from "../machine/driver.ts";
import type { NodeContext } from "./context.ts";
import type { Decision } from "./decide.ts";
import type { Lane } from "./lane.ts";

/** Does what comes after commits, and remembers the answers to keys for a while. */
export class AfterCommit {
  readonly recentKeys = new RecentKeys();
  readonly #context: NodeContext;

  constructor(context: NodeContext) {
    this.#context = context;
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
    else if (decision.outcome !== "dead") counters.applied++;
    else {
      const actor = formatAddress(lane.address);
      telemetry.countDead(decision.reason as DeadReason);
      telemetry.tell("warn", "message.dead", `A message for ${actor} became a dead letter (${decision.reason}).`, {
        actor,
        reason: decision.reason,
      });
    }
  }

  #perform(lane: Lane, work: Work): void {
    const actor = formatAddress(lane.address);
    if (work.kind === "log") {
      const text = typeof work.value === "string" ? work.value : JSON.stringify(work.value);
      this.#context.telemetry.tell(
        "info",
        "actor.log",
        `${actor}${work.label === undefined ? "" : ` ${work.label}`}: ${text}`,
      );
    }
    if (work.kind !== "run") return;
    const onFailed = (error: unknown): void => {
      this.#context.telemetry.tell(
        "error",
        "action.failed",
        `Action "${work.name}" of ${actor} failed after its commit: ${error instanceof Error ? error.message : String(error)}. It is not run again.`,
        { error },
      );
    };
    try {
      const result: unknown = work.run();
      // Nobody waits for an action, but its failure is told.
      if (result instanceof Promise) result.catch(onFailed);
    } catch (error) {
      onFailed(error);
    }
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

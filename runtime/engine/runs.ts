/**
 * Runs of workflows: how they begin, go on under another input, and are ended from outside.
 *
 * 1. A key has one workflow: a second start finds the first one, and is told when its input was another.
 * 2. Who waits for the end of a run is kept in the run's state, and told in the commit of its end.
 * 3. What an actor has asked for and does not want any more is ended only if that actor has begun it.
 */
import { formatAddress, isChildAddress } from "../core/address.ts";
import type { Envelope } from "../core/envelope.ts";
import { WorkflowCancelledError, WorkflowTerminatedError, WorkflowTimeoutError } from "../core/errors.ts";
import { digestOfStored } from "../core/input-digest.ts";
import type { RunWatcher, StoredRun } from "../core/records.ts";
import { cancelEvent, timeoutEvent } from "../core/run-events.ts";
import type { MachineDriver, Step } from "../machine/driver.ts";
import { type Decision, stepped, unchanged } from "./decision.ts";
import { driverFor, type Given, stepEnvOf } from "./given.ts";
import { Undeliverable } from "./message.ts";
import { askerOf, factsOf } from "./run-outcomes.ts";

/** Makes the first state of an actor that a `create` is for. `input` is as the schema gave it. */
export function beginRun(given: Given, driver: MachineDriver, input: unknown): Step {
  const { definition, env, envelope } = given;
  const rules = definition?.runs;
  if (rules === undefined) return driver.create(input, stepEnvOf(given));
  const asker = askerOf(given);
  const run: StoredRun = {
    n: 1,
    since: env.now,
    at: env.now,
    input: digestOfStored(envelope?.input),
    ...(asker === undefined ? {} : { parent: asker, watchers: [asker] }),
  };
  return driver.create(rules.makeInput(input, factsOf(given, 1)), { ...stepEnvOf(given), run });
}

/** What becomes of a `create` for an actor that exists. */
export function findRun(given: Given): Decision {
  const { head, definition } = given;
  const asker = askerOf(given);
  if (asker === undefined || head.state === undefined || definition === undefined) return unchanged(given, "ignored");
  const driver = driverFor(given);
  const run = driver.runOf(head.state);
  if (run === undefined || run.input !== digestOfStored(given.envelope?.input)) return unchanged(given, "ignored");
  const step = driver.step(head.state, { kind: "watch", watcher: asker }, stepEnvOf(given));
  return stepped(given, driver, step.outcome === "taken" ? "applied" : "ignored", head.value, step);
}

/** Ends a workflow, at once or by its own machine. */
export function endRun(given: Given): Decision {
  const { definition, head, delivery, envelope } = given;
  const { kind, reason } = envelope as Envelope;
  const of = formatAddress(delivery.to);
  if (isChildAddress(delivery.to) || definition?.runs === undefined) {
    throw new Undeliverable(
      "reserved",
      `${of} is no workflow: only workflows are cancelled and terminated. Send it an event.`,
    );
  }
  if (head.state === undefined) {
    if (askerOf(given) !== undefined) return unchanged(given, "ignored");
    throw new Undeliverable("not-created", `${of} was never started: there is nothing to ${kind}.`);
  }
  const driver = driverFor(given);
  if (driver.view(head.state).status !== "active") return unchanged(given, "ignored");
  const asker = askerOf(given);
  if (asker !== undefined && !isSame(driver.runOf(head.state)?.parent, asker)) return unchanged(given, "stale");
  const by = delivery.sender ?? envelope?.from;
  const why = `${by === undefined ? "" : ` by ${by}`}${reason === undefined ? "" : `: ${reason}`}`;
  const details = { actor: of, ...(reason === undefined ? {} : { reason }), ...(by === undefined ? {} : { by }) };
  const end = (error: Error): Decision => {
    const step = driver.step(head.state as NonNullable<typeof head.state>, { kind: "fail", error }, stepEnvOf(given));
    return stepped(given, driver, "applied", head.value, step);
  };
  if (kind === "terminate")
    return end(new WorkflowTerminatedError(`Workflow ${of} was terminated${why}.`, { details }));
  const event = { type: cancelEvent, ...(reason === undefined ? {} : { reason }), ...(by === undefined ? {} : { by }) };
  const step = driver.step(head.state, { kind: "event", event, isInternal: true }, stepEnvOf(given));
  if (step.outcome !== "ignored") return stepped(given, driver, "applied", head.value, step);
  return end(new WorkflowCancelledError(`Workflow ${of} was cancelled${why}.`, { details }));
}

/** The error that a run ends with whose machine does not care for the event that says that its time is over; undefined for any other timer. */
export function timeoutOf(given: Given, driver: MachineDriver): Error | undefined {
  const { definition, head, delivery, env } = given;
  if (
    definition?.runs === undefined ||
    head.state === undefined ||
    delivery.timer === undefined ||
    head.birth !== undefined
  )
    return undefined;
  if (driver.timerEvent(head.state, delivery.timer)?.type !== timeoutEvent) return undefined;
  const of = formatAddress(delivery.to);
  const run = driver.runOf(head.state);
  return new WorkflowTimeoutError(
    `Workflow ${of} is ended: it was not done ${env.now - (run?.at ?? env.now)} ms after it was begun.`,
    { details: { actor: of } },
  );
}

function isSame(one: RunWatcher | undefined, other: RunWatcher): boolean {
  return one !== undefined && one.actor === other.actor && one.n === other.n;
}

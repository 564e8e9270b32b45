/**
 * What one message does to one actor: the pure middle of the engine.
 *
 * 1. A decision depends on the actor's head, the message, the definition and the time given, and on nothing else (I7).
 * 2. The next state is encoded here, so that what cannot be stored is blamed on the message that brought it.
 * 3. What the user's code throws leaves this function as it was thrown; everything else that is wrong with a message becomes a `dead` decision.
 */
import { formatAddress, isChildAddress, isSameAddress, parseAddress, rootOf } from "../core/address.ts";
import { fromStored } from "../core/codec.ts";
import {
  type ActivityResult,
  type Birth,
  type Envelope,
  isOpenKind,
  isReservedEvent,
  workerSender,
} from "../core/envelope.ts";
import type { Arrival, MachineEvent } from "../machine/driver.ts";
import type { RetryState } from "../supervise/retry-delays.ts";
import { type Decision, kept, lifts, stepped, unchanged } from "./decision.ts";
import type { RunnableDefinition } from "./definition.ts";
import type { Delivery } from "./delivery.ts";
import { drawsFor } from "./draws.ts";
import { type DecideEnv, driverFor, type Given, stepEnvOf } from "./given.ts";
import type { Head } from "./head.ts";
import { driverOf } from "./logic-of.ts";
import { envelopeOf, Undeliverable } from "./message.ts";
import { beginRun, endRun, findRun, timeoutOf } from "./runs.ts";

/**
 * Decides one message.
 *
 * Errors: {@link Undeliverable} when the message can never be applied; otherwise whatever the machine or a schema threw.
 */
export function decide(
  definition: RunnableDefinition | undefined,
  head: Head,
  delivery: Delivery,
  env: DecideEnv,
): Decision {
  const envelope = envelopeOf(definition, head, delivery, env.now);
  if (definition === undefined) {
    throw new Undeliverable(
      "unknown-type",
      `No definition for actor type "${delivery.to.type}" on node ${env.node}: start the node with it and redrive the letter.`,
    );
  }
  const given: Given = { definition, head, delivery, env, envelope };
  if (envelope.key !== undefined) {
    if (definition.delivery === "at-most-once") throw keyRefused(delivery);
    const answerJson =
      delivery.duplicateOf === undefined ? env.pendingKey(envelope.key) : JSON.stringify(delivery.duplicateOf.answer);
    if (answerJson !== undefined) return unchanged(given, "duplicate", answerJson);
  }
  checkOrigin(delivery, envelope);
  if (delivery.timer !== undefined) return take(given, { kind: "timer", timer: delivery.timer });
  switch (envelope.kind) {
    case "create":
      return decideCreate(given);
    case "start":
      return decideStart(given, envelope.birth as Birth);
    case "stop":
      return head.birth?.n === envelope.n ? take(given, { kind: "stop" }) : unchanged(given, "stale");
    case "result":
      return decideResult(given, envelope.result as ActivityResult);
    case "relay":
      return take(given, { kind: "relay", systemId: envelope.systemId as string, event: eventOf(envelope) });
    case "alias": {
      const holder = envelope.holder === undefined ? undefined : parseAddress(envelope.holder);
      const { systemId, n } = envelope as { systemId: string; n: number };
      return take(given, { kind: "alias", systemId, holder, n });
    }
    case "cancel":
    case "terminate":
      return endRun(given);
    case "migrate":
      return head.migrated === undefined ? unchanged(given, "ignored") : kept(given, "migrated", head.migrated.value);
    case "release":
      return unchanged(given, lifts(head.waiting, delivery, envelope) ? "released" : "ignored");
    case "event":
      return decideEvent(given);
  }
}

/** Decides a message whose key was applied before, without its machine. */
export function decideDuplicate(head: Head, delivery: Delivery, env: DecideEnv): Decision {
  const envelope = envelopeOf(undefined, head, delivery, env.now);
  const given: Given = { definition: undefined, head, delivery, env, envelope };
  return unchanged(given, "duplicate", JSON.stringify(delivery.duplicateOf?.answer));
}

function keyRefused({ to }: Delivery): Undeliverable {
  return new Undeliverable(
    "schema",
    `A message with an idempotency key for ${formatAddress(to)} was refused: actors of this type are delivered to at most once and remember no keys. Send it without one.`,
  );
}

function eventOf(envelope: Envelope): MachineEvent {
  return fromStored(envelope.event) as MachineEvent;
}

/** In INGRESS anyone can write anything: what only nodes and workers may say is believed in CORE, and of results in the name of workers. */
function checkOrigin(delivery: Delivery, envelope: Envelope): void {
  if (delivery.stream === "core") return;
  const { kind } = envelope;
  const isResult = kind === "result" && delivery.sender === workerSender;
  if ((isOpenKind(kind) && envelope.internal === undefined) || isResult) return;
  throw new Undeliverable(
    "reserved",
    `A message of the kind "${kind}"${envelope.internal === undefined ? "" : " with marks of the runtime"} for ${formatAddress(delivery.to)} came from "${delivery.sender ?? ""}": only ${kind === "result" ? "workers" : "nodes"} may send it.`,
  );
}

function decideCreate(given: Given): Decision {
  const { definition, head, delivery, envelope } = given;
  const to = formatAddress(delivery.to);
  if (isChildAddress(delivery.to)) {
    throw new Undeliverable("reserved", `${to} is the address of a child actor: only its parent makes it.`);
  }
  if (head.status !== "new") return findRun(given);
  const checked = (definition as RunnableDefinition).checkInput(fromStored(envelope?.input));
  if ("reason" in checked) {
    throw new Undeliverable("schema", `The input for ${to} was refused: ${checked.problems.join("; ")}.`);
  }
  const driver = driverFor(given);
  return stepped(given, driver, "created", undefined, beginRun(given, driver, checked.input));
}

function decideStart(given: Given, birth: Birth): Decision {
  const { definition, head, delivery, envelope } = given;
  if (!isChildAddress(delivery.to)) {
    throw new Undeliverable(
      "malformed",
      `${formatAddress(delivery.to)} is no address of a child actor: it is not started.`,
    );
  }
  // Of an earlier generation: a later one was started since.
  if (head.birth !== undefined && head.birth.n >= birth.n) return unchanged(given, "stale");
  const driver = driverOf(definition as RunnableDefinition, birth);
  const made = driver.create(fromStored(envelope?.input), stepEnvOf(given, birth), birth, head.state);
  return stepped(given, driver, "created", undefined, made);
}

function decideEvent(given: Given): Decision {
  const { definition, head, delivery, envelope } = given;
  const to = formatAddress(delivery.to);
  const sent = eventOf(envelope as Envelope);
  const internal = envelope?.internal;
  if (internal !== undefined) {
    const { child, n } = internal;
    return child === undefined || n === undefined
      ? take(given, { kind: "event", event: sent, isInternal: true })
      : take(given, { kind: "child", id: child, n, event: sent });
  }
  if (isReservedEvent(sent.type)) {
    throw new Undeliverable(
      "reserved",
      `Event "${sent.type}" is reserved for the runtime and cannot be sent to ${to}.`,
    );
  }
  const isChild = isChildAddress(delivery.to);
  let event = sent;
  // The door is for the world outside: within a tree the machines have written what they send each other.
  if (!isChild && !isOfFamily(delivery, envelope as Envelope)) {
    const checked = (definition as RunnableDefinition).checkEvent(sent);
    if ("reason" in checked) {
      throw new Undeliverable(
        checked.reason,
        `Event "${sent.type}" for ${to} was refused: ${checked.problems.join("; ")}.`,
      );
    }
    ({ event } = checked);
  }
  if (head.state !== undefined) return take(given, { kind: "event", event });
  if (isChild) {
    throw new Undeliverable(
      "not-created",
      `${to} does not exist: it is a child actor, which its parent has not started.`,
    );
  }
  if (definition?.needsCreate === true) {
    throw new Undeliverable("not-created", `${to} does not exist: actors of this type take a create first.`);
  }
  const driver = driverFor(given);
  const env = stepEnvOf(given);
  const made = driver.create(definition?.inputFor(delivery.to.id), env);
  const view = driver.view(made.state);
  if (view.status !== "active") return stepped(given, driver, "created", undefined, made);
  const step = driver.step(made.state, { kind: "event", event }, env);
  return step.outcome === "taken"
    ? stepped(given, driver, "applied", view.value, step, made.work)
    : stepped(given, driver, "created", undefined, made);
}

/** True for what an actor gets from itself, its children and all below. */
function isOfFamily(delivery: Delivery, envelope: Envelope): boolean {
  if (delivery.stream !== "core" || envelope.from === undefined || envelope.redrive !== undefined) return false;
  try {
    return isSameAddress(rootOf(parseAddress(envelope.from)), delivery.to);
  } catch {
    return false;
  }
}

/** The result of an activity: its owner decides whether a failed attempt is followed by another. */
function decideResult(given: Given, result: ActivityResult): Decision {
  const { definition, head, env, delivery } = given;
  if (head.state === undefined) return unchanged(given, "stale");
  const driver = driverFor(given);
  const { id, n, attempt, outcome } = result;
  const activity = driver.activity(head.state, id, n);
  if (activity === undefined || activity.task.attempt !== attempt) return unchanged(given, "stale");
  if ("error" in outcome && outcome.isTerminal !== true) {
    const path = [...(head.birth?.src ?? []), activity.src];
    const next = (definition as RunnableDefinition).activity(path)?.retry.next(activity.task.retry as RetryState, {
      error: fromStored(outcome.error),
      attempt,
      nowMs: env.now,
      elapsedMs: env.now - activity.task.since,
      random: drawsFor(`${formatAddress(delivery.to)} ${n} ${attempt}`),
    });
    if (next?.retry === true) {
      const memory = typeof next.state === "number" ? next.state : undefined;
      return take(given, { kind: "retry", id, n, delayMs: outcome.retryAfterMs ?? next.delayMs, memory });
    }
  }
  return take(given, { kind: "result", id, n, outcome });
}

/** Lets the machine take what came. */
function take(given: Given, arrival: Arrival): Decision {
  const { head } = given;
  if (head.state === undefined) {
    return unchanged(given, arrival.kind === "event" || arrival.kind === "relay" ? "ignored" : "stale");
  }
  const driver = driverFor(given);
  const step = driver.step(head.state, arrival, stepEnvOf(given));
  if (step.outcome === "ignored" && arrival.kind === "timer") {
    const error = timeoutOf(given, driver);
    if (error !== undefined) return take(given, { kind: "fail", error });
  }
  const outcome = step.outcome === "taken" ? "applied" : step.outcome;
  return step.state === head.state && step.outcome !== "taken"
    ? unchanged(given, outcome)
    : stepped(given, driver, outcome, head.value, step);
}

/**
 * What comes of runs and of what actors ask each other.
 *
 * 1. Who has asked is answered in the commit of the outcome, once.
 * 2. A run that continues begins anew in the commit of the step that says so.
 */
import { formatAddress, isChildAddress, parseAddress } from "../core/address.ts";
import { fromStored, toStored } from "../core/codec.ts";
import { DeadLetteredError, EventIgnoredError, TerminalError, WorkflowConflictError } from "../core/errors.ts";
import { digestOfStored } from "../core/input-digest.ts";
import type { Outcome, RunWatcher } from "../core/records.ts";
import type { MachineDriver, RunFacts, Step, Work } from "../machine/driver.ts";
import { completed, failed } from "../machine/ledger.ts";
import { driverFor, type Given, stepEnvOf } from "./given.ts";
import { type OutboxItem, outboxItem } from "./outbox.ts";

/** How often a run may be continued within one message. */
const maxContinuations = 100;

/** Who waits for the outcome of a message; undefined when nobody does. In INGRESS anyone can write anything. */
export function askerOf({ delivery, envelope }: Given): RunWatcher | undefined {
  if (delivery.stream !== "core" || envelope?.ask === undefined || envelope.from === undefined) return undefined;
  return { actor: envelope.from, ...envelope.ask };
}

/** What a workflow is told of its run. */
export function factsOf({ delivery, env }: Given, n: number): RunFacts {
  return { space: env.space, ...delivery.to, n };
}

/**
 * Goes on from the beginning, as often as the machine wants it. Errors: `TerminalError` when the input is refused, or when it never comes to rest.
 */
export function goOn(given: Given, driver: MachineDriver, step: Step): Step {
  let current = step;
  for (let times = 0; current.again !== undefined; times++) {
    const { definition, delivery, head, env } = given;
    const of = formatAddress(delivery.to);
    if (times >= maxContinuations) {
      throw new TerminalError(
        `Cannot go on with ${of}: it was continued ${times} times within one message. Let it wait for an event or a time before it continues again.`,
        { details: { actor: of } },
      );
    }
    const run = driver.runOf(current.state);
    let { input } = current.again;
    if (definition !== undefined && !isChildAddress(delivery.to)) {
      const checked = definition.checkInput(input);
      if ("reason" in checked) {
        throw new TerminalError(`Cannot continue ${of}: its input was refused: ${checked.problems.join("; ")}.`, {
          details: { actor: of, problems: checked.problems },
        });
      }
      ({ input } = checked);
      if (definition.runs !== undefined) input = definition.runs.makeInput(input, factsOf(given, (run?.n ?? 1) + 1));
    }
    const next = driver.create(
      input,
      { ...stepEnvOf(given), run: run === undefined ? undefined : { ...run, n: run.n + 1, at: env.now } },
      head.birth,
      current.state,
    );
    current = { ...next, work: [...current.work, ...next.work] };
  }
  return current;
}

/** The message that tells an actor what came of what it has asked; undefined while it is open, and when nobody asked. */
export function answerFor(
  given: Given,
  outcome: Outcome,
  reply: { readonly value: unknown } | undefined,
  dead: { readonly letter: string; readonly explanation: string } | undefined,
): OutboxItem | undefined {
  const asker = askerOf(given);
  if (asker === undefined) return undefined;
  const work = answer(given, asker, outcome, reply, dead);
  return work === undefined
    ? undefined
    : outboxItem(given.delivery.to, work as Parameters<typeof outboxItem>[1], () => undefined);
}

function answer(
  given: Given,
  asker: RunWatcher,
  outcome: Outcome,
  reply: { readonly value: unknown } | undefined,
  dead: { readonly letter: string; readonly explanation: string } | undefined,
): Work | undefined {
  const { delivery, envelope, head, definition } = given;
  if (outcome === "failed" || outcome === "waiting") return undefined;
  const of = formatAddress(delivery.to);
  const to = parseAddress(asker.actor);
  if (outcome === "dead") {
    const error = new DeadLetteredError(
      `${of} could not take what ${asker.actor} asked: it became dead letter ${dead?.letter ?? "(unnamed)"}. ${dead?.explanation ?? ""}`.trim(),
      { details: { actor: of, letter: dead?.letter } },
    );
    return failed(to, asker, plain(error));
  }
  if (envelope?.kind === "event") {
    // An actor that came into being with the event, and took no transition for it, was only made.
    if (outcome === "applied") return completed(to, asker, fromStored(reply?.value));
    const error = new EventIgnoredError(
      `${of} has no transition for "${envelope.event?.type ?? ""}" in state ${JSON.stringify(head.value ?? null)}: what ${asker.actor} asked was ignored.`,
      { details: { actor: of, event: envelope.event?.type, state: head.value } },
    );
    return failed(to, asker, plain(error));
  }
  if (envelope?.kind !== "create") return undefined;
  if (definition?.runs === undefined) {
    const error = new TerminalError(`${of} is no workflow: its end cannot be waited for.`, { details: { actor: of } });
    return failed(to, asker, plain(error));
  }
  if (head.state === undefined) return undefined;
  const run = driverFor(given).runOf(head.state);
  if (run?.input === digestOfStored(envelope.input)) return undefined;
  const error = new WorkflowConflictError(
    `Cannot start ${of} for ${asker.actor}: it was started with another input. Use another key.`,
    { details: { actor: of } },
  );
  return failed(to, asker, plain(error));
}

/** As it will be read from a stored context. */
function plain(error: Error): unknown {
  return fromStored(toStored(error, "error"));
}

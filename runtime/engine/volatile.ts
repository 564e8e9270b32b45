/**
 * Actors without a state record (delivery `at-most-once`): what they cannot do.
 *
 * What shows in the machine's definition is refused when the actor type is defined; the rest, such as `spawn` in an assign, by the step that does it.
 */
import { type Address, formatAddress } from "../core/address.ts";
import { TerminalError } from "../core/errors.ts";
import type { MachineDriver, Step, Work } from "../machine/driver.ts";
import type { RunnableDefinition } from "./definition.ts";

/** Work that is of use only if the state is there when it comes back. */
const words: Partial<Record<Work["kind"], string>> = {
  timer: "sets a timer",
  task: "starts an activity",
  start: "starts a child actor",
};

/** Errors: `TerminalError` when the step does what needs a state record. */
export function checkVolatile(actor: Address, driver: MachineDriver, step: Step): void {
  const done = step.work.map(({ kind }) => words[kind]).find((word) => word !== undefined);
  const problem = done ?? (driver.live(step.state).length > 0 ? "starts callback or observable logic" : undefined);
  if (problem === undefined) return;
  throw new TerminalError(
    `Cannot go on in machine "${driver.identity.id}" (${formatAddress(actor)}): it ${problem}, which needs a state record, and its delivery is "at-most-once".`,
    { details: { machine: driver.identity.id, actor: formatAddress(actor) } },
  );
}

/** True when one of the actor types has no state records. */
export function hasVolatile(definitions: Iterable<RunnableDefinition>): boolean {
  for (const { delivery } of definitions) if (delivery === "at-most-once") return true;
  return false;
}

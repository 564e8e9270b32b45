/** Which events a machine may send. */
import { isReservedEvent } from "../core/envelope.ts";
import { TerminalError } from "../core/errors.ts";
import type { MachineEvent } from "./driver.ts";

/** Returns the event when it may be sent; throws `TerminalError` naming the attempt otherwise. */
export function checkSendable(event: unknown, attempt: () => string): MachineEvent {
  const type = typeof event === "object" && event !== null ? (event as { type?: unknown }).type : undefined;
  if (typeof type !== "string" || type === "") {
    throw new TerminalError(
      `Cannot ${attempt()}: the event must be an object with a "type" that is a non-empty string.`,
    );
  }
  if (isReservedEvent(type)) {
    throw new TerminalError(`Cannot ${attempt()}: the event type ${JSON.stringify(type)} is reserved for the runtime.`);
  }
  return event as MachineEvent;
}

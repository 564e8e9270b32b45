/** Which events a machine may send. */
import { isReservedEvent } from "../core/envelope.ts";
import { TerminalError } from "../core/errors.ts";
import { toToken } from "../core/names.ts";
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

/** As {@link checkSendable}, for events that leave the space's actors: their type becomes part of a subject or a header, and has at most 256 bytes. */
export function checkPublishable(event: unknown, attempt: () => string): MachineEvent {
  const checked = checkSendable(event, attempt);
  try {
    toToken(checked.type, "an event type");
  } catch (cause) {
    throw new TerminalError(`Cannot ${attempt()}: ${(cause as Error).message}`, { cause });
  }
  return checked;
}

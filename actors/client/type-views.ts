/** The newest states of all actors of a type, one after the other: however many there are, few are in memory. */
import { isChildAddress } from "../../runtime/core/address.ts";
import { type ActorView, viewOfRecord } from "../view.ts";
import type { ClientContext } from "./context.ts";

/** Iterates over the newest committed states of a type's actors, children left out, in the order of their last commits. Rejects with `LogUnavailableError`. */
export async function* viewsOfType(
  { log, subjects }: ClientContext,
  type: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ActorView> {
  for await (const record of log.scan("core", subjects.states(type), { lastPerSubject: true })) {
    signal?.throwIfAborted();
    const address = subjects.parseRecord(record.subject)?.address;
    if (address === undefined || isChildAddress(address)) continue;
    const view = viewOfRecord(address, record);
    if (view !== undefined) yield view;
  }
}

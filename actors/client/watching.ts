/**
 * Watching: an actor's committed states as an async iterable.
 *
 * Every committed state record is delivered, in order, from the current one on. The log keeps as many states of an actor as the space was created with:
 * a consumer that is further behind than that misses some, and sees it by the revisions.
 */
import { type Address, formatAddress } from "../../runtime/core/address.ts";
import type { ActorView } from "../view.ts";
import type { ClientContext } from "./context.ts";
import type { Readings } from "./reading.ts";
import { readStates } from "./state-reader.ts";

/** Returns an iterable; each iteration of it reads by itself, from the state that is current when it starts. */
export function watchStates(
  context: ClientContext,
  readings: Readings,
  address: Address,
  signal: AbortSignal | undefined,
): AsyncIterable<ActorView> {
  return {
    [Symbol.asyncIterator]: () =>
      readings.open<ActorView>(`watch ${formatAddress(address)}`, signal, ({ onItem, onError }) =>
        readStates(context, address, { onView: onItem, onError }),
      ),
  };
}

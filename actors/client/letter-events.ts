/** What becomes of dead letters, as it happens: for a handler, or as an async iterable. */
import {
  type DeadLetterExpiredEvent,
  type DeadLetteredEvent,
  deadLetterTopic,
} from "../../runtime/core/dead-letter-events.ts";
import type { ClientContext } from "./context.ts";
import {
  type CommittedEvents,
  type Emitted,
  type EmittedInfo,
  type EmittedOptions,
  iterateCommitted,
  type OnOptions,
  onCommitted,
  type Subscription,
} from "./emitted.ts";
import type { Readings } from "./reading.ts";

export type { DeadLetterExpiredEvent, DeadLetteredEvent };

interface LetterEvents {
  readonly deadLettered: DeadLetteredEvent;
  readonly deadLetterExpired: DeadLetterExpiredEvent;
}

/** Calls the handler for each event of the type that `isWanted`. Errors: as `client.on`. */
export function onLetterEvent<Type extends keyof LetterEvents>(
  context: ClientContext,
  readings: Readings,
  type: Type,
  isWanted: (event: LetterEvents[Type]) => boolean,
  handler: (event: LetterEvents[Type], info: EmittedInfo) => unknown,
  options: OnOptions | undefined,
): Subscription {
  const isFunction = typeof handler === "function";
  const chosen = (event: { readonly type: string }, info: EmittedInfo): unknown => {
    if (event.type !== type) return undefined;
    // On the topic of the runtime are events of the runtime alone.
    const known = event as LetterEvents[Type];
    return isWanted(known) ? handler(known, info) : undefined;
  };
  return onCommitted(context, readings, source(context), isFunction ? chosen : handler, options);
}

/** Iterates over the events of letters that died and that `isWanted`. Errors: as `client.emitted`. */
export async function* iterateDeadLettered(
  context: ClientContext,
  readings: Readings,
  isWanted: (event: DeadLetteredEvent) => boolean,
  options: EmittedOptions | undefined,
): AsyncGenerator<Emitted<DeadLetteredEvent>, void, undefined> {
  for await (const emitted of iterateCommitted(context, readings, source(context), options)) {
    if (emitted.event.type !== "deadLettered") continue;
    const known = emitted as Emitted<unknown> as Emitted<DeadLetteredEvent>;
    if (isWanted(known.event)) yield known;
  }
}

function source({ subjects }: ClientContext): CommittedEvents {
  return {
    attempted: "listen to what becomes of dead letters",
    subject: subjects.topicEvents(deadLetterTopic),
    what: "the event of a dead letter",
  };
}

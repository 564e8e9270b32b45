/**
 * Emitted events: what an actor emits, for a handler or as an async iterable.
 *
 * 1. Only committed events are delivered, each once, in the order of their commits, also when the connection is lost in between.
 * 2. A handler gets one event at a time: the promise that it returns is waited for. What it throws is told, and the next event comes.
 * 3. Nothing is kept for who does not listen but the log itself: who stores the `seq` of the last event it was done with can go on behind it.
 */
import { type Address, formatAddress, partitionOf } from "../../runtime/core/address.ts";
import { readCloudEvent } from "../../runtime/core/cloud-events.ts";
import { toToken } from "../../runtime/core/names.ts";
import type { LogRecord, ReadFrom } from "../../runtime/log/log.ts";
import { refuseProblems, shown, unknownOptions } from "../../runtime/supervise/check-options.ts";
import type { ClientContext } from "./context.ts";
import type { Readings } from "./reading.ts";

/** What is known of an emitted event besides what it says. */
export interface EmittedInfo {
  /** Unique in the space; the CloudEvents id that other readers see. */
  readonly id: string;
  /** When it was committed, by the log's clock, milliseconds since 1970. */
  readonly at: number;
  /** Position in the log: higher for every later event of the space. */
  readonly seq: number;
}

/** An emitted event. */
export interface Emitted<Event> extends EmittedInfo {
  readonly event: Event;
}

/** Options of `emitted`. */
export interface EmittedOptions {
  /**
   * `new` (the default): events committed from now on. `start`: also all that the space still keeps (see `topicRetention`). `{ after }`: those
   * behind the event with this `seq`.
   */
  readonly from?: "new" | "start" | { readonly after: number };
  readonly signal?: AbortSignal;
}

/** Options of `on`. */
export interface OnOptions extends EmittedOptions {
  /**
   * Receives what the handler throws, with the event's info, and why an event could not be read or the subscription ended by itself, without.
   * Default: it is written to standard error.
   */
  readonly onError?: (error: unknown, info: EmittedInfo | undefined) => void;
}

/** A subscription made by `on`. */
export interface Subscription {
  /** The handler is not called again. */
  unsubscribe(): void;
  /** Resolves when it listens: what is committed from then on is delivered. Rejects when it ended before that. */
  readonly ready: Promise<void>;
}

/** An event whose definition is not at hand. */
type AnyEvent = { readonly type: string; readonly [field: string]: unknown };

/** Whose events, and which. */
export interface EmittedFilter {
  readonly address: Address;
  /** An event type, or `*` for all. */
  readonly type: string;
}

/** Committed events that are read under one subject. */
export interface CommittedEvents {
  /** What reading them is for, in errors. */
  readonly attempted: string;
  readonly subject: string;
  /** One of them, in errors. */
  readonly what: string;
}

/** Calls the handler for each event until the subscription ends. Errors: `InvalidOptionsError`, `InvalidNameError` for the event type. */
export function onEmitted(
  context: ClientContext,
  readings: Readings,
  filter: EmittedFilter,
  handler: (event: AnyEvent, info: EmittedInfo) => unknown,
  options: OnOptions | undefined,
): Subscription {
  return onCommitted(context, readings, eventsOf(context, filter), handler, options);
}

/** As {@link onEmitted}, of any committed events. */
export function onCommitted(
  context: ClientContext,
  readings: Readings,
  events: CommittedEvents,
  handler: (event: AnyEvent, info: EmittedInfo) => unknown,
  options: OnOptions | undefined,
): Subscription {
  const { attempted, subject } = events;
  const problems = typeof handler === "function" ? [] : [`the handler is ${shown(handler)}: use a function`];
  const { from, signal, onError = tellStderr(attempted) } = readOptions(attempted, options, ["onError"], problems);
  const reading = readings.open<LogRecord>(attempted, signal, ({ onItem, onError: onEnd }) =>
    context.log.read("core", { filters: [subject], from, onRecord: onItem, onError: onEnd }),
  );
  let isOver = false;
  const tell = (error: unknown, info?: EmittedInfo): void => {
    try {
      onError(error, info);
    } catch (thrown) {
      // Nobody is left to tell it to: it must be seen, and must not end the subscription.
      queueMicrotask(() => {
        throw thrown;
      });
    }
  };
  const deliver = async (): Promise<void> => {
    for (;;) {
      const next = await reading.next();
      if (next.done === true || isOver) return;
      let info: EmittedInfo | undefined;
      try {
        const { event, ...known } = readEvent(events, next.value);
        info = known;
        await handler(event, known);
      } catch (error) {
        tell(error, info);
      }
    }
  };
  deliver().catch((error: unknown) => {
    // Who aborts it or closes the client knows.
    if (!isOver && signal?.aborted !== true && !context.isStopped) tell(error);
  });
  return {
    unsubscribe() {
      isOver = true;
      void reading.return();
    },
    ready: reading.ready,
  };
}

/** Returns an iterable; each iteration of it reads by itself. Errors: as {@link onEmitted}; iterating throws `CorruptRecordError` for what cannot be read. */
export function iterateEmitted(
  context: ClientContext,
  readings: Readings,
  filter: EmittedFilter,
  options: EmittedOptions | undefined,
): AsyncIterable<Emitted<AnyEvent>> {
  return iterateCommitted(context, readings, eventsOf(context, filter), options);
}

/** As {@link iterateEmitted}, of any committed events. */
export function iterateCommitted(
  context: ClientContext,
  readings: Readings,
  events: CommittedEvents,
  options: EmittedOptions | undefined,
): AsyncIterable<Emitted<AnyEvent>> {
  const { attempted, subject } = events;
  const { from, signal } = readOptions(attempted, options, [], []);
  return {
    [Symbol.asyncIterator]: () =>
      readings.open<Emitted<AnyEvent>>(attempted, signal, ({ onItem, onError }) =>
        context.log.read("core", {
          filters: [subject],
          from,
          onRecord: (record) => {
            try {
              onItem(readEvent(events, record));
            } catch (error) {
              onError(error as Error);
            }
          },
          onError,
        }),
      ),
  };
}

/** Checks the event type on the way. */
function eventsOf({ subjects, partitions }: ClientContext, { address, type }: EmittedFilter): CommittedEvents {
  const actor = formatAddress(address);
  const isAll = type === "*";
  if (!isAll) toToken(type, "an event type");
  return {
    attempted: isAll ? `listen to what ${actor} emits` : `listen to ${shown(type)} of ${actor}`,
    subject: subjects.emittedBy(partitionOf(address, partitions), address, isAll ? undefined : type),
    what: `the event emitted by ${actor}`,
  };
}

interface ReadOptions {
  readonly from: ReadFrom;
  readonly signal: AbortSignal | undefined;
  readonly onError: OnOptions["onError"];
}

function readOptions(
  attempted: string,
  options: OnOptions = {},
  more: readonly string[],
  problems: string[],
): ReadOptions {
  if (typeof options !== "object" || options === null) {
    refuseProblems(`Cannot ${attempted}`, [...problems, `the options are ${shown(options)}`]);
  }
  const { signal, onError } = options;
  problems.push(...unknownOptions(options, ["from", "signal", ...more], ""));
  if (signal !== undefined && typeof signal?.addEventListener !== "function") {
    problems.push(`signal is ${shown(signal)}: use an AbortSignal`);
  }
  if (onError !== undefined && typeof onError !== "function") {
    problems.push(`onError is ${shown(onError)}: use a function`);
  }
  const from = readFrom(options.from, problems);
  refuseProblems(`Cannot ${attempted}`, problems);
  return { from, signal, onError };
}

function readFrom(from: EmittedOptions["from"] = "new", problems: string[]): ReadFrom {
  if (from === "new") return "new";
  if (from === "start") return { seq: 1 };
  const after: unknown = typeof from === "object" && from !== null ? from.after : undefined;
  if (Number.isSafeInteger(after) && (after as number) >= 0) return { seq: (after as number) + 1 };
  problems.push(`from is ${shown(from)}: use "new", "start", or { after } with the seq of an event`);
  return "new";
}

function readEvent({ what }: CommittedEvents, record: LogRecord): Emitted<AnyEvent> {
  const { seq, timeMs } = record;
  const { id, event } = readCloudEvent(`${what} at sequence ${seq}`, record.data);
  return { id, at: timeMs, seq, event };
}

function tellStderr(attempted: string): NonNullable<OnOptions["onError"]> {
  return (error, info) => {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const what =
      info === undefined ? `Cannot ${attempted}` : `The handler failed on event ${info.id} (it was to ${attempted})`;
    process.stderr.write(`error emitted.handler: ${what}: ${reason}\n`);
  };
}

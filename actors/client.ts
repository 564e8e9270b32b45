/**
 * The client: how services send to actors, ask them, and see their state.
 *
 * 1. What is refused at the door has not left the process. What `send` has confirmed is on the log's disk, and will be applied, dead-lettered, or found waiting.
 * 2. Messages of one client to one actor are stored in the order of the calls, under every retry.
 * 3. A call with a key may be repeated, by any process and for as long as the space remembers keys: it is applied once, and its outcome stays the same.
 * 4. Reads do not queue behind writes, and show committed state only.
 */
import { type Address, formatAddress, partitionOf } from "../runtime/core/address.ts";
import { isReservedEvent } from "../runtime/core/envelope.ts";
import { ActorNotFoundError, InvalidNameError } from "../runtime/core/errors.ts";
import { checkType, toToken } from "../runtime/core/names.ts";
import type { SpaceRecord } from "../runtime/core/records.ts";
import { Subjects } from "../runtime/core/subjects.ts";
import { systemTime, type Time } from "../runtime/core/time.ts";
import type { Log, LogLimits } from "../runtime/log/log.ts";
import { durationMs, refuseProblems, shown, unknownOptions } from "../runtime/supervise/check-options.ts";
import { untilAborted } from "./client/aborts.ts";
import { type ActorTypeInfo, ActorTypes } from "./client/actor-types.ts";
import type { AskResult } from "./client/answers.ts";
import { Asks } from "./client/asks.ts";
import { type ClientContext, type DurationInput, stoppedError } from "./client/context.ts";
import { Door } from "./client/door.ts";
import {
  type Emitted,
  type EmittedInfo,
  type EmittedOptions,
  iterateEmitted,
  type OnOptions,
  onEmitted,
  type Subscription,
} from "./client/emitted.ts";
import { type Content, MessageFactory, newClientId, type Outgoing, type SendReceipt } from "./client/outgoing.ts";
import { Readings } from "./client/reading.ts";
import { SendQueue } from "./client/send-queue.ts";
import { type SpaceStats, type StatsOptions, spaceStats } from "./client/space-stats.ts";
import { viewsOfType } from "./client/type-views.ts";
import { type WaitCondition, Waits } from "./client/waits.ts";
import { watchStates } from "./client/watching.ts";
import { DeadLetters } from "./dead-letters.ts";
import type { ActorRef, AnyActorDefinition, ContextOf, EmittedOf, EventOf, InputOf } from "./define-actor.ts";
import type { ResolvedTarget, UntypedTarget } from "./references.ts";
import { type ActorView, type HistoryEntry, historyOf, readState, viewOfRecord } from "./view.ts";

export type {
  ActorTypeInfo,
  AskResult,
  DurationInput,
  Emitted,
  EmittedInfo,
  EmittedOptions,
  OnOptions,
  SendReceipt,
  SpaceStats,
  StatsOptions,
  Subscription,
  WaitCondition,
};

/** Options of {@link createClient}. */
export interface ClientOptions {
  /** An open log of the space. The client does not close it. */
  readonly log: Log;
  /** Limits of appends to INGRESS, where they are not those of the log. */
  readonly ingressLimits?: LogLimits;
  /** What the space was created with. */
  readonly space: SpaceRecord;
  readonly spaceName: string;
  /** Stable name of the service, at most 256 bytes; permissions can pin it. Keys count per sender until a message is applied, then for all. Default "client". */
  readonly sender?: string;
  /** Default: the machine's own. */
  readonly time?: Time;
  /** Definitions whose schemas check what is sent to their types, also where only an address is given. */
  readonly actors?: readonly AnyActorDefinition[];
  /** Sends to types that no node has registered yet; default false. */
  readonly allowUnknownTypes?: boolean;
  /** Default timeout of sends; default 10 s. */
  readonly sendTimeout?: DurationInput;
  /** How many messages may be under way; further sends wait for their turn. Default 10,000. */
  readonly maxQueued?: number;
  /** How many bytes may be under way; default 64 MB. */
  readonly maxQueuedBytes?: number;
  /** Random numbers in [0, 1), for the spread of retries. Default `Math.random`. */
  readonly random?: () => number;
  /** Must be different for every client ever made; for simulations. Default: random. */
  readonly clientId?: string;
  /** Called at the end of `close`, to let go of what the client was given. */
  readonly onClose?: () => Promise<void>;
}

/** Options of `send`. */
export interface SendOptions {
  /** Idempotency key, at most 256 bytes: the message is applied once per actor and key. */
  readonly key?: string;
  /** A send that still waits is withdrawn; one that is under way rejects, and may be stored. */
  readonly signal?: AbortSignal;
  /** How long to try; default 10 s, from the moment at which the queue has room. A timeout given here counts from the call. */
  readonly timeout?: DurationInput;
}

/** Options of `ask` and `create`. */
export interface AskOptions {
  /** Idempotency key: asked again with it, the outcome is that of the first time. */
  readonly key?: string;
  /** Ends the waiting; the message may be applied all the same. */
  readonly signal?: AbortSignal;
  /** How long to wait for the outcome; default 30 s. */
  readonly timeout?: DurationInput;
}

/** Options of `cancel` and `terminate`. */
export interface EndOptions extends AskOptions {
  /** Why, in words: the workflow is told, and its error has it. */
  readonly reason?: string;
}

/** Options of `waitFor`. */
export interface WaitOptions {
  readonly signal?: AbortSignal;
  /** Default 30 s. */
  readonly timeout?: DurationInput;
}

/** Options of `get`. */
export interface ReadOptions {
  readonly signal?: AbortSignal;
}

/** Options of `history`. */
export interface HistoryOptions extends ReadOptions {
  /** How many messages; default 10. */
  readonly last?: number;
}

/** What a `create` resolves with. */
export interface CreateResult<Context = unknown> extends AskResult<Context> {
  /** False when the actor existed already; `view` shows it then. */
  readonly created: boolean;
}

/** What a `migrate` resolves with. */
export interface MigrateResult<Context = unknown> extends AskResult<Context> {
  /** False when the actor was at the version of its node already. */
  readonly migrated: boolean;
}

/** An event whose definition is not at hand. */
export type UntypedEvent = { readonly type: string; readonly [field: string]: unknown };

/** Sends to actors, asks them, and reads their state. */
export interface Client {
  /**
   * Sends an event. Resolves when it is durably stored; whether and how it was applied is for `ask`, `get` or `history` to tell.
   *
   * *Errors* before anything is sent: `InvalidNameError`, `InvalidOptionsError`, `InvalidEventError`, `UnknownActorTypeError`, `NotStorableError`,
   * `PayloadTooLargeError`. Nothing stored: `LogUnavailableError`, `StorageFullError`. Not known whether it was stored: `SendUnknownError`, and
   * `SystemStoppedError` where it says so; with a key it is safe to send again.
   */
  send(target: UntypedTarget, event: UntypedEvent, options?: SendOptions): Promise<SendReceipt>;
  send<D extends AnyActorDefinition>(ref: ActorRef<D>, event: EventOf<D>, options?: SendOptions): Promise<SendReceipt>;

  /**
   * Sends an event and resolves with its outcome: the state committed after it, and what the machine answered with `reply`.
   *
   * *Errors* Those of `send`; `DeadLetteredError` when the message became a dead letter; `AskTimeoutError` when the outcome is not known in time.
   */
  ask(target: UntypedTarget, event: UntypedEvent, options?: AskOptions): Promise<AskResult>;
  ask<D extends AnyActorDefinition>(
    ref: ActorRef<D>,
    event: EventOf<D>,
    options?: AskOptions,
  ): Promise<AskResult<ContextOf<D>>>;

  /** Makes an actor with an input; one that exists already is left as it is. *Errors* As `ask`. */
  create(target: UntypedTarget, input?: unknown, options?: AskOptions): Promise<CreateResult>;
  create<D extends AnyActorDefinition>(
    ref: ActorRef<D>,
    input: InputOf<D>,
    options?: AskOptions,
  ): Promise<CreateResult<ContextOf<D>>>;

  /**
   * Has an actor's state brought to the version of the machine that its node runs, now and not only with its next message. In order with its other messages.
   *
   * *Errors* `ActorNotFoundError`; as `ask`. Where the migration fails the actor is parked, the message waits, and the ask ends with `AskTimeoutError`.
   */
  migrate(target: UntypedTarget, options?: AskOptions): Promise<MigrateResult>;
  migrate<D extends AnyActorDefinition>(ref: ActorRef<D>, options?: AskOptions): Promise<MigrateResult<ContextOf<D>>>;

  /**
   * Tells a workflow to come to its end: its machine gets the event `workflow.cancel` and may undo what it has done; one that takes no transition for it ends with
   * `WorkflowCancelledError` at once. `reply` is what the machine answers; the outcome is `ignored` when the workflow has ended before.
   *
   * *Errors* `ActorNotFoundError`; as `ask`; `DeadLetteredError` for an actor that is no workflow.
   */
  cancel(target: UntypedTarget, options?: EndOptions): Promise<AskResult>;
  cancel<D extends AnyActorDefinition>(ref: ActorRef<D>, options?: EndOptions): Promise<AskResult<ContextOf<D>>>;

  /** Ends a workflow at once with `WorkflowTerminatedError`, whatever its machine says: nothing is undone. Outcome and *errors* as for {@link Client.cancel}. */
  terminate(target: UntypedTarget, options?: EndOptions): Promise<AskResult>;
  terminate<D extends AnyActorDefinition>(ref: ActorRef<D>, options?: EndOptions): Promise<AskResult<ContextOf<D>>>;

  /** Reads an actor's newest committed state; undefined while there is none. *Errors* `InvalidNameError`, `LogUnavailableError`. */
  get(target: UntypedTarget, options?: ReadOptions): Promise<ActorView | undefined>;
  get<D extends AnyActorDefinition>(
    ref: ActorRef<D>,
    options?: ReadOptions,
  ): Promise<ActorView<ContextOf<D>> | undefined>;

  /**
   * Resolves with the first committed state, the current one included, that fulfils a condition: a predicate, `{ tag }`, `{ value }`, or `"done"`.
   *
   * *Errors* `WaitTimeoutError` with what was seen last; what the predicate throws.
   */
  waitFor(target: UntypedTarget, condition: WaitCondition, options?: WaitOptions): Promise<ActorView>;
  waitFor<D extends AnyActorDefinition>(
    ref: ActorRef<D>,
    condition: WaitCondition<ContextOf<D>>,
    options?: WaitOptions,
  ): Promise<ActorView<ContextOf<D>>>;

  /**
   * Iterates over an actor's committed states, from the current one on.
   *
   * *Details* Messages that were committed together have one state. Leaving the loop ends the reading.
   *
   * *Gotchas* None is left out unless the consumer falls further behind than the space keeps an actor's states; `revision` shows such a gap.
   *
   * *Errors* The iteration throws the signal's reason when it is aborted, `SystemStoppedError` when the client is closed.
   */
  watch(target: UntypedTarget, options?: { readonly signal?: AbortSignal }): AsyncIterable<ActorView>;
  watch<D extends AnyActorDefinition>(
    ref: ActorRef<D>,
    options?: { readonly signal?: AbortSignal },
  ): AsyncIterable<ActorView<ContextOf<D>>>;

  /**
   * Calls a handler with each event of a type that an actor emits, or with all of them (`*`), once they are committed.
   *
   * *Details* One event at a time, in the order of the commits; a promise that the handler returns is waited for. What it throws goes to `onError`, by
   * default to standard error, and the next event comes. Any actor may be listened to, also before it exists, and a child: `"order/42/~payment"`.
   *
   * *Gotchas* Events are delivered once to this subscription. A process that must not miss any while it is down stores the `seq` of the last event it is done with, and
   * begins `{ from: { after: seq } }`.
   *
   * *Errors* `InvalidNameError`, `InvalidOptionsError`. `ready` rejects with the signal's reason, `SystemStoppedError` or `NotAuthorizedError`.
   */
  on(
    target: UntypedTarget,
    type: string,
    handler: (event: UntypedEvent, info: EmittedInfo) => unknown,
    options?: OnOptions,
  ): Subscription;
  on<D extends AnyActorDefinition, Type extends EmittedOf<D>["type"] | "*">(
    ref: ActorRef<D>,
    type: Type,
    handler: (event: EmittedOf<D, Type>, info: EmittedInfo) => unknown,
    options?: OnOptions,
  ): Subscription;

  /**
   * Iterates over the events of a type that an actor emits, or over all of them (`*`), as {@link Client.on} delivers them. Leaving the loop ends the reading.
   *
   * *Errors* The iteration throws the signal's reason when it is aborted, `SystemStoppedError` when the client is closed, `CorruptRecordError`.
   */
  emitted(target: UntypedTarget, type: string, options?: EmittedOptions): AsyncIterable<Emitted<UntypedEvent>>;
  emitted<D extends AnyActorDefinition, Type extends EmittedOf<D>["type"] | "*">(
    ref: ActorRef<D>,
    type: Type,
    options?: EmittedOptions,
  ): AsyncIterable<Emitted<EmittedOf<D, Type>>>;

  /**
   * Iterates over the newest committed states of all actors of a type, in the order of their last commits; children are left out. Leaving the loop ends the reading.
   *
   * *Errors* The iteration throws the signal's reason when it is aborted, `LogUnavailableError`, `CorruptRecordError`.
   */
  views(type: string, options?: ReadOptions): AsyncIterable<ActorView>;
  views<D extends AnyActorDefinition>(definition: D, options?: ReadOptions): AsyncIterable<ActorView<ContextOf<D>>>;

  /** The newest messages that an actor has handled, oldest first, as far back as the space keeps states; `last` is 10 by default. */
  history(target: ActorRef | UntypedTarget, options?: HistoryOptions): Promise<HistoryEntry[]>;

  /** The messages that could not be applied. */
  readonly deadLetters: DeadLetters;

  /** The actor types that the nodes of the space have registered, by name. */
  types(): Promise<ActorTypeInfo[]>;

  /**
   * Looks at the whole space: nodes, owners, mailboxes, dead letters, timers, activities, latencies. Works without any node: what only nodes know is 0 or
   * `undefined` then, and `mailboxes.silent` says of how many partitions. Letters are counted by the owners, each within the last 10 s, or read from the log.
   *
   * *Errors* `InvalidOptionsError`, `LogUnavailableError`; the signal's reason.
   */
  stats(options?: StatsOptions): Promise<SpaceStats>;

  /** Refuses further calls, waits for sends under way up to a timeout (default 10 s), and rejects what is pending then with `SystemStoppedError`. */
  close(options?: { readonly timeout?: DurationInput }): Promise<void>;
}

/**
 * Makes a client on an open log. It reads and starts nothing before its first call.
 *
 * Errors: `InvalidOptionsError` naming every option that is wrong; `InvalidNameError` for the sender.
 */
export function createClient(options: ClientOptions): Client {
  return new LogClient(options);
}

const clientOptionNames = [
  "log",
  "ingressLimits",
  "space",
  "spaceName",
  "sender",
  "time",
  "actors",
  "allowUnknownTypes",
  "sendTimeout",
  "maxQueued",
  "maxQueuedBytes",
  "random",
  "clientId",
  "onClose",
];
const defaultAskTimeoutMs = 30_000;
const defaultCloseTimeoutMs = 10_000;
const maxReasonLength = 1000;

class LogClient implements Client {
  readonly deadLetters: DeadLetters;
  readonly #context: ClientContext;
  readonly #types: ActorTypes;
  readonly #door: Door;
  readonly #factory: MessageFactory;
  readonly #queue: SendQueue;
  readonly #asks: Asks;
  readonly #waits: Waits;
  readonly #readings: Readings;
  readonly #onClose: (() => Promise<void>) | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ClientOptions) {
    const { settings, definitions } = readOptions(options);
    const { log, space, spaceName, sender = "client", time = systemTime, random = Math.random } = options;
    toToken(sender, "a sender name");
    if (isReservedEvent(sender)) {
      throw new InvalidNameError(
        `Cannot use ${JSON.stringify(sender)} as a sender name: names that begin with "statewright." or "xstate." are reserved for the runtime.`,
        { details: { sender } },
      );
    }
    this.#context = {
      log,
      ingressLimits: options.ingressLimits ?? log.limits,
      subjects: new Subjects(spaceName),
      partitions: space.partitions,
      spaceName,
      identity: space.identity,
      time,
      random,
      sender,
      clientId: options.clientId ?? newClientId(),
      isStopped: false,
    };
    this.#types = new ActorTypes(this.#context);
    this.#door = new Door(this.#context, this.#types, definitions, options.allowUnknownTypes ?? false);
    this.#factory = new MessageFactory(this.#context);
    this.#queue = new SendQueue(this.#context, settings);
    this.#asks = new Asks(this.#context);
    this.#waits = new Waits(this.#context);
    this.#readings = new Readings(this.#context);
    this.deadLetters = new DeadLetters(this.#context, this.#door, this.#readings);
    this.#onClose = options.onClose;
  }

  // Not async: a send costs one promise.
  send(target: ActorRef | UntypedTarget, event: unknown, options?: SendOptions): Promise<SendReceipt> {
    try {
      const to = this.#door.target(target);
      this.#checkOpen(`send to ${formatAddress(to.address)}`);
      const { key, signal, timeoutMs } = readCallOptions("Cannot send", options, sendOptionNames);
      this.#door.key(to, key);
      const content = this.#door.event(to, event);
      const message = this.#make(to, content, key, undefined);
      return this.#enqueue(to, content, message, timeoutMs, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  ask(target: ActorRef | UntypedTarget, event: unknown, options?: AskOptions): Promise<AskResult<never>> {
    return this.#ask(target, (to) => this.#door.event(to, event), options);
  }

  async create(target: ActorRef | UntypedTarget, input?: unknown, options?: AskOptions): Promise<CreateResult<never>> {
    const result = await this.#ask(target, (to) => this.#door.input(to, input), options);
    return { ...result, created: result.outcome === "created" };
  }

  async migrate(target: ActorRef | UntypedTarget, options?: AskOptions): Promise<MigrateResult<never>> {
    const { address } = this.#door.stored(target);
    const reading = options?.signal === undefined ? {} : { signal: options.signal };
    if ((await this.get(address, reading)) === undefined) {
      const actor = formatAddress(address);
      throw new ActorNotFoundError(`Cannot migrate ${actor}: it has no committed state.`, { details: { actor } });
    }
    const result = await this.#ask(target, () => ({ kind: "migrate" }), options);
    return { ...result, migrated: result.outcome === "migrated" };
  }

  cancel(target: ActorRef | UntypedTarget, options?: EndOptions): Promise<AskResult<never>> {
    return this.#end("cancel", target, options);
  }

  terminate(target: ActorRef | UntypedTarget, options?: EndOptions): Promise<AskResult<never>> {
    return this.#end("terminate", target, options);
  }

  async #end(
    kind: "cancel" | "terminate",
    target: ActorRef | UntypedTarget,
    { reason, ...options }: EndOptions = {},
  ): Promise<AskResult<never>> {
    const { address } = this.#door.stored(target);
    const actor = formatAddress(address);
    const attempted = `Cannot ${kind} ${actor}`;
    if (reason !== undefined && (typeof reason !== "string" || reason.length > maxReasonLength))
      refuseProblems(attempted, [`reason is ${shown(reason)}: use a text of at most ${maxReasonLength} characters`]);
    const reading = options.signal === undefined ? {} : { signal: options.signal };
    if ((await this.get(address, reading)) === undefined)
      throw new ActorNotFoundError(`${attempted}: it has no committed state.`, { details: { actor } });
    return this.#ask(target, () => ({ kind, ...(reason === undefined ? {} : { reason }) }), options);
  }

  async get(target: ActorRef | UntypedTarget, options?: ReadOptions): Promise<ActorView<never> | undefined> {
    const { address } = this.#door.stored(target);
    const { signal } = readCallOptions("Cannot read", options, ["signal"]);
    this.#checkOpen(`read ${formatAddress(address)}`);
    const { log, subjects, partitions } = this.#context;
    const reading = log.last("core", subjects.state(partitionOf(address, partitions), address));
    const record = await untilAborted(reading, signal);
    return record === undefined ? undefined : viewOfRecord<never>(address, record);
  }

  async waitFor(
    target: ActorRef | UntypedTarget,
    condition: WaitCondition<never>,
    options?: WaitOptions,
  ): Promise<ActorView<never>> {
    const { address } = this.#door.stored(target);
    this.#checkOpen(`wait for ${formatAddress(address)}`);
    const { signal, timeoutMs = defaultAskTimeoutMs } = readCallOptions("Cannot wait", options, waitOptionNames);
    // The context is what the caller's reference says it is.
    return (await this.#waits.wait(address, condition, timeoutMs, signal)) as ActorView<never>;
  }

  watch(
    target: ActorRef | UntypedTarget,
    options?: { readonly signal?: AbortSignal },
  ): AsyncIterable<ActorView<never>> {
    const { address } = this.#door.stored(target);
    const { signal } = readCallOptions("Cannot watch", options, ["signal"]);
    // As in waitFor.
    return watchStates(this.#context, this.#readings, address, signal) as AsyncIterable<ActorView<never>>;
  }

  on(
    target: ActorRef | UntypedTarget,
    type: string,
    // What the caller's reference says of the events is what the definition says; here they are just events.
    handler: (event: never, info: EmittedInfo) => unknown,
    options?: OnOptions,
  ): Subscription {
    const { address } = this.#door.target(target);
    this.#checkOpen(`listen to ${formatAddress(address)}`);
    return onEmitted(this.#context, this.#readings, { address, type }, handler as (event: unknown) => unknown, options);
  }

  emitted(target: ActorRef | UntypedTarget, type: string, options?: EmittedOptions): AsyncIterable<Emitted<never>> {
    const { address } = this.#door.target(target);
    // As in on.
    return iterateEmitted(this.#context, this.#readings, { address, type }, options) as AsyncIterable<Emitted<never>>;
  }

  views(type: string | AnyActorDefinition, options?: ReadOptions): AsyncIterable<ActorView<never>> {
    const name = typeof type === "string" ? type : type.type;
    checkType(name);
    this.#checkOpen(`read the states of ${name}`);
    const { signal } = readCallOptions("Cannot read", options, ["signal"]);
    // As in watch.
    return viewsOfType(this.#context, name, signal) as AsyncIterable<ActorView<never>>;
  }

  async history(target: ActorRef | UntypedTarget, options: HistoryOptions = {}): Promise<HistoryEntry[]> {
    const { address } = this.#door.stored(target);
    this.#checkOpen(`read the history of ${formatAddress(address)}`);
    const problems = unknownOptions(options, ["last", "signal"], "");
    const { last = 10 } = options;
    if (!isCount(last)) problems.push(`last is ${shown(last)}: use a whole number from 1`);
    refuseProblems("Cannot read the history", problems);
    return untilAborted(this.#readHistory(address, last), options.signal);
  }

  async #readHistory(address: Address, last: number): Promise<HistoryEntry[]> {
    const { log, subjects, partitions } = this.#context;
    let entries: HistoryEntry[] = [];
    for await (const record of log.scan("core", subjects.state(partitionOf(address, partitions), address))) {
      entries.push(...historyOf(readState(address, record)));
      if (entries.length > last * 2) entries = entries.slice(-last);
    }
    return entries.slice(-last);
  }

  async types(): Promise<ActorTypeInfo[]> {
    this.#checkOpen("read the registry of actor types");
    await this.#types.load();
    return [...this.#types.known.values()].sort((a, b) => (a.type < b.type ? -1 : 1));
  }

  async stats(options?: StatsOptions): Promise<SpaceStats> {
    this.#checkOpen("look at the space");
    return spaceStats(this.#context, options);
  }

  async close(options: { readonly timeout?: DurationInput } = {}): Promise<void> {
    const { timeoutMs = defaultCloseTimeoutMs } = readCallOptions("Cannot close", options, ["timeout"]);
    this.#closing ??= this.#close(timeoutMs);
    await this.#closing;
  }

  async #close(timeoutMs: number): Promise<void> {
    await this.#queue.drain(timeoutMs);
    this.#context.isStopped = true;
    this.#queue.stop();
    this.#asks.stop();
    this.#waits.stop();
    this.#readings.stop();
    await this.#onClose?.();
  }

  async #ask(
    target: ActorRef | UntypedTarget,
    check: (to: ResolvedTarget) => Content,
    options: AskOptions | undefined,
  ): Promise<AskResult<never>> {
    const to = this.#door.target(target);
    this.#checkOpen(`ask ${formatAddress(to.address)}`);
    const { key, signal, timeoutMs = defaultAskTimeoutMs } = readCallOptions("Cannot ask", options, sendOptionNames);
    this.#door.key(to, key);
    const content = check(to);
    const { token, reply } = this.#asks.open();
    const message = this.#make(to, content, key, reply);
    const send = () => this.#enqueue(to, content, message, timeoutMs, signal);
    // The context is what the caller's reference says it is.
    return (await this.#asks.ask(token, message, timeoutMs, signal, send)) as AskResult<never>;
  }

  #make(to: ResolvedTarget, content: Content, key: string | undefined, reply: string | undefined): Outgoing {
    const message = this.#factory.make(to.address, content, key, reply);
    this.#door.size(message);
    return message;
  }

  /** Queues a message, after the registry was asked where that is needed. Calls keep their order. */
  #enqueue(
    to: ResolvedTarget,
    content: Content,
    message: Outgoing,
    timeoutMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<SendReceipt> {
    let onChecked: ((error: unknown) => void) | undefined;
    if (this.#door.registered(to, content, (error) => onChecked?.(error)) === "known") {
      return this.#queue.send(message, timeoutMs, signal);
    }
    return new Promise((resolve, reject) => {
      onChecked = (error) => {
        if (error !== undefined) reject(error);
        else if (this.#context.isStopped) reject(stoppedError(`send to ${formatAddress(to.address)}`));
        else this.#queue.send(message, timeoutMs, signal).then(resolve, reject);
      };
    });
  }

  #checkOpen(attempted: string): void {
    if (this.#closing !== undefined) throw stoppedError(attempted);
  }
}

const sendOptionNames = ["key", "signal", "timeout"];
const waitOptionNames = ["signal", "timeout"];

interface CallOptions {
  readonly key?: string;
  readonly signal?: AbortSignal;
  readonly timeout?: DurationInput;
}

interface ReadCallOptions {
  readonly key: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
}

const noOptions: ReadCallOptions = { key: undefined, signal: undefined, timeoutMs: undefined };

function readCallOptions(
  attempted: string,
  options: CallOptions | undefined,
  known: readonly string[],
): ReadCallOptions {
  if (options === undefined) return noOptions;
  if (typeof options !== "object" || options === null) refuseProblems(attempted, [`the options are ${shown(options)}`]);
  const problems = unknownOptions(options, known, "");
  const { key, signal, timeout } = options;
  if (key !== undefined) toToken(key, "an idempotency key");
  if (signal !== undefined && typeof signal?.addEventListener !== "function") {
    problems.push(`signal is ${shown(signal)}: use an AbortSignal`);
  }
  const timeoutMs = timeout === undefined ? undefined : durationMs(timeout, "timeout", problems);
  if (problems.length > 0) refuseProblems(attempted, problems);
  return { key, signal, timeoutMs };
}

function readOptions(options: ClientOptions): {
  readonly settings: { readonly timeoutMs: number; readonly maxQueued: number; readonly maxQueuedBytes: number };
  readonly definitions: ReadonlyMap<string, AnyActorDefinition>;
} {
  const problems = unknownOptions(options, clientOptionNames, "");
  const { sendTimeout = 10_000, maxQueued = 10_000, maxQueuedBytes = 64_000_000, actors = [] } = options;
  const timeoutMs = durationMs(sendTimeout, "sendTimeout", problems) ?? 0;
  if (!isCount(maxQueued)) problems.push(`maxQueued is ${shown(maxQueued)}: use a whole number from 1`);
  if (!isCount(maxQueuedBytes)) problems.push(`maxQueuedBytes is ${shown(maxQueuedBytes)}: use a whole number from 1`);
  const definitions = new Map<string, AnyActorDefinition>();
  for (const [at, definition] of actors.entries()) {
    const type: unknown = definition?.type;
    if (typeof type !== "string" || typeof definition.checkEvent !== "function") {
      problems.push(`actors[${at}] is ${shown(definition)}: use what defineActor returns`);
    } else if (definitions.has(type)) problems.push(`actors[${at}] defines type ${shown(type)} a second time`);
    else definitions.set(type, definition);
  }
  refuseProblems("Cannot create the client", problems);
  return { settings: { timeoutMs, maxQueued, maxQueuedBytes }, definitions };
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0;
}

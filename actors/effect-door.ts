/**
 * The Effect door: the names of the Promise door, returning Effects.
 *
 * 1. One implementation: every call goes to the client or node of the Promise door.
 * 2. Failures are the same error instances, in the error channel; what is no error of Statewright is a defect.
 * 3. Interrupting an Effect aborts the call, as its `AbortSignal` would. Clients and nodes are closed with their scope.
 */
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type * as Scope from "effect/Scope";
import * as Stream from "effect/Stream";
import { isStatewrightError, type StatewrightError } from "../runtime/core/errors.ts";
import type { NodeStats } from "../runtime/engine/node.ts";
import type {
  ActorTypeInfo,
  AskOptions,
  AskResult,
  Client,
  CreateResult,
  Emitted,
  EmittedOptions,
  MigrateResult,
  SendOptions,
  SendReceipt,
  SpaceStats,
  StatsOptions,
  UntypedEvent,
  WaitCondition,
  WaitOptions,
} from "./client.ts";
import { type ConnectOptions, connect as connectPromise } from "./connect.ts";
import type { DeadLetterFilter, DeadLetters, ExportedLetter } from "./dead-letters.ts";
import type { ActorRef, AnyActorDefinition, ContextOf, EmittedOf, EventOf, InputOf } from "./define-actor.ts";
import type { UntypedTarget } from "./references.ts";
import { type NodeOptions, type StatewrightNode, startNode as startNodePromise } from "./start-node.ts";
import type { ActorView, HistoryEntry } from "./view.ts";

type WithoutSignal<Options> = Omit<Options, "signal">;
type Result<A> = Effect.Effect<A, StatewrightError>;

/** The client of the Promise door, with Effects for Promises and a `Stream` for the async iterable. */
export interface EffectClient {
  /** See `Client.send`. */
  send(target: UntypedTarget, event: UntypedEvent, options?: WithoutSignal<SendOptions>): Result<SendReceipt>;
  send<D extends AnyActorDefinition>(
    ref: ActorRef<D>,
    event: EventOf<D>,
    options?: WithoutSignal<SendOptions>,
  ): Result<SendReceipt>;
  /** See `Client.ask`. */
  ask(target: UntypedTarget, event: UntypedEvent, options?: WithoutSignal<AskOptions>): Result<AskResult>;
  ask<D extends AnyActorDefinition>(
    ref: ActorRef<D>,
    event: EventOf<D>,
    options?: WithoutSignal<AskOptions>,
  ): Result<AskResult<ContextOf<D>>>;
  /** See `Client.create`. */
  create(target: UntypedTarget, input?: unknown, options?: WithoutSignal<AskOptions>): Result<CreateResult>;
  create<D extends AnyActorDefinition>(
    ref: ActorRef<D>,
    input: InputOf<D>,
    options?: WithoutSignal<AskOptions>,
  ): Result<CreateResult<ContextOf<D>>>;
  /** See `Client.migrate`. */
  migrate(target: UntypedTarget, options?: WithoutSignal<AskOptions>): Result<MigrateResult>;
  migrate<D extends AnyActorDefinition>(
    ref: ActorRef<D>,
    options?: WithoutSignal<AskOptions>,
  ): Result<MigrateResult<ContextOf<D>>>;
  /** See `Client.get`. */
  get(target: UntypedTarget): Result<ActorView | undefined>;
  get<D extends AnyActorDefinition>(ref: ActorRef<D>): Result<ActorView<ContextOf<D>> | undefined>;
  /** See `Client.waitFor`. */
  waitFor(target: UntypedTarget, condition: WaitCondition, options?: WithoutSignal<WaitOptions>): Result<ActorView>;
  waitFor<D extends AnyActorDefinition>(
    ref: ActorRef<D>,
    condition: WaitCondition<ContextOf<D>>,
    options?: WithoutSignal<WaitOptions>,
  ): Result<ActorView<ContextOf<D>>>;
  /** See `Client.watch`. */
  watch(target: UntypedTarget): Stream.Stream<ActorView, StatewrightError>;
  watch<D extends AnyActorDefinition>(ref: ActorRef<D>): Stream.Stream<ActorView<ContextOf<D>>, StatewrightError>;
  /** See `Client.emitted`; there is no `on`, which is a `Stream.runForEach` of this. */
  emitted(
    target: UntypedTarget,
    type: string,
    options?: WithoutSignal<EmittedOptions>,
  ): Stream.Stream<Emitted<UntypedEvent>, StatewrightError>;
  emitted<D extends AnyActorDefinition, Type extends EmittedOf<D>["type"] | "*">(
    ref: ActorRef<D>,
    type: Type,
    options?: WithoutSignal<EmittedOptions>,
  ): Stream.Stream<Emitted<EmittedOf<D, Type>>, StatewrightError>;
  /** See `Client.history`. */
  history(target: ActorRef | UntypedTarget, options?: { readonly last?: number }): Result<HistoryEntry[]>;
  /** See `Client.types`. */
  types(): Result<ActorTypeInfo[]>;
  /** See `Client.stats`. */
  stats(options?: WithoutSignal<StatsOptions>): Result<SpaceStats>;
  /**
   * Calls a method of `Client.deadLetters`, as in `deadLetters((office) => office.redrive("i42"))`. The signal is aborted when the Effect is interrupted: for calls
   * that take one, as in `deadLetters((office, signal) => office.redriveAll("type:order", { signal }))`.
   */
  deadLetters<A>(call: (office: DeadLetters, signal: AbortSignal) => Promise<A>): Result<A>;
  /** See `DeadLetters.export`. */
  exportDeadLetters(filter?: DeadLetterFilter | string): Stream.Stream<ExportedLetter, StatewrightError>;
}

/** A node of the Promise door, under a scope. */
export interface EffectNode {
  readonly name: string;
  readonly client: EffectClient;
  /** Fails when the node cannot go on by itself. */
  readonly failed: Effect.Effect<never, StatewrightError>;
  readonly stats: Effect.Effect<NodeStats>;
}

/** The client as a service, for programs that take it from their context. */
export class StatewrightClient extends Context.Service<StatewrightClient, EffectClient>()(
  "statewright/StatewrightClient",
) {}

/** Connects, as `connect` of the Promise door; the client is closed with the scope. */
export function connect(options: ConnectOptions = {}): Effect.Effect<EffectClient, StatewrightError, Scope.Scope> {
  return Effect.acquireRelease(
    attempt(() => connectPromise(options)),
    (client) => Effect.promise(() => client.close()),
  ).pipe(Effect.map(toEffectClient));
}

/** A layer with a connected {@link StatewrightClient}. */
export function layer(options: ConnectOptions = {}): Layer.Layer<StatewrightClient, StatewrightError> {
  return Layer.effect(StatewrightClient, connect(options));
}

/** Starts a node, as `startNode` of the Promise door; it is stopped gracefully with the scope. */
export function startNode(options: NodeOptions): Effect.Effect<EffectNode, StatewrightError, Scope.Scope> {
  return Effect.acquireRelease(
    attempt(() => startNodePromise(options)),
    (node) => Effect.promise(() => node.stop()),
  ).pipe(Effect.map(toEffectNode));
}

function toEffectNode(node: StatewrightNode): EffectNode {
  return {
    name: node.name,
    client: toEffectClient(node.client),
    failed: attempt(() => node.failed),
    stats: Effect.sync(() => node.stats()),
  };
}

/** Gives a client of the Promise door the Effect door's form. */
export function toEffectClient(client: Client): EffectClient {
  // The overloads of both doors say the same of the same arguments: each call is handed on as it came.
  const plain = client as unknown as Record<string, (...args: unknown[]) => Promise<never>>;
  const call =
    (method: string, optionsAt: number) =>
    (...args: unknown[]): Result<never> =>
      attempt((signal) => {
        const given = [...args];
        while (given.length < optionsAt) given.push(undefined);
        given[optionsAt] = { ...(args[optionsAt] as object | undefined), signal };
        return (plain[method] as (...all: unknown[]) => Promise<never>).apply(client, given);
      });
  const door = {
    send: call("send", 2),
    ask: call("ask", 2),
    create: call("create", 2),
    migrate: call("migrate", 1),
    waitFor: call("waitFor", 2),
    get: call("get", 1),
    watch: (target: UntypedTarget) => stream((signal) => client.watch(target, { signal })),
    emitted: (target: UntypedTarget, type: string, options?: WithoutSignal<EmittedOptions>) =>
      stream((signal) => client.emitted(target, type, { ...options, signal })),
    history: call("history", 1),
    types: () => attempt(() => client.types()),
    stats: call("stats", 0),
    deadLetters: <A>(run: (office: DeadLetters, signal: AbortSignal) => Promise<A>) =>
      attempt((signal) => run(client.deadLetters, signal)),
    exportDeadLetters: (filter?: DeadLetterFilter | string) => stream(() => client.deadLetters.export(filter)),
  };
  return door as unknown as EffectClient;
}

/** A stream of an async iterable that is opened when the stream runs, and aborted when it ends. */
function stream<A>(open: (signal: AbortSignal) => AsyncIterable<A>): Stream.Stream<A, StatewrightError> {
  const opened = Effect.acquireRelease(
    Effect.sync(() => new AbortController()),
    (controller) => Effect.sync(() => controller.abort()),
  ).pipe(Effect.flatMap(({ signal }) => Effect.try({ try: () => open(signal), catch: (error) => error })));
  return Stream.unwrap(Effect.map(opened, (iterable) => Stream.fromAsyncIterable(iterable, (error) => error))).pipe(
    Stream.catch((error) => (isStatewrightError(error) ? Stream.fail(error) : Stream.die(error))),
  );
}

function attempt<A>(run: (signal: AbortSignal) => Promise<A>): Result<A> {
  return Effect.tryPromise({ try: run, catch: (error) => error }).pipe(
    Effect.catch((error) => (isStatewrightError(error) ? Effect.fail(error) : Effect.die(error))),
  );
}

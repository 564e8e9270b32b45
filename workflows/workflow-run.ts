/**
 * Handles of workflows: what a service does with one after it was started, from any process and at any time.
 *
 * A handle holds nothing but the key: whoever knows the key has the same one.
 */
import type {
  AskOptions,
  AskResult,
  Client,
  EndOptions,
  HistoryOptions,
  SendOptions,
  SendReceipt,
  WaitOptions,
} from "../actors/client.ts";
import type { ActorDefinition, ActorRef, AnyActorDefinition } from "../actors/define-actor.ts";
import type { ActorView, HistoryEntry } from "../actors/view.ts";
import {
  isStatewrightError,
  SagaCompensatedError,
  type StatewrightError,
  WorkflowCancelledError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowTerminatedError,
  WorkflowTimeoutError,
} from "../runtime/core/errors.ts";
import { nearestName, refuseProblems, shown } from "../runtime/supervise/check-options.ts";
import type { WorkflowQueries } from "./workflow-definition.ts";
import { statusOf, type WorkflowStatus } from "./workflow-status.ts";

/** Options of `start`. */
export interface StartOptions extends Omit<AskOptions, "key"> {
  /** The business key, where the definition does not say it. Default: a random one. */
  readonly key?: string;
}

/** What a `cancel` resolves with. */
export interface CancelResult {
  /** False when the workflow has ended before, or refuses to be cancelled now; `why` says why. */
  readonly isAccepted: boolean;
  readonly why: string | undefined;
}

/** A workflow under its key. */
export interface WorkflowRun<
  Event = unknown,
  Context = unknown,
  Output = unknown,
  Answers = Readonly<Record<string, unknown>>,
> {
  readonly key: string;
  /** The actor that runs it. */
  readonly ref: ActorRef<ActorDefinition<Event, Context>>;
  /** True when `start` has begun it, false when it found it; undefined for a handle that was not made by `start`. */
  readonly isNew: boolean | undefined;

  /**
   * Waits for its end, and resolves with its output.
   *
   * *Details* It waits as long as it takes, also while the workflow is stuck or parked; `timeout` and `signal` end the waiting, and nothing else.
   *
   * *Errors* `WorkflowNotFoundError` when it was never started; `SagaCompensatedError`, `WorkflowCancelledError`, `WorkflowTimeoutError`, `WorkflowTerminatedError`;
   * `WorkflowFailedError` for all else that it ended with, which is its `cause`; `WaitTimeoutError`; the signal's reason.
   */
  result(options?: WaitOptions): Promise<Output>;

  /** Sends it an event. Resolves when it is durably stored. *Errors* As `client.send`. */
  signal(event: Event & { readonly type: string }, options?: SendOptions): Promise<SendReceipt>;

  /** Sends it an event, and resolves with what came of it. *Errors* As `client.ask`. */
  ask(event: Event & { readonly type: string }, options?: AskOptions): Promise<AskResult<Context>>;

  /** Reads an answer off its newest committed state. *Errors* `WorkflowNotFoundError`; what the query's function throws. */
  query<Name extends keyof Answers & string>(
    name: Name,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Answers[Name]>;

  /** Tells it to come to its end, undoing what it has done if it knows how; `result` tells when it has. *Errors* `WorkflowNotFoundError`; as `client.ask`. */
  cancel(options?: EndOptions): Promise<CancelResult>;

  /** Ends it at once; nothing is undone. False when it had ended before. *Errors* `WorkflowNotFoundError`; as `client.ask`. */
  terminate(options?: EndOptions): Promise<boolean>;

  /** *Errors* `WorkflowNotFoundError`. */
  status(): Promise<WorkflowStatus>;

  /** Its newest committed state; undefined when it was never started. */
  view(): Promise<ActorView<Context> | undefined>;

  /** The newest messages that it has handled, oldest first. */
  history(options?: HistoryOptions): Promise<HistoryEntry[]>;

  /** Iterates over its committed states, from the current one on, to its end. */
  watch(options?: { readonly signal?: AbortSignal }): AsyncIterable<ActorView<Context>>;
}

/** What a handle is made of. */
export interface RunParts {
  readonly client: Client;
  readonly definition: AnyActorDefinition;
  readonly key: string;
  readonly isNew?: boolean;
  readonly queries: WorkflowQueries<Readonly<Record<string, unknown>>>;
  readonly checkOutput: (output: unknown) => unknown;
}

/** How long one wait for an end lasts before it is begun again. */
const patienceMs = 86_400_000;

/** Makes a handle. Errors: `InvalidNameError` for the key. */
export function createRun(parts: RunParts): WorkflowRun<never, never, never> {
  // What goes in and comes out is what the definition that makes it says.
  return new ActorRun(parts) as unknown as WorkflowRun<never, never, never>;
}

class ActorRun implements WorkflowRun {
  readonly key: string;
  readonly ref: ActorRef;
  readonly isNew: boolean | undefined;
  readonly #client: Client;
  readonly #queries: RunParts["queries"];
  readonly #checkOutput: (output: unknown) => unknown;

  constructor({ client, definition, key, isNew, queries, checkOutput }: RunParts) {
    this.key = key;
    this.ref = definition.ref(key);
    this.isNew = isNew;
    this.#client = client;
    this.#queries = queries;
    this.#checkOutput = checkOutput;
  }

  async result({ signal, timeout }: WaitOptions = {}): Promise<unknown> {
    await this.#existing("wait for the result of");
    const isOver = ({ status }: ActorView): boolean => status !== "active";
    for (;;) {
      try {
        const waiting = { timeout: timeout ?? patienceMs, ...(signal === undefined ? {} : { signal }) };
        const view = await this.#client.waitFor(this.ref, isOver, waiting);
        if (view.status === "done") return this.#checkOutput(view.output);
        throw errorOf(this.#name, view);
      } catch (error) {
        const isOver = isStatewrightError(error) && error._tag === "WaitTimeoutError" && timeout === undefined;
        if (!isOver) throw error;
      }
    }
  }

  signal(event: never, options?: SendOptions): Promise<SendReceipt> {
    return this.#client.send(this.ref, event, options);
  }

  ask(event: never, options?: AskOptions): Promise<AskResult> {
    return this.#client.ask(this.ref, event, options);
  }

  async query(name: string, options: { readonly signal?: AbortSignal } = {}): Promise<never> {
    const query = Object.hasOwn(this.#queries, name) ? this.#queries[name] : undefined;
    if (query === undefined) {
      const names = Object.keys(this.#queries);
      const near = nearestName(name, names);
      const advice =
        near !== undefined ? `did you mean "${near}"?` : names.length === 0 ? "it has none" : `use ${names.join(", ")}`;
      refuseProblems(`Cannot query ${this.#name}`, [`${shown(name)} is none of its queries: ${advice}`]);
    }
    const view = await this.#existing("query", options);
    // The definition's own functions, by name: the types are told by the handle.
    return (query as unknown as (view: ActorView) => never)(view);
  }

  async cancel(options?: EndOptions): Promise<CancelResult> {
    const { outcome, reply } = await this.#ending(() => this.#client.cancel(this.ref, options), "cancel");
    if (outcome === "ignored") return { isAccepted: false, why: "it has ended before" };
    const { isRefused, why } = (reply ?? {}) as { readonly isRefused?: unknown; readonly why?: unknown };
    return isRefused === true ? { isAccepted: false, why: String(why) } : { isAccepted: true, why: undefined };
  }

  async terminate(options?: EndOptions): Promise<boolean> {
    const { outcome } = await this.#ending(() => this.#client.terminate(this.ref, options), "terminate");
    return outcome !== "ignored";
  }

  async status(): Promise<WorkflowStatus> {
    return statusOf(await this.#existing("look at"));
  }

  view(): Promise<ActorView | undefined> {
    return this.#client.get(this.ref);
  }

  history(options?: HistoryOptions): Promise<HistoryEntry[]> {
    return this.#client.history(this.ref, options);
  }

  async *watch(options?: { readonly signal?: AbortSignal }): AsyncGenerator<ActorView> {
    for await (const view of this.#client.watch(this.ref, options)) {
      yield view;
      if (view.status !== "active") return;
    }
  }

  get #name(): string {
    return `${this.ref.type}/${this.key}`;
  }

  async #existing(attempt: string, options: { readonly signal?: AbortSignal } = {}): Promise<ActorView> {
    const view = await this.#client.get(this.ref, options);
    if (view === undefined) throw this.#notFound(attempt);
    return view;
  }

  async #ending(end: () => Promise<AskResult>, attempt: string): Promise<AskResult> {
    try {
      return await end();
    } catch (error) {
      throw isStatewrightError(error) && error._tag === "ActorNotFoundError" ? this.#notFound(attempt) : error;
    }
  }

  #notFound(attempt: string): WorkflowNotFoundError {
    return new WorkflowNotFoundError(
      `Cannot ${attempt} ${this.#name}: it was never started. Start it, or correct the key.`,
      {
        details: { workflow: this.ref.type, key: this.key },
      },
    );
  }
}

const endings = { SagaCompensatedError, WorkflowCancelledError, WorkflowTerminatedError, WorkflowTimeoutError };

/** The error that a workflow has ended with, as it is thrown. */
function errorOf(name: string, { error, status }: ActorView): StatewrightError {
  const { name: kind, message, cause, details } = (error ?? {}) as Partial<Error> & { readonly details?: unknown };
  if (error instanceof Error && Object.hasOwn(endings, kind as string)) {
    const ending = endings[kind as keyof typeof endings];
    return new ending(message as string, {
      ...(cause === undefined ? {} : { cause }),
      details: (details ?? {}) as Readonly<Record<string, unknown>>,
    });
  }
  const why = status === "stopped" ? "it was stopped" : error instanceof Error ? `${kind}: ${message}` : shown(error);
  return new WorkflowFailedError(`Workflow ${name} has failed: ${why}`, { cause: error, details: { workflow: name } });
}

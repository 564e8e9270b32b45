/** What the engine needs to know of an actor type; `defineActor` makes it. */
import type { Address } from "../core/address.ts";
import type { MachineDriver, MachineEvent, RunFacts } from "../machine/driver.ts";
import type { CompiledRetryPolicy } from "../supervise/retry-policy.ts";
import type { MigrationTree } from "./migration.ts";

/** What the door says about an event or an input. */
export type DoorCheck<T> = T | { readonly reason: "schema" | "reserved"; readonly problems: readonly string[] };

/** What the owner of an actor must know of an activity; what workers must know comes on top. */
export interface OwnedActivity {
  /** The name under which workers take its tasks: every process that knows the name may run them. */
  readonly name: string;
  /** Decides about the next attempt. An error that is not worth retrying comes from the worker as a terminal one. */
  readonly retry: CompiledRetryPolicy;
}

/** What is done about a message that fails. */
export interface Supervision {
  readonly retry: CompiledRetryPolicy;
  /** While the message waits for its next attempt: `hold` keeps those behind it waiting, `overtake` lets them go on. */
  readonly order: "hold" | "overtake";
  /**
   * When all attempts have failed the message becomes a dead letter, and its actor goes on (`skip`), takes no message until the letter is redriven or dropped
   * (`park`), or ends with the error (`stop`).
   */
  readonly onExhausted: "skip" | "park" | "stop";
}

/** An actor type that the engine can run. */
export interface RunnableDefinition {
  readonly type: string;
  readonly driver: MachineDriver;
  /** How states of other versions are brought to the machine's; undefined when there is no way. */
  readonly migrations: MigrationTree | undefined;
  /** `at-most-once`: its actors have no state record; they are in memory as long as their owner keeps them there. */
  readonly delivery: "effectively-once" | "at-most-once";
  /** What is done about a message that fails; `event` is the type of its event, undefined for other messages. */
  supervision(event: string | undefined): Supervision;
  /** When a child actor that failed is begun again instead of telling its parent; `path` as for {@link RunnableDefinition.activity}. Undefined: it is not. */
  restart(path: readonly string[]): CompiledRetryPolicy | undefined;
  /** For a workflow: an actor that is started with an input, and comes to an end. Undefined for any other. */
  readonly runs?:
    | {
        /** What the machine is given: made of the input, as the schema gave it, and of what the run is. */
        makeInput(input: unknown, facts: RunFacts): unknown;
      }
    | undefined;
  /** The promise logic of the machine and of the machines below it, each once. */
  readonly activities: readonly RunnableActivity[];
  /** Event types that the schemas declare; undefined when there are no schemas. */
  readonly eventTypes: readonly string[] | undefined;
  /** True when an actor takes a `create` before any event. */
  readonly needsCreate: boolean;
  checkEvent(event: MachineEvent): DoorCheck<{ readonly event: MachineEvent }>;
  checkInput(input: unknown): DoorCheck<{ readonly input: unknown }>;
  /** The input of an actor that comes into being with its first event. */
  inputFor(id: string): unknown;
  /** An activity by the names of actor logic that lead to it from the actor's machine; undefined when there is none. */
  activity(path: readonly string[]): OwnedActivity | undefined;
}

/** How many may run, and how often one may start. */
export interface ActivityLimits {
  /** How many attempts may be under way at once. */
  readonly concurrency: number | undefined;
  /** How many attempts may start within so many milliseconds. */
  readonly rate: { readonly count: number; readonly perMs: number } | undefined;
}

/** Promise logic for workers. */
export interface RunnableActivity extends OwnedActivity {
  /** What tells activities apart: the same for all that is one activity, as it was declared and as it is implemented. */
  readonly origin: object;
  /** What does the work, which tells implementations apart; undefined where it was only declared: other processes have it. */
  readonly code: unknown;
  /** What the policy's `retryIf` says: asked by the worker, which has the error as it was thrown. */
  isWorthRetrying(error: unknown): boolean;
  /** For one attempt, in milliseconds; undefined: no limit. */
  readonly attemptTimeoutMs: number | undefined;
  /** From the first attempt's task to the end of the last attempt, in milliseconds; undefined: no limit. */
  readonly timeoutMs: number | undefined;
  /** An attempt whose worker shows no sign of life for so long is given to another one, in milliseconds. */
  readonly heartbeatMs: number;
  /** Over all processes. */
  readonly limits: ActivityLimits;
  /** Over all processes, for each key; undefined: there are no keys. */
  readonly perKey: (ActivityLimits & { readonly keyOf: (input: unknown) => unknown }) | undefined;
  checkInput(input: unknown): DoorCheck<{ readonly input: unknown }>;
  checkOutput(output: unknown): DoorCheck<{ readonly output: unknown }>;
  /** Returns a value or a promise of it. */
  run(attempt: AttemptArgs): unknown;
}

/** What an attempt of an activity is told. */
export interface AttemptArgs {
  /** As the schema gave it. */
  readonly input: unknown;
  /** Aborted when the attempt's result is not waited for any more; the reason is an error that says why. */
  readonly signal: AbortSignal;
  /** The same for all attempts of one invocation, and for no other invocation. Letters, digits, `.`, `-`, `_` and `=`. */
  readonly idempotencyKey: string;
  /** From 1; an attempt whose worker was gone counts too. */
  readonly attempt: number;
  /** The actor that asked for it. */
  readonly actor: Address;
  /** The activity's name with its actor. */
  readonly id: string;
}

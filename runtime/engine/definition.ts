/** What the engine needs to know of an actor type; `defineActor` makes it. */
import type { Address } from "../core/address.ts";
import type { MachineDriver, MachineEvent } from "../machine/driver.ts";
import type { CompiledRetryPolicy } from "../supervise/retry-policy.ts";
import type { MigrationTree } from "./migration.ts";

/** What the door says about an event or an input. */
export type DoorCheck<T> = T | { readonly reason: "schema" | "reserved"; readonly problems: readonly string[] };

/** An actor type that the engine can run. */
export interface RunnableDefinition {
  readonly type: string;
  readonly driver: MachineDriver;
  /** How states of other versions are brought to the machine's; undefined when there is no way. */
  readonly migrations: MigrationTree | undefined;
  readonly retry: CompiledRetryPolicy;
  /** The promise logic of the machine and of the machines below it. */
  readonly activities: RunnableActivities;
  /** Event types that the schemas declare; undefined when there are no schemas. */
  readonly eventTypes: readonly string[] | undefined;
  /** True when an actor takes a `create` before any event. */
  readonly needsCreate: boolean;
  checkEvent(event: MachineEvent): DoorCheck<{ readonly event: MachineEvent }>;
  checkInput(input: unknown): DoorCheck<{ readonly input: unknown }>;
  /** The input of an actor that comes into being with its first event. */
  inputFor(id: string): unknown;
}

/** The activities of an actor type. */
export interface RunnableActivities {
  /** All of them, each once. */
  readonly all: readonly RunnableActivity[];
  /**
   * The activity that a machine asks for; `path` are the names of actor logic on the way from the root's machine to it: those of the child's birth, and the
   * activity's own. Undefined when there is no promise logic.
   */
  activity(path: readonly string[]): RunnableActivity | undefined;
}

/** How many may run, and how often one may start. */
export interface ActivityLimits {
  /** How many attempts may be under way at once. */
  readonly concurrency: number | undefined;
  /** How many attempts may start within so many milliseconds. */
  readonly rate: { readonly count: number; readonly perMs: number } | undefined;
}

/** Promise logic that workers can run. */
export interface RunnableActivity {
  /** The name under which its tasks wait: every process that knows the name may run them. */
  readonly name: string;
  /** For the owner, which decides about the next attempt: an error that was not worth retrying comes to it as a terminal one. */
  readonly retry: CompiledRetryPolicy;
  /** For the worker, which has the error as it was thrown: what the policy's `retryIf` says. */
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

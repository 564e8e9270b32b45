/** What the engine needs to know of an actor type; `defineActor` makes it. */
import type { MachineDriver, MachineEvent } from "../machine/driver.ts";
import type { CompiledRetryPolicy } from "../supervise/retry-policy.ts";
import type { MigrationTree } from "./migration.ts";

/** What the door says about an event or an input. */
export type DoorCheck<T> = T | { readonly reason: "schema" | "reserved"; readonly problems: readonly string[] };

/** What the owner of an actor must know of an activity; what workers must know comes on top. */
export interface OwnedActivity {
  /** The name under which workers take its tasks. */
  readonly name: string;
  readonly retry: CompiledRetryPolicy;
}

/** An actor type that the engine can run. */
export interface RunnableDefinition {
  readonly type: string;
  readonly driver: MachineDriver;
  /** How states of other versions are brought to the machine's; undefined when there is no way. */
  readonly migrations: MigrationTree | undefined;
  readonly retry: CompiledRetryPolicy;
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

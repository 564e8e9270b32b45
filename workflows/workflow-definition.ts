/** What a workflow is to those that start, run and watch it. `defineWorkflow` and `saga` make it. */
import type { Client } from "../actors/client.ts";
import type { ActorDefinition } from "../actors/define-actor.ts";
import type { ListWorkflows, WorkflowSummary } from "./list-workflows.ts";
import type { StartOptions, WorkflowRun } from "./workflow-run.ts";

/** Functions that read answers off a committed state; `Answers` are what they return, by name. */
export type WorkflowQueries<Answers, View = never> = {
  readonly [Name in keyof Answers]: (view: View) => Answers[Name];
};

/** A workflow: an actor type whose actors are started with an input, under a business key, and come to an end. */
export interface WorkflowDefinition<
  Event = unknown,
  Context = unknown,
  Input = unknown,
  Output = unknown,
  Emitted = unknown,
  Answers = Readonly<Record<string, unknown>>,
> extends ActorDefinition<Event, Context, Input, Output, Emitted> {
  /** The business key in an input; undefined where the definition does not say. Throws what the definition's own function throws. */
  keyOf(input: unknown): string | undefined;
  /** By name. */
  readonly queries: WorkflowQueries<Answers>;
  /** Checks an output where it is read; gives it as the schema has it. Errors: `WorkflowFailedError`. */
  checkOutput(output: unknown): Output;

  /**
   * Starts a run, or finds the one that was started under the key.
   *
   * *Errors* `WorkflowConflictError` when it was started with another input; those of `client.create`.
   */
  start(client: Client, input: Input, options?: StartOptions): Promise<WorkflowRun<Event, Context, Output, Answers>>;

  /** The workflow under a key, whether it was started or not. *Errors* `InvalidNameError`. */
  run(client: Client, key: string): WorkflowRun<Event, Context, Output, Answers>;

  /** The workflows of the type, the newest first. */
  list(client: Client, options?: ListWorkflows): Promise<WorkflowSummary[]>;
}

/** Any workflow definition. */
// biome-ignore lint/suspicious/noExplicitAny: only `any` stands for inputs and events of all of them.
export type AnyWorkflowDefinition = WorkflowDefinition<any, any, any, any, any, any>;

/** A saga as a workflow: its machine, its door, and what operators and plans ask of it. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { AskOptions, Client, DurationInput } from "../../actors/client.ts";
import { isSchema, type Schema } from "../../actors/schema.ts";
import { durationMs, refuseProblems, shown, unknownOptions } from "../../runtime/supervise/check-options.ts";
import { makeWorkflow } from "../define-workflow.ts";
import type { WorkflowDefinition } from "../workflow-definition.ts";
import { checkSaga, type SagaCheck } from "./check.ts";
import { sagaMachine } from "./machine.ts";
import { type SagaModel, type SagaNode, waitsIn } from "./model.ts";
import { modelProblems } from "./model-check.ts";
import { type DecisionResult, decideStuck } from "./operator.ts";
import { planOf, type SagaPlan } from "./plan.ts";
import type { SagaContext } from "./progress.ts";
import { readDuration, readRetry } from "./read-node.ts";

/** What an operator says of a step that is stuck. */
export interface OperatorOptions extends Omit<AskOptions, "key"> {
  /** Why, in words: kept with the step. */
  readonly note?: string;
}

/** A saga: a workflow whose steps are undone when it cannot be finished. */
export interface SagaDefinition<
  Input = unknown,
  Output = unknown,
  Event = unknown,
  Answers = Readonly<Record<string, unknown>>,
> extends WorkflowDefinition<Event, SagaContext, Input, Output, never, Answers> {
  /** What its machine was made of. */
  readonly model: SagaModel;
  /** What is undone, in which order, when a step fails: for each of them. `String(plan)` is a table. */
  plan(): SagaPlan;
  /** What is wrong with it, as far as that can be told without running it: steps that can neither be undone nor are said to be irreversible. */
  check(): SagaCheck;
  /**
   * Has a step that is stuck tried again: undoing it, or doing it behind the pivot.
   *
   * *Details* The result's `isTaken` is false when the step is not stuck. The step's dead letter is closed.
   *
   * *Errors* As `client.ask`.
   */
  retryStep(client: Client, key: string, step: string, options?: OperatorOptions): Promise<DecisionResult>;
  /** Says that a step that is stuck is done by other means, or undone; behind the pivot with its result. As {@link SagaDefinition.retryStep}. */
  markDone(
    client: Client,
    key: string,
    step: string,
    options?: OperatorOptions & { readonly result?: unknown },
  ): Promise<DecisionResult>;
  /** Lets a saga go on without a step that is stuck, or without undoing it. As {@link SagaDefinition.retryStep}. */
  skipStep(client: Client, key: string, step: string, options?: OperatorOptions): Promise<DecisionResult>;
}

const optionNames = ["input", "key", "timeout", "settle", "retry", "undoRetry", "queries"];
const defaultSettleMs = 30_000;

/** Makes the definition of a saga that was built. Throws all that is wrong with it. */
export function defineSaga(
  name: string,
  given: unknown,
  built: { readonly nodes: readonly SagaNode[]; readonly problems: readonly string[]; readonly output: unknown },
): SagaDefinition {
  const attempted = `Cannot define saga "${name}"`;
  if (typeof given !== "object" || given === null) {
    refuseProblems(attempted, [`the options are ${shown(given)}: use { input, key, … }`]);
  }
  const options = given as Readonly<Record<string, unknown>>;
  const problems = [...unknownOptions(options, optionNames, ""), ...built.problems];
  const { nodes, output } = built;
  if (nodes.length === 0) problems.push("it has no steps: add at least one");
  if (output !== undefined && typeof output !== "function")
    problems.push(`end is given ${shown(output)}: use a function of the scope, or nothing`);
  const model: SagaModel = {
    name,
    nodes,
    end: output as SagaModel["end"],
    timeoutMs: readDuration(options.timeout as DurationInput | undefined, "timeout", problems),
    settleMs:
      options.settle === undefined
        ? defaultSettleMs
        : (durationMs(options.settle as DurationInput, "settle", problems) ?? defaultSettleMs),
    retry: readRetry(options.retry, "retry", problems),
    undoRetry: readRetry(options.undoRetry, "undoRetry", problems),
  };
  problems.push(...modelProblems(model));
  const { input, key, queries } = options;
  if (input !== undefined && !isSchema(input)) problems.push(`input is ${shown(input)}: use a schema`);
  if (key !== undefined && typeof key !== "function")
    problems.push(`key is ${shown(key)}: use a function of the input`);
  if (queries !== undefined && (typeof queries !== "object" || queries === null))
    problems.push(`queries is ${shown(queries)}: use functions by name`);
  refuseProblems(attempted, problems);
  const { machine } = sagaMachine(model);
  const workflow = makeWorkflow(
    name,
    {
      machine,
      events: doorOf(model),
      ...(input === undefined ? {} : { input }),
      ...(key === undefined ? {} : { key }),
      ...(queries === undefined ? {} : { queries }),
    },
    (checked, run) => ({ input: checked, run }),
  );
  const decide =
    (type: "saga.retry" | "saga.done" | "saga.skip") =>
    (client: Client, id: string, step: string, more: OperatorOptions & { readonly result?: unknown } = {}) => {
      const { note, result, ...asking } = more;
      const decision = { type, step, ...(note === undefined ? {} : { note }), ...("result" in more ? { result } : {}) };
      return decideStuck(client, workflow.ref(id), decision, asking);
    };
  const definition = {
    ...workflow,
    ref: (id: string) => ({ ...workflow.ref(id), definition }),
    model,
    plan: () => planOf(model),
    check: () => checkSaga(model),
    retryStep: decide("saga.retry"),
    markDone: decide("saga.done"),
    skipStep: decide("saga.skip"),
  };
  for (const mark of Object.getOwnPropertySymbols(workflow))
    Object.defineProperty(definition, mark, { value: true, enumerable: false });
  // Input, output and events are what the builder's types say.
  return definition as unknown as SagaDefinition;
}

/** What may be sent to a saga: the events that it waits for, and what operators decide. */
function doorOf({ nodes }: SagaModel): Record<string, Schema | null> {
  const door: Record<string, Schema | null> = {
    "saga.retry": decisionSchema,
    "saga.done": decisionSchema,
    "saga.skip": decisionSchema,
  };
  for (const { name, schema } of waitsIn(nodes)) door[name] = schema === undefined ? anything : schema;
  return door;
}

const anything: StandardSchemaV1 = {
  "~standard": { version: 1, vendor: "statewright", validate: (value) => ({ value }) },
};

const decisionSchema: StandardSchemaV1 = {
  "~standard": {
    version: 1,
    vendor: "statewright",
    validate: (value) => {
      const { step, note, by } = value as { readonly step?: unknown; readonly note?: unknown; readonly by?: unknown };
      const issues = Object.entries({ step, note, by })
        .filter(([field, given]) => typeof given !== "string" && (field === "step" || given !== undefined))
        .map(([field]) => ({ message: "use a text", path: [field] }));
      return issues.length > 0 ? { issues } : { value };
    },
  },
};

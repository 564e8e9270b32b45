/**
 * Workflows: actors that are started with an input under a business key, and come to an end.
 *
 * 1. A key has one workflow. Starting it again finds it, and with another input is refused.
 * 2. A workflow is an actor: mailbox, history, timers, children, dead letters and versions are an actor's.
 * 3. It can always be brought to an end: by its own machine, which takes `workflow.cancel` and `workflow.timeout`, or else by the runtime.
 */
import { createMachine, enqueueActions } from "xstate";
import type { Client, DurationInput } from "../actors/client.ts";
import {
  type ActorOptions,
  type AnyMachine,
  defineActor,
  type EventsOption,
  type MachineContextOf,
  type MachineEmittedOf,
  type MachineInputOf,
  type MachineOutputOf,
  markActor,
  type SentEvents,
} from "../actors/define-actor.ts";
import { type InferInput, type InferOutput, isSchema, type Schema, validate } from "../actors/schema.ts";
import type { ActorView } from "../actors/view.ts";
import {
  InvalidOptionsError,
  isStatewrightError,
  WorkflowConflictError,
  WorkflowFailedError,
} from "../runtime/core/errors.ts";
import { inputDigest } from "../runtime/core/input-digest.ts";
import { timeoutEvent } from "../runtime/core/run-events.ts";
import type { RunFacts } from "../runtime/machine/driver.ts";
import { durationMs, nearestName, refuseProblems, shown } from "../runtime/supervise/check-options.ts";
import { listWorkflows } from "./list-workflows.ts";
import type { AnyWorkflowDefinition, WorkflowDefinition, WorkflowQueries } from "./workflow-definition.ts";
import { createRun, type StartOptions, type WorkflowRun } from "./workflow-run.ts";

/** Options of {@link defineWorkflow}; all but `machine` have defaults. */
export interface WorkflowOptions<Machine, Events, InputSchema, OutputSchema, Answers>
  extends Omit<ActorOptions<Machine, Events, unknown>, "input" | "delivery"> {
  /** Checks what it is started with; the machine gets what the schema makes of it. Default: everything is taken. */
  readonly input?: InputSchema;
  /** Checks the output where it is read. Default: everything is taken. */
  readonly output?: OutputSchema;
  /** The business key in an input, as it is given to `start`: the same key is the same workflow. Default: the option `key` of `start`, else a random one. */
  readonly key?: (input: StartInput<Machine, InputSchema>) => string;
  /**
   * How long a run may take. Then its machine gets the event `workflow.timeout`; when it takes no transition for it, the workflow ends with `WorkflowTimeoutError`.
   * Default: no limit.
   */
  readonly timeout?: DurationInput;
  /** Questions by name, answered from the newest committed state. */
  readonly queries?: WorkflowQueries<Answers, ActorView<MachineContextOf<Machine>>>;
}

type StartInput<Machine, InputSchema> = InputSchema extends Schema ? InferInput<InputSchema> : MachineInputOf<Machine>;

type WorkflowOutput<Machine, OutputSchema> = OutputSchema extends Schema
  ? InferOutput<OutputSchema>
  : MachineOutputOf<Machine>;

const ownOptions = ["output", "key", "timeout", "queries"];
const actorOptions = [
  "machine",
  "events",
  "input",
  "retry",
  "order",
  "onExhausted",
  "overrides",
  "children",
  "migrate",
];
const brand = Symbol.for("statewright.workflow");

/**
 * Defines a workflow.
 *
 * *Details* `name` is the actor type. The machine gets the input as its own input. It may take two events of the runtime, in any state: `workflow.cancel`
 * (`{ reason?, by? }`) and `workflow.timeout`. Its output is the result; `fail(error)` as the output ends it with an error, and `continueAs(input)` begins the next run under
 * the same key.
 *
 * *Errors* As `defineActor`.
 *
 * ```ts
 * const onboarding = defineWorkflow("onboarding", {
 *   machine: onboardingMachine,
 *   input: z.object({ customer: z.string() }),
 *   key: (input) => input.customer,
 *   timeout: "30 days",
 *   queries: { progress: (view) => view.context.done.length },
 * });
 * const run = await onboarding.start(client, { customer: "ada" });
 * await run.signal({ type: "DOCUMENT", name: "passport" });
 * console.log(await run.query("progress"), await run.result());
 * ```
 */
export function defineWorkflow<
  Machine extends AnyMachine,
  InputSchema extends Schema<unknown, MachineInputOf<Machine>> | undefined = undefined,
  OutputSchema extends Schema | undefined = undefined,
  const Events extends EventsOption<Machine> | undefined = undefined,
  Answers = Readonly<Record<never, never>>,
>(
  name: string,
  options: WorkflowOptions<Machine, Events, InputSchema, OutputSchema, Answers>,
): WorkflowDefinition<
  SentEvents<Machine, Events>,
  MachineContextOf<Machine>,
  StartInput<Machine, InputSchema>,
  WorkflowOutput<Machine, OutputSchema>,
  MachineEmittedOf<Machine>,
  Answers
> {
  // What the types say is what the options were checked for.
  return makeWorkflow(name, options as unknown as Readonly<Record<string, unknown>>, (input) => input) as never;
}

/** Makes a workflow of options that nobody has checked. `makeInput` makes the machine's input. */
export function makeWorkflow(
  name: string,
  options: Readonly<Record<string, unknown>>,
  makeInput: (input: unknown, facts: RunFacts) => unknown,
): AnyWorkflowDefinition {
  const { timeoutMs, output, key, queries, problems } = readOwnOptions(name, options);
  const rest = Object.fromEntries(Object.entries(options).filter(([option]) => actorOptions.includes(option)));
  if (rest.input !== undefined && !isSchema(rest.input)) delete rest.input;
  const machine = timeoutMs === undefined ? rest.machine : withTimeout(rest.machine as AnyMachine, timeoutMs);
  // Without a schema every input is taken; an event does not make a workflow.
  const actor = withProblems(name, problems, () =>
    defineActor(name, { ...rest, machine, input: rest.input ?? (() => undefined) } as never),
  );
  const checkOutput = (value: unknown): unknown => {
    if (output === undefined) return value;
    const checked = validate(output, value, `the output of workflow "${name}"`);
    if ("value" in checked) return checked.value;
    throw new WorkflowFailedError(
      `Workflow "${name}" has ended with an output that its schema refuses: ${checked.problems.join("; ")}.`,
      {
        details: { workflow: name, problems: checked.problems },
      },
    );
  };
  const runOf = (client: Client, id: string, isNew?: boolean): WorkflowRun<never, never, never> =>
    createRun({ client, definition, key: id, queries, checkOutput, ...(isNew === undefined ? {} : { isNew }) });
  const definition: AnyWorkflowDefinition = {
    ...actor,
    needsCreate: true,
    runs: { makeInput },
    queries,
    checkOutput,
    keyOf: (input) => (key === undefined ? undefined : key(input)),
    ref: (id) => ({ ...actor.ref(id), definition }),
    run: (client, id) => runOf(client, id),
    async start(client, input, given = {}) {
      // What the schema refuses is refused by the client, before a key is made of it.
      const isFit = !("reason" in definition.checkInput(input));
      const id = keyFor(name, isFit ? key : undefined, input, given);
      const { key: _, ...asking } = given;
      const { created, view } = await client.create(definition.ref(id), input, asking);
      if (!created) refuseConflict(name, id, view, input);
      return runOf(client, id, created);
    },
    list: (client, given) => listWorkflows(client, [name], given),
  };
  return Object.defineProperty(markActor(definition), brand, { value: true, enumerable: false });
}

/** True for what {@link defineWorkflow} and `saga` returned, also in another copy of the package. */
export function isWorkflowDefinition(value: unknown): value is AnyWorkflowDefinition {
  return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[brand] === true;
}

function keyFor(
  name: string,
  keyOf: ((input: unknown) => unknown) | undefined,
  input: unknown,
  { key }: StartOptions,
): string {
  const own = keyOf?.(input);
  if (own !== undefined && key !== undefined && own !== key) {
    throw new InvalidOptionsError(
      `Cannot start workflow "${name}" with the key ${shown(key)}: its definition makes the key ${shown(own)} of the input. Leave the option out.`,
      { details: { workflow: name, key, own } },
    );
  }
  // A key that cannot be used is refused with the reference.
  return (own ?? key ?? crypto.randomUUID()) as string;
}

/** Throws `WorkflowConflictError` unless what exists under a key is a workflow that was started with the same input. */
export function refuseConflict(name: string, key: string, view: ActorView, input: unknown): void {
  if (view.run === undefined) {
    throw new WorkflowConflictError(
      `Cannot start workflow ${name}/${key}: an actor with this address exists that is no workflow. Use another key.`,
      {
        details: { workflow: name, key },
      },
    );
  }
  if (view.run.input === inputDigest(input)) return;
  throw new WorkflowConflictError(
    `Cannot start workflow ${name}/${key}: it was started at ${new Date(view.run.since).toISOString()} with another input. Use another key, or the same input.`,
    { details: { workflow: name, key, startedAt: view.run.since } },
  );
}

/** Defines the actor, and tells what is wrong with it together with what is wrong besides. */
function withProblems<R>(name: string, problems: readonly string[], define: () => R): R {
  const attempted = `Cannot define workflow "${name}"`;
  let defined: R | undefined;
  try {
    defined = define();
  } catch (error) {
    const { problems: more } = (isStatewrightError(error) ? error.details : {}) as { readonly problems?: unknown };
    if (problems.length === 0 && !Array.isArray(more)) throw error;
    refuseProblems(attempted, [...problems, ...(Array.isArray(more) ? more : [(error as Error).message])]);
  }
  refuseProblems(attempted, problems);
  return defined as R;
}

interface OwnOptions {
  readonly problems: readonly string[];
  readonly timeoutMs: number | undefined;
  readonly output: Schema | undefined;
  readonly key: ((input: unknown) => string) | undefined;
  readonly queries: WorkflowQueries<Readonly<Record<string, unknown>>>;
}

function readOwnOptions(name: string, options: Readonly<Record<string, unknown>>): OwnOptions {
  const problems: string[] = [];
  if (typeof options !== "object" || options === null) {
    refuseProblems(`Cannot define workflow "${name}"`, [
      `the options are ${shown(options)}: use { machine } and what else it needs`,
    ]);
  }
  const known = [...actorOptions, ...ownOptions];
  for (const option of Object.keys(options)) {
    if (known.includes(option)) continue;
    const near = nearestName(option, known);
    problems.push(
      `${option} is no option${near === undefined ? `: use ${known.join(", ")}` : `: did you mean "${near}"?`}`,
    );
  }
  const { timeout, input, output, key, queries = {} } = options;
  const timeoutMs = timeout === undefined ? undefined : durationMs(timeout as DurationInput, "timeout", problems);
  if (timeoutMs === 0) problems.push("timeout is 0 ms: use at least 1 ms");
  if (input !== undefined && !isSchema(input)) problems.push(`input is ${shown(input)}: use a schema`);
  if (output !== undefined && !isSchema(output)) problems.push(`output is ${shown(output)}: use a schema`);
  if (key !== undefined && typeof key !== "function")
    problems.push(`key is ${shown(key)}: use a function of the input`);
  if (typeof queries !== "object" || queries === null || Array.isArray(queries)) {
    problems.push(`queries is ${shown(queries)}: use functions by name`);
  } else {
    for (const [query, read] of Object.entries(queries)) {
      if (typeof read !== "function") problems.push(`queries.${query} is ${shown(read)}: use a function of the view`);
    }
  }
  return {
    problems,
    timeoutMs,
    output: output as Schema | undefined,
    key: key as OwnOptions["key"],
    queries: queries as OwnOptions["queries"],
  };
}

/** The machine, which raises `workflow.timeout` so long after it was begun. */
function withTimeout(machine: AnyMachine, timeoutMs: number): AnyMachine {
  const { config, implementations } = machine as unknown as {
    readonly config?: { readonly entry?: unknown };
    readonly implementations?: never;
  };
  // What is no machine is refused by defineActor.
  if (config === undefined || implementations === undefined) return machine;
  const entry = config.entry === undefined ? [] : [config.entry].flat();
  // A root that is entered again by a transition of its own has its timer already.
  const timer = enqueueActions(({ enqueue, event }) => {
    if ((event.type as string) === "xstate.init")
      enqueue.raise({ type: timeoutEvent } as never, { id: timeoutEvent, delay: timeoutMs });
  });
  return createMachine({ ...config, entry: [timer, ...entry] } as never, implementations) as unknown as AnyMachine;
}

/**
 * The builder of sagas: a typed chain of steps, of which a machine is made.
 *
 * 1. A step sees the results of the steps before it, and of no other.
 * 2. A saga is complete when its chain has ended: whatever is wrong with it is thrown there, all problems at once.
 * 3. The chain is never changed: each call gives a new one.
 */
import type { DurationInput } from "../../actors/client.ts";
import type { ActivityReturn, ActivityRun } from "../../actors/define-activity.ts";
import type { InferInput, InferOutput, Schema } from "../../actors/schema.ts";
import type { ActorView } from "../../actors/view.ts";
import type { RetryPolicyInput } from "../../runtime/supervise/retry-policy.ts";
import type { WorkflowQueries } from "../workflow-definition.ts";
import type { TypedDoing } from "./calls.ts";
import { defineSaga, type SagaDefinition } from "./define-saga.ts";
import type { SagaNode, StepOutcome, UndoOn } from "./model.ts";
import type { SagaContext } from "./progress.ts";
import { makeAll, readBranches, readChoose, readStep, readWait, type StepRole } from "./read-node.ts";

type Flat<Fields> = { [Field in keyof Fields]: Fields[Field] };
type With<Results, Name extends string, Result> = Flat<Results & { readonly [Key in Name]: Result }>;
type Nothing = Readonly<Record<never, never>>;

/** What the functions of a saga are given. */
export interface SagaScope<Input, Results> {
  /** What the saga was started with, as its schema gave it. */
  readonly input: Input;
  /** What the steps before have come to, by name. */
  readonly results: Results;
}

/** What is known when a step is undone. */
export interface UndoScope<Input, Results, Result> extends SagaScope<Input, Results> {
  /** What the step came to; undefined when that is not known. */
  readonly result: Result | undefined;
  /** `done`: it came to its end. `unknown`: it was begun, and may have happened. `refused`: it said that it did not happen. */
  readonly outcome: StepOutcome;
}

type Attempt = Pick<ActivityRun, "signal" | "idempotencyKey" | "attempt" | "actor" | "id">;

/** What a step's function is given. `idempotencyKey` is the same whenever this run of the saga does the step, also when an operator has it tried again. */
export interface StepRun<Input, Results> extends SagaScope<Input, Results>, Attempt {}

/** What the function that undoes a step is given. */
export interface UndoRun<Input, Results, Result> extends UndoScope<Input, Results, Result>, Attempt {
  /** The idempotency key that the step had. */
  readonly doKey: string;
}

type Do<Input, Results, Result> =
  | ((run: StepRun<Input, Results>) => ActivityReturn<Result>)
  | TypedDoing<SagaScope<Input, Results>, Result>;

type Undo<Input, Results, Result> =
  | ((run: UndoRun<Input, Results, Result>) => ActivityReturn<unknown>)
  // What a call is made of is typed before the step's result is known: there, say what it is where it matters, as in ({ result }: { result?: Hold }) => ….
  // biome-ignore lint/suspicious/noExplicitAny: nothing but any takes such an annotation.
  | TypedDoing<UndoScope<Input, Results, any>, unknown>;

/** Options of a step where nothing is undone. */
export interface ForwardOptions<Input, Results, Result> {
  /** Does it: a function, run by a worker (a value, a promise or an Effect), or `call`, `ask`, `startWorkflow`. */
  readonly do: Do<Input, Results, Result>;
  /** When a failed attempt is followed by another one. Default: the saga's; of a called activity: its own. */
  readonly retry?: RetryPolicyInput;
  /** For one attempt of a function. Default: no limit. */
  readonly attemptTimeout?: DurationInput;
  /** For all of the step. When it is over the step has failed, and whether it happened is not known. Default: no limit. */
  readonly timeout?: DurationInput;
  /** Errors that say that nothing was done, and that trying again is of no use: by name, code or tag, or as a predicate. A `TerminalError` always says so. Default: none besides. */
  readonly fatal?: readonly string[] | ((error: unknown) => boolean);
}

/** Options of a pivot. */
export interface PivotOptions<Input, Results, Result> extends ForwardOptions<Input, Results, Result> {
  /** Undoes it. It is called when it has been done, and when it may have been: it must bear that the step has not happened, or happens later. */
  readonly undo?: Undo<Input, Results, Result>;
  /**
   * When it is undone, besides when it was done: also when it may have happened (`attempted`), never (`done`), or whenever it was begun (`always`).
   * Default: `attempted`.
   */
  readonly undoOn?: UndoOn;
  /** For undoing. When all attempts have failed the saga is stuck, and an operator decides. Default: the saga's. */
  readonly undoRetry?: RetryPolicyInput;
  /** For all of undoing it; when it is over the saga is stuck. Default: no limit. */
  readonly undoTimeout?: DurationInput;
}

/** Options of a step. */
export interface StepOptions<Input, Results, Result> extends PivotOptions<Input, Results, Result> {
  /** There is nothing to undo about it, or nothing that could be. Default: false. */
  readonly irreversible?: boolean;
}

/** Options of `waitFor`. */
export interface WaitForOptions<Input, Results, EventSchema, Else> {
  /** Checks what the event carries besides its type; `null`: nothing. Default: everything is taken. */
  readonly event?: EventSchema;
  /** How long. Default: for ever. */
  readonly within?: DurationInput;
  /** When the time is over: the saga fails here, and is undone, or goes on with what the function gives. Default: `fail`. */
  readonly else?: "fail" | ((scope: SagaScope<Input, Results>) => Else);
  /** What is done while it waits, such as reminding somebody. One that fails is noted, and nothing else. */
  readonly escalate?: ReadonlyArray<{ readonly after: DurationInput; readonly do: Do<Input, Results, unknown> }>;
}

type Carried<EventSchema> = EventSchema extends Schema
  ? InferOutput<EventSchema>
  : EventSchema extends null
    ? Nothing
    : Readonly<Record<string, unknown>>;

type Awaited<Type extends string, EventSchema> = Flat<
  { type: Type } & (EventSchema extends Schema
    ? InferInput<EventSchema>
    : EventSchema extends null
      ? unknown
      : { readonly [field: string]: unknown })
>;

declare const chainTypes: unique symbol;

/** What a branch's chain has come to; only a type, which no result can be taken for. */
export interface ChainTypes<Own, Event> {
  readonly [chainTypes]: true;
  readonly own: Own;
  readonly event: Event;
}

/** The end of a branch's chain; carries what is in it as a type. */
export interface ChainEnd<Types> {
  /** Only a type, never a value. */
  readonly "~chain"?: Types;
}

/** A branch: one step, or a chain of its own. */
export type BranchInput<Input, Results, Types> =
  | StepOptions<Input, Results, Types>
  | ((chain: Chain<Input, Results, Nothing, never>) => ChainEnd<Types>);

type ForwardBranch<Input, Results, Types> =
  | ForwardOptions<Input, Results, Types>
  | ((chain: ForwardChain<Input, Results, Nothing, never>) => ChainEnd<Types>);

type IsAny<Type> = 0 extends 1 & Type ? true : false;
type ResultOf<Types> =
  IsAny<Types> extends true ? Types : Types extends ChainTypes<infer Own, infer _Event> ? Own : Types;
type EventIn<Types> =
  IsAny<Types> extends true ? never : Types extends ChainTypes<infer _Own, infer Event> ? Event : never;
type ResultsOf<Branches> = { readonly [Name in keyof Branches]: ResultOf<Branches[Name]> };
type EventsOf<Branches> = { [Name in keyof Branches]: EventIn<Branches[Name]> }[keyof Branches];

/** A chain of steps, as branches get it. `Results` are seen by the next step, `Own` are those of this chain. */
export interface Chain<Input, Results, Own, Event> extends ChainEnd<ChainTypes<Own, Event>> {
  /** Adds a step. */
  step<const Name extends string, Result>(
    name: Name,
    options: StepOptions<Input, Results, Result>,
  ): Chain<Input, With<Results, Name, Result>, With<Own, Name, Result>, Event>;
  /** Adds branches that run side by side. The chain goes on when all of them are done. */
  all<Branches>(
    branches: {
      readonly [Name in keyof Branches]: BranchInput<Input, Results, Branches[Name]>;
    },
  ): Chain<Input, Flat<Results & ResultsOf<Branches>>, Flat<Own & ResultsOf<Branches>>, Event | EventsOf<Branches>>;
  /** Adds a choice: one of the branches runs, whose result is there afterwards. `pick` returns its name; it is pure. */
  choose<Branches>(
    name: string,
    pick: (scope: SagaScope<Input, Results>) => NoInfer<keyof Branches & string>,
    branches: { readonly [Name in keyof Branches]: BranchInput<Input, Results, Branches[Name]> },
  ): Chain<
    Input,
    Flat<Results & Partial<ResultsOf<Branches>>>,
    Flat<Own & Partial<ResultsOf<Branches>>>,
    Event | EventsOf<Branches>
  >;
  /** Waits for an event, which may have come before. Its name is also that of the result: what it carries. */
  waitFor<const Type extends string, const EventSchema extends Schema | null | undefined = undefined, Else = never>(
    type: Type,
    options?: WaitForOptions<Input, Results, EventSchema, Else>,
  ): Chain<
    Input,
    With<Results, Type, Carried<EventSchema> | Else>,
    With<Own, Type, Carried<EventSchema> | Else>,
    Event | Awaited<Type, EventSchema>
  >;
}

/** A chain behind the pivot: nothing is undone there. */
export interface ForwardChain<Input, Results, Own, Event> extends ChainEnd<ChainTypes<Own, Event>> {
  /** See {@link Chain.step}. */
  step<const Name extends string, Result>(
    name: Name,
    options: ForwardOptions<Input, Results, Result>,
  ): ForwardChain<Input, With<Results, Name, Result>, With<Own, Name, Result>, Event>;
  /** See {@link Chain.all}. */
  all<Branches>(
    branches: {
      readonly [Name in keyof Branches]: ForwardBranch<Input, Results, Branches[Name]>;
    },
  ): ForwardChain<
    Input,
    Flat<Results & ResultsOf<Branches>>,
    Flat<Own & ResultsOf<Branches>>,
    Event | EventsOf<Branches>
  >;
  /** See {@link Chain.choose}. */
  choose<Branches>(
    name: string,
    pick: (scope: SagaScope<Input, Results>) => NoInfer<keyof Branches & string>,
    branches: { readonly [Name in keyof Branches]: ForwardBranch<Input, Results, Branches[Name]> },
  ): ForwardChain<
    Input,
    Flat<Results & Partial<ResultsOf<Branches>>>,
    Flat<Own & Partial<ResultsOf<Branches>>>,
    Event | EventsOf<Branches>
  >;
  /** See {@link Chain.waitFor}. */
  waitFor<const Type extends string, const EventSchema extends Schema | null | undefined = undefined, Else = never>(
    type: Type,
    options?: WaitForOptions<Input, Results, EventSchema, Else>,
  ): ForwardChain<
    Input,
    With<Results, Type, Carried<EventSchema> | Else>,
    With<Own, Type, Carried<EventSchema> | Else>,
    Event | Awaited<Type, EventSchema>
  >;
}

/** The chain of a saga behind its pivot. */
export interface PastPivot<Start, Input, Results, Event, Answers> {
  /** Adds a step. What fails for good here is not undone: the saga is stuck, and an operator decides. */
  step<const Name extends string, Result>(
    name: Name,
    options: ForwardOptions<Input, Results, Result>,
  ): PastPivot<Start, Input, With<Results, Name, Result>, Event, Answers>;
  /** See {@link Chain.all}. */
  all<Branches>(
    branches: {
      readonly [Name in keyof Branches]: ForwardBranch<Input, Results, Branches[Name]>;
    },
  ): PastPivot<Start, Input, Flat<Results & ResultsOf<Branches>>, Event | EventsOf<Branches>, Answers>;
  /** See {@link Chain.choose}. */
  choose<Branches>(
    name: string,
    pick: (scope: SagaScope<Input, Results>) => NoInfer<keyof Branches & string>,
    branches: { readonly [Name in keyof Branches]: ForwardBranch<Input, Results, Branches[Name]> },
  ): PastPivot<Start, Input, Flat<Results & Partial<ResultsOf<Branches>>>, Event | EventsOf<Branches>, Answers>;
  /** See {@link Chain.waitFor}. */
  waitFor<const Type extends string, const EventSchema extends Schema | null | undefined = undefined, Else = never>(
    type: Type,
    options?: WaitForOptions<Input, Results, EventSchema, Else>,
  ): PastPivot<
    Start,
    Input,
    With<Results, Type, Carried<EventSchema> | Else>,
    Event | Awaited<Type, EventSchema>,
    Answers
  >;
  /**
   * Ends the chain. `output` makes the saga's output; it is pure. Default: the results.
   *
   * *Errors* `InvalidNameError`, `InvalidOptionsError`, `InvalidDefinitionError`, each with all that is wrong.
   */
  end<Output = Results>(
    output?: (scope: SagaScope<Input, Results>) => Output,
  ): SagaDefinition<Start, Output, Event, Answers>;
}

/** The chain of a saga. */
export interface SagaChain<Start, Input, Results, Event, Answers> {
  /** Adds a step. */
  step<const Name extends string, Result>(
    name: Name,
    options: StepOptions<Input, Results, Result>,
  ): SagaChain<Start, Input, With<Results, Name, Result>, Event, Answers>;
  /** See {@link Chain.all}. */
  all<Branches>(
    branches: {
      readonly [Name in keyof Branches]: BranchInput<Input, Results, Branches[Name]>;
    },
  ): SagaChain<Start, Input, Flat<Results & ResultsOf<Branches>>, Event | EventsOf<Branches>, Answers>;
  /** See {@link Chain.choose}. */
  choose<Branches>(
    name: string,
    pick: (scope: SagaScope<Input, Results>) => NoInfer<keyof Branches & string>,
    branches: { readonly [Name in keyof Branches]: BranchInput<Input, Results, Branches[Name]> },
  ): SagaChain<Start, Input, Flat<Results & Partial<ResultsOf<Branches>>>, Event | EventsOf<Branches>, Answers>;
  /** See {@link Chain.waitFor}. */
  waitFor<const Type extends string, const EventSchema extends Schema | null | undefined = undefined, Else = never>(
    type: Type,
    options?: WaitForOptions<Input, Results, EventSchema, Else>,
  ): SagaChain<
    Start,
    Input,
    With<Results, Type, Carried<EventSchema> | Else>,
    Event | Awaited<Type, EventSchema>,
    Answers
  >;
  /** Adds the step from which on there is no way back. When it has certainly not happened, the steps before it are undone. */
  pivot<const Name extends string, Result>(
    name: Name,
    options: PivotOptions<Input, Results, Result>,
  ): PastPivot<Start, Input, With<Results, Name, Result>, Event, Answers>;
  /** See {@link PastPivot.end}. */
  end<Output = Results>(
    output?: (scope: SagaScope<Input, Results>) => Output,
  ): SagaDefinition<Start, Output, Event, Answers>;
}

/** Options of {@link saga}; all have defaults. */
export interface SagaOptions<InputSchema, Start, Answers> {
  /** Checks what it is started with. Default: everything is taken. */
  readonly input?: InputSchema;
  /** The business key in an input: the same key is the same saga. Default: the option `key` of `start`, else a random one. */
  readonly key?: (input: Start) => string;
  /** How long it may take up to its pivot; then it is undone. Default: no limit. */
  readonly timeout?: DurationInput;
  /** How long a step that is under way may still come to its end when the saga is turned round, before it is undone as one that may have happened. Default: 30 seconds. */
  readonly settle?: DurationInput;
  /** For steps that are functions, when they do not say otherwise. Default: see `RetryPolicy`. */
  readonly retry?: RetryPolicyInput;
  /** For undoing, when a step does not say otherwise. Default: 12 attempts, from 1 second apart to 1 minute. */
  readonly undoRetry?: RetryPolicyInput;
  /** Questions by name, answered from the newest committed state. */
  readonly queries?: WorkflowQueries<Answers, ActorView<SagaContext>>;
}

/**
 * Begins a saga: a workflow whose steps are undone, in reverse order, when it cannot be finished.
 *
 * *Details* It is a workflow, and its machine is made of the chain: `saga.driver`, history, timers, dead letters and versions are those of any actor. A step is on record before it
 * begins. When a step fails for good, the saga is cancelled, or its time is over, no step begins any more, and everything that was done or may have been is undone, branches of `all` side by
 * side. An undo that fails for good leaves the saga stuck, with a dead letter, until an operator has it tried again, says that it is done, or skips it.
 *
 * ```ts
 * const order = saga("order", { input: z.object({ id: z.string(), sku: z.string() }), key: (input) => input.id })
 *   .step("reserve", { do: ({ input, idempotencyKey }) => reserve(input.sku, idempotencyKey), undo: ({ doKey }) => release(doKey) })
 *   .pivot("charge", { do: ({ input, idempotencyKey }) => charge(input.id, idempotencyKey), fatal: ["CardDeclined"] })
 *   .step("ship", { do: ({ results, idempotencyKey }) => ship(results.reserve, idempotencyKey) })
 *   .end(({ results }) => ({ parcel: results.ship }));
 * const run = await order.start(client, { id: "42", sku: "lamp" });
 * ```
 */
export function saga<InputSchema extends Schema, Answers = Nothing>(
  name: string,
  options: SagaOptions<InputSchema, InferInput<InputSchema>, Answers> & { readonly input: InputSchema },
): SagaChain<InferInput<InputSchema>, InferOutput<InputSchema>, Nothing, never, Answers>;
export function saga<Input = unknown, Answers = Nothing>(
  name: string,
  options?: SagaOptions<undefined, Input, Answers>,
): SagaChain<Input, Input, Nothing, never, Answers>;
export function saga(name: string, options: unknown = {}): unknown {
  return new Builder({ nodes: [], role: "step", problems: [], end: (built) => defineSaga(name, options, built) });
}

/** What is built so far. */
interface Built {
  readonly nodes: readonly SagaNode[];
  /** Of the next step. */
  readonly role: StepRole;
  readonly problems: readonly string[];
  /** Only of a whole saga. */
  readonly end?: (built: {
    readonly nodes: readonly SagaNode[];
    readonly problems: readonly string[];
    readonly output: unknown;
  }) => unknown;
}

/** All chains in one: the types say which calls there are. */
class Builder {
  readonly #built: Built;

  constructor(built: Built) {
    this.#built = built;
  }

  step(name: string, options: unknown): Builder {
    return this.#with((problems) => readStep(name, options, this.#built.role, problems));
  }

  all(branches: unknown): Builder {
    return this.#with((problems) => makeAll(this.#branches(branches, "all", problems)));
  }

  choose(name: string, pick: unknown, branches: unknown): Builder {
    return this.#with((problems) =>
      readChoose(name, pick, this.#branches(branches, `choose ${JSON.stringify(name)}`, problems), problems),
    );
  }

  waitFor(type: string, options?: unknown): Builder {
    return this.#with((problems) => readWait(type, options, problems));
  }

  pivot(name: string, options: unknown): Builder {
    const { role, end } = this.#built;
    const { nodes, problems } = this.#with((found) => {
      if (end === undefined) found.push(`pivot ${JSON.stringify(name)} stands in a branch: put it at the top`);
      else if (role === "forward") found.push(`pivot ${JSON.stringify(name)} is a second one: there is one at most`);
      return readStep(name, options, "pivot", found);
    }).#built;
    return new Builder({ ...this.#built, nodes, problems, role: "forward" });
  }

  end(output?: unknown): unknown {
    const { nodes, problems, end } = this.#built;
    return end?.({ nodes, problems, output });
  }

  #with(read: (problems: string[]) => SagaNode): Builder {
    const problems = [...this.#built.problems];
    const node = read(problems);
    return new Builder({ ...this.#built, nodes: [...this.#built.nodes, node], problems });
  }

  #branches(given: unknown, path: string, problems: string[]): ReturnType<typeof readBranches> {
    const { role } = this.#built;
    const chainOf = (build: (chain: never) => unknown): readonly SagaNode[] | undefined => {
      // The types of the chain say what may be called of it.
      const chain = build(new Builder({ nodes: [], role, problems: [] }) as never);
      if (!(chain instanceof Builder)) return undefined;
      problems.push(...chain.#built.problems);
      return chain.#built.nodes;
    };
    return readBranches(given, path, role, chainOf, problems);
  }
}

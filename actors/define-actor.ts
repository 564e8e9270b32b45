/**
 * Actor definitions: a machine, and what is checked at its door.
 *
 * 1. A definition is complete when it exists: whatever is wrong with machine or options is thrown here, all option problems at once.
 * 2. Clients and nodes ask the same definition. A client only asks, and sends the event as it was given; the node gives the machine what the
 *    schema made of it. So a schema's defaults and transformations are applied once.
 */
import { type Address, makeAddress } from "../runtime/core/address.ts";
import { isReservedEvent } from "../runtime/core/envelope.ts";
import { checkType } from "../runtime/core/names.ts";
import { activitiesOf } from "../runtime/engine/activities.ts";
import type { DoorCheck, RunnableDefinition } from "../runtime/engine/definition.ts";
import {
  type Migration,
  type MigrationTree,
  readMigrations,
  type VersionedMachine,
} from "../runtime/engine/migration.ts";
import type { MachineDriver, MachineEvent } from "../runtime/machine/driver.ts";
import { prepareMachine } from "../runtime/machine/prepare-machine.ts";
import { nearestName, refuseProblems, shown, unknownOptions } from "../runtime/supervise/check-options.ts";
import { type InferInput, isSchema, type Schema, validate } from "./schema.ts";
import { type ChildOptions, type Delivery, readSupervision, type SupervisionOptions } from "./supervision.ts";

/** Any XState machine. */
export type AnyMachine = Parameters<typeof prepareMachine>[0];

// The types that follow are read off the machine's own methods, so that XState's many type parameters stay out of sight.
type SnapshotOf<Machine> = Machine extends { transition(state: infer State, event: never, scope: never): unknown }
  ? State
  : never;
type MachineEventOf<Machine> = Machine extends { transition(state: never, event: infer Event, scope: never): unknown }
  ? Event
  : never;
/** The context of a machine. */
export type MachineContextOf<Machine> =
  SnapshotOf<Machine> extends { readonly context: infer Context } ? Context : unknown;
/** The input of a machine. */
export type MachineInputOf<Machine> = Machine extends { getInitialSnapshot(scope: never, input?: infer Input): unknown }
  ? Nothing | null extends Input
    ? unknown
    : Input
  : unknown;
/** The output of a machine. */
export type MachineOutputOf<Machine> =
  Extract<SnapshotOf<Machine>, { readonly status: "done" }> extends { readonly output: infer Output }
    ? Output
    : unknown;

/** What a machine emits. */
export type MachineEmittedOf<Machine> = Machine extends {
  getInitialSnapshot(scope: infer Scope, input?: never): unknown;
}
  ? Scope extends { readonly emit: (event: infer Emitted) => void }
    ? Emitted
    : unknown
  : unknown;

/** What an event carries besides its type. Optional fields may also be undefined, as most schema libraries have it. */
type PayloadOf<Event, Type> = Event extends { readonly type: Type }
  ? {
      [Field in keyof Event as Exclude<Field, "type">]: Nothing extends Pick<Event, Field>
        ? Event[Field] | undefined
        : Event[Field];
    }
  : never;

type Nothing = Record<never, never>;

/** A schema for what the event carries besides its type; `null` when that is nothing. */
export type PayloadSchema<Payload> = Schema<unknown, Payload> | (Nothing extends Payload ? null : never);

/** Schemas by event type; each must give what the machine's event of that type carries. */
export type EventSchemas<Event extends { readonly type: string }> = {
  readonly [Type in Event["type"]]?: PayloadSchema<PayloadOf<Event, Type>>;
};

/** What the option `events` may be for a machine. */
export type EventsOption<Machine> =
  MachineEventOf<Machine> extends infer Event extends { readonly type: string }
    ? EventSchemas<Event> | Schema<unknown, Event>
    : never;

type EventTypeOf<Machine> =
  MachineEventOf<Machine> extends infer Event extends { readonly type: string } ? Event["type"] : never;

type InputOption<Machine> = Schema<unknown, MachineInputOf<Machine>> | ((id: string) => MachineInputOf<Machine>);

/** Options of {@link defineActor}. */
export interface ActorOptions<Machine, Events, Input> extends SupervisionOptions {
  /** The XState machine that every actor of the type runs. */
  readonly machine: Machine;
  /**
   * What may be sent: schemas by event type, each for the event without its `type` (`null`: it carries nothing), or one schema for
   * whole events. Zod, Valibot, any other Standard Schema v1, and Effect Schema. Default: every event is taken as it comes.
   */
  readonly events?: Events;
  /**
   * What an actor is made with. A schema: actors are made by a `create`, whose input it checks, and take no event before. A function: an actor
   * comes into being with its first event, and the function makes its input from its id. Default: the same, with the input `{ id }`.
   */
  readonly input?: Input;
  /**
   * Default `effectively-once`. `at-most-once` is for much that is worth little, such as telemetry: nothing is stored of the actors, so that a message costs no
   * commit unless the machine sends something. They live in their owner's memory, and begin anew after a takeover, after `passivateAfter` without a message, and when
   * memory is short. A message that may have been applied is never applied again: what was stored before its owner took the partition over is skipped. A message that
   * fails is a dead letter at once, unless `retry` is given; attempts are counted in memory. Idempotency keys are refused, and nothing can be read of the actors but
   * what they answer, emit and publish. Machines with invocations, spawned actors or delays are refused.
   */
  readonly delivery?: Delivery;
  /** What is done differently about messages with events of a type; what an override leaves out is the actor's. It holds for child actors too, and may be for an event that their machines name. */
  readonly overrides?: { readonly [Type in EventTypeOf<Machine>]?: SupervisionOptions };
  /** What is done about child actors that fail, by the name of their logic; deeper ones by the way to them, as in `"payment.card"`. */
  readonly children?: { readonly [name: string]: ChildOptions };
  /**
   * How the states of actors that were made under other versions of the machine become states of this one, by the versions they lead from and to:
   * `{ "1->2": (state) => … }`; `none` stands for a machine without a version. Chains are followed. Under the name of actor logic that is a machine stand the
   * migrations of children. Default: a state of another version goes on where it fits the machine, and else its actor is parked.
   */
  readonly migrate?: MigrateOption;
}

/** Migrations by the versions they lead from and to (`"1->2"`), and by the name of actor logic those of children. */
export interface MigrateOption {
  readonly [key: string]: Migration | MigrateOption;
}

/** Asks for the `input` option when the machine's input cannot be `{ id }`. */
type InputWhereNeeded<Machine> =
  { readonly id: string } extends MachineInputOf<Machine> ? unknown : { readonly input: unknown };

type Combined<Type, Payload> = Payload extends unknown
  ? Flat<{ type: Type } & { [Field in keyof Payload as Field extends "type" ? never : Field]: Payload[Field] }>
  : never;

type Flat<Fields> = { [Field in keyof Fields]: Fields[Field] };

/** What may be sent, as machine and schemas have it. */
export type SentEvents<Machine, Events> = [Events] extends [undefined]
  ? MachineEventOf<Machine>
  : Events extends Schema
    ? InferInput<Events>
    : {
        [Type in keyof Events & string]: Combined<Type, Events[Type] extends null ? unknown : InferInput<Events[Type]>>;
      }[keyof Events & string];

// An option that is left out is inferred as all that it could be.
type GivenInput<Machine, Input> = [InputOption<Machine>] extends [Input]
  ? MachineInputOf<Machine>
  : Input extends Schema
    ? InferInput<Input>
    : MachineInputOf<Machine>;

/** An actor type: what clients send to, and what nodes run. */
export interface ActorDefinition<
  Event = unknown,
  Context = unknown,
  Input = unknown,
  Output = unknown,
  Emitted = unknown,
> extends RunnableDefinition {
  /** Only a type, never a value: what may be sent. Read it with {@link EventOf}. */
  readonly "~event"?: Event;
  /** Only types, never a value. */
  readonly "~types"?: {
    readonly context: Context;
    readonly input: Input;
    readonly output: Output;
    readonly emitted: Emitted;
  };

  /** Names one actor of the type; throws `InvalidNameError` for an id that cannot be used. */
  ref(id: string): ActorRef<ActorDefinition<Event, Context, Input, Output, Emitted>>;

  /**
   * Checks an event, and gives it as the machine is to take it: with the schema's output in the place of its input.
   *
   * Details: `reserved`: the type is empty, `*`, or begins with `xstate.` or `statewright.`. `schema`: it is no event, the schema refuses it, or
   * its type is not among the schemas'. A client sends what it was given, not what this returns.
   *
   * Errors: `InvalidDefinitionError` when the schema answers with a promise.
   */
  checkEvent(event: unknown): DoorCheck<{ readonly event: MachineEvent }>;

  /** Checks the input of a `create`, in the manner of {@link ActorDefinition.checkEvent}. Without a schema every input is taken. */
  checkInput(input: unknown): DoorCheck<{ readonly input: unknown }>;
}

/** Any actor definition, whatever its events. */
export type AnyActorDefinition = ActorDefinition;

/** One actor: its address, with the definition that knows what it takes. */
export interface ActorRef<Definition = AnyActorDefinition> extends Address {
  readonly definition: Definition;
}

type TypesOf<Definition> = Definition extends { readonly "~types"?: infer Types } ? NonNullable<Types> : never;

/** The events that may be sent to actors of a definition: the schemas' input where there are schemas, else the machine's own events. */
export type EventOf<Definition> = Definition extends { readonly "~event"?: infer Event } ? Event : never;

/** The context of a definition's machine. */
export type ContextOf<Definition> = TypesOf<Definition> extends { readonly context: infer Context } ? Context : never;

/** What a `create` of a definition's actors takes. */
export type InputOf<Definition> = TypesOf<Definition> extends { readonly input: infer Input } ? Input : never;

/** The output of a definition's machine when it ends. */
export type OutputOf<Definition> = TypesOf<Definition> extends { readonly output: infer Output } ? Output : never;

/**
 * The events that a definition's machine emits, as its `types.emitted` says: all of them, or those of one type. A machine that says nothing of them may emit any.
 */
export type EmittedOf<Definition, Type = "*"> =
  TypesOf<Definition> extends {
    readonly emitted: infer Event extends { readonly type: string };
  }
    ? string extends Event["type"]
      ? { readonly type: Type extends "*" ? string : Type; readonly [field: string]: unknown }
      : Event & (Type extends "*" ? unknown : { readonly type: Type })
    : { readonly type: Type extends "*" ? string : Type; readonly [field: string]: unknown };

const optionNames = [
  "machine",
  "events",
  "input",
  "retry",
  "delivery",
  "order",
  "onExhausted",
  "overrides",
  "children",
  "migrate",
];
const brand = Symbol.for("statewright.actor");

/**
 * Defines an actor type.
 *
 * Details: `type` begins with a letter and holds at most 64 letters, digits, `-` or `_`. It is part of every address: renaming it makes new actors.
 *
 * Errors: `InvalidNameError` for the type; `InvalidOptionsError` naming every option that is wrong; `InvalidDefinitionError` naming what in
 * the machine cannot be made durable.
 *
 * ```ts
 * const counter = defineActor("counter", {
 *   machine: counterMachine,
 *   events: { ADD: z.object({ amount: z.number() }), RESET: null },
 *   retry: { maxAttempts: 3 },
 *   overrides: { RESET: { retry: "never" } },
 * });
 * ```
 */
export function defineActor<
  Machine extends AnyMachine,
  Input extends InputOption<Machine>,
  const Events extends EventsOption<Machine> | undefined = undefined,
>(
  type: string,
  options: ActorOptions<Machine, Events, Input> & InputWhereNeeded<Machine>,
): ActorDefinition<
  SentEvents<Machine, Events>,
  MachineContextOf<Machine>,
  GivenInput<Machine, Input>,
  MachineOutputOf<Machine>,
  MachineEmittedOf<Machine>
> {
  checkType(type);
  const { driver, events, input, supervision, migrations } = readOptions(type, options);
  const definition: ActorDefinition<
    SentEvents<Machine, Events>,
    MachineContextOf<Machine>,
    GivenInput<Machine, Input>,
    MachineOutputOf<Machine>,
    MachineEmittedOf<Machine>
  > = {
    type,
    driver,
    migrations,
    ...supervision,
    eventTypes: events instanceof Map ? [...events.keys()] : undefined,
    needsCreate: input !== undefined && isSchema(input),
    ref: (id) => ({ ...makeAddress(type, id), definition }),
    checkEvent: (event) => checkEvent(type, events, event),
    checkInput(given) {
      if (input === undefined || !isSchema(input)) return { input: given };
      const checked = validate(input, given, `the input of actor type "${type}"`);
      return "value" in checked ? { input: checked.value } : { reason: "schema", problems: checked.problems };
    },
    ...activitiesOf(type, driver),
    inputFor: (id) => (typeof input === "function" && !isSchema(input) ? input(id) : { id }),
  };
  return markActor(definition);
}

/** Marks what was made of a definition as one, so that nodes take it. */
export function markActor<Definition extends object>(definition: Definition): Definition {
  return Object.defineProperty(definition, brand, { value: true, enumerable: false });
}

/** True for what {@link defineActor} returned, also in another copy of the package. */
export function isActorDefinition(value: unknown): value is AnyActorDefinition {
  return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[brand] === true;
}

type EventDoor = ReadonlyMap<string, Schema | null> | Schema | undefined;

interface ReadOptions {
  readonly events: EventDoor;
  readonly input: Schema | ((id: string) => unknown) | undefined;
  readonly driver: MachineDriver;
  readonly supervision: ReturnType<typeof readSupervision>;
  readonly migrations: MigrationTree | undefined;
}

function readOptions(type: string, options: unknown): ReadOptions {
  const attempted = `Cannot define actor type "${type}"`;
  if (typeof options !== "object" || options === null) {
    refuseProblems(attempted, [`the options are ${shown(options)}: use { machine } and what else it needs`]);
  }
  // Read as unknown throughout: JavaScript callers hand in what they like.
  const { machine, events, input, migrate } = options as Readonly<Record<string, unknown>>;
  const problems = unknownOptions(options as object, optionNames, "");
  if (machine === undefined || machine === null)
    problems.push("machine is missing: use what XState's createMachine returns");
  const door = readEvents(events, problems);
  if (input !== undefined && !isSchema(input) && typeof input !== "function") {
    problems.push(`input is ${shown(input)}: use a schema, or a function that makes the input from the id`);
  }
  const [driver, refusal] = isMachine(machine) ? prepared(machine) : [];
  const eventTypes = door instanceof Map ? [...door.keys()] : undefined;
  const supervision = readSupervision(options as object, driver, eventTypes, problems);
  // What is no machine is refused for that, and not for having no version.
  const migrations = isMachine(machine) ? readMigrations(migrate, versionsOf(machine, new Set()), problems) : undefined;
  if (supervision.delivery === "at-most-once") {
    // Both are about what is remembered of an actor for as long as it is named.
    if (isSchema(input))
      problems.push(
        'input is a schema, and what a create makes is forgotten with delivery "at-most-once": use a function of the id',
      );
    if (migrate !== undefined) problems.push('migrate has no effect with delivery "at-most-once": leave it out');
  }
  refuseProblems(attempted, problems);
  if (refusal !== undefined) throw refusal;
  return {
    // What looks like no machine at all is refused here.
    driver: driver ?? prepareMachine(machine as AnyMachine),
    events: door,
    input: input as ReadOptions["input"],
    supervision,
    migrations,
  };
}

/** The driver of a machine, or the error that says why it has none: what is wrong with the options is told first. */
function prepared(machine: unknown): [driver: MachineDriver | undefined, refusal: unknown] {
  try {
    return [prepareMachine(machine as AnyMachine), undefined];
  } catch (error) {
    return [undefined, error];
  }
}

interface MachineLike {
  readonly config: { readonly version?: unknown };
  readonly implementations: { readonly actors?: Readonly<Record<string, unknown>> };
}

function isMachine(value: unknown): value is MachineLike {
  return isRecord(value) && isRecord(value.config) && isRecord(value.implementations);
}

/** The versions of a machine and of those that it names as actors; not of those that it is itself among. */
function versionsOf(machine: MachineLike, around: ReadonlySet<unknown>): VersionedMachine {
  const { version } = machine.config;
  const inner = new Set([...around, machine]);
  const children = Object.entries(machine.implementations.actors ?? {}).flatMap(
    ([name, logic]): Array<[string, VersionedMachine]> =>
      isMachine(logic) && !inner.has(logic) ? [[name, versionsOf(logic, inner)]] : [],
  );
  return { version: version === undefined ? undefined : String(version), children: new Map(children) };
}

function readEvents(events: unknown, problems: string[]): EventDoor {
  if (events === undefined || isSchema(events)) return events;
  if (typeof events !== "object" || events === null || Array.isArray(events)) {
    problems.push(`events is ${shown(events)}: use schemas by event type, or one schema for whole events`);
    return undefined;
  }
  const entries = Object.entries(events);
  if (entries.length === 0)
    problems.push("events is empty, so that nothing could be sent: leave it out to take every event");
  for (const [name, schema] of entries) {
    const path = `events[${JSON.stringify(name)}]`;
    if (isReservedEvent(name)) problems.push(`${path} is a reserved event type: ${reservedNames}`);
    if (schema !== null && !isSchema(schema))
      problems.push(`${path} is ${shown(schema)}: use a schema, or null when the event carries nothing`);
  }
  return new Map(entries);
}

const reservedNames = 'the empty type, "*", and types that begin with "xstate." or "statewright." are';

function checkEvent(type: string, door: EventDoor, event: unknown): DoorCheck<{ readonly event: MachineEvent }> {
  if (
    typeof event !== "object" ||
    event === null ||
    Array.isArray(event) ||
    typeof (event as { type?: unknown }).type !== "string"
  ) {
    return refused(`${shown(event)} is not an event: use an object with a "type"`);
  }
  const given = event as MachineEvent;
  if (isReservedEvent(given.type)) {
    return { reason: "reserved", problems: [`${shown(given.type)} is reserved: ${reservedNames}`] };
  }
  if (door === undefined) return { event: given };
  const what = `event ${shown(given.type)} of actor type "${type}"`;
  if (!(door instanceof Map)) return checkWhole(door as Schema, given, what);
  const schema = (door as ReadonlyMap<string, Schema | null>).get(given.type);
  const { type: eventType, ...payload } = given;
  if (schema === undefined) {
    const near = nearestName(eventType, [...door.keys()]);
    return refused(
      `actor type "${type}" takes no event ${shown(eventType)}${near === undefined ? "" : `: did you mean "${near}"?`}`,
    );
  }
  if (schema === null) {
    const extra = Object.keys(payload).filter((field) => payload[field] !== undefined);
    if (extra.length === 0) return { event: { type: eventType } };
    return refused(`${shown(eventType)} carries nothing besides its type, and has ${shown(extra)}`);
  }
  const checked = validate(schema, payload, what);
  if ("problems" in checked) return { reason: "schema", problems: checked.problems };
  if (!isRecord(checked.value))
    return refused(`the schema gives ${shown(checked.value)} for what the event carries: it must give an object`);
  return { event: { ...checked.value, type: eventType } };
}

function checkWhole(schema: Schema, given: MachineEvent, what: string): DoorCheck<{ readonly event: MachineEvent }> {
  const checked = validate(schema, given, what);
  if ("problems" in checked) return { reason: "schema", problems: checked.problems };
  // History and telemetry tell events by the type that was sent: a schema may not change it.
  if (!isRecord(checked.value) || checked.value.type !== given.type) {
    return refused(
      `the schema gives ${shown(checked.value)} for the event: it must give an object with the same "type"`,
    );
  }
  return { event: checked.value as MachineEvent };
}

function refused(problem: string): { readonly reason: "schema"; readonly problems: readonly string[] } {
  return { reason: "schema", problems: [problem] };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

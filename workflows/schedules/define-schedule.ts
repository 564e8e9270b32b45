/**
 * Schedules: durable actors that start workflows by the clock.
 *
 * 1. A tick starts its run once, whoever crashes when: the run's key comes from the tick.
 * 2. Ticks need no process that stays: the next one is a timer of the actor, and a node that takes over finds it.
 * 3. After a time in which no node ran, only ticks that are not too old are started; the others are counted as missed.
 */
import type { AskOptions, Client, ReadOptions } from "../../actors/client.ts";
import { type ActorDefinition, defineActor, markActor } from "../../actors/define-actor.ts";
import { childAddress } from "../../runtime/core/address.ts";
import { ActorNotFoundError, InvalidOptionsError } from "../../runtime/core/errors.ts";
import { refuseProblems, shown, unknownOptions } from "../../runtime/supervise/check-options.ts";
import { overlapProblem, scheduleDoor } from "./schedule-door.ts";
import { type ScheduleEvent, scheduleMachine } from "./schedule-machine.ts";
import { type OverlapPolicy, readRules, type ScheduleOptions, type ScheduleRules } from "./schedule-options.ts";
import type { ScheduleContext, TickStatus } from "./schedule-turns.ts";
import { describeSchedule, isThere, listSchedules, type ScheduleInfo, type ScheduleSummary } from "./schedule-views.ts";

/** Which schedule of a definition is meant, and how long to wait for it. `key` is an idempotency key. */
export interface ScheduleCall extends AskOptions {
  /** Default `default`: most definitions have one schedule. */
  readonly id?: string;
}

/** Options of `pause`. */
export interface PauseSchedule extends ScheduleCall {
  /** Why, for who looks at it. */
  readonly note?: string;
}

/** Options of `trigger`. */
export interface TriggerSchedule extends ScheduleCall {
  /** Instead of the schedule's own policy; `cancel` and `terminate` only where the schedule has them. */
  readonly overlap?: OverlapPolicy;
}

/** Options of `backfill`. */
export interface BackfillSchedule extends ScheduleCall {
  /** The first tick is at this time or later. */
  readonly from: Date;
  /** The last tick is at this time or earlier. */
  readonly to: Date;
  /** As for `trigger`. Default `queue`: one run after the other, and none is left out. */
  readonly overlap?: OverlapPolicy;
}

/** What became of a `trigger`. */
export interface Triggered {
  /** The business key of its run. */
  readonly key: string;
  /** `running`, `queued`, `skipped`; `failed` when the schedule's own functions threw. */
  readonly status: TickStatus;
  readonly error?: string;
}

/** A schedule: an actor type whose actors start workflows by the clock. */
export interface ScheduleDefinition extends ActorDefinition<ScheduleEvent, ScheduleContext> {
  /**
   * Starts the schedule: ticks come from now on. One that exists goes on as it is, and follows the times of this definition from now on, so that a program may start its schedules
   * whenever it begins. One that was paused stays so; one that was removed begins anew.
   *
   * *Errors* `InvalidNameError` for an id that is too long for its runs' keys; those of `client.create`.
   */
  start(client: Client, options?: ScheduleCall): Promise<{ readonly isNew: boolean }>;
  /** Ticks come no more before a `resume`; what runs and what is queued goes on. *Errors* `ActorNotFoundError`; as `client.ask`, here and below. */
  pause(client: Client, options?: PauseSchedule): Promise<void>;
  /** Ticks come again. Those of the time in between are not started. */
  resume(client: Client, options?: ScheduleCall): Promise<void>;
  /** Starts a run now, also while the schedule is paused. */
  trigger(client: Client, options?: TriggerSchedule): Promise<Triggered>;
  /**
   * Starts the runs of the ticks in a time that is past; those that have run already are not run again. Resolves when that is begun.
   *
   * *Errors* `InvalidOptionsError` also while 20 others are under way.
   */
  backfill(client: Client, options: BackfillSchedule): Promise<void>;
  /** Ends the schedule. Runs that are under way go on; what is queued is dropped. */
  remove(client: Client, options?: ScheduleCall): Promise<void>;
  /** What the schedule does, has done and will do. *Errors* `ActorNotFoundError`; as `client.get`. */
  describe(client: Client, options?: ReadOptions & { readonly id?: string }): Promise<ScheduleInfo>;
  /** The schedules of this definition, by id, without those that were removed. */
  list(client: Client, options?: ReadOptions): Promise<ScheduleSummary[]>;
}

const callOptions = ["id", "key", "signal", "timeout"];
const defaultId = "default";

/**
 * Defines a schedule: a workflow is started at every tick of a cron expression or of an interval.
 *
 * *Details* `name` is the actor type. Give it to `startNode({ actors })` beside the workflow, and call `start` once, or whenever the program begins.
 *
 * *Errors* `InvalidOptionsError` with all problems; `InvalidNameError` for the name.
 *
 * ```ts
 * const nightly = defineSchedule("nightly-report", {
 *   workflow: report,
 *   cron: "0 2 * * *",
 *   timeZone: "Europe/Berlin",
 *   input: ({ at }) => ({ day: at.toISOString() }),
 * });
 * await nightly.start(client);
 * console.log((await nightly.describe(client)).next);
 * ```
 */
export function defineSchedule<Input>(name: string, options: ScheduleOptions<Input>): ScheduleDefinition {
  const rules = readRules(name, options as unknown as Readonly<Record<string, unknown>>);
  // The events are what the door lets through: the machine's own are among its types, too.
  const actor = defineActor(name, {
    machine: scheduleMachine(rules),
    events: scheduleDoor(rules.overlap),
    input: () => undefined,
  } as never) as unknown as ActorDefinition<ScheduleEvent, ScheduleContext>;
  const tell = async (client: Client, attempted: string, event: ScheduleEvent, given: ScheduleCall) => {
    const { id = defaultId, key, signal, timeout } = given;
    const ref = definition.ref(id);
    const view = await client.get(ref, signal === undefined ? {} : { signal });
    if (!isThere(view)) throw notThere(attempted, name, id);
    return (await client.ask(ref, event, asking({ key, signal, timeout }))).reply as Readonly<Record<string, unknown>>;
  };
  const definition: ScheduleDefinition = {
    ...actor,
    needsCreate: true,
    ref: (id) => ({ ...actor.ref(id), definition }),
    async start(client, given = {}) {
      check(`Cannot start schedule "${name}"`, given, []);
      const { id = defaultId, key, signal, timeout } = given;
      const ref = definition.ref(id);
      checkLength(rules, id);
      const created = await client.create(ref, undefined as never, asking({ key, signal, timeout }));
      if (created.created) return { isNew: true };
      const wasThere = isThere(created.view);
      await client.ask(ref, { type: "schedule.start" }, asking({ key: undefined, signal, timeout }));
      return { isNew: !wasThere };
    },
    async pause(client, given = {}) {
      const attempted = `Cannot pause schedule "${name}"`;
      const { note } = given;
      check(attempted, given, ["note"], () =>
        note === undefined || typeof note === "string" ? undefined : `note is ${shown(note)}: use a text`,
      );
      await tell(client, attempted, { type: "schedule.pause", ...(note === undefined ? {} : { note }) }, given);
    },
    async resume(client, given = {}) {
      const attempted = `Cannot resume schedule "${name}"`;
      check(attempted, given, []);
      await tell(client, attempted, { type: "schedule.resume" }, given);
    },
    async trigger(client, given = {}) {
      const attempted = `Cannot trigger schedule "${name}"`;
      const { overlap } = given;
      check(attempted, given, ["overlap"], () => overlapProblem(overlap, rules.overlap));
      const event: ScheduleEvent = { type: "schedule.trigger", ...(overlap === undefined ? {} : { overlap }) };
      const answer = await tell(client, attempted, event, given);
      // It was removed in this moment.
      if (answer === undefined) throw notThere(attempted, name, given.id ?? defaultId);
      return answer as unknown as Triggered;
    },
    async backfill(client, given) {
      const attempted = `Cannot backfill schedule "${name}"`;
      const { from, to, overlap } = given ?? {};
      check(
        attempted,
        given,
        ["from", "to", "overlap"],
        () => dateProblem("from", from),
        () => dateProblem("to", to),
        () => (isDate(from) && isDate(to) && from > to ? "from is after to: use times in their order" : undefined),
        () => overlapProblem(overlap, rules.overlap),
      );
      const event: ScheduleEvent = {
        type: "schedule.backfill",
        from: from.getTime(),
        to: to.getTime(),
        ...(overlap === undefined ? {} : { overlap }),
      };
      const answer = await tell(client, attempted, event, given);
      if (answer === undefined) throw notThere(attempted, name, given.id ?? defaultId);
      if (answer.refused !== undefined) refuseProblems(attempted, [String(answer.refused)]);
    },
    async remove(client, given = {}) {
      const attempted = `Cannot remove schedule "${name}"`;
      check(attempted, given, []);
      await tell(client, attempted, { type: "schedule.remove" }, given);
    },
    async describe(client, given = {}) {
      const { id = defaultId, signal } = given;
      const view = await client.get(definition.ref(id), signal === undefined ? {} : { signal });
      if (!isThere(view)) throw notThere(`Cannot describe schedule "${name}"`, name, id);
      return describeSchedule(rules, view);
    },
    list: (client, given) => listSchedules(rules, client, given),
  };
  return markActor(definition);
}

function notThere(attempted: string, name: string, id: string): ActorNotFoundError {
  return new ActorNotFoundError(`${attempted}: there is no ${name}/${id}. Start it first, or look at the id.`, {
    details: { actor: `${name}/${id}` },
  });
}

/** The options that an `ask` has. */
function asking(given: { readonly [Option in keyof AskOptions]: AskOptions[Option] | undefined }): AskOptions {
  return Object.fromEntries(Object.entries(given).filter(([, each]) => each !== undefined));
}

/** What would fail with every tick is refused at the start. */
function checkLength({ workflow, name }: ScheduleRules, id: string): void {
  childAddress({ type: name, id }, `r${Number.MAX_SAFE_INTEGER}`);
  const key = `${name}/${id}/${new Date(0).toISOString()}`;
  workflow.ref(key);
}

function check(
  attempted: string,
  given: object,
  own: readonly string[],
  ...checks: ReadonlyArray<() => string | undefined>
): void {
  if (typeof given !== "object" || given === null) {
    throw new InvalidOptionsError(`${attempted}: the options are ${shown(given)}.`);
  }
  const problems = unknownOptions(given, [...callOptions, ...own], "");
  for (const each of checks) {
    const problem = each();
    if (problem !== undefined) problems.push(problem);
  }
  refuseProblems(attempted, problems);
}

function isDate(value: unknown): value is Date {
  return value instanceof Date && Number.isFinite(value.getTime());
}

function dateProblem(name: string, value: unknown): string | undefined {
  return isDate(value) ? undefined : `${name} is ${shown(value)}: use a Date`;
}

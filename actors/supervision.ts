/**
 * The supervision that a definition asks for: what becomes of a message that fails, by event type, and of a child actor that fails.
 *
 * 1. What an override leaves out is the actor's.
 * 2. Names that nothing has are refused with the nearest one: a mistyped event or child is never without supervision in silence.
 */
import type { RunnableDefinition, Supervision } from "../runtime/engine/definition.ts";
import { followPath, logicBelow } from "../runtime/engine/logic-below.ts";
import type { ChildLogic, MachineDriver } from "../runtime/machine/driver.ts";
import { joinPath, listed, nearestName, shown, unknownOptions } from "../runtime/supervise/check-options.ts";
import {
  type CompiledRetryPolicy,
  compileRetryPolicy,
  type RetryPolicyInput,
  readRetryPolicy,
} from "../runtime/supervise/retry-policy.ts";

/** What is done about a message that fails. */
export interface SupervisionOptions {
  /** When a failed message is tried again, and when it becomes a dead letter. Default: see `RetryPolicy`. */
  readonly retry?: RetryPolicyInput;
  /**
   * While a failed message waits for its next attempt: `hold` keeps those behind it waiting, so that the actor takes all in order; `overtake` lets them go on.
   * Default `hold`.
   */
  readonly order?: Supervision["order"];
  /**
   * When all attempts have failed and the message is a dead letter: `skip` lets the actor go on with the next one, `park` lets it take none until the letter is
   * redriven or dropped, `stop` ends it with the error. Default `skip`.
   */
  readonly onExhausted?: Supervision["onExhausted"];
}

/** What is done about a child actor that fails. */
export interface ChildOptions {
  /**
   * When a child that failed is begun anew, from its input; only when that is of no more use its parent gets `onError`. Default `never`: its parent gets it at
   * once.
   */
  readonly restart: RetryPolicyInput;
}

const optionNames = ["retry", "order", "onExhausted"];
const orders: readonly Supervision["order"][] = ["hold", "overtake"];
const exhaustions: readonly Supervision["onExhausted"][] = ["skip", "park", "stop"];

/**
 * What an actor type promises of its messages. `effectively-once`: each is applied once, whatever happens, since the state is committed with it. `at-most-once`:
 * the actors have no state record and live in the memory of their owner; none is applied twice, and those that may have been applied are not applied again.
 */
export type Delivery = RunnableDefinition["delivery"];

const deliveries: readonly Delivery[] = ["effectively-once", "at-most-once"];

/** What {@link readSupervision} takes, as it was handed in. */
export interface GivenSupervision {
  readonly delivery?: unknown;
  readonly retry?: unknown;
  readonly order?: unknown;
  readonly onExhausted?: unknown;
  readonly overrides?: unknown;
  readonly children?: unknown;
}

/**
 * Reads the supervision out of the options of a definition, and adds to `problems` what is wrong with it.
 *
 * Details: `driver` is that of the actor's machine; undefined when there is none, and names are not looked at then. `eventTypes` are those of the schemas.
 */
export function readSupervision(
  given: GivenSupervision,
  driver: MachineDriver | undefined,
  eventTypes: readonly string[] | undefined,
  problems: string[],
): Pick<RunnableDefinition, "supervision" | "restart" | "delivery"> {
  const delivery = readName(given.delivery, "delivery", deliveries, problems) ?? "effectively-once";
  if (delivery === "at-most-once") problems.push(...refusedWithoutRecord(given, driver));
  const own = {
    retry: compileRetryPolicy(delivery === "at-most-once" ? "never" : {}),
    order: "hold",
    onExhausted: "skip",
    ...readOne(given, "", problems),
  } as const;
  const byEvent = readOverrides(given.overrides, own, driver, eventTypes, problems);
  const byPath = readChildren(given.children, driver, problems);
  return {
    delivery,
    supervision: (event) => (event === undefined ? own : (byEvent.get(event) ?? own)),
    restart(path) {
      if (byPath.size === 0 || driver === undefined) return undefined;
      const found = followPath(driver, path);
      return found === undefined ? undefined : byPath.get(nameOf(found.path));
    },
  };
}

function readOne(given: GivenSupervision, path: string, problems: string[]): Partial<Supervision> {
  const retry =
    given.retry === undefined
      ? undefined
      : readRetryPolicy(given.retry as RetryPolicyInput, joinPath(path, "retry"), problems);
  const order = readName(given.order, joinPath(path, "order"), orders, problems);
  const onExhausted = readName(given.onExhausted, joinPath(path, "onExhausted"), exhaustions, problems);
  return {
    ...(retry === undefined ? {} : { retry }),
    ...(order === undefined ? {} : { order }),
    ...(onExhausted === undefined ? {} : { onExhausted }),
  };
}

function readName<Name extends string>(
  value: unknown,
  path: string,
  names: readonly Name[],
  problems: string[],
): Name | undefined {
  if (value === undefined || names.includes(value as Name)) return value as Name | undefined;
  const near = typeof value === "string" ? nearestName(value, names) : undefined;
  problems.push(
    `${path} is ${shown(value)}: ${near === undefined ? `use ${listed(names)}` : `did you mean "${near}"?`}`,
  );
  return undefined;
}

/** What an actor cannot have or do that nothing is stored of. */
function* refusedWithoutRecord(given: GivenSupervision, driver: MachineDriver | undefined): Generator<string> {
  const why = 'needs a state record, which there is none of with delivery "at-most-once"';
  if (given.children !== undefined) yield `children ${why}: leave it out`;
  const overrides = isRecord(given.overrides) ? Object.entries(given.overrides) : [];
  const all = [
    ["", given] as const,
    ...overrides.map(([event, each]) => [joinPath("overrides", event), each] as const),
  ];
  for (const [path, each] of all) {
    if (!isRecord(each)) continue;
    if (each.order === "overtake") yield `${joinPath(path, "order")} "overtake" ${why}: leave it out`;
    if (each.onExhausted === "park" || each.onExhausted === "stop")
      yield `${joinPath(path, "onExhausted")} "${each.onExhausted}" ${why}: leave it out`;
  }
  for (const place of driver?.needsRecord() ?? []) yield `${place}, which ${why}`;
}

function readOverrides(
  overrides: unknown,
  own: Supervision,
  driver: MachineDriver | undefined,
  eventTypes: readonly string[] | undefined,
  problems: string[],
): ReadonlyMap<string, Supervision> {
  const read = new Map<string, Supervision>();
  if (overrides === undefined) return read;
  if (!isRecord(overrides)) {
    problems.push(`overrides is ${shown(overrides)}: use { retry, order, onExhausted } by event type`);
    return read;
  }
  const isKnown = driver === undefined ? undefined : knownEvents(driver, eventTypes);
  for (const [event, override] of Object.entries(overrides)) {
    const path = joinPath("overrides", event);
    const unknown = isKnown?.(event);
    if (unknown !== undefined) problems.push(`${path} is for an event that the actor never takes: ${unknown}`);
    if (!isRecord(override)) {
      problems.push(`${path} is ${shown(override)}: use { retry, order, onExhausted }`);
      continue;
    }
    problems.push(...unknownOptions(override, optionNames, path));
    if (optionNames.every((name) => override[name] === undefined))
      problems.push(`${path} has no effect: give it retry, order or onExhausted, or leave it out`);
    read.set(event, { ...own, ...readOne(override, path, problems) });
  }
  return read;
}

/** Tells of an event type what is wrong with it, as far as schemas and machines say which there are; undefined when nothing is. */
function knownEvents(
  driver: MachineDriver,
  eventTypes: readonly string[] | undefined,
): (event: string) => string | undefined {
  const below = [...logicBelow(driver)].flatMap(({ child }) =>
    child.kind === "actor" ? [...child.driver.events] : [],
  );
  const known = new Set([...(eventTypes ?? []), ...driver.events, ...below].filter((type) => !type.endsWith("*")));
  // Where schemas list the events, a wildcard lets no others in; and one of a child would let in whatever is mistyped for the actor itself.
  const wildcards = eventTypes === undefined ? [...driver.events].filter((type) => type.endsWith("*")) : [];
  const named = [...known].filter((type) => !type.startsWith("xstate."));
  return (event) => {
    if (known.has(event)) return undefined;
    if (wildcards.some((descriptor) => descriptor === "*" || event.startsWith(descriptor.slice(0, -1))))
      return undefined;
    const near = nearestName(event, named);
    if (near !== undefined) return `did you mean "${near}"?`;
    return named.length === 0 ? "it takes none" : `use ${listed(named)}`;
  };
}

function readChildren(
  children: unknown,
  driver: MachineDriver | undefined,
  problems: string[],
): ReadonlyMap<string, CompiledRetryPolicy> {
  const read = new Map<string, CompiledRetryPolicy>();
  if (children === undefined) return read;
  if (!isRecord(children)) {
    problems.push(`children is ${shown(children)}: use { restart } by the name of actor logic`);
    return read;
  }
  const known = driver === undefined ? undefined : kindsBelow(driver);
  for (const [name, options] of Object.entries(children)) {
    const path = joinPath("children", name);
    if (known !== undefined) problems.push(...refusedName(name, path, known));
    if (!isRecord(options)) {
      problems.push(`${path} is ${shown(options)}: use { restart }`);
      continue;
    }
    problems.push(...unknownOptions(options, ["restart"], path));
    if (options.restart === undefined) {
      problems.push(`${path} has no effect: give it restart, or leave it out`);
    } else if (options.restart !== "never") {
      const policy = readRetryPolicy(options.restart as RetryPolicyInput, joinPath(path, "restart"), problems);
      if (policy !== undefined) read.set(name, policy);
    }
  }
  return read;
}

function kindsBelow(driver: MachineDriver): ReadonlyMap<string, ChildLogic["kind"]> {
  return new Map([...logicBelow(driver)].map(({ path, child }) => [nameOf(path), child.kind]));
}

function* refusedName(name: string, path: string, known: ReadonlyMap<string, ChildLogic["kind"]>): Generator<string> {
  const kind = known.get(name);
  if (kind === "actor") return;
  if (kind === "activity") {
    yield `${path} is promise logic, which is an activity: say how often it is tried in the retry of its defineActivity`;
  } else if (kind === "live") {
    yield `${path} is callback or observable logic, which keeps no state that it could be begun anew from: take its error in onError`;
  } else {
    const actors = [...known].filter(([, each]) => each === "actor").map(([each]) => each);
    const near = nearestName(name, actors);
    const advice =
      near === undefined
        ? actors.length === 0
          ? "the machine has no child actors"
          : `use ${listed(actors)}`
        : `did you mean "${near}"?`;
    yield `${path} names no actor logic of the machine: ${advice}`;
  }
}

/** The name of actor logic below the actor's machine, as the options have it. */
function nameOf(path: readonly string[]): string {
  return path.join(".");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

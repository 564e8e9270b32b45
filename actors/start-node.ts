/** Starts an actor node inside this process. */
import { url as inspectorUrl } from "node:inspector";
import { hostname } from "node:os";
import type { MeterProvider } from "@opentelemetry/api";
import type { DeadLetteredEvent } from "../runtime/core/dead-letter-events.ts";
import { toToken } from "../runtime/core/names.ts";
import { systemTime } from "../runtime/core/time.ts";
import type { NodeSettings } from "../runtime/engine/context.ts";
import type { RunnableActivity } from "../runtime/engine/definition.ts";
import { type FaultHook, faultPoints, noFaults } from "../runtime/engine/faults.ts";
import { ActorNode, defaultSettings, type NodeStats } from "../runtime/engine/node.ts";
import type { NodeEvent } from "../runtime/engine/telemetry.ts";
import { startWatchdog, type Watchdog, type WatchdogParts } from "../runtime/engine/watchdog.ts";
import { durationMs, refuseProblems, shown, unknownOptions } from "../runtime/supervise/check-options.ts";
import { activitiesFor } from "./activity-choice.ts";
import type { DurationInput } from "./client/context.ts";
import type { Client } from "./client.ts";
import { createClient } from "./client.ts";
import type { AnyActivityDefinition } from "./define-activity.ts";
import { type AnyActorDefinition, isActorDefinition } from "./define-actor.ts";
import { defaultSpace, openSpaceLog, type SpaceOptions } from "./space-options.ts";

/** Options of {@link startNode}. */
export interface NodeOptions extends SpaceOptions {
  /** The actor types that the node runs. All nodes that run any should run the same ones. Empty: the node takes no actors, and only works on activities. */
  readonly actors: readonly AnyActorDefinition[];
  /**
   * What the node works on besides the activities of its actors: definitions of activities, and of actors whose activities it should work on. `none`: it
   * works on no activities at all, and leaves those of its actors to others. Default: nothing besides.
   */
  readonly activities?: ReadonlyArray<AnyActivityDefinition | AnyActorDefinition> | "none";
  /** How many attempts of activities run at once in this process. Default: 100. */
  readonly maxActivities?: number;
  /** Name of the node, unique in the space. Default: host name, process id and a random part. */
  readonly name?: string;
  /** A node without a sign of life for so long loses its partitions. Default: 2.5 seconds; at least 300 ms. */
  readonly lease?: DurationInput;
  /** How often the low-water mark of handled messages is written. Default: 1 second. */
  readonly checkpointEvery?: DurationInput;
  /** How often handled messages are removed. Default: 2 seconds. */
  readonly purgeEvery?: DurationInput;
  /** How long an idempotency key is remembered after it was applied. Default: 7 days. */
  readonly keyRetention?: DurationInput;
  /** How long published and emitted events are kept. Default: 7 days. */
  readonly topicRetention?: DurationInput;
  /** Actors that have been idle for so long leave memory. Default: 5 minutes. */
  readonly passivateAfter?: DurationInput;
  /** How long a graceful stop takes at most: so long attempts of activities may still end. Default: 15 seconds. */
  readonly drain?: DurationInput;
  /** Bytes of states that idle actors may keep in memory. Default: 64 MiB. */
  readonly cacheBytes?: number;
  /** Messages in memory, not committed, at which reading pauses. Default: 20,000. */
  readonly maxQueued?: number;
  /** Bytes of such messages at which reading pauses. Default: 64 MiB. */
  readonly maxQueuedBytes?: number;
  /**
   * Where the node's metrics go (docs/metrics.md lists them): a provider of the OpenTelemetry SDK, or `off`. Default: the global provider, which must be
   * registered before; without one nothing is measured for it.
   */
  readonly metrics?: MeterProvider | "off";
  /**
   * Limits of the dead letters of the space, kept by the owners of the partitions: all nodes should have the same. There are none by default, since a letter is a message
   * that somebody was promised not to lose.
   */
  readonly deadLetters?: DeadLetterLimits;
  /**
   * A message becomes a dead letter of reason `crashed` when so many processes came to their end while they handled it, after the first that made it suspect;
   * the last one while nothing else was suspect there. `Infinity`: never. Default: 3.
   */
  readonly maxCrashes?: number;
  /**
   * Watches the event loop from another thread. When it has stood still for `after`, a line on standard error says so and names the message that is being
   * handled; `then: "kill"` ends the process too, so that its partitions go on elsewhere. A duration alone tells. While a debugger is attached at the start
   * nothing is watched. Default: 10 seconds, tell.
   */
  readonly watchdog?: DurationInput | { readonly after?: DurationInput; readonly then?: "tell" | "kill" } | "off";
  /** Receives what the node has to say. Default: warnings and errors go to standard error. */
  readonly onEvent?: (event: NodeEvent) => void;
  /**
   * Called for each message that this node has made a dead letter of, once it is committed: for an alert. It is lost when the process dies in between; what must
   * not miss any listens to `client.deadLetters.on`, from where it was.
   */
  readonly onDeadLetter?: (event: DeadLetteredEvent) => unknown;
}

/** Limits of the dead letters of a space. What is beyond them is closed, the oldest first, told, and removed later. */
export interface DeadLetterLimits {
  /** Dead letters that are older are closed. Default: no limit. */
  readonly maxAge?: DurationInput;
  /** How many there may be. Each partition has its share of it. Default: no limit. */
  readonly maxCount?: number;
  /** How many bytes they may take. Each partition has its share of it. Default: no limit. */
  readonly maxBytes?: number;
  /** How long letters that are closed (redriven, dropped, or beyond a limit) can be read before they are removed. Default: 7 days. */
  readonly closedAfter?: DurationInput;
}

/** A node that runs in this process. */
export interface StatewrightNode {
  readonly name: string;
  /** The names of the activities that the node works on. */
  readonly activities: readonly string[];
  /** A client of the same space over the node's own connection. */
  readonly client: Client;
  /** Rejects when the node cannot go on by itself: its space was deleted or recreated, or its permissions were revoked. */
  readonly failed: Promise<never>;
  stats(): NodeStats;
  /**
   * Stops reading, commits what is decided, hands the partitions over and closes the connection. Attempts of activities may end within `drain`;
   * what is left is interrupted, and given back for other nodes to take at once. Safe to call twice.
   */
  stop(): Promise<void>;
}

const durations = {
  lease: "leaseMs",
  checkpointEvery: "checkpointMs",
  purgeEvery: "purgeMs",
  keyRetention: "keyRetentionMs",
  topicRetention: "topicRetentionMs",
  passivateAfter: "passivateMs",
  drain: "drainMs",
} as const satisfies Partial<Record<keyof NodeOptions, keyof NodeSettings>>;
const sizes = ["cacheBytes", "maxQueued", "maxQueuedBytes", "maxActivities"] as const;
const defaultWatchdogMs = 10_000;
const leastWatchdogMs = 50;
const nodeOptionNames = [
  "maxCrashes",
  "watchdog",

  "actors",
  "activities",
  "name",
  "metrics",
  "onEvent",
  "onDeadLetter",
  "deadLetters",
  ...Object.keys(durations),
  ...sizes,
];

/**
 * Starts a node: opens the space (making it when there is none), takes its share of the partitions and runs their actors, and works on activities.
 *
 * Resolves when the node takes part in the space; its first partitions open within the next moments.
 *
 * *Errors*: `InvalidOptionsError`, and those of opening a space: `LogUnavailableError`, `NotAuthorizedError`, `SpaceConfigError`,
 * `SpaceIdentityError`, `InvalidNameError`.
 */
export async function startNode(options: NodeOptions): Promise<StatewrightNode> {
  const { settings, activities, watchdog } = readOptions(options);
  let watching: Watchdog | undefined;
  const name = options.name ?? `${hostname().slice(0, 40)}-${process.pid}-${Math.random().toString(36).slice(2, 6)}`;
  toToken(name, "a node name");
  const opened = await openSpaceLog(options, nodeOptionNames, "Cannot start a node", `statewright node ${name}`);
  try {
    const spaceName = options.space ?? defaultSpace;
    const onEvent = options.onEvent ?? logToStderr;
    // A debugger stops the loop too.
    if (watchdog !== undefined && inspectorUrl() === undefined)
      watching = startWatchdog({ node: name, ...watchdog, onEvent });
    const node = new ActorNode({
      log: opened.log,
      spaceName,
      space: opened.space,
      definitions: options.actors,
      work: { activities, workQueue: opened.workQueue, ingressLimits: opened.ingressLimits },
      node: name,
      settings,
      onEvent,
      ...(watching === undefined ? {} : { watch: watching.watch }),
      fault: faultFromEnvironment() ?? noFaults,
      ...(options.onDeadLetter === undefined ? {} : { onDeadLetter: options.onDeadLetter }),
    });
    const client = createClient({
      log: opened.log,
      space: opened.space,
      spaceName,
      sender: name,
      time: systemTime,
      actors: options.actors,
    });
    const unmeasure = await measure(node, options.metrics, { space: spaceName, node: name });
    node.failed.catch(unmeasure);
    try {
      await node.start();
    } catch (error) {
      unmeasure();
      throw error;
    }
    let stopping: Promise<void> | undefined;
    const stop = async (): Promise<void> => {
      await node.stop();
      unmeasure();
      watching?.stop();
      await client.close();
      await opened.close();
    };
    return {
      name,
      activities: activities.map((activity) => activity.name).sort(),
      client,
      failed: node.failed,
      stats: () => node.stats(),
      stop: () => {
        stopping ??= stop();
        return stopping;
      },
    };
  } catch (error) {
    watching?.stop();
    await opened.close();
    throw error;
  }
}

/** Loaded only here: a process that has clients and no node needs no metrics. */
async function measure(
  node: ActorNode,
  provider: NodeOptions["metrics"],
  names: { readonly space: string; readonly node: string },
): Promise<() => void> {
  if (provider === "off") return () => {};
  const { globalProvider, registerMetrics } = await import("./metrics.ts");
  return registerMetrics(node, provider ?? globalProvider(), names);
}

function readOptions(options: NodeOptions): {
  readonly settings: Partial<NodeSettings>;
  readonly activities: readonly RunnableActivity[];
  readonly watchdog: Pick<WatchdogParts, "afterMs" | "then"> | undefined;
} {
  const problems: string[] = [];
  const settings: Partial<Record<keyof NodeSettings, number>> = {};
  if (!Array.isArray(options.actors)) problems.push("actors is no list: use definitions made by defineActor");
  else {
    const types = new Set<string>();
    options.actors.forEach((actor, i) => {
      if (!isActorDefinition(actor)) problems.push(`actors[${i}] is not a definition made by defineActor`);
      else if (types.has(actor.type)) problems.push(`actors[${i}] defines "${actor.type}" a second time`);
      else types.add(actor.type);
    });
  }
  const { metrics } = options;
  if (metrics !== undefined && metrics !== "off" && typeof metrics?.getMeter !== "function")
    problems.push(`metrics is ${shown(metrics)}: use a MeterProvider of OpenTelemetry, or "off"`);
  const activities = problems.length > 0 ? [] : activitiesFor(options.actors, options.activities, problems);
  if (problems.length === 0 && options.actors.length === 0 && activities.length === 0)
    problems.push(
      "actors is empty, and so is activities: name at least one definition made by defineActor or defineActivity",
    );
  for (const [option, setting] of Object.entries(durations) as Array<[keyof typeof durations, keyof NodeSettings]>) {
    const value = options[option];
    if (value === undefined) continue;
    const ms = durationMs(value, option, problems);
    if (ms !== undefined) settings[setting] = ms;
  }
  for (const option of sizes) {
    const value = options[option];
    if (value === undefined) continue;
    const least = option === "maxActivities" ? 1 : 0;
    if (!Number.isSafeInteger(value) || value < least)
      problems.push(`${option} is ${String(value)}: use a whole number from ${least}`);
    else settings[option] = value;
  }
  readDeadLetterLimits(options.deadLetters, settings, problems);
  if (settings.leaseMs !== undefined) {
    if (settings.leaseMs < 300) problems.push(`lease is ${settings.leaseMs} ms: use at least 300 ms`);
    settings.heartbeatMs = Math.min(defaultSettings.heartbeatMs, Math.round(settings.leaseMs / 4));
  }
  if (options.onDeadLetter !== undefined && typeof options.onDeadLetter !== "function")
    problems.push(`onDeadLetter is ${shown(options.onDeadLetter)}: use a function`);
  const { maxCrashes } = options;
  if (maxCrashes !== undefined) {
    if (maxCrashes === Number.POSITIVE_INFINITY || (Number.isSafeInteger(maxCrashes) && maxCrashes >= 1))
      settings.maxCrashes = maxCrashes;
    else problems.push(`maxCrashes is ${shown(maxCrashes)}: use a whole number from 1, or Infinity`);
  }
  const watchdog = readWatchdog(options.watchdog, problems);
  refuseProblems("Cannot start a node", problems);
  return { settings, activities, watchdog };
}

function readWatchdog(
  given: NodeOptions["watchdog"],
  problems: string[],
): Pick<WatchdogParts, "afterMs" | "then"> | undefined {
  if (given === "off") return undefined;
  const isChoice = typeof given === "object" && given !== null && ("after" in given || "then" in given);
  const { after = defaultWatchdogMs, then = "tell" } = isChoice
    ? (given as { readonly after?: DurationInput; readonly then?: "tell" | "kill" })
    : { after: given as DurationInput | undefined };
  if (then !== "tell" && then !== "kill") problems.push(`watchdog.then is ${shown(then)}: use "tell" or "kill"`);
  const afterMs = durationMs(after, isChoice ? "watchdog.after" : "watchdog", problems);
  if (afterMs === undefined) return undefined;
  if (afterMs < leastWatchdogMs) problems.push(`watchdog is ${afterMs} ms: use at least ${leastWatchdogMs} ms`);
  return { afterMs, then };
}

function readDeadLetterLimits(
  limits: unknown,
  settings: Partial<Record<keyof NodeSettings, number>>,
  problems: string[],
): void {
  if (limits === undefined) return;
  if (typeof limits !== "object" || limits === null) {
    problems.push(`deadLetters is ${shown(limits)}: use { maxAge, maxCount, maxBytes, closedAfter }`);
    return;
  }
  problems.push(...unknownOptions(limits, ["maxAge", "maxCount", "maxBytes", "closedAfter"], "deadLetters"));
  const { maxAge, maxCount, maxBytes, closedAfter } = limits as DeadLetterLimits;
  for (const [option, setting, value] of [
    ["maxAge", "letterMaxAgeMs", maxAge],
    ["closedAfter", "closedLettersMs", closedAfter],
  ] as const) {
    const ms = value === undefined ? undefined : durationMs(value, `deadLetters.${option}`, problems);
    if (ms !== undefined) settings[setting] = ms;
  }
  for (const [option, setting, value] of [
    ["maxCount", "letterMaxCount", maxCount],
    ["maxBytes", "letterMaxBytes", maxBytes],
  ] as const) {
    if (value === undefined) continue;
    if (!Number.isSafeInteger(value) || value < 1)
      problems.push(`deadLetters.${option} is ${shown(value)}: use a whole number from 1`);
    else settings[setting] = value;
  }
}

function logToStderr(event: NodeEvent): void {
  if (event.level === "warn" || event.level === "error")
    process.stderr.write(`${event.level} ${event.name}: ${event.message}\n`);
}

/**
 * `STATEWRIGHT_FAULT=<point>[:<n>]` makes the process kill itself (SIGKILL) when it comes to the fault point for the n-th time:
 * for tests of what a crash at that instant does.
 */
function faultFromEnvironment(): FaultHook | undefined {
  const wanted = process.env.STATEWRIGHT_FAULT;
  if (wanted === undefined || wanted === "") return undefined;
  const [point, count = "1"] = wanted.split(":");
  refuseProblems(
    "Cannot start a node",
    (faultPoints as readonly string[]).includes(point as string) && Number(count) >= 1
      ? []
      : [`STATEWRIGHT_FAULT is "${wanted}": use one of ${faultPoints.join(", ")}, with ":n" for the n-th time`],
  );
  let left = Number(count);
  return (reached) => {
    if (reached === point && --left <= 0) process.kill(process.pid, "SIGKILL");
  };
}

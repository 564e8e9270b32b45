/**
 * `statewright run`: an actor node in the foreground.
 *
 * 1. The first SIGTERM or SIGINT ends it in order: what is decided is committed, the partitions are handed over, exit code 0.
 * 2. A second signal ends the process at once; what it was doing is safe, since the next owner goes on from the log.
 * 3. Exit code 1 means that the node did not start, or could not go on.
 * 4. With `--workers` this process only looks after others that do the same without it: see `workers.ts`.
 */
import { constants } from "node:os";
import { defaultSpace } from "../../actors/space-options.ts";
import { type NodeOptions, type StatewrightNode, startNode } from "../../actors/start-node.ts";
import { type ConnectionFlags, readConnection, whereOf } from "../connection-flags.ts";
import { type ExitCode, exitCodeOf, exitCodes } from "../exit-codes.ts";
import { type Definitions, loadDefinitions } from "../load-definitions.ts";
import { type LogFormat, type LogLevel, NodeLog } from "../node-log.ts";
import type { Io } from "../terminal.ts";
import { startedAsWorker, tellParent } from "../worker-channel.ts";
import { isFinal, runWorkers } from "./workers.ts";

/** What the options of `run` hold. */
export interface RunFlags extends ConnectionFlags {
  readonly name?: string;
  readonly partitions?: number;
  readonly historyDepth?: number;
  readonly replicas?: number;
  readonly lease?: number;
  readonly syncAlways?: boolean;
  /** True: only activities. False: none. */
  readonly activities?: boolean;
  readonly maxActivities?: number;
  readonly drain?: number;
  /** So many processes, each a node. */
  readonly workers?: number;
  readonly maxCrashes?: number;
  readonly watchdog?: number | "off";
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

/** What `run` tells `statewright dev`, which started it. */
export interface UpMessage {
  readonly kind: "up";
  readonly node: string;
  readonly types: ReadonlyArray<{
    readonly type: string;
    readonly event: string | undefined;
    readonly needsCreate: boolean;
  }>;
}

/** Set by `statewright dev`: the node tells when it is up, and ends with the process that started it. */
export const startedByDev = "STATEWRIGHT_STARTED_BY_DEV";

/** Runs a node, or several processes that each are one, until it is stopped or fails. */
export async function run(modules: readonly string[], flags: RunFlags, io: Io): Promise<ExitCode> {
  if (flags.workers !== undefined) return runWorkers(modules, { ...flags, workers: flags.workers }, io);
  if (io.env[startedAsWorker] !== "1") return runNode(modules, flags, io);
  try {
    return await runNode(modules, flags, io);
  } catch (error) {
    await tellParent({ kind: "failed", code: exitCodeOf(error), isFinal: isFinal(error) });
    throw error;
  }
}

async function runNode(modules: readonly string[], flags: RunFlags, io: Io): Promise<ExitCode> {
  const isDev = io.env[startedByDev] === "1";
  const isWorker = io.env[startedAsWorker] === "1";
  const stop = whenToStop(isDev || isWorker);
  const connection = readConnection(flags, io.env);
  const { actors, activities } = chosen(await loadDefinitions(modules, io.cwd), flags.activities);
  const log = new NodeLog(io.out, flags.logLevel, flags.logFormat);
  const space = flags.space ?? defaultSpace;
  const node = await startNode({
    ...connection,
    space,
    actors,
    activities,
    warn: (line) => log.event({ level: "warn", name: "space.warning", message: line }),
    onEvent: (event) => log.event(event),
    ...(flags.name === undefined ? {} : { name: flags.name }),
    ...(flags.partitions === undefined ? {} : { partitions: flags.partitions }),
    ...(flags.historyDepth === undefined ? {} : { historyDepth: flags.historyDepth }),
    ...(flags.replicas === undefined ? {} : { replicas: flags.replicas }),
    ...(flags.lease === undefined ? {} : { lease: flags.lease }),
    ...(flags.maxActivities === undefined ? {} : { maxActivities: flags.maxActivities }),
    ...(flags.drain === undefined ? {} : { drain: flags.drain }),
    ...(flags.maxCrashes === undefined ? {} : { maxCrashes: flags.maxCrashes }),
    // Nobody is asked whether what stands still may be ended: whoever runs the process starts it again.
    // biome-ignore lint/suspicious/noThenProperty: it is a word and no function, so nothing takes the options for a promise
    watchdog: flags.watchdog === "off" ? "off" : { after: flags.watchdog ?? "10 seconds", then: "kill" },
    ...(flags.syncAlways === true ? { assumeSyncAlways: true } : {}),
  });
  if (isWorker) await tellParent({ kind: "up" });
  const types = actors.map(({ type }) => type).sort();
  const worksOn = node.activities;
  if (isDev) {
    process.send?.({
      kind: "up",
      node: node.name,
      types: actors.map(({ type, eventTypes, needsCreate }) => ({ type, event: eventTypes?.[0], needsCreate })),
    } satisfies UpMessage);
  } else {
    log.say(
      "node.up",
      `Node ${node.name} is up in space "${space}" at ${whereOf(connection)}, with ${described(types, worksOn)}.`,
      {
        node: node.name,
        space,
        servers: connection.servers.map((server) => whereOf({ servers: [server] })),
        types,
        activities: worksOn,
      },
    );
  }
  const failure = await Promise.race([stop, failed(node)]);
  if (failure instanceof Error) {
    // The node lets go by itself; its connection may be beyond closing.
    await Promise.race([node.stop().catch(() => {}), new Promise((resolve) => setTimeout(resolve, 2000).unref())]);
    log.flush();
    throw failure;
  }
  log.flush();
  if (isDev) {
    await node.stop();
    return exitCodes.ok;
  }
  log.say("node.stopping", `${failure}: finishing what has been decided. Another signal ends the node at once.`);
  await node.stop();
  log.flush();
  log.say("node.stopped", `Node ${node.name} is stopped.`, { node: node.name });
  return exitCodes.ok;
}

/** What of the modules' definitions the node runs. */
function chosen(
  { actors, activities }: Definitions,
  choice: boolean | undefined,
): Required<Pick<NodeOptions, "actors" | "activities">> {
  if (choice === true) return { actors: [], activities: [...activities, ...actors] };
  return { actors, activities: choice === false ? "none" : activities };
}

function described(types: readonly string[], activities: readonly string[]): string {
  const listed = (what: string, whats: string, names: readonly string[]): string[] =>
    names.length === 0 ? [] : [`${names.length === 1 ? what : whats} ${names.join(", ")}`];
  return [...listed("actor type", "actor types", types), ...listed("activity", "activities", activities)].join(" and ");
}

async function failed(node: StatewrightNode): Promise<Error> {
  try {
    return await node.failed;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Resolves with the name of the first signal; the second one ends the process. */
function whenToStop(isChild: boolean): Promise<string> {
  return new Promise((resolve) => {
    let signals = 0;
    const onSignal = (signal: NodeJS.Signals) => {
      signals++;
      if (signals > 1) process.exit(128 + (constants.signals[signal] ?? 0));
      resolve(signal);
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
    if (!isChild) return;
    // The process that started this one has gone without a word; or had, before anybody listened.
    process.on("disconnect", () => resolve("disconnect"));
    if (!process.connected) resolve("disconnect");
  });
}

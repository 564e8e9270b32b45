/** The options with which a process opens a space: where the broker is, who connects, and what a new space is like. */

import type { TlsSettings } from "../runtime/jetstream/connection.ts";
import { type JetStreamLog, openJetStreamLog } from "../runtime/jetstream/jetstream-log.ts";
import { durationMs, refuseProblems, unknownOptions } from "../runtime/supervise/check-options.ts";
import type { DurationInput } from "./client/context.ts";

/** Where the broker is, who connects, and which space; all have defaults. */
export interface SpaceOptions {
  /** Name of the space: a lower-case letter, then at most 31 lower-case letters, digits or "-". Default: `default`. */
  readonly space?: string;
  /** `nats://host:port`, one or several of one cluster. Default: the variable `STATEWRIGHT_NATS`, else `nats://127.0.0.1:4222`. */
  readonly servers?: string | readonly string[];
  /** Path of a credentials file (user JWT and key). */
  readonly credsFile?: string;
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
  readonly tls?: TlsSettings;
  /** Subject prefix for answers, for servers that pin it per user. Default: `_INBOX`. */
  readonly inboxPrefix?: string;
  /** JetStream domain, for leaf nodes. */
  readonly domain?: string;
  /** Makes the space when it does not exist. Default: true; false where a mistyped name should be an error. */
  readonly createSpace?: boolean;
  /** How many partitions a new space gets. Default: 16. An existing space with another number is refused. */
  readonly partitions?: number;
  /** How many states of an actor a new space keeps. Default: 16. An existing space with another number is refused. */
  readonly historyDepth?: number;
  /** How many servers of a cluster keep the records of a new space. Default: 1. */
  readonly replicas?: number;
  /** Most bytes of messages and states. Default: 16 GiB, or what the server has room for. */
  readonly maxCoreBytes?: number;
  /** Most bytes of messages from clients. Default: a quarter of `maxCoreBytes`. */
  readonly maxIngressBytes?: number;
  /** How long to wait for an answer of the broker. Default: 5 seconds. */
  readonly requestTimeout?: DurationInput;
  /** The caller knows that the server runs with `sync_interval: always`, as the embedded one does; no warning is given then. */
  readonly assumeSyncAlways?: boolean;
  /** Receives a line for everything an operator should know and that does not stop the space. Default: standard error. */
  readonly warn?: (line: string) => void;
}

/** The names of all {@link SpaceOptions}. */
const spaceOptionNames = [
  "space",
  "servers",
  "credsFile",
  "user",
  "pass",
  "token",
  "tls",
  "inboxPrefix",
  "domain",
  "createSpace",
  "partitions",
  "historyDepth",
  "replicas",
  "maxCoreBytes",
  "maxIngressBytes",
  "requestTimeout",
  "assumeSyncAlways",
  "warn",
] as const satisfies ReadonlyArray<keyof SpaceOptions>;

/** The space that is used when none is named. */
export const defaultSpace = "default";

const counts = ["partitions", "historyDepth", "replicas", "maxCoreBytes", "maxIngressBytes"] as const;

/** Checks the options and opens the space; `attempted` begins the message of what is refused, as in `Cannot connect`. */
export async function openSpaceLog(
  options: SpaceOptions,
  alsoKnown: readonly string[],
  attempted: string,
  name: string,
): Promise<JetStreamLog> {
  const problems = unknownOptions(options, [...spaceOptionNames, ...alsoKnown], "");
  for (const count of counts) {
    const value = options[count];
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 1))
      problems.push(`${count} is ${String(value)}: use a whole number from 1`);
  }
  if (options.partitions !== undefined && options.partitions > 1024)
    problems.push(`partitions is ${options.partitions}: use at most 1024`);
  if (options.historyDepth !== undefined && options.historyDepth > 64)
    problems.push(`historyDepth is ${options.historyDepth}: use at most 64`);
  const requestTimeoutMs =
    options.requestTimeout === undefined ? undefined : durationMs(options.requestTimeout, "requestTimeout", problems);
  refuseProblems(attempted, problems);
  const { requestTimeout, servers, space, warn, ...rest } = options;
  const given = Object.fromEntries(
    Object.entries(rest).filter(
      ([key, value]) => value !== undefined && (spaceOptionNames as readonly string[]).includes(key),
    ),
  );
  const where = servers ?? process.env.STATEWRIGHT_NATS;
  return openJetStreamLog({
    ...given,
    name,
    space: space ?? defaultSpace,
    warn: warn ?? ((line) => process.stderr.write(`${line}\n`)),
    ...(where === undefined ? {} : { servers: where }),
    ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
  });
}

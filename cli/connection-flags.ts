/** Connection flags: where the broker is and who connects, as the command line and its environment say it. */
import { InvalidOptionsError } from "../runtime/core/errors.ts";

/** What the connection options of a command hold. */
export interface ConnectionFlags {
  readonly nats?: string;
  readonly space?: string;
  readonly creds?: string;
  readonly user?: string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsFirst?: boolean;
  readonly inboxPrefix?: string;
  readonly domain?: string;
  readonly verbose?: boolean;
}

/** The part of the library's options that says where the broker is and who connects. */
export interface ReadConnection {
  readonly servers: readonly string[];
  readonly credsFile?: string;
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
  readonly tls?: {
    readonly caFile?: string;
    readonly certFile?: string;
    readonly keyFile?: string;
    readonly handshakeFirst?: boolean;
  };
  readonly inboxPrefix?: string;
  readonly domain?: string;
}

const defaultServer = "nats://127.0.0.1:4222";

/**
 * Reads the flags.
 *
 * Details: password and token come from `STATEWRIGHT_PASSWORD` and `STATEWRIGHT_TOKEN` only: arguments are seen by everyone on the machine.
 *
 * Errors: `InvalidOptionsError` when two ways to log in are asked for, or half of one.
 */
export function readConnection(
  flags: ConnectionFlags,
  env: Readonly<Record<string, string | undefined>>,
): ReadConnection {
  const problems: string[] = [];
  const { creds, user, tlsCa, tlsCert, tlsKey, tlsFirst, inboxPrefix, domain } = flags;
  const servers = (flags.nats ?? env.STATEWRIGHT_NATS ?? defaultServer)
    .split(",")
    .map((server) => server.trim())
    .filter((server) => server !== "");
  const pass = env.STATEWRIGHT_PASSWORD || undefined;
  const token = env.STATEWRIGHT_TOKEN || undefined;
  if (servers.length === 0) problems.push("--nats is empty: use nats://host:port");
  if (creds !== undefined && user !== undefined) problems.push("--creds and --user exclude each other");
  if (user !== undefined && pass === undefined) problems.push("--user needs its password in STATEWRIGHT_PASSWORD");
  if ((tlsCert === undefined) !== (tlsKey === undefined)) problems.push("--tls-cert and --tls-key belong together");
  if (problems.length > 0) {
    throw new InvalidOptionsError(`Cannot connect: ${problems.join("; ")}.`, { details: { problems } });
  }
  const tls = {
    ...(tlsCa === undefined ? {} : { caFile: tlsCa }),
    ...(tlsCert === undefined ? {} : { certFile: tlsCert }),
    ...(tlsKey === undefined ? {} : { keyFile: tlsKey }),
    ...(tlsFirst === true ? { handshakeFirst: true } : {}),
  };
  return {
    servers,
    ...(creds === undefined ? {} : { credsFile: creds }),
    ...(user === undefined || pass === undefined ? {} : { user, pass }),
    ...(token === undefined || user !== undefined || creds !== undefined ? {} : { token }),
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
    ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
    ...(domain === undefined ? {} : { domain }),
  };
}

/** Names the servers, without the secrets that their addresses may hold. */
export function whereOf({ servers }: Pick<ReadConnection, "servers">): string {
  return servers.map((server) => server.replace(/^([a-z+]+:\/\/)?[^@/]*@/i, "$1")).join(", ");
}

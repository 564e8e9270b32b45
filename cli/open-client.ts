/** Opens a client for one command, and closes it whatever happens. */
import { type Client, createClient } from "../actors/client.ts";
import { defaultSpace } from "../actors/space-options.ts";
import { isStatewrightError, LogUnavailableError, SpaceConfigError } from "../runtime/core/errors.ts";
import { Subjects } from "../runtime/core/subjects.ts";
import { systemTime } from "../runtime/core/time.ts";
import { type JetStreamLog, openJetStreamLog } from "../runtime/jetstream/jetstream-log.ts";
import type { Log } from "../runtime/log/log.ts";
import { type ConnectionFlags, readConnection, whereOf } from "./connection-flags.ts";
import type { Io } from "./terminal.ts";

/** How long a command waits for the server and the space. */
const patienceMs = 5000;

/** What a command wants of its client. */
export interface ClientWishes {
  readonly sender?: string;
  readonly allowUnknownTypes?: boolean;
}

/**
 * Runs `use` with a client of an existing space.
 *
 * Details: a command never makes a space: a mistyped name would become an empty space that looks like lost data.
 *
 * Errors: `LogUnavailableError` within 5 seconds when there is no server or it does not answer, `NotAuthorizedError`, `SpaceConfigError`
 * (`details.missing` is `space` when there is none of this name), and what `use` throws.
 */
export function withClient<T>(
  flags: ConnectionFlags,
  io: Io,
  use: (client: Client) => Promise<T>,
  wishes: ClientWishes = {},
): Promise<T> {
  return withSpace(flags, io, ({ client }) => use(client), wishes);
}

/** A space, as a command sees it that looks into its log. */
export interface OpenSpace {
  readonly client: Client;
  readonly log: Log;
  readonly subjects: Subjects;
  readonly partitions: number;
}

/** As {@link withClient}, with the log below the client. */
export async function withSpace<T>(
  flags: ConnectionFlags,
  io: Io,
  use: (space: OpenSpace) => Promise<T>,
  wishes: ClientWishes = {},
): Promise<T> {
  const opened = await openLog(flags, io);
  const spaceName = flags.space ?? defaultSpace;
  const client = createClient({
    log: opened.log,
    space: opened.space,
    spaceName,
    time: systemTime,
    sender: wishes.sender ?? "cli",
    allowUnknownTypes: wishes.allowUnknownTypes ?? false,
    onClose: () => opened.close(),
  });
  try {
    const { log, space } = opened;
    return await use({ client, log, subjects: new Subjects(spaceName), partitions: space.partitions });
  } finally {
    await client.close({ timeout: 1000 });
  }
}

async function openLog(flags: ConnectionFlags, io: Io): Promise<JetStreamLog> {
  const connection = readConnection(flags, io.env);
  const where = whereOf(connection);
  const space = flags.space ?? defaultSpace;
  const opening = openJetStreamLog({
    ...connection,
    space,
    name: "statewright cli",
    createSpace: false,
    ...(flags.verbose === true ? { warn: (line: string) => io.err.write(`${line}\n`) } : {}),
  });
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      // Should it come after all, nobody wants it any more.
      opening.then(
        (late) => late.close(),
        () => {},
      );
      reject(
        new LogUnavailableError(
          `Cannot connect to ${where}: no answer within ${patienceMs / 1000} seconds. Check the address (--nats, STATEWRIGHT_NATS), and that the server runs with JetStream.`,
          { details: { servers: where } },
        ),
      );
    }, patienceMs);
  });
  try {
    return await Promise.race([opening, patience]);
  } catch (error) {
    if (isStatewrightError(error) && error._tag === "SpaceConfigError" && error.details.missing === "space") {
      throw new SpaceConfigError(
        `Cannot open the space "${space}": there is none of this name at ${where}. The first node of a space makes it; name another with --space.`,
        { cause: error, details: { missing: "space", space } },
      );
    }
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Finds or makes the two streams of a space, and refuses to work on ones that are not safe or not the same as before.
 *
 * 1. CORE is made before INGRESS, and the space record is the first record of CORE: so what is missing tells what happened.
 * 2. Two processes that make the same space at once end with the same streams and the same record.
 * 3. A space whose streams were deleted, recreated or reconfigured is refused in words; nothing is overwritten.
 */
import { SpaceConfigError, SpaceIdentityError } from "../core/errors.ts";
import { decodeRecord, encodeRecord, recordFormat, type SpaceRecord } from "../core/records.ts";
import type { StreamName, Subjects } from "../core/subjects.ts";
import { type AccountInfo, callApi, type StreamInfo } from "./api.ts";
import { BatchWriter } from "./batch-writer.ts";
import type { Connection } from "./connection.ts";
import { readLast } from "./reads.ts";
import { type ServerError, serverCodes } from "./server-codes.ts";
import { findDifferences, findRepairs, type StreamSettings, streamConfig } from "./stream-config.ts";
import { findStream, type StreamBinding, streamNameOf } from "./stream-identity.ts";

/** What a space is made with; asked for explicitly, or chosen here. */
export interface SpaceOptions {
  readonly space: string;
  readonly partitions?: number;
  readonly historyDepth?: number;
  readonly replicas?: number;
  readonly maxCoreBytes?: number;
  readonly maxIngressBytes?: number;
  readonly atomicIngress?: boolean;
  readonly createSpace?: boolean;
  readonly warn?: (line: string) => void;
}

/** A space that is safe to work on. */
export interface OpenSpace {
  readonly record: SpaceRecord;
  readonly core: StreamBinding;
  readonly ingress: StreamBinding;
  /** Longest record either stream accepts, when it is limited. */
  readonly maxRecordBytes: Readonly<Record<StreamName, number | undefined>>;
}

const defaultPartitions = 16;
const defaultHistoryDepth = 16;
const mebibyte = 1024 * 1024;
const smallestStreamBytes = 16 * mebibyte;
/**
 * Tried one after the other, since the server does not say how much room it has: CORE, INGRESS. What a stream may grow to is
 * reserved on the server, so the first is not too large: other spaces need room too.
 */
const sizesToTry: ReadonlyArray<readonly [number, number]> = [4096, 1024, 256, 64].map((core) => [
  core * mebibyte,
  (core / 4) * mebibyte,
]);

/**
 * Opens the space, makes it when it is missing.
 *
 * *Errors*: `SpaceConfigError`, `SpaceIdentityError`, `NotAuthorizedError`, `LogUnavailableError`.
 */
export async function openSpace(connection: Connection, subjects: Subjects, options: SpaceOptions): Promise<OpenSpace> {
  checkOptions(options);
  const account = await readAccount(connection);
  const names = { core: streamNameOf(options.space, "core"), ingress: streamNameOf(options.space, "ingress") };
  // INGRESS first: it is made last, so when it is there CORE must be.
  const found = {
    ingress: await findStream(connection, names.ingress),
    core: await findStream(connection, names.core),
  };
  if (found.core === undefined && found.ingress !== undefined) {
    throw new SpaceIdentityError(
      `Cannot open the space "${options.space}": its stream ${names.core} is gone, ${names.ingress} is still there. Restore ${names.core} from a backup; to start again from nothing, delete ${names.ingress} too.`,
      { details: { missing: names.core } },
    );
  }
  const record = found.core === undefined ? undefined : await readSpaceRecord(connection, subjects, names.core);
  // Looked up before the record, it may have been made in between; after the record it must be there.
  if (record !== undefined) found.ingress ??= await findStream(connection, names.ingress);
  if (record !== undefined && found.ingress === undefined) {
    throw new SpaceIdentityError(
      `Cannot open the space "${options.space}": its stream ${names.ingress} is gone, ${names.core} is still there. Restore ${names.ingress} from a backup: cursors in ${names.core} count on its sequences.`,
      { details: { missing: names.ingress } },
    );
  }
  if (record === undefined) refuseHeadless(options.space, found, names);
  let streams: { core: StreamInfo; ingress: StreamInfo };
  if (found.core === undefined || found.ingress === undefined) {
    streams = await makeStreams(connection, subjects, options, names, account, found.core);
  } else {
    streams = { core: found.core, ingress: found.ingress };
  }
  const stored = record ?? (await writeSpaceRecord(connection, subjects, options, streams));
  checkRecord(options, stored, streams);
  await checkStreams(connection, subjects, options, stored, streams);
  checkAccount(options, account, streams);
  const bindingOf = (role: StreamName): StreamBinding => ({ role, name: names[role], identity: streams[role].created });
  return {
    record: stored,
    core: bindingOf("core"),
    ingress: bindingOf("ingress"),
    maxRecordBytes: { core: recordLimit(streams.core), ingress: recordLimit(streams.ingress) },
  };
}

function checkOptions(options: SpaceOptions): void {
  const problems: string[] = [];
  const whole = (name: string, value: number | undefined, from: number, to: number): void => {
    if (value !== undefined && (!Number.isInteger(value) || value < from || value > to)) {
      problems.push(`${name} is ${value}, it must be a whole number from ${from} to ${to}`);
    }
  };
  whole("partitions", options.partitions, 1, 1024);
  whole("historyDepth", options.historyDepth, 1, 64);
  whole("replicas", options.replicas, 1, 5);
  whole("maxCoreBytes", options.maxCoreBytes, smallestStreamBytes, Number.MAX_SAFE_INTEGER);
  whole("maxIngressBytes", options.maxIngressBytes, smallestStreamBytes, Number.MAX_SAFE_INTEGER);
  if (problems.length > 0) {
    throw new SpaceConfigError(`Cannot open the space "${options.space}": ${problems.join("; ")}.`, {
      details: { problems },
    });
  }
}

async function readAccount(connection: Connection): Promise<AccountInfo | undefined> {
  const what = "look up the account's limits";
  const answer = await callApi<AccountInfo>(connection, what, "INFO");
  if (answer.error === undefined) return answer.value;
  const { err_code: code, description } = answer.error;
  throw new SpaceConfigError(
    code === serverCodes.notEnabled || code === serverCodes.notEnabledForAccount
      ? `Cannot use ${connection.address}: ${description}. Enable JetStream in its configuration ("jetstream { store_dir: … }") and for the account.`
      : `Cannot ${what}: ${description} (${code}).`,
    { details: { code } },
  );
}

async function readSpaceRecord(
  connection: Connection,
  subjects: Subjects,
  core: string,
): Promise<SpaceRecord | undefined> {
  const stored = await readLast(connection, core, subjects.config());
  return stored === undefined ? undefined : decodeRecord<SpaceRecord>(`the space record in ${core}`, stored.data);
}

/** Refuses streams without a space record that cannot be ones whose making was interrupted. */
function refuseHeadless(
  space: string,
  found: { readonly core: StreamInfo | undefined; readonly ingress: StreamInfo | undefined },
  names: Readonly<Record<StreamName, string>>,
): void {
  const why =
    found.core !== undefined && found.core.state.last_seq > 0
      ? `${names.core} has records but no space record, which is always its first one`
      : found.ingress !== undefined && found.ingress.state.last_seq > 0
        ? `${names.ingress} has records, but ${names.core} was never used: it was recreated`
        : undefined;
  if (why !== undefined) {
    throw new SpaceIdentityError(
      `Cannot open the space "${space}": ${why}. Restore the streams from a backup, or delete both to start from nothing.`,
    );
  }
}

async function makeStreams(
  connection: Connection,
  subjects: Subjects,
  options: SpaceOptions,
  names: Readonly<Record<StreamName, string>>,
  account: AccountInfo | undefined,
  existingCore: StreamInfo | undefined,
): Promise<{ core: StreamInfo; ingress: StreamInfo }> {
  if (options.createSpace === false) {
    throw new SpaceConfigError(
      `Cannot open the space "${options.space}": it does not exist at ${connection.address}. Start a node first, or allow creation with createSpace.`,
      { details: { missing: "space", space: options.space } },
    );
  }
  const make = (role: StreamName, maxBytes: number): Promise<StreamInfo | ServerError> =>
    makeStream(connection, names[role], role, {
      subjects: subjects.streamSubjects(role, options.partitions ?? defaultPartitions),
      historyDepth: options.historyDepth ?? defaultHistoryDepth,
      replicas: options.replicas ?? 1,
      maxBytes,
      isAtomic: options.atomicIngress ?? true,
    });
  const attempts = sizesFor(options, account);
  let refusal: ServerError | undefined;
  let core = existingCore;
  for (const [coreBytes, ingressBytes] of attempts) {
    if (core === undefined) {
      const made = await make("core", coreBytes);
      if (!("config" in made)) {
        refusal = made;
        if (isNoRoom(made)) continue;
        break;
      }
      core = made;
    }
    const ingress = await make("ingress", ingressBytes);
    if ("config" in ingress) return { core, ingress };
    refusal = ingress;
    if (!isNoRoom(ingress)) break;
  }
  throw new SpaceConfigError(
    refusal !== undefined && isNoRoom(refusal)
      ? `Cannot create the space "${options.space}": the server has no room for ${describeSizes(attempts)} (${refusal.description}, ${refusal.err_code}). Raise the limit of the account or the server's max_file_store, or set maxCoreBytes and maxIngressBytes lower.`
      : `Cannot create the space "${options.space}": the server refused a stream, ${refusal?.description} (${refusal?.err_code}).`,
    { details: { code: refusal?.err_code } },
  );
}

function describeSizes(attempts: ReadonlyArray<readonly [number, number]>): string {
  const [core, ingress] = attempts[attempts.length - 1] ?? [0, 0];
  return `streams of ${core} and ${ingress} bytes`;
}

function isNoRoom({ err_code: code }: ServerError): boolean {
  return (
    code === serverCodes.insufficientStorage || code === serverCodes.accountFull || code === serverCodes.serverFull
  );
}

/** The sizes to try, in order: what was asked for, else what fits the account, else ever less. */
function sizesFor(options: SpaceOptions, account: AccountInfo | undefined): ReadonlyArray<readonly [number, number]> {
  const { maxCoreBytes, maxIngressBytes } = options;
  if (maxCoreBytes !== undefined && maxIngressBytes !== undefined) return [[maxCoreBytes, maxIngressBytes]];
  const room = roomOf(account, options.replicas ?? 1);
  const fitting = sizesToTry.filter(([core, ingress]) => {
    const [wantedCore, wantedIngress] = [maxCoreBytes ?? core, maxIngressBytes ?? ingress];
    // A tenth is left for consumers and other streams.
    return room === undefined || wantedCore + wantedIngress <= room * 0.9;
  });
  const sizes = fitting.map(([core, ingress]) => [maxCoreBytes ?? core, maxIngressBytes ?? ingress] as const);
  if (sizes.length > 0) return sizes;
  throw new SpaceConfigError(
    `Cannot create the space "${options.space}": the account has room for ${Math.max(0, Math.floor(room ?? 0))} bytes per copy, too few for its two streams. Raise the account's storage limit, delete what it no longer needs, or set maxCoreBytes and maxIngressBytes.`,
    { details: { roomBytes: room } },
  );
}

/** Bytes that new streams may reserve in the account, per copy of their records; undefined: no limit is known. */
function roomOf(account: AccountInfo | undefined, replicas: number): number | undefined {
  const tier = account?.tiers?.[`R${replicas}`];
  if (tier !== undefined) {
    const { max_storage: max } = tier.limits;
    return max < 0 ? undefined : max - Math.max(tier.storage, tier.reserved_storage ?? 0);
  }
  if (account === undefined || account.limits.max_storage < 0) return undefined;
  const room = account.limits.max_storage - Math.max(account.storage, account.reserved_storage ?? 0);
  const perStream = account.limits.storage_max_stream_bytes ?? -1;
  return Math.min(room / replicas, perStream > 0 ? perStream : Number.POSITIVE_INFINITY);
}

async function makeStream(
  connection: Connection,
  name: string,
  role: StreamName,
  settings: StreamSettings & { readonly subjects: readonly string[] },
): Promise<StreamInfo | ServerError> {
  const answer = await callApi<StreamInfo>(
    connection,
    `create the stream ${name}`,
    `STREAM.CREATE.${name}`,
    streamConfig(name, settings.subjects, role, settings),
  );
  if (answer.error === undefined) return answer.value;
  // Another process made it a moment ago, with settings of its own; they are checked as for any existing stream.
  if (answer.error.err_code === serverCodes.streamNameInUse)
    return (await findStream(connection, name)) ?? answer.error;
  return answer.error;
}

async function writeSpaceRecord(
  connection: Connection,
  subjects: Subjects,
  options: SpaceOptions,
  streams: { readonly core: StreamInfo; readonly ingress: StreamInfo },
): Promise<SpaceRecord> {
  const record: SpaceRecord = {
    format: recordFormat,
    // As the streams say, like the history depth: another process may have made them, with options of its own.
    partitions: (streams.ingress.config.subjects as readonly string[]).length,
    hash: "fnv1a-mix32",
    historyDepth: streams.core.config.max_msgs_per_subject as number,
    identity: { core: streams.core.created, ingress: streams.ingress.created },
  };
  const core = streams.core.config.name;
  const writer = new BatchWriter(connection, core, {
    maxRecordBytes: 65_536,
    maxRecordsPerAppend: 1,
    maxBytesPerAppend: 65_536,
  });
  for (let attempt = 0; attempt < 5; attempt++) {
    const result = await writer.append([{ subject: subjects.config(), data: encodeRecord(record), expectLastSeq: 0 }]);
    if (result._tag === "Appended") return record;
    if (result._tag === "Full")
      throw new SpaceConfigError(`Cannot create the space "${options.space}": ${result.reason}`);
    // Conflict: another process was first. Try again: it may be stored or not, only reading or writing once more tells.
    const stored = await readSpaceRecord(connection, subjects, core);
    if (stored !== undefined) return stored;
  }
  throw new SpaceConfigError(
    `Cannot create the space "${options.space}": its record could not be written to ${core}. Try again.`,
  );
}

function checkRecord(
  options: SpaceOptions,
  record: SpaceRecord,
  streams: { readonly core: StreamInfo; readonly ingress: StreamInfo },
): void {
  for (const role of ["core", "ingress"] as const) {
    if (record.identity[role] !== streams[role].created) {
      throw new SpaceIdentityError(
        `Cannot open the space "${options.space}": the stream ${streams[role].config.name} was created at ${streams[role].created}, the space was made with one created at ${record.identity[role]}. It was deleted and created again, so its sequences mean other records. Restore the old stream from a backup, or delete both streams to start from nothing.`,
        { details: { stream: streams[role].config.name, found: streams[role].created, known: record.identity[role] } },
      );
    }
  }
  const problems: string[] = [];
  if (record.hash !== "fnv1a-mix32")
    problems.push(
      `its actors are spread over partitions by ${JSON.stringify(record.hash)}, this version knows "fnv1a-mix32"`,
    );
  if (options.partitions !== undefined && options.partitions !== record.partitions) {
    problems.push(
      `it has ${record.partitions} partitions, partitions: ${options.partitions} was asked for; the number is fixed when a space is created`,
    );
  }
  if (options.historyDepth !== undefined && options.historyDepth !== record.historyDepth) {
    problems.push(
      `it keeps ${record.historyDepth} states per actor, historyDepth: ${options.historyDepth} was asked for; the number is fixed when a space is created`,
    );
  }
  if (problems.length > 0) {
    throw new SpaceConfigError(
      `Cannot open the space "${options.space}": ${problems.join("; ")}. Leave the option out, or use another space.`,
      {
        details: { problems },
      },
    );
  }
}

async function checkStreams(
  connection: Connection,
  subjects: Subjects,
  options: SpaceOptions,
  record: SpaceRecord,
  streams: { readonly core: StreamInfo; readonly ingress: StreamInfo },
): Promise<void> {
  const problems: string[] = [];
  for (const role of ["core", "ingress"] as const) {
    const { config } = streams[role];
    const settings: StreamSettings = {
      historyDepth: record.historyDepth,
      replicas: options.replicas ?? 1,
      maxBytes: 0,
      isAtomic: options.atomicIngress ?? true,
    };
    for (const difference of findDifferences(config, role, subjects.streamSubjects(role, record.partitions), settings))
      problems.push(`${config.name}: ${difference}`);
    if (options.replicas !== undefined && config.num_replicas !== options.replicas) {
      options.warn?.(
        `The stream ${config.name} has ${config.num_replicas} replicas, ${options.replicas} were asked for. Change it with the nats command when the cluster has room.`,
      );
    }
  }
  if (problems.length > 0) {
    throw new SpaceConfigError(
      `Cannot open the space "${options.space}": its streams are not safe to work on.\n- ${problems.join("\n- ")}\nChange the configuration back, or use another space.`,
      { details: { problems } },
    );
  }
  for (const role of ["core", "ingress"] as const) await repair(connection, options, role, streams[role]);
}

async function repair(
  connection: Connection,
  options: SpaceOptions,
  role: StreamName,
  stream: StreamInfo,
): Promise<void> {
  const repairs = findRepairs(stream.config, role, role === "core" ? options.maxCoreBytes : options.maxIngressBytes);
  if (repairs.length === 0) return;
  const { name } = stream.config;
  const config = { ...stream.config, ...Object.fromEntries(repairs.map(({ field, value }) => [field, value])) };
  const answer = await callApi<StreamInfo>(
    connection,
    `update the stream ${name}`,
    `STREAM.UPDATE.${name}`,
    config,
  ).catch((error: Error) => ({ error: { description: error.message, err_code: 0 } }));
  for (const { words, field } of repairs) {
    options.warn?.(
      answer.error === undefined
        ? `Stream ${name}: ${words}.`
        : `Stream ${name}: ${field} could not be changed (${answer.error.description}); the space works without it.`,
    );
  }
}

function checkAccount(
  options: SpaceOptions,
  account: AccountInfo | undefined,
  streams: { readonly core: StreamInfo; readonly ingress: StreamInfo },
): void {
  if (account === undefined || account.tiers !== undefined) return;
  const limit = account.limits.max_storage;
  if (limit < 0) return;
  const sum = [streams.core, streams.ingress].reduce(
    (total, { config }) => total + (config.max_bytes as number) * (config.num_replicas as number),
    0,
  );
  if (sum > limit) {
    throw new SpaceConfigError(
      `Cannot open the space "${options.space}": its streams may grow to ${sum} bytes, the account's limit is ${limit}. A commit that meets the account's limit can be torn. Raise the limit, or lower max_bytes of the streams.`,
      { details: { sumBytes: sum, limitBytes: limit } },
    );
  }
  const reserved = account.reserved_storage ?? 0;
  if (account.storage > Math.max(reserved, sum)) {
    options.warn?.(
      `The account of the space "${options.space}" holds streams without max_bytes. They can use up the account's limit of ${limit} bytes, and a commit that meets it can be torn: give them max_bytes.`,
    );
  }
}

function recordLimit(stream: StreamInfo): number | undefined {
  const limit = stream.config.max_msg_size;
  return typeof limit === "number" && limit > 0 ? limit : undefined;
}

/**
 * Provides a usable nats-server: the one this machine has, else one fetched into the cache folder.
 *
 * 1. The cache only ever holds whole, tried binaries: everything is fetched into a temporary folder beside it, run once,
 *    and moved in by one rename. Processes that fetch at the same time do not disturb each other; the first one wins.
 * 2. A failure names every way that was tried, why each failed, and what to do by hand.
 */
import { chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { ServerUnavailableError } from "../core/errors.ts";
import { fetchThroughApt } from "./fetch-apt.ts";
import { fetchRelease } from "./fetch-release.ts";
import {
  cacheEntryName,
  type FindServerOptions,
  type FoundServer,
  findServer,
  type RejectedServer,
  serverCacheFolder,
} from "./find-server.ts";
import { isSupportedVersion, readServerVersion, supportedVersions } from "./server-version.ts";

/** One way of fetching a server. It works in the folder it is given and returns the path of the binary. */
export interface FetchWay {
  /** Names the way in a sentence: "through apt". */
  readonly name: string;
  readonly fetch: (folder: string, progress: (line: string) => void) => Promise<string>;
}

/** Options of {@link ensureServer}. */
export interface FetchServerOptions extends FindServerOptions {
  /** Receives a line whenever something that takes time begins or ends. Default: silence. */
  readonly progress?: (line: string) => void;
  /** Default: the Debian package mirror of the machine, then the upstream releases. */
  readonly ways?: readonly FetchWay[];
}

const defaultWays: readonly FetchWay[] = [
  { name: "through apt", fetch: fetchThroughApt },
  { name: "from the upstream releases", fetch: fetchRelease },
];

/**
 * Finds a usable nats-server on this machine, else fetches one.
 *
 * *Errors*: {@link ServerUnavailableError} when none is found and no way of fetching works.
 */
export async function ensureServer(options: FetchServerOptions = {}): Promise<FoundServer> {
  const { found, rejected } = await findServer(options);
  for (const { path, reason } of rejected) options.progress?.(`Not using ${path}: ${reason}`);
  return found ?? (await fetchInto(rejected, options));
}

async function fetchInto(rejected: readonly RejectedServer[], options: FetchServerOptions): Promise<FoundServer> {
  const progress = options.progress ?? (() => {});
  const env = options.env ?? process.env;
  const cacheFolder = options.cacheFolder ?? serverCacheFolder(env);
  const failures: string[] = [];
  let workFolder: string;
  try {
    await mkdir(cacheFolder, { recursive: true });
    await removeAbandoned(cacheFolder);
    workFolder = await mkdtemp(join(cacheFolder, ".fetching-"));
  } catch (error) {
    throw unavailable(rejected, [`The cache folder cannot be written: ${(error as Error).message}`], error);
  }
  try {
    for (const [index, way] of (options.ways ?? defaultWays).entries()) {
      try {
        const folder = join(workFolder, String(index));
        await mkdir(folder);
        const server = await moveIntoCache(await way.fetch(folder, progress), cacheFolder, workFolder);
        progress(`nats-server ${server.version} is ready in ${server.path}`);
        return server;
      } catch (error) {
        failures.push(`Fetching ${way.name} failed: ${(error as Error).message}.`);
        progress(failures.at(-1) as string);
      }
    }
  } finally {
    await rm(workFolder, { recursive: true, force: true });
  }
  throw unavailable(rejected, failures);
}

async function moveIntoCache(binary: string, cacheFolder: string, workFolder: string): Promise<FoundServer> {
  const version = await readServerVersion(binary).catch((error: Error) => {
    throw new Error(`the fetched binary cannot be used: ${error.message}`, { cause: error });
  });
  if (!isSupportedVersion(version)) {
    throw new Error(`what was fetched is version ${version}; ${supportedVersions} is needed`);
  }
  const staged = join(workFolder, "staged");
  await mkdir(staged, { recursive: true });
  await copyFile(binary, join(staged, "nats-server"));
  await chmod(join(staged, "nats-server"), 0o755);
  const entry = join(cacheFolder, cacheEntryName(version));
  const server: FoundServer = { path: join(entry, "nats-server"), version, source: "fetched" };
  try {
    await rename(staged, entry);
  } catch (error) {
    // Another process was faster, or left a broken entry: a good one is used, a broken one is set aside and replaced.
    if (!["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    if ((await readServerVersion(server.path).catch(() => undefined)) === version) return server;
    await rename(entry, join(workFolder, "broken"));
    await rename(staged, entry);
  }
  return server;
}

/** Removes the work folders of processes that were killed while they fetched. */
async function removeAbandoned(cacheFolder: string): Promise<void> {
  const oldest = Date.now() - 60 * 60 * 1000;
  for (const name of await readdir(cacheFolder)) {
    if (!name.startsWith(".fetching-")) continue;
    const folder = join(cacheFolder, name);
    const found = await stat(folder).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < oldest) await rm(folder, { recursive: true, force: true });
  }
}

function unavailable(
  rejected: readonly RejectedServer[],
  failures: readonly string[],
  cause?: unknown,
): ServerUnavailableError {
  const lines = [
    "Cannot provide a nats-server: this machine has none that can be used, and none could be fetched.",
    ...rejected.map(({ path, reason }) => `- Found ${path}, but ${reason}.`),
    ...failures.map((failure) => `- ${failure}`),
    `To do it by hand: install nats-server (${supportedVersions}) so that it is on PATH, or set`,
    "STATEWRIGHT_NATS_SERVER to the path of its binary.",
  ];
  return new ServerUnavailableError(lines.join("\n"), { cause, details: { rejected, failures } });
}

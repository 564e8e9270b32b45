/**
 * Finds a nats-server binary on this machine that is new enough.
 *
 * The order is: the variable `STATEWRIGHT_NATS_SERVER`, then every `nats-server` on `PATH`, then the cache folder that
 * `fetch-server.ts` fills. A candidate that cannot be used never stops the search: it is reported with
 * its reason.
 */
import { existsSync, readFileSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { compareVersions, isSupportedVersion, readServerVersion, supportedVersions } from "./server-version.ts";

/** A binary that can be used. */
export interface FoundServer {
  readonly path: string;
  readonly version: string;
  readonly source: "environment" | "path" | "cache" | "fetched";
}

/** A candidate that cannot be used, and why, in words that follow its path. */
export interface RejectedServer {
  readonly path: string;
  readonly reason: string;
}

/** The outcome of a search: the first usable binary, and what was passed over before it. */
export interface ServerSearch {
  readonly found: FoundServer | undefined;
  readonly rejected: readonly RejectedServer[];
}

/** Where to look; each default is what the process was started with. */
export interface FindServerOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Default: {@link serverCacheFolder}. */
  readonly cacheFolder?: string;
}

/** Searches this machine for a usable nats-server. Changes nothing; rejects with nothing. */
export async function findServer(options: FindServerOptions = {}): Promise<ServerSearch> {
  const env = options.env ?? process.env;
  const cacheFolder = options.cacheFolder ?? serverCacheFolder(env);
  const rejected: RejectedServer[] = [];
  for await (const { path, source } of candidates(env, cacheFolder)) {
    try {
      const version = await readServerVersion(path);
      if (isSupportedVersion(version)) return { found: { path, version, source }, rejected };
      rejected.push({ path, reason: `it is version ${version}; ${supportedVersions} is needed` });
    } catch (error) {
      rejected.push({ path, reason: (error as Error).message });
    }
  }
  return { found: undefined, rejected };
}

async function* candidates(
  env: NodeJS.ProcessEnv,
  cacheFolder: string,
): AsyncGenerator<{ path: string; source: FoundServer["source"] }> {
  const named = env.STATEWRIGHT_NATS_SERVER;
  if (named !== undefined && named !== "") yield { path: resolve(named), source: "environment" };
  for (const folder of new Set((env.PATH ?? "").split(delimiter))) {
    const path = join(folder, "nats-server");
    if (folder !== "" && (await isFile(path))) yield { path, source: "path" };
  }
  const prefix = cacheEntryName("");
  const entries = await readdir(cacheFolder).catch(() => []);
  const versions = entries.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  for (const version of versions.sort(compareVersions).reverse()) {
    const path = join(cacheFolder, cacheEntryName(version), "nats-server");
    if (await isFile(path)) yield { path, source: "cache" };
  }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** Names the folder of one version inside the cache folder; the platform is part of it, for homes shared by machines. */
export function cacheEntryName(version: string): string {
  return `${process.platform}-${process.arch}-${version}`;
}

/**
 * Says where fetched servers are kept.
 *
 * `STATEWRIGHT_CACHE` decides if set. In a checkout of the project it is `.cache/nats-server` there; for the installed
 * package it is a folder of the user's, `$XDG_CACHE_HOME/statewright/nats-server` or below `~/.cache`.
 */
export function serverCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.STATEWRIGHT_CACHE) return join(resolve(env.STATEWRIGHT_CACHE), "nats-server");
  const checkout = findCheckout(dirname(fileURLToPath(import.meta.url)));
  if (checkout !== undefined) return join(checkout, ".cache", "nats-server");
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "statewright", "nats-server");
}

/** Walks up to the project's own package.json; undefined when this file runs from an installed package. */
function findCheckout(start: string): string | undefined {
  if (start.split(sep).includes("node_modules")) return undefined;
  for (let folder = start; ; folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest)) {
      const { name } = JSON.parse(readFileSync(manifest, "utf8")) as { name?: unknown };
      return name === "statewright" ? folder : undefined;
    }
    if (folder === dirname(folder)) return undefined;
  }
}

/**
 * Keeps two servers from using one store folder, which the server itself does not notice and which destroys the store.
 *
 * The lock is a series of files `server.lock.<generation>`, of which the highest counts; it names the process that
 * started the server and the server's own.
 *
 * 1. A generation is made by creating its file, which succeeds for one process only, and only after the one before was
 *    released or its owner is gone. So there is one holder, whoever looks at a stale lock at the same time.
 * 2. The highest file is never removed, not even by its release: the numbers only grow, and a process that was slow
 *    between reading and creating notices a higher number and gives way.
 * 3. A server that runs on although its owner is gone (and was not meant to) is ended before its folder is used.
 */
import { randomBytes } from "node:crypto";
import { link, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ServerUnavailableError } from "../core/errors.ts";
import { identifyProcess, isRunning, type ProcessIdentity } from "./process-identity.ts";

interface LockRecord {
  readonly owner: ProcessIdentity;
  /** Absent while the owner is about to start the server. */
  readonly server?: ProcessIdentity;
  readonly url?: string;
  /** True when the server is meant to outlive its owner. */
  readonly detached: boolean;
  readonly released?: boolean;
}

/** A lock that is held. */
export interface StoreLock {
  /** Notes the server that runs under this lock. */
  record(pid: number, url?: string): Promise<void>;
  release(): Promise<void>;
}

/**
 * Takes the lock of a store folder, which must exist.
 *
 * *Errors*: {@link ServerUnavailableError} when the folder is in use, with the process and, if known, the server's URL.
 */
export async function lockStore(storeDir: string, detached: boolean): Promise<StoreLock> {
  const owner = identifyProcess(process.pid) ?? { pid: process.pid, startedAt: "" };
  const path = await takeNextGeneration(storeDir, { owner, detached });
  return {
    async record(pid, url) {
      const server = identifyProcess(pid);
      if (server === undefined) return;
      await writeLock(path, { owner, detached, server, ...(url === undefined ? {} : { url }) });
    },
    async release() {
      await writeLock(path, { owner, detached, released: true });
    },
  };
}

async function takeNextGeneration(storeDir: string, record: LockRecord): Promise<string> {
  for (;;) {
    const current = (await generations(storeDir)).at(-1) ?? 0;
    if (current > 0) await requireStale(storeDir, lockPath(storeDir, current));
    const mine = current + 1;
    if (!(await createLock(lockPath(storeDir, mine), record))) continue;
    const all = await generations(storeDir);
    if (all.at(-1) === mine) {
      for (const old of all.slice(0, -1)) await rm(lockPath(storeDir, old), { force: true });
      return lockPath(storeDir, mine);
    }
    await rm(lockPath(storeDir, mine), { force: true });
  }
}

function lockPath(storeDir: string, generation: number): string {
  return join(storeDir, `server.lock.${generation}`);
}

/** Lists the generations that have a file, the highest last. */
async function generations(storeDir: string): Promise<number[]> {
  const numbers = (await readdir(storeDir)).map((name) => Number(/^server\.lock\.(\d+)$/.exec(name)?.[1] ?? 0));
  return numbers.filter((number) => number > 0).sort((a, b) => a - b);
}

/** Returns when the lock does not count any more; ends a server that no one owns. */
async function requireStale(storeDir: string, path: string): Promise<void> {
  const record = await readLock(path);
  if (record === undefined || record.released === true) return;
  const { owner, server, url } = record;
  const serverRuns = server !== undefined && isRunning(server);
  if (isRunning(owner) || (serverRuns && record.detached)) {
    const who = serverRuns ? `a server (process ${server.pid})` : `process ${owner.pid}`;
    const where = serverRuns && url !== undefined ? ` at ${url}` : "";
    throw new ServerUnavailableError(
      `Cannot start a server in ${storeDir}: ${who} already uses this folder${where}. ` +
        `${where === "" ? "Stop it" : "Connect to it, or stop it"}, or choose another folder.`,
      { details: { storeDir, pid: server?.pid, ownerPid: owner.pid, url } },
    );
  }
  if (serverRuns) await endProcess(server);
}

async function endProcess(server: ProcessIdentity): Promise<void> {
  for (const [signal, patienceMs] of [
    ["SIGTERM", 5_000],
    ["SIGKILL", 5_000],
  ] as const) {
    if (!isRunning(server)) return;
    process.kill(server.pid, signal);
    for (const deadline = Date.now() + patienceMs; Date.now() < deadline && isRunning(server); ) await delay(20);
  }
}

/** Creates the lock file whole or not at all; false when there is one. */
async function createLock(path: string, record: LockRecord): Promise<boolean> {
  const draft = `${path}.${randomBytes(4).toString("hex")}`;
  await writeFile(draft, JSON.stringify(record));
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

async function writeLock(path: string, record: LockRecord): Promise<void> {
  const draft = `${path}.${randomBytes(4).toString("hex")}`;
  await writeFile(draft, JSON.stringify(record));
  await rename(draft, path);
}

async function readLock(path: string): Promise<LockRecord | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as LockRecord;
  } catch {
    return undefined;
  }
}

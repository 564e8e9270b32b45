import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findChecksum } from "../../runtime/server/fetch-release.ts";
import { ensureServer, type FetchWay } from "../../runtime/server/fetch-server.ts";
import { cacheEntryName, findServer, serverCacheFolder } from "../../runtime/server/find-server.ts";

let folder: string;
let cacheFolder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "statewright-find-"));
  cacheFolder = join(folder, "cache");
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Writes a program that answers `--version` as a nats-server of that version does. */
async function fakeServer(path: string, version: string, mode = 0o755): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `#!/bin/sh\necho "nats-server: v${version}"\n`);
  await chmod(path, mode);
  return path;
}

function wayThatGives(version: string): FetchWay {
  return { name: "in a test", fetch: (work) => fakeServer(join(work, "sub", "nats-server"), version) };
}

test("prefers the variable to PATH, and PATH to the cache", async () => {
  const named = await fakeServer(join(folder, "named"), "2.15.0");
  const onPath = await fakeServer(join(folder, "bin", "nats-server"), "2.15.1");
  const cached = await fakeServer(join(cacheFolder, cacheEntryName("2.15.2"), "nats-server"), "2.15.2");
  const all = { STATEWRIGHT_NATS_SERVER: named, PATH: join(folder, "bin") };
  expect((await findServer({ env: all, cacheFolder })).found).toMatchObject({ path: named, source: "environment" });
  expect((await findServer({ env: { PATH: all.PATH }, cacheFolder })).found).toMatchObject({
    path: onPath,
    source: "path",
  });
  expect((await findServer({ env: {}, cacheFolder })).found).toMatchObject({ path: cached, source: "cache" });
});

test("passes over what cannot be used and says why", async () => {
  const old = await fakeServer(join(folder, "old", "nats-server"), "2.10.4");
  const locked = await fakeServer(join(folder, "locked", "nats-server"), "2.15.1", 0o644);
  const mute = await fakeServer(join(folder, "mute", "nats-server"), "?");
  const env = {
    STATEWRIGHT_NATS_SERVER: join(folder, "absent"),
    PATH: [old, locked, mute].map((path) => dirname(path)).join(":"),
  };
  const { found, rejected } = await findServer({ env, cacheFolder });
  expect(found).toBeUndefined();
  expect(rejected).toEqual([
    { path: join(folder, "absent"), reason: "there is no such file" },
    { path: old, reason: expect.stringContaining("it is version 2.10.4; 2.12.15") },
    { path: locked, reason: "it is not executable" },
    { path: mute, reason: expect.stringContaining("does not print a version") },
  ]);
});

test("uses the newest server of the cache", async () => {
  for (const version of ["2.15.9", "2.15.10", "2.9.1"]) {
    await fakeServer(join(cacheFolder, cacheEntryName(version), "nats-server"), version);
  }
  expect((await findServer({ env: {}, cacheFolder })).found?.version).toBe("2.15.10");
});

test("keeps fetched servers in the checkout, unless told otherwise", () => {
  expect(serverCacheFolder({})).toBe(join(import.meta.dirname, "..", "..", ".cache", "nats-server"));
  expect(serverCacheFolder({ STATEWRIGHT_CACHE: "/somewhere" })).toBe("/somewhere/nats-server");
});

test("fetches into the cache when the machine has none, and finds it there afterwards", async () => {
  const lines: string[] = [];
  const ways = [wayThatGives("2.15.1")];
  const fetched = await ensureServer({ env: {}, cacheFolder, ways, progress: (line) => lines.push(line) });
  expect(fetched).toMatchObject({ version: "2.15.1", source: "fetched" });
  expect(lines.at(-1)).toContain("nats-server 2.15.1 is ready");
  expect(await ensureServer({ env: {}, cacheFolder, ways: [] })).toMatchObject({ path: fetched.path, source: "cache" });
  expect(await readdir(cacheFolder)).toEqual([cacheEntryName("2.15.1")]);
});

test("tries the next way when one fails or gives an old server", async () => {
  const broken: FetchWay = { name: "by pigeon", fetch: () => Promise.reject(new Error("it flew away")) };
  const ways = [broken, wayThatGives("2.10.0"), wayThatGives("2.15.1")];
  expect((await ensureServer({ env: {}, cacheFolder, ways })).version).toBe("2.15.1");
});

test("names every way that failed and what to do by hand", async () => {
  const old = await fakeServer(join(folder, "old", "nats-server"), "2.10.4");
  const broken: FetchWay = { name: "by pigeon", fetch: () => Promise.reject(new Error("it flew away")) };
  const options = { env: { STATEWRIGHT_NATS_SERVER: old }, cacheFolder, ways: [broken] };
  const error = await ensureServer(options).catch((reason: Error) => reason);
  expect(error).toMatchObject({ _tag: "ServerUnavailableError" });
  const { message } = error as Error;
  expect(message).toContain(`Found ${old}, but it is version 2.10.4`);
  expect(message).toContain("Fetching by pigeon failed: it flew away.");
  expect(message).toContain("set\nSTATEWRIGHT_NATS_SERVER to the path of its binary");
  expect(await readdir(cacheFolder)).toEqual([]);
});

test("lets several processes fetch at the same time", async () => {
  const ways = [wayThatGives("2.15.1")];
  const servers = await Promise.all(Array.from({ length: 8 }, () => ensureServer({ env: {}, cacheFolder, ways })));
  expect(new Set(servers.map((server) => server.path)).size).toBe(1);
  expect(await readdir(cacheFolder)).toEqual([cacheEntryName("2.15.1")]);
});

test("replaces a broken entry of the cache", async () => {
  const entry = join(cacheFolder, cacheEntryName("2.15.1"), "nats-server");
  await mkdir(dirname(entry), { recursive: true });
  await writeFile(entry, "half a file");
  expect((await ensureServer({ env: {}, cacheFolder, ways: [wayThatGives("2.15.1")] })).path).toBe(entry);
});

test("finds a checksum only for the very file", () => {
  const digest = "ab".repeat(32);
  const text = `${"cd".repeat(32)}  server.tar.gz.asc\n${digest} *./server.tar.gz\n`;
  expect(findChecksum(text, "server.tar.gz")).toBe(digest);
  expect(findChecksum(text, "server")).toBeUndefined();
});

#!/usr/bin/env node
/**
 * Prepares a checkout to run: the dependencies of the lockfile, and a nats-server that is new enough.
 *
 * Plain Node without dependencies, because it is what installs them. Does nothing, in well under a second, when nothing
 * is missing. Progress goes to stderr; the exit code is 1 when something cannot be prepared.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const memoPath = join(root, ".cache", "prepared.json");
const say = (line) => process.stderr.write(`${line}\n`);

requireNode();
if (!areDependenciesInstalled()) installDependencies();
if (!isServerKnown()) prepareServer();

function requireNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  fail(`Statewright needs Node 20.19 or later; this is ${process.version}.`);
}

/**
 * Compares what npm installed with the lockfile. npm writes its own record last, so an interrupted installation counts
 * as none. Optional packages may be absent (they are for other platforms).
 */
function areDependenciesInstalled() {
  const wanted = readJson(join(root, "package-lock.json"))?.packages ?? {};
  const installed = readJson(join(root, "node_modules", ".package-lock.json"))?.packages;
  if (installed === undefined) return false;
  return Object.entries(wanted).every(([place, { version, integrity, optional, devOptional, link }]) => {
    if (place === "" || link) return true;
    const found = installed[place];
    if (found === undefined) return optional === true || devOptional === true;
    return found.version === version && found.integrity === integrity;
  });
}

function installDependencies() {
  say("Installing the dependencies of the lockfile (npm ci)");
  const startedAt = Date.now();
  const args = ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  const npm = process.env.npm_execpath;
  const [command, ...before] = npm?.endsWith("npm-cli.js") ? [process.execPath, npm] : ["npm"];
  const result = spawnSync(command, [...before, ...args], { cwd: root, encoding: "utf8" });
  if (result.status !== 0) {
    say(`${result.stdout ?? ""}${result.stderr ?? ""}`);
    fail(`The dependencies could not be installed: ${result.error?.message ?? "npm ci failed, see above"}.`);
  }
  say(`Dependencies are installed (${((Date.now() - startedAt) / 1000).toFixed(0)} s)`);
}

/** True when the last preparation was made under the same settings and its server is still the same file. */
function isServerKnown() {
  const memo = readJson(memoPath);
  return memo?.settings === settings() && memo.file !== "absent" && memo.file === fingerprint(memo.path);
}

function prepareServer() {
  const result = spawnSync(process.execPath, ["--import", "tsx", join("runtime", "server", "prepare.ts")], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (result.status !== 0) process.exit(1);
  const path = result.stdout.trim().split("\n").at(-1);
  mkdirSync(dirname(memoPath), { recursive: true });
  writeFileSync(memoPath, `${JSON.stringify({ settings: settings(), path, file: fingerprint(path) }, null, 2)}\n`);
}

/** What decides which server is found. npm's additions to PATH are left out: they hold no server. */
function settings() {
  const { STATEWRIGHT_NATS_SERVER, STATEWRIGHT_CACHE, PATH = "" } = process.env;
  const path = PATH.split(delimiter).filter((folder) => !/node_modules|node-gyp-bin/.test(folder));
  return JSON.stringify([STATEWRIGHT_NATS_SERVER ?? null, STATEWRIGHT_CACHE ?? null, path]);
}

function fingerprint(path) {
  try {
    const { size, mtimeMs } = statSync(path);
    return `${size}-${mtimeMs}`;
  } catch {
    return "absent";
  }
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

function fail(reason) {
  say(reason);
  process.exit(1);
}

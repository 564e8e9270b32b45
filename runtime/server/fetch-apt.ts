/**
 * Fetches nats-server on Debian, through the package mirror the machine is configured with.
 *
 * 1. Nothing of the system changes: apt gets state, cache, lists, preferences and sources of its own in a temporary
 *    folder, and the hooks that the machine's configuration runs after an update are switched off.
 * 2. Nothing is trusted that the machine does not trust: the source keeps its signing key, and apt checks it.
 * 3. No privileges are needed: the package is downloaded and unpacked, not installed.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type AptSource, mainArchives, readAptSources, toPrivateSource } from "./apt-sources.ts";

/** The suites that have a server new enough, the steadier one first. */
const suites = ["forky", "sid"];

const run = promisify(execFile);

/**
 * Downloads and unpacks the package into `folder`, which must exist and be empty; returns the path of the binary.
 *
 * *Errors*: a plain `Error` that says in words why this way is not possible on this machine, or what apt said.
 */
export async function fetchThroughApt(folder: string, progress: (line: string) => void): Promise<string> {
  const architecture = await machineArchitecture();
  const archives = mainArchives(await readAptSources());
  if (archives.length === 0) throw new Error("no Debian main archive is among the package sources of this machine");
  const failures = new Set<string>();
  let attempt = 0;
  for (const suite of suites) {
    for (const archive of archives) {
      progress(`Fetching nats-server from this machine's package mirror (suite ${suite})`);
      attempt += 1;
      try {
        return await fetchFrom(archive, suite, architecture, join(folder, String(attempt)));
      } catch (error) {
        failures.add(`suite ${suite}: ${explain(error)}`);
      }
    }
  }
  throw new Error([...failures].join("; "));
}

async function machineArchitecture(): Promise<string> {
  try {
    await run("apt-get", ["--version"], { timeout: 10_000 });
    await run("dpkg-deb", ["--version"], { timeout: 10_000 });
    return (await run("dpkg", ["--print-architecture"], { timeout: 10_000 })).stdout.trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw new Error("this machine has no apt");
    throw error;
  }
}

async function fetchFrom(source: AptSource, suite: string, architecture: string, folder: string): Promise<string> {
  const configuration = await writePrivateState(source, suite, architecture, folder);
  const options = {
    cwd: folder,
    timeout: 180_000,
    maxBuffer: 16 * 1024 * 1024,
    env: { ...process.env, LC_ALL: "C" },
  };
  await run("apt-get", ["-c", configuration, "-q", "update"], options);
  await run("apt-get", ["-c", configuration, "-q", "download", "nats-server"], options);
  const archive = (await readdir(folder)).find((name) => name.endsWith(".deb"));
  if (archive === undefined) throw new Error("apt reported success but left no package");
  const unpacked = join(folder, "unpacked");
  await run("dpkg-deb", ["-x", join(folder, archive), unpacked], options);
  for (const place of ["usr/sbin/nats-server", "usr/bin/nats-server"]) {
    const path = join(unpacked, place);
    if (existsSync(path)) return path;
  }
  throw new Error(`the package ${archive} holds no nats-server`);
}

async function writePrivateState(
  source: AptSource,
  suite: string,
  architecture: string,
  folder: string,
): Promise<string> {
  for (const part of ["state/lists/partial", "cache/archives/partial", "sources", "empty"]) {
    await mkdir(join(folder, part), { recursive: true });
  }
  await writeFile(join(folder, "status"), "");
  await writeFile(join(folder, "sources", "archive.sources"), toPrivateSource(source, suite, architecture));
  // The settings of this file are read after the machine's own, whose proxies and certificates stay in force.
  const settings: readonly (readonly [string, string])[] = [
    ["Dir::State", join(folder, "state")],
    ["Dir::State::status", join(folder, "status")],
    ["Dir::Cache", join(folder, "cache")],
    ["Dir::Etc::sourcelist", "/dev/null"],
    ["Dir::Etc::sourceparts", join(folder, "sources")],
    ["Dir::Etc::preferences", "/dev/null"],
    ["Dir::Etc::preferencesparts", join(folder, "empty")],
    ["Dir::Log", join(folder, "cache")],
    ["APT::Default-Release", ""],
    ["APT::Sandbox::User", "root"],
    ["Acquire::Languages", "none"],
    ["Acquire::Retries", "1"],
    ["Acquire::http::Timeout", "20"],
    ["Acquire::https::Timeout", "20"],
  ];
  const hooks = ["APT::Update::Pre-Invoke", "APT::Update::Post-Invoke", "APT::Update::Post-Invoke-Success"];
  const lines = [...hooks.map((hook) => `#clear ${hook};`), ...settings.map(([name, value]) => `${name} "${value}";`)];
  const configuration = join(folder, "apt.conf");
  await writeFile(configuration, `${lines.join("\n")}\n`);
  return configuration;
}

/** Keeps what apt says about the cause: its error lines, else the first words of the failure. */
function explain(error: unknown): string {
  const { stderr, killed, message } = error as { stderr?: string; killed?: boolean; message: string };
  if (killed === true) return "apt did not finish within 3 minutes";
  const lines = (stderr ?? "").split("\n").filter((line) => /^(E|Err):/.test(line));
  return lines.length > 0 ? lines.map((line) => line.replace(/^E:\s*/, "")).join(" ") : (message.split("\n")[0] ?? "");
}

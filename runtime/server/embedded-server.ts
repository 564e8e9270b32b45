/**
 * Runs a nats-server as a child of this process, for development, tests and single-machine use.
 *
 * 1. It is durable: a write is acknowledged after it is on disk (`sync_interval: always`), unless told otherwise.
 * 2. When `startEmbeddedServer` resolves, JetStream answers and all streams of the store are recovered.
 * 3. It ends with this process, however that ends (a guard process outlives a SIGKILL), unless `detached`.
 * 4. One store folder has one server: a second start is refused, what a crash left behind is cleaned up.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ServerUnavailableError } from "../core/errors.ts";
import { ensureServer } from "./fetch-server.ts";
import { readServerVersion } from "./server-version.ts";
import { lockStore, type StoreLock } from "./store-lock.ts";

/** Options of {@link startEmbeddedServer}; all have defaults. */
export interface EmbeddedServerOptions {
  /** Folder of the store, the log and the configuration. Default: a temporary folder that `stop` removes. */
  readonly storeDir?: string;
  /** Default: a free port, kept by `restart`. */
  readonly port?: number;
  /** Address to listen on. Default: `127.0.0.1`. */
  readonly host?: string;
  /** Path of the nats-server. Default: the one `ensureServer` finds or fetches. */
  readonly binary?: string;
  /** Flushes every write to disk before it is acknowledged. Default: true. */
  readonly syncAlways?: boolean;
  /** Most bytes that all file streams together may use. Default: the server's own, three quarters of the free disk. */
  readonly maxStoreBytes?: number;
  /** Port of the server's HTTP monitoring. Default: no monitoring. */
  readonly monitorPort?: number;
  /** More configuration in the server's own language, put at the end of the file. */
  readonly extraConfig?: string;
  /** Lets the server run on when this process ends. Default: false. */
  readonly detached?: boolean;
  /** How long the start may take, recovery of a large store included. Default: 60,000. */
  readonly startTimeoutMs?: number;
  /** Receives a line when something noteworthy happens (a server is fetched, started, stopped). Default: silence. */
  readonly log?: (line: string) => void;
}

/** A running server; `pid` changes with every restart, all else stays. */
export interface EmbeddedServer {
  /** For clients: `nats://127.0.0.1:<port>`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly version: string;
  readonly storeDir: string;
  /** The server's own log. */
  readonly logPath: string;
  /** Ends the server, by SIGKILL in mode "kill", and removes a temporary store. Does nothing when it was stopped before. */
  stop(mode?: "graceful" | "kill"): Promise<void>;
  /** Sends a signal, for tests of crashes and freezes; resolves after the server ended if the signal ends it. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Ends the server if it still runs and starts it again on the same port and store. */
  restart(): Promise<void>;
}

/** How long a server may take to end by itself. */
const stopPatienceMs = 10_000;
const maxLogBytes = 8 * 1024 * 1024;

/**
 * Starts a server and resolves when JetStream is ready.
 *
 * *Errors*: {@link ServerUnavailableError} when there is no usable binary, the store folder is in use, or the server
 * does not become ready; it quotes the end of the server's log.
 */
export async function startEmbeddedServer(options: EmbeddedServerOptions = {}): Promise<EmbeddedServer> {
  const { binary, version } = await chooseBinary(options);
  const isTemporary = options.storeDir === undefined;
  const storeDir = isTemporary ? await mkdtemp(join(tmpdir(), "statewright-")) : resolve(options.storeDir as string);
  await mkdir(storeDir, { recursive: true });
  const lock = await lockStore(storeDir, options.detached ?? false);
  const clean = async () => {
    if (isTemporary) await rm(storeDir, { recursive: true, force: true, maxRetries: 5 });
    else await lock.release();
  };
  const start = (port: number | undefined) => startProcess({ ...options, port, binary, storeDir, isTemporary, lock });

  let running: RunningProcess;
  try {
    running = await start(options.port);
  } catch (error) {
    await clean();
    throw error;
  }
  const { port } = running;
  let isStopped = false;
  options.log?.(`nats-server ${version} (process ${running.child.pid}) is ready at ${running.url}`);

  return {
    url: running.url,
    port,
    version,
    storeDir,
    logPath: logPathOf(storeDir),
    get pid() {
      return running.child.pid as number;
    },
    async stop(mode = "graceful") {
      if (isStopped) return;
      isStopped = true;
      await endChild(running, mode);
      await clean();
      options.log?.(`nats-server at ${running.url} was stopped`);
    },
    async kill(signal) {
      running.child.kill(signal);
      if (["SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT"].includes(signal)) await waitForEnd(running);
    },
    async restart() {
      if (isStopped) {
        throw new ServerUnavailableError(`Cannot restart the server in ${storeDir}: it was stopped. Start a new one.`);
      }
      await endChild(running, "graceful");
      running = await start(port);
    },
  };
}

async function chooseBinary(options: EmbeddedServerOptions): Promise<{ binary: string; version: string }> {
  if (options.binary === undefined) {
    const { path, version } = await ensureServer(options.log === undefined ? {} : { progress: options.log });
    return { binary: path, version };
  }
  const binary = resolve(options.binary);
  const version = await readServerVersion(binary).catch((error: Error) => {
    throw new ServerUnavailableError(`Cannot start the nats-server ${binary}: ${error.message}.`, { cause: error });
  });
  return { binary, version };
}

interface StartSettings extends Omit<EmbeddedServerOptions, "port"> {
  readonly port: number | undefined;
  readonly binary: string;
  readonly storeDir: string;
  readonly isTemporary: boolean;
  readonly lock: StoreLock;
}

interface RunningProcess {
  readonly child: ChildProcess;
  readonly guard: ChildProcess | undefined;
  readonly ended: Promise<void>;
  readonly port: number;
  readonly url: string;
}

async function startProcess(settings: StartSettings): Promise<RunningProcess> {
  const { binary, storeDir, lock } = settings;
  const configPath = join(storeDir, "nats-server.conf");
  await removePortFiles(storeDir);
  await writeFile(configPath, describeServer(settings));
  const { file: logFile, startOfLog } = await openLog(storeDir);
  // A group of its own: Ctrl-C in a terminal reaches this process only, which then ends the server after its own work.
  const child = spawn(binary, ["-c", configPath], { stdio: ["ignore", logFile.fd, logFile.fd], detached: true });
  const failure: { error?: Error } = {};
  const ended = new Promise<void>((resolveEnd) => {
    child.once("exit", () => resolveEnd());
    child.once("error", (error) => {
      failure.error = error;
      resolveEnd();
    });
  });
  await logFile.close();
  const guard = settings.detached === true || child.pid === undefined ? undefined : startGuard(settings, child.pid);
  const process = { child, guard, ended };
  try {
    if (child.pid === undefined) await ended;
    else await lock.record(child.pid);
    const { port, url } = await waitUntilReady(settings, process, failure);
    await lock.record(child.pid as number, url);
    child.unref();
    return { ...process, port, url };
  } catch (error) {
    await endChild(process, "kill");
    const reason = failure.error?.message ?? (error as Error).message;
    const tail = await readLogTail(storeDir, startOfLog);
    throw new ServerUnavailableError(
      `Cannot start the nats-server ${binary} in ${storeDir}: ${reason}.${tail === "" ? "" : `\nIts log ends with:\n${tail}`}`,
      { cause: error, details: { binary, storeDir } },
    );
  }
}

function describeServer(settings: StartSettings): string {
  const { storeDir, host = "127.0.0.1", port = -1, syncAlways = true, maxStoreBytes, monitorPort } = settings;
  const name = createHash("sha256").update(storeDir).digest("hex").slice(0, 8);
  const lines = [
    "# Written at every start; changes are lost.",
    `server_name: "statewright-${name}"`,
    `host: ${JSON.stringify(host)}`,
    `port: ${port}`,
    `ports_file_dir: ${JSON.stringify(storeDir)}`,
    ...(monitorPort === undefined ? [] : [`http: ${JSON.stringify(`${host}:${monitorPort}`)}`]),
    "jetstream {",
    `  store_dir: ${JSON.stringify(storeDir)}`,
    ...(syncAlways ? ["  sync_interval: always"] : []),
    ...(maxStoreBytes === undefined ? [] : [`  max_file_store: ${maxStoreBytes}`]),
    "}",
    ...(settings.extraConfig === undefined ? [] : [settings.extraConfig]),
  ];
  return `${lines.join("\n")}\n`;
}

/**
 * Ends the server when this process ends without having done so.
 *
 * The guard reads from a pipe that only this process holds open, so it wakes up however this process ends. It looks at
 * the command line before it signals: the process id may belong to someone else by then.
 */
function startGuard(settings: StartSettings, pid: number): ChildProcess {
  const script = `
    is_server() { kill -0 "$1" 2>/dev/null && if [ -r "/proc/$1/cmdline" ]; then tr '\\0' ' ' <"/proc/$1/cmdline"; else ps -o args= -p "$1"; fi | grep -qF "$2"; }
    read -r word
    [ "$word" = done ] && exit 0
    is_server "$1" "$2" && kill -TERM "$1"
    i=0
    while [ $i -lt 100 ] && is_server "$1" "$2"; do i=$((i+1)); sleep 0.1; done
    is_server "$1" "$2" && kill -KILL "$1"
    [ -z "$3" ] || { sleep 0.1; rm -rf "$3"; }`;
  const configPath = join(settings.storeDir, "nats-server.conf");
  const guard = spawn(
    "sh",
    ["-c", script, "guard", String(pid), configPath, settings.isTemporary ? settings.storeDir : ""],
    {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
      cwd: "/",
    },
  );
  // Without the guard the server still ends with `stop`; a missing shell must not end this process.
  guard.on("error", () => {});
  guard.stdin?.on("error", () => {});
  guard.unref();
  (guard.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  return guard;
}

type Unready = Omit<RunningProcess, "port" | "url">;

async function waitUntilReady(
  settings: StartSettings,
  { child, ended }: Unready,
  failure: { error?: Error },
): Promise<{ port: number; url: string }> {
  const patienceMs = settings.startTimeoutMs ?? 60_000;
  const deadline = Date.now() + patienceMs;
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  let reason = "it does not accept connections";
  while (Date.now() < deadline) {
    if (hasEnded) throw failure.error ?? new Error(`it ended at once (${describeEnd(child)})`);
    const url = await readPortFile(settings.storeDir);
    if (url !== undefined) {
      const port = Number(url.port);
      const info = await readServerInfo(url.hostname, port).catch((error: Error) => error);
      if (info instanceof Error) reason = info.message;
      else if (info.jetstream !== true) reason = "JetStream is not enabled";
      else return { port, url: `nats://${url.hostname}:${port}` };
    }
    await Promise.race([ended, delay(10)]);
  }
  throw new Error(`it was not ready after ${patienceMs} ms (${reason})`);
}

function describeEnd(child: ChildProcess): string {
  return child.signalCode === null ? `exit code ${child.exitCode}` : `signal ${child.signalCode}`;
}

/** Reads the file the server writes once it listens; undefined while there is none. */
async function readPortFile(storeDir: string): Promise<URL | undefined> {
  const name = (await readdir(storeDir)).find((entry) => entry.endsWith(".ports"));
  if (name === undefined) return undefined;
  try {
    const { nats } = JSON.parse(await readFile(join(storeDir, name), "utf8")) as { nats?: string[] };
    return nats?.[0] === undefined ? undefined : new URL(nats[0].replace(/^\w+:/, "http:"));
  } catch {
    return undefined; // It is being written.
  }
}

async function removePortFiles(storeDir: string): Promise<void> {
  for (const name of await readdir(storeDir)) {
    if (name.endsWith(".ports")) await rm(join(storeDir, name), { force: true });
  }
}

/** Reads what a NATS server says of itself to everyone who connects. */
function readServerInfo(host: string, port: number): Promise<{ jetstream?: boolean }> {
  return new Promise((resolveInfo, reject) => {
    const socket = connect({ host, port, timeout: 2_000 });
    let text = "";
    socket.setEncoding("utf8");
    socket.on("data", (chunk) => {
      text += chunk;
      const match = /^INFO (\{.*\})\s*\r\n/.exec(text);
      if (match === null) return;
      socket.destroy();
      resolveInfo(JSON.parse(match[1] as string) as { jetstream?: boolean });
    });
    socket.on("timeout", () => socket.destroy(new Error("it accepts connections but says nothing")));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("it closed the connection")));
  });
}

async function endChild(running: Unready, mode: "graceful" | "kill"): Promise<void> {
  const { child } = running;
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    child.kill(mode === "kill" ? "SIGKILL" : "SIGTERM");
    // A frozen server does not see the signal before it continues.
    if (mode === "graceful") child.kill("SIGCONT");
    const patience = new AbortController();
    const timer = delay(stopPatienceMs, undefined, { signal: patience.signal }).then(
      () => child.kill("SIGKILL"),
      () => {},
    );
    await waitForEnd(running);
    patience.abort();
    await timer;
  }
  dismissGuard(running);
}

async function waitForEnd(running: Unready): Promise<void> {
  running.child.ref();
  await running.ended;
  dismissGuard(running);
}

function dismissGuard({ guard }: Unready): void {
  if (guard?.stdin?.writable === true) guard.stdin.end("done\n");
}

function logPathOf(storeDir: string): string {
  return join(storeDir, "nats-server.log");
}

async function openLog(storeDir: string): Promise<{ file: Awaited<ReturnType<typeof open>>; startOfLog: number }> {
  const path = logPathOf(storeDir);
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size > maxLogBytes) await rename(path, `${path}.1`);
  return { file: await open(path, "a"), startOfLog: size > maxLogBytes ? 0 : size };
}

async function readLogTail(storeDir: string, startOfLog: number): Promise<string> {
  const text = await readFile(logPathOf(storeDir)).catch(() => Buffer.alloc(0));
  return text.subarray(startOfLog).toString("utf8").trimEnd().split("\n").slice(-15).join("\n");
}

/**
 * `statewright dev`: an embedded server, and a node that is started again when its modules change.
 *
 * 1. The node is a process of its own, so that every start loads the modules as they are on disk.
 * 2. Node and server run in groups of their own: Ctrl-C reaches this process only, which ends the node first, and then the server.
 * 3. A module that cannot be loaded ends no more than the node: the next change starts it again.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { constants } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { defaultSpace } from "../../actors/space-options.ts";
import { ServerUnavailableError } from "../../runtime/core/errors.ts";
import { type EmbeddedServer, startEmbeddedServer } from "../../runtime/server/embedded-server.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { findModule } from "../load-definitions.ts";
import { watchFolders } from "../module-watcher.ts";
import type { LogFormat, LogLevel } from "../node-log.ts";
import { type Io, paint, printable, type Terminal } from "../terminal.ts";
import { NodeProcess } from "./node-process.ts";
import type { UpMessage } from "./run.ts";

/** What the options of `dev` hold. */
export interface DevFlags {
  readonly port?: number;
  readonly store: string;
  readonly ephemeral?: boolean;
  readonly space?: string;
  readonly partitions?: number;
  readonly watch?: readonly string[];
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

const usualPort = 4222;
const lookAtServerMs = 2000;

/** Runs until it is stopped, or the server ends by itself. */
export async function dev(modules: readonly string[], flags: DevFlags, io: Io): Promise<ExitCode> {
  const paths = modules.map((module) => findModule(module, io.cwd));
  const folders = [
    ...paths.map((path) => dirname(path)),
    ...(flags.watch ?? []).map((folder) => resolve(io.cwd, folder)),
  ];
  const stop = whenToStop();
  const say = (line: string) => io.out.write(`${paint(io.out, "dim", "dev")} ${printable(line)}\n`);
  say("Starting a NATS server and the node.");
  const server = await startServer(flags, io, say);
  const node = new NodeProcess(nodeArguments(paths, flags, server), io, say, (up, isFirst) => {
    if (isFirst) io.out.write(describeRunning(up, server, flags, folders, io));
    else
      say(
        `The node is up again, with ${up.types
          .map(({ type }) => type)
          .sort()
          .join(", ")}.`,
      );
  });
  const stopWatching = watchFolders([...new Set(folders)], {
    onChange: (files) => {
      const [first = ""] = files;
      const others = files.length > 1 ? ` and ${files.length - 1} more` : "";
      say(`${relative(io.cwd, first)}${others} changed: the node is started again.`);
      node.restart();
    },
    onProblem: say,
  });
  node.restart();
  const ended = await Promise.race([stop, serverEnd(server)]);
  stopWatching();
  await node.stop();
  await server.stop();
  if (ended === "server") {
    throw new ServerUnavailableError(`The embedded server has ended by itself. Its log is ${server.logPath}.`);
  }
  say("Node and server are stopped.");
  return exitCodes.ok;
}

async function startServer(flags: DevFlags, io: Io, say: (line: string) => void): Promise<EmbeddedServer> {
  const storeDir = resolve(io.cwd, flags.store);
  if (flags.ephemeral !== true) {
    await mkdir(storeDir, { recursive: true });
    await writeFile(join(storeDir, ".gitignore"), "*\n");
  }
  const port = flags.port ?? ((await isFree(usualPort)) ? usualPort : 0);
  let isUp = false;
  const server = await startEmbeddedServer({
    ...(flags.ephemeral === true ? {} : { storeDir }),
    ...(port === 0 ? {} : { port }),
    // Getting a server takes a while the first time.
    log: (line) => {
      if (!isUp && !/ is ready at /.test(line)) say(line);
    },
  });
  isUp = true;
  return server;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolveFree) => {
    const probe = createServer();
    probe.once("error", () => resolveFree(false));
    probe.listen({ port, host: "127.0.0.1" }, () => probe.close(() => resolveFree(true)));
  });
}

function nodeArguments(paths: readonly string[], flags: DevFlags, server: EmbeddedServer): string[] {
  return [
    "run",
    // A change is to be seen soon: an activity that runs on is interrupted.
    ...["--nats", server.url, "--sync-always", "--drain", "2s"],
    ...(flags.space === undefined ? [] : ["--space", flags.space]),
    ...(flags.partitions === undefined ? [] : ["--partitions", String(flags.partitions)]),
    ...["--log-level", flags.logLevel, "--log-format", flags.logFormat],
    "--",
    ...paths,
  ];
}

/** Resolves when the server has ended although nobody asked it to. */
function serverEnd(server: EmbeddedServer): Promise<"server"> {
  return new Promise((resolveEnd) => {
    const timer = setInterval(() => {
      try {
        process.kill(server.pid, 0);
      } catch {
        clearInterval(timer);
        resolveEnd("server");
      }
    }, lookAtServerMs);
    timer.unref();
  });
}

/** Resolves at the first signal; the second one ends the process: the node and the server then end by themselves. */
function whenToStop(): Promise<"signal"> {
  return new Promise((resolveStop) => {
    let signals = 0;
    const onSignal = (signal: NodeJS.Signals) => {
      signals++;
      if (signals > 1) process.exit(128 + (constants.signals[signal] ?? 0));
      resolveStop("signal");
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}

function describeRunning(
  up: UpMessage,
  server: EmbeddedServer,
  flags: DevFlags,
  folders: readonly string[],
  io: Io,
): string {
  const command = io.env.npm_config_user_agent === undefined ? "statewright" : "npx statewright";
  const [example] = up.types;
  const actor = `${example?.type ?? "type"}/1`;
  const where = [
    ...(server.port === usualPort ? [] : ["--nats", server.url]),
    ...(flags.space === undefined ? [] : ["--space", flags.space]),
  ];
  const tries = [
    ...(example?.needsCreate === true ? [["create", actor, "'{}'"]] : []),
    ["send", actor, example?.event ?? "SOME_EVENT"],
    ["show", actor],
    ["history", actor],
    ["dlq", "ls"],
  ].map((words) => [command, ...words, ...where].join(" "));
  const store = flags.ephemeral === true ? "temporary, gone at the end" : relative(io.cwd, server.storeDir) || ".";
  const out = io.out;
  const lines = [
    "",
    paint(out, "bold", "Statewright is running."),
    "",
    ...facts(out, [
      ["server", `${server.url} (nats-server ${server.version}, every write is flushed)`],
      ["store", store],
      ["space", flags.space ?? defaultSpace],
      [
        "actors",
        up.types
          .map(({ type }) => type)
          .sort()
          .join(", "),
      ],
    ]),
    "",
    "Try in another terminal:",
    "",
    ...tries.map((line) => `  ${printable(line)}`),
    "",
    `A change in ${[...new Set(folders)].map((folder) => relative(io.cwd, folder) || "this folder").join(", ")} starts the node again. Ctrl-C stops everything.`,
    "",
  ];
  return `${lines.join("\n")}\n`;
}

function facts(out: Terminal, pairs: ReadonlyArray<readonly [string, string]>): string[] {
  return pairs.map(([label, text]) => `  ${paint(out, "dim", label.padEnd(8))}${printable(text)}`);
}

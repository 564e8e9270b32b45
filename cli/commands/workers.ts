/**
 * `statewright run --workers`: processes that each run a node, looked after by this one, which runs none.
 *
 * 1. A worker that ends by itself is started again: after a random time up to half a second, a second, two and so on to 30; a minute in health counts anew.
 * 2. What no restart can help (options, modules, the space) ends all, with the exit code that says so.
 * 3. A signal ends the workers in order; those that do not end in time are killed. A second one ends them at once.
 * 4. Workers end in order when this process is gone: their channel to it is closed.
 */
import { type ChildProcess, fork } from "node:child_process";
import { constants, hostname } from "node:os";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { isStatewrightError } from "../../runtime/core/errors.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { NodeLog } from "../node-log.ts";
import { type Io, paint, type Terminal } from "../terminal.ts";
import { startedAsWorker, type WorkerMessage } from "../worker-channel.ts";
import type { RunFlags } from "./run.ts";

const firstBackoffMs = 500;
const longestBackoffMs = 30_000;
const healthyMs = 60_000;
const usualDrainMs = 15_000;
/** Besides the time that a worker may take to end in order. */
const graceMs = 3_000;

interface WorkerProcess {
  readonly name: string;
  child: ChildProcess | undefined;
  timer: NodeJS.Timeout | undefined;
  /** Ends in a row. */
  failures: number;
  startedMs: number;
  /** From the moment on at which it takes part in the space. */
  isUp: boolean;
  failed: Extract<WorkerMessage, { readonly kind: "failed" }> | undefined;
}

/** True for a failure that the next start would meet too. */
export function isFinal(error: unknown): boolean {
  // What is no error of Statewright was thrown by a module while it was loaded.
  return !isStatewrightError(error) || error.retry !== "transient";
}

/** How long the `failures`-th end in a row, from 1, is waited after. */
export function restartDelayMs(failures: number, random: () => number = Math.random): number {
  return random() * Math.min(longestBackoffMs, firstBackoffMs * 2 ** Math.min(failures - 1, 16));
}

/** Runs so many workers until a signal comes or one fails for good. */
export async function runWorkers(
  modules: readonly string[],
  flags: RunFlags & { readonly workers: number },
  io: Io,
): Promise<ExitCode> {
  const base = flags.name ?? `${hostname().slice(0, 40)}-${process.pid}`;
  const log = new NodeLog(io.out, flags.logLevel, flags.logFormat);
  const workers = Array.from({ length: flags.workers }, (_, i): WorkerProcess => {
    const name = `${base}-${i + 1}`;
    return { name, child: undefined, timer: undefined, failures: 0, startedMs: 0, isUp: false, failed: undefined };
  });
  let stoppedBy: NodeJS.Signals | undefined;
  let code: ExitCode = exitCodes.ok;
  let onOver: () => void = () => {};
  const over = new Promise<void>((resolve) => {
    onOver = resolve;
  });

  const start = (worker: WorkerProcess): void => {
    worker.timer = undefined;
    worker.failed = undefined;
    worker.isUp = false;
    worker.startedMs = performance.now();
    const [, script = ""] = process.argv;
    const child = fork(script, workerArguments(process.argv.slice(2), worker.name), {
      cwd: io.cwd,
      // A signal from the terminal is passed on from here, once.
      detached: true,
      env: { ...io.env, [startedAsWorker]: "1" },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    worker.child = child;
    pass(child.stdout, io.out, worker.name, flags.logFormat);
    pass(child.stderr, io.err, worker.name, flags.logFormat);
    child.on("message", (message: WorkerMessage) => {
      if (message.kind === "failed") worker.failed = message;
      else worker.isUp = true;
    });
    child.on("error", () => {});
    child.on("close", (exitCode, signal) => ended(worker, exitCode, signal));
  };

  const ended = (worker: WorkerProcess, exitCode: number | null, signal: NodeJS.Signals | null): void => {
    worker.child = undefined;
    if (stoppedBy !== undefined) {
      // One that was still starting has nothing to finish, and may not have heard of signals yet.
      const isInOrder = exitCode === 0 || (signal === stoppedBy && !worker.isUp);
      if (!isInOrder && code === exitCodes.ok) code = exitCodes.failed;
      if (workers.every(({ child }) => child === undefined)) onOver();
      return;
    }
    const how = signal === null ? `with exit code ${exitCode}` : `by ${signal}`;
    if (worker.failed?.isFinal === true) {
      ({ code } = worker.failed);
      log.event({
        level: "error",
        name: "worker.failed",
        message: `Worker ${worker.name} ended ${how}, and would again: all workers are ended.`,
        data: { worker: worker.name },
      });
      stop("SIGTERM");
      return;
    }
    const livedMs = performance.now() - worker.startedMs;
    worker.failures = livedMs >= healthyMs ? 1 : worker.failures + 1;
    const delayMs = Math.round(restartDelayMs(worker.failures));
    log.event({
      level: "warn",
      name: "worker.ended",
      message: `Worker ${worker.name} ended ${how} after ${Math.round(livedMs / 1000)} s: it is started again in ${delayMs} ms.`,
      data: { worker: worker.name, exitCode, signal, delayMs },
    });
    worker.timer = setTimeout(() => start(worker), delayMs);
  };

  const stop = (signal: NodeJS.Signals): void => {
    stoppedBy = signal;
    for (const worker of workers) {
      clearTimeout(worker.timer);
      worker.child?.kill(signal);
    }
    if (workers.every(({ child }) => child === undefined)) onOver();
    const patience = setTimeout(
      () => {
        for (const { name, child } of workers) {
          if (child === undefined) continue;
          log.event({ level: "error", name: "worker.killed", message: `Worker ${name} does not end: it is killed.` });
          child.kill("SIGKILL");
        }
      },
      (flags.drain ?? usualDrainMs) + graceMs,
    );
    patience.unref();
  };

  let secondSignal: NodeJS.Signals | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stoppedBy !== undefined) {
      secondSignal = signal;
      for (const { child } of workers) child?.kill("SIGKILL");
      return;
    }
    log.say(
      "workers.stopping",
      `${signal}: the workers finish what has been decided. Another signal ends them at once.`,
    );
    stop(signal);
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  log.say(
    "workers.starting",
    `${workers.length} workers run ${modules.join(", ")}: ${workers.map(({ name }) => name).join(", ")}.`,
    {
      workers: workers.map(({ name }) => name),
    },
  );
  for (const worker of workers) start(worker);
  await over;
  process.off("SIGTERM", onSignal);
  process.off("SIGINT", onSignal);
  if (secondSignal !== undefined) process.exit(128 + (constants.signals[secondSignal] ?? 0));
  log.say("workers.stopped", "All workers have ended.");
  return code;
}

/** The arguments of this process as a worker gets them: one node, with a name of its own. */
export function workerArguments(argv: readonly string[], name: string): string[] {
  const end = argv.indexOf("--");
  const options = end < 0 ? argv : argv.slice(0, end);
  const kept = options.filter((word, i) => {
    const before = options[i - 1];
    return !/^--(workers|name)(=|$)/.test(word) && before !== "--workers" && before !== "--name";
  });
  const [command = "run", ...rest] = kept;
  return [command, "--name", name, ...rest, ...(end < 0 ? [] : argv.slice(end))];
}

/** Passes on what a worker writes, line by line, with its name: in a field of what is JSON, before what is not. */
function pass(from: Readable | null, to: Terminal, name: string, format: RunFlags["logFormat"]): void {
  if (from === null) return;
  createInterface({ input: from }).on("line", (line) => {
    if (format === "json" && line.startsWith("{"))
      to.write(`${line.startsWith('{"') ? `{"worker":${JSON.stringify(name)},${line.slice(1)}` : line}\n`);
    else to.write(`${paint(to, "dim", name)} ${line}\n`);
  });
}

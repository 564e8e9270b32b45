/**
 * The process of a node under `statewright dev`.
 *
 * 1. There is one at most: the next one starts after the last one has ended.
 * 2. However often a restart is asked for while one is under way, one more follows.
 */
import { type ChildProcess, fork } from "node:child_process";
import type { Io } from "../terminal.ts";
import { startedByDev, type UpMessage } from "./run.ts";

const stopPatienceMs = 10_000;

/** The process of a node that is started again and again. */
export class NodeProcess {
  readonly #args: readonly string[];
  readonly #io: Io;
  readonly #say: (line: string) => void;
  readonly #onUp: (up: UpMessage, isFirst: boolean) => void;
  #child: ChildProcess | undefined;
  #wanted: "running" | "again" | "stopped" = "stopped";
  #working: Promise<void> | undefined;
  #wasUp = false;

  constructor(
    args: readonly string[],
    io: Io,
    say: (line: string) => void,
    onUp: (up: UpMessage, isFirst: boolean) => void,
  ) {
    this.#args = args;
    this.#io = io;
    this.#say = say;
    this.#onUp = onUp;
  }

  /** Starts the node, after the one that runs has ended in order. Calls made meanwhile are one. */
  restart(): void {
    this.#wanted = "again";
    this.#work();
  }

  async stop(): Promise<void> {
    this.#wanted = "stopped";
    this.#work();
    await this.#working;
  }

  #work(): void {
    this.#working ??= this.#settle().finally(() => {
      this.#working = undefined;
    });
  }

  async #settle(): Promise<void> {
    while (this.#wanted !== "running") {
      await this.#end();
      if (this.#wanted === "stopped") return;
      this.#wanted = "running";
      this.#start();
    }
  }

  #start(): void {
    const [, script = ""] = process.argv;
    const child = fork(script, this.#args, {
      cwd: this.#io.cwd,
      detached: true,
      env: { ...this.#io.env, [startedByDev]: "1" },
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#child = child;
    let isUp = false;
    child.on("message", (message: UpMessage) => {
      if (message.kind !== "up") return;
      isUp = true;
      this.#onUp(message, !this.#wasUp);
      this.#wasUp = true;
    });
    child.on("error", (error) => this.#say(`The node cannot be started: ${error.message}.`));
    child.on("exit", (code, signal) => {
      if (this.#child === child) this.#child = undefined;
      if (this.#wanted !== "running") return;
      const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
      this.#say(
        `The node ${isUp ? "ended" : "did not start: it ended"} ${how}. It is started again when a file changes.`,
      );
    });
  }

  async #end(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolveEnd) => child.once("exit", () => resolveEnd()));
    child.kill("SIGTERM");
    const timer = setTimeout(() => {
      this.#say("The node does not end: it is killed.");
      child.kill("SIGKILL");
    }, stopPatienceMs);
    await ended;
    clearTimeout(timer);
  }
}

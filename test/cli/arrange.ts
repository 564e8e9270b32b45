/** What the tests of the command line share: a fake terminal, and the real program as a process. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import type { Io, Terminal } from "../../cli/terminal.ts";

const root = resolve(import.meta.dirname, "..", "..");

/** The module with the actors `counter` and `order`. */
export const actorsModule = join(import.meta.dirname, "fixtures", "actors.ts");

/** A terminal that remembers what was written to it. */
export interface FakeTerminal extends Terminal {
  readonly text: () => string;
  readonly lines: () => string[];
}

export function fakeTerminal(options: { readonly width?: number; readonly hasColour?: boolean } = {}): FakeTerminal {
  let text = "";
  return {
    write: (more) => {
      text += more;
    },
    width: options.width,
    hasColour: options.hasColour ?? false,
    text: () => text,
    lines: () => text.split("\n").slice(0, -1),
  };
}

/** What a command gets, with the given text as its standard input. */
export function fakeIo(stdin: readonly string[] = []): Io & { readonly out: FakeTerminal; readonly err: FakeTerminal } {
  return {
    out: fakeTerminal(),
    err: fakeTerminal(),
    stdin: (async function* () {
      yield* stdin;
    })(),
    env: {},
    cwd: root,
  };
}

/** How a run of the program ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** A running program. */
export interface Running {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly err: () => string;
  readonly ended: Promise<Ended>;
}

/** Starts the program, as it is in the checkout. */
export function startCli(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Running {
  const tsx = import.meta.resolve("tsx");
  const { STATEWRIGHT_NATS: _, ...env } = process.env;
  const child = spawn(process.execPath, ["--import", tsx, join(root, "cli", "main.ts"), ...args], {
    cwd: options.cwd ?? root,
    env: { ...env, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal, out, err }) as Ended);
  return { child, out: () => out, err: () => err, ended };
}

/** Runs the program to its end, with a text as its standard input. */
export async function runCli(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv; readonly stdin?: string } = {},
): Promise<Ended> {
  const running = startCli(args, options);
  // A command that does not read it may have ended before.
  running.child.stdin?.on("error", () => {}).end(options.stdin ?? "");
  return running.ended;
}

/** Reads JSON documents, one a line. */
export function documentsIn(text: string): Array<Record<string, unknown>> {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

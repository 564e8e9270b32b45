import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { afterEach, expect, test } from "vitest";
import { eventually } from "../contract/eventually.ts";

const main = resolve(import.meta.dirname, "..", "..", "examples", "flights", "main.ts");
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

interface Run {
  readonly child: ChildProcess;
  /** Standard output and standard error so far. */
  readonly output: () => string;
  readonly exitCode: Promise<number | null>;
}

function demo(...args: string[]): Run {
  const child = spawn(process.execPath, ["--import", "tsx", main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      text += chunk;
    });
  }
  return { child, output: () => text, exitCode: once(child, "close").then(([code]) => code as number | null) };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("replays 2,000 flights through a crash and agrees with the data file, before the fix and after it", async () => {
  const { output, exitCode } = demo("--flights", "2000");
  expect(await exitCode, output()).toBe(0);
  expect(output().match(/^ *EXACT: all 186 airports agree$/gm)).toHaveLength(2);
  expect(output()).not.toMatch(/WRONG|DIFFERENT|node error/);
  expect(output()).toContain("40 of 40 messages sent twice");
}, 120_000);

test("ends nodes and server on Ctrl-C", async () => {
  const { child, output, exitCode } = demo();
  await eventually(() => expect(output()).toMatch(/^ {2}nodes /m), 60_000);
  const pids = [...output().matchAll(/process(?:es)? ([\d, ]+)/g)]
    .flatMap(([, list = ""]) => list.match(/\d+/g) ?? [])
    .map(Number);
  expect(pids).toHaveLength(3);
  child.kill("SIGINT");
  expect(await exitCode, output()).toBe(130);
  await eventually(() => expect(pids.filter(isAlive)).toEqual([]));
}, 90_000);

test.each([
  [["--fligths", "2000"], "Did you mean --flights?"],
  [["--flights", "3000"], "Allowed choices are 2000, 10000, 20000."],
  [["--nodes", "0"], "Use a whole number from 1 to 8."],
  [["--nats", "localhost"], "Use nats://host:port."],
  [["ten"], "too many arguments"],
])("refuses %j with exit code 2", async (args, reason) => {
  const { output, exitCode } = demo(...args);
  expect(await exitCode).toBe(2);
  expect(output()).toContain(reason);
});

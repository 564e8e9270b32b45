#!/usr/bin/env node
/**
 * The gate: everything that must hold before a change is handed on. Prints each step with its time, stops at the first
 * that fails and shows its output; the tests come last, and their tally is the last line.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const packed = mkdtempSync(join(tmpdir(), "statewright-pack-"));
process.on("exit", () => rmSync(packed, { recursive: true, force: true }));

prepare();
step("format", [tool("@biomejs/biome", "bin/biome"), "check", "--linter-enabled=false", "."]);
step("types", [tool("typescript", "bin/tsc"), "-p", "tsconfig.json"]);
step("lint", [tool("@biomejs/biome", "bin/biome"), "lint", "--error-on-warnings", "."]);
step("unused", [tool("knip", "bin/knip.js"), "--no-progress"]);
step("build", ["npm", "run", "--silent", "build"]);
step("pack", ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", packed]);
step("publint", [tool("publint", "src/cli.js"), "run", tarball(), "--strict"]);
step("exported types", [tool("@arethetypeswrong/cli", "dist/index.js"), tarball(), "--profile", "esm-only"]);
tests();

function tool(name, file) {
  return join(root, "node_modules", name, file);
}

function tarball() {
  return join(packed, readdirSync(packed).find((name) => name.endsWith(".tgz")) ?? "nothing-was-packed.tgz");
}

function prepare() {
  const { status } = spawnSync(process.execPath, [join("scripts", "prepare.mjs")], { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(1);
}

function step(name, [command, ...args]) {
  const startedAt = Date.now();
  const [program, ...before] = command === "npm" ? ["npm"] : [process.execPath, command];
  const { status, stdout, stderr, error } = spawnSync(program, [...before, ...args], { cwd: root, encoding: "utf8" });
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  if (status === 0) {
    console.log(`ok      ${name.padEnd(16)}${seconds.padStart(6)} s`);
    return;
  }
  console.log(`${stdout ?? ""}${stderr ?? ""}${error?.message ?? ""}`);
  console.log(`FAILED  ${name.padEnd(16)}${seconds.padStart(6)} s`);
  process.exit(1);
}

function tests() {
  const startedAt = Date.now();
  const { status, stdout } = spawnSync(process.execPath, [join("scripts", "test.mjs"), "--silent=passed-only"], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 256 * 1024 * 1024,
  });
  const lines = (stdout ?? "").trimEnd().split("\n");
  if (status !== 0) console.log(lines.slice(0, -1).join("\n"));
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  console.log(`${status === 0 ? "ok    " : "FAILED"}  ${"tests".padEnd(16)}${seconds.padStart(6)} s`);
  console.log(lines.at(-1));
  process.exitCode = status === 0 ? 0 : 1;
}

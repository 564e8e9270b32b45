/**
 * The dependency rule: a file imports from its own folder or from a lower floor, siblings on a floor never import each
 * other, type imports count, and each folder uses only the libraries licensed to it.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..", "..");

interface Folder {
  readonly path: string;
  readonly floor: number;
  /** Packages it may import; a name that ends in `/` stands for all packages of that scope. */
  readonly libraries: readonly string[];
}

const house: readonly Folder[] = [
  { path: "runtime/core", floor: 0, libraries: [] },
  { path: "runtime/machine", floor: 1, libraries: ["xstate"] },
  { path: "runtime/log", floor: 1, libraries: ["effect"] },
  { path: "runtime/supervise", floor: 2, libraries: ["effect"] },
  { path: "runtime/memory", floor: 2, libraries: ["effect"] },
  { path: "runtime/jetstream", floor: 2, libraries: ["effect", "@nats-io/"] },
  { path: "runtime/server", floor: 2, libraries: [] },
  { path: "runtime/engine", floor: 3, libraries: ["effect"] },
  { path: "actors", floor: 4, libraries: ["effect", "@standard-schema/spec", "@opentelemetry/api"] },
  { path: "workflows", floor: 5, libraries: ["effect", "@standard-schema/spec", "xstate"] },
  { path: "cli", floor: 6, libraries: ["effect", "commander"] },
];

/** Finds everything a source file imports: static, dynamic, re-exported, for its types or for its effects. */
function importsOf(source: string): string[] {
  const code = source
    .split("\n")
    .filter((line) => !/^\s*(\*|\/\/|\/\*)/.test(line))
    .join("\n");
  const patterns = [
    /(?:^|[;}\s])(?:import|export)\b[^;"'`]*?\bfrom\s*["']([^"']+)["']/g,
    /(?:^|[;}\s])import\s*["']([^"'\n]+)["']/g,
    /\b(?:import|require|require\.resolve|import\.meta\.resolve)\s*\(\s*["'`]([^"'`]+)["'`]/g,
  ];
  return [...new Set(patterns.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1] as string)))];
}

function folderOf(file: string): Folder | undefined {
  return house.find((folder) => file.startsWith(`${folder.path}/`));
}

/** Lists what a file, named by its path in the project, imports against the rule. */
function violations(file: string, source: string): string[] {
  const from = folderOf(file);
  if (from === undefined) return [`${file} stands in no folder of the house`];
  return importsOf(source).flatMap((name) => {
    const reason = name.startsWith(".") ? wrongFile(from, file, name) : wrongLibrary(from, name);
    return reason === undefined ? [] : [`${file} imports ${name}: ${reason}`];
  });
}

function wrongFile(from: Folder, file: string, name: string): string | undefined {
  const target = relative(root, resolve(root, dirname(file), name));
  const to = folderOf(target);
  if (to === undefined) return "it stands in no folder of the house";
  if (to === from || to.floor < from.floor) return undefined;
  return to.floor === from.floor ? `a sibling on floor ${to.floor}` : `floor ${to.floor} is above floor ${from.floor}`;
}

function wrongLibrary(from: Folder, name: string): string | undefined {
  if (isBuiltin(name)) return name.startsWith("node:") ? undefined : `write node:${name}`;
  const isLicensed = from.libraries.some((library) =>
    library.endsWith("/") ? name.startsWith(library) : name === library || name.startsWith(`${library}/`),
  );
  return isLicensed ? undefined : `${from.path} has no licence for this library`;
}

function sourceFiles(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.[cm]?tsx?$/.test(name))
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`);
}

const files = ["runtime", "actors", "workflows", "cli"].flatMap(sourceFiles);

test("every import stays on its floor and within its licences", () => {
  expect(files.length).toBeGreaterThan(0);
  expect(files.flatMap((file) => violations(file, readFileSync(join(root, file), "utf8")))).toEqual([]);
});

test("every folder of the house is drawn once", () => {
  expect(new Set(house.map((folder) => folder.path)).size).toBe(house.length);
});

test.each([
  ["runtime/core/ids.ts", 'import { createActor } from "xstate";', "no licence"],
  ["runtime/core/ids.ts", 'import type * as Effect from "effect/Effect";', "no licence"],
  ["runtime/machine/decide.ts", 'import { Effect } from "effect";', "no licence"],
  ["runtime/engine/lane.ts", 'import type { AnyStateMachine } from "xstate";', "no licence"],
  ["runtime/engine/lane.ts", 'import { connect } from "@nats-io/transport-node";', "no licence"],
  ["runtime/engine/lane.ts", 'import { metrics } from "@opentelemetry/api";', "no licence"],
  ["runtime/engine/lane.ts", 'import { run } from "../../cli/run.ts";', "floor 6 is above floor 3"],
  ["runtime/memory/log.ts", 'export type { X } from "../jetstream/log.ts";', "a sibling"],
  ["runtime/log/log.ts", 'import {\n  a,\n  b,\n} from "../machine/decide.ts";', "a sibling"],
  ["runtime/log/log.ts", 'type X = import("../machine/decide.ts").X;', "a sibling"],
  ["actors/client.ts", 'const x = await import("../workflows/saga.ts");', "floor 5 is above floor 4"],
  ["actors/client.ts", 'import "../index.ts";', "no folder of the house"],
  ["actors/client.ts", 'import { Command } from "commander";', "no licence"],
  ["actors/client.ts", 'import { readFile } from "fs";', "write node:fs"],
  ["actors/client.ts", 'import x from "effectful";', "no licence"],
  ["runtime/loose.ts", "", "stands in no folder"],
])("refuses in %s: %s", (file, source, reason) => {
  expect(violations(file, source)).toEqual([expect.stringContaining(reason)]);
});

test.each([
  ["runtime/machine/decide.ts", 'import { transition } from "xstate";\nimport { toToken } from "../core/names.ts";'],
  ["runtime/jetstream/log.ts", 'import type { Log } from "../log/log.ts";\nimport * as Effect from "effect/Effect";'],
  ["runtime/jetstream/log.ts", 'import { jetstream } from "@nats-io/jetstream";\nimport { join } from "node:path";'],
  ["cli/main.ts", 'import { Command } from "commander";\nimport { x } from "../workflows/saga.ts";'],
  [
    "runtime/core/ids.ts",
    '/**\n * import { connect } from "statewright";\n */\n// import "xstate"\nexport const a = 1;',
  ],
])("allows in %s: %s", (file, source) => {
  expect(violations(file, source)).toEqual([]);
});

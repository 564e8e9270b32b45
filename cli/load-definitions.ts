/** Loads the modules of a user and finds the definitions of actors and activities in them. */
import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, extname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type AnyActivityDefinition, isActivityDefinition } from "../actors/define-activity.ts";
import { type AnyActorDefinition, isActorDefinition } from "../actors/define-actor.ts";
import { InvalidOptionsError, isStatewrightError } from "../runtime/core/errors.ts";
import { runnableOf } from "../runtime/engine/activities.ts";
import { nearestName } from "../runtime/supervise/check-options.ts";

const typescriptEndings = new Set([".ts", ".mts", ".cts", ".tsx"]);

/** What modules export. */
export interface Definitions {
  readonly actors: readonly AnyActorDefinition[];
  readonly activities: readonly AnyActivityDefinition[];
}

/**
 * Loads modules and returns every definition that they export: by default or by name, alone or together.
 *
 * Details: TypeScript is loaded by `tsx` where the project has it, else by Node where it can. A definition that is exported twice counts once.
 *
 * Errors: `InvalidOptionsError` when there is no such file, no way to load it, or nothing in it; what the module throws, with the module's name.
 */
export async function loadDefinitions(modules: readonly string[], cwd: string): Promise<Definitions> {
  const paths = modules.map((module) => findModule(module, cwd));
  const scripts = paths.filter((path) => typescriptEndings.has(extname(path)));
  if (scripts.length > 0) await prepareTypescript(scripts, cwd);
  const found = new Set<AnyDefinition>();
  for (const path of paths) {
    const exported = await importModule(path, cwd);
    const definitions = [exported, exported.default].flatMap(definitionsAmong);
    if (definitions.length === 0) {
      const names = Object.keys(exported);
      const has = names.length === 0 ? "it exports nothing" : `it exports ${names.join(", ")}, and none of it is one`;
      throw new InvalidOptionsError(
        `Cannot run ${shownPath(path, cwd)}: a module must export what defineActor or defineActivity returns, and ${has}.`,
        { details: { module: path, exports: names } },
      );
    }
    for (const definition of definitions) found.add(definition);
  }
  return {
    actors: [...found].filter(isActorDefinition),
    // What is only declared is not named by being exported: contracts stand beside what implements them.
    activities: [...found].filter(isActivityDefinition).filter((each) => runnableOf(each)?.code !== undefined),
  };
}

/** Finds the file of a module. Errors: `InvalidOptionsError` naming the nearest file. */
export function findModule(module: string, cwd: string): string {
  const path = resolve(cwd, module.startsWith("file:") ? fileURLToPath(module) : module);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isFile() === true) return path;
  const attempted = `Cannot find the module ${module}`;
  if (stats?.isDirectory() === true) throw new InvalidOptionsError(`${attempted}: it is a folder. Name the file.`);
  const near = nearestName(basename(path), filesIn(dirname(path)));
  const hint = near === undefined ? "" : ` Did you mean ${join(dirname(module), near)}?`;
  throw new InvalidOptionsError(`${attempted}: there is no such file.${hint}`, { details: { module: path } });
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => /\.[cm]?[jt]sx?$/.test(name));
  } catch {
    return [];
  }
}

/** What is exported by name, or by default as an object of names, which is also how modules of CommonJS arrive. */
function definitionsAmong(exported: unknown): AnyDefinition[] {
  if (typeof exported !== "object" || exported === null || isDefinition(exported)) return [];
  return Object.values(exported).flatMap(definitionsIn);
}

function definitionsIn(exported: unknown): AnyDefinition[] {
  if (Array.isArray(exported)) return exported.flatMap(definitionsIn);
  return isDefinition(exported) ? [exported] : [];
}

type AnyDefinition = AnyActorDefinition | AnyActivityDefinition;

function isDefinition(exported: unknown): exported is AnyDefinition {
  return isActorDefinition(exported) || isActivityDefinition(exported);
}

async function importModule(path: string, cwd: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    const name = shownPath(path, cwd);
    if (!(error instanceof Error))
      throw new Error(`Cannot load ${name}: it throws ${String(error)}.`, { cause: error });
    if ((error as { code?: unknown }).code === "ERR_UNKNOWN_FILE_EXTENSION") throw noTypescript(name, error);
    const place =
      placeOf(error.stack, cwd) ?? (error instanceof SyntaxError ? placeOfSyntaxError(path, cwd) : undefined);
    const message = `Cannot load ${name}: ${withoutEnd(describe(error))}${place === undefined ? "" : ` (${place})`}.`;
    if (isStatewrightError(error)) {
      error.message = message;
      throw error;
    }
    throw new Error(message, { cause: error });
  }
}

interface TsxPackage {
  readonly exports: Readonly<Record<"./cjs/api" | "./esm/api", { readonly import: { readonly default: string } }>>;
}

async function prepareTypescript(scripts: readonly string[], cwd: string): Promise<void> {
  // Started with tsx, as in a checkout: its hooks are there already.
  if ([...process.execArgv, process.env.NODE_OPTIONS ?? ""].some((arg) => /\btsx\b/.test(arg))) return;
  for (const from of [scripts[0] as string, join(cwd, "index.js"), fileURLToPath(import.meta.url)]) {
    const project = createRequire(from);
    try {
      const place = project.resolve("tsx/package.json");
      const { exports: doors } = project("tsx/package.json") as TsxPackage;
      for (const door of ["./cjs/api", "./esm/api"] as const) {
        // By the door for imports, which a resolver for `require` does not find.
        const api = pathToFileURL(join(dirname(place), doors[door].import.default)).href;
        ((await import(api)) as { register(): unknown }).register();
      }
      return;
    } catch (error) {
      if ((error as { code?: unknown }).code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  // Newer versions of Node take types out by themselves.
  const features = process.features as { readonly typescript?: unknown };
  if (!features.typescript) throw noTypescript(shownPath(scripts[0] as string, cwd));
}

function noTypescript(name: string, cause?: Error): InvalidOptionsError {
  return new InvalidOptionsError(
    `Cannot load ${name}: it is or imports TypeScript, and the project has no tsx to load it with. Install it (npm install --save-dev tsx), or compile the module and name the .js file.`,
    { cause, details: { module: name } },
  );
}

function describe(error: Error): string {
  const name = error.name === "Error" || isStatewrightError(error) ? "" : `${error.name}: `;
  return `${name}${error.message.replace(/ imported from .*$/s, "")}`;
}

/** A syntax error does not say where it is; Node tells when it only checks the file. It may be in a file that the module imports. */
function placeOfSyntaxError(path: string, cwd: string): string | undefined {
  const { status, stderr } = spawnSync(process.execPath, ["--check", path], { encoding: "utf8", timeout: 5000 });
  return status === 0 ? undefined : placeOf(stderr, cwd);
}

/** Finds where in the user's own files something was thrown. */
function placeOf(stack: string | undefined, cwd: string): string | undefined {
  for (const line of (stack ?? "").split("\n")) {
    const match = /(?:file:\/\/|[( ])(\/[^()\s]+?:\d+(?::\d+)?)\)?$/.exec(line.trimEnd());
    const place = match?.[1] ?? /^(?:file:\/\/)?(\/\S+:\d+)$/.exec(line)?.[1];
    if (place === undefined || /node_modules|node:/.test(place) || ownFolders.some((own) => place.startsWith(own)))
      continue;
    const [, path = place, position = ""] = /^(.*?)((?::\d+){1,2})$/.exec(place) ?? [];
    return `${shownPath(decodePath(path), cwd)}${position}`;
  }
  return undefined;
}

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const ownFolders = ["actors", "cli", "runtime", "workflows"].map((name) => join(root, name, sep));

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function withoutEnd(text: string): string {
  return text.replace(/[.\s]+$/, "");
}

function shownPath(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short === "" || short.startsWith("..") ? path : short;
}

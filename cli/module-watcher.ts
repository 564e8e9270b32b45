/**
 * Watches folders for changes of source files.
 *
 * Each folder is watched by itself: the recursive watching of the platform would also go through `node_modules`, and is not there everywhere.
 */
import { type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import { extname, join } from "node:path";

const endings = new Set([".ts", ".mts", ".cts", ".tsx", ".js", ".mjs", ".cjs", ".jsx", ".json"]);
const ignored = new Set(["node_modules"]);
const maxFolders = 2000;
/** Editors write a file in several steps. */
const settleMs = 120;

/** Options of {@link watchFolders}. */
export interface WatchOptions {
  /** Called once for a burst of changes, with the files. */
  readonly onChange: (files: readonly string[]) => void;
  /** Called when not everything can be watched. */
  readonly onProblem: (problem: string) => void;
}

/** Watches folders and what is below them, but for `node_modules` and hidden folders, until the returned function is called. */
export function watchFolders(folders: readonly string[], { onChange, onProblem }: WatchOptions): () => void {
  const watchers = new Map<string, FSWatcher>();
  const versions = new Map<string, string>();
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let hasComplained = false;
  const complain = (problem: string) => {
    if (!hasComplained) onProblem(problem);
    hasComplained = true;
  };

  const note = (path: string) => {
    changed.add(path);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const files = [...changed];
      changed.clear();
      onChange(files);
    }, settleMs);
  };

  const look = (path: string, isNews: boolean) => {
    const version = versionOf(path);
    if (version === versions.get(path)) return;
    if (version === undefined) versions.delete(path);
    else versions.set(path, version);
    if (isNews) note(path);
  };

  const add = (folder: string, isNews: boolean) => {
    if (watchers.has(folder)) return;
    if (watchers.size >= maxFolders)
      return complain(`Only ${maxFolders} folders are watched: changes in others are not seen.`);
    try {
      const watcher = watch(folder, (_, name) => {
        if (name === null) return scan(folder, true);
        const path = join(folder, name);
        if (endings.has(extname(name))) look(path, true);
        else if (isWatched(name) && isFolder(path)) add(path, true);
      });
      watcher.on("error", () => remove(folder));
      watchers.set(folder, watcher);
    } catch (error) {
      return complain(`Cannot watch ${folder}: ${(error as Error).message}.`);
    }
    scan(folder, isNews);
  };

  const scan = (folder: string, isNews: boolean) => {
    let entries: { readonly name: string; isDirectory(): boolean }[];
    try {
      entries = readdirSync(folder, { withFileTypes: true });
    } catch {
      return remove(folder);
    }
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (isWatched(entry.name)) add(path, isNews);
      } else if (endings.has(extname(entry.name))) look(path, isNews);
    }
  };

  const remove = (folder: string) => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };

  for (const folder of folders) add(folder, false);
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers.values()) watcher.close();
    watchers.clear();
  };
}

function isWatched(name: string): boolean {
  return !ignored.has(name) && !name.startsWith(".");
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function versionOf(path: string): string | undefined {
  try {
    const { mtimeMs, size } = statSync(path);
    return `${mtimeMs}:${size}`;
  } catch {
    return undefined;
  }
}

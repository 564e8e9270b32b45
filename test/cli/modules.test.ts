import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadDefinitions } from "../../cli/load-definitions.ts";
import { watchFolders } from "../../cli/module-watcher.ts";
import { eventually } from "../contract/eventually.ts";
import { actorsModule } from "./arrange.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "statewright-cli-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const write = (name: string, text: string) => writeFile(join(folder, name), text);
const actorsUrl = JSON.stringify(pathToFileURL(actorsModule).href);

describe("loading", () => {
  test("finds definitions exported by default, by name, in lists and in objects, each once", async () => {
    await write("a.mjs", `export { counter, default as all } from ${actorsUrl}; export const other = 1;`);
    await write("b.mjs", `import { counter, order } from ${actorsUrl}; export default { counter, order };`);
    for (const modules of [["a.mjs"], ["b.mjs"], ["a.mjs", "b.mjs"]]) {
      const types = (await loadDefinitions(modules, folder)).actors.map(({ type }) => type);
      expect(types.sort()).toEqual(["counter", "order"]);
    }
  });

  test("tells activities from actors, and takes a module that only has activities", async () => {
    const index = JSON.stringify(pathToFileURL(join(import.meta.dirname, "..", "..", "index.ts")).href);
    await write(
      "work.mjs",
      `import { defineActivity } from ${index}; export const mail = defineActivity("mail", { run() {} });`,
    );
    await write("all.mjs", `export * from "./work.mjs"; export { counter } from ${actorsUrl};`);
    const names = async (...modules: string[]) => {
      const { actors, activities } = await loadDefinitions(modules, folder);
      return [actors.map(({ type }) => type), activities.map(({ activity }) => activity)];
    };
    expect(await names("work.mjs")).toEqual([[], ["mail"]]);
    expect(await names("all.mjs", "work.mjs")).toEqual([["counter"], ["mail"]]);
    await write(
      "contract.mjs",
      `import { declareActivity } from ${index}; export const fax = declareActivity("fax"), wire = declareActivity("wire");`,
    );
    await write(
      "fax.mjs",
      `import { implementActivity } from ${index}; import { fax } from "./contract.mjs"; export * from "./contract.mjs"; export const sendFax = implementActivity(fax, () => {});`,
    );
    expect(await names("contract.mjs", "fax.mjs")).toEqual([[], ["fax"]]);
  });

  test.each([
    ["export const a = 1, b = 2;", /it exports a, b, and none of it is one/],
    ["", /it exports nothing/],
  ])("refuses a module without definitions: %s", async (text, message) => {
    await write("a.mjs", text);
    await expect(loadDefinitions(["a.mjs"], folder)).rejects.toMatchObject({
      _tag: "InvalidOptionsError",
      message: expect.stringMatching(message),
    });
  });

  test("names the nearest file when there is none of the name", async () => {
    await write("actors.mjs", "");
    await expect(loadDefinitions(["./actor.mjs"], folder)).rejects.toThrow(
      "Cannot find the module ./actor.mjs: there is no such file. Did you mean actors.mjs?",
    );
    await expect(loadDefinitions(["."], folder)).rejects.toThrow(/it is a folder/);
  });

  test("says which module throws, and what", async () => {
    await write("a.mjs", '\nthrow new TypeError("no such thing");');
    await expect(loadDefinitions(["a.mjs"], folder)).rejects.toThrow(
      /^Cannot load a\.mjs: TypeError: no such thing \(a\.mjs:2:7\)\.$/,
    );
  });
});

describe("watching", () => {
  test("tells changed, new and removed sources once each, also in folders made later", async () => {
    await write("a.ts", "1");
    const seen: string[][] = [];
    const stop = watchFolders([folder], {
      onChange: (files) => seen.push(files.map((file) => file.slice(folder.length + 1))),
      onProblem: (problem) => expect.unreachable(problem),
    });
    const next = async (change: () => Promise<unknown>) => {
      const before = seen.length;
      await change();
      await eventually(() => expect(seen.length).toBeGreaterThan(before));
      return [...new Set(seen.slice(before).flat())];
    };
    try {
      expect(await next(() => write("a.ts", "12"))).toEqual(["a.ts"]);
      expect(await next(() => write("b.json", "{}"))).toEqual(["b.json"]);
      expect(
        await next(async () => {
          await mkdir(join(folder, "deep"));
          await write("deep/c.mts", "1");
        }),
      ).toEqual(["deep/c.mts"]);
      expect(await next(() => write("deep/c.mts", "123"))).toEqual(["deep/c.mts"]);
      expect(await next(() => rm(join(folder, "a.ts")))).toEqual(["a.ts"]);
    } finally {
      stop();
    }
  });

  test("sees nothing in node_modules, hidden folders and other files", async () => {
    for (const name of ["node_modules", ".statewright"]) await mkdir(join(folder, name));
    const seen: string[] = [];
    const stop = watchFolders([folder], { onChange: (files) => seen.push(...files), onProblem: () => {} });
    try {
      await write("node_modules/a.js", "1");
      await write(".statewright/a.json", "1");
      await write("a.log", "1");
      await write("last.ts", "1");
      await eventually(() => expect(seen).not.toEqual([]));
      expect(seen).toEqual([join(folder, "last.ts")]);
    } finally {
      stop();
    }
  });
});

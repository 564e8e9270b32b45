/** The examples of README and guide do what is written under them. */
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = `${root}.cache/docs-examples`;

interface Example {
  readonly page: string;
  readonly index: number;
  readonly code: string;
  readonly output: string;
}

/** A `ts` block that is followed by a `text` block: a program and what it prints. */
function examplesOf(page: string): Example[] {
  const text = readFileSync(`${root}${page}`, "utf8");
  return [...text.matchAll(/```ts\n([\s\S]*?)```\n+```text\n([\s\S]*?)```/g)].map(([, code, output], index) => ({
    page,
    index,
    code: code as string,
    output: output as string,
  }));
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(["README.md", "docs/guide.md"])("%s", (page) => {
  const examples = examplesOf(page);

  it("has examples that can be run", () => {
    expect(examples.length).toBeGreaterThan(0);
  });

  it.each(examples)("example $index prints what the page says", async ({ index, code, output }) => {
    mkdirSync(folder, { recursive: true });
    const file = `${folder}/${page.replace(/\W/g, "-")}-${index}.ts`;
    writeFileSync(
      file,
      code.replace(
        /from "statewright(\/\w+)?"/g,
        (_, door?: string) => `from "../../${door === undefined ? "index" : door.slice(1)}.ts"`,
      ),
    );
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", file], {
      cwd: root,
      timeout: 60_000,
    });
    expect(stdout).toBe(output);
  });
});

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { commandTable } from "../../cli/command-table.ts";
import { createProgram } from "../../cli/program.ts";
import { fakeTerminal } from "./arrange.ts";

const page = resolve(import.meta.dirname, "..", "..", "docs", "cli.md");

/** The help of a command, named by the words that call it. */
async function helpOf(words: readonly string[]): Promise<string> {
  const out = fakeTerminal();
  const program = createProgram({ out, err: fakeTerminal() }, async () => {});
  await program.parseAsync([...words, "--help"], { from: "user" }).catch(() => {});
  return out.text().trimEnd();
}

/** The page with the help of the program as it is now in the block after each heading that names a command. */
async function withHelp(text: string): Promise<string> {
  const block = /^(#+ `statewright ?([a-z ]*)`\n(?:(?!^#)[\s\S])*?^```text\n)[\s\S]*?(^```)$/gm;
  const help = new Map<string, string>();
  for (const [, , words = ""] of text.matchAll(block)) help.set(words, await helpOf(words.split(" ").filter(Boolean)));
  return text.replace(
    block,
    (_, before: string, words: string, after: string) => `${before}${help.get(words)}\n${after}`,
  );
}

// When a command has changed: npx vitest run test/cli/page.test.ts --update
test("docs/cli.md shows the help of every command as it is", async () => {
  const text = await readFile(page, "utf8");
  for (const { name } of commandTable) expect(text).toContain(`\`statewright ${name}\`\n`);
  await expect(await withHelp(text)).toMatchFileSnapshot(page);
});

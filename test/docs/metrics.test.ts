import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { metricTable } from "../../actors/metrics.ts";

const page = resolve(import.meta.dirname, "..", "..", "docs", "metrics.md");

/** The page with the table as the code is now. */
function withTable(text: string): string {
  const rows = metricTable.map(({ name, kind, unit, attributes, description }) =>
    ["", `\`${name}\``, kind, `\`${unit}\``, attributes.map((each) => `\`${each}\``).join(", "), description, ""]
      .join(" | ")
      .trim(),
  );
  return text.replace(/(\| metric \|.*\n\|---.*\n)(?:\|.*\n)*/, (_, head: string) => `${head}${rows.join("\n")}\n`);
}

// When a metric has changed: npx vitest run test/docs/metrics.test.ts --update
test("docs/metrics.md lists every metric as it is", async () => {
  const text = await readFile(page, "utf8");
  await expect(withTable(text)).toMatchFileSnapshot(page);
});

test("every metric that docs/metrics.md names is one", async () => {
  const names = new Set(metricTable.map(({ name }) => name));
  const text = await readFile(page, "utf8");
  const attributes = new Set([
    "statewright.space",
    "statewright.node",
    ...metricTable.flatMap((entry) => entry.attributes),
  ]);
  const named = [...text.matchAll(/`(statewright\.[a-z_.]+)`/g)].map(([, name]) => name as string);
  expect(named.filter((name) => !names.has(name) && !attributes.has(name))).toEqual([]);
});

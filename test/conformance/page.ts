/** The page that shows the matrix: docs/xstate.md. */
import { join } from "node:path";
import { type MatrixSection, matrix, type Works } from "./matrix.ts";

/** Where the page is. */
export const pagePath = join(import.meta.dirname, "..", "..", "docs", "xstate.md");

const words: Readonly<Record<Works, string>> = { yes: "yes", different: "yes, with a difference", no: "no" };

/** Writes the page. */
export function renderPage(sections: readonly MatrixSection[] = matrix): string {
  const rows = sections.flatMap((section) => section.rows);
  const count = (works: Works): number => rows.filter((row) => row.works === works).length;
  return [
    "# XState 5 on Statewright",
    "",
    `Every feature of XState 5, whether it works, and how, or why not: ${count("yes")} work as on a live actor, ${count("different")} with a difference that is named, ${count("no")} do not.`,
    "Where nothing is said, it is as in XState: decided within the step, and committed with it. What cannot work is refused by name when the actor is defined or, where it only shows then, at the step.",
    "",
    "Each row that works is shown by scenarios (`test/conformance`), which run on live actors of XState and on Statewright, straight and with crashes in between, or by a test of its own",
    "(`test/conformance/rows.ts`). `npm run docs:xstate` writes this page; a test fails when page, rows and tests disagree.",
    ...sections.flatMap(({ title, rows }) => [
      "",
      `## ${title}`,
      "",
      "| Feature | Works | How, or why not |",
      "|---|---|---|",
      ...rows.map(({ feature, works, how }) => `| ${cell(feature)} | ${words[works]} | ${cell(how)} |`),
    ]),
    "",
  ].join("\n");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

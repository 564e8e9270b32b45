/** Writes docs/xstate.md from the rows in test/conformance/matrix.ts: `npm run docs:xstate`. */
import { writeFileSync } from "node:fs";
import { pagePath, renderPage } from "../test/conformance/page.ts";

writeFileSync(pagePath, renderPage());

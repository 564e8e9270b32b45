/** What the matrix says and no scenario can show. */
import { test } from "vitest";
import { rowTests } from "./rows.ts";

for (const { name, run } of rowTests) test(name, run);

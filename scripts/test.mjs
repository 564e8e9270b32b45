#!/usr/bin/env node
/**
 * Runs the tests and prints `N passed, N failed` as the last line.
 *
 * A file that cannot be loaded and an error outside any test count as failed. Exits with 1 when anything failed or
 * nothing ran. Arguments are passed on to vitest: `npm test -- test/server`.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const folder = mkdtempSync(join(tmpdir(), "statewright-test-"));
const reportPath = join(folder, "report.json");

const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportPath}`];
const { status } = spawnSync(process.execPath, [vitest, "run", ...reporters, ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
});

const { passed, failed, skipped } = count();
if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

function count() {
  let report;
  try {
    report = JSON.parse(readFileSync(reportPath, "utf8"));
  } catch {
    console.log("The test run ended without a report.");
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const tests = report.testResults.flatMap((file) => file.assertionResults);
  const withStatus = (...statuses) => tests.filter((test) => statuses.includes(test.status)).length;
  const brokenFiles = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  );
  const failed = withStatus("failed") + brokenFiles.length;
  // An unhandled error fails the run although no test did.
  const outside = failed === 0 && status !== 0 && tests.length > 0 ? 1 : 0;
  return { passed: withStatus("passed"), failed: failed + outside, skipped: withStatus("skipped", "pending", "todo") };
}

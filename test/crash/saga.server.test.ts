/** Sagas whose process is killed on a real server: thirty of the many instants of their way, forward and backward. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect, type EmbeddedServer, startEmbeddedServer } from "../../index.ts";
import { ServiceLedger } from "../workflows/saga-ledger.ts";
import { orderSaga, steps, type Trouble } from "../workflows/saga-order.ts";
import { small } from "./journal.ts";
import type { LedgerLine } from "./saga-process.ts";

let server: EmbeddedServer;
let folder: string;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  server = await startEmbeddedServer();
  folder = mkdtempSync(join(tmpdir(), "statewright-saga-"));
});
afterAll(async () => {
  for (const child of running) child.kill("SIGKILL");
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const troubles: ReadonlyArray<readonly [trouble: Trouble, expected: readonly string[]]> = [
  [{}, ["completed"]],
  [{ fails: { step: "label", how: "after" } }, ["compensated"]],
  [{ fails: { step: "capture", how: "after" } }, ["compensated"]],
  [{ cancelAfterMs: 40 }, ["cancelled", "completed"]],
  [{ fails: { step: "capture", how: "before" }, undoFails: "reserve" }, ["stuck"]],
];
const deaths: ReadonlyArray<Readonly<Record<string, string>>> = [
  { STATEWRIGHT_FAULT: "decided:2" },
  { STATEWRIGHT_FAULT: "commit.before:3" },
  { STATEWRIGHT_FAULT: "commit.after:4" },
  { STATEWRIGHT_FAULT: "commit.before:5" },
  { SAGA_KILL: "4" },
  { SAGA_KILL: "7" },
];
const cases = troubles.flatMap(([trouble, expected]) =>
  deaths.map((death) => ({
    name: `${JSON.stringify(trouble)} and ${Object.values(death)[0]}`,
    trouble,
    expected,
    death,
  })),
);
let died = 0;

function begin(space: string, name: string, trouble: Trouble, file: string, env: NodeJS.ProcessEnv): ChildProcess {
  const child = spawn(
    process.execPath,
    [
      "--import",
      import.meta.resolve("tsx"),
      fileURLToPath(new URL("saga-process.ts", import.meta.url)),
      JSON.stringify({ servers: server.url, space, partitions: 1, ...small, name, lease: 500 }),
      JSON.stringify(trouble),
      file,
    ],
    { stdio: ["ignore", "inherit", "inherit", "ipc"], env: { ...process.env, ...env } },
  );
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

test.concurrent.each(cases)(
  "comes to its end: $name",
  async ({ trouble, expected, death }) => {
    const n = cases.findIndex((one) => one.trouble === trouble && one.death === death);
    const space = `saga${n}`;
    const file = join(folder, `${n}.jsonl`);
    const first = begin(space, "first", trouble, file, death);
    const gone = once(first, "exit");
    await Promise.race([once(first, "message"), gone]);
    const order = orderSaga(
      new ServiceLedger(),
      trouble,
      async () => {},
      () => {},
    );
    const client = await connect({ servers: server.url, space, partitions: 1, ...small });
    const started = order.start(client, { id: "1" }, { key: "o1", timeout: 40_000 });
    const life = async () => {
      const run = await started;
      const isEnded = client.waitFor(run.ref, (view) => view.status !== "active" || view.hasTag("stuck"), {
        timeout: 60_000,
      });
      if (trouble.cancelAfterMs !== undefined) {
        await new Promise((resolve) => setTimeout(resolve, trouble.cancelAfterMs));
        await run.cancel({ timeout: 40_000 });
      }
      await isEnded;
      return run;
    };
    const living = life();
    living.catch(() => {});
    const how = await Promise.race([gone.then(() => "died" as const), living.then(() => "lived" as const)]);
    if (how === "died") died++;
    else first.kill("SIGKILL");
    await gone;
    const second = begin(space, "second", trouble, file, {});
    const run = await living;
    const status = await run.status();
    const ledger = new ServiceLedger();
    const lines = existsSync(file)
      ? readFileSync(file, "utf8")
          .split("\n")
          .filter((line) => line !== "")
      : [];
    for (const line of lines) {
      const { step, what, key, doKey } = JSON.parse(line) as LedgerLine;
      if (what === "do") ledger.do(step, key);
      else ledger.undo(step, key, doKey);
    }
    const about = JSON.stringify({ trouble, death, how, status, calls: ledger.calls });
    expect(expected, about).toContain(status);
    expect(ledger.violations(steps), about).toEqual([]);
    const left = status === "completed" ? [...steps].sort() : status === "stuck" ? [trouble.undoFails] : [];
    expect(ledger.inForce(), about).toEqual(left);
    const letters = await client.deadLetters.list("type:order");
    expect(
      letters.map(({ event }) => event),
      about,
    ).toEqual(status === "stuck" ? ["saga.retry"] : []);
    await client.close();
    second.kill("SIGKILL");
  },
  120_000,
);

test("most of them died on the way", () => {
  expect(died).toBeGreaterThanOrEqual(25);
});

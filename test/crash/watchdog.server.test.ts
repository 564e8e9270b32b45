/** The watchdog of real processes: what stands still is told while it does, and what was only suspended is not. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Client, connect, type EmbeddedServer, startEmbeddedServer } from "../../index.ts";
import { victim } from "./actors.ts";
import { balanced, eventually, killAll, NodeProcess, openedAll } from "./processes.ts";

const partitions = 2;
const blocked =
  /^error loop\.blocked: The event loop of node n1 has stood still since .*: it handles the message with sequence 2 of INGRESS in partition [01]\. /m;

let server: EmbeddedServer;
let folder: string;
let client: Client | undefined;
let child: ChildProcess | undefined;
beforeAll(async () => {
  server = await startEmbeddedServer();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "statewright-watchdog-"));
});
afterEach(async () => {
  child?.kill("SIGKILL");
  await killAll();
  await client?.close();
  await rm(folder, { recursive: true, force: true });
});
afterAll(() => server.stop());

describe("the watchdog", () => {
  it("tells of a message that blocks the process, while it does and afterwards", async () => {
    const space = { servers: server.url, space: "blocked", partitions };
    const node = await NodeProcess.start({ ...space, name: "n1", watchdog: 200 });
    client = await connect({ ...space, actors: [victim], assumeSyncAlways: true });
    await client.ask(victim.ref("a"), { type: "TAKE", n: 1 });
    const until = join(folder, "go-on");
    const asked = client.ask(victim.ref("a"), { type: "TAKE", n: 2, until });

    // The process waits for the file, so what it has written by now it has written while it stood still.
    await eventually(() => expect(node.words).toMatch(blocked));
    expect(told(node)).toEqual([]);
    await writeFile(until, "");
    expect(await asked).toMatchObject({ outcome: "applied" });
    await eventually(() =>
      expect(told(node)).toEqual([
        expect.stringMatching(
          / n1 stood still for \d+ ms, by the message with sequence 2 of INGRESS in partition [01]\.$/,
        ),
      ]),
    );
    expect(node.words.match(/has stood still/g)).toHaveLength(1);
    await node.stop();
  });

  it("does not tell of a process that was suspended for longer than it may block", async () => {
    const space = { servers: server.url, space: "suspended", partitions };
    const lease = 1_000;
    const first = await NodeProcess.start({ ...space, name: "n1", lease, watchdog: 200 });
    const second = await NodeProcess.start({ ...space, name: "n2", lease, watchdog: "off" });
    const shares = await balanced([first, second], partitions);
    const sinceMs = performance.now();
    first.freeze();
    // Its lease is over: it has been suspended for five times as long as it may block.
    await openedAll(second, shares.get("n1") as number[], sinceMs);
    first.thaw();
    await balanced([first, second], partitions);
    expect(first.words).not.toContain("stood still");
    expect(told(first)).toEqual([]);

    // It still watches.
    client = await connect({ ...space, actors: [victim], assumeSyncAlways: true });
    const until = join(folder, "go-on");
    const asks = Array.from({ length: 8 }, (_, i) => client?.ask(victim.ref(`v${i}`), { type: "TAKE", n: i, until }));
    await eventually(() => expect(first.words).toContain("error loop.blocked: The event loop of node n1 has stood"));
    await writeFile(until, "");
    await Promise.all(asks);
    await first.stop();
    await second.stop();
  });

  it("ends a process that stands still although nobody reads what it writes", async () => {
    const watchdog = JSON.stringify(new URL("../../runtime/engine/watchdog.ts", import.meta.url).href);
    const code = `
      import { startWatchdog } from ${watchdog};
      startWatchdog({ node: "n1", afterMs: 100, then: "kill", onEvent: () => {} });
      process.stdin.once("data", () => { for (;;); });
      process.stdout.write("ready");
    `;
    const args = ["--import", import.meta.resolve("tsx"), "--input-type=module", "-e", code];
    child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "pipe"] });
    const ended = once(child, "exit");
    await once(child.stdout as NonNullable<typeof child.stdout>, "data");
    child.stderr?.destroy();
    child.stdin?.write("stand still");
    expect(await ended).toEqual([null, "SIGKILL"]);
  });
});

/** What the node told of its loop through `onEvent`. */
function told(node: NodeProcess): string[] {
  return node.happenings.filter(({ name }) => name === "loop.blocked").map(({ message }) => message);
}

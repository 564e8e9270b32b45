import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { connect } from "@nats-io/transport-node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startEmbeddedServer } from "../../runtime/server/embedded-server.ts";
import { eventually } from "../contract/eventually.ts";
import { actorsModule, documentsIn, type Running, runCli, startCli } from "./arrange.ts";

const cleanups: Array<() => Promise<unknown>> = [];
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "statewright-cli-"));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
});
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function start(args: readonly string[], options: Parameters<typeof startCli>[1] = {}): Running {
  const running = startCli(args, options);
  cleanups.push(async () => {
    running.child.kill("SIGKILL");
    await running.ended;
  });
  return running;
}

async function startServer() {
  const server = await startEmbeddedServer();
  cleanups.push(() => server.stop("kill"));
  return server;
}

const index = JSON.stringify(pathToFileURL(join(import.meta.dirname, "..", "..", "index.ts")).href);

/** A module with an actor type that takes one event. */
function moduleOf(event: string): string {
  return `
    import { createMachine } from "${import.meta.resolve("xstate")}";
    import { defineActor } from ${index};
    export const light = defineActor("light", {
      machine: createMachine({ id: "light", initial: "off", states: { off: { on: { ${event}: "on" } }, on: {} } }),
      events: { ${event}: null },
    });
  `;
}

describe("statewright run", () => {
  test.each(["SIGTERM", "SIGINT"] as const)("runs a node until %s, and ends in order", async (signal) => {
    const server = await startServer();
    const node = start(["run", actorsModule, "--nats", server.url, "--name", "one", "--partitions", "4"]);
    await eventually(() => {
      expect(node.out()).toContain(
        `Node one is up in space "default" at ${server.url}, with actor types counter, order.`,
      );
      expect(node.out()).toContain("4 partitions are open: 0-3.");
    });
    const asked = await runCli(["ask", "counter/a", "INC", "--nats", server.url, "-o", "json"]);
    expect(documentsIn(asked.out)).toMatchObject([{ outcome: "applied" }]);
    node.child.kill(signal);
    const ended = await node.ended;
    expect(ended).toMatchObject({ code: 0, err: "" });
    expect(ended.out).toContain("4 partitions are handed over: 0-3.");
    expect(ended.out).toMatch(/Node one is stopped\.\n$/);
  });

  test("writes its log as documents when it is told to", async () => {
    const server = await startServer();
    const node = start(["run", actorsModule, "--nats", server.url, "--log-format", "json", "--sync-always"]);
    await eventually(() => expect(node.out()).toContain("partition.opened"));
    node.child.kill("SIGTERM");
    const { code, out } = await node.ended;
    expect(code).toBe(0);
    const events = documentsIn(out);
    expect(events[0]).toMatchObject({ level: "info", name: "node.up", types: ["counter", "order"] });
    expect(events.at(-1)).toMatchObject({ name: "node.stopped" });
  });

  test("ends at once at the second signal", async () => {
    const server = await startServer();
    const node = start(["run", actorsModule, "--nats", server.url, "--partitions", "4"]);
    await eventually(() => expect(node.out()).toContain("4 partitions are open"));
    // Frozen: the node cannot hand its partitions over, and waits.
    await server.kill("SIGSTOP");
    node.child.kill("SIGTERM");
    await eventually(() => expect(node.out()).toContain("Another signal ends the node at once."));
    node.child.kill("SIGINT");
    expect(await node.ended).toMatchObject({ code: 130 });
  });

  test.each([
    ["there is no server", ["run", actorsModule, "--nats", "nats://127.0.0.1:1"], 1, "Cannot connect"],
    ["there is no module", ["run", "./nothing.ts"], 2, "Cannot find the module ./nothing.ts"],
    ["a name cannot be used", ["run", actorsModule, "--name", ""], 2, "a node name"],
  ])("says why it does not start when %s", async (_, args, code, message) => {
    const ended = await runCli(args);
    expect(ended.code).toBe(code);
    expect(ended.err).toContain(message);
  });

  test("fails when its space is deleted", async () => {
    const server = await startServer();
    const node = start(["run", actorsModule, "--nats", server.url, "--partitions", "4"]);
    await eventually(() => expect(node.out()).toContain("4 partitions are open"));
    await deleteStreams(server.url);
    const ended = await node.ended;
    expect(ended.code).toBe(1);
    expect(ended.err).toMatch(/^error: /);
  });
});

describe("statewright dev", () => {
  test("starts a server and a node, and starts the node again when its module changes", async () => {
    const path = join(folder, "light.ts");
    await writeFile(path, moduleOf("PRESS"));
    const dev = start(["dev", "light.ts", "--port", "0", "--partitions", "4"], { cwd: folder });
    const url = await eventually(() => {
      const found = /server +(nats:\S+)/.exec(dev.out())?.[1];
      expect(found).toBeDefined();
      return found as string;
    });
    expect(dev.out()).toContain(`statewright send light/1 PRESS --nats ${url}`);
    const ask = (event: string) => runCli(["ask", "light/1", event, "--nats", url, "-o", "json"]);
    const first = await ask("PRESS");
    expect(documentsIn(first.out)).toMatchObject([{ outcome: "applied", view: { value: "on" } }]);
    expect((await ask("TURN")).code).toBe(2);

    await writeFile(path, "this is no module (");
    await eventually(() => {
      expect(dev.err()).toContain("Cannot load light.ts");
      expect(dev.out()).toContain("It is started again when a file changes.");
    });

    await writeFile(path, moduleOf("TURN"));
    await eventually(() => expect(dev.out()).toContain("The node is up again, with light."));
    const second = await ask("TURN");
    expect(documentsIn(second.out)).toMatchObject([{ outcome: "ignored", view: { value: "on" } }]);

    expect(await readFile(join(folder, ".statewright", ".gitignore"), "utf8")).toBe("*\n");
    dev.child.kill("SIGINT");
    const ended = await dev.ended;
    expect(ended.code).toBe(0);
    expect(ended.out).toContain("Node and server are stopped.");
    expect((await ask("TURN")).code).toBe(1);
  });

  test("leaves nothing behind when it is ephemeral, not even when it is killed", async () => {
    await writeFile(join(folder, "light.ts"), moduleOf("PRESS"));
    const dev = start(["dev", "light.ts", "--port", "0", "--ephemeral"], { cwd: folder });
    const url = await eventually(() => {
      const found = /server +(nats:\S+)/.exec(dev.out())?.[1];
      expect(found).toBeDefined();
      return found as string;
    });
    expect(existsSync(join(folder, ".statewright"))).toBe(false);
    dev.child.kill("SIGKILL");
    // The node and the server keep its output open until they have ended too.
    await dev.ended;
    expect((await runCli(["types", "--nats", url])).code).toBe(1);
  });
});

/** Deletes both streams of the space, as an operator might by mistake. */
async function deleteStreams(url: string): Promise<void> {
  const connection = await connect({ servers: url });
  const { streams } = (await connection.request("$JS.API.STREAM.NAMES")).json<{ streams: string[] }>();
  for (const name of streams) await connection.request(`$JS.API.STREAM.DELETE.${name}`);
  await connection.close();
}

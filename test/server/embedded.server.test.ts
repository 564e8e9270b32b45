import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import {
  type EmbeddedServer,
  type EmbeddedServerOptions,
  startEmbeddedServer,
} from "../../runtime/server/embedded-server.ts";
import { identifyProcess } from "../../runtime/server/process-identity.ts";
import { lockStore } from "../../runtime/server/store-lock.ts";

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function start(options?: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const server = await startEmbeddedServer(options);
  cleanups.push(() => server.stop("kill"));
  return server;
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "statewright-embedded-"));
  cleanups.push(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Sends one request in the server's text protocol and returns the body of the answer. */
function request(port: number, subject: string, body = ""): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.setEncoding("utf8").on("error", reject);
    socket.on("data", (chunk) => {
      text += chunk;
      const answer = /MSG answer 1 \d+\r\n(.*)\r\n/.exec(text);
      if (answer === null) return;
      socket.destroy();
      resolve(JSON.parse(answer[1] as string) as Record<string, unknown>);
    });
    socket.write(`CONNECT {"verbose":false}\r\nSUB answer 1\r\nPUB ${subject} answer ${body.length}\r\n${body}\r\n`);
  });
}

const streamConfig = JSON.stringify({ name: "KEPT", subjects: ["kept.>"], storage: "file", retention: "limits" });

test("is ready for JetStream, on loopback, with every write flushed", async () => {
  const server = await start();
  expect(server.url).toBe(`nats://127.0.0.1:${server.port}`);
  expect(await request(server.port, "$JS.API.STREAM.CREATE.KEPT", streamConfig)).toMatchObject({ did_create: true });
  const config = await readFile(join(server.storeDir, "nats-server.conf"), "utf8");
  expect(config).toContain("sync_interval: always");
  expect(config).not.toContain("http");
});

test("keeps port and data over SIGKILL and restart", async () => {
  const server = await start({ storeDir: await folder() });
  await request(server.port, "$JS.API.STREAM.CREATE.KEPT", streamConfig);
  expect(await request(server.port, "kept.a", "hello")).toMatchObject({ stream: "KEPT", seq: 1 });
  const { port, pid } = server;
  await server.kill("SIGKILL");
  expect(identifyProcess(pid)).toBeUndefined();
  await server.restart();
  expect(server.port).toBe(port);
  expect(server.pid).not.toBe(pid);
  expect(await request(port, "kept.a", "hello")).toMatchObject({ seq: 2 });
});

test("stops a frozen server and removes the temporary store", async () => {
  const server = await start();
  await server.kill("SIGSTOP");
  await server.stop();
  expect(identifyProcess(server.pid)).toBeUndefined();
  expect(existsSync(server.storeDir)).toBe(false);
  await server.stop();
  await expect(server.restart()).rejects.toMatchObject({ _tag: "ServerUnavailableError" });
});

test("refuses a second server on the same store and says where the first one is", async () => {
  const storeDir = await folder();
  const first = await start({ storeDir });
  await expect(startEmbeddedServer({ storeDir })).rejects.toThrow(
    `Cannot start a server in ${storeDir}: a server (process ${first.pid}) already uses this folder at ${first.url}.`,
  );
  await first.stop();
  await start({ storeDir });
});

test("lets exactly one of several simultaneous starts have the store, also over a stale lock", async () => {
  const storeDir = await folder();
  await writeFile(
    join(storeDir, "server.lock.7"),
    JSON.stringify({ owner: { pid: 1, startedAt: "-" }, server: { pid: 1, startedAt: "-" }, detached: false }),
  );
  const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => start({ storeDir })));
  expect(outcomes.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(1);
});

test("gives a store's lock to one of many, through many takeovers", async () => {
  const storeDir = await folder();
  for (let round = 0; round < 50; round += 1) {
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lockStore(storeDir, false)));
    const locks = outcomes.filter((outcome) => outcome.status === "fulfilled");
    expect(locks).toHaveLength(1);
    await locks[0]?.value.release();
  }
  expect(await readdir(storeDir)).toEqual(["server.lock.50"]);
});

test("keeps the store of a crashed server for its owner, until that one stops it", async () => {
  const storeDir = await folder();
  const server = await start({ storeDir });
  await server.kill("SIGKILL");
  await expect(startEmbeddedServer({ storeDir })).rejects.toThrow(`process ${process.pid}`);
  await server.stop();
  await start({ storeDir });
});

test("quotes the server's log when it does not start", async () => {
  const { port } = await start();
  const taken = await startEmbeddedServer({ port }).catch((error: Error) => error);
  expect(taken).toMatchObject({ _tag: "ServerUnavailableError" });
  expect((taken as Error).message).toContain("address already in use");
  await expect(startEmbeddedServer({ extraConfig: "nonsense {" })).rejects.toThrow(/Parse error/);
  await expect(startEmbeddedServer({ binary: join(tmpdir(), "absent") })).rejects.toThrow("there is no such file");
});

/** Runs a process that starts a server, prints where it is, and waits to be killed. */
async function startInChild(options: string) {
  const source = new URL("../../runtime/server/embedded-server.ts", import.meta.url).href;
  const script = `
    const { startEmbeddedServer } = await import(${JSON.stringify(source)});
    const { pid, storeDir } = await startEmbeddedServer(${options});
    console.log(JSON.stringify({ pid, storeDir }));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const line = await new Promise<string>((resolve) => child.stdout.once("data", (data) => resolve(String(data))));
  return { child, ...(JSON.parse(line) as { pid: number; storeDir: string }) };
}

test("leaves neither a server nor a temporary store behind when its process is killed", async () => {
  const { child, pid, storeDir } = await startInChild("{}");
  expect(identifyProcess(pid)).toBeDefined();
  child.kill("SIGKILL");
  await vi.waitFor(() => expect(identifyProcess(pid)).toBeUndefined(), { timeout: 10_000 });
  await vi.waitFor(() => expect(existsSync(storeDir)).toBe(false), { timeout: 10_000 });
});

test("lets a detached server outlive its process, and still guards its store", async () => {
  const storeDir = await folder();
  const { child, pid } = await startInChild(JSON.stringify({ storeDir, detached: true }));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
  expect(identifyProcess(pid)).toBeDefined();
  await expect(startEmbeddedServer({ storeDir })).rejects.toThrow(`(process ${pid}) already uses this folder`);
  process.kill(pid, "SIGTERM");
  await vi.waitFor(() => expect(identifyProcess(pid)).toBeUndefined(), { timeout: 10_000 });
  await start({ storeDir });
});

test("ends a forgotten server that no one owns any more before it starts", async () => {
  const storeDir = await folder();
  const { child, pid } = await startInChild(JSON.stringify({ storeDir, detached: true }));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
  const lockPath = join(storeDir, "server.lock.1");
  const record = JSON.parse(await readFile(lockPath, "utf8")) as object;
  await writeFile(lockPath, JSON.stringify({ ...record, detached: false }));
  const server = await start({ storeDir });
  expect(server.pid).not.toBe(pid);
  expect(identifyProcess(pid)).toBeUndefined();
});

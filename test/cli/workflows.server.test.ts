import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type StatewrightNode, startNode } from "../../actors/start-node.ts";
import { type EmbeddedServer, startEmbeddedServer } from "../../runtime/server/embedded-server.ts";
import { documentsIn, type Ended, runCli } from "./arrange.ts";
import workflows from "./fixtures/workflows.ts";

let server: EmbeddedServer;
let node: StatewrightNode;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "statewright-cli-"));
  server = await startEmbeddedServer();
  node = await startNode({
    servers: server.url,
    actors: workflows,
    partitions: 4,
    assumeSyncAlways: true,
    onEvent: () => {},
  });
});
afterAll(async () => {
  await node?.stop();
  await server?.stop("kill");
  await rm(folder, { recursive: true, force: true });
});

function cli(args: readonly string[], stdin?: string): Promise<Ended> {
  const env = { STATEWRIGHT_NATS: server.url, USER: "ada" };
  return runCli(args, { cwd: folder, env, ...(stdin === undefined ? {} : { stdin }) });
}

/** Runs a command that must succeed and print JSON. */
async function documents(args: readonly string[], stdin?: string): Promise<Array<Record<string, unknown>>> {
  const { code, out, err } = await cli([...args, "-o", "json"], stdin);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return documentsIn(out);
}

test("a workflow is started, signalled and waited for by its name alone", async () => {
  await writeFile(join(folder, "input.json"), '{"name":"Ada"}');
  const [started] = await documents(["workflow", "start", "application", "--key", "a/1", "--input", "@input.json"]);
  expect(started).toEqual({ workflow: "application/a/1", isNew: true, status: "running", run: 1 });
  const again = await cli(["workflow", "start", "application/a/1", "--input", "-"], '{"name":"Ada"}');
  expect(again.out).toMatch(/\napplication\/a\/1 +before, with the same input +running\n$/);

  const [other, keyless, nameless, early] = await Promise.all([
    cli(["workflow", "start", "application/a/1", "--input", '{"name":"Bob"}']),
    cli(["workflow", "start", "application", "--input", '{"name":"Bob"}']),
    cli(["workflow", "signal", "application/none", "ACCEPT"]),
    cli(["workflow", "result", "application/a/1", "--timeout", "100ms"]),
  ]);
  expect(other).toMatchObject({ code: 5, out: "", err: expect.stringContaining("with another input") });
  expect(keyless).toMatchObject({ code: 2, err: expect.stringContaining("its key is missing. Use --key") });
  expect(nameless).toMatchObject({ code: 4, err: expect.stringContaining("it was never started") });
  expect(early).toMatchObject({ code: 1, out: "" });

  const [sent] = await documents(["workflow", "signal", "application/a/1", "ACCEPT", "--key", "k"]);
  expect(sent).toMatchObject({ actor: "application/a/1", event: "ACCEPT", duplicate: false });
  expect(await documents(["workflow", "result", "application/a/1"])).toEqual([{ welcome: "Ada" }]);
  const late = await cli(["workflow", "signal", "application/a/1", "ACCEPT"]);
  expect(late).toMatchObject({ code: 0, err: expect.stringContaining("has ended before (completed)") });
});

test("workflows are listed, and those of a list are cancelled", async () => {
  for (const key of ["x", "y"]) await documents(["workflow", "start", `application/${key}`, "-i", '{"name":"Eve"}']);
  const running = await cli(["workflow", "ls", "application", "--status", "running", "--since", "1h", "-o", "ids"]);
  expect(running.out.split("\n").sort()).toEqual(["", "application/x", "application/y"]);
  const cancelled = await cli(["workflow", "cancel", "-", "--reason", "no longer"], running.out);
  expect(cancelled).toMatchObject({ code: 0, err: "" });
  expect(cancelled.out.match(/cancelled +has ended/g)).toHaveLength(2);
  const [result, shown] = await Promise.all([
    cli(["workflow", "result", "application/x"]),
    cli(["workflow", "show", "application/x"]),
  ]);
  expect(result).toMatchObject({ code: 1, out: "", err: expect.stringContaining("no longer") });
  expect(shown.out).toMatch(/\nstatus +cancelled\n/);
  const unknown = await cli(["workflow", "ls", "applicaton"]);
  expect(unknown).toMatchObject({ code: 4, out: "", err: expect.stringContaining('did you mean "application"?') });
});

test("a stuck step is found, and decided about", async () => {
  await documents(["workflow", "start", "order", "--key", "1", "--input", '{"order":"1"}']);
  const early = await cli(["saga", "skip", "order/1", "charge"]);
  expect(early).toMatchObject({ code: 1, out: "", err: expect.stringContaining("the step is not stuck") });
  await documents(["ask", "order/1", "GO"]);
  const [stuck] = await documents(["saga", "ls", "--stuck"]);
  expect(stuck).toMatchObject({ saga: "order/1", step: "charge", what: "undo", letter: expect.any(String) });
  const [listed] = await documents(["saga", "ls", "order"]);
  expect(listed).toMatchObject({ workflow: "order/1", status: "stuck" });
  const done = await cli(["saga", "done", "order/1", "charge", "--note", "by hand"]);
  expect(done).toMatchObject({ code: 0, err: "", out: expect.stringContaining("charge is taken for done") });
  const shown = await cli(["workflow", "show", "order/1"]);
  expect(shown.out).toContain("ada: by hand");
  const [letter] = await documents(["dlq", "ls", "type:order", "--closed"]);
  expect(letter).toMatchObject({ letter: stuck?.letter, status: "dropped", note: "saga done: by hand" });
});

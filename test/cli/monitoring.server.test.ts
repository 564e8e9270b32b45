/** `statewright stats` and `probe` as programs, against a real server: with a node, after its death, and without a server. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type EmbeddedServer, startEmbeddedServer } from "../../runtime/server/embedded-server.ts";
import { eventually } from "../contract/eventually.ts";
import { actorsModule, documentsIn, type Running, runCli, startCli } from "./arrange.ts";

let server: EmbeddedServer;
let node: Running;
const cli = (...args: string[]) => runCli([...args, "--nats", server.url]);

beforeAll(async () => {
  server = await startEmbeddedServer();
  node = startCli(["run", actorsModule, "--nats", server.url, "--name", "one", "--partitions", "4"]);
  await eventually(() => expect(node.out()).toContain("4 partitions are open: 0-3."));
});
afterAll(async () => {
  node?.child.kill("SIGKILL");
  await node?.ended;
  await server?.stop("kill");
});

test("stats and probe tell how a space with a node is doing, what waits once the node is dead, and what cannot be told", async () => {
  for (const id of ["a", "b", "c"]) expect((await cli("ask", `counter/${id}`, "INC")).code).toBe(0);
  const [seen] = documentsIn((await cli("stats", "-o", "json")).out);
  expect(seen).toMatchObject({
    nodes: [{ node: "one", isAlive: true, answers: true, partitions: [0, 1, 2, 3] }],
    mailboxes: { depth: 0, oldestMs: 0, silent: 0 },
    counters: { applied: 3 },
    sendToCommitMs: { count: 3 },
  });
  const table = await cli("stats");
  expect(table.out).toMatch(/^nodes +one: 4 partitions/);
  const looks = await cli("stats", "--watch", "10ms", "--count", "2", "-o", "ids");
  expect([looks.code, looks.out]).toEqual([0, "one\none\n"]);

  const limits = ["--dlq-max", "0", "--lag-max", "30s", "--depth-max", "0", "--parked-max", "0"];
  const healthy = await cli(
    "probe",
    ...limits,
    "--timer-lateness-max",
    "10s",
    "--waiting-max",
    "0",
    "--tasks-max",
    "0",
  );
  expect([healthy.code, healthy.err]).toEqual([0, ""]);
  expect(healthy.out.split("\n").filter((line) => / ok$/.test(line))).toHaveLength(8);
  const two = await cli("probe", "--nodes-min", "2", "-o", "json");
  expect([two.code, documentsIn(two.out)]).toEqual([
    1,
    [{ check: "nodes", measured: 1, limit: 2, unit: "count", status: "failed" }],
  ]);

  node.child.kill("SIGKILL");
  await node.ended;
  for (const id of ["a", "b", "c"]) expect((await cli("send", `counter/${id}`, "INC")).code).toBe(0);
  await eventually(async () => expect((await cli("probe")).code).toBe(1));
  const dead = await cli("probe", ...limits, "-o", "json");
  expect(dead.code).toBe(1);
  expect(documentsIn(dead.out)).toMatchObject([
    { check: "nodes", measured: 0, status: "failed" },
    { check: "dlq", status: "ok" },
    { check: "lag", status: "ok" },
    { check: "depth", measured: 3, status: "failed" },
    { check: "parked", status: "unknown" },
  ]);
  expect((await cli("probe", "--nodes-min", "0", "--depth-max", "3", "--parked-max", "0")).code).toBe(6);
  expect((await cli("probe", "--nodes-min", "0", "--depth-max", "3")).code).toBe(0);
  expect((await cli("probe", "--depth-max", "few")).code).toBe(2);
  expect((await cli("probe", "--space", "nowhere")).code).toBe(4);
  const nobody = await runCli(["probe", "--nats", "nats://127.0.0.1:1"]);
  expect([nobody.code, nobody.out]).toEqual([6, ""]);
  expect(nobody.err).toContain("Cannot connect");
});

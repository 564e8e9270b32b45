/** A deploy as operators see it: what the next version would do to the actors that there are, and how they are brought to it. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type StatewrightNode, startNode } from "../../actors/start-node.ts";
import { type EmbeddedServer, startEmbeddedServer } from "../../runtime/server/embedded-server.ts";
import { eventually } from "../contract/eventually.ts";
import { documentsIn, type Ended, runCli } from "./arrange.ts";
import first from "./fixtures/version-1.ts";
import { parcel as second } from "./fixtures/version-2.ts";

const moduleOf = (version: number) => join(import.meta.dirname, "fixtures", `version-${version}.ts`);

let server: EmbeddedServer;
let node: StatewrightNode;

const start = (actors: Parameters<typeof startNode>[0]["actors"], onEvent = (_: { message: string }): void => {}) =>
  startNode({ servers: server.url, actors, partitions: 4, assumeSyncAlways: true, onEvent });

beforeAll(async () => {
  server = await startEmbeddedServer();
  node = await start(first);
  for (const [id, ...places] of [
    ["plain", "Rome", "Paris"],
    ["north", "Rome", "Oslo", "Oslo"],
    ["lost", "moon"],
  ] as const) {
    for (const place of places) await node.client.ask(`parcel/${id}`, { type: "SCAN", place });
  }
  await node.client.ask("parcel/large", { type: "SCAN", place: "x".repeat(2000) });
});
afterAll(async () => {
  await node?.stop();
  await server?.stop("kill");
});

function cli(args: readonly string[]): Promise<Ended> {
  return runCli(args, { env: { STATEWRIGHT_NATS: server.url } });
}

test("check finds nothing where the code is the same, and says what it could not replay", async () => {
  const { code, out, err } = await cli(["check", moduleOf(1)]);
  expect(out).toBe(
    "TYPE    ACTORS  SAME  DIFFER  FAIL  NOT REPLAYABLE  STEPS REPLAYED\n" +
      "parcel  4       3     0       0     1               6 of 7\n",
  );
  expect(err).toBe(
    "Not replayable, 1 step: What SCAN carried is not kept: it was large, came with many others, or was handled by an earlier version of Statewright.\n",
  );
  expect(code).toBe(0);
});

test("check says which actors would differ or fail, where, and with which event", async () => {
  const [table, json, ids, one, none] = await Promise.all([
    cli(["check", moduleOf(2)]),
    cli(["check", moduleOf(2), "-o", "json"]),
    cli(["check", moduleOf(2), "-o", "ids"]),
    cli(["check", moduleOf(2), "--id", "plain"]),
    cli(["check", moduleOf(2), "--id", "nobody"]),
  ]);
  expect(table.code).toBe(1);
  expect(table.out).toContain("parcel  4       1     1       1     1               5 of 7\n");
  expect(table.out).toContain('parcel/north differs at revision 2, with SCAN\n  context.scans[1]  "Oslo" -> "OSL"\n');
  expect(table.out).toContain(
    'parcel/lost fails at revision 1\n  The actor will be parked with its next message. Cannot bring parcel/lost from no version to version 2: migration "none->2" failed: Error: no parcel goes there.\n',
  );
  const documents = documentsIn(json.out);
  expect(documents.find(({ actor }) => actor === "parcel/north")).toMatchObject({
    result: "differs",
    revision: 2,
    events: ["SCAN"],
    differences: [{ path: "context.scans[1]", before: "Oslo", now: "OSL" }],
  });
  expect(documents.at(-1)).toMatchObject({
    type: "parcel",
    actors: 4,
    same: 1,
    differs: 1,
    fails: 1,
    notReplayable: 1,
  });
  expect(ids.out.split("\n").sort()).toEqual(["", "parcel/lost", "parcel/north"]);
  expect(one).toMatchObject({
    code: 0,
    out: expect.stringContaining("parcel  1       1     0       0     0               2 of 2\n"),
  });
  expect(none).toMatchObject({ code: 0, err: "There are no such actors in the space.\n" });
});

test("migrate --dry-run says what would become of the actors, and changes nothing", async () => {
  const [table, json] = await Promise.all([
    cli(["migrate", moduleOf(2), "--dry-run"]),
    cli(["migrate", moduleOf(2), "--dry-run", "-o", "json"]),
  ]);
  expect(table.out).toBe(
    "TYPE    VERSION  ACTORS  RESULT\n" +
      "parcel  none     1       would fail\n" +
      "parcel  none     3       would be migrated to 2\n",
  );
  expect(table.err).toBe(
    'error: Cannot bring parcel/lost from no version to version 2: migration "none->2" failed: Error: no parcel goes there.\n' +
      "Dry run: 3 actors would be migrated, 1 would fail. Nothing was changed.\n",
  );
  expect([table.code, json.code]).toEqual([1, 1]);
  expect(documentsIn(json.out)[0]).toMatchObject({
    type: "parcel",
    from: "none",
    to: "2",
    result: "would fail",
    actors: 1,
    problems: [{ actor: "parcel/lost" }],
  });
  expect((await node.client.get("parcel/plain"))?.value).toBe("moving");
});

test("migrate is refused while the nodes run another version", async () => {
  const { code, err } = await cli(["migrate", moduleOf(2)]);
  expect(code).toBe(1);
  expect(err).toBe(
    'error: Cannot migrate actors of type "parcel": the node that was started last runs version none of its machine, the modules have version 2. Start nodes with version 2 first; --dry-run says what they will do.\n',
  );
});

test("migrate brings the actors along once the nodes run the new version, and a second time finds nothing to do", async () => {
  await node.stop();
  const told: string[] = [];
  node = await start([second], ({ message }) => told.push(message));
  expect(told[0]).toContain('The machine of actor type "parcel" has version 2 now, it had no version.');
  const ids = await cli(["migrate", moduleOf(2), "-o", "ids"]);
  expect(ids.code).toBe(1);
  expect(ids.out.split("\n").sort()).toEqual(["", "parcel/large", "parcel/north", "parcel/plain"]);
  expect(ids.err).toContain("error: Cannot bring parcel/lost");
  await eventually(async () => {
    expect(await node.client.get("parcel/plain")).toMatchObject({ value: "travelling", context: { kg: 1.5 } });
  });
  const again = await cli(["migrate", moduleOf(2)]);
  expect(again.out).toBe(
    "TYPE    VERSION  ACTORS  RESULT\n" + "parcel  2        3       up to date\n" + "parcel  none     1       failed\n",
  );
  const { out } = await cli(["check", moduleOf(2), "--id", "plain"]);
  expect(out).toContain("parcel  1       1     0       0     0               3 of 3\n");
});

test("a type that the modules do not define is refused", async () => {
  for (const command of ["check", "migrate"]) {
    const { code, err } = await cli([command, moduleOf(1), "--type", "parcels"]);
    expect([code, err]).toEqual([
      2,
      'error: Cannot find actor type "parcels" in the modules: did you mean "parcel"?\n',
    ]);
  }
});

/** Questions to nodes over a real server. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { assign, createMachine } from "xstate";
import type { ClientContext } from "../../actors/client/context.ts";
import { askNodes, check, preview } from "../../actors/client/queries.ts";
import { defineActor } from "../../actors/define-actor.ts";
import { type StatewrightNode, startNode } from "../../actors/start-node.ts";
import { parseAddress } from "../../runtime/core/address.ts";
import type { Envelope } from "../../runtime/core/envelope.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import { systemTime } from "../../runtime/core/time.ts";
import { type JetStreamLog, openJetStreamLog } from "../../runtime/jetstream/jetstream-log.ts";
import { type EmbeddedServer, startEmbeddedServer } from "../../runtime/server/embedded-server.ts";

const counter = defineActor("counter", {
  machine: createMachine({
    context: { count: 0, text: "" },
    on: {
      ADD: { actions: assign({ count: ({ context }: { context: { count: number } }) => context.count + 1 }) },
      GROW: { actions: assign({ text: ({ event }: { event: { size: number } }) => "x".repeat(event.size) }) },
      LOOP: {
        guard: () => {
          for (;;);
        },
      },
    },
  } as never),
});
const partitions = 4;
const ada = parseAddress("counter/ada");
let server: EmbeddedServer;
let opened: JetStreamLog;
let node: StatewrightNode;
let context: ClientContext;

beforeAll(async () => {
  server = await startEmbeddedServer();
  const place = { servers: server.url, space: "shop", partitions, assumeSyncAlways: true };
  node = await startNode({ ...place, actors: [counter], name: "one", onEvent: () => {} });
  opened = await openJetStreamLog(place);
  context = {
    log: opened.log,
    ingressLimits: opened.log.limits,
    subjects: new Subjects("shop"),
    partitions,
    time: systemTime,
    random: Math.random,
    sender: "asker",
    clientId: "asker",
    spaceName: "test",
    identity: { core: "c", ingress: "i" },
    isStopped: false,
  };
});
afterAll(async () => {
  await node?.stop();
  await opened?.close();
  await server?.stop("kill");
});

function message(type: string, more: object = {}): Envelope {
  return { format: 1, kind: "event", id: "m1", event: { type, ...more }, sentAt: 1 };
}

it("checks, previews and tells of nodes, and changes nothing", async () => {
  expect(await check(context, ada, message("ADD"))).toEqual({ ok: true });
  await node.client.ask("counter/ada", { type: "ADD" });
  expect(await preview(context, ada, message("ADD"))).toMatchObject({
    outcome: "applied",
    changes: [{ path: "context.count", before: 1, now: 2 }],
  });
  expect(await preview(context, ada, message("LOOP"))).toMatchObject({ failed: { error: { name: "TimeOver" } } });
  const [stats] = await askNodes(context, { waitMs: 10_000, isEnough: (answers) => answers.length === 1 });
  expect(stats).toMatchObject({ node: "one", counters: { applied: 1 } });
  expect((await node.client.get("counter/ada"))?.revision).toBe(1);
});

it("cuts an answer to what the server takes in one message", async () => {
  const size = Math.floor(opened.log.limits.maxRecordBytes * 0.6);
  await node.client.ask("counter/big", { type: "GROW", size });
  const shown = await preview(context, parseAddress("counter/big"), message("ADD"));
  expect(shown).toMatchObject({ outcome: "applied", cut: ["work", "before"], before: { context: null } });
  expect((shown.after as { context: { text: string } }).context.text).toHaveLength(size);
});

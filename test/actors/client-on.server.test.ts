/** Emitted events on a real server: what a client gets, and what other NATS clients see. */
import { connect as connectNats, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { assign, emit, setup } from "xstate";
import type { Client } from "../../actors/client.ts";
import { connect } from "../../actors/connect.ts";
import { defineActor } from "../../actors/define-actor.ts";
import { startNode } from "../../actors/start-node.ts";
import { type Address, partitionOf } from "../../runtime/core/address.ts";
import { cloudEvent, eventSource } from "../../runtime/core/cloud-events.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import { type JetStreamLog, openJetStreamLog } from "../../runtime/jetstream/jetstream-log.ts";
import type { AppendRecord } from "../../runtime/log/log.ts";
import { type EmbeddedServer, startEmbeddedServer } from "../../runtime/server/embedded-server.ts";
import { eventually } from "../contract/eventually.ts";

const partitions = 4;
const subjects = new Subjects("shop");
let server: EmbeddedServer;
let log: JetStreamLog;
let client: Client;
let other: NatsConnection;

beforeAll(async () => {
  server = await startEmbeddedServer();
  const place = { servers: server.url, space: "shop", partitions, assumeSyncAlways: true };
  log = await openJetStreamLog(place);
  client = await connect(place);
  other = await connectNats({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
});
afterAll(async () => {
  await client?.close();
  await log?.close();
  await other?.close();
  await server?.stop("kill");
});
afterEach(() => {
  for (const end of ends.splice(0)) end();
});
const ends: Array<() => void> = [];

function emitted(by: Address, id: string, event: { readonly type: string }): AppendRecord {
  const { type } = event;
  return {
    subject: subjects.emitted(partitionOf(by, partitions), by, type, id),
    ...cloudEvent(id, eventSource("shop", by), type, Date.now(), JSON.stringify(event)),
  };
}

async function commit(...records: readonly AppendRecord[]): Promise<void> {
  await eventually(async () => expect(await log.log.append("core", records)).toMatchObject({ _tag: "Appended" }));
}

async function listen(target: string, type: string): Promise<string[]> {
  const ids: string[] = [];
  const subscription = client.on(target, type, (_, { id }) => ids.push(id));
  ends.push(subscription.unsubscribe);
  await subscription.ready;
  return ids;
}

/** Reads the stream as any NATS client can, over a consumer of its own. */
async function consume(filter: string): Promise<Msg[]> {
  const inbox = `_INBOX.other-${Math.random().toString(36).slice(2)}`;
  const messages: Msg[] = [];
  const subscription = other.subscribe(inbox, { callback: (_, message) => void messages.push(message) });
  ends.push(() => subscription.unsubscribe());
  const request = JSON.stringify({
    stream_name: "SW_SHOP_CORE",
    config: { deliver_subject: inbox, filter_subject: filter, deliver_policy: "all", ack_policy: "none" },
  });
  const answer = await eventually(() => other.request("$JS.API.CONSUMER.CREATE.SW_SHOP_CORE", request));
  expect(answer.json()).not.toHaveProperty("error");
  return messages;
}

it("delivers what is committed from the moment at which it is ready, of the actor and type that were asked for", async () => {
  const by = { type: "order", id: "42/~payment é" };
  const ids = await listen("order/42/~payment é", "CHARGED");
  await commit(
    emitted(by, "a-0", { type: "CHARGED" }),
    emitted(by, "a-1", { type: "REFUSED" }),
    emitted(by, "a-2", { type: "CHARGED" }),
    emitted({ type: "order", id: "42" }, "a-3", { type: "CHARGED" }),
  );
  await commit(emitted(by, "b-0", { type: "CHARGED" }));
  await eventually(() => expect(ids).toEqual(["a-0", "a-2", "b-0"]));
});

it("goes on where it was when the server dies and comes back", async () => {
  const by = { type: "order", id: "restart" };
  const ids = await listen("order/restart", "*");
  await commit(emitted(by, "a-0", { type: "PAID" }));
  await eventually(() => expect(ids).toEqual(["a-0"]));
  await server.kill("SIGKILL");
  await server.restart();
  await commit(emitted(by, "b-0", { type: "PAID" }), emitted(by, "b-1", { type: "SHIPPED" }));
  await eventually(() => expect(ids).toEqual(["a-0", "b-0", "b-1"]));
});

it("lets other NATS clients read events by their subject, as CloudEvents with headers", async () => {
  const one = { type: "parcel", id: "7" };
  const child = { type: "parcel", id: "7/~payment é" };
  await commit(emitted(one, "a-0", { type: "PAID" }), emitted(child, "a-1", { type: "charged, in €" }));
  const paid = await consume("sw.shop.core.*.emit.parcel.7.PAID.*");
  const all = await consume("sw.shop.core.*.emit.parcel.*.*.*");
  await eventually(() => expect(paid).toHaveLength(1));
  await eventually(() => expect(all.map(idOf)).toEqual(expect.arrayContaining(["a-0", "a-1"])));
  const message = all.find((each) => idOf(each) === "a-1") as Msg;
  const { subject, headers } = message;
  expect(subject).toBe(
    `sw.shop.core.${partitionOf(child, partitions)}.emit.parcel.7=2F=7Epayment=20=C3=A9.charged=2C=20in=20=E2=82=AC.a-1`,
  );
  const document = message.json<Record<string, unknown>>();
  expect(document).toMatchObject({
    specversion: "1.0",
    id: "a-1",
    type: "charged, in €",
    data: { type: "charged, in €" },
  });
  const own = [...(headers ?? [])]
    .filter(([name]) => !name.startsWith("Nats-"))
    .map(([name, values]) => [name, values[0]]);
  expect(Object.fromEntries(own)).toEqual({
    "content-type": "application/cloudevents+json",
    "ce-specversion": "1.0",
    "ce-id": "a-1",
    "ce-source": "/shop/parcel/7/~payment%2520%25C3%25A9",
    "ce-type": "charged,%20in%20%E2%82%AC",
    "ce-time": document.time,
  });
});

it("delivers what machines emit, typed, before and after their node was replaced", async () => {
  const machine = setup({
    types: {
      context: {} as { n: number },
      events: {} as { type: "LOAD" },
      emitted: {} as { type: "LOADED"; n: number } | { type: "FULL" },
    },
  }).createMachine({
    context: { n: 0 },
    on: {
      LOAD: [
        {
          guard: ({ context }) => context.n === 39,
          actions: [assign({ n: 40 }), emit({ type: "LOADED", n: 40 }), emit({ type: "FULL" })],
        },
        {
          actions: [
            assign({ n: ({ context }) => context.n + 1 }),
            emit(({ context }) => ({ type: "LOADED" as const, n: context.n })),
          ],
        },
      ],
    },
  });
  const truck = defineActor("truck", { machine });
  const node = () =>
    startNode({
      servers: server.url,
      space: "shop",
      partitions,
      actors: [truck],
      assumeSyncAlways: true,
      onEvent: () => {},
    });
  const loaded: number[] = [];
  const listening = client.on(truck.ref("t1"), "LOADED", ({ n }) => loaded.push(n));
  ends.push(listening.unsubscribe);
  await listening.ready;
  const first = await node();
  for (let i = 0; i < 20; i++) await client.send(truck.ref("t1"), { type: "LOAD" });
  await client.waitFor(truck.ref("t1"), ({ context }) => context.n === 20);
  await first.stop();
  const second = await node();
  for (let i = 0; i < 20; i++) await client.send(truck.ref("t1"), { type: "LOAD" });
  for await (const { event } of client.emitted(truck.ref("t1"), "*", { from: "start" }))
    if (event.type === "FULL") break;
  await eventually(() => expect(loaded).toEqual(Array.from({ length: 40 }, (_, i) => i + 1)));
  const messages = await consume("sw.shop.core.*.emit.truck.t1.LOADED.*");
  await eventually(() =>
    expect(messages.map((message) => message.json<{ data: { n: number } }>().data.n)).toEqual(loaded),
  );
  await second.stop();
});

function idOf(message: Msg): string {
  return message.headers?.get("ce-id") ?? "";
}

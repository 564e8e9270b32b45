import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openJetStreamLog } from "../../runtime/jetstream/jetstream-log.ts";
import { type EmbeddedServer, startEmbeddedServer } from "../../runtime/server/embedded-server.ts";
import { api, bytes, collect, small, text } from "./arrange.ts";

let server: EmbeddedServer;
beforeAll(async () => {
  server = await startEmbeddedServer();
});
afterAll(() => server.stop());

const open = (space: string, more: object = {}) => openJetStreamLog({ servers: server.url, space, ...small, ...more });

describe("an append", () => {
  it("stores all records of a batch next to each other, in order", async () => {
    const { log, close } = await open("order");
    const records = Array.from({ length: 300 }, (_, i) => ({
      subject: `sw.order.core.0.mail.t.a.m${i}`,
      data: bytes(`${i}`),
    }));
    const result = await log.append("core", records);
    expect(result).toEqual({ _tag: "Appended", firstSeq: 2 });
    const stored = await collect(log.scan("core", "sw.order.core.0.mail.>"));
    expect(stored.map(({ seq, data }) => [seq, text(data)])).toEqual(records.map((_, i) => [i + 2, `${i}`]));
    await close();
  });

  it("stores nothing of a batch when one of its expectations is false", async () => {
    const { log, close } = await open("whole");
    const state = (id: string) => `sw.whole.core.0.state.t.${id}`;
    await log.append("core", [{ subject: state("b"), data: bytes("1"), expectLastSeq: 0 }]);
    const result = await log.append("core", [
      { subject: state("a"), data: bytes("a"), expectLastSeq: 0 },
      { subject: state("b"), data: bytes("b"), expectLastSeq: 0 },
      { subject: "sw.whole.core.0.mail.t.a.m", data: bytes("m") },
    ]);
    expect(result).toMatchObject({ _tag: "Conflict", reason: expect.stringContaining("wrong last sequence") });
    expect((await log.state("core")).lastSeq).toBe(2);
    expect(await log.last("core", state("a"))).toBeUndefined();
    await close();
  });

  it("lets exactly one of two writers with the same expectation win", async () => {
    const one = await open("fence");
    const two = await open("fence");
    const subject = "sw.fence.core.3.state.t.x";
    let expectLastSeq = 0;
    for (let round = 0; round < 30; round++) {
      const write = (log: typeof one.log, name: string) =>
        log.append("core", [
          { subject, data: bytes(name), expectLastSeq },
          { subject: `sw.fence.core.3.mail.t.y.${name}${round}`, data: bytes(name) },
        ]);
      const results = await Promise.all([write(one.log, "one"), write(two.log, "two")]);
      const won = results.filter((result) => result._tag === "Appended");
      expect(won).toHaveLength(1);
      expectLastSeq = won[0]?._tag === "Appended" ? won[0].firstSeq : 0;
    }
    expect((await collect(one.log.scan("core", "sw.fence.core.3.mail.>"))).length).toBe(30);
    await one.close();
    await two.close();
  });

  it("takes INGRESS batches whose records each expect to be the first on their subject", async () => {
    const { log, close } = await open("unique");
    const records = ["a", "b", "c"].map((id) => ({
      subject: `sw.unique.in.c.0.t.x.${id}`,
      data: bytes(id),
      expectLastSeq: 0,
    }));
    expect(await log.append("ingress", records)).toEqual({ _tag: "Appended", firstSeq: 1 });
    expect(await log.append("ingress", records)).toMatchObject({ _tag: "Conflict" });
    expect((await log.state("ingress")).records).toBe(3);
    await close();
  });

  it("says that the stream is full, and stores nothing of the batch", async () => {
    const { log, close } = await open("full", { maxCoreBytes: 16 * 1024 * 1024 });
    const data = new Uint8Array(1024 * 1000);
    let result = await log.append("core", [{ subject: "sw.full.core.0.mail.t.a.0", data }]);
    for (let i = 1; i < 40 && result._tag === "Appended"; i++) {
      result = await log.append(
        "core",
        [0, 1, 2, 3].map((j) => ({ subject: `sw.full.core.0.mail.t.a.${i}-${j}`, data })),
      );
    }
    expect(result).toMatchObject({ _tag: "Full", reason: expect.stringContaining("max_bytes") });
    const kept = await collect(log.scan("core", "sw.full.core.0.mail.>"));
    expect(kept.length % 4).toBe(1);
    await close();
  });

  it("rejects calls that are wrong in themselves", async () => {
    const { log, close } = await open("wrong");
    const record = { subject: "sw.wrong.core.0.state.t.a", data: bytes("x") };
    await expect(log.append("core", [])).rejects.toThrow("at least one record");
    await expect(log.append("core", new Array(1001).fill(record))).rejects.toThrow("at most 1000 are accepted");
    await expect(log.append("core", [record, { ...record, expectLastSeq: 1 }])).rejects.toThrow("expects sequence 1");
    await expect(log.append("core", [{ ...record, data: new Uint8Array(2 ** 20) }])).rejects.toThrow("at most 1048320");
    const largest = { ...record, data: new Uint8Array(log.limits.maxRecordBytes), expectLastSeq: 0 };
    expect(await log.append("core", [largest, { ...largest, subject: "sw.wrong.core.0.state.t.b" }])).toMatchObject({
      _tag: "Appended",
    });
    await close();
  });

  it("says to try again when the server has no free batch slot", async () => {
    const { log, close } = await open("slots");
    const hostile = await connect({ servers: server.url });
    const { headers } = await import("@nats-io/transport-node");
    for (let i = 0; i < 50; i++) {
      const open = headers();
      open.set("Nats-Batch-Id", `hostile${i}`);
      open.set("Nats-Batch-Sequence", "1");
      hostile.publish(`sw.slots.in.hostile.0.t.a.${i}`, "x", { headers: open });
    }
    await hostile.flush();
    const batch = ["a", "b"].map((id) => ({ subject: `sw.slots.in.c.0.t.x.${id}`, data: bytes(id) }));
    expect(await log.append("ingress", batch)).toMatchObject({
      _tag: "TryAgain",
      mayBeStored: false,
      reason: expect.stringContaining("10210"),
    });
    await hostile.close();
    await close();
  });

  it("appends one record at a time to INGRESS where atomic batches are off", async () => {
    const { log, ingressLimits, close } = await open("single", { atomicIngress: false });
    expect(ingressLimits.maxRecordsPerAppend).toBe(1);
    const record = { subject: "sw.single.in.c.0.t.a.1", data: bytes("x"), expectLastSeq: 0 };
    expect(await log.append("ingress", [record])).toEqual({ _tag: "Appended", firstSeq: 1 });
    await expect(log.append("ingress", [record, { ...record, subject: "sw.single.in.c.0.t.a.2" }])).rejects.toThrow(
      "atomic batches are switched off",
    );
    await close();
  });

  it("is refused as a defect when somebody switched batches off in CORE meanwhile", async () => {
    const { log, close } = await open("changed");
    await api(server.url, "STREAM.UPDATE.SW_CHANGED_CORE", (config) => ({ ...config, allow_atomic: false }));
    const batch = ["a", "b"].map((id) => ({ subject: `sw.changed.core.0.state.t.${id}`, data: bytes(id) }));
    await expect(log.append("core", batch)).rejects.toThrow("10174");
    await close();
  });

  it("says truthfully what it does not know when the server freezes or dies", async () => {
    const { log, close } = await open("frozen", { requestTimeoutMs: 700 });
    const batch = ["a", "b"].map((id) => ({
      subject: `sw.frozen.core.0.state.t.${id}`,
      data: bytes(id),
      expectLastSeq: 0,
    }));
    await server.kill("SIGSTOP");
    expect(await log.append("core", batch)).toMatchObject({ _tag: "TryAgain", mayBeStored: true });
    await server.kill("SIGCONT");
    // The frozen server finds the batch in its socket and stores it after all: only the expectation tells.
    await expect.poll(() => log.append("core", batch), { timeout: 10_000 }).toMatchObject({ _tag: "Conflict" });
    await server.kill("SIGKILL");
    await expect.poll(() => log.append("core", batch)).toMatchObject({ _tag: "TryAgain", mayBeStored: false });
    await server.restart();
    await expect.poll(() => log.append("core", batch), { timeout: 10_000 }).toMatchObject({ _tag: "Conflict" });
    await close();
  });

  it("is rejected after the log was closed, as every other call", async () => {
    const { log, workQueue, close, closed } = await open("over");
    await close();
    expect(await closed).toBeUndefined();
    const stopped = { _tag: "SystemStoppedError" };
    await expect(log.append("core", [{ subject: "sw.over.core.x", data: bytes("") }])).rejects.toMatchObject(stopped);
    await expect(log.last("core", "sw.over.core.x")).rejects.toMatchObject(stopped);
    await expect(log.lastMany("core", ["sw.over.core.x"])).rejects.toMatchObject(stopped);
    await expect(collect(log.scan("core", "sw.over.core.>"))).rejects.toMatchObject(stopped);
    await expect(log.purge("core", "sw.over.core.x")).rejects.toMatchObject(stopped);
    await expect(log.state("core")).rejects.toMatchObject(stopped);
    await expect(log.flush()).rejects.toMatchObject(stopped);
    await expect(workQueue.open({ name: "q", filter: "sw.over.core.>" })).rejects.toMatchObject(stopped);
    expect(() => log.signal("a", bytes(""))).toThrow("closed");
  });
});

it("refuses writes and reads that the server's permissions do not allow, in words", async () => {
  const guarded = await startEmbeddedServer({
    extraConfig: `authorization { users = [
      { user: admin, password: a },
      { user: client, password: c, permissions: { publish: { deny: ["sw.guard.core.>", "$JS.API.STREAM.PURGE.>"] } } } ] }`,
  }).catch((error: Error) => error);
  if (guarded instanceof Error) throw guarded;
  const admin = await openJetStreamLog({ servers: guarded.url, space: "guard", user: "admin", pass: "a" });
  const client = await openJetStreamLog({ servers: guarded.url, space: "guard", user: "client", pass: "c" });
  const denied = { _tag: "NotAuthorizedError", message: expect.stringContaining("sw.guard.core.0.state.t.a") };
  const record = { subject: "sw.guard.core.0.state.t.a", data: bytes("x") };
  await expect(client.log.append("core", [record])).rejects.toMatchObject(denied);
  await expect(client.log.append("core", [record, { ...record, subject: `${record.subject}2` }])).rejects.toMatchObject(
    {
      _tag: "NotAuthorizedError",
    },
  );
  await expect(client.log.purge("core", "sw.guard.core.>")).rejects.toMatchObject({ _tag: "NotAuthorizedError" });
  expect(await client.log.append("ingress", [{ subject: "sw.guard.in.c.0.t.a.1", data: bytes("x") }])).toMatchObject({
    _tag: "Appended",
  });
  await expect(
    openJetStreamLog({ servers: guarded.url, space: "guard", user: "client", pass: "wrong" }),
  ).rejects.toMatchObject({
    _tag: "NotAuthorizedError",
    message: expect.not.stringContaining("wrong"),
  });
  await admin.close();
  await client.close();
  await guarded.stop();
});

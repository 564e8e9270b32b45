import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type JetStreamLog, openJetStreamLog } from "../../runtime/jetstream/jetstream-log.ts";
import { maxInFlight } from "../../runtime/jetstream/reader.ts";
import type { LogRecord, ReadFrom } from "../../runtime/log/log.ts";
import { type EmbeddedServer, startEmbeddedServer } from "../../runtime/server/embedded-server.ts";
import { api, bytes, collect, small } from "./arrange.ts";

let server: EmbeddedServer;
beforeAll(async () => {
  server = await startEmbeddedServer();
});
afterAll(() => server.stop());

const open = (space: string, more: object = {}) => openJetStreamLog({ servers: server.url, space, ...small, ...more });

/** Appends records one by one, or in batches; retries what may be retried, so some may be stored twice. */
async function fill({ log }: JetStreamLog, subject: string, count: number, batch = 100): Promise<void> {
  for (let at = 0; at < count; at += batch) {
    const records = Array.from({ length: Math.min(batch, count - at) }, (_, i) => ({
      subject: `${subject}.${at + i}`,
      data: bytes("x"),
    }));
    const result = await log.append("core", records);
    if (result._tag !== "Appended") throw new Error(JSON.stringify(result));
  }
}

function read(opened: JetStreamLog, filters: readonly string[], from: ReadFrom = { seq: 1 }) {
  const records: LogRecord[] = [];
  const onCaughtUp = vi.fn();
  const onError = vi.fn();
  const reader = opened.log.read("core", {
    filters,
    from,
    onRecord: (record) => records.push(record),
    onCaughtUp,
    onError,
  });
  return { reader, records, onCaughtUp, onError, seqs: () => records.map(({ seq }) => seq) };
}

describe("a reader", () => {
  it("delivers what is stored in order, says once that it has caught up, and goes on with what is new", async () => {
    const opened = await open("basic");
    await fill(opened, "sw.basic.core.0.mail.t.a", 1000);
    const { reader, seqs, onCaughtUp } = read(opened, ["sw.basic.core.0.mail.>"]);
    await reader.ready;
    await expect.poll(() => onCaughtUp.mock.calls.length).toBe(1);
    expect(seqs()).toEqual(Array.from({ length: 1000 }, (_, i) => i + 2));
    await fill(opened, "sw.basic.core.0.mail.t.b", 10);
    await expect.poll(() => seqs().length).toBe(1010);
    expect(onCaughtUp).toHaveBeenCalledTimes(1);
    reader.stop();
    await opened.close();
  });

  it("can be asked for while there is no connection, and reads when there is one again", async () => {
    const opened = await open("early");
    await fill(opened, "sw.early.core.0.mail.t.a", 3);
    await server.kill("SIGKILL");
    await expect.poll(() => opened.isConnected(), { timeout: 10_000 }).toBe(false);
    const { reader, seqs, onError } = read(opened, ["sw.early.core.0.mail.>"]);
    await server.restart();
    await reader.ready;
    await expect.poll(() => seqs().length).toBe(3);
    expect(onError).not.toHaveBeenCalled();
    await opened.close();
  });

  it("catches up at once when nothing matches", async () => {
    const opened = await open("none");
    const { onCaughtUp, records } = read(opened, ["sw.none.core.0.mail.>", "sw.none.core.1.mail.>"]);
    await expect.poll(() => onCaughtUp.mock.calls.length).toBe(1);
    expect(records).toEqual([]);
    await opened.close();
  });

  it("starts with the newest record of every subject", async () => {
    const opened = await open("newest");
    const state = (id: string) => `sw.newest.core.0.state.t.${id}`;
    for (const id of ["a", "b", "a", "c", "b"])
      await opened.log.append("core", [{ subject: state(id), data: bytes(id) }]);
    const { seqs, onCaughtUp } = read(opened, ["sw.newest.core.*.state.>"], "last-per-subject");
    await expect.poll(() => onCaughtUp.mock.calls.length).toBe(1);
    expect(seqs()).toEqual([4, 5, 6]);
    await opened.log.append("core", [{ subject: state("a"), data: bytes("a") }]);
    await expect.poll(() => seqs()).toEqual([4, 5, 6, 7]);
    await opened.close();
  });

  it("delivers only records stored after it is open, when it reads what is new", async () => {
    const opened = await open("fresh");
    await fill(opened, "sw.fresh.core.0.mail.t.a", 5);
    const { reader, seqs, onCaughtUp } = read(opened, ["sw.fresh.core.>"], "new");
    await reader.ready;
    await expect.poll(() => onCaughtUp.mock.calls.length).toBe(1);
    await fill(opened, "sw.fresh.core.0.mail.t.b", 2);
    await expect.poll(() => seqs()).toEqual([7, 8]);
    await opened.close();
  });

  it("stops soon when it is paused, and goes on where it was", async () => {
    const opened = await open("pause");
    await fill(opened, "sw.pause.core.0.mail.t.a", 5000, 1000);
    const { reader, records, seqs, onCaughtUp } = read(opened, ["sw.pause.core.0.mail.>"]);
    await reader.ready;
    reader.pause();
    const atPause = records.length;
    await opened.log.flush();
    await expect.poll(() => records.length).toBeGreaterThanOrEqual(atPause);
    await fill(opened, "sw.pause.core.1.mail.t.a", 1);
    expect(records.length - atPause).toBeLessThanOrEqual(maxInFlight);
    reader.resume();
    await expect.poll(() => onCaughtUp.mock.calls.length).toBe(1);
    expect(seqs()).toEqual(Array.from({ length: 5000 }, (_, i) => i + 2));
    await opened.close();
  });

  it("reads large records and small ones in one go", async () => {
    const opened = await open("large");
    const data = new Uint8Array(opened.log.limits.maxRecordBytes);
    for (let i = 0; i < 12; i++) {
      await opened.log.append("core", [
        { subject: `sw.large.core.0.mail.t.a.${i}`, data },
        { subject: `sw.large.core.0.mail.t.b.${i}`, data: bytes("x") },
      ]);
    }
    const { records, onCaughtUp } = read(opened, ["sw.large.core.0.mail.>"]);
    await expect.poll(() => onCaughtUp.mock.calls.length).toBe(1);
    expect(records.map((record) => record.data.length)).toEqual(new Array(12).fill([data.length, 1]).flat());
    await opened.close();
  });

  it("skips and repeats nothing when its consumer is deleted", async () => {
    const opened = await open("lost");
    const { reader, seqs, onError } = read(opened, ["sw.lost.core.0.mail.>"]);
    await reader.ready;
    for (let round = 0; round < 5; round++) {
      await fill(opened, `sw.lost.core.0.mail.t.a${round}`, 100);
      const { consumers } = await api(server.url, "CONSUMER.NAMES.SW_LOST_CORE");
      for (const consumer of consumers) await api(server.url, `CONSUMER.DELETE.SW_LOST_CORE.${consumer}`);
    }
    await expect.poll(() => seqs().length).toBe(500);
    expect(seqs()).toEqual(Array.from({ length: 500 }, (_, i) => i + 2));
    expect(onError).not.toHaveBeenCalled();
    await opened.close();
  });

  it("catches up although what it was to deliver is purged meanwhile", { timeout: 20_000 }, async () => {
    const opened = await open("purged");
    await fill(opened, "sw.purged.core.0.mail.t.a", 3000, 1000);
    const { reader, onCaughtUp } = read(opened, ["sw.purged.core.0.mail.>"]);
    reader.pause();
    await reader.ready;
    await opened.log.purge("core", "sw.purged.core.0.mail.>");
    reader.resume();
    await expect.poll(() => onCaughtUp.mock.calls.length, { timeout: 15_000 }).toBe(1);
    await opened.close();
  });

  it("skips and repeats nothing when the server is killed and started again", { timeout: 60_000 }, async () => {
    const opened = await open("killed", { requestTimeoutMs: 2000 });
    const readers = [0, 1, 2].map((partition) => read(opened, [`sw.killed.core.${partition}.mail.>`]));
    const fresh = read(opened, ["sw.killed.core.>"], "new");
    await Promise.all([...readers, fresh].map(({ reader }) => reader.ready));
    let isOver = false;
    const writing = (async () => {
      for (let i = 0; !isOver; i++) {
        const records = [0, 1, 2].map((partition) => ({
          subject: `sw.killed.core.${partition}.mail.t.a.${i}`,
          data: bytes(`${i}`),
        }));
        const result = await opened.log.append("core", records);
        if (result._tag !== "Appended") await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    for (let kill = 0; kill < 4; kill++) {
      const before = readers[0]?.records.length ?? 0;
      await expect.poll(() => readers[0]?.records.length ?? 0, { timeout: 15_000 }).toBeGreaterThan(before + 30);
      await server.kill("SIGKILL");
      await server.restart();
    }
    isOver = true;
    await writing;
    for (const [partition, { seqs, onError, onCaughtUp }] of readers.entries()) {
      const stored = (await collect(opened.log.scan("core", `sw.killed.core.${partition}.mail.>`))).map(
        ({ seq }) => seq,
      );
      await expect.poll(() => seqs().length, { timeout: 15_000 }).toBe(stored.length);
      expect(seqs()).toEqual(stored);
      expect(onError).not.toHaveBeenCalled();
      expect(onCaughtUp).toHaveBeenCalledTimes(1);
    }
    const all = (await collect(opened.log.scan("core", "sw.killed.core.*.mail.>"))).map(({ seq }) => seq);
    await expect.poll(() => fresh.seqs().length).toBe(all.length);
    expect(fresh.seqs()).toEqual(all);
    await opened.close();
  });

  it("notices a frozen server's return without skipping or repeating", { timeout: 60_000 }, async () => {
    const opened = await open("thaw", { requestTimeoutMs: 1000 });
    const { reader, seqs } = read(opened, ["sw.thaw.core.0.mail.>"]);
    await reader.ready;
    await fill(opened, "sw.thaw.core.0.mail.t.a", 50);
    await server.kill("SIGSTOP");
    // It takes the server a moment to stop: the append may still be stored and answered.
    const late = await opened.log.append("core", [{ subject: "sw.thaw.core.0.mail.t.b.0", data: bytes("x") }]);
    await server.kill("SIGCONT");
    if (late._tag !== "Appended") expect(late).toMatchObject({ _tag: "TryAgain", mayBeStored: true });
    // Whether the record of unknown outcome was stored, only another append with the same expectation tells.
    const subject = "sw.thaw.core.0.mail.t.b.0";
    await expect
      .poll(async () => (await opened.log.append("core", [{ subject, data: bytes("x"), expectLastSeq: 0 }]))._tag, {
        timeout: 15_000,
      })
      .toMatch(/Appended|Conflict/);
    await expect.poll(() => seqs(), { timeout: 15_000 }).toEqual(Array.from({ length: 51 }, (_, i) => i + 2));
    await opened.close();
  });

  it("ends with an identity error when its stream is deleted, or replaced by another one", async () => {
    for (const space of ["deleted", "replaced"]) {
      const opened = await open(space);
      const { reader, onError, records } = read(opened, [`sw.${space}.core.>`]);
      await reader.ready;
      const name = `SW_${space.toUpperCase()}_CORE`;
      const { config } = await api(server.url, `STREAM.INFO.${name}`);
      await api(server.url, `STREAM.DELETE.${name}`);
      if (space === "replaced") await api(server.url, `STREAM.CREATE.${name}`, () => config);
      await expect.poll(() => onError.mock.calls.length, { timeout: 15_000 }).toBe(1);
      expect(onError.mock.calls[0]?.[0]).toMatchObject({
        _tag: "SpaceIdentityError",
        message: expect.stringContaining(space === "deleted" ? "was deleted" : "created again"),
      });
      expect(records).toHaveLength(1);
      await opened.close();
    }
  });

  it("delivers nothing after it was stopped, also not what was on its way", async () => {
    const opened = await open("stop");
    await fill(opened, "sw.stop.core.0.mail.t.a", 1000);
    let delivered = 0;
    const reader = opened.log.read("core", {
      filters: ["sw.stop.core.0.mail.>"],
      from: { seq: 1 },
      onRecord() {
        delivered += 1;
        if (delivered === 10) reader.stop();
      },
      onError: () => {},
    });
    await expect.poll(() => delivered).toBe(10);
    await fill(opened, "sw.stop.core.0.mail.t.b", 10);
    await opened.log.flush();
    expect(delivered).toBe(10);
    const early = opened.log.read("core", {
      filters: ["sw.stop.core.>"],
      from: "new",
      onRecord: () => {},
      onError: () => {},
    });
    early.stop();
    await expect(early.ready).rejects.toMatchObject({ _tag: "SystemStoppedError" });
    await opened.close();
  });

  it("says why it cannot open", async () => {
    const opened = await open("overlap");
    const { reader, onError } = read(opened, ["sw.overlap.core.>", "sw.overlap.core.0.>"]);
    await expect(reader.ready).rejects.toMatchObject({ _tag: "SpaceConfigError" });
    expect(onError).toHaveBeenCalledTimes(1);
    await opened.close();
  });
});

describe("a scan", () => {
  it("gives what was stored when it began, from a sequence, up to a limit, or the newest per subject", async () => {
    const opened = await open("scan");
    const { log } = opened;
    await fill(opened, "sw.scan.core.0.mail.t.a", 2000, 1000);
    const seqs = async (filter: string, options?: object) =>
      (await collect(log.scan("core", filter, options))).map(({ seq }) => seq);
    expect(await seqs("sw.scan.core.1.>")).toEqual([]);
    expect(await seqs("sw.scan.core.0.mail.>")).toEqual(Array.from({ length: 2000 }, (_, i) => i + 2));
    expect(await seqs("sw.scan.core.0.mail.>", { fromSeq: 1998 })).toEqual([1998, 1999, 2000, 2001]);
    expect(await seqs("sw.scan.core.>", { limit: 3 })).toEqual([1, 2, 3]);
    expect(await seqs("sw.scan.core.0.mail.t.a.7")).toEqual([9]);
    // More subjects than the server answers at once.
    expect(await seqs("sw.scan.core.0.mail.>", { lastPerSubject: true })).toEqual(
      Array.from({ length: 2000 }, (_, i) => i + 2),
    );
    expect(await seqs("sw.scan.core.0.mail.>", { lastPerSubject: true, limit: 2 })).toEqual([2, 3]);
    const grown: number[] = [];
    for await (const { seq } of log.scan("core", "sw.scan.core.>", { fromSeq: 1990 })) {
      grown.push(seq);
      if (grown.length < 5) await log.append("core", [{ subject: `sw.scan.core.0.mail.t.z.${seq}`, data: bytes("x") }]);
    }
    expect(grown).toEqual(Array.from({ length: 12 }, (_, i) => 1990 + i));
    const states = ["a", "b", "a"].map((id) => ({ subject: `sw.scan.core.0.state.t.${id}`, data: bytes(id) }));
    await log.append("core", states);
    expect(
      (await collect(log.scan("core", "sw.scan.core.0.state.>", { lastPerSubject: true }))).map(
        ({ subject }) => subject,
      ),
    ).toEqual(["sw.scan.core.0.state.t.b", "sw.scan.core.0.state.t.a"]);
    const found = await log.lastMany("core", [
      states[1]?.subject ?? "",
      "sw.scan.core.0.state.t.none",
      states[0]?.subject ?? "",
    ]);
    expect(found.map((record) => record?.subject)).toEqual([states[1]?.subject, undefined, states[0]?.subject]);
    await opened.close();
  });
});

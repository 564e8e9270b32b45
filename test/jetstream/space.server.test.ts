import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type JetStreamLogOptions, openJetStreamLog } from "../../runtime/jetstream/jetstream-log.ts";
import { type EmbeddedServer, startEmbeddedServer } from "../../runtime/server/embedded-server.ts";
import { api, bytes, small } from "./arrange.ts";

let server: EmbeddedServer;
beforeAll(async () => {
  server = await startEmbeddedServer();
});
afterAll(() => server.stop());

const open = (space: string, more: Partial<JetStreamLogOptions> = {}) =>
  openJetStreamLog({ servers: server.url, space, ...small, ...more });

/** Makes a space, changes one of its streams, and opens it again. */
async function reopen(
  space: string,
  role: "CORE" | "INGRESS",
  change: object,
  more: Partial<JetStreamLogOptions> = {},
) {
  await (await open(space)).close();
  const name = `SW_${space.toUpperCase()}_${role}`;
  await api(server.url, `STREAM.UPDATE.${name}`, (config) => ({ ...config, ...change }));
  return open(space, more);
}

describe("a space", () => {
  it("is made with streams that refuse instead of forgetting", async () => {
    const { close, space, log } = await open("made", { partitions: 8, historyDepth: 4 });
    expect(space).toMatchObject({ partitions: 8, historyDepth: 4 });
    const { config: core } = await api(server.url, "STREAM.INFO.SW_MADE_CORE");
    const { config: ingress } = await api(server.url, "STREAM.INFO.SW_MADE_INGRESS");
    expect(core).toMatchObject({
      subjects: ["sw.made.core.>"],
      discard: "new",
      retention: "limits",
      max_bytes: small.maxCoreBytes,
      max_msgs_per_subject: 4,
      allow_atomic: true,
      allow_rollup_hdrs: false,
    });
    expect(ingress).toMatchObject({
      subjects: Array.from({ length: space.partitions }, (_, partition) => `sw.made.in.*.${partition}.>`),
      discard: "new",
      max_msgs_per_subject: -1,
      allow_atomic: true,
    });
    expect((await log.state("core")).identity).toBe(space.identity.core);
    await close();
  });

  it("is the same for two processes that make it at once", async () => {
    const tiny = { maxCoreBytes: 2 ** 24, maxIngressBytes: 2 ** 24 };
    for (let round = 0; round < 30; round++) {
      // Started a few milliseconds apart, they meet the space in every stage of its making.
      const opened = await Promise.all(
        [0, 2, 4, 6].map(async (startMs) => {
          await new Promise((resolve) => setTimeout(resolve, startMs + (round % 4)));
          return open(`race${round}`, tiny);
        }),
      );
      for (const { space } of opened) expect(space).toEqual(opened[0]?.space);
      const [first] = opened;
      expect((await first?.log.state("core"))?.lastSeq).toBe(1);
      await Promise.all(opened.map(({ close }) => close()));
    }
  });

  it("keeps what it was made with, and refuses another number of partitions or states in words", async () => {
    await (await open("fixed", { partitions: 4 })).close();
    const again = await open("fixed");
    expect(again.space.partitions).toBe(4);
    await again.close();
    await expect(open("fixed", { partitions: 5, historyDepth: 3 })).rejects.toMatchObject({
      _tag: "SpaceConfigError",
      message: expect.stringMatching(/has 4 partitions.*5 was asked for.*keeps 16 states.*historyDepth: 3/),
    });
  });

  it("is not made when that is not wanted", async () => {
    await expect(open("unmade", { createSpace: false })).rejects.toMatchObject({
      _tag: "SpaceConfigError",
      message: expect.stringContaining("does not exist"),
    });
  });

  it.each([
    ["CORE", { discard: "old" }, "silently deletes state"],
    ["CORE", { max_bytes: -1 }, "can be torn"],
    ["CORE", { max_age: 3_600_000_000_000 }, "must not expire"],
    ["CORE", { allow_rollup_hdrs: true }, "delete all others"],
    ["CORE", { allow_msg_ttl: true }, "expire before it is handled"],
    ["CORE", { allow_atomic: false }, "a commit is an atomic batch"],
    ["CORE", { max_msgs_per_subject: 3 }, "created with that number"],
    ["CORE", { subjects: ["sw.unsafe.core.>", "other.>"] }, "these records and no others"],
    ["INGRESS", { discard: "old" }, "silently deletes"],
    ["INGRESS", { max_msgs_per_subject: 1 }, "must not be replaced"],
    ["INGRESS", { allow_atomic: false }, "atomicIngress: false"],
  ] as const)("is refused in words when its %s stream has %o", async (role, change, why) => {
    const space = `unsafe${Math.random().toString(36).slice(2, 8)}`;
    const fitted = "subjects" in change ? { subjects: [`sw.${space}.core.>`, "other.>"] } : change;
    await expect(reopen(space, role, fitted)).rejects.toMatchObject({
      _tag: "SpaceConfigError",
      message: expect.stringContaining(why),
    });
    await api(server.url, `STREAM.DELETE.SW_${space.toUpperCase()}_${role}`);
  });

  it("lists every difference at once", async () => {
    await expect(
      reopen("many", "CORE", { discard: "old", max_age: 3_600_000_000_000, allow_msg_ttl: true }),
    ).rejects.toMatchObject({
      message: expect.stringMatching(/discard is "old".*\n.*max_age is 3600000000000.*\n.*allow_msg_ttl is on/),
    });
  });

  it("repairs what can lose nothing, and says so", async () => {
    const warn = vi.fn();
    const opened = await reopen(
      "repair",
      "CORE",
      { description: "", allow_direct: false },
      { maxCoreBytes: 2 * small.maxCoreBytes, warn },
    );
    const said = warn.mock.calls.flat().join("\n");
    expect(said).toMatch(/description was set/);
    expect(said).toMatch(/allow_direct was switched on/);
    expect(said).toMatch(/max_bytes was raised from 67108864 to 134217728/);
    expect((await opened.log.state("core")).maxSizeBytes).toBe(2 * small.maxCoreBytes);
    await opened.close();
  });

  it.each(["CORE", "INGRESS"])(
    "is refused when its %s stream is gone, or another one with the same name",
    async (role) => {
      const space = `gone-${role.toLowerCase()}`;
      const name = `SW_${space.toUpperCase()}_${role}`;
      const first = await open(space);
      await first.log.append("ingress", [{ subject: `sw.${space}.in.c.0.t.a.1`, data: bytes("x") }]);
      await first.close();
      const { config } = await api(server.url, `STREAM.INFO.${name}`);
      await api(server.url, `STREAM.DELETE.${name}`);
      await expect(open(space)).rejects.toMatchObject({
        _tag: "SpaceIdentityError",
        message: expect.stringContaining(`${name} is gone`),
      });
      await api(server.url, `STREAM.CREATE.${name}`, () => config);
      await expect(open(space)).rejects.toMatchObject({
        _tag: "SpaceIdentityError",
        message: expect.stringContaining("Restore"),
      });
    },
  );

  it("tells when calls meet a stream that was recreated", async () => {
    const { log, close } = await open("swapped");
    const { config } = await api(server.url, "STREAM.INFO.SW_SWAPPED_CORE");
    await api(server.url, "STREAM.DELETE.SW_SWAPPED_CORE");
    await api(server.url, "STREAM.CREATE.SW_SWAPPED_CORE", () => config);
    await expect(log.state("core")).rejects.toMatchObject({ _tag: "SpaceIdentityError" });
    await close();
  });

  it("warns unless it is known that the server flushes what it confirms", async () => {
    const warn = vi.fn();
    const unknown = await open("sync", { warn });
    expect(unknown.syncMode).toBe("unknown");
    expect(warn.mock.calls.flat().join()).toContain("sync_interval: always");
    warn.mockClear();
    const known = await open("sync", { warn, assumeSyncAlways: true });
    expect(known.syncMode).toBe("always");
    expect(warn).not.toHaveBeenCalled();
    await unknown.close();
    await known.close();
  });
});

describe("the account's room", () => {
  it("limits what a space is made with, and a space that does not fit is refused in words", async () => {
    const limited = await startEmbeddedServer({
      extraConfig: `accounts { A { jetstream: { max_file: 200M }, users: [{ user: a, password: a }] }, B { jetstream: { max_file: 20M }, users: [{ user: b, password: b }] } }`,
    });
    const opened = await openJetStreamLog({ servers: limited.url, space: "fits", user: "a", pass: "a" });
    const [core, ingress] = [await opened.log.state("core"), await opened.log.state("ingress")];
    expect(core.maxSizeBytes + ingress.maxSizeBytes).toBeLessThan(200_000_000);
    await opened.close();
    await expect(
      openJetStreamLog({ servers: limited.url, space: "tight", user: "b", pass: "b" }),
    ).rejects.toMatchObject({
      _tag: "SpaceConfigError",
      message: expect.stringContaining("too few for its two streams"),
    });
    await limited.stop();
  });

  it("is asked of the server when the account has no limit", async () => {
    const tiny = await startEmbeddedServer({ maxStoreBytes: 100 * 1024 * 1024 });
    const opened = await openJetStreamLog({ servers: tiny.url, space: "tiny" });
    expect((await opened.log.state("core")).maxSizeBytes).toBe(64 * 1024 * 1024);
    await opened.close();
    await expect(openJetStreamLog({ servers: tiny.url, space: "more" })).rejects.toMatchObject({
      _tag: "SpaceConfigError",
      message: expect.stringContaining("has no room"),
    });
    await tiny.stop();
  });
});

it("says in words that no server answers, or that it has no JetStream", async () => {
  await expect(openJetStreamLog({ servers: "nats://user:secret@127.0.0.1:9", space: "x" })).rejects.toMatchObject({
    _tag: "LogUnavailableError",
    message: expect.not.stringContaining("secret"),
  });
});

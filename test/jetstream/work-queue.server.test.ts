import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type JetStreamLog, openJetStreamLog } from "../../runtime/jetstream/jetstream-log.ts";
import { isSupportedVersion } from "../../runtime/jetstream/server-facts.ts";
import { type EmbeddedServer, startEmbeddedServer } from "../../runtime/server/embedded-server.ts";
import { api, bytes, small, text } from "./arrange.ts";

let server: EmbeddedServer;
beforeAll(async () => {
  server = await startEmbeddedServer();
});
afterAll(() => server.stop());

const open = (space: string) => openJetStreamLog({ servers: server.url, space, ...small });

async function put({ log }: JetStreamLog, space: string, ...names: string[]): Promise<void> {
  for (const name of names)
    await log.append("core", [{ subject: `sw.${space}.core.0.task.${name}`, data: bytes(name) }]);
}

describe("a work queue", () => {
  it("hands out every task once while it is acknowledged", async () => {
    const opened = await open("once");
    const queue = await opened.workQueue.open({ name: "q", filter: "sw.once.core.*.task.>" });
    await put(opened, "once", "a", "b", "c");
    const tasks = await queue.pull(2, 1000);
    expect(tasks.map(({ data, delivery }) => [text(data), delivery])).toEqual([
      ["a", 1],
      ["b", 1],
    ]);
    for (const task of tasks) task.ack();
    const [last, ...none] = await queue.pull(10, 1000);
    expect([last?.subject, none]).toEqual(["sw.once.core.0.task.c", []]);
    last?.ack();
    expect(await queue.pull(10, 50)).toEqual([]);
    await opened.close();
  });

  it("waits for the first task", async () => {
    const opened = await open("wait");
    const queue = await opened.workQueue.open({ name: "q", filter: "sw.wait.core.*.task.>" });
    const pulled = queue.pull(5, 5000);
    await put(opened, "wait", "a");
    expect((await pulled).map(({ data }) => text(data))).toEqual(["a"]);
    await opened.close();
  });

  it("delivers again what was neither acknowledged nor extended, and at once or later what was given back", async () => {
    const opened = await open("again");
    const queue = await opened.workQueue.open({ name: "q", filter: "sw.again.core.*.task.>", visibilityMs: 1000 });
    await put(opened, "again", "forgotten");
    expect((await queue.pull(1, 1000))[0]?.delivery).toBe(1);
    const [second] = await queue.pull(1, 5000);
    expect(second?.delivery).toBe(2);
    second?.nak();
    const [third] = await queue.pull(1, 5000);
    expect(third?.delivery).toBe(3);
    third?.nak(300);
    expect(await queue.pull(1, 0)).toEqual([]);
    const [fourth] = await queue.pull(1, 5000);
    expect(fourth?.delivery).toBe(4);
    const extending = setInterval(() => fourth?.extend(), 200);
    expect(await queue.pull(1, 1800)).toEqual([]);
    clearInterval(extending);
    fourth?.ack();
    expect(await queue.pull(1, 1300)).toEqual([]);
    await opened.close();
  });

  it("is shared by pullers with its name, and gives the tasks of one that died to the other", async () => {
    const [one, two] = [await open("shared"), await open("shared")];
    const options = { name: "q", filter: "sw.shared.core.*.task.>", visibilityMs: 1000 };
    const [first, second] = [await one.workQueue.open(options), await two.workQueue.open(options)];
    await put(one, "shared", "a", "b");
    expect(await first.pull(1, 1000)).toHaveLength(1);
    const rest = await second.pull(5, 1000);
    expect(rest.map(({ data }) => text(data))).toEqual(["b"]);
    rest[0]?.ack();
    await one.close();
    const [taken] = await second.pull(1, 5000);
    expect([text(taken?.data ?? bytes("")), taken?.delivery]).toEqual(["a", 2]);
    await two.close();
  });

  it("takes new settings when it is opened again, and refuses another filter", async () => {
    const opened = await open("settings");
    const filter = "sw.settings.core.*.task.>";
    await opened.workQueue.open({ name: "q", filter, visibilityMs: 1000, maxInFlight: 10 });
    await opened.workQueue.open({ name: "q", filter, visibilityMs: 2000, maxInFlight: 20 });
    const { config } = await api(server.url, "CONSUMER.INFO.SW_SETTINGS_CORE.wq-q");
    expect(config).toMatchObject({ ack_wait: 2_000_000_000, max_ack_pending: 20, max_deliver: -1 });
    await expect(opened.workQueue.open({ name: "q", filter: "sw.settings.core.1.task.>" })).rejects.toMatchObject({
      _tag: "SpaceConfigError",
      message: expect.stringContaining("it exists for"),
    });
    await expect(opened.workQueue.open({ name: "a.b", filter })).rejects.toMatchObject({ _tag: "InvalidNameError" });
    await opened.close();
  });

  it("goes on after its consumer was deleted, and after the server was killed", async () => {
    const opened = await open("revived");
    const queue = await opened.workQueue.open({ name: "q", filter: "sw.revived.core.*.task.>" });
    await put(opened, "revived", "a");
    await api(server.url, "CONSUMER.DELETE.SW_REVIVED_CORE.wq-q");
    expect((await queue.pull(1, 2000)).map(({ data }) => text(data))).toEqual(["a"]);
    const pulled = queue.pull(1, 5000);
    await server.kill("SIGKILL");
    expect(await pulled).toEqual([]);
    await server.restart();
    await put(opened, "revived", "b").catch(() => {});
    await expect.poll(() => opened.isConnected(), { timeout: 10_000 }).toBe(true);
    await put(opened, "revived", "c");
    const tasks = await queue.pull(5, 5000);
    expect(tasks.map(({ data }) => text(data))).toContain("c");
    await opened.close();
  });
});

it("takes only servers whose batches are reliable", () => {
  const taken = ["2.12.15", "2.14.5", "2.15.0", "2.15.1-dev", "2.16.0", "3.0.0"];
  const refused = ["2.10.29", "2.11.99", "2.12.14", "2.13.9", "2.14.4", "garbage"];
  expect(taken.filter((version) => !isSupportedVersion(version))).toEqual([]);
  expect(refused.filter(isSupportedVersion)).toEqual([]);
});

it("passes signals on to those who listen now", async () => {
  const [one, two] = [await open("signals"), await open("signals")];
  const heard: string[] = [];
  const stop = two.log.listen("sw.signals.reply.me.*", (subject, data) => heard.push(`${subject} ${text(data)}`));
  await two.log.flush();
  one.log.signal("sw.signals.reply.me.1", bytes("hello"));
  await expect.poll(() => heard).toEqual(["sw.signals.reply.me.1 hello"]);
  stop();
  one.log.signal("sw.signals.reply.me.2", bytes("nobody"));
  await one.log.flush();
  await two.log.flush();
  expect(heard).toHaveLength(1);
  await one.close();
  await two.close();
});

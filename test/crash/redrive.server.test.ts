/** Thousands of letters redriven by commands that are killed in the middle, while the node that applies them is killed too (I1, I2, I4). */
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { type Client, connect, type EmbeddedServer, startEmbeddedServer } from "../../index.ts";
import { type Running, runCli, startCli } from "../cli/arrange.ts";
import { eventually } from "../contract/eventually.ts";
import { keeper } from "./keeper.ts";

const letters = Number(process.env.STATEWRIGHT_LETTERS ?? 5000);
const actors = 50;
const longMs = 60_000;
const moduleFile = join(import.meta.dirname, "keeper.ts");
let server: EmbeddedServer;
let client: Client | undefined;
const running = new Set<Running>();
beforeAll(async () => {
  server = await startEmbeddedServer();
});
afterEach(async () => {
  for (const { child } of running) child.kill("SIGKILL");
  await Promise.all([...running].map(({ ended }) => ended));
  running.clear();
  await client?.close();
});
afterAll(() => server.stop("kill"));

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const started = startCli(args, { env: { STATEWRIGHT_NATS: server.url, ...env } });
  running.add(started);
  return started;
}

async function kill(what: Running): Promise<void> {
  what.child.kill("SIGKILL");
  expect(await what.ended).toMatchObject({ signal: "SIGKILL" });
  running.delete(what);
}

it("applies each message once and in its actor's order, however often the redriving is killed and begun again", async () => {
  const run = ["run", moduleFile, "--partitions", "4", "--lease", "1s", "--sync-always", "--log-level", "error"];
  const broken = start(run, { KEEPER_IS_BROKEN: "1" });
  await eventually(async () => {
    client ??= await connect({ servers: server.url, assumeSyncAlways: true, createSpace: false });
  }, longMs);
  const open = client as Client;
  const sent = Array.from({ length: letters }, (_, n) =>
    open.send(keeper.ref(`k${n % actors}`), { type: "TAKE", n }, { timeout: "60 seconds" }),
  );
  await Promise.all(sent);
  const dead = async () => (await open.deadLetters.list("type:keeper", { limit: letters })).length;
  await eventually(async () => expect(await dead()).toBe(letters), longMs);
  await kill(broken);

  let node = start(run);
  let left = letters;
  for (let kills = 0; kills < 3; kills++) {
    const redrive = start(["dlq", "redrive", "--all", "type:keeper", "--rate", String(letters / 20)]);
    const before = left;
    await eventually(async () => {
      left = await dead();
      expect(left).toBeLessThan(before);
    }, longMs);
    await kill(redrive);
    if (kills === 1) {
      await kill(node);
      node = start(run);
    }
    left = await dead();
  }
  expect(left).toBeGreaterThan(0);
  const last = await runCli(["dlq", "redrive", "--all", "type:keeper", "-o", "json"], {
    env: { STATEWRIGHT_NATS: server.url },
  });
  const end = JSON.parse(last.out) as { total: number; redriven: number; skipped: number; refused: unknown[] };
  expect(end).toMatchObject({ refused: [] });
  expect(end.redriven).toBeLessThan(letters);

  for (let k = 0; k < actors; k++) {
    const expected = Array.from({ length: letters / actors }, (_, i) => k + i * actors);
    await eventually(async () => {
      expect((await open.get(keeper.ref(`k${k}`)))?.context.taken).toHaveLength(expected.length);
    }, longMs);
    expect((await open.get(keeper.ref(`k${k}`)))?.context.taken).toEqual(expected);
  }
  expect(await dead()).toBe(0);
  await kill(node);
}, 180_000);

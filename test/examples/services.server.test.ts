/** The workers of the example under a caller that shares nothing but the contract with them, while everything fails that can. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, it } from "vitest";
import { setup } from "xstate";
import { bookParcel, cancelParcel, chargeCard, refundPayment } from "../../examples/services/contracts.ts";
import { Ledger } from "../../examples/services/ledger.ts";
import { connect, defineActor, startEmbeddedServer, startNode } from "../../index.ts";
import { eventually } from "../contract/eventually.ts";

const folder = mkdtempSync(join(tmpdir(), "statewright-services-"));
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** Starts a program of the example, and resolves with what it says when it is ready. */
async function start(program: string, ...args: string[]): Promise<{ child: ChildProcess; said: string }> {
  const file = resolve(import.meta.dirname, "..", "..", "examples", "services", program);
  const env = { ...process.env, SHIPPING_CHAOS: "0.3" };
  const child = spawn(process.execPath, ["--import", "tsx", file, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      text += chunk;
    });
  }
  const said = await eventually(() => {
    const line = /^[\w-]+: (ready|http:\S+)$/m.exec(text);
    if (line === null) throw new Error(`${program} is not ready: ${text}`);
    return line[1] as string;
  }, 30_000);
  return { child, said };
}

const order = defineActor("order", {
  machine: setup({
    types: { context: {} as { id: string; card: string; address: string }, events: {} as { type: "START" } },
    actors: { chargeCard, refundPayment, bookParcel, cancelParcel },
  }).createMachine({
    context: ({ input }) => {
      const { id } = input as { id: string };
      return { id, card: id.endsWith("3") ? "0000" : "4242", address: id.endsWith("7") ? "Atlantis 1" : "Lyon 1" };
    },
    initial: "open",
    states: {
      open: { on: { START: "charging" } },
      charging: {
        invoke: {
          src: "chargeCard",
          input: ({ context: { id, card } }) => ({ payment: id, card, cents: 100 + Number(id) }),
          onDone: "booking",
          onError: "refunding",
        },
      },
      booking: {
        invoke: {
          src: "bookParcel",
          input: ({ context: { id, address } }) => ({ order: id, address }),
          onDone: "shipped",
          onError: "cancelling",
        },
      },
      cancelling: {
        invoke: { src: "cancelParcel", input: ({ context: { id } }) => ({ order: id }), onDone: "refunding" },
      },
      refunding: {
        invoke: { src: "refundPayment", input: ({ context: { id } }) => ({ payment: id }), onDone: "refunded" },
      },
      shipped: { type: "final" },
      refunded: { type: "final" },
    },
  }),
});

it("charges, books and takes back exactly once, while workers and carrier are killed", async () => {
  const server = await startEmbeddedServer();
  const where = { servers: server.url, space: "services", assumeSyncAlways: true };
  const node = await startNode({ ...where, name: "orders", partitions: 4, actors: [order] });
  expect(node.activities).toEqual([]);
  const client = await connect({ ...where, actors: [order] });
  const ledgerFile = join(folder, "ledger.db");
  const parcels = join(folder, "parcels");
  const payments = () => start("payments.ts", server.url, "services", ledgerFile);
  const [firstPayments, firstCarrier] = await Promise.all([payments(), start("shipping.ts", "0", parcels)]);
  const carrier = firstCarrier.said;
  const worker = () => start("shipping-worker.ts", server.url, "services", carrier);
  const firstWorker = await worker();
  const ids = Array.from({ length: 40 }, (_, n) => `${n}`);
  const ends = ids.map((id) => client.waitFor(order.ref(id), (view) => view.status === "done", { timeout: 90_000 }));
  await Promise.all(ids.map((id) => client.send(order.ref(id), { type: "START" })));
  await Promise.any(ends);
  for (const { child } of [firstPayments, firstWorker, firstCarrier]) child.kill("SIGKILL");
  await eventually(() => expect(firstCarrier.child.signalCode).toBe("SIGKILL"));
  const again = await Promise.all([payments(), worker(), start("shipping.ts", new URL(carrier).port, parcels)]);
  const states = (await Promise.all(ends)).map((view) => view.value);

  const isShipped = (id: string) => !/[37]$/.test(id);
  expect(states).toEqual(ids.map((id) => (isShipped(id) ? "shipped" : "refunded")));
  const listed = await fetch(`${carrier}/parcels`);
  expect(((await listed.json()) as string[]).sort()).toEqual(ids.filter(isShipped).sort());
  const ledger = new Ledger(ledgerFile);
  const balances = ledger.balances();
  ledger.close();
  expect(ids.map((id) => balances.get(id) ?? 0)).toEqual(ids.map((id) => (isShipped(id) ? 100 + Number(id) : 0)));

  for (const { child } of again) child.kill("SIGTERM");
  await eventually(() => expect(again.map(({ child }) => child.exitCode)).toEqual([0, 0, 0]), 20_000);
  await client.close();
  await node.stop();
  await server.stop();
}, 150_000);

/** The services of the example, each a process that shares nothing but the contract with the others, while everything fails that can. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, it } from "vitest";
import { Ledger } from "../../examples/services/ledger.ts";
import { startEmbeddedServer } from "../../index.ts";
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

it("charges, books and takes back exactly once, while every process is killed", async () => {
  const server = await startEmbeddedServer();
  const where = [server.url, "services"] as const;
  const ledgerFile = join(folder, "ledger.db");
  const parcels = join(folder, "parcels");
  const payments = () => start("payments.ts", ...where, ledgerFile);
  const sagas = () => start("sagas.ts", ...where);
  const [firstSagas, firstPayments, firstCarrier] = await Promise.all([
    sagas(),
    payments(),
    start("shipping.ts", "0", parcels),
  ]);
  const carrier = firstCarrier.said;
  const worker = () => start("shipping-worker.ts", ...where, carrier);
  const orders = (port: string) => start("orders.ts", ...where, port);
  const [firstWorker, firstOrders] = await Promise.all([worker(), orders("0")]);
  const shop = firstOrders.said;

  const ids = Array.from({ length: 40 }, (_, n) => `${n}`);
  const isDeclined = (id: string) => id.endsWith("3");
  const isShipped = (id: string) => !/[37]$/.test(id);
  const place = async (id: string) => {
    const body = JSON.stringify({
      id,
      card: isDeclined(id) ? "0000" : "4242",
      cents: 100 + Number(id),
      address: id.endsWith("7") ? "Atlantis 1" : "Lyon 1",
    });
    // As any caller would: until there is an answer.
    const placed = await eventually(async () => {
      const response = await fetch(`${shop}/orders`, { method: "POST", body });
      expect(response.status).toBe(202);
      return response.json();
    }, 60_000);
    expect(placed).toMatchObject({ id });
  };
  const look = async (id: string) =>
    (await (await fetch(`${shop}/orders/${id}`)).json()) as { readonly status: string; readonly why?: string };

  await Promise.all(ids.slice(0, 20).map(place));
  await eventually(async () => expect((await look("0")).status).toBe("completed"), 60_000);
  for (const { child } of [firstSagas, firstPayments, firstWorker, firstCarrier, firstOrders]) child.kill("SIGKILL");
  await eventually(() => expect(firstOrders.child.signalCode).toBe("SIGKILL"));
  const placing = Promise.all(ids.map(place)); // the first twenty once more
  const again = await Promise.all([
    sagas(),
    payments(),
    worker(),
    start("shipping.ts", new URL(carrier).port, parcels),
    orders(new URL(shop).port),
  ]);
  await placing;
  const ends = await eventually(async () => {
    const looks = await Promise.all(ids.map(look));
    const open = ids.filter((_, n) => !["completed", "compensated"].includes(looks[n]?.status ?? ""));
    if (open.length > 0)
      throw new Error(`Still open: ${open.map((id) => `${id} ${JSON.stringify(looks[Number(id)])}`).join(", ")}`);
    return looks;
  }, 120_000);

  expect(ends.map(({ status }) => status)).toEqual(ids.map((id) => (isShipped(id) ? "completed" : "compensated")));
  expect(ends[7]?.why).toContain("Atlantis 1 is not served");
  const listed = await fetch(`${carrier}/parcels`);
  expect(((await listed.json()) as string[]).sort()).toEqual(ids.filter(isShipped).sort());
  const ledger = new Ledger(ledgerFile);
  const balances = ledger.balances();
  ledger.close();
  expect(ids.map((id) => balances.get(id) ?? 0)).toEqual(ids.map((id) => (isShipped(id) ? 100 + Number(id) : 0)));
  expect((await fetch(`${shop}/orders/none`)).status).toBe(404);
  const other = await fetch(`${shop}/orders`, {
    method: "POST",
    body: JSON.stringify({ id: "0", card: "4242", cents: 1, address: "Lyon 2" }),
  });
  expect(other.status).toBe(409);

  for (const { child } of again) child.kill("SIGTERM");
  await eventually(() => expect(again.map(({ child }) => child.exitCode)).toEqual([0, 0, 0, 0, 0]), 20_000);
  await server.stop();
}, 240_000);

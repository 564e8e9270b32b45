/** What the services of the example keep: the ledger of payments, and the carrier's parcels. */
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Ledger } from "../../examples/services/ledger.ts";
import { ParcelStore } from "../../examples/services/parcel-store.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "statewright-services-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const terminal = (message: RegExp) =>
  expect.objectContaining({ _tag: "TerminalError", message: expect.stringMatching(message) });

describe("the ledger", () => {
  const one = { payment: "p1", card: "4242", cents: 500 };

  it("charges and refunds once under a key, also after it was opened anew, in whichever process", () => {
    const [first, second] = [new Ledger(join(folder, "l.db")), new Ledger(join(folder, "l.db"))];
    expect([first.charge("k1", one), second.charge("k1", one)]).toEqual([{ charge: "ch-p1" }, { charge: "ch-p1" }]);
    expect([...second.balances()]).toEqual([["p1", 500]]);
    first.close();
    second.close();
    const again = new Ledger(join(folder, "l.db"));
    expect([again.charge("k1", one), again.refund("k2", "p1"), again.refund("k2", "p1")]).toEqual([
      { charge: "ch-p1" },
      { refundedCents: 500 },
      { refundedCents: 500 },
    ]);
    expect(again.refund("k3", "p1")).toEqual({ refundedCents: 0 });
    expect([...again.balances()]).toEqual([["p1", 0]]);
    again.close();
  });

  it("refuses a charge that comes after its refund, a second one of a payment, and a key that was used for another call", () => {
    const ledger = new Ledger(join(folder, "l.db"));
    expect(ledger.refund("k1", "p1")).toEqual({ refundedCents: 0 });
    expect(() => ledger.charge("k2", one)).toThrow(terminal(/p1 was refunded: it is not charged any more/));
    ledger.charge("k3", { ...one, payment: "p2" });
    expect(() => ledger.charge("k4", { ...one, payment: "p2" })).toThrow(terminal(/p2 was charged before/));
    expect(() => ledger.charge("k3", one)).toThrow(terminal(/key k3 was used before/));
    expect(() => ledger.charge("k5", { ...one, payment: "p3", card: "0000" })).toThrow(terminal(/declined/));
    expect([...ledger.balances()]).toEqual([["p2", 500]]);
    // What is refused leaves nothing behind.
    expect(ledger.charge("k5", { ...one, payment: "p3" })).toEqual({ charge: "ch-p3" });
    ledger.close();
  });
});

describe("the carrier's store", () => {
  it("keeps what it answered, and drops a line that was cut off", () => {
    const path = join(folder, "parcels");
    const store = new ParcelStore(path);
    const booked = store.book("k1", "ö1");
    expect([booked.status, store.book("k2", "ö1").status]).toEqual([201, 409]);
    store.close();
    appendFileSync(path, '{"key":"k3","order":"2","ki');
    const again = new ParcelStore(path);
    expect([again.answerTo("k1"), again.answerTo("k2")?.status, again.answerTo("k3")]).toEqual([
      booked,
      409,
      undefined,
    ]);
    expect(again.book("k3", "2").status).toBe(201);
    again.close();
    const third = new ParcelStore(path);
    expect(third.booked()).toEqual(["ö1", "2"]);
    third.close();
  });

  it("books nothing for an order that was cancelled, before it was booked or after", () => {
    const store = new ParcelStore(join(folder, "parcels"));
    expect(store.cancel("k1", "1").body).toEqual({ isCancelled: false });
    expect(store.book("k2", "1")).toMatchObject({ status: 409, body: { why: expect.stringContaining("cancelled") } });
    store.book("k3", "2");
    expect([store.cancel("k4", "2").body, store.booked()]).toEqual([{ isCancelled: true }, []]);
    store.close();
  });
});

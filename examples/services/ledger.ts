/**
 * The ledger of the payments service, in SQLite.
 *
 * 1. What a call does and what it answers are written in one transaction, under its idempotency key: a call that comes again gets the answer of the first
 *    time, whatever process took it, and whenever that one died.
 * 2. A payment goes one way: charged, then refunded; or refunded before it was charged, and then it never is.
 * 3. Entries are only ever added. Their sum is what the service has.
 */
import Database from "libsql";
import { TerminalError } from "../../index.ts";

/** What is asked of the ledger. */
export interface Charge {
  readonly payment: string;
  readonly card: string;
  readonly cents: number;
}

/** Opens the ledger in a file, which it makes when there is none. Any number of processes may have it open. */
export class Ledger {
  readonly #db;

  constructor(path: string) {
    this.#db = new Database(path, { timeout: 5000 });
    this.#db.exec("PRAGMA journal_mode = WAL");
    // A call is answered when its commit is on the disk.
    this.#db.exec("PRAGMA synchronous = FULL");
    this.#db.exec(`
      CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, request TEXT NOT NULL, answer TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS payments (payment TEXT PRIMARY KEY, state TEXT NOT NULL, cents INTEGER NOT NULL);
      CREATE TABLE IF NOT EXISTS entries (entry INTEGER PRIMARY KEY, payment TEXT NOT NULL, cents INTEGER NOT NULL);
    `);
  }

  charge(key: string, { payment, card, cents }: Charge): { readonly charge: string } {
    return this.#once(key, { charge: { payment, card, cents } }, () => {
      if (card.endsWith("0000")) throw new TerminalError(`The card is declined: payment ${payment} is not charged.`);
      const state = this.#stateOf(payment);
      if (state === "charged") throw new TerminalError(`Payment ${payment} was charged before, by another call.`);
      if (state !== undefined) throw new TerminalError(`Payment ${payment} was refunded: it is not charged any more.`);
      this.#run("INSERT INTO payments VALUES (?, 'charged', ?)", payment, cents);
      this.#run("INSERT INTO entries (payment, cents) VALUES (?, ?)", payment, cents);
      return { charge: `ch-${payment}` };
    });
  }

  refund(key: string, payment: string): { readonly refundedCents: number } {
    return this.#once(key, { refund: { payment } }, () => {
      if (this.#stateOf(payment) !== "charged") {
        // A charge may still be on its way: from now on it is refused.
        this.#run("INSERT INTO payments VALUES (?, 'refunded', 0) ON CONFLICT DO NOTHING", payment);
        return { refundedCents: 0 };
      }
      const { cents } = this.#get("SELECT cents FROM payments WHERE payment = ?", payment) as { cents: number };
      this.#run("UPDATE payments SET state = 'refunded' WHERE payment = ?", payment);
      this.#run("INSERT INTO entries (payment, cents) VALUES (?, ?)", payment, -cents);
      return { refundedCents: cents };
    });
  }

  /** What was taken for each payment, less what was given back. */
  balances(): ReadonlyMap<string, number> {
    const rows = this.#db.prepare("SELECT payment, SUM(cents) AS cents FROM entries GROUP BY payment").all();
    return new Map((rows as Array<{ payment: string; cents: number }>).map(({ payment, cents }) => [payment, cents]));
  }

  close(): void {
    this.#db.close();
  }

  /** Does the work under a key once. What throws leaves nothing behind, not even the key. */
  #once<Answer>(key: string, asked: object, work: () => Answer): Answer {
    const request = JSON.stringify(asked);
    const transaction = this.#db.transaction((): Answer => {
      const known = this.#get("SELECT request, answer FROM answers WHERE key = ?", key) as
        | { request: string; answer: string }
        | undefined;
      if (known !== undefined) {
        if (known.request === request) return JSON.parse(known.answer);
        throw new TerminalError(`The idempotency key ${key} was used before, for another call.`);
      }
      const answer = work();
      this.#run("INSERT INTO answers VALUES (?, ?, ?)", key, request, JSON.stringify(answer));
      return answer;
    });
    // It takes the lock for writing before it reads, so that of two processes one waits for the other.
    return transaction.immediate();
  }

  #stateOf(payment: string): "charged" | "refunded" | undefined {
    const row = this.#get("SELECT state FROM payments WHERE payment = ?", payment);
    return (row as { state: "charged" | "refunded" } | undefined)?.state;
  }

  #get(sql: string, ...values: unknown[]): unknown {
    return this.#db.prepare(sql).get(...values);
  }

  #run(sql: string, ...values: unknown[]): void {
    this.#db.prepare(sql).run(...values);
  }
}

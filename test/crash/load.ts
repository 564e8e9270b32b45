/** Clients that send all the time, and what their actors must hold afterwards. */
import { type Client, connect, isStatewrightError } from "../../index.ts";
import { Prng } from "../../runtime/memory/prng.ts";
import { account, ledger, openingBalance, sequencer } from "./actors.ts";
import type { Journal, Space } from "./journal.ts";
import { small } from "./journal.ts";

/** What a client knows of a message. `unknown`: it may be stored. `failed`: it is not. */
type Known = "ok" | "unknown" | "failed";

/** A client and where it stands. */
interface Sender {
  readonly name: string;
  readonly client: Client;
  /** Another client, which the log does not recognise by its subjects. */
  readonly other: () => Client;
  readonly prng: Prng;
  readonly counts: Map<string, number>;
  sent: number;
}

interface Sent {
  /** Actor, `type/id`. */
  readonly to: string;
  /** What the actor appends when it applies the message; undefined for transfers. */
  readonly mark: string | undefined;
  known: Known;
  /** Why its sender gave it up. */
  why: string;
  /** Ids of the record that stands for it, as the receipts say. */
  readonly stored: Set<string>;
}

/** How much is sent, and how. */
export interface LoadOptions {
  /** Share of the messages that are sent a second time under the same key. */
  readonly duplicates?: number;
  readonly clients?: number;
  readonly sequencers?: number;
  readonly accounts?: number;
  /** Sends of one client under way at once. */
  readonly window?: number;
  readonly sendTimeoutMs?: number;
}

const books = 4;

/** Sends notes to sequencers and transfers to accounts. */
export class Load {
  readonly sent: Sent[] = [];
  readonly #senders: readonly Sender[];
  readonly #options: Required<LoadOptions>;
  readonly #waiting: Array<{ readonly at: number; readonly go: () => void }> = [];
  #settled = 0;
  #isEnding = false;
  /** Errors of sends by name. */
  readonly errors = new Map<string, number>();

  private constructor(clients: readonly Client[], options: Required<LoadOptions>) {
    this.#senders = clients.map((client, i) => ({
      name: `sender-${i}`,
      client,
      other: () => clients[(i + 1) % clients.length] as Client,
      prng: new Prng(i + 1),
      counts: new Map(),
      sent: 0,
    }));
    this.#options = options;
  }

  static async connect(space: Space, options: LoadOptions = {}): Promise<Load> {
    const all = {
      duplicates: 0.2,
      clients: 3,
      sequencers: 16,
      accounts: 12,
      window: 25,
      sendTimeoutMs: 40_000,
      ...options,
    };
    const clients = await Promise.all(
      Array.from({ length: all.clients }, (_, i) =>
        connect({ ...space, ...small, assumeSyncAlways: true, sender: `sender-${i}`, warn: () => {} }),
      ),
    );
    return new Load(clients, all);
  }

  /** How many messages their clients know the fate of. */
  get settled(): number {
    return this.#settled;
  }

  /** Resolves when so many messages are confirmed or given up: the middle of a run, for what is to happen there. */
  reached(count: number): Promise<void> {
    if (this.#settled >= count) return Promise.resolve();
    return new Promise((go) => this.#waiting.push({ at: count, go }));
  }

  /** No more than what is under way is sent. */
  finishSoon(): void {
    this.#isEnding = true;
  }

  /** Sends so many messages; resolves when all are confirmed or given up. */
  async run(messages: number): Promise<void> {
    const share = Math.ceil(messages / this.#senders.length);
    await Promise.all(this.#senders.map((sender) => this.#runSender(sender, share)));
  }

  async close(): Promise<void> {
    await Promise.all(this.#senders.map(({ client }) => client.close({ timeout: 100 })));
  }

  async #runSender(sender: Sender, messages: number): Promise<void> {
    const underWay = new Set<Promise<void>>();
    for (let i = 0; i < messages && !this.#isEnding; i++) {
      const fate = this.#sendOne(sender);
      underWay.add(fate);
      void fate.finally(() => underWay.delete(fate));
      while (underWay.size >= this.#options.window) await Promise.race(underWay);
    }
    await Promise.all(underWay);
  }

  /** Calls `send` before it returns, so that the order of the calls is the order of the messages. */
  async #sendOne(sender: Sender): Promise<void> {
    const { name, client, other, prng, counts } = sender;
    const number = sender.sent++;
    const { sequencers, accounts, duplicates, sendTimeoutMs } = this.#options;
    const isNote = prng.next() < 0.7;
    const isTwice = prng.next() < duplicates;
    const key = isTwice || prng.next() < 0.2 ? `${name}-${number}` : undefined;
    const options = { timeout: sendTimeoutMs, ...(key === undefined ? {} : { key }) };
    const id = isNote ? `s${prng.int(sequencers)}` : `a${prng.int(accounts)}`;
    const n = counts.get(id) ?? 0;
    const note = { type: "NOTE", sender: name, n, book: `b${prng.int(books)}` } as const;
    const transfer = { type: "TRANSFER", to: `a${prng.int(accounts)}`, amount: 1 + prng.int(50) } as const;
    if (isNote) counts.set(id, n + 1);
    const sent: Sent = {
      to: `${isNote ? "sequencer" : "account"}/${id}`,
      mark: isNote ? `${name}:${n}` : undefined,
      known: "failed",
      why: "",
      stored: new Set(),
    };
    this.sent.push(sent);
    const send = (by: Client) =>
      isNote ? by.send(sequencer.ref(id), note, options) : by.send(account.ref(id), transfer, options);
    await this.#track(sent, send(client));
    // A message that was given up takes its place in the order anew when it is sent again: that is another story.
    if (isTwice && sent.known === "ok") await this.#track(sent, send(prng.next() < 0.5 ? client : other()));
    this.#settle();
  }

  async #track(sent: Sent, receipt: Promise<{ message: string }>): Promise<void> {
    try {
      sent.stored.add((await receipt).message);
      sent.known = "ok";
    } catch (error) {
      const name = isStatewrightError(error) ? error._tag : String(error);
      sent.why += `${name}: ${(error as Error).message} `;
      this.errors.set(name, (this.errors.get(name) ?? 0) + 1);
      const isKnownToFail = name === "LogUnavailableError" || name === "StorageFullError";
      if (sent.known === "failed" && !isKnownToFail) sent.known = "unknown";
    }
  }

  #settle(): void {
    this.#settled++;
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const waiting = this.#waiting[i];
      if (waiting === undefined || waiting.at > this.#settled) continue;
      this.#waiting.splice(i, 1);
      waiting.go();
    }
  }

  /** What the actors do not hold as they should; for a settled space. */
  check(journal: Journal): string[] {
    const problems: string[] = [];
    const stored = new Set(journal.messages.map(({ envelope }) => envelope?.id));
    for (const sent of this.sent) {
      for (const id of sent.stored) {
        if (!stored.has(id))
          problems.push(`I1: ${sent.to} ${sent.mark ?? ""} was confirmed as ${id}, which is not there`);
      }
    }
    this.#checkNotes(journal, problems);
    checkLedgers(journal, problems);
    checkMoney(journal, problems);
    return problems;
  }

  #checkNotes(journal: Journal, problems: string[]): void {
    const applied = new Map<string, readonly string[]>();
    for (const actor of journal.actors.filter((name) => name.startsWith("sequencer/"))) {
      const marks = journal.contextOf<{ applied: string[] }>(actor)?.applied ?? [];
      applied.set(actor, marks);
      const emitted = journal.emittedBy(actor).map((event) => (event as { mark: string }).mark);
      const at = marks.findIndex((mark, i) => mark !== emitted[i]);
      if (at >= 0 || emitted.length !== marks.length)
        problems.push(
          `I3: ${actor} applied ${marks.length} notes and emitted ${emitted.length}; number ${at} is ${marks[at]}, emitted ${emitted[at]}`,
        );
      const last = new Map<string, number>();
      for (const mark of marks) {
        const [sender, n] = mark.split(":") as [string, string];
        const before = last.get(sender) ?? -1;
        if (Number(n) <= before) problems.push(`I2/I4: ${actor} applied ${mark} after ${sender}:${before}`);
        last.set(sender, Number(n));
      }
    }
    for (const { to, mark, known, why } of this.sent) {
      if (mark === undefined) continue;
      const isThere = applied.get(to)?.includes(mark) === true;
      if (known === "ok" && !isThere) problems.push(`I1: ${to} has not applied ${mark}, which was confirmed`);
      if (known === "failed" && isThere)
        problems.push(`I1: ${to} has applied ${mark}, which was not stored, as its sender was told: ${why}`);
    }
  }
}

/** Every line that a sequencer told stands in the ledger once, in the order of its causes. */
function checkLedgers(journal: Journal, problems: string[]): void {
  const told = new Map<string, string[]>();
  for (const { actor, envelope } of journal.messages) {
    if (!actor.startsWith("ledger/") || envelope?.event?.type !== "ENTER") continue;
    told.set(actor, [...(told.get(actor) ?? []), envelope.event.line as string]);
  }
  const causes = journal.actors
    .filter((actor) => actor.startsWith("sequencer/"))
    .flatMap((actor) =>
      (journal.contextOf<{ applied: string[] }>(actor)?.applied ?? []).map(
        (mark) => `${actor.slice("sequencer/".length)}>${mark}`,
      ),
    );
  const lines = journal.actors
    .filter((actor) => actor.startsWith("ledger/"))
    .flatMap((actor) => journal.contextOf<{ lines: string[] }>(actor)?.lines ?? [])
    .filter((line) => line.includes(">"));
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  for (const cause of causes) {
    const count = counts.get(cause) ?? 0;
    if (count !== 1) problems.push(`I3: ${cause} was applied and stands ${count} times in the ledgers`);
    counts.delete(cause);
  }
  for (const line of counts.keys()) problems.push(`I3: ${line} stands in a ledger and was not applied`);
  for (const actor of told.keys()) {
    const held = journal.contextOf<{ lines: string[] }>(actor)?.lines ?? [];
    const last = new Map<string, number>();
    for (const line of held) {
      const [source, , n] = line.split(/[>:]/) as [string, string, string];
      const from = line.slice(0, line.lastIndexOf(":"));
      const before = last.get(from) ?? -1;
      if (Number(n) <= before) problems.push(`I4: ${actor} holds ${line} of ${source} after number ${before}`);
      last.set(from, Number(n));
    }
  }
}

/** What leaves an account in a commit is on its way in the same commit, and arrives: at every moment, not only at the end. */
function checkMoney(journal: Journal, problems: string[]): void {
  const accounts = journal.actors.filter((actor) => actor.startsWith("account/"));
  const amounts = new Map<string, number>();
  const core = new Map(journal.records.core.map((record) => [record.seq, record]));
  for (const { envelope } of journal.messages)
    if (envelope?.event?.type === "CREDIT") amounts.set(envelope.id, envelope.event.amount as number);
  let sum = 0;
  for (const actor of accounts) {
    let balance = openingBalance;
    let revision = 0;
    for (const { state, seq } of journal.commitsOf(actor)) {
      const now = (state.snapshot?.context as { balance: number } | undefined)?.balance ?? openingBalance;
      let change = 0;
      for (const { message } of state.handled) change += amounts.get(message) ?? 0;
      for (let i = 1; i <= state.outbox; i++) {
        const record = core.get(seq + i);
        if (record?.subject.includes(".mail.") !== true) continue;
        change -= amounts.get((JSON.parse(Buffer.from(record.data).toString()) as { id: string }).id) ?? 0;
      }
      // The record of a very large commit does not name all of its messages.
      if (state.revision - revision === state.handled.length && now - balance !== change)
        problems.push(`I3: ${actor} at ${seq} went from ${balance} to ${now}, its messages make ${change}`);
      if (now < 0) problems.push(`I2: ${actor} at ${seq} holds ${now}`);
      balance = now;
      revision = state.revision;
    }
    sum += balance;
  }
  if (sum !== accounts.length * openingBalance)
    problems.push(
      `I2/I3: ${accounts.length} accounts hold ${sum} together instead of ${accounts.length * openingBalance}`,
    );
}

/** How many lines a ledger holds, for tests that ask it. */
export function linesOf(journal: Journal, id: string): readonly string[] {
  return journal.contextOf<{ lines: string[] }>(`${ledger.type}/${id}`)?.lines ?? [];
}

/** Good, poison and flaky messages for workers, and what must have become of each. */
import { type Client, connect } from "../../index.ts";
import type { LetterRecord } from "../../runtime/core/records.ts";
import { maxAttempts, worker } from "./actors.ts";
import { type Journal, type Space, small } from "./journal.ts";

/** What is wrong with message `n`. */
function flawOf(n: number): "poison" | "flaky" | undefined {
  if (n % 11 === 5) return "poison";
  return n % 7 === 3 ? "flaky" : undefined;
}

/** Sends work to one worker, in order, a few messages at once. */
export class WorkLoad {
  readonly #client: Client;
  readonly #worker: string;
  readonly #messages: number;
  #confirmed = 0;

  private constructor(client: Client, id: string, messages: number) {
    this.#client = client;
    this.#worker = id;
    this.#messages = messages;
  }

  static async connect(space: Space, id: string, messages: number): Promise<WorkLoad> {
    const client = await connect({ ...space, ...small, assumeSyncAlways: true, sender: `boss-of-${id}` });
    return new WorkLoad(client, id, messages);
  }

  async run(): Promise<void> {
    while (this.#confirmed < this.#messages) {
      const some = Array.from({ length: Math.min(5, this.#messages - this.#confirmed) }, (_, i) => {
        const n = this.#confirmed + i;
        const flaw = flawOf(n);
        const event = flaw === undefined ? ({ type: "WORK", n } as const) : ({ type: "WORK", n, flaw } as const);
        return this.#client.send(worker.ref(this.#worker), event, { timeout: 40_000 });
      });
      await Promise.all(some);
      this.#confirmed += some.length;
    }
  }

  async close(): Promise<void> {
    await this.#client.close({ timeout: 100 });
  }

  /** Everything but poison was done, in order; of every poison message there is one letter, with all its attempts. */
  check(journal: Journal): string[] {
    const problems: string[] = [];
    const actor = `worker/${this.#worker}`;
    const numbers = Array.from({ length: this.#messages }, (_, n) => n);
    const wanted = numbers.filter((n) => flawOf(n) !== "poison");
    const done = journal.contextOf<{ done: number[] }>(actor)?.done ?? [];
    if (JSON.stringify(done) !== JSON.stringify(wanted))
      problems.push(`I1/I2/I4: ${actor} did ${JSON.stringify(done)} instead of ${JSON.stringify(wanted)}`);
    const letters = journal.records.core
      .filter(({ subject }) => subject.includes(".dead."))
      .map((record) => JSON.parse(Buffer.from(record.data).toString()) as LetterRecord)
      .filter(({ to }) => to === actor);
    const dead = letters.map(({ envelope }) => envelope?.event?.n as number).sort((a, b) => a - b);
    const poison = numbers.filter((n) => flawOf(n) === "poison");
    if (JSON.stringify(dead) !== JSON.stringify(poison))
      problems.push(`I6: the letters of ${actor} are for ${JSON.stringify(dead)} instead of ${JSON.stringify(poison)}`);
    for (const { letter, reason, attemptCount, attempts } of letters) {
      if (reason !== "attempts" || attemptCount !== maxAttempts || attempts.length !== maxAttempts)
        problems.push(
          `I6: letter ${letter} of ${actor} says ${reason} after ${attemptCount} attempts (${attempts.length} told)`,
        );
    }
    return problems;
  }
}

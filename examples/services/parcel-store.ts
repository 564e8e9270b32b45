/**
 * What the carrier knows, in a file to which it only adds: a line for every call that was answered.
 *
 * 1. A line is on the disk before the call is answered. One that was cut off by a crash was not answered, and is dropped when the file is opened.
 * 2. A call that comes again under its key gets the answer of the first time.
 */
import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";

/** What became of a call. */
export interface Answer {
  readonly status: number;
  readonly body: { readonly parcel?: string; readonly isCancelled?: boolean; readonly why?: string };
}

interface Line {
  readonly key: string;
  readonly order: string;
  readonly kind: "book" | "cancel";
  readonly answer: Answer;
}

/** Opens the store in a file, which it makes when there is none. One process has it open. */
export class ParcelStore {
  readonly #file: number;
  readonly #answers = new Map<string, Answer>();
  /** By order. `cancelled`: also when nothing was booked. */
  readonly #parcels = new Map<string, "booked" | "cancelled">();

  constructor(path: string) {
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    this.#file = openSync(path, "a");
    ftruncateSync(this.#file, Buffer.byteLength(whole));
    for (const line of whole.split("\n")) if (line !== "") this.#apply(JSON.parse(line));
  }

  /** What was answered under a key; undefined: nothing was. */
  answerTo(key: string): Answer | undefined {
    return this.#answers.get(key);
  }

  book(key: string, order: string): Answer {
    const state = this.#parcels.get(order);
    const answer: Answer =
      state === undefined
        ? { status: 201, body: { parcel: `pa-${order}` } }
        : { status: 409, body: { why: `the parcel of order ${order} is ${state} already` } };
    return this.#add({ key, order, kind: "book", answer });
  }

  /** An order without a parcel is cancelled, too: a booking may still be on its way. */
  cancel(key: string, order: string): Answer {
    const isCancelled = this.#parcels.get(order) === "booked";
    return this.#add({ key, order, kind: "cancel", answer: { status: 200, body: { isCancelled } } });
  }

  /** The orders that have a parcel. */
  booked(): readonly string[] {
    return [...this.#parcels].filter(([, state]) => state === "booked").map(([order]) => order);
  }

  close(): void {
    closeSync(this.#file);
  }

  #add(line: Line): Answer {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
    fsyncSync(this.#file);
    this.#apply(line);
    return line.answer;
  }

  #apply({ key, order, kind, answer }: Line): void {
    this.#answers.set(key, answer);
    if (kind === "cancel") this.#parcels.set(order, "cancelled");
    else if (answer.status === 201) this.#parcels.set(order, "booked");
  }
}

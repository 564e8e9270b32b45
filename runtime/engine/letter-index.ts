/**
 * What the owner of a partition knows of its dead letters: read once, and then only what is new.
 *
 * 1. The log is the truth, and the index follows it: a letter that was changed is known as it was until the next look.
 * 2. Nothing is passed over: the index moves on behind a record that it has read, or to where the stream's leader had nothing more.
 */
import { type Address, parseAddress } from "../core/address.ts";
import { decodeRecord, type LetterRecord } from "../core/records.ts";
import type { LogRecord } from "../log/log.ts";
import type { NodeContext } from "./context.ts";

/** A letter as its owner remembers it. */
export interface KnownLetter {
  readonly letter: string;
  readonly subject: string;
  /** Sequence of its record: the fence of every change to it. */
  readonly seq: number;
  readonly to: Address;
  readonly status: LetterRecord["status"];
  readonly reason: LetterRecord["reason"];
  /** When the message died, and when the letter was last changed, milliseconds since 1970. */
  readonly at: number;
  readonly changedMs: number;
  /** Of the letter and of its message, where that is in a record of its own. */
  readonly bytes: number;
  readonly hasBody: boolean;
  readonly parks: boolean;
}

/** The letters of one partition. */
export class LetterIndex {
  readonly #context: NodeContext;
  readonly #filter: string;
  readonly #letters = new Map<string, KnownLetter>();
  #seenSeq = 0;
  #isFirst = true;

  constructor(partition: number, context: NodeContext) {
    this.#context = context;
    this.#filter = context.subjects.deadLettersOfPartition(partition);
  }

  /** False until the letters have been read for the first time. */
  get isRead(): boolean {
    return !this.#isFirst;
  }

  get letters(): Iterable<KnownLetter> {
    return this.#letters.values();
  }

  /** Reads what is new; `lastSeq` is that of the stream now, as its leader says. Rejects with `LogUnavailableError`. */
  async look(lastSeq: number): Promise<void> {
    if (lastSeq <= this.#seenSeq) return;
    const { log } = this.#context;
    const next = await log.next("core", this.#filter, this.#seenSeq + 1);
    if (next === undefined || next.seq > lastSeq) {
      this.#seenSeq = lastSeq;
      this.#isFirst = false;
      return;
    }
    // A replica that lags behind leaves out what is newest, never what lies before.
    const lastPerSubject = this.#isFirst;
    for await (const record of log.scan("core", this.#filter, { fromSeq: next.seq, lastPerSubject })) {
      this.#note(record);
      this.#seenSeq = Math.max(this.#seenSeq, record.seq);
    }
    this.#isFirst = false;
  }

  /** The letter is not in the log any more, unless it was changed meanwhile. */
  removed(known: KnownLetter): void {
    if (this.#letters.get(known.subject) === known) this.#letters.delete(known.subject);
  }

  #note(record: LogRecord): void {
    let letter: LetterRecord;
    let to: Address;
    try {
      letter = decodeRecord<LetterRecord>("a dead letter", record.data);
      to = this.#context.subjects.parseRecord(record.subject)?.address ?? parseAddress(letter.to);
    } catch {
      // Of a later version: left to the nodes that know it.
      this.#letters.delete(record.subject);
      return;
    }
    this.#letters.set(record.subject, {
      letter: letter.letter,
      subject: record.subject,
      seq: record.seq,
      to,
      status: letter.status,
      reason: letter.reason,
      at: letter.at,
      changedMs: record.timeMs,
      bytes: record.data.length + (letter.bodyBytes ?? 0),
      hasBody: letter.body === true,
      parks: letter.parks === true,
    });
  }
}

/** Which prefix of a stream is handled, when messages are handled out of order. */

/** Tracks the messages of one stream of one partition from read to handled. */
export class LowWater {
  /** Everything of the partition up to this sequence is handled. */
  #mark: number;
  readonly #open: number[] = [];
  /** When each of {@link LowWater.#open} was stored. */
  readonly #times: number[] = [];
  #first = 0;
  #lastRead: number;
  readonly #done = new Set<number>();

  constructor(mark: number) {
    this.#mark = mark;
    this.#lastRead = mark;
  }

  get mark(): number {
    return this.#mark;
  }

  /** How many were read and are not handled. */
  get pending(): number {
    return this.#open.length - this.#first - this.#done.size;
  }

  /** True while the message was read and is not handled. */
  has(seq: number): boolean {
    return seq > this.#mark && this.#open.includes(seq, this.#first) && !this.#done.has(seq);
  }

  /** When the oldest that was read and is not handled was stored, milliseconds since 1970; undefined when there is none. */
  get oldestAtMs(): number | undefined {
    return this.#times[this.#first];
  }

  /** Everything of the partition up to this sequence was read, or is known to be nothing. */
  get readUpTo(): number {
    return Math.max(this.#lastRead, this.#mark);
  }

  /** A message was read, which was stored at `timeMs`; sequences come in ascending order. */
  read(seq: number, timeMs: number): void {
    this.#open.push(seq);
    this.#times.push(timeMs);
    this.#lastRead = seq;
  }

  /** Nothing of the partition stands between what is handled and `seq`, but for what was read and is open. */
  advance(seq: number): void {
    const open = this.#open[this.#first];
    const mark = open === undefined ? seq : Math.min(seq, open - 1);
    if (mark > this.#mark) this.#mark = mark;
  }

  /** The message is handled: its commit is confirmed, or it was handled before. */
  handled(seq: number): void {
    if (this.#open[this.#first] !== seq) {
      this.#done.add(seq);
      return;
    }
    this.#mark = seq;
    this.#first++;
    while (this.#first < this.#open.length && this.#done.delete(this.#open[this.#first] as number)) {
      this.#mark = this.#open[this.#first] as number;
      this.#first++;
    }
    if (this.#first > 1024 && this.#first * 2 > this.#open.length) {
      this.#open.splice(0, this.#first);
      this.#times.splice(0, this.#first);
      this.#first = 0;
    }
  }
}

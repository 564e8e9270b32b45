/** Which prefix of a stream is handled, when messages are handled out of order. */

/** Tracks the messages of one stream of one partition from read to handled. */
export class LowWater {
  /** Everything of the partition up to this sequence is handled. */
  #mark: number;
  readonly #open: number[] = [];
  #first = 0;
  readonly #done = new Set<number>();

  constructor(mark: number) {
    this.#mark = mark;
  }

  get mark(): number {
    return this.#mark;
  }

  /** How many were read and are not handled. */
  get pending(): number {
    return this.#open.length - this.#first - this.#done.size;
  }

  /** A message was read; sequences come in ascending order. */
  read(seq: number): void {
    this.#open.push(seq);
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
      this.#first = 0;
    }
  }
}

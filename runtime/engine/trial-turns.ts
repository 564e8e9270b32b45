/** Who may handle suspect messages in a node: many batches at once, or one message alone, in the order in which they ask. */

interface Waiter {
  readonly isAlone: boolean;
  readonly begin: (end: () => void) => void;
}

/** The turns of all partitions of one node. */
export class TrialTurns {
  readonly #waiting: Waiter[] = [];
  #active = 0;
  #isAlone = false;

  /** Resolves when it is the caller's turn, with what ends the turn. `alone`: nobody else has one meanwhile. */
  take(how: "together" | "alone"): Promise<() => void> {
    return new Promise((begin) => {
      this.#waiting.push({ isAlone: how === "alone", begin });
      this.#next();
    });
  }

  #next(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (this.#isAlone || (first.isAlone && this.#active > 0)) return;
      this.#waiting.shift();
      this.#active++;
      this.#isAlone = first.isAlone;
      let hasEnded = false;
      first.begin(() => {
        if (hasEnded) return;
        hasEnded = true;
        this.#active--;
        this.#isAlone = false;
        this.#next();
      });
    }
  }
}

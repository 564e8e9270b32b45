/** What the demo says while it runs: lines, and below them one line that changes. */

/** The line that changes. On a terminal it is rewritten in place; elsewhere it is printed once a second. */
export class Progress {
  readonly #isTerminal = process.stdout.isTTY === true;
  #isShown = false;
  #isEnded = false;
  #printedAt = 0;

  /** Prints a line that stays. */
  say(line = ""): void {
    this.clear();
    process.stdout.write(`${line}\n`);
  }

  /** Shows how far something is, from 0 to 1, with figures beside the bar. */
  show(share: number, figures: readonly string[]): void {
    if (this.#isEnded) return;
    const line = `  ${bar(share)} ${`${Math.floor(share * 100)} %`.padStart(5)}   ${figures.join("   ")}`;
    if (this.#isTerminal) {
      process.stdout.write(`\r\x1b[2K${line.slice(0, (process.stdout.columns ?? 100) - 1)}`);
      this.#isShown = true;
    } else if (Date.now() - this.#printedAt >= 1000) {
      process.stdout.write(`${line}\n`);
      this.#printedAt = Date.now();
    }
  }

  /** Shows no more of the line that changes. */
  end(): void {
    this.clear();
    this.#isEnded = true;
  }

  /** Removes the line that changes. */
  clear(): void {
    if (this.#isShown) process.stdout.write("\r\x1b[2K");
    this.#isShown = false;
  }
}

const barWidth = 20;

function bar(share: number): string {
  const full = Math.min(barWidth, Math.max(0, Math.floor(share * barWidth)));
  return "█".repeat(full) + "░".repeat(barWidth - full);
}

/** Messages per second, from a count that grows. */
export class Pace {
  readonly #startedAt = Date.now();
  #samples: Array<{ readonly at: number; readonly count: number }> = [{ at: this.#startedAt, count: 0 }];

  /** Seconds since the start. */
  get seconds(): number {
    return (Date.now() - this.#startedAt) / 1000;
  }

  /** Over the last second. */
  now(count: number): number {
    const at = Date.now();
    this.#samples.push({ at, count });
    while (this.#samples.length > 2 && at - (this.#samples[1] as { at: number }).at >= 1000) this.#samples.shift();
    const oldest = this.#samples[0] as { at: number; count: number };
    return at === oldest.at ? 0 : ((count - oldest.count) * 1000) / (at - oldest.at);
  }

  /** Over the whole time. */
  sinceStart(count: number): number {
    return count / this.seconds;
  }
}

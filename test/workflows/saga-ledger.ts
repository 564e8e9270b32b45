/**
 * A double of the services that a saga works on: it records every call with its idempotency key, and what is in force.
 *
 * It keeps its word as a good service does: a key is done once, and what was undone first is not done any more.
 */

/** A call of a service. */
export interface ServiceCall {
  readonly step: string;
  readonly what: "do" | "undo";
  readonly key: string;
}

/** What the services have seen. */
export class ServiceLedger {
  readonly calls: ServiceCall[] = [];
  /** Keys of what is in force, by step. */
  readonly #done = new Map<string, Set<string>>();
  readonly #undone = new Set<string>();

  do(step: string, key: string): string {
    this.calls.push({ step, what: "do", key });
    if (!this.#undone.has(key)) this.#keysOf(step).add(key);
    return `${step} done`;
  }

  /** `key` is the undo's own, `doKey` that of what it undoes. */
  undo(step: string, key: string, doKey: string): void {
    this.calls.push({ step, what: "undo", key });
    this.#undone.add(doKey);
    this.#keysOf(step).delete(doKey);
  }

  /** The steps whose effect is in force. */
  inForce(): string[] {
    return [...this.#done].flatMap(([step, keys]) => Array.from(keys, () => step)).sort();
  }

  /** The different keys under which a step was done, or undone. */
  keysOf(step: string, what: ServiceCall["what"]): Set<string> {
    return new Set(this.calls.filter((call) => call.step === step && call.what === what).map(({ key }) => key));
  }

  /** What is against the rules: a step that was done or undone under several keys. */
  violations(steps: readonly string[]): string[] {
    return steps.flatMap((step) =>
      (["do", "undo"] as const).flatMap((what) => {
        const { size } = this.keysOf(step, what);
        return size > 1 ? [`${step}: ${what} under ${size} keys`] : [];
      }),
    );
  }

  #keysOf(step: string): Set<string> {
    const keys = this.#done.get(step) ?? new Set();
    this.#done.set(step, keys);
    return keys;
  }
}

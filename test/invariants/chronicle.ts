/** What is written down while a simulated world runs: the story for people, the rest for the oracle. */
import type { VirtualTime } from "../../runtime/memory/virtual-time.ts";
import type { EffectEntry, PurgeEntry, SendEntry, Violation } from "./oracle.ts";

/** The records of one run. */
export class Chronicle {
  readonly sends: SendEntry[] = [];
  readonly purges: PurgeEntry[] = [];
  readonly effects: EffectEntry[] = [];
  readonly story: string[] = [];
  /** How often things happened, by name. */
  readonly counts: Record<string, number> = {};
  /** What was seen to be wrong on the way. */
  readonly defects: Violation[] = [];
  readonly #time: VirtualTime;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  /** Adds a line to the story, with the time. */
  tell(text: string): void {
    this.story.push(`${this.#time.elapsed().toFixed(1).padStart(8)}  ${text}`);
  }

  count(name: string, more = 1): void {
    this.counts[name] = (this.counts[name] ?? 0) + more;
  }

  defect(invariant: Violation["invariant"], text: string): void {
    this.defects.push({ invariant, text });
  }
}

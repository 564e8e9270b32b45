/** What a partition has no more use for: records of messages that have waited, keys, published and emitted events; and since when. */
import type { Address } from "../core/address.ts";
import type { CheckpointRecord } from "../core/records.ts";
import type { NodeContext } from "./context.ts";
import type { Lane } from "./lane.ts";

const hourMs = 3_600_000;
/** The records of so many actors that nothing waits for any more are removed at once. */
const maxWaitedPerRound = 100;

/** Removes from the log what is not needed any more. */
export class Leftovers {
  readonly #partition: number;
  readonly #context: NodeContext;
  /** As the checkpoint keeps them. */
  marks: CheckpointRecord["marks"] = [];
  /** By filter: up to which sequence aged records are purged. */
  readonly #aged = new Map<string, number>();
  /** Actors for which nothing waits any more, with the sequence of the state that says so. */
  readonly #waited = new Map<string, { readonly address: Address; readonly seq: number }>();

  constructor(partition: number, context: NodeContext) {
    this.#partition = partition;
    this.#context = context;
  }

  /** Now the last sequence of CORE is `seq`: remembered about once an hour. */
  mark(seq: number): void {
    const { settings, time } = this.#context;
    const now = time.now();
    const last = this.marks[this.marks.length - 1];
    if (last !== undefined && now - last.at < hourMs) return;
    const keptMs = Math.max(settings.keyRetentionMs, settings.topicRetentionMs) + 2 * hourMs;
    this.marks = [...this.marks.filter((mark) => now - mark.at < keptMs), { at: now, core: seq }];
  }

  /** Nothing waits for the actor any more, as its newest state says. */
  waited({ name, address, seq }: Lane): void {
    this.#waited.set(name, { address, seq });
  }

  /** Removes the records of messages that have waited. */
  async purgeWaited(isOver: () => boolean): Promise<void> {
    const { log, subjects } = this.#context;
    for (const [name, { address, seq }] of [...this.#waited].slice(0, maxWaitedPerRound)) {
      if (isOver()) return;
      await log.purge("core", subjects.waitsOf(this.#partition, address), seq + 1);
      // Another message may have waited, and been handled, meanwhile.
      if (this.#waited.get(name)?.seq === seq) this.#waited.delete(name);
    }
  }

  /** Removes keys, published and emitted events that are older than their retention. */
  async purgeAged(): Promise<void> {
    const { log, subjects, settings, time } = this.#context;
    const now = time.now();
    for (const [retentionMs, filter] of [
      [settings.keyRetentionMs, subjects.keysOfPartition(this.#partition)],
      [settings.topicRetentionMs, subjects.topicsOfPartition(this.#partition)],
      [settings.topicRetentionMs, subjects.emitsOfPartition(this.#partition)],
    ] as const) {
      const old = this.marks.filter((mark) => now - mark.at >= retentionMs).pop();
      if (old === undefined || old.core <= (this.#aged.get(filter) ?? 0)) continue;
      await log.purge("core", filter, old.core + 1);
      this.#aged.set(filter, old.core);
    }
  }
}

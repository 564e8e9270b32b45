/** What a partition has no more use for: records of messages that have waited, keys, published and emitted events; and since when. */
import type { Address } from "../core/address.ts";
import { type CheckpointRecord, decodeRecord, type StateRecord } from "../core/records.ts";
import type { NodeContext } from "./context.ts";
import type { Lane } from "./lane.ts";

const hourMs = 3_600_000;
/** The records of so many actors that nothing waits for any more are removed at once. */
const maxWaitedPerRound = 100;
/** Of those for which something waits: so many records. */
const maxSettledPerRound = 100;
const statesPerRead = 100;

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
  /** Actors for which something waits, with the numbers of messages that do not any more. */
  readonly #settled = new Map<string, { readonly address: Address; readonly numbers: number[] }>();
  #isLookedThrough = false;

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
    this.#settled.delete(name);
  }

  /** A message of the actor was handled, and others wait still. */
  settled({ name, address }: Lane, n: number): void {
    const known = this.#settled.get(name);
    if (known === undefined) this.#settled.set(name, { address, numbers: [n] });
    else known.numbers.push(n);
  }

  /** Removes the records of messages that have waited. */
  async purgeWaited(isOver: () => boolean): Promise<void> {
    const { log, subjects } = this.#context;
    if (!this.#isLookedThrough) await this.#lookThrough();
    let left = maxSettledPerRound;
    for (const [name, { address, numbers }] of this.#settled) {
      // A number is never given again: whatever is under it can go.
      for (const n of numbers.splice(0, left)) {
        if (isOver()) return;
        left--;
        await log.purge("core", subjects.wait(this.#partition, address, n));
        await log.purge("core", subjects.waitBody(this.#partition, address, n));
      }
      if (numbers.length === 0) this.#settled.delete(name);
      if (left === 0) break;
    }
    for (const [name, { address, seq }] of [...this.#waited].slice(0, maxWaitedPerRound)) {
      if (isOver()) return;
      await log.purge("core", subjects.waitsOf(this.#partition, address), seq + 1);
      // Another message may have waited, and been handled, meanwhile.
      if (this.#waited.get(name)?.seq === seq) this.#waited.delete(name);
    }
  }

  /** Finds what an owner left that died between the handling of the last message that waited and the removal of its records. */
  async #lookThrough(): Promise<void> {
    const { log, subjects } = this.#context;
    const found = new Map<string, Address>();
    for await (const { subject } of log.scan("core", subjects.waitsOfPartition(this.#partition), {
      lastPerSubject: true,
    })) {
      const name = subjects.actorOf(subject);
      const parsed = subjects.parseRecord(subject);
      if (name !== undefined && parsed !== undefined) found.set(name, parsed.address);
    }
    const actors = [...found];
    for (let i = 0; i < actors.length; i += statesPerRead) {
      const some = actors.slice(i, i + statesPerRead);
      const states = await log.lastMany(
        "core",
        some.map(([, address]) => subjects.state(this.#partition, address)),
      );
      for (const [at, [name, address]] of some.entries()) {
        const record = states[at];
        if (record === undefined || decodeRecord<StateRecord>("a state", record.data).waiting !== undefined) continue;
        // Whatever waits after this state has a record behind it.
        if (!this.#waited.has(name)) this.#waited.set(name, { address, seq: record.seq });
      }
    }
    this.#isLookedThrough = true;
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

/**
 * A witness of one space: it reads all that is stored, and knows from that alone what the actors are, what they have emitted, and whether anything
 * is still under way.
 *
 * It asks no node: a node that is dead, or has forgotten something, cannot tell.
 */
import { type Address, formatAddress } from "../../runtime/core/address.ts";
import { readCloudEvent } from "../../runtime/core/cloud-events.ts";
import { fromStored } from "../../runtime/core/codec.ts";
import {
  decodeRecord,
  type LeaseRecord,
  type LetterRecord,
  type StateRecord,
  type TimerRecord,
} from "../../runtime/core/records.ts";
import type { StreamName, Subjects } from "../../runtime/core/subjects.ts";
import type { Log, LogReader, LogRecord } from "../../runtime/log/log.ts";
import type { Observation } from "../scenarios/compare.ts";
import type { ScenarioEvent } from "../scenarios/scenario.ts";

/** Reads the two streams of a space. */
export class Witness {
  readonly letters: LetterRecord[] = [];
  /** Who owned what, oldest first. */
  readonly leases: LeaseRecord[] = [];
  readonly #log: Log;
  readonly #subjects: Subjects;
  readonly #readers: LogReader[];
  readonly #states = new Map<string, StateRecord>();
  readonly #emitted = new Map<string, ScenarioEvent[]>();
  /** The newest message of each actor. */
  readonly #mail: Readonly<Record<StreamName, Map<string, number>>> = { ingress: new Map(), core: new Map() };
  readonly #timers: number[] = [];
  readonly #seen: Record<StreamName, number> = { ingress: 0, core: 0 };

  constructor(log: Log, subjects: Subjects) {
    this.#log = log;
    this.#subjects = subjects;
    this.#readers = (["ingress", "core"] as const).map((stream) =>
      log.read(stream, {
        filters: [subjects.all(stream)],
        from: { seq: 1 },
        onRecord: (record) => this.#take(stream, record),
        onError: (error) => {
          throw error;
        },
      }),
    );
  }

  /** Resolves when it reads. */
  async open(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.ready));
  }

  close(): void {
    for (const reader of this.#readers) reader.stop();
  }

  /**
   * Says what is still under way; undefined: nothing is. `nowMs` is the time on the clock.
   *
   * What live children do shows only when they send.
   */
  async underWay(nowMs: number): Promise<string | undefined> {
    const { ingress, core } = this.#seen;
    if (await this.#isBehind("ingress")) return "not all of INGRESS is read";
    if (await this.#isBehind("core")) return "not all of CORE is read";
    // A commit of which only the first records have come is not judged.
    if (ingress !== this.#seen.ingress || core !== this.#seen.core) return "more was read meanwhile";
    for (const stream of ["ingress", "core"] as const) {
      for (const [actor, seq] of this.#mail[stream]) {
        const state = this.#states.get(actor);
        if (state === undefined || state.cursor[stream] < seq) return `${actor} has mail`;
      }
    }
    for (const [actor, { status, snapshot, waiting }] of this.#states) {
      if (waiting !== undefined) return `${actor} has messages that wait`;
      if (status !== "active") continue;
      for (const [id, child] of Object.entries(snapshot?.children ?? {})) {
        if (child.kind === "activity" && child.ended !== true) return `${actor} waits for "${id}"`;
      }
      for (const { at } of Object.values(snapshot?.timers ?? {})) if (at <= nowMs) return `${actor} has a timer due`;
    }
    return undefined;
  }

  /** True when there is something to be read that matters: signs of life and checkpoints are written all the time. */
  async #isBehind(stream: StreamName): Promise<boolean> {
    for (let seq = this.#seen[stream]; ; ) {
      const next = await this.#log.next(stream, this.#subjects.all(stream), seq + 1);
      if (next === undefined) return false;
      if (!/\.(checkpoint|space\..*)$/.test(next.subject)) return true;
      ({ seq } = next);
    }
  }

  /** True when an actor has live children that may be busy. */
  get hasLive(): boolean {
    for (const { status, snapshot } of this.#states.values()) {
      if (status !== "active") continue;
      for (const child of Object.values(snapshot?.children ?? {})) {
        if (child.kind === "live" && child.ended !== true) return true;
      }
    }
    return false;
  }

  /** When the next timer is due, whether it is still wanted or not. */
  nextDue(afterMs: number): number | undefined {
    let next: number | undefined;
    for (const at of this.#timers) if (at > afterMs && (next === undefined || at < next)) next = at;
    return next;
  }

  /** What can be seen of a root. */
  observe(actor: Address): Omit<Observation, "trace" | "logged"> {
    const name = formatAddress(actor);
    const state = this.#states.get(name);
    if (state?.snapshot === undefined) throw new Error(`There is no ${name}.`);
    const { value, context, output, error, tags = [] } = state.snapshot;
    return {
      value,
      status: state.status,
      context: fromStored(context),
      output: fromStored(output),
      error: fromStored(error),
      tags: [...tags].sort(),
      emitted: [...(this.#emitted.get(name) ?? [])],
    };
  }

  #take(stream: StreamName, record: LogRecord): void {
    this.#seen[stream] = record.seq;
    if (stream === "ingress") {
      const to = this.#subjects.parseMailbox(stream, record.subject)?.to;
      if (to !== undefined) this.#mail.ingress.set(formatAddress(to), record.seq);
      return;
    }
    const { subject, data } = record;
    switch (subject.split(".")[4]) {
      case "state": {
        const { address } = this.#subjects.parseRecord(subject) as { address: Address };
        this.#states.set(formatAddress(address), decodeRecord<StateRecord>(subject, data));
        return;
      }
      case "mail": {
        const to = this.#subjects.parseMailbox(stream, subject)?.to;
        if (to !== undefined) this.#mail.core.set(formatAddress(to), record.seq);
        return;
      }
      case "emit": {
        const { address } = this.#subjects.parseRecord(subject) as { address: Address };
        const { event } = readCloudEvent(subject, data);
        const name = formatAddress(address);
        this.#emitted.set(name, [...(this.#emitted.get(name) ?? []), event]);
        return;
      }
      case "timer":
        this.#timers.push(decodeRecord<TimerRecord>(subject, data).at);
        return;
      case "dead":
        this.letters.push(decodeRecord<LetterRecord>(subject, data));
        return;
      case "lease":
        this.leases.push(decodeRecord<LeaseRecord>(subject, data));
        return;
      default:
    }
  }
}

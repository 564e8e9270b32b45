/**
 * What stands in the log of a space, recorded while it is written, and the rules that it must keep whatever crashed.
 *
 * A recorder reads both streams from the first record on, so that neither the history depth nor a purge takes anything from it. `check`
 * knows the stored formats and nothing of the engine; its problems name the invariant.
 */
import { parseAddress, partitionOf } from "../../runtime/core/address.ts";
import type { Envelope } from "../../runtime/core/envelope.ts";
import type { LeaseRecord, StateRecord } from "../../runtime/core/records.ts";
import { type StreamName, Subjects } from "../../runtime/core/subjects.ts";
import { type JetStreamLog, openJetStreamLog } from "../../runtime/jetstream/jetstream-log.ts";
import type { LogRecord } from "../../runtime/log/log.ts";
import { eventually, longMs } from "./processes.ts";

/** Where a space is. */
export interface Space {
  readonly servers: string;
  readonly space: string;
  readonly partitions: number;
}

/** Sizes that leave room for many spaces on one server. */
export const small = { maxCoreBytes: 64 * 1024 * 1024, maxIngressBytes: 64 * 1024 * 1024, historyDepth: 64 };

interface Message {
  readonly stream: StreamName;
  readonly seq: number;
  readonly actor: string;
  /** Client or actor that sent it. */
  readonly from: string;
  readonly envelope: Envelope | undefined;
}

interface Commit {
  readonly seq: number;
  readonly actor: string;
  readonly partition: number;
  readonly state: StateRecord;
}

/** Reads everything that is written to a space. */
export class Journal {
  readonly subjects: Subjects;
  readonly opened: JetStreamLog;
  readonly records: Record<StreamName, LogRecord[]> = { ingress: [], core: [] };
  readonly #partitions: number;
  /** Messages by id of their record. */
  readonly #messages = new Map<string, Message[]>();
  readonly #addressed = new Map<string, number>();
  readonly #commits = new Map<string, Commit[]>();
  /** How often messages of an actor were put off: to be tried again, or to stand in line. */
  readonly #putOff = new Map<string, number>();
  #failure: Error | undefined;

  private constructor(opened: JetStreamLog, space: Space) {
    this.opened = opened;
    this.subjects = new Subjects(space.space);
    this.#partitions = space.partitions;
    for (const stream of ["ingress", "core"] as const) {
      opened.log.read(stream, {
        filters: [this.subjects.all(stream)],
        from: { seq: 1 },
        onRecord: (record) => this.#take(stream, record),
        onError: (error) => {
          this.#failure = error;
        },
      });
    }
  }

  /** Makes the space when there is none, and begins to record. */
  static async open(space: Space): Promise<Journal> {
    const opened = await openJetStreamLog({ ...space, ...small, assumeSyncAlways: true, name: "journal" });
    return new Journal(opened, space);
  }

  async close(): Promise<void> {
    await this.opened.close();
  }

  /** All commits of an actor, `type/id`, oldest first. */
  commitsOf(actor: string): readonly Commit[] {
    return this.#commits.get(actor) ?? [];
  }

  get actors(): readonly string[] {
    return [...this.#commits.keys()];
  }

  /** The last state of an actor. */
  contextOf<T>(actor: string): T | undefined {
    return this.commitsOf(actor).at(-1)?.state.snapshot?.context as T | undefined;
  }

  /** What an actor has emitted, in order. */
  emittedBy(actor: string): unknown[] {
    const by = parseAddress(actor);
    const subject = this.subjects.emittedBy(partitionOf(by, this.#partitions), by).replace(/\*\.\*$/, "");
    return this.records.core
      .filter((record) => record.subject.startsWith(subject))
      .map((record) => parse<{ data: unknown }>(record).data);
  }

  get messages(): readonly Message[] {
    return [...this.#messages.values()].flat();
  }

  /** How many messages were handled in some way. */
  get handled(): number {
    let sum = 0;
    for (const commits of this.#commits.values()) sum += commits.at(-1)?.state.revision ?? 0;
    return sum;
  }

  /** Lease records of a partition, oldest first. */
  leasesOf(partition: number): Array<{ readonly seq: number; readonly owner: string }> {
    const subject = this.subjects.lease(partition);
    return this.records.core
      .filter((record) => record.subject === subject)
      .map((record) => ({ seq: record.seq, owner: parse<LeaseRecord>(record).owner }));
  }

  /** Resolves when every message in the log is handled and has been recorded so. */
  async settled(limitMs: number = longMs): Promise<void> {
    await eventually(async () => {
      if (this.#failure !== undefined) throw this.#failure;
      const last = {
        ingress: (await this.opened.log.state("ingress")).lastSeq,
        core: (await this.opened.log.state("core")).lastSeq,
      };
      for (const stream of ["ingress", "core"] as const) {
        // Signs of life may have been replaced since, so the newest record of all need not be the last one here.
        if (this.#lastSeq(stream) < last[stream] - 5)
          throw new Error(`${stream} is recorded up to ${this.#lastSeq(stream)} of ${last[stream]}.`);
      }
      if (this.records.ingress.length < (await this.opened.log.state("ingress")).records)
        throw new Error("INGRESS is not recorded in full.");
      const waiting = [...this.#addressed].filter(([actor, count]) => {
        const state = this.commitsOf(actor).at(-1)?.state;
        return state === undefined || state.waiting !== undefined || this.#handledBy(actor) < count;
      });
      if (waiting.length > 0) {
        const told = waiting.slice(0, 5).map(([actor, count]) => `${actor} ${this.#handledBy(actor)} of ${count}`);
        throw new Error(`${waiting.length} actors have messages waiting: ${told.join(", ")}.`);
      }
    }, limitMs);
  }

  /** What is wrong with the log; settled spaces only. */
  check(): string[] {
    const problems: string[] = [];
    const outboxes = new Set<number>();
    const bySeq = new Map(this.records.core.map((record) => [record.seq, record]));
    for (const [actor, commits] of this.#commits) this.#checkActor(actor, commits, bySeq, outboxes, problems);
    for (const record of this.records.core) {
      const kind = this.#kindOf(record);
      if (kind !== undefined && outboxKinds.has(kind) && !outboxes.has(record.seq))
        problems.push(`I3: record ${record.seq} on ${record.subject} belongs to no commit`);
    }
    return problems;
  }

  #checkActor(
    actor: string,
    commits: readonly Commit[],
    bySeq: ReadonlyMap<number, LogRecord>,
    outboxes: Set<number>,
    problems: string[],
  ): void {
    let previous: Commit | undefined;
    const at = { ingress: 0, core: 0 };
    const times = new Map<string, number>();
    let isComplete = true;
    for (const commit of commits) {
      const { state, seq } = commit;
      const name = `${actor} at ${seq} (commit ${state.commit})`;
      if (state.previous !== (previous?.seq ?? 0))
        problems.push(`I5: ${name} follows state ${state.previous}, not ${previous?.seq ?? 0}`);
      const before = previous?.state;
      const steps = state.revision - (before?.revision ?? 0);
      if (steps < 1) problems.push(`I2: ${name} goes from revision ${before?.revision} to ${state.revision}`);
      if (steps !== state.handled.length) isComplete = false;
      for (const stream of ["ingress", "core"] as const) {
        if (state.cursor[stream] < (before?.cursor[stream] ?? 0)) problems.push(`I2: ${name} goes back in ${stream}`);
      }
      for (const { message, outcome } of state.handled) {
        // It is tried again, or stands in line: what becomes of it is told later.
        if (outcome === "failed" || outcome === "waiting") continue;
        times.set(message, (times.get(message) ?? 0) + 1);
        const found = this.#messages.get(message)?.filter((candidate) => candidate.actor === actor) ?? [];
        if (found.length !== 1) {
          problems.push(`I2: ${name} handled "${message}" (${outcome}), of which there are ${found.length}`);
          continue;
        }
        const { stream, seq: messageSeq } = found[0] as Message;
        if (messageSeq <= at[stream])
          problems.push(`I4: ${name} handled ${stream} ${messageSeq} after ${stream} ${at[stream]}`);
        at[stream] = Math.max(at[stream], messageSeq);
        if (messageSeq > state.cursor[stream])
          problems.push(`I2: ${name} handled ${stream} ${messageSeq} beyond its cursor ${state.cursor[stream]}`);
      }
      for (let i = 1; i <= state.outbox; i++) {
        const record = bySeq.get(seq + i);
        const kind = record === undefined ? undefined : this.#kindOf(record);
        if (record === undefined || kind === undefined || kind === "state") {
          problems.push(`I3: ${name} lacks record ${i} of the ${state.outbox} that it emitted`);
          continue;
        }
        outboxes.add(record.seq);
        const isNamed = kind === "mail" || kind === "topic" || kind === "emit";
        if (isNamed && !parse<Envelope>(record).id.startsWith(`${state.commit}-`))
          problems.push(`I3: ${name} is followed by a record of another commit, ${record.subject}`);
      }
      previous = commit;
    }
    for (const [message, count] of times)
      if (count > 1) problems.push(`I2: ${actor} handled ${message} ${count} times`);
    const addressed = this.#addressed.get(actor) ?? 0;
    const handled = this.#handledBy(actor);
    if (addressed !== handled) problems.push(`I1/I2: ${actor} has ${addressed} messages and handled ${handled}`);
    if (previous?.state.waiting !== undefined) problems.push(`I1: something waits for ${actor} still`);
    if (isComplete && times.size !== addressed)
      problems.push(`I1: ${actor} told of ${times.size} of its ${addressed} messages`);
  }

  /** How many messages of an actor were handled for good: each that was put off has a record of it. */
  #handledBy(actor: string): number {
    return (this.commitsOf(actor).at(-1)?.state.revision ?? 0) - (this.#putOff.get(actor) ?? 0);
  }

  #lastSeq(stream: StreamName): number {
    return this.records[stream].at(-1)?.seq ?? 0;
  }

  #kindOf(record: LogRecord): string | undefined {
    return record.subject.split(".")[4];
  }

  #take(stream: StreamName, record: LogRecord): void {
    this.records[stream].push(record);
    const mailbox = this.subjects.parseMailbox(stream, record.subject);
    if (mailbox !== undefined) {
      const envelope = parse<Envelope>(record);
      const actor = `${mailbox.to.type}/${mailbox.to.id}`;
      const from = mailbox.sender ?? envelope.from ?? "";
      const known = this.#messages.get(envelope.id);
      const message = { stream, seq: record.seq, actor, from, envelope };
      if (known === undefined) this.#messages.set(envelope.id, [message]);
      else known.push(message);
      this.#addressed.set(actor, (this.#addressed.get(actor) ?? 0) + 1);
      return;
    }
    const kind = stream === "ingress" ? undefined : this.#kindOf(record);
    if (kind !== "state" && kind !== "wait") return;
    const parsed = this.subjects.parseRecord(record.subject);
    if (parsed === undefined) return;
    const actor = `${parsed.address.type}/${parsed.address.id}`;
    if (kind === "wait") {
      this.#putOff.set(actor, (this.#putOff.get(actor) ?? 0) + 1);
      return;
    }
    const commit: Commit = {
      seq: record.seq,
      actor,
      partition: partitionOf(parsed.address, this.#partitions),
      state: parse<StateRecord>(record),
    };
    const commits = this.#commits.get(actor);
    if (commits === undefined) this.#commits.set(actor, [commit]);
    else commits.push(commit);
  }
}

/** Kinds of records that only a commit writes, besides the state. */
const outboxKinds: ReadonlySet<string> = new Set(["mail", "key", "dead", "topic", "emit", "wait", "timer"]);

function parse<T>(record: LogRecord): T {
  return JSON.parse(Buffer.from(record.data).toString()) as T;
}

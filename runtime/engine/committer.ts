/**
 * Group commit: decisions of many actors become one atomic append.
 *
 * 1. For every actor its state record comes first and carries the fence: the sequence of its last state record (I5).
 * 2. State and emissions are in the same append (I3); nothing of a decision leaves the node before the append is confirmed.
 * 3. An append whose outcome is unknown is tried again unchanged until the fence tells: a refusal with our own commit in the log means that it was made.
 * 4. What has no state record (delivery `at-most-once`) goes out by itself, and is never tried again when its outcome is unknown.
 * 5. One actor's conflict never holds back the others: those whose fence stands go into the next commit.
 */
import { formatAddress, partitionOf } from "../core/address.ts";
import { cloudEvent, eventSource } from "../core/cloud-events.ts";
import { isStatewrightError } from "../core/errors.ts";
import {
  decodeRecord,
  encodeRecord,
  type KeyRecord,
  type LiveRecord,
  recordFormat,
  type StateRecord,
  type TimerRecord,
} from "../core/records.ts";
import { sleep } from "../core/time.ts";
import type { AppendRecord, LogRecord } from "../log/log.ts";
import { backoffMs, type NodeContext } from "./context.ts";
import type { Decision } from "./decision.ts";
import { asUnconfirmed, emitOnce } from "./emit-once.ts";
import type { Lane } from "./lane.ts";
import { mailBytes } from "./outbox.ts";
import { stateRecordBytes } from "./state-record.ts";

/** What the committer tells the rest of the node. */
export interface CommitListener {
  /** The decisions are in the log. */
  onCommitted(lane: Lane, decisions: readonly Decision[]): void;
  /**
   * The actor's commit was refused and its state must be loaded again: `fence`, another writer has committed to it;
   * `key`, an idempotency key was applied before (the delivery now says so).
   */
  onRefused(lane: Lane, by: "fence" | "key"): void;
  /** Resolves when the node may commit: it is sure to hold its leases. */
  mayCommit(): Promise<void> | undefined;
  /** The committer has room for more decisions. */
  onRoom(): void;
  /** The committer cannot go on: the log refused a commit as wrong in itself. */
  onDefect(error: Error): void;
}

interface Part {
  readonly lane: Lane;
  readonly decisions: Decision[];
}

interface Group {
  readonly parts: Part[];
  readonly commit: string;
  readonly records: AppendRecord[];
  /** Index of each part's state record. */
  readonly offsets: number[];
}

/** State-only commits of so few actors go out as plain appends side by side: cheaper than an atomic batch. */
const maxPlainAppends = 8;

/** What the handled messages of one state record may take, unless it is a single one. */
const maxHandledBytes = 16_384;

/** Collects decisions and commits them, one group at a time. */
export class Committer {
  readonly #context: NodeContext;
  readonly #listener: CommitListener;
  #dirty: Lane[] = [];
  #isRunning = false;
  #isStopped = false;
  #counter = 0;
  #waiting = 0;

  constructor(context: NodeContext, listener: CommitListener) {
    this.#context = context;
    this.#listener = listener;
  }

  /** Decisions that no commit has taken up yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** True while an append is under way. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** A decision was added to the lane. */
  added(lane: Lane): void {
    this.#waiting++;
    this.#mark(lane);
  }

  /** So many decisions were thrown away before a commit took them up. */
  dropped(decisions: number): void {
    this.#waiting -= decisions;
  }

  /** Starts to commit what is decided, unless a commit is under way: then its end does. */
  kick(): void {
    if (this.#isRunning || this.#isStopped || this.#dirty.length === 0) return;
    this.#isRunning = true;
    void this.#run();
  }

  stop(): void {
    this.#isStopped = true;
  }

  #mark(lane: Lane): void {
    if (lane.isDirty) return;
    lane.isDirty = true;
    this.#dirty.push(lane);
  }

  async #run(): Promise<void> {
    try {
      while (!this.#isStopped && this.#dirty.length > 0) {
        const allowed = this.#listener.mayCommit();
        if (allowed !== undefined) await allowed;
        const parts = this.#collect();
        if (parts.length === 0) continue;
        this.#listener.onRoom();
        const durable = parts.filter((part) => !part.lane.isVolatile);
        const arePlain = durable.length <= maxPlainAppends && durable.every(isSilent);
        await Promise.all([
          durable.length < parts.length ? this.#release(parts) : undefined,
          ...(arePlain ? durable.map((part) => this.#commit([part])) : [this.#commit(durable)]),
        ]);
      }
    } catch (error) {
      if (!this.#isStopped) this.#listener.onDefect(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#isRunning = false;
      if (!this.#isStopped) this.#listener.onRoom();
    }
  }

  #collect(): Part[] {
    const { maxRecordsPerCommit, maxBytesPerCommit } = this.#context.settings;
    const parts: Part[] = [];
    let records = 0;
    let bytes = 0;
    const lanes = this.#dirty;
    this.#dirty = [];
    let i = 0;
    for (; i < lanes.length; i++) {
      const lane = lanes[i] as Lane;
      lane.isDirty = false;
      if (lane.phase === "closed" || lane.decided.length === 0) continue;
      if (lane.inFlight.length > 0) throw new Error(`Two commits of ${formatAddress(lane.address)} at once.`);
      let take = 0;
      let handledBytes = 0;
      records++;
      for (const decision of lane.decided) {
        const isFirst = parts.length === 0 && take === 0;
        handledBytes += decision.handledJson.length;
        if (
          !isFirst &&
          (records + decision.outbox.length > maxRecordsPerCommit ||
            bytes + decision.sizeBytes > maxBytesPerCommit ||
            (take > 0 && handledBytes > maxHandledBytes))
        ) {
          break;
        }
        records += decision.outbox.length;
        bytes += decision.sizeBytes;
        take++;
      }
      if (take === 0) break;
      lane.inFlight = lane.decided.splice(0, take);
      this.#waiting -= take;
      parts.push({ lane, decisions: lane.inFlight });
      if (lane.decided.length > 0) this.#mark(lane);
    }
    for (; i < lanes.length; i++) {
      const lane = lanes[i] as Lane;
      lane.isDirty = true;
      this.#dirty.push(lane);
    }
    return parts;
  }

  #assemble(parts: Part[]): Group {
    const { subjects, partitions, spaceName, time } = this.#context;
    const commit = `${this.#context.owner.slice(this.#context.owner.lastIndexOf(":") + 1)}-${(this.#counter++).toString(36)}`;
    const records: AppendRecord[] = [];
    const offsets: number[] = [];
    const now = time.now();
    let emitted = 0;
    for (const { lane, decisions } of parts) {
      const outbox = decisions.reduce((count, decision) => count + decision.outbox.length, 0);
      offsets.push(records.length);
      if (!lane.isVolatile) {
        records.push({
          subject: lane.subject,
          data: stateRecordBytes(decisions, commit, lane.seq, outbox),
          expectLastSeq: lane.seq,
        });
      }
      if (outbox === 0) continue;
      const from = formatAddress(lane.address);
      let source: string | undefined;
      for (const decision of decisions) {
        for (const item of decision.outbox) {
          const id = `${commit}-${(emitted++).toString(36)}`;
          switch (item.kind) {
            case "mail":
              records.push({
                subject: subjects.mail(partitionOf(item.to, partitions), item.to, id),
                data: mailBytes(id, from, now, item.fields),
              });
              break;
            case "topic":
            case "emit": {
              source ??= eventSource(spaceName, lane.address);
              const subject =
                item.kind === "topic"
                  ? subjects.topic(lane.partition, item.topic, id)
                  : subjects.emitted(lane.partition, lane.address, item.type, id);
              records.push({ subject, ...cloudEvent(id, source, item.type, now, item.eventJson) });
              break;
            }
            case "timer":
              records.push({
                subject: subjects.timer(lane.partition, lane.address, item.timer, item.atMs),
                data: encodeRecord<TimerRecord>({ format: recordFormat, at: item.atMs }),
              });
              break;
            case "task":
              records.push({
                subject: subjects.task(lane.partition, item.activity, lane.address, item.n, item.attempt),
                data: Buffer.from(item.json),
              });
              break;
            case "live":
              records.push({
                subject: subjects.live(lane.partition, lane.address),
                data: encodeRecord<LiveRecord>({ format: recordFormat, isLive: item.isLive }),
              });
              break;
            case "key":
              records.push({
                subject: subjects.key(lane.partition, lane.address, item.key),
                data: Buffer.from(item.json),
                expectLastSeq: 0,
              });
              break;
            case "dead":
              records.push({
                subject: subjects.dead(lane.partition, lane.address, item.letter),
                data: Buffer.from(item.json),
              });
              break;
            case "wait":
              records.push({
                subject: subjects.wait(lane.partition, lane.address, item.n),
                data: Buffer.from(item.json),
              });
              break;
            case "wait-body":
              records.push({ subject: subjects.waitBody(lane.partition, lane.address, item.n), data: item.data });
              break;
            case "body":
              records.push({ subject: subjects.body(lane.partition, lane.address, item.letter), data: item.data });
              break;
          }
        }
      }
    }
    return { parts, commit, records, offsets };
  }

  async #commit(parts: Part[]): Promise<void> {
    const { log, telemetry, fault, time, random } = this.#context;
    const group = this.#assemble(parts);
    const startedMs = time.elapsed();
    let isUnknown = false;
    for (let attempt = 1; !this.#isStopped; attempt++) {
      if (attempt > 1) telemetry.counters.commitRetries++;
      // Asked last of all: putting a large commit together takes time, in which the process may have been frozen.
      const allowed = this.#listener.mayCommit();
      if (allowed !== undefined) {
        await allowed;
        // A partition that was lost meanwhile is no longer ours to write to, unless the append may be in the log already.
        if (!isUnknown && parts.some((part) => part.lane.phase === "closed")) {
          this.#putBack(parts);
          return;
        }
      }
      fault("commit.before");
      const result = await log.append("core", group.records);
      if (this.#isStopped) return;
      switch (result._tag) {
        case "Appended":
          fault("commit.after");
          // A process that dies here does nothing more; in a simulation the code goes on.
          if (this.#isStopped) return;
          this.#count(group.records, startedMs);
          for (const [i, part] of parts.entries()) this.#confirm(part, result.firstSeq + (group.offsets[i] as number));
          return;
        case "TryAgain":
          isUnknown ||= result.mayBeStored;
          await sleep(time, backoffMs(attempt, random));
          break;
        case "Full":
          telemetry.tell(
            "error",
            "storage.full",
            `Cannot commit ${parts.length} actors: the storage is full (${result.reason}). Trying again.`,
          );
          await sleep(time, 1000);
          break;
        case "Conflict":
          if (await this.#settleConflict(group, startedMs)) return;
          await sleep(time, backoffMs(attempt, random));
          break;
      }
    }
  }

  /** Counts a commit that is in the log. */
  #count(records: readonly AppendRecord[], startedMs: number): void {
    const { telemetry, time } = this.#context;
    telemetry.counters.commits++;
    telemetry.counters.records += records.length;
    telemetry.commitTime.add(time.elapsed() - startedMs);
    let bytes = 0;
    for (const { data } of records) bytes += data.length;
    telemetry.commitSize.add(bytes);
  }

  /** What has no state record: done at once where nothing is to be stored. The node was sure of its leases in this very turn. */
  async #release(parts: readonly Part[]): Promise<void> {
    const speaking: Part[] = [];
    for (const part of parts) {
      if (!part.lane.isVolatile) continue;
      if (isSilent(part)) this.#confirm(part, 0);
      else speaking.push(part);
    }
    if (speaking.length === 0) return;
    const { records } = this.#assemble(speaking);
    const startedMs = this.#context.time.elapsed();
    const end = await emitOnce(this.#context, records, {
      mayCommit: () => this.#listener.mayCommit(),
      isOver: () => this.#isStopped || speaking.some(({ lane }) => lane.phase === "closed"),
    });
    if (this.#isStopped) return;
    if (end === "over") return this.#putBack(speaking);
    if (end === "stored") this.#count(records, startedMs);
    for (const { lane } of speaking) {
      const decisions = lane.confirm(0);
      this.#listener.onCommitted(lane, end === "stored" ? decisions : decisions.map(asUnconfirmed));
      if (end === "unknown") this.#context.telemetry.counters.unconfirmed += decisions.filter(speaks).length;
    }
  }

  /** Finds out who is behind a refused commit; false when nobody is, and the same commit is to be tried again. */
  async #settleConflict(group: Group, startedMs: number): Promise<boolean> {
    const { subjects } = this.#context;
    const { parts } = group;
    const states = await this.#lastMany(parts.map((part) => part.lane.subject));
    if (this.#isStopped) return true;
    const isMade = states.some((record) => record !== undefined && commitOf(record) === group.commit);
    if (isMade) {
      this.#count(group.records, startedMs);
      parts.forEach((part, i) => {
        const record = states[i];
        const isNewest = record !== undefined && commitOf(record) === group.commit;
        this.#confirm(part, isNewest ? record.seq : 0);
        if (!isNewest) this.#listener.onRefused(part.lane, "fence");
      });
      return true;
    }
    const keyed = parts.flatMap((part) =>
      part.decisions
        .filter((decision) => decision.outbox.some((item) => item.kind === "key"))
        .map((decision) => ({ part, decision })),
    );
    const keys = await this.#lastMany(
      keyed.map(({ part, decision }) => subjects.key(part.lane.partition, part.lane.address, decision.key as string)),
    );
    if (this.#isStopped) return true;
    const culprits = new Map<Part, "fence" | "key">();
    parts.forEach((part, i) => {
      if ((states[i]?.seq ?? 0) !== part.lane.seq) culprits.set(part, "fence");
    });
    keyed.forEach(({ part, decision }, i) => {
      const record = keys[i];
      if (record === undefined) return;
      decision.delivery.duplicateOf = decodeRecord<KeyRecord>("a key record", record.data);
      if (!culprits.has(part)) culprits.set(part, "key");
    });
    if (culprits.size === 0) return false;
    for (const [part, by] of culprits) this.#listener.onRefused(part.lane, by);
    this.#putBack(parts.filter((part) => !culprits.has(part)));
    return true;
  }

  async #lastMany(wanted: readonly string[]): Promise<ReadonlyArray<LogRecord | undefined>> {
    if (wanted.length === 0) return [];
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#context.log.lastMany("core", wanted);
      } catch (error) {
        if (
          this.#isStopped ||
          !isStatewrightError(error) ||
          error.retry !== "transient" ||
          error._tag === "SystemStoppedError"
        ) {
          if (this.#isStopped) return [];
          throw error;
        }
        await sleep(this.#context.time, backoffMs(attempt, this.#context.random));
      }
    }
  }

  #confirm(part: Part, seq: number): void {
    this.#listener.onCommitted(part.lane, part.lane.confirm(seq));
  }

  #putBack(parts: readonly Part[]): void {
    for (const { lane } of parts) {
      if (lane.phase === "closed") {
        this.#listener.onRefused(lane, "fence");
        continue;
      }
      this.#waiting += lane.inFlight.length;
      lane.putBack();
      this.#mark(lane);
    }
  }
}

function isSilent({ decisions }: Part): boolean {
  return !decisions.some(speaks);
}

function speaks({ outbox }: Decision): boolean {
  return outbox.length > 0;
}

function commitOf(record: LogRecord): string | undefined {
  try {
    return decodeRecord<StateRecord>("a state record", record.data).commit;
  } catch {
    return undefined;
  }
}

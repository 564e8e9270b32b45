/**
 * The dead-letter office of a node: it counts the letters of the partitions that the node owns, and keeps them within limits.
 *
 * 1. Nothing goes silently: a letter that the limits close is told by an event of the same append, with all that it held, is counted, and is removed days later. Before a
 *    limit is reached, it is warned of.
 * 2. Letters are closed under a fence on their own records, and removed below the sequence at which they were closed: one that an operator changes at the same instant
 *    is left alone.
 * 3. A letter that parks its actor is never closed by a limit: its actor would go on without anybody having decided so.
 * 4. The server lets no append in while it purges: letters are removed one by one, by their own subjects, and few at a time.
 *
 * Limits are for the space. Each partition has its share of them, so that no owner has to know what the others hold.
 */

import { cloudEvent, eventSource } from "../core/cloud-events.ts";
import { toStored } from "../core/codec.ts";
import { type DeadLetterExpiredEvent, deadLetterTopic } from "../core/dead-letter-events.ts";
import { type DeadReason, decodeRecord, encodeRecord, type LetterRecord } from "../core/records.ts";
import type { AppendRecord } from "../log/log.ts";
import type { NodeContext } from "./context.ts";
import { type KnownLetter, LetterIndex } from "./letter-index.ts";

/** What a node knows of the letters of its partitions. */
export interface LetterStats {
  readonly dead: number;
  /** Redriven, dropped or expired, and not removed yet. */
  readonly closed: number;
  /** Of both, with the messages that are in records of their own. */
  readonly bytes: number;
  /** When the oldest dead one died, milliseconds since 1970; undefined when there is none. */
  readonly oldestAt: number | undefined;
  /** Dead ones by actor type. */
  readonly byType: Readonly<Record<string, number>>;
  /** Dead ones by their reason. */
  readonly byReason: Readonly<Partial<Record<DeadReason, number>>>;
  /** Dead ones that park their actors. */
  readonly parking: number;
  /** Actors with a dead letter that parks them. */
  readonly parkedActors: number;
  /** The partitions whose letters are counted: those that have just been taken over are not yet. */
  readonly partitions: readonly number[];
}

/** A letter that is to be closed: its record, and the event that tells of it. */
interface Closing {
  readonly subject: string;
  readonly records: readonly AppendRecord[];
}

/** From which share of a limit on it is warned of. */
const warnAt = 0.8;
const warnEveryMs = 3_600_000;
const maxPerAppend = 50;
/** So many letters are closed, and so many removed, in one round over all partitions. */
const maxExpiredPerRound = 1000;
const maxPurgedPerRound = 100;
/** Letters that take more of CORE than this are warned of, limits or not. */
const largestShareOfCore = 0.25;

/** Looks after the letters of a node's partitions. */
export class Office {
  readonly #context: NodeContext;
  readonly #indexes = new Map<number, LetterIndex>();
  /** By what was warned of: when, by the monotonic clock. */
  readonly #warned = new Map<string, number>();
  /** Subjects of letters that may have been closed by an append whose outcome is not known: the next look tells. */
  readonly #unsure = new Set<string>();
  #counter = 0;

  constructor(context: NodeContext) {
    this.#context = context;
  }

  /** The partition is ours: its letters are read with the next round. */
  open(partition: number): void {
    this.#indexes.set(partition, new LetterIndex(partition, this.#context));
  }

  close(partition: number): void {
    this.#indexes.delete(partition);
  }

  stats(): LetterStats {
    let dead = 0;
    let closed = 0;
    let bytes = 0;
    let oldestAt: number | undefined;
    let parking = 0;
    const byType: Record<string, number> = {};
    const byReason: Partial<Record<DeadReason, number>> = {};
    const parked = new Set<string>();
    const partitions: number[] = [];
    for (const [partition, index] of this.#indexes) {
      if (index.isRead) partitions.push(partition);
      for (const { status, bytes: size, at, to, reason, parks } of index.letters) {
        bytes += size;
        if (status !== "dead") {
          closed++;
          continue;
        }
        dead++;
        oldestAt = Math.min(oldestAt ?? at, at);
        byType[to.type] = (byType[to.type] ?? 0) + 1;
        byReason[reason] = (byReason[reason] ?? 0) + 1;
        if (!parks) continue;
        parking++;
        parked.add(`${to.type}/${to.id}`);
      }
    }
    partitions.sort((a, b) => a - b);
    return { dead, closed, bytes, oldestAt, byType, byReason, parking, parkedActors: parked.size, partitions };
  }

  /** Looks at what is new, closes what is beyond the limits, removes what has been closed for long enough. Rejects with `LogUnavailableError`. */
  async round(mayGoOn: () => boolean): Promise<void> {
    const { lastSeq, maxSizeBytes } = await this.#context.log.state("core");
    const left = { expired: maxExpiredPerRound, purged: maxPurgedPerRound };
    for (const [partition, index] of [...this.#indexes]) {
      if (!mayGoOn()) return;
      await index.look(lastSeq);
      // Whoever owns the partition now does the rest.
      if (this.#indexes.get(partition) !== index) continue;
      await this.#purge(partition, index, left, mayGoOn);
      await this.#limit(partition, index, left, mayGoOn);
    }
    this.#warnOfCore(maxSizeBytes);
  }

  async #purge(partition: number, index: LetterIndex, left: { purged: number }, mayGoOn: () => boolean): Promise<void> {
    const { log, subjects, settings, time, telemetry } = this.#context;
    const now = time.now();
    for (const known of [...index.letters]) {
      if (known.status === "dead" || now - known.changedMs < settings.closedLettersMs) continue;
      if (left.purged-- <= 0 || !mayGoOn()) return;
      // What is left when the process dies here is a closed letter, which is removed again.
      if (known.hasBody) await log.purge("core", subjects.body(partition, known.to, known.letter), known.seq + 1);
      await log.purge("core", known.subject, known.seq + 1);
      index.removed(known);
      telemetry.counters.lettersPurged++;
    }
  }

  async #limit(
    partition: number,
    index: LetterIndex,
    left: { expired: number },
    mayGoOn: () => boolean,
  ): Promise<void> {
    const { settings, time, telemetry, partitions } = this.#context;
    const { letterMaxAgeMs, letterMaxCount, letterMaxBytes } = settings;
    const now = time.now();
    const dead = [...index.letters]
      .filter(({ status }) => status === "dead")
      .sort((a, b) => a.at - b.at || a.seq - b.seq);
    const bytes = dead.reduce((sum, letter) => sum + letter.bytes, 0);
    const maxCount = Math.ceil(letterMaxCount / partitions);
    const maxBytes = letterMaxBytes / partitions;
    const beyond: KnownLetter[] = [];
    let parking = 0;
    let count = dead.length;
    let sum = bytes;
    for (const letter of dead) {
      if (now - letter.at < letterMaxAgeMs && count <= maxCount && sum <= maxBytes) break;
      if (letter.parks) {
        parking++;
        continue;
      }
      beyond.push(letter);
      count--;
      sum -= letter.bytes;
    }
    let expired = 0;
    for (const { subject, status } of index.letters) {
      if (status !== "dead" && this.#unsure.delete(subject) && status === "expired") expired++;
    }
    for (let i = 0; i < beyond.length && left.expired > 0 && mayGoOn(); i += maxPerAppend) {
      const some = beyond.slice(i, i + Math.min(maxPerAppend, left.expired));
      left.expired -= some.length;
      expired += await this.#expire(partition, some);
    }
    if (expired > 0) {
      telemetry.counters.lettersExpired += expired;
      telemetry.tell(
        "error",
        "letters.expired",
        `${expired} dead letters of partition ${partition} were closed by the limits of the dead-letter office, the oldest first. They can be read until they are removed.`,
        { partition, expired },
      );
    }
    if (parking > 0) {
      this.#warn(`parks ${partition}`, "letters.parked", () => [
        `${parking} dead letters of partition ${partition} are beyond the limits of the dead-letter office and are not closed, since each parks its actor: redrive or drop them.`,
        { partition, parking },
      ]);
    }
    const aging = dead.filter(
      ({ at, parks }) => !parks && now - at >= letterMaxAgeMs * warnAt && now - at < letterMaxAgeMs,
    );
    const filling = [
      ...(dead.length >= maxCount * warnAt ? [`${dead.length} letters of a share of ${maxCount}`] : []),
      ...(bytes >= maxBytes * warnAt ? [`${bytes} bytes of a share of ${Math.floor(maxBytes)}`] : []),
      ...(aging.length > 0
        ? [
            `${aging.length} letters that will be closed for their age within ${Math.ceil((letterMaxAgeMs * (1 - warnAt)) / 1000)} s`,
          ]
        : []),
    ];
    if (filling.length > 0) {
      this.#warn(`filling ${partition}`, "letters.filling", () => [
        `The dead-letter office fills up: partition ${partition} has ${filling.join(", ")}. The oldest are closed at the limit.`,
        { partition, letters: dead.length, bytes, aging: aging.length },
      ]);
    }
  }

  /** Closes letters, all in one append; resolves with how many were closed. Those that somebody else has changed meanwhile are not. */
  async #expire(partition: number, some: readonly KnownLetter[]): Promise<number> {
    const { log } = this.#context;
    const { maxBytesPerAppend, maxRecordsPerAppend } = log.limits;
    const found = await log.lastMany(
      "core",
      some.map(({ subject }) => subject),
    );
    let expired = 0;
    let batch: Closing[] = [];
    let batchBytes = 0;
    const flush = async (): Promise<void> => {
      const records = batch;
      batch = [];
      batchBytes = 0;
      expired += await this.#append(records);
    };
    for (const [i, known] of some.entries()) {
      const record = found[i];
      if (record === undefined || record.seq !== known.seq) continue;
      const letter = decodeRecord<LetterRecord>("a dead letter", record.data);
      if (letter.status !== "dead" || letter.parks === true) continue;
      const change = this.#closing(partition, known, letter);
      const bytes = change.records.reduce((sum, { data }) => sum + data.length, 2048);
      if ((batch.length + 1) * 2 > maxRecordsPerAppend || batchBytes + bytes > maxBytesPerAppend) await flush();
      batch.push(change);
      batchBytes += bytes;
    }
    await flush();
    return expired;
  }

  async #append(changes: readonly Closing[]): Promise<number> {
    if (changes.length === 0) return 0;
    const { log } = this.#context;
    const result = await log.append(
      "core",
      changes.flatMap(({ records }) => records),
    );
    if (result._tag === "Appended") {
      for (const { subject } of changes) this.#unsure.delete(subject);
      return changes.length;
    }
    if (result._tag === "TryAgain" && result.mayBeStored) for (const { subject } of changes) this.#unsure.add(subject);
    if (result._tag !== "Conflict" || changes.length === 1) return 0;
    // One of them was changed meanwhile, which says nothing about the others.
    let made = 0;
    for (const change of changes) made += await this.#append([change]);
    return made;
  }

  #closing(partition: number, known: KnownLetter, letter: LetterRecord): Closing {
    const { subjects, spaceName, time, owner, log } = this.#context;
    const now = time.now();
    const history = [...(letter.history ?? []), { what: "expired" as const, at: now }].slice(-50);
    const update: LetterRecord = { ...letter, status: "expired", history };
    const id = `${owner.slice(owner.lastIndexOf(":") + 1)}-e${(this.#counter++).toString(36)}`;
    const eventOf = (whole: LetterRecord) => {
      const event: DeadLetterExpiredEvent = { type: "deadLetterExpired", letter: whole };
      const source = eventSource(spaceName, known.to);
      return cloudEvent(id, source, event.type, now, JSON.stringify(toStored(event, "event")));
    };
    const event = shorter(update)
      .map(eventOf)
      .find(({ data }) => data.length + 2048 <= log.limits.maxRecordBytes);
    if (event === undefined) throw new Error(`The event of dead letter ${letter.letter} does not fit into a record.`);
    return {
      subject: known.subject,
      records: [
        { subject: known.subject, data: encodeRecord(update), expectLastSeq: known.seq },
        { subject: subjects.topic(partition, deadLetterTopic, id), ...event },
      ],
    };
  }

  #warnOfCore(maxSizeBytes: number): void {
    if (!(maxSizeBytes > 0) || this.#indexes.size === 0) return;
    const { bytes } = this.stats();
    const share = (maxSizeBytes * this.#indexes.size) / this.#context.partitions;
    if (bytes <= share * largestShareOfCore) return;
    this.#warn("core", "letters.filling", () => [
      `The dead letters of this node's partitions take ${bytes} bytes, more than a quarter of their part of what the CORE stream may hold (${Math.floor(share)} bytes). Redrive or drop some, or set limits (deadLetters).`,
      { bytes, shareBytes: Math.floor(share) },
    ]);
  }

  #warn(key: string, name: string, text: () => [string, Readonly<Record<string, unknown>>]): void {
    const { time, telemetry } = this.#context;
    const last = this.#warned.get(key);
    if (last !== undefined && time.elapsed() - last < warnEveryMs) return;
    this.#warned.set(key, time.elapsed());
    const [message, data] = text();
    telemetry.tell("warn", name, message, data);
  }
}

/** A letter, and what can be told of it where that is too much. */
function shorter(letter: LetterRecord): LetterRecord[] {
  const { original, envelope, raw, state, ...rest } = letter;
  const fixed: LetterRecord = {
    ...rest,
    attempts: letter.attempts.slice(-1),
    ...(state === undefined ? {} : { state: { revision: state.revision, value: state.value } }),
  };
  const message = { ...(envelope === undefined ? {} : { envelope }), ...(raw === undefined ? {} : { raw }) };
  return [
    letter,
    { ...fixed, ...message },
    fixed,
    { ...rest, attempts: [], history: [], explanation: letter.explanation.slice(0, 1024) },
  ];
}

/**
 * One stream of the memory broker: what is stored, in order and by subject.
 *
 * 1. An append is checked whole and stored whole; expectations see the stream as it was before.
 * 2. A subject keeps at most the history depth of records, the newest ones.
 * 3. Sequences only grow, also over purges.
 */
import type { StreamName } from "../core/subjects.ts";
import type { RecordHeaders } from "../log/headers.ts";
import type { AppendRecord, AppendResult, LogRecord, StreamState } from "../log/log.ts";
import { isLiteral, matchesFilter, splitSubject } from "./subject-index.ts";

/** A record as the broker holds it; readers do not look at its headers. */
export interface MemoryRecord extends LogRecord {
  readonly headers?: RecordHeaders;
}

/** A record in a stream; `isStored` ends with a purge or when the history of its subject is full. */
export interface StoredEntry {
  readonly record: MemoryRecord;
  readonly subject: SubjectHistory;
  isStored: boolean;
}

/** The records of one subject, oldest first. */
export interface SubjectHistory {
  readonly name: string;
  readonly tokens: readonly string[];
  readonly entries: StoredEntry[];
}

/** What {@link MemoryStream.select} returns. */
export interface Selection {
  readonly fromSeq?: number;
  readonly upToSeq?: number;
  readonly limit?: number;
  readonly lastPerSubject?: boolean;
}

/** Options of {@link MemoryStream}. */
export interface MemoryStreamOptions {
  readonly name: StreamName;
  readonly identity: string;
  /** Most records that a subject keeps. */
  readonly historyDepth: number;
  readonly maxSizeBytes: number;
  readonly keepsJournal: boolean;
}

/** Bytes that a record takes beside its subject and data. */
const overheadBytes = 30;

/** What one stream holds, and the rules for changing it; it knows no time and no network. */
export class MemoryStream {
  readonly name: StreamName;
  readonly identity: string;
  /** Every record ever stored, oldest first; empty when no journal is kept. */
  readonly journal: MemoryRecord[] = [];
  readonly #historyDepth: number;
  readonly #maxSizeBytes: number;
  readonly #keepsJournal: boolean;
  readonly #subjects = new Map<string, SubjectHistory>();
  /** Ascending; holds removed entries until they are many. */
  #entries: StoredEntry[] = [];
  #removed = 0;
  #lastSeq = 0;
  #sizeBytes = 0;

  constructor(options: MemoryStreamOptions) {
    this.name = options.name;
    this.identity = options.identity;
    this.#historyDepth = options.historyDepth;
    this.#maxSizeBytes = options.maxSizeBytes;
    this.#keepsJournal = options.keepsJournal;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Stores the records or none of them; hands what it stored to `onStored`. */
  append(
    records: readonly AppendRecord[],
    timeMs: number,
    onStored: (entries: readonly StoredEntry[]) => void,
  ): AppendResult {
    let sizeBytes = 0;
    for (const record of records) {
      sizeBytes += sizeOf(record);
      if (record.expectLastSeq === undefined) continue;
      const lastSeq = this.#subjects.get(record.subject)?.entries.at(-1)?.record.seq ?? 0;
      if (lastSeq === record.expectLastSeq) continue;
      const reason = `the last record on ${record.subject} has sequence ${lastSeq}, not ${record.expectLastSeq}`;
      return { _tag: "Conflict", reason };
    }
    if (this.#sizeBytes + sizeBytes > this.#maxSizeBytes) {
      return { _tag: "Full", reason: `the stream ${this.name} would exceed ${this.#maxSizeBytes} bytes` };
    }
    const firstSeq = this.#lastSeq + 1;
    onStored(records.map((record) => this.#store(record, timeMs)));
    return { _tag: "Appended", firstSeq };
  }

  last(subject: string): LogRecord | undefined {
    return this.#subjects.get(subject)?.entries.at(-1)?.record;
  }

  /** Entries that match a filter, ascending. */
  select(filter: string, selection: Selection = {}): StoredEntry[] {
    const {
      fromSeq = 1,
      upToSeq = this.#lastSeq,
      limit = Number.POSITIVE_INFINITY,
      lastPerSubject = false,
    } = selection;
    if (limit <= 0) return [];
    if (lastPerSubject) {
      const newest: StoredEntry[] = [];
      for (const subject of this.#subjectsOf(filter)) {
        const entry = subject.entries.findLast((each) => each.record.seq <= upToSeq);
        if (entry !== undefined && entry.record.seq >= fromSeq) newest.push(entry);
      }
      newest.sort(bySeq);
      return newest.length > limit ? newest.slice(0, limit) : newest;
    }
    const candidates = isLiteral(filter) ? (this.#subjects.get(filter)?.entries ?? []) : this.#entries;
    const tokens = splitSubject(filter);
    const selected: StoredEntry[] = [];
    for (let i = indexOfSeq(candidates, fromSeq); i < candidates.length; i++) {
      const entry = candidates[i] as StoredEntry;
      if (entry.record.seq > upToSeq) break;
      if (!entry.isStored || !(candidates !== this.#entries || matchesFilter(tokens, entry.subject.tokens))) continue;
      selected.push(entry);
      if (selected.length >= limit) break;
    }
    return selected;
  }

  /** Entries that match one of several filters that do not overlap, ascending. */
  selectAny(filters: readonly string[], selection: Selection = {}): StoredEntry[] {
    if (filters.length === 1) return this.select(filters[0] as string, selection);
    return filters.flatMap((filter) => this.select(filter, selection)).sort(bySeq);
  }

  /** The last sequence that was stored at `timeMs` or before. */
  lastSeqAt(timeMs: number): number {
    const newer = this.#entries.findLastIndex((entry) => entry.record.timeMs <= timeMs) + 1;
    const first = this.#entries[newer];
    return first === undefined ? this.#lastSeq : first.record.seq - 1;
  }

  /** Removes what matches, below a sequence when given; returns how many records that were. */
  purge(filter: string, beforeSeq = Number.POSITIVE_INFINITY): number {
    const purged = this.select(filter, { upToSeq: beforeSeq - 1 });
    for (const entry of purged) this.#remove(entry);
    this.#compact();
    return purged.length;
  }

  state(): StreamState {
    const first = this.#entries.find((entry) => entry.isStored);
    return {
      identity: this.identity,
      firstSeq: first?.record.seq ?? this.#lastSeq + 1,
      lastSeq: this.#lastSeq,
      records: this.#entries.length - this.#removed,
      sizeBytes: this.#sizeBytes,
      maxSizeBytes: this.#maxSizeBytes,
    };
  }

  #store(from: AppendRecord, timeMs: number): StoredEntry {
    let subject = this.#subjects.get(from.subject);
    if (subject === undefined) {
      subject = { name: from.subject, tokens: splitSubject(from.subject), entries: [] };
      this.#subjects.set(from.subject, subject);
    }
    const { data, headers } = from;
    const stored = { subject: subject.name, seq: ++this.#lastSeq, timeMs, data };
    const record: MemoryRecord = headers === undefined ? stored : { ...stored, headers };
    const entry: StoredEntry = { record, subject, isStored: true };
    subject.entries.push(entry);
    this.#entries.push(entry);
    this.#sizeBytes += sizeOf(record);
    if (this.#keepsJournal) this.journal.push(record);
    if (subject.entries.length > this.#historyDepth) {
      this.#remove(subject.entries[0] as StoredEntry);
      this.#compact();
    }
    return entry;
  }

  #remove(entry: StoredEntry): void {
    entry.isStored = false;
    this.#removed++;
    this.#sizeBytes -= sizeOf(entry.record);
    const { entries, name } = entry.subject;
    if (entries[0] === entry) entries.shift();
    else entries.splice(entries.indexOf(entry), 1);
    if (entries.length === 0) this.#subjects.delete(name);
  }

  #compact(): void {
    if (this.#removed < 64 || this.#removed * 2 < this.#entries.length) return;
    this.#entries = this.#entries.filter((entry) => entry.isStored);
    this.#removed = 0;
  }

  *#subjectsOf(filter: string): Iterable<SubjectHistory> {
    if (isLiteral(filter)) {
      const subject = this.#subjects.get(filter);
      if (subject !== undefined) yield subject;
      return;
    }
    const tokens = splitSubject(filter);
    for (const subject of this.#subjects.values()) if (matchesFilter(tokens, subject.tokens)) yield subject;
  }
}

function sizeOf({ subject, data, headers }: AppendRecord): number {
  let sizeBytes = subject.length + data.length + overheadBytes;
  if (headers === undefined) return sizeBytes;
  for (const name of Object.keys(headers)) sizeBytes += name.length + (headers[name] as string).length;
  return sizeBytes;
}

function bySeq(a: StoredEntry, b: StoredEntry): number {
  return a.record.seq - b.record.seq;
}

/** Index of the first entry with at least this sequence. */
function indexOfSeq(entries: readonly StoredEntry[], seq: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((entries[middle] as StoredEntry).record.seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

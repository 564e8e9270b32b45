/** What the suites see of a log: readers that write down what they get, and texts instead of bytes. */
import type { StreamName } from "../../runtime/core/subjects.ts";
import type { AppendRecord, AppendResult, Log, LogReader, LogRecord, ReadFrom } from "../../runtime/log/log.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A text as bytes. */
export const bytes = (text: string): Uint8Array => encoder.encode(text);
/** The data of a record as text. */
export const text = (record: { readonly data: Uint8Array } | undefined): string | undefined =>
  record && decoder.decode(record.data);

/** A record to append, with a text. */
export function record(subject: string, data: string, expectLastSeq?: number): AppendRecord {
  return expectLastSeq === undefined ? { subject, data: bytes(data) } : { subject, data: bytes(data), expectLastSeq };
}

/** The first sequence of an append that must have been stored. */
export function firstSeqOf(result: AppendResult): number {
  if (result._tag !== "Appended") throw new Error(`The append was not stored: ${JSON.stringify(result)}`);
  return result.firstSeq;
}

/** Appends and returns the first sequence; what must be tried again is. */
export async function store(log: Log, stream: StreamName, ...records: readonly AppendRecord[]): Promise<number> {
  for (;;) {
    const result = await log.append(stream, records);
    if (result._tag !== "TryAgain" || result.mayBeStored) return firstSeqOf(result);
  }
}

/** What a reader has delivered so far. */
export interface Observed {
  readonly reader: LogReader;
  readonly records: LogRecord[];
  /** The data of the records, as texts. */
  texts(): (string | undefined)[];
  /** How many records had come at each call of `onCaughtUp`. */
  readonly caughtUpAt: number[];
  readonly errors: Error[];
}

/** Opens a reader that writes down all it gets. */
export function observe(
  log: Log,
  stream: StreamName,
  filters: readonly string[],
  from: ReadFrom = { seq: 1 },
  onRecord: (record: LogRecord, reader: LogReader) => void = () => {},
): Observed {
  const records: LogRecord[] = [];
  const caughtUpAt: number[] = [];
  const errors: Error[] = [];
  const reader: LogReader = log.read(stream, {
    filters,
    from,
    onRecord: (each) => {
      records.push(each);
      onRecord(each, reader);
    },
    onCaughtUp: () => {
      caughtUpAt.push(records.length);
    },
    onError: (error) => {
      errors.push(error);
    },
  });
  return { reader, records, caughtUpAt, errors, texts: () => records.map(text) };
}

/** All that an async iterable yields. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

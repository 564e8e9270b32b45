/**
 * Letters on their way out of a space and into one: plain objects, one a line.
 *
 * 1. What is exported holds everything that is stored of a letter, its message included, and says which space it comes from.
 * 2. Importing the same again adds nothing: a letter is stored only where none of its id is.
 * 3. The ids of letters of other spaces get a prefix made of the identity of the space they come from first; when they come home it is taken away.
 */
import { createHash } from "node:crypto";
import { type Address, formatAddress, partitionOf } from "../../runtime/core/address.ts";
import { decodeEnvelope } from "../../runtime/core/envelope.ts";
import { isStatewrightError, LogUnavailableError, StorageFullError } from "../../runtime/core/errors.ts";
import {
  decodeRecord,
  encodeRecord,
  type LetterEvent,
  type LetterRecord,
  type SpaceRecord,
} from "../../runtime/core/records.ts";
import { sleep } from "../../runtime/core/time.ts";
import { unaddressedType } from "../../runtime/engine/delivery.ts";
import type { AppendRecord } from "../../runtime/log/log.ts";
import type { CompiledFilter } from "../letter-filter.ts";
import { backoffMs, type ClientContext, readPatiently, stoppedError } from "./context.ts";
import { newestOfEach } from "./letter-scan.ts";
import { addressIn, bodySubject, type StoredLetter } from "./letters.ts";

/** The format of exported letters that this version writes; it reads no other. */
const exportFormat = 1;

/** A letter outside of a space, as one line of JSON holds it. */
export interface ExportedLetter {
  readonly format: number;
  /** The name of the space, for people. */
  readonly space: string;
  /** Tells spaces apart, also of the same name. */
  readonly identity: SpaceRecord["identity"];
  readonly record: LetterRecord;
  /** The bytes of the message, base64, where they are stored beside the letter. */
  readonly body?: string;
}

/** What became of letters that were to be imported. */
export interface ImportReport {
  readonly added: number;
  /** Those that were there before. */
  readonly skipped: number;
  /** Those that cannot be read or stored, by the number of their line, from 1. */
  readonly refused: ReadonlyArray<{ readonly line: number; readonly why: string }>;
}

/** The letters that match, as plain objects. Errors: `LogUnavailableError`. */
export async function* exportLetters(context: ClientContext, filter: CompiledFilter): AsyncGenerator<ExportedLetter> {
  const { log, spaceName, identity } = context;
  let page: StoredLetter[] = [];
  const read = async (): Promise<ExportedLetter[]> => {
    const letters = page;
    page = [];
    const large = letters.filter(({ record }) => record.body === true);
    const bodies =
      large.length === 0
        ? []
        : await log.lastMany(
            "core",
            large.map((each) => bodySubject(context, each)),
          );
    return letters.map((letter) => {
      const body = bodies[large.indexOf(letter)]?.data;
      return {
        format: exportFormat,
        space: spaceName,
        identity,
        record: letter.record,
        ...(body === undefined ? {} : { body: Buffer.from(body).toString("base64") }),
      };
    });
  };
  for await (const letter of newestOfEach(context, filter)) {
    page.push(letter);
    if (page.length >= 64) yield* await read();
  }
  yield* await read();
}

/** How letters are imported. */
export interface ImportSettings {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

interface Incoming {
  readonly line: number;
  readonly letter: string;
  readonly records: readonly AppendRecord[];
  readonly sizeBytes: number;
}

const maxBatchBytes = 4 * 1024 * 1024;

/**
 * Stores the letters that are not there.
 *
 * Errors: `LogUnavailableError`, `StorageFullError` (what was stored before stays so, and the same call again goes on); the signal's reason.
 */
export async function importLetters(
  context: ClientContext,
  lines: Iterable<string | ExportedLetter> | AsyncIterable<string | ExportedLetter>,
  settings: ImportSettings,
): Promise<ImportReport> {
  const { log, subjects } = context;
  const { maxRecordsPerAppend, maxBytesPerAppend, maxRecordBytes } = log.limits;
  const refused: Array<{ readonly line: number; readonly why: string }> = [];
  const known = new Set<string>();
  for await (const { subject } of log.scan("core", subjects.deadLetters(), { lastPerSubject: true })) {
    const letter = subjects.lastName(subject);
    if (letter !== undefined) known.add(letter);
  }
  let added = 0;
  let skipped = 0;
  let batch: Incoming[] = [];
  let records = 0;
  let bytes = 0;
  const flush = async (): Promise<void> => {
    const full = batch;
    batch = [];
    records = 0;
    bytes = 0;
    if (full.length === 0) return;
    const stored = await storeNew(context, full, settings);
    added += stored;
    skipped += full.length - stored;
  };
  let line = 0;
  for await (const given of lines) {
    line++;
    settings.signal?.throwIfAborted();
    if (typeof given === "string" && given.trim() === "") continue;
    let incoming: Incoming;
    try {
      incoming = readIncoming(context, given, line);
      const large = incoming.records.find(({ data }) => data.length > maxRecordBytes);
      if (large !== undefined) {
        throw new Error(`it takes ${large.data.length} bytes, the log accepts ${maxRecordBytes}`);
      }
    } catch (error) {
      refused.push({ line, why: (error as Error).message });
      continue;
    }
    if (known.has(incoming.letter)) {
      skipped++;
      continue;
    }
    known.add(incoming.letter);
    if (
      records + incoming.records.length > maxRecordsPerAppend ||
      bytes + incoming.sizeBytes > Math.min(maxBatchBytes, maxBytesPerAppend)
    ) {
      await flush();
    }
    batch.push(incoming);
    records += incoming.records.length;
    bytes += incoming.sizeBytes;
  }
  await flush();
  return { added, skipped, refused };
}

/** Stores letters in one append, without those that somebody else has stored meanwhile; resolves with how many. */
async function storeNew(
  context: ClientContext,
  letters: readonly Incoming[],
  { timeoutMs, signal }: ImportSettings,
): Promise<number> {
  const { log, time, random } = context;
  const deadlineMs = time.elapsed() + timeoutMs;
  let open = letters;
  let stored = 0;
  let wasUnknown = false;
  for (let attempt = 1; open.length > 0; attempt++) {
    if (context.isStopped) throw stoppedError("import dead letters");
    signal?.throwIfAborted();
    const result = await log.append(
      "core",
      open.flatMap(({ records }) => records),
    );
    if (result._tag === "Appended") return stored + open.length;
    if (result._tag === "TryAgain") wasUnknown ||= result.mayBeStored;
    if (result._tag === "Conflict") {
      const subjects = open.map(({ records }) => (records[0] as AppendRecord).subject);
      const found = await readPatiently(
        context,
        () => log.lastMany("core", subjects),
        () => time.elapsed() < deadlineMs,
      );
      const before = open.length;
      open = open.filter(({ records }, at) => {
        const there = found?.[at];
        if (there === undefined) return true;
        // What we have written ourselves, by a try whose end was not known, was added by us.
        if (wasUnknown && Buffer.compare(there.data, (records[0] as AppendRecord).data) === 0) stored++;
        return false;
      });
      if (open.length < before) continue;
    }
    if (time.elapsed() >= deadlineMs) {
      const text = `Cannot import ${open.length} dead letters within ${timeoutMs} ms: ${result.reason}. Importing again adds nothing twice.`;
      throw result._tag === "Full" ? new StorageFullError(text) : new LogUnavailableError(text);
    }
    await sleep(time, backoffMs(attempt, random));
  }
  return stored;
}

/** Reads a letter and makes it one of this space. Throws with the reason for what cannot be one. */
function readIncoming(context: ClientContext, given: string | ExportedLetter, line: number): Incoming {
  const { subjects, partitions, time, sender } = context;
  const exported = typeof given === "string" ? parsed(given) : given;
  if (typeof exported !== "object" || exported === null) throw new Error("it is no JSON object");
  if (exported.format !== exportFormat) {
    throw new Error(
      exported.format === undefined
        ? 'it has no "format": it is no exported letter'
        : `it is of format ${exported.format}, this version reads format ${exportFormat}`,
    );
  }
  const record = checkedRecord(exported.record);
  const body = bodyOf(exported);
  const isHome = isSameSpace(exported.identity, context.identity);
  const letter = nameHere(record.letter, exported.identity, context.identity);
  const address = addressIn(record);
  const entry: LetterEvent = { what: "imported", at: time.now(), by: sender, note: `from space ${exported.space}` };
  const { parks, ...rest } = record;
  const imported: LetterRecord = {
    ...rest,
    letter,
    // In another space nothing waits for the letter.
    ...(isHome && parks === true ? { parks } : {}),
    history: [...(record.history ?? []), entry].slice(-50),
  };
  const partition = partitionHere(address, partitions);
  const records: AppendRecord[] = [
    { subject: subjects.dead(partition, address, letter), data: encodeRecord(imported), expectLastSeq: 0 },
    ...(body === undefined ? [] : [{ subject: subjects.body(partition, address, letter), data: body }]),
  ];
  const sizeBytes = records.reduce((sum, { subject, data }) => sum + subject.length + data.length, 0);
  return { line, letter, records, sizeBytes };
}

function parsed(text: string): ExportedLetter {
  try {
    return JSON.parse(text) as ExportedLetter;
  } catch (cause) {
    throw new Error(`it is not JSON: ${(cause as Error).message}`);
  }
}

/** Anybody may have written the file: what is believed of a letter is looked at. */
function checkedRecord(record: LetterRecord): LetterRecord {
  if (typeof record !== "object" || record === null) throw new Error('it has no "record"');
  // As for what is read from the log: the format, and that it is an object.
  decodeRecord("a dead letter", Buffer.from(JSON.stringify(record)));
  const problems: string[] = [];
  for (const field of ["letter", "to", "reason", "explanation", "status"] as const) {
    if (typeof record[field] !== "string" || record[field] === "") problems.push(`"${field}" is no text`);
  }
  for (const field of ["attemptCount", "at", "redrives"] as const) {
    if (typeof record[field] !== "number") problems.push(`"${field}" is no number`);
  }
  if (!Array.isArray(record.attempts)) problems.push('"attempts" is no list');
  if (record.history !== undefined && !Array.isArray(record.history)) problems.push('"history" is no list');
  const { source } = record;
  if (
    typeof source !== "object" ||
    source === null ||
    (source.stream !== "ingress" && source.stream !== "core") ||
    typeof source.seq !== "number" ||
    typeof source.subject !== "string"
  ) {
    problems.push('"source" is not { stream, seq, subject }');
  }
  if (problems.length > 0) throw new Error(`its record cannot be used: ${problems.join("; ")}`);
  for (const envelope of [record.envelope, record.original]) {
    if (envelope === undefined) continue;
    try {
      decodeEnvelope(Buffer.from(JSON.stringify(envelope)));
    } catch (error) {
      throw new Error(`its message cannot be used: ${isStatewrightError(error) ? error.message : String(error)}`);
    }
  }
  return record;
}

function bodyOf({ record, body }: ExportedLetter): Uint8Array | undefined {
  if (record.body !== true) return undefined;
  if (typeof body !== "string") throw new Error('its message is stored beside it, and "body" is missing');
  return Buffer.from(body, "base64");
}

/** The id of a letter in this space. */
function nameHere(letter: string, from: SpaceRecord["identity"], here: SpaceRecord["identity"]): string {
  if (typeof from?.core !== "string" || typeof from.ingress !== "string") {
    throw new Error('it does not say which space it comes from: "identity" is missing');
  }
  const prefixed = /^(x[0-9a-f]{8})-(.+)$/.exec(letter);
  const [origin, name] = prefixed === null ? [prefixOf(from), letter] : [prefixed[1] as string, prefixed[2] as string];
  return origin === prefixOf(here) ? name : `${origin}-${name}`;
}

function prefixOf({ core, ingress }: SpaceRecord["identity"]): string {
  return `x${createHash("sha256").update(`${core} ${ingress}`).digest("hex").slice(0, 8)}`;
}

function isSameSpace(a: SpaceRecord["identity"], b: SpaceRecord["identity"]): boolean {
  return a?.core === b.core && a.ingress === b.ingress;
}

/** A message that could not be addressed stands under a partition, not under a name that has one. */
function partitionHere(address: Address, partitions: number): number {
  if (address.type !== unaddressedType) return partitionOf(address, partitions);
  const partition = Number(address.id);
  if (!Number.isInteger(partition)) throw new Error(`${formatAddress(address)} is no actor`);
  return partition % partitions;
}

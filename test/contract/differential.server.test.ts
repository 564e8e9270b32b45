/**
 * Random sequences of operations have the same results on the memory broker and on JetStream; only identities, times and
 * sizes may differ. Without this a simulation on the memory broker would prove nothing about the real one.
 */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { StreamName } from "../../runtime/core/subjects.ts";
import { openJetStreamLog } from "../../runtime/jetstream/jetstream-log.ts";
import type { Log, LogRecord } from "../../runtime/log/log.ts";
import { createMemoryBroker } from "../../runtime/memory/memory-broker.ts";
import { type EmbeddedServer, startEmbeddedServer } from "../../runtime/server/embedded-server.ts";
import { eventually } from "./eventually.ts";
import { all, observe, record, text } from "./observe.ts";

const space = "differential";
const historyDepth = 3;
const sequences = Number(process.env.DIFFERENTIAL_SEQUENCES ?? 100);
const operationsOfSequence = 40;

let server: EmbeddedServer;
let real: Log;
let closeReal: () => Promise<void>;
const { log: memory } = createMemoryBroker({ historyDepth }).connect();
let names = 0;

beforeAll(async () => {
  server = await startEmbeddedServer();
  const opened = await openJetStreamLog({ servers: server.url, space, historyDepth });
  real = opened.log;
  closeReal = () => opened.close();
});
afterAll(async () => {
  await closeReal?.();
  await server?.stop();
});

/** What a record of an append expects, in words that mean the same on both logs. */
type Expectation = "nothing" | "none" | "true" | "older" | "newer";

interface PlannedRecord {
  readonly subject: number;
  readonly expects: Expectation;
}

type Operation =
  | { readonly type: "append"; readonly stream: StreamName; readonly records: readonly PlannedRecord[] }
  | { readonly type: "last"; readonly stream: StreamName; readonly subjects: readonly number[] }
  | {
      readonly type: "scan";
      readonly stream: StreamName;
      readonly filter: number;
      /** Back from the last sequence. */
      readonly fromBack?: number;
      readonly limit?: number;
      readonly lastPerSubject?: boolean;
    }
  | { readonly type: "count"; readonly stream: StreamName; readonly filter: number; readonly fromBack?: number }
  | { readonly type: "purge"; readonly stream: StreamName; readonly filter: number; readonly beforeBack?: number }
  | {
      readonly type: "read";
      readonly stream: StreamName;
      readonly filter: number;
      readonly from: "last-per-subject" | number;
    }
  | { readonly type: "state"; readonly stream: StreamName };

const subjectCount = 6;
const filterCount = 7;

/** The subjects of a sequence: few, so that they meet often. */
function subjectsOf(stream: StreamName, type: string): string[] {
  return stream === "core"
    ? [0, 1].flatMap((partition) => ["a", "b", "c"].map((id) => `sw.${space}.core.${partition}.state.${type}.${id}`))
    : ["x", "y"].flatMap((sender) =>
        ["1", "2", "3"].map((message) => `sw.${space}.in.${sender}.0.${type}.a.${message}`),
      );
}

function filtersOf(stream: StreamName, type: string): string[] {
  const subjects = subjectsOf(stream, type);
  return stream === "core"
    ? [
        ...subjects.slice(0, 3),
        `sw.${space}.core.*.state.${type}.>`,
        `sw.${space}.core.*.state.${type}.a`,
        `sw.${space}.core.1.*.${type}.*`,
        `sw.${space}.core.1.state.${type}.>`,
      ]
    : [
        ...subjects.slice(0, 3),
        `sw.${space}.in.*.0.${type}.>`,
        `sw.${space}.in.*.0.${type}.a.1`,
        `sw.${space}.in.y.*.${type}.a.*`,
        `sw.${space}.in.x.0.${type}.>`,
      ];
}

const anyStream = fc.constantFrom<StreamName>("core", "core", "ingress");
const anySubject = fc.nat(subjectCount - 1);
const anyFilter = fc.nat(filterCount - 1);
const anyRecord = fc.record({
  subject: anySubject,
  expects: fc.constantFrom<Expectation>("nothing", "nothing", "true", "true", "true", "none", "older", "newer"),
});
const anyOperation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("append"),
      stream: anyStream,
      records: fc.array(anyRecord, { minLength: 1, maxLength: 1 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("append"),
      stream: anyStream,
      records: fc.array(anyRecord, { minLength: 2, maxLength: 6 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("last"),
      stream: anyStream,
      subjects: fc.array(anySubject, { maxLength: 6 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record(
      {
        type: fc.constant("scan"),
        stream: anyStream,
        filter: anyFilter,
        fromBack: fc.nat(8),
        limit: fc.integer({ min: 1, max: 5 }),
        lastPerSubject: fc.boolean(),
      },
      { requiredKeys: ["type", "stream", "filter"] },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record(
      { type: fc.constant("purge"), stream: anyStream, filter: anyFilter, beforeBack: fc.nat(8) },
      { requiredKeys: ["type", "stream", "filter"] },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record(
      { type: fc.constant("count"), stream: anyStream, filter: anyFilter, fromBack: fc.nat(8) },
      { requiredKeys: ["type", "stream", "filter"] },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("read"),
      stream: anyStream,
      filter: anyFilter,
      from: fc.oneof(fc.constant("last-per-subject" as const), fc.nat(8)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("state"), stream: anyStream }) },
);

/** Carries out a sequence and tells every result, with sequences counted from its beginning. */
async function outcomesOf(log: Log, operations: readonly Operation[], type: string): Promise<unknown[]> {
  const base: Record<StreamName, number> = { core: 0, ingress: 0 };
  const held: Record<StreamName, number> = { core: 0, ingress: 0 };
  for (const stream of ["core", "ingress"] as const) {
    const state = await log.state(stream);
    base[stream] = state.lastSeq;
    held[stream] = state.records;
  }
  let written = 0;
  const tell = (stream: StreamName, each: LogRecord | undefined) =>
    each && `${each.subject.split(".").slice(3).join(".")} ${each.seq - base[stream]} ${text(each)}`;
  const outcomes: unknown[] = [];
  for (const operation of operations) {
    outcomes.push(await outcomeOf(operation));
  }
  return outcomes;

  async function outcomeOf(operation: Operation): Promise<unknown> {
    const { stream } = operation;
    const subjects = subjectsOf(stream, type);
    const filter = "filter" in operation ? (filtersOf(stream, type)[operation.filter] as string) : "";
    const back = async (count: number) => Math.max(1, (await log.state(stream)).lastSeq - count);
    switch (operation.type) {
      case "append": {
        const records = [];
        const touched = new Set<number>();
        for (const { subject, expects } of operation.records) {
          const name = subjects[subject] as string;
          const lastSeq = (await log.last(stream, name))?.seq ?? 0;
          const expected = {
            nothing: undefined,
            none: 0,
            true: lastSeq,
            older: Math.max(0, lastSeq - 1),
            newer: lastSeq + 1,
          };
          records.push(record(name, `${++written}`, touched.has(subject) ? undefined : expected[expects]));
          touched.add(subject);
        }
        const result = await log.append(stream, records);
        return result._tag === "Appended" ? `Appended ${result.firstSeq - base[stream]}` : result._tag;
      }
      case "last": {
        const asked = operation.subjects.map((subject) => subjects[subject] as string);
        return (await log.lastMany(stream, asked)).map((each) => tell(stream, each));
      }
      case "scan": {
        const { fromBack, limit, lastPerSubject } = operation;
        const options = {
          ...(fromBack === undefined ? {} : { fromSeq: await back(fromBack) }),
          ...(limit === undefined ? {} : { limit }),
          ...(lastPerSubject === undefined ? {} : { lastPerSubject }),
        };
        return (await all(log.scan(stream, filter, options))).map((each) => tell(stream, each));
      }
      case "count":
        return operation.fromBack === undefined
          ? await log.count(stream, filter)
          : await log.count(stream, filter, await back(operation.fromBack));
      case "purge":
        return operation.beforeBack === undefined
          ? await log.purge(stream, filter)
          : await log.purge(stream, filter, await back(operation.beforeBack));
      case "read": {
        const from = typeof operation.from === "number" ? { seq: await back(operation.from) } : operation.from;
        const seen = observe(log, stream, [filter], from);
        await eventually(() => expect(seen.caughtUpAt).toHaveLength(1));
        seen.reader.stop();
        return seen.records.map((each) => tell(stream, each));
      }
      case "state": {
        const { lastSeq, records } = await log.state(stream);
        return { lastSeq: lastSeq - base[stream], records: records - held[stream] };
      }
    }
  }
}

test(`the memory broker and JetStream give the same results over ${sequences} random sequences`, {
  timeout: 600_000,
}, async () => {
  const kinds = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyOperation, { minLength: operationsOfSequence, maxLength: operationsOfSequence, size: "max" }),
      async (operations) => {
        const type = `d${++names}`;
        const [expected, actual] = [
          await outcomesOf(memory, operations, type),
          await outcomesOf(real, operations, type),
        ];
        expect(actual).toEqual(expected);
        for (const outcome of expected) {
          const kind = typeof outcome === "string" ? (outcome.split(" ")[0] as string) : typeof outcome;
          kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
        }
      },
    ),
    { numRuns: sequences },
  );
  // Sequences in which nothing is stored, or nothing is refused, compare nothing.
  expect(kinds.get("Appended")).toBeGreaterThan(sequences);
  expect(kinds.get("Conflict")).toBeGreaterThan(sequences);
});

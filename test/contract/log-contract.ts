/**
 * What every adapter of the two ports promises, as one suite; an adapter's own file calls it.
 *
 * The streams are shared by all tests of a run: each test has an actor type of its own in its subjects.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Log, LogRecord } from "../../runtime/log/log.ts";
import type { OpenWorkQueue, Task, WorkQueue } from "../../runtime/log/work-queue.ts";
import { eventually } from "./eventually.ts";
import { all, bytes, firstSeqOf, observe, record, store, text } from "./observe.ts";

/** How the space of the suite must be made. */
export const contractSpace = { space: "contract", historyDepth: 3 } as const;

/** What one process has. */
interface ContractConnection {
  readonly log: Log;
  readonly workQueue: WorkQueue;
}

/** A space of its own, empty, made as {@link contractSpace} says. */
export interface ContractBroker {
  connect(): Promise<ContractConnection>;
  /** The headers of the newest record on a subject of CORE, as another client of the broker sees them. */
  headersOf(subject: string): Promise<Readonly<Record<string, string>>>;
  dispose(): Promise<void>;
}

const root = `sw.${contractSpace.space}`;
const pullMs = 5_000;

/** Declares the suite for one adapter. */
export function logContract(name: string, open: () => Promise<ContractBroker>): void {
  describe(`${name} keeps the contract of the log`, () => {
    let broker: ContractBroker;
    let log: Log;
    let other: Log;
    let workQueue: WorkQueue;
    let tests = 0;
    let type = "";

    /** A subject of CORE where history is kept. */
    const state = (id: string): string => `${root}.core.0.state.${type}.${id}`;
    const mail = (message: string, partition = 0): string => `${root}.core.${partition}.mail.${type}.a.${message}`;
    const mails = (): string => `${root}.core.*.mail.${type}.>`;
    const ingress = (message: string, sender = "client"): string => `${root}.in.${sender}.0.${type}.a.${message}`;
    const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i + 1}`);
    /** Stores records one by one. */
    const storeMails = async (messages: readonly string[]): Promise<number[]> => {
      const seqs: number[] = [];
      for (const message of messages) seqs.push(await store(log, "core", record(mail(message), message)));
      return seqs;
    };

    beforeAll(async () => {
      broker = await open();
      ({ log, workQueue } = await broker.connect());
      ({ log: other } = await broker.connect());
    });
    afterAll(async () => {
      await broker?.dispose();
    });
    beforeEach(() => {
      type = `t${++tests}`;
    });

    describe("append", () => {
      test("stores a record with the bytes, the subject and a time", async () => {
        const seq = await store(log, "core", { subject: state("a"), data: Uint8Array.of(0, 255, 10, 13, 128) });
        const stored = (await log.last("core", state("a"))) as LogRecord;
        expect([...stored.data]).toEqual([0, 255, 10, 13, 128]);
        expect(stored).toMatchObject({ subject: state("a"), seq });
        expect(Math.abs(stored.timeMs - Date.now())).toBeLessThan(60_000);
      });

      test("stores an empty record", async () => {
        await store(log, "core", { subject: state("a"), data: new Uint8Array() });
        expect((await log.last("core", state("a")))?.data.length).toBe(0);
      });

      test("stores the records of one call next to each other, in order", async () => {
        const result = await log.append(
          "core",
          names(7).map((message) => record(mail(message), message)),
        );
        const first = firstSeqOf(result);
        const stored = await all(log.scan("core", mails()));
        expect(stored.map((each) => [text(each), each.seq])).toEqual(
          names(7).map((message, i) => [message, first + i]),
        );
      });

      test("keeps calls that race each other apart", async () => {
        const results = await Promise.all(
          Array.from({ length: 8 }, (_, i) =>
            store(
              i % 2 === 0 ? log : other,
              "core",
              ...["x", "y", "z"].map((part) => record(mail(`${i}${part}`), `${i}${part}`)),
            ),
          ),
        );
        const stored = await all(log.scan("core", mails()));
        expect(stored).toHaveLength(24);
        for (const [i, first] of results.entries()) {
          expect(stored.filter((each) => each.seq >= first && each.seq < first + 3).map(text)).toEqual([
            `${i}x`,
            `${i}y`,
            `${i}z`,
          ]);
        }
      });

      test("stores what one process appended without waiting in the order of its calls", async () => {
        const results = await Promise.all(
          names(20).map((message) => log.append("ingress", [record(ingress(message), message)])),
        );
        const seqs = results.map(firstSeqOf);
        expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
      });

      test("accepts an expectation that is true", async () => {
        const first = await store(log, "core", record(state("a"), "1", 0));
        const second = await store(log, "core", record(state("a"), "2", first), record(mail("m"), "m"));
        expect(await log.last("core", state("a"))).toMatchObject({ seq: second });
      });

      test("stores nothing of a call with one false expectation, wherever it stands", async () => {
        const seq = await store(log, "core", record(state("a"), "1"));
        const { lastSeq } = await log.state("core");
        const calls = [
          [record(state("a"), "2", 0)],
          [record(state("a"), "2", seq + 1)],
          [record(state("b"), "1", seq)],
          [record(state("a"), "2", seq - 1), record(mail("m"), "m")],
          [record(mail("m"), "m"), record(state("a"), "2", 0)],
          [record(state("a"), "2", seq), record(state("b"), "1", 7), record(state("c"), "1", 0)],
        ];
        for (const call of calls) expect(await log.append("core", call)).toMatchObject({ _tag: "Conflict" });
        expect((await log.state("core")).lastSeq).toBe(lastSeq);
        expect(text(await log.last("core", state("a")))).toBe("1");
        expect(await log.lastMany("core", [state("b"), state("c"), mail("m")])).toEqual([
          undefined,
          undefined,
          undefined,
        ]);
      });

      test("checks each expectation against the log before the call", async () => {
        const first = await store(
          log,
          "core",
          record(state("a"), "1", 0),
          record(state("b"), "1", 0),
          record(mail("m"), "m"),
          record(state("c"), "1", 0),
        );
        await store(
          log,
          "core",
          record(state("c"), "2", first + 3),
          record(state("a"), "2", first),
          record(state("a"), "3"),
        );
        expect(text(await log.last("core", state("a")))).toBe("3");
      });

      test("lets exactly one of several racing writers win", async () => {
        for (let round = 0, lastSeq = 0; round < 5; round++) {
          const racers = Array.from({ length: 6 }, async (_, i) => {
            const writer = i % 2 === 0 ? log : other;
            const records = [record(state("a"), `${round}.${i}`, lastSeq), record(mail(`${round}-${i}`), "m")];
            for (;;) {
              const result = await writer.append("core", records);
              if (result._tag !== "TryAgain" || result.mayBeStored) return result;
            }
          });
          const results = await Promise.all(racers);
          expect(results.map((each) => each._tag).sort()).toEqual(["Appended", ...Array(5).fill("Conflict")]);
          lastSeq = firstSeqOf(
            results.find((each) => each._tag === "Appended") ?? { _tag: "Conflict", reason: "none" },
          );
        }
        expect(await all(log.scan("core", mails()))).toHaveLength(5);
      });

      test("expects nothing of a subject whose records were purged", async () => {
        const seq = await store(log, "core", record(state("a"), "1"));
        await log.purge("core", state("a"));
        expect(await log.append("core", [record(state("a"), "2", seq)])).toMatchObject({ _tag: "Conflict" });
        const again = await store(log, "core", record(state("a"), "2", 0));
        expect(again).toBeGreaterThan(seq);
      });

      test("rejects an expectation after a write to the same subject, and stores nothing", async () => {
        const call = [record(state("a"), "1"), record(state("a"), "2", 0)];
        await expect(log.append("core", call)).rejects.toThrow();
        expect(await log.last("core", state("a"))).toBeUndefined();
      });

      test("rejects more records than it accepts, and stores nothing", async () => {
        const call = Array.from({ length: log.limits.maxRecordsPerAppend + 1 }, () => record(mail("m"), ""));
        await expect(log.append("core", call)).rejects.toThrow();
        expect(await log.last("core", mail("m"))).toBeUndefined();
      });

      test("stores the largest record, and the most records, that it accepts", async () => {
        const data = new Uint8Array(log.limits.maxRecordBytes).fill(7);
        await store(log, "core", { subject: state("a"), data });
        expect((await log.last("core", state("a")))?.data.length).toBe(data.length);
        const most = Array.from({ length: log.limits.maxRecordsPerAppend }, (_, i) => record(mail(`m${i}`), `${i}`));
        const first = firstSeqOf(await log.append("core", most));
        expect(await log.last("core", mail(`m${most.length - 1}`))).toMatchObject({ seq: first + most.length - 1 });
        await log.purge("core", mails());
      });

      test("stores several large records at once", async () => {
        const { maxRecordBytes, maxBytesPerAppend } = log.limits;
        const count = Math.min(4, Math.floor(maxBytesPerAppend / maxRecordBytes));
        const sizeBytes = Math.floor(maxRecordBytes * 0.9);
        const first = await store(
          log,
          "core",
          ...names(count).map((message) => ({ subject: mail(message), data: new Uint8Array(sizeBytes).fill(1) })),
        );
        const stored = await all(log.scan("core", mails()));
        expect(stored.map((each) => [each.seq, each.data.length])).toEqual(
          names(count).map((_, i) => [first + i, sizeBytes]),
        );
        await log.purge("core", mails());
      });

      test("stores headers for other clients, of a single record and of each in a batch, and readers are none the wiser", async () => {
        const headers = {
          "content-type": "application/cloudevents+json; charset=utf-8",
          "ce-id": "1-a",
          "ce-note": "",
        };
        const seq = await store(log, "core", { ...record(state("a"), "1", 0), headers });
        expect(await broker.headersOf(state("a"))).toEqual(headers);
        await store(
          log,
          "core",
          { ...record(state("a"), "2", seq), headers: { "ce-id": "2" } },
          record(mail("m"), "m"),
          { ...record(mail("n"), "n"), headers: { "ce-id": "3", "ce-type": "x" } },
          { ...record(mail("o"), "o"), headers: { "ce-id": "4" } },
        );
        expect(await broker.headersOf(state("a"))).toEqual({ "ce-id": "2" });
        expect(await broker.headersOf(mail("m"))).toEqual({});
        expect(await broker.headersOf(mail("n"))).toEqual({ "ce-id": "3", "ce-type": "x" });
        expect(await broker.headersOf(mail("o"))).toEqual({ "ce-id": "4" });
        expect((await all(log.scan("core", mails()))).map(text)).toEqual(["m", "n", "o"]);
      });

      test.each([
        ["Euro € \u{1F600}", "Euro%20%E2%82%AC%20%F0%9F%98%80"],
        ['50%, "all"', "50%25,%20%22all%22"],
        ["a\r\nNats-Rollup: all\r\n\r\n", "a%0D%0ANats-Rollup:%20all%0D%0A%0D%0A"],
        ["\u0000\u007f\ud800", "%00%7F%EF%BF%BD"],
        ["/space/type/~plain!$&'()*+,;=:@[]", "/space/type/~plain!$&'()*+,;=:@[]"],
      ])("stores the header value %j as CloudEvents has it", async (value, stored) => {
        await store(log, "core", { ...record(state("a"), "1"), headers: { "ce-type": value } });
        expect(await broker.headersOf(state("a"))).toEqual({ "ce-type": stored });
      });

      test("rejects every header but content-type and those of CloudEvents, and stores nothing", async () => {
        const names = [
          "Nats-Rollup",
          "nats-msg-id",
          "Status",
          "Ce-Id",
          "CE-ID",
          "ce-",
          "ce-id:",
          "ce-id\r\nNats-TTL",
          "",
        ];
        const refused: Array<Record<string, unknown>> = [
          ...names.map((name) => ({ "ce-type": "x", [name]: "1" })),
          { "content-type": "a\r\nNats-Rollup: all" },
          { "content-type": "" },
          { "content-type": "té/xt" },
          { "ce-id": 1 },
          { "ce-id": undefined },
        ];
        for (const headers of refused) {
          const one = { ...record(state("a"), "1"), headers: headers as Record<string, string> };
          await expect(log.append("core", [one])).rejects.toThrow(/header/);
          await expect(log.append("core", [record(mail("m"), "m"), one])).rejects.toThrow(/header/);
        }
        expect(await log.lastMany("core", [state("a"), mail("m")])).toEqual([undefined, undefined]);
      });

      test("counts a record's headers with its bytes", async () => {
        const headers = { "ce-type": "x€".repeat(100) };
        // Name, colon and space, 10 bytes for each repetition, line end.
        const headerBytes = 7 + 2 + 100 * 10 + 2;
        const data = new Uint8Array(log.limits.maxRecordBytes - headerBytes);
        await store(log, "core", { subject: state("a"), data, headers });
        const larger = { subject: state("a"), data: new Uint8Array(data.length + 1), headers };
        await expect(log.append("core", [larger])).rejects.toThrow(/bytes/);
        await expect(log.append("core", [record(mail("m"), "m"), larger])).rejects.toThrow(/bytes/);
        await log.purge("core", state("a"));
      });

      test("keeps the newest records of a subject of CORE, up to the history depth", async () => {
        for (let i = 1; i <= 5; i++) await store(log, "core", record(state("a"), `${i}`));
        await store(log, "core", record(state("b"), "b"));
        expect((await all(log.scan("core", state("a")))).map(text)).toEqual(["3", "4", "5"]);
        expect((await all(log.scan("core", state("b")))).map(text)).toEqual(["b"]);
      });

      test("counts the sequences of the two streams apart", async () => {
        const before = await log.state("ingress");
        await store(log, "core", record(state("a"), "1"));
        await store(log, "ingress", record(ingress("m"), "1"));
        expect((await log.state("ingress")).lastSeq).toBe(before.lastSeq + 1);
      });
    });

    describe("last and lastMany", () => {
      test("see what any process has appended, as soon as that is confirmed", async () => {
        for (let i = 0; i < 20; i++) {
          const seq = await store(other, "core", record(state("a"), `${i}`));
          expect(await log.last("core", state("a"))).toMatchObject({ seq });
        }
      });

      test("find nothing where nothing was stored or all was purged", async () => {
        await store(log, "core", record(state("a"), "1"));
        await log.purge("core", state("a"));
        expect(await log.last("core", state("a"))).toBeUndefined();
        expect(await log.last("core", state("b"))).toBeUndefined();
      });

      test("return many in the order asked for", async () => {
        for (const id of ["a", "b", "c"]) await store(log, "core", record(state(id), id));
        await store(log, "core", record(state("b"), "b2"));
        const found = await log.lastMany("core", [state("c"), state("x"), state("b"), state("a"), state("y")]);
        expect(found.map(text)).toEqual(["c", undefined, "b2", "a", undefined]);
        expect(await log.lastMany("core", [])).toEqual([]);
      });

      test("return hundreds at once", async () => {
        const ids = Array.from({ length: 600 }, (_, i) => `i${i}`);
        await store(log, "core", ...ids.map((id) => record(state(id), id)));
        const subjects = ids.map(state).reverse();
        const found = await log.lastMany("core", subjects);
        expect(found.map((each) => each?.subject)).toEqual(subjects);
        await log.purge("core", `${root}.core.0.state.${type}.>`);
      });
    });

    describe("scan", () => {
      test("yields what matches, in ascending sequence", async () => {
        const seqs = await storeMails(names(5));
        await store(log, "core", record(state("a"), "other"));
        const stored = await all(log.scan("core", mails()));
        expect(stored.map((each) => each.seq)).toEqual(seqs);
        expect(stored.map(text)).toEqual(names(5));
      });

      test("starts at a sequence and ends after a number of records", async () => {
        const seqs = await storeMails(names(6));
        const scanned = async (options: { fromSeq?: number; limit?: number }) =>
          (await all(log.scan("core", mails(), options))).map((each) => each.seq);
        expect(await scanned({ fromSeq: seqs[2] as number })).toEqual(seqs.slice(2));
        expect(await scanned({ fromSeq: (seqs[2] as number) + 1, limit: 2 })).toEqual(seqs.slice(3, 5));
        expect(await scanned({ limit: 3 })).toEqual(seqs.slice(0, 3));
        expect(await scanned({ fromSeq: (seqs[5] as number) + 1 })).toEqual([]);
      });

      test("yields the newest record of each subject when asked to", async () => {
        await store(log, "core", record(state("a"), "a1"));
        await store(log, "core", record(state("b"), "b1"), record(state("c"), "c1"));
        await store(log, "core", record(state("b"), "b2"));
        await store(log, "core", record(state("a"), "a2"));
        const filter = `${root}.core.*.state.${type}.>`;
        const scan = async (options: object) =>
          (await all(log.scan("core", filter, { lastPerSubject: true, ...options }))).map(text);
        expect(await scan({})).toEqual(["c1", "b2", "a2"]);
        expect(await scan({ limit: 2 })).toEqual(["c1", "b2"]);
      });

      test("yields nothing when nothing matches", async () => {
        expect(await all(log.scan("core", mails()))).toEqual([]);
        expect(await all(log.scan("ingress", ingress("m"), { lastPerSubject: true }))).toEqual([]);
      });

      test("yields thousands", async () => {
        const count = 2_500;
        for (let i = 0; i < count; i += 500) {
          await store(
            log,
            "ingress",
            ...Array.from({ length: 500 }, (_, j) => record(ingress(`m${i + j}`), `${i + j}`)),
          );
        }
        const stored = await all(log.scan("ingress", `${root}.in.*.0.${type}.>`));
        expect(stored.map(text)).toEqual(Array.from({ length: count }, (_, i) => `${i}`));
      });

      test("ends when its consumer has had enough", async () => {
        await storeMails(names(5));
        const seen: (string | undefined)[] = [];
        for await (const each of log.scan("core", mails())) {
          seen.push(text(each));
          if (seen.length === 2) break;
        }
        expect(seen).toEqual(["m1", "m2"]);
      });
    });

    describe("count", () => {
      test("says how many records match, from a sequence on", async () => {
        const seqs = await storeMails(names(6));
        await store(log, "core", record(state("a"), "other"));
        expect(await log.count("core", mails())).toBe(6);
        expect(await log.count("core", mails(), seqs[2] as number)).toBe(4);
        expect(await log.count("core", mails(), (seqs[2] as number) + 1)).toBe(3);
        expect(await log.count("core", mail("m4"))).toBe(1);
        expect(await log.count("core", mails(), (seqs[5] as number) + 1)).toBe(0);
      });

      test("counts every version that a subject keeps", async () => {
        await storeMails(["m1"]);
        for (const version of ["1", "2", "3", "4"]) await store(log, "core", record(state("a"), version));
        expect(await log.count("core", state("a"))).toBe(contractSpace.historyDepth);
      });

      test("leaves out what was purged", async () => {
        const seqs = await storeMails(names(5));
        await log.purge("core", mails(), seqs[1] as number);
        await log.purge("core", mail("m4"));
        expect(await log.count("core", mails())).toBe(3);
        await log.purge("core", mails());
        expect(await log.count("core", mails())).toBe(0);
      });

      test("says 0 where nothing was ever stored", async () => {
        expect(await log.count("core", mails())).toBe(0);
        expect(await log.count("ingress", ingress("m"), 1_000_000)).toBe(0);
      });

      test("counts thousands, with each sender's apart where asked", async () => {
        for (let i = 0; i < 2000; i += 500) {
          const sent = Array.from({ length: 500 }, (_, j) =>
            record(ingress(`m${i + j}`, j % 5 === 0 ? "x" : "y"), "e"),
          );
          await store(log, "ingress", ...sent);
        }
        expect(await log.count("ingress", `${root}.in.*.0.${type}.>`)).toBe(2000);
        expect(await log.count("ingress", `${root}.in.x.0.${type}.>`)).toBe(400);
      });
    });

    describe("a reader", () => {
      test("delivers what is stored and then what follows, each record once, in ascending sequence", async () => {
        await storeMails(names(5));
        const seen = observe(log, "core", [mails()]);
        await seen.reader.ready;
        for (let i = 0; i < 5; i++) {
          await store(
            i % 2 === 0 ? log : other,
            "core",
            record(mail(`n${i}`), `n${i}`),
            record(mail(`o${i}`), `o${i}`),
          );
        }
        const expected = [...names(5), ...[0, 1, 2, 3, 4].flatMap((i) => [`n${i}`, `o${i}`])];
        await eventually(() => expect(seen.texts()).toEqual(expected));
        const seqs = seen.records.map((each) => each.seq);
        expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
        expect(seen.errors).toEqual([]);
        seen.reader.stop();
      });

      test("says once that it has caught up, after all that was stored when it opened", async () => {
        await storeMails(names(4));
        const seen = observe(log, "core", [mails()]);
        await eventually(() => expect(seen.caughtUpAt).toHaveLength(1));
        expect(seen.caughtUpAt[0]).toBeGreaterThanOrEqual(4);
        await storeMails(["n1", "n2"]);
        await eventually(() => expect(seen.records).toHaveLength(6));
        expect(seen.caughtUpAt).toHaveLength(1);
        seen.reader.stop();
      });

      test("has caught up at once when nothing is stored", async () => {
        const seen = observe(log, "core", [mails()]);
        await eventually(() => expect(seen.caughtUpAt).toEqual([0]));
        seen.reader.stop();
      });

      test("starts at the sequence it is told", async () => {
        const seqs = await storeMails(names(5));
        const seen = observe(log, "core", [mails()], { seq: seqs[3] as number });
        const gap = observe(log, "core", [mails()], { seq: (seqs[3] as number) + 1 });
        await eventually(() => expect([seen.texts(), gap.texts()]).toEqual([["m4", "m5"], ["m5"]]));
        seen.reader.stop();
        gap.reader.stop();
      });

      test("starts with the newest record of each subject when told so", async () => {
        await store(log, "core", record(state("a"), "a1"));
        await store(log, "core", record(state("b"), "b1"));
        await store(log, "core", record(state("a"), "a2"));
        const seen = observe(log, "core", [`${root}.core.*.state.${type}.*`], "last-per-subject");
        await eventually(() => expect(seen.caughtUpAt).toHaveLength(1));
        expect(seen.texts()).toEqual(["b1", "a2"]);
        await store(log, "core", record(state("a"), "a3"));
        await store(log, "core", record(state("a"), "a4"));
        await eventually(() => expect(seen.texts()).toEqual(["b1", "a2", "a3", "a4"]));
        seen.reader.stop();
      });

      test("delivers only what comes after it opened when told so", async () => {
        await storeMails(names(3));
        const seen = observe(log, "core", [mails()], "new");
        await seen.reader.ready;
        await storeMails(["n1", "n2"]);
        await eventually(() => expect(seen.texts()).toEqual(["n1", "n2"]));
        seen.reader.stop();
      });

      test("matches one token with * and the rest with >", async () => {
        const subjects = [
          `${root}.core.1.mail.${type}.a.m`,
          `${root}.core.2.mail.${type}.a.m`,
          `${root}.core.1.dead.${type}.a.m`,
          `${root}.core.1.mail.${type}.b.m`,
          `${root}.core.1.mail.${type}.b`,
          `${root}.core.1.mail.${type}.b.m.n`,
          `${root}.core.1.mail.${type}x.b.m`,
        ];
        const filters = {
          literal: subjects[0] as string,
          partition: `${root}.core.*.mail.${type}.a.m`,
          kind: `${root}.core.1.*.${type}.a.*`,
          rest: `${root}.core.1.mail.${type}.>`,
          last: `${root}.core.1.mail.${type}.*.*`,
        };
        const seen = Object.values(filters).map((filter) => observe(log, "core", [filter]));
        await store(log, "core", ...subjects.map((subject, i) => record(subject, `${i}`)));
        await eventually(() => {
          expect(seen.map((each) => each.texts().join(""))).toEqual(["0", "01", "02", "0345", "03"]);
        });
        for (const each of seen) each.reader.stop();
        for (const filter of Object.values(filters)) {
          const scanned = (await all(log.scan("core", filter))).map(text).join("");
          expect(scanned).toBe(seen[Object.values(filters).indexOf(filter)]?.texts().join(""));
        }
      });

      test("merges several filters in ascending sequence", async () => {
        const filters = [`${root}.core.1.mail.${type}.>`, `${root}.core.3.mail.${type}.>`];
        for (const [i, partition] of [1, 2, 3, 1, 3].entries())
          await store(log, "core", record(mail(`m${i}`, partition), `${i}`));
        const seen = observe(log, "core", filters);
        await eventually(() => expect(seen.texts()).toEqual(["0", "2", "3", "4"]));
        await store(log, "core", record(mail("m5", 3), "5"), record(mail("m6", 2), "6"), record(mail("m7", 1), "7"));
        await eventually(() => expect(seen.texts()).toEqual(["0", "2", "3", "4", "5", "7"]));
        expect(seen.caughtUpAt).toHaveLength(1);
        seen.reader.stop();
      });

      test("pauses, and loses and repeats nothing after it goes on", async () => {
        const seen = observe(log, "ingress", [`${root}.in.*.0.${type}.>`]);
        await seen.reader.ready;
        const count = 3_000;
        seen.reader.pause();
        for (let i = 0; i < count; i += 500) {
          await store(
            log,
            "ingress",
            ...Array.from({ length: 500 }, (_, j) => record(ingress(`m${i + j}`), `${i + j}`)),
          );
        }
        expect(seen.records.length).toBeLessThan(1_000);
        seen.reader.resume();
        await eventually(() => expect(seen.records.length).toBeGreaterThan(100));
        seen.reader.pause();
        seen.reader.resume();
        await eventually(() => expect(seen.records.length).toBe(count));
        expect(seen.texts()).toEqual(Array.from({ length: count }, (_, i) => `${i}`));
        seen.reader.stop();
      });

      test("delivers nothing after it is stopped, not even in the middle of a batch", async () => {
        const seen = observe(log, "core", [mails()], { seq: 1 }, (each, reader) => {
          if (text(each) === "m3") reader.stop();
        });
        const witness = observe(log, "core", [mails()]);
        await store(log, "core", ...names(6).map((message) => record(mail(message), message)));
        await eventually(() => expect(witness.records).toHaveLength(6));
        await eventually(() => expect(seen.records.length).toBeGreaterThanOrEqual(3));
        await storeMails(["n1"]);
        await eventually(() => expect(witness.records).toHaveLength(7));
        expect(seen.texts()).toEqual(["m1", "m2", "m3"]);
        seen.reader.stop();
        witness.reader.stop();
      });

      test("goes on over records that are purged in front of it", async () => {
        const seqs = await storeMails(names(6));
        await log.purge("core", mails(), seqs[4] as number);
        const seen = observe(log, "core", [mails()]);
        await storeMails(["n1"]);
        await eventually(() => expect(seen.texts()).toEqual(["m5", "m6", "n1"]));
        expect(seen.caughtUpAt).toHaveLength(1);
        seen.reader.stop();
      });

      test("works beside others on the same subjects", async () => {
        const seen = [log, log, other].map((each) => observe(each, "core", [mails()]));
        await storeMails(names(3));
        await eventually(() => expect(seen.map((each) => each.texts())).toEqual([names(3), names(3), names(3)]));
        for (const each of seen) each.reader.stop();
      });
    });

    describe("purge", () => {
      test("removes what matches and nothing else, and says how many", async () => {
        await storeMails(names(4));
        await store(log, "core", record(state("a"), "kept"));
        expect(await log.purge("core", mail("m2"))).toBe(1);
        expect((await all(log.scan("core", mails()))).map(text)).toEqual(["m1", "m3", "m4"]);
        expect(await log.purge("core", mails())).toBe(3);
        expect(await log.purge("core", mails())).toBe(0);
        expect(text(await log.last("core", state("a")))).toBe("kept");
      });

      test("removes only below a sequence when given", async () => {
        const seqs = await storeMails(names(5));
        expect(await log.purge("core", mails(), seqs[2] as number)).toBe(2);
        expect((await all(log.scan("core", mails()))).map(text)).toEqual(["m3", "m4", "m5"]);
        expect(await log.purge("core", mails(), (seqs[4] as number) + 1)).toBe(3);
      });

      test("does not let a sequence be used again", async () => {
        const seqs = await storeMails(names(3));
        await log.purge("core", mails());
        const [next] = await storeMails(["n"]);
        expect(next).toBe((seqs[2] as number) + 1);
      });
    });

    describe("state", () => {
      test("tells what is stored, with an identity that stays and differs between the streams", async () => {
        const before = await log.state("core");
        const seqs = await storeMails(names(3));
        const after = await other.state("core");
        expect(after.identity).toBe(before.identity);
        expect(after.identity).not.toBe((await log.state("ingress")).identity);
        expect(after.lastSeq).toBe(seqs[2]);
        expect(after.records).toBe(before.records + 3);
        expect(after.sizeBytes).toBeGreaterThan(before.sizeBytes);
        expect(after.firstSeq).toBeGreaterThanOrEqual(1);
      });
    });

    describe("signals", () => {
      test("reach everyone who listens, in the order of their sender, and are not stored", async () => {
        const { lastSeq } = await log.state("core");
        const got: Record<string, string[]> = { self: [], other: [], wild: [], none: [] };
        const subject = `${root}.reply.${type}.1`;
        const listen = (to: Log, filter: string, name: string) =>
          to.listen(filter, (on, data) => got[name]?.push(`${on.slice(root.length)} ${text({ data })}`));
        const stops = [
          listen(log, subject, "self"),
          listen(other, subject, "other"),
          listen(other, `${root}.reply.${type}.*`, "wild"),
          listen(other, `${root}.reply.${type}.2`, "none"),
        ];
        await Promise.all([log.flush(), other.flush()]);
        for (let i = 0; i < 5; i++) log.signal(subject, bytes(`${i}`));
        const expected = [0, 1, 2, 3, 4].map((i) => `.reply.${type}.1 ${i}`);
        await eventually(() => expect(got).toEqual({ self: expected, other: expected, wild: expected, none: [] }));
        expect((await log.state("core")).lastSeq).toBe(lastSeq);
        for (const stop of stops) stop();
      });

      test("are not received any more after listening was stopped", async () => {
        const subject = `${root}.reply.${type}.1`;
        const got: string[] = [];
        const heard: string[] = [];
        const stop = other.listen(subject, (_, data) => got.push(text({ data }) as string));
        const stopWitness = other.listen(subject, (_, data) => heard.push(text({ data }) as string));
        await other.flush();
        log.signal(subject, bytes("1"));
        await eventually(() => expect([got, heard]).toEqual([["1"], ["1"]]));
        stop();
        log.signal(subject, bytes("2"));
        await eventually(() => expect(heard).toEqual(["1", "2"]));
        expect(got).toEqual(["1"]);
        stopWitness();
      });
    });

    describe("a work queue", () => {
      const tasks = (): string => `${root}.core.*.task.${type}.>`;
      const task = (id: string) => record(`${root}.core.0.task.${type}.${id}`, id);
      const openQueue = (
        options: { visibilityMs?: number; maxInFlight?: number } = {},
        name = type,
        from = workQueue,
      ) => from.open({ name: `q-${name}`, filter: tasks(), ...options });
      /** Pulls until it has as many tasks. */
      const pull = async (queue: OpenWorkQueue, count: number, limitMs = 15_000): Promise<Task[]> => {
        const got: Task[] = [];
        const giveUpMs = performance.now() + limitMs;
        while (got.length < count && performance.now() < giveUpMs)
          got.push(...(await queue.pull(count - got.length, 500)));
        return got;
      };
      const idsOf = (got: readonly Task[]) => got.map(text).sort();

      test("hands out each record once, those stored before it was opened too", async () => {
        await store(log, "core", task("a"), task("b"));
        const queue = await openQueue();
        await store(log, "core", task("c"), record(mail("m"), "not a task"));
        const got = await pull(queue, 3);
        expect(idsOf(got)).toEqual(["a", "b", "c"]);
        expect(got.map((each) => each.delivery)).toEqual([1, 1, 1]);
        const [a] = got.filter((each) => text(each) === "a") as [Task];
        expect(await log.last("core", a.subject)).toMatchObject({ seq: a.seq });
        for (const each of got) each.ack();
        expect(await queue.pull(10, 50)).toEqual([]);
        await queue.close();
      });

      test("waits for the first task, and resolves with none when the time is over", async () => {
        const queue = await openQueue();
        expect(await queue.pull(1, 50)).toEqual([]);
        const pulled = queue.pull(5, pullMs);
        await store(other, "core", task("a"));
        const got = await pulled;
        expect(got.map(text)).toEqual(["a"]);
        got[0]?.ack();
        await queue.close();
      });

      test("hands out no more than asked for, and no more than may be out", async () => {
        const queue = await openQueue({ maxInFlight: 3 });
        await store(log, "core", ...["a", "b", "c", "d", "e"].map(task));
        const first = await pull(queue, 2);
        expect(first).toHaveLength(2);
        const second = await queue.pull(5, pullMs);
        expect(second).toHaveLength(1);
        expect(await queue.pull(5, 50)).toEqual([]);
        for (const each of first) each.ack();
        const third = await pull(queue, 2);
        expect(idsOf([...first, ...second, ...third])).toEqual(["a", "b", "c", "d", "e"]);
        for (const each of [...second, ...third]) each.ack();
        await queue.close();
      });

      test("is shared by all who pull under its name", async () => {
        const mine = await openQueue();
        const connection = await broker.connect();
        const theirs = await openQueue({}, type, connection.workQueue);
        await store(log, "core", ...["a", "b", "c", "d"].map(task));
        const got = [...(await pull(mine, 2)), ...(await pull(theirs, 2))];
        expect(idsOf(got)).toEqual(["a", "b", "c", "d"]);
        for (const each of got) each.ack();
        await mine.close();
        await theirs.close();
        await connection.log.close();
      });

      test("delivers a task again when it is neither acknowledged nor extended in time", async () => {
        const queue = await openQueue({ visibilityMs: 1_000 });
        await store(log, "core", task("a"));
        const [first] = (await pull(queue, 1)) as [Task];
        expect(first.delivery).toBe(1);
        const [second] = (await pull(queue, 1)) as [Task];
        expect([text(second), second.seq, second.delivery]).toEqual(["a", first.seq, 2]);
        second.ack();
        expect(await queue.pull(1, 1_500)).toEqual([]);
        await queue.close();
      });

      test("keeps a task that is extended", async () => {
        const queue = await openQueue({ visibilityMs: 2_000 });
        await store(log, "core", task("a"));
        const [held] = (await pull(queue, 1)) as [Task];
        const startMs = performance.now();
        while (performance.now() - startMs < 3_500) {
          held.extend();
          expect(await queue.pull(1, 300)).toEqual([]);
        }
        held.ack();
        await queue.close();
      });

      test("delivers a task that was given back again, at once or after the delay", async () => {
        const queue = await openQueue();
        await store(log, "core", task("a"));
        const [first] = (await pull(queue, 1)) as [Task];
        first.nak();
        const [second] = (await pull(queue, 1)) as [Task];
        expect(second.delivery).toBe(2);
        const startMs = performance.now();
        second.nak(700);
        const [third] = (await pull(queue, 1)) as [Task];
        expect(third.delivery).toBe(3);
        expect(performance.now() - startMs).toBeGreaterThan(600);
        third.ack();
        await queue.close();
      });

      test("outlives those who pulled from it", async () => {
        const queue = await openQueue();
        await store(log, "core", task("a"), task("b"));
        const got = await pull(queue, 2);
        for (const each of got) each.ack();
        await log.flush();
        expect(await queue.pull(1, 50)).toEqual([]);
        await queue.close();
        await store(log, "core", task("c"));
        const again = await openQueue();
        const rest = await pull(again, 1);
        expect(idsOf(rest)).toEqual(["c"]);
        rest[0]?.ack();
        await again.close();
      });

      test("does not hand out what was purged", async () => {
        const queue = await openQueue();
        await store(log, "core", task("a"), task("b"));
        await log.purge("core", `${root}.core.0.task.${type}.a`);
        const got = await pull(queue, 1);
        expect(idsOf(got)).toEqual(["b"]);
        got[0]?.ack();
        await queue.close();
      });

      test("says up to where every task is done, and lets that be purged", async () => {
        const queue = await openQueue();
        const floor = async () => (await queue.state()).floor;
        const firstSeq = await store(log, "core", ...["a", "b", "c", "d"].map(task));
        expect(await queue.state()).toMatchObject({ waiting: 4, out: 0 });
        expect(await floor()).toBeLessThan(firstSeq);
        const got = await pull(queue, 4);
        const bySeq = [...got].sort((x, y) => x.seq - y.seq) as [Task, Task, Task, Task];
        await eventually(async () => expect(await queue.state()).toMatchObject({ waiting: 0, out: 4 }));
        // What was done out of order waits for what is before it.
        bySeq[1].ack();
        bySeq[3].ack();
        await eventually(async () => expect((await queue.state()).out).toBe(2));
        expect(await floor()).toBeLessThan(firstSeq);
        bySeq[0].ack();
        await eventually(async () => expect(await floor()).toBe(bySeq[1].seq));
        expect(await log.purge("core", tasks(), (await floor()) + 1)).toBe(2);
        expect((await all(log.scan("core", tasks()))).map(text)).toEqual(["c", "d"]);
        // What was not done comes again, whatever was purged below it.
        bySeq[2].nak();
        const [again] = (await pull(queue, 1)) as [Task];
        expect([text(again), again.delivery]).toEqual(["c", 2]);
        again.ack();
        await eventually(async () => expect(await floor()).toBe(bySeq[3].seq));
        expect(await log.purge("core", tasks(), (await floor()) + 1)).toBe(2);
        await store(log, "core", task("e"));
        const [fresh] = (await pull(queue, 1)) as [Task];
        expect(text(fresh)).toBe("e");
        fresh.ack();
        await queue.close();
        await expect(queue.state()).rejects.toMatchObject({ _tag: "SystemStoppedError" });
      });

      test("is not held up by a task that was purged while it was out", async () => {
        const queue = await openQueue({ visibilityMs: 1_000 });
        await store(log, "core", task("a"), task("b"));
        const got = await pull(queue, 2);
        await log.purge("core", `${root}.core.0.task.${type}.a`);
        for (const each of got) if (text(each) === "b") each.ack();
        const last = await store(log, "core", task("c"));
        const [c] = (await pull(queue, 1)) as [Task];
        expect(text(c)).toBe("c");
        c.ack();
        // A task that is gone may be remembered until it would have come again.
        await eventually(async () => {
          expect(await queue.pull(1, 100)).toEqual([]);
          expect((await queue.state()).floor).toBe(last);
        });
        await queue.close();
      });

      test("lets no pull wait on when it is closed", async () => {
        const queue = await openQueue();
        const end = (pulled: Promise<readonly Task[]>) =>
          pulled.then(
            (got) => got.length,
            (error) => error._tag,
          );
        const waiting = end(queue.pull(1, 60_000));
        await log.flush();
        const asked = end(queue.pull(1, 60_000));
        await queue.close();
        for (const pulled of [waiting, asked]) expect([0, "SystemStoppedError"]).toContain(await pulled);
        await expect(queue.pull(1, 50)).rejects.toMatchObject({ _tag: "SystemStoppedError" });
      });
    });

    describe("close", () => {
      test("rejects later calls with SystemStoppedError and leaves other connections alone", async () => {
        const { log: closing } = await broker.connect();
        await store(closing, "core", record(state("a"), "1"));
        await closing.close();
        const calls: Array<() => Promise<unknown>> = [
          () => closing.append("core", [record(state("a"), "2")]),
          () => closing.last("core", state("a")),
          () => closing.lastMany("core", [state("a"), state("b")]),
          () => all(closing.scan("core", mails())),
          () => closing.count("core", mails()),
          () => closing.purge("core", mails()),
          () => closing.state("core"),
          () => closing.flush(),
          async () => observe(closing, "core", [mails()]).reader.ready,
          async () => closing.signal(`${root}.reply.${type}.1`, bytes("1")),
          async () => closing.listen(`${root}.reply.${type}.1`, () => {}),
        ];
        for (const call of calls) await expect(call()).rejects.toMatchObject({ _tag: "SystemStoppedError" });
        await closing.close();
        expect(text(await log.last("core", state("a")))).toBe("1");
      });

      test("ends readers and listeners", async () => {
        const { log: closing } = await broker.connect();
        const seen = observe(closing, "core", [mails()]);
        const witness = observe(log, "core", [mails()]);
        const heard: string[] = [];
        const got: string[] = [];
        const subject = `${root}.reply.${type}.1`;
        closing.listen(subject, (_, data) => got.push(text({ data }) as string));
        const stop = log.listen(subject, (_, data) => heard.push(text({ data }) as string));
        await Promise.all([closing.flush(), log.flush(), seen.reader.ready, witness.reader.ready]);
        await storeMails(["m1"]);
        await eventually(() => expect(seen.texts()).toEqual(["m1"]));
        await closing.close();
        await storeMails(["m2"]);
        log.signal(subject, bytes("1"));
        await eventually(() => expect([witness.texts(), heard]).toEqual([["m1", "m2"], ["1"]]));
        expect([seen.texts(), seen.errors, got]).toEqual([["m1"], [], []]);
        witness.reader.stop();
        stop();
      });
    });
  });
}

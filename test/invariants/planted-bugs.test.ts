/**
 * The checks are checked: every bug that is planted here, without touching the product's files, must be found within so many worlds.
 *
 * A bug is planted in the log that nodes are given (what they write is changed on the way), or in the prototype of a part of the engine.
 */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { type CheckpointRecord, encodeRecord, type KeyRecord, type StateRecord } from "../../runtime/core/records.ts";
import { Committer } from "../../runtime/engine/committer.ts";
import type { Delivery } from "../../runtime/engine/delivery.ts";
import { Dispatcher } from "../../runtime/engine/dispatcher.ts";
import { Lane } from "../../runtime/engine/lane.ts";
import { LowWater } from "../../runtime/engine/low-water.ts";
import type { AppendRecord, AppendResult, Log } from "../../runtime/log/log.ts";
import { impurity } from "./actors.ts";
import { findViolation } from "./check-plans.ts";
import { kindOf, type Violation } from "./oracle.ts";
import { plans } from "./plan.ts";
import type { Sabotage } from "./sim-nodes.ts";
import { runPlan } from "./world.ts";
import { wrapLog } from "./wrap-log.ts";

const mostWorlds = 10_000;
const seed = 4711;

const undo: (() => void)[] = [];

afterEach(() => {
  for (const restore of undo.splice(0)) restore();
});

/** Replaces a method of the engine until the end of the test. */
function patch<T extends object, K extends keyof T>(target: T, name: K, make: (original: T[K]) => T[K]): void {
  const descriptor = Object.getOwnPropertyDescriptor(target, name) as PropertyDescriptor;
  Object.defineProperty(target, name, { ...descriptor, value: make(target[name]) });
  undo.push(() => Object.defineProperty(target, name, descriptor));
}

type Append = (stream: "core" | "ingress", records: readonly AppendRecord[]) => Promise<AppendResult>;

/** A log whose appends to CORE are done otherwise. */
function withAppend(
  make: (append: Append, log: Log) => (records: readonly AppendRecord[]) => Promise<AppendResult>,
): Sabotage {
  return {
    wrap: (log) => {
      const append: Append = (stream, records) => log.append(stream, records);
      const changed = make(append, log);
      return wrapLog(log, {
        append: (stream, records) => (stream === "core" ? changed(records) : log.append(stream, records)),
      });
    },
  };
}

/** A log that changes every record of a kind on its way; undefined drops it. */
function withRecords(kind: string, change: (record: AppendRecord) => AppendRecord | undefined): Sabotage {
  return withAppend((append) => (records) => {
    const changed = records.flatMap((record) => {
      const made = kindOf(record as never) === kind ? change(record) : record;
      return made === undefined ? [] : [made];
    });
    // An append of nothing is refused by the log; nothing is what was asked for.
    return changed.length === 0 ? Promise.resolve({ _tag: "Appended", firstSeq: 1 } as const) : append("core", changed);
  });
}

/** A log that stores records of the kinds after the others, in an append of their own. */
function apart(kinds: ReadonlySet<string>): Sabotage {
  return withAppend((append) => async (records) => {
    const late = records.filter((record) => kinds.has(kindOf(record as never)));
    const soon = records.filter((record) => !kinds.has(kindOf(record as never)));
    const result = soon.length === 0 ? undefined : await append("core", soon);
    if (late.length === 0 || (result !== undefined && result._tag !== "Appended")) return result as AppendResult;
    const second = await append("core", late);
    return result ?? second;
  });
}

function withoutFence({ subject, data }: AppendRecord): AppendRecord {
  return { subject, data };
}

function edited<R extends { readonly format: number }>(record: AppendRecord, edit: (value: R) => R): AppendRecord {
  const value = edit(JSON.parse(Buffer.from(record.data).toString()) as R);
  return { ...record, data: encodeRecord(value) };
}

/** The last sequences of what an append expects: to write over whatever is there. */
async function refenced(log: Log, records: readonly AppendRecord[]): Promise<AppendRecord[]> {
  const fenced = records.filter((record) => record.expectLastSeq !== undefined);
  const found = await log.lastMany(
    "core",
    fenced.map((record) => record.subject),
  );
  return records.map((record) => {
    const at = fenced.indexOf(record);
    return at < 0 ? record : { ...record, expectLastSeq: found[at]?.seq ?? 0 };
  });
}

interface PlantedBug {
  readonly name: string;
  /** Where it may show itself. */
  readonly breaks: readonly Violation["invariant"][];
  /** Plants it. */
  readonly plant: () => Sabotage;
}

const bugs: readonly PlantedBug[] = [
  {
    name: "a state record without its fence",
    breaks: ["I5", "I2", "I1"],
    plant: () => withRecords("state", withoutFence),
  },
  {
    name: "a fence that is read anew just before the commit",
    breaks: ["I5", "I2", "I1"],
    plant: () =>
      withAppend((append, log) => async (records) => {
        if (!records.some((record) => kindOf(record as never) === "state")) return append("core", records);
        return append("core", await refenced(log, records).catch(() => [...records]));
      }),
  },
  {
    name: "messages to other actors stored after the state, in an append of their own",
    // In one commit of several messages they also stand in another order than when it is decided again.
    breaks: ["I3", "I7"],
    plant: () => apart(new Set(["mail"])),
  },
  {
    name: "emitted events stored after the state, in an append of their own",
    breaks: ["I3", "I7"],
    plant: () => apart(new Set(["emit"])),
  },
  {
    name: "dead letters stored outside the batch",
    breaks: ["I3", "I6", "I7"],
    plant: () => apart(new Set(["dead"])),
  },
  {
    name: "a commit that is stored record by record",
    breaks: ["I3", "I2", "I5"],
    plant: () =>
      withAppend((append) => async (records) => {
        let first: AppendResult | undefined;
        for (const record of records) {
          const result = await append("core", [record]);
          if (result._tag !== "Appended") return result;
          first ??= result;
        }
        return first as AppendResult;
      }),
  },
  {
    name: "a timeout that is taken for a refusal, and the commit made anew on what is read",
    breaks: ["I5", "I2", "I1"],
    plant: () =>
      withAppend((append, log) => async (records) => {
        const result = await append("core", records);
        if (result._tag !== "TryAgain" || !result.mayBeStored) return result;
        return append("core", await refenced(log, records).catch(() => [...records]));
      }),
  },
  {
    name: "a timeout that is taken for a success",
    breaks: ["I1", "progress", "I3", "defect"],
    plant: () =>
      withAppend((append) => async (records) => {
        const result = await append("core", records);
        return result._tag === "TryAgain" && result.mayBeStored ? { _tag: "Appended", firstSeq: 1 } : result;
      }),
  },
  {
    name: "an idempotency key that is not remembered",
    breaks: ["I3", "I2"],
    plant: () => withRecords("key", () => undefined),
  },
  {
    name: "an idempotency key that may be there already",
    breaks: ["I2"],
    plant: () => withRecords("key", withoutFence),
  },
  {
    name: "a key record that another actor's commit takes along",
    breaks: ["I3"],
    plant: () => withRecords("key", (record) => edited<KeyRecord>(record, (key) => ({ ...key, message: "other" }))),
  },
  {
    name: "a checkpoint that is written ahead of the commits",
    breaks: ["I1"],
    plant: () =>
      withRecords("checkpoint", (record) =>
        edited<CheckpointRecord>(record, ({ cursor, ...rest }) => ({
          ...rest,
          cursor: { ingress: cursor.ingress + 2, core: cursor.core },
        })),
      ),
  },
  {
    name: "a low-water mark that passes over what was read and is not handled",
    breaks: ["I1"],
    plant: () => {
      patch(
        LowWater.prototype,
        "handled",
        (handled) =>
          function (this: LowWater, seq: number) {
            handled.call(this, seq);
            this.advance(seq);
          },
      );
      patch(
        LowWater.prototype,
        "advance",
        () =>
          function (this: LowWater, seq: number) {
            // As if nothing were open.
            const marks = ahead.get(this) ?? 0;
            ahead.set(this, Math.max(marks, seq));
          },
      );
      const ahead = new WeakMap<LowWater, number>();
      const descriptor = Object.getOwnPropertyDescriptor(LowWater.prototype, "mark") as PropertyDescriptor;
      const mark = descriptor.get as () => number;
      Object.defineProperty(LowWater.prototype, "mark", {
        ...descriptor,
        get(this: LowWater) {
          return Math.max(mark.call(this), ahead.get(this) ?? 0);
        },
      });
      undo.push(() => Object.defineProperty(LowWater.prototype, "mark", descriptor));
      return {};
    },
  },
  {
    name: "a purge that takes some messages too many",
    breaks: ["I1"],
    plant: () => ({
      wrap: (log) =>
        wrapLog(log, { purge: (stream, filter, beforeSeq = 0) => log.purge(stream, filter, beforeSeq + 6) }),
    }),
  },
  {
    name: "a state that is kept in memory after a conflict",
    breaks: ["I5", "I2", "I1", "I7", "machine", "progress"],
    plant: () => {
      const heads = new WeakMap<Lane, Lane["head"]>();
      patch(
        Lane.prototype,
        "invalidate",
        (invalidate) =>
          function (this: Lane) {
            heads.set(this, this.head);
            invalidate.call(this);
          },
      );
      patch(
        Lane.prototype,
        "load",
        (load) =>
          function (this: Lane, seq: number, record: StateRecord | undefined, now: number) {
            load.call(this, seq, record, now);
            this.head = heads.get(this) ?? this.head;
          },
      );
      return {};
    },
  },
  {
    name: "a cursor that is not stored",
    breaks: ["I2", "I1", "I5"],
    plant: () =>
      withRecords("state", (record) =>
        edited<StateRecord>(record, (state) => ({ ...state, cursor: { ...state.cursor, ingress: 0 } })),
      ),
  },
  {
    name: "a cursor that is forgotten when a state is loaded",
    breaks: ["I2", "I1"],
    plant: () => {
      patch(
        Lane.prototype,
        "load",
        (load) =>
          function (this: Lane, seq: number, record: StateRecord | undefined, now: number) {
            load.call(this, seq, record, now);
            this.head = { ...this.head, cursor: { ingress: 0, core: 0 } };
            this.committed = this.head.cursor;
          },
      );
      return {};
    },
  },
  {
    name: "a retry that lets later messages overtake",
    breaks: ["I1", "I4"],
    plant: () => {
      patch(
        Dispatcher.prototype,
        "accept",
        (accept) =>
          function (this: Dispatcher, lane, delivery, isRefill) {
            if (lane.phase !== "waiting") return accept.call(this, lane, delivery, isRefill);
            const waiting = lane.queue.shift() as Delivery;
            lane.phase = "ready";
            const isTaken = accept.call(this, lane, delivery, isRefill);
            lane.queue.push(waiting);
            return isTaken;
          },
      );
      return {};
    },
  },
  {
    name: "a conflict after which what was decided is forgotten",
    breaks: ["I1", "progress"],
    plant: () => {
      patch(
        Lane.prototype,
        "invalidate",
        (invalidate) =>
          function (this: Lane) {
            this.inFlight = [];
            this.decided = [];
            invalidate.call(this);
          },
      );
      return {};
    },
  },
  {
    name: "an answer that is given before the commit",
    breaks: ["I3"],
    plant: () => {
      let signal: Log["signal"] = () => {};
      patch(
        Committer.prototype,
        "added",
        (added) =>
          function (this: Committer, lane) {
            added.call(this, lane);
            const decision = lane.decided[lane.decided.length - 1];
            if (decision?.replyTo !== undefined && decision.answerJson !== undefined)
              signal(decision.replyTo, Buffer.from(decision.answerJson));
          },
      );
      return {
        onNode: (log) => {
          signal = (subject, data) => log.signal(subject, data);
        },
      };
    },
  },
  {
    name: "a machine that draws random numbers",
    breaks: ["I7", "machine"],
    plant: () => {
      impurity.isOn = true;
      undo.push(() => {
        impurity.isOn = false;
      });
      return {};
    },
  },
];

describe("the checks", () => {
  it("find nothing wrong where no bug is planted", { timeout: 300_000 }, async () => {
    expect(await findViolation({}, 100, seed)).toBeUndefined();
  });

  it("see the same run when they run the same plan again", async () => {
    for (const plan of fc.sample(plans, { numRuns: 5, seed })) {
      const [one, two] = [await runPlan(plan), await runPlan(plan)];
      expect(two.trace).toBe(one.trace);
      expect(two.story).toEqual(one.story);
    }
  });

  it.each(bugs)("find $name", { timeout: 300_000 }, async ({ breaks, plant }) => {
    const found = await findViolation(plant(), mostWorlds, seed);
    expect(found, `not found in ${mostWorlds} worlds`).toBeDefined();
    const expected = (found?.violations ?? []).filter(({ invariant }) => breaks.includes(invariant));
    expect(expected, JSON.stringify(found?.violations.slice(0, 3))).not.toEqual([]);
  });
});

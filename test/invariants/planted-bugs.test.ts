/**
 * The checks are checked: every bug that is planted here, without touching the product's files, must be found within so many worlds.
 *
 * How they are planted: planting.ts. Bugs in what waits outside the mailboxes have a file of their own.
 */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import type { CheckpointRecord, KeyRecord, StateRecord } from "../../runtime/core/records.ts";
import { Committer } from "../../runtime/engine/committer.ts";
import type { Delivery } from "../../runtime/engine/delivery.ts";
import { Dispatcher } from "../../runtime/engine/dispatcher.ts";
import { Lane } from "../../runtime/engine/lane.ts";
import { LowWater } from "../../runtime/engine/low-water.ts";
import type { AppendResult, Log } from "../../runtime/log/log.ts";
import { impurity } from "./actors.ts";
import { findViolation } from "./check-plans.ts";
import { kindOf } from "./oracle.ts";
import { plans } from "./plan.ts";
import {
  apart,
  edited,
  hunt,
  onUproot,
  type PlantedBug,
  patch,
  refenced,
  seed,
  uproot,
  withAppend,
  withoutFence,
  withRecords,
} from "./planting.ts";
import { runPlan } from "./world.ts";
import { wrapLog } from "./wrap-log.ts";

afterEach(uproot);

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
      onUproot(() => Object.defineProperty(LowWater.prototype, "mark", descriptor));
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
      onUproot(() => {
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

  it.each(bugs)("find $name", { timeout: 300_000 }, async (bug) => {
    const { worlds, expected, found } = await hunt(bug);
    expect(expected, `in ${worlds} worlds: ${JSON.stringify(found)}`).not.toEqual([]);
  });
});

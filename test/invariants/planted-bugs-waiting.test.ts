/** The checks are checked: every bug in what waits outside the mailboxes that is planted here must be found within so many worlds. */
import { afterEach, describe, expect, it } from "vitest";
import type { LetterRecord } from "../../runtime/core/records.ts";
import * as retriesAndLines from "../../runtime/engine/decide-waiting.ts";
import type { Decision } from "../../runtime/engine/decision.ts";
import * as states from "../../runtime/engine/waiting.ts";
import { kindOf } from "./oracle.ts";
import { hunt, type PlantedBug, patchExport, uproot } from "./planting.ts";
import { wrapLog } from "./wrap-log.ts";

afterEach(uproot);

/** The decision without its records of a kind. */
function without(kind: string, decision: Decision): Decision {
  return { ...decision, outbox: decision.outbox.filter((item) => item.kind !== kind) };
}

const bugs: readonly PlantedBug[] = [
  {
    name: "a retry without the record of its timer",
    breaks: ["I1", "progress"],
    plant: () => {
      patchExport(
        retriesAndLines,
        "decideRetry",
        (decide) =>
          (...given) =>
            without("timer", decide(...given)),
      );
      return {};
    },
  },
  {
    name: "a retry without the record of its message",
    breaks: ["I1"],
    plant: () => {
      patchExport(
        retriesAndLines,
        "decideRetry",
        (decide) =>
          (...given) =>
            without("wait", decide(...given)),
      );
      return {};
    },
  },
  {
    name: "a message in line without a record",
    breaks: ["I1"],
    plant: () => {
      patchExport(
        retriesAndLines,
        "decideLine",
        (decide) =>
          (...given) =>
            without("wait", decide(...given)),
      );
      return {};
    },
  },
  {
    name: "a line that is opened without the timer that tells of it",
    // Only whoever takes over after a crash misses it.
    breaks: ["I1"],
    plant: () => {
      // A name that no node takes for one of its own.
      patchExport(states, "lineTimer", () => (first) => `none${first}`);
      return {};
    },
  },
  {
    name: "a message in line that gets the number of the one before it",
    breaks: ["I1"],
    plant: () => {
      const isUsed = (waiting: Parameters<typeof states.lined>[0]): boolean =>
        waiting !== undefined && states.isWaiting(waiting, waiting.next - 1);
      patchExport(
        states,
        "nextNumber",
        (next) => (waiting, revision) => next(waiting, revision) - (isUsed(waiting) ? 1 : 0),
      );
      patchExport(
        states,
        "lined",
        (lined) => (waiting, revision) =>
          waiting !== undefined && isUsed(waiting) ? { ...waiting } : lined(waiting, revision),
      );
      return {};
    },
  },
  {
    name: "a line that is read from beyond its first message",
    breaks: ["I4", "progress"],
    plant: () => {
      const { isInLine } = states;
      patchExport(states, "firstInLine", (firstOf) => (waiting) => {
        const first = firstOf(waiting);
        if (waiting === undefined || first === undefined) return first;
        for (let n = first + 1; n < waiting.next; n++) if (isInLine(waiting, n)) return n;
        return first;
      });
      return {};
    },
  },
  {
    name: "a purge of what has waited that takes what waits again",
    breaks: ["I1"],
    plant: () => ({
      wrap: (log) =>
        wrapLog(log, {
          purge: (stream, filter, beforeSeq) =>
            log.purge(stream, filter, filter.includes(".wait.") ? undefined : beforeSeq),
        }),
    }),
  },
  {
    name: "a failed message that should hold the others and does not",
    breaks: ["I4"],
    plant: () => {
      patchExport(
        states,
        "retried",
        (retried) =>
          (waiting, n, { hold: _, ...retry }) =>
            retried(waiting, n, retry),
      );
      return {};
    },
  },
  {
    name: "a parked actor that takes its next message",
    breaks: ["I4"],
    plant: () => {
      patchExport(states, "parked", () => (waiting, revision) => waiting ?? { from: revision, next: revision });
      return {};
    },
  },
  {
    name: "a release after which the actor is parked still",
    breaks: ["I4", "progress"],
    plant: () => {
      patchExport(states, "released", () => (waiting) => waiting);
      return {};
    },
  },
  {
    name: "a letter that is dropped without the release of its actor",
    breaks: ["I3"],
    plant: () => ({
      operator: (log) =>
        wrapLog(log, {
          append: (stream, records) =>
            log.append(
              stream,
              records.some(isDropped) ? records.filter((record) => kindOf(record as never) === "dead") : records,
            ),
        }),
    }),
  },
  {
    name: "attempts that are not counted beyond a crash",
    breaks: ["I6"],
    plant: () => {
      patchExport(retriesAndLines, "decideRetry", (decide) => (definition, head, delivery, ...rest) => {
        const decision = decide(definition, head, delivery, ...rest);
        const outbox = decision.outbox.map((item) =>
          item.kind === "wait" ? { ...item, json: item.json.replace(/"attemptCount":\d+/, '"attemptCount":0') } : item,
        );
        return { ...decision, outbox };
      });
      return {};
    },
  },
  {
    name: "attempts that are forgotten when what waits is read",
    breaks: ["I6"],
    plant: () => {
      patchExport(retriesAndLines, "decideRetry", (decide) => (definition, head, delivery, env, next) => {
        if (delivery.attemptCount > 1) delivery.attemptCount = 1;
        return decide(definition, head, delivery, env, next);
      });
      return {};
    },
  },
];

function isDropped(record: { readonly data: Uint8Array }): boolean {
  return (JSON.parse(Buffer.from(record.data).toString()) as LetterRecord).status === "dropped";
}

describe("the checks", () => {
  it.each(bugs)("find $name", { timeout: 300_000 }, async (bug) => {
    const { worlds, expected, found } = await hunt(bug);
    expect(expected, `in ${worlds} worlds: ${JSON.stringify(found)}`).not.toEqual([]);
  });
});

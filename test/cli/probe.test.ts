import { describe, expect, test } from "vitest";
import type { NodeSummary, PartitionSummary, SpaceStats } from "../../actors/client/space-stats.ts";
import { checkKind, codeOf, judge, type ProbeLimits } from "../../cli/commands/probe.ts";
import { statsKind } from "../../cli/commands/stats.ts";
import { printItem, printList } from "../../cli/printer.ts";
import { shownBytes, shownDuration } from "../../cli/shown-amounts.ts";
import { noActivities, noCounts } from "../../runtime/engine/telemetry.ts";
import { documentsIn, fakeTerminal } from "./arrange.ts";

const nothing = { count: 0, p50: 0, p99: 0 };
const node: NodeSummary = {
  node: "one",
  isAlive: true,
  answers: true,
  status: "up",
  lastSeenAt: 0,
  types: ["order"],
  partitions: [0, 1],
  queued: 3,
};
const partition: PartitionSummary = {
  partition: 0,
  owner: "one",
  source: "owner",
  depth: 0,
  oldestMs: 0,
  overdueMs: 0,
};
const stream = { identity: "i", firstSeq: 1, lastSeq: 9, records: 9, sizeBytes: 1500, maxSizeBytes: 4e9 };

function stats(more: Partial<SpaceStats> = {}): SpaceStats {
  return {
    at: 1_000_000,
    nodes: [node],
    partitions: [partition, { ...partition, partition: 1 }],
    mailboxes: { depth: 0, oldestMs: 0, silent: 0 },
    waiting: 0,
    letters: {
      dead: 0,
      closed: 0,
      parking: 0,
      oldestAt: undefined,
      byType: {},
      byReason: {},
      source: "owners",
      isComplete: true,
    },
    parkedActors: 0,
    timers: { near: 0, overdueMs: 0 },
    activities: {},
    running: 0,
    counters: noCounts(),
    activityCounters: noActivities(),
    sendToCommitMs: nothing,
    timerLatenessMs: nothing,
    commitMs: nothing,
    commitBytes: nothing,
    streams: { ingress: stream, core: stream },
    ...more,
  };
}

const all: ProbeLimits = {
  nodesMin: 1,
  dlqMax: 2,
  lagMax: 30_000,
  depthMax: 100,
  waitingMax: 5,
  parkedMax: 0,
  timerLatenessMax: 10_000,
  tasksMax: 50,
};
const statuses = (seen: SpaceStats, limits = all): Record<string, string> =>
  Object.fromEntries(judge(seen, limits).map(({ check, status }) => [check, status]));
const fine = {
  nodes: "ok",
  dlq: "ok",
  lag: "ok",
  depth: "ok",
  waiting: "ok",
  parked: "ok",
  "timer lateness": "ok",
  tasks: "ok",
};

describe("a probe", () => {
  test("finds a healthy space healthy, and makes the checks that were asked for only", () => {
    expect(statuses(stats())).toEqual(fine);
    expect(statuses(stats(), { nodesMin: 1, dlqMax: 0 })).toEqual({ nodes: "ok", dlq: "ok" });
    expect(codeOf(judge(stats(), all))).toBe(0);
  });

  test.each<[string, Partial<SpaceStats>, Partial<SpaceStats>]>([
    ["nodes", { nodes: [{ ...node, isAlive: false }] }, {}],
    ["dlq", { letters: { ...stats().letters, dead: 3 } }, { letters: { ...stats().letters, dead: 2, closed: 9 } }],
    [
      "lag",
      { mailboxes: { depth: 1, oldestMs: 30_001, silent: 0 } },
      { mailboxes: { depth: 1, oldestMs: 30_000, silent: 0 } },
    ],
    [
      "depth",
      { mailboxes: { depth: 101, oldestMs: 0, silent: 0 } },
      { mailboxes: { depth: 100, oldestMs: 0, silent: 0 } },
    ],
    ["waiting", { waiting: 6 }, { waiting: 5 }],
    ["parked", { parkedActors: 1 }, {}],
    ["timer lateness", { timers: { near: 1, overdueMs: 10_001 } }, { timers: { near: 1, overdueMs: 10_000 } }],
    ["tasks", { activities: { mail: 10, charge: 51 } }, { activities: { mail: 50, charge: 50 } }],
  ])("finds %s over its limit and not at it", (check, over, at) => {
    expect(statuses(stats(over))).toEqual({ ...fine, [check]: "failed" });
    expect(codeOf(judge(stats(over), all))).toBe(1);
    expect(statuses(stats(at))).toEqual(fine);
  });

  test("does not call well what only a silent owner could know", () => {
    const seen = stats({ mailboxes: { depth: 7, oldestMs: 5, silent: 1 } });
    expect(statuses(seen)).toEqual({ ...fine, parked: "unknown", "timer lateness": "unknown" });
    expect(codeOf(judge(seen, all))).toBe(6);
    expect(judge(seen, all).find(({ check }) => check === "parked")?.note).toContain("1 of 2 partitions");
  });

  test("knows that a limit is passed, also where not all is known", () => {
    const seen = stats({
      mailboxes: { depth: 7, oldestMs: 5, silent: 1 },
      timers: { near: 1, overdueMs: 11_000 },
      letters: { ...stats().letters, dead: 10_000, isComplete: false },
    });
    expect(statuses(seen)).toMatchObject({ dlq: "failed", "timer lateness": "failed", parked: "unknown" });
    expect(codeOf(judge(seen, all))).toBe(1);
    const uncounted = stats({ letters: { ...stats().letters, isComplete: false } });
    expect(statuses(uncounted)).toMatchObject({ dlq: "unknown", parked: "unknown" });
  });

  test("cannot tell of tasks when no node answers", () => {
    const seen = stats({ nodes: [{ ...node, answers: false }] });
    expect(statuses(seen)).toEqual({ ...fine, tasks: "unknown" });
  });

  test("prints a line for each check: what, measured, limit, and how it ended", () => {
    const out = fakeTerminal();
    const seen = stats({ mailboxes: { depth: 7, oldestMs: 90_000, silent: 0 } });
    printList(out, "table", checkKind, judge(seen, { nodesMin: 1, lagMax: 30_000 }));
    expect(out.lines()).toEqual([
      "CHECK  MEASURED  LIMIT    STATUS  NOTE",
      "nodes  1         >= 1     ok",
      "lag    90 s      <= 30 s  failed",
    ]);
  });
});

describe("the printed stats", () => {
  test("say of each node whether it lives, and of partitions what waits in them", () => {
    const out = fakeTerminal();
    const seen = stats({
      nodes: [
        node,
        { ...node, node: "three", answers: false, partitions: [] },
        { ...node, node: "two", isAlive: false, answers: false, partitions: [] },
      ],
      partitions: [
        partition,
        { ...partition, partition: 1, owner: undefined, source: "log", depth: 4, oldestMs: 1500 },
      ],
      mailboxes: { depth: 4, oldestMs: 1500, silent: 1 },
      letters: { ...stats().letters, dead: 2, oldestAt: 0, byType: { order: 2 }, byReason: { attempts: 2 } },
      sendToCommitMs: { count: 10, p50: 2.25, p99: 1234 },
    });
    printItem(out, "table", statsKind, seen);
    const text = out.text();
    for (const part of [
      "one: 2 partitions, 3 messages in memory",
      "three: 0 partitions, alive but does not answer",
      "two: dead, last seen 1970-01-01T00:00:00.000Z",
      "4 not handled, the oldest for 1.5 s; as the log says for 1 of 2 partitions",
      "1: 4 not handled, the oldest for 1.5 s, nobody owns it",
      "2 dead (order 2; attempts 2), the oldest of 1970-01-01T00:00:00.000Z, 0 closed",
      "p50 2.3 ms, p99 1.2 s of 10",
      "INGRESS 9 records, 1.5 kB of 4 GB",
    ]) {
      expect(text).toContain(part);
    }
  });

  test("are one document with all numbers as json", () => {
    const out = fakeTerminal();
    printItem(out, "json", statsKind, stats());
    expect(documentsIn(out.text())).toMatchObject([
      { at: "1970-01-01T00:16:40.000Z", mailboxes: { depth: 0 }, counters: { conflicts: 0 } },
    ]);
  });
});

test("amounts are shown in the unit that fits", () => {
  expect([0, 0.25, 999, 1500, 90_000, 600_000, 7_200_000, 400_000_000].map(shownDuration)).toEqual([
    "0 ms",
    "0.3 ms",
    "999 ms",
    "1.5 s",
    "90 s",
    "10 min",
    "2 h",
    "4.6 d",
  ]);
  expect([0, 999, 1500, 12_000_000, 3.5e9].map(shownBytes)).toEqual(["0 B", "999 B", "1.5 kB", "12 MB", "3.5 GB"]);
});

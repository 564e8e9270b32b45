import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { NodeLog, ranges } from "../../cli/node-log.ts";
import { documentsIn, fakeTerminal } from "./arrange.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const opened = (partition: number, from = "") => ({
  level: "info" as const,
  name: "partition.opened",
  message: `Partition ${partition} is open.`,
  data: { partition, from },
});

test("tells partitions that open together in one line, for people", () => {
  const out = fakeTerminal();
  const log = new NodeLog(out, "info", "pretty", () => 0);
  for (const partition of [3, 0, 1, 2, 7]) log.event(opened(partition));
  expect(out.text()).toBe("");
  vi.advanceTimersByTime(1000);
  expect(out.lines()).toEqual(["1970-01-01T00:00:00.000Z info  5 partitions are open: 0-3, 7."]);
});

test("tells takeovers at once, each by itself", () => {
  const out = fakeTerminal();
  new NodeLog(out, "info", "pretty", () => 0).event(opened(3, "a"));
  expect(out.lines()).toHaveLength(1);
});

test("tells every event as a document, for collectors", () => {
  const out = fakeTerminal();
  const log = new NodeLog(out, "info", "json", () => 0);
  log.event(opened(3));
  log.event({ level: "error", name: "actor.parked", message: "It waits.", data: { error: new Error("odd") } });
  expect(documentsIn(out.text())).toEqual([
    {
      at: "1970-01-01T00:00:00.000Z",
      level: "info",
      name: "partition.opened",
      message: "Partition 3 is open.",
      partition: 3,
      from: "",
    },
    {
      at: "1970-01-01T00:00:00.000Z",
      level: "error",
      name: "actor.parked",
      message: "It waits.",
      error: { name: "Error", message: "odd" },
    },
  ]);
});

test("leaves out what is less important than asked for, but for what is always said", () => {
  const out = fakeTerminal();
  const log = new NodeLog(out, "error", "pretty", () => 0);
  log.event({ level: "warn", name: "x", message: "hidden" });
  log.event({ level: "error", name: "x", message: "shown" });
  log.say("node.up", "up");
  expect(out.lines()).toEqual(["1970-01-01T00:00:00.000Z error shown", "1970-01-01T00:00:00.000Z info  up"]);
});

test("writes numbers as ranges", () => {
  expect([[], [4], [1, 2], [0, 1, 2, 4, 6, 7]].map(ranges)).toEqual(["", "4", "1-2", "0-2, 4, 6-7"]);
});

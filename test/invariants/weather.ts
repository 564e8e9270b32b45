/** How badly the broker of a simulated world behaves, and how nodes are set. */
import type { NodeSettings } from "../../runtime/engine/context.ts";
import type { FaultDurations, FaultPlan } from "../../runtime/memory/faults.ts";
import type { Plan, Weather } from "./plan.ts";

const usualSettings: Partial<NodeSettings> = {
  heartbeatMs: 400,
  leaseMs: 1200,
  checkpointMs: 250,
  purgeMs: 400,
  // Worlds in which a message meets three deaths by chance are drawn now and then.
  maxCrashes: 1000,
  // More than a client's window, the broker's timeout and its longest delay together: see sim-client.ts.
  ingressGraceMs: 900,
  passivateMs: 4000,
};
/** Little room, and leases so short that nodes lose them while they live. */
const tightSettings: Partial<NodeSettings> = {
  ...usualSettings,
  heartbeatMs: 150,
  leaseMs: 400,
  maxQueued: 18,
  cacheBytes: 0,
  maxRecordsPerCommit: 4,
  checkpointMs: 60,
  purgeMs: 150,
};
/** After how long a process gives up waiting for the broker. */
export const timeoutMs = 200;

/** What goes wrong, and how often. */
export const weathers: Readonly<Record<Weather, FaultPlan>> = {
  calm: {},
  rough: {
    append: { "lost-request": 0.02, "lost-answer": 0.03, late: 0.03, refused: 0.03, full: 0.01, delay: 0.05 },
    read: { delay: 0.05, stall: 0.01 },
    last: { delay: 0.05, unavailable: 0.03 },
    scan: { delay: 0.05, unavailable: 0.05, stale: 0.2 },
    purge: { delay: 0.1, unavailable: 0.1, "lost-answer": 0.1 },
    signal: { lost: 0.1, duplicated: 0.1, delay: 0.1 },
  },
  storm: {
    append: { "lost-request": 0.08, "lost-answer": 0.1, late: 0.1, refused: 0.08, full: 0.03, delay: 0.15 },
    read: { delay: 0.15, stall: 0.05 },
    last: { delay: 0.1, unavailable: 0.1 },
    scan: { delay: 0.1, unavailable: 0.1, stale: 0.5 },
    purge: { delay: 0.2, unavailable: 0.2, "lost-answer": 0.2 },
    signal: { lost: 0.2, duplicated: 0.2, delay: 0.2 },
  },
};

/** How long it goes wrong. */
export const faultDurations: Partial<FaultDurations> = {
  delayMs: [1, 150],
  stallMs: [200, 1500],
  lateMs: [0, 200],
  fullMs: [20, 600],
  staleMs: [10, 1000],
};

/** The settings of all nodes of a world. */
export const settings: Readonly<Record<Plan["settings"], Partial<NodeSettings>>> = {
  usual: usualSettings,
  tight: tightSettings,
};

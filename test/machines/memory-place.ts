/** A place in memory, under virtual time. */
import { createMemoryBroker } from "../../runtime/memory/memory-broker.ts";
import { VirtualTime } from "../../runtime/memory/virtual-time.ts";
import type { Place } from "./space.ts";

const historyDepth = 16;

/** Makes a place of its own: the same seed gives the same run. */
export function memoryPlace(seed: number): Place {
  const time = new VirtualTime({ seed });
  const broker = createMemoryBroker({ time, historyDepth, keepJournal: false });
  const random = time.random.fork("processes");
  return {
    spaceName: "machines",
    space: {
      format: 1,
      partitions: 1,
      hash: "fnv1a-mix32",
      historyDepth,
      identity: { core: "memory", ingress: "memory" },
    },
    settings: { checkpointMs: 400, purgeMs: 900, topicRetentionMs: 1e12, keyRetentionMs: 1e12 },
    graceMs: 100,
    lookMs: 20,
    tidyMs: 1500,
    patienceMs: 120_000,
    random: () => random.next(),
    connect: (name) => broker.connect(name),
    run: async (promise) => {
      let isSettled = false;
      const settle = (): void => {
        isSettled = true;
      };
      promise.then(settle, settle);
      await time.runUntil(() => isSettled);
      return promise;
    },
    wait: (ms) => time.advance(ms),
  };
}

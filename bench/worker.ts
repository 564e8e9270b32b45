/** A process of a benchmark: runs a node or the floor until all messages are handled, and reports to its parent. */
import { startNode } from "../index.ts";
import { openJetStreamLog } from "../runtime/jetstream/jetstream-log.ts";
import {
  askedActor,
  bookingSaga,
  counterActor,
  fragileActor,
  parkingActor,
  readActors,
  sinkActor,
  timerActor,
} from "./actors.ts";
import { runFloor } from "./floor.ts";

const [mode, url, space, expectedText] = process.argv.slice(2) as [string, string, string, string];
const expected = Number(expectedText);
const tell = (message: object): void => {
  process.send?.(message);
};

if (mode === "floor") {
  const opened = await openJetStreamLog({ servers: url, space, assumeSyncAlways: true });
  tell({ tookMs: await runFloor(opened, space, expected) });
  await opened.close();
} else if (mode === "memory") {
  const node = await startNode({
    servers: url,
    space,
    assumeSyncAlways: true,
    actors: [askedActor],
    passivateAfter: "15 seconds",
    cacheBytes: 2 ** 30,
  });
  const heap = (): object => {
    globalThis.gc?.();
    globalThis.gc?.();
    return { heapBytes: process.memoryUsage().heapUsed, idleActors: node.stats().idleActors };
  };
  const until = async (isTrue: () => boolean): Promise<void> => {
    while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 50));
  };
  await until(() => node.stats().partitions.length === 16);
  tell(heap());
  await until(() => node.stats().idleActors === expected);
  tell(heap());
  await until(() => node.stats().idleActors === 0);
  tell(heap());
  await node.stop();
} else if (mode === "timers" || mode === "timers-takeover") {
  const startedMs = performance.now();
  const node = await startNode({ servers: url, space, assumeSyncAlways: true, actors: [timerActor] });
  const until = async (isTrue: () => boolean): Promise<void> => {
    while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  if (mode === "timers") {
    await until(() => node.stats().partitions.length === 16);
    process.on("message", ({ fired }: { readonly fired: number }) => {
      void until(() => node.stats().counters.timersFired >= fired).then(() =>
        tell({ lateness: node.stats().timerLateness }),
      );
    });
    tell({ ready: true });
  } else {
    await until(() => node.stats().counters.timersFired > 0);
    tell({ tookMs: performance.now() - startedMs, nearTimers: node.stats().nearTimers });
  }
  await new Promise((resolve) => process.once("SIGTERM", resolve));
  await node.stop();
} else if (mode === "redrive" || mode === "redrive-broken") {
  const isBroken = mode === "redrive-broken";
  const node = await startNode({
    servers: url,
    space,
    assumeSyncAlways: true,
    actors: [fragileActor(isBroken)],
    onEvent: () => {},
  });
  const until = async (isTrue: () => boolean): Promise<void> => {
    while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  if (isBroken) await until(() => node.stats().counters.deadLetters >= expected);
  else {
    await until(() => node.stats().partitions.length === 16);
    tell({ ready: true });
    await until(() => node.stats().counters.applied >= expected);
  }
  tell({ counters: node.stats().counters });
  await node.stop();
} else if (mode === "saga") {
  let peakRssMb = 0;
  let peakHeapMb = 0;
  const node = await startNode({
    servers: url,
    space,
    assumeSyncAlways: true,
    actors: [bookingSaga],
    maxActivities: 1000,
  });
  while (node.stats().partitions.length < 16) await new Promise((resolve) => setTimeout(resolve, 5));
  const watching = setInterval(() => {
    const { rss, heapUsed } = process.memoryUsage();
    peakRssMb = Math.max(peakRssMb, rss / 2 ** 20);
    peakHeapMb = Math.max(peakHeapMb, heapUsed / 2 ** 20);
  }, 50);
  tell({ ready: true });
  await new Promise((resolve) => process.once("message", resolve));
  clearInterval(watching);
  tell({ peakRssMb, peakHeapMb });
  await node.stop();
  process.disconnect?.();
} else if (mode === "read") {
  let opened = 0;
  const node = await startNode({
    servers: url,
    space,
    assumeSyncAlways: true,
    actors: readActors,
    // It is stopped for a while, and is to own its partitions still.
    lease: "1 minute",
    onEvent: ({ name }) => {
      if (name === "partition.opened") opened++;
    },
  });
  while (opened < 16) await new Promise((resolve) => setTimeout(resolve, 5));
  const before = process.cpuUsage();
  tell({ ready: true });
  while (node.stats().counters.applied + node.stats().counters.ignored < expected)
    await new Promise((resolve) => setTimeout(resolve, 5));
  const { user, system } = process.cpuUsage(before);
  tell({ cpuMs: (user + system) / 1000 });
  await node.stop();
} else {
  let startedMs = 0;
  const node = await startNode({
    servers: url,
    space,
    name: "bench",
    assumeSyncAlways: true,
    actors: [mode === "parking" ? parkingActor : counterActor, sinkActor, askedActor],
    onEvent: (event) => {
      if (startedMs === 0 && event.name === "partition.opened") startedMs = performance.now();
      if (mode !== "parking" && (event.level === "warn" || event.level === "error"))
        process.stderr.write(`${event.message}\n`);
    },
  });
  if (mode === "node" || mode === "parking") {
    while (node.stats().counters.applied < expected) await new Promise((resolve) => setTimeout(resolve, 5));
    const tookMs = performance.now() - startedMs;
    const { counters } = node.stats();
    tell({ tookMs, counters });
    await node.stop();
  } else {
    while (node.stats().partitions.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    tell({ ready: true });
    await new Promise((resolve) => process.once("message", resolve));
    await node.stop();
  }
}
process.exit(0);

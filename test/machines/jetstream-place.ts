/** A place on a real server, in real time: a space of its own, and processes whose connection can be cut for good. */
import { setTimeout as delay } from "node:timers/promises";
import { systemTime } from "../../runtime/core/time.ts";
import { openJetStreamLog } from "../../runtime/jetstream/jetstream-log.ts";
import type { Log, LogReader } from "../../runtime/log/log.ts";
import type { OpenWorkQueue, WorkQueue } from "../../runtime/log/work-queue.ts";
import { wrapLog } from "../invariants/wrap-log.ts";
import type { Connection, Place } from "./space.ts";

/** A place, to be closed. */
export interface JetStreamPlace extends Place {
  close(): Promise<void>;
}

/** Makes a space with one partition. */
export async function jetStreamPlace(servers: string, spaceName: string): Promise<JetStreamPlace> {
  const opened = await openJetStreamLog({
    servers,
    space: spaceName,
    partitions: 1,
    assumeSyncAlways: true,
    // Many spaces share the disk.
    maxCoreBytes: 64 * 1024 * 1024,
    maxIngressBytes: 16 * 1024 * 1024,
  });
  return {
    spaceName,
    space: opened.space,
    settings: {
      heartbeatMs: 120,
      leaseMs: 600,
      checkpointMs: 100,
      purgeMs: 200,
      topicRetentionMs: 1e12,
      keyRetentionMs: 1e12,
    },
    graceMs: 150,
    lookMs: 15,
    tidyMs: 250,
    patienceMs: 30_000,
    random: Math.random,
    connect: () => severable(opened.log, opened.workQueue),
    run: (promise) => promise,
    wait: async (ms) => {
      await delay(ms);
    },
    close: () => opened.close(),
  };
}

/** A connection over one that others use too: once severed, no call settles, nothing is called, and nothing goes out that has not gone. */
function severable(log: Log, workQueue: WorkQueue): Connection {
  let isSevered = false;
  const ends = new Set<() => void>();
  const never = new Promise<never>(() => {});
  const call = async <A>(make: () => Promise<A>): Promise<A> => {
    if (isSevered) return never;
    try {
      const result = await make();
      return isSevered ? never : result;
    } catch (error) {
      if (isSevered) return never;
      throw error;
    }
  };
  const heard =
    <Args extends readonly unknown[]>(run: (...args: Args) => void) =>
    (...args: Args): void => {
      if (!isSevered) run(...args);
    };
  const ending = (end: () => void): (() => void) => {
    if (isSevered) end();
    else ends.add(end);
    return () => {
      ends.delete(end);
      end();
    };
  };
  const wrapped = wrapLog(log, {
    append: (stream, records) => call(() => log.append(stream, records)),
    last: (stream, subject) => call(() => log.last(stream, subject)),
    lastMany: (stream, subjects) => call(() => log.lastMany(stream, subjects)),
    next: (stream, filter, fromSeq) => call(() => log.next(stream, filter, fromSeq)),
    purge: (stream, filter, beforeSeq) => call(() => log.purge(stream, filter, beforeSeq)),
    state: (stream) => call(() => log.state(stream)),
    flush: () => call(() => log.flush()),
    signal: heard((subject: string, data: Uint8Array) => log.signal(subject, data)),
    listen: (subject, onSignal) => ending(log.listen(subject, heard(onSignal))),
    async *scan(stream, filter, options) {
      for await (const record of log.scan(stream, filter, options)) {
        if (isSevered) await never;
        yield record;
      }
    },
    read: (stream, options): LogReader => {
      const reader = log.read(stream, {
        ...options,
        onRecord: heard(options.onRecord),
        onError: heard(options.onError),
        ...(options.onCaughtUp === undefined ? {} : { onCaughtUp: heard(options.onCaughtUp) }),
      });
      const stop = ending(() => reader.stop());
      return {
        ready: call(() => reader.ready),
        pause: () => reader.pause(),
        resume: () => reader.resume(),
        stop,
      };
    },
    // The connection is the others' too.
    close: async () => {},
  });
  return {
    log: wrapped,
    workQueue: {
      open: (options) =>
        call(async (): Promise<OpenWorkQueue> => {
          // What a dead worker had taken is to come again soon; no promise of these machines takes long.
          const queue = await workQueue.open({ ...options, visibilityMs: 1000 });
          ending(() => void queue.close());
          return {
            pull: (max, waitMs) => call(() => queue.pull(max, waitMs)),
            state: () => call(() => queue.state()),
            close: () => call(() => queue.close()),
          };
        }),
    },
    time: {
      ...systemTime,
      after: (delayMs, run) => systemTime.after(delayMs, heard(run)),
      soon: (run) => systemTime.soon(heard(run)),
    },
    sever() {
      isSevered = true;
      for (const end of ends) end();
      ends.clear();
    },
  };
}

/** Reads again, in order, what a lane had no room for. */
import type { StreamName } from "../core/subjects.ts";
import { sleep } from "../core/time.ts";
import type { LogRecord } from "../log/log.ts";
import type { NodeContext } from "./context.ts";
import type { Lane } from "./lane.ts";

/** What reading again asks of the partition. */
export interface RefillHost {
  isClosed(): boolean;
  /** Hands a record to the lane; with a promise, when it has to wait for that: false when it will not come to it. */
  take(stream: StreamName, record: LogRecord): Promise<boolean> | undefined;
  /** The message needs no more handling. */
  handled(stream: StreamName, seq: number): void;
}

const refillSize = 256;

/** Fills the lane from the mailboxes, as far as there is room; resolves when nothing more can be done now. */
export async function refill(context: NodeContext, partition: number, lane: Lane, host: RefillHost): Promise<void> {
  const { log, subjects, time } = context;
  for (const stream of ["ingress", "core"] as const) {
    const filter =
      stream === "ingress"
        ? subjects.ingressOfActor(partition, lane.address)
        : subjects.mailOfActor(partition, lane.address);
    while (
      lane.overflow[stream].length > 0 &&
      lane.queue.length < refillSize &&
      lane.phase === "ready" &&
      !host.isClosed()
    ) {
      const fromSeq = lane.overflow[stream][0] as number;
      const last = lane.overflow[stream][lane.overflow[stream].length - 1] as number;
      let found = 0;
      let isGone = false;
      let isAway = false;
      const onTrial: Array<readonly [number, Promise<boolean>]> = [];
      const take = (record: LogRecord): void => {
        const taken = host.take(stream, record);
        if (taken === undefined) found = record.seq;
        else onTrial.push([record.seq, taken]);
      };
      try {
        for await (const record of log.scan(stream, filter, { fromSeq, limit: refillSize })) {
          if (record.seq > last || host.isClosed() || lane.isClosed) break;
          take(record);
        }
        if (found === 0 && onTrial.length === 0) {
          // Whoever served the scan may lag behind: only the leader knows that nothing is left.
          const next = await log.next(stream, filter, fromSeq);
          if (host.isClosed() || lane.isClosed) return;
          isGone = next === undefined || next.seq > last;
          if (next !== undefined && !isGone) take(next);
        }
      } catch {
        isAway = true;
      }
      if (isGone) {
        // Purged by an owner that handled them before it lost the partition.
        for (const seq of lane.overflow[stream]) if (seq <= last) host.handled(stream, seq);
      }
      // Until they stand in the lane what is read meanwhile is kept behind them.
      for (const [seq, taken] of onTrial) {
        if (!(await taken)) return;
        found = seq;
      }
      // What came before a scan broke off is in the queue.
      lane.overflow[stream] = lane.overflow[stream].filter((seq) => seq > (isGone ? last : found));
      if (isAway) await sleep(time, 100);
    }
  }
}

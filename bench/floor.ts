/**
 * The floor: the same reads and the same commits against the same server, by a bare loop with no machine, no schema and no engine.
 *
 * For every message of a counter: its 300-byte state with the fence on its subject, and one message for a sink. For every message
 * of a sink: its state with the fence. What became ready while a batch was in flight goes into the next one, up to 1,000 records.
 */
import { partitionOf } from "../runtime/core/address.ts";
import { Subjects } from "../runtime/core/subjects.ts";
import type { JetStreamLog } from "../runtime/jetstream/jetstream-log.ts";
import type { AppendRecord } from "../runtime/log/log.ts";

/** Handles `expected` messages; resolves with the time it took from the first record read to the last commit, in milliseconds. */
export async function runFloor(opened: JetStreamLog, space: string, expected: number): Promise<number> {
  const { log } = opened;
  const { partitions } = opened.space;
  const subjects = new Subjects(space);
  const state = Buffer.from(JSON.stringify({ value: "one", count: 1, padding: "x".repeat(270) }));
  const seqs = new Map<string, number>();
  const queue: Array<{ readonly key: string; readonly subject: string; readonly mail: AppendRecord | undefined }> = [];
  let startedMs = 0;
  let handled = 0;
  let mails = 0;
  let isCommitting = false;
  return new Promise((resolve, reject) => {
    const commit = async (): Promise<void> => {
      if (isCommitting) return;
      isCommitting = true;
      while (queue.length > 0) {
        const records: AppendRecord[] = [];
        const fences: Array<[string, number]> = [];
        const taken = new Set<string>();
        let count = 0;
        while (count < queue.length && records.length < 998) {
          const item = queue[count] as (typeof queue)[number];
          if (!taken.has(item.key)) {
            taken.add(item.key);
            fences.push([item.key, records.length]);
            records.push({ subject: item.subject, data: state, expectLastSeq: seqs.get(item.key) ?? 0 });
          }
          if (item.mail !== undefined) records.push(item.mail);
          count++;
        }
        queue.splice(0, count);
        const result = await log.append("core", records);
        if (result._tag !== "Appended") throw new Error(`The floor's batch ended with ${result._tag}.`);
        for (const [key, offset] of fences) seqs.set(key, result.firstSeq + offset);
        handled += count;
        if (handled >= expected) resolve(performance.now() - startedMs);
      }
      isCommitting = false;
    };
    const onRecord = (stream: "ingress" | "core", subject: string, data: Uint8Array): void => {
      if (startedMs === 0) startedMs = performance.now();
      const parsed = subjects.parseMailbox(stream, subject);
      if (parsed === undefined) return;
      const { to } = parsed;
      let mail: AppendRecord | undefined;
      if (stream === "ingress") {
        const { event } = JSON.parse(Buffer.from(data).toString()) as { event: { id: string; amount: number } };
        const sink = { type: "sink", id: event.id };
        const body = JSON.stringify({
          format: 1,
          kind: "event",
          id: `m-${mails}`,
          from: `counter/${to.id}`,
          sentAt: Date.now(),
          event: { type: "ADDED", amount: event.amount },
        });
        mail = { subject: subjects.mail(partitionOf(sink, partitions), sink, `m-${mails++}`), data: Buffer.from(body) };
      }
      const wasEmpty = queue.length === 0;
      queue.push({ key: `${to.type}/${to.id}`, subject: subjects.state(parsed.partition, to), mail });
      if (wasEmpty) queueMicrotask(() => commit().catch(reject));
    };
    for (let partition = 0; partition < partitions; partition++) {
      for (const [stream, filter] of [
        ["ingress", subjects.ingressOfPartition(partition)],
        ["core", subjects.mailOfPartition(partition)],
      ] as const) {
        log.read(stream, {
          filters: [filter],
          from: { seq: 1 },
          onRecord: (record) => onRecord(stream, record.subject, record.data),
          onError: reject,
        });
      }
    }
  });
}

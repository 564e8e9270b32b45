/** Logs in the hands of others: what stands between a node and its log. */
import type { Log } from "../../runtime/log/log.ts";

/** A log that does some things otherwise. */
export function wrapLog(log: Log, over: Partial<Log>): Log {
  return {
    limits: log.limits,
    append: (stream, records) => log.append(stream, records),
    read: (stream, options) => log.read(stream, options),
    last: (stream, subject) => log.last(stream, subject),
    lastMany: (stream, subjects) => log.lastMany(stream, subjects),
    next: (stream, filter, fromSeq) => log.next(stream, filter, fromSeq),
    scan: (stream, filter, options) => log.scan(stream, filter, options),
    count: (stream, filter, fromSeq) => log.count(stream, filter, fromSeq),
    purge: (stream, filter, beforeSeq) => log.purge(stream, filter, beforeSeq),
    state: (stream) => log.state(stream),
    signal: (subject, data) => log.signal(subject, data),
    listen: (subject, onSignal) => log.listen(subject, onSignal),
    flush: () => log.flush(),
    close: () => log.close(),
    ...over,
  };
}
